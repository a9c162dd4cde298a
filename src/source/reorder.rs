//! The window in which one capture's frames are put in order of time.

use std::collections::VecDeque;

use crate::{
    limits::{BATCH_FRAMES, REORDER_BYTES, REORDER_FRAMES},
    time::Timestamp,
};

use super::batch::FrameRecord;

/// Frames that wait until enough later ones have been seen.
///
/// A frame leaves when [`REORDER_FRAMES`] frames, or [`REORDER_BYTES`] bytes of frames, stand behind
/// it: an earlier one can then only come later than the window allows. Equal times keep the order in
/// which they came. In a capture that is in order every frame goes in at one end and out at the other;
/// a frame out of place is inserted where it belongs, at the cost of moving the descriptors of those
/// that it overtakes (half the window at most).
#[derive(Default)]
pub(super) struct Reorder {
    /// Ascending by time.
    waiting: VecDeque<FrameRecord>,
    /// Bytes of the frames that wait.
    bytes: u64,
}

impl Reorder {
    /// Puts a frame behind all that are not later than it.
    #[inline]
    pub(super) fn push(&mut self, record: FrameRecord) {
        self.bytes += u64::from(record.length);
        if self.waiting.back().is_none_or(|last| last.time <= record.time) {
            self.waiting.push_back(record);
        } else {
            let at = self.waiting.partition_point(|waiting| waiting.time <= record.time);
            self.waiting.insert(at, record);
        }
    }

    /// The earliest frame that waits.
    #[inline]
    pub(super) fn front(&self) -> Option<&FrameRecord> {
        self.waiting.front()
    }

    /// Takes the earliest frame.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<FrameRecord> {
        let record = self.waiting.pop_front()?;
        self.bytes -= u64::from(record.length);
        Some(record)
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
        self.waiting.len() >= REORDER_FRAMES + BATCH_FRAMES || self.bytes > REORDER_BYTES
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
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.front().map(|record| record.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::LinkType;

    fn record(time: i64, offset: u64, length: u32) -> FrameRecord {
        let time = Timestamp::from_nanos(time);
        FrameRecord { time, offset, length, wire_length: length, chunk: 0, input: 0, link: LinkType(1) }
    }

    /// What leaves a window through which `times` go, and then the rest of it.
    fn through(times: impl IntoIterator<Item = i64>, length: u32) -> Vec<(i64, u64)> {
        let mut window = Reorder::default();
        let mut out = Vec::new();
        let mut take = |window: &mut Reorder| {
            let record = window.pop().unwrap();
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
                window.pop();
            }
            window.push(record(time, 0, 262_144));
        }
        assert_eq!(window.len(), 65);
        assert!(window.is_ripe());
    }
}
