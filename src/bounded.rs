//! A map that the network may fill: fixed capacity; the entry longest not touched, as far as a quarter of the
//! capacity in touches tells, goes first.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, Hash},
};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// A map of at most `capacity` entries. The order of eviction depends on the order of calls only, never on
/// hashes, so that the same input gives the same output.
#[derive(Debug)]
pub struct BoundedMap<K, V> {
    entries: HashTable<Entry<K, V>>,
    /// Keys in the order in which they were last touched. A key's older tickets are stale.
    queue: VecDeque<(u64, K)>,
    next_ticket: u64,
    capacity: usize,
    evicted: u64,
    hasher: RandomState,
}

#[derive(Debug)]
struct Entry<K, V> {
    key: K,
    ticket: u64,
    value: V,
}

impl<K: Clone + Eq + Hash, V> BoundedMap<K, V> {
    /// An empty map for at most `capacity` entries (at least one).
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: HashTable::new(),
            queue: VecDeque::new(),
            next_ticket: 0,
            capacity: capacity.max(1),
            evicted: 0,
            // The seed is random for each process: who sends the packets chooses the keys.
            hasher: RandomState::default(),
        }
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Entries that were put out because the map was full.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The value of `key`, untouched.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.find(key).map(|entry| &entry.value)
    }

    /// The value of `key`, to be changed without being touched.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let hash = self.hasher.hash_one(key);
        self.entries.find_mut(hash, |entry| entry.key == *key).map(|entry| &mut entry.value)
    }

    /// The value of `key`, put in by `make` when absent; touched. The entry that had to go, if any, is
    /// handed to `evicted`.
    pub fn touch_or_insert(
        &mut self,
        key: K,
        make: impl FnOnce() -> V,
        mut evicted: impl FnMut(K, V),
    ) -> &mut V {
        let hash = self.hasher.hash_one(&key);
        let ticket = self.touch(hash, &key, &mut evicted);
        let fresh = self.next_ticket;
        let hasher = &self.hasher;
        let entry = self
            .entries
            .entry(hash, |entry| entry.key == key, |entry| hasher.hash_one(&entry.key))
            .or_insert_with(|| Entry { key: key.clone(), ticket: fresh, value: make() })
            .into_mut();
        entry.ticket = ticket.unwrap_or(fresh);
        &mut entry.value
    }

    /// Issues a ticket for `key` and makes room when it is absent; which ticket it has from now on, when not.
    fn touch(&mut self, hash: u64, key: &K, evicted: &mut impl FnMut(K, V)) -> Option<u64> {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        match self.entries.find(hash, |entry| entry.key == *key).map(|entry| entry.ticket) {
            // A key that was touched a moment ago keeps its place: a queue that moved at every touch would cost
            // more than the map.
            Some(last) if ticket - last <= self.capacity as u64 / 4 => Some(last),
            Some(_) => {
                self.enqueue(ticket, key.clone());
                Some(ticket)
            }
            None => {
                self.make_room(evicted);
                self.enqueue(ticket, key.clone());
                None
            }
        }
    }

    fn find(&self, key: &K) -> Option<&Entry<K, V>> {
        self.entries.find(self.hasher.hash_one(key), |entry| entry.key == *key)
    }

    fn enqueue(&mut self, ticket: u64, key: K) {
        if self.queue.len() > 2 * self.capacity + 64 {
            // Before the new ticket is issued: none that an entry holds may be lost, or it could never leave.
            let (entries, hasher) = (&self.entries, &self.hasher);
            self.queue.retain(|(ticket, key)| {
                let entry = entries.find(hasher.hash_one(key), |entry| entry.key == *key);
                entry.is_some_and(|entry| entry.ticket == *ticket)
            });
        }
        self.queue.push_back((ticket, key));
    }

    /// Puts out entries until there is room for one more.
    fn make_room(&mut self, evicted: &mut impl FnMut(K, V)) {
        while self.entries.len() >= self.capacity {
            let Some((ticket, key)) = self.queue.pop_front() else { break };
            let hash = self.hasher.hash_one(&key);
            if let Ok(found) =
                self.entries.find_entry(hash, |entry| entry.key == key && entry.ticket == ticket)
            {
                let (entry, _) = found.remove();
                self.evicted += 1;
                evicted(entry.key, entry.value);
            }
        }
    }

    /// Takes the entry of `key` out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let hash = self.hasher.hash_one(key);
        let found = self.entries.find_entry(hash, |entry| entry.key == *key).ok()?;
        Some(found.remove().0.value)
    }

    /// Takes out every entry that `leaves` names, in the order in which they were last touched.
    pub fn take_where(&mut self, mut leaves: impl FnMut(&K, &V) -> bool) -> Vec<(K, V)> {
        let mut taken = Vec::new();
        let (entries, hasher) = (&mut self.entries, &self.hasher);
        self.queue.retain(|(ticket, key)| {
            let Ok(found) = entries.find_entry(hasher.hash_one(key), |entry| entry.key == *key) else {
                return false;
            };
            if found.get().ticket != *ticket {
                return false;
            }
            let leaves = leaves(key, &found.get().value);
            if leaves {
                let (entry, _) = found.remove();
                taken.push((entry.key, entry.value));
            }
            !leaves
        });
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_untouched_entry_goes_first() {
        let mut map = BoundedMap::new(2);
        let mut gone = Vec::new();
        for (key, value) in [(1, "a"), (2, "b"), (1, "unused"), (3, "c")] {
            map.touch_or_insert(key, || value, |key, value| gone.push((key, value)));
        }
        assert_eq!(gone, [(2, "b")]);
        assert_eq!(map.get(&1), Some(&"a"));
        assert_eq!((map.len(), map.evicted()), (2, 1));
    }

    #[test]
    fn touching_one_key_for_ever_does_not_grow_the_queue() {
        let mut map = BoundedMap::new(4);
        for _ in 0..10_000 {
            *map.touch_or_insert("key", || 0, |_, _| ()) += 1;
        }
        assert_eq!(map.get(&"key"), Some(&10_000));
        assert!(map.queue.len() <= 72);
    }

    #[test]
    fn tidying_the_queue_loses_no_entry() {
        let mut map = BoundedMap::new(8);
        let mut gone = 0;
        // Touches that bring the queue to be tidied again and again, at every place of the cycle.
        for turn in 0..5_000_u64 {
            map.touch_or_insert(turn * turn % 13, || turn, |_, _| gone += 1);
            assert!(map.len() <= 8, "turn {turn}");
            let tickets: Vec<_> = map.entries.iter().map(|entry| entry.ticket).collect();
            assert!(tickets.iter().all(|ticket| map.queue.iter().any(|(queued, _)| queued == ticket)));
        }
        assert_eq!(gone, map.evicted());
        let held = map.len();
        assert_eq!(map.take_where(|_, _| true).len(), held);
    }

    #[test]
    fn entries_leave_in_the_order_of_their_last_touch() {
        let mut map = BoundedMap::new(10);
        for key in [1, 2, 3, 1] {
            map.touch_or_insert(key, || key, |_, _| ());
        }
        let left: Vec<_> =
            map.take_where(|_, value| value % 2 == 1).into_iter().map(|(key, _)| key).collect();
        assert_eq!(left, [3, 1]);
        assert_eq!(map.len(), 1);
    }
}
