//! Where a body's bytes are among those of the connection (RFC 9112 sections 6 and 7.1).

use super::parser::Framing;

/// A body that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes are still to come; at least 1.
    Length(u64),
    /// Chunks.
    Chunked(Chunk),
    /// All that comes.
    UntilClose,
}

/// Where in the chunked coding the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In a chunk's size, of which so much has been read.
    Size { value: u64, digits: u8 },
    /// Behind the size, in extensions that are read over.
    Extension { size: u64 },
    /// In a chunk's data; so many bytes are still to come, at least 1.
    Data(u64),
    /// In the line end behind a chunk's data.
    DataEnd,
    /// At the start of a line of the trailer section.
    TrailerStart,
    /// In a line of the trailer section.
    TrailerLine,
}

/// What a body makes of the next bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step<'a> {
    /// How many of the bytes belong to the body with its coding.
    pub consumed: usize,
    /// Those of them that are the body itself.
    pub data: &'a [u8],
    /// Where that leaves the body.
    pub end: BodyEnd,
}

/// Whether a body goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyEnd {
    /// More belongs to it.
    Open,
    /// That was all.
    Done,
    /// The chunks make no sense from here on.
    Broken,
}

impl Body {
    /// The body that such a head announces.
    pub fn of(framing: Framing) -> Option<Self> {
        match framing {
            Framing::Empty | Framing::Length(0) => None,
            Framing::Length(length) => Some(Self::Length(length)),
            Framing::Chunked => Some(Self::Chunked(Chunk::START)),
            Framing::UntilClose => Some(Self::UntilClose),
        }
    }

    /// Reads on: to the end of `bytes`, of a run of data, or of the body.
    pub fn step<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        match self {
            Self::UntilClose => Step { consumed: bytes.len(), data: bytes, end: BodyEnd::Open },
            Self::Length(rest) => {
                let data = first(bytes, *rest);
                *rest -= data.len() as u64;
                let end = if *rest == 0 { BodyEnd::Done } else { BodyEnd::Open };
                Step { consumed: data.len(), data, end }
            }
            Self::Chunked(chunk) => chunk.step(bytes),
        }
    }

    /// How many of the next bytes are the body itself, whatever they are; `None` for all of them.
    pub fn plain_bytes(&self) -> Option<u64> {
        match self {
            Self::UntilClose => None,
            Self::Length(rest) | Self::Chunked(Chunk::Data(rest)) => Some(*rest),
            Self::Chunked(_) => Some(0),
        }
    }

    /// Passes over `count` unseen bytes, at most [`Body::plain_bytes`].
    pub fn pass(&mut self, count: u64) -> BodyEnd {
        match self {
            Self::UntilClose => {}
            Self::Length(rest) => {
                *rest = rest.saturating_sub(count);
                if *rest == 0 {
                    return BodyEnd::Done;
                }
            }
            Self::Chunked(chunk) => {
                if let Chunk::Data(rest) = chunk {
                    *rest = rest.saturating_sub(count);
                    if *rest == 0 {
                        *chunk = Chunk::DataEnd;
                    }
                }
            }
        }
        BodyEnd::Open
    }
}

impl Chunk {
    const START: Self = Self::Size { value: 0, digits: 0 };

    fn step<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        for (index, byte) in bytes.iter().enumerate() {
            if let Self::Data(rest) = self {
                let data = first(bytes.get(index..).unwrap_or_default(), *rest);
                *rest -= data.len() as u64;
                if *rest == 0 {
                    *self = Self::DataEnd;
                }
                return Step { consumed: index + data.len(), data, end: BodyEnd::Open };
            }
            match self.read(*byte) {
                BodyEnd::Open => {}
                BodyEnd::Done => return Step { consumed: index + 1, data: &[], end: BodyEnd::Done },
                BodyEnd::Broken => return Step { consumed: index, data: &[], end: BodyEnd::Broken },
            }
        }
        Step { consumed: bytes.len(), data: &[], end: BodyEnd::Open }
    }

    /// One byte outside of data.
    fn read(&mut self, byte: u8) -> BodyEnd {
        *self = match (*self, byte) {
            (Self::Size { value, digits }, _) if byte.is_ascii_hexdigit() && digits < 16 => {
                let digit = (byte as char).to_digit(16).unwrap_or_default();
                Self::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Self::Size { digits: 0, .. }, b' ' | b'\t') => *self,
            (Self::Size { value, digits: 1.. }, b' ' | b'\t' | b';' | b'\r') => {
                Self::Extension { size: value }
            }
            (Self::Size { value, digits: 1.. } | Self::Extension { size: value }, b'\n') => match value {
                0 => Self::TrailerStart,
                _ => Self::Data(value),
            },
            (Self::Extension { .. }, _) => *self,
            (Self::DataEnd, b'\r') => *self,
            (Self::DataEnd, b'\n') => Self::START,
            (Self::TrailerStart, b'\n') => return BodyEnd::Done,
            (Self::TrailerStart, b'\r') => *self,
            (Self::TrailerLine, b'\n') => Self::TrailerStart,
            (Self::TrailerStart | Self::TrailerLine, _) => Self::TrailerLine,
            _ => return BodyEnd::Broken,
        };
        BodyEnd::Open
    }
}

/// As many of the first `count` bytes as there are.
fn first(bytes: &[u8], count: u64) -> &[u8] {
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(bytes.len());
    bytes.get(..count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `bytes` in pieces of `size`: the data, how it ended, and the bytes left over.
    fn decode(bytes: &[u8], size: usize) -> (Vec<u8>, BodyEnd, usize) {
        let mut body = Body::of(Framing::Chunked).unwrap();
        let (mut data, mut position) = (Vec::new(), 0);
        while position < bytes.len() {
            let piece = &bytes[position..bytes.len().min(position + size)];
            let step = body.step(piece);
            data.extend_from_slice(step.data);
            position += step.consumed;
            if step.end != BodyEnd::Open {
                return (data, step.end, bytes.len() - position);
            }
        }
        (data, BodyEnd::Open, 0)
    }

    #[test]
    fn chunks_with_extensions_and_trailers_in_any_cut() {
        let coded = b"5;a=\"b\"\r\nhello\r\n 06 \r\n world\r\n1\n!\n000\r\nTrailer: x\r\n\r\nnext";
        for size in 1..coded.len() {
            assert_eq!(decode(coded, size), (b"hello world!".to_vec(), BodyEnd::Done, 4), "{size}");
        }
    }

    #[test]
    fn nonsense_is_broken_and_not_read() {
        for coded in [
            &b"xyz"[..],
            b"\r\n5\r\nhello",
            b"-5\r\nhello",
            b"0x5\r\nhello",
            b"11111111111111111\r\n",
            b"1\r\nab",
        ] {
            assert_eq!(decode(coded, 1).1, BodyEnd::Broken, "{}", coded.escape_ascii());
        }
    }

    #[test]
    fn unseen_bytes_are_passed_over_inside_data_only() {
        let mut body = Body::of(Framing::Chunked).unwrap();
        assert_eq!(body.plain_bytes(), Some(0));
        assert_eq!(body.step(b"10\r\nabc").data, b"abc");
        assert_eq!(body.plain_bytes(), Some(13));
        assert_eq!(body.pass(13), BodyEnd::Open);
        assert_eq!(body, Body::Chunked(Chunk::DataEnd));
        let mut body = Body::Length(10);
        assert_eq!(body.pass(4), BodyEnd::Open);
        assert_eq!(body.pass(6), BodyEnd::Done);
    }
}
