//! How much speaks for a tunnel, and what: points with their reasons.
//!
//! Nothing is judged by length alone. Names that are never asked for twice, types that hosts do not ask for,
//! what names carry out and answers carry in, steadiness, and a tool's own way of building names each add what
//! they are worth; what is known of harmless traffic takes away. The figures follow from measured captures of
//! tunnels and from what harmless services do (see `docs/output.md`), and a point is about a factor of three.

use std::fmt::Write as _;

use super::traffic::Traffic;
use crate::{
    detect::sentence,
    indicator::{Rung, Severity},
    protocol::dns::{kind, type_name},
};

/// Distinct names below which nothing is said, whatever else.
pub const LEAST_NAMES: u64 = 12;
/// Distinct names that an ordinary case takes.
const ENOUGH_NAMES: u64 = 20;
/// Points that make up for fewer names.
const PLAIN: f64 = 7.0;
/// Bytes of a name that carries about as much as it can.
const FULL: f64 = 80.0;

const LOW: f64 = 4.0;
const MEDIUM: f64 = 5.0;
const HIGH: f64 = 8.0;

/// Bytes in names before a search suffix, on average at most, where they look like data.
const SUFFIXED: f64 = 30.0;

/// What is known besides the traffic itself.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// Whom the asset asks past its resolver, in words.
    pub past_resolver: Option<String>,
    /// Other assets that ask for such names below the domain, and how many names all have asked for together.
    pub together: Option<(u64, u64)>,
}

/// What is said of the traffic.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub severity: Severity,
    pub confidence: u8,
    pub rung: Option<Rung>,
    /// The reasons in order of weight, the whole picture first.
    pub why: Vec<String>,
    /// The tool that it looks like.
    pub tool: Option<&'static str>,
}

/// Points with their sentences.
#[derive(Default)]
struct Points {
    sum: f64,
    reasons: Vec<(f64, String)>,
}

impl Points {
    fn add(&mut self, points: f64, reason: impl FnOnce() -> String) {
        self.sum += points;
        if points != 0.0 {
            self.reasons.push((points, reason()));
        }
    }
}

/// Judges traffic; `None` when it does not look like a tunnel.
pub fn judge(traffic: &Traffic, circumstances: &Circumstances) -> Option<Verdict> {
    // What all have asked for together speaks for each.
    let pooled = circumstances.together.map_or(0, |(_, names)| names);
    let names = traffic.distinct.max(pooled);
    if names < LEAST_NAMES || has_harmless_form(traffic) {
        return None;
    }
    let mut points = Points::default();
    novelty(traffic, names, &mut points);
    if points.sum == 0.0 {
        return None;
    }
    carried(traffic, &mut points);
    types(traffic, &mut points);
    rhythm(traffic, &mut points);
    let tool = traffic.tells.tool();
    if let Some((tool, how)) = &tool {
        points.add(3.0, || format!("built like {tool}: {how}"));
    }
    surroundings(traffic, circumstances, &mut points);

    let sum = points.sum;
    // Fewer names are enough where each carries as much as a name can.
    let is_full = traffic.shape.mean() >= FULL && traffic.shape.letters.is_data();
    let is_enough = names >= ENOUGH_NAMES || sum >= PLAIN || is_full;
    let severity = match sum {
        HIGH.. => Severity::High,
        MEDIUM.. => Severity::Medium,
        LOW.. => Severity::Low,
        _ => return None,
    };
    if !is_enough {
        return None;
    }
    let severity = severity.min(ceiling(traffic, circumstances));
    points.reasons.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut why = vec![picture(traffic, tool.as_ref().map(|(tool, _)| *tool))];
    why.extend(points.reasons.into_iter().map(|(_, reason)| reason));
    let rung = (severity >= Severity::Medium).then_some(if traffic.is_steady() {
        Rung::Active
    } else {
        Rung::Contacted
    });
    let confidence = (30.0 + 6.5 * sum).clamp(10.0, 95.0) as u8;
    Some(Verdict { severity, confidence, rung, why, tool: tool.map(|(tool, _)| tool) })
}

