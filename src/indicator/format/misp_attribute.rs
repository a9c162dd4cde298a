//! What attributes of MISP claim, by their types.
//!
//! | type | means |
//! |---|---|
//! | `domain` | the name and what stands below it; `hostname`: that name alone. MISP's own export to Suricata makes this difference |
//! | `ip-dst`, `ip-dst\|port` | an address or prefix; at that port |
//! | `ip-src`, `ip-src\|port` | weaker: the address attacked from there, and need not answer |
//! | `domain\|ip` | weaker, both halves: what is said is that the name led to the address. The name is the attacker's own, while the address may be anybody's by now |
//! | `hostname\|port` | that name, which is asked for without a port |
//! | `url`, `uri` | a URL; a path at any host |
//! | `user-agent`, `ja3-fingerprint-md5` | as they stand |
//! | `x509-fingerprint-sha1`, `-sha256` | a certificate; the one of MD5 is not read |
//!
//! All other types are nothing for a sensor, or cannot be seen by one.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use super::super::model::{Kind, Match};
use super::super::value::{Refusal, Value};

/// What is left of the confidence, in percent, in an address that the attack came from.
const SOURCE: u8 = 50;
/// The same for the name of a pair and for its address.
const NAME_OF_PAIR: u8 = 80;
const ADDRESS_OF_PAIR: u8 = 50;

/// A claim that an attribute makes.
pub(super) struct Meaning<'a> {
    pub value: Result<Value<'a>, Refusal>,
    /// How much of the attribute's confidence it has, in percent.
    pub share: u8,
    /// What else must be known of it; often empty.
    pub note: Cow<'static, str>,
}

impl<'a> Meaning<'a> {
    fn whole(kind: Kind, text: &'a str, matching: Option<Match>) -> Self {
        Self { value: Value::of_kind(kind, text, matching), share: 100, note: "".into() }
    }
}

/// What an attribute of that type and value claims.
///
/// # Errors
/// Why the type is nothing for us.
pub(super) fn meanings<'a>(kind: &str, text: &'a str) -> Result<Vec<Meaning<'a>>, Cow<'static, str>> {
    let one = |meaning| Ok(vec![meaning]);
    match kind {
        "domain" => one(Meaning::whole(Kind::Domain, text, Some(Match::Subtree))),
        "hostname" => one(Meaning::whole(Kind::Domain, text, Some(Match::Exact))),
        "hostname|port" => {
            let (name, port) = text.split_once('|').unwrap_or((text, ""));
            let note = if port.is_empty() { "".into() } else { format!("listed at port {port}").into() };
            one(Meaning { note, ..Meaning::whole(Kind::Domain, name, Some(Match::Exact)) })
        }
        "domain|ip" => Ok(pair(text)),
        "ip-dst" => one(Meaning::whole(Kind::Address, text, None)),
        "ip-src" => one(from(Meaning::whole(Kind::Address, text, None))),
        "ip-dst|port" => one(address_port(text)),
        "ip-src|port" => one(from(address_port(text))),
        "url" => one(Meaning::whole(Kind::Url, text, None)),
        "uri" => {
            let kind = if text.contains("://") { Kind::Url } else { Kind::Path };
            one(Meaning::whole(kind, text, None))
        }
        "user-agent" => one(Meaning::whole(Kind::UserAgent, text, Some(Match::Exact))),
        "ja3-fingerprint-md5" => one(Meaning::whole(Kind::Ja3, text, None)),
        "x509-fingerprint-sha1" | "x509-fingerprint-sha256" => {
            one(Meaning::whole(Kind::CertificateHash, text, None))
        }
        "x509-fingerprint-md5" => Err("MD5 of a certificate: nothing that is compared".into()),
        other => Err(format!("{other}: nothing that is looked for").into()),
    }
}

/// What the attacker came from.
fn from(meaning: Meaning<'_>) -> Meaning<'_> {
    Meaning { share: SOURCE, note: "an attack came from there".into(), ..meaning }
}

fn address_port(text: &str) -> Meaning<'_> {
    let Some((address, port)) = text.split_once('|') else {
        return Meaning::whole(Kind::AddressPort, text, None);
    };
    let at = match (address.trim().parse::<IpAddr>(), port.trim().parse::<u16>()) {
        (Ok(address), Ok(port)) => SocketAddr::new(address, port).to_string(),
        _ => format!("{address}:{port}"),
    };
    let value = Value::of_kind(Kind::AddressPort, &at, None).map(Value::into_owned);
    Meaning { value, share: 100, note: "".into() }
}

/// The halves of `name|address`, each of which says what the other is.
fn pair(text: &str) -> Vec<Meaning<'_>> {
    let Some((name, address)) = text.split_once('|') else {
        return vec![Meaning::whole(Kind::Domain, text, Some(Match::Subtree))];
    };
    let name_half = Meaning {
        share: NAME_OF_PAIR,
        note: format!("listed as leading to {address}").into(),
        ..Meaning::whole(Kind::Domain, name, Some(Match::Subtree))
    };
    let address_half = Meaning {
        share: ADDRESS_OF_PAIR,
        note: format!("listed as what {name} leads to").into(),
        ..Meaning::whole(Kind::Address, address, None)
    };
    vec![name_half, address_half]
}
