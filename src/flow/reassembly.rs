//! One direction of one TCP connection, put in order.
//!
//! In-order segments go to the reader as they are, without a copy; only what comes too early is
//! held. A million flows have two of these each, so an orderly [`SideStream`] owns no memory.
//!
//! *Overlaps.* The first arrival wins, for bytes delivered as for bytes held. Where a later segment
//! disagrees with held bytes, two readers of the same wire may see different streams: that is
//! counted and remembered ([`SideStream::conflicting`]). Delivered bytes are gone and cannot be
//! compared.
//!
//! *Loss.* Missing bytes become a [`Piece::Gap`] as soon as waiting has no point: the receiver has
//! acknowledged them, a cap is reached, or the input ends.

use super::held_pieces::{Extent, Held, PIECE_COST, Waiting, differ};
use crate::limits::REASSEMBLY_BYTES;

/// How far from the expected byte a segment may lie, either way. RFC 7323 allows a window of 1 GiB,
/// real stacks stop at some 16 MiB; what jumps farther is a forgery or a hole in the capture.
const WINDOW: u32 = 64 << 20;
/// Segments outside the window, each near the one before, after which the stream follows them.
const STRAYS: u8 = 4;

/// What a reader is given, in stream order and without holes: every byte of the stream is told in
/// exactly one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The next bytes; never empty.
    Data(&'a [u8]),
    /// So many bytes are missing for good: at least 1, or [`Piece::UNKNOWN_GAP`].
    Gap(u64),
    /// So many bytes were passed over, because [`SideStream::skip`] asked for it. Told once, when
    /// the skip ends; bytes lost inside it are counted in.
    Skipped(u64),
}

impl Piece<'_> {
    /// The gap's length when the stream jumped and nobody knows how much is missing.
    pub const UNKNOWN_GAP: u64 = u64::MAX;
}

/// What reassembly met, over all streams of one [`ReassemblyBudget`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReassemblyCounters {
    /// Segments that came before their turn.
    pub out_of_order: u64,
    /// Segments of which a part was known already and a part was new.
    pub overlaps: u64,
    /// Segments that disagreed with held bytes.
    pub conflicting_overlaps: u64,
    /// Segments that brought nothing new.
    pub retransmissions: u64,
    /// Gaps.
    pub gaps: u64,
    /// Bytes in gaps of known length.
    pub gap_bytes: u64,
    /// Segments outside the window, not used.
    pub outside_window: u64,
    /// Streams that jumped, because the segments outside the window agreed with each other.
    pub resyncs: u64,
    /// Gaps declared because a side reached its cap of bytes or pieces.
    pub side_overflows: u64,
    /// Segments that could not be held because [`ReassemblyBudget`] was spent: from then on results
    /// may depend on how flows are spread over threads.
    pub budget_refused: u64,
}

/// The memory that the streams of one flow table may hold together, and what they met.
#[derive(Debug)]
pub struct ReassemblyBudget {
    limit: usize,
    held: usize,
    /// What the streams met so far.
    pub counters: ReassemblyCounters,
}

impl Default for ReassemblyBudget {
    fn default() -> Self {
        Self::new(REASSEMBLY_BYTES)
    }
}

impl ReassemblyBudget {
    /// A budget of `limit` bytes, descriptors included.
    pub fn new(limit: usize) -> Self {
        Self { limit, held: 0, counters: ReassemblyCounters::default() }
    }

    /// Bytes held now. Invariant: `held() <= limit`.
    pub const fn held(&self) -> usize {
        self.held
    }

    fn take(&mut self, bytes: usize) -> bool {
        let fits = self.limit.saturating_sub(self.held) >= bytes;
        if fits {
            self.held += bytes;
        }
        fits
    }

    fn give_back(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }
}

/// One direction of one TCP connection.
///
/// Every stream must see [`SideStream::finish`] or [`SideStream::stop`] before it is dropped, with
/// the budget that its segments were given; else the budget counts its bytes for ever.
#[derive(Debug, Default)]
pub struct SideStream {
    /// Pieces beyond a hole; `None` while all is in order.
    waiting: Option<Box<Waiting>>,
    /// Bytes that are still to be passed over.
    skip: u64,
    /// Bytes passed over, not yet told.
    passed: u64,
    /// The next byte's sequence number, once open.
    next: u32,
    /// Where the last segment outside the window ended.
    stray_end: u32,
    strays: u8,
    phase: Phase,
    conflicting: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Neither SYN nor data was seen.
    #[default]
    Unstarted,
    Open,
    Stopped,
}

