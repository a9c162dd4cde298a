//! `callhome indicators list`: claims and signatures, filtered.

use std::{
    fmt::Write as _,
    io::{self, BufWriter, Write as _},
};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{Answer, check_loaded, claim_json, explain::kind, judged_at, load, span_text, standing_text};
use crate::{
    cli::safe,
    indicator::{Claim, ClaimId, IndicatorPath, Kind, Knowledge, Provenance, Severity, Signature, Standing},
    time::Timestamp,
};

/// The arguments of `callhome indicators list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Indicator files or directories, as PATH or FORMAT:PATH [default: the built-in packs]
    #[arg(value_name = "PATH")]
    paths: Vec<IndicatorPath>,
    /// Only of this kind (domain, address, network, address_port, url, path, user_agent, ja3, ja4,
    /// certificate_hash)
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<Kind>,
    /// Only signatures
    #[arg(long, conflicts_with = "kind")]
    signatures: bool,
    /// Only of campaigns whose id or title holds this text
    #[arg(long, value_name = "TEXT")]
    campaign: Option<String>,
    /// Only from sources or files whose name holds this text
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// Only with this tag or ATT&CK technique
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only values that hold this text
    #[arg(long, value_name = "TEXT")]
    value: Option<String>,
    /// Only at least so sure, 0 to 100
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    min_confidence: u8,
    /// Only at least so severe
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    min_severity: Option<Severity>,
    /// Only in this state
    #[arg(long, value_name = "STATE")]
    state: Option<State>,
    /// Judge the state at this time (2026-03-31, 2026-03-31T00:21:58Z) [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Write JSON lines
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    /// Holds
    Active,
    /// Its last day is over
    Expired,
    /// Its first day is to come
    NotYetValid,
    /// Refused as well-known infrastructure
    Refused,
}

fn severity(name: &str) -> Result<Severity, String> {
    let names = Severity::ALL.map(Severity::as_str).join(", ");
    Severity::from_name(name).ok_or_else(|| format!("there are {names}"))
}

/// Runs the command. It writes as it goes: a list may have millions of lines.
///
/// # Errors
/// When a file cannot be used, or nothing can be written.
pub fn list(arguments: &ListArguments) -> Result<Answer, String> {
    let time = judged_at(arguments.at.as_deref())?;
    let knowledge = load(&arguments.paths);
    check_loaded(&knowledge.report)?;
    let mut out = BufWriter::new(io::stdout().lock());
    match write_list(arguments, &knowledge, time, &mut out).and_then(|()| out.flush()) {
        // A reader that went away has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(Answer::fine(String::new())),
    }
}

fn write_list(
    arguments: &ListArguments,
    knowledge: &Knowledge,
    time: Timestamp,
    out: &mut impl io::Write,
) -> io::Result<()> {
    if !arguments.json {
        writeln!(out, "#value\tkind\tseverity\tconfidence\tstate\tvalidity\tcampaign\tplace")?;
    }
    let mut line = String::new();
    if !arguments.signatures {
        for (id, claim) in knowledge.indicators.claims() {
            if !arguments.takes_claim(knowledge, id, &claim, time) {
                continue;
            }
            line.clear();
            if arguments.json {
                let _ = write!(line, "{}", claim_json(&claim, time));
            } else {
                let state = match knowledge.indicators.is_refused(id) {
                    true => "refused",
                    false => standing_text(claim.validity.at(time)),
                };
                let said = &claim.provenance;
                let row =
                    (claim.value, claim.kind.as_str(), claim.severity(), state, span_text(claim.validity));
                write_row(&mut line, row, said, claim.line);
            }
            writeln!(out, "{line}")?;
        }
    }
    if arguments.kind.is_none() {
        let taken = |one: &&Signature| arguments.takes_signature(one, time);
        for signature in knowledge.indicators.all_signatures().iter().filter(taken) {
            line.clear();
            let state = standing_text(signature.validity.at(time));
            if arguments.json {
                let _ = write!(line, "{}", signature_json(signature, state));
            } else {
                let span = span_text(signature.validity);
                let row = (&*signature.id, "signature", signature.severity(), state, span);
                write_row(&mut line, row, &signature.provenance, signature.line);
            }
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn write_row(
    line: &mut String,
    (value, kind, severity, state, span): (&str, &str, Severity, &str, String),
    said: &Provenance,
    place: u32,
) {
    let (severity, confidence) = (severity.as_str(), said.confidence);
    let (value, campaign, file) = (safe(value), safe(&said.campaign), safe(&said.file));
    let _ = write!(
        line,
        "{value}\t{kind}\t{severity}\t{confidence}\t{state}\t{span}\t{campaign}\t{file}:{place}"
    );
}

fn signature_json(signature: &Signature, state: &str) -> serde_json::Value {
    let said = &*signature.provenance;
    let (all, none) = signature.conditions();
    let texts = |conditions: &[crate::indicator::Condition]| {
        conditions.iter().map(|one| safe(&one.to_string()).into_owned()).collect::<Vec<_>>()
    };
    json!({
        "value": safe(&signature.id), "kind": "signature", "title": safe(&signature.title),
        "severity": signature.severity().as_str(), "confidence": said.confidence, "state": state,
        "rung": signature.rung.as_str(), "all": texts(all), "none": texts(none),
        "campaign": safe(&said.campaign), "file": safe(&said.file), "line": signature.line,
    })
}

impl ListArguments {
    fn takes_claim(&self, knowledge: &Knowledge, id: ClaimId, claim: &Claim<'_>, time: Timestamp) -> bool {
        let is_refused = knowledge.indicators.is_refused(id);
        let fits = |state| match state {
            State::Refused => is_refused,
            state => !is_refused && is_in(state, claim.validity.at(time)),
        };
        self.kind.is_none_or(|kind| claim.kind == kind)
            && self.state.is_none_or(fits)
            && self.min_severity.is_none_or(|least| claim.severity() >= least)
            && self.value.as_ref().is_none_or(|part| claim.value.contains(part.as_str()))
            && self.takes_provenance(claim.provenance)
    }

    fn takes_signature(&self, signature: &Signature, time: Timestamp) -> bool {
        self.state.is_none_or(|state| is_in(state, signature.validity.at(time)))
            && self.min_severity.is_none_or(|least| signature.severity() >= least)
            && self.value.as_ref().is_none_or(|part| signature.id.contains(part.as_str()))
            && self.takes_provenance(&signature.provenance)
    }

    fn takes_provenance(&self, said: &Provenance) -> bool {
        let holds = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        said.confidence >= self.min_confidence
            && self.campaign.as_ref().is_none_or(|part| {
                holds(&said.campaign, part) || said.title.as_ref().is_some_and(|title| holds(title, part))
            })
            && self.source.as_ref().is_none_or(|part| {
                holds(&said.file, part) || said.sources.iter().any(|source| holds(source, part))
            })
            && self.tag.as_ref().is_none_or(|tag| {
                said.tags.iter().chain(&said.mitre).any(|one| one.eq_ignore_ascii_case(tag))
            })
    }
}

fn is_in(state: State, standing: Standing) -> bool {
    match state {
        State::Active => standing == Standing::Valid,
        State::Expired => standing == Standing::Expired,
        State::NotYetValid => matches!(standing, Standing::Early | Standing::NotYet),
        State::Refused => false,
    }
}
