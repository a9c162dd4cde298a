//! The table of flows: bounded, with timeouts on packet time.

use foldhash::fast::RandomState;
use std::hash::BuildHasher;

use super::{
    key::{Direction, FlowKey},
    tcp::TcpTracker,
    timers::{Entry, Timers},
};
use crate::{
    hash_index::HashIndex,
    huge_pages, limits, prefetch,
    time::{SECOND, Timestamp},
};

/// IP protocol numbers that have timeouts of their own.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// A flow, with what the table's owner keeps about it in `data`. What every packet needs stands first, and in the
/// owner's part too, so that it shares cache lines.
#[derive(Debug)]
#[repr(C)]
pub struct Flow<D> {
    /// Its key.
    pub key: FlowKey,
    /// Whether the key's lower end opened it.
    pub client_is_low: bool,
    /// The latest packet time seen.
    pub last: Timestamp,
    /// How late it was by the table's clock when the last packet came: from then on the timeout counts. Later
    /// than `last` where a capturing host's clock was set back.
    pub touched: Timestamp,
    /// The connection's state; stays empty for other protocols.
    pub tcp: TcpTracker,
    /// The owner's.
    pub data: D,
    /// Time of its first packet.
    pub first: Timestamp,
    /// Number of its first packet.
    pub first_packet: u64,
}

impl<D> Flow<D> {
    /// Which way a packet goes that the key's lower end sent, or the other.
    #[inline]
    pub fn direction(&self, from_low: bool) -> Direction {
        if from_low == self.client_is_low { Direction::ToServer } else { Direction::ToClient }
    }

    /// When the flow ends if nothing more comes.
    pub fn deadline(&self) -> Timestamp {
        let seconds = match self.key.protocol() {
            TCP if self.tcp.is_over() => limits::TCP_CLOSED_TIMEOUT,
            TCP if self.tcp.is_opening() => limits::TCP_OPENING_TIMEOUT,
            TCP => limits::TCP_ESTABLISHED_TIMEOUT,
            UDP => limits::UDP_TIMEOUT,
            _ => limits::OTHER_TIMEOUT,
        };
        self.touched.plus(seconds * SECOND)
    }
}

/// What became of flows, for the statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCounters {
    /// Flows created.
    pub created: u64,
    /// Flows that ended by timeout.
    pub timed_out: u64,
    /// Flows that were put out because the table was full.
    pub evicted: u64,
}

/// Stale timers that are kept beyond one for each flow, before the wheel is tidied.
const STALE_TIMERS: usize = 4096;

/// Flows by key. Invariant: every occupied place has exactly one entry in `index` and one current timer;
/// stale timers are at most as many as flows, and `STALE_TIMERS`.
#[derive(Debug)]
pub struct FlowTable<D> {
    index: HashIndex,
    places: Vec<Place<D>>,
    free: Vec<u32>,
    timers: Timers,
    /// The start of hashes, random for each process: who sends the packets chooses the keys.
    seed: u64,
    capacity: usize,
    counters: TableCounters,
    /// Scratch for timers that came up.
    due: Vec<Entry>,
}

#[derive(Debug)]
struct Place<D> {
    generation: u32,
    /// Upper half of the key's hash: all that the index needs to find the entry again.
    hash: u32,
    flow: Option<Flow<D>>,
}

impl<D> FlowTable<D> {
    /// An empty table for at most `capacity` flows.
    pub fn new(capacity: usize) -> Self {
        let places = Vec::with_capacity(capacity.max(1));
        huge_pages::advise(&places);
        Self {
            index: HashIndex::with_capacity(capacity.max(1)),
            places,
            free: Vec::new(),
            timers: Timers::default(),
            seed: RandomState::default().hash_one(0),
            capacity: capacity.max(1),
            counters: TableCounters::default(),
            due: Vec::new(),
        }
    }

    /// How many flows are in it.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// What became of its flows.
    pub fn counters(&self) -> TableCounters {
        self.counters
    }

    /// The index of the flow of `key`, if there is one.
    pub fn find(&self, key: &FlowKey) -> Option<u32> {
        self.find_likely(key, self.hash(key), None)
    }

    /// Asks for the memory that looking for `key` begins with; gives the key's hash, for [`FlowTable::likely`].
    #[inline]
    pub fn prefetch(&self, key: &FlowKey) -> u64 {
        let hash = self.hash(key);
        self.index.prefetch(hash);
        hash
    }

    /// Where the flow of the key with this hash likely stands; asks for its memory.
    #[inline]
    pub fn likely(&self, hash: u64) -> Option<u32> {
        let place = self.index.find(hash, |_| true)?;
        prefetch::value(&self.places, place as usize);
        Some(place)
    }

