//! From a frame to its innermost transport header: pure views, no state, no allocation.
//!
//! [`decode`] walks link layer, tags, labels, IP, extension headers and tunnels down to TCP, UDP or
//! whatever else IP carries. It is *lax*: it goes as far as the bytes allow and says in
//! [`Decoded::stop`] where and why it ended; a frame cut by the snap length is a normal thing.
//! Oddities are [`Anomalies`], not errors.
//!
//! Each file reads the layers of one family as methods of the `walk::Walk` cursor; the methods answer
//! what comes next, so that the walk is one bounded loop. `plain` is a short cut for plain frames.

mod anomaly;
mod capture_header;
mod checksum;
#[cfg(test)]
mod differential;
mod ethernet;
#[cfg(test)]
mod frames;
pub mod fuzz;
mod gre;
mod ieee80211;
mod ipv4;
mod ipv6;
mod link;
mod packet;
mod plain;
mod ppp;
mod tenant;
mod transport;
mod udp_tunnel;
mod walk;

use walk::{Next, Walk};

pub use anomaly::{Anomalies, Anomaly, Layer, Stop, StopReason};
pub use link::LinkType;
pub use packet::{Decoded, Fragment, Network, TcpView, Transport, Tunnel, TunnelKind, UdpView, VlanStack};
pub use plain::{Plain, PlainEnds};
pub use tenant::{Tenant, TenantKind};

/// What decoding does beyond the plain walk; the default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// The outermost VLAN is the tenant where no tunnel gives one.
    pub vlan_is_tenant: bool,
    /// The tunnel endpoint identifier of GTP-U is a tenant. Each direction of a session has its own
    /// identifier, so this cuts every flow into two halves: only for captures of one direction.
    pub gtp_is_tenant: bool,
    /// Checksums of IPv4 headers are verified. For those of TCP and UDP see [`Decoded::has_wrong_checksum`].
    pub checksums: bool,
}

/// Reads a frame of `wire_length` bytes, of which `frame` are captured.
#[inline]
pub fn decode<'a>(link: LinkType, frame: &'a [u8], wire_length: u32, options: &DecodeOptions) -> Decoded<'a> {
    match Plain::of(link, frame, wire_length, options) {
        Some(plain) => plain.decoded(),
        None => decode_by_layers(link, frame, wire_length, options),
    }
}

/// The same without the short cut for plain frames.
pub fn decode_by_layers<'a>(
    link: LinkType,
    frame: &'a [u8],
    wire_length: u32,
    options: &DecodeOptions,
) -> Decoded<'a> {
    walk_through(link, frame, usize::try_from(wire_length).unwrap_or(usize::MAX), options)
}

#[inline(never)]
fn walk_through<'a>(
    link: LinkType,
    frame: &'a [u8],
    wire_length: usize,
    options: &DecodeOptions,
) -> Decoded<'a> {
    Walk::new(frame, wire_length, *options).run(Next::Link(link))
}

/// Reads the payload of a datagram that was put together from fragments.
///
/// `outer` is what [`decode`] gave for one of them, with the network of the first
/// (`flow::Datagram::network`): its VLANs, tunnel and tenant are kept, and tunnels inside the
/// datagram count on from there. Offsets in [`Decoded::stop`] count from the payload's first byte.
/// Checksums are not verified, because whoever loses a fragment to the capture has no payload here.
///
/// Without a network in `outer` there is nothing to go on from, and nothing is found.
pub fn decode_datagram<'a>(outer: &Decoded<'_>, payload: &'a [u8]) -> Decoded<'a> {
    let mut walk = Walk::new(payload, payload.len(), DecodeOptions::default());
    walk.out.vlan = outer.vlan;
    walk.out.tunnel = outer.tunnel;
    walk.out.tenant = outer.tenant;
    let Some(network) = outer.network else { return walk.out };
    walk.found_network(Network { fragment: None, ..network });
    walk.run(Next::IpProtocol(network.protocol))
}
