//! What a packet does to its flow: opens it, moves it on, ends it.

use super::{
    batch::ObservationBatch,
    datagrams::{dns_direction, dns_service},
    emit::{Emitter, Roles},
    ends::{Ends, Packet, dns_flow_id, flow_id, is_server_port, is_stray},
    inspection::BOTH,
    observer::Observer,
    tracked::{Inspections, Tracked, identity_of},
    vocabulary::{DnsService, FirstPacket, FlowClosed, FlowEnd},
};
use crate::{
    decode::{TcpView, Transport, UdpView},
    flow::{Flow, Piece, ReassemblyBudget, SideStream, TcpState, TcpTracker},
    protocol::Need,
    source::Frame,
    time::Timestamp,
};

/// IP protocol number.
const TCP: u8 = 6;

impl Observer {
    /// A segment that changes nothing but the totals of its flow: the connection stands, has told all that it
    /// tells before its end, and nobody reads its payload. That is nearly every segment of bulk traffic, and it
    /// costs its headers and this one place of the table.
    #[inline]
    pub(super) fn settled_segment(
        &mut self,
        frame: &Frame<'_>,
        flags: u8,
        payload: u32,
        ends: &Ends,
    ) -> bool {
        const PLAIN: u8 = TcpView::ACK | TcpView::PSH | TcpView::ECE | TcpView::CWR;

        let Some(flow) = ends.likely.and_then(|place| self.flows.get_mut(place)) else { return false };
        if !flow.data.settled
            || flags & TcpView::ACK == 0
            || flags & !PLAIN != 0
            || flow.key != ends.key
            || flow.deadline() <= self.clock
        {
            return false;
        }
        let direction = flow.direction(ends.from_low);
        flow.last = flow.last.max(frame.time);
        flow.touched = self.clock;
        if let Some(totals) = flow.data.totals.get_mut(direction.index()) {
            totals.packets += 1;
            totals.bytes += u64::from(frame.wire_length);
            totals.payload += u64::from(payload);
            totals.tcp_flags |= flags;
        }
        true
    }

    /// The flow of a packet, made when there is none, with the packet counted in it.
    pub(super) fn flow_of(&mut self, packet: &Packet<'_>, out: &mut ObservationBatch) -> Option<u32> {
        let Ends { key, likely, .. } = packet.ends;
        let mut index = self.flows.find_likely(key, *likely);
        if let Some(found) = index
            && let Some(flow) = self.flows.get_mut(found)
        {
            let direction = flow.direction(packet.ends.from_low);
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
        let direction = flow.direction(packet.ends.from_low);
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
            client_is_low: client == key.low(),
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
        let direction = flow.direction(packet.ends.from_low);
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

    pub(super) fn segment(
        &mut self,
        packet: &Packet<'_>,
        index: u32,
        tcp: &TcpView<'_>,
        out: &mut ObservationBatch,
    ) {
        let Some(flow) = self.flows.get_mut(index) else { return };
        let direction = flow.direction(packet.ends.from_low);
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

    pub(super) fn datagram(
        &mut self,
        packet: &Packet<'_>,
        index: u32,
        udp: &UdpView<'_>,
        out: &mut ObservationBatch,
    ) {
        let Some(flow) = self.flows.get_mut(index) else { return };
        let direction = flow.direction(packet.ends.from_low);
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
    pub(super) fn close(
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
            Some(inspection) if flow.key.protocol() == TCP => inspection.tcp.app(),
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
pub(super) enum Cause {
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
