//! The pcap format: a file header of 24 bytes, then records of one link type.
//!
//! Source: draft-ietf-opsawg-pcap; the old versions and the modified record as libpcap reads them.

use crate::{
    decode::LinkType,
    limits::{BLOCK_BYTES, FRAME_BYTES},
    time::{SECOND, Timestamp},
};

use super::{
    notice::Damage,
    record::{Format, IN_A_ROW, Order, Record, Step, Usual, lengths},
};

/// Bytes of the file header.
pub(super) const HEADER_BYTES: usize = 24;

/// Seconds of one day.
const DAY: u32 = 86_400;
/// Places that a search for records looks at together.
const BLOCK: usize = 32;

/// Magic, nanoseconds per unit of the record's fraction, bytes of a record header. The last is
/// Kuznetzov's patched libpcap, which adds interface, protocol and packet type to each record.
const MAGICS: [(u32, i64, u32); 3] = [(0xa1b2_c3d4, 1000, 16), (0xa1b2_3c4d, 1, 16), (0xa1b2_cd34, 1000, 24)];

/// Whether a pcap file begins with these bytes.
pub(super) fn is_magic(bytes: [u8; 4]) -> bool {
    magic(bytes).is_some()
}

fn magic(bytes: [u8; 4]) -> Option<(Order, i64, u32)> {
    MAGICS.iter().find_map(|&(magic, unit, header)| {
        let order = match bytes {
            _ if bytes == magic.to_le_bytes() => Order::Little,
            _ if bytes == magic.to_be_bytes() => Order::Big,
            _ => return None,
        };
        Some((order, unit, header))
    })
}

/// How the records of one pcap file are to be read.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    order: Order,
    /// Nanoseconds of one unit of the record's fraction.
    unit: i64,
    /// Bytes of a record's header.
    header: u32,
    link: LinkType,
    supported: bool,
    /// Bytes of frame check sequence at the end of each frame on the wire.
    check_sequence: u32,
    /// A longer frame is damage.
    longest: u32,
    swapped: Swapped,
    /// Whether [`Usual`] may read its records.
    is_usual: bool,
}

/// Whether captured and wire length stand in the other order, which depends on the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Swapped {
    No,
    Yes,
    /// Version 2.3 was written both ways: the smaller one is the captured length.
    Perhaps,
}

/// Why a file header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// Fewer than [`HEADER_BYTES`], or not the magic of a pcap file.
    Short,
    /// A version that does not exist.
    Version(u16, u16),
}

impl Walk {
    /// Reads a file header.
    pub(super) fn new(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let (order, unit, header) =
            bytes.first_chunk().and_then(|bytes| magic(*bytes)).ok_or(HeaderFault::Short)?;
        let read = || {
            Some((order.u16(bytes, 4)?, order.u16(bytes, 6)?, order.u32(bytes, 16)?, order.u32(bytes, 20)?))
        };
        let (major, minor, snap_length, network) = read().ok_or(HeaderFault::Short)?;
        let swapped = match (major, minor) {
            (2, 0..=2) | (543, 0) => Swapped::Yes,
            (2, 3) => Swapped::Perhaps,
            (2, 4) => Swapped::No,
            _ => return Err(HeaderFault::Version(major, minor)),
        };
        // The link type has 16 bits; bit 26 says that the upper four give the length of the frame
        // check sequence in units of 16 bits.
        let link = LinkType(network as u16);
        let check_sequence = if network & 0x0400_0000 != 0 { (network >> 28) * 2 } else { 0 };
        // A snap length is often missing or too small, so it raises the limit and never lowers it.
        let longest = snap_length.clamp(FRAME_BYTES, BLOCK_BYTES);
        let supported = link.is_supported();
        let is_usual = supported
            && order == Order::Little
            && header as usize == Usual::HEADER
            && swapped == Swapped::No
            && check_sequence == 0;
        Ok(Self { order, unit, header, link, supported, check_sequence, longest, swapped, is_usual })
    }

    /// Has every record read by [`Format::step`]: the reference for tests and fuzzing.
    pub(super) fn without_usual(self) -> Self {
        Self { is_usual: false, ..self }
    }

