use super::super::super::model::{Kind, Match, Tlp};
use super::super::super::{Format, Knowledge, Loader};

fn load(file: &str, text: &str) -> Knowledge {
    let mut loader = Loader::default();
    loader.bytes(file, text.as_bytes());
    loader.finish()
}

/// An attribute of that type and value on one line, meant for detection, with further members.
fn attribute(kind: &str, value: &str, further: &str) -> String {
    format!(
        r#"{{"type": "{kind}", "category": "Network activity", "value": "{value}", "to_ids": true, "timestamp": "1767333845"{further}}}"#
    )
}

/// An event whose attributes stand on lines of their own from line 5 on, and whose objects follow.
fn event(attributes: &[String], objects: &str) -> String {
    format!(
        "{{\"Event\": {{\n\"uuid\": \"5b1f0000-0000-4000-8000-000000000001\", \"info\": \"Evil spring\", \"date\": \"2026-01-01\",\n\
         \"timestamp\": \"1767333900\", \"threat_level_id\": \"1\", \"Orgc\": {{\"name\": \"Example CERT\"}}, \"Tag\": [{{\"name\": \"tlp:amber\"}}, {{\"name\": \"admiralty-scale:source-reliability=\\\"b\\\"\"}}],\n\
         \"Attribute\": [\n{}],\n\"Object\": [{objects}]}}}}",
        attributes.join(",\n")
    )
}

#[test]
fn reads_every_type_that_means_something() {
    let attributes = [
        attribute("domain", "Evil[.]example", ""),
        attribute("hostname", "c2.evil.example.", ""),
        attribute("hostname|port", "d.evil.example|8443", ""),
        attribute("domain|ip", "pair.example|198.51.100.9", r#", "comment": "seen in the lab""#),
        attribute("ip-dst", "198.51.100.0/24", ""),
        attribute("ip-dst|port", "198.51.100.7|8000", ""),
        attribute("ip-dst|port", "2001:db8::7|443", ""),
        attribute("ip-src", "198.51.100.66", ""),
        attribute("ip-src|port", "198.51.100.66|4444", ""),
        attribute("url", "hxxp://evil.example:8000/a", ""),
        attribute("uri", "/gate.php", ""),
        attribute("uri", "http://evil.example/b", ""),
        attribute("user-agent", "Evil/1", ""),
        attribute("ja3-fingerprint-md5", "0123456789ABCDEF0123456789abcdef", ""),
        attribute("x509-fingerprint-sha1", "aa00000000000000000000000000000000000001", ""),
    ];
    let knowledge = load("event.json", &event(&attributes, ""));
    let report = &knowledge.report.sources[0];
    assert_eq!((report.format, report.accepted), (Format::Misp, 16), "{}", knowledge.report);
    assert_eq!((report.rejected_count, report.ignored_count()), (0, 0), "{}", knowledge.report);
    let claims: Vec<_> = knowledge.indicators.claims().map(|(_, claim)| claim).collect();
    let found: Vec<_> = claims
        .iter()
        .map(|claim| (claim.line, claim.kind, claim.value, claim.provenance.confidence))
        .collect();
    assert_eq!(
        found,
        [
            (5, Kind::Domain, "evil.example", 75),
            (6, Kind::Domain, "c2.evil.example", 75),
            (7, Kind::Domain, "d.evil.example", 75),
            (8, Kind::Domain, "pair.example", 60),
            (8, Kind::Address, "198.51.100.9", 37),
            (9, Kind::Network, "198.51.100.0/24", 75),
            (10, Kind::AddressPort, "198.51.100.7:8000", 75),
            (11, Kind::AddressPort, "[2001:db8::7]:443", 75),
            (12, Kind::Address, "198.51.100.66", 37),
            (13, Kind::AddressPort, "198.51.100.66:4444", 37),
            (14, Kind::Url, "http://evil.example:8000/a", 75),
            (15, Kind::Path, "/gate.php", 75),
            (16, Kind::Url, "http://evil.example/b", 75),
            (17, Kind::UserAgent, "Evil/1", 75),
            (18, Kind::Ja3, "0123456789abcdef0123456789abcdef", 75),
            (19, Kind::CertificateHash, "aa00000000000000000000000000000000000001", 75),
        ]
    );
    let reach: Vec<_> = claims.iter().take(4).map(|claim| claim.matching).collect();
    assert_eq!(reach, [Match::Subtree, Match::Exact, Match::Exact, Match::Subtree]);
    assert_eq!(&*claims[2].provenance.note, "listed at port 8443");
    assert_eq!(&*claims[3].provenance.note, "seen in the lab; listed as leading to 198.51.100.9");
}

#[test]
fn an_event_says_whose_when_and_how_sure() {
    let attributes = [
        attribute("link", "https://a.example/report", "").replace("true", "false"),
        attribute("ip-dst", "198.51.100.7", ""),
        attribute(
            "ip-dst",
            "198.51.100.8",
            r#", "first_seen": "2025-12-01T10:00:00.000000+00:00", "last_seen": "2025-12-24T00:00:00Z",
                "Tag": [{"name": "tlp:green"}, {"name": "misp:confidence-level=\"completely-confident\""}, {"name": "c2"}]"#,
        )
        .replace('\n', " "),
    ];
    let object = r#"{"name": "domain-ip", "first_seen": "2025-11-01", "Attribute": [
        {"type": "domain", "object_relation": "domain", "value": "o.example", "to_ids": "1", "deleted": "0", "timestamp": 1767333845},
        {"type": "ip-dst", "value": "198.51.100.9", "to_ids": 1}]},
        {"deleted": true, "Attribute": [{"type": "domain", "value": "gone.example", "to_ids": true}]}"#;
    let knowledge = load("5b1f.json", &event(&attributes, object));
    assert_eq!(knowledge.report.accepted(), 4, "{}", knowledge.report);
    let claims: Vec<_> = knowledge.indicators.claims().map(|(_, claim)| claim).collect();
    let said = claims[0].provenance;
    assert_eq!((&*said.campaign, said.title.as_deref()), ("Evil spring", Some("Evil spring")));
    assert_eq!((&*said.sources[0], &*said.reference), ("Example CERT", "https://a.example/report"));
    assert_eq!((said.tlp, said.confidence), (Some(Tlp::Amber), 75));
    let tags: Vec<_> = said.tags.iter().map(|tag| &**tag).collect();
    assert_eq!(tags, ["misp:threat-level=\"high-risk\""]);
    assert_eq!(claims[0].first_seen, None);
    assert_eq!(claims[0].validity.from.unwrap().rfc3339(), "2026-01-01T00:00:00.000000Z", "the event's date");
    assert_eq!(claims[0].validity.until.unwrap().rfc3339(), "2026-04-02T06:04:05.000000Z", "90 days");
    assert_eq!((claims[1].provenance.tlp, claims[1].provenance.confidence), (Some(Tlp::Green), 100));
    assert_eq!(claims[1].provenance.tags.len(), 2);
    assert_eq!(claims[1].first_seen.unwrap().rfc3339(), "2025-12-01T10:00:00.000000Z");
    assert_eq!(claims[1].validity.until.unwrap().rfc3339(), "2026-03-24T00:00:00.000000Z");
    assert_eq!((claims[2].value, claims[2].line), ("o.example", 9));
    assert_eq!(claims[2].first_seen.unwrap().rfc3339(), "2025-11-01T00:00:00.000000Z", "the object's");
    assert_eq!((claims[3].value, claims[3].line), ("198.51.100.9", 10));
    let report = &knowledge.report.sources[0];
    assert_eq!(report.newest.unwrap().rfc3339(), "2026-01-02T06:05:00.000000Z", "the event's timestamp");
}

