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
    const TYPES: [&str; 5] = ["hostname", "string", "cidr", "substring", "regex"];
    let Some(layout @ Layout::Object { kind: Some(kind), .. }) = &head.json else { return false };
    let is_known = TYPES.contains(&kind.as_str()) && layout.has(&["version"]);
    layout.has(&["name", "list"]) && (is_known || layout.has(&["matching_attributes"]))
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::{Format, Knowledge, Loader};

    /// A warning list of that type, its entries on lines of their own from line 3 on.
    fn list(kind: &str, name: &str, attributes: &[&str], entries: &[&str]) -> String {
        format!(
            "{{\"name\": \"{name}\", \"version\": 7, \"description\": \"x\", \"type\": \"{kind}\",\n\
             \"matching_attributes\": {attributes:?}, \"list\": [\n{}]}}",
            entries.iter().map(|entry| format!("{entry:?}")).collect::<Vec<_>>().join(",\n")
        )
    }

    fn load(list: &str, claims: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.bytes("claims.csv", claims.as_bytes());
        loader.bytes("list.json", list.as_bytes());
        loader.finish()
    }

    /// Which of `claims` (CSV rows of value and kind) are weakened.
    fn weakened(list: &str, claims: &str) -> Vec<String> {
        let knowledge = load(list, &format!("value,type\n{claims}"));
        let report = &knowledge.report;
        assert_eq!((report.rejected(), report.failures().count()), (0, 0), "{report}");
        let weak =
            knowledge.indicators.claims().filter(|(_, claim)| knowledge.well_known.weakens(claim).is_some());
        weak.map(|(_, claim)| claim.value.to_owned()).collect()
    }

    const CLAIMS: &str = "host.example,domain\na.host.example,domain\nnothost.example,domain\n198.51.100.7,ip\n\
        198.51.100.7:80,ip:port\n198.51.100.0/25,cidr\n203.0.113.7,ip\nhttp://host.example/,url\n\
        http://host.example/a,url\nMozilla/5.0,user-agent\n";

    #[test]
    fn each_type_means_what_misp_means() {
        let weakened = |kind, entries: &[&str]| weakened(&list(kind, "List of x", &[], entries), CLAIMS);
        for entry in [".host.example", "Host.Example", "*.host.example."] {
            let weak = weakened("hostname", &[entry]);
            assert_eq!(weak, ["host.example", "a.host.example", "http://host.example/"], "{entry}");
        }
        assert_eq!(
            weakened("cidr", &["198.51.100.0/24", "2001:db8::/32"]),
            ["198.51.100.7", "198.51.100.7:80", "198.51.100.0/25"]
        );
        assert_eq!(weakened("cidr", &["198.51.100.7"]), ["198.51.100.7", "198.51.100.7:80"]);
        assert_eq!(
            weakened("string", &["host.example", "198.51.100.7", "Mozilla/5.0", "HTTP://Host.example/a"]),
            [
                "host.example",
                "198.51.100.7",
                "198.51.100.7:80",
                "http://host.example/",
                "http://host.example/a",
                "Mozilla/5.0",
            ]
        );
        assert_eq!(weakened("substring", &["THOST", "illa/"]), ["nothost.example", "Mozilla/5.0"]);
    }

    #[test]
    fn only_attributes_that_are_named_are_warned_of() {
        let weakened = |attributes: &[&str]| {
            weakened(&list("string", "List of x", attributes, &["host.example", "198.51.100.7"]), CLAIMS)
        };
        assert_eq!(weakened(&["domain", "md5"]), ["host.example"]);
        assert_eq!(weakened(&["ip-dst"]), ["198.51.100.7", "198.51.100.7:80"]);
        assert_eq!(weakened(&["ip-dst|port", "url"]), ["198.51.100.7:80", "http://host.example/"]);
        assert_eq!(weakened(&["ALL"]).len(), 4);
        let hashes = load(&list("string", "List of x", &["md5", "filename|md5"], &["aa", "bb"]), "");
        let report = &hashes.report.sources[1];
        assert_eq!(
            (report.accepted, report.ignored_count(), report.rejected_count),
            (0, 2, 0),
            "{}",
            hashes.report
        );
    }

    #[test]
    fn what_can_be_rented_is_warned_of_itself_and_not_below() {
        for name in
            ["List of known dynamic DNS domains", "List of LOTS (Living Off Trusted Sites) Project Domains"]
        {
            let list = list("hostname", name, &["domain", "hostname"], &[".host.example"]);
            assert_eq!(weakened(&list, CLAIMS), ["host.example"], "{name}");
        }
        let known = list("hostname", "List of x", &[], &[".host.example"])
            .replace("\"version\"", "\"category\": \"Known identifier\", \"version\"");
        assert_eq!(weakened(&known, "a.host.example,domain\n"), [""; 0]);
    }

    #[test]
    fn tells_what_it_is_and_what_is_wrong_with_its_line() {
        let knowledge =
            load(&list("cidr", "List of x", &["ip-dst"], &["198.51.100.0/24", "0.0.0.0/0", "x", ""]), "");
        let report = &knowledge.report.sources[1];
        let rejected: Vec<_> = report.rejected.iter().map(|one| (one.line, one.text.as_str())).collect();
        assert_eq!((report.format, report.accepted), (Format::MispWarninglist, 1), "{}", knowledge.report);
        assert_eq!(rejected, [(4, "\"0.0.0.0/0\""), (5, "\"x\""), (6, "\"\"")]);
        let entry = &knowledge.well_known.entries()[0];
        assert_eq!((&*entry.value, &*entry.what, entry.line), ("198.51.100.0/24", "List of x", 3));
        for kind in ["regex", "url"] {
            let knowledge = load(&list(kind, "List of x", &[], &["/a/", "/b/"]), "");
            let report = &knowledge.report.sources[1];
            assert_eq!((report.accepted, report.rejected_count), (0, 2));
            assert_eq!(report.rejected[0].reason, format!("lists of type {kind:?} are not supported"));
        }
        let empty = load(&list("hostname", "List of x", &[], &[]), "");
        assert_eq!(
            (empty.report.sources[1].format, empty.report.failures().count()),
            (Format::MispWarninglist, 0)
        );
        for text in [
            "{\"name\": \"x\", \"list\": [\"a\"]}",
            "{\"name\": \"x\", \"type\": \"module\", \"version\": 1, \"list\": [\"a\"]}",
            "{\"type\": \"hostname\", \"version\": 1, \"list\": [\"a\"]}",
            "{\"name\": \"x\", \"type\": \"string\", \"version\": 1}",
        ] {
            assert_ne!(load(text, "").report.sources[1].format, Format::MispWarninglist, "{text}");
        }
    }

    #[test]
    fn is_kept_as_text_in_a_compiled_file() {
        let mut loader = Loader::for_compiling();
        loader.bytes("claims.txt", b"host.example\nb.example\n");
        loader.bytes("list.json", list("hostname", "List of x", &[], &["host.example", "?"]).as_bytes());
        let mut file = Vec::new();
        loader.compile().write(&mut file).unwrap();
        let mut loader = Loader::default();
        loader.bytes("all.compiled", &file);
        let knowledge = loader.finish();
        let report = &knowledge.report.sources[1];
        assert_eq!((report.accepted, report.rejected_count), (1, 1), "{}", knowledge.report);
        let weak =
            knowledge.indicators.claims().filter(|(_, claim)| knowledge.well_known.weakens(claim).is_some());
        assert_eq!(weak.count(), 1);
    }
}
