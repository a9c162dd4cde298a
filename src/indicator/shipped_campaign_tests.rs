//! Single campaigns: what fires at which step, and what was rejected and stays out.

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::super::super::labels::Ending;
use super::super::super::*;
use super::{CONTACT, domain_hits};
use crate::protocol::dns::NameBuf;
use crate::protocol::http::{Headers, Request, Response};
use crate::protocol::tls::{Certificate, ClientHello, Fingerprints};
use crate::time::{SECOND, Timestamp};

/// Claims that were made somewhere and are wrong, unsafe or nobody's.
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
        "tdtqy-oyaaa-aaaae-af2dqcai.raw.icp0.io",
        "aquasecurity.org",
        "litellm.cloud.example",
        "node.js",
        "appsecuritystandards.org",
        "hostwindsdns.com",
        "hwsrv-1320780.hostwindsdns.com",
    ] {
        assert!(domain_hits(&indicators, name).is_empty(), "{name}");
    }
    for address in [
        "206.11.142.73",
        "73.206.11.142",
        "45.61.128.54",
        "144.172.89.231",
        "142.11.206.74",
        "216.126.225.149",
    ] {
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

fn ids(indicators: &Indicators, facts: &ExchangeFacts<'_>) -> Vec<String> {
    let mut hits = Vec::new();
    indicators.signatures(facts, &mut hits);
    hits.iter().filter_map(|&id| indicators.signature(id)).map(|signature| signature.id.to_string()).collect()
}

#[test]
fn fingerprints_of_whole_runtimes_accuse_nobody() {
    let indicators = load_builtin().indicators;
    let go = ["t13d190900_9dc949149365_97f8aa674fd9", "t13i190800_9dc949149365_97f8aa674fd9"];
    let windows = ["t12i190700_d83cc789557e_16bbda4055b2", "t12i210700_76e208dd3e22_16bbda4055b2"];
    let fired = |ja4: &str, sni: Option<&str>, port| {
        let hello = ClientHello {
            fingerprints: Fingerprints::known(String::new(), String::new(), ja4.to_owned()),
            sni: sni.map(|name| name.as_bytes().to_vec()),
            ..ClientHello::default()
        };
        let mut claims = Vec::new();
        indicators.ja4(ja4, &mut claims);
        assert!(claims.is_empty(), "{ja4}");
        ids(
            &indicators,
            &ExchangeFacts::client_hello(("198.51.100.7".parse().expect("address"), port), &hello),
        )
    };
    for ja4 in go.into_iter().chain(windows) {
        for (sni, port) in [(None, 443), (Some("updates.example.net"), 443), (Some("a.example"), 8443)] {
            assert!(fired(ja4, sni, port).is_empty(), "{ja4} at {port}");
        }
    }
    for port in [8080, 8443, 8888] {
        assert!(go.into_iter().all(|ja4| fired(ja4, None, port).is_empty()), "every Go program");
        assert!(windows.into_iter().all(|ja4| fired(ja4, None, port) == ["cobalt-strike-hello"]));
    }
    for ja3 in [
        "72a589da586844d7f0818ce684948eea",
        "a0e9f5d64349fb13191bc781f81f42e1",
        "e7d705a3286e19ea42f587b344ee6865",
        "6734f37431670b3ab4292b8f60f29984",
        "4d7a28d6f2263ed61de88ca66eb011e3",
    ] {
        let mut claims = Vec::new();
        indicators.ja3(ja3, &mut claims);
        assert!(claims.is_empty(), "{ja3}");
    }
}

#[test]
fn questions_of_tunnelling_tools_are_told_from_others() {
    let indicators = load_builtin().indicators;
    const HEX_54: &str = "0123456789abcdef0123456789abcdef0123456789abcdef012345";
    let (a, cname, null, mx, txt, srv, key, private) = (1, 5, 10, 15, 16, 33, 25, 65399);
    let kinds = [a, cname, mx, txt, srv];
    for (name, kind, expected) in [
        (format!("beef01{HEX_54}.t.example"), txt, &["dnscat2-full-label"][..]),
        (format!("BEEF03{HEX_54}.more.t.example"), mx, &["dnscat2-full-label"]),
        (format!("beef04{HEX_54}.t.example"), txt, &[]),
        (format!("beef01{HEX_54}.t.example"), a, &[]),
        (format!("beef01{HEX_54}ab.t.example"), txt, &[]),
        ("dnscat.0a1b2c".to_owned(), cname, &["dnscat2-without-domain"]),
        ("dnscat.example.org".to_owned(), cname, &[]),
        ("dnscat2.0a1b2c".to_owned(), txt, &[]),
        ("yrbcde.t.example".to_owned(), null, &["iodine-null"]),
        ("paayuxhq.t.example".to_owned(), private, &["iodine-null"]),
        ("paayuxhq.t.example".to_owned(), cname, &[]),
        ("zvabAaBbCcDdEeFfGg.t.example".to_owned(), cname, &["iodine-case-check"]),
        ("avabAaBbCcDdEeFfGg.t.example".to_owned(), cname, &[]),
        ("ajkl32.t.example".to_owned(), key, &["dns2tcp-key"]),
        ("AAAA.=auth.t.example".to_owned(), txt, &["dns2tcp-handshake"]),
        ("auth.t.example".to_owned(), txt, &[]),
        ("1024-7731.id-4711.down.t.example".to_owned(), txt, &["ozymandns-down"]),
        ("host.id-4711.down.t.example".to_owned(), txt, &[]),
        ("mfrggzdfmztwq2lkmfrggzdf.0-1.id-4711.up.t.example".to_owned(), txt, &["ozymandns-up"]),
        ("init.mfrggzdfmztwq2lk.x.example".to_owned(), txt, &["dnsexfiltrator-init"]),
        ("init.example.org".to_owned(), txt, &[]),
        ("aaa.stage.12345678.c2.example".to_owned(), txt, &["cobalt-strike-dns-stager"]),
        ("baa.stage.123456.c2.example".to_owned(), txt, &["cobalt-strike-dns-stager"]),
        ("www.stage.example.com".to_owned(), txt, &[]),
        ("post.163.com".to_owned(), txt, &[]),
        ("api.c2.example".to_owned(), a, &[]),
        ("ihvpgv9psvq02ffo77et.appsync-api.us-east-2.avsvmcloud.com".to_owned(), a, &["sunburst-dns-beacon"]),
        ("appsync-api.us-east-2.avsvmcloud.com".to_owned(), a, &[]),
        ("x.appsync-api.us-east-2.amazonaws.com".to_owned(), a, &[]),
        ("4f6d.h4ck.cfd".to_owned(), a, &["torchtriton-dns-data"]),
        ("mfrggzdfmztwq2lk.freefan.net".to_owned(), a, &["sandworm-mode-dns-data"]),
        ("www.freefan.net".to_owned(), a, &[]),
        ("xd.0a1b.7.bt.node.js".to_owned(), txt, &["node-ipc-dns-data"]),
        ("xd.0a1b.7.bt.node.js".to_owned(), a, &[]),
        ("dnslog-cdn-images.freemyip.com".to_owned(), txt, &["shopsprint-decimal-poll"]),
        ("someone.freemyip.com".to_owned(), txt, &[]),
        ("_acme-challenge.app.example.org".to_owned(), txt, &[]),
    ] {
        let question = NameBuf::from_text(name.as_bytes()).expect("a name");
        let fired = ids(&indicators, &ExchangeFacts::query(None, question.as_name(), kind));
        assert_eq!(fired, expected, "{name}, type {kind}");
        let ending = Ending::of(question.as_name()).map(|ending| ending.two);
        let may_meet = indicators.signatures.may_meet_question(kind, ending);
        assert!(may_meet || expected.is_empty(), "{name}, type {kind} is passed over");
    }
    for ordinary in ["www.example.org", "registry.yarnpkg.com", "s1._domainkey.example.org", "mail.example"] {
        let question = NameBuf::from_text(ordinary.as_bytes()).expect("a name");
        for kind in kinds {
            assert!(ids(&indicators, &ExchangeFacts::query(None, question.as_name(), kind)).is_empty());
        }
        let ending = Ending::of(question.as_name()).map(|ending| ending.two);
        assert!(
            !indicators.signatures.may_meet_question(a, ending),
            "nearly every question is judged by none"
        );
    }
}

#[test]
fn requests_of_frameworks_are_told_from_others() {
    let indicators = load_builtin().indicators;
    const IE11: &str = "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko";
    const CHROME: &str =
        "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/96.0.4664.110 Safari/537.36";
    for (method, target, host, agent, fields, expected) in [
        ("POST", "/submit.php?id=4711", "a.example", IE11, &[][..], &["cobalt-strike-submit"][..]),
        ("POST", "/submit.php?id=1", "a.example", IE11, &[("Content-Type", "multipart/form-data; x")], &[]),
        ("GET", "/submit.php?id=4711", "a.example", IE11, &[], &[]),
        ("GET", "/__utm.gif", "a.example", IE11, &[("Cookie", "c2Vzc2lvbg==")], &["cobalt-strike-get"]),
        ("GET", "/__utm.gif?utmwv=5.7.2", "www.google-analytics.com", IE11, &[], &[]),
        ("GET", "/__utm.gif", "ssl.google-analytics.com", IE11, &[], &[]),
        ("GET", "/ga.js", "www.google-analytics.com", IE11, &[], &[]),
        ("GET", "/jquery-3.3.1.min.js", "code.example", CHROME, &[], &[]),
        ("GET", "/pixel.gif", "ads.example", CHROME, &[], &[]),
        ("GET", "/news.php", "a.example", IE11, &[("Cookie", "session=c2Vzc2lvbg==")], &["empire-request"]),
        ("GET", "/news.php", "a.example", IE11, &[("Cookie", "a=b"), ("Referer", "http://a.example/")], &[]),
        ("GET", "/news.php", "a.example", CHROME, &[("Cookie", "a=b")], &[]),
        ("POST", "/", "a.example", CHROME, &[("Content-Type", "*/*")], &["havoc-request"]),
        ("POST", "/", "a.example", CHROME, &[("Content-Type", "text/plain")], &[]),
        ("POST", "/", "a.example", "curl/8.5.0", &[("Content-Type", "*/*")], &[]),
        (
            "POST",
            "/x",
            "a.example",
            "curl/8.5.0",
            &[("X-Filename", "tpcp.tar.gz")],
            &["litellm-secrets-sent"],
        ),
        ("POST", "/x", "a.example", "curl/8.5.0", &[("X-Filename", "backup.tar.gz")], &[]),
        (
            "PUT",
            "/repos/a/s1ngularity-repository-0/contents/x",
            "api.github.com",
            "node",
            &[],
            &["nx-s1ngularity-push"],
        ),
        ("GET", "/repos/a/s1ngularity-repository-0/contents/x", "api.github.com", "node", &[], &[]),
        ("GET", "/search/commits?q=firedalazer", "api.github.com", "node", &[], &["nx-console-poll"]),
        ("GET", "/search/commits?q=fire", "api.github.com", "node", &[], &[]),
        ("POST", "/api/public/otel/v1/traces", "collector.example", "node", &[], &[]),
        ("POST", "/upload/v2", "codecov.io", "curl/8.5.0", &[], &[]),
    ] {
        let request = Request {
            method: method.into(),
            target: target.into(),
            host: Some(host.into()),
            user_agent: Some(agent.into()),
            headers: fields
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
                .collect::<Headers>(),
            ..Request::default()
        };
        assert_eq!(fired(&indicators, &request, None), expected, "{method} {host}{target}");
    }
}

#[test]
fn answers_of_frameworks_are_told_from_others() {
    let indicators = load_builtin().indicators;
    const NO_STORE: (&str, &str) = ("Cache-Control", "no-store, no-cache, must-revalidate");
    for (status, fields, expected) in [
        (404, &[NO_STORE, ("Content-Length", "0")][..], &["sliver-not-found"][..]),
        (404, &[NO_STORE, ("Content-Length", "0"), ("Pragma", "no-cache")], &[]),
        (404, &[NO_STORE, ("Content-Length", "0"), ("Server", "Apache")], &[]),
        (404, &[NO_STORE, ("Content-Length", "19")], &[]),
        (200, &[NO_STORE, ("Content-Length", "0")], &[]),
        (200, &[("X-Havoc", "true")], &["havoc-header"]),
        (200, &[("X-Havoc", "false")], &[]),
    ] {
        let request = Request { method: b"GET".into(), target: b"/".into(), ..Request::default() };
        let headers = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let response = Response { status, headers, ..Response::default() };
        assert_eq!(fired(&indicators, &request, Some(response)), expected, "{status} {fields:?}");
    }
    for (subject, issuer, serial, port, expected) in [
        ("C=US, CN=any", "C=US, CN=any", "08bb00ee", 443, &["cobalt-strike-certificate"][..]),
        ("C=US, CN=any", "C=US, CN=any", "8bb00ee0", 443, &[]),
        ("CN=multiplayer", "O=x, CN=operators", "01", 31337, &["sliver-multiplayer-certificate"]),
        ("CN=multiplayer", "CN=Example CA", "01", 443, &[]),
        ("CN=any", "CN=MetasploitSelfSignedCA", "01", 443, &["metasploit-certificate"]),
        ("O=Mythic, CN=mythic", "O=Mythic", "01", 7443, &["mythic-certificate"]),
        ("O=Mythic Beasts, CN=www", "O=Example CA", "01", 7443, &[]),
        ("O=Mythic, CN=www", "O=Mythic", "01", 443, &[]),
        ("O=Pajfds, OU=Jethpro, CN=P18055077", "CN=P18055077", "01", 443, &["poshc2-certificate"]),
        ("CN=AsyncRAT Server", "CN=AsyncRAT Server", "01", 6606, &["asyncrat-certificate"]),
        ("CN=Async Server", "CN=Async Server", "01", 6606, &[]),
        ("C=US, O=wolfSSL, CN=www.wolfssl.com", "O=Sawtooth", "01", 443, &[]),
    ] {
        let certificate = Certificate {
            subject: subject.to_owned(),
            issuer: issuer.to_owned(),
            serial: serial.to_owned(),
            ..Certificate::default()
        };
        let remote = ("198.51.100.7".parse().expect("address"), port);
        let facts = ExchangeFacts::certificate(remote, None, &certificate);
        assert_eq!(ids(&indicators, &facts), expected, "{subject} at {port}");
    }
}

#[test]
fn urls_are_exact_and_shared_services_are_not_claimed() {
    let indicators = load_builtin().indicators;
    let url = |host: &str, port, target: &str| {
        let mut hits = Vec::new();
        indicators.url(host.as_bytes(), port, target.as_bytes(), &mut hits);
        hits.len()
    };
    let gist = "/nikitastupin/30e525b776c409e03c2d6f328f254965/raw/memdump.py";
    assert_eq!(url("gist.githubusercontent.com", 443, gist), 1);
    assert_eq!(url("gist.githubusercontent.com", 443, "/nikitastupin/30e525b776c409e03c2d6f328f254965"), 0);
    assert_eq!(url("webhook.site", 443, "/bb8ca5f6-4175-45d2-b042-fc9ebb8170b7"), 2, "URL and path");
    assert_eq!(url("webhook.site", 443, "/00000000-4175-45d2-b042-fc9ebb8170b7"), 0);
    assert_eq!(url("citationsherbe.at", 443, "/sdd.dll"), 1);
    assert_eq!(url("citationsherbe.at", 443, "/sdd.exe"), 0, "never was there");
    assert_eq!(url("any.example", 80, "/upload/v2"), 0, "the genuine uploader's path");
    assert_eq!(url("any.example", 443, "/api/public/otel/v1/traces"), 0, "any collector's path");
    for (_, claim) in indicators.claims() {
        assert!(!matches!(claim.kind, Kind::Ja3 | Kind::Ja4), "{claim} would accuse a runtime");
    }
    let year_before = Timestamp::from_parts(1_710_460_800, 0);
    let of_2025 = |claim: &Claim<'_>| &*claim.provenance.campaign == "tj-actions-2025-03";
    let of_2025: Vec<_> = indicators.claims().filter(|(_, claim)| of_2025(claim)).collect();
    assert!(!of_2025.is_empty());
    for (id, claim) in of_2025 {
        assert!(indicators.judge(id, AsOf::Packet, year_before).is_none(), "{claim} in March 2024");
    }
}
