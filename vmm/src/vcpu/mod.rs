//! vCPU threads, and the one loop that drives every accelerator.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use accel::{Exit, Vcpu, Vm};
use arch::Arch;

use crate::error::Error;
use crate::machine::control::{Control, Event, Next};

/// How a vCPU begins.
pub(crate) struct Begin<A: Arch> {
    /// Its registers.
    pub(crate) state: A::State,
    /// It waits until firmware or another vCPU starts it.
    pub(crate) parked: bool,
}

/// What a vCPU's thread leaves: where the guest is, if it lives on under another VM.
pub(crate) type VcpuThread<A> = JoinHandle<Option<Begin<A>>>;

/// Starts the thread of vCPU `index` of `count`. It ends when the machine's life does.
pub(crate) fn spawn<A: Arch>(
    (index, count): (u32, u32),
    vm: Arc<dyn Vm<A>>,
    begin: Begin<A>,
    control: Arc<Control>,
) -> io::Result<VcpuThread<A>> {
    std::thread::Builder::new().name(format!("vcpu{index}")).spawn(move || {
        let guard = Running { control: &control, index };
        // On this thread, because some accelerators tie a vCPU to the thread that made it.
        let ended = vm.create_vcpu(index, begin.state, begin.parked).map_err(Error::from).and_then(
            |mut vcpu| {
                run(&mut *vcpu, &control)?;
                drop(guard);
                leave(&mut *vcpu, &control, count)
            },
        );
        ended.unwrap_or_else(|error| {
            control.post(Event::Error(error));
            None
        })
    })
}

fn run<A: Arch>(vcpu: &mut dyn Vcpu<A>, control: &Control) -> Result<(), Error> {
    control.vcpu_made();
    while control.checkpoint() == Next::Run {
        match vcpu.run()? {
            // No debugger is attached yet, so nothing but a kick ends a run.
            Exit::Kicked | Exit::Debug(_) => {}
            Exit::Crash(report) | Exit::Shutdown(report) => control.post(Event::Crashed(report)),
        }
    }
    Ok(())
}

/// The registers, if another VM takes the guest over.
fn leave<A: Arch>(
    vcpu: &mut dyn Vcpu<A>,
    control: &Control,
    count: u32,
) -> Result<Option<Begin<A>>, Error> {
    if !control.all_stopped(count) {
        return Ok(None);
    }
    Ok(Some(Begin { state: vcpu.state()?, parked: vcpu.parked()? }))
}

/// Tells that this vCPU runs no more. A thread that panics must not leave the machine waiting for it.
struct Running<'a> {
    control: &'a Control,
    index: u32,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.control.post(Event::Error(Error::Panic(format!("vcpu{}", self.index))));
        }
        self.control.vcpu_stopped();
    }
}
