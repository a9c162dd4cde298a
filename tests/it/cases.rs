//! Every capture in `pcaps/` against what its case says must come out: `tests/cases/<case>/expected.toml`.
//!
//! The expectations are written by hand from the published facts and from the recipes, not from what the
//! program printed. A capture without an expectation fails, and so does an expectation without a capture.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use callhome::indicator::Severity;
use serde::Deserialize;
use serde_json::Value;

use crate::replay::{Replay, Replayed, pcap, pcaps, root};

/// Seconds by which a time may differ from the expected one: the published trace has times of processes,
/// and those of the packets between them are inferred.
const TOLERANCE: f64 = 0.3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectations {
    expect: Vec<Expectation>,
}

/// What must come out of each of some captures. Without incidents: no alert of medium severity or above.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    captures: Vec<String>,
    /// Exactly these incidents, and no finding of medium severity or above on any other machine.
    #[serde(default)]
    incident: Vec<ExpectedIncident>,
    /// HTTP exchanges, `METHOD host/target status length`, and how often each.
    http: Option<BTreeMap<String, u64>>,
    /// Names asked for; `*.name` stands for all names under it.
    dns: Option<BTreeMap<String, u64>>,
    /// SNI of TLS connections, `-` for none.
    tls: Option<BTreeMap<String, u64>>,
    /// SNI of QUIC connections.
    quic: Option<BTreeMap<String, u64>>,
    /// Subjects of certificates.
    certificates: Option<BTreeMap<String, u64>>,
    /// Names asked for by mDNS.
    mdns: Option<BTreeMap<String, u64>>,
    /// Counters of the statistics, by name.
    #[serde(default)]
    counters: BTreeMap<String, u64>,
    /// What flow records say: `tenant/tunnel` of each flow, and how often each.
    networks: Option<BTreeMap<String, u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedIncident {
    /// One incident for each of these machines.
    assets: Vec<String>,
    tenant: Option<String>,
    campaign: String,
    verdict: String,
    /// At least so bad.
    severity: String,
    first: Option<When>,
    last: Option<When>,
    /// `name address:port`, all of them, in any order.
    destinations: Option<BTreeSet<String>>,
    /// Each must be part of a sentence about what could not be seen.
    #[serde(default)]
    unseen: Vec<String>,
    /// Exactly the rungs that were reached.
    rungs: BTreeMap<String, ExpectedRung>,
    beacon: Option<ExpectedBeacon>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedRung {
    first: Option<When>,
    last: Option<When>,
    count: Option<u64>,
    /// Each must be part of a line of evidence.
    #[serde(default)]
    words: Vec<String>,
    /// None may be part of any.
    #[serde(default)]
    without: Vec<String>,
}

/// The rhythm as the last alert of it tells it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedBeacon {
    /// Seconds, from and to.
    interval: [f64; 2],
    calls: u64,
    unit: String,
}

/// A time, within [`TOLERANCE`], or between two.
#[derive(Deserialize)]
#[serde(untagged)]
enum When {
    At(String),
    Between([String; 2]),
}

