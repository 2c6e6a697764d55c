use std::sync::mpsc;

use super::*;

fn clock() -> (MachineClock, mpsc::Receiver<u32>) {
    let (sender, receiver) = mpsc::channel();
    let alarm = Box::new(move |vcpu| sender.send(vcpu).unwrap());
    let clock = MachineClock::new(alarm, Box::new(|error| panic!("{error}")));
    (clock, receiver)
}

fn now(clock: &MachineClock) -> u64 {
    Clock::now_ns(clock)
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn alarms_come_in_order_and_not_early() {
    let (clock, alarms) = clock();
    let start = now(&clock);
    clock.set_alarm(2, Some(start + 30_000_000));
    clock.set_alarm(1, Some(start + 10_000_000));
    assert_eq!(alarms.recv_timeout(LONG), Ok(1));
    assert!(now(&clock) >= start + 10_000_000);
    assert_eq!(alarms.recv_timeout(LONG), Ok(2));
    assert!(now(&clock) >= start + 30_000_000);
}

#[test]
fn a_past_deadline_fires_and_a_replaced_one_does_not() {
    let (clock, alarms) = clock();
    clock.set_alarm(7, Some(now(&clock) + 3_600_000_000_000));
    clock.set_alarm(8, Some(now(&clock) + 3_600_000_000_000));
    clock.set_alarm(8, None);
    clock.set_alarm(7, Some(0));
    assert_eq!(alarms.recv_timeout(LONG), Ok(7));
    assert!(alarms.try_recv().is_err());
}

#[test]
fn timers_may_be_armed_and_dropped_by_what_they_fire() {
    let (clock, _alarms) = clock();
    let (sender, fired) = mpsc::channel();
    let slot: Arc<Mutex<Option<Box<dyn Timer>>>> = Arc::default();
    let theirs = slot.clone();
    let count = AtomicU64::new(0);
    let timer = clock.timer(Box::new(move || {
        let mut slot = theirs.lock().unwrap();
        if count.fetch_add(1, SeqCst) < 2 {
            slot.as_ref().unwrap().arm(Some(0));
        } else {
            *slot = None;
        }
        sender.send(()).unwrap();
    }));
    let mut held = slot.lock().unwrap();
    timer.arm(Some(0));
    // It waits for this lock, so it does not fire in `arm`.
    *held = Some(timer);
    drop(held);
    for _ in 0..3 {
        fired.recv_timeout(LONG).unwrap();
    }
    assert!(fired.recv_timeout(LONG).is_err(), "the closure is gone, and its sender with it");
}

#[test]
fn time_stands_still_in_a_pause() {
    let (clock, alarms) = clock();
    clock.pause();
    let frozen = now(&clock);
    clock.set_alarm(0, Some(frozen));
    let waited = Instant::now();
    while waited.elapsed() < Duration::from_millis(20) {
        std::thread::yield_now();
    }
    assert_eq!(now(&clock), frozen);
    assert!(alarms.try_recv().is_err());
    clock.resume();
    assert_eq!(alarms.recv_timeout(LONG), Ok(0));
    assert!(now(&clock) - frozen < waited.elapsed().as_nanos() as u64);
}
