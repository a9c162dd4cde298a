use super::*;
use crate::{
    decode::{TenantKind, VlanStack},
    flow::{Direction, Endpoint, FiveTuple},
    indicator::Loader,
    observation::{DnsService, FirstPacket, FlowIdentity, Head, ObservationBatch, Order},
    protocol::{
        dns::sample::{self, Sample, wire},
        http, tls,
    },
};

const OURS: &str = "10.0.0.1:40000";
const THEIRS: &str = "192.0.2.66:8000";
const RESOLVER: &str = "10.0.0.53:53";

const PACK: &str = r#"
[pack]
id = "pack"
title = "A pack"
campaign = "pack"
[pack.references]
ONE = "https://one.example/"
[[indicator]]
value = "evil.example"
kind = "domain"
source = ["ONE"]
confidence = 70
[[indicator]]
value = "weak.example"
kind = "domain"
source = ["ONE"]
confidence = 40
[[indicator]]
value = "old.example"
kind = "domain"
source = ["ONE"]
confidence = 90
valid_until = 2000-01-01
[[indicator]]
value = "192.0.2.66"
kind = "address"
source = ["ONE"]
confidence = 90
[[indicator]]
value = "192.0.2.7"
kind = "address"
source = ["ONE"]
confidence = 90
[[indicator]]
value = "198.51.100.1"
kind = "address"
source = ["ONE"]
confidence = 90
alert = false
[[signature]]
id = "call"
title = "It called"
rung = "executed"
period_s = 60
source = ["ONE"]
confidence = 90
all = [ { field = "http.path", equals = "/call" } ]
[[sinkhole]]
values = ["192.0.2.7", "192.0.2.8"]
operator = "somebody"
reference = "https://one.example/"
[[allow]]
value = "allowed.example"
scope = "all"
reason = "ours"
"#;

/// A list that says more of one name, and that an old one is still bad.
const LIST: &str =
    "indicator,type,confidence,source\nevil.example,domain,95,TWO\nold.example,domain,65,TWO\n";

struct Bench {
    detection: Detection,
    names: Names,
    assets: Assets,
    packets: u64,
}

/// What is told of a finding: rung, severity, the indicator, and whether it was suppressed.
fn words(finding: &Finding) -> String {
    let rung = finding.rung.map_or("no rung", Rung::as_str);
    let value = finding.indicator.as_ref().map_or("", |indicator| &indicator.value);
    let suppressed = match finding.telling {
        Telling::Alert => "",
        Telling::Counted => " suppressed",
        Telling::Noted => " noted",
    };
    format!("{rung} {} {value}{suppressed}", finding.severity.as_str())
}

impl Bench {
    fn new(texts: &[(&str, &str)]) -> Self {
        Self::as_of(texts, AsOf::Packet)
    }

    fn as_of(texts: &[(&str, &str)], as_of: AsOf) -> Self {
        let mut loader = Loader::default();
        texts.iter().for_each(|(file, text)| loader.bytes(file, text.as_bytes()));
        let knowledge = loader.finish();
        assert_eq!(knowledge.report.rejected(), 0, "{}", knowledge.report);
        Self {
            detection: Detection::new(knowledge.shared(), as_of),
            names: Names::default(),
            assets: Assets::default(),
            packets: 0,
        }
    }

    /// A head of flow `id` between two ends, at `second`.
    fn head(&mut self, second: i64, id: u64, client: &str, server: &str, protocol: u8) -> Head {
        self.packets += 1;
        let end = |text: &str| {
            let end: std::net::SocketAddr = text.parse().unwrap();
            Endpoint { address: end.ip(), port: end.port() }
        };
        Head {
            order: Order { packet: self.packets, by_packet: true, due: 0, sequence: 0 },
            time: Timestamp::from_parts(1_700_000_000 + second, 0),
            flow: FlowIdentity {
                id,
                tuple: FiveTuple { client: end(client), server: end(server), protocol },
                tenant: Tenant { kind: TenantKind::Vni, key: 1 },
                vlan: VlanStack::default(),
                tunnel: None,
            },
            direction: Direction::ToServer,
            relayed: false,
        }
    }

