//! JA3, JA3S and JA4: fingerprints of what a hello offers or chooses.
//!
//! JA3 hashes the values in their order, so that a client that shuffles its extensions has many; JA4
//! sorts them. Both leave GREASE out, JA4 among the signature algorithms too.
//!
//! A busy link has thousands of hellos in a second, so that no digit here goes through `core::fmt`.

use md5::{Digest as _, Md5};
use ring::digest;

use super::is_grease;
use super::parser::{Transport, extension};

/// What a ClientHello offers, GREASE included. Lists of 16-bit values are as on the wire: big-endian,
/// an odd byte at the end means nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer<'a> {
    pub transport: Transport,
    pub legacy_version: u16,
    /// The numerically highest of supported_versions, GREASE left out; without any the legacy version.
    pub version: u16,
    /// JA4's two characters of the first application protocol, see [`alpn_ends`].
    pub alpn: [u8; 2],
    pub ciphers: &'a [u8],
    /// Extension types in wire order.
    pub extensions: &'a [u8],
    pub groups: &'a [u8],
    pub point_formats: &'a [u8],
    pub signature_algorithms: &'a [u8],
}

/// JA3's text: version, ciphers, extensions, groups and point formats in decimal.
pub(super) fn ja3_text(offer: &Offer<'_>) -> String {
    let mut text = Vec::with_capacity(256);
    push_decimal(&mut text, offer.legacy_version);
    for list in [offer.ciphers, offer.extensions, offer.groups] {
        text.push(b',');
        push_decimals(&mut text, real(list));
    }
    text.push(b',');
    push_decimals(&mut text, offer.point_formats.iter().copied().map(u16::from));
    ascii(text)
}

/// JA3S's text: version, cipher and extensions (as on the wire) in decimal.
pub(super) fn ja3s_text(version: u16, cipher: u16, extensions: &[u8]) -> String {
    let mut text = Vec::with_capacity(64);
    push_decimal(&mut text, version);
    text.push(b',');
    push_decimal(&mut text, cipher);
    text.push(b',');
    push_decimals(&mut text, real(extensions));
    ascii(text)
}

/// MD5 of `text`, lower-case hex.
pub(super) fn md5_hex(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// JA4: a readable part, a hash over the sorted ciphers, a hash over the sorted extensions and the
/// signature algorithms in their order.
pub(super) fn ja4(offer: &Offer<'_>) -> String {
    let count = |list| real(list).count().min(99) as u8;
    let is_named = real(offer.extensions).any(|kind| kind == extension::SERVER_NAME);
    let mut out = Vec::with_capacity(36);
    out.push(if offer.transport == Transport::Quic { b'q' } else { b't' });
    out.extend_from_slice(version_code(offer.version));
    out.push(if is_named { b'd' } else { b'i' });
    for count in [count(offer.ciphers), count(offer.extensions)] {
        out.extend_from_slice(&[b'0' + count / 10, b'0' + count % 10]);
    }
    out.extend_from_slice(&offer.alpn);
    out.push(b'_');
    with_sorted(real(offer.ciphers), |ciphers| push_hash12(&mut out, ciphers, &[]));
    out.push(b'_');
    let hashed =
        real(offer.extensions).filter(|kind| ![extension::SERVER_NAME, extension::ALPN].contains(kind));
    with_sorted(hashed, |kinds| push_hash12(&mut out, kinds, offer.signature_algorithms));
    ascii(out)
}

/// JA4's two characters of a version; drafts have no code.
fn version_code(version: u16) -> &'static [u8; 2] {
    match version {
        0x0304 => b"13",
        0x0303 => b"12",
        0x0302 => b"11",
        0x0301 => b"10",
        0x0300 => b"s3",
        0x0002 => b"s2",
        0xfeff => b"d1",
        0xfefd => b"d2",
        0xfefc => b"d3",
        _ => b"00",
    }
}

/// JA4's two characters of the first application protocol: its ends, or the ends of its hex form
/// when one of them is no letter or digit.
pub(super) fn alpn_ends(alpn: Option<&[u8]>) -> [u8; 2] {
    let alpn = alpn.unwrap_or_default();
    let (Some(&first), Some(&last)) = (alpn.first(), alpn.last()) else { return *b"00" };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [first, last];
    }
    [digit(first >> 4), digit(last)]
}

