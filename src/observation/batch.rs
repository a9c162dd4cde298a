//! Observations in batches: one arena for messages, small owned values for the rest.

use std::{cmp::Reverse, collections::BinaryHeap, ops::Range, sync::Arc};

use super::vocabulary::{
    CertificatesSeen, DnsSeen, DnsService, FirstPacket, FlowClosed, Head, Observation, Seen,
};
use crate::protocol::{dns, http, quic, tls};

/// Observations of one worker over one batch of frames, in order.
#[derive(Debug, Default)]
pub struct ObservationBatch {
    entries: Vec<(Head, Stored)>,
    /// DNS messages, one behind the other.
    messages: Vec<u8>,
}

/// What a batch holds in place of [`Seen`].
#[derive(Debug)]
enum Stored {
    FlowOpened(FirstPacket),
    Exchange(FirstPacket),
    FlowClosed(Box<FlowClosed>),
    Dns(StoredDns),
    TlsClient(Arc<tls::ClientHello>),
    TlsServer(Arc<tls::ServerHello>),
    Certificates(Arc<[tls::Certificate]>, Option<Arc<tls::ClientHello>>),
    Quic(Arc<quic::QuicHello>),
    HttpRequest(Arc<http::Request>),
    HttpResponse(Arc<http::Response>),
}

#[derive(Debug)]
struct StoredDns {
    message: Range<u32>,
    service: DnsService,
    over_tcp: bool,
    outline: Option<dns::Places>,
    quiet: bool,
}

impl StoredDns {
    fn seen<'m>(&self, messages: &'m [u8]) -> Option<Seen<'m>> {
        let bytes = messages.get(self.message.start as usize..self.message.end as usize)?;
        if let (Some(places), true) = (self.outline, self.quiet) {
            return Some(Seen::QuietDns(places.of(bytes)));
        }
        let message = dns::Message::parse(bytes)?;
        Some(Seen::Dns(DnsSeen { message, service: self.service, over_tcp: self.over_tcp }))
    }
}

impl ObservationBatch {
    /// Removes everything and keeps the memory.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.messages.clear();
    }

    /// How many observations.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a flow's first packet.
    pub fn flow_opened(&mut self, head: Head, first: FirstPacket) {
        self.entries.push((head, Stored::FlowOpened(first)));
    }

    /// Adds the moment when both sides have sent payload.
    pub fn exchange(&mut self, head: Head, opened: FirstPacket) {
        self.entries.push((head, Stored::Exchange(opened)));
    }

    /// Adds a flow's end.
    pub fn flow_closed(&mut self, head: Head, closed: FlowClosed) {
        self.entries.push((head, Stored::FlowClosed(Box::new(closed))));
    }

    /// Adds a DNS message, whose bytes are copied.
    pub fn dns(&mut self, head: Head, message: &[u8], service: DnsService, over_tcp: bool) {
        self.outlined_dns(head, message, service, over_tcp, None);
    }

    /// The same with the message's outline, if it was asked for and there is one.
    pub fn outlined_dns(
        &mut self,
        head: Head,
        message: &[u8],
        service: DnsService,
        over_tcp: bool,
        outline: Option<dns::Places>,
    ) {
        let start = self.messages.len() as u32;
        self.messages.extend_from_slice(message);
        let message = start..self.messages.len() as u32;
        let stored = StoredDns { message, service, over_tcp, outline, quiet: false };
        self.entries.push((head, Stored::Dns(stored)));
    }

    /// Makes every usual unicast DNS message quiet of which `is_unlisted` says that no indicator can be about it.
    pub fn screen_dns(&mut self, is_unlisted: impl Fn(&Head, &dns::Outline<'_>) -> bool) {
        for (head, stored) in &mut self.entries {
            if let Stored::Dns(stored) = stored
                && stored.service == DnsService::Dns
                && let Some(places) = stored.outline
                && let Some(bytes) =
                    self.messages.get(stored.message.start as usize..stored.message.end as usize)
            {
                stored.quiet = is_unlisted(head, &places.of(bytes));
            }
        }
    }

    /// Adds a client's TLS hello.
    pub fn tls_client(&mut self, head: Head, hello: Arc<tls::ClientHello>) {
        self.entries.push((head, Stored::TlsClient(hello)));
    }

    /// Adds a server's TLS hello.
    pub fn tls_server(&mut self, head: Head, hello: Arc<tls::ServerHello>) {
        self.entries.push((head, Stored::TlsServer(hello)));
    }

    /// Adds a server's certificates, with the hello that they answer if that was seen.
    pub fn certificates(
        &mut self,
        head: Head,
        chain: Arc<[tls::Certificate]>,
        hello: Option<Arc<tls::ClientHello>>,
    ) {
        self.entries.push((head, Stored::Certificates(chain, hello)));
    }

    /// Adds a QUIC client's hello.
    pub fn quic(&mut self, head: Head, hello: quic::QuicHello) {
        self.entries.push((head, Stored::Quic(Arc::new(hello))));
    }

    /// Adds an HTTP request.
    pub fn http_request(&mut self, head: Head, request: Arc<http::Request>) {
        self.entries.push((head, Stored::HttpRequest(request)));
    }

    /// Adds an HTTP response.
    pub fn http_response(&mut self, head: Head, response: impl Into<Arc<http::Response>>) {
        self.entries.push((head, Stored::HttpResponse(response.into())));
    }

    /// The observations in order.
    pub fn iter(&self) -> impl Iterator<Item = Observation<'_>> {
        (0..self.entries.len()).filter_map(|index| self.get(index))
    }

    /// The observation at `index`; `None` past the end.
    fn get(&self, index: usize) -> Option<Observation<'_>> {
        let (head, stored) = self.entries.get(index)?;
        let seen = match stored {
            Stored::FlowOpened(first) => Seen::FlowOpened(*first),
            Stored::Exchange(opened) => Seen::Exchange(*opened),
            Stored::FlowClosed(closed) => Seen::FlowClosed(closed),
            Stored::Dns(stored) => stored.seen(&self.messages)?,
            Stored::TlsClient(hello) => Seen::TlsClient(hello),
            Stored::TlsServer(hello) => Seen::TlsServer(hello),
            Stored::Certificates(chain, hello) => {
                Seen::Certificates(CertificatesSeen { chain, hello: hello.as_ref() })
            }
            Stored::Quic(hello) => Seen::Quic(hello),
            Stored::HttpRequest(request) => Seen::HttpRequest(request),
            Stored::HttpResponse(response) => Seen::HttpResponse(response),
        };
        Some(Observation { head, seen })
    }
}

/// Calls `each` with the observations of all `batches` (one for each worker, each in order) in one order.
pub fn merge_in_order(batches: &[ObservationBatch], mut each: impl FnMut(Observation<'_>)) {
    if let [only] = batches {
        return only.iter().for_each(each);
    }
    let order = |batch: usize, index: usize| {
        let (head, _) = batches.get(batch)?.entries.get(index)?;
        Some(Reverse((head.order, batch, index)))
    };
    let mut heads: BinaryHeap<_> = (0..batches.len()).filter_map(|batch| order(batch, 0)).collect();
    while let Some(Reverse((_, batch, index))) = heads.pop() {
        if let Some(observation) = batches.get(batch).and_then(|batch| batch.get(index)) {
            each(observation);
        }
        heads.extend(order(batch, index + 1));
    }
}
