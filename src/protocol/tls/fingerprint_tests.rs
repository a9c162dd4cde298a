//! Tests of the fingerprints, kept apart for their length.

use super::*;

/// What an [`Offer`] borrows.
#[derive(Clone, Default)]
struct Lists {
    transport: Option<Transport>,
    legacy_version: u16,
    versions: Vec<u16>,
    ciphers: Vec<u16>,
    extensions: Vec<u16>,
    groups: Vec<u16>,
    point_formats: Vec<u8>,
    signature_algorithms: Vec<u16>,
    alpn: Option<Vec<u8>>,
}

impl Lists {
    fn ask<T>(&self, question: impl Fn(&Offer<'_>) -> T) -> T {
        let wire = |list: &[u16]| list.iter().flat_map(|value| value.to_be_bytes()).collect::<Vec<u8>>();
        let real_versions = self.versions.iter().copied().filter(|&version| !is_grease(version));
        question(&Offer {
            transport: self.transport.unwrap_or(Transport::Tcp),
            legacy_version: self.legacy_version,
            version: real_versions.max().unwrap_or(self.legacy_version),
            alpn: alpn_ends(self.alpn.as_deref()),
            ciphers: &wire(&self.ciphers),
            extensions: &wire(&self.extensions),
            groups: &wire(&self.groups),
            point_formats: &self.point_formats,
            signature_algorithms: &wire(&self.signature_algorithms),
        })
    }

    fn ja3_text(&self) -> String {
        self.ask(ja3_text)
    }

    fn ja4(&self) -> String {
        self.ask(ja4)
    }
}

fn numbers(text: &str) -> Vec<u16> {
    text.split(',').filter_map(|number| u16::from_str_radix(number, 16).ok()).collect()
}

/// The example of JA4's description.
fn example() -> Lists {
    Lists {
        legacy_version: 0x0303,
        ciphers: numbers("1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"),
        extensions: numbers(
            "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015",
        ),
        signature_algorithms: numbers("0403,0804,0401,0503,0805,0501,0806,0601"),
        versions: vec![0x0304, 0x0303],
        alpn: Some(b"h2".to_vec()),
        ..Lists::default()
    }
}

#[test]
fn ja4_of_the_published_example() {
    let offer = example();
    assert_eq!(offer.ja4(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    let quic = Some(Transport::Quic);
    let bare = Lists { transport: quic, signature_algorithms: Vec::new(), ..example() };
    assert_eq!(bare.ja4(), "q13d1516h2_8daaf6152771_6d807ffa2a79");
}

#[test]
fn grease_changes_nothing_wherever_it_stands() {
    let mut offer = example();
    offer.groups = vec![29, 23];
    let (ja3, plain) = (offer.ja3_text(), offer.ja4());
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
    assert_eq!(offer.ja3_text(), ja3);
    assert_eq!(offer.ja4(), plain);
}

#[test]
fn an_empty_offer_has_zeros_for_hashes() {
    let offer = Lists { legacy_version: 0x0301, ..Lists::default() };
    assert_eq!(offer.ja4(), "t10i000000_000000000000_000000000000");
    assert_eq!(offer.ja3_text(), "769,,,,");
}

#[test]
fn alpn_ends_are_text_or_hex() {
    let ends = |alpn: &[u8]| String::from_utf8_lossy(&alpn_ends(Some(alpn))).into_owned();
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
    let offer = Lists { ciphers: (0x2000..0x2100).collect(), ..example() };
    assert_eq!(offer.ja4().get(..10), Some("t13d9916h2"));
}

#[test]
fn ja3_of_a_known_text() {
    // The example of JA3's description.
    let offer = Lists {
        legacy_version: 769,
        ciphers: vec![47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
        extensions: vec![0, 10, 11],
        groups: vec![23, 24, 25],
        point_formats: vec![0],
        ..Lists::default()
    };
    let text = offer.ja3_text();
    assert_eq!(text, "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0");
    assert_eq!(md5_hex(&text), "ada70206e40642a3e4461f35503241d5");
}

/// The definitions of both fingerprints, written down as plainly as `format!` allows.
fn written_plainly(lists: &Lists) -> (String, String) {
    let real = |list: &[u16]| list.iter().copied().filter(|&value| !is_grease(value)).collect::<Vec<_>>();
    let decimals = |list: &[u16]| list.iter().map(u16::to_string).collect::<Vec<_>>().join("-");
    let hexadecimal =
        |list: &[u16]| list.iter().map(|value| format!("{value:04x}")).collect::<Vec<_>>().join(",");
    let formats = lists.point_formats.iter().map(u8::to_string).collect::<Vec<_>>().join("-");
    let (mut ciphers, mut extensions) = (real(&lists.ciphers), real(&lists.extensions));
    let ja3 = format!(
        "{},{},{},{},{formats}",
        lists.legacy_version,
        decimals(&ciphers),
        decimals(&extensions),
        decimals(&real(&lists.groups)),
    );
    let hash = |text: &str| match text {
        "" => "0".repeat(12),
        text => digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    };
    let readable = format!(
        "{}{}{}{:02}{:02}{}",
        if lists.transport == Some(Transport::Quic) { "q" } else { "t" },
        String::from_utf8_lossy(version_code(
            real(&lists.versions).into_iter().max().unwrap_or(lists.legacy_version)
        )),
        if extensions.contains(&0) { "d" } else { "i" },
        ciphers.len().min(99),
        extensions.len().min(99),
        String::from_utf8_lossy(&alpn_ends(lists.alpn.as_deref())),
    );
    ciphers.sort_unstable();
    extensions.retain(|kind| ![0, 16].contains(kind));
    extensions.sort_unstable();
    let algorithms = hexadecimal(&real(&lists.signature_algorithms));
    let mut second = hexadecimal(&extensions);
    if !algorithms.is_empty() {
        second = format!("{second}_{algorithms}");
    }
    (ja3, format!("{readable}_{}_{}", hash(&hexadecimal(&ciphers)), hash(&second)))
}

#[test]
fn any_offer_is_written_as_plain_formatting_would() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) % bound
    };
    for case in 0..3000 {
        // Beyond 96 values and 512 characters other paths are taken.
        let longest = if case % 10 == 0 { 400 } else { 30 };
        let mut list = || {
            let count = next(longest);
            // Small values, those that have a meaning, GREASE, and any.
            let values = (0..count).map(|_| match next(4) {
                0 => next(20) as u16,
                1 => 0x1301 + next(5) as u16,
                2 => 0x0a0a + 0x1010 * next(16) as u16,
                _ => next(1 << 16) as u16,
            });
            values.collect::<Vec<u16>>()
        };
        let lists = Lists {
            transport: (case % 2 == 0).then_some(Transport::Quic),
            legacy_version: list().first().copied().unwrap_or(0x0303),
            versions: list(),
            ciphers: list(),
            extensions: list(),
            groups: list(),
            point_formats: list().into_iter().map(|value| value as u8).collect(),
            signature_algorithms: list(),
            alpn: list().first().map(|value| value.to_be_bytes().to_vec()),
        };
        let (ja3, ja4) = written_plainly(&lists);
        assert_eq!(lists.ja3_text(), ja3);
        assert_eq!(lists.ja4(), ja4);
    }
}
