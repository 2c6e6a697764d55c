use std::collections::VecDeque;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex};

use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::spec::feature;
use super::*;
use crate::bus::lock;
use crate::virtio::testing::{DATA, Driver, readable, writable};
use crate::virtio::transport::mmio::reg;

const MAC: [u8; 6] = [0x52, 0x54, 0, 1, 2, 3];

/// The far end of the wire.
#[derive(Clone)]
struct Wire {
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
    arriving: Arc<Mutex<VecDeque<Vec<u8>>>>,
    event: Arc<EventFd>,
    ticks: Arc<Mutex<u32>>,
    mtu: Option<u16>,
}

impl Wire {
    fn new() -> Self {
        Self {
            sent: Arc::default(),
            arriving: Arc::default(),
            event: Arc::new(EventFd::new(EFD_NONBLOCK).unwrap()),
            ticks: Arc::default(),
            mtu: None,
        }
    }

    fn arrive(&self, len: usize) -> Vec<u8> {
        let frame: Vec<u8> = (0..len).map(|i| (i % 253) as u8).collect();
        lock(&self.arriving).push_back(frame.clone());
        self.event.write(1).unwrap();
        frame
    }
}

impl NetBackend for Wire {
    fn send(&mut self, frame: &[u8]) {
        lock(&self.sent).push(frame.to_vec());
    }
    fn receive(&mut self, buf: &mut [u8]) -> Option<usize> {
        let frame = lock(&self.arriving).pop_front()?;
        buf[..frame.len()].copy_from_slice(&frame);
        Some(frame.len())
    }
    fn poll_fds(&self) -> Vec<(RawFd, i16)> {
        vec![(self.event.as_raw_fd(), libc::POLLIN)]
    }
    fn tick(&mut self) -> Option<u64> {
        let _was_clear = self.event.read();
        *lock(&self.ticks) += 1;
        None
    }
    fn mtu(&self) -> Option<u16> {
        self.mtu
    }
    fn reset(&mut self) {
        lock(&self.arriving).clear();
    }
}

fn card(without: u64) -> (Driver, Wire) {
    let wire = Wire::new();
    let driver = Driver::started(Box::new(Net::new(Box::new(wire.clone()), MAC)), without);
    (driver, wire)
}

#[test]
fn the_configuration_has_address_link_and_mtu() {
    let (mut driver, wire) = card(0);
    assert_eq!(driver.config(0, 8), u64::from_le_bytes([0x52, 0x54, 0, 1, 2, 3, 1, 0]));
    assert_eq!(driver.offered() & feature::MTU, 0);
    let wire = Wire { mtu: Some(9000), ..wire };
    let mut driver = Driver::started(Box::new(Net::new(Box::new(wire), MAC)), 0);
    assert_eq!(driver.offered() & feature::MTU, feature::MTU);
    assert_eq!(driver.config(10, 2), 9000);
}

#[test]
fn frames_are_sent_without_their_header() {
    let (mut driver, wire) = card(0);
    let frame: Vec<u8> = (0..100).collect();
    driver.poke(DATA, &[0xaa; 12]);
    driver.poke(DATA + 12, &frame);
    assert_eq!(driver.round_trip(1, &[readable(DATA, 5), readable(DATA + 5, 107)]), 0);
    assert_eq!(*lock(&wire.sent), [frame]);
    assert_eq!(driver.acknowledge(), 1);
}

#[test]
fn frames_of_impossible_length_are_given_back_and_dropped() {
    let (mut driver, wire) = card(0);
    for len in [0, 1, 11, 12, 25, 12 + FRAME_MAX as u32 + 1, 0x10_0000] {
        assert_eq!(driver.round_trip(1, &[readable(DATA, len)]), 0);
    }
    driver.round_trip(1, &[writable(DATA, 100)]);
    assert!(lock(&wire.sent).is_empty());
    driver.round_trip(1, &[readable(DATA, 12 + FRAME_MAX as u32)]);
    driver.round_trip(1, &[readable(DATA, 26)]);
    let lens: Vec<_> = lock(&wire.sent).iter().map(Vec::len).collect();
    assert_eq!(lens, [FRAME_MAX, 14]);
}

