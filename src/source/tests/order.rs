//! One sequence, however the frames are spread over files.

use std::path::PathBuf;

use super::{Seen, Written, frame, pcap, read, write};
use crate::{
    limits::{BATCH_FRAMES, OPEN_FILES, REORDER_FRAMES},
    source::{
        NoticeKind, Timeline,
        borders::Shape,
        fuzz::drain,
        input::{Input, STRIDE},
    },
};

const START: i64 = 1_700_000_000_000_000_000;

/// A small generator of numbers that look random.
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |limit| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % limit
    }
}

/// Frames with runs of equal times and times slightly out of order.
fn uneven(count: u32, disorder: u64, seed: u64) -> Vec<Written> {
    let mut below = numbers(seed);
    let mut time = START;
    (0..count)
        .map(|number| {
            time += [0, 0, 1, 1000, 20_000][below(5) as usize];
            (time - below(disorder.max(1)) as i64, frame(number))
        })
        .collect()
}

/// The pieces as files in a new directory, named so that their natural order is theirs.
fn read_pieces(pieces: &[Vec<Written>]) -> Vec<Seen> {
    let root = tempfile::tempdir().unwrap();
    for (index, piece) in pieces.iter().enumerate() {
        write(&root.path().join(format!("capture-{index}.pcap")), &pcap(piece));
    }
    let (seen, timeline) = read(&[root.path().to_path_buf()]);
    assert_eq!(timeline.notices(), []);
    assert_eq!(timeline.accounting().files_read, pieces.len() as u64);
    seen
}

/// The frames sorted by time, equal times in their order, numbered from 1.
fn expected(frames: &[Written]) -> Vec<Seen> {
    let mut sorted = frames.to_vec();
    sorted.sort_by_key(|(time, _)| *time);
    let seen =
        |(index, (time, bytes)): (usize, Written)| (index as u64 + 1, time, 1, bytes.len() as u32 + 4, bytes);
    sorted.into_iter().enumerate().map(seen).collect()
}

fn cut(frames: &[Written], pieces: usize) -> Vec<Vec<Written>> {
    frames.chunks(frames.len().div_ceil(pieces)).map(<[Written]>::to_vec).collect()
}

#[test]
fn a_capture_and_its_pieces_give_the_same_frames() {
    // From pieces of two frames to pieces longer than a batch; ties and disorder lie across the cuts.
    for (count, disorder, seed) in [(20, 3000, 1), (41, 50_000, 2), (333, 1_000_000, 3), (9_000, 400_000, 4)]
    {
        let frames = uneven(count, disorder, seed);
        let expected = expected(&frames);
        assert_eq!(read_pieces(&cut(&frames, 1)), expected, "{count} frames in one file");
        for pieces in [2, 10] {
            assert_eq!(read_pieces(&cut(&frames, pieces)), expected, "{count} frames in {pieces}");
        }
    }
}

#[test]
fn pieces_of_a_capture_with_one_time_only_keep_their_order() {
    let frames: Vec<Written> = (0..100).map(|number| (START, frame(number))).collect();
    // Ten pieces and a further one: the tenth follows the second in plain order of names.
    assert_eq!(read_pieces(&cut(&frames, 11)), expected(&frames));
}

#[test]
fn frames_dealt_out_to_files_are_gathered_again() {
    let frames: Vec<Written> =
        (0..5000).map(|number| (START + i64::from(number) * 7, frame(number))).collect();
    let mut pieces = vec![Vec::new(); 7];
    for (index, frame) in frames.iter().enumerate() {
        pieces[index % 7].push(frame.clone());
    }
    assert_eq!(read_pieces(&pieces), expected(&frames));
}

#[test]
fn names_do_not_matter_where_files_lie_apart() {
    let frames = uneven(1000, 1000, 5);
    let root = tempfile::tempdir().unwrap();
    let far = |index: usize| index as i64 * 10_000_000_000;
    let mut all = Vec::new();
    let mut inputs: Vec<PathBuf> = Vec::new();
    for (index, piece) in cut(&frames, 10).iter().enumerate() {
        let mut piece = piece.clone();
        piece.iter_mut().for_each(|(time, _)| *time += far(index));
        all.extend(piece.clone());
        inputs.push(write(&root.path().join(format!("{}.pcap", 9 - index)), &pcap(&piece)));
    }
    inputs.swap(2, 7);
    assert_eq!(read(&inputs).0, expected(&all));
}

#[test]
fn batches_are_full_and_numbered() {
    let root = tempfile::tempdir().unwrap();
    let input = write(&root.path().join("a"), &pcap(&uneven(2 * BATCH_FRAMES as u32 + 10, 0, 6)));
    let mut timeline = Timeline::open(&[input]);
    let mut shapes = Vec::new();
    while let Some(batch) = timeline.next_batch() {
        shapes.push((batch.first_number(), batch.len()));
    }
    let next = BATCH_FRAMES as u64 + 1;
    assert_eq!(shapes, [(1, BATCH_FRAMES), (next, BATCH_FRAMES), (2 * next - 1, 10)]);
    assert!(timeline.next_batch().is_none());
}