    /// The record at the front of `bytes`.
    #[inline]
    pub(super) fn step(&self, bytes: &[u8]) -> Step {
        let order = self.order;
        let head = bytes.get(..self.header as usize).and_then(|_| {
            Some((order.u32(bytes, 0)?, order.u32(bytes, 4)?, order.u32(bytes, 8)?, order.u32(bytes, 12)?))
        });
        let Some((seconds, fraction, first, second)) = head else {
            return Step::Short { need: self.header as usize };
        };
        let (captured, wire) = match self.swapped {
            Swapped::No => (first, second),
            Swapped::Yes => (second, first),
            Swapped::Perhaps => (first.min(second), first.max(second)),
        };
        if captured > self.longest {
            return Step::Broken(Damage::FrameLength(captured));
        }
        let size = u64::from(self.header) + u64::from(captured);
        if !self.supported {
            return Step::Foreign { link: self.link, size };
        }
        let (length, wire_length) = lengths(captured, wire);
        let need = self.header as usize + length as usize;
        if bytes.len() < need {
            return Step::Short { need };
        }
        let (length, wire_length) = self.without_check_sequence(length, wire_length);
        Step::Frame(Record {
            size,
            start: self.header,
            length,
            wire_length,
            time: Timestamp::from_parts(i64::from(seconds), i64::from(fraction) * self.unit),
            link: self.link,
            timed: true,
        })
    }

    /// Captured and wire length of the record at `at`.
    #[inline]
    fn lengths_at(&self, bytes: &[u8], at: usize) -> Option<(u32, u32)> {
        let fields: &[u8; 8] = bytes.get(at.checked_add(8)?..)?.first_chunk()?;
        let (first, second) = (self.order.u32(fields, 0)?, self.order.u32(fields, 4)?);
        Some(match self.swapped {
            Swapped::No => (first, second),
            Swapped::Yes => (second, first),
            Swapped::Perhaps => (first.min(second), first.max(second)),
        })
    }

    /// The lengths without the frame check sequence, of which the snap length may have left a part.
    fn without_check_sequence(&self, length: u32, wire_length: u32) -> (u32, u32) {
        let wire_length = wire_length.saturating_sub(self.check_sequence);
        (length.min(wire_length), wire_length)
    }
}

impl Format for Walk {
    #[inline(always)]
    fn step(&mut self, bytes: &[u8]) -> Step {
        Walk::step(self, bytes)
    }

    #[inline(always)]
    fn size(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let (captured, _) = self.lengths_at(bytes, at)?;
        (captured <= self.longest).then_some(self.header as usize + captured as usize)
    }

    #[inline]
    fn usual(&self) -> Option<Usual> {
        let unit = u32::try_from(self.unit).ok()?;
        self.is_usual.then_some(Usual { unit, link: self.link })
    }

