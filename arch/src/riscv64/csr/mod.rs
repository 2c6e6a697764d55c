//! Control and status registers: which exist, who may touch them, what a write makes of a value.
//!
//! `sysregs.table` has a row for each; `rules` has what a row cannot say. A write returns what
//! the engine must look at again ([`CsrEffect`]). `[Priv §2]`, `[Unpriv §7]`.

mod rules;
#[cfg(test)]
mod tests;

use std::ops::{BitOr, BitOrAssign};

use super::{Exts, Hart};

include!(concat!(env!("OUT_DIR"), "/csrs.rs"));

/// The CSR does not exist, or not in this mode, or not as long as another CSR forbids it: the
/// instruction is illegal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IllegalCsr;

/// What CSRs show of the world outside the hart.
pub trait CsrEnv {
    /// The board's timer, in ticks.
    fn time(&self) -> u64;
    /// Cycles since any fixed moment, before [`Hart::cycle_offset`] is added.
    fn cycle(&self) -> u64;
    /// Instructions retired before the one that accesses the CSR, before [`Hart::instret`] is
    /// added.
    fn instret(&self) -> u64;
    /// The extensions of the hart's model.
    fn exts(&self) -> Exts {
        Exts::all()
    }
}

/// What a CSR write changed that the engine has derived other state from; a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CsrEffect(u8);

impl CsrEffect {
    /// Nothing.
    pub const NONE: CsrEffect = CsrEffect(0);
    /// Address translation or protection: satp, PMP, SUM, MXR, MPRV with MPP, ADUE, PBMTE.
    pub const TRANSLATION: CsrEffect = CsrEffect(1);
    /// What translated code depends on: FS, frm, MPRV with MPP, TVM, TW, TSR.
    pub const MODE: CsrEffect = CsrEffect(2);
    /// Which interrupt is pending and enabled.
    pub const INTERRUPTS: CsrEffect = CsrEffect(4);
    /// When the supervisor timer fires: stimecmp, STCE.
    pub const TIMER: CsrEffect = CsrEffect(8);

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: CsrEffect) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is nothing to do.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// This set if `condition` holds, otherwise nothing.
    const fn when(self, condition: bool) -> CsrEffect {
        if condition { self } else { CsrEffect::NONE }
    }
}

impl BitOr for CsrEffect {
    type Output = CsrEffect;

    fn bitor(self, other: CsrEffect) -> CsrEffect {
        CsrEffect(self.0 | other.0)
    }
}

impl BitOrAssign for CsrEffect {
    fn bitor_assign(&mut self, other: CsrEffect) {
        self.0 |= other.0;
    }
}

/// A CSR as the manual names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Csr {
    /// `mstatus`
    pub name: &'static str,
    /// The 12-bit number in the instruction.
    pub number: u16,
    /// Where it is specified.
    pub spec: &'static str,
}

/// The CSR of that number.
pub fn by_number(num: u16) -> Option<&'static Csr> {
    CSRS.binary_search_by_key(&num, |csr| csr.number).ok().map(|at| &CSRS[at])
}

/// What a CSR instruction does with the old value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modify {
    /// `csrrw`: replaces it.
    Swap,
    /// `csrrs`: sets bits.
    Set,
    /// `csrrc`: clears bits.
    Clear,
}

/// Reads a CSR in the hart's present mode.
///
/// # Errors
/// [`IllegalCsr`] if it cannot be accessed.
pub fn read(h: &Hart, num: u16, env: &dyn CsrEnv) -> Result<u64, IllegalCsr> {
    check(h, num, env)?;
    Ok(read_row(h, num, env))
}

/// Writes a CSR in the hart's present mode; reserved values are made legal.
///
/// # Errors
/// [`IllegalCsr`] if it cannot be accessed or is read only; nothing has changed then.
pub fn write(
    h: &mut Hart,
    num: u16,
    value: u64,
    env: &dyn CsrEnv,
) -> Result<CsrEffect, IllegalCsr> {
    check(h, num, env)?;
    if num >> 10 == 3 {
        return Err(IllegalCsr);
    }
    Ok(write_row(h, num, value, env))
}

/// Reads a CSR and writes it back changed; returns the old value. An instruction that does not
/// write (`csrrs` with x0) is a [`read`].
///
/// Differs from reading and writing in `mip` and `sip` only: a level on the SEIP line is
/// visible, but is not written back as if software had set it `[Priv §3.1.9]`.
///
/// # Errors
/// As [`fn@write`].
pub fn modify(
    h: &mut Hart,
    num: u16,
    how: Modify,
    operand: u64,
    env: &dyn CsrEnv,
) -> Result<(u64, CsrEffect), IllegalCsr> {
    let old = read(h, num, env)?;
    let base = if num == rules::MIP { rules::written_mip(h) } else { old };
    let value = match how {
        Modify::Swap => operand,
        Modify::Set => base | operand,
        Modify::Clear => base & !operand,
    };
    Ok((old, write(h, num, value, env)?))
}

fn check(h: &Hart, num: u16, env: &dyn CsrEnv) -> Result<(), IllegalCsr> {
    let least = u64::from(num >> 8 & 3);
    if h.prv >= least && guard_row(h, num, env) { Ok(()) } else { Err(IllegalCsr) }
}
