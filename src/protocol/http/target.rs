//! What a request's target and Host field say (RFC 9112 section 3.2), as borrowed bytes.
//!
//! Nothing is decoded or normalised here: percent signs, letter case and trailing dots stay as sent.

use super::{Request, Response};

impl Request {
    /// The first field of this name, whatever its letter case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name)
    }

    /// The path without the query: of `http://host/path?query` it is `/path`, of `http://host` it is
    /// `/`. Empty for CONNECT, whose target has none.
    pub fn path(&self) -> &[u8] {
        if self.method == b"CONNECT" {
            return b"";
        }
        let (path, _) = cut_at(self.origin(), b"?#");
        if path.is_empty() && !self.target.is_empty() { b"/" } else { path }
    }

    /// What follows the first `?`, without a fragment; `None` without one.
    pub fn query(&self) -> Option<&[u8]> {
        let (before_fragment, _) = cut_at(self.origin(), b"#");
        let (_, query) = cut_at(before_fragment, b"?");
        query.get(1..)
    }

    /// The host that is asked for, without port and brackets: the target's, where that is an absolute
    /// URL or CONNECT's, because it overrides the field (section 3.2.2); else the Host field's.
    pub fn host_name(&self) -> Option<&[u8]> {
        self.authority().map(|authority| split_authority(authority).0).filter(|host| !host.is_empty())
    }

    /// The port that stands with [`Request::host_name`]; `None` where none is written.
    pub fn host_port(&self) -> Option<u16> {
        split_authority(self.authority()?).1
    }

    /// Whether the request is put to a proxy: by CONNECT, or for an absolute URL.
    pub fn is_to_proxy(&self) -> bool {
        self.target_authority().is_some()
    }

    /// Whether the Host field names another host or port than the target does.
    pub(super) fn host_disagrees(&self) -> bool {
        let (Some(target), Some(field)) = (self.target_authority(), self.host.as_deref()) else {
            return false;
        };
        let default_port = match self.scheme_end() {
            Some(end) if end == b"https://".len() => Some(443),
            Some(_) => Some(80),
            None => None,
        };
        let ((target_host, target_port), (host, port)) = (split_authority(target), split_authority(field));
        // A CONNECT's Host field may leave the port away.
        let ports_differ = match default_port {
            Some(_) => target_port.or(default_port) != port.or(default_port),
            None => port.is_some() && port != target_port,
        };
        !target_host.eq_ignore_ascii_case(host) || ports_differ
    }

    fn authority(&self) -> Option<&[u8]> {
        self.target_authority().or(self.host.as_deref())
    }

    fn target_authority(&self) -> Option<&[u8]> {
        if self.method == b"CONNECT" {
            return Some(&self.target);
        }
        self.target.get(self.scheme_end()?..).map(|rest| cut_at(rest, b"/?#").0)
    }

    /// The target from its path on.
    fn origin(&self) -> &[u8] {
        match self.scheme_end().and_then(|end| self.target.get(end..)) {
            Some(rest) => cut_at(rest, b"/?#").1,
            None => &self.target,
        }
    }

    /// Where the authority of an absolute target begins.
    fn scheme_end(&self) -> Option<usize> {
        [&b"http://"[..], b"https://"]
            .into_iter()
            .find(|scheme| {
                self.target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            })
            .map(<[u8]>::len)
    }
}

impl Response {
    /// The first field of this name, whatever its letter case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name)
    }
}

/// `bytes` before and from the first of `ends`.
fn cut_at<'a>(bytes: &'a [u8], ends: &[u8]) -> (&'a [u8], &'a [u8]) {
    let at = bytes.iter().position(|byte| ends.contains(byte)).unwrap_or(bytes.len());
    bytes.split_at(at)
}

/// Host and port of `[user@]host[:port]`; brackets of an IPv6 address are taken off, and more than
/// one colon without brackets is an IPv6 address that lacks them.
fn split_authority(authority: &[u8]) -> (&[u8], Option<u16>) {
    let after_user = authority.iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
    let authority = authority.get(after_user..).unwrap_or_default().trim_ascii();
    if let Some(inner) = authority.strip_prefix(b"[") {
        let (host, rest) = cut_at(inner, b"]");
        return (host, rest.strip_prefix(b"]:").and_then(port));
    }
    match authority.iter().position(|byte| *byte == b':') {
        Some(colon) => {
            let (host, rest) = authority.split_at(colon);
            let digits = rest.get(1..).unwrap_or_default();
            if digits.contains(&b':') { (authority, None) } else { (host, port(digits)) }
        }
        None => (authority, None),
    }
}

fn port(digits: &[u8]) -> Option<u16> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| all_digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, target: &str, host: Option<&str>) -> Request {
        Request {
            method: method.into(),
            target: target.into(),
            host: host.map(Into::into),
            ..Request::default()
        }
    }

    #[test]
    fn paths_and_queries_of_every_form() {
        let cases = [
            ("/6202033", &b"/6202033"[..], None),
            ("/a/b?c=d?e#f", b"/a/b", Some(&b"c=d?e"[..])),
            ("/a#b?c", b"/a", None),
            ("/a?", b"/a", Some(b"")),
            ("http://h.example:80/p?q", b"/p", Some(b"q")),
            ("HTTPS://h.example", b"/", None),
            ("http://h.example?q", b"/", Some(b"q")),
            ("*", b"*", None),
            ("", b"", None),
        ];
        for (target, path, query) in cases {
            let request = request("GET", target, None);
            assert_eq!((request.path(), request.query()), (path, query), "{target}");
        }
        assert_eq!(request("CONNECT", "h.example:443", None).path(), b"");
    }

    #[test]
    fn hosts_and_ports_of_every_form() {
        let cases = [
            ("GET", "/", None, None, None),
            ("GET", "/", Some(""), None, None),
            ("GET", "/", Some("h.example"), Some(&b"h.example"[..]), None),
            ("GET", "/", Some("h.example:8000"), Some(b"h.example"), Some(8000)),
            ("GET", "/", Some("h.example:"), Some(b"h.example"), None),
            ("GET", "/", Some("h.example:99999"), Some(b"h.example"), None),
            ("GET", "/", Some("[2001:db8::1]:81"), Some(b"2001:db8::1"), Some(81)),
            ("GET", "/", Some("[2001:db8::1]"), Some(b"2001:db8::1"), None),
            ("GET", "/", Some("2001:db8::1"), Some(b"2001:db8::1"), None),
            ("GET", "http://me:pw@t.example:81/x", Some("h.example"), Some(b"t.example"), Some(81)),
            ("CONNECT", "t.example:443", Some("h.example"), Some(b"t.example"), Some(443)),
        ];
        for (method, target, host, name, port) in cases {
            let request = request(method, target, host);
            assert_eq!((request.host_name(), request.host_port()), (name, port), "{target} {host:?}");
        }
    }

    #[test]
    fn a_host_field_may_disagree_with_the_target() {
        let disagrees = |method, target, host| request(method, target, Some(host)).host_disagrees();
        assert!(disagrees("GET", "http://a.example/", "b.example"));
        assert!(disagrees("GET", "http://a.example:8080/", "a.example"));
        assert!(!disagrees("GET", "http://a.example/", "A.example:80"));
        assert!(!disagrees("GET", "https://a.example:443/", "a.example"));
        assert!(!disagrees("CONNECT", "a.example:443", "a.example"));
        assert!(!disagrees("GET", "/", "b.example"));
    }
}
