//! What comparing single instructions with QEMU does not show: exclusive pairs of instructions,
//! system registers, and exceptions.

use tcg::guest::Access;
use tcg::guest::aarch64::{Aarch64, Exception};

use crate::user::{ENGINES, User};

const CODE: u64 = 0x1_0000;
const DATA: u64 = 0x2_0000;
const BRK: u32 = 0xd420_0000;

/// Runs words, `brk` behind them, with x0 at the data and other registers as given; gives the
/// machine after the first exception, and that.
fn run_in(
    mode: tcg::Mode,
    words: &[u32],
    registers: &[(usize, u64)],
) -> (User<Aarch64>, Exception) {
    let mut user = User::<Aarch64>::new(mode, &[(CODE, 4096), (DATA, 4096)]);
    let code: Vec<u8> = words.iter().chain([&BRK]).flat_map(|w| w.to_le_bytes()).collect();
    user.write(CODE, &code);
    user.write(DATA, &[0xa5; 256]);
    let cpu = user.state();
    cpu.pc = CODE;
    cpu.x[0] = DATA;
    for &(r, v) in registers {
        cpu.x[r] = v;
    }
    let exception = user.run();
    (user, exception)
}

/// The same in every engine, each looked at by `look`.
fn run(
    words: &[u32],
    registers: &[(usize, u64)],
    look: impl Fn(&str, &mut User<Aarch64>, Exception),
) {
    for (name, mode) in ENGINES {
        let (mut user, exception) = run_in(mode, words, registers);
        look(name, &mut user, exception);
    }
}

const DONE: Exception = Exception::Breakpoint(0);
const A5: u64 = 0xa5a5_a5a5_a5a5_a5a5;

// ldxr x1, [x0] and its kin; the status goes to w3, the new value comes from x2.
const LDXR_X1: u32 = 0xc85f_7c01;
const STXR_X2: u32 = 0xc803_7c02;
const CLREX: u32 = 0xd503_3f5f;
const LDXP_W: u32 = 0x887f_1001; // w1, w4
const STXP_W: u32 = 0x8823_1402; // w3, w2, w5
const STR_X5: u32 = 0xf900_0005; // str x5, [x0]

#[test]
fn an_exclusive_store_needs_the_value_that_was_read() {
    let new = [(2, 77), (5, 5)];
    run(&[LDXR_X1, STXR_X2], &new, |name, user, e| {
        assert_eq!(e, DONE, "{name}");
        assert_eq!((user.state().x[1], user.state().x[3]), (A5, 0), "{name}");
        assert_eq!(user.read(DATA, 8), 77u64.to_le_bytes(), "{name}");
    });
    for words in [&[STXR_X2][..], &[LDXR_X1, CLREX, STXR_X2], &[LDXR_X1, STR_X5, STXR_X2]] {
        run(words, &new, |name, user, e| {
            assert_eq!(e, DONE, "{name}");
            assert_eq!(user.state().x[3], 1, "{name}: {words:x?}");
            assert_ne!(user.read(DATA, 8), 77u64.to_le_bytes(), "{name}");
        });
    }
    // A reservation is used up, whatever came of it.
    run(&[LDXR_X1, STXR_X2, STXR_X2], &[(2, A5)], |name, user, _| {
        assert_eq!(user.state().x[3], 1, "{name}");
    });
}

#[test]
fn words_in_exclusive_pairs() {
    run(&[LDXP_W, STXP_W], &[(2, 7), (5, 8)], |name, user, e| {
        assert_eq!(e, DONE, "{name}");
        let x = user.state().x;
        assert_eq!((x[1], x[4], x[3]), (0xa5a5_a5a5, 0xa5a5_a5a5, 0), "{name}");
        assert_eq!(user.read(DATA, 8), [7, 0, 0, 0, 8, 0, 0, 0], "{name}");
    });
}

#[test]
fn misaligned_exclusives_and_atomics_fault() {
    let ldadd = 0xf822_0001; // ldadd x2, x1, [x0]
    for (word, access) in [(LDXR_X1, Access::Load), (ldadd, Access::Store)] {
        run(&[word], &[(0, DATA + 4), (1, 9)], |name, user, e| {
            assert_eq!(e, Exception::Misaligned { address: DATA + 4, access }, "{name}");
            assert_eq!((user.state().pc, user.state().x[1]), (CODE, 9), "{name}");
        });
    }
}

#[test]
fn pairs_of_doublewords_are_not_there_yet() {
    // ldxp x1, x4, [x0]; stxp w3, x2, x5, [x0]; casp x2, x3, x4, x5, [x0]
    for word in [0xc87f_1001, 0xc823_1402, 0x4822_7c04] {
        run(&[word], &[], |name, _, e| assert_eq!(e, Exception::Undefined(0), "{name}: {word:x}"));
    }
}

#[test]
fn system_registers_of_programs() {
    // msr tpidr_el0, x2; mrs x1, tpidr_el0; mrs x4, tpidrro_el0; mrs x5, dczid_el0; mrs x6, ctr_el0
    let words = [0xd51b_d042, 0xd53b_d041, 0xd53b_d064, 0xd53b_00e5, 0xd53b_0026];
    run(&words, &[(2, 1234), (4, 1)], |name, user, e| {
        assert_eq!(e, DONE, "{name}");
        let x = user.state().x;
        assert_eq!((x[1], x[4], x[5]), (1234, 0, 4), "{name}");
        assert_eq!(x[6] & 0xf_000f, 0x4_0004, "{name}: lines of 64 bytes");
    });
    // msr fpcr, x2; msr fpsr, x3; mrs x4, fpcr; mrs x5, fpsr
    let words = [0xd51b_4402, 0xd51b_4423, 0xd53b_4404, 0xd53b_4425];
    run(&words, &[(2, 1 << 24), (3, 1 << 27)], |name, user, e| {
        assert_eq!(e, DONE, "{name}");
        assert_eq!((user.state().x[4], user.state().x[5]), (1 << 24, 1 << 27), "{name}");
    });
}

