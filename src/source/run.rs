//! Walking over the records that are at hand: the loop that sees every frame.

use super::{
    batch::FrameRecord,
    borders::Borders,
    notice::Damage,
    record::{Format, Step, Usual},
    reorder::Reorder,
    tally::{Several, Tally},
};

/// A walk over a part of a chunk.
pub(super) struct Run<'a> {
    /// The chunk's bytes.
    pub bytes: &'a [u8],
    /// Records that begin here or later are left.
    pub until: usize,
    /// Where the next record begins. Invariant: `at <= bytes.len()`.
    pub at: usize,
    /// Offset in the capture of the chunk's first byte.
    pub base: u64,
    /// The input's index.
    pub input: u32,
    /// The chunk's number.
    pub chunk: u16,
    /// Frames found by this run.
    pub frames: u32,
    /// Records that may still be walked over.
    pub steps: usize,
}

/// Why a run ended; it stands at the record that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The window is full, or all was walked that should be.
    Enough,
    /// The record is not complete.
    Short {
        /// Bytes that must be at hand for it.
        need: usize,
    },
    /// The record is done and its end lies beyond the bytes at hand.
    Beyond {
        /// Its bytes.
        size: u64,
        /// How many of them are not at hand.
        left: u64,
    },
    /// Nothing from the record on can be trusted.
    Broken(Damage),
}

impl Run<'_> {
    /// Walks until something stops it; frames go into the window.
    pub(super) fn walk(
        &mut self,
        format: &mut impl Format,
        window: &mut Reorder,
        tally: &mut Tally,
        borders: &mut Borders,
    ) -> Stop {
        let (start, steps) = (self.at, self.steps);
        let stop = self.walk_on(format, window, tally, borders);
        tally.frames += u64::from(self.frames);
        borders.measure(self.at, self.at - start, steps - self.steps);
        stop
    }

    fn walk_on(
        &mut self,
        format: &mut impl Format,
        window: &mut Reorder,
        tally: &mut Tally,
        borders: &mut Borders,
    ) -> Stop {
        // What every record changes is kept out of memory.
        let (mut at, mut frames, mut steps) = (self.at, 0, self.steps);
        let usual = format.usual();
        let stop = loop {
            if at >= self.until || steps == 0 || window.is_full() {
                break Stop::Enough;
            }
            if let Some(usual) = usual {
                let taken = self.take_usual(&mut at, steps, usual, format, window, borders);
                if taken > 0 {
                    (frames, steps) = (frames + taken as u32, steps - taken);
                    continue;
                }
            }
            steps -= 1;
            if borders.is_due(at) {
                borders.look(self.bytes, at, format);
            }
            let rest = self.bytes.get(at..).unwrap_or_default();
            let size = match format.step(rest) {
                Step::Frame(record) => {
                    frames += 1;
                    window.push(FrameRecord {
                        time: record.time,
                        offset: at as u64 + u64::from(record.start),
                        length: record.length,
                        wire_length: record.wire_length,
                        input: self.input,
                        chunk: self.chunk,
                        link: record.link,
                    });
                    if !record.timed {
                        Several::add(&mut tally.untimed, self.base + at as u64, ());
                    }
                    record.size
                }
                Step::Foreign { link, size } => {
                    let several = Several { first: self.base + at as u64, count: 0, what: () };
                    tally.foreign.entry(link).or_insert(several).count += 1;
                    size
                }
                Step::Lost { reason, size } => {
                    Several::add(&mut tally.lost, self.base + at as u64, reason);
                    size
                }
                Step::Passed { size, drops } => {
                    tally.drops = tally.drops.saturating_add(drops);
                    size
                }
                Step::Short { need } => break Stop::Short { need },
                Step::Broken(damage) => break Stop::Broken(damage),
            };
            let left = size.saturating_sub(rest.len() as u64);
            if left > 0 {
                break Stop::Beyond { size, left };
            }
            at = borders.confirm(self.bytes, at + size as usize);
        };
        (self.at, self.frames, self.steps) = (at, frames, steps);
        stop
    }

    /// Walks on from `at` over records of the usual kind, at least over one where one is next; gives how many.
    #[inline(always)]
    fn take_usual(
        &self,
        at: &mut usize,
        most: usize,
        usual: Usual,
        format: &impl Format,
        window: &mut Reorder,
        borders: &mut Borders,
    ) -> usize {
        let read = |place| self.usual_frame(usual, place);
        if borders.is_due(*at) {
            borders.read_ahead(self.bytes, *at, format, read);
        }
        let ahead = borders.frames(self.until);
        if ahead.first().is_some_and(|first| first.offset == (*at + Usual::HEADER) as u64) {
            let taken = window.admit(ahead, most);
            if let Some(last) = taken.checked_sub(1).and_then(|last| ahead.get(last)) {
                *at = last.offset as usize + last.length as usize;
            }
            borders.take(taken);
            return taken;
        }
        let mut fresh = window.fresh(most);
        let mut next = *at;
        fresh.fill(|| {
            if next >= self.until || borders.is_due(next) {
                return None;
            }
            let (frame, end) = read(next)?;
            Borders::ask(self.bytes, end);
            next = end;
            Some(frame)
        });
        *at = next;
        window.append(&fresh);
        fresh.len()
    }

    /// The frame of the usual record at `at`, and where that ends.
    #[inline(always)]
    fn usual_frame(&self, usual: Usual, at: usize) -> Option<(FrameRecord, usize)> {
        let head = usual.head(self.bytes, at)?;
        let offset = at + Usual::HEADER;
        let frame = FrameRecord {
            time: head.time,
            offset: offset as u64,
            length: head.length,
            wire_length: head.wire_length,
            input: self.input,
            chunk: self.chunk,
            link: usual.link,
        };
        Some((frame, offset + head.length as usize))
    }
}
