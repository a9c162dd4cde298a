//! The table behind [`super::Names`]: who was led to which address by which name.
//!
//! Nearly every DNS answer puts an entry in, and few are ever asked for. So an entry costs one place in a ring
//! and one in an index, each a cache line, and no memory of its own unless the name is long.

use std::{hash::BuildHasher, ops::Range};

use foldhash::fast::RandomState;

use super::{
    NameSource, Named,
    index::{RingIndex, Spot, Window},
    packed::{Packed, Pair},
};
use crate::{huge_pages, prefetch, protocol::dns::Name, time::Timestamp};

/// Bytes of pair and name that an entry holds itself, besides the pair's first word, which makes it one cache
/// line. Nearly all of IPv4 fit.
const INLINE: usize = 44;

/// Entries in the order in which they were last learned, as far as half the capacity tells; the oldest makes
/// room for the newest. Which one that is depends on the order of calls only, never on hashes.
#[derive(Debug)]
pub(super) struct PairTable {
    /// Numbers of writes by pair.
    index: RingIndex,
    /// At each place the latest write whose number ends in it: a power of two of them once it is full.
    ring: Vec<Entry>,
    /// Which writes hold.
    window: Window,
    capacity: u32,
    /// The bits of a number that are its place.
    mask: u32,
    /// How many writes that hold were not made in vain: their pairs did not move on.
    len: usize,
    evicted: u64,
    /// Pairs and names for which an entry has no room, and the places among them that are free.
    long: Vec<Box<[u8]>>,
    free: Vec<u32>,
    /// The start of hashes, random for each process: who sends the packets chooses the pairs.
    seed: u64,
}

/// Where an entry's bytes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Room {
    /// Another place has the pair now.
    #[default]
    Moved,
    /// In itself.
    Inline,
    /// At the place, among the long ones, that its first bytes say.
    Long,
}

/// A pair, its name and how long that holds.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Entry {
    until: Timestamp,
    /// The pair's first word.
    first: u64,
    /// The rest of the packed pair and behind it the name in wire form.
    bytes: [u8; INLINE],
    pair: u8,
    /// The length of a name that stands here.
    name: u8,
    /// The pair's mark in the low bits, where the name came from above them.
    about: u8,
    room: Room,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            until: Timestamp::MIN,
            first: 0,
            bytes: [0; INLINE],
            pair: 0,
            name: 0,
            about: 0,
            room: Room::Moved,
        }
    }
}

const SOURCES: [NameSource; 4] = [NameSource::Host, NameSource::Quic, NameSource::Sni, NameSource::Dns];

impl Entry {
    fn source(&self) -> NameSource {
        SOURCES.get(usize::from(self.about >> 4)).copied().unwrap_or(NameSource::Host)
    }

    /// The bytes of the pair's rest and the name.
    fn bytes<'e>(&'e self, long: &'e [Box<[u8]>]) -> &'e [u8] {
        match self.room {
            Room::Inline => &self.bytes,
            Room::Long => long.get(self.long_place() as usize).map_or(&[], |bytes| bytes),
            Room::Moved => &[],
        }
    }

    fn long_place(&self) -> u32 {
        self.bytes.first_chunk().map_or(0, |place| u32::from_le_bytes(*place))
    }

    /// Whether it is about that pair.
    #[inline]
    fn is_of(&self, packed: &Packed, long: &[Box<[u8]>]) -> bool {
        self.first == packed.first
            && self.about & 15 == packed.mark
            && self.room != Room::Moved
            && (packed.length == 0 || self.bytes(long).get(..usize::from(self.pair)) == Some(packed.rest()))
    }

    fn name<'e>(&'e self, long: &'e [Box<[u8]>]) -> Name<'e> {
        let bytes = self.bytes(long).get(usize::from(self.pair)..).unwrap_or_default();
        let wire = if self.room == Room::Inline { bytes.get(..usize::from(self.name)) } else { Some(bytes) };
        Name::from_wire(wire.unwrap_or_default())
    }
}

