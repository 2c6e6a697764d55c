//! System calls about signals, and those that wait under another mask.

use super::action::{Action, SIGNALS};
use super::frame::{SS_AUTODISARM, SS_DISABLE, SS_ONSTACK, Stack};
use crate::host::signals::{self, FAULTS, bit};
use crate::{Errno, Isa, Thread};

/// Bytes of the kernel's set of signals.
const SET: u64 = 8;

/// struct sigaction says where its handler returns to.
const SA_RESTORER: u64 = 0x0400_0000;

type Result = std::result::Result<u64, Errno>;

fn set_size(len: u64) -> std::result::Result<(), Errno> {
    if len == SET { Ok(()) } else { Err(Errno::EINVAL) }
}

/// rt_sigaction(2).
pub fn rt_sigaction<G: Isa>(t: &mut Thread<G>, [signal, new, old, len, ..]: [u64; 6]) -> Result {
    set_size(len)?;
    let signal = signal as i32;
    if !(1..=SIGNALS).contains(&signal) {
        return Err(Errno::EINVAL);
    }
    let before = if new == 0 {
        t.process.actions.get(signal)
    } else {
        if matches!(signal, libc::SIGKILL | libc::SIGSTOP) {
            return Err(Errno::EINVAL);
        }
        let action = read_action::<G>(t, new)?;
        t.process.actions.set(signal, action)?
    };
    if old != 0 {
        let words = [before.handler, before.flags, before.restorer, before.mask];
        if G::HAS_RESTORER {
            t.mem().write(old, &words)?;
        } else {
            t.mem().write(old, &[words[0], words[1], words[3]])?;
        }
    }
    Ok(0)
}

fn read_action<G: Isa>(t: &Thread<G>, va: u64) -> std::result::Result<Action, Errno> {
    let unblockable = bit(libc::SIGKILL) | bit(libc::SIGSTOP);
    Ok(if G::HAS_RESTORER {
        let [handler, flags, restorer, mask]: [u64; 4] = t.mem().read(va)?;
        // Without the flag the member may hold anything.
        let restorer = if flags & SA_RESTORER != 0 { restorer } else { 0 };
        Action { handler, flags, restorer, mask: mask & !unblockable }
    } else {
        let [handler, flags, mask] = t.mem().read(va)?;
        Action { handler, flags, restorer: 0, mask: mask & !unblockable }
    })
}

/// rt_sigprocmask(2).
pub fn rt_sigprocmask<G: Isa>(t: &mut Thread<G>, [how, new, old, len, ..]: [u64; 6]) -> Result {
    set_size(len)?;
    let before = t.signals.mask;
    if new != 0 {
        let set: u64 = t.mem().read(new)?;
        let mask = match how as i32 {
            libc::SIG_BLOCK => before | set,
            libc::SIG_UNBLOCK => before & !set,
            libc::SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        };
        t.set_signal_mask(mask);
    }
    if old != 0 {
        t.mem().write(old, &before)?;
    }
    Ok(0)
}

/// rt_sigpending(2).
pub fn rt_sigpending<G: Isa>(t: &mut Thread<G>, [set, len, ..]: [u64; 6]) -> Result {
    signals::syscall(libc::SYS_rt_sigpending, &[set, len, 0, 0, 0, 0])?;
    if len == SET && !t.signals.held.is_empty() {
        let held = t.signals.held.iter().fold(0, |set, held| set | bit(held.0));
        let pending: u64 = t.mem().read(set)?;
        t.mem().write(set, &(pending | held))?;
    }
    Ok(0)
}

/// rt_sigtimedwait(2).
pub fn rt_sigtimedwait<G: Isa>(t: &mut Thread<G>, args: [u64; 6]) -> Result {
    let [set, info, _, len, ..] = args;
    set_size(len)?;
    let wanted: u64 = t.mem().read(set)?;
    if let Some(at) = t.signals.held.iter().position(|h| bit(h.0) & wanted != 0) {
        let (signal, found) = t.signals.held.swap_remove(at);
        if info != 0 {
            t.mem().write(info, &found)?;
        }
        return Ok(signal as u64);
    }
    signals::syscall(libc::SYS_rt_sigtimedwait, &args)
}

/// rt_sigqueueinfo(2).
pub fn rt_sigqueueinfo<G: Isa>(_: &mut Thread<G>, args: [u64; 6]) -> Result {
    signals::syscall(libc::SYS_rt_sigqueueinfo, &args)
}

