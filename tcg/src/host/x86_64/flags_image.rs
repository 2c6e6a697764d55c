//! The image of the guest's arithmetic flags, and when the host's own are the guest's
//! ([`super::flags`]).

use super::asm::{self, Asm, B, D, Mem, Q, Rm, W, cc, form};
use super::emit::{Emit, Node, V};
use super::flags::Compared;
use super::layout;
use super::regs::*;
use crate::builder::{FlagCond, FlagOp, FpFlags};
use crate::guest::Guest;
use crate::jit::probe;
use crate::ops;

/// The image in the state, and its two bytes.
pub(super) fn image<G: Guest>() -> Mem {
    layout::field(G::FLAGS)
}

fn image_byte<G: Guest>(n: usize) -> Mem {
    layout::field(G::FLAGS + n)
}

/// Bytes looked through at most for what changes the flags.
const LOOK_BACK: usize = 96;

/// Whether the flags behind some code are those before it, and it can be moved.
fn keeps_flags(code: &[u8]) -> bool {
    use crate::isa::x86_64::{Decoded, Op, decode};
    let mut rest = code;
    while let (false, Ok(Decoded { insn, len })) = (rest.is_empty(), decode(rest)) {
        let keeps = matches!(
            insn.op(),
            Op::Mov
                | Op::Movzx
                | Op::Movsx
                | Op::Movsxd
                | Op::Lea
                | Op::Set
                | Op::Cmov
                | Op::Bswap
                | Op::Not
                | Op::Rorx
                | Op::Shlx
                | Op::Shrx
                | Op::Sarx
                | Op::Lahf
                | Op::Nop
                | Op::Vmovdqu
                | Op::Vmovdqa
                | Op::Vmovq
                | Op::Vmovd
                | Op::Movss
                | Op::Movsd
                | Op::Movq
                | Op::Movd
        );
        if !keeps || insn.mem.base == Some(crate::isa::x86_64::Mem::RIP) {
            return false;
        }
        rest = &rest[usize::from(len)..];
    }
    rest.is_empty() && code.len() <= LOOK_BACK
}

/// Stores the image of the host's flags, which stay.
pub(super) fn store_image<G: Guest>(asm: &mut Asm) {
    form::LAHF.n(asm);
    asm.setcc(FlagCond::Overflow as u8, RAX);
    asm.store(W, RAX, image::<G>());
}

