//! Opening the client's Initial packets. Their keys come from the connection id that the client
//! chose, which stands in clear: the protection keeps out noise, not observers (RFC 9001 section 5).

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey, quic};
use ring::hkdf;

use super::packet::Packet;
use super::version::{self, Derivation};

/// The keys that one side's Initial packets are protected with.
pub(super) struct InitialKeys {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    header: quic::HeaderProtectionKey,
}

/// Bytes of ciphertext that header protection is computed from (RFC 9001 section 5.4.2).
const SAMPLE_BYTES: usize = 16;

impl InitialKeys {
    /// The keys that may be the client's, from the destination connection id of its first packet;
    /// none for a version that cannot be opened, more than one for a reserved version.
    pub(super) fn client(version: u32, destination: &[u8]) -> impl Iterator<Item = Self> {
        let derivations = version::derivations(version).iter();
        derivations.filter_map(move |derivation| Self::of_side(derivation, destination, b"client in"))
    }

    fn of_side(derivation: &Derivation, destination: &[u8], side: &[u8]) -> Option<Self> {
        let initial = hkdf::Salt::new(hkdf::HKDF_SHA256, &derivation.salt).extract(destination);
        let secret: [u8; 32] = expand_label(&initial, side)?;
        let secret = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &secret);
        let key: [u8; 16] = expand_label(&secret, derivation.key)?;
        let header: [u8; 16] = expand_label(&secret, derivation.hp)?;
        Some(Self {
            key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?),
            iv: expand_label(&secret, derivation.iv)?,
            header: quic::HeaderProtectionKey::new(&quic::AES_128, &header).ok()?,
        })
    }

    /// The packet number and the frames of `packet`, opened inside `space`; `None` when the keys are
    /// not its keys or its bytes were changed. `expected` is the number after the largest one seen.
    pub(super) fn open<'s>(
        &self,
        packet: &Packet<'_>,
        expected: u64,
        space: &'s mut Vec<u8>,
    ) -> Option<(u64, &'s [u8])> {
        space.clear();
        space.extend_from_slice(packet.bytes);
        let sample_at = packet.number_at.checked_add(4)?;
        let sample = packet.bytes.get(sample_at..sample_at.checked_add(SAMPLE_BYTES)?)?;
        let [first_mask, number_mask @ ..] = self.header.new_mask(sample).ok()?;
        let first = space.first_mut()?;
        *first ^= first_mask & 0x0f;
        let number_bytes = usize::from(*first & 3) + 1;
        let body_at = packet.number_at.checked_add(number_bytes)?;
        let mut truncated = 0;
        for (byte, mask) in space.get_mut(packet.number_at..body_at)?.iter_mut().zip(number_mask) {
            *byte ^= mask;
            truncated = truncated << 8 | u64::from(*byte);
        }
        let number = full_number(truncated, number_bytes as u32 * 8, expected);
        let (header, body) = space.split_at_mut_checked(body_at)?;
        let frames = self.key.open_in_place(self.nonce(number), Aad::from(&*header), body).ok()?;
        Some((number, frames))
    }

    fn nonce(&self, number: u64) -> Nonce {
        let mut nonce = self.iv;
        // The number stands right-aligned in the nonce.
        nonce.iter_mut().rev().zip(number.to_le_bytes()).for_each(|(to, from)| *to ^= from);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// The packet number nearest to `expected` that ends in the `bits` of `truncated` (RFC 9000 appendix
/// A.3).
fn full_number(truncated: u64, bits: u32, expected: u64) -> u64 {
    let window = 1_u64 << bits;
    let candidate = expected & !(window - 1) | truncated;
    if candidate + window / 2 <= expected && candidate < (1 << 62) - window {
        candidate + window
    } else if candidate > expected + window / 2 && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

/// HKDF-Expand-Label without a context (RFC 8446 section 7.1).
fn expand_label<const N: usize>(secret: &hkdf::Prk, label: &[u8]) -> Option<[u8; N]> {
    const PREFIX: &[u8] = b"tls13 ";
    let length = [0, N as u8];
    let label_length = [(PREFIX.len() + label.len()) as u8];
    let info = [&length[..], &label_length, PREFIX, label, &[0]];
    let mut out = [0; N];
    secret.expand(&info, Length(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

/// An output length, as ring wants to be told it.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use super::super::packet::packets;
    use super::super::samples::{RFC_CONNECTION_ID, hex, initial_packet, rfc_payload};
    use super::super::version::V2;
    use super::*;

    impl InitialKeys {
        /// Protects a packet whose header ends in the packet number of `number_bytes` bytes.
        pub(in super::super) fn seal(
            &self,
            header: &[u8],
            number: u64,
            number_bytes: usize,
            frames: &[u8],
        ) -> Vec<u8> {
            let mut body = frames.to_vec();
            self.key.seal_in_place_append_tag(self.nonce(number), Aad::from(header), &mut body).unwrap();
            let sample = &body[4 - number_bytes..][..SAMPLE_BYTES];
            let [first, mask @ ..] = self.header.new_mask(sample).unwrap();
            let mut packet = [header, &body].concat();
            packet[0] ^= first & 0x0f;
            let number_at = header.len() - number_bytes;
            packet[number_at..header.len()].iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            packet
        }
    }

    #[test]
    fn derives_the_keys_of_the_specifications() {
        // RFC 9001 and RFC 9369, appendix A.1 of both: secret, key, iv, hp of the client.
        let samples = [
            (
                1,
                "1f369613dd76d5467730efcbe3b1a22d",
                "fa044b2f42a3fd3b46fb255c",
                "9f50449e04a0e810283a1e9933adedd2",
            ),
            (
                V2,
                "8b1a0bc121284290a29e0971b5cd045d",
                "91f73e2351d8fa91660e909f",
                "45b95e15235d6f45a6b19cbcb0294ba9",
            ),
        ];
        for (version, key, iv, hp) in samples {
            let derivation = version::derivations(version)[0];
            let initial = hkdf::Salt::new(hkdf::HKDF_SHA256, &derivation.salt).extract(&RFC_CONNECTION_ID);
            let secret: [u8; 32] = expand_label(&initial, b"client in").unwrap();
            if version == 1 {
                assert_eq!(
                    secret[..],
                    hex("c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea")
                );
            }
            let secret = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &secret);
            assert_eq!(expand_label::<16>(&secret, derivation.key).unwrap()[..], hex(key));
            assert_eq!(expand_label::<12>(&secret, derivation.iv).unwrap()[..], hex(iv));
            assert_eq!(expand_label::<16>(&secret, derivation.hp).unwrap()[..], hex(hp));
        }
    }

    #[test]
    fn protects_and_opens_the_packets_of_the_specifications() {
        // RFC 9001 and RFC 9369, appendix A.2 of both: header and last bytes of the client's packet,
        // which the tag makes depend on every byte between.
        let samples = [
            (
                1,
                "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11",
                "e221af44860018ab0856972e194cd934",
            ),
            (
                V2,
                "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485",
                "a18b2faa745b6fe189cf772a9f84cbfc",
            ),
        ];
        for (version, start, end) in samples {
            let packet =
                initial_packet(version, &RFC_CONNECTION_ID, &RFC_CONNECTION_ID, &[], 2, &rfc_payload());
            assert_eq!(packet.len(), 1200);
            assert_eq!(packet[..32], hex(start));
            assert_eq!(packet[1184..], hex(end));

            let keys = InitialKeys::client(version, &RFC_CONNECTION_ID).next().unwrap();
            let view = packets(&packet).next().unwrap();
            let mut space = Vec::new();
            assert_eq!(keys.open(&view, 0, &mut space), Some((2, &rfc_payload()[..])));
            let other = InitialKeys::client(version, b"another1").next().unwrap();
            assert_eq!(other.open(&view, 0, &mut space), None);
        }
    }

    #[test]
    fn packet_numbers_are_completed_around_the_expected_one() {
        // The example of RFC 9000 appendix A.3.
        assert_eq!(full_number(0x9b32, 16, 0xa82f_30eb), 0xa82f_9b32);
        assert_eq!(full_number(0, 8, 0), 0);
        assert_eq!(full_number(0, 8, 0x17f), 0x100);
        assert_eq!(full_number(0, 8, 0x180), 0x200);
        assert_eq!(full_number(0xff, 8, 0x100), 0xff);
        assert_eq!(full_number(0x01, 8, 0xff), 0x101);
        assert_eq!(full_number(0xffff_ffff, 32, 0), 0xffff_ffff);
    }
}
