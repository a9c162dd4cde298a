//! Captures made by others: the names in them against what tshark reads, and what is damaged on purpose.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use callhome::source::Outcome;
use serde_json::Value;

use crate::replay::{Replay, Replayed, shared_captures};

/// What is compared: the manifest's key.
const KINDS: [&str; 4] = ["dns_query_names", "tls_sni", "http_hosts", "http_user_agents"];

/// One known difference from tshark 4.0.17.
struct Difference {
    /// The end of the file's name.
    file: &'static str,
    kind: &'static str,
    /// Names that only we tell.
    ours: &'static [&'static str],
    /// Names that only tshark tells.
    theirs: &'static [&'static str],
    /// Who is right, and why.
    verdict: &'static str,
}

/// Every difference that there is.
const DIFFERENCES: [Difference; 8] = [
    Difference {
        file: "a30789ce-1e1c-4f96-a097-78c34b9fb612.pcap",
        kind: "dns_query_names",
        ours: &["User-PC", "_googlecast._tcp.local", "isatap"],
        theirs: &[],
        verdict: "both: mDNS and LLMNR, which tshark has under names of their own and the list leaves out",
    },
    Difference {
        file: "0e328ab7-12b2-4843-8717-a5b3ebef33a8.pcap",
        kind: "http_hosts",
        ours: &[],
        theirs: &["239.255.255.250:1900"],
        verdict: "ours: SSDP borrows HTTP's syntax for datagrams and is not HTTP",
    },
    Difference {
        file: "raw_packets.pcap",
        kind: "http_hosts",
        ours: &[],
        theirs: &["239.255.255.250:1900"],
        verdict: "ours: SSDP again",
    },
    Difference {
        file: "http-tcp-seq-issue.pcap",
        kind: "http_hosts",
        ours: &["xxx.xxxxxxxxxxxx.xxx.xx"],
        theirs: &[],
        verdict: "ours: the request's segments come in reverse order; tshark needs tcp.reassemble_out_of_order",
    },
    Difference {
        file: "http-tcp-seq-issue.pcap",
        kind: "http_user_agents",
        ours: &["Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2)"],
        theirs: &[],
        verdict: "ours: the same request",
    },
    Difference {
        file: "vector-max-size-crash.pcap",
        kind: "dns_query_names",
        ours: &[],
        theirs: &["<Unknown extended label>"],
        verdict: "ours: one damaged datagram to port 443, no name in it; tshark guesses that it is DNS",
    },
    Difference {
        file: "DNS-OARC_dnscap__src__test__sll2.pcap",
        kind: "dns_query_names",
        ours: &[r",\."],
        theirs: &[",."],
        verdict: "ours: the label is a comma and a dot; a dot inside a label is escaped (RFC 4343 section 2.1)",
    },
    Difference {
        file: "dns__mdns.pcap",
        kind: "dns_query_names",
        ours: &[
            "4.c.d.4.1.e.e.f.f.f.6.d.c.3.8.8.5.3.2.8.c.3.0.c.e.9.2.4.2.5.d.f.ip6.arpa",
            "7.2.0.10.in-addr.arpa",
            "_ipp._tcp.local",
            "_ipps._tcp.local",
            "f.2.8.f.3.6.5.1.6.c.b.5.8.6.9.5.5.3.2.8.c.3.0.c.e.9.2.4.2.5.d.f.ip6.arpa",
            "johanna-QEMU-Virtual-Machine.local",
        ],
        theirs: &[],
        verdict: "both: mDNS, which the list leaves out",
    },
];

