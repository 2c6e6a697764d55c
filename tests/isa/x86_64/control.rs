//! What the unit test against the host's processor leaves out: control flow, segment bases, the
//! flags register, and exceptions.

use arch::x86_64::Cpu;
use arch::x86_64::state::{AC, CF, DF, ID, IF, OF, RFLAGS_FIXED, ZF};
use tcg::guest::Access;
use tcg::guest::x86_64::{Exception, Vector, X86_64};

use crate::user::{ENGINES, User};

const CODE: u64 = 0x1_0000;
const DATA: u64 = 0x2_0000;
const STACK: u64 = DATA + 0x800;
const INT3: u8 = 0xcc;
const DONE: Exception = Exception::Fault(Vector::Breakpoint);

const RAX: usize = 0;
const RCX: usize = 1;
const RDX: usize = 2;
const RBX: usize = 3;
const RSP: usize = 4;
const RBP: usize = 5;

/// Runs `code`, `int3` behind it, in every engine; each is looked at after the first exception.
fn run(code: &[u8], prepare: impl Fn(&mut Cpu), look: impl Fn(&str, &mut User<X86_64>, Exception)) {
    for (name, mode) in ENGINES {
        let mut user = User::<X86_64>::new(mode, &[(CODE, 0x2000), (DATA, 0x1000)]);
        user.write(CODE, &[INT3; 0x200]);
        user.write(CODE, code);
        user.write(DATA, &std::array::from_fn::<u8, 64, _>(|n| n as u8));
        let cpu = user.state();
        cpu.rip = CODE;
        cpu.gpr[RSP] = STACK;
        prepare(cpu);
        let exception = user.run();
        look(name, &mut user, exception);
    }
}

fn top(user: &mut User<X86_64>) -> u64 {
    let rsp = user.state().gpr[RSP];
    u64::from_le_bytes(user.read(rsp, 8).try_into().expect("eight bytes"))
}

/// Runs, expects the breakpoint at `end`, and gives the registers to `look`.
fn ends_at(
    code: &[u8],
    end: u64,
    prepare: impl Fn(&mut Cpu),
    look: impl Fn(&str, &mut User<X86_64>),
) {
    run(code, prepare, |name, user, e| {
        assert_eq!((e, user.state().rip), (DONE, end), "{name}: {code:02x?}");
        look(name, user);
    });
}

#[test]
fn calls_push_and_returns_pop() {
    let back = |name: &str, user: &mut User<X86_64>| {
        assert_eq!(user.state().gpr[RSP], STACK - 8, "{name}");
        let top = top(user);
        assert!((CODE + 2..=CODE + 6).contains(&top), "{name}: {top:x}");
    };
    // call rel32; call rax; call [rsp + 8], which is read before the push.
    ends_at(&[0xe8, 0x10, 0, 0, 0], CODE + 0x15, |_| (), back);
    ends_at(&[0xff, 0xd0], CODE + 0x40, |cpu| cpu.gpr[RAX] = CODE + 0x40, back);
    let code =
        [0x48, 0xb8, 0x40, 0, 1, 0, 0, 0, 0, 0, 0x48, 0x89, 0x44, 0x24, 8, 0xff, 0x54, 0x24, 8];
    ends_at(
        &code,
        CODE + 0x40,
        |_| (),
        |name, user| {
            assert_eq!(top(user), CODE + 19, "{name}");
        },
    );
    // push rax; ret; push rax; ret 16
    let target = |cpu: &mut Cpu| cpu.gpr[RAX] = CODE + 0x30;
    ends_at(&[0x50, 0xc3], CODE + 0x30, target, |name, user| {
        assert_eq!(user.state().gpr[RSP], STACK, "{name}");
    });
    ends_at(&[0x50, 0xc2, 16, 0], CODE + 0x30, target, |name, user| {
        assert_eq!(user.state().gpr[RSP], STACK + 16, "{name}");
    });
    // call and ret that meet: call +0; the pushed address is popped by ret.
    ends_at(
        &[0xe8, 1, 0, 0, 0, INT3, 0xc3],
        CODE + 5,
        |_| (),
        |name, user| {
            assert_eq!(user.state().gpr[RSP], STACK, "{name}");
        },
    );
}

