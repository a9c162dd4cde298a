//! DNS messages, read tolerantly (RFC 1035 and the many that extend it).

mod name;
mod parser;

pub use name::{Name, NameBuf};
pub use parser::{DnsAnomalies, Message, Question, Record, Section};
