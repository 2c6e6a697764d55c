//! The page of code that the kernel gives to every program: an ELF library whose functions make
//! the system calls that they are named for, and the place where signal handlers return to.

use super::LoadError;
use crate::Mem;
use crate::isa::abi::Abi;
use crate::space::{PAGE, Request, Space};

/// Where the page is.
#[derive(Clone, Debug)]
pub struct Vdso {
    /// AT_SYSINFO_EHDR.
    pub base: u64,
    /// Code that makes the system call rt_sigreturn.
    pub sigreturn: u64,
}

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const SYMBOL: usize = 24;
/// Where code begins.
const CODE: usize = 0x800;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const SONAME: &str = "linux-vdso.so.1";

const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_SYMENT: u64 = 11;
const DT_SONAME: u64 = 14;
const DT_VERSYM: u64 = 0x6fff_fff0;
const DT_VERDEF: u64 = 0x6fff_fffc;
const DT_VERDEFNUM: u64 = 0x6fff_fffd;

/// Puts the page into memory.
pub(super) fn map(space: &Space, mem: Mem, abi: &Abi) -> Result<Vdso, LoadError> {
    let (page, sigreturn) = build(abi);
    let request = Request {
        addr: 0,
        len: PAGE,
        prot: libc::PROT_READ | libc::PROT_WRITE,
        flags: libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        fd: -1,
        offset: 0,
    };
    let base = space.map(request)?;
    mem.write_bytes(base, &page)?;
    space.protect(base, PAGE, libc::PROT_READ | libc::PROT_EXEC)?;
    Ok(Vdso { base, sigreturn: base + sigreturn })
}

/// The hash of symbol names `[ELF]`.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0u32, |h, byte| {
        let h = (h << 4).wrapping_add(u32::from(byte));
        (h & 0x0fff_ffff) ^ (h >> 24 & 0xf0)
    })
}

/// Bytes that grow, with the numbers of ELF.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u16(&mut self, values: &[u16]) {
        self.0.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    }
    fn u32(&mut self, values: &[u32]) {
        self.0.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    }
    fn u64(&mut self, values: &[u64]) {
        self.0.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    }
    /// A string's place in the table.
    fn string(&mut self, text: &str) -> u32 {
        let at = self.0.len() as u32;
        self.0.extend(text.bytes());
        self.0.push(0);
        at
    }
}

/// Puts a table behind what is there, aligned; gives its address.
fn put(page: &mut Vec<u8>, table: &Bytes) -> u64 {
    page.resize(page.len().next_multiple_of(8), 0);
    let at = page.len() as u64;
    page.extend(&table.0);
    at
}

/// The page, and the offset of the signal trampoline.
fn build(abi: &Abi) -> (Vec<u8>, u64) {
    let mut code = Vec::new();
    let mut symbols: Vec<(&str, u64, u64)> = Vec::new();
    let (name, number) = abi.vdso.sigreturn;
    // A word in front: unwinders look for the caller one byte before the return address.
    code.resize(16, 0);
    let functions = std::iter::once((name, number)).chain(abi.vdso.functions.iter().copied());
    let mut sigreturn = 0;
    for (index, (name, number)) in functions.enumerate() {
        code.resize(code.len().next_multiple_of(16), 0);
        let at = (CODE + code.len()) as u64;
        let body = (abi.vdso.code)(number);
        if index == 0 {
            sigreturn = at;
        }
        if !name.is_empty() {
            symbols.push((name, at, body.len() as u64));
        }
        code.extend(body);
    }
    let mut page = tables(abi, &symbols);
    debug_assert!(page.len() <= CODE, "the tables fit in front of the code");
    page.resize(CODE, 0);
    page.extend(code);
    page.resize(PAGE as usize, 0);
    (page, sigreturn)
}

