//! The bus: guest-physical addresses, or I/O ports, to devices.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::device::{Access, Device, Effect, MachineEvent};

/// A device behind its lock, shared by the bus, its timers and its workers.
pub type Shared<D> = Arc<Mutex<D>>;

/// Locks a device. A poisoned lock means that a device model panicked, which is a defect of ours;
/// the machine goes on with the state it left.
pub fn lock<D: ?Sized>(device: &Mutex<D>) -> MutexGuard<'_, D> {
    device.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Two regions of the address space overlap.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{new} at {base:#x} (length {len:#x}) overlaps {old}")]
pub struct Overlap {
    /// Device being added.
    pub new: &'static str,
    /// Start of its region.
    pub base: u64,
    /// Bytes of its region.
    pub len: u64,
    /// Device already there.
    pub old: &'static str,
}

struct Mapping {
    base: u64,
    len: u64,
    region: u8,
    kind: &'static str,
    device: Arc<Mutex<dyn Device>>,
}

/// Devices by address, built once and then only read, so vCPUs look up without a lock.
#[derive(Default)]
pub struct Bus {
    mappings: Vec<Mapping>,
}

impl Bus {
    /// An empty bus.
    pub fn new() -> Self {
        Self::default()
    }

    /// Maps region `region` of `device` at `base`.
    ///
    /// # Panics
    /// When the device has no such region, or the region does not fit below 2^64: a board that
    /// asks for that is a defect of ours.
    pub fn map(
        &mut self,
        base: u64,
        region: u8,
        device: Arc<Mutex<dyn Device>>,
    ) -> Result<(), Overlap> {
        let (kind, len) = {
            let d = lock(&device);
            (d.kind(), d.regions().get(usize::from(region)).copied().unwrap_or(0))
        };
        assert!(len > 0, "{kind} has no region {region}");
        let end = base.checked_add(len).expect("a region ends below 2^64");
        if let Some(old) = self.mappings.iter().find(|m| m.base < end && base < m.base + m.len) {
            return Err(Overlap { new: kind, base, len, old: old.kind });
        }
        let at = self.mappings.partition_point(|m| m.base < base);
        self.mappings.insert(at, Mapping { base, len, region, kind, device });
        Ok(())
    }

    /// Reads `data.len()` bytes; what no device answers reads as ones.
    pub fn read(&self, addr: u64, data: &mut [u8]) {
        for (at, piece) in pieces(addr, data.len()) {
            let dst = &mut data[piece];
            let value = match self.find(at, dst.len()) {
                Some((m, access)) => lock(&m.device).read(access),
                None => u64::MAX,
            };
            dst.copy_from_slice(&value.to_le_bytes()[..dst.len()]);
        }
    }

    /// Writes `data`; what no device takes is dropped. Returns the last machine event asked for.
    pub fn write(&self, addr: u64, data: &[u8]) -> Option<MachineEvent> {
        let mut event = None;
        for (at, piece) in pieces(addr, data.len()) {
            let src = &data[piece];
            if let Some((m, access)) = self.find(at, src.len()) {
                let mut bytes = [0; 8];
                bytes[..src.len()].copy_from_slice(src);
                let effect = lock(&m.device).write(access, u64::from_le_bytes(bytes));
                if let Effect::Machine(e) = effect {
                    event = Some(e);
                }
            }
        }
        event
    }

    /// Every device once, in address order.
    pub fn devices(&self) -> Vec<Arc<Mutex<dyn Device>>> {
        let mut all: Vec<Arc<Mutex<dyn Device>>> = Vec::new();
        for m in &self.mappings {
            if !all.iter().any(|d| Arc::ptr_eq(d, &m.device)) {
                all.push(m.device.clone());
            }
        }
        all
    }

    fn find(&self, addr: u64, len: usize) -> Option<(&Mapping, Access)> {
        let at = self.mappings.partition_point(|m| m.base <= addr).checked_sub(1)?;
        let m = &self.mappings[at];
        let offset = addr - m.base;
        let access = Access { region: m.region, offset, size: len as u8 };
        (offset.checked_add(len as u64)? <= m.len).then_some((m, access))
    }
}

/// Splits an access into pieces of 1, 2, 4 or 8 bytes that do not cross an 8-byte boundary unless
/// the guest's own access had that power-of-two size.
fn pieces(addr: u64, len: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let left = len - done;
        let size = match left {
            0 => return None,
            1 | 2 | 4 | 8 => left,
            _ => 8.min(1 << left.ilog2()),
        };
        let piece = (addr.wrapping_add(done as u64), done..done + size);
        done += size;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::StateError;
    use serde_json::Value;

    struct Scratch([u8; 16]);

    impl Device for Scratch {
        fn kind(&self) -> &'static str {
            "scratch"
        }
        fn regions(&self) -> Vec<u64> {
            vec![16]
        }
        fn read(&mut self, at: Access) -> u64 {
            let at = at.offset as usize;
            u64::from(self.0[at])
        }
        fn write(&mut self, at: Access, value: u64) -> Effect {
            for i in 0..usize::from(at.size) {
                self.0[at.offset as usize + i] = value.to_le_bytes()[i];
            }
            if value == 0x55 { Effect::Machine(MachineEvent::Reset) } else { Effect::None }
        }
        fn reset(&mut self) {
            self.0 = [0; 16];
        }
        fn save(&self) -> Value {
            Value::Null
        }
        fn restore(&mut self, _: &Value) -> Result<(), StateError> {
            Ok(())
        }
    }

    fn bus() -> Bus {
        let mut bus = Bus::new();
        bus.map(0x1000, 0, Arc::new(Mutex::new(Scratch([0; 16])))).unwrap();
        bus
    }

    #[test]
    fn holes_read_as_ones_and_swallow_writes() {
        let bus = bus();
        let mut data = [0; 4];
        bus.read(0xffe, &mut data);
        assert_eq!(data, [0xff; 4]);
        bus.read(0x100e, &mut data);
        assert_eq!(data, [0xff; 4], "an access that leaves the region hits nothing");
        assert_eq!(bus.write(u64::MAX, &[1, 2, 3]), None);
    }

    #[test]
    fn machine_events_come_back() {
        let bus = bus();
        assert_eq!(bus.write(0x1004, &[0x55]), Some(MachineEvent::Reset));
        let mut byte = [0];
        bus.read(0x1004, &mut byte);
        assert_eq!(byte, [0x55]);
    }

    #[test]
    fn odd_lengths_are_split() {
        let split: Vec<_> = pieces(0x10, 7).collect();
        assert_eq!(split, [(0x10, 0..4), (0x14, 4..6), (0x16, 6..7)]);
    }

    #[test]
    fn overlaps_are_refused() {
        let mut bus = bus();
        let error = bus.map(0x100f, 0, Arc::new(Mutex::new(Scratch([0; 16])))).unwrap_err();
        assert_eq!(error.old, "scratch");
    }
}
