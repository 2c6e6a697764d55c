//! Real kernels in the real binary: Debian's, from power-on to a clean power-off, by every way to
//! boot, with one hart and with several, interpreted and translated.
//!
//! The guest is the one that `./x guest riscv64` keeps; nothing here reaches a network beyond
//! this host.

mod boots;
mod devices;
mod firmware;
mod handover;
mod reset;
mod rest;
mod run;