#[test]
fn jumps_go_where_they_say() {
    let nothing = |_: &str, _: &mut User<X86_64>| ();
    ends_at(&[0xeb, 0x20], CODE + 0x22, |_| (), nothing);
    ends_at(&[0xe9, 0, 1, 0, 0], CODE + 0x105, |_| (), nothing);
    ends_at(&[0xff, 0xe2], CODE + 0x77, |cpu| cpu.gpr[RDX] = CODE + 0x77, nothing);
    // jmp [rip + 2] to the address behind.
    let mut code = vec![0xff, 0x25, 2, 0, 0, 0, INT3, INT3];
    code.extend_from_slice(&(CODE + 0x50).to_le_bytes());
    ends_at(&code, CODE + 0x50, |_| (), nothing);
}

#[test]
fn loops_count() {
    // 3: inc rax; loop 3b, and loopne and loope by the flag of inc's result.
    for (opcode, count, sum) in [(0xe2, 5, 5), (0xe0, 5, 5), (0xe1, 5, 1)] {
        let code = [0x48, 0xff, 0xc0, opcode, 0xfb];
        ends_at(
            &code,
            CODE + 5,
            |cpu| cpu.gpr[RCX] = count,
            |name, user| {
                assert_eq!(user.state().gpr[RAX], sum, "{name}: {opcode:x}");
                assert_eq!(user.state().gpr[RCX], count - sum, "{name}");
            },
        );
    }
}

#[test]
fn absolute_addresses() {
    let mut load = vec![0x48, 0xa1];
    load.extend_from_slice(&(DATA + 8).to_le_bytes());
    ends_at(
        &load,
        CODE + 10,
        |_| (),
        |name, user| {
            assert_eq!(user.state().gpr[RAX], 0x0f0e_0d0c_0b0a_0908, "{name}");
        },
    );
    let mut store = vec![0xa2];
    store.extend_from_slice(&(DATA + 3).to_le_bytes());
    ends_at(
        &store,
        CODE + 9,
        |cpu| cpu.gpr[RAX] = 0x1ff,
        |name, user| {
            assert_eq!(user.read(DATA + 2, 3), [2, 0xff, 4], "{name}");
        },
    );
    // mov rax, [rip + 0xfff9], and the same address by 32 bits with 67: [eip + ..].
    let relative = |code: &[u8]| {
        ends_at(
            code,
            CODE + code.len() as u64,
            |_| (),
            |name, user| {
                assert_eq!(user.state().gpr[RAX], 0x0706_0504_0302_0100, "{name}");
            },
        );
    };
    relative(&[0x48, 0x8b, 0x05, 0xf9, 0xff, 0, 0]);
    relative(&[0x67, 0x48, 0x8b, 0x05, 0xf8, 0xff, 0, 0]);
    // lea rax, [rip + 1]
    ends_at(
        &[0x48, 0x8d, 0x05, 1, 0, 0, 0],
        CODE + 7,
        |_| (),
        |name, user| {
            assert_eq!(user.state().gpr[RAX], CODE + 8, "{name}");
        },
    );
}

