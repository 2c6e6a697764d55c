//! The time stamp counter, the paravirtual clock and the local APIC's deadline in a pause.

use accel::{Accelerator, Exit, IrqChips};
use arch::x86_64::X86_64;
use vm_memory::{Bytes, GuestAddress};

use super::accelerators;
use super::asm::Asm;
use super::machine::{DATA, DEVICE, END, Event, Machine};
use crate::pause::{PAUSE, pause, stands_still};

/// `[KVM-MSR]`: where the clock's page is to be, and that it is wanted.
const SYSTEM_TIME: u32 = 0x4b56_4d01;
const TSC_DEADLINE: u32 = 0x6e0;
const LAPIC: u64 = 0xfee0_0000;
const HANDLER: u64 = 0xa000;
const VECTOR: u8 = 0x41;

impl Asm {
    /// `mov ecx, msr; wrmsr` of EDX and EAX.
    fn wrmsr(self, msr: u32) -> Self {
        self.raw(&[0xb9]).raw(&msr.to_le_bytes()).raw(&[0x0f, 0x30])
    }

    /// `rdtsc; shl rdx, 32; or rax, rdx`
    fn rdtsc(self) -> Self {
        self.raw(&[0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0])
    }

    /// Has the machine kick the vCPU, and goes on when it runs again.
    fn come_back(self) -> Self {
        self.dx(END).out(1)
    }

    /// `jmp` to `place`.
    fn jump(self, place: usize) -> Self {
        let offset = place as i64 - (self.bytes.len() as i64 + 5);
        self.raw(&[0xe9]).raw(&(offset as i32).to_le_bytes())
    }
}

/// The last value that was stored to the device.
fn told(machine: &Machine) -> u64 {
    let log = machine.log();
    let mut values = log.iter().rev().filter_map(|event| match event {
        Event::Write(DEVICE, bytes) => bytes.as_slice().try_into().ok(),
        _ => None,
    });
    u64::from_le_bytes(values.next().expect("the guest tells its time"))
}

/// The paravirtual clock at `tsc`, in nanoseconds, as guests compute it from the page.
fn clock_ns(machine: &Machine, tsc: u64) -> u64 {
    let mut page = [0; 32];
    machine.memory.dma().read_slice(&mut page, GuestAddress(DATA)).unwrap();
    let quad = |at: usize| u64::from_le_bytes(page[at..at + 8].try_into().unwrap());
    let factor = u32::from_le_bytes(page[24..28].try_into().unwrap());
    let shift = i32::from(page[28] as i8);
    let ticks = u128::from(tsc.wrapping_sub(quad(8)));
    let ticks = if shift < 0 { ticks >> -shift } else { ticks << shift };
    quad(16) + ((ticks * u128::from(factor)) >> 32) as u64
}

/// A guest that tells its counter; the rate that it does not exceed, if it can be stopped.
fn counts(name: &str, accel: &dyn Accelerator<X86_64>) -> Option<f64> {
    let program = Asm::default().eax(DATA as u32 | 1).raw(&[0x31, 0xd2]).wrmsr(SYSTEM_TIME);
    let again = program.bytes.len();
    let program = program.rbx(DEVICE).rdtsc().store(8, 0).come_back().jump(again);
    let machine = Machine::new(accel, accel.irqchips()[0], &program.bytes);
    let mut vcpu = machine.vcpu();
    let clocks = || {
        let tsc = told(&machine);
        vec![tsc, clock_ns(&machine, tsc)]
    };
    stands_still(name, &*machine.vm, &mut *vcpu, clocks)
}

#[test]
fn clocks_stand_still() {
    for (name, accel) in accelerators() {
        counts(name, &*accel);
    }
}

/// The deadline falls into the pause: the interrupt comes afterwards, when the counter has come
/// there, and not at once.
#[test]
fn a_deadline_waits_for_the_end_of_a_pause() {
    for (name, accel) in accelerators() {
        let Some(rate) = counts(name, &*accel) else { continue };
        let ticks = (rate * PAUSE.as_secs_f64() / 2.0) as u64;
        // The timer by deadline; then the deadline, which is told too.
        let program = Asm::default().rbx(LAPIC + 0xf0).eax(0x1ff).store(4, 0);
        let program = program.rbx(LAPIC + 0x320).eax(0x4_0000 | u32::from(VECTOR)).store(4, 0);
        let program = program.rbx(DEVICE).rax(ticks).raw(&[0x48, 0x89, 0xc6]).rdtsc();
        // add rax, rsi; mov rdx, rax; shr rdx, 32
        let program = program.raw(&[0x48, 0x01, 0xf0]).store(8, 0);
        let program = program.raw(&[0x48, 0x89, 0xc2, 0x48, 0xc1, 0xea, 0x20]).wrmsr(TSC_DEADLINE);
        let program = program.come_back().sleep();
        let handler = Asm::default().rdtsc().store(8, 0).end();
        let machine = Machine::new(&*accel, IrqChips::Accelerator, &program.bytes);
        machine.memory.write(HANDLER, &handler.bytes).unwrap();
        machine.set_handler(VECTOR, HANDLER);
        let mut vcpu = machine.vcpu();
        assert_eq!(vcpu.run().unwrap(), Exit::Kicked, "{name}");
        let deadline = told(&machine);
        pause(name, &*machine.vm).expect("it could be stopped before");
        assert_eq!(vcpu.run().unwrap(), Exit::Kicked, "{name}");
        let came = told(&machine);
        assert!(came > deadline, "{name}: it came {} ticks early", deadline - came);
    }
}
