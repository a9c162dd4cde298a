//! The patterns of STIX 2.1 indicators (section 9 of the standard), as far as they say something plain.
//!
//! A pattern is taken apart into **alternatives**, any of which is enough: those of `OR`, inside one pair of
//! brackets and between pairs, and of `IN (...)`. Each alternative has a fate of its own: it is an
//! observable that the wire shows, or it is skipped with a reason.
//!
//! ```text
//! [domain-name:value = 'a.example']             [ipv4-addr:value ISSUBSET '198.51.100.0/24']
//! [url:value IN ('http://a.example/x', ...)]    [x509-certificate:hashes.'SHA-256' = '...']
//! [network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '198.51.100.7'
//!      AND network-traffic:dst_port = 8000]
//! [network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = '...']
//! ```
//!
//! What compares otherwise (`LIKE`, `MATCHES`, `!=`, `NOT` ...), what takes several observations (`AND` between
//! brackets, `FOLLOWEDBY`, `WITHIN`, `REPEATS`), and `AND` of anything but the ends of one connection is
//! skipped: half of a condition would accuse the wrong ones.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use super::super::model::Kind;
use super::stix_token::{Fault, Token, Tokens};

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

/// The alternatives of `pattern`.
///
/// # Errors
/// When it is no pattern.
pub(super) fn alternatives(pattern: &str) -> Result<Vec<Alternative<'_>>, Fault> {
    let mut parser = Parser { tokens: Tokens::new(pattern)?, depth: 0 };
    let alternatives = parser.observations()?;
    match parser.tokens.peek() {
        Token::End => Ok(alternatives),
        _ => Err(parser.tokens.expected("the end of the pattern")),
    }
}

/// Brackets inside one another that are followed.
const DEEPEST: usize = 32;
/// Combinations that the `OR`s and `IN`s of one pattern may stand for together where `AND` multiplies them.
const MOST_COMBINATIONS: usize = 1024;

struct Parser<'p> {
    tokens: Tokens<'p>,
    depth: usize,
}

/// What must hold together: the operands of `AND`.
type Conjunction<'p> = Vec<Proposition<'p>>;

