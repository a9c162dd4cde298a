use super::*;
use crate::{
    detect::{DnsTunnel, finding::Detector},
    indicator::{Rung, Severity, load_builtin},
    protocol::dns::NameBuf,
    time::SECOND,
};

const A: u16 = 1;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const RESOLVER: &str = "10.0.0.2";

/// The detectors with a clock.
struct Desk {
    questions: Questions,
    knowledge: Knowledge,
    assets: Assets,
    names: Names,
    now: i64,
    found: Vec<Finding>,
}

/// What answers a question.
#[derive(Clone, Copy)]
enum Answer {
    /// Records of so many bytes.
    Records(usize),
    Address([u8; 4]),
    NoSuchName,
}

impl Desk {
    fn new() -> Self {
        Self {
            questions: Questions::default(),
            knowledge: load_builtin(),
            assets: Assets::default(),
            names: Names::default(),
            now: 1_700_000_000 * SECOND,
            found: Vec::new(),
        }
    }

    /// A question and its answer, `seconds` after the one before.
    fn ask(&mut self, seconds: f64, client: &str, server: &str, name: &str, kind: u16, answer: Answer) {
        self.now += (seconds * 1e9) as i64;
        let name = NameBuf::from_text(name.as_bytes()).unwrap();
        let labels: Vec<_> = name.as_name().labels().map(|label| 1 + label.len()).collect();
        let ending_at = labels.iter().rev().skip(2).sum::<usize>() as u8;
        let question = 12 + name.as_name().wire().len() + 5;
        let ip = |text: &str| AddressWords::from(text.parse::<IpAddr>().unwrap());
        let mut tell = |is_response: bool, records: usize, code: u8, addresses: &[(AddressWords, u32)]| {
            let facts = DnsFacts {
                ending: name_ending(name.as_name()),
                bytes: (question + records) as u16,
                kind,
                ending_at,
                code,
                recursion_desired: true,
            };
            let time = Timestamp::from_nanos(self.now);
            let (client, server, tenant) = (ip(client), ip(server), Tenant::default());
            let about = QuietHead { time, tenant, client, server, port: 53, is_response, facts };
            let quiet = QuietDns { packet: 1, about: &about, name: name.as_name(), addresses };
            let scene = Scene { assets: &self.assets, names: &self.names, knowledge: &self.knowledge };
            if let Some(sifted) = self.questions.sift_quiet(&quiet) {
                self.questions.quiet(&quiet, sifted, &scene, &mut |finding| self.found.push(finding));
            }
        };
        tell(false, 0, 0, &[]);
        match answer {
            Answer::Records(bytes) => tell(true, bytes, 0, &[]),
            Answer::Address(octets) => {
                tell(true, 16, 0, &[(AddressWords::v4(u32::from_be_bytes(octets)), 60)])
            }
            Answer::NoSuchName => tell(true, 60, 3, &[]),
        }
    }

    fn finish(mut self) -> Vec<Finding> {
        let scene = Scene { assets: &self.assets, names: &self.names, knowledge: &self.knowledge };
        self.questions.finish(&scene, &mut |finding| self.found.push(finding));
        self.found
    }

    /// The worst and the last of what was told of tunnels.
    #[track_caller]
    fn tunnel(self) -> Option<(Severity, Option<Rung>, DnsTunnel, Vec<String>)> {
        let found = self.finish();
        let tunnels: Vec<_> =
            found.into_iter().filter(|found| found.detector == Detector::DnsTunnel).collect();
        let worst = tunnels.iter().map(|found| found.severity).max()?;
        let last = tunnels.into_iter().last()?;
        Some((worst, last.rung, last.dns_tunnel.unwrap(), last.why))
    }
}

/// Characters that look random, the same every time.
fn random(number: u64, alphabet: &[u8], length: usize) -> String {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        alphabet[(state >> 33) as usize % alphabet.len()] as char
    };
    (0..length).map(|_| next()).collect()
}

