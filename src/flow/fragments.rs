//! Fragments of IP datagrams, put together within a fixed budget.
//!
//! What becomes of a datagram depends on its own fragments and their times only, so that it does not
//! matter which worker holds it; the one exception is a pool that is full, and that is counted.
//!
//! **Overlaps: the first bytes win.** Hosts differ here: some keep the first bytes, many drop the whole
//! datagram (RFC 5722 asks that of IPv6), hardly any let later bytes overwrite. Keeping the first gives
//! what a host sees that accepts the datagram at all, and one forged fragment that follows the true
//! one cannot make us lose it. An overlap whose bytes differ is counted, because nobody sends that
//! by accident.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
};

use crate::{
    decode::{Fragment, Network, Tenant},
    limits,
    time::{SECOND, Timestamp},
};

/// The largest payload of an IP datagram, in bytes.
const DATAGRAM_MAX: u32 = 65_535;
/// What a fragment costs beside its bytes, so that tiny ones cannot fill the memory.
const PIECE_OVERHEAD: usize = 64;
/// Fragments but the last carry a multiple of this many bytes (RFC 791 section 3.2).
const UNIT: u32 = 8;

/// A datagram that was put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// The IP header of the first fragment, which is no fragment any more. In IPv6 its `protocol` says
    /// what the payload starts with, whatever the other fragments claim (RFC 8200 section 4.5).
    pub network: Network,
    /// The payload, at most 65,535 bytes.
    pub payload: Vec<u8>,
}

/// What a fragment led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FragmentOutcome {
    /// More fragments are needed.
    Pending,
    /// It was the last one that was missing.
    Complete(Datagram),
    /// It is not kept, and its datagram may be lost.
    Rejected(Refusal),
}

/// Why a fragment was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The packet is not a fragment, or carries no bytes.
    Empty,
    /// The capture cut it (snap length); its datagram cannot be put together. If it is the first
    /// (`offset` 0), `decode::decode_datagram` reads what there is of the transport.
    Cut,
    /// It reaches beyond 65,535 bytes; its datagram is given up.
    TooLarge,
    /// Its datagram has come in more than [`limits::FRAGMENTS_PER_DATAGRAM`] pieces and is given up.
    TooMany,
    /// It ends the datagram before bytes that are there, or lies behind its end.
    LengthConflict,
    /// Its datagram was given up before.
    GivenUp,
}

/// What happened to fragments so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentCounters {
    /// Fragments that came.
    pub fragments: u64,
    /// Datagrams that were put together.
    pub reassembled: u64,
    /// Datagrams that were given up because a fragment did not come in time.
    pub timed_out: u64,
    /// Datagrams that were given up because the pool was full: the oldest go first.
    pub evicted: u64,
    /// Fragments with bytes that were there already, equal ones (retransmitted, captured twice).
    pub duplicates: u64,
    /// Fragments with other bytes than those there already.
    pub conflicts: u64,
    /// Fragments that contradict where their datagram ends.
    pub length_conflicts: u64,
    /// Fragments that were cut by the capture.
    pub cut: u64,
    /// Datagrams given up for reaching beyond 65,535 bytes.
    pub too_large: u64,
    /// Datagrams given up for having too many fragments.
    pub too_many: u64,
    /// Fragments in the middle whose length is no multiple of 8; what is beyond it is left out.
    pub uneven: u64,
}

/// Which datagram a fragment belongs to (RFC 791 section 2.3, RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    tenant: Tenant,
    source: IpAddr,
    destination: IpAddr,
    id: u32,
    /// The IP protocol in IPv4. IPv6 leaves it out, since only the first fragment's next header counts: 0.
    protocol: u8,
}

/// Bytes of a datagram that have come. Pieces of one datagram do not overlap and are ordered.
#[derive(Debug)]
struct Piece {
    start: u32,
    bytes: Vec<u8>,
}

impl Piece {
    fn end(&self) -> u32 {
        self.start + self.bytes.len() as u32
    }
}

#[derive(Debug)]
struct Partial {
    /// When its first fragment came, and its place among all datagrams by that.
    started: Timestamp,
    sequence: u64,
    pieces: Vec<Piece>,
    /// Where it ends, once the last fragment has come.
    total: Option<u32>,
    /// The first fragment's header, once that has come.
    network: Option<Network>,
    /// It will never be complete; only its name is kept, so that the rest of it is known for what it is.
    given_up: bool,
}

