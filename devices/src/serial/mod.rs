//! Serial ports.

pub mod pl011;
pub mod uart16550;

use crate::device::Device;

/// What every serial port offers to the host's side.
pub trait SerialPort: Device {
    /// Input from the host. Returns how many bytes fitted; when that is not all, the rest is the
    /// caller's to keep until the ready callback comes.
    fn receive(&mut self, bytes: &[u8]) -> usize;

    /// Sets what is called when the guest has emptied the receiver after [`Self::receive`] could
    /// not take everything. It runs with the device's lock held, so it must only wake whoever
    /// calls `receive`.
    fn set_ready(&mut self, ready: Box<dyn Fn() + Send>);

    /// Takes a byte as polling firmware does: looks at the port's status, and reads if there is
    /// one.
    fn poll(&mut self) -> Option<u8>;
}
