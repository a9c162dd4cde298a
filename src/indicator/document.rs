//! TOML with its line numbers: every fault in a pack names the line, and the key that was perhaps meant.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::instant::{Edge, parse_time};
use super::model::Validity;
use crate::time::Timestamp;

/// What is wrong with an entry, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Line, from 1.
    pub line: u32,
    /// What is wrong.
    pub reason: String,
}

/// A parsed file.
pub(super) struct Document<'t> {
    text: &'t str,
    root: DeTable<'t>,
    line_starts: Vec<usize>,
}

impl<'t> Document<'t> {
    /// Parses `text`.
    ///
    /// # Errors
    /// When it is not TOML.
    pub(super) fn parse(text: &'t str) -> Result<Self, Fault> {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { text, root: root.into_inner(), line_starts }),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let line = line_of(&line_starts, at);
                Err(Fault { line, reason: format!("not TOML: {}", error.message().replace('\n', " ")) })
            }
        }
    }

    /// The document's own keys.
    pub(super) fn root(&self, known: &'static [&'static str]) -> Result<Fields<'_>, Fault> {
        Fields::new(self, &self.root, 0..0, known)
    }

    /// The line that stands at `line`.
    pub(super) fn line_text(&self, line: u32) -> &'t str {
        self.text.lines().nth(line.saturating_sub(1) as usize).unwrap_or_default()
    }
}

fn line_of(starts: &[usize], at: usize) -> u32 {
    starts.partition_point(|&start| start <= at) as u32
}

/// A table all of whose keys are known.
#[derive(Clone)]
pub(super) struct Fields<'d> {
    document: &'d Document<'d>,
    table: &'d DeTable<'d>,
    span: Range<usize>,
}

impl<'d> Fields<'d> {
    fn new(
        document: &'d Document<'d>,
        table: &'d DeTable<'d>,
        span: Range<usize>,
        known: &[&str],
    ) -> Result<Self, Fault> {
        let fields = Self { document, table, span };
        match fields.table.keys().find(|key| !known.contains(&key.get_ref().as_ref())) {
            Some(key) => Err(fields.fault(key, unknown("key", key.get_ref(), known.iter().copied()))),
            None => Ok(fields),
        }
    }

    /// The line on which the table begins.
    pub(super) fn line(&self) -> u32 {
        line_of(&self.document.line_starts, self.span.start)
    }

    fn line_at<T>(&self, at: &Spanned<T>) -> u32 {
        line_of(&self.document.line_starts, at.span().start)
    }

    /// The line on which `key`'s value stands; the table's own without that key.
    pub(super) fn line_of(&self, key: &str) -> u32 {
        self.table.get(key).map_or(self.line(), |value| self.line_at(value))
    }

    fn fault<T>(&self, at: &Spanned<T>, reason: impl fmt::Display) -> Fault {
        Fault { line: self.line_at(at), reason: reason.to_string() }
    }

    /// A fault of `key`'s value, or of the whole table without that key.
    pub(super) fn wrong(&self, key: &str, reason: impl fmt::Display) -> Fault {
        Fault { line: self.line_of(key), reason: format!("{key}: {reason}") }
    }

    fn missing(&self, key: &str) -> Fault {
        Fault { line: self.line(), reason: format!("{key} is missing") }
    }

    /// Whether `key` is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A value read by `read`, which says `None` to one of another type.
    fn read<T>(
        &self,
        key: &str,
        what: &str,
        read: impl FnOnce(&'d DeValue<'d>) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        match read(value.get_ref()) {
            Some(read) => Ok(Some(read)),
            None => Err(self.fault(value, format_args!("{key} must be {what}"))),
        }
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Result<Option<&'d str>, Fault> {
        self.read(key, "a text", |value| value.as_str())
    }

