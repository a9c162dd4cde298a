//! The event model and its JSON.
