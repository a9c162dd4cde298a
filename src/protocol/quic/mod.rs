//! QUIC: the client's Initial packets, decrypted as any observer may (RFC 9001 section 5.2, RFC 9369).

use super::tls::ClientHello;

/// What the client of a QUIC connection showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuicHello {
    /// QUIC version of the Initial packet (1, or 0x6b3343cf for version 2).
    pub version: u32,
    /// The ClientHello inside; its JA4 begins with `q`.
    pub hello: ClientHello,
}
