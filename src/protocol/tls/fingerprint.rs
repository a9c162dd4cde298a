//! JA3, JA3S and JA4: fingerprints of what a hello offers or chooses.
//!
//! JA3 hashes the values in their order, so that a client that shuffles its extensions has many; JA4
//! sorts them. Both leave GREASE out, JA4 among the signature algorithms too.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use ring::digest;

use super::is_grease;
use super::parser::{Transport, extension};

/// What a ClientHello offers, GREASE included.
#[derive(Debug, Default)]
pub(super) struct Offer<'a> {
    pub legacy_version: u16,
    pub ciphers: Vec<u16>,
    /// Extension types in wire order.
    pub extensions: Vec<u16>,
    pub groups: Vec<u16>,
    pub point_formats: &'a [u8],
    pub signature_algorithms: Vec<u16>,
    /// The values of supported_versions.
    pub versions: Vec<u16>,
    /// The first application protocol.
    pub alpn: Option<&'a [u8]>,
}

/// JA3's text: version, ciphers, extensions, groups and point formats in decimal.
pub(super) fn ja3_text(offer: &Offer<'_>) -> String {
    let mut text = String::with_capacity(256);
    write_decimals(&mut text, &[offer.legacy_version]);
    for list in [&offer.ciphers, &offer.extensions, &offer.groups] {
        text.push(',');
        write_decimals(&mut text, list);
    }
    text.push(',');
    let mut separator = "";
    for format in offer.point_formats {
        let _ = write!(text, "{separator}{format}");
        separator = "-";
    }
    text
}

/// JA3S's text: version, cipher and extensions in decimal.
pub(super) fn ja3s_text(version: u16, cipher: u16, extensions: &[u16]) -> String {
    let mut text = format!("{version},{cipher},");
    write_decimals(&mut text, extensions);
    text
}

fn write_decimals(text: &mut String, values: &[u16]) {
    let mut separator = "";
    for value in values.iter().filter(|&&value| !is_grease(value)) {
        let _ = write!(text, "{separator}{value}");
        separator = "-";
    }
}

