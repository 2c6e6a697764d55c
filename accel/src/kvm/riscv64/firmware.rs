//! Calls to firmware that KVM leaves to us: the console's, old and new `[SBI-2.0 §5]`,
//! `[SBI-2.0 §12]`.

use arch::riscv64::Hart;
use tcg::guest::riscv64::sbi::{self, HartStatus, Harts, RemoteFence, SbiError, SbiHost};

use super::super::memory::Memory;
use super::super::page::Page;
use crate::GuestIo;

/// First argument register, and those of the call's number.
const A0: usize = 10;
const A1: usize = 11;
const A6: usize = 16;
const A7: usize = 17;

/// Answers the call that the hart left the guest for, by the same code as the software CPU.
pub(super) fn answer(page: &mut Page, io: &dyn GuestIo, memory: &Memory) {
    let call = page.sbi();
    let mut hart = Hart::default();
    hart.x[A0..A6].copy_from_slice(&call.args);
    (hart.x[A6], hart.x[A7]) = (call.function, call.extension);
    sbi::ecall(&mut hart, &mut Console { io, memory });
    page.set_sbi(hart.x[A0] as i64, hart.x[A1]);
}

/// The console alone: KVM keeps all other calls to itself.
struct Console<'a> {
    io: &'a dyn GuestIo,
    memory: &'a Memory,
}

impl SbiHost for Console<'_> {
    fn hart_count(&self) -> u64 {
        0
    }

    fn set_timer(&mut self, _: u64, _: u64) {}

    fn send_ipi(&mut self, _: Harts) {}

    fn remote_fence(&mut self, _: RemoteFence, _: Harts) {}

    fn hart_start(&mut self, _: u64, _: u64, _: u64) -> Result<(), SbiError> {
        Err(SbiError::NotSupported)
    }

    fn hart_status(&self, _: u64) -> HartStatus {
        HartStatus::Started
    }

    fn console_write(&mut self, gpa: u64, len: u64) -> Option<u64> {
        let mut bytes = vec![0; len as usize];
        if self.memory.read(gpa, &mut bytes) < bytes.len() {
            return None;
        }
        bytes.iter().for_each(|byte| self.io.firmware_put(*byte));
        Some(len)
    }

    fn console_read(&mut self, gpa: u64, len: u64) -> Option<u64> {
        for at in 0..len {
            let Some(byte) = self.io.firmware_get() else {
                return Some(at);
            };
            self.memory.write_byte(gpa.checked_add(at)?, byte)?;
        }
        Some(len)
    }

    fn console_write_byte(&mut self, byte: u8) {
        self.io.firmware_put(byte);
    }

    fn console_read_byte(&mut self) -> Option<u8> {
        self.io.firmware_get()
    }
}
