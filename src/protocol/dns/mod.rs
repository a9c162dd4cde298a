//! DNS messages, read tolerantly (RFC 1035 and the many that extend it).
//!
//! [`Message`] is a view that is read lazily: [`Message::questions`] and [`Message::records`] end
//! where the message breaks, and names are followed through their pointers only when someone asks
//! ([`PackedName::unpack`]). [`Outline`] reads usual messages in one pass. [`Message::summary`] reads everything once and says what was odd.
//! [`DnsStream`] cuts one direction of a TCP connection into messages; [`looks_like_dns`] and
//! [`looks_like_dns_stream`] recognise DNS on any port. [`second_opinion`] asks a strict parser what
//! it thinks of a message that we could read.

mod anomaly;
mod code;
mod name;
mod outline;
mod packed;
mod parser;
mod rdata;
mod recognise;
mod stream;
mod strict;
mod summary;
mod svcb;
mod text;

pub mod fuzz;

#[cfg(test)]
mod captures;
#[cfg(test)]
pub(crate) mod sample;

pub use anomaly::{DnsAnomalies, DnsAnomaly};
pub use code::{class_name, kind, opcode_name, rcode_name, type_name, type_named};
pub use name::{Name, NameBuf};
pub use outline::{Answer, Outline, Places};
pub use packed::{NameBreak, NameScratch, PackedName};
pub use parser::{Message, Question, Questions, Record, Records, Section};
pub use rdata::{Caa, Dnskey, Ds, Loc, Naptr, Options, RData, Rrsig, Soa, Strings, TypeBitmap};
pub use recognise::{looks_like_cut_dns, looks_like_dns, looks_like_dns_stream};
pub use stream::DnsStream;
pub use strict::{StrictReason, StrictVerdict, second_opinion};
pub use summary::{Edns, Summary};
pub use svcb::{SvcParam, SvcParams, SvcValue};
pub use text::rdata_text;
