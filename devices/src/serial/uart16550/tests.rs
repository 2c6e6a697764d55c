use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::Uart16550;
use super::spec::{fcr, ier, iir, lcr, lsr, mcr, msr};
use crate::bus::lock;
use crate::device::{Access, Device, Effect};
use crate::host::char::CharSink;
use crate::serial::SerialPort;
use crate::testing::TestIrq;

const RBR_THR: u64 = 0;
const IER: u64 = 1;
const IIR_FCR: u64 = 2;
const LCR: u64 = 3;
const MCR: u64 = 4;
const LSR: u64 = 5;
const MSR: u64 = 6;
const SCR: u64 = 7;

#[derive(Clone, Default)]
struct Transcript(Arc<Mutex<Vec<u8>>>);

impl CharSink for Transcript {
    fn write(&mut self, bytes: &[u8]) {
        lock(&self.0).extend(bytes);
    }
}

struct Rig {
    uart: Uart16550,
    irq: Arc<TestIrq>,
    sent: Transcript,
    ready: Arc<AtomicU32>,
}

impl Rig {
    fn new() -> Self {
        let (irq, sent, ready) =
            (TestIrq::new(), Transcript::default(), Arc::new(AtomicU32::new(0)));
        let mut uart = Uart16550::new(irq.line(0), Box::new(sent.clone()));
        let count = ready.clone();
        uart.set_ready(Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        }));
        Self { uart, irq, sent, ready }
    }

    fn read(&mut self, offset: u64) -> u8 {
        self.uart.read(Access { region: 0, offset, size: 1 }) as u8
    }

    fn write(&mut self, offset: u64, value: u8) {
        let effect = self.uart.write(Access { region: 0, offset, size: 1 }, value.into());
        assert_eq!(effect, Effect::None);
    }

    fn asserted(&self) -> bool {
        self.irq.level(0)
    }
}

#[test]
fn what_is_written_is_sent() {
    let mut rig = Rig::new();
    for byte in *b"ok\r\n" {
        assert_eq!(rig.read(LSR) & lsr::THRE, lsr::THRE);
        rig.write(RBR_THR, byte);
    }
    assert_eq!(*lock(&rig.sent.0), *b"ok\r\n");
    assert!(!rig.asserted());
}

#[test]
fn the_divisor_latch_overlays_data_and_interrupt_enable() {
    let mut rig = Rig::new();
    rig.write(IER, 0xff);
    rig.write(LCR, lcr::DLAB | 3);
    rig.write(RBR_THR, 0x0c);
    rig.write(IER, 0x34);
    assert_eq!((rig.read(RBR_THR), rig.read(IER), rig.read(LCR)), (0x0c, 0x34, 0x83));
    rig.write(LCR, 3);
    assert_eq!((rig.read(IER), lock(&rig.sent.0).len()), (ier::MASK, 0));
    rig.write(SCR, 0x5a);
    assert_eq!(rig.read(SCR), 0x5a);
}

#[test]
fn without_fifos_one_byte_fits() {
    let mut rig = Rig::new();
    rig.write(IER, ier::ERBFI);
    assert_eq!(rig.uart.receive(b"ab"), 1);
    assert!(rig.asserted());
    assert_eq!(rig.read(IIR_FCR), iir::RDA);
    assert_eq!(rig.read(LSR), lsr::DR | lsr::THRE | lsr::TEMT);
    assert_eq!(rig.read(RBR_THR), b'a');
    assert!(!rig.asserted());
    assert_eq!(rig.read(IIR_FCR), iir::NONE);
    assert_eq!(rig.ready.load(Ordering::Relaxed), 1);
}

#[test]
fn the_trigger_level_decides_between_data_and_timeout() {
    let mut rig = Rig::new();
    rig.write(IIR_FCR, fcr::ENABLE | 0x80);
    rig.write(IER, ier::ERBFI);
    assert_eq!(rig.uart.receive(&[1; 7]), 7);
    assert_eq!(rig.read(IIR_FCR), iir::FIFOS | iir::CTI);
    assert_eq!(rig.uart.receive(&[2]), 1);
    assert_eq!(rig.read(IIR_FCR), iir::FIFOS | iir::RDA);
    rig.read(RBR_THR);
    assert_eq!(rig.read(IIR_FCR), iir::FIFOS | iir::CTI);
    rig.write(IIR_FCR, fcr::ENABLE | fcr::RCVR_RESET);
    assert_eq!((rig.read(IIR_FCR), rig.asserted()), (iir::FIFOS | iir::NONE, false));
}

#[test]
fn the_host_waits_while_the_fifo_is_full() {
    let mut rig = Rig::new();
    rig.write(IIR_FCR, fcr::ENABLE);
    assert_eq!(rig.uart.receive(&[7; 20]), 16);
    assert_eq!(rig.uart.receive(&[7; 4]), 0);
    for left in (0..16).rev() {
        assert_eq!(rig.ready.load(Ordering::Relaxed), 0);
        assert_eq!(rig.read(RBR_THR), 7);
        assert_eq!(rig.read(LSR) & lsr::DR != 0, left > 0);
    }
    assert_eq!(rig.ready.load(Ordering::Relaxed), 1);
    assert_eq!(rig.uart.receive(&[8; 4]), 4);
    rig.uart.reset();
    assert_eq!(rig.ready.load(Ordering::Relaxed), 1, "nobody waited");
}