/// Captures that cannot be read and why, by the end of the file's name; all others can.
const UNREADABLE: [(&str, &str); 10] = [
    ("bacnet-arcnet-linux.pcap", "link type 129 is not supported"),
    ("arcnet-rfc1201-arp-icmp-http.pcap", "link type 129 is not supported"),
    ("test006.ntar", "link type 2 is not supported"),
    ("test006-fixed.ntar", "link type 2 is not supported"),
    ("solaris.snoop", "a Sun snoop capture; convert it with: editcap"),
    ("pcap-invalid-version-1.pcap", "pcap version 1.4 cannot be read"),
    ("pcap-invalid-version-2.pcap", "pcap version 2.5 cannot be read"),
    ("pcapng-invalid-vers-1.pcapng", "pcapng version 0.1 cannot be read"),
    ("pcapng-invalid-vers-2.pcapng", "pcapng version 1.1 cannot be read"),
    (
        "shb-option-too-long.pcapng",
        "damaged: a block has the length 52 at its start and 808464432 at its end",
    ),
];

/// The names in the records, by kind.
fn names(events: &[Value]) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut names: BTreeMap<_, BTreeSet<String>> = KINDS.map(|kind| (kind, BTreeSet::new())).into();
    let mut add = |kind: &'static str, name: &Value| {
        if let Some(name) = name.as_str() {
            names.entry(kind).or_default().insert(name.to_owned());
        }
    };
    for event in events {
        match event["event_type"].as_str().unwrap() {
            kind @ ("dns" | "mdns") => {
                for query in event[kind]["queries"].as_array().into_iter().flatten() {
                    add("dns_query_names", &query["rrname"]);
                }
            }
            kind @ ("tls" | "quic") => add("tls_sni", &event[kind]["sni"]),
            "http" => {
                let http = &event["http"];
                let host = match (http["hostname"].as_str(), http["http_port"].as_u64()) {
                    (Some(host), Some(port)) => Value::from(format!("{host}:{port}")),
                    _ => http["hostname"].clone(),
                };
                add("http_hosts", &host);
                add("http_user_agents", &http["http_user_agent"]);
            }
            _ => {}
        }
    }
    names
}

fn manifest(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&text).unwrap();
    manifest["captures"].as_array().unwrap().clone()
}

