//! The supervisor's firmware calls, answered by the engine itself, so that a kernel boots in
//! supervisor mode without firmware `[SBI-2.0]`.
//!
//! Base, TIME, IPI, RFENCE, HSM, SRST and DBCN; of the legacy calls the timer, the console and
//! shutdown. No guest hypervisors, hence no hfence calls. Everything that reaches beyond the
//! calling hart goes through [`SbiHost`].

use arch::riscv64::Hart;
use arch::riscv64::fields::*;
use arch::riscv64::state::{NO_RESERVATION, PRV_S};

#[cfg(test)]
mod tests;

/// What the calls need of the machine.
pub trait SbiHost {
    /// Harts are numbered from zero to this.
    fn hart_count(&self) -> u64;
    /// `stimecmp` of the calling hart was set: STIP is due when the board's time reaches it.
    fn set_timer(&mut self, hart: u64, deadline: u64);
    /// Raises SSIP on these harts.
    fn send_ipi(&mut self, harts: Harts);
    /// Carries out a fence on these harts before it returns, or at least before any of them
    /// executes another instruction that depends on it.
    fn remote_fence(&mut self, fence: RemoteFence, harts: Harts);
    /// Starts a stopped hart: it does [`start`] and runs.
    ///
    /// # Errors
    /// [`SbiError::AlreadyAvailable`] unless it is stopped, [`SbiError::InvalidAddress`] where no
    /// memory is.
    fn hart_start(&mut self, hart: u64, pc: u64, opaque: u64) -> Result<(), SbiError>;
    /// What a hart is doing.
    fn hart_status(&self, hart: u64) -> HartStatus;
    /// Writes guest memory to the console and returns how much was taken; `None` if that is not
    /// memory. At most [`CONSOLE_CHUNK`] bytes are asked for.
    fn console_write(&mut self, gpa: u64, len: u64) -> Option<u64>;
    /// Reads from the console into guest memory without waiting; otherwise as the write.
    fn console_read(&mut self, gpa: u64, len: u64) -> Option<u64>;
    /// Writes one byte to the console.
    fn console_write_byte(&mut self, byte: u8);
    /// Reads one byte from the console without waiting.
    fn console_read_byte(&mut self) -> Option<u8>;
}

/// The most that one console call transfers; callers go on with the rest.
pub const CONSOLE_CHUNK: u64 = 4096;

/// Harts that a call addresses `[SBI-2.0 §3.1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harts {
    /// All of them.
    All,
    /// Hart `base + n` for each bit `n`.
    Mask {
        /// Number of the hart that bit 0 means.
        base: u64,
        /// One bit per hart.
        bits: u64,
    },
}

impl Harts {
    /// Whether the hart is one of them.
    pub fn contains(self, hart: u64) -> bool {
        match self {
            Harts::All => true,
            Harts::Mask { base, bits } => {
                hart.checked_sub(base).is_some_and(|n| n < 64 && bits >> n & 1 != 0)
            }
        }
    }
}

/// What other harts are to forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteFence {
    /// `fence.i`.
    Instructions,
    /// `sfence.vma`.
    Translations {
        /// First virtual address and number of bytes; `None` for all.
        range: Option<(u64, u64)>,
        /// One address space; `None` for all, global mappings included.
        asid: Option<u64>,
    },
}

/// `[SBI-2.0 §9]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum HartStatus {
    /// Runs.
    Started = 0,
    /// Waits for [`SbiHost::hart_start`].
    Stopped = 1,
    /// Is about to run.
    StartPending = 2,
    /// Is about to stop.
    StopPending = 3,
    /// Waits for an interrupt.
    Suspended = 4,
}

/// `[SBI-2.0 §3]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum SbiError {
    Failed = -1,
    NotSupported = -2,
    InvalidParam = -3,
    Denied = -4,
    InvalidAddress = -5,
    AlreadyAvailable = -6,
    AlreadyStarted = -7,
    AlreadyStopped = -8,
}

/// How the machine is to be reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Power off.
    Shutdown,
    /// Power off and on.
    ColdReboot,
    /// Reset of all but memory.
    WarmReboot,
}

/// What the calling hart does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Goes on at `pc`.
    Return,
    /// Waits as in `wfi`, then goes on at `pc`.
    Wait,
    /// Stops until another hart starts it.
    Stop,
    /// The machine is reset.
    Reset {
        /// How.
        kind: Reset,
        /// The guest says that something is wrong with it.
        failure: bool,
    },
}

