//! From one generation of indicators to the next, between two batches of frames.
//!
//! A batch is observed by all workers and judged by one generation. So every packet sees one of them whole: what
//! follows from the indicators (screens, what is remembered of host names, which names are listed) is made anew at the
//! border, and what follows from the traffic (flows, names, incidents, what was told) stays.

use std::sync::Arc;

use crate::{
    indicator::{Knowledge, LoadReport, Refusal},
    time::Timestamp,
};

/// Indicators that are in force from one border to another.
#[derive(Clone, Debug)]
pub struct Generation {
    /// From 1, those that the run began with.
    pub number: u64,
    /// The indicators.
    pub knowledge: Arc<Knowledge>,
}

/// What became of reading the indicators again.
#[derive(Clone, Debug)]
pub enum Reload {
    /// Others are in force now.
    Taken(Generation),
    /// The last good ones stay.
    Refused(Refusal),
}

/// What became of all reloads of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReloadCounts {
    /// Those that gave a new generation.
    pub taken: u64,
    /// Those that were refused.
    pub refused: u64,
}

/// What is to be done and told at the next border.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// In the order in which they came; at most one was taken.
    pub reloads: Vec<Reload>,
    /// All until now.
    pub counts: ReloadCounts,
}

impl Turn {
    /// The generation that is in force from now on, if it is another one.
    pub fn generation(&self) -> Option<&Generation> {
        self.reloads.iter().find_map(|reload| match reload {
            Reload::Taken(generation) => Some(generation),
            Reload::Refused(_) => None,
        })
    }
}

/// A turn and where it stands among the packets.
#[derive(Clone, Debug)]
pub struct Border {
    /// What is done.
    pub turn: Turn,
    /// Number and time of the first packet behind it; `None` at the end of input.
    pub first: Option<(u64, Timestamp)>,
}

/// Asked before each batch of frames whether there is a turn.
pub type Turns<'t> = dyn FnMut() -> Option<Turn> + Send + 't;

/// How many files a user named, and how many entries were taken of them; what is built in is left out.
pub fn named(report: &LoadReport) -> (usize, usize) {
    let named = report.sources.iter().filter(|source| !source.file.starts_with("builtin:"));
    named.fold((0, 0), |(files, entries), source| (files + 1, entries + source.accepted))
}
