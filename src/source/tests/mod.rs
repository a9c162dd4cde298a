//! Tests of the whole stage: from files on disk to the frames of a timeline.

mod ahead;
mod oracle;
mod order;
mod reading;

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{FrameBatch, Timeline};

/// A frame as these tests compare it: number, nanoseconds, link type, wire length, bytes.
type Seen = (u64, i64, u16, u32, Vec<u8>);

/// A frame to be written: nanoseconds and bytes.
type Written = (i64, Vec<u8>);

/// A nanosecond pcap file of Ethernet frames.
fn pcap(frames: &[Written]) -> Vec<u8> {
    pcap_of_link(1, frames)
}

fn pcap_of_link(link: u32, frames: &[Written]) -> Vec<u8> {
    let mut bytes = 0xa1b2_3c4d_u32.to_le_bytes().to_vec();
    bytes.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0]);
    bytes.extend(link.to_le_bytes());
    for (time, frame) in frames {
        let seconds = time.div_euclid(1_000_000_000) as u32;
        let nanos = time.rem_euclid(1_000_000_000) as u32;
        for field in [seconds, nanos, frame.len() as u32, frame.len() as u32 + 4] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend(frame);
    }
    bytes
}

/// A frame that can be told from all others by its number.
fn frame(number: u32) -> Vec<u8> {
    let mut bytes = vec![0; 60];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// All frames of a timeline over these inputs, and the timeline at its end.
fn read(inputs: &[PathBuf]) -> (Vec<Seen>, Timeline) {
    let mut timeline = Timeline::open(inputs);
    let mut seen = Vec::new();
    while let Some(batch) = timeline.next_batch() {
        see(&batch, &mut seen);
    }
    (seen, timeline)
}

fn see(batch: &FrameBatch, seen: &mut Vec<Seen>) {
    for frame in batch.frames() {
        let time = frame.time.as_nanos();
        seen.push((frame.number, time, frame.link.0, frame.wire_length, frame.bytes.to_vec()));
    }
}

/// The notices as text, without the directory that all paths begin with.
fn told(timeline: &Timeline, root: &Path) -> Vec<String> {
    let root = format!("{}/", root.display());
    timeline.notices().iter().map(|notice| notice.to_string().replace(&root, "")).collect()
}

fn write(path: &Path, bytes: &[u8]) -> PathBuf {
    fs::write(path, bytes).unwrap();
    path.to_path_buf()
}

/// The captures that others made, where they are at hand.
fn shared_captures() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = ["../shared/captures", "../../shared/captures"].map(|at| root.join(at));
    let found = found.into_iter().find(|path| path.is_dir());
    if found.is_none() {
        println!("skipped: no shared captures here");
    }
    found
}
