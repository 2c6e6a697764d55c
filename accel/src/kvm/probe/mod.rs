//! Whether this KVM is worth using.
//!
//! Some hosts offer a KVM that interprets what guests do in kernel mode, instruction by
//! instruction: stock kernels take minutes where the software CPU takes seconds, or stop at an
//! instruction that the interpreter lacks. A tiny guest finds out. It runs a counted loop, three
//! times shortly and four times for longer, then a few instructions that every stock kernel executes
//! early, and stores a [`mark`] after each part, and twice at the start, which tells what storing
//! a mark costs. The thread that runs it goes on to take its
//! machine down, which takes KVM some milliseconds, while the caller has its answer.
//!
//! Where nothing depends on the answer but an error, the guest runs `inside` the machine that is
//! about to start, which saves a machine of its own.

mod inside;
mod memory;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

pub(super) use self::inside::Switch;
use self::memory::Pages;
use super::{Kvm, KvmError, KvmVcpuArch};
use crate::choice::{Verdict, Verdicts};
use crate::{
    Accelerator, Error, Exit, GuestIo, IrqChips, PowerRequest, Slot, Vcpu, VcpuClock, Vm, VmConfig,
};

/// Rounds of the short loops. Hardware needs a microsecond for them, interpreters a millisecond.
pub(super) const SHORT: u32 = 1000;
/// Rounds of the long loop.
pub(super) const LONG: u32 = 100_000;

/// What the guest stores when it has come so far.
pub(super) mod mark {
    /// It runs. Two more marks follow at once.
    pub(in super::super) const START: u8 = 1;
    /// Before the first short loop.
    pub(in super::super) const SHORT_START: u8 = 3;
    /// After the last short loop.
    pub(in super::super) const SHORT_END: u8 = 6;
    /// After the last long loop; what follows are the architecture's own instructions.
    pub(in super::super) const LONG_END: u8 = 10;
}

/// Instructions in a round of a loop.
const PER_ROUND: f64 = 2.0;
/// Slower than this the long loop would take too long; it decides about all others.
const INTERPRETED_MIPS: f64 = 5.0;
/// Slower than this, in million instructions a second, nobody's hardware is, nor an emulated
/// processor that has virtualization; interpreters reach one or two.
const NATIVE_MIPS: f64 = 20.0;
/// No hardware takes so long for all of it.
const TIMEOUT: Duration = Duration::from_millis(250);

/// The guest of an architecture.
pub(super) struct Guest<A: KvmVcpuArch> {
    /// What is where in memory, which begins at `gpa`.
    pub(super) image: Vec<(usize, Vec<u8>)>,
    /// Where memory begins.
    pub(super) gpa: u64,
    /// How much of it is touched, in bytes.
    pub(super) extent: usize,
    /// Registers at the start.
    pub(super) state: A::State,
    /// The instructions that are tried after the long loop, in order.
    pub(super) tried: &'static [&'static str],
    /// Who models interrupt controllers.
    pub(super) irqchips: IrqChips,
}

/// Begins to measure, on a thread of its own; the answer is what the function returns.
///
/// # Errors
/// The host has no thread left.
#[expect(private_bounds, reason = "the host's architecture is the only one that there is")]
pub fn begin<A: KvmVcpuArch>() -> Result<Verdicts, Error>
where
    Kvm: Accelerator<A>,
{
    let (sender, answers) = channel();
    let thread = std::thread::Builder::new().name("probe".into());
    thread
        .spawn(move || run::<A>(&sender))
        .map_err(|source| KvmError::Refused { what: "a thread for its probe", source })?;
    // Neither an answer nor a sender: the thread panicked.
    let nothing = || Verdict { native: false, measured: "its probe came to no end".into() };
    Ok(Box::new(move || answers.recv().unwrap_or_else(|_| Ok(nothing()))))
}

/// Notes when the guest got where.
struct Notes<A: KvmVcpuArch> {
    marks: Mutex<Vec<(u8, Instant)>>,
    vm: OnceLock<Weak<dyn Vm<A>>>,
    last: u8,
}

