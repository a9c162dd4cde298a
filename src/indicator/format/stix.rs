//! STIX 2.1: bundles, the envelopes in which TAXII 2.1 hands out objects, and bare lists of objects.
//!
//! Only `indicator` objects are entries. Of the others, an `identity` names who made an indicator, a
//! `marking-definition` says with whom it may be shared, and what it `indicates` (`relationship`) names the
//! campaign or the malware. Patterns are read as far as `stix_pattern` says; each of a pattern's
//! alternatives is an entry.
//!
//! `domain-name:value = 'a.example'` means that name alone, not what stands below it: the standard compares
//! whole texts with `=`. A name that begins with `*.` or a dot means all below it.
//!
//! An indicator holds from `valid_from` until `valid_until`, and without the latter for its kind's lifetime
//! after it was last edited (`modified`). One without `confidence` has that of a list that states none. Of
//! several versions of one object the last one counts (section 3.6), which may revoke it.

use std::borrow::Cow;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::instant::{Edge, parse_time};
use super::super::model::{Kind, Match, Provenance, Tlp};
use super::super::value::Value;
use super::json::{Layout, Lines, Word, Words, parse, without_mark};
use super::stix_observable::Observable;
use super::stix_pattern;
use super::{Dates, Feed, Head};
use crate::time::Timestamp;

/// Whether a file that begins so is written so.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    let of_stix =
        || objects(without_mark(head.text)).is_ok_and(|all| all.first().is_none_or(|first| is_stix(first)));
    match &head.json {
        Some(Layout::Object { keys, kind: Some(kind) }) => {
            kind == "bundle" && keys.iter().any(|key| key == "objects" || key == "id")
        }
        // An envelope of no objects may be empty itself (TAXII 2.1, section 3.7).
        Some(Layout::Object { keys, kind: None }) => {
            keys.iter().all(|key| ["more", "next", "objects"].contains(&key.as_str())) && of_stix()
        }
        Some(list) => list.lists(&["type", "id"]) && of_stix(),
        None => false,
    }
}

/// Whether it is an object of STIX, by its id, which begins with its type.
fn is_stix(object: &RawValue) -> bool {
    parse(object).is_ok_and(|one: Object<'_>| {
        let uuid = one.id.0.strip_prefix(&*one.kind.0).and_then(|rest| rest.strip_prefix("--"));
        uuid.is_some_and(|uuid| !uuid.is_empty())
    })
}

/// Reads a file.
pub(super) fn read(text: &str, feed: &mut Feed<'_>) {
    if !feed.wants_claims() {
        return;
    }
    let text = without_mark(text);
    let objects = match objects(text) {
        Ok(objects) => objects,
        Err(fault) => return feed.fail(format!("not a STIX bundle: {fault}")),
    };
    let mut lines = Lines::new(text);
    let mut around = Surroundings::new(feed.unstated());
    let mut indicators = Vec::new();
    for object in objects {
        let line = lines.of(object.get());
        match parse::<Object<'_>>(object) {
            Ok(one) if &*one.kind.0 == "indicator" => {
                around.version(&one, line);
                indicators.push((line, object));
            }
            Ok(one) if one.kind.0.is_empty() => {
                feed.reject(line, object.get(), "not a STIX object: it has no type");
            }
            Ok(one) => around.add(one),
            Err(fault) => feed.reject(line, object.get(), format!("not a STIX object: {fault}")),
        }
    }
    for (line, object) in indicators {
        match parse::<Indicator<'_>>(object) {
            Ok(indicator) => around.read(line, &indicator, feed),
            Err(fault) => feed.reject(line, object.get(), format!("not an indicator: {fault}")),
        }
    }
}

/// The objects of a bundle or an envelope, or of a bare list.
fn objects(text: &str) -> serde_json::Result<Vec<&RawValue>> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text);
    }
    let Bundle { objects } = serde_json::from_str(text)?;
    Ok(objects.unwrap_or_default())
}

#[derive(Deserialize)]
struct Bundle<'t> {
    #[serde(borrow)]
    objects: Option<Vec<&'t RawValue>>,
}

/// What is needed of an object before the indicators are read.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Object<'t> {
    #[serde(borrow, default, rename = "type")]
    kind: Word<'t>,
    #[serde(borrow, default)]
    id: Word<'t>,
    #[serde(borrow, default)]
    modified: Word<'t>,
    #[serde(borrow, default)]
    name: Word<'t>,
    #[serde(borrow, default)]
    relationship_type: Word<'t>,
    #[serde(borrow, default)]
    source_ref: Word<'t>,
    #[serde(borrow, default)]
    target_ref: Word<'t>,
    #[serde(borrow)]
    definition: Option<&'t RawValue>,
    #[serde(borrow)]
    external_references: Option<&'t RawValue>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Indicator<'t> {
    #[serde(borrow, default)]
    id: Word<'t>,
    #[serde(borrow, default)]
    created: Word<'t>,
    #[serde(borrow, default)]
    modified: Word<'t>,
    #[serde(borrow, default)]
    created_by_ref: Word<'t>,
    #[serde(borrow, default)]
    revoked: Word<'t>,
    #[serde(borrow, default)]
    pattern: Word<'t>,
    #[serde(borrow, default)]
    pattern_type: Word<'t>,
    #[serde(borrow, default)]
    valid_from: Word<'t>,
    #[serde(borrow, default)]
    valid_until: Word<'t>,
    #[serde(borrow, default)]
    confidence: Word<'t>,
    #[serde(borrow, default)]
    indicator_types: Words<'t>,
    #[serde(borrow, default)]
    labels: Words<'t>,
    #[serde(borrow, default)]
    object_marking_refs: Words<'t>,
    #[serde(borrow)]
    external_references: Option<&'t RawValue>,
}

