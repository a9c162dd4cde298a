//! What a person reads: the summary at the end, and the progress bar on the way there.

mod layout;
mod progress;
mod summary;

pub use layout::Style;
pub use progress::{Progress, ProgressState};
pub use summary::{FindingCounts, Summary, summary};
