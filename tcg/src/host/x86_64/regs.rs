//! Which host register holds what: one convention for all translated code.

/// Hardware number of a register.
pub(super) type Reg = u8;

pub(super) const RAX: Reg = 0;
pub(super) const RCX: Reg = 1;
pub(super) const RDX: Reg = 2;
pub(super) const RBX: Reg = 3;
pub(super) const RSP: Reg = 4;
pub(super) const RBP: Reg = 5;
pub(super) const RSI: Reg = 6;
pub(super) const RDI: Reg = 7;
pub(super) const R8: Reg = 8;
pub(super) const R9: Reg = 9;
pub(super) const R10: Reg = 10;
pub(super) const R11: Reg = 11;
pub(super) const R12: Reg = 12;
pub(super) const R13: Reg = 13;
pub(super) const R14: Reg = 14;
pub(super) const R15: Reg = 15;

/// Bytes from the core to where rbp points, so that the first 32 registers of the state are a
/// one-byte displacement away.
pub(super) const BIAS: i32 = 128;

/// Scratch inside one operation; they hold nothing across operations.
pub(super) const SCRATCH: [Reg; 3] = [RAX, RCX, RDX];
/// Hosts of the pinned guest registers, hottest first: callee-saved ones first, so that calls
/// into Rust keep them.
pub(super) const PINS: [Reg; 8] = [RBX, R12, R13, R14, R15, RSI, RDI, R8];
/// How many of [`PINS`] a call into Rust keeps.
pub(super) const PINS_SAVED: usize = 5;
/// Allocated inside a block.
pub(super) const LOCALS: [Reg; 3] = [R9, R10, R11];

/// All that a free loop allocates.
pub(super) const PLACES: [Reg; LOCALS.len() + PINS.len()] =
    [R9, R10, R11, RBX, R12, R13, R14, R15, RSI, RDI, R8];

/// Scratch vector registers.
pub(super) const XSCRATCH: [Reg; 2] = [0, 1];
/// Hosts of the pinned guest vector registers.
pub(super) const XPINS: [Reg; 4] = [2, 3, 4, 5];
/// Vector registers allocated inside a block.
pub(super) const XLOCALS: [Reg; 10] = [6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
