//! All claims in one place: one arena for the values, shared provenances, twenty-odd bytes for the rest.

use std::sync::Arc;

use hashbrown::HashMap;

use super::model::{Claim, ClaimId, Kind, Match, Provenance, Validity};
use super::value::Value;
use crate::time::Timestamp;

/// A claim as a reader states it.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// The value.
    pub value: Value,
    /// When it was first seen in use.
    pub first_seen: Option<Timestamp>,
    /// When it holds.
    pub validity: Validity,
    /// Line of its file.
    pub line: u32,
    /// Who says so.
    pub provenance: Arc<Provenance>,
}

/// Every claim, found by its number.
#[derive(Debug, Default)]
pub(super) struct Claims {
    values: String,
    records: Vec<Record>,
    provenances: Interned<Arc<Provenance>>,
    dates: Interned<Dates>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    start: u32,
    line: u32,
    provenance: u32,
    dates: u32,
    length: u16,
    kind: Kind,
    matching: Match,
}

/// What lists repeat on every line, kept once.
type Dates = (Option<Timestamp>, Validity);

impl Claims {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The claim of that number; `None` for a number of another set.
    pub(super) fn get(&self, id: ClaimId) -> Option<Claim<'_>> {
        let record = self.records.get(id.0 as usize)?;
        let start = record.start as usize;
        let &(first_seen, validity) = self.dates.get(record.dates)?;
        Some(Claim {
            value: self.values.get(start..start + usize::from(record.length))?,
            kind: record.kind,
            matching: record.matching,
            first_seen,
            validity,
            line: record.line,
            provenance: self.provenances.get(record.provenance)?,
        })
    }

    /// The value's text; empty for a number of another set.
    pub(super) fn value(&self, id: ClaimId) -> &str {
        self.get(id).map_or("", |claim| claim.value)
    }

    /// Adds a claim. `None` when four gibibytes of values, or four thousand million claims, are full.
    pub(super) fn push(&mut self, statement: &Statement) -> Option<ClaimId> {
        let id = ClaimId(u32::try_from(self.records.len()).ok()?);
        let start = self.values.len();
        let value = statement.value.to_string();
        let end = u32::try_from(start + value.len()).ok()?;
        self.values.push_str(&value);
        self.records.push(Record {
            start: end - value.len() as u32,
            length: u16::try_from(value.len()).ok()?,
            line: statement.line,
            provenance: self.provenances.number(&statement.provenance),
            dates: self.dates.number(&(statement.first_seen, statement.validity)),
            kind: statement.value.kind(),
            matching: statement.value.matching(),
        });
        Some(id)
    }

    /// Takes the newest claim back.
    pub(super) fn forget_last(&mut self) {
        if let Some(record) = self.records.pop() {
            self.values.truncate(record.start as usize);
        }
    }

    /// Gives back what was only needed for adding.
    pub(super) fn finish(&mut self) {
        self.values.shrink_to_fit();
        self.records.shrink_to_fit();
        self.provenances.finish();
        self.dates.finish();
    }
}

/// Equal things kept once, found by number.
#[derive(Debug)]
struct Interned<T> {
    items: Vec<T>,
    numbers: HashMap<T, u32, foldhash::fast::FixedState>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { items: Vec::new(), numbers: HashMap::default() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Interned<T> {
    fn number(&mut self, item: &T) -> u32 {
        // Lines of one list come with the same things as the line before.
        if let Some(last) = self.items.last()
            && last == item
        {
            return self.items.len() as u32 - 1;
        }
        if let Some(&number) = self.numbers.get(item) {
            return number;
        }
        let number = self.items.len() as u32;
        self.items.push(item.clone());
        self.numbers.insert(item.clone(), number);
        number
    }

    fn get(&self, number: u32) -> Option<&T> {
        self.items.get(number as usize)
    }

    fn finish(&mut self) {
        self.numbers = HashMap::default();
        self.items.shrink_to_fit();
    }
}