#[test]
fn segment_bases_are_added_and_moved() {
    // mov rax, fs:[8]; mov rdx, gs:[rbx]
    let code = [
        0x64, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0, //
        0x65, 0x48, 0x8b, 0x13,
    ];
    let prepare = |cpu: &mut Cpu| {
        cpu.fs_base = DATA;
        cpu.gs_base = DATA + 0x10;
        cpu.gpr[RBX] = 8;
    };
    ends_at(&code, CODE + 13, prepare, |name, user| {
        assert_eq!(user.state().gpr[RAX], 0x0f0e_0d0c_0b0a_0908, "{name}");
        assert_eq!(user.state().gpr[RDX], 0x1f1e_1d1c_1b1a_1918, "{name}");
    });
    // wrfsbase rbx; wrgsbase ebx; rdfsbase eax; rdgsbase rdx
    let code = [
        0xf3, 0x48, 0x0f, 0xae, 0xd3, 0xf3, 0x0f, 0xae, 0xdb, //
        0xf3, 0x0f, 0xae, 0xc0, 0xf3, 0x48, 0x0f, 0xae, 0xca,
    ];
    ends_at(
        &code,
        CODE + 18,
        |cpu| cpu.gpr[RBX] = 0x1234_5678_9abc,
        |name, user| {
            let cpu = user.state();
            assert_eq!((cpu.fs_base, cpu.gs_base), (0x1234_5678_9abc, 0x5678_9abc), "{name}");
            assert_eq!((cpu.gpr[RAX], cpu.gpr[RDX]), (0x5678_9abc, 0x5678_9abc), "{name}");
        },
    );
}

#[test]
fn the_flags_register_is_put_together_and_taken_apart() {
    // pushfq; pop rax
    let flags = |cpu: &mut Cpu| cpu.set_rflags(CF | OF | DF | IF | RFLAGS_FIXED);
    ends_at(&[0x9c, 0x58], CODE + 2, flags, |name, user| {
        assert_eq!(user.state().gpr[RAX], CF | OF | DF | IF | RFLAGS_FIXED, "{name}");
    });
    // push rax; popfq: what a program may not change stays.
    let all = |cpu: &mut Cpu| cpu.gpr[RAX] = ZF | OF | DF | AC | ID | 3 << 12 | 1 << 17;
    ends_at(&[0x50, 0x9d], CODE + 2, all, |name, user| {
        let expected = ZF | OF | DF | AC | ID | IF | RFLAGS_FIXED;
        assert_eq!(user.state().rflags(), expected, "{name}");
    });
    // push ax; popf, of 16 bits.
    ends_at(&[0x66, 0x50, 0x66, 0x9d], CODE + 4, all, |name, user| {
        assert_eq!(user.state().rflags(), ZF | OF | DF | IF | RFLAGS_FIXED, "{name}");
        assert_eq!(user.state().gpr[RSP], STACK, "{name}");
    });
}

#[test]
fn the_processor_says_what_it_is() {
    // xor eax, eax; cpuid
    ends_at(
        &[0x31, 0xc0, 0x0f, 0xa2],
        CODE + 4,
        |_| (),
        |name, user| {
            let gpr = user.state().gpr;
            assert_eq!(gpr[RBX], 0x756e_6547, "{name}");
            assert!(gpr[RAX] >= 7 && gpr[RAX] >> 32 == 0, "{name}");
        },
    );
    // mov eax, cs; mov edx, ds; emms
    ends_at(
        &[0x8c, 0xc8, 0x8c, 0xda, 0x0f, 0x77],
        CODE + 6,
        |cpu| (cpu.gpr[RDX], cpu.ftw) = (5, 0xff),
        |name, user| {
            let cpu = user.state();
            assert_eq!((cpu.gpr[RAX], cpu.gpr[RDX], cpu.ftw), (0x33, 0, 0), "{name}");
        },
    );
    // rdtsc; rdtscp: the test's clock stands still, the number is that of the only processor.
    ends_at(
        &[0x0f, 0x31, 0x0f, 0x01, 0xf9],
        CODE + 5,
        |cpu| cpu.gpr[RCX] = 7,
        |name, user| {
            let gpr = user.state().gpr;
            assert_eq!((gpr[RAX], gpr[RDX], gpr[RCX]), (0, 0, 0), "{name}");
        },
    );
}

