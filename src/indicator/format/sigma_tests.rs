use std::net::IpAddr;

use super::super::super::model::{Kind, Match};
use super::super::super::{ExchangeFacts, Format, Knowledge, Loader, Rung};
use super::*;
use crate::protocol::dns::NameBuf;
use crate::protocol::http::{Headers, Request};
use crate::protocol::tls::ClientHello;

fn load(text: &str) -> Knowledge {
    let mut loader = Loader::default();
    loader.bytes("rules/net_dns_made_up.yml", text.as_bytes());
    loader.finish()
}

/// A rule of that log source and detection, each line of which is indented.
fn rule(category: &str, detection: &str) -> String {
    let detection: String = detection.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "title: Made up\nid: 0a0b0c0d-0000-4000-8000-000000000001\nstatus: test\nlogsource:\n    category: {category}\n\
         detection:\n{detection}level: high\n"
    )
}

fn claims(knowledge: &Knowledge) -> Vec<String> {
    let claims = knowledge.indicators.claims();
    claims.map(|(_, claim)| format!("{} {} {}", claim.line, claim.kind.as_str(), claim.value)).collect()
}

fn remote() -> (IpAddr, u16) {
    ("198.51.100.7".parse().unwrap(), 8000)
}

fn request(method: &str, target: &str, host: &str, agent: &str) -> Request {
    Request {
        method: method.into(),
        target: target.into(),
        host: Some(host.into()),
        user_agent: (!agent.is_empty()).then(|| agent.into()),
        headers: Headers::from_iter([(&b"Cookie"[..], &b"x=1; sid=AbC"[..])]),
        ..Request::default()
    }
}

/// How many signatures the exchange meets.
fn hits(knowledge: &Knowledge, facts: &ExchangeFacts<'_>) -> usize {
    let mut hits = Vec::new();
    knowledge.indicators.signatures(facts, &mut hits);
    hits.len()
}

fn asks(knowledge: &Knowledge, name: &str, kind: u16) -> usize {
    let name = NameBuf::from_text(name.as_bytes()).unwrap();
    hits(knowledge, &ExchangeFacts::query(None, name.as_name(), kind))
}

const FULL: &str = "title: DNS Query to a Made Up C2 Domain
id: 0a0b0c0d-0000-4000-8000-000000000002
status: experimental
description: |
    Several lines
    of words: with a colon
references:
    - https://lab.example/report
    - https://lab.example/more
author: A Person (A Lab), 'Another'
date: 2026/04/01
modified: 2026-04-03
tags:
    - attack.command_and_control
    - attack.t1071.004
    - tlp.amber
logsource:
    category: dns
    product: windows
detection:
    selection:
        query: # a remark
            - 'Evil.Example'
            - \"b.evil.example\"
            - evil.example
            - 'b\u{fc}cher.example'
            - com
    condition: selection
falsepositives:
    - Unlikely
level: critical
";

#[test]
fn a_list_of_names_becomes_exact_claims() {
    let knowledge = load(FULL);
    let report = &knowledge.report.sources[0];
    assert_eq!(
        (report.format, report.accepted, report.duplicates),
        (Format::Sigma, 3, 1),
        "{}",
        knowledge.report
    );
    assert_eq!(
        claims(&knowledge),
        ["23 domain evil.example", "24 domain b.evil.example", "26 domain xn--bcher-kva.example"]
    );
    assert_eq!((report.rejected[0].line, report.rejected[0].text.as_str()), (27, "com"));
    assert!(knowledge.indicators.all_signatures().is_empty());
    let (_, claim) = knowledge.indicators.claims().next().unwrap();
    assert_eq!((claim.kind, claim.matching), (Kind::Domain, Match::Exact));
    assert_eq!(claim.first_seen.unwrap().rfc3339(), "2026-04-01T00:00:00.000000Z");
    assert_eq!(
        claim.validity.until.unwrap().rfc3339(),
        "2027-04-03T00:00:00.000000Z",
        "a year after the change"
    );
    assert_eq!(report.newest.unwrap().rfc3339(), "2026-04-03T00:00:00.000000Z");
    let said = claim.provenance;
    assert_eq!((&*said.campaign, &said.title), ("DNS Query to a Made Up C2 Domain", &None));
    assert_eq!((&*said.sources[0], &*said.reference), ("sigma", "https://lab.example/report"));
    assert_eq!((said.confidence, said.severity, said.tlp), (50, Some(Severity::Critical), Some(Tlp::Amber)));
    assert_eq!((&*said.mitre[0], &*said.tags[0]), ("T1071.004", "attack.command_and_control"));
    assert_eq!(&*said.note, "by A Person (A Lab), 'Another'; false positives: Unlikely");
}