/// rt_tgsigqueueinfo(2).
pub fn rt_tgsigqueueinfo<G: Isa>(_: &mut Thread<G>, args: [u64; 6]) -> Result {
    signals::syscall(libc::SYS_rt_tgsigqueueinfo, &args)
}

/// rt_sigsuspend(2).
pub fn rt_sigsuspend<G: Isa>(t: &mut Thread<G>, [set, len, ..]: [u64; 6]) -> Result {
    set_size(len)?;
    let mask: u64 = t.mem().read(set)?;
    let wait = mask & !FAULTS;
    let args = [std::ptr::from_ref(&wait) as u64, SET, 0, 0, 0, 0];
    let result = signals::syscall(libc::SYS_rt_sigsuspend, &args);
    if result == Err(Errno::EINTR) {
        // The handler runs under this mask, and goes back to the one before.
        t.signals.waiting = Some(t.signals.mask);
        t.signals.mask = mask;
    }
    result
}

/// pause(2).
pub fn pause<G: Isa>(t: &mut Thread<G>, _: [u64; 6]) -> Result {
    let wait = t.signals.mask & !FAULTS;
    signals::syscall(libc::SYS_rt_sigsuspend, &[std::ptr::from_ref(&wait) as u64, SET, 0, 0, 0, 0])
}

/// rt_sigreturn(2).
pub fn rt_sigreturn<G: Isa>(t: &mut Thread<G>, _: [u64; 6]) -> Result {
    t.sigreturn();
    Err(Errno::NO_RESULT)
}

/// sigaltstack(2).
pub fn sigaltstack<G: Isa>(t: &mut Thread<G>, [new, old, ..]: [u64; 6]) -> Result {
    let sp = G::sp(t.state());
    let before = t.signals.stack;
    if new != 0 {
        let stack = Stack::read(t.mem(), new)?;
        if before.is_enabled() && before.holds(sp) {
            return Err(Errno::EPERM);
        }
        let mode = stack.flags & !SS_AUTODISARM;
        if !matches!(mode, 0 | SS_ONSTACK | SS_DISABLE) {
            return Err(Errno::EINVAL);
        }
        if mode != SS_DISABLE && stack.size < G::MIN_SIGNAL_STACK {
            return Err(Errno::ENOMEM);
        }
        t.signals.stack = stack.settled();
    }
    if old != 0 {
        let shown = Stack { flags: before.flags_at(sp), ..before };
        t.mem().write(old, &shown.words())?;
    }
    Ok(0)
}

/// signalfd(2).
pub fn signalfd<G: Isa>(t: &mut Thread<G>, [fd, set, len, ..]: [u64; 6]) -> Result {
    signalfd4(t, [fd, set, len, 0, 0, 0])
}

/// signalfd4(2).
pub fn signalfd4<G: Isa>(_: &mut Thread<G>, args: [u64; 6]) -> Result {
    signals::syscall(libc::SYS_signalfd4, &args)
}

/// kill(2).
pub fn kill<G: Isa>(_: &mut Thread<G>, args: [u64; 6]) -> Result {
    signals::syscall(libc::SYS_kill, &args)
}

/// tkill(2).
pub fn tkill<G: Isa>(_: &mut Thread<G>, args: [u64; 6]) -> Result {
    signals::syscall(libc::SYS_tkill, &args)
}

/// tgkill(2).
pub fn tgkill<G: Isa>(_: &mut Thread<G>, args: [u64; 6]) -> Result {
    signals::syscall(libc::SYS_tgkill, &args)
}

/// pidfd_send_signal(2).
pub fn pidfd_send_signal<G: Isa>(_: &mut Thread<G>, args: [u64; 6]) -> Result {
    signals::syscall(libc::SYS_pidfd_send_signal, &args)
}

/// restart_syscall(2): the host's kernel restarts its calls itself.
pub fn restart_syscall<G: Isa>(_: &mut Thread<G>, _: [u64; 6]) -> Result {
    Err(Errno::EINTR)
}

/// ppoll(2).
pub fn ppoll<G: Isa>(_: &mut Thread<G>, args: [u64; 6]) -> Result {
    signals::syscall(libc::SYS_ppoll, &args)
}

/// pselect6(2).
pub fn pselect6<G: Isa>(_: &mut Thread<G>, args: [u64; 6]) -> Result {
    signals::syscall(libc::SYS_pselect6, &args)
}

/// timer_create(2): timers and their notifications are the host's.
pub fn timer_create<G: Isa>(_: &mut Thread<G>, args: [u64; 6]) -> Result {
    signals::syscall(libc::SYS_timer_create, &args)
}
