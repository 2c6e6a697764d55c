//! Makes random sequences from the tables.
//!
//! What an instruction does to registers and memory is read off its list of operations
//! ([`tcg::ir`]), so that a new row needs no line here.

use tcg::builder::{At, Bin, Flow, Reserve};
use tcg::guest::riscv64::Riscv64;
use tcg::ir::{self, List, Op, V};
use tcg::isa::pattern::Pattern;
use tcg::isa::riscv64::{CsrR, Ext, FCmp, Insn, PATTERNS};

use crate::rng::Rng;
use crate::sequence::{Atom, Indirect, Kind, Sequence, decode, length, load_number};
use crate::state::{DATA, DATA_BYTES};

/// What may be in a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// What every machine does the same; code is changed, too.
    Portable,
    /// Instead of the latter, what may trap. Code is not writable: a stray store that changes it
    /// would be seen by some machines at once, by others after a `fence.i`.
    Wild,
}

/// A memory access: base register and offset, and whether it has to be aligned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) base: u8,
    pub(crate) offset: i64,
    aligned: bool,
}

/// What kind of instruction a row has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Integer,
    Float,
    Memory,
    Forward,
    Other,
}

/// The list of a word.
pub(crate) fn list_of(word: u32) -> Option<List<Riscv64>> {
    const FS_DIRTY: u32 = 3;
    let at = At { pc: 0, len: length(word) as u8, reserve: Reserve::ALONE };
    Some(ir::record(at, decode(word)?, FS_DIRTY))
}

/// The access of an instruction, if it has one whose base is a register.
pub(crate) fn access_of(list: &List<Riscv64>) -> Option<Access> {
    let (va, aligned) = list.ops.iter().find_map(|op| match *op {
        Op::Load(va, m) | Op::Store(va, _, m) => Some((va, m.aligned)),
        Op::Rmw(_, va, ..) | Op::Cas(va, ..) => Some((va, true)),
        Op::Fload(va, _) | Op::Fstore(va, ..) => Some((va, false)),
        _ => None,
    })?;
    let op = |v: V| list.ops[v.op()];
    match op(va) {
        Op::Get(base) => Some(Access { base, offset: 0, aligned }),
        Op::Bin(Bin::Add, _, a, b) => match (op(a), op(b)) {
            (Op::Get(base), Op::Imm(offset)) => {
                Some(Access { base, offset: offset as i64, aligned })
            }
            _ => None,
        },
        _ => None,
    }
}

/// The integer registers that an instruction writes, a bit for each.
pub(crate) fn written_by(list: &List<Riscv64>) -> u32 {
    list.ops.iter().fold(0, |mask, op| match op {
        Op::Set(r, _) => mask | 1 << r,
        _ => mask,
    })
}

pub(crate) fn touches_memory(op: &Op) -> bool {
    matches!(
        op,
        Op::Load(..) | Op::Store(..) | Op::Rmw(..) | Op::Cas(..) | Op::Fload(..) | Op::Fstore(..)
    )
}

fn class_of(p: &Pattern, rng: &mut Rng) -> Class {
    const LEFT_OUT: u64 = Ext::PRIVILEGED.0 | Ext::ZAWRS.0;
    let word = (0..1000).find_map(|_| p.sample(rng.next() as u32));
    let list = word.and_then(list_of).expect("every row has a word");
    if p.ext & LEFT_OUT != 0 || list.ops.iter().any(|op| matches!(op, Op::Call(..))) {
        return Class::Other;
    }
    match list.flow {
        Flow::Branch(..) | Flow::Goto(_) => Class::Forward,
        Flow::Next if list.ops.iter().any(touches_memory) => Class::Memory,
        Flow::Next if p.ext & (Ext::F.0 | Ext::D.0) != 0 => Class::Float,
        Flow::Next => Class::Integer,
        _ => Class::Other,
    }
}

/// See the module.
pub(crate) struct Generator {
    integer: Vec<&'static Pattern>,
    float: Vec<&'static Pattern>,
    memory: Vec<&'static Pattern>,
    forward: Vec<&'static Pattern>,
}

