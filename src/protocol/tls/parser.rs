//! Pure views of the three handshake messages that say something: ClientHello, ServerHello, Certificate.
//!
//! Each takes the message with its four bytes of handshake header, whose length tells whether the
//! message is whole. All are lax: one that ends early gives the fields that stood before the break.

use super::fingerprint::{alpn_ends, real};
use super::on_demand::{Fingerprints, KeptOffer, ServerFingerprint};
use super::{Certificate, ClientHello, ServerHello, certificate};
use crate::bytes::{Reader, u16_at};
use crate::limits::{CERTIFICATES, TEXT_BYTES, TLS_ALPN};

/// What carries the handshake: JA4's first letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TLS records over TCP.
    Tcp,
    /// CRYPTO frames of QUIC.
    Quic,
}

/// Extension types (IANA "TLS ExtensionType Values").
pub(super) mod extension {
    pub(in super::super) const SERVER_NAME: u16 = 0;
    pub(in super::super) const SUPPORTED_GROUPS: u16 = 10;
    pub(in super::super) const EC_POINT_FORMATS: u16 = 11;
    pub(in super::super) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(in super::super) const ALPN: u16 = 16;
    pub(in super::super) const SUPPORTED_VERSIONS: u16 = 43;
    pub(in super::super) const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

    /// One bit for each whose content is read in a ClientHello, 0 for others.
    pub(super) const fn read_bit(kind: u16) -> u8 {
        match kind {
            SERVER_NAME => 1,
            SUPPORTED_GROUPS => 1 << 1,
            EC_POINT_FORMATS => 1 << 2,
            SIGNATURE_ALGORITHMS => 1 << 3,
            ALPN => 1 << 4,
            SUPPORTED_VERSIONS => 1 << 5,
            ENCRYPTED_CLIENT_HELLO => 1 << 6,
            _ => 0,
        }
    }
}

/// The random that makes a ServerHello a HelloRetryRequest: SHA-256 of "HelloRetryRequest"
/// (RFC 8446 section 4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Handshake message types (RFC 8446 section 4, RFC 5246 section 7.4).
pub(super) mod message_kind {
    pub(in super::super) const CLIENT_HELLO: u8 = 1;
    pub(in super::super) const SERVER_HELLO: u8 = 2;
    pub(in super::super) const CERTIFICATE: u8 = 11;
    pub(in super::super) const SERVER_HELLO_DONE: u8 = 14;
}

/// Reads a ClientHello (RFC 8446 section 4.1.2; older ones have the same form).
///
/// `None` when it is another message, or when not even the version and the random are there.
pub fn parse_client_hello(message: &[u8], transport: Transport) -> Option<ClientHello> {
    let (mut reader, all_there) = open(message, message_kind::CLIENT_HELLO)?;
    let legacy_version = reader.u16()?;
    reader.skip(32)?;

    let mut hello = ClientHello { legacy_version, version: legacy_version, ..ClientHello::default() };
    match read_offer(reader, transport, &mut hello).filter(|_| all_there) {
        Some(offer) => hello.fingerprints = Fingerprints::of(offer),
        None => hello.cut = true,
    }
    Some(hello)
}

/// A cursor over the body of a message of type `kind`, and whether the body is as long as its header
/// says. What follows the message is left out.
fn open(message: &[u8], kind: u8) -> Option<(Reader<'_>, bool)> {
    let mut reader = Reader::new(message);
    if reader.u8()? != kind {
        return None;
    }
    let declared = reader.u24()? as usize;
    let body = reader.take_up_to(declared);
    Some((Reader::new(body), body.len() == declared))
}

/// Whether [`parse_client_hello`] gives anything.
pub(super) fn is_client_hello(message: &[u8]) -> bool {
    open(message, message_kind::CLIENT_HELLO).is_some_and(|(reader, _)| reader.remaining() >= 2 + 32)
}

/// What of a ClientHello most of its readers want, as [`parse_client_hello`] gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HelloOutline<'a> {
    /// See [`ClientHello::sni`].
    pub sni: Option<&'a [u8]>,
    /// See [`ClientHello::ech`].
    pub ech: bool,
}

