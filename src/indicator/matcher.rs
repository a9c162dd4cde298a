//! The question that detection asks: what is claimed about this name, address, request, certificate?

use std::cmp::Reverse;
use std::net::IpAddr;

use super::address_table::AddressFront;
use super::exchange::{ExchangeFacts, Moment, Target, split_host};
use super::labels::{Ending, Labels};
use super::model::{AsOf, Claim, ClaimId, Kind, SignatureId, Standing};
use super::search_suffix::SearchSuffixes;
use super::segment::Segment;
use super::signature::Signature;
use super::signature_table::Signatures;
use crate::address::AddressWords;
use crate::protocol::dns::{Name, Outline};
use crate::time::Timestamp;

/// All claims and signatures, ready to be asked. Never changes; share it in an `Arc`.
///
/// Every question adds the numbers of what it found to a list that the caller keeps and clears, so
/// that asking allocates nothing. Answers are about values only: whether a claim holds at the time of
/// the packet is [`Indicators::judge`]'s business, whether it may be spoken of is
/// [`Allow`](super::Allow)'s.
#[derive(Debug, Default)]
pub struct Indicators {
    /// In the order of loading: one for what was read from text, one for each compiled file.
    pub(super) segments: Vec<Segment>,
    /// What the addresses of all segments are asked by first.
    pub(super) addresses: AddressFront,
    pub(super) signatures: Signatures,
    pub(super) search_suffixes: SearchSuffixes,
    /// The claims that nobody can be accused by, in the order of their numbers.
    pub(super) refused: Vec<ClaimId>,
}

/// What the quick questions say of a DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuestionScreen {
    /// Whether a claim may be about the name that it asks for.
    pub may_be_listed: bool,
    /// Whether a signature may fire on its question.
    pub may_meet_signature: bool,
    /// What [`name_ending`](super::name_ending) says of the name; 0 when it has fewer labels.
    pub ending: u64,
}

impl Indicators {
    /// How many claims there are.
    pub fn len(&self) -> usize {
        self.segments.iter().map(|segment| segment.claims.len()).sum()
    }

