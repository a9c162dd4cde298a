//! The sieve before the detectors of DNS: who keeps asking for names that he never asked for.
//!
//! Every question passes here, and nearly all are for what the machine asked for a moment ago. A bitmap knows
//! those; of the others, counters in a fixed table are raised. Several askers may share a bit or a counter: that
//! lets a few new names pass for known, and lets a counter say too much, never too little. What reaches a
//! threshold is looked at exactly. Both are emptied when they fill, at half their use by packet time.
//!
//! The hashes begin with the time of the first message: the same input gives the same output, and who sends the
//! packets does not know it.

use crate::{
    address::AddressWords,
    decode::Tenant,
    flow::WordHash,
    limits,
    observation::DnsFacts,
    protocol::dns::Name,
    time::{Nanos, SECOND, Timestamp},
};

/// After so long counters are worth half.
const HALF_LIFE: Nanos = 600 * SECOND;

/// Odd, with about as many ones as zeros.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Words of the bitmap.
const WORDS: usize = limits::NEW_NAME_BITS / 64;

/// Which names were asked for, and how many new ones by whom.
#[derive(Debug)]
pub struct NewNames {
    asked: Vec<u64>,
    /// Bits that are set.
    known: usize,
    counts: Vec<u8>,
    /// How much the counters were raised since they were halved.
    raised: usize,
    halved: Option<Timestamp>,
    seed: u64,
}

impl Default for NewNames {
    fn default() -> Self {
        Self {
            asked: vec![0; WORDS],
            known: 0,
            counts: vec![0; limits::NEW_NAME_COUNTS],
            raised: 0,
            halved: None,
            seed: 0,
        }
    }
}

impl NewNames {
    /// Lets packet time go on.
    #[inline]
    pub fn advance(&mut self, now: Timestamp) {
        match self.halved {
            Some(last) if now.since(last) < HALF_LIFE && self.raised < limits::NEW_NAME_COUNTS / 2 => {}
            last => self.halve(now, last.is_none()),
        }
    }

    #[cold]
    fn halve(&mut self, now: Timestamp, is_first: bool) {
        if is_first {
            self.seed = WordHash::from(0x646e_7373_6965_7665).with(now.as_nanos() as u64).finish();
        }
        self.counts.iter_mut().for_each(|count| *count /= 2);
        (self.halved, self.raised) = (Some(now), 0);
    }

    /// The hash of a machine.
    #[inline]
    pub fn machine(&self, tenant: Tenant, address: AddressWords) -> u64 {
        let [high, low] = address.words();
        let whose = tenant.key.rotate_left(24) ^ (tenant.kind as u64) << 61;
        (low ^ high.rotate_left(32) ^ whose).wrapping_mul(SPREAD) ^ self.seed
    }

    /// The hash of what `hash` is of together with `what`, which is a hash itself or few of a kind. One multiplication
    /// would do for every message what nobody gains by: equal hashes only raise counters.
    #[inline]
    pub const fn with(hash: u64, what: u64) -> u64 {
        hash.rotate_left(23).wrapping_add(what.wrapping_mul(SPREAD))
    }

    /// Notes that who is `asker`, with the ending of the name in the hash, asks for the name; whether he did not
    /// lately.
    #[inline]
    pub fn is_new(&mut self, asker: u64, facts: &DnsFacts, name: Name<'_>) -> bool {
        self.is_first(start_hash(asker, name.wire(), usize::from(facts.ending_at)))
    }

    /// Notes what `hash` is of; whether it was not noted lately.
    #[inline]
    pub fn is_first(&mut self, hash: u64) -> bool {
        let place = (hash >> 36) as usize % limits::NEW_NAME_BITS;
        let Some(word) = self.asked.get_mut(place / 64) else { return false };
        let bit = 1 << (place % 64);
        if *word & bit != 0 {
            return false;
        }
        *word |= bit;
        self.known += 1;
        if self.known > limits::NEW_NAME_BITS / 4 {
            self.forget();
        }
        true
    }

    /// Whether what `hash` is of was noted lately.
    pub fn knows(&self, hash: u64) -> bool {
        let place = (hash >> 36) as usize % limits::NEW_NAME_BITS;
        self.asked.get(place / 64).is_some_and(|word| word & 1 << (place % 64) != 0)
    }

    #[cold]
    fn forget(&mut self) {
        self.asked.fill(0);
        self.known = 0;
    }

    /// Raises the counter of what `hash` is of; what it counts now.
    #[inline]
    pub fn raise(&mut self, hash: u64, by: u8) -> u8 {
        self.raised += usize::from(by);
        let Some(count) = self.counts.get_mut(place(hash)) else { return 0 };
        *count = count.saturating_add(by);
        *count
    }

