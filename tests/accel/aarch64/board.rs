//! The smallest machine for AArch64: memory, translated to itself by the page tables, a page that
//! is read as memory and written as a device, and a device that writes down what happens to it.

use std::sync::{Arc, Barrier, Mutex, OnceLock, Weak};
use std::thread;

use accel::{Accelerator, Exit, GuestIo, PowerRequest, Vcpu, VcpuClock, Vm, VmConfig};
use arch::aarch64::sysreg::place;
use arch::aarch64::{Aarch64, Cpu};
use devices::dma::DmaWatch;
use vmm::memory::{GuestMemory, Want};

use super::programs::HANDLER;

const RAM: Want = Want { gpa: 0x4000_0000, len: 1 << 20, readonly: false };
/// Reads as memory whose bytes are their own offsets; stores go to the machine.
const OUTPUT: Want = Want { gpa: 0x4020_0000, len: 0x1000, readonly: true };
const DEVICE: u64 = 0x1000_0000;

/// Where the handlers are, and in them that of interrupts at EL1 `[ARM-ARM D1.3.1]`.
const VECTORS: u64 = RAM.gpa + 0x2000;
const IRQ: u64 = 0x280;
const TABLE: u64 = RAM.gpa + 0x8000;

/// Lowers the device's interrupt.
const CLEAR: u64 = 56;
/// Raises it.
const RAISE: u64 = 60;
/// Ends the run; in the page of output.
const END: u64 = 72;

/// The device's interrupt, as the machine counts inputs.
const INPUT: u32 = 5;

/// What a vCPU asks of the machine, at offsets in the device or in the page of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Read(u64, usize),
    Write(u64, Vec<u8>),
    Output(u64, Vec<u8>),
    PowerOff,
}

/// See the module.
pub(super) struct Board {
    io: Arc<Io>,
    _memory: GuestMemory,
    pub(super) vm: Arc<dyn Vm<Aarch64>>,
    vcpus: u32,
}

#[derive(Default)]
struct Io {
    log: Mutex<Vec<Event>>,
    vm: OnceLock<Weak<dyn Vm<Aarch64>>>,
    vcpus: u32,
}

impl Board {
    pub(super) fn new(accel: &dyn Accelerator<Aarch64>, program: &[u32], vcpus: u32) -> Arc<Self> {
        let io = Arc::new(Io { vcpus, ..Io::default() });
        let watch: Arc<dyn DmaWatch> = Arc::new(Unwatched);
        let memory = GuestMemory::new(&[RAM, OUTPUT], &watch).unwrap();
        let put = |gpa: u64, words: &[u32]| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            memory.write(gpa, &bytes).unwrap();
        };
        put(RAM.gpa, program);
        put(VECTORS + IRQ, HANDLER);
        // The first GiB is devices', the second normal memory: accessed, and shared by all.
        put(TABLE, &[0x405, 0, 0x4000_0701, 0]);
        memory.write(OUTPUT.gpa, &std::array::from_fn::<u8, 256, _>(|at| at as u8)).unwrap();
        let config = VmConfig {
            vcpus,
            io: io.clone(),
            clock: Arc::new(NoTime),
            firmware_calls: true,
            model: (),
            irqchips: accel.irqchips()[0],
        };
        let vm: Arc<dyn Vm<Aarch64>> = Arc::from(accel.create_vm(config).unwrap());
        for slot in memory.slots() {
            vm.map(slot).unwrap();
        }
        assert!(io.vm.set(Arc::downgrade(&vm)).is_ok());
        Arc::new(Self { io, _memory: memory, vm, vcpus })
    }

    /// The vCPU, at the program's start; all but the first are parked.
    pub(super) fn vcpu(&self, index: u32) -> Box<dyn Vcpu<Aarch64>> {
        self.vm.create_vcpu(index, begin(), index != 0).unwrap()
    }

    /// Runs the program to its end on all vCPUs; why each came back, and its registers.
    pub(super) fn run(self: &Arc<Self>) -> Vec<(Exit, Cpu)> {
        let made = Arc::new(Barrier::new(self.vcpus as usize));
        let threads: Vec<_> = (0..self.vcpus)
            .map(|index| {
                let (board, made) = (self.clone(), made.clone());
                thread::spawn(move || {
                    let mut vcpu = board.vcpu(index);
                    made.wait();
                    let exit = vcpu.run().unwrap();
                    (exit, vcpu.state().unwrap())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    }

    pub(super) fn log(&self) -> Vec<Event> {
        self.io.log.lock().unwrap().clone()
    }
}

/// EL1 with interrupts masked, translation, caches and floating point on.
fn begin() -> Cpu {
    let mut cpu = Cpu::reset();
    cpu.pc = RAM.gpa;
    for (name, value) in [
        ("vbar_el1", VECTORS),
        ("ttbr0_el1", TABLE),
        // 39 bits of address, cached tables, none for the upper half `[ARM-ARM D24.2.189]`.
        ("tcr_el1", 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23),
        // Normal memory, and registers of devices.
        ("mair_el1", 0x04ff),
        ("cpacr_el1", 3 << 20),
        ("sctlr_el1", 0x30d0_1805),
    ] {
        cpu.sys[place(name).expect(name)] = value;
    }
    cpu
}

struct Unwatched;

impl DmaWatch for Unwatched {
    fn written(&self, _: u64, _: usize) {}
}

impl Io {
    fn note(&self, event: Event) {
        self.log.lock().unwrap().push(event);
    }

    fn vm(&self) -> Arc<dyn Vm<Aarch64>> {
        self.vm.get().and_then(Weak::upgrade).expect("the VM is there while it runs")
    }

    fn end(&self) {
        (0..self.vcpus).for_each(|vcpu| self.vm().kick(vcpu));
    }

    fn drive(&self, level: bool) {
        self.vm().irqchip().expect("the accelerator has a GIC").set_line(INPUT, level);
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
        if gpa >= OUTPUT.gpa {
            let offset = gpa - OUTPUT.gpa;
            self.note(Event::Output(offset, data.to_vec()));
            if offset == END {
                self.end();
            }
            return;
        }
        let offset = gpa - DEVICE;
        self.note(Event::Write(offset, data.to_vec()));
        match offset {
            CLEAR => self.drive(false),
            RAISE => self.drive(true),
            _ => {}
        }
    }

    fn port_read(&self, port: u16, _: &mut [u8]) {
        panic!("there is no port {port:#x}");
    }

    fn port_write(&self, port: u16, _: &[u8]) {
        panic!("there is no port {port:#x}");
    }

    fn watched(&self, gpa: u64, _: usize) {
        panic!("nobody watches {gpa:#x}");
    }

    fn firmware_put(&self, byte: u8) {
        panic!("there is no firmware that prints {byte:#x}");
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

struct NoTime;

impl VcpuClock for NoTime {
    fn now_ns(&self) -> u64 {
        0
    }

    fn set_alarm(&self, _: u32, _: Option<u64>) {}
}