/// One lane has no root, so software does both again: from the operand, which the result replaces.
#[test]
fn roots_in_place_are_drawn_once_each_round() {
    let words = [
        0xd51b_4402, // msr fpcr, x2: default NaNs
        0xf900_0404, // str x4, [x0, #8]
        0x3dc0_0012, // ldr q18, [x0]
        0x6ee1_fa52, // fsqrt v18.2d, v18.2d
        0xd100_079c, // sub x28, x28, #1
        0xb5ff_ffdc, // cbnz x28, the root
        0x3d80_0012, // str q18, [x0]
    ];
    let root = f64::from_bits(0x1ab8_f2eb_46c0_e20e).sqrt().sqrt().to_bits();
    run(&words, &[(2, 1 << 25), (4, 0x1ab8_f2eb_46c0_e20e), (28, 2)], |name, user, e| {
        assert_eq!(e, DONE, "{name}");
        assert_eq!(user.read(DATA, 8), 0x7ff8_0000_0000_0000u64.to_le_bytes(), "{name}");
        assert_eq!(user.read(DATA + 8, 8), root.to_le_bytes(), "{name}");
    });
}

#[test]
fn a_block_is_zeroed() {
    let dc_zva = 0xd50b_7420; // x0
    run(&[dc_zva], &[(0, DATA + 0x47)], |name, user, e| {
        assert_eq!(e, DONE, "{name}");
        assert_eq!(user.read(DATA + 0x3f, 1), [0xa5], "{name}");
        assert_eq!(user.read(DATA + 0x40, 64), [0; 64], "{name}");
        assert_eq!(user.read(DATA + 0x80, 1), [0xa5], "{name}");
    });
}

#[test]
fn exceptions_are_at_their_instruction() {
    let nop = 0xd503_201f;
    let cases = [
        (0xd400_2461, Exception::Supervisor(0x123)),
        (0xd424_6800, Exception::Breakpoint(0x2340)),
        // hvc, smc, hlt, eret, udf: what comes of them is known no closer.
        (0xd400_0002, Exception::Undefined(0)),
        (0xd400_0003, Exception::Undefined(0)),
        (0xd440_0000, Exception::Undefined(0)),
        (0xd69f_03e0, Exception::Undefined(0)),
        (0x0000_0012, Exception::Undefined(0)),
        // msr daifset, #2; mrs x1, midr_el1; msr sctlr_el1, x1; tlbi vmalle1; at s1e1r, x1; sysl
        (0xd503_42df, Exception::Undefined(0)),
        (0xd538_0001, Exception::Undefined(0)),
        (0xd518_1001, Exception::Undefined(0)),
        (0xd508_871f, Exception::Undefined(0)),
        (0xd508_7801, Exception::Undefined(0)),
        (0xd528_1001, Exception::Undefined(0)),
        // No instruction at all, and one of half precision: fadd h0, h0, h0.
        (0xffff_ffff, Exception::Undefined(0xffff_ffff)),
        (0x1ee0_2800, Exception::Undefined(0x1ee0_2800)),
    ];
    for (word, expected) in cases {
        run(&[nop, word], &[], |name, user, e| {
            assert_eq!((e, user.state().pc), (expected, CODE + 4), "{name}: {word:x}");
        });
    }
}

#[test]
fn faults_leave_registers_alone() {
    let access = |address, access| Exception::Abort { address, access };
    let cases: [(u32, Exception); 5] = [
        // ldr x1, [x0], #8; ldp x1, x2, [x0, #-16]!; str x1, [x0, #8]!; stp x1, x2, [x0], #16
        (0xf840_8401, access(DATA + 0x1000, Access::Load)),
        (0xa9ff_0801, access(DATA + 0xff0, Access::Load)),
        (0xf800_8c01, access(DATA + 0x1008, Access::Store)),
        (0xa881_0801, access(DATA + 0x1000, Access::Store)),
        // swp x1, x2, [x0]
        (0xf821_8002, access(DATA + 0x1000, Access::Store)),
    ];
    for (word, expected) in cases {
        let pair = word == 0xa9ff_0801;
        let base = if pair { DATA + 0x1008 } else { DATA + 0x1000 };
        run(&[word], &[(0, base), (1, 11), (2, 22)], |name, user, e| {
            // Of the pair that ends at the border only the second half is not there.
            let expected = if pair { access(DATA + 0x1000, Access::Load) } else { expected };
            assert_eq!(e, expected, "{name}: {word:x}");
            assert_eq!(user.state().x[..3], [base, 11, 22], "{name}: {word:x}");
            assert_eq!(user.state().pc, CODE, "{name}");
        });
    }
}

#[test]
fn code_is_fetched_at_multiples_of_four_from_memory() {
    let br = 0xd61f_0020; // x1
    run(&[br], &[(1, CODE + 6)], |name, _, e| {
        let expected = Exception::Misaligned { address: CODE + 6, access: Access::Fetch };
        assert_eq!(e, expected, "{name}");
    });
    run(&[br], &[(1, 0x77_0000)], |name, user, e| {
        assert_eq!(e, Exception::Abort { address: 0x77_0000, access: Access::Fetch }, "{name}");
        assert_eq!(user.state().pc, 0x77_0000, "{name}");
    });
}
