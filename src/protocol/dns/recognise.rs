//! Whether bytes are DNS, by content.

use crate::bytes::u16_at;
use crate::protocol::Verdict;

use super::code::named_type;
use super::packed::HEADER_BYTES;
use super::{DnsAnomaly, Message, NameScratch, PackedName, Section, kind};

/// Bytes of the smallest question: the root, type and class.
const QUESTION_BYTES: usize = 5;
/// Bytes of the smallest record: the root, type, class, TTL and an empty RDATA.
const RECORD_BYTES: usize = 11;

/// Whether a UDP payload is a DNS message.
///
/// Without a hint it must be one beyond reasonable doubt: every declared entry is there, nothing
/// follows, types and classes are ones that exist. With `port_hint`, that the port speaks for DNS, it is enough
/// that its first entry can be read, and a message that is cut before that is [`Verdict::Unsure`].
pub fn looks_like_dns(bytes: &[u8], port_hint: bool) -> Verdict {
    let Some(message) = Message::parse(bytes) else { return Verdict::No };
    if port_hint { expected(&message) } else { unexpected(&message) }
}

/// Whether the first bytes of a TCP direction are DNS messages with their lengths. The first message
/// must be as plausible as [`looks_like_dns`] wants it without a hint; of one that is not whole yet,
/// its first question or record.
pub fn looks_like_dns_stream(bytes: &[u8]) -> Verdict {
    let Some(length) = u16_at(bytes, 0).map(usize::from) else { return Verdict::Unsure };
    if length < HEADER_BYTES {
        return Verdict::No;
    }
    let body = bytes.get(2..).unwrap_or_default();
    if let Some(whole) = body.get(..length) {
        return looks_like_dns(whole, false);
    }
    match Message::parse(body) {
        Some(message) if has_plausible_header(&message, length) => match first_entry(&message) {
            First::Plausible => Verdict::Yes,
            First::Cut => Verdict::Unsure,
            First::Strange | First::None => Verdict::No,
        },
        Some(_) => Verdict::No,
        None => incomplete_header(body),
    }
}

/// A message that comes where DNS is expected.
fn expected(message: &Message<'_>) -> Verdict {
    match first_entry(message) {
        First::Plausible => Verdict::Yes,
        // Servers refuse what they cannot read with a bare header.
        First::None if message.is_response() && message.bytes().len() == HEADER_BYTES => Verdict::Yes,
        First::Cut if message.has_assigned_opcode() && message.declared(Section::Question) <= 1 => {
            Verdict::Unsure
        }
        _ => Verdict::No,
    }
}

/// A message that comes where nobody expects DNS.
fn unexpected(message: &Message<'_>) -> Verdict {
    if !has_plausible_header(message, message.bytes().len()) {
        return Verdict::No;
    }
    let questions = message.questions().all(|question| {
        is_plausible_class(question.class)
            && is_plausible_type(question.kind)
            && !is_netbios(&question.name, question.kind)
    });
    let records = message.records().all(|record| {
        record.kind == kind::OPT
            || is_plausible_class(record.class)
                && is_plausible_type(record.kind)
                && !is_netbios(&record.name, record.kind)
    });
    let anomalies = message.summary().anomalies;
    // A zone transfer may hold more records than are read.
    let whole = anomalies.has(DnsAnomaly::TooManyRecords)
        || !anomalies.is_broken() && !anomalies.has(DnsAnomaly::TrailingBytes);
    if questions && records && whole { Verdict::Yes } else { Verdict::No }
}

/// Whether a message of `length` bytes can have such a header.
fn has_plausible_header(message: &Message<'_>, length: usize) -> bool {
    let questions = usize::from(message.declared(Section::Question));
    let records: usize = [Section::Answer, Section::Authority, Section::Additional]
        .into_iter()
        .map(|section| usize::from(message.declared(section)))
        .sum();
    has_plausible_flags(message.flags())
        && (questions > 0 || message.is_response() && records > 0)
        && HEADER_BYTES + questions * QUESTION_BYTES + records * RECORD_BYTES <= length
}

/// An assigned opcode, and no error in a request.
fn has_plausible_flags(flags: u16) -> bool {
    let (response, opcode, rcode) = (flags >> 15 == 1, flags >> 11 & 0x0f, flags & 0x0f);
    matches!(opcode, 0 | 1 | 2 | 4 | 5 | 6) && (response || rcode == 0)
}

/// A header of which not all has come yet.
fn incomplete_header(body: &[u8]) -> Verdict {
    match u16_at(body, 2) {
        Some(flags) if !has_plausible_flags(flags) => Verdict::No,
        _ => Verdict::Unsure,
    }
}

/// What the first question or record of a message is like.
enum First {
    Plausible,
    Strange,
    /// The bytes end before its end.
    Cut,
    /// The header declares nothing.
    None,
}

fn first_entry(message: &Message<'_>) -> First {
    let mut questions = message.questions();
    let mut records = message.records();
    let (entry, stop) = if message.declared(Section::Question) > 0 {
        (
            questions.next().map(|question| (question.name, question.kind, question.class)),
            questions.stopped_by(),
        )
    } else {
        (records.next().map(|record| (record.name, record.kind, record.class)), records.stopped_by())
    };
    match (entry, stop) {
        (Some((name, kind, class)), _) => {
            let known = kind == kind::OPT || is_plausible_class(class);
            let readable = name.unpack(&mut NameScratch::new()).is_ok();
            if known && readable && !is_netbios(&name, kind) { First::Plausible } else { First::Strange }
        }
        (None, Some(DnsAnomaly::Cut | DnsAnomaly::CountsTooHigh)) => First::Cut,
        (None, Some(_)) => First::Strange,
        (None, None) => First::None,
    }
}

/// IN, CH, HS, NONE and ANY, also with mDNS's top bit.
fn is_plausible_class(class: u16) -> bool {
    matches!(class & 0x7fff, 1 | 3 | 4 | 254 | 255)
}

/// A type with a name, or one for private use (RFC 6895 section 3.1), which tunnels like.
fn is_plausible_type(kind: u16) -> bool {
    named_type(kind).is_some() || (0xff00..0xffff).contains(&kind)
}

/// NetBIOS names (RFC 1001 section 14.1) travel in DNS's form: the type NB, or a name whose first label is
/// 16 bytes written as 32 letters from A to P.
fn is_netbios(name: &PackedName<'_>, kind: u16) -> bool {
    let mut scratch = NameScratch::new();
    let encoded = name
        .unpack(&mut scratch)
        .ok()
        .and_then(|name| name.labels().next())
        .is_some_and(|label| label.len() == 32 && label.iter().all(|byte| (b'A'..=b'P').contains(byte)));
    kind == kind::NB || encoded
}
