//! What is kept of each flow between its packets.

use super::{
    datagrams::DatagramInspection,
    emit::{Emitter, Roles},
    holders::Holding,
    inspection::Inspection,
    vocabulary::{FirstPacket, FlowIdentity, SideTotals},
};
use crate::{
    decode::{Tunnel, VlanStack},
    flow::{Flow, SideStream},
};

/// What the observer keeps of one flow; first what every packet needs, see [`Flow`].
#[derive(Debug)]
#[repr(C)]
pub struct Tracked {
    /// What each side sent, in the order of [`crate::flow::Direction::index`], as the arrays below.
    pub totals: [SideTotals; 2],
    /// Whether both sides' payload was told.
    pub exchanged: bool,
    /// Whether no plain segment can tell anything more: the connection stands, both sides' payload was told, and
    /// nobody reads what follows.
    pub settled: bool,
    /// EVE's `flow_id`.
    pub id: u64,
    /// How it began in the capture.
    pub opened: FirstPacket,
    /// VLAN tags of its first packet.
    pub vlan: VlanStack,
    /// The first packet's outermost tunnel.
    pub tunnel: Option<Box<Tunnel>>,
    /// Type and code of an ICMP flow's first message.
    pub icmp: Option<(u8, u8)>,
    /// Each side's bytes in order.
    pub sides: [SideStream; 2],
    /// Made at the first payload: of a flood of SYNs none has any.
    pub inspection: Option<Box<Inspections>>,
}

/// What is known of a flow's protocol; one of the two stays empty, and an empty one owns no memory.
#[derive(Debug, Default)]
pub struct Inspections {
    /// Of a TCP connection.
    pub tcp: Inspection,
    /// Of a UDP flow.
    pub udp: DatagramInspection,
    /// Bytes of each side that the capture lost.
    pub gap_bytes: [u64; 2],
    /// What the readers hold, for the budget of all flows.
    pub holding: Holding,
}

impl Inspections {
    /// Nothing known yet of a flow that began so.
    pub fn of(opened: FirstPacket) -> Box<Self> {
        let is_midstream = opened == FirstPacket::Midstream;
        let tcp = if is_midstream { Inspection::midstream() } else { Inspection::default() };
        Box::new(Self { tcp, ..Self::default() })
    }

    /// Bytes held for messages that are not whole.
    pub fn held(&self) -> usize {
        self.tcp.held() + self.udp.held()
    }

    /// Tells what is left.
    pub fn finish(&mut self, emitter: &mut Emitter<'_>) {
        self.tcp.finish(emitter);
        self.udp.finish(emitter);
    }
}

impl Tracked {
    /// Who is the flow's client. Where the handshake was seen there is no doubt, else the protocol tells.
    pub fn roles(&self) -> Roles {
        let is_guess = matches!(self.opened, FirstPacket::Midstream | FirstPacket::Datagram);
        let is_swapped = |seen: &Inspections| seen.tcp.roles_swapped() || seen.udp.roles_swapped();
        let swapped = is_guess && self.inspection.as_deref().is_some_and(is_swapped);
        Roles { swapped, relayed: false }
    }
}

/// Whose observations those of the flow are.
pub fn identity_of(flow: &Flow<Tracked>) -> FlowIdentity {
    let mut tuple = flow.tuple();
    if let Some((kind, code)) = flow.data.icmp {
        // In an identity, type and code of the first message stand in the ports' places.
        (tuple.client.port, tuple.server.port) = (kind.into(), code.into());
    }
    FlowIdentity {
        id: flow.data.id,
        tuple,
        tenant: flow.key.tenant(),
        vlan: flow.data.vlan,
        tunnel: flow.data.tunnel.as_deref().copied(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_flow_without_payload_is_small() {
        assert!(
            size_of::<super::Flow<super::Tracked>>() <= 336,
            "{}",
            size_of::<super::Flow<super::Tracked>>()
        );
    }
}
