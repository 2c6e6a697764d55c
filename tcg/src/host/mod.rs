//! Hosts that guest code can be translated for.

#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{ForkedCode, HOST, Native, direct};
#[cfg(target_arch = "x86_64")]
pub use x86_64::{context, syscall};

#[cfg(not(translator))]
mod none;

#[cfg(not(translator))]
pub(crate) use none::{ForkedCode, HOST, Native, direct};
#[cfg(not(translator))]
pub use none::{context, syscall};

/// The translator of this host could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("memory for translated code could not be had ({0}); use the interpreter instead")]
pub struct NativeError(#[from] std::io::Error);
