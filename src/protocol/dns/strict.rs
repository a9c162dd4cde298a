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
