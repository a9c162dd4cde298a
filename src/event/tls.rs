//! EVE's `tls` and `quic`.

use std::{borrow::Cow, fmt};

use serde::Serialize;

use super::{
    line::Bounds,
    text::{Hex, Shown, WireText},
};
use crate::{
    protocol::{
        quic::QuicHello,
        tls,
        tls::{Certificate, ClientHello, ServerHello},
    },
    time::civil,
};

/// EVE's `tls`: what both hellos and the leaf certificate said.
#[derive(Default, Serialize)]
pub(super) struct TlsObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuerdn: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notbefore: Option<Shown<CertificateTime>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notafter: Option<Shown<CertificateTime>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subjectaltname: Vec<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ja3: Option<Ja3<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ja3s: Option<Ja3<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ja4: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    client_alpns: Vec<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_alpns: Option<[WireText<'a>; 1]>,
}

impl<'a> TlsObject<'a> {
    /// The object of what was seen; `version` is the one that the server chose.
    pub(super) fn new(
        client: Option<&'a ClientHello>,
        server: Option<&'a ServerHello>,
        chain: &'a [Certificate],
        bounds: Bounds,
    ) -> Self {
        let wire = |bytes: &'a [u8]| WireText { bytes, limit: bounds.text };
        let leaf = chain.first();
        let readable = leaf.filter(|leaf| !leaf.damaged);
        let alpns = client.map(|client| client.alpn.as_slice()).unwrap_or_default();
        let names = readable.map(|leaf| leaf.names.as_slice()).unwrap_or_default();
        Self {
            subject: readable.map(|leaf| wire(leaf.subject.as_bytes())),
            issuerdn: readable.map(|leaf| wire(leaf.issuer.as_bytes())),
            serial: readable.filter(|leaf| !leaf.serial.is_empty()).map(|leaf| serial(&leaf.serial)),
            fingerprint: leaf.map(|leaf| Hex { bytes: &leaf.sha1, separator: ":" }.to_string()),
            sni: client.and_then(|client| client.sni.as_deref()).map(wire),
            version: server.map(|server| tls::version_name(server.version)),
            notbefore: readable.map(|leaf| Shown(CertificateTime(leaf.not_before))),
            notafter: readable.map(|leaf| Shown(CertificateTime(leaf.not_after))),
            subjectaltname: bounds.head(names).iter().map(|name| wire(name.as_bytes())).collect(),
            ja3: client.and_then(|client| Ja3::new(client.ja3(), client.ja3_text(), bounds)),
            ja3s: server.and_then(|server| Ja3::new(server.ja3s(), server.ja3s_text(), bounds)),
            ja4: client.and_then(ja4),
            client_alpns: bounds.head(alpns).iter().map(|name| wire(name)).collect(),
            server_alpns: server.and_then(|server| server.alpn.as_deref()).map(|name| [wire(name)]),
        }
    }
}

/// EVE's `quic`.
#[derive(Serialize)]
pub(super) struct QuicObject<'a> {
    version: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ja3: Option<Ja3<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ja4: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extensions: Vec<QuicExtension<'a>>,
}

/// One TLS extension of a QUIC client; only ALPN is kept.
#[derive(Serialize)]
struct QuicExtension<'a> {
    name: &'static str,
    #[serde(rename = "type")]
    kind: u16,
    values: Vec<WireText<'a>>,
}

/// `application_layer_protocol_negotiation` (RFC 7301).
const ALPN: u16 = 16;

impl<'a> QuicObject<'a> {
    pub(super) fn new(quic: &'a QuicHello, bounds: Bounds) -> Self {
        let wire = |bytes: &'a [u8]| WireText { bytes, limit: bounds.text };
        let hello = &quic.hello;
        let alpns: Vec<_> = bounds.head(&hello.alpn).iter().map(|name| wire(name)).collect();
        let alpn = (!alpns.is_empty()).then_some(QuicExtension { name: "alpn", kind: ALPN, values: alpns });
        Self {
            version: match quic.version {
                1 => "1".into(),
                0x6b33_43cf => "2".into(),
                other => format!("0x{other:08x}").into(),
            },
            sni: hello.sni.as_deref().map(wire),
            ja3: Ja3::new(hello.ja3(), hello.ja3_text(), bounds),
            ja4: ja4(hello),
            extensions: alpn.into_iter().collect(),
        }
    }
}

/// EVE's `ja3` and `ja3s`.
#[derive(Serialize)]
struct Ja3<'a> {
    hash: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    string: Option<WireText<'a>>,
}

impl<'a> Ja3<'a> {
    /// `None` when there is no fingerprint, as of a hello that was cut.
    fn new(hash: &'a str, text: &'a str, bounds: Bounds) -> Option<Self> {
        let string = WireText { bytes: text.as_bytes(), limit: bounds.text };
        (!hash.is_empty()).then_some(Self { hash, string: (!text.is_empty()).then_some(string) })
    }
}

fn ja4(hello: &ClientHello) -> Option<&str> {
    Some(hello.ja4()).filter(|text| !text.is_empty())
}

/// A serial number as EVE writes it: pairs of upper-case hexadecimal digits with colons between them.
fn serial(hexadecimal: &str) -> String {
    let mut out = String::with_capacity(hexadecimal.len() * 2);
    let odd = hexadecimal.len() % 2 == 1;
    if odd {
        out.push('0');
    }
    for (index, digit) in hexadecimal.chars().enumerate() {
        if index > 0 && index.is_multiple_of(2) != odd {
            out.push(':');
        }
        out.push(digit.to_ascii_uppercase());
    }
    out
}

/// A time of a certificate as EVE writes it: `2026-03-31T00:25:11`, UTC without a zone.
#[derive(Clone, Copy, Debug)]
struct CertificateTime(i64);

impl fmt::Display for CertificateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Certificates may end in 9999 (RFC 5280 section 4.1.2.5), where a timestamp does not reach.
        let (year, month, day, hour, minute, second) = civil(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_pairs_with_colons() {
        assert_eq!(serial("0a1b2c"), "0A:1B:2C");
        assert_eq!(serial("a1b"), "0A:1B");
        assert_eq!(serial("7"), "07");
    }

    #[test]
    fn certificate_times_have_no_zone() {
        assert_eq!(CertificateTime(1_774_916_518).to_string(), "2026-03-31T00:21:58");
        assert_eq!(CertificateTime(253_402_300_799).to_string(), "9999-12-31T23:59:59");
    }

    #[test]
    fn a_damaged_certificate_has_its_hash_and_nothing_else() {
        let damaged = [Certificate { damaged: true, sha1: [0xab; 20], ..Certificate::default() }];
        let text = serde_json::to_string(&TlsObject::new(None, None, &damaged, Bounds::FULL)).unwrap();
        assert_eq!(text, format!("{{\"fingerprint\":\"{}\"}}", vec!["ab"; 20].join(":")));
    }
}
