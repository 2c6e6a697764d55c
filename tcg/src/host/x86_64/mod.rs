//! x86-64 as a host: translates blocks to machine code, and runs it.

mod asm;
mod atomics;
mod builder;
mod bulk;
mod calls;
mod commit;
mod compile;
pub mod context;
#[cfg(test)]
mod cpu_oracle;
pub(crate) mod direct;
mod emit;
mod features;
mod flags;
mod flags_image;
mod flags_make;
mod flow;
mod fp;
mod fp_arith;
mod fp_checks;
mod fp_int;
mod fp_registers;
mod fp_table;
#[cfg(test)]
mod fpu_oracle;
mod layout;
mod listing;
mod loops;
mod memory;
mod places;
mod pool;
mod recover;
mod regs;
mod rows;
mod stubs;
pub mod syscall;
mod syscall_stub;
mod value;
mod value_compare;
mod value_int;
mod vector;
mod vector_fp;
mod vector_int;
mod vector_table;
mod wide;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::NativeError;
use crate::cache::Block;
use crate::guest::Guest;
use crate::jit::cell::CoreRef;
use crate::jit::codebuf::CodeBuf;
use crate::jit::{ACCESS, Exit, Translated};
use crate::user::{HostCalls, Labels};
use crate::vcpu::Core;
use asm::{Asm, Form, Mem, Q, Rm, form};
use pool::Pool;
use regs::*;
use stubs::Stubs;

/// The pinned guest integer registers: index, host register, guest register.
fn pins<G: Guest>() -> impl Iterator<Item = (usize, Reg, u8)> {
    PINS.iter().zip(G::INT.pins).enumerate().map(|(at, (&host, &guest))| (at, host, guest))
}

fn vec_form<G: Guest>(load: bool) -> Form {
    match (G::FP.stride, load) {
        (8, true) => form::MOVSD_VX_WX,
        (8, false) => form::MOVSD_WX_VX,
        (_, true) => form::MOVUPS_VX_WX,
        (_, false) => form::MOVUPS_WX_VX,
    }
}

/// Loads a vector register whole.
fn load_vec<G: Guest>(asm: &mut Asm, to: Reg, m: Mem) {
    vec_form::<G>(true).rm(asm, Q, to, Rm::Mem(m));
}

/// Stores a vector register whole.
fn store_vec<G: Guest>(asm: &mut Asm, from: Reg, m: Mem) {
    vec_form::<G>(false).rm(asm, Q, from, Rm::Mem(m));
}

/// The host, and what translated code wants of its processor: there is one kind of code.
pub(crate) const HOST: &str = "x86_64 bmi1 bmi2 lzcnt popcnt fma avx2";
/// Bytes in front of a block's entry: what a dead block does.
const DEAD_BYTES: usize = 32;
/// Parts that the buffer is used in, in turn: when one is full, all code is forgotten and the
/// next is written, while the other vCPUs may still run what is in the old one.
const PARTS: usize = 2;
/// The prefix of locked instructions.
const LOCK: u8 = 0xf0;
/// In its place if nobody else accesses the memory: a prefix that says nothing [SDM-2A §2.1.1].
const NO_LOCK: u8 = 0x3e;
/// More than any block's code.
const BLOCK_ROOM: usize = 64 << 10;

struct Space<G: Guest> {
    /// The part that is being written.
    part: usize,
    /// A vCPU may still be in the part before.
    settling: bool,
    /// Where the next block's code goes.
    hot: usize,
    /// Where the next block's slow paths go.
    cold: usize,
    /// As long as there is one vCPU, and nobody else who shares its memory: where a prefix is to become
    /// LOCK when that changes.
    locks: Option<Vec<usize>>,
    /// What was translated in all.
    done: Translated,
    /// Blocks by the offset of their code and of their slow paths.
    blocks: BTreeMap<usize, Arc<Block<G>>>,
}

