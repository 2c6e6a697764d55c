//! Which accelerators there are for a guest, and which is the best.

use arch::Arch;
use arch::aarch64::Aarch64;
use arch::riscv64::Riscv64;
use arch::x86_64::X86_64;

use crate::tcg::{Guest, Tcg};
use crate::{Accelerator, Error, Offer, TcgMode};

/// A guest architecture as this build runs it.
pub trait Target: Guest {
    /// The software CPU knows the whole architecture, not only what programs see of it.
    const TCG_RUNS_MACHINES: bool;

    /// The host's own virtualization, whether or not it is worth using.
    ///
    /// # Errors
    /// Why there is none for guests of this architecture.
    fn native() -> Result<Native<Self>, Error>;
}

/// An accelerator, or why there is none.
pub type Opened<A> = Result<Box<dyn Accelerator<A>>, Error>;

/// The host's own virtualization.
pub struct Native<A: Target> {
    /// Runs guests by it.
    pub accelerator: Box<dyn Accelerator<A>>,
    /// The same, whose next machine proves that it is worth using before it runs its guest.
    pub on_probation: Box<dyn Accelerator<A>>,
    /// The same, with the pages that are written listed by vCPU, in rings of so many entries.
    pub with_dirty_ring: fn(u32) -> Opened<A>,
    /// Begins to measure whether it is worth using.
    pub probe: fn() -> Result<Verdicts, Error>,
}

/// Waits for a probe's end.
pub type Verdicts = Box<dyn FnOnce() -> Result<Verdict, Error> + Send>;

/// What a probe says of the host's virtualization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// It runs stock guests at the processor's speed.
    pub native: bool,
    /// What was measured, in a sentence's words.
    pub measured: String,
}

/// What the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// The best that is usable.
    #[default]
    Auto,
    /// The host's virtualization, by Linux KVM.
    Kvm,
    /// The software CPU.
    Tcg,
}

/// What was chosen.
pub struct Choice<A: Target> {
    /// It.
    pub accelerator: Box<dyn Accelerator<A>>,
    /// Why, in a few words.
    pub why: String,
}

/// Chooses an accelerator for guests of architecture `A`; `tcg` is how the software CPU would be.
///
/// # Errors
/// What was asked for cannot be used, or nothing can; why, and the way out.
pub fn choose<A: Target>(wish: Wish, tcg: Tcg) -> Result<Choice<A>, Error> {
    let software = || -> Box<dyn Accelerator<A>> { Box::new(tcg.clone()) };
    match wish {
        Wish::Tcg if A::TCG_RUNS_MACHINES => {
            Ok(Choice { accelerator: software(), why: "as asked".into() })
        }
        Wish::Tcg => Err(no_software::<A>()),
        // The machine proves itself when it starts: there is nothing to choose instead.
        Wish::Kvm => Ok(Choice { accelerator: A::native()?.on_probation, why: "as asked".into() }),
        Wish::Auto if !A::TCG_RUNS_MACHINES => {
            let alone = |error| Error::Unusable(format!("{}; and {error}", no_software::<A>()));
            let accelerator = A::native().map_err(alone)?.on_probation;
            Ok(Choice { accelerator, why: "nothing else runs such machines".into() })
        }
        Wish::Auto => match usable::<A>() {
            Ok((accelerator, measured)) => Ok(Choice { accelerator, why: measured }),
            Err(error) => Ok(Choice { accelerator: software(), why: error.to_string() }),
        },
    }
}

