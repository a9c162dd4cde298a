//! What rules of other systems mean here: claims where they list names or addresses and nothing else, else
//! composite signatures.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::super::exchange::Moment;
use super::super::field::Field;
use super::super::model::{Kind, Match, Provenance, Rung, Validity};
use super::super::native_signature::moment;
use super::super::signature::{Condition, Place, Signature, Test};
use super::super::value::Value;
use super::{Dates, Feed};

/// Ports at which each address of a list is listed; with more, the rule is not taken.
const PORTS: usize = 16;

/// What a rule says of itself.
#[derive(Debug)]
pub(super) struct Rule {
    /// Line on which it begins, from 1.
    pub line: u32,
    /// Its id, unique over everything that is loaded.
    pub id: String,
    /// What it detects.
    pub title: Arc<str>,
    /// When it was written and changed.
    pub dates: Dates,
    /// Who says so, and how sure.
    pub provenance: Provenance,
}

/// A condition, and the lines of its values where they have lines of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    /// What is asked.
    pub condition: Condition,
    /// Lines of the values, in their order.
    pub lines: Vec<u32>,
}

/// What one exchange must show, and must not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conjunction {
    /// What must hold.
    pub all: Vec<Term>,
    /// What must not hold.
    pub none: Vec<Term>,
}

impl Term {
    /// A condition whose values stand on the rule's line.
    pub(super) fn new(field: Field, test: Test) -> Self {
        Self { condition: Condition { field, test }, lines: Vec::new() }
    }

    /// Whether it asks for whole texts, or for names with what is below them.
    pub(super) const fn is_whole(&self) -> bool {
        matches!(self.condition.test, Test::Text(Place::Whole, ..) | Test::Below(_))
    }
}

impl Rule {
    /// Takes one of the rule's alternatives, counted from 0. A signature is handed back: those of a file are
    /// taken after all its claims, so that a compiled file tells the same in the same order.
    pub(super) fn take(
        &self,
        number: usize,
        conjunction: Conjunction,
        feed: &mut Feed<'_>,
    ) -> Option<Signature> {
        if let Some(claims) = Claims::of(&conjunction) {
            match claims {
                Claims::Names(term) => self.names(term, feed),
                Claims::Addresses(term, ports) => self.addresses(term, ports, feed),
            }
            return None;
        }
        let Conjunction { all, none } = conjunction;
        let conditions = |terms: Vec<Term>| terms.into_iter().map(|term| term.condition).collect::<Vec<_>>();
        let (mut all, none) = (conditions(all), conditions(none));
        let moment = match moment(all.iter().chain(&none)) {
            Ok(moment) if all.iter().any(|condition| condition.field.moment().is_some()) => moment,
            Ok(_) => {
                feed.ignore(self.line, "only says what must not be: all other traffic meets it");
                return None;
            }
            Err(_) if all.iter().chain(&none).all(|condition| condition.field.moment().is_none()) => {
                feed.ignore(self.line, "has conditions on addresses and ports that no list can hold");
                return None;
            }
            Err(_) => {
                feed.ignore(self.line, "mixes conditions on different exchanges (HTTP, TLS, DNS)");
                return None;
            }
        };
        all.sort_by_key(Condition::cost);
        feed.note_date(self.dates.newest());
        let id = if number == 0 { self.id.clone() } else { format!("{}-{}", self.id, number + 1) };
        Some(Signature {
            id: id.into(),
            title: Arc::clone(&self.title),
            rung: if moment == Moment::Query { Rung::LookedUp } else { Rung::Attempted },
            // What a tool writes does not expire as a rented address does, and a rule that is out of date is
            // taken out of its set.
            validity: Validity::default(),
            period_s: None,
            line: self.line,
            provenance: feed.shared(&self.provenance),
            moment,
            all,
            none,
        })
    }

    fn names(&self, term: &Term, feed: &mut Feed<'_>) {
        let (texts, matching): (Vec<_>, _) = match &term.condition.test {
            Test::Below(names) => (names.iter().map(|name| (&**name).into()).collect(), Match::Subtree),
            Test::Text(_, _, texts) => {
                (texts.iter().map(|text| String::from_utf8_lossy(text)).collect(), Match::Exact)
            }
            _ => return,
        };
        for (place, text) in texts.iter().enumerate() {
            let value = match text.parse::<IpAddr>() {
                Ok(_) => Value::of_kind(Kind::Address, text, None),
                Err(_) => Value::of_kind(Kind::Domain, text, Some(matching)),
            };
            feed.claim(self.line_of(term, place), text, value, &self.dates, &self.provenance);
        }
    }

    fn addresses(&self, term: &Term, ports: &[u64], feed: &mut Feed<'_>) {
        let Test::Within(networks) = &term.condition.test else { return };
        for (place, network) in networks.iter().enumerate() {
            let line = self.line_of(term, place);
            let is_address = network.prefix_len() == network.max_prefix_len();
            let address = network.addr();
            let mut claim = |kind, text: &str| {
                feed.claim(line, text, Value::of_kind(kind, text, None), &self.dates, &self.provenance);
            };
            match ports {
                [] if is_address => claim(Kind::Address, &address.to_string()),
                [] => claim(Kind::Network, &network.to_string()),
                ports if is_address => {
                    for &port in ports {
                        let text = match address {
                            IpAddr::V4(address) => format!("{address}:{port}"),
                            IpAddr::V6(address) => format!("[{address}]:{port}"),
                        };
                        claim(Kind::AddressPort, &text);
                    }
                }
                _ => feed.ignore(line, "lists an address prefix at a port, which no list can hold"),
            }
        }
    }

    fn line_of(&self, term: &Term, place: usize) -> u32 {
        term.lines.get(place).copied().unwrap_or(self.line)
    }
}

/// What the tables can hold.
enum Claims<'c> {
    /// Names, exact or with what is below them.
    Names(&'c Term),
    /// Addresses and prefixes, at these ports or at any.
    Addresses(&'c Term, &'c [u64]),
}

impl<'c> Claims<'c> {
    fn of(conjunction: &'c Conjunction) -> Option<Self> {
        if !conjunction.none.is_empty() {
            return None;
        }
        let asked = |term: &'c Term| (&term.condition.field, &term.condition.test);
        match &conjunction.all[..] {
            [term] => match asked(term) {
                (Field::QueryName | Field::Host | Field::Sni, _) if term.is_whole() => {
                    Some(Self::Names(term))
                }
                (Field::RemoteAddress, Test::Within(_)) => Some(Self::Addresses(term, &[])),
                _ => None,
            },
            [one, other] => {
                let (address, port) =
                    if one.condition.field == Field::RemoteAddress { (one, other) } else { (other, one) };
                match (asked(address), asked(port)) {
                    ((Field::RemoteAddress, Test::Within(_)), (Field::RemotePort, Test::Number(ports)))
                        if ports.len() <= PORTS =>
                    {
                        Some(Self::Addresses(address, ports))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// The prefix, or the one address, that `text` writes.
pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