impl PairTable {
    /// An empty table for at most `capacity` pairs (at least one).
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, 1 << 30);
        let ring = Vec::with_capacity(capacity.next_power_of_two());
        huge_pages::advise(&ring);
        Self {
            index: RingIndex::new(capacity),
            ring,
            window: Window::default(),
            capacity: capacity as u32,
            mask: capacity.next_power_of_two() as u32 - 1,
            len: 0,
            evicted: 0,
            long: Vec::new(),
            free: Vec::new(),
            seed: RandomState::default().hash_one(0),
        }
    }

    /// How many pairs.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Pairs that were put out because the table was full.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// How many places are in use, or were.
    pub(super) fn places(&self) -> usize {
        self.ring.len()
    }

    /// The pairs and names that stand at these places.
    pub(super) fn all(&self, places: Range<usize>) -> impl Iterator<Item = (Pair, Name<'_>)> {
        let until = places.end.min(self.ring.len());
        let entries = self.ring.get(places.start..until).unwrap_or_default();
        entries.iter().filter(|entry| entry.room != Room::Moved).map(|entry| {
            let rest = entry.bytes(&self.long).get(..usize::from(entry.pair)).unwrap_or_default();
            (Packed::pair(entry.about & 15, entry.first, rest), entry.name(&self.long))
        })
    }

    /// Asks for the memory that putting in `pair` will touch, before which `before` others are put in.
    #[inline]
    pub(super) fn prefetch(&self, pair: &Pair, before: usize) {
        self.index.prefetch(Packed::of(pair).hash(self.seed));
        prefetch::value(&self.ring, self.place(self.window.next.wrapping_add(before as u32)));
    }

    /// The name of `pair`, if one holds at `time`.
    pub(super) fn get(&self, pair: &Pair, time: Timestamp) -> Option<Named<'_>> {
        let packed = Packed::of(pair);
        let (_, number) = self.find(packed.hash(self.seed), &packed)?;
        let entry = self.ring.get(self.place(number)).filter(|entry| entry.until >= time)?;
        Some(Named { name: entry.name(&self.long), source: entry.source() })
    }

    /// Puts a name in, or in place of the one before. The same name from a lesser source confirms what is
    /// known and adds nothing but time.
    pub(super) fn put(&mut self, pair: &Pair, name: Name<'_>, source: NameSource, until: Timestamp) {
        let packed = Packed::of(pair);
        let hash = packed.hash(self.seed);
        match self.find(hash, &packed) {
            Some((spot, number)) => self.renew((spot, number, hash), &packed, name, source, until),
            None => {
                let number = self.append(&packed, name, source, until);
                self.index.insert(hash, number, self.window);
            }
        }
    }

    /// Puts a name in place of the one that the write of that number put in.
    #[inline(never)]
    fn renew(
        &mut self,
        (spot, number, hash): (Spot, u32, u64),
        packed: &Packed,
        name: Name<'_>,
        mut source: NameSource,
        mut until: Timestamp,
    ) {
        let place = self.place(number);
        let Some(known) = self.ring.get(place) else { return };
        if known.source() > source && known.name(&self.long) == name {
            (source, until) = (known.source(), known.until.max(until));
        }
        let was_there = self.clear(place);
        if self.window.next.wrapping_sub(number) > self.capacity / 2 {
            self.len -= usize::from(was_there);
            let number = self.append(packed, name, source, until);
            self.index.renumber(spot, hash, number);
        } else {
            self.write(place, packed, name, source, until);
        }
    }

    #[inline(always)]
    fn find(&self, hash: u64, packed: &Packed) -> Option<(Spot, u32)> {
        let is_it =
            |number| self.ring.get(self.place(number)).is_some_and(|entry| entry.is_of(packed, &self.long));
        self.index.find(hash, self.window, is_it)
    }

    /// The place of the write of that number.
    #[inline]
    fn place(&self, number: u32) -> usize {
        (number & self.mask) as usize
    }

    /// Writes an entry at the ring's end, and forgets the oldest if there are too many; the write's number.
    #[inline(always)]
    fn append(&mut self, packed: &Packed, name: Name<'_>, source: NameSource, until: Timestamp) -> u32 {
        let Window { next: number, held } = self.window;
        if held == self.capacity {
            let oldest = self.place(number.wrapping_sub(held));
            let was_there = self.clear(oldest);
            self.evicted += u64::from(was_there);
            self.len -= usize::from(was_there);
        } else {
            self.window.held += 1;
        }
        self.window.next = number.wrapping_add(1);
        let place = self.place(number);
        if place == self.ring.len() {
            self.ring.push(Entry::default());
        }
        self.write(place, packed, name, source, until);
        self.len += 1;
        number
    }

    /// Writes what an entry says at a place that was cleared.
    #[inline]
    fn write(&mut self, place: usize, packed: &Packed, name: Name<'_>, source: NameSource, until: Timestamp) {
        let Some(entry) = self.ring.get_mut(place) else { return };
        let (rest, wire) = (packed.rest(), name.wire());
        entry.until = until;
        entry.first = packed.first;
        entry.pair = packed.length;
        entry.name = wire.len() as u8;
        entry.about = (source as u8) << 4 | packed.mark;
        let end = rest.len() + wire.len();
        if let Some((front, back)) = entry.bytes.get_mut(..end).map(|room| room.split_at_mut(rest.len())) {
            if !rest.is_empty() {
                front.copy_from_slice(rest);
            }
            back.copy_from_slice(wire);
            entry.room = Room::Inline;
            return;
        }
        self.write_long(place, [rest, wire].concat().into());
    }

    /// Keeps the bytes for which the entry at `place` has no room.
    #[cold]
    fn write_long(&mut self, place: usize, bytes: Box<[u8]>) {
        let Some(entry) = self.ring.get_mut(place) else { return };
        let at = self.free.pop().unwrap_or(self.long.len() as u32);
        match self.long.get_mut(at as usize) {
            Some(slot) => *slot = bytes,
            None => self.long.push(bytes),
        }
        entry.bytes.first_chunk_mut().into_iter().for_each(|place| *place = at.to_le_bytes());
        entry.room = Room::Long;
    }

    /// Gives back what the entry at `place` holds; whether it was one, and not moved.
    #[inline]
    fn clear(&mut self, place: usize) -> bool {
        let Some(entry) = self.ring.get_mut(place) else { return false };
        let room = std::mem::take(&mut entry.room);
        if room == Room::Long {
            let at = entry.long_place();
            self.long.get_mut(at as usize).into_iter().for_each(|slot| *slot = Box::default());
            self.free.push(at);
        }
        room != Room::Moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        address::AddressWords,
        decode::{Tenant, TenantKind},
        protocol::dns::NameBuf,
    };

    fn pair(number: u32) -> Pair {
        let address = AddressWords::v4;
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
        let tenants = [Tenant::default(), Tenant { kind: TenantKind::Vni, key: 7 }];
        let addresses = [AddressWords::v4(0x7f00_0001), AddressWords::v6(1)];
        let mut seen = Vec::new();
        for tenant in tenants {
            for client in addresses {
                for address in addresses {
                    let pair = Pair { tenant, client, address };
                    let packed = Packed::of(&pair);
                    let mut table = PairTable::new(1);
                    table.put(&pair, Name::from_wire(b"\x01a\x00"), NameSource::Dns, Timestamp::default());
                    assert!(table.ring[0].is_of(&packed, &table.long));
                    assert!(seen.iter().all(|other| !table.ring[0].is_of(other, &table.long)));
                    seen.push(packed);
                }
            }
        }
        let mut hashes: Vec<_> = seen.iter().map(|packed| packed.hash(5)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 8);
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
        // All of them are met, each once, whatever the parts in which the places are looked at.
        let parts = (0..table.places()).step_by(9).map(|start| start..start + 9);
        let mut met: Vec<_> = parts
            .flat_map(|part| table.all(part))
            .map(|(pair, name)| (pair.address, name.to_lower_text()))
            .collect();
        let address = |(number, name): &(u32, u32)| (AddressWords::v4(*number), name.to_string());
        let mut expected: Vec<_> = model.written.iter().flatten().map(address).collect();
        let by_address = |one: &(AddressWords, String)| one.0.words();
        met.sort_by_key(by_address);
        expected.sort_by_key(by_address);
        assert_eq!(met, expected);
    }
}
