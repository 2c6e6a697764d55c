//! The register list as others rely on it.

use std::collections::HashSet;
use std::mem::{offset_of, size_of};

use super::{Exts, Hart, Model};
use crate::CpuState;

#[test]
fn registers_tile_the_structure() {
    assert_eq!(offset_of!(Hart, x), 0);
    assert_eq!(offset_of!(Hart, pc), 256);
    let mut end = 0;
    for reg in Hart::REGS {
        assert_eq!(reg.offset, end, "{}", reg.name);
        end += u32::from(reg.bits) / 8;
    }
    assert_eq!(end as usize, size_of::<Hart>());
}

#[test]
fn names_and_gdb_numbers_are_unique() {
    let mut names = HashSet::new();
    let mut numbers = HashSet::new();
    for reg in Hart::REGS {
        assert!(names.insert(reg.name), "{}", reg.name);
        assert!(reg.alias == reg.name || names.insert(reg.alias), "{}", reg.alias);
        assert!(reg.gdb.is_none_or(|number| numbers.insert(number)), "{}", reg.name);
    }
}

#[test]
fn each_register_is_its_own() {
    let mut hart = Hart::default();
    for (i, reg) in Hart::REGS.iter().enumerate() {
        hart.set(reg, i as u128 + 1);
    }
    for (i, reg) in Hart::REGS.iter().enumerate() {
        assert_eq!(hart.get(reg), i as u128 + 1, "{}", reg.name);
    }
    let mut other = hart.clone();
    other.x[10] = 0;
    other.satp = 0;
    let names: Vec<_> = hart.diff(&other).iter().map(|diff| diff.name).collect();
    assert_eq!(names, ["x10", "satp"]);
    assert_eq!(Hart::reg("a0").unwrap().name, "x10");
    assert_eq!(Hart::reg("ft11").unwrap().gdb, Some(64));
}

#[test]
fn a_written_seip_outlives_the_line() {
    let mut hart = Hart::new(0, &Model::default());
    hart.mip_soft = 1 << 9;
    hart.set_irq_lines(1 << 7 | 1 << 9);
    hart.mip |= 1 << 1;
    assert_eq!(hart.mip, 1 << 1 | 1 << 7 | 1 << 9);
    hart.set_irq_lines(0);
    assert_eq!(hart.mip, 1 << 1 | 1 << 9);
    hart.mip_soft = 0;
    hart.set_irq_lines(0);
    assert_eq!(hart.mip, 1 << 1);
}

#[test]
fn isa_string_names_what_is_there() {
    assert_eq!(
        Model::default().isa_string(),
        "rv64imafdc_zicntr_zicond_zicsr_zifencei_zihintpause_zba_zbb_zbs\
         _sstc_svadu_svinval_svnapot_svpbmt"
    );
    assert_eq!(Model { exts: Exts::BASE }.isa_string(), "rv64i_zicsr");
    assert_eq!(Hart::new(3, &Model::default()).misa, 0x8000_0000_0014_112d);
}
