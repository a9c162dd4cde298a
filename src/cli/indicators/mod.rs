//! `callhome indicators`: indicator files themselves, and what every command says of those it loads.

mod check;
mod compile;
mod explain;
mod list;

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{FAILED, FOUND, NOTHING_FOUND, say};
use crate::{
    cli::safe,
    indicator::{
        AllowEntry, Claim, IndicatorPath, Knowledge, LoadReport, Loader, Standing, Validity, parse_instant,
    },
    time::Timestamp,
};

/// Entries of one list that are named when they are not taken.
const REJECTED_SHOWN: usize = 10;

/// The arguments of `callhome indicators`.
#[derive(Debug, Args)]
pub struct IndicatorsArguments {
    #[command(subcommand)]
    command: IndicatorsCommand,
}

#[derive(Debug, Subcommand)]
enum IndicatorsCommand {
    /// Say what sources are worth: what holds, what was refused and why, what contradicts what.
    Check(check::CheckArguments),
    /// Say what a value would do and why: a name, address, URL, path, fingerprint, hash or User-Agent.
    Explain(explain::ExplainArguments),
    /// List claims and signatures.
    List(list::ListArguments),
    /// Write indicators into one file that --indicators takes and that is ready at once.
    Compile(compile::CompileArguments),
}

/// Runs the command.
pub fn indicators(arguments: &IndicatorsArguments) -> ExitCode {
    let answer = match &arguments.command {
        IndicatorsCommand::Check(arguments) => check::check(arguments),
        IndicatorsCommand::Explain(arguments) => explain::explain(arguments),
        IndicatorsCommand::List(arguments) => list::list(arguments),
        IndicatorsCommand::Compile(arguments) => compile::compile(arguments).map(Answer::fine),
    };
    match answer {
        Ok(Answer { text, code }) => {
            // A reader that went away has seen enough.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::from(code)
        }
        Err(message) => {
            say(&message);
            ExitCode::from(FAILED)
        }
    }
}

/// What a command says, and the exit code.
struct Answer {
    text: String,
    code: u8,
}

impl Answer {
    const fn fine(text: String) -> Self {
        Self { text, code: NOTHING_FOUND }
    }
}

/// The time that is judged by: that of the flag, else now.
fn judged_at(text: Option<&str>) -> Result<Timestamp, String> {
    match text {
        None => Ok(super::now()),
        Some(text) => parse_instant(text)
            .ok_or_else(|| format!("--at: {text:?} is no date or time (2026-03-31, 2026-03-31T00:21:58Z)")),
    }
}

/// Loads `paths` beside what is always built in; without any path, the built-in campaigns.
fn load(paths: &[IndicatorPath]) -> Knowledge {
    let mut loader = Loader::default();
    if paths.is_empty() {
        loader.campaigns();
    }
    paths.iter().for_each(|path| loader.located(path));
    loader.builtin_baseline();
    loader.finish()
}

/// `active`, `expired` or `not yet valid`.
const fn standing_text(standing: Standing) -> &'static str {
    match standing {
        Standing::Valid => "active",
        Standing::Expired => "expired",
        Standing::Early | Standing::NotYet => "not_yet_valid",
    }
}

/// `2026-03-30..2026-09-30`; an open end is left out.
fn span_text(validity: Validity) -> String {
    let day = |time: Option<Timestamp>| -> String {
        time.map_or(String::new(), |time| time.rfc3339().chars().take(10).collect())
    };
    format!("{}..{}", day(validity.from), day(validity.until))
}

/// A claim and everything that is said of it, as it stands at `time`.
fn claim_json(claim: &Claim<'_>, time: Timestamp) -> Value {
    let said = &**claim.provenance;
    let texts = |texts: &[Arc<str>]| texts.iter().map(|text| safe(text).into_owned()).collect::<Vec<_>>();
    json!({
        "value": safe(claim.value),
        "kind": claim.kind.as_str(),
        "match": claim.matching.as_str(),
        "state": standing_text(claim.validity.at(time)),
        "severity": claim.severity().as_str(),
        "confidence": said.confidence,
        "campaign": safe(&said.campaign),
        "title": said.title.as_deref().map(safe),
        "sources": texts(&said.sources),
        "reference": safe(&said.reference),
        "tlp": said.tlp.map(|tlp| tlp.as_str()),
        "tags": texts(&said.tags),
        "mitre": texts(&said.mitre),
        "first_seen": claim.first_seen.map(Timestamp::rfc3339),
        "valid_from": claim.validity.from.map(Timestamp::rfc3339),
        "valid_until": claim.validity.until.map(Timestamp::rfc3339),
        "alone": said.alert,
        "note": safe(&said.note),
        "file": safe(&said.file),
        "line": claim.line,
    })
}

/// An allow entry.
fn allow_json(entry: &AllowEntry) -> Value {
    json!({
        "value": safe(&entry.value),
        "port": entry.port,
        "scope": entry.scope.iter().map(|detector| safe(detector).into_owned()).collect::<Vec<_>>(),
        "group": entry.group.as_deref().map(safe),
        "reason": safe(&entry.reason),
        "risk": safe(&entry.risk),
        "expires": entry.expires.map(Timestamp::rfc3339),
        "file": safe(&entry.file),
        "line": entry.line,
    })
}

/// Says which entries were not taken, the first few of each list by line.
///
/// # Errors
/// When a source could not be used at all: a feed that cannot be read would leave the user believing that
/// it was asked.
pub(in crate::cli) fn check_loaded(report: &LoadReport) -> Result<(), String> {
    if let Some(source) = report.failures().next() {
        let reason = source.failure.as_deref().unwrap_or_default();
        return Err(format!("{}: {reason}", source.file));
    }
    for source in &report.sources {
        for rejected in source.rejected.iter().take(REJECTED_SHOWN) {
            say(&format!("{}:{}: {}: {}", source.file, rejected.line, rejected.text, rejected.reason));
        }
        if let Some(more) = source.rejected_count.checked_sub(REJECTED_SHOWN + 1) {
            say(&format!("{}: {} more entries were not taken", source.file, more + 1));
        }
    }
    Ok(())
}
