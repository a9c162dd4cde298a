//! Which addresses a DNS answer gives for the name that was asked for.

use std::net::IpAddr;

use crate::protocol::dns::{
    Answer, Message, Name, NameBuf, NameScratch, Outline, PackedName, RData, Section, SvcValue,
};

/// Names that one question is followed to.
const CHAIN: usize = 16;

/// Aliases of one response that are read.
const ALIASES: usize = 64;

/// Questions of one response that are read; all but broken senders ask one.
const QUESTIONS: usize = 4;

/// Calls `each(name, address, ttl)` for every address to which the response leads one that was asked for:
/// over CNAME, SVCB and HTTPS records in whatever order they stand. The name is the one asked for, the
/// TTL the smallest on the way. Hints in SVCB and HTTPS records count (RFC 9460 section 7.3).
///
/// Only what answers the question is learned. Of the other sections, addresses count where the answer
/// leads to their name; nobody connects to the rest (RFC 2181 section 5.4.1), which could name anything
/// after anybody. A response without a question, as senders of several responses give, speaks for the
/// owners of its answers.
pub fn addresses_of_answer(message: &Message<'_>, each: &mut dyn FnMut(Name<'_>, IpAddr, u32)) {
    match Outline::of(message.bytes()) {
        Some(outline) => addresses_of_outline(&outline, each),
        None => addresses_of_any(message, each),
    }
}

/// The same for a usual message.
pub fn addresses_of_outline(outline: &Outline<'_>, mut each: impl FnMut(Name<'_>, IpAddr, u32)) {
    let addresses = outline.answers().filter_map(|answer| match answer {
        Answer::Address(address, ttl) => Some((address, ttl)),
        Answer::Alias(_) => None,
    });
    addresses.for_each(|(address, ttl)| each(outline.name(), address, ttl));
}

