use super::feature;
use super::model::{Base, MODELS, Model};
use super::state::*;
use crate::CpuState;

#[test]
fn rflags_come_apart_and_together() {
    let mut cpu = Cpu::new();
    assert_eq!(cpu.rflags(), IF | RFLAGS_FIXED);
    for bit in [CF, PF, AF, ZF, SF, TF, DF, OF, NT, AC, ID] {
        cpu.set_rflags(bit);
        assert_eq!(cpu.rflags(), bit | RFLAGS_FIXED, "{bit:#x}");
    }
    cpu.set_rflags(CF | OF);
    assert_eq!(cpu.flags, 0x301, "as lahf and seto leave them");
}

#[test]
fn registers_have_their_names() {
    let cpu = Cpu { gpr: std::array::from_fn(|n| n as u64), ..Cpu::default() };
    assert_eq!(cpu.get(Cpu::reg("rsp").unwrap()), 4);
    assert_eq!(cpu.get(Cpu::reg("r15").unwrap()), 15);
    assert_eq!(Cpu::reg("xmm3").unwrap().bits, 128);
}

#[test]
fn msrs_are_found_by_number() {
    let mut cpu = Cpu::reset(true);
    for msr in super::msr::MSRS {
        assert!(cpu.set_msr(msr.number, u64::from(msr.number)), "{}", msr.name);
    }
    for msr in super::msr::MSRS {
        assert_eq!(cpu.get(Cpu::reg(msr.name).unwrap()), u128::from(msr.number), "{}", msr.name);
    }
    assert!(!cpu.set_msr(0xc000_0080, 1), "EFER is a register of its own");
}

#[test]
fn a_reset_starts_below_4_gib() {
    let cpu = Cpu::reset(true);
    assert_eq!(cpu.segment_base(seg::CS) + cpu.rip, 0xffff_fff0);
    assert_eq!((cpu.rflags(), cpu.mp_state), (RFLAGS_FIXED, mp::RUNNING));
    assert_eq!(Cpu::reset(false).mp_state, mp::UNINITIALIZED);
}

#[test]
fn models_are_read_as_users_write_them() {
    let model: Model = "host,-avx2,+cx16,+avx2".parse().unwrap();
    assert_eq!((model.base, model.toggle("avx2")), (Base::Host, Some(true)), "the last counts");
    assert_eq!((model.toggle("cx16"), model.toggle("sse2")), (Some(true), None));
    let level: Model = "x86-64-v3,tsc-khz=1000000".parse().unwrap();
    assert_eq!((level.base, level.tsc_khz), (Base::Level(3), Some(1_000_000)));
    for (wrong, says) in [
        ("pentium", "x86-64-v2"),
        ("host,+warp", "warp"),
        ("host,avx2", "+feature"),
        ("host,tsc-khz=fast", "tsc-khz"),
        ("", "models are"),
    ] {
        let error = wrong.parse::<Model>().unwrap_err().to_string();
        assert!(error.contains(says), "{wrong}: {error}");
    }
}

#[test]
fn levels_ask_for_features_that_there_are() {
    for (model, _) in MODELS {
        assert_eq!(model.parse::<Model>().unwrap().base.name(), model);
        for name in model.parse::<Model>().unwrap().base.required() {
            assert!(feature::find(name).is_some(), "{name}");
        }
    }
    assert!(Base::Level(4).required().contains(&"avx512f"));
    assert!(!Base::Level(3).required().contains(&"avx512f"));
    assert!(Base::Level(1).welcomes("kvmclock") && !Base::Level(1).welcomes("avx2"));
}

#[test]
fn features_have_names_of_their_own() {
    let mut names: Vec<&str> = feature::all().map(|feature| feature.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}
