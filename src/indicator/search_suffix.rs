//! Search suffixes: what a resolver's configuration appends to a name before it asks.

use super::document::{Fault, Fields};
use super::labels::hashes_of;
use super::name_map::NameMap;
use super::value;
use crate::protocol::dns::Name;

/// Suffixes that platforms put behind names which their machines look up.
#[derive(Clone, Debug, Default)]
pub(super) struct SearchSuffixes {
    /// For each fixed ending, how many labels of the platform's choice stand before it, at least and
    /// at most (`<namespace>.svc.cluster.local` has one).
    endings: NameMap<Option<(usize, usize)>>,
    /// The hashes of the endings and of what ends them ([`hashes_of`]): with the bit of each, 512 bits in
    /// all, most names are known not to end so.
    quick: [u64; 8],
    /// The hashes of the endings of a single label.
    single: Vec<u64>,
}

/// Where the bit of a hash stands: its word, and its mask.
#[inline]
const fn place(hash: u64) -> (usize, u64) {
    ((hash >> 6 & 7) as usize, 1 << (hash & 63))
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
        if !ending.contains('.') {
            self.single.extend(hashes_of(ending.as_bytes()));
        }
        for hash in hashes_of(ending.as_bytes()) {
            let (word, bit) = place(hash);
            self.quick.get_mut(word).into_iter().for_each(|word| *word |= bit);
        }
        *self.endings.entry(&ending) = Some((least as usize, most as usize));
        Ok(())
    }

    /// Whether a name may end with one of the endings. `one` and `two` are the hashes of its last label and
    /// its last two.
    #[inline]
    pub(super) fn may_end(&self, one: u64, two: u64) -> bool {
        let passes = |hash| {
            let (word, bit) = place(hash);
            self.quick.get(word).is_some_and(|word| word & bit != 0)
        };
        passes(one) && (passes(two) || self.single.contains(&one))
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::load_builtin;
    use crate::protocol::dns::NameBuf;

    #[test]
    fn a_look_up_through_a_search_suffix_is_one_of_the_indicator() {
        let indicators = load_builtin().indicators;
        let behind = |name: &str| {
            let name = NameBuf::from_text(name.as_bytes()).unwrap();
            let mut hits = Vec::new();
            let shorter = indicators.domain_behind_search_suffix(name.as_name(), &mut hits);
            assert_eq!(shorter.is_some(), !hits.is_empty());
            shorter.map(|name| name.to_string())
        };
        for suffix in [
            "abc0def.internal.cloudapp.net",
            "abc0def.ax.internal.cloudapp.net",
            "internal.cloudapp.net",
            "default.svc.cluster.local",
            "svc.cluster.local",
            "Cluster.Local",
            "eu-west-1.compute.internal",
            "ec2.internal",
            "us-central1-a.c.project-1.internal",
            "c.project-1.internal",
            "google.internal",
        ] {
            assert_eq!(behind(&format!("sfrclak.com.{suffix}")).as_deref(), Some("sfrclak.com"), "{suffix}");
            let below = behind(&format!("x.sfrclak.com.{suffix}"));
            assert_eq!(below.as_deref(), Some("x.sfrclak.com"), "{suffix}");
            assert_eq!(behind(&format!("notsfrclak.com.{suffix}")), None, "{suffix}");
        }
        for name in ["sfrclak.com", "sfrclak.com.br", "sfrclak.com.example.net", "cluster.local", "internal"]
        {
            assert_eq!(behind(name), None, "{name}");
        }
    }
}