    fn see(&mut self, fill: impl FnOnce(&mut ObservationBatch)) -> Vec<Finding> {
        let mut batch = ObservationBatch::default();
        fill(&mut batch);
        let mut found = Vec::new();
        for observation in batch.iter() {
            let Self { detection, names, assets, .. } = self;
            names.learn(&observation, &|name| detection.may_be_listed(name));
            detection.observe(&observation, assets, names, &mut |finding| found.push(finding));
        }
        found
    }

    fn opened(&mut self, id: u64, client: &str, server: &str, first: FirstPacket) -> Vec<String> {
        let head = self.head(0, id, client, server, 6);
        self.see(|batch| batch.flow_opened(head, first)).iter().map(words).collect()
    }

    fn exchange(&mut self, id: u64, client: &str, server: &str, first: FirstPacket) -> Vec<String> {
        let head = self.head(0, id, client, server, 6);
        self.see(|batch| batch.exchange(head, first)).iter().map(words).collect()
    }

    fn dns(&mut self, second: i64, message: &[u8]) -> Vec<Finding> {
        let head = self.head(second, 53, OURS, RESOLVER, 17);
        self.see(|batch| batch.dns(head, message, DnsService::Dns, false))
    }

    fn request(&mut self, second: i64, client: &str, server: &str, host: &str) -> Vec<Finding> {
        let head = self.head(second, second as u64, client, server, 6);
        let request = http::Request {
            method: b"GET".to_vec(),
            target: b"/call".to_vec(),
            host: Some(host.into()),
            ..http::Request::default()
        };
        self.see(|batch| batch.http_request(head, Arc::new(request)))
    }
}

fn bench() -> Bench {
    Bench::new(&[("pack.toml", PACK)])
}

#[test]
fn what_the_asset_opens_counts_and_what_is_opened_to_it_does_not() {
    use FirstPacket::{Datagram, Midstream, Syn, SynAck};
    for first in [Syn, SynAck, Midstream, Datagram] {
        let mut bench = bench();
        assert_eq!(bench.opened(1, OURS, THEIRS, first), ["attempted high 192.0.2.66"]);
        assert_eq!(bench.exchange(1, OURS, THEIRS, first), ["contacted high 192.0.2.66"]);
        assert!(bench.exchange(1, OURS, THEIRS, first).is_empty(), "the flow has shown it");
    }
    for first in [Syn, SynAck, Datagram] {
        let mut bench = bench();
        assert_eq!(bench.opened(1, THEIRS, OURS, first), ["no rung low 192.0.2.66"]);
        assert_eq!(bench.exchange(1, THEIRS, OURS, first), ["no rung low 192.0.2.66"]);
    }
    // In the middle of a connection between high ports nobody knows; a system port tells.
    assert_eq!(bench().exchange(1, THEIRS, OURS, Midstream), ["contacted high 192.0.2.66"]);
    assert_eq!(bench().exchange(1, THEIRS, "10.0.0.1:22", Midstream), ["no rung low 192.0.2.66"]);
}

#[test]
fn a_request_from_outside_is_no_implant_on_the_asset() {
    let found = bench().request(1, THEIRS, "10.0.0.1:80", "evil.example");
    assert_eq!(found.iter().map(words).collect::<Vec<_>>(), ["no rung low call"]);
    let found = bench().request(1, OURS, "192.0.2.9:80", "other.example");
    assert_eq!(found.iter().map(words).collect::<Vec<_>>(), ["executed critical call"]);
    let mut bench = bench();
    let head = bench.head(1, 1, "192.0.2.9:4000", "10.0.0.1:53", 17);
    let found = bench.see(|batch| batch.dns(head, &sample::query("evil.example", 1), DnsService::Dns, false));
    assert_eq!(found.iter().map(words).collect::<Vec<_>>(), ["no rung low evil.example"]);
}

#[test]
fn an_icmp_error_is_no_connection() {
    let mut bench = bench();
    for (kind, found) in [(8, 1), (3, 0), (11, 0)] {
        let head = bench.head(0, kind, &format!("10.0.0.1:{kind}"), "192.0.2.66:0", 1);
        let told = bench.see(|batch| batch.flow_opened(head, FirstPacket::Datagram));
        assert_eq!(told.len(), found, "type {kind}");
        assert!(told.iter().all(|finding| finding.evidence() == "ICMP message to 192.0.2.66"));
    }
}

