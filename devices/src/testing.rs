//! Stand-ins for what the machine gives a device: a clock that moves when told, and a sink that
//! remembers the level of every line. For tests of this crate and of its users, and for the
//! specimens of [`crate::registry`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use crate::bus::lock;
use crate::clock::{Clock, Timer};
use crate::irq::{IrqLine, IrqSink};

/// Wall-clock time at which every [`TestClock`] starts: 2024-01-01 00:00:00 UTC, in nanoseconds.
pub const TEST_EPOCH_NS: u64 = 1_704_067_200_000_000_000;

/// More firings than this in one [`TestClock::advance`] is a timer that re-arms itself for ever.
const TIMER_STORM: usize = 100_000;

type Fire = Arc<dyn Fn() + Send + Sync>;

struct TimerSlot {
    deadline_ns: Option<u64>,
    fire: Fire,
}

#[derive(Default)]
struct ClockState {
    now_ns: u64,
    wall_shift_ns: i64,
    next_id: u64,
    timers: BTreeMap<u64, TimerSlot>,
}

/// A clock that stands still until [`TestClock::advance`].
#[derive(Default)]
pub struct TestClock {
    state: Arc<Mutex<ClockState>>,
}

impl TestClock {
    /// A clock at zero.
    pub fn new() -> Arc<Self> {
        Self::starting_at(0)
    }

    /// A clock at `now_ns`.
    pub fn starting_at(now_ns: u64) -> Arc<Self> {
        let clock = Self::default();
        lock(&clock.state).now_ns = now_ns;
        Arc::new(clock)
    }

    /// Moves time forward and fires, in order of their deadlines, the timers that come due; each
    /// sees its own deadline as the present. Zero fires what is due already.
    ///
    /// # Panics
    /// When timers keep re-arming themselves for a time that has come.
    pub fn advance(&self, ns: u64) {
        let end = lock(&self.state).now_ns.saturating_add(ns);
        for _ in 0..TIMER_STORM {
            match self.take_due(end) {
                Some(fire) => fire(),
                None => {
                    lock(&self.state).now_ns = end;
                    return;
                }
            }
        }
        panic!("timers are re-armed for the past without end");
    }

    /// Shifts the wall clock against the monotonic one, as an administrator of the host might.
    pub fn shift_wall(&self, ns: i64) {
        lock(&self.state).wall_shift_ns += ns;
    }

    /// Deadlines of the armed timers, soonest first.
    pub fn deadlines(&self) -> Vec<u64> {
        let mut all: Vec<u64> =
            lock(&self.state).timers.values().filter_map(|t| t.deadline_ns).collect();
        all.sort_unstable();
        all
    }

    fn take_due(&self, end: u64) -> Option<Fire> {
        let mut state = lock(&self.state);
        let (deadline, id) = state
            .timers
            .iter()
            .filter_map(|(&id, timer)| timer.deadline_ns.map(|deadline| (deadline, id)))
            .min()?;
        if deadline > end {
            return None;
        }
        state.now_ns = state.now_ns.max(deadline);
        let timer = state.timers.get_mut(&id)?;
        timer.deadline_ns = None;
        Some(timer.fire.clone())
    }
}

impl Clock for TestClock {
    fn now_ns(&self) -> u64 {
        lock(&self.state).now_ns
    }

    fn wall_ns(&self) -> u64 {
        let state = lock(&self.state);
        TEST_EPOCH_NS.wrapping_add(state.now_ns).wrapping_add_signed(state.wall_shift_ns)
    }

    fn timer(&self, fire: Box<dyn Fn() + Send + Sync>) -> Box<dyn Timer> {
        let mut state = lock(&self.state);
        let id = state.next_id;
        state.next_id += 1;
        state.timers.insert(id, TimerSlot { deadline_ns: None, fire: fire.into() });
        Box::new(TestTimer { id, state: Arc::downgrade(&self.state) })
    }
}

struct TestTimer {
    id: u64,
    state: Weak<Mutex<ClockState>>,
}

impl Timer for TestTimer {
    fn arm(&self, deadline_ns: Option<u64>) {
        if let Some(state) = self.state.upgrade()
            && let Some(timer) = lock(&state).timers.get_mut(&self.id)
        {
            timer.deadline_ns = deadline_ns;
        }
    }
}

impl Drop for TestTimer {
    fn drop(&mut self) {
        if let Some(state) = self.state.upgrade() {
            // The closure may own things whose drop comes back here: let go of it unlocked.
            let slot = lock(&state).timers.remove(&self.id);
            drop(slot);
        }
    }
}

/// A sink that remembers levels.
#[derive(Default)]
pub struct TestIrq {
    levels: Mutex<BTreeMap<u32, bool>>,
    rises: AtomicU64,
}

impl TestIrq {
    /// A sink with every pin low.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// A wire to pin `pin`.
    pub fn line(self: &Arc<Self>, pin: u32) -> IrqLine {
        IrqLine::new(self.clone(), pin)
    }

    /// Wires to `count` pins from `first` on.
    pub fn lines(self: &Arc<Self>, first: u32, count: u32) -> Vec<IrqLine> {
        (first..first + count).map(|pin| self.line(pin)).collect()
    }

    /// The present level of `pin`.
    pub fn level(&self, pin: u32) -> bool {
        lock(&self.levels).get(&pin).copied().unwrap_or(false)
    }

    /// The pins that are high, in order.
    pub fn high(&self) -> Vec<u32> {
        lock(&self.levels).iter().filter(|(_, level)| **level).map(|(&pin, _)| pin).collect()
    }

    /// How many times any pin went from low to high.
    pub fn rises(&self) -> u64 {
        self.rises.load(Ordering::Relaxed)
    }
}

impl IrqSink for TestIrq {
    fn set(&self, pin: u32, level: bool) {
        let before = lock(&self.levels).insert(pin, level).unwrap_or(false);
        if level && !before {
            self.rises.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_of_their_deadlines() {
        let clock = TestClock::new();
        let log = Arc::new(Mutex::new(Vec::new()));
        let timers: Vec<_> = [300, 100, 200]
            .into_iter()
            .map(|deadline| {
                let (log, seen) = (log.clone(), Arc::downgrade(&clock));
                let timer = clock.timer(Box::new(move || {
                    lock(&log).push((deadline, seen.upgrade().unwrap().now_ns()));
                }));
                timer.arm(Some(deadline));
                timer
            })
            .collect();
        clock.advance(250);
        assert_eq!(*lock(&log), [(100, 100), (200, 200)]);
        assert_eq!(clock.now_ns(), 250);
        drop(timers);
        clock.advance(250);
        assert_eq!(lock(&log).len(), 2, "a dropped timer does not fire");
    }

    #[test]
    fn passed_deadlines_fire_at_the_next_advance() {
        let clock = TestClock::starting_at(1_000);
        let irq = TestIrq::new();
        let line = irq.line(3);
        let timer = clock.timer(Box::new(move || line.set(true)));
        timer.arm(Some(10));
        assert!(!irq.level(3));
        clock.advance(0);
        assert_eq!((irq.high(), irq.rises(), clock.now_ns()), (vec![3], 1, 1_000));
    }
}
