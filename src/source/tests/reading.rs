//! What can be read, what is told about the rest, and that both are the same for every form of input.

use std::{fs, io::Write, path::PathBuf, thread};

use super::{Written, frame, pcap, pcap_of_link, read, told, write};
use crate::source::{Outcome, Severity, Timeline, pcapng::tests as ng};

fn frames(count: u32) -> Vec<Written> {
    (0..count).map(|number| (1_700_000_000_000_000_000 + i64::from(number) * 1000, frame(number))).collect()
}

fn gzip(data: &[u8]) -> Vec<u8> {
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
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_compression_and_a_pipe_give_the_plain_files_frames() {
    let root = tempfile::tempdir().unwrap();
    // Several chunks of a stream, with records across their borders.
    let plain = pcap(&frames(40_000));
    let (expected, timeline) = read(&[write(&root.path().join("plain"), &plain)]);
    assert_eq!(expected.len(), 40_000);
    assert_eq!(timeline.outcome(), Outcome::Complete);
    let forms = [gzip(&plain), zstd::encode_all(&plain[..], 1).unwrap(), lz4(&plain), xz(&plain)];
    for (index, form) in forms.iter().enumerate() {
        // The name says nothing, or lies.
        let (seen, timeline) = read(&[write(&root.path().join(format!("{index}.pcap.xz")), form)]);
        assert!(seen == expected, "form {index}");
        assert_eq!(timeline.notices(), []);
        let progress = timeline.progress();
        assert_eq!((progress.done(), progress.total()), (form.len() as u64, Some(form.len() as u64)));
    }

    let pipe = root.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: no mkfifo here");
        return;
    }
    for form in [plain.clone(), forms[1].clone()] {
        let at = pipe.clone();
        let writer = thread::spawn(move || fs::write(at, form));
        let (seen, timeline) = read(std::slice::from_ref(&pipe));
        writer.join().unwrap().unwrap();
        assert!(seen == expected, "through a pipe");
        assert_eq!(timeline.progress().total(), None);
    }
}

#[test]
fn large_records_are_the_same_mapped_and_decoded_whatever_they_carry() {
    let root = tempfile::tempdir().unwrap();
    // In every fourth a capture of small frames is carried, as in a download of one.
    let carried = pcap(&frames(12));
    let frames: Vec<Written> = frames(12_000)
        .into_iter()
        .enumerate()
        .map(|(index, (time, mut frame))| {
            frame.resize(40 + index % 7 * 230, index as u8);
            if index % 4 == 3 {
                frame.extend(&carried[24..]);
            }
            (time, frame)
        })
        .collect();
    for end in [0, 7] {
        let mut plain = pcap(&frames);
        plain.truncate(plain.len() - end);
        let (mapped, timeline) = read(&[write(&root.path().join("a"), &plain)]);
        assert_eq!((mapped.len(), timeline.notices().len()), (12_000 - end.min(1), end.min(1)));
        let packed = zstd::encode_all(&plain[..], 1).unwrap();
        let (decoded, timeline) = read(&[write(&root.path().join("b"), &packed)]);
        assert!(mapped == decoded);
        assert_eq!(timeline.notices().len(), end.min(1));
    }
}

