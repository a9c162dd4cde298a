//! Events of MISP with their attributes and objects.
//!
//! An attribute without `first_seen` holds from the event's date, and every one until its kind's lifetime after
//! it was last seen or, failing that, last edited (`timestamp`).

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::instant::{Edge, parse_time};
use super::super::model::Provenance;
use super::json::{Layout, Lines, Word, parse, parse_text};
use super::misp_attribute::{self, Meaning};
use super::misp_taxonomy::Tagging;
use super::{Dates, Feed};
use crate::time::Timestamp;

/// Reads events. Attributes of an event and objects of it stand in two lists, of which either may come first.
pub(super) struct Reader<'t> {
    objects: Lines<'t>,
    attributes: Lines<'t>,
}

impl<'t> Reader<'t> {
    /// Of a file.
    pub(super) fn new(text: &'t str) -> Self {
        Self { objects: Lines::new(text), attributes: Lines::new(text) }
    }

    /// A list of events, or one.
    pub(super) fn events(&mut self, text: &str, feed: &mut Feed<'_>) {
        let Ok(events) = serde_json::from_str::<Vec<&RawValue>>(text) else { return self.event(text, feed) };
        events.into_iter().for_each(|event| self.event(event.get(), feed));
    }

    /// The event that `text`, a piece of the file, is.
    pub(super) fn event(&mut self, text: &str, feed: &mut Feed<'_>) {
        let event = parse_text(text).and_then(|Wrapper { event }| parse::<Event<'_>>(event));
        let event = match event {
            Ok(event) => event,
            Err(fault) => {
                let line = self.attributes.of(text);
                return feed.reject(line, text, format!("not an event: {fault}"));
            }
        };
        let mut context = Context::new(&event, feed);
        let (attributes, objects) = (event.attributes.unwrap_or_default(), event.objects.unwrap_or_default());
        if let Some(link) = attributes.iter().find_map(|attribute| link(attribute)) {
            context.provenance.reference = (*link).into();
        }
        for attribute in attributes {
            let line = self.attributes.of(attribute.get());
            read_attribute(line, attribute, &context, feed);
        }
        for object in objects {
            let line = self.objects.of(object.get());
            match parse::<Object<'_>>(object) {
                Ok(object) => {
                    let context = Context {
                        first_seen: time(&object.first_seen),
                        last_seen: time(&object.last_seen),
                        is_deleted: object.deleted.is_true(),
                        ..context.clone()
                    };
                    for attribute in object.attributes.unwrap_or_default() {
                        let line = self.objects.of(attribute.get());
                        read_attribute(line, attribute, &context, feed);
                    }
                }
                Err(fault) => feed.reject(line, object.get(), format!("not an object: {fault}")),
            }
        }
    }

    /// Attributes, each of which says of what event it is.
    pub(super) fn export(&mut self, attributes: Vec<&RawValue>, feed: &mut Feed<'_>) {
        #[derive(Deserialize)]
        struct Of<'t> {
            #[serde(borrow, rename = "Event")]
            event: Option<Event<'t>>,
        }
        for attribute in attributes {
            let line = self.attributes.of(attribute.get());
            let event = parse::<Of<'_>>(attribute).ok().and_then(|of| of.event).unwrap_or_default();
            let context = Context::new(&event, feed);
            read_attribute(line, attribute, &context, feed);
        }
    }
}

/// `{"Event": ...}`.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Wrapper<'t> {
    #[serde(borrow, rename = "Event")]
    event: &'t RawValue,
}

/// Whether `text` is an event of MISP; others have objects of that name too, such as Windows' log.
pub(super) fn is_event(text: &str) -> bool {
    let Ok(Wrapper { event }) = serde_json::from_str(text) else { return false };
    let layout = Layout::of(event.get());
    ["info", "Attribute", "uuid"].iter().any(|key| layout.has(&[key]))
}

/// Whether `text` is a list of such.
pub(super) fn lists_events(text: &str) -> bool {
    let events: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
    events.first().is_some_and(|event| is_event(event.get()))
}

#[derive(Default, Deserialize)]
#[serde(expecting = "an object")]
struct Event<'t> {
    #[serde(borrow, default)]
    info: Word<'t>,
    #[serde(borrow, default)]
    date: Word<'t>,
    #[serde(borrow, default)]
    timestamp: Word<'t>,
    #[serde(borrow, default)]
    threat_level_id: Word<'t>,
    #[serde(borrow, rename = "Orgc")]
    creator: Option<Creator<'t>>,
    #[serde(borrow, rename = "Tag")]
    tags: Option<Vec<Tag<'t>>>,
    #[serde(borrow, rename = "Attribute")]
    attributes: Option<Vec<&'t RawValue>>,
    #[serde(borrow, rename = "Object")]
    objects: Option<Vec<&'t RawValue>>,
}

#[derive(Deserialize)]
struct Creator<'t> {
    #[serde(borrow, default)]
    name: Word<'t>,
}

#[derive(Deserialize)]
struct Tag<'t> {
    #[serde(borrow, default)]
    name: Word<'t>,
}