#[test]
fn everything_has_a_fate_with_its_line() {
    let attributes = [
        attribute("domain", "a.example", ""),
        attribute("domain", "b.example", "").replace("true", "false"),
        attribute("domain", "c.example", r#", "deleted": true"#),
        attribute("sha256", "aa", ""),
        attribute("x509-fingerprint-md5", "aa", ""),
        attribute("domain", "com", ""),
        attribute("ip-dst|port", "198.51.100.7|http", ""),
        attribute("domain|ip", "d.example|10.0.0.1", ""),
        attribute("uri", "nowhere", ""),
        attribute("domain", "e.example", r#", "first_seen": "soon""#),
        attribute("", "e.example", ""),
        "7".to_owned(),
        r#"{"type": "domain", "value": "f.example"}"#.to_owned(),
        attribute("domain", "A.example", ""),
    ];
    let knowledge = load("event.json", &event(&attributes, "\n8"));
    let report = &knowledge.report.sources[0];
    let rejected: Vec<_> = report.rejected.iter().map(|one| (one.line, one.text.as_str())).collect();
    assert_eq!(
        rejected,
        [
            (10, "com"),
            (11, "198.51.100.7|http"),
            (12, "d.example|10.0.0.1"),
            (13, "nowhere"),
            (14, "e.example"),
            (15, "e.example"),
            (16, "7"),
            (20, "8"),
        ]
    );
    let ignored: Vec<_> =
        report.ignored.iter().map(|one| (&*one.reason, one.count, one.first_line)).collect();
    assert_eq!(
        ignored,
        [
            ("not meant for detection: to_ids is not true", 2, 6),
            ("deleted by who made it", 1, 7),
            ("sha256: nothing that is looked for", 1, 8),
            ("MD5 of a certificate: nothing that is compared", 1, 9),
        ]
    );
    // The half of line 12 that is in order is one of the two.
    assert_eq!((report.accepted, report.duplicates), (2, 1), "{}", knowledge.report);
}

#[test]
fn reads_lists_of_events_and_exports_of_attributes() {
    let one = event(&[attribute("domain", "a.example", "")], "");
    let two = one.replace("a.example", "b.example").replace("Evil spring", "Evil summer");
    for text in [format!("{{\"response\": [{one},\n{two}]}}"), format!("[{one},\n{two}]")] {
        let knowledge = load("all.json", &text);
        let claims: Vec<_> = knowledge.indicators.claims().map(|(_, claim)| claim).collect();
        assert_eq!(claims.len(), 2, "{}", knowledge.report);
        assert_eq!(
            (claims[1].value, claims[1].line, &*claims[1].provenance.campaign),
            ("b.example", 11, "Evil summer")
        );
    }
    let single = format!("{{\"response\": {one}}}");
    assert_eq!(load("one.json", &single).report.accepted(), 1);
    let context = r#", "Event": {"info": "Evil spring", "uuid": "x", "Orgc": {"name": "Example CERT"}}, "Tag": [{"name": "tlp:red"}]"#;
    let export = format!(
        "{{\"response\": {{\"Attribute\": [\n{},\n{}]}}}}",
        attribute("domain", "a.example", context),
        attribute("domain", "b.example", "")
    );
    let knowledge = load("export.json", &export);
    let claims: Vec<_> = knowledge.indicators.claims().map(|(_, claim)| claim).collect();
    assert_eq!((claims.len(), knowledge.report.sources[0].format), (2, Format::Misp), "{}", knowledge.report);
    let said = claims[0].provenance;
    assert_eq!(
        (said.title.as_deref(), &*said.sources[0], said.tlp),
        (Some("Evil spring"), "Example CERT", Some(Tlp::Red))
    );
    let said = claims[1].provenance;
    assert_eq!(
        (claims[1].line, &*said.campaign, said.title.as_deref(), said.confidence),
        (3, "export", None, 75)
    );
    assert_eq!(
        claims[1].validity.from.unwrap().rfc3339(),
        "2026-01-02T06:04:05.000000Z",
        "when it was listed"
    );
}

#[test]
fn a_feeds_other_files_are_known_and_say_little() {
    let manifest = r#"{"5b1f0000-0000-4000-8000-000000000001": {"info": "Evil spring", "Orgc": {"name": "x"},
        "analysis": "2", "timestamp": "1767333900", "date": "2026-01-01", "threat_level_id": "3",
        "Tag": [{"name": "tlp:white"}]}, "5b1f0000-0000-4000-8000-000000000002": {"date": "2025-01-01"}}"#;
    let report = load("manifest.json", manifest).report;
    assert_eq!((report.sources[0].format, report.failures().count()), (Format::Misp, 0), "{report}");
    assert_eq!(report.sources[0].newest.unwrap().rfc3339(), "2026-01-02T06:05:00.000000Z");
    let hash = "0123456789abcdef0123456789abcdef,5b1f0000-0000-4000-8000-000000000001\n";
    let report = load("hashes.csv", &hash.repeat(3)).report;
    assert_eq!((report.sources[0].format, report.failures().count()), (Format::Misp, 0), "{report}");
    assert_eq!((report.sources[0].ignored_count(), report.accepted(), report.rejected()), (3, 0, 0));
    let mixed = format!("{hash}evil.example\n");
    assert_ne!(load("hashes.txt", &mixed).report.sources[0].format, Format::Misp);
    let mut loader = Loader::default();
    loader.located_bytes("hashes.csv", mixed.as_bytes(), Some(Format::Misp));
    loader.located_bytes("manifest.json", b"{}", Some(Format::Misp));
    let report = loader.finish().report;
    assert_eq!((report.sources[0].rejected[0].line, report.failures().count()), (2, 0), "{report}");
}

