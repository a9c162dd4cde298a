//! The index of a ring that is written for ever: from hashes to the numbers of what was written.
//!
//! Each write has a number, one more than the one before, and only the latest of them hold. So what was
//! forgotten is known by its number alone: nothing is ever taken out, and forgetting touches no memory. What no
//! longer holds is room for what comes.

use crate::{huge_pages, prefetch};

/// Words of a bucket, which is one cache line.
const WORDS: usize = 16;
/// Entries of a bucket: a tag of each, then a number of each, then the bucket's mark.
const ENTRIES: usize = 7;
/// Where the number stands of the latest write that found no room here and went on to the next bucket, or behind.
const MARK: usize = 2 * ENTRIES;
/// Whether anything ever went on: else the mark says nothing.
const MARKED: usize = MARK + 1;

/// Which numbers hold: the last `held` before `next`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// The number of the next write. It goes round: what stood in a bucket for all of 2^32 writes would seem to
    /// hold again, which costs its room and nothing else, because who asks compares what the number stands for.
    pub next: u32,
    pub held: u32,
}

impl Window {
    #[inline]
    pub(super) const fn holds(self, number: u32) -> bool {
        self.next.wrapping_sub(number).wrapping_sub(1) < self.held
    }
}

/// Where in the index an entry stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    bucket: usize,
    entry: usize,
}

/// From hashes to the numbers that hold.
#[derive(Debug)]
pub(super) struct RingIndex {
    words: Vec<u32>,
    /// The word where the first bucket begins, with a cache line.
    start: usize,
    /// A power of two.
    buckets: usize,
    /// What is left of a hash when it is shifted by so much is its bucket.
    shift: u32,
}

impl RingIndex {
    /// An index for windows of at most `capacity` numbers, which fill four of seven entries.
    pub(super) fn new(capacity: usize) -> Self {
        let buckets = (capacity.saturating_mul(2) / (ENTRIES + 1)).next_power_of_two().max(2);
        // From the allocator as zeros, which are memory only once they are touched.
        let words = vec![0_u32; (buckets + 1) * WORDS];
        huge_pages::advise(&words);
        let start = words.as_ptr().align_offset(WORDS * size_of::<u32>()).min(WORDS);
        // There are two buckets at least.
        Self { words, start, buckets, shift: 64 - buckets.trailing_zeros() }
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    #[inline]
    fn after(&self, bucket: usize) -> usize {
        (bucket + 1) & (self.buckets - 1)
    }

    #[inline]
    fn bucket(&self, bucket: usize) -> Option<&[u32; WORDS]> {
        self.words.get(self.start + bucket * WORDS..)?.first_chunk()
    }

    #[inline]
    fn bucket_mut(&mut self, bucket: usize) -> Option<&mut [u32; WORDS]> {
        self.words.get_mut(self.start + bucket * WORDS..)?.first_chunk_mut()
    }

    /// Asks for the memory that a look-up of `hash` begins with.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        prefetch::value(&self.words, self.start + self.home(hash) * WORDS);
    }

    /// The number put in with `hash` of which `is_it` says so.
    #[inline(always)]
    pub(super) fn find(
        &self,
        hash: u64,
        window: Window,
        mut is_it: impl FnMut(u32) -> bool,
    ) -> Option<(Spot, u32)> {
        let tag = tag_of(hash);
        let mut at = self.home(hash);
        for _ in 0..self.buckets {
            let bucket = self.bucket(at)?;
            for entry in 0..ENTRIES {
                let number = bucket[ENTRIES + entry];
                if bucket[entry] == tag && window.holds(number) && is_it(number) {
                    return Some((Spot { bucket: at, entry }, number));
                }
            }
            if bucket[MARKED] == 0 || !window.holds(bucket[MARK]) {
                return None;
            }
            at = self.after(at);
        }
        None
    }

