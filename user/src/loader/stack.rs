//! The first words on a program's stack: arguments, environment, auxiliary vector.

use std::ops::Range;

use super::elf::Elf;
use super::image::Placed;
use super::{LoadError, Program, Vdso};
use crate::isa::abi::Abi;
use crate::space::PAGE;
use crate::{Mem, host};

// Types of the auxiliary vector `[Linux-auxvec]`.
const AT_PHDR: u64 = 3;
const AT_PHENT: u64 = 4;
const AT_PHNUM: u64 = 5;
const AT_PAGESZ: u64 = 6;
const AT_BASE: u64 = 7;
const AT_FLAGS: u64 = 8;
const AT_ENTRY: u64 = 9;
const AT_UID: u64 = 11;
const AT_EUID: u64 = 12;
const AT_GID: u64 = 13;
const AT_EGID: u64 = 14;
const AT_PLATFORM: u64 = 15;
const AT_HWCAP: u64 = 16;
const AT_CLKTCK: u64 = 17;
const AT_SECURE: u64 = 23;
const AT_RANDOM: u64 = 25;
const AT_HWCAP2: u64 = 26;
const AT_EXECFN: u64 = 31;
const AT_SYSINFO_EHDR: u64 = 33;
const AT_MINSIGSTKSZ: u64 = 51;

/// Ticks per second that Linux shows to programs.
const CLOCK_TICKS: u64 = 100;

/// What the stack tells.
pub(super) struct Content<'a> {
    pub(super) abi: &'a Abi,
    pub(super) program: &'a Program<'a>,
    pub(super) elf: &'a Elf,
    pub(super) main: Placed,
    pub(super) interpreter: Option<Placed>,
    pub(super) vdso: &'a Vdso,
}

/// A stack with its content.
pub(super) struct Made {
    pub(super) sp: u64,
    pub(super) auxv: Vec<(u64, u64)>,
    pub(super) args: Range<u64>,
    pub(super) env: Range<u64>,
}

/// A random number, from the kernel.
pub(super) fn random_u64() -> u64 {
    let mut bytes = [0; 8];
    host::identity::random(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Strings, from the top of the stack downwards.
struct Strings {
    /// The lowest address so far.
    at: u64,
    lowest: u64,
    /// What goes to `at`, the last byte first.
    reversed: Vec<u8>,
}

impl Strings {
    fn push(&mut self, bytes: &[u8]) -> Result<u64, LoadError> {
        self.at = self.at.checked_sub(bytes.len() as u64).ok_or(LoadError::TooLong)?;
        if self.at < self.lowest {
            return Err(LoadError::TooLong);
        }
        self.reversed.extend(bytes.iter().rev());
        Ok(self.at)
    }

    fn push_string(&mut self, text: &[u8]) -> Result<u64, LoadError> {
        self.push(&[0])?;
        self.push(text)
    }

    /// Pushes strings so that the first has the lowest address; gives the address of each, and
    /// the range of all.
    fn push_all(&mut self, texts: &[Vec<u8>]) -> Result<(Vec<u64>, Range<u64>), LoadError> {
        let end = self.at;
        let mut at = Vec::with_capacity(texts.len());
        for text in texts.iter().rev() {
            at.push(self.push_string(text)?);
        }
        at.reverse();
        Ok((at, self.at..end))
    }
}

/// Writes the content to the top of the stack.
pub(super) fn build(mem: Mem, stack: Range<u64>, c: &Content<'_>) -> Result<Made, LoadError> {
    let size = stack.end - stack.start;
    let top = stack.end - 8;
    let mut strings = Strings { at: top, lowest: stack.end - size / 4, reversed: Vec::new() };
    let name = strings.push_string(c.program.name)?;
    let (env_at, env) = strings.push_all(c.program.env)?;
    let (args_at, args) = strings.push_all(c.program.args)?;
    let platform = match c.abi.platform {
        Some(name) => Some(strings.push_string(name.as_bytes())?),
        None => None,
    };
    let mut random = [0; 16];
    host::identity::random(&mut random);
    let random = strings.push(&random)?;

    let mut auxv = vec![(AT_SYSINFO_EHDR, c.vdso.base)];
    auxv.push((AT_MINSIGSTKSZ, c.abi.min_signal_stack));
    auxv.extend([(AT_HWCAP, c.program.hwcap[0]), (AT_PAGESZ, PAGE), (AT_CLKTCK, CLOCK_TICKS)]);
    auxv.extend([(AT_PHDR, c.main.headers), (AT_PHENT, 56)]);
    auxv.extend([(AT_PHNUM, u64::from(c.elf.header_count))]);
    auxv.extend([(AT_BASE, c.interpreter.map_or(0, |i| i.bias)), (AT_FLAGS, 0)]);
    auxv.push((AT_ENTRY, c.main.entry));
    let who = host::identity::get();
    auxv.extend([(AT_UID, who.uid), (AT_EUID, who.euid), (AT_GID, who.gid), (AT_EGID, who.egid)]);
    auxv.extend([(AT_SECURE, who.secure), (AT_RANDOM, random)]);
    auxv.extend([(AT_HWCAP2, c.program.hwcap[1]), (AT_EXECFN, name)]);
    auxv.extend(platform.map(|at| (AT_PLATFORM, at)));
    auxv.push((0, 0));

    let mut words = vec![c.program.args.len() as u64];
    words.extend(&args_at);
    words.push(0);
    words.extend(&env_at);
    words.push(0);
    words.extend(auxv.iter().flat_map(|(kind, value)| [*kind, *value]));
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let sp = strings.at.checked_sub(bytes.len() as u64).ok_or(LoadError::TooLong)? & !15;
    if sp < strings.lowest {
        return Err(LoadError::TooLong);
    }
    mem.write_bytes(sp, &bytes)?;
    strings.reversed.reverse();
    mem.write_bytes(strings.at, &strings.reversed)?;
    Ok(Made { sp, auxv, args, env })
}
