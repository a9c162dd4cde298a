//! A view of one DNS message.

use crate::bytes::Reader;
use crate::limits::DNS_RECORDS;

use super::packed::{HEADER_BYTES, end_of_name};
use super::{DnsAnomaly, NameBreak, PackedName};

/// The reserved bit Z in the header's fourth byte.
const Z: u8 = 0x40;

/// A DNS message; everything borrowed. Reading is lazy and lax: what stands before a break is given.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    header: dns_parser::Header,
    reserved_bit: bool,
}

/// The sections of a message. A dynamic update calls them zone, prerequisite, update and additional
/// (RFC 2136 section 2).
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
    pub name: PackedName<'a>,
    /// QTYPE.
    pub kind: u16,
    /// QCLASS (in mDNS the top bit asks for a unicast answer).
    pub class: u16,
}

/// One resource record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Which section it stands in.
    pub section: Section,
    /// Owner.
    pub name: PackedName<'a>,
    /// TYPE.
    pub kind: u16,
    /// CLASS (of OPT: the sender's UDP size; in mDNS the top bit says that older records are to be forgotten).
    pub class: u16,
    /// Time to live in seconds (of OPT: extended rcode, version and flags).
    pub ttl: u32,
    /// RDATA as it stands in the message; shorter than `rdata_length` when the message was cut.
    pub rdata: &'a [u8],
    /// RDLENGTH.
    pub rdata_length: u16,
    /// The message, for the names that RDATA points to.
    pub(super) message: &'a [u8],
    /// Where in it RDATA begins. Invariant: `rdata` is `message[rdata_at..][..rdata.len()]`.
    pub(super) rdata_at: usize,
}

impl<'a> Message<'a> {
    /// A view of `bytes`, which are one message without TCP's length; `None` when they are too few for a header.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut header: [u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        // The strict parser refuses a header with Z set, so that it is shown one without and we keep the bit.
        let reserved_bit = header.get(3)? & Z != 0;
        *header.get_mut(3)? &= !Z;
        let header = dns_parser::Header::parse(&header).ok()?;
        Some(Self { bytes, header, reserved_bit })
    }

    /// The message's bytes.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The number that an answer repeats from its question.
    pub const fn id(&self) -> u16 {
        self.header.id
    }

    /// The header's second 16 bits, as EVE's `flags` shows them.
    pub fn flags(&self) -> u16 {
        crate::bytes::u16_at(self.bytes, 2).unwrap_or_default()
    }

    /// QR: this is a response.
    pub const fn is_response(&self) -> bool {
        !self.header.query
    }

    /// What is asked for: 0 a query, 4 NOTIFY, 5 UPDATE ...; four bits.
    pub fn opcode(&self) -> u8 {
        let opcode: u16 = self.header.opcode.into();
        // Four bits wide in the header.
        opcode as u8
    }

    /// AA: the responder has authority over the name.
    pub const fn authoritative(&self) -> bool {
        self.header.authoritative
    }

    /// TC: something was left out.
    pub const fn truncated(&self) -> bool {
        self.header.truncated
    }

    /// RD: the asker wants recursion.
    pub const fn recursion_desired(&self) -> bool {
        self.header.recursion_desired
    }

    /// RA: the responder offers recursion.
    pub const fn recursion_available(&self) -> bool {
        self.header.recursion_available
    }

    /// Z: the reserved bit.
    pub const fn z(&self) -> bool {
        self.reserved_bit
    }

    /// AD: the data was validated (RFC 4035).
    pub const fn authenticated_data(&self) -> bool {
        self.header.authenticated_data
    }

    /// CD: the asker wants no validation (RFC 4035).
    pub const fn checking_disabled(&self) -> bool {
        self.header.checking_disabled
    }

    /// The header's four bits of response code. EDNS may add eight more: [`super::Summary::rcode`].
    pub fn rcode(&self) -> u8 {
        self.header.response_code.into()
    }

    /// How many entries the header says that `section` has.
    pub const fn declared(&self, section: Section) -> u16 {
        match section {
            Section::Question => self.header.questions,
            Section::Answer => self.header.answers,
            Section::Authority => self.header.nameservers,
            Section::Additional => self.header.additional,
        }
    }

    /// The questions, up to the first break.
    pub const fn questions(&self) -> Questions<'a> {
        Questions {
            message: self.bytes,
            at: HEADER_BYTES,
            left: self.header.questions,
            budget: DNS_RECORDS,
            stop: None,
        }
    }

    /// The records of the other three sections in the order of the message, up to the first break.
    pub fn records(&self) -> Records<'a> {
        let mut questions = self.questions();
        questions.by_ref().for_each(drop);
        self.records_after(&questions)
    }

    /// The records behind `questions`, which must have been read to their end.
    pub(super) const fn records_after(&self, questions: &Questions<'a>) -> Records<'a> {
        Records {
            message: self.bytes,
            at: questions.at,
            section: Section::Answer,
            left: self.header.answers,
            authority: self.header.nameservers,
            additional: self.header.additional,
            budget: DNS_RECORDS,
            stop: questions.stop,
        }
    }
}

