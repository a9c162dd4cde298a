//! Floods: every table that the network can fill stays within its cap of `src/limits.rs`, and says what it lost.

use std::{collections::BTreeSet, fs, net::Ipv4Addr, sync::Arc};

use callhome::{
    asset::{Assets, DEFAULT_HOME},
    engine::{Analysis, AnalysisOptions, Finished},
    event::EventOptions,
    incident::Incident,
    indicator::{AsOf, load_builtin},
    limits,
    observation::{ObservationBatch, Observer, ObserverOptions},
    report::FindingCounts,
};

use crate::{
    frames::{
        ACK, PSH, SYN, Timed, batch, connection, dns_answer, dns_question, dns_question_for, home,
        ipv4_fragment, tcp, udp,
    },
    replay::root,
};

const SECOND: i64 = 1_000_000_000;
/// A time at which the axios pack is valid: 2026-03-31.
const START: i64 = 1_774_920_000 * SECOND;

/// What a flood left behind.
struct Flooded {
    counters: Vec<(&'static str, u64)>,
    incidents: Vec<Incident>,
    findings: FindingCounts,
}

impl Flooded {
    #[track_caller]
    fn counter(&self, name: &str) -> u64 {
        let found = self.counters.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("{name} is not counted")).1
    }
}

/// Frames through an observer and an analysis, as the program has them, with as many records as observations.
struct Flood<'s> {
    observer: Observer,
    analysis: Analysis<'s>,
    observed: ObservationBatch,
    waiting: Vec<Timed>,
    next: u64,
}

impl Flood<'_> {
    fn new(options: ObserverOptions) -> Self {
        let home = DEFAULT_HOME.iter().map(|network| network.parse().unwrap()).collect();
        let analysis = AnalysisOptions {
            assets: Assets::new(home, Vec::new()),
            as_of: AsOf::Packet,
            records: true,
            events: EventOptions::default(),
            screen: true,
        };
        Self {
            observer: Observer::new(options),
            analysis: Analysis::new(Arc::new(load_builtin()), analysis, None),
            observed: ObservationBatch::default(),
            waiting: Vec::new(),
            next: 1,
        }
    }

    /// A frame at `nanos` after the start.
    fn frame(&mut self, nanos: i64, bytes: Vec<u8>) {
        self.waiting.push(Timed::at(START + nanos, bytes));
        if self.waiting.len() == limits::BATCH_FRAMES {
            self.observe();
        }
    }

    fn observe(&mut self) {
        self.observed.clear();
        self.observer.observe(&batch(&self.waiting, self.next), None, None, &mut self.observed);
        self.analysis.take(std::slice::from_ref(&self.observed)).unwrap();
        self.next += self.waiting.len() as u64;
        self.waiting.clear();
    }

    /// A counter while the flood goes on.
    #[track_caller]
    fn counter(&self, name: &str) -> u64 {
        let counters = self.observer.counters().list();
        counters.iter().find(|(known, _)| *known == name).unwrap().1
    }

    fn finish(mut self) -> Flooded {
        self.observe();
        self.observed.clear();
        while self.observer.finish(&mut self.observed) {}
        self.analysis.take(std::slice::from_ref(&self.observed)).unwrap();
        let counters = self.observer.counters().list();
        let mut finished = Finished { counters, span: self.observer.span() };
        self.analysis.finish(&mut finished).unwrap();
        Flooded {
            counters: finished.counters,
            incidents: self.analysis.incidents().to_vec(),
            findings: self.analysis.findings(),
        }
    }
}

fn flood() -> Flood<'static> {
    Flood::new(ObserverOptions::default())
}

// ---- flow ------------------------------------------------------------------------------------------

#[test]
fn flows_beyond_the_table_put_out_others() {
    // The whole table would take a debug build too long; its size is the only difference.
    let mut flood = Flood::new(ObserverOptions { flows: 2_000, ..ObserverOptions::default() });
    for number in 0..20_000_u32 {
        let client = format!("{}:{}", home(number / 60_000), 1_024 + number % 60_000);
        flood.frame(i64::from(number) * 1_000, tcp(&client, "203.0.113.9:443", SYN, number, 0, &[]));
        if number % 4_096 == 4_095 {
            assert!(flood.counter("flow.active") <= 2_000);
        }
    }
    let left = flood.finish();
    assert_eq!(left.counter("flow.total"), 20_000);
    assert_eq!(left.counter("flow.evicted"), 18_000);
    assert_eq!(left.findings.total(), 0);
}