impl SideStream {
    /// The stream's first byte has this sequence number: that of the SYN plus 1 (data in the SYN, as
    /// in TCP Fast Open, begins there). Of no effect once the stream has begun.
    pub fn start(&mut self, sequence_of_first_byte: u32) {
        if self.phase == Phase::Unstarted {
            self.phase = Phase::Open;
            self.next = sequence_of_first_byte;
        }
    }

    /// Whether what comes next is wanted.
    pub fn is_wanted(&self) -> bool {
        self.phase != Phase::Stopped
    }

    /// Whether a SYN or data was seen and more is wanted.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether pieces wait behind a hole; else an acknowledgment says nothing.
    #[inline]
    pub const fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether a segment disagreed with bytes that were held: a sign of evasion.
    pub const fn conflicting(&self) -> bool {
        self.conflicting
    }

    /// The sequence number of the byte that is expected next; `None` before the stream began.
    pub fn expected(&self) -> Option<u32> {
        (self.phase != Phase::Unstarted).then_some(self.next)
    }

    /// Passes over the next segment if nobody reads a byte of it and more is to be passed over behind it; what
    /// [`SideStream::segment`] does with such a one, which needs no more of it than its length.
    #[inline]
    pub fn pass_over(&mut self, sequence: u32, wire_length: u32) -> bool {
        let passes = self.phase == Phase::Open
            && self.waiting.is_none()
            && sequence == self.next
            && u64::from(wire_length) < self.skip;
        if passes {
            self.strays = 0;
            self.next = self.next.wrapping_add(wire_length);
            self.skip -= u64::from(wire_length);
            self.passed += u64::from(wire_length);
        }
        passes
    }