impl<A: KvmVcpuArch> Notes<A> {
    fn marks(&self) -> Vec<(u8, Instant)> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, data: &[u8]) {
        let now = Instant::now();
        let mark = data.first().copied().unwrap_or(0);
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).push((mark, now));
        let slow = mark == mark::SHORT_END && mips_of_short(&self.marks()) < INTERPRETED_MIPS;
        if slow || mark == self.last {
            self.stop();
        }
    }

    fn stop(&self) {
        if let Some(vm) = self.vm.get().and_then(Weak::upgrade) {
            vm.kick(0);
        }
    }
}

impl<A: KvmVcpuArch> GuestIo for Notes<A> {
    fn read(&self, _: u64, data: &mut [u8]) {
        data.fill(0);
    }

    fn write(&self, _: u64, data: &[u8]) {
        self.note(data);
    }

    fn port_read(&self, _: u16, data: &mut [u8]) {
        data.fill(0);
    }

    fn port_write(&self, _: u16, data: &[u8]) {
        self.note(data);
    }

    fn watched(&self, _: u64, _: usize) {}

    fn firmware_put(&self, _: u8) {}

    fn firmware_get(&self) -> Option<u8> {
        None
    }

    fn power(&self, _: PowerRequest) {
        self.stop();
    }
}

/// The guest asks for no time.
struct NoTime;

impl VcpuClock for NoTime {
    fn now_ns(&self) -> u64 {
        0
    }

    fn set_alarm(&self, _: u32, _: Option<u64>) {}
}

fn run<A: KvmVcpuArch>(sender: &Sender<Result<Verdict, Error>>)
where
    Kvm: Accelerator<A>,
{
    let guest = A::probe();
    let tried = guest.tried;
    let notes = Arc::new(Notes::<A> {
        marks: Mutex::default(),
        vm: OnceLock::new(),
        last: mark::LONG_END + tried.len() as u8,
    });
    let sent = match start(guest, &notes) {
        Ok((_vm, mut vcpu)) => {
            let watchdog = Watchdog::start(&notes);
            let ended = vcpu.run();
            drop(watchdog);
            sender.send(Ok(verdict(&notes.marks(), tried, &ended)))
            // The machine goes here, after the answer.
        }
        Err(error) => sender.send(Err(error)),
    };
    // Nobody waits any more if the whole process ends.
    let _ = sent;
}

type Started<A> = (Arc<dyn Vm<A>>, Box<dyn Vcpu<A>>);

fn start<A: KvmVcpuArch>(guest: Guest<A>, notes: &Arc<Notes<A>>) -> Result<Started<A>, Error>
where
    Kvm: Accelerator<A>,
{
    let kvm = Kvm::open().map_err(|missing| Error::Unusable(missing.to_string()))?;
    let model = kvm.model(&A::Model::default())?;
    let vm: Arc<dyn Vm<A>> = Arc::from(kvm.create_vm(VmConfig {
        vcpus: 1,
        io: notes.clone(),
        clock: Arc::new(NoTime),
        firmware_calls: true,
        model,
        irqchips: guest.irqchips,
    })?);
    let memory = Arc::new(Pages::new(&guest.image));
    vm.map(Slot { gpa: guest.gpa, memory, readonly: false })?;
    let vcpu = vm.create_vcpu(0, guest.state, false)?;
    // Set once, here.
    let _ = notes.vm.set(Arc::downgrade(&vm));
    Ok((vm, vcpu))
}

/// Ends a guest that gets nowhere.
struct Watchdog {
    done: Option<Sender<()>>,
}

impl Watchdog {
    fn start<A: KvmVcpuArch>(notes: &Arc<Notes<A>>) -> Self {
        let (done, ended) = channel::<()>();
        let notes = notes.clone();
        let thread = std::thread::Builder::new().name("probe-watchdog".into());
        // Without a thread to spare nobody watches, which only matters to a KVM that hangs.
        let _ = thread.spawn(move || {
            if ended.recv_timeout(TIMEOUT) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                notes.stop();
            }
        });
        Self { done: Some(done) }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.done.take();
    }
}

