use super::super::super::{Format, Knowledge, Loader};
use super::*;

fn load(text: &str) -> Knowledge {
    let mut loader = Loader::default();
    loader.bytes("feeds/ours.json", text.as_bytes());
    loader.finish()
}

/// A bundle of objects, each on a line of its own, the first on line 2.
fn bundle(objects: &[&str]) -> String {
    format!("{{\"type\": \"bundle\", \"id\": \"bundle--1\", \"objects\": [\n{}\n]}}", objects.join(",\n"))
}

/// An indicator with that number, pattern and further properties.
fn indicator(number: u32, pattern: &str, further: &str) -> String {
    format!(
        r#"{{"type": "indicator", "spec_version": "2.1", "id": "indicator--{number}", "created": "2026-01-01T00:00:00.000Z",
            "modified": "2026-01-02T00:00:00.000Z", "pattern": "{pattern}", "pattern_type": "stix",
            "valid_from": "2026-01-03T04:05:06.123Z"{further}}}"#
    )
    .replace('\n', " ")
}

#[test]
fn reads_what_indicators_and_their_surroundings_say() {
    let first = indicator(
        1,
        "[domain-name:value = 'Evil[.]example.' OR ipv4-addr:value = '198.51.100.7']",
        r#", "valid_until": "2026-02-01T00:00:00Z", "confidence": 85, "indicator_types": ["malicious-activity"],
           "labels": ["c2"], "created_by_ref": "identity--1",
           "object_marking_refs": ["marking-definition--7", "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"],
           "external_references": [{"source_name": "mitre-attack", "external_id": "T1071.001"},
                                   {"source_name": "blog", "url": "https://a.example/report"}]"#,
    );
    let second = indicator(2, "[url:value = 'http://evil.example:8000/x']", r#", "name": "a URL""#);
    let text = bundle(&[
        &first,
        &second,
        r#"{"type": "relationship", "id": "relationship--1", "relationship_type": "indicates", "source_ref": "indicator--1", "target_ref": "malware--1"}"#,
        r#"{"type": "relationship", "id": "relationship--2", "relationship_type": "indicates", "source_ref": "indicator--1", "target_ref": "campaign--1"}"#,
        r#"{"type": "relationship", "id": "relationship--3", "relationship_type": "indicates", "source_ref": "indicator--2", "target_ref": "malware--1"}"#,
        r#"{"type": "relationship", "id": "relationship--4", "relationship_type": "indicates", "source_ref": "indicator--2", "target_ref": "attack-pattern--1"}"#,
        r#"{"type": "relationship", "id": "relationship--5", "relationship_type": "based-on", "source_ref": "indicator--2", "target_ref": "campaign--1"}"#,
        r#"{"type": "identity", "id": "identity--1", "name": "Example CERT"}"#,
        r#"{"type": "malware", "id": "malware--1", "name": "EvilRAT", "is_family": true}"#,
        r#"{"type": "campaign", "id": "campaign--1", "name": "Evil Spring"}"#,
        r#"{"type": "attack-pattern", "id": "attack-pattern--1", "name": "x", "external_references": [{"source_name": "mitre-attack", "external_id": "T1105"}]}"#,
        r#"{"type": "marking-definition", "id": "marking-definition--7", "name": "TLP:AMBER+STRICT", "extensions": {"extension-definition--1": {"tlp_2_0": "amber+strict"}}}"#,
        r#"{"type": "domain-name", "id": "domain-name--1", "value": "not-an-indicator.example"}"#,
    ]);
    let knowledge = load(&text);
    let report = &knowledge.report.sources[0];
    assert_eq!((report.format, report.accepted), (Format::Stix, 3), "{}", knowledge.report);
    assert_eq!((report.rejected_count, report.ignored_count()), (0, 0), "{}", knowledge.report);
    let claims: Vec<_> = knowledge.indicators.claims().map(|(_, claim)| claim).collect();
    assert_eq!((claims[0].value, claims[0].matching, claims[0].line), ("evil.example", Match::Exact, 2));
    assert_eq!(claims[0].validity.from.unwrap().rfc3339(), "2026-01-03T04:05:06.123000Z");
    assert_eq!(claims[0].validity.until.unwrap().rfc3339(), "2026-02-01T00:00:00.000000Z");
    let said = claims[0].provenance;
    assert_eq!((&*said.campaign, said.title.as_deref()), ("Evil Spring", Some("Evil Spring")));
    assert_eq!((&*said.sources[0], said.confidence, said.tlp), ("Example CERT", 85, Some(Tlp::AmberStrict)));
    assert_eq!((&*said.reference, &*said.mitre[0]), ("https://a.example/report", "T1071.001"));
    let tags: Vec<_> = said.tags.iter().map(|tag| &**tag).collect();
    assert_eq!(tags, ["malicious-activity", "c2"]);
    assert_eq!((claims[1].value, claims[1].kind), ("198.51.100.7", Kind::Address));
    assert_eq!((claims[2].value, claims[2].line), ("http://evil.example:8000/x", 3));
    assert_eq!(claims[2].validity.until.unwrap().rfc3339(), "2026-07-02T04:05:06.123000Z", "180 days");
    let said = claims[2].provenance;
    assert_eq!((&*said.campaign, said.title.as_deref(), said.confidence), ("EvilRAT", None, 75));
    assert_eq!((&*said.sources[0], said.tlp, &*said.mitre[0]), ("ours", None, "T1105"));
}

#[test]
fn everything_has_a_fate_with_its_line_and_id() {
    let good = indicator(1, "[domain-name:value = 'a.example']", "");
    let faults = [
        indicator(2, "[domain-name:value LIKE '%.example']", ""),
        indicator(3, "[domain-name:value = 'com']", ""),
        indicator(4, "[domain-name:value = 'a.example'", ""),
        indicator(5, "[ipv4-addr:value = '10.0.0.1' OR domain-name:value = 'b.example']", ""),
        indicator(6, "[domain-name:value = 'c.example']", r#", "confidence": 101"#),
        indicator(7, "[domain-name:value = 'c.example']", r#", "valid_until": "soon""#),
        indicator(8, "[domain-name:value = 'c.example']", r#", "valid_until": "2025-01-01T00:00:00Z""#),
        indicator(9, "alert dns any any", "").replace("\"stix\"", "\"suricata\""),
        "7".to_owned(),
        r#"{"id": "x"}"#.to_owned(),
        r#"{"type": "indicator", "id": "indicator--10", "id": "twice"}"#.to_owned(),
        indicator(11, "", ""),
        // What follows is in order and ignored.
        indicator(12, "[file:hashes.MD5 = 'aa']", ""),
        indicator(13, "[domain-name:value = 'c.example']", r#", "revoked": true"#),
        indicator(14, "[domain-name:value = 'c.example']", r#", "indicator_types": ["benign"]"#),
        indicator(1, "[domain-name:value = 'a.example']", ""),
    ];
    let objects: Vec<_> = std::iter::once(&*good).chain(faults.iter().map(|fault| &**fault)).collect();
    let knowledge = load(&bundle(&objects));
    let report = &knowledge.report.sources[0];
    let rejected: Vec<_> = report.rejected.iter().map(|one| (one.line, &*one.text, &*one.reason)).collect();
    for (line, text, reason) in [
        (3, "indicator--2 [domain-name:value LIKE", "LIKE is not read"),
        (4, "indicator--3 com", "a bare top-level domain would match half the Internet"),
        (5, "indicator--4 [domain-name", "not a STIX pattern: ] must stand at its character 33"),
        (6, "indicator--5 10.0.0.1", "not an address of the Internet"),
        (7, "indicator--6 [domain-name", "confidence \"101\" is no number from 0 to 100"),
        (8, "indicator--7 [domain-name", "valid_until \"soon\" is no date or time"),
        (9, "indicator--8", "its last day is before its first"),
        (10, "indicator--9 alert dns", "patterns of type \"suricata\" are not read"),
        (11, "7", "not a STIX object: invalid type"),
        (12, "{\"id\": \"x\"}", "not a STIX object: it has no type"),
        (13, "{\"type\": \"indicator\"", "not a STIX object: duplicate field `id`"),
        (14, "indicator--11", "not a STIX pattern: [ must stand at its character 1"),
    ] {
        let found = rejected.iter().find(|one| one.0 == line).copied().unwrap_or_default();
        assert!(found.1.starts_with(text) && found.2.starts_with(reason), "{line}: {found:?}");
    }
    let ignored: Vec<_> =
        report.ignored.iter().map(|one| (&*one.reason, one.count, one.first_line)).collect();
    assert_eq!(
        ignored,
        [
            ("an older version of an indicator that stands in the file again", 1, 2),
            ("file: nothing that the wire shows", 1, 15),
            ("revoked by who made it", 1, 16),
            ("said to be benign", 1, 17),
        ]
    );
    // One entry for each alternative: `a.example` of line 18, and `b.example` beside the address of line 6.
    assert_eq!((report.accepted, report.rejected_count), (2, rejected.len()), "{}", knowledge.report);
    assert_eq!(rejected.len(), 12);
}

#[test]
fn the_last_version_counts() {
    let old = indicator(1, "[domain-name:value = 'old.example']", "");
    let new = indicator(1, "[domain-name:value = 'new.example']", "").replace("2026-01-02T", "2026-03-02T");
    let gone = indicator(2, "[domain-name:value = 'gone.example']", "");
    let revoked = indicator(2, "[domain-name:value = 'gone.example']", r#", "revoked": true"#)
        .replace("2026-01-02T", "2026-03-02T");
    let knowledge = load(&bundle(&[&new, &old, &revoked, &gone]));
    let values: Vec<_> = knowledge.indicators.claims().map(|(_, claim)| claim.value.to_owned()).collect();
    assert_eq!(values, ["new.example"]);
    let until = knowledge.indicators.claims().next().unwrap().1.validity.until.unwrap();
    assert_eq!(until.rfc3339(), "2027-03-02T00:00:00.000000Z", "365 days after it was edited");
    assert_eq!(knowledge.report.sources[0].ignored_count(), 3, "{}", knowledge.report);
    assert_eq!(knowledge.report.sources[0].newest.unwrap().rfc3339(), "2026-03-02T00:00:00.000000Z");
}

#[test]
fn is_known_by_its_layout() {
    let one = indicator(1, "[domain-name:value = 'a.example']", "");
    let format = |text: &str| {
        let knowledge = load(text);
        let report = &knowledge.report.sources[0];
        report.failure.is_none().then_some((report.format, report.accepted))
    };
    for (text, accepted) in [
        (format!("\u{feff}{}", bundle(&[&one])), 1),
        (format!("{{\"objects\": [{one}]}}"), 1),
        (format!("{{\"more\": true, \"next\": \"7\", \"objects\": [{one}]}}"), 1),
        (format!("[{one}]"), 1),
        ("{\"type\": \"bundle\", \"id\": \"bundle--1\"}".to_owned(), 0),
        ("{\"type\": \"bundle\", \"objects\": []}".to_owned(), 0),
        ("{\"type\": \"bundle\", \"objects\": null}".to_owned(), 0),
        ("{\"more\": false, \"objects\": []}".to_owned(), 0),
        ("{\"objects\": []}".to_owned(), 0),
        ("{}".to_owned(), 0),
    ] {
        assert_eq!(format(&text), Some((Format::Stix, accepted)), "{text}");
    }
    for text in [
        "{\"type\": \"package\", \"objects\": []}",
        "{\"objects\": [{\"type\": \"x\", \"id\": \"7\"}]}",
        "{\"objects\": [{\"type\": \"x\", \"id\": \"y--7\"}]}",
        "[{\"type\": \"x\", \"id\": \"7\"}]",
        "{\"objects\": [7]}",
        "{\"objects\": [], \"other\": 1}",
        "{\"type\": \"bundle\", \"objects\": {}}",
        "{\"type\": \"bundle\", \"objects\": [",
        "[{\"type\": \"indicator\"}]",
    ] {
        assert_eq!(format(text), None, "{text}");
    }
}

#[test]
fn names_may_be_percent_encoded() {
    assert_eq!(unescaped("a.example"), "a.example");
    assert_eq!(unescaped("a%2eexample%2"), "a.example%2");
    assert_eq!(unescaped("b%C3%BCcher.example"), "b\u{fc}cher.example");
    assert_eq!(unescaped("%+1%zz%ff"), "%+1%zz\u{fffd}");
    let one = indicator(1, "[domain-name:value = 'b%C3%BCcher%2Eexample']", "");
    let knowledge = load(&bundle(&[&one]));
    assert!(knowledge.indicators.claims().any(|(_, claim)| claim.value == "xn--bcher-kva.example"));
}
