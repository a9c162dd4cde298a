//! EVE's `dns` (version 3) and `mdns`.

use std::borrow::Cow;

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    EventOptions,
    eve::{ApplicationObject, Event, is_false},
    line::Bounds,
    text::{Hex, safe_within},
};
use crate::{
    flow::{Direction, FiveTuple},
    observation::{DnsSeen, DnsService, Head},
    protocol::dns::{
        Message, NameScratch, PackedName, RData, Record, Section, StrictVerdict, rcode_name, rdata_text,
        second_opinion, type_name,
    },
};

/// The record of one message, the `number`th of its flow (from 0). The source is the one who sent it.
pub(super) fn event<'a>(
    head: &'a Head,
    seen: &DnsSeen<'_>,
    number: u64,
    options: &EventOptions,
    bounds: Bounds,
) -> Event<'a> {
    let FiveTuple { client, server, .. } = head.flow.tuple;
    let ends = match head.direction {
        Direction::ToServer => (client, server),
        Direction::ToClient => (server, client),
    };
    let (name, service) = match seen.service {
        DnsService::Dns => ("dns", None),
        DnsService::Mdns => ("mdns", None),
        // EVE knows nothing of LLMNR, whose messages have the form of DNS.
        DnsService::Llmnr => ("dns", Some("llmnr")),
    };
    let mut event = Event::new(name, head, ends, options, bounds);
    event.app_proto = Some(name);
    event.application = match seen.service {
        DnsService::Mdns => ApplicationObject::Mdns(MdnsObject::new(&seen.message, bounds)),
        _ => ApplicationObject::Dns(DnsObject::new(&seen.message, Some(number), bounds)),
    };
    event.note(|note| {
        note.service = service;
        note.strict_parser = match second_opinion(seen.message.bytes()) {
            Some(StrictVerdict::Refuses(reason)) => Some(reason.as_str()),
            _ => None,
        };
        note.anomalies = seen.message.summary().anomalies.iter().map(|anomaly| anomaly.as_str()).collect();
    })
}

/// EVE's `dns` in version 3.
#[derive(Serialize)]
pub(super) struct DnsObject {
    version: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tx_id: Option<u64>,
    id: u16,
    flags: String,
    #[serde(skip_serializing_if = "is_false")]
    qr: bool,
    #[serde(skip_serializing_if = "is_false")]
    aa: bool,
    #[serde(skip_serializing_if = "is_false")]
    tc: bool,
    #[serde(skip_serializing_if = "is_false")]
    rd: bool,
    #[serde(skip_serializing_if = "is_false")]
    ra: bool,
    #[serde(skip_serializing_if = "is_false")]
    z: bool,
    opcode: u8,
    rcode: Cow<'static, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queries: Vec<Query>,
    #[serde(flatten)]
    answers: Answers,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorities: Vec<Resource>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    additionals: Vec<Resource>,
}

impl DnsObject {
    /// The object of `message`; `tx_id` is its number in the flow, when that is known.
    pub(super) fn new(message: &Message<'_>, tx_id: Option<u64>, bounds: Bounds) -> Self {
        let [answers, authorities, additionals] = resources(message, bounds);
        Self {
            version: 3,
            kind: message_kind(message),
            tx_id,
            id: message.id(),
            flags: format!("{:x}", message.flags()),
            qr: message.is_response(),
            aa: message.authoritative(),
            tc: message.truncated(),
            rd: message.recursion_desired(),
            ra: message.recursion_available(),
            z: message.z(),
            opcode: message.opcode(),
            rcode: rcode_name(message.rcode().into()),
            queries: queries(message, bounds),
            answers: Answers(answers),
            authorities,
            additionals,
        }
    }
}

/// EVE's `mdns`.
#[derive(Serialize)]
pub(super) struct MdnsObject {
    #[serde(rename = "type")]
    kind: &'static str,
    id: u16,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flags: Vec<&'static str>,
    opcode: u8,
    rcode: u8,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queries: Vec<Query>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    answers: Vec<MdnsResource>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorities: Vec<MdnsResource>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    additionals: Vec<MdnsResource>,
}

