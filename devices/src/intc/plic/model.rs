//! The controller as a value: gateways, core, and the notification of each context.

use super::spec::{PRIORITY_MASK, Register, SOURCES, WORDS};

/// A bit for every source.
pub(super) type Bits = [u32; WORDS];

/// Source 0 does not exist: its bit is wired to zero.
const REAL: Bits = {
    let mut bits = [u32::MAX; WORDS];
    bits[0] = !1;
    bits
};

/// What one context has of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) enable: Bits,
    pub(super) threshold: u32,
}

/// The controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) priority: [u32; SOURCES as usize],
    /// Levels of the inputs.
    pub(super) level: Bits,
    /// The gateway has forwarded a request that the core holds as pending (IP).
    pub(super) pending: Bits,
    /// The request was claimed; the gateway waits for the completion.
    pub(super) in_service: Bits,
    pub(super) contexts: Vec<Context>,
}

impl Model {
    /// A controller as after power-on.
    pub(super) fn new(contexts: usize) -> Self {
        Self {
            priority: [0; SOURCES as usize],
            level: Bits::default(),
            pending: Bits::default(),
            in_service: Bits::default(),
            contexts: vec![Context::default(); contexts],
        }
    }

    /// Input `source` takes `level`. A request that was forwarded is not retracted
    /// [PLIC-1.0 §1.2].
    pub(super) fn set_level(&mut self, source: u32, level: bool) {
        if source == 0 || source >= SOURCES {
            return;
        }
        let (word, bit) = locate(source);
        if level {
            self.level[word] |= bit;
            self.forward();
        } else {
            self.level[word] &= !bit;
        }
    }

    /// Reads a register; claiming changes the state.
    pub(super) fn read(&mut self, register: Register) -> u32 {
        match register {
            Register::Priority(source) => self.priority[source],
            Register::Pending(word) => self.pending[word],
            Register::Enable { context, word } => self.contexts[context].enable[word],
            Register::Threshold(context) => self.contexts[context].threshold,
            Register::ClaimComplete(context) => self.claim(context),
        }
    }

    /// Writes a register.
    pub(super) fn write(&mut self, register: Register, value: u32) {
        match register {
            Register::Priority(source) => self.priority[source] = value & PRIORITY_MASK,
            Register::Pending(_) => {}
            Register::Enable { context, word } => {
                self.contexts[context].enable[word] = value & REAL[word];
            }
            Register::Threshold(context) => {
                self.contexts[context].threshold = value & PRIORITY_MASK;
            }
            Register::ClaimComplete(context) => self.complete(context, value),
        }
    }

    /// Whether `context` is notified (EIP): an enabled request is pending whose priority exceeds
    /// the threshold [PLIC-1.0 §1.3, §7].
    pub(super) fn notified(&self, context: usize) -> bool {
        self.best(context).is_some_and(|(_, priority)| priority > self.contexts[context].threshold)
    }

    /// The enabled pending source of highest priority, the lowest id among equals, and its
    /// priority [PLIC-1.0 §4]. Priority 0 never interrupts.
    fn best(&self, context: usize) -> Option<(u32, u32)> {
        let enable = &self.contexts[context].enable;
        let mut best = None;
        let mut best_priority = 0;
        for (word, (pending, enable)) in self.pending.iter().zip(enable).enumerate() {
            let mut candidates = pending & enable;
            while candidates != 0 {
                let source = word as u32 * 32 + candidates.trailing_zeros();
                candidates &= candidates - 1;
                let priority = self.priority[source as usize];
                if priority > best_priority {
                    best_priority = priority;
                    best = Some((source, priority));
                }
            }
        }
        best
    }

    /// Takes the best request, whatever the threshold; 0 when there is none [PLIC-1.0 §8].
    fn claim(&mut self, context: usize) -> u32 {
        let Some((source, _)) = self.best(context) else { return 0 };
        let (word, bit) = locate(source);
        self.pending[word] &= !bit;
        self.in_service[word] |= bit;
        source
    }

    /// Ends the service of `source`, if `context` has it enabled; otherwise the message is
    /// ignored [PLIC-1.0 §9].
    fn complete(&mut self, context: usize, source: u32) {
        if source == 0 || source >= SOURCES {
            return;
        }
        let (word, bit) = locate(source);
        if self.contexts[context].enable[word] & bit != 0 {
            self.in_service[word] &= !bit;
            self.forward();
        }
    }

    /// The gateways: an asserted level whose last request is completed becomes a request.
    fn forward(&mut self) {
        for word in 0..WORDS {
            self.pending[word] |= self.level[word] & !self.in_service[word];
        }
    }
}

fn locate(source: u32) -> (usize, u32) {
    ((source / 32) as usize, 1 << (source % 32))
}
