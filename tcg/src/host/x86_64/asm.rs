//! The assembler as the emitter wants to write it: operations over the forms of
//! [`crate::isa::x86_64`], and jumps whose targets come later.

use super::regs::Reg;
pub(super) use crate::isa::x86_64::encode::{Form, Mem, Rm, Sink, Width, form};

pub(super) use Width::{B, D, Q, W};

/// Condition codes, as in the opcodes.
pub(super) mod cc {
    pub(in super::super) const B: u8 = 2;
    pub(in super::super) const AE: u8 = 3;
    pub(in super::super) const E: u8 = 4;
    pub(in super::super) const NE: u8 = 5;
    pub(in super::super) const BE: u8 = 6;
    pub(in super::super) const A: u8 = 7;
    pub(in super::super) const S: u8 = 8;
    pub(in super::super) const P: u8 = 10;
    pub(in super::super) const NP: u8 = 11;
    pub(in super::super) const L: u8 = 12;
    pub(in super::super) const GE: u8 = 13;
    pub(in super::super) const LE: u8 = 14;
    pub(in super::super) const G: u8 = 15;
}

/// The arithmetic that all share one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alu {
    Add,
    Or,
    And,
    Sub,
    Xor,
    Cmp,
}

impl Alu {
    fn gv_ev(self) -> Form {
        match self {
            Alu::Add => form::ADD_GV_EV,
            Alu::Or => form::OR_GV_EV,
            Alu::And => form::AND_GV_EV,
            Alu::Sub => form::SUB_GV_EV,
            Alu::Xor => form::XOR_GV_EV,
            Alu::Cmp => form::CMP_GV_EV,
        }
    }

    fn ev_ib(self) -> Form {
        match self {
            Alu::Add => form::ADD_EV_IB,
            Alu::Or => form::OR_EV_IB,
            Alu::And => form::AND_EV_IB,
            Alu::Sub => form::SUB_EV_IB,
            Alu::Xor => form::XOR_EV_IB,
            Alu::Cmp => form::CMP_EV_IB,
        }
    }

    fn ev_iz(self) -> Form {
        match self {
            Alu::Add => form::ADD_EV_IZ,
            Alu::Or => form::OR_EV_IZ,
            Alu::And => form::AND_EV_IZ,
            Alu::Sub => form::SUB_EV_IZ,
            Alu::Xor => form::XOR_EV_IZ,
            Alu::Cmp => form::CMP_EV_IZ,
        }
    }
}

/// A jump whose 8-bit displacement is filled in later.
#[must_use]
pub(super) struct Short(usize);

/// A jump whose 32-bit displacement is filled in later.
#[must_use]
pub(super) struct Near(usize);

/// Code under construction.
#[derive(Default)]
pub(super) struct Asm {
    pub(super) code: Vec<u8>,
}

impl Sink for Asm {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.code.extend_from_slice(bytes);
    }
}

impl Asm {
    pub(super) fn pos(&self) -> usize {
        self.code.len()
    }

    pub(super) fn mov(&mut self, w: Width, to: Reg, from: Reg) {
        if to != from || w != Q {
            form::MOV_GV_EV.rm(self, w, to, Rm::Reg(from));
        }
    }

    /// A constant, in the shortest form that keeps the flags.
    pub(super) fn mov_imm(&mut self, to: Reg, v: u64) {
        if u32::try_from(v).is_ok() {
            form::MOV_ZV_IV.oi(self, D, to, v as i64);
        } else if i32::try_from(v as i64).is_ok() {
            form::MOV_EV_IZ.mi(self, Q, Rm::Reg(to), v as i64);
        } else {
            form::MOV_ZV_IV.oi(self, Q, to, v as i64);
        }
    }

    pub(super) fn load(&mut self, w: Width, to: Reg, m: Mem) {
        form::MOV_GV_EV.rm(self, w, to, Rm::Mem(m));
    }

