//! The machines that were seen: fixed capacity; the one longest not touched, as far as a quarter of the capacity in
//! touches tells, goes first.
//!
//! The rules are those of [`crate::bounded::BoundedMap`]. But every DNS message touches one machine or two, and so
//! what such a touch reads and writes stands in one cache line for each machine, and all else beside it.

use std::{collections::VecDeque, hash::BuildHasher};

use foldhash::fast::RandomState;

use crate::{address::AddressWords, decode::Tenant, flow::WordHash, hash_index::HashIndex, prefetch};

/// A machine of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    pub tenant: Tenant,
    pub address: AddressWords,
}

/// A machine in words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Key {
    tenant: u64,
    high: u64,
    low: u64,
    /// What the tenant's key is, and whether the address is IPv6.
    kinds: u16,
}

impl Key {
    #[inline]
    fn of(machine: &Machine) -> Self {
        let Machine { tenant, address } = machine;
        let [high, low] = address.words();
        Self { tenant: tenant.key, high, low, kinds: (tenant.kind as u16) << 1 | u16::from(address.is_v6()) }
    }

    #[inline]
    fn recent(&self) -> usize {
        // A machine's addresses of both families often end alike.
        (self.low ^ self.tenant ^ u64::from(self.kinds) << 11) as usize & (RECENT - 1)
    }

    #[inline]
    fn hash(&self, seed: u64) -> u64 {
        let mut hash = WordHash::from(seed).with(self.low);
        if self.high != 0 {
            hash = hash.with(self.high);
        }
        hash.with(self.tenant ^ u64::from(self.kinds) << 48).finish()
    }
}

/// The DNS messages of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DnsSeen {
    /// Questions that it asked.
    pub questions: u64,
    /// Messages that it was answered with.
    pub responses: u64,
    /// Messages that it answered itself: then it is a resolver.
    pub answers: u64,
}

/// A cache line.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
struct Entry {
    key: Key,
    /// When it was last touched, as far as the queue knows.
    ticket: u64,
    dns: DnsSeen,
}

/// Places of the short way to a machine: the last bits of its address name one.
const RECENT: usize = 1 << 12;

/// At most `capacity` machines, with what is counted of their DNS, and a `V` of each.
#[derive(Debug)]
pub(super) struct Machines<V> {
    /// Places by machine.
    index: HashIndex,
    /// Where a machine whose address ends so was found last; another one may have the place now.
    recent: Vec<u32>,
    entries: Vec<Entry>,
    /// At the same places.
    values: Vec<V>,
    /// Places in the order in which they were last touched. A place's older tickets are stale.
    queue: VecDeque<(u64, u32)>,
    next_ticket: u64,
    capacity: usize,
    /// A quarter of it.
    fresh: u64,
    evicted: u64,
    /// The start of hashes, random for each process: who sends the packets chooses the machines.
    seed: u64,
}

impl<V: Default> Machines<V> {
    /// No machines, and room for `capacity` (at least one).
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            index: HashIndex::with_capacity(0),
            recent: vec![0; RECENT],
            entries: Vec::new(),
            values: Vec::new(),
            queue: VecDeque::new(),
            next_ticket: 0,
            capacity: capacity.max(1),
            fresh: capacity.max(1) as u64 / 4,
            evicted: 0,
            seed: RandomState::default().hash_one(0),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Those that were put out because there were too many.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// What is known of a machine.
    pub(super) fn get(&self, machine: &Machine) -> Option<(DnsSeen, &V)> {
        let key = Key::of(machine);
        let place = self.find(&key, key.hash(self.seed))? as usize;
        Some((self.entries.get(place)?.dns, self.values.get(place)?))
    }

    /// Asks for the memory that counting for the machine likely touches.
    #[inline]
    pub(super) fn prefetch(&self, machine: &Machine) {
        if let Some(&place) = self.recent.get(Key::of(machine).recent()) {
            prefetch::value(&self.entries, place as usize);
        }
    }

    /// Changes what is known of a machine, put in when absent; touched.
    pub(super) fn change(&mut self, machine: &Machine, change: impl FnOnce(&mut V)) {
        let place = self.touch(machine);
        if let Some(value) = self.values.get_mut(place) {
            change(value);
        }
    }

    /// Changes what is counted of a machine's DNS, put in when absent; touched.
    #[inline]
    pub(super) fn count(&mut self, machine: &Machine, count: impl FnOnce(&mut DnsSeen)) {
        let place = self.touch(machine);
        if let Some(entry) = self.entries.get_mut(place) {
            count(&mut entry.dns);
        }
    }

    #[inline]
    fn find(&self, key: &Key, hash: u64) -> Option<u32> {
        self.index.find(hash, |place| self.entries.get(place as usize).is_some_and(|entry| entry.key == *key))
    }

