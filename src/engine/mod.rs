//! The running machine: readers, workers, detection, and the hand-over between them.
//!
//! ```text
//! timeline --FrameBatch--> worker 1..N (observe) --ObservationBatch--> merge --> analysis (names, detect, incidents, events)
//! ```
//!
//! Every worker reads every frame's headers and keeps its share of the flows; the observations of one
//! batch of frames are merged by packet number before detection sees them. Channels are bounded: whoever is
//! slow holds the others back, and nothing is dropped.
//!
//! Other indicators are read beside all that ([`Reloading`]) and are in force from one batch of frames on, for all
//! workers and for detection.

mod analysis;
mod blindness;
mod pipeline;
mod reload;
mod turn;

pub use analysis::{Analysis, AnalysisOptions, Seen};
pub use blindness::blindness;
pub use pipeline::{Finished, PipelineError, PipelineOptions, run, run_with_turns};
pub use reload::{Feeds, Reloading};
pub use turn::{Border, Generation, Reload, ReloadCounts, Turn, Turns};
