//! All integration tests, in one binary: it links once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod replay;
mod sample;
mod schema;

mod cases;
mod events;
mod layers;
mod output;
mod records;
mod summary;
