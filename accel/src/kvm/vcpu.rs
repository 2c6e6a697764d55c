//! A virtual CPU: the loop over exits.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use kvm_bindings::{
    KVM_EXIT_DEBUG, KVM_EXIT_DIRTY_RING_FULL, KVM_EXIT_FAIL_ENTRY, KVM_EXIT_HLT,
    KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_INTR, KVM_EXIT_MMIO, KVM_EXIT_SHUTDOWN,
    KVM_EXIT_SYSTEM_EVENT, KVM_EXIT_UNKNOWN, KVM_SYSTEM_EVENT_CRASH, KVM_SYSTEM_EVENT_RESET,
    KVM_SYSTEM_EVENT_SHUTDOWN,
};

use super::page::{Failure, Page};
use super::vm::{Seat, Shared};
use super::{Handled, KvmError, KvmVcpuArch, report};
use crate::choice::judge;
use crate::{Error, Exit, GuestDebug, PowerRequest, Stops, Vcpu};

/// See the module. Tied to the thread that made it.
pub(super) struct KvmVcpu<A: KvmVcpuArch> {
    page: Page,
    /// An access was answered that KVM completes when it is entered the next time.
    unfinished: bool,
    arch: A::Vcpu,
    index: u32,
    shared: Arc<Shared<A>>,
    /// The registers that it is to have once the machine is probed, and whether it waits then.
    after_probe: Option<Box<(A::State, bool)>>,
}

impl<A: KvmVcpuArch> KvmVcpu<A> {
    pub(super) fn new(
        shared: Arc<Shared<A>>,
        index: u32,
        state: &A::State,
        parked: bool,
    ) -> Result<Self, Error> {
        let fd = shared.fd.create_vcpu(index.into()).map_err(KvmError::refused("a vCPU"))?;
        let mut page = Page::new(fd, shared.host.page_len);
        let duplicate = page
            .duplicate()
            .map_err(|source| KvmError::Refused { what: "a descriptor", source })?;
        let seat = seat(&shared, index);
        // Seats are taken once, so nobody was here before.
        let _ = seat.fd.set(duplicate);
        let mut arch = A::vcpu(&shared, &mut page, index)?;
        let probed = index == 0 && shared.probe.is_some();
        let after_probe = probed.then(|| Box::new((state.clone(), parked)));
        if !probed {
            A::set_state(&shared, &mut page, &mut arch, state, parked)?;
        }
        page.aim(&seat.kick);
        shared.log.join(&shared.host, &page)?;
        Ok(Self { page, unfinished: false, arch, index, shared, after_probe })
    }

    /// Runs the probe's guest, if that is still to be done, and then sets the registers.
    fn prove(&mut self) -> Result<(), Error> {
        let Some(after) = self.after_probe.take() else { return Ok(()) };
        let shared = self.shared.clone();
        if let Some(probe) = &shared.probe {
            let guest = A::probe();
            A::set_state(&shared, &mut self.page, &mut self.arch, &guest.state, false)?;
            let verdict = probe.judge(&guest, &shared.memory, &mut || {
                self.page.immediate_exit_flag().store(0, SeqCst);
                self.step()
            })?;
            let measured = judge(verdict, false)?;
            tracing::info!("the probe of KVM: {measured}");
            self.finish()?;
            A::renew(&mut self.arch);
        }
        A::set_state(&shared, &mut self.page, &mut self.arch, &after.0, after.1)
    }

    /// Enters the guest once, and looks after why it was left.
    fn step(&mut self) -> Result<Handled, Error> {
        let entered = self.page.enter();
        self.unfinished = false;
        match entered {
            Ok(reason) => self.exit(reason),
            Err(error) => match error.raw_os_error() {
                // A signal, or a parked vCPU that was started: the loop looks again.
                Some(libc::EINTR | libc::EAGAIN) => Ok(Handled::GoOn),
                Some(libc::EFAULT) => Ok(Handled::Stuck(no_memory(&error))),
                _ => Ok(Handled::Stuck(format!("KVM cannot run the vCPU: {error}"))),
            },
        }
    }

    fn exit(&mut self, reason: u32) -> Result<Handled, Error> {
        match reason {
            KVM_EXIT_MMIO => self.mmio(),
            KVM_EXIT_INTR => {}
            KVM_EXIT_HLT => self.seat().kick.wait(),
            KVM_EXIT_DIRTY_RING_FULL => self.shared.log.harvest(&self.shared.fd)?,
            KVM_EXIT_SYSTEM_EVENT => return Ok(self.system_event()),
            KVM_EXIT_SHUTDOWN => return self.shutdown(),
            KVM_EXIT_INTERNAL_ERROR => {
                return Ok(Handled::Stuck(internal_error(&self.page.internal_error())));
            }
            KVM_EXIT_FAIL_ENTRY => {
                let Failure { code, data } = self.page.failed_entry();
                let text = format!(
                    "the processor refuses to enter the guest (hardware reason {code:#x}, on host \
                     CPU {})",
                    data[0]
                );
                return Ok(Handled::Stuck(text));
            }
            KVM_EXIT_UNKNOWN => {
                let reason = self.page.hardware_reason();
                let text = format!("KVM does not know the processor's exit reason {reason:#x}");
                return Ok(Handled::Stuck(text));
            }
            KVM_EXIT_DEBUG if !A::HAS_DEBUG => {
                return Ok(Handled::Stuck("a debug exit that nobody asked for".into()));
            }
            _ => {
                self.unfinished = true;
                return A::exit(&self.shared, &mut self.page, &mut self.arch, reason);
            }
        }
        Ok(Handled::GoOn)
    }

