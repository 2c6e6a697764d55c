//! A decoded instruction: its row, its operands, and what its prefixes said.

use std::fmt;

pub use super::encode::Width;

#[allow(clippy::unreadable_literal, reason = "generated")]
mod table {
    use super::{Code, Kind, Method, Row, Select, Slot, Text, flag};

    include!(concat!(env!("OUT_DIR"), "/x86_64_rows.rs"));
}

pub use table::{Feature, Op, ROWS};
pub(super) use table::{ORDER, SLOTS};

/// Addressing methods of the SDM, and fixed operands. [SDM-2D §A.2.1]
#[allow(missing_docs, reason = "the letters are the manual's")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    None,
    B,
    C,
    D,
    E,
    G,
    H,
    I,
    J,
    L,
    M,
    N,
    O,
    P,
    Q,
    R,
    S,
    U,
    V,
    W,
    X,
    Y,
    Z,
    Al,
    Cl,
    Ax,
    Dx,
    Eax,
    Rax,
    Fs,
    Gs,
    One,
    St0,
    Sti,
}

/// Operand types of the SDM, and those of one-byte.map. [SDM-2D §A.2.2]
#[allow(missing_docs, reason = "the letters are the manual's")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    None,
    B,
    Bs,
    W,
    D,
    Q,
    V,
    Y,
    Z,
    P,
    T,
    X,
    Dq,
    Qq,
    Ps,
    Pd,
    Pi,
    Ss,
    Sd,
    /// Half a vector, a quarter, an eighth.
    Half,
    Quarter,
    Eighth,
    /// 8 bytes of a 16-byte vector, all of a 32-byte one.
    Dup,
}

/// An operand code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Where the operand is.
    pub method: Method,
    /// Its type.
    pub kind: Kind,
}

impl Code {
    /// No operand.
    pub const NONE: Code = Code::fixed(Method::None);
    /// A 16-bit immediate, the first of ENTER's two.
    pub(super) const IW: Code = Code::new(Method::I, Kind::W);

    const fn new(method: Method, kind: Kind) -> Code {
        Code { method, kind }
    }

    const fn fixed(method: Method) -> Code {
        Code { method, kind: Kind::None }
    }
}

/// What a row accepts: one bit per value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Select {
    /// None, 66, f3, f2.
    pub(super) prefix: u8,
    /// REX.W or VEX.W.
    pub(super) w: u8,
    /// VEX.L.
    pub(super) l: u8,
    /// Memory, register.
    pub(super) mode: u8,
    /// ModRM.reg without REX.R.
    pub(super) reg: u8,
    /// ModRM.rm without REX.B, of a register.
    pub(super) rm: u8,
    /// Operand sizes 16, 32, 64.
    pub(super) size: u8,
    /// REX.B.
    pub(super) rex_b: u8,
}

/// The rows of an opcode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// First of them in [`ORDER`].
    pub(super) start: u16,
    /// Their number.
    pub(super) len: u8,
    /// A ModRM byte follows the opcode.
    pub(super) modrm: bool,
}

/// Bits of [`Row::flags`].
pub(super) mod flag {
    /// Operand size is 64 bits.
    pub(crate) const F64: u16 = 1;
    /// Operand size is 64 bits, or 16 with 66.
    pub(crate) const D64: u16 = 1 << 1;
    /// LOCK is allowed with a memory destination.
    pub(crate) const LOCK: u16 = 1 << 2;
    /// A string instruction.
    pub(crate) const STRING: u16 = 1 << 3;
    /// Repeats while equal, or while not.
    pub(crate) const REPZ: u16 = 1 << 4;
    /// VEX.
    pub(crate) const VEX: u16 = 1 << 5;
    /// VEX.vvvv is an operand.
    pub(crate) const VVVV: u16 = 1 << 6;
    /// The opcode holds a condition.
    pub(crate) const CONDITION: u16 = 1 << 7;
    /// ModRM.rm is a register whatever ModRM.mod says.
    pub(crate) const MOD_IGNORED: u16 = 1 << 8;
    /// ModRM.rm is an operand.
    pub(crate) const RM: u16 = 1 << 9;
}

/// One row of the maps.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Operation.
    pub op: Op,
    pub(super) text: Text,
    pub(super) section: Text,
    /// CPUID feature that it needs.
    pub feature: Feature,
    /// The feature that its 256-bit form needs.
    pub wide_feature: Feature,
    /// Operand codes, [`Code::NONE`] behind the last.
    pub codes: [Code; 4],
    pub(super) select: Select,
    pub(super) flags: u16,
    /// First index of [`SLOTS`].
    pub(super) map: u8,
    /// Opcode, without the bits of `low`.
    pub(super) opcode: u8,
    /// Bits of the opcode that are an operand.
    pub(super) low: u8,
    /// A ModRM byte follows the opcode.
    pub(super) modrm: bool,
}

/// A part of the text of all rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    at: u16,
    len: u8,
}

impl Text {
    fn get(self) -> &'static str {
        &table::TEXTS[usize::from(self.at)..][..usize::from(self.len)]
    }
}