#[test]
fn a_frame_fills_as_many_buffers_as_it_needs() {
    let (mut driver, wire) = card(0);
    let heads: Vec<_> =
        (0..4).map(|i| driver.offer(0, &[writable(DATA + 0x1000 * i, 100)])).collect();
    let frame = wire.arrive(250);
    driver.turn();
    assert_eq!(driver.used(0), Some((heads[0], 100)));
    assert_eq!(driver.used(0), Some((heads[1], 100)));
    assert_eq!(driver.used(0), Some((heads[2], 62)));
    assert_eq!(driver.used(0), None);
    assert_eq!(driver.peek(DATA, 12), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0]);
    assert_eq!(driver.peek(DATA + 12, 88), frame[..88]);
    assert_eq!(driver.peek(DATA + 0x1000, 100), frame[88..188]);
    assert_eq!(driver.peek(DATA + 0x2000, 62), frame[188..]);
    let frame = wire.arrive(60);
    driver.turn();
    assert_eq!(driver.used(0), Some((heads[3], 72)));
    assert_eq!(driver.peek(DATA + 0x300c, 60), frame);
}

#[test]
fn without_merging_a_frame_has_one_buffer_or_is_dropped() {
    let (mut driver, wire) = card(feature::MRG_RXBUF);
    let small = driver.offer(0, &[writable(DATA, 100)]);
    wire.arrive(89);
    driver.turn();
    assert_eq!(driver.used(0), None, "89 bytes and the header do not fit into 100");
    let frame = wire.arrive(88);
    driver.turn();
    assert_eq!(driver.used(0), Some((small, 100)));
    assert_eq!(driver.peek(DATA + 10, 2), [1, 0]);
    assert_eq!(driver.peek(DATA + 12, 88), frame);
}

#[test]
fn frames_wait_in_order_for_buffers() {
    for without in [0, 1 << 29] {
        let (mut driver, wire) = card(without);
        let first = wire.arrive(100);
        let second = wire.arrive(200);
        driver.turn();
        // Too small even together: nothing is used, and nothing is lost.
        let a = driver.offer(0, &[writable(DATA, 50)]);
        driver.kick(0);
        assert_eq!(driver.used(0), None);
        let b = driver.offer(0, &[writable(DATA + 0x1000, 500)]);
        let c = driver.offer(0, &[writable(DATA + 0x2000, 500)]);
        driver.kick(0);
        assert_eq!(driver.used(0), Some((a, 50)));
        assert_eq!(driver.used(0), Some((b, 62)));
        assert_eq!(driver.used(0), Some((c, 212)));
        assert_eq!(driver.peek(DATA + 0x1000, 62), first[38..]);
        assert_eq!(driver.peek(DATA + 0x200c, 200), second);
    }
}

#[test]
fn a_frame_without_a_buffer_does_not_keep_the_worker_busy() {
    let (mut driver, wire) = card(0);
    wire.arrive(100);
    driver.turn();
    wire.arrive(100);
    // Only a doorbell can end this wait before its time: had the back end's descriptor, which
    // is ready, been waited for, the device would have had turns.
    let ticks = *lock(&wire.ticks);
    assert_eq!(driver.worker.turn(Some(1)).unwrap(), crate::virtio::Round::Worked);
    assert_eq!(*lock(&wire.ticks), ticks + 1);
    // The driver is asked to notify of the next buffer.
    let ring = driver.rings[0];
    assert_eq!(driver.peek16(ring.used + 4 + 8 * u64::from(ring.size)), 0);
    driver.offer(0, &[writable(DATA, 10)]);
    driver.kick(0);
    assert_eq!(driver.peek16(ring.used + 4 + 8 * u64::from(ring.size)), 1);
}

#[test]
fn a_frame_larger_than_the_whole_ring_is_dropped() {
    let (mut driver, wire) = card(0);
    for i in 0..16 {
        driver.offer(0, &[writable(DATA + 64 * i, 4)]);
    }
    wire.arrive(100);
    driver.turn();
    assert_eq!(driver.used(0), None);
    let short = wire.arrive(14);
    driver.turn();
    assert_eq!(std::iter::from_fn(|| driver.used(0)).count(), 7);
    assert_eq!(driver.peek(DATA + 64 * 3, 4), short[..4]);
}

#[test]
fn buffers_without_room_cannot_take_frames() {
    let (mut driver, wire) = card(0);
    let empty = driver.offer(0, &[readable(DATA, 100)]);
    let real = driver.offer(0, &[writable(DATA, 100)]);
    wire.arrive(20);
    driver.turn();
    assert_eq!(driver.used(0), Some((empty, 0)));
    assert_eq!(driver.used(0), Some((real, 32)));
    assert_eq!(driver.peek(DATA + 10, 2), [2, 0]);
}

#[test]
fn a_reset_forgets_what_was_on_its_way() {
    let (mut driver, wire) = card(0);
    wire.arrive(100);
    driver.turn();
    wire.arrive(100);
    driver.write(reg::STATUS, 0);
    driver.start(0);
    driver.offer(0, &[writable(DATA, 1000)]);
    driver.kick(0);
    assert_eq!(driver.used(0), None);
    wire.arrive(50);
    driver.turn();
    assert_eq!(driver.used(0).unwrap().1, 62);
}
