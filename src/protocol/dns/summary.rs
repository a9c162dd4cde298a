//! Everything that one pass over a message tells.

use crate::limits::DNS_POINTER_HOPS;

use super::code::is_assigned_opcode;
use super::packed::PackedName;
use super::{DnsAnomalies, DnsAnomaly, Message, Record, Section, kind};

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
        anomalies.add_if(!is_assigned_opcode(self.opcode()), DnsAnomaly::UnknownOpcode);
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

#[cfg(test)]
mod tests {
    use super::super::sample::{FIRST, Sample, query, response, seeds, wire};
    use super::*;
    use crate::limits::{DNS_NAME_POINTER_HOPS, DNS_RECORDS};
    use crate::protocol::dns::{NameBreak, NameScratch};

    fn anomalies(bytes: &[u8]) -> Vec<DnsAnomaly> {
        Message::parse(bytes).unwrap().summary().anomalies.iter().collect()
    }

    fn question(name: &[u8]) -> Vec<u8> {
        Sample::new(0x0100, [1, 0, 0, 0]).question(name, 1, 1).build()
    }

    #[test]
    fn ordinary_messages_are_not_odd() {
        for seed in seeds() {
            let summary = Message::parse(&seed).unwrap().summary();
            let odd: Vec<_> = summary.anomalies.iter().filter(|&odd| odd != DnsAnomaly::Update).collect();
            assert_eq!(odd, [], "{seed:02x?}");
            assert_eq!(summary.read, seed.len());
        }
    }

