//! The border between translated code and Rust: entering translated code, and the functions that
//! it calls.
#![expect(unsafe_code, reason = "enters generated code, and is called from it with raw pointers")]

use super::{fp_table, vector_table};
use crate::builder::{Bin, FlagOp, MemOp, Rmw, Un, Width};
use crate::guest::{Guest, Helper};
use crate::jit::cell::CoreRef;
use crate::jit::groups::{NO_ADDEND, SLOTS};
use crate::mmu::access::extend;
use crate::ops;
use crate::vcpu::Core;

/// What translated code gets from a call: a value in rax, and in rdx whether an exception was
/// raised (it is in [`Core::raised`] then).
#[repr(C)]
pub(super) struct Answer {
    value: u64,
    failed: u64,
}

fn answer<G: Guest>(core: &mut Core<G>, result: Result<u64, G::Exception>) -> Answer {
    match result {
        Ok(value) => Answer { value, failed: 0 },
        Err(e) => {
            core.raised = Some(e);
            Answer { value: 0, failed: 1 }
        }
    }
}

/// Runs the code at `code` until it exits; gives the number of the exit. `enter` is the entry
/// stub of the translator that made `code`.
pub(super) fn run<G: Guest>(enter: u64, core: &mut CoreRef<G>, code: u64) -> u64 {
    // SAFETY: `Native` calls this with addresses inside its own code buffer: of its entry stub,
    // which is code for this signature, and of a block's entry.
    let enter: extern "sysv64" fn(*mut Core<G>, u64) -> u64 =
        unsafe { std::mem::transmute(enter as *const ()) };
    enter(core.address(), code)
}

/// A slow path may do others' requests, or change what pages are used for: accesses of the
/// running block look up again.
fn accessed<G: Guest>(core: &mut Core<G>, result: Result<u64, G::Exception>) -> Answer {
    core.hot.groups = [NO_ADDEND; SLOTS];
    answer(core, result)
}

/// Loads `1 << size` bytes, zero-extended.
pub(super) extern "sysv64" fn load<G: Guest>(core: *mut Core<G>, va: u64, size: u64) -> Answer {
    // SAFETY: translated code passes the core that it was entered with, which `enter`'s caller
    // lends to it, and uses nothing of it during the call.
    let core = unsafe { &mut *core };
    let result = core.load(va, size as u8);
    accessed(core, result)
}

/// Stores the low `1 << size` bytes of `value`.
pub(super) extern "sysv64" fn store<G: Guest>(
    core: *mut Core<G>,
    va: u64,
    size: u64,
    value: u64,
) -> Answer {
    // SAFETY: as in `load`.
    let core = unsafe { &mut *core };
    let result = core.store(va, value, size as u8);
    accessed(core, result.map(|()| 0))
}

/// Number of a read-modify-write for [`rmw`]; `None`: compare and exchange.
pub(super) fn rmw_number(op: Option<Rmw>, m: MemOp) -> u32 {
    let number = op.map_or(Rmw::ALL.len() as u32, |op| op as u32);
    number | u32::from(m.size) << 8 | u32::from(m.signed) << 12
}

/// Atomic operation `what` ([`rmw_number`]); compare and exchange has the value to expect in the
/// first spill slot.
pub(super) extern "sysv64" fn rmw<G: Guest>(
    core: *mut Core<G>,
    va: u64,
    what: u64,
    value: u64,
) -> Answer {
    // SAFETY: as in `load`.
    let core = unsafe { &mut *core };
    let m = MemOp { size: (what >> 8 & 3) as u8, signed: what >> 12 & 1 != 0, aligned: true };
    let result = match Rmw::ALL.get((what & 0xff) as usize) {
        Some(&op) => core.rmw(op, va, value, m),
        None => core.cas(va, core.hot.spill[0], value, m),
    };
    accessed(core, result.map(|old| extend(old, m)))
}

/// Runs a helper on the arguments in the spill slots.
pub(super) extern "sysv64" fn helper<G: Guest>(
    core: *mut Core<G>,
    helper: &'static Helper<G>,
) -> Answer {
    // SAFETY: as in `load`; the pointer to the helper was made from a static reference.
    let core = unsafe { &mut *core };
    core.raise_fp_flags();
    let args = [core.hot.spill[0], core.hot.spill[1], core.hot.spill[2]];
    let result = (helper.run)(core, args);
    core.sync_fp_control();
    if core.direct {
        core.sync_mode();
    } else {
        core.sync_spaces();
    }
    answer(core, result)
}

/// In [`Answer::failed`]: the exception was entered, everything is up to date.
pub(super) const ENTERED: i32 = 2;

