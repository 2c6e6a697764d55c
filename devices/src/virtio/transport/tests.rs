use std::os::fd::RawFd;

use serde_json::{Value, json};

use super::mmio::reg;
use crate::device::{Access, Device, StateError};
use crate::virtio::device::{Turn, VirtioDevice, check_version, read_space};
use crate::virtio::queue::{Chain, QueueError, QueueState, VirtQueue};
use crate::virtio::spec::{feature, status};
use crate::virtio::testing::{DATA, Driver, NO_EVENT_IDX, RAM, Ring, readable, writable};

/// Fills every writable byte with 7s.
#[derive(Default)]
struct Sevens {
    queues: [Option<VirtQueue>; 2],
    features: u64,
}

impl VirtioDevice for Sevens {
    fn kind(&self) -> &'static str {
        "sevens"
    }
    fn device_id(&self) -> u32 {
        77
    }
    fn features(&self) -> u64 {
        1 << 5 | 1 << 40
    }
    fn queue_max_sizes(&self) -> &[u16] {
        &[64, 16]
    }
    fn read_config(&self, offset: u64, data: &mut [u8]) {
        read_space(&[1, 2, 3, 4, 5], offset, data);
    }
    fn write_config(&mut self, _: u64, _: &[u8]) {}
    fn set_features(&mut self, accepted: u64) {
        self.features = accepted;
    }
    fn start_queue(&mut self, index: usize, queue: VirtQueue) {
        self.queues[index] = Some(queue);
    }
    fn stop_queue(&mut self, index: usize) -> Option<QueueState> {
        self.queues[index].take().map(|queue| queue.state())
    }
    fn process(&mut self) -> Result<Turn, QueueError> {
        let mut chain = Chain::new();
        for queue in self.queues.iter_mut().flatten() {
            while queue.pop(&mut chain)? {
                let len = chain.writable().len() as usize;
                chain.writable().write(queue.memory(), 0, &vec![7; len.min(4096)]);
                queue.push(chain.head(), len as u32)?;
            }
            queue.listen()?;
            queue.signal()?;
        }
        Ok(Turn::IDLE)
    }
    fn poll_fds(&self, _: &mut Vec<(RawFd, i16)>) {}
    fn reset(&mut self) {
        self.features = 0;
    }
    fn save(&self) -> Value {
        json!({ "version": 1 })
    }
    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        check_version("sevens", state, 1)
    }
}

fn fresh() -> Driver {
    Driver::new(Box::new(Sevens::default()))
}

fn started() -> Driver {
    Driver::started(Box::new(Sevens::default()), NO_EVENT_IDX)
}

#[test]
fn identification_reads_as_the_specification_says() {
    let mut driver = fresh();
    assert_eq!(driver.read(reg::MAGIC_VALUE), 0x7472_6976);
    assert_eq!(driver.read(reg::VERSION), 2);
    assert_eq!(driver.read(reg::DEVICE_ID), 77);
    assert_eq!(driver.read(reg::SHM_LEN_LOW), u32::MAX);
    driver.write(reg::QUEUE_SEL, 0);
    assert_eq!(driver.read(reg::QUEUE_SIZE_MAX), 64);
    driver.write(reg::QUEUE_SEL, 2);
    assert_eq!(driver.read(reg::QUEUE_SIZE_MAX), 0, "there is no such queue");
    let expected = 1 << 5 | 1 << 40 | 1 << 28 | 1 << 29 | 1u64 << 32;
    assert_eq!(driver.offered(), expected);
    driver.write(reg::DEVICE_FEATURES_SEL, 2);
    assert_eq!(driver.read(reg::DEVICE_FEATURES), 0);
}

#[test]
fn configuration_answers_any_width_and_registers_only_whole_words() {
    let mut driver = fresh();
    assert_eq!(driver.config(0, 4), 0x0403_0201);
    assert_eq!(driver.config(3, 2), 0x0504);
    assert_eq!(driver.config(4, 8), 5, "bytes beyond the end read as zero");
    assert_eq!(driver.config(0xff, 1), 0);
    for size in [1, 2, 8] {
        assert_eq!(driver.mmio.read(Access { region: 0, offset: 0, size }), 0);
    }
    assert_eq!(driver.mmio.read(Access { region: 0, offset: 2, size: 4 }), 0);
}

