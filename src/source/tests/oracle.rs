//! Our frames beside libpcap's, on captures that others made.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Seen, read, shared_captures};

/// All files below a directory.
fn files(root: &Path) -> Vec<PathBuf> {
    let (mut directories, mut files) = (vec![root.to_path_buf()], Vec::new());
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { directories.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// What libpcap reads, in the file's order; or why it reads nothing.
fn with_libpcap(path: &Path) -> Result<Vec<Seen>, String> {
    let nano = pcap::Precision::Nano;
    let mut capture =
        pcap::Capture::from_file_with_precision(path, nano).map_err(|error| error.to_string())?;
    let link = raw_as_101(capture.get_datalink().0 as u16);
    let mut seen: Vec<Seen> = Vec::new();
    while let Ok(packet) = capture.next_packet() {
        // With this precision the field for microseconds holds nanoseconds.
        let time = packet.header.ts.tv_sec * 1_000_000_000 + packet.header.ts.tv_usec;
        let wire = packet.header.len.max(packet.header.caplen);
        seen.push((0, time, link, wire, packet.data.to_vec()));
    }
    Ok(seen)
}

/// Raw IP has one number in new files and several in old ones and in libraries.
fn raw_as_101(link: u16) -> u16 {
    if matches!(link, 12 | 14) { 101 } else { link }
}

const ONE_INTERFACE: &str = "libpcap wants all interfaces alike and stops at one that differs; we read on";
const ARCNET: &str = "libpcap gives frames of every link type; we count those that we cannot decode";
const SIGNED: &str =
    "libpcap takes seconds and fractions for signed 32-bit numbers; the format says unsigned";
const SNAP_LENGTH: &str = "libpcap cuts a frame to the header's snap length; we keep what was captured";

/// Where we and libpcap differ: how the file's name ends, our frames, theirs, and who is right.
const DIFFERENCES: [(&str, usize, usize, &str); 13] = [
    ("output_be__basic__test004.pcapng", 4, 0, ONE_INTERFACE),
    ("output_le__basic__test006.pcapng", 5, 0, ONE_INTERFACE),
    ("pcapng-example.pcapng", 159, 59, ONE_INTERFACE),
    ("GrePackets.pcap", 7, 0, ONE_INTERFACE),
    ("too_many_interfaces.pcapng", 1, 0, ONE_INTERFACE),
    ("bacnet-arcnet-linux.pcap", 0, 10, ARCNET),
    ("arcnet-rfc1201-arp-icmp-http.pcap", 0, 26, ARCNET),
    ("FuzzTarget-5188876846235648", 1, 1, SIGNED),
    ("FuzzTarget-4672344017862656", 1, 1, SIGNED),
    ("FuzzTarget-5487001111429120", 1, 1, SIGNED),
    ("FuzzTarget-5654053026791424", 1, 1, SIGNED),
    ("FuzzTarget-5814090897948672", 1, 1, SIGNED),
    ("dccp_options-oobr.pcap", 8, 8, SNAP_LENGTH),
];

#[test]
fn the_same_frames_as_libpcap() {
    let Some(root) = shared_captures() else { return };
    let (mut compared, mut wrong) = (0, Vec::new());
    for path in files(&root) {
        // Also where libpcap gives up: reading must come to an end.
        let (mut ours, timeline) = read(std::slice::from_ref(&path));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let told: Vec<_> = timeline.notices().iter().map(|notice| notice.kind.to_string()).collect();
        let mut theirs = match with_libpcap(&path) {
            Ok(theirs) => theirs,
            Err(reason) => {
                println!("{name}: not read by libpcap ({reason}), {} frames by us, {told:?}", ours.len());
                continue;
            }
        };
        compared += 1;
        theirs.sort_by_key(|(_, time, ..)| *time);
        ours.iter_mut().for_each(|seen| (seen.0, seen.2) = (0, raw_as_101(seen.2)));
        let difference = DIFFERENCES.iter().find(|(end, ..)| name.ends_with(end));
        let is_as_expected = match difference {
            Some((_, our_count, their_count, _)) => {
                ours != theirs && (ours.len(), theirs.len()) == (*our_count, *their_count)
            }
            None => ours == theirs,
        };
        if !is_as_expected {
            let first = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
            let counts = (ours.len(), theirs.len());
            wrong.push(format!("{name}: {counts:?} frames, first difference at {first:?}, {told:?}"));
        }
    }
    println!("{compared} captures compared");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 100, "only {compared} captures could be compared");
}
