//! SIGHUP and changed files while the program reads from a pipe.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdin, Command},
};

use callhome::limits::BATCH_FRAMES;
use serde_json::Value;

use crate::{
    cases::of_type,
    cli::command,
    frames::{ACK, FIN, PSH, SYN, Timed, pcap, tcp, udp},
    replay::{pcap as capture, root},
    schema::assert_valid,
};

/// Frames of one machine's connection, see [`unit`].
const UNIT: usize = 8;
/// Machines of one stretch: enough that a stretch goes through whatever waits for more before it is looked at.
const STRETCH: usize = 3_000;

/// The program, reading from a pipe.
struct Sensor {
    child: Child,
    pipe: ChildStdin,
    errors: BufReader<ChildStderr>,
    folder: tempfile::TempDir,
    machines: usize,
}

impl Sensor {
    /// With a list of these lines.
    fn start(list: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("list.txt"), list).unwrap();
        let (indicators, events) = (folder.path().join("list.txt"), folder.path().join("events.json"));
        let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> =
            vec![&"replay", &"-", &"--json", &events, &"--indicators", &indicators];
        arguments.extend(more.iter().map(|argument| argument as &dyn AsRef<std::ffi::OsStr>));
        let mut command = command(&arguments);
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        pipe.write_all(&pcap(&[])).unwrap();
        Self { child, pipe, errors, folder, machines: 0 }
    }

    fn list(&self) -> PathBuf {
        self.folder.path().join("list.txt")
    }

    /// The next line on standard error, which must have these words.
    #[track_caller]
    fn says(&mut self, words: &str) {
        let mut line = String::new();
        self.errors.read_line(&mut line).unwrap();
        assert!(line.starts_with("callhome: ") && line.contains(words), "{line:?} without {words:?}");
    }

    fn hang_up(&self) {
        let kill = format!("kill -HUP {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Traffic of as many machines as make a stretch, half of which goes to each of two addresses.
    fn stretch(&mut self) {
        let frames: Vec<_> = (0..STRETCH).flat_map(|number| unit(self.machines + number)).collect();
        let first = self.machines * UNIT;
        let timed: Vec<_> =
            (first as i64..).zip(frames).map(|(at, bytes)| Timed::at(at * 1_000_000, bytes)).collect();
        self.pipe.write_all(&pcap(&timed)[24..]).unwrap();
        self.machines += STRETCH;
    }

    /// The events of all of it.
    fn finish(mut self) -> Vec<Value> {
        drop(self.pipe);
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.errors, &mut rest).unwrap();
        assert_eq!(rest, "");
        assert!(self.child.wait().unwrap().success());
        let text = fs::read_to_string(self.folder.path().join("events.json")).unwrap();
        text.lines().map(assert_valid).collect()
    }
}

/// The address that machine `number` connects to.
const fn server(number: usize) -> &'static str {
    if number.is_multiple_of(2) { "198.51.100.1:80" } else { "198.51.100.2:80" }
}

/// A connection that is closed, with large segments, and datagrams behind it.
fn unit(number: usize) -> Vec<Vec<u8>> {
    let client = format!("10.1.{}.{}:40000", number / 250, number % 250 + 1);
    let (server, payload) = (server(number), [b'x'; 1_000]);
    let mut frames = vec![
        tcp(&client, server, SYN, 0, 0, &[]),
        tcp(server, &client, SYN | ACK, 0, 1, &[]),
        tcp(&client, server, ACK | PSH, 1, 1, &payload),
        tcp(server, &client, ACK | PSH, 1, 1_001, &payload),
        tcp(&client, server, FIN | ACK, 1_001, 1_001, &[]),
        tcp(server, &client, FIN | ACK, 1_001, 1_002, &[]),
    ];
    frames.resize(UNIT, udp("10.9.9.9:5000", "10.9.9.8:5001", &payload));
    frames
}

