//! The bytes of one direction of a connection.

use std::io::{IoSlice, IoSliceMut};

/// Memory of a ring that holds anything.
const FIRST: usize = 8 * 1024;

/// A queue of bytes that grows up to a limit and is read without being consumed, for
/// retransmission.
#[derive(Debug)]
pub(in super::super) struct Ring {
    /// Empty, or a power of two long.
    bytes: Vec<u8>,
    head: usize,
    len: usize,
    limit: usize,
}

impl Ring {
    /// A ring for up to `limit` bytes, a power of two.
    pub(in super::super) fn new(limit: usize) -> Self {
        debug_assert!(limit.is_power_of_two());
        Ring { bytes: Vec::new(), head: 0, len: 0, limit }
    }

    pub(in super::super) fn len(&self) -> usize {
        self.len
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(in super::super) fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes that can still be taken.
    pub(in super::super) fn space(&self) -> usize {
        self.limit - self.len
    }

    fn reserve(&mut self, more: usize) {
        let want = (self.len + more).min(self.limit).max(FIRST.min(self.limit));
        if want > self.bytes.len() {
            let mut bytes = vec![0; want.next_power_of_two()];
            self.copy_to(0, &mut bytes[..self.len]);
            (self.bytes, self.head) = (bytes, 0);
        }
    }

    /// Gives the memory back if nothing is in it.
    pub(in super::super) fn shrink(&mut self) {
        if self.is_empty() {
            (self.bytes, self.head) = (Vec::new(), 0);
        }
    }

    /// The two pieces of the `len` bytes from `offset` on.
    fn pieces(&self, offset: usize, len: usize) -> (&[u8], &[u8]) {
        debug_assert!(offset + len <= self.len);
        if len == 0 {
            return (&[], &[]);
        }
        let start = (self.head + offset) & (self.bytes.len() - 1);
        let first = len.min(self.bytes.len() - start);
        (&self.bytes[start..start + first], &self.bytes[..len - first])
    }

    /// Everything in the ring.
    pub(in super::super) fn contents(&self) -> [IoSlice<'_>; 2] {
        let (first, second) = self.pieces(0, self.len);
        [IoSlice::new(first), IoSlice::new(second)]
    }

    /// Copies the bytes from `offset` on, as many as `to` holds; they must be there.
    pub(in super::super) fn copy_to(&self, offset: usize, to: &mut [u8]) {
        let (first, second) = self.pieces(offset, to.len());
        to[..first.len()].copy_from_slice(first);
        to[first.len()..].copy_from_slice(second);
    }

    /// Appends as many of `data` as there is space for; returns how many.
    pub(in super::super) fn push(&mut self, data: &[u8]) -> usize {
        let count = data.len().min(self.space());
        if count == 0 {
            return 0;
        }
        self.reserve(count);
        let [mut first, mut second] = self.vacancy();
        let cut = count.min(first.len());
        first[..cut].copy_from_slice(&data[..cut]);
        second[..count - cut].copy_from_slice(&data[cut..count]);
        self.len += count;
        count
    }

    /// Memory to be filled from outside, `least` bytes or all the space; [`Ring::filled`] then
    /// says how much was.
    pub(in super::super) fn vacancy_of(&mut self, least: usize) -> [IoSliceMut<'_>; 2] {
        self.reserve(least);
        self.vacancy()
    }

    fn vacancy(&mut self) -> [IoSliceMut<'_>; 2] {
        let size = self.bytes.len();
        if size == 0 {
            return [IoSliceMut::new(&mut []), IoSliceMut::new(&mut [])];
        }
        let tail = (self.head + self.len) & (size - 1);
        let free = size - self.len;
        let (low, high) = self.bytes.split_at_mut(tail);
        let first = free.min(high.len());
        [IoSliceMut::new(&mut high[..first]), IoSliceMut::new(&mut low[..free - first])]
    }

    /// The first `count` bytes of the vacancy hold data now.
    pub(in super::super) fn filled(&mut self, count: usize) {
        debug_assert!(count <= self.bytes.len() - self.len);
        self.len += count;
    }

    /// Forgets the first `count` bytes.
    pub(in super::super) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.len);
        self.len -= count;
        self.head = match self.len {
            0 => 0,
            _ => (self.head + count) & (self.bytes.len() - 1),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    #[test]
    fn a_ring_is_a_queue_with_a_limit() {
        let mut ring = Ring::new(16 * 1024);
        let mut queue: VecDeque<u8> = VecDeque::new();
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        for round in 0..20_000 {
            let data: Vec<u8> = (0..random(3000)).map(|n| (n + round) as u8).collect();
            let taken = match round % 2 {
                0 => ring.push(&data),
                _ => {
                    let mut left = data.as_slice();
                    let mut taken = 0;
                    for piece in &mut ring.vacancy_of(data.len()) {
                        let count = piece.len().min(left.len());
                        piece[..count].copy_from_slice(&left[..count]);
                        left = &left[count..];
                        taken += count;
                    }
                    ring.filled(taken);
                    taken
                }
            };
            assert_eq!(taken, data.len().min(ring.limit() - queue.len()));
            queue.extend(&data[..taken]);
            assert_eq!((ring.len(), ring.space()), (queue.len(), ring.limit() - queue.len()));
            let offset = random(queue.len() + 1);
            let mut copy = vec![0; queue.len() - offset];
            ring.copy_to(offset, &mut copy);
            assert!(copy.iter().eq(queue.iter().skip(offset)));
            let gone = random(queue.len() + 1);
            ring.consume(gone);
            queue.drain(..gone);
        }
    }

    #[test]
    fn memory_is_given_back_only_when_empty() {
        let mut ring = Ring::new(16 * 1024);
        ring.push(&[1; 10]);
        ring.shrink();
        assert_eq!(ring.len(), 10);
        ring.consume(10);
        ring.shrink();
        assert_eq!(ring.bytes.capacity(), 0);
        assert_eq!(ring.push(&[7; 20_000]), 16 * 1024);
    }
}
