//! Any number of captures as one sequence of frames in order of time.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    decode::LinkType,
    limits::{BATCH_FRAMES, OPEN_FILES, PEEK_RECORDS, REORDER_FRAMES},
    time::{SECOND, Timestamp},
};

use super::{
    batch::FrameBatch,
    discover::{FileKind, Found, Origin, discover, natural_order},
    input::{Input, Purpose},
    notice::{Notice, NoticeKind, Notices, Severity},
    progress::Progress,
    tally::Tally,
};

/// Records of each file that are looked at, whatever the number of files.
const PEEK_AT_LEAST: usize = 256;
/// Files that begin within this of each other keep the order of their names where frames have equal
/// times: the pieces of one capture may begin slightly out of order.
const NEAR: i64 = SECOND;
/// Bytes of a stream's chunk, with few inputs and with many.
const CHUNK_BYTES: (usize, usize) = (1 << 20, 128 << 10);
/// More inputs than this are many.
const FEW_INPUTS: usize = 16;

/// Captures as one sequence of frames, ordered by time.
///
/// Each capture is put in order by itself within a window of [`REORDER_FRAMES`] frames; a frame that
/// is later than the window allows is delivered late and counted. The captures are then merged by
/// time, frames of equal time by the rank of their files and then by their place in the file. The
/// rank follows the time at which a file begins and, among files that begin close together, the
/// natural order of their paths. So one capture and the same capture cut into pieces give the same
/// sequence.
///
/// A file is opened when the sequence reaches its first frame, and closed behind its last.
pub struct Timeline {
    files: Vec<Found>,
    /// Files that have not begun, the next one last.
    ahead: Vec<Ahead>,
    open: Vec<Option<Open>>,
    /// The open captures by their next frame.
    heads: BinaryHeap<Reverse<Head>>,
    chunk_bytes: usize,
    next_number: u64,
    latest: Timestamp,
    notices: Notices,
    accounting: Accounting,
    progress: Arc<Progress>,
    too_many_told: bool,
}

/// A file that the sequence has not reached.
struct Ahead {
    /// The earliest time that a look at its beginning found.
    start: Timestamp,
    /// Its place among files whose frames have equal times.
    rank: u32,
    file: u32,
    /// A stream is opened once only and so stays open.
    input: Option<Box<Input>>,
}

/// A file that is being read.
struct Open {
    input: Box<Input>,
    rank: u32,
    file: u32,
    /// Bytes that the progress knows of.
    reported: u64,
}

/// The next frame of an open file. Ordered by time, then rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    time: Timestamp,
    rank: u32,
    place: usize,
}

/// What went through a [`Timeline`]: delivered, and not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// Captures that were read, to their end or to where they break.
    pub files_read: u64,
    /// Files that gave nothing: not a capture, unreadable, of unsupported link types only, duplicates.
    pub files_skipped: u64,
    /// Frames delivered.
    pub frames: u64,
    /// Captured bytes of the frames delivered.
    pub bytes: u64,
    /// Frames that the capturing hosts say they dropped (pcapng interface statistics).
    pub capture_drops: u64,
    /// Frames not delivered because nobody here can decode their link type.
    pub unsupported: BTreeMap<LinkType, u64>,
    /// Frames not delivered because their record makes no sense.
    pub lost: u64,
    /// Frames without a time of their own, delivered at the time of the frame before.
    pub untimed: u64,
    /// Frames delivered behind a later one, because they came later than the window allows.
    pub time_went_backwards: u64,
}

/// Whether the inputs could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All that was asked for was read.
    Complete,
    /// Some of it could not be read, or not to its end; the notices say what.
    Partial,
    /// Not one capture could be read.
    Nothing,
}

impl Timeline {
    /// Finds the captures that `inputs` name (files, directories, `-` for the standard input) and looks
    /// at the beginning of each. What cannot be read is told by [`Timeline::notices`].
    pub fn open(inputs: &[PathBuf]) -> Self {
        let mut notices = Notices::default();
        let files = discover(inputs, &mut notices);
        let sizes = files.iter().map(|found| match found.kind {
            FileKind::Regular(size) => Some(size),
            FileKind::Stream | FileKind::Stdin => None,
        });
        let total = sizes.sum();
        let mut timeline = Self {
            ahead: Vec::new(),
            open: Vec::new(),
            heads: BinaryHeap::new(),
            chunk_bytes: if files.len() <= FEW_INPUTS { CHUNK_BYTES.0 } else { CHUNK_BYTES.1 },
            next_number: 1,
            latest: Timestamp::MIN,
            notices,
            accounting: Accounting::default(),
            progress: Arc::new(Progress::of(total)),
            too_many_told: false,
            files,
        };
        timeline.look_ahead();
        timeline
    }

