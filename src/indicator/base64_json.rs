//! Looks into a body that is Base64 of one JSON object, as implants like to report.
//!
//! A signature that searched for the Base64 of a word would depend on the word's place in the text
//! (three alignments), on key order and on spacing. This decodes the body's first bytes and looks for
//! keys instead. It is no JSON parser: bodies are cut at [`HTTP_BODY_BYTES`], so that most never end.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::limits::HTTP_BODY_BYTES;

/// Padding may be cut off, and the last symbol's spare bits may be anything.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The decoded first bytes of a body that is all Base64.
pub(super) struct Base64Json {
    symbols: [u8; HTTP_BODY_BYTES],
    length: usize,
}

impl Base64Json {
    /// Reads `body`, of which no more than the first [`HTTP_BODY_BYTES`] count. `None` when it is empty
    /// or holds anything but Base64 symbols (either alphabet), line breaks, blanks and final padding.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let mut out = Self { symbols: [0; HTTP_BODY_BYTES], length: 0 };
        let mut padded = false;
        for &byte in body.iter().take(HTTP_BODY_BYTES) {
            let symbol = match byte {
                b'\r' | b'\n' | b' ' | b'\t' => continue,
                b'=' => {
                    padded = true;
                    continue;
                }
                _ if padded => return None,
                b'-' => b'+',
                b'_' => b'/',
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => byte,
                _ => return None,
            };
            *out.symbols.get_mut(out.length)? = symbol;
            out.length += 1;
        }
        (out.length > 0).then_some(out)
    }

    /// Whether it is (the beginning of) a JSON object that has every one of `keys`, and every one of
    /// `members` with that string as its value; in any order, with any spacing, at any depth.
    ///
    /// Where the body does not begin with `{`, its first bytes may be lost: then the other three
    /// alignments are tried too, and at least one key must be asked for.
    pub(super) fn has(&self, keys: &[Box<str>], members: &[(Box<str>, Box<str>)]) -> bool {
        let found = |json: &[u8]| {
            keys.iter().all(|key| any_member(json, key, |_| true))
                && members.iter().all(|(key, value)| {
                    any_member(json, key, |rest| {
                        let text =
                            rest.strip_prefix(b"\"").and_then(|rest| rest.strip_prefix(value.as_bytes()));
                        text.is_some_and(|rest| rest.first() == Some(&b'"'))
                    })
                })
        };
        let mut buffer = [0; HTTP_BODY_BYTES];
        if self.decoded(0, &mut buffer).trim_ascii_start().starts_with(b"{") {
            return found(self.decoded(0, &mut buffer));
        }
        let asked = !keys.is_empty() || !members.is_empty();
        asked && (0..4).any(|lost| found(self.decoded(lost, &mut buffer)))
    }

    /// The bytes that the symbols from `skip` on stand for, as far as they go.
    fn decoded<'a>(&self, skip: usize, buffer: &'a mut [u8; HTTP_BODY_BYTES]) -> &'a [u8] {
        let symbols = self.symbols.get(skip..self.length).unwrap_or_default();
        // One symbol left over holds no whole byte.
        let whole = symbols.len() - usize::from(symbols.len() % 4 == 1);
        let symbols = symbols.get(..whole).unwrap_or_default();
        let length = ENGINE.decode_slice(symbols, &mut buffer[..]).unwrap_or(0);
        buffer.get(..length).unwrap_or_default()
    }
}

/// Whether `json` has a member named `key` with a value (what follows the colon) that `is` accepts.
///
/// A quotation mark inside a JSON string has a backslash before it, so that `"key"` with a colon after
/// it, and no backslash before it, is a member's name.
fn any_member(json: &[u8], key: &str, is: impl Fn(&[u8]) -> bool) -> bool {
    let key = key.as_bytes();
    let quotes = json.iter().enumerate().filter(|&(_, &byte)| byte == b'"').map(|(at, _)| at);
    quotes.into_iter().any(|at| {
        let escaped = at.checked_sub(1).and_then(|before| json.get(before)) == Some(&b'\\');
        let after_name = json.get(at + 1..).and_then(|rest| rest.strip_prefix(key)?.strip_prefix(b"\""));
        let value = after_name.and_then(|rest| rest.trim_ascii_start().strip_prefix(b":"));
        !escaped && value.is_some_and(|value| is(value.trim_ascii_start()))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

    use super::*;

    fn has(body: &str, keys: &[&str], members: &[(&str, &str)]) -> bool {
        let keys: Vec<Box<str>> = keys.iter().map(|&key| key.into()).collect();
        let members: Vec<_> = members.iter().map(|&(key, value)| (key.into(), value.into())).collect();
        Base64Json::read(body.as_bytes()).is_some_and(|json| json.has(&keys, &members))
    }

    #[test]
    fn finds_keys_in_any_order_and_spacing() {
        for json in [
            r#"{"type":"FirstInfo","uid":"0123456789abcdef","os":"linux","content":[]}"#,
            r#"{ "content" : {"a": "b"}, "uid" : "x", "type" : "FirstInfo" }"#,
            "{\n\t\"uid\": \"x\",\n\t\"type\":\n\"FirstInfo\"}",
        ] {
            for body in [BASE64_STANDARD.encode(json), BASE64_URL_SAFE_NO_PAD.encode(json)] {
                assert!(has(&body, &["type", "uid"], &[("type", "FirstInfo")]), "{json}");
                assert!(!has(&body, &["type", "uid"], &[("type", "First")]), "{json}");
                assert!(!has(&body, &["pid"], &[]), "{json}");
                assert!(has(&body, &[], &[]), "any object");
            }
        }
    }

    #[test]
    fn takes_cut_bodies_and_other_alignments() {
        let long = format!(r#"{{"type":"BaseInfo","uid":"x","content":"{}"}}"#, "p".repeat(9000));
        let body = BASE64_STANDARD.encode(&long);
        assert!(has(&body, &["uid"], &[("type", "BaseInfo")]));
        for cut in 40..48 {
            assert!(has(&body[..cut], &["uid"], &[("type", "BaseInfo")]), "cut at {cut}");
        }
        for lost in 1..4 {
            let rest = &BASE64_STANDARD.encode(r#"{"os":"linux","uid":"x","type":"BaseInfo"}"#)[lost..];
            assert!(has(rest, &["uid"], &[("type", "BaseInfo")]), "{lost} symbols lost");
        }
    }

    #[test]
    fn leaves_other_bodies_alone() {
        assert!(!has(r#"{"type":"FirstInfo","uid":"x"}"#, &["type"], &[]), "JSON in clear");
        assert!(!has("a=b&c=d", &[], &[]), "a form");
        assert!(!has("", &[], &[]));
        assert!(!has(&BASE64_STANDARD.encode("just words, no object"), &[], &[]));
        let quoted = BASE64_STANDARD.encode(r#"{"note":"he said \"type\": no"}"#);
        assert!(!has(&quoted, &["type"], &[]), "a key's name inside a string");
    }
}
