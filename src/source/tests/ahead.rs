//! Short cuts of the walk over pcap records: each beside what it stands for.

use crate::{
    decode::LinkType,
    limits::FRAME_BYTES,
    source::{
        batch::FrameRecord,
        borders::{Borders, Shape},
        pcap::Walk,
        record::{Format, Record, Step, Usual},
    },
};

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
const MODIFIED: u32 = 0xa1b2_cd34;
const DAY: u32 = 86_400;

fn number(value: u32, is_big: bool) -> [u8; 4] {
    if is_big { value.to_be_bytes() } else { value.to_le_bytes() }
}

/// The walk over a file with this header.
fn walk(magic: u32, minor: u16, network: u32, is_big: bool) -> Walk {
    let version = if is_big { 2 << 16 | u32::from(minor) } else { u32::from(minor) << 16 | 2 };
    Walk::new(&[magic, version, 0, 0, 1 << 20, network].map(|field| number(field, is_big)).concat()).unwrap()
}

fn record(fields: [u32; 4], frame: &[u8]) -> Vec<u8> {
    [&fields.map(u32::to_le_bytes).concat(), frame].concat()
}

#[test]
fn usual_records_are_read_as_by_the_step() {
    let numbers = [0, 1, 3, 4, 999_999, FRAME_BYTES, FRAME_BYTES + 1, 1 << 31, u32::MAX];
    let (mut usual, mut others) = (0, 0);
    for fields in 0..numbers.len().pow(4) {
        let field = |at: u32| numbers[fields / numbers.len().pow(at) % numbers.len()];
        let mut bytes = record([field(0), field(1), field(2), field(3)], b"abc");
        if field(2) == FRAME_BYTES && fields % 7 == 0 {
            bytes.resize(Usual::HEADER + FRAME_BYTES as usize, 7);
        }
        for (magic, link) in [(MICROSECONDS, 1), (NANOSECONDS, 101)] {
            let mut walk = walk(magic, 4, link, false);
            let Some(head) = walk.usual().unwrap().head(&bytes, 0) else {
                others += 1;
                continue;
            };
            let expected = Record {
                size: 16 + u64::from(head.length),
                start: 16,
                length: head.length,
                wire_length: head.wire_length,
                time: head.time,
                link: LinkType(link as u16),
                timed: true,
            };
            assert_eq!(Format::step(&mut walk, &bytes), Step::Frame(expected));
            usual += 1;
        }
    }
    assert!(usual > 1000 && others > 1000, "{usual} {others}");
    let (bytes, usual) = (record([0; 4], b""), walk(MICROSECONDS, 4, 1, false).usual().unwrap());
    assert!((0..15).all(|length| usual.head(&bytes[..length], 0).is_none()));
    assert!([1, 17, usize::MAX].iter().all(|at| usual.head(&bytes, *at).is_none()));
}

#[test]
fn only_what_is_usual_is_read_as_such() {
    let is_usual = |magic, minor, network, is_big| walk(magic, minor, network, is_big).usual().is_some();
    assert!(is_usual(MICROSECONDS, 4, 1, false) && is_usual(NANOSECONDS, 4, 101, false));
    assert!(walk(MICROSECONDS, 4, 1, false).without_usual().usual().is_none());
    // Another link type, a frame check sequence, old versions, another order, longer headers.
    assert!(!is_usual(MICROSECONDS, 4, 147, false) && !is_usual(MICROSECONDS, 4, 0x2400_0001, false));
    assert!(!is_usual(MICROSECONDS, 3, 1, false) && !is_usual(MICROSECONDS, 2, 1, false));
    assert!(!is_usual(MICROSECONDS, 4, 1, true) && !is_usual(MODIFIED, 4, 1, false));
}

#[test]
fn records_are_found_at_every_place_and_on_every_day() {
    // Days over which the upper half of the seconds stays, changes, and runs over.
    for seconds in [1_700_000_000, 0x6903_0000, 0x6900_0010, 10, u32::MAX - 40_000] {
        for is_big in [false, true] {
            let walk = walk(MICROSECONDS, 4, 1, is_big);
            let record = |seconds: u32| [seconds, 5, 0, 0].map(|field| number(field, is_big)).concat();
            for place in 0..150 {
                let find = |seconds: u32, to: usize| {
                    // Payload of which no four bytes are a time.
                    let (one, payload) = (record(seconds.wrapping_sub(DAY)), vec![0x33; place]);
                    let other = record(seconds);
                    let bytes = [&one[..], &payload, &other, &other, &[0x33; 3]].concat();
                    walk.find(&bytes, 16, to.min(bytes.len()), 0)
                };
                assert_eq!(find(seconds, usize::MAX), Some(16 + place), "{seconds} {place}");
                assert_eq!(find(seconds, 16 + place), None);
            }
            // Two days lie too far apart.
            let bytes = [record(seconds), record(seconds.wrapping_add(2 * DAY)), record(seconds)].concat();
            assert_ne!(walk.find(&bytes, 16, bytes.len(), 0), Some(16), "{seconds}");
        }
    }
    let bytes = record([0; 4], b"");
    let walk = walk(MICROSECONDS, 4, 1, false);
    assert_eq!(walk.find(&bytes, 16, 400, 0), None);
    assert_eq!(walk.find(&bytes, usize::MAX, usize::MAX, 0), None);
}

#[test]
fn frames_of_usual_records_are_read_ahead() {
    let (mut bytes, mut borders) = (Vec::new(), Vec::new());
    for index in 0..300_u32 {
        let length =
            [0, 60, 1400, 400, 90, 1500, if index % 31 == 30 { 6000 } else { 700 }][index as usize % 7];
        borders.push(bytes.len());
        bytes.extend(record([1_700_000_000 + index, 999, length, length], &vec![0x55; length as usize]));
    }
    let format = walk(MICROSECONDS, 4, 1, false);
    let read = |at: usize| {
        let head = format.usual()?.head(&bytes, at)?;
        let frame = FrameRecord { offset: at as u64 + 16, length: head.length, ..FrameRecord::NONE };
        Some((frame, at + 16 + head.length as usize))
    };
    let mut ahead = Borders::new(Shape { segments: 8, bytes: 4096, large: 0 });
    let (mut places, mut at) = (Vec::new(), 0);
    while ahead.is_due(at) {
        ahead.read_ahead(&bytes, at, &format, read);
        while let [first, ..] = ahead.frames(bytes.len()) {
            let place = first.offset as usize - 16;
            assert_eq!((ahead.frames(place).len(), ahead.frames(place + 1).len()), (0, 1));
            places.push(place);
            at = first.offset as usize + first.length as usize;
            ahead.take(1);
        }
    }
    assert!(places.len() >= borders.len() * 9 / 10, "{}", places.len());
    assert_eq!(places, borders[..places.len()]);
    ahead.read_ahead(&bytes, 0, &format, read);
    assert!(!ahead.frames(bytes.len()).is_empty());
    ahead.forget();
    assert!(ahead.frames(bytes.len()).is_empty());
}