/// A sequence in the making.
struct Draft<'a> {
    rows: &'a Generator,
    rng: &'a mut Rng,
    flavor: Flavor,
    /// Registers that hold the counters of the loops around.
    locked: u32,
    /// Load-reserved and store-conditional are all of this width (`W` or `D`): whether a
    /// store-conditional succeeds after a load-reserved of another is up to the hart.
    reserve: char,
    /// Registers to prefer, so that instructions depend on each other.
    focus: Vec<u8>,
    atoms: Vec<Atom>,
    /// (atom, word of its body, registers it must not write) that may be replaced.
    replaceable: Vec<(usize, usize, u32)>,
}

impl Generator {
    pub(crate) fn new() -> Self {
        let mut rng = Rng::new(1);
        let classes: Vec<Class> = PATTERNS.iter().map(|p| class_of(p, &mut rng)).collect();
        let of = |class: Class| -> Vec<&'static Pattern> {
            let rows = PATTERNS.iter().zip(&classes);
            rows.filter(|(_, c)| **c == class).map(|(p, _)| p).collect()
        };
        Self {
            integer: of(Class::Integer),
            float: of(Class::Float),
            memory: of(Class::Memory),
            forward: of(Class::Forward),
        }
    }

    /// The rows that sequences are made of.
    pub(crate) fn rows(&self) -> usize {
        self.integer.len() + self.float.len() + self.memory.len() + self.forward.len()
    }

    pub(crate) fn sequence(&self, rng: &mut Rng, flavor: Flavor) -> Sequence {
        let focus = if rng.chance(2, 3) {
            (0..6 + rng.below(6)).map(|_| rng.below(32) as u8).collect()
        } else {
            Vec::new()
        };
        let reserve = if rng.chance(1, 2) { 'w' } else { 'd' };
        let (atoms, replaceable) = (Vec::new(), Vec::new());
        let mut draft =
            Draft { rows: self, rng, flavor, locked: 0, reserve, focus, atoms, replaceable };
        let outer = draft.rng.chance(2, 3).then(|| draft.count());
        let len = 4 + draft.rng.below(44) as usize;
        draft.fill(len, 1);
        if let Some((head, reg)) = outer {
            draft.back(head, reg);
        }
        draft.keep_jumps_out_of_loops();
        Sequence { atoms: draft.atoms }
    }
}