/// Appends the first twelve hex digits of the SHA-256 over `values`, then `_` and `tail`, as four-digit
/// hex joined by commas; zeros when there is nothing. `tail` is as on the wire.
fn push_hash12(out: &mut Vec<u8>, values: &[u16], tail: &[u8]) {
    let mut hashed = Hashed::new();
    hashed.values(values.iter().copied(), b"");
    hashed.values(real(tail), b"_");
    match hashed.finish() {
        Some(hash) => hash.as_ref().iter().take(6).for_each(|&byte| push_hex(out, byte)),
        None => out.extend_from_slice(b"000000000000"),
    }
}

/// Text that is hashed while it is written; nearly every one ends before the buffer does.
struct Hashed {
    buffer: [u8; 512],
    filled: usize,
    /// Of what went before the buffer.
    before: Option<digest::Context>,
}

impl Hashed {
    fn new() -> Self {
        Self { buffer: [0; 512], filled: 0, before: None }
    }

    /// Writes values as four-digit hex joined by commas, with `front` before the first.
    fn values(&mut self, values: impl Iterator<Item = u16>, front: &[u8]) {
        let mut separator = front;
        for value in values {
            let [high, low] = value.to_be_bytes();
            self.write(separator);
            self.write(&[digit(high >> 4), digit(high), digit(low >> 4), digit(low)]);
            separator = b",";
        }
    }

    fn write(&mut self, text: &[u8]) {
        if self.filled + text.len() > self.buffer.len() {
            let before = self.before.get_or_insert_with(|| digest::Context::new(&digest::SHA256));
            before.update(self.buffer.get(..self.filled).unwrap_or_default());
            self.filled = 0;
        }
        if let Some(place) = self.buffer.get_mut(self.filled..self.filled + text.len()) {
            place.copy_from_slice(text);
            self.filled += text.len();
        }
    }

    /// The hash; `None` when nothing was written.
    fn finish(self) -> Option<digest::Digest> {
        let rest = self.buffer.get(..self.filled).unwrap_or_default();
        match self.before {
            Some(mut before) => {
                before.update(rest);
                Some(before.finish())
            }
            None => (!rest.is_empty()).then(|| digest::digest(&digest::SHA256, rest)),
        }
    }
}

/// Calls `each` with the values in order: on the stack, unless there are more than any client has.
fn with_sorted(values: impl Iterator<Item = u16> + Clone, each: impl FnOnce(&[u16])) {
    let mut few = [0; 96];
    let count = values.clone().count();
    let mut many = Vec::new();
    let sorted = match few.get_mut(..count) {
        Some(few) => {
            few.iter_mut().zip(values).for_each(|(place, value)| *place = value);
            few
        }
        None => {
            many.extend(values);
            many.as_mut_slice()
        }
    };
    sorted.sort_unstable();
    each(sorted);
}

/// The 16-bit values of a list, GREASE left out.
pub(super) fn real(list: &[u8]) -> impl Iterator<Item = u16> + Clone {
    list.as_chunks().0.iter().copied().map(u16::from_be_bytes).filter(|&value| !is_grease(value))
}

fn push_decimals(text: &mut Vec<u8>, values: impl Iterator<Item = u16>) {
    for (index, value) in values.enumerate() {
        if index > 0 {
            text.push(b'-');
        }
        push_decimal(text, value);
    }
}

fn push_decimal(text: &mut Vec<u8>, value: u16) {
    let digits = [value / 10_000, value / 1000 % 10, value / 100 % 10, value / 10 % 10, value % 10];
    let digits = digits.map(|digit| b'0' + digit as u8);
    let zeros = digits.iter().take(4).take_while(|&&digit| digit == b'0').count();
    text.extend_from_slice(digits.get(zeros..).unwrap_or_default());
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = Vec::with_capacity(2 * bytes.len());
    bytes.iter().for_each(|&byte| push_hex(&mut text, byte));
    ascii(text)
}

fn push_hex(text: &mut Vec<u8>, byte: u8) {
    text.extend_from_slice(&[digit(byte >> 4), digit(byte)]);
}

/// The hex digit of the lower four bits.
const fn digit(nibble: u8) -> u8 {
    match nibble & 0x0f {
        low @ 0..=9 => b'0' + low,
        high => b'a' + (high - 10),
    }
}

/// What was written here is ASCII, so that nothing is lost.
fn ascii(text: Vec<u8>) -> String {
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
#[path = "fingerprint_tests.rs"]
mod tests;
