//! The pcapng format: sections of blocks, each section with its byte order and its interfaces.
//!
//! Source: draft-ietf-opsawg-pcapng. Name resolution blocks, decryption secrets and everything
//! unknown are stepped over by their length and never read.

use crate::{
    decode::LinkType,
    limits::{BLOCK_BYTES, INTERFACES},
    time::Timestamp,
};

use super::{
    notice::Damage,
    record::{Format, IN_A_ROW, Order, Record, Step, lengths},
};

mod block {
    pub(super) const SECTION: u32 = 0x0a0d_0d0a;
    pub(super) const INTERFACE: u32 = 1;
    /// The obsolete packet block.
    pub(super) const PACKET: u32 = 2;
    pub(super) const SIMPLE_PACKET: u32 = 3;
    pub(super) const STATISTICS: u32 = 5;
    pub(super) const ENHANCED_PACKET: u32 = 6;
}

mod option {
    pub(super) const END: u16 = 0;
    pub(super) const IF_TSRESOL: u16 = 9;
    pub(super) const IF_TSOFFSET: u16 = 14;
    pub(super) const ISB_IFDROP: u16 = 5;
    pub(super) const ISB_OSDROP: u16 = 7;
}

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Type and length in front of every block's body.
const BLOCK_HEAD: usize = 8;
/// Bytes of the shortest section header: what must be at hand to know the order of its numbers.
pub(super) const SECTION_BYTES: usize = 28;

/// Where in a pcapng file the walk stands: what its section has said so far.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    order: Order,
    interfaces: Vec<Interface>,
    /// The last frame's time, which a simple packet block's frame is given.
    last_time: Timestamp,
}

/// What an interface description says.
#[derive(Clone, Debug)]
struct Interface {
    link: LinkType,
    supported: bool,
    /// Longest frame kept; `u32::MAX` where the block says 0, which means no limit.
    snap_length: u32,
    clock: Clock,
    /// Drops that its statistics blocks, which count from the start, have told so far.
    drops: u64,
}

/// How an interface's 64-bit timestamps become nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Clock {
    unit: Unit,
    /// Seconds to add.
    offset: i64,
}

/// One tick of a clock.
#[derive(Clone, Copy, Debug)]
enum Unit {
    /// So many nanoseconds.
    Nanoseconds(u64),
    /// A nanosecond has so many ticks.
    PerNanosecond(u128),
    /// A second has two to the power of this many ticks.
    BinaryFraction(u32),
}

impl Walk {
    /// A walk that expects a section header.
    pub(super) fn new() -> Self {
        Self { order: Order::Little, interfaces: Vec::new(), last_time: Timestamp::default() }
    }

    /// The block at the front of `bytes`.
    #[inline]
    pub(super) fn step(&mut self, bytes: &[u8]) -> Step {
        // The section header's type reads the same in both orders.
        let (Some(kind), Some(length)) = (self.order.u32(bytes, 0), self.order.u32(bytes, 4)) else {
            return Step::Short { need: BLOCK_HEAD };
        };
        if kind == block::SECTION {
            return self.section(bytes);
        }
        if length < 12 {
            return Step::Broken(Damage::BlockLength { kind, length });
        }
        let size = padded(length);
        let read = matches!(
            kind,
            block::INTERFACE
                | block::PACKET
                | block::SIMPLE_PACKET
                | block::STATISTICS
                | block::ENHANCED_PACKET
        );
        if !read {
            return Step::Passed { size, drops: 0 };
        }
        let body = match self.body(bytes, kind, length) {
            Ok(body) => body,
            Err(step) => return step,
        };
        match kind {
            block::ENHANCED_PACKET => self.enhanced_packet(body, kind, length),
            block::SIMPLE_PACKET => self.simple_packet(body, kind, length),
            block::PACKET => self.packet(body, kind, length),
            block::INTERFACE => self.interface(body, kind, length),
            _ => self.statistics(body, kind, length),
        }
    }

