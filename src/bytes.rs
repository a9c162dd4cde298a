//! A cursor over borrowed bytes that never panics: every read answers `None` past the end.

/// Reads big-endian values from the front of a slice.
///
/// A read that does not fit gives `None` and moves nothing, so that a parser can stop with `?` and
/// still say where: [`Reader::position`] counts from the slice's first byte.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    all: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// A cursor at the first byte of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { all: bytes, position: 0 }
    }

    /// Bytes read so far. Invariant: `position <= all.len()`.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.all.get(self.position..).unwrap_or_default()
    }

    /// How many bytes have not been read yet.
    pub fn remaining(&self) -> usize {
        self.rest().len()
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.position.checked_add(count)?;
        let taken = self.all.get(self.position..end)?;
        self.position = end;
        Some(taken)
    }

    /// The next `count` bytes, or as many as there are: for messages that were cut.
    pub fn take_up_to(&mut self, count: usize) -> &'a [u8] {
        let count = count.min(self.remaining());
        self.take(count).unwrap_or_default()
    }

    /// Steps over `count` bytes.
    pub fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    /// The next byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The next two bytes, big-endian.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next three bytes, big-endian.
    pub fn u24(&mut self) -> Option<u32> {
        self.array::<3>().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// The next four bytes, big-endian.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next eight bytes, big-endian.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// A cursor over the next `count` bytes, which this one steps over.
    pub fn sub(&mut self, count: usize) -> Option<Reader<'a>> {
        self.take(count).map(Reader::new)
    }
}

/// The two bytes at `offset`, big-endian.
pub fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..offset.checked_add(2)?)?.try_into().ok().map(u16::from_be_bytes)
}

/// The four bytes at `offset`, big-endian.
pub fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..offset.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)
}

/// Where `byte` stands first in `bytes`, found eight bytes at a time: what is looked for is a few dozen
/// bytes away, where a call of the C library's would not pay.
pub fn find_byte(bytes: &[u8], byte: u8) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGH_BITS: u64 = ONES << 7;
    let (words, rest) = bytes.as_chunks();
    for (index, &word) in words.iter().enumerate() {
        // Zero where the byte is; the lowest of the high bits that are left then is that of the first zero.
        let differs = u64::from_le_bytes(word) ^ (ONES * u64::from(byte));
        let zeros = differs.wrapping_sub(ONES) & !differs & HIGH_BITS;
        if zeros != 0 {
            return Some(8 * index + zeros.trailing_zeros() as usize / 8);
        }
    }
    let in_rest = rest.iter().position(|&other| other == byte)?;
    Some(8 * words.len() + in_rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_past_the_end_moves_nothing() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u16(), Some(0x0102));
        assert_eq!(reader.u16(), None);
        assert_eq!(reader.position(), 2);
        assert_eq!(reader.take_up_to(9), [3]);
        assert!(reader.is_empty());
        assert_eq!(reader.take(usize::MAX), None);
    }

    #[test]
    fn a_byte_is_found_where_it_stands_first() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for length in 0..2000 {
            let bytes: Vec<u8> = (0..length % 67)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    // Few values, among them the neighbours that carries would reach.
                    [0, 1, 9, 10, 11, 127, 128, 138, 255][(state >> 33) as usize % 9]
                })
                .collect();
            for byte in [0, 10, 11, 128, 255] {
                assert_eq!(find_byte(&bytes, byte), bytes.iter().position(|&other| other == byte));
            }
        }
    }
}