/// Our number among implementations; not a registered one.
const IMPLEMENTATION_ID: u64 = u64::from_be_bytes(*b"\0\0\0\0Plvs");
const IMPLEMENTATION_VERSION: u64 = 1;
const SPEC_VERSION: u64 = 2 << 24;

const EXT_LEGACY_SET_TIMER: u64 = 0x00;
const EXT_LEGACY_PUTCHAR: u64 = 0x01;
const EXT_LEGACY_GETCHAR: u64 = 0x02;
const EXT_LEGACY_SHUTDOWN: u64 = 0x08;
const EXT_BASE: u64 = 0x10;
const EXT_TIME: u64 = 0x5449_4d45;
const EXT_IPI: u64 = 0x0073_5049;
const EXT_RFENCE: u64 = 0x5246_4e43;
const EXT_HSM: u64 = 0x0048_534d;
const EXT_SRST: u64 = 0x5352_5354;
const EXT_DBCN: u64 = 0x4442_434e;

/// The answer to a call: the value in a1 and what to do then.
type Answer = Result<(u64, Outcome), SbiError>;

const DONE: Answer = Ok((0, Outcome::Return));

/// Answers the `ecall` at `pc` in supervisor mode: sets a0, a1 and `pc`.
pub fn ecall(h: &mut Hart, host: &mut dyn SbiHost) -> Outcome {
    const A0: usize = 10;
    let args: [u64; 6] = std::array::from_fn(|n| h.x[A0 + n]);
    let (fid, eid) = (h.x[16], h.x[17]);
    h.pc = h.pc.wrapping_add(4);
    if let Some((a0, outcome)) = legacy(h, host, eid, args[0]) {
        h.x[A0] = a0;
        return outcome;
    }
    let answer = match eid {
        EXT_BASE => base(fid, args[0]),
        EXT_TIME if fid == 0 => set_timer(h, host, args[0]),
        EXT_IPI if fid == 0 => harts(host, args[0], args[1]).and_then(|harts| {
            host.send_ipi(harts);
            DONE
        }),
        EXT_RFENCE => remote_fence(host, fid, args),
        EXT_HSM => return hart_state(h, host, fid, args),
        EXT_SRST if fid == 0 => system_reset(args[0], args[1]),
        EXT_DBCN => console(host, fid, args),
        _ => Err(SbiError::NotSupported),
    };
    finish(h, answer)
}

/// Puts an answer into the registers.
fn finish(h: &mut Hart, answer: Answer) -> Outcome {
    let (error, value, outcome) = match answer {
        Ok((value, outcome)) => (0, value, outcome),
        Err(error) => (error as i64 as u64, 0, Outcome::Return),
    };
    h.x[10] = error;
    h.x[11] = value;
    outcome
}

/// Registers of a hart that starts or resumes in supervisor mode `[SBI-2.0 §9.1]`.
pub fn start(h: &mut Hart, pc: u64, opaque: u64) {
    h.prv = PRV_S;
    h.pc = pc;
    h.satp = 0;
    h.mstatus &= !MSTATUS_SIE;
    h.resv_addr = NO_RESERVATION;
    h.x[10] = h.mhartid;
    h.x[11] = opaque;
}

/// `[SBI-2.0 §5]`: one result, in a0; a1 stays. `None` if the call is none of these.
fn legacy(h: &mut Hart, host: &mut dyn SbiHost, eid: u64, arg: u64) -> Option<(u64, Outcome)> {
    let outcome = match eid {
        EXT_LEGACY_SET_TIMER => {
            arm(h, host, arg);
            Outcome::Return
        }
        EXT_LEGACY_PUTCHAR => {
            host.console_write_byte(arg as u8);
            Outcome::Return
        }
        EXT_LEGACY_GETCHAR => {
            let byte = host.console_read_byte().map_or(u64::MAX, u64::from);
            return Some((byte, Outcome::Return));
        }
        EXT_LEGACY_SHUTDOWN => Outcome::Reset { kind: Reset::Shutdown, failure: false },
        _ => return None,
    };
    Some((0, outcome))
}

/// `[SBI-2.0 §4]`
fn base(fid: u64, arg: u64) -> Answer {
    let value = match fid {
        0 => SPEC_VERSION,
        1 => IMPLEMENTATION_ID,
        2 => IMPLEMENTATION_VERSION,
        3 => u64::from(matches!(
            arg,
            EXT_LEGACY_SET_TIMER
                | EXT_LEGACY_PUTCHAR
                | EXT_LEGACY_GETCHAR
                | EXT_LEGACY_SHUTDOWN
                | EXT_BASE
                | EXT_TIME
                | EXT_IPI
                | EXT_RFENCE
                | EXT_HSM
                | EXT_SRST
                | EXT_DBCN
        )),
        // mvendorid, marchid, mimpid.
        4..=6 => 0,
        _ => return Err(SbiError::NotSupported),
    };
    Ok((value, Outcome::Return))
}