#[test]
fn exceptions_are_at_their_instruction() {
    let fault = Exception::Fault;
    let cases: [(&[u8], Exception); 13] = [
        (&[0xcc], fault(Vector::Breakpoint)),
        (&[0xf1], fault(Vector::Debug)),
        (&[0xcd, 0x80], Exception::Interrupt(0x80)),
        (&[0x0f, 0x05], Exception::Syscall),
        (&[0xf4], fault(Vector::GeneralProtection)),
        (&[0xfa], fault(Vector::GeneralProtection)),
        (&[0xfb], fault(Vector::GeneralProtection)),
        // ud2; insb; vaddsd xmm0, xmm1, xmm0; mov ds, eax; no instruction; 16 bytes of prefixes
        (&[0x0f, 0x0b], fault(Vector::InvalidOpcode)),
        (&[0x6c], fault(Vector::InvalidOpcode)),
        (&[0xc5, 0xf3, 0x58, 0xc0], fault(Vector::InvalidOpcode)),
        (&[0x8e, 0xd8], fault(Vector::InvalidOpcode)),
        (&[0x06], fault(Vector::InvalidOpcode)),
        (&[0x66; 16], fault(Vector::GeneralProtection)),
    ];
    for (code, expected) in cases {
        let mut all = vec![0x90];
        all.extend_from_slice(code);
        run(
            &all,
            |_| (),
            |name, user, e| {
                assert_eq!((e, user.state().rip), (expected, CODE + 1), "{name}: {code:02x?}");
            },
        );
    }
}

#[test]
fn divisions_that_do_not_fit() {
    let error = Exception::Fault(Vector::DivideError);
    // div bl, cx, ebx, rbx; idiv likewise.
    let cases: [(&[u8], u64, u64, u64); 9] = [
        (&[0xf6, 0xf3], 0, 0x100, 1),
        (&[0x66, 0xf7, 0xf3], 1, 0, 1),
        (&[0xf7, 0xf3], 5, 0, 5),
        (&[0x48, 0xf7, 0xf3], 5, 0, 5),
        (&[0xf6, 0xfb], 0, 0x80, 1),
        (&[0x66, 0xf7, 0xfb], 0xffff, 0x8000, 0xffff),
        (&[0xf7, 0xfb], u64::MAX, 0x8000_0000, u64::MAX),
        (&[0x48, 0xf7, 0xfb], u64::MAX, 1 << 63, u64::MAX),
        (&[0x48, 0xf7, 0xfb], 1 << 63, 0, u64::MAX),
    ];
    for (code, rdx, rax, rbx) in cases {
        for rbx in [rbx, 0] {
            let prepare = |cpu: &mut Cpu| {
                (cpu.gpr[RDX], cpu.gpr[RAX], cpu.gpr[RBX]) = (rdx, rax, rbx);
            };
            run(code, prepare, |name, user, e| {
                assert_eq!((e, user.state().rip), (error, CODE), "{name}: {code:02x?}");
                let gpr = user.state().gpr;
                assert_eq!((gpr[RDX], gpr[RAX]), (rdx, rax), "{name}: {code:02x?}");
            });
        }
    }
}

#[test]
fn faults_leave_registers_and_flags_alone() {
    const OUTSIDE: u64 = DATA + 0x1000;
    let cases: [(&[u8], Access); 9] = [
        // add [rbx], eax; mov eax, [rbx]; push [rbx]; pop [rbx]; xchg [rbx], eax; lock inc [rbx]
        (&[0x01, 0x03], Access::Load),
        (&[0x8b, 0x03], Access::Load),
        (&[0xff, 0x33], Access::Load),
        (&[0x8f, 0x03], Access::Store),
        (&[0x87, 0x03], Access::Store),
        (&[0xf0, 0xff, 0x03], Access::Store),
        // rcl dword [rbx], 3; shl dword [rbx], cl; call [rbx]
        (&[0xc1, 0x13, 3], Access::Load),
        (&[0xd3, 0x23], Access::Load),
        (&[0xff, 0x13], Access::Load),
    ];
    for (code, access) in cases {
        let prepare = |cpu: &mut Cpu| {
            cpu.gpr[RBX] = OUTSIDE;
            cpu.gpr[RCX] = 3;
            cpu.set_rflags(CF | OF | IF);
        };
        run(code, prepare, |name, user, e| {
            assert_eq!(e, Exception::PageFault { address: OUTSIDE, access }, "{name}: {code:02x?}");
            let cpu = user.state();
            assert_eq!((cpu.rip, cpu.gpr[RSP], cpu.gpr[RCX]), (CODE, STACK, 3), "{name}");
            assert_eq!(cpu.rflags(), CF | OF | IF | RFLAGS_FIXED, "{name}: {code:02x?}");
        });
    }
}

