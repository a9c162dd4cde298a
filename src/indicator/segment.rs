//! One set of claims with its tables: what was read from text, or one compiled file.

use std::net::IpAddr;

use super::address_table::AddressTable;
use super::claims::{Claims, ClaimsBuilder, Statement};
use super::domain_table::DomainTable;
use super::further::{Further, FurtherBuilder};
use super::labels::{Labels, hash_of};
use super::model::{ClaimId, Kind, Match};
use super::text_table::TextTable;
use super::value::Value;

/// Claims and the tables that find them. Numbers within are places in this set.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) claims: Claims,
    pub(super) tables: Tables,
    pub(super) further: Further,
    /// How many claims stand in the sets before this one.
    pub(super) base: u32,
}

/// From values to the first claim about each.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) domains: DomainTable,
    pub(super) addresses: AddressTable,
    pub(super) texts: TextTable,
}

impl Tables {
    /// The hash by which a value's table is asked; of addresses, whose tables have their own, 0.
    #[inline]
    pub(super) fn hash(value: &Value<'_>) -> u64 {
        match value {
            Value::Domain(name, _) => hash_of(name),
            Value::Text(kind, text, _) => TextTable::hash(*kind, text),
            Value::Address(_) | Value::Network(_) | Value::AddressPort(_) => 0,
        }
    }

    /// The first claim about a value of that hash.
    fn first(&self, value: &Value<'_>, hash: u64, claims: &Claims) -> Option<u32> {
        let Self { domains, addresses, texts } = self;
        match value {
            Value::Domain(name, _) => domains.first(name, hash, claims),
            Value::Address(address) => addresses.first(*address, full_length(*address)),
            Value::Network(network) => addresses.first(network.addr(), network.prefix_len()),
            Value::AddressPort(socket) => addresses.first_at_port(socket.ip(), socket.port()),
            Value::Text(kind, text, matching) => texts.first((*kind, *matching, text), hash, claims),
        }
    }

    /// Adds a value of which [`Tables::first`] knows nothing.
    fn insert(&mut self, value: &Value<'_>, hash: u64, claim: u32) {
        let Self { domains, addresses, texts } = self;
        match value {
            Value::Domain(name, _) => domains.insert(name, hash, claim),
            Value::Address(address) => addresses.insert(*address, full_length(*address), claim),
            Value::Network(network) => addresses.insert(network.addr(), network.prefix_len(), claim),
            Value::AddressPort(socket) => addresses.insert_at_port(socket.ip(), socket.port(), claim),
            Value::Text(kind, ..) => texts.insert(*kind, hash, claim),
        }
    }

    fn finish(&mut self, claims: &Claims) {
        self.domains.finish(claims);
        self.addresses.finish();
        self.texts.finish();
    }
}

impl Segment {
    /// Claims about `name` and the names above it, the longest name's first. `two` is the hash of its
    /// last two labels.
    #[inline]
    pub(super) fn domain(&self, name: &Labels<'_>, two: u64, hits: &mut Vec<ClaimId>) {
        let before = hits.len();
        self.tables.domains.find(name, two, &self.claims, |first, whole| {
            // Backwards, because the shortest name comes first here and shall be last.
            for claim in self.further.of(first).rev().chain([first]) {
                if whole || self.claims.matching(claim) == Some(Match::Subtree) {
                    hits.push(self.id(claim));
                }
            }
        });
        if let Some(new) = hits.get_mut(before..) {
            new.reverse();
        }
    }

    /// Claims about an address, most exact first.
    pub(super) fn address(&self, address: IpAddr, port: u16, hits: &mut Vec<ClaimId>) {
        self.tables.addresses.find(address, port, |first| self.push(first, hits));
    }

    /// Claims about a URL's host, port (0 for any) and target.
    pub(super) fn url(&self, parts: (&[u8], u16, &[u8]), hits: &mut Vec<ClaimId>) {
        self.tables.texts.find_url(parts, &self.claims, |first| self.push(first, hits));
    }

    /// Claims about a text of that kind.
    pub(super) fn text(&self, kind: Kind, text: &[u8], hits: &mut Vec<ClaimId>) {
        // Hexadecimal digits mean the same in either case; other texts do only where it is said.
        let any_case = matches!(kind, Kind::Ja3 | Kind::Ja4 | Kind::CertificateHash);
        self.tables.texts.find(kind, text, &self.claims, |first| {
            let claims = &self.claims;
            if any_case || claims.matching(first) == Some(Match::IgnoreCase) || claims.value(first) == text {
                self.push(first, hits);
            }
        });
    }

    fn push(&self, first: u32, hits: &mut Vec<ClaimId>) {
        hits.push(self.id(first));
        hits.extend(self.further.of(first).map(|claim| self.id(claim)));
    }

    fn id(&self, claim: u32) -> ClaimId {
        ClaimId(self.base.wrapping_add(claim))
    }

    /// Whether this set has the same claim of the same file; `hash` is its value's.
    pub(super) fn repeats(&self, statement: &Statement<'_>, hash: u64) -> bool {
        let first = self.tables.first(&statement.value, hash, &self.claims);
        first.is_some_and(|first| {
            let mut same = [first].into_iter().chain(self.further.of(first));
            same.any(|claim| says_the_same(&self.claims, claim, statement))
        })
    }
}

const fn full_length(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn says_the_same(claims: &Claims, claim: u32, statement: &Statement<'_>) -> bool {
    claims.get(claim).is_some_and(|before| {
        let (said, earlier) = (statement.provenance, before.provenance);
        before.matching == statement.value.matching()
            && said.file == earlier.file
            && said.campaign == earlier.campaign
            && said.sources == earlier.sources
    })
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It is in.
    New,
    /// The same file had made it already.
    Duplicate,
    /// There is no room for its number; some thousand million are.
    Full,
}

/// Gathers a set of claims.
#[derive(Debug, Default)]
pub(super) struct SegmentBuilder {
    claims: ClaimsBuilder,
    tables: Tables,
    further: FurtherBuilder,
}

impl SegmentBuilder {
    /// How many claims there are.
    pub(super) fn len(&self) -> usize {
        self.claims.claims.len()
    }

    /// Makes room for so many names more.
    pub(super) fn reserve(&mut self, names: usize) {
        self.tables.domains.names.reserve(names);
    }

    /// See [`Slots::touch`](super::slots::Slots::touch).
    #[inline]
    pub(super) fn touch(&self, hash: u64) -> u64 {
        self.tables.domains.names.touch(hash)
    }

    /// Adds a claim; `hash` is its value's. What several sources say of one value is all kept, with its
    /// provenance.
    pub(super) fn add(&mut self, statement: &Statement<'_>, hash: u64) -> Added {
        let Self { claims, tables, further } = self;
        let first = tables.first(&statement.value, hash, &claims.claims);
        if let Some(first) = first {
            let mut same = [first].into_iter().chain(further.of(first));
            if same.any(|claim| says_the_same(&claims.claims, claim, statement)) {
                return Added::Duplicate;
            }
        }
        let Some(claim) = claims.push(statement) else { return Added::Full };
        match first {
            Some(first) => further.push(first, claim),
            None => tables.insert(&statement.value, hash, claim),
        }
        Added::New
    }

    /// Arranges the set for being asked.
    pub(super) fn finish(self) -> Segment {
        let Self { claims, mut tables, further } = self;
        let claims = claims.finish();
        tables.finish(&claims);
        Segment { claims, tables, further: further.finish(), base: 0 }
    }
}