/// The same for a helper that may touch registers. In system mode its exception is entered at
/// once, so that translated code can go on with the handler.
pub(super) extern "sysv64" fn helper_of_registers<G: Guest>(
    core: *mut Core<G>,
    helper: &'static Helper<G>,
) -> Answer {
    let answer = self::helper(core, helper);
    // SAFETY: as in `load`.
    let core = unsafe { &mut *core };
    if core.direct || answer.failed == 0 {
        return answer;
    }
    if let Some(e) = core.raised.take() {
        core.deliver(e);
    }
    core.look_again();
    core.sync_fp_control();
    Answer { value: 0, failed: ENTERED as u64 }
}

/// Runs the helper that translated code left with [`crate::jit::Exit::Call`] for.
pub(super) fn leave<G: Guest>(core: &mut Core<G>) -> Result<(), G::Exception> {
    // SAFETY: translated code has just stored there what was a static reference.
    let helper = unsafe { &*(core.hot.exit[0] as *const Helper<G>) };
    let args = [core.hot.spill[0], core.hot.spill[1], core.hot.spill[2]];
    (helper.run)(core, args).map(|_| ())
}

/// A floating-point operation in software: `what` is its number in [`fp_table`].
pub(super) extern "sysv64" fn fp<G: Guest>(core: *mut Core<G>, what: u64) -> Answer {
    // SAFETY: as in `load`.
    let core = unsafe { &mut *core };
    let (op, fmt, rm) = fp_table::get(what);
    let args = [core.hot.spill[0], core.hot.spill[1], core.hot.spill[2]];
    Answer { value: G::fp(&mut core.state, op, fmt, rm, args), failed: 0 }
}

/// A load that must be aligned: raises the guest's exception if it is not.
pub(super) extern "sysv64" fn load_aligned<G: Guest>(
    core: *mut Core<G>,
    va: u64,
    size: u64,
) -> Answer {
    // SAFETY: as in `load`.
    let core = unsafe { &mut *core };
    let result = core.load_op(va, MemOp::new(size as u8, false).aligned());
    accessed(core, result)
}

/// A store that must be aligned: raises the guest's exception if it is not.
pub(super) extern "sysv64" fn store_aligned<G: Guest>(
    core: *mut Core<G>,
    va: u64,
    size: u64,
    value: u64,
) -> Answer {
    // SAFETY: as in `load`.
    let core = unsafe { &mut *core };
    let result = core.store_op(va, value, MemOp::new(size as u8, false).aligned());
    accessed(core, result.map(|()| 0))
}

/// Calls the pure function at `function` on the spill slots.
pub(super) extern "sysv64" fn pure<G: Guest>(core: *mut Core<G>, function: u64) -> Answer {
    // SAFETY: as in `load`; `function` was made from a function of this type.
    let (core, function) = unsafe {
        (&mut *core, std::mem::transmute::<*const (), fn([u64; 5]) -> u64>(function as *const ()))
    };
    let [a, b, c, d, e, ..] = core.hot.spill;
    Answer { value: function([a, b, c, d, e]), failed: 0 }
}

/// An operation that the host has no instruction for: number and width, a, b.
pub(super) fn soft_binary([what, a, b, ..]: [u64; 5]) -> u64 {
    ops::bin(Bin::ALL[what as usize & 0xff], Width::ALL[(what >> 8) as usize], a, b)
}

/// An operation that the host has no instruction for: number and width, a.
pub(super) fn soft_unary([what, a, ..]: [u64; 5]) -> u64 {
    ops::un(Un::ALL[what as usize & 0xff], Width::ALL[(what >> 8) as usize], a)
}

/// The flags image of an operation: number and width, a, b, result, image before.
pub(super) fn soft_flags([what, a, b, r, old]: [u64; 5]) -> u64 {
    let op = FlagOp::ALL[what as usize & 0xff];
    ops::flags_of(op, Width::ALL[(what >> 8) as usize], a, b, r, old)
}

/// Loads or stores a vector, which is in the first spill slot for vectors: access `what` is made
/// of the logarithm of its size, 8 if it must be aligned, and 16 if it is a store.
pub(super) extern "sysv64" fn vector_access<G: Guest>(
    core: *mut Core<G>,
    va: u64,
    what: u64,
) -> Answer {
    // SAFETY: as in `load`.
    let core = unsafe { &mut *core };
    let m = MemOp { size: (what & 7) as u8, signed: false, aligned: what & 8 != 0 };
    let result = if what & 16 != 0 {
        core.store_vector(va, core.hot.spill_vec[0], m)
    } else {
        core.load_vector(va, m).map(|v| core.hot.spill_vec[0] = v)
    };
    accessed(core, result.map(|()| 0))
}

/// Operation `what` (see [`vector_table`]) on the first spill slots for vectors; the result is in
/// the first of them, or in rax if it is an integer.
pub(super) extern "sysv64" fn vector<G: Guest>(core: *mut Core<G>, what: u64) -> Answer {
    // SAFETY: as in `load`.
    let core = unsafe { &mut *core };
    Answer { value: vector_table::execute(core, what), failed: 0 }
}
