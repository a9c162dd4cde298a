//! Indicators that are exchanged while traffic goes on: every packet sees one generation whole, and what is open is
//! asked about again.

use std::{fs, net::Ipv4Addr, sync::Arc};

use callhome::{
    config::Config,
    engine::{Analysis, AnalysisOptions, Border, Finished, Generation, Reload, Turn},
    event::EventOptions,
    indicator::{AsOf, Knowledge, Loader, load_builtin},
    limits::BATCH_FRAMES,
    observation::{ObservationBatch, Observer, ObserverOptions, Screen},
    output::EventSink,
};
use serde_json::Value;

use crate::{
    cases::of_type,
    determinism::{assert_same, damaged},
    frames::{
        ACK, FIN, PSH, SYN, Timed, batch, client_hello, connection, dns_answer, dns_question, pcap, read,
        tcp, udp, write,
    },
    replay::{Replay, root},
    schema::assert_valid,
};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_774_920_000 * SECOND;
const RESOLVER: &str = "10.0.0.53:53";

/// Frames that go into one batch, all of them under one generation.
type Part = Vec<Vec<u8>>;

fn knowledge(list: &str) -> Arc<Knowledge> {
    let mut loader = Loader::default();
    loader.bytes("list.txt", list.as_bytes());
    let knowledge = loader.finish();
    assert_eq!(knowledge.report.rejected(), 0, "{}", knowledge.report);
    Arc::new(knowledge)
}

/// A turn to `knowledge`.
fn turn(number: usize, knowledge: &Arc<Knowledge>) -> Turn {
    let generation = Generation { number: number as u64, knowledge: Arc::clone(knowledge) };
    Turn { reloads: vec![Reload::Taken(generation)], ..Turn::default() }
}

/// The parts one after the other, a minute apart, each filled up to a batch.
fn timeline(parts: &[Part]) -> Vec<Timed> {
    let mut frames = Vec::new();
    for (number, part) in (0..).zip(parts) {
        assert!(part.len() <= BATCH_FRAMES);
        let mut part = part.clone();
        part.resize(BATCH_FRAMES, udp("10.9.9.9:5000", "10.9.9.8:5001", b"nothing"));
        let time = |place: i64| START + number * 60 * SECOND + place * 1_000_000;
        frames.extend((0..).zip(part).map(|(place, bytes)| Timed::at(time(place), bytes)));
    }
    frames
}

/// What became of `parts`, each under the list at its place: the same for any number of workers, with and without
/// records and short cuts.
fn swapped(parts: &[Part], lists: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "x.pcap", &pcap(&timeline(parts)));
    let lists: Vec<_> = lists.iter().map(|list| knowledge(list)).collect();
    let mut first: Option<String> = None;
    for threads in [1, 3] {
        for (records, shortcuts) in [(false, true), (true, true), (false, false)] {
            let replay = Replay { threads, records, shortcuts };
            let mut next = 0;
            let replayed = replay.with_turns(Arc::clone(&lists[0]), std::slice::from_ref(&file), &mut || {
                next += 1;
                // Before the first batch there is none.
                lists.get(next - 1).filter(|_| next > 1).map(|knowledge| turn(next, knowledge))
            });
            let is_told = |line: &&str| ["alert", "incident", "health"].iter().any(|kind| is_of(line, kind));
            let told: String =
                replayed.text.lines().filter(is_told).map(|line| format!("{line}\n")).collect();
            assert_eq!(replayed.counter("indicators.generation"), lists.len() as u64);
            let expected = first.get_or_insert_with(|| told.clone());
            assert!(*expected == told, "{threads} {records} {shortcuts}:\n{expected}\n{told}");
        }
    }
    first.unwrap().lines().map(assert_valid).collect()
}

fn is_of(line: &str, kind: &str) -> bool {
    line.contains(&format!("\"event_type\":\"{kind}\""))
}

