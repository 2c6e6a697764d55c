//! x86-64 guests on every accelerator at hand. All of them are small: they run on a KVM that
//! interprets its guests, too.

mod asm;
mod machine;
mod pause;
mod powers;

use accel::choice::at_hand;
use accel::{Accelerator, Error, Exit, IrqChips, TcgMode};
use arch::CpuState;
use arch::x86_64::{Cpu, Model, X86_64};

use asm::Asm;
use machine::{CODE, DATA, DEVICE, END, Event, Machine};

/// Those at hand; on hosts without any, the reason is told, and nothing can be tested.
fn accelerators() -> Vec<(&'static str, Box<dyn Accelerator<X86_64>>)> {
    let all = at_hand::<X86_64>(&[TcgMode::Interpreter, TcgMode::Jit]);
    if all.is_empty() {
        println!("left out: no accelerator of this host runs x86_64 machines");
    }
    all
}

fn bytes(value: u64, len: usize) -> Vec<u8> {
    value.to_le_bytes()[..len].to_vec()
}

#[test]
fn accesses_come_out_in_order_and_go_back_in() {
    let value = 0x8877_6655_4433_2211;
    let mut program = Asm::default().rbx(DEVICE).rax(value);
    let mut expected = Vec::new();
    for (offset, size) in [(0, 1), (2, 2), (4, 4), (8, 8)] {
        program = program.store(size, offset);
        expected.push(Event::Write(DEVICE + u64::from(offset), bytes(value, size)));
    }
    for (offset, size) in [(17, 1), (18, 2), (20, 4), (24, 8)] {
        program = program.eax(0).load(size, offset).rbx(DATA).store(8, offset).rbx(DEVICE);
        expected.push(Event::Read(DEVICE + u64::from(offset), size));
    }
    for (port, size) in [(0x80, 1), (0x92, 2), (0xcf8, 4)] {
        program = program.rax(value).dx(port).out(size).eax(0).input(size);
        program = program.rbx(DATA).store(4, size as u8 * 8).rbx(DEVICE);
        expected.push(Event::Out(port, bytes(value, size)));
        expected.push(Event::In(port, size));
    }
    program = program.rsi(DATA + 24).rcx(3).dx(0x3f8).rep_outsb().rax(7).end();
    expected.extend([0x98, 0x99, 0x9a].map(|byte| Event::Out(0x3f8, vec![byte])));
    expected.push(Event::Out(END, vec![7]));
    for (name, accel) in accelerators() {
        let machine = Machine::new(&*accel, accel.irqchips()[0], &program.bytes);
        let mut vcpu = machine.vcpu();
        assert_eq!(vcpu.run().unwrap(), Exit::Kicked, "{name}");
        assert_eq!(machine.log(), expected, "{name}");
        let state = vcpu.state().unwrap();
        assert_eq!((state.gpr[0], state.gpr[1]), (7, 0), "{name}: rax and rcx");
        // The access that the kick came out of is complete.
        assert_eq!(state.rip, CODE + program.bytes.len() as u64 - 2, "{name}");
    }
}

#[test]
fn kicks_end_a_run_whatever_the_vcpu_does() {
    for (name, accel) in accelerators() {
        for program in [Asm::default().forever(), Asm::default().sleep()] {
            for irqchips in accel.irqchips() {
                let machine = Machine::new(&*accel, *irqchips, &program.bytes);
                let mut vcpu = machine.vcpu();
                machine.vm.kick(0);
                assert_eq!(vcpu.run().unwrap(), Exit::Kicked, "{name}: kicked before it ran");
                for _ in 0..20 {
                    let vm = machine.vm.clone();
                    let kicker = std::thread::spawn(move || vm.kick(0));
                    assert_eq!(vcpu.run().unwrap(), Exit::Kicked, "{name}");
                    kicker.join().unwrap();
                }
            }
        }
    }
}

#[test]
fn registers_can_be_read_and_replaced() {
    for (name, accel) in accelerators() {
        let machine = Machine::new(&*accel, accel.irqchips()[0], &Asm::default().forever().bytes);
        let mut vcpu = machine.vcpu();
        let mut state = vcpu.state().unwrap();
        assert!(!vcpu.parked().unwrap(), "{name}");
        state.gpr = std::array::from_fn(|n| 0x1111_1111_1111_1111 * n as u64);
        state.set_rflags(0x2d7);
        (state.fs_base, state.gs_base) = (0x7fff_0000_1000, 0xffff_8880_0000_0000);
        state.xmm = std::array::from_fn(|n| 0x1_0001_0001_0001 << n);
        state.st = std::array::from_fn(|n| (0x4000u128 << 64) | (1 << 63) | n as u128);
        (state.fcw, state.ftw, state.mxcsr) = (0x27f, 0xff, 0x1fa0);
        state.xinuse |= 3;
        (state.cr2, state.dr[1]) = (0xffff_8000_dead_beef, 0x1234_5678);
        assert!(state.set_msr(arch::x86_64::msr::LSTAR, 0xffff_ffff_8100_0000));
        assert!(state.set_msr(arch::x86_64::msr::KERNEL_GS_BASE, 0x77));
        vcpu.set_state(&state).unwrap();
        let back = vcpu.state().unwrap();
        // Time goes on.
        let moves = ["tsc", "tsc_adjust", "lapic_390"];
        let diff: Vec<_> =
            state.diff(&back).into_iter().filter(|diff| !moves.contains(&diff.name)).collect();
        assert!(diff.is_empty(), "{name}: {diff:x?}");
        machine.vm.kick(0);
        assert_eq!(vcpu.run().unwrap(), Exit::Kicked);
    }
}

