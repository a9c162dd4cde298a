//! Bytes that come one after the other (a decoder, a pipe) as chunks of bounded size.

use std::{
    io::{self, Read},
    thread,
};

use crossbeam_channel::{Receiver, bounded};

/// Room in front of a chunk's bytes, where the rest of the chunk before is put when a record
/// straddles the two. Nearly every record fits; a longer one costs a copy of the chunk.
const HEADROOM: usize = 64 << 10;
/// Chunks that wait between the decoder and the analysis.
const WAITING_CHUNKS: usize = 2;
/// Bytes asked of a decoder at once: what a decoder that fails in the middle may swallow.
const READ_BYTES: usize = 4 << 10;

/// Decoded bytes.
pub(super) struct StreamChunk {
    bytes: Vec<u8>,
    /// Where they begin; the headroom lies before. Invariant: `start <= bytes.len()`.
    start: usize,
}

impl AsRef<[u8]> for StreamChunk {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

impl From<Vec<u8>> for StreamChunk {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, start: 0 }
    }
}

impl StreamChunk {
    /// The bytes `carried` and then the chunk's own.
    fn behind(mut self, carried: &[u8]) -> Self {
        let room = self.start.checked_sub(carried.len());
        match room.and_then(|from| self.bytes.get_mut(from..self.start).map(|room| (from, room))) {
            Some((from, room)) => {
                room.copy_from_slice(carried);
                self.start = from;
                self
            }
            None => [carried, self.as_ref()].concat().into(),
        }
    }
}

/// A stream of bytes, read as it is asked for or by a thread of its own.
pub(super) struct Stream {
    source: Source,
    /// Where the stream failed; told once everything before has been handed out.
    fault: Option<io::Error>,
    ended: bool,
}

enum Source {
    Here(Reader),
    Beside(Receiver<io::Result<StreamChunk>>),
}

impl Stream {
    /// Reads when asked: for a look at the first bytes.
    pub(super) fn here(source: Box<dyn Read + Send>, chunk_bytes: usize) -> Self {
        Self::new(Source::Here(Reader { source, chunk_bytes, fault: None, ended: false }))
    }

    /// Reads ahead on a thread, a few chunks at most, so that decoding runs beside the analysis.
    /// The thread ends with the stream, or when this is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn beside(source: Box<dyn Read + Send>, chunk_bytes: usize) -> io::Result<Self> {
        let (sender, receiver) = bounded(WAITING_CHUNKS);
        let reader = Reader { source, chunk_bytes, fault: None, ended: false };
        thread::Builder::new().name("decode".to_owned()).spawn(move || {
            for chunk in reader {
                if sender.send(chunk).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self::new(Source::Beside(receiver)))
    }

    fn new(source: Source) -> Self {
        Self { source, fault: None, ended: false }
    }

    /// `carried` and at least `more` bytes behind it, or as many as there are; `None` at the end.
    pub(super) fn next(&mut self, carried: &[u8], more: usize) -> Option<StreamChunk> {
        let mut chunk = self.receive()?.behind(carried);
        let enough = carried.len().saturating_add(more);
        // A record far larger than a chunk is gathered before it is joined, so that it is copied once.
        let mut parts: Vec<StreamChunk> = Vec::new();
        let mut length = chunk.as_ref().len();
        while length < enough {
            let Some(part) = self.receive() else { break };
            length += part.as_ref().len();
            parts.push(part);
        }
        if !parts.is_empty() {
            let mut joined = chunk.as_ref().to_vec();
            parts.iter().for_each(|part| joined.extend_from_slice(part.as_ref()));
            chunk = joined.into();
        }
        Some(chunk)
    }

    /// Why the stream ended, where it failed.
    pub(super) fn take_fault(&mut self) -> Option<io::Error> {
        self.fault.take()
    }

    fn receive(&mut self) -> Option<StreamChunk> {
        if self.ended {
            return None;
        }
        let received = match &mut self.source {
            Source::Here(reader) => reader.next(),
            Source::Beside(receiver) => receiver.recv().ok(),
        };
        match received {
            Some(Ok(chunk)) => Some(chunk),
            Some(Err(fault)) => {
                (self.fault, self.ended) = (Some(fault), true);
                None
            }
            None => {
                self.ended = true;
                None
            }
        }
    }
}

/// Cuts what a reader gives into chunks.
struct Reader {
    source: Box<dyn Read + Send>,
    chunk_bytes: usize,
    fault: Option<io::Error>,
    ended: bool,
}

impl Iterator for Reader {
    type Item = io::Result<StreamChunk>;

