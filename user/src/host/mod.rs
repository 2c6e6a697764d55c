//! What is asked of the host's kernel directly.

pub(crate) mod copy;
