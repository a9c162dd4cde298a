//! Threads, hand-over, shutdown.
