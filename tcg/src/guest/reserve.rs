//! Load-reserved and store-conditional as guests describe them: see [`crate::exclusive`].

use super::{Guest, Helper, Touches};
use crate::builder::{At, Bin, Builder, Cond, MemOp, Reserve, Width};
use crate::vcpu::Core;

/// The fields of the state that say what is reserved.
pub(super) struct Reservation<G: Guest> {
    /// Offset of the address, [`tag`]ged with the place of the store-conditional that may use it.
    pub(super) address: usize,
    /// What is there if nothing is reserved: all ones.
    pub(super) none: u64,
    /// Offset of what was read there.
    pub(super) value: usize,
    /// [`asking`].
    pub(super) alone: &'static Helper<G>,
}

/// In the field of the address between the store of a store-conditional and its end: the store was done. In
/// place of other numbers there, which are what memory and the value that was read differ by, or
/// addresses with a tag, which is not zero.
const STORED: u64 = 0;

/// The helper of a load-reserved of which nothing is known. Argument: its own address.
pub(super) const fn asking<G: Guest>() -> Helper<G> {
    fn ask<G: Guest>(core: &mut Core<G>, [pc, ..]: [u64; 3]) -> Result<u64, G::Exception> {
        core.ask_alone(pc);
        Ok(0)
    }
    Helper { name: "alone", touches: Touches::Registers, run: ask::<G> }
}

/// What is added to an address that the store-conditional at `pc` may use: odd, and unlike all ones in
/// the two bits that are zero in addresses of words.
fn tag(pc: u64) -> u64 {
    (pc & 0xfff) << 2 | 1
}

impl<G: Guest> Reservation<G> {
    /// Loads, and reserves the address that `va` gives; `None` if the instruction is to be done again
    /// alone, and ends in [`Flow::Dispatch`](crate::builder::Flow).
    pub(super) fn load<B: Builder<G>>(
        &self,
        b: &mut B,
        at: At,
        va: impl Fn(&mut B) -> B::V,
        m: MemOp,
    ) -> Result<Option<B::V>, B::Trap> {
        let tag = match at.reserve.bytes() {
            Some(bytes) => tag(at.pc.wrapping_add(bytes)),
            None if at.reserve == Reserve::ALONE => 0,
            None => {
                let pc = b.imm(at.pc);
                b.call(self.alone, &[pc])?;
                return Ok(None);
            }
        };
        let address = va(b);
        let v = b.load_reserved(address, m.aligned())?;
        let v = b.share(v);
        let reserved = self.reserved(b, va, tag);
        b.set_field(self.address, reserved);
        b.set_field(self.value, v);
        Ok(Some(v))
    }

    /// Stores if the address that `va` gives was reserved for this instruction and memory holds what
    /// was read there; gives 0 if it did, else 1.
    pub(super) fn store<B: Builder<G>>(
        &self,
        b: &mut B,
        at: At,
        va: impl Fn(&mut B) -> B::V,
        new: impl FnOnce(&mut B) -> B::V,
        m: MemOp,
    ) -> Result<B::V, B::Trap> {
        let tag = if at.reserve == Reserve::ALONE { 0 } else { tag(at.pc) };
        let here = self.reserved(b, &va, tag);
        let reserved = b.field(self.address);
        let same = b.cmp(Cond::Eq, Width::W64, reserved, here);
        b.when(same, |b| {
            let va = va(b);
            let new = new(b);
            let old = b.field(self.value);
            let found = b.cas(va, old, new, m.aligned())?;
            let old = b.field(self.value);
            let unlike = b.bin(Bin::Xor, Width::ALL[usize::from(m.size & 3)], found, old);
            b.set_field(self.address, unlike);
            Ok(())
        })?;
        let outcome = b.field(self.address);
        let stored = b.imm(STORED);
        let failed = b.cmp(Cond::Ne, Width::W64, outcome, stored);
        let failed = b.share(failed);
        self.clear(b);
        Ok(failed)
    }

    /// Reserves nothing.
    pub(super) fn clear<B: Builder<G>>(&self, b: &mut B) {
        let none = b.imm(self.none);
        b.set_field(self.address, none);
    }

    fn reserved<B: Builder<G>>(&self, b: &mut B, va: impl Fn(&mut B) -> B::V, tag: u64) -> B::V {
        let va = va(b);
        let tag = b.imm(tag);
        b.bin(Bin::Add, Width::W64, va, tag)
    }
}
