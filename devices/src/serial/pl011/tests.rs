use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::Pl011;
use super::spec::*;
use crate::bus::lock;
use crate::device::{Access, Device};
use crate::host::char::CharSink;
use crate::serial::SerialPort;
use crate::testing::TestIrq;

#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<u8>>>);

impl CharSink for Sent {
    fn write(&mut self, bytes: &[u8]) {
        lock(&self.0).extend_from_slice(bytes);
    }
}

struct Rig {
    uart: Pl011,
    sent: Sent,
    irq: Arc<TestIrq>,
    ready: Arc<AtomicU32>,
}

impl Rig {
    fn new() -> Self {
        let (sent, irq, ready) = (Sent::default(), TestIrq::new(), Arc::<AtomicU32>::default());
        let mut uart = Pl011::new(irq.line(1), Box::new(sent.clone()));
        let count = ready.clone();
        uart.set_ready(Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        }));
        Self { uart, sent, irq, ready }
    }

    fn read(&mut self, offset: u64) -> u16 {
        self.uart.read(Access { region: 0, offset, size: 4 }) as u16
    }

    fn write(&mut self, offset: u64, value: u16) {
        let _ = self.uart.write(Access { region: 0, offset, size: 4 }, value.into());
    }

    /// As a driver sets it up.
    fn open() -> Self {
        let mut rig = Self::new();
        rig.write(LCR_H, LCR_H_FEN | 0x60);
        rig.write(CR, CR_RESET | CR_UARTEN);
        rig.write(IMSC, INT_RX | INT_RT);
        rig
    }
}

#[test]
fn it_is_found_by_its_identification() {
    let mut rig = Rig::new();
    let id: Vec<u16> = (0..8).map(|n| rig.read(ID + 4 * n)).collect();
    assert_eq!(id, [0x11, 0x10, 0x34, 0, 0xd, 0xf0, 5, 0xb1]);
    assert_eq!((rig.read(CR), rig.read(IFLS)), (0x300, 0x12));
}

#[test]
fn bytes_are_sent_at_once() {
    let mut rig = Rig::open();
    rig.write(DR, b'x'.into());
    assert_eq!(*lock(&rig.sent.0), b"x");
    assert_eq!(rig.read(FR), FR_TXFE | FR_RXFE);
    assert!(!rig.irq.level(1));
    rig.write(IMSC, INT_TX);
    assert!(rig.irq.level(1));
    rig.write(ICR, INT_TX);
    assert!(!rig.irq.level(1));
}

#[test]
fn reception_interrupts_until_all_is_read() {
    let mut rig = Rig::open();
    assert_eq!(rig.uart.receive(b"ab"), 2);
    assert!(rig.irq.level(1));
    assert_eq!((rig.read(MIS), rig.read(DR)), (INT_RT, u16::from(b'a')));
    assert!(rig.irq.level(1));
    assert_eq!(rig.read(DR), u16::from(b'b'));
    assert!(!rig.irq.level(1));
    assert_eq!(rig.uart.receive(&[7; 40]), FIFO_LEN);
    assert_eq!((rig.read(MIS), rig.read(FR) & FR_RXFF), (INT_RX | INT_RT, FR_RXFF));
    for _ in 0..FIFO_LEN {
        assert_eq!(rig.ready.load(Ordering::Relaxed), 0);
        rig.read(DR);
    }
    assert_eq!(rig.ready.load(Ordering::Relaxed), 1, "the host may go on");
}

#[test]
fn input_waits_for_the_driver() {
    let mut rig = Rig::new();
    assert_eq!(rig.uart.receive(b"early"), 0);
    rig.write(CR, CR_RESET | CR_UARTEN);
    assert_eq!(rig.ready.load(Ordering::Relaxed), 1);
    assert_eq!(rig.uart.receive(b"early"), 1, "without FIFOs");
    assert_eq!((rig.uart.poll(), rig.uart.poll()), (Some(b'e'), None));
}

#[test]
fn saved_state_of_version_1_is_still_read() {
    let golden = serde_json::json!({
        "version": 1, "rx": [104, 105], "ilpr": 0, "ibrd": 13, "fbrd": 1, "lcr_h": 112,
        "cr": 769, "ifls": 18, "imsc": 80, "ris": 64, "dmacr": 0,
    });
    let mut rig = Rig::new();
    rig.uart.restore(&golden).unwrap();
    assert_eq!(rig.uart.save(), golden);
    assert!(rig.irq.level(1));
    for (field, bad) in [("lcr_h", 256), ("ris", 0x800)] {
        let mut state = golden.clone();
        state[field] = bad.into();
        assert!(rig.uart.restore(&state).is_err(), "{field}");
    }
}
