//! The allow list: the one place where it is decided that a finding is not worth an alert.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::document::{Fault, Fields, unknown};
use super::instant::Edge;
use super::name_map::{NameMap, dotted};
use super::registry::Registries;
use super::value::{self, Refusal};
use crate::limits::DNS_NAME_BYTES;
use crate::protocol::dns::Name;
use crate::time::Timestamp;

/// The detectors of claims and signatures, which the allow list knows by one name.
pub const INDICATOR: &str = "indicator";

/// The detectors that an entry's scope may name.
pub const DETECTORS: [&str; 6] = [INDICATOR, "beacon", "dns_tunnel", "dga", "resolver", "first_contact"];

/// What a detector asks about.
#[derive(Clone, Copy, Debug)]
pub struct AllowSubject<'a> {
    /// The destination's name, when one is known.
    pub name: Option<Name<'a>>,
    /// The destination's address.
    pub address: Option<IpAddr>,
    /// The destination's port.
    pub port: Option<u16>,
    /// IP protocol number, 6 for TCP and 17 for UDP.
    pub protocol: Option<u8>,
    /// Which detector asks, one of [`DETECTORS`].
    pub detector: &'a str,
    /// The asset's group.
    pub group: Option<&'a str>,
    /// The packet's time, by which an entry's expiry is judged.
    pub time: Timestamp,
}

/// One entry: what is allowed, to whom, for which detectors, until when, and why.
#[derive(Clone, Debug)]
pub struct AllowEntry {
    /// The value as the pack writes it, `*.example.com`; empty for an entry on ports alone.
    pub value: Arc<str>,
    /// Only at this port.
    pub port: Option<u16>,
    /// Only over this IP protocol.
    pub protocol: Option<u8>,
    /// Which detectors it speaks to; empty for all.
    pub scope: Vec<Arc<str>>,
    /// Only for assets of this group.
    pub group: Option<Arc<str>>,
    /// Why it is allowed.
    pub reason: Arc<str>,
    /// What the entry lets through besides, where an attacker could rent a place in it; else empty.
    pub risk: Arc<str>,
    /// The last instant at which it holds.
    pub expires: Option<Timestamp>,
    /// The file as it was named to the loader.
    pub file: Arc<str>,
    /// Line of its file, from 1.
    pub line: u32,
    destination: Destination,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Destination {
    /// A name, and whether what stands below it is meant too.
    Name(Box<str>, bool),
    /// A name with a `*` in its labels, which stands for what is left of its label.
    Pattern(Box<str>),
    Network(IpNet),
    Registries,
    Anywhere,
}

impl AllowEntry {
    pub(super) const KEYS: &'static [&'static str] = &[
        "value",
        "values",
        "match",
        "set",
        "port",
        "ports",
        "protocol",
        "scope",
        "asset_group",
        "reason",
        "risk",
        "expires",
    ];

    /// Reads one `[[allow]]`, which makes an entry for each of its values and ports.
    pub(super) fn read(fields: &Fields<'_>, file: &Arc<str>) -> Result<Vec<Self>, Fault> {
        let reason: Arc<str> = fields.required_text("reason")?.into();
        let risk: Arc<str> = fields.text("risk")?.unwrap_or_default().into();
        let exact = fields.named("match", ["exact", "subtree"], |name| match name {
            "exact" => Some(true),
            "subtree" => Some(false),
            _ => None,
        })?;
        let protocol = fields.named("protocol", ["tcp", "udp", "icmp"], protocol_number)?;
        let mut destinations = Vec::new();
        for (text, line) in fields.texts("value")?.into_iter().chain(fields.texts("values")?) {
            let read = Destination::read(text, exact.unwrap_or(false), !risk.is_empty());
            let destination =
                read.map_err(|refusal| Fault { line, reason: format!("{text:?}: {refusal}") })?;
            destinations.push((Arc::from(text), line, destination));
        }
        const REGISTRIES: &str = "package-registries";
        let set = |name: &str| (name == REGISTRIES).then_some(Destination::Registries);
        if let Some(set) = fields.named("set", [REGISTRIES], set)? {
            destinations.push((REGISTRIES.into(), fields.line_of("set"), set));
        }
        let mut ports = Vec::new();
        for number in fields.numbers("port")?.into_iter().chain(fields.numbers("ports")?).flatten() {
            let port = u16::try_from(number).map_err(|_| fields.wrong("port", "must be at most 65535"))?;
            ports.push(Some(port));
        }
        if destinations.is_empty() {
            if ports.is_empty() {
                return Err(fields.wrong("value", "is missing, and there is no port either"));
            }
            destinations.push(("".into(), fields.line(), Destination::Anywhere));
        }
        if ports.is_empty() {
            ports.push(None);
        }
        let scope = read_scope(fields)?;
        let group: Option<Arc<str>> = fields.text("asset_group")?.map(Arc::from);
        let expires = fields.time("expires", Edge::End)?;
        let entry = |(value, line, destination): (Arc<str>, u32, Destination), port| Self {
            value,
            port,
            protocol,
            scope: scope.clone(),
            group: group.clone(),
            reason: reason.clone(),
            risk: risk.clone(),
            expires,
            file: file.clone(),
            line,
            destination,
        };
        let ports = &ports;
        Ok(destinations
            .into_iter()
            .flat_map(|one| ports.iter().map(move |&port| (one.clone(), port)))
            .map(|(one, port)| entry(one, port))
            .collect())
    }

