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

/// Bytes of pair and name that an entry holds itself, which makes it one cache line. Nearly all of IPv4 fit.
const INLINE: usize = 53;
/// Bytes of the longest pair: a mark, a tenant, two addresses of IPv6.
const PAIR: usize = 1 + 9 + 32;

/// Who asks about whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub tenant: Tenant,
    pub client: IpAddr,
    pub address: IpAddr,
}

impl Pair {
    /// The pair in as few bytes as tell it from every other: a mark of what follows, the tenant unless it is
    /// the default one, the addresses.
    fn packed(&self) -> PackedPair {
        let mut packed = PackedPair { bytes: [0; PAIR], length: 1 };
        let mark = u8::from(self.client.is_ipv6())
            | u8::from(self.address.is_ipv6()) << 1
            | u8::from(!self.tenant.is_default()) << 2;
        packed.bytes[0] = mark;
        if !self.tenant.is_default() {
            packed.push(&[self.tenant.kind as u8]);
            packed.push(&self.tenant.key.to_le_bytes());
        }
        for address in [self.client, self.address] {
            match address {
                IpAddr::V4(address) => packed.push(&address.octets()),
                IpAddr::V6(address) => packed.push(&address.octets()),
            }
        }
        packed
    }
}

struct PackedPair {
    bytes: [u8; PAIR],
    length: usize,
}

impl PackedPair {
    fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
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

/// A pair, its name and how long that holds.
#[derive(Debug)]
struct Entry {
    until: Timestamp,
    text: Text,
}

/// A packed pair and behind it the name in wire form.
#[derive(Debug)]
enum Text {
    Inline {
        source: NameSource,
        pair: u8,
        end: u8,
        bytes: [u8; INLINE],
    },
    Long {
        source: NameSource,
        pair: u8,
        bytes: Box<[u8]>,
    },
    /// Another place has the pair now.
    Moved,
}

impl Entry {
    fn new(pair: &[u8], name: &[u8], source: NameSource, until: Timestamp) -> Self {
        let end = pair.len() + name.len();
        let mut inline = [0; INLINE];
        let text = match inline.get_mut(..end).map(|room| room.split_at_mut(pair.len())) {
            Some((front, back)) => {
                front.copy_from_slice(pair);
                back.copy_from_slice(name);
                Text::Inline { source, pair: pair.len() as u8, end: end as u8, bytes: inline }
            }
            None => Text::Long { source, pair: pair.len() as u8, bytes: [pair, name].concat().into() },
        };
        Self { until, text }
    }

    /// The packed pair, the name, and where it came from; `None` when the pair has moved on.
    fn parts(&self) -> Option<(&[u8], Name<'_>, NameSource)> {
        let (source, pair, bytes) = match &self.text {
            Text::Inline { source, pair, end, bytes } => (*source, *pair, bytes.get(..usize::from(*end))?),
            Text::Long { source, pair, bytes } => (*source, *pair, &**bytes),
            Text::Moved => return None,
        };
        let (pair, name) = bytes.split_at_checked(usize::from(pair))?;
        Some((pair, Name::from_wire(name), source))
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

    /// Asks for the memory that putting in `pair` will touch.
    pub(super) fn prefetch(&self, pair: &Pair) {
        self.index.prefetch(hash_of(pair.packed().bytes(), self.seed));
    }

    /// Asks for the memory that it takes to forget the `count` oldest pairs, if room must be made for as many.
    pub(super) fn prefetch_oldest(&self, count: usize) {
        if self.ring.len() < self.capacity {
            return;
        }
        let oldest = self.ring.get(self.next..).unwrap_or_default().iter().take(count);
        for (packed, ..) in oldest.filter_map(Entry::parts) {
            self.index.prefetch(hash_of(packed, self.seed));
        }
    }

    /// The name of `pair`, if one holds at `time`.
    pub(super) fn get(&self, pair: &Pair, time: Timestamp) -> Option<Named<'_>> {
        let packed = pair.packed();
        let place = self.find(hash_of(packed.bytes(), self.seed), packed.bytes())?;
        let entry = self.ring.get(place).filter(|entry| entry.until >= time)?;
        let (_, name, source) = entry.parts()?;
        Some(Named { name, source })
    }

    /// Puts a name in, or in place of the one before. The same name from a lesser source confirms what is
    /// known and adds nothing but time.
    pub(super) fn put(&mut self, pair: &Pair, name: Name<'_>, source: NameSource, until: Timestamp) {
        let packed = pair.packed();
        let packed = packed.bytes();
        let hash = hash_of(packed, self.seed);
        let fresh = |source, until| Entry::new(packed, name.wire(), source, until);
        let found = self.find(hash, packed);
        let known = found.and_then(|place| Some((place, self.ring.get(place)?)));
        let Some((place, known)) = known else {
            return self.append(hash, fresh(source, until), None);
        };
        let parts = known.parts();
        let is_same = parts.is_some_and(|(_, known, _)| known == name);
        let better = parts.map(|(_, _, known)| known).filter(|known| is_same && *known > source);
        let (source, until) =
            better.map_or((source, until), |known_source| (known_source, known.until.max(until)));
        let entry = fresh(source, until);
        if self.age(place) > self.capacity / 2 {
            if let Some(old) = self.ring.get_mut(place) {
                old.text = Text::Moved;
            }
            self.append(hash, entry, Some(place));
        } else if let Some(known) = self.ring.get_mut(place) {
            *known = entry;
        }
    }

    fn find(&self, hash: u64, packed: &[u8]) -> Option<usize> {
        let is_it = |place: u32| {
            let parts = self.ring.get(place as usize).and_then(Entry::parts);
            parts.is_some_and(|(pair, ..)| pair == packed)
        };
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
        let Some((packed, ..)) = self.ring.get(place).and_then(Entry::parts) else { return };
        let hash = hash_of(packed, self.seed);
        self.evicted += u64::from(self.index.remove(hash, place as u32));
    }
}

/// The hash of a packed pair.
fn hash_of(packed: &[u8], seed: u64) -> u64 {
    let (words, rest) = packed.as_chunks::<8>();
    let last = rest.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
    let whole = words.iter().fold(WordHash::from(seed), |hash, word| hash.with(u64::from_le_bytes(*word)));
    whole.with(last).finish()
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
    fn an_entry_is_a_cache_line_and_packs_what_it_hashes() {
        assert_eq!(size_of::<Entry>(), 64);
        let tenants = [Tenant::default(), Tenant { kind: crate::decode::TenantKind::Vni, key: 7 }];
        let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), std::net::Ipv6Addr::LOCALHOST.into()];
        let mut seen = Vec::new();
        for tenant in tenants {
            for client in addresses {
                for address in addresses {
                    let pair = Pair { tenant, client, address };
                    let packed = pair.packed();
                    let entry =
                        Entry::new(packed.bytes(), b"\x01a\x00", NameSource::Dns, Timestamp::default());
                    let stored = entry.parts().map(|(pair, ..)| hash_of(pair, 5));
                    assert_eq!(stored, Some(hash_of(packed.bytes(), 5)));
                    seen.push(packed.bytes().to_vec());
                }
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 8);
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
