//! Findings grow into one verdict per asset.