/// Whether names are what block lists are asked by, or whole names of others before a search suffix.
fn has_harmless_form(traffic: &Traffic) -> bool {
    let shape = &traffic.shape;
    let fails = traffic.answered.0 <= traffic.failed && shape.mean() < SUFFIXED;
    let is_usual = traffic.rare * 10 < traffic.queries && (fails || !shape.letters.is_data());
    shape.mostly(shape.reversed, 0.8) || shape.mostly(shape.foreign, 0.6) && is_usual
}

/// Names that are asked for once and never again: without that there is no tunnel.
fn novelty(traffic: &Traffic, names: u64, points: &mut Points) {
    let share = traffic.distinct as f64 / traffic.lookups.max(1) as f64;
    let worth = match share {
        0.9.. => 2.0,
        0.7.. => 1.5,
        0.45.. => 1.0,
        _ => return,
    };
    let many = match names {
        500.. => 1.5,
        150.. => 1.0,
        50.. => 0.5,
        _ => 0.0,
    };
    points.add(worth + many, || {
        format!("{} of {} look-ups were for names never asked for before", traffic.distinct, traffic.lookups)
    });
}

/// What goes out in names and comes back in records.
fn carried(traffic: &Traffic, points: &mut Points) {
    let out = traffic.shape.mean();
    let is_data = traffic.shape.letters.is_data();
    let worth = match out {
        FULL.. => 3.0,
        50.0.. => 2.5,
        34.0.. => 2.0,
        24.0.. => 1.2,
        12.0.. => 0.5,
        _ => 0.0,
    };
    // Words in a name carry little, however long it is.
    points.add(if is_data { worth } else { worth * 0.4 }, || {
        let what = if is_data { "encoded data" } else { "characters" };
        format!("names carry {out:.0} bytes of {what} each, {} in all", bytes(traffic.bytes_out))
    });
    let mean = |(count, bytes): (u64, u64)| bytes as f64 / count.max(1) as f64;
    let (rare, all) = (mean(traffic.rare_answered), mean(traffic.answered));
    let worth = match (rare, all) {
        (200.0.., _) => 2.5,
        (100.0.., _) => 2.0,
        (60.0.., _) => 1.0,
        // Addresses behind a chain of aliases reach this too.
        (_, 300.0..) => 0.7,
        _ => 0.0,
    };
    points.add(worth, || {
        format!(
            "answers carry {:.0} bytes of records each, {} in all",
            rare.max(all),
            bytes(traffic.bytes_in)
        )
    });
}

fn types(traffic: &Traffic, points: &mut Points) {
    let types = traffic.types();
    let first = types.first().copied().unwrap_or_default();
    // Who can connect by IPv6 asks for the other family's address as well.
    if first.0 == kind::AAAA && first.1 * 10 >= traffic.queries * 9 {
        points.add(1.5, || "only addresses of IPv6 are asked for".to_owned());
    }
    let share = traffic.rare as f64 / traffic.queries.max(1) as f64;
    let worth = match share {
        0.8.. => 2.0,
        0.4.. => 1.0,
        _ => return,
    };
    let is_odd = |kind: u16| !matches!(kind, kind::TXT | kind::CNAME | kind::MX | kind::SRV);
    let has_odd = is_odd(first.0) && super::traffic::is_seldom(first.0);
    points.add(worth + if has_odd { 1.5 } else { 0.0 }, || {
        format!("{} questions are for types that ordinary hosts do not ask for", traffic.rare)
    });
}

fn rhythm(traffic: &Traffic, points: &mut Points) {
    let seconds = traffic.seconds();
    let rate = traffic.queries as f64 / seconds.max(1.0);
    if traffic.is_steady() {
        points.add(1.0, || format!("it went on steadily for {}", lasting(seconds)));
    } else if rate > 0.5 {
        points.add(0.5, || format!("all within {}", lasting(seconds)));
    }
}

