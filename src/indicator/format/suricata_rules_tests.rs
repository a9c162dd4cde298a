use std::io::Write as _;
use std::net::IpAddr;

use super::super::super::model::{Kind, Match};
use super::super::super::{ExchangeFacts, Format, Knowledge, Loader, Rung};
use super::*;
use crate::protocol::dns::NameBuf;
use crate::protocol::http::Request;
use crate::protocol::tls::ClientHello;

fn load(text: &str) -> Knowledge {
    let mut loader = Loader::default();
    loader.bytes("rules/made-up.rules", text.as_bytes());
    loader.finish()
}

fn claims(knowledge: &Knowledge) -> Vec<String> {
    let claims = knowledge.indicators.claims();
    let reach = |matching| if matching == Match::Subtree { "*." } else { "" };
    claims
        .map(|(_, claim)| {
            format!("{} {} {}{}", claim.line, claim.kind.as_str(), reach(claim.matching), claim.value)
        })
        .collect()
}

fn remote() -> (IpAddr, u16) {
    ("198.51.100.7".parse().unwrap(), 8000)
}

fn hits(knowledge: &Knowledge, facts: &ExchangeFacts<'_>) -> usize {
    let mut hits = Vec::new();
    knowledge.indicators.signatures(facts, &mut hits);
    hits.len()
}

fn request(method: &str, target: &str, host: &str, agent: &str) -> Request {
    Request {
        method: method.into(),
        target: target.into(),
        host: Some(host.into()),
        user_agent: Some(agent.into()),
        ..Request::default()
    }
}

/// A rule of the header `alert dns $HOME_NET any -> any any`, and so on by the first buffer.
fn rule(options: &str) -> String {
    let header = match options {
        options if options.contains("dns") => "dns $HOME_NET any -> any any",
        options if options.contains("tls") => "tls $HOME_NET any -> $EXTERNAL_NET any",
        _ => "http $HOME_NET any -> $EXTERNAL_NET any",
    };
    format!(
        "alert {header} (msg:\"LAB made up\"; {options} classtype:trojan-activity; sid:9000001; rev:1;)\n"
    )
}

const SET: &str = r#"# Made-up rules
# alert dns any any -> any any (msg:"switched off"; dns.query; content:"off.example"; bsize:11; sid:1;)

alert dns $HOME_NET any -> any any (msg:"LAB MALWARE Evil CnC Domain in DNS Lookup (evil .example)"; dns.query; content:"Evil.example"; nocase; bsize:12; reference:url,lab.example/report; reference:cve,2026-0001; classtype:domain-c2; sid:9000004; rev:2; metadata:affected_product Any, attack_target Client_Endpoint, created_at 2026_03_31, deployment Perimeter, malware_family Evil, confidence High, signature_severity Major, tag c2, updated_at 2026_04_02, mitre_tactic_id TA0011, mitre_technique_id T1071;)
alert dns $HOME_NET any -> any any (msg:"old writing"; dns_query; content:"old.example"; depth:11; nocase; endswith; fast_pattern; sid:9000005; rev:1;)
alert dns $HOME_NET any -> any 53 (msg:"below"; dns.query; dotprefix; content:".below.example"; nocase; endswith; sid:9000006; rev:1;)
alert tls $HOME_NET any -> $EXTERNAL_NET any (msg:"sibling"; flow:established,to_server; tls.sni; bsize:12; content:"evil.example"; startswith; fast_pattern; sid:9000007;)
drop http any any -> any any (msg:"host"; flow:to_server; http.host; content:"|68|ost.example"; startswith; endswith; sid:9000008;)
alert tcp $HOME_NET any -> [198.51.100.7,198.51.100.64/26, 2001:db8::7,10.0.0.1] any (msg:"LAB CNC Server group 1"; flags:S; threshold: type limit, track by_src, seconds 3600, count 1; flowbits:set,LAB.Evil; classtype:trojan-activity; sid:9000009; rev:7000;)
alert ip any any -> 198.51.100.9 8000 (msg:"at a port"; sid:9000010;)
alert ip [203.0.113.0/28] any -> $HOME_NET any (msg:"answers too"; classtype:misc-attack; sid:9000011;)
reject tls any any -> any any (msg:"as http_host was written"; tls_sni; content:"sni.example"; isdataat:!1,relative; depth:11; sid:9000012;)
alert dns any any -> any any (msg:"a dot at the end"; dns.query; dotprefix; content:".dot.example."; startswith; endswith; sid:9000013;)
"#;

