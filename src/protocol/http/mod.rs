//! HTTP/1: every request and response of a connection (RFC 9112), read tolerantly.

mod body;
#[cfg(test)]
mod captures;
#[cfg(test)]
mod conversations;
mod exchange;
mod fuzz;
mod headers;
mod message;
mod parser;
mod side;
mod start_line;
mod stream;
mod target;

use std::sync::Arc;

pub use fuzz::fuzz_http_stream;
pub use headers::Headers;
pub use start_line::identify;
pub use stream::{HttpEvent, HttpStream, Tunnel};

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Place in the connection, from 0.
    pub index: u32,
    /// Method as sent.
    pub method: Vec<u8>,
    /// Request target as sent: `/path?query`, an absolute URL, or `host:port` for CONNECT.
    pub target: Vec<u8>,
    /// Version as sent, `HTTP/1.1`; empty for HTTP/0.9.
    pub version: Vec<u8>,
    /// The Host field's value; of several the first.
    pub host: Option<Vec<u8>>,
    /// The User-Agent field's value.
    pub user_agent: Option<Vec<u8>>,
    /// The Content-Type field's value.
    pub content_type: Option<Vec<u8>>,
    /// The Referer field's value.
    pub referer: Option<Vec<u8>>,
    /// All fields in order, names as sent, within [`crate::limits::HTTP_HEAD_BYTES`].
    pub headers: Headers,
    /// First bytes of the body, at most [`crate::limits::HTTP_BODY_BYTES`], transfer coding removed.
    pub body: Vec<u8>,
    /// The length that Content-Length declares.
    pub declared_length: Option<u64>,
    /// What was odd.
    pub flags: HttpFlags,
}

/// One response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The request that it answers; `None` when that was not seen, or when too many waited before it
    /// ([`crate::limits::HTTP_PENDING_BYTES`]).
    pub request: Option<Arc<Request>>,
    /// Status code, 0 when it could not be read.
    pub status: u16,
    /// Version as sent.
    pub version: Vec<u8>,
    /// The Content-Type field's value.
    pub content_type: Option<Vec<u8>>,
    /// The Location field's value.
    pub location: Option<Vec<u8>>,
    /// The Server field's value.
    pub server: Option<Vec<u8>>,
    /// All fields in order, names as sent, within [`crate::limits::HTTP_HEAD_BYTES`].
    pub headers: Headers,
    /// First bytes of the body, at most [`crate::limits::HTTP_BODY_BYTES`], transfer coding removed.
    pub body: Vec<u8>,
    /// Bytes of the response's body that went over the wire, transfer coding removed where it was read.
    pub body_length: u64,
    /// Bytes of the request's body that went over the wire.
    pub request_body_length: u64,
    /// What was odd.
    pub flags: HttpFlags,
}

/// Oddities of an HTTP message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HttpFlags(pub u16);

impl HttpFlags {
    /// The head went beyond its limit, or the capture ended inside it.
    pub const HEAD_CUT: u16 = 1;
    /// The body's end was not seen. On a request: bytes that belong into `body` are lacking.
    pub const BODY_CUT: u16 = 2;
    /// A line of the head or the chunked coding breaks the grammar, or the bytes before the message
    /// are no HTTP.
    pub const GRAMMAR: u16 = 4;
    /// More than one Host field, or one that disagrees with an absolute target.
    pub const HOST_AMBIGUOUS: u16 = 8;
    /// Content-Length and Transfer-Encoding both, or several lengths that differ.
    pub const LENGTH_AMBIGUOUS: u16 = 16;
    /// Bytes of the connection are missing before or inside this message.
    pub const GAP: u16 = 32;

    /// Sets `flags`, one or several of the constants here.
    pub const fn set(&mut self, flags: u16) {
        self.0 |= flags;
    }

    /// Whether `flag` (one of the constants here) is set.
    pub const fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }
}
