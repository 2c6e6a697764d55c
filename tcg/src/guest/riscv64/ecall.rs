//! Environment calls: to the guest's own firmware or kernel, or to the firmware that we are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use arch::io::PowerRequest;
use arch::riscv64::state::PRV_S;

use super::sbi::{self, HartStatus, Harts, Outcome, RemoteFence, Reset, SbiError, SbiHost};
use super::system::Remote;
use super::trap::{self, Exception};
use super::{Riscv64, timer};
use crate::machine::Machine;
use crate::vcpu::Core;

/// What harts share beside memory: which of them run.
#[derive(Debug)]
pub struct Shared {
    status: [AtomicU8; MAX_HARTS],
}

/// Harts per machine at most.
const MAX_HARTS: usize = 64;

const STARTED: u8 = HartStatus::Started as u8;
const STOPPED: u8 = HartStatus::Stopped as u8;
const START_PENDING: u8 = HartStatus::StartPending as u8;
const SUSPENDED: u8 = HartStatus::Suspended as u8;

impl Default for Shared {
    fn default() -> Self {
        Self { status: std::array::from_fn(|_| AtomicU8::new(STARTED)) }
    }
}

impl Shared {
    fn of(&self, hart: u64) -> &AtomicU8 {
        &self.status[hart as usize % MAX_HARTS]
    }

    /// Says whether a hart is stopped.
    pub(super) fn set_stopped(&self, hart: u32, stopped: bool) {
        self.of(u64::from(hart)).store(if stopped { STOPPED } else { STARTED }, SeqCst);
    }

    /// A suspended hart runs again.
    pub(super) fn resumed(&self, hart: u32) {
        let _ = self.of(u64::from(hart)).compare_exchange(SUSPENDED, STARTED, SeqCst, SeqCst);
    }
}

pub(super) fn ecall(core: &mut Core<Riscv64>, _: [u64; 3]) -> Result<u64, Exception> {
    if !core.machine.firmware_calls || core.state.prv != PRV_S {
        return Err(trap::ecall(&core.state));
    }
    let mut firmware = Firmware { machine: core.machine.clone(), later: Vec::new(), timer: false };
    let outcome = sbi::ecall(&mut core.state, &mut firmware);
    if firmware.timer {
        timer::rearm(core);
    }
    for (harts, request) in firmware.later {
        let machine = core.machine.clone();
        machine.remote(core, mask(harts), request);
    }
    match outcome {
        Outcome::Return => {}
        Outcome::Wait => {
            core.machine.shared.of(core.state.mhartid).store(SUSPENDED, SeqCst);
            core.local.waiting = true;
        }
        Outcome::Stop => {
            core.machine.shared.set_stopped(core.index, true);
            core.local.stopped = true;
        }
        Outcome::Reset { kind, failure } => {
            core.machine.io.power(match kind {
                Reset::Shutdown if failure => PowerRequest::Failed,
                Reset::Shutdown => PowerRequest::Off,
                _ => PowerRequest::Reset,
            });
            core.local.stopped = true;
        }
    }
    core.ask_resync();
    Ok(0)
}

fn mask(harts: Harts) -> u64 {
    match harts {
        Harts::All => u64::MAX,
        Harts::Mask { base, bits } => bits.checked_shl(base as u32).unwrap_or(0),
    }
}

/// The machine as the firmware's calls see it. Requests to other harts are collected, and sent
/// once the caller's registers are written.
struct Firmware {
    machine: Arc<Machine<Riscv64>>,
    later: Vec<(Harts, Remote)>,
    timer: bool,
}

impl SbiHost for Firmware {
    fn hart_count(&self) -> u64 {
        u64::from(self.machine.vcpus())
    }

    fn set_timer(&mut self, _: u64, _: u64) {
        self.timer = true;
    }

    fn send_ipi(&mut self, harts: Harts) {
        self.later.push((harts, Remote::Ipi));
    }

    fn remote_fence(&mut self, fence: RemoteFence, harts: Harts) {
        let request = match fence {
            RemoteFence::Instructions => Remote::FenceI,
            RemoteFence::Translations { range, asid } => {
                Remote::Fence { range, asid: asid.map(|a| a as u16) }
            }
        };
        self.later.push((harts, request));
    }

    fn hart_start(&mut self, hart: u64, pc: u64, opaque: u64) -> Result<(), SbiError> {
        if self.machine.ram.find(pc).is_none() {
            return Err(SbiError::InvalidAddress);
        }
        self.machine
            .shared
            .of(hart)
            .compare_exchange(STOPPED, START_PENDING, SeqCst, SeqCst)
            .map_err(|_| SbiError::AlreadyAvailable)?;
        let target = Harts::Mask { base: hart, bits: 1 };
        self.later.push((target, Remote::Start { pc, opaque }));
        Ok(())
    }

    fn hart_status(&self, hart: u64) -> HartStatus {
        match self.machine.shared.of(hart).load(SeqCst) {
            STOPPED => HartStatus::Stopped,
            START_PENDING => HartStatus::StartPending,
            SUSPENDED => HartStatus::Suspended,
            _ => HartStatus::Started,
        }
    }

    fn console_write(&mut self, gpa: u64, len: u64) -> Option<u64> {
        for at in 0..len {
            let place = self.machine.ram.find(gpa.checked_add(at)?)?;
            self.machine.io.firmware_put(place.hva.load(0) as u8);
        }
        Some(len)
    }

    fn console_read(&mut self, gpa: u64, len: u64) -> Option<u64> {
        for at in 0..len {
            let to = gpa.checked_add(at)?;
            let place = self.machine.ram.find(to).filter(|p| !p.readonly)?;
            let Some(byte) = self.machine.io.firmware_get() else {
                return Some(at);
            };
            place.hva.store(u64::from(byte), 0);
            self.machine.written(to, 1);
        }
        Some(len)
    }

    fn console_write_byte(&mut self, byte: u8) {
        self.machine.io.firmware_put(byte);
    }

    fn console_read_byte(&mut self) -> Option<u8> {
        self.machine.io.firmware_get()
    }
}
