//! Every event that any test makes is checked against `docs/event.schema.json`.

use std::sync::LazyLock;

use callhome::limits::EVENT_BYTES;
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