/// The datagrams under reassembly.
///
/// # Limits
///
/// [`limits::FRAGMENT_DATAGRAMS`], [`limits::FRAGMENT_BYTES`] (with a fixed cost per piece),
/// [`limits::FRAGMENTS_PER_DATAGRAM`] and [`limits::FRAGMENT_TIMEOUT_SECONDS`] from the first fragment.
/// When the pool is full, the datagram whose first fragment came before all others' is given up.
#[derive(Debug, Default)]
pub struct Fragments {
    datagrams: BTreeMap<Key, Partial>,
    /// Datagrams in the order in which they started; those that are gone are passed over.
    order: VecDeque<(u64, Key)>,
    next_sequence: u64,
    held: usize,
    counters: FragmentCounters,
}

impl Fragments {
    /// An empty pool.
    pub fn new() -> Self {
        Self::default()
    }

    /// What happened so far.
    pub fn counters(&self) -> FragmentCounters {
        self.counters
    }

    /// Datagrams that wait for fragments.
    pub fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Adds the fragment with the IP header `network` and the captured bytes `payload`.
    pub fn push(
        &mut self,
        tenant: Tenant,
        network: &Network,
        payload: &[u8],
        time: Timestamp,
    ) -> FragmentOutcome {
        let Some(fragment) = network.fragment else { return FragmentOutcome::Rejected(Refusal::Empty) };
        self.counters.fragments += 1;
        let key = Key {
            tenant,
            source: network.source,
            destination: network.destination,
            id: fragment.id,
            protocol: if network.source.is_ipv4() { network.protocol } else { 0 },
        };
        self.drop_if_expired(&key, time);
        let added = self.add(&key, network, fragment, payload, time);
        self.evict(&key);
        match added {
            Ok(()) => self.complete(&key).map_or(FragmentOutcome::Pending, FragmentOutcome::Complete),
            Err(refusal) => FragmentOutcome::Rejected(refusal),
        }
    }

    /// Gives up what waits longer than [`limits::FRAGMENT_TIMEOUT_SECONDS`] at `now`.
    ///
    /// Only to free memory early: a datagram's own fragments are never joined across the timeout,
    /// whether this is called or not.
    pub fn expire(&mut self, now: Timestamp) {
        while let Some(&(sequence, key)) = self.order.front() {
            match self.datagrams.get(&key) {
                Some(partial) if partial.sequence == sequence && !is_expired(partial, now) => return,
                Some(partial) if partial.sequence == sequence => {
                    self.remove(&key);
                    self.counters.timed_out += 1;
                }
                _ => {}
            }
            self.order.pop_front();
        }
    }

    fn drop_if_expired(&mut self, key: &Key, now: Timestamp) {
        if self.datagrams.get(key).is_some_and(|partial| is_expired(partial, now)) {
            self.remove(key);
            self.counters.timed_out += 1;
        }
    }

    fn add(
        &mut self,
        key: &Key,
        network: &Network,
        fragment: Fragment,
        payload: &[u8],
        time: Timestamp,
    ) -> Result<(), Refusal> {
        if fragment.length == 0 {
            return Err(Refusal::Empty);
        }
        let length = if fragment.more { fragment.length / UNIT * UNIT } else { fragment.length };
        if length != fragment.length {
            self.counters.uneven += 1;
            if length == 0 {
                return Err(Refusal::Empty);
            }
        }
        let partial = self.find_or_start(key, time);
        if partial.given_up {
            return Err(Refusal::GivenUp);
        }
        let end = fragment.offset.saturating_add(length);
        if end > DATAGRAM_MAX {
            self.counters.too_large += 1;
            return Err(self.give_up(key, Refusal::TooLarge));
        }
        let Some(bytes) = payload.get(..length as usize) else {
            self.counters.cut += 1;
            return Err(self.give_up(key, Refusal::Cut));
        };
        let Some(partial) = self.datagrams.get_mut(key) else { return Err(Refusal::GivenUp) };
        if !partial.agree_on_end(end, fragment.more) {
            self.counters.length_conflicts += 1;
            return Err(Refusal::LengthConflict);
        }
        if fragment.offset == 0 && partial.network.is_none() {
            partial.network = Some(Network { fragment: None, ..*network });
        }
        let added = partial.insert(fragment.offset, bytes);
        let pieces = partial.pieces.len();
        self.held += added.cost;
        match added.overlap {
            Overlap::None => {}
            Overlap::Equal => self.counters.duplicates += 1,
            Overlap::Different => self.counters.conflicts += 1,
        }
        // Pieces are counted, not fragments: a mirror that sees every packet twice is no attack.
        if pieces > limits::FRAGMENTS_PER_DATAGRAM {
            self.counters.too_many += 1;
            return Err(self.give_up(key, Refusal::TooMany));
        }
        Ok(())
    }

