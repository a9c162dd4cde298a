//! RDATA as text: the presentation form of each type's RFC, without the quotes of zone files.

use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::limits::TEXT_BYTES;

use super::{Loc, NameScratch, PackedName, RData, Record, SvcParam, SvcValue, type_name};

/// Appends what the record says to `text`, in printable ASCII only: an address, `10 mail.example`,
/// `1 . alpn=h2 ipv4hint=192.0.2.1`. The strings of a TXT record stand next to each other without
/// anything between, as mail policies read them. What has no form of its own, or does not fit it, is
/// written as bytes (`\# 2 abcd`, RFC 3597 section 5).
///
/// At most [`TEXT_BYTES`] are added; gives whether that cut something off.
pub fn rdata_text(record: &Record<'_>, text: &mut String) -> bool {
    let start = text.len();
    let mut out = Bounded { text, left: TEXT_BYTES, cut: false };
    let written = write_data(&mut out, &record.data());
    if written.is_err() && !out.cut {
        // A name in it broke: half of it would be taken for the whole.
        out.text.truncate(start);
        out.left = TEXT_BYTES;
        // Fails only by being full, which `cut` says.
        _ = write_bytes(&mut out, record.rdata);
    }
    out.cut
}

/// A text with room for so many bytes; fails when it is full. Only ASCII is written to it.
struct Bounded<'t> {
    text: &'t mut String,
    left: usize,
    cut: bool,
}

impl Write for Bounded<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        if let Some(head) = piece.get(..self.left.min(piece.len())) {
            self.text.push_str(head);
            self.left -= head.len();
            if head.len() == piece.len() {
                return Ok(());
            }
        }
        self.cut = true;
        Err(fmt::Error)
    }
}

fn write_data(out: &mut Bounded<'_>, data: &RData<'_>) -> fmt::Result {
    match *data {
        RData::A(address) => write!(out, "{}", Ipv4Addr::from(address)),
        RData::Aaaa(address) => write!(out, "{}", Ipv6Addr::from(address)),
        RData::Cname(name) | RData::Ns(name) | RData::Ptr(name) | RData::Dname(name) => write_name(out, name),
        RData::Mx { preference, exchange } => {
            write!(out, "{preference} ")?;
            write_name(out, exchange)
        }
        RData::Soa(soa) => {
            write_name(out, soa.mname)?;
            out.write_char(' ')?;
            write_name(out, soa.rname)?;
            write!(out, " {} {} {} {} {}", soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum)
        }
        RData::Srv { priority, weight, port, target } => {
            write!(out, "{priority} {weight} {port} ")?;
            write_name(out, target)
        }
        RData::Txt(mut strings) => strings.try_for_each(|string| write_string(out, string)),
        RData::Svcb { priority, target, mut params } => {
            write!(out, "{priority} ")?;
            write_name(out, target)?;
            params.try_for_each(|param| write_param(out, param))
        }
        RData::Caa(caa) => {
            write!(out, "{} ", caa.flags)?;
            write_string(out, caa.tag)?;
            write_quoted(out, caa.value)
        }
        RData::Naptr(naptr) => {
            write!(out, "{} {}", naptr.order, naptr.preference)?;
            write_quoted(out, naptr.flags)?;
            write_quoted(out, naptr.services)?;
            write_quoted(out, naptr.regexp)?;
            out.write_char(' ')?;
            write_name(out, naptr.replacement)
        }
        RData::Ds(ds) => {
            write!(out, "{} {} {} ", ds.key_tag, ds.algorithm, ds.digest_type)?;
            write_hex(out, ds.digest)
        }
        RData::Dnskey(key) => {
            write!(out, "{} {} {} ", key.flags, key.protocol, key.algorithm)?;
            write!(out, "{}", Base64Display::new(key.public_key, &BASE64))
        }
        RData::Rrsig(sig) => {
            write!(out, "{} {} {} ", type_name(sig.type_covered), sig.algorithm, sig.labels)?;
            write!(out, "{} {} {} {} ", sig.original_ttl, sig.expiration, sig.inception, sig.key_tag)?;
            write_name(out, sig.signer)?;
            write!(out, " {}", Base64Display::new(sig.signature, &BASE64))
        }
        RData::Nsec { next, types } => {
            write_name(out, next)?;
            types.types().try_for_each(|kind| write!(out, " {}", type_name(kind)))
        }
        RData::Sshfp { algorithm, hash, fingerprint } => {
            write!(out, "{algorithm} {hash} ")?;
            write_hex(out, fingerprint)
        }
        RData::Tlsa { usage, selector, matching, association } => {
            write!(out, "{usage} {selector} {matching} ")?;
            write_hex(out, association)
        }
        RData::Loc(loc) => write_loc(out, loc),
        RData::Opt(mut options) => {
            let mut first = true;
            options.try_for_each(|(code, data)| {
                let before = if std::mem::take(&mut first) { "" } else { " " };
                write!(out, "{before}{code}=")?;
                write_hex(out, data)
            })
        }
        RData::Null(bytes) | RData::Unknown(bytes) => write_bytes(out, bytes),
    }
}

