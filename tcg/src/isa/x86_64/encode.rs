//! The assembler: every row of the maps as a constant [`Form`] with methods that encode it.
//!
//! Registers are in hardware numbering, 0 to 15: rax rcx rdx rbx rsp rbp rsi rdi r8 ..., xmm0 ....
//! A byte register is always the low one (spl, not ah). Nothing is checked but by `debug_assert`:
//! whoever picks a form knows its operands. Instruction format: [SDM-2A §2.1, §2.2, §2.3].

/// Operand size of `Ev`, `Gv`, `Ey`, ... forms. Forms of one size ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 8 bits.
    B,
    /// 16 bits.
    W,
    /// 32 bits.
    D,
    /// 64 bits.
    Q,
}

/// A memory operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mem {
    /// Base register, 0 to 15, or [`Mem::RIP`]; none and no index: an absolute address of 32 bits,
    /// sign extended.
    pub base: Option<u8>,
    /// Index register (not rsp) and the binary logarithm of its scale, 0 to 3.
    pub index: Option<(u8, u8)>,
    /// Displacement in bytes.
    pub disp: i32,
}

impl Mem {
    /// As `base`: the address of the next instruction.
    pub const RIP: u8 = 16;

    /// `[base + disp]`
    pub const fn base(base: u8, disp: i32) -> Mem {
        Mem { base: Some(base), index: None, disp }
    }

    /// `[base + (index << scale) + disp]`
    pub const fn indexed(base: u8, index: u8, scale: u8, disp: i32) -> Mem {
        Mem { base: Some(base), index: Some((index, scale)), disp }
    }

    /// `[rip + disp]`, counted from the end of the instruction, immediate included.
    pub const fn rip(disp: i32) -> Mem {
        Mem { base: Some(Mem::RIP), index: None, disp }
    }
}

/// A register or memory operand, as ModRM.rm holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rm {
    /// Register, 0 to 15.
    Reg(u8),
    /// Memory.
    Mem(Mem),
}

/// Where code goes.
pub trait Sink {
    /// Appends one instruction.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Immediate of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Imm {
    None,
    /// One byte.
    B,
    /// Two bytes.
    W,
    /// Two and one byte (ENTER).
    Wb,
    /// Two bytes for 16-bit operands, else four.
    Z,
    /// Four bytes.
    D,
    /// As wide as the operands.
    V,
}

/// ModRM.reg is an operand.
const MODRM_REG: u8 = 8;
/// There is no ModRM byte.
const MODRM_ABSENT: u8 = 9;

/// 66 for `Width::W`, REX.W for `Width::Q`.
const SIZE_V: u16 = 1;
/// REX.W for `Width::Q`.
const SIZE_Y: u16 = 1 << 1;
/// REX.W or VEX.W always.
const W1: u16 = 1 << 2;
/// 66 for `Width::W`.
const D64: u16 = 1 << 3;
/// 66 always, as operand size.
const P66: u16 = 1 << 4;
/// ModRM.reg is a byte register.
const REG8: u16 = 1 << 5;
/// ModRM.rm or the opcode's register is a byte register, if a register.
const RM8: u16 = 1 << 6;
/// VEX.
const VEX: u16 = 1 << 7;
/// VEX.L = 1.
const L1: u16 = 1 << 8;
/// LOCK.
const LOCK: u16 = 1 << 9;

/// An encodable instruction: one row of the maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    opcode: u8,
    /// 0 one byte, 1 0f, 2 0f38, 3 0f3a.
    map: u8,
    /// Mandatory prefix or 0.
    prefix: u8,
    /// /digit, `MODRM_REG`, `MODRM_ABSENT`, or a whole byte of mod 3.
    modrm: u8,
    imm: Imm,
    flags: u16,
}

