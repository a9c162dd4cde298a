//! The same packets give byte-identical event files, whoever reads them, and however they are cut and packed.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use callhome::{
    config::Config,
    engine::{Analysis, AnalysisOptions, Finished},
    event::EventOptions,
    indicator::{AsOf, load_builtin},
    observation::{ObservationBatch, Observer, ObserverOptions},
    output::EventSink,
    time::Timestamp,
};

use crate::{
    frames::{Timed, batch, pcap, pcapng, read, write},
    replay::{Replay, pcap as capture, root, shared_captures},
};

/// Fails where the event files differ, and says at which line.
#[track_caller]
pub fn assert_same(expected: &str, found: &str, what: &str) {
    if expected == found {
        return;
    }
    let mut lines = expected.lines().zip(found.lines()).enumerate();
    match lines.find(|(_, (expected, found))| expected != found) {
        Some((line, (expected, found))) => {
            panic!("{what}: line {} is\n{found}\nand not\n{expected}", line + 1)
        }
        None => panic!("{what}: {} lines, not {}", found.lines().count(), expected.lines().count()),
    }
}

fn events(inputs: &[PathBuf]) -> String {
    Replay::default().of(inputs).text
}

/// Everything in `pcaps/`, with its link types, tunnels, fragments and files of every format.
fn everything() -> Vec<PathBuf> {
    vec![root().join("pcaps")]
}

/// The Ethernet frames of the project's captures as one timeline.
fn ethernet() -> Vec<Timed> {
    let frames = read(&everything());
    assert!(frames.len() > 10_000, "{} frames", frames.len());
    frames
}

#[test]
fn threads_change_nothing() {
    let one = events(&everything());
    assert!(one.lines().count() > 5_000, "{} events", one.lines().count());
    for threads in [2, 4, 7] {
        let more = Replay { threads, ..Replay::default() }.of(&everything()).text;
        assert_same(&one, &more, &format!("{threads} threads"));
    }
}

/// The fast path against the long way: every frame layer by layer, every message by the general reader, every
/// segment through the connection's whole state, every observation through every detector.
#[test]
fn short_cuts_change_nothing() {
    let mut inputs = vec![everything()];
    inputs.extend(shared_captures().map(|folder| vec![folder]));
    for inputs in inputs {
        for records in [true, false] {
            let fast = Replay { records, ..Replay::default() }.of(&inputs).text;
            let reference = Replay { records, shortcuts: false, threads: 1 }.of(&inputs).text;
            assert!(!records || fast.lines().count() > 1_000, "{} events", fast.lines().count());
            assert_same(&reference, &fast, &format!("records: {records}"));
        }
    }
}

/// [`ethernet`] with bytes changed, frames cut, repeated and swapped at random.
pub fn damaged() -> Vec<Timed> {
    let mut state = 3_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let mut frames = ethernet();
    for place in 0..frames.len() {
        let length = frames[place].bytes.len();
        match random(8) {
            0 if length > 0 => frames[place].bytes[random(length)] ^= 1 << random(8),
            1 if length > 0 => frames[place].bytes[random(length.min(80))] = random(256) as u8,
            2 => frames[place].bytes.truncate(random(length + 1)),
            3 => {
                let other = (place + random(50)).min(frames.len() - 1);
                let bytes = frames[other].bytes.clone();
                frames[place].bytes = bytes;
            }
            _ => {}
        }
    }
    frames
}

/// The same on damaged traffic.
#[test]
fn short_cuts_change_nothing_on_random_traffic() {
    let frames = damaged();
    let folder = tempfile::tempdir().unwrap();
    let file = [write(folder.path(), "damaged.pcap", &pcap(&frames))];
    for records in [true, false] {
        let fast = Replay { records, ..Replay::default() }.of(&file).text;
        let reference = Replay { records, shortcuts: false, threads: 1 }.of(&file).text;
        assert!(fast.contains("\"alert\""));
        assert_same(&reference, &fast, &format!("records: {records}"));
    }
}

#[test]
fn threads_change_nothing_without_records() {
    let replay = Replay { records: false, ..Replay::default() };
    let one = replay.of(&everything()).text;
    assert!(one.contains("\"alert\"") && !one.contains("\"event_type\":\"flow\""));
    let more = Replay { threads: 4, ..replay }.of(&everything()).text;
    assert_same(&one, &more, "4 threads");
}

#[test]
fn threads_change_nothing_on_captures_of_others() {
    let Some(folder) = shared_captures() else { return };
    let one = events(std::slice::from_ref(&folder));
    assert!(one.lines().count() > 1_000, "{} events", one.lines().count());
    for threads in [2, 5] {
        let more = Replay { threads, ..Replay::default() }.of(std::slice::from_ref(&folder)).text;
        assert_same(&one, &more, &format!("{threads} threads"));
    }
}

#[test]
fn one_file_and_its_pieces_are_the_same() {
    let frames = ethernet();
    let folder = tempfile::tempdir().unwrap();
    let whole = write(folder.path(), "whole.pcap", &pcap(&frames));
    let expected = events(&[whole]);

    let pieces = folder.path().join("pieces");
    fs::create_dir(&pieces).unwrap();
    let size = frames.len().div_ceil(10);
    let files: Vec<_> = frames
        .chunks(size)
        .enumerate()
        .map(|(number, piece)| write(&pieces, &format!("piece-{number}.pcap"), &pcap(piece)))
        .collect();
    assert_eq!(files.len(), 10);
    assert_same(&expected, &events(&files), "ten pieces");
    assert_same(&expected, &events(&[pieces]), "the folder of the pieces");
    let four = Replay { threads: 4, ..Replay::default() }.of(&files).text;
    assert_same(&expected, &four, "ten pieces and four threads");
}

