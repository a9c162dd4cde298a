//! The chunks of one input that waiting frames point into.

use std::sync::Arc;

use crate::limits::HELD_CHUNKS;

use super::{
    batch::{Chunk, FrameRecord},
    reorder::Reorder,
    stream::StreamChunk,
};

/// Chunks by the number that [`FrameRecord::chunk`] has while its frame waits.
///
/// A stream's frames mostly wait in the newest two or three chunks. A hostile stream could leave one
/// frame of each chunk waiting and so pin them all; beyond [`HELD_CHUNKS`] the waiting frames' bytes
/// are copied together, which happens at most once in as many chunks.
pub(super) struct Held {
    places: Vec<Place>,
    /// The place of the chunk that is being walked.
    current: u16,
}

struct Place {
    chunk: Option<Chunk>,
    /// Frames that wait in it.
    frames: u32,
}

impl Held {
    /// Holds the first chunk.
    pub(super) fn new(chunk: Chunk) -> Self {
        Self { places: vec![Place { chunk: Some(chunk), frames: 0 }], current: 0 }
    }

    /// The chunk that is being walked.
    pub(super) fn current(&self) -> Option<&Chunk> {
        self.get(self.current)
    }

    /// The chunk with this number.
    #[inline]
    pub(super) fn get(&self, number: u16) -> Option<&Chunk> {
        self.places.get(usize::from(number))?.chunk.as_ref()
    }

    /// Whether there has been but one chunk, in which all frames are.
    pub(super) fn is_one(&self) -> bool {
        self.places.len() == 1
    }

    /// The number for frames of the current chunk.
    pub(super) fn number(&self) -> u16 {
        self.current
    }

    /// So many more frames of the current chunk wait.
    pub(super) fn hold(&mut self, frames: u32) {
        if let Some(place) = self.places.get_mut(usize::from(self.current)) {
            place.frames += frames;
        }
    }

    /// So many frames of the chunk with this number no longer wait.
    pub(super) fn let_go(&mut self, number: u16, frames: u32) {
        if let Some(place) = self.places.get_mut(usize::from(number)) {
            place.frames = place.frames.saturating_sub(frames);
            if place.frames == 0 && number != self.current {
                place.chunk = None;
            }
        }
    }

    /// Goes on to the next chunk.
    pub(super) fn next(&mut self, chunk: Chunk, waiting: &mut Reorder) {
        if let Some(place) = self.places.get_mut(usize::from(self.current))
            && place.frames == 0
        {
            place.chunk = None;
        }
        if self.places.iter().filter(|place| place.chunk.is_some()).count() >= HELD_CHUNKS {
            self.copy_together(waiting);
        }
        self.current = self.put(chunk, 0);
    }

    /// Invariant: at most [`HELD_CHUNKS`] and one more are held, so 16 bits suffice for their numbers.
    fn put(&mut self, chunk: Chunk, frames: u32) -> u16 {
        let place = Place { chunk: Some(chunk), frames };
        match self.places.iter_mut().position(|place| place.chunk.is_none()) {
            Some(free) => {
                if let Some(free) = self.places.get_mut(free) {
                    *free = place;
                }
                free as u16
            }
            None => {
                self.places.push(place);
                (self.places.len() - 1) as u16
            }
        }
    }

    fn copy_together(&mut self, waiting: &mut Reorder) {
        let mut bytes = Vec::new();
        for record in waiting.iter_mut() {
            let offset = bytes.len() as u64;
            let chunk: &[u8] = self.get(record.chunk).map_or(&[], |chunk| (**chunk).as_ref());
            bytes.extend_from_slice(frame_bytes(chunk, record));
            (record.offset, record.chunk) = (offset, 0);
        }
        self.places.clear();
        self.put(Arc::new(StreamChunk::from(bytes)), waiting.len() as u32);
    }
}

fn frame_bytes<'a>(chunk: &'a [u8], record: &FrameRecord) -> &'a [u8] {
    let start = record.offset as usize;
    chunk.get(start..start + record.length as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode::LinkType, time::Timestamp};

    fn chunk(number: u8) -> Chunk {
        Arc::new(StreamChunk::from(vec![number; 8]))
    }

    #[test]
    fn pinned_chunks_are_copied_together() {
        let mut waiting = Reorder::default();
        let mut held = Held::new(chunk(0));
        for number in 0..200_u8 {
            if number > 0 {
                held.next(chunk(number), &mut waiting);
            }
            // Every chunk keeps one of its two frames waiting, later ones further ahead in time.
            held.hold(2);
            let time = Timestamp::from_nanos(i64::from(number));
            let record = FrameRecord {
                time,
                offset: 3,
                length: 2,
                wire_length: 2,
                input: 0,
                chunk: held.number(),
                link: LinkType(1),
            };
            waiting.push(record);
            held.let_go(record.chunk, 1);
            assert!(held.places.len() <= HELD_CHUNKS + 1, "{}", held.places.len());
        }
        for number in 0..200_u8 {
            let record = waiting.ready(1, true)[0];
            waiting.remove(1);
            let bytes = (**held.get(record.chunk).unwrap()).as_ref();
            assert_eq!(frame_bytes(bytes, &record), [number; 2]);
            held.let_go(record.chunk, 1);
        }
        let left = held.places.iter().filter(|place| place.chunk.is_some()).count();
        assert_eq!(left, 1, "only the current one");
    }
}
