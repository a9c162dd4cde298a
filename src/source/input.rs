//! One capture as a stream of frames in order of time, wherever its bytes come from.

use std::{
    fs::File,
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::time::Timestamp;

use super::{
    batch::{Chunk, FrameBatch, FrameRecord},
    borders::{Borders, Shape},
    compression::Compression,
    discover::{FileKind, Found, reason},
    held::Held,
    mapped::Mapped,
    notice::{Damage, NoticeKind},
    pcap, pcapng,
    record::Step,
    reorder::Reorder,
    run::{Run, Stop},
    sniff::{Content, PREFIX_BYTES, Sniffed, sniff},
    stream::{Stream, StreamChunk},
    tally::Tally,
};

/// Bytes of a mapped file after which its length is looked at again, and pages are given back.
pub(super) const STRIDE: usize = 8 << 20;
/// Bytes behind the walk whose pages stay: frames wait in them, and batches on their way.
const PAGES_KEPT: usize = 16 << 20;
/// Bytes of a stream's chunk when only its beginning is looked at.
const PEEK_CHUNK_BYTES: usize = 64 << 10;

/// How an input is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To learn when it begins.
    Peek,
    /// To its end; streams come in chunks of so many bytes from a thread of their own.
    Read {
        /// Bytes of a stream's chunk.
        chunk_bytes: usize,
    },
}

/// An open capture.
pub(super) struct Input {
    index: u32,
    supply: Supply,
    walk: Walk,
    /// Where the next records begin.
    borders: Borders,
    /// The chunk that is walked, and those that frames wait in.
    held: Held,
    /// Where in the current chunk the next record starts. Invariant: `at <= end`.
    at: usize,
    /// Bytes of the current chunk that may be used.
    end: usize,
    /// Offset in the capture of the current chunk's first byte.
    base: u64,
    /// What is left of a record that reaches beyond the current chunk and is passed over.
    beyond: Option<Beyond>,
    window: Reorder,
    ended: bool,
    tally: Tally,
}

/// A record whose end lies beyond the bytes at hand.
#[derive(Clone, Copy, Debug)]
struct Beyond {
    offset: u64,
    size: u64,
    left: u64,
}

enum Supply {
    /// All of it at hand.
    Mapped {
        file: Arc<Mapped>,
        /// Where the next look at the file's length is due.
        next_look: usize,
    },
    /// All of it at hand, for tests and fuzzing.
    Memory,
    /// One chunk after the other.
    Stream {
        stream: Stream,
        compression: Option<Compression>,
        /// Bytes taken from the file so far.
        taken: Arc<AtomicU64>,
    },
}

enum Walk {
    Pcap(pcap::Walk),
    Pcapng(pcapng::Walk),
}

impl Input {
    /// Opens what was found; its frames will carry `index`.
    ///
    /// # Errors
    /// Why it cannot be read at all.
    pub(super) fn open(found: &Found, index: u32, purpose: Purpose) -> Result<Self, NoticeKind> {
        let source: Box<dyn Read + Send> = match found.kind {
            FileKind::Stdin => Box::new(io::stdin()),
            FileKind::Stream | FileKind::Regular(_) => {
                let file = File::open(&found.path).map_err(|error| NoticeKind::CannotOpen(reason(&error)))?;
                if let FileKind::Regular(size) = found.kind
                    && size > 0
                    && let Some(input) = Self::map(&file, index)
                {
                    return input;
                }
                Box::new(file)
            }
        };
        Self::from_reader(source, index, purpose)
    }

    /// Maps a plain capture; `None` when it must be read as a stream, and says so where it cannot.
    fn map(file: &File, index: u32) -> Option<Result<Self, NoticeKind>> {
        let mapped = Arc::new(Mapped::new(file.try_clone().ok()?).ok()?);
        let chunk: Chunk = Arc::clone(&mapped) as Chunk;
        let bytes = (*mapped).as_ref();
        let supply = Supply::Mapped { file: Arc::clone(&mapped), next_look: 0 };
        match sniff(bytes.get(..PREFIX_BYTES).unwrap_or(bytes)) {
            Sniffed::Compressed(_) => None,
            Sniffed::Other(content) => Some(Err(NoticeKind::NotACapture(content))),
            sniffed => Some(Self::start(chunk, supply, sniffed, index)),
        }
    }

