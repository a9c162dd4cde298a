//! Fingerprints that are made when somebody asks for them.
//!
//! Most hellos are looked up by their name alone: a JA3 or JA4 is asked for when an indicator of that
//! kind is loaded, by a signature that names it, and by records and alerts.

use std::sync::OnceLock;

use super::fingerprint::{self, Offer};
use super::parser::Transport;
use crate::limits::{TEXT_BYTES, TLS_OFFER_BYTES};

/// JA3 and JA4 of a ClientHello; empty when the hello was cut: a part of it has no fingerprint.
#[derive(Clone, Debug, Default)]
pub struct Fingerprints {
    /// What they are made of; `None` of a cut hello, and when they are known already.
    offer: Option<KeptOffer>,
    ja3: OnceLock<Ja3>,
    ja4: OnceLock<String>,
}

/// JA3S of a ServerHello; empty when the hello was cut.
#[derive(Clone, Debug, Default)]
pub struct ServerFingerprint {
    /// What it is made of: version, cipher suite, and the extension types as on the wire.
    answer: Option<(u16, u16, Vec<u8>)>,
    ja3s: OnceLock<Ja3>,
}

/// A text and its hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ja3 {
    /// Within [`TEXT_BYTES`].
    text: String,
    /// MD5 of the whole text, lower-case hex.
    hash: String,
}

impl Ja3 {
    fn of(mut text: String) -> Self {
        let hash = fingerprint::md5_hex(&text);
        // It is ASCII.
        text.truncate(TEXT_BYTES);
        Self { text, hash }
    }
}

/// An offer's lists, one behind the other, as on the wire.
#[derive(Clone, Debug)]
pub(super) struct KeptOffer {
    pub transport: Transport,
    pub legacy_version: u16,
    /// See [`Offer::version`].
    pub version: u16,
    /// See [`Offer::alpn`].
    pub alpn: [u8; 2],
    lists: Vec<u8>,
    /// Where each list but the last ends. Invariant: no end is before the one in front of it.
    ends: [u32; 4],
}

impl KeptOffer {
    /// An offer that has its ciphers so far. Room is made for the rest of an ordinary one.
    pub fn new(transport: Transport, legacy_version: u16, ciphers: &[u8]) -> Self {
        const REST: usize = 96;
        let mut lists = Vec::with_capacity(ciphers.len() + REST);
        lists.extend_from_slice(ciphers);
        let ends = [lists.len() as u32; 4];
        Self { transport, legacy_version, version: legacy_version, alpn: *b"00", lists, ends }
    }

    /// Adds the next extension's type; not after [`KeptOffer::close`].
    pub fn push_extension(&mut self, kind: u16) {
        self.lists.extend_from_slice(&kind.to_be_bytes());
    }

    /// Adds the other lists.
    pub fn close(&mut self, groups: &[u8], point_formats: &[u8], signature_algorithms: &[u8]) {
        let [_, extensions, groups_end, formats_end] = &mut self.ends;
        *extensions = self.lists.len() as u32;
        self.lists.extend_from_slice(groups);
        *groups_end = self.lists.len() as u32;
        self.lists.extend_from_slice(point_formats);
        *formats_end = self.lists.len() as u32;
        self.lists.extend_from_slice(signature_algorithms);
    }

    fn offer(&self) -> Offer<'_> {
        let [ciphers, extensions, groups, formats] = self.ends.map(|end| end as usize);
        let list = |from: usize, to: usize| self.lists.get(from..to).unwrap_or_default();
        Offer {
            transport: self.transport,
            legacy_version: self.legacy_version,
            version: self.version,
            alpn: self.alpn,
            ciphers: list(0, ciphers),
            extensions: list(ciphers, extensions),
            groups: list(extensions, groups),
            point_formats: list(groups, formats),
            signature_algorithms: list(formats, self.lists.len()),
        }
    }
}

impl Fingerprints {
    /// Those of a hello that is not here: its JA3's text, JA3 and JA4.
    pub fn known(ja3_text: String, ja3: String, ja4: String) -> Self {
        Self { offer: None, ja3: Ja3 { text: ja3_text, hash: ja3 }.into(), ja4: ja4.into() }
    }

