//! A table with a fixed limit whose entries keep their place, so that a place can be the token
//! of a socket.

/// Up to `limit` values, addressed by small numbers that are used again.
#[derive(Debug)]
pub(super) struct Slots<T> {
    entries: Vec<Option<T>>,
    free: Vec<usize>,
    limit: usize,
}

impl<T> Slots<T> {
    pub(super) fn new(limit: usize) -> Self {
        Slots { entries: Vec::new(), free: Vec::new(), limit }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    /// The place that the next [`Slots::insert`] takes; `None` if the table is full.
    pub(super) fn vacant(&self) -> Option<usize> {
        if self.is_full() {
            return None;
        }
        Some(self.free.last().copied().unwrap_or(self.entries.len()))
    }

    /// Stores `value` at [`Slots::vacant`]; gives it back if the table is full.
    pub(super) fn insert(&mut self, value: T) -> Result<usize, T> {
        if self.is_full() {
            return Err(value);
        }
        match self.free.pop() {
            Some(slot) => {
                self.entries[slot] = Some(value);
                Ok(slot)
            }
            None => {
                self.entries.push(Some(value));
                Ok(self.entries.len() - 1)
            }
        }
    }

    pub(super) fn get(&self, slot: usize) -> Option<&T> {
        self.entries.get(slot)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut T> {
        self.entries.get_mut(slot)?.as_mut()
    }

    pub(super) fn remove(&mut self, slot: usize) -> Option<T> {
        let value = self.entries.get_mut(slot)?.take()?;
        self.free.push(slot);
        Some(value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.entries.iter().enumerate().filter_map(|(slot, entry)| Some((slot, entry.as_ref()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut T)> {
        self.entries
            .iter_mut()
            .enumerate()
            .filter_map(|(slot, entry)| Some((slot, entry.as_mut()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_and_the_limit_holds() {
        let mut slots = Slots::new(2);
        assert_eq!(slots.vacant(), Some(0));
        assert_eq!(slots.insert('a'), Ok(0));
        assert_eq!(slots.insert('b'), Ok(1));
        assert_eq!(slots.insert('c'), Err('c'));
        assert_eq!(slots.vacant(), None);
        assert_eq!(slots.remove(0), Some('a'));
        assert_eq!(slots.remove(0), None);
        assert_eq!(slots.vacant(), Some(0));
        assert_eq!(slots.insert('d'), Ok(0));
        assert_eq!(
            slots.iter().map(|(slot, v)| (slot, *v)).collect::<Vec<_>>(),
            [(0, 'd'), (1, 'b')]
        );
    }
}
