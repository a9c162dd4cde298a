//! The summary for a person, against snapshots: `UPDATE_SNAPSHOTS=1 cargo test` writes them anew.

use std::{env, fs, path::Path};

use callhome::{
    detect::NameSource,
    event::text::is_unsafe,
    incident::Incident,
    indicator::{Rung, Severity},
    report::{FindingCounts, Style, Summary, summary},
};

use crate::sample::{self, at};

#[track_caller]
fn assert_snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots").join(name);
    if env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{} differs; it now reads:\n{text}", path.display());
}

fn findings(counts: &[(Severity, u64)]) -> FindingCounts {
    let mut findings = FindingCounts::default();
    for &(severity, count) in counts {
        (0..count).for_each(|_| findings.add(severity));
    }
    findings
}

fn text(value: &Summary<'_>) -> String {
    summary(value, &Style::default())
}

/// An incident of another machine that ends at one rung.
fn small(address: &str, severity: Severity, rung: Rung, words: &str) -> Incident {
    Incident {
        id: address.into(),
        asset: sample::asset(address, None),
        severity,
        first: at(30),
        last: at(30),
        findings: 1,
        rungs: vec![sample::rung(rung, 30, 30, 1, words)],
        destinations: vec![sample::destination("192.0.2.66:8000", None)],
        unseen: Vec::new(),
        ..sample::incident()
    }
}

#[test]
fn the_worst_night() {
    let incidents = [
        small("10.1.2.9", Severity::Info, Rung::Contacted, "a shared host was contacted"),
        small("10.1.2.4", Severity::High, Rung::LookedUp, "DNS: c2.example.net gave NXDOMAIN"),
        sample::incident(),
        small("10.1.2.7", Severity::Medium, Rung::Exposed, "registry.example was asked for pkg-1.2.3.tgz"),
    ];
    let inputs = ["monday.pcap".to_owned(), "tuesday.pcapng.zst".to_owned()];
    let unseen =
        ["1,204 packets to 192.0.2.53 port 853 (DNS over TLS) hide the names that were asked for.".into()];
    let notices = ["monday.pcap: ends inside a record at byte 81,920; everything before it was read.".into()];
    let counters =
        [("packets that were not IP".to_owned(), 12), ("packets cut by the capture".to_owned(), 3456)];
    let findings = findings(&[
        (Severity::Critical, 35),
        (Severity::High, 1),
        (Severity::Medium, 1),
        (Severity::Info, 1),
    ]);
    let value = Summary {
        inputs: &inputs,
        frames: 1_234_567,
        bytes: 987_654_321,
        times: Some((at(-3600), at(90_000))),
        machines: 12,
        incidents: &incidents,
        findings,
        unseen: &unseen,
        notices: &notices,
        counters: &counters,
    };
    assert_snapshot("worst.txt", &text(&value));
    let narrow = summary(&value, &Style { colour: true, width: 60 });
    assert_snapshot("worst-narrow-colour.txt", &narrow);

    let mut turned = incidents.to_vec();
    turned.reverse();
    assert_eq!(
        text(&Summary { incidents: &turned, ..value }),
        text(&value),
        "the order given does not matter"
    );
}

#[test]
fn nothing_found_is_not_all_clear() {
    let inputs = ["quiet.pcap".to_owned()];
    let value = Summary {
        inputs: &inputs,
        frames: 1_234,
        bytes: 99_000,
        times: Some((at(0), at(59))),
        machines: 1,
        ..Summary::default()
    };
    assert_snapshot("nothing.txt", &text(&value));
    let empty = text(&Summary { inputs: &inputs, ..Summary::default() });
    assert!(empty.starts_with("Nothing was examined: the input holds no packets.\n"), "{empty}");
}

#[test]
fn a_machine_that_only_tried_did_not_call_home() {
    let incidents =
        [small("10.1.2.4", Severity::High, Rung::Attempted, "TCP to 192.0.2.66 port 8000, no answer")];
    let value = Summary { frames: 10, machines: 3, incidents: &incidents, ..Summary::default() };
    let text = text(&value);
    let first = "No machine was seen to call home, but 1 of 3 machines tried to reach an attacker without being answered: 10.1.2.4.";
    let (verdict, _) = text.split_once("\n\n").unwrap();
    assert_eq!(verdict.split_whitespace().collect::<Vec<_>>().join(" "), first);
}

#[test]
fn one_machine_in_two_campaigns_is_one_machine() {
    let incidents = [
        sample::incident(),
        Incident { campaign: "another".into(), ..small("10.1.2.3", Severity::High, Rung::LookedUp, "") },
    ];
    let value = Summary { frames: 10, machines: 3, incidents: &incidents, ..Summary::default() };
    assert!(text(&value).starts_with("1 of 3 machines called home: 10.1.2.3 (runner-a).\n\n"));
}

#[test]
fn hostile_strings_cannot_touch_the_terminal() {
    let hostile = "evil\x1b[2J\x1b]0;owned\x07\r\nfake line\u{202e}txt.exe\u{2028}\u{200b}\u{9b}31m";
    let mut incident = sample::incident();
    incident.title = hostile.into();
    incident.campaign = hostile.into();
    incident.asset.label = Some(hostile.into());
    incident.unseen = vec![hostile.into()];
    incident.destinations = vec![sample::destination("192.0.2.66:8000", Some((hostile, NameSource::Sni)))];
    for rung in &mut incident.rungs {
        rung.evidence[0].text = format!("{hostile}{}", "A".repeat(5000));
    }
    let (names, incidents) = ([hostile.to_owned()], [incident]);
    let counters = [(hostile.to_owned(), 1)];
    let value = Summary {
        inputs: &names,
        frames: 1,
        machines: 1,
        incidents: &incidents,
        unseen: &names,
        notices: &names,
        counters: &counters,
        ..Summary::default()
    };
    let text = text(&value);
    assert!(!text.chars().any(|character| character != '\n' && is_unsafe(character)), "{text:?}");
    assert!(text.lines().all(|line| line.len() < 600), "{text}");
    assert_snapshot("hostile.txt", &text);
}

#[test]
fn a_flood_of_incidents_is_told_as_a_number() {
    let incidents: Vec<_> =
        (0..200).map(|host| small(&format!("10.1.3.{host}"), Severity::High, Rung::Contacted, "x")).collect();
    let value = Summary { frames: 10, machines: 250, incidents: &incidents, ..Summary::default() };
    let text = text(&value);
    assert!(text.starts_with("200 of 250 machines called home: 10.1.3.0, 10.1.3.1, "), "{text}");
    assert!(text.split_once("\n\n").unwrap().0.ends_with("and 195 more."), "{text}");
    assert!(text.contains("\n150 more incidents in the events (--json FILE).\n"));
}
