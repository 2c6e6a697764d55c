//! What the threads of a machine tell each other: that it is to pause, and how it ended.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
    /// Another VM takes the running guest over. Any other event goes first.
    Handover,
}

#[derive(Default)]
struct State {
    event: Option<Event>,
    /// No life follows.
    ended: bool,
    paused: bool,
    /// vCPUs of this life that are still to be made.
    unmade: u32,
    /// vCPU threads that wait in [`Control::checkpoint`].
    waiting: u32,
    /// vCPU threads of this life that run no more.
    stopped: u32,
    /// Lives that ended in a handover.
    handovers: u64,
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

    /// A new life begins, with `vcpus` vCPUs.
    pub(crate) fn begin(&self, vcpus: u32) {
        let mut state = self.state();
        (state.unmade, state.stopped) = (vcpus, 0);
    }

    /// For vCPU threads: one more of them is made.
    pub(crate) fn vcpu_made(&self) {
        self.state().unmade -= 1;
        self.changed.notify_all();
    }

    /// Ends this life; if several want that, the first is heard.
    pub(crate) fn post(&self, event: Event) {
        let mut state = self.state();
        if matches!(state.event, None | Some(Event::Handover)) {
            tracing::debug!(?event, "the machine's life ends");
            state.event = Some(event);
        }
        drop(state);
        self.changed.notify_all();
        self.link.kick_all();
    }

    /// For vCPU threads, before they run guest code: waits while the machine is paused, and until
    /// all vCPUs are made, since one may start another as soon as it runs.
    pub(crate) fn checkpoint(&self) -> Next {
        let mut state = self.state();
        state.waiting += 1;
        self.changed.notify_all();
        while (state.paused || state.unmade > 0) && state.event.is_none() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        if state.event.is_some() { Next::End } else { Next::Run }
    }

    /// For vCPU threads: this one runs no more in this life.
    pub(crate) fn vcpu_stopped(&self) {
        self.state().stopped += 1;
        self.changed.notify_all();
    }

    /// For vCPU threads: waits until none of `vcpus` runs, so that none changes another. Whether
    /// the guest lives on, under another VM.
    pub(crate) fn all_stopped(&self, vcpus: u32) -> bool {
        let mut state = self.state();
        while state.stopped < vcpus {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        matches!(state.event, Some(Event::Handover))
    }

    /// Stops all of `vcpus` vCPUs between two instructions, and the time that they have without
    /// the machine's clock; false if the machine ends instead.
    pub(crate) fn pause(&self, vcpus: u32) -> bool {
        let mut state = self.state();
        state.paused = true;
        self.link.kick_all();
        // If this life is about to end, the vCPUs of the next one come to the checkpoint.
        while state.waiting < vcpus && !state.ended {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.ended {
            self.link.stop_time();
        }
        !state.ended
    }

    pub(crate) fn resume(&self) {
        let mut state = self.state();
        self.link.start_time();
        state.paused = false;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for the end of this life. The event stays, so that all vCPU threads see it. With
    /// `handover` this life ends in one when its vCPUs have run for so long.
    pub(crate) fn wait(&self, handover: Option<Duration>) {
        let mut state = self.state();
        let mut deadline = None;
        while state.event.is_none() {
            let Some(every) = handover.filter(|_| state.unmade == 0 && !state.paused) else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + every);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.event = Some(Event::Handover);
            } else {
                let waited = self.changed.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The machine has ended.
    pub(crate) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    /// Takes the event out, once the vCPU threads are gone.
    pub(crate) fn take(&self) -> Option<Event> {
        let mut state = self.state();
        let event = state.event.take();
        if matches!(event, Some(Event::Handover)) {
            state.handovers += 1;
            tracing::debug!("handover {}", state.handovers);
        }
        event
    }

    /// How often another VM took the guest over.
    #[cfg(test)]
    pub(crate) fn handovers(&self) -> u64 {
        self.state().handovers
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
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
        control.wait(None);
        assert!(matches!(control.take(), Some(Event::Exit(3))));
        assert_eq!(control.checkpoint(), Next::Run);
    }

    #[test]
    fn no_vcpu_runs_before_all_are_made() {
        let control = control();
        control.begin(2);
        let theirs = control.clone();
        let (sender, running) = mpsc::channel();
        let first = thread::spawn(move || {
            theirs.vcpu_made();
            assert_eq!(theirs.checkpoint(), Next::Run);
            sender.send(()).unwrap();
        });
        // It waits in the checkpoint, as in a pause.
        assert!(control.pause(1) && running.try_recv().is_err());
        control.resume();
        control.vcpu_made();
        first.join().unwrap();
        assert_eq!(running.recv(), Ok(()));
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
        control.take();
        control.end();
        assert!(!control.pause(1));
    }
}