    /// Reads a stream, compressed or not.
    ///
    /// # Errors
    /// Why it cannot be read at all.
    pub(super) fn from_reader(
        source: Box<dyn Read + Send>,
        index: u32,
        purpose: Purpose,
    ) -> Result<Self, NoticeKind> {
        let taken = Arc::new(AtomicU64::new(0));
        let mut source = Counted { source, taken: Arc::clone(&taken) };
        let cannot_read = |error: &io::Error| NoticeKind::CannotRead(reason(error));
        let mut prefix = Vec::new();
        (&mut source)
            .take(PREFIX_BYTES as u64)
            .read_to_end(&mut prefix)
            .map_err(|error| cannot_read(&error))?;
        let sniffed = sniff(&prefix);
        let whole: Box<dyn Read + Send> = Box::new(io::Cursor::new(prefix).chain(source));
        let (plain, compression) = match sniffed {
            Sniffed::Other(content) => return Err(NoticeKind::NotACapture(content)),
            Sniffed::Compressed(compression) => {
                (compression.decoder(whole).map_err(|error| cannot_read(&error))?, Some(compression))
            }
            Sniffed::Pcap | Sniffed::Pcapng => (whole, None),
        };
        let mut stream = match purpose {
            Purpose::Peek => Stream::here(plain, PEEK_CHUNK_BYTES),
            Purpose::Read { chunk_bytes } => {
                Stream::beside(plain, chunk_bytes).map_err(|error| cannot_read(&error))?
            }
        };
        let first = stream.next(&[], PREFIX_BYTES);
        // A fault behind the first bytes is told when they have been read.
        if first.is_none()
            && let Some(fault) = stream.take_fault()
        {
            return Err(match compression {
                Some(compression) => NoticeKind::Compressed(compression, reason(&fault)),
                None => cannot_read(&fault),
            });
        }
        let first = first.unwrap_or_else(|| Vec::new().into());
        let bytes = first.as_ref();
        let sniffed = sniff(bytes.get(..PREFIX_BYTES).unwrap_or(bytes));
        let content = match sniffed {
            Sniffed::Other(content) => Some(content),
            Sniffed::Compressed(inner) => Some(Content::Compressed(inner)),
            Sniffed::Pcap | Sniffed::Pcapng => None,
        };
        match (content, compression) {
            (Some(content), Some(compression)) => Err(NoticeKind::NotACaptureInside(compression, content)),
            (Some(content), None) => Err(NoticeKind::NotACapture(content)),
            (None, _) => {
                let supply = Supply::Stream { stream, compression, taken };
                Self::start(Arc::new(first), supply, sniffed, index)
            }
        }
    }

    /// Reads a plain capture that lies in memory, for tests and fuzzing: looking ahead in this `shape`, or every
    /// record by itself and none in a short way.
    pub(super) fn from_memory(bytes: Vec<u8>, index: u32, shape: Option<Shape>) -> Result<Self, NoticeKind> {
        let sniffed = match sniff(bytes.get(..PREFIX_BYTES).unwrap_or(&bytes)) {
            Sniffed::Other(content) => return Err(NoticeKind::NotACapture(content)),
            Sniffed::Compressed(inner) => {
                return Err(NoticeKind::NotACapture(Content::Compressed(inner)));
            }
            sniffed => sniffed,
        };
        let chunk = Arc::new(StreamChunk::from(bytes));
        let mut input = Self::start(chunk, Supply::Memory, sniffed, index)?;
        input.borders = shape.map_or_else(Borders::none, Borders::new);
        if shape.is_none()
            && let Walk::Pcap(walk) = input.walk
        {
            input.walk = Walk::Pcap(walk.without_usual());
        }
        Ok(input)
    }