    /// Whether its scope has that detector.
    pub fn speaks_to(&self, detector: &str) -> bool {
        self.scope.is_empty() || self.scope.iter().any(|one| **one == *detector)
    }

    /// The name that it is about, in normal form; `None` when it is about something else.
    pub fn name(&self) -> Option<&str> {
        match &self.destination {
            Destination::Name(name, _) => Some(name),
            _ => None,
        }
    }

    fn holds(&self, subject: &AllowSubject<'_>) -> bool {
        self.port.is_none_or(|port| subject.port == Some(port))
            && self.protocol.is_none_or(|protocol| subject.protocol == Some(protocol))
            && self.group.as_deref().is_none_or(|group| subject.group == Some(group))
            && self.expires.is_none_or(|expires| subject.time <= expires)
            && self.speaks_to(subject.detector)
    }
}

fn protocol_number(name: &str) -> Option<u8> {
    Some(match name {
        "icmp" => 1,
        "tcp" => 6,
        "udp" => 17,
        _ => return None,
    })
}

fn read_scope(fields: &Fields<'_>) -> Result<Vec<Arc<str>>, Fault> {
    let scope = fields.texts("scope")?;
    if scope.is_empty() {
        return Err(fields.wrong("scope", "is missing: \"all\", or the detectors that shall be silent"));
    }
    if let [("all", _)] = scope[..] {
        return Ok(Vec::new());
    }
    let known = |(name, line): (&str, u32)| match DETECTORS.contains(&name) {
        true => Ok(Arc::from(name)),
        false => Err(Fault { line, reason: unknown("detector", name, DETECTORS) }),
    };
    scope.into_iter().map(known).collect()
}

impl Destination {
    fn read(text: &str, exact: bool, risk_stated: bool) -> Result<Self, Refusal> {
        let text = text.trim();
        if let Ok(network) = text.parse::<IpNet>() {
            return match network.prefix_len() {
                0 => Err(Refusal::TooWide),
                _ => Ok(Self::Network(network.trunc())),
            };
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.to_canonical().into()));
        }
        let below = text.strip_prefix("*.").or_else(|| text.strip_prefix('.'));
        let name = below.unwrap_or(text);
        if name.contains('*') {
            // What stands in the star's place is a label's rest, which any letter is good enough for.
            value::name(&name.replace('*', "x"))?;
            return Ok(Self::Pattern(name.to_ascii_lowercase().into()));
        }
        let name = value::name(name)?;
        let exact = exact && below.is_none();
        let public = value::is_public_suffix(&name);
        // Whose names stand below a public suffix, nobody knows; who allows it all the same says so.
        match (name.contains('.'), public && !exact && !risk_stated) {
            (false, _) => Err(Refusal::TopLevel),
            (_, true) => Err(Refusal::PublicSuffix),
            _ => Ok(Self::Name(name.into(), !exact)),
        }
    }
}

/// Every allow entry of every pack.
#[derive(Clone, Debug, Default)]
pub struct Allow {
    entries: Vec<AllowEntry>,
    registries: Registries,
    /// The entries on names, by name; the others are gone through.
    names: NameMap<Vec<u32>>,
    others: Vec<u32>,
}

impl Allow {
    /// Arranges `entries`; those on registries mean `registries`.
    pub(super) fn new(entries: Vec<AllowEntry>, registries: Registries) -> Self {
        let mut allow = Self { entries, registries, ..Self::default() };
        for (number, entry) in allow.entries.iter().enumerate() {
            match &entry.destination {
                Destination::Name(name, _) => allow.names.entry(name).push(number as u32),
                _ => allow.others.push(number as u32),
            }
        }
        allow
    }

    /// Every entry, in the order of loading.
    pub fn entries(&self) -> &[AllowEntry] {
        &self.entries
    }

