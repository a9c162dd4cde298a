//! The compiled file: claims with all their tables, ready to be asked where they lie.
//!
//! ```text
//! 0   8  magic                     everything is little-endian
//! 8   4  mark 0x0a0b0c0d           what a machine of the other byte order would write turned round
//! 12  4  version
//! 16  8  length of the file
//! 24  8  number of sections
//! 32     offset, length and checksum of each section, 8 bytes each
//!     8  checksum of all that stands before it
//!        sections, each at a multiple of 64
//! ```
//!
//! [`Section`] lists the sections. The tables are those of memory, byte for byte; what packs say beside
//! claims (signatures, allow entries and so on) is there as the pack's text and is read again, because
//! it is small and its reader knows best. Nothing in the file depends on when or where it was made.
//!
//! A file is taken only when every checksum is right, so that a damaged one gives no wrong answers. The
//! checksums are against damage, not against forgery: whoever can write the file decides what is alerted on,
//! as with a text file. All accesses are checked nevertheless.

use std::ops::Range;
use std::sync::Arc;

use super::address_table::{AddressTable, Family};
use super::claims::{Claims, DATES, GROUP, RECORD};
use super::coding::{Decoder, Encoder};
use super::domain_table::DomainTable;
use super::flat::{Bytes, set_u64, u32_at, u64_at};
use super::format::Format;
use super::further::Further;
use super::hash::checksum;
use super::load_report::{Counted, Rejected, SourceReport};
use super::provenances::Provenances;
use super::segment::{Segment, Tables};
use super::text_table::TextTable;
use crate::source::Mapped;
use crate::time::Timestamp;

/// How a compiled indicator file begins. No text does, and a transfer that takes it for text damages it.
pub const MAGIC: [u8; 8] = *b"\x89CLHM\r\n\0";
/// The mark of the byte order.
pub(super) const MARK: u32 = 0x0a0b_0c0d;
/// Changes with anything in the layout, the tables or their hashes.
pub(super) const VERSION: u32 = 2;
/// Bytes before the first section's place in the directory.
pub(super) const HEAD: usize = 32;
/// Bytes of a section's place.
pub(super) const PLACE: usize = 24;
/// At multiples of this sections begin: a cache line.
pub(super) const ALIGNMENT: usize = 64;

/// The sections, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is a table of the module of its name")]
pub(super) enum Section {
    Sources,
    Values,
    Records,
    Groups,
    Dates,
    ProvenanceStarts,
    Provenances,
    Names,
    NameFilter,
    NameCoarse,
    V4Keys,
    V4Lengths,
    V4Nearby,
    V6Keys,
    V6Lengths,
    V6Nearby,
    Texts,
    Further,
}

/// How many there are.
pub(super) const SECTIONS: usize = Section::ALL.len();

impl Section {
    /// Every one, in their order.
    pub(super) const ALL: [Self; 18] = [
        Self::Sources,
        Self::Values,
        Self::Records,
        Self::Groups,
        Self::Dates,
        Self::ProvenanceStarts,
        Self::Provenances,
        Self::Names,
        Self::NameFilter,
        Self::NameCoarse,
        Self::V4Keys,
        Self::V4Lengths,
        Self::V4Nearby,
        Self::V6Keys,
        Self::V6Lengths,
        Self::V6Nearby,
        Self::Texts,
        Self::Further,
    ];
}

/// Why a compiled file is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("a compiled indicator file that is cut: {found} of {expected} bytes; copy or compile it again")]
    Cut { found: u64, expected: u64 },
    #[error(
        "a compiled indicator file of version {0}, and this program reads version {VERSION}: compile it again"
    )]
    Version(u32),
    #[error("a compiled indicator file of the other byte order: compile it again on this machine")]
    ByteOrder,
    #[error("a compiled indicator file that is damaged ({0}): copy or compile it again")]
    Damaged(&'static str),
}

/// What came of one source, as a compiled file keeps it.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// What came of the source's claims; of what `text` holds besides, nothing yet.
    pub report: SourceReport,
    /// The pack's text, when it says more than claims.
    pub text: Option<String>,
}

/// What a compiled file holds.
#[derive(Debug)]
pub(super) struct Contents {
    /// The files that it was made from.
    pub sources: Vec<Source>,
    /// Their claims.
    pub segment: Segment,
}