/// The questions of a message.
#[derive(Clone, Debug)]
pub struct Questions<'a> {
    message: &'a [u8],
    at: usize,
    left: u16,
    budget: usize,
    stop: Option<DnsAnomaly>,
}

impl Questions<'_> {
    /// Why they ended early, if they did: known when the iterator has ended.
    pub const fn stopped_by(&self) -> Option<DnsAnomaly> {
        self.stop
    }
}

impl<'a> Iterator for Questions<'a> {
    type Item = Question<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stop.is_some() || self.left == 0 {
            return None;
        }
        let entry = Entry::read(self.message, self.at, &mut self.budget);
        let question = entry.and_then(|(name, mut fields)| {
            let kind = fields.u16().ok_or(DnsAnomaly::Cut)?;
            let class = fields.u16().ok_or(DnsAnomaly::Cut)?;
            self.at = fields.position();
            Ok(Question { name, kind, class })
        });
        self.left -= 1;
        question.map_err(|reason| self.stop = Some(reason)).ok()
    }
}

/// The records of a message.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    message: &'a [u8],
    at: usize,
    section: Section,
    left: u16,
    authority: u16,
    additional: u16,
    budget: usize,
    stop: Option<DnsAnomaly>,
}

impl<'a> Records<'a> {
    /// Why they ended early, if they did: known when the iterator has ended.
    pub const fn stopped_by(&self) -> Option<DnsAnomaly> {
        self.stop
    }

    /// Where in the message the next record would begin.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// The section of the next record, if one is declared.
    fn next_section(&mut self) -> Option<Section> {
        while self.left == 0 {
            (self.section, self.left) = match self.section {
                Section::Question | Section::Answer => (Section::Authority, self.authority),
                Section::Authority => (Section::Additional, self.additional),
                Section::Additional => return None,
            };
        }
        Some(self.section)
    }

    fn read(&mut self, section: Section) -> Result<Record<'a>, DnsAnomaly> {
        let (name, mut fields) = Entry::read(self.message, self.at, &mut self.budget)?;
        let kind = fields.u16().ok_or(DnsAnomaly::Cut)?;
        let class = fields.u16().ok_or(DnsAnomaly::Cut)?;
        let ttl = fields.u32().ok_or(DnsAnomaly::Cut)?;
        let rdata_length = fields.u16().ok_or(DnsAnomaly::Cut)?;
        let rdata_at = fields.position();
        let rdata = fields.take_up_to(rdata_length.into());
        self.at = fields.position();
        if rdata.len() < usize::from(rdata_length) {
            self.stop = Some(DnsAnomaly::Cut);
        }
        Ok(Record { section, name, kind, class, ttl, rdata, rdata_length, message: self.message, rdata_at })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stop.is_some() {
            return None;
        }
        let section = self.next_section()?;
        self.left -= 1;
        self.read(section).map_err(|reason| self.stop = Some(reason)).ok()
    }
}

/// What questions and records have in common: they begin with a name.
struct Entry;

impl Entry {
    /// The name at `at`, and a cursor behind it that counts from the message's first byte.
    fn read<'a>(
        message: &'a [u8],
        at: usize,
        budget: &mut usize,
    ) -> Result<(PackedName<'a>, Reader<'a>), DnsAnomaly> {
        if at >= message.len() {
            return Err(DnsAnomaly::CountsTooHigh);
        }
        *budget = budget.checked_sub(1).ok_or(DnsAnomaly::TooManyRecords)?;
        let end = end_of_name(message, at).map_err(DnsAnomaly::from)?;
        let mut fields = Reader::new(message);
        fields.skip(end).ok_or(DnsAnomaly::Cut)?;
        Ok((PackedName::new(message, at), fields))
    }
}

