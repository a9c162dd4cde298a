//! Makes a compiled file of what a [`Loader`] gathered. [`super::compiled`] has its layout.

use std::io::{self, Write};

use super::compiled::{
    ALIGNMENT, HEAD, MAGIC, MARK, PLACE, SECTIONS, Section, Source, VERSION, write_sources,
};
use super::flat::bytes_of;
use super::hash::checksum;
use super::load::Loader;
use super::load_report::LoadReport;
use super::segment::Segment;

/// What a compiled file will hold, and what came of its sources.
///
/// ```
/// use callhome::indicator::Loader;
///
/// let mut loader = Loader::for_compiling();
/// loader.bytes("list.txt", b"evil.example\n198.51.100.7\n");
/// let mut file = Vec::new();
/// let length = loader.compile().write(&mut file)?;
/// assert_eq!(length, file.len() as u64);
///
/// let mut loader = Loader::default();
/// loader.bytes("list.compiled", &file);
/// assert_eq!(loader.finish().indicators.len(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Compiled {
    /// What was taken and what was not. A file must not be written when a source failed.
    pub report: LoadReport,
    segment: Segment,
    sources: Vec<Source>,
}

impl Compiled {
    pub(super) fn new(report: LoadReport, segment: Segment, sources: Vec<Source>) -> Self {
        Self { report, segment, sources }
    }

    /// What will be a segment of its own.
    pub(super) fn of_segment(segment: Segment) -> Self {
        Self::new(LoadReport::default(), segment, Vec::new())
    }

    /// The claims again.
    pub(super) fn into_segment(self) -> Segment {
        self.segment
    }

    /// How many claims there are.
    pub fn claims(&self) -> usize {
        self.segment.claims.len()
    }

    /// Writes the file and gives its length in bytes. The same sources give the same bytes.
    ///
    /// # Errors
    /// When `to` does.
    pub fn write(&self, to: &mut impl Write) -> io::Result<u64> {
        let Segment { claims, tables, further, .. } = &self.segment;
        let sources = write_sources(&self.sources, tables.texts.kinds);
        let (starts, provenances) = claims.provenances.encode();
        let (v4, v6) = (&tables.addresses.v4, &tables.addresses.v6);
        let coarse = bytes_of(&tables.domains.coarse.words);
        let nearby = [&v4.nearby, &v6.nearby].map(|nearby| bytes_of(&nearby.bits));
        let section = |section: Section| -> &[u8] {
            match section {
                Section::Sources => &sources,
                Section::Values => &claims.values,
                Section::Records => &claims.records,
                Section::Groups => &claims.groups,
                Section::Dates => &claims.dates,
                Section::ProvenanceStarts => &starts,
                Section::Provenances => &provenances,
                Section::Names => tables.domains.names.bytes(),
                Section::NameFilter => &tables.domains.filter.words,
                Section::NameCoarse => &coarse,
                Section::V4Keys => &v4.keys.rows,
                Section::V4Lengths => &v4.lengths,
                Section::V4Nearby => &nearby[0],
                Section::V6Keys => &v6.keys.rows,
                Section::V6Lengths => &v6.lengths,
                Section::V6Nearby => &nearby[1],
                Section::Texts => tables.texts.texts.bytes(),
                Section::Further => &further.rows,
            }
        };
        let sections = Section::ALL.map(section);
        let mut places = Vec::with_capacity(SECTIONS * PLACE);
        let mut end = HEAD + SECTIONS * PLACE + 8;
        for bytes in sections {
            let start = end.next_multiple_of(ALIGNMENT);
            end = start + bytes.len();
            for number in [start as u64, bytes.len() as u64, checksum(bytes)] {
                places.extend_from_slice(&number.to_le_bytes());
            }
        }
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&MARK.to_le_bytes());
        head.extend_from_slice(&VERSION.to_le_bytes());
        head.extend_from_slice(&(end as u64).to_le_bytes());
        head.extend_from_slice(&(SECTIONS as u64).to_le_bytes());
        head.extend_from_slice(&places);
        head.extend_from_slice(&checksum(&head).to_le_bytes());
        to.write_all(&head)?;
        let mut written = head.len();
        for bytes in sections {
            let start = written.next_multiple_of(ALIGNMENT);
            to.write_all([0; ALIGNMENT].get(..start - written).unwrap_or_default())?;
            to.write_all(bytes)?;
            written = start + bytes.len();
        }
        Ok(written as u64)
    }
}

impl Loader {
    /// Arranges everything for being written. Of a loader that was not made by
    /// [`Loader::for_compiling`], what is not a claim is missing.
    pub fn compile(self) -> Compiled {
        let (report, segment, sources) = self.into_parts();
        Compiled::new(report, segment, sources)
    }
}
