//! Suricata's IP reputation: a file of categories, `<id>,<short name>,<description>`, and files of addresses,
//! `<address or prefix>,<category>,<score>`. Both have one format here, which must be named.
//!
//! The short name of an entry's category is its campaign and its tag, if the file of categories was read before
//! (`categories.txt` stands before `reputation.list` in a folder). The score, 1 to 127, is how sure it is
//! that the address is of that category, and becomes the confidence: 127 is 100. 0 means no data.
//! Whether a category is bad is in the rules that ask for it: leave out the files of the good ones.
//!
//! Source: Suricata's user guide, "IP Reputation Format".

use std::sync::Arc;

use super::super::model::{Kind, Provenance};
use super::super::value::Value;
use super::{Dates, Feed, LineReader};

/// The largest score.
const BEST_SCORE: u8 = 127;
/// The largest number of a category.
const LAST_CATEGORY: u8 = 60;

/// Reads a file line by line.
pub(super) struct Reputation {
    unstated: Provenance,
}

impl Reputation {
    /// A reader of `feed`.
    pub(super) fn new(feed: &Feed<'_>) -> Self {
        Self { unstated: feed.unstated() }
    }
}

impl LineReader for Reputation {
    fn line(&mut self, number: u32, line: &str, feed: &mut Feed<'_>) {
        let text = line.trim_start_matches('\u{feff}').trim();
        if text.is_empty() || text.starts_with(['#', ';']) {
            return;
        }
        let mut cells = text.splitn(3, ',').map(str::trim);
        let (first, second) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        // A category begins with its number, and no address is one.
        if let Ok(id) = first.parse() {
            let Some(id) = category(id).filter(|_| !second.is_empty()) else {
                return feed.reject(number, text, "not a category: a number from 1 to 60 and a name");
            };
            feed.loader.reputation_categories.insert(id, second.into());
            return feed.ignore(number, "a category: a name for the entries that follow");
        }
        let (category, score) = match scored(second, cells.next().unwrap_or_default()) {
            Ok(scored) => scored,
            Err(reason) => return feed.reject(number, text, reason),
        };
        let Some(confidence) = confidence(score) else {
            return feed.ignore(number, "a score of 0, which means no data");
        };
        let name: Arc<str> = match feed.loader.reputation_categories.get(&category) {
            Some(name) => name.clone(),
            None => format!("category {category}").into(),
        };
        let tags = vec![name.clone()];
        let provenance = Provenance { campaign: name, tags, confidence, ..self.unstated.clone() };
        feed.claim(number, first, Value::of_kind(Kind::Address, first, None), &Dates::default(), &provenance);
    }
}

fn category(number: u32) -> Option<u8> {
    u8::try_from(number).ok().filter(|number| (1..=LAST_CATEGORY).contains(number))
}

/// The category and the score.
fn scored(id: &str, score: &str) -> Result<(u8, u8), &'static str> {
    let id =
        id.parse().ok().and_then(category).ok_or("not address,category,score: no category from 1 to 60")?;
    let score = score.parse().ok().filter(|&score| score <= BEST_SCORE);
    Ok((id, score.ok_or("not address,category,score: no score from 0 to 127")?))
}

/// What a score is worth of 100; `None` when it means no data.
fn confidence(score: u8) -> Option<u8> {
    let share = (u32::from(score) * 100).div_ceil(u32::from(BEST_SCORE));
    u8::try_from(share).ok().filter(|&share| share > 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::super::{Format, Loader, SourceReport};

    #[test]
    fn categories_name_what_follows() {
        let mut loader = Loader::default();
        let format = Some(Format::SuricataIprep);
        let categories =
            "1,CnC,Command and control\r\n2,Drop\r\n61,Far,too far\r\n0,Zero,x\r\n3,,no name\r\n";
        loader.located_bytes("categories.txt", categories.as_bytes(), format);
        let list = "198.51.100.7,1,127\n198.51.100.0/24,2,64\n2001:db8::7,9,1\n# remark\n198.51.100.8,1,0\n\
            198.51.100.9,1,128\n198.51.100.9,61,5\n198.51.100.9\nevil.example,1,5\n198.51.100.9,1\n";
        loader.located_bytes("reputation.list", list.as_bytes(), format);
        let knowledge = loader.finish();
        let [categories, list] = &knowledge.report.sources[..] else { panic!("two files") };
        let lines =
            |report: &SourceReport| -> Vec<u32> { report.rejected.iter().map(|one| one.line).collect() };
        assert_eq!((categories.ignored_count(), lines(categories)), (2, vec![3, 4, 5]));
        assert_eq!(
            (list.accepted, list.ignored_count(), lines(list)),
            (3, 1, vec![6, 7, 8, 9, 10]),
            "{list:?}"
        );
        let claims: Vec<_> = knowledge.indicators.claims().map(|(_, claim)| claim).collect();
        let told: Vec<_> = claims
            .iter()
            .map(|claim| {
                (
                    claim.value,
                    &*claim.provenance.campaign,
                    &*claim.provenance.tags[0],
                    claim.provenance.confidence,
                )
            })
            .collect();
        let expected = [
            ("198.51.100.7", "CnC", "CnC", 100),
            ("198.51.100.0/24", "Drop", "Drop", 51),
            ("2001:db8::7", "category 9", "category 9", 1),
        ];
        assert_eq!(told, expected);
        assert!(claims.iter().all(|claim| &*claim.provenance.sources[0] == "reputation"));
    }

    #[test]
    fn is_never_guessed_and_may_be_empty() {
        let mut loader = Loader::default();
        loader.bytes("reputation.list", b"198.51.100.7,1,127\n");
        loader.located_bytes("empty.list", b"", Some(Format::SuricataIprep));
        let report = loader.finish().report;
        assert_eq!(report.sources[0].format, Format::Plain);
        assert_eq!((report.failures().count(), report.sources[1].rejected_count), (0, 0));
    }
}