    /// The body of a block that must be read whole, its length checked at both ends.
    fn body<'a>(&self, bytes: &'a [u8], kind: u32, length: u32) -> Result<&'a [u8], Step> {
        if length > BLOCK_BYTES {
            return Err(Step::Broken(Damage::BlockLength { kind, length }));
        }
        let size = padded(length) as usize;
        // Some old writers leave the padding out of the length, and have it all the same.
        let Some(last) = self.order.u32(bytes, size - 4) else {
            return Err(Step::Short { need: size });
        };
        if last != length {
            return Err(Step::Broken(Damage::BlockTrailer { first: length, last }));
        }
        Ok(bytes.get(BLOCK_HEAD..size - 4).unwrap_or_default())
    }

    /// A section header: forgets the interfaces of the section before.
    fn section(&mut self, bytes: &[u8]) -> Step {
        let Some(magic) = Order::Little.u32(bytes, 8) else {
            return Step::Short { need: SECTION_BYTES };
        };
        let order = match magic {
            BYTE_ORDER_MAGIC => Order::Little,
            _ if magic.swap_bytes() == BYTE_ORDER_MAGIC => Order::Big,
            _ => return Step::Broken(Damage::SectionMagic(magic)),
        };
        let (Some(length), Some(major), Some(minor)) =
            (order.u32(bytes, 4), order.u16(bytes, 12), order.u16(bytes, 14))
        else {
            return Step::Short { need: SECTION_BYTES };
        };
        // Version 1.2 is 1.0 under another number (section 4.1 asks readers to accept it).
        if major != 1 || !matches!(minor, 0 | 2) {
            return Step::Broken(Damage::SectionVersion(major, minor));
        }
        if (length as usize) < SECTION_BYTES {
            return Step::Broken(Damage::BlockLength { kind: block::SECTION, length });
        }
        self.order = order;
        if let Err(step) = self.body(bytes, block::SECTION, length) {
            return step;
        }
        self.interfaces.clear();
        Step::Passed { size: padded(length), drops: 0 }
    }

    /// An interface description: link type, reserved, snap length, options.
    fn interface(&mut self, body: &[u8], kind: u32, length: u32) -> Step {
        let (Some(link), Some(snap_length)) = (self.order.u16(body, 0), self.order.u32(body, 4)) else {
            return Step::Broken(Damage::BlockLength { kind, length });
        };
        if self.interfaces.len() >= INTERFACES {
            return Step::Broken(Damage::TooManyInterfaces);
        }
        let mut clock = Clock { unit: Unit::Nanoseconds(1000), offset: 0 };
        for (code, value) in options(self.order, body.get(8..).unwrap_or_default()) {
            match (code, value) {
                (option::IF_TSRESOL, [resolution]) => clock.unit = Unit::from_resolution(*resolution),
                (option::IF_TSOFFSET, _) => {
                    clock.offset = self.order.u64(value, 0).map_or(0, u64::cast_signed);
                }
                _ => {}
            }
        }
        let link = LinkType(link);
        self.interfaces.push(Interface {
            link,
            supported: link.is_supported(),
            snap_length: if snap_length == 0 { u32::MAX } else { snap_length },
            clock,
            drops: 0,
        });
        Step::Passed { size: padded(length), drops: 0 }
    }

    /// Interface, timestamp, captured and wire length, frame, options.
    #[inline]
    fn enhanced_packet(&mut self, body: &[u8], kind: u32, length: u32) -> Step {
        self.timed_packet(body, self.order.u32(body, 0), kind, length)
    }

    /// The obsolete form: a 16-bit interface, then the drops since the frame before.
    fn packet(&mut self, body: &[u8], kind: u32, length: u32) -> Step {
        self.timed_packet(body, self.order.u16(body, 0).map(u32::from), kind, length)
    }

    /// What both forms have behind the interface's four bytes.
    #[inline]
    fn timed_packet(&mut self, body: &[u8], interface: Option<u32>, kind: u32, length: u32) -> Step {
        let order = self.order;
        let head = || {
            Some((
                interface?,
                order.u32(body, 4)?,
                order.u32(body, 8)?,
                order.u32(body, 12)?,
                order.u32(body, 16)?,
            ))
        };
        let Some((interface, high, low, captured, wire)) = head() else {
            return Step::Broken(Damage::BlockLength { kind, length });
        };
        let ticks = u64::from(high) << 32 | u64::from(low);
        self.frame(body, length, interface, Some(ticks), 20, captured, wire)
    }

    /// Wire length and frame; the captured length follows from the first interface's snap length.
    fn simple_packet(&mut self, body: &[u8], kind: u32, length: u32) -> Step {
        let Some(wire) = self.order.u32(body, 0) else {
            return Step::Broken(Damage::BlockLength { kind, length });
        };
        let room = body.len().saturating_sub(4) as u32;
        let snap_length = self.interfaces.first().map_or(u32::MAX, |interface| interface.snap_length);
        // The snap length may lie; the block's end does not.
        let captured = wire.min(snap_length).min(room);
        self.frame(body, length, 0, None, 4, captured, wire)
    }

    #[inline]
    #[allow(clippy::too_many_arguments, reason = "the fields of three block types, gathered once")]
    fn frame(
        &mut self,
        body: &[u8],
        block_length: u32,
        interface: u32,
        ticks: Option<u64>,
        start: u32,
        captured: u32,
        wire: u32,
    ) -> Step {
        let size = padded(block_length);
        let Some(described) = self.interfaces.get(interface as usize) else {
            return Step::Lost { reason: Damage::Interface(interface), size };
        };
        if !described.supported {
            return Step::Foreign { link: described.link, size };
        }
        if u64::from(start) + u64::from(captured) > body.len() as u64 {
            return Step::Lost { reason: Damage::FrameOverBlock(captured), size };
        }
        let time = ticks.map_or(self.last_time, |ticks| described.clock.time(ticks));
        self.last_time = time;
        let (length, wire_length) = lengths(captured, wire);
        Step::Frame(Record {
            size,
            start: BLOCK_HEAD as u32 + start,
            length,
            wire_length,
            time,
            link: described.link,
            timed: ticks.is_some(),
        })
    }

    /// Interface statistics: only how many frames were dropped.
    fn statistics(&mut self, body: &[u8], kind: u32, length: u32) -> Step {
        let Some(interface) = self.order.u32(body, 0) else {
            return Step::Broken(Damage::BlockLength { kind, length });
        };
        let mut total = 0_u64;
        for (code, value) in options(self.order, body.get(12..).unwrap_or_default()) {
            if matches!(code, option::ISB_IFDROP | option::ISB_OSDROP) {
                total = total.saturating_add(self.order.u64(value, 0).unwrap_or(0));
            }
        }
        let mut drops = 0;
        if let Some(interface) = self.interfaces.get_mut(interface as usize) {
            drops = total.saturating_sub(interface.drops);
            interface.drops = interface.drops.max(total);
        }
        Step::Passed { size: padded(length), drops }
    }
}

