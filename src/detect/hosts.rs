//! What the indicators know of host names, remembered: machines ask for the same few again and again.

use crate::{
    flow::WordHash,
    indicator::{Indicators, Registries},
    protocol::dns::NameBuf,
};

/// Host names that are remembered: sixteen KiB of them. Each has one place, and takes it from the one before.
const PLACES: usize = 256;

/// The longest name that is remembered.
const LENGTH: usize = 62;

/// What is known of a host name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Whether it is a package registry's.
    pub is_registry: bool,
    /// Whether a claim may be about it, as far as the filters tell. What is no name is never listed.
    pub may_be_listed: bool,
}

impl HostFacts {
    /// Those of `text`, found out.
    fn find(text: &[u8], indicators: &Indicators, registries: &Registries) -> Self {
        let Some(name) = NameBuf::from_text(text) else { return Self::default() };
        Self {
            is_registry: registries.is_package_registry(name.as_name()),
            may_be_listed: indicators.may_list_name(name.as_name()),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Host {
    text: [u8; LENGTH],
    length: u8,
    facts: HostFacts,
}

/// Facts of the host names that were asked for last. They follow from the name and the indicators alone, so that what
/// is remembered changes no answer.
#[derive(Debug)]
pub struct Hosts {
    places: Vec<Host>,
}

impl Default for Hosts {
    fn default() -> Self {
        // An empty name has no facts, and is no name.
        let empty = Host { text: [0; LENGTH], length: 0, facts: HostFacts::default() };
        Self { places: vec![empty; PLACES] }
    }
}

impl Hosts {
    /// What is known of `text`, a host name as sent. The indicators must always be the same ones.
    pub fn facts(&mut self, text: &[u8], indicators: &Indicators, registries: &Registries) -> HostFacts {
        let place = self.places.get_mut(place_of(text));
        let Some(host) = place.filter(|_| text.len() <= LENGTH) else {
            return HostFacts::find(text, indicators, registries);
        };
        if host.text.get(..usize::from(host.length)) != Some(text) {
            host.facts = HostFacts::find(text, indicators, registries);
            if let Some(room) = host.text.get_mut(..text.len()) {
                room.copy_from_slice(text);
                // It is at most `LENGTH`.
                host.length = text.len() as u8;
            }
        }
        host.facts
    }
}

fn place_of(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    let hash = words.iter().fold(WordHash::from(text.len() as u64), |hash, &word| {
        hash.with(u64::from_le_bytes(word))
    });
    let last = rest.iter().fold(0_u64, |word, &byte| word << 8 | u64::from(byte));
    hash.with(last).finish() as usize % PLACES
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::indicator::Loader;

    #[test]
    fn what_is_remembered_is_what_is_found() {
        let mut loader = Loader::default();
        loader.bytes("list.csv", b"indicator,type,confidence,source\nevil.example,domain,95,TWO\n");
        let knowledge = loader.finish().shared();
        let mut hosts = Hosts::default();
        // Far more names than places, so that they put each other out; each is asked for twice.
        for turn in 0..4 * PLACES {
            let names = [
                format!("host{}.example", turn % (2 * PLACES)),
                format!("a{}.evil.example", turn % 7),
                "EVIL.example".to_owned(),
                "evil.example.".to_owned(),
                "evil.example..".to_owned(),
                String::new(),
                format!("{}.evil.example", "a".repeat(turn % 64)),
            ];
            for name in names.iter().chain(&names) {
                let facts = hosts.facts(name.as_bytes(), &knowledge.indicators, &knowledge.registries);
                let found = HostFacts::find(name.as_bytes(), &knowledge.indicators, &knowledge.registries);
                assert_eq!(facts, found, "{name}");
                let is_name = NameBuf::from_text(name.as_bytes()).is_some();
                assert_eq!(facts.may_be_listed, is_name && name.to_lowercase().contains("evil"), "{name}");
            }
        }
    }
}
