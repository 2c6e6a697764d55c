//! Guest memory: the TLB look-up in line, the slow path out of line.

use super::asm::{self, Alu, Asm, B, D, Form, Mem, Q, Rm, W, cc, form};
use super::emit::{Emit, LastDef, Node, V};
use super::layout;
use super::regs::*;
use crate::builder::{Bin, Fmt, MemOp, Width};
use crate::guest::Guest;
use crate::jit::groups::{NO_ADDEND, Plan};
use crate::mmu::PAGE_BITS;
use crate::mmu::host::Entry;
use crate::mmu::tlb::TLB_BITS;

/// A guest virtual address in host terms.
#[derive(Clone, Copy)]
pub(super) struct Va {
    /// None in user mode only.
    base: Option<Reg>,
    /// Register and scale; in user mode only.
    index: Option<(Reg, u8)>,
    disp: i32,
}

impl Va {
    pub(super) fn base(base: Reg, disp: i32) -> Self {
        Self { base: Some(base), index: None, disp }
    }

    pub(super) fn mem(self) -> Mem {
        let Va { base, index, disp } = self;
        Mem { base, index, disp }
    }

    /// The base register, where there always is one.
    pub(super) fn looked_up(self) -> Reg {
        self.base.expect("in system mode every address has a base register")
    }
}

/// What is stored.
#[derive(Clone, Copy)]
enum Value {
    Reg(Reg),
    Imm(i32),
}

/// Form and operand size of a zero- or sign-extending load.
pub(super) fn load_form(m: MemOp) -> (Form, asm::Width) {
    match (m.size, m.signed) {
        (0, false) => (form::MOVZX_GV_EB, D),
        (0, true) => (form::MOVSX_GV_EB, Q),
        (1, false) => (form::MOVZX_GV_EW, D),
        (1, true) => (form::MOVSX_GV_EW, Q),
        (2, false) => (form::MOV_GV_EV, D),
        (2, true) => (form::MOVSXD_GV_EZ, Q),
        _ => (form::MOV_GV_EV, Q),
    }
}

pub(super) fn operand_size(m: MemOp) -> asm::Width {
    [B, W, D, Q][usize::from(m.size)]
}

/// Compares the tag of the TLB entry for the first of the bytes from `base` with what it must be
/// for the last; afterwards rax holds the entry's offset.
fn compare_tag<G: Guest>(asm: &mut Asm, base: Reg, (first, last): (i32, i32), store: bool) {
    let index_shift = i64::from(PAGE_BITS - size_of::<Entry>().trailing_zeros());
    let mask = ((1u32 << TLB_BITS) - 1) as i32 * size_of::<Entry>() as i32;
    if first == 0 {
        // What comes in at the top is masked.
        form::RORX_GY_EY_IB.rmi(asm, D, RAX, Rm::Reg(base), index_shift);
    } else {
        asm.lea(D, RAX, Mem::base(base, first));
        form::SHR_EV_IB.mi(asm, D, Rm::Reg(RAX), index_shift);
    }
    asm.alu_imm(Alu::And, D, Rm::Reg(RAX), mask);
    if last == 0 {
        asm.mov(Q, RDX, base);
    } else {
        asm.lea(Q, RDX, Mem::base(base, last));
    }
    asm.alu_imm(Alu::And, Q, Rm::Reg(RDX), -(1 << PAGE_BITS));
    asm.alu(Alu::Or, Q, RDX, Rm::Mem(layout::key::<G>()));
    asm.alu(Alu::Cmp, Q, RDX, Rm::Mem(layout::tlb_tag::<G>(store)));
}

