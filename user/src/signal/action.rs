//! What a process does with each signal.

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

/// The actions of a process.
pub(crate) struct Actions {
    all: Mutex<[Action; SIGNALS as usize]>,
}

impl Actions {
    /// As the program that started this one left them.
    pub(crate) fn inherited() -> Self {
        let action = |at: usize| {
            let handler = if signals::is_ignored(at as i32 + 1) { IGNORE } else { DEFAULT };
            Action { handler, ..Action::default() }
        };
        Self { all: Mutex::new(std::array::from_fn(action)) }
    }

    /// The same for another process.
    pub(crate) fn copy(&self) -> Self {
        Self { all: Mutex::new(*self.lock()) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, [Action; SIGNALS as usize]> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, signal: i32) -> Action {
        self.lock()[signal as usize - 1]
    }

    /// The action for a signal that has come; one for a single time is the default from now on.
    pub(crate) fn take(&self, signal: i32) -> Action {
        let mut all = self.lock();
        let action = all[signal as usize - 1];
        if action.flags & SA_RESETHAND != 0 && action.handler > IGNORE {
            all[signal as usize - 1].handler = DEFAULT;
        }
        action
    }

    /// Sets an action; the host's follows.
    pub(crate) fn set(&self, signal: i32, action: Action) -> Result<Action, Errno> {
        let mut all = self.lock();
        signals::set_disposition(signal, disposition(&action))?;
        Ok(std::mem::replace(&mut all[signal as usize - 1], action))
    }

    /// The host's action follows the guest's.
    pub(crate) fn sync(&self, signal: i32) {
        let all = self.lock();
        // It was set before: it can be.
        let _ = signals::set_disposition(signal, disposition(&all[signal as usize - 1]));
    }

    /// As execve(2) leaves them: what was caught is not any more.
    pub(crate) fn reset(&self) {
        let mut all = self.lock();
        for (at, action) in all.iter_mut().enumerate().filter(|(_, a)| a.handler > IGNORE) {
            *action = Action::default();
            let _ = signals::set_disposition(at as i32 + 1, Disposition::Default);
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