impl Format for Walk {
    #[inline(always)]
    fn step(&mut self, bytes: &[u8]) -> Step {
        Walk::step(self, bytes)
    }

    #[inline(always)]
    fn size(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let length = self.order.u32(bytes, at.checked_add(4)?)?;
        (length >= 12).then(|| padded(length) as usize)
    }

    /// Blocks whose lengths at both ends agree, the first of them with a frame.
    fn find(&self, bytes: &[u8], from: usize, to: usize, known: usize) -> Option<usize> {
        let is_likely = |at: usize| -> Option<usize> {
            let length = self.order.u32(bytes, at.checked_add(4)?)?;
            let end = at.checked_add(self.size(bytes, at)?)?;
            (self.order.u32(bytes, end.checked_sub(4)?)? == length).then_some(end)
        };
        // Blocks are aligned to 32 bits.
        let from = known + (from - known).next_multiple_of(4);
        (from..to).step_by(4).find(|start| {
            self.order.u32(bytes, *start) == Some(block::ENHANCED_PACKET)
                && (0..IN_A_ROW).try_fold(*start, |at, _| is_likely(at)).is_some()
        })
    }
}

impl Unit {
    /// The unit that `if_tsresol` states: a power of ten, or of two where the top bit is set.
    fn from_resolution(resolution: u8) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        match resolution {
            0x80.. => Self::BinaryFraction(exponent),
            0..=9 => Self::Nanoseconds(10_u64.pow(9 - exponent)),
            // Beyond 10^38 ticks in a nanosecond no 64-bit number of them amounts to one.
            _ => Self::PerNanosecond(10_u128.checked_pow(exponent - 9).unwrap_or(u128::MAX)),
        }
    }
}

