//! The registers of a processor: `[SDM-1 §3.4]`, `[SDM-1 §10.2]`, `[SDM-3A §2]`.

use super::msr::{MSR_COUNT, MSR_NAMES};

/// Carry, in RFLAGS.
pub const CF: u64 = 1;
/// Even parity of the low byte.
pub const PF: u64 = 1 << 2;
/// Carry out of bit 3.
pub const AF: u64 = 1 << 4;
/// Zero.
pub const ZF: u64 = 1 << 6;
/// Sign.
pub const SF: u64 = 1 << 7;
/// Single step.
pub const TF: u64 = 1 << 8;
/// Interrupts enabled.
pub const IF: u64 = 1 << 9;
/// String instructions go downwards.
pub const DF: u64 = 1 << 10;
/// Overflow.
pub const OF: u64 = 1 << 11;
/// Nested task.
pub const NT: u64 = 1 << 14;
/// Alignment check.
pub const AC: u64 = 1 << 18;
/// Can be changed where there is CPUID.
pub const ID: u64 = 1 << 21;
/// The bit of RFLAGS that is one always.
pub const RFLAGS_FIXED: u64 = 1 << 1;
/// The flags that arithmetic sets.
pub const ARITHMETIC: u64 = CF | PF | AF | ZF | SF | OF;

/// MXCSR after a reset: all exceptions masked.
const MXCSR_RESET: u64 = 0x1f80;
/// The x87 control word after FNINIT: all exceptions masked, 64 bits of precision.
pub const FCW_INIT: u64 = 0x37f;
/// Where local APICs are after a reset.
const APIC_BASE: u64 = 0xfee0_0000;
/// IA32_APIC_BASE: enabled.
const APIC_ENABLE: u64 = 1 << 11;
/// IA32_APIC_BASE: this is the bootstrap processor.
const APIC_BSP: u64 = 1 << 8;

/// Segment registers by their number, in [`Cpu::selector`] and the arrays beside it.
pub mod seg {
    /// ES.
    pub const ES: usize = 0;
    /// CS.
    pub const CS: usize = 1;
    /// SS.
    pub const SS: usize = 2;
    /// DS.
    pub const DS: usize = 3;
    /// FS; its base is [`super::Cpu::fs_base`].
    pub const FS: usize = 4;
    /// GS; its base is [`super::Cpu::gs_base`].
    pub const GS: usize = 5;
    /// LDTR.
    pub const LDTR: usize = 6;
    /// TR.
    pub const TR: usize = 7;
    /// How many there are.
    pub const COUNT: usize = 8;
}

/// Attributes of a segment as [`Cpu::attributes`] has them: bits 8 to 23 of a descriptor's upper
/// half `[SDM-3A §3.4.5]` without the limit, and above them one bit of our own.
pub mod attr {
    /// The type field.
    pub const TYPE: u64 = 0xf;
    /// Code or data, not a system segment.
    pub const S: u64 = 1 << 4;
    /// Where the privilege level begins, of two bits.
    pub const DPL_SHIFT: u32 = 5;
    /// Present.
    pub const P: u64 = 1 << 7;
    /// Software's own.
    pub const AVL: u64 = 1 << 12;
    /// 64-bit code.
    pub const L: u64 = 1 << 13;
    /// 32-bit default size.
    pub const DB: u64 = 1 << 14;
    /// The limit counts pages.
    pub const G: u64 = 1 << 15;
    /// The register holds a null selector: every use faults.
    pub const UNUSABLE: u64 = 1 << 16;
    /// Type of accessed, readable code.
    pub const CODE: u64 = 0xb;
    /// Type of accessed, writable data.
    pub const DATA: u64 = 0x3;
    /// Type of a busy 64-bit (or 32-bit) task state segment.
    pub const TSS_BUSY: u64 = 0xb;
    /// Type of a local descriptor table.
    pub const LDT: u64 = 0x2;
}

