//! What a packet does to its flow: opens it, moves it on, ends it.

use super::{
    batch::ObservationBatch,
    datagrams::{DatagramInspection, dns_direction, dns_service},
    emit::{Emitter, Roles},
    ends::{Ends, Packet, dns_flow_id, flow_id, is_server_port, is_stray},
    holders::Holding,
    inspection::BOTH,
    observer::Observer,
    tracked::{Kind, Tracked, Who, Whose, roles_of},
    vocabulary::{DnsService, FirstPacket, FlowClosed, FlowEnd},
};
use crate::{
    decode::{TcpView, Transport, UdpView},
    flow::{Flow, FlowTable, Piece, ReassemblyBudget, SideStream, TcpState, TcpTracker},
    limits,
    protocol::Need,
    source::Frame,
    time::{SECOND, Timestamp},
};

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
            || flow.data.generation != self.generation
            || flags & TcpView::ACK == 0
            || flags & !PLAIN != 0
            || flow.key != ends.key
            // Settled is an established connection.
            || self.clock.since(flow.touched) >= limits::TCP_ESTABLISHED_TIMEOUT * SECOND
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
        let Ends { key, likely, from_low, hash, .. } = packet.ends;
        let hash = hash.unwrap_or_else(|| self.flows.hash(key));
        let found = self.flows.find_likely(key, hash, *likely);
        let index = match found.and_then(|found| Some((found, self.end_of(packet, found)?))) {
            // What the packet belongs to is over, so that it begins something new.
            Some((found, (end, cause))) => {
                self.close(found, end, cause, packet.number, out);
                None
            }
            None => found,
        };
        let index = match index {
            Some(found) => found,
            None if is_stray(packet) => return None,
            None => self.open(packet, hash, out),
        };
        let flow = self.flows.get_mut(index)?;
        flow.last = flow.last.max(packet.time);
        flow.touched = self.clock;
        let direction = flow.direction(*from_low);
        let totals = flow.data.totals.get_mut(direction.index())?;
        totals.packets += 1;
        totals.bytes += u64::from(packet.wire_length);
        if flow.data.generation != self.generation {
            self.ask_again(packet, index, out);
        }
        Some(index)
    }

    /// Why the flow that stands at `place` has come to its end before this packet; `None` where it has not.
    #[inline]
    fn end_of(&self, packet: &Packet<'_>, place: u32) -> Option<(FlowEnd, Cause)> {
        let flow = self.flows.get(place)?;
        let deadline = flow.deadline();
        if deadline <= self.clock {
            return Some((FlowEnd::Timeout, Cause::Timer(deadline)));
        }
        let Transport::Tcp(tcp) = &packet.transport else { return None };
        let reopened = flow.tcp.is_reopened_by(tcp, flow.direction(packet.ends.from_low));
        reopened.then_some((FlowEnd::Reused, Cause::Packet(packet.time)))
    }

    /// Puts a new flow into the table and tells of it.
    fn open(&mut self, packet: &Packet<'_>, hash: u64, out: &mut ObservationBatch) -> u32 {
        while let Some(old) = self.flows.must_go() {
            self.close(old, FlowEnd::Evicted, Cause::Packet(packet.time), packet.number, out);
        }
        let Ends { key, from_low, .. } = packet.ends;
        let (opened, sender_is_client) = match &packet.transport {
            Transport::Tcp(tcp) if tcp.has(TcpView::SYN) => {
                let answer = tcp.has(TcpView::ACK);
                (if answer { FirstPacket::SynAck } else { FirstPacket::Syn }, !answer)
            }
            // A refusal whose SYN was not captured, see `is_stray`.
            Transport::Tcp(tcp) if tcp.has(TcpView::RST) => (FirstPacket::Midstream, false),
            Transport::Tcp(_) => (FirstPacket::Midstream, !is_server_port(packet)),
            _ => (FirstPacket::Datagram, !is_server_port(packet)),
        };
        let icmp = match &packet.transport {
            Transport::Icmp { kind, code, .. } => Some((*kind, *code)),
            _ => None,
        };
        // Where DNS flows are followed only for the sake of records, identity must not depend on it.
        let is_dns = matches!(&packet.transport, Transport::Udp(udp) if dns_service(udp).is_some());
        let id = if is_dns { dns_flow_id(key) } else { flow_id(key, packet.time) };
        let is_unlisted = self.screening.as_ref().is_some_and(|screening| screening.is_unlisted_flow(key));
        let flow = Flow {
            key: *key,
            client_is_low: *from_low == sender_is_client,
            first: packet.time,
            last: packet.time,
            touched: self.clock,
            first_packet: packet.number,
            tcp: TcpTracker::default(),
            data: Tracked {
                totals: Default::default(),
                exchanged: false,
                settled: false,
                opened,
                kind: Kind { icmp, is_unlisted },
                generation: self.generation,
                sides: Default::default(),
                inspection: None,
                datagrams: DatagramInspection::default(),
                who: Who { id, tunnel: packet.carrier.tunnel().map(Box::new), vlan: packet.carrier.vlan() },
            },
        };
        let index = self.flows.insert(flow, hash);
        if !is_dns && let Some(flow) = self.flows.get(index) {
            let direction = flow.direction(*from_low);
            Emitter::for_packet(out, Whose::of(flow), packet.time, packet.number, 0)
                .flow_opened(direction, opened);
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
        let (here, there) = (direction.index(), direction.reverse().index());
        let Flow { key, client_is_low, tcp: connection, data, .. } = flow;
        let Tracked { totals, exchanged, settled, opened, sides, inspection, datagrams, who, kind, .. } =
            data;
        let was_over = connection.is_over();
        let was_opening = connection.is_opening();
        connection.segment(tcp, direction);
        let shorter_timeout = !was_over && connection.is_over() && !was_opening;

        totals[here].tcp_flags |= tcp.flags;
        totals[here].payload += u64::from(tcp.payload_length);
        let whose = Whose { key, client_is_low: *client_is_low, who, kind: *kind };
        // The packet's first observation may have been the flow's opening.
        let mut emitter = Emitter::for_packet(out, whose, packet.time, packet.number, 1)
            .screened_by(self.screening.as_mut());

        // Before what the payload says: that there is an answer comes before what it is.
        if !*exchanged && totals[here].payload > 0 {
            *exchanged = totals[there].payload > 0 || connection.acknowledges_payload(tcp, direction);
            if *exchanged {
                let roles = roles_of(*opened, inspection.as_deref(), datagrams);
                emitter.exchange(direction, *opened, roles);
            }
        }

        let first_byte = if tcp.has(TcpView::SYN) { tcp.sequence.wrapping_add(1) } else { tcp.sequence };
        if tcp.has(TcpView::SYN) {
            sides[here].start(first_byte);
        }
        let mut is_told = false;
        if tcp.has(TcpView::ACK) && sides[there].is_waiting() {
            let side = &mut sides[there];
            let mut need = Need::More;
            side.acknowledged(tcp.acknowledgment, &mut self.budget, &mut |piece| {
                let inspection = inspection.get_or_insert_with(|| self.spare.fresh(*opened));
                inspection.gap_bytes[there] += lost(&piece);
                need = inspection.tcp.piece(direction.reverse(), piece, &mut emitter);
                is_told = true;
            });
            apply(need, side, &mut self.budget);
        }
        if tcp.payload_length > 0
            && sides[here].is_wanted()
            && !sides[here].pass_over(first_byte, tcp.payload_length)
        {
            if self.options.decode.checksums {
                self.counters.checksum(&packet.transport, packet.carrier.has_wrong_checksum());
            }
            let side = &mut sides[here];
            let mut need = Need::More;
            side.segment(first_byte, tcp.payload, tcp.payload_length, &mut self.budget, &mut |piece| {
                let inspection = inspection.get_or_insert_with(|| self.spare.fresh(*opened));
                inspection.gap_bytes[here] += lost(&piece);
                need = inspection.tcp.piece(direction, piece, &mut emitter);
                is_told = true;
            });
            apply(need, side, &mut self.budget);
        }
        // What readers hold changes with what they are told only.
        let is_holding = inspection.as_deref_mut().is_some_and(|inspection| {
            if is_told {
                let held = inspection.tcp.held();
                self.holders.update(index, &mut inspection.holding, held);
            }
            inspection.holding.is_some()
        });
        let is_read = sides.iter().any(SideStream::is_wanted);
        *settled = *exchanged && !is_holding && !is_read && connection.state() == TcpState::Established;
        if shorter_timeout {
            self.flows.rearm(index);
        }
        if is_told && self.holders.is_crowded() {
            self.make_room(packet, out);
        }
    }

    /// While readers hold too much, the flow that has held longest tells what it has and is read no further.
    fn make_room(&mut self, packet: &Packet<'_>, out: &mut ObservationBatch) {
        let flows = &self.flows;
        self.holders.tidy(|place| holding_at(flows, place));
        while self.holders.is_over() {
            let flows = &self.flows;
            let Some(place) = self.holders.take_oldest(|place| holding_at(flows, place)) else { return };
            let Some(flow) = self.flows.get_mut(place) else { continue };
            let Flow { key, client_is_low, data, .. } = flow;
            let Tracked { sides, inspection, datagrams, who, kind, .. } = data;
            let whose = Whose { key, client_is_low: *client_is_low, who, kind: *kind };
            let mut emitter = Emitter::for_packet(out, whose, packet.time, packet.number, 1)
                .screened_by(self.screening.as_mut());
            if let Some(inspection) = inspection {
                inspection.tcp.finish(&mut emitter);
                self.holders.update(place, &mut inspection.holding, 0);
            }
            datagrams.finish(&mut emitter);
            if let Some((_, holding)) = datagrams.held() {
                self.holders.update(place, holding, 0);
            }
            sides.iter_mut().for_each(|side| side.stop(&mut self.budget));
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
        let Flow { key, client_is_low, data, .. } = flow;
        let Tracked { totals, exchanged, opened, datagrams, who, kind, .. } = data;
        totals[direction.index()].payload += u64::from(udp.payload_length);
        let whose = Whose { key, client_is_low: *client_is_low, who, kind: *kind };
        let mut emitter = Emitter::for_packet(out, whose, packet.time, packet.number, 1);
        let is_dns = dns_service(udp).is_some();
        if !*exchanged && !is_dns && totals.iter().all(|side| side.payload > 0) {
            *exchanged = true;
            emitter.exchange(direction, *opened, roles_of(*opened, None, datagrams));
        }
        if self.options.decode.checksums && datagrams.is_wanted() {
            self.counters.checksum(&packet.transport, packet.carrier.has_wrong_checksum());
        }
        if is_dns {
            self.counters.dns_messages += 1;
            datagrams.is_dns();
            let role = dns_direction(udp);
            let roles = Roles { swapped: role != direction, relayed: false };
            emitter.dns(role, udp.payload, DnsService::Dns, false, roles);
        } else {
            self.counters.dns_messages += datagrams.inspect(direction, udp, &mut emitter);
        }
        if let Some((held, holding)) = datagrams.held() {
            self.holders.update(index, holding, held);
            if self.holders.is_crowded() {
                self.make_room(packet, out);
            }
        }
    }

    /// Tells what is left of the flow at `place`, and its end, and takes it out of the table.
    pub(super) fn close(
        &mut self,
        place: u32,
        end: FlowEnd,
        cause: Cause,
        packet: u64,
        out: &mut ObservationBatch,
    ) {
        if self.flows.get(place).is_some_and(|flow| flow.data.generation != self.generation) {
            self.ask_at_end(place, cause, packet, out);
        }
        let Some(flow) = self.flows.get_mut(place) else { return };
        let Flow { key, client_is_low, data, tcp, first, last, first_packet, .. } = flow;
        let Tracked { totals, opened, sides, inspection, datagrams, who, kind, .. } = data;
        let whose = Whose { key, client_is_low: *client_is_low, who, kind: *kind };
        let mut emitter =
            cause.emitter(out, whose, packet, *first_packet).screened_by(self.screening.as_mut());
        if let Some(inspection) = inspection {
            self.holders.update(place, &mut inspection.holding, 0);
        }
        if let Some((_, holding)) = datagrams.held() {
            self.holders.update(place, holding, 0);
        }
        for (direction, side) in BOTH.into_iter().zip(sides) {
            side.finish(&mut self.budget, &mut |piece| {
                let inspection = inspection.get_or_insert_with(|| self.spare.fresh(*opened));
                inspection.gap_bytes[direction.index()] += lost(&piece);
                inspection.tcp.piece(direction, piece, &mut emitter);
            });
        }
        if let Some(inspection) = inspection {
            inspection.tcp.finish(&mut emitter);
        }
        datagrams.finish(&mut emitter);
        let end = match (end, tcp.state()) {
            (FlowEnd::Timeout | FlowEnd::EndOfInput | FlowEnd::Reused, TcpState::Closed) => FlowEnd::Fin,
            (
                FlowEnd::Timeout | FlowEnd::EndOfInput | FlowEnd::Reused,
                TcpState::Reset | TcpState::Refused,
            ) => FlowEnd::Rst,
            (end, _) => end,
        };
        let roles = roles_of(*opened, inspection.as_deref(), datagrams);
        let [mut to_server, mut to_client] = *totals;
        let mut gap_bytes = inspection.as_deref().map_or([0; 2], |inspection| inspection.gap_bytes);
        if roles.swapped {
            std::mem::swap(&mut to_server, &mut to_client);
            gap_bytes.reverse();
        }
        let app_protocol = match inspection.as_deref() {
            Some(inspection) => inspection.tcp.app(),
            None => datagrams.app(),
        };
        let closed = FlowClosed {
            first: *first,
            last: *last,
            opened: *opened,
            to_server,
            to_client,
            state: tcp.state(),
            end,
            app_protocol,
            gap_bytes,
            data_after_reset: tcp.data_after_reset,
        };
        emitter.flow_closed(closed, roles);
        if let Some(inspection) = inspection.take() {
            self.spare.give_back(inspection);
        }
        self.flows.remove(place);
    }
}

/// What the readers of the flow at `place` hold.
fn holding_at(flows: &FlowTable<Tracked>, place: u32) -> Option<Holding> {
    let data = &flows.get(place)?.data;
    Some(data.inspection.as_deref().map_or_else(|| data.datagrams.holding(), |inspection| inspection.holding))
}

/// What ends a flow.
#[derive(Clone, Copy)]
pub(super) enum Cause {
    /// A timer that was due then, before the packet that set it off.
    Timer(Timestamp),
    /// A packet of that time which needs the flow's place.
    Packet(Timestamp),
}

impl Cause {
    /// For what the end tells, at packet `packet`, of the flow that began with `first_packet`.
    pub(super) fn emitter<'b>(
        self,
        out: &'b mut ObservationBatch,
        whose: Whose<'b>,
        packet: u64,
        first_packet: u64,
    ) -> Emitter<'b> {
        match self {
            Self::Timer(due) => Emitter::for_timer(out, whose, due, packet, first_packet),
            Self::Packet(time) => Emitter::for_packet(out, whose, time, packet, 0),
        }
    }
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
