//! Whether what was read anew may take the place of what is in force.
//!
//! Files are read again while something else may be writing them, and what downloads them may fail. What cannot be
//! used at all, or has lost most of its entries, is more likely broken than meant: the last good set stays whole.

use std::collections::BTreeMap;

use super::load_report::LoadReport;
use crate::limits;

/// Why a set that was read anew is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The file that is to blame, as reports name it.
    pub file: String,
    /// What is wrong with it.
    pub fault: FeedFault,
}

/// What is wrong with a file of indicators that was good before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedFault {
    /// It could not be used as a whole; why, in words.
    Broken(String),
    /// It has far fewer entries than before.
    Shrunken {
        /// Entries that the last good set has of it.
        before: usize,
        /// Entries that it has now.
        now: usize,
    },
    /// It is not there any more, and no new file has what it had.
    Gone {
        /// Entries that the last good set has of it.
        before: usize,
    },
    /// It was written while it was read.
    Changing,
    /// It is a pipe or a device, which gives what it has once.
    ReadOnce,
}

impl FeedFault {
    /// Its name in events: a closed set.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Broken(_) => "broken",
            Self::Shrunken { .. } => "shrunken",
            Self::Gone { .. } => "gone",
            Self::Changing => "changing",
            Self::ReadOnce => "read_once",
        }
    }
}

impl std::fmt::Display for FeedFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken(reason) => f.write_str(reason),
            Self::Shrunken { before, now } => write!(f, "{now} of {before} entries are left"),
            Self::Gone { before } => write!(f, "is gone, with {before} entries"),
            Self::Changing => f.write_str("was written while it was read, again and again"),
            Self::ReadOnce => f.write_str("is no file, and cannot be read again"),
        }
    }
}

/// Says why the set that gave the report `new` may not take the place of the one that gave `last`.
///
/// A file may lose entries, and a small one all of them. Suspicious is a file of [`limits::FEED_ENTRIES`] entries and
/// more of which less than half is left. Files that are gone are held against those that are new, all together:
/// feeds whose names have a date in them are replaced so.
///
/// # Errors
/// The first fault in the order of the files.
pub fn may_replace(last: &LoadReport, new: &LoadReport) -> Result<(), Refusal> {
    let refuse = |file: &str, fault| Err(Refusal { file: file.to_owned(), fault });
    if let Some(source) = new.failures().next() {
        return refuse(&source.file, FeedFault::Broken(source.failure.clone().unwrap_or_default()));
    }
    let (before, now) = (entries(last), entries(new));
    let is_suspicious =
        |before: usize, now: usize| before >= limits::FEED_ENTRIES && now < before.div_ceil(2);
    for (file, &before) in &before {
        if let Some(&now) = now.get(file)
            && is_suspicious(before, now)
        {
            return refuse(file, FeedFault::Shrunken { before, now });
        }
    }
    let gone = before.iter().filter(|(file, _)| !now.contains_key(*file));
    let fresh = now.iter().filter(|(file, _)| !before.contains_key(*file));
    let replaced: usize = fresh.map(|(_, now)| now).sum();
    if is_suspicious(gone.clone().map(|(_, before)| before).sum(), replaced)
        && let Some((file, &before)) = gone.max_by_key(|(_, before)| **before)
    {
        return refuse(file, FeedFault::Gone { before });
    }
    Ok(())
}

/// How many entries were taken of each file; one that was named twice counts as one.
fn entries(report: &LoadReport) -> BTreeMap<&str, usize> {
    let mut entries = BTreeMap::new();
    for source in &report.sources {
        *entries.entry(&*source.file).or_default() += source.accepted;
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::super::format::Format;
    use super::super::load_report::SourceReport;
    use super::*;

    fn report(sources: &[(&str, usize)]) -> LoadReport {
        let source = |&(file, accepted): &(&str, usize)| SourceReport {
            accepted,
            ..SourceReport::new(file.into(), Format::Plain)
        };
        LoadReport { sources: sources.iter().map(source).collect() }
    }

    fn verdict(last: &[(&str, usize)], new: &[(&str, usize)]) -> Option<(String, FeedFault)> {
        may_replace(&report(last), &report(new)).err().map(|refusal| (refusal.file, refusal.fault))
    }

    #[test]
    fn less_than_half_of_a_hundred_is_suspicious() {
        let shrunken = |now| Some(("a".to_owned(), FeedFault::Shrunken { before: 100, now }));
        assert_eq!(verdict(&[("a", 100)], &[("a", 50)]), None);
        assert_eq!(verdict(&[("a", 100)], &[("a", 49)]), shrunken(49));
        assert_eq!(verdict(&[("a", 100)], &[("a", 0)]), shrunken(0));
        assert_eq!(verdict(&[("a", 99)], &[("a", 0)]), None, "an empty list is a list");
        assert_eq!(verdict(&[("a", 101)], &[("a", 51)]), None);
        assert_eq!(verdict(&[("a", 101)], &[("a", 50)]).map(|(file, _)| file), Some("a".to_owned()));
    }

    #[test]
    fn one_file_does_not_make_up_for_another() {
        let fault = verdict(&[("a", 1_000), ("b", 1_000)], &[("a", 5_000), ("b", 10)]);
        assert_eq!(fault, Some(("b".to_owned(), FeedFault::Shrunken { before: 1_000, now: 10 })));
        // The same file named twice is one.
        assert_eq!(verdict(&[("a", 60), ("a", 60)], &[("a", 60), ("a", 0)]), None);
    }

    #[test]
    fn files_may_go_if_others_come() {
        let gone = |file: &str, before| Some((file.to_owned(), FeedFault::Gone { before }));
        assert_eq!(verdict(&[("monday", 900), ("x", 5)], &[("tuesday", 870), ("x", 5)]), None);
        assert_eq!(verdict(&[("monday", 900)], &[("tuesday", 100)]), gone("monday", 900));
        assert_eq!(verdict(&[("a", 90), ("b", 80)], &[]), gone("a", 90), "together they were many");
        assert_eq!(verdict(&[("a", 90)], &[]), None);
        assert_eq!(verdict(&[("a", 90)], &[("a", 90), ("new", 1)]), None);
    }

    #[test]
    fn what_cannot_be_used_is_no_replacement_however_small() {
        let mut new = report(&[("a", 3), ("b", 0)]);
        new.sources[1].failure = Some("not a text file".to_owned());
        let refusal = may_replace(&report(&[("a", 3)]), &new).unwrap_err();
        assert_eq!(refusal.file, "b");
        assert_eq!(refusal.fault.to_string(), "not a text file");
    }
}
