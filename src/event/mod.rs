//! Events: one JSON object per line, shaped like Suricata's EVE, so that what reads EVE reads ours.
//!
//! | event_type | made by | when |
//! |---|---|---|
//! | `alert` | [`alert()`] | a detector found something |
//! | `incident` | [`incident()`] | an asset's verdict was made, grew or was closed |
//! | `dns`, `mdns`, `tls`, `quic`, `http`, `flow` | [`Records`] | plain traffic, with `--records` |
//! | `health` | [`indicators()`] | something about the sensor itself changed: its indicators |
//! | `stats` | [`stats()`] | all counters |
//!
//! `docs/event.schema.json` says which fields each of them has. What EVE has no place for stands in one
//! object of our own, `callhome` (in `incident` events: `incident`).
//!
//! The same traffic gives the same bytes: fields have a fixed order, times are packet time, and what is
//! not known is left out. For that reason no event names the file that a packet came from (EVE's
//! `pcap_filename`): one capture and the same capture in ten pieces must not differ. `pcap_cnt` counts
//! the packets of the whole timeline, from 1.
//!
//! Nothing in an event can harm its reader ([`text`]), and no event is longer than
//! [`crate::limits::EVENT_BYTES`]: `line.rs` says what is left out first.

pub mod fuzz;
pub mod text;

mod alert;
mod dns;
mod eve;
mod flow;
mod http;
mod incident;
mod indicators;
mod line;
mod open_flows;
mod records;
mod stats;
mod tls;

pub use alert::alert;
pub use incident::{IncidentAction, incident};
pub use indicators::{IndicatorsState, indicators};
pub use records::{Records, RecordsCounters};
pub use stats::stats;

use crate::flow::{CommunityId, FiveTuple};

/// What a user may choose about events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventOptions {
    /// Seed of `community_id`; `None` leaves the field out.
    pub community_id_seed: Option<u16>,
}

impl Default for EventOptions {
    /// Community IDs under the seed 0, as every other tool writes them unless told otherwise.
    fn default() -> Self {
        Self { community_id_seed: Some(0) }
    }
}

impl EventOptions {
    /// The Community ID of a flow, if it is wanted.
    fn community_id(&self, tuple: &FiveTuple) -> Option<CommunityId> {
        self.community_id_seed.map(|seed| CommunityId::new(tuple, seed))
    }
}
