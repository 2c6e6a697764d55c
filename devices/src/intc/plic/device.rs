//! The PLIC on the bus, between the devices' lines and the harts' pins.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::model::Model;
use super::spec::{MAX_CONTEXTS, REGION_LEN, Register};
use super::state::PlicV1;
use crate::bus::lock;
use crate::device::{Access, Device, Effect, SavedState, StateError};
use crate::irq::{IrqLine, IrqSink};
use crate::registry::{Bench, Specimen};

/// The controller's front: the device on the bus.
///
/// The controller itself sits in a lock of its own, because devices drive its inputs while they
/// hold their locks and perhaps while a vCPU holds this device's: the inner lock is taken last
/// and leads nowhere but to the outputs, so no cycle can form.
pub struct Plic {
    core: Arc<Mutex<Core>>,
}

impl Plic {
    /// A controller with one context per line of `outputs`: M-mode and S-mode of hart 0, then of
    /// hart 1, and so on.
    ///
    /// # Panics
    /// With more than [`MAX_CONTEXTS`] outputs.
    pub fn new(outputs: Vec<IrqLine>) -> Self {
        assert!(outputs.len() <= MAX_CONTEXTS, "a PLIC serves at most {MAX_CONTEXTS} contexts");
        let core = Core { model: Model::new(outputs.len()), outputs, driven: 0 };
        Self { core: Arc::new(Mutex::new(core)) }
    }

    /// The input pins: pin number = interrupt source, 1 to 95; others are ignored.
    pub fn inputs(&self) -> Arc<dyn IrqSink> {
        Arc::new(Inputs(self.core.clone()))
    }

    /// The wire to interrupt source `source`.
    pub fn line(&self, source: u32) -> IrqLine {
        IrqLine::new(self.inputs(), source)
    }
}

/// The model and the wires that it drives.
struct Core {
    model: Model,
    outputs: Vec<IrqLine>,
    /// The outputs that are high, a bit each: only changes go out, as each may wake a vCPU.
    driven: u32,
}

impl Core {
    /// Drives the outputs that changed.
    fn notify(&mut self) {
        for (context, output) in self.outputs.iter().enumerate() {
            let level = self.model.notified(context);
            if level != (self.driven >> context & 1 != 0) {
                self.driven ^= 1 << context;
                output.set(level);
            }
        }
    }

    /// Takes a whole new state, and drives every output, since the pins may not be as they were.
    fn replace(&mut self, model: Model) {
        self.model = model;
        self.driven = 0;
        for (context, output) in self.outputs.iter().enumerate() {
            let level = self.model.notified(context);
            self.driven |= u32::from(level) << context;
            output.set(level);
        }
    }
}

struct Inputs(Arc<Mutex<Core>>);

impl IrqSink for Inputs {
    fn set(&self, pin: u32, level: bool) {
        let mut core = lock(&self.0);
        // Only a rising level can notify anybody; a falling one retracts nothing.
        core.model.set_level(pin, level);
        if level {
            core.notify();
        }
    }
}

impl Device for Plic {
    fn kind(&self) -> &'static str {
        PlicV1::KIND
    }

    fn regions(&self) -> Vec<u64> {
        vec![REGION_LEN]
    }

    fn read(&mut self, at: Access) -> u64 {
        let mut core = lock(&self.core);
        match register(&core, at) {
            Some(register) => {
                let value = core.model.read(register);
                if matches!(register, Register::ClaimComplete(_)) {
                    core.notify();
                }
                value.into()
            }
            None => 0,
        }
    }

    fn write(&mut self, at: Access, value: u64) -> Effect {
        let mut core = lock(&self.core);
        if let Some(register) = register(&core, at) {
            core.model.write(register, value as u32);
            core.notify();
        }
        Effect::None
    }

    /// The inputs count as low until they are driven again: the devices are reset as well.
    fn reset(&mut self) {
        let mut core = lock(&self.core);
        let contexts = core.outputs.len();
        core.replace(Model::new(contexts));
    }

    fn save(&self) -> Value {
        PlicV1::from(&lock(&self.core).model).to_value()
    }

    fn restore(&mut self, state: &Value) -> Result<(), StateError> {
        self.reset();
        let mut core = lock(&self.core);
        let contexts = core.outputs.len();
        core.replace(PlicV1::from_value(state)?.into_model(contexts)?);
        Ok(())
    }
}

fn register(core: &Core, at: Access) -> Option<Register> {
    if at.size == 4 { Register::at(at.offset, core.outputs.len()) } else { None }
}

/// A stand-alone PLIC for two harts; the stimulus moves its inputs.
pub fn specimen(bench: &Bench) -> Specimen {
    let plic = Plic::new(bench.irq.lines(0, 4));
    let inputs = plic.inputs();
    Specimen::new(plic)
        .stimulated_by(move |random| inputs.set(random as u32 % 100, random >> 63 != 0))
}
