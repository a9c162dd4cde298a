//! What loading took, what it refused and why: per file, with line numbers.

use std::fmt;
use std::sync::Arc;

use super::segment::Added;

/// Rejected lines that are kept for each file; further ones are only counted.
pub const REJECTED_KEPT: usize = 1000;
/// Characters of a rejected line that are kept.
pub const REJECTED_TEXT: usize = 120;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Our own packs, TOML.
    Native,
    /// One value on a line.
    Plain,
    /// Columns under a header.
    Csv,
    /// A compiled file that could not be used; of one that could, each of its sources has a report.
    Compiled,
}

impl Format {
    /// The name used in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Plain => "plain",
            Self::Csv => "csv",
            Self::Compiled => "compiled",
        }
    }

    /// The format of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Native, Self::Plain, Self::Csv, Self::Compiled]
            .into_iter()
            .find(|format| format.as_str() == name)
    }
}

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
    /// Why the file as a whole could not be used (unreadable, no TOML, not text).
    pub failure: Option<String>,
}

impl SourceReport {
    /// An empty report.
    pub(super) fn new(file: Arc<str>, format: Format) -> Self {
        let rejected = Vec::new();
        Self { file, format, accepted: 0, duplicates: 0, rejected, rejected_count: 0, failure: None }
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
        self.rejected_count += 1;
        if self.rejected.len() < REJECTED_KEPT {
            self.rejected.push(Rejected { line, text: excerpt(text), reason: reason.to_string() });
        }
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
            let SourceReport { file, format, accepted, duplicates, rejected, rejected_count, failure } =
                source;
            let format = format.as_str();
            writeln!(
                f,
                "{file} ({format}): {accepted} accepted, {rejected_count} rejected, {duplicates} duplicates"
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
