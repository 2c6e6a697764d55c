//! The smallest machine for x86-64: memory, a device that writes down what happens to it, and a
//! program in kernel mode of 64 bits.

use std::sync::{Arc, Mutex, OnceLock, Weak};

use accel::{Accelerator, GuestIo, IrqChips, PowerRequest, Vcpu, VcpuClock, Vm, VmConfig};
use arch::x86_64::state::{attr, seg};
use arch::x86_64::{Cpu, Model, X86_64};
use devices::dma::DmaWatch;
use vmm::memory::{GuestMemory, Want};

/// Main memory, mapped to the same virtual addresses.
pub(super) const RAM: Want = Want { gpa: 0, len: 1 << 20, readonly: false };
/// Memory that can be taken away.
pub(super) const SPARE: Want = Want { gpa: 0x20_0000, len: 0x1000, readonly: false };
/// Where programs begin.
pub(super) const CODE: u64 = 0x8000;
/// Free for the programs' data.
pub(super) const DATA: u64 = 0x1_0000;
/// Interrupt descriptors.
pub(super) const IDT: u64 = 0x5000;
/// A device's registers.
pub(super) const DEVICE: u64 = 0xd000_0000;
/// A write to this port ends the run.
pub(super) const END: u16 = 0xf4;

const PML4: u64 = 0x1000;
const PDPT: u64 = 0x2000;
const GDT: u64 = 0x4000;
const STACK_TOP: u64 = 0x8000;
/// Selectors.
const CS: u64 = 0x08;
const DS: u64 = 0x10;
/// Page directories, one for each of the first four GiB.
const PD: u64 = 0x9_0000;

/// What a vCPU asks of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Read(u64, usize),
    Write(u64, Vec<u8>),
    In(u16, usize),
    Out(u16, Vec<u8>),
}

/// See the module.
pub(super) struct Machine {
    io: Arc<Io>,
    pub(super) memory: GuestMemory,
    pub(super) vm: Arc<dyn Vm<X86_64>>,
}

#[derive(Default)]
struct Io {
    log: Mutex<Vec<Event>>,
    vm: OnceLock<Weak<dyn Vm<X86_64>>>,
}

impl Machine {
    pub(super) fn new(accel: &dyn Accelerator<X86_64>, irqchips: IrqChips, program: &[u8]) -> Self {
        let io = Arc::new(Io::default());
        let watch: Arc<dyn DmaWatch> = Arc::new(Unwatched);
        let memory = GuestMemory::new(&[RAM, SPARE], &watch).unwrap();
        memory.write(CODE, program).unwrap();
        tables(&memory);
        let config = VmConfig {
            vcpus: 1,
            io: io.clone(),
            clock: Arc::new(NoTime),
            firmware_calls: false,
            model: accel.model(&Model::default()).unwrap(),
            irqchips,
        };
        let vm: Arc<dyn Vm<X86_64>> = Arc::from(accel.create_vm(config).unwrap());
        for slot in memory.slots() {
            vm.map(slot).unwrap();
        }
        assert!(io.vm.set(Arc::downgrade(&vm)).is_ok());
        Self { io, memory, vm }
    }

    pub(super) fn vcpu(&self) -> Box<dyn Vcpu<X86_64>> {
        self.vm.create_vcpu(0, begin(), false).unwrap()
    }

    pub(super) fn log(&self) -> Vec<Event> {
        self.io.log.lock().unwrap().clone()
    }

    /// The handler of an interrupt or exception.
    pub(super) fn set_handler(&self, vector: u8, handler: u64) {
        let low = (handler & 0xffff) | CS << 16 | 0x8e00 << 32 | (handler >> 16 & 0xffff) << 48;
        let entry = [low, handler >> 32];
        let bytes: Vec<u8> = entry.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.memory.write(IDT + 16 * u64::from(vector), &bytes).unwrap();
    }
}

/// Page tables that map the first 4 GiB to themselves, and flat segments.
fn tables(memory: &GuestMemory) {
    let quad = |at: u64, value: u64| memory.write(at, &value.to_le_bytes()).unwrap();
    quad(PML4, PDPT | 3);
    for gib in 0..4 {
        quad(PDPT + 8 * gib, (PD + 0x1000 * gib) | 3);
        for page in 0..512 {
            quad(PD + 0x1000 * gib + 8 * page, gib << 30 | page << 21 | 0x83);
        }
    }
    quad(GDT + CS, 0x00af_9b00_0000_ffff);
    quad(GDT + DS, 0x00cf_9300_0000_ffff);
}

/// Kernel mode of 64 bits, interrupts off.
pub(super) fn begin() -> Cpu {
    let mut cpu = Cpu::reset(true);
    let flat = attr::P | attr::S | attr::G;
    for segment in [seg::ES, seg::SS, seg::DS, seg::FS, seg::GS] {
        cpu.selector[segment] = DS;
        cpu.limit[segment] = 0xffff_ffff;
        cpu.attributes[segment] = flat | attr::DB | attr::DATA;
    }
    cpu.selector[seg::CS] = CS;
    cpu.set_segment_base(seg::CS, 0);
    cpu.limit[seg::CS] = 0xffff_ffff;
    cpu.attributes[seg::CS] = flat | attr::L | attr::CODE;
    (cpu.gdt_base, cpu.gdt_limit) = (GDT, 0x17);
    (cpu.idt_base, cpu.idt_limit) = (IDT, 0xfff);
    // Protection, exceptions of the x87 unit, paging; PAE and SSE; long mode.
    (cpu.cr0, cpu.cr3, cpu.cr4, cpu.efer) = (0x8000_0031, PML4, 0x620, 0x500);
    (cpu.rip, cpu.gpr[4]) = (CODE, STACK_TOP);
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
}

impl GuestIo for Io {
    /// Every byte reads as its address, with the top bit set.
    fn read(&self, gpa: u64, data: &mut [u8]) {
        self.note(Event::Read(gpa, data.len()));
        for (byte, address) in data.iter_mut().zip(gpa..) {
            *byte = address as u8 ^ 0x80;
        }
    }

    fn write(&self, gpa: u64, data: &[u8]) {
        self.note(Event::Write(gpa, data.to_vec()));
    }

    fn port_read(&self, port: u16, data: &mut [u8]) {
        self.note(Event::In(port, data.len()));
        for (byte, address) in data.iter_mut().zip(port..) {
            *byte = address as u8 ^ 0x80;
        }
    }

    fn port_write(&self, port: u16, data: &[u8]) {
        self.note(Event::Out(port, data.to_vec()));
        if port == END {
            self.vm.get().and_then(Weak::upgrade).expect("it runs").kick(0);
        }
    }

    fn watched(&self, _: u64, _: usize) {}

    fn firmware_put(&self, _: u8) {}

    fn firmware_get(&self) -> Option<u8> {
        None
    }

    fn power(&self, request: PowerRequest) {
        panic!("nobody asks for {request:?}");
    }
}

struct NoTime;

impl VcpuClock for NoTime {
    fn now_ns(&self) -> u64 {
        0
    }

    fn set_alarm(&self, _: u32, _: Option<u64>) {}
}
