//! Finds the names, of a million, that a name is or stands below.
//!
//! Every suffix of two labels and more of every listed name sets two bits of a filter. A look-up
//! starts at the name's last two labels and takes one label more for as long as the filter says that
//! something listed goes on there: a name that has nothing to do with the list costs about one probe.
//! Only what the filter lets through is hashed into the table, and only what is equal is a hit.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::claims::Claims;
use super::model::{ClaimId, Match};
use crate::limits::DNS_NAME_BYTES;
use crate::protocol::dns::Name;

/// Which seed is used can change the speed, never the result.
const HASHER: FixedState = FixedState::with_seed(0x6361_6c6c_686f_6d65);

/// From names to the first claim about each.
#[derive(Debug, Default)]
pub(super) struct DomainTable {
    /// One claim per listed name; further ones of the same name hang on it ([`super::matcher`]).
    names: HashTable<ClaimId>,
    filter: Filter,
}

impl DomainTable {
    /// Adds the name of claim `id`, or gives the claim that already stands for that name.
    pub(super) fn insert(&mut self, id: ClaimId, claims: &Claims) -> Option<ClaimId> {
        let wire = Wire::from_text(claims.value(id));
        let hash = HASHER.hash_one(wire.bytes());
        if let Some(&found) = self.names.find(hash, |&other| claims.value(other) == claims.value(id)) {
            return Some(found);
        }
        self.names
            .insert_unique(hash, id, |&other| HASHER.hash_one(Wire::from_text(claims.value(other)).bytes()));
        None
    }

    /// Builds the filter, once every name is in.
    pub(super) fn finish(&mut self, claims: &Claims) {
        self.names.shrink_to_fit(|&id| HASHER.hash_one(Wire::from_text(claims.value(id)).bytes()));
        self.filter = Filter::for_names(self.names.len());
        for &id in &self.names {
            let wire = Wire::from_text(claims.value(id));
            for suffix in wire.suffixes() {
                self.filter.add(HASHER.hash_one(suffix));
            }
        }
    }

    /// Calls `hit` for each listed name that `name` is or stands below, shortest first, with whether it
    /// is the whole name.
    pub(super) fn find(&self, name: Name<'_>, claims: &Claims, mut hit: impl FnMut(ClaimId, bool)) {
        if self.names.is_empty() {
            return;
        }
        let wire = Wire::folded(name);
        for suffix in wire.suffixes() {
            let hash = HASHER.hash_one(suffix);
            if !self.filter.may_have(hash) {
                return;
            }
            let same = |&id: &ClaimId| Wire::from_text(claims.value(id)).bytes() == suffix;
            if let Some(&id) = self.names.find(hash, same) {
                hit(id, suffix.len() == wire.length);
            }
        }
    }
}

/// Whether a claim that reaches so far holds for a name that is (`whole`) or stands below its value.
pub(super) fn reaches(matching: Match, whole: bool) -> bool {
    whole || matching == Match::Subtree
}

/// A name in wire form with its ASCII letters in lower case, and where its labels begin.
struct Wire {
    bytes: [u8; DNS_NAME_BYTES],
    length: usize,
    starts: [u8; DNS_NAME_BYTES / 2 + 1],
    labels: usize,
}

impl Wire {
    const EMPTY: Self =
        Self { bytes: [0; DNS_NAME_BYTES], length: 0, starts: [0; DNS_NAME_BYTES / 2 + 1], labels: 0 };

    /// A name from the wire. Length bytes are below 64 and no letters, so folding leaves them alone.
    fn folded(name: Name<'_>) -> Self {
        let mut out = Self::EMPTY;
        for label in name.labels() {
            if !out.push(label) {
                return Self::EMPTY;
            }
        }
        out
    }

    /// A name in the normal form of lists.
    fn from_text(text: &str) -> Self {
        let mut out = Self::EMPTY;
        for label in text.split('.') {
            if !out.push(label.as_bytes()) {
                return Self::EMPTY;
            }
        }
        out
    }

    fn push(&mut self, label: &[u8]) -> bool {
        let end = self.length + 1 + label.len();
        let (Some(slot), Some(start)) =
            (self.bytes.get_mut(self.length..end), self.starts.get_mut(self.labels))
        else {
            return false;
        };
        if let Some((length, rest)) = slot.split_first_mut() {
            *length = label.len() as u8;
            rest.copy_from_slice(label);
            rest.make_ascii_lowercase();
        }
        *start = self.length as u8;
        self.labels += 1;
        self.length = end;
        true
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Its suffixes of two labels and more, shortest first, the whole name last.
    fn suffixes(&self) -> impl Iterator<Item = &[u8]> {
        let starts = self.starts.get(..self.labels.saturating_sub(1)).unwrap_or_default();
        starts.iter().rev().filter_map(|&start| self.bytes().get(usize::from(start)..))
    }
}

/// A Bloom filter with both of an entry's bits in one word: one cache line for each question.
#[derive(Debug, Default)]
struct Filter {
    /// A power of two of them.
    words: Vec<u64>,
}

impl Filter {
    /// Room for `names` names at 32 to 64 bits each, which leaves about one false alarm in a hundred.
    fn for_names(names: usize) -> Self {
        Self { words: vec![0; (names / 2 + 1).next_power_of_two()] }
    }

    fn place(&self, hash: u64) -> (usize, u64) {
        // The table uses the hash's low and top bits; the filter takes its bits from the middle.
        let word = (hash >> 20) as usize & (self.words.len() - 1);
        (word, 1 << (hash >> 8 & 63) | 1 << (hash >> 14 & 63))
    }

    fn add(&mut self, hash: u64) {
        let (word, bits) = self.place(hash);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bits;
        }
    }

    fn may_have(&self, hash: u64) -> bool {
        if self.words.is_empty() {
            return false;
        }
        let (word, bits) = self.place(hash);
        self.words.get(word).is_some_and(|word| word & bits == bits)
    }
}
