//! The messages that nearly all traffic consists of, read in one pass.
//!
//! One question in one piece, and answers whose owners point at the question or along a chain of aliases.
//! What is not so plain is declined and goes the long way over [`super::Message`]; where an outline is given it
//! says just what the long way says, several times faster (the tests and a fuzzing entry hold the two against
//! each other).

use std::net::IpAddr;

use crate::bytes::u16_at;
use crate::limits::DNS_NAME_BYTES;

use super::packed::HEADER_BYTES;
use super::{Name, NameScratch, PackedName, kind};

/// Names that a question may lead to, itself among them.
const CHAIN: usize = 8;
/// Records of a message; one with more is declined.
const RECORDS: usize = 24;
/// Bytes of a record behind its owner: type, class, TTL, length.
const FIXED_BYTES: usize = 10;
/// The class IN.
const INTERNET: u16 = 1;

/// A usual message: borrowed, checked to its last record.
#[derive(Clone, Copy, Debug)]
pub struct Outline<'a> {
    message: &'a [u8],
    places: Places,
}

/// An outline without its message: what is kept beside a copy of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Where the question's name ends: behind its zero byte.
    name_end: u16,
    answers: u16,
}

impl Places {
    /// The outline of the message that gave these places, or of a copy of it.
    pub const fn of(self, message: &[u8]) -> Outline<'_> {
        Outline { message, places: self }
    }
}

/// What an answer gives.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// An address of the name that was asked for, and the smallest TTL on the way there.
    Address(IpAddr, u32),
    /// A name that stands for the one before it.
    Alias(PackedName<'a>),
}

impl<'a> Outline<'a> {
    /// The outline of a message; `None` when it is not so plain, which says nothing against it.
    pub fn of(message: &'a [u8]) -> Option<Self> {
        let header = message.first_chunk::<HEADER_BYTES>()?;
        let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let (questions, answers) = (count(4), count(6));
        let records = usize::from(answers) + usize::from(count(8)) + usize::from(count(10));
        if questions != 1 || records > RECORDS {
            return None;
        }
        let name_end = end_of_plain_name(message)?;
        let (kind, class) = (u16_at(message, name_end)?, u16_at(message, name_end + 2)?);
        if class != INTERNET || kind == kind::NB || is_netbios(message) {
            return None;
        }
        let outline = Self { message, places: Places { name_end: name_end as u16, answers } };
        outline.check(records).then_some(outline)
    }

    /// The message.
    pub const fn message(&self) -> &'a [u8] {
        self.message
    }

    /// What is to be kept beside a copy of the message.
    pub const fn places(&self) -> Places {
        self.places
    }

    fn name_end(&self) -> usize {
        usize::from(self.places.name_end)
    }

    /// The name that is asked for, as sent.
    pub fn name(&self) -> Name<'a> {
        let wire = self.message.get(HEADER_BYTES..self.name_end().saturating_sub(1));
        Name::from_wire(wire.unwrap_or_default())
    }

    /// The type that is asked for.
    pub fn kind(&self) -> u16 {
        u16_at(self.message, self.name_end()).unwrap_or_default()
    }

    /// QR: this is a response.
    pub fn is_response(&self) -> bool {
        self.message.get(2).is_some_and(|flags| flags & 0x80 != 0)
    }

    /// Whether the answer section has any record.
    pub const fn has_answers(&self) -> bool {
        self.places.answers > 0
    }

    /// The addresses and aliases of the answer section, in order; other types are left out.
    pub fn answers(&self) -> impl Iterator<Item = Answer<'a>> {
        let mut chain = Chain::new();
        let (message, mut at) = (self.message, self.name_end() + 4);
        (0..self.places.answers).filter_map(move |_| {
            // All of this was checked.
            let record = Plain::at(message, at)?;
            at = record.end;
            record.answer(message, &mut chain)
        })
    }

    /// Whether every record is as plain as an outline wants it.
    fn check(&self, records: usize) -> bool {
        let mut chain = Chain::new();
        let mut at = self.name_end() + 4;
        for place in 0..records {
            let Some(record) = Plain::at(self.message, at) else { return false };
            at = record.end;
            let is_answer = place < usize::from(self.places.answers);
            let leads = matches!(record.kind, kind::A | kind::AAAA | kind::CNAME | kind::SVCB | kind::HTTPS);
            if is_answer && leads {
                if record.answer(self.message, &mut chain).is_none() {
                    return false;
                }
            } else if leads && record.kind != kind::CNAME {
                // An address beside the answer may belong to a name that the answer leads to.
                return false;
            }
        }
        true
    }
}

