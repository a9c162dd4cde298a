//! Where records begin, found ahead of the walk in several places at once.
//!
//! A record says where the next one begins. Over large records a walk is therefore a chain of loads, each
//! of which waits for main memory before the next one can start, and nothing else of a frame costs as
//! much. So a window of the file is cut into segments; in each the first record is guessed by what record
//! headers look like, and all segments are walked in turns, whose loads then wait at the same time. A
//! segment counts when the one before it ends exactly where it begins.
//!
//! **Nothing is decided here.** The walk computes each border itself, from the record before, and only asks
//! whether it was foreseen ([`Borders::confirm`]): then the processor need not wait for the computation to
//! go on. Wrong borders, as of payload that imitates records, cost time and change nothing, and where
//! guesses are bad no more are made for a while.

use crate::prefetch;

use super::record::{Format, Usual};

/// Bytes ahead of a walk over small records that are asked for: several hundred nanoseconds of walking.
const AHEAD: usize = 4096;
/// Records ahead of a walk over large records whose heads are asked for.
const SOON: usize = 12;
/// Bytes of a cache line.
const LINE: usize = 64;
/// Bytes at the beginning of a segment among which a record's beginning mostly is.
const GUESSED: usize = 1536;
/// Borders noted for one segment; one with more records is not worth it, and ends what is foreseen.
const BORDERS: usize = 1024;
/// Windows that are walked without guesses when less than half of one was foreseen.
const PAUSE: usize = 4;
/// Records of which the mean size is taken, at least.
const MEASURED: usize = 64;

/// How far ahead is looked, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Segments that are walked in turns.
    pub segments: usize,
    /// Bytes of a segment.
    pub bytes: usize,
    /// Bytes of the mean record from which on it pays; below, a record's neighbours come into the caches with
    /// it. With 0 it is done always.
    pub large: usize,
}

impl Default for Shape {
    /// As measured (`docs/performance.md`).
    fn default() -> Self {
        Self { segments: 16, bytes: 128 << 10, large: 400 }
    }
}

/// The borders of records that the walk will probably meet next.
pub(super) struct Borders {
    shape: Shape,
    is_on: bool,
    /// Where the window begins.
    base: usize,
    /// Offsets from `base`, ascending.
    foreseen: Vec<u32>,
    /// The first of `foreseen` that the walk has not reached.
    next: usize,
    /// From here on a further window is due.
    due: usize,
    segments: Vec<Segment>,
}

/// A part of a window.
struct Segment {
    first: usize,
    /// How far it is walked.
    at: usize,
    /// Where the next segment begins.
    until: usize,
    /// Those that it has met are the first `count`.
    borders: Box<[u32]>,
    count: usize,
}

impl Default for Segment {
    fn default() -> Self {
        Self { first: 0, at: 0, until: 0, borders: vec![0; BORDERS].into(), count: 0 }
    }
}

impl Borders {
    /// Nothing will be foreseen.
    pub(super) fn none() -> Self {
        Self::new(Shape { large: usize::MAX, ..Shape::default() })
    }

    /// Nothing foreseen yet.
    pub(super) fn new(shape: Shape) -> Self {
        let is_on = shape.large == 0;
        Self {
            shape,
            is_on,
            base: 0,
            foreseen: Vec::new(),
            next: 0,
            due: if is_on { 0 } else { usize::MAX },
            segments: Vec::new(),
        }
    }

    /// Whether [`Borders::look`] should be called before the record at `at` is walked.
    #[inline(always)]
    pub(super) fn is_due(&self, at: usize) -> bool {
        at >= self.due
    }

    /// Gives `next`, where the walk has found that the next record begins. The value comes from what was
    /// foreseen where that is the same, so that the processor, which guesses that it is, goes on before
    /// `next` is known.
    #[inline(always)]
    pub(super) fn confirm(&mut self, bytes: &[u8], next: usize) -> usize {
        match self.foreseen.get(self.next) {
            Some(offset) => {
                // Without the box the compiler sees that both are the same and takes the slow one.
                let foreseen = std::hint::black_box(self.base + *offset as usize);
                if foreseen == next {
                    self.next += 1;
                    // The rest of the work on a batch has driven out what the look brought in.
                    if let Some(soon) = self.foreseen.get(self.next + SOON) {
                        prefetch::line(bytes, self.base + *soon as usize);
                    }
                    return foreseen;
                }
                self.foreseen.clear();
                self.due = if self.is_on { next } else { usize::MAX };
            }
            None => {
                prefetch::line(bytes, next.wrapping_add(AHEAD));
                prefetch::line(bytes, next.wrapping_add(AHEAD + LINE));
            }
        }
        next
    }