/// Alerts in a few words: the packet, the rung, what was compared with what.
fn alerts(events: &[Value]) -> Vec<String> {
    let words = |event: &Value| {
        let (note, indicator) = (&event["callhome"], &event["callhome"]["indicator"]);
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        format!(
            "{} {} {} {}",
            event["pcap_cnt"],
            text(&note["rung"]),
            text(&indicator["field"]),
            text(&indicator["value"])
        )
    };
    of_type(events, "alert").map(words).collect()
}

/// The number of the first packet of part `number`.
fn first_of(number: u64) -> u64 {
    number * BATCH_FRAMES as u64 + 1
}

/// A question, its answer, and a connection that is closed: eight frames of one machine.
fn unit(number: usize, name: &[u8], address: Ipv4Addr) -> Part {
    let machine = format!("10.1.{}.{}", number / 250, number % 250 + 1);
    let (stub, client) = (format!("{machine}:5353{}", number % 2), format!("{machine}:40000"));
    let server = format!("{address}:80");
    let labels = [name, b"example"];
    let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let (asked, answered) = (1 + request.len() as u32, 9);
    vec![
        udp(&stub, RESOLVER, &dns_question(1, &labels)),
        udp(RESOLVER, &stub, &dns_answer(1, &labels, &[address])),
        tcp(&client, &server, SYN, 0, 0, &[]),
        tcp(&server, &client, SYN | ACK, 0, 1, &[]),
        tcp(&client, &server, ACK | PSH, 1, 1, request),
        tcp(&server, &client, ACK | PSH, 1, asked, b"HTTP/1.0"),
        tcp(&client, &server, FIN | ACK, asked, answered, &[]),
        tcp(&server, &client, FIN | ACK, answered, asked + 1, &[]),
    ]
}

#[test]
fn packets_in_flight_see_one_generation_or_the_other() {
    let subjects: [(&[u8], u8); 4] = [(b"old", 1), (b"new", 2), (b"both", 3), (b"none", 4)];
    let units = BATCH_FRAMES / 8;
    let parts: Vec<Part> = (0..4)
        .map(|part| {
            let unit = |place: usize| {
                let (name, address) = subjects[place % subjects.len()];
                unit(part * units + place, name, Ipv4Addr::new(198, 51, 100, address))
            };
            (0..units).flat_map(unit).collect()
        })
        .collect();
    let old = "old.example\n198.51.100.1\nboth.example\n198.51.100.3\n";
    let new = "new.example\n198.51.100.2\nboth.example\n198.51.100.3\n";
    let (all_old, all_new) = (swapped(&parts, &[old]), swapped(&parts, &[new]));
    for border in 1..4_u64 {
        let lists: Vec<_> = (0..4).map(|part| if part < border { old } else { new }).collect();
        // The same list again in the middle is one generation more and changes nothing.
        let found = swapped(&parts, &lists);
        let is_before = |event: &&Value| event["pcap_cnt"].as_u64().unwrap() < first_of(border);
        let before = of_type(&all_old, "alert").filter(is_before);
        let after = of_type(&all_new, "alert").filter(|event| !is_before(event));
        let expected: Vec<_> = before.chain(after).collect();
        assert!(expected.len() > 3_000, "{} alerts", expected.len());
        let found_alerts: Vec<_> = of_type(&found, "alert").collect();
        assert!(expected == found_alerts, "{} alerts, expected {}", found_alerts.len(), expected.len());

        // The same of each machine's incident.
        let closed = |events: &[Value]| {
            let closes = of_type(events, "incident").filter(|event| event["incident"]["action"] == "close");
            closes.map(|event| event["incident"].clone()).collect::<Vec<_>>()
        };
        let evidence = |incident: &Value| incident["rungs"][0]["evidence"][0]["pcap_cnt"].as_u64().unwrap();
        let mut expected = closed(&all_old);
        expected.retain(|incident| evidence(incident) < first_of(border));
        expected
            .extend(closed(&all_new).into_iter().filter(|incident| evidence(incident) >= first_of(border)));
        let mut found = closed(&found);
        for incidents in [&mut expected, &mut found] {
            incidents.sort_by_key(|incident| incident["id"].as_str().unwrap().to_owned());
        }
        assert!(expected == found, "incidents with the border before part {border}");
    }
}

