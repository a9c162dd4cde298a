//! Compressed captures: told by their first bytes, decoded as a plain stream of bytes.

use std::{
    fmt,
    io::{self, BufRead, BufReader, Read},
};

use crate::limits::DECODER_BYTES;

/// The compressions that are undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// gzip (RFC 1952), any number of members.
    Gzip,
    /// Zstandard (RFC 8878), any number of frames, skippable ones too.
    Zstd,
    /// The LZ4 frame format, any number of frames, skippable and legacy ones too.
    Lz4,
    /// The xz file format, any number of streams.
    Xz,
}

const ZSTD_MAGIC: u32 = 0xfd2f_b528;
const LZ4_MAGIC: u32 = 0x184d_2204;
const LZ4_LEGACY_MAGIC: u32 = 0x184c_2102;

/// Frames that zstd and LZ4 both ask decoders to step over: magic, length, anything.
fn is_skippable(magic: u32) -> bool {
    magic & 0xffff_fff0 == 0x184d_2a50
}

impl Compression {
    /// The compression that a file with these first bytes has.
    pub(super) fn sniff(prefix: &[u8]) -> Option<Self> {
        if prefix.starts_with(&[0x1f, 0x8b, 8]) {
            return Some(Self::Gzip);
        }
        if prefix.starts_with(b"\xfd7zXZ\0") {
            return Some(Self::Xz);
        }
        let mut rest = prefix;
        loop {
            match u32::from_le_bytes(*rest.first_chunk()?) {
                ZSTD_MAGIC => return Some(Self::Zstd),
                LZ4_MAGIC | LZ4_LEGACY_MAGIC => return Some(Self::Lz4),
                magic if is_skippable(magic) => {
                    let length = u32::from_le_bytes(rest.get(4..8)?.try_into().ok()?) as usize;
                    // Parallel zstd writes such frames first; both decoders know them.
                    let Some(behind) = rest.get(8_usize.checked_add(length)?..) else {
                        return Some(Self::Zstd);
                    };
                    rest = behind;
                }
                _ => return None,
            }
        }
    }

    /// A reader of the decoded bytes.
    pub(super) fn decoder(self, source: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
        let source = BufReader::with_capacity(256 << 10, source);
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
            Self::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(source)?;
                decoder.window_log_max(DECODER_BYTES.ilog2())?;
                Box::new(decoder)
            }
            Self::Lz4 => Box::new(Lz4Frames::new(source)),
            Self::Xz => {
                let flags = liblzma::stream::CONCATENATED;
                let stream = liblzma::stream::Stream::new_stream_decoder(DECODER_BYTES, flags)?;
                Box::new(XzStreams { source, stream, failure: None })
            }
        })
    }
}

impl fmt::Display for Compression {
    /// `gzip`, `zstd`, `lz4` or `xz`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
        })
    }
}

/// xz streams one behind the other.
///
/// `liblzma`'s own reader forgets what it decoded in the call that fails; here that comes first.
struct XzStreams<R> {
    source: R,
    stream: liblzma::stream::Stream,
    /// What is told once everything before it was given.
    failure: Option<io::Error>,
}

impl<R: BufRead> Read for XzStreams<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use liblzma::stream::{Action, Status};
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            let input = self.source.fill_buf()?;
            let at_end = input.is_empty();
            let action = if at_end { Action::Finish } else { Action::Run };
            let (read, written) = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.process(input, buffer, action);
            let consumed = (self.stream.total_in() - read) as usize;
            let produced = (self.stream.total_out() - written) as usize;
            self.source.consume(consumed);
            match status {
                Err(error) => self.failure = Some(error.into()),
                Ok(Status::StreamEnd) if produced == 0 => return Ok(0),
                Ok(_) if produced == 0 && at_end => return Err(cut()),
                Ok(_) => {}
            }
            if produced > 0 {
                return Ok(produced);
            }
        }
    }
}

/// LZ4 frames one behind the other.
///
/// `lz4_flex` reads one frame and takes an end of input between two blocks for the end of the frame;
/// this steps from frame to frame, and tells a frame's end mark from a file that was cut.
struct Lz4Frames<R: Read> {
    frames: lz4_flex::frame::FrameDecoder<Lz4Source<R>>,
    state: Lz4State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lz4State {
    BetweenFrames,
    InFrame,
    /// The legacy format has no end mark: the end of input ends it.
    InLegacyFrame,
}

impl<R: Read> Lz4Frames<R> {
    fn new(source: R) -> Self {
        let source = Lz4Source { source, magic: [0; 4], put_back: 0, ended: false };
        Self { frames: lz4_flex::frame::FrameDecoder::new(source), state: Lz4State::BetweenFrames }
    }