    /// The place of a machine, which it is given when absent.
    #[inline(always)]
    fn touch(&mut self, machine: &Machine) -> usize {
        let key = Key::of(machine);
        self.next_ticket += 1;
        let recent = self.recent.get(key.recent()).copied().unwrap_or_default();
        match self.entries.get(recent as usize) {
            // One that was touched a moment ago keeps its place in the queue: one that moved at every touch would cost
            // more than the table.
            Some(entry) if entry.key == key && self.next_ticket - entry.ticket <= self.fresh => {
                recent as usize
            }
            _ => self.touch_by_index(key) as usize,
        }
    }

    #[inline(never)]
    fn touch_by_index(&mut self, key: Key) -> u32 {
        let hash = key.hash(self.seed);
        let place = match self.find(&key, hash) {
            Some(place) => {
                let last = self.entries.get(place as usize).map_or(0, |entry| entry.ticket);
                if self.next_ticket - last > self.fresh {
                    self.enqueue(place);
                }
                place
            }
            None => self.insert(key, hash),
        };
        self.recent.get_mut(key.recent()).into_iter().for_each(|recent| *recent = place);
        place
    }

    #[cold]
    fn insert(&mut self, key: Key, hash: u64) -> u32 {
        let entry = Entry { key, ..Entry::default() };
        let place = if self.entries.len() >= self.capacity { self.make_room() } else { None };
        let place = match place {
            Some(place) => {
                self.entries.get_mut(place as usize).into_iter().for_each(|old| *old = entry.clone());
                self.values.get_mut(place as usize).into_iter().for_each(|old| *old = V::default());
                place
            }
            None => {
                self.entries.push(entry);
                self.values.push(V::default());
                self.entries.len() as u32 - 1
            }
        };
        self.index.insert(hash, place);
        self.enqueue(place);
        place
    }

    /// Notes that the machine at `place` was touched now.
    #[cold]
    fn enqueue(&mut self, place: u32) {
        if self.queue.len() > 2 * self.capacity + 64 {
            let entries = &self.entries;
            let is_latest = |&(ticket, place): &(u64, u32)| {
                entries.get(place as usize).is_some_and(|entry| entry.ticket == ticket)
            };
            self.queue.retain(is_latest);
        }
        self.queue.push_back((self.next_ticket, place));
        self.entries.get_mut(place as usize).into_iter().for_each(|entry| entry.ticket = self.next_ticket);
    }

    /// Forgets the machine that was longest not touched; its place.
    fn make_room(&mut self) -> Option<u32> {
        while let Some((ticket, place)) = self.queue.pop_front() {
            let Some(entry) = self.entries.get(place as usize) else { continue };
            if entry.ticket == ticket {
                self.index.remove(entry.key.hash(self.seed), place);
                self.evicted += 1;
                return Some(place);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bounded::BoundedMap, decode::TenantKind};

    fn machine(number: u32) -> Machine {
        let address = match number % 3 {
            0 => AddressWords::v6(u128::from(number) << 64 | 5),
            1 => AddressWords::v4(number),
            _ => AddressWords::v6(0xffff << 32 | u128::from(number - 1)),
        };
        let kind = if number.is_multiple_of(7) { TenantKind::Vni } else { TenantKind::default() };
        Machine { tenant: Tenant { kind, key: u64::from(number % 2) }, address }
    }

    /// The same machines stay, with the same counts, as in a map of the general kind.
    #[test]
    fn machines_leave_as_from_a_bounded_map() {
        for capacity in [1, 2, 7, 64] {
            let mut machines: Machines<u64> = Machines::new(capacity);
            let mut map = BoundedMap::new(capacity);
            let mut state = 3_u64;
            for turn in 0..30_000_u64 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // Some are asked for again and again, and which these are changes.
                let among = if state >> 60 < 12 { capacity as u64 } else { capacity as u64 * 3 };
                let number = ((state >> 33) % among + turn / 500) as u32;
                let value = map.touch_or_insert(number, || (0, 0), |_, _| ());
                if state >> 40 & 1 == 0 {
                    value.0 += 1;
                    machines.count(&machine(number), |dns| dns.questions += 1);
                } else {
                    value.1 += 1;
                    machines.change(&machine(number), |value| *value += 1);
                }
                assert_eq!((machines.len(), machines.evicted()), (map.len(), map.evicted()), "turn {turn}");
                for number in 0..(capacity as u32 * 3 + 60) {
                    let found = machines.get(&machine(number)).map(|(dns, value)| (dns.questions, *value));
                    assert_eq!(found, map.get(&number).copied(), "turn {turn}, machine {number}");
                }
            }
            assert!(machines.queue.len() <= 2 * capacity + 65);
        }
    }

    #[test]
    fn a_machine_is_a_cache_line() {
        assert_eq!((size_of::<Entry>(), align_of::<Entry>()), (64, 64));
    }
}
