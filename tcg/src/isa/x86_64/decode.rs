//! Bytes to instructions, 64-bit mode.
//!
//! Prefixes, REX, VEX, ModRM and SIB are read here, for all instructions alike; what an opcode
//! means and which operands it has comes from the rows. [SDM-2A §2.1 to §2.3]

use super::insn::{
    Code, Insn, Kind, Mem, Method, ORDER, Operand, ROWS, Rep, Row, SLOTS, Segment, Slot, Width,
    flag,
};

/// Bytes of the longest instruction. [SDM-2A §2.3.11]
pub const MAX_LEN: usize = 15;

/// An instruction and its length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The instruction.
    pub insn: Insn,
    /// Its length.
    pub len: u8,
}

/// Why bytes are no instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It goes on behind the given bytes.
    #[error("the instruction is longer than the bytes given")]
    Truncated,
    /// It has more than [`MAX_LEN`] bytes: a general-protection fault.
    #[error("the instruction is longer than 15 bytes")]
    TooLong,
    /// There is none: an invalid-opcode fault.
    #[error("the bytes are no instruction")]
    Undefined,
}

use DecodeError::Undefined;

type Result<T> = std::result::Result<T, DecodeError>;

/// Decodes the instruction at the start of `bytes`.
pub fn decode(bytes: &[u8]) -> Result<Decoded> {
    let mut insn = Insn::PLACEHOLDER;
    let len = decode_into(bytes, &mut insn)?;
    Ok(Decoded { insn, len })
}

/// The same, written to its place; gives its length.
pub fn decode_into(bytes: &[u8], insn: &mut Insn) -> Result<u8> {
    let mut decoder = Decoder::new(bytes);
    let (map, opcode) = decoder.prefixes()?;
    let slot = SLOTS[map][usize::from(opcode)];
    if slot.len == 0 {
        return Err(Undefined);
    }
    decoder.opcode = opcode;
    if slot.modrm {
        decoder.modrm = decoder.byte()?;
    }
    let (index, row) = decoder.select(slot)?;
    decoder.instruction(index, row, insn)?;
    Ok(decoder.at as u8)
}

struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    /// 66 was there.
    size16: bool,
    /// 67 was there.
    addr32: bool,
    lock: bool,
    rep: Rep,
    /// FS or GS override; the others mean nothing.
    segment: Option<Segment>,
    /// A REX prefix, or the equal bits of VEX; 0 if there is none.
    rex: u8,
    vex: bool,
    l: bool,
    vvvv: u8,
    /// Bit of the mandatory prefix in [`super::insn::Select::prefix`].
    prefix: u8,
    opcode: u8,
    modrm: u8,
}

