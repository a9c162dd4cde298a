//! From hashes to places in a list: what the tables that the network fills are found by.
//!
//! One word for each place, probed line by line: a look-up that finds nothing, or finds at once, costs one
//! cache line here and nothing else. Who owns the list compares the keys.

use crate::{huge_pages, prefetch};

/// Slots of the smallest index.
const SMALLEST: usize = 64;

/// An index into a list of at most 2^32 - 1 places. Each slot holds the hash's upper half and the place plus one; 0
/// is an empty slot. An entry stands at its home, which the hash's top bits name, or behind it without a hole.
#[derive(Debug)]
pub struct HashIndex {
    /// A power of two of them.
    slots: Vec<u64>,
    len: usize,
}

impl HashIndex {
    /// An empty index that has room for `capacity` places without growing. Memory is used as it is touched.
    pub fn with_capacity(capacity: usize) -> Self {
        let slots = vec![0; (capacity.saturating_mul(2)).next_power_of_two().max(SMALLEST)];
        huge_pages::advise(&slots);
        Self { slots, len: 0 }
    }

    /// How many places.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The place put in with `hash` of which `is_it` says so.
    #[inline]
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = self.home(hash);
        loop {
            let slot = *self.slots.get(at)?;
            if slot == 0 {
                return None;
            }
            if (slot ^ hash) >> 32 == 0 && is_it(place_of(slot)) {
                return Some(place_of(slot));
            }
            at = (at + 1) & mask;
        }
    }

    /// Asks for the memory that a look-up of `hash` begins with.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        prefetch::value(&self.slots, self.home(hash));
    }

    /// Puts in a place that is not there yet.
    pub fn insert(&mut self, hash: u64, place: u32) {
        if (self.len + 1) * 8 > self.slots.len() * 5 {
            self.grow();
        }
        self.len += 1;
        self.put(slot_of(hash, place));
    }

    /// Puts `to` where `from` stands, which was put in with the same hash.
    pub fn replace(&mut self, hash: u64, from: u32, to: u32) {
        if let Some(at) = self.position(hash, from)
            && let Some(slot) = self.slots.get_mut(at)
        {
            *slot = slot_of(hash, to);
        }
    }

    /// Takes out a place that was put in with `hash`; whether it was there.
    pub fn remove(&mut self, hash: u64, place: u32) -> bool {
        let Some(mut hole) = self.position(hash, place) else { return false };
        let mask = self.slots.len() - 1;
        // What stands behind moves up, so that no look-up meets a hole before its entry.
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let Some(&slot) = self.slots.get(at) else { break };
            if slot == 0 {
                break;
            }
            let distance = at.wrapping_sub(self.home(slot)) & mask;
            if distance >= (at.wrapping_sub(hole) & mask) {
                if let Some(empty) = self.slots.get_mut(hole) {
                    *empty = slot;
                }
                hole = at;
            }
        }
        if let Some(slot) = self.slots.get_mut(hole) {
            *slot = 0;
        }
        self.len -= 1;
        true
    }

    fn home(&self, hash: u64) -> usize {
        // There are two slots at least and at most 2^33.
        (hash >> (64 - self.slots.len().trailing_zeros())) as usize
    }

    fn position(&self, hash: u64, place: u32) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let (wanted, mut at) = (slot_of(hash, place), self.home(hash));
        loop {
            match *self.slots.get(at)? {
                0 => return None,
                slot if slot == wanted => return Some(at),
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn put(&mut self, entry: u64) {
        let mask = self.slots.len() - 1;
        let mut at = self.home(entry);
        while let Some(slot) = self.slots.get_mut(at) {
            if *slot == 0 {
                *slot = entry;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let larger = vec![0; self.slots.len() * 2];
        huge_pages::advise(&larger);
        let old = std::mem::replace(&mut self.slots, larger);
        old.into_iter().filter(|slot| *slot != 0).for_each(|slot| self.put(slot));
    }
}

fn slot_of(hash: u64, place: u32) -> u64 {
    (hash & !0xffff_ffff) | (u64::from(place) + 1)
}

fn place_of(slot: u64) -> u32 {
    (slot as u32).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn finds_what_a_map_finds() {
        for capacity in [0, 10, 3000] {
            let (mut index, mut model) = (HashIndex::with_capacity(capacity), BTreeMap::new());
            let mut state = 9_u64;
            for turn in 0..60_000_u32 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let key = (state >> 40) as u32 % 2000;
                // Hashes that crowd together, at the end of the table too.
                let hash = (u64::from(key % 37) << 59) | (u64::from(key) << 30) | 7;
                let found = index.find(hash, |place| place % 2000 == key);
                assert_eq!(found, model.get(&key).copied(), "turn {turn}, key {key}");
                match (found, state >> 33 & 3) {
                    (None, _) => {
                        let place = key + 2000 * (turn % 3);
                        index.insert(hash, place);
                        model.insert(key, place);
                    }
                    (Some(place), 0) => {
                        let to = key + 2000 * (turn % 3);
                        index.replace(hash, place, to);
                        model.insert(key, to);
                    }
                    (Some(place), 1) => {
                        assert!(index.remove(hash, place));
                        assert!(!index.remove(hash, place));
                        model.remove(&key);
                    }
                    _ => {}
                }
                assert_eq!(index.len(), model.len());
            }
        }
    }
}
