use tcg::guest::Access;
use tcg::mmu::user::{NotExecutable, SEGV_ACCERR, SEGV_MAPERR, UserMemory};

use super::*;

const ANON: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
const RW: i32 = libc::PROT_READ | libc::PROT_WRITE;

/// Each test has addresses of its own: they run in one process.
fn space(number: u64) -> Space {
    crate::host::signals::install(tcg::CodeRange::default()).expect("handlers can be set");
    Space::new(0x2000_0000_0000 + (number << 36))
}

fn anonymous(addr: u64, len: u64, prot: i32, flags: i32) -> Request {
    Request { addr, len, prot, flags: ANON | flags, fd: -1, offset: 0 }
}

#[test]
fn mappings_are_made_and_undone() {
    let space = space(0);
    let a = space.map(anonymous(0, 3 * PAGE, RW, 0)).expect("there is room");
    let b = space.map(anonymous(0, PAGE, RW, 0)).expect("there is room");
    assert_eq!(b + PAGE, a);
    assert_eq!(crate::Mem.write(a, &7u64), Ok(()));
    assert_eq!(space.unmap(a + PAGE, PAGE), Ok(()));
    assert_eq!(crate::Mem.read::<u8>(a + PAGE), Err(Errno::EFAULT));
    // The hole is the highest place.
    assert_eq!(space.map(anonymous(0, PAGE, RW, 0)), Ok(a + PAGE));
    let taken = space.map(anonymous(a, PAGE, RW, libc::MAP_FIXED_NOREPLACE));
    assert_eq!(taken, Err(Errno::EEXIST));
    assert_eq!(crate::Mem.read::<u64>(a), Ok(7));
    assert_eq!(space.map(anonymous(a, PAGE, RW, libc::MAP_FIXED)), Ok(a));
    assert_eq!(crate::Mem.read::<u64>(a), Ok(0));
}

#[test]
fn what_is_ours_is_never_mapped_over() {
    let space = space(1);
    let at = 0x2000_8000_0000;
    let ours = at..at + PAGE;
    mapping::claim(ours.clone()).expect("nothing is there");
    let over = space.map(anonymous(at - PAGE, 3 * PAGE, RW, libc::MAP_FIXED));
    assert_eq!(over, Err(Errno::ENOMEM));
    assert!(crate::Mem.write(at - PAGE, &0u8).is_err());
    let beside = space.map(anonymous(at, PAGE, RW, 0)).expect("elsewhere");
    assert_ne!(beside, at);
    assert_eq!(space.unmap(at, PAGE), Ok(()));
    assert_eq!(mapping::claim(ours.clone()), Err(Errno::EEXIST));
    let high = space.map(anonymous(END - PAGE, 2 * PAGE, RW, libc::MAP_FIXED));
    assert_eq!(high, Err(Errno::ENOMEM));
}

#[test]
fn code_pages_are_protected_until_they_are_written() {
    let space = space(2);
    let at = space.map(anonymous(0, 2 * PAGE, RW | libc::PROT_EXEC, 0)).expect("room");
    assert_eq!(space.fetch(at + 5), Ok(true));
    assert!(space.has_code_pages());
    assert_eq!(crate::Mem.write(at, &1u8), Err(Errno::EFAULT));
    assert_eq!(crate::Mem.write(at + PAGE, &1u8), Ok(()));
    let dropped = std::cell::Cell::new(0);
    let drop = |page, len| dropped.set(page + len);
    assert!(space.retry(at + 9, Access::Store, &drop));
    assert_eq!(dropped.replace(0), at + PAGE);
    assert_eq!(crate::Mem.write(at, &1u8), Ok(()));
    assert!(!space.has_code_pages());
    assert_eq!(space.fetch(at), Ok(true));
    space.allow_kernel(at + 8..at + 9, &drop);
    assert_eq!(dropped.get(), at + PAGE);
    assert_eq!(crate::Mem.write(at, &1u8), Ok(()));
    let told = std::sync::Arc::new(Mutex::new(Vec::new()));
    let list = told.clone();
    space.set_drop_code(Box::new(move |at, len| list.lock().expect("alone").push(at..at + len)));
    assert_eq!(space.protect(at, 4 * PAGE, libc::PROT_READ), Err(Errno::ENOMEM));
    // As far as there is something.
    assert_eq!(told.lock().expect("alone").pop(), Some(at..at + 2 * PAGE));
    assert_eq!(space.fetch(at), Err(NotExecutable { code: SEGV_ACCERR }));
    assert_eq!(space.fetch(at - PAGE), Err(NotExecutable { code: SEGV_MAPERR }));
    assert!(!space.retry(at, Access::Store, &drop));
    assert!(!space.retry(at - PAGE, Access::Load, &drop));
}

#[test]
fn mappings_grow_move_and_shrink() {
    let space = space(3);
    let at = space.map(anonymous(0, 2 * PAGE, RW, 0)).expect("room");
    assert_eq!(crate::Mem.write(at, &42u64), Ok(()));
    let m = Move { old: at, old_len: 2 * PAGE, new_len: 8 * PAGE, flags: 0, new: 0 };
    let top = space.map(anonymous(at + 2 * PAGE, PAGE, RW, libc::MAP_FIXED));
    assert!(top.is_ok());
    assert_eq!(space.remap(m), Err(Errno::ENOMEM));
    let moved = space.remap(Move { flags: libc::MREMAP_MAYMOVE, ..m }).expect("room");
    assert_ne!(moved, at);
    assert_eq!(crate::Mem.read::<u64>(moved), Ok(42));
    assert!(!space.holds(at, 1) && space.holds(moved, 8 * PAGE));
    let less = Move { old: moved, old_len: 8 * PAGE, new_len: PAGE, flags: 0, new: 0 };
    assert_eq!(space.remap(less), Ok(moved));
    assert!(space.holds(moved, PAGE) && !space.holds(moved + PAGE, 1));
}

#[test]
fn the_heap_comes_and_goes() {
    let space = space(4);
    let start = 0x2400_0000_0000;
    space.set_heap(start);
    assert_eq!(space.set_brk(0), start);
    assert_eq!(space.set_brk(start + 100), start + 100);
    assert_eq!(crate::Mem.write(start + 96, &1u64), Ok(()));
    assert_eq!(space.set_brk(start + 5 * PAGE), start + 5 * PAGE);
    assert_eq!(space.set_brk(start), start);
    assert_eq!(crate::Mem.read::<u8>(start), Err(Errno::EFAULT));
    assert_eq!(space.set_brk(start - 1), start);
}

#[test]
fn areas_that_grow_do_so_when_touched() {
    let space = space(5);
    let at = space.map(anonymous(0, PAGE, RW, libc::MAP_GROWSDOWN)).expect("room");
    let nothing = |_, _| panic!("there is no code");
    assert!(space.retry(at - 2 * PAGE, Access::Store, &nothing));
    assert_eq!(crate::Mem.write(at - PAGE, &1u8), Ok(()));
    assert!(!space.retry(at - (64 << 20), Access::Store, &nothing));
}

#[test]
fn many_mappings_are_cheap() {
    let space = space(6);
    for i in 0..20_000 {
        let prot = if i % 2 == 0 { libc::PROT_NONE } else { libc::PROT_READ };
        assert!(space.map(anonymous(0, PAGE, prot, 0)).is_ok());
    }
    assert_eq!(space.areas().len(), 20_000);
}
