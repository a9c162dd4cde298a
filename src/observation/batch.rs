//! Observations in batches: one arena for messages, small owned values for the rest.

use std::{ops::Range, sync::Arc};

use super::{
    screening::HostFacts,
    tls_told::Told,
    vocabulary::{
        CertificatesSeen, DnsSeen, DnsService, FirstPacket, FlowClosed, Head, HelloSeen, Observation, Order,
        QuietDns, QuietHead, Seen, StillOpen,
    },
};
use crate::{
    address::AddressWords,
    protocol::{dns, http, quic, tls},
};

/// Observations of one worker over one batch of frames, in order.
#[derive(Debug, Default)]
pub struct ObservationBatch {
    entries: Vec<Entry>,
    /// What the messages of one TLS connection told that are being read; empty in between.
    pub(super) told: Vec<Told>,
    /// Quiet DNS messages, which are most of some traffic, in little room.
    quiet: Vec<StoredQuiet>,
    /// DNS messages, and names of quiet ones, one behind the other.
    messages: Vec<u8>,
    /// What quiet answers give, one behind the other.
    addresses: Vec<(AddressWords, u32)>,
    /// What flows came to, which every flow has: no memory of its own for each.
    closed: Vec<FlowClosed>,
}

/// What a batch gives, in order.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// An observation.
    Observation(Observation<'a>),
    /// A DNS message of which there is nothing to detect.
    QuietDns(QuietDns<'a>),
}

#[derive(Debug)]
struct StoredQuiet {
    packet: u64,
    about: QuietHead,
    name: Range<u32>,
    addresses: Range<u32>,
}

impl StoredQuiet {
    /// Its place among all observations: a packet makes one such message and nothing else.
    const fn order(&self) -> Order {
        Order { packet: self.packet, by_packet: true, due: 0, sequence: 0 }
    }
}

/// What a batch holds in place of [`Observation`].
#[derive(Debug)]
struct Entry {
    head: Head,
    stored: Stored,
    is_unlisted: bool,
}

/// What a batch holds in place of [`Seen`].
#[derive(Debug)]
enum Stored {
    FlowOpened(FirstPacket),
    Exchange(FirstPacket),
    StillOpen(StillOpen),
    /// Its place among those that were closed.
    FlowClosed(usize),
    Dns {
        message: Range<u32>,
        service: DnsService,
        over_tcp: bool,
    },
    TlsClient(Arc<tls::ClientHello>),
    UnlistedHello {
        /// Where the name stands among the messages, if there is one.
        sni: Option<Range<u32>>,
        ech: bool,
        facts: HostFacts,
    },
    TlsServer(Arc<tls::ServerHello>),
    UnreadAnswer,
    Certificates(Arc<[tls::Certificate]>, Option<Arc<tls::ClientHello>>),
    Quic(Arc<quic::QuicHello>),
    HttpRequest(Arc<http::Request>),
    HttpResponse(Arc<http::Response>),
}

impl ObservationBatch {
    /// Removes everything and keeps the memory.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.quiet.clear();
        self.messages.clear();
        self.addresses.clear();
        self.closed.clear();
    }

    /// How many observations, quiet ones too.
    pub fn len(&self) -> usize {
        self.entries.len() + self.quiet.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a flow's first packet.
    pub fn flow_opened(&mut self, head: Head, first: FirstPacket) {
        self.push(head, Stored::FlowOpened(first));
    }

    /// Adds the moment when both sides have sent payload.
    pub fn exchange(&mut self, head: Head, opened: FirstPacket) {
        self.push(head, Stored::Exchange(opened));
    }

    /// Adds that a flow goes on under other indicators.
    pub fn still_open(&mut self, head: Head, seen: StillOpen) {
        self.push(head, Stored::StillOpen(seen));
    }

    /// Adds a flow's end.
    pub fn flow_closed(&mut self, head: Head, closed: FlowClosed) {
        self.push(head, Stored::FlowClosed(self.closed.len()));
        self.closed.push(closed);
    }

    /// Notes of the observation of a flow that was added last whether it is unlisted, see
    /// [`Observation::is_unlisted`].
    pub(super) fn note_unlisted(&mut self, unlisted: bool) {
        if let Some(entry) = self.entries.last_mut() {
            entry.is_unlisted = unlisted;
        }
    }

    fn push(&mut self, head: Head, stored: Stored) {
        self.entries.push(Entry { head, stored, is_unlisted: false });
    }

    /// Adds a DNS message, whose bytes are copied.
    pub fn dns(&mut self, head: Head, message: &[u8], service: DnsService, over_tcp: bool) {
        let message = self.message(message);
        self.push(head, Stored::Dns { message, service, over_tcp });
    }

    /// Adds a DNS message of which there is nothing to detect, and which packet `packet` carried. Its name and, of a
    /// response, the addresses are copied.
    #[inline]
    pub fn quiet_dns(&mut self, packet: u64, about: QuietHead, outline: &dns::Outline<'_>) {
        let start = self.addresses.len() as u32;
        if about.is_response {
            for answer in outline.answers() {
                if let dns::Answer::Address(address, ttl) = answer {
                    self.addresses.push((address.into(), ttl));
                }
            }
        }
        let name = self.message(outline.name().wire());
        let addresses = start..self.addresses.len() as u32;
        self.quiet.push(StoredQuiet { packet, about, name, addresses });
    }

    pub(super) fn message(&mut self, message: &[u8]) -> Range<u32> {
        let start = self.messages.len() as u32;
        self.messages.extend_from_slice(message);
        start..self.messages.len() as u32
    }

    fn bytes(&self, message: &Range<u32>) -> Option<&[u8]> {
        self.messages.get(message.start as usize..message.end as usize)
    }

    /// Adds a client's TLS hello.
    pub fn tls_client(&mut self, head: Head, hello: Arc<tls::ClientHello>) {
        self.push(head, Stored::TlsClient(hello));
    }

    /// Adds a client's TLS hello in which there is nothing to detect; its name was put among the messages.
    pub(super) fn unlisted_hello(
        &mut self,
        head: Head,
        sni: Option<Range<u32>>,
        ech: bool,
        facts: HostFacts,
    ) {
        self.push(head, Stored::UnlistedHello { sni, ech, facts });
    }

    /// Adds a server's TLS hello that nobody wants to read.
    pub(super) fn unread_answer(&mut self, head: Head) {
        self.push(head, Stored::UnreadAnswer);
    }

    /// Adds a server's TLS hello.
    pub fn tls_server(&mut self, head: Head, hello: Arc<tls::ServerHello>) {
        self.push(head, Stored::TlsServer(hello));
    }

    /// Adds a server's certificates, with the hello that they answer if that was seen.
    pub fn certificates(
        &mut self,
        head: Head,
        chain: Arc<[tls::Certificate]>,
        hello: Option<Arc<tls::ClientHello>>,
    ) {
        self.push(head, Stored::Certificates(chain, hello));
    }

    /// Adds a QUIC client's hello.
    pub fn quic(&mut self, head: Head, hello: quic::QuicHello) {
        self.push(head, Stored::Quic(Arc::new(hello)));
    }

    /// Adds an HTTP request.
    pub fn http_request(&mut self, head: Head, request: Arc<http::Request>) {
        self.push(head, Stored::HttpRequest(request));
    }

    /// Adds an HTTP response.
    pub fn http_response(&mut self, head: Head, response: impl Into<Arc<http::Response>>) {
        self.push(head, Stored::HttpResponse(response.into()));
    }

    /// The observations in order, without the quiet ones.
    pub fn iter(&self) -> impl Iterator<Item = Observation<'_>> {
        (0..self.entries.len()).filter_map(|index| self.get(index))
    }

    /// The observation at `index`; `None` past the end.
    fn get(&self, index: usize) -> Option<Observation<'_>> {
        let Entry { head, stored, is_unlisted } = self.entries.get(index)?;
        let seen = match stored {
            Stored::FlowOpened(first) => Seen::FlowOpened(*first),
            Stored::Exchange(opened) => Seen::Exchange(*opened),
            Stored::StillOpen(seen) => Seen::StillOpen(*seen),
            Stored::FlowClosed(place) => Seen::FlowClosed(self.closed.get(*place)?),
            Stored::UnlistedHello { sni, ech, facts } => Seen::UnlistedHello(HelloSeen {
                sni: sni.as_ref().and_then(|sni| self.bytes(sni)),
                ech: *ech,
                is_registry: facts.is_registry,
                is_resolver: facts.is_resolver,
            }),
            Stored::UnreadAnswer => Seen::UnreadAnswer,
            Stored::Dns { message, service, over_tcp } => Seen::Dns(DnsSeen {
                message: dns::Message::parse(self.bytes(message)?)?,
                service: *service,
                over_tcp: *over_tcp,
            }),
            Stored::TlsClient(hello) => Seen::TlsClient(hello),
            Stored::TlsServer(hello) => Seen::TlsServer(hello),
            Stored::Certificates(chain, hello) => {
                Seen::Certificates(CertificatesSeen { chain, hello: hello.as_ref() })
            }
            Stored::Quic(hello) => Seen::Quic(hello),
            Stored::HttpRequest(request) => Seen::HttpRequest(request),
            Stored::HttpResponse(response) => Seen::HttpResponse(response),
        };
        Some(Observation { head, seen, is_unlisted: *is_unlisted })
    }

    /// The quiet DNS messages, in order.
    pub fn quiet_messages(&self) -> impl Iterator<Item = QuietDns<'_>> {
        self.quiet.iter().map(|stored| self.kept(stored))
    }

    #[inline]
    fn kept<'b>(&'b self, stored: &'b StoredQuiet) -> QuietDns<'b> {
        let StoredQuiet { packet, about, name, addresses } = stored;
        let addresses = addresses.start as usize..addresses.end as usize;
        QuietDns {
            packet: *packet,
            about,
            name: dns::Name::from_wire(self.bytes(name).unwrap_or_default()),
            addresses: self.addresses.get(addresses).unwrap_or_default(),
        }
    }
}

