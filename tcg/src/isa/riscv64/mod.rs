//! RISC-V, 64 bits: decoder, encoder and disassembler.
//!
//! Everything here is generated from the `*.decode` tables in this directory; their grammar is in
//! `tcg_meta::decode`. Instructions of 16 and 32 bits are variants of one [`Insn`]; a compressed
//! instruction has the arguments of the instruction it abbreviates.
//!
//! Sources: [Unpriv] 20240411, [Priv] 20240411. Not here: Q, Zfh, V, the RV32-only forms.

mod fmt;

#[allow(
    clippy::collapsible_match,
    clippy::len_without_is_empty,
    clippy::unnecessary_cast,
    clippy::identity_op,
    clippy::too_many_lines,
    unused_parens,
    reason = "generated: uniform code rather than the shortest"
)]
mod table {
    use super::fmt;
    use crate::isa::pattern::Pattern;

    include!(concat!(env!("OUT_DIR"), "/riscv64.rs"));
}

pub use table::*;

#[cfg(test)]
mod tests;

impl Ext {
    /// The A extension of old: all atomics.
    pub const A: Ext = Ext::ZALRSC.with(Ext::ZAAMO);

    /// The instructions of privileged modes; user programs are decoded without them.
    pub const PRIVILEGED: Ext = Ext::MACHINE.with(Ext::SUPERVISOR).with(Ext::SVINVAL);

    /// The extension called `name`, whatever the case of its letters.
    pub fn by_name(name: &str) -> Option<Ext> {
        if name.eq_ignore_ascii_case("a") {
            return Some(Ext::A);
        }
        let found = Ext::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|&(_, ext)| ext)
    }
}

/// Length in bytes of the instruction whose first 16 bits these are [Unpriv §1.5]: 2 or 4; 0 for
/// the longer formats, of which none is defined.
#[inline]
pub const fn length(low: u16) -> u8 {
    match low & 0x1f {
        0x1f => 0,
        x if x & 3 == 3 => 4,
        _ => 2,
    }
}