#[test]
fn contact_with_a_sinkhole_stays_an_attempt() {
    let mut bench = bench();
    assert_eq!(bench.opened(1, OURS, "192.0.2.7:80", FirstPacket::Syn), ["attempted high 192.0.2.7"]);
    assert!(bench.exchange(1, OURS, "192.0.2.7:80", FirstPacket::Syn).is_empty());
    let answer = sample::response("evil.example", 1, &[192, 0, 2, 8]);
    let found = bench.dns(2, &answer);
    assert!(found[0].why[0].contains("sinkholed to 192.0.2.8"), "{:?}", found[0].why);
}

#[test]
fn all_sources_of_a_value_are_named_and_the_campaign_stays() {
    let mut bench = Bench::new(&[("pack.toml", PACK), ("list.csv", LIST)]);
    let found = bench.dns(0, &sample::query("evil.example", 1));
    assert_eq!(found.iter().map(words).collect::<Vec<_>>(), ["looked_up high evil.example"]);
    let indicator = found[0].indicator.as_ref().unwrap();
    assert!(indicator.source.contains("ONE") && indicator.source.contains("TWO"), "{}", indicator.source);
    assert_eq!(found[0].campaign.as_deref(), Some("pack"));
    assert!(found[0].why.iter().any(|line| line.contains("says the same of evil.example: confidence 95")));
}

#[test]
fn a_claim_that_is_over_stands_behind_one_that_holds() {
    let texts = [("pack.toml", PACK), ("list.csv", LIST)];
    let told = |texts: &[(&str, &str)], as_of| {
        let found = Bench::as_of(texts, as_of).dns(0, &sample::query("old.example", 1));
        found.iter().map(words).collect::<Vec<_>>()
    };
    assert!(told(&texts[..1], AsOf::Packet).is_empty());
    assert_eq!(told(&texts[..1], AsOf::Any), ["looked_up low old.example"]);
    assert_eq!(told(&texts, AsOf::Any), ["looked_up medium old.example"]);
}

#[test]
fn what_may_not_alert_alone_supports_others() {
    let mut bench = bench();
    assert!(bench.opened(1, OURS, "198.51.100.1:80", FirstPacket::Syn).is_empty());
    assert_eq!(bench.detection.counters().unsupported, 1);
    bench.dns(0, &sample::response("evil.example", 1, &[198, 51, 100, 1]));
    let head = bench.head(1, 2, OURS, "198.51.100.1:80", 6);
    let found = bench.see(|batch| batch.flow_opened(head, FirstPacket::Syn));
    // The name alerts by its own observation, the address with nothing beside it does not.
    assert_eq!(found.iter().map(words).collect::<Vec<_>>(), ["attempted medium evil.example"]);
}

#[test]
fn one_look_up_is_told_once_and_the_next_one_again() {
    let mut bench = bench();
    let (a, aaaa) = (sample::query("evil.example", 1), sample::query("evil.example", 28));
    assert_eq!(bench.dns(0, &a).len(), 1);
    assert!(bench.dns(0, &aaaa).is_empty());
    assert_eq!(bench.dns(0, &sample::response("evil.example", 1, &[192, 0, 2, 1])).len(), 1);
    // Every two seconds: each time that five have gone by.
    let told: usize = (1..=10).map(|turn| bench.dns(turn * 2, &a).len()).sum();
    assert_eq!(told, 3);
}

#[test]
fn tenants_do_not_share_look_ups() {
    let mut bench = bench();
    let query = sample::query("evil.example", 1);
    for tenant in [1, 2] {
        let mut head = bench.head(0, 53, OURS, RESOLVER, 17);
        head.flow.tenant = Tenant { kind: TenantKind::Vni, key: tenant };
        assert_eq!(bench.see(|batch| batch.dns(head, &query, DnsService::Dns, false)).len(), 1);
    }
}