/// The names that the question leads to, by where they stand in the message.
struct Chain {
    links: [(usize, u32); CHAIN],
    length: usize,
}

impl Chain {
    fn new() -> Self {
        let mut links = [(0, 0); CHAIN];
        links[0] = (HEADER_BYTES, u32::MAX);
        Self { links, length: 1 }
    }

    /// The smallest TTL on the way to the name at `place`.
    fn ttl(&self, place: usize) -> Option<u32> {
        self.links.iter().take(self.length).find(|(link, _)| *link == place).map(|(_, ttl)| *ttl)
    }

    /// Goes on to the name at `place`; `None` when there are too many, or it is there already.
    fn add(&mut self, message: &[u8], place: usize, ttl: u32) -> Option<()> {
        let (mut one, mut other) = (NameScratch::new(), NameScratch::new());
        let name = PackedName::new(message, place).unpack(&mut one).ok()?;
        for (link, _) in self.links.iter().take(self.length) {
            if PackedName::new(message, *link).unpack(&mut other).ok()? == name {
                return None;
            }
        }
        *self.links.get_mut(self.length)? = (place, ttl);
        self.length += 1;
        Some(())
    }
}

/// A record whose owner is a pointer, or the root.
struct Plain {
    owner: usize,
    kind: u16,
    class: u16,
    ttl: u32,
    data: usize,
    end: usize,
}

impl Plain {
    #[inline]
    fn at(message: &[u8], at: usize) -> Option<Self> {
        let (owner, fixed) = match *message.get(at)? {
            0 => (at, at + 1),
            0xc0.. => (usize::from(u16_at(message, at)? & 0x3fff), at + 2),
            _ => return None,
        };
        let [k0, k1, c0, c1, t0, t1, t2, t3, l0, l1] = *message.get(fixed..)?.first_chunk::<FIXED_BYTES>()?;
        let data = fixed + FIXED_BYTES;
        let end = data + usize::from(u16::from_be_bytes([l0, l1]));
        (end <= message.len()).then_some(Self {
            owner,
            kind: u16::from_be_bytes([k0, k1]),
            class: u16::from_be_bytes([c0, c1]),
            ttl: u32::from_be_bytes([t0, t1, t2, t3]),
            data,
            end,
        })
    }

    /// What it answers; `None` when it is none of the types that lead on, or its owner is not in the chain.
    fn answer<'a>(&self, message: &'a [u8], chain: &mut Chain) -> Option<Answer<'a>> {
        let data = message.get(self.data..self.end)?;
        if self.class != INTERNET {
            return None;
        }
        match self.kind {
            kind::A => {
                let octets: [u8; 4] = data.try_into().ok()?;
                Some(Answer::Address(octets.into(), chain.ttl(self.owner)?.min(self.ttl)))
            }
            kind::AAAA => {
                let octets: [u8; 16] = data.try_into().ok()?;
                Some(Answer::Address(octets.into(), chain.ttl(self.owner)?.min(self.ttl)))
            }
            kind::CNAME => {
                let ttl = chain.ttl(self.owner)?.min(self.ttl);
                // A target that is itself a pointer stands where that points.
                let place = match *data.first()? {
                    1..=0x3f => self.data,
                    0xc0.. if data.len() == 2 => usize::from(u16_at(data, 0)? & 0x3fff),
                    _ => return None,
                };
                let name = PackedName::new(message, self.data);
                if super::packed::end_of_name(message.get(..self.end)?, self.data) != Ok(self.end) {
                    return None;
                }
                chain.add(message, place, ttl)?;
                Some(Answer::Alias(name))
            }
            _ => None,
        }
    }
}

/// Where the question's name ends, if it stands in one piece and is no longer than a name may be.
fn end_of_plain_name(message: &[u8]) -> Option<usize> {
    let mut at = HEADER_BYTES;
    loop {
        match *message.get(at)? {
            0 => return (at - HEADER_BYTES < DNS_NAME_BYTES).then_some(at + 1),
            length @ 1..=0x3f => at += 1 + usize::from(length),
            _ => return None,
        }
    }
}

/// Whether the question's first label may be an encoded NetBIOS name (RFC 1001 section 14.1).
fn is_netbios(message: &[u8]) -> bool {
    message.get(HEADER_BYTES) == Some(&32)
}
