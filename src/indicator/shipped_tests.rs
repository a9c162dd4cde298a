//! Every entry of every shipped pack can match, near misses do not, and rejected claims stay out.

#[path = "shipped_campaign_tests.rs"]
mod campaigns;
#[path = "shipped_meeting.rs"]
mod meeting;

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::value::UrlParts;
use super::super::*;
use crate::protocol::dns::NameBuf;
use crate::time::Timestamp;
use meeting::Exchange;

/// 2026-03-31 01:30:51 UTC: the first contact of the traced install.
const CONTACT: Timestamp = Timestamp::from_parts(1_774_920_651, 0);

fn domain_hits(indicators: &Indicators, name: &str) -> Vec<ClaimId> {
    let mut hits = Vec::new();
    let name = NameBuf::from_text(name.as_bytes()).unwrap_or_else(|| panic!("{name} is no name"));
    indicators.domain(name.as_name(), &mut hits);
    hits
}

/// What is found for a certificate with this hash, of whichever kind.
fn certificate_hits(indicators: &Indicators, hash: &str) -> Vec<ClaimId> {
    let byte = |place| u8::from_str_radix(&hash[place..place + 2], 16).expect("two hexadecimal digits");
    let bytes: Vec<u8> = (0..hash.len()).step_by(2).map(byte).collect();
    let mut hits = Vec::new();
    match bytes.len() {
        20 => indicators.certificate(&bytes.try_into().expect("SHA-1"), &[0; 32], &mut hits),
        _ => indicators.certificate(&[0; 20], &bytes.try_into().expect("SHA-256"), &mut hits),
    }
    hits
}

/// What is found when the claim's own value is seen.
fn hits_of_own_value(indicators: &Indicators, claim: &Claim<'_>) -> Vec<ClaimId> {
    let mut hits = Vec::new();
    let port = |text: &str| text.rsplit(':').next().and_then(|port| port.parse().ok());
    match claim.kind {
        Kind::Domain => hits = domain_hits(indicators, claim.value),
        Kind::Address => indicators.address(claim.value.parse().expect("address"), 1, &mut hits),
        Kind::Network => {
            let network: ipnet::IpNet = claim.value.parse().expect("prefix");
            indicators.address(network.broadcast(), 1, &mut hits);
        }
        Kind::AddressPort => {
            let socket: std::net::SocketAddr = claim.value.parse().expect("address and port");
            assert_eq!(port(claim.value), Some(socket.port()));
            indicators.address(socket.ip(), socket.port(), &mut hits);
        }
        Kind::Url => {
            let UrlParts { host, port, target } = UrlParts::of(claim.value).expect("URL");
            indicators.url(host.as_bytes(), port, target.as_bytes(), &mut hits);
        }
        Kind::Path => indicators.url(b"any.example", 80, claim.value.as_bytes(), &mut hits),
        Kind::UserAgent => indicators.user_agent(claim.value.as_bytes(), &mut hits),
        Kind::Ja3 => indicators.ja3(claim.value, &mut hits),
        Kind::Ja4 => indicators.ja4(claim.value, &mut hits),
        Kind::CertificateHash => hits = certificate_hits(indicators, claim.value),
    }
    hits
}

#[test]
fn the_packs_load_whole() {
    let knowledge = load_builtin();
    let report = &knowledge.report;
    assert_eq!((report.rejected(), report.failures().count()), (0, 0), "{report}");
    assert!(report.sources.iter().all(|source| source.accepted > 0 && source.duplicates == 0), "{report}");
}

#[test]
fn the_folder_holds_what_is_built_in() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("signatures");
    let loaded = load_paths(&[folder]);
    let names = |report: &LoadReport| {
        let name = |file: &str| file.rsplit(['/', ':']).next().map(str::to_owned);
        let mut names: Vec<_> = report.sources.iter().filter_map(|source| name(&source.file)).collect();
        names.sort();
        names
    };
    let builtin = load_builtin();
    assert_eq!(names(&loaded.report), names(&builtin.report), "a pack is missing in shipped.rs");
    assert_eq!(loaded.report.accepted(), builtin.report.accepted());
    assert_eq!(loaded.indicators.len(), builtin.indicators.len());
}

