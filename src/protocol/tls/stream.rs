//! The state of one TLS connection: records joined into handshake messages, for each side until it
//! has said what it says in clear.

use std::sync::Arc;

use super::identify::ssl2_hello_version;
use super::parser::{self, Transport, message_kind};
use super::{Certificate, ClientHello, ServerHello, is_tls13};
use crate::flow::Direction;
use crate::limits::MESSAGE_BYTES;
use crate::protocol::Need;

/// What a connection showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsEvent {
    /// The client's hello; after a HelloRetryRequest only the first one.
    ClientHello(Arc<ClientHello>),
    /// A server's hello; two when the first is a HelloRetryRequest.
    ServerHello(Arc<ServerHello>),
    /// The server's chain, its own certificate first; never empty.
    Certificates(Arc<[Certificate]>),
    /// From here on this side is encrypted.
    Encrypted,
}

/// Who is told what a connection shows, each handshake message with its header. A list of [`TlsEvent`] is told all
/// of it; others make less of what they need less of.
pub trait TlsSink {
    /// A ClientHello.
    fn client_hello(&mut self, message: &[u8]);

    /// A hello in SSL 2's form, which asks for this version.
    fn ssl2_hello(&mut self, version: u16);

    /// A ServerHello.
    fn server_hello(&mut self, message: &[u8]);

    /// A server's Certificate message.
    fn certificates(&mut self, message: &[u8]);

    /// From here on this side is encrypted.
    fn encrypted(&mut self);
}

impl TlsSink for Vec<TlsEvent> {
    fn client_hello(&mut self, message: &[u8]) {
        let hello = parser::parse_client_hello(message, Transport::Tcp);
        self.extend(hello.map(|hello| TlsEvent::ClientHello(Arc::new(hello))));
    }

    fn ssl2_hello(&mut self, version: u16) {
        self.push(TlsEvent::ClientHello(Arc::new(ClientHello::of_ssl2(version))));
    }

    fn server_hello(&mut self, message: &[u8]) {
        let hello = parser::parse_server_hello(message);
        self.extend(hello.map(|hello| TlsEvent::ServerHello(Arc::new(hello))));
    }

    fn certificates(&mut self, message: &[u8]) {
        let certificates = parser::parse_certificates(message);
        if !certificates.is_empty() {
            self.push(TlsEvent::Certificates(certificates.into()));
        }
    }

    fn encrypted(&mut self) {
        self.push(TlsEvent::Encrypted);
    }
}

/// Reads both sides of one connection.
///
/// Either side may be the client: the one that sends the ClientHello is. The events do not depend on
/// how the bytes are cut into pushes.
///
/// # Limits
/// Holds at most [`MESSAGE_BYTES`] of an unfinished message for each side, and nothing for a side of
/// which [`Need::Nothing`] was said. A message that arrives whole inside one push is not copied.
#[derive(Debug, Default)]
pub struct TlsStream {
    sides: [Side; 2],
}

/// Longest record: 2^14 bytes and what old ciphers add (RFC 5246 section 6.2.3).
pub(super) const RECORD_BYTES: u16 = (1 << 14) + 2048;

/// Record types (RFC 8446 section 5.1, RFC 6520).
pub(super) mod record_kind {
    pub(in super::super) const CHANGE_CIPHER_SPEC: u8 = 20;
    pub(in super::super) const ALERT: u8 = 21;
    pub(in super::super) const HANDSHAKE: u8 = 22;
    pub(in super::super) const APPLICATION_DATA: u8 = 23;
    pub(in super::super) const HEARTBEAT: u8 = 24;
}

impl TlsStream {
    /// A connection of which nothing has been seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of one side, appends what they showed to `out`, and says what that side
    /// needs next: [`Need::More`] or [`Need::Nothing`].
    pub fn push(&mut self, direction: Direction, bytes: &[u8], out: &mut impl TlsSink) -> Need {
        let [to_server, to_client] = &mut self.sides;
        let (side, peer) = match direction {
            Direction::ToServer => (to_server, to_client),
            Direction::ToClient => (to_client, to_server),
        };
        side.push(bytes, out);
        match side.role {
            Role::Unknown => {}
            Role::Client => peer.role = Role::Server,
            Role::Server => peer.role = Role::Client,
        }
        side.need()
    }

