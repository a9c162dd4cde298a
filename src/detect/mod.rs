//! Observations in, findings out: one file per detector.
//!
//! Each detector gives `Candidate`s; [`Detection`] decides once for all of them: validity,
//! allow list, what one observation says several times over, and how many alerts are enough.

mod candidate;
mod detection;
mod finding;
mod indicator;
mod led_there;
mod recurrence;
mod screen;
mod sentence;
mod signature;

pub use detection::{Detection, DetectionCounters};
pub use finding::{Application, Beacon, Destination, Detector, Finding, IndicatorMatch, Telling};