impl MdnsObject {
    fn new(message: &Message<'_>, bounds: Bounds) -> Self {
        let flags = [
            (message.authoritative(), "aa"),
            (message.truncated(), "tc"),
            (message.recursion_desired(), "rd"),
            (message.recursion_available(), "ra"),
            (message.z(), "z"),
            (message.authenticated_data(), "ad"),
            (message.checking_disabled(), "cd"),
        ];
        let mut queries = queries(message, bounds);
        for query in &mut queries {
            query.rrtype = query.rrtype.to_lowercase().into();
        }
        let [answers, authorities, additionals] =
            resources(message, bounds).map(|section| section.into_iter().map(MdnsResource).collect());
        Self {
            kind: message_kind(message),
            id: message.id(),
            flags: flags.into_iter().filter_map(|(set, name)| set.then_some(name)).collect(),
            opcode: message.opcode(),
            rcode: message.rcode(),
            queries,
            answers,
            authorities,
            additionals,
        }
    }
}

fn message_kind(message: &Message<'_>) -> &'static str {
    if message.is_response() { "response" } else { "request" }
}

/// A question.
#[derive(Serialize)]
struct Query {
    rrname: String,
    #[serde(skip_serializing_if = "is_false")]
    rrname_truncated: bool,
    rrtype: Cow<'static, str>,
}

fn queries(message: &Message<'_>, bounds: Bounds) -> Vec<Query> {
    let query = |kind, name: &PackedName<'_>| {
        let (rrname, rrname_truncated) = name_text(name, bounds);
        Query { rrname, rrname_truncated, rrtype: type_name(kind) }
    };
    message.questions().take(bounds.list).map(|question| query(question.kind, &question.name)).collect()
}

/// A resource record.
#[derive(Serialize)]
struct Resource {
    rrname: String,
    #[serde(skip_serializing_if = "is_false")]
    rrname_truncated: bool,
    rrtype: Cow<'static, str>,
    ttl: u32,
    #[serde(flatten)]
    data: Data,
    /// The strings of a TXT record one by one, which only `mdns` shows.
    #[serde(skip)]
    strings: Vec<String>,
}

/// What a record says: text, or an object where EVE has one.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Data {
    Rdata(String),
    Soa(SoaObject),
    Srv(SrvObject),
    Sshfp(SshfpObject),
}

/// EVE's `soa`.
#[derive(Serialize)]
struct SoaObject {
    mname: String,
    rname: String,
    serial: u32,
    refresh: u32,
    retry: u32,
    expire: u32,
    minimum: u32,
}

/// EVE's `srv`.
#[derive(Serialize)]
struct SrvObject {
    priority: u16,
    weight: u16,
    port: u16,
    name: String,
}

/// EVE's `sshfp`.
#[derive(Serialize)]
struct SshfpObject {
    fingerprint: String,
    algo: u8,
    #[serde(rename = "type")]
    kind: u8,
}

/// The records of the answer, authority and additional sections.
fn resources(message: &Message<'_>, bounds: Bounds) -> [Vec<Resource>; 3] {
    let mut sections = [const { Vec::new() }; 3];
    for record in message.records() {
        let [answers, authorities, additionals] = &mut sections;
        let section = match record.section {
            Section::Question | Section::Answer => answers,
            Section::Authority => authorities,
            Section::Additional => additionals,
        };
        if section.len() < bounds.list {
            section.push(Resource::new(&record, bounds));
        }
    }
    sections
}

impl Resource {
    fn new(record: &Record<'_>, bounds: Bounds) -> Self {
        let (rrname, rrname_truncated) = name_text(&record.name, bounds);
        let data = record.data();
        let strings = match data {
            RData::Txt(strings) => strings
                .take(bounds.list)
                .map(|string| safe_within(string, bounds.text).into_owned())
                .collect(),
            _ => Vec::new(),
        };
        Self {
            rrname,
            rrname_truncated,
            rrtype: type_name(record.kind),
            ttl: record.ttl,
            data: Data::new(record, &data, bounds),
            strings,
        }
    }
}

