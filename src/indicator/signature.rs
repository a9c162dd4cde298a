//! Composite signatures: several conditions that one exchange must meet together.
//!
//! [`super::field`] lists the fields and what each of them reads.
//!
//! Tests of a text: `equals`, `prefix`, `suffix`, `contains` (each a text or a list of which one must
//! fit; with `ignore_case = true` whatever the case), `equals_ignore_case`, `lower_case_only = true`
//! (letters, none of them a capital), `absent = true` (the message was seen and lacks the field). Of a
//! number: `equals` (one or a list), `min`, `max`. Of names and addresses: `within`. Of a name: `labels`, the
//! shape of its first labels ([`super::label_shape`]). Of a body: `base64_json_keys`, `base64_json`
//! ([`super::base64_json`]).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;

use super::base64_json::Base64Json;
use super::exchange::{ExchangeFacts, Moment};
use super::field::{Field, Held};
use super::label_shape::LabelShape;
use super::model::{Kind, Provenance, Rung, Severity, Validity};
use super::name_map::dotted;
use crate::limits::DNS_NAME_BYTES;

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

    pub(super) fn holds(&self, facts: &ExchangeFacts<'_>) -> bool {
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

/// What is asked of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// One of these texts, where and with or without regard to case.
    Text(Place, bool, Vec<Box<[u8]>>),
    /// One of these names or a name below it; lower case.
    Below(Vec<Box<str>>),
    /// First labels of one of these shapes.
    Labels(Vec<LabelShape>),
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

impl Condition {
    fn holds(&self, facts: &ExchangeFacts<'_>) -> bool {
        match self.field.held(facts) {
            Held::Unseen => false,
            Held::Absent => self.test == Test::Absent,
            Held::Text(text) => self.test.holds_for_text(text),
            Held::Url(full, uri) => self.test.holds_for_text(uri) || self.test.holds_for_text(&full),
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

    /// Whether an exchange that holds such a value meets the condition by it.
    pub(super) fn is_met_by(&self, kind: Kind, value: &str) -> bool {
        let is_there = match &self.field {
            Field::Host | Field::Sni | Field::QueryName | Field::CertificateName => kind == Kind::Domain,
            Field::Path | Field::Target | Field::Uri => kind == Kind::Path,
            Field::UserAgent => kind == Kind::UserAgent,
            Field::Ja3 => kind == Kind::Ja3,
            Field::Ja4 => kind == Kind::Ja4,
            Field::RemoteAddress => {
                let address = value.parse::<IpAddr>();
                let address = address.or_else(|_| value.parse::<SocketAddr>().map(|socket| socket.ip()));
                let Test::Within(networks) = &self.test else { return false };
                return address.is_ok_and(|one| networks.iter().any(|network| network.contains(&one)));
            }
            _ => false,
        };
        is_there && self.test.holds_for_text(value.as_bytes())
    }

    /// What it costs to judge, roughly: the cheap and telling ones come first.
    pub(super) fn cost(&self) -> u8 {
        match &self.test {
            Test::Number(_) | Test::Range(..) => 0,
            Test::Within(_) | Test::Absent => 1,
            Test::Text(Place::Whole, ..) | Test::Below(_) => 2,
            Test::Text(Place::Start | Place::End, ..) => 3,
            Test::Text(Place::Anywhere, ..) | Test::LowerCaseOnly | Test::Labels(_) => 4,
            Test::Base64Json(..) => 5,
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
            Self::Labels(shapes) => shapes.iter().any(|shape| shape.fits(text)),
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
            Test::Labels(shapes) => {
                let shapes: Vec<_> = shapes.iter().map(LabelShape::to_string).collect();
                write!(f, " has labels {shapes:?}")
            }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::net::IpAddr;

    use super::super::{Knowledge, Loader};
    use super::*;
    use crate::protocol::dns::NameBuf;
    use crate::protocol::http::{Headers, Request, Response};
    use crate::protocol::tls::{Certificate, ClientHello, Fingerprints};

    fn load(conditions: &str) -> Knowledge {
        let text = format!(
            "[pack]\nid = \"p\"\ntitle = \"t\"\n[pack.references]\nS = \"https://a.example/\"\n\
             [[signature]]\nid = \"s\"\ntitle = \"t\"\nrung = \"executed\"\nsource = \"S\"\nconfidence = 90\n{conditions}\n"
        );
        let mut loader = Loader::default();
        loader.bytes("p.toml", text.as_bytes());
        let knowledge = loader.finish();
        assert_eq!(knowledge.report.accepted(), 1, "{conditions}: {}", knowledge.report);
        knowledge
    }

    fn holds(knowledge: &Knowledge, facts: ExchangeFacts<'_>) -> bool {
        let mut hits = Vec::new();
        knowledge.indicators.signatures(&facts, &mut hits);
        !hits.is_empty()
    }

    fn remote() -> (IpAddr, u16) {
        ("198.51.100.7".parse().unwrap(), 8000)
    }

    fn request() -> Request {
        Request {
            method: b"POST".into(),
            target: b"/gate?x=1".into(),
            host: Some(b"Evil.Example.:8000".into()),
            user_agent: Some(b"curl/8.5.0".into()),
            headers: Headers::from_iter([(&b"X-Key"[..], &b"Value"[..]), (b"x-key", b"other")]),
            body: b"a=1&b=2".into(),
            declared_length: Some(5000),
            ..Request::default()
        }
    }

    #[test]
    fn each_field_reads_its_own_buffer() {
        let request = request();
        let facts = ExchangeFacts::request(remote(), &request);
        for (condition, expected) in [
            ("field = \"http.method\", equals = \"POST\"", true),
            ("field = \"http.method\", equals = \"post\"", false),
            ("field = \"http.method\", equals_ignore_case = \"post\"", true),
            ("field = \"http.path\", equals = \"/gate\"", true),
            ("field = \"http.path\", equals = [\"/x\", \"/gate\"]", true),
            ("field = \"http.path\", equals = \"/Gate\"", false),
            ("field = \"http.path\", contains = \"x=1\"", false),
            ("field = \"http.target\", suffix = \"?x=1\"", true),
            ("field = \"http.target\", contains = \"GATE\", ignore_case = true", true),
            ("field = \"http.uri\", equals = \"/gate?x=1\"", true),
            ("field = \"http.url\", equals = \"/gate?x=1\"", true),
            ("field = \"http.url\", equals = \"http://Evil.Example.:8000/gate?x=1\"", true),
            ("field = \"http.url\", contains = \"example.:8000/gate\", ignore_case = true", true),
            ("field = \"http.url\", prefix = \"Evil\"", false),
            ("field = \"http.host\", equals = \"evil.example\"", true),
            ("field = \"http.host\", within = \"example\"", true),
            ("field = \"http.host\", within = \"vil.example\"", false),
            ("field = \"http.port\", equals = [1, 8000]", true),
            ("field = \"http.port\", max = 7999", false),
            ("field = \"http.host\", labels = \"{letters}.example\"", true),
            ("field = \"http.host\", labels = [\"{letters:3}.example\", \"{hex}.example\"]", false),
            ("field = \"flow.remote_port\", min = 8000, max = 8000", true),
            ("field = \"flow.remote_address\", within = \"198.51.100.0/24\"", true),
            ("field = \"flow.remote_address\", equals = \"198.51.100.8\"", false),
            ("field = \"http.user_agent\", prefix = \"curl/\"", true),
            ("field = \"http.user_agent\", lower_case_only = true", true),
            ("field = \"http.header.X-KEY\", equals = \"Value\"", true),
            ("field = \"http.header.x-key\", lower_case_only = true", false),
            ("field = \"http.header.missing\", absent = true", true),
            ("field = \"http.header.x-key\", absent = true", false),
            ("field = \"http.body\", contains = \"&b=\"", true),
            ("field = \"http.body\", prefix = \"b=\"", false),
            ("field = \"http.body\", suffix = \"a=1&b=2, and longer than the body is\"", false),
            ("field = \"http.body_length\", equals = 5000", true),
        ] {
            // A condition on the flow needs one on the request beside it.
            let knowledge =
                load(&format!("all = [{{ field = \"http.method\", prefix = \"P\" }}, {{ {condition} }}]"));
            assert_eq!(holds(&knowledge, facts), expected, "{condition}");
        }
    }

    #[test]
    fn a_signature_is_judged_at_its_last_moment_only() {
        let on_request = load("all = [{ field = \"http.path\", equals = \"/gate\" }]");
        let on_both = load(
            "all = [{ field = \"http.path\", equals = \"/gate\" }, { field = \"response.status\", equals = 200 }]\n\
             none = [{ field = \"response.body_length\", max = 10 }]",
        );
        let request = request();
        let mut response = Response {
            request: Some(Arc::new(request.clone())),
            status: 200,
            body_length: 11,
            ..Response::default()
        };
        assert!(holds(&on_request, ExchangeFacts::request(remote(), &request)));
        assert!(!holds(&on_request, ExchangeFacts::response(remote(), &response)), "it has fired before");
        assert!(!holds(&on_both, ExchangeFacts::request(remote(), &request)));
        assert!(holds(&on_both, ExchangeFacts::response(remote(), &response)));
        response.body_length = 10;
        assert!(!holds(&on_both, ExchangeFacts::response(remote(), &response)), "excluded");
        response.body_length = 11;
        response.request = None;
        assert!(!holds(&on_both, ExchangeFacts::response(remote(), &response)), "its request was not seen");
    }

    #[test]
    fn absent_needs_a_message_that_could_have_it() {
        let no_name = load("all = [{ field = \"tls.sni\", absent = true }]");
        let hello = ClientHello {
            fingerprints: Fingerprints::known(String::new(), String::new(), "t13d".into()),
            alpn: vec![b"h2".to_vec()],
            ..ClientHello::default()
        };
        assert!(holds(&no_name, ExchangeFacts::client_hello(remote(), &hello)));
        assert!(!holds(&no_name, ExchangeFacts::request(remote(), &request())));
        let named = ClientHello { sni: Some(b"Evil.Example".into()), ..hello };
        assert!(!holds(&no_name, ExchangeFacts::client_hello(remote(), &named)));
        let facts = ExchangeFacts::client_hello(remote(), &named);
        assert!(holds(&load("all = [{ field = \"tls.sni\", equals = \"evil.example\" }]"), facts));
        assert!(holds(&load("all = [{ field = \"tls.alpn\", equals = \"h2\" }]"), facts));
        assert!(holds(&load("all = [{ field = \"tls.ja4\", prefix = \"t13\" }]"), facts));
    }

    #[test]
    fn certificates_and_questions_are_judged() {
        let certificate = Certificate {
            subject: "O=Test, CN=host.example".into(),
            names: vec!["a.example".into(), "b.example".into()],
            ..Certificate::default()
        };
        let facts = ExchangeFacts::certificate(remote(), None, &certificate);
        assert!(holds(
            &load("all = [{ field = \"tls.certificate.subject\", contains = \"CN=host\" }]"),
            facts
        ));
        assert!(holds(&load("all = [{ field = \"tls.certificate.name\", within = \"b.example\" }]"), facts));
        let name = NameBuf::from_text(b"xD.abc.BT.node.js").unwrap();
        let facts = ExchangeFacts::query(None, name.as_name(), 16);
        assert!(holds(
            &load(
                "all = [{ field = \"dns.query\", within = \"bt.node.js\" }, { field = \"dns.type\", equals = 16 }]"
            ),
            facts
        ));
        assert!(holds(&load("all = [{ field = \"dns.query\", prefix = \"xd.\" }]"), facts));
        assert!(!holds(&load("all = [{ field = \"dns.query\", within = \"t.node.js\" }]"), facts));
    }
}
