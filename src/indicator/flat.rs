//! Flat tables of little-endian numbers: the same bytes in memory of our own and in a compiled file.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::source::Mapped;

/// The bytes of a table: made here, or a part of a compiled file.
#[derive(Default)]
pub(super) struct Bytes {
    owned: Vec<u8>,
    /// Takes the place of `owned`.
    mapped: Option<(Arc<Mapped>, Range<usize>)>,
}

impl From<Vec<u8>> for Bytes {
    fn from(owned: Vec<u8>) -> Self {
        Self { owned, mapped: None }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.mapped {
            None => &self.owned,
            Some((file, range)) => (**file).as_ref().get(range.clone()).unwrap_or_default(),
        }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl Bytes {
    /// A part of a mapped file.
    pub(super) fn mapped(file: Arc<Mapped>, range: Range<usize>) -> Self {
        Self { owned: Vec::new(), mapped: Some((file, range)) }
    }

    /// Whether it is a part of a file.
    pub(super) fn is_mapped(&self) -> bool {
        self.mapped.is_some()
    }

    /// The bytes to be changed; those of a file are copied first.
    #[inline]
    pub(super) fn to_mut(&mut self) -> &mut Vec<u8> {
        if self.mapped.is_some() {
            self.owned = self.to_vec();
            self.mapped = None;
        }
        &mut self.owned
    }
}

/// A table of 64-bit numbers in memory of our own: of what is asked for every packet, where to find the bytes would
/// take longer than to look at them.
pub(super) fn words_of(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

/// The same as bytes, for a compiled file.
pub(super) fn bytes_of(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Number `index` of a table of 32-bit numbers.
#[inline]
pub(super) fn u32_at(bytes: &[u8], index: usize) -> Option<u32> {
    bytes.get(index.checked_mul(4)?..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

/// Number `index` of a table of 64-bit numbers.
#[inline]
pub(super) fn u64_at(bytes: &[u8], index: usize) -> Option<u64> {
    bytes.get(index.checked_mul(8)?..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// Changes number `index` of a table of 64-bit numbers, if there is one.
#[inline]
pub(super) fn set_u64(bytes: &mut [u8], index: usize, value: u64) {
    if let Some(chunk) = bytes.get_mut(index * 8..).and_then(<[u8]>::first_chunk_mut) {
        *chunk = value.to_le_bytes();
    }
}
