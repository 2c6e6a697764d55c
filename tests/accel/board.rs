//! The smallest machine: memory, one device that writes down what happens to it, and time that
//! moves only when somebody waits for it.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::thread;

use accel::{Accelerator, Error, GuestIo, IrqChips, PowerRequest, Vcpu, VcpuClock, Vm, VmConfig};
use arch::riscv64::boot::{Layout, Payload};
use arch::riscv64::state::PRV_M;
use arch::riscv64::{Hart, Model, Riscv64};
use devices::dma::DmaWatch;
use vmm::memory::{GuestMemory, Want};

const RAM: Want = Want { gpa: 0x8000_0000, len: 1 << 20, readonly: false };

/// The page of the programs' data, which is watched.
pub(crate) const DATA: u64 = RAM.gpa + 0x4000;

const DEVICE: u64 = 0x1000_0000;
/// Lowers the interrupt pin of the hart written.
const CLEAR: u64 = 56;
/// Raises it.
const RAISE: u64 = 60;
/// Ends the run.
const END: u64 = 68;
/// Has the device change the program's code.
pub(crate) const PATCH: u64 = 76;

/// Where that code is, and how often it is changed: to `li a0, n` the `n`-th time.
const PATCHED: u64 = RAM.gpa + 0x28;
pub(crate) const PATCHES: u64 = 40;

/// Pin of a hart's software interrupt, which the device drives where no firmware is.
const MSIP: u32 = 3;
/// Pin of its external interrupt in supervisor mode.
const SEIP: u32 = 9;

/// Time at the start.
pub(crate) const START_NS: u64 = 1_000_000;

/// What an accelerator asks of the machine, at offsets in the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Read(u64, usize),
    Write(u64, Vec<u8>),
    Watched(u64, usize),
    Put(u8),
    Alarm(u32, u64),
    PowerOff,
}

/// See the module.
pub(crate) struct Board {
    io: Arc<Io>,
    memory: GuestMemory,
    vm: Arc<dyn Vm<Riscv64>>,
    harts: u32,
    firmware: bool,
}

struct Io {
    log: Mutex<Vec<Event>>,
    vm: OnceLock<Weak<dyn Vm<Riscv64>>>,
    dma: OnceLock<devices::dma::Dma>,
    harts: u32,
    pin: u32,
    patches: AtomicU64,
}

impl Board {
    /// A machine with `program` in memory; with `firmware`, in supervisor mode, and all harts
    /// but the first are parked.
    pub(crate) fn new(
        accel: &dyn Accelerator<Riscv64>,
        program: &[u32],
        harts: u32,
        firmware: bool,
    ) -> Arc<Self> {
        let io = Arc::new(Io {
            log: Mutex::default(),
            vm: OnceLock::new(),
            dma: OnceLock::new(),
            harts,
            pin: if firmware { SEIP } else { MSIP },
            patches: AtomicU64::new(0),
        });
        let watch: Arc<dyn DmaWatch> = io.clone();
        let memory = GuestMemory::new(&[RAM], &watch).unwrap();
        let code: Vec<u8> = program.iter().flat_map(|word| word.to_le_bytes()).collect();
        memory.write(RAM.gpa, &code).unwrap();
        let clock = Arc::new(Time::start(io.clone()));
        let vm: Arc<dyn Vm<Riscv64>> = Arc::from(
            accel
                .create_vm(VmConfig {
                    vcpus: harts,
                    io: io.clone(),
                    clock,
                    firmware_calls: firmware,
                    model: accel.model(&Model::default()).unwrap(),
                    irqchips: IrqChips::Machine,
                })
                .unwrap(),
        );
        for slot in memory.slots() {
            vm.map(slot).unwrap();
        }
        if let Some(watch) = vm.watch() {
            watch.watch(DATA).unwrap();
        }
        assert!(io.vm.set(Arc::downgrade(&vm)).is_ok() && io.dma.set(memory.dma()).is_ok());
        Arc::new(Self { io, memory, vm, harts, firmware })
    }

    pub(crate) fn harts(&self) -> u32 {
        self.harts
    }

    pub(crate) fn vm(&self) -> &dyn Vm<Riscv64> {
        &*self.vm
    }

