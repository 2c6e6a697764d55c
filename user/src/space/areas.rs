//! Which addresses are the guest's, and what it may do there.

use std::collections::BTreeMap;
use std::ops::Range;

/// Reading is allowed; the numbers are those of mmap(2).
pub const READ: u8 = 1;
/// Writing is allowed.
pub const WRITE: u8 = 2;
/// Execution is allowed.
pub const EXEC: u8 = 4;

/// What is the same for all of an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// [`READ`], [`WRITE`], [`EXEC`].
    pub prot: u8,
    /// It grows towards lower addresses when it is touched below its start.
    pub grows: bool,
    /// Others see what is stored here.
    pub shared: bool,
}

#[derive(Clone, Copy, Debug)]
struct Area {
    end: u64,
    kind: Kind,
}

/// Areas that do not overlap; neighbours of one kind are one area.
#[derive(Debug, Default)]
pub(super) struct Areas {
    by_start: BTreeMap<u64, Area>,
}

impl Areas {
    /// The area around `va`.
    pub(super) fn at(&self, va: u64) -> Option<(Range<u64>, Kind)> {
        let (start, area) = self.by_start.range(..=va).next_back()?;
        (va < area.end).then_some((*start..area.end, area.kind))
    }

    /// The first area that ends above `va`.
    pub(super) fn next(&self, va: u64) -> Option<(Range<u64>, Kind)> {
        self.at(va).or_else(|| {
            let (start, area) = self.by_start.range(va..).next()?;
            Some((*start..area.end, area.kind))
        })
    }

    /// The areas that overlap `range`, cut to it, in order.
    pub(super) fn within(
        &self,
        range: Range<u64>,
    ) -> impl Iterator<Item = (Range<u64>, Kind)> + '_ {
        let first = self.at(range.start).map_or(range.start, |(area, _)| area.start);
        let (low, high) = (range.start, range.end);
        self.by_start
            .range(first..high.max(first))
            .map(move |(start, area)| (low.max(*start)..high.min(area.end), area.kind))
            .filter(|(part, _)| part.start < part.end)
    }

    /// The parts of `range` that belong to no area, in order.
    pub(super) fn gaps(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = range.start;
        for (area, _) in self.within(range.clone()) {
            if at < area.start {
                gaps.push(at..area.start);
            }
            at = area.end;
        }
        if at < range.end {
            gaps.push(at..range.end);
        }
        gaps
    }

    /// No part of `range` belongs to an area.
    pub(super) fn is_free(&self, range: Range<u64>) -> bool {
        self.within(range).next().is_none()
    }

    /// All of `range` belongs to areas.
    pub(super) fn is_full(&self, range: Range<u64>) -> bool {
        let mut at = range.start;
        for (area, _) in self.within(range.clone()) {
            if area.start != at {
                return false;
            }
            at = area.end;
        }
        at >= range.end
    }

    /// Some part of `range` may be executed.
    pub(super) fn executes(&self, range: Range<u64>) -> bool {
        self.within(range).any(|(_, kind)| kind.prot & EXEC != 0)
    }

    /// Takes `range` out.
    pub(super) fn remove(&mut self, range: Range<u64>) {
        self.split(range.start);
        self.split(range.end);
        while let Some((&start, _)) = self.by_start.range(range.clone()).next() {
            self.by_start.remove(&start);
        }
    }

    /// Puts an area in, over what was there.
    pub(super) fn insert(&mut self, range: Range<u64>, kind: Kind) {
        if range.is_empty() {
            return;
        }
        self.remove(range.clone());
        let Range { mut start, mut end } = range;
        if let Some((&before, area)) = self.by_start.range(..start).next_back()
            && area.end == start
            && area.kind == kind
        {
            start = before;
        }
        if let Some(area) = self.by_start.get(&end)
            && area.kind == kind
        {
            let last = area.end;
            self.by_start.remove(&end);
            end = last;
        }
        self.by_start.insert(start, Area { end, kind });
    }

    /// Changes what is allowed in all areas of `range`.
    pub(super) fn protect(&mut self, range: Range<u64>, prot: u8) {
        let parts: Vec<_> = self.within(range).collect();
        for (part, kind) in parts {
            self.insert(part, Kind { prot, ..kind });
        }
    }

    /// The highest place of `len` bytes that ends at or below `end` and begins at or above `low`.
    pub(super) fn place_below(&self, len: u64, low: u64, end: u64) -> Option<u64> {
        let mut end = match self.at(end.checked_sub(1)?) {
            Some((area, _)) => area.start,
            None => end,
        };
        for (start, area) in self.by_start.range(..end).rev() {
            if end.saturating_sub(area.end) >= len {
                break;
            }
            end = *start;
        }
        let start = end.checked_sub(len)?;
        (start >= low && self.is_free(start..end)).then_some(start)
    }

    /// An area begins or ends at `at` afterwards, if one lies there.
    fn split(&mut self, at: u64) {
        if let Some((range, kind)) = self.at(at)
            && range.start < at
        {
            self.by_start.insert(range.start, Area { end: at, kind });
            self.by_start.insert(at, Area { end: range.end, kind });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RW: Kind = Kind { prot: READ | WRITE, grows: false, shared: false };
    const RO: Kind = Kind { prot: READ, ..RW };

    fn list(areas: &Areas) -> Vec<(u64, u64, u8)> {
        areas.within(0..u64::MAX).map(|(r, kind)| (r.start, r.end, kind.prot)).collect()
    }

    #[test]
    fn neighbours_of_one_kind_are_one_area() {
        let mut areas = Areas::default();
        areas.insert(10..20, RW);
        areas.insert(30..40, RW);
        areas.insert(20..30, RW);
        assert_eq!(list(&areas), [(10, 40, 3)]);
        areas.insert(15..25, RO);
        assert_eq!(list(&areas), [(10, 15, 3), (15, 25, 1), (25, 40, 3)]);
        areas.protect(0..100, READ | WRITE);
        assert_eq!(list(&areas), [(10, 40, 3)]);
        areas.remove(12..14);
        areas.remove(35..100);
        assert_eq!(list(&areas), [(10, 12, 3), (14, 35, 3)]);
    }

    #[test]
    fn gaps_are_found() {
        let mut areas = Areas::default();
        areas.insert(10..20, RW);
        areas.insert(30..40, RO);
        assert_eq!(areas.gaps(5..45), [5..10, 20..30, 40..45]);
        assert_eq!(areas.gaps(12..18), []);
        assert!(areas.is_full(30..40) && !areas.is_full(10..31));
        assert!(areas.is_free(20..30) && !areas.is_free(19..20));
        assert_eq!(areas.next(20), Some((30..40, RO)));
        assert_eq!(areas.next(40), None);
    }

    #[test]
    fn places_are_taken_from_above() {
        let mut areas = Areas::default();
        areas.insert(90..95, RW);
        areas.insert(50..80, RO);
        assert_eq!(areas.place_below(5, 0, 100), Some(95));
        assert_eq!(areas.place_below(6, 0, 100), Some(84));
        assert_eq!(areas.place_below(6, 0, 93), Some(84));
        assert_eq!(areas.place_below(11, 0, 100), Some(39));
        assert_eq!(areas.place_below(50, 0, 100), Some(0));
        assert_eq!(areas.place_below(50, 1, 100), None);
        assert_eq!(areas.place_below(51, 0, 100), None);
        assert_eq!(areas.place_below(10, 0, 45), Some(35));
    }
}
