//! What the conversations say: DNS, HTTP, TLS, QUIC and a few small protocols, as bytes.

pub mod certificate;
pub mod dns;
pub mod http;
pub mod ntp;
pub mod quic;
pub mod tls;
