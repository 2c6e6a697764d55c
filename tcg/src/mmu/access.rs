//! Memory accesses of guest code, in full: translation, memory or bus, code that changes.
//!
//! The interpreter comes here for every access, translated code when its inlined look-up misses.
//! An access that crosses a page is translated completely before anything is read or written.

use crate::builder::{MemOp, Rmw};
use crate::guest::{Access, Guest};
use crate::mmu::host::Hva;
use crate::mmu::pages::{CODE, WATCH};
use crate::mmu::ram::Place;
use crate::mmu::{PAGE_MASK, PAGE_SIZE};
use crate::vcpu::Core;

/// What answers an access.
enum Target {
    Ram { gpa: u64, place: Place },
    Bus { gpa: u64 },
}

impl<G: Guest> Core<G> {
    /// Loads `1 << size` bytes from a guest virtual address, zero-extended.
    #[inline]
    pub fn load(&mut self, va: u64, size: u8) -> Result<u64, G::Exception> {
        if self.direct { self.direct_load(va, size) } else { self.translated_load(va, size) }
    }

    fn translated_load(&mut self, va: u64, size: u8) -> Result<u64, G::Exception> {
        let bytes = 1u64 << size;
        if let Some(hva) = self.tlb.lookup(false, self.hot.key, va, bytes) {
            return Ok(hva.load(size));
        }
        if crosses(va, bytes) {
            return self.load_crossing(va, bytes);
        }
        Ok(match self.reach(va, Access::Load)? {
            Target::Ram { place, .. } => place.hva.load(size),
            Target::Bus { gpa } => self.bus_read(gpa, bytes),
        })
    }

    /// Loads with the extension that `m` asks for.
    #[inline]
    pub fn load_op(&mut self, va: u64, m: MemOp) -> Result<u64, G::Exception> {
        if m.aligned && !va.is_multiple_of(m.bytes()) {
            return Err(G::misaligned(va, Access::Load));
        }
        Ok(extend(self.load(va, m.size)?, m))
    }

    /// Stores with the alignment rule of `m`.
    #[inline]
    pub fn store_op(&mut self, va: u64, v: u64, m: MemOp) -> Result<(), G::Exception> {
        if m.aligned && !va.is_multiple_of(m.bytes()) {
            return Err(G::misaligned(va, Access::Store));
        }
        self.store(va, v, m.size)
    }

    /// Stores the low `1 << size` bytes of `v` to a guest virtual address.
    #[inline]
    pub fn store(&mut self, va: u64, v: u64, size: u8) -> Result<(), G::Exception> {
        if self.direct {
            self.direct_store(va, v, size)
        } else {
            self.translated_store(va, v, size)
        }
    }

    fn translated_store(&mut self, va: u64, v: u64, size: u8) -> Result<(), G::Exception> {
        let bytes = 1u64 << size;
        if let Some(hva) = self.tlb.lookup(true, self.hot.key, va, bytes) {
            hva.store(v, size);
            return Ok(());
        }
        if crosses(va, bytes) {
            return self.store_crossing(va, v, bytes);
        }
        match self.reach(va, Access::Store)? {
            Target::Ram { gpa, place } => {
                place.hva.store(v, size);
                self.stored(gpa, &place, bytes);
            }
            Target::Bus { gpa } => self.bus_write(gpa, v, bytes),
        }
        Ok(())
    }

    /// Atomic read-modify-write; gives the old value.
    pub fn rmw(&mut self, op: Rmw, va: u64, v: u64, m: MemOp) -> Result<u64, G::Exception> {
        if self.direct {
            return Ok(extend(self.direct_rmw(op, va, v, m)?, m));
        }
        let old = match self.reach_aligned(va, m)? {
            Target::Ram { gpa, place } => {
                let old = place.hva.rmw(op, v, m.size);
                self.stored(gpa, &place, m.bytes());
                old
            }
            // Devices have no atomics of their own: a read and a write.
            Target::Bus { gpa } => {
                let old = self.bus_read(gpa, m.bytes());
                self.bus_write(gpa, combine(op, old, v, m), m.bytes());
                old
            }
        };
        Ok(extend(old, m))
    }

    /// Atomic compare and exchange; gives the value found.
    pub fn cas(&mut self, va: u64, old: u64, new: u64, m: MemOp) -> Result<u64, G::Exception> {
        if self.direct {
            return Ok(extend(self.direct_cas(va, old, new, m)?, m));
        }
        let found = match self.reach_aligned(va, m)? {
            Target::Ram { gpa, place } => {
                let found = place.hva.cas(old, new, m.size);
                self.stored(gpa, &place, m.bytes());
                found
            }
            Target::Bus { gpa } => {
                let found = self.bus_read(gpa, m.bytes());
                if found == old & (u64::MAX >> (64 - 8 * m.bytes())) {
                    self.bus_write(gpa, new, m.bytes());
                }
                found
            }
        };
        Ok(extend(found, m))
    }

    fn reach_aligned(&mut self, va: u64, m: MemOp) -> Result<Target, G::Exception> {
        if !va.is_multiple_of(m.bytes()) {
            return Err(G::misaligned(va, Access::Store));
        }
        self.reach(va, Access::Store)
    }

