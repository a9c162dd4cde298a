//! Reads a pack's composite signatures. [`super::field`] says what each field reads.

use std::net::IpAddr;

use ipnet::IpNet;

use super::document::{Fault, Fields, unknown};
use super::exchange::Moment;
use super::field::{Field, FieldKind};
use super::label_shape::LabelShape;
use super::model::Rung;
use super::native::Pack;
use super::signature::{Condition, Place, Signature, Test};
use super::value;

/// The keys of a `[[signature]]`.
pub(super) const KEYS: &[&str] = &[
    "id",
    "title",
    "rung",
    "period_s",
    "all",
    "none",
    "source",
    "reference",
    "confidence",
    "severity",
    "valid_from",
    "valid_until",
    "tlp",
    "tags",
    "mitre",
    "note",
];

const CONDITION_KEYS: &[&str] = &[
    "field",
    "equals",
    "equals_ignore_case",
    "prefix",
    "suffix",
    "contains",
    "ignore_case",
    "lower_case_only",
    "absent",
    "within",
    "labels",
    "min",
    "max",
    "base64_json_keys",
    "base64_json",
];

/// Reads one `[[signature]]`.
pub(super) fn read(entry: &Fields<'_>, pack: &Pack<'_>) -> Result<Signature, Fault> {
    let rungs = Rung::ALL.map(Rung::as_str);
    let rung = entry.named("rung", rungs, Rung::from_name)?;
    let mut all = conditions(entry, "all")?;
    let none = conditions(entry, "none")?;
    let moment = moment(all.iter().chain(&none))
        .map_err(|reason| entry.wrong(if all.is_empty() { "none" } else { "all" }, reason))?;
    if all.is_empty() {
        return Err(entry.wrong("all", "must have at least one condition"));
    }
    // A stable sort: equally cheap conditions are judged in the pack's order.
    all.sort_by_key(Condition::cost);
    Ok(Signature {
        id: entry.required_text("id")?.into(),
        title: entry.required_text("title")?.into(),
        rung: rung.ok_or_else(|| entry.wrong("rung", format_args!("is missing: {}", rungs.join(", "))))?,
        validity: entry.validity()?,
        period_s: entry.number("period_s", 1, 7 * 86_400)?.map(|seconds| seconds as u32),
        line: entry.line(),
        provenance: pack.provenance(entry)?,
        moment,
        all,
        none,
    })
}

/// The moment at which conditions on these fields can be judged.
pub(super) fn moment<'c>(conditions: impl Iterator<Item = &'c Condition>) -> Result<Moment, &'static str> {
    let mut moments: Vec<Moment> = conditions.filter_map(|one| one.field.moment()).collect();
    moments.sort_unstable();
    moments.dedup();
    match moments[..] {
        [moment] => Ok(moment),
        [Moment::Request, Moment::Response] => Ok(Moment::Response),
        [Moment::ClientHello, Moment::Certificate] => Ok(Moment::Certificate),
        [] => Err("has conditions on the flow only: make it an indicator of kind address or address_port"),
        _ => Err("mixes fields of different exchanges: one of HTTP, TLS or DNS"),
    }
}

fn conditions(entry: &Fields<'_>, key: &str) -> Result<Vec<Condition>, Fault> {
    entry.tables(key, CONDITION_KEYS)?.into_iter().map(|condition| read_condition(&condition?)).collect()
}

fn read_condition(entry: &Fields<'_>) -> Result<Condition, Fault> {
    let name = entry.required_text("field")?;
    let field = Field::from_name(name).ok_or_else(|| {
        let names = Field::NAMES.iter().map(|&(name, _)| name);
        entry.wrong("field", unknown("field", name, names.chain(["http.header.", "response.header."])))
    })?;
    let test = match field.kind() {
        FieldKind::Number => number_test(entry)?,
        FieldKind::Address => address_test(entry)?,
        kind => text_test(entry, kind)?,
    };
    Ok(Condition { field, test })
}

