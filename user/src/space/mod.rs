//! The guest's address space, as its system calls have made it.
//!
//! A guest address is a host address. The guest has the addresses from [`LOWEST`] to [`END`];
//! the host's loader, kernel and allocator put what is ours above. Still nothing is taken on
//! trust: where the guest has nothing yet, a mapping is made with MAP_FIXED_NOREPLACE, so it can
//! never lie over one of ours.
//!
//! The host is never asked for executable memory: guest code is data to it. Pages that code was
//! made from are made read-only while the guest may write to them (`fault.rs`).

mod areas;
mod fault;
mod heap;
mod remap;
mod shm;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

pub use areas::{EXEC, Kind, READ, WRITE};
pub use remap::Move;

use crate::Errno;
use crate::host::mapping;
use areas::Areas;

/// Bytes of a page, of all guests here and the host.
pub const PAGE: u64 = 4096;
/// The lowest address of the guest: what Linux leaves to programs without privileges.
pub const LOWEST: u64 = 0x1_0000;
/// The end of the guest's addresses: two thirds of what the host's kernel gives to a program,
/// less what keeps clear of a position-independent executable there.
pub const END: u64 = 0x5500_0000_0000;
/// MAP_32BIT takes addresses below this `[mmap(2)]`.
const LOW_END: u64 = 0x8000_0000;
/// MAP_32BIT takes addresses from here, as Linux does.
const LOW_START: u64 = 0x4000_0000;
/// Flag of mmap(2) on x86-64 alone.
pub const MAP_32BIT: i32 = 0x40;
/// Bytes of a huge page.
const HUGE_PAGE: u64 = 2 << 20;
/// Places that are tried when something of ours is in the way.
const TRIES: usize = 64;

/// The arguments of mmap(2).
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Address, or where it would be welcome.
    pub addr: u64,
    /// Bytes.
    pub len: u64,
    /// PROT flags.
    pub prot: i32,
    /// MAP flags.
    pub flags: i32,
    /// Descriptor, or -1.
    pub fd: i32,
    /// Offset in the file.
    pub offset: u64,
}

impl Request {
    /// What is stored there others may see.
    pub(crate) fn shared(&self) -> bool {
        self.flags & libc::MAP_TYPE != libc::MAP_PRIVATE
    }
}

/// Told, with its start and length, of each range whose code is not valid any more.
pub type DropCode = Box<dyn Fn(u64, u64) + Send + Sync>;

/// The guest's address space; threads share it.
pub struct Space {
    map: Mutex<Map>,
    /// The length of [`Map::coded`], to be read without the lock.
    coded: AtomicUsize,
    drop_code: OnceLock<DropCode>,
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space").field("map", &self.map).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Map {
    areas: Areas,
    /// Writable pages that are read-only on the host because code was made from them.
    coded: BTreeSet<u64>,
    /// Where the search for a place begins: what is free above is too small, or was not looked
    /// at since the last removal.
    hint: u64,
    /// Where places end, the guest's mmap_base.
    base: u64,
    /// Start and end of the heap of brk(2).
    heap: Range<u64>,
    /// Lengths of attached shared memory segments.
    segments: BTreeMap<u64, u64>,
    /// Reading implies execution (the personality of that name).
    read_executes: bool,
    /// Code made from these addresses is not valid any more; nobody was told yet.
    stale: Vec<Range<u64>>,
}

/// `value` rounded up to pages; `None` if that overflows.
pub fn page_up(value: u64) -> Option<u64> {
    Some(value.checked_add(PAGE - 1)? & !(PAGE - 1))
}

/// A range of whole pages among the guest's addresses.
fn pages(addr: u64, len: u64, error: Errno) -> Result<Range<u64>, Errno> {
    if !addr.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let len = page_up(len).ok_or(error)?;
    let end = addr.checked_add(len).ok_or(error)?;
    if end > END {
        return Err(error);
    }
    Ok(addr..end)
}

/// What the host is asked for: never execution, but the engine reads what the guest executes.
fn host_prot(prot: u8) -> i32 {
    let mut host = i32::from(prot & (READ | WRITE));
    if prot & (EXEC | WRITE) != 0 {
        host |= libc::PROT_READ;
    }
    host
}

impl Space {
    /// An empty address space whose mappings begin below `base`.
    pub fn new(base: u64) -> Self {
        let base = base.clamp(LOW_END, END) & !(PAGE - 1);
        let map = Map {
            areas: Areas::default(),
            coded: BTreeSet::new(),
            hint: base,
            base,
            heap: 0..0,
            segments: BTreeMap::new(),
            read_executes: false,
            stale: Vec::new(),
        };
        Self { map: Mutex::new(map), coded: AtomicUsize::new(0), drop_code: OnceLock::new() }
    }

