//! Findings grow into one verdict per asset.

mod ladder;

pub use ladder::{Evidence, Incident, RungReached};
