//! A machine of one hart and some memory, whose trap handler ends the run.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use arch::io::{GuestIo, PowerRequest, VcpuClock};
use arch::riscv64::state::{PRV_M, PRV_U};
use arch::riscv64::{Hart, Model};
use tcg::guest::riscv64::Riscv64;
use tcg::mmu::host::{Anonymous, HostRange};
use tcg::mmu::ram::Slot;
use tcg::vcpu::request;
use tcg::{Config, Machine, Mode, Stop, Vcpu, testing};

use crate::state::{CODE, CODE_BYTES, DATA, DATA_BYTES, End, Start};

/// The trap handler.
const HANDLER: u64 = 0x4001_0000;
/// A store here ends the run.
const STOP: u64 = 0x1000_0000;
const RAM: u64 = CODE;
const RAM_BYTES: usize = 2 << 20;
/// Longer than any sequence takes.
const TIMEOUT: Duration = Duration::from_secs(20);

const T0: usize = 5;

/// `csrw mscratch, t0; lui t0, STOP; sw zero, 0(t0); j .`
const HANDLER_CODE: [u32; 4] = [0x3402_9073, 0x1000_02b7, 0x0002_a023, 0x0000_006f];

const FS_DIRTY: u64 = 3 << 13;

/// Ends the run when the guest asks for it.
#[derive(Default)]
pub(crate) struct Stopper {
    machine: OnceLock<Weak<Machine<Riscv64>>>,
}

impl Stopper {
    /// Whose run to end.
    pub(crate) fn watch(&self, machine: &Arc<Machine<Riscv64>>) {
        assert!(self.machine.set(Arc::downgrade(machine)).is_ok(), "one machine has one stopper");
    }

    pub(crate) fn stop(&self) {
        if let Some(machine) = self.machine.get().and_then(Weak::upgrade) {
            machine.signals(0).raise(request::KICK);
        }
    }
}

impl GuestIo for Stopper {
    fn read(&self, _: u64, data: &mut [u8]) {
        data.fill(0);
    }

    fn write(&self, gpa: u64, _: &[u8]) {
        if gpa == STOP {
            self.stop();
        }
    }

    fn watched(&self, _: u64, _: usize) {
        self.stop();
    }

    fn firmware_put(&self, _: u8) {}

    fn firmware_get(&self) -> Option<u8> {
        None
    }

    fn power(&self, _: PowerRequest) {
        self.stop();
    }
}

/// Time stands still.
pub(crate) struct NoTime;

impl VcpuClock for NoTime {
    fn now_ns(&self) -> u64 {
        0
    }

    fn set_alarm(&self, _: u32, _: Option<u64>) {}
}

/// Ends a run that does not end.
pub(crate) struct Watchdog {
    orders: Option<Sender<()>>,
    thread: Option<JoinHandle<bool>>,
}