impl<'a> HelloOutline<'a> {
    /// Reads no more of a ClientHello than that; `None` when it is none.
    pub fn of(message: &'a [u8]) -> Option<Self> {
        let (mut reader, _) = open(message, message_kind::CLIENT_HELLO)?;
        reader.skip(2 + 32)?;
        let mut outline = Self::default();
        let Some((_, mut extensions, _)) = extensions_of(reader) else { return Some(outline) };
        let mut seen = 0_u8;
        while let Some((kind, data)) = next_extension(&mut extensions) {
            let bit = extension::read_bit(kind);
            match kind {
                _ if bit & !seen == 0 => {}
                extension::SERVER_NAME => outline.sni = host_name(data),
                extension::ENCRYPTED_CLIENT_HELLO => outline.ech = data.first() == Some(&0),
                _ => {}
            }
            seen |= bit;
        }
        Some(outline)
    }
}

/// The ciphers of a hello, read from behind its random, and its extensions: none where it could end before them, and
/// whether they are all there. `None` where the bytes end too early.
fn extensions_of(mut reader: Reader<'_>) -> Option<(&[u8], Reader<'_>, bool)> {
    let session_id = reader.u8()?;
    reader.skip(session_id.into())?;
    let ciphers = reader.u16()?;
    let ciphers = reader.take(ciphers.into())?;
    let compressions = reader.u8()?;
    reader.skip(compressions.into())?;
    if reader.is_empty() {
        // Before TLS 1.2 a hello could end here.
        return Some((ciphers, reader, true));
    }
    let declared = usize::from(reader.u16()?);
    let extensions = Reader::new(reader.take_up_to(declared));
    let whole = extensions.remaining() == declared;
    Some((ciphers, extensions, whole))
}

/// The next extension's type and data; `None` at the end, and where the bytes end too early.
fn next_extension<'a>(extensions: &mut Reader<'a>) -> Option<(u16, &'a [u8])> {
    let kind = extensions.u16()?;
    let length = extensions.u16()?;
    Some((kind, extensions.take(length.into())?))
}

/// Reads what stands after the random; `None` where the bytes end too early.
fn read_offer(reader: Reader<'_>, transport: Transport, hello: &mut ClientHello) -> Option<KeptOffer> {
    let (ciphers, mut extensions, whole) = extensions_of(reader)?;
    let mut offer = KeptOffer::new(transport, hello.legacy_version, ciphers);
    let (mut groups, mut point_formats, mut signature_algorithms) = (&[][..], &[][..], &[][..]);
    // Of an extension that stands twice, which no client sends, the first counts.
    let mut seen = 0_u8;
    while !extensions.is_empty() {
        let (kind, data) = next_extension(&mut extensions)?;
        offer.push_extension(kind);
        let bit = extension::read_bit(kind);
        if bit & !seen == 0 {
            continue;
        }
        seen |= bit;
        // Inner lengths are checked by what fits: a list that lies ends early.
        match kind {
            extension::SERVER_NAME => hello.sni = host_name(data).map(<[u8]>::to_vec),
            extension::SUPPORTED_GROUPS => groups = list16(data),
            extension::EC_POINT_FORMATS => point_formats = list8(data),
            extension::SIGNATURE_ALGORITHMS => signature_algorithms = list16(data),
            extension::SUPPORTED_VERSIONS => {
                let versions = list8(data);
                hello.version = highest_version(real(versions)).unwrap_or(hello.legacy_version);
                offer.version = real(versions).max().unwrap_or(hello.legacy_version);
            }
            extension::ALPN => {
                offer.alpn = alpn_ends(protocols(data).next());
                hello.alpn = protocols(data).take(TLS_ALPN).map(<[u8]>::to_vec).collect();
            }
            // The first byte tells the outer hello, 0, from the inner one, which is never in clear.
            extension::ENCRYPTED_CLIENT_HELLO => hello.ech = data.first() == Some(&0),
            _ => {}
        }
    }
    offer.close(groups, point_formats, signature_algorithms);
    whole.then_some(offer)
}