#[test]
fn lists_of_names_and_addresses_become_claims() {
    let knowledge = load(SET);
    let report = &knowledge.report.sources[0];
    assert_eq!(report.format, Format::SuricataRules);
    assert_eq!(
        (report.accepted, report.duplicates, report.rejected_count),
        (12, 0, 1),
        "{}",
        knowledge.report
    );
    assert_eq!((report.ignored_count(), report.rejected[0].line), (0, 9));
    assert_eq!(
        claims(&knowledge),
        [
            "4 domain evil.example",
            "5 domain old.example",
            "6 domain *.below.example",
            "7 domain evil.example",
            "8 domain host.example",
            "9 address 198.51.100.7",
            "9 network 198.51.100.64/26",
            "9 address 2001:db8::7",
            "10 address_port 198.51.100.9:8000",
            "11 network 203.0.113.0/28",
            "12 domain sni.example",
            "13 domain dot.example",
        ]
    );
    let (_, claim) = knowledge.indicators.claims().next().unwrap();
    assert_eq!((claim.kind, claim.matching), (Kind::Domain, Match::Exact));
    assert_eq!(claim.first_seen.unwrap().rfc3339(), "2026-03-31T00:00:00.000000Z");
    assert_eq!(
        claim.validity.until.unwrap().rfc3339(),
        "2027-04-02T00:00:00.000000Z",
        "a year after the update"
    );
    let said = claim.provenance;
    assert_eq!((&*said.campaign, &said.title, &*said.sources[0]), ("Evil", &None, "made-up"));
    assert_eq!((said.confidence, said.severity), (85, Some(Severity::High)));
    assert_eq!((&*said.reference, &*said.mitre[0]), ("http://lab.example/report", "T1071"));
    assert_eq!(said.tags.iter().map(|tag| &**tag).collect::<Vec<_>>(), ["domain-c2", "c2"]);
    assert_eq!(
        &*said.note,
        "sid 9000004, revision 2: LAB MALWARE Evil CnC Domain in DNS Lookup (evil .example)"
    );
    let of_value = |value: &str| {
        let claim = knowledge.indicators.claims().find(|(_, claim)| claim.value == value).unwrap().1;
        (claim.provenance.confidence, claim.provenance.severity, claim.validity.until)
    };
    assert_eq!(of_value("old.example"), (75, None, None));
    assert_eq!(of_value("198.51.100.7"), (75, Some(Severity::High), None));
    assert_eq!(of_value("203.0.113.0/28"), (75, Some(Severity::Medium), None));
}

#[test]
fn texts_of_requests_become_signatures() {
    let text = rule(
        "flow:established,to_server; http.method; content:\"POST\"; http.uri; content:\"/gate.php?id=\"; startswith; \
         fast_pattern; content:!\"debug\"; http.user_agent; content:\"Evil/\"; depth:5; content:\"linux\"; nocase; \
         http.host; content:!\"fine.example\"; endswith; bsize:99;",
    );
    // A size of 99 fits no content.
    assert_eq!(&*load(&text).report.sources[0].ignored[0].reason, "has other conditions: bsize");
    let text = text.replace(" bsize:99;", "");
    let knowledge = load(&text);
    assert_eq!(knowledge.report.accepted(), 1, "{}", knowledge.report);
    let signature = &knowledge.indicators.all_signatures()[0];
    assert_eq!((&*signature.id, &*signature.title), ("suricata-sid-9000001", "LAB made up"));
    assert_eq!((signature.rung, signature.severity(), signature.line), (Rung::Attempted, Severity::High, 1));
    for (method, target, host, agent, expected) in [
        ("POST", "/gate.php?id=1", "evil.example", "Evil/1 (Linux)", 1),
        ("POST", "http://evil.example/gate.php?id=1", "proxy.example", "Evil/1 (Linux)", 1),
        ("GET", "/gate.php?id=1", "evil.example", "Evil/1 (Linux)", 0),
        ("POST", "/Gate.php?id=1", "evil.example", "Evil/1 (Linux)", 0),
        ("POST", "/x/gate.php?id=1", "evil.example", "Evil/1 (Linux)", 0),
        ("POST", "/gate.php?id=1&debug", "evil.example", "Evil/1 (Linux)", 0),
        ("POST", "/gate.php?id=1", "a.Fine.example:8000", "Evil/1 (Linux)", 0),
        ("POST", "/gate.php?id=1", "evil.example", "evil/1 (Linux)", 0),
        ("POST", "/gate.php?id=1", "evil.example", "Evil/1", 0),
    ] {
        let request = request(method, target, host, agent);
        let facts = ExchangeFacts::request(remote(), &request);
        assert_eq!(hits(&knowledge, &facts), expected, "{method} {target} {host} {agent}");
    }
    let lacks = load(&rule("http.method; content:\"GET\"; http.user_agent; content:!\"Mozilla\";"));
    let mut request = request("GET", "/", "evil.example", "curl");
    assert_eq!(hits(&lacks, &ExchangeFacts::request(remote(), &request)), 1);
    request.user_agent = Some(b"Mozilla/5.0".into());
    assert_eq!(hits(&lacks, &ExchangeFacts::request(remote(), &request)), 0);
    request.user_agent = None;
    assert_eq!(hits(&lacks, &ExchangeFacts::request(remote(), &request)), 0, "there is no such buffer");
    // As rules were written before Suricata 5.
    let old = load(&rule(
        "content:\"POST\"; http_method; content:\"/gate.php?id=\"; http_uri; depth:13; uricontent:\"id=1\"; \
         content:\"Evil/\"; http_user_agent; offset:0; depth:5;",
    ));
    request = self::request("POST", "/gate.php?id=1", "evil.example", "Evil/1");
    assert_eq!(hits(&old, &ExchangeFacts::request(remote(), &request)), 1, "{}", old.report);
}

