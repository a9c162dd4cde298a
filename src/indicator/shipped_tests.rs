//! Every entry of every shipped pack can match, near misses do not, and rejected claims stay out.

use std::net::IpAddr;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::super::field::Field;
use super::super::signature::{Condition, Place, Test};
use super::super::value::UrlParts;
use super::super::*;
use crate::protocol::dns::NameBuf;
use crate::protocol::http::{Request, Response};
use crate::protocol::tls::{Certificate, ClientHello};
use crate::time::{SECOND, Timestamp};

/// 2026-03-31 01:30:51 UTC: the first contact of the traced install.
const CONTACT: Timestamp = Timestamp::from_parts(1_774_920_651, 0);

fn domain_hits(indicators: &Indicators, name: &str) -> Vec<ClaimId> {
    let mut hits = Vec::new();
    let name = NameBuf::from_text(name.as_bytes()).unwrap_or_else(|| panic!("{name} is no name"));
    indicators.domain(name.as_name(), &mut hits);
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
        Kind::CertificateHash => panic!("no pack has one yet: give its bytes here"),
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
            _ => {}
        }
        assert!(!hits.contains(&id), "a near miss of {claim} matched");
    }
}

/// An exchange that meets the conditions of a signature, taking each list's entry number `choice`.
#[derive(Default)]
struct Exchange {
    remote: Option<(IpAddr, u16)>,
    request: Request,
    response: Response,
    hello: ClientHello,
    certificate: Certificate,
    query: NameBuf,
    query_type: u16,
}

impl Exchange {
    fn meeting(signature: &Signature, choice: usize) -> Self {
        let mut exchange = Self::default();
        exchange.request.target = b"/".into();
        for condition in signature.conditions().0 {
            exchange.meet(condition, choice);
        }
        exchange
    }

    fn meet(&mut self, Condition { field, test }: &Condition, choice: usize) {
        let mut text = Vec::new();
        let mut number = 0;
        match test {
            Test::Text(place, _, wanted) => {
                text = wanted[choice % wanted.len()].to_vec();
                match place {
                    Place::Whole => {}
                    Place::Start => text.extend_from_slice(b" and more"),
                    Place::End => text.splice(..0, *b"/mirror/npm").for_each(drop),
                    Place::Anywhere => text.splice(..0, *b"C=US, ").for_each(drop),
                }
            }
            Test::Below(names) => text = format!("x.{}", names[choice % names.len()]).into_bytes(),
            Test::Labels(shapes) => text = shapes[choice % shapes.len()].example().into_bytes(),
            Test::Within(networks) => {
                let port = self.remote.map_or(443, |(_, port)| port);
                self.remote = Some((networks[choice % networks.len()].broadcast(), port));
            }
            Test::Number(numbers) => number = numbers[choice % numbers.len()],
            Test::Range(low, _) => number = *low,
            Test::LowerCaseOnly => text = b"lower".into(),
            Test::Absent => return,
            Test::Base64Json(keys, members) => {
                let mut json = serde_json::Map::new();
                json.insert("content".into(), "x".repeat(choice).into());
                json.extend(keys.iter().map(|key| (key.to_string(), 7.into())));
                json.extend(members.iter().map(|(key, value)| (key.to_string(), value.to_string().into())));
                text = BASE64_STANDARD.encode(serde_json::to_vec_pretty(&json).expect("JSON")).into_bytes();
            }
        }
        match field {
            Field::Method => self.request.method = text,
            Field::Path | Field::Target => self.request.target = text,
            Field::UserAgent => self.request.user_agent = Some(text),
            Field::Host => self.request.host = Some(text),
            Field::RequestBody => self.request.body = text,
            Field::Status => self.response.status = number as u16,
            Field::ResponseBodyLength => self.response.body_length = number,
            Field::CertificateSubject => self.certificate.subject = String::from_utf8(text).expect("text"),
            Field::CertificateIssuer => self.certificate.issuer = String::from_utf8(text).expect("text"),
            Field::Sni => self.hello.sni = Some(text),
            Field::QueryName => self.query = NameBuf::from_text(&text).expect("name"),
            Field::QueryType => self.query_type = number as u16,
            Field::RemoteAddress => {}
            Field::RemotePort | Field::HttpPort => {
                let address = self.remote.map_or_else(|| "198.51.100.7".parse().expect("address"), |it| it.0);
                self.remote = Some((address, number as u16));
            }
            other => panic!("no pack asks for {other:?} yet: give it here"),
        }
    }