fn write_name(out: &mut Bounded<'_>, name: PackedName<'_>) -> fmt::Result {
    let mut scratch = NameScratch::new();
    let name = name.unpack(&mut scratch).map_err(|_| fmt::Error)?;
    write!(out, "{name}")
}

/// Printable ASCII as it is, a backslash twice, anything else as `\DDD`.
fn write_string(out: &mut Bounded<'_>, string: &[u8]) -> fmt::Result {
    string.iter().try_for_each(|&byte| match byte {
        b'\\' => out.write_str("\\\\"),
        0x20..=0x7e => out.write_char(byte as char),
        _ => write!(out, "\\{byte:03}"),
    })
}

/// A blank, and the string in quotes, for forms in which it stands beside others.
fn write_quoted(out: &mut Bounded<'_>, string: &[u8]) -> fmt::Result {
    out.write_str(" \"")?;
    string.split_inclusive(|&byte| byte == b'"').try_for_each(|piece| match piece.strip_suffix(b"\"") {
        Some(before) => {
            write_string(out, before)?;
            out.write_str("\\\"")
        }
        None => write_string(out, piece),
    })?;
    out.write_char('"')
}

fn write_hex(out: &mut Bounded<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
}

fn write_bytes(out: &mut Bounded<'_>, bytes: &[u8]) -> fmt::Result {
    write!(out, "\\# {}", bytes.len())?;
    if !bytes.is_empty() {
        out.write_char(' ')?;
    }
    write_hex(out, bytes)
}

/// ` key=value` (RFC 9460 section 2.1).
fn write_param(out: &mut Bounded<'_>, param: SvcParam<'_>) -> fmt::Result {
    match param.key_name() {
        Some(name) => write!(out, " {name}")?,
        None => write!(out, " key{}", param.key)?,
    }
    if param.wire.is_empty() {
        return Ok(());
    }
    out.write_char('=')?;
    match param.value() {
        SvcValue::Mandatory(keys) => write_list(out, keys, |out, &key| {
            let key = SvcParam { key: u16::from_be_bytes(key), wire: &[] };
            match key.key_name() {
                Some(name) => out.write_str(name),
                None => write!(out, "key{}", key.key),
            }
        }),
        SvcValue::Alpn(strings) => write_list(out, strings, write_string),
        SvcValue::Port(port) => write!(out, "{port}"),
        SvcValue::Ipv4Hint(all) => write_list(out, all, |out, &one| write!(out, "{}", Ipv4Addr::from(one))),
        SvcValue::Ipv6Hint(all) => write_list(out, all, |out, &one| write!(out, "{}", Ipv6Addr::from(one))),
        SvcValue::Ech(config) => write!(out, "{}", Base64Display::new(config, &BASE64)),
        SvcValue::DohPath(bytes) | SvcValue::Other(bytes) => write_string(out, bytes),
        SvcValue::NoDefaultAlpn | SvcValue::Ohttp => Ok(()),
    }
}

