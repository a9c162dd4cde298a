//! Flows: who talks to whom, in which state, and each side's bytes in order.

mod community_id;
mod key;

pub use community_id::{CommunityId, counterpart};
pub use key::{Direction, Endpoint, FiveTuple, FlowKey};
