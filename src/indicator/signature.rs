//! Composite signatures: several conditions that one exchange must meet together.
//!
//! Which buffer each field reads (a condition never reads another one):
//!
//! | field | reads | tests |
//! |---|---|---|
//! | `http.method` | the request line's method | text |
//! | `http.target` | the request line's target as sent | text |
//! | `http.path` | the target's path: no query, and of an absolute URL no scheme and host | text |
//! | `http.host` | host of an absolute target, else of the Host field; no port, no final dot, any case | text, `within` |
//! | `http.port` | the server's port on the wire, not the one that Host writes | number |
//! | `http.user_agent` | the User-Agent field | text |
//! | `http.header.<name>` | the first request field of that name | text |
//! | `http.body` | the first 4 KiB of the request's body, transfer coding removed | text, `base64_json` |
//! | `http.body_length` | the request's Content-Length, else the bytes of its body that are held | number |
//! | `response.status` | the status code | number |
//! | `response.header.<name>` | the first response field of that name | text |
//! | `response.body` | the first 4 KiB of the response's body | text, `base64_json` |
//! | `response.body_length` | bytes of the response's body seen on the wire | number |
//! | `flow.remote_address` | the server's address | `equals`, `within` |
//! | `flow.remote_port` | the server's port | number |
//! | `tls.sni` | the ClientHello's server name, any case | text, `within` |
//! | `tls.ja3`, `tls.ja4` | the ClientHello's fingerprints | text |
//! | `tls.alpn` | any of the offered protocols | text |
//! | `tls.certificate.subject`, `.issuer`, `.serial` | the server's first certificate (up to TLS 1.2) | text |
//! | `tls.certificate.name` | any of its alternative names | text, `within` |
//! | `dns.query` | the question's name as text, any case | text, `within` |
//! | `dns.type` | the question's type | number |
//!
//! Tests of a text: `equals`, `prefix`, `suffix`, `contains` (each a text or a list of which one must
//! fit; with `ignore_case = true` whatever the case), `equals_ignore_case`, `lower_case_only = true`
//! (letters, none of them a capital), `absent = true` (the message was seen and lacks the field). Of a
//! number: `equals` (one or a list), `min`, `max`. Of names and addresses: `within`. Of a body:
//! `base64_json_keys`, `base64_json` ([`super::base64_json`]).

use std::fmt;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use ipnet::IpNet;

use super::base64_json::Base64Json;
use super::exchange::{ExchangeFacts, Moment, Target, split_host};
use super::model::{Provenance, Rung, Severity, SignatureId, Validity};
use super::name_map::dotted;
use crate::limits::DNS_NAME_BYTES;
use crate::protocol::dns::Name;

/// A composite signature.
#[derive(Clone, Debug)]
pub struct Signature {
    /// Its id, `axios-stage1-request`, unique over all packs.
    pub id: Arc<str>,
    /// What it means, in a few words.
    pub title: Arc<str>,
    /// How far the attack has got when this is seen.
    pub rung: Rung,
    /// When it holds.
    pub validity: Validity,
    /// Seconds between two of an implant's messages: two sightings about that far apart mean that it
    /// is active.
    pub period_s: Option<u32>,
    /// Line of its file, from 1.
    pub line: u32,
    /// Who says so, and how sure.
    pub provenance: Arc<Provenance>,
    /// The moment at which it is judged.
    pub(super) moment: Moment,
    /// What must hold, cheapest first.
    pub(super) all: Vec<Condition>,
    /// What must not hold.
    pub(super) none: Vec<Condition>,
}

impl Signature {
    /// The author's severity, else what the confidence is worth.
    pub fn severity(&self) -> Severity {
        self.provenance.severity.unwrap_or(Severity::from_confidence(self.provenance.confidence))
    }

    /// The moment at which it is judged.
    pub const fn moment(&self) -> Moment {
        self.moment
    }

    /// Its conditions, as its pack writes them: first what must hold, then what must not.
    pub fn conditions(&self) -> (&[Condition], &[Condition]) {
        (&self.all, &self.none)
    }

    fn holds(&self, facts: &ExchangeFacts<'_>) -> bool {
        self.all.iter().all(|condition| condition.holds(facts))
            && !self.none.iter().any(|condition| condition.holds(facts))
    }
}