#[test]
fn parts_of_names_become_signatures() {
    let knowledge = load(&rule(
        "dns",
        "one:\n  query|startswith: ['aaa.stage.', 'post.1']\ntwo:\n  query|contains: '.stage.123456.'\n\
         three:\n  query|endswith: .Onion.Example\n  record_type: [TXT, 10]\nfour:\n  query: '*.tail.example'\n\
         condition: 1 of them",
    ));
    assert_eq!(knowledge.report.accepted(), 4, "{}", knowledge.report);
    for (name, kind, expected) in [
        ("AAA.stage.1.example", 1, 1),
        ("post.1a.example", 1, 1),
        ("x.stage.123456.example", 1, 1),
        ("x.onion.example", 16, 1),
        ("x.ONION.example", 10, 1),
        ("x.onion.example", 1, 0),
        ("xonion.example", 16, 0),
        ("a.tail.example", 1, 1),
        ("tail.example", 1, 0),
        ("aaa.example", 16, 0),
    ] {
        assert_eq!(asks(&knowledge, name, kind), expected, "{name} {kind}");
    }
    let signatures = knowledge.indicators.all_signatures();
    let ids: Vec<_> =
        signatures.iter().map(|signature| signature.id.rsplit("-8000-").next().unwrap()).collect();
    assert_eq!(ids, ["000000000001", "000000000001-2", "000000000001-3", "000000000001-4"]);
    assert!(signatures.iter().all(|one| one.rung == Rung::LookedUp && one.severity() == Severity::High));
    assert_eq!((&*signatures[0].title, signatures[0].line), ("Made up", 1));
}

#[test]
fn requests_are_judged_as_a_proxy_logs_them() {
    let knowledge = load(&rule(
        "proxy",
        "selection:\n  c-useragent|contains|all:\n    - 'msie 8.0'\n    - 'trident/4.0'\n  cs-method: POST\n\
         filter_host:\n  cs-host|endswith:\n    - '.allowed.example'\n    - .fine.example\n\
         filter_uri:\n  c-uri|startswith: 'http'\n  c-uri|contains: '://other.example/'\n\
         condition: selection and not 1 of filter_*",
    ));
    assert_eq!(knowledge.report.accepted(), 2, "{}", knowledge.report);
    const AGENT: &str = "Mozilla/4.0 (compatible; MSIE 8.0; Trident/4.0)";
    for (method, target, host, agent, expected) in [
        ("POST", "/6202033", "evil.example:8000", AGENT, 1),
        ("GET", "/6202033", "evil.example", AGENT, 0),
        ("POST", "/", "evil.example", "MSIE 8.0", 0),
        ("POST", "/", "a.Fine.example", AGENT, 0),
        ("POST", "/x", "other.example", AGENT, 0),
        ("POST", "http://other.example/x", "proxy.example", AGENT, 0),
    ] {
        let request = request(method, target, host, agent);
        let facts = ExchangeFacts::request(remote(), &request);
        assert_eq!(hits(&knowledge, &facts), expected, "{method} {target} {host}");
    }
    assert!(knowledge.indicators.all_signatures().iter().all(|one| one.rung == Rung::Attempted));
}