/// The rows of the maps: `MNEMONIC_OPERANDCODES`.
///
/// Vector operands are written `VX HX WX UX` whatever their element, a sign-extended byte is `IB`.
pub mod form {
    use super::{
        D64, Form, Imm, L1, MODRM_ABSENT, MODRM_REG, P66, REG8, RM8, SIZE_V, SIZE_Y, VEX, W1,
    };
    include!(concat!(env!("OUT_DIR"), "/x86_64_forms.rs"));
}

/// Longest output of one call, with room for an eight-byte store at the end.
const BUFFER: usize = 32;

/// Bytes of one instruction.
struct Code {
    bytes: [u8; BUFFER],
    len: usize,
}

impl Code {
    #[inline(always)]
    fn byte(&mut self, byte: u8) {
        self.bytes[self.len % BUFFER] = byte;
        self.len += 1;
    }

    /// The low `count` bytes of `value`, 8 at most.
    #[inline(always)]
    fn le(&mut self, value: i64, count: usize) {
        let at = self.len.min(BUFFER - 8);
        self.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        self.len += count;
    }
}

impl Form {
    /// `/r` forms without immediate: ModRM.reg and ModRM.rm.
    #[inline]
    pub fn rm(&self, out: &mut impl Sink, w: Width, reg: u8, rm: Rm) {
        self.encode(out, w, reg, 0, rm, 0);
    }

    /// `/r` forms with an immediate, whose width the row says.
    #[inline]
    pub fn rmi(&self, out: &mut impl Sink, w: Width, reg: u8, rm: Rm, imm: i64) {
        self.encode(out, w, reg, 0, rm, imm);
    }

    /// `/digit` forms without immediate.
    #[inline]
    pub fn m(&self, out: &mut impl Sink, w: Width, rm: Rm) {
        self.encode(out, w, 0, 0, rm, 0);
    }

    /// `/digit` forms with an immediate.
    #[inline]
    pub fn mi(&self, out: &mut impl Sink, w: Width, rm: Rm, imm: i64) {
        self.encode(out, w, 0, 0, rm, imm);
    }

    /// Forms with the register in the opcode.
    #[inline]
    pub fn o(&self, out: &mut impl Sink, w: Width, reg: u8) {
        self.opcode_register(out, w, reg, 0);
    }

    /// Forms with the register in the opcode and an immediate.
    #[inline]
    pub fn oi(&self, out: &mut impl Sink, w: Width, reg: u8, imm: i64) {
        self.opcode_register(out, w, reg, imm);
    }

    /// Forms without ModRM but with an immediate: `add rax, Iz`, `ret Iw`, `push Iz`.
    #[inline]
    pub fn i(&self, out: &mut impl Sink, w: Width, imm: i64) {
        self.opcode_register(out, w, 0, imm);
    }

    /// Relative jumps and calls; `rel` counts from the end of the instruction.
    #[inline]
    pub fn j(&self, out: &mut impl Sink, rel: i32) {
        debug_assert!(self.imm != Imm::B || i8::try_from(rel).is_ok());
        self.opcode_register(out, Width::D, 0, i64::from(rel));
    }

    /// Forms without operands.
    #[inline]
    pub fn n(&self, out: &mut impl Sink) {
        self.opcode_register(out, Width::D, 0, 0);
    }

    /// Forms without written operands that have an operand size, as the string instructions.
    #[inline]
    pub fn nw(&self, out: &mut impl Sink, w: Width) {
        self.opcode_register(out, w, 0, 0);
    }

    /// VEX forms with an operand in VEX.vvvv; `reg` is ignored by `/digit` forms.
    #[inline]
    pub fn vrm(&self, out: &mut impl Sink, w: Width, reg: u8, vvvv: u8, rm: Rm) {
        self.encode(out, w, reg, vvvv, rm, 0);
    }

    /// The same with an immediate, or with a fourth register `r` as `r << 4`.
    #[inline]
    pub fn vrmi(&self, out: &mut impl Sink, w: Width, reg: u8, vvvv: u8, rm: Rm, imm: i64) {
        self.encode(out, w, reg, vvvv, rm, imm);
    }

