//! Records of plain traffic: EVE's `dns`, `mdns`, `tls`, `quic`, `http` and `flow`.

use std::{collections::VecDeque, sync::Arc};

use super::{
    EventOptions, dns,
    eve::{ApplicationObject, Event},
    flow,
    http::{self, HttpObject},
    line::{Bounds, Line},
    open_flows::OpenFlows,
    text::Hex,
    tls::{QuicObject, TlsObject},
};
use crate::{
    limits::{HTTP_PENDING_REQUESTS, RECORD_FLOWS},
    observation::{DnsSeen, FlowClosed, Head, Observation, Seen},
    protocol::{
        http::{Request, Response},
        quic::QuicHello,
        tls::{Certificate, ClientHello, ServerHello},
    },
};

/// Makes records out of observations.
///
/// - `dns`, `mdns`: one for each message. A response's source is the responder.
/// - `tls`: one for each connection, as soon as both hellos and, up to TLS 1.2, the certificates were
///   seen; of a connection that shows less, when it closes. Its time and packet are those of the last
///   message in it.
/// - `quic`: one for each client's hello.
/// - `http`: one for each transaction, with its response; of a request that nobody answered, when the
///   connection closes.
/// - `flow`: one for each flow, at its end.
///
/// Observations come in one order whatever the number of threads, and so do the records.
#[derive(Debug)]
pub struct Records {
    options: EventOptions,
    line: Line,
    flows: OpenFlows<OpenFlow>,
    /// DNS messages of each flow so far: EVE's `tx_id`.
    dns_flows: OpenFlows<u64>,
    counters: RecordsCounters,
}

/// What [`Records`] counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordsCounters {
    /// Records that were written.
    pub written: u64,
    /// Connections whose TLS or HTTP state was given up for a newer one, more than
    /// [`RECORD_FLOWS`] being open: what they had shown was written early.
    pub evicted: u64,
    /// Flows whose DNS messages are numbered from 0 again (`tx_id`), more than [`RECORD_FLOWS`] being open.
    pub dns_numbering_lost: u64,
    /// Requests that were written without their response, because more than
    /// [`HTTP_PENDING_REQUESTS`] of one connection waited.
    pub requests_unanswered_early: u64,
}

/// What is remembered of a connection that is not over.
#[derive(Debug, Default)]
struct OpenFlow {
    tls: Option<Tls>,
    /// Requests without a response so far, oldest first, at most [`HTTP_PENDING_REQUESTS`].
    requests: VecDeque<(Head, Arc<Request>)>,
}

/// What a TLS connection has shown.
#[derive(Debug)]
struct Tls {
    /// Of the last message.
    head: Head,
    client: Option<Arc<ClientHello>>,
    server: Option<Arc<ServerHello>>,
    chain: Option<Arc<[Certificate]>>,
    written: bool,
}

/// TLS 1.3; older versions send the server's certificates in clear.
const TLS_1_3: u16 = 0x0304;

impl Records {
    /// Records under `options`.
    pub fn new(options: EventOptions) -> Self {
        Self {
            options,
            line: Line::default(),
            flows: OpenFlows::new(RECORD_FLOWS),
            dns_flows: OpenFlows::new(RECORD_FLOWS),
            counters: RecordsCounters::default(),
        }
    }

    /// What was counted so far.
    pub fn counters(&self) -> RecordsCounters {
        self.counters
    }

    /// Takes the next observation and hands every record that it completes to `out`: one line of JSON
    /// without its end, valid only during the call.
    pub fn observe(&mut self, observation: &Observation<'_>, out: &mut dyn FnMut(&str)) {
        let head = observation.head;
        match &observation.seen {
            // Nothing is screened where records are written.
            Seen::FlowOpened(_)
            | Seen::Exchange(_)
            | Seen::StillOpen(_)
            | Seen::UnlistedHello(_)
            | Seen::UnreadAnswer => {}
            Seen::Dns(seen) => self.dns(head, seen, out),
            Seen::TlsClient(hello) => {
                // Of the two hellos around a HelloRetryRequest the first is kept: it is the client's own.
                self.tls(head, |tls| tls.client = tls.client.take().or_else(|| Some(Arc::clone(hello))), out);
            }
            Seen::TlsServer(hello) => self.tls(head, |tls| tls.server = Some(Arc::clone(hello)), out),
            Seen::Certificates(seen) => {
                self.tls(head, |tls| tls.chain = Some(Arc::clone(seen.chain)), out);
            }
            Seen::Quic(hello) => self.quic(head, hello, out),
            Seen::HttpRequest(request) => self.request(head, request, out),
            Seen::HttpResponse(response) => self.response(head, response, out),
            Seen::FlowClosed(closed) => self.closed(head, closed, out),
        }
    }

    /// Writes what still waits: for input that ends without closing its flows.
    pub fn finish(&mut self, out: &mut dyn FnMut(&str)) {
        while let Some(flow) = self.flows.take_oldest() {
            self.write_open(flow, out);
        }
    }

    fn dns(&mut self, head: &Head, seen: &DnsSeen<'_>, out: &mut dyn FnMut(&str)) {
        let (messages, evicted) = self.dns_flows.open(head.flow.id);
        let number = *messages;
        *messages += 1;
        self.counters.dns_numbering_lost += u64::from(evicted.is_some());
        let options = self.options;
        self.write(|bounds| dns::event(head, seen, number, &options, bounds), out);
    }

