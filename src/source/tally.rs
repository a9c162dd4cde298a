//! What one input's reading counted and noticed.

use std::collections::BTreeMap;

use crate::decode::LinkType;

use super::notice::{Damage, NoticeKind};

/// What was counted and noticed in one input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Frames given out or waiting.
    pub frames: u64,
    /// Frames that the capturing host says it dropped.
    pub drops: u64,
    /// Frames of unsupported link types, and where the first is.
    pub foreign: BTreeMap<LinkType, Several<()>>,
    /// Frames that could not be used.
    pub lost: Option<Several<Damage>>,
    /// Frames without a time of their own.
    pub untimed: Option<Several<()>>,
    /// What ended the reading, if not the end.
    pub fault: Option<(u64, NoticeKind)>,
}

/// Several things of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Several<T> {
    /// Offset of the first.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// What is known of the first.
    pub what: T,
}

impl<T> Several<T> {
    /// One more, at `offset`.
    pub(super) fn add(entry: &mut Option<Self>, offset: u64, what: T) {
        entry.get_or_insert(Self { first: offset, count: 0, what }).count += 1;
    }
}