    fn find_or_start(&mut self, key: &Key, time: Timestamp) -> &mut Partial {
        let next_sequence = &mut self.next_sequence;
        let order = &mut self.order;
        self.datagrams.entry(*key).or_insert_with(|| {
            let sequence = *next_sequence;
            *next_sequence += 1;
            order.push_back((sequence, *key));
            Partial {
                started: time,
                sequence,
                pieces: Vec::new(),
                total: None,
                network: None,
                given_up: false,
            }
        })
    }

    /// Frees a datagram's bytes and keeps its name.
    fn give_up(&mut self, key: &Key, refusal: Refusal) -> Refusal {
        if let Some(partial) = self.datagrams.get_mut(key) {
            self.held -= partial.cost();
            partial.pieces = Vec::new();
            partial.given_up = true;
        }
        refusal
    }

    fn remove(&mut self, key: &Key) -> Option<Partial> {
        let partial = self.datagrams.remove(key)?;
        self.held -= partial.cost();
        Some(partial)
    }

    /// Makes room, at the cost of the oldest, never of `current`.
    fn evict(&mut self, current: &Key) {
        // Places of datagrams that are gone are dropped here, so that the queue stays as short as twice
        // the table, whatever comes.
        let is_alive = |datagrams: &BTreeMap<Key, Partial>, (sequence, key): &(u64, Key)| {
            datagrams.get(key).is_some_and(|partial| partial.sequence == *sequence)
        };
        if self.order.len() > 2 * limits::FRAGMENT_DATAGRAMS {
            self.order.retain(|place| is_alive(&self.datagrams, place));
        }
        let mut kept = None;
        while self.datagrams.len() > limits::FRAGMENT_DATAGRAMS || self.held > limits::FRAGMENT_BYTES {
            let Some(place) = self.order.pop_front() else { break };
            if place.1 == *current {
                kept = is_alive(&self.datagrams, &place).then_some(place).or(kept);
            } else if is_alive(&self.datagrams, &place) {
                self.remove(&place.1);
                self.counters.evicted += 1;
            }
        }
        if let Some(place) = kept {
            self.order.push_front(place);
        }
    }

    /// Takes the datagram out if nothing is missing.
    fn complete(&mut self, key: &Key) -> Option<Datagram> {
        let partial = self.datagrams.get(key)?;
        let (total, network) = (partial.total?, partial.network?);
        if partial.pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>() != total as usize {
            return None;
        }
        let partial = self.remove(key)?;
        let mut payload = Vec::with_capacity(total as usize);
        for piece in partial.pieces {
            payload.extend_from_slice(&piece.bytes);
        }
        self.counters.reassembled += 1;
        Some(Datagram { network, payload })
    }
}

/// Whether a fragment at `now` is too late for this datagram; also when time jumped back as far, since
/// identifications repeat and the two then have nothing to do with each other.
fn is_expired(partial: &Partial, now: Timestamp) -> bool {
    now.since(partial.started).unsigned_abs() > (limits::FRAGMENT_TIMEOUT_SECONDS * SECOND).unsigned_abs()
}

/// How a fragment's bytes met those that were there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overlap {
    None,
    Equal,
    Different,
}

struct Added {
    cost: usize,
    overlap: Overlap,
}

impl Partial {
    fn cost(&self) -> usize {
        self.pieces.iter().map(|piece| piece.bytes.len() + PIECE_OVERHEAD).sum()
    }

