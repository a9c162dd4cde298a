//! Flows: who talks to whom, in which state, and each side's bytes in order.

mod community_id;
mod fragments;
mod held_pieces;
mod key;
mod reassembly;
mod table;
mod tcp;
mod timers;

pub use community_id::{CommunityId, counterpart};
pub use fragments::{Datagram, FragmentCounters, FragmentOutcome, Fragments, Refusal, fuzz_fragments};
pub use key::{Direction, Endpoint, FiveTuple, FlowKey, StableHash, WordHash};
pub use reassembly::{Piece, ReassemblyBudget, ReassemblyCounters, SideStream, fuzz_reassembly};
pub use table::{Flow, FlowTable, TableCounters};
pub use tcp::{TcpState, TcpTracker};
pub use timers::{Entry, Timers};
