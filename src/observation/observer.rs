//! The left half of the hourglass: frames in, observations out.
//!
//! Several observers may share the work: each reads every frame's headers and keeps the flows whose
//! hash is its own. All of them see the same packet time, so that timeouts strike at the same packet
//! whoever holds the flow, and the merged observations do not depend on how many there are.

use super::{
    batch::ObservationBatch,
    counters::Counters,
    datagrams::{dns_direction, dns_service, outlined_dns_service},
    emit::{Emitter, Roles},
    holders::Holders,
    inspection::BOTH,
    tracked::{Inspections, Tracked, identity_of},
    vocabulary::{DnsService, FirstPacket, FlowClosed, FlowEnd, FlowIdentity, Head, Order, QuietDns},
};
use crate::{
    decode::{self, DecodeOptions, Decoded, TcpView, Transport, UdpView},
    flow::{
        Direction, Endpoint, FiveTuple, Flow, FlowKey, FlowTable, FragmentOutcome, Fragments, Piece,
        ReassemblyBudget, Refusal, SideStream, StableHash, TcpState, TcpTracker,
    },
    limits,
    protocol::{
        Need,
        dns::{Outline, Places},
    },
    source::{Filter, Frame, FrameBatch},
    time::Timestamp,
};

/// IP protocol numbers.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// How an observer works.
#[derive(Clone, Copy, Debug)]
pub struct ObserverOptions {
    /// How frames are decoded.
    pub decode: DecodeOptions,
    /// Whether DNS over UDP makes flows of its own; else a question costs no place in the flow table.
    pub dns_flows: bool,
    /// Which of the observers this is, from 0.
    pub shard: u64,
    /// How many observers there are.
    pub shards: u64,
    /// Flows that all observers together follow at once.
    pub flows: usize,
    /// Whether what is usual takes short cuts: plain frames, usual DNS messages, settled connections. Without them
    /// everything goes the long way, which gives the same observations and is what the tests compare with.
    pub shortcuts: bool,
}

impl Default for ObserverOptions {
    fn default() -> Self {
        Self {
            decode: DecodeOptions::default(),
            dns_flows: false,
            shard: 0,
            shards: 1,
            flows: limits::FLOWS,
            shortcuts: true,
        }
    }
}

/// Who knows the indicators, and is asked about usual DNS messages before they are told.
pub trait Screen {
    /// Whether nothing can be detected in this message between these two, whatever is known besides it.
    fn is_unlisted(&self, tuple: &FiveTuple, outline: &Outline<'_>) -> bool;
}

/// Reads frames and tells what they show.
#[derive(Debug)]
pub struct Observer {
    options: ObserverOptions,
    flows: FlowTable<Tracked>,
    fragments: Fragments,
    budget: ReassemblyBudget,
    holders: Holders,
    counters: Counters,
    /// The latest packet time; it never goes back.
    clock: Timestamp,
    first: Option<Timestamp>,
    /// Number of the latest frame.
    last_number: u64,
    expired: Vec<Flow<Tracked>>,
    ending: Option<Ending>,
}

/// Packets whose flows [`Observer::finish`] ends together.
const ENDING_PACKETS: u64 = 1 << 14;

/// What is left of the end of input.
#[derive(Debug)]
struct Ending {
    /// First packet and place of the flows that have not ended, the latest first.
    rest: Vec<(u64, u32)>,
    /// Flows that began before this packet have ended.
    up_to: u64,
}

/// Frames that are decoded, and whose flows are looked up, before the first of them is observed: the
/// processor then waits for the memory of many of them at once, not of one after the other.
const AHEAD: usize = 32;

/// Frames with what can be known of them before their turn comes: three lists of equal length.
#[derive(Default)]
struct Ahead<'a> {
    frames: Vec<Frame<'a>>,
    decoded: Vec<Decoded<'a>>,
    ends: Vec<Option<Ends>>,
}

impl Ahead<'_> {
    fn clear(&mut self) {
        self.frames.clear();
        self.decoded.clear();
        self.ends.clear();
    }
}

