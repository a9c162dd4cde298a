//! The window in which one capture's frames are put in order of time.

use std::collections::VecDeque;

use crate::{
    limits::{BATCH_FRAMES, REORDER_BYTES, REORDER_FRAMES},
    time::Timestamp,
};

use super::batch::{COPIED, FrameRecord};

/// Frames of a full window.
const FULL: usize = REORDER_FRAMES + BATCH_FRAMES;

/// Frames that wait until enough later ones have been seen.
///
/// A frame leaves when [`REORDER_FRAMES`] frames, or [`REORDER_BYTES`] bytes of frames, stand behind
/// it: an earlier one can then only come later than the window allows. Equal times keep the order in
/// which they came. In a capture that is in order every frame goes in at one end and out at the other;
/// a frame out of place is inserted where it belongs, at the cost of moving the descriptors of those
/// that it overtakes (half the window at most).
///
/// Filling and taking go in strides: it is filled until [`Reorder::is_full`], and then frames go until
/// it is no longer ripe.
pub(super) struct Reorder {
    /// Ascending by time.
    waiting: VecDeque<FrameRecord>,
    /// The time of the last one; of an empty window any that no frame goes below.
    latest: Timestamp,
    /// Bytes of the frames that wait.
    bytes: u64,
}

/// Frames that go into the window together: those of usual records, before anybody knows whether they are in
/// order. In a capture that is they are copied in one piece.
pub(super) struct Fresh {
    records: [FrameRecord; Self::MOST],
    len: usize,
    /// How many fit in.
    most: usize,
    row: Row,
}

/// Frames that may go into the window together, one after the other.
#[derive(Clone, Copy)]
struct Row {
    /// Whether all so far are in order, behind those that wait.
    is_ascending: bool,
    latest: Timestamp,
    /// Bytes of these frames and of those that wait.
    bytes: u64,
}

impl Row {
    /// Whether the window takes a further one.
    #[inline(always)]
    const fn has_room(&self) -> bool {
        self.bytes <= REORDER_BYTES
    }

    #[inline(always)]
    fn add(&mut self, record: &FrameRecord) {
        self.is_ascending &= record.time >= self.latest;
        self.latest = record.time;
        self.bytes += u64::from(record.length);
    }
}

impl Fresh {
    /// Few enough that the places cost little to make, see [`COPIED`].
    const MOST: usize = COPIED / 2;

    /// Takes what `next` gives until that is nothing, or the window will be full, or no more can be kept.
    #[inline(always)]
    pub(super) fn fill(&mut self, mut next: impl FnMut() -> Option<FrameRecord>) {
        // What every frame changes is kept out of memory.
        let Self { most, mut len, mut row, .. } = *self;
        for free in self.records.iter_mut().take(most) {
            if !row.has_room() {
                break;
            }
            let Some(record) = next() else { break };
            row.add(&record);
            len += 1;
            *free = record;
        }
        (self.len, self.row) = (len, row);
    }

    /// How many there are.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl Default for Reorder {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), latest: Timestamp::MIN, bytes: 0 }
    }
}

impl Reorder {
    /// Puts a frame behind all that are not later than it.
    #[inline(always)]
    pub(super) fn push(&mut self, record: FrameRecord) {
        let time = record.time;
        self.bytes += u64::from(record.length);
        // Always at the end first: a record that is handed on from here would have to be put together in
        // memory, and taking it from there in one piece waits for the pieces.
        self.waiting.push_back(record);
        if time >= self.latest {
            self.latest = time;
        } else {
            self.move_last();
        }
    }

    /// None yet of at most `most` frames that may go in before it is full.
    #[inline(always)]
    pub(super) fn fresh(&self, most: usize) -> Fresh {
        let room = FULL.saturating_sub(self.waiting.len());
        Fresh {
            records: [FrameRecord::NONE; Fresh::MOST],
            len: 0,
            most: most.min(room).min(Fresh::MOST),
            row: self.row(),
        }
    }

    /// No frames yet, behind those that wait.
    #[inline(always)]
    fn row(&self) -> Row {
        Row { is_ascending: true, latest: self.latest, bytes: self.bytes }
    }

    /// Puts frames in, one after the other.
    pub(super) fn append(&mut self, fresh: &Fresh) {
        let records = fresh.records.get(..fresh.len).unwrap_or_default();
        self.put(records, fresh.row);
    }

    /// Puts in the first ones of `records`, at most `most`, until it is full; gives how many.
    pub(super) fn admit(&mut self, records: &[FrameRecord], most: usize) -> usize {
        let room = FULL.saturating_sub(self.waiting.len()).min(most);
        let (mut count, mut row) = (0, self.row());
        for record in records.iter().take(room) {
            if !row.has_room() {
                break;
            }
            row.add(record);
            count += 1;
        }
        self.put(records.get(..count).unwrap_or_default(), row);
        count
    }

    /// Puts `records` in, which are all of the row.
    fn put(&mut self, records: &[FrameRecord], row: Row) {
        if !row.is_ascending {
            return records.iter().for_each(|record| self.push(*record));
        }
        let need = self.waiting.len() + records.len();
        if need > self.waiting.capacity() {
            // More than a full window is never needed, and fewer bytes stay in the caches.
            let capacity = need.next_power_of_two().min(FULL.max(need));
            self.waiting.reserve_exact(capacity - self.waiting.len());
        }
        records.chunks(COPIED).for_each(|piece| self.waiting.extend(piece));
        (self.latest, self.bytes) = (row.latest, row.bytes);
    }

