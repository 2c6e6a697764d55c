//! What is asked of the host's kernel directly.

pub(crate) mod call;
pub(crate) mod heap;
pub(crate) mod identity;
pub(crate) mod limits;
pub(crate) mod mapping;
pub(crate) mod signals;
pub(crate) mod thread;
pub(crate) mod time;