/// Reads a ServerHello (RFC 8446 section 4.1.3). The drafts of TLS 1.3 before the 22nd had neither
/// session id nor compression.
///
/// `None` when it is another message, or when the cipher suite is not there.
pub fn parse_server_hello(message: &[u8]) -> Option<ServerHello> {
    let mut extensions = Vec::with_capacity(16);
    let mut alpn = None;
    let answer = read_answer(message, |kind, data| {
        extensions.extend_from_slice(&kind.to_be_bytes());
        if kind == extension::ALPN {
            alpn = protocols(data).next().map(<[u8]>::to_vec);
        }
    })?;
    let Answer { legacy_version, version, cipher, retry, cut } = answer;
    let mut hello = ServerHello { version, cipher, alpn, retry, cut, ..ServerHello::default() };
    if !cut {
        hello.fingerprint = ServerFingerprint::of(legacy_version, cipher, extensions);
    }
    Some(hello)
}

/// What a ServerHello decides for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    legacy_version: u16,
    /// See [`ServerHello::version`].
    pub version: u16,
    cipher: u16,
    /// See [`ServerHello::retry`].
    pub retry: bool,
    cut: bool,
}

/// Reads a ServerHello and gives each extension's type and data to `each`.
pub(super) fn read_answer(message: &[u8], mut each: impl FnMut(u16, &[u8])) -> Option<Answer> {
    let (mut reader, all_there) = open(message, message_kind::SERVER_HELLO)?;
    let legacy_version = reader.u16()?;
    let random = reader.array::<32>()?;
    let early_draft = (0x7f00..0x7f16).contains(&legacy_version);
    if !early_draft {
        let session_id = reader.u8()?;
        reader.skip(session_id.into())?;
    }
    let cipher = reader.u16()?;
    let mut version = legacy_version;
    let whole = (early_draft || reader.skip(1).is_some())
        && read_answer_extensions(reader, |kind, data| {
            if kind == extension::SUPPORTED_VERSIONS {
                version = u16_at(data, 0).unwrap_or(version);
            }
            each(kind, data);
        })
        .is_some();
    let cut = !whole || !all_there;
    Some(Answer { legacy_version, version, cipher, retry: random == RETRY_RANDOM, cut })
}

/// Reads a ServerHello's extensions; `None` where the bytes end too early.
fn read_answer_extensions<'a>(mut reader: Reader<'a>, mut each: impl FnMut(u16, &'a [u8])) -> Option<()> {
    if reader.is_empty() {
        return Some(());
    }
    let declared = usize::from(reader.u16()?);
    let mut extensions = Reader::new(reader.take_up_to(declared));
    let whole = extensions.remaining() == declared;
    while !extensions.is_empty() {
        let (kind, data) = next_extension(&mut extensions)?;
        each(kind, data);
    }
    whole.then_some(())
}

/// Reads a Certificate message of TLS 1.2 and older (RFC 5246 section 7.4.2): the sender's own
/// certificate first, at most [`CERTIFICATES`], and only those that are there whole.
pub fn parse_certificates(message: &[u8]) -> Vec<Certificate> {
    let Some((mut reader, _)) = open(message, message_kind::CERTIFICATE) else { return Vec::new() };
    let Some(length) = reader.u24() else { return Vec::new() };
    let mut list = Reader::new(reader.take_up_to(length as usize));
    std::iter::from_fn(|| {
        let length = list.u24()?;
        list.take(length as usize)
    })
    .take(CERTIFICATES)
    .map(certificate::parse_certificate)
    .collect()
}

/// The first entry of type `host_name` in a server_name extension (RFC 6066 section 3).
fn host_name(data: &[u8]) -> Option<&[u8]> {
    let mut list = Reader::new(data);
    list.skip(2)?;
    loop {
        let kind = list.u8()?;
        let length = list.u16()?;
        let name = list.take(length.into())?;
        if kind == 0 {
            return Some(name.get(..TEXT_BYTES).unwrap_or(name));
        }
    }
}

/// The names in an ALPN extension (RFC 7301 section 3.1).
fn protocols(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut list = Reader::new(data.get(2..).unwrap_or_default());
    std::iter::from_fn(move || {
        let length = list.u8()?;
        list.take(length.into())
    })
}

/// The body of a list whose length stands before it in two bytes.
fn list16(data: &[u8]) -> &[u8] {
    let mut reader = Reader::new(data);
    let length = reader.u16().unwrap_or_default();
    reader.take_up_to(length.into())
}