    /// The form for condition `cc`, 0 to 15 as in the opcode; for `+cc` rows.
    pub const fn with_cc(self, cc: u8) -> Form {
        Form { opcode: self.opcode | cc & 15, ..self }
    }

    /// With a LOCK prefix.
    pub const fn locked(self) -> Form {
        Form { flags: self.flags | LOCK, ..self }
    }

    /// With a REP (REPE) prefix, f3; for string instructions.
    pub const fn rep(self) -> Form {
        Form { prefix: 0xf3, ..self }
    }

    /// With 256-bit vectors; for VEX rows that have both lengths.
    pub const fn ymm(self) -> Form {
        Form { flags: self.flags | L1, ..self }
    }

    /// The REX.W bit in its place.
    #[inline(always)]
    fn rex_w(&self, w: Width) -> u8 {
        let wide = self.flags & W1 != 0 || self.flags & (SIZE_V | SIZE_Y) != 0 && w == Width::Q;
        u8::from(wide) << 3
    }

    #[inline(always)]
    fn encode(&self, out: &mut impl Sink, w: Width, reg: u8, vvvv: u8, rm: Rm, imm: i64) {
        let (base, index) = match rm {
            Rm::Reg(register) => (register, 0),
            Rm::Mem(mem) => (mem.base.unwrap_or(0) & 15, mem.index.map_or(0, |index| index.0)),
        };
        let reg = if self.modrm < 8 { self.modrm } else { reg };
        let rxb = (reg & 8) >> 1 | (index & 8) >> 2 | base >> 3;
        let mut code = Code { bytes: [0; BUFFER], len: 0 };
        if self.flags & VEX != 0 {
            self.vex(&mut code, w, rxb, vvvv);
        } else {
            let byte_register = self.flags & REG8 != 0 && reg >= 4
                || self.flags & RM8 != 0 && matches!(rm, Rm::Reg(4..));
            self.prefixes(&mut code, w, rxb, byte_register);
        }
        code.byte(self.opcode);
        match rm {
            Rm::Reg(register) => code.byte(0xc0 | (reg & 7) << 3 | register & 7),
            Rm::Mem(mem) => memory(&mut code, reg & 7, mem),
        }
        self.immediate(&mut code, w, imm);
        out.put(&code.bytes[..code.len.min(BUFFER)]);
    }

    #[inline(always)]
    fn opcode_register(&self, out: &mut impl Sink, w: Width, reg: u8, imm: i64) {
        let mut code = Code { bytes: [0; BUFFER], len: 0 };
        if self.flags & VEX != 0 {
            self.vex(&mut code, w, 0, 0);
        } else {
            self.prefixes(&mut code, w, reg >> 3, self.flags & RM8 != 0 && reg >= 4);
        }
        code.byte(self.opcode | reg & 7);
        if self.modrm >= 0xc0 {
            code.byte(self.modrm);
        }
        self.immediate(&mut code, w, imm);
        out.put(&code.bytes[..code.len.min(BUFFER)]);
    }

    /// Legacy prefixes, REX and the opcode's escape. [SDM-2A §2.1.1, §2.2.1]
    #[inline(always)]
    fn prefixes(&self, code: &mut Code, w: Width, rxb: u8, byte_register: bool) {
        if self.flags & LOCK != 0 {
            code.byte(0xf0);
        }
        if self.flags & P66 != 0 || self.flags & (SIZE_V | D64) != 0 && w == Width::W {
            code.byte(0x66);
        }
        if self.prefix != 0 {
            code.byte(self.prefix);
        }
        let rex = self.rex_w(w) | rxb;
        if rex != 0 || byte_register {
            code.byte(0x40 | rex);
        }
        if self.map != 0 {
            code.byte(0x0f);
            match self.map {
                2 => code.byte(0x38),
                3 => code.byte(0x3a),
                _ => {}
            }
        }
    }