    /// Learns from `records` records of `walked` bytes before `at` whether looking ahead pays.
    pub(super) fn measure(&mut self, at: usize, walked: usize, records: usize) {
        if records < MEASURED {
            return;
        }
        let mean = walked / records;
        if !self.is_on && mean >= self.shape.large {
            (self.is_on, self.due) = (true, at);
        } else if self.is_on && mean < self.shape.large / 4 * 3 {
            (self.is_on, self.due) = (false, usize::MAX);
        }
    }

    /// Finds the borders of the window that begins with the record at `at`.
    #[inline(never)]
    pub(super) fn look(&mut self, bytes: &[u8], at: usize, records: &impl Format) {
        self.foreseen.clear();
        (self.base, self.next) = (at, 0);
        let window = at.saturating_add(self.shape.segments * self.shape.bytes).min(bytes.len());
        if window - at.min(window) <= self.shape.bytes {
            // The rest is not worth it.
            self.due = usize::MAX;
            return;
        }
        let count = self.guess(bytes, at, window, records);
        let segments = self.segments.get_mut(..count).unwrap_or_default();
        match records.usual() {
            Some(usual) => in_turns(segments, bytes, at, |place| Usual::size(usual, bytes, place)),
            None => in_turns(segments, bytes, at, |place| records.size(bytes, place)),
        }

        let mut reached = at;
        for segment in segments {
            if segment.first != reached {
                break;
            }
            self.foreseen.extend_from_slice(segment.borders.get(..segment.count).unwrap_or_default());
            reached = segment.at;
        }
        // The first is where the walk stands; behind the last is where the next window begins.
        self.next = 1;
        let offset = reached - at;
        if let Ok(offset) = u32::try_from(offset) {
            self.foreseen.push(offset);
        }
        let is_good = offset >= (window - at) / 2;
        self.due = if is_good {
            reached
        } else {
            reached.saturating_add(PAUSE * self.shape.segments * self.shape.bytes)
        };
    }

    /// Sets up the segments of the window `at..window`, all with a border that was guessed but for the
    /// first, which begins at `at`. A segment without one belongs to that before it. Gives how many.
    fn guess(&mut self, bytes: &[u8], at: usize, window: usize, records: &impl Format) -> usize {
        self.segments.resize_with(self.shape.segments, Segment::default);
        // The guesses read on from the beginnings of the segments, one after the other.
        for index in 1..self.shape.segments {
            let from = at + index * self.shape.bytes;
            (0..GUESSED).step_by(LINE).for_each(|offset| prefetch::line(bytes, from + offset));
        }
        let mut starts = (0..self.shape.segments).filter_map(|index| {
            let from = at + index * self.shape.bytes;
            let to = window.min(from + self.shape.bytes);
            if index == 0 { Some(at) } else { records.find(bytes, from, to, at) }
        });
        let (mut count, mut start) = (0, starts.next());
        for segment in &mut self.segments {
            let Some(first) = start else { break };
            start = starts.next();
            (segment.first, segment.at, segment.until) = (first, first, start.unwrap_or(window));
            segment.count = 0;
            count += 1;
        }
        count
    }
}

/// Walks all segments to their ends, a record of each in turn; `size` tells that of the record at a place.
#[inline(always)]
fn in_turns(
    segments: &mut [Segment],
    bytes: &[u8],
    base: usize,
    size: impl Fn(usize) -> Option<usize>,
) {
    let mut goes_on = true;
    while goes_on {
        goes_on = false;
        for segment in &mut *segments {
            goes_on |= segment.step(bytes, base, &size);
        }
    }
}

