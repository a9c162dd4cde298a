//! What is kept of each flow between its packets.

use super::{
    datagrams::DatagramInspection,
    emit::Roles,
    holders::Holding,
    inspection::Inspection,
    vocabulary::{FirstPacket, FlowIdentity, SideTotals},
};
use crate::{
    decode::{Tunnel, VlanStack},
    flow::{Flow, FlowKey, SideStream},
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
    /// How it began in the capture.
    pub opened: FirstPacket,
    /// What kind of flow it is.
    pub kind: Kind,
    /// The generation of indicators that were asked about its ends, see [`super::Observer::begin_generation`].
    pub generation: u32,
    /// Each side's bytes in order.
    pub sides: [SideStream; 2],
    /// Made at the first payload of a connection: of a flood of SYNs none has any.
    pub inspection: Option<Box<Inspections>>,
    /// What is known of a UDP flow's protocol.
    pub datagrams: DatagramInspection,
    /// Who it is, besides its key.
    pub who: Who,
}

/// What makes a flow's identity, besides its key.
#[derive(Debug)]
pub struct Who {
    /// EVE's `flow_id`.
    pub id: u64,
    /// The first packet's outermost tunnel.
    pub tunnel: Option<Box<Tunnel>>,
    /// VLAN tags of its first packet.
    pub vlan: VlanStack,
}

/// What else is known of a flow from its first packet; beside other small things, so that it costs no room.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Type and code of an ICMP flow's first message.
    pub icmp: Option<(u8, u8)>,
    /// Whether no claim is about the address of either end, as far as anybody was asked.
    pub is_unlisted: bool,
}

/// Whose observations those of a flow are, to be written out when there is one: most packets make none.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'f> {
    /// The flow's key.
    pub key: &'f FlowKey,
    /// Whether the key's lower end opened it.
    pub client_is_low: bool,
    /// What else makes its identity.
    pub who: &'f Who,
    /// What kind of flow it is.
    pub kind: Kind,
}

impl<'f> Whose<'f> {
    /// Those of `flow`.
    pub fn of(flow: &'f Flow<Tracked>) -> Self {
        let Tracked { who, kind, .. } = &flow.data;
        Self { key: &flow.key, client_is_low: flow.client_is_low, who, kind: *kind }
    }

    /// The identity that observations bear.
    pub fn identity(&self) -> FlowIdentity {
        let mut tuple = self.key.tuple(self.client_is_low);
        if let Some((kind, code)) = self.kind.icmp {
            // In an identity, type and code of the first message stand in the ports' places.
            (tuple.client.port, tuple.server.port) = (kind.into(), code.into());
        }
        FlowIdentity {
            id: self.who.id,
            tuple,
            tenant: self.key.tenant(),
            vlan: self.who.vlan,
            tunnel: self.who.tunnel.as_deref().copied(),
        }
    }
}

/// What is known of a connection's protocol.
#[derive(Debug, Default)]
pub struct Inspections {
    /// Its protocol, and the reader of that.
    pub tcp: Inspection,
    /// Bytes of each side that the capture lost.
    pub gap_bytes: [u64; 2],
    /// What the reader holds, for the budget of all flows.
    pub holding: Holding,
}

/// Boxes of flows that ended, for those that begin: they come and go as often as connections do.
#[derive(Debug, Default)]
pub struct Spare {
    #[allow(clippy::vec_box, reason = "flows take the boxes as they are")]
    boxes: Vec<Box<Inspections>>,
}

impl Spare {
    /// As many as are kept.
    const MOST: usize = 1024;

    /// Nothing known yet of a flow that began so.
    pub fn fresh(&mut self, opened: FirstPacket) -> Box<Inspections> {
        let mut inspections = self.boxes.pop().unwrap_or_default();
        if opened == FirstPacket::Midstream {
            inspections.tcp = Inspection::midstream();
        }
        inspections
    }

    /// Takes what an ended flow had.
    pub fn give_back(&mut self, mut inspections: Box<Inspections>) {
        if self.boxes.len() < Self::MOST {
            *inspections = Inspections::default();
            self.boxes.push(inspections);
        }
    }
}

/// Who is a flow's client. Where the handshake was seen there is no doubt, else the protocol tells.
pub fn roles_of(
    opened: FirstPacket,
    inspection: Option<&Inspections>,
    datagrams: &DatagramInspection,
) -> Roles {
    let is_guess = matches!(opened, FirstPacket::Midstream | FirstPacket::Datagram);
    let is_swapped = |seen: &Inspections| seen.tcp.roles_swapped();
    let swapped = is_guess && (datagrams.roles_swapped() || inspection.is_some_and(is_swapped));
    Roles { swapped, relayed: false }
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
