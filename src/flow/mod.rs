//! Flows: who talks to whom, in which state, and each side's bytes in order.

mod key;
mod reassembly;

pub use key::{Direction, Endpoint, FiveTuple, FlowKey};
pub use reassembly::{Piece, ReassemblyBudget, ReassemblyCounters, SideStream, fuzz_reassembly};