impl Draft<'_> {
    fn push(&mut self, kind: Kind) -> usize {
        let id = self.atoms.len();
        self.atoms.push(Atom { id, kind });
        id
    }

    fn fill(&mut self, len: usize, depth: u32) {
        for _ in 0..len {
            match self.rng.below(100) {
                0..=29 => self.straight(false),
                30..=54 => self.straight(true),
                55..=76 => self.memory(),
                77..=86 => self.forward(),
                87..=89 => self.indirect(),
                90..=92 => self.csr(),
                93 => self.quiet_comparison(),
                94..=95 => {
                    self.push(Kind::Straight { setup: Vec::new(), body: vec![FENCE_I] });
                }
                96..=97 if depth < 3 => {
                    let (head, reg) = self.count();
                    if self.rng.chance(1, 2) {
                        let inside = 1 + self.rng.below(6) as usize;
                        self.fill(inside, depth + 1);
                    } else {
                        self.inner_loop();
                    }
                    self.back(head, reg);
                }
                _ if self.flavor == Flavor::Wild => self.wild(),
                _ => self.patch(),
            }
        }
    }

    /// What makes a loop of one block: nothing ends the block before the jump back.
    fn inner_loop(&mut self) {
        for _ in 0..2 + self.rng.below(14) {
            match self.rng.below(10) {
                0..=4 => self.straight(false),
                5..=7 => self.straight(true),
                8 => self.memory(),
                _ if self.rng.chance(1, 4) => self.quiet_comparison(),
                _ => self.forward(),
            }
        }
    }

    fn count(&mut self) -> (usize, u8) {
        let free: Vec<u8> = (1..32).filter(|r| self.locked >> r & 1 == 0).collect();
        let reg = self.rng.pick(&free);
        let times = 2 + self.rng.below(4) as u8;
        let head = self.push(Kind::Count { reg, times });
        self.locked |= 1 << reg;
        (head, reg)
    }

    fn back(&mut self, head: usize, reg: u8) {
        self.push(Kind::Back { reg, head });
        self.locked &= !(1 << reg);
    }

    /// A random word of one of these rows that writes no counter.
    fn word(&mut self, rows: &[&'static Pattern]) -> (u32, List<Riscv64>) {
        loop {
            let p = self.rng.pick(rows);
            let Some(word) = p.sample(self.rng.next() as u32) else {
                continue;
            };
            let word = self.focused(p, word);
            if let Some(list) = list_of(word).filter(|l| written_by(l) & self.locked == 0) {
                return (word, list);
            }
        }
    }

    /// The same instruction on the preferred registers, where that is still of the same row.
    fn focused(&mut self, p: &Pattern, word: u32) -> u32 {
        if self.focus.is_empty() {
            return word;
        }
        let mut changed = word;
        for &(name, mask) in p.fields {
            if matches!(name, "rd" | "rs1" | "rs2" | "rs3") && mask.count_ones() == 5 {
                let r = self.rng.pick(&self.focus);
                changed = changed & !mask | u32::from(r) << mask.trailing_zeros() & mask;
            }
        }
        if p.matches(changed) { changed } else { word }
    }

    fn plain(&mut self) -> u32 {
        let rows = if self.rng.chance(2, 3) { &self.rows.integer } else { &self.rows.float };
        self.word(rows).0
    }

    fn straight(&mut self, float: bool) {
        let rows = if float { &self.rows.float } else { &self.rows.integer };
        let body: Vec<u32> = (0..1 + self.rng.below(4)).map(|_| self.word(rows).0).collect();
        for n in (0..body.len()).filter(|&n| length(body[n]) == 4) {
            self.replaceable.push((self.atoms.len(), n, self.locked));
        }
        self.push(Kind::Straight { setup: Vec::new(), body });
    }

    /// Some accesses from one base.
    fn memory(&mut self) {
        let Some((first, access)) = self.access(None) else {
            return;
        };
        if self.locked >> access.base & 1 != 0 {
            return;
        }
        // Whatever the offset (12 bits), the access is inside the data.
        let margin = 2048;
        let room = DATA_BYTES as u64 - 2 * margin - 8;
        let base = if self.rng.chance(1, 4) {
            // Around the border of two pages.
            DATA + DATA_BYTES as u64 / 2 - 16 + self.rng.below(32)
        } else {
            DATA + margin + self.rng.below(room)
        };
        let aligned = self.rng.chance(1, 2);
        let base = if aligned { base & !7 } else { base };
        let setup = load_number(access.base, base as u32).to_vec();
        let mut body = Vec::new();
        let mut next = Some((first, access));
        for _ in 0..1 + self.rng.below(6) {
            let Some((word, a)) = next.take().or_else(|| self.access(Some(access.base))) else {
                continue;
            };
            let traps = a.aligned && !aligned;
            if traps && (self.flavor == Flavor::Portable || self.rng.chance(9, 10)) {
                continue;
            }
            debug_assert!((-2048..2048).contains(&a.offset));
            body.push(word);
            self.conditional_store(word, access.base, &mut body);
            if self.rng.chance(1, 3) {
                body.push(self.plain());
            }
            let overwritten = body
                .iter()
                .filter_map(|&w| list_of(w))
                .any(|l| written_by(&l) >> access.base & 1 != 0);
            if overwritten {
                break;
            }
        }
        // Only the last instruction may overwrite the base.
        let keeps = |w: &u32| list_of(*w).is_some_and(|l| written_by(&l) >> access.base & 1 == 0);
        let good = body.iter().take_while(|w| keeps(w)).count();
        body.truncate(good + 1);
        if !body.is_empty() {
            self.push(Kind::Straight { setup, body });
        }
    }

    /// A word with an access, from `base` if that is given.
    fn access(&mut self, base: Option<u8>) -> Option<(u32, Access)> {
        for _ in 0..20 {
            let p = self.rng.pick(&self.rows.memory);
            if self.flavor == Flavor::Portable && self.other_reservation(p) {
                continue;
            }
            let Some(word) = p.sample(self.rng.next() as u32) else {
                continue;
            };
            let mut word = self.focused(p, word);
            if let (Some(base), Some(&(_, mask))) =
                (base, p.fields.iter().find(|(name, _)| *name == "rs1"))
            {
                let number = if mask.count_ones() == 3 { base.wrapping_sub(8) } else { base };
                word = word & !mask | u32::from(number) << mask.trailing_zeros() & mask;
            }
            let list =
                list_of(word).filter(|l| p.matches(word) && written_by(l) & self.locked == 0);
            let access = list.and_then(|l| access_of(&l));
            if let Some(access) = access.filter(|a| base.is_none_or(|base| base == a.base)) {
                return Some((word, access));
            }
        }
        None
    }

    fn other_reservation(&self, p: &Pattern) -> bool {
        p.ext & Ext::ZALRSC.0 != 0 && !p.name.ends_with(self.reserve)
    }

    /// Behind a load-reserved, its store-conditional. Whether another one succeeds, or one with other
    /// accesses in front, is up to the hart, so portable sequences have none.
    fn conditional_store(&mut self, word: u32, base: u8, body: &mut Vec<u32>) {
        let portable = self.flavor == Flavor::Portable;
        let (rd, rs2) = (self.rng.below(32) as u8, self.rng.below(32) as u8);
        let operands = tcg::isa::riscv64::Amo { rd, rs1: base, rs2, order: 0 };
        let (loaded, store) = match decode(word) {
            Some(Insn::LrW(a)) => (a.rd, Insn::ScW(operands)),
            Some(Insn::LrD(a)) => (a.rd, Insn::ScD(operands)),
            _ => return,
        };
        let possible = loaded != base && self.locked >> rd & 1 == 0;
        if possible && (portable || self.rng.chance(3, 4)) {
            body.push(store.encode());
        } else if portable {
            body.pop();
        }
    }

    fn forward(&mut self) {
        let (word, _) = self.word(&self.rows.forward);
        let to = self.atoms.len() + 1 + self.rng.below(5) as usize;
        self.push(Kind::Forward { word, to });
    }

    fn indirect(&mut self) {
        let free: Vec<u8> = (1..32).filter(|r| self.locked >> r & 1 == 0).collect();
        let via = self.rng.pick(&free);
        let jump = match self.rng.below(3) {
            0 => Indirect::CJr,
            1 if self.locked >> 1 & 1 == 0 => Indirect::CJalr,
            _ => Indirect::Jalr(if self.rng.chance(1, 2) { 0 } else { self.rng.pick(&free) }),
        };
        let to = self.atoms.len() + 1 + self.rng.below(8) as usize;
        self.push(Kind::Indirect { via, jump, to });
    }

    /// Flags and rounding mode; only modes that there are, unless traps are wanted.
    fn csr(&mut self) {
        const FFLAGS: u32 = 1;
        const FRM: u32 = 2;
        const FCSR: u32 = 3;
        const WRITE: u32 = 5;
        let rd = loop {
            let rd = self.rng.below(32) as u32;
            if self.locked >> rd & 1 == 0 {
                break rd;
            }
        };
        let (csr, how, operand) = match self.rng.below(4) {
            0 => (FRM, WRITE, self.rng.below(5) as u32),
            1 => (FCSR, WRITE + self.rng.below(2) as u32, self.rng.below(32) as u32),
            2 => (FFLAGS, WRITE + self.rng.below(3) as u32, self.rng.below(32) as u32),
            // csrrs rd, fcsr, zero
            _ => (FCSR, 2, 0),
        };
        let mut word = csr << 20 | operand << 15 | how << 12 | rd << 7 | 0x73;
        if self.flavor == Flavor::Wild && self.rng.chance(1, 4) {
            let csr = FFLAGS + self.rng.below(3) as u32;
            let how = [1, 2, 3, 5, 6, 7][self.rng.below(6) as usize];
            word = csr << 20 | (self.rng.below(32) as u32) << 15 | how << 12 | rd << 7 | 0x73;
        }
        self.push(Kind::Straight { setup: Vec::new(), body: vec![word] });
    }

    /// What compilers make of a comparison that must raise no flag.
    fn quiet_comparison(&mut self) {
        let free: Vec<u8> = (0..32).filter(|r| self.locked >> r & 1 == 0).collect();
        let (kept, rd) = (self.rng.pick(&free), self.rng.pick(&free));
        let operands = FCmp { rd, rs1: self.float_register(), rs2: self.float_register() };
        let compare = match self.rng.below(4) {
            0 => Insn::FltS(operands),
            1 => Insn::FleS(operands),
            2 => Insn::FltD(operands),
            _ => Insn::FleD(operands),
        };
        let keep = Insn::Csrrs(CsrR { rd: kept, csr: 1, rs1: 0 });
        let restore = Insn::Csrrw(CsrR { rd: 0, csr: 1, rs1: kept });
        let body = [keep, compare, restore].map(|insn| insn.encode()).to_vec();
        self.push(Kind::Straight { setup: Vec::new(), body });
    }

    fn float_register(&mut self) -> u8 {
        if self.focus.is_empty() { self.rng.below(32) as u8 } else { self.rng.pick(&self.focus) }
    }

    /// What may trap.
    fn wild(&mut self) {
        if self.rng.chance(1, 2) {
            // An access from whatever is in the register: of no memory, mostly.
            if let Some((word, _)) = self.access(None) {
                self.push(Kind::Straight { setup: Vec::new(), body: vec![word] });
            }
        } else {
            let word = self.rng.next() as u32 | 3;
            if length(word) == 4 && decode(word).is_none() {
                self.push(Kind::Straight { setup: Vec::new(), body: vec![word] });
            }
        }
    }

    /// Changes code, behind or ahead.
    fn patch(&mut self) {
        let free: Vec<u8> = (1..32).filter(|r| self.locked >> r & 1 == 0).collect();
        let (address, value) = (self.rng.pick(&free), self.rng.pick(&free));
        if address == value || self.replaceable.is_empty() {
            return;
        }
        // What is behind is not known yet: the next atom, and what a loop comes back to.
        let (to, n, locked) = self.rng.pick(&self.replaceable);
        let replacement = loop {
            let (word, list) = self.word(&self.rows.integer);
            if length(word) == 4 && written_by(&list) & locked == 0 {
                break word;
            }
        };
        let patch = self.push(Kind::Patch { address, value, to, n, word: replacement });
        if self.rng.chance(1, 2) {
            // Patches what comes at once.
            let place = self.atoms.len();
            self.straight(false);
            if let Kind::Patch { to, n, .. } = &mut self.atoms[patch].kind {
                (*to, *n) = (place, 0);
            }
            let old = &mut self.atoms[place].kind;
            if let Kind::Straight { body, .. } = old {
                body.retain(|&w| length(w) == 4);
            }
        }
    }

    /// Nothing jumps past a `Count` into its loop: that would run too often.
    fn keep_jumps_out_of_loops(&mut self) {
        let counts: Vec<usize> = self
            .atoms
            .iter()
            .filter(|a| matches!(a.kind, Kind::Count { .. }))
            .map(|a| a.id)
            .collect();
        for atom in &mut self.atoms {
            let next = counts.iter().find(|&&count| count > atom.id);
            if let (Kind::Forward { to, .. } | Kind::Indirect { to, .. }, Some(&count)) =
                (&mut atom.kind, next)
            {
                *to = (*to).min(count);
            }
        }
    }
}

const FENCE_I: u32 = 0x0000_100f;
