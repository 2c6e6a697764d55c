//! Guest time, and the one thread that waits for it to come.
//!
//! [`MachineClock`] follows the host's monotonic clock from the machine's start, and stands still
//! while the machine is paused. It serves devices ([`Clock`]) and vCPUs ([`VcpuClock`]). The
//! thread sleeps until the earliest deadline there is, so an idle machine costs nothing; it starts
//! with the first deadline, and a machine whose accelerator has the guest's timers may have none.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::*};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use accel::VcpuClock;
use devices::clock::{Clock, Timer};

/// Who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Vcpu(u32),
    Timer(u64),
}

type Fire = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Wheel {
    /// Deadlines in order.
    queue: BTreeSet<(u64, Key)>,
    /// The deadline of each that has one.
    deadlines: BTreeMap<Key, u64>,
    timers: BTreeMap<u64, Fire>,
    next_timer: u64,
    /// The thread sleeps until then; `u64::MAX` without end.
    sleeps_until: u64,
    paused: bool,
    ended: bool,
    thread: Option<JoinHandle<()>>,
}

impl Wheel {
    /// Replaces a deadline.
    fn set(&mut self, key: Key, deadline_ns: Option<u64>) {
        let old = match deadline_ns {
            Some(deadline) => self.deadlines.insert(key, deadline),
            None => self.deadlines.remove(&key),
        };
        if let Some(old) = old {
            self.queue.remove(&(old, key));
        }
        if let Some(deadline) = deadline_ns {
            self.queue.insert((deadline, key));
        }
    }

    /// Takes out the first deadline that has come.
    fn take_due(&mut self, now_ns: u64) -> Option<Key> {
        let &(deadline, key) = self.queue.first()?;
        if deadline > now_ns {
            return None;
        }
        self.set(key, None);
        Some(key)
    }
}

/// Tells a vCPU that its deadline has come.
pub(crate) type Alarm = Box<dyn Fn(u32) + Send + Sync>;
/// Told that there is no thread, so that no deadline will be kept.
pub(crate) type Failed = Box<dyn Fn(io::Error) + Send + Sync>;

struct Inner {
    wheel: Mutex<Wheel>,
    changed: Condvar,
    start: Instant,
    /// Nanoseconds spent in pauses.
    paused_ns: AtomicU64,
    /// Guest time while the machine is paused; [`RUNNING`] otherwise.
    frozen_ns: AtomicU64,
    alarm: Alarm,
    failed: Failed,
}

const RUNNING: u64 = u64::MAX;

/// See the module.
pub(crate) struct MachineClock {
    inner: Arc<Inner>,
}

impl MachineClock {
    /// A clock at zero; `alarm` is called from its thread.
    pub(crate) fn new(alarm: Alarm, failed: Failed) -> Self {
        let inner = Arc::new(Inner {
            wheel: Mutex::default(),
            changed: Condvar::new(),
            start: Instant::now(),
            paused_ns: AtomicU64::new(0),
            frozen_ns: AtomicU64::new(RUNNING),
            alarm,
            failed,
        });
        Self { inner }
    }

    /// Stops guest time.
    pub(crate) fn pause(&self) {
        let mut wheel = self.inner.wheel();
        if !wheel.paused {
            wheel.paused = true;
            self.inner.frozen_ns.store(self.inner.now_ns(), SeqCst);
            self.inner.changed.notify_all();
        }
    }

    /// Lets guest time go on from where it stopped.
    pub(crate) fn resume(&self) {
        let mut wheel = self.inner.wheel();
        if wheel.paused {
            wheel.paused = false;
            let frozen = self.inner.frozen_ns.load(SeqCst);
            self.inner.paused_ns.store(self.inner.host_ns() - frozen, SeqCst);
            self.inner.frozen_ns.store(RUNNING, SeqCst);
            self.inner.changed.notify_all();
        }
    }