#[test]
fn a_worse_grade_on_the_same_flow_is_told() {
    let mut bench = bench();
    let hello = |name: &str| Arc::new(tls::ClientHello { sni: Some(name.into()), ..Default::default() });
    let head = bench.head(0, 1, OURS, "192.0.2.9:443", 6);
    let told: Vec<_> = ["weak.example", "weak.example", "evil.example"]
        .into_iter()
        .flat_map(|name| bench.see(|batch| batch.tls_client(head, hello(name))))
        .map(|finding| words(&finding))
        .collect();
    assert_eq!(told, ["attempted low weak.example", "attempted medium evil.example"]);
}

#[test]
fn multicast_names_are_not_scored() {
    let mut bench = bench();
    for service in [DnsService::Mdns, DnsService::Llmnr] {
        let head = bench.head(0, 53, OURS, "224.0.0.251:5353", 17);
        let query = sample::query("evil.example", 1);
        assert!(bench.see(|batch| batch.dns(head, &query, service, false)).is_empty());
    }
}

#[test]
fn only_a_name_from_dns_weakens_what_an_implant_says() {
    // It calls itself whatever it likes.
    let found = bench().request(1, OURS, THEIRS, "allowed.example");
    assert_eq!(found[0].severity, Severity::Critical);
    assert_eq!(found[0].destination.name.as_ref().unwrap().source, NameSource::Host);
    let mut bench = bench();
    bench.dns(0, &sample::response("allowed.example", 1, &[192, 0, 2, 66]));
    assert_eq!(bench.opened(1, OURS, THEIRS, FirstPacket::Syn), ["attempted low 192.0.2.66"]);
}

#[test]
fn an_answer_is_judged_by_the_name_asked_for() {
    let listed = [192, 0, 2, 66];
    let told = bench().dns(0, &sample::response("some.example", 1, &listed));
    assert_eq!(told.iter().map(words).collect::<Vec<_>>(), ["looked_up high 192.0.2.66"]);
    let mut bench = bench();
    assert!(bench.dns(0, &sample::response("allowed.example", 1, &listed)).is_empty());
    assert_eq!(bench.detection.counters().allowed, 1);
    // An alias is a name of its own.
    let alias = Sample::new(0x8180, [1, 1, 0, 0])
        .question(&wire("some.example"), 1, 1)
        .record(&wire("some.example"), 5, 1, &wire("evil.example"))
        .build();
    assert_eq!(bench.dns(9, &alias).len(), 1);
}

#[test]
fn beyond_the_limit_findings_are_marked_and_still_handed_on() {
    let mut bench = bench();
    let limit = i64::from(limits::ALERTS_PER_HOUR);
    let mut suppressed = 0;
    for turn in 0..limit + 10 {
        let found = bench.request(1 + turn, OURS, "192.0.2.9:80", "other.example");
        suppressed += found.iter().filter(|finding| finding.telling == Telling::Counted).count();
        assert_eq!(found.len(), 1);
    }
    assert_eq!((suppressed, bench.detection.counters().suppressed), (10, 10));
    let later = &bench.request(4_000, OURS, "192.0.2.9:80", "other.example")[0];
    assert_eq!(later.telling, Telling::Alert, "an hour later");
}

#[test]
fn the_rhythm_makes_it_active_for_each_asset_alone() {
    let mut bench = bench();
    let told = |found: &[Finding]| found.iter().map(words).collect::<Vec<_>>();
    assert_eq!(told(&bench.request(0, OURS, THEIRS, "a.example")), ["executed critical call"]);
    assert_eq!(told(&bench.request(30, "10.0.0.2:1", THEIRS, "a.example")), ["executed critical call"]);
    assert_eq!(told(&bench.request(61, OURS, THEIRS, "a.example")), ["active critical call"]);
}