impl Data {
    fn new(record: &Record<'_>, data: &RData<'_>, bounds: Bounds) -> Self {
        match data {
            RData::Soa(soa) => Self::Soa(SoaObject {
                mname: name_text(&soa.mname, bounds).0,
                rname: name_text(&soa.rname, bounds).0,
                serial: soa.serial,
                refresh: soa.refresh,
                retry: soa.retry,
                expire: soa.expire,
                minimum: soa.minimum,
            }),
            RData::Srv { priority, weight, port, target } => Self::Srv(SrvObject {
                priority: *priority,
                weight: *weight,
                port: *port,
                name: name_text(target, bounds).0,
            }),
            RData::Sshfp { algorithm, hash, fingerprint } => {
                let fingerprint = Hex { bytes: fingerprint, separator: ":" }.to_string();
                let fingerprint = shorten(fingerprint, bounds);
                Self::Sshfp(SshfpObject { fingerprint, algo: *algorithm, kind: *hash })
            }
            _ => {
                let mut text = String::new();
                let cut = rdata_text(record, &mut text);
                if cut {
                    text.push_str("...");
                }
                Self::Rdata(shorten(text, bounds))
            }
        }
    }
}

/// EVE's `answers`, and the same by type in `grouped`.
struct Answers(Vec<Resource>);

/// Types that `grouped` has: more in one message are no answer to anything.
const GROUPED_TYPES: usize = 16;

impl Serialize for Answers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        if !self.0.is_empty() {
            object.serialize_entry("answers", &self.0)?;
            object.serialize_entry("grouped", &Grouped(&self.0))?;
        }
        object.end()
    }
}

/// What the answers say, by type, types in the order of their first answer.
struct Grouped<'a>(&'a [Resource]);

impl Serialize for Grouped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut types: Vec<&str> = Vec::new();
        for answer in self.0 {
            if types.len() < GROUPED_TYPES && !types.contains(&&*answer.rrtype) {
                types.push(&answer.rrtype);
            }
        }
        serializer.collect_map(types.into_iter().map(|rrtype| (rrtype, Group { answers: self.0, rrtype })))
    }
}

/// What the answers of one type say.
struct Group<'a> {
    answers: &'a [Resource],
    rrtype: &'a str,
}

impl Serialize for Group<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let of_type = self.answers.iter().filter(|answer| answer.rrtype == self.rrtype);
        serializer.collect_seq(of_type.map(|answer| Value(&answer.data)))
    }
}

/// What a record says, without the key that `answers` puts before it.
struct Value<'a>(&'a Data);

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Data::Rdata(text) => serializer.serialize_str(text),
            Data::Soa(object) => object.serialize(serializer),
            Data::Srv(object) => object.serialize(serializer),
            Data::Sshfp(object) => object.serialize(serializer),
        }
    }
}

/// A record of `mdns`: what it says stands under its type's name.
struct MdnsResource(Resource);

impl Serialize for MdnsResource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Resource { rrname, rrname_truncated, rrtype, data, strings, .. } = &self.0;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("rrname", rrname)?;
        if *rrname_truncated {
            object.serialize_entry("rrname_truncated", &true)?;
        }
        let key = rrtype.to_lowercase();
        if strings.is_empty() {
            object.serialize_entry(&key, &Value(data))?;
        } else {
            object.serialize_entry(&key, strings)?;
        }
        object.end()
    }
}

/// A name in presentation form, case as seen, and whether it broke: then the labels before the break.
fn name_text(name: &PackedName<'_>, bounds: Bounds) -> (String, bool) {
    let mut scratch = NameScratch::new();
    let whole = name.unpack(&mut scratch).map(|name| name.to_string());
    let broke = whole.is_err();
    (shorten(whole.unwrap_or_else(|_| scratch.before_break().to_string()), bounds), broke)
}

/// Text of ours, printable ASCII, within the bounds.
fn shorten(text: String, bounds: Bounds) -> String {
    if text.len() <= bounds.text { text } else { safe_within(text.as_bytes(), bounds.text).into_owned() }
}
