//! What every image format implements.

use std::io;

use crate::buf::{Buf, BufMut};

/// Bytes in a sector: the unit of an image's size.
pub const SECTOR: u64 = 512;

/// An open disk image.
///
/// Offsets and lengths are in bytes. A range that does not lie inside `0..size()` is an error
/// ([`io::ErrorKind::InvalidInput`]) and changes nothing, as is every write to a read-only
/// image ([`io::ErrorKind::PermissionDenied`]). Reads and writes are whole or an error.
pub trait Image: Send + Sync {
    /// Bytes in the image; a multiple of [`SECTOR`].
    fn size(&self) -> u64;

    /// Whether writes are refused.
    fn readonly(&self) -> bool;

    /// Fills the buffers, in order, from `offset` on.
    fn read_at(&self, offset: u64, into: &[BufMut<'_>]) -> io::Result<()>;

    /// Writes the buffers, in order, from `offset` on. Durable only after [`Image::flush`].
    fn write_at(&self, offset: u64, from: &[Buf<'_>]) -> io::Result<()>;

    /// Returns when everything written before is on stable storage.
    fn flush(&self) -> io::Result<()>;

    /// The contents of the range are of no further interest; their storage may be freed. What
    /// they read as afterwards is up to the format. Formats that cannot free storage do nothing.
    fn discard(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Makes the range read as zeros; with `may_unmap`, its storage may be freed.
    fn write_zeroes(&self, offset: u64, len: u64, may_unmap: bool) -> io::Result<()>;
}
