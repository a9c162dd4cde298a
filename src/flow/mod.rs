//! Flows: who talks to whom, in which state, and each side's bytes in order.

mod community_id;
mod fragments;
mod key;
mod reassembly;

pub use community_id::{CommunityId, counterpart};
pub use fragments::{Datagram, FragmentCounters, FragmentOutcome, Fragments, Refusal, fuzz_fragments};
pub use key::{Direction, Endpoint, FiveTuple, FlowKey};
pub use reassembly::{Piece, ReassemblyBudget, ReassemblyCounters, SideStream, fuzz_reassembly};