/// Whether a file that begins with `head` is, or was, a compiled one.
pub(super) fn is_compiled(head: &[u8]) -> bool {
    let length = head.len().min(MAGIC.len());
    length > 0 && head.get(..length) == MAGIC.get(..length)
}

/// Opens a compiled file in memory of our own.
pub(super) fn open(bytes: &[u8]) -> Result<Contents, Unusable> {
    let ranges = check(bytes)?;
    assemble(bytes, |section| {
        let range = ranges.get(section as usize).cloned().unwrap_or_default();
        bytes.get(range).unwrap_or_default().to_vec().into()
    })
}

/// Opens a mapped compiled file; nothing of the large tables is copied.
pub(super) fn open_mapped(file: &Arc<Mapped>) -> Result<Contents, Unusable> {
    let bytes: &[u8] = (**file).as_ref();
    let ranges = check(bytes)?;
    assemble(bytes, |section| {
        let range = ranges.get(section as usize).cloned().unwrap_or_default();
        Bytes::mapped(Arc::clone(file), range)
    })
}

/// The places of the sections, all of which are whole.
fn check(bytes: &[u8]) -> Result<Vec<Range<usize>>, Unusable> {
    let cut = |expected: u64| Unusable::Cut { found: bytes.len() as u64, expected };
    let directory = HEAD + SECTIONS * PLACE;
    let shortest = (directory + 8) as u64;
    match (u32_at(bytes, 2), u32_at(bytes, 3)) {
        (Some(mark), _) if mark == MARK.swap_bytes() => return Err(Unusable::ByteOrder),
        (Some(mark), _) if mark != MARK => return Err(Unusable::Damaged("its head")),
        (_, Some(version)) if version != VERSION => return Err(Unusable::Version(version)),
        _ => {}
    }
    let (Some(length), Some(sections)) = (u64_at(bytes, 2), u64_at(bytes, 3)) else {
        return Err(cut(shortest));
    };
    if (bytes.len() as u64) < length.max(shortest) {
        return Err(cut(length.max(shortest)));
    }
    let head = bytes.get(..directory).unwrap_or_default();
    let whole = bytes.starts_with(&MAGIC)
        && length == bytes.len() as u64
        && sections == SECTIONS as u64
        && u64_at(bytes, directory / 8) == Some(checksum(head));
    if !whole {
        return Err(Unusable::Damaged("its head"));
    }
    let (places, _) = head.get(HEAD..).unwrap_or_default().as_chunks::<PLACE>();
    let range = |place: &[u8; PLACE]| {
        let start = usize::try_from(u64_at(place, 0)?).ok()?;
        let end = start.checked_add(usize::try_from(u64_at(place, 1)?).ok()?)?;
        let right = u64_at(place, 2)? == checksum(bytes.get(start..end)?);
        right.then_some(start..end)
    };
    places.iter().map(|place| range(place).ok_or(Unusable::Damaged("a table"))).collect()
}

/// Makes a file of any bytes that passes [`check`], for fuzzing: its head and checksums are right, its tables
/// lie within it. A whole file stays as it is.
pub(super) fn heal(bytes: &mut [u8]) {
    let directory = HEAD + SECTIONS * PLACE;
    let all = bytes.len() as u64;
    if bytes.len() < directory + 8 {
        return;
    }
    let [first, second] = [u64::from_le_bytes(MAGIC), u64::from(VERSION) << 32 | u64::from(MARK)];
    for (place, word) in [first, second, all, SECTIONS as u64].into_iter().enumerate() {
        set_u64(bytes, place, word);
    }
    for place in 0..SECTIONS {
        let word = (HEAD + place * PLACE) / 8;
        let start = u64_at(bytes, word).unwrap_or_default() % (all + 1);
        let length = u64_at(bytes, word + 1).unwrap_or_default() % (all - start + 1);
        set_u64(bytes, word, start);
        set_u64(bytes, word + 1, length);
    }
    for place in 0..SECTIONS {
        let word = (HEAD + place * PLACE) / 8;
        let [start, length] = [word, word + 1].map(|word| u64_at(bytes, word).unwrap_or_default() as usize);
        let right = checksum(bytes.get(start..start + length).unwrap_or_default());
        set_u64(bytes, word + 2, right);
    }
    let right = checksum(bytes.get(..directory).unwrap_or_default());
    set_u64(bytes, directory / 8, right);
}

