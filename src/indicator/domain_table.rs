//! Finds the names, of a million, that a name is or stands below.
//!
//! Every ending of two labels and more of every listed name sets two bits of a filter, and every listed
//! name a third one. A look-up starts at the name's last two labels and takes one label more for as long
//! as the filter says that something listed goes on there: a name that has nothing to do with the list
//! costs about one probe. Only what the filter lets through as a listed name is looked for in the table,
//! and only what is equal is a hit.
//!
//! Of a million names the filter is 4 MiB, more than a processor keeps near. So a bitmap of a quarter of
//! that is asked before it, once for each name: whether anything listed ends in its last two labels.

use super::claims::Claims;
use super::flat::{Bytes, set_u64, u64_at, words_of};
use super::labels::{Labels, hashes_of};
use super::slots::Slots;

/// From names to the first claim about each.
#[derive(Debug, Default)]
pub(super) struct DomainTable {
    /// One claim per listed name; further ones of the same name hang on it ([`super::further`]).
    pub(super) names: Slots,
    pub(super) filter: Filter,
    pub(super) coarse: Coarse,
    /// How many endings the filter will hold.
    endings: usize,
    /// The claims whose names have endings besides themselves.
    deep: Vec<u32>,
}

impl DomainTable {
    /// The table of a compiled file.
    pub(super) fn from_bytes(names: Bytes, filter: Bytes, coarse: Bytes) -> Self {
        Self {
            names: Slots::from_bytes(names),
            filter: Filter { words: filter },
            coarse: Coarse { words: words_of(&coarse) },
            ..Self::default()
        }
    }

    /// The first claim about `name`, which is in normal form and has that hash ([`super::labels`]).
    pub(super) fn first(&self, name: &str, hash: u64, claims: &Claims) -> Option<u32> {
        let same = |claim| claims.value(claim) == name.as_bytes() && claims.is_domain(claim);
        self.names.find(hash, |claim| same(claim).then_some(claim))
    }

    /// Adds a name, of which [`DomainTable::first`] knows nothing.
    pub(super) fn insert(&mut self, name: &str, hash: u64, claim: u32) {
        self.names.insert(hash, claim);
        let endings = name.bytes().filter(|&byte| byte == b'.').count();
        self.endings += endings;
        if endings > 1 {
            self.deep.push(claim);
        }
    }

    /// Builds the filter, once every name is in.
    pub(super) fn finish(&mut self, claims: &Claims) {
        self.names.finish();
        let deep = std::mem::take(&mut self.deep);
        if self.endings == 0 {
            return;
        }
        self.filter = Filter::for_endings(self.endings);
        self.coarse = Coarse::for_endings(self.endings);
        let (words, coarse) = (self.filter.words.to_mut(), &mut self.coarse.words);
        // In the order of the hashes, which is the filter's own.
        for hash in self.names.hashes() {
            Filter::add(words, hash, Filter::passing(hash) | Filter::listed(hash));
            Coarse::add(coarse, hash);
        }
        for claim in deep {
            // Neither the last label alone nor the whole name.
            let mut hashes = hashes_of(claims.value(claim)).skip(1).peekable();
            hashes.peek().into_iter().for_each(|&two| Coarse::add(coarse, two));
            while let Some(hash) = hashes.next()
                && hashes.peek().is_some()
            {
                Filter::add(words, hash, Filter::passing(hash));
            }
        }
    }

    /// Calls `hit` for each listed name that `name` is or stands below, shortest first, with whether it
    /// is the whole name. `two` is the hash of its last two labels.
    #[inline]
    pub(super) fn find(&self, name: &Labels<'_>, two: u64, claims: &Claims, mut hit: impl FnMut(u32, bool)) {
        self.listed(name, two, |hash, count| {
            let same = |claim| name.spell(count, claims.value(claim)).then_some(claim);
            if let Some(claim) = self.names.find(hash, same) {
                hit(claim, count == name.count());
            }
            false
        });
    }

