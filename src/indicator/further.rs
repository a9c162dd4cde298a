//! The claims beyond the first about the same value: what several sources, or several packs, say of it.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::flat::{Bytes, u32_at};

/// From a value's first claim to the others, in the order of loading.
#[derive(Debug, Default)]
pub(super) struct Further {
    /// Rows of the first claim and another one, sorted.
    pub(super) rows: Bytes,
}

impl Further {
    /// The claims that have the value of claim `first`.
    pub(super) fn of(&self, first: u32) -> impl DoubleEndedIterator<Item = u32> {
        let rows: &[u8] = &self.rows;
        let row = move |place: usize| Some((u32_at(rows, place * 2)?, u32_at(rows, place * 2 + 1)?));
        let (mut low, mut high) = (0, rows.len() / 8);
        while low < high {
            let middle = low.midpoint(high);
            if row(middle).is_some_and(|(value, _)| value < first) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut end = low;
        while row(end).is_some_and(|(value, _)| value == first) {
            end += 1;
        }
        (low..end).filter_map(row).map(|(_, other)| other)
    }
}

/// Gathers them.
#[derive(Debug, Default)]
pub(super) struct FurtherBuilder {
    /// The value's first claim, the other one, and the place of the one before it about the same value.
    links: Vec<(u32, u32, Option<u32>)>,
    newest: HashMap<u32, u32, FixedState>,
}

impl FurtherBuilder {
    /// The claims that have the value of claim `first`, latest first.
    pub(super) fn of(&self, first: u32) -> impl Iterator<Item = u32> {
        let mut place = self.newest.get(&first).copied();
        std::iter::from_fn(move || {
            let &(_, claim, before) = self.links.get(place? as usize)?;
            place = before;
            Some(claim)
        })
    }

    /// Adds a claim about the value of claim `first`.
    pub(super) fn push(&mut self, first: u32, claim: u32) {
        let before = self.newest.insert(first, self.links.len() as u32);
        self.links.push((first, claim, before));
    }

    /// All of them, ready to be asked.
    pub(super) fn finish(self) -> Further {
        let mut links = self.links;
        links.sort_unstable();
        let numbers = links.iter().flat_map(|&(first, claim, _)| [first, claim]);
        Further { rows: numbers.flat_map(u32::to_le_bytes).collect::<Vec<_>>().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_others_are_found_in_order() {
        let mut builder = FurtherBuilder::default();
        for (first, claim) in [(7, 8), (3, 9), (7, 10), (0, 11), (7, 12)] {
            builder.push(first, claim);
        }
        assert_eq!(builder.of(7).collect::<Vec<_>>(), [12, 10, 8]);
        assert_eq!(builder.of(8).count(), 0);
        let further = builder.finish();
        let all = |first| further.of(first).collect::<Vec<_>>();
        assert_eq!((all(7), all(3), all(0)), (vec![8, 10, 12], vec![9], vec![11]));
        assert!(all(1).is_empty() && all(9).is_empty());
        assert_eq!(Further::default().of(0).count(), 0);
    }
}