    fn start(chunk: Chunk, supply: Supply, sniffed: Sniffed, index: u32) -> Result<Self, NoticeKind> {
        let bytes = (*chunk).as_ref();
        let end = bytes.len();
        let (walk, at) = if sniffed == Sniffed::Pcapng {
            match pcapng::Walk::new().step(bytes) {
                Step::Broken(Damage::SectionVersion(major, minor)) => {
                    return Err(NoticeKind::Version { format: "pcapng", major, minor });
                }
                Step::Broken(damage) => return Err(NoticeKind::Damaged(damage)),
                _ => {}
            }
            (Walk::Pcapng(pcapng::Walk::new()), 0)
        } else {
            match pcap::Walk::new(bytes) {
                Ok(walk) => (Walk::Pcap(walk), pcap::HEADER_BYTES),
                Err(pcap::HeaderFault::Version(major, minor)) => {
                    return Err(NoticeKind::Version { format: "pcap", major, minor });
                }
                Err(pcap::HeaderFault::Short) => {
                    let (have, need) = (end as u64, pcap::HEADER_BYTES as u64);
                    return Err(NoticeKind::Truncated { have, need });
                }
            }
        };
        let borders = match supply {
            Supply::Mapped { .. } => Borders::new(Shape::default()),
            // A chunk of a stream was written a moment ago and still lies in the caches.
            Supply::Stream { .. } | Supply::Memory => Borders::none(),
        };
        Ok(Self {
            index,
            supply,
            walk,
            borders,
            held: Held::new(chunk),
            at,
            end,
            base: 0,
            beyond: None,
            window: Reorder::default(),
            ended: false,
            tally: Tally::default(),
        })
    }

    /// Looks at the first `records` records: the earliest time among their frames.
    pub(super) fn peek(&mut self, records: usize) -> Option<Timestamp> {
        self.fill(records);
        self.window.earliest()
    }

    /// The time of the next frame.
    #[inline]
    pub(super) fn head(&mut self) -> Option<Timestamp> {
        if !self.window.is_ripe() && !self.ended {
            self.fill(usize::MAX);
        }
        self.window.earliest()
    }

    /// Moves frames to the end of `batch`: at most `most`, as long as they may go before more is read,
    /// and behind the first one only those whose time `is_next`. They ascend by time. Gives how many bytes
    /// they have; [`Input::head`] says whether there is one at all.
    pub(super) fn take_run(
        &mut self,
        batch: &mut FrameBatch,
        most: usize,
        is_next: impl Fn(Timestamp) -> bool,
    ) -> u64 {
        let mut run = self.window.ready(most, self.ended);
        if run.last().is_some_and(|last| !is_next(last.time)) {
            let behind = run.get(1..).unwrap_or_default();
            let count = 1 + behind.partition_point(|record| is_next(record.time));
            run = run.get(..count).unwrap_or_default();
        }
        let count = run.len();
        // Neighbours mostly lie in one chunk, and there mostly is but one.
        let is_one = self.held.is_one();
        let mut rest = run;
        while let Some(first) = rest.first() {
            let same = |record: &&FrameRecord| record.chunk == first.chunk;
            let length = if is_one { rest.len() } else { rest.iter().take_while(same).count() };
            let (run, behind) = rest.split_at(length);
            rest = behind;
            if let Some(chunk) = self.held.get(first.chunk) {
                let index = batch.add_chunk(chunk);
                batch.extend(index, run);
            }
            self.held.let_go(first.chunk, run.len() as u32);
        }
        self.window.remove(count)
    }

    /// Bytes of the file, as it lies on disk, that have been read.
    pub(super) fn taken(&self) -> u64 {
        match &self.supply {
            Supply::Stream { taken, .. } => taken.load(Ordering::Relaxed),
            Supply::Mapped { .. } | Supply::Memory => self.at as u64,
        }
    }

    /// What was counted and noticed so far.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Walks on until the window is full, the input ends, or `steps` records have been seen.
    fn fill(&mut self, mut steps: usize) {
        while !self.ended && !self.window.is_full() && steps > 0 {
            self.look_after_pages();
            let Some(chunk) = self.held.current().map(Arc::clone) else {
                self.ended = true;
                return;
            };
            let chunk: &[u8] = (*chunk).as_ref();
            if let Some(need) = self.walk_chunk(chunk.get(..self.end).unwrap_or_default(), &mut steps) {
                self.go_on(chunk, need);
            }
        }
    }

