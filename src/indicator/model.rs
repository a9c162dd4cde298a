//! The words of this module: what a claim is, how sure, since when, and what a hit means.

use std::fmt;
use std::sync::Arc;

use crate::time::{Nanos, SECOND, Timestamp};

/// How early a packet may be and still count as inside a claim's validity, under [`AsOf::Packet`].
///
/// Feeds put the day of publication where the day of the attack belongs, so that a replay of last
/// week's capture against today's feed would miss the very packets it was made for. The end has no
/// such slack: an address is rented to someone else after it.
pub const EARLY_SLACK: Nanos = 30 * 86_400 * SECOND;

/// What a claim is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A domain name, alone or with everything below it ([`Match`]).
    Domain,
    /// One address.
    Address,
    /// An address prefix.
    Network,
    /// An address at one port.
    AddressPort,
    /// Host, port, path and query of a plain HTTP request.
    Url,
    /// An HTTP path at any host.
    Path,
    /// An HTTP User-Agent.
    UserAgent,
    /// A JA3 hash.
    Ja3,
    /// A JA4 fingerprint.
    Ja4,
    /// SHA-1 or SHA-256 of a certificate's DER bytes.
    CertificateHash,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Domain,
        Self::Address,
        Self::Network,
        Self::AddressPort,
        Self::Url,
        Self::Path,
        Self::UserAgent,
        Self::Ja3,
        Self::Ja4,
        Self::CertificateHash,
    ];

    /// The name used in packs and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Address => "address",
            Self::Network => "network",
            Self::AddressPort => "address_port",
            Self::Url => "url",
            Self::Path => "path",
            Self::UserAgent => "user_agent",
            Self::Ja3 => "ja3",
            Self::Ja4 => "ja4",
            Self::CertificateHash => "certificate_hash",
        }
    }

    /// The kind that a pack or a feed's type column names; feeds' own names are understood too.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase().replace(['-', ' '], "_");
        Some(match name.as_str() {
            "domain" | "hostname" | "host" | "fqdn" | "domain_name" => Self::Domain,
            "address" | "ip" | "ipv4" | "ipv6" | "ip_dst" | "ip_address" | "ipv4_addr" | "ipv6_addr" => {
                Self::Address
            }
            "network" | "cidr" | "prefix" | "subnet" => Self::Network,
            "address_port" | "ip:port" | "ip_port" | "ip_dst|port" => Self::AddressPort,
            "url" => Self::Url,
            "path" | "uri" | "uri_path" => Self::Path,
            "user_agent" | "useragent" | "http_user_agent" => Self::UserAgent,
            "ja3" | "ja3_fingerprint_md5" => Self::Ja3,
            "ja4" => Self::Ja4,
            "certificate_hash"
            | "certificate"
            | "cert_hash"
            | "x509_fingerprint_sha1"
            | "x509_fingerprint_sha256" => Self::CertificateHash,
            _ => return None,
        })
    }
}

/// How far a claim's value reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Match {
    /// The value itself.
    Exact,
    /// A domain and everything below it.
    Subtree,
    /// The value, whatever the case of its ASCII letters (User-Agents).
    IgnoreCase,
}

impl Match {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Subtree, Self::IgnoreCase];

    /// The name used in packs and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Subtree => "subtree",
            Self::IgnoreCase => "ignore_case",
        }
    }
}

/// How far an attack got on one asset: the ladder of the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// Fetched what was poisoned.
    Exposed,
    /// Asked for the attacker's name.
    LookedUp,
    /// Opened a connection that brought nothing back.
    Attempted,
    /// Exchanged data both ways.
    Contacted,
    /// A second stage arrived, or an implant's message was seen.
    Executed,
    /// The implant reports again and again.
    Active,
}

impl Rung {
    /// Every rung, lowest first.
    pub const ALL: [Self; 6] =
        [Self::Exposed, Self::LookedUp, Self::Attempted, Self::Contacted, Self::Executed, Self::Active];

