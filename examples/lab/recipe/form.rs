//! The form of a recipe: every table and field that may stand in it. `examples/lab/README.md` explains them.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::message;
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

/// Two hosts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Who asks.
    pub from: String,
    /// Who answers.
    pub to: String,
}

/// A DNS exchange: one question for each type, each with its answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// Who asks.
    pub from: String,
    /// Who answers.
    pub to: String,
    /// The name.
    pub name: String,
    /// The types; A if not told.
    #[serde(default)]
    pub types: Vec<String>,
    /// Records of the answers; each question gets those of its type and all CNAMEs. An address alone will do.
    #[serde(default)]
    pub answer: Vec<String>,
    /// TTL of answers that are an address alone.
    pub ttl: Option<u32>,
    /// Response code.
    pub code: Option<String>,
    /// From question to answer.
    pub latency: Option<Seconds>,
    /// Whether an answer comes.
    pub answered: Option<bool>,
    /// Whether EDNS is used.
    #[serde(default)]
    pub edns: bool,
    /// Whether TCP is used.
    #[serde(default)]
    pub tcp: bool,
    /// Server's port.
    pub port: Option<u16>,
    /// Multicast DNS or LLMNR: no recursion, and for port 5353 from the same port.
    #[serde(default)]
    pub multicast: bool,
}

/// An HTTP connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Who asks.
    pub from: String,
    /// Who answers.
    pub to: String,
    /// Port; 80 if not told.
    pub port: Option<u16>,
    /// Host header without port; the address if not told.
    pub host: Option<String>,
    /// The client's program.
    #[serde(default)]
    pub client: HttpClient,
    /// The server's program.
    #[serde(default)]
    pub server: HttpServer,
    /// Requests and responses.
    pub exchange: Vec<HttpExchange>,
}

/// The client's program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpClient {
    /// curl.
    Curl,
    /// Python's urllib.
    Urllib,
    /// Node.
    Node,
    /// Go.
    Go,
    /// None in particular.
    #[default]
    Plain,
}

impl From<HttpClient> for message::http::Client {
    fn from(client: HttpClient) -> Self {
        match client {
            HttpClient::Curl => Self::Curl,
            HttpClient::Urllib => Self::Urllib,
            HttpClient::Node => Self::Node,
            HttpClient::Go => Self::Go,
            HttpClient::Plain => Self::Plain,
        }
    }
}

/// The server's program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpServer {
    /// Express.
    Express,
    /// nginx.
    Nginx,
    /// None in particular.
    #[default]
    Plain,
}

impl From<HttpServer> for message::http::Server {
    fn from(server: HttpServer) -> Self {
        match server {
            HttpServer::Express => Self::Express,
            HttpServer::Nginx => Self::Nginx,
            HttpServer::Plain => Self::Plain,
        }
    }
}

/// One request and its response, or the same again and again on one connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpExchange {
    /// When, from the connection's SYN.
    pub after: Option<Seconds>,
    /// Again after so long, from request to request.
    pub every: Option<Seconds>,
    /// How often.
    pub count: Option<usize>,
    /// Method; GET if not told.
    pub method: Option<String>,
    /// Request target.
    pub target: String,
    /// User-Agent.
    pub user_agent: Option<String>,
    /// Further header lines.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Body.
    #[serde(default)]
    pub body: Body,
    /// The response; none comes if not told.
    pub response: Option<HttpResponse>,
}

/// A response.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpResponse {
    /// When, from the request.
    pub after: Option<Seconds>,
    /// Status; 200 if not told.
    pub status: Option<u16>,
    /// Further header lines.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Body.
    #[serde(default)]
    pub body: Body,
}

/// Content: one of the fields, or none for no content.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// This text.
    pub text: Option<String>,
    /// So many letters that mean nothing.
    pub letters: Option<usize>,
    /// So many bytes that mean nothing.
    pub random: Option<usize>,
    /// These bytes in hexadecimal.
    pub hex: Option<String>,
    /// The Base64 of this text; `{letters}` in it becomes as many letters as make the whole `size` long.
    pub base64: Option<String>,
    /// Length of the Base64.
    pub size: Option<usize>,
}

