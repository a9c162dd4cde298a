//! Observations in, findings out.
