//! The summary for a person.
