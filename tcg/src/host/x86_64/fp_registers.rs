//! Which vector registers of the host hold what: guest registers, pinned or local, and what is
//! computed in between.

use super::asm::{self, Q, form};
use super::emit::Emit;
use super::fp::{FNode, Low};
use super::layout;
use super::regs::*;
use crate::guest::Guest;
use crate::vcpu::SPILL_VECTORS;

/// Spill slots that calls pass arguments in.
const ARGS: u8 = 4;

/// What a vector register holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct XLocal {
    pub(super) guest: Option<u8>,
    pub(super) dirty: bool,
    pub(super) used: u32,
}

impl XLocal {
    /// A guest register, of which nothing more is known.
    pub(super) fn new(r: u8, dirty: bool) -> Self {
        Self { guest: Some(r), dirty, ..Self::default() }
    }
}

impl<G: Guest> Emit<'_, G> {
    pub(super) fn xpin(r: u8) -> Option<usize> {
        G::FP.pins.iter().take(XPINS.len()).position(|&p| p == r)
    }

    pub(super) fn xlocal_of(&self, r: u8) -> Option<usize> {
        self.fp.locals.iter().position(|l| l.guest == Some(r))
    }

    /// A host register that holds a guest register, loading it if need be.
    pub(super) fn xreg(&mut self, r: u8) -> Reg {
        if let Some(pin) = Self::xpin(r) {
            return XPINS[pin];
        }
        let at = match self.xlocal_of(r) {
            Some(at) => at,
            None => {
                let at = self.free_xlocal();
                super::load_vec::<G>(&mut self.asm, XLOCALS[at], layout::vec::<G>(r));
                self.fp.low[usize::from(XLOCALS[at])] = Low::All;
                self.fp.locals[at] = XLocal { guest: Some(r), ..XLocal::default() };
                at
            }
        };
        self.xtouch(at);
        XLOCALS[at]
    }

    /// The host's register of the one that the present instruction does nothing to but load it. It is
    /// as it was if the load faults.
    pub(super) fn loaded_register(&self) -> Option<Reg> {
        let u = &self.usage[self.index];
        let r = u.vectors_written.trailing_zeros() as u8;
        if u.vectors_written != 1 << r || (u.singles | u.doubles | u.bits) >> r & 1 != 0 {
            return None;
        }
        self.xresident(r)
    }

    /// The host register that holds a guest register now, if one does.
    pub(super) fn xresident(&self, r: u8) -> Option<Reg> {
        let local = || self.xlocal_of(r).map(|at| XLOCALS[at]);
        Self::xpin(r).map(|at| XPINS[at]).or_else(local)
    }

    pub(super) fn xtouch(&mut self, at: usize) {
        self.fp.clock += 1;
        self.fp.locals[at].used = self.fp.clock;
        self.fp.held |= 1 << at;
    }

    pub(super) fn free_xlocal(&mut self) -> usize {
        let taken = self.fp.temps | self.fp.held;
        let at = (0..XLOCALS.len()).filter(|at| taken >> at & 1 == 0).min_by_key(|&at| {
            let guest = self.fp.locals[at].guest;
            let any_nan = guest.is_some_and(|r| self.fp.any_nans.format(r).is_some());
            (any_nan, guest.is_some(), self.fp.locals[at].used)
        });
        let at = match at {
            Some(at) => at,
            None => self.spill_xtemp(),
        };
        self.xwrite_back(at);
        self.fp.locals[at] = XLocal::default();
        self.fp.low[usize::from(XLOCALS[at])] = Low::All;
        at
    }

    /// Moves a temporary to memory; gives the index of its local.
    fn spill_xtemp(&mut self) -> usize {
        let at = (0..XLOCALS.len())
            .find(|&at| self.fp.temps >> at & 1 != 0 && self.fp.held >> at & 1 == 0)
            .expect("no operation uses more vector registers at once than there are");
        let slot = ARGS + self.fp.spills;
        assert!(usize::from(slot) < SPILL_VECTORS, "an instruction keeps no more than slots");
        self.fp.spills += 1;
        let place = asm::Rm::Mem(layout::spill_vec::<G>(usize::from(slot)));
        form::MOVUPS_WX_VX.rm(&mut self.asm, Q, XLOCALS[at], place);
        for node in &mut self.fp.nodes {
            if *node == FNode::Host(XLOCALS[at]) {
                *node = FNode::Spill(slot);
            }
        }
        self.fp.temps &= !(1 << at);
        at
    }

    pub(super) fn xwrite_back(&mut self, at: usize) {
        let local = self.fp.locals[at];
        if let (Some(r), true) = (local.guest, local.dirty) {
            if let Some(fmt) = self.fp.any_nans.format(r) {
                self.check_nan(fmt, XLOCALS[at]);
                self.fp.any_nans.remove(r);
            }
            super::store_vec::<G>(&mut self.asm, XLOCALS[at], layout::vec::<G>(r));
            self.fp.locals[at].dirty = false;
        }
    }

    /// Brings the state's vector registers up to date, by moves only.
    pub(super) fn xflush(&mut self) {
        for at in 0..XLOCALS.len() {
            self.xwrite_back(at);
        }
    }

    /// The same in a slow path that leaves.
    pub(super) fn cold_xflush(&mut self) {
        for (host, local) in XLOCALS.iter().zip(self.fp.locals) {
            if let (Some(r), true) = (local.guest, local.dirty) {
                super::store_vec::<G>(&mut self.cold, *host, layout::vec::<G>(r));
            }
        }
    }

    /// Forgets what vector registers hold; they must be clean.
    pub(super) fn forget_xlocals(&mut self) {
        self.fp.locals = [XLocal::default(); XLOCALS.len()];
        self.fp.low = [Low::All; 16];
    }

    /// After a region that may or may not have run: keeps what is true either way.
    pub(super) fn xjoin(&mut self, before: &[XLocal; XLOCALS.len()]) {
        for (now, then) in self.fp.locals.iter_mut().zip(before) {
            if now.guest != then.guest {
                *now = XLocal::default();
            }
        }
        self.fp.low = [Low::All; 16];
    }

    pub(super) fn xtemp(&mut self) -> Reg {
        let at = self.free_xlocal();
        self.fp.temps |= 1 << at;
        XLOCALS[at]
    }

    /// The list of dirty vector registers, for a row.
    pub(super) fn xlist(&mut self) -> u16 {
        let dirty: Vec<(u8, u8)> = (0..XLOCALS.len())
            .filter_map(|at| {
                let local = self.fp.locals[at];
                local.guest.filter(|_| local.dirty).map(|r| (XLOCALS[at], r))
            })
            .collect();
        if dirty.is_empty() {
            return 0;
        }
        let at = self.fp.lists.iter().rposition(|l| **l == *dirty).unwrap_or_else(|| {
            self.fp.lists.push(dirty.into());
            self.fp.lists.len() - 1
        });
        at as u16 + 1
    }
}
