//! `callhome indicators explain`: what a value would do and why.

use std::io::{self, IsTerminal};

use clap::Args;
use serde_json::{Value, json};

use super::{Answer, allow_json, check_loaded, claim_json, judged_at, load, standing_text};
use crate::{
    cli::{safe, terminal_style},
    indicator::{AsOf, Explanation, Hit, IndicatorPath, Kind, Knowledge, Reach, Subject},
    report,
    time::Timestamp,
};

/// The arguments of `callhome indicators explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// Names, addresses (with :PORT or /LENGTH), URLs, paths, User-Agents, JA3, JA4, certificate hashes
    #[arg(required = true, value_name = "VALUE")]
    values: Vec<String>,
    /// Indicator file or directory, as PATH or FORMAT:PATH; repeatable [default: the built-in packs]
    #[arg(long, value_name = "PATH")]
    indicators: Vec<IndicatorPath>,
    /// What the values are, where that cannot be seen in them (user_agent, path, ja3 ...)
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<Kind>,
    /// Judge as of a packet of this time (2026-03-31, 2026-03-31T00:21:58Z) [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Write one JSON object for each value, each on its line
    #[arg(long)]
    json: bool,
}

pub(super) fn kind(name: &str) -> Result<Kind, String> {
    let names = Kind::ALL.map(Kind::as_str).join(", ");
    Kind::from_name(name).ok_or_else(|| format!("there are {names}"))
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be used, or a value is nothing that could be listed.
pub fn explain(arguments: &ExplainArguments) -> Result<Answer, String> {
    let time = judged_at(arguments.at.as_deref())?;
    let subject = |text: &String| Subject::parse(text, arguments.kind).map_err(|error| error.to_string());
    let subjects = arguments.values.iter().map(subject).collect::<Result<Vec<_>, _>>()?;
    let knowledge = load(&arguments.indicators);
    check_loaded(&knowledge.report)?;
    let style = terminal_style(io::stdout().is_terminal());
    let mut text = String::new();
    for (place, subject) in subjects.iter().enumerate() {
        let found = knowledge.explain(subject, AsOf::Packet, time);
        if arguments.json {
            text += &format!("{}\n", explanation_json(&knowledge, subject, &found, time));
            continue;
        }
        if place > 0 {
            text.push('\n');
        }
        text += &report::explanation(&knowledge, subject, &found, time, &style);
    }
    Ok(Answer::fine(text))
}

fn explanation_json(
    knowledge: &Knowledge,
    subject: &Subject,
    found: &Explanation<'_>,
    time: Timestamp,
) -> Value {
    let hit = |hit: &Hit<'_>| {
        let claim = knowledge.indicators.claim(hit.claim)?;
        let mut value = claim_json(&claim, time);
        if let Some(members) = value.as_object_mut() {
            members.insert("reach".to_owned(), reach(&hit.reach).into());
            members.insert("severity".to_owned(), hit.severity.as_str().into());
            members.insert("refused".to_owned(), hit.is_refused.into());
            members.insert("weakened".to_owned(), hit.weakened.map(|entry| safe(&entry.what)).into());
        }
        Some(value)
    };
    let signatures = found.signatures.iter().filter_map(|(id, condition)| {
        let signature = knowledge.indicators.signature(*id)?;
        Some(json!({
            "id": safe(&signature.id), "title": safe(&signature.title), "meets": safe(condition),
            "rung": signature.rung.as_str(), "severity": signature.severity().as_str(),
            "state": standing_text(signature.validity.at(time)),
            "file": safe(&signature.provenance.file), "line": signature.line,
        }))
    });
    let below = found.below.iter().filter_map(|&id| knowledge.indicators.claim(id));
    json!({
        "value": safe(&subject.text()),
        "kind": subject.kind().as_str(),
        "at": time.rfc3339(),
        "listed": !found.hits.is_empty(),
        "alert": found.alert.map(|severity| severity.as_str()),
        "because": found.because.iter().map(|reason| safe(reason)).collect::<Vec<_>>(),
        "hits": found.hits.iter().filter_map(hit).collect::<Vec<_>>(),
        "signatures": signatures.collect::<Vec<_>>(),
        "below": below.map(|claim| claim_json(&claim, time)).collect::<Vec<_>>(),
        "below_count": found.below_count,
        "allowed": found.allowed.iter().map(|(detector, entry)| {
            json!({"detector": detector, "entry": allow_json(entry)})
        }).collect::<Vec<_>>(),
        "sinkhole": found.sinkhole.map(|sinkhole| safe(&sinkhole.operator)),
        "registry": found.registry.map(safe),
    })
}

const fn reach(reach: &Reach) -> &'static str {
    match reach {
        Reach::Itself => "itself",
        Reach::Below => "below",
        Reach::Within => "within",
        Reach::AnyPort => "any_port",
        Reach::OnePort => "one_port",
        Reach::Host => "host",
        Reach::Path => "path",
        Reach::SearchSuffix(_) => "search_suffix",
    }
}
