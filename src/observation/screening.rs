//! Who knows the indicators and registries: asked about messages, flows and hosts before they are told.

use std::{fmt::Debug, hash::BuildHasher, sync::Arc};

use foldhash::fast::RandomState;

use crate::{address::AddressWords, flow::FlowKey, protocol::dns::Outline};

/// Host names that are remembered: 128 KiB of them. Each has one place, and takes it from the one before.
const PLACES: usize = 2048;

/// The longest name that is remembered.
const LENGTH: usize = 61;

/// What is known of a host name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Whether it is a package registry's.
    pub is_registry: bool,
    /// Whether a public DNS resolver is reached by it.
    pub is_resolver: bool,
    /// Whether a claim may be about it, as far as the filters tell. What is no name is never listed.
    pub may_be_listed: bool,
}

/// Between whom a DNS message goes.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Who asks.
    pub client: AddressWords,
    /// Who is asked.
    pub server: AddressWords,
    /// The server's port.
    pub port: u16,
}

/// Who knows the indicators, and is asked about usual DNS messages, flows and TLS hellos. What it answers never
/// changes.
pub trait Screen: Debug + Send + Sync {
    /// Of a message in which no claim or signature can be met, whatever is known besides it, the hash of its name's
    /// last two labels ([`super::DnsFacts::ending`]).
    fn unlisted(&self, asked: &Asked, outline: &Outline<'_>) -> Option<u64>;

    /// `false` only when no claim is about this address.
    fn may_list_address(&self, address: AddressWords) -> bool;

    /// What is known of a host name as sent.
    fn host(&self, text: &[u8]) -> HostFacts;

    /// `false` only when nothing of a ClientHello but its name can be detected.
    fn reads_hellos(&self) -> bool;

    /// `false` only when nothing of a ClientHello can be detected when the server's certificate comes.
    fn reads_hellos_of_certificates(&self) -> bool;
}

/// A screen with what it answered last.
#[derive(Debug)]
pub(super) struct Screening {
    screen: Arc<dyn Screen>,
    hosts: Hosts,
    /// What of a hello must be kept.
    reads_hellos: bool,
    reads_hellos_of_certificates: bool,
}

impl Screening {
    pub(super) fn new(screen: Arc<dyn Screen>) -> Self {
        let reads_hellos = screen.reads_hellos();
        let reads_hellos_of_certificates = screen.reads_hellos_of_certificates();
        Self { screen, hosts: Hosts::default(), reads_hellos, reads_hellos_of_certificates }
    }

    /// As [`Screen::unlisted`].
    #[inline]
    pub(super) fn unlisted(&self, asked: &Asked, outline: &Outline<'_>) -> Option<u64> {
        self.screen.unlisted(asked, outline)
    }

    /// Whether no claim is about either end of a flow.
    pub(super) fn is_unlisted_flow(&self, key: &FlowKey) -> bool {
        !key.addresses().into_iter().any(|address| self.screen.may_list_address(address))
    }

    /// Where nothing can be detected in a hello with this name, what is known of that.
    pub(super) fn facts_if_unlisted(&mut self, sni: Option<&[u8]>) -> Option<HostFacts> {
        if self.reads_hellos {
            return None;
        }
        let Some(sni) = sni else { return Some(HostFacts::default()) };
        let facts = self.hosts.facts(sni, |text| self.screen.host(text));
        (!facts.may_be_listed).then_some(facts)
    }

    /// Whether an unlisted hello must be at hand when the certificate comes.
    pub(super) fn keeps_hellos(&self) -> bool {
        self.reads_hellos_of_certificates
    }
}

#[derive(Clone, Copy, Debug)]
struct Host {
    text: [u8; LENGTH],
    length: u8,
    facts: HostFacts,
}

/// Facts of the host names that were asked for last: machines ask for the same ones again and again. They follow from
/// the name alone, so that what is remembered changes no answer.
#[derive(Debug)]
pub struct Hosts {
    places: Vec<Host>,
    hasher: RandomState,
}

impl Default for Hosts {
    fn default() -> Self {
        // An empty name has no facts, and is no name.
        let empty = Host { text: [0; LENGTH], length: 0, facts: HostFacts::default() };
        Self { places: vec![empty; PLACES], hasher: RandomState::default() }
    }
}

impl Hosts {
    /// What is known of `text`, a host name as sent; `find` finds it out, always in the same way.
    pub fn facts(&mut self, text: &[u8], find: impl FnOnce(&[u8]) -> HostFacts) -> HostFacts {
        let place = self.hasher.hash_one(text) as usize % PLACES;
        let place = self.places.get_mut(place);
        let Some(host) = place.filter(|_| text.len() <= LENGTH) else { return find(text) };
        if host.text.get(..usize::from(host.length)) != Some(text) {
            host.facts = find(text);
            if let Some(room) = host.text.get_mut(..text.len()) {
                room.copy_from_slice(text);
                // It is at most `LENGTH`.
                host.length = text.len() as u8;
            }
        }
        host.facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_is_found() {
        let find = |text: &[u8]| HostFacts {
            is_registry: text.starts_with(b"registry."),
            is_resolver: false,
            may_be_listed: text.ends_with(b"evil.example"),
        };
        let mut hosts = Hosts::default();
        assert_eq!(hosts.facts(b"", find), HostFacts::default());
        // Far more names than places, so that they put each other out; each is asked for twice.
        for turn in 0..4 * PLACES {
            let names = [
                format!("host{turn}.example"),
                format!("registry.{}.evil.example", turn % 7),
                format!("{}.evil.example", "a".repeat(turn % 80)),
                format!("{}.good.example", "a".repeat(turn % 80)),
            ];
            for name in names.iter().chain(&names) {
                assert_eq!(hosts.facts(name.as_bytes(), find), find(name.as_bytes()), "{name}");
            }
        }
    }
}