    /// The name used in packs and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exposed => "exposed",
            Self::LookedUp => "looked_up",
            Self::Attempted => "attempted",
            Self::Contacted => "contacted",
            Self::Executed => "executed",
            Self::Active => "active",
        }
    }

    /// The rung of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rung| rung.as_str() == name)
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// Every severity, lowest first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The name used in packs and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == name)
    }

    /// What a confidence from 0 to 100 is worth when nobody graded the claim otherwise.
    pub const fn from_confidence(confidence: u8) -> Self {
        match confidence {
            85.. => Self::High,
            60..=84 => Self::Medium,
            30..=59 => Self::Low,
            _ => Self::Info,
        }
    }
}

/// With whom a claim may be shared (FIRST TLP 2.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the standard's own")]
pub enum Tlp {
    Clear,
    Green,
    Amber,
    AmberStrict,
    Red,
}

impl Tlp {
    /// Every label, most open first.
    pub const ALL: [Self; 5] = [Self::Clear, Self::Green, Self::Amber, Self::AmberStrict, Self::Red];

    /// The label without its prefix, `amber+strict`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Green => "green",
            Self::Amber => "amber",
            Self::AmberStrict => "amber+strict",
            Self::Red => "red",
        }
    }

    /// The label that `text` names, with or without `tlp:`; TLP 1's white is clear.
    pub fn from_name(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let text = text.strip_prefix("tlp:").unwrap_or(&text);
        match text {
            "white" => Some(Self::Clear),
            _ => Self::ALL.into_iter().find(|tlp| tlp.as_str() == text),
        }
    }
}

/// A claim's number: its place in the order of loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimId(pub u32);

/// A signature's number: its place in the order of loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignatureId(pub u32);

/// What many claims have in common: who says it, of what, and how sure. Shared, never copied.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Provenance {
    /// The file as it was named to the loader, or `builtin:axios-2026-03.toml`.
    pub file: Arc<str>,
    /// The campaign, `axios-2026-03`; of a plain list the file's stem.
    pub campaign: Arc<str>,
    /// The campaign's title for a person; `None` for a plain list, whose entries have nothing to do with
    /// each other.
    pub title: Option<Arc<str>>,
    /// Who says so: the pack's tags, or the feed's name.
    pub sources: Vec<Arc<str>>,
    /// Where to read it, a URL; empty when nobody gave one.
    pub reference: Arc<str>,
    /// 0 to 100.
    pub confidence: u8,
    /// With whom it may be shared; `None` when nobody said.
    pub tlp: Option<Tlp>,
    /// Free words.
    pub tags: Vec<Arc<str>>,
    /// ATT&CK technique ids, `T1071.001`.
    pub mitre: Vec<Arc<str>>,
    /// The severity that the author gave; else it follows from kind and confidence.
    pub severity: Option<Severity>,
    /// `false` for what may support another finding and must not alert alone.
    pub alert: bool,
    /// `true` when the author means it although the value is well-known infrastructure ([`super::WellKnown`]).
    pub force: bool,
    /// The author's remark; empty when there is none.
    pub note: Arc<str>,
}

/// From when until when something holds; an open end is `None`. Both ends belong to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Validity {
    /// First instant.
    pub from: Option<Timestamp>,
    /// Last instant.
    pub until: Option<Timestamp>,
}

/// The time that validity is judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AsOf {
    /// When the packet was seen: what an analyst would have known of it. The default.
    #[default]
    Packet,
    /// A stated moment: what is still held true then.
    Now(Timestamp),
    /// Any time: everything is reported, and what is out of date is marked so.
    Any,
}

/// How a claim stands at the judged time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Inside its validity.
    Valid,
    /// Before its first day, by no more than [`EARLY_SLACK`].
    Early,
    /// Before its first day. Reported under [`AsOf::Any`] only.
    NotYet,
    /// After its last day. Reported under [`AsOf::Any`] only.
    Expired,
}

impl Validity {
    /// How it stands at `time`.
    pub fn at(&self, time: Timestamp) -> Standing {
        if self.until.is_some_and(|until| time > until) {
            return Standing::Expired;
        }
        match self.from {
            Some(from) if time >= from => Standing::Valid,
            Some(from) if from.since(time) <= EARLY_SLACK => Standing::Early,
            Some(_) => Standing::NotYet,
            None => Standing::Valid,
        }
    }