/// One condition on one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub(super) field: Field,
    pub(super) test: Test,
}

/// A place in an exchange. The table above says what each reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Method,
    Target,
    Path,
    Host,
    HttpPort,
    UserAgent,
    RequestHeader(Box<str>),
    RequestBody,
    RequestBodyLength,
    Status,
    ResponseHeader(Box<str>),
    ResponseBody,
    ResponseBodyLength,
    RemoteAddress,
    RemotePort,
    Sni,
    Ja3,
    Ja4,
    Alpn,
    CertificateSubject,
    CertificateIssuer,
    CertificateSerial,
    CertificateName,
    QueryName,
    QueryType,
}

/// What a field can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldKind {
    Text,
    Name,
    Body,
    Number,
    Address,
}

/// What is asked of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// One of these texts, where and with or without regard to case.
    Text(Place, bool, Vec<Box<[u8]>>),
    /// One of these names or a name below it; lower case.
    Below(Vec<Box<str>>),
    /// An address in one of these prefixes.
    Within(Vec<IpNet>),
    /// One of these numbers.
    Number(Vec<u64>),
    /// A number from the first to the second, both included.
    Range(u64, u64),
    /// Letters, none of them a capital.
    LowerCaseOnly,
    /// The message was seen and lacks the field.
    Absent,
    /// Base64 of a JSON object with these keys and these members.
    Base64Json(Vec<Box<str>>, Vec<(Box<str>, Box<str>)>),
}

/// Where in a field a text must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Whole,
    Start,
    End,
    Anywhere,
}

