//! Writes observations of one flow in their order.

use std::sync::Arc;

use super::{
    batch::ObservationBatch,
    screening::Screening,
    tls_told::{KeptHello, Telling, Told},
    tracked::Whose,
    vocabulary::{DnsService, FirstPacket, FlowClosed, Head, Order, StillOpen},
};
use crate::{
    flow::{Direction, FiveTuple},
    protocol::{http, quic, tls},
    time::Timestamp,
};

/// How a protocol lies over the flow that carries it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// The protocol's client is the flow's server: the capture began in the middle and the guess was
    /// wrong, or the server asks. Directions count from the protocol's client.
    pub swapped: bool,
    /// See [`Head::relayed`].
    pub relayed: bool,
}

/// Puts observations of one flow into a batch, each behind the one before.
#[derive(Debug)]
pub struct Emitter<'b> {
    batch: &'b mut ObservationBatch,
    screening: Option<&'b mut Screening>,
    flow: Whose<'b>,
    time: Timestamp,
    order: Order,
}

impl<'b> Emitter<'b> {
    /// For what a packet shows of `flow`. `sequence` is where this packet's observations go on.
    pub fn for_packet(
        batch: &'b mut ObservationBatch,
        flow: Whose<'b>,
        time: Timestamp,
        packet: u64,
        sequence: u64,
    ) -> Self {
        let order = Order { packet, by_packet: true, due: 0, sequence };
        Self { batch, screening: None, flow, time, order }
    }

    /// For what a timer that was due at `time` tells of `flow`, before packet `packet` is looked at.
    pub fn for_timer(
        batch: &'b mut ObservationBatch,
        flow: Whose<'b>,
        time: Timestamp,
        packet: u64,
        first_packet: u64,
    ) -> Self {
        let order = Order { packet, by_packet: false, due: time.as_nanos(), sequence: first_packet };
        Self { batch, screening: None, flow, time, order }
    }

    /// The same, with whom to ask what must be told in full.
    pub fn screened_by(self, screening: Option<&'b mut Screening>) -> Self {
        Self { screening, ..self }
    }

    /// A flow's first packet.
    pub fn flow_opened(&mut self, direction: Direction, first: FirstPacket) {
        let head = self.head(direction, Roles::default());
        self.batch.flow_opened(head, first);
        self.batch.note_unlisted(self.flow.kind.is_unlisted);
    }

    /// Both sides have sent payload; the latest packet went in `direction`.
    pub fn exchange(&mut self, direction: Direction, opened: FirstPacket, roles: Roles) {
        let direction = if roles.swapped { direction.reverse() } else { direction };
        let head = self.head(direction, roles);
        self.batch.exchange(head, opened);
        self.batch.note_unlisted(self.flow.kind.is_unlisted);
    }

    /// The flow goes on under other indicators than those that it began under.
    pub fn still_open(&mut self, direction: Direction, seen: StillOpen, roles: Roles) {
        let direction = if roles.swapped { direction.reverse() } else { direction };
        let head = self.head(direction, roles);
        self.batch.still_open(head, seen);
        self.batch.note_unlisted(self.flow.kind.is_unlisted);
    }

    /// The flow's end, told by a client and a server that are `roles`'.
    pub fn flow_closed(&mut self, closed: FlowClosed, roles: Roles) {
        let head = self.head(Direction::ToServer, roles);
        self.batch.flow_closed(head, closed);
        self.batch.note_unlisted(self.flow.kind.is_unlisted);
    }

    /// A DNS message, to whoever answers or asks.
    pub fn dns(
        &mut self,
        direction: Direction,
        message: &[u8],
        service: DnsService,
        over_tcp: bool,
        roles: Roles,
    ) {
        let head = self.head(direction, roles);
        self.batch.dns(head, message, service, over_tcp);
    }

    /// A QUIC client's hello.
    pub fn quic(&mut self, hello: quic::QuicHello, roles: Roles) {
        let head = self.head(Direction::ToServer, roles);
        self.batch.quic(head, hello);
    }

    /// Reads TLS by `read`, and tells what that shows with the roles that `roles` answers then. The client's hello is
    /// kept in `kept` for as long as the server's certificate may come.
    pub fn tls<T>(
        &mut self,
        kept: &mut KeptHello,
        read: impl FnOnce(&mut Telling<'_>) -> T,
        roles: impl FnOnce(&T) -> Roles,
    ) -> T {
        let mut told = std::mem::take(&mut self.batch.told);
        let screening = self.screening.as_deref_mut();
        let answer = read(&mut Telling { told: &mut told, batch: self.batch, screening });
        if !told.is_empty() {
            let roles = roles(&answer);
            told.drain(..).for_each(|told| self.tell_tls(told, roles, kept));
        }
        self.batch.told = told;
        answer
    }

    fn tell_tls(&mut self, told: Told, roles: Roles, kept: &mut KeptHello) {
        match told {
            Told::UnlistedHello { sni, ech, facts, kept: hello } => {
                let head = self.head(Direction::ToServer, roles);
                *kept = hello;
                self.batch.unlisted_hello(head, sni, ech, facts);
            }
            Told::UnreadAnswer => {
                let head = self.head(Direction::ToClient, roles);
                self.batch.unread_answer(head);
            }
            Told::Event(tls::TlsEvent::ClientHello(hello)) => {
                let head = self.head(Direction::ToServer, roles);
                *kept = KeptHello::Whole(Arc::clone(&hello));
                self.batch.tls_client(head, hello);
            }
            Told::Event(tls::TlsEvent::ServerHello(hello)) => {
                let head = self.head(Direction::ToClient, roles);
                self.batch.tls_server(head, hello);
            }
            Told::Event(tls::TlsEvent::Encrypted) => {}
            Told::Event(tls::TlsEvent::Certificates(chain)) => {
                let head = self.head(Direction::ToClient, roles);
                self.batch.certificates(head, chain, kept.take());
            }
        }
    }

    /// Whether either end of the flow has this port.
    pub fn has_port(&self, port: u16) -> bool {
        self.flow.key.low().port == port || self.flow.key.high().port == port
    }

    /// What an HTTP connection shows; answers the tunnel for another protocol that it became.
    pub fn http(&mut self, events: Vec<http::HttpEvent>, roles: Roles) -> Option<Box<http::Tunnel>> {
        let mut tunnel = None;
        for event in events {
            match event {
                http::HttpEvent::Request(request) => {
                    let head = self.head(Direction::ToServer, roles);
                    self.batch.http_request(head, request);
                }
                http::HttpEvent::Response(response) => {
                    let head = self.head(Direction::ToClient, roles);
                    self.batch.http_response(head, response);
                }
                http::HttpEvent::Tunnel(into) => tunnel = Some(into),
            }
        }
        tunnel
    }

    fn head(&mut self, direction: Direction, roles: Roles) -> Head {
        let mut flow = self.flow.identity();
        if roles.swapped {
            let FiveTuple { client, server, protocol } = flow.tuple;
            flow.tuple = FiveTuple { client: server, server: client, protocol };
        }
        let head = Head { order: self.order, time: self.time, flow, direction, relayed: roles.relayed };
        // A timer's observations share one place and keep the order in which they are written.
        self.order.sequence += u64::from(self.order.by_packet);
        head
    }
}
