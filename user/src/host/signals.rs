//! Signals of the host. Handlers do nothing but note what came: one signal per thread at a time,
//! for they leave all signals blocked until the thread has taken that one. Everything that is
//! pending stays in the host's kernel, which keeps order, queues and masks as the guest knows
//! them, because the guest's mask is the thread's.
#![expect(unsafe_code, reason = "installs signal handlers and makes system calls")]

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering::*};

use tcg::CodeRange;
use tcg::context::Interrupted;
use tcg::vcpu::request;

use crate::Errno;

/// struct siginfo, the same on all 64-bit architectures.
pub(crate) type Info = [u64; 16];

/// Signals that the host raises for accesses: they are never blocked there.
pub(crate) const FAULTS: u64 = bit(libc::SIGSEGV) | bit(libc::SIGBUS);

/// The bit of a signal in a mask.
pub(crate) const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// What came for a thread.
struct Inbox {
    /// Not zero: there is something. Looked at by system calls that block.
    flag: AtomicU32,
    signal: AtomicI32,
    info: UnsafeCell<Info>,
    /// SIGSEGV and SIGBUS that were sent while another signal was there, as bits.
    late: AtomicU64,
    /// The request word of the thread's vCPU; null in threads that are none of the guest's.
    request: Cell<*const AtomicU32>,
}

thread_local! {
    static INBOX: Inbox = const {
        Inbox {
            flag: AtomicU32::new(0),
            signal: AtomicI32::new(0),
            info: UnsafeCell::new([0; 16]),
            late: AtomicU64::new(0),
            request: Cell::new(null()),
        }
    };
}

/// Where faults of guest accesses come from.
static CODE: OnceLock<CodeRange> = OnceLock::new();
/// What the handlers return to, as the C library has it.
static RESTORER: AtomicUsize = AtomicUsize::new(0);

/// What the kernel takes for sigaction(2) on x86-64.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct KernelAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// What the host does when a signal comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// What the kernel does by default.
    Default,
    /// Nothing.
    Ignore,
    /// Notes it for the guest; with the flags SA_RESTART, SA_NOCLDSTOP and SA_NOCLDWAIT of this.
    Catch(u64),
}

const KEPT_FLAGS: u64 = (libc::SA_RESTART | libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT) as u64;
const SA_RESTORER: u64 = 0x0400_0000;

/// Answers faults of guest accesses from now on.
pub(crate) fn install(code: CodeRange) -> Result<(), Errno> {
    // The first machine of a process is its only one.
    let _ = CODE.set(code);
    // SAFETY: an all-zero sigaction is valid; the handler has the signature that SA_SIGINFO asks
    // for, and touches nothing but what is made for it.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = faulted as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigfillset(&mut action.sa_mask);
        libc::sigdelset(&mut action.sa_mask, libc::SIGSEGV);
        libc::sigdelset(&mut action.sa_mask, libc::SIGBUS);
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            if libc::sigaction(signal, &action, null_mut()) < 0 {
                return Err(Errno::last());
            }
        }
    }
    RESTORER.store(action(libc::SIGSEGV)?.restorer, Relaxed);
    Ok(())
}

fn action(signal: i32) -> Result<KernelAction, Errno> {
    let mut old = KernelAction::default();
    // SAFETY: `old` is what the kernel writes for this call.
    let done = unsafe {
        libc::syscall(libc::SYS_rt_sigaction, signal, null::<KernelAction>(), &mut old, 8)
    };
    if done < 0 { Err(Errno::last()) } else { Ok(old) }
}

/// Whether the host ignores a signal.
pub(crate) fn is_ignored(signal: i32) -> bool {
    action(signal).is_ok_and(|a| a.handler == libc::SIG_IGN)
}

/// Sets what the host does when a signal comes. Faults are always caught.
pub(crate) fn set_disposition(signal: i32, what: Disposition) -> Result<(), Errno> {
    if bit(signal) & FAULTS != 0 {
        return Ok(());
    }
    let new = match what {
        Disposition::Default => KernelAction { handler: libc::SIG_DFL, ..Default::default() },
        Disposition::Ignore => KernelAction { handler: libc::SIG_IGN, ..Default::default() },
        Disposition::Catch(flags) => KernelAction {
            handler: caught as *const () as usize,
            flags: flags & KEPT_FLAGS | libc::SA_SIGINFO as u64 | SA_RESTORER,
            restorer: RESTORER.load(Relaxed),
            mask: !FAULTS,
        },
    };
    // By the kernel's own call: the C library keeps two signals for itself that belong to the
    // guest here.
    // SAFETY: `new` is what the kernel reads; the handler is as in `install`.
    let done = unsafe {
        libc::syscall(libc::SYS_rt_sigaction, signal, &new, null_mut::<KernelAction>(), 8)
    };
    if done < 0 { Err(Errno::last()) } else { Ok(()) }
}

/// Signals come to this thread from now on. `request` is the word of its vCPU and stays where it
/// is until [`detach`].
pub(crate) fn attach(request: &AtomicU32) {
    INBOX.with(|inbox| inbox.request.set(request));
}

/// The thread has no vCPU any more.
pub(crate) fn detach() {
    INBOX.with(|inbox| inbox.request.set(null()));
}

/// Whether a signal has come for this thread.
pub(crate) fn is_pending() -> bool {
    INBOX.with(|inbox| inbox.flag.load(Relaxed) != 0)
}

