//! Threads that drive virtio devices.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use devices::virtio::{QueueWorker, WorkerStop};

use crate::error::Error;
use crate::machine::control::{Control, Event};

/// A device's worker, with a thread or without.
pub(crate) struct Worker {
    name: String,
    stop: WorkerStop,
    state: State,
}

enum State {
    Idle(QueueWorker),
    Running(JoinHandle<io::Result<QueueWorker>>),
    /// Its thread failed, and took it away.
    Lost,
}

impl Worker {
    /// A worker without a thread, for the device called `name`.
    pub(crate) fn new(name: String, worker: QueueWorker) -> Self {
        Self { name, stop: worker.stop_handle(), state: State::Idle(worker) }
    }

    /// Starts its thread. A failure of the thread ends the machine.
    pub(crate) fn start(&mut self, control: &Arc<Control>) -> Result<(), Error> {
        self.state = match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(worker) => {
                let guard = Guard { control: control.clone(), name: self.name.clone() };
                let thread = std::thread::Builder::new()
                    .name(self.name.clone())
                    .spawn(move || guard.watch(worker))
                    .map_err(|source| Error::Host { what: "a thread", source })?;
                State::Running(thread)
            }
            other => other,
        };
        Ok(())
    }

    /// Ends its thread; the device is at rest then.
    pub(crate) fn stop(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Lost) {
            State::Running(thread) => {
                self.stop.stop();
                match thread.join() {
                    Ok(Ok(worker)) => State::Idle(worker),
                    // The guard has told of it.
                    Ok(Err(_)) | Err(_) => State::Lost,
                }
            }
            other => other,
        };
    }
}

/// Tells the machine of a thread that ends by itself.
struct Guard {
    control: Arc<Control>,
    name: String,
}

impl Guard {
    fn watch(self, worker: QueueWorker) -> io::Result<QueueWorker> {
        worker.run().inspect_err(|error| {
            let source = io::Error::new(error.kind(), error.to_string());
            let what = "to poll the signals of a virtio device";
            self.control.post(Event::Error(Error::Host { what, source }));
        })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.control.post(Event::Error(Error::Panic(self.name.clone())));
        }
    }
}
