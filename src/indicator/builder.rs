//! Gathers what the readers read into [`Indicators`].

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::address_table::AddressFront;
use super::claims::Statement;
use super::matcher::Indicators;
use super::search_suffix::SearchSuffixes;
use super::segment::{Added, Segment, SegmentBuilder, Tables};
use super::signature::Signature;
use super::signature_table::Signatures;

/// Gathers claims and signatures, in the order in which they are given.
#[derive(Debug, Default)]
pub(super) struct IndicatorsBuilder {
    /// What is complete: compiled files, and what was read from text before one.
    pub(super) segments: Vec<Segment>,
    /// What is read from text.
    current: SegmentBuilder,
    signatures: Vec<Signature>,
    /// The ids of the signatures.
    ids: HashSet<Arc<str>, FixedState>,
    search_suffixes: SearchSuffixes,
}

impl IndicatorsBuilder {
    /// Makes room for a list of so many bytes. Too much is given back in the end.
    pub(super) fn expect_list(&mut self, bytes: u64) {
        /// A name of a list with its line's end; a guess.
        const LINE: u64 = 16;
        /// The most room that is made before it is needed.
        const MOST: u64 = 4 << 20;
        self.current.reserve((bytes / LINE).min(MOST) as usize);
    }

    /// Makes ready for adding values of these hashes.
    pub(super) fn touch(&self, hashes: impl Iterator<Item = u64>) {
        std::hint::black_box(hashes.fold(0, |seen, hash| seen ^ self.current.touch(hash)));
    }

    /// Adds a claim. What several sources say of one value is all kept, with its provenance.
    pub(super) fn claim(&mut self, statement: &Statement<'_>) -> Added {
        self.hashed_claim(statement, Tables::hash(&statement.value))
    }

    /// Adds a claim whose value has that hash.
    pub(super) fn hashed_claim(&mut self, statement: &Statement<'_>, hash: u64) -> Added {
        if self.segments.iter().any(|segment| segment.repeats(statement, hash)) {
            return Added::Duplicate;
        }
        let before = self.segments.iter().map(|segment| segment.claims.len()).sum::<usize>();
        if u32::try_from(before + self.current.len() + 1).is_err() {
            return Added::Full;
        }
        self.current.add(statement, hash)
    }

    /// Adds a signature; `false` when there is one of that id already.
    pub(super) fn signature(&mut self, signature: Signature) -> bool {
        let new = self.ids.insert(Arc::clone(&signature.id));
        if new {
            self.signatures.push(signature);
        }
        new
    }

    /// The search suffixes, to be filled.
    pub(super) fn search_suffixes(&mut self) -> &mut SearchSuffixes {
        &mut self.search_suffixes
    }

    /// Adds a complete set as it is. `false`, and nothing is added, when there is no room for it.
    pub(super) fn segment(&mut self, segment: Segment) -> bool {
        let current = std::mem::take(&mut self.current);
        for mut segment in [current.finish(), segment].into_iter().filter(|one| one.claims.len() > 0) {
            let base: usize = self.segments.iter().map(|segment| segment.claims.len()).sum();
            let (Ok(base), Ok(_)) = (u32::try_from(base), u32::try_from(base + segment.claims.len())) else {
                return false;
            };
            segment.base = base;
            self.segments.push(segment);
        }
        true
    }

    /// The claims that were given one by one.
    pub(super) fn into_segment(self) -> Segment {
        self.current.finish()
    }

    /// Arranges everything for being asked.
    pub(super) fn finish(mut self) -> Indicators {
        self.segment(Segment::default());
        let addresses =
            AddressFront::take(self.segments.iter_mut().map(|segment| &mut segment.tables.addresses));
        Indicators {
            segments: self.segments,
            addresses,
            signatures: Signatures::new(self.signatures),
            search_suffixes: self.search_suffixes,
            refused: Vec::new(),
        }
    }
}
