//! System calls about threads.

use super::clone::Clone;
use crate::host::thread;
use crate::{Errno, Isa, Thread};

type Result = std::result::Result<u64, Errno>;

/// clone(2). The order of the arguments is that of riscv64 and aarch64: flags, stack, parent_tid,
/// tls, child_tid; x86_64 has the last two the other way round.
pub fn clone<G: Isa>(t: &mut Thread<G>, [flags, stack, parent, a, b, _]: [u64; 6]) -> Result {
    let (tls, child) = if G::CLONE_TLS_LAST { (b, a) } else { (a, b) };
    let clone = Clone {
        flags: flags & 0xffff_ff00,
        exit_signal: (flags & 0xff) as i32,
        stack,
        parent_tid: parent,
        // clone(2) has one place for both.
        pidfd: parent,
        child_tid: child,
        tls,
    };
    clone.run(t)
}

/// clone3(2).
pub fn clone3<G: Isa>(t: &mut Thread<G>, [args, size, ..]: [u64; 6]) -> Result {
    /// Bytes of struct clone_args as it was first, and as it is.
    const FIRST: u64 = 64;
    const NOW: u64 = 88;
    if size > 4096 {
        return Err(Errno::E2BIG);
    }
    if size < FIRST {
        return Err(Errno::EINVAL);
    }
    let mut bytes = vec![0; size as usize];
    t.mem().read_bytes(args, &mut bytes)?;
    if bytes.iter().skip(NOW as usize).any(|&b| b != 0) {
        return Err(Errno::E2BIG);
    }
    let word = |at: usize| {
        let bytes = bytes.get(8 * at..8 * at + 8).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    };
    // set_tid and cgroup are for those who restore processes or manage groups of them.
    if (8..11).any(|at| word(at) != 0) || word(4) > 64 {
        return Err(Errno::EINVAL);
    }
    let (stack, stack_size) = (word(5), word(6));
    if (stack == 0) != (stack_size == 0) {
        return Err(Errno::EINVAL);
    }
    let clone = Clone {
        flags: word(0),
        pidfd: word(1),
        child_tid: word(2),
        parent_tid: word(3),
        exit_signal: word(4) as i32,
        stack: stack.wrapping_add(stack_size),
        tls: word(7),
    };
    clone.run(t)
}

/// fork(2).
pub fn fork<G: Isa>(t: &mut Thread<G>, _: [u64; 6]) -> Result {
    Clone { exit_signal: libc::SIGCHLD, ..Clone::default() }.run(t)
}

/// vfork(2).
pub fn vfork<G: Isa>(t: &mut Thread<G>, _: [u64; 6]) -> Result {
    let flags = (libc::CLONE_VM | libc::CLONE_VFORK) as u64;
    Clone { flags, exit_signal: libc::SIGCHLD, ..Clone::default() }.run(t)
}

/// exit(2): ends the thread.
pub fn exit<G: Isa>(t: &mut Thread<G>, [status, ..]: [u64; 6]) -> Result {
    t.ended = Some(status as i32 & 0xff);
    Err(Errno::NO_RESULT)
}

/// exit_group(2).
pub fn exit_group<G: Isa>(t: &mut Thread<G>, [status, ..]: [u64; 6]) -> Result {
    t.process.exit(status as i32 & 0xff)
}

/// set_tid_address(2).
pub fn set_tid_address<G: Isa>(t: &mut Thread<G>, [va, ..]: [u64; 6]) -> Result {
    t.clear_tid = va;
    Ok(t.tid as u64)
}

/// set_robust_list(2): the list is walked by [`Thread`] when it ends; the host's own is another.
pub fn set_robust_list<G: Isa>(t: &mut Thread<G>, [head, len, ..]: [u64; 6]) -> Result {
    const HEAD: u64 = 24;
    if len != HEAD {
        return Err(Errno::EINVAL);
    }
    t.robust_list = head;
    Ok(0)
}

/// get_robust_list(2), of this thread.
pub fn get_robust_list<G: Isa>(t: &mut Thread<G>, [tid, head, len, ..]: [u64; 6]) -> Result {
    if tid as i32 != 0 && tid as i32 != t.tid {
        return Err(Errno::EPERM);
    }
    t.mem().write(head, &t.robust_list)?;
    t.mem().write(len, &24u64)?;
    Ok(0)
}

/// rseq(2): an abort would have to be seen at every block boundary; programs do without.
pub fn rseq<G: Isa>(_: &mut Thread<G>, _: [u64; 6]) -> Result {
    Err(Errno::ENOSYS)
}

/// Ends the host thread of a guest thread that has ended.
pub fn leave_host_thread(status: i32) {
    if thread::is_main() {
        thread::exit_thread(status);
    }
}
