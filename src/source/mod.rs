//! Where frames come from: capture files of every common form, in one timeline.
//!
//! ```text
//! discover      sniff          mapped | stream      pcap | pcapng     input           timeline
//! paths    ->   what it   ->   bytes in        ->   one step over ->  one capture ->  all captures
//! to files      is             chunks               a record          in order        in order
//! ```
//!
//! The loop over the records of a chunk is in `run`; over large records of mapped files `borders` goes
//! ahead of it.
//!
//! A [`Timeline`] puts any number of inputs in the order of packet time and hands them on as
//! [`FrameBatch`]es. A batch owns small descriptors and shares the bytes (a mapped file, or a decoded
//! chunk of a compressed one), so that several workers can read it at once without a copy.

mod batch;
mod borders;
mod compression;
mod discover;
mod filter;
mod held;
mod input;
mod mapped;
mod notice;
mod pcap;
mod pcapng;
mod progress;
mod record;
mod reorder;
mod run;
mod segments;
mod sniff;
mod stream;
mod tally;
mod timeline;

pub mod fuzz;

#[cfg(test)]
mod tests;

pub use batch::{Chunk, Frame, FrameBatch, FrameRecord};
pub use compression::Compression;
pub use filter::{Filter, FilterError};
pub(crate) use mapped::Mapped;
pub use notice::{Damage, Notice, NoticeKind, Severity};
pub use progress::Progress;
pub use sniff::{Content, Known};
pub use timeline::{Accounting, Outcome, Timeline};