/// The same for any message.
fn addresses_of_any(message: &Message<'_>, each: &mut dyn FnMut(Name<'_>, IpAddr, u32)) {
    let mut scratch = NameScratch::default();
    let asked: Vec<_> = message
        .questions()
        .take(QUESTIONS)
        .filter_map(|question| owned(&question.name, &mut scratch))
        .collect();
    let has_question = message.questions().next().is_some();
    let chain = Chain::of(message, &asked, &mut scratch);
    for record in message.records().filter(|record| record.section != Section::Authority) {
        let data = record.data();
        if !matches!(data, RData::A(_) | RData::Aaaa(_) | RData::Svcb { .. }) {
            continue;
        }
        let Some(owner) = owned(&record.name, &mut scratch) else { continue };
        let (name, ttl) = match chain.find(&owner) {
            Some(link) => match asked.get(link.question) {
                Some(name) => (name.as_name(), record.ttl.min(link.ttl)),
                None => continue,
            },
            None if !has_question && record.section == Section::Answer => (owner.as_name(), record.ttl),
            None => continue,
        };
        match data {
            RData::A(octets) => each(name, IpAddr::from(octets), ttl),
            RData::Aaaa(octets) => each(name, IpAddr::from(octets), ttl),
            RData::Svcb { params, .. } => {
                for param in params {
                    match param.value() {
                        SvcValue::Ipv4Hint(hints) => {
                            hints.iter().for_each(|hint| each(name, (*hint).into(), ttl));
                        }
                        SvcValue::Ipv6Hint(hints) => {
                            hints.iter().for_each(|hint| each(name, (*hint).into(), ttl));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

/// The names that questions lead to.
struct Chain(Vec<Link>);

struct Link {
    name: NameBuf,
    /// Place of the question that leads here.
    question: usize,
    /// The smallest TTL on the way.
    ttl: u32,
}

impl Chain {
    fn of(message: &Message<'_>, asked: &[NameBuf], scratch: &mut NameScratch) -> Self {
        let start =
            |(question, name): (usize, &NameBuf)| Link { name: name.clone(), question, ttl: u32::MAX };
        let mut chain = Self(asked.iter().enumerate().map(start).collect());
        let mut aliases = Vec::new();
        for record in message.records().filter(|record| record.section == Section::Answer) {
            let (RData::Cname(target) | RData::Svcb { target, .. }) = record.data() else { continue };
            if aliases.len() < ALIASES
                && let (Some(owner), Some(target)) = (owned(&record.name, scratch), owned(&target, scratch))
            {
                aliases.push((owner, target, record.ttl));
            }
        }
        // Every turn adds at least one name, or is the last.
        loop {
            let before = chain.0.len();
            for (owner, target, ttl) in &aliases {
                if chain.0.len() < CHAIN
                    && chain.find(target).is_none()
                    && let Some(link) = chain.find(owner)
                {
                    let link =
                        Link { name: target.clone(), question: link.question, ttl: link.ttl.min(*ttl) };
                    chain.0.push(link);
                }
            }
            if chain.0.len() == before {
                return chain;
            }
        }
    }

    fn find(&self, name: &NameBuf) -> Option<&Link> {
        self.0.iter().find(|link| link.name == *name)
    }
}

/// The name as an owned value; `None` when it is broken, because its end decides whose it is.
fn owned(name: &PackedName<'_>, scratch: &mut NameScratch) -> Option<NameBuf> {
    Some(name.unpack(scratch).ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::dns::sample::{Sample, wire};

    const A: u16 = 1;
    const CNAME: u16 = 5;
    const HTTPS: u16 = 65;

    fn learned(message: &[u8]) -> Vec<String> {
        let mut learned = Vec::new();
        let message = Message::parse(message).unwrap();
        addresses_of_any(&message, &mut |name, address, ttl| {
            learned.push(format!("{} {address} {ttl}", name.to_lower_text()));
        });
        if let Some(outline) = Outline::of(message.bytes()) {
            let mut short = Vec::new();
            addresses_of_outline(&outline, |name, address, ttl| {
                short.push(format!("{} {address} {ttl}", name.to_lower_text()));
            });
            assert_eq!(short, learned, "{:02x?}", message.bytes());
        }
        learned
    }

    #[test]
    fn an_outline_teaches_what_the_long_way_does() {
        let alias = |owner: &[u8], target: &[u8]| (owner.to_vec(), CNAME, target.to_vec());
        let address = |owner: &[u8]| (owner.to_vec(), A, vec![192, 0, 2, 1]);
        let question: &[u8] = b"\xc0\x0c";
        // The first alias's target stands at 43: behind the question, and its own owner and fields.
        let target: &[u8] = b"\xc0\x2b";
        let chains = [
            vec![address(question)],
            vec![address(question), address(question)],
            vec![alias(question, &wire("Edge.example")), address(target)],
            vec![alias(question, &wire("asked.Example")), address(target)],
            vec![alias(question, question), address(question)],
            vec![alias(question, &wire("edge.example")), alias(target, question), address(target)],
            vec![address(target), alias(question, &wire("edge.example"))],
            vec![address(&wire("asked.example")), address(&wire("other.example"))],
        ];
        let mut outlines = 0;
        let mut state = 7_u64;
        for records in chains {
            let count = records.len() as u16;
            let mut message = Sample::new(0x8180, [1, count, 0, 0]).question(&wire("asked.example"), A, 1);
            for (owner, kind, data) in &records {
                message = message.record(owner, *kind, 1, data);
            }
            let message = message.build();
            learned(&message);
            outlines += usize::from(Outline::of(&message).is_some());
            for _ in 0..1000 {
                let mut damaged = message.clone();
                for _ in 0..=state % 3 {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let place = (state >> 33) as usize % damaged.len();
                    damaged[place] = if state >> 20 & 1 == 0 { 0xc0 } else { (state >> 24) as u8 };
                }
                learned(&damaged);
            }
        }
        assert!(outlines >= 3, "{outlines} outlines");
    }

    #[test]
    fn aliases_are_followed_in_any_order() {
        let records = [
            (wire("WWW.example"), CNAME, wire("edge.example")),
            (wire("edge.example"), CNAME, wire("Host.example")),
            (wire("host.example"), A, vec![192, 0, 2, 1]),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
            let mut message = Sample::new(0x8180, [1, 3, 0, 0]).question(&wire("www.example"), A, 1);
            for place in order {
                let (owner, kind, data) = &records[place];
                message = message.record(owner, *kind, 1, data);
            }
            assert_eq!(learned(&message.build()), ["www.example 192.0.2.1 300"], "{order:?}");
        }
    }

    #[test]
    fn aliases_in_a_ring_end() {
        let message = Sample::new(0x8180, [1, 3, 0, 0])
            .question(&wire("a.example"), A, 1)
            .record(&wire("a.example"), CNAME, 1, &wire("b.example"))
            .record(&wire("b.example"), CNAME, 1, &wire("a.example"))
            .record(&wire("b.example"), A, 1, &[192, 0, 2, 1]);
        assert_eq!(learned(&message.build()), ["a.example 192.0.2.1 300"]);
    }

    #[test]
    fn nothing_is_learned_of_names_that_nobody_asked_for() {
        let message = Sample::new(0x8180, [1, 2, 1, 1])
            .question(&wire("a.example"), A, 1)
            .record(&wire("a.example"), A, 1, &[192, 0, 2, 1])
            .record(&wire("bank.example"), A, 1, &[192, 0, 2, 66])
            .record(&wire("a.example"), A, 1, &[192, 0, 2, 67])
            .record(&wire("bank.example"), A, 1, &[192, 0, 2, 68]);
        assert_eq!(learned(&message.build()), ["a.example 192.0.2.1 300"]);
    }

    #[test]
    fn service_records_lead_to_their_hints_and_targets() {
        let data = [b"\0\x01".as_slice(), &wire("pool.example"), b"\0\x04\0\x04\xc0\0\x02\x05"].concat();
        let message = Sample::new(0x8180, [1, 1, 0, 2])
            .question(&wire("svc.example"), HTTPS, 1)
            .record(&wire("svc.example"), HTTPS, 1, &data)
            .record(&wire("pool.example"), A, 1, &[192, 0, 2, 6])
            .record(&wire("other.example"), A, 1, &[192, 0, 2, 7]);
        assert_eq!(learned(&message.build()), ["svc.example 192.0.2.5 300", "svc.example 192.0.2.6 300"]);
    }

    #[test]
    fn several_questions_and_none() {
        let message = Sample::new(0x8180, [2, 2, 0, 0])
            .question(&wire("a.example"), A, 1)
            .question(&wire("b.example"), A, 1)
            .record(&wire("b.example"), A, 1, &[192, 0, 2, 2])
            .record(&wire("a.example"), A, 1, &[192, 0, 2, 1]);
        assert_eq!(learned(&message.build()), ["b.example 192.0.2.2 300", "a.example 192.0.2.1 300"]);
        let message = Sample::new(0x8180, [0, 1, 0, 1])
            .record(&wire("a.example"), A, 1, &[192, 0, 2, 1])
            .record(&wire("b.example"), A, 1, &[192, 0, 2, 2]);
        assert_eq!(learned(&message.build()), ["a.example 192.0.2.1 300"]);
    }
}
