//! Looking ahead: which arithmetic flags the code that a block leads to asks for.
//!
//! Nearly always the next operation overwrites them all, and then a comparison at the end of a
//! block need not leave them anywhere. What is looked at lies in the block's own page, and the
//! block dies with it ([`crate::cache::Block::ahead`]).

use super::probe::{self, ALL_FLAGS};
use crate::builder::{At, Flow, Reserve};
use crate::guest::{Decoded, Guest};

/// Instructions looked at per exit.
const INSNS: usize = 24;
/// Ways that are followed per exit.
const WAYS: usize = 8;

/// The code around a block.
pub(crate) struct Ahead<'a> {
    /// The bytes of its page.
    bytes: &'a [u8],
    /// Their address.
    start: u64,
    mode: u32,
    /// What has been looked at, as offsets.
    from: usize,
    to: usize,
    /// What is known already.
    known: Vec<(u64, u64)>,
}

impl<'a> Ahead<'a> {
    /// `bytes` are those at address `start`, from the beginning of the page or later.
    pub(crate) fn new(bytes: &'a [u8], start: u64, mode: u32) -> Self {
        Self { bytes, start, mode, from: bytes.len(), to: 0, known: Vec::new() }
    }

    /// Offsets of the bytes that were looked at.
    pub(crate) fn range(&self) -> std::ops::Range<usize> {
        self.from.min(self.to)..self.to
    }

    /// The flags that the code at `pc` may ask for before it overwrites them.
    pub(crate) fn asked<G: Guest>(&mut self, pc: u64) -> u64 {
        if let Some(known) = self.known.iter().find(|known| known.0 == pc) {
            return known.1;
        }
        let asked = self.look::<G>(pc);
        self.known.push((pc, asked));
        asked
    }

    fn look<G: Guest>(&mut self, pc: u64) -> u64 {
        let mut asked = 0;
        // Where to go on, and what is overwritten there.
        let mut ways = vec![(pc, 0)];
        let mut left = INSNS;
        while let Some((mut pc, mut written)) = ways.pop() {
            while asked | written != ALL_FLAGS {
                let Some((at, insn)) = self.decode::<G>(pc).filter(|_| left > 0) else {
                    asked |= ALL_FLAGS & !written;
                    break;
                };
                left -= 1;
                let (usage, flow) = probe::usage_and_flow::<G>(at, insn, self.mode);
                asked |= usage.flags_read & !written;
                written |= usage.flags_written;
                pc = match flow {
                    Flow::Next => at.next(),
                    Flow::Goto(target) => target,
                    Flow::Branch((), target) if ways.len() < WAYS => {
                        ways.push((target, written));
                        at.next()
                    }
                    _ => {
                        asked |= ALL_FLAGS & !written;
                        break;
                    }
                };
            }
        }
        asked
    }

    fn decode<G: Guest>(&mut self, pc: u64) -> Option<(At, G::Insn)> {
        let offset = usize::try_from(pc.wrapping_sub(self.start)).ok()?;
        let bytes = self.bytes.get(offset..).filter(|bytes| !bytes.is_empty())?;
        match G::decode(bytes, self.mode) {
            Decoded::Insn(insn, len) => {
                self.from = self.from.min(offset);
                self.to = self.to.max(offset + usize::from(len));
                Some((At { pc, len, reserve: Reserve::UNKNOWN }, insn))
            }
            _ => None,
        }
    }
}

/// The flags that are asked for where a block is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exits {
    /// For each instruction, where it jumps to.
    pub(crate) jump: Vec<u64>,
    /// Behind the last instruction.
    pub(crate) end: u64,
}

/// The flags that are asked for where a block is left; `insns` gives the places of its
/// instructions and themselves.
pub(crate) fn exits<G: Guest>(
    insns: impl ExactSizeIterator<Item = (At, G::Insn)>,
    usage: &[probe::Usage],
    ahead: &mut Ahead<'_>,
) -> Exits {
    let last = insns.len().wrapping_sub(1);
    let mut end = 0;
    let jump = insns
        .enumerate()
        .map(|(n, (at, insn))| {
            let flow = match usage[n].branches {
                true => probe::usage_and_flow::<G>(at, insn, ahead.mode).1,
                false => Flow::Next,
            };
            if n == last && matches!(flow, Flow::Next | Flow::Branch(..)) {
                end = ahead.asked::<G>(at.next());
            }
            match flow {
                Flow::Next => 0,
                Flow::Goto(target) | Flow::Branch((), target) => ahead.asked::<G>(target),
                _ => ALL_FLAGS,
            }
        })
        .collect();
    Exits { jump, end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::x86_64::X86_64;
    use crate::ops::flags;

    fn asked(code: &[u8]) -> u64 {
        Ahead::new(code, 0x1000, 0).asked::<X86_64>(0x1000)
    }

    #[test]
    fn what_overwrites_asks_for_nothing() {
        // mov eax, ebx; add eax, ebx
        assert_eq!(asked(&[0x89, 0xd8, 0x01, 0xd8]), 0);
        // cmp eax, ebx; je behind
        assert_eq!(asked(&[0x39, 0xd8, 0x74, 0]), 0);
    }

    #[test]
    fn what_reads_asks() {
        // je behind; cmp eax, ebx
        assert_eq!(asked(&[0x74, 0, 0x39, 0xd8]), flags::Z);
        // adc eax, ebx
        assert_eq!(asked(&[0x11, 0xd8]), flags::C);
        // inc eax; and then it is not known.
        assert_eq!(asked(&[0xff, 0xc0]), flags::C);
        // ret, syscall, the end of the page
        for code in [&[0xc3][..], &[0x0f, 0x05], &[]] {
            assert_eq!(asked(code), ALL_FLAGS, "{code:x?}");
        }
    }

    #[test]
    fn all_ways_are_followed() {
        // jrcxz to where setc is, else cmp
        assert_eq!(asked(&[0xe3, 2, 0x39, 0xd8, 0x0f, 0x92, 0xc0, 0x39, 0xd8]), flags::C);
        // jmp to itself asks for nothing, but that is not seen.
        assert_eq!(asked(&[0xeb, 0xfe]), ALL_FLAGS);
    }

    #[test]
    fn what_was_looked_at_is_told() {
        // jmp over four bytes to cmp eax, ebx
        let code = [0x90, 0xeb, 4, 0, 0, 0, 0, 0x39, 0xd8, 0x90];
        let mut ahead = Ahead::new(&code, 0x1000, 0);
        assert_eq!(ahead.range(), 0..0);
        assert_eq!(ahead.asked::<X86_64>(0x1001), 0);
        assert_eq!(ahead.range(), 1..9);
    }
}