/// What an exchange holds in a field.
#[derive(Clone, Copy, Debug)]
enum Held<'a> {
    /// The message that would hold it was not seen.
    Unseen,
    /// The message lacks it.
    Absent,
    Text(&'a [u8]),
    Texts(&'a [String]),
    Bytes(&'a [Vec<u8>]),
    Name(Name<'a>),
    Number(u64),
    Address(IpAddr),
}

impl Field {
    /// Every field's name; the two that end in a dot take a header's name.
    pub(super) const NAMES: [(&'static str, Self); 23] = [
        ("http.method", Self::Method),
        ("http.target", Self::Target),
        ("http.path", Self::Path),
        ("http.host", Self::Host),
        ("http.port", Self::HttpPort),
        ("http.user_agent", Self::UserAgent),
        ("http.body", Self::RequestBody),
        ("http.body_length", Self::RequestBodyLength),
        ("response.status", Self::Status),
        ("response.body", Self::ResponseBody),
        ("response.body_length", Self::ResponseBodyLength),
        ("flow.remote_address", Self::RemoteAddress),
        ("flow.remote_port", Self::RemotePort),
        ("tls.sni", Self::Sni),
        ("tls.ja3", Self::Ja3),
        ("tls.ja4", Self::Ja4),
        ("tls.alpn", Self::Alpn),
        ("tls.certificate.subject", Self::CertificateSubject),
        ("tls.certificate.issuer", Self::CertificateIssuer),
        ("tls.certificate.serial", Self::CertificateSerial),
        ("tls.certificate.name", Self::CertificateName),
        ("dns.query", Self::QueryName),
        ("dns.type", Self::QueryType),
    ];

    /// The field of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        if let Some(header) = name.strip_prefix("http.header.").filter(|header| !header.is_empty()) {
            return Some(Self::RequestHeader(header.into()));
        }
        if let Some(header) = name.strip_prefix("response.header.").filter(|header| !header.is_empty()) {
            return Some(Self::ResponseHeader(header.into()));
        }
        Self::NAMES.into_iter().find(|&(known, _)| known == name).map(|(_, field)| field)
    }

    /// What it can be asked.
    pub(super) const fn kind(&self) -> FieldKind {
        match self {
            Self::Host | Self::Sni | Self::CertificateName | Self::QueryName => FieldKind::Name,
            Self::RequestBody | Self::ResponseBody => FieldKind::Body,
            Self::HttpPort
            | Self::RequestBodyLength
            | Self::Status
            | Self::ResponseBodyLength
            | Self::RemotePort
            | Self::QueryType => FieldKind::Number,
            Self::RemoteAddress => FieldKind::Address,
            _ => FieldKind::Text,
        }
    }

    /// The moment at which it is known; `None` for what every moment knows.
    pub(super) const fn moment(&self) -> Option<Moment> {
        Some(match self {
            Self::Method
            | Self::Target
            | Self::Path
            | Self::Host
            | Self::HttpPort
            | Self::UserAgent
            | Self::RequestHeader(_)
            | Self::RequestBody
            | Self::RequestBodyLength => Moment::Request,
            Self::Status | Self::ResponseHeader(_) | Self::ResponseBody | Self::ResponseBodyLength => {
                Moment::Response
            }
            Self::Sni | Self::Ja3 | Self::Ja4 | Self::Alpn => Moment::ClientHello,
            Self::CertificateSubject
            | Self::CertificateIssuer
            | Self::CertificateSerial
            | Self::CertificateName => Moment::Certificate,
            Self::QueryName | Self::QueryType => Moment::Query,
            Self::RemoteAddress | Self::RemotePort => return None,
        })
    }

    /// What `facts` hold in this field.
    fn held<'a>(&self, facts: &ExchangeFacts<'a>) -> Held<'a> {
        let seen = match self.moment() {
            Some(Moment::Request) => facts.request.is_some(),
            Some(Moment::Response) => facts.response.is_some(),
            Some(Moment::ClientHello) => facts.hello.is_some(),
            Some(Moment::Certificate) => facts.certificate.is_some(),
            Some(Moment::Query) => facts.query.is_some(),
            None => facts.remote_address.is_some(),
        };
        if seen { self.read(facts).unwrap_or(Held::Absent) } else { Held::Unseen }
    }

    fn read<'a>(&self, facts: &ExchangeFacts<'a>) -> Option<Held<'a>> {
        let (request, response) = (facts.request, facts.response);
        let (hello, certificate) = (facts.hello, facts.certificate);
        Some(match self {
            Self::Method => Held::Text(&request?.method),
            Self::Target => Held::Text(&request?.target),
            Self::Path => Held::Text(Target::of(&request?.target).path()),
            Self::Host => {
                let authority = Target::of(&request?.target).authority;
                Held::Text(split_host(authority.or(request?.host.as_deref())?).0)
            }
            Self::UserAgent => Held::Text(request?.user_agent.as_deref()?),
            Self::RequestHeader(name) => Held::Text(header(&request?.headers, name)?),
            Self::RequestBody => Held::Text(&request?.body),
            Self::RequestBodyLength => {
                Held::Number(request?.declared_length.unwrap_or(request?.body.len() as u64))
            }
            Self::Status => Held::Number(u64::from(response?.status)),
            Self::ResponseHeader(name) => Held::Text(header(&response?.headers, name)?),
            Self::ResponseBody => Held::Text(&response?.body),
            Self::ResponseBodyLength => Held::Number(response?.body_length),
            Self::RemoteAddress => Held::Address(facts.remote_address?.to_canonical()),
            Self::RemotePort | Self::HttpPort => Held::Number(u64::from(facts.remote_port?)),
            Self::Sni => Held::Text(hello?.sni.as_deref()?),
            Self::Ja3 => Held::Text(hello?.ja3.as_bytes()),
            Self::Ja4 => Held::Text(hello?.ja4.as_bytes()),
            Self::Alpn => Held::Bytes(&hello?.alpn),
            Self::CertificateSubject => Held::Text(certificate?.subject.as_bytes()),
            Self::CertificateIssuer => Held::Text(certificate?.issuer.as_bytes()),
            Self::CertificateSerial => Held::Text(certificate?.serial.as_bytes()),
            Self::CertificateName => Held::Texts(&certificate?.names),
            Self::QueryName => Held::Name(facts.query?.0),
            Self::QueryType => Held::Number(u64::from(facts.query?.1)),
        })
    }
}

fn header<'a>(headers: &'a [(Vec<u8>, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
    let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|(_, value)| value.as_slice())
}

