//! A message's head, from its bytes: fields, and what they say of the body (RFC 9112 sections 5 and 6).
//!
//! Lax: a line that breaks the grammar is kept as far as it makes sense and flagged, because a
//! receiver somewhere will have understood it.

use super::{HttpFlags, Request, Response, headers::Headers, start_line::without_carriage_return};
use crate::{bytes::find_byte, limits::HTTP_FIELDS};

/// Where a message's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Empty,
    /// After so many bytes.
    Length(u64),
    /// Where the chunks say so.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// The fields of one head.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub list: Headers,
    pub flags: HttpFlags,
    /// The first Content-Length that could be read.
    pub declared_length: Option<u64>,
    /// Whether some Content-Length could not be read.
    bad_length: bool,
    /// Whether the last transfer coding is `chunked`.
    chunked: bool,
    /// Whether there is any transfer coding.
    coded: bool,
}

impl Fields {
    /// Reads the lines behind the start line. Of a head that was cut the last line has no line feed;
    /// it is left out, because half a value is a wrong value.
    pub fn read(lines: &[u8]) -> Self {
        let mut fields = Self { list: Headers::with_room(lines.len()), ..Self::default() };
        let mut rest = lines;
        while let Some(feed) = find_byte(rest, b'\n') {
            let line = without_carriage_return(rest.get(..feed).unwrap_or_default());
            if line.is_empty() {
                break;
            }
            fields.add(line);
            rest = rest.get(feed + 1..).unwrap_or_default();
        }
        fields.read_lengths();
        fields
    }

    fn add(&mut self, line: &[u8]) {
        if find_byte(line, b'\r').or_else(|| find_byte(line, 0)).is_some() {
            self.flags.set(HttpFlags::GRAMMAR);
        }
        let is_folded = matches!(line.first(), Some(b' ' | b'\t'));
        if is_folded {
            self.flags.set(HttpFlags::GRAMMAR);
            if self.list.unfold(line.trim_ascii()) {
                return;
            }
        }
        if self.list.len() >= HTTP_FIELDS {
            self.flags.set(HttpFlags::HEAD_CUT);
            return;
        }
        let (name, value) = match find_byte(line, b':') {
            Some(colon) => (line.get(..colon), line.get(colon + 1..)),
            None => (None, Some(line)),
        };
        let (name, value) = (name.unwrap_or_default(), value.unwrap_or_default());
        // A space before the colon is forbidden because receivers disagree about it (section 5.1).
        if name.is_empty() || name.trim_ascii().len() != name.len() {
            self.flags.set(HttpFlags::GRAMMAR);
        }
        self.list.push(name.trim_ascii(), value.trim_ascii());
    }

    /// The framing fields, of which each receiver may believe another (sections 6.1 to 6.3).
    fn read_lengths(&mut self) {
        let mut lengths = 0_usize;
        for (name, value) in self.list.iter() {
            if name.eq_ignore_ascii_case(b"Content-Length") {
                for item in value.split(|byte| *byte == b',') {
                    lengths += 1;
                    match decimal(item.trim_ascii()) {
                        None => self.bad_length = true,
                        Some(length) if self.declared_length.is_none_or(|known| known == length) => {
                            self.declared_length = Some(length);
                        }
                        Some(_) => self.flags.set(HttpFlags::LENGTH_AMBIGUOUS),
                    }
                }
            } else if name.eq_ignore_ascii_case(b"Transfer-Encoding") {
                let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
                let last = last.split(|byte| *byte == b';').next().unwrap_or_default();
                self.coded = true;
                self.chunked = trim_control(last).eq_ignore_ascii_case(b"chunked");
                if trim_control(last).len() != last.trim_ascii().len() {
                    self.flags.set(HttpFlags::GRAMMAR);
                }
            }
        }
        if self.bad_length {
            self.flags.set(HttpFlags::GRAMMAR);
        }
        if lengths > 0 && (self.bad_length || self.coded) {
            self.flags.set(HttpFlags::LENGTH_AMBIGUOUS);
        }
    }

    /// A request's body: without a length there is none.
    pub fn request_framing(&self) -> Framing {
        match (self.chunked, self.declared_length) {
            (true, _) => Framing::Chunked,
            (false, Some(length)) if length > 0 => Framing::Length(length),
            _ => Framing::Empty,
        }
    }