impl<'a> Decoder<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Decoder {
            bytes,
            at: 0,
            size16: false,
            addr32: false,
            lock: false,
            rep: Rep::None,
            segment: None,
            rex: 0,
            vex: false,
            l: false,
            vvvv: 0,
            prefix: 1,
            opcode: 0,
            modrm: 0,
        }
    }

    fn byte(&mut self) -> Result<u8> {
        if self.at == MAX_LEN {
            return Err(DecodeError::TooLong);
        }
        let byte = *self.bytes.get(self.at).ok_or(DecodeError::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    /// A little-endian signed number of 1, 2, 4 or 8 bytes.
    #[inline]
    fn number(&mut self, count: usize) -> Result<i64> {
        let end = self.at + count;
        let Some(bytes) = self.bytes.get(self.at..end.min(MAX_LEN)) else {
            return Err(DecodeError::Truncated);
        };
        let value = match *bytes {
            [a] if count == 1 => i64::from(a as i8),
            [a, b] if count == 2 => i64::from(i16::from_le_bytes([a, b])),
            [a, b, c, d] if count == 4 => i64::from(i32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => return Err(DecodeError::TooLong),
        };
        self.at = end;
        Ok(value)
    }

    /// Reads up to the opcode: its map and itself. [SDM-2A §2.1.1, §2.2.1]
    fn prefixes(&mut self) -> Result<(usize, u8)> {
        let opcode = loop {
            let byte = self.byte()?;
            match byte {
                0x66 => self.size16 = true,
                0x67 => self.addr32 = true,
                0xf0 => self.lock = true,
                0xf2 => self.rep = Rep::Repne,
                0xf3 => self.rep = Rep::Rep,
                0x64 => self.segment = Some(Segment::Fs),
                0x65 => self.segment = Some(Segment::Gs),
                0x26 | 0x2e | 0x36 | 0x3e => {}
                0x40..=0x4f => {
                    self.rex = byte;
                    continue;
                }
                _ => break byte,
            }
            // A REX that is not the last prefix is ignored.
            self.rex = 0;
        };
        self.prefix = match self.rep {
            Rep::Rep => 4,
            Rep::Repne => 8,
            Rep::None if self.size16 => 2,
            Rep::None => 1,
        };
        match opcode {
            0xc4 | 0xc5 => self.vex_prefix(opcode == 0xc4),
            0x0f => Ok(match self.byte()? {
                0x38 => (2, self.byte()?),
                0x3a => (3, self.byte()?),
                opcode => (1, opcode),
            }),
            opcode => Ok((0, opcode)),
        }
    }

    /// The rest of a VEX prefix, and the opcode. [SDM-2A §2.3.5]
    fn vex_prefix(&mut self, long: bool) -> Result<(usize, u8)> {
        if self.prefix != 1 || self.lock || self.rex != 0 {
            return Err(Undefined);
        }
        let first = self.byte()?;
        // R, X and B are inverted; the two-byte form has R only.
        let (rxb, map, last) = if long {
            (!first >> 5, usize::from(first & 31), self.byte()?)
        } else {
            ((!first >> 7) << 2, 1, first & 0x7f)
        };
        if !(1..=3).contains(&map) {
            return Err(Undefined);
        }
        self.vex = true;
        self.rex = 0x40 | last >> 7 << 3 | rxb & 7;
        self.vvvv = !last >> 3 & 15;
        self.l = last & 4 != 0;
        self.prefix = [1, 2, 4, 8][usize::from(last & 3)];
        Ok((map + 3, self.byte()?))
    }

    fn rex_w(&self) -> bool {
        self.rex & 8 != 0
    }

    fn reg(&self) -> u8 {
        self.modrm >> 3 & 7 | (self.rex & 4) << 1
    }

    fn rm(&self) -> u8 {
        self.modrm & 7 | (self.rex & 1) << 3
    }

    fn register_form(&self, row: &Row) -> bool {
        self.modrm >= 0xc0 || row.flags & flag::MOD_IGNORED != 0
    }

    /// The first row of the slot that accepts what was read.
    fn select(&self, slot: Slot) -> Result<(u16, &'static Row)> {
        let start = usize::from(slot.start);
        let (w, l, rex_b) =
            (1 << u8::from(self.rex_w()), 1 << u8::from(self.l), 1 + (self.rex & 1));
        let register = self.modrm >= 0xc0;
        let (mode, reg) = (1 << u8::from(register), 1 << (self.modrm >> 3 & 7));
        let rm: u8 = if register { 1 << (self.modrm & 7) } else { 0xff };
        for &index in &ORDER[start..start + usize::from(slot.len)] {
            let row = &ROWS[usize::from(index)];
            let s = &row.select;
            let accepted = s.prefix & self.prefix != 0
                && s.w & w != 0
                && s.l & l != 0
                && s.mode & mode != 0
                && s.reg & reg != 0
                && s.rm & rm != 0
                && s.rex_b & rex_b != 0
                && s.size & size_bit(self.width(row)) != 0;
            if accepted {
                return Ok((index, row));
            }
        }
        Err(Undefined)
    }

    /// Operand size. [SDM-2A §2.2.1.2]
    fn width(&self, row: &Row) -> Width {
        let size16 = self.size16 && row.select.prefix != 2;
        if self.rex_w() || row.flags & flag::F64 != 0 {
            Width::Q
        } else if size16 {
            Width::W
        } else if row.flags & flag::D64 != 0 {
            Width::Q
        } else {
            Width::D
        }
    }

    fn instruction(&mut self, index: u16, row: &'static Row, insn: &mut Insn) -> Result<()> {
        if self.vex && self.vvvv != 0 && row.flags & flag::VVVV == 0 {
            return Err(Undefined);
        }
        *insn = Insn {
            row: index,
            operands: [Operand::None; 4],
            mem: Mem {
                base: None,
                index: None,
                disp: 0,
                segment: self.segment.unwrap_or(Segment::Ds),
                addr32: self.addr32,
            },
            imm: 0,
            width: self.width(row),
            wide: self.l && row.select.l & 2 != 0,
            lock: self.lock,
            rep: if row.select.prefix & 0xc == 0xc { self.rep } else { Rep::None },
            cc: if row.flags & flag::CONDITION != 0 { self.opcode & 15 } else { 0 },
        };
        if row.flags & flag::RM != 0 && !self.register_form(row) {
            self.memory(&mut insn.mem)?;
        }
        for (operand, &code) in insn.operands.iter_mut().zip(&row.codes) {
            if code.method == Method::None {
                break;
            }
            *operand = self.operand(code, row, insn.width, &mut insn.imm, &mut insn.mem)?;
        }
        let memory_destination = matches!(insn.operands[0], Operand::Mem(_));
        if self.lock && !(row.flags & flag::LOCK != 0 && memory_destination) {
            return Err(Undefined);
        }
        Ok(())
    }

    /// ModRM with mod below 3, SIB and displacement. [SDM-2A §2.1.5, §2.2.1.6]
    fn memory(&mut self, mem: &mut Mem) -> Result<()> {
        let mode = self.modrm >> 6;
        let mut base = Some(self.rm());
        if self.modrm & 7 == 4 {
            let sib = self.byte()?;
            let index = sib >> 3 & 7 | (self.rex & 2) << 2;
            mem.index = (index != 4).then_some((index, sib >> 6));
            base = Some(sib & 7 | (self.rex & 1) << 3);
            if sib & 7 == 5 && mode == 0 {
                base = None;
            }
        } else if self.modrm & 7 == 5 && mode == 0 {
            base = Some(Mem::RIP);
        }
        mem.base = base;
        mem.disp = match mode {
            1 => self.number(1)?,
            2 => self.number(4)?,
            _ if base.is_none() || base == Some(Mem::RIP) => self.number(4)?,
            _ => 0,
        };
        if self.segment.is_none() && matches!(base, Some(4 | 5)) {
            mem.segment = Segment::Ss;
        }
        Ok(())
    }

    fn operand(
        &mut self,
        code: Code,
        row: &Row,
        width: Width,
        imm: &mut i64,
        mem: &mut Mem,
    ) -> Result<Operand> {
        let Code { method, kind } = code;
        let wide = self.l;
        Ok(match method {
            Method::None => Operand::None,
            Method::G => self.gpr(self.reg(), kind, width),
            Method::B => self.gpr(self.vvvv, kind, width),
            Method::Z => self.gpr(self.opcode & 7 | (self.rex & 1) << 3, kind, width),
            Method::R => self.gpr(self.rm(), kind, width),
            Method::V => vector(self.reg(), kind, wide),
            Method::H => vector(self.vvvv, kind, wide),
            Method::U => vector(self.rm(), kind, wide),
            Method::L => {
                *imm = self.number(1)?;
                vector(*imm as u8 >> 4, kind, wide)
            }
            Method::P => Operand::Mm(self.reg() & 7),
            Method::N => Operand::Mm(self.rm() & 7),
            Method::S => self.segment_register(row)?,
            Method::C => match self.reg() {
                number @ (0 | 2 | 3 | 4 | 8) => Operand::Control(number),
                _ => return Err(Undefined),
            },
            Method::D if self.reg() < 8 => Operand::Debug(self.reg()),
            Method::D => return Err(Undefined),
            Method::E | Method::Q | Method::W | Method::M if !self.register_form(row) => {
                Operand::Mem(bytes(kind, width, wide))
            }
            Method::E => self.gpr(self.rm(), kind, width),
            Method::Q => Operand::Mm(self.rm() & 7),
            Method::W => vector(self.rm(), kind, wide),
            Method::M => return Err(Undefined),
            Method::I if kind == Kind::B && row.codes[0] == Code::IW => {
                *imm |= (self.number(1)? & 0xff) << 16;
                Operand::Imm2
            }
            Method::I => self.immediate(kind, width, imm)?,
            Method::J => {
                *imm = self.number(if kind == Kind::B { 1 } else { 4 })?;
                Operand::Rel
            }
            Method::O => {
                mem.disp =
                    if self.addr32 { i64::from(self.number(4)? as u32) } else { self.number(8)? };
                Operand::Mem(bytes(kind, width, false))
            }
            Method::X => {
                mem.base = Some(6);
                Operand::Mem(bytes(kind, width, false))
            }
            Method::Y => Operand::Destination(bytes(kind, width, false)),
            fixed => fixed_operand(fixed, width, self.rm()),
        })
    }

    /// A general register of the operand type `kind`. Without REX, byte registers 4 to 7 are the
    /// high bytes of the first four.
    fn gpr(&self, number: u8, kind: Kind, width: Width) -> Operand {
        match kind {
            Kind::B if self.rex == 0 && number >= 4 => Operand::High(number - 4),
            Kind::B => Operand::Gpr(number, Width::B),
            Kind::W => Operand::Gpr(number, Width::W),
            Kind::D => Operand::Gpr(number, Width::D),
            Kind::Q => Operand::Gpr(number, Width::Q),
            Kind::Y if width == Width::W => Operand::Gpr(number, Width::D),
            Kind::Z if width == Width::Q => Operand::Gpr(number, Width::D),
            _ => Operand::Gpr(number, width),
        }
    }

    /// CS is no destination, and there are only six.
    fn segment_register(&self, row: &Row) -> Result<Operand> {
        let segment = Segment::new(self.modrm >> 3 & 7).ok_or(Undefined)?;
        if segment == Segment::Cs && row.codes[0].method == Method::S {
            return Err(Undefined);
        }
        Ok(Operand::Segment(segment))
    }

    fn immediate(&mut self, kind: Kind, width: Width, imm: &mut i64) -> Result<Operand> {
        let z = if width == Width::W { 2 } else { 4 };
        Ok(match kind {
            Kind::B => {
                *imm = self.number(1)? & 0xff;
                Operand::Imm(Width::B)
            }
            Kind::Bs => {
                *imm = self.number(1)?;
                Operand::Imm(width)
            }
            Kind::W => {
                *imm = self.number(2)? & 0xffff;
                Operand::Imm(Width::W)
            }
            Kind::V if width == Width::Q => {
                *imm = self.number(8)?;
                Operand::Imm(width)
            }
            _ => {
                *imm = self.number(z)?;
                Operand::Imm(width)
            }
        })
    }
}

fn size_bit(width: Width) -> u8 {
    match width {
        Width::W => 1,
        Width::Q => 4,
        Width::B | Width::D => 2,
    }
}

fn fixed_operand(method: Method, width: Width, rm: u8) -> Operand {
    match method {
        Method::Al => Operand::Gpr(0, Width::B),
        Method::Cl => Operand::Gpr(1, Width::B),
        Method::Ax => Operand::Gpr(0, Width::W),
        Method::Dx => Operand::Gpr(2, Width::W),
        Method::Eax if width == Width::Q => Operand::Gpr(0, Width::D),
        Method::Eax | Method::Rax => Operand::Gpr(0, width),
        Method::Fs => Operand::Segment(Segment::Fs),
        Method::Gs => Operand::Segment(Segment::Gs),
        Method::One => Operand::One,
        Method::St0 => Operand::St(0),
        Method::Sti => Operand::St(rm & 7),
        _ => Operand::None,
    }
}

/// A vector register; only whole-vector types are as wide as VEX.L says.
fn vector(number: u8, kind: Kind, wide: bool) -> Operand {
    match kind {
        Kind::X | Kind::Qq | Kind::Ps | Kind::Pd | Kind::Dup if wide => Operand::Ymm(number),
        _ => Operand::Xmm(number),
    }
}

/// Size of a memory operand.
fn bytes(kind: Kind, width: Width, wide: bool) -> u8 {
    let operand = 1 << width as u8;
    let vector: u8 = if wide { 32 } else { 16 };
    match kind {
        Kind::None => 0,
        Kind::B | Kind::Bs => 1,
        Kind::W => 2,
        Kind::D | Kind::Ss => 4,
        Kind::Q | Kind::Sd | Kind::Pi => 8,
        Kind::V => operand,
        Kind::Y => operand.max(4),
        Kind::Z => operand.min(4),
        Kind::P => operand + 2,
        Kind::T => 10,
        Kind::X | Kind::Ps | Kind::Pd => vector,
        Kind::Dq => 16,
        Kind::Qq => 32,
        Kind::Half => vector / 2,
        Kind::Quarter => vector / 4,
        Kind::Eighth => vector / 8,
        Kind::Dup => {
            if wide {
                32
            } else {
                8
            }
        }
    }
}

#[cfg(test)]
mod tests;
