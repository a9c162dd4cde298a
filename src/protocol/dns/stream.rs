//! One direction of DNS over TCP: messages after two bytes with their length (RFC 1035 section 4.2.2).

use crate::limits::MESSAGE_BYTES;
use crate::protocol::Verdict;

use super::looks_like_dns_stream;

/// Bytes of the length before a message.
const PREFIX: usize = 2;
/// Room that is kept for the next message that comes in pieces; a longer message's room is given back.
const KEPT_BYTES: usize = 2048;

const _: () = assert!(MESSAGE_BYTES > u16::MAX as usize);

/// Cuts one direction of a connection into messages.
///
/// A message that is whole within one pushed slice is handed on where it stands. Otherwise its pieces
/// are collected, at most [`MESSAGE_BYTES`] and the length before them.
#[derive(Debug, Default)]
pub struct DnsStream {
    /// The beginning of a message, with the length before it. Never a whole one between two calls.
    pieces: Vec<u8>,
    /// Bytes are missing, so that it is not known where the next message begins.
    lost: bool,
}

impl DnsStream {
    /// Nothing received yet.
    pub const fn new() -> Self {
        Self { pieces: Vec::new(), lost: false }
    }

    /// The next bytes of the direction, in order. `each` gets every message that is now whole,
    /// without its length.
    pub fn push(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8])) {
        let mut bytes = bytes;
        if self.lost {
            // After a gap there is no telling but by looks. A message mostly begins with a segment.
            if looks_like_dns_stream(bytes) != Verdict::Yes {
                return;
            }
            self.lost = false;
        }
        while !self.pieces.is_empty() && !bytes.is_empty() {
            let wanted = message_end(&self.pieces).unwrap_or(PREFIX);
            let (taken, rest) = bytes.split_at(bytes.len().min(wanted - self.pieces.len()));
            self.pieces.extend_from_slice(taken);
            bytes = rest;
            if message_end(&self.pieces).is_some_and(|end| end == self.pieces.len()) {
                hand_on(&self.pieces, each);
                self.pieces.clear();
                self.pieces.shrink_to(KEPT_BYTES);
            }
        }
        while let Some((message, rest)) = message_end(bytes).and_then(|end| bytes.split_at_checked(end)) {
            hand_on(message, each);
            bytes = rest;
        }
        self.pieces.extend_from_slice(bytes);
    }

    /// Bytes of the direction are missing here. `each` gets what there is of an unfinished message;
    /// the next one is looked for by content.
    pub fn gap(&mut self, each: &mut impl FnMut(&[u8])) {
        self.finish(each);
        self.lost = true;
    }

    /// The direction ended. `each` gets what there is of an unfinished message, which [`super::Message`]
    /// then finds cut.
    pub fn finish(&mut self, each: &mut impl FnMut(&[u8])) {
        hand_on(&self.pieces, each);
        self.pieces = Vec::new();
    }

    /// Bytes that are held.
    pub fn held(&self) -> usize {
        self.pieces.capacity()
    }
}

/// Where the message at the front ends, once its length is there; it may end behind `bytes`.
fn message_end(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk().copied().map(u16::from_be_bytes)?;
    Some(PREFIX + usize::from(length))
}

/// Hands on what follows the length; an empty message is none.
fn hand_on(framed: &[u8], each: &mut impl FnMut(&[u8])) {
    if let Some(message) = framed.get(PREFIX..).filter(|message| !message.is_empty()) {
        each(message);
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn framed(messages: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for message in messages {
            bytes.extend_from_slice(&u16::try_from(message.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(message);
        }
        bytes
    }

    #[test]
    fn a_whole_message_is_not_copied() {
        let bytes = framed(&[b"first message", b"second"]);
        let mut stream = DnsStream::new();
        let mut places = Vec::new();
        stream.push(&bytes, &mut |message| places.push((message.as_ptr() as usize, message.len())));
        let start = bytes.as_ptr() as usize;
        assert_eq!(places, [(start + 2, 13), (start + 17, 6)]);
        assert_eq!(stream.held(), 0);
    }

    #[test]
    fn cuts_anywhere_give_the_same_messages() {
        let bytes = framed(&[b"one", b"", b"three", &[7; 300], b"rest"]);
        let expected: Vec<Vec<u8>> = vec![b"one".into(), b"three".into(), vec![7; 300], b"rest".into()];
        for size in 1..bytes.len() {
            let (mut stream, mut messages) = (DnsStream::new(), Vec::new());
            let mut each = |message: &[u8]| messages.push(message.to_vec());
            bytes.chunks(size).for_each(|chunk| stream.push(chunk, &mut each));
            stream.finish(&mut each);
            assert_eq!(messages, expected, "pieces of {size}");
        }
    }

    #[test]
    fn an_end_in_the_middle_gives_the_beginning() {
        let (mut stream, mut messages) = (DnsStream::new(), Vec::new());
        stream.push(&framed(&[b"whole", b"broken"])[..11], &mut |message| messages.push(message.to_vec()));
        stream.finish(&mut |message| messages.push(message.to_vec()));
        stream.finish(&mut |message| messages.push(message.to_vec()));
        assert_eq!(messages, [b"whole".as_slice(), b"br"]);
    }

    #[test]
    fn goes_on_after_a_gap_with_what_looks_like_a_message() {
        let query = sample::query("www.example.com", 1);
        let (mut stream, mut messages) = (DnsStream::new(), Vec::new());
        let mut each = |message: &[u8]| messages.push(message.to_vec());
        stream.push(&framed(&[&query])[..20], &mut each);
        stream.gap(&mut each);
        stream.push(&[0xa5; 700], &mut each);
        stream.push(&framed(&[&query, &query]), &mut each);
        assert_eq!(messages, [query[..18].to_vec(), query.clone(), query.clone()]);
    }

    #[test]
    fn holds_no_more_than_one_message() {
        let mut stream = DnsStream::new();
        let mut longest = 0;
        for _ in 0..200 {
            stream.push(&[0xff; 1000], &mut |message| longest = longest.max(message.len()));
            assert!(stream.pieces.len() < MESSAGE_BYTES + PREFIX);
        }
        assert_eq!(longest, 65535);
    }
}
