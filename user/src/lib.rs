//! Linux user mode: runs one Linux program of another architecture.
//!
//! Guest virtual addresses are host addresses, and a guest thread is a host thread: most system
//! calls pass through as they are. What differs by architecture is behind [`Isa`].

pub mod binfmt;
mod clock;
mod errno;
mod executable;
mod host;
pub mod isa;
mod limits;
pub mod loader;
mod mem;
mod options;
mod proc;
mod process;
pub mod signal;
pub mod space;
mod start;
mod strace;
pub mod syscalls;
mod sysroot;
pub mod thread;

pub use errno::Errno;
pub use isa::Isa;
pub use limits::Limits;
pub use mem::{Mem, Plain};
pub use options::Options;
pub use process::{Image, Process};
pub use start::{Start, StartError, run};
pub use sysroot::Sysroot;
pub use thread::Thread;
