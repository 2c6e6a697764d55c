//! What the engine asks of a guest architecture.
//!
//! A guest is tables (`crate::isa`), semantics over [`Builder`], and the system part here: how an
//! address is translated, how an exception is entered, what keys translated code.

use std::fmt;

use arch::state::Arch;

use crate::builder::{At, Builder, Fmt, FpOp, Lowered, Rm};
use crate::softfloat::NanRule;
use crate::vcpu::Core;

pub mod aarch64;
pub(crate) mod fp;
mod reserve;
pub mod riscv64;
pub mod x86_64;

/// Why memory is accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Instruction fetch.
    Fetch,
    /// Data load.
    Load,
    /// Data store, or the store of a read-modify-write.
    Store,
}

/// One page of a translation, as the guest's page walk gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Guest-physical address of the accessed byte.
    pub gpa: u64,
    /// The access may be repeated anywhere in this 4 KiB page without asking again.
    pub cacheable: bool,
    /// Stores are allowed as well (the page is already dirty).
    pub writable: bool,
    /// Loads are allowed as well.
    pub readable: bool,
    /// Log2 of the guest's page size: a fence for one address of it must reach all of it.
    pub page_bits: u8,
    /// The mapping is the same in all address spaces.
    pub global: bool,
}

/// A register file inside the CPU state.
#[derive(Clone, Copy, Debug)]
pub struct RegFile {
    /// Byte offset of register 0 in the state.
    pub offset: usize,
    /// Bytes from one register to the next.
    pub stride: usize,
    /// Number of registers.
    pub count: usize,
    /// The registers that code keeps in host registers always, hottest first. A host takes as
    /// many as it has places for.
    pub pins: &'static [u8],
}

/// How translated code of a mode rounds when an instruction asks for the dynamic mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FpMode {
    /// To nearest, ties to even.
    Nearest,
    /// In another way that hosts have.
    Host,
    /// In a way that only software has.
    Soft,
}

/// What a helper may touch of the CPU state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touches {
    /// Fields other than the register files.
    Fields,
    /// The register files and the program counter too.
    Registers,
    /// The same: it moves or fills memory, which the host may have an instruction for.
    Bulk(Bulk),
    /// The same, and the instruction ends with the call: it raises an exception, or has set the
    /// program counter ([`Flow::Dispatch`](crate::builder::Flow)).
    Leaves,
    /// The same, and the exception is a system call. In user mode translated code makes those of the
    /// host's kernel itself that are passed on as they are ([`Guest::SYSCALL`]).
    Asks,
}

/// Elements of `1 << size` bytes that are moved or filled one after the other, with the registers of
/// [`Guest::BULK`], as the host's REP MOVS and REP STOS do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bulk {
    /// They are moved.
    pub moves: bool,
    /// Log2 of their size.
    pub size: u8,
}

/// The registers of a [`Bulk`], which say what is left at any time.
#[derive(Clone, Copy, Debug)]
pub struct BulkRegisters {
    /// How many elements are left.
    pub count: u8,
    /// Where the next one comes from.
    pub from: u8,
    /// Where it goes.
    pub to: u8,
    /// What memory is filled with.
    pub value: u8,
    /// The field that is not zero if addresses go down.
    pub down: usize,
}

/// Where a program leaves a system call for its kernel.
#[derive(Clone, Copy, Debug)]
pub struct Syscall {
    /// The register with its number.
    pub number: u8,
    /// The registers with its arguments.
    pub args: [u8; 6],
    /// The register that gets the result; a small negative number is an error.
    pub result: u8,
    /// Bytes of the instruction.
    pub bytes: u8,
}

/// The function of a helper: up to three arguments, a result or an exception.
pub type Routine<G> = fn(&mut Core<G>, [u64; 3]) -> Result<u64, <G as Guest>::Exception>;

/// Plain Rust that an instruction calls.
pub struct Helper<G: Guest> {
    /// For listings.
    pub name: &'static str,
    /// What it may touch.
    pub touches: Touches,
    /// What it does.
    pub run: Routine<G>,
}

/// What decoding gave.
pub enum Decoded<I> {
    /// An instruction and its length in bytes.
    Insn(I, u8),
    /// More bytes are needed than were given.
    Short,
    /// No instruction; its bytes, and their number.
    Undefined(u64, u8),
}

/// What to do after looking at a vCPU's pending work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// Nothing: go on.
    None,
    /// The state was changed: an interrupt was entered.
    Entered,
}

/// Whether an instruction has to do with the exclusive monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Monitored {
    /// It has not.
    No,
    /// A load-reserved.
    Load,
    /// A store-conditional.
    Store,
}

/// A guest architecture that the engine runs.
pub trait Guest: Arch {
    /// A decoded instruction.
    type Insn: Copy + Send + Sync + fmt::Display + 'static;
    /// A synchronous exception.
    type Exception: Copy + fmt::Debug + PartialEq + Send + 'static;
    /// State of a vCPU that is not architectural (a halt flag, say); reset with the vCPU.
    type Local: Default + Send;
    /// State shared by the vCPUs of a machine (firmware services, say).
    type Shared: Default + Send + Sync;
    /// A request that one vCPU sends to others (a remote TLB fence, say).
    type Remote: Clone + Send + 'static;

