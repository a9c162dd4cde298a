//! Whose machine an address is.