    /// Asks whether a byte may be stored to.
    pub(super) fn probe_store(&mut self, va: u64) -> Result<(), G::Exception> {
        self.reach(va, Access::Store).map(|_| ())
    }

    /// Translates, remembers the translation, and finds what is there.
    fn reach(&mut self, va: u64, access: Access) -> Result<Target, G::Exception> {
        let m = G::translate(self, va, access)?;
        let Some(place) = self.place(m.gpa) else {
            return Ok(Target::Bus { gpa: m.gpa });
        };
        if access == Access::Store && place.readonly {
            return Ok(Target::Bus { gpa: m.gpa });
        }
        if m.cacheable {
            self.tlb.note_large(va, u32::from(m.page_bits));
            self.note_mapping(self.data_space, m.global);
            if m.readable {
                self.tlb.enter(false, self.hot.key, va, place.hva);
            }
            if access == Access::Store && m.writable && place.pages.grant_store(place.offset) {
                self.tlb.enter(true, self.hot.key, va, place.hva);
            }
        }
        Ok(Target::Ram { gpa: m.gpa, place })
    }

    /// After a store that came the slow way: does what the page's flags ask for.
    fn stored(&mut self, gpa: u64, place: &Place, bytes: u64) {
        let flags = place.pages.get(place.offset);
        if flags & CODE != 0 {
            self.stale |= self.machine.stored_to_code(gpa, bytes, place);
        }
        if flags & WATCH != 0 {
            self.machine.io.watched(gpa, bytes as usize);
        }
    }

    fn load_crossing(&mut self, va: u64, bytes: u64) -> Result<u64, G::Exception> {
        let split = (PAGE_SIZE - (va & PAGE_MASK)) as usize;
        let first = self.reach(va, Access::Load)?;
        let second = self.reach((va | PAGE_MASK).wrapping_add(1), Access::Load)?;
        let mut data = [0; 8];
        let (low, high) = data[..bytes as usize].split_at_mut(split);
        self.read_bytes(&first, low);
        self.read_bytes(&second, high);
        Ok(u64::from_le_bytes(data))
    }

    fn store_crossing(&mut self, va: u64, v: u64, bytes: u64) -> Result<(), G::Exception> {
        let split = (PAGE_SIZE - (va & PAGE_MASK)) as usize;
        let first = self.reach(va, Access::Store)?;
        let second = self.reach((va | PAGE_MASK).wrapping_add(1), Access::Store)?;
        let data = v.to_le_bytes();
        let (low, high) = data[..bytes as usize].split_at(split);
        self.write_bytes(&first, low);
        self.write_bytes(&second, high);
        Ok(())
    }

    fn read_bytes(&mut self, target: &Target, out: &mut [u8]) {
        match target {
            Target::Ram { place, .. } => place.hva.read(out),
            Target::Bus { gpa } => self.machine.io.read(*gpa, out),
        }
    }

    fn write_bytes(&mut self, target: &Target, data: &[u8]) {
        match target {
            Target::Ram { gpa, place } => {
                for (i, &byte) in data.iter().enumerate() {
                    if let Some(at) = place.hva.offset(i) {
                        Hva::store(at, u64::from(byte), 0);
                    }
                }
                self.stored(*gpa, place, data.len() as u64);
            }
            Target::Bus { gpa } => self.machine.io.write(*gpa, data),
        }
    }

    fn bus_read(&mut self, gpa: u64, bytes: u64) -> u64 {
        let mut data = [0; 8];
        self.machine.io.read(gpa, &mut data[..bytes as usize]);
        u64::from_le_bytes(data)
    }

    fn bus_write(&mut self, gpa: u64, v: u64, bytes: u64) {
        self.machine.io.write(gpa, &v.to_le_bytes()[..bytes as usize]);
    }
}

fn crosses(va: u64, bytes: u64) -> bool {
    (va & PAGE_MASK) + bytes > PAGE_SIZE
}

/// Extends a loaded value.
pub(crate) fn extend(v: u64, m: MemOp) -> u64 {
    let unused = 64 - 8 * m.bytes() as u32;
    if m.signed { ((v << unused) as i64 >> unused) as u64 } else { v << unused >> unused }
}

/// What a read-modify-write leaves in memory.
pub(crate) fn combine(op: Rmw, old: u64, v: u64, m: MemOp) -> u64 {
    let signed = MemOp { signed: true, ..m };
    let (a, b) = (extend(old, signed) as i64, extend(v, signed) as i64);
    let unsigned = MemOp { signed: false, ..m };
    let (ua, ub) = (extend(old, unsigned), extend(v, unsigned));
    match op {
        Rmw::Swap => v,
        Rmw::Add => old.wrapping_add(v),
        Rmw::Xor => old ^ v,
        Rmw::And => old & v,
        Rmw::Or => old | v,
        Rmw::Min => a.min(b) as u64,
        Rmw::Max => a.max(b) as u64,
        Rmw::Minu => ua.min(ub),
        Rmw::Maxu => ua.max(ub),
    }
}