impl Condition {
    fn holds(&self, facts: &ExchangeFacts<'_>) -> bool {
        match self.field.held(facts) {
            Held::Unseen => false,
            Held::Absent => self.test == Test::Absent,
            Held::Text(text) => self.test.holds_for_text(text),
            Held::Texts(texts) => texts.iter().any(|text| self.test.holds_for_text(text.as_bytes())),
            Held::Bytes(texts) => texts.iter().any(|text| self.test.holds_for_text(text)),
            Held::Name(name) => {
                let mut buffer = [0; DNS_NAME_BYTES];
                self.test.holds_for_text(dotted(name, &mut buffer))
            }
            Held::Number(number) => match &self.test {
                Test::Number(numbers) => numbers.contains(&number),
                Test::Range(low, high) => (low..=high).contains(&&number),
                _ => false,
            },
            Held::Address(address) => match &self.test {
                Test::Within(networks) => networks.iter().any(|network| network.contains(&address)),
                _ => false,
            },
        }
    }

    /// What it costs to judge, roughly: the cheap and telling ones come first.
    pub(super) fn cost(&self) -> u8 {
        match &self.test {
            Test::Number(_) | Test::Range(..) => 0,
            Test::Within(_) | Test::Absent => 1,
            Test::Text(Place::Whole, ..) | Test::Below(_) => 2,
            Test::Text(Place::Start | Place::End, ..) => 3,
            Test::Text(Place::Anywhere, ..) | Test::LowerCaseOnly => 4,
            Test::Base64Json(..) => 5,
        }
    }

    /// The texts of which the field must be one, when that is what it asks: a key to find it by.
    fn keys(&self) -> Option<&[Box<[u8]>]> {
        let keyed = matches!(
            self.field,
            Field::Path
                | Field::Target
                | Field::Host
                | Field::UserAgent
                | Field::Sni
                | Field::Ja3
                | Field::Ja4
        );
        match &self.test {
            Test::Text(Place::Whole, _, texts) if keyed => Some(texts),
            _ => None,
        }
    }
}

impl Test {
    fn holds_for_text(&self, text: &[u8]) -> bool {
        match self {
            Self::Text(place, ignore_case, wanted) => {
                wanted.iter().any(|wanted| place.has(text, wanted, *ignore_case))
            }
            Self::Below(names) => names.iter().any(|name| is_below(text, name)),
            Self::LowerCaseOnly => {
                text.iter().any(u8::is_ascii_lowercase) && !text.iter().any(u8::is_ascii_uppercase)
            }
            Self::Base64Json(keys, members) => {
                Base64Json::read(text).is_some_and(|json| json.has(keys, members))
            }
            Self::Within(_) | Self::Number(_) | Self::Range(..) | Self::Absent => false,
        }
    }
}

impl Place {
    fn has(self, text: &[u8], wanted: &[u8], ignore_case: bool) -> bool {
        let same = |piece: &[u8]| {
            if ignore_case { piece.eq_ignore_ascii_case(wanted) } else { piece == wanted }
        };
        match self {
            Self::Whole => same(text),
            Self::Start => text.get(..wanted.len()).is_some_and(same),
            Self::End => {
                text.len().checked_sub(wanted.len()).and_then(|start| text.get(start..)).is_some_and(same)
            }
            Self::Anywhere => text.windows(wanted.len().max(1)).any(same),
        }
    }
}

/// Whether the name that `text` writes is `name` (lower case, no final dot) or stands below it.
fn is_below(text: &[u8], name: &str) -> bool {
    let text = text.strip_suffix(b".").unwrap_or(text);
    let Some(extra) = text.len().checked_sub(name.len()) else { return false };
    let (above, tail) = text.split_at(extra);
    tail.eq_ignore_ascii_case(name.as_bytes()) && (above.is_empty() || above.ends_with(b"."))
}