#[derive(Deserialize)]
struct Reference<'t> {
    #[serde(borrow, default)]
    source_name: Word<'t>,
    #[serde(borrow, default)]
    external_id: Word<'t>,
    #[serde(borrow, default)]
    url: Word<'t>,
}

/// The markings that the standards define, by the ids that they give them: TLP 1 (STIX 2.1, section 7.2.1.4),
/// and TLP 2 (the OASIS extension `tlp-2.0`).
const MARKINGS: [(&str, Tlp); 9] = [
    ("marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", Tlp::Clear),
    ("marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da", Tlp::Green),
    ("marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", Tlp::Amber),
    ("marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed", Tlp::Red),
    ("marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487", Tlp::Clear),
    ("marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb", Tlp::Green),
    ("marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421", Tlp::Amber),
    ("marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003", Tlp::AmberStrict),
    ("marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1", Tlp::Red),
];

type ById<'t, T> = HashMap<Cow<'t, str>, T, FixedState>;

/// What the other objects of a bundle say of its indicators.
struct Surroundings<'t> {
    /// Of an indicator that says nothing of itself.
    unstated: Provenance,
    /// Names of identities, campaigns and malware; of attack patterns the technique's id.
    names: ById<'t, Arc<str>>,
    markings: ById<'t, Tlp>,
    /// From indicators to what they indicate: the campaign or else the malware, and an attack pattern.
    campaigns: ById<'t, Cow<'t, str>>,
    techniques: ById<'t, Cow<'t, str>>,
    /// The last version of each indicator and its line.
    versions: ById<'t, (Option<Timestamp>, u32)>,
}

impl<'t> Surroundings<'t> {
    fn new(unstated: Provenance) -> Self {
        let markings = MARKINGS.into_iter().map(|(id, tlp)| (Cow::Borrowed(id), tlp)).collect();
        Self {
            unstated,
            names: ById::default(),
            markings,
            campaigns: ById::default(),
            techniques: ById::default(),
            versions: ById::default(),
        }
    }

    /// Notes a version of an indicator, of which the last one counts; of two at once the one further down.
    fn version(&mut self, one: &Object<'t>, line: u32) {
        let modified = parse_time(&one.modified.0, Edge::Start);
        let last = self.versions.entry(one.id.0.clone()).or_insert((modified, line));
        if modified >= last.0 {
            *last = (modified, line);
        }
    }

