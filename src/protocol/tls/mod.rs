//! TLS: what both hellos and, up to TLS 1.2, the server's certificates say (RFC 8446, RFC 5246).
//!
//! [`identify()`] tells TLS from the first bytes of a side, on any port. [`TlsStream`] then reads both
//! sides of one connection until they turn to encryption, and says so early: what follows the hellos
//! is never looked at. [`parse_client_hello`] serves QUIC too.

mod certificate;
mod fingerprint;
pub mod fuzz;
mod identify;
mod on_demand;
mod parser;
mod stream;

#[cfg(test)]
pub(crate) mod captures;
#[cfg(test)]
pub(crate) mod samples;

use std::borrow::Cow;

pub use certificate::parse_certificate;
pub use identify::identify;
pub use on_demand::{Fingerprints, ServerFingerprint};
pub use parser::{HelloOutline, Transport, parse_certificates, parse_client_hello, parse_server_hello};
pub use stream::{TlsEvent, TlsSink, TlsStream};

/// A ClientHello, over TCP or QUIC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// `legacy_version` of the hello.
    pub legacy_version: u16,
    /// The highest version offered, GREASE left out (`supported_versions`, else `legacy_version`).
    pub version: u16,
    /// The server name, exactly the bytes of the first `host_name` entry, of which at most
    /// [`crate::limits::TEXT_BYTES`] are kept; `None` without one.
    pub sni: Option<Vec<u8>>,
    /// Application protocols in the client's order, at most [`crate::limits::TLS_ALPN`].
    pub alpn: Vec<Vec<u8>>,
    /// Whether the hello offers Encrypted Client Hello: then `sni` is the outer name. GREASE ECH looks
    /// the same on the wire, so that the outer name may be the real one (RFC 9849 section 6.2).
    pub ech: bool,
    /// JA3 and JA4, made when they are asked for.
    pub fingerprints: Fingerprints,
    /// The hello's bytes ended before its fields did; what came before is here.
    pub cut: bool,
}

impl ClientHello {
    /// A hello in SSL 2's form, which asks for `version` and has nothing else.
    pub fn of_ssl2(version: u16) -> Self {
        Self { legacy_version: version, version, ..Self::default() }
    }

    /// See [`Fingerprints::ja3`].
    pub fn ja3(&self) -> &str {
        self.fingerprints.ja3()
    }

    /// See [`Fingerprints::ja3_text`].
    pub fn ja3_text(&self) -> &str {
        self.fingerprints.ja3_text()
    }

    /// See [`Fingerprints::ja4`].
    pub fn ja4(&self) -> &str {
        self.fingerprints.ja4()
    }
}

/// A ServerHello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerHello {
    /// The version chosen (`supported_versions`, else `legacy_version`).
    pub version: u16,
    /// The cipher suite chosen.
    pub cipher: u16,
    /// The application protocol chosen, where it is in clear (TLS 1.2 and older).
    pub alpn: Option<Vec<u8>>,
    /// JA3S, made when it is asked for.
    pub fingerprint: ServerFingerprint,
    /// Whether this is a HelloRetryRequest (RFC 8446 section 4.1.3).
    pub retry: bool,
    /// The hello's bytes ended before its fields did; what came before is here.
    pub cut: bool,
}

impl ServerHello {
    /// See [`ServerFingerprint::ja3s`].
    pub fn ja3s(&self) -> &str {
        self.fingerprint.ja3s()
    }

    /// See [`ServerFingerprint::ja3s_text`].
    pub fn ja3s_text(&self) -> &str {
        self.fingerprint.ja3s_text()
    }
}

/// An X.509 certificate as the server sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-1 of the DER bytes.
    pub sha1: [u8; 20],
    /// SHA-256 of the DER bytes.
    pub sha256: [u8; 32],
    /// Serial number, lower-case hex; empty when the certificate could not be read.
    pub serial: String,
    /// Subject in one line, `C=US, O=Example, CN=host`, at most [`crate::limits::TEXT_BYTES`].
    pub subject: String,
    /// Issuer in one line, bounded in the same way.
    pub issuer: String,
    /// Subject alternative names: DNS names and addresses as text, at most
    /// [`crate::limits::CERTIFICATE_NAMES`].
    pub names: Vec<String>,
    /// Start of validity, seconds since the Unix epoch.
    pub not_before: i64,
    /// End of validity, seconds since the Unix epoch.
    pub not_after: i64,
    /// Whether the DER could not be read: only the hashes are known then.
    pub damaged: bool,
}

/// The name of a protocol version as EVE writes it: `TLS 1.3`, `TLS 1.2`, `TLSv1`, `SSLv3`,
/// `TLS 1.3 draft-28`; a version without a name in hex.
pub fn version_name(version: u16) -> Cow<'static, str> {
    Cow::Borrowed(match version {
        0 => "UNDETERMINED",
        0x0002 | 0x0200 => "SSLv2",
        0x0300 => "SSLv3",
        0x0301 => "TLSv1",
        0x0302 => "TLS 1.1",
        0x0303 => "TLS 1.2",
        0x0304 => "TLS 1.3",
        0x7f10..=0x7f1c => return Cow::Owned(format!("TLS 1.3 draft-{}", version & 0xff)),
        _ => return Cow::Owned(format!("0x{version:04x}")),
    })
}

/// Whether `version` is TLS 1.3 or one of its drafts (the IETF's 0x7fxx, Facebook's 0xfbxx): after
/// the ServerHello everything is encrypted.
const fn is_tls13(version: u16) -> bool {
    version == 0x0304 || version >> 8 == 0x7f || version >> 8 == 0xfb
}

/// Whether `value` is one of the sixteen that clients send to keep servers tolerant (RFC 8701).
const fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_versions_as_eve_does() {
        let names = [(0x0300, "SSLv3"), (0x0301, "TLSv1"), (0x0302, "TLS 1.1"), (0x0304, "TLS 1.3")];
        for (version, name) in names {
            assert_eq!(version_name(version), name);
        }
        assert_eq!(version_name(0x7f1c), "TLS 1.3 draft-28");
        assert_eq!(version_name(0x1234), "0x1234");
    }

    #[test]
    fn tells_grease_from_near_misses() {
        let grease = (0..=u16::MAX).filter(|&value| is_grease(value)).count();
        assert_eq!(grease, 16);
        assert!(is_grease(0x0a0a) && is_grease(0xfafa) && !is_grease(0x0a1a) && !is_grease(0x0b0b));
    }
}
