//! Names as clients ask for them: a few thousand popular ones, and ones that are seen once.

use super::feed;
use crate::random::Random;

/// Popular names.
const POPULAR: u64 = 4000;

const HOSTS: [&str; 12] =
    ["www", "api", "cdn", "static", "img", "auth", "login", "edge", "mirror", "registry", "s3", "telemetry"];
const ZONES: [&str; 8] = ["com", "net", "org", "io", "co.uk", "de", "dev", "cloud"];

/// The popular name of that number; small numbers are asked for most.
pub fn popular(random: &mut Random) -> String {
    // The product of two even draws leans to small numbers, about as Zipf's law does.
    let number = random.below(POPULAR) * random.below(POPULAR) / POPULAR;
    let mut own = Random::new(number ^ 0x706f_7075);
    let host = HOSTS[own.below(HOSTS.len() as u64) as usize];
    let length = 5 + own.below(9) as usize;
    let site = own.symbols(b"abcdefghijklmnopqrstuvwxyz-", length);
    let zone = ZONES[own.below(ZONES.len() as u64) as usize];
    format!("{host}.x{site}x.{zone}")
}

/// A name that nobody asked for before.
pub fn fresh(random: &mut Random) -> String {
    let length = 8 + random.below(12) as usize;
    let label = random.symbols(b"abcdefghijklmnopqrstuvwxyz0123456789", length);
    let popular = popular(random);
    let site = popular.split_once('.').map_or(popular.as_str(), |(_, site)| site);
    format!("{label}.{site}")
}

/// A name below a domain of the feed.
pub fn listed(random: &mut Random) -> String {
    let domain = feed::domain(random.below(100_000));
    if random.below(2) == 0 { domain } else { format!("www.{domain}") }
}
