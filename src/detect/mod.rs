//! Observations in, findings out: one file per detector.

mod finding;

pub use finding::{Application, Destination, Detector, Finding, IndicatorMatch, NameSource, NamedBy};