#[test]
fn names_are_those_that_tshark_reads() {
    let Some(folder) = shared_captures() else { return };
    let mut used = BTreeSet::new();
    let (mut compared, mut faults) = (0, Vec::new());
    for capture in manifest(&folder) {
        let Some(lists) = capture["tshark_4_0_17"].as_object() else { continue };
        let file = capture["file"].as_str().unwrap();
        let found = names(&Replay::default().of(&[folder.join(file)]).events());
        for kind in KINDS {
            let theirs: BTreeSet<String> = lists[kind]
                .as_array()
                .unwrap()
                .iter()
                .map(|name| name.as_str().unwrap().to_owned())
                .collect();
            compared += theirs.len();
            let known = DIFFERENCES
                .iter()
                .position(|difference| file.ends_with(difference.file) && difference.kind == kind);
            used.extend(known);
            let (ours_only, theirs_only) = match known.map(|index| &DIFFERENCES[index]) {
                Some(known) => (known.ours, known.theirs),
                None => Default::default(),
            };
            let as_set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
            let ours: BTreeSet<_> = found[kind].difference(&theirs).cloned().collect();
            let missing: BTreeSet<_> = theirs.difference(&found[kind]).cloned().collect();
            if ours != as_set(ours_only) || missing != as_set(theirs_only) {
                faults.push(format!("{file}: {kind}: only ours {ours:?}, only tshark's {missing:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert!(compared >= 140, "{compared} names compared");
    for (index, difference) in DIFFERENCES.iter().enumerate() {
        assert!(used.contains(&index), "{} has no such difference any more", difference.file);
        assert!(difference.verdict.starts_with("ours: ") || difference.verdict.starts_with("both: "));
    }
}

#[test]
fn every_capture_is_read_or_refused_with_its_reason() {
    let Some(folder) = shared_captures() else { return };
    let mut refused = BTreeSet::new();
    for capture in manifest(&folder) {
        let file = capture["file"].as_str().unwrap();
        let replayed = Replay::default().of(&[folder.join(file)]);
        // Every event is checked against the schema.
        let events = replayed.events();
        assert!(!events.is_empty(), "{file}: not even statistics");
        assert_bounded(file, &replayed);
        match UNREADABLE.iter().find(|(name, _)| file.ends_with(name)) {
            Some((name, reason)) => {
                assert_eq!(replayed.outcome, Outcome::Nothing, "{file}");
                let told = replayed.notices.join("\n");
                assert!(told.contains(reason), "{file}: {told}");
                refused.insert(*name);
            }
            None => {
                assert_ne!(replayed.outcome, Outcome::Nothing, "{file}: {:?}", replayed.notices);
            }
        }
    }
    assert_eq!(refused.len(), UNREADABLE.len(), "{refused:?}");
}

/// The captures of tunnels there hold two look-ups and no tunnel; all the others are no tunnels either.
#[test]
fn no_capture_of_others_is_taken_for_a_tunnel() {
    let Some(folder) = shared_captures() else { return };
    for capture in manifest(&folder) {
        let file = capture["file"].as_str().unwrap();
        let replayed = Replay { records: false, ..Replay::default() }.of(&[folder.join(file)]);
        for event in replayed.events().iter().filter(|event| event["event_type"] == "alert") {
            let callhome = &event["callhome"];
            let is_of_names =
                ["dns_tunnel", "dga", "resolver"].iter().any(|name| callhome["detector"] == *name);
            let is_low = callhome["severity"] == "low" || callhome["severity"] == "info";
            assert!(!is_of_names || is_low, "{file}: {callhome:#}");
        }
    }
}

/// What comes out is bounded by what came in, however the input was made.
fn assert_bounded(file: &str, replayed: &Replayed) {
    // Each frame makes a handful of observations at most, and every connection its end.
    let frames = replayed.accounting.frames;
    let observations = replayed.counter("detect.observations");
    assert!(observations <= 64 * frames + 1, "{file}: {observations} observations of {frames} frames");
    let events = replayed.text.lines().count() as u64;
    assert!(events <= 64 * frames + 1, "{file}: {events} events of {frames} frames");
}

#[test]
fn all_of_them_are_one_timeline() {
    let Some(folder) = shared_captures() else { return };
    let replayed = Replay::default().of(std::slice::from_ref(&folder));
    let events = replayed.events();
    let frames: u64 = files(&folder)
        .iter()
        .map(|file| {
            Replay { records: false, ..Replay::default() }.of(std::slice::from_ref(file)).accounting.frames
        })
        .sum();
    assert_eq!(replayed.accounting.frames, frames, "no frame is lost or read twice");
    assert!(events.len() > 1_000);
    for (name, _) in UNREADABLE {
        assert!(replayed.notices.iter().any(|notice| notice.contains(name)), "{name} is not told of");
    }
}

/// The built-in packs say nothing of medium severity or above about traffic in which there is no attack. What
/// others called malicious may be told, and is left to them.
#[test]
fn honest_captures_have_no_finding_of_weight() {
    let Some(folder) = shared_captures() else { return };
    let mut faults = Vec::new();
    let mut honest = 0;
    for file in files(&folder) {
        let parent = file.parent().and_then(Path::file_name).unwrap_or_default();
        if parent == "c2" || parent == "dns-tunnel" {
            continue;
        }
        honest += 1;
        let replayed = Replay { records: false, ..Replay::default() }.of(std::slice::from_ref(&file));
        for event in replayed.events() {
            let severity = event["callhome"]["severity"].as_str().unwrap_or_default();
            if event["event_type"] == "alert" && !["low", "info"].contains(&severity) {
                faults.push(format!("{}: {}", file.display(), event["callhome"]));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert!(honest > 100, "{honest} captures");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false if path.ends_with("manifest.json") => {}
            false => files.push(path),
        }
    }
    files
}