/// Who talks to whom in a datagram, and where its flow likely stands.
#[derive(Clone, Copy)]
struct Ends {
    key: FlowKey,
    /// Whether the key's lower end sent it.
    from_low: bool,
    /// Which service's message it is, where messages make no flow, and its outline.
    dns: Option<(DnsService, Option<Places>)>,
    /// The key's hash in the flow table.
    hash: u64,
    /// Where its flow likely stands in the table.
    likely: Option<u32>,
}

impl Ends {
    const fn source(&self) -> Endpoint {
        if self.from_low { self.key.low } else { self.key.high }
    }

    const fn destination(&self) -> Endpoint {
        if self.from_low { self.key.high } else { self.key.low }
    }
}

/// One packet of a flow on its way through the observer.
struct Packet<'a> {
    number: u64,
    time: Timestamp,
    wire_length: u32,
    ends: &'a Ends,
    decoded: &'a Decoded<'a>,
}

impl Observer {
    /// An observer without any flows.
    pub fn new(options: ObserverOptions) -> Self {
        let shards = options.shards.max(1);
        Self {
            options: ObserverOptions { shards, ..options },
            flows: FlowTable::new(options.flows / shards as usize),
            fragments: Fragments::default(),
            budget: ReassemblyBudget::new(limits::REASSEMBLY_BYTES / shards as usize),
            holders: Holders::new(limits::INSPECTION_BYTES / shards as usize),
            counters: Counters::default(),
            clock: Timestamp::MIN,
            first: None,
            last_number: 0,
            expired: Vec::new(),
            ending: None,
        }
    }

    /// Reads a batch of frames and adds what they show to `out`, in order; with a filter, only those that
    /// match it. Packet time goes on by all of them. With a screen, usual DNS messages of which it says so are
    /// told as quiet ones.
    pub fn observe(
        &mut self,
        frames: &FrameBatch,
        mut filter: Option<&mut Filter>,
        screen: Option<&dyn Screen>,
        out: &mut ObservationBatch,
    ) {
        let decode = if self.options.shortcuts { decode::decode } else { decode::decode_by_layers };
        let mut rest = frames.frames();
        let mut ahead = Ahead::default();
        loop {
            ahead.clear();
            for frame in rest.by_ref().take(AHEAD) {
                ahead.frames.push(frame);
                ahead.decoded.push(decode(frame.link, frame.bytes, frame.wire_length, &self.options.decode));
            }
            if ahead.frames.is_empty() {
                return;
            }
            ahead.ends.extend(ahead.decoded.iter().map(|decoded| self.ends(decoded)));
            if self.options.shortcuts {
                for ends in ahead.ends.iter_mut().flatten().filter(|ends| ends.dns.is_none()) {
                    ends.likely = self.flows.likely(ends.hash);
                }
            }
            for ((frame, decoded), ends) in ahead.frames.iter().zip(&ahead.decoded).zip(&ahead.ends) {
                self.advance(frame.time, frame.number, out);
                if filter.as_mut().is_none_or(|filter| filter.matches(frame)) {
                    self.frame(frame, decoded, ends.as_ref(), screen, out);
                } else {
                    self.counters.filtered += 1;
                }
            }
        }
    }

