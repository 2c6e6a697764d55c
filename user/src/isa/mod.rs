//! What Linux programs of an architecture expect of the kernel, where architectures differ.

mod aarch64;
pub mod abi;
mod hwprobe;
mod riscv64;
pub(crate) mod x86_64;

use tcg::guest::Guest;

use crate::signal::Frames;
use crate::{Errno, Options};

/// The registers that system calls and signals use.
pub trait Isa: Guest + Frames {
    /// What Linux shows to its programs.
    const ABI: &'static abi::Abi;

    /// The processor's capabilities: AT_HWCAP and AT_HWCAP2.
    fn hwcap(options: &Options) -> [u64; 2];
    /// `/proc/cpuinfo`.
    fn cpuinfo(options: &Options) -> String;
    /// What riscv_hwprobe says of a key; `None` for keys that are not known.
    fn hwprobe(_options: &Options, _key: u64) -> Option<u64> {
        None
    }
    /// arch_prctl(2) of x86-64: sets something, or gives what is to be stored at `address`.
    fn arch_prctl(
        _state: &mut Self::State,
        _code: i32,
        _address: u64,
    ) -> Result<Option<u64>, Errno> {
        Err(Errno::ENOSYS)
    }

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

/// Processors that programs see: those that they may run on.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
