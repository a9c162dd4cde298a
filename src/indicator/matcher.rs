//! The question that detection asks: what is claimed about this name, address, request, certificate?

use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::address_table::AddressTable;
use super::claims::{Claims, Statement};
use super::domain_table::{DomainTable, reaches};
use super::exchange::{ExchangeFacts, Target, split_host};
use super::model::{AsOf, Claim, ClaimId, Kind, Match, SignatureId, Standing};
use super::search_suffix::SearchSuffixes;
use super::signature::{Signature, Signatures};
use super::text_table::TextTable;
use super::value::Value;
use crate::protocol::dns::Name;
use crate::time::Timestamp;

/// All claims and signatures, ready to be asked. Never changes; share it in an `Arc`.
///
/// Every question adds the numbers of what it found to a list that the caller keeps and clears, so
/// that asking allocates nothing. Answers are about values only: whether a claim holds at the time of
/// the packet is [`Indicators::judge`]'s business, whether it may be spoken of is
/// [`Allow`](super::Allow)'s.
#[derive(Debug, Default)]
pub struct Indicators {
    claims: Claims,
    domains: DomainTable,
    addresses: AddressTable,
    texts: TextTable,
    /// The claims beyond the first about the same value, in the order of loading.
    further: HashMap<ClaimId, Vec<ClaimId>, FixedState>,
    signatures: Signatures,
    search_suffixes: SearchSuffixes,
}

impl Indicators {
    /// How many claims there are.
    pub fn len(&self) -> usize {
        self.claims.len()
    }

    /// Whether there is neither a claim nor a signature.
    pub fn is_empty(&self) -> bool {
        self.claims.len() == 0 && self.signatures.as_slice().is_empty()
    }

    /// The claim of that number; `None` for a number that another set gave.
    pub fn claim(&self, id: ClaimId) -> Option<Claim<'_>> {
        self.claims.get(id)
    }

    /// Every claim, in the order of loading.
    pub fn claims(&self) -> impl Iterator<Item = (ClaimId, Claim<'_>)> {
        (0..self.claims.len() as u32).filter_map(|number| {
            let id = ClaimId(number);
            Some((id, self.claims.get(id)?))
        })
    }

    /// The signature of that number; `None` for a number that another set gave.
    pub fn signature(&self, id: SignatureId) -> Option<&Signature> {
        self.signatures.as_slice().get(id.0 as usize)
    }

    /// Every signature, in the order of loading; a signature's place is its number.
    pub fn all_signatures(&self) -> &[Signature] {
        self.signatures.as_slice()
    }

    /// How the claim stands at `packet_time`; `None` when a hit on it is not to be reported.
    pub fn judge(&self, id: ClaimId, as_of: AsOf, packet_time: Timestamp) -> Option<Standing> {
        self.claim(id)?.validity.judge(as_of, packet_time)
    }

    /// How the signature stands at `packet_time`; `None` when a hit on it is not to be reported.
    pub fn judge_signature(&self, id: SignatureId, as_of: AsOf, packet_time: Timestamp) -> Option<Standing> {
        self.signature(id)?.validity.judge(as_of, packet_time)
    }

    /// Claims about `name` and, where they reach so far, about the names above it; the longest name's
    /// claims first, those about one name in the order of loading.
    pub fn domain(&self, name: Name<'_>, hits: &mut Vec<ClaimId>) {
        let before = hits.len();
        self.domains.find(name, &self.claims, |first, whole| {
            // Backwards, because the shortest name comes first here and shall be last.
            for &id in self.further.get(&first).into_iter().flatten().rev().chain([&first]) {
                if self.claims.get(id).is_some_and(|claim| reaches(claim.matching, whole)) {
                    hits.push(id);
                }
            }
        });
        if let Some(new) = hits.get_mut(before..) {
            new.reverse();
        }
    }

    /// Claims about the name that `name` is when a resolver's search suffix is taken off, as
    /// [`Indicators::domain`] finds them, and that shorter name; `None` when there are none.
    ///
    /// `sfrclak.com.svc.cluster.local` is a look-up of `sfrclak.com` all the same. It is worth less
    /// than a direct one: it follows or precedes that, or shows that the direct one was not seen.
    pub fn domain_behind_search_suffix<'n>(
        &self,
        name: Name<'n>,
        hits: &mut Vec<ClaimId>,
    ) -> Option<Name<'n>> {
        self.search_suffixes.stripped(name).find(|&shorter| {
            let before = hits.len();
            self.domain(shorter, hits);
            hits.len() > before
        })
    }

    /// Claims about `address` at `port` (0 for no port, as in a DNS answer): first those about that
    /// port, then the address, then prefixes, longest first. IPv4-mapped addresses are IPv4.
    pub fn address(&self, address: IpAddr, port: u16, hits: &mut Vec<ClaimId>) {
        self.addresses.find(address, port, |first| self.push(first, hits));
    }

    /// Claims about the URL and the path of a request: `host` is the Host field's value (with or
    /// without a port, which goes before `port`, the server's own), `target` the request target as sent.
    /// Of an absolute target the host counts. Path and query are compared byte for byte.
    pub fn url(&self, host: &[u8], port: u16, target: &[u8], hits: &mut Vec<ClaimId>) {
        let parts = Target::of(target);
        let (host, written) = split_host(parts.authority.unwrap_or(host));
        // An absolute target without a port is at its scheme's own; a proxy's port says nothing of it.
        let port = match (written, parts.authority) {
            (Some(port), _) => port,
            (None, None) => port,
            (None, Some(_)) if target.get(4).is_some_and(|byte| byte.eq_ignore_ascii_case(&b's')) => 443,
            (None, Some(_)) => 80,
        };
        self.texts.find_url((host, port, parts.target), &self.claims, |first| self.push(first, hits));
        self.texts.find_url((host, 0, parts.target), &self.claims, |first| self.push(first, hits));
        let path = parts.path();
        self.text(Kind::Path, path, hits);
        if path.len() != parts.target.len() {
            self.text(Kind::Path, parts.target, hits);
        }
    }

    /// Claims about a User-Agent; letter for letter unless the claim leaves case aside.
    pub fn user_agent(&self, user_agent: &[u8], hits: &mut Vec<ClaimId>) {
        self.text(Kind::UserAgent, user_agent, hits);
    }

    /// Claims about a JA3 hash, 32 hexadecimal digits.
    pub fn ja3(&self, ja3: &str, hits: &mut Vec<ClaimId>) {
        self.text(Kind::Ja3, ja3.as_bytes(), hits);
    }

    /// Claims about a JA4 fingerprint.
    pub fn ja4(&self, ja4: &str, hits: &mut Vec<ClaimId>) {
        self.text(Kind::Ja4, ja4.as_bytes(), hits);
    }

    /// Claims about a certificate, by either hash of its DER bytes.
    pub fn certificate(&self, sha1: &[u8; 20], sha256: &[u8; 32], hits: &mut Vec<ClaimId>) {
        self.text(Kind::CertificateHash, &hex::<40>(sha1), hits);
        self.text(Kind::CertificateHash, &hex::<64>(sha256), hits);
    }

    /// Signatures that `facts` meet, in the order of loading. Each is judged at its own moment only
    /// ([`Signature::moment`]), so that a request's signatures do not fire again at its response.
    pub fn signatures(&self, facts: &ExchangeFacts<'_>, hits: &mut Vec<SignatureId>) {
        self.signatures.find(facts, hits);
    }

    fn text(&self, kind: Kind, text: &[u8], hits: &mut Vec<ClaimId>) {
        self.texts.find(kind, text, &self.claims, |first| {
            // Hexadecimal digits mean the same in either case; other texts do only where it is said.
            let any_case = matches!(kind, Kind::Ja3 | Kind::Ja4 | Kind::CertificateHash);
            let claim = self.claims.get(first);
            if claim.is_some_and(|claim| {
                any_case || claim.matching == Match::IgnoreCase || claim.value.as_bytes() == text
            }) {
                self.push(first, hits);
            }
        });
    }

    fn push(&self, first: ClaimId, hits: &mut Vec<ClaimId>) {
        hits.push(first);
        hits.extend(self.further.get(&first).into_iter().flatten());
    }
}

