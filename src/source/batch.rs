//! Frames in batches: descriptors owned, bytes shared.

use std::sync::Arc;

use crate::{decode::LinkType, limits::BATCH_FRAMES, prefetch, time::Timestamp};

/// How many frames ahead of the one that is read the bytes of frames are asked for.
const AHEAD: usize = 8;
/// Bytes of a cache line.
const LINE: usize = 64;

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

    /// Appends frames of one chunk, whose index here is `chunk`, whatever their records say.
    pub(super) fn extend(&mut self, chunk: u16, records: &[FrameRecord]) {
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
        // Neighbours mostly share a chunk, so its slice is asked for only where the chunk changes.
        let mut current = (None, <&[u8]>::default());
        self.records.iter().enumerate().map(move |(index, record)| {
            if current.0 != Some(record.chunk) {
                let chunk = self.chunks.get(usize::from(record.chunk));
                current = (Some(record.chunk), chunk.map_or(&[], |chunk| (**chunk).as_ref()));
            }
            let chunk = current.1;
            // The headers of a frame that comes soon, which the walk passed over long ago. Where the
            // chunk changes in between the wrong bytes are asked for, which costs little.
            if let Some(soon) = self.records.get(index + AHEAD) {
                prefetch::line(chunk, soon.offset as usize);
                prefetch::line(chunk, soon.offset as usize + LINE);
            }
            let start = usize::try_from(record.offset).unwrap_or(usize::MAX);
            let bytes = start
                .checked_add(record.length as usize)
                .and_then(|end| chunk.get(start..end))
                .unwrap_or_default();
            Frame {
                number: self.first_number + index as u64,
                time: record.time,
                link: record.link,
                bytes,
                wire_length: record.wire_length,
                input: record.input,
            }
        })
    }
}
