//! One connection's application protocol: found by content, read by its reader, told as observations.

use super::{
    datagrams::DNS_PORT,
    emit::{Emitter, Roles},
    tls_told::KeptHello,
    vocabulary::DnsService,
};
use crate::{
    flow::{Direction, Piece},
    limits,
    protocol::{Need, Verdict, dns, http, tls},
};

/// Both directions, in the order of [`Direction::index`].
pub const BOTH: [Direction; 2] = [Direction::ToServer, Direction::ToClient];

/// Bytes that one side may send before its protocol must be told.
const HEAD: usize = 4 << 10;

/// What a ClientHello that waits for the server's certificate is counted as.
const HELLO_COST: usize = 2 << 10;

/// What is known of one TCP connection's protocol.
#[derive(Debug, Default)]
pub struct Inspection {
    reader: Reader,
    /// Bytes of each side that were looked at in vain.
    looked: [u64; 2],
    /// First bytes of each side that may be the beginning of a protocol. Few connections have any.
    heads: Option<Box<[Vec<u8>; 2]>>,
    app: &'static str,
    /// Whether the beginning of the connection was not captured.
    midstream: bool,
    /// Whether the reader's protocol began behind another one.
    relayed: bool,
    /// Whether the protocol's client is the flow's server.
    swapped: bool,
}

#[derive(Debug, Default)]
enum Reader {
    /// Not known yet, or no longer: what follows CONNECT or STARTTLS is looked at anew.
    #[default]
    Unknown,
    Dns(Box<[dns::DnsStream; 2]>),
    Tls(Box<TlsReader>),
    Http(Box<http::HttpStream>),
    /// Nothing more is read.
    Over,
}

#[derive(Debug, Default)]
struct TlsReader {
    stream: tls::TlsStream,
    /// The client's hello, while the server's certificate may come.
    hello: KeptHello,
}

impl Inspection {
    /// Of a connection whose beginning was not captured: what is looked at in vain is no other protocol
    /// in front of the one that is found then.
    pub fn midstream() -> Self {
        Self { midstream: true, ..Self::default() }
    }

