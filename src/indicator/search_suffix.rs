//! Search suffixes: what a resolver's configuration appends to a name before it asks.

use super::document::{Fault, Fields};
use super::name_map::NameMap;
use super::value;
use crate::protocol::dns::Name;

/// Suffixes that platforms put behind names which their machines look up.
#[derive(Clone, Debug, Default)]
pub(super) struct SearchSuffixes {
    /// For each fixed ending, how many labels of the platform's choice stand before it, at least and
    /// at most (`<namespace>.svc.cluster.local` has one).
    endings: NameMap<Option<(usize, usize)>>,
}

impl SearchSuffixes {
    pub(super) const KEYS: &'static [&'static str] = &["ending", "labels", "platform", "reference"];

    /// Reads one `[[search_suffix]]`: `ending`, `labels` (how many labels of the platform's choice may
    /// stand before it, 0 unless given; or `[least, most]`), `platform`, `reference`.
    pub(super) fn read(&mut self, fields: &Fields<'_>) -> Result<(), Fault> {
        let text = fields.required_text("ending")?;
        fields.required_text("platform")?;
        let ending = value::name(text).map_err(|refusal| fields.wrong("ending", refusal))?;
        let labels = fields.numbers("labels")?.unwrap_or_else(|| vec![0]);
        let (least, most) = match labels[..] {
            [count] => (count, count),
            [least, most] if least <= most => (least, most),
            _ => return Err(fields.wrong("labels", "must be a number or [least, most]")),
        };
        if most > 8 {
            return Err(fields.wrong("labels", "must be at most 8"));
        }
        *self.endings.entry(&ending) = Some((least as usize, most as usize));
        Ok(())
    }

    /// Every name that `name` may have been before a suffix was appended: of two labels or more.
    pub(super) fn stripped<'n>(&self, name: Name<'n>) -> impl Iterator<Item = Name<'n>> {
        let mut endings = [(0, 0); 4];
        let mut count = 0;
        self.endings.find_at(name, |kept, before| {
            if let (Some((least, most)), Some(slot)) = (kept, endings.get_mut(count)) {
                *slot = (before.saturating_sub(*most).max(2), (before + 1).saturating_sub(*least));
                count += 1;
            }
        });
        endings
            .into_iter()
            .take(count)
            .flat_map(move |(from, to)| (from..to).rev().filter_map(move |keep| first_labels(name, keep)))
    }
}

/// The name of the first `count` labels.
fn first_labels(name: Name<'_>, count: usize) -> Option<Name<'_>> {
    let end: usize = name.labels().take(count).map(|label| 1 + label.len()).sum();
    name.wire().get(..end).map(Name::from_wire)
}