    /// Puts the last frame where it belongs.
    #[cold]
    fn move_last(&mut self) {
        if let Some(last) = self.waiting.pop_back() {
            let at = self.waiting.partition_point(|waiting| waiting.time <= last.time);
            self.waiting.insert(at, last);
        }
    }

    /// The earliest frames, at most `most` of those that may go before further ones are seen; all
    /// together at least one where one may go. `all` says that no further ones will come.
    pub(super) fn ready(&self, most: usize, all: bool) -> &[FrameRecord] {
        let (front, _) = self.waiting.as_slices();
        let most = most.min(front.len());
        let ripe = if all { most } else { self.ripe(most) };
        front.get(..ripe).unwrap_or_default()
    }

    /// How many frames may go, counted up to `most`.
    fn ripe(&self, most: usize) -> usize {
        let by_count = self.waiting.len().saturating_sub(REORDER_FRAMES);
        if by_count >= most || self.bytes <= REORDER_BYTES {
            return by_count.min(most);
        }
        // Few and large: each goes while the bytes of those behind it are too many.
        let mut left = self.bytes;
        let too_many = self.waiting.iter().take(most).take_while(|record| {
            let goes = left > REORDER_BYTES;
            left -= u64::from(record.length);
            goes
        });
        too_many.count().max(by_count)
    }

    /// Takes the earliest `count` frames away; gives their bytes.
    pub(super) fn remove(&mut self, count: usize) -> u64 {
        let count = count.min(self.waiting.len());
        let bytes = self.waiting.range(..count).map(|record| u64::from(record.length)).sum();
        self.waiting.drain(..count);
        self.bytes -= bytes;
        if self.waiting.is_empty() {
            self.latest = Timestamp::MIN;
        }
        bytes
    }

    /// Whether so many frames wait that the earliest may go.
    #[inline]
    pub(super) fn is_ripe(&self) -> bool {
        self.waiting.len() > REORDER_FRAMES || self.bytes > REORDER_BYTES
    }

    /// Whether it should not be filled further: a batch's worth beyond ripe, so that filling and
    /// taking go in strides.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= FULL || self.bytes > REORDER_BYTES
    }

    /// How many frames wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The frames that wait, for those who move their bytes.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut FrameRecord> {
        self.waiting.iter_mut()
    }

    /// The earliest time that waits.
    #[inline]
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.waiting.front().map(|record| record.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::LinkType;

    fn record(time: i64, offset: u64, length: u32) -> FrameRecord {
        let time = Timestamp::from_nanos(time);
        FrameRecord { time, offset, length, wire_length: length, input: 0, chunk: 0, link: LinkType(1) }
    }

    /// What leaves a window through which `times` go, and then the rest of it.
    fn through(times: impl IntoIterator<Item = i64>, length: u32) -> Vec<(i64, u64)> {
        let mut window = Reorder::default();
        let mut out = Vec::new();
        let mut take = |window: &mut Reorder| {
            let record = window.ready(1, true)[0];
            window.remove(1);
            out.push((record.time.as_nanos(), record.offset));
        };
        for (offset, time) in times.into_iter().enumerate() {
            while window.is_full() {
                take(&mut window);
            }
            window.push(record(time, offset as u64, length));
        }
        while window.len() > 0 {
            take(&mut window);
        }
        assert_eq!(window.bytes, 0);
        out
    }

    #[test]
    fn disorder_within_the_window_is_sorted_and_ties_keep_their_order() {
        // Blocks of 4096 that run backwards in pairs of equal times.
        let times: Vec<i64> =
            (0..5).flat_map(|block| (0..4096).rev().map(move |at| block * 4096 + at / 2)).collect();
        let mut expected: Vec<(i64, u64)> =
            times.iter().enumerate().map(|(offset, time)| (*time, offset as u64)).collect();
        expected.sort();
        assert_eq!(through(times, 60), expected);
    }

    #[test]
    fn a_frame_beyond_the_window_comes_late() {
        let mut times: Vec<i64> = (10..10_010).collect();
        times.push(0);
        let out = through(times, 60);
        let place = out.iter().position(|(time, _)| *time == 0).unwrap();
        assert!(place > 0 && place < 10_000 - REORDER_FRAMES + BATCH_FRAMES, "{place}");
    }

    #[test]
    fn large_frames_wait_in_smaller_numbers() {
        let mut window = Reorder::default();
        for time in 0..1000 {
            if window.is_full() {
                window.remove(1);
            }
            window.push(record(time, 0, 262_144));
        }
        assert_eq!(window.len(), 65);
        assert!(window.is_ripe());
    }

    #[test]
    fn as_many_are_ready_as_would_go_one_by_one() {
        // Small, large, and mixed frames; windows below, at and beyond both limits.
        for (count, length) in [(10, 60), (4096, 60), (4097, 60), (4608, 60), (70, 262_144), (4500, 4000)] {
            let mut window = Reorder::default();
            for offset in 0..count {
                window.push(record(0, offset, if offset % 3 == 0 { 60 } else { length }));
            }
            let mut left = (window.len(), window.bytes);
            let mut one_by_one = 0;
            while left.0 > REORDER_FRAMES || left.1 > REORDER_BYTES {
                left = (left.0 - 1, left.1 - u64::from(window.waiting[one_by_one].length));
                one_by_one += 1;
            }
            assert_eq!(window.ripe(usize::MAX), one_by_one, "{count} of {length}");
            assert_eq!(window.ripe(5), one_by_one.min(5));
            assert_eq!(window.is_ripe(), one_by_one > 0);
            assert_eq!(window.ready(7, true).len(), 7);
            window.remove(one_by_one);
            assert_eq!((window.len(), window.bytes), left);
        }
    }
}