/// `[SBI-2.0 §6]`
fn set_timer(h: &mut Hart, host: &mut dyn SbiHost, deadline: u64) -> Answer {
    arm(h, host, deadline);
    DONE
}

/// The timer has one comparator, that of Sstc, whether the guest may see it or not.
fn arm(h: &mut Hart, host: &mut dyn SbiHost, deadline: u64) {
    h.stimecmp = deadline;
    h.set_irq_lines(h.mip_lines & !IRQ_STI);
    host.set_timer(h.mhartid, deadline);
}

/// The harts that `mask` and `base` name, all of which must exist.
fn harts(host: &dyn SbiHost, mask: u64, base: u64) -> Result<Harts, SbiError> {
    if base == u64::MAX {
        return Ok(Harts::All);
    }
    let last = base.checked_add(63 - u64::from(mask.leading_zeros().min(63)));
    if mask != 0 && last.is_none_or(|last| last >= host.hart_count()) {
        return Err(SbiError::InvalidParam);
    }
    Ok(Harts::Mask { base, bits: mask })
}

/// `[SBI-2.0 §8]`
fn remote_fence(host: &mut dyn SbiHost, fid: u64, args: [u64; 6]) -> Answer {
    let [mask, base, start, size, asid, _] = args;
    let asid = match fid {
        0 | 1 => None,
        2 => Some(asid),
        _ => return Err(SbiError::NotSupported),
    };
    let harts = harts(host, mask, base)?;
    let fence = if fid == 0 {
        RemoteFence::Instructions
    } else {
        let all = start == 0 && size == 0 || size == u64::MAX;
        if !all && start.checked_add(size).is_none() {
            return Err(SbiError::InvalidAddress);
        }
        RemoteFence::Translations { range: (!all).then_some((start, size)), asid }
    };
    host.remote_fence(fence, harts);
    DONE
}

/// `[SBI-2.0 §9]`. On its own because a hart that resumes elsewhere gets no answer.
fn hart_state(h: &mut Hart, host: &mut dyn SbiHost, fid: u64, args: [u64; 6]) -> Outcome {
    let [hart, pc, opaque, ..] = args;
    let exists = hart < host.hart_count();
    let answer = match fid {
        0 if exists => host.hart_start(hart, pc, opaque).and(DONE),
        1 => Ok((0, Outcome::Stop)),
        2 if exists => Ok((host.hart_status(hart) as u64, Outcome::Return)),
        0 | 2 => Err(SbiError::InvalidParam),
        3 => match hart {
            // The default suspend types: registers kept, and registers lost.
            0 => Ok((0, Outcome::Wait)),
            0x8000_0000 => {
                start(h, pc, opaque);
                return Outcome::Wait;
            }
            _ => Err(SbiError::InvalidParam),
        },
        _ => Err(SbiError::NotSupported),
    };
    finish(h, answer)
}

/// `[SBI-2.0 §10]`
fn system_reset(kind: u64, reason: u64) -> Answer {
    let kind = match kind {
        0 => Reset::Shutdown,
        1 => Reset::ColdReboot,
        2 => Reset::WarmReboot,
        _ => return Err(SbiError::InvalidParam),
    };
    // Above the standard reasons, two ranges are an implementation's and a vendor's to define.
    if (2..0xe000_0000).contains(&reason) || reason > 0xffff_ffff {
        return Err(SbiError::InvalidParam);
    }
    Ok((0, Outcome::Reset { kind, failure: reason == 1 }))
}

/// `[SBI-2.0 §12]`
fn console(host: &mut dyn SbiHost, fid: u64, args: [u64; 6]) -> Answer {
    let [first, low, high, ..] = args;
    let chunk = first.min(CONSOLE_CHUNK);
    let done = match fid {
        0 | 1 if high != 0 => None,
        0 => host.console_write(low, chunk),
        1 => host.console_read(low, chunk),
        2 => {
            host.console_write_byte(first as u8);
            Some(0)
        }
        _ => return Err(SbiError::NotSupported),
    };
    done.map(|count| (count, Outcome::Return)).ok_or(SbiError::InvalidParam)
}
