//! Untrusted bytes as text that can harm neither a terminal nor a reader of JSON.
//!
//! Whatever came from the wire, from a feed or from a file name goes through here before anybody sees it.
//! Three decisions:
//!
//! - A byte that is not UTF-8 becomes `\xNN`, as in Suricata's EVE. U+FFFD would make different names
//!   equal, and the bytes are evidence.
//! - A character that is invisible or moves the text around it becomes `\u{202e}`, visibly, in JSON too:
//!   a JSON string may hold such characters, but whoever pastes it into a terminal or a ticket is
//!   fooled just the same.
//! - A backslash stays as it is, as in EVE. The escapes are for the eye and cannot be undone with
//!   certainty: doubling backslashes would change values that people search for (a Windows path in a
//!   User-Agent, the escapes of a DNS name). The exact bytes are in the capture.
//!
//! Making text safe twice changes nothing, so that a layer need not know what another one did.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

use serde::{Serialize, Serializer};

use crate::limits::TEXT_BYTES;

/// `bytes` as safe text of at most [`TEXT_BYTES`] bytes.
pub fn safe_bytes(bytes: &[u8]) -> Cow<'_, str> {
    safe_within(bytes, TEXT_BYTES)
}

/// `text` as safe text of at most [`TEXT_BYTES`] bytes.
pub fn safe(text: &str) -> Cow<'_, str> {
    safe_bytes(text.as_bytes())
}

/// `bytes` as safe text of at most `limit` bytes, which is at least 64.
///
/// Longer text is cut between two characters and ends in a mark that says how much is missing, such as
/// `...[1200 bytes more]`; the bytes are counted as they came from the wire.
pub fn safe_within(bytes: &[u8], limit: usize) -> Cow<'_, str> {
    if bytes.len() <= limit && bytes.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        // Printable ASCII needs nothing, and is nearly everything that is ever seen.
        return String::from_utf8_lossy(bytes);
    }
    let mut out = String::with_capacity(bytes.len().min(limit) + 16);
    // How much fits with a mark behind it, and how many bytes of the wire that was.
    let (mut kept, mut kept_bytes, mut seen_bytes) = (0, 0, 0);
    for chunk in bytes.utf8_chunks() {
        let characters = chunk.valid().chars().map(Piece::Character);
        for piece in characters.chain(chunk.invalid().iter().copied().map(Piece::Byte)) {
            piece.write(&mut out);
            seen_bytes += piece.wire_bytes();
            if out.len() <= limit.saturating_sub(MARK_BYTES) {
                (kept, kept_bytes) = (out.len(), seen_bytes);
            }
            if out.len() > limit {
                out.truncate(kept);
                let _ = write!(out, "...[{} bytes more]", bytes.len() - kept_bytes);
                return Cow::Owned(out);
            }
        }
    }
    Cow::Owned(out)
}

/// Room for the mark at the end of a text that was cut: `...[` a 64-bit number ` bytes more]`.
const MARK_BYTES: usize = 4 + 20 + 12;

/// One unit of text.
enum Piece {
    Character(char),
    Byte(u8),
}

impl Piece {
    /// How many bytes it has on the wire.
    fn wire_bytes(&self) -> usize {
        match self {
            Self::Character(character) => character.len_utf8(),
            Self::Byte(_) => 1,
        }
    }

    /// Writes it, escaped where it must be.
    fn write(&self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = match *self {
            Self::Character(character) if is_unsafe(character) => {
                write!(out, "\\u{{{:x}}}", u32::from(character))
            }
            Self::Character(character) => out.write_char(character),
            Self::Byte(byte) => write!(out, "\\x{byte:02x}"),
        };
    }
}