/// A TLS connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Who asks.
    pub from: String,
    /// Who answers.
    pub to: String,
    /// Port; 443 if not told.
    pub port: Option<u16>,
    /// Server name; none is sent if not told.
    pub name: Option<String>,
    /// The client's program.
    #[serde(default)]
    pub client: TlsClient,
    /// Application protocols offered.
    #[serde(default)]
    pub protocols: Vec<String>,
    /// The server's certificate; with it the handshake is TLS 1.2.
    pub certificate: Option<Certificate>,
    /// Encrypted Client Hello is offered; `name` is the outer name.
    #[serde(default)]
    pub encrypted_hello: bool,
    /// A hello longer than one segment.
    #[serde(default)]
    pub post_quantum: bool,
    /// The hello in records of so many bytes.
    pub record_size: Option<usize>,
    /// Bytes from the client, right after the handshake.
    #[serde(default)]
    pub up: usize,
    /// Bytes from the server, after the client's.
    #[serde(default)]
    pub down: usize,
    /// Later exchanges on the same connection.
    #[serde(default)]
    pub exchange: Vec<TlsExchange>,
}

/// The client's program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsClient {
    /// curl.
    #[default]
    Curl,
    /// Node.
    Node,
    /// Go.
    Go,
    /// .NET.
    Dotnet,
    /// A browser.
    Browser,
}

impl From<TlsClient> for message::tls::Client {
    fn from(client: TlsClient) -> Self {
        match client {
            TlsClient::Curl => Self::Curl,
            TlsClient::Node => Self::Node,
            TlsClient::Go => Self::Go,
            TlsClient::Dotnet => Self::Dotnet,
            TlsClient::Browser => Self::Browser,
        }
    }
}

/// Application data up and down.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsExchange {
    /// When, from the connection's SYN.
    pub after: Seconds,
    /// Again after so long.
    pub every: Option<Seconds>,
    /// How often.
    pub count: Option<usize>,
    /// Bytes from the client.
    #[serde(default)]
    pub up: usize,
    /// Bytes from the server.
    #[serde(default)]
    pub down: usize,
    /// From the client's bytes to the server's.
    pub latency: Option<Seconds>,
}

/// A certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Subject in one line.
    pub subject: String,
    /// Issuer in one line; the subject if not told.
    pub issuer: Option<String>,
    /// DNS names.
    #[serde(default)]
    pub names: Vec<String>,
    /// Serial number.
    #[serde(default)]
    pub serial: u64,
    /// Start of validity.
    pub not_before: String,
    /// End of validity.
    pub not_after: String,
}

/// A QUIC connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quic {
    /// Who asks.
    pub from: String,
    /// Who answers.
    pub to: String,
    /// Port; 443 if not told.
    pub port: Option<u16>,
    /// Server name.
    pub name: Option<String>,
    /// Application protocols.
    #[serde(default)]
    pub protocols: Vec<String>,
    /// 1 or 2.
    pub version: Option<u8>,
    /// Datagrams of the first flight; two or more carry a longer hello.
    pub datagrams: Option<usize>,
    /// The datagrams of the first flight arrive in reverse order.
    #[serde(default)]
    pub reversed: bool,
    /// Bytes from the client after the handshake.
    #[serde(default)]
    pub up: usize,
    /// Bytes from the server after the handshake.
    #[serde(default)]
    pub down: usize,
}

/// A TCP connection of any content.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tcp {
    /// Who opens it.
    pub from: String,
    /// Who is called.
    pub to: String,
    /// Port.
    pub port: u16,
    /// What becomes of it.
    #[serde(default)]
    pub outcome: Outcome,
    /// What is said.
    #[serde(default)]
    pub say: Vec<Saying>,
}

/// What becomes of a connection attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It opens.
    #[default]
    Open,
    /// RST.
    Refused,
    /// Nothing.
    Unanswered,
}

/// Something that one side says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saying {
    /// When, from the start of the step.
    pub after: Option<Seconds>,
    /// Whether it is the server.
    #[serde(default)]
    pub server: bool,
    /// What.
    pub body: Body,
}

/// Datagrams of any content.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Udp {
    /// Who begins.
    pub from: String,
    /// Who is addressed.
    pub to: String,
    /// Port.
    pub port: u16,
    /// What is said.
    pub say: Vec<Saying>,
}
