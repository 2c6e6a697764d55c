use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::dma::Memory;

const RAM: u64 = 0x10_0000;
const LEN: usize = 0x10_0000;
const SIZE: u16 = 8;
const DESC: u64 = RAM;
const AVAIL: u64 = RAM + 0x1000;
const USED: u64 = RAM + 0x2000;
const DATA: u64 = RAM + 0x8000;

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

#[derive(Default)]
struct Count(AtomicU32);

impl Interrupts for Count {
    fn queue(&self, _: u16) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn config(&self) {}
}

struct Fixture {
    queue: VirtQueue,
    memory: Dma,
    count: Arc<Count>,
}

fn fixture(event_idx: bool) -> Fixture {
    let memory = Arc::new(Memory::from_ranges(&[(GuestAddress(RAM), LEN)]).unwrap());
    let count = Arc::new(Count::default());
    let state =
        QueueState { size: SIZE, desc: DESC, avail: AVAIL, used: USED, ..Default::default() };
    let queue = VirtQueue::new(0, SIZE, state, event_idx, memory.clone(), count.clone()).unwrap();
    Fixture { queue, memory, count }
}

impl Fixture {
    fn desc(&self, table: u64, index: u16, (addr, len, flags, next): (u64, u32, u16, u16)) {
        let at = table + 16 * u64::from(index);
        self.memory.write_obj(addr.to_le(), GuestAddress(at)).unwrap();
        self.memory.write_obj(len.to_le(), GuestAddress(at + 8)).unwrap();
        self.memory.write_obj(flags.to_le(), GuestAddress(at + 12)).unwrap();
        self.memory.write_obj(next.to_le(), GuestAddress(at + 14)).unwrap();
    }

    fn avail(&self, index: u16, heads: &[u16]) {
        for (slot, head) in heads.iter().enumerate() {
            self.memory.write_obj(head.to_le(), GuestAddress(AVAIL + 4 + 2 * slot as u64)).unwrap();
        }
        self.memory.write_obj(index.to_le(), GuestAddress(AVAIL + 2)).unwrap();
    }

    /// Makes chain 0 available and pops it.
    fn pop(&mut self) -> Result<Chain, QueueError> {
        self.avail(1, &[0]);
        let mut chain = Chain::new();
        self.queue.pop(&mut chain).map(|found| {
            assert!(found);
            chain
        })
    }

    fn refused(&mut self) -> &'static str {
        match self.pop() {
            Err(QueueError::Chain { what, .. }) => what,
            other => panic!("not refused: {other:?}"),
        }
    }
}

#[test]
fn a_chain_is_split_by_direction_and_read_as_one_run() {
    let mut f = fixture(false);
    f.desc(DESC, 0, (DATA, 4, NEXT, 3));
    f.desc(DESC, 3, (DATA + 0x100, 0, NEXT, 1));
    f.desc(DESC, 1, (DATA + 0x200, 4, NEXT, 2));
    f.desc(DESC, 2, (DATA + 0x300, 2, NEXT | WRITE, 4));
    f.desc(DESC, 4, (DATA + 0x400, 5, WRITE, 0));
    f.memory.write_slice(b"abcd", GuestAddress(DATA)).unwrap();
    f.memory.write_slice(b"efgh", GuestAddress(DATA + 0x200)).unwrap();
    let chain = f.pop().unwrap();
    assert_eq!((chain.readable().len(), chain.writable().len()), (8, 7));
    let mut bytes = [0; 16];
    assert_eq!(chain.readable().read(&f.memory, 3, &mut bytes), 5);
    assert_eq!(&bytes[..5], b"defgh");
    assert_eq!(chain.readable().read(&f.memory, 8, &mut bytes), 0);
    assert_eq!(chain.readable().read(&f.memory, u64::MAX, &mut bytes), 0);
    assert_eq!(chain.writable().write(&f.memory, 1, b"123456789"), 6);
    let mut tail = [0; 6];
    f.memory.read_slice(&mut tail, GuestAddress(DATA + 0x400)).unwrap();
    assert_eq!(&tail, b"23456\0");
    let slices = chain.readable().slices(&f.memory, 2..6);
    assert_eq!(slices.iter().map(|s| s.len()).collect::<Vec<_>>(), [2, 2]);
    assert!(chain.readable().slices(&f.memory, 8..20).is_empty());
}

#[test]
fn malformed_chains_are_refused_with_their_reason() {
    type Shape = &'static [(u16, (u64, u32, u16, u16))];
    let cases: &[(Shape, &str)] = &[
        (&[(0, (DATA, 4, NEXT, 0))], "loops"),
        (&[(0, (DATA, 4, NEXT, 1)), (1, (DATA, 4, NEXT, 0))], "loops"),
        (&[(0, (DATA, 4, NEXT, 8))], "beyond the table"),
        (&[(0, (DATA, 4, NEXT, 0xffff))], "beyond the table"),
        (&[(0, (DATA, 4, NEXT | WRITE, 1)), (1, (DATA, 4, 0, 0))], "follows a writable"),
        (&[(0, (RAM - 1, 4, 0, 0))], "outside of guest memory"),
        (&[(0, (RAM + LEN as u64 - 1, 2, 0, 0))], "outside of guest memory"),
        (&[(0, (u64::MAX - 3, 4, 0, 0))], "outside of guest memory"),
        (&[(0, (u64::MAX - 3, 8, WRITE, 0))], "outside of guest memory"),
        (&[(0, (DATA, u32::MAX, WRITE, 0))], "outside of guest memory"),
        (&[(0, (DATA, 0, INDIRECT, 0))], "no multiple"),
        (&[(0, (DATA, 17, INDIRECT, 0))], "no multiple"),
        (&[(0, (DATA, 16, INDIRECT | NEXT, 1))], "neither nest nor be followed"),
        (&[(0, (0, 16, INDIRECT, 0))], "outside of guest memory"),
        (&[(0, (u64::MAX - 15, 32, INDIRECT, 0))], "outside of guest memory"),
    ];
    for (shape, reason) in cases {
        let mut f = fixture(false);
        for &(index, desc) in *shape {
            f.desc(DESC, index, desc);
        }
        let what = f.refused();
        assert!(what.contains(reason), "{what} for {shape:x?}");
    }
}