#[test]
fn each_field_of_a_proxy_has_its_place() {
    let good = request("GET", "/a/B.php?key=1", "c2.evil.example", "Evil/1.0");
    let facts = ExchangeFacts::request(remote(), &good);
    for (detection, expected) in [
        ("c-uri: /a/b.php\\?key=1", true),
        ("c-uri: 'http://c2.evil.example/a/b.php\\?KEY=1'", true),
        ("c-uri|contains: example/a/", true),
        ("cs-uri|endswith: key=1", true),
        ("c-uri-query|startswith: /a/", true),
        ("cs-uri-stem: /A/b.php", true),
        ("c-uri-path|contains: key", false),
        ("c-uri-extension: [exe, php]", true),
        ("c-uri-extension: hp", false),
        ("c-useragent: evil/1.0", true),
        ("c-useragent|cased: evil/1.0", false),
        ("c-useragent|cased|startswith: Evil", true),
        ("cs-user-agent|neq: evil/1.0", false),
        ("c-useragent: ''", false),
        ("c-useragent: null", false),
        ("c-useragent|exists: true", true),
        ("cs-cookie|endswith: sid=abc", true),
        ("cs-referer: null", true),
        ("cs-method:\n  - POST\n  - get", true),
        ("dst_port: '8000'", true),
        ("dst_port|gte: 8001", false),
        ("dst_ip|cidr: 198.51.100.0/24", true),
        ("dst_ip: [192.0.2.1, 192.0.2.2]", false),
    ] {
        // A condition on the flow needs one on the request beside it.
        let detection = detection.replace('\n', "\n  ");
        let knowledge = load(&rule(
            "proxy",
            &format!("any:\n  r-dns|contains: evil\nselection:\n  {detection}\ncondition: any and selection"),
        ));
        assert_eq!(knowledge.report.rejected(), 0, "{detection}: {}", knowledge.report);
        assert_eq!(hits(&knowledge, &facts) > 0, expected, "{detection}: {}", knowledge.report);
    }
    let empty =
        load(&rule("proxy", "selection:\n  c-useragent: ''\n  cs-host|contains: evil\ncondition: selection"));
    let without = request("GET", "/", "evil.example", "");
    assert_eq!(hits(&empty, &ExchangeFacts::request(remote(), &without)), 1);
}

#[test]
fn a_requested_host_is_asked_of_hellos_too() {
    let knowledge = load(&rule(
        "proxy",
        "selection:\n  cs-host|endswith: .evil.example\n  dst_port: 8000\ncondition: selection",
    ));
    let hello = ClientHello { sni: Some(b"a.EVIL.example".into()), ..ClientHello::default() };
    assert_eq!(hits(&knowledge, &ExchangeFacts::client_hello(remote(), &hello)), 1);
    let request = request("GET", "/", "a.evil.example:8000", "");
    assert_eq!(hits(&knowledge, &ExchangeFacts::request(remote(), &request)), 1);
    assert_eq!(knowledge.report.accepted(), 2);
    // A whole name is a claim, by whatever it is asked for.
    let whole = load(&rule("proxy", "selection:\n  r-dns: c2.evil.example\ncondition: selection"));
    assert_eq!(claims(&whole), ["8 domain c2.evil.example"]);
    let with_path =
        load(&rule("proxy", "selection:\n  r-dns: c2.evil.example\n  c-uri: /x\ncondition: selection"));
    assert_eq!(with_path.indicators.all_signatures().len(), 1);
}

#[test]
fn addresses_become_claims() {
    let knowledge = load(&rule(
        "firewall",
        "out:\n  dst_ip:\n    - 198.51.100.7\n    - '198.51.100.64/26'\n    - 10.0.0.1\nback:\n  src_ip: 198.51.100.7\n\
         condition: out or back",
    ));
    assert_eq!(claims(&knowledge), ["9 address 198.51.100.7", "10 network 198.51.100.64/26"]);
    let report = &knowledge.report.sources[0];
    assert_eq!((report.rejected[0].line, &*report.rejected[0].text), (11, "10.0.0.1"));
    assert_eq!(&*report.ignored[0].reason, "needs the field src_ip, which the wire does not show");
    let knowledge = load(&rule(
        "network_connection",
        "selection:\n  Initiated: 'true'\n  DestinationIp: [198.51.100.7, '2001:db8::7', 198.51.100.0/24]\n\
         \x20 DestinationPort: [80, 8000]\ncondition: selection",
    ));
    assert_eq!(
        claims(&knowledge),
        [
            "9 address_port 198.51.100.7:80",
            "9 address_port 198.51.100.7:8000",
            "9 address_port [2001:db8::7]:80",
            "9 address_port [2001:db8::7]:8000",
        ]
    );
    assert!(knowledge.report.sources[0].ignored[0].reason.contains("an address prefix at a port"));
    let answers = load(&rule("dns", "selection:\n  answer: 198.51.100.7\ncondition: selection"));
    assert_eq!(claims(&answers), ["8 address 198.51.100.7"]);
}