#[test]
fn parts_of_names_become_signatures() {
    for (options, name, expected) in [
        ("dns.query; content:\".evil.example\"; nocase; endswith;", "a.EVIL.example", 1),
        ("dns.query; content:\".evil.example\"; nocase; endswith;", "evil.example", 0),
        ("dns.query; content:\"evil\";", "x.devil.example", 1),
        ("dns.query; content:\"evil\"; startswith;", "x.evil.example", 0),
        ("dns.query; dotprefix; content:\".evil.\"; startswith;", "evil.example", 1),
        (
            "dns.query; content:\"evil.example\"; endswith; content:!\"www.\"; startswith;",
            "www.evil.example",
            0,
        ),
        (
            "dns.query; content:\"evil.example\"; endswith; content:!\"www.\"; startswith;",
            "w3.evil.example",
            1,
        ),
        (
            "dns.query; dotprefix; content:\".example\"; endswith; content:!\".fine.example\"; endswith;",
            "x.fine.example",
            0,
        ),
        (
            "dns.query; dotprefix; content:\".example\"; endswith; content:!\".fine.example\"; endswith;",
            "xfine.example",
            1,
        ),
    ] {
        let knowledge = load(&rule(options));
        assert_eq!(knowledge.report.accepted(), 1, "{options}: {}", knowledge.report);
        let asked = NameBuf::from_text(name.as_bytes()).unwrap();
        let facts = ExchangeFacts::query(None, asked.as_name(), 1);
        assert_eq!(hits(&knowledge, &facts), expected, "{options} {name}");
        assert_eq!(knowledge.indicators.all_signatures()[0].rung, Rung::LookedUp);
    }
    let at_port =
        rule("tls.sni; content:\"evil.example\"; bsize:12;").replace("$EXTERNAL_NET any", "any 8443");
    let knowledge = load(&at_port);
    let hello = ClientHello { sni: Some(b"Evil.Example".into()), ..ClientHello::default() };
    for (port, expected) in [(8443, 1), (443, 0)] {
        let facts = ExchangeFacts::client_hello((remote().0, port), &hello);
        assert_eq!(hits(&knowledge, &facts), expected, "{port}");
    }
}