    #[test]
    fn each_oddity_has_its_flag() {
        let mut trailing = query("example.com", 1);
        trailing.push(0);
        assert_eq!(anomalies(&trailing), [DnsAnomaly::TrailingBytes]);
        let whole = query("example.com", 1);
        assert_eq!(anomalies(&whole[..whole.len() - 1]), [DnsAnomaly::Cut]);
        assert_eq!(anomalies(&Sample::new(0, [1, 0, 0, 0]).build()), [DnsAnomaly::CountsTooHigh]);
        assert_eq!(anomalies(&question(b"\xc0\x0c")), [DnsAnomaly::PointerLoop]);
        assert_eq!(anomalies(&question(b"\xff\xff")), [DnsAnomaly::PointerOutside]);
        assert_eq!(anomalies(&question(b"\x01a\xc0\x0a")), [DnsAnomaly::PointerIntoHeader]);
        assert_eq!(anomalies(&question(b"\x40\0")), [DnsAnomaly::LabelType]);
        assert_eq!(anomalies(&question(b"\x02\x80a\0")), [DnsAnomaly::HighBytes]);
        let long = [[b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(4), vec![0]].concat();
        assert_eq!(anomalies(&question(&long)), [DnsAnomaly::NameTooLong]);
        assert_eq!(anomalies(&Sample::new(0x0200, [0; 4]).build()), [DnsAnomaly::Truncated]);
        assert_eq!(anomalies(&Sample::new(0x0040, [0; 4]).build()), [DnsAnomaly::ReservedBit]);
        assert_eq!(anomalies(&Sample::new(5 << 11, [0; 4]).build()), [DnsAnomaly::Update]);
        assert_eq!(anomalies(&Sample::new(9 << 11, [0; 4]).build()), [DnsAnomaly::UnknownOpcode]);
        let forward = Sample::new(0x0100, [2, 0, 0, 0])
            .question(b"\xc0\x12", 1, 1)
            .question(&wire("codemonkey.example"), 1, 1)
            .build();
        assert_eq!(anomalies(&forward), [DnsAnomaly::PointerForward, DnsAnomaly::SeveralQuestions]);
        let opts =
            Sample::new(0, [0, 0, 0, 2]).record(b"\0", 41, 512, b"").record(b"\x01a\0", 41, 512, b"").build();
        assert_eq!(anomalies(&opts), [DnsAnomaly::SeveralOpt, DnsAnomaly::OptOwner]);
    }

    #[test]
    fn rdata_that_does_not_fit_its_type_is_flagged() {
        let cases: [(u16, &[u8]); 13] = [
            (kind::A, b"\x01\x02\x03"),
            (kind::A, b"\x01\x02\x03\x04\x05"),
            (kind::AAAA, &[0; 15]),
            (kind::CNAME, b""),
            (kind::CNAME, b"\x03ab"),
            (kind::CNAME, b"\x01a\0\0"),
            (kind::MX, b"\0"),
            (kind::TXT, b""),
            (kind::TXT, b"\x05abc"),
            (kind::SOA, b"\0\0\0\0\0\x01"),
            (kind::HTTPS, b"\0\x01\0\0\x01\0\x09\x02h2"),
            (kind::HTTPS, b"\0\x01\0\0\x01\0\x03\x09h2"),
            (kind::NSEC, b"\0\0\x21"),
        ];
        for (kind, rdata) in cases {
            let bytes = response("example.com", kind, rdata);
            assert_eq!(anomalies(&bytes), [DnsAnomaly::RdataLength], "{kind} {rdata:?}");
            assert_eq!(Message::parse(&bytes).unwrap().records().count(), 1);
        }
    }

    #[test]
    fn the_extended_response_code_needs_the_opt_record() {
        let mut bytes = Sample::new(0x8180, [0, 0, 0, 1]).record(b"\0", 41, 4096, b"\0\x0a\0\0").build();
        bytes[17..21].copy_from_slice(&[1, 0, 0x80, 0]);
        let message = Message::parse(&bytes).unwrap();
        let edns = message.summary().edns.unwrap();
        assert_eq!((edns.udp_size, edns.version, edns.flags), (4096, 0, 0x8000));
        assert_eq!((message.summary().rcode(), message.rcode()), (16, 0));
        assert_eq!(edns.options, b"\0\x0a\0\0");
    }

    #[test]
    fn a_long_ordinary_message_does_not_use_up_the_pointers() {
        let count = u16::try_from(DNS_RECORDS).unwrap();
        let mut sample = Sample::new(0x8180, [1, count, 0, 0]).question(&wire("example.com"), 2, 1);
        for _ in 0..count {
            sample = sample.record(&FIRST.to_be_bytes(), 2, 1, b"\x02ns\xc0\x0c");
        }
        let bytes = sample.build();
        let summary = Message::parse(&bytes).unwrap().summary();
        assert!(summary.anomalies.is_empty());
        assert_eq!(summary.hops, 2 * DNS_RECORDS);
    }

    /// 8,184 pointers in a chain, which cost a quadratic walk 129 ms and a recursive one the stack, and as
    /// many records as there is room for, each with the end of that chain as its name.
    #[test]
    fn chained_pointers_cost_little() {
        let mut chain = vec![0, 0];
        for target in 0..8184_u16 {
            chain.extend((0xc000 | (23 + 2 * target)).to_be_bytes());
        }
        let records = 3900;
        let mut sample = Sample::new(0x8180, [0, records, 0, 0]).record(b"\0", kind::NULL, 1, &chain);
        let last = 0xc000 | (23 + 2 * 8170_u16);
        for _ in 1..records {
            sample = sample.record(&last.to_be_bytes(), 1, 1, b"");
        }
        let bytes = sample.build();
        let message = Message::parse(&bytes).unwrap();
        let summary = message.summary();
        assert!(summary.anomalies.has(DnsAnomaly::TooManyHops));
        assert!(summary.hops < DNS_POINTER_HOPS + HOPS_PER_NAME * DNS_RECORDS + DNS_NAME_POINTER_HOPS);
        let mut scratch = NameScratch::new();
        for record in message.records().skip(1) {
            assert_eq!(record.name.unpack(&mut scratch).err(), Some(NameBreak::TooManyHops));
            assert_eq!(record.name.follow(|_| {}).hops, DNS_NAME_POINTER_HOPS);
        }
    }
}