/// Takes the signal that has come. All signals are blocked then, until [`set_mask`].
pub(crate) fn take() -> Option<(i32, Info)> {
    INBOX.with(|inbox| {
        if inbox.flag.load(Acquire) == 0 {
            return None;
        }
        // SAFETY: the handler writes it only while signals are not blocked, and it left them
        // blocked; it ran on this thread.
        let info = unsafe { *inbox.info.get() };
        let signal = inbox.signal.load(Relaxed);
        let late = inbox.late.swap(0, Relaxed);
        if late != 0 {
            // These are noted without who sent them.
            let next = late.trailing_zeros() as i32 + 1;
            inbox.late.fetch_or(late & (late - 1), Relaxed);
            // SAFETY: as above; signals are still blocked.
            unsafe {
                *inbox.info.get() = [next as u64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            };
            inbox.signal.store(next, Relaxed);
        } else {
            inbox.flag.store(0, Release);
        }
        Some((signal, info))
    })
}

/// With all signals blocked: what has come was for another process that ran as this thread.
pub(crate) fn forget() {
    INBOX.with(|inbox| {
        inbox.late.store(0, Relaxed);
        inbox.flag.store(0, Relaxed);
    });
}

/// Makes a system call of the host. Where it may block, a signal ends it; the error is
/// [`Errno::RESTART`] if it was not begun.
pub(crate) fn syscall(number: i64, args: &[u64; 6]) -> Result<u64, Errno> {
    let result = INBOX.with(|inbox| {
        // SAFETY: a guest may ask for any call, as any program may: what the kernel then reads and
        // writes is the guest's doing. Our own callers name memory that they own.
        unsafe { tcg::syscall::syscall(&inbox.flag, number, args) }
    });
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as u64) }
}

/// Sets the mask of this thread on the host; gives the one before.
pub(crate) fn set_mask(mask: u64) -> u64 {
    let new = mask & !FAULTS;
    let mut old = 0u64;
    // SAFETY: both are sets of 8 bytes, which is what the call is told.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &new, &mut old, 8);
    }
    old
}

/// Blocks all signals of this thread, faults too: none of its accesses may fault until the next
/// [`set_mask`].
pub(crate) fn block_all() {
    let all = u64::MAX;
    // SAFETY: as in `set_mask`; no old mask is asked for.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &all, null_mut::<u64>(), 8);
    }
}

/// Dies of a signal whose default is to end the process.
pub(crate) fn die(signal: i32) -> ! {
    let default = KernelAction { handler: libc::SIG_DFL, ..Default::default() };
    // SAFETY: plain calls on this process; `default` is what the kernel reads.
    unsafe {
        libc::syscall(libc::SYS_rt_sigaction, signal, &default, null_mut::<KernelAction>(), 8);
        let none = !bit(signal);
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &none, null_mut::<u64>(), 8);
        libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal);
        libc::_exit(128 + signal)
    }
}

/// Does what a signal does by default where that is to stop: by having the host do it.
pub(crate) fn stop(signal: i32) {
    let default = KernelAction { handler: libc::SIG_DFL, ..Default::default() };
    // SAFETY: as in `die`; afterwards signals are blocked again as they were.
    unsafe {
        let mut old = KernelAction::default();
        libc::syscall(libc::SYS_rt_sigaction, signal, &default, &mut old, 8);
        let (only, mut before) = (!bit(signal), 0u64);
        libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal);
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &only, &mut before, 8);
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &before, null_mut::<u64>(), 8);
        libc::syscall(libc::SYS_rt_sigaction, signal, &old, null_mut::<KernelAction>(), 8);
    }
}

/// Handler of SIGSEGV and SIGBUS.
extern "C" fn faulted(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid info.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as u64) };
    if code <= 0 {
        // Sent by somebody, not raised.
        return caught(signal, info, context);
    }
    // SAFETY: this handler is running, and the context is used by nobody else.
    let mut interrupted = unsafe { Interrupted::new(context) };
    let guests = CODE.get().is_some_and(|range| interrupted.catch(range, signal, code, address));
    if !guests {
        // Our own mistake: dies of it when the instruction is tried again.
        let default = KernelAction { handler: libc::SIG_DFL, ..Default::default() };
        // SAFETY: `default` is what the kernel reads.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, &default, null_mut::<KernelAction>(), 8);
        }
    }
}

/// Handler of every other signal that the guest catches.
extern "C" fn caught(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: this handler is running, and the context is used by nobody else.
    let mut interrupted = unsafe { Interrupted::new(context) };
    interrupted.set_blocked(!FAULTS);
    INBOX.with(|inbox| {
        let request_word = inbox.request.get();
        if inbox.flag.load(Relaxed) != 0 {
            // Only faults are not blocked, and somebody sent one.
            inbox.late.fetch_or(bit(signal), Relaxed);
            return;
        }
        if request_word.is_null() {
            // A thread without a vCPU: another one gets it.
            // SAFETY: the info is the kernel's own, for a signal to this process.
            unsafe {
                libc::syscall(libc::SYS_rt_sigqueueinfo, libc::getpid(), signal, info);
            }
            return;
        }
        // SAFETY: the kernel passes a valid info of 128 bytes; the inbox is empty, so nobody reads
        // it, and the word is valid until `detach`.
        unsafe {
            *inbox.info.get() = info.cast::<Info>().read_unaligned();
            inbox.signal.store(signal, Relaxed);
            inbox.flag.store(1, Release);
            (*request_word).fetch_or(request::KICK, SeqCst);
        }
        interrupted.restart_syscall(CODE.get());
    });
}
