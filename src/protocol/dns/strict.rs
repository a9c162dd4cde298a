//! A strict parser's opinion of a message that our own walk could read.
//!
//! `dns-parser` keeps to the letter of RFC 1035 and to the types and classes of its day. What it
//! refuses is not wrong for that (every HTTPS question is among it), but which rule it names is a
//! useful label for odd messages: bytes above 0x7f in labels, a reserved bit, a second OPT. It is
//! asked off the fast path only, about messages whose size and pointers bound its work, and its names
//! are never printed, because its `Display` recurses once per pointer.

use dns_parser::{Error, Packet};

use super::Message;

/// Bytes of the largest message that is shown to it.
const LARGEST: usize = 1500;
/// Compression pointers from which on it is not asked.
const HOPS: usize = 16;

/// What the strict parser says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrictVerdict {
    /// It reads the message too.
    Accepts,
    /// It refuses what we could read.
    Refuses(StrictReason),
}

/// The rule by which the strict parser refuses a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StrictReason {
    /// A pointer that does not go back.
    Pointer,
    /// The message ends too early for it.
    EndOfData,
    /// RDATA of a length that its type forbids.
    RdataLength,
    /// The reserved bit Z.
    ReservedBit,
    /// A label type other than text and pointer.
    LabelType,
    /// A QTYPE that it does not know.
    QuestionType,
    /// A QCLASS that it does not know.
    QuestionClass,
    /// A TYPE that it does not know.
    RecordType,
    /// A CLASS that it does not know, as each dynamic update has.
    RecordClass,
    /// A byte above 0x7f in a label.
    HighBytes,
    /// A second OPT record.
    SeveralOpt,
    /// Anything else.
    Other,
}

impl StrictReason {
    /// The word for it in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pointer => "pointer",
            Self::EndOfData => "end_of_data",
            Self::RdataLength => "rdata_length",
            Self::ReservedBit => "reserved_bit",
            Self::LabelType => "label_type",
            Self::QuestionType => "question_type",
            Self::QuestionClass => "question_class",
            Self::RecordType => "record_type",
            Self::RecordClass => "record_class",
            Self::HighBytes => "high_bytes",
            Self::SeveralOpt => "several_opt",
            Self::Other => "other",
        }
    }
}

/// Asks the strict parser about `bytes`. `None` when it is not asked: our own walk found the message
/// broken, or it is larger than 1,500 bytes or took 16 pointers or more.
pub fn second_opinion(bytes: &[u8]) -> Option<StrictVerdict> {
    let summary = Message::parse(bytes).filter(|_| bytes.len() <= LARGEST)?.summary();
    if summary.anomalies.is_broken() || summary.hops >= HOPS {
        return None;
    }
    Some(match Packet::parse(bytes) {
        Ok(_) => StrictVerdict::Accepts,
        Err(error) => StrictVerdict::Refuses(reason(&error)),
    })
}

