//! Linux user mode: runs one Linux program of another architecture.
//!
//! Guest virtual addresses are host addresses, and a guest thread is a host thread: most system
//! calls pass through as they are. What differs by architecture is behind [`Isa`].

mod errno;
mod host;
pub mod isa;
mod mem;
mod process;
pub mod signal;
pub mod space;
pub mod thread;

pub use errno::Errno;
pub use isa::Isa;
pub use mem::{Mem, Plain};
pub use process::Process;
pub use thread::Thread;
