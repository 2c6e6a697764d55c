//! What the threads of a guest process share.

use std::sync::Arc;

use crate::space::Space;
use crate::{Isa, Mem};

/// A guest process: this one.
pub struct Process<G: Isa> {
    /// Runs its code.
    pub machine: Arc<tcg::Machine<G>>,
    /// Its address space.
    pub space: Space,
    /// Its memory.
    pub mem: Mem,
}
