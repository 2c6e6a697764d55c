//! The probe's guest: kernel mode of 64 bits, with page tables of its own.

use arch::x86_64::state::{attr, seg};
use arch::x86_64::{Cpu, X86_64};

use crate::IrqChips;
use crate::kvm::probe::{Guest, LONG, SHORT, mark};

const PML4: usize = 0x1000;
const PDPT: usize = 0x2000;
const PD: usize = 0x3000;
const CODE: usize = 0x4000;
const GDT: usize = 0x5000;
const STACK_TOP: u64 = 0x6000;
const XSAVE: usize = 0x6000;
const OPERAND: usize = 0x7000;

/// Selectors of kernel code and data.
const CS: u8 = 0x08;
const SS: u8 = 0x10;

/// Where marks are stored.
const PORT: u8 = 0x10;

/// Present and writable; a large page `[SDM-3A §5.5.4]`.
const PTE: u64 = 3;
const PTE_LARGE: u64 = 1 << 7;

/// Protected mode, x87 errors by exception, write protection, paging.
const CR0: u64 = 1 | 1 << 4 | 1 << 5 | 1 << 16 | 1 << 31;
/// PAE, FXSR, SSE exceptions, XSAVE.
const CR4: u64 = 1 << 5 | 1 << 9 | 1 << 10 | 1 << 18;
/// Long mode, enabled and active.
const EFER: u64 = 1 << 8 | 1 << 10;

pub(super) fn guest() -> Guest<X86_64> {
    let quads = |quads: &[u64]| quads.iter().flat_map(|quad| quad.to_le_bytes()).collect();
    Guest {
        image: vec![
            (PML4, quads(&[PDPT as u64 | PTE])),
            (PDPT, quads(&[PD as u64 | PTE])),
            (PD, quads(&[PTE | PTE_LARGE])),
            (CODE, code()),
            // Flat code of 64 bits, flat data.
            (GDT, quads(&[0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff])),
        ],
        gpa: 0,
        extent: 0x8000,
        state: state(),
        tried: &["iretq", "xrstor", "cmpxchg16b"],
        irqchips: IrqChips::Machine,
    }
}

fn state() -> Cpu {
    let mut cpu = Cpu::reset(true);
    let flat = attr::P | attr::S | attr::G;
    for segment in [seg::ES, seg::SS, seg::DS, seg::FS, seg::GS] {
        cpu.selector[segment] = SS.into();
        cpu.limit[segment] = 0xffff_ffff;
        cpu.attributes[segment] = flat | attr::DB | attr::DATA;
    }
    cpu.selector[seg::CS] = CS.into();
    cpu.set_segment_base(seg::CS, 0);
    cpu.limit[seg::CS] = 0xffff_ffff;
    cpu.attributes[seg::CS] = flat | attr::L | attr::CODE;
    (cpu.gdt_base, cpu.gdt_limit) = (GDT as u64, 0x17);
    (cpu.cr0, cpu.cr3, cpu.cr4, cpu.efer) = (CR0, PML4 as u64, CR4, EFER);
    (cpu.rip, cpu.gpr[4]) = (CODE as u64, STACK_TOP);
    cpu
}

fn code() -> Vec<u8> {
    let mut code = Vec::new();
    let mut marks = mark::START..;
    let mut mark = |code: &mut Vec<u8>| {
        let mark = marks.next().unwrap_or_default();
        // mov al, MARK; out PORT, al
        code.extend([0xb0, mark, 0xe6, PORT]);
    };
    (mark::START..=mark::SHORT_START).for_each(|_| mark(&mut code));
    for rounds in [SHORT, SHORT, SHORT, LONG, LONG, LONG, LONG] {
        // mov ecx, ROUNDS; 1: dec ecx; jnz 1b
        code.push(0xb9);
        code.extend(rounds.to_le_bytes());
        code.extend([0xff, 0xc9, 0x75, 0xfc]);
        mark(&mut code);
    }
    // mov rax, rsp; push SS; push rax; pushfq; push CS; lea rax, [behind]; push rax; iretq
    code.extend([0x48, 0x89, 0xe0, 0x6a, SS, 0x50, 0x9c, 0x6a, CS]);
    code.extend([0x48, 0x8d, 0x05, 3, 0, 0, 0, 0x50, 0x48, 0xcf]);
    mark(&mut code);
    // xor edx, edx; mov eax, 3; xrstor [XSAVE]
    code.extend([0x31, 0xd2, 0xb8, 3, 0, 0, 0, 0x0f, 0xae, 0x2c, 0x25]);
    code.extend((XSAVE as u32).to_le_bytes());
    mark(&mut code);
    // cmpxchg16b [OPERAND]
    code.extend([0x48, 0x0f, 0xc7, 0x0c, 0x25]);
    code.extend((OPERAND as u32).to_le_bytes());
    mark(&mut code);
    // hlt
    code.push(0xf4);
    code
}