    /// Steps over skippable frames to the next one; `None` at the end of input.
    fn next_frame(&mut self) -> io::Result<Option<Lz4State>> {
        let source = self.frames.get_mut();
        loop {
            let mut magic = [0; 4];
            let mut have = 0;
            while let Some(rest) = magic.get_mut(have..).filter(|rest| !rest.is_empty()) {
                match source.source.read(rest)? {
                    0 if have == 0 => return Ok(None),
                    0 => return Err(cut()),
                    count => have += count,
                }
            }
            let state = match u32::from_le_bytes(magic) {
                LZ4_MAGIC => Lz4State::InFrame,
                LZ4_LEGACY_MAGIC => Lz4State::InLegacyFrame,
                other if is_skippable(other) => {
                    let mut length = [0; 4];
                    source.source.read_exact(&mut length)?;
                    let length = u64::from(u32::from_le_bytes(length));
                    let skipped = io::copy(&mut (&mut source.source).take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(cut());
                    }
                    continue;
                }
                _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "no LZ4 frame follows")),
            };
            (source.magic, source.put_back) = (magic, magic.len());
            return Ok(Some(state));
        }
    }
}

impl<R: Read> Read for Lz4Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.state == Lz4State::BetweenFrames {
                match self.next_frame()? {
                    Some(state) => self.state = state,
                    None => return Ok(0),
                }
            }
            let count = self.frames.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            if self.frames.get_ref().ended {
                return if self.state == Lz4State::InLegacyFrame { Ok(0) } else { Err(cut()) };
            }
            self.state = Lz4State::BetweenFrames;
        }
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the data is cut off")
}

/// A reader into which a magic can be put back, and that notes whether more was asked of it than
/// there was.
struct Lz4Source<R> {
    source: R,
    magic: [u8; 4],
    /// Bytes at the end of `magic` that are to be read again.
    put_back: usize,
    ended: bool,
}

impl<R: Read> Read for Lz4Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.put_back > 0 {
            let again = self.magic.get(self.magic.len() - self.put_back..).unwrap_or_default();
            let count = (&*again).read(buffer)?;
            self.put_back -= count;
            return Ok(count);
        }
        let count = self.source.read(buffer)?;
        self.ended |= count == 0 && !buffer.is_empty();
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn lz4(data: &[u8]) -> Vec<u8> {
        let info = lz4_flex::frame::FrameInfo::new()
            .block_size(lz4_flex::frame::BlockSize::Max64KB)
            .content_checksum(true);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn xz(data: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        zstd::encode_all(data, 1).unwrap()
    }

    /// What comes out, and whether it ended well.
    fn decode(compression: Compression, bytes: Vec<u8>) -> (Vec<u8>, bool) {
        let mut decoder = compression.decoder(Box::new(io::Cursor::new(bytes))).unwrap();
        let (mut out, mut slice) = (Vec::new(), [0; 1000]);
        loop {
            match decoder.read(&mut slice) {
                Ok(0) => return (out, true),
                Ok(count) => out.extend(&slice[..count]),
                Err(_) => return (out, false),
            }
        }
    }

    fn data() -> Vec<u8> {
        // Poorly compressible, so that a cut loses little.
        let mut state = 7_u32;
        let byte = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..300_000).map(byte).collect()
    }

    const SKIPPABLE: [u8; 11] = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];

    #[test]
    fn several_members_are_one_stream() {
        let data = data();
        type Encode = fn(&[u8]) -> Vec<u8>;
        let encoders: [(Compression, Encode); 4] = [
            (Compression::Gzip, gzip),
            (Compression::Zstd, zstd),
            (Compression::Lz4, lz4),
            (Compression::Xz, xz),
        ];
        for (compression, encode) in encoders {
            let (first, second) = data.split_at(100_001);
            let mut bytes = encode(first);
            if matches!(compression, Compression::Zstd | Compression::Lz4) {
                bytes.extend(SKIPPABLE);
            }
            bytes.extend(encode(second));
            assert_eq!(Compression::sniff(&bytes), Some(compression));
            assert_eq!(decode(compression, bytes.clone()), (data.clone(), true), "{compression}");

            // Wherever it is cut, what came before comes out and the cut is told.
            for cut in [bytes.len() - 1, bytes.len() - 4, bytes.len() - 9, bytes.len() / 2, 20] {
                let (out, whole) = decode(compression, bytes[..cut].to_vec());
                assert!(!whole, "{compression} cut at {cut}");
                assert!(data.starts_with(&out), "{compression} cut at {cut}");
                assert!(out.len() + (140 << 10) > cut, "{compression} cut at {cut} gave {}", out.len());
            }
        }
    }

    #[test]
    fn an_lz4_frame_cut_between_two_blocks_is_told_from_its_end() {
        let bytes = lz4(&data());
        // Magic, flags, block size and checksum take seven bytes, then the first block's length.
        let length = u32::from_le_bytes(bytes[7..11].try_into().unwrap()) & 0x7fff_ffff;
        let (out, whole) = decode(Compression::Lz4, bytes[..11 + length as usize].to_vec());
        assert_eq!((out.len(), whole), (64 << 10, false));
    }

    #[test]
    fn skippable_frames_before_the_first_are_stepped_over() {
        for (compression, bytes) in [(Compression::Zstd, zstd(b"abc")), (Compression::Lz4, lz4(b"abc"))] {
            let bytes = [&SKIPPABLE[..], &bytes].concat();
            assert_eq!(Compression::sniff(&bytes), Some(compression));
            assert_eq!(decode(compression, bytes), (b"abc".to_vec(), true));
        }
    }
}
