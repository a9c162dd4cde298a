//! Sigma rules on DNS, proxies and connections, as far as they are plain selections.
//!
//! Each document of a file is a rule; it is taken when its log source is one whose events the wire shows too:
//! the categories `dns`, `dns_query`, `proxy`, `firewall`, `network_connection`, `network`, and Zeek's logs.
//! [`super::sigma_detection`] lists the fields, [`super::sigma_condition`] what a condition can say. A rule is
//! the alternatives that its condition comes to. One that lists nothing but whole names or addresses becomes
//! claims, and a name means that name alone, because Sigma compares whole values (specification 2.1,
//! "Detection"); any other becomes a composite signature. An alternative that needs what the wire does not
//! show, such as the process, is not taken.
//!
//! A condition on the requested host alone is asked of TLS and QUIC hellos as well: a proxy's log has both
//! kinds of requests.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::document::Fault;
use super::super::field::Field;
use super::super::instant::{Edge, parse_time};
use super::super::model::{Provenance, Severity, Tlp};
use super::rule::{Conjunction, Rule};
use super::sigma_condition::{Expression, Literal, alternatives, parse};
use super::sigma_detection::{Leaf, Leaves};
use super::yaml::{Documents, Node};
use super::{Dates, Feed, Head};

/// The confidence of a rule by its status, which says how well it has been tried (specification 2.1,
/// "Status"); of one without a status that of the last but one.
const STATUSES: [(&str, u8); 3] = [("stable", 85), ("test", 75), ("experimental", 50)];
const UNSTATED_CONFIDENCE: u8 = 60;

/// Selections of one rule.
const SELECTIONS: usize = 256;
/// Values of all alternatives together, of a rule that has more than one.
const VALUES: usize = 1 << 16;

/// Whether a file that begins so is written so: the two sections that every rule has stand at the left edge.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    let has = |key: &str| {
        head.text.lines().any(|line| {
            let rest = line.strip_prefix(key).map(str::trim_start);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['#', '{']))
        })
    };
    head.json.is_none() && has("detection:") && has("logsource:")
}

/// Reads a file.
pub(super) fn read(text: &str, feed: &mut Feed<'_>) {
    let lines: Vec<&str> = text.lines().collect();
    let line_text = |line: u32| lines.get(line as usize - 1).copied().unwrap_or_default();
    let mut signatures = Vec::new();
    for document in Documents::new(text) {
        let read = document.and_then(|node| {
            let Some(rule) = Sigma::of(&node, feed)? else { return Ok(()) };
            for (number, conjunction) in rule.conjunctions.into_iter().enumerate() {
                signatures.extend(rule.rule.take(number, conjunction, feed));
            }
            Ok(())
        });
        if let Err(Fault { line, reason }) = read {
            feed.reject(line, line_text(line), reason);
        }
    }
    for signature in signatures {
        feed.signature(signature.line, signature);
    }
}

/// A rule that can be taken.
struct Sigma {
    rule: Rule,
    conjunctions: Vec<Conjunction>,
}

