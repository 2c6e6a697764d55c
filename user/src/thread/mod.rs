//! A guest thread on its host thread.

use std::sync::Arc;

use crate::{Isa, Mem, Process};

/// A guest thread; belongs to the host thread that runs it.
pub struct Thread<G: Isa> {
    /// The process.
    pub process: Arc<Process<G>>,
    /// Its registers, and what executes them.
    pub vcpu: tcg::Vcpu<G>,
    /// The thread's number, as the host's kernel has it.
    pub tid: i32,
}

impl<G: Isa> Thread<G> {
    /// The registers.
    pub fn state(&mut self) -> &mut G::State {
        &mut self.vcpu.core().state
    }

    /// The process's memory.
    pub fn mem(&self) -> Mem {
        self.process.mem
    }
}
