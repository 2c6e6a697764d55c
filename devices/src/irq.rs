//! Interrupt lines: how a device tells an interrupt controller, or a controller tells a vCPU.

use std::fmt;
use std::sync::Arc;

/// Something that takes the level of numbered input pins: an interrupt controller's inputs, or
/// the pins of a vCPU. Called with device locks held, so an implementation never calls back into
/// a device and never blocks for long.
pub trait IrqSink: Send + Sync {
    /// Sets input `pin` to `level` (true = asserted). Idempotent.
    fn set(&self, pin: u32, level: bool);
}

/// One wire into an [`IrqSink`].
#[derive(Clone)]
pub struct IrqLine {
    sink: Arc<dyn IrqSink>,
    pin: u32,
}

impl IrqLine {
    /// A wire to input `pin` of `sink`.
    pub fn new(sink: Arc<dyn IrqSink>, pin: u32) -> Self {
        Self { sink, pin }
    }

    /// A wire that ends nowhere.
    pub fn unconnected() -> Self {
        struct Nowhere;
        impl IrqSink for Nowhere {
            fn set(&self, _: u32, _: bool) {}
        }
        Self::new(Arc::new(Nowhere), 0)
    }

    /// Drives the wire (level-triggered; true = asserted).
    pub fn set(&self, level: bool) {
        self.sink.set(self.pin, level);
    }
}

impl fmt::Debug for IrqLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IrqLine(pin {})", self.pin)
    }
}
