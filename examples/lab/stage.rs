//! Where a recipe's packets gather before they become frames.

use std::net::IpAddr;
use std::rc::Rc;

use crate::wire::ip::{self, Shape};
use crate::wire::tcp::Side;
use crate::wire::tunnel::{self, Tunnel};

/// Nanoseconds since the Unix epoch, or between two moments.
pub type Nanos = i64;

/// One transport message on its way.
#[derive(Clone, Debug)]
pub struct Packet {
    /// When the capture sees it.
    pub at: Nanos,
    /// Sender.
    pub source: IpAddr,
    /// Receiver.
    pub target: IpAddr,
    /// IP protocol number.
    pub protocol: u8,
    /// Transport header and payload.
    pub message: Vec<u8>,
    /// Which side of the conversation sent it.
    pub side: Side,
}

/// A network-layer packet, tunnels included, at its time.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When the capture sees it.
    pub at: Nanos,
    /// The packet, outermost header first.
    pub unit: ip::Unit,
    /// Which side of the conversation sent it.
    pub side: Side,
}

/// How packets are dressed from now on: their IP header's oddities and the tunnels around them.
#[derive(Clone, Debug, Default)]
pub struct Dress {
    /// IP options and fragments.
    pub shape: Shape,
    /// Tunnels and tags, outermost first.
    pub tunnels: Vec<Tunnel>,
}

/// All packets of one capture, in the order in which the recipe made them.
#[derive(Debug, Default)]
pub struct Stage {
    packets: Vec<(Packet, Rc<Dress>)>,
    dress: Rc<Dress>,
}

impl Stage {
    /// Adds one packet, dressed as told last.
    pub fn add(&mut self, packet: Packet) {
        self.packets.push((packet, Rc::clone(&self.dress)));
    }

    /// How the packets from here on are dressed; gives what was told before.
    pub fn dress(&mut self, dress: Rc<Dress>) -> Rc<Dress> {
        std::mem::replace(&mut self.dress, dress)
    }

    /// The dress told last.
    pub fn current_dress(&self) -> &Dress {
        &self.dress
    }

    /// The packets in the order of time (those of one moment as the recipe made them), with their IP
    /// headers, fragments and tunnels.
    pub fn into_sent(mut self) -> Vec<Sent> {
        self.packets.sort_by_key(|(packet, _)| packet.at);
        let mut sent = Vec::with_capacity(self.packets.len());
        for (index, (packet, dress)) in self.packets.into_iter().enumerate() {
            // Any sequence without repetition within a short time will do (RFC 6864).
            let id = (index as u32).wrapping_mul(0x9e37_79b1) >> 3;
            let units =
                ip::packets(packet.source, packet.target, packet.protocol, &packet.message, id, &dress.shape);
            for unit in units {
                let unit = tunnel::wrap(unit, &dress.tunnels, packet.side, index as u32);
                sent.push(Sent { at: packet.at, unit, side: packet.side });
            }
        }
        sent
    }
}
