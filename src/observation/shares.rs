//! Which observer has each frame of a batch, found out once for all of them.

use super::{ends::key_of, observer::ObserverOptions};
use crate::{decode::Plain, source::FrameBatch};

/// Whose the frames of a batch are. A frame that is not plain every observer reads, and finds out whose it is.
#[derive(Clone, Debug, Default)]
pub struct Shares(Vec<Option<u16>>);

impl Shares {
    /// Of these frames, for observers with these options.
    pub fn of(frames: &FrameBatch, options: &ObserverOptions) -> Self {
        let share = |link, bytes, wire_length| {
            let plain = Plain::of(link, bytes, wire_length, &options.decode)?;
            u16::try_from(key_of(&plain).0.share(options.shards)).ok()
        };
        let shares = frames.frames().map(|frame| {
            options.shortcuts.then(|| share(frame.link, frame.bytes, frame.wire_length)).flatten()
        });
        Self(shares.collect())
    }

    /// Whether the frame at `index` is surely another observer's than `shard`.
    #[inline]
    pub(super) fn is_others(&self, index: usize, shard: u64) -> bool {
        self.0.get(index).copied().flatten().is_some_and(|share| u64::from(share) != shard)
    }
}
