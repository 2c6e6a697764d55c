//! What is asked of the host's kernel directly.

pub(crate) mod copy;
pub(crate) mod pipe;
pub(crate) mod signals;
pub(crate) mod thread;