    /// The next frames; `None` at the end. Batches are full but for the last.
    pub fn next_batch(&mut self) -> Option<FrameBatch> {
        let mut batch = FrameBatch::starting_at(self.next_number);
        while batch.len() < BATCH_FRAMES {
            self.open_due();
            let Some(Reverse(first)) = self.heads.pop() else { break };
            self.take_run(first.place, &mut batch);
        }
        self.next_number += batch.len() as u64;
        self.accounting.frames += batch.len() as u64;
        (!batch.is_empty()).then_some(batch)
    }

    /// The captures that were found, those in folders too.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|found| found.path.clone()).collect()
    }

    /// The path of the input that [`super::Frame::input`] is an index of.
    pub fn input_path(&self, index: u32) -> Option<&Path> {
        self.files.get(index as usize).map(|found| found.path.as_path())
    }

    /// What a person should know, so far.
    pub fn notices(&self) -> Vec<Notice> {
        self.notices.iter().collect()
    }

    /// What was read, so far.
    pub fn accounting(&self) -> Accounting {
        Accounting { files_skipped: self.notices.skipped(), ..self.accounting.clone() }
    }

    /// Whether the inputs could be read; final once [`Timeline::next_batch`] has given `None`.
    pub fn outcome(&self) -> Outcome {
        if self.accounting.files_read == 0 {
            Outcome::Nothing
        } else if self.notices.has_errors() {
            Outcome::Partial
        } else {
            Outcome::Complete
        }
    }

    /// How far the reading is, for another thread to show.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// How many captures are open.
    #[cfg(test)]
    pub(super) fn open_files(&self) -> usize {
        self.open.iter().flatten().count()
    }

    /// Learns when each file begins and ranks the files.
    fn look_ahead(&mut self) {
        let count = self.files.len();
        let records = (PEEK_RECORDS / count.max(1)).clamp(PEEK_AT_LEAST, REORDER_FRAMES);
        for index in 0..count {
            let Some(found) = self.files.get(index) else { break };
            // A stream's bytes come once, so the look is the beginning of the reading.
            let is_regular = matches!(found.kind, FileKind::Regular(_));
            let purpose =
                if is_regular { Purpose::Peek } else { Purpose::Read { chunk_bytes: self.chunk_bytes } };
            match Input::open(found, index as u32, purpose) {
                Ok(mut input) => {
                    // Without a frame in sight it is opened at once: nothing is known against it.
                    let start = input.peek(records).unwrap_or(Timestamp::MIN);
                    let input = (!is_regular).then(|| Box::new(input));
                    self.ahead.push(Ahead { start, rank: 0, file: index as u32, input });
                }
                Err(kind) => self.skip(index as u32, kind),
            }
        }
        self.rank();
    }

    /// Ranks the files by their beginning, and those that begin near each other by their paths; leaves
    /// them in the order in which they will be opened.
    fn rank(&mut self) {
        let files = &self.files;
        let path = |ahead: &Ahead| files.get(ahead.file as usize).map_or(Path::new(""), |found| &found.path);
        self.ahead.sort_by(|a, b| a.start.cmp(&b.start).then_with(|| natural_order(path(a), path(b))));
        let mut rank = 0;
        for near in self.ahead.chunk_by_mut(|a, b| b.start.since(a.start) <= NEAR) {
            near.sort_by(|a, b| natural_order(path(a), path(b)));
            for ahead in near {
                ahead.rank = rank;
                rank += 1;
            }
        }
        self.ahead.sort_by_key(|ahead| Reverse((ahead.start, ahead.rank)));
    }

    /// Opens every file that may hold the next frame.
    fn open_due(&mut self) {
        while let Some(next) = self.ahead.last() {
            if self.heads.peek().is_some_and(|Reverse(head)| head.time < next.start) {
                return;
            }
            if self.heads.len() >= OPEN_FILES {
                if !self.too_many_told {
                    self.too_many_told = true;
                    let path = self.files.get(next.file as usize).map(|found| found.path.clone());
                    let path = path.unwrap_or_default();
                    self.notices.add(&path, Severity::Error, NoticeKind::TooManyOpen);
                }
                return;
            }
            if let Some(next) = self.ahead.pop() {
                self.open_file(next);
            }
        }
    }

    fn open_file(&mut self, next: Ahead) {
        let Ahead { rank, file, input, .. } = next;
        let Some(found) = self.files.get(file as usize) else { return };
        let input = match input {
            Some(input) => input,
            None => match Input::open(found, file, Purpose::Read { chunk_bytes: self.chunk_bytes }) {
                Ok(input) => Box::new(input),
                Err(kind) => {
                    self.skip(file, kind);
                    return;
                }
            },
        };
        let open = Open { input, rank, file, reported: 0 };
        let place = match self.open.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.open.push(None);
                self.open.len() - 1
            }
        };
        if let Some(free) = self.open.get_mut(place) {
            *free = Some(open);
        }
        self.put_back(place);
    }

    /// Takes frames from one file as long as they come before all others.
    fn take_run(&mut self, place: usize, batch: &mut FrameBatch) {
        let Some(Some(open)) = self.open.get_mut(place) else { return };
        let rival = self.heads.peek().map(|Reverse(head)| (head.time, head.rank));
        // At the limit of open files nothing can be opened, so nothing is waited for.
        let can_open = self.heads.len() + 1 < OPEN_FILES;
        let ahead = self.ahead.last().filter(|_| can_open).map(|ahead| ahead.start);
        let rank = open.rank;
        let is_next =
            |time| rival.is_none_or(|rival| (time, rank) < rival) && ahead.is_none_or(|start| time < start);
        let before = batch.len();
        while batch.len() < BATCH_FRAMES {
            let Some(time) = open.input.head() else { break };
            // That the first one is next is why this file was chosen.
            let known = batch.len();
            if known > before && !is_next(time) {
                break;
            }
            self.accounting.bytes += open.input.take_run(batch, BATCH_FRAMES - known, is_next);
            let run = batch.records_from(known);
            let Some(last) = run.last() else { break };
            // A run ascends, so that those below the latest are its first ones, mostly none.
            if time < self.latest {
                let late = run.partition_point(|record| record.time < self.latest);
                self.accounting.time_went_backwards += late as u64;
            }
            self.latest = self.latest.max(last.time);
        }
        self.put_back(place);
    }

    /// Puts an open file back among the heads, or closes it behind its last frame.
    fn put_back(&mut self, place: usize) {
        let Some(slot) = self.open.get_mut(place) else { return };
        let Some(open) = slot else { return };
        let head = open.input.head();
        let taken = open.input.taken();
        self.progress.add(taken.saturating_sub(open.reported));
        open.reported = open.reported.max(taken);
        match head {
            Some(time) => self.heads.push(Reverse(Head { time, rank: open.rank, place })),
            None => {
                if let Some(open) = slot.take() {
                    self.close(&open);
                }
            }
        }
    }

    /// Adds up what a file gave, and tells what was wrong with it.
    fn close(&mut self, open: &Open) {
        let Some(found) = self.files.get(open.file as usize) else { return };
        if let FileKind::Regular(size) = found.kind {
            self.progress.add(size.saturating_sub(open.reported));
        }
        let Tally { frames, drops, foreign, lost, untimed, fault } = open.input.tally();
        let accounting = &mut self.accounting;
        accounting.capture_drops = accounting.capture_drops.saturating_add(*drops);
        accounting.lost += lost.map_or(0, |several| several.count);
        accounting.untimed += untimed.map_or(0, |several| several.count);
        let is_sound = *frames > 0 || (foreign.is_empty() && fault.is_none() && lost.is_none());
        accounting.files_read += u64::from(is_sound);

        // A file that gave nothing is skipped with its first notice; whatever else there is follows.
        let mut skipped = is_sound;
        let notices = &mut self.notices;
        let mut tell = |offset: u64, severity: Severity, kind: NoticeKind| {
            if skipped {
                notices.add_at(&found.path, offset, severity, kind);
            } else {
                skipped = true;
                notices.skip(&found.path, found.origin, Some(offset), kind);
            }
        };
        for (link, several) in foreign {
            *accounting.unsupported.entry(*link).or_default() += several.count;
            let kind = NoticeKind::UnsupportedLink { link: *link, frames: several.count };
            tell(several.first, found.origin.severity(), kind);
        }
        if let Some(several) = lost {
            let kind = NoticeKind::FramesLost { frames: several.count, reason: several.what };
            tell(several.first, Severity::Warning, kind);
        }
        if let Some(several) = untimed {
            tell(several.first, Severity::Warning, NoticeKind::Untimed { frames: several.count });
        }
        if let Some((offset, kind)) = fault {
            // The last record of a capture that was stopped is often incomplete.
            let is_usual = matches!(kind, NoticeKind::Truncated { .. });
            let severity = if is_usual { Severity::Warning } else { Severity::Error };
            tell(*offset, severity, kind.clone());
        }
    }

    fn skip(&mut self, file: u32, kind: NoticeKind) {
        let Some(found) = self.files.get(file as usize) else { return };
        if let FileKind::Regular(size) = found.kind {
            self.progress.add(size);
        }
        // Only what is a capture by its first bytes is worth a line at any price.
        let is_capture = matches!(
            kind,
            NoticeKind::Version { .. } | NoticeKind::Damaged(_) | NoticeKind::Truncated { .. }
        );
        let origin = if is_capture { Origin::Named } else { found.origin };
        self.notices.skip(&found.path, origin, None, kind);
    }
}
