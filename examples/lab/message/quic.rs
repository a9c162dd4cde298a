//! QUIC's first packets (RFC 9000), protected with the Initial keys that anybody can derive (RFC 9001
//! section 5.2, RFC 9369 for version 2), and filler for all that only the peers can read.

use ring::aead;
use ring::hkdf;

use crate::random::Random;

/// A QUIC version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 9000.
    One,
    /// RFC 9369.
    Two,
}

/// Bytes of a datagram that carries a client's Initial (RFC 9000 section 14.1).
const DATAGRAM: usize = 1200;
/// Bytes of the authentication tag.
const TAG: usize = 16;

const SALT_1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc,
    0xbb, 0x7f, 0x0a,
];
const SALT_2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9,
    0xbd, 0x2e, 0xd9,
];

impl Version {
    fn number(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Two => 0x6b33_43cf,
        }
    }

    /// First byte of a long header, packet number length 1, before protection.
    fn first_byte(self, handshake: bool) -> u8 {
        match (self, handshake) {
            (Self::One, false) => 0xc0,
            (Self::One, true) => 0xe0,
            (Self::Two, false) => 0xd0,
            (Self::Two, true) => 0xf0,
        }
    }
}

/// The connection ids of one connection.
#[derive(Clone, Debug)]
pub struct Ids {
    /// What the client calls the server at first; the Initial keys follow from it.
    pub original: [u8; 8],
    /// The client's own.
    pub client: [u8; 8],
    /// The server's own.
    pub server: [u8; 8],
}

/// The client's Initial datagrams, `count` of them, the hello spread evenly over them.
pub fn client_datagrams(
    version: Version,
    ids: &Ids,
    hello: &[u8],
    count: usize,
) -> Result<Vec<Vec<u8>>, String> {
    let size = hello.len().div_ceil(count.max(1)).max(1);
    let mut datagrams = Vec::new();
    for (number, part) in hello.chunks(size).enumerate() {
        let payload = crypto_frame(number * size, part);
        let header = long_header(version, false, &ids.original, &ids.client);
        let packet = initial(version, "client in", ids, header, number as u8, payload, DATAGRAM)?;
        if packet.len() > DATAGRAM {
            return Err(format!(
                "a hello of {} bytes does not fit into {count} QUIC datagrams of {DATAGRAM}",
                hello.len()
            ));
        }
        datagrams.push(packet);
    }
    Ok(datagrams)
}

/// The server's first datagram: Initial with acknowledgement and hello, then a Handshake packet of filler.
pub fn server_datagram(
    version: Version,
    ids: &Ids,
    hello: &[u8],
    acknowledged: u8,
    random: &mut Random,
) -> Result<Vec<u8>, String> {
    // ACK: largest, delay 0, no further ranges, all of them.
    let mut payload = vec![0x02, acknowledged, 0, 0, acknowledged];
    payload.extend(crypto_frame(0, hello));
    let header = long_header(version, false, &ids.client, &ids.server);
    let mut datagram = initial(version, "server in", ids, header, 0, payload, 0)?;
    let mut handshake = long_header(version, true, &ids.client, &ids.server);
    let filler = DATAGRAM - datagram.len() - handshake.len() - 2;
    handshake.extend_from_slice(&varint_2(filler));
    handshake.extend(random.bytes(filler));
    datagram.extend(handshake);
    Ok(datagram)
}

/// A packet of the open connection: short header, the receiver's id, filler.
pub fn short_packet(receiver: &[u8; 8], length: usize, random: &mut Random) -> Vec<u8> {
    let mut packet = vec![0x40 | (random.next() as u8 & 0x3f)];
    packet.extend_from_slice(receiver);
    packet.extend(random.bytes(length));
    packet
}

/// The client's transport parameters: idle timeout, limits, and its connection id.
pub fn transport_parameters(ids: &Ids) -> Vec<u8> {
    let mut parameters = Vec::new();
    // Number, then length and value: max_idle_timeout 30 s, max data 1 MiB, streams 100.
    parameters.extend_from_slice(&[0x01, 4, 0x80, 0x00, 0x75, 0x30]);
    parameters.extend_from_slice(&[0x04, 4, 0x80, 0x10, 0x00, 0x00]);
    parameters.extend_from_slice(&[0x08, 2, 0x40, 0x64]);
    parameters.extend_from_slice(&[0x0f, 8]);
    parameters.extend_from_slice(&ids.client);
    parameters
}

