//! General registers, segments and control registers.

use arch::x86_64::Cpu;
use arch::x86_64::state::{attr, seg};
use kvm_bindings::{kvm_dtable, kvm_regs, kvm_segment, kvm_sregs};
use kvm_ioctls::VcpuFd;

use crate::kvm::KvmError;

pub(super) fn general(state: &Cpu) -> kvm_regs {
    let [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = state.gpr;
    kvm_regs {
        rax,
        rbx,
        rcx,
        rdx,
        rsi,
        rdi,
        rsp,
        rbp,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        rip: state.rip,
        rflags: state.rflags(),
    }
}

pub(super) fn from_general(state: &mut Cpu, regs: &kvm_regs) {
    state.gpr = [
        regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsp, regs.rbp, regs.rsi, regs.rdi, regs.r8,
        regs.r9, regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
    ];
    state.rip = regs.rip;
    state.set_rflags(regs.rflags);
}

/// Writes the system registers.
pub(super) fn set_system(fd: &VcpuFd, state: &Cpu) -> Result<(), KvmError> {
    let segment = |number| segment(state, number);
    let table =
        |base, limit: u64| kvm_dtable { base, limit: limit as u16, ..kvm_dtable::default() };
    let regs = kvm_sregs {
        es: segment(seg::ES),
        cs: segment(seg::CS),
        ss: segment(seg::SS),
        ds: segment(seg::DS),
        fs: segment(seg::FS),
        gs: segment(seg::GS),
        ldt: segment(seg::LDTR),
        tr: segment(seg::TR),
        gdt: table(state.gdt_base, state.gdt_limit),
        idt: table(state.idt_base, state.idt_limit),
        cr0: state.cr0,
        cr2: state.cr2,
        cr3: state.cr3,
        cr4: state.cr4,
        cr8: state.cr8,
        efer: state.efer,
        apic_base: state.apic_base,
        // An interrupt on its way in is among the events.
        interrupt_bitmap: [0; 4],
    };
    fd.set_sregs(&regs).map_err(KvmError::refused("system registers"))
}

pub(super) fn from_system(state: &mut Cpu, regs: &kvm_sregs) {
    for (number, segment) in [
        (seg::ES, &regs.es),
        (seg::CS, &regs.cs),
        (seg::SS, &regs.ss),
        (seg::DS, &regs.ds),
        (seg::FS, &regs.fs),
        (seg::GS, &regs.gs),
        (seg::LDTR, &regs.ldt),
        (seg::TR, &regs.tr),
    ] {
        state.set_segment_base(number, segment.base);
        state.selector[number] = segment.selector.into();
        state.limit[number] = segment.limit.into();
        state.attributes[number] = attributes(segment);
    }
    (state.gdt_base, state.gdt_limit) = (regs.gdt.base, regs.gdt.limit.into());
    (state.idt_base, state.idt_limit) = (regs.idt.base, regs.idt.limit.into());
    (state.cr0, state.cr2, state.cr3, state.cr4) = (regs.cr0, regs.cr2, regs.cr3, regs.cr4);
    (state.cr8, state.efer, state.apic_base) = (regs.cr8, regs.efer, regs.apic_base);
}

fn segment(state: &Cpu, number: usize) -> kvm_segment {
    let attributes = state.attributes[number];
    let bit = |flag: u64| u8::from(attributes & flag != 0);
    kvm_segment {
        base: state.segment_base(number),
        limit: state.limit[number] as u32,
        selector: state.selector[number] as u16,
        type_: (attributes & attr::TYPE) as u8,
        present: bit(attr::P),
        dpl: (attributes >> attr::DPL_SHIFT & 3) as u8,
        db: bit(attr::DB),
        s: bit(attr::S),
        l: bit(attr::L),
        g: bit(attr::G),
        avl: bit(attr::AVL),
        unusable: bit(attr::UNUSABLE),
        padding: 0,
    }
}

fn attributes(segment: &kvm_segment) -> u64 {
    let bit = |on: u8, flag: u64| if on != 0 { flag } else { 0 };
    u64::from(segment.type_) & attr::TYPE
        | (u64::from(segment.dpl) & 3) << attr::DPL_SHIFT
        | bit(segment.present, attr::P)
        | bit(segment.db, attr::DB)
        | bit(segment.s, attr::S)
        | bit(segment.l, attr::L)
        | bit(segment.g, attr::G)
        | bit(segment.avl, attr::AVL)
        | bit(segment.unusable, attr::UNUSABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_come_back() {
        let mut state = Cpu { gpr: std::array::from_fn(|n| n as u64 + 100), ..Cpu::default() };
        state.rip = 7;
        state.set_rflags(0x246);
        let mut back = Cpu::default();
        from_general(&mut back, &general(&state));
        assert_eq!(back, state);
    }

    #[test]
    fn attributes_come_back() {
        let mut state = Cpu::reset(true);
        for bits in [0, 0x9b, 0xa09b, 0xc0f3, 0x1_0000, 0x8b] {
            state.attributes[seg::CS] = bits;
            assert_eq!(attributes(&segment(&state, seg::CS)), bits);
        }
    }
}
