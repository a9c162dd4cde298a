//! What other indicators change while flows are open.
//!
//! Whether anybody lists the ends of a flow is asked when it begins, and its beginning is told once. When other
//! indicators come, a flow that goes on has been told to those before only. So each such flow is asked about and told
//! once more, at its next packet or, where none comes, at its end. No flow is touched before: the hand-over costs the
//! same whatever stands in the table.

use std::sync::Arc;

use super::{
    batch::ObservationBatch,
    emit::Emitter,
    ends::{Packet, dns_flow_id},
    flow_packets::Cause,
    observer::Observer,
    screening::{Screen, Screening},
    tracked::{Tracked, Whose, roles_of},
    vocabulary::StillOpen,
};
use crate::flow::{Direction, Flow};

impl Observer {
    /// Goes over to other indicators, asked through `screen` where anybody is to be asked. To be called between two
    /// batches of frames, by all observers between the same two.
    pub fn begin_generation(&mut self, screen: Option<Arc<dyn Screen>>) {
        // It goes round; a flow that had no packet during 2^32 of them would be taken for asked.
        self.generation = self.generation.wrapping_add(1);
        self.screening = screen.map(Screening::new);
    }

    /// Asks about the flow at `place`, which began under earlier indicators, and tells of it at its packet.
    #[cold]
    pub(super) fn ask_again(&mut self, packet: &Packet<'_>, place: u32, out: &mut ObservationBatch) {
        if let Some(flow) = self.asked_again(place) {
            let emitter = Emitter::for_packet(out, Whose::of(flow), packet.time, packet.number, 0);
            tell(flow, flow.direction(packet.ends.from_low), emitter);
        }
    }

    /// The same at its end.
    #[cold]
    pub(super) fn ask_at_end(&mut self, place: u32, cause: Cause, packet: u64, out: &mut ObservationBatch) {
        if let Some(flow) = self.asked_again(place) {
            tell(flow, Direction::ToServer, cause.emitter(out, Whose::of(flow), packet, flow.first_packet));
        }
    }

    /// Notes of the flow at `place` that it is asked about by the indicators of now, and what their screen answers.
    /// `None` when nothing is to be told of it: a connection that is over is left to those under which it ended, and
    /// of DNS each message is asked about, its flow never.
    fn asked_again(&mut self, place: u32) -> Option<&Flow<Tracked>> {
        let flow = self.flows.get_mut(place)?;
        flow.data.generation = self.generation;
        let screening = self.screening.as_ref();
        flow.data.kind.is_unlisted = screening.is_some_and(|screening| screening.is_unlisted_flow(&flow.key));
        let is_told = !flow.tcp.is_over() && flow.data.who.id != dns_flow_id(&flow.key);
        is_told.then_some(flow)
    }
}

/// Tells that `flow` goes on.
fn tell(flow: &Flow<Tracked>, direction: Direction, mut emitter: Emitter<'_>) {
    let Tracked { opened, exchanged, inspection, datagrams, .. } = &flow.data;
    let seen = StillOpen { first: flow.first, opened: *opened, exchanged: *exchanged };
    emitter.still_open(direction, seen, roles_of(*opened, inspection.as_deref(), datagrams));
}