    /// EVE's name of the protocol; `failed` when payload was looked at in vain, empty without payload.
    pub fn app(&self) -> &'static str {
        match self.app {
            "" if self.looked.iter().any(|&looked| looked > 0) => "failed",
            app => app,
        }
    }

    /// Whether the protocol shows that its client is the flow's server.
    pub fn roles_swapped(&self) -> bool {
        self.swapped
    }

    /// Bytes held of unfinished messages.
    pub fn held(&self) -> usize {
        let reader = match &self.reader {
            Reader::Unknown | Reader::Over => 0,
            Reader::Dns(sides) => sides.iter().map(dns::DnsStream::held).sum(),
            Reader::Tls(tls) => tls.stream.held() + if tls.hello.is_some() { HELLO_COST } else { 0 },
            Reader::Http(stream) => stream.held(),
        };
        reader + self.heads.iter().flat_map(|heads| heads.iter()).map(Vec::capacity).sum::<usize>()
    }

    /// Takes a piece of one side, in order; the answer says what is wanted of that side next.
    pub fn piece(&mut self, direction: Direction, piece: Piece<'_>, emitter: &mut Emitter<'_>) -> Need {
        match (&mut self.reader, piece) {
            (Reader::Over, _) => Need::Nothing,
            (Reader::Unknown, Piece::Data(bytes)) => self.identify(direction, bytes, emitter),
            (Reader::Unknown, Piece::Gap(_) | Piece::Skipped(_)) => {
                // What began before the gap will not be completed.
                if let Some(head) = self.heads.as_mut().and_then(|heads| heads.get_mut(direction.index())) {
                    head.clear();
                }
                Need::More
            }
            (Reader::Dns(sides), piece) => {
                let Some(side) = sides.get_mut(direction.index()) else { return Need::Nothing };
                let (relayed, swapped) = (self.relayed, &mut self.swapped);
                let mut each = |message: &[u8]| {
                    *swapped |= tell_dns(direction, message, relayed, emitter);
                };
                match piece {
                    Piece::Data(bytes) => side.push(bytes, &mut each),
                    Piece::Gap(_) | Piece::Skipped(_) => side.gap(&mut each),
                }
                Need::More
            }
            (Reader::Tls(tls), piece) => {
                let TlsReader { stream, hello } = &mut **tls;
                let relayed = self.relayed;
                let (need, swapped) = emitter.tls(
                    hello,
                    |out| {
                        let need = match piece {
                            Piece::Data(bytes) => stream.push(direction, bytes, out),
                            Piece::Gap(_) | Piece::Skipped(_) => stream.gap(direction, out),
                        };
                        (need, stream.client() == Some(Direction::ToClient))
                    },
                    |&(_, swapped)| Roles { swapped, relayed },
                );
                self.swapped = swapped;
                if BOTH.iter().all(|&side| tls.stream.need(side) == Need::Nothing) {
                    self.reader = Reader::Over;
                }
                need
            }
            (Reader::Http(stream), piece) => {
                let mut events = Vec::new();
                let need = stream.piece(direction, piece, &mut events);
                self.swapped = stream.roles_swapped();
                let roles = Roles { swapped: self.swapped, relayed: self.relayed };
                match emitter.http(events, roles) {
                    Some(tunnel) => self.enter(&tunnel, emitter),
                    None => need,
                }
            }
        }
    }

    /// Tells what is left when the connection ends, or when others need the room; reads nothing more.
    pub fn finish(&mut self, emitter: &mut Emitter<'_>) {
        for (looked, head) in
            self.looked.iter_mut().zip(self.heads.take().into_iter().flat_map(|heads| *heads))
        {
            *looked += head.len() as u64;
        }
        let roles = Roles { swapped: self.swapped, relayed: self.relayed };
        match std::mem::replace(&mut self.reader, Reader::Over) {
            Reader::Unknown | Reader::Over => {}
            Reader::Dns(mut sides) => {
                for (direction, side) in BOTH.into_iter().zip(sides.iter_mut()) {
                    side.finish(&mut |message: &[u8]| {
                        tell_dns(direction, message, self.relayed, emitter);
                    });
                }
            }
            Reader::Tls(mut tls) => {
                let TlsReader { stream, hello } = &mut *tls;
                emitter.tls(hello, |out| stream.finish(out), |()| roles);
            }
            Reader::Http(mut stream) => {
                let mut events = Vec::new();
                stream.finish(&mut events);
                let roles = Roles { swapped: stream.roles_swapped(), ..roles };
                emitter.http(events, roles);
            }
        }
    }

    /// What follows a granted CONNECT or upgrade is another protocol, looked at anew.
    fn enter(&mut self, tunnel: &http::Tunnel, emitter: &mut Emitter<'_>) -> Need {
        self.reader = Reader::Unknown;
        self.looked = [0; 2];
        // An upgrade stays at the same server.
        self.relayed |= tunnel.request.as_ref().is_none_or(|request| request.method == b"CONNECT");
        for (direction, bytes) in BOTH.into_iter().zip([&tunnel.to_server, &tunnel.to_client]) {
            if !bytes.is_empty() {
                self.piece(direction, Piece::Data(bytes), emitter);
            }
        }
        Need::More
    }

    /// Looks whether `bytes` begin a protocol, alone or behind what this side sent last and what could not
    /// be told yet. What is in front of a protocol (a SOCKS or SMTP dialogue) ends with a segment, because
    /// its sender waits for the answer.
    fn identify(&mut self, direction: Direction, bytes: &[u8], emitter: &mut Emitter<'_>) -> Need {
        let (side, other) = (direction.index(), direction.reverse().index());
        let mut heads = self.heads.take();
        let mut held = heads.as_mut().map(|heads| std::mem::take(&mut heads[side])).unwrap_or_default();
        let before = held.len();
        let joined = if before > 0 {
            held.extend_from_slice(bytes);
            held.as_slice()
        } else {
            bytes
        };
        let alone = (before > 0).then_some(bytes);
        let found = [Some(joined), alone]
            .into_iter()
            .flatten()
            .find_map(|first| Some((first, protocol_of(first, emitter)?)));
        let Some((first, protocol)) = found else {
            let passed = if may_become_clear(joined) {
                if before == 0 {
                    held.extend_from_slice(bytes);
                }
                0
            } else if before > 0 && may_become_clear(bytes) {
                held.drain(..before);
                before
            } else {
                let passed = joined.len();
                held.clear();
                passed
            };
            if held.capacity() > 0 || heads.is_some() {
                heads.get_or_insert_default()[side] = held;
            }
            self.heads = heads;
            self.looked[side] += passed as u64;
            return if self.looked[side] >= limits::IDENTIFY_BYTES { Need::Nothing } else { Need::More };
        };
        let is_behind = first.len() < joined.len() || self.looked.iter().any(|&looked| looked > 0);
        self.relayed |= is_behind && !self.midstream;
        (self.app, self.reader) = protocol.reader();
        // What the other side has sent so far belongs to the same protocol if it can.
        let waiting = heads.map(|mut heads| std::mem::take(&mut heads[other])).unwrap_or_default();
        if !waiting.is_empty() && protocol.verdict(&waiting) != Verdict::No {
            self.piece(direction.reverse(), Piece::Data(&waiting), emitter);
        }
        self.piece(direction, Piece::Data(first), emitter)
    }
}