fn tables(abi: &Abi, symbols: &[(&str, u64, u64)]) -> Vec<u8> {
    let mut strings = Bytes::default();
    strings.string("");
    let soname = strings.string(SONAME);
    let version = strings.string(abi.vdso.version);

    let mut symtab = Bytes(vec![0; SYMBOL]);
    let mut versym = Bytes::default();
    versym.u16(&[0]);
    for (name, at, size) in symbols {
        symtab.u32(&[strings.string(name)]);
        // Global function, default visibility, in a section that is not undefined.
        symtab.u16(&[0x12, 1]);
        symtab.u64(&[*at, *size]);
        versym.u16(&[2]);
    }
    // One bucket: every symbol in one chain.
    let count = symbols.len() as u32 + 1;
    let mut hashes = Bytes::default();
    hashes.u32(&[1, count, if count > 1 { 1 } else { 0 }, 0]);
    hashes.u32(&(1..count).map(|i| if i + 1 < count { i + 1 } else { 0 }).collect::<Vec<_>>());
    let mut verdef = Bytes::default();
    for (flags, index, name, text, next) in
        [(1, 1, soname, SONAME, 28), (0, 2, version, abi.vdso.version, 0)]
    {
        verdef.u16(&[1, flags, index, 1]);
        verdef.u32(&[hash(text), 20, next, name, 0]);
    }

    let mut page = vec![0; HEADER + 2 * PROGRAM_HEADER];
    let hash_at = put(&mut page, &hashes);
    let symtab_at = put(&mut page, &symtab);
    let strings_at = put(&mut page, &strings);
    let versym_at = put(&mut page, &versym);
    let verdef_at = put(&mut page, &verdef);
    let mut dynamic = Bytes::default();
    dynamic.u64(&[DT_SONAME, u64::from(soname), DT_HASH, hash_at, DT_SYMTAB, symtab_at]);
    dynamic.u64(&[DT_STRTAB, strings_at, DT_STRSZ, strings.0.len() as u64]);
    dynamic.u64(&[DT_SYMENT, SYMBOL as u64, DT_VERSYM, versym_at]);
    dynamic.u64(&[DT_VERDEF, verdef_at, DT_VERDEFNUM, 2, 0, 0]);
    let dynamic_at = put(&mut page, &dynamic);

    let mut header = Bytes(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec());
    header.u16(&[3, abi.elf_machine]);
    header.u32(&[1]);
    header.u64(&[0, HEADER as u64, 0]);
    header.u32(&[0]);
    header.u16(&[HEADER as u16, PROGRAM_HEADER as u16, 2, 64, 0, 0]);
    header.u32(&[PT_LOAD, 5]);
    header.u64(&[0, 0, 0, PAGE, PAGE, PAGE]);
    header.u32(&[PT_DYNAMIC, 4]);
    let len = dynamic.0.len() as u64;
    header.u64(&[dynamic_at, dynamic_at, dynamic_at, len, len, 8]);
    page[..header.0.len()].copy_from_slice(&header.0);
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::abi::{AARCH64, RISCV64, X86_64};

    #[test]
    fn names_are_hashed_as_elf_does() {
        assert_eq!(hash("LINUX_2.6"), 0x03ae_75f6);
        assert_eq!(hash("LINUX_4.15"), 0x0ae7_7f75);
    }

    #[test]
    fn the_page_is_an_elf_library() {
        for abi in [&RISCV64, &AARCH64, &X86_64] {
            let (page, sigreturn) = build(abi);
            assert_eq!(page.len() as u64, PAGE);
            assert_eq!(super::super::elf::machine(&page), Some(abi.elf_machine));
            let code = &page[sigreturn as usize..];
            assert!(code.starts_with(&(abi.vdso.code)(abi.vdso.sigreturn.1)));
        }
    }

    #[test]
    fn calls_are_encoded() {
        assert_eq!((RISCV64.vdso.code)(139)[..8], [0x93, 0x08, 0xb0, 0x08, 0x73, 0, 0, 0]);
        assert_eq!((AARCH64.vdso.code)(139)[..4], [0x68, 0x11, 0x80, 0xd2]);
        assert_eq!((X86_64.vdso.code)(15)[..7], [0xb8, 15, 0, 0, 0, 0x0f, 5]);
    }
}