/// MD5 of `text`, lower-case hex.
pub(super) fn md5_hex(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// JA4: a readable part, a hash over the sorted ciphers, a hash over the sorted extensions and the
/// signature algorithms in their order.
pub(super) fn ja4(offer: &Offer<'_>, transport: Transport) -> String {
    let real = |list: &[u16]| list.iter().copied().filter(|&value| !is_grease(value)).collect::<Vec<_>>();
    let mut ciphers = real(&offer.ciphers);
    let mut extensions = real(&offer.extensions);
    let algorithms = real(&offer.signature_algorithms);
    let count = |list: &[u16]| list.len().min(99);

    let mut out = String::with_capacity(36);
    let [first, last] = alpn_ends(offer.alpn);
    let _ = write!(
        out,
        "{}{}{}{:02}{:02}{first}{last}_",
        if transport == Transport::Quic { 'q' } else { 't' },
        version_code(offer),
        if extensions.contains(&extension::SERVER_NAME) { 'd' } else { 'i' },
        count(&ciphers),
        count(&extensions),
    );

    ciphers.sort_unstable();
    out.push_str(&hash12(&ciphers, &[]));
    out.push('_');
    extensions.retain(|kind| ![extension::SERVER_NAME, extension::ALPN].contains(kind));
    extensions.sort_unstable();
    out.push_str(&hash12(&extensions, &algorithms));
    out
}

/// JA4's two characters of the version: the numerically highest of supported_versions, a draft's
/// number too, which has no code then.
fn version_code(offer: &Offer<'_>) -> &'static str {
    let offered = offer.versions.iter().copied().filter(|&version| !is_grease(version)).max();
    match offered.unwrap_or(offer.legacy_version) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// JA4's two characters of the first application protocol: its ends, or the ends of its hex form
/// when one of them is no letter or digit.
fn alpn_ends(alpn: Option<&[u8]>) -> [char; 2] {
    let alpn = alpn.unwrap_or_default();
    let (Some(&first), Some(&last)) = (alpn.first(), alpn.last()) else { return ['0', '0'] };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [first.into(), last.into()];
    }
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    [digit(first >> 4), digit(last & 0x0f)]
}

/// The first twelve hex digits of the SHA-256 over `values`, then `_` and `tail`, as four-digit hex
/// joined by commas; zeros when there is nothing.
fn hash12(values: &[u16], tail: &[u16]) -> String {
    if values.is_empty() && tail.is_empty() {
        return "000000000000".into();
    }
    let mut text = String::with_capacity(5 * (values.len() + tail.len()));
    let mut write = |list: &[u16], mut separator: &'static str| {
        for value in list {
            let _ = write!(text, "{separator}{value:04x}");
            separator = ",";
        }
    };
    write(values, "");
    write(tail, "_");
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hex(hash.as_ref().get(..6).unwrap_or_default())
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<u16> {
        text.split(',').filter_map(|number| u16::from_str_radix(number, 16).ok()).collect()
    }

    /// The example of JA4's description.
    fn example() -> Offer<'static> {
        Offer {
            legacy_version: 0x0303,
            ciphers: numbers("1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"),
            extensions: numbers(
                "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015",
            ),
            signature_algorithms: numbers("0403,0804,0401,0503,0805,0501,0806,0601"),
            versions: vec![0x0304, 0x0303],
            alpn: Some(b"h2"),
            ..Offer::default()
        }
    }

    #[test]
    fn ja4_of_the_published_example() {
        let offer = example();
        assert_eq!(ja4(&offer, Transport::Tcp), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        let bare = Offer { signature_algorithms: Vec::new(), ..example() };
        assert_eq!(ja4(&bare, Transport::Quic), "q13d1516h2_8daaf6152771_6d807ffa2a79");
    }

    #[test]
    fn grease_changes_nothing_wherever_it_stands() {
        let mut offer = example();
        offer.groups = vec![29, 23];
        let (ja3, plain) = (ja3_text(&offer), ja4(&offer, Transport::Tcp));
        for list in [
            &mut offer.ciphers,
            &mut offer.extensions,
            &mut offer.groups,
            &mut offer.signature_algorithms,
            &mut offer.versions,
        ] {
            list.insert(0, 0xeaea);
            list.push(0x0a0a);
        }
        assert_eq!(ja3_text(&offer), ja3);
        assert_eq!(ja4(&offer, Transport::Tcp), plain);
    }

    #[test]
    fn an_empty_offer_has_zeros_for_hashes() {
        let offer = Offer { legacy_version: 0x0301, ..Offer::default() };
        assert_eq!(ja4(&offer, Transport::Tcp), "t10i000000_000000000000_000000000000");
        assert_eq!(ja3_text(&offer), "769,,,,");
    }

    #[test]
    fn alpn_ends_are_text_or_hex() {
        let ends = |alpn: &[u8]| alpn_ends(Some(alpn)).iter().collect::<String>();
        assert_eq!(ends(b"h2"), "h2");
        assert_eq!(ends(b"http/1.1"), "h1");
        assert_eq!(ends(b"x"), "xx");
        assert_eq!(ends(b"\xab"), "ab");
        assert_eq!(ends(b"\xab\xcd"), "ad");
        assert_eq!(ends(b"\x30\xab"), "3b");
        assert_eq!(ends(b""), "00");
    }

    #[test]
    fn counts_stop_at_99() {
        let offer = Offer { ciphers: (0x2000..0x2100).collect(), ..example() };
        assert_eq!(ja4(&offer, Transport::Tcp).get(..10), Some("t13d9916h2"));
    }

    #[test]
    fn ja3_of_a_known_text() {
        // The example of JA3's description.
        let offer = Offer {
            legacy_version: 769,
            ciphers: vec![47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
            extensions: vec![0, 10, 11],
            groups: vec![23, 24, 25],
            point_formats: &[0],
            ..Offer::default()
        };
        let text = ja3_text(&offer);
        assert_eq!(text, "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0");
        assert_eq!(md5_hex(&text), "ada70206e40642a3e4461f35503241d5");
    }
}