    /// Says who makes code from the guest's memory. It is told of changes before anybody can make
    /// another one: a thread that maps the same addresses again must not find old code there.
    pub fn set_drop_code(&self, drop_code: DropCode) {
        // Only the first counts: a process has one engine.
        let _ = self.drop_code.set(drop_code);
    }

    /// Makes a change and has the code dropped that it made invalid.
    fn change<R>(&self, make: impl FnOnce(&mut Map) -> R) -> R {
        let mut map = self.lock();
        let result = make(&mut map);
        for range in std::mem::take(&mut map.stale) {
            if let Some(drop_code) = self.drop_code.get() {
                drop_code(range.start, range.end - range.start);
            }
        }
        self.coded.store(map.coded.len(), Relaxed);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps other threads out, for the time of a fork: the child would find their lock taken.
    pub fn pause(&self) -> impl Drop + '_ {
        self.lock()
    }

    /// mmap(2).
    pub fn map(&self, r: Request) -> Result<u64, Errno> {
        self.change(|map| map.map(r))
    }

    /// munmap(2).
    pub fn unmap(&self, addr: u64, len: u64) -> Result<(), Errno> {
        let range = pages(addr, len, Errno::EINVAL)?;
        if range.is_empty() {
            return Err(Errno::EINVAL);
        }
        self.change(|map| map.unmap(range))
    }

    /// mprotect(2).
    pub fn protect(&self, addr: u64, len: u64, prot: i32) -> Result<(), Errno> {
        self.change(|map| map.protect(addr, len, prot))
    }

    /// Reading implies execution from now on, for old programs that expect it.
    pub fn set_read_executes(&self, on: bool) {
        self.lock().read_executes = on;
    }

    /// The guest's areas, in order.
    pub fn areas(&self) -> Vec<(Range<u64>, Kind)> {
        self.lock().areas.within(0..END).collect()
    }

    /// Whether all of the range is the guest's.
    pub fn holds(&self, addr: u64, len: u64) -> bool {
        let map = self.lock();
        pages(addr & !(PAGE - 1), len.saturating_add(addr % PAGE), Errno::ENOMEM)
            .is_ok_and(|range| map.areas.is_full(range))
    }

    /// Whether some of the range is shared with other processes, or may be.
    pub fn shares(&self, addr: u64, len: u64) -> bool {
        let map = self.lock();
        let range = addr..addr.saturating_add(len).min(END).max(addr);
        map.areas.within(range).any(|(_, kind)| kind.shared)
    }

    /// Whether some of the range may be executed.
    pub fn executes(&self, range: Range<u64>) -> bool {
        self.lock().areas.executes(range)
    }

    /// The heap of brk(2).
    pub fn heap(&self) -> Range<u64> {
        self.lock().heap.clone()
    }
}

impl Map {
    fn prot(&self, prot: i32) -> u8 {
        let prot = (prot & 7) as u8;
        if self.read_executes && prot & READ != 0 { prot | EXEC } else { prot }
    }

    fn map(&mut self, r: Request) -> Result<u64, Errno> {
        if !r.offset.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        if r.len == 0 {
            // Linux looks at the descriptor first.
            if r.flags & libc::MAP_ANONYMOUS == 0 {
                mapping::check_descriptor(r.fd)?;
            }
            return Err(Errno::EINVAL);
        }
        let len = page_up(r.len).filter(|len| *len <= END).ok_or(Errno::ENOMEM)?;
        let kind = Kind {
            prot: self.prot(r.prot),
            grows: r.flags & libc::MAP_GROWSDOWN != 0,
            shared: r.shared(),
        };
        let ours = libc::MAP_FIXED | libc::MAP_FIXED_NOREPLACE | libc::MAP_GROWSDOWN | MAP_32BIT;
        let flags = r.flags & !ours;
        let host = |range: Range<u64>, how: i32| {
            mapping::map(range, host_prot(kind.prot), flags | how, r.fd, r.offset)
        };
        if r.flags & (libc::MAP_FIXED | libc::MAP_FIXED_NOREPLACE) != 0 {
            let range = pages(r.addr, r.len, Errno::ENOMEM)?;
            if r.flags & libc::MAP_FIXED_NOREPLACE != 0 && !self.areas.is_free(range.clone()) {
                return Err(Errno::EEXIST);
            }
            let claimed = self.claim(range.clone())?;
            if let Err(error) = host(range.clone(), libc::MAP_FIXED) {
                self.release(&claimed);
                return Err(error);
            }
            return Ok(self.mapped(range, kind));
        }
        let low = r.flags & MAP_32BIT != 0;
        // A kernel that takes the address as a hint only does not know the flag either.
        let take = |range| host(range, libc::MAP_FIXED_NOREPLACE).map(drop);
        match self.place(r.addr, len, low, take) {
            Ok(at) => Ok(self.mapped(at..at + len, kind)),
            Err(Errno::EINVAL) => self.map_huge(len, low, take).map(|at| self.mapped(at, kind)),
            Err(error) => Err(error),
        }
    }

