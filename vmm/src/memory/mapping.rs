//! Host memory behind guest memory: the only unsafe code of this crate.
#![expect(unsafe_code, reason = "memfds, advice on memory, the promise to accelerators")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::Arc;

use accel::HostMemory;
use devices::dma::DmaBitmap;
use vm_memory::mmap::MmapRegionBuilder;
use vm_memory::{FileOffset, GuestAddress, GuestMemoryRegion, GuestRegionMmap};

use super::Want;

/// A mapped piece of guest memory.
pub(super) type Region = GuestRegionMmap<DmaBitmap>;

/// Where the host's kernel says whether files in memory get huge pages.
const SHARED_HUGE: &str = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

/// From here on, huge pages are worth asking for.
const HUGE: usize = 2 << 20;

/// What guest memory is made of.
pub(super) enum Backing {
    /// A file without a name, which other processes could map, too.
    Memfd(Arc<File>),
    /// Memory of this process alone.
    Anonymous,
}

impl Backing {
    /// For `len` bytes of memory. Most hosts give files in memory no huge pages, and a guest that
    /// takes a fault for each of its small pages boots half as fast: its memory is anonymous
    /// there.
    pub(super) fn best(len: u64) -> io::Result<Self> {
        let shared = std::fs::read_to_string(SHARED_HUGE);
        if shared.is_ok_and(|text| text.contains("[never]") || text.contains("[deny]")) {
            return Ok(Self::Anonymous);
        }
        Self::memfd(len)
    }

    /// A new file, `len` bytes of zeros; its pages are touched when they are used.
    pub(super) fn memfd(len: u64) -> io::Result<Self> {
        // SAFETY: the name is a terminated string; the call touches no other memory.
        let fd = unsafe { libc::memfd_create(c"polyvisor-guest".as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded: the descriptor is open, and nobody else's.
        let file = unsafe { File::from_raw_fd(fd) };
        file.set_len(len)?;
        Ok(Self::Memfd(Arc::new(file)))
    }

    /// Maps what lies at `offset`, all zero.
    pub(super) fn map(&self, offset: u64, want: Want, bitmap: DmaBitmap) -> io::Result<Region> {
        let len = usize::try_from(want.len).map_err(io::Error::other)?;
        let builder = MmapRegionBuilder::new_with_bitmap(len, bitmap)
            .with_mmap_prot(libc::PROT_READ | libc::PROT_WRITE);
        let region = match self {
            Self::Memfd(file) => builder
                .with_file_offset(FileOffset::from_arc(file.clone(), offset))
                .with_mmap_flags(libc::MAP_SHARED | libc::MAP_NORESERVE),
            Self::Anonymous => builder
                .with_mmap_flags(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE),
        };
        let region = region.build().map_err(|e| io::Error::other(e.to_string()))?;
        if len >= HUGE {
            // A hint, so what the host says to it does not matter.
            // SAFETY: the range is the region's, and the advice changes no byte.
            unsafe { libc::madvise(region.as_ptr().cast(), len, libc::MADV_HUGEPAGE) };
        }
        Region::new(region, GuestAddress(want.gpa))
            .ok_or_else(|| io::Error::other("the addresses do not fit into 64 bits"))
    }

    /// Makes a region zero by giving its pages back to the host. Nothing may use it meanwhile.
    pub(super) fn clear(&self, offset: u64, region: &Region) -> io::Result<()> {
        let len = region.len();
        let done = match self {
            Self::Memfd(file) => {
                let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
                let (offset, len) = (offset as libc::off_t, len as libc::off_t);
                // SAFETY: the call touches no memory but the file's pages, which stay mapped.
                unsafe { libc::fallocate(file.as_raw_fd(), mode, offset, len) }
            }
            Self::Anonymous => {
                let start = region.get_mmap().as_ptr().cast();
                // SAFETY: the range is the region's, whose bytes become zero: guest memory, to
                // which there are no references, only accesses.
                unsafe { libc::madvise(start, len as usize, libc::MADV_DONTNEED) }
            }
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// A region as accelerators want it.
pub(super) struct Mapping(pub(super) Arc<Region>);

// SAFETY: the region owns a readable and writable mapping of `len` bytes, which starts at a page
// and stays where it is until the region is dropped, and the value keeps the region.
unsafe impl HostMemory for Mapping {
    fn as_ptr(&self) -> *mut u8 {
        self.0.get_mmap().as_ptr()
    }

    fn len(&self) -> usize {
        self.0.get_mmap().size()
    }
}
