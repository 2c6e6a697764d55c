use super::*;
use crate::virtio::testing::{DATA, Driver, readable, writable};

/// Counts up from 1, at most 1000 bytes at a time, and ends after `left`.
struct Counter {
    next: u8,
    left: usize,
}

impl Read for Counter {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = buf.len().min(1000).min(self.left);
        for byte in &mut buf[..len] {
            *byte = self.next;
            self.next = self.next.wrapping_add(1);
        }
        self.left -= len;
        Ok(len)
    }
}

fn driver(left: usize) -> Driver {
    Driver::started(Box::new(Rng::from_source(Box::new(Counter { next: 1, left }))), 0)
}

#[test]
fn buffers_are_filled_in_order() {
    let mut driver = driver(usize::MAX);
    assert_eq!(driver.round_trip(0, &[writable(DATA, 3), writable(DATA + 0x100, 2)]), 5);
    assert_eq!(driver.peek(DATA, 4), [1, 2, 3, 0]);
    assert_eq!(driver.peek(DATA + 0x100, 3), [4, 5, 0]);
    assert_eq!(driver.round_trip(0, &[writable(DATA, 10_000)]), 10_000);
    assert_eq!(driver.round_trip(0, &[readable(DATA, 10)]), 0, "nothing to fill");
}

#[test]
fn a_huge_request_gets_a_bounded_answer() {
    let mut driver = driver(usize::MAX);
    let len = driver.round_trip(0, &[writable(DATA, 0x10_0000)]);
    assert_eq!(u64::from(len), REQUEST_MAX);
    assert_eq!(driver.peek(DATA + REQUEST_MAX, 8), [0; 8]);
}

#[test]
fn an_exhausted_source_gives_what_it_has() {
    let mut driver = driver(7);
    assert_eq!(driver.round_trip(0, &[writable(DATA, 16)]), 7);
    assert_eq!(driver.round_trip(0, &[writable(DATA, 16)]), 0);
}

#[test]
fn the_host_gives_random_bytes() {
    let mut driver = Driver::started(Box::new(Rng::new().unwrap()), 0);
    driver.round_trip(0, &[writable(DATA, 64)]);
    let first = driver.peek(DATA, 64);
    driver.round_trip(0, &[writable(DATA, 64)]);
    assert_ne!(first, driver.peek(DATA, 64));
}