fn assemble(bytes: &[u8], table: impl Fn(Section) -> Bytes) -> Result<Contents, Unusable> {
    let damaged = Unusable::Damaged("what it says of its sources");
    let sources = table(Section::Sources);
    let (sources, kinds) = read_sources(&sources).ok_or(damaged)?;
    let claims = Claims {
        values: table(Section::Values),
        records: table(Section::Records),
        groups: table(Section::Groups),
        dates: table(Section::Dates),
        provenances: Provenances::from_bytes(table(Section::ProvenanceStarts), table(Section::Provenances)),
    };
    let rows = [(claims.records.len(), RECORD), (claims.groups.len(), GROUP), (claims.dates.len(), DATES)];
    if rows.iter().any(|&(length, row)| length % row != 0) || u32::try_from(bytes.len() / RECORD).is_err() {
        return Err(Unusable::Damaged("a table"));
    }
    let tables = Tables {
        domains: DomainTable::from_bytes(
            table(Section::Names),
            table(Section::NameFilter),
            table(Section::NameCoarse),
        ),
        addresses: AddressTable {
            v4: Family::from_bytes(
                table(Section::V4Keys),
                table(Section::V4Lengths),
                table(Section::V4Nearby),
            ),
            v6: Family::from_bytes(
                table(Section::V6Keys),
                table(Section::V6Lengths),
                table(Section::V6Nearby),
            ),
        },
        texts: TextTable::from_bytes(table(Section::Texts), kinds),
    };
    let further = Further { rows: table(Section::Further) };
    Ok(Contents { sources, segment: Segment { claims, tables, further, base: 0 } })
}

/// The section [`Section::Sources`]: which kinds of texts there are, and the sources.
pub(super) fn write_sources(sources: &[Source], kinds: u16) -> Vec<u8> {
    let mut to = Encoder::default();
    to.u32(u32::from(kinds));
    to.list(sources, |to, Source { report, text }| {
        to.text(&report.file);
        to.text(report.format.as_str());
        to.u64(report.accepted as u64);
        to.u64(report.duplicates as u64);
        to.u64(report.rejected_count as u64);
        to.list(&report.rejected, |to, rejected| {
            to.u32(rejected.line);
            to.text(&rejected.text);
            to.text(&rejected.reason);
        });
        for counted in [&report.reasons, &report.ignored] {
            to.list(counted, |to, Counted { reason, count, first_line }| {
                to.text(reason);
                to.u64(*count as u64);
                to.u32(*first_line);
            });
        }
        to.u8(u8::from(report.newest.is_some()));
        report.newest.into_iter().for_each(|newest| to.u64(newest.as_nanos() as u64));
        to.optional(text.as_deref());
    });
    to.0
}

fn read_sources(section: &[u8]) -> Option<(Vec<Source>, u16)> {
    let mut from = Decoder(section);
    let kinds = u16::try_from(from.u32()?).ok()?;
    let sources = from.list(|from| {
        let report = SourceReport {
            file: from.shared()?,
            format: Format::from_name(from.text()?)?,
            accepted: from.size()?,
            duplicates: from.size()?,
            rejected_count: from.size()?,
            rejected: from.list(|from| {
                let line = from.u32()?;
                Some(Rejected { line, text: from.text()?.to_owned(), reason: from.text()?.to_owned() })
            })?,
            reasons: from.list(read_counted)?,
            ignored: from.list(read_counted)?,
            newest: from.optional(|from| Some(Timestamp::from_nanos(from.u64()? as i64)))?,
            failure: None,
        };
        let text = from.optional(|from| from.text().map(str::to_owned))?;
        (report.rejected.len() <= report.rejected_count).then_some(Source { report, text })
    })?;
    from.0.is_empty().then_some((sources, kinds))
}

fn read_counted(from: &mut Decoder<'_>) -> Option<Counted> {
    Some(Counted { reason: from.text()?.to_owned().into(), count: from.size()?, first_line: from.u32()? })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "compiled_tests.rs"]
mod tests;
