//! The table behind [`super::Names`]: who was led to which address by which name.
//!
//! Nearly every DNS answer puts an entry in, and few are ever asked for. So an entry costs one place in a ring
//! and one in an index, and no memory of its own unless the name is long.

use std::{hash::BuildHasher, net::IpAddr};

use foldhash::fast::RandomState;

use super::{NameSource, Named};
use crate::{
    decode::Tenant, flow::WordHash, hash_index::HashIndex, huge_pages, protocol::dns::Name, time::Timestamp,
};

/// Bytes of a name in wire form that an entry holds itself; nearly all names are shorter.
const INLINE: usize = 46;

/// Who asks about whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub tenant: Tenant,
    pub client: IpAddr,
    pub address: IpAddr,
}

impl Pair {
    fn hash(&self, start: u64) -> u64 {
        let tenant = self.tenant.key ^ (self.tenant.kind as u64) << 56;
        WordHash::from(start).with(tenant).with_address(self.client).with_address(self.address).finish()
    }
}

/// Entries in the order in which they were last learned, as far as half the capacity tells; the oldest makes
/// room for the newest. Which one that is depends on the order of calls only, never on hashes.
#[derive(Debug)]
pub(super) struct PairTable {
    /// Places by pair.
    index: HashIndex,
    ring: Vec<Entry>,
    /// The place that is written next, once the ring is full.
    next: usize,
    capacity: usize,
    evicted: u64,
    /// The start of hashes, random for each process: who sends the packets chooses the pairs.
    seed: u64,
}

#[derive(Debug)]
struct Entry {
    pair: Pair,
    until: Timestamp,
    name: Wire,
    source: NameSource,
    /// Another place has the pair now.
    stale: bool,
}

#[derive(Debug)]
enum Wire {
    Inline { length: u8, bytes: [u8; INLINE] },
    Long(Box<[u8]>),
}

impl Wire {
    fn of(name: &[u8]) -> Self {
        let mut bytes = [0; INLINE];
        match bytes.get_mut(..name.len()) {
            Some(room) => {
                room.copy_from_slice(name);
                Self::Inline { length: name.len() as u8, bytes }
            }
            None => Self::Long(name.into()),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Inline { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(name) => name,
        }
    }
}

impl PairTable {
    /// An empty table for at most `capacity` pairs (at least one).
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        let ring = Vec::with_capacity(capacity);
        huge_pages::advise(&ring);
        Self {
            index: HashIndex::with_capacity(capacity),
            ring,
            next: 0,
            capacity,
            evicted: 0,
            seed: RandomState::default().hash_one(0),
        }
    }

    /// How many pairs.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Pairs that were put out because the table was full.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The name of `pair`, if one holds at `time`.
    pub(super) fn get(&self, pair: &Pair, time: Timestamp) -> Option<Named<'_>> {
        let entry = self.ring.get(self.find(pair.hash(self.seed), pair)?)?;
        (entry.until >= time)
            .then(|| Named { name: Name::from_wire(entry.name.bytes()), source: entry.source })
    }

    /// Puts a name in, or in place of the one before. The same name from a lesser source confirms what is
    /// known and adds nothing but time.
    pub(super) fn put(&mut self, pair: &Pair, name: Name<'_>, source: NameSource, until: Timestamp) {
        let hash = pair.hash(self.seed);
        let found = self.find(hash, pair);
        let Some(place) = found else {
            return self.append(hash, Entry::new(pair, source, until, Wire::of(name.wire())), None);
        };
        let is_old = self.age(place) > self.capacity / 2;
        let Some(known) = self.ring.get_mut(place) else { return };
        let is_same = Name::from_wire(known.name.bytes()) == name;
        if is_same && known.source > source {
            known.until = known.until.max(until);
        } else {
            known.until = until;
            known.source = source;
            if !is_same {
                known.name = Wire::of(name.wire());
            }
        }
        if is_old {
            let name = std::mem::replace(&mut known.name, Wire::Inline { length: 0, bytes: [0; INLINE] });
            let moved = Entry::new(pair, known.source, known.until, name);
            known.stale = true;
            self.append(hash, moved, Some(place));
        }
    }

    fn find(&self, hash: u64, pair: &Pair) -> Option<usize> {
        let is_it = |place: u32| self.ring.get(place as usize).is_some_and(|entry| entry.pair == *pair);
        self.index.find(hash, is_it).map(|place| place as usize)
    }

    /// How many entries were written behind the one at `place`.
    fn age(&self, place: usize) -> usize {
        if place < self.next { self.next - place } else { self.next + self.ring.len() - place }
    }

    /// Writes an entry at the ring's end; its pair stood at `moved_from` before, or nowhere.
    fn append(&mut self, hash: u64, entry: Entry, moved_from: Option<usize>) {
        let place = if self.ring.len() < self.capacity {
            self.ring.push(entry);
            self.ring.len() - 1
        } else {
            let place = self.next;
            self.next = (place + 1) % self.capacity;
            self.forget(place);
            if let Some(old) = self.ring.get_mut(place) {
                *old = entry;
            }
            place
        };
        match moved_from {
            Some(before) => self.index.replace(hash, before as u32, place as u32),
            None => self.index.insert(hash, place as u32),
        }
    }

    /// Takes the oldest entry, at `place`, out of the index.
    fn forget(&mut self, place: usize) {
        let Some(old) = self.ring.get(place).filter(|old| !old.stale) else { return };
        let hash = old.pair.hash(self.seed);
        self.evicted += u64::from(self.index.remove(hash, place as u32));
    }
}

