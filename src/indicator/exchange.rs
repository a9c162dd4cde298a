//! What one exchange showed: the facts that composite signatures are judged by.

use std::net::IpAddr;

use crate::protocol::dns::Name;
use crate::protocol::http::{Request, Response};
use crate::protocol::tls::{Certificate, ClientHello};

/// What was just seen. A signature is judged once, at the last moment that it has a condition on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// An HTTP request.
    Request,
    /// An HTTP response, with its request when that was seen.
    Response,
    /// A TLS ClientHello.
    ClientHello,
    /// A server's certificate, with the ClientHello when that was seen.
    Certificate,
    /// A DNS question.
    Query,
}

impl Moment {
    /// Every moment.
    pub const ALL: [Self; 5] =
        [Self::Request, Self::Response, Self::ClientHello, Self::Certificate, Self::Query];
}

/// The facts of one exchange; what was not seen is `None`.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeFacts<'a> {
    /// What was just seen.
    pub moment: Moment,
    /// The server's address.
    pub remote_address: Option<IpAddr>,
    /// The server's port.
    pub remote_port: Option<u16>,
    /// The request.
    pub request: Option<&'a Request>,
    /// The response to it.
    pub response: Option<&'a Response>,
    /// The ClientHello.
    pub hello: Option<&'a ClientHello>,
    /// The server's own certificate, the first of the chain.
    pub certificate: Option<&'a Certificate>,
    /// The DNS question: name and type.
    pub query: Option<(Name<'a>, u16)>,
}

impl<'a> ExchangeFacts<'a> {
    const fn at(moment: Moment, remote: Option<(IpAddr, u16)>) -> Self {
        let (remote_address, remote_port) = match remote {
            Some((address, port)) => (Some(address), Some(port)),
            None => (None, None),
        };
        Self {
            moment,
            remote_address,
            remote_port,
            request: None,
            response: None,
            hello: None,
            certificate: None,
            query: None,
        }
    }

    /// A request to `remote` was seen.
    pub const fn request(remote: (IpAddr, u16), request: &'a Request) -> Self {
        Self { request: Some(request), ..Self::at(Moment::Request, Some(remote)) }
    }

    /// A response from `remote` was seen.
    pub fn response(remote: (IpAddr, u16), response: &'a Response) -> Self {
        let request = response.request.as_deref();
        Self { request, response: Some(response), ..Self::at(Moment::Response, Some(remote)) }
    }

    /// A ClientHello to `remote` was seen.
    pub const fn client_hello(remote: (IpAddr, u16), hello: &'a ClientHello) -> Self {
        Self { hello: Some(hello), ..Self::at(Moment::ClientHello, Some(remote)) }
    }

    /// A certificate from `remote` was seen.
    pub const fn certificate(
        remote: (IpAddr, u16),
        hello: Option<&'a ClientHello>,
        certificate: &'a Certificate,
    ) -> Self {
        Self { hello, certificate: Some(certificate), ..Self::at(Moment::Certificate, Some(remote)) }
    }

    /// A DNS question for `name` of type `kind` was seen, sent to `remote` when that is known.
    pub const fn query(remote: Option<(IpAddr, u16)>, name: Name<'a>, kind: u16) -> Self {
        Self { query: Some((name, kind)), ..Self::at(Moment::Query, remote) }
    }
}

/// A request's target taken apart. An absolute URL, as clients send it to a proxy, brings its own host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// Host and port of an absolute URL.
    pub authority: Option<&'a [u8]>,
    /// Path and query, from `/`.
    pub target: &'a [u8],
}

impl<'a> Target<'a> {
    /// Takes `target` apart.
    pub(super) fn of(target: &'a [u8]) -> Self {
        let absolute = ["http://", "https://"].into_iter().find_map(|scheme| {
            let (start, rest) = target.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
        });
        let Some(rest) = absolute else { return Self { authority: None, target } };
        let end = rest.iter().position(|&byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        Self { authority: Some(authority), target: if target.is_empty() { b"/" } else { target } }
    }

    /// The target without its query.
    pub(super) fn path(self) -> &'a [u8] {
        self.target.split(|&byte| byte == b'?').next().unwrap_or_default()
    }
}

/// Host and port of a Host field or an authority; the host without its final dot, the port as written.
pub(super) fn split_host(authority: &[u8]) -> (&[u8], Option<u16>) {
    let authority = authority.trim_ascii();
    let colon = authority.iter().rposition(|&byte| byte == b':');
    let split = colon.and_then(|colon| {
        let port = std::str::from_utf8(authority.get(colon + 1..)?).ok()?.parse::<u16>().ok()?;
        let host = authority.get(..colon)?;
        // `::1` without brackets has colons of its own.
        (!host.contains(&b':') || host.ends_with(b"]")).then_some((host, Some(port)))
    });
    let (host, port) = split.unwrap_or((authority, None));
    (host.strip_suffix(b".").unwrap_or(host), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_targets_and_hosts_apart() {
        let target = Target::of(b"HTTP://a.example:8000/x?y");
        assert_eq!((target.authority, target.target), (Some(&b"a.example:8000"[..]), &b"/x?y"[..]));
        assert_eq!(target.path(), b"/x");
        assert_eq!(Target::of(b"http://a.example").target, b"/");
        assert_eq!(Target::of(b"/x").authority, None);
        assert_eq!(split_host(b"a.example.:8000"), (&b"a.example"[..], Some(8000)));
        assert_eq!(split_host(b"a.example"), (&b"a.example"[..], None));
        assert_eq!(split_host(b"[2001:db8::1]:80"), (&b"[2001:db8::1]"[..], Some(80)));
        assert_eq!(split_host(b"2001:db8::1"), (&b"2001:db8::1"[..], None));
    }
}
