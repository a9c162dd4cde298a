//! Real captures, where they are at hand: our names are those that tshark reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{DnsStream, Message, NameScratch, looks_like_dns, looks_like_dns_stream, rdata_text};
use crate::bytes::{u16_at, u32_at};
use crate::protocol::Verdict;

/// Captures whose DNS lies under headers that the few lines below do not open: the decoder's tests do.
const OTHER_HEADERS: [&str; 1] = ["GrePackets"];

/// Names that tshark shows otherwise: the file, its name, ours.
const DIFFERENCES: [(&str, &str, Option<&str>); 2] = [
    // A label that holds a dot; only an escape tells it from two labels.
    ("dnscap__src__test__sll2", ",.", Some(",\\.")),
    // A QUIC packet on port 443, tried as DNS by content; the label is of a type that nobody can read.
    ("vector-max-size-crash", "<Unknown extended label>", None),
];

/// The folder of captures beside the repository, or beside the folder of its worktrees.
fn folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["../shared/captures", "../../shared/captures"]
        .map(|path| root.join(path))
        .into_iter()
        .find(|path| path.is_dir())
}

/// A frame's network layer.
fn network(link: i32, frame: &[u8]) -> Option<&[u8]> {
    match link {
        0 => frame.get(4..),
        1 => {
            let mut at = 12;
            while matches!(u16_at(frame, at)?, 0x8100 | 0x88a8) {
                at += 4;
            }
            matches!(u16_at(frame, at)?, 0x0800 | 0x86dd).then(|| frame.get(at + 2..))?
        }
        12 | 101 => Some(frame),
        239 => {
            let mut at = 4;
            loop {
                let length = usize::from(u16::from_le_bytes(frame.get(at..at + 2)?.try_into().ok()?));
                if frame.get(at + 2) == Some(&9) {
                    return frame.get(at + 4..at + length);
                }
                at += length.next_multiple_of(4).max(4);
            }
        }
        276 => frame.get(20..),
        _ => None,
    }
}

/// Protocol, addresses, and the transport layer.
fn transport(packet: &[u8]) -> Option<(u8, Vec<u8>, &[u8])> {
    match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet.first()? & 0x0f) * 4;
            let fragment = u16_at(packet, 6)? & 0x3fff != 0;
            let payload = packet.get(header..usize::from(u16_at(packet, 2)?).min(packet.len()))?;
            (!fragment).then(|| Some((*packet.get(9)?, packet.get(12..20)?.to_vec(), payload)))?
        }
        6 => {
            let end = (40 + usize::from(u16_at(packet, 4)?)).min(packet.len());
            Some((*packet.get(6)?, packet.get(8..40)?.to_vec(), packet.get(40..end)?))
        }
        _ => None,
    }
}

/// Calls `each` with every UDP datagram and TCP segment: protocol, addresses, transport layer.
fn for_each_segment(path: &Path, mut each: impl FnMut(u8, Vec<u8>, &[u8])) {
    let Ok(mut capture) = pcap::Capture::from_file(path) else { return };
    let link = capture.get_datalink().0;
    while let Ok(frame) = capture.next_packet() {
        if let Some((protocol, addresses, segment)) = network(link, frame.data).and_then(transport) {
            each(protocol, addresses, segment);
        }
    }
}

/// Whether one of the segment's ports is one of these.
fn is_on_port(segment: &[u8], ports: &[u16]) -> bool {
    [u16_at(segment, 0), u16_at(segment, 2)].into_iter().flatten().any(|port| ports.contains(&port))
}

/// What a TCP segment carries.
fn tcp_payload(segment: &[u8]) -> &[u8] {
    let header = segment.get(12).map_or(20, |byte| usize::from(byte >> 4) * 4);
    segment.get(header..).unwrap_or_default()
}