    /// The earliest and the latest packet time; `None` before the first packet.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.first.map(|first| (first, self.clock))
    }

    /// The end of input: every flow ends, in the order of their first packets. Tells of a part of them, those that
    /// began within the same 16,384 packets, and answers whether there is more to be told: a table full
    /// of flows shall not become as many observations at once. Every observer of the same frames has as many parts.
    pub fn finish(&mut self, out: &mut ObservationBatch) -> bool {
        let ending = self.ending.get_or_insert_with(|| {
            let mut rest: Vec<_> =
                self.flows.iter().map(|(place, flow)| (flow.first_packet, place)).collect();
            rest.sort_unstable_by(|one, other| other.cmp(one));
            Ending { rest, up_to: 0 }
        });
        ending.up_to = ending.up_to.saturating_add(ENDING_PACKETS);
        let up_to = ending.up_to;
        let mut rest = std::mem::take(&mut ending.rest);
        let time = self.clock;
        while let Some((_, place)) = rest.pop_if(|(first, _)| *first < up_to) {
            if let Some(flow) = self.flows.remove(place) {
                self.close(flow, FlowEnd::EndOfInput, Cause::Timer(time), u64::MAX, out);
            }
        }
        if let Some(ending) = &mut self.ending {
            ending.rest = rest;
        }
        up_to <= self.last_number
    }

    /// What was counted so far. Frames and their decoding are counted by the first observer only, for all
    /// of them read every frame.
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters.clone();
        counters.flows = self.flows.counters();
        counters.flows_active = self.flows.len() as u64;
        counters.reassembly = self.budget.counters;
        if self.options.shard == 0 {
            counters.fragments = self.fragments.counters();
        } else {
            counters.clear_of_frames();
        }
        counters
    }

    /// Who talks to whom in `decoded`; `None` when nobody does, or another observer has the flow.
    fn ends(&self, decoded: &Decoded<'_>) -> Option<Ends> {
        let network = decoded.network.as_ref()?;
        let (source_port, destination_port) = match &decoded.transport {
            Transport::Tcp(tcp) => (tcp.source_port, tcp.destination_port),
            Transport::Udp(udp) => (udp.source_port, udp.destination_port),
            Transport::Sctp { source_port, destination_port, .. } => (*source_port, *destination_port),
            Transport::Icmp { .. } | Transport::Other { .. } => (0, 0),
            Transport::None | Transport::Fragment { .. } => return None,
        };
        let source = Endpoint { address: network.source, port: source_port };
        let destination = Endpoint { address: network.destination, port: destination_port };
        let key = FlowKey::new(decoded.tenant, source, destination, network.protocol);
        if self.options.shards > 1
            && StableHash::of(&key).finish() % self.options.shards != self.options.shard
        {
            return None;
        }
        let dns = match &decoded.transport {
            Transport::Udp(udp) if self.options.shortcuts => outlined_dns_service(udp),
            Transport::Udp(udp) => dns_service(udp).map(|service| (service, None)),
            _ => None,
        };
        let dns = dns.filter(|(service, _)| !self.options.dns_flows || *service != DnsService::Dns);
        let hash = if dns.is_none() { self.flows.hash(&key) } else { 0 };
        if dns.is_none() {
            self.flows.prefetch(hash);
        }
        Some(Ends { from_low: key.low == source, key, hash, dns, likely: None })
    }

    fn frame(
        &mut self,
        frame: &Frame<'_>,
        decoded: &Decoded<'_>,
        ends: Option<&Ends>,
        screen: Option<&dyn Screen>,
        out: &mut ObservationBatch,
    ) {
        self.counters.frame(frame, decoded);
        match ends {
            Some(ends) if self.is_quiet(frame, decoded, ends, screen, out) => {}
            Some(ends) => self.packet(frame, decoded, ends, out),
            None if matches!(decoded.transport, Transport::Fragment { .. }) => {
                self.datagram_or_fragment(frame, decoded, 0, out);
            }
            None => {}
        }
    }

    /// Whether it is a DNS message of which there is nothing to detect; then it is told as such.
    fn is_quiet(
        &mut self,
        frame: &Frame<'_>,
        decoded: &Decoded<'_>,
        ends: &Ends,
        screen: Option<&dyn Screen>,
        out: &mut ObservationBatch,
    ) -> bool {
        let (Some(screen), Transport::Udp(udp)) = (screen, &decoded.transport) else { return false };
        let Some((DnsService::Dns, Some(places))) = ends.dns else { return false };
        let outline = places.of(udp.payload);
        let tuple = dns_tuple(udp, ends).1;
        if !screen.is_unlisted(&tuple, &outline) {
            return false;
        }
        if self.options.decode.checksums {
            self.counters.verify_checksum(decoded);
        }
        self.counters.dns_messages += 1;
        let is_response = outline.is_response();
        let quiet = QuietDns {
            time: frame.time,
            tenant: ends.key.tenant,
            client: tuple.client.address,
            server: tuple.server.address,
            answer: (is_response && outline.has_answers()).then_some(outline),
            is_response,
        };
        out.quiet_dns(frame.number, &quiet);
        true
    }

    /// A packet, or a fragment of one; what fragments give may be a fragment again, inside a tunnel.
    fn datagram_or_fragment(
        &mut self,
        frame: &Frame<'_>,
        decoded: &Decoded<'_>,
        depth: u8,
        out: &mut ObservationBatch,
    ) {
        let (Transport::Fragment { payload }, Some(network)) = (&decoded.transport, &decoded.network) else {
            if let Some(ends) = self.ends(decoded) {
                self.packet(frame, decoded, &ends, out);
            }
            return;
        };
        match self.fragments.push(decoded.tenant, network, payload, self.clock) {
            FragmentOutcome::Complete(datagram) if depth < limits::TUNNEL_DEPTH => {
                let first = Decoded { network: Some(datagram.network), ..*decoded };
                let whole = decode::decode_datagram(&first, &datagram.payload);
                self.counters.datagram(&whole);
                self.datagram_or_fragment(frame, &whole, depth + 1, out);
            }
            // What there is of the transport header tells at least who talks to whom.
            FragmentOutcome::Rejected(Refusal::Cut)
                if network.fragment.is_some_and(|fragment| fragment.offset == 0) =>
            {
                let start = decode::decode_datagram(decoded, payload);
                if let Some(ends) = self.ends(&start) {
                    self.packet(frame, &start, &ends, out);
                }
            }
            FragmentOutcome::Complete(_) | FragmentOutcome::Pending | FragmentOutcome::Rejected(_) => {}
        }
    }

    /// Lets packet time go on; flows whose timeout has passed end before the frame is looked at.
    fn advance(&mut self, time: Timestamp, number: u64, out: &mut ObservationBatch) {
        self.clock = self.clock.max(time);
        self.last_number = number;
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        if self.flows.is_due(self.clock) {
            self.expire(number, out);
        }
    }

    fn expire(&mut self, number: u64, out: &mut ObservationBatch) {
        let mut expired = std::mem::take(&mut self.expired);
        self.flows.advance(self.clock, &mut |flow| expired.push(flow));
        expired.sort_by_key(|flow| (flow.deadline(), flow.first_packet));
        for flow in expired.drain(..) {
            let due = flow.deadline();
            self.close(flow, FlowEnd::Timeout, Cause::Timer(due), number, out);
        }
        self.expired = expired;
    }

    fn packet(&mut self, frame: &Frame<'_>, decoded: &Decoded<'_>, ends: &Ends, out: &mut ObservationBatch) {
        if let Transport::Tcp(tcp) = &decoded.transport
            && self.settled_segment(frame, tcp, ends)
        {
            return;
        }
        let packet =
            Packet { number: frame.number, time: frame.time, wire_length: frame.wire_length, ends, decoded };
        if let (Transport::Udp(udp), Some((service, _))) = (&decoded.transport, ends.dns) {
            return self.dns_datagram(&packet, udp, service, out);
        }
        let Some(index) = self.flow_of(&packet, out) else { return };
        match &decoded.transport {
            Transport::Tcp(tcp) => self.segment(&packet, index, tcp, out),
            Transport::Udp(udp) => self.datagram(&packet, index, udp, out),
            _ => {}
        }
    }

    /// A segment that changes nothing but the totals of its flow: the connection stands, has told all that it
    /// tells before its end, and nobody reads its payload. That is nearly every segment of bulk traffic, and it
    /// costs its headers and this one place of the table.
    fn settled_segment(&mut self, frame: &Frame<'_>, tcp: &TcpView<'_>, ends: &Ends) -> bool {
        const PLAIN: u8 = TcpView::ACK | TcpView::PSH | TcpView::ECE | TcpView::CWR;

        let Some(flow) = ends.likely.and_then(|place| self.flows.get_mut(place)) else { return false };
        if !flow.data.settled
            || tcp.flags & TcpView::ACK == 0
            || tcp.flags & !PLAIN != 0
            || flow.key != ends.key
            || flow.deadline() <= self.clock
        {
            return false;
        }
        let direction = flow.direction(ends.source());
        flow.last = flow.last.max(frame.time);
        flow.touched = self.clock;
        if let Some(totals) = flow.data.totals.get_mut(direction.index()) {
            totals.packets += 1;
            totals.bytes += u64::from(frame.wire_length);
            totals.payload += u64::from(tcp.payload_length);
            totals.tcp_flags |= tcp.flags;
        }
        true
    }

    /// A DNS datagram at its own port, told without a place in the flow table.
    fn dns_datagram(
        &mut self,
        packet: &Packet<'_>,
        udp: &UdpView<'_>,
        service: DnsService,
        out: &mut ObservationBatch,
    ) {
        let Ends { key, .. } = packet.ends;
        if self.options.decode.checksums {
            self.counters.verify_checksum(packet.decoded);
        }
        let (direction, tuple) = dns_tuple(udp, packet.ends);
        let flow = FlowIdentity {
            id: dns_flow_id(key),
            tuple,
            tenant: key.tenant,
            vlan: packet.decoded.vlan,
            tunnel: packet.decoded.tunnel,
        };
        self.counters.dns_messages += 1;
        let order = Order { packet: packet.number, by_packet: true, due: 0, sequence: 0 };
        let head = Head { order, time: packet.time, flow, direction, relayed: false };
        out.dns(head, udp.payload, service, false);
    }

    /// The flow of a packet, made when there is none, with the packet counted in it.
    fn flow_of(&mut self, packet: &Packet<'_>, out: &mut ObservationBatch) -> Option<u32> {
        let Ends { key, likely, .. } = packet.ends;
        let source = packet.ends.source();
        let mut index = self.flows.find_likely(key, *likely);
        if let Some(found) = index
            && let Some(flow) = self.flows.get_mut(found)
        {
            let direction = flow.direction(source);
            let reopened = matches!(&packet.decoded.transport,
                Transport::Tcp(tcp) if flow.tcp.is_reopened_by(tcp, direction));
            let end = if flow.deadline() <= self.clock {
                Some((FlowEnd::Timeout, Cause::Timer(flow.deadline())))
            } else {
                reopened.then_some((FlowEnd::Reused, Cause::Packet(packet.time)))
            };
            if let Some((end, cause)) = end {
                if let Some(old) = self.flows.remove(found) {
                    self.close(old, end, cause, packet.number, out);
                }
                index = None;
            }
        }
        let index = match index {
            Some(found) => found,
            None if is_stray(packet) => return None,
            None => self.open(packet, out),
        };
        let flow = self.flows.get_mut(index)?;
        flow.last = flow.last.max(packet.time);
        flow.touched = self.clock;
        let direction = flow.direction(source);
        let totals = flow.data.totals.get_mut(direction.index())?;
        totals.packets += 1;
        totals.bytes += u64::from(packet.wire_length);
        Some(index)
    }

    /// Puts a new flow into the table and tells of it.
    fn open(&mut self, packet: &Packet<'_>, out: &mut ObservationBatch) -> u32 {
        let key = &packet.ends.key;
        let (source, destination) = (packet.ends.source(), packet.ends.destination());
        let (opened, sender_is_client) = match &packet.decoded.transport {
            Transport::Tcp(tcp) if tcp.has(TcpView::SYN) => {
                let answer = tcp.has(TcpView::ACK);
                (if answer { FirstPacket::SynAck } else { FirstPacket::Syn }, !answer)
            }
            // A refusal whose SYN was not captured, see `is_stray`.
            Transport::Tcp(tcp) if tcp.has(TcpView::RST) => (FirstPacket::Midstream, false),
            Transport::Tcp(_) => (FirstPacket::Midstream, !is_server_port(packet)),
            _ => (FirstPacket::Datagram, !is_server_port(packet)),
        };
        let client = if sender_is_client { source } else { destination };
        let icmp = match &packet.decoded.transport {
            Transport::Icmp { kind, code, .. } => Some((*kind, *code)),
            _ => None,
        };
        // Where DNS flows are followed only for the sake of records, identity must not depend on it.
        let is_dns = matches!(&packet.decoded.transport, Transport::Udp(udp) if dns_service(udp).is_some());
        let id = if is_dns { dns_flow_id(key) } else { flow_id(key, packet.time) };
        let flow = Flow {
            key: *key,
            client_is_low: client == key.low,
            first: packet.time,
            last: packet.time,
            touched: self.clock,
            first_packet: packet.number,
            tcp: TcpTracker::default(),
            data: Tracked {
                id,
                opened,
                vlan: packet.decoded.vlan,
                tunnel: packet.decoded.tunnel.map(Box::new),
                icmp,
                totals: Default::default(),
                exchanged: false,
                settled: false,
                sides: Default::default(),
                inspection: None,
            },
        };
        let identity = identity_of(&flow);
        let direction = flow.direction(source);
        let mut evicted = Vec::new();
        let index = self.flows.insert(flow, &mut |old| evicted.push(old));
        for old in evicted {
            self.close(old, FlowEnd::Evicted, Cause::Packet(packet.time), packet.number, out);
        }
        if !is_dns {
            Emitter::for_packet(out, identity, packet.time, packet.number, 0).flow_opened(direction, opened);
        }
        index
    }

    fn segment(&mut self, packet: &Packet<'_>, index: u32, tcp: &TcpView<'_>, out: &mut ObservationBatch) {
        let Some(flow) = self.flows.get_mut(index) else { return };
        let direction = flow.direction(packet.ends.source());
        let was_over = flow.tcp.is_over();
        let was_opening = flow.tcp.is_opening();
        flow.tcp.segment(tcp, direction);
        let acknowledged = flow.tcp.acknowledges_payload(tcp, direction);
        let shorter_timeout = !was_over && flow.tcp.is_over() && !was_opening;

        let identity = identity_of(flow);
        let (here, there) = (direction.index(), direction.reverse().index());
        let data = &mut flow.data;
        data.totals[here].tcp_flags |= tcp.flags;
        data.totals[here].payload += u64::from(tcp.payload_length);
        // The packet's first observation may have been the flow's opening.
        let mut emitter = Emitter::for_packet(out, identity, packet.time, packet.number, 1);

        // Before what the payload says: that there is an answer comes before what it is.
        let both = data.totals.iter().all(|side| side.payload > 0);
        let one_and_ack = acknowledged && data.totals[here].payload > 0;
        if !data.exchanged && (both || one_and_ack) {
            data.exchanged = true;
            let (opened, roles) = (data.opened, data.roles());
            emitter.exchange(direction, opened, roles);
        }

        let first_byte = if tcp.has(TcpView::SYN) { tcp.sequence.wrapping_add(1) } else { tcp.sequence };
        if tcp.has(TcpView::SYN) {
            data.sides[here].start(first_byte);
        }
        if tcp.has(TcpView::ACK) {
            let (side, inspection) = (&mut data.sides[there], &mut data.inspection);
            let mut need = Need::More;
            side.acknowledged(tcp.acknowledgment, &mut self.budget, &mut |piece| {
                let inspection = inspection.get_or_insert_with(|| Inspections::of(data.opened));
                inspection.gap_bytes[there] += lost(&piece);
                need = inspection.tcp.piece(direction.reverse(), piece, &mut emitter);
            });
            apply(need, side, &mut self.budget);
        }
        if tcp.payload_length > 0 {
            if self.options.decode.checksums && data.sides[here].is_wanted() {
                self.counters.verify_checksum(packet.decoded);
            }
            let (side, inspection) = (&mut data.sides[here], &mut data.inspection);
            let mut need = Need::More;
            side.segment(first_byte, tcp.payload, tcp.payload_length, &mut self.budget, &mut |piece| {
                let inspection = inspection.get_or_insert_with(|| Inspections::of(data.opened));
                inspection.gap_bytes[here] += lost(&piece);
                need = inspection.tcp.piece(direction, piece, &mut emitter);
            });
            apply(need, side, &mut self.budget);
        }
        let held = data.inspection.as_deref_mut().map_or(0, |inspection| {
            let held = inspection.held();
            self.holders.update(index, &mut inspection.holding, held);
            held
        });
        let is_read = data.sides.iter().any(SideStream::is_wanted);
        data.settled = data.exchanged && held == 0 && !is_read && flow.tcp.state() == TcpState::Established;
        if shorter_timeout {
            self.flows.rearm(index);
        }
        self.make_room(packet, out);
    }

    /// While readers hold too much, the flow that has held longest tells what it has and is read no further.
    fn make_room(&mut self, packet: &Packet<'_>, out: &mut ObservationBatch) {
        let flows = &self.flows;
        let holding_at =
            |place| flows.get(place)?.data.inspection.as_deref().map(|inspection| inspection.holding);
        self.holders.tidy(holding_at);
        while self.holders.is_over() {
            let flows = &self.flows;
            let holding_at =
                |place| flows.get(place)?.data.inspection.as_deref().map(|inspection| inspection.holding);
            let Some(place) = self.holders.take_oldest(holding_at) else { return };
            let Some(flow) = self.flows.get_mut(place) else { continue };
            let identity = identity_of(flow);
            let data = &mut flow.data;
            let mut emitter = Emitter::for_packet(out, identity, packet.time, packet.number, 1);
            if let Some(inspection) = &mut data.inspection {
                inspection.finish(&mut emitter);
                self.holders.update(place, &mut inspection.holding, 0);
            }
            data.sides.iter_mut().for_each(|side| side.stop(&mut self.budget));
            self.counters.given_up += 1;
        }
    }

    fn datagram(&mut self, packet: &Packet<'_>, index: u32, udp: &UdpView<'_>, out: &mut ObservationBatch) {
        let Some(flow) = self.flows.get_mut(index) else { return };
        let direction = flow.direction(packet.ends.source());
        let identity = identity_of(flow);
        let data = &mut flow.data;
        data.totals[direction.index()].payload += u64::from(udp.payload_length);
        let mut emitter = Emitter::for_packet(out, identity, packet.time, packet.number, 1);
        let is_dns = dns_service(udp).is_some();
        if !data.exchanged && !is_dns && data.totals.iter().all(|side| side.payload > 0) {
            data.exchanged = true;
            let (opened, roles) = (data.opened, data.roles());
            emitter.exchange(direction, opened, roles);
        }
        let inspection = data.inspection.get_or_insert_with(|| Inspections::of(data.opened));
        if self.options.decode.checksums && inspection.udp.is_wanted() {
            self.counters.verify_checksum(packet.decoded);
        }
        if is_dns {
            self.counters.dns_messages += 1;
            inspection.udp.is_dns();
            let role = dns_direction(udp);
            let roles = Roles { swapped: role != direction, relayed: false };
            emitter.dns(role, udp.payload, DnsService::Dns, false, roles);
        } else {
            self.counters.dns_messages += inspection.udp.inspect(direction, udp, &mut emitter);
        }
        let held = inspection.held();
        self.holders.update(index, &mut inspection.holding, held);
        self.make_room(packet, out);
    }

    /// Tells what is left of a flow, and its end.
    fn close(
        &mut self,
        mut flow: Flow<Tracked>,
        end: FlowEnd,
        cause: Cause,
        packet: u64,
        out: &mut ObservationBatch,
    ) {
        let identity = identity_of(&flow);
        let mut emitter = match cause {
            Cause::Timer(due) => Emitter::for_timer(out, identity, due, packet, flow.first_packet),
            Cause::Packet(time) => Emitter::for_packet(out, identity, time, packet, 0),
        };
        let data = &mut flow.data;
        if let Some(inspection) = &mut data.inspection {
            // Nothing is held at this place any more; what waited for it is stale.
            self.holders.update(0, &mut inspection.holding, 0);
        }
        for (direction, side) in BOTH.into_iter().zip(&mut data.sides) {
            let inspection = &mut data.inspection;
            side.finish(&mut self.budget, &mut |piece| {
                let inspection = inspection.get_or_insert_with(|| Inspections::of(data.opened));
                inspection.gap_bytes[direction.index()] += lost(&piece);
                inspection.tcp.piece(direction, piece, &mut emitter);
            });
        }
        if let Some(inspection) = &mut data.inspection {
            inspection.finish(&mut emitter);
        }
        let end = match (end, flow.tcp.state()) {
            (FlowEnd::Timeout | FlowEnd::EndOfInput | FlowEnd::Reused, TcpState::Closed) => FlowEnd::Fin,
            (
                FlowEnd::Timeout | FlowEnd::EndOfInput | FlowEnd::Reused,
                TcpState::Reset | TcpState::Refused,
            ) => FlowEnd::Rst,
            (end, _) => end,
        };
        let roles = data.roles();
        let [mut to_server, mut to_client] = data.totals;
        let mut gap_bytes = data.inspection.as_deref().map_or([0; 2], |inspection| inspection.gap_bytes);
        if roles.swapped {
            std::mem::swap(&mut to_server, &mut to_client);
            gap_bytes.reverse();
        }
        let app_protocol = match data.inspection.as_deref() {
            Some(inspection) if flow.key.protocol == TCP => inspection.tcp.app(),
            Some(inspection) => inspection.udp.app(),
            None => "",
        };
        let closed = FlowClosed {
            first: flow.first,
            last: flow.last,
            opened: data.opened,
            to_server,
            to_client,
            state: flow.tcp.state(),
            end,
            app_protocol,
            gap_bytes,
            data_after_reset: flow.tcp.data_after_reset,
        };
        emitter.flow_closed(closed, roles);
    }
}