/// The protocols that are read.
#[derive(Clone, Copy, Debug)]
enum Protocol {
    Tls,
    Http,
    Dns,
}

impl Protocol {
    const ALL: [Self; 3] = [Self::Tls, Self::Http, Self::Dns];

    fn verdict(self, first: &[u8]) -> Verdict {
        match self {
            Self::Tls => tls::identify(first),
            Self::Http => http::identify(first),
            Self::Dns => dns::looks_like_dns_stream(first),
        }
    }

    /// EVE's name, and a fresh reader.
    fn reader(self) -> (&'static str, Reader) {
        match self {
            Self::Tls => ("tls", Reader::Tls(Box::default())),
            Self::Http => ("http", Reader::Http(Box::default())),
            Self::Dns => ("dns", Reader::Dns(Box::default())),
        }
    }
}

/// The protocol that `first` begins, if that is certain.
fn protocol_of(first: &[u8], emitter: &Emitter<'_>) -> Option<Protocol> {
    let certain = Protocol::ALL.into_iter().find(|protocol| protocol.verdict(first) == Verdict::Yes);
    certain.or_else(|| begins_dns(first, emitter).then_some(Protocol::Dns))
}

fn may_become_clear(first: &[u8]) -> bool {
    first.len() < HEAD && Protocol::ALL.iter().any(|protocol| protocol.verdict(first) == Verdict::Unsure)
}

/// At DNS's own port a message that is odd is a DNS message still, if its length is possible.
fn begins_dns(first: &[u8], emitter: &Emitter<'_>) -> bool {
    const HEADER: u16 = 12;
    emitter.has_port(DNS_PORT)
        && crate::bytes::u16_at(first, 0).is_some_and(|length| length >= HEADER)
        && first.len() > usize::from(HEADER)
}

/// Tells a DNS message that went in `direction`; answers whether the flow's server asked. At DNS's own
/// port the ports tell who answers, elsewhere the message does.
fn tell_dns(direction: Direction, message: &[u8], relayed: bool, emitter: &mut Emitter<'_>) -> bool {
    let is_response = dns::Message::parse(message).is_some_and(|message| message.is_response());
    let by_message = if is_response { Direction::ToClient } else { Direction::ToServer };
    let swapped = !emitter.has_port(DNS_PORT) && by_message != direction;
    let role = if swapped { direction.reverse() } else { direction };
    emitter.dns(role, message, DnsService::Dns, true, Roles { swapped, relayed });
    swapped
}
