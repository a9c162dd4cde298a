//! Warning lists of MISP: what is likely a mistake when a feed lists it.
//!
//! A claim about something on such a list is not refused: its hits are of severity low at most, and say why
//! ([`super::super::WellKnown`]). The list's `type` says what its entries are:
//!
//! | type | an entry is |
//! |---|---|
//! | `hostname` | a name with everything below it, with a dot before it or without |
//! | `string` | a value as a whole: a name, an address, a URL, a user agent |
//! | `cidr` | an address or a prefix with everything in it |
//! | `substring` | what a value holds anywhere, in whatever case |
//!
//! `regex` and what MISP may yet think of are refused. `matching_attributes` says what kinds of claims a list is
//! about; a list that names none of ours is ignored.
//!
//! Three lists of the collection name what can be rented by anybody: dynamic DNS, living off trusted sites,
//! IPFS gateways. They warn of the service's own name and not of the names below it, each of which belongs to
//! whoever rented it; so do lists whose `category` is "known identifier".

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::model::{Kind, Match};
use super::super::value::{self, Value};
use super::super::well_known::{Kinds, Place};
use super::json::{Layout, Lines, Word, Words, parse, without_mark};
use super::{Feed, Head};

/// Whether a file that begins so is written so.
pub(super) fn recognises(head: &Head<'_>) -> bool {
    let Some(layout @ Layout::Object { kind: Some(_), .. }) = &head.json else { return false };
    layout.has(&["name", "list"]) && (layout.has(&["version"]) || layout.has(&["matching_attributes"]))
}

#[derive(Deserialize)]
struct List<'t> {
    #[serde(borrow, default)]
    name: Word<'t>,
    #[serde(borrow, default)]
    category: Word<'t>,
    #[serde(borrow, default, rename = "type")]
    kind: Word<'t>,
    #[serde(borrow, default)]
    matching_attributes: Words<'t>,
    #[serde(borrow)]
    list: Vec<&'t RawValue>,
}

/// What names the lists of what can be rented, in lower case.
const RENTED: [&str; 3] = ["dynamic dns", "living off trusted sites", "ipfs gateways"];

/// Reads a file.
pub(super) fn read(text: &str, feed: &mut Feed<'_>) {
    let text = without_mark(text);
    let list: List<'_> = match serde_json::from_str(text) {
        Ok(list) => list,
        Err(fault) => return feed.fail(format!("not a warning list: {fault}")),
    };
    let name = list.name.0.to_ascii_lowercase();
    let is_rented = RENTED.iter().any(|one| name.contains(one)) || list.category.0.contains("nown");
    let kinds = kinds(&list.matching_attributes);
    let what: Arc<str> = list.name.stated().unwrap_or("a warning list").into();
    let file = Arc::clone(&feed.report.file);
    let mut lines = Lines::new(text);
    for entry in list.list {
        let line = lines.of(entry.get());
        let Ok(Word(value)) = parse::<Word<'_>>(entry) else { continue };
        let place = match kinds {
            Kinds::NONE => {
                feed.ignore(line, "of a list about attributes that are nothing for a sensor");
                continue;
            }
            _ if value.trim().is_empty() => Err("no text".to_owned()),
            _ => place(&list.kind.0, value.trim(), is_rented),
        };
        match place {
            Ok(place) if feed.wants_rest() => {
                feed.loader.well_known.warn((&value, line, place), kinds, &what, &file);
                feed.report.accepted += 1;
            }
            Ok(_) => {}
            Err(reason) => feed.reject_rest(line, entry.get(), reason),
        }
    }
}

/// What an entry of a list of that type is.
fn place(list: &str, text: &str, is_rented: bool) -> Result<Place, String> {
    match list {
        "hostname" => {
            let name = text.trim_start_matches("*.").trim_start_matches('.');
            let name = value::name(name).map_err(|refusal| refusal.to_string())?;
            Ok(Place::Name(name.into(), !is_rented))
        }
        "cidr" => {
            let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            match network.map_err(|_| "not an address or a prefix".to_owned())? {
                all if all.prefix_len() == 0 => Err("would warn of every address".to_owned()),
                network => Ok(Place::Network(network.trunc())),
            }
        }
        "string" => Ok(whole(text)),
        "substring" => Ok(Place::Part(text.to_ascii_lowercase().into())),
        other => Err(format!("lists of type {other:?} are not supported")),
    }
}

/// The place of a value that is meant as a whole, in the form in which claims have it.
fn whole(text: &str) -> Place {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Place::Network(address.into());
    }
    if text.contains("://")
        && let Ok(Value::Text(_, form, _)) = Value::of_kind(Kind::Url, text, Some(Match::Exact))
    {
        return Place::Whole(form.into());
    }
    match value::name(text) {
        Ok(name) if name.contains('.') => Place::Name(name.into(), false),
        _ => Place::Whole(text.into()),
    }
}

/// The kinds of claims that a list is about; of one that does not say all of them.
fn kinds(attributes: &Words<'_>) -> Kinds {
    if attributes.stated().next().is_none() || attributes.stated().any(|one| one.eq_ignore_ascii_case("all"))
    {
        return Kinds::ALL;
    }
    attributes.stated().fold(Kinds::NONE, |kinds, attribute| {
        let further: &[Kind] = match attribute {
            "domain" | "hostname" | "hostname|port" => &[Kind::Domain],
            "domain|ip" => &[Kind::Domain, Kind::Address, Kind::Network],
            "ip-src" | "ip-dst" | "ip" => &[Kind::Address, Kind::Network, Kind::AddressPort],
            "ip-src|port" | "ip-dst|port" => &[Kind::AddressPort],
            "url" => &[Kind::Url],
            "uri" => &[Kind::Url, Kind::Path],
            "user-agent" => &[Kind::UserAgent],
            "ja3-fingerprint-md5" => &[Kind::Ja3],
            "x509-fingerprint-sha1" | "x509-fingerprint-sha256" => &[Kind::CertificateHash],
            _ => &[],
        };
        kinds.with(further)
    })
}