    fn quic(&mut self, head: &Head, hello: &QuicHello, out: &mut dyn FnMut(&str)) {
        let options = self.options;
        let event = |bounds| {
            let mut event = Event::from_client("quic", head, &options, bounds);
            event.app_proto = Some("quic");
            event.application = ApplicationObject::Quic(QuicObject::new(hello, bounds));
            event.note(|note| note.ech = hello.hello.ech)
        };
        self.write(event, out);
    }

    /// Changes what a TLS connection has shown, and writes its record when that is all there will be.
    fn tls(&mut self, head: &Head, change: impl FnOnce(&mut Tls), out: &mut dyn FnMut(&str)) {
        let open = self.open(head, out);
        let fresh = || Tls { head: *head, client: None, server: None, chain: None, written: false };
        let mut tls = open.tls.take().unwrap_or_else(fresh);
        if !tls.written {
            tls.head = *head;
            change(&mut tls);
            if tls.is_complete() {
                self.write_tls(&tls, out);
                // The flow is remembered, what it showed is not: a second handshake gives no record.
                tls = Tls { written: true, client: None, server: None, chain: None, ..tls };
            }
        }
        if let Some(open) = self.flows.find(head.flow.id) {
            open.tls = Some(tls);
        }
    }

    fn request(&mut self, head: &Head, request: &Arc<Request>, out: &mut dyn FnMut(&str)) {
        let open = self.open(head, out);
        open.requests.push_back((*head, Arc::clone(request)));
        if open.requests.len() > HTTP_PENDING_REQUESTS
            && let Some((head, request)) = open.requests.pop_front()
        {
            self.counters.requests_unanswered_early += 1;
            self.write_http(&head, Some(&request), None, out);
        }
    }

    fn response(&mut self, head: &Head, response: &Response, out: &mut dyn FnMut(&str)) {
        let request = response.request.as_deref();
        if let (Some(request), Some(open)) = (request, self.flows.find(head.flow.id)) {
            open.requests.retain(|(_, waiting)| waiting.index != request.index);
        }
        self.write_http(head, request, Some(response), out);
    }

    fn closed(&mut self, head: &Head, closed: &FlowClosed, out: &mut dyn FnMut(&str)) {
        self.dns_flows.take(head.flow.id);
        if let Some(flow) = self.flows.take(head.flow.id) {
            self.write_open(flow, out);
        }
        let options = self.options;
        self.write(|bounds| flow::event(head, closed, &options, bounds), out);
    }

    /// What is remembered of the flow of `head`; may write what another one showed, to make room.
    fn open(&mut self, head: &Head, out: &mut dyn FnMut(&str)) -> &mut OpenFlow {
        if let (_, Some(evicted)) = self.flows.open(head.flow.id) {
            self.counters.evicted += 1;
            self.write_open(evicted, out);
        }
        self.flows.open(head.flow.id).0
    }

    /// Writes what a flow has shown that nothing will be added to.
    fn write_open(&mut self, flow: OpenFlow, out: &mut dyn FnMut(&str)) {
        if let Some(tls) = flow.tls.filter(|tls| !tls.written) {
            self.write_tls(&tls, out);
        }
        for (head, request) in flow.requests {
            self.write_http(&head, Some(&request), None, out);
        }
    }

    fn write_tls(&mut self, tls: &Tls, out: &mut dyn FnMut(&str)) {
        let options = self.options;
        let (client, server) = (tls.client.as_deref(), tls.server.as_deref());
        let chain = tls.chain.as_deref().unwrap_or_default();
        let event = |bounds| {
            let mut event = Event::from_client("tls", &tls.head, &options, bounds);
            event.app_proto = Some("tls");
            event.application = ApplicationObject::Tls(TlsObject::new(client, server, chain, bounds));
            event.note(|note| {
                note.ech = client.is_some_and(|client| client.ech);
                note.certificate_sha256 =
                    chain.first().map(|leaf| Hex { bytes: &leaf.sha256, separator: "" }.to_string());
            })
        };
        self.write(event, out);
    }

    fn write_http(
        &mut self,
        head: &Head,
        request: Option<&Request>,
        response: Option<&Response>,
        out: &mut dyn FnMut(&str),
    ) {
        let options = self.options;
        let event = |bounds| {
            let mut event = Event::from_client("http", head, &options, bounds);
            event.app_proto = Some("http");
            event.tx_id = request.map(|request| request.index.into());
            event.application = ApplicationObject::Http(HttpObject::new(request, response, bounds));
            event.note(|note| note.anomalies = http::anomalies(request, response))
        };
        self.write(event, out);
    }

    fn write<'a>(&mut self, event: impl Fn(Bounds) -> Event<'a>, out: &mut dyn FnMut(&str)) {
        out(self.line.write(event));
        self.counters.written += 1;
    }
}

impl Tls {
    /// Whether nothing more can be seen of the handshake.
    fn is_complete(&self) -> bool {
        let Some(server) = self.server.as_deref().filter(|server| !server.retry) else { return false };
        // From TLS 1.3 on (and its drafts, 0x7fxx) the certificates are encrypted.
        self.client.is_some() && (server.version >= TLS_1_3 || self.chain.is_some())
    }
}
