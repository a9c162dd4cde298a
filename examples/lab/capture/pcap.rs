//! The pcap format (draft-ietf-opsawg-pcap).

use super::Frame;

/// Byte order, fineness and record form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Microseconds, little-endian: what tcpdump writes.
    Micro,
    /// Microseconds, big-endian.
    MicroBig,
    /// Nanoseconds, little-endian.
    Nano,
    /// Nanoseconds, big-endian.
    NanoBig,
    /// Microseconds, with the longer records of Kuznetzov's libpcap.
    Modified,
}

impl Variant {
    fn magic(self) -> u32 {
        match self {
            Self::Micro | Self::MicroBig => 0xa1b2_c3d4,
            Self::Nano | Self::NanoBig => 0xa1b2_3c4d,
            Self::Modified => 0xa1b2_cd34,
        }
    }

    fn is_big(self) -> bool {
        matches!(self, Self::MicroBig | Self::NanoBig)
    }

    fn is_nano(self) -> bool {
        matches!(self, Self::Nano | Self::NanoBig)
    }
}

/// The bytes of a file; frames longer than `snaplen` are cut.
pub fn write(variant: Variant, link: u16, snaplen: usize, frames: &[Frame]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let long = |bytes: &mut Vec<u8>, value: u32| {
        let value = if variant.is_big() { value.to_be_bytes() } else { value.to_le_bytes() };
        bytes.extend_from_slice(&value);
    };
    let short = |bytes: &mut Vec<u8>, value: u16| {
        let value = if variant.is_big() { value.to_be_bytes() } else { value.to_le_bytes() };
        bytes.extend_from_slice(&value);
    };
    long(&mut bytes, variant.magic());
    short(&mut bytes, 2);
    short(&mut bytes, 4);
    long(&mut bytes, 0);
    long(&mut bytes, 0);
    long(&mut bytes, snaplen as u32);
    long(&mut bytes, u32::from(link));
    for frame in frames {
        let kept = frame.bytes.len().min(snaplen);
        let fraction = frame.at.rem_euclid(1_000_000_000) / if variant.is_nano() { 1 } else { 1000 };
        long(&mut bytes, frame.at.div_euclid(1_000_000_000) as u32);
        long(&mut bytes, fraction as u32);
        long(&mut bytes, kept as u32);
        long(&mut bytes, frame.bytes.len() as u32);
        if variant == Variant::Modified {
            // Interface index, protocol, packet type and a byte of padding.
            long(&mut bytes, 2);
            short(&mut bytes, 0x0800);
            bytes.extend_from_slice(&[0, 0]);
        }
        bytes.extend_from_slice(&frame.bytes[..kept]);
    }
    bytes
}