    /// The integer registers.
    const INT: RegFile;
    /// The floating-point and vector registers.
    const FP: RegFile;
    /// Byte offset of the program counter in the state.
    const PC: usize;
    /// Byte offset of the field that holds the arithmetic flags ([`crate::ops::flags`]); unused
    /// by guests without flags.
    const FLAGS: usize;
    /// Instructions start at multiples of this.
    const INSN_ALIGN: u64;
    /// Bytes of the longest instruction.
    const INSN_MAX: usize;
    /// Atomic accesses need not be aligned. In user mode they are then done as the host does them;
    /// otherwise they are refused all the same.
    const SPLIT_ATOMICS: bool = false;
    /// Registers hold singles NaN-boxed in doubles.
    const NAN_BOXED: bool;
    /// What a place holds until an instruction is decoded into it.
    const PLACEHOLDER: Self::Insn;
    /// The registers of instructions that move or fill memory, if there are any.
    const BULK: Option<BulkRegisters> = None;
    /// What system calls look like under Linux.
    const SYSCALL: Syscall;

    /// The bits of the state that translated code depends on, besides the program counter and
    /// the mapping.
    fn mode(state: &Self::State) -> u32;
    /// Decodes the instruction at the start of `bytes` to its place.
    fn decode_into(bytes: &[u8], mode: u32, insn: &mut Self::Insn) -> Decoded<()>;
    /// The same for one that is of use for a moment.
    fn decode(bytes: &[u8], mode: u32) -> Decoded<Self::Insn> {
        let mut insn = Self::PLACEHOLDER;
        match Self::decode_into(bytes, mode, &mut insn) {
            Decoded::Insn((), len) => Decoded::Insn(insn, len),
            Decoded::Short => Decoded::Short,
            Decoded::Undefined(bits, len) => Decoded::Undefined(bits, len),
        }
    }
    /// A block ends behind this instruction: control never, or seldom, goes on to the next.
    fn ends_block(insn: &Self::Insn) -> bool;
    /// Whether it is a load-reserved or a store-conditional.
    fn monitored(_insn: &Self::Insn) -> Monitored {
        Monitored::No
    }
    /// Whether three instructions keep the sticky floating-point flags in a register, compare two
    /// numbers, and restore the flags: what the comparison raises is not seen.
    fn compares_quietly(_insns: [Self::Insn; 3], _mode: u32) -> bool {
        false
    }
    /// Describes an instruction.
    fn lower<B: Builder<Self>>(b: &mut B, at: At, insn: Self::Insn, mode: u32) -> Lowered<Self, B>;
    /// The exception of an undefined instruction.
    fn undefined(bits: u64) -> Self::Exception;

    /// Identifies the address space and privilege that data accesses use: equal values translate
    /// equally as long as no fence is executed.
    fn data_space(state: &Self::State) -> u64;
    /// The same for instruction fetches.
    fn fetch_space(state: &Self::State) -> u64;
    /// The address space whose mappings that are not global are seen. Spaces may be shared by
    /// several owners: what is not global is forgotten there when the owner changes.
    fn owner(_state: &Self::State) -> u64 {
        0
    }
    /// Whether several owners use the space. Guests that do not share spaces leave both as they
    /// are.
    fn is_shared(_space: u64) -> bool {
        false
    }
    /// Translates an address for the current state.
    fn translate(
        core: &mut Core<Self>,
        va: u64,
        access: Access,
    ) -> Result<Mapping, Self::Exception>;
    /// The exception of an access that no memory answers.
    fn bus_error(va: u64, access: Access) -> Self::Exception;
    /// The exception of a misaligned atomic access.
    fn misaligned(va: u64, access: Access) -> Self::Exception;
    /// Enters a synchronous exception raised by the instruction at the current program counter.
    fn deliver(core: &mut Core<Self>, e: Self::Exception);
    /// Takes over interrupt lines into the state, and timers if something was `signalled`; enters
    /// an interrupt if one is pending and enabled.
    fn interrupt(core: &mut Core<Self>, signalled: bool) -> Pending;
    /// Carries out what another vCPU asked for.
    fn remote(core: &mut Core<Self>, request: Self::Remote);
    /// The vCPU stands still until another one starts it.
    fn park(core: &mut Core<Self>);
    /// Its registers were replaced from outside: sets up what hangs on them beside spaces and
    /// mode (timers).
    fn adopt(_core: &mut Core<Self>) {}
    /// Whether it stands still until another one starts it.
    fn parked(core: &Core<Self>) -> bool;
    /// The vCPU has nothing to do until a request is raised.
    fn halted(core: &mut Core<Self>) -> bool;

    /// The dynamic rounding mode: 0 nearest even, 1 down, 2 up, 3 toward zero (as x86 and this
    /// engine number them), or `None` if only software has it; [`Guest::mode`] tells those apart.
    fn fp_rounding(state: &Self::State) -> Option<u8>;
    /// Whether subnormal results and operands are taken as zeros: the bits of MXCSR for it.
    fn fp_flushing(_state: &Self::State) -> u32 {
        0
    }
    /// How instructions of this mode round dynamically.
    fn fp_mode(mode: u32) -> FpMode;
    /// A rounding mode named in an instruction, numbered as in [`Guest::fp_rounding`].
    fn fp_static(rm: u8) -> Option<u8>;
    /// Which NaN instructions of this mode give.
    fn fp_nan(_mode: u32) -> NanRule {
        NanRule::Canonical
    }
    /// Raises sticky flags, in the order of the SSE unit: bit 0 invalid, 1 denormal, 2 divide by
    /// zero, 3 overflow, 4 underflow, 5 inexact.
    fn fp_raise(state: &mut Self::State, flags: u8);
    /// Executes a floating-point operation in software on raw values of `fmt` and raises the
    /// sticky flags in `state`.
    fn fp(state: &mut Self::State, op: FpOp, fmt: Fmt, rm: Rm, args: [u64; 3]) -> u64;
}
