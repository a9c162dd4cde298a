//! All claims of a set in one place: one arena for the values, and flat tables for the rest.
//!
//! A claim is a record of twelve bytes: where its value begins in the arena (it ends where the next one
//! begins), its line, and its group. A group is what runs of claims have in common: kind, reach, dates
//! and provenance, kept once.

use std::fmt::Write as _;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::flat::{Bytes, u32_at, u64_at};
use super::model::{Claim, Kind, Match, Provenance, Validity};
use super::provenances::Provenances;
use super::value::Value;
use crate::time::Timestamp;

/// A claim as a reader states it.
#[derive(Clone, Debug)]
pub(super) struct Statement<'a> {
    /// The value.
    pub value: Value<'a>,
    /// When it was first seen in use.
    pub first_seen: Option<Timestamp>,
    /// When it holds.
    pub validity: Validity,
    /// Line of its file.
    pub line: u32,
    /// Who says so.
    pub provenance: &'a Arc<Provenance>,
}

/// Bytes of a record: start, line, group.
pub(super) const RECORD: usize = 12;
/// Bytes of a group: provenance, dates, kind, reach, and two that are zero.
pub(super) const GROUP: usize = 12;
/// Bytes of dates: which of the three are stated; first seen, valid from, valid until.
pub(super) const DATES: usize = 32;

/// Every claim of a set, found by its place in it.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub(super) values: Bytes,
    pub(super) records: Bytes,
    pub(super) groups: Bytes,
    pub(super) dates: Bytes,
    pub(super) provenances: Provenances,
}

impl Claims {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.records.len() / RECORD
    }

    /// The claim at that place; `None` where there is none.
    pub(super) fn get(&self, claim: u32) -> Option<Claim<'_>> {
        let [_, line, group] = self.record(claim)?;
        let [provenance, dates, form] = numbers(&self.groups, group)?;
        let [kind, matching, ..] = form.to_le_bytes();
        let (first_seen, validity) = self.dates(dates)?;
        Some(Claim {
            value: std::str::from_utf8(self.bytes(claim)?).ok()?,
            kind: *Kind::ALL.get(usize::from(kind))?,
            matching: *Match::ALL.get(usize::from(matching))?,
            first_seen,
            validity,
            line,
            provenance: self.provenances.get(provenance)?,
        })
    }

    /// The value's text as bytes; empty where there is no claim.
    #[inline]
    pub(super) fn value(&self, claim: u32) -> &[u8] {
        self.bytes(claim).unwrap_or_default()
    }

    /// What the claim is about.
    pub(super) fn kind(&self, claim: u32) -> Option<Kind> {
        Kind::ALL.get(usize::from(self.form(claim)?[0])).copied()
    }

    /// How far it reaches.
    pub(super) fn matching(&self, claim: u32) -> Option<Match> {
        Match::ALL.get(usize::from(self.form(claim)?[1])).copied()
    }

    /// Whether it is about a domain name.
    #[inline]
    pub(super) fn is_domain(&self, claim: u32) -> bool {
        self.kind(claim) == Some(Kind::Domain)
    }

    fn form(&self, claim: u32) -> Option<[u8; 4]> {
        let [_, _, group] = self.record(claim)?;
        numbers::<3>(&self.groups, group).map(|[_, _, form]| form.to_le_bytes())
    }

    #[inline]
    fn record(&self, claim: u32) -> Option<[u32; 3]> {
        numbers(&self.records, claim)
    }

    #[inline]
    fn bytes(&self, claim: u32) -> Option<&[u8]> {
        let [start, ..] = self.record(claim)?;
        let end = claim.checked_add(1).and_then(|next| self.record(next)).map(|[start, ..]| start as usize);
        let bytes: &[u8] = &self.values;
        bytes.get(start as usize..end.unwrap_or(bytes.len()))
    }

    fn dates(&self, number: u32) -> Option<(Option<Timestamp>, Validity)> {
        let row = self.dates.get(number as usize * DATES..)?.get(..DATES)?;
        let stated = u64_at(row, 0)?;
        let date = |place: usize| {
            let nanos = u64_at(row, 1 + place)? as i64;
            (stated >> place & 1 == 1).then(|| Timestamp::from_nanos(nanos))
        };
        Some((date(0), Validity { from: date(1), until: date(2) }))
    }
}