impl fmt::Display for Condition {
    /// `http.path equals "/6202033"`: for explanations, not for reading back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Field::RequestHeader(name) => write!(f, "http.header.{name}")?,
            Field::ResponseHeader(name) => write!(f, "response.header.{name}")?,
            field => {
                let name = Field::NAMES.into_iter().find(|(_, known)| known == field);
                f.write_str(name.map_or("", |(name, _)| name))?;
            }
        }
        let texts = |texts: &[Box<[u8]>]| {
            let texts: Vec<_> = texts.iter().map(|text| String::from_utf8_lossy(text)).collect();
            format!("{texts:?}")
        };
        match &self.test {
            Test::Text(place, ignore_case, wanted) => {
                let place = match place {
                    Place::Whole => "equals",
                    Place::Start => "prefix",
                    Place::End => "suffix",
                    Place::Anywhere => "contains",
                };
                let case = if *ignore_case { ", any case" } else { "" };
                write!(f, " {place} {}{case}", texts(wanted))
            }
            Test::Below(names) => write!(f, " within {names:?}"),
            Test::Within(networks) => write!(f, " within {networks:?}"),
            Test::Number(numbers) => write!(f, " equals {numbers:?}"),
            Test::Range(low, u64::MAX) => write!(f, " is at least {low}"),
            Test::Range(low, high) => write!(f, " is {low} to {high}"),
            Test::LowerCaseOnly => f.write_str(" is all lower case"),
            Test::Absent => f.write_str(" is absent"),
            Test::Base64Json(keys, members) => write!(f, " is Base64 of JSON with {keys:?} and {members:?}"),
        }
    }
}

const HASHER: FixedState = FixedState::with_seed(0x7369_676e);

/// All signatures, arranged so that an ordinary request is judged by hardly any of them.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    all: Vec<Signature>,
    moments: [AtMoment; Moment::ALL.len()],
}

/// The signatures that are judged at one moment.
#[derive(Debug, Default)]
struct AtMoment {
    /// Those that need a field to be one of a few texts: found by the hash of what the field holds.
    keyed: Vec<(Field, HashMap<u64, Vec<u32>, FixedState>)>,
    /// The rest.
    others: Vec<u32>,
}

impl Signatures {
    /// Arranges `all`; their places are their numbers.
    pub(super) fn new(all: Vec<Signature>) -> Self {
        let mut moments: [AtMoment; Moment::ALL.len()] = Default::default();
        for (number, signature) in all.iter().enumerate() {
            if let Some(at) = moments.get_mut(signature.moment as usize) {
                at.add(number as u32, signature);
            }
        }
        Self { all, moments }
    }

    pub(super) fn as_slice(&self) -> &[Signature] {
        &self.all
    }

    /// Adds the numbers of the signatures that `facts` meet, in the order of loading.
    pub(super) fn find(&self, facts: &ExchangeFacts<'_>, hits: &mut Vec<SignatureId>) {
        let before = hits.len();
        let Some(at) = self.moments.get(facts.moment as usize) else { return };
        let mut judge = |number: u32| {
            if self.all.get(number as usize).is_some_and(|signature| signature.holds(facts)) {
                hits.push(SignatureId(number));
            }
        };
        for (field, numbers) in &at.keyed {
            if let Held::Text(text) = field.held(facts)
                && let Some(numbers) = numbers.get(&key_hash(text))
            {
                numbers.iter().copied().for_each(&mut judge);
            }
        }
        at.others.iter().copied().for_each(&mut judge);
        if let Some(new) = hits.get_mut(before..) {
            new.sort_unstable();
        }
    }
}

impl AtMoment {
    fn add(&mut self, number: u32, signature: &Signature) {
        let keyed = signature.all.iter().find_map(|condition| Some((&condition.field, condition.keys()?)));
        let Some((field, keys)) = keyed else {
            self.others.push(number);
            return;
        };
        let place = self.keyed.iter().position(|(known, _)| known == field).unwrap_or_else(|| {
            self.keyed.push((field.clone(), HashMap::default()));
            self.keyed.len() - 1
        });
        let Some((_, numbers)) = self.keyed.get_mut(place) else { return };
        for key in keys {
            let listed: &mut Vec<u32> = numbers.entry(key_hash(key)).or_default();
            if listed.last() != Some(&number) {
                listed.push(number);
            }
        }
    }
}

/// The hash of a text whatever its case; case is judged by the condition itself.
fn key_hash(text: &[u8]) -> u64 {
    let mut folded = [0; 64];
    let mut hash = text.len() as u64;
    for piece in text.chunks(folded.len()) {
        if let Some(slot) = folded.get_mut(..piece.len()) {
            slot.copy_from_slice(piece);
            slot.make_ascii_lowercase();
            hash = HASHER.hash_one((hash, &*slot));
        }
    }
    hash
}