    /// Whether anything listed may end in the labels whose hash is `two`.
    #[inline]
    pub(super) fn may_have_ending(&self, two: u64) -> bool {
        self.coarse.has(two) && Filter::has(Filter::word(&self.filter.words, two), Filter::passing(two))
    }

    /// Whether [`DomainTable::find`] may find something; seldom `true` when it does not.
    #[inline]
    pub(super) fn may_have(&self, name: &Labels<'_>, two: u64) -> bool {
        self.listed(name, two, |_, _| true)
    }

    /// Calls `visit` with hash and number of labels of each ending that the filter takes for listed, until
    /// it says `true`.
    #[inline]
    fn listed(&self, name: &Labels<'_>, two: u64, mut visit: impl FnMut(u64, usize) -> bool) -> bool {
        if !self.may_have_ending(two) {
            return false;
        }
        let filter: &[u8] = &self.filter.words;
        let (mut hash, mut count) = (two, 2);
        while count <= name.count() {
            let word = Filter::word(filter, hash);
            if !Filter::has(word, Filter::passing(hash)) {
                return false;
            }
            if Filter::has(word, Filter::listed(hash)) && visit(hash, count) {
                return true;
            }
            if count < name.count() {
                hash = name.longer(hash, count);
            }
            count += 1;
        }
        false
    }
}

/// A Bloom filter with all of an entry's bits in one word: one cache line for each question.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) words: Bytes,
}

impl Filter {
    /// Room at 32 bits for each ending, of which three are set at most: one false alarm in a hundred.
    fn for_endings(endings: usize) -> Self {
        Self { words: vec![0; (endings / 2 + 1) * 8].into() }
    }

    /// The word by the hash's upper half, as in the table: all of a filter is made of what [`Slots`] keeps.
    #[inline]
    fn place(words: &[u8], hash: u64) -> usize {
        (((hash >> 32) * (words.len() / 8) as u64) >> 32) as usize
    }

    #[inline]
    fn word(words: &[u8], hash: u64) -> u64 {
        u64_at(words, Self::place(words, hash)).unwrap_or_default()
    }

    /// The bits that an ending sets, by the low bits of the upper half.
    #[inline]
    const fn passing(hash: u64) -> u64 {
        1 << (hash >> 32 & 63) | 1 << (hash >> 38 & 63)
    }

    /// The bit that a listed name sets besides.
    #[inline]
    const fn listed(hash: u64) -> u64 {
        1 << ((hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
    }

    #[inline]
    const fn has(word: u64, bits: u64) -> bool {
        word & bits == bits
    }

    #[inline]
    fn add(words: &mut [u8], hash: u64, bits: u64) {
        let place = Self::place(words, hash);
        let word = u64_at(words, place).unwrap_or_default();
        set_u64(words, place, word | bits);
    }
}

/// A bitmap with one bit for each ending, eight times as many as there are endings.
#[derive(Debug, Default)]
pub(super) struct Coarse {
    pub(super) words: Vec<u64>,
}

impl Coarse {
    fn for_endings(endings: usize) -> Self {
        Self { words: vec![0; endings / 8 + 1] }
    }

    /// The word, and the bit in it, by the hash's upper half.
    #[inline]
    fn place(words: usize, hash: u64) -> (usize, u64) {
        let bit = ((hash >> 32) * (words * 64) as u64) >> 32;
        ((bit >> 6) as usize, 1 << (bit & 63))
    }

    fn add(words: &mut [u64], hash: u64) {
        let (place, bit) = Self::place(words.len(), hash);
        words.get_mut(place).into_iter().for_each(|word| *word |= bit);
    }

    #[inline]
    fn has(&self, hash: u64) -> bool {
        let (place, bit) = Self::place(self.words.len(), hash);
        self.words.get(place).is_some_and(|word| word & bit != 0)
    }
}