#[test]
fn the_same_lists_again_change_nothing() {
    let mut frames = read(&[root().join("pcaps")]);
    frames.truncate(6_000);
    let lists = [Arc::new(load_builtin()), Arc::new(load_builtin())];
    for (records, screens) in [(true, true), (false, true), (false, false)] {
        let run = |turns: bool| {
            let turn_at = |batch: usize| turns.then(|| turn(batch + 1, &lists[batch % 2]));
            let text = in_batches(&frames, &lists[0], records, screens, turn_at);
            let is_told = |line: &&str| !is_of(line, "stats") && !is_of(line, "health");
            text.lines().filter(is_told).map(|line| format!("{line}\n")).collect::<String>()
        };
        let (without, with) = (run(false), run(true));
        assert!(without.contains("\"executed\"") && without.contains("\"active\""));
        if without != with {
            let differing = without.lines().zip(with.lines()).find(|(one, other)| one != other);
            panic!("records {records}, screens {screens}: {differing:#?}");
        }
    }
}

/// Borders every 2,048 frames of damaged traffic, between indicators and none: whoever reads them, by whichever way.
#[test]
fn threads_and_short_cuts_change_nothing_across_borders() {
    let folder = tempfile::tempdir().unwrap();
    let file = [write(folder.path(), "damaged.pcap", &pcap(&damaged()))];
    let lists = [Arc::new(load_builtin()), knowledge(NOTHING)];
    for records in [true, false] {
        let run = |threads, shortcuts| {
            let mut batches = 0;
            let replay = Replay { threads, records, shortcuts };
            replay.with_turns(Arc::clone(&lists[0]), &file, &mut || {
                batches += 1;
                Some(turn(batches, &lists[batches % 2]))
            })
        };
        let reference = run(1, false).text;
        let executed = reference.matches("\"executed\"").count();
        assert!(executed > 0 && reference.matches("\"health\"").count() > 4);
        for (threads, shortcuts) in [(1, true), (3, true), (3, false)] {
            let found = run(threads, shortcuts).text;
            assert_same(&reference, &found, &format!("{threads} threads, {shortcuts}, records {records}"));
        }
    }
}

/// The events of `frames` that are handed over 40 at a time, with a turn before each batch where there is one.
fn in_batches(
    frames: &[Timed],
    first: &Arc<Knowledge>,
    records: bool,
    screens: bool,
    turn_at: impl Fn(usize) -> Option<Turn>,
) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.json");
    let mut sink = EventSink::create(&file, &[]).unwrap();
    let options = AnalysisOptions {
        assets: Config::default().assets(),
        as_of: AsOf::Packet,
        records,
        events: EventOptions::default(),
        screen: screens,
    };
    let mut analysis = Analysis::new(Arc::clone(first), options, Some(&mut sink));
    let mut observer =
        Observer::new(ObserverOptions { dns_flows: records, shortcuts: screens, ..Default::default() });
    let screen =
        |knowledge: &Arc<Knowledge>| (screens && !records).then(|| Arc::clone(knowledge) as Arc<dyn Screen>);
    if let Some(screen) = screen(first) {
        observer = observer.with_screen(screen);
    }
    let mut observed = ObservationBatch::default();
    let mut next = 1;
    for (number, piece) in frames.chunks(40).enumerate() {
        if let Some(turn) = turn_at(number) {
            observer.begin_generation(turn.generation().and_then(|one| screen(&one.knowledge)));
            analysis.turn(&Border { turn, first: Some((next, piece[0].time)) }).unwrap();
        }
        observed.clear();
        observer.observe(&batch(piece, next), None, None, &mut observed);
        analysis.take(std::slice::from_ref(&observed)).unwrap();
        next += piece.len() as u64;
    }
    observed.clear();
    while observer.finish(&mut observed) {}
    analysis.take(std::slice::from_ref(&observed)).unwrap();
    let mut finished = Finished { counters: observer.counters().list(), span: observer.span() };
    analysis.finish(&mut finished).unwrap();
    drop(analysis);
    sink.finish().unwrap();
    fs::read_to_string(&file).unwrap()
}