/// What ends a flow.
#[derive(Clone, Copy)]
enum Cause {
    /// A timer that was due then, before the packet that set it off.
    Timer(Timestamp),
    /// A packet of that time which needs the flow's place.
    Packet(Timestamp),
}

/// Bytes that a piece says are missing for good, where their number is known.
fn lost(piece: &Piece<'_>) -> u64 {
    match *piece {
        Piece::Gap(length) if length != Piece::UNKNOWN_GAP => length,
        _ => 0,
    }
}

fn apply(need: Need, side: &mut SideStream, budget: &mut ReassemblyBudget) {
    match need {
        Need::More => {}
        Need::Skip(count) => side.skip(count),
        Need::Nothing => side.stop(budget),
    }
}

/// Whether a packet of no known flow shows none: a reset is the last that is heard of a connection, or
/// answers a stray. Only the one that refuses a SYN (RFC 9293 section 3.10.7.1) shows who called.
fn is_stray(packet: &Packet<'_>) -> bool {
    matches!(&packet.decoded.transport,
        Transport::Tcp(tcp) if tcp.has(TcpView::RST) && !(tcp.has(TcpView::ACK) && tcp.sequence == 0))
}

/// Whether a packet without a handshake was sent by the server, as far as ports tell: the side with the
/// system port (RFC 6335 section 6), when only one has such a port.
fn is_server_port(packet: &Packet<'_>) -> bool {
    packet.ends.source().port < 1024 && packet.ends.destination().port >= 1024
}

/// Which way a DNS datagram goes, and between whom.
fn dns_tuple(udp: &UdpView<'_>, ends: &Ends) -> (Direction, FiveTuple) {
    let direction = dns_direction(udp);
    let (client, server) = match direction {
        Direction::ToServer => (ends.source(), ends.destination()),
        Direction::ToClient => (ends.destination(), ends.source()),
    };
    (direction, FiveTuple { client, server, protocol: UDP })
}

/// EVE's `flow_id`, below 2^53 so that readers that hold numbers as doubles keep it whole.
fn flow_id(key: &FlowKey, first: Timestamp) -> u64 {
    StableHash::of(key).with(&first.as_nanos().to_be_bytes()).finish() >> 11
}

/// The identity of DNS over UDP between two ends: that of the pair, because no flow is kept for it.
fn dns_flow_id(key: &FlowKey) -> u64 {
    StableHash::of(key).finish() >> 11
}
