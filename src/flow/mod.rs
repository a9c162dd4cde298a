//! Flows: who talks to whom, in which state, and each side's bytes in order.

mod key;

pub use key::{Direction, Endpoint, FiveTuple, FlowKey};
