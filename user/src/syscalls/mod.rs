//! System calls: which there are, and what becomes of each (`syscalls.table`).

pub(crate) mod exec;
pub(crate) mod file;
pub(crate) mod ioctl;
pub(crate) mod ipc;
pub(crate) mod memory;
pub(crate) mod open;
pub(crate) mod poll;
pub(crate) mod process;
pub(crate) mod stat;
pub(crate) mod time;

use crate::host::call::{interruptible, plain};
use crate::{Errno, Isa, Thread, strace};

include!(concat!(env!("OUT_DIR"), "/syscalls.rs"));

/// A system call.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The host's number, or -1.
    host: i32,
    class: Class,
    pub(crate) args: &'static [Arg],
}

/// What becomes of it; see the head of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Pass,
    Wait,
    Path(usize),
    Root,
    Own,
    Refuse(Errno),
}

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arg {
    /// A descriptor.
    Fd,
    /// A descriptor of a folder, or AT_FDCWD.
    At,
    /// A string.
    Str,
    /// A list of strings.
    Argv,
    /// An address.
    Ptr,
    /// Bytes that the call reads; the next argument says how many.
    Data,
    /// Bytes that the call writes; the next argument says how many.
    Out,
    /// A number of bytes.
    Len,
    /// An offset in a file.
    Off,
    /// A number.
    Int,
    /// Bits.
    Hex,
    /// A mode of files.
    Oct,
    /// The O flags of open(2).
    OFlags,
    /// PROT flags.
    Prot,
    /// MAP flags.
    MapFlags,
    /// The number of a signal.
    Sig,
}

/// The row of a number, if there is such a call.
pub(crate) fn row<G: Isa>(number: u64) -> Option<u16> {
    let index = *G::ABI.syscalls.get(usize::try_from(number).ok()?)?;
    (index != u16::MAX).then_some(index)
}

/// Makes the system call that a guest thread asks for.
pub fn call<G: Isa>(t: &mut Thread<G>, number: u64, args: [u64; 6]) -> Result<u64, Errno> {
    let Some(index) = row::<G>(number) else {
        if t.process.options().strace {
            strace::unknown(t, number);
        }
        return Err(Errno::ENOSYS);
    };
    let row = &ROWS[usize::from(index)];
    if !t.process.options().strace {
        return perform(t, index, row, args);
    }
    let entered = strace::enter(t, row, &args);
    let result = perform(t, index, row, args);
    strace::leave(t, entered, row, &args, result);
    result
}

fn perform<G: Isa>(
    t: &mut Thread<G>,
    index: u16,
    row: &'static Row,
    a: [u64; 6],
) -> Result<u64, Errno> {
    if t.process.space.has_code_pages() {
        allow_writes(t, row, &a);
    }
    let result = dispatch(t, index, row, a);
    if result == Err(Errno::EFAULT) && t.process.space.has_code_pages() {
        // It may have been about to write where the guest may and the host may not: a list of
        // buffers leads anywhere.
        allow(t, 0, u64::MAX);
        return dispatch(t, index, row, a);
    }
    result
}

fn dispatch<G: Isa>(
    t: &mut Thread<G>,
    index: u16,
    row: &'static Row,
    a: [u64; 6],
) -> Result<u64, Errno> {
    let host = i64::from(row.host);
    match row.class {
        Class::Pass => plain(host, a),
        Class::Wait => interruptible(host, a),
        Class::Path(at) => open::with_path(t, a[at], |_, path| {
            let mut a = a;
            a[at] = path;
            plain(host, a)
        }),
        Class::Root => {
            t.process.executable.keep();
            plain(host, a)
        }
        Class::Own => own(t, index, a),
        Class::Refuse(error) => Err(error),
    }
}

/// Pages that code was made from are read-only for the host's kernel too: those that the call
/// may write to become writable.
fn allow_writes<G: Isa>(t: &Thread<G>, row: &Row, a: &[u64; 6]) {
    /// What a structure behind a pointer takes at most.
    const STRUCT: u64 = 4096;
    for (at, arg) in row.args.iter().enumerate() {
        match arg {
            Arg::Out => allow(t, a[at], a.get(at + 1).copied().unwrap_or(0)),
            Arg::Ptr => allow(t, a[at], STRUCT),
            _ => {}
        }
    }
}

fn allow<G: Isa>(t: &Thread<G>, at: u64, len: u64) {
    let machine = &t.process.machine;
    let drop = |page: u64, len: u64| machine.written(page, len as usize);
    t.process.space.allow_kernel(at..at.saturating_add(len), &drop);
}

/// The low half of an argument that the kernel takes as an int.
pub(crate) fn int(arg: u64) -> i32 {
    arg as u32 as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_to_rows() {
        let name = |table: &[u16], number: usize| ROWS[usize::from(table[number])].name;
        assert_eq!(name(&RISCV64, 64), "write");
        assert_eq!(name(&RISCV64, 258), "riscv_hwprobe");
        assert_eq!(name(&AARCH64, 38), "renameat");
        assert_eq!(name(&X86_64, 257), "openat");
        assert_eq!(RISCV64[38], u16::MAX);
        assert_eq!(RISCV64.len(), 463);
    }

    #[test]
    fn lengths_follow_what_they_measure() {
        for row in &ROWS {
            for (at, arg) in row.args.iter().enumerate() {
                if matches!(arg, Arg::Out | Arg::Data) {
                    assert_eq!(row.args.get(at + 1), Some(&Arg::Len), "{}", row.name);
                }
            }
        }
    }
}