impl Watchdog {
    pub(crate) fn new(stopper: Arc<Stopper>, timeout: Duration) -> Self {
        let (orders, received) = channel();
        let thread = std::thread::spawn(move || {
            // A message when a run begins, another when it has ended.
            while received.recv().is_ok() {
                if received.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout) {
                    stopper.stop();
                    return true;
                }
            }
            false
        });
        Self { orders: Some(orders), thread: Some(thread) }
    }

    /// No run took too long so far.
    pub(crate) fn is_patient(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// A run begins, or has ended. False if one took too long.
    pub(crate) fn pat(&self) -> bool {
        self.orders.as_ref().is_some_and(|orders| orders.send(()).is_ok())
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// See the module.
pub(crate) struct Bare {
    machine: Arc<Machine<Riscv64>>,
    vcpu: Vcpu<Riscv64>,
    watchdog: Watchdog,
    privilege: u64,
    code_writable: bool,
}

impl Bare {
    /// Code runs in user mode, which reaches [`RAM`] and nothing else; whether it can change
    /// itself.
    pub(crate) fn user(mode: Mode, code_writable: bool) -> Self {
        Self::new(mode, PRV_U, code_writable)
    }

    /// Code runs in machine mode.
    pub(crate) fn privileged(mode: Mode) -> Self {
        Self::new(mode, PRV_M, true)
    }

    fn new(mode: Mode, privilege: u64, code_writable: bool) -> Self {
        let stopper = Arc::new(Stopper::default());
        let machine = Machine::new(Config {
            vcpus: 1,
            mode,
            code_bytes: 16 << 20,
            io: stopper.clone(),
            clock: Arc::new(NoTime),
            firmware_calls: false,
        })
        .expect("memory for code");
        stopper.watch(&machine);
        let host = HostRange::new(Arc::new(Anonymous::new(RAM_BYTES)));
        machine.map(Slot { gpa: RAM, host, readonly: false }).expect("the only slot");
        let handler: Vec<u8> = HANDLER_CODE.iter().flat_map(|w| w.to_le_bytes()).collect();
        testing::write_memory(&machine, HANDLER, &handler);
        let vcpu = machine.vcpu(0, hart(privilege, code_writable), false).expect("the first vCPU");
        Self { machine, vcpu, watchdog: Watchdog::new(stopper, TIMEOUT), privilege, code_writable }
    }

    /// Runs `code` until its first trap.
    pub(crate) fn run(&mut self, start: &Start, code: &[u8]) -> End {
        self.run_with(start, code, |_| ())
    }

    /// The same, with a last word on the registers.
    pub(crate) fn run_with(
        &mut self,
        start: &Start,
        code: &[u8],
        prepare: impl FnOnce(&mut Hart),
    ) -> End {
        assert!(code.len() <= CODE_BYTES);
        testing::write_memory(&self.machine, CODE, code);
        testing::write_memory(&self.machine, DATA, &start.data);
        let state = &mut self.vcpu.core().state;
        *state = Hart {
            x: start.x,
            f: start.f,
            fflags: start.fflags,
            frm: start.frm,
            pc: CODE,
            ..hart(self.privilege, self.code_writable)
        };
        prepare(state);
        assert!(self.watchdog.pat());
        let stop = self.vcpu.run();
        assert!(self.watchdog.pat(), "the run does not end; it is at {:#x}", self.pc());
        assert_eq!(stop, Stop::Kicked);
        self.end()
    }

    fn pc(&mut self) -> u64 {
        self.vcpu.core().state.pc
    }

    fn end(&mut self) -> End {
        let mut data = vec![0; DATA_BYTES];
        testing::read_memory(&self.machine, DATA, &mut data);
        let h = &self.vcpu.core().state;
        let mut x = h.x;
        x[T0] = h.mscratch;
        End {
            x,
            f: h.f,
            fflags: h.fflags,
            frm: h.frm,
            cause: h.mcause,
            pc: h.mepc,
            data,
            system: Some([h.mtval, h.mstatus, h.sscratch, h.resv_addr]),
        }
    }
}

/// Two regions, powers of two in pmpaddr's units of 4 bytes [Priv §3.7.1]: code, and all of RAM.
fn hart(privilege: u64, code_writable: bool) -> Hart {
    const NAPOT: u64 = 3 << 3;
    const READ: u64 = 1;
    const WRITE: u64 = 2;
    const EXECUTE: u64 = 4;
    let region = |start: u64, bytes: u64| (start + bytes / 2 - 1) >> 2;
    let code = NAPOT | READ | EXECUTE | if code_writable { WRITE } else { 0 };
    let ram = NAPOT | READ | WRITE | EXECUTE;
    let mut h = Hart::new(0, &Model::default());
    h.pmpcfg[0] = ram << 8 | code;
    h.pmpaddr[0] = region(CODE, CODE_BYTES as u64);
    h.pmpaddr[1] = region(RAM, RAM_BYTES as u64);
    h.mtvec = HANDLER;
    h.mstatus |= FS_DIRTY;
    h.prv = privilege;
    h
}
