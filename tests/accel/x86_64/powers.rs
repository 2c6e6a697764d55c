//! What only some accelerators can do.

use accel::choice::Target;
use accel::{DebugStop, Exit, IrqChips, Stops};
use arch::x86_64::X86_64;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::accelerators;
use super::asm::Asm;
use super::machine::{CODE, DATA, DEVICE, END, Event, Machine, SPARE};

const IOAPIC: u64 = 0xfec0_0000;
const LAPIC: u64 = 0xfee0_0000;
const VECTOR: u8 = 0x41;
/// One that leads to the I/O APIC alone, and not to the 8259, which is not set up.
const INPUT: u32 = 20;
const HANDLER: u64 = 0xa000;

fn eventfd() -> EventFd {
    EventFd::new(EFD_NONBLOCK).unwrap()
}

/// Switches the local APIC on, and leads [`INPUT`] to [`VECTOR`].
fn interrupts_on() -> Asm {
    let redirection = 0x10 + 2 * INPUT;
    let program = Asm::default().rbx(LAPIC + 0xf0).eax(0x1ff).store(4, 0);
    let program = program.rbx(IOAPIC).eax(redirection + 1).store(4, 0).eax(0).store(4, 0x10);
    program.eax(redirection).store(4, 0).eax(VECTOR.into()).store(4, 0x10)
}

#[test]
fn interrupts_by_line_by_message_and_by_descriptor() {
    let program = interrupts_on().dx(0x80).out(1).sleep();
    // The handler tells that it ran, and that is all.
    let handler = Asm::default().eax(0x77).end();
    for (name, accel) in accelerators() {
        for way in ["line", "message", "descriptor"] {
            let machine = Machine::new(&*accel, IrqChips::Accelerator, &program.bytes);
            machine.memory.write(HANDLER, &handler.bytes).unwrap();
            machine.set_handler(VECTOR, HANDLER);
            let mut vcpu = machine.vcpu();
            let chip = machine.vm.irqchip().expect("it was asked for");
            let event = eventfd();
            if way == "descriptor" {
                chip.attach(INPUT, &event).unwrap();
            }
            let vm = machine.vm.clone();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while machine.log().is_empty() {
                        std::thread::yield_now();
                    }
                    let chip = vm.irqchip().unwrap();
                    match way {
                        "message" => chip.send_msi(LAPIC, VECTOR.into()).unwrap(),
                        "descriptor" => event.write(1).unwrap(),
                        _ => chip.set_line(INPUT, true),
                    }
                });
                assert_eq!(vcpu.run().unwrap(), Exit::Kicked, "{name}");
            });
            assert_eq!(machine.log().last(), Some(&Event::Out(END, vec![0x77])), "{name}, {way}");
            if way == "descriptor" {
                chip.detach(INPUT, &event).unwrap();
            }
            let saved = chip.save().unwrap();
            chip.restore(&saved).unwrap();
            assert!(chip.restore(&saved[1..]).is_err(), "{name}");
        }
    }
}

#[test]
fn a_doorbell_signals_and_nothing_else() {
    let program = Asm::default().rbx(DEVICE).eax(1).store(4, 0x50).eax(2).store(4, 0x50).end();
    for (name, accel) in accelerators() {
        let machine = Machine::new(&*accel, accel.irqchips()[0], &program.bytes);
        let Some(doorbells) = machine.vm.doorbells() else { continue };
        let event = eventfd();
        doorbells.attach(DEVICE + 0x50, 2, &event).unwrap();
        let mut vcpu = machine.vcpu();
        assert_eq!(vcpu.run().unwrap(), Exit::Kicked, "{name}");
        let other = Event::Write(DEVICE + 0x50, vec![1, 0, 0, 0]);
        assert_eq!(machine.log(), [other, Event::Out(END, vec![2])], "{name}");
        assert_eq!(event.read().unwrap(), 1, "{name}");
        doorbells.detach(DEVICE + 0x50, 2, &event).unwrap();
        assert!(doorbells.detach(DEVICE + 0x50, 2, &event).is_err(), "{name}");
    }
}

#[test]
fn written_pages_are_logged() {
    let program = Asm::default().rbx(DATA).store(8, 0).rbx(DATA + 0x3000).store(1, 8).end();
    let mut kinds = accelerators();
    let rings = X86_64::native().and_then(|native| (native.with_dirty_ring)(1024));
    kinds.extend(rings.map(|kvm| ("kvm, rings", kvm)));
    for (name, accel) in kinds {
        let machine = Machine::new(&*accel, accel.irqchips()[0], &program.bytes);
        let Some(log) = machine.vm.dirty_log() else { continue };
        assert!(log.take().is_err(), "{name}: not started");
        let mut vcpu = machine.vcpu();
        log.start().unwrap();
        assert_eq!(vcpu.run().unwrap(), Exit::Kicked, "{name}");
        let pages = log.take().unwrap();
        for page in [DATA >> 12, (DATA >> 12) + 3] {
            assert!(pages.contains(&page), "{name}: {pages:x?}");
        }
        assert!(!pages.contains(&((DATA >> 12) + 1)), "{name}: {pages:x?}");
        assert!(log.take().unwrap().is_empty(), "{name}: told once");
        log.stop().unwrap();
    }
}

#[test]
fn memory_that_is_taken_away_becomes_a_device() {
    let program = Asm::default().rbx(SPARE.gpa).eax(5).store(1, 0).end();
    for (name, accel) in accelerators() {
        let machine = Machine::new(&*accel, accel.irqchips()[0], &program.bytes);
        if !machine.vm.unmap(SPARE.gpa).unwrap() {
            continue;
        }
        assert_eq!(machine.vcpu().run().unwrap(), Exit::Kicked, "{name}");
        assert_eq!(machine.log()[0], Event::Write(SPARE.gpa, vec![5]), "{name}");
        machine.vm.map(machine.memory.slots().remove(1)).unwrap();
    }
}

#[test]
fn a_debugger_steps_and_breaks() {
    let program = Asm::default().eax(1).eax(2).eax(3).end();
    for (name, accel) in accelerators() {
        let machine = Machine::new(&*accel, accel.irqchips()[0], &program.bytes);
        let mut vcpu = machine.vcpu();
        let Some(debugger) = vcpu.debugger() else { continue };
        debugger.set_stops(&Stops { step: true, ..Stops::default() }).unwrap();
        let stop = |pc| Exit::Debug(DebugStop { pc, step: true });
        assert_eq!(vcpu.run().unwrap(), stop(CODE + 5), "{name}");
        assert_eq!(vcpu.run().unwrap(), stop(CODE + 10), "{name}");
        assert_eq!(vcpu.state().unwrap().gpr[0], 2, "{name}");
        let debugger = vcpu.debugger().unwrap();
        debugger.set_stops(&Stops::default()).unwrap();
        assert!(debugger.set_stops(&Stops { hardware: vec![0; 5], ..Stops::default() }).is_err());
        assert_eq!(vcpu.run().unwrap(), Exit::Kicked, "{name}");
    }
}
