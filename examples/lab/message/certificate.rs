//! X.509 certificates as DER (RFC 5280), with a key and a signature of filler.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::random::Random;

/// What a certificate says.
#[derive(Clone, Debug)]
pub struct Certificate<'a> {
    /// Subject in one line, `C=US, O=Example, CN=host`.
    pub subject: &'a str,
    /// Issuer in one line.
    pub issuer: &'a str,
    /// Subject alternative DNS names.
    pub names: &'a [String],
    /// Serial number.
    pub serial: u64,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const NULL: u8 = 0x05;
const OBJECT: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// sha256WithRSAEncryption, rsaEncryption and subjectAltName, as their DER contents.
const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// Attribute types by their short names.
const ATTRIBUTES: [(&str, &[u8]); 7] = [
    ("CN", &[0x55, 0x04, 0x03]),
    ("C", &[0x55, 0x04, 0x06]),
    ("L", &[0x55, 0x04, 0x07]),
    ("ST", &[0x55, 0x04, 0x08]),
    ("O", &[0x55, 0x04, 0x0a]),
    ("OU", &[0x55, 0x04, 0x0b]),
    ("E", &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01]),
];

/// The DER bytes of a certificate.
pub fn der(certificate: &Certificate<'_>, random: &mut Random) -> Result<Vec<u8>, String> {
    let algorithm = value(SEQUENCE, &[value(OBJECT, SHA256_WITH_RSA), value(NULL, &[])].concat());
    // A modulus of 2048 bits: its first bit set, so a zero byte before it keeps it positive.
    let mut modulus = random.bytes(256);
    modulus[0] |= 0x80;
    modulus[255] |= 1;
    modulus.insert(0, 0);
    let key = value(SEQUENCE, &[value(INTEGER, &modulus), value(INTEGER, &[1, 0, 1])].concat());
    let key_info = [
        value(SEQUENCE, &[value(OBJECT, RSA), value(NULL, &[])].concat()),
        value(BIT_STRING, &[vec![0], key].concat()),
    ];
    let validity = [time(certificate.not_before), time(certificate.not_after)];
    let mut body = vec![
        // Version 3, explicitly tagged.
        value(0xa0, &value(INTEGER, &[2])),
        value(INTEGER, &positive(certificate.serial)),
        algorithm.clone(),
        name(certificate.issuer)?,
        value(SEQUENCE, &validity.concat()),
        name(certificate.subject)?,
        value(SEQUENCE, &key_info.concat()),
    ];
    if !certificate.names.is_empty() {
        // A DNS name is choice 2 of GeneralName.
        let names: Vec<u8> = certificate.names.iter().flat_map(|name| value(0x82, name.as_bytes())).collect();
        let list = value(OCTET_STRING, &value(SEQUENCE, &names));
        let extension = value(SEQUENCE, &[value(OBJECT, ALTERNATIVE_NAMES), list].concat());
        body.push(value(0xa3, &value(SEQUENCE, &extension)));
    }
    let signature = value(BIT_STRING, &[vec![0], random.bytes(256)].concat());
    Ok(value(SEQUENCE, &[value(SEQUENCE, &body.concat()), algorithm, signature].concat()))
}

fn name(line: &str) -> Result<Vec<u8>, String> {
    let mut parts = Vec::new();
    for part in line.split(',') {
        let (key, text) =
            part.trim().split_once('=').ok_or_else(|| format!("`{line}`: `{part}` is not KEY=text"))?;
        let (_, object) = ATTRIBUTES
            .iter()
            .find(|(known, _)| *known == key)
            .ok_or_else(|| format!("`{line}`: attribute `{key}` is not known to the lab"))?;
        let string = match key {
            "C" => PRINTABLE_STRING,
            "E" => IA5_STRING,
            _ => UTF8_STRING,
        };
        let attribute = [value(OBJECT, object), value(string, text.as_bytes())].concat();
        parts.extend(value(SET, &value(SEQUENCE, &attribute)));
    }
    Ok(value(SEQUENCE, &parts))
}

/// UTCTime up to 2049, GeneralizedTime later (RFC 5280 section 4.1.2.5).
fn time(moment: Timestamp) -> Vec<u8> {
    let zoned = moment.to_zoned(TimeZone::UTC);
    if zoned.year() < 2050 {
        value(UTC_TIME, zoned.strftime("%y%m%d%H%M%SZ").to_string().as_bytes())
    } else {
        value(GENERALIZED_TIME, zoned.strftime("%Y%m%d%H%M%SZ").to_string().as_bytes())
    }
}

/// The shortest content of a positive INTEGER.
fn positive(number: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> = number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    if bytes.first().is_none_or(|first| first & 0x80 != 0) {
        bytes.insert(0, 0);
    }
    bytes
}

/// Tag, length, content.
fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match content.len() {
        length @ 0..=0x7f => bytes.push(length as u8),
        length @ 0x80..=0xff => bytes.extend_from_slice(&[0x81, length as u8]),
        length => {
            bytes.push(0x82);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_reader_finds_what_was_written() {
        let names = vec!["a.example".to_owned()];
        let bytes = der(
            &Certificate {
                subject: "C=US, O=Example, CN=a.example",
                issuer: "CN=Lab CA",
                names: &names,
                serial: 0x8bb0_0ee0,
                not_before: "2026-01-01T00:00:00Z".parse().expect("a time"),
                not_after: "2051-01-01T00:00:00Z".parse().expect("a time"),
            },
            &mut Random::new(1),
        )
        .expect("a certificate");
        let (rest, read) = x509_parser::parse_x509_certificate(&bytes).expect("DER");
        assert!(rest.is_empty());
        assert_eq!(read.subject().to_string(), "C=US, O=Example, CN=a.example");
        assert_eq!(read.issuer().to_string(), "CN=Lab CA");
        assert_eq!(read.raw_serial_as_string(), "00:8b:b0:0e:e0");
        assert_eq!(read.validity().not_after.timestamp(), 2_556_144_000);
    }
}
