//! The same 41 DNS questions and answers in every wrapping are the same DNS events.

use serde_json::{Value, json};

use crate::{
    cases::of_type,
    replay::{Replay, pcap, pcaps},
};

/// What may differ between the wrappings, and why: ports and `proto` (one TCP connection instead of 41 ports of UDP);
/// `flow_id`, `community_id`, `tx_id` (flows follow from those, and one connection has all transactions);
/// `pcap_cnt` (fragments are frames, and so are acknowledgments); addresses and `ip_v` over IPv6; `vlan`.
/// All else must be equal: which messages, when, from whom to whom, and every field of the message.
fn essence(event: &Value) -> Value {
    let mut dns = event["dns"].clone();
    dns.as_object_mut().unwrap().remove("tx_id");
    let to_resolver = event["dest_port"] == 53;
    assert_ne!(to_resolver, event["src_port"] == 53);
    json!({
        "time": microseconds(&event["timestamp"]),
        "to_resolver": to_resolver,
        "app_proto": event["app_proto"],
        "dns": dns,
        "callhome": event["callhome"],
    })
}

/// Microseconds of the minute, which is the same for all messages.
fn microseconds(timestamp: &Value) -> i64 {
    let text = timestamp.as_str().unwrap();
    assert!(text.starts_with("2026-04-01T12:00:"), "{text}");
    (text[17..26].parse::<f64>().unwrap() * 1e6).round() as i64
}

fn messages(name: &str) -> Vec<Value> {
    let events = Replay::default().of(&[pcap(name)]).events();
    of_type(&events, "dns").map(essence).collect()
}

#[test]
fn every_wrapping_gives_the_same_dns_events() {
    let plain = messages("dns-41.pcap");
    assert_eq!(plain.len(), 82);
    let of_kind = |kind: &str| plain.iter().filter(|one| one["dns"]["type"] == kind).count();
    assert_eq!((of_kind("request"), of_kind("response")), (41, 41));

    let wrappings: Vec<_> = pcaps().into_iter().filter(|name| name.starts_with("dns-41")).collect();
    assert_eq!(wrappings.len(), 10, "{wrappings:?}");
    for name in wrappings {
        let wrapped = messages(&name);
        for (number, (expected, found)) in plain.iter().zip(&wrapped).enumerate() {
            let fits = expected == found || name == "dns-41-tcp.pcap" && same_but_early(expected, found);
            assert!(fits, "{name}: message {number} is\n{found:#}\nand not\n{expected:#}");
        }
        assert_eq!(wrapped.len(), plain.len(), "{name}");
    }
}

/// Where several messages share a segment that is sent in two parts, the first part may hold a whole message,
/// 0.4 ms before the others: the stream really brings it then.
fn same_but_early(expected: &Value, found: &Value) -> bool {
    let early = expected["time"].as_i64().unwrap() - found["time"].as_i64().unwrap();
    let mut at_its_time = found.clone();
    at_its_time["time"] = expected["time"].clone();
    early == 400 && at_its_time == *expected
}

/// The questions themselves, so that "the same" is not the same nonsense ten times.
#[test]
fn the_questions_are_those_of_the_recipe() {
    let messages = messages("dns-41.pcap");
    let asked: Vec<_> = messages
        .iter()
        .filter(|message| message["dns"]["type"] == "request")
        .map(|message| {
            let question = &message["dns"]["queries"][0];
            (question["rrname"].as_str().unwrap(), question["rrtype"].as_str().unwrap())
        })
        .collect();
    for expected in [
        ("www.example.com", "A"),
        ("www.example.com", "HTTPS"),
        ("_dns.resolver.arpa", "SVCB"),
        ("1.100.51.198.in-addr.arpa", "PTR"),
        ("paayuxhq.tunnel.example", "NULL"),
        ("za1b2c3d4.tunnel.example", "TYPE65399"),
        (r"v\188\189\190\255\128.tunnel.example", "NULL"),
        (r"\195\188ber.example", "A"),
        (r"a\000b.example", "A"),
        (r"a\.b.example", "A"),
        (r"sp\032ace.example", "A"),
        (r"back\\slash.example", "A"),
        ("MiXeD.CaSe.ExAmPlE", "A"),
        ("example.com", "ANY"),
    ] {
        assert!(asked.contains(&expected), "{expected:?} is not in {asked:#?}");
    }
    let root = asked.iter().filter(|(name, _)| name.is_empty() || *name == ".").count();
    assert_eq!(root, 1, "the root is asked for once: {asked:#?}");
    let longest = asked.iter().map(|(name, _)| name.len()).max();
    assert!(longest >= Some(240), "a name of 255 bytes on the wire: {longest:?}");
    let codes = |code: &str| messages.iter().filter(|one| one["dns"]["rcode"] == code).count();
    assert_eq!((codes("NXDOMAIN"), codes("SERVFAIL"), codes("REFUSED")), (6, 1, 1));
}