/// The machines that alerts tell of, by the number of their connection's first packet, and what each reached.
fn alerted(events: &[Value]) -> Vec<(u64, String, String)> {
    let words = |event: &Value| {
        let packet = event["pcap_cnt"].as_u64().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (packet, text(&event["src_ip"]), text(&event["callhome"]["rung"]))
    };
    of_type(events, "alert").map(words).collect()
}

/// What must be told when the first address is listed in packets up to `borders[0]`, the second up to the next one,
/// and so on in turns.
fn expected(machines: usize, borders: &[u64]) -> Vec<(u64, String, String)> {
    let mut alerts = Vec::new();
    for number in 0..machines {
        let first = (number * UNIT) as u64 + 1;
        let listed = borders.iter().filter(|border| **border <= first).count() % 2;
        if listed == number % 2 {
            let machine = format!("10.1.{}.{}", number / 250, number % 250 + 1);
            alerts.push((first, machine.clone(), "attempted".to_owned()));
            alerts.push((first + 3, machine, "contacted".to_owned()));
        }
    }
    alerts
}

fn health(events: &[Value]) -> Vec<&Value> {
    of_type(events, "health").collect()
}

#[test]
fn a_hang_up_exchanges_the_list_between_two_packets() {
    let mut sensor = Sensor::start("198.51.100.1\n", &[]);
    sensor.stretch();
    fs::write(sensor.list(), "198.51.100.2\n198.51.100.77\nno address\n").unwrap();
    sensor.hang_up();
    sensor.says("indicators read again: 2 entries of 1 file, 1 not taken; generation 2");
    sensor.stretch();
    fs::write(sensor.list(), "198.51.100.1\n").unwrap();
    sensor.hang_up();
    sensor.says("1 entry of 1 file; generation 3");
    sensor.stretch();
    let machines = sensor.machines;
    let events = sensor.finish();
    let turns = health(&events);
    let borders: Vec<_> = turns.iter().map(|event| event["pcap_cnt"].as_u64().unwrap()).collect();
    assert_eq!(borders.len(), 2);
    assert!(borders.iter().all(|border| border % BATCH_FRAMES as u64 == 1), "{borders:?}");
    // Each within the stretch during which it was asked for, or the next one.
    let stretch = (STRETCH * UNIT) as u64;
    assert!(borders[0] <= 2 * stretch && (stretch..).contains(&borders[1]), "{borders:?}");
    assert!(alerted(&events) == expected(machines, &borders));
    for (event, (generation, entries)) in turns.iter().zip([(2, 2), (3, 1)]) {
        let health = &event["health"];
        assert_eq!((&health["subject"], &health["state"]), (&"indicators".into(), &"ok".into()));
        assert_eq!((&health["generation"], &health["entries"]), (&generation.into(), &entries.into()));
    }
    let stats = of_type(&events, "stats").next().unwrap();
    assert_eq!(
        stats["stats"]["indicators"],
        serde_json::json!({"generation": 3, "reloads": 2, "reload_failures": 0})
    );
}