    /// Whether a fragment that ends at `end` fits to where the datagram ends; the last fragment that
    /// came first says where that is, unless bytes beyond it had come.
    fn agree_on_end(&mut self, end: u32, more: bool) -> bool {
        match self.total {
            Some(total) => end <= total && (more || end == total),
            None if more => true,
            None => {
                let fits = self.pieces.last().is_none_or(|last| last.end() <= end);
                if fits {
                    self.total = Some(end);
                }
                fits
            }
        }
    }

    /// Keeps those of `bytes` that are new.
    fn insert(&mut self, offset: u32, bytes: &[u8]) -> Added {
        let end = offset + bytes.len() as u32;
        let between = |from: u32, to: u32| {
            bytes.get((from - offset) as usize..(to - offset) as usize).unwrap_or_default()
        };
        let mut added = Added { cost: 0, overlap: Overlap::None };
        let mut gaps: Vec<(u32, u32)> = Vec::new();
        let mut position = offset;
        let first = self.pieces.partition_point(|piece| piece.end() <= offset);
        for piece in self.pieces.iter().skip(first).take_while(|piece| piece.start < end) {
            if piece.start > position {
                gaps.push((position, piece.start));
            }
            let (from, to) = (piece.start.max(offset), piece.end().min(end));
            let known = piece
                .bytes
                .get((from - piece.start) as usize..(to - piece.start) as usize)
                .unwrap_or_default();
            if known != between(from, to) {
                added.overlap = Overlap::Different;
            } else if added.overlap == Overlap::None {
                added.overlap = Overlap::Equal;
            }
            position = to;
        }
        if position < end {
            gaps.push((position, end));
        }
        for (from, to) in gaps {
            let place = self.pieces.partition_point(|piece| piece.start < from);
            self.pieces.insert(place, Piece { start: from, bytes: between(from, to).to_vec() });
            added.cost += (to - from) as usize + PIECE_OVERHEAD;
        }
        added
    }
}

/// Entry for fuzzing: each five bytes of `data` make a fragment of one of a few datagrams.
///
/// # Panics
///
/// When an invariant does not hold: whatever is put together has bytes of fragments only, in their
/// places; the budget holds; the same fragments give the same outcomes.
pub fn fuzz_fragments(data: &[u8]) {
    let run = || {
        let mut pool = Fragments::new();
        let mut outcomes = Vec::new();
        let mut seconds = 0;
        for step in data.as_chunks::<5>().0 {
            let [which, place, length, flags, time] = *step;
            seconds += i64::from(time >> 5);
            let offset = u32::from(place) * if flags & 2 != 0 { 257 * UNIT } else { UNIT };
            let length = u32::from(length);
            // A byte's value tells its place, so that the result can be checked.
            let payload: Vec<u8> = (offset..offset + length).map(place_mark).collect();
            let captured = if flags & 4 != 0 { payload.len() / 2 } else { payload.len() };
            let network = Network {
                source: IpAddr::from([10, 0, 0, which & 3]),
                destination: IpAddr::from([10, 0, 0, 9]),
                protocol: 17,
                ttl: 64,
                fragment: Some(Fragment { id: u32::from(which >> 2), offset, more: flags & 1 != 0, length }),
            };
            let bytes = payload.get(..captured).unwrap_or_default();
            let outcome = pool.push(Tenant::default(), &network, bytes, Timestamp::from_parts(seconds, 0));
            if flags & 8 != 0 {
                pool.expire(Timestamp::from_parts(seconds, 0));
            }
            assert!(pool.held <= limits::FRAGMENT_BYTES && pool.len() <= limits::FRAGMENT_DATAGRAMS);
            assert_eq!(pool.held, pool.datagrams.values().map(Partial::cost).sum::<usize>());
            if let FragmentOutcome::Complete(datagram) = &outcome {
                assert!(datagram.network.fragment.is_none());
                let expected: Vec<u8> = (0..datagram.payload.len() as u32).map(place_mark).collect();
                assert_eq!(datagram.payload, expected);
            }
            outcomes.push(outcome);
        }
        assert_eq!(pool.counters.conflicts, 0, "equal bytes in equal places cannot differ");
        (outcomes, pool.counters)
    };
    assert_eq!(run(), run());
}

/// A byte that tells where it stands, for [`fuzz_fragments`].
fn place_mark(place: u32) -> u8 {
    (place ^ (place >> 8)) as u8
}

#[cfg(test)]
#[path = "fragments_tests.rs"]
mod tests;
