//! Lists as large feeds are: domains of many zones, addresses and prefixes of both families.

use std::io::Write;

use super::Result;
use crate::random::Random;

const ZONES: [&str; 16] = [
    "com", "net", "org", "ru", "cn", "top", "xyz", "info", "co.uk", "com.br", "online", "site", "io", "biz",
    "shop", "de",
];

/// The domain of that number, the same in every feed.
pub fn domain(number: u64) -> String {
    let mut random = Random::new(number ^ 0x6665_6564);
    let length = 7 + random.below(10) as usize;
    let label = random.symbols(b"abcdefghijklmnopqrstuvwxyz0123456789", length);
    let zone = ZONES[random.below(ZONES.len() as u64) as usize];
    if random.below(5) == 0 {
        let length = 3 + random.below(8) as usize;
        format!("{}.{label}.{zone}", random.symbols(b"abcdefghijklmnopqrstuvwxyz", length))
    } else {
        format!("{label}.{zone}")
    }
}

/// `count` domains, one in each line.
pub fn domains(out: &mut impl Write, count: u64) -> Result<()> {
    for number in 0..count {
        writeln!(out, "{}", domain(number))?;
    }
    Ok(out.flush()?)
}

/// `count` entries: of twenty, seventeen are IPv4 addresses, two IPv4 prefixes, one an IPv6 /64.
pub fn prefixes(out: &mut impl Write, count: u64) -> Result<()> {
    let mut random = Random::named(7, "prefixes");
    for number in 0..count {
        // Nothing private, local or reserved: lists with such entries are refused.
        let first = [31, 45, 62, 77, 91, 103, 141, 176, 185, 194][random.below(10) as usize];
        let rest = random.below(1 << 24) as u32;
        let address = std::net::Ipv4Addr::from((first << 24) | rest);
        match number % 20 {
            0 => writeln!(
                out,
                "2a0e:{:x}:{:x}:{:x}::/64",
                random.below(1 << 16),
                random.below(1 << 16),
                number >> 4
            )?,
            1 | 2 => {
                let length = 20 + random.below(10) as u32;
                let base = u32::from(address) & (u32::MAX << (32 - length));
                writeln!(out, "{}/{length}", std::net::Ipv4Addr::from(base))?;
            }
            _ => writeln!(out, "{address}")?,
        }
    }
    Ok(out.flush()?)
}
