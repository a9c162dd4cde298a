//! One event as one line of bounded length.

use serde::Serialize;

use crate::limits::{EVENT_BYTES, TEXT_BYTES};

/// How much of what the wire sent goes into an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Bytes of one text, before JSON's own escaping.
    pub text: usize,
    /// Entries of one list.
    pub list: usize,
    /// Whether something was left out for the sake of the event's length: `callhome.cut`.
    pub cut: bool,
}

impl Bounds {
    /// Everything within the limits that hold for any event.
    pub(super) const FULL: Self = Self { text: TEXT_BYTES, list: usize::MAX, cut: false };
    /// For the rare event that is too long: fewer entries of each list, then shorter texts too.
    ///
    /// What is left out first is the end of long lists; the fields that say who, when and which are
    /// never left out. The last step is short enough whatever the wire sent: an event has at most 24
    /// lists, two of them nested (an incident's evidence), and about 60 single texts, so that
    /// 24 * 4 * 2 + 6 * 4 + 60 texts of 64 bytes, twice as long when JSON escapes all of them, and
    /// their field names stay below 64 KiB.
    const SHORTER: [Self; 2] =
        [Self { text: 512, list: 16, cut: true }, Self { text: 64, list: 4, cut: true }];

    /// The first entries of `list`.
    pub(super) fn head<'a, T>(&self, list: &'a [T]) -> &'a [T] {
        list.get(..self.list).unwrap_or(list)
    }
}

/// A line's memory, kept from one event to the next.
#[derive(Debug, Default)]
pub(super) struct Line {
    bytes: Vec<u8>,
}

impl Line {
    /// The event that `make` gives, as JSON without the line's end; shortened until it fits.
    pub(super) fn write<E: Serialize>(&mut self, make: impl Fn(Bounds) -> E) -> &str {
        self.serialise(&make(Bounds::FULL));
        for bounds in Bounds::SHORTER {
            if self.bytes.len() <= EVENT_BYTES {
                break;
            }
            self.serialise(&make(bounds));
        }
        // JSON is UTF-8.
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    fn serialise(&mut self, event: &impl Serialize) {
        self.bytes.clear();
        // Writing to memory cannot fail, and no event has a key that is not text.
        let _ = serde_json::to_writer(&mut self.bytes, event);
    }
}
