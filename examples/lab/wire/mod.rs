//! What goes on the wire below the messages: transport, IP, tunnels and link headers.
//!
//! Nothing here shares code with `src/decode`: an error that both made would hide from every test.

pub mod address;
pub mod checksum;
pub mod ip;
pub mod link;
pub mod tcp;
pub mod tunnel;
pub mod udp;