// ---- what is open --------------------------------------------------------------------------------

const CLIENT: &str = "10.0.0.5:40000";
const SERVER: &str = "198.51.100.9:443";
const NOTHING: &str = "elsewhere.example\n";

/// A connection of [`CLIENT`] to [`SERVER`] on which both have sent five bytes.
fn open_connection() -> Part {
    connection(CLIENT, SERVER, b"hello", b"howdy")
}

/// The next segment of it.
fn next_segment() -> Vec<u8> {
    tcp(CLIENT, SERVER, ACK | PSH, 6, 6, b"again")
}

#[test]
fn a_connection_is_told_at_its_next_packet_when_its_far_end_is_listed_now() {
    let events = swapped(&[open_connection(), vec![next_segment()]], &[NOTHING, "198.51.100.9\n"]);
    assert_eq!(alerts(&events), [format!("{} contacted flow.remote 198.51.100.9", first_of(1))]);
    let alert = of_type(&events, "alert").next().unwrap();
    assert_eq!(alert["src_ip"], "10.0.0.5");
    assert_eq!(alert["callhome"]["why"][0], "data both ways with 198.51.100.9:443");
    assert_eq!(
        alert["callhome"]["why"][1],
        "it began at 2026-03-31T01:20:00.000000Z, under earlier indicators"
    );
    let health = of_type(&events, "health").next().unwrap();
    assert_eq!((&health["pcap_cnt"], &health["health"]["generation"]), (&first_of(1).into(), &2.into()));
}

#[test]
fn a_connection_without_a_further_packet_is_told_at_its_end() {
    let events = swapped(&[open_connection(), vec![]], &[NOTHING, "198.51.100.9\n"]);
    assert_eq!(alerts(&events), ["null contacted flow.remote 198.51.100.9"]);
    // Nobody answered.
    let attempt = vec![tcp(CLIENT, SERVER, SYN, 0, 0, &[])];
    let events = swapped(&[attempt, vec![]], &[NOTHING, "198.51.100.9\n"]);
    assert_eq!(alerts(&events), ["null attempted flow.remote 198.51.100.9"]);
    let closed = of_type(&events, "incident").last().unwrap();
    let lines = closed["incident"]["rungs"][0]["evidence"].as_array().unwrap();
    assert!(
        lines.iter().any(|line| line["text"].as_str().unwrap().starts_with("no answer from")),
        "{lines:?}"
    );
}

#[test]
fn a_udp_flow_is_told_too() {
    let part = |payload: &[u8]| vec![udp(CLIENT, SERVER, payload), udp(SERVER, CLIENT, payload)];
    let events = swapped(&[part(b"one"), part(b"two")], &[NOTHING, "198.51.100.9\n"]);
    assert_eq!(alerts(&events), [format!("{} contacted flow.remote 198.51.100.9", first_of(1))]);
}

#[test]
fn the_name_that_led_there_may_be_what_is_listed_now() {
    let address = [Ipv4Addr::new(198, 51, 100, 9)];
    let labels: [&[u8]; 2] = [b"evil", b"example"];
    let mut by_dns = vec![
        udp("10.0.0.5:50000", RESOLVER, &dns_question(7, &labels)),
        udp(RESOLVER, "10.0.0.5:50000", &dns_answer(7, &labels, &address)),
    ];
    by_dns.extend(open_connection());
    let expected = [format!("{} contacted flow.name evil.example", first_of(1))];
    let events = swapped(&[by_dns, vec![next_segment()]], &[NOTHING, "evil.example\n"]);
    assert_eq!(alerts(&events), expected);

    let hello = client_hello(b"evil.example");
    let next = tcp(CLIENT, SERVER, ACK | PSH, 1 + hello.len() as u32, 6, b"again");
    let by_sni = connection(CLIENT, SERVER, &hello, b"howdy");
    let events = swapped(&[by_sni, vec![next]], &[NOTHING, "evil.example\n"]);
    assert_eq!(alerts(&events), expected);
}