#[test]
fn the_transmitter_interrupt_is_acknowledged_by_identifying_it() {
    let mut rig = Rig::new();
    rig.write(IER, ier::ETBEI);
    assert!(rig.asserted(), "the transmitter is empty when the interrupt is enabled");
    assert_eq!(rig.read(IIR_FCR), iir::THRE);
    assert!(!rig.asserted());
    assert_eq!(rig.read(IIR_FCR), iir::NONE);
    rig.write(RBR_THR, b'x');
    assert!(rig.asserted(), "and empty again after each byte");
    rig.write(IER, 0);
    assert!(!rig.asserted());
    rig.write(IER, ier::ETBEI);
    assert_eq!(rig.read(IIR_FCR), iir::THRE);
    rig.write(IER, ier::ETBEI);
    assert!(!rig.asserted(), "enabling what is enabled raises nothing");
}

#[test]
fn interrupts_are_reported_by_priority() {
    let mut rig = Rig::new();
    rig.write(MCR, mcr::LOOP | mcr::RTS);
    rig.write(IER, ier::MASK);
    rig.write(RBR_THR, 1);
    rig.write(RBR_THR, 2);
    assert_eq!(rig.read(IIR_FCR), iir::RLS);
    assert_eq!(rig.read(LSR) & lsr::OE, lsr::OE);
    assert_eq!(rig.read(LSR) & lsr::OE, 0, "reading clears the error");
    assert_eq!(rig.read(IIR_FCR), iir::RDA);
    assert_eq!(rig.read(RBR_THR), 1);
    assert_eq!(rig.read(IIR_FCR), iir::THRE);
    assert_eq!(rig.read(IIR_FCR), iir::MSI);
    assert_eq!(rig.read(MSR), msr::CTS | msr::DDSR | msr::DDCD);
    assert_eq!(rig.read(IIR_FCR), iir::NONE);
    assert!(!rig.asserted());
}

#[test]
fn loopback_wires_outputs_to_inputs() {
    let mut rig = Rig::new();
    let peer = msr::CTS | msr::DSR | msr::DCD;
    assert_eq!(rig.read(MSR), peer);
    rig.write(MCR, mcr::LOOP | mcr::RTS | mcr::OUT2);
    assert_eq!(rig.read(MSR) & 0xf0, msr::CTS | msr::DCD, "as Linux probes it");
    rig.write(MCR, mcr::LOOP | mcr::OUT1);
    rig.read(MSR);
    rig.write(MCR, mcr::LOOP);
    assert_eq!(rig.read(MSR), msr::TERI);
    rig.write(RBR_THR, b'z');
    assert_eq!(lock(&rig.sent.0).len(), 0, "nothing leaves");
    assert_eq!(rig.uart.receive(b"q"), 0, "nothing enters");
    assert_eq!(rig.read(RBR_THR), b'z');
    assert_eq!(rig.ready.load(Ordering::Relaxed), 0);
    rig.write(MCR, 0);
    assert_eq!(rig.ready.load(Ordering::Relaxed), 1, "the line is connected again");
}

#[test]
fn fifo_control_needs_its_enable_bit() {
    let mut rig = Rig::new();
    rig.write(IIR_FCR, 0xc0);
    assert_eq!(rig.read(IIR_FCR), iir::NONE, "no FIFOs without the enable bit");
    rig.uart.receive(b"a");
    rig.write(IIR_FCR, fcr::ENABLE);
    assert_eq!(rig.read(LSR) & lsr::DR, 0, "toggling the FIFOs clears them");
    rig.uart.receive(b"abc");
    rig.write(IIR_FCR, fcr::RCVR_RESET);
    assert_eq!(rig.read(LSR) & lsr::DR, 0);
    assert_eq!(rig.uart.receive(b"abc"), 1);
}

#[test]
fn saved_state_of_version_1_is_still_read() {
    let golden = json!({
        "version": 1, "rx": [104, 105], "ier": 1, "fcr": 129, "lcr": 3, "mcr": 11, "scr": 0,
        "dll": 1, "dlm": 0, "overrun": false, "thre": true, "msr_deltas": 0,
    });
    let mut rig = Rig::new();
    rig.uart.restore(&golden).unwrap();
    assert_eq!(rig.uart.save(), golden);
    assert!(rig.asserted());
    assert_eq!((rig.read(RBR_THR), rig.read(RBR_THR)), (b'h', b'i'));

    for (field, bad) in [
        ("ier", json!(16)),
        ("fcr", json!(0)),
        ("rx", json!(vec![0; 17])),
        ("mcr", json!(300)),
        ("msr_deltas", json!(16)),
    ] {
        let mut state = golden.clone();
        state[field] = bad;
        assert!(rig.uart.restore(&state).is_err(), "{field}");
        assert!(!rig.asserted());
    }
}