/// The translator while a process splits in two.
pub(crate) struct ForkedCode<'a, G: Guest> {
    native: &'a Native<G>,
    space: MutexGuard<'a, Space<G>>,
    copy: Option<CodeBuf>,
}

impl<G: Guest> ForkedCode<'_, G> {
    /// Copies what the child will need.
    pub(crate) fn copy(&mut self) -> Result<(), NativeError> {
        let native = self.native;
        let (hot, cold, _) = native.part(self.space.part);
        let used = [0..native.start, hot..self.space.hot, cold..self.space.cold];
        self.copy = Some(native.buf.copy(&used)?);
        Ok(())
    }

    /// In the child: code is its own from here on.
    ///
    /// # Panics
    /// If the host's kernel cannot replace a mapping by another: the child has no code then.
    pub(crate) fn in_child(mut self) {
        // Whoever was about to settle something is not there.
        self.space.settling = false;
        let copy = self.copy.expect("it was copied before the fork");
        self.native.buf.replace(copy).expect("a mapping is replaced by one of the same size");
    }
}

/// The translator and its code.
pub(crate) struct Native<G: Guest> {
    buf: CodeBuf,
    stubs: Stubs,
    pool: Pool,
    /// Bytes of stubs and constants in front of the parts.
    start: usize,
    /// User mode: guest addresses are host addresses.
    direct: bool,
    space: Mutex<Space<G>>,
    guest: PhantomData<fn(G)>,
}

impl<G: Guest> Native<G> {
    /// `None` if this CPU lacks instructions that translated code uses.
    pub(crate) fn new(
        code_bytes: usize,
        user: Option<&HostCalls>,
    ) -> Result<Option<Self>, NativeError> {
        if !features::usable() {
            return Ok(None);
        }
        let buf = CodeBuf::new(code_bytes)?;
        let (code, stubs) = stubs::write::<G>(user);
        buf.write(0, &code);
        let pool = Pool::new(code.len().next_multiple_of(64));
        let start = code.len().next_multiple_of(64) + Pool::BYTES;
        let space = Space {
            part: 0,
            settling: false,
            hot: 0,
            cold: 0,
            locks: Some(Vec::new()),
            done: Translated::default(),
            blocks: BTreeMap::new(),
        };
        let native = Self {
            buf,
            stubs,
            pool,
            start,
            direct: user.is_some(),
            space: Mutex::new(space),
            guest: PhantomData,
        };
        native.begin_part(&mut native.space(), 0);
        Ok(Some(native))
    }

    /// Offsets of a part: of its code, of its slow paths, and its end.
    fn part(&self, part: usize) -> (usize, usize, usize) {
        let len = (self.buf.len() - self.start) / PARTS / 128 * 64;
        let hot = self.start + part * 2 * len;
        (hot, hot + len, hot + 2 * len)
    }

    fn begin_part(&self, space: &mut Space<G>, part: usize) {
        let (hot, cold, end) = self.part(part);
        space.blocks.retain(|at, _| !(hot..end).contains(at));
        if let Some(locks) = &mut space.locks {
            locks.retain(|at| !(hot..end).contains(at));
        }
        (space.part, space.hot, space.cold) = (part, hot, cold);
    }

    /// Forgets all code and begins the next part, unless there is room again; gives whether it
    /// did. Then every vCPU must be made to leave what it runs and to forget where code is, and
    /// [`Self::settled`] called: until then the part before is not touched.
    pub(crate) fn make_room(&self, cache: &crate::cache::Cache<G>) -> bool {
        let mut space = self.space();
        if self.has_room(&space) || space.settling {
            return false;
        }
        space.settling = true;
        let next = (space.part + 1) % PARTS;
        cache.clear();
        self.begin_part(&mut space, next);
        true
    }

    /// From now on others see what the vCPU does to memory. It is not inside [`Self::enter`].
    pub(crate) fn lock(&self) {
        for at in self.space().locks.take().into_iter().flatten() {
            self.buf.write(at, &[LOCK]);
        }
    }