const BASE32: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
const HEX: &[u8] = b"0123456789abcdef";

#[test]
fn short_names_with_large_answers_are_a_tunnel() {
    let mut desk = Desk::new();
    for number in 0..100 {
        let name = format!("{}.t.lab.example.com", random(number, BASE32, 8));
        desk.ask(1.0, "10.0.0.5", RESOLVER, &name, TXT, Answer::Records(250));
    }
    let (severity, rung, tunnel, why) = desk.tunnel().unwrap();
    assert_eq!((severity, rung), (Severity::High, Some(Rung::Active)));
    assert_eq!(&*tunnel.domain, "example.com");
    // The first only raised the suspicion.
    assert_eq!((tunnel.queries, tunnel.distinct_names, tunnel.record_types), (99, 99, vec![(TXT, 99)]));
    assert_eq!((tunnel.bytes_out, tunnel.bytes_in), (99 * (9 + 2 + 4), 99 * 250));
    assert!(
        why[0].starts_with("99 of 99 names under example.com never asked before, TXT only, answers"),
        "{why:?}"
    );
}

#[test]
fn the_same_names_again_and_again_are_none() {
    let mut desk = Desk::new();
    for number in 0..300 {
        let name = format!("{}.example.com", random(number % 5, BASE32, 50));
        desk.ask(1.0, "10.0.0.5", RESOLVER, &name, TXT, Answer::Records(250));
    }
    assert_eq!(desk.tunnel(), None);
}

#[test]
fn words_are_worth_less_than_data() {
    let told = |label: &dyn Fn(u64) -> String| {
        let mut desk = Desk::new();
        for number in 0..40 {
            let name = format!("{}.example.com", label(number));
            desk.ask(2.0, "10.0.0.5", RESOLVER, &name, A, Answer::NoSuchName);
        }
        desk.tunnel().map(|(severity, ..)| severity)
    };
    assert_eq!(told(&|number| random(number, BASE32, 56)), Some(Severity::Medium));
    let words = |number| format!("department-of-administration-printers-building-{number}");
    assert!(told(&words) < Some(Severity::Medium));
}

#[test]
fn a_zone_that_is_called_as_a_top_level_domain_hides_nothing() {
    let told = |kind, answer| {
        let mut desk = Desk::new();
        for number in 0..100 {
            let length = if kind == A { 44 } else { 8 };
            let name = format!("{}.io.example.com", random(number, BASE32, length));
            desk.ask(1.0, "10.0.0.5", RESOLVER, &name, kind, answer);
        }
        desk.tunnel().map(|(severity, ..)| severity)
    };
    assert_eq!(told(TXT, Answer::Records(250)), Some(Severity::High));
    assert_eq!(told(A, Answer::NoSuchName), Some(Severity::Medium));
}

#[test]
fn slow_pieces_are_followed_through_the_half_lives_of_counters() {
    let mut desk = Desk::new();
    for number in 0..120 {
        let name = format!("{}.example.com", random(number, HEX, 60));
        desk.ask(55.0, "10.0.0.5", RESOLVER, &name, A, Answer::Address([203, 0, 113, 1]));
    }
    let (severity, rung, tunnel, _) = desk.tunnel().unwrap();
    assert_eq!((severity, rung), (Severity::Medium, Some(Rung::Active)));
    assert_eq!(tunnel.queries, 119);
}

#[test]
fn two_address_families_are_one_look_up() {
    let mut desk = Desk::new();
    for number in 0..60 {
        let name = format!("{}.example.com", random(number, BASE32, 60));
        desk.ask(1.0, "10.0.0.5", RESOLVER, &name, A, Answer::NoSuchName);
        desk.ask(0.001, "10.0.0.5", RESOLVER, &name, AAAA, Answer::NoSuchName);
    }
    let (severity, _, tunnel, _) = desk.tunnel().unwrap();
    assert_eq!((severity, tunnel.distinct_names), (Severity::Medium, 59));
    assert!(tunnel.queries >= 118);
}