fn reason(error: &Error) -> StrictReason {
    match error {
        Error::BadPointer => StrictReason::Pointer,
        Error::HeaderTooShort | Error::UnexpectedEOF => StrictReason::EndOfData,
        Error::WrongRdataLength => StrictReason::RdataLength,
        Error::ReservedBitsAreNonZero => StrictReason::ReservedBit,
        Error::UnknownLabelFormat => StrictReason::LabelType,
        Error::InvalidQueryType(_) => StrictReason::QuestionType,
        Error::InvalidQueryClass(_) => StrictReason::QuestionClass,
        Error::InvalidType(_) => StrictReason::RecordType,
        Error::InvalidClass(_) => StrictReason::RecordClass,
        Error::LabelIsNotAscii => StrictReason::HighBytes,
        Error::AdditionalOPT => StrictReason::SeveralOpt,
        Error::TxtDataIsNotUTF8(_) | Error::WrongState => StrictReason::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{FIRST, Sample, query, response, wire};
    use super::*;
    use crate::protocol::dns::{DnsAnomaly, NameScratch, kind};

    /// What the walk reads: the question's name and the number of records.
    fn walk(bytes: &[u8]) -> (String, usize) {
        let message = Message::parse(bytes).unwrap();
        let mut scratch = NameScratch::new();
        let question = message.questions().next().unwrap();
        (question.name.unpack(&mut scratch).unwrap().to_string(), message.records().count())
    }

    /// The message is refused for `reason`, and the walk reads all of it.
    fn refused(bytes: &[u8], reason: StrictReason, records: usize) {
        assert_eq!(second_opinion(bytes), Some(StrictVerdict::Refuses(reason)));
        assert_eq!(walk(bytes), ("example.com".to_owned(), records));
    }

    #[test]
    fn what_the_strict_parser_refuses_the_walk_reads() {
        for kind in [35, 43, 47, 48, 52, 64, 65, 251, 257, 4711, 65399] {
            refused(&query("example.com", kind), StrictReason::QuestionType, 0);
        }
        let rrsig = b"\0\x01\x08\x02\0\0\x01\x2c\0\0\0\x02\0\0\0\x01\0\x07\x03com\0sig";
        let tsig = b"\x04hmac\0\0\0\0\0\0\0\x01\x2c\0\0\0\0\0\0\0\0";
        for (kind, rdata) in [
            (kind::RRSIG, rrsig.as_slice()),
            (kind::DNAME, b"\xc0\x0c"),
            (kind::HTTPS, b"\0\x01\0"),
            (250, tsig),
            (65399, b"\x01\x02"),
        ] {
            let bytes = Sample::new(0x8180, [1, 1, 0, 0])
                .question(&wire("example.com"), 1, 1)
                .record(&FIRST.to_be_bytes(), kind, 1, rdata)
                .build();
            refused(&bytes, StrictReason::RecordType, 1);
        }
        for class in [0, 254, 255, 5] {
            let bytes = Sample::new(5 << 11, [1, 0, 1, 0])
                .question(&wire("example.com"), 6, 1)
                .record(b"\x04host\xc0\x0c", 1, class, &[192, 0, 2, 1])
                .build();
            refused(&bytes, StrictReason::RecordClass, 1);
        }
        let bytes = Sample::new(0, [1, 0, 0, 0]).question(&wire("example.com"), 1, 7).build();
        refused(&bytes, StrictReason::QuestionClass, 0);
        let mut z = query("example.com", 1);
        z[3] |= 0x40;
        refused(&z, StrictReason::ReservedBit, 0);
        let opts = |owner: &[u8]| {
            Sample::new(0x0100, [1, 0, 0, 2])
                .question(&wire("example.com"), 1, 1)
                .record(b"\0", kind::OPT, 1232, b"")
                .record(owner, kind::OPT, 1232, b"")
                .build()
        };
        refused(&opts(b"\0"), StrictReason::SeveralOpt, 2);
        refused(&opts(b"\xc0\x0c"), StrictReason::RecordClass, 2);
    }

    #[test]
    fn bytes_of_a_tunnel_are_read() {
        let bytes =
            Sample::new(0x0100, [1, 0, 0, 0]).question(b"\x05p\xc3\x28\xff\x80\x01t\x02co\0", 10, 1).build();
        assert_eq!(second_opinion(&bytes), Some(StrictVerdict::Refuses(StrictReason::HighBytes)));
        assert_eq!(walk(&bytes).0, "p\\195(\\255\\128.t.co");
    }

    #[test]
    fn of_a_broken_message_the_walk_reads_what_is_there_and_nobody_is_asked() {
        let short_address = response("example.com", 1, &[1, 2, 3]);
        let empty_txt = response("example.com", 16, b"");
        let whole = response("example.com", 1, &[192, 0, 2, 1]);
        let mut lying = query("example.com", 1);
        lying[5] = 2;
        for (bytes, records, anomaly) in [
            (short_address.as_slice(), 1, DnsAnomaly::RdataLength),
            (&empty_txt, 1, DnsAnomaly::RdataLength),
            (&whole[..whole.len() - 2], 1, DnsAnomaly::Cut),
            (&whole[..32], 0, DnsAnomaly::Cut),
            (&lying, 0, DnsAnomaly::CountsTooHigh),
        ] {
            assert_eq!(walk(bytes), ("example.com".to_owned(), records));
            assert!(Message::parse(bytes).unwrap().summary().anomalies.has(anomaly));
            assert_eq!(second_opinion(bytes), None);
        }
    }

    #[test]
    fn ordinary_messages_are_accepted() {
        for bytes in [query("example.com", 1), response("example.com", 1, &[192, 0, 2, 1])] {
            assert_eq!(second_opinion(&bytes), Some(StrictVerdict::Accepts));
        }
    }

    #[test]
    fn large_messages_and_many_pointers_are_kept_from_it() {
        let mut sample = Sample::new(0x8180, [1, 16, 0, 0]).question(&wire("example.com"), 1, 1);
        for _ in 0..16 {
            sample = sample.record(&FIRST.to_be_bytes(), 1, 1, &[192, 0, 2, 1]);
        }
        assert_eq!(second_opinion(&sample.build()), None);
        assert_eq!(second_opinion(&response("example.com", kind::NULL, &[0; 1500])), None);
        assert_eq!(second_opinion(b"short"), None);
    }
}
