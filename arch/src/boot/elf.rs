//! ELF executables, 64 bits, little-endian `[ELF]`.

use super::{FileKind, Isa, ProgramError, slice_at, u16_at, u32_at, u64_at};

/// An executable to be loaded by its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf<'a> {
    file: &'a [u8],
    /// Physical address of the first instruction.
    pub entry: u64,
    /// What goes to memory, in the file's order; none is empty.
    pub segments: Vec<Segment<'a>>,
}

/// A part of memory that the program fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Where, as a physical address.
    pub paddr: u64,
    /// The address that the program itself uses for it.
    pub vaddr: u64,
    /// What is copied.
    pub bytes: &'a [u8],
    /// How much memory it takes; zero behind `bytes`. The end does not overflow.
    pub mem_size: u64,
}

const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const SHT_SYMTAB: u32 = 2;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const HEADER: u64 = 64;
const PROGRAM_HEADER: usize = 56;
const SECTION_HEADER: usize = 64;
const SYMBOL: usize = 24;

impl<'a> Elf<'a> {
    /// Reads the headers of a file that starts with ELF's signature.
    pub(super) fn parse(file: &'a [u8], isa: Isa) -> Result<Self, ProgramError> {
        let found = FileKind::of(file);
        let len = file.len() as u64;
        if len < HEADER {
            return Err(ProgramError::Truncated { found, part: "the header", needed: HEADER, len });
        }
        let machine = match isa {
            Isa::Riscv64 => 243,
            Isa::Aarch64 => 183,
            Isa::X86_64 => 62,
        };
        if found != FileKind::Elf(machine) {
            return Err(ProgramError::WrongIsa { found, isa });
        }
        if file[4..6] != [2, 1] {
            let why = "of 32 bits or big-endian: a 64-bit little-endian one is needed";
            return Err(ProgramError::Unsupported { found, why });
        }
        if !matches!(u16_at(file, 16), Some(ET_EXEC | ET_DYN)) {
            let why = "but an object, library or core file: an executable is needed";
            return Err(ProgramError::Unsupported { found, why });
        }
        let segments = segments(file, found)?;
        if segments.is_empty() {
            let why = "no segment is to be loaded";
            return Err(ProgramError::Damaged { found, why });
        }
        let mut elf = Self { file, entry: 0, segments };
        elf.entry = elf.physical(u64_at(file, 24).unwrap_or(0));
        Ok(elf)
    }