    /// Whether there is neither a claim nor a signature.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.signatures.as_slice().is_empty()
    }

    /// The claim of that number; `None` for a number that another set gave.
    pub fn claim(&self, id: ClaimId) -> Option<Claim<'_>> {
        let segment = self.segments.iter().rfind(|segment| segment.base <= id.0)?;
        segment.claims.get(id.0 - segment.base)
    }

    /// Every claim, in the order of loading.
    pub fn claims(&self) -> impl Iterator<Item = (ClaimId, Claim<'_>)> {
        (0..self.len() as u32).filter_map(|number| {
            let id = ClaimId(number);
            Some((id, self.claim(id)?))
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
        let claim = self.claim(id).filter(|_| !self.is_refused(id))?;
        claim.validity.judge(as_of, packet_time)
    }

    /// Whether the claim is about well-known infrastructure, so that no hit on it is reported.
    pub fn is_refused(&self, id: ClaimId) -> bool {
        self.refused.binary_search(&id).is_ok()
    }

    /// How the signature stands at `packet_time`; `None` when a hit on it is not to be reported.
    pub fn judge_signature(&self, id: SignatureId, as_of: AsOf, packet_time: Timestamp) -> Option<Standing> {
        self.signature(id)?.validity.judge(as_of, packet_time)
    }

    /// Claims about `name` and, where they reach so far, about the names above it; the longest name's
    /// claims first, those about one name in the order of loading.
    pub fn domain(&self, name: Name<'_>, hits: &mut Vec<ClaimId>) {
        let Some(Ending { two, .. }) = Ending::of(name).filter(|ending| self.may_list_ending(ending.two))
        else {
            return;
        };
        let Some(labels) = Labels::of(name) else { return };
        self.ask(
            hits,
            |segment, hits| segment.domain(&labels, two, hits),
            // All of them end the same name, so that the length tells which they are.
            |claim| Reverse(claim.value.len()),
        );
    }

    /// `false` only when neither [`Indicators::domain`] nor [`Indicators::domain_behind_search_suffix`]
    /// finds anything: the quick question for the many names that nobody lists. It is seldom `true` of
    /// one of them.
    #[inline]
    pub fn may_list_name(&self, name: Name<'_>) -> bool {
        Ending::of(name).is_some_and(|ending| self.may_list(name, ending))
    }

    /// The same of the name that a message asks for, without a walk over its labels; and `false` only when no
    /// signature fires on its question.
    #[inline]
    pub fn screen_question(&self, outline: &Outline<'_>) -> QuestionScreen {
        let ending = Ending::of_question(outline);
        QuestionScreen {
            may_be_listed: ending.is_some_and(|ending| self.may_list(outline.name(), ending)),
            may_meet_signature: self
                .signatures
                .may_meet_question(outline.kind(), ending.map(|ending| ending.two)),
            ending: ending.map_or(0, |ending| ending.two),
        }
    }

    /// Whether a platform's search suffix stands behind another name in `name`.
    pub fn has_search_suffix(&self, name: Name<'_>) -> bool {
        self.search_suffixes.stripped(name).next().is_some()
    }

    #[inline(always)]
    fn may_list(&self, name: Name<'_>, ending: Ending) -> bool {
        (self.may_list_ending(ending.two) || self.search_suffixes.may_end(ending.one, ending.two))
            && self.may_list_whole(name, ending)
    }

    /// The same of a name whose ending alone does not tell.
    #[inline(never)]
    fn may_list_whole(&self, name: Name<'_>, Ending { one, two }: Ending) -> bool {
        self.may_list_labels(name, two)
            || self.search_suffixes.may_end(one, two)
                && self.search_suffixes.stripped(name).any(|shorter| {
                    Ending::of(shorter).is_some_and(|ending| self.may_list_labels(shorter, ending.two))
                })
    }

    #[inline]
    fn may_list_ending(&self, two: u64) -> bool {
        self.segments.iter().any(|segment| segment.tables.domains.may_have_ending(two))
    }

    #[inline]
    fn may_list_labels(&self, name: Name<'_>, two: u64) -> bool {
        Labels::of(name).is_some_and(|labels| {
            self.segments.iter().any(|segment| segment.tables.domains.may_have(&labels, two))
        })
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
        let exactness = |claim: &Claim<'_>| {
            let length = claim.value.rsplit_once('/').and_then(|(_, length)| length.parse::<u8>().ok());
            Reverse((claim.kind == Kind::AddressPort, claim.kind == Kind::Address, length))
        };
        if self.may_list_address(address) {
            self.ask(hits, |segment, hits| segment.address(address, port, hits), exactness);
        }
    }

    /// `false` only when [`Indicators::address`] finds nothing for `address`, at whatever port. Of IPv4 it
    /// is `true` of all addresses in a /24 in which something is listed, of IPv6 in a /32.
    #[inline]
    pub fn may_list_address(&self, address: impl Into<AddressWords>) -> bool {
        self.addresses.may_have(address.into())
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
        for port in [port, 0] {
            self.ask(hits, |segment, hits| segment.url((host, port, parts.target), hits), |_| ());
        }
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

    /// Whether there is any claim of `kind`, which is one of text: if not, what it is about need not be made.
    pub fn has_texts(&self, kind: Kind) -> bool {
        self.segments.iter().any(|segment| segment.tables.texts.has(kind))
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

    /// `false` only when no claim and no signature is about anything in a ClientHello but its name.
    pub fn reads_hellos(&self) -> bool {
        self.has_texts(Kind::Ja3)
            || self.has_texts(Kind::Ja4)
            || self.signatures.has_any_at(Moment::ClientHello)
    }

    /// `false` only when no signature can fire on a server's certificate.
    pub fn has_certificate_signatures(&self) -> bool {
        self.signatures.has_any_at(Moment::Certificate)
    }

    fn text(&self, kind: Kind, text: &[u8], hits: &mut Vec<ClaimId>) {
        let before = hits.len();
        self.segments.iter().for_each(|segment| segment.text(kind, text, hits));
        if let Some(new) = hits.get_mut(before..) {
            new.sort_unstable();
        }
    }

    /// Asks every segment. Each gives its answers in the right order; when several have some, they are
    /// put in the order of `rank`, and of loading where that is equal.
    #[inline]
    fn ask<K: Ord>(
        &self,
        hits: &mut Vec<ClaimId>,
        ask: impl Fn(&Segment, &mut Vec<ClaimId>),
        rank: impl Fn(&Claim<'_>) -> K,
    ) {
        let before = hits.len();
        let mut answers = 0;
        for segment in &self.segments {
            let length = hits.len();
            ask(segment, hits);
            answers += usize::from(hits.len() > length);
        }
        if answers > 1
            && let Some(new) = hits.get_mut(before..)
        {
            new.sort_by_cached_key(|&id| (self.claim(id).map(|claim| rank(&claim)), id));
        }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "linear_tests.rs"]
mod linear_tests;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{Knowledge, Loader};
    use super::*;
    use crate::protocol::dns::NameBuf;

    fn knowledge(list: &str) -> Knowledge {
        let mut loader = Loader::default();
        loader.bytes("list.txt", list.as_bytes());
        let knowledge = loader.finish();
        assert_eq!(knowledge.report.rejected(), 0, "{}", knowledge.report);
        knowledge
    }

    fn values(indicators: &Indicators, hits: &[ClaimId]) -> Vec<String> {
        hits.iter().map(|&id| indicators.claim(id).unwrap().value.to_owned()).collect()
    }

    fn domain(indicators: &Indicators, name: &str) -> Vec<String> {
        let mut hits = Vec::new();
        let name = NameBuf::from_text(name.as_bytes()).unwrap();
        indicators.domain(name.as_name(), &mut hits);
        values(indicators, &hits)
    }

    fn address(indicators: &Indicators, address: &str, port: u16) -> Vec<String> {
        let mut hits = Vec::new();
        indicators.address(address.parse().unwrap(), port, &mut hits);
        values(indicators, &hits)
    }

    fn url(indicators: &Indicators, host: &str, port: u16, target: &str) -> Vec<String> {
        let mut hits = Vec::new();
        indicators.url(host.as_bytes(), port, target.as_bytes(), &mut hits);
        values(indicators, &hits)
    }

    #[test]
    fn names_match_themselves_and_what_stands_below_them() {
        let indicators = knowledge("evil.example\na.b.evil.example\nother.example\n").indicators;
        assert_eq!(domain(&indicators, "EVIL.Example."), ["evil.example"]);
        assert_eq!(domain(&indicators, "x.a.B.evil.example"), ["a.b.evil.example", "evil.example"]);
        assert_eq!(domain(&indicators, "b.evil.example"), ["evil.example"]);
        for near in ["notevil.example", "evil.example.net", "example", "evil-example", "evil.examples"] {
            assert!(domain(&indicators, near).is_empty(), "{near}");
        }
    }

    #[test]
    fn a_dot_inside_a_label_is_no_border() {
        let indicators = knowledge("evil.example\n").indicators;
        let mut hits = Vec::new();
        indicators.domain(Name::from_wire(b"\x06x.evil\x07example"), &mut hits);
        indicators.domain(Name::from_wire(b"\x0cevil.example"), &mut hits);
        indicators.domain(Name::ROOT, &mut hits);
        assert!(hits.is_empty());
        indicators.domain(Name::from_wire(b"\x01\xff\x04EVIL\x07example"), &mut hits);
        assert_eq!(hits.len(), 1);
    }

    #[test]
    fn every_name_of_a_large_list_is_found_and_no_other() {
        let list: String = (0..20_000)
            .map(|n| format!("n{n}.{}\n", ["example", "co.uk", "a.b.example.net"][n % 3]))
            .collect();
        let indicators = knowledge(&list).indicators;
        assert_eq!(indicators.len(), 20_000);
        for (n, line) in list.lines().enumerate() {
            assert_eq!(domain(&indicators, line), [line]);
            assert_eq!(domain(&indicators, &format!("www.{line}")), [line]);
            let other = format!("m{n}.{}", line.split_once('.').unwrap().1);
            assert!(domain(&indicators, &other).is_empty(), "{other}");
        }
    }

    #[test]
    fn several_sources_of_one_value_are_all_kept_in_order() {
        let mut loader = Loader::default();
        loader.bytes("one.txt", b"evil.example\nevil.example\n198.51.100.7");
        loader.bytes("two.txt", b"x.evil.example\nevil.example\n198.51.100.7");
        loader.bytes("three.csv", b"value,type,source\nevil.example,domain,x\nevil.example,domain,y\n");
        let Knowledge { indicators, report, .. } = loader.finish();
        assert_eq!(report.sources[0].duplicates, 1);
        assert_eq!(report.sources[2].duplicates, 0);
        let mut hits = Vec::new();
        let name = NameBuf::from_text(b"x.evil.example").unwrap();
        indicators.domain(name.as_name(), &mut hits);
        let sources = |hits: &[ClaimId]| -> Vec<String> {
            hits.iter().map(|&id| indicators.claim(id).unwrap().provenance.sources[0].to_string()).collect()
        };
        assert_eq!(sources(&hits), ["two", "one", "two", "x", "y"]);
        hits.clear();
        indicators.address("198.51.100.7".parse().unwrap(), 0, &mut hits);
        assert_eq!(sources(&hits), ["one", "two"]);
    }

    #[test]
    fn addresses_match_at_their_port_and_in_their_prefixes() {
        let list =
            "198.51.100.7:8000\n198.51.100.7\n198.51.100.0/24\n198.51.0.0/16\n2001:db8::/32\n2001:db8::7\n";
        let indicators = knowledge(list).indicators;
        let all = ["198.51.100.7:8000", "198.51.100.7", "198.51.100.0/24", "198.51.0.0/16"];
        assert_eq!(address(&indicators, "198.51.100.7", 8000), all);
        assert_eq!(address(&indicators, "::ffff:198.51.100.7", 8000), all);
        assert_eq!(address(&indicators, "198.51.100.7", 443), all[1..]);
        assert_eq!(address(&indicators, "198.51.100.7", 0), all[1..]);
        assert_eq!(address(&indicators, "198.51.101.7", 8000), all[3..]);
        assert_eq!(address(&indicators, "2001:db8::7", 1), ["2001:db8::7", "2001:db8::/32"]);
        assert!(address(&indicators, "198.52.100.7", 8000).is_empty());
        assert!(address(&indicators, "2001:db9::7", 8000).is_empty());
    }

    #[test]
    fn urls_match_host_port_path_and_query() {
        let indicators = knowledge(
            "http://evil.example:8000/a?b=1\nhttp://evil.example/c\nevil.example/d\n/gate.php\n/q?x=1\n",
        )
        .indicators;
        assert_eq!(url(&indicators, "EVIL.example:8000", 8000, "/a?b=1").len(), 1);
        assert_eq!(url(&indicators, "evil.example.", 8000, "/a?b=1").len(), 1, "the port of the flow");
        assert_eq!(url(&indicators, "proxy", 3128, "http://evil.example:8000/a?b=1").len(), 1);
        assert_eq!(url(&indicators, "proxy", 3128, "http://evil.example/c").len(), 1);
        assert_eq!(url(&indicators, "evil.example", 80, "/c").len(), 1);
        assert_eq!(url(&indicators, "evil.example", 1234, "/d").len(), 1, "no port stated: any");
        assert_eq!(url(&indicators, "any.example", 80, "/gate.php?id=7"), ["/gate.php"]);
        assert_eq!(url(&indicators, "any.example", 80, "/q?x=1"), ["/q?x=1"]);
        for (host, port, target) in [
            ("evil.example", 80, "/a?b=1"),
            ("evil.example", 8000, "/a"),
            ("evil.example", 8000, "/a?b=12"),
            ("evil.example", 8000, "/A?b=1"),
            ("x.evil.example", 8000, "/a?b=1"),
            ("evil.example", 8080, "/c"),
            ("any.example", 80, "/gate.php/x"),
            ("any.example", 80, "/x/gate.php"),
            ("any.example", 80, "/q"),
        ] {
            assert!(url(&indicators, host, port, target).is_empty(), "{host}:{port}{target}");
        }
    }

    #[test]
    fn fingerprints_and_hashes_match() {
        let csv = "value,type\n\
            0123456789ABCDEF0123456789abcdef,ja3\n\
            t13d1516h2_8daaf6152771_b186095e22b6,ja4\n\
            AA:00000000000000000000000000000000000001,certificate_hash\n\
            bb00000000000000000000000000000000000000000000000000000000000002,certificate\n\
            Evil/1.0,user_agent\n";
        let mut loader = Loader::default();
        loader.bytes("prints.csv", csv.as_bytes());
        let Knowledge { indicators, report, .. } = loader.finish();
        assert_eq!((report.accepted(), report.rejected()), (5, 0), "{report}");
        let count = |ask: &dyn Fn(&mut Vec<ClaimId>)| {
            let mut hits = Vec::new();
            ask(&mut hits);
            hits.len()
        };
        assert!(indicators.has_texts(Kind::Ja3) && !Indicators::default().has_texts(Kind::Ja3));
        assert_eq!(count(&|hits| indicators.ja3("0123456789abcdef0123456789abcdef", hits)), 1);
        assert_eq!(count(&|hits| indicators.ja3("0123456789abcdef0123456789abcdee", hits)), 0);
        assert_eq!(count(&|hits| indicators.ja4("t13d1516h2_8daaf6152771_b186095e22b6", hits)), 1);
        let (mut sha1, mut sha256) = ([0; 20], [0; 32]);
        assert_eq!(count(&|hits| indicators.certificate(&sha1, &sha256, hits)), 0);
        (sha1[0], sha1[19]) = (0xaa, 1);
        (sha256[0], sha256[31]) = (0xbb, 2);
        assert_eq!(count(&|hits| indicators.certificate(&sha1, &sha256, hits)), 2);
        assert_eq!(count(&|hits| indicators.user_agent(b"Evil/1.0", hits)), 1);
        assert_eq!(count(&|hits| indicators.user_agent(b"evil/1.0", hits)), 0, "letter for letter");
    }

    #[test]
    fn the_set_can_be_shared() {
        fn shared<T: Send + Sync>() {}
        shared::<Knowledge>();
    }
}
