//! What is written down for places that exceptions can come from.

use super::emit::Emit;
use super::regs::*;
use crate::guest::Guest;
use crate::jit::{ACCESS, Row};

impl<G: Guest> Emit<'_, G> {
    /// Remembers that exceptions can come from the call that was just written.
    pub(super) fn row(&mut self, return_address: u64) {
        self.row_at(return_address, 0);
    }

    /// Says that the instruction written next is a guest's access: in user mode it may fault.
    pub(super) fn access(&mut self) {
        if self.direct {
            let here = self.here();
            self.row_at(here, ACCESS);
        }
    }

    fn row_at(&mut self, place: u64, kind: u32) {
        let dirty = self.locals.map(|l| l.guest.filter(|_| l.dirty).unwrap_or(0xff));
        let (int, homes) = dirty.split_at(LOCALS.len());
        let int = std::array::from_fn(|at| int[at]);
        let homes = if self.is_free() { self.home_list(homes) } else { 0 };
        let vec = self.xlist();
        let narrow = self.narrow_list();
        let nans = self.nan_list();
        self.rows.push(Row {
            host: self.buf.offset_of(place) as u32 | kind,
            pc: self.at.pc.wrapping_sub(self.pc) as i16,
            int,
            homes,
            vec,
            narrow,
            nans,
        });
    }

    /// What a row says about the hosts of pinned registers.
    fn home_list(&mut self, places: &[u8]) -> u16 {
        number_of(&mut self.home_lists, std::array::from_fn(|at| places[at]))
    }

    /// What a row says about the NaNs of vector registers.
    fn nan_list(&mut self) -> u16 {
        let nans = self.fp.any_nans;
        if nans.is_empty() { 0 } else { number_of(&mut self.fp.nan_lists, nans) }
    }

    /// What a row says about [`Self::narrow`].
    fn narrow_list(&mut self) -> u16 {
        if self.narrow == 0 { 0 } else { number_of(&mut self.narrow_lists, self.narrow) }
    }
}

/// The number of a list that rows name, counted from one; the last is there already if it is equal.
fn number_of<T: PartialEq>(lists: &mut Vec<T>, list: T) -> u16 {
    if lists.last() != Some(&list) {
        lists.push(list);
    }
    lists.len() as u16
}
