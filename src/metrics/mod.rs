//! Names, labels and registry of the metrics.
