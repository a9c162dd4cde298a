//! Findings grow into one verdict per asset.

mod ladder;
mod machines;
mod tracker;
mod visibility;

pub use ladder::{Evidence, EvidenceKind, Incident, RungReached};
pub use tracker::{Change, Incidents};
pub use visibility::Visibility;
