//! The first line of a message (RFC 9112 sections 3 and 4), and what recognises HTTP by it.

use crate::protocol::Verdict;

/// The longest method that is believed to be one.
const METHOD_BYTES: usize = 32;
/// First bytes within which an unknown method's line must end.
const LINE_BYTES: usize = 8 << 10;

/// Methods that need no `HTTP/1.x` behind them to be believed: RFC 9110, WebDAV and its relatives,
/// and those of UPnP, which speaks HTTP over TCP too.
const KNOWN_METHODS: [&[u8]; 36] = [
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"SEARCH",
    b"REPORT",
    b"VERSION-CONTROL",
    b"CHECKOUT",
    b"CHECKIN",
    b"UNCHECKOUT",
    b"MKWORKSPACE",
    b"UPDATE",
    b"LABEL",
    b"MERGE",
    b"BASELINE-CONTROL",
    b"MKACTIVITY",
    b"MKCALENDAR",
    b"ACL",
    b"PURGE",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"NOTIFY",
    b"QUERY",
    b"BREW",
];

/// Which of the two a side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

/// A request line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestLine<'a> {
    pub method: &'a [u8],
    pub target: &'a [u8],
    /// Empty for HTTP/0.9.
    pub version: &'a [u8],
    /// Whether it is readable, but not by the grammar.
    pub irregular: bool,
}

/// A status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StatusLine<'a> {
    pub version: &'a [u8],
    /// 0 when there is none.
    pub status: u16,
    pub reason: &'a [u8],
    pub irregular: bool,
}

/// Whether `bytes`, the first of either side of a connection or of a stream inside one, are HTTP/1.
///
/// A known method with a path, or `HTTP/` and a digit, is certain at once; any other method is
/// believed when its line ends in `HTTP/1.1` or its like. HTTP/2's preface is not HTTP/1, and RTSP,
/// SIP and ICAP share methods but not the version's name.
pub fn identify(bytes: &[u8]) -> Verdict {
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let bytes = bytes.get(start..).unwrap_or_default();
    if bytes.is_empty() {
        return if start < METHOD_BYTES { Verdict::Unsure } else { Verdict::No };
    }
    match (bytes.get(..5), bytes.get(5)) {
        (Some(name), Some(digit)) if name.eq_ignore_ascii_case(b"HTTP/") => {
            return if digit.is_ascii_digit() { Verdict::Yes } else { Verdict::No };
        }
        (Some(name), None) if name.eq_ignore_ascii_case(b"HTTP/") => return Verdict::Unsure,
        _ => {}
    }
    if !may_start(bytes, Role::Client) {
        return Verdict::No;
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if line.len() < bytes.len() {
        return if request_line(line).is_some() { Verdict::Yes } else { Verdict::No };
    }
    let (method, target) = split_at_space(line);
    if is_known(method) && is_path(target) {
        return Verdict::Yes;
    }
    let is_text = target.iter().all(|byte| *byte >= b' ' || matches!(byte, b'\t' | b'\r'));
    if is_text && bytes.len() < LINE_BYTES { Verdict::Unsure } else { Verdict::No }
}

/// Reads a request line without its line end. `None` when it is none: the method is no token, or
/// neither a version nor a known method with a path makes it likely.
pub(super) fn request_line(line: &[u8]) -> Option<RequestLine<'_>> {
    let trimmed = line.trim_ascii_end();
    let (method, rest) = split_at_space(trimmed);
    if !is_token(method) || method.len() > METHOD_BYTES {
        return None;
    }
    let mut irregular = trimmed.len() != without_carriage_return(line).len();
    let rest_trimmed = rest.trim_ascii();
    irregular |= rest_trimmed.len() != rest.len();
    let last_space = rest_trimmed.iter().rposition(u8::is_ascii_whitespace);
    let last = rest_trimmed.get(last_space.map_or(0, |space| space + 1)..).unwrap_or_default();
    let (target, version) = match last.get(..5) {
        Some(name) if name.eq_ignore_ascii_case(b"HTTP/") => {
            irregular |= !is_version(last);
            let before = rest_trimmed.get(..last_space.unwrap_or(0)).unwrap_or_default();
            irregular |= before.is_empty() || before.trim_ascii().len() != before.len();
            (before.trim_ascii(), last)
        }
        _ if is_known(method) && is_path(rest_trimmed) && !names_a_version(last) => (rest_trimmed, &b""[..]),
        _ => return None,
    };
    // HTTP/2's connection preface (RFC 9113 section 3.4) is made to look like a request.
    if method == b"PRI" && version == b"HTTP/2.0" {
        return None;
    }
    if target.iter().any(|byte| byte.is_ascii_whitespace() || *byte == 0) {
        // Prose and data may end in a version too; only a known method makes a path with spaces of it.
        if !is_known(method) {
            return None;
        }
        irregular = true;
    }
    Some(RequestLine { method, target, version, irregular })
}