    /// A text that must be there, and not be empty.
    pub(super) fn required_text(&self, key: &str) -> Result<&'d str, Fault> {
        let text = self.text(key)?.ok_or_else(|| self.missing(key))?;
        if text.trim().is_empty() { Err(self.wrong(key, "must not be empty")) } else { Ok(text) }
    }

    /// A text or a list of texts, each with its line.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<(&'d str, u32)>, Fault> {
        let Some(value) = self.table.get(key) else { return Ok(Vec::new()) };
        if let Some(text) = value.get_ref().as_str() {
            return Ok(vec![(text, self.line_at(value))]);
        }
        let wrong = |at: &Spanned<_>| self.fault(at, format_args!("{key} must be a text or a list of texts"));
        let items = value.get_ref().as_array().ok_or_else(|| wrong(value))?;
        items
            .iter()
            .map(|item| Ok((item.get_ref().as_str().ok_or_else(|| wrong(item))?, self.line_at(item))))
            .collect()
    }

    /// A whole number from `low` to `high`.
    pub(super) fn number(&self, key: &str, low: u64, high: u64) -> Result<Option<u64>, Fault> {
        let what = format!("a whole number from {low} to {high}");
        self.read(key, &what, |value| integer(value).filter(|number| (low..=high).contains(number)))
    }

    /// A whole number from `low` to `high` that must be there.
    pub(super) fn required_number(&self, key: &str, low: u64, high: u64) -> Result<u64, Fault> {
        self.number(key, low, high)?.ok_or_else(|| self.missing(key))
    }

    /// A whole number or a list of them.
    pub(super) fn numbers(&self, key: &str) -> Result<Option<Vec<u64>>, Fault> {
        self.read(key, "a whole number or a list of them", |value| match value.as_array() {
            Some(items) => items.iter().map(|item| integer(item.get_ref())).collect(),
            None => Some(vec![integer(value)?]),
        })
    }

    /// A truth value.
    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, Fault> {
        self.read(key, "true or false", |value| value.as_bool())
    }

    /// A date or a time, as TOML's own type or as text; a bare date is the first or last instant of
    /// its day, as `edge` says.
    pub(super) fn time(&self, key: &str, edge: Edge) -> Result<Option<Timestamp>, Fault> {
        self.read(key, "a date or a time (2026-03-31, 2026-03-31T00:21:58Z)", |value| {
            match value.as_datetime() {
                Some(time) => parse_time(&time.to_string(), edge),
                None => parse_time(value.as_str()?, edge),
            }
        })
    }

    /// `valid_from` and `valid_until`.
    pub(super) fn validity(&self) -> Result<Validity, Fault> {
        let from = self.time("valid_from", Edge::Start)?;
        let until = self.time("valid_until", Edge::End)?;
        if from.zip(until).is_some_and(|(from, until)| from > until) {
            return Err(self.wrong("valid_until", "must not be before valid_from"));
        }
        Ok(Validity { from, until })
    }

    /// A value by its name, read by `read`; `names` are those that there are.
    pub(super) fn named<T>(
        &self,
        key: &str,
        names: impl IntoIterator<Item = &'static str>,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(name) = self.text(key)? else { return Ok(None) };
        match read(name) {
            Some(value) => Ok(Some(value)),
            None => Err(self.wrong(key, unknown("value", name, names))),
        }
    }

    /// The keys of the table `key` with texts as their values, in alphabetical order.
    pub(super) fn text_table(&self, key: &str) -> Result<Vec<(&'d str, &'d str)>, Fault> {
        let Some(value) = self.table.get(key) else { return Ok(Vec::new()) };
        let wrong = |at: &Spanned<_>| self.fault(at, format_args!("{key} must be a table of texts"));
        let table = value.get_ref().as_table().ok_or_else(|| wrong(value))?;
        let entry = |(key, value): (&'d Spanned<_>, &'d Spanned<DeValue<'d>>)| {
            let key: &'d std::borrow::Cow<'d, str> = key.get_ref();
            Ok((key.as_ref(), value.get_ref().as_str().ok_or_else(|| wrong(value))?))
        };
        table.iter().map(entry).collect()
    }

    /// The table `key` whose values are lists of texts, in alphabetical order of its keys.
    pub(super) fn lists_table(&self, key: &str) -> Result<Vec<(&'d str, Vec<&'d str>)>, Fault> {
        let value = self.table.get(key).ok_or_else(|| self.missing(key))?;
        let wrong = |at: &Spanned<_>| self.fault(at, format_args!("{key} must be a table of lists of texts"));
        let table = value.get_ref().as_table().ok_or_else(|| wrong(value))?;
        let entry = |(key, value): (&'d Spanned<_>, &'d Spanned<DeValue<'d>>)| {
            let key: &'d std::borrow::Cow<'d, str> = key.get_ref();
            let items = value.get_ref().as_array().ok_or_else(|| wrong(value))?;
            let texts = items.iter().map(|item| item.get_ref().as_str().ok_or_else(|| wrong(item)));
            Ok((key.as_ref(), texts.collect::<Result<_, _>>()?))
        };
        table.iter().map(entry).collect()
    }

    /// The one table `key`.
    pub(super) fn table(&self, key: &str, known: &'static [&'static str]) -> Result<Option<Self>, Fault> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let table = value.get_ref().as_table();
        let table = table.ok_or_else(|| self.fault(value, format_args!("{key} must be a table")))?;
        Self::new(self.document, table, value.span(), known).map(Some)
    }

    /// The tables of the list `key`, each on its own: one may be at fault and the next all right.
    pub(super) fn tables(
        &self,
        key: &str,
        known: &'static [&'static str],
    ) -> Result<Vec<Result<Self, Fault>>, Fault> {
        let Some(value) = self.table.get(key) else { return Ok(Vec::new()) };
        let wrong = |at: &Spanned<_>| self.fault(at, format_args!("{key} must be a list of tables"));
        let items = value.get_ref().as_array().ok_or_else(|| wrong(value))?;
        let table = |item: &'d Spanned<DeValue<'d>>| {
            let table = item.get_ref().as_table().ok_or_else(|| wrong(item))?;
            Self::new(self.document, table, item.span(), known)
        };
        Ok(items.iter().map(table).collect())
    }
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// `unknown key "refrence", perhaps reference`.
pub(super) fn unknown<'n>(what: &str, name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let near = known.iter().map(|&known| (distance(name, known), known)).min();
    match near {
        Some((distance, near)) if distance <= name.chars().count() / 2 => {
            format!("unknown {what} {name:?}, perhaps {near}")
        }
        _ => format!("unknown {what} {name:?}; there are {}", known.join(", ")),
    }
}

/// How many characters must be put in, left out or changed to make `a` of `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut diagonal = i;
        for (slot, &to) in row.iter_mut().skip(1).zip(&b) {
            let best = (*slot + 1).min(left + 1).min(diagonal + usize::from(from != to));
            diagonal = std::mem::replace(slot, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
