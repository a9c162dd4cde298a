//! QUIC: the client's Initial packets, decrypted as any observer may (RFC 9001 section 5.2, RFC 9369).
//!
//! [`identify`] tells QUIC from one datagram, on any port. [`QuicStream`] then opens the client's
//! Initial packets until its ClientHello is whole.

mod crypto;
mod frames;
pub mod fuzz;
mod initial;
mod packet;
mod stream;
mod version;

#[cfg(test)]
mod captures;
#[cfg(test)]
mod samples;

pub use packet::identify;
pub use stream::QuicStream;
pub use version::version_name;

use super::tls::ClientHello;

/// What the client of a QUIC connection showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuicHello {
    /// QUIC version of the Initial packet: 1, 0x6b3343cf for version 2, 0xff0000xx for a draft.
    pub version: u32,
    /// The ClientHello inside; its JA4 begins with `q`.
    pub hello: ClientHello,
}
