//! A process in user mode that splits in two: the child has a copy of everything but the threads.

use std::sync::MutexGuard;

use crate::cache::Standing;
use crate::guest::Guest;
use crate::host::{ForkedCode, NativeError};
use crate::learnt::{Learnt, Pages};
use crate::machine::Machine;

/// The engine while the process splits: nobody else is in the middle of anything. Dropping it lets
/// the others go on.
pub struct StandStill<'a, G: Guest> {
    machine: &'a Machine<G>,
    code: Option<ForkedCode<'a, G>>,
    _cache: Standing<'a, G>,
    _pages: Option<MutexGuard<'a, Pages>>,
    _queues: Vec<crate::vcpu::QueueGuard<'a, G>>,
}

impl<G: Guest> Machine<G> {
    /// Waits until no thread is in the middle of a change, and keeps them from the next one. The
    /// caller's thread must not be inside `run`.
    ///
    /// # Errors
    /// If there is no memory for the child's translated code.
    pub fn stand_still(&self) -> Result<StandStill<'_, G>, NativeError> {
        // In the order in which they are locked elsewhere.
        let mut code = self.cache.native.as_ref().map(|native| native.before_fork());
        let cache = self.cache.stand_still();
        // Blocks die under the locks of the cache: the copy has no dead one that looks alive.
        if let Some(code) = &mut code {
            code.copy()?;
        }
        let pages = self.cache.learnt.as_ref().map(Learnt::stand_still);
        let queues = (0..self.vcpus()).map(|v| self.signals(v).stand_still()).collect();
        Ok(StandStill { machine: self, code, _cache: cache, _pages: pages, _queues: queues })
    }
}

impl<G: Guest> StandStill<'_, G> {
    /// In the child: of the vCPUs only number `index` is left, and the code is its own.
    pub fn resume_in_child(self, index: u32) {
        for other in (0..self.machine.vcpus()).filter(|&v| v != index) {
            self.machine.signals(other).leave();
            self.machine.cell(other).abandon();
        }
        self.machine.alone.end();
        if let Some(learnt) = &self.machine.cache.learnt {
            learnt.in_child();
        }
        if let Some(code) = self.code {
            code.in_child();
        }
    }
}
