//! Finds, among thousands of signatures, those whose text may stand in a field, by four bytes of the text.
//!
//! Sets of rules have thousands of signatures that ask whether a path or a user agent holds some text. Judging
//! each would take longer than everything else that a request costs. Each is filed under four bytes of one of
//! its texts instead, and a field is gone through once, whatever the number of signatures; the few that it
//! brings up are judged as always.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::exchange::ExchangeFacts;
use super::field::{Field, FieldKind, Held};
use super::name_map::dotted;
use super::signature::{Condition, Signature, Test};
use crate::limits::DNS_NAME_BYTES;

/// Bytes by which a text is filed.
const GRAM: usize = 4;
/// Bits of a field's filter, a power of two.
const FILTER_BITS: u32 = 1 << 16;
const HASHER: FixedState = FixedState::with_seed(0x6772_616d);

/// Signatures by what they need to find in a field.
#[derive(Debug, Default)]
pub(super) struct Grams {
    fields: Vec<(Field, Filed)>,
}

/// The signatures that need a text in one field.
#[derive(Debug, Default)]
struct Filed {
    by_gram: HashMap<[u8; GRAM], Vec<u32>, FixedState>,
    /// A bit for each gram's hash: most of what a field holds is filed under nothing.
    filter: Vec<u64>,
}

impl Grams {
    /// Files the signature of that number; `false` when none of its conditions needs a text that is long enough.
    pub(super) fn add(&mut self, number: u32, signature: &Signature) -> bool {
        let (all, _) = signature.conditions();
        let shortest = |condition: &&Condition| texts(condition).map(<[u8]>::len).min().unwrap_or_default();
        let Some(condition) = all.iter().max_by_key(shortest).filter(|condition| shortest(condition) >= GRAM)
        else {
            return false;
        };
        let place = self.fields.iter().position(|(known, _)| *known == condition.field);
        let place = place.unwrap_or_else(|| {
            self.fields.push((condition.field.clone(), Filed::default()));
            self.fields.len() - 1
        });
        if let Some((_, filed)) = self.fields.get_mut(place) {
            texts(condition).for_each(|text| filed.add(number, text));
        }
        true
    }

    /// Whether none is filed.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Adds the numbers of the signatures that `facts` may meet.
    pub(super) fn find(&self, facts: &ExchangeFacts<'_>, found: &mut Vec<u32>) {
        for (field, filed) in &self.fields {
            match field.held(facts) {
                Held::Text(text) => filed.find(text, found),
                Held::Url(full, uri) => {
                    filed.find(&full, found);
                    filed.find(uri, found);
                }
                Held::Texts(texts) => texts.iter().for_each(|text| filed.find(text.as_bytes(), found)),
                Held::Bytes(texts) => texts.iter().for_each(|text| filed.find(text, found)),
                Held::Name(name) => filed.find(dotted(name, &mut [0; DNS_NAME_BYTES]), found),
                Held::Unseen | Held::Absent | Held::Number(_) | Held::Address(_) => {}
            }
        }
        found.sort_unstable();
        found.dedup();
    }
}

impl Filed {
    /// Files `number` under the grams of `text`, the one that has fewest others.
    fn add(&mut self, number: u32, text: &[u8]) {
        let others = |gram: &[u8; GRAM]| self.by_gram.get(gram).map_or(0, Vec::len);
        let Some(gram) = grams(text).min_by_key(others) else { return };
        let (word, bit) = filter_place(gram);
        self.filter.resize(FILTER_BITS as usize / 64, 0);
        if let Some(word) = self.filter.get_mut(word) {
            *word |= bit;
        }
        let filed = self.by_gram.entry(gram).or_default();
        if filed.last() != Some(&number) {
            filed.push(number);
        }
    }

    fn find(&self, text: &[u8], found: &mut Vec<u32>) {
        for gram in grams(text) {
            let (word, bit) = filter_place(gram);
            if self.filter.get(word).is_some_and(|word| word & bit != 0)
                && let Some(filed) = self.by_gram.get(&gram)
            {
                found.extend_from_slice(filed);
            }
        }
    }
}