fn surroundings(traffic: &Traffic, circumstances: &Circumstances, points: &mut Points) {
    if let Some(whom) = &circumstances.past_resolver {
        points.add(1.5, || whom.clone());
    }
    if let Some((assets, names)) = circumstances.together {
        points.add(0.5, || format!("{assets} machines asked for {names} such names together"));
    }
    let domain = traffic.domain.as_name();
    if domain.is_root() {
        points.add(1.0, || "the last labels of the names are no domain".to_owned());
    } else if !traffic.is_delegated && !is_private(&domain.to_lower_text()) {
        points.add(1.0, || "the names end in a domain that exists nowhere".to_owned());
    }
    if traffic.contacts >= 3 {
        points.add(-3.0, || "connections followed to addresses that the answers gave".to_owned());
    }
    if traffic.queries * 5 >= traffic.lookups * 9 && traffic.shape.mean() < 24.0 && traffic.rare == 0 {
        points.add(-1.0, || {
            "each name was asked for in both address families, as by hosts that connect".to_owned()
        });
    }
    if traffic.shape.mostly(traffic.shape.service, 0.8) {
        points.add(-1.5, || "the names are those of services, with an underscore".to_owned());
    }
    if traffic.shape.numbered * 2 >= traffic.shape.names && traffic.shape.names >= 8 {
        points.add(1.0, || "the names are numbered one by one, as pieces of a whole".to_owned());
    }
}

/// Top-level names that private networks use without being delegated.
fn is_private(domain: &str) -> bool {
    const PRIVATE: [&str; 10] = [
        "local",
        "internal",
        "lan",
        "corp",
        "home",
        "intranet",
        "private",
        "localdomain",
        "test",
        "localhost",
    ];
    domain.rsplit('.').next().is_some_and(|last| PRIVATE.contains(&last))
}

/// The most that it can be where it has the form of a service: a token that is asked for, with an address of this
/// host for yes; hashes and identifiers of what exists elsewhere.
fn ceiling(traffic: &Traffic, circumstances: &Circumstances) -> Severity {
    let (addressed, local) = traffic.addressed;
    let is_token = traffic.shape.mean() < 48.0 && local > 0 && local * 10 >= addressed * 9;
    let is_identifier = traffic.shape.mostly(traffic.shape.identifiers, 0.8);
    let is_plain = traffic.rare * 10 < traffic.queries && circumstances.past_resolver.is_none();
    if is_plain && (is_token || is_identifier) { Severity::Low } else { Severity::Critical }
}

/// The whole picture in one sentence.
fn picture(traffic: &Traffic, tool: Option<&str>) -> String {
    let domain = traffic.domain.as_name();
    let below = if domain.is_root() {
        "under no domain".to_owned()
    } else {
        format!("under {}", sentence::quoted(domain.to_lower_text().as_bytes()))
    };
    let mut text = format!("{} of {} names {below} never asked before", traffic.distinct, traffic.queries);
    let types = traffic.types();
    match types.as_slice() {
        [(only, _)] => {
            let _ = write!(text, ", {} only", type_name(*only));
        }
        [(first, count), ..] => {
            let _ = write!(text, ", {count} for {}", type_name(*first));
        }
        [] => {}
    }
    let (answers, records) = traffic.answered;
    if let (1.., times) = (answers, records as f64 / answers.max(1) as f64)
        && traffic.queries > 0
    {
        let question = traffic.bytes_out as f64 / traffic.queries as f64 + 30.0;
        let times = times / question;
        if times >= 2.0 {
            let _ = write!(text, ", answers {times:.0} times the questions");
        }
    }
    let seconds = traffic.seconds();
    if seconds >= 1.0 {
        let rate = traffic.queries as f64 / seconds;
        let digits = usize::from(rate < 10.0) + usize::from(rate < 0.1);
        let _ = write!(text, ", {rate:.digits$} a second for {}", lasting(seconds));
    }
    if let Some(tool) = tool {
        let _ = write!(text, "; built like {tool}");
    }
    text
}

/// `40 s`, `12 min`, `3 h`.
fn lasting(seconds: f64) -> String {
    match seconds {
        10_800.0.. => format!("{:.0} h", seconds / 3600.0),
        600.0.. => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.0} s", seconds.max(1.0)),
    }
}

/// `900 bytes`, `12 kB`, `3.4 MB`.
fn bytes(count: u64) -> String {
    match count {
        0..=9_999 => format!("{count} bytes"),
        10_000..=999_999 => format!("{} kB", count / 1000),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}
