//! A view of one DNS message.

use super::Name;

/// A DNS message; everything borrowed. Reading is lazy and lax: what stands before a break is given.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
}

/// The sections of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are RFC 1035's own")]
pub enum Section {
    Question,
    Answer,
    Authority,
    Additional,
}

/// One entry of the question section.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The name asked for.
    pub name: Name<'a>,
    /// QTYPE.
    pub kind: u16,
    /// QCLASS.
    pub class: u16,
}

/// One resource record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Which section it stands in.
    pub section: Section,
    /// Owner.
    pub name: Name<'a>,
    /// TYPE.
    pub kind: u16,
    /// CLASS (of OPT: the sender's UDP size).
    pub class: u16,
    /// Time to live in seconds (of OPT: extended rcode, version and flags).
    pub ttl: u32,
    /// RDATA as it stands in the message; shorter than its length field when the message was cut.
    pub data: &'a [u8],
}

/// Oddities of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DnsAnomalies(pub u16);

impl<'a> Message<'a> {
    /// Stub.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        Some(Self { bytes })
    }
    /// The message's bytes.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
