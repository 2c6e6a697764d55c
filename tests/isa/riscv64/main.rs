//! The riscv64 guest: every instruction of the tables, random sequences in every way of executing
//! them and against QEMU, and the programs of a test suite given by its folder.
//!
//! Sequences run on a machine of one hart without devices ([`bare`]), and in qemu-riscv64
//! ([`qemu`]). Wants `riscv64-linux-gnu-gcc` and `qemu-riscv64` on the path.
//!
//! Environment: `POLYVISOR_ISA_SEED` chooses the random sequences, `POLYVISOR_ISA_SECONDS` how
//! long they are made ([`random`]); `POLYVISOR_RISCV_TESTS` names a folder of programs
//! ([`programs`]).

mod bare;
mod expected;
mod generate;
mod harts;
mod nans;
mod programs;
mod qemu;
mod random;
mod rng;
mod rows;
mod sequence;
mod shrink;
mod state;