    /// The vCPU, at the program's start.
    pub(crate) fn vcpu(&self, hart: u32) -> Box<dyn Vcpu<Riscv64>> {
        let model = Model::default();
        let mut state = Hart::new(hart.into(), &model);
        state.prv = PRV_M;
        let mut runs = true;
        if self.firmware {
            let program = arch::boot::Program::Image(arch::boot::Image {
                bytes: &[],
                text_offset: 0,
                image_size: 0,
            });
            let payload = Payload { firmware: None, kernel: Some(&program), initrd_len: None };
            runs = Layout::new(64 << 20, &payload).unwrap().begin(&mut state, &model);
        }
        state.pc = RAM.gpa;
        self.vm.create_vcpu(hart, state, !runs).unwrap()
    }

    /// Maps the memory a second time.
    pub(crate) fn map_again(&self) -> Result<(), Error> {
        self.vm.map(self.memory.slots().remove(0))
    }

    pub(crate) fn log(&self) -> Vec<Event> {
        self.io.log.lock().unwrap().clone()
    }
}

impl Io {
    fn note(&self, event: Event) {
        self.log.lock().unwrap().push(event);
    }

    fn vm(&self) -> Arc<dyn Vm<Riscv64>> {
        self.vm.get().and_then(Weak::upgrade).expect("the VM is there while it runs")
    }

    fn end(&self) {
        (0..self.harts).for_each(|hart| self.vm().kick(hart));
    }

    /// The device writes to memory as any: through its own view, which tells the VM.
    fn patch(&self) {
        use vm_memory::{Bytes, GuestAddress};
        let number = self.patches.fetch_add(1, SeqCst) + 1;
        let insn = (number as u32) << 20 | 0x513;
        self.dma.get().unwrap().write_obj(insn, GuestAddress(PATCHED)).unwrap();
    }
}

impl DmaWatch for Io {
    fn written(&self, gpa: u64, len: usize) {
        if let Some(vm) = self.vm.get().and_then(Weak::upgrade) {
            vm.written(gpa, len);
        }
    }
}

impl GuestIo for Io {
    /// Every byte reads as its address, with the top bit set.
    fn read(&self, gpa: u64, data: &mut [u8]) {
        self.note(Event::Read(gpa - DEVICE, data.len()));
        for (byte, address) in data.iter_mut().zip(gpa..) {
            *byte = address as u8 ^ 0x80;
        }
    }

    fn write(&self, gpa: u64, data: &[u8]) {
        let offset = gpa - DEVICE;
        self.note(Event::Write(offset, data.to_vec()));
        match offset {
            CLEAR => self.vm().set_pin(data[0].into(), self.pin, false),
            RAISE => self.vm().set_pin(data[0].into(), self.pin, true),
            END => self.end(),
            PATCH => self.patch(),
            _ => {}
        }
    }

    fn port_read(&self, port: u16, _: &mut [u8]) {
        panic!("there is no port {port:#x}");
    }

    fn port_write(&self, port: u16, _: &[u8]) {
        panic!("there is no port {port:#x}");
    }

    fn watched(&self, gpa: u64, len: usize) {
        self.note(Event::Watched(gpa, len));
    }

    fn firmware_put(&self, byte: u8) {
        self.note(Event::Put(byte));
    }

    fn firmware_get(&self) -> Option<u8> {
        None
    }

    fn power(&self, request: PowerRequest) {
        assert_eq!(request, PowerRequest::Off);
        self.note(Event::PowerOff);
        self.end();
    }
}

/// Time stands still until a vCPU asks to be woken; then it is that late.
struct Time {
    now_ns: Arc<AtomicU64>,
    io: Arc<Io>,
    wanted: mpsc::Sender<(u32, u64)>,
}

impl Time {
    /// The thread that wakes vCPUs ends with the sender.
    fn start(io: Arc<Io>) -> Self {
        let now_ns = Arc::new(AtomicU64::new(START_NS));
        let (wanted, asked) = mpsc::channel();
        let (theirs, now) = (io.clone(), now_ns.clone());
        thread::spawn(move || {
            for (vcpu, deadline_ns) in asked {
                now.fetch_max(deadline_ns, SeqCst);
                if let Some(vm) = theirs.vm.get().and_then(Weak::upgrade) {
                    vm.alarm(vcpu);
                }
            }
        });
        Self { now_ns, io, wanted }
    }
}

impl VcpuClock for Time {
    fn now_ns(&self) -> u64 {
        self.now_ns.load(SeqCst)
    }

    fn set_alarm(&self, vcpu: u32, deadline_ns: Option<u64>) {
        if let Some(deadline_ns) = deadline_ns {
            self.io.note(Event::Alarm(vcpu, deadline_ns));
            self.wanted.send((vcpu, deadline_ns)).expect("its thread runs as long as this");
        }
    }
}
