//! Puts the segments of an ELF file into memory.

use std::fs::File;
use std::os::fd::AsRawFd;

use super::LoadError;
use super::elf::{Elf, Segment};
use crate::Mem;
use crate::space::{PAGE, Request, Space, page_up};

/// Where a file has been put.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    /// Added to the file's addresses.
    pub(crate) bias: u64,
    /// Address of the first instruction.
    pub(crate) entry: u64,
    /// Address of the program headers.
    pub(crate) headers: u64,
    /// The end of the highest address.
    pub(crate) end: u64,
}

fn page_down(value: u64) -> u64 {
    value & !(PAGE - 1)
}

/// Maps the segments. A file that can go anywhere goes to `wish`, or where there is room.
pub(crate) fn place(
    space: &Space,
    mem: Mem,
    file: &File,
    elf: &Elf,
    wish: u64,
) -> Result<Placed, LoadError> {
    let extent = elf.extent();
    let low = page_down(extent.start);
    let len = page_up(extent.end - low).ok_or(LoadError::Damaged("it is too large"))?;
    let align = elf.align().max(PAGE);
    let none = Request {
        addr: low,
        len,
        prot: libc::PROT_NONE,
        flags: libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
        fd: -1,
        offset: 0,
    };
    let start = if elf.is_relocatable {
        // Room for the alignment too; what is not needed goes back.
        let room = len.checked_add(align).ok_or(LoadError::NoRoom)?;
        let wish = wish & !(align - 1);
        let got = space.map(Request { addr: wish, len: room, ..none })?;
        let at = got.checked_add(align - 1).ok_or(LoadError::NoRoom)? & !(align - 1);
        for (from, to) in [(got, at), (at + len, got + room)] {
            if from < to {
                space.unmap(from, to - from)?;
            }
        }
        at
    } else {
        let flags = none.flags | libc::MAP_FIXED_NOREPLACE;
        space.map(Request { flags, ..none }).map_err(|_| LoadError::Occupied(low))?
    };
    let bias = start.wrapping_sub(low);
    for segment in &elf.segments {
        map_segment(space, mem, file, segment, bias)?;
    }
    Ok(Placed {
        bias,
        entry: elf.entry.wrapping_add(bias),
        headers: elf.headers.wrapping_add(bias),
        end: extent.end.wrapping_add(bias),
    })
}

fn map_segment(
    space: &Space,
    mem: Mem,
    file: &File,
    s: &Segment,
    bias: u64,
) -> Result<(), LoadError> {
    let begin = s.vaddr.wrapping_add(bias);
    let page = page_down(begin);
    let file_end = begin + s.file_size;
    let mapped_end = if s.file_size == 0 { page } else { page_up(file_end).unwrap_or(page) };
    let end = page_up(begin + s.mem_size).unwrap_or(mapped_end);
    let request = Request {
        addr: page,
        len: mapped_end - page,
        prot: s.prot,
        flags: libc::MAP_PRIVATE | libc::MAP_FIXED,
        fd: file.as_raw_fd(),
        offset: page_down(s.offset),
    };
    if request.len > 0 {
        space.map(request)?;
        if s.mem_size > s.file_size && s.prot & libc::PROT_WRITE != 0 {
            let zeros = vec![0; (mapped_end - file_end) as usize];
            mem.write_bytes(file_end, &zeros)
                .map_err(|_| LoadError::Damaged("it is shorter than one of its segments"))?;
        }
    }
    if end > mapped_end {
        space.map(Request {
            addr: mapped_end,
            len: end - mapped_end,
            flags: libc::MAP_PRIVATE | libc::MAP_FIXED | libc::MAP_ANONYMOUS,
            fd: -1,
            offset: 0,
            ..request
        })?;
    }
    Ok(())
}
