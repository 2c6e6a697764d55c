//! The form of the file: pages of code by the hash of their content, and for each the offsets of
//! the blocks that are worth translating at once.
//!
//! Little-endian words: [`MAGIC`], the key of the file, the hash of everything behind it, the
//! generation (32 bits), the number of pages (32 bits); then for each page, in the order of their
//! hashes, its hash, where its offsets end, counted in offsets from the first page's (32 bits),
//! and the generation that saw it last (32 bits); then the offsets, 16 bits each, ascending within
//! a page.
//!
//! A table is searched as it lies in the file: nothing is unpacked for a program that asks for a
//! few pages. What is wrong in it may make an answer wrong, never an index.

use std::collections::BTreeMap;

use super::hash::hash;

/// The file's kind and form.
const MAGIC: &[u8; 8] = b"PVlearn1";
/// Bytes in front of the hash of the rest, that hash included.
const HASHED_FROM: usize = 24;
const HEADER: usize = 32;
const ROW: usize = 16;
const OFFSET: usize = 2;

/// A file as it was read.
#[derive(Debug)]
pub(super) struct Table {
    bytes: Vec<u8>,
    pages: usize,
}

/// Where the offsets of a page are, counted in offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    first: u32,
    end: u32,
}

/// A page, and the offsets of its blocks.
pub(super) type PageBlocks<'a> = (u64, &'a [u16]);

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn double(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

impl Table {
    /// The table that a file holds; `None` if it is none of this key, or not as it was written.
    pub(super) fn new(bytes: Vec<u8>, key: u64) -> Option<Self> {
        let pages = word(&bytes, 28)? as usize;
        let sound = bytes.starts_with(MAGIC)
            && double(&bytes, 8)? == key
            && pages <= (bytes.len() - HEADER) / ROW
            && double(&bytes, 16)? == hash(&bytes[HASHED_FROM..]);
        sound.then_some(Self { bytes, pages })
    }

    fn generation(&self) -> u32 {
        word(&self.bytes, 24).unwrap_or(0)
    }

    /// The hash of a page, where its offsets end, and when it was seen last.
    fn row(&self, page: usize) -> Option<(u64, u32, u32)> {
        let at = HEADER + page * ROW;
        Some((double(&self.bytes, at)?, word(&self.bytes, at + 8)?, word(&self.bytes, at + 12)?))
    }

    /// Where the offsets of a page end, and those of the next begin.
    fn end(&self, page: usize) -> u32 {
        self.row(page).map_or(0, |(_, end, _)| end)
    }

    fn offset(&self, at: u32) -> Option<u16> {
        let at = HEADER + self.pages * ROW + at as usize * OFFSET;
        Some(u16::from_le_bytes(self.bytes.get(at..at + OFFSET)?.try_into().ok()?))
    }

    /// The blocks of the page whose content has this hash.
    pub(super) fn find(&self, hash: u64) -> Option<Span> {
        let (mut low, mut high) = (0, self.pages);
        while low < high {
            let middle = low + (high - low) / 2;
            let (found, end, _) = self.row(middle)?;
            if found == hash {
                let first = middle.checked_sub(1).map_or(0, |before| self.end(before));
                return Some(Span { first, end });
            }
            if found < hash { low = middle + 1 } else { high = middle }
        }
        None
    }

    /// Whether a block begins at `offset`.
    pub(super) fn holds(&self, span: Span, offset: u16) -> bool {
        let (mut low, mut high) = (span.first, span.end);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.offset(middle) {
                Some(found) if found == offset => return true,
                Some(found) if found < offset => low = middle + 1,
                _ => high = middle,
            }
        }
        false
    }

    /// Pages, when they were seen last, and their offsets, up to the first row that cannot be
    /// right.
    fn pages(&self) -> impl Iterator<Item = (u64, u32, Vec<u16>)> {
        let mut first = 0;
        (0..self.pages).map_while(move |page| {
            let (hash, end, seen) = self.row(page)?;
            // So all of them together are no more than the file has.
            let offsets: Option<Vec<u16>> =
                (end >= first).then(|| (first..end).map_while(|at| self.offset(at)).collect());
            first = end;
            Some((hash, seen, offsets?))
        })
    }
}

/// The file that holds what `old` has and `new` besides, in no more than `most` bytes: pages that
/// were not seen for longest are left out.
pub(super) fn merge(old: Option<&Table>, new: &[PageBlocks<'_>], key: u64, most: usize) -> Vec<u8> {
    let generation = old.map_or(0, Table::generation).saturating_add(1);
    let mut pages: BTreeMap<u64, (u32, Vec<u16>)> = BTreeMap::new();
    for (hash, seen, offsets) in old.into_iter().flat_map(Table::pages) {
        pages.insert(hash, (seen, offsets));
    }
    for (hash, offsets) in new {
        let page = pages.entry(*hash).or_default();
        page.0 = generation;
        page.1.extend_from_slice(offsets);
    }
    for (_, offsets) in pages.values_mut() {
        offsets.sort_unstable();
        offsets.dedup();
    }
    drop_oldest(&mut pages, most.saturating_sub(HEADER));
    write(&pages, generation, key)
}

/// Leaves no more than `most` bytes of pages, the latest.
fn drop_oldest(pages: &mut BTreeMap<u64, (u32, Vec<u16>)>, most: usize) {
    let mut by_age: Vec<(u32, u64)> = pages.iter().map(|(hash, page)| (page.0, *hash)).collect();
    by_age.sort_unstable();
    let mut bytes = 0;
    for (_, hash) in by_age.into_iter().rev() {
        let page = pages.get(&hash).map_or(0, |page| ROW + OFFSET * page.1.len());
        if bytes + page > most {
            pages.remove(&hash);
        } else {
            bytes += page;
        }
    }
}

fn write(pages: &BTreeMap<u64, (u32, Vec<u16>)>, generation: u32, key: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(MAGIC);
    bytes.extend(key.to_le_bytes());
    bytes.extend([0; 8]);
    bytes.extend(generation.to_le_bytes());
    bytes.extend((pages.len() as u32).to_le_bytes());
    let mut end = 0;
    for (hash, (seen, offsets)) in pages {
        end += offsets.len() as u32;
        bytes.extend(hash.to_le_bytes());
        bytes.extend(end.to_le_bytes());
        bytes.extend(seen.to_le_bytes());
    }
    for (_, offsets) in pages.values() {
        bytes.extend(offsets.iter().flat_map(|offset| offset.to_le_bytes()));
    }
    let sum = hash(&bytes[HASHED_FROM..]);
    bytes[16..HASHED_FROM].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests;
