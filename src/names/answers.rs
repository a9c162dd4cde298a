//! Which addresses a DNS answer gives for the name that was asked for.

use std::net::IpAddr;

use crate::protocol::dns::{Message, NameBuf, NameScratch, PackedName, RData, Section, SvcValue};

/// Links of one CNAME chain that are followed.
const CHAIN: usize = 16;

/// Calls `each(name, address, ttl)` for every address that the response gives: the name is the one that
/// was asked for, where a chain of CNAME records leads from it to the address, else the record's owner.
/// The TTL is the smallest of the chain. Addresses in SVCB and HTTPS hints count too (RFC 9460 section 7.3).
pub fn addresses_of_answer(message: &Message<'_>, each: &mut dyn FnMut(&str, IpAddr, u32)) {
    let mut scratch = NameScratch::default();
    let Some(asked) = message.questions().next().and_then(|question| owned(&question.name, &mut scratch))
    else {
        return;
    };
    // Owners that the asked name leads to, with the smallest TTL on the way.
    let mut chain = vec![(asked.clone(), u32::MAX)];
    for record in message.records().filter(|record| record.section == Section::Answer) {
        if chain.len() > CHAIN {
            break;
        }
        let alias = match record.data() {
            RData::Cname(target) | RData::Svcb { priority: 0, target, .. } => target,
            _ => continue,
        };
        let Some(owner) = owned(&record.name, &mut scratch) else { continue };
        if let Some((_, ttl)) = chain.iter().find(|(name, _)| *name == owner)
            && let Some(alias) = owned(&alias, &mut scratch)
        {
            let ttl = (*ttl).min(record.ttl);
            chain.push((alias, ttl));
        }
    }
    let asked = asked.to_string().to_ascii_lowercase();
    for record in message.records() {
        let data = record.data();
        if !matches!(data, RData::A(_) | RData::Aaaa(_) | RData::Svcb { .. }) {
            continue;
        }
        let Some(owner) = owned(&record.name, &mut scratch) else { continue };
        let lowered;
        let (name, ttl) = match chain.iter().find(|(name, _)| *name == owner) {
            Some((_, ttl)) => (asked.as_str(), record.ttl.min(*ttl)),
            None => {
                lowered = owner.to_string().to_ascii_lowercase();
                (lowered.as_str(), record.ttl)
            }
        };
        match data {
            RData::A(octets) => each(name, IpAddr::from(octets), ttl),
            RData::Aaaa(octets) => each(name, IpAddr::from(octets), ttl),
            RData::Svcb { params, .. } => {
                for param in params {
                    match param.value() {
                        SvcValue::Ipv4Hint(hints) => {
                            hints.iter().for_each(|hint| each(name, (*hint).into(), ttl))
                        }
                        SvcValue::Ipv6Hint(hints) => {
                            hints.iter().for_each(|hint| each(name, (*hint).into(), ttl))
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

/// The name as an owned value; `None` when it is broken, because its end decides whose it is.
fn owned(name: &PackedName<'_>, scratch: &mut NameScratch) -> Option<NameBuf> {
    Some(name.unpack(scratch).ok()?.to_owned())
}
