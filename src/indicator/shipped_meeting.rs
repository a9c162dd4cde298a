//! An exchange that meets a signature's conditions: how the tests know that every signature can fire.

use std::net::IpAddr;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::super::super::field::Field;
use super::super::super::signature::{Condition, Place, Test};
use super::super::super::*;
use crate::protocol::dns::NameBuf;
use crate::protocol::http::{Headers, Request, Response};
use crate::protocol::tls::{Certificate, ClientHello, Fingerprints};

/// What is asked for where no condition says.
const ELSEWHERE: &[u8] = b"/elsewhere";

/// An exchange that meets the conditions of a signature, taking each list's entry number `choice`.
#[derive(Default)]
pub struct Exchange {
    remote: Option<(IpAddr, u16)>,
    request: Request,
    request_fields: Vec<(String, Vec<u8>)>,
    response: Response,
    response_fields: Vec<(String, Vec<u8>)>,
    hello: ClientHello,
    certificate: Certificate,
    query: Vec<u8>,
    query_type: u16,
}

impl Exchange {
    /// The exchange.
    pub fn meeting(signature: &Signature, choice: usize) -> Self {
        let mut exchange = Self::default();
        exchange.request.target = ELSEWHERE.into();
        for condition in signature.conditions().0 {
            exchange.meet(condition, choice);
        }
        exchange
    }

    /// The same without what meets `condition`; `None` where that is that something is absent.
    pub fn meeting_all_but(signature: &Signature, condition: &Condition) -> Option<Self> {
        let mut exchange = Self::default();
        exchange.request.target = ELSEWHERE.into();
        for other in signature.conditions().0.iter().filter(|other| *other != condition) {
            exchange.meet(other, 0);
        }
        (condition.test != Test::Absent).then_some(exchange)
    }

    /// Changes it so that it meets one more condition.
    pub fn meet(&mut self, Condition { field, test }: &Condition, choice: usize) {
        let held = match field {
            Field::Path | Field::Target if self.request.target != ELSEWHERE => self.request.target.clone(),
            Field::QueryName => self.query.clone(),
            _ => Vec::new(),
        };
        let text = || text_of(test, choice, held);
        let number = || match test {
            Test::Number(numbers) => numbers[choice % numbers.len()],
            Test::Range(low, _) => *low,
            other => panic!("a number that is {other:?}"),
        };
        let (address, port) = self.remote();
        match field {
            _ if *test == Test::Absent => {}
            Field::Method => self.request.method = text(),
            Field::Path | Field::Target => self.request.target = text(),
            Field::UserAgent => self.request.user_agent = Some(text()),
            Field::Host => self.request.host = Some(text()),
            Field::RequestHeader(name) => self.request_fields.push((name.to_string(), text())),
            Field::RequestBody => self.request.body = text(),
            Field::Status => self.response.status = number() as u16,
            Field::ResponseHeader(name) => self.response_fields.push((name.to_string(), text())),
            Field::ResponseBodyLength => self.response.body_length = number(),
            Field::CertificateSubject => self.certificate.subject = utf8(text()),
            Field::CertificateIssuer => self.certificate.issuer = utf8(text()),
            Field::CertificateSerial => self.certificate.serial = utf8(text()),
            Field::Sni => self.hello.sni = Some(text()),
            Field::Ja4 => {
                self.hello.fingerprints = Fingerprints::known(String::new(), String::new(), utf8(text()));
            }
            Field::QueryName => self.query = text(),
            Field::QueryType => self.query_type = number() as u16,
            Field::RemoteAddress => {
                let Test::Within(networks) = test else { panic!("an address that is {test:?}") };
                self.remote = Some((networks[choice % networks.len()].broadcast(), port));
            }
            Field::RemotePort | Field::HttpPort => self.remote = Some((address, number() as u16)),
            other => panic!("no pack asks for {other:?} yet: give it here"),
        }
    }

    fn remote(&self) -> (IpAddr, u16) {
        self.remote.unwrap_or_else(|| ("198.51.100.7".parse().expect("address"), 8000))
    }

    /// The signatures that it fires at `moment`.
    pub fn hits(&mut self, indicators: &Indicators, moment: Moment) -> Vec<SignatureId> {
        let remote = self.remote();
        let fields = |fields: &[(String, Vec<u8>)]| {
            fields.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect::<Headers>()
        };
        self.request.headers = fields(&self.request_fields);
        self.response.headers = fields(&self.response_fields);
        self.response.request = Some(Arc::new(self.request.clone()));
        let query = NameBuf::from_text(&self.query);
        let facts = match moment {
            Moment::Request => ExchangeFacts::request(remote, &self.request),
            Moment::Response => ExchangeFacts::response(remote, &self.response),
            Moment::ClientHello => ExchangeFacts::client_hello(remote, &self.hello),
            Moment::Certificate => ExchangeFacts::certificate(remote, Some(&self.hello), &self.certificate),
            Moment::Query => {
                let name = query.as_ref().map_or(crate::protocol::dns::Name::ROOT, NameBuf::as_name);
                ExchangeFacts::query(Some(remote), name, self.query_type)
            }
        };
        let mut hits = Vec::new();
        indicators.signatures(&facts, &mut hits);
        hits
    }
}

/// A text that meets `test` beside what `held` meets already.
fn text_of(test: &Test, choice: usize, held: Vec<u8>) -> Vec<u8> {
    let or = |other: &str| if held.is_empty() { other.into() } else { held.clone() };
    match test {
        Test::Text(place, _, wanted) => {
            let wanted = wanted[choice % wanted.len()].to_vec();
            match place {
                Place::Whole => wanted,
                Place::Start => [wanted, or("more")].concat(),
                Place::End => [or("/mirror/npm"), wanted].concat(),
                Place::Anywhere => [or("O=Example-"), wanted, b"1".into()].concat(),
            }
        }
        Test::Below(names) => format!("x.{}", names[choice % names.len()]).into_bytes(),
        Test::Labels(shapes) => {
            let shape = shapes[choice % shapes.len()].example();
            [shape.as_bytes(), b".", &or("c2.example")].concat()
        }
        Test::LowerCaseOnly => b"lower".into(),
        Test::Base64Json(keys, members) => {
            let mut json = serde_json::Map::new();
            json.insert("content".into(), "x".repeat(choice).into());
            json.extend(keys.iter().map(|key| (key.to_string(), 7.into())));
            json.extend(members.iter().map(|(key, value)| (key.to_string(), value.to_string().into())));
            BASE64_STANDARD.encode(serde_json::to_vec_pretty(&json).expect("JSON")).into_bytes()
        }
        other => panic!("a text that is {other:?}"),
    }
}

fn utf8(text: Vec<u8>) -> String {
    String::from_utf8(text).expect("text")
}
