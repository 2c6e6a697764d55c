//! binary16 against exact arithmetic, the wider formats by chosen cases. The comparison with the
//! host's unit is in `host/x86_64/fpu_oracle.rs`.

pub(crate) mod cases;
mod chosen;
mod half;
mod reference;
