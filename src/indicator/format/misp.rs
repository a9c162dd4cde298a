//! MISP: events as feeds and the API give them, exports of attributes, and what else lies in a feed's folder.
//!
//! | layout | is |
//! |---|---|
//! | `{"Event": {...}}`, `{"response": [{"Event": {...}}, ...]}`, a list of the former | events |
//! | `{"response": {"Attribute": [...]}}` | attributes, each with its event's title beside it |
//! | `{"UUID": {"info", "date", "timestamp", ...}, ...}` | a feed's manifest: only its dates are of use |
//! | `MD5,UUID` on every line | a feed's hashes of values, which stand in the events: ignored |
//!
//! Only attributes with `to_ids` that are not deleted are claims (MISP core format, section 2.2): the others
//! are context. What an attribute's type means is said in `misp_attribute`, and what tags say of confidence and
//! sharing in `misp_taxonomy`. The event is the campaign, its `info` the title, its first `link` the reference,
//! its creator (`Orgc`) the source.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{Layout, Members, Word, is_empty_list, parse, without_mark};
use super::misp_event::{Reader, epoch, is_event, lists_events, time};
use super::{Feed, Head};

/// Whether a file that begins so is written so.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    match &head.json {
        None => {
            let mut lines = head.text.lines().filter(|line| !line.trim().is_empty()).peekable();
            lines.peek().is_some() && lines.all(is_hash_of_value)
        }
        Some(Layout::Object { keys, .. }) => {
            let has = |wanted: &str| keys.iter().any(|key| key == wanted);
            has("Event") && is_event(without_mark(head.text))
                || has("response") && Response::of(head.text).is_some()
                || !keys.is_empty() && keys.iter().all(|key| is_uuid(key)) && is_manifest(head.text)
        }
        Some(layout) => layout.lists(&["Event"]) && lists_events(without_mark(head.text)),
    }
}

/// Reads a file.
pub(super) fn read(text: &str, feed: &mut Feed<'_>) {
    if !feed.wants_claims() {
        return;
    }
    let text = without_mark(text);
    let mut reader = Reader::new(text);
    match Layout::of(text) {
        Layout::Broken(_) if !Head::may_be_json(text) => read_hashes(text, feed),
        Layout::Broken(fault) => feed.fail(format!("not JSON: {fault}")),
        Layout::List { .. } => reader.events(text, feed),
        layout if layout.has(&["Event"]) => reader.event(text, feed),
        layout if layout.has(&["response"]) => match Response::of(text) {
            Some(Response::Events(events)) => reader.events(events, feed),
            Some(Response::Attributes(attributes)) => reader.export(attributes, feed),
            None => feed.fail("its response holds neither events nor attributes"),
        },
        // The manifest of no events is an empty object.
        Layout::Object { keys, .. } if keys.is_empty() || is_manifest(text) => read_manifest(text, feed),
        _ => feed.fail("neither an event nor attributes of MISP"),
    }
}

/// What stands under `response`, taken apart no further.
enum Response<'t> {
    /// A list of events, or one.
    Events(&'t str),
    Attributes(Vec<&'t RawValue>),
}

impl<'t> Response<'t> {
    fn of(text: &'t str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Whole<'t> {
            #[serde(borrow)]
            response: &'t RawValue,
        }
        #[derive(Deserialize)]
        struct Export<'t> {
            #[serde(borrow, rename = "Attribute")]
            attributes: Vec<&'t RawValue>,
        }
        let Whole { response } = serde_json::from_str(without_mark(text)).ok()?;
        let layout = Layout::of(response.get());
        let is_event = layout.has(&["Event"]) && is_event(response.get());
        if is_event || lists_events(response.get()) || is_empty_list(response.get()) {
            return Some(Self::Events(response.get()));
        }
        let export: Export<'_> = parse(response).ok()?;
        Some(Self::Attributes(export.attributes))
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn is_hash_of_value(line: &str) -> bool {
    let Some((hash, event)) = line.trim().split_once(',') else { return false };
    hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) && is_uuid(event.trim())
}

fn read_hashes(text: &str, feed: &mut Feed<'_>) {
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
        match is_hash_of_value(line) {
            true => feed.ignore(number, "the hash of a value that stands in its event's file"),
            false => feed.reject(number, line, "neither JSON nor the hash of a value and its event"),
        }
    }
}

/// What a manifest says of an event.
#[derive(Deserialize)]
struct Listed<'t> {
    #[serde(borrow)]
    info: Word<'t>,
    #[serde(borrow, default)]
    date: Word<'t>,
    #[serde(borrow, default)]
    timestamp: Word<'t>,
}

fn is_manifest(text: &str) -> bool {
    let members: Result<Members<'_>, _> = serde_json::from_str(without_mark(text));
    let first = members.ok().and_then(|members| members.0.first().map(|&(_, event)| event));
    let listed = first.and_then(|event| parse::<Listed<'_>>(event).ok());
    listed.is_some_and(|listed| listed.info.stated().or(listed.date.stated()).is_some())
}

fn read_manifest(text: &str, feed: &mut Feed<'_>) {
    let Ok(Members(events)) = serde_json::from_str::<Members<'_>>(text) else { return };
    for (_, event) in events {
        if let Ok(listed) = parse::<Listed<'_>>(event) {
            feed.note_date(epoch(&listed.timestamp).or_else(|| time(&listed.date)));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "misp_tests.rs"]
mod tests;