    /// Whether a hit in a packet of `packet_time` is to be reported, and how it stands then.
    pub fn judge(&self, as_of: AsOf, packet_time: Timestamp) -> Option<Standing> {
        match as_of {
            AsOf::Packet => {
                let standing = self.at(packet_time);
                matches!(standing, Standing::Valid | Standing::Early).then_some(standing)
            }
            AsOf::Now(now) => (self.at(now) == Standing::Valid).then_some(Standing::Valid),
            AsOf::Any => Some(self.at(packet_time)),
        }
    }
}

/// One claim: a value, what it means, who says so and since when.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Normal form of the value.
    pub value: &'a str,
    /// What the value is.
    pub kind: Kind,
    /// How far it reaches.
    pub matching: Match,
    /// When it was first seen in use, as the source says.
    pub first_seen: Option<Timestamp>,
    /// When it holds.
    pub validity: Validity,
    /// Line of its file, from 1.
    pub line: u32,
    /// Who says it, of what, and how sure.
    pub provenance: &'a Arc<Provenance>,
}

impl Claim<'_> {
    /// The author's severity; else what the confidence is worth, never above `low` for what tells the
    /// client's software rather than the attacker, and `info` for what must not alert alone.
    pub fn severity(&self) -> Severity {
        let graded = Severity::from_confidence(self.provenance.confidence);
        match (self.provenance.severity, self.kind) {
            (Some(severity), _) => severity,
            (None, _) if !self.provenance.alert => Severity::Info,
            (None, Kind::UserAgent | Kind::Ja3 | Kind::Ja4) => graded.min(Severity::Low),
            (None, _) => graded,
        }
    }
}

impl fmt::Display for Claim<'_> {
    /// `domain sfrclak.com and below (axios-2026-03, builtin:axios-2026-03.toml:40)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reach = if self.matching == Match::Subtree { " and below" } else { "" };
        let Provenance { campaign, file, .. } = &**self.provenance;
        write!(f, "{} {}{reach} ({campaign}, {file}:{})", self.kind.as_str(), self.value, self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    #[test]
    fn validity_is_judged_at_the_packet() {
        let validity = Validity {
            from: Some(Timestamp::from_parts(100 * DAY, 0)),
            until: Some(Timestamp::from_parts(200 * DAY, 0)),
        };
        let judge = |as_of, day| validity.judge(as_of, Timestamp::from_parts(day * DAY, 0));
        assert_eq!(judge(AsOf::Packet, 100), Some(Standing::Valid));
        assert_eq!(judge(AsOf::Packet, 200), Some(Standing::Valid));
        assert_eq!(judge(AsOf::Packet, 201), None);
        assert_eq!(judge(AsOf::Packet, 70), Some(Standing::Early));
        assert_eq!(judge(AsOf::Packet, 69), None);
        assert_eq!(judge(AsOf::Any, 69), Some(Standing::NotYet));
        assert_eq!(judge(AsOf::Any, 201), Some(Standing::Expired));
        let now = |day| AsOf::Now(Timestamp::from_parts(day * DAY, 0));
        assert_eq!(judge(now(150), 300), Some(Standing::Valid));
        assert_eq!(judge(now(300), 150), None);
        assert_eq!(Validity::default().judge(AsOf::Packet, Timestamp::MIN), Some(Standing::Valid));
    }

    #[test]
    fn the_ladder_is_ordered_and_named() {
        assert!(Rung::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(Rung::ALL.iter().all(|&rung| Rung::from_name(rung.as_str()) == Some(rung)));
        assert!(Severity::ALL.iter().all(|&one| Severity::from_name(one.as_str()) == Some(one)));
        assert!(Kind::ALL.iter().all(|&kind| Kind::from_name(kind.as_str()) == Some(kind)));
        assert_eq!(Tlp::from_name("TLP:WHITE"), Some(Tlp::Clear));
        assert_eq!(Tlp::from_name("tlp:amber+strict"), Some(Tlp::AmberStrict));
    }
}