#[test]
fn what_is_not_for_us_is_counted_by_reason() {
    let dns = |options: &str| rule(&format!("dns.query; content:\"evil.example\"; {options}"));
    for (text, reason) in [
        (dns("pcre:\"/^[a-z]{3}\\./\";"), "has other conditions: pcre"),
        (dns("byte_test:1,>,3,0;"), "has other conditions: byte_test"),
        (dns("threshold:type both, track by_src, count 5, seconds 60;"), "has other conditions: threshold"),
        (
            dns("detection_filter:track by_src, count 5, seconds 60;"),
            "has other conditions: detection_filter",
        ),
        (dns("flowbits:isset,LAB.seen;"), "has other conditions: flowbits:isset"),
        (dns("flowbits:set,LAB.seen; flowbits:noalert;"), "does not alert"),
        (dns("noalert;"), "does not alert"),
        (dns("within:30;"), "has other conditions: within"),
        (dns("depth:30;"), "has other conditions: depth"),
        (dns("offset:3;"), "has other conditions: offset"),
        (dns("bsize:>20;"), "has other conditions: bsize"),
        (dns("bsize:20;"), "has other conditions: bsize"),
        (dns("isdataat:5,relative;"), "has other conditions: isdataat"),
        (dns("flow:to_client;"), "has other conditions: flow to the client"),
        (
            rule("dns.query; dotprefix; content:\".evil.example\";"),
            "has other conditions: dotprefix without endswith",
        ),
        (rule("http.uri; urilen:5; content:\"/a\";"), "has other conditions: urilen"),
        (rule("http.header; content:\"X-Evil\";"), "has other conditions: http.header"),
        (
            rule("http.uri; content:\"/a\"; http.request_body; content:\"b\";"),
            "has other conditions: http.request_body",
        ),
        (rule("content:\"evil\";"), "has other conditions: content of the payload"),
        (rule("flow:established,to_server;"), "has no condition that a list or signature could hold"),
        (rule("flow:to_server,not_established;"), "has other conditions: flow"),
        (
            rule("http.uri; content:\"/a\";").replace("alert", "pass"),
            "allows what it describes (pass): write an [[allow]] entry in a pack",
        ),
        (
            rule("http.uri; content:\"/a\";")
                .replace("$HOME_NET any -> $EXTERNAL_NET", "$EXTERNAL_NET any -> $HOME_NET"),
            "looks at what comes in from outside",
        ),
        (rule("http.uri; content:!\"/a\";"), "only says what must not be: all other traffic meets it"),
        (
            rule("http.uri; content:\"/a\"; tls.sni; content:\"b\";"),
            "mixes conditions on different exchanges (HTTP, TLS, DNS)",
        ),
        (
            "alert tcp any any -> any 4444 (msg:\"a port\"; flags:S; sid:1;)\n".to_owned(),
            "has conditions on addresses and ports that no list can hold",
        ),
        (
            "alert tcp any any -> [192.0.2.0/24,!192.0.2.1] any (msg:\"a hole\"; sid:1;)\n".to_owned(),
            "has conditions on addresses and ports that no list can hold",
        ),
        (
            "alert tcp any any -> 192.0.2.0/24 80 (msg:\"a prefix\"; sid:1;)\n".to_owned(),
            "lists an address prefix at a port, which no list can hold",
        ),
        (
            "alert tcp 192.0.2.1 any -> any any (msg:\"a scan\"; flags:S; sid:1;)\n".to_owned(),
            "looks at what comes in from outside",
        ),
    ] {
        let report = &load(&text).report.sources[0];
        let told: Vec<_> =
            report.ignored.iter().map(|one| (&*one.reason, one.count, one.first_line)).collect();
        assert_eq!(told, [(reason, 1, 1)], "{text}");
        assert_eq!(
            (report.format, report.accepted, report.rejected_count),
            (Format::SuricataRules, 0, 0),
            "{text}"
        );
    }
}

#[test]
fn faults_name_their_line_and_rules_go_on_in_the_next() {
    let text = "\u{feff}alert dns any any -> any any (msg:\"one\"; \\\r\n    dns.query; content:\"one.example\"; \\\r\n  bsize:11; sid:1;)\r\n\
        \r\nalert dns any any -> any any (msg:\"no id\"; dns.query; content:\"two.example\"; bsize:11;)\r\n\
        alert dns any any -> any any (msg:\"open\"; sid:3;\r\nalert dns any any (sid:4;)\r\n# a remark\r\n\
        alert dns any any -> any any (msg:\"hex\"; \\\r\n dns.query; content:\"a|2\"; sid:5;)\r\n\
        alert ip any any -> 192.0.2.999 any (sid:6;)\r\nnonsense\r\n\
        alert dns any any -> any any (dns.query; content:\"\"; sid:7;)\r\nalert ip any any -> 10.0.0.1 any (sid:8;)\r\n\
        alert dns any any -> any any (msg:\"last\"; dns.query; content:\"last.example\"; bsize:12; sid:9;) \\";
    let knowledge = load(text);
    let report = &knowledge.report.sources[0];
    assert_eq!(
        claims(&knowledge),
        ["1 domain one.example", "15 domain last.example"],
        "{}",
        knowledge.report
    );
    let told: Vec<_> = report.rejected.iter().map(|one| (one.line, &*one.reason)).collect();
    assert_eq!(
        told,
        [
            (5, "has no sid, by which it could be told"),
            (6, "lacks the closing parenthesis"),
            (7, "has too few words before its parentheses"),
            (9, "has a content with damaged hexadecimal numbers"),
            (11, "has something else where an address belongs"),
            (12, "has no options in parentheses"),
            (13, "has an empty content"),
            (14, "not an address of the Internet (private, loopback, link-local, multicast or unspecified)"),
        ]
    );
    let long = format!(
        "alert dns any any -> any any (msg:\"x\"; \\\n{}sid:1;)\n{}",
        "nocase; \\\n".repeat(20_000),
        rule("dns.query; content:\"a.example\"; bsize:9;")
    );
    let report = &load(&long).report.sources[0];
    assert_eq!(
        (report.accepted, report.rejected[0].line, &*report.rejected[0].reason),
        (1, 1, "is longer than 64 KiB")
    );
}