fn long_header(version: Version, handshake: bool, target: &[u8; 8], source: &[u8; 8]) -> Vec<u8> {
    let mut header = vec![version.first_byte(handshake)];
    header.extend_from_slice(&version.number().to_be_bytes());
    header.push(8);
    header.extend_from_slice(target);
    header.push(8);
    header.extend_from_slice(source);
    if !handshake {
        // No token.
        header.push(0);
    }
    header
}

fn crypto_frame(offset: usize, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x06];
    frame.extend_from_slice(&varint_2(offset));
    frame.extend_from_slice(&varint_2(data.len()));
    frame.extend_from_slice(data);
    frame
}

/// A variable-length integer in two bytes (RFC 9000 section 16).
fn varint_2(value: usize) -> [u8; 2] {
    (0x4000 | value as u16).to_be_bytes()
}

/// Seals an Initial packet, padded so that the whole has `target` bytes.
fn initial(
    version: Version,
    label: &str,
    ids: &Ids,
    mut header: Vec<u8>,
    number: u8,
    mut payload: Vec<u8>,
    target: usize,
) -> Result<Vec<u8>, String> {
    let keys = Keys::derive(version, label, &ids.original).ok_or("the Initial keys cannot be derived")?;
    let overhead = header.len() + 2 + 1 + TAG;
    payload.resize(payload.len().max(target.saturating_sub(overhead)).max(4), 0);
    header.extend_from_slice(&varint_2(1 + payload.len() + TAG));
    let number_at = header.len();
    header.push(number);
    let mut nonce = keys.iv;
    nonce[11] ^= number;
    keys.seal
        .seal_in_place_append_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::from(&header),
            &mut payload,
        )
        .map_err(|_| "the Initial packet cannot be sealed")?;
    let mut packet = header;
    packet.extend(payload);
    // Header protection: the sample begins four bytes behind the start of the packet number.
    let sample = &packet[number_at + 4..number_at + 20];
    let mask = keys.protect.new_mask(sample).map_err(|_| "the header cannot be protected")?;
    packet[0] ^= mask[0] & 0x0f;
    packet[number_at] ^= mask[1];
    Ok(packet)
}

struct Keys {
    seal: aead::LessSafeKey,
    protect: aead::quic::HeaderProtectionKey,
    iv: [u8; 12],
}

impl Keys {
    fn derive(version: Version, side: &str, original: &[u8]) -> Option<Self> {
        let (salt, prefix) = match version {
            Version::One => (SALT_1, "quic"),
            Version::Two => (SALT_2, "quicv2"),
        };
        let initial = hkdf::Salt::new(hkdf::HKDF_SHA256, &salt).extract(original);
        let secret: [u8; 32] = expand(&initial, side)?;
        let secret = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &secret);
        let key: [u8; 16] = expand(&secret, &format!("{prefix} key"))?;
        let iv = expand(&secret, &format!("{prefix} iv"))?;
        let protection: [u8; 16] = expand(&secret, &format!("{prefix} hp"))?;
        Some(Self {
            seal: aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_128_GCM, &key).ok()?),
            protect: aead::quic::HeaderProtectionKey::new(&aead::quic::AES_128, &protection).ok()?,
            iv,
        })
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446 section 7.1).
fn expand<const N: usize>(secret: &hkdf::Prk, label: &str) -> Option<[u8; N]> {
    let label = format!("tls13 {label}");
    let mut info = (N as u16).to_be_bytes().to_vec();
    info.push(label.len() as u8);
    info.extend_from_slice(label.as_bytes());
    info.push(0);
    let mut out = [0; N];
    secret.expand(&[&info], Length(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_secret_gives_the_keys_of_rfc_9001_appendix_a() {
        let original = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
        let keys = Keys::derive(Version::One, "client in", &original).expect("keys");
        assert_eq!(keys.iv, [0xfa, 0x04, 0x4b, 0x2f, 0x42, 0xa3, 0xfd, 0x3b, 0x46, 0xfb, 0x25, 0x5c]);
    }

    #[test]
    fn a_client_datagram_has_the_size_that_the_rfc_asks_for() {
        let ids = Ids { original: [1; 8], client: [2; 8], server: [3; 8] };
        let datagrams = client_datagrams(Version::Two, &ids, &[7; 1500], 2).expect("datagrams");
        assert_eq!(datagrams.iter().map(Vec::len).collect::<Vec<_>>(), [DATAGRAM, DATAGRAM]);
        assert!(client_datagrams(Version::One, &ids, &[7; 1500], 1).is_err());
    }
}