    /// The index of the flow of `key`, if there is one. Where it likely stands is looked at first.
    #[inline]
    pub fn find_likely(&self, key: &FlowKey, hash: u64, likely: Option<u32>) -> Option<u32> {
        let stands = |place: u32| flow_at(&self.places, place).is_some_and(|flow| flow.key == *key);
        likely.filter(|&place| stands(place)).or_else(|| self.index.find(hash, stands))
    }

    /// The flow at an index, untouched.
    pub fn get(&self, index: u32) -> Option<&Flow<D>> {
        flow_at(&self.places, index)
    }

    /// The flow at an index that [`FlowTable::find`] or [`FlowTable::insert`] gave.
    pub fn get_mut(&mut self, index: u32) -> Option<&mut Flow<D>> {
        self.places.get_mut(index as usize)?.flow.as_mut()
    }

    /// The hash of a key, as [`FlowTable::prefetch`] gives it.
    #[inline]
    pub fn hash(&self, key: &FlowKey) -> u64 {
        key.hash(self.seed)
    }

    /// When the table is full, the flow whose timer comes up next: it must be taken out before another is put in.
    /// It is counted as evicted.
    pub fn must_go(&mut self) -> Option<u32> {
        while self.len() >= self.capacity {
            let entry = self.timers.take_next()?;
            if current(&self.places, entry).is_some() {
                self.counters.evicted += 1;
                return Some(entry.index);
            }
        }
        None
    }

    /// Puts in a flow whose key is absent and has this hash. [`FlowTable::must_go`] has made room.
    #[inline]
    pub fn insert(&mut self, flow: Flow<D>, hash: u64) -> u32 {
        self.counters.created += 1;
        let deadline = flow.deadline();
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, hash: 0, flow: None });
            (self.places.len() - 1) as u32
        });
        if let Some(slot) = self.places.get_mut(place as usize) {
            slot.flow = Some(flow);
            slot.hash = (hash >> 32) as u32;
            let entry = Entry { index: place, generation: slot.generation };
            self.arm(entry, deadline);
        }
        self.index.insert(hash, place);
        place
    }

    /// Takes out the flow at `index`, where it stands: flows are large, and whoever ends one has told what it was.
    pub fn remove(&mut self, index: u32) {
        let Some(slot) = self.places.get_mut(index as usize) else { return };
        if slot.flow.is_none() {
            return;
        }
        slot.flow = None;
        // The timer stays in the wheel; its generation no longer fits.
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(index);
        self.index.remove(u64::from(slot.hash) << 32, index);
    }

    /// Whether [`FlowTable::advance`] to `time` may hand anything out.
    #[inline]
    pub fn is_due(&self, time: Timestamp) -> bool {
        self.timers.is_due(time)
    }

    /// Lets packet time go on to `time` and gives every flow whose deadline has passed to `expired`, in no
    /// particular order. They are counted as timed out, and stay in the table until they are taken out.
    pub fn advance(&mut self, time: Timestamp, mut expired: impl FnMut(u32, &Flow<D>)) {
        let mut due = std::mem::take(&mut self.due);
        self.timers.advance(time, &mut due);
        if let Some(now) = self.timers.now() {
            for entry in due.drain(..) {
                let Some(flow) = current(&self.places, entry) else { continue };
                let deadline = flow.deadline();
                if deadline > now {
                    self.timers.arm(entry, deadline);
                } else {
                    self.counters.timed_out += 1;
                    expired(entry.index, flow);
                }
            }
        }
        self.due = due;
    }

    /// Notes that the flow at `index` may now end sooner than its timer thinks.
    pub fn rearm(&mut self, index: u32) {
        let Some(place) = self.places.get_mut(index as usize) else { return };
        let Some(flow) = &place.flow else { return };
        // The old timer becomes stale, so that there is still one for each flow.
        place.generation = place.generation.wrapping_add(1);
        let (entry, deadline) = (Entry { index, generation: place.generation }, flow.deadline());
        self.arm(entry, deadline);
    }

    /// Arms a timer. Whoever opens and resets connections again and again leaves a stale timer each time,
    /// so that the wheel is tidied when most of them are.
    fn arm(&mut self, entry: Entry, deadline: Timestamp) {
        self.timers.arm(entry, deadline);
        if self.timers.len() > 2 * self.places.len() + STALE_TIMERS {
            let places = &self.places;
            self.timers.retain(|entry| current(places, entry).is_some());
        }
    }

    /// Every flow with its index, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Flow<D>)> {
        (0_u32..).zip(&self.places).filter_map(|(index, place)| Some((index, place.flow.as_ref()?)))
    }
}

