//! What a reader of a format reads into.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::super::allow::AllowEntry;
use super::super::claims::Statement;
use super::super::lifetime;
use super::super::load::Loader;
use super::super::load_report::SourceReport;
use super::super::model::{Kind, Provenance, Validity};
use super::super::signature::Signature;
use super::super::value::{Refusal, Value};
use super::Head;
use crate::time::Timestamp;

/// The confidence of a list that states none. Whoever hands a list to an investigation means it: a hit is
/// `medium`, to be looked at, and not among what means little alone.
const UNSTATED_CONFIDENCE: u8 = 75;

/// What of a file is wanted: a compiled file holds claims in its tables, and the rest as text to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::indicator) enum Parts {
    /// Everything.
    All,
    /// Claims, and what is refused.
    Claims,
    /// Signatures, allow entries, lists of the harmless: what is no claim.
    Rest,
}

/// The dates that a feed gives of an entry; each of them may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::indicator) struct Dates {
    /// When it was first seen in use.
    pub first_seen: Option<Timestamp>,
    /// When it was last seen in use, or was listed.
    pub last_seen: Option<Timestamp>,
    /// The first instant at which it holds, as the feed says.
    pub valid_from: Option<Timestamp>,
    /// The last one.
    pub valid_until: Option<Timestamp>,
}

impl Dates {
    /// The latest that is told of the entry itself, by which the age of a source is judged.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        [self.first_seen, self.last_seen, self.valid_from].into_iter().flatten().max()
    }

    /// When an entry of `kind` holds: as the feed says; else from when it was first seen until a lifetime after
    /// it was last seen ([`lifetime`]). Without any date there is no bound.
    fn validity(&self, kind: Kind) -> Validity {
        let from = self.valid_from.or(self.first_seen).or(self.last_seen);
        let until = self.valid_until.or_else(|| Some(self.newest()?.plus(lifetime::of(kind)?)));
        Validity { from, until }
    }
}

/// One file on its way into a [`Loader`], and what is said of it.
pub(in crate::indicator) struct Feed<'l> {
    /// Where everything goes.
    pub loader: &'l mut Loader,
    /// What came of it so far.
    pub report: SourceReport,
    parts: Parts,
    /// The file's stem, which stands for campaign and source where nothing else does.
    name: Arc<str>,
    /// What the last entry said of itself: entries of one feed mostly say the same, and one copy serves all.
    last: Option<Arc<Provenance>>,
    /// What was set aside, and how many lines that is.
    aside: String,
    aside_lines: u32,
}

impl<'l> Feed<'l> {
    /// A file, of which `report` says nothing yet but its name and format.
    pub(in crate::indicator) fn new(loader: &'l mut Loader, report: SourceReport, parts: Parts) -> Self {
        let path = std::path::Path::new(&*report.file);
        let name = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default().into();
        Self { loader, report, parts, name, last: None, aside: String::new(), aside_lines: 0 }
    }

    /// Whether claims are wanted.
    pub(in crate::indicator) fn wants_claims(&self) -> bool {
        self.parts != Parts::Rest
    }

    /// Whether anything but claims is wanted.
    pub(in crate::indicator) fn wants_rest(&self) -> bool {
        self.parts != Parts::Claims
    }

    /// The provenance of an entry that says nothing of itself: no campaign but the file's name.
    pub(in crate::indicator) fn unstated(&self) -> Provenance {
        Provenance {
            file: self.report.file.clone(),
            campaign: self.name.clone(),
            title: None,
            sources: vec![self.name.clone()],
            reference: Arc::default(),
            confidence: UNSTATED_CONFIDENCE,
            tlp: None,
            tags: Vec::new(),
            mitre: Vec::new(),
            severity: None,
            alert: true,
            force: false,
            note: Arc::default(),
        }
    }

    /// The provenance of an entry of a feed of that name, in which entries have a campaign of their own or none.
    pub(in crate::indicator) fn of_source(&self, source: &str, confidence: u8) -> Provenance {
        let source: Arc<str> = source.into();
        Provenance { campaign: source.clone(), sources: vec![source], confidence, ..self.unstated() }
    }

    /// Takes a claim: `value` that stands in `line` as `text`, or the reason why it is none.
    pub(in crate::indicator) fn claim(
        &mut self,
        line: u32,
        text: &str,
        value: Result<Value<'_>, Refusal>,
        dates: &Dates,
        provenance: &Provenance,
    ) {
        let value = match value {
            Ok(value) => value,
            Err(refusal) => return self.reject(line, text, refusal),
        };
        if dates.valid_from.zip(dates.valid_until).is_some_and(|(from, until)| from > until) {
            return self.reject(line, text, "its last day is before its first");
        }
        let validity = dates.validity(value.kind());
        self.note_date(dates.newest());
        self.statement(line, text, value, dates.first_seen, validity, provenance);
    }

    /// Takes a claim whose validity is stated, or unbounded on purpose.
    pub(in crate::indicator) fn statement(
        &mut self,
        line: u32,
        text: &str,
        value: Value<'_>,
        first_seen: Option<Timestamp>,
        validity: Validity,
        provenance: &Provenance,
    ) {
        if self.parts == Parts::Rest {
            return;
        }
        let provenance = self.shared(provenance);
        let statement = Statement { value, first_seen, validity, line, provenance: &provenance };
        let added = self.loader.indicators.claim(&statement);
        self.report.count(added, line, text);
    }

