//! The waist of the hourglass: one small vocabulary for what was seen on the wire.
//!
//! Left of it (decode, flow, protocol) nothing knows what an attack is; right of it (detect, incident,
//! event) nothing knows what a packet is. Live traffic and capture files enter detection as the same
//! observations, in the same order, whatever the number of workers that made them.

mod batch;
mod counters;
mod datagrams;
mod emit;
mod ends;
mod flow_packets;
mod holders;
mod inspection;
mod observer;
mod screening;
mod shares;
mod still_open;
mod tls_told;
mod tracked;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use batch::{Item, ObservationBatch, merge_in_order};
pub use counters::{Counters, add_counters};
pub use ends::dns_flow_id;
pub use observer::{Observer, ObserverOptions};
pub use screening::{Asked, HostFacts, Hosts, Screen};
pub use shares::Shares;
pub use vocabulary::{
    CertificatesSeen, DnsFacts, DnsSeen, DnsService, FirstPacket, FlowClosed, FlowEnd, FlowIdentity, Head,
    HelloSeen, Observation, Order, QuietDns, QuietHead, Seen, SideTotals, StillOpen,
};
