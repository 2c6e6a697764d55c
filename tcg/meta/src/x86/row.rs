//! One encodable instruction: a row of the maps after its template was expanded.

use crate::error::Pos;

/// An opcode map. [SDM-2D §A.2]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Map {
    /// No escape.
    OneByte,
    /// Escape 0f.
    M0f,
    /// Escape 0f 38.
    M0f38,
    /// Escape 0f 3a.
    M0f3a,
}

/// What a row asks of the prefixes 66, f3 and f2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// They do not select the row.
    Any,
    /// None of them.
    None,
    /// 66, without f3 or f2.
    P66,
    /// f3.
    F3,
    /// f2.
    F2,
    /// Neither f3 nor f2; 66 is the operand size.
    NoRep,
}

/// What a row asks of the ModRM byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modrm {
    /// There is none.
    Absent,
    /// Any: reg is an operand.
    Reg,
    /// reg is this number.
    Digit(u8),
    /// The whole byte.
    Exact(u8),
}

/// What the low bits of the opcode hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Low {
    /// Opcode.
    Opcode,
    /// A register, three bits.
    Register,
    /// A condition, four bits.
    Condition,
}

impl Low {
    /// Number of opcodes.
    pub fn count(self) -> u8 {
        match self {
            Low::Opcode => 1,
            Low::Register => 8,
            Low::Condition => 16,
        }
    }
}

/// What a row asks of VEX.L.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VexL {
    /// It is the vector's length.
    Length,
    /// 0.
    Zero,
    /// 1.
    One,
    /// Ignored.
    Ignored,
}

/// An operand code of the SDM, split into addressing method and type. [SDM-2D §A.2]
///
/// Fixed operands (`AL`, `rAX`, `ST0`, `1`) have the method `None` and their name as type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operand {
    /// The capital letter.
    pub method: Option<char>,
    /// The lower case rest, or the fixed operand's name.
    pub kind: String,
}

impl Operand {
    /// Whether the code reads as `method` and any type.
    pub fn is(&self, method: char) -> bool {
        self.method == Some(method)
    }

    /// As written in the table.
    pub fn text(&self) -> String {
        match self.method {
            Some(method) => format!("{method}{}", self.kind),
            None => self.kind.clone(),
        }
    }

    /// Whether this is a vector register or memory in its place.
    pub fn is_vector(&self) -> bool {
        matches!(self.method, Some('V' | 'H' | 'W' | 'U' | 'L'))
    }
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where it stands.
    pub pos: Pos,
    /// Title of its section.
    pub section: String,
    /// Opcode map.
    pub map: Map,
    /// Coded with VEX.
    pub vex: bool,
    /// Opcode byte, its low bits zero where `low` says that they are something else.
    pub opcode: u8,
    /// Meaning of the opcode's low bits.
    pub low: Low,
    /// ModRM.
    pub modrm: Modrm,
    /// Mnemonic; for conditions without its condition.
    pub mnemonic: String,
    /// Operands, destination first.
    pub operands: Vec<Operand>,
    /// Function of the semantics.
    pub lowering: String,
    /// Mandatory prefix.
    pub prefix: Prefix,
    /// REX.W or VEX.W.
    pub w: Option<bool>,
    /// VEX.L.
    pub l: VexL,
    /// Operand size is 64 bits, always.
    pub f64: bool,
    /// Operand size is 64 bits, or 16 with 66.
    pub d64: bool,
    /// The operand size in bits that the row is for, if it is for one.
    pub only_size: Option<u8>,
    /// Operand size matters though no operand shows it.
    pub sized: bool,
    /// Not with REX.B.
    pub no_rex_b: bool,
    /// LOCK is allowed.
    pub lock: bool,
    /// A string instruction that takes REP (`Some(false)`) or REPE and REPNE (`Some(true)`).
    pub rep: Option<bool>,
    /// Decoded only.
    pub alias: bool,
    /// CPUID feature.
    pub feature: Option<String>,
    /// The 256-bit form of this VEX row needs AVX2, where its operands are integers.
    pub wide_integer: bool,
}

impl Row {
    /// Whether an operand's type is one of `kinds`.
    pub fn has_kind(&self, kinds: &[&str]) -> bool {
        self.operands.iter().any(|op| op.method.is_some() && kinds.contains(&op.kind.as_str()))
    }

    /// The operand with the addressing method `method`.
    pub fn operand(&self, method: char) -> Option<&Operand> {
        self.operands.iter().find(|op| op.is(method))
    }

    /// Whether ModRM.mod is ignored and ModRM.rm is a register always.
    pub fn mod_ignored(&self) -> bool {
        self.operand('C').is_some() || self.operand('D').is_some()
    }

    /// Whether ModRM.mod must be 3 (`Some(true)`), must not (`Some(false)`), or may be anything.
    pub fn register_only(&self) -> Option<bool> {
        if self.operands.iter().any(|op| matches!(op.method, Some('R' | 'N' | 'U')) || op.is_sti())
        {
            Some(true)
        } else if self.operand('M').is_some() {
            Some(false)
        } else {
            None
        }
    }
}

impl Operand {
    fn is_sti(&self) -> bool {
        self.method.is_none() && self.kind == "STi"
    }
}