impl Row {
    /// Mnemonic and operand codes, as in the table.
    pub fn text(&self) -> &'static str {
        self.text.get()
    }

    /// Section of the table.
    pub fn section(&self) -> &'static str {
        self.section.get()
    }

    /// Coded with VEX.
    pub const fn vex(&self) -> bool {
        self.flags & flag::VEX != 0
    }

    /// A string instruction: REP repeats it.
    pub const fn string(&self) -> bool {
        self.flags & flag::STRING != 0
    }

    /// A string instruction that ends on a comparison: REPE and REPNE differ.
    pub const fn repeats_on_compare(&self) -> bool {
        self.flags & flag::REPZ != 0
    }
}

/// Segment registers, in hardware numbering.
#[allow(missing_docs, reason = "the names are the registers'")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    Es,
    Cs,
    Ss,
    Ds,
    Fs,
    Gs,
}

impl Segment {
    /// Segment register `number`, if there is one.
    pub const fn new(number: u8) -> Option<Segment> {
        Some(match number {
            0 => Segment::Es,
            1 => Segment::Cs,
            2 => Segment::Ss,
            3 => Segment::Ds,
            4 => Segment::Fs,
            5 => Segment::Gs,
            _ => return None,
        })
    }
}

/// A memory operand's address.
///
/// In 64-bit mode only FS and GS have a base; the others tell which fault a non-canonical address
/// raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mem {
    /// Base register, 0 to 15, or [`Mem::RIP`] for the address of the next instruction.
    pub base: Option<u8>,
    /// Index register and the binary logarithm of its scale.
    pub index: Option<(u8, u8)>,
    /// Displacement, or the whole address where there are no registers.
    pub disp: i64,
    /// Segment, default or override.
    pub segment: Segment,
    /// Addresses are computed modulo 2^32.
    pub addr32: bool,
}

impl Mem {
    /// As `base`: the address of the next instruction.
    pub const RIP: u8 = super::encode::Mem::RIP;
}

/// One operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// There is none.
    None,
    /// General register 0 to 15.
    Gpr(u8, Width),
    /// ah, ch, dh, bh: bits 8 to 15 of register 0 to 3.
    High(u8),
    /// xmm register.
    Xmm(u8),
    /// ymm register.
    Ymm(u8),
    /// MMX register.
    Mm(u8),
    /// x87 register, counted from the stack's top.
    St(u8),
    /// Segment register.
    Segment(Segment),
    /// Control register.
    Control(u8),
    /// Debug register.
    Debug(u8),
    /// The memory at [`Insn::mem`], of so many bytes; 0 where the instruction defines the layout.
    Mem(u8),
    /// A string's destination: es:[rdi], so many bytes.
    Destination(u8),
    /// [`Insn::imm`], extended to 64 bits as the instruction does; the width is that of the
    /// operation.
    Imm(Width),
    /// The second immediate of ENTER: bits 16 to 23 of [`Insn::imm`].
    Imm2,
    /// The constant 1.
    One,
    /// The address of the next instruction plus [`Insn::imm`].
    Rel,
}

/// A repeat prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rep {
    /// None.
    None,
    /// f3: REP, REPE.
    Rep,
    /// f2: REPNE.
    Repne,
}

/// A decoded instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insn {
    /// Index into [`ROWS`].
    pub row: u16,
    /// Operands, destination first.
    pub operands: [Operand; 4],
    /// The memory operand; strings have their source here, and others the segment.
    pub mem: Mem,
    /// The immediate, the displacement of a jump, or a register in an immediate.
    pub imm: i64,
    /// Operand size.
    pub width: Width,
    /// The vector length is 256 bits.
    pub wide: bool,
    /// LOCK.
    pub lock: bool,
    /// Repeat prefix, where it does not select the row; string instructions obey it.
    pub rep: Rep,
    /// Condition, of Jcc, SETcc and CMOVcc.
    pub cc: u8,
}

impl Insn {
    /// What a place holds until an instruction is decoded into it.
    pub const PLACEHOLDER: Insn = Insn {
        row: 0,
        operands: [Operand::None; 4],
        mem: Mem { base: None, index: None, disp: 0, segment: Segment::Ds, addr32: false },
        imm: 0,
        width: Width::B,
        wide: false,
        lock: false,
        rep: Rep::None,
        cc: 0,
    };

    /// Its row of the maps.
    pub fn row(&self) -> &'static Row {
        &ROWS[usize::from(self.row)]
    }

    /// Its operation.
    pub fn op(&self) -> Op {
        self.row().op
    }

    /// The CPUID feature that it needs.
    pub fn feature(&self) -> Feature {
        let row = self.row();
        if self.wide { row.wide_feature } else { row.feature }
    }

    /// Value of an immediate operand; 0 for others.
    pub fn value(&self, operand: Operand) -> i64 {
        match operand {
            Operand::Imm(_) | Operand::Rel => self.imm,
            Operand::Imm2 => self.imm >> 16 & 0xff,
            Operand::One => 1,
            _ => 0,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Op::NAMES[*self as usize])
    }
}
