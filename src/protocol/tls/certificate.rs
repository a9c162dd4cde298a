//! X.509 certificates, as far as a responder asks: whose, from whom, for which names, how long.

use std::net::{Ipv4Addr, Ipv6Addr};

use ring::digest;
use x509_parser::asn1_rs::{Any, BmpString, Tag};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use super::Certificate;
use super::fingerprint::hex;
use crate::limits::{CERTIFICATE_NAMES, TEXT_BYTES};

/// Reads one DER certificate (RFC 5280). One that cannot be read still has its hashes, which is
/// what indicators name it by.
pub fn parse_certificate(der: &[u8]) -> Certificate {
    let mut certificate = Certificate {
        sha1: hash(&digest::SHA1_FOR_LEGACY_USE_ONLY, der),
        sha256: hash(&digest::SHA256, der),
        ..Certificate::default()
    };
    let Ok((_, x509)) = X509Certificate::from_der(der) else {
        certificate.damaged = true;
        return certificate;
    };
    let serial = x509.raw_serial();
    certificate.serial = hex(serial.get(..TEXT_BYTES / 2).unwrap_or(serial));
    certificate.subject = one_line(x509.subject());
    certificate.issuer = one_line(x509.issuer());
    certificate.names = alternative_names(&x509);
    certificate.not_before = x509.validity().not_before.timestamp();
    certificate.not_after = x509.validity().not_after.timestamp();
    certificate
}

fn hash<const N: usize>(algorithm: &'static digest::Algorithm, der: &[u8]) -> [u8; N] {
    digest::digest(algorithm, der).as_ref().try_into().unwrap_or([0; N])
}

/// A distinguished name as EVE writes it: attributes in certificate order, `, ` between them, ` + `
/// inside a multi-valued one, the short name of the type or its dotted form.
fn one_line(name: &X509Name<'_>) -> String {
    let mut line = String::new();
    for set in name.iter() {
        for (index, attribute) in set.iter().enumerate() {
            if !line.is_empty() {
                line.push_str(if index == 0 { ", " } else { " + " });
            }
            match oid2abbrev(attribute.attr_type(), oid_registry()) {
                Ok(short) => line.push_str(short),
                Err(_) => line.push_str(&attribute.attr_type().to_id_string()),
            }
            line.push('=');
            line.push_str(&text(attribute.attr_value()));
            if line.len() > TEXT_BYTES {
                return bounded(line);
            }
        }
    }
    line
}

/// An attribute's value: a string in any of ASN.1's kinds, what is no text in it replaced; anything
/// else in hex.
fn text(value: &Any<'_>) -> String {
    match value.tag() {
        Tag::NumericString
        | Tag::VisibleString
        | Tag::PrintableString
        | Tag::GeneralString
        | Tag::GraphicString
        | Tag::ObjectDescriptor
        | Tag::T61String
        | Tag::VideotexString
        | Tag::Utf8String
        | Tag::Ia5String => bounded(String::from_utf8_lossy(value.data).into_owned()),
        Tag::BmpString => match BmpString::try_from(value.clone()) {
            Ok(text) => bounded(text.string()),
            Err(_) => hex(value.data.get(..TEXT_BYTES / 2).unwrap_or(value.data)),
        },
        _ => hex(value.data.get(..TEXT_BYTES / 2).unwrap_or(value.data)),
    }
}

/// The DNS names and addresses of the subjectAltName extension (RFC 5280 section 4.2.1.6).
fn alternative_names(x509: &X509Certificate<'_>) -> Vec<String> {
    x509.iter_extensions()
        .filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
            _ => None,
        })
        .flatten()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(bounded((*name).to_owned())),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .take(CERTIFICATE_NAMES)
        .collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|octets| Ipv4Addr::from(octets).to_string());
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|octets| Ipv6Addr::from(octets).to_string())).ok()
}

/// `text` within [`TEXT_BYTES`], cut between characters.
fn bounded(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT_BYTES));
    text
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn reads_names_and_validity() {
        let certificate = parse_certificate(&samples::certificate());
        assert!(!certificate.damaged);
        assert_eq!(certificate.subject, "C=US, O=Example Works, CN=runner.example");
        assert_eq!(certificate.issuer, "O=Example Works, CN=Example CA");
        assert_eq!(certificate.serial, "00c0ffee");
        assert_eq!(certificate.names, ["runner.example", "*.runner.example", "192.0.2.7", "2001:db8::1"]);
        // 2026-03-30 00:00:00 to 2027-03-30 00:00:00 UTC.
        assert_eq!((certificate.not_before, certificate.not_after), (1_774_828_800, 1_806_364_800));
    }

    #[test]
    fn texts_are_bounded_and_whatever_their_bytes_are() {
        let long = parse_certificate(&samples::certificate_of("é".repeat(3000).as_bytes()));
        assert!(long.subject.len() <= TEXT_BYTES && long.subject.len() > TEXT_BYTES - 2);
        let odd = parse_certificate(&samples::certificate_of(b"\xff\x00x"));
        assert_eq!(odd.subject, "C=US, O=Example Works, CN=\u{fffd}\0x");
    }

    #[test]
    fn damage_leaves_the_hashes() {
        let mut der = samples::certificate();
        der.truncate(der.len() / 2);
        let certificate = parse_certificate(&der);
        assert!(certificate.damaged && certificate.subject.is_empty() && certificate.serial.is_empty());
        assert_eq!(
            hex(&parse_certificate(b"").sha256),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(hex(&parse_certificate(b"").sha1), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_ne!(certificate.sha1, parse_certificate(&samples::certificate()).sha1);
    }
}