#[test]
fn features_are_only_accepted_if_offered_and_modern() {
    for refused in [feature::VERSION_1 | 1 << 6, 1 << 5, 0] {
        let mut driver = fresh();
        driver.write(reg::STATUS, 3);
        driver.accept(refused);
        assert_eq!(driver.read(reg::STATUS), 3, "{refused:#x} was accepted");
        driver.write(reg::STATUS, status::DRIVER_OK.into());
        assert_eq!(driver.read(reg::STATUS), 3, "live without features");
    }
    let mut driver = fresh();
    driver.accept(feature::VERSION_1);
    assert_eq!(driver.read(reg::STATUS), 0, "features before a driver");
}

#[test]
fn buffers_come_back_with_an_interrupt_until_acknowledged() {
    let mut driver = started();
    assert_eq!(driver.round_trip(0, &[writable(DATA, 8)]), 8);
    assert_eq!(driver.peek(DATA, 9), [7, 7, 7, 7, 7, 7, 7, 7, 0]);
    assert_eq!(driver.irq.high(), [0]);
    assert_eq!(driver.acknowledge(), 1);
    assert!(driver.irq.high().is_empty());
}

#[test]
fn nothing_happens_before_the_driver_is_ready() {
    let mut driver = fresh();
    driver.write(reg::STATUS, 3);
    driver.accept(feature::VERSION_1);
    driver.set_up_queue(0, 16);
    driver.offer(0, &[writable(DATA, 8)]);
    driver.kick(0);
    assert_eq!(driver.used(0), None);
    // What was made available before is served without another notification.
    driver.write(reg::STATUS, status::DRIVER_OK.into());
    driver.turn();
    assert!(driver.used(0).is_some());
}

#[test]
fn a_driver_that_wants_no_interrupts_gets_none() {
    let mut driver = started();
    let avail = driver.rings[0].avail;
    driver.poke(avail, &1u16.to_le_bytes());
    driver.round_trip(0, &[writable(DATA, 8)]);
    assert!(driver.irq.high().is_empty());
}

#[test]
fn event_index_decides_on_interrupts_and_notifications() {
    let mut driver = Driver::started(Box::new(Sevens::default()), 0);
    let ring = driver.rings[0];
    let used_event = ring.avail + 4 + 2 * u64::from(ring.size);
    let avail_event = ring.used + 4 + 8 * u64::from(ring.size);
    // Interrupt at the third used buffer.
    driver.poke(used_event, &2u16.to_le_bytes());
    for (served, expected) in [(1u16, false), (2, false), (3, true), (4, false)] {
        driver.round_trip(0, &[writable(DATA, 8)]);
        assert_eq!(driver.acknowledge() == 1, expected, "after buffer {served}");
        assert_eq!(driver.peek16(avail_event), served, "wants to hear of the next buffer");
    }
    // A batch that passes the event counts, too.
    driver.poke(used_event, &5u16.to_le_bytes());
    for _ in 0..4 {
        driver.offer(0, &[writable(DATA, 8)]);
    }
    driver.kick(0);
    assert_eq!(driver.acknowledge(), 1);
}

#[test]
fn buffers_may_cross_memory_regions_and_be_indirect() {
    let mut driver = started();
    let middle = RAM + 0x10_0000;
    assert_eq!(driver.round_trip(0, &[writable(middle - 3, 6)]), 6);
    assert_eq!(driver.peek(middle - 4, 8), [0, 7, 7, 7, 7, 7, 7, 0]);
    driver.put_desc(DATA + 8, writable(DATA + 0x100, 4));
    let mut table = readable(DATA + 8, 16);
    table.flags = crate::virtio::testing::INDIRECT;
    assert_eq!(driver.round_trip(0, &[table]), 4, "a table need not be aligned");
    assert_eq!(driver.peek(DATA + 0x100, 5), [7, 7, 7, 7, 0]);
}

#[test]
fn reset_is_complete_when_the_write_returns() {
    let mut driver = started();
    driver.round_trip(0, &[writable(DATA, 8)]);
    driver.write(reg::STATUS, 0);
    assert_eq!(driver.read(reg::STATUS), 0);
    assert!(driver.irq.high().is_empty());
    assert_eq!(driver.read(reg::QUEUE_READY), 0);
    driver.offer(0, &[writable(DATA, 8)]);
    driver.kick(0);
    assert_eq!(driver.used(0), None);
    driver.start(NO_EVENT_IDX);
    assert_eq!(driver.round_trip(0, &[writable(DATA, 8)]), 8);
}

#[test]
fn a_queue_cannot_be_moved_while_it_is_on_and_can_be_stopped() {
    let mut driver = started();
    let elsewhere = Ring { size: 2, desc: DATA, avail: DATA, used: DATA, ..Ring::default() };
    driver.place_queue(0, &elsewhere);
    assert_eq!(driver.round_trip(0, &[writable(DATA, 8)]), 8);
    driver.write(reg::QUEUE_SEL, 0);
    driver.write(reg::QUEUE_READY, 0);
    driver.offer(0, &[writable(DATA, 8)]);
    driver.kick(0);
    assert_eq!(driver.used(0), None);
    assert!(!driver.needs_reset());
}