    /// The next chunk, shorter only at the end; a failure comes behind all that could be read.
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(fault) = self.fault.take() {
            self.ended = true;
            return Some(Err(fault));
        }
        if self.ended {
            return None;
        }
        let mut bytes = vec![0; HEADROOM + self.chunk_bytes];
        let mut filled = HEADROOM;
        while filled < bytes.len() {
            let until = bytes.len().min(filled + READ_BYTES);
            match self.source.read(bytes.get_mut(filled..until).unwrap_or_default()) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.fault = Some(error);
                    break;
                }
            }
        }
        bytes.truncate(filled);
        if filled == HEADROOM {
            // Nothing to hand out before the end or the failure.
            return self.fault.take().map(|fault| {
                self.ended = true;
                Err(fault)
            });
        }
        Some(Ok(StreamChunk { bytes, start: HEADROOM }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives `bytes` and then fails.
    struct Failing(io::Cursor<Vec<u8>>);

    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::other("unplugged")),
                count => Ok(count),
            }
        }
    }

    fn streams(bytes: &[u8], chunk_bytes: usize) -> [Stream; 2] {
        let source = || Box::new(Failing(io::Cursor::new(bytes.to_vec())));
        [Stream::here(source(), chunk_bytes), Stream::beside(source(), chunk_bytes).unwrap()]
    }

    #[test]
    fn what_was_read_comes_before_the_failure() {
        let bytes: Vec<u8> = (0..=255).collect();
        for mut stream in streams(&bytes, 100) {
            let mut read: Vec<u8> = Vec::new();
            while let Some(chunk) = stream.next(&[], 0) {
                read.extend(chunk.as_ref());
            }
            assert_eq!(read, bytes);
            assert_eq!(stream.take_fault().unwrap().to_string(), "unplugged");
            assert!(stream.next(&[], 0).is_none());
        }
    }

    #[test]
    fn a_thread_of_its_own_reads_before_anybody_asks() {
        struct Telling(crossbeam_channel::Sender<Option<String>>);

        impl Read for Telling {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                let _ = self.0.send(thread::current().name().map(str::to_owned));
                Ok(0)
            }
        }

        let (tell, told) = crossbeam_channel::unbounded();
        let mut stream = Stream::beside(Box::new(Telling(tell)), 100).unwrap();
        assert_eq!(told.recv().unwrap().as_deref(), Some("decode"));
        assert!(stream.next(&[], 1).is_none());
    }

    #[test]
    fn the_rest_is_carried_before_the_next_chunk() {
        let bytes: Vec<u8> = (0..=255).collect();
        for mut stream in streams(&bytes, 10) {
            assert_eq!(
                stream.next(b"ab", 1).unwrap().as_ref(),
                b"ab\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09"
            );
            let long = vec![7; HEADROOM + 1];
            let joined = stream.next(&long, 25).unwrap();
            assert_eq!(joined.as_ref().len(), long.len() + 30);
            assert!(joined.as_ref().starts_with(&long));
            assert_eq!(joined.as_ref()[long.len()..][..3], [10, 11, 12]);
            // More than there is: all that is left.
            assert_eq!(stream.next(&[], 1000).unwrap().as_ref().len(), 216);
        }
    }
}