#[test]
fn names_that_lead_to_connections_are_hosts() {
    let told = |connects: bool| {
        let mut desk = Desk::new();
        for number in 0..60_u8 {
            let name = format!("{}.edge.example.com", random(number.into(), BASE32, 50));
            desk.ask(1.0, "10.0.0.5", RESOLVER, &name, A, Answer::Address([198, 51, 100, number]));
            if connects {
                desk.questions.tunnels.contacted(Tenant::default(), "10.0.0.5".parse().unwrap(), {
                    let name = NameBuf::from_text(b"example.com").unwrap();
                    let wire = name.as_name().wire().to_vec();
                    let start = desk.questions.sieve.machine(Tenant::default(), AddressWords::default());
                    folded_hash(start, &wire, 0, wire.len())
                });
            }
        }
        desk.tunnel().map(|(severity, ..)| severity)
    };
    assert_eq!(told(false), Some(Severity::Medium));
    assert!(told(true) < Some(Severity::Medium));
}

#[test]
fn names_under_no_domain_are_one_tunnel() {
    let mut desk = Desk::new();
    for number in 0..40 {
        let name = format!("dnscat.{}01beef{}", random(number, HEX, 4), random(number, HEX, 20));
        desk.ask(1.0, "10.0.0.5", "203.0.113.53", &name, TXT, Answer::Records(40));
    }
    let (severity, _, tunnel, why) = desk.tunnel().unwrap();
    assert_eq!((severity, &*tunnel.domain), (Severity::High, "."));
    assert!(why[0].contains("under no domain") && why[0].ends_with("built like dnscat2"), "{why:?}");
}

#[test]
fn what_the_allow_list_names_is_not_counted() {
    let mut desk = Desk::new();
    for number in 0..60 {
        let name = format!("{}.{}.sophosxl.net", random(number, BASE32, 60), random(number, BASE32, 40));
        desk.ask(1.0, "10.0.0.5", RESOLVER, &name, TXT, Answer::Records(30));
    }
    assert_eq!(desk.questions.counters().allowed, 59);
    assert_eq!(desk.tunnel(), None);
}

#[test]
fn questions_to_a_server_of_ours_from_outside_say_nothing() {
    let mut desk = Desk::new();
    for number in 0..60 {
        let name = format!("{}.example.com", random(number, BASE32, 60));
        desk.ask(0.1, "203.0.113.9", "10.0.0.53", &name, TXT, Answer::NoSuchName);
    }
    assert!(desk.finish().is_empty());
}

#[test]
fn a_tunnel_is_told_seldom() {
    let mut desk = Desk::new();
    for number in 0..5_000 {
        let name = format!("{}.example.com", random(number, BASE32, 100 % 61));
        desk.ask(0.5, "10.0.0.5", RESOLVER, &name, TXT, Answer::Records(100));
    }
    let found = desk.finish();
    assert!((3..12).contains(&found.len()), "{} findings", found.len());
    assert_eq!(
        found.last().and_then(|found| found.dns_tunnel.as_ref()).map(|tunnel| tunnel.queries),
        Some(4_999)
    );
}

#[test]
fn failing_domains_of_words_are_no_algorithms() {
    let told = |label: &dyn Fn(u64) -> String| {
        let mut desk = Desk::new();
        for number in 0..150 {
            desk.ask(3.0, "10.0.0.5", RESOLVER, &format!("{}.net", label(number)), A, Answer::NoSuchName);
        }
        let found = desk.finish();
        found.iter().filter(|found| found.detector == Detector::Dga).map(|found| found.severity).max()
    };
    assert_eq!(told(&|number| random(number, b"abcdefghijklmnopqrstuvwxyz", 14)), Some(Severity::Medium));
    assert_eq!(told(&|number| format!("track-advertising{number}")), None);
}
