//! `callhome indicators check`: what sources are worth.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, IsTerminal},
    time::UNIX_EPOCH,
};

use clap::Args;
use serde_json::{Value, json};

use super::{Answer, FAILED, FOUND, NOTHING_FOUND, allow_json, claim_json, judged_at, load};
use crate::{
    cli::{safe, terminal_style},
    indicator::{Counted, IndicatorPath, Knowledge, Review, SourceReport, SourceStanding},
    report,
    time::{Nanos, SECOND, Timestamp},
};

/// The arguments of `callhome indicators check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Indicator files or directories, as PATH or FORMAT:PATH [default: the built-in packs]
    #[arg(value_name = "PATH")]
    paths: Vec<IndicatorPath>,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
    /// Judge what holds at this time (2026-03-31, 2026-03-31T00:21:58Z) [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Exit with 1 when an entry was refused or sources contradict each other
    #[arg(long)]
    strict: bool,
}

/// Runs the command.
///
/// # Errors
/// When the time cannot be understood. A file that cannot be used is told in the text, with exit code 2.
pub fn check(arguments: &CheckArguments) -> Result<Answer, String> {
    let time = judged_at(arguments.at.as_deref())?;
    let knowledge = load(&arguments.paths);
    let review = knowledge.review(time);
    let changed: BTreeMap<_, _> = knowledge
        .report
        .sources
        .iter()
        .filter_map(|source| Some((source.file.to_string(), written(&source.file)?)))
        .collect();
    let text = if arguments.json {
        let value = review_json(&knowledge, &review, (time, &changed));
        serde_json::to_string_pretty(&value).map_err(|error| error.to_string())? + "\n"
    } else {
        let style = terminal_style(io::stdout().is_terminal());
        report::sources(&knowledge, &review, (time, &changed), &style)
    };
    let refused = knowledge.report.rejected() > 0;
    let code = if knowledge.report.failures().next().is_some() {
        FAILED
    } else if arguments.strict && (refused || !review.contradictions.is_empty()) {
        FOUND
    } else {
        NOTHING_FOUND
    };
    Ok(Answer { text, code })
}

/// When a file was last written, where the system tells.
fn written(file: &str) -> Option<Timestamp> {
    let since = fs::metadata(file).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_parts(since.as_secs() as i64, i64::from(since.subsec_nanos())))
}

fn review_json(
    knowledge: &Knowledge,
    review: &Review<'_>,
    (time, changed): (Timestamp, &BTreeMap<String, Timestamp>),
) -> Value {
    const DAY: Nanos = 86_400 * SECOND;
    let source = |source: &SourceReport| {
        let SourceStanding { active, expired, not_yet_valid, shared, kinds } =
            review.sources.get(&source.file).cloned().unwrap_or_default();
        let written = changed.get(&*source.file).copied();
        let age = source.newest.or(written).map(|date| time.since(date) / DAY);
        json!({
            "file": safe(&source.file),
            "format": source.format.as_str(),
            "failure": source.failure.as_deref().map(safe),
            "accepted": source.accepted,
            "active": active,
            "expired": expired,
            "not_yet_valid": not_yet_valid,
            "kinds": kinds,
            "duplicates": source.duplicates,
            "in_other_sources": shared,
            "rejected": source.rejected_count,
            "reasons": counted_json(&source.reasons),
            "rejected_entries": source.rejected.iter().map(|one| json!({
                "line": one.line, "text": safe(&one.text), "reason": safe(&one.reason),
            })).collect::<Vec<_>>(),
            "ignored": source.ignored_count(),
            "ignored_reasons": counted_json(&source.ignored),
            "newest": source.newest.map(Timestamp::rfc3339),
            "written": written.map(Timestamp::rfc3339),
            "age_days": age,
        })
    };
    let claim = |id| knowledge.indicators.claim(id).map(|claim| claim_json(&claim, time));
    json!({
        "at": time.rfc3339(),
        "sources": knowledge.report.sources.iter().map(source).collect::<Vec<_>>(),
        "contradictions": review.contradictions.iter().map(|one| json!({
            "conflict": one.conflict.as_str(), "claim": claim(one.claim), "other": one.other.map(claim),
        })).collect::<Vec<_>>(),
        "contradiction_counts": review.contradiction_counts,
        "shared": review.shared.iter().map(|group| {
            group.iter().map(|&id| claim(id)).collect::<Vec<_>>()
        }).collect::<Vec<_>>(),
        "shadowed": review.shadows.iter().map(|shadow| json!({
            "claim": claim(shadow.claim), "whole": shadow.is_whole, "allow": allow_json(shadow.entry),
        })).collect::<Vec<_>>(),
        "weakened": review.weakened.iter().map(|(id, entry)| json!({
            "claim": claim(*id), "because": safe(&entry.what), "file": safe(&entry.file), "line": entry.line,
        })).collect::<Vec<_>>(),
        "totals": {
            "indicators": knowledge.indicators.len(),
            "signatures": knowledge.indicators.all_signatures().len(),
            "allow_entries": knowledge.allow.entries().len(),
            "rejected": knowledge.report.rejected(),
            "unusable": knowledge.report.failures().count(),
        },
    })
}

fn counted_json(counted: &[Counted]) -> Vec<Value> {
    let one = |one: &Counted| json!({"reason": safe(&one.reason), "count": one.count, "first_line": one.first_line});
    counted.iter().map(one).collect()
}