    /// What the counter of what `hash` is of says.
    #[inline]
    pub fn count(&self, hash: u64) -> u8 {
        self.counts.get(place(hash)).copied().unwrap_or_default()
    }
}

/// Goes on from `hash` with the first `end` bytes of `wire`, whatever the case of letters: some other characters are
/// taken for each other too, which lets one name in very many pass for known.
#[inline]
fn start_hash(hash: u64, wire: &[u8], end: usize) -> u64 {
    const SMALL: u64 = 0x2020_2020_2020_2020;
    let with = |hash: u64, bytes: [u8; 8], mask: u64| {
        let word = (u64::from_le_bytes(bytes) | SMALL) & mask;
        // Both halves, so that the last byte of a word reaches every bit.
        let product = u128::from(hash ^ word) * u128::from(SPREAD);
        product as u64 ^ (product >> 64) as u64
    };
    // Not where the first label's length stands, which may be the same but for one.
    let hash = hash ^ (end as u64) << 48;
    let start = wire.get(..end).unwrap_or_default();
    let (words, rest) = start.as_chunks::<8>();
    let hash = words.iter().fold(hash, |hash, word| with(hash, *word, u64::MAX));
    match (rest.len(), start.last_chunk::<8>(), wire.first_chunk::<8>()) {
        (0, ..) => hash,
        (_, Some(last), _) => with(hash, *last, u64::MAX),
        // The ending follows, so that there are eight bytes of nearly every name.
        (_, None, Some(first)) => with(hash, *first, (1 << (8 * rest.len())) - 1),
        _ => rest.iter().fold(hash, |hash, byte| with(hash, [*byte; 8], u64::MAX)),
    }
}

#[inline]
const fn place(hash: u64) -> usize {
    (hash >> 24) as usize % limits::NEW_NAME_COUNTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::dns::NameBuf;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    #[test]
    fn a_name_is_new_once_for_each_machine_whatever_its_case() {
        let mut names = NewNames::default();
        names.advance(at(1));
        let one = names.machine(Tenant::default(), AddressWords::v4(1));
        let other = names.machine(Tenant::default(), AddressWords::v4(2));
        let mut ask = |machine, text: &str| {
            let name = NameBuf::from_text(text.as_bytes()).unwrap();
            let facts =
                DnsFacts { ending_at: (text.len() - "example.com".len()) as u8, ..DnsFacts::default() };
            names.is_new(machine, &facts, name.as_name())
        };
        assert!(ask(one, "a.example.com") && !ask(one, "A.example.com"));
        assert!(ask(one, "a-longer-name.example.com") && !ask(one, "A-LONGER-NAME.example.com"));
        assert!(ask(one, "a-longer-names.example.com") && ask(one, "b-longer-name.example.com"));
        assert!(ask(other, "a.example.com") && ask(one, "b.example.com"));
    }

    #[test]
    fn every_byte_of_a_name_counts() {
        let mut names = NewNames::default();
        names.advance(at(1));
        let mut new = 0;
        for length in 1..40_usize {
            for place in 0..length {
                for letter in b'b'..=b'z' {
                    let mut label = vec![b'a'; length];
                    label[place] = letter;
                    let wire = [&[length as u8][..], &label, b"\x07example\x03com"].concat();
                    let facts = DnsFacts { ending_at: 1 + length as u8, ..DnsFacts::default() };
                    new += usize::from(names.is_new(7, &facts, Name::from_wire(&wire)));
                }
            }
        }
        // 19,500 names in a million places: a hundredth of them meets another.
        assert!(new > 19_200, "{new}");
    }

    #[test]
    fn counters_lose_half_by_time_and_by_use() {
        let mut names = NewNames::default();
        names.advance(at(1));
        for _ in 0..7 {
            names.raise(5, 4);
        }
        assert_eq!(names.count(5), 28);
        names.advance(at(600));
        assert_eq!(names.count(5), 28);
        names.advance(at(601));
        assert_eq!(names.count(5), 14);
        let mut hash = 1_u64;
        while names.count(5) >= 14 {
            hash = NewNames::with(hash, 1);
            names.raise(hash, 1);
            names.advance(at(602));
        }
        assert_eq!(names.raised, 0);
    }

    #[test]
    fn a_flood_of_names_does_not_make_every_name_known() {
        let mut names = NewNames::default();
        names.advance(at(1));
        let (mut hash, mut new) = (1_u64, 0);
        for _ in 0..3 * limits::NEW_NAME_BITS {
            hash = NewNames::with(hash, 1);
            new += usize::from(names.is_first(hash));
        }
        assert!(new * 10 > 3 * limits::NEW_NAME_BITS * 8, "{new}");
    }
}
