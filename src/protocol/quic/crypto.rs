//! The front of a CRYPTO stream, put together from pieces in any order.

use crate::limits::{QUIC_CRYPTO_BYTES, QUIC_CRYPTO_STRETCHES};

/// The first bytes of a CRYPTO stream, as far as they have come. What came first for a place stays.
///
/// # Limits
/// [`QUIC_CRYPTO_BYTES`] from the stream's beginning, in [`QUIC_CRYPTO_STRETCHES`] that do not touch;
/// what goes beyond is left out.
#[derive(Debug, Default)]
pub(super) struct CryptoStream {
    /// Invariant: as long as the end of the last stretch.
    bytes: Vec<u8>,
    /// Start and end of what is there. Invariant: ascending, none empty, none touching the next.
    stretches: Vec<(usize, usize)>,
}

impl CryptoStream {
    /// Adds a piece at `offset`.
    pub(super) fn insert(&mut self, offset: u64, piece: &[u8]) {
        let Ok(start) = usize::try_from(offset) else { return };
        let end = start.saturating_add(piece.len()).min(QUIC_CRYPTO_BYTES);
        if start >= end {
            return;
        }
        // The stretches that overlap or touch the piece become one with it.
        let from = self.stretches.partition_point(|stretch| stretch.1 < start);
        let to = self.stretches.partition_point(|stretch| stretch.0 <= end);
        let joined = self.stretches.get(from..to).unwrap_or_default();
        if joined.is_empty() && self.stretches.len() >= QUIC_CRYPTO_STRETCHES {
            return;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        let mut at = start;
        for &(taken, free) in joined.iter().chain(&[(end, end)]) {
            if at < taken
                && let Some(hole) = self.bytes.get_mut(at..taken.min(end))
            {
                let data = piece.get(at - start..).unwrap_or_default();
                hole.iter_mut().zip(data).for_each(|(to, from)| *to = *from);
            }
            at = free;
        }
        let whole = (
            joined.first().map_or(start, |stretch| stretch.0.min(start)),
            joined.last().map_or(end, |stretch| stretch.1.max(end)),
        );
        self.stretches.splice(from..to, [whole]);
    }

    /// The bytes from the stream's beginning to the first hole.
    pub(super) fn front(&self) -> &[u8] {
        match self.stretches.first() {
            Some(&(0, end)) => self.bytes.get(..end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Bytes of memory held.
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity() + self.stretches.capacity() * size_of::<(usize, usize)>()
    }

    /// Asserts what the fields promise: for fuzzing.
    pub(super) fn assert_sound(&self) {
        assert!(self.stretches.len() <= QUIC_CRYPTO_STRETCHES && self.bytes.len() <= QUIC_CRYPTO_BYTES);
        assert!(self.stretches.iter().all(|stretch| stretch.0 < stretch.1));
        assert!(self.stretches.windows(2).all(|pair| pair.first().map(|s| s.1) < pair.last().map(|s| s.0)));
        assert_eq!(self.stretches.last().map_or(0, |stretch| stretch.1), self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_pieces_of_any_order_and_overlap() {
        let text = b"abcdefghijklmnopqrstuvwxyz";
        let mut stream = CryptoStream::default();
        for range in [20..26, 3..5, 8..12, 4..9, 0..1, 11..20, 2..4] {
            stream.insert(range.start as u64, &text[range]);
            stream.assert_sound();
        }
        assert_eq!(stream.front(), b"a");
        stream.insert(1, b"b");
        assert_eq!(stream.front(), text);
        assert_eq!(stream.stretches.len(), 1);
    }

    #[test]
    fn what_came_first_stays() {
        let mut stream = CryptoStream::default();
        stream.insert(2, b"cd");
        stream.insert(6, b"gh");
        stream.insert(0, b"ABCDEFGHIJ");
        assert_eq!(stream.front(), b"ABcdEFghIJ");
        stream.insert(0, b"zzzz");
        assert_eq!(stream.front(), b"ABcdEFghIJ");
        stream.assert_sound();
    }

    #[test]
    fn a_flood_of_pieces_stays_within_the_limits() {
        let mut stream = CryptoStream::default();
        for index in 0..2 * QUIC_CRYPTO_BYTES as u64 {
            stream.insert(index * 2 + 1, b"x");
            stream.assert_sound();
        }
        assert_eq!(stream.stretches.len(), QUIC_CRYPTO_STRETCHES);
        // A piece that joins stretches still finds its place.
        stream.insert(0, &[b'y'; 64]);
        assert_eq!(stream.front().len(), 64);
        stream.insert(QUIC_CRYPTO_BYTES as u64 - 2, b"four");
        stream.insert(u64::MAX, b"x");
        stream.assert_sound();
        assert!(stream.held() <= QUIC_CRYPTO_BYTES + QUIC_CRYPTO_STRETCHES * 32);
    }
}
