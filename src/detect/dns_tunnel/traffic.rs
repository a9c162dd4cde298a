//! What one asset asked below one registered domain, and what it was answered: counted as it comes.

use std::net::IpAddr;

use hashbrown::HashSet;

use super::{shape::Shape, tells::Tells};
use crate::{
    detect::questions::DnsMessage,
    limits,
    protocol::dns::{Name, NameBuf, kind},
    time::{Nanos, SECOND, Timestamp},
};

/// Record types that are counted one by one.
const TYPES: usize = 8;

/// A question for a name that was one of the last so many is the same look-up: for the address of the other
/// family, for HTTPS, or again.
const RECENT: usize = 4;

/// The stretches of time of which it is counted in how many something was asked.
const STRETCH: Nanos = 10 * SECOND;
const LONG_STRETCH: Nanos = 60 * SECOND;

/// The traffic of one asset with one domain.
#[derive(Debug)]
pub struct Traffic {
    /// The registered domain; the root where last labels are data.
    pub domain: NameBuf,
    /// Whether its top-level domain is delegated.
    pub is_delegated: bool,
    /// The first question.
    pub first: Timestamp,
    /// The last question.
    pub last: Timestamp,
    /// Questions.
    pub queries: u64,
    /// Questions without those for the same name a moment later.
    pub lookups: u64,
    /// Names that were not asked for before, as far as [`limits::TUNNEL_NAMES`] are remembered.
    pub distinct: u64,
    /// Bytes of the labels below the domain, of all questions.
    pub bytes_out: u64,
    /// Bytes of records in answers.
    pub bytes_in: u64,
    /// Answers without error, and bytes of their records.
    pub answered: (u64, u64),
    /// The same of questions for types that ordinary hosts do not ask for.
    pub rare_answered: (u64, u64),
    /// Answers that say that there is no such name.
    pub failed: u64,
    /// Answers of addresses, and of those ones of this host: what reputation services say yes with.
    pub addressed: (u64, u64),
    /// Questions for types that ordinary hosts do not ask for.
    pub rare: u64,
    types: [(u16, u64); TYPES],
    /// What is like the names that were new.
    pub shape: Shape,
    /// What is like a tool's.
    pub tells: Tells,
    /// Flows of the asset to addresses that names below the domain gave.
    pub contacts: u64,
    /// The server that was asked last, and whether it is one that nobody is expected to ask.
    pub server: Option<IpAddr>,
    stretches: Stretches,
    long_stretches: Stretches,
    names: RecentNames,
    recent: [u64; RECENT],
}

impl Traffic {
    /// Nothing yet with `domain`.
    pub fn new(domain: Name<'_>, is_delegated: bool, now: Timestamp) -> Self {
        Self {
            domain: domain.to_owned(),
            is_delegated,
            first: now,
            last: now,
            queries: 0,
            lookups: 0,
            distinct: 0,
            bytes_out: 0,
            bytes_in: 0,
            answered: (0, 0),
            rare_answered: (0, 0),
            failed: 0,
            addressed: (0, 0),
            rare: 0,
            types: [(0, 0); TYPES],
            shape: Shape::default(),
            tells: Tells::default(),
            contacts: 0,
            server: None,
            stretches: Stretches::new(STRETCH),
            long_stretches: Stretches::new(LONG_STRETCH),
            names: RecentNames::default(),
            recent: [0; RECENT],
        }
    }

    /// Takes a question in, for a name below the domain of which `hash` is the hash.
    pub fn question(&mut self, message: &DnsMessage<'_>, hash: u64) {
        let wire = message.name.wire();
        let below = wire.len().saturating_sub(self.domain.as_name().wire().len());
        let labels = Name::from_wire(wire.get(..below).unwrap_or_default());
        self.last = self.last.max(message.time);
        self.queries += 1;
        self.bytes_out += below as u64;
        self.server = Some(message.server.into());
        let is_rare = is_rare(message.facts.kind, labels);
        self.rare += u64::from(is_rare);
        self.count_type(message.facts.kind);
        self.stretches.note(message.time);
        self.long_stretches.note(message.time);
        if self.recent.contains(&hash) {
            return;
        }
        self.recent.rotate_right(1);
        if let Some(place) = self.recent.first_mut() {
            *place = hash;
        }
        self.lookups += 1;
        if self.names.is_new(hash) {
            self.distinct += 1;
            self.shape.add(labels, message.facts.kind);
            self.tells.add(labels, message.facts.kind);
        }
    }