#[test]
fn what_a_proxy_hands_on_is_contact_and_its_own_errors_are_not() {
    let proxy = "10.0.0.8:3128";
    for (status, told) in [
        (200, Some("contacted medium evil.example")),
        (404, Some("contacted medium evil.example")),
        (503, None),
        (407, None),
    ] {
        let mut bench = bench();
        let head = bench.head(0, 1, OURS, proxy, 6);
        let request = Arc::new(http::Request {
            method: b"GET".to_vec(),
            target: b"http://evil.example/x".to_vec(),
            host: Some(b"evil.example".to_vec()),
            ..http::Request::default()
        });
        let asked = bench.see(|batch| batch.http_request(head, Arc::clone(&request)));
        assert_eq!(asked.iter().map(words).collect::<Vec<_>>(), ["attempted medium evil.example"]);
        let response = http::Response { request: Some(request), status, ..http::Response::default() };
        let answered = bench.see(|batch| batch.http_response(head, response));
        assert_eq!(answered.first().map(words).as_deref(), told, "{status}");
        // The proxy itself is called nothing.
        assert!(bench.opened(2, OURS, proxy, FirstPacket::Syn).is_empty());
    }
}

#[test]
fn an_address_to_which_a_harmless_name_led_is_weakened() {
    let more = "[pack]\nid = \"more\"\ntitle = \"more\"\n\
        [[allow]]\nvalue = \"vendor.example\"\nscope = [\"beacon\"]\nreason = \"the vendor\"\n\
        [[allow]]\nvalue = \"rented.example\"\nscope = [\"beacon\"]\nreason = \"r\"\nrisk = \"anybody\"\n\
        [[registry]]\necosystem = \"x\"\nnames = { \"example.org\" = [\"packages\"] }\n\
        [[well_known]]\nvalue = \"192.0.2.7\"\neffect = \"weaken\"\nwhat = \"a content network\"\n";
    let told = |name: &str, address: [u8; 4]| {
        let mut bench = Bench::new(&[("pack.toml", PACK), ("more.toml", more)]);
        bench.dns(0, &sample::response(name, 1, &address));
        let [a, b, c, d] = address;
        let head = bench.head(1, 2, OURS, &format!("{a}.{b}.{c}.{d}:443"), 6);
        let found = bench.see(|batch| batch.flow_opened(head, FirstPacket::Syn));
        (words(&found[0]), found[0].why.join("; "))
    };
    for (name, reason) in [("x.vendor.example", "the vendor"), ("packages.example.org", "a package registry")]
    {
        let (words, why) = told(name, [192, 0, 2, 66]);
        assert_eq!(words, "attempted low 192.0.2.66", "{name}");
        assert!(why.contains("harmless") && why.contains(reason), "{why}");
    }
    // Behind what can be rented anybody may stand, and another name says nothing.
    for name in ["x.rented.example", "other.example"] {
        assert_eq!(told(name, [192, 0, 2, 66]).0, "attempted high 192.0.2.66", "{name}");
    }
    let (words, why) = told("other.example", [192, 0, 2, 7]);
    assert_eq!(words, "attempted low 192.0.2.7");
    assert!(why.contains("many share what is listed: a content network"), "{why}");
}

#[test]
fn hits_on_claims_that_do_not_hold_are_counted() {
    let mut bench = bench();
    assert!(bench.dns(0, &sample::query("old.example", 1)).is_empty());
    assert_eq!(bench.detection.counters().out_of_date, 1);
    bench.dns(9, &sample::query("evil.example", 1));
    assert_eq!(bench.detection.counters().out_of_date, 1);
}

#[test]
fn another_name_in_the_hello_does_not_cover_up_the_one_that_led_there() {
    let told = |said: &str| {
        let mut bench = bench();
        bench.dns(0, &sample::response("evil.example", 1, &[192, 0, 2, 9]));
        let mut told = bench.opened(1, OURS, "192.0.2.9:443", FirstPacket::Syn);
        let hello = Arc::new(tls::ClientHello { sni: Some(said.into()), ..Default::default() });
        let head = bench.head(1, 1, OURS, "192.0.2.9:443", 6);
        told.extend(bench.see(|batch| batch.tls_client(head, hello)).iter().map(words));
        told.extend(bench.exchange(1, OURS, "192.0.2.9:443", FirstPacket::Syn));
        told
    };
    let expected = ["attempted medium evil.example", "contacted medium evil.example"];
    assert_eq!(told("harmless.example"), expected);
    assert_eq!(told("evil.example"), expected);
}