impl From<NameBreak> for DnsAnomaly {
    fn from(reason: NameBreak) -> Self {
        match reason {
            NameBreak::Cut => Self::Cut,
            NameBreak::PointerOutside => Self::PointerOutside,
            NameBreak::PointerLoop => Self::PointerLoop,
            NameBreak::TooManyHops => Self::TooManyHops,
            NameBreak::TooLong => Self::NameTooLong,
            NameBreak::LabelType => Self::LabelType,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{FIRST, Sample, query, wire};
    use super::*;
    use crate::protocol::dns::NameScratch;

    fn text(name: &PackedName<'_>) -> String {
        name.unpack(&mut NameScratch::new()).unwrap().to_string()
    }

    #[test]
    fn the_header_is_read_bit_by_bit() {
        assert!(Message::parse(&[0; 11]).is_none());
        let bytes = Sample::new(0x8000 | 5 << 11 | 0x0400 | 0x40 | 0x10 | 9, [1, 2, 3, 4]).build();
        let message = Message::parse(&bytes).unwrap();
        assert_eq!((message.id(), message.opcode(), message.rcode()), (0x1234, 5, 9));
        assert!(
            message.is_response() && message.authoritative() && message.z() && message.checking_disabled()
        );
        assert!(!message.truncated() && !message.recursion_desired());
        assert!(!message.recursion_available() && !message.authenticated_data());
        let counts = [Section::Question, Section::Answer, Section::Authority, Section::Additional]
            .map(|section| message.declared(section));
        assert_eq!(counts, [1, 2, 3, 4]);
        assert_eq!(message.flags(), 0xac59);

        let bytes = Sample::new(0x0200 | 0x0100 | 0x80 | 0x20, [0; 4]).build();
        let message = Message::parse(&bytes).unwrap();
        assert!(message.truncated() && message.recursion_desired());
        assert!(message.recursion_available() && message.authenticated_data());
        assert!(!message.is_response() && !message.authoritative() && !message.z());
        assert!(!message.checking_disabled());
    }

    #[test]
    fn every_value_of_opcode_and_rcode_is_a_value() {
        for bits in 0..=15 {
            let bytes = Sample::new(u16::from(bits) << 11 | u16::from(bits), [0; 4]).build();
            let message = Message::parse(&bytes).unwrap();
            assert_eq!((message.opcode(), message.rcode()), (bits, bits));
        }
    }

    #[test]
    fn records_come_in_order_with_their_sections() {
        let bytes = Sample::new(0x8180, [1, 1, 0, 2])
            .question(&wire("www.example.com"), 1, 1)
            .record(&FIRST.to_be_bytes(), 5, 1, b"\x03cdn\xc0\x10")
            .record(b"\xc0\x2d", 1, 0x8001, &[192, 0, 2, 1])
            .record(b"\0", 41, 1232, b"")
            .build();
        let message = Message::parse(&bytes).unwrap();
        let records: Vec<_> = message.records().collect();
        let seen: Vec<_> =
            records.iter().map(|record| (record.section, record.kind, text(&record.name))).collect();
        assert_eq!(seen[0], (Section::Answer, 5, "www.example.com".to_owned()));
        assert_eq!(seen[1], (Section::Additional, 1, "cdn.example.com".to_owned()));
        assert_eq!(seen[2], (Section::Additional, 41, ".".to_owned()));
        assert_eq!(
            (records[1].class, records[1].ttl, records[1].rdata),
            (0x8001, 300, [192, 0, 2, 1].as_slice())
        );
        assert_eq!(message.records().last().map(|record| record.class), Some(1232));
    }

    #[test]
    fn what_stands_before_a_break_is_given() {
        let whole = Sample::new(0x8180, [1, 2, 0, 0])
            .question(&wire("example.com"), 1, 1)
            .record(&FIRST.to_be_bytes(), 1, 1, &[192, 0, 2, 1])
            .record(&FIRST.to_be_bytes(), 1, 1, &[192, 0, 2, 2])
            .build();
        let entries = |length: usize| {
            let message = Message::parse(&whole[..length]).unwrap();
            let mut records = message.records();
            let lengths: Vec<_> = records.by_ref().map(|record| record.rdata.len()).collect();
            (message.questions().count(), lengths, records.stopped_by())
        };
        assert_eq!(entries(whole.len()), (1, vec![4, 4], None));
        assert_eq!(entries(whole.len() - 1), (1, vec![4, 3], Some(DnsAnomaly::Cut)));
        assert_eq!(entries(whole.len() - 5), (1, vec![4], Some(DnsAnomaly::Cut)));
        assert_eq!(entries(whole.len() - 16), (1, vec![4], Some(DnsAnomaly::CountsTooHigh)));
        assert_eq!(entries(29), (1, vec![], Some(DnsAnomaly::CountsTooHigh)));
        assert_eq!(entries(28), (0, vec![], Some(DnsAnomaly::Cut)));
        assert_eq!(entries(12), (0, vec![], Some(DnsAnomaly::CountsTooHigh)));
    }

    #[test]
    fn a_name_that_breaks_does_not_end_the_message() {
        let bytes = Sample::new(0x8180, [1, 1, 0, 0])
            .question(&FIRST.to_be_bytes(), 1, 1)
            .record(&wire("example.com"), 1, 1, &[192, 0, 2, 1])
            .build();
        let message = Message::parse(&bytes).unwrap();
        let question = message.questions().next().unwrap();
        assert_eq!(question.name.unpack(&mut NameScratch::new()).err(), Some(NameBreak::PointerLoop));
        assert_eq!(message.records().map(|record| text(&record.name)).collect::<Vec<_>>(), ["example.com"]);
    }

    #[test]
    fn records_are_limited() {
        let mut sample = Sample::new(0x8180, [0, 600, 0, 0]);
        for _ in 0..600 {
            sample = sample.record(b"\0", 1, 1, &[192, 0, 2, 1]);
        }
        let bytes = sample.build();
        let mut records = Message::parse(&bytes).unwrap().records();
        assert_eq!(records.by_ref().count(), DNS_RECORDS);
        assert_eq!(records.stopped_by(), Some(DnsAnomaly::TooManyRecords));
    }

    #[test]
    fn a_count_that_lies_costs_no_time_and_hides_nothing() {
        let mut bytes = query("example.com", 1);
        bytes[4..12].fill(0xff);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.questions().count(), 1);
        assert_eq!(message.records().count(), 0);
        assert_eq!(message.records().stopped_by(), Some(DnsAnomaly::CountsTooHigh));
    }
}