#[test]
fn a_name_that_was_learned_before_counts_for_flows_that_begin_behind_the_border() {
    // More names than are looked at again in one batch, and machines that go there one batch after the other.
    let answer = |number: u16| {
        let name = if number % 100 == 99 { "evil".to_owned() } else { format!("good{number}") };
        let [high, low] = number.to_be_bytes();
        let address = Ipv4Addr::new(198, 18, high, low);
        let machine = format!("10.2.{high}.{low}:50000");
        udp(RESOLVER, &machine, &dns_answer(number, &[name.as_bytes(), b"example"], &[address]))
    };
    let syn = |number: u16| {
        let [high, low] = number.to_be_bytes();
        tcp(&format!("10.2.{high}.{low}:40000"), &format!("198.18.{high}.{low}:443"), SYN, 0, 0, &[])
    };
    let (first, second) = ((0..2_000).map(answer).collect(), (2_000..4_000).map(answer).collect());
    let mut parts: Vec<Part> = vec![first, second];
    // Sixteen of every hundred machines; one of them was led there by the listed name.
    let machines = |batch: u16| (batch * 500..batch * 500 + 500).filter(|number| number % 100 >= 84);
    parts.extend((0..8).map(|batch| machines(batch).map(syn).collect()));
    let mut lists = vec![NOTHING, NOTHING];
    lists.extend(["evil.example\n"; 8]);
    let expected: Vec<_> = (0..8_u64)
        .flat_map(|batch| (0..5).map(move |five| first_of(2 + batch) + five * 16 + 15))
        .map(|packet| format!("{packet} attempted flow.name evil.example"))
        .collect();
    assert_eq!(alerts(&swapped(&parts, &lists)), expected);
    // The list stays the same from then on.
    let mut once = vec![NOTHING, NOTHING];
    once.push("evil.example\n");
    let folder = tempfile::tempdir().unwrap();
    let file = [write(folder.path(), "x.pcap", &pcap(&timeline(&parts)))];
    for shortcuts in [true, false] {
        let replay = Replay { threads: 2, records: false, shortcuts };
        let lists: Vec<_> = once.iter().map(|list| knowledge(list)).collect();
        let mut next = 0;
        let replayed = replay.with_turns(Arc::clone(&lists[0]), &file, &mut || {
            next += 1;
            lists.get(next - 1).filter(|_| next > 1).map(|knowledge| turn(next, knowledge))
        });
        assert_eq!(alerts(&replayed.events()), expected);
    }
}

#[test]
fn what_was_told_is_not_told_again() {
    let both = "198.51.100.9\n";
    let events = swapped(&[open_connection(), vec![next_segment()], vec![]], &[both, both, both]);
    let rungs = ["1 attempted flow.remote 198.51.100.9", "5 contacted flow.remote 198.51.100.9"];
    assert_eq!(alerts(&events), rungs);
    // Nor by what lists it no longer.
    let events = swapped(&[open_connection(), vec![next_segment()], vec![]], &[both, NOTHING, NOTHING]);
    assert_eq!(alerts(&events), rungs);
}

#[test]
fn a_connection_that_was_over_is_left_to_those_under_which_it_ended() {
    let parts = [unit(1, b"x", Ipv4Addr::new(198, 51, 100, 9)), vec![]];
    assert_eq!(alerts(&swapped(&parts, &[NOTHING, "198.51.100.9\nx.example\n"])), [""; 0]);
}