    /// Memory of huge pages, which are as long as their place is aligned. Nothing but the kernel's
    /// refusal tells that a file is of such.
    fn map_huge(
        &mut self,
        len: u64,
        low: bool,
        take: impl Fn(Range<u64>) -> Result<(), Errno>,
    ) -> Result<Range<u64>, Errno> {
        let up = |value: u64| (value + HUGE_PAGE - 1) & !(HUGE_PAGE - 1);
        let len = up(len);
        let aligned = |start: u64| up(start)..up(start) + len;
        let start = self.place(0, len + HUGE_PAGE, low, |range| take(aligned(range.start)))?;
        Ok(aligned(start))
    }

    /// Finds a place for `len` bytes and has `take` map it there; tries others while that says
    /// EEXIST, because something of ours is in the way.
    fn place(
        &mut self,
        wish: u64,
        len: u64,
        low: bool,
        mut take: impl FnMut(Range<u64>) -> Result<(), Errno>,
    ) -> Result<u64, Errno> {
        if wish != 0
            && let Ok(range) = pages(wish & !(PAGE - 1), len, Errno::ENOMEM)
            && range.start >= LOWEST
            && (!low || range.end <= LOW_END)
            && self.areas.is_free(range.clone())
        {
            match take(range.clone()) {
                Ok(()) => return Ok(range.start),
                Err(Errno::EEXIST | Errno::EPERM) => {}
                Err(error) => return Err(error),
            }
        }
        let (start, mut end) = if low { (LOW_START, LOW_END) } else { (LOWEST, self.hint) };
        let mut again = !low;
        for _ in 0..TRIES {
            let Some(at) = self.areas.place_below(len, start, end) else {
                if std::mem::take(&mut again) {
                    end = self.base;
                    continue;
                }
                break;
            };
            match take(at..at + len) {
                Ok(()) => {
                    if !low {
                        self.hint = at;
                    }
                    return Ok(at);
                }
                Err(Errno::EEXIST) => end = at,
                Err(error) => return Err(error),
            }
        }
        Err(Errno::ENOMEM)
    }

    /// Makes sure that all of `range` is the guest's or nobody's, and takes what is nobody's.
    fn claim(&self, range: Range<u64>) -> Result<Vec<Range<u64>>, Errno> {
        let gaps = self.areas.gaps(range);
        for (done, gap) in gaps.iter().enumerate() {
            if let Err(error) = mapping::claim(gap.clone()) {
                self.release(&gaps[..done]);
                return Err(if error == Errno::EEXIST { Errno::ENOMEM } else { error });
            }
        }
        Ok(gaps)
    }

    /// Gives claimed ranges back.
    fn release(&self, claimed: &[Range<u64>]) {
        for gap in claimed {
            // Nothing else can be done where the kernel refuses to unmap.
            let _ = mapping::unmap(gap.clone());
        }
    }

    /// Notes that a range was mapped over whatever was there.
    fn mapped(&mut self, range: Range<u64>, kind: Kind) -> u64 {
        let at = range.start;
        self.forget(range.clone());
        self.areas.insert(range, kind);
        at
    }

    /// What was at `range` is gone or will change, and with it code that was made from it.
    fn forget(&mut self, range: Range<u64>) {
        let coded: Vec<u64> = self.coded.range(range.clone()).copied().collect();
        for page in coded {
            self.coded.remove(&page);
        }
        if self.areas.executes(range.clone()) {
            self.stale.push(range);
        }
    }

    fn unmap(&mut self, range: Range<u64>) -> Result<(), Errno> {
        let parts: Vec<_> = self.areas.within(range.clone()).map(|(part, _)| part).collect();
        for part in parts {
            mapping::unmap(part)?;
        }
        self.forget(range.clone());
        self.areas.remove(range.clone());
        self.hint = self.hint.max(range.end).min(self.base);
        Ok(())
    }

    fn protect(&mut self, addr: u64, len: u64, prot: i32) -> Result<(), Errno> {
        let range = pages(addr, len, Errno::ENOMEM)?;
        if prot & !(7 | libc::PROT_GROWSDOWN | libc::PROT_GROWSUP) != 0 {
            return Err(Errno::EINVAL);
        }
        if range.is_empty() {
            return Ok(());
        }
        // As far as there is something, as Linux does; then the error.
        let full = match self.areas.gaps(range.clone()).first() {
            Some(gap) => range.start..gap.start,
            None => range.clone(),
        };
        if !full.is_empty() {
            let prot = self.prot(prot);
            mapping::protect(full.clone(), host_prot(prot))?;
            self.forget(full.clone());
            self.areas.protect(full.clone(), prot);
        }
        if full == range { Ok(()) } else { Err(Errno::ENOMEM) }
    }
}

#[cfg(test)]
mod tests;
