//! One connection's application protocol: found by content, read by its reader, told as observations.

use super::{emit::Emitter, vocabulary::DnsService};
use crate::{
    flow::{Direction, Piece},
    limits,
    protocol::{Need, Verdict, dns, http, tls},
};

/// Both directions, in the order of [`Direction::index`].
pub const BOTH: [Direction; 2] = [Direction::ToServer, Direction::ToClient];

/// Bytes that one side may send before its protocol must be told.
const HEAD: usize = 4 << 10;

/// What is known of one TCP connection's protocol.
#[derive(Debug, Default)]
pub struct Inspection {
    reader: Reader,
    /// Bytes of each side that were looked at in vain.
    looked: [u64; 2],
    /// First bytes of each side that may be the beginning of a protocol.
    head: [Vec<u8>; 2],
    app: &'static str,
}

#[derive(Debug, Default)]
enum Reader {
    /// Not known yet, or no longer: what follows CONNECT or STARTTLS is looked at anew.
    #[default]
    Unknown,
    Dns(Box<[dns::DnsStream; 2]>),
    Tls(Box<tls::TlsStream>),
    Http(Box<http::HttpStream>),
}

impl Inspection {
    /// EVE's name of the protocol; `failed` when payload was looked at in vain, empty without payload.
    pub fn app(&self) -> &'static str {
        match self.app {
            "" if self.looked.iter().any(|&looked| looked > 0) => "failed",
            app => app,
        }
    }

    /// Takes a piece of one side, in order; the answer says what is wanted of that side next.
    pub fn piece(&mut self, direction: Direction, piece: Piece<'_>, emitter: &mut Emitter<'_>) -> Need {
        match (&mut self.reader, piece) {
            (Reader::Unknown, Piece::Data(bytes)) => self.identify(direction, bytes, emitter),
            (Reader::Unknown, Piece::Gap(_) | Piece::Skipped(_)) => {
                // What began before the gap will not be completed.
                if let Some(head) = self.head.get_mut(direction.index()) {
                    head.clear();
                }
                Need::More
            }
            (Reader::Dns(sides), piece) => {
                let Some(side) = sides.get_mut(direction.index()) else { return Need::Nothing };
                let mut each = |message: &[u8]| emitter.dns(direction, message, DnsService::Dns, true);
                match piece {
                    Piece::Data(bytes) => side.push(bytes, &mut each),
                    Piece::Gap(_) | Piece::Skipped(_) => side.gap(&mut each),
                }
                Need::More
            }
            (Reader::Tls(stream), piece) => {
                let mut events = Vec::new();
                let need = match piece {
                    Piece::Data(bytes) => stream.push(direction, bytes, &mut events),
                    Piece::Gap(_) | Piece::Skipped(_) => stream.gap(direction, &mut events),
                };
                emitter.tls(events);
                need
            }
            (Reader::Http(stream), piece) => {
                let mut events = Vec::new();
                let need = stream.piece(direction, piece, &mut events);
                match emitter.http(events) {
                    Some(tunnel) => self.enter(&tunnel, emitter),
                    None => need,
                }
            }
        }
    }

    /// Tells what is left when the connection ends.
    pub fn finish(&mut self, emitter: &mut Emitter<'_>) {
        match std::mem::take(&mut self.reader) {
            Reader::Unknown => {}
            Reader::Dns(mut sides) => {
                for (direction, side) in BOTH.into_iter().zip(sides.iter_mut()) {
                    side.finish(&mut |message: &[u8]| {
                        emitter.dns(direction, message, DnsService::Dns, true);
                    });
                }
            }
            Reader::Tls(mut stream) => {
                let mut events = Vec::new();
                stream.finish(&mut events);
                emitter.tls(events);
            }
            Reader::Http(mut stream) => {
                let mut events = Vec::new();
                stream.finish(&mut events);
                emitter.http(events);
            }
        }
    }

    /// What follows a granted CONNECT or upgrade is another protocol, looked at anew.
    fn enter(&mut self, tunnel: &http::Tunnel, emitter: &mut Emitter<'_>) -> Need {
        self.reader = Reader::Unknown;
        self.looked = [0; 2];
        for (direction, bytes) in BOTH.into_iter().zip([&tunnel.to_server, &tunnel.to_client]) {
            if !bytes.is_empty() {
                self.piece(direction, Piece::Data(bytes), emitter);
            }
        }
        Need::More
    }

    /// Looks whether `bytes`, behind what this side has sent and not yet given up, begin a protocol.
    fn identify(&mut self, direction: Direction, bytes: &[u8], emitter: &mut Emitter<'_>) -> Need {
        let (side, other) = (direction.index(), direction.reverse().index());
        let [mut to_server, mut to_client] = std::mem::take(&mut self.head);
        let held = if side == 0 { &mut to_server } else { &mut to_client };
        let candidate = if held.is_empty() {
            bytes
        } else {
            held.extend_from_slice(bytes);
            held.as_slice()
        };
        let Some(reader) = self.reader_for(candidate, emitter) else {
            let unsure = self.may_become_clear(candidate);
            let length = candidate.len() as u64;
            if unsure && held.is_empty() {
                held.extend_from_slice(bytes);
            } else if !unsure {
                held.clear();
                self.looked[side] += length;
            }
            self.head = [to_server, to_client];
            return if self.looked[side] >= limits::IDENTIFY_BYTES { Need::Nothing } else { Need::More };
        };
        self.reader = reader;
        // What the other side has sent so far belongs to the same protocol.
        let waiting = if other == 0 { &to_server } else { &to_client };
        if !waiting.is_empty() {
            self.piece(direction.reverse(), Piece::Data(waiting), emitter);
        }
        let candidate = match (side, &to_server, &to_client) {
            (0, held, _) | (_, _, held) if !held.is_empty() => held.as_slice(),
            _ => bytes,
        };
        self.piece(direction, Piece::Data(candidate), emitter)
    }

    /// The reader of the protocol that `candidate` begins, if that is certain.
    fn reader_for(&mut self, candidate: &[u8], emitter: &Emitter<'_>) -> Option<Reader> {
        let (app, reader) = if tls::identify(candidate) == Verdict::Yes {
            ("tls", Reader::Tls(Box::default()))
        } else if http::identify(candidate) == Verdict::Yes {
            ("http", Reader::Http(Box::default()))
        } else if dns::looks_like_dns_stream(candidate) == Verdict::Yes || begins_dns(candidate, emitter) {
            ("dns", Reader::Dns(Box::default()))
        } else {
            return None;
        };
        self.app = app;
        Some(reader)
    }

    fn may_become_clear(&self, candidate: &[u8]) -> bool {
        let verdicts =
            [tls::identify(candidate), http::identify(candidate), dns::looks_like_dns_stream(candidate)];
        candidate.len() < HEAD && verdicts.contains(&Verdict::Unsure)
    }
}

/// At DNS's own port a message that is odd is a DNS message still, if its length is possible.
fn begins_dns(candidate: &[u8], emitter: &Emitter<'_>) -> bool {
    const HEADER: u16 = 12;
    emitter.has_port(53)
        && crate::bytes::u16_at(candidate, 0).is_some_and(|length| length >= HEADER)
        && candidate.len() > usize::from(HEADER)
}