/// Attributes that describe one thing together.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Object<'t> {
    #[serde(borrow, default)]
    deleted: Word<'t>,
    #[serde(borrow, default)]
    first_seen: Word<'t>,
    #[serde(borrow, default)]
    last_seen: Word<'t>,
    #[serde(borrow, rename = "Attribute")]
    attributes: Option<Vec<&'t RawValue>>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Attribute<'t> {
    #[serde(borrow, default, rename = "type")]
    kind: Word<'t>,
    #[serde(borrow, default)]
    value: Word<'t>,
    #[serde(borrow, default)]
    to_ids: Word<'t>,
    #[serde(borrow, default)]
    deleted: Word<'t>,
    #[serde(borrow, default)]
    comment: Word<'t>,
    #[serde(borrow, default)]
    timestamp: Word<'t>,
    #[serde(borrow, default)]
    first_seen: Word<'t>,
    #[serde(borrow, default)]
    last_seen: Word<'t>,
    #[serde(borrow, rename = "Tag")]
    tags: Option<Vec<Tag<'t>>>,
}

/// What an event, and an object in it, say of their attributes.
#[derive(Clone)]
struct Context {
    provenance: Provenance,
    tagging: Tagging,
    date: Option<Timestamp>,
    first_seen: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    is_deleted: bool,
}

impl Context {
    fn new(event: &Event<'_>, feed: &mut Feed<'_>) -> Self {
        let mut provenance = feed.unstated();
        if let Some(info) = event.info.stated() {
            provenance.campaign = info.into();
            provenance.title = Some(Arc::clone(&provenance.campaign));
        }
        if let Some(name) = event.creator.as_ref().and_then(|creator| creator.name.stated()) {
            provenance.sources = vec![name.into()];
        }
        let mut tagging = Tagging::of(names(&event.tags));
        tagging.threat_level(&event.threat_level_id.0);
        feed.note_date(epoch(&event.timestamp));
        let date = parse_time(&event.date.0, Edge::Start);
        Self { provenance, tagging, date, first_seen: None, last_seen: None, is_deleted: false }
    }
}

/// The address that the attribute is, when it is a link to a report.
fn link<'t>(attribute: &'t RawValue) -> Option<Cow<'t, str>> {
    #[derive(Deserialize)]
    struct Link<'t> {
        #[serde(borrow, default, rename = "type")]
        kind: Word<'t>,
        #[serde(borrow, default)]
        value: Word<'t>,
    }
    let link: Link<'_> = parse(attribute).ok().filter(|link: &Link<'_>| link.kind.0 == "link")?;
    link.value.stated().is_some().then_some(link.value.0)
}

fn read_attribute(line: u32, item: &RawValue, context: &Context, feed: &mut Feed<'_>) {
    let attribute: Attribute<'_> = match parse(item) {
        Ok(attribute) => attribute,
        Err(fault) => return feed.reject(line, item.get(), format!("not an attribute: {fault}")),
    };
    let (kind, text) = (&*attribute.kind.0, &*attribute.value.0);
    if attribute.deleted.is_true() || context.is_deleted {
        return feed.ignore(line, "deleted by who made it");
    }
    if !attribute.to_ids.is_true() {
        return feed.ignore(line, "not meant for detection: to_ids is not true");
    }
    if kind.is_empty() {
        return feed.reject(line, text, "has no type");
    }
    let meanings = match misp_attribute::meanings(kind, text) {
        Ok(meanings) => meanings,
        Err(reason) => return feed.ignore(line, reason),
    };
    let dates = match dates(&attribute, context) {
        Ok(dates) => dates,
        Err(reason) => return feed.reject(line, text, reason),
    };
    let mut provenance = context.provenance.clone();
    let tagging = Tagging::of(names(&attribute.tags)).over(&context.tagging);
    tagging.confidence.into_iter().for_each(|confidence| provenance.confidence = confidence);
    (provenance.tlp, provenance.tags, provenance.mitre) = (tagging.tlp, tagging.words, tagging.techniques);
    let comment = attribute.comment.stated().unwrap_or_default();
    for Meaning { value, share, note } in meanings {
        let confidence = u16::from(provenance.confidence) * u16::from(share) / 100;
        let notes = [comment, &note].into_iter().filter(|note| !note.is_empty());
        let note = notes.collect::<Vec<_>>().join("; ").into();
        let provenance = Provenance { confidence: confidence as u8, note, ..provenance.clone() };
        feed.claim(line, text, value, &dates, &provenance);
    }
}

fn dates(attribute: &Attribute<'_>, context: &Context) -> Result<Dates, String> {
    let stated = |name: &str, word: &Word<'_>| match word.stated() {
        Some(text) => match parse_time(text, Edge::Start).or_else(|| epoch(word)) {
            Some(time) => Ok(Some(time)),
            None => Err(format!("{name} {text:?} is no date or time")),
        },
        None => Ok(None),
    };
    let first_seen = stated("first_seen", &attribute.first_seen)?.or(context.first_seen);
    let last_seen = stated("last_seen", &attribute.last_seen)?.or(context.last_seen);
    let listed = epoch(&attribute.timestamp);
    let valid_from = if first_seen.is_some() { None } else { context.date.or(listed) };
    Ok(Dates { first_seen, last_seen: last_seen.or(listed), valid_from, valid_until: None })
}

/// A date, a time, or seconds since 1970.
pub(super) fn time(word: &Word<'_>) -> Option<Timestamp> {
    word.stated().and_then(|text| parse_time(text, Edge::Start)).or_else(|| epoch(word))
}

/// Seconds since 1970, as MISP writes when something was edited; 0 stands for never.
pub(super) fn epoch(word: &Word<'_>) -> Option<Timestamp> {
    let seconds: i64 = word.stated()?.parse().ok().filter(|&seconds| seconds > 0)?;
    Some(Timestamp::from_parts(seconds, 0))
}

fn names<'e>(tags: &'e Option<Vec<Tag<'_>>>) -> impl Iterator<Item = &'e str> {
    tags.iter().flatten().filter_map(|tag| tag.name.stated())
}