impl<G: Guest> Emit<'_, G> {
    /// The host's carry becomes that of the image.
    pub(super) fn image_carry(&mut self) {
        if self.has_flags() {
            self.drop_image(ops::flags::C);
            return;
        }
        let bit = i64::from(ops::flags::C.trailing_zeros());
        form::BT_EV_IB.mi(&mut self.asm, W, Rm::Mem(image::<G>()), bit);
    }

    /// The host's flags become those of the image.
    pub(super) fn restore_flags(&mut self) {
        form::MOVZX_GV_EW.rm(&mut self.asm, D, RAX, Rm::Mem(image::<G>()));
        // Overflows if al is 1.
        form::ADD_EB_IB.mi(&mut self.asm, B, Rm::Reg(RAX), 0x7f);
        form::SAHF.n(&mut self.asm);
    }

    /// The image becomes that of the host's flags, after `op`.
    pub(super) fn save_flags(&mut self, op: FlagOp) {
        match op {
            FlagOp::AddInverted => form::CMC.n(&mut self.asm),
            FlagOp::LogicInverted => form::STC.n(&mut self.asm),
            _ => {}
        }
        let start = self.asm.pos();
        store_image::<G>(&mut self.asm);
        self.flags.resident = Some(self.asm.pos());
        self.flags.saved = Some((start, self.asm.pos(), self.rows.len()));
    }

    /// The present instruction takes the flags that the host has, and is the last to ask for
    /// `asked` of them: then their image is not needed, and its code is taken back. Not if the
    /// instruction may fault, for then the interpreter does it again.
    pub(super) fn drop_image(&mut self, asked: u64) {
        let usage = &self.usage[self.index];
        let wanted = self.flags.live[self.index] & !usage.flags_written;
        if wanted != 0 || usage.flags_read != asked || usage.traps {
            return;
        }
        self.remove_image();
    }

    /// Removes the code that stored the image; false if it has to stay.
    fn remove_image(&mut self) -> bool {
        let Some((start, end, rows)) = self.flags.saved.take() else { return false };
        // What may fault behind it is done again by the interpreter, and so is what follows, which
        // looks at the image.
        if self.rows.len() != rows {
            return false;
        }
        self.asm.code.drain(start..end);
        self.flags.resident = Some(self.asm.pos());
        self.last = None;
        true
    }

    /// Whether the host's flags are the guest's: nothing has changed them since they were made.
    pub(super) fn has_flags(&mut self) -> bool {
        let Some(at) = self.flags.resident else { return false };
        let kept = self.asm.code.get(at..).is_some_and(keeps_flags);
        if kept {
            // What was looked at stays as it is.
            self.last = None;
        }
        kept
    }

    /// Takes the code back that stored the flags' image, if the present instruction, a branch,
    /// has the host's flags for its condition and asks for no others. Then they are the guest's on
    /// both of its ways, and the image is to be stored ([`store_image`]) where it is asked for.
    pub(super) fn take_image(&mut self, condition: V) -> bool {
        let Node::Flag(c) = self.node(condition) else { return false };
        let usage = &self.usage[self.index];
        if usage.flags_read != probe::asked_flags(c)
            || usage.flags_written != 0
            || usage.traps
            || !self.has_flags()
        {
            return false;
        }
        self.remove_image()
    }

    /// The image becomes that of a floating-point comparison that was just made.
    pub(super) fn save_compared(&mut self, how: FpFlags, compared: Compared) {
        if how == FpFlags::CarryParity {
            // The other flags are clear, as they are to be.
            return self.save_flags(FlagOp::Sub);
        }
        use ops::flags::{C, FIXED, O, S, Z};
        self.asm.mov_imm(RAX, FIXED);
        // Unordered operands have all three.
        for (code, image) in [(cc::B, S | C), (cc::E, Z), (cc::P, O)] {
            self.asm.mov_imm(RCX, image | FIXED);
            self.asm.cmov(code, RAX, RCX);
        }
        self.asm.store(W, RAX, image::<G>());
        self.flags.resident = None;
        self.flags.saved = None;
        // All that was moves.
        self.flags.compared = Some((self.asm.pos(), compared));
    }

    /// The host's condition code for a relation of numbers that were just compared; `None` if it
    /// takes more than one flag.
    fn relation(&mut self, c: FlagCond) -> Option<u8> {
        let (at, Compared { form, x, y }) = self.flags.compared?;
        if at != self.asm.pos() {
            return None;
        }
        let swapped = |e: &mut Self, code| {
            form.rm(&mut e.asm, Q, y, Rm::Reg(x));
            Some(code)
        };
        match c {
            FlagCond::Greater => Some(cc::A),
            FlagCond::GreaterEq => Some(cc::AE),
            FlagCond::Less => Some(cc::B),
            FlagCond::LessEq => Some(cc::BE),
            FlagCond::Overflow => Some(cc::P),
            FlagCond::NoOverflow => Some(cc::NP),
            // Less, and not unordered: the other one is greater.
            FlagCond::Sign | FlagCond::Carry => swapped(self, cc::A),
            FlagCond::NoSign | FlagCond::NoCarry => swapped(self, cc::BE),
            FlagCond::BelowEq => swapped(self, cc::AE),
            FlagCond::Above => swapped(self, cc::B),
            _ => None,
        }
    }

    /// Puts bit 0 of a value into the carry of the image.
    pub(super) fn set_carry(&mut self, v: V) {
        let byte = Rm::Mem(image_byte::<G>(1));
        match self.imm_of(v) {
            Some(x) if x & 1 != 0 => form::OR_EB_IB.mi(&mut self.asm, B, byte, 1),
            Some(_) => form::AND_EB_IB.mi(&mut self.asm, B, byte, !1),
            None => {
                let bit = self.scratch();
                self.into(v, bit);
                self.asm.alu_imm(asm::Alu::And, D, Rm::Reg(bit), 1);
                form::AND_EB_IB.mi(&mut self.asm, B, byte, !1);
                form::OR_EB_GB.rm(&mut self.asm, B, bit, byte);
            }
        }
    }

    /// The host's condition code for one of the guest, after whatever it takes.
    pub(super) fn condition(&mut self, c: FlagCond) -> u8 {
        use FlagCond::*;
        if self.has_flags() {
            self.drop_image(probe::asked_flags(c));
            // Numbered alike.
            return c as u8;
        }
        if let Some(code) = self.relation(c) {
            return code;
        }
        let (byte, mask) = match c {
            Overflow | NoOverflow => (0, 1),
            Carry | NoCarry => (1, 1),
            Parity | NoParity => (1, 4),
            Zero | NonZero => (1, 0x40),
            Sign | NoSign => (1, 0x80),
            BelowEq | Above => (1, 0x41),
            Less | GreaterEq | LessEq | Greater => return self.signed_condition(c),
        };
        form::TEST_EB_IB.mi(&mut self.asm, B, Rm::Mem(image_byte::<G>(byte)), mask);
        if c as u8 & 1 == 0 { cc::NE } else { cc::E }
    }

    /// Sign and overflow differ, perhaps or zero: bit 15 is their sum after adding the image,
    /// shifted left by 15, to itself; bit 14 stays.
    fn signed_condition(&mut self, c: FlagCond) -> u8 {
        let t = self.scratch();
        form::MOVZX_GV_EW.rm(&mut self.asm, D, t, Rm::Mem(image::<G>()));
        form::IMUL_GV_EV_IZ.rmi(&mut self.asm, D, t, Rm::Reg(t), 0x8001);
        let mask = match c {
            FlagCond::Less | FlagCond::GreaterEq => ops::flags::S,
            _ => ops::flags::S | ops::flags::Z,
        };
        form::TEST_EV_IZ.mi(&mut self.asm, D, Rm::Reg(t), mask as i64);
        if c as u8 & 1 == 0 { cc::NE } else { cc::E }
    }

    /// Emits code that leaves the host's flags alone: if they were the guest's, they stay so.
    pub(super) fn by_moves(&mut self, emit: impl FnOnce(&mut Self)) {
        let before = self.asm.pos();
        let resident = self.has_flags();
        emit(self);
        let now = self.asm.pos();
        if resident {
            self.flags.resident = Some(now);
        }
        // Moves to memory: the operands are where they were.
        if let Some((at, _)) = &mut self.flags.compared
            && *at == before
        {
            *at = now;
        }
    }

    /// Code comes here with other flags too.
    pub(super) fn forget_host_flags(&mut self) {
        self.flags.resident = None;
        self.flags.saved = None;
        self.flags.compared = None;
    }

    /// What comes now is not to be moved: the image stays.
    pub(super) fn keep_image(&mut self) {
        self.flags.saved = None;
    }
}
