//! What the integration tests and the benchmarks share: where things are in the repository, the
//! guests that `./x guest` fetches, and machines that run in a child process.

mod guest;
mod machine;
mod repository;

pub use guest::{Guest, guest};
pub use machine::{CpuTime, Line, Machine, MachineError, private_memory_kib};
pub use repository::{in_laboratory, polyvisor, root, tracked_files};
