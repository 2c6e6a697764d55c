//! What the threads of a guest process share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::host::signals;
use crate::signal::Actions;
use crate::space::Space;
use crate::{Errno, Isa, Mem};

/// A guest process: this one.
pub struct Process<G: Isa> {
    /// Runs its code.
    pub machine: Arc<tcg::Machine<G>>,
    /// Its address space.
    pub space: Arc<Space>,
    /// Its memory.
    pub mem: Mem,
    /// What it does with signals.
    pub(crate) actions: Actions,
    /// Where handlers of signals return to, unless they say so themselves.
    sigreturn: AtomicU64,
    /// Its threads.
    pub(crate) threads: AtomicU32,
}

impl<G: Isa> Process<G> {
    /// A process without threads; faults of its code are answered from now on.
    pub fn new(machine: Arc<tcg::Machine<G>>, space: Arc<Space>) -> Result<Arc<Self>, Errno> {
        signals::install(machine.code_range())?;
        Ok(Arc::new(Self {
            machine,
            space,
            mem: Mem,
            actions: Actions::inherited(),
            sigreturn: AtomicU64::new(0),
            threads: AtomicU32::new(0),
        }))
    }

    /// Says where code is that returns from a handler, in the vDSO.
    pub fn set_sigreturn(&self, va: u64) {
        self.sigreturn.store(va, Relaxed);
    }

    pub(crate) fn sigreturn(&self) -> u64 {
        self.sigreturn.load(Relaxed)
    }

    /// Ends the process, with the status of exit(2).
    pub fn exit(&self, status: i32) -> ! {
        crate::host::thread::exit_process(status)
    }

    /// Ends the process by a signal.
    pub(crate) fn die(&self, signal: i32) -> ! {
        signals::die(signal)
    }
}