#[test]
fn indirect_tables_are_followed_once() {
    let mut f = fixture(false);
    f.desc(DESC, 0, (DATA, 4, NEXT, 1));
    f.desc(DESC, 1, (DATA + 0x101, 32, INDIRECT, 0));
    f.desc(DATA + 0x101, 0, (DATA + 0x800, 6, NEXT, 1));
    f.desc(DATA + 0x101, 1, (DATA + 0x900, 7, WRITE, 0));
    let chain = f.pop().unwrap();
    assert_eq!((chain.readable().len(), chain.writable().len()), (10, 7));

    let mut f = fixture(false);
    f.desc(DESC, 0, (DATA, 16, INDIRECT, 0));
    f.desc(DATA, 0, (DATA, 16, INDIRECT, 0));
    assert!(f.refused().contains("neither nest"));

    let mut f = fixture(false);
    f.desc(DESC, 0, (DATA, 32, INDIRECT, 0));
    f.desc(DATA, 0, (DATA, 1, NEXT, 1));
    f.desc(DATA, 1, (DATA, 1, NEXT, 0));
    assert!(f.refused().contains("loops"));

    // A table of the largest length is looked at only as far as a chain may go.
    let mut f = fixture(false);
    f.desc(DESC, 0, (RAM, 0x8_0000, INDIRECT, 0));
    f.desc(RAM, 0, (RAM, 0x8_0000, INDIRECT, 0));
    assert!(f.refused().contains("neither nest"));
    let mut f = fixture(false);
    f.desc(DESC, 0, (DATA, 0x1_0000, INDIRECT, 0));
    for i in 0..2000 {
        f.desc(DATA, i, (DATA, 1, NEXT, i + 1));
    }
    assert!(f.refused().contains("longer than allowed"));
}

#[test]
fn the_ring_itself_is_checked() {
    let mut f = fixture(false);
    let mut chain = Chain::new();
    assert!(!f.queue.pop(&mut chain).unwrap());
    f.avail(SIZE + 1, &[]);
    assert!(matches!(f.queue.pop(&mut chain), Err(QueueError::AvailIndex)));
    f.avail(0xffff, &[]);
    assert!(matches!(f.queue.pop(&mut chain), Err(QueueError::AvailIndex)));
    f.avail(1, &[SIZE]);
    assert!(matches!(f.queue.pop(&mut chain), Err(QueueError::Chain { head: SIZE, .. })));
}

#[test]
fn chains_can_be_put_back_and_several_given_back_at_once() {
    let mut f = fixture(false);
    for i in 0..3 {
        f.desc(DESC, i, (DATA, 4, WRITE, 0));
    }
    f.avail(3, &[0, 1, 2]);
    let mut chain = Chain::new();
    for _ in 0..3 {
        assert!(f.queue.pop(&mut chain).unwrap());
    }
    f.queue.unpop(2);
    assert!(f.queue.pop(&mut chain).unwrap());
    assert_eq!(chain.head(), 1);
    f.queue.push_all(&[(1, 10), (2, 20)]).unwrap();
    let mut used = [0; 20];
    f.memory.read_slice(&mut used, GuestAddress(USED + 2)).unwrap();
    assert_eq!(used, [2, 0, 1, 0, 0, 0, 10, 0, 0, 0, 2, 0, 0, 0, 20, 0, 0, 0, 0, 0]);
    f.queue.signal().unwrap();
    f.queue.signal().unwrap();
    assert_eq!(f.count.0.load(Ordering::Relaxed), 1, "once for one batch");
}

#[test]
fn indices_wrap_around_on_both_rings() {
    let memory = fixture(true).memory;
    let state = QueueState {
        size: SIZE,
        desc: DESC,
        avail: AVAIL,
        used: USED,
        next_avail: 0xfffe,
        next_used: 0xfffe,
    };
    let count = Arc::new(Count::default());
    let queue = VirtQueue::new(0, SIZE, state, true, memory.clone(), count.clone()).unwrap();
    let mut f = Fixture { queue, memory, count };
    for i in 0..SIZE {
        f.desc(DESC, i, (DATA, 4, WRITE, 0));
    }
    f.memory.write_obj(0xffffu16, GuestAddress(AVAIL + 4 + 2 * u64::from(SIZE))).unwrap();
    let mut chain = Chain::new();
    for (avail, interrupts) in [(0xffffu16, 0), (0, 1), (1, 1)] {
        f.avail(avail, &[0, 1, 2, 3, 4, 5, 6, 7]);
        assert!(f.queue.pop(&mut chain).unwrap());
        f.queue.push(chain.head(), 4).unwrap();
        f.queue.signal().unwrap();
        assert_eq!(f.count.0.load(Ordering::Relaxed), interrupts, "at {avail:#x}");
    }
    assert_eq!((f.queue.state().next_avail, f.queue.state().next_used), (1, 1));
}

#[test]
fn listening_tells_of_what_came_in_between() {
    for event_idx in [false, true] {
        let mut f = fixture(event_idx);
        f.queue.suppress().unwrap();
        assert!(!f.queue.listen().unwrap());
        f.avail(1, &[0]);
        assert!(f.queue.listen().unwrap());
    }
}
