//! Telling TLS by a side's first bytes.

use super::stream::record_kind;
use crate::bytes::{Reader, u16_at};
use crate::protocol::Verdict;

/// Whether `bytes`, the first of a side or the first after another protocol (STARTTLS, CONNECT), are
/// TLS: a record of a known type, version and length, whose content fits its type. Also the hello in
/// SSL 2's form by which old clients ask for TLS (RFC 5246 appendix E.2).
///
/// The record and what stands in it bind at least 22 bits of a record of application data and 31
/// bits of all others, so that other protocols are taken for it by chance only that rarely.
pub fn identify(bytes: &[u8]) -> Verdict {
    match bytes.first() {
        None => Verdict::Unsure,
        Some(first) if first & 0x80 != 0 => verdict(ssl2_hello_fits(bytes)),
        Some(_) => verdict(record_fits(bytes)),
    }
}

/// Why a closer look stopped.
enum Stop {
    /// The bytes that there are would fit.
    Short,
    /// They do not fit.
    Misfit,
}

fn verdict(fits: Result<(), Stop>) -> Verdict {
    match fits {
        Ok(()) => Verdict::Yes,
        Err(Stop::Short) => Verdict::Unsure,
        Err(Stop::Misfit) => Verdict::No,
    }
}

fn check(fits: bool) -> Result<(), Stop> {
    if fits { Ok(()) } else { Err(Stop::Misfit) }
}

fn record_fits(bytes: &[u8]) -> Result<(), Stop> {
    let mut reader = Reader::new(bytes);
    let kind = reader.u8().ok_or(Stop::Short)?;
    check((record_kind::CHANGE_CIPHER_SPEC..=record_kind::APPLICATION_DATA).contains(&kind))?;
    check(reader.u8().ok_or(Stop::Short)? == 3)?;
    check(reader.u8().ok_or(Stop::Short)? <= 4)?;
    let length = reader.u16().ok_or(Stop::Short)?;
    match kind {
        record_kind::CHANGE_CIPHER_SPEC => {
            check(length == 1)?;
            check(reader.u8().ok_or(Stop::Short)? == 1)
        }
        record_kind::ALERT => {
            check(length == 2)?;
            check(matches!(reader.u8().ok_or(Stop::Short)?, 1 | 2))?;
            check(reader.u8().ok_or(Stop::Short)? <= 121)
        }
        record_kind::HANDSHAKE => {
            check((1..=super::stream::RECORD_BYTES).contains(&length))?;
            handshake_fits(reader, length)
        }
        _ => {
            // The shortest protected record holds one byte and a tag of sixteen.
            check((17..=super::stream::RECORD_BYTES).contains(&length))?;
            reader.take_up_to(length.into());
            // Where the next record is there too, it has to look like one.
            let next = reader.rest();
            let next_kind = next.first().copied().unwrap_or(kind);
            check((record_kind::CHANGE_CIPHER_SPEC..=record_kind::APPLICATION_DATA).contains(&next_kind))?;
            check(next.get(1).copied().unwrap_or(3) == 3)
        }
    }
}

/// Whether a handshake record begins with a plausible message. Its header may be torn over records
/// on purpose, so only what stands in this one is asked for. The messages are those that go in clear.
fn handshake_fits(mut reader: Reader<'_>, record: u16) -> Result<(), Stop> {
    let kind = reader.u8().ok_or(Stop::Short)?;
    check(matches!(kind, 1 | 2 | 4 | 11..=16 | 22))?;
    if record < 6 {
        return Ok(());
    }
    let length = reader.u24().ok_or(Stop::Short)?;
    match kind {
        // The two hellos: at least version, random, session id, cipher and compression, and then the
        // version's first byte, which is 0x7f in drafts.
        1 | 2 => {
            check((38..=0x2_0000).contains(&length))?;
            check(matches!(reader.u8().ok_or(Stop::Short)?, 3 | 0x7f))
        }
        _ => check(length <= 0x4_0000),
    }
}