    /// A response's body, when its request and status allow one.
    pub fn response_framing(&self) -> Framing {
        match (self.chunked, self.coded, self.declared_length) {
            (true, _, _) => Framing::Chunked,
            // An unknown last coding ends with the connection (section 6.3, rule 4).
            (false, true, None) | (false, false, None) => Framing::UntilClose,
            (false, _, Some(0)) => Framing::Empty,
            (false, _, Some(length)) => Framing::Length(length),
        }
    }

    /// Moves the fields into a request.
    pub fn fill_request(self, request: &mut Request) {
        let mut hosts = 0;
        for (name, value) in self.list.iter() {
            let place = if name.eq_ignore_ascii_case(b"Host") {
                hosts += 1;
                &mut request.host
            } else if name.eq_ignore_ascii_case(b"User-Agent") {
                &mut request.user_agent
            } else if name.eq_ignore_ascii_case(b"Content-Type") {
                &mut request.content_type
            } else if name.eq_ignore_ascii_case(b"Referer") {
                &mut request.referer
            } else {
                continue;
            };
            place.get_or_insert_with(|| value.to_vec());
        }
        request.declared_length = self.declared_length;
        request.flags.set(self.flags.0);
        if hosts > 1 || request.host_disagrees() {
            request.flags.set(HttpFlags::HOST_AMBIGUOUS);
        }
        request.headers = self.list;
    }

    /// Moves the fields into a response.
    pub fn fill_response(self, response: &mut Response) {
        for (name, value) in self.list.iter() {
            let place = if name.eq_ignore_ascii_case(b"Content-Type") {
                &mut response.content_type
            } else if name.eq_ignore_ascii_case(b"Location") {
                &mut response.location
            } else if name.eq_ignore_ascii_case(b"Server") {
                &mut response.server
            } else {
                continue;
            };
            place.get_or_insert_with(|| value.to_vec());
        }
        response.flags.set(self.flags.0);
        response.headers = self.list;
    }
}

/// What was found of a head's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadEnd {
    /// It ends before this offset: the blank line's line feed is the last byte.
    At(usize),
    /// Not yet; when more bytes have come, the search goes on at this offset.
    After(usize),
}

/// Looks for the blank line that ends a head, from `scanned` on.
pub(super) fn head_end(bytes: &[u8], scanned: usize) -> HeadEnd {
    let mut at = scanned;
    while let Some(feed) = bytes.get(at..).and_then(|rest| find_byte(rest, b'\n')) {
        let after = at + feed + 1;
        match bytes.get(after..).unwrap_or_default() {
            [b'\n', ..] => return HeadEnd::At(after + 1),
            [b'\r', b'\n', ..] => return HeadEnd::At(after + 2),
            [] | [b'\r'] => return HeadEnd::After(after - 1),
            _ => at = after,
        }
    }
    HeadEnd::After(bytes.len())
}

/// A number of decimal digits only, saturated: what does not fit is as good as endless.
fn decimal(digits: &[u8]) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| all_digits)?;
    Some(digits.parse().unwrap_or(u64::MAX))
}