#[test]
fn a_repeated_instruction_faults_in_its_middle() {
    // rep stosb, 16 bytes of which 5 are there.
    let prepare = |cpu: &mut Cpu| {
        cpu.gpr[7] = DATA + 0x1000 - 5;
        cpu.gpr[RCX] = 16;
        cpu.gpr[RAX] = 0x77;
    };
    run(&[0xf3, 0xaa], prepare, |name, user, e| {
        let expected = Exception::PageFault { address: DATA + 0x1000, access: Access::Store };
        assert_eq!((e, user.state().rip), (expected, CODE), "{name}");
        let gpr = user.state().gpr;
        assert_eq!((gpr[7], gpr[RCX]), (DATA + 0x1000, 11), "{name}");
        assert_eq!(user.read(DATA + 0x1000 - 6, 6), [0, 0x77, 0x77, 0x77, 0x77, 0x77], "{name}");
    });
}

#[test]
fn locked_accesses_have_to_be_aligned() {
    // lock add [rbx], eax
    run(
        &[0xf0, 0x01, 0x03],
        |cpu| cpu.gpr[RBX] = DATA + 2,
        |name, user, e| {
            assert_eq!(e, Exception::Fault(Vector::AlignmentCheck), "{name}");
            assert_eq!(user.state().rip, CODE, "{name}");
        },
    );
}

#[test]
fn frames_of_nested_procedures() {
    // enter 0x20, 3; and back with leave.
    let prepare = |cpu: &mut Cpu| cpu.gpr[RBP] = DATA + 0x18;
    ends_at(&[0xc8, 0x20, 0, 3], CODE + 4, prepare, |name, user| {
        let frame = STACK - 8;
        assert_eq!((user.state().gpr[RBP], user.state().gpr[RSP]), (frame, frame - 0x38), "{name}");
        let words: Vec<u64> = user
            .read(frame - 24, 32)
            .chunks_exact(8)
            .map(|b| u64::from_le_bytes(b.try_into().expect("eight bytes")))
            .collect();
        let copied = [0x0f0e_0d0c_0b0a_0908, 0x1716_1514_1312_1110];
        assert_eq!(words, [frame, copied[0], copied[1], DATA + 0x18], "{name}");
    });
    ends_at(&[0xc8, 0x20, 0, 3, 0xc9], CODE + 5, prepare, |name, user| {
        assert_eq!((user.state().gpr[RBP], user.state().gpr[RSP]), (DATA + 0x18, STACK), "{name}");
    });
}

#[test]
fn code_that_changes_itself_is_seen() {
    // mov byte [rip + 4], 0x29; jmp +0; add eax, ebx, which becomes a subtraction.
    let code = [0xc6, 0x05, 2, 0, 0, 0, 0x29, 0xeb, 0, 0x01, 0xd8];
    let prepare = |cpu: &mut Cpu| (cpu.gpr[RAX], cpu.gpr[RBX]) = (10, 3);
    ends_at(&code, CODE + 11, prepare, |name, user| {
        assert_eq!(user.state().gpr[RAX], 7, "{name}");
    });
}
