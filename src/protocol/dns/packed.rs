//! Names as they stand in a message: labels, and pointers to labels elsewhere (RFC 1035 section 4.1.4).

use crate::bytes::u16_at;
use crate::limits::{DNS_NAME_BYTES, DNS_NAME_POINTER_HOPS};

use super::Name;

/// Bytes of a message's header: a pointer to before it does not point at a name.
pub(super) const HEADER_BYTES: usize = 12;

/// A name in a message, not yet followed through its compression pointers.
///
/// Pointers may go forward as well as back: RFC 1035 speaks of a "prior occurrence", but other
/// readers follow both, and what they read must not be hidden from us.
#[derive(Clone, Copy, Debug)]
pub struct PackedName<'a> {
    message: &'a [u8],
    offset: usize,
}

/// Room for one unpacked name; lives on the stack and is used again for each name.
#[derive(Clone, Debug)]
pub struct NameScratch {
    wire: [u8; DNS_NAME_BYTES],
    length: usize,
}

/// Why a name could not be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameBreak {
    /// The message ends inside it.
    Cut,
    /// A pointer to a place outside the message.
    PointerOutside,
    /// Pointers that go in a circle.
    PointerLoop,
    /// More than [`DNS_NAME_POINTER_HOPS`] pointers.
    TooManyHops,
    /// More than 255 bytes.
    TooLong,
    /// A label type other than 00 and 11 (01 was RFC 2673's, 10 is unassigned).
    LabelType,
}

/// What was met on the way through a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trail {
    /// Pointers followed.
    pub hops: usize,
    /// A pointer went forward.
    pub forward: bool,
    /// A pointer went into the message's header.
    pub into_header: bool,
    /// How it ended.
    pub end: Result<(), NameBreak>,
}

impl<'a> PackedName<'a> {
    /// The name at `offset` of `message`.
    pub const fn new(message: &'a [u8], offset: usize) -> Self {
        Self { message, offset }
    }

    /// Where in the message it begins.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Whether the root stands there, written without a pointer.
    pub fn is_root(&self) -> bool {
        self.message.get(self.offset) == Some(&0)
    }

    /// The whole name. It is borrowed from the message where it stands in one piece, and otherwise
    /// put together in `scratch`.
    ///
    /// # Errors
    /// Says what broke it. A name that broke must not be compared with anything, because its end,
    /// which decides whose it is, is missing; the labels before the break are in
    /// [`NameScratch::before_break`].
    pub fn unpack<'s>(&self, scratch: &'s mut NameScratch) -> Result<Name<'s>, NameBreak>
    where
        'a: 's,
    {
        scratch.length = 0;
        let mut only: &'a [u8] = &[];
        let trail = self.follow(|labels| {
            only = labels;
            scratch.append(labels);
        });
        trail.end?;
        Ok(if trail.hops == 0 { Name::from_wire(only) } else { scratch.before_break() })
    }

    /// Goes through the name and gives each run of whole labels, with their length bytes, to `run`.
    /// Altogether they are at most 254 bytes.
    pub(super) fn follow(&self, mut run: impl FnMut(&'a [u8])) -> Trail {
        let message = self.message;
        let mut trail = Trail { hops: 0, forward: false, into_header: false, end: Ok(()) };
        let (mut start, mut at, mut length) = (self.offset, self.offset, 0);
        // Brent's search for a circle: a past target is remembered, a later one each time that the
        // number of hops has doubled.
        let mut anchor = usize::MAX;
        trail.end = loop {
            let label = match Label::at(message, at) {
                Ok(label) => label,
                Err(reason) => break Err(reason),
            };
            match label {
                Label::Root => break Ok(()),
                Label::Text { next } => {
                    length += next - at;
                    if length >= DNS_NAME_BYTES {
                        break Err(NameBreak::TooLong);
                    }
                    at = next;
                }
                Label::Pointer { target } => {
                    if target >= message.len() {
                        break Err(NameBreak::PointerOutside);
                    }
                    if target == anchor || target == at {
                        break Err(NameBreak::PointerLoop);
                    }
                    if trail.hops == DNS_NAME_POINTER_HOPS {
                        break Err(NameBreak::TooManyHops);
                    }
                    trail.hops += 1;
                    trail.forward |= target > at;
                    trail.into_header |= target < HEADER_BYTES;
                    if trail.hops.is_power_of_two() {
                        anchor = target;
                    }
                    run(message.get(start..at).unwrap_or_default());
                    (start, at) = (target, target);
                }
            }
        };
        run(message.get(start..at).unwrap_or_default());
        trail
    }
}

impl NameScratch {
    /// Empty room.
    pub const fn new() -> Self {
        Self { wire: [0; DNS_NAME_BYTES], length: 0 }
    }

    /// After a failed [`PackedName::unpack`]: the labels that stood before the break, to be shown and not compared.
    pub fn before_break(&self) -> Name<'_> {
        Name::from_wire(self.wire.get(..self.length).unwrap_or_default())
    }

    fn append(&mut self, labels: &[u8]) {
        let end = self.length + labels.len();
        if let Some(room) = self.wire.get_mut(self.length..end) {
            room.copy_from_slice(labels);
            self.length = end;
        }
    }
}

impl Default for NameScratch {
    fn default() -> Self {
        Self::new()
    }
}