#[test]
fn every_claim_can_match_and_is_dated_sourced_and_graded() {
    let indicators = load_builtin().indicators;
    assert!(indicators.len() > 20);
    for (id, claim) in indicators.claims() {
        assert!(hits_of_own_value(&indicators, &claim).contains(&id), "{claim}");
        let said = claim.provenance;
        assert!(!said.sources.is_empty() && said.reference.starts_with("https://"), "{claim}");
        assert!((1..=100).contains(&said.confidence) && said.tlp.is_some(), "{claim}");
        if said.alert {
            assert!(claim.validity.from.is_some(), "{claim} has no first day");
            assert!(!said.mitre.is_empty(), "{claim} names no technique");
        }
        if matches!(claim.kind, Kind::Address | Kind::AddressPort | Kind::Network) {
            assert!(claim.validity.until.is_some(), "{claim}: addresses are rented to others");
        }
    }
}

#[test]
fn near_misses_of_every_claim_do_not_match() {
    let indicators = load_builtin().indicators;
    for (id, claim) in indicators.claims() {
        let value = claim.value;
        let mut hits = Vec::new();
        match claim.kind {
            Kind::Domain => {
                for near in [format!("not{value}"), format!("{value}.br"), value.replacen('.', "-", 1)] {
                    hits.extend(domain_hits(&indicators, &near));
                }
                if claim.matching == Match::Exact {
                    hits.extend(domain_hits(&indicators, &format!("x.{value}")));
                } else {
                    assert!(domain_hits(&indicators, &format!("x.{value}")).contains(&id), "{claim}");
                }
            }
            Kind::Address => {
                let reversed: Vec<&str> = value.split('.').rev().collect();
                indicators.address(reversed.join(".").parse().expect("address"), 0, &mut hits);
            }
            Kind::AddressPort => {
                let socket: std::net::SocketAddr = value.parse().expect("address and port");
                indicators.address(socket.ip(), socket.port() + 1, &mut hits);
            }
            Kind::Url => {
                let UrlParts { host, port, target } = UrlParts::of(value).expect("URL");
                for (port, target) in [(port + 1, target.to_owned()), (port, format!("{target}1"))] {
                    indicators.url(host.as_bytes(), port, target.as_bytes(), &mut hits);
                }
            }
            Kind::Path => {
                for near in
                    [format!("{value}1"), format!("{value}/x"), format!("/x{value}"), value[1..].into()]
                {
                    indicators.url(b"any.example", 80, near.as_bytes(), &mut hits);
                }
            }
            Kind::UserAgent => {
                for near in [format!("{value} "), value[1..].to_owned()] {
                    indicators.user_agent(near.as_bytes(), &mut hits);
                }
            }
            Kind::CertificateHash => {
                let (start, last) = value.split_at(value.len() - 1);
                let other = if last == "0" { "1" } else { "0" };
                hits.extend(certificate_hits(&indicators, &format!("{start}{other}")));
            }
            _ => panic!("no near miss of {claim} yet: give one here"),
        }
        assert!(!hits.contains(&id), "a near miss of {claim} matched");
    }
}

#[test]
fn every_signature_can_match_with_each_of_its_texts() {
    let indicators = load_builtin().indicators;
    assert!(indicators.all_signatures().len() > 10);
    for (number, signature) in indicators.all_signatures().iter().enumerate() {
        let id = SignatureId(number as u32);
        for choice in 0..10 {
            let hits = Exchange::meeting(signature, choice).hits(&indicators, signature.moment());
            assert!(hits.contains(&id), "{} with choice {choice}", signature.id);
        }
        let said = &signature.provenance;
        assert!(said.reference.starts_with("https://") && said.confidence > 0, "{}", signature.id);
        assert!(signature.validity.from.is_some() && !said.mitre.is_empty(), "{}", signature.id);
    }
}

