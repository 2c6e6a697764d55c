//! What a virtual CPU reaches outside itself, whichever accelerator runs it.

/// Everything a vCPU asks of the machine around it. Called on the vCPU's own thread, in program
/// order, without any lock of the accelerator held.
pub trait GuestIo: Send + Sync {
    /// Reads guest-physical memory that is not RAM.
    fn read(&self, gpa: u64, data: &mut [u8]);
    /// Writes guest-physical memory that is not RAM.
    fn write(&self, gpa: u64, data: &[u8]);
    /// Reads `data.len()` bytes (1, 2 or 4) from an I/O port, on architectures that have them.
    fn port_read(&self, port: u16, data: &mut [u8]);
    /// Writes 1, 2 or 4 bytes to an I/O port.
    fn port_write(&self, port: u16, data: &[u8]);
    /// The guest stored to RAM that is being watched; called after the store.
    fn watched(&self, gpa: u64, len: usize);
    /// A byte for the firmware's console (SBI DBCN, SBI legacy putchar).
    fn firmware_put(&self, byte: u8);
    /// A byte from the firmware's console, if there is one.
    fn firmware_get(&self) -> Option<u8>;
    /// The guest asks its firmware to end or restart the machine.
    fn power(&self, request: PowerRequest);
}

/// What a guest asks of its firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerRequest {
    /// Power off.
    Off,
    /// Power off, and something went wrong.
    Failed,
    /// Restart.
    Reset,
}

/// Guest time, as vCPUs need it.
pub trait VcpuClock: Send + Sync {
    /// Nanoseconds since the machine started.
    fn now_ns(&self) -> u64;
    /// Asks for the accelerator's `alarm(vcpu)` at `deadline_ns` (at once if it has passed); `None`
    /// cancels. Replaces that vCPU's earlier deadline.
    fn set_alarm(&self, vcpu: u32, deadline_ns: Option<u64>);
}
