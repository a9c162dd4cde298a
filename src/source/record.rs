//! What every capture format's walk gives: one step over the bytes at hand.

use crate::{
    decode::LinkType,
    limits::FRAME_BYTES,
    time::{SECOND, Timestamp},
};

use super::notice::Damage;

/// What stands at the front of the bytes that have not been walked yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A frame.
    Frame(Record),
    /// A frame of a link type that nobody here can decode.
    Foreign {
        /// Its link type.
        link: LinkType,
        /// Bytes of the whole record.
        size: u64,
    },
    /// A frame that cannot be used although its record's borders are sound.
    Lost {
        /// Why.
        reason: Damage,
        /// Bytes of the whole record.
        size: u64,
    },
    /// Something that is not a frame.
    Passed {
        /// Its bytes: may reach beyond the bytes at hand.
        size: u64,
        /// Frames that the capturing host says it dropped.
        drops: u64,
    },
    /// The record is not complete.
    Short {
        /// Bytes that must be at hand for the next step; more than there are.
        need: usize,
    },
    /// Nothing behind this can be trusted.
    Broken(Damage),
}

/// What a capture format tells of the records in its bytes.
pub(super) trait Format {
    /// The record at the front of `bytes`.
    fn step(&mut self, bytes: &[u8]) -> Step;

    /// Bytes of the record at `at`, from its lengths alone; `None` where none can be. For guesses: only
    /// [`Format::step`] decides.
    fn size(&self, bytes: &[u8], at: usize) -> Option<usize>;

    /// How its records are read where they are of the usual kind, if any of them can be.
    fn usual(&self) -> Option<Usual> {
        None
    }

    /// The first place in `from..to` where several records seem to follow each other that resemble the one
    /// at `known`.
    fn find(&self, bytes: &[u8], from: usize, to: usize, known: usize) -> Option<usize>;
}

/// Records that must follow each other before [`Format::find`] takes a place for a record's beginning. Each is a
/// load that is waited for; what is random is refused by one, and what imitates records imitates any number.
pub(super) const IN_A_ROW: usize = 2;

/// The records of nearly every pcap file: four numbers, least significant byte first, and the frame.
///
/// It reads whole frames of usual length, and those as [`Format::step`] does, which reads all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usual {
    /// Nanoseconds of one unit of the fraction of a second. Invariant: a second has `u32::MAX` of them at most.
    pub unit: u32,
    /// How all frames are to be read.
    pub link: LinkType,
}

/// What a usual record's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UsualHead {
    /// When the frame was captured.
    pub time: Timestamp,
    /// Its bytes. Invariant: they are at hand.
    pub length: u32,
    /// Its length on the wire: `length` or more.
    pub wire_length: u32,
}

impl Usual {
    /// Bytes of a record's header.
    pub(super) const HEADER: usize = 16;

    /// The record at `at`; `None` where it is not at hand as a whole, or too long to be usual.
    #[inline(always)]
    pub(super) fn head(self, bytes: &[u8], at: usize) -> Option<UsualHead> {
        let (head, behind) = bytes.get(at..)?.split_first_chunk::<{ Self::HEADER }>()?;
        let head = u128::from_le_bytes(*head);
        let [seconds, fraction, length, wire] = [0, 32, 64, 96].map(|bits| (head >> bits) as u32);
        if length > FRAME_BYTES || length as usize > behind.len() {
            return None;
        }
        // 32 bits of each: the sum stays below 2^63 nanoseconds, and nothing saturates.
        let nanos = i64::from(seconds) * SECOND + i64::from(fraction) * i64::from(self.unit);
        Some(UsualHead { time: Timestamp::from_nanos(nanos), length, wire_length: wire.max(length) })
    }
}

/// One frame's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Bytes of the whole record: may reach beyond the bytes at hand when the frame was cut here.
    pub size: u64,
    /// Where the frame's first byte stands in the record.
    pub start: u32,
    /// Bytes of the frame that are to be used. Invariant: `start + length` bytes are at hand.
    pub length: u32,
    /// Its length on the wire: `length` or more.
    pub wire_length: u32,
    /// When it was captured.
    pub time: Timestamp,
    /// How it is to be read.
    pub link: LinkType,
    /// Whether the record states a time; `time` is the frame's before it otherwise.
    pub timed: bool,
}

/// The byte order in which a capture's numbers were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl Order {
    /// The two bytes at `offset`.
    pub(super) fn u16(self, bytes: &[u8], offset: usize) -> Option<u16> {
        let bytes: [u8; 2] = array(bytes, offset)?;
        Some(match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        })
    }

    /// The four bytes at `offset`.
    #[inline]
    pub(super) fn u32(self, bytes: &[u8], offset: usize) -> Option<u32> {
        let bytes: [u8; 4] = array(bytes, offset)?;
        Some(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }

    /// The eight bytes at `offset`.
    pub(super) fn u64(self, bytes: &[u8], offset: usize) -> Option<u64> {
        let bytes: [u8; 8] = array(bytes, offset)?;
        Some(match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        })
    }
}

/// A frame's length is capped at [`FRAME_BYTES`] and its wire length is at least that.
pub(super) fn lengths(captured: u32, wire: u32) -> (u32, u32) {
    (captured.min(FRAME_BYTES), wire.max(captured))
}

#[inline]
fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
}
