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
    /// Where the name's last label begins, and the one before it, counted from where the name does.
    last: u8,
    before: u8,
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
        let PlainName { end: name_end, last, before } = PlainName::of(message)?;
        let [k0, k1, c0, c1] = *message.get(name_end..)?.first_chunk::<4>()?;
        let (kind, class) = (u16::from_be_bytes([k0, k1]), u16::from_be_bytes([c0, c1]));
        if class != INTERNET || kind == kind::NB || is_netbios(message) {
            return None;
        }
        let outline = Self { message, places: Places { name_end: name_end as u16, answers, last, before } };
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

    /// Where in the message the last two labels of the name begin, and where it ends before its zero byte; `None`
    /// when it has fewer.
    #[inline]
    pub fn last_two_labels(&self) -> Option<(usize, usize, usize)> {
        let Places { last, before, .. } = self.places;
        let place = |label: u8| HEADER_BYTES + usize::from(label);
        (last > 0).then(|| (place(before), place(last), self.name_end() - 1))
    }

    /// Where in the name's wire form its last two labels begin; 0 when it has fewer, too.
    #[inline]
    pub const fn ending_at(&self) -> u8 {
        self.places.before
    }

    /// The type that is asked for.
    pub fn kind(&self) -> u16 {
        u16_at(self.message, self.name_end()).unwrap_or_default()
    }

    /// QR: this is a response.
    pub fn is_response(&self) -> bool {
        self.message.get(2).is_some_and(|flags| flags & 0x80 != 0)
    }

    /// The addresses and aliases of the answer section, in order; other types are left out.
    #[inline]
    pub fn answers(&self) -> impl Iterator<Item = Answer<'a>> {
        let mut chain = None;
        let (message, mut at) = (self.message, self.name_end() + 4);
        (0..self.places.answers).filter_map(move |_| {
            if let Some((address, ttl, end)) = direct(message, at) {
                at = end;
                return Some(Answer::Address(address, ttl));
            }
            // All of this was checked.
            let record = Plain::at(message, at)?;
            at = record.end;
            record.answer(message, chain.get_or_insert_with(Chain::new))
        })
    }

    /// Whether every record is as plain as an outline wants it.
    #[inline]
    fn check(&self, records: usize) -> bool {
        let mut at = self.name_end() + 4;
        let answers = usize::from(self.places.answers);
        // Most messages are done with here.
        let mut place = 0;
        while place < answers
            && let Some((_, _, end)) = direct(self.message, at)
        {
            (place, at) = (place + 1, end);
        }
        let rest = self.message.get(at..).unwrap_or_default();
        place == records
            || place == answers && place + 1 == records && is_options(rest)
            || self.check_from(at, place, records)
    }

    /// The same from the record number `place`, at `at`; those before it are answers that give the name's addresses.
    fn check_from(&self, mut at: usize, first: usize, records: usize) -> bool {
        let mut chain = None;
        for place in first..records {
            let Some(record) = Plain::at(self.message, at) else { return false };
            at = record.end;
            let is_answer = place < usize::from(self.places.answers);
            let leads = matches!(record.kind, kind::A | kind::AAAA | kind::CNAME | kind::SVCB | kind::HTTPS);
            if is_answer && leads {
                if record.answer(self.message, chain.get_or_insert_with(Chain::new)).is_none() {
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

/// What most answers are: an address of the very name that was asked for, whose owner points at the question. The
/// address, its TTL and where the record ends; what [`Plain::answer`] makes of such a record.
#[inline]
fn direct(message: &[u8], at: usize) -> Option<(IpAddr, u32, usize)> {
    let rest = message.get(at..)?;
    let [o0, o1, k0, k1, c0, c1, t0, t1, t2, t3, l0, l1] = *rest.first_chunk::<12>()?;
    let ttl = u32::from_be_bytes([t0, t1, t2, t3]);
    let about = u64::from_be_bytes([o0, o1, k0, k1, c0, c1, l0, l1]);
    let data = rest.get(12..)?;
    if about == direct_record(kind::A, 4) {
        Some((IpAddr::from(*data.first_chunk::<4>()?), ttl, at + 16))
    } else if about == direct_record(kind::AAAA, 16) {
        Some((IpAddr::from(*data.first_chunk::<16>()?), ttl, at + 28))
    } else {
        None
    }
}

/// Whether `rest` begins with the record in which senders say what they can do (RFC 6891): it tells of no name.
#[inline]
fn is_options(rest: &[u8]) -> bool {
    rest.first_chunk::<11>().is_some_and(|&[owner, k0, k1, .., l0, l1]| {
        owner == 0
            && u16::from_be_bytes([k0, k1]) == kind::OPT
            && usize::from(u16::from_be_bytes([l0, l1])) <= rest.len() - 11
    })
}

/// Owner, type, class and length of an answer that gives an address of the question's name.
const fn direct_record(kind: u16, length: u16) -> u64 {
    let owner = 0xc000 | HEADER_BYTES as u64;
    owner << 48 | (kind as u64) << 32 | (INTERNET as u64) << 16 | length as u64
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

/// The question's name, when it stands in one piece and is no longer than a name may be.
struct PlainName {
    /// Behind its zero byte.
    end: usize,
    /// As in [`Places`]; both are 0 when there is one label, or none.
    last: u8,
    before: u8,
}

impl PlainName {
    #[inline]
    fn of(message: &[u8]) -> Option<Self> {
        let name = message.get(HEADER_BYTES..)?;
        let (mut before, mut last, mut at) = (0, 0, 0);
        loop {
            match *name.get(at)? {
                0 if at < DNS_NAME_BYTES => {
                    return Some(Self { end: HEADER_BYTES + at + 1, last: last as u8, before: before as u8 });
                }
                length @ 1..=0x3f => (before, last, at) = (last, at, at + 1 + usize::from(length)),
                _ => return None,
            }
        }
    }
}

/// Whether the question's first label may be an encoded NetBIOS name (RFC 1001 section 14.1).
fn is_netbios(message: &[u8]) -> bool {
    message.get(HEADER_BYTES) == Some(&32)
}
