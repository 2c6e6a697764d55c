//! What vCPUs reach outside themselves: the bus, the firmware's console, the power switch.

use std::sync::{Arc, OnceLock};

use accel::{GuestIo, PowerRequest};
use devices::bus::{Shared, lock};
use devices::serial::SerialPort;
use devices::{Bus, MachineEvent};

use crate::console::SharedSink;
use crate::machine::control::{Control, Event};
use crate::machine::htif::{Htif, Request};

/// The console that firmware calls use: the serial port of the board.
pub(crate) struct FirmwareConsole {
    pub(crate) output: SharedSink,
    pub(crate) uart: Shared<dyn SerialPort>,
}

/// See the module.
pub(crate) struct MachineIo {
    pub(crate) bus: Bus,
    /// I/O ports, on architectures that have them.
    pub(crate) ports: Bus,
    pub(crate) control: Arc<Control>,
    pub(crate) console: FirmwareConsole,
    /// Set before the first vCPU runs, for programs that have it.
    pub(crate) htif: OnceLock<Htif>,
}

impl MachineIo {
    fn post(&self, event: Option<MachineEvent>) {
        let Some(event) = event else { return };
        self.control.post(match event {
            MachineEvent::Shutdown => Event::PowerOff,
            MachineEvent::Reset => Event::Reset,
            // OpenSBI's way to say that the guest failed.
            MachineEvent::Exit(0) => Event::Failed,
            MachineEvent::Exit(status) => Event::Exit(status),
        });
    }
}

impl GuestIo for MachineIo {
    fn read(&self, gpa: u64, data: &mut [u8]) {
        self.bus.read(gpa, data);
    }

    fn write(&self, gpa: u64, data: &[u8]) {
        self.post(self.bus.write(gpa, data));
    }

    fn port_read(&self, port: u16, data: &mut [u8]) {
        self.ports.read(port.into(), data);
    }

    fn port_write(&self, port: u16, data: &[u8]) {
        self.post(self.ports.write(port.into(), data));
    }

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

    fn firmware_get(&self) -> Option<u8> {
        lock(&self.console.uart).poll()
    }

    fn power(&self, request: PowerRequest) {
        self.control.post(match request {
            PowerRequest::Off => Event::PowerOff,
            PowerRequest::Failed => Event::Failed,
            PowerRequest::Reset => Event::Reset,
        });
    }
}