#[test]
fn every_capture_gives_what_its_case_says() {
    let expectations = expectations();
    let mut faults = Vec::new();
    for name in pcaps() {
        let Some(expectation) = expectations.get(&name) else {
            faults.push(format!("{name}: no tests/cases/*/expected.toml expects anything of it"));
            continue;
        };
        let replayed = Replay::default().of(&[pcap(&name)]);
        let events = replayed.events();
        let mut check = Check { name: &name, events: &events, replayed: &replayed, faults: Vec::new() };
        check.all(expectation);
        faults.append(&mut check.faults);
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_expectation_has_its_capture_and_every_case_its_expectation() {
    let names: BTreeSet<_> = pcaps().into_iter().collect();
    for name in expectations().keys() {
        assert!(names.contains(name), "{name} is expected and not in pcaps/");
    }
    let manifest: toml::Value =
        toml::from_str(&fs::read_to_string(root().join("pcaps/manifest.toml")).unwrap()).unwrap();
    for capture in manifest["capture"].as_array().unwrap() {
        let recipe = root().join(capture["recipe"].as_str().unwrap());
        let expected = recipe.with_file_name("expected.toml");
        let file = capture["file"].as_str().unwrap();
        let text = fs::read_to_string(&expected).unwrap_or_default();
        assert!(text.contains(&format!("\"{file}\"")), "{file} belongs into {}", expected.display());
    }
}

/// What a finding's incident is about: its campaign, else what was found by itself.
fn subject(callhome: &Value) -> String {
    match (&callhome["campaign"], &callhome["dns_tunnel"]["domain"]) {
        (Value::Null, Value::Null) if callhome["detector"] == "dga" => "generated domains".to_owned(),
        (Value::Null, domain) => text(domain),
        (campaign, _) => text(campaign),
    }
}

fn expectations() -> BTreeMap<String, Expectation> {
    let mut all = BTreeMap::new();
    for case in fs::read_dir(root().join("tests/cases")).unwrap() {
        let file = case.unwrap().path().join("expected.toml");
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let expectations: Expectations =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for expectation in expectations.expect {
            for name in expectation.captures.clone() {
                let copy = toml_copy(&text, &name);
                assert!(all.insert(name.clone(), copy).is_none(), "{name} is expected twice");
            }
        }
    }
    all
}

/// The expectation of one capture: each has its own copy.
fn toml_copy(text: &str, name: &str) -> Expectation {
    let expectations: Expectations = toml::from_str(text).unwrap();
    expectations.expect.into_iter().find(|one| one.captures.iter().any(|capture| capture == name)).unwrap()
}

struct Check<'a> {
    name: &'a str,
    events: &'a [Value],
    replayed: &'a Replayed,
    faults: Vec<String>,
}

impl Check<'_> {
    fn all(&mut self, expected: &Expectation) {
        self.incidents(&expected.incident);
        self.no_other_findings(&expected.incident);
        self.records("http", expected.http.as_ref(), http_line);
        self.records("dns", expected.dns.as_ref(), |event| question(&event["dns"]));
        self.records("mdns", expected.mdns.as_ref(), |event| question(&event["mdns"]));
        self.records("tls", expected.tls.as_ref(), |event| Some(text(&event["tls"]["sni"])));
        self.records("quic", expected.quic.as_ref(), |event| Some(text(&event["quic"]["sni"])));
        self.records("tls", expected.certificates.as_ref(), |event| {
            event["tls"]["subject"].as_str().map(ToOwned::to_owned)
        });
        self.records("flow", expected.networks.as_ref(), |event| {
            Some(format!("{}/{}", text(&event["callhome"]["tenant"]), text(&event["callhome"]["tunnel"])))
        });
        for (counter, count) in &expected.counters {
            let counted = self.replayed.counter(counter);
            self.hold(counted == *count, || format!("{counter} is {counted}, expected {count}"));
        }
    }

    fn incidents(&mut self, expected: &[ExpectedIncident]) {
        let closed: Vec<_> =
            of_type(self.events, "incident").filter(|event| event["incident"]["action"] == "close").collect();
        let count: usize = expected.iter().map(|incident| incident.assets.len()).sum();
        self.hold(closed.len() == count, || format!("{} incidents, expected {count}", closed.len()));
        for incident in expected {
            for asset in &incident.assets {
                let found = closed.iter().map(|event| &event["incident"]).find(|found| {
                    found["asset"]["ip"] == asset.as_str()
                        && found["asset"]["tenant"].as_str() == incident.tenant.as_deref()
                        && found["campaign"] == incident.campaign.as_str()
                });
                match found {
                    Some(found) => self.incident(asset, incident, found),
                    None => self.hold(false, || format!("no incident of {asset} and {}", incident.campaign)),
                }
            }
        }
    }

    fn incident(&mut self, asset: &str, expected: &ExpectedIncident, found: &Value) {
        let verdict = text(&found["verdict"]);
        self.hold(verdict == expected.verdict, || format!("{asset} is {verdict}, not {}", expected.verdict));
        let (found_severity, least) = (severity(&text(&found["severity"])), severity(&expected.severity));
        self.hold(found_severity >= least, || format!("{asset}: only of severity {found_severity:?}"));
        self.time(&format!("{asset} first"), expected.first.as_ref(), &found["first"]);
        self.time(&format!("{asset} last"), expected.last.as_ref(), &found["last"]);
        let rung = verdict.to_uppercase().replace('_', " ");
        let shouted = match &expected.tenant {
            Some(tenant) => format!("{asset} ({tenant}): {rung}"),
            None => format!("{asset}: {rung}"),
        };
        let summary = self.replayed.summary.clone();
        self.hold(summary.contains(&shouted), || format!("the summary does not say {shouted:?}:\n{summary}"));

        if let Some(expected) = &expected.destinations {
            let destination =
                |one: &Value| format!("{} {}:{}", text(&one["name"]), text(&one["ip"]), one["port"]);
            let found: BTreeSet<_> =
                found["destinations"].as_array().unwrap().iter().map(destination).collect();
            self.hold(found == *expected, || format!("{asset} went to {found:?}, not {expected:?}"));
        }
        for words in &expected.unseen {
            let said = found["unseen"].as_array().unwrap();
            let told = said.iter().any(|sentence| text(sentence).contains(words.as_str()));
            self.hold(told, || format!("{asset}: unseen does not tell of {words:?}: {said:?}"));
        }

        let rungs: BTreeMap<_, _> =
            found["rungs"].as_array().unwrap().iter().map(|rung| (text(&rung["rung"]), rung)).collect();
        let (reached, wanted): (Vec<_>, Vec<_>) = (rungs.keys().collect(), expected.rungs.keys().collect());
        self.hold(reached == wanted, || format!("{asset} reached {reached:?}, expected {wanted:?}"));
        for (rung, expected) in &expected.rungs {
            if let Some(found) = rungs.get(rung) {
                self.rung(&format!("{asset} {rung}"), expected, found);
            }
        }
        if let Some(beacon) = &expected.beacon {
            self.beacon(asset, beacon);
        }
    }

    fn rung(&mut self, place: &str, expected: &ExpectedRung, found: &Value) {
        self.time(&format!("{place} first"), expected.first.as_ref(), &found["first"]);
        self.time(&format!("{place} last"), expected.last.as_ref(), &found["last"]);
        if let Some(count) = expected.count {
            self.hold(found["count"] == count, || format!("{place}: {} times, not {count}", found["count"]));
        }
        let lines: Vec<_> =
            found["evidence"].as_array().unwrap().iter().map(|line| text(&line["text"])).collect();
        self.hold(!lines.is_empty(), || format!("{place} has no evidence"));
        for words in &expected.words {
            let said = lines.iter().any(|line| line.contains(words.as_str()));
            self.hold(said, || format!("{place}: no evidence has {words:?}: {lines:#?}"));
        }
        for words in &expected.without {
            let said = lines.iter().any(|line| line.contains(words.as_str()));
            self.hold(!said, || format!("{place}: evidence has {words:?}: {lines:#?}"));
        }
    }

    fn beacon(&mut self, asset: &str, expected: &ExpectedBeacon) {
        let last = of_type(self.events, "alert")
            .filter(|event| event["src_ip"] == asset && event["callhome"]["beacon"].is_object())
            .last()
            .map(|event| event["callhome"]["beacon"].clone());
        let Some(beacon) = last else {
            return self.hold(false, || format!("{asset}: no alert tells of a rhythm"));
        };
        let interval = beacon["interval_s"].as_f64().unwrap();
        let [from, to] = expected.interval;
        self.hold((from..=to).contains(&interval), || format!("{asset}: every {interval} s"));
        self.hold(beacon["count"] == expected.calls, || format!("{asset}: {} calls", beacon["count"]));
        self.hold(beacon["unit"] == expected.unit.as_str(), || format!("{asset}: {}", beacon["unit"]));
        let jitter = beacon["jitter"].as_f64().unwrap();
        self.hold(jitter < 0.05, || format!("{asset}: a sleep without jitter has {jitter}"));
    }

    /// Findings of medium severity or above are about the machines of the incidents only.
    fn no_other_findings(&mut self, expected: &[ExpectedIncident]) {
        for event in of_type(self.events, "alert") {
            let callhome = &event["callhome"];
            if severity(&text(&callhome["severity"])) < Severity::Medium {
                continue;
            }
            let asset = &callhome["asset"];
            let known = expected.iter().any(|incident| {
                incident.assets.iter().any(|one| asset["ip"] == one.as_str())
                    && asset["tenant"].as_str() == incident.tenant.as_deref()
                    && subject(callhome) == incident.campaign
            });
            self.hold(known, || format!("an alert that nobody expects: {callhome:#}"));
        }
    }

    fn records(
        &mut self,
        kind: &str,
        expected: Option<&BTreeMap<String, u64>>,
        line: impl Fn(&Value) -> Option<String>,
    ) {
        let Some(expected) = expected else { return };
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        for told in of_type(self.events, kind).filter_map(line) {
            let under =
                |pattern: &&String| pattern.strip_prefix('*').is_some_and(|suffix| told.ends_with(suffix));
            let key = match expected.keys().filter(under).max_by_key(|pattern| pattern.len()) {
                Some(pattern) if !expected.contains_key(&told) => pattern.clone(),
                _ => told,
            };
            *found.entry(key).or_default() += 1;
        }
        self.hold(found == *expected, || format!("{kind} is {found:#?}, expected {expected:#?}"));
    }

    fn time(&mut self, what: &str, expected: Option<&When>, found: &Value) {
        let found = seconds(&text(found));
        let (from, to) = match expected {
            None => return,
            Some(When::At(time)) => (seconds(time) - TOLERANCE, seconds(time) + TOLERANCE),
            Some(When::Between([from, to])) => (seconds(from), seconds(to)),
        };
        let held = (from..=to).contains(&found);
        self.hold(held, || {
            format!("{what} is {:.3} s off", if found < from { found - from } else { found - to })
        });
    }

    fn hold(&mut self, held: bool, fault: impl FnOnce() -> String) {
        if !held {
            self.faults.push(format!("{}: {}", self.name, fault()));
        }
    }
}