/// Whether a character must not reach a person as it is: it steers terminals, reorders or hides text,
/// breaks lines, or is no character at all.
pub fn is_unsafe(character: char) -> bool {
    match character {
        ' '..='~' => false,
        // C0, DEL and C1 controls: escape sequences, line breaks.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        // Soft hyphen, combining grapheme joiner, fillers that show nothing.
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
        | '\u{ffa0}' => true,
        // The Arabic letter mark and the Mongolian separators.
        '\u{61c}' | '\u{180b}'..='\u{180f}' => true,
        // Zero width, direction marks, line and paragraph separators, embeddings, isolates.
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        // Variation selectors, byte order mark, specials, tags and their kin.
        '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => true,
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' => true,
        // Noncharacters: the last two of every plane, and the block in the middle of the first.
        '\u{fdd0}'..='\u{fdef}' => true,
        other => u32::from(other) & 0xfffe == 0xfffe,
    }
}

/// Bytes from the wire, serialised as safe text of at most `limit` bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct WireText<'a> {
    pub bytes: &'a [u8],
    pub limit: usize,
}

impl Serialize for WireText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&safe_within(self.bytes, self.limit))
    }
}

/// Serialises by `Display`, for what is ours and safe: addresses, times, hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown<T>(pub T);

impl<T: fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Bytes in lower-case hexadecimal with `separator` between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hex<'a> {
    pub bytes: &'a [u8],
    pub separator: &'static str,
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.bytes.iter().enumerate() {
            let separator = if index == 0 { "" } else { self.separator };
            write!(f, "{separator}{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_is_borrowed_and_unchanged() {
        assert!(matches!(safe("sfrclak.com:8000/x?y=\"z\"\\n"), Cow::Borrowed(_)));
        assert_eq!(safe("bücher.example 本"), "bücher.example 本");
    }

    #[test]
    fn what_is_not_utf8_shows_its_bytes() {
        assert_eq!(safe_bytes(b"a\xff\xfeb\xe2\x82"), "a\\xff\\xfeb\\xe2\\x82");
        // An overlong slash, a surrogate.
        assert_eq!(safe_bytes(b"\xc0\xaf\xed\xa0\x80"), "\\xc0\\xaf\\xed\\xa0\\x80");
    }

    #[test]
    fn controls_and_marks_are_made_visible() {
        assert_eq!(safe("a\x1b[2Jb\r\n\t\0"), "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9}\\u{0}");
        for hidden in ['\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{200e}', '\u{200f}', '\u{61c}'] {
            assert_eq!(safe(&format!("x{hidden}y")), format!("x\\u{{{:x}}}y", u32::from(hidden)));
        }
        for hidden in
            ['\u{9b}', '\u{7f}', '\u{200b}', '\u{2028}', '\u{2029}', '\u{feff}', '\u{e0041}', '\u{1fffe}']
        {
            assert!(is_unsafe(hidden), "{hidden:?}");
            assert!(!safe(&hidden.to_string()).contains(hidden));
        }
        assert!(!['a', ' ', 'é', '中', '\u{1f600}'].into_iter().any(is_unsafe));
    }

    #[test]
    fn long_text_is_cut_between_characters_and_says_so() {
        let long = "é".repeat(3000);
        let cut = safe(&long).into_owned();
        assert!(cut.len() <= TEXT_BYTES, "{}", cut.len());
        let (kept, mark) = cut.split_once("...[").unwrap();
        assert!(kept.chars().all(|character| character == 'é'));
        assert_eq!(mark, format!("{} bytes more]", 6000 - kept.len()));
        assert_eq!(safe(&cut), cut, "safe twice is safe once");
        let exact = "x".repeat(TEXT_BYTES);
        assert_eq!(safe(&exact), exact);
        assert!(safe(&format!("{exact}x")).ends_with(" bytes more]"));
    }

    #[test]
    fn any_bytes_give_safe_bounded_text() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..3000 {
            let bytes: Vec<u8> = (0..round % 300)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state as u8
                })
                .collect();
            let text = safe_within(&bytes, 200).into_owned();
            assert!(text.len() <= 200);
            assert!(!text.chars().any(is_unsafe));
            assert_eq!(safe_within(text.as_bytes(), 200), text);
        }
    }

    #[test]
    fn hexadecimal_with_and_without_colons() {
        assert_eq!(Hex { bytes: &[0, 0xab, 7], separator: ":" }.to_string(), "00:ab:07");
        assert_eq!(Hex { bytes: &[0, 0xab], separator: "" }.to_string(), "00ab");
    }
}
