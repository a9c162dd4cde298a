//! Where records begin, found ahead of the walk in several places at once.
//!
//! A record says where the next one begins. Over large records a walk is therefore a chain of loads, each
//! of which waits for main memory before the next one can start, and nothing else of a frame costs as
//! much. So a window of the file is cut into segments; in each the first record is guessed by what record
//! headers look like, and all segments are walked in turns, whose loads then wait at the same time. A
//! segment counts when the one before it ends exactly where it begins.
//!
//! **No guess decides anything.** Records of usual pcap files are read ahead as the walk reads them, and a frame
//! counts only where every record from where the walk stands up to its own was read from the end of the one
//! before: it is what the walk would find ([`Borders::frames`]). In other formats a record's meaning depends on
//! those before it; there the walk computes each border itself and only asks whether it was foreseen
//! ([`Borders::confirm`]): then the processor need not wait for the computation to go on. Wrong guesses, as of
//! payload that imitates records, cost time and change nothing, and where they are bad no more are made for a
//! while.

use crate::prefetch;

use super::{
    batch::FrameRecord,
    record::{Format, Usual},
    segments::Segments,
};

/// Bytes ahead of a walk over small records that are asked for: several hundred nanoseconds of walking.
const AHEAD: usize = 4096;
/// Records ahead of a walk over large records whose heads are asked for.
const SOON: usize = 12;
/// Bytes of a cache line.
const LINE: usize = 64;
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

/// What the walk will probably meet next.
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
    segments: Segments<u32>,
    /// Frames of usual records, which were read ahead.
    frames: Segments<FrameRecord>,
    /// The first of them that the walk has not reached: its segment, and its place there.
    next_frame: (usize, usize),
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
            segments: Segments::none(),
            frames: Segments::none(),
            next_frame: (0, 0),
        }
    }

    /// Whether it should be looked ahead before the record at `at` is walked.
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
            None => Self::ask(bytes, next),
        }
        next
    }

    /// Asks for what a walk over small records, which is at `at`, comes to soon.
    #[inline(always)]
    pub(super) fn ask(bytes: &[u8], at: usize) {
        prefetch::line(bytes, at.wrapping_add(AHEAD));
        prefetch::line(bytes, at.wrapping_add(AHEAD + LINE));
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

    /// Finds the borders of the window that begins with the record at `at`, for [`Borders::confirm`].
    #[inline(never)]
    pub(super) fn look(&mut self, bytes: &[u8], at: usize, records: &impl Format) {
        self.foreseen.clear();
        (self.base, self.next) = (at, 0);
        let Some(window) = self.window(bytes, at) else { return };
        let Shape { segments, bytes: length, .. } = self.shape;
        self.segments
            .cut((at, window), (segments, length), bytes, |from, to| records.find(bytes, from, to, at));
        self.segments.walk(bytes, |place| {
            // Within a window, which is far below 4 GiB.
            Some(((place - at) as u32, place.saturating_add(records.size(bytes, place)?)))
        });
        let reached = self.segments.join(at);
        for index in 0..self.segments.count() {
            self.foreseen.extend_from_slice(self.segments.noted(index, 0));
        }
        // The first is where the walk stands; behind the last is where the next window begins.
        self.next = 1;
        self.foreseen.extend(u32::try_from(reached - at));
        self.judge(at, reached, window);
    }

    /// Reads the frames of the window that begins with the usual record at `at`, for [`Borders::frames`]. `read`
    /// gives a frame and where its record ends, as the walk itself would.
    #[inline(never)]
    pub(super) fn read_ahead(
        &mut self,
        bytes: &[u8],
        at: usize,
        records: &impl Format,
        read: impl Fn(usize) -> Option<(FrameRecord, usize)>,
    ) {
        self.forget();
        let Some(window) = self.window(bytes, at) else { return };
        let Shape { segments, bytes: length, .. } = self.shape;
        self.frames
            .cut((at, window), (segments, length), bytes, |from, to| records.find(bytes, from, to, at));
        self.frames.walk(bytes, read);
        let reached = self.frames.join(at);
        self.judge(at, reached, window);
    }

    /// The next frames that were read ahead, of records that begin before `until`; none when all were taken.
    #[inline]
    pub(super) fn frames(&self, until: usize) -> &[FrameRecord] {
        let (segment, place) = self.next_frame;
        let frames = self.frames.noted(segment, place);
        let is_before = |frame: &FrameRecord| frame.offset < (until + Usual::HEADER) as u64;
        if frames.last().is_none_or(is_before) {
            return frames;
        }
        frames.get(..frames.partition_point(is_before)).unwrap_or_default()
    }

    /// The walk has taken the next `count` frames.
    #[inline]
    pub(super) fn take(&mut self, count: usize) {
        let (segment, place) = &mut self.next_frame;
        *place += count;
        if self.frames.noted(*segment, *place).is_empty() {
            (*segment, *place) = (*segment + 1, 0);
        }
    }

    /// Forgets the frames that were read ahead.
    pub(super) fn forget(&mut self) {
        self.frames.clear();
        self.next_frame = (0, 0);
    }

    /// Where the window from `at` on ends; `None` where the rest of the file is not worth one.
    fn window(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let window = at.saturating_add(self.shape.segments * self.shape.bytes).min(bytes.len());
        if window - at.min(window) <= self.shape.bytes {
            self.due = usize::MAX;
            return None;
        }
        Some(window)
    }

    /// Of the window `at..window` was foreseen what lies before `reached`.
    fn judge(&mut self, at: usize, reached: usize, window: usize) {
        let is_good = reached - at >= (window - at) / 2;
        let pause = if is_good { 0 } else { PAUSE * self.shape.segments * self.shape.bytes };
        self.due = reached.saturating_add(pause);
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