/// The method and target of a request line that was cut behind its target.
pub(super) fn cut_request_line(line: &[u8]) -> Option<RequestLine<'_>> {
    let (method, rest) = split_at_space(line);
    let space = rest.iter().position(|byte| *byte == b' ')?;
    let target = rest.get(..space)?;
    let line = RequestLine { method, target, version: b"", irregular: false };
    (is_known(method) && is_path(target)).then_some(line)
}

/// Reads a status line without its line end. `None` when it does not begin with `HTTP/`.
pub(super) fn status_line(line: &[u8]) -> Option<StatusLine<'_>> {
    let line = without_carriage_return(line);
    let name = line.get(..5)?;
    if !name.eq_ignore_ascii_case(b"HTTP/") {
        return None;
    }
    let (version, rest) = split_at_space(line);
    let (digits, reason) = split_at_space(rest.trim_ascii_start());
    let status = match digits {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
        }
        _ => 0,
    };
    let irregular = !is_version(version) || status < 100 || rest.first() == Some(&b' ');
    Some(StatusLine { version, status, reason, irregular })
}

/// Whether a line of which `prefix` is the beginning could be a start line. Once false, it stays
/// false for every longer prefix; and true for every line in which [`find_start_line`] finds one at
/// its first byte.
pub(super) fn may_start(prefix: &[u8], role: Role) -> bool {
    match role {
        Role::Client => {
            // A longer method and its line end are none.
            let prefix = prefix.get(..METHOD_BYTES + 2).unwrap_or(prefix);
            let method = split_at_space(prefix).0;
            let method = if method.len() == prefix.len() { without_carriage_return(method) } else { method };
            method.len() <= METHOD_BYTES && (is_token(method) || prefix.is_empty())
        }
        Role::Server => {
            let length = prefix.len().min(5);
            prefix.get(..length).is_some_and(|start| start.eq_ignore_ascii_case(&b"HTTP/"[..length]))
        }
    }
}

/// Where a strictly well-formed start line begins in a line of unknown bytes, the line end taken
/// off: at its first byte, or behind the end of a body that had no line end of its own.
pub(super) fn find_start_line(line: &[u8], role: Role) -> Option<usize> {
    let line = without_carriage_return(line);
    match role {
        Role::Client => {
            let version_at = line.iter().rposition(|byte| *byte == b' ')?;
            let before = line
                .get(..version_at)
                .filter(|_| is_version(line.get(version_at + 1..).unwrap_or_default()))?;
            let target_at = before.iter().rposition(|byte| *byte == b' ')?;
            let method = before.get(..target_at)?;
            if target_at + 1 == version_at || line.ends_with(b" HTTP/2.0") {
                return None;
            }
            if is_token(method) && method.len() <= METHOD_BYTES {
                return Some(known_method_at_end(method).unwrap_or(0));
            }
            known_method_at_end(method)
        }
        Role::Server => line.windows(b"HTTP/1.1 200".len()).rposition(|window| match window {
            [version @ .., b' ', a, b, c] => {
                is_version(version) && [a, b, c].iter().all(|digit| digit.is_ascii_digit())
            }
            _ => false,
        }),
    }
}

/// Where the longest known method that ends `bytes` begins, if other bytes stand before it.
fn known_method_at_end(bytes: &[u8]) -> Option<usize> {
    let known =
        KNOWN_METHODS.iter().filter(|method| bytes.ends_with(method)).map(|method| method.len()).max()?;
    Some(bytes.len() - known)
}

fn is_known(method: &[u8]) -> bool {
    KNOWN_METHODS.contains(&method)
}

fn is_path(target: &[u8]) -> bool {
    let is_url =
        |scheme: &[u8]| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    target.first() == Some(&b'/') || is_url(b"http://") || is_url(b"https://")
}

