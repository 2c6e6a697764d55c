//! The guest's arithmetic flags.
//!
//! They cross instructions as an image in the state ([`Guest::FLAGS`]): what `lahf; seto al`
//! leaves in ax. An operation whose flags somebody wants is done by the host instruction that sets
//! the same ones, and the image is stored right behind it; the host's own flags then stay the
//! guest's until something else is emitted, and a condition that is asked for before that uses
//! them. Flags that later instructions of the block overwrite before anybody asks are not made at
//! all: where an instruction between faults, the image is an older one, and becomes right when
//! the program goes on from there.
//!
//! An operation waits until the end of its instruction: by then it is known whether its result
//! goes to a register, and one host instruction gives both.

use super::asm::{self, Asm, B, D, Form, Mem, Q, Rm, W, cc, form};
use super::emit::{Emit, Node, V};
use super::layout;
use super::regs::*;
use crate::builder::{Bin, FlagCond, FlagOp, FpFlags, Un, Width};
use crate::guest::Guest;
use crate::jit::ahead::Exits;
use crate::jit::probe::{self, Usage};
use crate::ops;

/// An operation whose flags are not made yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    op: FlagOp,
    w: Width,
    a: V,
    b: V,
    r: V,
}

/// A comparison of floating-point numbers: the instruction and its operands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compared {
    pub(super) form: Form,
    pub(super) x: Reg,
    pub(super) y: Reg,
}

/// What is known about the flags.
#[derive(Debug, Default)]
pub(super) struct Flags {
    pending: Option<Pending>,
    /// Where the code ended when the host's flags were the guest's.
    resident: Option<usize>,
    /// The code that stored their image, if nothing has read it, and how many rows there were.
    saved: Option<(usize, usize, usize)>,
    /// Where the code ends if they are those of a comparison of two numbers.
    compared: Option<(usize, Compared)>,
    /// For each instruction of the block the flags that are asked for behind it.
    live: Vec<u64>,
    /// Those asked for where it jumps to, if it leaves the block.
    jump: Vec<u64>,
    /// Those asked for where it does not.
    next: Vec<u64>,
}

impl Flags {
    /// For a block of instructions. Whatever comes behind it may ask for anything.
    pub(super) fn new(usage: &[Usage]) -> Self {
        let last = usage.len().wrapping_sub(1);
        let leaves = |at: usize| at == last || usage[at].branches;
        let asked = |at| if leaves(at) { probe::ALL_FLAGS } else { 0 };
        let jump = (0..usage.len()).map(asked).collect();
        Self::with_exits(usage, &Exits { jump, end: probe::ALL_FLAGS })
    }

    /// For a block of instructions, with what is asked for where it is left.
    fn with_exits(usage: &[Usage], exits: &Exits) -> Self {
        let (mut live, mut next) = (vec![0; usage.len()], vec![0; usage.len()]);
        let jump = exits.jump.clone();
        let mut behind = exits.end;
        for (at, usage) in usage.iter().enumerate().rev() {
            next[at] = behind;
            live[at] = behind | jump[at];
            behind = live[at] & !usage.flags_written | usage.flags_read;
        }
        Self { pending: None, resident: None, saved: None, compared: None, live, jump, next }
    }
}

/// The host instruction that makes the flags.
#[derive(Clone, Copy, Debug)]
enum Make {
    /// `op a, b`
    Alu(Bin, V, V),
    /// `adc` or `sbb`, with a carry-in of 0 or 1.
    WithCarry(Bin, V, V, V),
    /// `neg`
    Neg(V),
    /// `imul` with two operands
    Mul(V, V),
    /// `test v, v`
    Test(V),
    /// A shift or rotation.
    Shift(FlagOp, V, V),
    /// `inc` or `dec`; the carry is to be kept.
    Step(FlagOp, V),
}

fn size(w: Width) -> asm::Width {
    [B, W, D, Q][w as usize]
}

/// Forms of `op Gv, Ev` and `op Gb, Eb`, and of `op Ev, Iz` and `op Eb, Ib`.
fn forms(op: Bin) -> [Form; 4] {
    match op {
        Bin::Add => [form::ADD_GV_EV, form::ADD_GB_EB, form::ADD_EV_IZ, form::ADD_EB_IB],
        Bin::Sub => [form::SUB_GV_EV, form::SUB_GB_EB, form::SUB_EV_IZ, form::SUB_EB_IB],
        Bin::And => [form::AND_GV_EV, form::AND_GB_EB, form::AND_EV_IZ, form::AND_EB_IB],
        Bin::Or => [form::OR_GV_EV, form::OR_GB_EB, form::OR_EV_IZ, form::OR_EB_IB],
        _ => [form::XOR_GV_EV, form::XOR_GB_EB, form::XOR_EV_IZ, form::XOR_EB_IB],
    }
}

