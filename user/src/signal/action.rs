//! What a process does with each signal.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Errno;
use crate::host::signals::{self, Disposition};

/// [`Action::handler`]: the default.
pub(crate) const DEFAULT: u64 = 0;
/// [`Action::handler`]: nothing.
pub(crate) const IGNORE: u64 = 1;

/// The handler runs on the alternate stack.
pub(crate) const SA_ONSTACK: u64 = 0x0800_0000;
/// The signal is not blocked in its handler.
pub(crate) const SA_NODEFER: u64 = 0x4000_0000;
/// The action becomes the default when the signal comes.
pub(crate) const SA_RESETHAND: u64 = 0x8000_0000;

/// Signals are numbered from 1 to this.
pub(crate) const SIGNALS: i32 = 64;

/// struct sigaction as the kernel keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) handler: u64,
    pub(crate) flags: u64,
    /// Where handlers return to, on architectures whose programs say that; 0 otherwise.
    pub(crate) restorer: u64,
    pub(crate) mask: u64,
}

/// The actions of a process; at first as the program that started this one left them.
#[derive(Default)]
pub(crate) struct Actions {
    all: Mutex<All>,
}

/// The actions that the guest has asked for; those of the others are the host's.
#[derive(Clone, Default)]
pub(crate) struct All(BTreeMap<i32, Action>);

impl All {
    fn get(&mut self, signal: i32) -> &mut Action {
        self.0.entry(signal).or_insert_with(|| {
            let handler = if signals::is_ignored(signal) { IGNORE } else { DEFAULT };
            Action { handler, ..Action::default() }
        })
    }
}

impl Actions {
    /// The same for another process.
    pub(crate) fn copy(&self) -> Self {
        Self { all: Mutex::new(self.lock().clone()) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, signal: i32) -> Action {
        *self.lock().get(signal)
    }

    /// The action for a signal that has come; one for a single time is the default from now on.
    pub(crate) fn take(&self, signal: i32) -> Action {
        let mut all = self.lock();
        let entry = all.get(signal);
        let action = *entry;
        if action.flags & SA_RESETHAND != 0 && action.handler > IGNORE {
            entry.handler = DEFAULT;
        }
        action
    }

    /// Sets an action; the host's follows.
    pub(crate) fn set(&self, signal: i32, action: Action) -> Result<Action, Errno> {
        let mut all = self.lock();
        // First: the host is asked what it was.
        let entry = all.get(signal);
        signals::set_disposition(signal, disposition(&action))?;
        Ok(std::mem::replace(entry, action))
    }

    /// The host's action follows the guest's.
    pub(crate) fn sync(&self, signal: i32) {
        let mut all = self.lock();
        // It was set before: it can be.
        let _ = signals::set_disposition(signal, disposition(all.get(signal)));
    }

    /// As execve(2) leaves them: what was caught is not any more.
    pub(crate) fn reset(&self) {
        let mut all = self.lock();
        for (signal, action) in all.0.iter_mut().filter(|(_, a)| a.handler > IGNORE) {
            *action = Action::default();
            let _ = signals::set_disposition(*signal, Disposition::Default);
        }
    }
}

fn disposition(action: &Action) -> Disposition {
    match action.handler {
        DEFAULT => Disposition::Default,
        IGNORE => Disposition::Ignore,
        _ => Disposition::Catch(action.flags),
    }
}