    /// Before a process splits in two: nobody makes code.
    pub(crate) fn before_fork(&self) -> ForkedCode<'_, G> {
        ForkedCode { native: self, space: self.space(), copy: None }
    }

    /// No vCPU is in the part before any more.
    pub(crate) fn settled(&self) {
        self.space().settling = false;
    }

    fn has_room(&self, space: &Space<G>) -> bool {
        let (_, cold, end) = self.part(space.part);
        space.hot + BLOCK_ROOM <= cold && space.cold + BLOCK_ROOM <= end
    }

    fn space(&self) -> MutexGuard<'_, Space<G>> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The code that looks up an address that is not in the jump table.
    pub(crate) fn miss_code(&self) -> u64 {
        self.buf.exec_address(self.stubs.jump)
    }

    /// Where the code lies, how long it is, and where a thread goes on whose guest access faulted.
    pub(crate) fn code_range(&self) -> (u64, u64, u64) {
        let exec = |at| self.buf.exec_address(at);
        (exec(0), self.buf.len() as u64, exec(self.stubs.fault))
    }

    /// The instructions that move and fill memory, and where a thread goes on whose access there
    /// faulted.
    pub(crate) fn bulk_labels(&self) -> Labels {
        let exec = |at| self.buf.exec_address(at);
        self.stubs.bulk.map_or_else(Labels::default, |stubs| Labels {
            start: exec(stubs.start),
            end: exec(stubs.end),
            restart: exec(stubs.fault),
        })
    }

    /// What was translated so far.
    pub(crate) fn translated(&self) -> Translated {
        self.space().done
    }

    /// Around the system calls that translated code makes.
    pub(crate) fn call_labels(&self) -> Labels {
        let exec = |at| self.buf.exec_address(at);
        self.stubs.system_call.map_or_else(Labels::default, |stub| Labels {
            start: exec(stub.start),
            end: exec(stub.end),
            restart: exec(stub.restart),
        })
    }

    /// Makes a block's code at `code` leave at its first instruction, and where its loop begins.
    pub(crate) fn kill(&self, block: &Block<G>, code: u64) {
        let entry = self.buf.offset_of(code);
        // A short jump back over itself and what is in front of the entry.
        let rel = -(DEAD_BYTES as i8 + 2);
        let mut bytes = self.buf.read64(entry).to_le_bytes();
        bytes[..2].copy_from_slice(&[0xeb, rel as u8]);
        self.buf.patch64(entry, u64::from_le_bytes(bytes));
        if let Some(at) = block.rows.get().and_then(|rows| rows.loop_exit) {
            // `jne` becomes `nop; jmp`.
            let mut bytes = self.buf.read64(at).to_le_bytes();
            bytes[..2].copy_from_slice(&[0x90, 0xe9]);
            self.buf.patch64(at, u64::from_le_bytes(bytes));
        }
    }

    /// Makes the jump whose displacement is at `site` go to `code`.
    pub(crate) fn chain(&self, site: u64, code: u64) {
        let rel = code.wrapping_sub(site + 4) as u32;
        self.buf.patch32(self.buf.offset_of(site), rel);
    }

    /// Runs translated code until it leaves.
    pub(crate) fn enter(&self, core: &mut CoreRef<G>, code: u64) -> Exit {
        let enter = self.buf.exec_address(self.stubs.enter);
        let exit = Exit::from_code(calls::run(enter, core, code));
        if matches!(exit, Exit::Exception | Exit::Fault) {
            self.recover(core.get(), if exit == Exit::Fault { ACCESS } else { 0 });
        }
        exit
    }

    /// Behind [`Exit::Call`]: what the block ended in.
    pub(crate) fn finish_call(&self, core: &mut Core<G>) -> Result<(), G::Exception> {
        calls::leave(core)
    }
}
