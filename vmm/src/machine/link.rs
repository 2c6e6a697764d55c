//! The present VM, as devices, the clock and the memory's writers reach it.
//!
//! These outlive the VM, which is made anew at every reset of the machine; they hold the link
//! instead. Without a VM everything falls on deaf ears, as at a machine without power.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use accel::Vm;
use arch::Arch;
use devices::dma::DmaWatch;
use devices::irq::{IrqLine, IrqSink};

/// A VM whatever its architecture.
trait Port: Send + Sync {
    fn set_pin(&self, vcpu: u32, pin: u32, level: bool);
    fn set_input(&self, input: u32, level: bool);
    fn kick_all(&self);
    fn stop_time(&self) -> Result<(), accel::Error>;
    fn start_time(&self) -> Result<(), accel::Error>;
    fn alarm(&self, vcpu: u32);
    fn written(&self, gpa: u64, len: usize);
}

struct VmPort<A: Arch> {
    vm: Arc<dyn Vm<A>>,
    vcpus: u32,
}

impl<A: Arch> Port for VmPort<A> {
    fn set_pin(&self, vcpu: u32, pin: u32, level: bool) {
        self.vm.set_pin(vcpu, pin, level);
    }

    fn set_input(&self, input: u32, level: bool) {
        if let Some(irqchip) = self.vm.irqchip() {
            irqchip.set_line(input, level);
        }
    }

    fn kick_all(&self) {
        (0..self.vcpus).for_each(|vcpu| self.vm.kick(vcpu));
    }

    fn stop_time(&self) -> Result<(), accel::Error> {
        self.vm.guest_time().map_or(Ok(()), |time| time.stop())
    }

    fn start_time(&self) -> Result<(), accel::Error> {
        self.vm.guest_time().map_or(Ok(()), |time| time.go_on())
    }

    fn alarm(&self, vcpu: u32) {
        self.vm.alarm(vcpu);
    }

    fn written(&self, gpa: u64, len: usize) {
        self.vm.written(gpa, len);
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Link {
    port: RwLock<Option<Box<dyn Port>>>,
    /// Held while a wire is driven, so that no VM learns of levels in the wrong order.
    levels: Mutex<BTreeMap<Wire, bool>>,
}

/// Where a wire leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wire {
    Pin { vcpu: u32, pin: u32 },
    Input(u32),
}

impl Wire {
    fn drive(self, port: &dyn Port, level: bool) {
        match self {
            Wire::Pin { vcpu, pin } => port.set_pin(vcpu, pin, level),
            Wire::Input(input) => port.set_input(input, level),
        }
    }
}

impl Link {
    pub(crate) fn connect<A: Arch>(&self, vm: Arc<dyn Vm<A>>, vcpus: u32) {
        self.replace(Some(Box::new(VmPort { vm, vcpus })));
    }

    pub(crate) fn disconnect(&self) {
        self.replace(None);
    }

    fn replace(&self, port: Option<Box<dyn Port>>) {
        let old = {
            let mut held = self.port.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *held, port)
        };
        drop(old);
    }

    fn with(&self, use_it: impl FnOnce(&dyn Port)) {
        if let Some(port) = &*self.port.read().unwrap_or_else(PoisonError::into_inner) {
            use_it(&**port);
        }
    }

    /// Drives a wire.
    fn drive(&self, wire: Wire, level: bool) {
        let mut levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        levels.insert(wire, level);
        self.with(|port| wire.drive(port, level));
    }

    /// Tells a VM that takes a running guest over the levels of all wires.
    pub(crate) fn drive_again(&self) {
        let levels = self.levels.lock().unwrap_or_else(PoisonError::into_inner);
        self.with(|port| levels.iter().for_each(|(wire, level)| wire.drive(port, *level)));
    }

    /// Makes every vCPU come out of guest code.
    pub(crate) fn kick_all(&self) {
        self.with(|port| port.kick_all());
    }

    /// Stops the time that passes in the VM. No vCPU runs.
    pub(crate) fn stop_time(&self) {
        self.with(|port| {
            if let Err(error) = port.stop_time() {
                tracing::warn!("guest time goes on in this pause: {error}");
            }
        });
    }

    /// Lets it go on.
    pub(crate) fn start_time(&self) {
        self.with(|port| {
            if let Err(error) = port.start_time() {
                tracing::warn!("guest time jumps over this pause: {error}");
            }
        });
    }

    /// A vCPU's deadline has come.
    pub(crate) fn alarm(&self, vcpu: u32) {
        self.with(|port| port.alarm(vcpu));
    }

    /// The wire to interrupt pin `pin` of a vCPU.
    pub(crate) fn pin(self: &Arc<Self>, vcpu: u32, pin: u32) -> IrqLine {
        IrqLine::new(Arc::new(Pins { link: self.clone(), vcpu }), pin)
    }

    /// The wire to an input of the interrupt controllers that the accelerator models.
    pub(crate) fn input(self: &Arc<Self>, input: u32) -> IrqLine {
        IrqLine::new(Arc::new(Inputs(self.clone())), input)
    }
}

impl DmaWatch for Link {
    fn written(&self, gpa: u64, len: usize) {
        self.with(|port| port.written(gpa, len));
    }
}

struct Pins {
    link: Arc<Link>,
    vcpu: u32,
}

impl IrqSink for Pins {
    fn set(&self, pin: u32, level: bool) {
        self.link.drive(Wire::Pin { vcpu: self.vcpu, pin }, level);
    }
}

struct Inputs(Arc<Link>);

impl IrqSink for Inputs {
    fn set(&self, input: u32, level: bool) {
        self.0.drive(Wire::Input(input), level);
    }
}
