//! Application protocols, recognised by content on any port.
//!
//! Each folder has the same files: `mod.rs` (what it gives), `parser.rs` (a pure view of one
//! message), `stream.rs` (the state that one flow needs) and `fuzz.rs` (the entry for fuzzing).
//! Nothing here knows of packets, flows' tables or attacks. Parsers never panic; oddities are
//! flags on what was read.

pub mod dns;
pub mod http;
pub mod quic;
pub mod tls;

/// What a stream reader wants of one direction's bytes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Whatever comes.
    More,
    /// Nothing of the next so many bytes (a body's rest): they may be passed over unread, and unseen.
    Skip(u64),
    /// Nothing more of this direction.
    Nothing,
}

/// What the first bytes of a side are, as far as they tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Certainly this protocol.
    Yes,
    /// Certainly not.
    No,
    /// The bytes so far would fit; more are needed.
    Unsure,
}