#[test]
fn a_connection_outlives_a_flood_of_syns() {
    // What waits for its handshake goes first: an established connection has a later timer.
    let mut flood = Flood::new(ObserverOptions { flows: 500, ..ObserverOptions::default() });
    let (client, server) = ("10.0.0.5:50000", "142.11.206.73:8000");
    let request = b"POST /6202033 HTTP/1.1\r\nHost: sfrclak.com:8000\r\nContent-Length: 25\r\n\r\npackages.npm.org/product2";
    let mut frames =
        connection(client, server, request, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let rest = frames.split_off(3);
    frames.into_iter().for_each(|frame| flood.frame(0, frame));
    for number in 0..5_000_u32 {
        let stranger = format!("198.51.100.7:{}", 1_024 + number);
        flood.frame(1_000 + i64::from(number), tcp(&stranger, "10.0.0.80:22", SYN, 0, 0, &[]));
    }
    rest.into_iter().for_each(|frame| flood.frame(SECOND, frame));
    let left = flood.finish();
    assert!(left.counter("flow.evicted") >= 4_000);
    let evidence = format!("{:?}", left.incidents[0].rungs);
    assert!(evidence.contains("The attacker's server answered the dropper"), "{evidence}");
}

#[test]
fn fragments_that_never_complete_are_given_up() {
    let mut flood = flood();
    let first_of = |number: u16, offset: u16, bytes: &[u8]| {
        let source = Ipv4Addr::new(10, 0, (number >> 8) as u8, number as u8);
        ipv4_fragment(source, Ipv4Addr::new(192, 0, 2, 1), 17, number, 0x2000 | offset, bytes)
    };
    // More datagrams than may wait.
    for number in 0..3_000 {
        flood.frame(i64::from(number), first_of(number, 0, &[0; 64]));
    }
    // More bytes than may wait: 900 datagrams of 43 fragments, 1400 bytes each.
    for number in 0..200 {
        for piece in 0..43 {
            flood.frame(10_000 + i64::from(number), first_of(10_000 + number, 8 + piece * 175, &[0; 1_400]));
        }
    }
    // More pieces than one datagram may have.
    for piece in 0..300 {
        flood.frame(20_000, first_of(60_000, 2 * piece, &[0; 8]));
    }
    let left = flood.finish();
    assert_eq!(left.counter("defrag.fragments"), 3_000 + 200 * 43 + 300);
    // 1024 wait at most; of the large ones, some 60 KB each, 4 MiB hold 70.
    let evicted = left.counter("defrag.evicted");
    assert!(evicted >= 3_000 - 1_024 + 200 - 70, "{evicted} given up");
    assert_eq!(left.counter("defrag.too_many"), 1);
    assert_eq!(left.counter("defrag.reassembled"), 0);
}

#[test]
fn holes_in_streams_hold_no_more_than_the_budget() {
    let mut flood = flood();
    let connections = 2 * (limits::REASSEMBLY_BYTES / limits::REASSEMBLY_SIDE_BYTES) as u32;
    let payload = [b'x'; 4_000];
    for number in 0..connections {
        let client = format!("10.1.{}.{}:40000", number >> 8, number & 255);
        flood.frame(i64::from(number), tcp(&client, "203.0.113.9:443", SYN, 0, 0, &[]));
    }
    // Everything but the first byte, which never comes.
    for piece in 0..15 {
        for number in 0..connections {
            let client = format!("10.1.{}.{}:40000", number >> 8, number & 255);
            let sequence = 2 + piece * payload.len() as u32;
            flood.frame(SECOND, tcp(&client, "203.0.113.9:443", ACK, sequence, 1, &payload));
        }
    }
    let left = flood.finish();
    // Twice what may be held came. A stream that is refused gives up its hole and what waited behind it.
    let (came, refused) = (left.counter("tcp.out_of_order"), left.counter("tcp.reassembly_budget_refused"));
    assert!(came > (limits::REASSEMBLY_BYTES / payload.len()) as u64, "{came} out of order");
    assert!(refused > 100, "{refused} refused: the budget of all was reached");
    assert!(left.counter("tcp.reassembly_gap") >= refused);
}

#[test]
fn a_side_with_a_hole_gives_up_waiting() {
    let mut flood = flood();
    let (client, server) = ("10.0.0.5:50000", "203.0.113.9:80");
    flood.frame(0, tcp(client, server, SYN, 0, 0, &[]));
    // Single bytes with a hole after each: more pieces than may wait, then as many bytes as may not.
    for piece in 0..200 {
        flood.frame(1, tcp(client, server, ACK, 3 + 2 * piece, 1, b"x"));
    }
    for piece in 0..100 {
        flood.frame(2, tcp(client, server, ACK, 1_000 + 1_400 * piece, 1, &[b'x'; 1_399]));
    }
    let left = flood.finish();
    assert!(left.counter("tcp.reassembly_side_overflows") > 0);
    assert_eq!(left.counter("tcp.reassembly_budget_refused"), 0, "one side does not reach the budget of all");
}

// ---- protocol --------------------------------------------------------------------------------------

#[test]
fn messages_without_an_end_end() {
    let mut flood = flood();
    let mut stream = |port: u16, server: &str, opening: &[u8], filler: &[u8]| {
        let client = format!("10.0.0.5:{port}");
        flood.frame(0, tcp(&client, server, SYN, 0, 0, &[]));
        flood.frame(1, tcp(server, &client, SYN | ACK, 0, 1, &[]));
        flood.frame(2, tcp(&client, server, ACK | PSH, 1, 1, opening));
        let mut sequence = 1 + opening.len() as u32;
        // A megabyte, far more than any message may hold.
        for _ in 0..750 {
            flood.frame(3, tcp(&client, server, ACK, sequence, 1, filler));
            sequence += filler.len() as u32;
        }
    };
    stream(1, "203.0.113.9:80", b"GET / HTTP/1.1\r\nHost: a.example\r\n", &b"X-Filler: x\r\n".repeat(107));
    stream(2, "203.0.113.9:80", b"GET /", &[b'a'; 1_400]);
    stream(
        3,
        "203.0.113.9:80",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        &b"1\r\nx\r\n".repeat(230),
    );
    // A TLS handshake message of 16 MB, in records of 16 KB.
    stream(4, "203.0.113.9:443", &[22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff, 3, 3], &[0; 1_400]);
    // DNS messages of 65,535 bytes.
    stream(5, "203.0.113.9:53", &[0xff, 0xff, 0, 1, 1, 0, 0, 1], &[0; 1_400]);
    // Requests without end, of which nobody answers one.
    stream(
        6,
        "203.0.113.9:80",
        b"GET /first HTTP/1.1\r\nHost: a.example\r\n\r\n",
        &b"GET /again HTTP/1.1\r\nHost: a.example\r\n\r\n".repeat(35),
    );
    let left = flood.finish();
    // Each of the 26,251 requests is an observation, and besides them only a few things are.
    let requests = 1 + 750 * 35;
    let observations = left.counter("detect.observations");
    assert!((requests..requests + 100).contains(&observations), "{observations} observations");
    assert_eq!(left.counter("flow.total"), 6);
}

// ---- detection -------------------------------------------------------------------------------------

#[test]
fn names_beyond_the_table_are_forgotten() {
    let mut flood = flood();
    let in_one_answer = 40;
    let answers = (limits::NAMES / in_one_answer) as u32 + 500;
    for number in 0..answers {
        let addresses: Vec<_> = (0..in_one_answer as u32)
            .map(|one| Ipv4Addr::from(0xc612_0000 + (number * 40 + one) % 0x0002_0000))
            .collect();
        // Another client after every 128 Ki addresses.
        let client = format!("{}:40000", home(1 + number * 40 / 0x0002_0000));
        let message = dns_answer(number as u16, &[b"pool", b"example"], &addresses);
        flood.frame(i64::from(number) * 1_000, udp("10.0.0.2:53", &client, &message));
    }
    let left = flood.finish();
    assert_eq!(left.counter("names.active"), limits::NAMES as u64);
    let evicted = left.counter("names.evicted");
    assert!(evicted >= 19_000, "{evicted} forgotten");
}

#[test]
fn victims_beyond_the_tables_are_told_and_closed() {
    let mut flood = flood();
    // The largest of the tables that they fill.
    let victims = limits::ALERT_RATES as u32 + 3_000;
    let question = dns_question(1, &[b"sfrclak", b"com"]);
    for number in 0..victims {
        let client = format!("{}:40000", home(number + 256));
        flood.frame(i64::from(number) * 1_000, udp(&client, "192.0.2.53:53", &question));
    }
    let left = flood.finish();
    assert_eq!(left.counter("incident.total"), u64::from(victims), "every victim is told of");
    let kept = limits::INCIDENTS as u64;
    assert_eq!(left.counter("incident.evicted"), u64::from(victims) - kept);
    assert_eq!(left.counter("machines.active"), limits::MACHINES as u64);
    assert_eq!(left.counter("machines.evicted"), u64::from(victims) - limits::MACHINES as u64);
    assert_eq!(left.findings.total(), u64::from(victims));
    // What was said to whom, and how often: two tables of the same size.
    assert_eq!(left.counter("detect.evicted"), 2 * 3_000);
    // The summary lists as many that ended early as can be open in the end; events told of all.
    assert_eq!(left.counter("incident.unlisted"), u64::from(victims) - 2 * kept);
    let assets: BTreeSet<_> = left.incidents.iter().map(|incident| incident.asset.address).collect();
    assert_eq!(assets.len() as u64, 2 * kept, "each its own");
}

#[test]
fn one_machine_that_never_stops_is_counted_on() {
    let mut flood = flood();
    // Another name below the indicator every second: every look-up is news.
    let lookups = 3 * limits::ALERTS_PER_HOUR;
    for number in 0..lookups {
        let label = format!("n{number}");
        let question = dns_question(number as u16, &[label.as_bytes(), b"sfrclak", b"com"]);
        flood.frame(i64::from(number) * SECOND, udp("10.0.0.5:40000", "10.0.0.2:53", &question));
    }
    let left = flood.finish();
    // 3,000 seconds are less than an hour.
    // One more says at low severity that it is 3,000 names, each asked for once.
    assert_eq!(left.counter("detect.alert"), u64::from(limits::ALERTS_PER_HOUR) + 1);
    assert_eq!(left.counter("detect.alerts_suppressed"), u64::from(lookups - limits::ALERTS_PER_HOUR));
    let [incident] = left.incidents.as_slice() else { panic!("{} incidents", left.incidents.len()) };
    let [rung] = incident.rungs.as_slice() else { panic!("{:?}", incident.rungs) };
    assert_eq!(rung.count, u64::from(lookups), "the incident counts what is not told one by one");
    assert_eq!(rung.evidence.len(), limits::EVIDENCE_LINES);
}

#[test]
fn names_and_domains_without_end_are_followed_as_far_as_there_is_room() {
    let mut flood = flood();
    // A tunnel, and between each two of its questions so many for other names that it would be forgotten if the oldest
    // went first: two under each of ever new domains, so that all of them are followed.
    let (tunnel, others) = (200, 1_000_u32);
    let mut ask = |number: u32, at: u32, labels: &[&[u8]]| {
        let client = format!("{}:40000", home(number % 50));
        flood.frame(
            i64::from(at) * 1_000_000,
            udp(&client, "10.0.0.2:53", &dns_question_for(number as u16, labels, 16)),
        );
    };
    for turn in 0..tunnel {
        let at = turn * others;
        let data =
            format!("{:040x}", u128::from(turn).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834));
        ask(5, at, &[data.as_bytes(), b"t", b"tunnel", b"example"]);
        for other in 0..others {
            let number = at + other;
            let (name, domain) = (format!("a{number}"), format!("d{}", number / 2));
            ask(number / 2, number, &[name.as_bytes(), domain.as_bytes(), b"com"]);
        }
    }
    let left = flood.finish();
    assert_eq!(left.counter("dns_tunnel.active"), 0, "all are over at the end");
    let evicted = left.counter("dns_tunnel.evicted");
    assert!(evicted > 50_000, "{evicted} forgotten");
    assert_eq!(left.findings.total(), left.counter("detect.alert"));
    let domains: Vec<_> = left.incidents.iter().map(|incident| &*incident.campaign).collect();
    assert_eq!(domains, ["tunnel.example"]);
}