/// Every accelerator that runs guests of architecture `A` here, worth using or not: for tests and
/// for changing from one to another.
/// The software CPU is there once for each of `modes`.
pub fn at_hand<A: Target>(modes: &[TcgMode]) -> Vec<(&'static str, Box<dyn Accelerator<A>>)> {
    let mut all: Vec<(&'static str, Box<dyn Accelerator<A>>)> = Vec::new();
    all.extend(A::native().map(|native| ("kvm", native.accelerator)));
    if A::TCG_RUNS_MACHINES {
        all.extend(modes.iter().map(|mode| -> (&'static str, Box<dyn Accelerator<A>>) {
            let name = match mode {
                TcgMode::Interpreter => "tcg, interpreter",
                TcgMode::Jit => "tcg, translator",
            };
            (name, Box::new(Tcg { mode: *mode, learnt: None }))
        }));
    }
    all
}

fn no_software<A: Target>() -> Error {
    Error::Unusable(format!(
        "the software CPU of this build runs no whole {} machine, only its programs",
        A::NAME
    ))
}

/// The host's virtualization, if it is worth using.
fn usable<A: Target>() -> Result<(Box<dyn Accelerator<A>>, String), Error> {
    let native = A::native()?;
    let measured = judge((native.probe)()?()?, A::TCG_RUNS_MACHINES)?;
    Ok((native.accelerator, measured))
}

/// What was measured, if that is good enough; `tcg`: the software CPU is a way out.
pub(crate) fn judge(verdict: Verdict, tcg: bool) -> Result<String, Error> {
    if verdict.native {
        return Ok(verdict.measured);
    }
    let way_out = if tcg {
        "use --accel tcg, which is faster"
    } else {
        "use a host with hardware virtualization"
    };
    Err(Error::Unusable(format!(
        "this host's KVM interprets the kernel of its guests instead of running it ({}); {way_out}",
        verdict.measured
    )))
}

/// The host's virtualization as `polyvisor info` lists it.
pub(crate) fn native_offer() -> Offer {
    let offer = |about: &str, missing| Offer {
        name: "kvm",
        about: format!("the host's own processor, through Linux KVM{about}"),
        missing,
    };
    match host() {
        Ok((arch, measured)) => offer(&format!(": {arch} guests, {measured}"), None),
        Err(error) => offer("", Some(error.to_string())),
    }
}

/// The architecture of guests that run by the host's virtualization, and what was measured.
fn host() -> Result<(&'static str, String), Error> {
    fn of<A: Target>() -> Result<(&'static str, String), Error> {
        usable::<A>().map(|(_, measured)| (A::NAME, measured))
    }
    match std::env::consts::ARCH {
        Riscv64::NAME => of::<Riscv64>(),
        Aarch64::NAME => of::<Aarch64>(),
        X86_64::NAME => of::<X86_64>(),
        other => Err(Error::Unusable(format!("Polyvisor knows no KVM on {other} hosts"))),
    }
}

#[cfg(target_os = "linux")]
fn missing<A: Target>(missing: crate::kvm::Missing) -> Error {
    let way_out = if A::TCG_RUNS_MACHINES { ", or use --accel tcg" } else { "" };
    Error::Unusable(format!("{missing}{way_out}"))
}

macro_rules! target {
    ($Arch:ident, $arch:literal, machines: $machines:literal) => {
        impl Target for $Arch {
            const TCG_RUNS_MACHINES: bool = $machines;

            #[cfg(all(target_os = "linux", target_arch = $arch))]
            fn native() -> Result<Native<Self>, Error> {
                let kvm = crate::kvm::Kvm::open().map_err(missing::<Self>)?;
                Ok(Native {
                    on_probation: Box::new(kvm.on_probation()),
                    accelerator: Box::new(kvm),
                    with_dirty_ring: |entries| {
                        let kvm = crate::kvm::Kvm::open().map_err(missing::<Self>)?;
                        Ok(Box::new(kvm.with_dirty_ring(entries)?))
                    },
                    probe: crate::kvm::probe::begin::<Self>,
                })
            }

            #[cfg(not(all(target_os = "linux", target_arch = $arch)))]
            fn native() -> Result<Native<Self>, Error> {
                Err(no_native::<Self>())
            }
        }
    };
}

/// Guests of another architecture than the host's, and hosts without KVM.
fn no_native<A: Target>() -> Error {
    let host = std::env::consts::ARCH;
    let way_out = if A::TCG_RUNS_MACHINES {
        "use --accel tcg".into()
    } else {
        format!("use a Linux host that is {}", A::NAME)
    };
    Error::Unusable(if cfg!(target_os = "linux") {
        format!(
            "KVM runs guests of the host's own architecture, {host}, and not {}; {way_out}",
            A::NAME
        )
    } else {
        format!("KVM is part of Linux, and this host runs something else; {way_out}")
    })
}

target!(Riscv64, "riscv64", machines: true);
target!(Aarch64, "aarch64", machines: false);
target!(X86_64, "x86_64", machines: false);
