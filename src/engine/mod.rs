//! The running machine: readers, workers, detection, and the hand-over between them.
//!
//! ```text
//! timeline --FrameBatch--> worker 1..N (observe) --ObservationBatch--> merge --> analysis (names, detect, incidents, events)
//! ```
//!
//! Every worker reads every frame's headers and keeps its share of the flows; the observations of one
//! batch of frames are merged by packet number before detection sees them. Channels are bounded: whoever is
//! slow holds the others back, and nothing is dropped.

mod analysis;
mod blindness;
mod pipeline;

pub use analysis::{Analysis, AnalysisOptions, Seen};
pub use blindness::blindness;
pub use pipeline::{Finished, PipelineError, PipelineOptions, run};
