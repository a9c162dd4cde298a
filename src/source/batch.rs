//! Frames in batches: descriptors owned, bytes shared.

use std::{slice, sync::Arc};

use crate::{decode::LinkType, limits::BATCH_FRAMES, prefetch, time::Timestamp};

/// How many frames ahead of the one that is read the bytes of frames are asked for.
const AHEAD: usize = 8;
/// Bytes of a cache line.
const LINE: usize = 64;

/// Descriptors that are copied in one piece: 2 KiB. For more the C library uses a string instruction, which is slow
/// to start and which callgrind counts by its bytes.
pub(super) const COPIED: usize = 64;

/// A run of bytes that frames point into; it lives as long as the last batch that needs it.
pub type Chunk = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// One frame as an analyst's tool counts it.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Place in the timeline, from 1.
    pub number: u64,
    /// When it was captured.
    pub time: Timestamp,
    /// How its first byte is to be read.
    pub link: LinkType,
    /// The captured bytes.
    pub bytes: &'a [u8],
    /// Its length on the wire: `bytes.len()` or more.
    pub wire_length: u32,
    /// Which input it came from: an index into the timeline's inputs.
    pub input: u32,
}

/// A frame's descriptor: everything but the bytes themselves. Half a cache line, for thousands wait in
/// the window of each input.
#[derive(Clone, Copy, Debug)]
pub struct FrameRecord {
    /// When it was captured.
    pub time: Timestamp,
    /// Offset of its first byte in its chunk.
    pub offset: u64,
    /// Captured bytes.
    pub length: u32,
    /// Bytes on the wire.
    pub wire_length: u32,
    /// Which input it came from.
    pub input: u32,
    /// Index of its chunk in the batch.
    pub chunk: u16,
    /// How its first byte is to be read.
    pub link: LinkType,
}

impl FrameRecord {
    /// No frame: what fills a place that has none yet.
    pub(super) const NONE: Self = Self {
        time: Timestamp::from_nanos(0),
        offset: 0,
        length: 0,
        wire_length: 0,
        input: 0,
        chunk: 0,
        link: LinkType(0),
    };
}

/// Frames that follow each other in the timeline.
#[derive(Clone, Default)]
pub struct FrameBatch {
    first_number: u64,
    records: Vec<FrameRecord>,
    chunks: Vec<Chunk>,
}

impl FrameBatch {
    /// An empty batch whose first frame will have the number `first_number`.
    pub fn starting_at(first_number: u64) -> Self {
        Self { first_number, records: Vec::with_capacity(BATCH_FRAMES), chunks: Vec::new() }
    }

    /// Registers a chunk and gives its index, reusing the one it has. A batch has at most
    /// [`u16::MAX`] chunks; frames of further ones would read as empty.
    pub fn add_chunk(&mut self, chunk: &Chunk) -> u16 {
        let same = |known: &Chunk| std::ptr::addr_eq(Arc::as_ptr(known), Arc::as_ptr(chunk));
        let index = self.chunks.iter().rposition(same).unwrap_or_else(|| {
            self.chunks.push(Arc::clone(chunk));
            self.chunks.len() - 1
        });
        u16::try_from(index).unwrap_or(u16::MAX)
    }

    /// Appends a frame. Invariant: `record.chunk` came from [`FrameBatch::add_chunk`] of this batch.
    pub fn push(&mut self, record: FrameRecord) {
        self.records.push(record);
    }

    /// Appends frames that share a chunk, whose index here is `chunk`, whatever their records say.
    pub(super) fn extend(&mut self, chunk: u16, records: &[FrameRecord]) {
        if records.first().is_some_and(|first| first.chunk == chunk) {
            // As mostly, for captures that are all one chunk.
            return records.chunks(COPIED).for_each(|piece| self.records.extend_from_slice(piece));
        }
        self.records.extend(records.iter().map(|record| FrameRecord { chunk, ..*record }));
    }

    /// The descriptors of the frames from the one at `index` on.
    pub(super) fn records_from(&self, index: usize) -> &[FrameRecord] {
        self.records.get(index..).unwrap_or_default()
    }

    /// How many frames.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The number of the first frame.
    pub fn first_number(&self) -> u64 {
        self.first_number
    }

    /// The frames in order; bytes that a chunk does not have read as empty.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        Frames {
            batch: self,
            next: self.records.iter(),
            soon: self.records.get(AHEAD..).unwrap_or_default().iter(),
            number: self.first_number,
            chunk: u16::MAX,
            bytes: self.chunk(u16::MAX),
        }
    }

    /// A chunk's bytes, none where there is no such chunk.
    fn chunk(&self, index: u16) -> &[u8] {
        self.chunks.get(usize::from(index)).map_or(&[], |chunk| (**chunk).as_ref())
    }
}

/// The frames of a batch.
struct Frames<'a> {
    batch: &'a FrameBatch,
    next: slice::Iter<'a, FrameRecord>,
    /// The frames that come soon, whose headers are asked for.
    soon: slice::Iter<'a, FrameRecord>,
    number: u64,
    /// The chunk that the last frame was in, and its bytes: neighbours mostly share it.
    chunk: u16,
    bytes: &'a [u8],
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Frame<'a>> {
        let record = self.next.next()?;
        if self.chunk != record.chunk {
            (self.chunk, self.bytes) = (record.chunk, self.batch.chunk(record.chunk));
        }
        // The headers of a frame that comes soon, which the walk passed over long ago. Where the
        // chunk changes in between the wrong bytes are asked for, which costs little.
        if let Some(soon) = self.soon.next() {
            prefetch::line(self.bytes, soon.offset as usize);
            prefetch::line(self.bytes, soon.offset as usize + LINE);
        }
        let start = usize::try_from(record.offset).unwrap_or(usize::MAX);
        let behind = self.bytes.get(start..).unwrap_or_default();
        let number = self.number;
        self.number += 1;
        Some(Frame {
            number,
            time: record.time,
            link: record.link,
            bytes: behind.get(..record.length as usize).unwrap_or_default(),
            wire_length: record.wire_length,
            input: record.input,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.next.size_hint()
    }
}
