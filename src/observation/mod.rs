//! The one vocabulary of what was seen on the wire.
