//! Numbers of the block device [VIRTIO-1.3 §5.2].

/// Feature bits [VIRTIO-1.3 §5.2.3].
pub(super) mod feature {
    /// VIRTIO_BLK_F_SIZE_MAX: a segment has a largest size.
    pub(crate) const SIZE_MAX: u64 = 1 << 1;
    /// VIRTIO_BLK_F_SEG_MAX: a request has a largest number of segments.
    pub(crate) const SEG_MAX: u64 = 1 << 2;
    /// VIRTIO_BLK_F_RO: the device is read-only.
    pub(crate) const RO: u64 = 1 << 5;
    /// VIRTIO_BLK_F_BLK_SIZE: the block size is in the configuration.
    pub(crate) const BLK_SIZE: u64 = 1 << 6;
    /// VIRTIO_BLK_F_FLUSH: there is a cache, and a command to flush it.
    pub(crate) const FLUSH: u64 = 1 << 9;
    /// VIRTIO_BLK_F_TOPOLOGY: optimal alignments are in the configuration.
    pub(crate) const TOPOLOGY: u64 = 1 << 10;
    /// VIRTIO_BLK_F_DISCARD: there is a discard command.
    pub(crate) const DISCARD: u64 = 1 << 13;
    /// VIRTIO_BLK_F_WRITE_ZEROES: there is a command to write zeros.
    pub(crate) const WRITE_ZEROES: u64 = 1 << 14;
}

/// Request types [VIRTIO-1.3 §5.2.6].
pub(super) mod request {
    pub(crate) const IN: u32 = 0;
    pub(crate) const OUT: u32 = 1;
    pub(crate) const FLUSH: u32 = 4;
    pub(crate) const GET_ID: u32 = 8;
    pub(crate) const DISCARD: u32 = 11;
    pub(crate) const WRITE_ZEROES: u32 = 13;
}

/// Bytes of the header of a request: type, a reserved word, sector.
pub(super) const HEADER_LEN: usize = 16;
/// Bytes of one range of a discard or write-zeroes request: sector, count, flags.
pub(super) const RANGE_LEN: usize = 16;
/// Flag of such a range: its storage may be freed.
pub(super) const UNMAP: u32 = 1;

/// The last byte of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Status {
    Ok = 0,
    IoErr = 1,
    Unsupp = 2,
}

/// Descriptors in a queue.
pub(super) const QUEUE_SIZE: u16 = 256;
/// Data segments of one request: the queue less header and status.
const SEG_MAX: u32 = QUEUE_SIZE as u32 - 2;
/// Bytes in one segment. With SEG_MAX, keeps a request far below what one system call moves.
const SIZE_MAX: u32 = 4 << 20;
/// Ranges in one discard or write-zeroes request.
pub(super) const RANGES_MAX: u32 = 32;
/// Sectors in one range to discard; 2 GiB.
pub(super) const DISCARD_MAX: u32 = 4 << 20;
/// Sectors in one range of zeros; 64 MiB, because a file system may make us write them.
pub(super) const ZEROES_MAX: u32 = 128 << 10;
/// The unit of discarding, in sectors: what most file systems can free.
const DISCARD_ALIGN: u32 = 8;
/// log2 of the logical blocks in a physical one: 4 KiB.
const PHYSICAL_BLOCK_EXP: u8 = 3;

/// The configuration space [VIRTIO-1.3 §5.2.4] of a disk with `sectors` sectors.
pub(super) fn config(sectors: u64) -> [u8; 60] {
    let mut space = [0; 60];
    space[0..8].copy_from_slice(&sectors.to_le_bytes());
    space[8..12].copy_from_slice(&SIZE_MAX.to_le_bytes());
    space[12..16].copy_from_slice(&SEG_MAX.to_le_bytes());
    // 16..20: geometry, not offered.
    space[20..24].copy_from_slice(&512u32.to_le_bytes());
    space[24] = PHYSICAL_BLOCK_EXP;
    // 25: no offset of the first aligned block; 26..28: smallest good transfer in blocks;
    // 28..32: best transfer, not known.
    space[26..28].copy_from_slice(&(1u16 << PHYSICAL_BLOCK_EXP).to_le_bytes());
    // 32: write cache, not switchable; 34..36: number of queues, not offered.
    space[36..40].copy_from_slice(&DISCARD_MAX.to_le_bytes());
    space[40..44].copy_from_slice(&RANGES_MAX.to_le_bytes());
    space[44..48].copy_from_slice(&DISCARD_ALIGN.to_le_bytes());
    space[48..52].copy_from_slice(&ZEROES_MAX.to_le_bytes());
    space[52..56].copy_from_slice(&RANGES_MAX.to_le_bytes());
    // write_zeroes_may_unmap.
    space[56] = 1;
    space
}