#[test]
fn what_is_not_for_us_is_counted_by_reason() {
    let dns = |detection: &str| rule("dns", detection);
    let one = |value: &str| dns(&format!("selection:\n  {value}\ncondition: selection"));
    for (text, reason) in [
        (
            rule("process_creation", "selection:\n  Image: x\ncondition: selection"),
            "is about logs of something else (process_creation)",
        ),
        (
            rule("webserver", "selection:\n  cs-uri: x\ncondition: selection"),
            "is about requests to servers of one's own (webserver)",
        ),
        (FULL.replace("experimental", "deprecated"), "has the status deprecated"),
        (FULL.replace("experimental", "unsupported"), "has the status unsupported"),
        (one("query|re: '^[a-z]{3}'"), "needs the modifier re"),
        (one("query|contains|expand: '%x%'"), "needs the modifier expand"),
        (one("query: 'a*b.example'"), "has a wildcard * inside a value"),
        (one("query: 'a?.example'"), "has a wildcard ? in a value"),
        (one("query: '*'"), "has a value that everything meets"),
        (one("query|contains: ''"), "has a value that everything meets"),
        (one("answer|contains: cmd.exe"), "looks for texts in DNS answers"),
        (one("parent_domain: a.example"), "needs the field parent_domain, which the wire does not show"),
        (one("record_type: Telepathy"), "has a value that is no number, in a field of numbers"),
        (one("query: x.example\n  cs-uri: /x"), "mixes conditions on different exchanges (HTTP, TLS, DNS)"),
        (one("dst_port: 4444"), "has conditions on addresses and ports that no list can hold"),
        (one("query: []"), "has a field without a value"),
        (one("query: [[a.example]]"), "has a value that is no text"),
        (
            dns("selection:\n  QueryName: a.example\n  Image|endswith: x.exe\ncondition: selection"),
            "needs the field Image, which the wire does not show",
        ),
        (
            dns(
                "selection:\n  QueryName: a.example\nfilter:\n  Image: x.exe\ncondition: selection and not filter",
            ),
            "needs the field Image, which the wire does not show",
        ),
        (dns("words:\n  - x\n  - y\ncondition: words"), "searches for words in a whole log line"),
        (dns("words:\n  '|all': [x, y]\ncondition: words"), "searches for words in a whole log line"),
        (
            dns("selection:\n  query: a.example\ncondition: not selection"),
            "only says what must not be: all other traffic meets it",
        ),
        (
            dns("selection:\n  query: a.example\ntimeframe: 1m\ncondition: selection | count() > 10"),
            "counts events over time",
        ),
        (
            dns("selection:\n  query: a.example\ncondition: selection | count() by src_ip > 10"),
            "counts or correlates events over time",
        ),
        (
            dns("s1:\n  query: a.example\ns2:\n  record_type: A\ncondition: 2 of s*"),
            "counts selections (2 of)",
        ),
        (
            "title: t\ncorrelation:\n  type: event_count\nlogsource:\n\ndetection:\n".to_owned(),
            "correlates the events of other rules",
        ),
        (
            "title: t\nfilter:\n  rules: [x]\nlogsource:\n\ndetection:\n".to_owned(),
            "is a filter for other rules",
        ),
    ] {
        let knowledge = load(&text);
        let report = &knowledge.report.sources[0];
        let told: Vec<_> =
            report.ignored.iter().map(|one| (&*one.reason, one.count, one.first_line)).collect();
        assert_eq!(told, [(reason, 1, 1)], "{text}");
        assert_eq!((report.format, report.accepted, report.rejected_count), (Format::Sigma, 0, 0), "{text}");
    }
    let many: String =
        (0..7).map(|n| format!("s{n}:\n  - query|contains: a{n}\n  - query|endswith: b{n}\n")).collect();
    let report = load(&dns(&format!("{many}condition: all of s*"))).report;
    assert_eq!(&*report.sources[0].ignored[0].reason, "has too many alternatives");
}