#[test]
fn order_of_arguments_does_not_matter_where_files_lie_apart() {
    let folder = tempfile::tempdir().unwrap();
    // Times that differ, so that no file ends when the next one begins.
    let frames = one_by_one(ethernet());
    let size = frames.len().div_ceil(10);
    let mut files: Vec<_> = frames
        .chunks(size)
        .enumerate()
        .map(|(number, piece)| write(folder.path(), &format!("piece-{number}.pcap"), &pcap(piece)))
        .collect();
    let expected = events(&files);
    files.reverse();
    assert_same(&expected, &events(&files), "in reverse order");
    files.swap(1, 7);
    files.swap(3, 4);
    assert_same(&expected, &events(&files), "in no order");
}

#[test]
fn frames_dealt_out_to_ten_files_are_the_same_timeline() {
    let frames = one_by_one(ethernet());
    let folder = tempfile::tempdir().unwrap();
    let expected = events(&[write(folder.path(), "whole.pcap", &pcap(&frames))]);
    let files: Vec<_> = (0..10)
        .map(|number| {
            let dealt: Vec<_> = frames.iter().skip(number).step_by(10).cloned().collect();
            write(folder.path(), &format!("dealt-{number}.pcap"), &pcap(&dealt))
        })
        .collect();
    assert_same(&expected, &events(&files), "dealt out");
}

#[test]
fn pieces_that_end_and_begin_at_one_time_are_the_same() {
    // Frames of the captures at one time each hundred, so that every cut falls between equal times.
    let mut frames = ethernet();
    frames.truncate(2_000);
    for group in frames.chunks_mut(100) {
        let time = group[0].time;
        group.iter_mut().for_each(|frame| frame.time = time);
    }
    let folder = tempfile::tempdir().unwrap();
    let expected = events(&[write(folder.path(), "whole.pcap", &pcap(&frames))]);
    let (mut rest, mut files) = (frames.as_slice(), Vec::new());
    while !rest.is_empty() {
        // Never at a multiple of a hundred before the end.
        let (piece, after) = rest.split_at(rest.len().min(151));
        files.push(write(folder.path(), &format!("piece-{:02}.pcap", files.len()), &pcap(piece)));
        rest = after;
    }
    assert!(files.len() > 10);
    assert_same(&expected, &events(&files), "cut between equal times");
}

#[test]
fn two_taps_with_one_direction_each_are_the_conversation() {
    let whole = events(&[capture("tcp-ordered.pcap")]);
    let sides = [capture("tcp-client-side.pcap"), capture("tcp-server-side.pcap")];
    assert_same(&whole, &events(&sides), "both sides");
}

#[test]
fn packing_changes_nothing() {
    let frames = ethernet();
    let folder = tempfile::tempdir().unwrap();
    let plain = pcap(&frames);
    let expected = events(&[write(folder.path(), "plain", &plain)]);
    let packed: [(&str, Vec<u8>); 6] = [
        ("gzip", gzip(&plain)),
        ("zstd", zstd::encode_all(plain.as_slice(), 1).unwrap()),
        ("lz4", lz4(&plain)),
        ("xz", xz(&plain)),
        ("pcapng", pcapng(&frames)),
        ("pcapng-gzip", gzip(&pcapng(&frames))),
    ];
    for (name, bytes) in packed {
        // No name tells what it is: the content does.
        assert_same(&expected, &events(&[write(folder.path(), name, &bytes)]), name);
    }
}

#[test]
fn a_folder_and_the_list_of_its_files_are_the_same() {
    let mut files = files_below(&everything()[0]);
    files.retain(|file| file.extension().is_none_or(|extension| extension != "toml"));
    files.sort();
    assert_same(&events(&everything()), &events(&files), "the list of files");
}

#[test]
fn the_size_of_batches_changes_nothing() {
    let mut frames = ethernet();
    frames.truncate(4_000);
    let expected = in_batches(&frames, 512);
    assert!(expected.lines().count() > 1_000);
    for size in [1, 7, 4_000] {
        assert_same(&expected, &in_batches(&frames, size), &format!("batches of {size}"));
    }
}

/// The events of frames that are handed over `size` at a time.
fn in_batches(frames: &[Timed], size: usize) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.json");
    let mut sink = EventSink::create(&file, &[]).unwrap();
    let options = AnalysisOptions {
        assets: Config::default().assets(),
        as_of: AsOf::Packet,
        records: true,
        events: EventOptions::default(),
        screen: true,
    };
    let mut analysis = Analysis::new(Arc::new(load_builtin()), options, Some(&mut sink));
    let mut observer = Observer::new(ObserverOptions { dns_flows: true, ..ObserverOptions::default() });
    let mut observed = ObservationBatch::default();
    let mut next = 1;
    for piece in frames.chunks(size) {
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

/// The same frames, each a nanosecond or more after the one before it.
fn one_by_one(mut frames: Vec<Timed>) -> Vec<Timed> {
    let mut last = Timestamp::MIN;
    for frame in &mut frames {
        if frame.time <= last {
            frame.time = last.plus(1);
        }
        last = frame.time;
    }
    frames
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn lz4(data: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn xz(data: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}