/// Events of one type.
pub fn of_type<'e>(events: &'e [Value], kind: &str) -> impl Iterator<Item = &'e Value> {
    events.iter().filter(move |event| event["event_type"] == kind)
}

/// `METHOD host/target status length`, `-` for what is missing.
fn http_line(event: &Value) -> Option<String> {
    let http = &event["http"];
    let number = |value: &Value| value.as_u64().map_or("-".to_owned(), |number| number.to_string());
    let (method, host, target) = (text(&http["http_method"]), text(&http["hostname"]), text(&http["url"]));
    Some(format!("{method} {host}{target} {} {}", number(&http["status"]), number(&http["length"])))
}

/// The first name that a DNS message asks for, if it is a question.
fn question(message: &Value) -> Option<String> {
    (message["type"] == "request").then(|| text(&message["queries"][0]["rrname"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

fn severity(name: &str) -> Severity {
    match name {
        "info" => Severity::Info,
        "low" => Severity::Low,
        "medium" => Severity::Medium,
        "high" => Severity::High,
        "critical" => Severity::Critical,
        other => panic!("{other} is no severity"),
    }
}

fn seconds(time: &str) -> f64 {
    let time: jiff::Timestamp = time.parse().unwrap_or_else(|error| panic!("{time}: {error}"));
    time.as_nanosecond() as f64 / 1e9
}
