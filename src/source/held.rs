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
    current: u32,
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
    pub(super) fn get(&self, number: u32) -> Option<&Chunk> {
        self.places.get(number as usize)?.chunk.as_ref()
    }

    /// The number for a frame of the current chunk, which now has one more that waits.
    #[inline]
    pub(super) fn hold(&mut self) -> u32 {
        if let Some(place) = self.places.get_mut(self.current as usize) {
            place.frames += 1;
        }
        self.current
    }

    /// A frame of the chunk with this number no longer waits.
    #[inline]
    pub(super) fn let_go(&mut self, number: u32) {
        if let Some(place) = self.places.get_mut(number as usize) {
            place.frames = place.frames.saturating_sub(1);
            if place.frames == 0 && number != self.current {
                place.chunk = None;
            }
        }
    }

    /// Goes on to the next chunk.
    pub(super) fn next(&mut self, chunk: Chunk, waiting: &mut Reorder) {
        if let Some(place) = self.places.get_mut(self.current as usize)
            && place.frames == 0
        {
            place.chunk = None;
        }
        if self.places.iter().filter(|place| place.chunk.is_some()).count() >= HELD_CHUNKS {
            self.copy_together(waiting);
        }
        self.current = self.put(chunk, 0);
    }

    fn put(&mut self, chunk: Chunk, frames: u32) -> u32 {
        let place = Place { chunk: Some(chunk), frames };
        match self.places.iter_mut().position(|place| place.chunk.is_none()) {
            Some(free) => {
                if let Some(free) = self.places.get_mut(free) {
                    *free = place;
                }
                free as u32
            }
            None => {
                self.places.push(place);
                self.places.len() as u32 - 1
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
            held.hold();
            let time = Timestamp::from_nanos(i64::from(number));
            let record = FrameRecord {
                time,
                offset: 3,
                length: 2,
                wire_length: 2,
                chunk: held.hold(),
                input: 0,
                link: LinkType(1),
            };
            waiting.push(record);
            held.let_go(record.chunk);
            assert!(held.places.len() <= HELD_CHUNKS + 1, "{}", held.places.len());
        }
        for number in 0..200_u8 {
            let record = waiting.pop().unwrap();
            let bytes = (**held.get(record.chunk).unwrap()).as_ref();
            assert_eq!(frame_bytes(bytes, &record), [number; 2]);
            held.let_go(record.chunk);
        }
        let left = held.places.iter().filter(|place| place.chunk.is_some()).count();
        assert_eq!(left, 1, "only the current one");
    }
}
