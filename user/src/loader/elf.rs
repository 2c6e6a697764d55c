//! ELF files as far as the kernel looks at them: header and program headers, 64 bits,
//! little-endian `[ELF]`.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::LoadError;

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_PHDR: u32 = 6;
const PT_GNU_STACK: u32 = 0x6474_e551;
/// What Linux reads of program headers at most.
const MOST_HEADERS: usize = 65536 / PROGRAM_HEADER;
/// PATH_MAX.
const LONGEST_INTERPRETER: u64 = 4096;

/// A part of the file that goes to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) offset: u64,
    pub(crate) vaddr: u64,
    pub(crate) file_size: u64,
    pub(crate) mem_size: u64,
    pub(crate) align: u64,
    /// PROT flags.
    pub(crate) prot: i32,
}

/// What the headers say.
#[derive(Debug)]
pub(crate) struct Elf {
    pub(crate) machine: u16,
    /// Loaded anywhere.
    pub(crate) is_relocatable: bool,
    pub(crate) entry: u64,
    pub(crate) segments: Vec<Segment>,
    pub(crate) interpreter: Option<Vec<u8>>,
    /// The program wants a stack that can be executed, or does not say.
    pub(crate) executable_stack: Option<bool>,
    /// Address of the program headers in memory, before relocation.
    pub(crate) headers: u64,
    pub(crate) header_count: u16,
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// `e_machine`, if the bytes begin as a 64-bit little-endian ELF file does.
pub(crate) fn machine(head: &[u8]) -> Option<u16> {
    (head.len() >= 20 && head.starts_with(b"\x7fELF\x02\x01")).then(|| u16_at(head, 18))
}

impl Elf {
    /// Reads the headers of a program or of its interpreter.
    pub(crate) fn read(file: &File) -> Result<Self, LoadError> {
        let mut head = [0; HEADER];
        file.read_exact_at(&mut head, 0)
            .map_err(|_| LoadError::Damaged("it ends in its header"))?;
        let Some(machine) = machine(&head) else {
            return Err(LoadError::Damaged("it is no 64-bit little-endian ELF file"));
        };
        let kind = u16_at(&head, 16);
        if !matches!(kind, ET_EXEC | ET_DYN) {
            return Err(LoadError::Damaged("it is an object or core file, no program"));
        }
        let count = usize::from(u16_at(&head, 56));
        if usize::from(u16_at(&head, 54)) != PROGRAM_HEADER || count == 0 || count > MOST_HEADERS {
            return Err(LoadError::Damaged("it has no valid program headers"));
        }
        let offset = u64_at(&head, 32);
        let mut headers = vec![0; count * PROGRAM_HEADER];
        file.read_exact_at(&mut headers, offset)
            .map_err(|_| LoadError::Damaged("it ends in its program headers"))?;
        let mut elf = Self {
            machine,
            is_relocatable: kind == ET_DYN,
            entry: u64_at(&head, 24),
            segments: Vec::new(),
            interpreter: None,
            executable_stack: None,
            headers: 0,
            header_count: count as u16,
        };
        let mut own_headers = None;
        for header in headers.chunks_exact(PROGRAM_HEADER) {
            match u32_at(header, 0) {
                PT_LOAD => elf.segments.extend(segment(header)?),
                PT_INTERP if elf.interpreter.is_none() => {
                    elf.interpreter = Some(interpreter(file, header)?);
                }
                PT_PHDR => own_headers = Some(u64_at(header, 16)),
                PT_GNU_STACK => elf.executable_stack = Some(u32_at(header, 4) & 1 != 0),
                _ => {}
            }
        }
        if elf.segments.is_empty() {
            return Err(LoadError::Damaged("it has nothing to be loaded"));
        }
        elf.headers = own_headers.unwrap_or_else(|| elf.address_of(offset));
        Ok(elf)
    }

    /// Where a part of the file is in memory, before relocation; 0 if it is not.
    fn address_of(&self, offset: u64) -> u64 {
        self.segments
            .iter()
            .find(|s| offset.checked_sub(s.offset).is_some_and(|d| d < s.file_size))
            .map_or(0, |s| s.vaddr.wrapping_add(offset - s.offset))
    }

    /// The addresses that the segments take, before relocation.
    pub(crate) fn extent(&self) -> Range<u64> {
        let low = self.segments.iter().map(|s| s.vaddr).min().unwrap_or(0);
        // `segment` has checked that this does not overflow.
        let high = self.segments.iter().map(|s| s.vaddr + s.mem_size).max().unwrap_or(low);
        low..high
    }

    /// The largest alignment of a segment.
    pub(crate) fn align(&self) -> u64 {
        self.segments.iter().map(|s| s.align).filter(|a| a.is_power_of_two()).max().unwrap_or(1)
    }
}

fn segment(header: &[u8]) -> Result<Option<Segment>, LoadError> {
    let flags = u32_at(header, 4);
    let prot = [(4, libc::PROT_READ), (2, libc::PROT_WRITE), (1, libc::PROT_EXEC)]
        .iter()
        .filter(|(flag, _)| flags & flag != 0)
        .fold(0, |prot, (_, bit)| prot | bit);
    let s = Segment {
        offset: u64_at(header, 8),
        vaddr: u64_at(header, 16),
        file_size: u64_at(header, 32),
        mem_size: u64_at(header, 40),
        align: u64_at(header, 48),
        prot,
    };
    let end = s.vaddr.checked_add(s.mem_size);
    let file_end = s.offset.checked_add(s.file_size);
    if s.file_size > s.mem_size
        || end.is_none_or(|end| end > crate::space::END)
        || file_end.is_none()
        || s.offset % 4096 != s.vaddr % 4096
    {
        return Err(LoadError::Damaged("the bounds of a segment make no sense"));
    }
    Ok((s.mem_size > 0).then_some(s))
}

fn interpreter(file: &File, header: &[u8]) -> Result<Vec<u8>, LoadError> {
    let (offset, len) = (u64_at(header, 8), u64_at(header, 32));
    if !(2..=LONGEST_INTERPRETER).contains(&len) {
        return Err(LoadError::Damaged("the name of its interpreter is too short or too long"));
    }
    let mut name = vec![0; len as usize];
    file.read_exact_at(&mut name, offset)
        .map_err(|_| LoadError::Damaged("it ends before the name of its interpreter"))?;
    let end = name.iter().position(|&b| b == 0);
    let Some(end) = end else {
        return Err(LoadError::Damaged("the name of its interpreter has no end"));
    };
    name.truncate(end);
    Ok(name)
}
