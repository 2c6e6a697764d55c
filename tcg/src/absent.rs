//! What is around a vCPU where there is nothing: no devices, no time.

use arch::io::{GuestIo, PowerRequest, VcpuClock};

/// No devices and no firmware: reads of memory that is none give zeros, those of ports all ones.
#[derive(Clone, Copy, Debug)]
pub struct NoDevices;

impl GuestIo for NoDevices {
    fn read(&self, _: u64, data: &mut [u8]) {
        data.fill(0);
    }

    fn write(&self, _: u64, _: &[u8]) {}

    fn port_read(&self, _: u16, data: &mut [u8]) {
        data.fill(0xff);
    }

    fn port_write(&self, _: u16, _: &[u8]) {}

    fn watched(&self, _: u64, _: usize) {}

    fn firmware_put(&self, _: u8) {}

    fn firmware_get(&self) -> Option<u8> {
        None
    }

    fn power(&self, _: PowerRequest) {}
}

/// Time that stands still.
#[derive(Clone, Copy, Debug)]
pub struct NoTime;

impl VcpuClock for NoTime {
    fn now_ns(&self) -> u64 {
        0
    }

    fn set_alarm(&self, _: u32, _: Option<u64>) {}
}