/// How far a batch has been read.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    entry: usize,
    quiet: usize,
}

impl Cursor {
    /// The place of the batch's next item, and whether it is a quiet one.
    fn next_order(&self, batch: &ObservationBatch) -> Option<(Order, bool)> {
        let entry = batch.entries.get(self.entry).map(|entry| entry.head.order);
        let quiet = batch.quiet.get(self.quiet).map(StoredQuiet::order);
        match (entry, quiet) {
            (Some(entry), Some(quiet)) if quiet < entry => Some((quiet, true)),
            (Some(entry), _) => Some((entry, false)),
            (None, quiet) => Some((quiet?, true)),
        }
    }

    /// Gives items to `each` for as long as the next one `is_before` others'; where it ends the next one's place.
    #[inline]
    fn run<'b>(
        &mut self,
        batch: &'b ObservationBatch,
        is_before: impl Fn(Order) -> bool,
        each: &mut impl FnMut(Item<'b>),
    ) -> Option<Order> {
        loop {
            let (order, is_quiet) = self.next_order(batch)?;
            if !is_before(order) {
                return Some(order);
            }
            if is_quiet {
                if let Some(stored) = batch.quiet.get(self.quiet) {
                    each(Item::QuietDns(batch.kept(stored)));
                }
                self.quiet += 1;
            } else {
                if let Some(observation) = batch.get(self.entry) {
                    each(Item::Observation(observation));
                }
                self.entry += 1;
            }
        }
    }
}

