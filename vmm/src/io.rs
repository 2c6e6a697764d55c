//! What vCPUs reach outside themselves: the bus, the firmware's console, the power switch.

use std::sync::{Arc, OnceLock};

use accel::{GuestIo, PowerRequest};
use devices::bus::{Shared, lock};
use devices::serial::uart16550::Uart16550;
use devices::{Access, Bus, Device, MachineEvent};

use crate::console::SharedSink;
use crate::machine::control::{Control, Event};
use crate::machine::htif::{Htif, Request};

/// The console that firmware calls use: the serial port of the board.
pub(crate) struct FirmwareConsole {
    pub(crate) output: SharedSink,
    pub(crate) uart: Shared<Uart16550>,
}

/// See the module.
pub(crate) struct MachineIo {
    pub(crate) bus: Bus,
    pub(crate) control: Arc<Control>,
    pub(crate) console: FirmwareConsole,
    /// Set before the first vCPU runs, for programs that have it.
    pub(crate) htif: OnceLock<Htif>,
}

/// Registers of the serial port for its polling use `[PC16550D §8]`.
const RBR: u64 = 0;
const LCR: u64 = 3;
const LSR: u64 = 5;
const LCR_DLAB: u64 = 1 << 7;
const LSR_DR: u64 = 1 << 0;

impl GuestIo for MachineIo {
    fn read(&self, gpa: u64, data: &mut [u8]) {
        self.bus.read(gpa, data);
    }

    fn write(&self, gpa: u64, data: &[u8]) {
        if let Some(event) = self.bus.write(gpa, data) {
            self.control.post(match event {
                MachineEvent::Shutdown => Event::PowerOff,
                MachineEvent::Reset => Event::Reset,
                // OpenSBI's way to say that the guest failed.
                MachineEvent::Exit(0) => Event::Failed,
                MachineEvent::Exit(status) => Event::Exit(status),
            });
        }
    }

    /// No board of this build has ports: nothing answers.
    fn port_read(&self, _: u16, data: &mut [u8]) {
        data.fill(0xff);
    }

    fn port_write(&self, _: u16, _: &[u8]) {}

    fn watched(&self, gpa: u64, len: usize) {
        match self.htif.get().and_then(|htif| htif.stored(gpa, len)) {
            Some(Request::Exit(status)) => self.control.post(Event::Exit(status)),
            Some(Request::Put(byte)) => self.firmware_put(byte),
            None => {}
        }
    }

    fn firmware_put(&self, byte: u8) {
        self.console.output.put(byte);
    }

    /// As firmware does it: looks at the port's status, and takes a byte if there is one. The
    /// divisor latch hides it while the kernel's driver sets the speed.
    fn firmware_get(&self) -> Option<u8> {
        let mut uart = lock(&self.console.uart);
        let mut read = |offset| uart.read(Access { region: 0, offset, size: 1 });
        let there = read(LCR) & LCR_DLAB == 0 && read(LSR) & LSR_DR != 0;
        there.then(|| read(RBR) as u8)
    }

    fn power(&self, request: PowerRequest) {
        self.control.post(match request {
            PowerRequest::Off => Event::PowerOff,
            PowerRequest::Failed => Event::Failed,
            PowerRequest::Reset => Event::Reset,
        });
    }
}
