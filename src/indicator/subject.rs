//! What somebody asks about: a value, and what it is.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::model::Kind;
use super::value::{self, Value};

/// What somebody asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A domain name, in normal form.
    Name(String),
    /// An address, perhaps at a port.
    Address(IpAddr, Option<u16>),
    /// A prefix.
    Network(IpNet),
    /// A URL: host, port (0 for any), target, and the normal form.
    Url(String, u16, String, String),
    /// A path, User-Agent, fingerprint or hash.
    Text(Kind, String),
}

/// Why a value cannot be explained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SubjectError(String);

impl Subject {
    /// What `text` asks about; `kind` where that cannot be seen in it.
    ///
    /// # Errors
    /// When it is nothing that is listed, or not of that kind.
    pub fn parse(text: &str, kind: Option<Kind>) -> Result<Self, SubjectError> {
        let text = value::refanged(text.trim());
        let text = text.trim();
        let wrong = |reason: &dyn std::fmt::Display| SubjectError(format!("{text}: {reason}"));
        if let Some(kind) = kind {
            return Self::of_kind(text, kind).map_err(|reason| wrong(&reason));
        }
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical(), None));
        }
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return Ok(Self::Address(socket.ip().to_canonical(), Some(socket.port())));
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network.trunc()));
        }
        let guesses = [Kind::Ja4, Kind::Ja3, Kind::CertificateHash];
        if let Some(found) = guesses.into_iter().find_map(|kind| Self::of_kind(text, kind).ok()) {
            return Ok(found);
        }
        let kind = match text {
            _ if text.starts_with('/') => Kind::Path,
            _ if text.contains(' ') => Kind::UserAgent,
            _ if text.contains('/') => Kind::Url,
            // A name with a port is about the name: lists do not tell ports of names.
            _ => {
                let name = text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
                return Self::of_kind(name.map_or(text, |(name, _)| name), Kind::Domain)
                    .map_err(|reason| wrong(&reason));
            }
        };
        Self::of_kind(text, kind).map_err(|reason| wrong(&reason))
    }

    fn of_kind(text: &str, kind: Kind) -> Result<Self, String> {
        let refused = |refusal: value::Refusal| refusal.to_string();
        match kind {
            Kind::Domain => {
                let name = text.strip_prefix("*.").or_else(|| text.strip_prefix('.')).unwrap_or(text);
                value::name(name).map(Self::Name).map_err(refused)
            }
            Kind::Address | Kind::AddressPort | Kind::Network => match Self::parse(text, None) {
                Ok(found @ (Self::Address(..) | Self::Network(_))) => Ok(found),
                _ => Err("is no address, no address with a port and no prefix".to_owned()),
            },
            Kind::Url => {
                let value = Value::of_kind(kind, text, None).map_err(refused)?.to_string();
                let parts = value::UrlParts::of(&value).ok_or("is no URL")?;
                let (host, port, target) = (parts.host.to_owned(), parts.port, parts.target.to_owned());
                Ok(Self::Url(host, port, target, value))
            }
            _ => Value::of_kind(kind, text, None)
                .map(|value| Self::Text(kind, value.to_string()))
                .map_err(refused),
        }
    }

    /// The value in normal form.
    pub fn text(&self) -> String {
        match self {
            Self::Name(text) | Self::Text(_, text) | Self::Url(.., text) => text.clone(),
            Self::Address(address, None) => address.to_string(),
            Self::Address(address, Some(port)) => SocketAddr::new(*address, *port).to_string(),
            Self::Network(network) => network.to_string(),
        }
    }

    /// What it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Name(_) => Kind::Domain,
            Self::Address(_, None) => Kind::Address,
            Self::Address(..) => Kind::AddressPort,
            Self::Network(_) => Kind::Network,
            Self::Url(..) => Kind::Url,
            Self::Text(kind, _) => *kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_known_by_their_looks() {
        let kind = |text: &str| Subject::parse(text, None).map(|subject| (subject.kind(), subject.text()));
        for (text, expected, form) in [
            ("Evil[.]Example.", Kind::Domain, "evil.example"),
            ("evil.example:8000", Kind::Domain, "evil.example"),
            ("10.0.0.1", Kind::Address, "10.0.0.1"),
            ("198.51.100.7:8000", Kind::AddressPort, "198.51.100.7:8000"),
            ("198.51.100.7/24", Kind::Network, "198.51.100.0/24"),
            ("[2001:db8::7]", Kind::Address, "2001:db8::7"),
            ("hxxp://Evil.example:8000/a#b", Kind::Url, "http://evil.example:8000/a"),
            ("/6202033", Kind::Path, "/6202033"),
            ("t13d1516h2_8daaf6152771_b186095e22b6", Kind::Ja4, "t13d1516h2_8daaf6152771_b186095e22b6"),
            ("0123456789ABCDEF0123456789abcdef", Kind::Ja3, "0123456789abcdef0123456789abcdef"),
            ("mozilla/4.0 (compatible; x)", Kind::UserAgent, "mozilla/4.0 (compatible; x)"),
            ("co.uk", Kind::Domain, "co.uk"),
        ] {
            assert_eq!(kind(text), Ok((expected, form.to_owned())), "{text}");
        }
        assert!(kind("not a-name..").is_ok_and(|(kind, _)| kind == Kind::UserAgent));
        assert!(kind("bad..name").is_err() && kind("").is_err());
    }
}
