//! A window of a mapped file as segments that are walked in turns.

use crate::prefetch;

/// Bytes of a cache line.
const LINE: usize = 64;
/// Bytes at the beginning of a segment among which a record's beginning mostly is.
const GUESSED: usize = 1536;
/// Records of one segment; one with more of them is not worth it, and ends what is foreseen.
const RECORDS: usize = 512;

/// The segments of a window, and what was noted of each record in them.
pub(super) struct Segments<T> {
    list: Vec<Segment<T>>,
    /// How many of the list are of this window.
    count: usize,
}

/// A part of a window.
struct Segment<T> {
    first: usize,
    /// How far it is walked.
    at: usize,
    /// Where the next segment begins.
    until: usize,
    noted: Vec<T>,
}

impl<T> Segments<T> {
    /// None yet.
    pub(super) fn none() -> Self {
        Self { list: Vec::new(), count: 0 }
    }

    /// Cuts the window `at..window` into segments of so many `bytes`, all with a first record that was guessed
    /// but for the first, which begins at `at`. A segment for which `find` has no guess belongs to that before it.
    pub(super) fn cut(
        &mut self,
        (at, window): (usize, usize),
        (segments, bytes): (usize, usize),
        file: &[u8],
        find: impl Fn(usize, usize) -> Option<usize>,
    ) {
        let nothing = || Segment { first: 0, at: 0, until: 0, noted: Vec::new() };
        self.list.resize_with(segments, nothing);
        // The guesses read on from the beginnings of the segments, one after the other.
        for index in 1..segments {
            let from = at + index * bytes;
            (0..GUESSED).step_by(LINE).for_each(|offset| prefetch::line(file, from + offset));
        }
        let mut starts = (0..segments).filter_map(|index| {
            let from = at + index * bytes;
            if index == 0 { Some(at) } else { find(from, window.min(from + bytes)) }
        });
        self.count = 0;
        let mut start = starts.next();
        for segment in &mut self.list {
            let Some(first) = start else { break };
            start = starts.next();
            (segment.first, segment.at, segment.until) = (first, first, start.unwrap_or(window));
            segment.noted.clear();
            self.count += 1;
        }
    }

    /// Walks all segments to their ends, a record of each in turn. `read` gives what is to be noted of the record
    /// at a place, and where it ends; nothing where none can be.
    #[inline(always)]
    pub(super) fn walk(&mut self, file: &[u8], read: impl Fn(usize) -> Option<(T, usize)>) {
        let segments = self.list.get_mut(..self.count).unwrap_or_default();
        let mut moved = usize::MAX;
        while moved > 0 {
            moved = 0;
            for segment in &mut *segments {
                if segment.at >= segment.until {
                    continue;
                }
                match read(segment.at) {
                    Some((note, end)) if segment.noted.len() < RECORDS => {
                        segment.noted.push(note);
                        segment.at = end;
                        prefetch::line(file, end);
                        moved += 1;
                    }
                    // It ends nowhere that another one begins.
                    _ => segment.until = 0,
                }
            }
        }
    }

    /// Keeps the segments that follow each other from `at` on without a gap; gives where the last of them ends.
    pub(super) fn join(&mut self, at: usize) -> usize {
        let mut reached = at;
        let segments = self.list.get(..self.count).unwrap_or_default();
        let follows = |segment: &&Segment<T>| {
            let follows = segment.first == reached;
            if follows {
                reached = segment.at;
            }
            follows
        };
        self.count = segments.iter().take_while(follows).count();
        reached
    }

    /// What was noted of the records of the segment at `index` from the one at `from` on.
    #[inline]
    pub(super) fn noted(&self, index: usize, from: usize) -> &[T] {
        let segments = self.list.get(..self.count).unwrap_or_default();
        segments.get(index).and_then(|segment| segment.noted.get(from..)).unwrap_or_default()
    }

    /// How many segments there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.count = 0;
    }
}
