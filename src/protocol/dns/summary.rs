//! Everything that one pass over a message tells.

use crate::limits::DNS_POINTER_HOPS;

use super::packed::PackedName;
use super::{DnsAnomalies, DnsAnomaly, Message, Record, Section, kind};

/// Opcodes that are assigned: QUERY, IQUERY, STATUS, NOTIFY, UPDATE, DSO.
const ASSIGNED_OPCODES: [u8; 6] = [0, 1, 2, 4, UPDATE, 6];
/// The opcode of a dynamic update.
const UPDATE: u8 = 5;
/// Pointers that each name may bring beyond the message's budget, so that no ordinary message, however
/// long, uses that up: a name mostly needs one, or two where the sender points at pointers.
const HOPS_PER_NAME: usize = 4;

/// What was found in a message when all of it was read once.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// What was odd.
    pub anomalies: DnsAnomalies,
    /// Questions that could be read.
    pub questions: u16,
    /// Records that could be read in the answer, authority and additional section.
    pub records: [u16; 3],
    /// The first OPT record.
    pub edns: Option<Edns<'a>>,
    /// Bytes that were read; what follows is trailing or unreadable.
    pub read: usize,
    /// Compression pointers followed, all names together.
    pub hops: usize,
    hop_budget: usize,
    rcode: u8,
}

/// What an OPT record says (RFC 6891 section 6.1.3).
#[derive(Clone, Copy, Debug)]
pub struct Edns<'a> {
    /// The largest UDP message that the sender takes.
    pub udp_size: u16,
    /// The upper eight bits of the response code.
    pub extended_rcode: u8,
    /// EDNS version; 0 is the only one so far.
    pub version: u8,
    /// DO (0x8000) and bits not assigned.
    pub flags: u16,
    /// The options, unread: [`Record::data`] gives them one by one.
    pub options: &'a [u8],
}

impl Summary<'_> {
    /// The response code, of twelve bits where the message has an OPT record.
    pub fn rcode(&self) -> u16 {
        let upper = self.edns.map_or(0, |edns| edns.extended_rcode);
        u16::from(upper) << 4 | u16::from(self.rcode)
    }
}

impl<'a> Message<'a> {
    /// Whether the opcode is one of IANA's registry.
    pub(super) fn has_assigned_opcode(&self) -> bool {
        ASSIGNED_OPCODES.contains(&self.opcode())
    }

    /// Reads all of the message once: names, records and their contents.
    pub fn summary(&self) -> Summary<'a> {
        let mut summary = Summary {
            anomalies: DnsAnomalies::default(),
            questions: 0,
            records: [0; 3],
            edns: None,
            read: 0,
            hops: 0,
            hop_budget: DNS_POINTER_HOPS,
            rcode: self.rcode(),
        };
        let update = self.opcode() == UPDATE;
        let anomalies = &mut summary.anomalies;
        anomalies.add_if(self.truncated(), DnsAnomaly::Truncated);
        anomalies.add_if(self.z(), DnsAnomaly::ReservedBit);
        anomalies.add_if(update, DnsAnomaly::Update);
        anomalies.add_if(!self.has_assigned_opcode(), DnsAnomaly::UnknownOpcode);
        anomalies.add_if(self.declared(Section::Question) > 1, DnsAnomaly::SeveralQuestions);

        let mut questions = self.questions();
        for question in questions.by_ref() {
            summary.questions += 1;
            summary.check_name(&question.name);
        }
        let mut records = self.records_after(&questions);
        for record in records.by_ref() {
            summary.check_record(&record, update);
        }
        summary.read = records.position();
        if let Some(reason) = records.stopped_by() {
            summary.anomalies.add(reason);
        } else {
            summary.anomalies.add_if(summary.read < self.bytes().len(), DnsAnomaly::TrailingBytes);
        }
        summary
    }
}

impl<'a> Summary<'a> {
    fn check_record(&mut self, record: &Record<'a>, update: bool) {
        let index = match record.section {
            Section::Question | Section::Answer => 0,
            Section::Authority => 1,
            Section::Additional => 2,
        };
        if let Some(count) = self.records.get_mut(index) {
            *count += 1;
        }
        self.check_name(&record.name);
        if let Some(edns) = record.edns() {
            self.anomalies.add_if(!record.name.is_root(), DnsAnomaly::OptOwner);
            self.anomalies.add_if(self.edns.is_some(), DnsAnomaly::SeveralOpt);
            self.edns.get_or_insert(edns);
        }
        // An update deletes with records that have no RDATA (RFC 2136 section 2.5.2).
        if update && record.rdata_length == 0 {
            return;
        }
        let (data, fits) = record.read_data();
        // Of a record that was cut it is known already why it does not fit.
        let cut = record.rdata.len() < usize::from(record.rdata_length);
        self.anomalies.add_if(!fits && !cut, DnsAnomaly::RdataLength);
        data.for_each_name(|name| self.check_name(name));
    }

    fn check_name(&mut self, name: &PackedName<'a>) {
        self.hop_budget += HOPS_PER_NAME;
        if self.hops >= self.hop_budget {
            self.anomalies.add(DnsAnomaly::TooManyHops);
            return;
        }
        let mut ascii = true;
        let trail = name.follow(|labels| ascii &= labels.is_ascii());
        self.hops += trail.hops;
        self.anomalies.add_if(!ascii, DnsAnomaly::HighBytes);
        self.anomalies.add_if(trail.forward, DnsAnomaly::PointerForward);
        self.anomalies.add_if(trail.into_header, DnsAnomaly::PointerIntoHeader);
        if let Err(reason) = trail.end {
            self.anomalies.add(reason.into());
        }
    }
}

impl<'a> Record<'a> {
    /// What the record says as an OPT record; `None` of any other type.
    pub fn edns(&self) -> Option<Edns<'a>> {
        let [extended_rcode, version, high, low] = self.ttl.to_be_bytes();
        (self.kind == kind::OPT).then_some(Edns {
            udp_size: self.class,
            extended_rcode,
            version,
            flags: u16::from_be_bytes([high, low]),
            options: self.rdata,
        })
    }
}
