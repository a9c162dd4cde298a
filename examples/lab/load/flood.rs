//! What a hostile sender can do: every packet from another address, every question for another name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::small::{START, exchange, port};
use super::writer::{SYN, Segment, Writer};
use super::{Result, addresses};
use crate::random::Random;

/// Writes a SYN and an answered question for each of `flows`.
pub fn write(writer: &mut Writer, flows: u64, seed: u64) -> Result<()> {
    let mut random = Random::named(seed, "flood");
    for number in 0..flows {
        let at = START + number as i64 * 10_000;
        let spoofed = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | random.below(1 << 24) as u32));
        let sender = SocketAddr::new(spoofed, port(&mut random));
        let server = SocketAddr::new(addresses::server(random.next(), false), 443);
        let syn = Segment { flags: SYN, sequence: random.next() as u32, acknowledgment: 0 };
        writer.tcp(at, sender, server, syn, &[])?;
        let resolver = SocketAddr::new(addresses::resolver(number, false), 53);
        let exchange = exchange(&mut random, 100, 0);
        writer.udp(at + 2_000, sender, resolver, &exchange.query)?;
        writer.udp(at + 4_000, resolver, sender, &exchange.response)?;
    }
    Ok(())
}