/// What a vCPU is doing, in [`Cpu::mp_state`].
pub mod mp {
    /// Runs.
    pub const RUNNING: u64 = 0;
    /// Waits for INIT.
    pub const UNINITIALIZED: u64 = 1;
    /// Has had INIT, waits for a start-up message.
    pub const INIT_RECEIVED: u64 = 2;
    /// Waits for an interrupt.
    pub const HALTED: u64 = 3;
    /// Has had its start-up message.
    pub const SIPI_RECEIVED: u64 = 4;
}

/// Events on their way into the processor, as [`Cpu::events`] counts them.
pub mod event {
    /// An exception is being delivered (1) or is pending (2); 0 if there is none.
    pub const EXCEPTION: usize = 0;
    /// Its vector.
    pub const EXCEPTION_VECTOR: usize = 1;
    /// Bit 32: it has an error code, which is in the low bits.
    pub const EXCEPTION_ERROR: usize = 2;
    /// What it will put into CR2 or DR6, if bit 0 of the next says so.
    pub const EXCEPTION_PAYLOAD: usize = 3;
    /// [`EXCEPTION_PAYLOAD`] is valid.
    pub const EXCEPTION_HAS_PAYLOAD: usize = 4;
    /// Bit 8: an interrupt is being delivered, whose vector is in the low byte; bit 9: by an
    /// instruction.
    pub const INTERRUPT: usize = 5;
    /// Interrupts are held off for one instruction: 1 after STI, 2 after a load of SS.
    pub const SHADOW: usize = 6;
    /// Bit 0: an NMI is being delivered; bit 1: NMIs are masked; from bit 8: how many wait.
    pub const NMI: usize = 7;
    /// Vector of the start-up message.
    pub const SIPI_VECTOR: usize = 8;
    /// Bit 0: in system management mode; 1: SMI pending; 2: entered inside an NMI; 3: INIT
    /// latched.
    pub const SMI: usize = 9;
    /// A triple fault is pending.
    pub const TRIPLE_FAULT: usize = 10;
    /// How many there are.
    pub const COUNT: usize = 11;
}

macro_rules! numbered {
    ($prefix:literal: $($n:literal)*; $suffix:literal) => {
        [$( concat!($prefix, $n, $suffix) ),*]
    };
}