#[test]
fn flows_to_an_attacker_beyond_what_is_remembered_are_counted() {
    let mut flood = flood();
    let flows = limits::FLOW_RUNGS as u32 + 1_000;
    for number in 0..flows {
        let client = format!("{}:{}", home(5 + number / 60_000), 1_024 + number % 60_000);
        flood.frame(i64::from(number) * 1_000, tcp(&client, "142.11.206.73:8000", SYN, 0, 0, &[]));
    }
    let left = flood.finish();
    assert_eq!(left.counter("detect.alert"), 2 * u64::from(limits::ALERTS_PER_HOUR), "two machines");
    assert_eq!(left.counter("detect.evicted"), 1_000);
    assert_eq!(left.incidents.len(), 2);
    assert_eq!(left.incidents[0].destinations.len(), 1);
}

#[test]
fn destinations_of_one_machine_are_named_up_to_a_number() {
    let mut flood = flood();
    // The campaign's path at many hosts: a signature of its own each.
    let request = b"GET /6202033 HTTP/1.1\r\nHost: many.example\r\n\r\n";
    for number in 0..200_u32 {
        let server = format!("203.0.113.{number}:8000");
        for frame in
            connection("10.0.0.5:50000", &server, request, b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
        {
            flood.frame(i64::from(number) * SECOND, frame);
        }
    }
    let left = flood.finish();
    let [incident] = left.incidents.as_slice() else { panic!("{} incidents", left.incidents.len()) };
    assert_eq!(incident.destinations.len(), 32);
    assert!(incident.rungs.iter().all(|rung| rung.evidence.len() <= limits::EVIDENCE_LINES));
}

// ---- the caps themselves -----------------------------------------------------------------------------

#[test]
fn every_limit_is_kept_somewhere() {
    let source = root().join("src");
    let mut code = String::new();
    read_below(&source, &mut code);
    let limits = fs::read_to_string(source.join("limits.rs")).unwrap();
    let names = limits.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let unused: Vec<_> = names.filter(|name| !code.contains(name)).collect();
    assert!(unused.is_empty(), "limits that nothing keeps: {unused:?}");
}

fn read_below(folder: &std::path::Path, code: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_below(&path, code);
        } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("limits.rs") {
            code.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