#[test]
fn empty_answers_are_valid_and_others_are_not_taken_for_it() {
    for text in [
        "{\"response\": []}",
        "{\"response\": {\"Attribute\": []}}",
        "{\"Event\": {\"info\": \"x\", \"Attribute\": [], \"Object\": null}}",
        "{\"Event\": {\"info\": \"x\"}}",
    ] {
        let report = load("a.json", text).report;
        assert_eq!(report.sources[0].format, Format::Misp, "{text}");
        assert_eq!((report.accepted(), report.rejected(), report.failures().count()), (0, 0, 0), "{text}");
    }
    for text in [
        "{\"Event\": {\"System\": {\"EventID\": 7}}}",
        "{\"Event\": 7}",
        "[{\"Event\": {\"System\": {}}}]",
        "{\"response\": {\"docs\": []}}",
        "{\"response\": [{\"id\": 7}]}",
        "{\"5b1f0000-0000-4000-8000-000000000001\": {\"name\": \"x\"}}",
        "{\"info\": {\"info\": \"x\"}}",
    ] {
        assert_ne!(load("a.json", text).report.sources[0].format, Format::Misp, "{text}");
    }
    let broken = "{\"response\": [{\"Event\": {\"info\": \"x\", \"Attribute\": 7}},\n{\"Event\": {\"info\": \"y\"}}, 7]}";
    let report = load("a.json", broken).report;
    let lines: Vec<_> = report.sources[0].rejected.iter().map(|one| one.line).collect();
    assert_eq!(lines, [1, 2], "{report}");
}
