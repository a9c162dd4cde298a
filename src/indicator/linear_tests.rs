//! The tables against going through all claims one by one.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::{Knowledge, Loader};
use super::*;
use crate::protocol::dns::NameBuf;

/// The same numbers each time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below
    }

    fn of<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }

    /// Few labels, so that names are often listed, below or beside one that is.
    fn name(&mut self) -> String {
        let labels =
            ["a", "b", "evil", "xevil", "long-label-of-twenty", "example", "co", "uk", "net", "internal"];
        let count = 2 + self.below(4);
        (0..count).map(|_| self.of(&labels)).collect::<Vec<_>>().join(".")
    }

    fn address(&mut self) -> IpAddr {
        let byte = |random: &mut Self| [0, 1, 2, 7, 127, 128, 255][random.below(7)];
        if self.below(3) == 0 {
            let tail = [byte(self), byte(self), byte(self), byte(self)].map(u16::from);
            let third = [0, 1, 0x8000][self.below(3)];
            [0x2001, 0xdb8, third, tail[0] << 15, 0, tail[1], tail[2], tail[3]].into()
        } else {
            [198, 51 + byte(self) % 3, byte(self), byte(self)].into()
        }
    }

    fn entry(&mut self) -> String {
        let address = self.address();
        match self.below(6) {
            0 => address.to_string(),
            1 => std::net::SocketAddr::new(address, 80 + self.below(3) as u16).to_string(),
            2 => {
                let (least, full) = if address.is_ipv4() { (9, 32) } else { (16, 128) };
                format!("{address}/{}", least + self.below(full - least + 1))
            }
            _ => self.name(),
        }
    }
}

/// The loaded entries in one or several sets.
fn load(entries: &[String], sets: usize) -> Knowledge {
    let mut loader = Loader::default();
    loader.builtin_baseline();
    for (number, part) in entries.chunks(entries.len().div_ceil(sets).max(1)).enumerate() {
        let (name, text) = (format!("{number}.txt"), part.join("\n"));
        if number % 2 == 0 {
            loader.bytes(&name, text.as_bytes());
        } else {
            let mut compiling = Loader::for_compiling();
            compiling.bytes(&name, text.as_bytes());
            let mut file = Vec::new();
            compiling.compile().write(&mut file).unwrap();
            loader.bytes("compiled", &file);
        }
    }
    loader.finish()
}

fn domains(indicators: &Indicators, name: &str) -> Vec<ClaimId> {
    let above =
        |value: &str| name == value || name.strip_suffix(value).is_some_and(|rest| rest.ends_with('.'));
    let listed = |(_, claim): &(ClaimId, Claim<'_>)| claim.kind == Kind::Domain && above(claim.value);
    let mut hits: Vec<_> =
        indicators.claims().filter(listed).map(|(id, claim)| (Reverse(claim.value.len()), id)).collect();
    hits.sort();
    hits.into_iter().map(|(_, id)| id).collect()
}

fn addresses(indicators: &Indicators, address: IpAddr, port: u16) -> Vec<ClaimId> {
    let rank = |claim: &Claim<'_>| match claim.kind {
        Kind::AddressPort => {
            let socket: std::net::SocketAddr = claim.value.parse().unwrap();
            (port != 0 && (socket.ip(), socket.port()) == (address, port)).then_some(Reverse(200))
        }
        Kind::Address => (claim.value.parse::<IpAddr>().unwrap() == address).then_some(Reverse(150)),
        Kind::Network => {
            let network: IpNet = claim.value.parse().unwrap();
            network.contains(&address).then_some(Reverse(network.prefix_len()))
        }
        _ => None,
    };
    let mut hits: Vec<_> = indicators.claims().filter_map(|(id, claim)| Some((rank(&claim)?, id))).collect();
    hits.sort();
    hits.into_iter().map(|(_, id)| id).collect()
}

#[test]
fn look_ups_find_what_a_search_through_all_claims_finds() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for (round, size) in [0, 1, 3, 10, 40, 150, 400, 1000].into_iter().enumerate() {
        let entries: Vec<String> = (0..size).map(|_| random.entry()).collect();
        let indicators = load(&entries, 1 + round % 4).indicators;
        let (mut found, mut quiet, mut passed) = (0, 0, 0);
        for _ in 0..600 {
            let mut name = random.name();
            let mut hits = Vec::new();
            if random.below(4) == 0 {
                name += random.of(&[
                    ".svc.cluster.local",
                    ".internal",
                    ".internal.cloudapp.net",
                    ".x.c.y.internal",
                ]);
            }
            let spelled = if random.below(2) == 0 { name.to_uppercase() } else { name.clone() };
            let spelled = NameBuf::from_text(spelled.as_bytes()).unwrap();
            indicators.domain(spelled.as_name(), &mut hits);
            assert_eq!(hits, domains(&indicators, &name), "{name} among {size}");
            found += hits.len();
            let mut behind = Vec::new();
            indicators.domain_behind_search_suffix(spelled.as_name(), &mut behind);
            let may = indicators.may_list_name(spelled.as_name());
            assert!(may || hits.is_empty() && behind.is_empty(), "{name} is listed");
            quiet += usize::from(hits.is_empty() && behind.is_empty());
            passed += usize::from(may && hits.is_empty() && behind.is_empty());

            let (address, port) = (random.address(), [0, 79, 80, 81][random.below(4)]);
            let mut hits = Vec::new();
            let mapped = match address {
                IpAddr::V4(address) if random.below(2) == 0 => address.to_ipv6_mapped().into(),
                address => address,
            };
            indicators.address(mapped, port, &mut hits);
            assert_eq!(hits, addresses(&indicators, address, port), "{address} {port} among {size}");
            assert!(hits.is_empty() || indicators.may_list_address(mapped), "{address} is listed");
            found += hits.len();
        }
        assert_eq!(found > 0, size > 0, "the test finds something among {size}");
        assert!(passed * 3 <= quiet + 10, "{passed} of {quiet} unlisted names pass among {size}");
    }
}

#[test]
fn few_unlisted_addresses_pass() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let list: String =
        (0..500).map(|n| format!("198.18.{}.{}\n2001:db8:{n:x}::1\n", n / 4, n % 250)).collect();
    let indicators = load(&[list], 1).indicators;
    let mut far = |v6: bool| -> IpAddr {
        let bits = (random.below(1 << 40) as u128) << 64 | random.below(1 << 40) as u128;
        if v6 {
            (0x2a00_u128 << 112 | bits << 8).to_be_bytes().into()
        } else {
            (bits as u32 | 1 << 31).to_be_bytes().into()
        }
    };
    for v6 in [false, true] {
        let passed = (0..5000).filter(|_| indicators.may_list_address(far(v6))).count();
        assert!(passed < 250, "{passed} of 5000, v6: {v6}");
    }
}
