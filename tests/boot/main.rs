//! Real kernels in the real binary: Debian's, from power-on to a clean power-off, by every way to
//! boot, with one hart and with several, interpreted and translated.
//!
//! The guest is the one that `./x guest riscv64` keeps, and in a laboratory, where `./x lab` runs
//! some of these tests on KVM, that of its architecture; nothing here reaches a network beyond this
//! host.

mod boots;
mod devices;
mod firmware;
mod handover;
mod laboratory;
mod learnt;
mod reset;
mod rest;
mod run;
mod streams;