    pub(super) fn store(&mut self, w: Width, from: Reg, m: Mem) {
        if w == B {
            form::MOV_EB_GB.rm(self, w, from, Rm::Mem(m));
        } else {
            form::MOV_EV_GV.rm(self, w, from, Rm::Mem(m));
        }
    }

    /// Stores a constant that fits into 32 bits, sign-extended.
    pub(super) fn store_imm(&mut self, w: Width, m: Mem, v: i32) {
        let form = if w == B { form::MOV_EB_IB } else { form::MOV_EV_IZ };
        form.mi(self, w, Rm::Mem(m), i64::from(v));
    }

    pub(super) fn lea(&mut self, w: Width, to: Reg, m: Mem) {
        form::LEA_GV_M.rm(self, w, to, Rm::Mem(m));
    }

    pub(super) fn alu(&mut self, op: Alu, w: Width, to: Reg, from: Rm) {
        op.gv_ev().rm(self, w, to, from);
    }

    pub(super) fn alu_imm(&mut self, op: Alu, w: Width, to: Rm, v: i32) {
        let form = if i8::try_from(v).is_ok() { op.ev_ib() } else { op.ev_iz() };
        form.mi(self, w, to, i64::from(v));
    }

    pub(super) fn test(&mut self, w: Width, a: Reg, b: Reg) {
        form::TEST_EV_GV.rm(self, w, b, Rm::Reg(a));
    }

    pub(super) fn setcc(&mut self, cond: u8, to: Reg) {
        form::SETCC_EB.with_cc(cond).m(self, B, Rm::Reg(to));
    }

    pub(super) fn cmov(&mut self, cond: u8, to: Reg, from: Reg) {
        form::CMOVCC_GV_EV.with_cc(cond).rm(self, Q, to, Rm::Reg(from));
    }

    /// A short jump forward, to be [bound](Self::bind).
    pub(super) fn jcc_short(&mut self, cond: u8) -> Short {
        form::JCC_JB.with_cc(cond).j(self, 0);
        Short(self.pos())
    }

    /// The same, always taken.
    pub(super) fn jmp_short(&mut self) -> Short {
        form::JMP_JB.j(self, 0);
        Short(self.pos())
    }

    /// The jump goes here.
    pub(super) fn bind(&mut self, jump: Short) {
        let distance = self.pos() - jump.0;
        debug_assert!(distance < 128);
        self.code[jump.0 - 1] = distance as u8;
    }

    /// A jump forward over any distance, to be [bound](Self::bind_near).
    pub(super) fn jcc_near(&mut self, cond: u8) -> Near {
        form::JCC_JZ.with_cc(cond).j(self, 0);
        Near(self.pos())
    }

    /// The jump goes here.
    pub(super) fn bind_near(&mut self, jump: Near) {
        let distance = (self.pos() - jump.0) as u32;
        self.code[jump.0 - 4..jump.0].copy_from_slice(&distance.to_le_bytes());
    }

    /// A short jump back to `target`.
    pub(super) fn jcc_back(&mut self, cond: u8, target: usize) {
        let rel = target as i64 - (self.pos() as i64 + 2);
        form::JCC_JB.with_cc(cond).j(self, rel as i32);
    }

    /// Pads with prefixes that the next instruction ignores: unlike no-operations they take no
    /// time, and a comparison in front of a jump stays one operation with it.
    pub(super) fn prefixes(&mut self, count: usize) {
        const IGNORED: [u8; 3] = [0x2e; 3];
        self.put(&IGNORED[..count]);
    }

    /// Pads with no-operations.
    pub(super) fn nops(&mut self, count: usize) {
        const NOPS: [&[u8]; 9] = [
            &[],
            &[0x90],
            &[0x66, 0x90],
            &[0x0f, 0x1f, 0x00],
            &[0x0f, 0x1f, 0x40, 0x00],
            &[0x0f, 0x1f, 0x44, 0x00, 0x00],
            &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
            &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
            &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
        ];
        let mut left = count;
        while left > 0 {
            let now = left.min(8);
            self.put(NOPS[now]);
            left -= now;
        }
    }
}
