//! Guest memory as system calls read and write it: at addresses that may not be mapped.

use std::mem::size_of;

use tcg::mmu::user as memory;

use crate::Errno;

/// Plain data in the layout of Linux: any bytes are a value of it.
pub trait Plain: Copy {
    /// Its bytes are `bytes`, which are as many as it has.
    fn from_bytes(bytes: &[u8]) -> Self;
    /// Puts its bytes into `bytes`, which are as many as it has.
    fn to_bytes(&self, bytes: &mut [u8]);
}

macro_rules! plain {
    ($($int:ty)*) => { $(
        impl Plain for $int {
            fn from_bytes(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<$int>()];
                own.copy_from_slice(bytes);
                <$int>::from_le_bytes(own)
            }
            fn to_bytes(&self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
        }
    )* };
}
plain!(u8 u16 u32 u64 i32 i64);

impl<T: Plain + Default, const N: usize> Plain for [T; N] {
    fn from_bytes(bytes: &[u8]) -> Self {
        let mut all = [T::default(); N];
        for (value, part) in all.iter_mut().zip(bytes.chunks_exact(size_of::<T>())) {
            *value = T::from_bytes(part);
        }
        all
    }

    fn to_bytes(&self, bytes: &mut [u8]) {
        for (value, part) in self.iter().zip(bytes.chunks_exact_mut(size_of::<T>())) {
            value.to_bytes(part);
        }
    }
}

/// Bytes of the largest value that [`Mem::read`] and [`Mem::write`] take.
const LARGEST: usize = 512;
/// Bytes of most of them: no more than these are cleared for one.
const USUAL: usize = 32;

/// Access to the memory of the guest. Every access that the guest could not do itself is EFAULT,
/// once the handlers of SIGSEGV and SIGBUS are there (`host::signals::install`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Mem;

impl Mem {
    /// The value at `va`.
    pub fn read<T: Plain>(&self, va: u64) -> Result<T, Errno> {
        const { assert!(size_of::<T>() <= LARGEST) };
        if size_of::<T>() <= USUAL {
            self.read_by::<T, USUAL>(va)
        } else {
            self.read_by::<T, LARGEST>(va)
        }
    }

    fn read_by<T: Plain, const MOST: usize>(&self, va: u64) -> Result<T, Errno> {
        let mut bytes = [0; MOST];
        let bytes = &mut bytes[..size_of::<T>()];
        self.read_bytes(va, bytes)?;
        Ok(T::from_bytes(bytes))
    }

    /// Stores a value at `va`.
    pub fn write<T: Plain>(&self, va: u64, value: &T) -> Result<(), Errno> {
        const { assert!(size_of::<T>() <= LARGEST) };
        if size_of::<T>() <= USUAL {
            self.write_by::<T, USUAL>(va, value)
        } else {
            self.write_by::<T, LARGEST>(va, value)
        }
    }

    fn write_by<T: Plain, const MOST: usize>(&self, va: u64, value: &T) -> Result<(), Errno> {
        let mut bytes = [0; MOST];
        let bytes = &mut bytes[..size_of::<T>()];
        value.to_bytes(bytes);
        self.write_bytes(va, bytes)
    }

    /// Fills `out` from `va`.
    pub fn read_bytes(&self, va: u64, out: &mut [u8]) -> Result<(), Errno> {
        memory::read(va, out).map_err(|_| Errno::EFAULT)
    }

    /// Stores `data` at `va`.
    pub fn write_bytes(&self, va: u64, data: &[u8]) -> Result<(), Errno> {
        memory::write(va, data).map_err(|_| Errno::EFAULT)
    }

    /// The string at `va` up to its zero byte, which must come within `max` bytes: ENAMETOOLONG
    /// otherwise.
    pub fn cstr(&self, va: u64, max: usize) -> Result<Vec<u8>, Errno> {
        let mut found = Vec::new();
        let mut at = va;
        while found.len() < max {
            // No further than the page's end: what follows may not be mapped.
            let room = 256 - (at & 255) as usize;
            let mut part = [0; 256];
            let part = &mut part[..room.min(max - found.len())];
            self.read_bytes(at, part)?;
            if let Some(end) = part.iter().position(|&b| b == 0) {
                found.extend_from_slice(&part[..end]);
                return Ok(found);
            }
            found.extend_from_slice(part);
            at = at.wrapping_add(part.len() as u64);
        }
        Err(Errno::ENAMETOOLONG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_and_go() {
        let place = [0u64; 2];
        let va = place.as_ptr() as u64;
        assert_eq!(Mem.write(va, &[1u32, 2, 3, 4]), Ok(()));
        assert_eq!(Mem.read::<u64>(va + 4), Ok(2 | 3 << 32));
        assert_eq!(Mem.write_bytes(va, b"words\0"), Ok(()));
        assert_eq!(Mem.cstr(va, 16).as_deref(), Ok(&b"words"[..]));
        assert_eq!(Mem.cstr(va, 3), Err(Errno::ENAMETOOLONG));
    }

    #[test]
    fn nothing_is_read_where_nothing_is() {
        crate::host::signals::install(tcg::CodeRange::default()).expect("handlers can be set");
        assert_eq!(Mem.read::<u8>(0), Err(Errno::EFAULT));
        assert_eq!(Mem.write(u64::MAX - 1, &0u64), Err(Errno::EFAULT));
        assert_eq!(Mem.cstr(8, 16), Err(Errno::EFAULT));
    }
}
