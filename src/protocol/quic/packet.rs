//! A view of QUIC's long headers (RFC 9000 section 17.2, RFC 8999), and telling QUIC by a datagram.

use super::version::{self, V2};
use crate::bytes::{Reader, u32_at};
use crate::protocol::Verdict;

/// The first bit of a long header.
const LONG: u8 = 0x80;
/// Longest connection id of the versions that are opened.
pub(super) const CONNECTION_ID_BYTES: usize = 20;

/// What a long header is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
}

/// A packet with a long header, of a version that can be opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub kind: Kind,
    pub version: u32,
    /// At most [`CONNECTION_ID_BYTES`].
    pub destination: &'a [u8],
    /// The packet from its first byte to its last; of a Retry the rest of the datagram.
    pub bytes: &'a [u8],
    /// Where the protected packet number begins in `bytes`.
    pub number_at: usize,
}

/// The packets of a datagram that have long headers, up to the first that has none or that cannot
/// be read. One that is cut is left out, as it could not be opened.
pub(super) fn packets(datagram: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let packet = first_packet(rest)?;
        rest = rest.get(packet.bytes.len()..)?;
        Some(packet)
    })
}

fn first_packet(bytes: &[u8]) -> Option<Packet<'_>> {
    let mut reader = Reader::new(bytes);
    let first = reader.u8()?;
    let version = reader.u32()?;
    if first & LONG == 0 || !version::can_be_opened(version) {
        return None;
    }
    let destination = connection_id(&mut reader)?;
    connection_id(&mut reader)?;
    let kind = kind(first, version);
    if kind == Kind::Retry {
        return Some(Packet { kind, version, destination, bytes, number_at: reader.position() });
    }
    if kind == Kind::Initial {
        let token = varint(&mut reader)?;
        reader.skip(usize::try_from(token).ok()?)?;
    }
    let length = usize::try_from(varint(&mut reader)?).ok()?;
    let number_at = reader.position();
    let bytes = bytes.get(..number_at.checked_add(length)?)?;
    Some(Packet { kind, version, destination, bytes, number_at })
}

fn connection_id<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = usize::from(reader.u8()?);
    if length > CONNECTION_ID_BYTES {
        return None;
    }
    reader.take(length)
}

/// Version 2 numbers its packet types anew (RFC 9369 section 3.2).
const fn kind(first: u8, version: u32) -> Kind {
    let code = first >> 4 & 3;
    match if version == V2 { code.wrapping_sub(1) & 3 } else { code } {
        0 => Kind::Initial,
        1 => Kind::ZeroRtt,
        2 => Kind::Handshake,
        _ => Kind::Retry,
    }
}

/// A variable-length integer (RFC 9000 section 16).
pub(super) fn varint(reader: &mut Reader<'_>) -> Option<u64> {
    let first = reader.u8()?;
    let mut value = u64::from(first & 0x3f);
    for _ in 1..1_u8 << (first >> 6) {
        value = value << 8 | u64::from(reader.u8()?);
    }
    Some(value)
}

/// Whether `datagram` is QUIC: a long header of a known version, a version negotiation, or Google's
/// older form. A datagram is whole, so that the answer is never [`Verdict::Unsure`].
///
/// A short header says nothing that an observer could check.
pub fn identify(datagram: &[u8]) -> Verdict {
    let fits = match datagram.first() {
        None => None,
        Some(first) if first & LONG != 0 => long_header_fits(datagram),
        Some(_) => google_header_fits(datagram),
    };
    if fits.is_some() { Verdict::Yes } else { Verdict::No }
}

fn long_header_fits(datagram: &[u8]) -> Option<()> {
    let version = u32_at(datagram, 1)?;
    if version::is_google(version) {
        return Some(());
    }
    let mut reader = Reader::new(datagram);
    reader.skip(5)?;
    connection_id(&mut reader)?;
    connection_id(&mut reader)?;
    if version != 0 {
        return version::can_be_opened(version).then_some(());
    }
    // Version negotiation: nothing but versions, of which one is known.
    let versions = reader.rest();
    let (offered, odd) = versions.as_chunks::<4>();
    let known = offered.iter().any(|&version| version::is_known(u32::from_be_bytes(version)));
    (odd.is_empty() && known).then_some(())
}

/// Google's QUIC up to version Q043: flags (version and eight bytes of connection id), then the
/// connection id, then the version.
fn google_header_fits(datagram: &[u8]) -> Option<()> {
    let flags = *datagram.first()?;
    let version = u32_at(datagram, 9)?;
    (flags & 0x09 == 0x09 && flags & 0xc0 == 0 && version::is_google(version)).then_some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn reads_integers_of_every_length() {
        // The examples of RFC 9000 appendix A.1.
        let examples: [(&[u8], u64); 5] = [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ];
        for (bytes, value) in examples {
            assert_eq!(varint(&mut Reader::new(bytes)), Some(value));
            assert_eq!(varint(&mut Reader::new(&bytes[..bytes.len() - 1])), None);
        }
    }

    #[test]
    fn walks_the_packets_of_a_datagram() {
        let initial = |version| samples::long_header(version, Kind::Initial, &[7; 8], &[0, 0x40, 25], 25);
        let handshake = |version| samples::long_header(version, Kind::Handshake, &[7; 8], &[30], 30);
        for version in [1, V2, 0xff00_001d] {
            let datagram = [initial(version), handshake(version), vec![0x40; 20]].concat();
            let kinds: Vec<_> = packets(&datagram).map(|packet| packet.kind).collect();
            assert_eq!(kinds, [Kind::Initial, Kind::Handshake]);
            let first = packets(&datagram).next().unwrap();
            assert_eq!((first.destination, first.bytes), (&[7; 8][..], &initial(version)[..]));
            assert_eq!(first.number_at, first.bytes.len() - 25);
            assert_eq!(identify(&datagram), Verdict::Yes);
        }
        let cut = initial(1);
        assert_eq!(packets(&cut[..cut.len() - 1]).count(), 0);
    }

    #[test]
    fn tells_quic_of_any_age() {
        let negotiation = [&[0xca, 0, 0, 0, 0, 0, 2, 1, 2][..], &[0x1a, 0x2a, 0x3a, 0x4a]].concat();
        assert_eq!(identify(&negotiation), Verdict::Yes);
        assert_eq!(identify(&[&negotiation[..], &[0]].concat()), Verdict::No);
        assert_eq!(identify(b"\x0d\x01\x02\x03\x04\x05\x06\x07\x08Q039\x01"), Verdict::Yes);
        assert_eq!(identify(b"\xc3Q046\x50\x01\x02\x03\x04\x05\x06\x07\x08"), Verdict::Yes);
    }

    #[test]
    fn refuses_other_datagrams() {
        let others: [&[u8]; 6] = [
            b"",
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01",
            b"\xff\x03\x00\x21\x45\x00\x00\x1c\x00\x00\x00\x00",
            // A connection id longer than any.
            b"\xc0\x00\x00\x00\x01\x15abcdefghijklmnopqrstuvwxyz",
            b"\xc0\x00\x00\x00\x00\x00\x00",
            b"\x4d\x01\x02\x03\x04\x05\x06\x07\x08Q039\x01",
        ];
        for datagram in others {
            assert_eq!(identify(datagram), Verdict::No, "{datagram:02x?}");
        }
    }
}