    /// Takes an answer in.
    pub fn answer(&mut self, message: &DnsMessage<'_>) {
        // The header, and the question's name, zero byte, type and class.
        let question = 12 + message.name.wire().len() as u64 + 5;
        let records = u64::from(message.facts.bytes).saturating_sub(question);
        let labels = message.name;
        self.bytes_in += records;
        match message.facts.code {
            0 => {
                let add = |(count, bytes): &mut (u64, u64)| (*count, *bytes) = (*count + 1, *bytes + records);
                add(&mut self.answered);
                if is_rare(message.facts.kind, labels) {
                    add(&mut self.rare_answered);
                }
            }
            3 => self.failed += 1,
            _ => {}
        }
        let is_local = |address: IpAddr| address.is_loopback();
        if !message.addresses.is_empty() {
            self.addressed.0 += 1;
            let local = message.addresses.iter().all(|(address, _)| is_local((*address).into()));
            self.addressed.1 += u64::from(local);
        }
    }

    /// How long it lasted, in seconds.
    pub fn seconds(&self) -> f64 {
        self.last.since(self.first) as f64 / SECOND as f64
    }

    /// Whether questions came all the time: in most stretches of ten seconds of a minute and more, or in most
    /// minutes of twenty and more.
    pub fn is_steady(&self) -> bool {
        let seconds = self.seconds();
        seconds >= 60.0 && self.stretches.filled() >= 0.5
            || seconds >= 1200.0 && self.long_stretches.filled() >= 0.6
    }

    /// Record types and how often each was asked for, the most frequent first.
    pub fn types(&self) -> Vec<(u16, u64)> {
        let mut types: Vec<_> = self.types.into_iter().filter(|(_, count)| *count > 0).collect();
        types.sort_by_key(|&(kind, count)| (std::cmp::Reverse(count), kind));
        types
    }

    fn count_type(&mut self, kind: u16) {
        let place = self.types.iter_mut().find(|(known, count)| *known == kind || *count == 0);
        if let Some((known, count)) = place {
            (*known, *count) = (kind, *count + 1);
        }
    }
}

/// Whether hosts that only want to connect do not ask for the type. Services that names begin with an
/// underscore for (RFC 8552) have types of their own.
pub fn is_rare(kind: u16, name: Name<'_>) -> bool {
    is_seldom(kind) && !name.labels().any(|label| label.first() == Some(&b'_'))
}

/// The same whatever the name.
#[inline]
pub const fn is_seldom(kind: u16) -> bool {
    !matches!(
        kind,
        kind::A
            | kind::AAAA
            | kind::HTTPS
            | kind::SVCB
            | kind::PTR
            | kind::NS
            | kind::SOA
            | kind::DS
            | kind::DNSKEY
            | kind::RRSIG
            | kind::CAA
    )
}

/// In how many stretches of time something happened.
#[derive(Debug)]
struct Stretches {
    length: Nanos,
    first: Option<i64>,
    last: i64,
    filled: u64,
}

impl Stretches {
    const fn new(length: Nanos) -> Self {
        Self { length, first: None, last: 0, filled: 0 }
    }

    fn note(&mut self, time: Timestamp) {
        let now = time.as_nanos().div_euclid(self.length);
        if self.first.is_none() || now > self.last {
            self.filled += 1;
            self.last = now;
        }
        self.first.get_or_insert(now);
    }

    /// The share of stretches in which something happened.
    fn filled(&self) -> f64 {
        let all = self.last - self.first.unwrap_or(self.last) + 1;
        self.filled as f64 / all as f64
    }
}

/// The names that were asked for last: half of those that are remembered at least.
#[derive(Debug, Default)]
struct RecentNames {
    current: HashSet<u64, foldhash::fast::FixedState>,
    previous: HashSet<u64, foldhash::fast::FixedState>,
}

impl RecentNames {
    fn is_new(&mut self, hash: u64) -> bool {
        if self.current.len() >= limits::TUNNEL_NAMES / 2 {
            self.previous = std::mem::take(&mut self.current);
        }
        self.current.insert(hash) && !self.previous.contains(&hash)
    }
}
