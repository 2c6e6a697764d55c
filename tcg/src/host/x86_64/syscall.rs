//! System calls of the host that a signal may not slip past.
//!
//! A signal that arrives before a blocking call begins would be noticed only when the call ends.
//! So the call is made between two labels behind a look at a flag: a handler sets the flag, and
//! if it interrupted the thread between the labels it sends it to `polyvisor_syscall_restart`,
//! where the call was not made. The kernel itself goes back to the `syscall` instruction when it
//! restarts a call behind a handler; that is between the labels too.
#![expect(unsafe_code, reason = "makes system calls of the host that a guest asked for")]

use std::arch::global_asm;
use std::sync::atomic::AtomicU32;

global_asm!(
    ".pushsection .text.polyvisor_syscall,\"ax\",@progbits",
    ".balign 16",
    ".hidden polyvisor_syscall",
    ".globl polyvisor_syscall",
    // rdi the flag, rsi the number, rdx the six arguments.
    "polyvisor_syscall:",
    "mov rax, rsi",
    "mov rcx, rdi",
    "mov r11, rdx",
    "mov rdi, qword ptr [r11]",
    "mov rsi, qword ptr [r11 + 8]",
    "mov rdx, qword ptr [r11 + 16]",
    "mov r10, qword ptr [r11 + 24]",
    "mov r8, qword ptr [r11 + 32]",
    "mov r9, qword ptr [r11 + 40]",
    ".hidden polyvisor_syscall_start",
    ".globl polyvisor_syscall_start",
    "polyvisor_syscall_start:",
    "cmp dword ptr [rcx], 0",
    "jne polyvisor_syscall_restart",
    "syscall",
    ".hidden polyvisor_syscall_end",
    ".globl polyvisor_syscall_end",
    "polyvisor_syscall_end:",
    "ret",
    ".hidden polyvisor_syscall_restart",
    ".globl polyvisor_syscall_restart",
    "polyvisor_syscall_restart:",
    "mov rax, -{restart}",
    "ret",
    ".popsection",
    restart = const RESTART,
);

// SAFETY: the functions of these names are above, the first with this signature.
unsafe extern "sysv64" {
    fn polyvisor_syscall(flag: *const AtomicU32, number: u64, args: *const [u64; 6]) -> i64;
    fn polyvisor_syscall_start();
    fn polyvisor_syscall_end();
    fn polyvisor_syscall_restart();
}

/// The error of a call that was not made: Linux's ERESTARTSYS, which programs never see.
pub const RESTART: i32 = 512;

/// Makes a system call unless `flag` is set; gives what the kernel returned, or -[`RESTART`].
///
/// # Safety
/// The call must not harm this program's own memory.
pub unsafe fn syscall(flag: &AtomicU32, number: i64, args: &[u64; 6]) -> i64 {
    // SAFETY: the pointers are valid during the call; what it does is the caller's promise.
    unsafe { polyvisor_syscall(flag, number as u64, args) }
}

/// Makes a system call, flag or not; gives what the kernel returned.
///
/// # Safety
/// The call must not harm this program's own memory.
pub unsafe fn plain(number: i64, args: &[u64; 6]) -> i64 {
    let [a, b, c, d, e, f] = *args;
    let result;
    // SAFETY: the kernel's convention: it keeps all registers but rax, rcx and r11. What the call
    // does is the caller's promise.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Where a thread goes on that a handler found at `pc` on the way into such a call.
pub(super) fn restart(pc: u64) -> Option<u64> {
    let (start, end) =
        (polyvisor_syscall_start as *const () as u64, polyvisor_syscall_end as *const () as u64);
    (start..end).contains(&pc).then_some(polyvisor_syscall_restart as *const () as u64)
}