    /// Physical address of the symbol of that name, `tohost` say.
    pub fn symbol(&self, name: &str) -> Option<u64> {
        let sections = section_headers(self.file)?;
        let header = |n: usize| sections.get(n * SECTION_HEADER..(n + 1) * SECTION_HEADER);
        for section in sections.chunks_exact(SECTION_HEADER) {
            if u32_at(section, 4) != Some(SHT_SYMTAB) {
                continue;
            }
            let symbols = section_bytes(self.file, section)?;
            let names = section_bytes(self.file, header(u32_at(section, 40)? as usize)?)?;
            for symbol in symbols.chunks_exact(SYMBOL) {
                let text = names.get(u32_at(symbol, 0)? as usize..).unwrap_or(&[]);
                if text.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0)) {
                    return Some(self.physical(u64_at(symbol, 8)?));
                }
            }
        }
        None
    }

    /// The 32-bit entry for Xen's PVH, if a note tells one `[XEN-PVH]`.
    pub fn pvh_entry(&self) -> Option<u32> {
        const XEN_ELFNOTE_PHYS32_ENTRY: u32 = 18;
        u32_at(self.note(b"Xen\0", XEN_ELFNOTE_PHYS32_ENTRY)?, 0)
    }

    /// What the note of that name (with its zero at the end) and kind says.
    fn note(&self, name: &[u8], kind: u32) -> Option<&'a [u8]> {
        let count = u64::from(u16_at(self.file, 56)?);
        let table = slice_at(self.file, u64_at(self.file, 32)?, count * PROGRAM_HEADER as u64)?;
        for header in table.chunks_exact(PROGRAM_HEADER) {
            if u32_at(header, 0) != Some(PT_NOTE) {
                continue;
            }
            let mut notes = slice_at(self.file, u64_at(header, 8)?, u64_at(header, 32)?)?;
            while let (Some(name_len), Some(len), Some(found)) =
                (u32_at(notes, 0), u32_at(notes, 4), u32_at(notes, 8))
            {
                let padded = |len: u32| u64::from(len).next_multiple_of(4);
                let start = 12 + padded(name_len);
                let Some(what) = slice_at(notes, start, len.into()) else { break };
                if found == kind && slice_at(notes, 12, name_len.into()) == Some(name) {
                    return Some(what);
                }
                notes = slice_at(notes, start + padded(len), 0)
                    .map_or(&[], |_| &notes[(start + padded(len)) as usize..]);
            }
        }
        None
    }

    /// The lowest address and the end of the highest segment.
    pub fn extent(&self) -> std::ops::Range<u64> {
        let start = self.segments.iter().map(|segment| segment.paddr).min().unwrap_or(0);
        let end = self.segments.iter().map(|segment| segment.paddr + segment.mem_size).max();
        start..end.unwrap_or(start)
    }

    /// Physical address of what the program calls `vaddr`.
    fn physical(&self, vaddr: u64) -> u64 {
        self.segments
            .iter()
            .find(|segment| {
                vaddr.checked_sub(segment.vaddr).is_some_and(|offset| offset < segment.mem_size)
            })
            .map_or(vaddr, |segment| segment.paddr + (vaddr - segment.vaddr))
    }
}

fn segments(file: &[u8], found: FileKind) -> Result<Vec<Segment<'_>>, ProgramError> {
    let len = file.len() as u64;
    let cut = |part, needed| ProgramError::Truncated { found, part, needed, len };
    let fields = (u64_at(file, 32), u16_at(file, 54), u16_at(file, 56));
    let (Some(offset), Some(entry_size), Some(count)) = fields else {
        return Err(cut("the header", HEADER));
    };
    if count > 0 && usize::from(entry_size) != PROGRAM_HEADER {
        let why = "its program headers have no 56 bytes";
        return Err(ProgramError::Damaged { found, why });
    }
    let size = u64::from(count) * PROGRAM_HEADER as u64;
    let table = slice_at(file, offset, size)
        .ok_or_else(|| cut("the table of program headers", offset.saturating_add(size)))?;
    let mut segments = Vec::new();
    for header in table.chunks_exact(PROGRAM_HEADER) {
        let field = |at| u64_at(header, at).unwrap_or(0);
        let (file_size, mem_size) = (field(32), field(40));
        if u32_at(header, 0) != Some(PT_LOAD) || mem_size == 0 {
            continue;
        }
        let (offset, vaddr, paddr) = (field(8), field(16), field(24));
        let bytes = slice_at(file, offset, file_size)
            .ok_or_else(|| cut("a segment", offset.saturating_add(file_size)))?;
        if file_size > mem_size || paddr.checked_add(mem_size).is_none() {
            let why = "a segment is larger than its memory";
            return Err(ProgramError::Damaged { found, why });
        }
        segments.push(Segment { paddr, vaddr, bytes, mem_size });
    }
    Ok(segments)
}

fn section_headers(file: &[u8]) -> Option<&[u8]> {
    let (offset, entry_size) = (u64_at(file, 40)?, u16_at(file, 58)?);
    if usize::from(entry_size) != SECTION_HEADER {
        return None;
    }
    slice_at(file, offset, u64::from(u16_at(file, 60)?) * SECTION_HEADER as u64)
}

fn section_bytes<'a>(file: &'a [u8], header: &[u8]) -> Option<&'a [u8]> {
    slice_at(file, u64_at(header, 24)?, u64_at(header, 32)?)
}
