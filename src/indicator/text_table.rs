//! Finds claims about texts: URLs, paths, User-Agents, fingerprints, certificate hashes.

use super::claims::Claims;
use super::flat::Bytes;
use super::hash::{exact, folded};
use super::model::{Kind, Match};
use super::slots::Slots;
use super::value::UrlParts;

/// From texts of a kind to the first claim about each.
#[derive(Debug, Default)]
pub(super) struct TextTable {
    pub(super) texts: Slots,
    /// Which kinds occur at all, by their place in [`Kind`].
    pub(super) kinds: u16,
}

impl TextTable {
    /// The table of a compiled file.
    pub(super) fn from_bytes(texts: Bytes, kinds: u16) -> Self {
        Self { texts: Slots::from_bytes(texts), kinds }
    }

    /// The hash of a value.
    pub(super) fn hash(kind: Kind, value: &str) -> u64 {
        match kind {
            Kind::Url => UrlParts::of(value)
                .map_or(0, |parts| hash_url(parts.host.as_bytes(), parts.port, parts.target.as_bytes())),
            _ => hash_text(kind, value.as_bytes()),
        }
    }

    /// The first claim of the same value, kind and reach, by the value's hash.
    pub(super) fn first(
        &self,
        (kind, matching, value): (Kind, Match, &str),
        hash: u64,
        claims: &Claims,
    ) -> Option<u32> {
        let same = |other| {
            claims.value(other) == value.as_bytes()
                && claims.kind(other) == Some(kind)
                && claims.matching(other) == Some(matching)
        };
        self.texts.find(hash, |other| same(other).then_some(other))
    }

    /// Adds a value by its hash, of which [`TextTable::first`] knows nothing.
    pub(super) fn insert(&mut self, kind: Kind, hash: u64, claim: u32) {
        self.kinds |= 1 << kind as u16;
        self.texts.insert(hash, claim);
    }

    /// Gives back what was only needed for adding.
    pub(super) fn finish(&mut self) {
        self.texts.finish();
    }

    /// Whether there is a claim of `kind`.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.kinds & 1 << kind as u16 != 0
    }

    /// Calls `hit` for each claim of `kind` whose value is `text` when ASCII case is left aside; the
    /// caller looks at the case where it matters.
    pub(super) fn find(&self, kind: Kind, text: &[u8], claims: &Claims, mut hit: impl FnMut(u32)) {
        if !self.has(kind) {
            return;
        }
        self.texts.find(hash_text(kind, text), |claim| {
            let same = claims.value(claim).eq_ignore_ascii_case(text);
            if same && claims.kind(claim) == Some(kind) {
                hit(claim);
            }
            None::<()>
        });
    }

    /// Calls `hit` for each URL claim of exactly that host (case aside), port and target.
    pub(super) fn find_url(
        &self,
        (host, port, target): (&[u8], u16, &[u8]),
        claims: &Claims,
        mut hit: impl FnMut(u32),
    ) {
        if !self.has(Kind::Url) {
            return;
        }
        self.texts.find(hash_url(host, port, target), |claim| {
            if claims.kind(claim) == Some(Kind::Url)
                && let Some(claim_value) = claims.get(claim).map(|claim| claim.value)
                && let Some(parts) = UrlParts::of(claim_value)
                && parts.port == port
                && parts.target.as_bytes() == target
                && parts.host.as_bytes().eq_ignore_ascii_case(host)
            {
                hit(claim);
            }
            None::<()>
        });
    }
}

fn hash_text(kind: Kind, text: &[u8]) -> u64 {
    folded(kind as u64 + 1, text, 0, text.len())
}

fn hash_url(host: &[u8], port: u16, target: &[u8]) -> u64 {
    exact(folded(u64::from(port), host, 0, host.len()), target)
}
