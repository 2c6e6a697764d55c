//! The port on the bus, between its interrupt line and the host's character back end.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::model::Model;
use super::spec::{REGION_LEN, lcr, lsr, offset};
use super::state::Uart16550V1;
use crate::bus::lock;
use crate::device::{Access, Device, Effect, SavedState, StateError};
use crate::host::char::{CharSink, NullSink};
use crate::irq::IrqLine;
use crate::registry::{Bench, Specimen};
use crate::serial::SerialPort;

/// A 16550A.
pub struct Uart16550 {
    model: Model,
    irq: IrqLine,
    /// Level that `irq` was last driven to.
    asserted: bool,
    output: Box<dyn CharSink>,
    ready: Option<Box<dyn Fn() + Send>>,
    /// The host has more input than fitted, and waits for `ready`.
    waiting: bool,
}

impl Uart16550 {
    /// A port that interrupts over `irq` and sends to `output`.
    pub fn new(irq: IrqLine, output: Box<dyn CharSink>) -> Self {
        Self { model: Model::default(), irq, asserted: false, output, ready: None, waiting: false }
    }

    /// Follows a change of the model: the interrupt line, and the host that waits.
    fn drive(&mut self) {
        let level = self.model.interrupt();
        if level != self.asserted {
            self.asserted = level;
            self.irq.set(level);
        }
        if self.waiting && self.model.rx.is_empty() && !self.model.loopback() {
            self.waiting = false;
            if let Some(ready) = &self.ready {
                ready();
            }
        }
    }

    /// Takes a whole new state; the line is driven even if it seems not to change.
    fn replace(&mut self, model: Model) {
        self.model = model;
        self.asserted = self.model.interrupt();
        self.irq.set(self.asserted);
        self.drive();
    }
}

impl SerialPort for Uart16550 {
    fn receive(&mut self, bytes: &[u8]) -> usize {
        let taken = self.model.receive(bytes);
        self.waiting = taken < bytes.len();
        self.drive();
        taken
    }

    fn set_ready(&mut self, ready: Box<dyn Fn() + Send>) {
        self.ready = Some(ready);
    }

    /// The divisor latch hides the receiver while a driver sets the speed.
    fn poll(&mut self) -> Option<u8> {
        let model = &mut self.model;
        let hidden = model.read(offset::LCR) & lcr::DLAB != 0;
        let there = !hidden && model.read(offset::LSR) & lsr::DR != 0;
        let byte = there.then(|| model.read(offset::RBR));
        self.drive();
        byte
    }
}

impl Device for Uart16550 {
    fn kind(&self) -> &'static str {
        Uart16550V1::KIND
    }

    fn regions(&self) -> Vec<u64> {
        vec![REGION_LEN]
    }

    /// Wider accesses than a byte reach the register at their offset.
    fn read(&mut self, at: Access) -> u64 {
        let value = self.model.read(at.offset);
        self.drive();
        value.into()
    }

    fn write(&mut self, at: Access, value: u64) -> Effect {
        if let Some(byte) = self.model.write(at.offset, value as u8) {
            self.output.write(&[byte]);
        }
        self.drive();
        Effect::None
    }

    fn reset(&mut self) {
        self.replace(Model::default());
    }

    fn save(&self) -> Value {
        Uart16550V1::from(&self.model).to_value()
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        self.reset();
        self.replace(Uart16550V1::from_value(state)?.try_into()?);
        Ok(())
    }
}

/// A stand-alone port; the stimulus is input of up to 32 bytes.
pub fn specimen(bench: &Bench) -> Specimen {
    let uart = Arc::new(Mutex::new(Uart16550::new(bench.irq.line(0), Box::new(NullSink))));
    let input = uart.clone();
    Specimen::shared(uart).stimulated_by(move |random| {
        let len = (random % 33) as usize;
        lock(&input).receive(&[(random >> 8) as u8; 32][..len]);
    })
}