/// The shortest time between two marks that follow one another, of those from `first` on and
/// before `end`: others may have been disturbed.
fn shortest(marks: &[(u8, Instant)], first: u8, end: u8) -> Option<Duration> {
    let pairs = marks.windows(2).filter(|pair| (first..end).contains(&pair[0].0));
    pairs.map(|pair| pair[1].1 - pair[0].1).min()
}

/// What storing a mark costs.
fn overhead(marks: &[(u8, Instant)]) -> Duration {
    shortest(marks, mark::START, mark::SHORT_START).unwrap_or_default()
}

/// Million instructions a second in the short loops.
fn mips_of_short(marks: &[(u8, Instant)]) -> f64 {
    let time = shortest(marks, mark::SHORT_START, mark::SHORT_END);
    time.map_or(0.0, |time| mips(SHORT, time.saturating_sub(overhead(marks))))
}

fn mips(rounds: u32, time: Duration) -> f64 {
    f64::from(rounds) * PER_ROUND / time.as_secs_f64().max(1e-9) / 1e6
}

fn verdict(marks: &[(u8, Instant)], tried: &[&str], ended: &Result<Exit, Error>) -> Verdict {
    let reached = marks.last().map_or(0, |(mark, _)| *mark);
    let speed = match shortest(marks, mark::SHORT_END, mark::LONG_END) {
        Some(time) => mips(LONG, time.saturating_sub(overhead(marks))),
        None => mips_of_short(marks),
    };
    let figure = if speed < 10.0 { format!("{speed:.1}") } else { format!("{speed:.0}") };
    let figure = format!("{figure} million instructions a second in its kernel mode");
    if speed < NATIVE_MIPS {
        return Verdict { native: false, measured: figure };
    }
    let stopped_at = usize::from(reached.saturating_sub(mark::LONG_END));
    match tried.get(stopped_at) {
        None => Verdict { native: true, measured: figure },
        Some(insn) => {
            let how = match ended {
                Err(_) => "KVM gave up",
                Ok(Exit::Kicked) => "it got no further",
                Ok(_) => "the guest failed",
            };
            Verdict { native: false, measured: format!("{figure}, but at {insn} {how}") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(times_us: &[u64]) -> Vec<(u8, Instant)> {
        let start = Instant::now();
        let mut now = start;
        let after = |us: &u64| {
            now += Duration::from_micros(*us);
            now
        };
        (1..).zip(times_us.iter().map(after)).collect()
    }

    #[test]
    fn speed_decides() {
        let verdict_of = |marks: &[_]| verdict(marks, &["a", "b", "c"], &Ok(Exit::Kicked));
        let fast = verdict_of(&marks(&[5, 70, 40, 41, 45, 42, 900, 340, 640, 340, 40, 40, 40]));
        assert!(fast.native && fast.measured.starts_with("667 million"), "{fast:?}");
        let slow = verdict_of(&marks(&[5, 300, 40, 1540, 1240, 1640]));
        assert!(!slow.native && slow.measured.starts_with("1.7 million"), "{slow:?}");
    }

    #[test]
    fn an_instruction_that_is_not_survived_is_named() {
        let marks = marks(&[5, 5, 5, 40, 50, 60, 300, 300, 300, 300, 1]);
        let ended = Err(Error::Stuck(String::new()));
        let verdict = verdict(&marks, &["iretq", "xrstor"], &ended);
        assert!(!verdict.native && verdict.measured.contains("xrstor"), "{verdict:?}");
    }

    #[test]
    fn a_disturbed_loop_does_not_count() {
        let marks = marks(&[5, 5, 5, 9000, 40, 9000]);
        assert!(mips_of_short(&marks) > NATIVE_MIPS);
        assert_eq!(mips_of_short(&marks[..3]), 0.0, "it never came to its loops");
    }
}
