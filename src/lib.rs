//! callhome tells which machine of a network called home to an attacker.
//!
//! Data flows one way, and the modules below stand in its order:
//!
//! ```text
//! source    ->  decode   ->  flow       ->  protocol  ->  observation  ->  detect     ->  incident  ->  output
//! capture       header       five-tuple     dns tls       one small        indicator      verdict       json, metrics,
//! files,        views        table,         quic http     vocabulary       ...            per asset     summary
//! live                       first bytes
//! |------------- borrowed bytes, no allocation ------------|-------- small owned values, bounded state --------|
//! ```
//!
//! The [`observation`] is the waist: left of it nothing knows what an attack is, right of it nothing
//! knows what a packet is. `ARCHITECTURE.md` explains the running system; a test
//! (`tests/it/layers.rs`) holds the order of the modules.

pub mod address;
pub mod bounded;
pub mod bytes;
pub mod hash_index;
mod huge_pages;
pub mod limits;
pub mod prefetch;
pub mod time;

pub mod decode;

pub mod source;

pub mod flow;
pub mod protocol;

pub mod observation;

pub mod asset;
pub mod indicator;
pub mod names;

pub mod detect;

pub mod incident;

pub mod event;

pub mod output;
pub mod report;

pub mod engine;

pub mod config;

pub mod cli;
