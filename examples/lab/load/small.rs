//! DNS-heavy traffic: questions with their answers, and connections that come to nothing.

use std::net::{IpAddr, SocketAddr};

use super::writer::{ACK, RST, SYN, Segment, Writer};
use super::{Result, addresses, names};
use crate::random::Random;
use crate::stage::Nanos;

/// Nanoseconds between packets: 50,000 a second.
const PACE: Nanos = 20_000;
/// When every load begins: 2026-05-05T12:00:00Z.
pub const START: Nanos = 1_777_982_400_000_000_000;
const CLIENTS: u64 = 2000;

/// DNS types.
const A: u16 = 1;
const AAAA: u16 = 28;
const HTTPS: u16 = 65;

/// One question and what answers it.
pub struct Exchange {
    pub query: Vec<u8>,
    pub response: Vec<u8>,
}

/// Writes `packets` packets.
pub fn write(writer: &mut Writer, packets: u64, seed: u64, listed_every: u64) -> Result<()> {
    let mut random = Random::named(seed, "dns-heavy");
    let mut at = START;
    let mut left = packets;
    while left >= 2 {
        let is_v6 = random.below(10) == 0;
        let client = SocketAddr::new(addresses::client(random.below(CLIENTS), is_v6), port(&mut random));
        if random.below(10) == 0 {
            let server = SocketAddr::new(addresses::server(random.next(), is_v6), 443);
            let sequence = random.next() as u32;
            let syn = Segment { flags: SYN, sequence, acknowledgment: 0 };
            writer.tcp(at, client, server, syn, &[])?;
            let refusal = Segment { flags: RST | ACK, sequence: 0, acknowledgment: sequence.wrapping_add(1) };
            writer.tcp(at + PACE, server, client, refusal, &[])?;
        } else {
            let resolver = SocketAddr::new(addresses::resolver(random.next(), is_v6), 53);
            let exchange = exchange(&mut random, 30, listed_every);
            writer.udp(at, client, resolver, &exchange.query)?;
            writer.udp(at + PACE, resolver, client, &exchange.response)?;
        }
        at += 2 * PACE;
        left -= 2;
    }
    Ok(())
}

pub fn port(random: &mut Random) -> u16 {
    (32_768 + random.below(28_000)) as u16
}

/// A question, `fresh_percent` in a hundred for a name never seen before, and its answer.
pub fn exchange(random: &mut Random, fresh_percent: u64, listed_every: u64) -> Exchange {
    let name = if listed_every > 0 && random.below(listed_every) == 0 {
        names::listed(random)
    } else if random.below(100) < fresh_percent {
        names::fresh(random)
    } else {
        names::popular(random)
    };
    let kind = match random.below(10) {
        0..=4 => A,
        5..=7 => AAAA,
        _ => HTTPS,
    };
    let has_edns = random.below(10) < 6;
    let id = random.next() as u16;
    let mut question = Vec::with_capacity(64);
    for label in name.split('.') {
        question.push(label.len() as u8);
        question.extend_from_slice(label.as_bytes());
    }
    question.push(0);
    question.extend_from_slice(&kind.to_be_bytes());
    question.extend_from_slice(&1_u16.to_be_bytes());
    let answers = match kind {
        A | AAAA => 1 + u16::from(random.below(4) == 0),
        _ => 0,
    };
    let message = |flags: u16, answers: u16| {
        let mut bytes = Vec::with_capacity(128);
        for word in [id, flags, 1, answers, 0, u16::from(has_edns)] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(&question);
        bytes
    };
    let edns = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];
    let mut query = message(0x0100, 0);
    let mut response = message(0x8180, answers);
    for _ in 0..answers {
        // A pointer to the question's name, type, class, TTL.
        response.extend_from_slice(&[0xc0, 12]);
        response.extend_from_slice(&kind.to_be_bytes());
        response.extend_from_slice(&[0, 1, 0, 0, 1, 44]);
        match addresses::server(random.next(), kind == AAAA) {
            IpAddr::V4(address) => {
                response.extend_from_slice(&[0, 4]);
                response.extend_from_slice(&address.octets());
            }
            IpAddr::V6(address) => {
                response.extend_from_slice(&[0, 16]);
                response.extend_from_slice(&address.octets());
            }
        }
    }
    if has_edns {
        query.extend_from_slice(&edns);
        response.extend_from_slice(&edns);
    }
    Exchange { query, response }
}
