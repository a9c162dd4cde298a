//! Whether bytes are DNS, by content.

use crate::bytes::u16_at;
use crate::protocol::Verdict;

use super::code::{is_assigned_opcode, named_type};
use super::packed::HEADER_BYTES;
use super::{DnsAnomaly, Message, NameScratch, PackedName, Section, kind};

/// Bytes of the smallest question: the root, type and class.
const QUESTION_BYTES: usize = 5;
/// Bytes of the smallest record: the root, type, class, TTL and an empty RDATA.
const RECORD_BYTES: usize = 11;

/// Whether a UDP payload is a DNS message.
///
/// Without a hint it must be one beyond reasonable doubt: every declared entry is there, nothing
/// follows, types and classes of the questions are ones that exist, and those of the records unless there is one
/// question. With `port_hint`, that the port speaks for DNS, it is enough that its first entry can be read or
/// that the header declares one question and no more than fits; a message that is cut before its first entry
/// ends is [`Verdict::Unsure`].
pub fn looks_like_dns(bytes: &[u8], port_hint: bool) -> Verdict {
    let Some(message) = Message::parse(bytes) else { return Verdict::No };
    if port_hint { expected(&message) } else { unexpected(&message) }
}

/// Whether the first bytes of a TCP direction are DNS messages with their lengths. The first message
/// must be as plausible as [`looks_like_dns`] wants it without a hint; of one that is not whole yet,
/// its first question or record, and it must not declare more than one question.
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
        // Other protocols begin with such numbers too, but hardly with a count of exactly one.
        Some(message)
            if message.declared(Section::Question) <= 1 && has_plausible_header(&message, length) =>
        {
            match first_entry(&message) {
                First::Plausible => Verdict::Yes,
                First::Cut => Verdict::Unsure,
                First::Strange | First::None => Verdict::No,
            }
        }
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
        First::Cut if has_plausible_flags(message.flags()) && message.declared(Section::Question) <= 1 => {
            Verdict::Unsure
        }
        // One question and counts that fit are more than chance: its class may be none that exists, its
        // name may break or look like NetBIOS, the server is asked all the same.
        First::Strange
            if message.declared(Section::Question) == 1
                && has_plausible_header(message, message.bytes().len()) =>
        {
            Verdict::Yes
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
    // A question that reads so well vouches for records that do not: DNSCrypt pads with one of no type.
    let records = message.declared(Section::Question) == 1
        || message.records().all(|record| {
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
    let [high, low] = flags.to_be_bytes();
    let (response, opcode, rcode) = (high & 0x80 != 0, high >> 3 & 0x0f, low & 0x0f);
    is_assigned_opcode(opcode) && (response || rcode == 0)
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

#[cfg(test)]
mod tests {
    use super::super::sample::{FIRST, Sample, query, response, seeds, wire};
    use super::*;

    fn framed(message: &[u8]) -> Vec<u8> {
        [&u16::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
    }

    /// Payloads of other protocols, put together after their specifications.
    fn others() -> Vec<(&'static str, Vec<u8>)> {
        let mut ntp = vec![0x24, 2, 6, 0xec, 0, 0, 4, 0, 0, 0, 0x11, 0x22, 192, 0, 2, 1];
        ntp.extend([0xe9; 32]);
        let mut dhcp = vec![1, 1, 6, 0, 0x39, 3, 0xf3, 0x26];
        dhcp.resize(236, 0);
        dhcp.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255]);
        let mut quic = vec![0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0x9e];
        quic.resize(1200, 0x5a);
        let mut rtp = vec![0x80, 0, 0, 1, 0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef];
        rtp.resize(172, 0x7f);
        let mut hello = vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
        hello.resize(517, 0x33);
        let mut wireguard = vec![1, 0, 0, 0, 0x12, 0x34, 0x56, 0x78];
        wireguard.resize(148, 0x9d);
        let encoded = b"\x20FHEPFCELEHFCEPFFFACACACACACACAAA\0";
        vec![
            ("NTP client", [vec![0x23], vec![0; 47]].concat()),
            ("NTP server", ntp),
            ("SNMP", b"0\x29\x02\x01\x01\x04\x06public\xa0\x1c\x02\x04\x12\x34\x56\x78\x02\x01\0\x02\x01\x000\x0e0\x0c\x06\x08+\x06\x01\x02\x01\x01\x01\0\x05\0".to_vec()),
            ("STUN", [b"\0\x01\0\x08\x21\x12\xa4\x42".as_slice(), &[7; 12], b"\x80\x22\0\x04test"].concat()),
            ("RTP", rtp),
            ("syslog", b"<34>1 2026-03-31T00:25:11Z host su - ID47 - failed for lonvick".to_vec()),
            ("QUIC", quic),
            ("DHCP", dhcp),
            ("SIP", b"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP host\r\n\r\n".to_vec()),
            ("TLS", hello),
            ("HTTP", b"GET /index.html HTTP/1.1\r\nHost: example.com\r\nUser-Agent: x\r\n\r\n".to_vec()),
            ("SSH", b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n".to_vec()),
            ("WireGuard", wireguard),
            ("zeros", vec![0; 64]),
            ("ones", vec![0xff; 64]),
            ("NBNS query", Sample::new(0x0110, [1, 0, 0, 0]).question(encoded, 32, 1).build()),
            ("NBSTAT query", Sample::new(0x0000, [1, 0, 0, 0]).question(encoded, 33, 1).build()),
            (
                "NBNS registration",
                Sample::new(0x2910, [1, 0, 0, 1])
                    .question(encoded, 32, 1)
                    .record(b"\xc0\x0c", 32, 1, &[0, 0, 10, 0, 0, 1])
                    .build(),
            ),
            ("NBNS answer", Sample::new(0x8500, [0, 1, 0, 0]).record(encoded, 32, 1, &[0, 0, 10, 0, 0, 1]).build()),
        ]
    }

    #[test]
    fn typical_messages_are_dns_on_any_port() {
        for message in seeds() {
            assert_eq!(looks_like_dns(&message, false), Verdict::Yes, "{message:02x?}");
            assert_eq!(looks_like_dns(&message, true), Verdict::Yes, "{message:02x?}");
        }
        let tunnel =
            Sample::new(0x0100, [1, 0, 0, 0]).question(b"\x04p\xff\x80\x01\x01t\0", 65399, 1).build();
        assert_eq!(looks_like_dns(&tunnel, false), Verdict::Yes);
    }

    #[test]
    fn other_protocols_are_not() {
        for (what, payload) in others() {
            assert_eq!(looks_like_dns(&payload, false), Verdict::No, "{what}");
            assert_ne!(looks_like_dns_stream(&payload), Verdict::Yes, "{what}");
            assert_eq!(looks_like_dns_stream(&framed(&payload)), Verdict::No, "{what} with a length");
            // A name that looks like NetBIOS may come to a DNS server as well.
            if !what.starts_with("NB") {
                assert_eq!(looks_like_dns(&payload, true), Verdict::No, "{what} on port 53");
            }
        }
    }

    #[test]
    fn no_random_payload_is_dns() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut payload = [0; 160];
        for round in 0..20_000_usize {
            for byte in &mut payload {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *byte = state.to_le_bytes()[3];
            }
            let length = 12 + round % 149;
            assert_eq!(looks_like_dns(&payload[..length], false), Verdict::No);
            assert_ne!(looks_like_dns_stream(&payload[..length]), Verdict::Yes);
            // Half-plausible: a header of one question, and rubbish.
            payload[2..12].copy_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
            assert_eq!(looks_like_dns(&payload[..length], false), Verdict::No);
        }
    }

    #[test]
    fn the_port_makes_up_for_what_is_odd() {
        let whole = response("example.com", 1, &[192, 0, 2, 1]);
        let mut trailing = whole.clone();
        trailing.push(0);
        let mut lying = query("example.com", 1);
        lying[7] = 9;
        let refusal = Sample::new(0x8001, [0; 4]).build();
        for odd in [&whole[..whole.len() - 3], &trailing, &lying, &refusal] {
            assert_eq!(looks_like_dns(odd, false), Verdict::No);
            assert_eq!(looks_like_dns(odd, true), Verdict::Yes);
        }
        assert_eq!(looks_like_dns(&whole[..20], true), Verdict::Unsure);
        assert_eq!(looks_like_dns(&whole[..20], false), Verdict::No);
        assert_eq!(looks_like_dns(&whole[..11], true), Verdict::No);
    }

    #[test]
    fn one_question_at_the_port_is_dns_whatever_it_asks() {
        let ask =
            |name: &[u8], kind, class| Sample::new(0x0100, [1, 0, 0, 0]).question(name, kind, class).build();
        let strange = [
            ask(&wire("example.com"), 1, 0x2001),
            ask(b"\x20CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0", 33, 1),
            // A label of a kind that does not exist, and a pointer to itself.
            ask(b"\x02ab\x80cd\0", 1, 1),
            ask(b"\x02ab\xc0\x0f", 1, 1),
        ];
        for message in &strange {
            assert_eq!(looks_like_dns(message, true), Verdict::Yes, "{message:02x?}");
            assert_eq!(looks_like_dns(message, false), Verdict::No, "{message:02x?}");
        }
        let mut two = strange[2].clone();
        two[5] = 2;
        let mut lying = strange[2].clone();
        lying[6] = 0xaa;
        let mut reserved_opcode = strange[2].clone();
        reserved_opcode[2] = 0x78;
        for message in [&two, &lying, &reserved_opcode] {
            assert_eq!(looks_like_dns(message, true), Verdict::No, "{message:02x?}");
        }
    }

    #[test]
    fn a_question_vouches_for_padding_of_no_type() {
        let padded = |questions| {
            let sample = Sample::new(0x0100, [questions, 0, 0, 1]);
            let name = wire("2.dnscrypt-cert.example");
            let sample = if questions == 1 { sample.question(&name, 16, 1) } else { sample };
            sample.record(b"\0", 0, 0, &[0; 300]).build()
        };
        assert_eq!(looks_like_dns(&padded(1), false), Verdict::Yes);
        assert_eq!(looks_like_dns(&padded(0), false), Verdict::No);
    }

    #[test]
    fn a_stream_is_known_by_its_first_question() {
        let long = Sample::new(0x8180, [1, 1, 0, 0])
            .question(&wire("example.com"), 16, 1)
            .record(&FIRST.to_be_bytes(), 16, 1, &[0; 4000])
            .build();
        let bytes = framed(&long);
        let verdicts: Vec<_> = (0..60).map(|length| looks_like_dns_stream(&bytes[..length])).collect();
        assert!(verdicts[..31].iter().all(|&verdict| verdict == Verdict::Unsure));
        assert!(verdicts[31..].iter().all(|&verdict| verdict == Verdict::Yes));
        let two = [framed(&query("example.com", 1)), framed(&query("example.com", 28))].concat();
        assert_eq!(looks_like_dns_stream(&two), Verdict::Yes);
        assert_eq!(looks_like_dns_stream(&[0, 5]), Verdict::No);
        // OpenFlow 1.3: version, type, length, transaction, and what reads as a question of class IN.
        let multipart = b"\x04\x13\0\x20\0\0\0\x2b\0\x0b\0\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x0d\x10\x08\0\0";
        assert_eq!(looks_like_dns_stream(multipart), Verdict::No);
        assert_eq!(looks_like_dns_stream(&multipart[..16]), Verdict::No);
    }
}