impl Clock {
    /// When `ticks` was, kept within what [`Timestamp`] can tell.
    #[inline]
    fn time(self, ticks: u64) -> Timestamp {
        let ticks = u128::from(ticks);
        // No overflow: 64 bits times at most 10^9 (30 bits).
        let nanos = match self.unit {
            Unit::Nanoseconds(unit) => ticks * u128::from(unit),
            Unit::PerNanosecond(ticks_each) => ticks / ticks_each,
            Unit::BinaryFraction(exponent) => (ticks * 1_000_000_000) >> exponent,
        };
        // The offset may bring a large number back into range, so it is added before the cut.
        let nanos = nanos as i128 + i128::from(self.offset) * 1_000_000_000;
        Timestamp::from_nanos(nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }
}

/// The options in `bytes`: code and value, until their end mark, the end, or one that does not fit.
fn options(order: Order, bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (code, length) = (order.u16(rest, 0)?, usize::from(order.u16(rest, 2)?));
        let value = rest.get(4..4 + length)?;
        rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        (code != option::END).then_some((code, value))
    })
}

/// A length rounded up to the 32 bits to which blocks are aligned.
fn padded(length: u32) -> u64 {
    u64::from(length).next_multiple_of(4)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A block with its length at both ends, little-endian.
    pub(in crate::source) fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = (body.len() as u32 + 12).to_le_bytes();
        [&kind.to_le_bytes()[..], &length, &body, &length].concat()
    }

    pub(in crate::source) fn section() -> Vec<u8> {
        let mut body = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
        body.extend([1, 0, 0, 0]);
        body.extend([0xff; 8]);
        block(block::SECTION, &body)
    }

    pub(in crate::source) fn interface(link: u16, snap_length: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = link.to_le_bytes().to_vec();
        body.extend([0, 0]);
        body.extend(snap_length.to_le_bytes());
        for (code, value) in options {
            body.extend(code.to_le_bytes());
            body.extend((value.len() as u16).to_le_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        block(block::INTERFACE, &body)
    }

    pub(in crate::source) fn packet(interface: u32, ticks: u64, frame: &[u8]) -> Vec<u8> {
        let mut body = interface.to_le_bytes().to_vec();
        body.extend(((ticks >> 32) as u32).to_le_bytes());
        body.extend((ticks as u32).to_le_bytes());
        body.extend((frame.len() as u32).to_le_bytes().repeat(2));
        body.extend(frame);
        block(block::ENHANCED_PACKET, &body)
    }

    /// All steps over `bytes`, up to the first that does not lead on.
    fn steps(bytes: &[u8]) -> Vec<Step> {
        let (mut walk, mut at, mut steps) = (Walk::new(), 0, Vec::new());
        while at < bytes.len() {
            let step = walk.step(&bytes[at..]);
            steps.push(step);
            at += match step {
                Step::Frame(Record { size, .. })
                | Step::Foreign { size, .. }
                | Step::Lost { size, .. }
                | Step::Passed { size, .. } => size as usize,
                Step::Short { .. } | Step::Broken(_) => break,
            };
        }
        steps
    }

    fn frames(bytes: &[u8]) -> Vec<Record> {
        let frame = |step| if let Step::Frame(record) = step { Some(record) } else { None };
        steps(bytes).into_iter().filter_map(frame).collect()
    }

    /// The time of a frame with `ticks` on an interface with these options.
    fn time(options: &[(u16, &[u8])], ticks: u64) -> i64 {
        let bytes = [section(), interface(1, 0, options), packet(0, ticks, b"abc")].concat();
        frames(&bytes)[0].time.as_nanos()
    }

    #[test]
    fn resolutions_and_offsets() {
        assert_eq!(time(&[], 7), 7_000);
        assert_eq!(time(&[(9, &[9])], 7), 7);
        assert_eq!(time(&[(9, &[0])], 7), 7_000_000_000);
        assert_eq!(time(&[(9, &[12])], 7_999), 7);
        assert_eq!(time(&[(9, &[127])], u64::MAX), 0);
        assert_eq!(time(&[(9, &[0x81])], 3), 1_500_000_000);
        assert_eq!(time(&[(9, &[0xff])], u64::MAX), 0);
        assert_eq!(time(&[(14, &(-2_i64).to_le_bytes())], 1), -1_999_999_000);
        assert_eq!(time(&[(9, &[0])], u64::MAX), i64::MAX);
        assert_eq!(time(&[(9, &[0x80]), (14, &i64::MIN.to_le_bytes())], 0), i64::MIN);
        let options: &[(u16, &[u8])] = &[(2, b"eth0"), (9, &[9]), (14, &5_i64.to_le_bytes())];
        assert_eq!(time(options, 7), 5_000_000_007);
    }

    #[test]
    fn a_new_section_forgets_interfaces_and_may_change_the_order() {
        let mut big = 0x0a0d_0d0a_u32.to_be_bytes().to_vec();
        big.extend([0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0]);
        big.extend([0xff; 8]);
        big.extend([0, 0, 0, 28]);
        let orphan = packet(0, 1, b"x").iter().as_slice().to_vec();
        let bytes = [section(), interface(1, 0, &[]), packet(0, 1, b"abc"), section(), orphan].concat();
        let steps = steps(&bytes);
        assert!(matches!(steps[2], Step::Frame(_)), "{steps:?}");
        assert_eq!(steps[4], Step::Lost { reason: Damage::Interface(0), size: 36 });

        big.extend([0, 0, 0, 1, 0, 0, 0, 20, 0, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20]);
        big.extend([0, 0, 0, 6, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, 8]);
        big.extend([b'h', b'i', 0, 0, 0, 0, 0, 36]);
        let bytes = [section(), big].concat();
        let read = frames(&bytes)[0];
        assert_eq!((read.time.as_nanos(), read.length, read.wire_length), (9_000, 2, 8));
        assert_eq!(read.link, LinkType::RAW);
    }

    #[test]
    fn simple_and_obsolete_packets() {
        let simple = [&9_u32.to_le_bytes()[..], b"abcd"].concat();
        let mut old = vec![0, 0, 3, 0];
        old.extend([0, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0]);
        old.extend(b"abc");
        let bytes = [section(), interface(1, 4, &[]), block(block::PACKET, &old), block(3, &simple)].concat();
        let read = frames(&bytes);
        assert_eq!((read[0].time.as_nanos(), read[0].length, read[0].timed), (5_000, 3, true));
        assert_eq!((read[1].time.as_nanos(), read[1].length, read[1].wire_length), (5_000, 4, 9));
        assert!(!read[1].timed);
    }

    #[test]
    fn unsupported_interfaces_do_not_hide_the_others() {
        let bytes = [
            section(),
            interface(147, 0, &[]),
            interface(1, 0, &[]),
            packet(0, 1, b"abc"),
            packet(1, 2, b"abc"),
        ]
        .concat();
        let steps = steps(&bytes);
        assert_eq!(steps[3], Step::Foreign { link: LinkType(147), size: 36 });
        assert!(matches!(steps[4], Step::Frame(record) if record.time.as_nanos() == 2_000));
    }

    #[test]
    fn unknown_blocks_are_stepped_over_and_drops_counted_once() {
        let statistics = |drops: u64| {
            let mut body = vec![0; 12];
            body.extend([5, 0, 8, 0]);
            body.extend(drops.to_le_bytes());
            block(block::STATISTICS, &body)
        };
        let secret = block(0x0a, b"never looked at");
        let bytes = [section(), interface(1, 0, &[]), secret, statistics(3), statistics(5)].concat();
        let steps = steps(&bytes);
        assert_eq!(steps[2], Step::Passed { size: 28, drops: 0 });
        assert!(matches!(steps[3], Step::Passed { drops: 3, .. }));
        assert!(matches!(steps[4], Step::Passed { drops: 2, .. }));
    }

    #[test]
    fn damage_is_named() {
        let last = |bytes: &[u8]| *steps(bytes).last().unwrap();
        let mut trailer = packet(0, 1, b"abc");
        let at = trailer.len() - 4;
        trailer[at] = 99;
        assert_eq!(
            last(&[section(), interface(1, 0, &[]), trailer].concat()),
            Step::Broken(Damage::BlockTrailer { first: 36, last: 99 })
        );
        let mut short = section();
        short.extend([6, 0, 0, 0, 8, 0, 0, 0]);
        assert_eq!(last(&short), Step::Broken(Damage::BlockLength { kind: 6, length: 8 }));
        let mut over = packet(0, 1, b"abc");
        over[20] = 200;
        assert_eq!(
            last(&[section(), interface(1, 0, &[]), over].concat()),
            Step::Lost { reason: Damage::FrameOverBlock(200), size: 36 }
        );
        let mut version = section();
        version[12] = 9;
        assert_eq!(last(&version), Step::Broken(Damage::SectionVersion(9, 0)));
        assert_eq!(last(&section()[..20]), Step::Short { need: 28 });
    }
}
