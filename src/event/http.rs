//! EVE's `http`.

use serde::Serialize;

use super::{line::Bounds, text::WireText};
use crate::protocol::http::{HttpFlags, Request, Response};

/// EVE's `http`: one request and its response, as far as both were seen.
#[derive(Serialize)]
pub(super) struct HttpObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_user_agent: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_content_type: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_refer: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_method: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
}

impl<'a> HttpObject<'a> {
    /// The object of a transaction; one of the two is there.
    pub(super) fn new(request: Option<&'a Request>, response: Option<&'a Response>, bounds: Bounds) -> Self {
        let wire = |bytes: &'a [u8]| WireText { bytes, limit: bounds.text };
        let (hostname, http_port) =
            request.and_then(|request| request.host.as_deref()).map_or((None, None), |host| {
                let (name, port) = host_and_port(host);
                (Some(wire(name)), port)
            });
        let version = request.map_or_else(
            || response.map(|response| response.version.as_slice()),
            |request| Some(request.version.as_slice()),
        );
        let status = response.map(|response| response.status).filter(|&status| status > 0);
        let redirects = status.is_some_and(|status| (300..400).contains(&status));
        Self {
            hostname,
            http_port,
            url: request.map(|request| wire(&request.target)),
            http_user_agent: request.and_then(|request| request.user_agent.as_deref()).map(wire),
            http_content_type: response
                .and_then(|response| response.content_type.as_deref())
                .map(|kind| wire(media_type(kind))),
            http_refer: request.and_then(|request| request.referer.as_deref()).map(wire),
            http_method: request.map(|request| wire(&request.method)),
            protocol: version.filter(|version| !version.is_empty()).map(wire),
            status,
            redirect: response
                .and_then(|response| response.location.as_deref())
                .filter(|_| redirects)
                .map(wire),
            length: response.map(|response| response.body_length),
        }
    }
}

/// The names of the oddities of a transaction's messages.
pub(super) fn anomalies(request: Option<&Request>, response: Option<&Response>) -> Vec<&'static str> {
    let all = request.map_or(0, |request| request.flags.0) | response.map_or(0, |response| response.flags.0);
    NAMES.iter().filter(|&&(flag, _)| HttpFlags(all).has(flag)).map(|&(_, name)| name).collect()
}

/// The flags' names in events.
const NAMES: [(u16, &str); 6] = [
    (HttpFlags::HEAD_CUT, "head_cut"),
    (HttpFlags::BODY_CUT, "body_cut"),
    (HttpFlags::GRAMMAR, "grammar"),
    (HttpFlags::HOST_AMBIGUOUS, "host_ambiguous"),
    (HttpFlags::LENGTH_AMBIGUOUS, "length_ambiguous"),
    (HttpFlags::GAP, "gap"),
];

/// The two parts of a Host field: EVE's `hostname` has no port, `http_port` is there when it was written.
fn host_and_port(host: &[u8]) -> (&[u8], Option<u16>) {
    let host = host.trim_ascii();
    let Some(colon) = host.iter().rposition(|&byte| byte == b':') else { return (host, None) };
    let (name, port) = host.split_at(colon);
    // The last colon of a bare IPv6 address does not stand before a port; one in brackets may.
    let bare = name.contains(&b':') && !name.ends_with(b"]");
    match std::str::from_utf8(port.get(1..).unwrap_or_default()).ok().and_then(|port| port.parse().ok()) {
        Some(port) if !bare => (name, Some(port)),
        _ => (host, None),
    }
}

/// A Content-Type without its parameters, as EVE has it.
fn media_type(value: &[u8]) -> &[u8] {
    value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_told_apart_from_the_host() {
        assert_eq!(host_and_port(b"sfrclak.com:8000"), (&b"sfrclak.com"[..], Some(8000)));
        assert_eq!(host_and_port(b" example.org "), (&b"example.org"[..], None));
        assert_eq!(host_and_port(b"[2001:db8::1]:81"), (&b"[2001:db8::1]"[..], Some(81)));
        assert_eq!(host_and_port(b"[2001:db8::1]"), (&b"[2001:db8::1]"[..], None));
        assert_eq!(host_and_port(b"2001:db8::1"), (&b"2001:db8::1"[..], None));
        assert_eq!(host_and_port(b"a:99999"), (&b"a:99999"[..], None));
        assert_eq!(host_and_port(b"a:"), (&b"a:"[..], None));
    }

    #[test]
    fn a_media_type_has_no_parameters() {
        assert_eq!(media_type(b"text/html; charset=utf-8"), b"text/html");
        assert_eq!(media_type(b"text/html"), b"text/html");
    }

    #[test]
    fn oddities_of_both_messages_are_named_once() {
        let request = Request { flags: HttpFlags(HttpFlags::GAP | HttpFlags::GRAMMAR), ..Request::default() };
        let response = Response { flags: HttpFlags(HttpFlags::GAP), ..Response::default() };
        assert_eq!(anomalies(Some(&request), Some(&response)), ["grammar", "gap"]);
        assert!(anomalies(None, None).is_empty());
    }
}
