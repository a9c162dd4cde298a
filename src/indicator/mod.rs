//! What outsiders say: dated claims.
