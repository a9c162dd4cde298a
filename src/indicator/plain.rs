//! Plain lists: one value on a line.
//!
//! Comments begin with `#`, `;` or `//`, at the line's start or after a blank. A bare name means it and
//! everything below it. Defanged values, final dots, capitals and IDN are understood ([`super::value`]).

use std::sync::Arc;

use super::claims::Statement;
use super::load::Loader;
use super::load_report::SourceReport;
use super::model::{Provenance, Validity};
use super::value::Value;

/// The confidence of a list that does not state any: somebody listed it, nobody said how sure.
pub(super) const UNSTATED_CONFIDENCE: u8 = 50;

/// Reads a list into `loader`; `name` is the file's stem, which stands for campaign and source.
pub(super) fn read(text: &str, name: &str, loader: &mut Loader, report: &mut SourceReport) {
    let provenance = unstated(report.file.clone(), name);
    for (index, line) in text.lines().enumerate() {
        let number = index as u32 + 1;
        let entry = without_comment(line);
        if entry.is_empty() {
            continue;
        }
        match Value::guess(entry) {
            Ok(value) => {
                let provenance = provenance.clone();
                let validity = Validity::default();
                let statement = Statement { value, first_seen: None, validity, line: number, provenance };
                loader.add(&statement, entry, report);
            }
            Err(refusal) => report.reject(number, entry, refusal),
        }
    }
}

/// The provenance of a list that says nothing of itself.
pub(super) fn unstated(file: Arc<str>, name: &str) -> Arc<Provenance> {
    let name: Arc<str> = name.into();
    Arc::new(Provenance {
        file,
        campaign: name.clone(),
        title: None,
        sources: vec![name],
        reference: Arc::default(),
        confidence: UNSTATED_CONFIDENCE,
        tlp: None,
        tags: Vec::new(),
        mitre: Vec::new(),
        severity: None,
        alert: true,
        note: Arc::default(),
    })
}

/// The line without its comment, byte order mark and blanks.
pub(super) fn without_comment(line: &str) -> &str {
    let line = line.trim_start_matches('\u{feff}').trim();
    if line.starts_with(['#', ';']) || line.starts_with("//") {
        return "";
    }
    // A `#` or `;` inside a URL is the URL's; one after a blank is not.
    let comment = [" #", "\t#", " ;", "\t;", " //", "\t//"].iter().filter_map(|mark| line.find(mark)).min();
    line.get(..comment.unwrap_or(line.len())).unwrap_or(line).trim_end()
}
