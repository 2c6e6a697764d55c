//! The real binary as users start it: what it refuses, how it ends, what it does to a terminal.

mod bad_input;
mod bare;
mod offers;
mod program;
