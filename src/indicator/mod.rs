//! What outsiders say: dated claims, composite signatures, the allow list, and the small lists that
//! detectors ask.
//!
//! ```text
//! native plain csv  ->  value      ->  claims        ->  matcher     ->  ClaimId, SignatureId
//! one reader for        one normal     one arena,        tables,         judged at packet time,
//! each format           form, and      shared            a filter        weighed by the allow list
//!                       refusals       provenance
//! ```
//!
//! A [`Loader`] gathers packs and lists into a [`Knowledge`]: [`Indicators`] (what is claimed about a
//! name, an address, an exchange), [`Allow`] (the one decision point that silences a detector),
//! [`Registries`], [`PublicResolvers`] and [`Sinkholes`]. All of it is immutable and is shared in an `Arc`.
//!
//! ```
//! use callhome::indicator::{AsOf, load_builtin};
//! use callhome::protocol::dns::NameBuf;
//! use callhome::time::Timestamp;
//!
//! let knowledge = load_builtin();
//! let name = NameBuf::from_text(b"c2.sfrclak.com").expect("a name");
//! let mut hits = Vec::new();
//! knowledge.indicators.domain(name.as_name(), &mut hits);
//! let packet_time = Timestamp::from_parts(1_774_920_651, 0);
//! let hit = hits.iter().find(|&&id| knowledge.indicators.judge(id, AsOf::Packet, packet_time).is_some());
//! let claim = hit.and_then(|&id| knowledge.indicators.claim(id)).expect("a claim");
//! assert_eq!((claim.value, &*claim.provenance.campaign), ("sfrclak.com", "axios-2026-03"));
//! ```

mod address_table;
mod allow;
mod base64_json;
mod blocks;
mod builder;
mod claims;
mod coding;
mod compile;
mod compiled;
mod document;
mod domain_table;
mod exchange;
mod explain;
mod feed_watch;
mod field;
mod flat;
mod format;
mod further;
pub mod fuzz;
mod hash;
mod instant;
mod label_shape;
mod labels;
mod last_good;
mod lifetime;
mod load;
mod load_report;
mod matcher;
mod model;
mod name_map;
mod native;
mod native_signature;
mod network_map;
mod on_disk;
mod provenances;
mod quick;
mod registry;
mod resolver;
mod review;
mod search_suffix;
mod segment;
mod shipped;
mod signature;
mod signature_grams;
mod signature_table;
mod sinkhole;
mod slots;
mod subject;
mod text_table;
mod value;
mod well_known;

pub use allow::{Allow, AllowEntry, AllowSubject, DETECTORS, INDICATOR};
pub use compile::Compiled;
pub use compiled::MAGIC as COMPILED_MAGIC;
pub use exchange::{ExchangeFacts, Moment};
pub use explain::{BELOW_KEPT, Explanation, Hit, Reach};
pub use feed_watch::{FeedFiles, FeedWatch};
pub use format::{BadFormat, Format, IndicatorPath};
pub use hash::folded as folded_hash;
pub use instant::parse_instant;
pub use labels::name_ending;
pub use last_good::{FeedFault, Refusal, may_replace};
pub use load::{Knowledge, Loader, load_builtin, load_paths};
pub use load_report::{
    Counted, LoadReport, REASONS_KEPT, REJECTED_KEPT, REJECTED_TEXT, Rejected, SourceReport,
};
pub use matcher::{Indicators, QuestionScreen};
pub use model::*;
pub use registry::Registries;
pub use resolver::PublicResolvers;
pub use review::{CONTRADICTIONS_KEPT, Conflict, Contradiction, Review, Shadow, SourceStanding};
pub use signature::{Condition, Signature};
pub use sinkhole::{Sinkhole, Sinkholes};
pub use subject::{Subject, SubjectError};
pub use well_known::{Effect, WellKnown, WellKnownEntry};