#[test]
fn a_frame_later_than_the_window_is_delivered_and_counted() {
    let root = tempfile::tempdir().unwrap();
    let count = 3 * REORDER_FRAMES as u32;
    let mut frames = uneven(count, 0, 7);
    frames.push((START - 1, frame(count)));
    let (seen, timeline) = read(&[write(&root.path().join("a"), &pcap(&frames))]);
    assert_eq!(seen.len(), frames.len());
    assert_eq!(timeline.accounting().time_went_backwards, 1);
    let place = seen.iter().position(|(_, time, ..)| *time == START - 1).unwrap();
    assert!(place >= seen.len() - REORDER_FRAMES - BATCH_FRAMES - 1, "{place}");
}

#[test]
fn short_cuts_leave_the_window_what_it_is() {
    // Small frames, and such that few fill the window; in order, within the window and beyond it.
    for (count, length, seed) in [(14_000_u32, 10_u64, 8), (600, 120_000, 9), (6_000, 5_000, 10)] {
        for disorder in [0, 30_000, 400_000_000] {
            let mut below = numbers(seed);
            let mut frames = uneven(count, disorder, seed);
            for (time, bytes) in &mut frames {
                bytes.resize(4 + below(length) as usize, 0);
                // Now and then one that is far too late.
                if below(500) == 0 {
                    *time -= 5_000_000_000;
                }
            }
            let file = pcap(&frames);
            let of = |shape| drain(Input::from_memory(file.clone(), 0, shape).unwrap());
            let reference = of(None);
            assert_eq!(reference.0.len(), count as usize);
            for (segments, bytes, large) in [(16, 4096, 0), (4, 300_000, 0), (16, 4096, usize::MAX)] {
                assert!(
                    of(Some(Shape { segments, bytes, large })) == reference,
                    "{count} {disorder} {large}"
                );
            }
            let root = tempfile::tempdir().unwrap();
            let (seen, timeline) = read(&[write(&root.path().join("a"), &file)]);
            let whole = seen.into_iter().map(|(_, time, link, wire, bytes)| (time, link, wire, bytes));
            assert!(whole.eq(reference.0.iter().cloned()), "{count} {disorder}");
            assert_eq!(timeline.accounting().time_went_backwards, late(&reference.0), "{count} {disorder}");
            let bytes: usize = reference.0.iter().map(|(.., bytes)| bytes.len()).sum();
            assert_eq!(timeline.accounting().bytes, bytes as u64);
        }
    }
}

/// How many frames come behind a later one.
fn late(frames: &[(i64, u16, u32, Vec<u8>)]) -> u64 {
    let mut latest = i64::MIN;
    let mut is_late = |time: i64| {
        latest = latest.max(time);
        time < latest
    };
    frames.iter().filter(|(time, ..)| is_late(*time)).count() as u64
}

#[test]
fn nothing_behind_the_end_of_a_file_made_shorter_is_delivered() {
    let root = tempfile::tempdir().unwrap();
    let frame = vec![0; 1000];
    let frames: Vec<Written> = (0..20_000).map(|number| (START + number, frame.clone())).collect();
    let path = write(&root.path().join("a"), &pcap(&frames));
    let mut timeline = Timeline::open(std::slice::from_ref(&path));
    let mut count = 0;
    // The next thing that the walk does is to look at the length, with frames behind it read ahead.
    while timeline.progress().done() < STRIDE as u64 + 24 {
        count += timeline.next_batch().unwrap().len();
    }
    let length = timeline.progress().done() + 100_000;
    std::fs::File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
    while let Some(batch) = timeline.next_batch() {
        count += batch.len();
    }
    assert_eq!(count as u64, (length - 24) / 1016);
    assert!(matches!(timeline.notices()[0].kind, NoticeKind::Shortened), "{:?}", timeline.notices());
}

#[test]
fn thousands_of_files_are_opened_as_they_are_reached() {
    let root = tempfile::tempdir().unwrap();
    let files = 3 * OPEN_FILES as i64;
    let mut all = Vec::new();
    for index in 0..files {
        // Each overlaps with the next.
        let frames: Vec<Written> =
            (0..4).map(|at| (START + index * 1000 + at * 400, frame((index * 4 + at) as u32))).collect();
        write(&root.path().join(format!("{index}.pcap")), &pcap(&frames));
        all.extend(frames);
    }
    let mut timeline = Timeline::open(&[root.path().to_path_buf()]);
    let mut seen = Vec::new();
    while let Some(batch) = timeline.next_batch() {
        super::see(&batch, &mut seen);
        assert!(timeline.open_files() <= 4, "{}", timeline.open_files());
    }
    assert_eq!(seen, expected(&all));
    assert_eq!(timeline.accounting().files_read, files as u64);
}

#[test]
fn more_overlapping_files_than_may_be_open_are_told() {
    let root = tempfile::tempdir().unwrap();
    let files = OPEN_FILES as u32 + 2;
    for index in 0..files {
        let frames = [(START, frame(index)), (START + 10, frame(index))];
        write(&root.path().join(format!("{index}.pcap")), &pcap(&frames));
    }
    let (seen, timeline) = read(&[root.path().to_path_buf()]);
    assert_eq!(seen.len(), 2 * files as usize, "nothing is lost");
    assert_eq!(timeline.accounting().time_went_backwards, 2);
    let told = super::told(&timeline, root.path());
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("512.pcap: more than 512 captures overlap in time"), "{told:?}");
}
