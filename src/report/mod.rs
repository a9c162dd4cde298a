//! What a person reads: the summary at the end, the progress bar on the way there, and what indicators are worth.

mod explanation;
mod layout;
mod progress;
mod sources;
mod summary;

pub use explanation::explanation;
pub use layout::Style;
pub use progress::{Progress, ProgressState};
pub use sources::sources;
pub use summary::{FindingCounts, Summary, summary};