    /// Bytes of this side are missing: gives what its unfinished message shows, marked as cut, and
    /// reads no more of it.
    pub fn gap(&mut self, direction: Direction, out: &mut impl TlsSink) -> Need {
        if let Some(side) = self.sides.get_mut(direction.index()) {
            side.give_up(out);
        }
        Need::Nothing
    }

    /// The connection or the capture has ended: as [`TlsStream::gap`] on both sides.
    pub fn finish(&mut self, out: &mut impl TlsSink) {
        for side in &mut self.sides {
            side.give_up(out);
        }
    }

    /// What one side needs next.
    pub fn need(&self, direction: Direction) -> Need {
        self.sides.get(direction.index()).map_or(Need::Nothing, Side::need)
    }

    /// The direction in which the client sends, once known.
    pub fn client(&self) -> Option<Direction> {
        let [to_server, to_client] = &self.sides;
        match (to_server.role, to_client.role) {
            (Role::Client, _) => Some(Direction::ToServer),
            (_, Role::Client) => Some(Direction::ToClient),
            _ => None,
        }
    }

    /// Bytes held of unfinished messages, both sides together.
    pub fn held(&self) -> usize {
        self.sides.iter().map(|side| side.message.capacity()).sum()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Role {
    #[default]
    Unknown,
    Client,
    Server,
}

/// Where a side stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing seen.
    #[default]
    Start,
    /// A hello in SSL 2's form is being collected.
    Ssl2,
    /// Between or inside records.
    Records,
    /// Nothing more is read.
    Done,
}

/// One side of a connection.
#[derive(Debug, Default)]
struct Side {
    phase: Phase,
    role: Role,
    /// Whether a HelloRetryRequest went by: the ChangeCipherSpec after it is for show (RFC 8446
    /// appendix D.4), and another ServerHello follows.
    retried: bool,
    /// The next record's header as far as it has come. Invariant: `header_bytes <= 5`.
    header: [u8; 5],
    header_bytes: u8,
    /// The current record's type and what is left of it.
    record: u8,
    record_left: u16,
    /// What is left of a message that says nothing.
    skip: u32,
    /// An unfinished message with its header. Invariant: `message.len() <= MESSAGE_BYTES`.
    message: Vec<u8>,
}

impl Side {
    fn need(&self) -> Need {
        if self.phase == Phase::Done { Need::Nothing } else { Need::More }
    }

    fn push(&mut self, mut bytes: &[u8], out: &mut impl TlsSink) {
        if self.phase == Phase::Start
            && let Some(first) = bytes.first()
        {
            self.phase = if first & 0x80 != 0 { Phase::Ssl2 } else { Phase::Records };
        }
        if self.phase == Phase::Ssl2 {
            return self.ssl2(bytes, out);
        }
        // Every turn takes at least one byte, or ends.
        while !bytes.is_empty() && self.phase == Phase::Records {
            if self.record_left == 0 {
                bytes = self.record_header(bytes, out);
                continue;
            }
            let (body, rest) = bytes.split_at(bytes.len().min(self.record_left.into()));
            // `body` is no longer than `record_left`, so that this loses nothing.
            self.record_left -= body.len() as u16;
            if self.record == record_kind::HANDSHAKE {
                self.handshake(body, out);
            }
            bytes = rest;
        }
    }