impl Segment {
    /// Goes over one record; `false` when the segment is done.
    #[inline(always)]
    fn step(&mut self, bytes: &[u8], base: usize, size: impl Fn(usize) -> Option<usize>) -> bool {
        if self.at >= self.until {
            return false;
        }
        let (Some(border), Some(size)) = (self.borders.get_mut(self.count), size(self.at)) else {
            self.until = 0;
            return false;
        };
        // Within a window, which is far below 4 GiB.
        *border = (self.at - base) as u32;
        self.count += 1;
        self.at = self.at.saturating_add(size);
        prefetch::line(bytes, self.at);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            pcap,
            pcapng::{self, tests as ng},
        },
        *,
    };

    const SHAPE: Shape = Shape { segments: 8, bytes: 4096, large: 0 };

    /// Frames of a few bytes and of a segment and a half, the second half of each what `payload` gives.
    fn frames(payload: &[u8]) -> Vec<Vec<u8>> {
        let length =
            |index: usize| [0, 60, 1400, 400, 90, 1500, if index % 31 == 30 { 6000 } else { 700 }][index % 7];
        let frame = |index: usize| -> Vec<u8> {
            let length = length(index);
            let random = (0..length).map(|at| ((index * 7919 + at * 31) ^ (at >> 3)) as u8);
            random.take(length / 2).chain(payload.iter().copied().cycle()).take(length).collect()
        };
        (0..200).map(frame).collect()
    }

    /// A pcap file's records in the given order of bytes, and where each begins.
    fn records(frames: &[Vec<u8>], is_big: bool, header: usize) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut borders) = (vec![0; 24], Vec::new());
        for (index, frame) in frames.iter().enumerate() {
            borders.push(bytes.len());
            for field in [1_700_000_000 + index as u32, 999, frame.len() as u32, frame.len() as u32] {
                bytes.extend(if is_big { field.to_be_bytes() } else { field.to_le_bytes() });
            }
            bytes.resize(bytes.len() + header - 16, 0);
            bytes.extend(frame);
        }
        borders.push(bytes.len());
        (bytes, borders)
    }

    fn pcap_walk(magic: [u8; 4], is_big: bool) -> pcap::Walk {
        let version: [u8; 4] = if is_big { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
        let network: [u8; 4] = if is_big { [0, 0, 0, 1] } else { [1, 0, 0, 0] };
        pcap::Walk::new(&[&magic[..], &version, &[0; 12], &network].concat()).unwrap()
    }

    /// Goes over all borders as the walk does; gives how many of them were foreseen.
    fn walk(bytes: &[u8], borders: &[usize], format: &impl Format) -> usize {
        let mut foresight = Borders::new(SHAPE);
        let mut at = borders[0];
        let mut foreseen = 0;
        for border in &borders[1..] {
            if foresight.is_due(at) {
                foresight.look(bytes, at, format);
            }
            foreseen += usize::from(
                foresight.foreseen.get(foresight.next) == Some(&((border - foresight.base) as u32)),
            );
            at = foresight.confirm(bytes, *border);
            assert_eq!(at, *border, "whatever was foreseen");
        }
        foreseen
    }

    #[test]
    fn the_borders_of_every_format_are_foreseen() {
        let frames = frames(b"payload");
        for (magic, header) in [(0xa1b2_c3d4_u32, 16), (0xa1b2_3c4d, 16), (0xa1b2_cd34, 24)] {
            for is_big in [false, true] {
                let (bytes, borders) = records(&frames, is_big, header);
                let magic = if is_big { magic.to_be_bytes() } else { magic.to_le_bytes() };
                let foreseen = walk(&bytes, &borders, &pcap_walk(magic, is_big));
                // Not those of the file's last segment.
                assert!(foreseen >= frames.len() * 9 / 10, "{foreseen} {magic:x?}");
            }
        }
        let (mut bytes, mut borders) = ([ng::section(), ng::interface(1, 0, &[])].concat(), Vec::new());
        for (index, frame) in frames.iter().enumerate() {
            borders.push(bytes.len());
            bytes.extend(ng::packet(0, index as u64, frame));
        }
        borders.push(bytes.len());
        let foreseen = walk(&bytes, &borders, &pcapng::Walk::new());
        assert!(foreseen >= frames.len() * 9 / 10, "{foreseen}");
    }

    #[test]
    fn payload_that_imitates_records_is_never_followed() {
        let (imitation, _) = records(&vec![vec![0; 20]; 40], false, 16);
        let frames = frames(&imitation[24..]);
        let (bytes, borders) = records(&frames, false, 16);
        let format = pcap_walk(0xa1b2_c3d4_u32.to_le_bytes(), false);
        let guesses = (1..20).filter_map(|at| format.find(&bytes, at * 4096, at * 4096 + 4096, 24));
        let mistaken = guesses.filter(|guess| !borders.contains(guess)).count();
        assert!(mistaken > 10, "the imitation is good: {mistaken}");
        let foreseen = walk(&bytes, &borders, &format);
        assert!(foreseen < frames.len() / 2, "{foreseen}");
    }

    #[test]
    fn it_is_done_where_records_are_large() {
        let mut borders = Borders::new(Shape::default());
        assert!(!borders.is_due(1 << 40));
        borders.measure(1000, 512 * 1000, 512);
        assert!(borders.is_due(1000) && !borders.is_due(999));
        borders.measure(2000, 512 * 350, 512);
        assert!(borders.is_due(2000), "not at once given up");
        borders.measure(2000, 512 * 100, 512);
        assert!(!borders.is_due(1 << 40));
        let mut none = Borders::none();
        none.measure(0, usize::MAX - 1, 64);
        assert!(!none.is_due(1 << 40));
    }
}
