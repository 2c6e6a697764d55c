//! What the integration tests and the benchmarks share: where things are in the repository.

mod repository;

pub use repository::{root, tracked_files};