crate::cpu_state! {
    /// One processor.
    pub struct Cpu {
        /// General registers in the order of their numbers; first, because translated code
        /// addresses them most.
        gpr: [u64; 16] = General,
            names ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10",
                "r11", "r12", "r13", "r14", "r15"];
        /// Program counter.
        rip: u64 = General, gdb 16;
        /// The arithmetic flags as `lahf; seto al` leave them in AX: AH holds the low byte of
        /// RFLAGS, AL the overflow. [`Cpu::rflags`] puts them together with the others.
        flags: u64 = Internal;
        /// The direction flag, 0 or 1.
        df: u64 = Internal;
        /// The other bits of RFLAGS.
        rflags_rest: u64 = Internal;
        /// Base of the FS segment.
        fs_base: u64 = General, gdb 58;
        /// Base of the GS segment.
        gs_base: u64 = General, gdb 59;
        /// SSE registers.
        xmm: [u128; 16] = Vector, gdb 40,
            names ["xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"];
        /// Control and status of SSE.
        mxcsr: u64 = Vector, gdb 56;
        /// CR0.
        cr0: u64 = System;
        /// CR2: address of the last page fault.
        cr2: u64 = System;
        /// CR3: root of the page tables.
        cr3: u64 = System;
        /// CR4.
        cr4: u64 = System;
        /// CR8: the task priority.
        cr8: u64 = System;
        /// IA32_EFER.
        efer: u64 = System;
        /// IA32_APIC_BASE.
        apic_base: u64 = System;
        /// Selectors, in the order of [`seg`].
        selector: [u64; seg::COUNT] = System,
            names ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"];
        /// Bases; those of FS and GS are `fs_base` and `gs_base`, and these two stay zero.
        base: [u64; seg::COUNT] = System,
            names ["es_base", "cs_base", "ss_base", "ds_base", "fs_base_unused",
                "gs_base_unused", "ldtr_base", "tr_base"];
        /// Limits in bytes.
        limit: [u64; seg::COUNT] = System,
            names ["es_limit", "cs_limit", "ss_limit", "ds_limit", "fs_limit", "gs_limit",
                "ldtr_limit", "tr_limit"];
        /// Attributes, see [`attr`].
        attributes: [u64; seg::COUNT] = System,
            names ["es_attributes", "cs_attributes", "ss_attributes", "ds_attributes",
                "fs_attributes", "gs_attributes", "ldtr_attributes", "tr_attributes"];
        /// Global descriptor table.
        gdt_base: u64 = System;
        /// Its limit in bytes.
        gdt_limit: u64 = System;
        /// Interrupt descriptor table.
        idt_base: u64 = System;
        /// Its limit in bytes.
        idt_limit: u64 = System;
        /// Breakpoint addresses.
        dr: [u64; 4] = System, names ["dr0", "dr1", "dr2", "dr3"];
        /// Debug status.
        dr6: u64 = System;
        /// Debug control.
        dr7: u64 = System;
        /// x87 registers, 80 bits each, from the top of the stack.
        st: [u128; 8] = Float, gdb 24,
            names ["st0", "st1", "st2", "st3", "st4", "st5", "st6", "st7"];
        /// x87 control.
        fcw: u64 = Float;
        /// x87 status.
        fsw: u64 = Float;
        /// x87 tags, abridged: a bit per physical register that is in use.
        ftw: u64 = Float;
        /// Opcode of the last x87 instruction.
        fop: u64 = Float;
        /// Its address.
        fip: u64 = Float;
        /// Address of its operand.
        fdp: u64 = Float;
        /// Upper halves of the AVX registers.
        ymm_high: [u128; 16] = Vector,
            names numbered!("ymm": 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; "h");
        /// AVX-512 masks.
        k: [u64; 8] = Vector, names numbered!("k": 0 1 2 3 4 5 6 7; "");
        /// Upper halves of the first sixteen AVX-512 registers, two words each.
        zmm_high: [u128; 32] = Vector,
            names numbered!("zmm_high": 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21
                22 23 24 25 26 27 28 29 30 31; "");
        /// The other sixteen AVX-512 registers, four words each.
        zmm_upper: [u128; 64] = Vector,
            names numbered!("zmm_upper": 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21
                22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48
                49 50 51 52 53 54 55 56 57 58 59 60 61 62 63; "");
        /// Protection-key rights.
        pkru: u64 = Vector;
        /// Which state components XSAVE manages.
        xcr0: u64 = System;
        /// Which of them are in use (XINUSE).
        xinuse: u64 = Internal;
        /// Model-specific registers, in the order of [`super::msr::MSRS`].
        msr: [u64; MSR_COUNT] = System, names MSR_NAMES;
        /// The local APIC's registers, by their offset / 16 `[SDM-3A §12.4.1]`.
        lapic: [u64; 64] = System,
            names numbered!("lapic_": "000" "010" "020" "030" "040" "050" "060" "070" "080" "090"
                "0a0" "0b0" "0c0" "0d0" "0e0" "0f0" "100" "110" "120" "130" "140" "150" "160"
                "170" "180" "190" "1a0" "1b0" "1c0" "1d0" "1e0" "1f0" "200" "210" "220" "230"
                "240" "250" "260" "270" "280" "290" "2a0" "2b0" "2c0" "2d0" "2e0" "2f0" "300"
                "310" "320" "330" "340" "350" "360" "370" "380" "390" "3a0" "3b0" "3c0" "3d0"
                "3e0" "3f0"; "");
        /// Events on their way, see [`event`].
        events: [u64; event::COUNT] = Internal,
            names ["event_exception", "event_exception_vector", "event_exception_error",
                "event_exception_payload", "event_exception_has_payload", "event_interrupt",
                "event_shadow", "event_nmi", "event_sipi_vector", "event_smi",
                "event_triple_fault"];
        /// What it is doing, see [`mp`].
        mp_state: u64 = Internal;
    }
}