#[test]
fn queues_outside_of_memory_or_of_bad_shape_need_a_reset() {
    let good = started().rings[0];
    let end = RAM + crate::virtio::testing::RAM_LEN;
    for bad in [
        Ring { desc: 0, ..good },
        Ring { desc: end - 16, ..good },
        Ring { desc: u64::MAX - 15, ..good },
        Ring { desc: good.desc + 8, ..good },
        Ring { avail: RAM - 4, ..good },
        Ring { avail: good.avail + 1, ..good },
        Ring { avail: u64::MAX - 1, ..good },
        Ring { used: end - 8, ..good },
        Ring { used: good.used + 2, ..good },
        Ring { used: !3, ..good },
        Ring { size: 0, ..good },
        Ring { size: 3, ..good },
        Ring { size: 128, ..good },
    ] {
        let mut driver = fresh();
        driver.write(reg::STATUS, 3);
        driver.accept(feature::VERSION_1);
        driver.place_queue(0, &bad);
        driver.write(reg::QUEUE_READY, 1);
        driver.write(reg::STATUS, status::DRIVER_OK.into());
        assert!(driver.needs_reset(), "{:x?}", (bad.size, bad.desc, bad.avail, bad.used));
        assert_eq!(driver.acknowledge(), 2, "the driver is told");
        driver.kick(0);
        driver.start(NO_EVENT_IDX);
        assert_eq!(driver.round_trip(0, &[writable(DATA, 8)]), 8);
    }
}

#[test]
fn state_moves_to_another_machine_in_the_middle_of_work() {
    let mut driver = Driver::started(Box::new(Sevens::default()), 0);
    for _ in 0..5 {
        driver.round_trip(0, &[writable(DATA, 8)]);
    }
    let state = driver.mmio.save();
    // Saving disturbs nothing.
    driver.round_trip(0, &[writable(DATA, 8)]);
    let state_later = driver.mmio.save();
    assert_ne!(state, state_later);

    let mut other = Driver::on(Box::new(Sevens::default()), driver.memory.clone());
    other.rings = driver.rings.clone();
    other.mmio.restore(&state_later).unwrap();
    assert_eq!(other.mmio.save(), state_later);
    assert_eq!(other.irq.high(), [0], "an interrupt that was not acknowledged is still there");
    other.round_trip(0, &[writable(DATA + 64, 8)]);
    assert_eq!(other.peek(DATA + 64, 8), [7; 8]);
}

#[test]
fn state_that_makes_no_sense_is_refused_and_leaves_a_reset_device() {
    let mut driver = started();
    let fresh_state = fresh().mmio.save();
    let good = driver.mmio.save();
    let mut cases = vec![json!({}), json!(null), json!({ "version": 99 })];
    for (path, value) in [
        ("/transport/status", json!(64)),
        ("/transport/queues", json!([])),
        ("/transport/driver_features", json!(1u64 << 63)),
        ("/transport/device", json!({ "version": 9 })),
        ("/transport/queues/0/size", json!(70_000)),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap() = value;
        cases.push(bad);
    }
    for bad in cases {
        driver.mmio.restore(&good).unwrap();
        driver.mmio.restore(&bad).unwrap_err();
        assert_eq!(driver.mmio.save(), fresh_state, "after {bad}");
    }
    // Rings that a guest could have set up as badly are its affair: the device needs a reset.
    let mut bad = good.clone();
    *bad.pointer_mut("/transport/queues/0/desc").unwrap() = json!(3);
    driver.mmio.restore(&bad).unwrap();
    assert!(driver.needs_reset());
}

#[test]
fn a_worker_runs_until_stopped_and_can_run_again() {
    let mut driver = started();
    let stop = driver.worker.stop_handle();
    let spare = driver.mmio.worker().unwrap();
    let mut worker = std::mem::replace(&mut driver.worker, spare);
    for _ in 0..3 {
        let thread = std::thread::spawn(move || worker.run());
        let head = driver.offer(0, &[writable(DATA, 8)]);
        driver.write(reg::QUEUE_NOTIFY, 0);
        while !driver.irq.level(0) {
            std::thread::yield_now();
        }
        assert_eq!(driver.used(0), Some((head, 8)));
        driver.acknowledge();
        // A reset and a new start while the worker waits.
        driver.start(NO_EVENT_IDX);
        stop.stop();
        worker = thread.join().unwrap().unwrap();
    }
}