/// The first byte behind the name at `offset`, without following a pointer. The whole name must stand
/// within `bytes`, which may be a message cut off at the end of a record.
pub(super) fn end_of_name(bytes: &[u8], offset: usize) -> Result<usize, NameBreak> {
    let mut at = offset;
    loop {
        match Label::at(bytes, at)? {
            Label::Root => return Ok(at + 1),
            Label::Pointer { .. } => return Ok(at + 2),
            Label::Text { next } => at = next,
        }
    }
}

/// One step in a name.
enum Label {
    Root,
    Text { next: usize },
    Pointer { target: usize },
}

impl Label {
    fn at(bytes: &[u8], at: usize) -> Result<Self, NameBreak> {
        let length = *bytes.get(at).ok_or(NameBreak::Cut)?;
        match length {
            0 => Ok(Self::Root),
            1..=0x3f => {
                let next = at + 1 + usize::from(length);
                if next <= bytes.len() { Ok(Self::Text { next }) } else { Err(NameBreak::Cut) }
            }
            0xc0.. => {
                let pointer = u16_at(bytes, at).ok_or(NameBreak::Cut)?;
                Ok(Self::Pointer { target: usize::from(pointer & 0x3fff) })
            }
            _ => Err(NameBreak::LabelType),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(message: &[u8], offset: usize) -> Result<String, NameBreak> {
        let mut scratch = NameScratch::new();
        PackedName::new(message, offset).unpack(&mut scratch).map(|name| name.to_string())
    }

    #[test]
    fn follows_pointers_back_and_forward() {
        let message = b"\x03com\x00\x07example\xc0\x00\xc0\x05\xc0\x13\x01a\xc0\x05";
        assert_eq!(unpack(message, 5), Ok("example.com".to_owned()));
        assert_eq!(unpack(message, 15), Ok("example.com".to_owned()));
        assert_eq!(unpack(message, 17), Ok("a.example.com".to_owned()));
        assert_eq!(end_of_name(message, 5), Ok(15));
        assert!(PackedName::new(message, 17).follow(|_| {}).forward);
        assert!(!PackedName::new(message, 15).follow(|_| {}).forward);
    }

    #[test]
    fn a_name_in_one_piece_is_borrowed_from_the_message() {
        let message = b"\x03Www\x02ab\x00";
        let mut scratch = NameScratch::new();
        let name = PackedName::new(message, 0).unpack(&mut scratch);
        assert!(name.is_ok_and(|name| name.wire().as_ptr() == message.as_ptr()));
    }

    #[test]
    fn every_break_has_its_reason() {
        assert_eq!(unpack(b"\x03ab", 0), Err(NameBreak::Cut));
        assert_eq!(unpack(b"\x02ab", 0), Err(NameBreak::Cut));
        assert_eq!(unpack(b"\xc0", 0), Err(NameBreak::Cut));
        assert_eq!(unpack(b"", 0), Err(NameBreak::Cut));
        assert_eq!(unpack(b"\xc0\x02", 0), Err(NameBreak::PointerOutside));
        assert_eq!(unpack(b"\xc0\x00", 0), Err(NameBreak::PointerLoop));
        assert_eq!(unpack(b"\xc0\x02\xc0\x04\xc0\x00", 0), Err(NameBreak::PointerLoop));
        assert_eq!(unpack(b"\x01a\xc0\x00", 0), Err(NameBreak::PointerLoop));
        assert_eq!(unpack(b"\x40a\x00", 0), Err(NameBreak::LabelType));
        assert_eq!(unpack(b"\x01a\x80\x00", 0), Err(NameBreak::LabelType));
    }

    #[test]
    fn a_broken_name_leaves_the_labels_before_the_break() {
        let mut scratch = NameScratch::new();
        assert!(PackedName::new(b"\x02ab\x03cd", 0).unpack(&mut scratch).is_err());
        assert_eq!(scratch.before_break().to_string(), "ab");
    }

    #[test]
    fn a_name_has_at_most_255_bytes() {
        let mut longest = [b"\x3f".as_slice(), &[b'x'; 63]].concat().repeat(3);
        longest.extend_from_slice(&[b"\x3d".as_slice(), &[b'y'; 61], b"\x00"].concat());
        assert_eq!(longest.len(), 255);
        assert!(unpack(&longest, 0).is_ok());
        let mut longer = b"\x01z".to_vec();
        longer.extend_from_slice(&longest);
        assert_eq!(unpack(&longer, 0), Err(NameBreak::TooLong));
        assert_eq!(end_of_name(&longer, 0), Ok(257));
    }

    #[test]
    fn a_chain_of_pointers_ends_at_the_limit() {
        // Place 2n+2 points to place 2n; a root byte stands at 0.
        let mut message = vec![0, 0];
        for target in (0..16_000_u16).step_by(2) {
            message.extend_from_slice(&(0xc000 | target).to_be_bytes());
        }
        let limit = DNS_NAME_POINTER_HOPS * 2;
        assert_eq!(unpack(&message, limit), Ok(".".to_owned()));
        assert_eq!(unpack(&message, limit + 2), Err(NameBreak::TooManyHops));
        assert_eq!(unpack(&message, 16_000), Err(NameBreak::TooManyHops));
    }
}