    /// Reads one segment: `sequence` of its first payload byte (for a SYN, its number plus 1), the
    /// payload as captured, and its length on the wire. Without a SYN the first segment with data
    /// opens the stream.
    ///
    /// `deliver` is called with every piece whose turn has come, and with the same calls for any
    /// batching of segments. The reader's wish after the last piece goes to [`SideStream::skip`] or
    /// [`SideStream::stop`].
    pub fn segment(
        &mut self,
        sequence: u32,
        payload: &[u8],
        wire_length: u32,
        budget: &mut ReassemblyBudget,
        deliver: &mut dyn FnMut(Piece<'_>),
    ) {
        let length = wire_length.max(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        if length == 0 || self.phase == Phase::Stopped {
            return;
        }
        self.start(sequence);
        if !self.within_window(sequence, length, budget, deliver) {
            return;
        }
        let mut segment = Extent { bytes: payload, length };
        let behind = self.next.wrapping_sub(sequence);
        if behind != 0 && behind <= WINDOW {
            if behind >= length {
                // A keep-alive probe repeats the last byte (RFC 9293 section 3.8.4).
                budget.counters.retransmissions += u64::from(length > 1 || behind > 1);
                return;
            }
            budget.counters.overlaps += 1;
            segment = segment.split(behind).1;
        }
        if segment.absent() > 0 && self.skip < u64::from(segment.length) {
            budget.counters.gaps += 1;
            budget.counters.gap_bytes += u64::from(segment.absent());
        }
        let ahead = sequence.wrapping_sub(self.next);
        if ahead == 0 || ahead > WINDOW {
            return self.in_order(segment, budget, deliver);
        }
        budget.counters.out_of_order += 1;
        if !self.hold(ahead, segment, budget) {
            budget.counters.budget_refused += 1;
            self.give_up(sequence, budget, deliver);
            let known = self.next.wrapping_sub(sequence);
            self.in_order(segment.split(known).1, budget, deliver);
        }
        while self.waiting.as_ref().is_some_and(|waiting| waiting.is_over_its_cap()) {
            budget.counters.side_overflows += 1;
            self.give_up_first_hole(budget, deliver);
        }
    }

    /// The other side has everything before `acknowledgment`: what lies before it and was not seen
    /// will not come again, so pieces behind such a hole need not wait.
    pub fn acknowledged(
        &mut self,
        acknowledgment: u32,
        budget: &mut ReassemblyBudget,
        deliver: &mut dyn FnMut(Piece<'_>),
    ) {
        while let Some(hole) = self.first_hole() {
            let acknowledged = acknowledgment.wrapping_sub(self.next);
            // Acknowledged up to inside the hole: its other part may still come.
            if acknowledged == 0 || acknowledged > WINDOW || acknowledged < hole {
                return;
            }
            self.give_up_first_hole(budget, deliver);
        }
    }

    /// The reader wants nothing of the next `count` bytes, counted from the last piece it was given.
    /// They are not delivered; [`Piece::Skipped`] says when they are over.
    pub fn skip(&mut self, count: u64) {
        self.skip = count.saturating_sub(self.passed);
    }

    /// Nothing more is wanted: what waits is dropped, and later segments cost nothing.
    pub fn stop(&mut self, budget: &mut ReassemblyBudget) {
        if let Some(waiting) = self.waiting.take() {
            budget.give_back(waiting.pieces.iter().map(Held::cost).sum());
        }
        self.phase = Phase::Stopped;
    }

    /// No segment will follow: delivers what waits, with its gaps, and stops.
    pub fn finish(&mut self, budget: &mut ReassemblyBudget, deliver: &mut dyn FnMut(Piece<'_>)) {
        while self.first_hole().is_some() {
            self.give_up_first_hole(budget, deliver);
        }
        if self.passed > 0 {
            deliver(Piece::Skipped(std::mem::take(&mut self.passed)));
        }
        self.stop(budget);
    }

    /// Whether a segment lies near the expected byte. One that does not is counted and left, unless
    /// several in a row agree: then the guess was wrong (a capture that began with a forged or old
    /// segment) or much was lost, and the stream goes on where they are.
    fn within_window(
        &mut self,
        sequence: u32,
        length: u32,
        budget: &mut ReassemblyBudget,
        deliver: &mut dyn FnMut(Piece<'_>),
    ) -> bool {
        let near = |from: u32| distance(from, sequence) <= WINDOW;
        if near(self.next) {
            self.strays = 0;
            return true;
        }
        let agrees = self.strays > 0 && near(self.stray_end);
        self.strays = if agrees { self.strays + 1 } else { 1 };
        self.stray_end = sequence.wrapping_add(length);
        if self.strays < STRAYS {
            budget.counters.outside_window += 1;
            return false;
        }
        self.strays = 0;
        while self.first_hole().is_some() {
            self.give_up_first_hole(budget, deliver);
        }
        budget.counters.resyncs += 1;
        budget.counters.gaps += 1;
        if self.passed > 0 {
            deliver(Piece::Skipped(std::mem::take(&mut self.passed)));
        }
        self.skip = 0;
        self.next = sequence;
        deliver(Piece::Gap(Piece::UNKNOWN_GAP));
        true
    }

    /// Delivers a segment that begins at the expected byte, and every piece whose turn it brings.
    fn in_order(
        &mut self,
        segment: Extent<'_>,
        budget: &mut ReassemblyBudget,
        deliver: &mut dyn FnMut(Piece<'_>),
    ) {
        let mut rest = segment;
        loop {
            let free = self.hole_before_first().unwrap_or(u32::MAX);
            let (lead, tail) = rest.split(free);
            self.advance(lead, deliver);
            rest = tail;
            if self.hole_before_first() != Some(0) {
                return;
            }
            let Some(held) = self.take_first(budget) else { return };
            let (known, tail) = rest.split(held.length());
            if known.length > 0 {
                budget.counters.overlaps += 1;
                self.compare(&held.bytes, known.bytes, budget);
            }
            rest = tail;
            self.advance(Extent { bytes: &held.bytes, length: held.length() }, deliver);
        }
    }

    /// Keeps what is new of a segment that begins `ahead` bytes behind the expected one. `false`,
    /// with nothing changed, when the budget has no room for it.
    fn hold(&mut self, ahead: u32, segment: Extent<'_>, budget: &mut ReassemblyBudget) -> bool {
        // Nobody will look at bytes inside a skip: their extent is enough.
        let unwanted = u64::from(ahead) + u64::from(segment.length) <= self.skip;
        let segment = if unwanted { Extent { bytes: &[], ..segment } } else { segment };
        // The most that this can cost: each known piece cuts the segment once more.
        let pieces = self.waiting.as_ref().map_or(0, |waiting| waiting.pieces.len());
        let most = segment.bytes.len() + (pieces + 1) * PIECE_COST;
        if budget.limit.saturating_sub(budget.held) < most {
            return false;
        }
        let mut waiting = self.waiting.take().unwrap_or_default();
        let (mut rest, mut at, mut index) = (segment, ahead, 0);
        let (mut known_bytes, mut new_bytes) = (0, 0);
        while rest.length > 0 {
            let (start, length) = match waiting.pieces.get(index) {
                Some(piece) => (piece.sequence.wrapping_sub(self.next), piece.length()),
                None => (u32::MAX, 0),
            };
            if start.saturating_add(length) <= at {
                index += 1;
                continue;
            }
            let (fresh, tail) = rest.split(start.saturating_sub(at));
            if fresh.length > 0 {
                let held = Held {
                    sequence: self.next.wrapping_add(at),
                    bytes: fresh.bytes.into(),
                    absent: fresh.absent(),
                };
                budget.take(held.cost());
                waiting.bytes += held.bytes.len();
                waiting.pieces.insert(index, held);
                new_bytes += fresh.length;
                index += 1;
            }
            at += fresh.length;
            rest = tail;
            if let Some(piece) = waiting.pieces.get(index).filter(|_| rest.length > 0) {
                let into = at - start;
                let (known, tail) = rest.split(length - into);
                let held = piece.bytes.get(into as usize..).unwrap_or_default();
                if differ(held, known.bytes) {
                    self.conflicting = true;
                    budget.counters.conflicting_overlaps += 1;
                }
                known_bytes += known.length;
                at += known.length;
                rest = tail;
                index += 1;
            }
        }
        self.waiting = Some(waiting);
        if known_bytes > 0 && new_bytes > 0 {
            budget.counters.overlaps += 1;
        } else if known_bytes > 0 {
            budget.counters.retransmissions += 1;
        }
        true
    }

    /// Declares all holes before `sequence`, and delivers what stands between them.
    fn give_up(&mut self, sequence: u32, budget: &mut ReassemblyBudget, deliver: &mut dyn FnMut(Piece<'_>)) {
        loop {
            let to_go = sequence.wrapping_sub(self.next);
            // Held pieces may have carried the stream past it.
            if to_go == 0 || to_go > WINDOW {
                return;
            }
            match self.first_hole() {
                Some(hole) if hole <= to_go => self.give_up_first_hole(budget, deliver),
                _ => return self.declare_gap(to_go, budget, deliver),
            }
        }
    }

    fn give_up_first_hole(&mut self, budget: &mut ReassemblyBudget, deliver: &mut dyn FnMut(Piece<'_>)) {
        if let Some(hole) = self.first_hole() {
            self.declare_gap(hole, budget, deliver);
        }
        self.in_order(Extent { bytes: &[], length: 0 }, budget, deliver);
    }

    fn declare_gap(
        &mut self,
        length: u32,
        budget: &mut ReassemblyBudget,
        deliver: &mut dyn FnMut(Piece<'_>),
    ) {
        budget.counters.gaps += 1;
        budget.counters.gap_bytes += u64::from(length);
        self.advance(Extent { bytes: &[], length }, deliver);
    }

    /// Moves the expected byte over `extent` and delivers what is not to be skipped.
    fn advance(&mut self, extent: Extent<'_>, deliver: &mut dyn FnMut(Piece<'_>)) {
        self.next = self.next.wrapping_add(extent.length);
        let mut extent = extent;
        if self.skip > 0 {
            let passed = u32::try_from(self.skip).unwrap_or(u32::MAX).min(extent.length);
            extent = extent.split(passed).1;
            self.skip -= u64::from(passed);
            self.passed += u64::from(passed);
        }
        if self.skip == 0 && self.passed > 0 {
            deliver(Piece::Skipped(std::mem::take(&mut self.passed)));
        }
        if !extent.bytes.is_empty() {
            deliver(Piece::Data(extent.bytes));
        }
        if extent.absent() > 0 {
            deliver(Piece::Gap(u64::from(extent.absent())));
        }
    }

    /// Bytes between the expected one and the first held piece; `None` when nothing waits.
    fn hole_before_first(&self) -> Option<u32> {
        let first = self.waiting.as_ref()?.pieces.first()?;
        Some(first.sequence.wrapping_sub(self.next))
    }

    /// The same, for holes of at least one byte, which is all there are between calls.
    fn first_hole(&self) -> Option<u32> {
        self.hole_before_first().filter(|hole| *hole > 0)
    }

    fn take_first(&mut self, budget: &mut ReassemblyBudget) -> Option<Held> {
        let waiting = self.waiting.as_mut().filter(|waiting| !waiting.pieces.is_empty())?;
        let first = waiting.pieces.remove(0);
        waiting.bytes -= first.bytes.len();
        budget.give_back(first.cost());
        if waiting.pieces.is_empty() {
            self.waiting = None;
        }
        Some(first)
    }

    fn compare(&mut self, held: &[u8], again: &[u8], budget: &mut ReassemblyBudget) {
        if differ(held, again) {
            self.conflicting = true;
            budget.counters.conflicting_overlaps += 1;
        }
    }
}

/// How far apart two sequence numbers are, the shorter way round (RFC 1982's serial arithmetic).
fn distance(a: u32, b: u32) -> u32 {
    a.wrapping_sub(b).min(b.wrapping_sub(a))
}

/// The entry for fuzzing: `data` becomes a stream's length, sequence number and a series of
/// segments, losses and acknowledgements. Asserts that every piece stands where the stream has it,
/// that all bytes up to the last are told exactly once, and that memory is bounded and given back.
pub fn fuzz_reassembly(data: &[u8]) {
    const LENGTH: u32 = 4096;
    let byte_at = |position: u64| (position.wrapping_mul(0x9e37_79b9) >> 13) as u8;
    let stream: Vec<u8> = (0..u64::from(LENGTH)).map(byte_at).collect();
    let mut input = crate::bytes::Reader::new(data);
    let Some(first) = input.u32() else { return };
    let mut budget = ReassemblyBudget::new(8 << 10);
    let mut side = SideStream::default();
    let mut told: u64 = 0;
    let mut read = |piece: Piece<'_>| match piece {
        // Strays that agree are rightly followed: from then on it is another stream.
        Piece::Data(_) if told == Piece::UNKNOWN_GAP => {}
        Piece::Data(bytes) => {
            let expected = stream.get(told as usize..).unwrap_or_default();
            assert!(!bytes.is_empty() && expected.starts_with(bytes), "wrong bytes at {told}");
            told += bytes.len() as u64;
        }
        Piece::Gap(count) | Piece::Skipped(count) => {
            assert!(count > 0);
            told = told.saturating_add(count);
        }
    };
    side.start(first);
    let mut end = 0;
    while let (Some(command), Some(place), Some(size)) = (input.u8(), input.u16(), input.u8()) {
        let start = u32::from(place) % LENGTH;
        let length = (u32::from(size) * 4).min(LENGTH - start);
        let sequence = first.wrapping_add(start);
        match command % 8 {
            0 => side.acknowledged(sequence, &mut budget, &mut read),
            1 => side.skip(u64::from(length)),
            2 => side.segment(sequence.wrapping_add(1 << 30), b"stray", 5, &mut budget, &mut read),
            cut => {
                let whole = stream.get(start as usize..(start + length) as usize).unwrap_or_default();
                let captured = if cut == 3 { whole.len() / 2 } else { whole.len() };
                let payload = whole.get(..captured).unwrap_or_default();
                side.segment(sequence, payload, length, &mut budget, &mut read);
                end = if length > 0 { end.max(start + length) } else { end };
            }
        }
        assert!(budget.held() <= 8 << 10);
        assert!(side.waiting.as_ref().is_none_or(|waiting| !waiting.is_over_its_cap()));
        if budget.counters.resyncs > 0 {
            side.stop(&mut budget);
            assert_eq!(budget.held(), 0);
            return;
        }
    }
    side.finish(&mut budget, &mut read);
    assert_eq!(told, u64::from(end));
    assert_eq!(budget.held(), 0);
    assert!(!side.conflicting());
}

#[cfg(test)]
#[path = "reassembly_tests.rs"]
mod tests;