/// The texts of which a field must hold one for the condition to hold; none where it asks something else, or
/// where the field is long or has to be made first, which cheaper conditions may spare.
fn texts(condition: &Condition) -> impl Iterator<Item = &[u8]> {
    let is_dear =
        condition.field.kind() == FieldKind::Body || matches!(condition.field, Field::Ja3 | Field::Ja4);
    let (texts, names): (&[Box<[u8]>], &[Box<str>]) = match &condition.test {
        _ if is_dear => (&[], &[]),
        Test::Text(_, _, texts) => (texts, &[]),
        Test::Below(names) => (&[], names),
        _ => (&[], &[]),
    };
    texts.iter().map(|text| &**text).chain(names.iter().map(|name| name.as_bytes()))
}

/// Every four bytes in a row, in lower case.
fn grams(text: &[u8]) -> impl Iterator<Item = [u8; GRAM]> {
    text.array_windows().map(|gram: &[u8; GRAM]| gram.map(|byte| byte.to_ascii_lowercase()))
}

/// Where a gram's bit stands.
fn filter_place(gram: [u8; GRAM]) -> (usize, u64) {
    let place = HASHER.hash_one(u32::from_le_bytes(gram)) as u32 % FILTER_BITS;
    (place as usize / 64, 1 << (place % 64))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{Loader, Moment, SignatureId};
    use super::*;
    use crate::protocol::dns::NameBuf;
    use crate::protocol::http::Request;

    /// What the table finds is what judging every signature finds.
    #[test]
    fn finds_what_judging_each_finds() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as usize % below
        };
        let mut text = |pieces: usize| -> String {
            const PIECES: [&str; 8] = ["a", "B", "gate", "Php", ".", "-x", "evil", "7"];
            (0..1 + random(pieces)).map(|_| PIECES[random(PIECES.len())]).collect()
        };
        let mut rules = String::new();
        for sid in 0..400 {
            let header = "any any -> any any";
            let ends = ["", "startswith;", "endswith;", "nocase;"][sid % 4];
            rules += &match sid % 3 {
                0 => format!("alert dns {header} (dns.query; content:\"{}\"; {ends} sid:{sid};)\n", text(3)),
                1 => format!("alert http {header} (http.uri; content:\"{}\"; {ends} sid:{sid};)\n", text(4)),
                _ => format!(
                    "alert http {header} (http.host; dotprefix; content:\".{}\"; endswith; http.user_agent; content:\"{}\"; sid:{sid};)\n",
                    text(2),
                    text(3)
                ),
            };
        }
        let mut loader = Loader::default();
        loader.bytes("a.rules", rules.as_bytes());
        let indicators = loader.finish().indicators;
        assert!(indicators.all_signatures().len() > 300);
        let (mut met, mut candidates) = (0, 0);
        let mut judge = |facts: &ExchangeFacts<'_>| {
            let mut hits = Vec::new();
            indicators.signatures(facts, &mut hits);
            let all = indicators.all_signatures().iter().enumerate();
            let expected: Vec<_> = all
                .filter(|(_, signature)| signature.moment() == facts.moment && signature.holds(facts))
                .map(|(number, _)| SignatureId(number as u32))
                .collect();
            assert_eq!(hits, expected);
            met += hits.len();
            candidates += 1;
        };
        for _ in 0..500 {
            let name = NameBuf::from_text(format!("{}.example", text(6)).as_bytes());
            name.iter().for_each(|name| judge(&ExchangeFacts::query(None, name.as_name(), 1)));
            let request = Request {
                target: format!("/{}", text(9)).into(),
                host: Some(text(4).into()),
                user_agent: Some(text(6).into()),
                ..Request::default()
            };
            judge(&ExchangeFacts::request(("198.51.100.7".parse().unwrap(), 80), &request));
        }
        assert!(met > 5_000 && candidates > 700, "{met} {candidates}");
        assert!(indicators.all_signatures().iter().any(|one| one.moment() == Moment::Query));
    }
}
