//! The conversations of a step: who talks to whom, in which protocol, and what they say.

use serde::Deserialize;

use super::Seconds;
use crate::message;

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
    /// The client offers TLS 1.2 at most.
    #[serde(default)]
    pub only_1_2: bool,
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
