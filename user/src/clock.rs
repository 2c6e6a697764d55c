//! The time of counters that programs may read.

use std::time::Instant;

use arch::io::VcpuClock;

/// The host's monotonic clock, from the process's start.
#[derive(Debug)]
pub(crate) struct HostClock(Instant);

impl Default for HostClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl VcpuClock for HostClock {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    // Programs have no timer interrupts.
    fn set_alarm(&self, _vcpu: u32, _deadline_ns: Option<u64>) {}
}