#[test]
fn a_cut_file_gives_everything_before_the_cut_and_one_line() {
    let root = tempfile::tempdir().unwrap();
    let plain = pcap(&frames(100));
    let at = |name: &str| root.path().join(name);
    for (name, bytes, whole, line) in [
        (
            "body",
            &plain[..24 + 76 * 50 + 20],
            50,
            "at byte 3824: the capture ends in the middle of a record (20 of 76 bytes are there)",
        ),
        (
            "head",
            &plain[..24 + 76 * 50 + 7],
            50,
            "at byte 3824: the capture ends in the middle of a record (7 of 16 bytes are there)",
        ),
        ("clean", &plain[..24 + 76 * 50], 50, ""),
        ("empty", &plain[..24], 0, ""),
    ] {
        let (seen, timeline) = read(&[write(&at(name), bytes)]);
        assert_eq!(seen.len(), whole, "{name}");
        let told = told(&timeline, root.path());
        assert_eq!(told.len(), usize::from(!line.is_empty()), "{told:?}");
        assert!(told.iter().all(|told| told.starts_with(&format!("{name}: {line}"))), "{told:?}");
        assert_ne!(timeline.outcome(), Outcome::Nothing);
    }
    let mut gz = gzip(&plain);
    gz.truncate(gz.len() - 5);
    let (seen, timeline) = read(&[write(&at("gz"), &gz)]);
    assert_eq!(seen.len(), 100);
    let told = told(&timeline, root.path());
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("the gzip data ends early or is damaged"), "{told:?}");
    assert_eq!(timeline.outcome(), Outcome::Partial);
}

#[test]
fn damage_ends_a_file_and_not_the_others() {
    let root = tempfile::tempdir().unwrap();
    let mut damaged = pcap(&frames(10));
    damaged[24 + 76 * 5 + 8..24 + 76 * 5 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let inputs =
        [write(&root.path().join("damaged"), &damaged), write(&root.path().join("good"), &pcap(&frames(10)))];
    let (seen, timeline) = read(&inputs);
    assert_eq!(seen.len(), 15);
    assert_eq!(
        told(&timeline, root.path()),
        ["damaged: at byte 404: damaged: a frame claims 4294967295 bytes, more than the 262144 that a \
          capture keeps; everything before was read, nothing after"]
    );
    assert_eq!(timeline.outcome(), Outcome::Partial);
}

#[test]
fn what_is_not_a_capture_is_an_error_by_name_and_skipped_in_a_directory() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    write(&at("a.pcap"), &pcap(&frames(3)));
    let text = write(&at("notes.txt"), b"not a capture\n");
    let snoop = write(&at("s"), b"snoop\0\0\0\0\0\0\x02\0\0\0\x04");
    let nothing = write(&at("z"), b"");
    let twice = write(&at("tw"), &gzip(&gzip(b"abc")));
    let zip = write(&at("zi"), &xz(b"PK\x03\x04 and so on"));

    let (seen, timeline) = read(&[root.path().to_path_buf()]);
    assert_eq!(seen.len(), 3);
    assert!(timeline.notices().iter().all(|notice| notice.severity == Severity::Warning));
    assert_eq!(timeline.accounting().files_skipped, 5);
    assert_eq!(timeline.outcome(), Outcome::Complete);

    let (seen, timeline) = read(&[text, snoop, nothing, twice, zip, at("gone")]);
    assert_eq!(seen, []);
    assert_eq!(timeline.outcome(), Outcome::Nothing);
    assert!(timeline.notices().iter().all(|notice| notice.severity == Severity::Error));
    assert_eq!(
        told(&timeline, root.path()),
        [
            "gone: cannot be opened: No such file or directory",
            "notes.txt: not a capture but text; name a pcap or pcapng file",
            "s: not a capture but a Sun snoop capture; convert it with: editcap -F pcapng FILE OUT.pcapng",
            "z: the file is empty; the capture may never have been written",
            "tw: gzip data that holds compressed data; it is compressed twice; unpack it once",
            "zi: xz data that holds a zip archive; unpack it first and name the files in it",
        ]
    );
}

#[test]
fn skipped_files_beyond_the_limit_are_counted() {
    let root = tempfile::tempdir().unwrap();
    for index in 0..50 {
        write(&root.path().join(format!("{index}.txt")), b"text\n");
    }
    let (_, timeline) = read(&[root.path().to_path_buf()]);
    let told = told(&timeline, root.path());
    assert_eq!(told.len(), 21);
    assert!(told[20].ends_with(": 30 more files skipped"), "{told:?}");
    assert_eq!(timeline.accounting().files_skipped, 50);
    assert_eq!(timeline.outcome(), Outcome::Nothing);
}