    /// Walks the current chunk. Gives how many bytes, from the next record on, must be at hand to go
    /// further; `None` when it stopped for another reason.
    fn walk_chunk(&mut self, bytes: &[u8], steps: &mut usize) -> Option<usize> {
        // So far goes one stride; then pages are given back.
        let until = bytes.len().min(self.at.saturating_add(STRIDE));
        if self.at == bytes.len() {
            return Some(1);
        }
        let mut run = Run {
            bytes,
            until,
            at: self.at,
            base: self.base,
            input: self.index,
            chunk: self.held.number(),
            frames: 0,
            steps: *steps,
        };
        let (window, tally, borders) = (&mut self.window, &mut self.tally, &mut self.borders);
        let stop = match &mut self.walk {
            Walk::Pcap(walk) => run.walk(walk, window, tally, borders),
            Walk::Pcapng(walk) => run.walk(walk, window, tally, borders),
        };
        self.held.hold(run.frames);
        (self.at, *steps) = (run.at, run.steps);
        match stop {
            Stop::Enough => None,
            Stop::Short { need } => Some(need),
            Stop::Beyond { size, left } => {
                let offset = self.base + self.at as u64;
                self.at = bytes.len();
                self.beyond = Some(Beyond { offset, size, left });
                None
            }
            Stop::Broken(damage) => {
                self.end_with(self.base + self.at as u64, NoticeKind::Damaged(damage));
                None
            }
        }
    }

    /// Gets the bytes behind the current chunk, or ends. `need` bytes from the next record on are
    /// wanted; fewer come only at the end.
    fn go_on(&mut self, chunk: &[u8], need: usize) {
        let rest = chunk.get(self.at..self.end).unwrap_or_default();
        let next = match &mut self.supply {
            Supply::Stream { stream, .. } => stream.next(rest, need.saturating_sub(rest.len())),
            Supply::Mapped { .. } | Supply::Memory => None,
        };
        let Some(next) = next else {
            self.end_of_bytes(rest.len() as u64, need as u64);
            return;
        };
        self.base += self.at as u64;
        self.at = 0;
        self.end = next.as_ref().len();
        self.held.next(Arc::new(next), &mut self.window);
        if let Some(beyond) = &mut self.beyond {
            let passed = beyond.left.min(self.end as u64);
            beyond.left -= passed;
            self.at = passed as usize;
            if beyond.left == 0 {
                self.beyond = None;
            }
        }
    }

    /// There are no more bytes: tells why, unless the last record was complete.
    fn end_of_bytes(&mut self, have: u64, need: u64) {
        let offset = self.base + self.at as u64;
        let fault = match &mut self.supply {
            Supply::Stream { stream, compression, .. } => {
                stream.take_fault().map(|fault| (*compression, reason(&fault)))
            }
            Supply::Mapped { .. } | Supply::Memory => None,
        };
        match (fault, self.beyond) {
            (Some((Some(compression), reason)), _) => {
                self.end_with(offset, NoticeKind::Compressed(compression, reason));
            }
            (Some((None, reason)), _) => self.end_with(offset, NoticeKind::CannotRead(reason)),
            (None, Some(Beyond { offset, size, left })) => {
                self.end_with(offset, NoticeKind::Truncated { have: size - left, need: size });
            }
            (None, None) if have > 0 => self.end_with(offset, NoticeKind::Truncated { have, need }),
            (None, None) => self.ended = true,
        }
    }

    fn end_with(&mut self, offset: u64, kind: NoticeKind) {
        self.ended = true;
        // A file that became shorter is told as that, not as cut.
        self.tally.fault.get_or_insert((offset, kind));
    }

    /// Once in a stride: looks whether the file is still as long as its mapping, and gives back the
    /// pages that lie well behind.
    fn look_after_pages(&mut self) {
        let Supply::Mapped { file, next_look } = &mut self.supply else { return };
        if self.at < *next_look {
            return;
        }
        let kept = self.at.saturating_sub(PAGES_KEPT);
        file.release(kept.saturating_sub(2 * STRIDE), kept);
        *next_look = self.at + STRIDE;
        let length = usize::try_from(file.length_now()).unwrap_or(usize::MAX);
        if length < self.end {
            self.end = length.max(self.at);
            // Frames that were read ahead may lie behind it.
            self.borders.forget();
            self.tally.fault = Some((self.end as u64, NoticeKind::Shortened));
        }
    }
}

/// Counts what is read, for the progress.
struct Counted<R> {
    source: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
