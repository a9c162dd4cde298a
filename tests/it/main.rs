//! All integration tests, in one binary: it links once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod replay;
mod sample;
mod schema;

mod frames;

mod captures;
mod cases;
mod cli;
mod compiled;
mod determinism;
mod equality;
mod events;
mod floods;
mod indicators;
mod layers;
mod output;
mod records;
mod reloading;
mod rules;
mod summary;
mod swap;