#[test]
fn faults_name_their_line() {
    let good = rule("dns", "selection:\n  query: good.example\ncondition: selection");
    for (text, line, reason) in [
        ("title: t\nlogsource:\n  category: dns\n", 1, "has no detection"),
        ("# a remark\ntitle: t\ndetection:\n  condition: x\n", 2, "has no logsource"),
        (
            "title: t\nlogsource: {category: dns}\ndetection:\n  selection:\n    query: x\n",
            4,
            "has no condition",
        ),
        (
            "title: t\nlogsource: {category: dns}\ndetection:\n  s: {query: x}\n  condition: selection\n",
            5,
            "there is no selection \"selection\"",
        ),
        (
            "title: t\nlogsource: {category: dns}\ndetection:\n  s: {query: x}\n  condition: (s or s\n",
            5,
            "its condition lacks a )",
        ),
        ("title: t\nlogsource: {category: dns}\ndetection:\n  s: *x\n  condition: s\n", 4, "not YAML: "),
        (
            "title: &t t\nlogsource: {category: dns}\ndetection:\n  s: *t\n  condition: s\n",
            4,
            "uses a YAML alias",
        ),
        ("title: t\nlogsource:\n  category: dns\n   product: x\ndetection:\n", 4, "not YAML: "),
        ("just a text", 1, "has no detection"),
    ] {
        let mut loader = Loader::default();
        let all = format!("{text}\n---\n{good}");
        loader.located_bytes("x.yml", all.as_bytes(), Some(Format::Sigma));
        let knowledge = loader.finish();
        let report = &knowledge.report.sources[0];
        let told: Vec<_> =
            report.rejected.iter().map(|one| (one.line, one.reason.starts_with(reason))).collect();
        assert_eq!(told, [(line, true)], "{text}: {}", knowledge.report);
        assert_eq!(report.accepted, 1, "the rule after it is taken: {text}");
    }
}

#[test]
fn rules_of_one_file_are_told_apart() {
    let first = rule("dns", "selection:\n  query|contains: a.example\ncondition: selection");
    let unnamed = first.replace("id: 0a0b0c0d-0000-4000-8000-000000000001\n", "");
    let knowledge = load(&format!("---\n{first}---\n{unnamed}---\n{first}\n---\n"));
    let report = &knowledge.report.sources[0];
    assert_eq!((report.accepted, report.rejected[0].line), (2, 23), "{}", knowledge.report);
    let ids: Vec<_> = knowledge.indicators.all_signatures().iter().map(|one| &*one.id).collect();
    assert_eq!(ids, ["sigma-0a0b0c0d-0000-4000-8000-000000000001", "sigma-net_dns_made_up-13"]);
}

#[test]
fn is_recognised_by_its_sections() {
    let format = |file: &str, text: &str| {
        let mut loader = Loader::default();
        loader.bytes(file, text.as_bytes());
        loader.finish().report.sources[0].format
    };
    assert_eq!(format("a.yaml", FULL), Format::Sigma);
    assert_eq!(format("no-ending", &format!("\u{feff}{}", FULL.replace('\n', "\r\n"))), Format::Sigma);
    for near in [
        "detection:\n",
        "logsource:\ndetection.example\n",
        "  detection:\n  logsource:\n",
        "# detection:\n# logsource:\n",
    ] {
        assert_eq!(format("a.yml", near), Format::Plain, "{near}");
    }
}