    fn hits(&mut self, indicators: &Indicators, moment: Moment) -> Vec<SignatureId> {
        let remote = self.remote.unwrap_or_else(|| ("198.51.100.7".parse().expect("address"), 8000));
        self.response.request = Some(Arc::new(self.request.clone()));
        let facts = match moment {
            Moment::Request => ExchangeFacts::request(remote, &self.request),
            Moment::Response => ExchangeFacts::response(remote, &self.response),
            Moment::ClientHello => ExchangeFacts::client_hello(remote, &self.hello),
            Moment::Certificate => ExchangeFacts::certificate(remote, Some(&self.hello), &self.certificate),
            Moment::Query => ExchangeFacts::query(Some(remote), self.query.as_name(), self.query_type),
        };
        let mut hits = Vec::new();
        indicators.signatures(&facts, &mut hits);
        hits
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
    for address in ["0.0.0.0", "127.0.0.1", "::", "146.112.61.106", "::ffff:127.0.0.1"] {
        assert!(knowledge.sinkholes.find(address.parse().expect("address")).is_some(), "{address}");
    }
    for address in ["142.11.206.73", "146.112.61.112", "127.0.0.2", "8.8.8.8"] {
        assert!(knowledge.sinkholes.find(address.parse().expect("address")).is_none(), "{address}");
    }
}

/// `threats.md` section 1.7, the axios rows, and section 7: what was rejected stays out.
#[test]
fn rejected_claims_match_nothing() {
    let indicators = load_builtin().indicators;
    for name in [
        "packages.npm.org",
        "npm.org",
        "cfrclak.com",
        "notsfrclak.com",
        "sfrclak.com.br",
        "sfrclak.co",
        "hopex.pro",
        "coretrade.app",
        "api.gfrfrg.cc",
        "citationsherbe.at",
        "hostwindsdns.com",
        "hwsrv-1320780.hostwindsdns.com",
        "www.wolfssl.com",
        "registry.yarnpkg.com",
        "broker.actions.githubusercontent.com",
    ] {
        assert!(domain_hits(&indicators, name).is_empty(), "{name}");
    }
    for address in ["206.11.142.73", "73.206.11.142", "45.61.128.54", "144.172.89.231", "142.11.206.74"] {
        let mut hits = Vec::new();
        indicators.address(address.parse().expect("address"), 8000, &mut hits);
        assert!(hits.is_empty(), "{address}");
    }
    for target in ["/product1", "/62020331", "/6202033/", "/x/6202033", "/620203", "/sdd.exe"] {
        let mut hits = Vec::new();
        indicators.url(b"any.example", 8000, target.as_bytes(), &mut hits);
        assert!(hits.is_empty(), "{target}");
    }
    let mut hits = Vec::new();
    indicators.user_agent(b"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0)", &mut hits);
    let alerting = hits.iter().filter_map(|&id| indicators.claim(id)).filter(|claim| claim.provenance.alert);
    assert_eq!(alerting.count(), 0, "a real Internet Explorer 8");
}

fn axios_request(user_agent: &str, path: &str, body: &[u8]) -> Request {
    Request {
        method: b"POST".into(),
        target: path.into(),
        host: Some(b"sfrclak.com:8000".into()),
        user_agent: Some(user_agent.into()),
        body: body.into(),
        ..Request::default()
    }
}

fn fired(indicators: &Indicators, request: &Request, response: Option<Response>) -> Vec<String> {
    let remote = ("142.11.206.73".parse().expect("address"), 8000);
    let response = response.map(|response| Response { request: Some(Arc::new(request.clone())), ..response });
    let facts = match &response {
        Some(response) => ExchangeFacts::response(remote, response),
        None => ExchangeFacts::request(remote, request),
    };
    let mut hits = Vec::new();
    indicators.signatures(&facts, &mut hits);
    hits.iter().filter_map(|&id| indicators.signature(id)).map(|signature| signature.id.to_string()).collect()
}

#[test]
fn the_traced_install_climbs_the_ladder() {
    let indicators = load_builtin().indicators;
    const IE8: &str = "mozilla/4.0 (compatible; msie 8.0; windows nt 5.1; trident/4.0)";
    let stage1 = axios_request("curl/8.5.0", "/6202033", b"packages.npm.org/product2");
    assert_eq!(fired(&indicators, &stage1, None), ["axios-stage1-request"]);
    let refused = Response { status: 404, ..Response::default() };
    assert_eq!(fired(&indicators, &stage1, Some(refused)), ["axios-stage1-answered"]);
    let delivered = Response { status: 200, body_length: 12_000, ..Response::default() };
    let both = ["axios-stage1-answered", "axios-stage2-delivered"];
    assert_eq!(fired(&indicators, &stage1, Some(delivered.clone())), both);

    let report = |kind: &str| {
        let json = format!("{{\"type\": \"{kind}\", \"uid\": \"0123456789abcdef\", \"content\": []}}");
        BASE64_STANDARD.encode(json).into_bytes()
    };
    for (kind, id) in [
        ("FirstInfo", "axios-implant-first-info"),
        ("BaseInfo", "axios-implant-base-info"),
        ("CmdResult", "axios-implant-cmd-result"),
    ] {
        let request = axios_request(IE8, "/6202033", &report(kind));
        assert_eq!(fired(&indicators, &request, None), [id, "axios-implant-request"]);
        assert!(fired(&indicators, &request, Some(delivered.clone())).is_empty(), "an answer to a report");
    }
    let base_info = indicators.all_signatures().iter().find(|one| &*one.id == "axios-implant-base-info");
    assert_eq!(base_info.map(|one| (one.rung, one.period_s)), Some((Rung::Executed, Some(60))));

    let upper = "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0)";
    assert!(fired(&indicators, &axios_request(upper, "/6202033", b""), None).is_empty());
    assert!(fired(&indicators, &axios_request("curl/8.5.0", "/62020331", b"x"), None).is_empty());
    assert!(
        fired(&indicators, &axios_request("curl/8.5.0", "/packages.npm.org/product2", b""), None).is_empty()
    );
}

#[test]
fn poisoned_tarballs_expose_and_others_do_not() {
    let indicators = load_builtin().indicators;
    let fetched = |path: &str, status| {
        let request = Request { method: b"GET".into(), target: path.into(), ..Request::default() };
        fired(&indicators, &request, Some(Response { status, body_length: 5000, ..Response::default() }))
    };
    assert_eq!(fetched("/axios/-/axios-1.14.1.tgz", 200), ["axios-tarball"]);
    assert_eq!(fetched("/repository/npm/axios/-/axios-0.30.4.tgz", 304), ["axios-tarball"]);
    assert_eq!(
        fetched("/plain-crypto-js/-/plain-crypto-js-4.2.1.tgz", 200),
        ["axios-plain-crypto-js-tarball"]
    );
    for path in [
        "/axios/-/axios-1.14.0.tgz",
        "/axios/-/axios-1.14.1.tgz.sig",
        "/notaxios/-/axios-1.14.1.tgz",
        "/@someone/axios/-/axios-1.14.1.tgz",
        "/plain-crypto-js/-/plain-crypto-js-4.2.0.tgz",
        "/axios",
    ] {
        assert!(fetched(path, 200).is_empty(), "{path}");
    }
    assert!(fetched("/axios/-/axios-1.14.1.tgz", 404).is_empty(), "it was gone already");
}

#[test]
fn claims_hold_when_the_attack_happened() {
    let indicators = load_builtin().indicators;
    let standing = |name: &str, as_of, time| {
        let hits = domain_hits(&indicators, name);
        hits.first().and_then(|&id| indicators.judge(id, as_of, time))
    };
    assert_eq!(standing("sfrclak.com", AsOf::Packet, CONTACT), Some(Standing::Valid));
    let year = 365 * 86_400 * SECOND;
    assert_eq!(standing("sfrclak.com", AsOf::Packet, CONTACT.plus(2 * year)), Some(Standing::Valid));
    assert_eq!(standing("sfrclak.com", AsOf::Packet, CONTACT.plus(-year)), None);
    assert_eq!(standing("calltan.com", AsOf::Packet, CONTACT.plus(2 * year)), None);
    assert_eq!(standing("calltan.com", AsOf::Any, CONTACT.plus(2 * year)), Some(Standing::Expired));
    let severity = |name: &str| {
        let id = *domain_hits(&indicators, name).first().expect("a hit");
        indicators.claim(id).map(|claim| claim.severity())
    };
    assert_eq!(severity("sfrclak.com"), Some(Severity::High));
    assert_eq!(severity("callnrwise.com"), Some(Severity::Medium));
    assert_eq!(severity("calltan.com"), Some(Severity::Low));
    assert_eq!(severity("hwsrv-1320779.hostwindsdns.com"), Some(Severity::Info));
}
