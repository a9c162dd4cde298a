//! Observations in, findings out: one file per detector.
//!
//! Each detector gives `Candidate`s; [`Detection`] decides once for all of them: validity,
//! allow list, what one observation says several times over, and how many alerts are enough.

mod candidate;
mod detection;
mod dga;
mod dns_tunnel;
mod domain;
mod finding;
mod indicator;
mod led_there;
mod letters;
mod new_names;
mod questions;
mod questions_told;
mod recurrence;
mod resolvers;
mod screen;
mod sentence;
mod shared_endings;
mod signature;

pub use detection::{Detection, DetectionCounters};
pub use finding::{Application, Beacon, Destination, Detector, DnsTunnel, Finding, IndicatorMatch, Telling};
pub use questions::{QuestionCounters, Sifted};
