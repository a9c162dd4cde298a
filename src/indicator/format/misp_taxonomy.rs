//! What tags of MISP's taxonomies say of an entry: with whom it may be shared, how sure it is, what technique
//! it belongs to.
//!
//! An attribute's own tag counts before its event's. Of several gradings at one place the least sure one
//! counts, and of several TLP labels the strictest.

use std::sync::Arc;

use super::super::model::Tlp;

/// What some tags say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tagging {
    /// 0 to 100; `None` when no tag grades it.
    pub confidence: Option<u8>,
    pub tlp: Option<Tlp>,
    /// The tags that say none of this.
    pub words: Vec<Arc<str>>,
    /// ATT&CK technique ids.
    pub techniques: Vec<Arc<str>>,
}

impl Tagging {
    /// What tags of those names say.
    pub(super) fn of<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let mut tagging = Self::default();
        for name in names {
            if let Some(confidence) = confidence(name) {
                tagging.confidence = Some(tagging.confidence.map_or(confidence, |one| one.min(confidence)));
            } else if let Some(tlp) = Tlp::from_name(name).filter(|_| is_of(name, "tlp:")) {
                tagging.tlp = tagging.tlp.max(Some(tlp));
            } else if let Some(technique) = technique(name) {
                tagging.techniques.push(technique.into());
            } else {
                tagging.words.push(name.into());
            }
        }
        tagging
    }

    /// Adds what the number of an event's threat level says, as the tag that stands for it. It tells how able the
    /// attacker is, not how sure the entry or how bad a hit, so that it grades nothing.
    pub(super) fn threat_level(&mut self, number: &str) {
        let level = match number {
            "1" => "high-risk",
            "2" => "medium-risk",
            "3" => "low-risk",
            _ => return,
        };
        let tag = format!("misp:threat-level=\"{level}\"");
        if !self.words.iter().any(|word| **word == *tag) {
            self.words.push(tag.into());
        }
    }

    /// What an attribute's tags say, and where they say nothing its event's.
    pub(super) fn over(mut self, event: &Self) -> Self {
        self.confidence = self.confidence.or(event.confidence);
        self.tlp = self.tlp.or(event.tlp);
        add(&mut self.words, &event.words);
        add(&mut self.techniques, &event.techniques);
        self
    }
}

/// Adds those of `further` that are not there.
fn add(words: &mut Vec<Arc<str>>, further: &[Arc<str>]) {
    let new: Vec<_> = further.iter().filter(|word| !words.contains(word)).cloned().collect();
    words.extend(new);
}

/// Gradings, each with what a value of it is worth: the numbers that MISP's taxonomies give for scoring, and
/// where those give ranges (ICD 203) their middle.
const GRADINGS: [(&str, &[(&str, u8)]); 5] = [
    (
        "misp:confidence-level",
        &[
            ("completely-confident", 100),
            ("usually-confident", 75),
            ("fairly-confident", 50),
            ("rarely-confident", 25),
            ("unconfident", 0),
            ("confidence-cannot-be-evalued", 50),
            ("confidence-cannot-be-evaluated", 50),
        ],
    ),
    (
        "admiralty-scale:source-reliability",
        &[("a", 100), ("b", 75), ("c", 50), ("d", 25), ("e", 0), ("f", 50), ("g", 0)],
    ),
    (
        "admiralty-scale:information-credibility",
        &[("1", 100), ("2", 75), ("3", 50), ("4", 25), ("5", 0), ("6", 50)],
    ),
    (
        "estimative-language:likelihood-probability",
        &[
            ("almost-no-chance", 3),
            ("very-unlikely", 12),
            ("unlikely", 32),
            ("roughly-even-chance", 50),
            ("likely", 67),
            ("very-likely", 87),
            ("almost-certain", 97),
        ],
    ),
    (
        "estimative-language:confidence-in-analytic-judgment",
        // STIX 2.1, appendix A: the middle of each range.
        &[("low", 15), ("moderate", 50), ("high", 85)],
    ),
];

/// What the tag says of confidence.
fn confidence(name: &str) -> Option<u8> {
    let (predicate, value) = name.split_once('=')?;
    let (predicate, value) = (predicate.trim().to_ascii_lowercase(), value.trim().trim_matches('"'));
    let (_, values) = GRADINGS.iter().find(|(one, _)| *one == predicate)?;
    values.iter().find(|(one, _)| one.eq_ignore_ascii_case(value)).map(|&(_, worth)| worth)
}

/// The technique of `misp-galaxy:mitre-attack-pattern="Web Protocols - T1071.001"`.
fn technique(name: &str) -> Option<&str> {
    let value = name.split_once('=')?.1.trim_matches('"');
    let (_, id) = value.rsplit_once(" - ").filter(|_| is_of(name, "misp-galaxy:mitre-"))?;
    let digits = id.strip_prefix('T')?;
    let is_id = digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_id.then_some(id)
}

fn is_of(name: &str, namespace: &str) -> bool {
    name.get(..namespace.len()).is_some_and(|start| start.eq_ignore_ascii_case(namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Tagging {
        Tagging::of(names.iter().copied())
    }

    #[test]
    fn grades_by_the_least_sure_tag() {
        for (names, confidence) in [
            (&["misp:confidence-level=\"usually-confident\""][..], Some(75)),
            (
                &[
                    "admiralty-scale:source-reliability=\"b\"",
                    "admiralty-scale:information-credibility=\"4\"",
                ],
                Some(25),
            ),
            (&["estimative-language:likelihood-probability=\"very-likely\""], Some(87)),
            (&["Estimative-Language:confidence-in-analytic-judgment=\"High\""], Some(85)),
            (&["admiralty-scale:source-reliability=\"z\"", "type:OSINT"], None),
        ] {
            assert_eq!(of(names).confidence, confidence, "{names:?}");
        }
    }

    #[test]
    fn tells_sharing_techniques_and_words_apart() {
        let tagging = of(&[
            "tlp:green",
            "TLP:AMBER+STRICT",
            "tlp:white",
            "green",
            "misp-galaxy:mitre-attack-pattern=\"Web Protocols - T1071.001\"",
            "misp-galaxy:mitre-intrusion-set=\"Somebody - G0001\"",
        ]);
        assert_eq!(tagging.tlp, Some(Tlp::AmberStrict));
        assert_eq!(tagging.techniques, [Arc::from("T1071.001")]);
        let words: Vec<_> = tagging.words.iter().map(|word| &**word).collect();
        assert_eq!(words, ["green", "misp-galaxy:mitre-intrusion-set=\"Somebody - G0001\""]);
    }

    #[test]
    fn an_attributes_tag_counts_before_its_events() {
        let mut event = of(&["tlp:red", "admiralty-scale:source-reliability=\"d\"", "osint"]);
        event.threat_level("1");
        event.threat_level("4");
        let own = of(&["tlp:green", "c2", "osint"]).over(&event);
        assert_eq!((own.tlp, own.confidence), (Some(Tlp::Green), Some(25)));
        let words: Vec<_> = own.words.iter().map(|word| &**word).collect();
        assert_eq!(words, ["c2", "osint", "misp:threat-level=\"high-risk\""]);
        let graded = of(&["admiralty-scale:source-reliability=\"a\""]).over(&event);
        assert_eq!((graded.tlp, graded.confidence), (Some(Tlp::Red), Some(100)));
    }
}
