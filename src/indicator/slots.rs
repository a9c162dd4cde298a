//! An open hash table of claims that stores a part of each hash and no value.
//!
//! A slot is eight bytes: the hash's upper half, and the claim's number plus one; zero is empty. A slot's
//! home is its half of the hash, scaled to the number of slots. So the table grows, in order and without
//! looking at a value, from what the slots hold; and it can have any size, not only powers of two.

use super::flat::{Bytes, set_u64, u64_at};

/// From hashes to claims.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Bytes,
    used: usize,
}

impl Slots {
    /// A table as [`Slots::bytes`] gave it.
    pub(super) fn from_bytes(slots: Bytes) -> Self {
        Self { slots, used: 0 }
    }

    /// The table itself, for a compiled file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.slots
    }

    /// Calls `visit` for each claim whose hash has the same upper half as `hash`, until it gives
    /// something.
    #[inline]
    pub(super) fn find<T>(&self, hash: u64, mut visit: impl FnMut(u32) -> Option<T>) -> Option<T> {
        let slots: &[u8] = &self.slots;
        let count = slots.len() / 8;
        let tag = hash >> 32;
        let mut at = home(tag, count);
        // A file may lack the empty slot that ends every search here.
        for _ in 0..count {
            let slot = u64_at(slots, at)?;
            if slot == 0 {
                return None;
            }
            if slot >> 32 == tag
                && let Some(found) = visit((slot as u32).wrapping_sub(1))
            {
                return Some(found);
            }
            at += 1;
            if at == count {
                at = 0;
            }
        }
        None
    }

    /// Makes room for so many claims more.
    pub(super) fn reserve(&mut self, more: usize) {
        let all = self.used + more;
        if all > self.slots.len() / 8 / 4 * 3 {
            self.resize(all / 3 * 4 + 16);
        }
    }

    /// The upper half of each hash, in its place, in the order of the slots: nearly that of the hashes.
    pub(super) fn hashes(&self) -> impl Iterator<Item = u64> {
        let slots = self.slots.as_chunks::<8>().0.iter().map(|slot| u64::from_le_bytes(*slot));
        slots.filter(|&slot| slot != 0).map(|slot| slot >> 32 << 32)
    }

    /// Looks at the slot where a search begins, so that it is near when it is asked. Many of these in a row
    /// wait for the memory together, and the searches after them hardly at all.
    #[inline]
    pub(super) fn touch(&self, hash: u64) -> u64 {
        u64_at(&self.slots, home(hash >> 32, self.slots.len() / 8)).unwrap_or_default()
    }

    /// Adds a claim, whether or not there is one of the same hash.
    pub(super) fn insert(&mut self, hash: u64, claim: u32) {
        let count = self.slots.len() / 8;
        if self.used >= count / 4 * 3 {
            self.resize((count * 2).max(16));
        }
        put(self.slots.to_mut(), hash >> 32 << 32 | u64::from(claim.wrapping_add(1)));
        self.used += 1;
    }

    /// Gives back what was only needed for growing.
    pub(super) fn finish(&mut self) {
        if self.slots.len() / 8 > self.used / 4 * 7 {
            self.resize(if self.used == 0 { 0 } else { self.used + self.used / 2 + 1 });
        }
        self.slots.to_mut().shrink_to_fit();
    }

    fn resize(&mut self, count: usize) {
        let mut slots = vec![0; count * 8];
        for slot in self.slots.as_chunks::<8>().0 {
            let slot = u64::from_le_bytes(*slot);
            if slot != 0 {
                put(&mut slots, slot);
            }
        }
        self.slots = slots.into();
    }
}

/// Where the search for an upper half of a hash begins.
#[inline]
const fn home(tag: u64, count: usize) -> usize {
    ((tag as u128 * count as u128) >> 32) as usize
}

fn put(slots: &mut [u8], slot: u64) {
    let count = slots.len() / 8;
    let mut at = home(slot >> 32, count);
    for _ in 0..count {
        if u64_at(slots, at) == Some(0) {
            set_u64(slots, at, slot);
            return;
        }
        at = if at + 1 == count { 0 } else { at + 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::mix;
    use super::*;

    #[test]
    fn every_claim_is_found_however_the_table_grew() {
        let mut slots = Slots::default();
        assert_eq!(slots.find(7, Some), None);
        for claim in 0..10_000 {
            // Ten claims share each hash.
            slots.insert(mix(1, u64::from(claim % 1000)), claim);
        }
        for round in 0..2 {
            for key in 0..1000 {
                let mut found = Vec::new();
                let ended = slots.find(mix(1, key), |claim| {
                    found.push(claim);
                    None::<()>
                });
                found.sort_unstable();
                let expected: Vec<u32> = (0..10).map(|n| n * 1000 + key as u32).collect();
                assert_eq!((found, ended), (expected, None), "round {round}");
            }
            assert_eq!(slots.find(mix(1, 5000), Some), None);
            slots.finish();
        }
        assert!(slots.bytes().len() < 10_000 * 8 * 7 / 4 + 16);
    }

    #[test]
    fn a_full_table_ends_every_search() {
        let slots = Slots::from_bytes([0xff; 64].to_vec().into());
        assert_eq!(slots.find(3, Some), None);
        assert_eq!(slots.find(u64::MAX, |_| None::<()>), None);
        assert_eq!(Slots::from_bytes(vec![1; 3].into()).find(3, Some), None);
    }
}
