//! Entry points for fuzzing: any bytes as a capture, read whole and as a stream.

use std::io::Cursor;

use crate::limits::FRAME_BYTES;

use super::{
    batch::FrameBatch,
    borders::Shape,
    input::{Input, Purpose},
    notice::NoticeKind,
    sniff::{Sniffed, sniff},
    tally::Tally,
};

/// One delivered frame: time, link type, wire length, bytes.
type Delivered = (i64, u16, u32, Vec<u8>);

/// A section header and an Ethernet interface.
const START: [u8; 48] = [
    0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 28, 0, 0, 0, 1, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0, 20, 0, 0, 0,
];

/// Reads `data` as a pcap file; where it has no magic, a file header is put before it.
pub fn fuzz_pcap(data: &[u8]) {
    const HEADER: [u8; 24] =
        [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    whole_and_stream_agree(&with_start(data, Sniffed::Pcap, &HEADER));
}

/// Reads `data` as a pcapng file; where it has no section header, one and an interface are put before it.
pub fn fuzz_pcapng(data: &[u8]) {
    whole_and_stream_agree(&with_start(data, Sniffed::Pcapng, &START));
}

/// Reads `data` as whatever it looks like, compressed or not, in large pieces and in small ones. Only of
/// damaged compressed data may one give more than the other: how much a decoder swallows when it fails
/// depends on how much was asked of it.
pub fn fuzz_capture(data: &[u8]) {
    let stream = |purpose| Input::from_reader(Box::new(Cursor::new(data.to_vec())), 0, purpose).map(drain);
    let peeked = stream(Purpose::Peek);
    let read = stream(Purpose::Read { chunk_bytes: 1000 });
    if !is_damaged(&peeked) && !is_damaged(&read) {
        assert_eq!(peeked, read);
    } else if let (Ok((a, _)), Ok((b, _))) = (&peeked, &read) {
        let (fewer, more) = if a.len() < b.len() { (a, b) } else { (b, a) };
        assert!(fewer.iter().all(|frame| more.contains(frame)), "one has all that the other has");
    }
}

/// Whether the reading ended because compressed data could not be decoded.
fn is_damaged(read: &Result<(Vec<Delivered>, Tally), NoticeKind>) -> bool {
    match read {
        Ok((_, tally)) => matches!(tally.fault, Some((_, NoticeKind::Compressed(..)))),
        Err(kind) => matches!(kind, NoticeKind::Compressed(..)),
    }
}

fn with_start(data: &[u8], wanted: Sniffed, start: &[u8]) -> Vec<u8> {
    if sniff(data) == wanted { data.to_vec() } else { [start, data].concat() }
}

/// Makes a pcap or pcapng file of `data` in which borders are easily mistaken, and looks ahead in it: the
/// first byte chooses the format, the second the segments; the rest are frames, each a byte for its length
/// and one for what is in it: what follows, or a copy of the file from some place on, so that payload is
/// made of records; or they say that bytes are to be changed or the file to be cut.
pub fn fuzz_borders(data: &[u8]) {
    let [format, shape, rest @ ..] = data else { return };
    let (file, _) = tempting_file(*format, rest);
    let bytes = 24 << (shape % 8);
    let shape = Shape { segments: 2 + usize::from(shape >> 4), bytes, large: 0 };
    assert_eq!(
        Input::from_memory(file.clone(), 0, None).map(drain),
        Input::from_memory(file, 0, Some(shape)).map(drain),
        "{shape:?}"
    );
}

/// See [`fuzz_borders`]; also how many frames were written.
fn tempting_file(format: u8, script: &[u8]) -> (Vec<u8>, u32) {
    const MAGICS: [u32; 3] = [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34];
    let is_pcapng = format & 0x80 != 0;
    let number = |value: u32| if format & 1 == 0 { value.to_le_bytes() } else { value.to_be_bytes() };
    let magic = MAGICS.get(usize::from(format >> 1 & 3)).copied().unwrap_or(0xa1b2_c3d4);
    // Version 2.2 swaps the lengths, 2.3 perhaps.
    let minor = [4_u32, 4, 2, 3].get(usize::from(format >> 3 & 3)).copied().unwrap_or(4);
    let version = if format & 1 == 0 { minor << 16 | 2 } else { 2 << 16 | minor };
    let mut file: Vec<u8> = Vec::new();
    if is_pcapng {
        file.extend(START);
    } else {
        [magic, version, 0, 0, 262_144, 1].into_iter().for_each(|field| file.extend(number(field)));
    }
    let (mut rest, mut frames) = (script, 0_u32);
    while let [length, what, behind @ ..] = rest {
        rest = behind;
        let length = usize::from(*length) << (what & 3);
        let at = file.len() * usize::from(what >> 4) / 16;
        match what >> 2 & 3 {
            // Cut, or a byte changed: rarely, for little is read behind damage.
            0 if what & 0xf0 == 0 => file.truncate(file.len().saturating_sub(length)),
            0 if what & 0xf0 == 0x10 => {
                let place = file.len().saturating_sub(length);
                file.get_mut(place).into_iter().for_each(|byte| *byte = byte.wrapping_add(1));
            }
            kind => {
                let mut frame: Vec<u8> = if kind == 1 {
                    let (frame, behind) = rest.split_at(length.min(rest.len()));
                    rest = behind;
                    frame.to_vec()
                } else {
                    file.iter().skip(at).copied().take(length).collect()
                };
                frames += 1;
                let length = frame.len() as u32;
                if is_pcapng {
                    frame.resize(frame.len().next_multiple_of(4), 0);
                    let size = frame.len() as u32 + 32;
                    for field in [6, size, 0, 0, frames, length, length] {
                        file.extend(field.to_le_bytes());
                    }
                    file.extend(frame);
                    file.extend(size.to_le_bytes());
                } else {
                    [1_700_000_000 + frames, frames, length, length]
                        .into_iter()
                        .for_each(|field| file.extend(number(field)));
                    if magic == 0xa1b2_cd34 {
                        file.extend([0; 8]);
                    }
                    file.extend(frame);
                }
            }
        }
    }
    (file, frames)
}

/// The walk over all bytes at once and record by record, those that take short cuts and look ahead, and the one
/// over a stream's chunks give the same.
fn whole_and_stream_agree(data: &[u8]) {
    let whole = Input::from_memory(data.to_vec(), 0, None).map(drain);
    let source = Box::new(Cursor::new(data.to_vec()));
    let streamed = Input::from_reader(source, 0, Purpose::Peek).map(drain);
    assert_eq!(whole, streamed);
    for (segments, bytes, large) in [(4, 64, 0), (16, 300, 0), (16, 300, usize::MAX)] {
        let shape = Shape { segments, bytes, large };
        assert_eq!(whole, Input::from_memory(data.to_vec(), 0, Some(shape)).map(drain), "{shape:?}");
    }
    if let Ok((frames, tally)) = whole {
        assert_eq!(frames.len() as u64, tally.frames);
        let bytes: usize = frames.iter().map(|(.., bytes)| bytes.len()).sum();
        assert!(bytes <= data.len(), "frames do not overlap");
        assert!(!matches!(tally.fault, Some((_, NoticeKind::CannotRead(_)))), "memory can be read");
    }
}

/// All frames, in the order of the window, and what was counted.
pub(super) fn drain(mut input: Input) -> (Vec<Delivered>, Tally) {
    let mut frames = Vec::new();
    loop {
        let mut batch = FrameBatch::starting_at(1);
        while batch.len() < 64 && input.head().is_some() {
            input.take_run(&mut batch, 64, |_| true);
        }
        if batch.is_empty() {
            break;
        }
        for frame in batch.frames() {
            assert!(frame.bytes.len() <= FRAME_BYTES as usize);
            assert!(frame.wire_length as usize >= frame.bytes.len());
            frames.push((frame.time.as_nanos(), frame.link.0, frame.wire_length, frame.bytes.to_vec()));
        }
    }
    (frames, input.tally().clone())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{
        super::pcapng::tests::{block, interface, packet, section},
        *,
    };

    /// A small generator of numbers that look random (xorshift, Marsaglia 2003).
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn below(&mut self, limit: usize) -> usize {
            (self.next() % limit.max(1) as u64) as usize
        }

        /// `seed` with a few bytes changed, cut, or doubled.
        fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
            let mut bytes = seed.to_vec();
            for _ in 0..=self.below(4) {
                let at = self.below(bytes.len());
                match self.below(6) {
                    0 => bytes.truncate(at),
                    1 => {
                        let from = self.below(at + 1);
                        let again = bytes[from..at].to_vec();
                        bytes.splice(at..at, again);
                    }
                    2 if at + 4 <= bytes.len() => {
                        let number = [0, 1, 0xff, 0xffff, u32::MAX, FRAME_BYTES][self.below(6)];
                        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
                    }
                    _ => {
                        if let Some(byte) = bytes.get_mut(at) {
                            *byte = self.next() as u8;
                        }
                    }
                }
            }
            bytes
        }
    }

    fn pcap() -> Vec<u8> {
        let mut bytes =
            vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
        for (index, length) in [60_u32, 0, 14, 200, 60].into_iter().enumerate() {
            for field in [index as u32 ^ 1, 5, length, length + 4] {
                bytes.extend(field.to_le_bytes());
            }
            bytes.extend(vec![index as u8; length as usize]);
        }
        bytes
    }

    fn pcapng() -> Vec<u8> {
        let mut statistics = vec![0; 12];
        statistics.extend([5, 0, 8, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
        [
            section(),
            interface(1, 0, &[(9, &[9]), (14, &[1, 0, 0, 0, 0, 0, 0, 0])]),
            interface(147, 96, &[(9, &[0x94])]),
            packet(0, 1 << 40, &[1; 61]),
            packet(1, 7, &[2; 5]),
            block(0x0bad, &[3; 40]),
            block(3, &[9, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
            block(5, &statistics),
            section(),
            interface(101, 0, &[]),
            packet(0, 5, &[4; 33]),
        ]
        .concat()
    }

    #[test]
    fn looking_ahead_changes_nothing() {
        let mut numbers = Numbers(0xb0bd);
        let mut most = 0;
        for round in 0..6000 {
            let length = 20 + numbers.below(200);
            let mut script: Vec<u8> = (0..length).map(|_| numbers.next() as u8).collect();
            script[0] = round as u8;
            fuzz_borders(&script);
            most = most.max(tempting_file(script[0], &script[2..]).1);
        }
        assert!(most > 30, "{most}");
        fuzz_borders(b"");
    }

    #[test]
    fn mutated_pcap() {
        let (seed, mut numbers) = (pcap(), Numbers(0x5eed));
        for _ in 0..4000 {
            fuzz_pcap(&numbers.mutate(&seed));
        }
        fuzz_pcap(b"");
    }

    #[test]
    fn mutated_pcapng() {
        let (seed, mut numbers) = (pcapng(), Numbers(0xfeed));
        for _ in 0..4000 {
            fuzz_pcapng(&numbers.mutate(&seed));
        }
        fuzz_pcapng(b"");
    }

    #[test]
    fn mutated_compressed_captures() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&pcapng()).unwrap();
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(&pcap()).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
        xz.write_all(&pcap()).unwrap();
        let seeds = [
            pcap(),
            gzip.finish().unwrap(),
            lz4.finish().unwrap(),
            xz.finish().unwrap(),
            zstd::encode_all(&pcap()[..], 1).unwrap(),
        ];
        let mut numbers = Numbers(0xc0de);
        for seed in seeds {
            fuzz_capture(&seed);
            for _ in 0..100 {
                fuzz_capture(&numbers.mutate(&seed));
            }
        }
    }
}
