//! The state of one QUIC connection until its ClientHello is whole.

use super::QuicHello;
use super::crypto::CryptoStream;
use super::frames::crypto_frames;
use super::initial::InitialKeys;
use super::packet::{CONNECTION_ID_BYTES, Kind, Packet, packets};
use crate::flow::Direction;
use crate::limits::{QUIC_CRYPTO_BYTES, QUIC_OPENED_PACKETS};
use crate::protocol::Need;
use crate::protocol::tls::{Transport, parse_client_hello};

/// Looks for the ClientHello in one flow's datagrams.
///
/// # Limits
/// Opens at most [`QUIC_OPENED_PACKETS`] packets; a datagram without any counts as one. Holds at most
/// [`QUIC_CRYPTO_BYTES`] of the CRYPTO stream, and nothing once [`QuicStream::need`] says
/// [`Need::Nothing`].
#[derive(Debug, Default)]
pub struct QuicStream {
    /// The connection id that the keys are derived from: what the client's first packet was sent to,
    /// or after a Retry what the server asked for.
    origin: ConnectionId,
    version: u32,
    /// The packet number after the largest one seen.
    expected: u64,
    crypto: CryptoStream,
    tried: u8,
    done: bool,
}

/// A connection id, held without an allocation; `None` while nothing has been opened.
#[derive(Clone, Copy, Debug, Default)]
struct ConnectionId {
    bytes: [u8; CONNECTION_ID_BYTES],
    length: Option<u8>,
}

impl ConnectionId {
    fn of(id: &[u8]) -> Self {
        let mut bytes = [0; CONNECTION_ID_BYTES];
        bytes.iter_mut().zip(id).for_each(|(to, from)| *to = *from);
        Self { bytes, length: Some(id.len().min(CONNECTION_ID_BYTES) as u8) }
    }

    fn get(&self) -> Option<&[u8]> {
        self.bytes.get(..self.length?.into())
    }
}

/// The shortest connection id that a client may choose for its first packet (RFC 9000 section 7.2).
const CHOSEN_ID_BYTES: usize = 8;

impl QuicStream {
    /// A connection of which nothing has been seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next datagram and gives the ClientHello once it is whole; at the limit, what there
    /// is of it, marked as cut.
    ///
    /// The client is the side whose packets open with a client's keys: when the capture began with
    /// an answer and `direction` is wrong, the hello is found all the same.
    pub fn datagram(&mut self, direction: Direction, bytes: &[u8]) -> Option<QuicHello> {
        if self.done {
            return None;
        }
        let tried = self.tried;
        let mut space = Vec::new();
        for packet in packets(bytes).filter(|packet| packet.kind == Kind::Initial) {
            if self.open(direction, &packet, &mut space)
                && let Some(hello) = self.whole_hello()
            {
                self.end();
                return hello;
            }
        }
        if self.tried == tried {
            self.tried += 1;
        }
        if self.tried >= QUIC_OPENED_PACKETS { self.finish() } else { None }
    }

    /// The flow or the capture has ended: gives what there is of a ClientHello when its server name
    /// can be read, marked as cut.
    pub fn finish(&mut self) -> Option<QuicHello> {
        let hello = parse_client_hello(self.crypto.front(), Transport::Quic);
        let hello = hello.filter(|hello| hello.sni.is_some());
        let version = self.version;
        self.end();
        hello.map(|hello| QuicHello { version, hello })
    }

    /// What the flow needs next: [`Need::Nothing`] once the hello was given or is not to be found.
    pub fn need(&self) -> Need {
        if self.done { Need::Nothing } else { Need::More }
    }

    /// Bytes held of an unfinished hello.
    pub fn held(&self) -> usize {
        self.crypto.held()
    }

    /// Opens a packet and collects its CRYPTO frames; whether that worked.
    fn open(&mut self, direction: Direction, packet: &Packet<'_>, space: &mut Vec<u8>) -> bool {
        let own = packet.destination;
        let origin = self.origin;
        // Until its hello is acknowledged, a client's packets are all protected by its first choice
        // of id, to whichever id they go. A packet of the server's goes to an id that neither is.
        let known = origin.get().filter(|&id| direction == Direction::ToServer || id == own);
        if let Some(id) = known
            && self.open_with(id, packet, space)
        {
            return true;
        }
        let plausible = match origin.get() {
            Some(id) => id != own && direction == Direction::ToServer,
            None => direction == Direction::ToServer || own.len() >= CHOSEN_ID_BYTES,
        };
        if !plausible {
            return false;
        }
        // The first packet, one after a Retry, or one of a new connection between the same ports:
        // its hello begins anew.
        let before = (self.expected, std::mem::take(&mut self.crypto));
        self.expected = 0;
        if self.open_with(own, packet, space) {
            self.origin = ConnectionId::of(own);
            return true;
        }
        (self.expected, self.crypto) = before;
        false
    }

    fn open_with(&mut self, id: &[u8], packet: &Packet<'_>, space: &mut Vec<u8>) -> bool {
        if self.tried >= QUIC_OPENED_PACKETS {
            return false;
        }
        self.tried += 1;
        for keys in InitialKeys::client(packet.version, id) {
            let Some((number, payload)) = keys.open(packet, self.expected, space) else { continue };
            self.version = packet.version;
            self.expected = self.expected.max(number + 1);
            for frame in crypto_frames(payload) {
                self.crypto.insert(frame.offset, frame.data);
            }
            return true;
        }
        false
    }

    /// The hello once it is there, or once no more of it can be: then `Some(None)` when the stream
    /// begins with something else.
    fn whole_hello(&self) -> Option<Option<QuicHello>> {
        let front = self.crypto.front();
        let [_, high, middle, low, ..] = *front else { return None };
        let declared = 4 + u32::from_be_bytes([0, high, middle, low]) as usize;
        if front.len() < declared.min(QUIC_CRYPTO_BYTES) {
            return None;
        }
        let hello = parse_client_hello(front, Transport::Quic);
        Some(hello.map(|hello| QuicHello { version: self.version, hello }))
    }

    fn end(&mut self) {
        self.done = true;
        self.crypto = CryptoStream::default();
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