/// Row `row` of a table of `N` numbers in each row.
#[inline]
fn numbers<const N: usize>(table: &[u8], row: u32) -> Option<[u32; N]> {
    let row = table.get(row as usize * N * 4..)?.get(..N * 4)?;
    let mut numbers = [0; N];
    for (place, number) in numbers.iter_mut().enumerate() {
        *number = u32_at(row, place)?;
    }
    Some(numbers)
}

/// Adds claims to a set.
#[derive(Debug, Default)]
pub(super) struct ClaimsBuilder {
    pub(super) claims: Claims,
    provenances: HashMap<Arc<Provenance>, u32, FixedState>,
    dates: HashMap<Dates, u32, FixedState>,
    groups: HashMap<Group, u32, FixedState>,
    /// Lines of one list come with the same things as the line before.
    last: Option<(Arc<Provenance>, Dates, Kind, Match, u32)>,
}

type Dates = (Option<Timestamp>, Validity);
type Group = (u32, u32, Kind, Match);

impl ClaimsBuilder {
    /// Adds a claim and gives its place. `None` when four gibibytes of values, or four thousand million
    /// claims, are full.
    pub(super) fn push(&mut self, statement: &Statement<'_>) -> Option<u32> {
        let claim = u32::try_from(self.claims.len()).ok().filter(|&claim| claim < u32::MAX)?;
        let values = self.claims.values.to_mut();
        let start = values.len();
        match &statement.value {
            Value::Domain(text, _) | Value::Text(_, text, _) => values.extend_from_slice(text.as_bytes()),
            value => {
                let _ = write!(Text(values), "{value}");
            }
        }
        if u32::try_from(values.len()).is_err() {
            values.truncate(start);
            return None;
        }
        let group = self.group(statement);
        let records = self.claims.records.to_mut();
        for number in [start as u32, statement.line, group] {
            records.extend_from_slice(&number.to_le_bytes());
        }
        Some(claim)
    }

    /// The claims, without what was only needed for adding.
    pub(super) fn finish(mut self) -> Claims {
        let Claims { values, records, groups, dates, provenances } = &mut self.claims;
        for table in [values, records, groups, dates] {
            table.to_mut().shrink_to_fit();
        }
        provenances.finish();
        self.claims
    }

    fn group(&mut self, statement: &Statement<'_>) -> u32 {
        let Statement { value, first_seen, validity, provenance, .. } = statement;
        let (dates, kind, matching) = ((*first_seen, *validity), value.kind(), value.matching());
        if let Some((said, when, what, reach, group)) = &self.last
            && Arc::ptr_eq(said, provenance)
            && (*when, *what, *reach) == (dates, kind, matching)
        {
            return *group;
        }
        let Claims { groups, dates: all_dates, provenances, .. } = &mut self.claims;
        let said = match self.provenances.get(*provenance) {
            Some(&number) => number,
            None => {
                let number = provenances.push(Arc::clone(provenance));
                self.provenances.insert(Arc::clone(provenance), number);
                number
            }
        };
        let when = *self.dates.entry(dates).or_insert_with(|| push_dates(all_dates.to_mut(), dates));
        let group = *self.groups.entry((said, when, kind, matching)).or_insert_with(|| {
            let groups = groups.to_mut();
            let number = (groups.len() / GROUP) as u32;
            for part in [said, when, u32::from_le_bytes([kind as u8, matching as u8, 0, 0])] {
                groups.extend_from_slice(&part.to_le_bytes());
            }
            number
        });
        self.last = Some((Arc::clone(provenance), dates, kind, matching, group));
        group
    }
}

fn push_dates(table: &mut Vec<u8>, (first_seen, validity): Dates) -> u32 {
    let number = (table.len() / DATES) as u32;
    let three = [first_seen, validity.from, validity.until];
    let stated =
        three.iter().enumerate().map(|(place, date)| u64::from(date.is_some()) << place).sum::<u64>();
    table.extend_from_slice(&stated.to_le_bytes());
    for date in three {
        table.extend_from_slice(&date.unwrap_or_default().as_nanos().to_le_bytes());
    }
    number
}

/// Lets values be written where they will stand.
struct Text<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
