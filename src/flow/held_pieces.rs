//! What came too early of one side of a connection, held until its turn.

use crate::limits::{REASSEMBLY_SIDE_BYTES, REASSEMBLY_SIDE_PIECES};

/// What a held piece costs besides its bytes: its descriptor and the allocator's share.
pub(super) const PIECE_COST: usize = 64;

/// Pieces in stream order that neither overlap nor touch `next`.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) pieces: Vec<Held>,
    /// Sum of the pieces' bytes.
    pub(super) bytes: usize,
}

impl Waiting {
    pub(super) fn is_over_its_cap(&self) -> bool {
        self.bytes > REASSEMBLY_SIDE_BYTES || self.pieces.len() > REASSEMBLY_SIDE_PIECES
    }
}

/// `bytes`, and behind them `absent` bytes of which only the extent is known: cut by the snap
/// length, or not wanted. Invariant: the two together are at least 1.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) sequence: u32,
    pub(super) bytes: Box<[u8]>,
    pub(super) absent: u32,
}

impl Held {
    pub(super) fn length(&self) -> u32 {
        (self.bytes.len() as u32).saturating_add(self.absent)
    }

    pub(super) fn cost(&self) -> usize {
        self.bytes.len() + PIECE_COST
    }
}

/// A segment's bytes or what is left of them: `length` on the wire, of which `bytes` were captured.
#[derive(Clone, Copy)]
pub(super) struct Extent<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) length: u32,
}

impl<'a> Extent<'a> {
    /// The first `count` bytes and what follows them.
    pub(super) fn split(self, count: u32) -> (Self, Self) {
        let count = count.min(self.length);
        let (head, tail) = self.bytes.split_at((count as usize).min(self.bytes.len()));
        (Self { bytes: head, length: count }, Self { bytes: tail, length: self.length - count })
    }

    pub(super) fn absent(self) -> u32 {
        self.length - self.bytes.len() as u32
    }
}

/// Whether two views of the same bytes disagree, as far as both are there.
pub(super) fn differ(one: &[u8], other: &[u8]) -> bool {
    one.iter().zip(other).any(|(a, b)| a != b)
}