#[test]
fn an_unsupported_link_type_is_named_and_counted() {
    let root = tempfile::tempdir().unwrap();
    let bluetooth = write(&root.path().join("bt"), &pcap_of_link(187, &frames(3)));
    let line = "bt: at byte 24: link type 187 is not supported: 3 frames not read; \
                capture on an Ethernet, raw IP or \"any\" interface instead";
    let (seen, timeline) = read(&[bluetooth]);
    assert_eq!((seen.len(), timeline.outcome()), (0, Outcome::Nothing));
    assert_eq!(told(&timeline, root.path()), [line]);
    assert_eq!(timeline.notices()[0].severity, Severity::Error);

    write(&root.path().join("good"), &pcap(&frames(3)));
    let (seen, timeline) = read(&[root.path().to_path_buf()]);
    assert_eq!((seen.len(), timeline.outcome()), (3, Outcome::Complete));
    assert_eq!(told(&timeline, root.path()), [line]);
    let accounting = timeline.accounting();
    assert_eq!((accounting.files_read, accounting.files_skipped), (1, 1));
    assert_eq!(accounting.unsupported.into_values().collect::<Vec<_>>(), [3]);
}

#[test]
fn pcapng_counts_drops_and_reads_what_it_can() {
    let root = tempfile::tempdir().unwrap();
    let mut statistics = vec![0; 12];
    statistics.extend([5, 0, 8, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    let bytes = [
        ng::section(),
        ng::interface(1, 0, &[]),
        ng::interface(187, 0, &[]),
        ng::packet(0, 1, b"first"),
        ng::packet(1, 2, b"bluetooth"),
        ng::packet(7, 3, b"nobody's"),
        ng::block(4, b"names that are not read"),
        ng::block(3, &[4, 0, 0, 0, 1, 2, 3, 4]),
        ng::block(5, &statistics),
        ng::packet(0, 4, b"last"),
    ]
    .concat();
    let (seen, timeline) = read(&[write(&root.path().join("a"), &bytes)]);
    let seen: Vec<_> = seen.iter().map(|(_, time, .., bytes)| (*time, &bytes[..])).collect();
    assert_eq!(seen, [(1000, &b"first"[..]), (1000, &[1, 2, 3, 4]), (4000, b"last")]);
    let accounting = timeline.accounting();
    assert_eq!((accounting.capture_drops, accounting.lost, accounting.untimed), (9, 1, 1));
    assert_eq!(accounting.bytes, 13);
    assert_eq!(told(&timeline, root.path()).len(), 3);
}

#[test]
fn unreadable_and_unknown_versions_are_told() {
    let root = tempfile::tempdir().unwrap();
    let mut version = pcap(&frames(1));
    version[4] = 9;
    let mut section = ng::section();
    section[12] = 3;
    let inputs: Vec<PathBuf> =
        vec![write(&root.path().join("v"), &version), write(&root.path().join("n"), &section)];
    let (_, timeline) = read(&inputs);
    assert_eq!(
        told(&timeline, root.path()),
        [
            "v: pcap version 9.4 cannot be read; the file's header may be damaged",
            "n: pcapng version 3.0 cannot be read; the file's header may be damaged"
        ]
    );
}

#[test]
fn a_timeline_can_be_sent_and_knows_its_inputs() {
    let root = tempfile::tempdir().unwrap();
    write(&root.path().join("a"), &pcap(&frames(3)));
    let mut timeline = Timeline::open(&[root.path().to_path_buf()]);
    let timeline = thread::spawn(move || {
        while timeline.next_batch().is_some() {}
        timeline
    })
    .join()
    .unwrap();
    assert_eq!(timeline.input_path(0), Some(root.path().join("a").as_path()));
    assert_eq!(timeline.input_path(1), None);
    assert_eq!(timeline.progress().done(), 24 + 3 * 76);
}
