//! Which registers instructions read and write: a builder that only listens.
//!
//! A host's translator asks it ahead of emitting a block, to know whether a register that it has
//! in hand will be wanted again.

use std::marker::PhantomData;

use crate::builder::*;
use crate::guest::{Guest, Helper};

/// The registers of one instruction, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Integer registers read.
    pub(crate) reads: u64,
    /// Integer registers written.
    pub(crate) writes: u64,
}

/// Listens to one instruction.
pub(crate) struct Probe<G> {
    usage: Usage,
    guest: PhantomData<G>,
}

/// The usage of an instruction.
pub(crate) fn usage<G: Guest>(at: At, insn: G::Insn, mode: u32) -> Usage {
    let mut probe = Probe::<G> { usage: Usage::default(), guest: PhantomData };
    let Ok(_) = G::lower(&mut probe, at, insn, mode);
    probe.usage
}

impl<G: Guest> Builder<G> for Probe<G> {
    type V = ();
    type F = ();
    type Trap = std::convert::Infallible;

    fn get(&mut self, r: u8) {
        self.usage.reads |= 1 << r;
    }
    fn set(&mut self, r: u8, (): ()) {
        self.usage.writes |= 1 << r;
    }
    fn imm(&mut self, _: u64) {}
    fn field(&mut self, _: usize) {}
    fn set_field(&mut self, _: usize, (): ()) {}
    fn share(&mut self, (): ()) {}
    fn bin(&mut self, _: Bin, _: Width, (): (), (): ()) {}
    fn un(&mut self, _: Un, _: Width, (): ()) {}
    fn cmp(&mut self, _: Cond, _: Width, (): (), (): ()) {}
    fn select(&mut self, (): (), (): (), (): ()) {}
    fn load(&mut self, (): (), _: MemOp) -> Result<(), Self::Trap> {
        Ok(())
    }
    fn store(&mut self, (): (), (): (), _: MemOp) -> Result<(), Self::Trap> {
        Ok(())
    }
    fn rmw(&mut self, _: Rmw, (): (), (): (), _: MemOp) -> Result<(), Self::Trap> {
        Ok(())
    }
    fn cas(&mut self, (): (), (): (), (): (), _: MemOp) -> Result<(), Self::Trap> {
        Ok(())
    }
    fn fence(&mut self, _: Fence) {}
    fn when(
        &mut self,
        (): (),
        f: impl FnOnce(&mut Self) -> Result<(), Self::Trap>,
    ) -> Result<(), Self::Trap> {
        // What may or may not be written is not known to be overwritten.
        let before = self.usage.writes;
        f(self)?;
        self.usage.reads |= self.usage.writes & !before;
        self.usage.writes = before;
        Ok(())
    }
    fn call(&mut self, _: &'static Helper<G>, _: &[()]) -> Result<(), Self::Trap> {
        Ok(())
    }
    fn flags(&mut self, _: FlagOp, _: Width, (): (), (): (), (): ()) {}
    fn flag(&mut self, _: FlagCond) {}
    fn fget(&mut self, _: u8, _: Fmt) {}
    fn fset(&mut self, _: u8, _: Fmt, (): ()) {}
    fn fload(&mut self, (): (), _: Fmt) -> Result<(), Self::Trap> {
        Ok(())
    }
    fn fstore(&mut self, (): (), (): (), _: Fmt) -> Result<(), Self::Trap> {
        Ok(())
    }
    fn fp2(&mut self, _: Fp2, _: Fmt, _: Rm, (): (), (): ()) {}
    fn fp3(&mut self, _: Fp3, _: Fmt, _: Rm, (): (), (): (), (): ()) {}
    fn fsqrt(&mut self, _: Fmt, _: Rm, (): ()) {}
    fn fsgnj(&mut self, _: Sgn, _: Fmt, (): (), (): ()) {}
    fn fcmp(&mut self, _: FCond, _: Fmt, (): (), (): ()) {}
    fn fcvt_int(&mut self, _: Fmt, _: IntTy, _: Rm, (): ()) {}
    fn fcvt_from_int(&mut self, _: Fmt, _: IntTy, _: Rm, (): ()) {}
    fn fcvt(&mut self, _: Fmt, _: Fmt, _: Rm, (): ()) {}
    fn fclass(&mut self, _: Fmt, (): ()) {}
    fn fbits(&mut self, _: Fmt, (): ()) {}
    fn fraw(&mut self, _: Fmt, (): ()) {}
}
