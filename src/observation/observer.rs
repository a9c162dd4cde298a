//! The left half of the hourglass: frames in, observations out.
//!
//! Several observers may share the work: each keeps the flows that are its share. All of them see the same packet time, so that timeouts strike at the same packet
//! whoever holds the flow, and the merged observations do not depend on how many there are.

use std::sync::Arc;

use super::{
    batch::ObservationBatch,
    counters::Counters,
    datagrams::dns_direction,
    ends::{AHEAD, Ahead, Carrier, Ends, Packet, Reading, Share, dns_flow_id},
    flow_packets::Cause,
    holders::Holders,
    screening::{Asked, Screen, Screening},
    shares::Shares,
    tracked::{Spare, Tracked},
    vocabulary::{DnsFacts, DnsService, FlowEnd, FlowIdentity, Head, Order, QuietHead},
};
use crate::{
    decode::{self, DecodeOptions, Decoded, Plain, Transport, UdpView},
    flow::{FlowTable, FragmentOutcome, Fragments, ReassemblyBudget, Refusal},
    limits,
    source::{Filter, Frame, FrameBatch},
    time::Timestamp,
};

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

/// Reads frames and tells what they show.
#[derive(Debug)]
pub struct Observer {
    pub(super) options: ObserverOptions,
    pub(super) flows: FlowTable<Tracked>,
    fragments: Fragments,
    pub(super) budget: ReassemblyBudget,
    pub(super) holders: Holders,
    pub(super) spare: Spare,
    pub(super) screening: Option<Screening>,
    /// Which generation of indicators is asked: how often [`Observer::begin_generation`] was called.
    pub(super) generation: u32,
    pub(super) counters: Counters,
    /// The latest packet time; it never goes back.
    pub(super) clock: Timestamp,
    /// The earliest packet time; the latest there is before the first packet.
    first: Timestamp,
    /// Number of the latest frame, 0 before the first.
    last_number: u64,
    /// Scratch for flows whose time is over: when it was, their first packet, their place.
    expired: Vec<(Timestamp, u64, u32)>,
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
            spare: Spare::default(),
            screening: None,
            generation: 0,
            counters: Counters::default(),
            clock: Timestamp::MIN,
            first: Timestamp::MAX,
            last_number: 0,
            expired: Vec::new(),
            ending: None,
        }
    }

    /// The same observer, which asks `screen` what must be told in full of usual DNS messages, flows and TLS hellos.
    pub fn with_screen(self, screen: Arc<dyn Screen>) -> Self {
        Self { screening: Some(Screening::new(screen)), ..self }
    }

    /// Reads a batch of frames and adds what they show to `out`, in order; with a filter, only those that
    /// match it. Packet time goes on by all of them. Where the observers share the work, `shares` spares each the
    /// others' frames.
    pub fn observe(
        &mut self,
        frames: &FrameBatch,
        shares: Option<&Shares>,
        mut filter: Option<&mut Filter>,
        out: &mut ObservationBatch,
    ) {
        let mut rest = frames.frames().enumerate();
        let (mut ahead, mut layers) = (Vec::<Ahead<'_>>::with_capacity(AHEAD), Vec::new());
        loop {
            let mut count = 0;
            layers.clear();
            for (index, frame) in rest.by_ref().take(AHEAD) {
                if ahead.len() == count {
                    ahead.push(frame.into());
                }
                if let Some(ahead) = ahead.get_mut(count) {
                    ahead.frame = frame;
                    if shares.is_some_and(|shares| shares.is_others(index, self.options.shard)) {
                        ahead.share = Share::Others;
                    } else {
                        self.look(ahead, &mut layers);
                    }
                }
                count += 1;
            }
            let Some(ahead) = ahead.get_mut(..count).filter(|ahead| !ahead.is_empty()) else { return };
            if self.options.shortcuts {
                for Ahead { ends, .. } in ahead.iter_mut().filter(|ahead| ahead.share == Share::Ours) {
                    ends.likely = ends.hash.and_then(|hash| self.flows.likely(hash));
                }
            }
            for ahead in ahead {
                self.advance(ahead.frame.time, ahead.frame.number, out);
                if ahead.share == Share::Others {
                    continue;
                }
                if filter.as_mut().is_some_and(|filter| !filter.matches(&ahead.frame)) {
                    self.counters.filtered += u64::from(self.counts(ahead.share));
                    continue;
                }
                match &ahead.reading {
                    Reading::Plain(plain) => self.plain(&ahead.frame, plain, &ahead.ends, out),
                    Reading::Layers(place) => {
                        if let Some(decoded) = layers.get(*place) {
                            self.layers(ahead, decoded, out);
                        }
                    }
                }
            }
        }
    }

    /// The earliest and the latest packet time; `None` before the first packet.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        (self.last_number > 0).then_some((self.first, self.clock))
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
            self.close(place, FlowEnd::EndOfInput, Cause::Timer(time), u64::MAX, out);
        }
        if let Some(ending) = &mut self.ending {
            ending.rest = rest;
        }
        up_to <= self.last_number
    }

    /// What was counted so far. A frame is counted by the observer whose it is, and one that every observer reads by
    /// the first.
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters.clone();
        counters.flows = self.flows.counters();
        counters.flows_active = self.flows.len() as u64;
        counters.reassembly = self.budget.counters;
        if self.counts(Share::Everybodys) {
            counters.fragments = self.fragments.counters();
        }
        counters
    }

    fn counts(&self, share: Share) -> bool {
        share == Share::Ours || share == Share::Everybodys && self.options.shard == 0
    }

    /// A plain frame: what usual traffic mostly consists of, done with its headers alone where it can be.
    #[inline(always)]
    fn plain(&mut self, frame: &Frame<'_>, plain: &Plain<'_>, ends: &Ends, out: &mut ObservationBatch) {
        self.counters.plain(frame, plain);
        let is_done = match plain.tcp_flags() {
            Some(flags) => self.settled_segment(frame, flags, plain.payload_length(), ends),
            None => {
                let udp = plain.udp();
                udp.is_some_and(|udp| self.is_quiet(frame, Carrier::Plain(plain), &udp, ends, out))
            }
        };
        if !is_done {
            self.packet(frame, Carrier::Plain(plain), ends, out);
        }
    }

    /// A frame that was read layer by layer.
    fn layers(&mut self, ahead: &Ahead<'_>, decoded: &Decoded<'_>, out: &mut ObservationBatch) {
        let Ahead { frame, ends, .. } = ahead;
        if self.counts(ahead.share) {
            self.counters.frame(frame, decoded);
        }
        if ahead.share != Share::Ours {
            if matches!(decoded.transport, Transport::Fragment { .. }) {
                self.datagram_or_fragment(frame, decoded, 0, out);
            }
            return;
        }
        let is_done = match &decoded.transport {
            Transport::Tcp(tcp) => self.settled_segment(frame, tcp.flags, tcp.payload_length, ends),
            Transport::Udp(udp) => self.is_quiet(frame, Carrier::Layers(decoded), udp, ends, out),
            _ => false,
        };
        if !is_done {
            self.packet(frame, Carrier::Layers(decoded), ends, out);
        }
    }

    /// Whether it is a DNS message of which there is nothing to detect; then it is told as such.
    #[inline]
    fn is_quiet(
        &mut self,
        frame: &Frame<'_>,
        carrier: Carrier<'_>,
        udp: &UdpView<'_>,
        ends: &Ends,
        out: &mut ObservationBatch,
    ) -> bool {
        let Some(screening) = &self.screening else { return false };
        let Some((DnsService::Dns, Some(places))) = ends.dns else { return false };
        let outline = places.of(udp.payload);
        let asked = ends.asked(udp);
        let Some(ending) = screening.unlisted(&asked, &outline) else { return false };
        if self.options.decode.checksums {
            self.counters.bad_checksums[1] += u64::from(carrier.has_wrong_checksum());
        }
        self.counters.dns_messages += 1;
        let Asked { client, server, port } = asked;
        let (tenant, is_response, facts) =
            (ends.key.tenant(), outline.is_response(), DnsFacts::of_outline(&outline, ending));
        let about = QuietHead { time: frame.time, tenant, client, server, port, is_response, facts };
        out.quiet_dns(frame.number, about, &outline);
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
            if let (Share::Ours, ends) = self.ends(decoded) {
                self.packet(frame, Carrier::Layers(decoded), &ends, out);
            }
            return;
        };
        match self.fragments.push(decoded.tenant, network, payload, self.clock) {
            FragmentOutcome::Complete(datagram) if depth < limits::TUNNEL_DEPTH => {
                let first = Decoded { network: Some(datagram.network), ..*decoded };
                let whole = decode::decode_datagram(&first, &datagram.payload);
                if self.counts(Share::Everybodys) {
                    self.counters.datagram(&whole);
                }
                self.datagram_or_fragment(frame, &whole, depth + 1, out);
            }
            // What there is of the transport header tells at least who talks to whom.
            FragmentOutcome::Rejected(Refusal::Cut)
                if network.fragment.is_some_and(|fragment| fragment.offset == 0) =>
            {
                let start = decode::decode_datagram(decoded, payload);
                if let (Share::Ours, ends) = self.ends(&start) {
                    self.packet(frame, Carrier::Layers(&start), &ends, out);
                }
            }
            FragmentOutcome::Complete(_) | FragmentOutcome::Pending | FragmentOutcome::Rejected(_) => {}
        }
    }

    /// Lets packet time go on; flows whose timeout has passed end before the frame is looked at.
    #[inline]
    fn advance(&mut self, time: Timestamp, number: u64, out: &mut ObservationBatch) {
        self.last_number = number;
        self.first = self.first.min(time);
        if time > self.clock {
            self.clock = time;
            if self.flows.is_due(time) {
                self.expire(number, out);
            }
        }
    }

    #[cold]
    fn expire(&mut self, number: u64, out: &mut ObservationBatch) {
        let mut expired = std::mem::take(&mut self.expired);
        self.flows.advance(self.clock, |place, flow| {
            expired.push((flow.deadline(), flow.first_packet, place));
        });
        expired.sort_unstable();
        for (due, _, place) in expired.drain(..) {
            self.close(place, FlowEnd::Timeout, Cause::Timer(due), number, out);
        }
        self.expired = expired;
    }

    fn packet(&mut self, frame: &Frame<'_>, carrier: Carrier<'_>, ends: &Ends, out: &mut ObservationBatch) {
        let Frame { number, time, wire_length, .. } = *frame;
        let packet = Packet { number, time, wire_length, ends, transport: carrier.transport(), carrier };
        if let (Transport::Udp(udp), Some((service, _))) = (&packet.transport, ends.dns) {
            return self.dns_datagram(&packet, udp, service, out);
        }
        let Some(index) = self.flow_of(&packet, out) else { return };
        match &packet.transport {
            Transport::Tcp(tcp) => self.segment(&packet, index, tcp, out),
            Transport::Udp(udp) => self.datagram(&packet, index, udp, out),
            _ => {}
        }
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
            self.counters.checksum(&packet.transport, packet.carrier.has_wrong_checksum());
        }
        let direction = dns_direction(udp);
        let flow = FlowIdentity {
            id: dns_flow_id(key),
            tuple: key.tuple(packet.ends.client_is_low(direction)),
            tenant: key.tenant(),
            vlan: packet.carrier.vlan(),
            tunnel: packet.carrier.tunnel(),
        };
        self.counters.dns_messages += 1;
        let order = Order { packet: packet.number, by_packet: true, due: 0, sequence: 0 };
        let head = Head { order, time: packet.time, flow, direction, relayed: false };
        out.dns(head, udp.payload, service, false);
    }
}