/// The body of a list whose length stands before it in one byte.
fn list8(data: &[u8]) -> &[u8] {
    let mut reader = Reader::new(data);
    let length = reader.u8().unwrap_or_default();
    reader.take_up_to(length.into())
}

/// The highest of the versions offered; a draft of TLS 1.3 stands below TLS 1.3 itself, whatever its number.
fn highest_version(versions: impl Iterator<Item = u16>) -> Option<u16> {
    let rank = |version: u16| if version > 0x0304 && super::is_tls13(version) { 0x0303 } else { version };
    versions.max_by_key(|&version| (rank(version), version))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::samples::{self, HelloBuilder};
    use super::*;

    #[test]
    fn reads_every_field_of_a_hello() {
        let message = HelloBuilder::browser(b"runner.example").message();
        let hello = parse_client_hello(&message, Transport::Tcp).unwrap();
        assert_eq!(hello.sni.as_deref(), Some(&b"runner.example"[..]));
        assert_eq!(hello.alpn, [b"h2".to_vec(), b"http/1.1".to_vec()]);
        assert_eq!((hello.legacy_version, hello.version), (0x0303, 0x0304));
        assert!(!hello.ech && !hello.cut);
        // The example of JA4's own description has these ciphers, extensions and algorithms.
        assert_eq!(hello.ja4(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        assert_eq!(parse_client_hello(&message, Transport::Quic).unwrap().ja4().get(..1), Some("q"));
    }

    #[test]
    fn a_cut_hello_gives_what_came_before_the_cut_and_no_fingerprint() {
        let message = HelloBuilder::browser(b"runner.example").message();
        let name_ends = message.windows(14).position(|window| window == b"runner.example").unwrap() + 14;
        for end in 0..message.len() {
            match parse_client_hello(&message[..end], Transport::Tcp) {
                None => assert!(end < 38),
                Some(hello) => {
                    assert!(end >= 38 && hello.cut);
                    assert_eq!(hello.sni.is_some(), end >= name_ends, "{end}");
                    assert!(hello.ja3().is_empty() && hello.ja3_text().is_empty() && hello.ja4().is_empty());
                }
            }
        }
    }

    #[test]
    fn a_hello_whose_lengths_lie_is_cut() {
        let mut body = HelloBuilder::browser(b"runner.example").body();
        let block = samples::offset_of_extensions(&body);
        body[block] += 1;
        let hello = parse_client_hello(&samples::message(1, &body), Transport::Tcp).unwrap();
        assert!(hello.cut && hello.ja4().is_empty() && hello.sni.is_some());
        let mut answer = samples::server_hello(0x0303, 0x1301, &[(43, &[3, 4])]);
        answer[38] = 0xff;
        let hello = parse_server_hello(&samples::message(2, &answer)).unwrap();
        assert!(hello.cut && hello.ja3s().is_empty() && hello.version == 0x0304);
    }

    #[test]
    fn an_old_hello_may_end_before_its_extensions() {
        let body = HelloBuilder::browser(b"").body();
        let bare = samples::message(1, &body[..samples::offset_of_extensions(&body)]);
        let hello = parse_client_hello(&bare, Transport::Tcp).unwrap();
        assert!(!hello.cut);
        assert_eq!(hello.ja4(), "t12i150000_8daaf6152771_000000000000");
        // The same bytes as the front of a longer message are a cut.
        let cut = samples::message(1, &body)[..bare.len()].to_vec();
        assert!(parse_client_hello(&cut, Transport::Tcp).unwrap().cut);
    }

    #[test]
    fn of_an_extension_that_stands_twice_the_first_counts() {
        let mut builder = HelloBuilder::browser(b"first.example");
        builder.extension(extension::SERVER_NAME, b"\0\x09\0\0\x06second");
        let hello = parse_client_hello(&builder.message(), Transport::Tcp).unwrap();
        assert_eq!(hello.sni.as_deref(), Some(&b"first.example"[..]));
        assert!(hello.ja4().starts_with("t13d1517h2_"));
    }

    #[test]
    fn ech_is_offered_by_the_outer_type_only() {
        for (data, ech) in [(&[0, 0, 1][..], true), (&[1], false), (&[], false)] {
            let mut builder = HelloBuilder::browser(b"public.example");
            builder.extension(extension::ENCRYPTED_CLIENT_HELLO, data);
            assert_eq!(parse_client_hello(&builder.message(), Transport::Tcp).unwrap().ech, ech);
        }
    }

    #[test]
    fn the_first_host_name_counts() {
        let entry = |kind: u8, name: &[u8]| [&[kind, 0, name.len() as u8], name].concat();
        let named =
            |entries: &[Vec<u8>]| host_name(&[&[0, 0][..], &entries.concat()].concat()).map(<[u8]>::to_vec);
        assert_eq!(named(&[entry(7, b"x"), entry(0, b"a.b"), entry(0, b"c")]), Some(b"a.b".to_vec()));
        assert_eq!(named(&[entry(0, b"")]), Some(Vec::new()));
        assert_eq!(named(&[]), None);
        assert_eq!(host_name(&[0, 9, 0, 0, 9, b'x']), None);
        let long = [&[0, 0, 0, 0xff, 0xff][..], &[b'x'; 0xffff]].concat();
        assert_eq!(host_name(&long).unwrap().len(), TEXT_BYTES);
    }

    #[test]
    fn tls_1_3_is_above_its_drafts() {
        let highest = |wire: &[u8]| highest_version(real(wire));
        assert_eq!(highest(b"\x7f\x1c\x03\x04\x03\x03\xfa\xfa"), Some(0x0304));
        assert_eq!(highest(b"\x03\x03\x7f\x1c\x7f\x17"), Some(0x7f1c));
        assert_eq!(highest(b"\x0a\x0a"), None);
    }

    fn server_hello(version: u16, cipher: u16, extensions: &[(u16, &[u8])]) -> Vec<u8> {
        samples::message(2, &samples::server_hello(version, cipher, extensions))
    }

    #[test]
    fn reads_what_the_server_chose() {
        let hello = parse_server_hello(&server_hello(0x0303, 0x1301, &[(43, &[3, 4])])).unwrap();
        assert_eq!((hello.version, hello.cipher, hello.retry, hello.cut), (0x0304, 0x1301, false, false));
        assert_eq!(hello.ja3s_text(), "771,4865,43");
        let old = server_hello(0x0303, 0xc02f, &[(65281, &[0]), (16, b"\0\x03\x02h2")]);
        let hello = parse_server_hello(&old).unwrap();
        assert_eq!((hello.version, hello.alpn.as_deref()), (0x0303, Some(&b"h2"[..])));
        assert_eq!(hello.ja3s_text(), "771,49199,65281-16");
        let cut = parse_server_hello(&old[..old.len() - 1]).unwrap();
        assert!(cut.cut && cut.alpn.is_none() && cut.ja3s().is_empty());
        assert_eq!(parse_server_hello(&old[..39]), None);
    }

    #[test]
    fn an_early_draft_has_no_session_id() {
        let body = [&[0x7f, 0x12][..], &[7; 32], &[0x13, 0x02, 0, 4, 0, 40, 0, 0]].concat();
        let hello = parse_server_hello(&samples::message(2, &body)).unwrap();
        assert_eq!((hello.version, hello.cipher, hello.cut), (0x7f12, 0x1302, false));
    }

    #[test]
    fn a_retry_is_told_by_its_random() {
        let mut body = server_hello(0x0303, 0x1301, &[(43, &[3, 4])]);
        body[6..38].copy_from_slice(&RETRY_RANDOM);
        assert!(parse_server_hello(&body).unwrap().retry);
    }

    #[test]
    fn certificates_are_bounded_and_whole() {
        let one = [&[0, 0, 3][..], b"abc"].concat();
        let list = |entries: &[u8]| {
            let length = (entries.len() as u32).to_be_bytes();
            samples::message(11, &[&length[1..], entries].concat())
        };
        assert_eq!(parse_certificates(&list(&one.repeat(20))).len(), CERTIFICATES);
        let cut = list(&one.repeat(2));
        assert_eq!(parse_certificates(&cut[..cut.len() - 1]).len(), 1);
        assert_eq!(parse_certificates(&[]).len(), 0);
    }
}