#[test]
fn is_recognised_by_its_first_line() {
    let format = |file: &str, text: &str| {
        let mut loader = Loader::default();
        loader.bytes(file, text.as_bytes());
        loader.finish().report.sources[0].format
    };
    let good = rule("dns.query; content:\"evil.example\"; bsize:12;");
    for text in [
        good.clone(),
        format!("\n# a remark\n\n{good}"),
        format!("\u{feff}{good}"),
        good.replace(" (", " \\\n ("),
    ] {
        assert_eq!(format("list.txt", &text), Format::SuricataRules, "{text}");
    }
    assert_eq!(format("off.rules", &format!("# {good}")), Format::SuricataRules);
    assert_eq!(format("empty.rules", ""), Format::SuricataRules);
    for near in
        ["alert.example\n", &format!("evil.example\n{good}"), &format!("# {good}"), "alert something -> (\n"]
    {
        assert_eq!(format("list.txt", near), Format::Plain, "{near}");
    }
}

/// A set of `count` rules, every kind among them.
fn many(count: usize) -> String {
    let mut text = String::new();
    for n in 0..count {
        let header = "alert http $HOME_NET any -> $EXTERNAL_NET any";
        text += &match n % 6 {
            0 => format!(
                "alert dns $HOME_NET any -> any any (msg:\"name {n}\"; dns.query; content:\"n{n:06}.example\"; bsize:15; sid:{n};)\n"
            ),
            1 => format!("{header} (msg:\"text {n}\"; http.uri; content:\"/x{n}\"; startswith; sid:{n};)\n"),
            2 => format!("# {header} (msg:\"off {n}\"; http.uri; content:\"/x{n}\"; sid:{n};)\n"),
            3 => format!(
                "{header} (msg:\"more {n}\"; \\\n    http.uri; content:\"/y{n}\"; endswith; \\\n    sid:{};)\n",
                n - n % 12
            ),
            4 => {
                format!("{header} (msg:\"other {n}\"; http.uri; content:\"/x{n}\"; pcre:\"/a/\"; sid:{n};)\n")
            }
            _ => format!(
                "alert ip any any -> 198.51.{}.{} any (msg:\"address {n}\"; sid:;)\n",
                n / 256 % 256,
                n % 256
            ),
        };
    }
    text
}

#[test]
fn a_file_is_read_in_blocks_as_it_is_read_whole() {
    let text = many(12_000);
    assert!(text.len() > 1 << 20);
    let whole = load(&text);
    let mut file = tempfile::NamedTempFile::with_suffix(".rules").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let name = file.path().to_string_lossy().into_owned();
    let mut loader = Loader::default();
    loader.path(file.path());
    let blocks = loader.finish();
    let (a, mut b) = (&whole.report.sources[0], blocks.report.sources[0].clone());
    assert_eq!((a.accepted, a.rejected_count, a.ignored_count()), (5_000, 3_000, 2_000));
    b.file = a.file.clone();
    assert_eq!(*a, b);
    // Compiled from the path as from the bytes, and the same again when it is loaded.
    let mut loader = Loader::for_compiling();
    loader.path(file.path());
    let mut compiled = Vec::new();
    loader.compile().write(&mut compiled).unwrap();
    let mut loader = Loader::for_compiling();
    loader.bytes(&name, text.as_bytes());
    let mut other = Vec::new();
    loader.compile().write(&mut other).unwrap();
    assert!(compiled == other, "{} {}", compiled.len(), other.len());
    let mut loader = Loader::default();
    loader.bytes("x.compiled", &compiled);
    let again = loader.finish();
    assert_eq!(again.report, blocks.report);
    let told = |knowledge: &Knowledge| format!("{:?}", knowledge.indicators.all_signatures());
    assert_eq!(told(&again), told(&blocks));
    assert!(compiled.len() < text.len(), "only rules that are signatures are kept as text");
}