/// The messages of a capture: UDP from and to port 53, and TCP on it in the order of the sequence numbers.
fn messages(path: &Path) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    let mut streams: BTreeMap<Vec<u8>, (u32, DnsStream)> = BTreeMap::new();
    for_each_segment(path, |protocol, mut key, segment| {
        if !is_on_port(segment, &[53]) {
            return;
        }
        match (protocol, u32_at(segment, 4)) {
            (17, _) => messages.extend(segment.get(8..).map(<[u8]>::to_vec)),
            (6, Some(sequence)) => {
                key.extend_from_slice(&segment[..4]);
                let payload = tcp_payload(segment);
                let (expected, stream) = streams.entry(key).or_insert((sequence, DnsStream::new()));
                // The first segment is a SYN, which counts as one byte, or the capture began later.
                if !payload.is_empty() && sequence.wrapping_sub(*expected) <= 1 {
                    *expected = sequence.wrapping_add(u32::try_from(payload.len()).unwrap());
                    stream.push(payload, &mut |message| messages.push(message.to_vec()));
                }
            }
            _ => {}
        }
    });
    for (_, stream) in streams.values_mut() {
        stream.finish(&mut |message| messages.push(message.to_vec()));
    }
    messages
}

fn question_names(messages: &[Vec<u8>]) -> BTreeSet<String> {
    let mut scratch = NameScratch::new();
    let mut names = BTreeSet::new();
    for message in messages.iter().filter_map(|bytes| Message::parse(bytes)) {
        for question in message.questions() {
            names.extend(question.name.unpack(&mut scratch).map(|name| name.to_string()));
        }
    }
    names
}

/// The captures' entries in the manifest.
fn manifest(folder: &Path) -> Vec<serde_json::Value> {
    let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    manifest["captures"].as_array().unwrap().clone()
}

#[test]
fn names_are_those_of_tshark() {
    let Some(folder) = folder() else { return println!("skipped: no captures beside the repository") };
    let mut compared = 0;
    for capture in manifest(&folder) {
        let file = capture["file"].as_str().unwrap();
        let Some(theirs) = capture["tshark_4_0_17"]["dns_query_names"].as_array() else { continue };
        if theirs.is_empty() || OTHER_HEADERS.iter().any(|other| file.contains(other)) {
            continue;
        }
        let expected: BTreeSet<_> = theirs
            .iter()
            .filter_map(|name| {
                let name = name.as_str().unwrap();
                let difference =
                    DIFFERENCES.iter().find(|(part, shown, _)| file.contains(part) && *shown == name);
                difference.map_or(Some(name), |(_, _, ours)| *ours).map(str::to_owned)
            })
            .collect();
        let ours = question_names(&messages(&folder.join(file)));
        assert_eq!(ours, expected, "{file}");
        compared += 1;
    }
    assert!(compared > 20, "{compared} captures compared");
}

#[test]
fn ordinary_messages_are_recognised_without_their_port() {
    let Some(folder) = folder() else { return println!("skipped: no captures beside the repository") };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.join("benign")).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().contains("dns") {
            continue;
        }
        for bytes in messages(&path) {
            let message = Message::parse(&bytes).unwrap();
            assert!(!message.summary().anomalies.is_broken(), "{} {:02x?}", path.display(), bytes);
            assert_eq!(looks_like_dns(&bytes, false), Verdict::Yes, "{} {:02x?}", path.display(), bytes);
            for record in message.records() {
                let mut text = String::new();
                assert!(!rdata_text(&record, &mut text));
                assert!(record.kind == 41 || !text.is_empty());
            }
            seen += 1;
        }
    }
    assert!(seen > 80, "{seen} messages");
}

#[test]
fn other_traffic_is_not_dns() {
    let Some(folder) = folder() else { return println!("skipped: no captures beside the repository") };
    let mut seen = 0;
    for capture in manifest(&folder) {
        let file = capture["file"].as_str().unwrap();
        for_each_segment(&folder.join(file), |protocol, _, segment| {
            if is_on_port(segment, &[53, 5353, 5355]) {
                return;
            }
            let verdict = match protocol {
                17 => looks_like_dns(segment.get(8..).unwrap_or_default(), false),
                6 => looks_like_dns_stream(tcp_payload(segment)),
                _ => return,
            };
            assert_ne!(verdict, Verdict::Yes, "{file} {segment:02x?}");
            seen += 1;
        });
    }
    assert!(seen > 3000, "{seen} segments");
}