impl Entry {
    fn new(pair: &Pair, source: NameSource, until: Timestamp, name: Wire) -> Self {
        Self { pair: *pair, until, name, source, stale: false }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::protocol::dns::NameBuf;

    fn pair(number: u32) -> Pair {
        let address = |bits: u32| IpAddr::V4(Ipv4Addr::from_bits(bits));
        Pair { tenant: Tenant::default(), client: address(number % 7), address: address(number) }
    }

    fn put(table: &mut PairTable, number: u32, name: &str, source: NameSource, until: i64) {
        let name = NameBuf::from_text(name.as_bytes()).unwrap();
        table.put(&pair(number), name.as_name(), source, Timestamp::from_parts(until, 0));
    }

    fn get(table: &PairTable, number: u32, time: i64) -> Option<(String, NameSource)> {
        let named = table.get(&pair(number), Timestamp::from_parts(time, 0))?;
        Some((named.name.to_string(), named.source))
    }

    #[test]
    fn names_of_every_length_come_back() {
        let mut table = PairTable::new(300);
        let name = |length: usize| ["n"; 120][..length].join(".");
        for length in 1..=120 {
            put(&mut table, length as u32, &name(length), NameSource::Dns, 9);
        }
        for length in 1..=120 {
            assert_eq!(get(&table, length as u32, 9), Some((name(length), NameSource::Dns)));
            assert_eq!(get(&table, length as u32, 10), None);
        }
    }

    #[test]
    fn a_lesser_source_of_the_same_name_adds_time_only() {
        let mut table = PairTable::new(4);
        put(&mut table, 1, "a.example", NameSource::Dns, 5);
        put(&mut table, 1, "a.example", NameSource::Host, 9);
        assert_eq!(get(&table, 1, 9), Some(("a.example".to_owned(), NameSource::Dns)));
        put(&mut table, 1, "b.example", NameSource::Host, 7);
        assert_eq!(get(&table, 1, 7), Some(("b.example".to_owned(), NameSource::Host)));
        assert_eq!((table.len(), table.evicted()), (1, 0));
    }

    /// The same rules over a plain list of pairs.
    #[derive(Default)]
    struct Model {
        /// Number, name, in the order of writing; `None` where the pair moved on.
        written: Vec<Option<(u32, u32)>>,
    }

    impl Model {
        fn put(&mut self, capacity: usize, number: u32, name: u32) {
            let known = self.written.iter().position(|slot| slot.is_some_and(|(pair, _)| pair == number));
            match known {
                Some(place) if self.written.len() - place <= capacity / 2 => {
                    self.written[place] = Some((number, name));
                }
                _ => {
                    if let Some(place) = known {
                        self.written[place] = None;
                    }
                    self.written.push(Some((number, name)));
                }
            }
            let gone = self.written.len().saturating_sub(capacity);
            self.written[..gone].fill(None);
        }
    }

    #[test]
    fn the_longest_not_learned_go_first() {
        const CAPACITY: usize = 64;
        let (mut table, mut model) = (PairTable::new(CAPACITY), Model::default());
        let mut state = 1_u32;
        for _ in 0..5000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (number, name) = ((state >> 8) % 100, (state >> 20) % 5);
            put(&mut table, number, &name.to_string(), NameSource::Dns, 1);
            model.put(CAPACITY, number, name);
            for number in 0..100 {
                let expected = model.written.iter().flatten().find(|(pair, _)| *pair == number);
                let found = get(&table, number, 1).map(|(name, _)| name);
                assert_eq!(found, expected.map(|(_, name)| name.to_string()), "pair {number}");
            }
        }
        assert!(table.len() <= CAPACITY);
    }
}
