//! The loop that every virtio device runs on a thread of `vmm`'s.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use vmm_sys_util::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EventFd};

use super::shared::{Shared, clear, set};
use super::worker_poll::poll;

/// Drives one device: waits for its queues' notifications and its back end's descriptors, and
/// lets the device work. Without a thread, [`QueueWorker::turn`] does one round.
pub struct QueueWorker {
    shared: Arc<Shared>,
    stop: Arc<EventFd>,
    /// What the back end waits for, as of the end of the last round.
    backend: Vec<(RawFd, i16)>,
    fds: Vec<libc::pollfd>,
    timeout_ms: i32,
}

/// Stops a running [`QueueWorker`] from another thread.
#[derive(Clone)]
pub struct WorkerStop(Arc<EventFd>);

impl WorkerStop {
    /// Makes [`QueueWorker::run`] return after its present round, at once if it waits.
    pub fn stop(&self) {
        set(&self.0);
    }
}

/// How a round of a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// The device had its turn.
    Worked,
    /// The worker was asked to stop.
    Stopped,
}

impl QueueWorker {
    pub(super) fn new(shared: Arc<Shared>) -> io::Result<Self> {
        let stop = Arc::new(EventFd::new(EFD_CLOEXEC | EFD_NONBLOCK)?);
        // The first round waits for nothing: the queues may have been live for long.
        Ok(Self { shared, stop, backend: Vec::new(), fds: Vec::new(), timeout_ms: 0 })
    }

    /// A handle to stop it by.
    pub fn stop_handle(&self) -> WorkerStop {
        WorkerStop(self.stop.clone())
    }

    /// Works until stopped, and gives the worker back: it may run again. While no worker runs,
    /// the device touches neither guest memory nor its back end, and its state may be saved.
    pub fn run(mut self) -> io::Result<Self> {
        // Things may have happened while no worker ran.
        self.timeout_ms = 0;
        while self.turn(None)? == Round::Worked {}
        Ok(self)
    }

    /// One round: waits for something to do, at most `limit_ms`, and does it.
    pub fn turn(&mut self, limit_ms: Option<u32>) -> io::Result<Round> {
        let limit = limit_ms.map_or(-1, |ms| ms.min(i32::MAX as u32) as i32);
        let timeout_ms = match (self.timeout_ms, limit) {
            (-1, other) | (other, -1) => other,
            (own, limit) => own.min(limit),
        };
        if self.wait(timeout_ms)? == Round::Stopped {
            return Ok(Round::Stopped);
        }
        self.work();
        Ok(Round::Worked)
    }

    fn wait(&mut self, timeout_ms: i32) -> io::Result<Round> {
        let shared = &*self.shared;
        let own = [&*self.stop, &shared.wake];
        self.fds.clear();
        self.fds.extend(
            own.into_iter()
                .chain(&shared.doorbells)
                .map(|event| (event.as_raw_fd(), libc::POLLIN))
                .chain(self.backend.iter().copied())
                .map(|(fd, events)| libc::pollfd { fd, events, revents: 0 }),
        );
        poll(&mut self.fds, timeout_ms)?;
        if self.fds[0].revents != 0 {
            clear(&self.stop);
            return Ok(Round::Stopped);
        }
        let signals = std::iter::once(&shared.wake).chain(&shared.doorbells);
        for (event, _) in signals.zip(&self.fds[1..]).filter(|(_, fd)| fd.revents != 0) {
            clear(event);
        }
        Ok(Round::Worked)
    }

    fn work(&mut self) {
        let mut device = self.shared.enter_as_worker();
        self.backend.clear();
        self.timeout_ms = -1;
        if self.shared.is_broken() {
            return;
        }
        match device.process() {
            Ok(turn) => {
                if turn.config_changed {
                    self.shared.config_changed();
                }
                self.timeout_ms = match (turn.again, turn.wait_ms) {
                    (true, _) => 0,
                    (false, Some(ms)) => ms.min(i32::MAX as u64) as i32,
                    (false, None) => -1,
                };
                device.poll_fds(&mut self.backend);
            }
            Err(error) => self.shared.fail(&mut **device, &error),
        }
    }
}