    /// Ends the thread. Time still passes, but nothing fires.
    pub(crate) fn end(&self) {
        let thread = {
            let mut wheel = self.inner.wheel();
            wheel.ended = true;
            wheel.thread.take()
        };
        self.inner.changed.notify_all();
        if let Some(thread) = thread {
            // A panic of the thread was printed when it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for MachineClock {
    fn drop(&mut self) {
        self.end();
    }
}

impl Inner {
    fn wheel(&self) -> MutexGuard<'_, Wheel> {
        self.wheel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn host_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    fn now_ns(&self) -> u64 {
        match self.frozen_ns.load(Acquire) {
            RUNNING => self.host_ns().saturating_sub(self.paused_ns.load(Acquire)),
            frozen => frozen,
        }
    }

    /// Sets a deadline, and wakes the thread if it would sleep past it. A later deadline than
    /// before does not wake it: it finds out when it wakes for the old one.
    fn set(self: &Arc<Self>, key: Key, deadline_ns: Option<u64>) {
        let mut wheel = self.wheel();
        wheel.set(key, deadline_ns);
        if deadline_ns.is_some() && wheel.thread.is_none() && !wheel.ended {
            let theirs = self.clone();
            let thread =
                std::thread::Builder::new().name("clock".into()).spawn(move || theirs.serve());
            match thread {
                Ok(thread) => wheel.thread = Some(thread),
                Err(error) => {
                    drop(wheel);
                    (self.failed)(error);
                }
            }
            return;
        }
        if deadline_ns.is_some_and(|deadline| deadline < wheel.sleeps_until) {
            wheel.sleeps_until = 0;
            drop(wheel);
            self.changed.notify_all();
        }
    }

    /// The thread: fires what is due, without the lock, and sleeps until the next deadline.
    fn serve(&self) {
        let mut wheel = self.wheel();
        while !wheel.ended {
            let now = self.now_ns();
            if !wheel.paused
                && let Some(key) = wheel.take_due(now)
            {
                let fire = match key {
                    Key::Timer(id) => wheel.timers.get(&id).cloned(),
                    Key::Vcpu(_) => None,
                };
                drop(wheel);
                match (key, fire) {
                    (Key::Vcpu(vcpu), _) => (self.alarm)(vcpu),
                    (Key::Timer(_), Some(fire)) => fire(),
                    (Key::Timer(_), None) => {}
                }
                wheel = self.wheel();
                continue;
            }
            wheel = self.sleep(wheel, now);
        }
    }

    fn sleep<'a>(&self, mut wheel: MutexGuard<'a, Wheel>, now: u64) -> MutexGuard<'a, Wheel> {
        let next = wheel.queue.first().map(|first| first.0).filter(|_| !wheel.paused);
        wheel.sleeps_until = next.unwrap_or(u64::MAX);
        let mut wheel = match next {
            None => self.changed.wait(wheel).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => {
                let wait = Duration::from_nanos(deadline.saturating_sub(now));
                self.changed.wait_timeout(wheel, wait).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        wheel.sleeps_until = 0;
        wheel
    }
}

impl VcpuClock for MachineClock {
    fn now_ns(&self) -> u64 {
        self.inner.now_ns()
    }

    fn set_alarm(&self, vcpu: u32, deadline_ns: Option<u64>) {
        self.inner.set(Key::Vcpu(vcpu), deadline_ns);
    }
}

impl Clock for MachineClock {
    fn now_ns(&self) -> u64 {
        self.inner.now_ns()
    }

    fn wall_ns(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        since.as_nanos() as u64
    }

    fn timer(&self, fire: Box<dyn Fn() + Send + Sync>) -> Box<dyn Timer> {
        let mut wheel = self.inner.wheel();
        let id = wheel.next_timer;
        wheel.next_timer += 1;
        wheel.timers.insert(id, fire.into());
        Box::new(OneShot { inner: self.inner.clone(), id })
    }
}

struct OneShot {
    inner: Arc<Inner>,
    id: u64,
}

impl Timer for OneShot {
    fn arm(&self, deadline_ns: Option<u64>) {
        self.inner.set(Key::Timer(self.id), deadline_ns);
    }
}

impl Drop for OneShot {
    fn drop(&mut self) {
        let mut wheel = self.inner.wheel();
        wheel.set(Key::Timer(self.id), None);
        let fire = wheel.timers.remove(&self.id);
        drop(wheel);
        // Only now: it may own what takes the lock.
        drop(fire);
    }
}
