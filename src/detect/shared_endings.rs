//! Endings of two labels below which everybody has a domain of his own: `co.uk`, `duckdns.org`.
//!
//! The sieve counts by the last two labels, which are a registered domain of nearly every name. Of the others it must
//! not count what many domains have together.

use hashbrown::HashSet;

use crate::{indicator::folded_hash, limits, protocol::dns::Name};

/// Words of the bitmap before the set: 512 bytes.
const WORDS: usize = 64;

/// The endings that have shown to be public suffixes; there are a few thousand in the world.
#[derive(Debug)]
pub struct SharedEndings {
    bits: [u64; WORDS],
    endings: HashSet<u64, foldhash::fast::FixedState>,
}

impl Default for SharedEndings {
    fn default() -> Self {
        Self { bits: [0; WORDS], endings: HashSet::default() }
    }
}

impl SharedEndings {
    /// Notes that `ending` is a public suffix.
    pub fn add(&mut self, ending: u64) {
        if self.endings.len() < limits::SHARED_ENDINGS && self.endings.insert(ending) {
            self.bits.get_mut(word(ending)).into_iter().for_each(|word| *word |= bit(ending));
        }
    }

    /// What the sieve counts a name by: the hash of its ending, with the label before it where that is shared.
    #[inline]
    pub fn counted_by(&self, ending: u64, ending_at: u8, name: Name<'_>) -> u64 {
        if self.bits.get(word(ending)).is_some_and(|word| word & bit(ending) != 0) {
            return self.longer(ending, usize::from(ending_at), name);
        }
        ending
    }

    #[inline(never)]
    fn longer(&self, ending: u64, ending_at: usize, name: Name<'_>) -> u64 {
        let wire = name.wire();
        if !self.endings.contains(&ending) || ending_at == 0 {
            return ending;
        }
        let (mut at, mut before) = (0, 0);
        while at < ending_at {
            before = at;
            at += 1 + usize::from(wire.get(at).copied().unwrap_or_default());
        }
        folded_hash(ending, wire, before, ending_at)
    }
}

const fn word(ending: u64) -> usize {
    (ending >> 6) as usize % WORDS
}

const fn bit(ending: u64) -> u64 {
    1 << (ending & 63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{indicator::name_ending, protocol::dns::NameBuf};

    #[test]
    fn names_below_a_shared_ending_are_counted_by_one_label_more() {
        let mut shared = SharedEndings::default();
        let suffix = NameBuf::from_text(b"co.uk").unwrap();
        let counted = |shared: &SharedEndings, text: &str| {
            let name = NameBuf::from_text(text.as_bytes()).unwrap();
            let labels: Vec<_> = name.as_name().labels().map(|label| 1 + label.len()).collect();
            let at: usize = labels.iter().rev().skip(2).sum();
            shared.counted_by(name_ending(name.as_name()), at as u8, name.as_name())
        };
        assert_eq!(counted(&shared, "a.one.co.uk"), counted(&shared, "a.two.co.uk"));
        shared.add(name_ending(suffix.as_name()));
        assert_ne!(counted(&shared, "a.one.co.uk"), counted(&shared, "a.two.co.uk"));
        assert_eq!(counted(&shared, "a.one.co.uk"), counted(&shared, "x.y.ONE.co.uk"));
        assert_eq!(counted(&shared, "a.one.com"), counted(&shared, "b.one.com"));
        assert_eq!(counted(&shared, "co.uk"), name_ending(suffix.as_name()));
    }
}
