//! What the threads of a machine tell each other: that it is to pause, and how it ended.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::link::Link;
use crate::error::Error;

/// What ends the present life of a machine.
#[derive(Debug)]
pub(crate) enum Event {
    /// The guest switched the machine off.
    PowerOff,
    /// The guest restarts the machine.
    Reset,
    /// The guest switched the machine off because something is wrong with it.
    Failed,
    /// The guest reports a status.
    Exit(u32),
    /// A vCPU cannot go on.
    Crashed(String),
    /// The user wants it to end.
    Quit,
    /// We cannot go on.
    Error(Error),
}

#[derive(Default)]
struct State {
    event: Option<Event>,
    paused: bool,
    /// vCPU threads that wait in [`Control::checkpoint`].
    waiting: u32,
}

/// See the module.
pub(crate) struct Control {
    state: Mutex<State>,
    changed: Condvar,
    link: Arc<Link>,
}

/// What a vCPU thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Run,
    End,
}

impl Control {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), link }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends this life; if several want that, the first is heard.
    pub(crate) fn post(&self, event: Event) {
        let mut state = self.state();
        if state.event.is_none() {
            tracing::debug!(?event, "the machine's life ends");
            state.event = Some(event);
        }
        drop(state);
        self.changed.notify_all();
        self.link.kick_all();
    }

    /// For vCPU threads, before they run guest code: waits while the machine is paused.
    pub(crate) fn checkpoint(&self) -> Next {
        let mut state = self.state();
        state.waiting += 1;
        self.changed.notify_all();
        while state.paused && state.event.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        if state.event.is_some() { Next::End } else { Next::Run }
    }

    /// Stops all of `vcpus` vCPUs between two instructions; false if the machine ends instead.
    pub(crate) fn pause(&self, vcpus: u32) -> bool {
        let mut state = self.state();
        state.paused = true;
        self.link.kick_all();
        while state.waiting < vcpus && state.event.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.event.is_none()
    }

    pub(crate) fn resume(&self) {
        self.state().paused = false;
        self.changed.notify_all();
    }

    /// Waits for the end of this life. The event stays, so that all vCPU threads see it.
    pub(crate) fn wait(&self) {
        let mut state = self.state();
        while state.event.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes the event out, once the vCPU threads are gone.
    pub(crate) fn take(&self) -> Option<Event> {
        self.state().event.take()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn control() -> Arc<Control> {
        Arc::new(Control::new(Arc::default()))
    }

    #[test]
    fn the_first_event_is_heard() {
        let control = control();
        control.post(Event::Exit(3));
        control.post(Event::PowerOff);
        assert_eq!(control.checkpoint(), Next::End);
        control.wait();
        assert!(matches!(control.take(), Some(Event::Exit(3))));
        assert_eq!(control.checkpoint(), Next::Run);
    }

    #[test]
    fn a_pause_holds_vcpus_until_it_is_over() {
        let control = control();
        let theirs = control.clone();
        // Goes through checkpoints until the end, as a vCPU that is kicked all the time.
        let vcpu = thread::spawn(move || while theirs.checkpoint() == Next::Run {});
        assert!(control.pause(1));
        assert_eq!(control.state().waiting, 1);
        control.resume();
        assert!(control.pause(1));
        control.post(Event::Quit);
        vcpu.join().unwrap();
        assert!(!control.pause(1));
    }
}