/// Without the control bytes around it that some receivers read over.
fn trim_control(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && *first <= b' '
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && *last <= b' '
    {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(fields: &Fields, name: &str) -> Option<String> {
        fields.list.get(name).map(|value| value.escape_ascii().to_string())
    }

    #[test]
    fn reads_fields_as_they_come() {
        let fields = Fields::read(b"Host: h.example\r\nuser-agent:\ta b \nX:\r\n\r\nnot: this\r\n");
        assert_eq!(value(&fields, "HOST").as_deref(), Some("h.example"));
        assert_eq!(value(&fields, "User-Agent").as_deref(), Some("a b"));
        assert_eq!(value(&fields, "x").as_deref(), Some(""));
        assert_eq!((fields.list.len(), fields.flags), (3, HttpFlags::default()));
    }

    #[test]
    fn keeps_what_breaks_the_grammar_and_says_so() {
        for (lines, name, expected) in [
            (&b"Host : h\r\n\r\n"[..], "Host", "h"),
            (b"A: one\r\n two\r\n\tthree\r\n\r\n", "A", "one two three"),
            (b" A: first\r\n\r\n", "A", "first"),
            (b"A: x\0y\r\n\r\n", "A", "x\\x00y"),
            (b"A: x\ry\r\n\r\n", "A", "x\\ry"),
            (b"no colon\r\nA: x\r\n\r\n", "A", "x"),
            (b"no colon\r\n\r\n", "", "no colon"),
        ] {
            let fields = Fields::read(lines);
            assert_eq!(value(&fields, name).as_deref(), Some(expected), "{}", lines.escape_ascii());
            assert!(fields.flags.has(HttpFlags::GRAMMAR), "{}", lines.escape_ascii());
        }
    }

    #[test]
    fn leaves_out_a_line_that_was_cut() {
        let fields = Fields::read(b"A: x\r\nHost: h.exa");
        assert_eq!(fields.list.len(), 1);
    }

    #[test]
    fn bounds_the_number_of_fields() {
        let fields = Fields::read(&b"a:b\n".repeat(HTTP_FIELDS + 5));
        assert_eq!(fields.list.len(), HTTP_FIELDS);
        assert!(fields.flags.has(HttpFlags::HEAD_CUT));
    }

    #[test]
    fn decides_on_a_body_as_receivers_do() {
        let ambiguous = HttpFlags::LENGTH_AMBIGUOUS;
        let bad = HttpFlags::LENGTH_AMBIGUOUS | HttpFlags::GRAMMAR;
        for (lines, request, response, flags) in [
            (&b""[..], Framing::Empty, Framing::UntilClose, 0),
            (b"Content-Length: 5\n", Framing::Length(5), Framing::Length(5), 0),
            (b"Content-Length: 0\n", Framing::Empty, Framing::Empty, 0),
            (b"Content-Length: 5, 5\n", Framing::Length(5), Framing::Length(5), 0),
            (b"Content-Length: 5\nContent-Length: 6\n", Framing::Length(5), Framing::Length(5), ambiguous),
            (b"Content-Length: -1\n", Framing::Empty, Framing::UntilClose, bad),
            (b"Content-Length: +5\n", Framing::Empty, Framing::UntilClose, bad),
            (b"Content-Length:\n", Framing::Empty, Framing::UntilClose, bad),
            (
                b"Content-Length: 99999999999999999999\n",
                Framing::Length(u64::MAX),
                Framing::Length(u64::MAX),
                0,
            ),
            (b"transfer-encoding: gzip, Chunked\n", Framing::Chunked, Framing::Chunked, 0),
            (b"Transfer-Encoding:\x0bchunked\n", Framing::Chunked, Framing::Chunked, HttpFlags::GRAMMAR),
            (b"Transfer-Encoding: xchunked\n", Framing::Empty, Framing::UntilClose, 0),
            (
                b"Transfer-Encoding: chunked\nContent-Length: 5\n",
                Framing::Chunked,
                Framing::Chunked,
                ambiguous,
            ),
            (
                b"Transfer-Encoding: gzip\nContent-Length: 5\n",
                Framing::Length(5),
                Framing::Length(5),
                ambiguous,
            ),
        ] {
            let fields = Fields::read(lines);
            let read = (fields.request_framing(), fields.response_framing(), fields.flags.0);
            assert_eq!(read, (request, response, flags), "{}", lines.escape_ascii());
        }
    }

    #[test]
    fn finds_the_blank_line_wherever_the_bytes_are_cut() {
        for head in [&b"GET / HTTP/1.1\r\nA: b\r\n\r\n"[..], b"GET /\nA: b\n\n", b"GET /\nA: b\r\n\n"] {
            let mut scanned = 0;
            for length in 0..head.len() {
                match head_end(&head[..length], scanned) {
                    HeadEnd::At(_) => panic!("too early at {length}"),
                    HeadEnd::After(next) => scanned = next,
                }
            }
            assert_eq!(head_end(head, scanned), HeadEnd::At(head.len()));
            let longer = [head, b"body\n\n"].concat();
            assert_eq!(head_end(&longer, 0), HeadEnd::At(head.len()));
        }
    }
}
