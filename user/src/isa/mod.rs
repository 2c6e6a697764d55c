//! What Linux programs of an architecture expect of the kernel, where architectures differ.

mod riscv64;

use tcg::guest::Guest;

use crate::signal::Frames;

/// The registers that system calls and signals use.
pub trait Isa: Guest + Frames {
    /// `e_machine` of its ELF files.
    const ELF_MACHINE: u16;
    /// `machine` of uname(2).
    const UNAME: &'static str;

    /// The program counter.
    fn pc(state: &Self::State) -> u64;
    /// Sets the program counter.
    fn set_pc(state: &mut Self::State, pc: u64);
    /// The stack pointer.
    fn sp(state: &Self::State) -> u64;
    /// Sets the stack pointer.
    fn set_sp(state: &mut Self::State, sp: u64);
    /// Sets the thread pointer.
    fn set_tp(state: &mut Self::State, tp: u64);
    /// The number of the system call that is being made.
    fn syscall(state: &Self::State) -> u64;
    /// Its arguments.
    fn args(state: &Self::State) -> [u64; 6];
    /// Sets what it returns: a value, or a negated [`crate::Errno`].
    fn set_result(state: &mut Self::State, result: u64);
    /// The registers as a new program finds them, at its entry.
    fn start(entry: u64, sp: u64) -> Self::State;
}