/// The flow that the timer is for, unless the timer is stale.
fn current<D>(places: &[Place<D>], entry: Entry) -> Option<&Flow<D>> {
    let place = places.get(entry.index as usize)?;
    (place.generation == entry.generation).then_some(place.flow.as_ref()).flatten()
}

fn flow_at<D>(places: &[Place<D>], index: u32) -> Option<&Flow<D>> {
    places.get(index as usize)?.flow.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode::Tenant, flow::Endpoint};

    fn flow(port: u16, protocol: u8, time: Timestamp) -> Flow<()> {
        let end = |port| Endpoint { address: "10.0.0.1".parse().unwrap(), port };
        Flow {
            key: FlowKey::new(Tenant::default(), end(port), end(53), protocol),
            client_is_low: port < 53,
            first: time,
            last: time,
            touched: time,
            first_packet: u64::from(port),
            tcp: TcpTracker::default(),
            data: (),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_parts(second, 0)
    }

    /// Puts a flow in, and gives the first packets of those that had to go.
    fn put(table: &mut FlowTable<()>, flow: Flow<()>) -> (u32, Vec<u64>) {
        let mut gone = Vec::new();
        while let Some(place) = table.must_go() {
            gone.extend(table.get(place).map(|flow| flow.first_packet));
            table.remove(place);
        }
        let hash = table.hash(&flow.key);
        (table.insert(flow, hash), gone)
    }

    /// Lets time go on, takes out what has expired and gives its first packets.
    fn expire(table: &mut FlowTable<()>, time: Timestamp) -> Vec<u64> {
        let mut expired = Vec::new();
        table.advance(time, |place, flow| expired.push((place, flow.first_packet)));
        expired.iter().for_each(|(place, _)| table.remove(*place));
        expired.into_iter().map(|(_, first)| first).collect()
    }

    #[test]
    fn a_flow_lives_until_its_timeout_after_its_last_packet() {
        let mut table = FlowTable::new(10);
        expire(&mut table, at(0));
        let (index, _) = put(&mut table, flow(1000, UDP, at(0)));
        table.get_mut(index).unwrap().touched = at(100);
        assert!(expire(&mut table, at(limits::UDP_TIMEOUT + 50)).is_empty(), "its last packet was at 100 s");
        assert_eq!(expire(&mut table, at(limits::UDP_TIMEOUT + 100)), [1000]);
        assert_eq!(table.find(&flow(1000, UDP, at(0)).key), None);
        assert_eq!(table.counters(), TableCounters { created: 1, timed_out: 1, evicted: 0 });
    }

    #[test]
    fn a_full_table_puts_out_the_flow_that_would_end_first() {
        let mut table = FlowTable::new(2);
        expire(&mut table, at(0));
        put(&mut table, flow(1, UDP, at(0)));
        put(&mut table, flow(2, 1, at(0)));
        let (_, evicted) = put(&mut table, flow(3, UDP, at(1)));
        assert_eq!(evicted, [2], "ICMP has the shorter timeout");
        assert_eq!(table.len(), 2);
        let mut left: Vec<_> = table.iter().map(|(_, flow)| flow.first_packet).collect();
        left.sort_unstable();
        assert_eq!(left, [1, 3]);
    }

    #[test]
    fn flows_that_never_wait_for_their_timers_leave_none_behind() {
        let mut table = FlowTable::new(64);
        expire(&mut table, at(0));
        for round in 0..100_000_u32 {
            let (index, _) = put(&mut table, flow(7, TCP, at(0)));
            table.rearm(index);
            if round % 2 == 0 {
                table.remove(index);
            } else {
                table.rearm(index);
                assert!(table.timers.len() <= 2 * 64 + STALE_TIMERS);
                table.remove(index);
            }
        }
        // What is left still ends in its time.
        put(&mut table, flow(8, UDP, at(0)));
        assert_eq!(expire(&mut table, at(limits::UDP_TIMEOUT)), [8]);
        assert_eq!(table.timers.len(), 0);
    }

    #[test]
    fn many_flows_come_and_go_without_growth() {
        let mut table = FlowTable::new(64);
        for round in 0..200_i64 {
            expire(&mut table, at(round));
            for port in 0..50 {
                let flow = flow(round as u16 * 50 + port, 1, at(round));
                assert_eq!(table.find(&flow.key), None);
                put(&mut table, flow);
            }
            assert!(table.len() <= 64);
        }
        assert!(table.places.len() <= 64);
    }
}