/// Registers that accelerators leave to the machine: the machine check banks read as zero and take
/// what is written, and what does not exist is a general protection fault.
#[test]
fn model_specific_registers_that_nobody_has() {
    const GENERAL_PROTECTION: u8 = 13;
    const HANDLER: u64 = 0xa000;
    // mov ecx, number; rdmsr or wrmsr
    let access = |program: Asm, number: u32, opcode: u8| {
        program.raw(&[0xb9]).raw(&number.to_le_bytes()).raw(&[0x0f, opcode])
    };
    let program = access(Asm::default().rbx(DEVICE).rax(!0), 0x401, 0x32).store(4, 0);
    let program = access(program, 0x401, 0x30).eax(5).store(4, 0);
    let program = access(program, 0x1234_5678, 0x32).end();
    let handler = Asm::default().eax(0x77).end();
    for (name, accel) in accelerators() {
        let machine = Machine::new(&*accel, accel.irqchips()[0], &program.bytes);
        machine.memory.write(HANDLER, &handler.bytes).unwrap();
        machine.set_handler(GENERAL_PROTECTION, HANDLER);
        assert_eq!(machine.vcpu().run().unwrap(), Exit::Kicked, "{name}");
        let stored = |value| Event::Write(DEVICE, bytes(value, 4));
        assert_eq!(machine.log(), [stored(0), stored(5), Event::Out(END, vec![0x77])], "{name}");
    }
}

#[test]
fn a_triple_fault_shuts_the_vcpu_down() {
    // ud2, and no handlers.
    for (name, accel) in accelerators() {
        let machine = Machine::new(&*accel, accel.irqchips()[0], &[0x0f, 0x0b]);
        let mut vcpu = machine.vcpu();
        let exit = vcpu.run();
        let Ok(Exit::Shutdown(report)) = exit else { panic!("{name}: {exit:?}") };
        assert!(report.contains("triple fault") && report.contains("rip="), "{name}: {report}");
    }
}

#[test]
fn what_cannot_go_on_is_reported_with_registers_and_code() {
    // fld tbyte [rbx]: no emulator of devices' accesses has that.
    let program = Asm::default().rbx(DEVICE).raw(&[0xdb, 0x2b]).forever();
    for (name, accel) in accelerators().into_iter().filter(|(name, _)| *name == "kvm") {
        let machine = Machine::new(&*accel, accel.irqchips()[0], &program.bytes);
        let Err(Error::Stuck(report)) = machine.vcpu().run() else { panic!("{name}") };
        for words in ["vCPU 0", "rbx=d0000000", "rip=800a", "db 2b eb fe"] {
            assert!(report.contains(words), "{name}: {words} in {report}");
        }
    }
}

#[test]
fn mistakes_of_the_machine_are_refused() {
    for (name, accel) in accelerators() {
        let machine = Machine::new(&*accel, IrqChips::Accelerator, &Asm::default().end().bytes);
        let vm = &machine.vm;
        assert!(vm.create_vcpu(1, Cpu::reset(true), false).is_err(), "{name}: no such vCPU");
        let _vcpu = machine.vcpu();
        assert!(vm.create_vcpu(0, Cpu::reset(true), false).is_err(), "{name}: taken");
        let slot = machine.memory.slots().remove(0);
        assert!(vm.map(slot.clone()).is_err(), "{name}: overlap");
        let odd = accel::Slot { gpa: 0x4000_0001, ..slot };
        assert!(vm.map(odd).is_err(), "{name}: not a page");
        assert!(vm.unmap(0x7000_0000).is_err(), "{name}: nothing there");
    }
}

#[test]
fn features_that_the_host_lacks_are_refused_by_name() {
    for (name, accel) in accelerators() {
        let without: Model = "host,-sse4_2".parse().unwrap();
        assert!(accel.model(&without).is_ok(), "{name}");
        // No processor has both; and none of AMD's or Intel's has all of it.
        let wish: Model = "host,+xop,+avx512_4vnniw".parse().unwrap();
        let Err(error) = accel.model(&wish) else { panic!("{name}") };
        let text = error.to_string();
        assert!(error.is_input() && text.contains("--cpu host"), "{name}: {text}");
        assert!(text.contains("xop") || text.contains("avx512_4vnniw"), "{name}: {text}");
    }
}
