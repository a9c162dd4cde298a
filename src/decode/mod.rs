//! From a frame to its innermost transport header: pure views, no state, no allocation.
//!
//! [`decode`] walks link layer, tags, labels, IP, extension headers and tunnels down to TCP, UDP or
//! whatever else IP carries. It is *lax*: it goes as far as the bytes allow and says in
//! [`Decoded::stop`] where and why it ended; a frame cut by the snap length is a normal thing.
//! Oddities are [`Anomalies`], not errors.

mod anomaly;
mod link;
mod packet;
mod tenant;

pub use anomaly::{Anomalies, Anomaly, Layer, Stop, StopReason};
pub use link::LinkType;
pub use packet::{Decoded, Fragment, Network, TcpView, Transport, Tunnel, TunnelKind, UdpView, VlanStack};
pub use tenant::{Tenant, TenantKind};
