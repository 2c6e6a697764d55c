//! A machine of one hart and some memory, whose trap handler ends the run.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use arch::io::{GuestIo, PowerRequest, VcpuClock};
use arch::riscv64::fields::{ENVCFG_ADUE, SATP_MODE_SHIFT, SATP_SV39};
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
/// Bytes for translated code: more than the runs of one machine need.
const CODE_ROOM: usize = 16 << 20;
const RAM: u64 = CODE;
const RAM_BYTES: usize = 2 << 20;
/// Longer than any sequence takes.
const TIMEOUT: Duration = Duration::from_secs(20);

const PAGE: u64 = 4096;

const T0: usize = 5;

/// `csrw mscratch, t0; lui t0, STOP; sw zero, 0(t0); j .`
const HANDLER_CODE: [u32; 4] = [0x3402_9073, 0x1000_02b7, 0x0002_a023, 0x0000_006f];

const FS_SHIFT: u32 = 13;

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

    fn port_read(&self, _: u16, data: &mut [u8]) {
        data.fill(0xff);
    }

    fn port_write(&self, _: u16, _: &[u8]) {}

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

/// What the code finds around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum World {
    /// User mode without translation of addresses, which reaches [`RAM`] and nothing else.
    User {
        /// Code can change itself.
        code_writable: bool,
    },
    /// User mode, its pages scattered over memory; code and data is all it reaches.
    Paged {
        /// Code can change itself.
        code_writable: bool,
    },
    /// Machine mode.
    Machine,
}

/// See the module.
pub(crate) struct Bare {
    machine: Arc<Machine<Riscv64>>,
    vcpu: Vcpu<Riscv64>,
    watchdog: Watchdog,
    world: World,
}

impl Bare {
    pub(crate) fn new(mode: Mode, world: World) -> Self {
        Self::with_room(mode, world, CODE_ROOM)
    }

    /// With so many bytes for translated code.
    pub(crate) fn with_room(mode: Mode, world: World, code_bytes: usize) -> Self {
        let stopper = Arc::new(Stopper::default());
        let machine = Machine::new(Config {
            vcpus: 1,
            mode,
            code_bytes,
            io: stopper.clone(),
            clock: Arc::new(NoTime),
            firmware_calls: false,
            learning: None,
        })
        .expect("memory for code");
        stopper.watch(&machine);
        let host = HostRange::new(Arc::new(Anonymous::new(RAM_BYTES)));
        machine.map(Slot { gpa: RAM, host, readonly: false }).expect("the only slot");
        let handler: Vec<u8> = HANDLER_CODE.iter().flat_map(|w| w.to_le_bytes()).collect();
        testing::write_memory(&machine, HANDLER, &handler);
        if let World::Paged { code_writable } = world {
            for (gpa, pte) in page_tables(code_writable) {
                testing::write_memory(&machine, gpa, &pte.to_le_bytes());
            }
        }
        let vcpu = machine.vcpu(0, hart(world), false).expect("the first vCPU");
        Self { machine, vcpu, watchdog: Watchdog::new(stopper, TIMEOUT), world }
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
        for (va, bytes) in [(CODE, code), (DATA, &start.data)] {
            for (page, bytes) in bytes.chunks(PAGE as usize).enumerate() {
                let gpa = self.physical(va + page as u64 * PAGE);
                testing::write_memory(&self.machine, gpa, bytes);
            }
        }
        let state = &mut self.vcpu.core().state;
        *state = Hart {
            x: start.x,
            f: start.f,
            fflags: start.fflags,
            frm: start.frm,
            pc: CODE,
            ..hart(self.world)
        };
        state.mstatus |= start.fs << FS_SHIFT;
        prepare(state);
        assert!(self.watchdog.pat());
        let stop = self.vcpu.run();
        assert!(self.watchdog.pat(), "the run does not end; it is at {:#x}", self.pc());
        assert_eq!(stop, Stop::Kicked);
        self.end()
    }

    fn physical(&self, va: u64) -> u64 {
        if let World::Paged { .. } = self.world { scattered(va) } else { va }
    }

    fn pc(&mut self) -> u64 {
        self.vcpu.core().state.pc
    }

    fn end(&mut self) -> End {
        let mut data = vec![0; DATA_BYTES];
        for (page, bytes) in data.chunks_mut(PAGE as usize).enumerate() {
            let gpa = self.physical(DATA + page as u64 * PAGE);
            testing::read_memory(&self.machine, gpa, bytes);
        }
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

/// Where a page of code or data is if pages are scattered: the later ones in front.
fn scattered(va: u64) -> u64 {
    const CODE_BACKWARDS: u64 = 0x4004_0000;
    const DATA_BACKWARDS: u64 = 0x4008_0000;
    if va < DATA { CODE_BACKWARDS - (va - CODE) } else { DATA_BACKWARDS - (va - DATA) }
}

/// The root of the page tables; the tables below it follow.
const TABLES: u64 = 0x400c_0000;

/// Entries of page tables that map code and data, and where they are: Sv39, one page at a time
/// [Priv §10.4]. Accessed and dirty bits are left to the hart.
fn page_tables(code_writable: bool) -> Vec<(u64, u64)> {
    const VALID: u64 = 1;
    const READ: u64 = 2;
    const WRITE: u64 = 4;
    const EXECUTE: u64 = 8;
    const USER: u64 = 16;
    let pte = |gpa: u64, flags: u64| gpa >> 12 << 10 | VALID | flags;
    let slot = |table: u64, va: u64, level: u32| table + 8 * (va >> (12 + 9 * level) & 0x1ff);
    let (middle, leaf) = (TABLES + PAGE, TABLES + 2 * PAGE);
    let mut entries =
        vec![(slot(TABLES, CODE, 2), pte(middle, 0)), (slot(middle, CODE, 1), pte(leaf, 0))];
    let code = USER | READ | EXECUTE | if code_writable { WRITE } else { 0 };
    let regions = [(CODE, CODE_BYTES, code), (DATA, DATA_BYTES, USER | READ | WRITE)];
    for (start, bytes, flags) in regions {
        for va in (start..start + bytes as u64).step_by(PAGE as usize) {
            entries.push((slot(leaf, va, 0), pte(scattered(va), flags)));
        }
    }
    entries
}

/// Two regions, powers of two in pmpaddr's units of 4 bytes [Priv §3.7.1]: code, and all of RAM.
fn hart(world: World) -> Hart {
    const NAPOT: u64 = 3 << 3;
    const READ: u64 = 1;
    const WRITE: u64 = 2;
    const EXECUTE: u64 = 4;
    let region = |start: u64, bytes: u64| (start + bytes / 2 - 1) >> 2;
    let protected = world == World::User { code_writable: false };
    let code = NAPOT | READ | EXECUTE | if protected { 0 } else { WRITE };
    let ram = NAPOT | READ | WRITE | EXECUTE;
    let mut h = Hart::new(0, &Model::default());
    h.pmpcfg[0] = ram << 8 | code;
    h.pmpaddr[0] = region(CODE, CODE_BYTES as u64);
    h.pmpaddr[1] = region(RAM, RAM_BYTES as u64);
    h.mtvec = HANDLER;
    h.prv = if world == World::Machine { PRV_M } else { PRV_U };
    if let World::Paged { .. } = world {
        h.satp = SATP_SV39 << SATP_MODE_SHIFT | TABLES >> 12;
        h.menvcfg |= ENVCFG_ADUE;
    }
    h
}
