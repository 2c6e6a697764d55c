//! Which rows an opcode may be, in the order in which a decoder must try them.

use super::row::{Map, Modrm, Prefix, Row, VexL};
use crate::error::Error;

/// Opcode maps of a decoder: four plain ones and, behind them, the three of VEX.
pub(super) const MAPS: usize = 7;

/// What a row accepts, one bit per value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Select {
    /// None, 66, f3, f2.
    pub prefix: u8,
    /// REX.W or VEX.W.
    pub w: u8,
    /// VEX.L.
    pub l: u8,
    /// Memory, register.
    pub mode: u8,
    /// ModRM.reg without REX.R.
    pub reg: u8,
    /// ModRM.rm without REX.B, where the operand is a register.
    pub rm: u8,
    /// Operand sizes 16, 32, 64.
    pub size: u8,
    /// REX.B.
    pub rex_b: u8,
}

impl Select {
    pub(super) fn of(row: &Row) -> Select {
        let (reg, rm) = match row.modrm {
            Modrm::Digit(digit) => (1 << digit, 0xff),
            Modrm::Exact(byte) => (1 << (byte >> 3 & 7), 1 << (byte & 7)),
            Modrm::Reg | Modrm::Absent => (0xff, 0xff),
        };
        let mode = match (row.register_only(), row.modrm) {
            // Moves to and from control registers ignore ModRM.mod.
            _ if row.mod_ignored() => 3,
            (Some(true), _) | (_, Modrm::Exact(_)) => 2,
            (Some(false), _) => 1,
            (None, _) => 3,
        };
        Select {
            prefix: match row.prefix {
                Prefix::Any => 15,
                Prefix::None => 1,
                Prefix::P66 => 2,
                Prefix::F3 => 4,
                Prefix::F2 => 8,
                Prefix::NoRep => 3,
            },
            w: row.w.map_or(3, |w| 1 << u8::from(w)),
            l: match row.l {
                VexL::Length | VexL::Ignored => 3,
                VexL::Zero => 1,
                VexL::One => 2,
            },
            mode,
            reg,
            rm,
            size: match row.only_size {
                Some(16) => 1,
                Some(32) => 2,
                Some(_) => 4,
                None => 7,
            },
            rex_b: if row.no_rex_b { 1 } else { 3 },
        }
    }

    pub(super) fn masks(self) -> [u8; 8] {
        [self.prefix, self.w, self.l, self.mode, self.reg, self.rm, self.size, self.rex_b]
    }

    /// Whether some encoding is accepted by both.
    fn overlaps(self, other: Select) -> bool {
        self.masks().iter().zip(other.masks()).all(|(a, b)| a & b != 0)
    }

    /// Whether everything accepted by this is accepted by the other too.
    fn within(self, other: Select) -> bool {
        self.masks().iter().zip(other.masks()).all(|(a, b)| a & !b == 0)
    }
}

/// The rows of one opcode.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    /// Indices of rows; of two that overlap, the narrower first.
    pub rows: Vec<usize>,
    /// A ModRM byte follows.
    pub modrm: bool,
}

/// All slots, indexed by map and opcode.
pub(super) fn slots(rows: &[Row]) -> Result<Vec<Slot>, Error> {
    let mut slots = vec![Slot::default(); MAPS * 256];
    for (index, row) in rows.iter().enumerate() {
        for low in 0..row.low.count() {
            let slot = &mut slots[map_index(row) * 256 + usize::from(row.opcode | low)];
            insert(slot, index, rows)?;
        }
    }
    Ok(slots)
}

/// Index of the row's map among [`MAPS`].
pub(super) fn map_index(row: &Row) -> usize {
    let map = match row.map {
        Map::OneByte => 0,
        Map::M0f => 1,
        Map::M0f38 => 2,
        Map::M0f3a => 3,
    };
    if row.vex { map + 3 } else { map }
}

fn insert(slot: &mut Slot, index: usize, rows: &[Row]) -> Result<(), Error> {
    let row = &rows[index];
    let modrm = row.modrm != Modrm::Absent;
    if !slot.rows.is_empty() && slot.modrm != modrm {
        return Err(row.pos.error("rows of one opcode have a ModRM byte all or none"));
    }
    slot.modrm = modrm;
    let select = Select::of(row);
    let mut at = slot.rows.len();
    for (position, &other) in slot.rows.iter().enumerate() {
        let theirs = Select::of(&rows[other]);
        if !select.overlaps(theirs) {
            continue;
        }
        match (select.within(theirs), theirs.within(select)) {
            (true, false) => at = at.min(position),
            (false, true) => {}
            _ => {
                let message = format!("overlaps the row at {}, neither inside", rows[other].pos);
                return Err(row.pos.error(message));
            }
        }
    }
    slot.rows.insert(at, index);
    Ok(())
}
