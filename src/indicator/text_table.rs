//! Finds claims about texts: URLs, paths, User-Agents, fingerprints, certificate hashes.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::claims::Claims;
use super::model::{ClaimId, Kind};
use super::value::UrlParts;

const HASHER: FixedState = FixedState::with_seed(0x7465_7874);

/// From texts of a kind to the first claim about each.
#[derive(Debug, Default)]
pub(super) struct TextTable {
    texts: HashTable<ClaimId>,
    /// Which kinds occur at all, by their place in [`Kind`].
    kinds: u16,
}

impl TextTable {
    /// Adds the value of claim `id`, or gives the claim that already stands for it.
    pub(super) fn insert(&mut self, id: ClaimId, claims: &Claims) -> Option<ClaimId> {
        let claim = claims.get(id)?;
        let (kind, matching) = (claim.kind, claim.matching);
        self.kinds |= 1 << kind as u16;
        let hash = hash_of(id, claims);
        let same = |&other: &ClaimId| {
            claims.get(other).is_some_and(|other| {
                other.kind == kind && other.matching == matching && other.value == claim.value
            })
        };
        if let Some(&found) = self.texts.find(hash, same) {
            return Some(found);
        }
        self.texts.insert_unique(hash, id, |&other| hash_of(other, claims));
        None
    }

    /// Whether there is a claim of `kind`.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.kinds & 1 << kind as u16 != 0
    }

    /// Calls `hit` for each claim of `kind` whose value is `text` when ASCII case is left aside; the
    /// caller looks at the case where it matters.
    pub(super) fn find(&self, kind: Kind, text: &[u8], claims: &Claims, mut hit: impl FnMut(ClaimId)) {
        if !self.has(kind) {
            return;
        }
        for &id in self.texts.iter_hash(hash_text(kind, text)) {
            let claim = claims.get(id);
            if claim
                .is_some_and(|claim| claim.kind == kind && claim.value.as_bytes().eq_ignore_ascii_case(text))
            {
                hit(id);
            }
        }
    }

    /// Calls `hit` for each URL claim of exactly that host (case aside), port and target.
    pub(super) fn find_url(
        &self,
        (host, port, target): (&[u8], u16, &[u8]),
        claims: &Claims,
        mut hit: impl FnMut(ClaimId),
    ) {
        if !self.has(Kind::Url) {
            return;
        }
        for &id in self.texts.iter_hash(hash_url(host, port, target)) {
            let claim = claims.get(id).filter(|claim| claim.kind == Kind::Url);
            if let Some(parts) = claim.and_then(|claim| UrlParts::of(claim.value))
                && parts.port == port
                && parts.target.as_bytes() == target
                && parts.host.as_bytes().eq_ignore_ascii_case(host)
            {
                hit(id);
            }
        }
    }
}

fn hash_of(id: ClaimId, claims: &Claims) -> u64 {
    match claims.get(id) {
        Some(claim) if claim.kind == Kind::Url => UrlParts::of(claim.value)
            .map_or(0, |parts| hash_url(parts.host.as_bytes(), parts.port, parts.target.as_bytes())),
        Some(claim) => hash_text(claim.kind, claim.value.as_bytes()),
        None => 0,
    }
}

fn hash_text(kind: Kind, text: &[u8]) -> u64 {
    let mut hasher = HASHER.build_hasher();
    hasher.write_u8(kind as u8);
    write_folded(&mut hasher, text);
    hasher.finish()
}

fn hash_url(host: &[u8], port: u16, target: &[u8]) -> u64 {
    let mut hasher = HASHER.build_hasher();
    write_folded(&mut hasher, host);
    hasher.write_u16(port);
    hasher.write(target);
    hasher.finish()
}

/// Hashes a text in lower case without a copy of it, sixteen bytes at a time.
fn write_folded(hasher: &mut impl Hasher, text: &[u8]) {
    for piece in text.chunks(16) {
        let mut folded = [0; 16];
        if let Some(slot) = folded.get_mut(..piece.len()) {
            slot.copy_from_slice(piece);
            slot.make_ascii_lowercase();
        }
        hasher.write(&folded);
    }
    hasher.write_usize(text.len());
}