impl Cpu {
    /// The state in which a program begins: everything zero but what has to be one.
    pub fn new() -> Self {
        let mut cpu = Self { mxcsr: MXCSR_RESET, fcw: FCW_INIT, ..Self::default() };
        cpu.set_rflags(RFLAGS_FIXED | IF);
        cpu
    }

    /// The state after a reset `[SDM-3A §10.1.1]`: real mode, at the reset vector. The bootstrap
    /// processor runs, others wait for INIT and a start-up message.
    pub fn reset(bootstrap: bool) -> Self {
        let code = attr::P | attr::S | attr::CODE;
        let data = attr::P | attr::S | attr::DATA;
        let mut attributes = [data; seg::COUNT];
        attributes[seg::CS] = code;
        attributes[seg::LDTR] = attr::P | attr::LDT;
        attributes[seg::TR] = attr::P | attr::TSS_BUSY;
        let mut cpu = Self {
            rip: 0xfff0,
            mxcsr: MXCSR_RESET,
            cr0: 0x6000_0010,
            apic_base: APIC_BASE | APIC_ENABLE | if bootstrap { APIC_BSP } else { 0 },
            limit: [0xffff; seg::COUNT],
            attributes,
            gdt_limit: 0xffff,
            idt_limit: 0xffff,
            dr6: 0xffff_0ff0,
            dr7: 0x400,
            fcw: FCW_INIT,
            xcr0: 1,
            mp_state: if bootstrap { mp::RUNNING } else { mp::UNINITIALIZED },
            ..Self::default()
        };
        cpu.selector[seg::CS] = 0xf000;
        cpu.base[seg::CS] = 0xffff_0000;
        cpu.set_msr(super::msr::PAT, 0x0007_0406_0007_0406);
        cpu.set_rflags(RFLAGS_FIXED);
        cpu
    }

    /// A model-specific register of [`super::msr::MSRS`] by its number.
    pub fn msr(&self, number: u32) -> Option<u64> {
        super::msr::place(number).map(|place| self.msr[place])
    }

    /// Sets a model-specific register; false if it is not of [`super::msr::MSRS`].
    pub fn set_msr(&mut self, number: u32, value: u64) -> bool {
        let place = super::msr::place(number);
        if let Some(place) = place {
            self.msr[place] = value;
        }
        place.is_some()
    }

    /// Base of a segment.
    pub fn segment_base(&self, segment: usize) -> u64 {
        match segment {
            seg::FS => self.fs_base,
            seg::GS => self.gs_base,
            _ => self.base[segment],
        }
    }

    /// Sets the base of a segment.
    pub fn set_segment_base(&mut self, segment: usize, base: u64) {
        match segment {
            seg::FS => self.fs_base = base,
            seg::GS => self.gs_base = base,
            _ => self.base[segment] = base,
        }
    }

    /// RFLAGS, put together.
    pub fn rflags(&self) -> u64 {
        let low = self.flags >> 8 & (CF | PF | AF | ZF | SF);
        let bit = |value: u64, flag: u64| if value & 1 != 0 { flag } else { 0 };
        self.rflags_rest | low | bit(self.flags, OF) | bit(self.df, DF) | RFLAGS_FIXED
    }

    /// Takes RFLAGS apart.
    pub fn set_rflags(&mut self, rflags: u64) {
        let low = rflags & (CF | PF | AF | ZF | SF) | RFLAGS_FIXED;
        self.flags = low << 8 | u64::from(rflags & OF != 0);
        self.df = u64::from(rflags & DF != 0);
        self.rflags_rest = rflags & !(ARITHMETIC | DF);
    }
}
