//! What loading took, what it refused and why: per file, with line numbers.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::format::Format;
use super::segment::Added;
use super::shipped::{self, BUILTIN};
use crate::time::Timestamp;

/// Rejected lines that are kept for each file; further ones are only counted.
pub const REJECTED_KEPT: usize = 1000;
/// Reasons that are counted apart for each file, of rejected and of ignored entries; further ones are one.
pub const REASONS_KEPT: usize = 64;
/// Characters of a rejected line that are kept.
pub const REJECTED_TEXT: usize = 120;

/// A line, or an entry that begins there, that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Line, from 1.
    pub line: u32,
    /// What stands there: at most [`REJECTED_TEXT`] characters, control characters as `?`.
    pub text: String,
    /// Why, in a few words.
    pub reason: String,
}

/// How many entries have one reason for not being taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The reason, in a few words.
    pub reason: Cow<'static, str>,
    /// How many.
    pub count: usize,
    /// Line of the first one, from 1.
    pub first_line: u32,
}

/// What came of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReport {
    /// The file as it was named.
    pub file: Arc<str>,
    /// How it was read.
    pub format: Format,
    /// Claims, signatures and other entries that were taken.
    pub accepted: usize,
    /// Claims that the same file had already made.
    pub duplicates: usize,
    /// Entries that were not taken, the first [`REJECTED_KEPT`] of them.
    pub rejected: Vec<Rejected>,
    /// How many were not taken.
    pub rejected_count: usize,
    /// The same by reason, in the order in which they came up.
    pub reasons: Vec<Counted>,
    /// Entries that are in order and nothing for a sensor, such as hashes of files, by reason.
    pub ignored: Vec<Counted>,
    /// The latest date that the file tells of itself or of an entry.
    pub newest: Option<Timestamp>,
    /// Why the file as a whole could not be used (unreadable, no TOML, not text).
    pub failure: Option<String>,
}

impl SourceReport {
    /// An empty report.
    pub(super) fn new(file: Arc<str>, format: Format) -> Self {
        Self {
            file,
            format,
            accepted: 0,
            duplicates: 0,
            rejected: Vec::new(),
            rejected_count: 0,
            reasons: Vec::new(),
            ignored: Vec::new(),
            newest: None,
            failure: None,
        }
    }

    /// Counts a claim by what became of it.
    #[inline]
    pub(super) fn count(&mut self, added: Added, line: u32, text: &str) {
        match added {
            Added::New => self.accepted += 1,
            Added::Duplicate => self.duplicates += 1,
            Added::Full => self.reject(line, text, "there is no room for more claims"),
        }
    }

    /// Notes that `text` at `line` was refused.
    pub(super) fn reject(&mut self, line: u32, text: &str, reason: impl fmt::Display) {
        let reason = reason.to_string();
        self.rejected_count += 1;
        count_reason(&mut self.reasons, line, &reason);
        if self.rejected.len() < REJECTED_KEPT {
            self.rejected.push(Rejected { line, text: excerpt(text), reason });
        }
    }

    /// Notes that what stands at `line` is nothing for a sensor.
    pub(super) fn ignore(&mut self, line: u32, reason: &str) {
        count_reason(&mut self.ignored, line, reason);
    }

    /// Whether it is part of what is always built in and accuses nobody.
    pub fn is_baseline(&self) -> bool {
        self.file.strip_prefix(BUILTIN).is_some_and(|name| shipped::BASELINE.iter().any(|one| one.0 == name))
    }

    /// How many entries were in order and nothing for a sensor.
    pub fn ignored_count(&self) -> usize {
        self.ignored.iter().map(|one| one.count).sum()
    }
}

fn count_reason(counted: &mut Vec<Counted>, line: u32, reason: &str) {
    let place = counted.iter().position(|one| one.reason == reason).unwrap_or_else(|| {
        let reason: Cow<'static, str> = match counted.len() {
            ..REASONS_KEPT => excerpt(reason).into(),
            _ => "other reasons".into(),
        };
        if counted.len() <= REASONS_KEPT {
            counted.push(Counted { reason, count: 0, first_line: line });
        }
        counted.len() - 1
    });
    if let Some(one) = counted.get_mut(place) {
        one.count += 1;
    }
}

/// What came of every file, in the order of loading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// One entry for each file.
    pub sources: Vec<SourceReport>,
}

impl LoadReport {
    /// Everything that was taken.
    pub fn accepted(&self) -> usize {
        self.sources.iter().map(|source| source.accepted).sum()
    }

    /// Everything that was not taken.
    pub fn rejected(&self) -> usize {
        self.sources.iter().map(|source| source.rejected_count).sum()
    }

    /// The files that could not be used at all.
    pub fn failures(&self) -> impl Iterator<Item = &SourceReport> {
        self.sources.iter().filter(|source| source.failure.is_some())
    }
}

impl fmt::Display for LoadReport {
    /// One line for each file, and below it `file:line: reason: text` for what was not taken.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for source in &self.sources {
            let SourceReport { file, accepted, duplicates, rejected, rejected_count, failure, .. } = source;
            let (format, ignored) = (source.format.as_str(), source.ignored_count());
            writeln!(
                f,
                "{file} ({format}): {accepted} accepted, {rejected_count} rejected, {ignored} ignored, \
                 {duplicates} duplicates"
            )?;
            if let Some(failure) = failure {
                writeln!(f, "  {file}: {failure}")?;
            }
            for Rejected { line, text, reason } in rejected {
                writeln!(f, "  {file}:{line}: {reason}: {text}")?;
            }
            if let more @ 1.. = rejected_count - rejected.len() {
                writeln!(f, "  {file}: {more} more were rejected")?;
            }
        }
        Ok(())
    }
}

/// The first line of `text`, short, and harmless to a terminal.
fn excerpt(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let harmless = |c: char| if c.is_control() || is_bidi(c) { '?' } else { c };
    let mut out: String = line.chars().take(REJECTED_TEXT).map(harmless).collect();
    if line.chars().nth(REJECTED_TEXT).is_some() {
        out.push('…');
    }
    out
}

/// Marks that change the direction of what follows, and invisible ones.
const fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
}
