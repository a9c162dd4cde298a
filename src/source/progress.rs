//! How far the reading is, for another thread to show.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of the inputs as they lie on disk (compressed ones count compressed).
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: Option<u64>,
}

impl Progress {
    /// Nothing done of `total` bytes; `None` when an input's length is not known.
    pub(super) fn of(total: Option<u64>) -> Self {
        Self { done: AtomicU64::new(0), total }
    }

    /// Bytes that have been read or passed over.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Bytes of all inputs together, unless one is a stream without an end that is known.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    pub(super) fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }
}