/// `object:path operator values`.
#[derive(Clone, Debug)]
struct Proposition<'p> {
    object: &'p str,
    /// The property below the object: `value`, `hashes.SHA-1`, `protocols[]`.
    path: String,
    operator: Operator,
    values: Vec<Value<'p>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    /// `=` and `IN`.
    Is,
    /// `ISSUBSET`.
    Within,
    /// Any other, by its name.
    Other(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value<'p> {
    Text(Cow<'p, str>),
    Number(&'p str),
    /// A truth value, bytes, a time.
    Other,
}

impl<'p> Parser<'p> {
    /// Observations with `FOLLOWEDBY` between them.
    fn observations(&mut self) -> Result<Vec<Alternative<'p>>, Fault> {
        let mut all = self.either()?;
        while self.tokens.take_keyword("FOLLOWEDBY")? {
            self.either()?;
            all = vec![Err(Skip::unread("FOLLOWEDBY between observations"))];
        }
        Ok(all)
    }

    fn either(&mut self) -> Result<Vec<Alternative<'p>>, Fault> {
        let mut all = self.both()?;
        while self.tokens.take_keyword("OR")? {
            all.append(&mut self.both()?);
        }
        Ok(all)
    }

    fn both(&mut self) -> Result<Vec<Alternative<'p>>, Fault> {
        let mut all = self.observation()?;
        while self.tokens.take_keyword("AND")? {
            self.observation()?;
            all = vec![Err(Skip::unread("AND between observations"))];
        }
        Ok(all)
    }

    /// What stands in brackets or parentheses, with its qualifiers.
    fn observation(&mut self) -> Result<Vec<Alternative<'p>>, Fault> {
        let mut all = if self.tokens.take_mark("[")? {
            let conjunctions = self.deeper(Self::comparisons)?;
            self.tokens.need_mark("]")?;
            conjunctions.into_iter().flat_map(meaning).collect()
        } else if self.tokens.take_mark("(")? {
            let all = self.deeper(Self::observations)?;
            self.tokens.need_mark(")")?;
            all
        } else {
            return Err(self.tokens.expected("["));
        };
        while let Some(qualifier) = self.qualifier()? {
            all = vec![Err(Skip::unread(qualifier))];
        }
        Ok(all)
    }

    fn qualifier(&mut self) -> Result<Option<&'static str>, Fault> {
        let (name, words): (_, &[&str]) = if self.tokens.take_keyword("WITHIN")? {
            ("WITHIN", &["SECONDS"])
        } else if self.tokens.take_keyword("REPEATS")? {
            ("REPEATS", &["TIMES"])
        } else if self.tokens.take_keyword("START")? {
            ("START and STOP", &["STOP", ""])
        } else {
            return Ok(None);
        };
        for word in words {
            self.value()?;
            if !word.is_empty() && !self.tokens.take_keyword(word)? {
                return Err(self.tokens.expected(word));
            }
        }
        Ok(Some(name))
    }

    fn comparisons(&mut self) -> Result<Vec<Conjunction<'p>>, Fault> {
        let mut all = self.conjunctions()?;
        while self.tokens.take_keyword("OR")? {
            all.append(&mut self.conjunctions()?);
        }
        Ok(all)
    }

    /// Comparisons with `AND` between them: every way of choosing one of each operand's.
    fn conjunctions(&mut self) -> Result<Vec<Conjunction<'p>>, Fault> {
        let mut all = self.comparison()?;
        while self.tokens.take_keyword("AND")? {
            let further = self.comparison()?;
            if all.len().saturating_mul(further.len()) > MOST_COMBINATIONS {
                return Err(Fault::new("AND and OR stand for more than 1024 combinations"));
            }
            let join = |one: &Conjunction<'p>| {
                let one = one.clone();
                further.iter().map(move |other| [one.as_slice(), other].concat())
            };
            all = all.iter().flat_map(join).collect();
        }
        Ok(all)
    }

    fn comparison(&mut self) -> Result<Vec<Conjunction<'p>>, Fault> {
        if self.tokens.take_mark("(")? {
            let all = self.deeper(Self::comparisons)?;
            self.tokens.need_mark(")")?;
            return Ok(all);
        }
        let exists = self.tokens.take_keyword("EXISTS")?;
        let (object, path) = self.path()?;
        let (operator, values) =
            if exists { (Operator::Other("EXISTS"), Vec::new()) } else { self.operation()? };
        Ok(vec![vec![Proposition { object, path, operator, values }]])
    }

    /// `network-traffic:dst_ref.value`.
    fn path(&mut self) -> Result<(&'p str, String), Fault> {
        let Token::Word(object) = self.tokens.peek().clone() else {
            return Err(self.tokens.expected("an object's type"));
        };
        self.tokens.advance()?;
        self.tokens.need_mark(":")?;
        let mut path = String::new();
        loop {
            match self.tokens.peek() {
                Token::Word(name) => path.push_str(name),
                Token::Text(name) => path.push_str(name),
                _ => return Err(self.tokens.expected("a property")),
            }
            self.tokens.advance()?;
            while self.tokens.take_mark("[")? {
                if !self.tokens.take_mark("*")? {
                    self.value()?;
                }
                self.tokens.need_mark("]")?;
                path.push_str("[]");
            }
            if !self.tokens.take_mark(".")? {
                return Ok((object, path));
            }
            path.push('.');
        }
    }

    fn operation(&mut self) -> Result<(Operator, Vec<Value<'p>>), Fault> {
        let negated = self.tokens.take_keyword("NOT")?;
        let operator = match self.tokens.peek().clone() {
            Token::Mark("=" | "==") => Operator::Is,
            Token::Mark(mark) if ["!=", "<>", "<", ">", "<=", ">="].contains(&mark) => Operator::Other(mark),
            Token::Word(word) => {
                const NAMES: [(&str, Operator); 5] = [
                    ("IN", Operator::Is),
                    ("ISSUBSET", Operator::Within),
                    ("ISSUPERSET", Operator::Other("ISSUPERSET")),
                    ("LIKE", Operator::Other("LIKE")),
                    ("MATCHES", Operator::Other("MATCHES")),
                ];
                let known = NAMES.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
                known.ok_or_else(|| self.tokens.expected("an operator"))?.1
            }
            _ => return Err(self.tokens.expected("an operator")),
        };
        let lists = matches!(self.tokens.peek(), Token::Word(word) if word.eq_ignore_ascii_case("IN"));
        self.tokens.advance()?;
        let values = if lists { self.set()? } else { vec![self.value()?] };
        Ok((if negated { Operator::Other("NOT") } else { operator }, values))
    }

    fn set(&mut self) -> Result<Vec<Value<'p>>, Fault> {
        let mut values = Vec::new();
        self.tokens.need_mark("(")?;
        while !self.tokens.take_mark(")")? {
            if !values.is_empty() {
                self.tokens.need_mark(",")?;
            }
            values.push(self.value()?);
        }
        Ok(values)
    }

    fn value(&mut self) -> Result<Value<'p>, Fault> {
        let value = match self.tokens.peek().clone() {
            Token::Text(text) => Value::Text(text),
            Token::Number(number) => Value::Number(number),
            Token::Typed => Value::Other,
            Token::Word(word) if ["true", "false"].iter().any(|truth| truth.eq_ignore_ascii_case(word)) => {
                Value::Other
            }
            _ => return Err(self.tokens.expected("a value")),
        };
        self.tokens.advance()?;
        Ok(value)
    }

    fn deeper<T>(&mut self, inside: fn(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fault::new("more than 32 brackets stand inside one another"));
        }
        let inside = inside(self);
        self.depth -= 1;
        inside
    }
}

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
fn meaning(conjunction: Conjunction<'_>) -> Vec<Alternative<'_>> {
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
            "hashes.md5" => return vec![Err(Skip::foreign("MD5 of a certificate"))],
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
    fn unread(what: &'static str) -> Self {
        Self { reason: format!("{what} is not read").into(), is_foreign: false }
    }

    fn foreign(what: &str) -> Self {
        Self { reason: format!("{what}: nothing that the wire shows").into(), is_foreign: true }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "stix_pattern_tests.rs"]
mod tests;