    /// The provenance, kept once for a run of entries that say the same of themselves.
    pub(in crate::indicator) fn shared(&mut self, provenance: &Provenance) -> Arc<Provenance> {
        match &self.last {
            Some(last) if **last == *provenance => Arc::clone(last),
            _ => Arc::clone(self.last.insert(Arc::new(provenance.clone()))),
        }
    }

    /// Takes a composite signature that stands in `line`.
    pub(in crate::indicator) fn signature(&mut self, line: u32, signature: Signature) {
        if self.parts == Parts::Claims {
            return;
        }
        let id = Arc::clone(&signature.id);
        if self.loader.indicators.signature(signature) {
            self.report.accepted += 1;
        } else {
            self.reject_rest(line, &id, "another signature has this id");
        }
    }

    /// Where only claims are wanted: keeps `text`, which begins in `line` and is no claim, to be read again. What
    /// is kept of a file has every line at its place, and nothing on the others.
    pub(in crate::indicator) fn set_aside(&mut self, line: u32, text: &str) {
        if self.parts != Parts::Claims {
            return;
        }
        let missing = line.saturating_sub(1).saturating_sub(self.aside_lines);
        self.aside.extend(std::iter::repeat_n('\n', missing as usize));
        self.aside.push_str(text);
        self.aside.push('\n');
        let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
        self.aside_lines = self.aside_lines.saturating_add(missing).saturating_add(lines);
    }

    /// What came of the file, and what was set aside.
    pub(in crate::indicator) fn into_parts(self) -> (SourceReport, String) {
        (self.report, self.aside)
    }

    /// Takes allow entries, which count as one.
    pub(in crate::indicator) fn allow(&mut self, entries: Vec<AllowEntry>) {
        if self.parts != Parts::Claims {
            self.loader.allow.extend(entries);
            self.report.accepted += 1;
        }
    }

    /// Notes that `text` in `line` was refused.
    pub(in crate::indicator) fn reject(&mut self, line: u32, text: &str, reason: impl fmt::Display) {
        if self.parts != Parts::Rest {
            self.report.reject(line, text, reason);
        }
    }

    /// The same of what is no claim.
    pub(in crate::indicator) fn reject_rest(&mut self, line: u32, text: &str, reason: impl fmt::Display) {
        if self.parts != Parts::Claims {
            self.report.reject(line, text, reason);
        }
    }

    /// Notes that what stands in `line` is in order and nothing for us, such as the hash of a file.
    pub(in crate::indicator) fn ignore(&mut self, line: u32, reason: impl Into<Cow<'static, str>>) {
        if self.parts != Parts::Rest {
            self.report.ignore(line, &reason.into());
        }
    }

    /// Notes a date that the feed tells of itself or of an entry.
    pub(in crate::indicator) fn note_date(&mut self, date: Option<Timestamp>) {
        self.report.newest = self.report.newest.max(date);
    }

    /// Notes why the file as a whole is of no use.
    pub(in crate::indicator) fn fail(&mut self, reason: impl Into<String>) {
        self.report.failure = Some(reason.into());
    }
}

/// Reads a file in blocks of whole lines.
pub(in crate::indicator) trait BlockReader {
    /// Reads the next block.
    fn block(&mut self, text: &str, feed: &mut Feed<'_>);

    /// Says at the end what is wrong with the whole.
    fn finish(&mut self, _feed: &mut Feed<'_>) {}
}

/// Reads a file line by line.
pub(in crate::indicator) trait LineReader {
    /// Reads the next line, which has that number, from 1.
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>);

    /// Says at the end what is wrong with the whole.
    fn finish(&mut self, _feed: &mut Feed<'_>) {}
}

/// Hands a [`LineReader`] the lines of blocks.
pub(in crate::indicator) struct ByLine<R> {
    reader: R,
    lines: u32,
}

impl<R> ByLine<R> {
    /// Of `reader`.
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, lines: 0 }
    }
}

/// Hands JSON, which comes in one block, to a function, and the lines of anything else to a [`LineReader`].
pub(in crate::indicator) struct JsonOrLines<R> {
    json: fn(&str, &mut Feed<'_>),
    lines: ByLine<R>,
    has_begun: bool,
}

impl<R> JsonOrLines<R> {
    /// Of `reader`, and a function for a whole JSON file.
    pub(super) const fn new(reader: R, json: fn(&str, &mut Feed<'_>)) -> Self {
        Self { json, lines: ByLine::new(reader), has_begun: false }
    }
}

impl<R: LineReader> BlockReader for JsonOrLines<R> {
    fn block(&mut self, text: &str, feed: &mut Feed<'_>) {
        if !std::mem::replace(&mut self.has_begun, true) && Head::may_be_json(text) {
            (self.json)(text, feed);
        } else {
            self.lines.block(text, feed);
        }
    }

    fn finish(&mut self, feed: &mut Feed<'_>) {
        self.lines.finish(feed);
    }
}

impl<R: LineReader> BlockReader for ByLine<R> {
    fn block(&mut self, text: &str, feed: &mut Feed<'_>) {
        for line in text.lines() {
            self.lines = self.lines.saturating_add(1);
            self.reader.line(self.lines, line, feed);
        }
    }

    fn finish(&mut self, feed: &mut Feed<'_>) {
        self.reader.finish(feed);
    }
}