/// Whether this is a ClientHello in SSL 2's form, judged by its eleven bytes of header.
fn ssl2_hello_fits(bytes: &[u8]) -> Result<(), Stop> {
    let mut reader = Reader::new(bytes);
    let length = reader.u16().ok_or(Stop::Short)? & 0x7fff;
    check((9 + 3 + 16..=0x400).contains(&length))?;
    check(reader.u8().ok_or(Stop::Short)? == 1)?;
    check(matches!(reader.u16().ok_or(Stop::Short)?, 0x0002 | 0x0300..=0x0303))?;
    let ciphers = reader.u16().ok_or(Stop::Short)?;
    let session_id = reader.u16().ok_or(Stop::Short)?;
    let challenge = reader.u16().ok_or(Stop::Short)?;
    check(ciphers != 0 && ciphers % 3 == 0)?;
    check(matches!(session_id, 0 | 16) && (16..=32).contains(&challenge))?;
    check(u32::from(length) == 9 + u32::from(ciphers) + u32::from(session_id) + u32::from(challenge))
}

/// The version that a ClientHello in SSL 2's form asks for, when its whole record is `record`.
pub(super) fn ssl2_hello_version(record: &[u8]) -> Option<u16> {
    ssl2_hello_fits(record).is_ok().then(|| u16_at(record, 3))?
}

#[cfg(test)]
mod tests {
    use super::super::samples::{HelloBuilder, message, record, server_hello};
    use super::*;

    #[test]
    fn tells_what_opens_a_side() {
        let hello = HelloBuilder::browser(b"runner.example").message();
        let openings = [
            record(22, &hello),
            record(22, &message(2, &server_hello(0x0303, 0x1301, &[]))),
            record(22, &hello[..1]),
            record(20, &[1]),
            record(21, &[2, 40]),
            record(23, &[7; 40]),
            b"\x80\x1c\x01\x03\x01\x00\x03\x00\x00\x00\x10".to_vec(),
        ];
        for bytes in openings {
            assert_eq!(identify(&bytes), Verdict::Yes, "{bytes:02x?}");
            // On the way there it is never refused.
            for end in 0..bytes.len() {
                assert_ne!(identify(&bytes[..end]), Verdict::No, "{bytes:02x?} at {end}");
            }
        }
    }

    #[test]
    fn refuses_what_only_resembles_it() {
        let others: [&[u8]; 12] = [
            b"GET / HTTP/1.1\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"\x16\x03\x01\x00\x00\x01",
            b"\x16\x03\x05\x00\x40\x01\x00\x00\x3c\x03",
            b"\x16\x02\x01\x00\x40\x01\x00\x00\x3c\x03",
            b"\x16\x03\x01\x00\x40\x07",
            b"\x16\x03\x01\x00\x40\x01\x00\x00\x04\x03",
            b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x04",
            b"\x15\x03\x01\x00\x02\x05\x00",
            b"\x14\x03\x01\x00\x01\x02",
            b"\x17\x03\x03\x00\x04abcd",
            b"\x80\x1c\x01\x03\x01\x00\x04\x00\x00\x00\x10",
        ];
        for bytes in others {
            assert_eq!(identify(bytes), Verdict::No, "{bytes:02x?}");
        }
        for next in [&b"no record"[..], b"\x17\x04"] {
            let two = [&record(23, &[7; 40])[..], next].concat();
            assert_eq!(identify(&two), Verdict::No);
        }
    }

    #[test]
    fn random_bytes_are_almost_never_taken_for_it() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut taken = 0;
        for _ in 0..200_000 {
            let mut bytes = [0; 16];
            for half in bytes.as_chunks_mut::<8>().0 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *half = state.to_le_bytes();
            }
            taken += u32::from(identify(&bytes) == Verdict::Yes);
        }
        assert_eq!(taken, 0);
    }
}
