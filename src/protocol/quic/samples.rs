//! Packets for tests, protected as a client protects them.

use super::initial::InitialKeys;
use super::packet::Kind;
use super::version::V2;

/// The connection id of appendix A of RFC 9001 and RFC 9369.
pub(super) const RFC_CONNECTION_ID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

/// The payload of appendix A.2 of both: one CRYPTO frame, padded to 1162 bytes.
pub(super) fn rfc_payload() -> Vec<u8> {
    let mut payload = hex("060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868\
         04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578\
         616d706c652e636f6dff01000100000a00080006001d00170018001000070005\
         04616c706e000500050100000000003300260024001d00209370b2c9caa47fba\
         baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400\
         0d0010000e0403050306030203080408050806002d00020101001c0002400100\
         3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000\
         75300901100f088394c8f03e51570806048000ffff");
    payload.resize(1162, 0);
    payload
}

/// Bytes from hex digits.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).expect("hex") as u8;
    text.as_bytes().as_chunks::<2>().0.iter().map(|&[high, low]| digit(high) << 4 | digit(low)).collect()
}

fn first_byte(version: u32, kind: Kind, number_bytes: usize) -> u8 {
    let code = match kind {
        Kind::Initial => 0,
        Kind::ZeroRtt => 1,
        Kind::Handshake => 2,
        Kind::Retry => 3,
    };
    let code = if version == V2 { (code + 1) & 3 } else { code };
    0xc0 | code << 4 | (number_bytes as u8 - 1)
}

/// A packet with no source id, what `fields` holds after the ids, and `body` bytes of filler.
pub(super) fn long_header(version: u32, kind: Kind, id: &[u8], fields: &[u8], body: usize) -> Vec<u8> {
    let ids = [&[id.len() as u8][..], id, &[0]].concat();
    let filler = vec![0x5a; body];
    [&[first_byte(version, kind, 1)][..], &version.to_be_bytes(), &ids, fields, &filler].concat()
}

/// A client's Initial packet to `destination`, protected with the keys of `origin`, its packet number
/// in four bytes.
pub(super) fn initial_packet(
    version: u32,
    origin: &[u8],
    destination: &[u8],
    token: &[u8],
    number: u32,
    frames: &[u8],
) -> Vec<u8> {
    numbered_packet(version, origin, destination, token, (number, 4), frames)
}

/// The same with the packet number in as many bytes as are said.
pub(super) fn numbered_packet(
    version: u32,
    origin: &[u8],
    destination: &[u8],
    token: &[u8],
    (number, number_bytes): (u32, usize),
    frames: &[u8],
) -> Vec<u8> {
    let length = (number_bytes + frames.len() + 16) as u16 | 0x4000;
    let header = [
        &[first_byte(version, Kind::Initial, number_bytes)][..],
        &version.to_be_bytes(),
        &[destination.len() as u8],
        destination,
        &[0],
        &[token.len() as u8],
        token,
        &length.to_be_bytes(),
        &number.to_be_bytes()[4 - number_bytes..],
    ]
    .concat();
    // Of a reserved version, the keys that are tried last.
    let keys = InitialKeys::client(version, origin).last().expect("version");
    keys.seal(&header, number.into(), number_bytes, frames)
}

/// A CRYPTO frame.
pub(super) fn crypto(offset: usize, data: &[u8]) -> Vec<u8> {
    let varint = |value: usize| (value as u32 | 0x8000_0000).to_be_bytes();
    [&[6][..], &varint(offset), &varint(data.len()), data].concat()
}