/// The one of `tests` that the condition has.
fn only<'k>(entry: &Fields<'_>, tests: &[&'k str]) -> Result<&'k str, Fault> {
    let all = CONDITION_KEYS.iter().filter(|key| !matches!(**key, "field" | "ignore_case"));
    let mut asked = all.copied().filter(|key| entry.has(key));
    let here = format!("this field can be asked {}", tests.join(", "));
    match (asked.next(), asked.next()) {
        (Some(key), None) => match tests.iter().find(|&&test| test == key) {
            Some(test) => Ok(test),
            None => Err(entry.wrong(key, here)),
        },
        (None, _) => Err(entry.wrong("field", format_args!("has no test; {here}"))),
        (_, Some(key)) => Err(entry.wrong(key, "is a second test: write two conditions")),
    }
}

fn number_test(entry: &Fields<'_>) -> Result<Test, Fault> {
    if entry.has("min") || entry.has("max") {
        if let Some(other) =
            ["equals", "prefix", "suffix", "contains", "within", "labels"].iter().find(|key| entry.has(key))
        {
            return Err(entry.wrong(other, "is a second test: write two conditions"));
        }
        let low = entry.number("min", 0, u64::MAX)?.unwrap_or(0);
        let high = entry.number("max", 0, u64::MAX)?.unwrap_or(u64::MAX);
        return if low <= high {
            Ok(Test::Range(low, high))
        } else {
            Err(entry.wrong("max", "is below min"))
        };
    }
    only(entry, &["equals"])?;
    Ok(Test::Number(entry.numbers("equals")?.unwrap_or_default()))
}

fn address_test(entry: &Fields<'_>) -> Result<Test, Fault> {
    let key = only(entry, &["equals", "within"])?;
    let network = |(text, line): (&str, u32)| {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map_err(|_| Fault { line, reason: format!("{text:?} is neither an address nor a prefix") })
    };
    Ok(Test::Within(entry.texts(key)?.into_iter().map(network).collect::<Result<_, _>>()?))
}

fn text_test(entry: &Fields<'_>, kind: FieldKind) -> Result<Test, Fault> {
    let texts = ["equals", "equals_ignore_case", "prefix", "suffix", "contains", "lower_case_only", "absent"];
    let more: &[&str] = match kind {
        FieldKind::Name => &["within", "labels"],
        FieldKind::Body => &["base64_json_keys", "base64_json"],
        _ => &[],
    };
    // Keys and members of one JSON object belong together.
    let both = entry.has("base64_json_keys") && entry.has("base64_json");
    if both && kind == FieldKind::Body {
        return base64_json(entry);
    }
    let key = only(entry, &[&texts, more].concat())?;
    let place = match key {
        "equals" | "equals_ignore_case" => Place::Whole,
        "prefix" => Place::Start,
        "suffix" => Place::End,
        "contains" => Place::Anywhere,
        "within" => return Ok(Test::Below(names(entry)?)),
        "labels" => return Ok(Test::Labels(shapes(entry)?)),
        "lower_case_only" | "absent" => {
            if entry.boolean(key)? != Some(true) {
                return Err(entry.wrong(key, "can only be true; for the contrary put it under none"));
            }
            return Ok(if key == "absent" { Test::Absent } else { Test::LowerCaseOnly });
        }
        _ => return base64_json(entry),
    };
    let ignore_case = key == "equals_ignore_case"
        || kind == FieldKind::Name
        || entry.boolean("ignore_case")?.unwrap_or(false);
    let wanted: Vec<Box<[u8]>> =
        entry.texts(key)?.into_iter().map(|(text, _)| text.as_bytes().into()).collect();
    if wanted.is_empty() || wanted.iter().any(|text| text.is_empty()) {
        return Err(entry.wrong(key, "must not be empty"));
    }
    Ok(Test::Text(place, ignore_case, wanted))
}

fn names(entry: &Fields<'_>) -> Result<Vec<Box<str>>, Fault> {
    let name = |(text, line): (&str, u32)| {
        let name = value::name(text).map(Box::from);
        name.map_err(|refusal| Fault { line, reason: format!("{text:?}: {refusal}") })
    };
    entry.texts("within")?.into_iter().map(name).collect()
}

fn shapes(entry: &Fields<'_>) -> Result<Vec<LabelShape>, Fault> {
    let shape = |(text, line): (&str, u32)| {
        LabelShape::parse(text).map_err(|fault| Fault { line, reason: format!("labels: {fault}") })
    };
    let texts = entry.texts("labels")?;
    if texts.is_empty() {
        return Err(entry.wrong("labels", "must not be empty"));
    }
    texts.into_iter().map(shape).collect()
}

fn base64_json(entry: &Fields<'_>) -> Result<Test, Fault> {
    let keys = entry.texts("base64_json_keys")?.into_iter().map(|(key, _)| key.into()).collect();
    let members = entry.text_table("base64_json")?;
    let members = members.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
    Ok(Test::Base64Json(keys, members))
}