#[test]
fn a_signature_needs_each_of_its_conditions() {
    let indicators = load_builtin().indicators;
    for (number, signature) in indicators.all_signatures().iter().enumerate() {
        let id = SignatureId(number as u32);
        let (all, none) = signature.conditions();
        for condition in all {
            let Some(mut exchange) = Exchange::meeting_all_but(signature, condition) else { continue };
            let hits = exchange.hits(&indicators, signature.moment());
            assert!(!hits.contains(&id), "{} without {condition}", signature.id);
        }
        for condition in none {
            let mut exchange = Exchange::meeting(signature, 0);
            exchange.meet(condition, 0);
            let hits = exchange.hits(&indicators, signature.moment());
            assert!(!hits.contains(&id), "{} in spite of {condition}", signature.id);
        }
    }
}

/// What is everybody's is nobody's: names, and what stands above them, that honest traffic has as well.
#[test]
fn nothing_that_all_the_world_uses_is_claimed() {
    let knowledge = load_builtin();
    for name in [
        "github.com",
        "api.github.com",
        "gist.githubusercontent.com",
        "raw.githubusercontent.com",
        "bun.sh",
        "oss.trufflehog.org",
        "keychecker.trufflesecurity.com",
        "webhook.site",
        "herokuapp.com",
        "workers.dev",
        "plesk.page",
        "trycloudflare.com",
        "icp0.io",
        "raw.icp0.io",
        "getsession.org",
        "freemyip.com",
        "pipedream.net",
        "fulcio.sigstore.dev",
        "rekor.sigstore.dev",
        "www.wolfssl.com",
        "registry.yarnpkg.com",
        "broker.actions.githubusercontent.com",
        "codecov.io",
        "checkmarx.com",
        "aquasecurity.github.io",
        "litellm.ai",
        "tanstack.com",
    ] {
        assert!(domain_hits(&knowledge.indicators, name).is_empty(), "{name}");
    }
    for entry in knowledge.allow.entries() {
        let text = entry.value.trim_start_matches("*.");
        if let Some(name) = NameBuf::from_text(text.as_bytes()) {
            let mut hits = Vec::new();
            knowledge.indicators.domain(name.as_name(), &mut hits);
            assert!(hits.is_empty(), "{text} is allowed, and claimed");
        }
        if let Ok(address) = text.parse() {
            let mut hits = Vec::new();
            knowledge.indicators.address(address, entry.port.unwrap_or_default(), &mut hits);
            assert!(hits.is_empty(), "{text} is allowed, and claimed");
        }
    }
    for (_, claim) in knowledge.indicators.claims() {
        let address = claim
            .value
            .parse()
            .or_else(|_| claim.value.parse::<std::net::SocketAddr>().map(|socket| socket.ip()));
        let sinkhole = address.ok().and_then(|address| knowledge.sinkholes.find(address));
        assert!(sinkhole.is_none(), "{claim} is a sinkhole");
    }
}

/// Whatever the allow list lets pass, it does not keep an indicator back.
#[test]
fn no_shipped_allow_entry_silences_a_claim() {
    let knowledge = load_builtin();
    for (_, claim) in knowledge.indicators.claims() {
        let host = UrlParts::of(claim.value).map_or(claim.value, |parts| parts.host);
        let name = NameBuf::from_text(host.as_bytes());
        let socket = claim.value.parse::<std::net::SocketAddr>().ok();
        let address = socket.map(|socket| socket.ip()).or_else(|| host.parse().ok());
        for port in [socket.map_or(443, |socket| socket.port()), 22, 53, 80, 123] {
            for protocol in [6, 17] {
                let subject = AllowSubject {
                    name: name.as_ref().map(NameBuf::as_name),
                    address,
                    port: Some(port),
                    protocol: Some(protocol),
                    detector: "indicator",
                    group: None,
                    time: CONTACT,
                };
                let decision = knowledge.allow.decision(&subject);
                assert!(
                    decision.is_none(),
                    "{claim} is kept back: {:?}",
                    decision.map(|entry| &entry.reason)
                );
            }
        }
    }
}

