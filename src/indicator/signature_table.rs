//! All signatures, arranged so that an ordinary message is judged by hardly any of them.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::exchange::{ExchangeFacts, Moment};
use super::field::{Field, Held};
use super::labels::{Ending, hashes_of};
use super::model::SignatureId;
use super::signature::{Condition, Place, Signature, Test};
use super::signature_grams::Grams;

/// The signatures of every pack, by the moment at which they are judged.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    all: Vec<Signature>,
    moments: [AtMoment; Moment::ALL.len()],
    questions: QuestionFilter,
}

/// From a key, which is what a field holds or its hash, to the signatures that ask for it.
type ByKey = HashMap<u64, Vec<u32>, FixedState>;

/// The signatures that are judged at one moment.
#[derive(Debug, Default)]
struct AtMoment {
    /// Those that need a field to be one of a few things: found by the key of what the field holds.
    keyed: Vec<(Field, ByKey)>,
    /// Those that need a text to stand in a field.
    grams: Grams,
    /// The rest.
    others: Vec<u32>,
}

impl Signatures {
    /// Arranges `all`; their places are their numbers.
    pub(super) fn new(all: Vec<Signature>) -> Self {
        let mut moments: [AtMoment; Moment::ALL.len()] = Default::default();
        for (number, signature) in all.iter().enumerate() {
            if let Some(at) = moments.get_mut(signature.moment as usize) {
                at.add(number as u32, signature);
            }
        }
        let questions = moments.get(Moment::Query as usize).map(QuestionFilter::of).unwrap_or_default();
        Self { all, moments, questions }
    }

    /// `false` only when no signature fires on a question of type `kind` for a name whose last two labels have
    /// the hash `ending`; `None` for a name of fewer.
    #[inline]
    pub(super) fn may_meet_question(&self, kind: u16, ending: Option<u64>) -> bool {
        self.questions.may_meet(kind, ending)
    }

    pub(super) fn as_slice(&self) -> &[Signature] {
        &self.all
    }

    /// Whether any is judged at that moment.
    pub(super) fn has_any_at(&self, moment: Moment) -> bool {
        self.all.iter().any(|signature| signature.moment == moment)
    }

    /// Adds the numbers of the signatures that `facts` meet, in the order of loading.
    pub(super) fn find(&self, facts: &ExchangeFacts<'_>, hits: &mut Vec<SignatureId>) {
        let before = hits.len();
        let Some(at) = self.moments.get(facts.moment as usize) else { return };
        let mut judge = |number: u32| {
            if self.all.get(number as usize).is_some_and(|signature| signature.holds(facts)) {
                hits.push(SignatureId(number));
            }
        };
        for (field, numbers) in &at.keyed {
            if let Some(numbers) = key_of(field.held(facts)).and_then(|key| numbers.get(&key)) {
                numbers.iter().copied().for_each(&mut judge);
            }
        }
        let mut found = Vec::new();
        at.grams.find(facts, &mut found);
        found.into_iter().for_each(&mut judge);
        at.others.iter().copied().for_each(&mut judge);
        if let Some(new) = hits.get_mut(before..) {
            new.sort_unstable();
        }
    }
}

impl AtMoment {
    fn add(&mut self, number: u32, signature: &Signature) {
        let keyed = signature.all.iter().enumerate().find_map(|(place, condition)| {
            // A fingerprint has to be made first: no key where a cheaper condition can spare that.
            let is_made = matches!(condition.field, Field::Ja3 | Field::Ja4);
            keys(condition).filter(|_| !is_made || place == 0).map(|keys| (&condition.field, keys))
        });
        let Some((field, keys)) = keyed else {
            if !self.grams.add(number, signature) {
                self.others.push(number);
            }
            return;
        };
        let place = self.keyed.iter().position(|(known, _)| known == field).unwrap_or_else(|| {
            self.keyed.push((field.clone(), HashMap::default()));
            self.keyed.len() - 1
        });
        let Some((_, numbers)) = self.keyed.get_mut(place) else { return };
        for key in keys {
            let listed: &mut Vec<u32> = numbers.entry(key).or_default();
            if listed.last() != Some(&number) {
                listed.push(number);
            }
        }
    }
}

/// What nearly every question is told by that no signature is about: its type, and how its name ends.
#[derive(Debug, Default)]
struct QuestionFilter {
    /// A bit for each type below 64 that a signature asks for.
    types: u64,
    /// The other types.
    high_types: Vec<u16>,
    /// A bit for each ending that a signature asks for, 512 in all.
    endings: [u64; 8],
    /// Whether some signature asks for neither.
    any: bool,
}

impl QuestionFilter {
    fn of(at: &AtMoment) -> Self {
        let mut filter = Self { any: !(at.others.is_empty() && at.grams.is_empty()), ..Self::default() };
        for (field, numbers) in &at.keyed {
            for &key in numbers.keys() {
                match (field, u16::try_from(key)) {
                    (Field::QueryType, Ok(kind @ 0..64)) => filter.types |= 1 << kind,
                    (Field::QueryType, Ok(kind)) => filter.high_types.push(kind),
                    // No question is of such a type.
                    (Field::QueryType, Err(_)) => {}
                    _ => {
                        let word = filter.endings.get_mut(Self::word(key));
                        word.into_iter().for_each(|word| *word |= 1 << (key & 63));
                    }
                }
            }
        }
        filter
    }

    #[inline]
    const fn word(ending: u64) -> usize {
        (ending >> 6 & 7) as usize
    }

    #[inline]
    fn may_meet(&self, kind: u16, ending: Option<u64>) -> bool {
        let asks_for_type = match kind {
            0..64 => self.types >> kind & 1 != 0,
            _ => self.high_types.contains(&kind),
        };
        let asks_for_ending = |ending: u64| {
            self.endings.get(Self::word(ending)).is_some_and(|word| word >> (ending & 63) & 1 != 0)
        };
        self.any || asks_for_type || ending.is_some_and(asks_for_ending)
    }
}

/// The keys of which the field must have one, when that is what the condition asks.
fn keys(condition: &Condition) -> Option<Vec<u64>> {
    match (&condition.field, &condition.test) {
        (
            Field::Path
            | Field::Target
            | Field::Uri
            | Field::Host
            | Field::UserAgent
            | Field::Sni
            | Field::Ja3
            | Field::Ja4,
            Test::Text(Place::Whole, _, texts),
        ) => Some(texts.iter().map(|text| text_key(text)).collect()),
        (Field::QueryType, Test::Number(numbers)) => Some(numbers.clone()),
        // By the last two labels; a name of one has none.
        (Field::QueryName, Test::Below(names)) => {
            names.iter().map(|name| hashes_of(name.as_bytes()).nth(1)).collect()
        }
        _ => None,
    }
}

/// The key of what a field holds.
#[inline]
fn key_of(held: Held<'_>) -> Option<u64> {
    match held {
        Held::Text(text) => Some(text_key(text)),
        Held::Number(number) => Some(number),
        Held::Name(name) => Some(Ending::of(name)?.two),
        _ => None,
    }
}

const HASHER: FixedState = FixedState::with_seed(0x7369_676e);

/// The hash of a text whatever its case; case is judged by the condition itself.
fn text_key(text: &[u8]) -> u64 {
    let mut folded = [0; 64];
    let mut hash = text.len() as u64;
    for piece in text.chunks(folded.len()) {
        if let Some(slot) = folded.get_mut(..piece.len()) {
            slot.copy_from_slice(piece);
            slot.make_ascii_lowercase();
            hash = HASHER.hash_one((hash, &*slot));
        }
    }
    hash
}