    /// Records within a day of the known one, with a possible fraction of a second, not longer than they
    /// were on the wire.
    fn find(&self, bytes: &[u8], from: usize, to: usize, known: usize) -> Option<usize> {
        let earliest = self.order.u32(bytes, known)?.wrapping_sub(DAY);
        let is_near = |seconds: u32| seconds.wrapping_sub(earliest) <= 2 * DAY;
        let is_likely = |at: usize| -> Option<usize> {
            let seconds = self.order.u32(bytes, at)?;
            let fraction = i64::from(self.order.u32(bytes, at.checked_add(4)?)?);
            let (captured, wire) = self.lengths_at(bytes, at)?;
            let is_likely = is_near(seconds) && fraction * self.unit < SECOND && captured <= wire;
            if is_likely { self.size(bytes, at) } else { None }
        };
        // Nearly every place is refused by the upper half of its seconds, for a block of places at once.
        let is_big = self.order == Order::Big;
        let upper = |seconds: u32| (seconds >> 16) as u16;
        let least = upper(earliest);
        let span = upper(earliest.wrapping_add(2 * DAY)).wrapping_sub(least);
        let first = bytes.get(if is_big { from } else { from.checked_add(3)? }..)?;
        let second = bytes.get(from.checked_add(if is_big { 1 } else { 2 })?..)?;
        let may_have = |index: &usize| {
            let block = |half: &[u8]| half.get(*index..)?.first_chunk::<BLOCK>().copied();
            let (Some(first), Some(second)) = (block(first), block(second)) else { return true };
            first.iter().zip(&second).fold(false, |found, (first, second)| {
                let upper = u16::from_be_bytes([*first, *second]);
                found | (upper.wrapping_sub(least) <= span)
            })
        };
        let places = to.checked_sub(from)?;
        let blocks = (0..places).step_by(BLOCK).filter(may_have);
        blocks.flat_map(|index| index..places.min(index + BLOCK)).find_map(|index| {
            let start = from + index;
            if !is_near(self.order.u32(bytes, start)?) {
                return None;
            }
            let end = (0..IN_A_ROW).try_fold(start, |at, _| at.checked_add(is_likely(at)?));
            end.map(|_| start)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(magic: [u8; 4], version: [u8; 4], snap_length: u32, network: u32) -> Vec<u8> {
        let mut bytes = magic.to_vec();
        bytes.extend(version);
        bytes.extend([0; 8]);
        bytes.extend(snap_length.to_le_bytes());
        bytes.extend(network.to_le_bytes());
        bytes
    }

    fn little(network: u32) -> Walk {
        Walk::new(&header(0xa1b2_c3d4_u32.to_le_bytes(), [2, 0, 4, 0], 65535, network)).unwrap()
    }

    fn record(fields: [u32; 4], frame: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
        bytes.extend(frame);
        bytes
    }

    fn frame(step: Step) -> Record {
        match step {
            Step::Frame(record) => record,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn microseconds_nanoseconds_and_both_orders() {
        let bytes = record([7, 5, 3, 9], b"abc");
        let micro = frame(little(1).step(&bytes));
        assert_eq!(micro.time.as_nanos(), 7_000_005_000);
        assert_eq!((micro.size, micro.start, micro.length, micro.wire_length), (19, 16, 3, 9));

        let nano = Walk::new(&header(0xa1b2_3c4d_u32.to_le_bytes(), [2, 0, 4, 0], 0, 1)).unwrap();
        assert_eq!(frame(nano.step(&bytes)).time.as_nanos(), 7_000_000_005);

        let mut big = 0xa1b2_c3d4_u32.to_be_bytes().to_vec();
        big.extend([0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 101]);
        let big = Walk::new(&big).unwrap();
        let mut bytes: Vec<u8> = [7_u32, 5, 3, 9].iter().flat_map(|field| field.to_be_bytes()).collect();
        bytes.extend(b"abc");
        let read = frame(big.step(&bytes));
        assert_eq!((read.time.as_nanos(), read.length, read.link), (7_000_005_000, 3, LinkType::RAW));
    }

    #[test]
    fn the_modified_format_has_longer_record_headers() {
        let walk = Walk::new(&header(0xa1b2_cd34_u32.to_le_bytes(), [2, 0, 4, 0], 0, 1)).unwrap();
        let mut bytes = record([7, 5, 3, 3], &[0; 8]);
        bytes.extend(b"abc");
        let read = frame(walk.step(&bytes));
        assert_eq!((read.size, read.start, read.length), (27, 24, 3));
        assert_eq!(walk.step(&bytes[..23]), Step::Short { need: 24 });
        assert_eq!(walk.step(&bytes[..26]), Step::Short { need: 27 });
    }

    #[test]
    fn old_versions_swap_the_lengths_and_unknown_ones_are_named() {
        let old = |minor| header(0xa1b2_c3d4_u32.to_le_bytes(), [2, 0, minor, 0], 0, 1);
        let bytes = record([0, 0, 9, 3], b"abc");
        assert_eq!(frame(Walk::new(&old(2)).unwrap().step(&bytes)).wire_length, 9);
        assert_eq!(frame(Walk::new(&old(3)).unwrap().step(&bytes)).wire_length, 9);
        assert_eq!(Walk::new(&old(5)).unwrap_err(), HeaderFault::Version(2, 5));
        assert_eq!(Walk::new(&old(4)[..23]).unwrap_err(), HeaderFault::Short);
    }

    #[test]
    fn the_frame_check_sequence_is_left_out() {
        // Four bytes of it: two units of 16 bits, announced by bit 26.
        let walk = little(0x2400_0001);
        let whole = frame(walk.step(&record([0, 0, 7, 7], b"abcFCS!")));
        assert_eq!((whole.length, whole.wire_length, whole.link), (3, 3, LinkType::ETHERNET));
        let half = frame(walk.step(&record([0, 0, 5, 7], b"abcFC")));
        assert_eq!((half.length, half.wire_length, half.size), (3, 3, 21));
        let cut = frame(walk.step(&record([0, 0, 2, 7], b"ab")));
        assert_eq!((cut.length, cut.wire_length), (2, 3));
        assert_eq!(frame(little(0x2000_0001).step(&record([0, 0, 3, 3], b"abc"))).length, 3);
    }

    #[test]
    fn impossible_lengths_are_damage_unless_the_snap_length_allows_them() {
        let bytes = record([0, 0, FRAME_BYTES + 1, FRAME_BYTES + 1], &vec![0; FRAME_BYTES as usize]);
        assert_eq!(little(1).step(&bytes), Step::Broken(Damage::FrameLength(FRAME_BYTES + 1)));
        let walk = Walk::new(&header(0xa1b2_c3d4_u32.to_le_bytes(), [2, 0, 4, 0], 1 << 20, 1)).unwrap();
        let read = frame(walk.step(&bytes));
        assert_eq!((read.length, read.wire_length), (FRAME_BYTES, FRAME_BYTES + 1));
        assert_eq!(read.size, u64::from(FRAME_BYTES) + 17);
    }

    #[test]
    fn a_wire_length_below_the_captured_one_is_raised() {
        assert_eq!(frame(little(1).step(&record([0, 0, 3, 1], b"abc"))).wire_length, 3);
    }

    #[test]
    fn an_unsupported_link_type_is_kept_by_number() {
        let step = little(147).step(&record([0, 0, 3, 3], b"abc"));
        assert_eq!(step, Step::Foreign { link: LinkType(147), size: 19 });
    }
}
