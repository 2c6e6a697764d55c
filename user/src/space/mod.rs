//! The guest's address space, as its system calls have made it.

/// See the module.
#[derive(Debug, Default)]
pub struct Space {}