    /// The first entry, in the order of loading, that lets `subject` pass; `None` when nothing does.
    ///
    /// An entry holds when everything that it states fits: destination, port, protocol, asset group,
    /// detector, and its expiry at the packet's time.
    pub fn decision(&self, subject: &AllowSubject<'_>) -> Option<&AllowEntry> {
        let mut first: Option<u32> = None;
        let mut consider = |number: u32, fits: &dyn Fn(&Destination) -> bool| {
            if first.is_none_or(|first| number < first)
                && self.entry(number).is_some_and(|entry| fits(&entry.destination) && entry.holds(subject))
            {
                first = Some(number);
            }
        };
        if let Some(name) = subject.name {
            self.names.find(name, |numbers, whole| {
                for &number in numbers {
                    consider(number, &|place| whole || matches!(place, Destination::Name(_, true)));
                }
            });
        }
        for &number in &self.others {
            consider(number, &|place| self.is_at(place, subject));
        }
        first.and_then(|number| self.entry(number))
    }

    fn entry(&self, number: u32) -> Option<&AllowEntry> {
        self.entries.get(number as usize)
    }

    fn is_at(&self, place: &Destination, subject: &AllowSubject<'_>) -> bool {
        match place {
            Destination::Network(network) => {
                subject.address.is_some_and(|address| network.contains(&address.to_canonical()))
            }
            Destination::Pattern(pattern) => subject.name.is_some_and(|name| fits_pattern(name, pattern)),
            Destination::Registries => {
                subject.name.is_some_and(|name| self.registries.is_package_registry(name))
            }
            Destination::Anywhere => true,
            Destination::Name(..) => false,
        }
    }
}