impl<G: Guest> Emit<'_, G> {
    /// The address as a register and a displacement, both of which stay as they are during the
    /// access.
    pub(super) fn address(&mut self, v: V) -> Va {
        if let Node::Bin(Bin::Add, Width::W64, a, b) = self.node(v)
            && let Node::Imm(x) = self.node(b)
            && let (Ok(disp), Node::Reg(_) | Node::Host(_)) =
                (i32::try_from(x as i64), self.node(a))
            // One that the bytes of a group of accesses do not overflow.
            && (i32::MIN + 1024..i32::MAX - 1024).contains(&disp)
        {
            return Va::base(self.base(a), disp);
        }
        Va::base(self.base(v), 0)
    }

    /// The address as an operand of a single access, which is all that user mode asks for.
    fn operand_address(&mut self, v: V) -> Va {
        if !self.direct {
            return self.address(v);
        }
        // What all but a constant are the terms of.
        let (sum, disp) = match self.node(v) {
            Node::Bin(Bin::Add, Width::W64, a, b) => {
                match self.imm_of(b).map(|x| i32::try_from(x as i64)) {
                    Some(Ok(disp)) => (a, disp),
                    _ => (v, 0),
                }
            }
            Node::Imm(x) => match i32::try_from(x as i64) {
                Ok(disp) => return Va { base: None, index: None, disp },
                _ => (v, 0),
            },
            _ => (v, 0),
        };
        let (base, index, scale) = match self.node(sum) {
            Node::Bin(Bin::Add, Width::W64, a, b) => match (self.scaled(a), self.scaled(b)) {
                (_, Some((index, scale))) => (Some(a), Some(index), scale),
                (Some((index, scale)), None) => (Some(b), Some(index), scale),
                _ => (Some(a), Some(b), 0),
            },
            _ => match self.scaled(sum) {
                Some((index, scale)) => (None, Some(index), scale),
                None => (Some(sum), None, 0),
            },
        };
        // One of them may have to be computed.
        let [base, index] = match [base, index] {
            [Some(base), Some(index)] => match (self.place_of(base), self.place_of(index)) {
                (Some(base), Some(index)) => [Some(base), Some(index)],
                (None, Some(index)) => [Some(self.base(base)), Some(index)],
                (Some(base), None) => [Some(base), Some(self.base(index))],
                (None, None) => return Va::base(self.base(sum), disp),
            },
            terms => terms.map(|v| v.map(|v| self.base(v))),
        };
        Va { base, index: index.map(|index| (index, scale)), disp }
    }

    /// The register that a value is in, or is worth being loaded into.
    fn place_of(&mut self, v: V) -> Option<Reg> {
        match self.node(v) {
            Node::Reg(r) if self.resident(r).is_some() || self.wants_local(r) => Some(self.reg(r)),
            Node::Host(host) => {
                self.hold(host);
                Some(host)
            }
            _ => None,
        }
    }

    /// A register with part of an address, which the look-up leaves alone: where the value lives,
    /// or rcx.
    pub(super) fn base(&mut self, v: V) -> Reg {
        self.place_of(v).unwrap_or_else(|| {
            self.claim(RCX);
            self.into(v, RCX);
            self.scratch = 1 << RCX;
            RCX
        })
    }

    /// Looks the address up; gives the place as an operand, of which rax is a part. Goes to the
    /// slow path (the code that is emitted next into the cold buffer) when it is not there. In user
    /// mode there is nothing to look up, and a slow path only where [`Self::has_slow_path`].
    pub(super) fn look_up(&mut self, va: Va, m: MemOp, store: bool) -> Mem {
        debug_assert!(self.scratch & (1 << RAX | 1 << RDX) == 0);
        let last = m.bytes() as i32 - 1;
        if m.aligned && last > 0 {
            // Bits below the size in the low byte of the address.
            let low = match va {
                Va { base: Some(base), index: None, disp: 0 } => base,
                _ => {
                    self.asm.lea(D, RAX, va.mem());
                    RAX
                }
            };
            form::TEST_EB_IB.mi(&mut self.asm, B, Rm::Reg(low), i64::from(last));
            self.jcc_cold(cc::NE);
        }
        if self.direct {
            return va.mem();
        }
        let base = va.looked_up();
        let plan = if m.aligned { Plan::Alone } else { self.plans[self.index] };
        match plan {
            Plan::Alone => {
                compare_tag::<G>(&mut self.asm, base, (va.disp, va.disp + last), store);
                self.jcc_cold(cc::NE);
                self.asm.load(Q, RAX, layout::tlb_addend::<G>(store));
            }
            Plan::First { slot, low, high, store: any } => {
                let bytes = (va.disp.wrapping_add(low), va.disp.wrapping_add(high));
                compare_tag::<G>(&mut self.asm, base, bytes, any);
                self.jcc_cold(cc::NE);
                self.asm.load(Q, RAX, layout::tlb_addend::<G>(any));
                self.asm.store(Q, RAX, layout::group::<G>(slot));
                self.cold.store_imm(Q, layout::group::<G>(slot), NO_ADDEND as i32);
                self.cold_look_up(va, last, store);
            }
            Plan::Member { slot } => {
                self.asm.load(Q, RAX, layout::group::<G>(slot));
                form::TEST_EB_IB.mi(&mut self.asm, B, Rm::Reg(RAX), NO_ADDEND as i64);
                self.jcc_cold(cc::NE);
                self.cold_look_up(va, last, store);
            }
        }
        Mem::indexed(RAX, base, 0, va.disp)
    }

    /// In the cold buffer: looks up a single access, and goes back to the code if it is there.
    fn cold_look_up(&mut self, va: Va, last: i32, store: bool) {
        compare_tag::<G>(&mut self.cold, va.looked_up(), (va.disp, va.disp + last), store);
        let miss = self.cold.jcc_short(cc::NE);
        self.cold.load(Q, RAX, layout::tlb_addend::<G>(store));
        self.cold_back();
        self.cold.bind(miss);
    }

    fn has_slow_path(&self, m: MemOp) -> bool {
        !self.direct || m.aligned && m.size != 0
    }

    /// Slow path: the address goes to rcx.
    pub(super) fn cold_address(&mut self, va: Va) {
        match va {
            Va { base: Some(base), index: None, disp: 0 } => self.cold.mov(Q, RCX, base),
            _ => self.cold.lea(Q, RCX, va.mem()),
        }
    }

    /// Slow path: into a stub that may raise an exception of this instruction.
    pub(super) fn cold_access(&mut self, stub: usize) {
        self.cold_call(stub);
        let back = self.cold_here();
        self.row(back);
    }

    /// `reserve`: a store-conditional follows.
    pub(super) fn load_value(&mut self, v: V, m: MemOp, reserve: bool) -> V {
        let va = self.operand_address(v);
        let to = self.temp();
        let mem = self.look_up(va, m, false);
        let (form, width) = load_form(m);
        if reserve {
            // The cache line is had for writing at once, not first for reading.
            form::PREFETCHW_MB.m(&mut self.asm, D, Rm::Mem(mem));
        }
        let start = self.asm.pos();
        self.access();
        form.rm(&mut self.asm, width, to, Rm::Mem(mem));
        let end = self.asm.pos();
        let cold_mov = self.has_slow_path(m).then(|| {
            self.cold_address(va);
            let calls = self.calls();
            let stub = if m.aligned { calls.load_aligned } else { calls.load };
            self.cold_access(stub[usize::from(m.size)]);
            let cold_mov = self.cold.pos();
            self.end_slow_load(form, width, to);
            cold_mov
        });
        self.last = Some((to, start, end, LastDef::Load { form, width, mem, cold_mov }));
        self.release();
        let v = self.push(Node::Host(to));
        if !m.signed {
            self.loaded.push((v, 8 * m.bytes() as u32));
        }
        v
    }

    /// The value is in rax: extends it into its register and goes back to the code.
    pub(super) fn end_slow_load(&mut self, form: Form, width: asm::Width, to: Reg) {
        form.rm(&mut self.cold, width, to, Rm::Reg(RAX));
        self.cold_back();
    }

    pub(super) fn store_value(&mut self, v: V, value: V, m: MemOp) {
        let value = match self.node(value) {
            Node::Imm(x) if i32::try_from(x as i64).is_ok() || m.size < 3 => Value::Imm(x as i32),
            _ => Value::Reg(self.operand_kept(value)),
        };
        let va = self.operand_address(v);
        let mem = self.look_up(va, m, true);
        self.ordered = false;
        let size = operand_size(m);
        self.access();
        match value {
            Value::Reg(r) => self.asm.store(size, r, mem),
            Value::Imm(x) => self.asm.store_imm(size, mem, x),
        }
        if !self.has_slow_path(m) {
            return self.release();
        }
        match value {
            Value::Reg(r) => self.cold.mov(Q, RDX, r),
            Value::Imm(x) => self.cold.mov_imm(RDX, i64::from(x) as u64),
        }
        self.cold_address(va);
        let calls = self.calls();
        let stub = if m.aligned { calls.store_aligned } else { calls.store };
        let stub = stub[usize::from(m.size)];
        self.cold_access(stub);
        self.cold_back();
        self.release();
    }

    /// Loads a number into a vector register.
    pub(super) fn load_vector(&mut self, v: V, m: MemOp, fmt: Fmt, to: Reg) {
        let va = self.operand_address(v);
        let mem = Rm::Mem(self.look_up(va, m, false));
        match fmt {
            Fmt::S if G::NAN_BOXED => {
                let ones = self.ones_for(fmt);
                self.access();
                form::VPINSRD_VX_HX_ED_IB.vrmi(&mut self.asm, D, to, ones, mem, 0);
            }
            _ => {
                self.access();
                let form = if fmt == Fmt::S { form::MOVSS_VX_WX } else { form::MOVSD_VX_WX };
                form.rm(&mut self.asm, Q, to, mem);
            }
        }
        if !self.has_slow_path(m) {
            return self.release();
        }
        self.cold_address(va);
        let stub = self.calls().load[usize::from(m.size)];
        self.cold_access(stub);
        self.cold_result(fmt, to);
        self.cold_back();
        self.release();
    }

    /// Stores the low part of a vector register.
    pub(super) fn store_vector(&mut self, v: V, m: MemOp, fmt: Fmt, from: Reg) {
        let va = self.operand_address(v);
        let mem = Rm::Mem(self.look_up(va, m, true));
        self.ordered = false;
        let form = if fmt == Fmt::S { form::MOVSS_WX_VX } else { form::MOVSD_WX_VX };
        self.access();
        form.rm(&mut self.asm, Q, from, mem);
        if !self.has_slow_path(m) {
            return self.release();
        }
        form::MOVQ_EQ_VX.rm(&mut self.cold, Q, from, Rm::Reg(RDX));
        self.cold_address(va);
        let stub = self.calls().store[usize::from(m.size)];
        self.cold_access(stub);
        self.cold_back();
        self.release();
    }

    /// Loads up to 16 bytes into a vector register, zeros above them.
    pub(super) fn load_bytes(&mut self, v: V, m: MemOp, to: Reg) {
        let va = self.operand_address(v);
        let mem = Rm::Mem(self.look_up(va, m, false));
        self.access();
        match m.size {
            0 | 1 => {
                let narrow = if m.size == 0 { form::MOVZX_GV_EB } else { form::MOVZX_GV_EW };
                narrow.rm(&mut self.asm, D, RAX, mem);
                form::VMOVD_VX_ED.rm(&mut self.asm, D, to, Rm::Reg(RAX));
            }
            2 => form::VMOVD_VX_ED.rm(&mut self.asm, D, to, mem),
            3 => form::VMOVQ_VX_WX.rm(&mut self.asm, Q, to, mem),
            _ => form::VMOVDQU_VX_WX.rm(&mut self.asm, Q, to, mem),
        }
        if !self.has_slow_path(m) {
            return self.release();
        }
        self.cold_vector_access(va, m, false);
        form::VMOVDQU_VX_WX.rm(&mut self.cold, Q, to, Rm::Mem(layout::spill_vec::<G>(0)));
        self.cold_back();
        self.release();
    }

    /// Stores the low bytes of a vector register.
    pub(super) fn store_bytes(&mut self, v: V, m: MemOp, from: Reg) {
        let va = self.operand_address(v);
        let mem = Rm::Mem(self.look_up(va, m, true));
        self.ordered = false;
        self.access();
        match m.size {
            0 => form::VPEXTRB_MB_VX_IB.rmi(&mut self.asm, D, from, mem, 0),
            1 => form::VPEXTRW_MW_VX_IB.rmi(&mut self.asm, D, from, mem, 0),
            2 => form::VMOVD_ED_VX.rm(&mut self.asm, D, from, mem),
            3 => form::VMOVQ_WX_VX.rm(&mut self.asm, Q, from, mem),
            _ => form::VMOVDQU_WX_VX.rm(&mut self.asm, Q, from, mem),
        }
        if !self.has_slow_path(m) {
            return self.release();
        }
        let place = Rm::Mem(layout::spill_vec::<G>(0));
        form::VMOVDQU_WX_VX.rm(&mut self.cold, Q, from, place);
        self.cold_vector_access(va, m, true);
        self.cold_back();
        self.release();
    }

    /// Slow path: an access to the first spill slot for vectors.
    fn cold_vector_access(&mut self, va: Va, m: MemOp, store: bool) {
        self.cold_address(va);
        let what = u64::from(m.size) | u64::from(m.aligned) << 3 | u64::from(store) << 4;
        self.cold.mov_imm(RAX, what);
        let stub = self.calls().vector_access;
        self.cold_access(stub);
    }
}