impl Sigma {
    /// Reads a rule; `None` of one that is in order and nothing for a sensor.
    fn of(node: &Node<'_>, feed: &mut Feed<'_>) -> Result<Option<Self>, Fault> {
        let fault = |line: u32, reason: &str| Fault { line, reason: reason.to_owned() };
        if node.items().is_empty() {
            return Ok(None);
        }
        let line = node.entries().first().map_or(node.line, |(key, _)| key.line);
        for (key, reason) in [
            ("correlation", "correlates the events of other rules"),
            ("filter", "is a filter for other rules"),
            ("action", "is part of a collection (action), which Sigma has given up"),
        ] {
            if node.get(key).is_some() {
                feed.ignore(line, reason);
                return Ok(None);
            }
        }
        let detection = node.get("detection").ok_or_else(|| fault(line, "has no detection"))?;
        let source = node.get("logsource").ok_or_else(|| fault(line, "has no logsource"))?;
        let status = node.get("status").and_then(Node::text).unwrap_or_default();
        let unwanted = match status {
            "deprecated" | "unsupported" => Some(format!("has the status {status}").into()),
            _ => unseen(source)
                .or_else(|| detection.get("timeframe").map(|_| "counts events over time".into())),
        };
        if let Some(reason) = unwanted {
            feed.ignore(line, reason);
            return Ok(None);
        }
        let Selected { leaves, alternatives } = match Selected::of(detection, line)? {
            Ok(selected) => selected,
            Err(reason) => {
                feed.ignore(line, reason);
                return Ok(None);
            }
        };
        let mut conjunctions: Vec<Conjunction> = Vec::new();
        let mut missing: Vec<&str> = Vec::new();
        for literals in &alternatives {
            match conjunction(literals, &leaves) {
                Ok(found) => conjunctions.push(found),
                Err(reason) if missing.contains(&reason) => {}
                Err(reason) => missing.push(reason),
            }
        }
        missing.into_iter().for_each(|reason| feed.ignore(line, reason.to_owned()));
        let hellos: Vec<_> = conjunctions.iter().filter_map(of_hello).collect();
        conjunctions.extend(hellos);
        Ok(Some(Self { rule: rule(node, line, status, feed), conjunctions }))
    }
}

/// Why a log source is none whose events the wire shows.
fn unseen(source: &Node<'_>) -> Option<Cow<'static, str>> {
    let word = |key: &str| source.get(key).and_then(Node::text).unwrap_or_default().to_ascii_lowercase();
    let (category, product, service) = (word("category"), word("product"), word("service"));
    match (&*category, &*product, &*service) {
        ("dns" | "dns_query" | "proxy" | "firewall" | "network_connection", _, _) => None,
        ("network", _, "" | "connection" | "dns" | "http" | "tls") => None,
        ("", "zeek", "dns" | "http" | "conn" | "ssl") => None,
        ("webserver", _, _) => Some("is about requests to servers of one's own (webserver)".into()),
        _ => {
            let words = [&*category, &*product, &*service].into_iter().filter(|word| !word.is_empty());
            let words = words.collect::<Vec<_>>().join(" ");
            Some(format!("is about logs of something else ({words})").into())
        }
    }
}

/// What a detection selects.
struct Selected {
    leaves: Vec<Leaf>,
    alternatives: Vec<Vec<Literal>>,
}

impl Selected {
    /// Reads a detection; the inner error is of one that is in order and too much for a sensor.
    fn of(detection: &Node<'_>, line: u32) -> Result<Result<Self, Cow<'static, str>>, Fault> {
        let fault = |line, reason: &str| Fault { line, reason: reason.to_owned() };
        let condition =
            detection.get("condition").ok_or_else(|| fault(detection.line, "has no condition"))?;
        let entries = detection.entries().iter();
        let selections = entries.filter(|(key, _)| !matches!(key.text(), None | Some("condition")));
        let (mut names, mut expressions, mut leaves) = (Vec::new(), Vec::new(), Leaves::default());
        for (key, value) in selections {
            if names.len() == SELECTIONS {
                return Ok(Err("has too many selections".into()));
            }
            names.push(key.text().unwrap_or_default());
            expressions.push(leaves.selection(value));
        }
        let mut parsed = Vec::new();
        for text in condition.texts() {
            match parse(text, &names) {
                Ok(expression) => parsed.push(expression),
                Err(reason) if reason.starts_with("counts") => return Ok(Err(reason)),
                Err(reason) => return Err(Fault { line: condition.line, reason: reason.into_owned() }),
            }
        }
        if parsed.is_empty() {
            return Err(fault(line, "has no condition"));
        }
        let leaves = leaves.all;
        Ok(match alternatives(&Expression::Any(parsed), &expressions) {
            Ok(alternatives) if alternatives.len() > 1 && values(&alternatives, &leaves) > VALUES => {
                Err("has too many values".into())
            }
            Ok(alternatives) => Ok(Self { leaves, alternatives }),
            Err(reason) => Err(reason.into()),
        })
    }
}

fn values(alternatives: &[Vec<Literal>], leaves: &[Leaf]) -> usize {
    let of = |&(leaf, _): &Literal| {
        leaves.get(leaf).and_then(|leaf| leaf.as_ref().ok()).map_or(0, |term| term.lines.len())
    };
    alternatives.iter().flatten().map(of).sum()
}

/// The conditions of an alternative, or why it has none of ours.
fn conjunction<'l>(literals: &[Literal], leaves: &'l [Leaf]) -> Result<Conjunction, &'l str> {
    let mut found = Conjunction::default();
    for &(place, negated) in literals {
        let Some(leaf) = leaves.get(place) else { continue };
        let term = leaf.as_ref().map_err(|reason| &**reason)?.clone();
        if negated { &mut found.none } else { &mut found.all }.push(term);
    }
    Ok(found)
}

