use std::sync::{Arc, Mutex};

use super::*;
use crate::bus::lock;
use crate::device::Device;
use crate::host::char::CharSink;
use crate::virtio::testing::{DATA, Driver, NO_EVENT_IDX, readable, writable};

#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl CharSink for Printed {
    fn write(&mut self, bytes: &[u8]) {
        lock(&self.0).extend_from_slice(bytes);
    }
}

fn console() -> (Driver, ConsoleInput, Printed) {
    let printed = Printed::default();
    let console = Console::new(Box::new(printed.clone())).unwrap();
    let input = console.input();
    (Driver::started(Box::new(console), NO_EVENT_IDX), input, printed)
}

#[test]
fn output_arrives_in_order() {
    let (mut driver, _, printed) = console();
    driver.poke(DATA, b"hello, ");
    driver.poke(DATA + 0x100, b"world\n");
    driver.round_trip(1, &[readable(DATA, 7), readable(DATA + 0x100, 6)]);
    let long = vec![b'x'; 10_000];
    driver.poke(DATA, &long);
    driver.round_trip(1, &[readable(DATA, 10_000)]);
    assert_eq!(&lock(&printed.0)[..13], b"hello, world\n");
    assert_eq!(lock(&printed.0)[13..], long);
    driver.round_trip(1, &[writable(DATA, 4)]);
}

#[test]
fn input_waits_for_buffers_and_buffers_wait_for_input() {
    let (mut driver, input, _) = console();
    assert_eq!(input.receive(b"typed early"), 11);
    driver.turn();
    assert_eq!(driver.used(0), None);
    let first = driver.offer(0, &[writable(DATA, 5)]);
    let second = driver.offer(0, &[writable(DATA + 0x100, 64)]);
    let third = driver.offer(0, &[writable(DATA + 0x200, 64)]);
    driver.kick(0);
    assert_eq!(driver.used(0), Some((first, 5)));
    assert_eq!(driver.used(0), Some((second, 6)));
    assert_eq!(driver.used(0), None);
    assert_eq!(driver.peek(DATA, 5), b"typed");
    assert_eq!(driver.peek(DATA + 0x100, 6), b" early");
    assert_eq!(driver.acknowledge(), 1);
    // Typing alone makes the worker move.
    input.receive(b"!");
    driver.turn();
    assert_eq!(driver.used(0), Some((third, 1)));
    assert_eq!(driver.acknowledge(), 1);
}

#[test]
fn input_that_nobody_reads_is_bounded() {
    let (_, input, _) = console();
    let room = input.room();
    assert_eq!(input.receive(&vec![0; room + 10]), room);
    assert_eq!((input.room(), input.receive(b"x")), (0, 0));
}

#[test]
fn input_travels_with_the_state_and_a_reset_drops_it() {
    let (driver, input, _) = console();
    input.receive(b"abc");
    let state = driver.mmio.save();
    let (mut other, other_input, _) = console();
    other.mmio.restore(&state).unwrap();
    assert_eq!(other_input.snapshot(), b"abc");
    assert_eq!(other.mmio.save(), state);
    other.mmio.reset();
    assert!(other_input.snapshot().is_empty());
}
