//! The code of a block as text, for tests of its quality.

use arch::state::CpuState;

use super::asm::{self, Mem};
use super::regs::{PINS, RAX, RBP};
use super::{DEAD_BYTES, Native, layout};
use crate::guest::Guest;
use crate::isa::x86_64 as isa;
use crate::jit::groups;
use crate::testing::HostCode;

/// What stands behind a call of the chain stub: a distance and a guest address.
const CHAIN_DATA: usize = 12;

impl<G: Guest> Native<G> {
    /// The instructions of the block whose entry is `code`, if it was the last to be translated.
    /// Padding is left out, and what depends on where things are is named.
    pub(crate) fn listing(&self, code: u64) -> HostCode {
        let space = self.space();
        let entry = self.buf.offset_of(code);
        let block = &space.blocks[&(entry - DEAD_BYTES)];
        let cold = space.blocks.range(entry..).find(|(_, b)| std::sync::Arc::ptr_eq(b, block));
        let cold = cold.map_or(space.cold, |(&at, _)| at);
        let parts = [(entry, space.hot, "hot"), (cold, space.cold, "cold")];
        let [hot, cold] = parts.map(|(start, end, _)| self.disassemble(start, end, &parts));
        HostCode { hot, cold }
    }

    fn disassemble(&self, start: usize, end: usize, parts: &[(usize, usize, &str)]) -> Vec<String> {
        let bytes: Vec<u8> = (start & !7..end.next_multiple_of(8))
            .step_by(8)
            .flat_map(|at| self.buf.read64(at).to_le_bytes())
            .collect();
        let bytes = &bytes[start & 7..][..end - start];
        let mut lines = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let Ok(isa::Decoded { insn, len }) = isa::decode(&bytes[at..]) else {
                lines.push(format!("? {:#x}", bytes[at]));
                at += 1;
                continue;
            };
            at += usize::from(len);
            let (mut text, target) = self.name(&insn, start + at, parts);
            if target == Some(self.stubs.chain) {
                let data = &bytes[at..at + CHAIN_DATA];
                let to = u64::from_le_bytes(data[4..].try_into().expect("eight bytes"));
                text = format!("chain {to:#x}");
                at += CHAIN_DATA;
            }
            if insn.op() != isa::Op::Nop {
                lines.push(text);
            }
        }
        lines
    }

    /// The text of an instruction that ends at `end`, and where it jumps to.
    fn name(
        &self,
        insn: &isa::Insn,
        end: usize,
        parts: &[(usize, usize, &str)],
    ) -> (String, Option<usize>) {
        let mut text = insn.to_string();
        for (operand, name) in operands::<G>() {
            text = text.replace(&operand, &name);
        }
        if insn.mem.base == Some(isa::Mem::RIP) {
            let at = (end as i64 + insn.mem.disp) as usize;
            let name = match self.pool.at(at) {
                Some(vector) => format!("[{vector:#x}]"),
                None => format!("[pool+{:#x}]", at - self.stubs.pool),
            };
            text = text.replace(&insn.mem.to_string(), &name);
        }
        // Addresses of this process.
        if insn.operands.contains(&isa::Operand::Imm(isa::Width::Q))
            && (1 << 40..1 << 47).contains(&insn.imm)
        {
            text = text.replace(&format!("{:#x}", insn.imm), "host");
        }
        if !insn.operands.contains(&isa::Operand::Rel) {
            return (text, None);
        }
        let target = (end as i64 + insn.imm) as usize;
        let place =
            parts.iter().find(|(start, end, _)| (*start..*end).contains(&target)).map_or_else(
                || self.stub(target),
                |(start, _, name)| format!("{name}+{:#x}", target - start),
            );
        let next = text.find("$next").unwrap_or(text.len());
        text.replace_range(next.., &place);
        (text, Some(target))
    }

    fn stub(&self, target: usize) -> String {
        let s = &self.stubs;
        let mut stubs = vec![
            (s.exit, "exit".to_owned()),
            (s.chain, "chain".to_owned()),
            (s.jump, "jump".to_owned()),
            (s.request, "request".to_owned()),
            (s.resync, "resync".to_owned()),
            (s.dispatch, "dispatch".to_owned()),
            (s.interpret, "interpret".to_owned()),
            (s.call_registers, "call_registers".to_owned()),
        ];
        for (name, at) in s.bulk.iter().flat_map(|bulk| bulk.named()) {
            stubs.push((at, name));
        }
        if let Some(call) = s.system_call {
            stubs.push((call.entry, "system_call".to_owned()));
        }
        for calls in &s.calls {
            for size in 0..4 {
                stubs.push((calls.load[size], format!("load{}", 8 << size)));
                stubs.push((calls.load_aligned[size], format!("load_aligned{}", 8 << size)));
                stubs.push((calls.store_aligned[size], format!("store_aligned{}", 8 << size)));
                stubs.push((calls.store[size], format!("store{}", 8 << size)));
            }
            stubs.push((calls.rmw, "rmw".to_owned()));
            stubs.push((calls.call_fields, "call_fields".to_owned()));
            stubs.push((calls.pure, "pure".to_owned()));
            stubs.push((calls.fp, "fp".to_owned()));
            stubs.push((calls.vector_access, "vector_access".to_owned()));
            stubs.push((calls.vector, "vector".to_owned()));
        }
        stubs.into_iter().find(|(at, _)| *at == target).map_or("?".to_owned(), |(_, name)| name)
    }
}

/// Memory operands as they are printed, and what they are.
fn operands<G: Guest>() -> Vec<(String, String)> {
    let mut named: Vec<(Mem, String)> = Vec::new();
    for reg in G::State::REGS {
        named.push((layout::field(reg.offset as usize), reg.alias.to_owned()));
    }
    named.push((layout::key::<G>(), "key".to_owned()));
    named.push((layout::jumps::<G>(), "jumps".to_owned()));
    named.push((layout::resync::<G>(), "resync".to_owned()));
    named.push((layout::request::<G>(), "request".to_owned()));
    named.push((layout::guest_mxcsr::<G>(), "guest_mxcsr".to_owned()));
    named.push((layout::host_mxcsr::<G>(), "host_mxcsr".to_owned()));
    for n in 0..16 {
        named.push((layout::spill::<G>(n), format!("spill{n}")));
        named.push((layout::spill_vec::<G>(n), format!("vspill{n}")));
    }
    for n in 0..PINS.len() {
        named.push((layout::field(layout::parked::<G>(n)), format!("parked{n}")));
    }
    named.push((layout::exit::<G>(0), "exit0".to_owned()));
    for n in 0..groups::SLOTS as u8 {
        named.push((layout::group::<G>(n), format!("group{n}")));
    }
    let print = |m: Mem| printed(m, None);
    let mut all: Vec<_> =
        named.into_iter().map(|(m, name)| (print(m), format!("[{name}]"))).collect();
    for (store, table) in [(false, "load"), (true, "store")] {
        for (m, part) in
            [(layout::tlb_tag::<G>(store), "tag"), (layout::tlb_addend::<G>(store), "addend")]
        {
            all.push((printed(m, Some((RAX, 0))), format!("[rax+{table}.{part}]")));
        }
    }
    all
}

fn printed(m: asm::Mem, index: Option<(u8, u8)>) -> String {
    let segment = isa::Segment::Ds;
    let disp = m.disp.into();
    isa::Mem { base: Some(RBP), index, disp, segment, addr32: false }.to_string()
}
