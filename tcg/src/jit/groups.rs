//! Accesses of a block that share one look-up in the TLB.
//!
//! Code saves and restores registers, and reads structures, at small distances from one base
//! register. The first access of such a group looks up the page for all of them: that of the
//! lowest byte, provided the highest lies in it too. What it finds is kept in a *slot* of the
//! core ([`crate::vcpu::Hot`]); the others take it from there, unless the slot says that it is
//! not good any more.

use super::probe::{Form, Usage};

/// Slots of the core.
pub(crate) const SLOTS: usize = 8;
/// What a slot holds instead of an addend (which is a multiple of the page size) when each access
/// has to look for itself.
pub(crate) const NO_ADDEND: u64 = 1;
/// Farthest that the accesses of a group lie apart: the farther, the likelier that they are not
/// in one page.
const SPAN: i64 = 512;

/// How an instruction's access finds its page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Plan {
    /// On its own.
    #[default]
    Alone,
    /// It looks up, for the bytes from `low` to `high` from its address on, and fills the slot.
    First { slot: u8, low: i32, high: i32, store: bool },
    /// From the slot.
    Member { slot: u8 },
}

/// Where a register points: a number that identifies an unknown value, and the distance from it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    root: u32,
    offset: i64,
}

struct Group {
    root: u32,
    store: bool,
    /// Nothing has branched since the first access.
    straight: bool,
    first: usize,
    low: i64,
    high: i64,
    members: Vec<usize>,
    at: i64,
}

/// A plan for each instruction; `registers`: how many integer registers there are.
pub(crate) fn plan(usage: &[Usage], registers: usize) -> Vec<Plan> {
    let mut plans = vec![Plan::Alone; usage.len()];
    let mut roots = registers as u32;
    let mut places: Vec<Place> = (0..roots).map(|root| Place { root, offset: 0 }).collect();
    let mut groups: Vec<Group> = Vec::new();
    let mut slots = Slots::default();
    for (at, u) in usage.iter().enumerate() {
        if let Some(access) = u.access {
            let place = places[usize::from(access.base)];
            let low = place.offset.wrapping_add(access.disp);
            let here = Group {
                root: place.root,
                store: access.store,
                straight: true,
                first: at,
                low,
                high: low.saturating_add(i64::from(access.bytes) - 1),
                members: Vec::new(),
                at: low,
            };
            match groups.iter_mut().rev().find(|g| g.takes(&here)) {
                Some(group) => group.add(&here),
                None => groups.push(here),
            }
        }
        if u.calls {
            // Whatever it does may change what was found.
            slots.assign(&mut groups, &mut plans);
        }
        if u.branches {
            groups.iter_mut().for_each(|g| g.straight = false);
        }
        let moved = u.def.and_then(|(r, v)| match v.form {
            Form::Reg(from) => Some((r, from, 0)),
            Form::Sum(from, by) => Some((r, from, by)),
            _ => None,
        });
        let to = moved.map(|(r, from, by)| {
            let place = places[usize::from(from)];
            (r, Place { offset: place.offset.wrapping_add(by), ..place })
        });
        let written = u.writes | u.sometimes;
        for (_, place) in places.iter_mut().enumerate().filter(|(r, _)| written >> r & 1 != 0) {
            *place = Place { root: roots, offset: 0 };
            roots += 1;
        }
        if let Some((r, place)) = to {
            places[usize::from(r)] = place;
        }
    }
    slots.assign(&mut groups, &mut plans);
    plans
}

impl Group {
    fn takes(&self, other: &Group) -> bool {
        let span = self.high.max(other.high).checked_sub(self.low.min(other.low));
        self.root == other.root
            && (self.store || !other.store || self.straight)
            && span.is_some_and(|span| span < SPAN)
    }

    fn add(&mut self, other: &Group) {
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
        self.store |= other.store;
        self.members.push(other.first);
    }
}

/// Hands out the slots, to groups in the order of their beginning.
#[derive(Default)]
struct Slots {
    /// The last user of each.
    until: [usize; SLOTS],
}

impl Slots {
    fn assign(&mut self, groups: &mut Vec<Group>, plans: &mut [Plan]) {
        for group in groups.drain(..) {
            let Some(&last) = group.members.last() else { continue };
            let free = self.until.iter().position(|&until| until <= group.first);
            let Some(slot) = free else { continue };
            self.until[slot] = last + 1;
            let slot = slot as u8;
            plans[group.first] = Plan::First {
                slot,
                low: (group.low - group.at) as i32,
                high: (group.high - group.at) as i32,
                store: group.store,
            };
            for member in group.members {
                plans[member] = Plan::Member { slot };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jit::demand::tests::usage;

    const SD_RA_8_SP: u32 = 0x0011_3423;
    const SD_S0_0_SP: u32 = 0x0081_3023;
    const LD_RA_8_SP: u32 = 0x0081_3083;
    const ADDI_SP_SP_M16: u32 = 0xff01_0113;
    const MV_SP_A0: u32 = 0x0005_0113;
    const BEQZ_A0_8: u32 = 0x0005_0463;
    const LD_A1_1024_SP: u32 = 0x4001_3583;

    fn plans(code: &[u32]) -> Vec<Plan> {
        plan(&usage(code), 32)
    }

    #[test]
    fn accesses_near_one_base_are_a_group() {
        let first = Plan::First { slot: 0, low: -8, high: 7, store: true };
        assert_eq!(
            plans(&[SD_RA_8_SP, SD_S0_0_SP, LD_RA_8_SP]),
            [first, Plan::Member { slot: 0 }, Plan::Member { slot: 0 }]
        );
        // The base moves: 8(sp) is -8 from the first address then.
        let first = Plan::First { slot: 0, low: -16, high: 7, store: true };
        assert_eq!(
            plans(&[SD_RA_8_SP, ADDI_SP_SP_M16, LD_RA_8_SP]),
            [first, Plan::Alone, Plan::Member { slot: 0 }]
        );
    }

    #[test]
    fn what_lies_far_apart_or_elsewhere_is_alone() {
        assert_eq!(plans(&[SD_RA_8_SP, LD_A1_1024_SP]), [Plan::Alone; 2]);
        assert_eq!(plans(&[SD_RA_8_SP, MV_SP_A0, LD_RA_8_SP]), [Plan::Alone; 3]);
    }

    #[test]
    fn a_store_that_may_not_happen_asks_for_itself() {
        assert_eq!(plans(&[LD_RA_8_SP, BEQZ_A0_8, SD_S0_0_SP]), [Plan::Alone; 3]);
        let first = Plan::First { slot: 0, low: -8, high: 7, store: true };
        assert_eq!(
            plans(&[LD_RA_8_SP, SD_S0_0_SP, BEQZ_A0_8]),
            [first, Plan::Member { slot: 0 }, Plan::Alone]
        );
    }
}
