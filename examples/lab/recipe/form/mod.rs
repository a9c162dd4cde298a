//! The form of a recipe: every table and field that may stand in it. `examples/lab/README.md` explains them.

mod conversation;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

pub use self::conversation::*;
use crate::stage::Nanos;
use crate::wire::tcp;

/// A moment or duration in seconds, or two between which one is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds {
    /// The least.
    pub low: Nanos,
    /// The most.
    pub high: Nanos,
}

impl Seconds {
    /// Exactly so many milliseconds.
    pub const fn milliseconds(count: Nanos) -> Self {
        Self { low: count * 1_000_000, high: count * 1_000_000 }
    }
}

/// Rounds seconds to nanoseconds.
fn nanos(seconds: f64) -> Nanos {
    (seconds * 1e9).round() as Nanos
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            One(f64),
            Range([f64; 2]),
        }
        match Form::deserialize(deserializer) {
            Ok(Form::One(seconds)) => Ok(Self { low: nanos(seconds), high: nanos(seconds) }),
            Ok(Form::Range([low, high])) if low <= high => Ok(Self { low: nanos(low), high: nanos(high) }),
            _ => Err(D::Error::custom("seconds are a number, or [least, most]")),
        }
    }
}

/// A file to write: the story as one capture sees it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capture {
    /// File name; its ending chooses the compression.
    pub file: String,
    /// What the file shows, for the manifest.
    pub shows: String,
    /// Values that replace those of `[let]`.
    pub set: toml::Table,
    /// Capture format.
    pub format: String,
    /// Link type.
    pub link: String,
    /// Bytes kept of each frame.
    pub snaplen: usize,
    /// Tunnels around every packet, outermost first.
    pub tunnels: Vec<String>,
    /// Payload bytes of each IP fragment.
    pub fragment: Option<usize>,
    /// IP options or extension headers in every packet.
    pub ip_options: bool,
    /// Which side's packets are seen.
    pub sees: Sees,
    /// Packets before this moment are not in the file.
    pub from: Option<Seconds>,
    /// Packets after this moment are not in the file.
    pub until: Option<Seconds>,
    /// Whether all DNS of one client goes through one TCP connection.
    pub dns_stream: bool,
    /// Whether the file is too large to be committed and is made when needed.
    pub large: bool,
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            file: String::new(),
            shows: String::new(),
            set: toml::Table::new(),
            format: "pcap".to_owned(),
            link: "ethernet".to_owned(),
            snaplen: 262_144,
            tunnels: Vec::new(),
            fragment: None,
            ip_options: false,
            sees: Sees::Both,
            from: None,
            until: None,
            dns_stream: false,
            large: false,
        }
    }
}

/// Which directions a capture sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sees {
    /// Both.
    Both,
    /// Only what clients send.
    Client,
    /// Only what servers send.
    Server,
}

/// Another recipe that is part of this one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Include {
    /// Path of the recipe, from this one's folder.
    pub recipe: String,
    /// When its second 0 is.
    pub at: Option<Seconds>,
    /// Values that replace those of its `[let]`.
    pub set: toml::Table,
    /// Addresses that replace those of its `[hosts]`.
    pub hosts: toml::Table,
    /// Its seed instead of its own.
    pub seed: Option<u64>,
    /// Tunnels around its packets, inside those of the capture.
    pub tunnels: Vec<String>,
    /// Include it only if this holds.
    pub when: Option<bool>,
}

/// Something that happens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When, from the start of the story, or inside `do` from the start of the step around it.
    #[serde(alias = "after", default = "zero")]
    pub at: Seconds,
    /// It happens only if this holds.
    pub when: Option<bool>,
    /// It happens only if this does not hold.
    pub unless: Option<bool>,
    /// For the reader.
    #[serde(rename = "note")]
    pub _note: Option<String>,
    /// It happens again and again.
    pub repeat: Option<Repeat>,
    /// Round-trip time to the other side.
    pub rtt: Option<Seconds>,
    /// Largest TCP payload.
    pub mss: Option<usize>,
    /// TCP timestamps; on if not told.
    pub timestamps: Option<bool>,
    /// How a TCP connection ends.
    pub close: Option<Close>,
    /// Every n-th segment comes late.
    pub reorder: Option<usize>,
    /// Every n-th segment comes twice.
    pub retransmit: Option<usize>,
    /// First sequence numbers of client and server.
    pub sequence: Option<[u32; 2]>,
    /// The client's port.
    pub client_port: Option<u16>,
    /// Tunnels around these packets, inside those of the capture.
    pub tunnels: Option<Vec<String>>,
    /// Payload bytes of each IP fragment.
    pub fragment: Option<usize>,
    /// IP options or extension headers.
    pub ip_options: Option<bool>,
    /// A DNS exchange.
    pub dns: Option<Dns>,
    /// An HTTP connection.
    pub http: Option<Http>,
    /// A TLS connection.
    pub tls: Option<Tls>,
    /// A QUIC connection.
    pub quic: Option<Quic>,
    /// A TCP connection of any content.
    pub tcp: Option<Tcp>,
    /// Datagrams of any content.
    pub udp: Option<Udp>,
    /// An NTP exchange.
    pub ntp: Option<Pair>,
    /// A ping and its answer.
    pub icmp: Option<Pair>,
    /// Steps whose times count from this one's.
    #[serde(rename = "do", default)]
    pub steps: Vec<Step>,
}

fn zero() -> Seconds {
    Seconds::milliseconds(0)
}

/// How often, and how far apart.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// How many times in all.
    pub count: usize,
    /// From the start of one to the start of the next.
    pub every: Option<Seconds>,
    /// From the end of one to the start of the next.
    pub sleep: Option<Seconds>,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Close {
    /// FIN from the client.
    Client,
    /// FIN from the server.
    Server,
    /// RST from the client.
    Reset,
    /// Nothing.
    Silence,
}

impl From<Close> for tcp::Close {
    fn from(close: Close) -> Self {
        match close {
            Close::Client => Self::Client,
            Close::Server => Self::Server,
            Close::Reset => Self::Reset,
            Close::Silence => Self::Silence,
        }
    }
}