    /// Those of an offer, which is kept until they are asked for, unless it is larger than any client's.
    pub(super) fn of(offer: KeptOffer) -> Self {
        let is_large = offer.lists.len() > TLS_OFFER_BYTES;
        let mut fingerprints = Self { offer: Some(offer), ..Self::default() };
        if is_large {
            fingerprints.ja3();
            fingerprints.ja4();
            fingerprints.offer = None;
        }
        fingerprints
    }

    /// MD5 of JA3's whole text, lower-case hex.
    pub fn ja3(&self) -> &str {
        &self.made_ja3().hash
    }

    /// JA3's text, of which at most [`TEXT_BYTES`] are kept.
    pub fn ja3_text(&self) -> &str {
        &self.made_ja3().text
    }

    fn made_ja3(&self) -> &Ja3 {
        self.ja3.get_or_init(|| match &self.offer {
            Some(offer) => Ja3::of(fingerprint::ja3_text(&offer.offer())),
            None => Ja3::default(),
        })
    }

    /// JA4.
    pub fn ja4(&self) -> &str {
        self.ja4.get_or_init(|| match &self.offer {
            Some(offer) => fingerprint::ja4(&offer.offer()),
            None => String::new(),
        })
    }
}

/// By what they are, whether anybody has asked for them or not.
impl PartialEq for Fingerprints {
    fn eq(&self, other: &Self) -> bool {
        self.made_ja3() == other.made_ja3() && self.ja4() == other.ja4()
    }
}

impl Eq for Fingerprints {}

impl ServerFingerprint {
    /// That of a hello that is not here: its JA3S's text, and JA3S.
    pub fn known(ja3s_text: String, ja3s: String) -> Self {
        Self { answer: None, ja3s: Ja3 { text: ja3s_text, hash: ja3s }.into() }
    }

    /// That of a version, a cipher suite and the extension types as on the wire.
    pub(super) fn of(version: u16, cipher: u16, extensions: Vec<u8>) -> Self {
        let is_large = extensions.len() > TLS_OFFER_BYTES;
        let mut fingerprint = Self { answer: Some((version, cipher, extensions)), ..Self::default() };
        if is_large {
            fingerprint.made();
            fingerprint.answer = None;
        }
        fingerprint
    }

    /// MD5 of JA3S's whole text, lower-case hex.
    pub fn ja3s(&self) -> &str {
        &self.made().hash
    }

    /// JA3S's text, of which at most [`TEXT_BYTES`] are kept.
    pub fn ja3s_text(&self) -> &str {
        &self.made().text
    }

    fn made(&self) -> &Ja3 {
        self.ja3s.get_or_init(|| match &self.answer {
            Some((version, cipher, extensions)) => {
                Ja3::of(fingerprint::ja3s_text(*version, *cipher, extensions))
            }
            None => Ja3::default(),
        })
    }
}

/// By what it is, whether anybody has asked for it or not.
impl PartialEq for ServerFingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.made() == other.made()
    }
}

impl Eq for ServerFingerprint {}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::samples::HelloBuilder;
    use super::super::{ClientHello, parse_client_hello};
    use super::*;

    fn hello(message: &[u8]) -> ClientHello {
        parse_client_hello(message, Transport::Tcp).unwrap()
    }

    #[test]
    fn what_was_asked_for_changes_no_equality() {
        let message = HelloBuilder::browser(b"a.example").message();
        let (asked, not_asked) = (hello(&message), hello(&message));
        assert_eq!((asked.ja3().len(), asked.ja4().len()), (32, 36));
        assert!(not_asked.fingerprints.ja3.get().is_none() && not_asked.fingerprints.ja4.get().is_none());
        assert_eq!(asked, not_asked);
        let print = &asked.fingerprints;
        let known = Fingerprints::known(print.ja3_text().into(), print.ja3().into(), print.ja4().into());
        assert_eq!(known, *print);
        assert_ne!(Fingerprints::default(), known);
    }

    #[test]
    fn nothing_is_kept_of_an_offer_beyond_the_limit() {
        let mut builder = HelloBuilder::browser(b"a.example");
        for kind in 0..TLS_OFFER_BYTES as u16 {
            builder.extension(0x5000 + kind, &[]);
        }
        let large = hello(&builder.message()).fingerprints;
        assert!(large.offer.is_none());
        assert!(large.ja4().starts_with("t13d1599h2_") && large.ja3_text().len() == TEXT_BYTES);
    }
}