    /// Notes an object that is no indicator.
    fn add(&mut self, one: Object<'t>) {
        match &*one.kind.0 {
            "identity" | "campaign" | "malware" => {
                if let Some(name) = one.name.stated() {
                    self.names.insert(one.id.0.clone(), name.into());
                }
            }
            "attack-pattern" => {
                if let Some(id) = references(one.external_references).iter().find_map(technique) {
                    self.names.insert(one.id.0, id.into());
                }
            }
            "marking-definition" => {
                #[derive(Default, Deserialize)]
                struct Definition<'t> {
                    #[serde(borrow, default)]
                    tlp: Word<'t>,
                }
                let definition: Definition<'_> =
                    one.definition.and_then(|one| parse(one).ok()).unwrap_or_default();
                // TLP 2 has an extension in place of the definition; its name says the same.
                let named = one.name.stated().filter(|name| name.to_ascii_lowercase().starts_with("tlp:"));
                let named = definition.tlp.stated().or(named);
                if let Some(tlp) = named.and_then(Tlp::from_name) {
                    self.markings.entry(one.id.0).or_insert(tlp);
                }
            }
            "relationship" if &*one.relationship_type.0 == "indicates" => {
                let (from, to) = (one.source_ref.0, one.target_ref.0);
                if to.starts_with("campaign--") {
                    self.campaigns.insert(from, to);
                } else if to.starts_with("malware--") {
                    self.campaigns.entry(from).or_insert(to);
                } else if to.starts_with("attack-pattern--") {
                    self.techniques.entry(from).or_insert(to);
                }
            }
            _ => {}
        }
    }

    /// Reads an indicator that begins in `line`.
    fn read(&self, line: u32, indicator: &Indicator<'_>, feed: &mut Feed<'_>) {
        let id = &*indicator.id.0;
        let pattern = indicator.pattern.0.trim();
        let what = |value: &str| format!("{id} {value}");
        let modified = parse_time(&indicator.modified.0, Edge::Start);
        feed.note_date(modified);
        if !id.is_empty() && self.versions.get(id).is_some_and(|&last| last != (modified, line)) {
            return feed.ignore(line, "an older version of an indicator that stands in the file again");
        }
        if indicator.revoked.is_true() {
            return feed.ignore(line, "revoked by who made it");
        }
        let mut types = indicator.indicator_types.stated().peekable();
        if types.peek().is_some() && types.all(|one| one == "benign") {
            return feed.ignore(line, "said to be benign");
        }
        if let Some(language) = indicator.pattern_type.stated().filter(|&language| language != "stix") {
            return feed.reject(line, &what(pattern), format!("patterns of type {language:?} are not read"));
        }
        let (dates, provenance) = match self.dates_and_provenance(indicator) {
            Ok(both) => both,
            Err(reason) => return feed.reject(line, &what(pattern), reason),
        };
        let alternatives = match stix_pattern::alternatives(pattern) {
            Ok(alternatives) => alternatives,
            Err(fault) => return feed.reject(line, &what(pattern), fault),
        };
        if alternatives.is_empty() {
            feed.reject(line, &what(pattern), "the pattern lists nothing");
        }
        for alternative in alternatives {
            match alternative {
                Ok(Observable { kind, value: text }) => {
                    let text = if kind == Kind::Domain { unescaped(&text) } else { text };
                    match Value::of_kind(kind, &text, Some(Match::Exact)) {
                        Ok(value) => feed.claim(line, id, Ok(value), &dates, &provenance),
                        Err(refusal) => feed.reject(line, &what(&text), refusal),
                    }
                }
                Err(skip) if skip.is_foreign => feed.ignore(line, skip.reason),
                Err(skip) => feed.reject(line, &what(pattern), skip.reason),
            }
        }
    }

    fn dates_and_provenance(&self, indicator: &Indicator<'_>) -> Result<(Dates, Provenance), String> {
        let time = |name: &str, word: &Word<'_>, edge| match word.stated() {
            Some(text) => {
                parse_time(text, edge).map(Some).ok_or_else(|| format!("{name} {text:?} is no date or time"))
            }
            None => Ok(None),
        };
        let created = || parse_time(&indicator.created.0, Edge::Start);
        let valid_from = time("valid_from", &indicator.valid_from, Edge::Start)?.or_else(created);
        let valid_until = time("valid_until", &indicator.valid_until, Edge::End)?;
        // Whoever edited it without giving it an end stood by it then.
        let last_seen = parse_time(&indicator.modified.0, Edge::Start).filter(|_| valid_until.is_none());
        let dates = Dates { first_seen: None, last_seen, valid_from, valid_until };

        let mut provenance = self.unstated.clone();
        if let Some(text) = indicator.confidence.stated() {
            let number = text.parse().ok().filter(|&number| number <= 100);
            provenance.confidence =
                number.ok_or_else(|| format!("confidence {text:?} is no number from 0 to 100"))?;
        }
        let id = &*indicator.id.0;
        if let Some(name) = self.names.get(&*indicator.created_by_ref.0) {
            provenance.sources = vec![Arc::clone(name)];
        }
        if let Some(target) = self.campaigns.get(id)
            && let Some(name) = self.names.get(target)
        {
            provenance.campaign = Arc::clone(name);
            // Indicators of one family of malware are not one attack; those of a campaign are.
            provenance.title = target.starts_with("campaign--").then(|| Arc::clone(name));
        }
        let references = references(indicator.external_references);
        if let Some(url) = references.iter().find_map(|reference| reference.url.stated()) {
            provenance.reference = url.into();
        }
        provenance.mitre = references.iter().filter_map(technique).map(Arc::from).collect();
        if let Some(technique) = self.techniques.get(id).and_then(|target| self.names.get(target))
            && !provenance.mitre.contains(technique)
        {
            provenance.mitre.push(Arc::clone(technique));
        }
        let markings = indicator.object_marking_refs.stated();
        provenance.tlp = markings.filter_map(|marking| self.markings.get(marking)).max().copied();
        let words = indicator.indicator_types.stated().chain(indicator.labels.stated());
        provenance.tags = words.map(Arc::from).collect();
        Ok((dates, provenance))
    }
}

fn references(list: Option<&RawValue>) -> Vec<Reference<'_>> {
    list.and_then(|list| parse(list).ok()).unwrap_or_default()
}

/// The ATT&CK technique that a reference names.
fn technique<'r>(reference: &'r Reference<'_>) -> Option<&'r str> {
    let id = reference.external_id.stated().filter(|id| id.starts_with('T'))?;
    reference.source_name.0.starts_with("mitre-").then_some(id)
}

/// A name without percent escapes, in which some write it as they found it in a URL.
fn unescaped(name: &str) -> Cow<'_, str> {
    if !name.contains('%') {
        return Cow::Borrowed(name);
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| byte == b'%').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            u8::from_str_radix(digits, 16).ok()
        });
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "stix_tests.rs"]
mod tests;