    /// Puts in a number that holds, of a hash and a thing that [`RingIndex::find`] does not find.
    #[inline]
    pub(super) fn insert(&mut self, hash: u64, number: u32, window: Window) {
        let mut at = self.home(hash);
        for _ in 0..self.buckets {
            let Some(bucket) = self.bucket_mut(at) else { return };
            for entry in 0..ENTRIES {
                // A tag is never 0: that is an entry never written.
                if bucket[entry] == 0 || !window.holds(bucket[ENTRIES + entry]) {
                    bucket[entry] = tag_of(hash);
                    bucket[ENTRIES + entry] = number;
                    return;
                }
            }
            (bucket[MARK], bucket[MARKED]) = (number, 1);
            at = self.after(at);
        }
    }

    /// Gives the entry at `spot`, which was put in with `hash`, a later number.
    #[inline]
    pub(super) fn renumber(&mut self, spot: Spot, hash: u64, number: u32) {
        let mut at = self.home(hash);
        // The way there must hold as long as what it leads to.
        while at != spot.bucket {
            let Some(bucket) = self.bucket_mut(at) else { return };
            (bucket[MARK], bucket[MARKED]) = (number, 1);
            at = self.after(at);
        }
        if let Some(slot) = self.bucket_mut(at).and_then(|bucket| bucket.get_mut(ENTRIES + spot.entry)) {
            *slot = number;
        }
    }
}

/// A part of the hash that the home does not depend on.
const fn tag_of(hash: u64) -> u32 {
    hash as u32 | 1
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Holds the index against a list, with hashes that crowd into few buckets, at the end of the table too, and
    /// with numbers that go round.
    #[test]
    fn finds_what_a_list_finds() {
        for (capacity, first) in [(1, 0), (5, 0), (40, u32::MAX - 3000), (300, u32::MAX - 50)] {
            let mut index = RingIndex::new(capacity);
            let mut window = Window { next: first, held: 0 };
            // Keys by number; `None` where one moved on.
            let mut written: VecDeque<(u32, Option<u32>)> = VecDeque::new();
            let mut state = 9_u64;
            for turn in 0..20_000_u32 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let key = (state >> 40) as u32 % (capacity as u32 * 2);
                let hash = |key: u32| u64::from(key % 5 + 27) << 59 | u64::from(key) << 3 | 7;
                let find = |index: &RingIndex, written: &VecDeque<(u32, Option<u32>)>, window, key| {
                    let is_it = |number| written.contains(&(number, Some(key)));
                    index.find(hash(key), window, is_it)
                };
                let expected =
                    written.iter().find(|(_, other)| *other == Some(key)).map(|(number, _)| *number);
                let found = find(&index, &written, window, key);
                assert_eq!(found.map(|(_, number)| number), expected, "turn {turn}, key {key}");
                let number = window.next;
                window.next = number.wrapping_add(1);
                window.held = (window.held + 1).min(capacity as u32);
                match found {
                    Some((spot, before)) => {
                        written.iter_mut().find(|(number, _)| *number == before).unwrap().1 = None;
                        index.renumber(spot, hash(key), number);
                    }
                    None => index.insert(hash(key), number, window),
                }
                written.push_back((number, Some(key)));
                if written.len() > capacity {
                    written.pop_front();
                }
                for (number, key) in &written {
                    let Some(key) = key else { continue };
                    let found = find(&index, &written, window, *key).map(|(_, number)| number);
                    assert_eq!(found, Some(*number), "turn {turn}, key {key}");
                }
            }
        }
    }

    #[test]
    fn buckets_are_cache_lines() {
        for capacity in [1, 1000, 100_000] {
            let index = RingIndex::new(capacity);
            let first = index.bucket(0).map_or(0, |bucket| bucket.as_ptr().addr());
            assert_eq!(first % 64, 0);
            assert!(index.bucket(index.buckets - 1).is_some());
            assert!(index.buckets * ENTRIES > capacity);
        }
    }
}
