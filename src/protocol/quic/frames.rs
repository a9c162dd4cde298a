//! The frames of an Initial packet (RFC 9000 section 19), of which only CRYPTO says something.

use super::packet::varint;
use crate::bytes::Reader;

/// A stretch of the CRYPTO stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crypto<'a> {
    pub offset: u64,
    pub data: &'a [u8],
}

/// The CRYPTO frames of a packet's payload, up to its end or the first frame that cannot stand in an
/// Initial packet or cannot be read.
pub(super) fn crypto_frames(payload: &[u8]) -> impl Iterator<Item = Crypto<'_>> {
    let mut reader = Reader::new(payload);
    std::iter::from_fn(move || {
        loop {
            match varint(&mut reader)? {
                // PADDING and PING are their type and nothing else.
                0x00 | 0x01 => {}
                0x02 => acknowledgement(&mut reader)?,
                0x03 => {
                    acknowledgement(&mut reader)?;
                    for _ in 0..3 {
                        varint(&mut reader)?;
                    }
                }
                // Google's versions number CRYPTO 8. That is STREAM elsewhere, which no Initial packet has.
                0x06 | 0x08 => {
                    let offset = varint(&mut reader)?;
                    let length = usize::try_from(varint(&mut reader)?).ok()?;
                    return reader.take(length).map(|data| Crypto { offset, data });
                }
                // CONNECTION_CLOSE: code, frame type, reason.
                0x1c => {
                    varint(&mut reader)?;
                    varint(&mut reader)?;
                    let reason = usize::try_from(varint(&mut reader)?).ok()?;
                    reader.skip(reason)?;
                }
                _ => return None,
            }
        }
    })
}

/// Steps over an ACK frame: largest, delay, number of ranges, first range, ranges.
fn acknowledgement(reader: &mut Reader<'_>) -> Option<()> {
    varint(reader)?;
    varint(reader)?;
    let ranges = varint(reader)?;
    varint(reader)?;
    // A count that lies ends with the bytes.
    for _ in 0..ranges {
        varint(reader)?;
        varint(reader)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &[u8]) -> Vec<(u64, &[u8])> {
        crypto_frames(payload).map(|frame| (frame.offset, frame.data)).collect()
    }

    #[test]
    fn passes_over_what_says_nothing() {
        let acks =
            [&[0x02, 5, 0, 1, 0, 0, 1][..], &[0x03, 5, 0, 0, 0, 1, 2, 3], &[0x1c, 0, 6, 2, b'o', b'k']];
        let payload = [&[0, 0, 1][..], &acks.concat(), b"\x06\x00\x02ab\x00\x06\x40\x07\x01c\x01"].concat();
        assert_eq!(read(&payload), [(0, &b"ab"[..]), (7, b"c")]);
    }

    #[test]
    fn reads_the_number_that_google_gave_it() {
        assert_eq!(read(b"\x08\x00\x02ab\x00"), [(0, &b"ab"[..])]);
    }

    #[test]
    fn stops_at_what_cannot_stand_there_or_is_cut() {
        assert_eq!(read(b"\x06\x00\x01a\x0a\x06\x01\x01b"), [(0, &b"a"[..])]);
        assert_eq!(read(b"\x06\x00\x01a\x06\x01\x09b"), [(0, &b"a"[..])]);
        let lying = [&[0x02, 0, 0][..], &[0xff; 8], &[0; 9]].concat();
        assert_eq!(read(&lying), []);
    }
}