/// `HTTP/` and two digits with a point between (RFC 9112 section 2.3).
fn is_version(bytes: &[u8]) -> bool {
    matches!(bytes, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// Whether this is another protocol's version, `RTSP/1.0`.
fn names_a_version(bytes: &[u8]) -> bool {
    match bytes {
        [name @ .., b'/', major, b'.', minor] => {
            !name.is_empty()
                && name.iter().all(u8::is_ascii_uppercase)
                && major.is_ascii_digit()
                && minor.is_ascii_digit()
        }
        _ => false,
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn split_at_space(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| matches!(byte, b' ' | b'\t')) {
        Some(space) => (bytes.get(..space).unwrap_or_default(), bytes.get(space + 1..).unwrap_or_default()),
        None => (bytes, b""),
    }
}

/// The line without the carriage return of its line end.
pub(super) fn without_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_http_and_nothing_that_resembles_it() {
        let cases: [(&[u8], Verdict); 31] = [
            (b"", Verdict::Unsure),
            (b"\r\n", Verdict::Unsure),
            (b"\r\n\r\nGET / HTTP/1.1\r\n", Verdict::Yes),
            (b"G", Verdict::Unsure),
            (b"GET ", Verdict::Unsure),
            (b"GET /", Verdict::Yes),
            (b"GET http://h/", Verdict::Yes),
            (b"GET /index.html\r\n", Verdict::Yes),
            (b"POST /6202033 HTTP/1.1\n", Verdict::Yes),
            (b"CONNECT h.example:443 HT", Verdict::Unsure),
            (b"CONNECT h.example:443 HTTP/1.1\r\n", Verdict::Yes),
            (b"WHATEVER x HTTP/1.0\r\n", Verdict::Yes),
            (b"whatever x\r\n", Verdict::No),
            (b"get key\r\n", Verdict::No),
            (b"GET key\r\n", Verdict::No),
            (b"HEAD 1234\r\n", Verdict::No),
            (b"OPTIONS * RTSP/1.0\r\n", Verdict::No),
            (b"OPTIONS sip:a@b SIP/2.0\r\n", Verdict::No),
            (b"OPTIONS * HTTP/1.1\r\n", Verdict::Yes),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Verdict::No),
            (b"H", Verdict::Unsure),
            (b"HTTP/", Verdict::Unsure),
            (b"HTTP/1", Verdict::Yes),
            (b"HTTP/x", Verdict::No),
            (b"\x16\x03\x01\x02\x00\x01", Verdict::No),
            (b"SSH-2.0-OpenSSH_9\r\n", Verdict::No),
            (b"220 mail.example ESMTP\r\n", Verdict::No),
            (b"EHLO me.example\r\n", Verdict::No),
            (b"USER \x00\x01", Verdict::No),
            (b"\x05\x01\x00", Verdict::No),
            (b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Verdict::No),
        ];
        for (bytes, verdict) in cases {
            assert_eq!(identify(bytes), verdict, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn reads_odd_request_lines() {
        let read = |line: &'static [u8]| {
            request_line(line).map(|line| (line.method, line.target, line.version, line.irregular))
        };
        let expected = |target: &'static [u8], version: &'static [u8], irregular| {
            Some((&b"GET"[..], target, version, irregular))
        };
        assert_eq!(read(b"GET /a HTTP/1.1\r"), expected(b"/a", b"HTTP/1.1", false));
        assert_eq!(read(b"GET /a b HTTP/1.1"), expected(b"/a b", b"HTTP/1.1", true));
        assert_eq!(read(b"GET\t/a\tHTTP/1.1"), expected(b"/a", b"HTTP/1.1", false));
        assert_eq!(read(b"GET  /a  http/1.1 "), expected(b"/a", b"http/1.1", true));
        assert_eq!(read(b"GET HTTP/1.1"), expected(b"", b"HTTP/1.1", true));
        assert_eq!(read(b"GET /a"), expected(b"/a", b"", false));
        assert_eq!(read(b"GET"), None);
        assert_eq!(read(b"G\0T / HTTP/1.1"), None);
    }

    #[test]
    fn reads_odd_status_lines() {
        let read = |line: &'static [u8]| status_line(line).map(|line| (line.status, line.irregular));
        assert_eq!(read(b"HTTP/1.1 200 OK\r"), Some((200, false)));
        assert_eq!(read(b"HTTP/1.0 404"), Some((404, false)));
        assert_eq!(read(b"http/1.1  200 OK"), Some((200, true)));
        assert_eq!(read(b"HTTP/1.1 2xx"), Some((0, true)));
        assert_eq!(read(b"HTTP/1.1"), Some((0, true)));
        assert_eq!(read(b"ICY 200 OK"), None);
    }

    #[test]
    fn finds_start_lines_behind_the_end_of_a_body() {
        assert_eq!(find_start_line(b"a=bPOST /x HTTP/1.1\r", Role::Client), Some(3));
        assert_eq!(find_start_line(b"a bGET /x HTTP/1.1\r", Role::Client), Some(3));
        assert_eq!(find_start_line(b"FROB /x HTTP/1.1", Role::Client), Some(0));
        assert_eq!(find_start_line(b"see GET /x HTTP/1.1 for more", Role::Client), None);
        assert_eq!(find_start_line(b"</html>HTTP/1.1 200 OK\r", Role::Server), Some(7));
        assert_eq!(find_start_line(b"HTTP/1.1 is a protocol", Role::Server), None);
    }
}
