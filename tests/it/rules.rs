//! Rules of Sigma and Suricata on captures: what they find, how it is told, and that short cuts lose nothing.

use std::sync::Arc;

use callhome::indicator::{Knowledge, Loader};
use serde_json::Value;

use crate::replay::{Replay, Replayed, pcap, pcaps};

fn knowledge(files: &[(&str, &str)]) -> Arc<Knowledge> {
    let mut loader = Loader::default();
    loader.builtin_baseline();
    files.iter().for_each(|(name, text)| loader.bytes(name, text.as_bytes()));
    let knowledge = loader.finish();
    assert_eq!(
        (knowledge.report.failures().count(), knowledge.report.rejected()),
        (0, 0),
        "{}",
        knowledge.report
    );
    knowledge.shared()
}

/// A Sigma rule with that log source and detection.
fn sigma(category: &str, detection: &str) -> String {
    format!(
        "title: Made up\nid: made-up\nlogsource: {{category: {category}}}\ndetection:\n{detection}level: critical\n"
    )
}

fn alerts<'e>(events: &'e [Value], signature: &str) -> Vec<&'e Value> {
    let is_one = |event: &&Value| event["event_type"] == "alert" && event["alert"]["signature"] == signature;
    events.iter().filter(is_one).collect()
}

const AGENT: &str =
    "  selection:\n    c-useragent|contains|all: ['MSIE 8.0', 'Trident/4.0']\n    cs-method: post\n";

#[test]
fn one_request_that_two_alternatives_describe_is_told_once() {
    let detection = format!(
        "{AGENT}  other:\n    c-uri|contains: 6202033\n  filter:\n    cs-host: fine.example\n    c-uri: /x\n  condition: (selection or other) and not filter\n"
    );
    let sigma = sigma("proxy", &detection);
    let replayed =
        Replay::default().with(knowledge(&[("a.yml", &sigma)]), &[pcap("axios-linux-runner.pcap")]);
    let events = replayed.events();
    let found = alerts(&events, "Made up");
    let mut packets: Vec<_> = found.iter().map(|event| event["pcap_cnt"].as_u64()).collect();
    packets.dedup();
    assert!(found.len() >= 10 && packets.len() == found.len(), "{} of {}", packets.len(), found.len());
    assert!(found.iter().all(|event| event["callhome"]["severity"] == "critical"));
    assert!(found[0]["callhome"]["indicator"]["source"] == "sigma", "{}", found[0]);
    let incident = events.iter().find(|event| event["event_type"] == "incident").unwrap();
    assert_eq!(incident["incident"]["title"], "Made up");
    assert_eq!(incident["incident"]["verdict"], "attempted");
    assert!(replayed.summary.contains("Made up [sigma-made-up"), "{}", replayed.summary);
}

#[test]
fn a_listed_name_means_what_its_rule_says() {
    let rules = |options: &str| {
        format!("alert dns $HOME_NET any -> any any (msg:\"Made up\"; dns.query; {options} sid:1;)\n")
    };
    for (file, text, found) in [
        ("a.rules", rules("content:\"sfrclak.com\"; bsize:11;"), true),
        ("a.rules", rules("content:\"rclak.com\"; bsize:9;"), false),
        ("a.rules", rules("dotprefix; content:\".sfrclak.com\"; endswith;"), true),
        ("a.rules", rules("dotprefix; content:\".rclak.com\"; endswith;"), false),
        ("a.rules", rules("content:\"rclak.com\"; endswith;"), true),
        ("a.yml", sigma("dns", "  s:\n    query: SFRCLAK.com\n  condition: s\n"), true),
        ("a.yml", sigma("dns", "  s:\n    query|endswith: '.sfrclak.com'\n  condition: s\n"), false),
        (
            "a.yml",
            sigma("dns", "  s:\n    query|startswith: sfr\n    record_type: A\n  condition: s\n"),
            true,
        ),
        (
            "a.yml",
            sigma("dns", "  s:\n    query|startswith: sfr\n    record_type: TXT\n  condition: s\n"),
            false,
        ),
    ] {
        let replayed = Replay { records: false, ..Replay::default() }
            .with(knowledge(&[(file, &text)]), &[pcap("axios-linux-runner.pcap")]);
        let alerts = replayed.events().iter().filter(|event| event["event_type"] == "alert").count();
        assert_eq!(alerts > 0, found, "{text}");
    }
}

/// Rules on every kind of message, at names that nothing else lists.
#[test]
fn short_cuts_lose_no_rule() {
    let suricata = "alert dns any any -> any any (msg:\"dns\"; dns.query; content:\"e\"; sid:1;)\n\
        alert tls any any -> any any (msg:\"tls\"; tls.sni; content:\".com\"; endswith; sid:2;)\n\
        alert http any any -> any any (msg:\"http\"; http.method; content:\"T\"; http.host; content:\".\"; sid:3;)\n";
    let sigma = sigma("proxy", &format!("{AGENT}  condition: selection\n"));
    let knowledge = knowledge(&[("a.rules", suricata), ("b.yml", &sigma)]);
    let mut found = [0; 4];
    for name in pcaps() {
        let replay = |shortcuts: bool| -> Replayed {
            let replay = Replay { records: false, shortcuts, ..Replay::default() };
            replay.with(Arc::clone(&knowledge), &[pcap(&name)])
        };
        let (one, other) = (replay(true), replay(false));
        assert!(one.text == other.text, "{name}");
        let events = one.events();
        for (count, signature) in found.iter_mut().zip(["dns", "tls", "http", "Made up"]) {
            *count += alerts(&events, signature).len();
        }
    }
    assert!(found.iter().all(|&count| count > 20), "{found:?}");
}
