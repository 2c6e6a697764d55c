//! Intel syntax.

use std::fmt::{self, Display, Formatter};

use super::insn::{Insn, Mem, Method, Op, Operand, Rep, Segment, Width, flag};

const CONDITIONS: [&str; 16] =
    ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"];
const GPR: [&str; 8] = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];

impl Display for Insn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let row = self.row();
        if self.lock {
            f.write_str("lock ")?;
        }
        if row.string() {
            return string(self, f);
        }
        match row.flags & flag::CONDITION {
            0 if self.op() == Op::Jrcxz && self.mem.addr32 => f.write_str("jecxz")?,
            0 => Display::fmt(&self.op(), f)?,
            _ => write!(f, "{}{}", self.op(), CONDITIONS[usize::from(self.cc & 15)])?,
        }
        for (index, &operand) in self.operands.iter().enumerate() {
            if operand == Operand::None {
                break;
            }
            f.write_str(if index == 0 { " " } else { ", " })?;
            self.operand(operand, f)?;
        }
        Ok(())
    }
}

/// String instructions are written without operands, with their size as suffix.
fn string(insn: &Insn, f: &mut Formatter<'_>) -> fmt::Result {
    let row = insn.row();
    f.write_str(match (insn.rep, row.repeats_on_compare()) {
        (Rep::None, _) => "",
        (Rep::Rep, true) => "repe ",
        (Rep::Repne, true) => "repne ",
        (_, false) => "rep ",
    })?;
    if matches!(insn.mem.segment, Segment::Fs | Segment::Gs)
        && row.codes.iter().any(|code| code.method == Method::X)
    {
        write!(f, "{} ", insn.mem.segment)?;
    }
    let bytes = insn.operands.iter().find_map(|operand| match operand {
        Operand::Mem(bytes) | Operand::Destination(bytes) => Some(*bytes),
        _ => None,
    });
    let suffix = match bytes {
        Some(1) => "b",
        Some(2) => "w",
        Some(4) => "d",
        _ => "q",
    };
    write!(f, "{}{suffix}", insn.op())
}

impl Insn {
    fn operand(&self, operand: Operand, f: &mut Formatter<'_>) -> fmt::Result {
        match operand {
            Operand::None => Ok(()),
            Operand::Gpr(number, width) => gpr(number, width, f),
            Operand::High(number) => f.write_str(["ah", "ch", "dh", "bh"][usize::from(number & 3)]),
            Operand::Xmm(number) => write!(f, "xmm{number}"),
            Operand::Ymm(number) => write!(f, "ymm{number}"),
            Operand::Mm(number) => write!(f, "mm{number}"),
            Operand::St(number) => write!(f, "st({number})"),
            Operand::Segment(segment) => Display::fmt(&segment, f),
            Operand::Control(number) => write!(f, "cr{number}"),
            Operand::Debug(number) => write!(f, "dr{number}"),
            Operand::Mem(bytes) => {
                f.write_str(size_name(bytes))?;
                Display::fmt(&self.mem, f)
            }
            Operand::Destination(_) => f.write_str("[rdi]"),
            Operand::Rel => write!(f, "$next{:x}", Signed(self.imm)),
            Operand::Imm(width) => {
                let mask = u64::MAX >> (64 - (8 << width as u32));
                write!(f, "{:#x}", self.imm as u64 & mask)
            }
            Operand::Imm2 | Operand::One => write!(f, "{:#x}", self.value(operand)),
        }
    }
}

fn size_name(bytes: u8) -> &'static str {
    match bytes {
        1 => "byte ptr ",
        2 => "word ptr ",
        4 => "dword ptr ",
        6 => "fword ptr ",
        8 => "qword ptr ",
        10 => "tbyte ptr ",
        16 => "xmmword ptr ",
        32 => "ymmword ptr ",
        _ => "",
    }
}

fn gpr(number: u8, width: Width, f: &mut Formatter<'_>) -> fmt::Result {
    let Some(&name) = GPR.get(usize::from(number)) else {
        let suffix = match width {
            Width::B => "b",
            Width::W => "w",
            Width::D => "d",
            Width::Q => "",
        };
        return write!(f, "r{number}{suffix}");
    };
    match width {
        Width::B if number < 4 => write!(f, "{}l", &name[..1]),
        Width::B => write!(f, "{name}l"),
        Width::W => f.write_str(name),
        Width::D => write!(f, "e{name}"),
        Width::Q => write!(f, "r{name}"),
    }
}

impl Display for Mem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if matches!(self.segment, Segment::Fs | Segment::Gs) {
            write!(f, "{}:", self.segment)?;
        }
        f.write_str("[")?;
        let width = if self.addr32 { Width::D } else { Width::Q };
        match self.base {
            Some(Mem::RIP) => f.write_str(if self.addr32 { "eip" } else { "rip" })?,
            Some(base) => gpr(base, width, f)?,
            None => {}
        }
        if let Some((index, scale)) = self.index {
            f.write_str(if self.base.is_some() { "+" } else { "" })?;
            gpr(index, width, f)?;
            write!(f, "*{}", 1 << (scale & 3))?;
        }
        if self.base.is_none() && self.index.is_none() {
            write!(f, "{:#x}", self.disp)?;
        } else if self.disp != 0 {
            write!(f, "{:x}", Signed(self.disp))?;
        }
        f.write_str("]")
    }
}

impl Display for Segment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(["es", "cs", "ss", "ds", "fs", "gs"][*self as usize])
    }
}

/// A number in hexadecimal with its sign in front.
struct Signed(i64);

impl fmt::LowerHex for Signed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        write!(f, "{sign}{:#x}", self.0.unsigned_abs())
    }
}
