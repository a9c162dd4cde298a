//! The fields of an exchange that a signature's condition can name.
//!
//! Which buffer each field reads (a condition never reads another one):
//!
//! | field | reads | tests |
//! |---|---|---|
//! | `http.method` | the request line's method | text |
//! | `http.target` | the request line's target as sent | text |
//! | `http.uri` | the target's path and query, of an absolute URL no scheme and host | text |
//! | `http.url` | `http://`, the Host field and `http.uri`, or an absolute target as sent; or else `http.uri` alone: one of the two must fit | text |
//! | `http.path` | the target's path: no query, and of an absolute URL no scheme and host | text |
//! | `http.host` | host of an absolute target, else of the Host field; no port, no final dot, any case | text, `within`, `labels` |
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
//! | `tls.sni` | the ClientHello's server name, any case | text, `within`, `labels` |
//! | `tls.ja3`, `tls.ja4` | the ClientHello's fingerprints | text |
//! | `tls.alpn` | any of the offered protocols | text |
//! | `tls.certificate.subject`, `.issuer`, `.serial` | the server's first certificate (up to TLS 1.2) | text |
//! | `tls.certificate.name` | any of its alternative names | text, `within`, `labels` |
//! | `dns.query` | the question's name as text, any case | text, `within`, `labels` |
//! | `dns.type` | the question's type | number |

use std::borrow::Cow;
use std::net::IpAddr;

use super::exchange::{ExchangeFacts, Moment, Target, split_host};
use crate::protocol::dns::Name;

/// A place in an exchange. The module's table says what each reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Method,
    Target,
    Uri,
    Url,
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

/// What an exchange holds in a field.
#[derive(Clone, Debug)]
pub(super) enum Held<'a> {
    /// The message that would hold it was not seen.
    Unseen,
    /// The message lacks it.
    Absent,
    Text(&'a [u8]),
    /// A request's URL in full, and its path and query.
    Url(Cow<'a, [u8]>, &'a [u8]),
    Texts(&'a [String]),
    Bytes(&'a [Vec<u8>]),
    Name(Name<'a>),
    Number(u64),
    Address(IpAddr),
}

impl Field {
    /// Every field's name; the two that end in a dot take a header's name.
    pub(super) const NAMES: [(&'static str, Self); 25] = [
        ("http.method", Self::Method),
        ("http.target", Self::Target),
        ("http.uri", Self::Uri),
        ("http.url", Self::Url),
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
            | Self::Uri
            | Self::Url
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
    pub(super) fn held<'a>(&self, facts: &ExchangeFacts<'a>) -> Held<'a> {
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
            Self::Uri => Held::Text(Target::of(&request?.target).target),
            Self::Url => {
                let Target { authority, target } = Target::of(&request?.target);
                let full = match (authority, &request?.host) {
                    (None, Some(host)) => [b"http://", &**host, target].concat().into(),
                    _ => Cow::Borrowed(&*request?.target),
                };
                Held::Url(full, target)
            }
            Self::Path => Held::Text(Target::of(&request?.target).path()),
            Self::Host => {
                let authority = Target::of(&request?.target).authority;
                Held::Text(split_host(authority.or(request?.host.as_deref())?).0)
            }
            Self::UserAgent => Held::Text(request?.user_agent.as_deref()?),
            Self::RequestHeader(name) => Held::Text(request?.header(name)?),
            Self::RequestBody => Held::Text(&request?.body),
            Self::RequestBodyLength => {
                Held::Number(request?.declared_length.unwrap_or(request?.body.len() as u64))
            }
            Self::Status => Held::Number(u64::from(response?.status)),
            Self::ResponseHeader(name) => Held::Text(response?.header(name)?),
            Self::ResponseBody => Held::Text(&response?.body),
            Self::ResponseBodyLength => Held::Number(response?.body_length),
            Self::RemoteAddress => Held::Address(facts.remote_address?.to_canonical()),
            Self::RemotePort | Self::HttpPort => Held::Number(u64::from(facts.remote_port?)),
            Self::Sni => Held::Text(hello?.sni.as_deref()?),
            Self::Ja3 => Held::Text(hello?.ja3().as_bytes()),
            Self::Ja4 => Held::Text(hello?.ja4().as_bytes()),
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
