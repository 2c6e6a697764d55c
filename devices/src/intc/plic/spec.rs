//! Registers of the PLIC: 32 bits each, accessed whole [PLIC-1.0 §3].

/// Interrupt sources, counting source 0, which does not exist [PLIC-1.0 §1.4].
pub const SOURCES: u32 = 96;
/// Words of a bit array over all sources.
pub const WORDS: usize = SOURCES.div_ceil(32) as usize;
/// Contexts: M and S of up to eight harts.
pub const MAX_CONTEXTS: usize = 16;
/// Bits that a priority and a threshold have (WARL) [PLIC-1.0 §4].
pub const PRIORITY_MASK: u32 = 7;
/// Bytes of the register region, as the `virt` board has it.
pub const REGION_LEN: u64 = 0x60_0000;

/// Interrupt source priorities [PLIC-1.0 §4].
pub const PRIORITY: u64 = 0;
/// Interrupt pending bits [PLIC-1.0 §5].
pub const PENDING: u64 = 0x1000;
/// Interrupt enable bits, context 0 [PLIC-1.0 §6].
pub const ENABLE: u64 = 0x2000;
/// Bytes from one context's enable bits to the next one's.
pub const ENABLE_STRIDE: u64 = 0x80;
/// Threshold and claim/complete registers, context 0 [PLIC-1.0 §7].
pub const CONTEXT: u64 = 0x20_0000;
/// Bytes from one context's registers to the next one's.
pub const CONTEXT_STRIDE: u64 = 0x1000;

/// One register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// Priority of a source [PLIC-1.0 §4].
    Priority(usize),
    /// A word of pending bits [PLIC-1.0 §5].
    Pending(usize),
    /// A word of a context's enable bits [PLIC-1.0 §6].
    Enable {
        /// Context index.
        context: usize,
        /// Word index.
        word: usize,
    },
    /// A context's priority threshold [PLIC-1.0 §7].
    Threshold(usize),
    /// A context's claim (read) and complete (write) register [PLIC-1.0 §8, §9].
    ClaimComplete(usize),
}

impl Register {
    /// The register at `offset` of a controller with `contexts` contexts; `None` where the map
    /// is reserved, or holds sources and contexts that this controller does not have.
    pub fn at(offset: u64, contexts: usize) -> Option<Self> {
        if !offset.is_multiple_of(4) {
            return None;
        }
        let register = match offset {
            PRIORITY..PENDING => Self::Priority((offset / 4) as usize),
            PENDING..ENABLE => Self::Pending(((offset - PENDING) / 4) as usize),
            ENABLE..CONTEXT => {
                let at = offset - ENABLE;
                let word = at % ENABLE_STRIDE / 4;
                Self::Enable { context: (at / ENABLE_STRIDE) as usize, word: word as usize }
            }
            _ => {
                let context = ((offset - CONTEXT) / CONTEXT_STRIDE) as usize;
                match (offset - CONTEXT) % CONTEXT_STRIDE {
                    0 => Self::Threshold(context),
                    4 => Self::ClaimComplete(context),
                    _ => return None,
                }
            }
        };
        let exists = match register {
            Self::Priority(source) => (1..SOURCES as usize).contains(&source),
            Self::Pending(word) => word < WORDS,
            Self::Enable { context, word } => context < contexts && word < WORDS,
            Self::Threshold(context) | Self::ClaimComplete(context) => context < contexts,
        };
        exists.then_some(register)
    }
}