    /// The VEX prefix, two bytes where they are enough. [SDM-2A §2.3.5]
    #[inline(always)]
    fn vex(&self, code: &mut Code, w: Width, rxb: u8, vvvv: u8) {
        let pp = match self.prefix {
            0x66 => 1,
            0xf3 => 2,
            0xf2 => 3,
            _ => 0,
        };
        let w = self.rex_w(w) << 4;
        let last = (!vvvv & 15) << 3 | u8::from(self.flags & L1 != 0) << 2 | pp;
        if self.map == 1 && w == 0 && rxb & 3 == 0 {
            code.byte(0xc5);
            code.byte((!rxb & 4) << 5 | last);
        } else {
            code.byte(0xc4);
            code.byte((!rxb & 7) << 5 | self.map);
            code.byte(w | last);
        }
    }

    #[inline(always)]
    fn immediate(&self, code: &mut Code, w: Width, imm: i64) {
        let count = match self.imm {
            Imm::None => return,
            Imm::B => 1,
            Imm::W => 2,
            Imm::Wb => 3,
            Imm::D => 4,
            Imm::Z | Imm::V if w == Width::W => 2,
            Imm::V if w == Width::Q => 8,
            Imm::Z | Imm::V => 4,
        };
        code.le(imm, count);
    }
}

/// ModRM, SIB and the shortest displacement. [SDM-2A §2.1.5, tables 2-2 and 2-3]
#[inline(always)]
fn memory(code: &mut Code, reg: u8, mem: Mem) {
    let reg = reg << 3;
    let disp = i64::from(mem.disp);
    let Some(base) = mem.base else {
        // No base: SIB with base 101 and a displacement of 32 bits.
        code.byte(reg | 4);
        code.byte(index_bits(mem.index) | 5);
        code.le(disp, 4);
        return;
    };
    if base == Mem::RIP {
        debug_assert!(mem.index.is_none(), "rip takes no index");
        code.byte(reg | 5);
        code.le(disp, 4);
        return;
    }
    let base = base & 7;
    // rbp and r13 without displacement would mean no base.
    let (mode, count) = if mem.disp == 0 && base != 5 {
        (0, 0)
    } else if i8::try_from(mem.disp).is_ok() {
        (0x40, 1)
    } else {
        (0x80, 4)
    };
    // rsp and r12 as base need a SIB.
    if mem.index.is_some() || base == 4 {
        code.byte(mode | reg | 4);
        code.byte(index_bits(mem.index) | base);
    } else {
        code.byte(mode | reg | base);
    }
    if count != 0 {
        code.le(disp, count);
    }
}

#[inline(always)]
fn index_bits(index: Option<(u8, u8)>) -> u8 {
    match index {
        None => 4 << 3,
        Some((index, scale)) => {
            debug_assert!(index != 4 && scale < 4, "rsp is no index; scales are 1, 2, 4, 8");
            (scale & 3) << 6 | (index & 7) << 3
        }
    }
}

/// Bytes that do nothing, in the fewest instructions. [SDM-2B §4.3, NOP, table 4-12]
pub fn nops(out: &mut impl Sink, mut count: usize) {
    const NOPS: [&[u8]; 9] = [
        &[0x90],
        &[0x66, 0x90],
        &[0x0f, 0x1f, 0x00],
        &[0x0f, 0x1f, 0x40, 0],
        &[0x0f, 0x1f, 0x44, 0, 0],
        &[0x66, 0x0f, 0x1f, 0x44, 0, 0],
        &[0x0f, 0x1f, 0x80, 0, 0, 0, 0],
        &[0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
        &[0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    ];
    while count > 0 {
        let nop = NOPS[count.min(9) - 1];
        out.put(nop);
        count -= nop.len();
    }
}

#[cfg(test)]
mod tests;
