//! The host-target interface: a doubleword of the guest's memory, the symbol `tohost`, by which a
//! bare program ends its run or prints `[HTIF]`.

use devices::dma::Dma;
use vm_memory::{Bytes, GuestAddress};

/// Bytes of `tohost`.
const LEN: u64 = 8;

/// What the program asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// End the run with this status.
    Exit(u32),
    /// Print this byte.
    Put(u8),
}

/// A program's `tohost`.
pub(crate) struct Htif {
    tohost: u64,
    memory: Dma,
}

impl Htif {
    /// For a `tohost` at that guest-physical address.
    pub(crate) fn new(tohost: u64, memory: Dma) -> Self {
        Self { tohost, memory }
    }

    /// What the store of `len` bytes at `gpa` came to. A request that is understood, or that
    /// nobody answers here, is acknowledged by a zero.
    pub(crate) fn stored(&self, gpa: u64, len: usize) -> Option<Request> {
        let reaches =
            gpa < self.tohost.saturating_add(LEN) && self.tohost < gpa.saturating_add(len as u64);
        if !reaches {
            return None;
        }
        let value: u64 = self.memory.read_obj(GuestAddress(self.tohost)).ok()?;
        let (device, command, payload) = (value >> 56, value >> 48 & 0xff, value & ((1 << 48) - 1));
        let request = match (device, command) {
            (0, 0) if payload & 1 != 0 => Some(Request::Exit((payload >> 1) as u32)),
            (1, 1) => Some(Request::Put(payload as u8)),
            _ => None,
        };
        if value != 0 && !matches!(request, Some(Request::Exit(_))) {
            if request.is_none() {
                tracing::warn!("the program asks by HTIF for {value:#x}, which is not offered");
            }
            // It was read from there, so it can be written.
            let _ = self.memory.write_obj(0u64, GuestAddress(self.tohost));
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use devices::dma::Memory;

    use super::*;

    fn after(value: u64) -> (Option<Request>, u64) {
        let memory = Memory::from_ranges(&[(GuestAddress(0x1000), 0x1000)]).unwrap();
        let memory = Arc::new(memory);
        let htif = Htif::new(0x1100, memory.clone());
        memory.write_obj(value, GuestAddress(0x1100)).unwrap();
        let request = htif.stored(0x1104, 4);
        (request, memory.read_obj(GuestAddress(0x1100)).unwrap())
    }

    #[test]
    fn odd_values_end_the_run() {
        assert_eq!(after(1), (Some(Request::Exit(0)), 1));
        assert_eq!(after(1337 << 1 | 1), (Some(Request::Exit(1337)), 1337 << 1 | 1));
    }

    #[test]
    fn bytes_are_printed_and_acknowledged() {
        assert_eq!(after(0x0101_0000_0000_0041), (Some(Request::Put(b'A')), 0));
        assert_eq!(after(0), (None, 0));
        assert_eq!(after(0x8000_1000), (None, 0), "system calls are not offered");
    }

    #[test]
    fn other_stores_are_none_of_ours() {
        let memory = Arc::new(Memory::from_ranges(&[(GuestAddress(0), 0x1000)]).unwrap());
        memory.write_obj(1u64, GuestAddress(0x100)).unwrap();
        let htif = Htif::new(0x100, memory);
        assert_eq!(htif.stored(0xf8, 8), None);
        assert_eq!(htif.stored(0x108, 8), None);
        assert_eq!(htif.stored(u64::MAX, 8), None);
        assert_eq!(htif.stored(0xfc, 8), Some(Request::Exit(0)));
    }
}
