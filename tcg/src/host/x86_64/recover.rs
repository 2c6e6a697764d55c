//! The guest's state, put together where translated code was left in the middle.

use super::regs::*;
use super::{Native, pins};
use crate::builder::Fmt;
use crate::guest::Guest;
use crate::interp::fields;
use crate::jit::Rows;
use crate::jit::nans::AnyNans;
use crate::vcpu::Core;

impl<G: Guest> Native<G> {
    /// An exception came from inside a block: brings the state up to date.
    /// `kind` is [`ACCESS`] for a fault of an access, 0 for a call.
    pub(super) fn recover(&self, core: &mut Core<G>, kind: u32) {
        let at = self.buf.offset_of(core.hot.exit[1]);
        let space = self.space();
        let block = space.blocks.range(..=at).next_back().map(|(_, block)| block.clone());
        drop(space);
        let found = block.as_ref().and_then(|b| {
            let rows = b.rows.get()?;
            Some((b.key.pc, rows, *rows.find(at as u32 | kind)?))
        });
        let (pc, rows, row) = found
            .expect("every call into the slow path, and every access that may fault, has its row");
        let list = Rows::list(&rows.vec, row.vec);
        for &(host, r) in list.into_iter().flatten() {
            let offset = G::FP.offset + usize::from(r) * G::FP.stride;
            let value = core.hot.saved_vec[usize::from(host)];
            fields::write::<G>(&mut core.state, offset, value as u64);
            if G::FP.stride == 16 {
                fields::write::<G>(&mut core.state, offset + 8, (value >> 64) as u64);
            }
        }
        fields::write::<G>(&mut core.state, G::PC, pc.wrapping_add(row.pc as u64));
        if row.homes != 0 {
            let places = Rows::list(&rows.homes, row.homes);
            recover_pins(core, places.expect("rows name lists of their block"));
        }
        for (local, &r) in row.int.iter().enumerate().filter(|(_, r)| **r != 0xff) {
            let offset = G::INT.offset + usize::from(r) * G::INT.stride;
            let value = core.hot.saved[usize::from(LOCALS[local])];
            fields::write::<G>(&mut core.state, offset, value);
        }
        if let Some(&nans) = Rows::list(&rows.nans, row.nans) {
            recover_nans(core, nans);
        }
        let list = Rows::list(&rows.narrow, row.narrow);
        for r in (0..G::INT.count).filter(|r| list.is_some_and(|list| list >> r & 1 != 0)) {
            let offset = G::INT.offset + r * G::INT.stride;
            let low = fields::read::<G>(&core.state, offset) as i32;
            fields::write::<G>(&mut core.state, offset, low as u64);
        }
    }
}

/// Makes the NaNs of some registers the guest's.
fn recover_nans<G: Guest>(core: &mut Core<G>, nans: AnyNans) {
    for (r, fmt) in nans.registers() {
        let offset = G::FP.offset + usize::from(r) * G::FP.stride;
        let bits = fields::read::<G>(&core.state, offset);
        let canonical = match fmt {
            Fmt::S if f32::from_bits(bits as u32).is_nan() => 0xffff_ffff_7fc0_0000,
            Fmt::D if f64::from_bits(bits).is_nan() => 0x7ff8_0000_0000_0000,
            _ => continue,
        };
        fields::write::<G>(&mut core.state, offset, canonical);
    }
}

/// In the state the exit has stored the hosts of pinned registers as if they held these: puts
/// everything where it belongs. `places`: what they hold.
fn recover_pins<G: Guest>(core: &mut Core<G>, places: &[u8; PINS.len()]) {
    let offset = |r: u8| G::INT.offset + usize::from(r) * G::INT.stride;
    let mut found = [0; PINS.len()];
    for (at, _, guest) in pins::<G>() {
        found[at] = fields::read::<G>(&core.state, offset(guest));
        let parked = core.hot.parked[at];
        fields::write::<G>(&mut core.state, offset(guest), parked);
    }
    for (&r, value) in places.iter().zip(found).filter(|(r, _)| **r != 0xff) {
        fields::write::<G>(&mut core.state, offset(r), value);
    }
}