/// Hexadecimal digits, `N` of them: two for each byte.
fn hex<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let digit = |value: u8| b"0123456789abcdef".get(usize::from(value)).copied().unwrap_or_default();
    let mut out = [0; N];
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    out
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It is in.
    New,
    /// The same file had made it already.
    Duplicate,
    /// There is no room for its number; some thousand million are.
    Full,
}

/// Gathers claims and signatures.
#[derive(Debug, Default)]
pub(super) struct IndicatorsBuilder {
    built: Indicators,
    signatures: Vec<Signature>,
}

impl IndicatorsBuilder {
    /// Adds a claim. What several sources say of one value is all kept, with its provenance.
    pub(super) fn claim(&mut self, statement: &Statement) -> Added {
        let Indicators { claims, domains, addresses, texts, further, .. } = &mut self.built;
        let Some(id) = claims.push(statement) else { return Added::Full };
        let first = match statement.value {
            Value::Domain(..) => domains.insert(id, claims),
            Value::Address(address) => {
                addresses.insert(address, if address.is_ipv4() { 32 } else { 128 }, id)
            }
            Value::Network(network) => addresses.insert(network.addr(), network.prefix_len(), id),
            Value::AddressPort(socket) => addresses.insert_at_port(socket.ip(), socket.port(), id),
            Value::Text(..) => texts.insert(id, claims),
        };
        let Some(first) = first else { return Added::New };
        let others = further.entry(first).or_default();
        let new = claims.get(id);
        let repeated = |&other: &ClaimId| {
            new.zip(claims.get(other)).is_some_and(|(new, other)| {
                let (said, before) = (new.provenance, other.provenance);
                new.matching == other.matching
                    && said.file == before.file
                    && said.campaign == before.campaign
                    && said.sources == before.sources
            })
        };
        if repeated(&first) || others.iter().any(repeated) {
            claims.forget_last();
            return Added::Duplicate;
        }
        others.push(id);
        Added::New
    }

    /// Adds a signature; `false` when there is one of that id already.
    pub(super) fn signature(&mut self, signature: Signature) -> bool {
        let new = !self.signatures.iter().any(|other| other.id == signature.id);
        if new {
            self.signatures.push(signature);
        }
        new
    }

    /// The search suffixes, to be filled.
    pub(super) fn search_suffixes(&mut self) -> &mut SearchSuffixes {
        &mut self.built.search_suffixes
    }

    /// Arranges everything for being asked.
    pub(super) fn finish(mut self) -> Indicators {
        self.built.claims.finish();
        self.built.domains.finish(&self.built.claims);
        self.built.further.retain(|_, others| !others.is_empty());
        self.built.signatures = Signatures::new(self.signatures);
        self.built
    }
}
