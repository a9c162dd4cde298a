//! The pcapng format (draft-ietf-opsawg-pcapng).

use super::Frame;
use crate::stage::Nanos;

/// What a file shows of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// One little-endian section, one interface in nanoseconds, statistics with drops at the end.
    Plain,
    /// The same, big-endian, in microseconds without saying so.
    Big,
    /// Milliseconds: times are rounded down.
    Milliseconds,
    /// Fractions of 2^-20 seconds: times are rounded down.
    Binary,
    /// Times less an offset of 1,000,000,000 seconds.
    Offset,
    /// Two interfaces of different fineness that take turns, with blocks of unknown type between.
    Interfaces,
    /// A little-endian section, then a big-endian one, half of the frames each.
    Sections,
    /// Simple packet blocks: no times at all.
    Simple,
}

/// How an interface counts time.
#[derive(Clone, Copy)]
struct Clock {
    /// `if_tsresol`; `None` leaves the option out, which means microseconds.
    resolution: Option<u8>,
    /// `if_tsoffset` in seconds.
    offset: i64,
}

const NANOSECONDS: Clock = Clock { resolution: Some(9), offset: 0 };
const MICROSECONDS: Clock = Clock { resolution: None, offset: 0 };

/// The bytes of a file; frames longer than `snaplen` are cut.
pub fn write(variant: Variant, link: u16, snaplen: usize, frames: &[Frame]) -> Vec<u8> {
    let section = |big: bool, clocks: &[Clock], frames: &[Frame]| {
        let mut section = Section { bytes: Vec::new(), big, snaplen };
        section.header();
        for (index, clock) in clocks.iter().enumerate() {
            section.interface(link, index, *clock);
        }
        for (index, frame) in frames.iter().enumerate() {
            let interface = index % clocks.len();
            if clocks.len() > 1 && index % 8 == 0 {
                section.block(0x0bad_f00d, b"a block of a type that nobody knows");
            }
            section.enhanced_packet(interface, clocks[interface], frame);
        }
        for (index, clock) in clocks.iter().enumerate() {
            section.statistics(index, *clock, frames);
        }
        section.bytes
    };
    match variant {
        Variant::Plain => section(false, &[NANOSECONDS], frames),
        Variant::Big => section(true, &[MICROSECONDS], frames),
        Variant::Milliseconds => section(false, &[Clock { resolution: Some(3), offset: 0 }], frames),
        Variant::Binary => section(false, &[Clock { resolution: Some(0x80 | 20), offset: 0 }], frames),
        Variant::Offset => section(false, &[Clock { resolution: Some(9), offset: 1_000_000_000 }], frames),
        Variant::Interfaces => section(false, &[NANOSECONDS, MICROSECONDS], frames),
        Variant::Sections => {
            let (first, second) = frames.split_at(frames.len() / 2);
            let mut bytes = section(false, &[NANOSECONDS], first);
            bytes.extend(section(true, &[MICROSECONDS], second));
            bytes
        }
        Variant::Simple => {
            let mut section = Section { bytes: Vec::new(), big: false, snaplen };
            section.header();
            section.interface(link, 0, MICROSECONDS);
            frames.iter().for_each(|frame| section.simple_packet(frame));
            section.bytes
        }
    }
}

struct Section {
    bytes: Vec<u8>,
    big: bool,
    snaplen: usize,
}

impl Section {
    fn header(&mut self) {
        let mut body = Vec::new();
        self.long(&mut body, 0x1a2b_3c4d);
        self.short(&mut body, 1);
        self.short(&mut body, 0);
        // Section length unknown.
        body.extend_from_slice(&[0xff; 8]);
        self.option(&mut body, 4, b"callhome lab");
        self.option(&mut body, 0, &[]);
        self.block(0x0a0d_0d0a, &body);
    }

    fn interface(&mut self, link: u16, index: usize, clock: Clock) {
        let mut body = Vec::new();
        self.short(&mut body, link);
        self.short(&mut body, 0);
        self.long(&mut body, self.snaplen as u32);
        self.option(&mut body, 2, format!("lab{index}").as_bytes());
        if let Some(resolution) = clock.resolution {
            self.option(&mut body, 9, &[resolution]);
        }
        if clock.offset != 0 {
            let offset = if self.big { clock.offset.to_be_bytes() } else { clock.offset.to_le_bytes() };
            self.option(&mut body, 14, &offset);
        }
        self.option(&mut body, 0, &[]);
        self.block(1, &body);
    }

    fn enhanced_packet(&mut self, interface: usize, clock: Clock, frame: &Frame) {
        let mut body = Vec::new();
        self.long(&mut body, interface as u32);
        self.time(&mut body, clock, frame.at);
        self.packet(&mut body, frame, true);
        self.block(6, &body);
    }

    fn simple_packet(&mut self, frame: &Frame) {
        let mut body = Vec::new();
        self.packet(&mut body, frame, false);
        self.block(3, &body);
    }

    /// `isb_ifrecv` says that two frames more arrived than were written, `isb_ifdrop` that they were dropped.
    fn statistics(&mut self, interface: usize, clock: Clock, frames: &[Frame]) {
        let mut body = Vec::new();
        self.long(&mut body, interface as u32);
        self.time(&mut body, clock, frames.last().map_or(0, |frame| frame.at));
        for (code, value) in [(4, frames.len() as u64 + 2), (5, 2)] {
            let value = if self.big { value.to_be_bytes() } else { value.to_le_bytes() };
            self.option(&mut body, code, &value);
        }
        self.option(&mut body, 0, &[]);
        self.block(5, &body);
    }

    fn packet(&self, body: &mut Vec<u8>, frame: &Frame, captured_length: bool) {
        let kept = frame.bytes.len().min(self.snaplen);
        if captured_length {
            self.long(body, kept as u32);
        }
        self.long(body, frame.bytes.len() as u32);
        body.extend_from_slice(&frame.bytes[..kept]);
        body.resize(body.len().next_multiple_of(4), 0);
    }

    fn time(&self, body: &mut Vec<u8>, clock: Clock, at: Nanos) {
        let at = i128::from(at) - i128::from(clock.offset) * 1_000_000_000;
        let units = match clock.resolution.unwrap_or(6) {
            binary if binary & 0x80 != 0 => (at << (binary & 0x7f)) / 1_000_000_000,
            decimal => at / 10_i128.pow(9 - u32::from(decimal)),
        } as u64;
        self.long(body, (units >> 32) as u32);
        self.long(body, units as u32);
    }

    fn option(&self, body: &mut Vec<u8>, code: u16, value: &[u8]) {
        self.short(body, code);
        self.short(body, value.len() as u16);
        body.extend_from_slice(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(4);
        let length = padded as u32 + 12;
        let mut block = Vec::new();
        self.long(&mut block, kind);
        self.long(&mut block, length);
        block.extend_from_slice(body);
        block.resize(8 + padded, 0);
        self.long(&mut block, length);
        self.bytes.extend(block);
    }

    fn long(&self, out: &mut Vec<u8>, value: u32) {
        out.extend_from_slice(&if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn short(&self, out: &mut Vec<u8>, value: u16) {
        out.extend_from_slice(&if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
    }
}