const COMPARE: [Form; 4] = [form::CMP_GV_EV, form::CMP_GB_EB, form::CMP_EV_IZ, form::CMP_EB_IB];
/// `test` takes its operands in the other order, which is all the same to it.
const TEST: [Form; 4] = [form::TEST_EV_GV, form::TEST_EB_GB, form::TEST_EV_IZ, form::TEST_EB_IB];
const ADC: [Form; 4] = [form::ADC_GV_EV, form::ADC_GB_EB, form::ADC_EV_IZ, form::ADC_EB_IB];
const SBB: [Form; 4] = [form::SBB_GV_EV, form::SBB_GB_EB, form::SBB_EV_IZ, form::SBB_EB_IB];

/// The second operand of an instruction.
#[derive(Clone, Copy)]
enum Second {
    Rm(Rm),
    Imm(i32),
}

/// The image in the state, and its two bytes.
fn image<G: Guest>() -> Mem {
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
    /// The flags that somebody asks for behind the operation.
    pub(super) fn wanted_flags(&self) -> u64 {
        self.flags.live[self.index] | self.usage[self.index].flags_read
    }

    /// Says which flags are asked for where each instruction leaves the block.
    pub(super) fn look_ahead(&mut self, exits: &Exits) {
        self.flags = Flags::with_exits(&self.usage, exits);
    }

    /// Notes an operation that leaves flags.
    pub(super) fn set_flags(&mut self, op: FlagOp, w: Width, a: V, b: V, r: V) {
        self.finish_flags();
        let count = self.imm_of(b);
        if probe::changed_flags(op, count) & self.wanted_flags() != 0 {
            self.flags.pending = Some(Pending { op, w, a, b, r });
        }
    }

    /// Makes the flags of the waiting operation in the middle of an instruction.
    pub(super) fn finish_flags(&mut self) {
        if let Some(p) = self.flags.pending.take() {
            self.keep_conditions();
            self.make_flags(p);
        }
    }

    /// Before the image changes: computes the conditions that were asked for and not used yet.
    pub(super) fn keep_conditions(&mut self) {
        for at in 0..self.nodes.len() {
            if let Node::Flag(_) = self.nodes[at] {
                self.materialize(V(at as u16));
            }
        }
    }

    pub(super) fn asks_flags(&self, v: V) -> bool {
        match self.node(v) {
            Node::Flag(_) => true,
            Node::Un(_, _, a) => self.asks_flags(a),
            Node::Bin(_, _, a, b) | Node::Cmp(_, _, a, b) => {
                self.asks_flags(a) || self.asks_flags(b)
            }
            Node::Select(a, b, c) => self.asks_flags(a) || self.asks_flags(b) || self.asks_flags(c),
            _ => false,
        }
    }

    /// Does the waiting operation at the end of its instruction; true if that was the only
    /// register write too. `later` are values still to be used.
    pub(super) fn commit_flags(&mut self, sets: &[(u8, V)], later: &[V]) -> bool {
        let Some(p) = self.flags.pending.take() else { return false };
        if let [(r, v)] = *sets
            && !later.iter().any(|&v| self.depends(v, r) || self.asks_flags(v))
            && let Some(make) = self.recognize(p)
            && self.is_result(r, v, p, make)
        {
            let reads_itself = [p.a, p.b, v].iter().any(|&v| self.depends(v, r));
            if self.pin(r).is_none() && reads_itself {
                self.reg(r);
            }
            // All of it is made, from registers that may lack their extensions.
            self.shorten(r, v);
            let to = self.reg_for_set(r);
            self.make(make, size(p.w), to);
            self.save_flags(p.op);
            self.release();
            return true;
        }
        for v in sets.iter().map(|s| s.1).chain(later.iter().copied()) {
            if self.asks_flags(v) {
                self.materialize(v);
            }
        }
        self.make_flags(p);
        false
    }

    /// Whether the instruction that makes the flags also gives register `r` its value: a result of
    /// 8 or 16 bits does if it replaces the first operand's.
    fn is_result(&self, r: u8, v: V, p: Pending, make: Make) -> bool {
        let first = match make {
            Make::Test(_) => return false,
            Make::Alu(_, a, _)
            | Make::WithCarry(_, a, ..)
            | Make::Neg(a)
            | Make::Mul(a, _)
            | Make::Shift(_, a, _)
            | Make::Step(_, a) => a,
        };
        if matches!(p.w, Width::W32 | Width::W64) {
            return v == p.r;
        }
        let Some((rest, w, low)) = self.merge_of(v) else { return false };
        let reg = Node::Reg(r);
        w == p.w && low == p.r && self.node(rest) == reg && self.node(first) == reg
    }

    /// How the host makes the flags of the operation; `None` if not by one instruction.
    fn recognize(&self, p: Pending) -> Option<Make> {
        let Pending { op, w, a, b, r } = p;
        Some(match op {
            FlagOp::Add | FlagOp::AddInverted => return self.recognize_sum(Bin::Add, p),
            FlagOp::Sub => return self.recognize_sum(Bin::Sub, p),
            FlagOp::Logic | FlagOp::LogicInverted => match self.node(r) {
                Node::Bin(op @ (Bin::And | Bin::Or | Bin::Xor), v, x, y) if v == w => {
                    Make::Alu(op, x, y)
                }
                _ => Make::Test(r),
            },
            FlagOp::Inc | FlagOp::Dec if self.wanted_flags() & ops::flags::C == 0 => {
                Make::Alu(if op == FlagOp::Inc { Bin::Add } else { Bin::Sub }, a, b)
            }
            FlagOp::Inc | FlagOp::Dec => Make::Step(op, a),
            FlagOp::Shl => return self.recognize_shift(Bin::Shl, p),
            FlagOp::Shr => return self.recognize_shift(Bin::Shr, p),
            FlagOp::Sar => return self.recognize_shift(Bin::Sar, p),
            // They look at nothing of the result but bits that the rotation has moved.
            FlagOp::Rol | FlagOp::Ror => Make::Shift(op, a, b),
            FlagOp::MulS if w != Width::W8 => Make::Mul(a, b),
            FlagOp::MulS | FlagOp::MulU | FlagOp::Carry => return None,
        })
    }

    /// A shift of `a`, perhaps extended; not what brings in bits from elsewhere.
    fn recognize_shift(&self, op: Bin, p: Pending) -> Option<Make> {
        let Node::Bin(o, _, x, count) = self.node(p.r) else { return None };
        let extended = matches!(self.node(x), Node::Un(_, _, inner) if inner == p.a);
        let shifts = o == op && count == p.b && (x == p.a || extended);
        shifts.then_some(Make::Shift(p.op, p.a, p.b))
    }

    /// a + b or a - b, or that and a carry.
    fn recognize_sum(&self, op: Bin, p: Pending) -> Option<Make> {
        let Pending { w, a, b, r, .. } = p;
        let plain = |v: V| {
            let nothing = self.imm_of(b) == Some(0);
            self.node(v) == Node::Bin(op, w, a, b) || nothing && v == a
        };
        if op == Bin::Sub && self.imm_of(a) == Some(0) && self.node(r) == Node::Un(Un::Neg, w, b) {
            return Some(Make::Neg(b));
        }
        if plain(r) {
            return Some(Make::Alu(op, a, b));
        }
        match self.node(r) {
            Node::Bin(o, v, inner, carry) if (o, v) == (op, w) && plain(inner) => {
                Some(Make::WithCarry(op, a, b, carry))
            }
            _ => None,
        }
    }

    /// Makes the flags, but no result.
    fn make_flags(&mut self, p: Pending) {
        if p.op == FlagOp::Carry {
            self.forget_host_flags();
        }
        let s = size(p.w);
        if let Some(constant) = self.constant_flags(p) {
            self.forget_host_flags();
            self.asm.store_imm(Q, image::<G>(), constant as i32);
        } else if p.op == FlagOp::Carry {
            self.set_carry(p.a);
        } else if let Some(make) = self.recognize(p) {
            match make {
                Make::Alu(Bin::Sub, a, b) => self.judge(COMPARE, s, a, b),
                Make::Alu(Bin::And, a, b) => self.judge(TEST, s, a, b),
                Make::Test(v) => {
                    let r = self.operand(v);
                    TEST[usize::from(s == B)].rm(&mut self.asm, s, r, Rm::Reg(r));
                }
                _ => {
                    self.claim(RDX);
                    self.make(make, s, RDX);
                }
            }
            self.save_flags(p.op);
        } else {
            let image = self.flags_image(p);
            self.forget_host_flags();
            self.store_field(G::FLAGS, image);
        }
        self.release();
    }

    /// The image, if the operation is one of constants.
    fn constant_flags(&self, p: Pending) -> Option<u64> {
        let keeps = probe::changed_flags(p.op, self.imm_of(p.b)) != probe::ALL_FLAGS;
        let (a, b, r) = (self.imm_of(p.a)?, self.imm_of(p.b)?, self.imm_of(p.r)?);
        (!keeps).then(|| ops::flags_of(p.op, p.w, a, b, r, 0))
    }

    /// `cmp` or `test`.
    fn judge(&mut self, forms: [Form; 4], s: asm::Width, a: V, b: V) {
        let first = self.operand(a);
        let second = self.second(b, s);
        self.two_operands(forms, s, first, second);
    }

    fn second(&mut self, v: V, s: asm::Width) -> Second {
        match self.imm_of(v) {
            Some(x) if s != Q => Second::Imm(x as i32),
            Some(x) if i32::try_from(x as i64).is_ok() => Second::Imm(x as i32),
            _ => Second::Rm(self.operand_rm(v)),
        }
    }

    fn two_operands(&mut self, forms: [Form; 4], s: asm::Width, first: Reg, second: Second) {
        let [wide, byte, wide_imm, byte_imm] = forms;
        match (second, s) {
            (Second::Rm(second), B) => byte.rm(&mut self.asm, B, first, second),
            (Second::Rm(second), _) => wide.rm(&mut self.asm, s, first, second),
            (Second::Imm(x), B) => {
                byte_imm.mi(&mut self.asm, B, Rm::Reg(first), i64::from(x as i8));
            }
            (Second::Imm(x), W) => {
                wide_imm.mi(&mut self.asm, W, Rm::Reg(first), i64::from(x as i16));
            }
            (Second::Imm(x), _) => wide_imm.mi(&mut self.asm, s, Rm::Reg(first), i64::from(x)),
        }
    }

    /// `a` in `to` and the second operand, which may read `to`.
    fn both(&mut self, a: V, b: V, s: asm::Width, to: Reg) -> Second {
        if self.imm_of(b).is_none() && self.reads(b, to) {
            let second = self.scratch();
            self.into(b, second);
            self.into(a, to);
            return Second::Rm(Rm::Reg(second));
        }
        self.into(a, to);
        self.second(b, s)
    }

    /// The result in `to`, and the host's flags.
    fn make(&mut self, make: Make, s: asm::Width, to: Reg) {
        match make {
            Make::Alu(op, a, b) => {
                // What is in the target already comes first.
                let swaps = op != Bin::Sub && self.reads(b, to) && !self.reads(a, to);
                let constant = self.imm_of(a).is_some() && op != Bin::Sub;
                let (a, b) = if swaps || constant { (b, a) } else { (a, b) };
                let second = self.both(a, b, s, to);
                self.two_operands(forms(op), s, to, second);
            }
            Make::WithCarry(op, a, b, carry) => {
                let second = self.both(a, b, s, to);
                self.carry_in(carry);
                self.two_operands(if op == Bin::Add { ADC } else { SBB }, s, to, second);
            }
            Make::Neg(v) => {
                self.into(v, to);
                let form = if s == B { form::NEG_EB } else { form::NEG_EV };
                form.m(&mut self.asm, s, Rm::Reg(to));
            }
            Make::Mul(a, b) => {
                let (a, b) = if self.imm_of(a).is_some() { (b, a) } else { (a, b) };
                match self.both(a, b, s, to) {
                    Second::Rm(second) => form::IMUL_GV_EV.rm(&mut self.asm, s, to, second),
                    Second::Imm(x) => {
                        let x = if s == W { i64::from(x as i16) } else { i64::from(x) };
                        form::IMUL_GV_EV_IZ.rmi(&mut self.asm, s, to, Rm::Reg(to), x);
                    }
                }
            }
            Make::Test(v) => {
                self.into(v, to);
                TEST[usize::from(s == B)].rm(&mut self.asm, s, to, Rm::Reg(to));
            }
            Make::Shift(op, a, b) => self.make_shift(op, a, b, s, to),
            Make::Step(op, a) => {
                self.into(a, to);
                self.image_carry();
                let forms = match op {
                    FlagOp::Inc => [form::INC_EV, form::INC_EB],
                    _ => [form::DEC_EV, form::DEC_EB],
                };
                forms[usize::from(s == B)].m(&mut self.asm, s, Rm::Reg(to));
            }
        }
    }

    fn make_shift(&mut self, op: FlagOp, a: V, b: V, s: asm::Width, to: Reg) {
        use form::*;
        let (by_constant, by_register) = match op {
            FlagOp::Shl => ([SHL_EV_IB, SHL_EB_IB], [SHL_EV_CL, SHL_EB_CL]),
            FlagOp::Shr => ([SHR_EV_IB, SHR_EB_IB], [SHR_EV_CL, SHR_EB_CL]),
            FlagOp::Sar => ([SAR_EV_IB, SAR_EB_IB], [SAR_EV_CL, SAR_EB_CL]),
            FlagOp::Rol => ([ROL_EV_IB, ROL_EB_IB], [ROL_EV_CL, ROL_EB_CL]),
            _ => ([ROR_EV_IB, ROR_EB_IB], [ROR_EV_CL, ROR_EB_CL]),
        };
        let byte = usize::from(s == B);
        let keeps = ops::flags::Z | ops::flags::S | ops::flags::P | ops::flags::A;
        let rotates = matches!(op, FlagOp::Rol | FlagOp::Ror);
        if let Some(by) = self.imm_of(b) {
            self.into(a, to);
            if rotates && self.wanted_flags() & keeps != 0 {
                self.restore_flags();
            }
            by_constant[byte].mi(&mut self.asm, s, Rm::Reg(to), i64::from(by as u8));
            return;
        }
        self.claim(RCX);
        self.into(b, RCX);
        self.into(a, to);
        // A count of zero keeps all.
        self.restore_flags();
        by_register[byte].m(&mut self.asm, s, Rm::Reg(to));
    }

    /// The host's carry becomes a value that is 0 or 1.
    fn carry_in(&mut self, carry: V) {
        match self.node(carry) {
            Node::Flag(c @ (FlagCond::Carry | FlagCond::NoCarry)) => {
                self.image_carry();
                if c == FlagCond::NoCarry {
                    form::CMC.n(&mut self.asm);
                }
            }
            _ => {
                let value = self.scratch();
                self.into(carry, value);
                form::NEG_EV.m(&mut self.asm, Q, Rm::Reg(value));
            }
        }
    }

    /// The host's carry becomes that of the image.
    fn image_carry(&mut self) {
        if self.has_flags() {
            self.drop_image(ops::flags::C);
            return;
        }
        let bit = i64::from(ops::flags::C.trailing_zeros());
        form::BT_EV_IB.mi(&mut self.asm, W, Rm::Mem(image::<G>()), bit);
    }

    /// The host's flags become those of the image.
    fn restore_flags(&mut self) {
        form::MOVZX_GV_EW.rm(&mut self.asm, D, RAX, Rm::Mem(image::<G>()));
        // Overflows if al is 1.
        form::ADD_EB_IB.mi(&mut self.asm, B, Rm::Reg(RAX), 0x7f);
        form::SAHF.n(&mut self.asm);
    }

    /// The image becomes that of the host's flags, after `op`.
    fn save_flags(&mut self, op: FlagOp) {
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
    fn drop_image(&mut self, asked: u64) {
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
    fn has_flags(&mut self) -> bool {
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

    /// The flags that are asked for where the present instruction does not jump.
    pub(super) fn asked_next(&self) -> u64 {
        self.flags.next[self.index]
    }

    /// The flags that are asked for where the present instruction jumps to.
    pub(super) fn asked_by_jump(&self) -> u64 {
        self.flags.jump[self.index]
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
    fn set_carry(&mut self, v: V) {
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

    /// The image of an operation that the host has no instruction for.
    fn flags_image(&mut self, p: Pending) -> V {
        self.spill_arg(p.a, 1);
        self.spill_arg(p.b, 2);
        self.spill_arg(p.r, 3);
        let old = self.push(Node::Field(G::FLAGS));
        self.spill_arg(old, 4);
        self.asm.mov_imm(RAX, p.op as u64 | (p.w as u64) << 8);
        self.asm.store(Q, RAX, layout::spill::<G>(0));
        self.asm.mov_imm(RAX, super::calls::soft_flags as *const () as u64);
        let stub = self.calls().pure;
        self.call_stub(stub);
        self.result_from(RAX)
    }
}