/// Calls `each` with what all `batches` (one for each worker, each in order) give, in one order.
pub fn merge_in_order<'b>(batches: &'b [ObservationBatch], mut each: impl FnMut(Item<'b>)) {
    let mut cursors = vec![Cursor::default(); batches.len()];
    let next = |(cursor, batch): (&Cursor, _)| cursor.next_order(batch).map(|(order, _)| order);
    let mut heads: Vec<_> = cursors.iter().zip(batches).map(next).collect();
    // Few workers, and each mostly has several items in a row: nothing more than a look at all is worth it.
    while let Some((_, number)) = least(&heads, None) {
        let bound = least(&heads, Some(number));
        let is_before = |order| bound.is_none_or(|bound| (order, number) < bound);
        if let (Some(cursor), Some(batch)) = (cursors.get_mut(number), batches.get(number)) {
            let following = cursor.run(batch, is_before, &mut each);
            heads.get_mut(number).into_iter().for_each(|head| *head = following);
        }
    }
}

/// The least of the heads and whose it is, but for one.
fn least(heads: &[Option<Order>], but: Option<usize>) -> Option<(Order, usize)> {
    let others = heads.iter().enumerate().filter(|(number, _)| Some(*number) != but);
    others.filter_map(|(number, head)| Some(((*head)?, number))).min()
}