#[test]
fn a_list_that_is_broken_or_shrunken_leaves_the_last_good_one() {
    let good = |address: &str| {
        let names: String = (0..150).map(|number| format!("n{number}.example\n")).collect();
        format!("{address}\n{names}")
    };
    let mut sensor = Sensor::start(&good("198.51.100.1"), &["--threads", "2"]);
    sensor.stretch();
    let faults: [(&[u8], &str, &str); 3] = [
        (b"\0\0\0\0", "broken", "not a text file"),
        (b"198.51.100.2\n", "shrunken", "1 of 151 entries are left"),
        (b"<html>\n<p>Service unavailable</p>\n</html>\n", "shrunken", "0 of 151 entries are left"),
    ];
    for (bytes, _, reason) in faults {
        fs::write(sensor.list(), bytes).unwrap();
        sensor.hang_up();
        sensor.says(&format!("generation 1 stays: {}: {reason}", sensor.list().display()));
    }
    fs::remove_file(sensor.list()).unwrap();
    sensor.hang_up();
    sensor.says("cannot be read: No such file");
    sensor.stretch();
    fs::write(sensor.list(), good("198.51.100.2")).unwrap();
    sensor.hang_up();
    sensor.says("151 entries of 1 file; generation 2");
    sensor.stretch();
    let (machines, list) = (sensor.machines, sensor.list());
    let events = sensor.finish();
    let told = health(&events);
    let words: Vec<_> = told.iter().map(|event| event["health"]["fault"].as_str().unwrap_or("-")).collect();
    assert_eq!(words, ["broken", "shrunken", "shrunken", "broken", "-"]);
    for (event, (_, _, reason)) in told.iter().zip(faults) {
        assert_eq!(event["health"]["state"], "degraded");
        assert_eq!(event["health"]["reason"], reason);
        assert_eq!(event["health"]["file"], list.to_str().unwrap());
        assert_eq!((&event["health"]["generation"], &event["health"]["entries"]), (&1.into(), &151.into()));
    }
    let border = told[4]["pcap_cnt"].as_u64().unwrap();
    assert!(alerted(&events) == expected(machines, &[border]), "what was refused changed nothing");
    let stats = of_type(&events, "stats").next().unwrap();
    assert_eq!(
        stats["stats"]["indicators"],
        serde_json::json!({"generation": 2, "reloads": 1, "reload_failures": 4})
    );
}

#[test]
fn files_that_are_watched_are_read_when_they_have_changed() {
    let mut sensor = Sensor::start("198.51.100.1\n", &["--reload-indicators"]);
    sensor.stretch();
    // As a careful downloader does it.
    let new = sensor.folder.path().join("new");
    fs::write(&new, "198.51.100.2\n").unwrap();
    fs::rename(&new, sensor.list()).unwrap();
    sensor.says("1 entry of 1 file; generation 2");
    sensor.stretch();
    let machines = sensor.machines;
    let events = sensor.finish();
    let border = health(&events)[0]["pcap_cnt"].as_u64().unwrap();
    assert!(alerted(&events) == expected(machines, &[border]));
}

#[test]
fn captures_are_read_under_one_list() {
    let refused = |arguments: &[&dyn AsRef<std::ffi::OsStr>], words: &str| {
        let output = command(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(words) && error.lines().count() == 1, "{error}");
    };
    let (file, packs) = (capture("dns-41.pcap"), root().join("signatures"));
    refused(&[&"replay", &file, &"--indicators", &packs, &"--reload-indicators"], "from - or a pipe");
    refused(&[&"replay", &"-", &"--reload-indicators"], "name files with --indicators");
}

#[test]
fn what_is_built_in_is_not_read_again() {
    let mut child = command(&[&"replay", &"-"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(&pcap(&[])).unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    // Until it waits for the signal that ends it.
    while caught(&child).is_none_or(|caught| caught & 1 == 0) {
        std::thread::yield_now();
    }
    assert!(
        Command::new("sh").args(["-c", &format!("kill -HUP {}", child.id())]).status().unwrap().success()
    );
    errors.read_line(&mut line).unwrap();
    assert!(line.contains("SIGHUP: the indicators are built in and stay"), "{line}");
    pipe.write_all(&fs::read(capture("dns-41.pcap")).unwrap()[24..]).unwrap();
    drop(pipe);
    assert!(child.wait().unwrap().success());
}

/// The signals that a process catches, the first one in the lowest bit.
fn caught(child: &Child) -> Option<u64> {
    let status = File::open(Path::new("/proc").join(child.id().to_string()).join("status")).ok()?;
    let line =
        BufReader::new(status).lines().map_while(Result::ok).find(|line| line.starts_with("SigCgt:"))?;
    u64::from_str_radix(line.trim_start_matches("SigCgt:").trim(), 16).ok()
}