/// Every pack has a case that fires it; which ones do is told by what the cases expect.
#[test]
fn every_campaign_has_a_case() {
    let cases = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut expected = BTreeSet::new();
    for case in std::fs::read_dir(cases).expect("tests/cases") {
        let text = std::fs::read_to_string(case.expect("a case").path().join("expected.toml"));
        let lines = text.unwrap_or_default();
        let campaigns = lines.lines().filter_map(|line| line.strip_prefix("campaign = "));
        expected.extend(campaigns.map(|campaign| campaign.trim_matches('"').to_owned()));
    }
    for (file, _) in super::CAMPAIGNS {
        let campaign = file.trim_end_matches(".toml");
        assert!(expected.contains(campaign), "no case expects an incident of {campaign}");
    }
}

#[test]
fn every_allow_entry_registry_and_sinkhole_can_match() {
    let knowledge = load_builtin();
    for entry in knowledge.allow.entries() {
        let text = match entry.value.trim_start_matches("*.").replace('*', "x1") {
            set if set == "package-registries" => "registry.yarnpkg.com".to_owned(),
            text => text,
        };
        let network = text.parse::<ipnet::IpNet>().map(|network| network.broadcast());
        let address = text.parse::<IpAddr>().or(network).ok();
        let name = NameBuf::from_text(text.as_bytes()).filter(|_| address.is_none());
        for detector in entry.scope.iter() {
            let subject = AllowSubject {
                name: name.as_ref().map(NameBuf::as_name),
                address,
                port: entry.port,
                protocol: entry.protocol,
                detector,
                group: None,
                time: CONTACT,
            };
            let decision = knowledge.allow.decision(&subject).map(|decided| &decided.reason);
            assert_eq!(decision, Some(&entry.reason), "{} for {detector}", entry.value);
            let indicator = AllowSubject { detector: "indicator", ..subject };
            assert!(knowledge.allow.decision(&indicator).is_none(), "{} hides indicators", entry.value);
        }
        assert!(!entry.scope.is_empty(), "{} speaks to every detector", entry.value);
    }
    let registry = |name: &str| {
        let name = NameBuf::from_text(name.as_bytes()).expect("name");
        knowledge.registries.ecosystem(name.as_name()).map(str::to_owned)
    };
    assert_eq!(registry("registry.yarnpkg.com").as_deref(), Some("npm"));
    assert_eq!(registry("Proxy.Golang.org").as_deref(), Some("go"));
    for other in ["golang.org", "packages.npm.org", "yarnpkg.com.evil.example", "notyarnpkg.com", "com"] {
        assert_eq!(registry(other), None, "{other}");
    }
    for sinkhole in knowledge.sinkholes.all() {
        let found = knowledge.sinkholes.find(sinkhole.network.broadcast());
        assert_eq!(found.map(|found| found.network), Some(sinkhole.network));
        assert!(sinkhole.reference.starts_with("https://"), "{}", sinkhole.operator);
    }
    for address in ["0.0.0.0", "127.0.0.1", "::", "146.112.61.106", "::ffff:127.0.0.1"] {
        assert!(knowledge.sinkholes.find(address.parse().expect("address")).is_some(), "{address}");
    }
    for address in ["142.11.206.73", "146.112.61.112", "127.0.0.2", "8.8.8.8", "20.140.0.2", "148.81.111.112"]
    {
        assert!(knowledge.sinkholes.find(address.parse().expect("address")).is_none(), "{address}");
    }
}
