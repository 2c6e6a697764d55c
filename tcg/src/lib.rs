//! The software CPU: runs guest code of any architecture on any host.
//!
//! An instruction's meaning is written once, against [`builder::Builder`]; the interpreter
//! (`interp`), the translator (`host`) and the IR (`ir`) are builders. [`machine::Machine`] is
//! what accelerators drive. See `ARCHITECTURE.md`.

pub mod absent;
pub mod builder;
mod cache;
mod exclusive;
mod fork;
pub mod guest;
mod host;
mod interp;
pub mod ir;
pub mod isa;
#[cfg_attr(not(translator), expect(dead_code, reason = "translators alone use most of it"))]
mod jit;
mod learnt;
pub mod machine;
pub mod mmu;
pub mod ops;
mod run;
pub mod softfloat;
#[doc(hidden)]
pub mod testing;
mod user;
pub mod vcpu;

pub use fork::StandStill;
pub use host::{NativeError, context, syscall};
pub use jit::Translated;
pub use learnt::Learning;
pub use machine::{Config, Machine, Mode};
pub use run::{Stop, Vcpu};
pub use user::{CodeRange, Redirect, UserConfig, UserError};