    fn mmio(&mut self) {
        let access = self.page.mmio();
        let mut data = access.data;
        if access.write {
            self.shared.config.io.write(access.gpa, &data[..access.len]);
        } else {
            self.shared.config.io.read(access.gpa, &mut data[..access.len]);
            self.page.set_mmio(data);
        }
        self.unfinished = true;
    }

    /// What the guest asked of the firmware that KVM is.
    fn system_event(&mut self) -> Handled {
        let (kind, data) = self.page.system_event();
        let request = match kind {
            // RISC-V's reason 1 is a failure of the system `[SBI-2.0 §10]`.
            KVM_SYSTEM_EVENT_SHUTDOWN if data == A::SHUTDOWN_FAILURE => PowerRequest::Failed,
            KVM_SYSTEM_EVENT_SHUTDOWN => PowerRequest::Off,
            KVM_SYSTEM_EVENT_RESET => PowerRequest::Reset,
            KVM_SYSTEM_EVENT_CRASH => return Handled::Return(Exit::Crash("it says so".into())),
            other => return Handled::Stuck(format!("KVM reports an unknown event {other}")),
        };
        self.shared.config.io.power(request);
        // Nothing runs behind such a call; the machine ends this life by a kick.
        self.seat().kick.wait();
        Handled::GoOn
    }

    fn shutdown(&mut self) -> Result<Handled, Error> {
        let report = self.report("a fault while it delivered a double fault (triple fault)")?;
        Ok(Handled::Return(Exit::Shutdown(report)))
    }

    fn report(&mut self, why: &str) -> Result<String, Error> {
        let state = A::state(&self.shared, &mut self.page, &mut self.arch)?;
        let at = A::pc_gpa(&self.shared, &mut self.page, &state);
        Ok(report::text(self.index, why, &state, at, &self.shared.memory))
    }

    /// Has KVM complete the access that was answered last, so that the registers are those
    /// between two instructions.
    fn finish(&mut self) -> Result<Handled, Error> {
        while self.unfinished {
            self.page.immediate_exit_flag().store(1, SeqCst);
            match self.step()? {
                Handled::GoOn => {}
                other => return Ok(other),
            }
        }
        Ok(Handled::Return(Exit::Kicked))
    }

    fn seat(&self) -> &Seat {
        seat(&self.shared, self.index)
    }
}

/// A vCPU is only made for a seat that there is.
fn seat<A: KvmVcpuArch>(shared: &Shared<A>, index: u32) -> &Seat {
    &shared.seats[index as usize]
}

impl<A: KvmVcpuArch> Vcpu<A> for KvmVcpu<A> {
    fn run(&mut self) -> Result<Exit, Error> {
        self.prove()?;
        loop {
            self.page.immediate_exit_flag().store(0, SeqCst);
            let handled = if self.seat().kick.take() { self.finish() } else { self.step() };
            match handled? {
                Handled::GoOn => {}
                Handled::Return(exit) => return Ok(exit),
                Handled::Stuck(why) => {
                    let report = self.report(&why)?;
                    return Err(Error::Stuck(report));
                }
            }
        }
    }

    fn state(&mut self) -> Result<A::State, Error> {
        if let Some(after) = &self.after_probe {
            return Ok(after.0.clone());
        }
        A::state(&self.shared, &mut self.page, &mut self.arch)
    }

    fn set_state(&mut self, state: &A::State) -> Result<(), Error> {
        if let Some(after) = &mut self.after_probe {
            after.0 = state.clone();
            return Ok(());
        }
        let parked = A::parked(&mut self.page)?;
        A::set_state(&self.shared, &mut self.page, &mut self.arch, state, parked)
    }

    fn parked(&mut self) -> Result<bool, Error> {
        if let Some(after) = &self.after_probe {
            return Ok(after.1);
        }
        A::parked(&mut self.page)
    }

    fn debugger(&mut self) -> Option<&mut dyn GuestDebug> {
        if A::HAS_DEBUG { Some(self) } else { None }
    }
}

impl<A: KvmVcpuArch> GuestDebug for KvmVcpu<A> {
    fn set_stops(&mut self, stops: &Stops) -> Result<(), Error> {
        A::set_stops(&mut self.page, stops)
    }
}

fn no_memory(error: &io::Error) -> String {
    format!("guest memory cannot be had from the host any more: {error}")
}

/// Suberrors `[KVM-API 5 KVM_EXIT_INTERNAL_ERROR]`.
fn internal_error(failure: &Failure) -> String {
    let what = match failure.code {
        1 => "KVM cannot emulate an instruction of the guest",
        2 => "the processor left the guest for two reasons at once",
        3 => "the guest was left while an event was being delivered",
        4 => "the processor left the guest for a reason that KVM does not expect",
        _ => "KVM reports an error of an unknown kind",
    };
    format!("{what} (suberror {}, data {:x?})", failure.code, failure.data)
}