/// The values with commas between them.
fn write_list<T>(
    out: &mut Bounded<'_>,
    values: impl IntoIterator<Item = T>,
    each: impl Fn(&mut Bounded<'_>, T) -> fmt::Result,
) -> fmt::Result {
    values.into_iter().enumerate().try_for_each(|(index, value)| {
        if index > 0 {
            out.write_char(',')?;
        }
        each(out, value)
    })
}

/// RFC 1876 section 3: `51 30 12.748 N 0 7 39.612 W 0.00m 0.00m 0.00m 0.00m`.
fn write_loc(out: &mut Bounded<'_>, loc: Loc) -> fmt::Result {
    write_arc(out, loc.latitude, ['N', 'S'])?;
    out.write_char(' ')?;
    write_arc(out, loc.longitude, ['E', 'W'])?;
    let centimetres = i64::from(loc.altitude) - 10_000_000;
    let sign = if centimetres < 0 { "-" } else { "" };
    let centimetres = centimetres.unsigned_abs();
    write!(out, " {sign}{}.{:02}m", centimetres / 100, centimetres % 100)?;
    [loc.size, loc.horizontal, loc.vertical].iter().try_for_each(|&size| {
        // Both digits are at most 9 where the sender kept to the RFC, at most 15 in any case.
        let centimetres = u64::from(size >> 4) * 10_u64.pow(u32::from(size & 0x0f));
        write!(out, " {}.{:02}m", centimetres / 100, centimetres % 100)
    })
}

fn write_arc(out: &mut Bounded<'_>, arc: u32, [above, below]: [char; 2]) -> fmt::Result {
    const MIDDLE: u32 = 1 << 31;
    let (side, thousandths) = if arc >= MIDDLE { (above, arc - MIDDLE) } else { (below, MIDDLE - arc) };
    let (seconds, thousandths) = (thousandths / 1000, thousandths % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    write!(out, "{} {} {seconds}.{thousandths:03} {side}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::super::sample::response;
    use super::*;
    use crate::protocol::dns::{Message, kind};

    fn text(kind: u16, rdata: &[u8]) -> String {
        let bytes = response("example.com", kind, rdata);
        let mut text = String::new();
        assert!(!rdata_text(&Message::parse(&bytes).unwrap().records().next().unwrap(), &mut text));
        text
    }

    #[test]
    fn each_type_has_its_presentation_form() {
        let soa = b"\x02ns\xc0\x0c\x05admin\xc0\x0c\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05";
        let svcb =
            b"\0\x01\0\0\x01\0\x06\x02h3\x02h2\0\x03\0\x02\x20\xfb\0\x04\0\x04\xc0\0\x02\x01\0\x05\0\x02ec\
                     \0\x06\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x02\x9a\0\x01z";
        let rrsig = b"\0\x01\x08\x02\0\0\x01\x2c\0\0\0\x02\0\0\0\x01\0\x07\xc0\x0csig";
        let loc = b"\0\x12\x16\x13\x8b\x0d\x2a\x8c\x7f\xf9\x5e\xf4\0\x98\x96\x80";
        for (kind, rdata, expected) in [
            (kind::A, b"\xc0\0\x02\x01".as_slice(), "192.0.2.1"),
            (kind::AAAA, b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", "2001:db8::1"),
            (kind::CNAME, b"\x03cdn\xc0\x0c", "cdn.example.com"),
            (kind::MX, b"\0\x0a\x04mail\xc0\x0c", "10 mail.example.com"),
            (kind::SOA, soa, "ns.example.com admin.example.com 1 2 3 4 5"),
            (kind::SRV, b"\0\x01\0\x02\x01\xbb\xc0\x0c", "1 2 443 example.com"),
            (kind::TXT, b"\x06v=spf1\x05 -all", "v=spf1 -all"),
            (kind::TXT, b"\x04\x1b[\\\xe9", "\\027[\\\\\\233"),
            (
                kind::HTTPS,
                svcb,
                "1 . alpn=h3,h2 port=8443 ipv4hint=192.0.2.1 ech=ZWM= ipv6hint=2001:db8::1 key666=z",
            ),
            (kind::SVCB, b"\0\0\x01a\xc0\x0c", "0 a.example.com"),
            (
                kind::SVCB,
                b"\0\x01\0\0\0\0\x04\0\x01\0\x02\0\x01\0\x03\x02h2\0\x02\0\0",
                "1 . mandatory=alpn,no-default-alpn alpn=h2 no-default-alpn",
            ),
            (kind::CAA, b"\x80\x05issueca\"x", "128 issue \"ca\\\"x\""),
            (kind::NAPTR, b"\0\x01\0\x02\x01s\x03SIP\0\x01a\xc0\x0c", "1 2 \"s\" \"SIP\" \"\" a.example.com"),
            (kind::DS, b"\x12\x34\x08\x02\xab\xcd", "4660 8 2 abcd"),
            (kind::DNSKEY, b"\x01\x01\x03\x08key", "257 3 8 a2V5"),
            (kind::RRSIG, rrsig, "A 8 2 300 2 1 7 example.com c2ln"),
            (
                kind::NSEC,
                b"\x01a\xc0\x0c\0\x06\x40\x01\0\0\0\x03\x01\x01\x40",
                "a.example.com A MX RRSIG NSEC CAA",
            ),
            (kind::SSHFP, b"\x04\x02\x01\x02", "4 2 0102"),
            (kind::TLSA, b"\x03\x01\x01\xff", "3 1 1 ff"),
            (kind::LOC, loc, "51 30 12.236 N 0 7 14.444 W 0.00m 1.00m 10000.00m 10.00m"),
            (kind::NULL, b"\x01\x02", "\\# 2 0102"),
            (65399, b"", "\\# 0"),
            (kind::OPT, b"\0\x0a\0\x02\xab\xcd\0\x0c\0\0", "10=abcd 12="),
        ] {
            assert_eq!(text(kind, rdata), expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_written_as_bytes() {
        assert_eq!(text(kind::A, b"\x01\x02\x03"), "\\# 3 010203");
        assert_eq!(text(kind::MX, b"\0\x0a\xc0\x2b"), "\\# 4 000ac02b");
    }

    #[test]
    fn text_is_bounded() {
        let bytes = response("example.com", kind::NULL, &[0xab; 3000]);
        let mut text = "before".to_owned();
        assert!(rdata_text(&Message::parse(&bytes).unwrap().records().next().unwrap(), &mut text));
        assert_eq!(text.len(), 6 + TEXT_BYTES);
    }
}