/// Whether `name` has the labels of `pattern`, one for one; a `*` ends its label's comparison.
fn fits_pattern(name: Name<'_>, pattern: &str) -> bool {
    let mut buffer = [0; DNS_NAME_BYTES];
    let mut labels = dotted(name, &mut buffer).split(|&byte| byte == b'.');
    let mut wanted = pattern.as_bytes().split(|&byte| byte == b'.');
    loop {
        match (labels.next(), wanted.next()) {
            (None, None) => return true,
            (Some(label), Some(wanted)) => match wanted.iter().position(|&byte| byte == b'*') {
                Some(star) if wanted.get(..star).is_some_and(|start| label.starts_with(start)) => {}
                None if label == wanted => {}
                _ => return false,
            },
            _ => return false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{Knowledge, Loader};
    use super::*;
    use crate::protocol::dns::NameBuf;

    fn load(entries: &str) -> Knowledge {
        let registries = "[[registry]]\necosystem = \"x\"\nnames = { \"example.org\" = [\"packages\"] }\n";
        let mut loader = Loader::default();
        loader
            .bytes("p.toml", format!("[pack]\nid = \"p\"\ntitle = \"t\"\n{registries}{entries}").as_bytes());
        loader.finish()
    }

    fn allowed(knowledge: &Knowledge, change: impl FnOnce(&mut AllowSubject<'_>)) -> Option<String> {
        named(knowledge, "a.example.com", change)
    }

    fn named(
        knowledge: &Knowledge,
        name: &str,
        change: impl FnOnce(&mut AllowSubject<'_>),
    ) -> Option<String> {
        let name = NameBuf::from_text(name.as_bytes()).unwrap();
        let mut subject = AllowSubject {
            name: Some(name.as_name()),
            address: "198.51.100.7".parse().ok(),
            port: Some(443),
            protocol: Some(6),
            detector: "beacon",
            group: Some("ci"),
            time: Timestamp::from_parts(1_774_920_651, 0),
        };
        change(&mut subject);
        knowledge.allow.decision(&subject).map(|entry| entry.reason.to_string())
    }

    const ENTRY: &str = "[[allow]]\nreason = \"r\"\nscope = \"all\"\n";

    #[test]
    fn everything_that_an_entry_states_must_fit() {
        let stated = "value = \"example.com\"\nport = 443\nprotocol = \"tcp\"\nasset_group = \"ci\"\nexpires = 2026-03-31\n";
        let knowledge = load(&format!("{}{stated}", ENTRY.replace("\"all\"", "[\"beacon\"]")));
        assert_eq!(allowed(&knowledge, |_| ()).as_deref(), Some("r"), "{}", knowledge.report);
        assert_eq!(allowed(&knowledge, |subject| subject.port = Some(80)), None);
        assert_eq!(allowed(&knowledge, |subject| subject.port = None), None);
        assert_eq!(allowed(&knowledge, |subject| subject.protocol = Some(17)), None);
        assert_eq!(allowed(&knowledge, |subject| subject.detector = "indicator"), None);
        assert_eq!(allowed(&knowledge, |subject| subject.group = None), None);
        assert_eq!(allowed(&knowledge, |subject| subject.name = None), None);
        let day = 86_400 * crate::time::SECOND;
        assert_eq!(allowed(&knowledge, |subject| subject.time = subject.time.plus(day)), None, "expired");
        assert_eq!(named(&knowledge, "example.com", |_| ()).as_deref(), Some("r"));
        assert_eq!(named(&knowledge, "notexample.com", |_| ()), None);
        assert_eq!(named(&knowledge, "example.com.evil.example", |_| ()), None);
    }

    #[test]
    fn destinations_are_names_patterns_prefixes_registries_and_ports() {
        let one = |destination: &str| load(&format!("{ENTRY}{destination}\n"));
        let exact = one("value = \"example.com\"\nmatch = \"exact\"");
        assert_eq!(allowed(&exact, |_| ()), None);
        assert!(named(&exact, "EXAMPLE.com", |_| ()).is_some());
        let pattern = one("value = \"store*.*.example.com\"");
        assert!(named(&pattern, "store17.eu.example.com", |_| ()).is_some());
        assert!(named(&pattern, "mystore.eu.example.com", |_| ()).is_none());
        assert!(named(&pattern, "x.store17.eu.example.com", |_| ()).is_none());
        assert!(named(&pattern, "store17.example.com", |_| ()).is_none());
        assert!(named(&pattern, "store17.eu.example.net", |_| ()).is_none());
        let network = one("values = [\"198.51.100.0/24\", \"2001:db8::1\"]");
        assert!(allowed(&network, |subject| subject.name = None).is_some());
        assert!(allowed(&network, |subject| subject.address = "2001:db8::1".parse().ok()).is_some());
        assert!(allowed(&network, |subject| subject.address = "198.51.101.7".parse().ok()).is_none());
        let registries = one("set = \"package-registries\"");
        assert!(named(&registries, "a.packages.example.org", |_| ()).is_some());
        assert!(named(&registries, "www.example.org", |_| ()).is_none());
        let ports = one("ports = [123, 443]");
        assert!(allowed(&ports, |subject| subject.port = Some(123)).is_some());
        assert!(allowed(&ports, |subject| subject.port = Some(124)).is_none());
    }

    #[test]
    fn the_first_entry_that_holds_is_given() {
        let second = ENTRY.replace("\"r\"", "\"second\"");
        let knowledge = load(&format!(
            "{ENTRY}port = 443\nasset_group = \"other\"\n{second}port = 443\n{ENTRY}value = \"example.com\"\n"
        ));
        assert_eq!(allowed(&knowledge, |_| ()).as_deref(), Some("second"));
        assert_eq!(allowed(&knowledge, |subject| subject.port = Some(1)).as_deref(), Some("r"));
    }

    #[test]
    fn what_is_too_much_is_refused() {
        for (entry, reason) in [
            ("[[allow]]\nscope = \"all\"\nvalue = \"example.com\"", "reason is missing"),
            ("[[allow]]\nreason = \"r\"\nvalue = \"example.com\"", "scope: is missing"),
            (
                "[[allow]]\nreason = \"r\"\nscope = \"becon\"\nport = 1",
                "unknown detector \"becon\", perhaps beacon",
            ),
            ("[[allow]]\nreason = \"r\"\nscope = \"all\"", "value: is missing"),
            ("[[allow]]\nreason = \"r\"\nscope = \"all\"\nvalue = \"com\"", "\"com\": a bare top-level"),
            (
                "[[allow]]\nreason = \"r\"\nscope = \"all\"\nvalue = \"github.io\"",
                "\"github.io\": a public suffix",
            ),
            (
                "[[allow]]\nreason = \"r\"\nscope = \"all\"\nvalue = \"0.0.0.0/0\"",
                "\"0.0.0.0/0\": far too wide",
            ),
            ("[[allow]]\nreason = \"r\"\nscope = \"all\"\nport = 70000", "port: must be at most 65535"),
            (
                "[[allow]]\nreason = \"r\"\nscope = \"all\"\nport = 1\nset = \"package-registry\"",
                "set: unknown value",
            ),
        ] {
            let report = load(entry).report;
            let rejected = &report.sources[0].rejected;
            assert!(rejected.len() == 1 && rejected[0].reason.starts_with(reason), "{entry}: {report}");
        }
        let risk = load(&format!("{ENTRY}value = \"github.io\"\nrisk = \"anyone can publish here\"\n"));
        assert!(named(&risk, "someone.github.io", |_| ()).is_some());
    }
}
