//! Guest memory as translated and interpreted code reaches it.
//!
//! [`ram`] finds the host memory behind a guest-physical address, [`pages`] knows what each page
//! is used for, [`tlb`] remembers translations where host code can look them up, [`access`] is
//! the slow path of every access, and [`host`] is the only place that touches guest memory. In
//! user mode all of that is [`user`]: guest addresses are host addresses.

pub mod access;
mod bulk;
pub mod host;
pub mod pages;
pub mod ram;
pub mod tlb;
pub mod user;
mod wide;

/// Log2 of the page size that the engine works in.
pub const PAGE_BITS: u32 = 12;
/// Bytes of a page.
pub const PAGE_SIZE: u64 = 1 << PAGE_BITS;
/// The bits of an address inside its page.
pub const PAGE_MASK: u64 = PAGE_SIZE - 1;