    /// Takes what belongs to a record's header, and judges the header once it is whole.
    fn record_header<'a>(&mut self, bytes: &'a [u8], out: &mut impl TlsSink) -> &'a [u8] {
        let free = self.header.get_mut(usize::from(self.header_bytes)..).unwrap_or_default();
        let (taken, rest) = bytes.split_at(bytes.len().min(free.len()));
        free.iter_mut().zip(taken).for_each(|(to, from)| *to = *from);
        self.header_bytes += taken.len() as u8;
        if usize::from(self.header_bytes) < self.header.len() {
            return rest;
        }
        self.header_bytes = 0;
        let [kind, major, minor, high, low] = self.header;
        let length = u16::from_be_bytes([high, low]);
        if major != 3 || minor > 4 || length > RECORD_BYTES {
            self.give_up(out);
            return rest;
        }
        match kind {
            record_kind::HANDSHAKE | record_kind::ALERT | record_kind::HEARTBEAT => {}
            record_kind::CHANGE_CIPHER_SPEC if self.retried => {}
            record_kind::CHANGE_CIPHER_SPEC | record_kind::APPLICATION_DATA => self.encrypted(out),
            _ => self.give_up(out),
        }
        (self.record, self.record_left) = (kind, length);
        rest
    }

    /// Joins handshake messages, which know nothing of the records' borders.
    fn handshake(&mut self, mut body: &[u8], out: &mut impl TlsSink) {
        while !body.is_empty() && self.phase == Phase::Records {
            if self.skip > 0 {
                let skipped = body.len().min(self.skip as usize);
                self.skip -= skipped as u32;
                body = body.get(skipped..).unwrap_or_default();
            } else if self.message.is_empty()
                && let Some((message, rest)) = split_message(body)
            {
                self.message(message, out);
                body = rest;
            } else {
                body = self.collect(body, out);
            }
        }
    }

    /// Copies what belongs to an unfinished message, first its header, and reads it once it is whole
    /// or at its limit.
    fn collect<'a>(&mut self, body: &'a [u8], out: &mut impl TlsSink) -> &'a [u8] {
        let declared = message_bytes(&self.message);
        let wanted = declared.unwrap_or(4).min(MESSAGE_BYTES);
        let missing = wanted.saturating_sub(self.message.len());
        let (taken, rest) = body.split_at(body.len().min(missing));
        self.message.extend_from_slice(taken);
        let Some(declared) = message_bytes(&self.message) else { return rest };
        let speaks = self.message.first().is_some_and(|&kind| speaks(kind));
        if !speaks || self.message.len() >= declared.min(MESSAGE_BYTES) {
            let message = std::mem::take(&mut self.message);
            self.skip = (declared - message.len()) as u32;
            self.message(&message, out);
        }
        rest
    }

    /// Reads one message with its header; at its limit only its first bytes.
    fn message(&mut self, message: &[u8], out: &mut impl TlsSink) {
        match message.first().copied().unwrap_or_default() {
            message_kind::CLIENT_HELLO => {
                if parser::is_client_hello(message) {
                    self.role = Role::Client;
                    out.client_hello(message);
                }
                self.done();
            }
            message_kind::SERVER_HELLO => {
                let Some(answer) = parser::read_answer(message, |_, _| ()) else { return self.done() };
                self.role = Role::Server;
                self.retried |= answer.retry;
                let last = is_tls13(answer.version) && !answer.retry;
                out.server_hello(message);
                if last {
                    self.encrypted(out);
                }
            }
            // A client's own certificate would come after its hello, where nothing is read.
            message_kind::CERTIFICATE if self.role != Role::Client => {
                out.certificates(message);
                self.done();
            }
            message_kind::SERVER_HELLO_DONE => self.done(),
            _ => {}
        }
    }

    /// Collects a hello in SSL 2's form, whose length stands in its first two bytes.
    fn ssl2(&mut self, bytes: &[u8], out: &mut impl TlsSink) {
        for &byte in bytes {
            self.message.push(byte);
            let [first, second, ..] = *self.message.as_slice() else { continue };
            let length = u16::from_be_bytes([first & 0x7f, second]);
            if self.message.len() >= 2 + usize::from(length) {
                if let Some(version) = ssl2_hello_version(&self.message) {
                    self.role = Role::Client;
                    out.ssl2_hello(version);
                }
                return self.done();
            }
        }
    }

    fn encrypted(&mut self, out: &mut impl TlsSink) {
        self.give_up(out);
        out.encrypted();
    }

    /// Reads what there is of an unfinished message, and no more.
    fn give_up(&mut self, out: &mut impl TlsSink) {
        if self.phase == Phase::Records {
            let message = std::mem::take(&mut self.message);
            // A ServerHello whose end is missing could have had its version there.
            if message.first() != Some(&message_kind::SERVER_HELLO) {
                self.message(&message, out);
            }
        }
        self.done();
    }

    fn done(&mut self) {
        self.phase = Phase::Done;
        self.message = Vec::new();
    }
}

/// Whether a message of this kind is read at all.
fn speaks(kind: u8) -> bool {
    matches!(kind, message_kind::CLIENT_HELLO | message_kind::SERVER_HELLO | message_kind::CERTIFICATE)
}

/// The length of the message that begins with `bytes`, header included, once the header is there.
fn message_bytes(bytes: &[u8]) -> Option<usize> {
    let [_, high, middle, low, ..] = *bytes else { return None };
    Some(4 + u32::from_be_bytes([0, high, middle, low]) as usize)
}

/// The whole message at the front of `bytes`, and what follows it.
fn split_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(message_bytes(bytes)?)
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
