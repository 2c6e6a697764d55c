use std::sync::Arc;

use super::{Block, Body, Cache, Key};
use crate::absent::{NoDevices, NoTime};
use crate::guest::riscv64::Riscv64;
use crate::machine::{Config, Machine, Mode};
use crate::mmu::host::{Anonymous, HostRange};
use crate::mmu::ram::Slot;
use crate::run::Vcpu;
use crate::testing;
use arch::riscv64::{Hart, Model};

const RAM: u64 = 0x8000_0000;
/// addi a0, a0, 1; addi a0, a0, 2; addi a0, a0, 3; j .
const CODE: [u32; 4] = [0x0015_0513, 0x0025_0513, 0x0035_0513, 0x0000_006f];

fn vcpu() -> (Arc<Machine<Riscv64>>, Vcpu<Riscv64>) {
    let machine = Machine::new(Config {
        vcpus: 1,
        mode: Mode::Interpreter,
        code_bytes: 0,
        io: Arc::new(NoDevices),
        clock: Arc::new(NoTime),
        firmware_calls: false,
        learning: None,
    })
    .expect("no code is made");
    let host = HostRange::new(Arc::new(Anonymous::new(1 << 16)));
    machine.map(Slot { gpa: RAM, host, readonly: false }).expect("the only slot");
    testing::write_memory(&machine, RAM, &CODE.map(u32::to_le_bytes).concat());
    let mut vcpu = machine.vcpu(0, Hart::new(0, &Model::default()), false).expect("the only vCPU");
    vcpu.core().sync_spaces();
    (machine, vcpu)
}

fn text(block: &Block<Riscv64>) -> Vec<String> {
    match &block.body {
        Body::Insns(insns) => insns.iter().map(|i| i.insn.to_string()).collect(),
        Body::Undefined(_) => Vec::new(),
    }
}

#[test]
fn what_a_block_ends_with_is_shared() {
    let (machine, mut vcpu) = vcpu();
    let whole = vcpu.core().lend(RAM).expect("memory is mapped");
    let tail = vcpu.core().lend(RAM + 8).expect("memory is mapped");
    assert_eq!((whole.len, tail.len), (16, 8));
    assert_eq!(text(&tail), text(&whole)[2..]);
    let (Body::Insns(a), Body::Insns(b)) = (&whole.body, &tail.body) else {
        panic!("both are code");
    };
    assert!(Arc::ptr_eq(&a.all, &b.all));
    assert_eq!(tail.at(&b[0]).pc, RAM + 8);

    // What is in front of the tail changes: the tail lives on.
    testing::write_memory(&machine, RAM, &0x0045_0513u32.to_le_bytes());
    assert!(whole.is_dead() && !tail.is_dead());
    let again = vcpu.core().lend(RAM).expect("memory is mapped");
    assert_ne!(text(&again), text(&whole));
    assert_eq!(text(&again)[1..], text(&whole)[1..]);

    // What both have changes: both die, and what is decoded is decoded anew.
    testing::write_memory(&machine, RAM + 8, &0x0055_0513u32.to_le_bytes());
    assert!(again.is_dead() && tail.is_dead());
    let tail = vcpu.core().lend(RAM + 8).expect("memory is mapped");
    assert_ne!(text(&tail), text(&whole)[2..]);
}

#[test]
fn a_block_without_code_is_given_back_to_where_it_came_from() {
    let (machine, mut vcpu) = vcpu();
    let core = vcpu.core();
    let space = core.fetch_space;
    let block = core.lend(RAM).expect("memory is mapped");
    let count = Arc::strong_count(&block);
    core.give_back(space, block);
    let block = core.lend(RAM).expect("memory is mapped");
    assert_eq!(Arc::strong_count(&block), count);

    // Its place is cleared while it runs: it is not put there again.
    core.flush_spaces(|_| true);
    core.give_back(space, block);
    assert!(core.jump_table().take_cold(RAM).is_none());

    // It dies while it runs.
    let block = core.lend(RAM).expect("memory is mapped");
    testing::write_memory(&machine, RAM, &0u32.to_le_bytes());
    core.give_back(space, block);
    assert!(core.jump_table().take_cold(RAM).is_none());
}

#[test]
fn a_block_makes_room_for_one_with_another_second_page() {
    let cache = Cache::<Riscv64>::new(None, None);
    let key = Key { gpa: 0x1ffe, pc: 0x1ffe, mode: 0 };
    let insert = |second| {
        let block = Block::new(key, 4, Body::Undefined(0), Some(second));
        cache.insert(block, cache.epoch()).expect("nothing was invalidated")
    };
    let old = insert(5);
    assert!(Arc::ptr_eq(&old, &insert(5)));
    let new = insert(6);
    assert!(old.is_dead() && !new.is_dead());
    assert!(cache.find(&key).is_some_and(|block| Arc::ptr_eq(&block, &new)));
    assert!(!cache.invalidate(5 << 12, 4096, || ()));
    assert!(cache.invalidate(6 << 12, 4, || ()));
    assert!(new.is_dead() && cache.find(&key).is_none());
}

#[test]
fn a_page_without_blocks_is_unmarked() {
    let cache = Cache::<Riscv64>::new(None, None);
    let block = |gpa| {
        let block = Block::new(Key { gpa, pc: gpa, mode: 0 }, 4, Body::Undefined(0), None);
        cache.insert(block, cache.epoch()).expect("nothing was invalidated");
    };
    block(0x1000);
    block(0x1100);
    let mut unmarked = false;
    assert!(cache.invalidate(0x1000, 8, || unmarked = true));
    assert!(!unmarked);
    assert!(cache.invalidate(0x1100, 8, || unmarked = true));
    assert!(unmarked);
}