/// The same asked of a hello, of an alternative that asks for parts of the requested host alone. Whole names
/// are claims, which any way of asking for them meets.
fn of_hello(conjunction: &Conjunction) -> Option<Conjunction> {
    let is_listed = conjunction.none.is_empty() && conjunction.all.len() == 1;
    let terms = || conjunction.all.iter().chain(&conjunction.none);
    let fits = |field: &Field| matches!(field, Field::Host | Field::RemoteAddress | Field::RemotePort);
    let has_host = conjunction.all.iter().any(|term| term.condition.field == Field::Host);
    let whole = conjunction.all.iter().all(|term| term.is_whole());
    if !has_host || is_listed && whole || !terms().all(|term| fits(&term.condition.field)) {
        return None;
    }
    let mut hello = conjunction.clone();
    for term in hello.all.iter_mut().chain(&mut hello.none) {
        if term.condition.field == Field::Host {
            term.condition.field = Field::Sni;
        }
    }
    Some(hello)
}

/// What the rule says of itself.
fn rule(node: &Node<'_>, line: u32, status: &str, feed: &Feed<'_>) -> Rule {
    let text = |key: &str| node.get(key).and_then(Node::text).map(str::trim).filter(|text| !text.is_empty());
    let time = |key: &str| parse_time(&text(key)?.replace('/', "-"), Edge::Start);
    let title: Arc<str> = text("title").unwrap_or("Sigma rule").into();
    let id = match text("id") {
        Some(id) => format!("sigma-{id}"),
        None => format!("sigma-{}-{line}", feed.unstated().campaign),
    };
    let known = STATUSES.iter().find(|&&(name, _)| name == status);
    let confidence = known.map_or(UNSTATED_CONFIDENCE, |&(_, confidence)| confidence);
    let (mut tags, mut mitre, mut tlp) = (Vec::new(), Vec::new(), None);
    for tag in node.get("tags").into_iter().flat_map(Node::texts) {
        let technique = tag.strip_prefix("attack.").filter(|rest| {
            rest.strip_prefix(['t', 'T'])
                .is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
        });
        match (technique, tag.strip_prefix("tlp.").and_then(Tlp::from_name)) {
            (Some(technique), _) => mitre.push(technique.to_ascii_uppercase().into()),
            (_, Some(found)) => tlp = Some(found),
            _ => tags.push(tag.into()),
        }
    }
    let mut note = text("author").map(|author| format!("by {author}")).unwrap_or_default();
    let falsely: Vec<_> = node.get("falsepositives").into_iter().flat_map(Node::texts).collect();
    if !falsely.is_empty() {
        let blank = if note.is_empty() { "" } else { "; " };
        note = format!("{note}{blank}false positives: {}", falsely.join(", "));
    }
    let reference = node.get("references").and_then(|references| references.texts().next());
    let provenance = Provenance {
        // Hits are told under the rule's title; those of one rule are not one attack.
        campaign: title.clone(),
        reference: reference.unwrap_or_default().into(),
        tlp,
        tags,
        mitre,
        severity: text("level").and_then(|level| match level {
            "informational" => Some(Severity::Info),
            level => Severity::from_name(level),
        }),
        note: note.into(),
        ..feed.of_source("sigma", confidence)
    };
    let dates = Dates { first_seen: time("date"), last_seen: time("modified"), ..Dates::default() };
    Rule { line, id, title, dates, provenance }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "sigma_tests.rs"]
mod tests;
