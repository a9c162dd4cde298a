//! Every event that any test makes is checked against `docs/event.schema.json`.

use std::sync::LazyLock;

use callhome::{
    event::{self, IndicatorsState},
    indicator::{FeedFault, Refusal},
    limits::EVENT_BYTES,
};
use jsonschema::Validator;
use serde_json::Value;

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let text = include_str!("../../docs/event.schema.json");
    let schema = serde_json::from_str(text).expect("the schema is JSON");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("the schema is a schema")
});

/// Fails unless `line` is one whole event as the schema describes it, within the length of an event.
/// Gives the event.
#[track_caller]
pub fn assert_valid(line: &str) -> Value {
    assert!(!line.contains(['\n', '\r']), "an event is one line: {line:?}");
    assert!(line.len() <= EVENT_BYTES, "an event of {} bytes", line.len());
    let event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    let faults: Vec<_> =
        SCHEMA.iter_errors(&event).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(faults.is_empty(), "{}\n{event:#}", faults.join("\n"));
    event
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let stats =
        r#"{"timestamp":"1970-01-01T00:00:01.000000+0000","event_type":"stats","stats":{"a":{"b":1}}}"#;
    assert_valid(stats);
    for (from, to) in [
        ("+0000", "Z"),
        ("\"stats\",", "\"statistics\","),
        ("1}", "-1}"),
        ("1}", "\"1\"}"),
        ("\"stats\":{", "\"more\":1,\"stats\":{"),
    ] {
        let wrong = stats.replacen(from, to, 1);
        assert_ne!(wrong, stats);
        assert!(!SCHEMA.is_valid(&serde_json::from_str(&wrong).unwrap()), "{wrong}");
    }
}

#[test]
fn the_schema_knows_every_field_of_an_alert() {
    let finding = crate::sample::finding(callhome::detect::Application::None);
    let line = callhome::event::alert(&finding, &callhome::event::EventOptions::default());
    assert_valid(&line);
    let places = ["\"event_type\":", "\"gid\":", "\"detector\":", "\"name_source\":", "\"expired\":"];
    for place in places {
        let wrong = line.replacen(place, &format!("\"unheard_of\":1,{place}"), 1);
        assert_ne!(wrong, line, "{place} is in an alert");
        assert!(!SCHEMA.is_valid(&serde_json::from_str(&wrong).unwrap()), "{wrong}");
    }
    let hidden = line.replacen("Nobody", "No\u{202e}body", 1);
    assert!(!SCHEMA.is_valid(&serde_json::from_str(&hidden).unwrap()), "a mark that reorders text");
}

#[test]
fn the_schema_knows_what_a_reload_tells() {
    let time = callhome::time::Timestamp::from_parts(1, 0);
    let fault = FeedFault::Broken("no \u{1b}[2J text".to_owned());
    let refusal = Refusal { file: "a\u{202e}b\n".repeat(1_000), fault };
    let mut state = IndicatorsState { generation: 2, files: 1, entries: 3, refusal: None };
    let good = event::indicators(time, Some(7), &state);
    assert_eq!(assert_valid(&good)["pcap_cnt"], 7);
    state.refusal = Some(&refusal);
    let bad = event::indicators(time, None, &state);
    let health = &assert_valid(&bad)["health"];
    assert_eq!((&health["fault"], &health["reason"]), (&"broken".into(), &"no \\u{1b}[2J text".into()));
    assert!(health["file"].as_str().unwrap().starts_with("a\\u{202e}b\\u{a}a"));
    for (line, from, to) in [
        (&good, "\"ok\"", "\"degraded\""),
        (&bad, "\"degraded\"", "\"ok\""),
        (&bad, "\"broken\"", "\"odd\""),
        (&bad, "\"generation\":2", "\"generation\":0"),
        (&bad, "\"file\":", "\"name\":"),
    ] {
        let wrong = line.replacen(from, to, 1);
        assert_ne!(wrong, **line);
        assert!(!SCHEMA.is_valid(&serde_json::from_str(&wrong).unwrap()), "{wrong}");
    }
}
