//! Where events go: a file or standard output, line by line.

mod error;
mod sink;

pub use error::OutputError;
pub use sink::{EventSink, SinkCounts, same_file};
