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

/// Starts the thread of vCPU `index`. It ends when the machine's life does.
pub(crate) fn spawn<A: Arch>(
    index: u32,
    vm: Arc<dyn Vm<A>>,
    begin: Begin<A>,
    control: Arc<Control>,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(format!("vcpu{index}")).spawn(move || {
        let guard = PanicGuard { control: &control, index };
        // On this thread, because some accelerators tie a vCPU to the thread that made it.
        let ended = vm
            .create_vcpu(index, begin.state, begin.parked)
            .map_err(Error::from)
            .and_then(|mut vcpu| run(&mut *vcpu, &control));
        drop(guard);
        if let Err(error) = ended {
            control.post(Event::Error(error));
        }
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

/// A thread that panics must not leave the machine waiting for it.
struct PanicGuard<'a> {
    control: &'a Control,
    index: u32,
}

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.control.post(Event::Error(Error::Panic(format!("vcpu{}", self.index))));
        }
    }
}
