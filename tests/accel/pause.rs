//! Time stands still in a pause, on accelerators that have time of their own.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use accel::{Exit, Vcpu, Vm};
use arch::Arch;
use polyvisor_tests::in_laboratory;

/// How long a pause is.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

/// Lets time of the host's pass, which is what is tested; returns no more than has passed.
fn wait() -> Duration {
    let (_kept, never) = mpsc::channel::<()>();
    let start = Instant::now();
    assert!(never.recv_timeout(PAUSE).is_err());
    start.elapsed()
}

/// Stops the guest's time for that long; returns no more than it stood still. `None` if this host
/// cannot, as KVMs that only emulate cannot.
pub(crate) fn pause<A: Arch>(name: &str, vm: &dyn Vm<A>) -> Option<Duration> {
    let time = vm.guest_time().expect("there is time to stop");
    time.stop().unwrap();
    // What stands still cannot be stopped.
    time.stop().unwrap();
    let stopped = wait();
    if let Err(error) = time.go_on() {
        assert!(!in_laboratory(), "{name}: {error}");
        println!("left out: {error}");
        return None;
    }
    time.go_on().unwrap();
    Some(stopped)
}

/// The guest on `vcpu` tells its counters, and is kicked, again and again; `told` has what it told
/// last. Whatever else the host does meanwhile, its counters do not count in a pause.
///
/// Returns a rate that the first counter does not exceed, in ticks a second; `None` if its time
/// cannot be stopped.
pub(crate) fn stands_still<A: Arch>(
    name: &str,
    vm: &dyn Vm<A>,
    vcpu: &mut dyn Vcpu<A>,
    told: impl Fn() -> Vec<u64>,
) -> Option<f64> {
    let run = |vcpu: &mut dyn Vcpu<A>| {
        assert_eq!(vcpu.run().unwrap(), Exit::Kicked, "{name}");
        told()
    };
    let elapsed = |first: &[u64], second: &[u64]| -> Vec<f64> {
        first.iter().zip(second).map(|(a, b)| b.checked_sub(*a).expect(name) as f64).collect()
    };
    // More time passes than is waited for, so this is the most that they count in a second.
    let first = run(vcpu);
    let waited = wait().as_secs_f64();
    let second = run(vcpu);
    let rates: Vec<f64> = elapsed(&first, &second).iter().map(|ticks| ticks / waited).collect();
    let start = Instant::now();
    let first = run(vcpu);
    let stopped = pause(name, vm)?;
    let second = run(vcpu);
    let ran = (start.elapsed() - stopped).as_secs_f64();
    for (number, (ticks, rate)) in elapsed(&first, &second).iter().zip(&rates).enumerate() {
        assert!(*ticks > 0.0, "{name}: counter {number} does not count any more");
        // The clocks' rates differ by a little.
        let most = rate * ran * 1.01;
        assert!(*ticks <= most, "{name}: counter {number} counts {ticks} in {ran} s, not {most}");
    }
    Some(rates[0])
}
