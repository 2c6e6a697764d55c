//! Environment calls: to the guest's own firmware or kernel, or to the firmware that we are.

use super::Riscv64;
use super::trap::{self, Exception};
use crate::vcpu::Core;

pub(super) fn ecall(core: &mut Core<Riscv64>, _: [u64; 3]) -> Result<u64, Exception> {
    Err(trap::ecall(&core.state))
}
