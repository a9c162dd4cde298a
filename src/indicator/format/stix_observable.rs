//! What the comparisons of a STIX pattern say together: observables that the wire shows, or why there is none.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use super::super::model::Kind;

/// One thing that is enough for the pattern to be met.
pub(super) type Alternative<'p> = Result<Observable<'p>, Skip>;

/// A value of a kind that the wire shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Observable<'p> {
    pub kind: Kind,
    pub value: Cow<'p, str>,
}

/// Why an alternative is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Skip {
    pub reason: Cow<'static, str>,
    /// Whether it is in order and nothing for a sensor, such as the hash of a file.
    pub is_foreign: bool,
}

/// What must hold together: the operands of `AND`.
pub(super) type Conjunction<'p> = Vec<Proposition<'p>>;

/// `object:path operator values`.
#[derive(Clone, Debug)]
pub(super) struct Proposition<'p> {
    pub object: &'p str,
    /// The property below the object: `value`, `hashes.SHA-1`, `protocols[]`.
    pub path: String,
    pub operator: Operator,
    pub values: Vec<Value<'p>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// `=` and `IN`.
    Is,
    /// `ISSUBSET`.
    Within,
    /// Any other, by its name.
    Other(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value<'p> {
    Text(Cow<'p, str>),
    Number(&'p str),
    /// A truth value, bytes, a time.
    Other,
}

/// Combinations that the `OR`s and `IN`s of one pattern may stand for together where `AND` multiplies them.
pub(super) const MOST_COMBINATIONS: usize = 1024;

/// Objects of STIX that no packet shows in a form that can be looked up.
const FOREIGN: [&str; 12] = [
    "artifact",
    "autonomous-system",
    "directory",
    "email-addr",
    "email-message",
    "file",
    "mac-addr",
    "mutex",
    "process",
    "software",
    "user-account",
    "windows-registry-key",
];

/// What propositions say that must hold together.
pub(super) fn meaning(conjunction: Conjunction<'_>) -> Vec<Alternative<'_>> {
    let Some(first) = conjunction.first() else { return Vec::new() };
    if let Some(one) = conjunction.iter().find(|one| FOREIGN.contains(&one.object)) {
        return vec![Err(Skip::foreign(one.object))];
    }
    if conjunction.iter().any(|one| one.object != first.object) {
        return vec![Err(Skip::unread("AND between unlike objects"))];
    }
    if first.object == "network-traffic" {
        return traffic(conjunction);
    }
    match <[Proposition<'_>; 1]>::try_from(conjunction) {
        Ok([one]) => plain(one),
        Err(_) => vec![Err(Skip::unread("AND between several properties of one object"))],
    }
}

/// What one proposition says of an object that is an indicator itself.
fn plain(one: Proposition<'_>) -> Vec<Alternative<'_>> {
    let kind = match (one.object, one.path.as_str()) {
        ("domain-name", "value") => Kind::Domain,
        ("ipv4-addr" | "ipv6-addr", "value") => Kind::Address,
        ("url", "value") => Kind::Url,
        ("x509-certificate", path) => match path.to_ascii_lowercase().replace('-', "").as_str() {
            "hashes.sha1" | "hashes.sha256" => Kind::CertificateHash,
            "hashes.md5" => {
                let reason = "MD5 of a certificate: nothing that is compared".into();
                return vec![Err(Skip { reason, is_foreign: true })];
            }
            _ => return vec![Err(one.unread())],
        },
        _ => return vec![Err(one.unread())],
    };
    match one.operator {
        Operator::Is => {}
        Operator::Within if kind == Kind::Address => {}
        operator => return vec![Err(operator.unread())],
    }
    Value::all_of(one.values, kind)
}

/// What propositions say of one connection.
fn traffic(conjunction: Conjunction<'_>) -> Vec<Alternative<'_>> {
    ends(conjunction).unwrap_or_else(|skip| vec![Err(skip)])
}

fn ends(conjunction: Conjunction<'_>) -> Result<Vec<Alternative<'_>>, Skip> {
    const USER_AGENT: &str = "extensions.http-request-ext.request_header.user-agent";
    let is_alone = conjunction.len() == 1;
    let (mut types, mut ports, mut hosts) = (None, None, None);
    let mut is_prefix = false;
    for one in conjunction {
        let place = match one.path.as_str() {
            "dst_ref.type" => &mut types,
            "dst_port" => &mut ports,
            "dst_ref.value" => &mut hosts,
            path if path.starts_with("src_") => return Err(Skip::unread("the source of a connection")),
            path if is_alone && path.eq_ignore_ascii_case(USER_AGENT) => {
                return match one.operator {
                    Operator::Is => Ok(Value::all_of(one.values, Kind::UserAgent)),
                    operator => Err(operator.unread()),
                };
            }
            _ => return Err(one.unread()),
        };
        match one.operator {
            Operator::Is => {}
            Operator::Within if one.path == "dst_ref.value" => is_prefix = true,
            operator => return Err(operator.unread()),
        }
        if place.replace(one.values).is_some() {
            return Err(Skip::unread("AND between two values of one property"));
        }
    }
    let hosts = hosts.ok_or_else(|| Skip::unread("a connection without its destination's address"))?;
    let is_name = types.is_some_and(|types: Vec<_>| types.contains(&Value::Text("domain-name".into())));
    match ports {
        None => Ok(Value::all_of(hosts, if is_name { Kind::Domain } else { Kind::Address })),
        Some(_) if is_name => Err(Skip::unread("a name with a port")),
        Some(_) if is_prefix => Err(Skip::unread("a prefix with a port")),
        Some(ports) if hosts.len().saturating_mul(ports.len()) > MOST_COMBINATIONS => {
            Err(Skip::unread("more than 1024 combinations of address and port"))
        }
        Some(ports) => Ok(hosts
            .iter()
            .flat_map(|host| ports.iter().map(|port| address_port(host.clone(), port.clone())))
            .collect()),
    }
}

fn address_port<'p>(host: Value<'p>, port: Value<'p>) -> Alternative<'p> {
    let (host, port) = (host.text()?, port.number()?);
    let value = match host.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, port).to_string(),
        // Whoever makes the claim of it says what is wrong.
        Err(_) => format!("{host}:{port}"),
    };
    Ok(Observable { kind: Kind::AddressPort, value: value.into() })
}

impl<'p> Value<'p> {
    fn all_of(values: Vec<Self>, kind: Kind) -> Vec<Alternative<'p>> {
        values.into_iter().map(|value| Ok(Observable { kind, value: value.text()? })).collect()
    }

    fn text(self) -> Result<Cow<'p, str>, Skip> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(Skip::unread("a value that is no text")),
        }
    }

    /// A port; some write it as a text.
    fn number(&self) -> Result<u16, Skip> {
        let number = match self {
            Self::Text(text) => text.trim().parse(),
            Self::Number(number) => number.parse(),
            Self::Other => "".parse(),
        };
        number.map_err(|_| Skip::unread("a port that is no number up to 65535"))
    }
}

impl Proposition<'_> {
    fn unread(&self) -> Skip {
        Skip { reason: format!("{}:{} is not read", self.object, self.path).into(), is_foreign: false }
    }
}

impl Operator {
    fn unread(self) -> Skip {
        match self {
            Self::Other(name) => Skip { reason: format!("{name} is not read").into(), is_foreign: false },
            _ => Skip::unread("ISSUBSET of what is no address"),
        }
    }
}

impl Skip {
    pub(super) fn unread(what: &'static str) -> Self {
        Self { reason: format!("{what} is not read").into(), is_foreign: false }
    }

    fn foreign(what: &str) -> Self {
        Self { reason: format!("{what}: nothing that the wire shows").into(), is_foreign: true }
    }
}
