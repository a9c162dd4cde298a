//! A pcap filter expression (`host 10.1.2.3 and port 53`) over frames of any link type.

use std::collections::BTreeMap;

use pcap::{BpfProgram, Capture, Linktype};
use thiserror::Error;

use crate::decode::LinkType;

use super::batch::Frame;

/// An expression in the language of pcap-filter(7), compiled for each link type that comes.
///
/// libpcap sees the captured length only, so `less` and `greater` compare that one.
pub struct Filter {
    expression: String,
    /// `None` where the expression means nothing on a link type: its frames do not match.
    programs: BTreeMap<LinkType, Option<BpfProgram>>,
}

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FilterError {
    /// libpcap does not understand it; libpcap's reason.
    #[error("the filter '{expression}' is not valid: {reason}; see man 7 pcap-filter")]
    Invalid {
        /// The expression.
        expression: String,
        /// libpcap's reason.
        reason: String,
    },
    /// It has a word that libpcap would look up in the DNS.
    #[error("the filter has the name '{0}', and names are not looked up: write the address")]
    Name(String),
}

/// Link types on which an expression is tried before it is called invalid: some of the language means
/// something on few of them.
const TRIED: [LinkType; 4] =
    [LinkType::ETHERNET, LinkType::RAW, LinkType::IEEE802_11_RADIOTAP, LinkType::LINUX_SLL];

impl Filter {
    /// Compiles an expression. The empty one matches everything.
    ///
    /// # Errors
    /// [`FilterError::Name`] for host names: libpcap would resolve them, and a sensor that asks the DNS
    /// for an attacker's name gives itself away. [`FilterError::Invalid`] for everything that is not
    /// in the language.
    pub fn new(expression: &str) -> Result<Self, FilterError> {
        if let Some(name) = looked_up_name(expression) {
            return Err(FilterError::Name(name.to_owned()));
        }
        let mut filter = Self { expression: expression.to_owned(), programs: BTreeMap::new() };
        let mut first_reason = None;
        for link in TRIED {
            match filter.compile(link) {
                Ok(program) => {
                    filter.programs.insert(link, Some(program));
                }
                Err(reason) => {
                    filter.programs.insert(link, None);
                    first_reason.get_or_insert(reason);
                }
            }
        }
        match first_reason {
            Some(reason) if filter.programs.values().all(Option::is_none) => {
                Err(FilterError::Invalid { expression: filter.expression, reason })
            }
            _ => Ok(filter),
        }
    }

    /// Whether the frame is one of those that the expression describes.
    pub fn matches(&mut self, frame: &Frame<'_>) -> bool {
        if !self.programs.contains_key(&frame.link) {
            let program = self.compile(frame.link).ok();
            self.programs.insert(frame.link, program);
        }
        let program = self.programs.get(&frame.link).and_then(Option::as_ref);
        program.is_some_and(|program| program.filter(frame.bytes))
    }

    fn compile(&self, link: LinkType) -> Result<BpfProgram, String> {
        let number = match link {
            // Files number raw IP 101 (some old ones 14); the library on this system calls it 12.
            LinkType::RAW | LinkType::RAW_14 => LinkType::RAW_12.0,
            LinkType(number) => number,
        };
        let reason = |error: pcap::Error| match error {
            pcap::Error::PcapError(reason) => reason,
            other => other.to_string(),
        };
        let capture = Capture::dead(Linktype(i32::from(number))).map_err(reason)?;
        capture.compile(&self.expression, true).map_err(reason)
    }
}

/// The language's own words; every other one is a name that libpcap would resolve.
const WORDS: &str = "src dst host net mask port portrange less greater proto protochain ether fddi tr \
    wlan ip arp rarp ip6 tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp atalk aarp decnet lat \
    sca moprc mopdl iso esis es-is isis is-is clnp stp ipx netbeui l1 l2 iih lsp snp csnp psnp and or \
    not broadcast multicast link inbound outbound vlan mpls pppoed pppoes geneve type subtype dir \
    direction addr1 addr2 addr3 addr4 ra ta len ifindex radio tcpflags tcp-fin tcp-syn tcp-rst \
    tcp-push tcp-ack tcp-urg tcp-ece tcp-cwr icmptype icmpcode icmp-echoreply icmp-unreach \
    icmp-sourcequench icmp-redirect icmp-echo icmp-routeradvert icmp-routersolicit icmp-timxceed \
    icmp-paramprob icmp-tstamp icmp-tstampreply icmp-ireq icmp-ireqreply icmp-maskreq icmp-maskreply \
    icmp6type icmp6code icmp6-echo icmp6-echoreply icmp6-destinationunreach icmp6-packettoobig \
    icmp6-timeexceeded icmp6-parameterproblem icmp6-neighborsolicit icmp6-neighboradvert \
    icmp6-routersolicit icmp6-routeradvert icmp6-redirect";

/// Words after which a name is looked up in this machine's own tables, or in none.
const LOCAL: [&str; 7] = ["port", "portrange", "proto", "protochain", "type", "subtype", "dir"];

/// The first word of `expression` that libpcap would take for a host or network name.
fn looked_up_name(expression: &str) -> Option<&str> {
    let is_border = |character: char| character.is_whitespace() || "()[]!&|=<>+*%^".contains(character);
    let mut before = "";
    for word in expression.split(is_border).filter(|word| !word.is_empty()) {
        let plain = word.strip_prefix('\\').unwrap_or(word);
        let is_known = WORDS.split_ascii_whitespace().any(|known| known == plain);
        if !is_known && !is_number_or_address(word) && !LOCAL.contains(&before) {
            return Some(word);
        }
        before = word;
    }
    None
}

fn is_number_or_address(word: &str) -> bool {
    let numeric = |character: char| character.is_ascii_digit() || "./:-".contains(character);
    let hex = |character: char| character.is_ascii_hexdigit() || "./:%".contains(character);
    let mac = |separator: char| {
        let digits =
            |part: &str| (1..=2).contains(&part.len()) && part.chars().all(|c| c.is_ascii_hexdigit());
        word.split(separator).count() == 6 && word.split(separator).all(digits)
    };
    word.chars().all(numeric)
        || word.strip_prefix("0x").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_hexdigit()))
        || (word.contains(':') && word.chars().all(hex))
        || mac('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    /// A UDP datagram from 10.1.2.3:53 to 10.9.9.9:5353 without a link header.
    const DATAGRAM: [u8; 28] =
        [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 1, 2, 3, 10, 9, 9, 9, 0, 53, 0x14, 0xe9, 0, 8, 0, 0];

    fn frame(link: LinkType, bytes: &[u8]) -> Frame<'_> {
        let wire_length = bytes.len() as u32;
        Frame { number: 1, time: Timestamp::default(), link, bytes, wire_length, input: 0 }
    }

    #[test]
    fn the_same_expression_on_several_link_types() {
        let mut ethernet = vec![2; 12];
        ethernet.extend([8, 0]);
        ethernet.extend(DATAGRAM);
        for (expression, expected) in [
            ("host 10.1.2.3", true),
            ("host 10.1.2.4", false),
            ("udp src port 53", true),
            ("src net 10.1.0.0/16 and (dst port 5353 or tcp[tcpflags] & tcp-syn != 0)", true),
            ("ip6", false),
            ("", true),
        ] {
            let mut filter = Filter::new(expression).unwrap();
            for (link, bytes) in
                [(LinkType::ETHERNET, &ethernet[..]), (LinkType::RAW, &DATAGRAM), (LinkType::IPV4, &DATAGRAM)]
            {
                assert_eq!(filter.matches(&frame(link, bytes)), expected, "{expression} on {link}");
            }
            if !expression.is_empty() {
                assert!(!filter.matches(&frame(LinkType::RAW, &[])), "{expression} on nothing");
            }
        }
    }

    #[test]
    fn an_expression_that_means_nothing_on_a_link_type_matches_none_of_its_frames() {
        let mut filter = Filter::new("ether host 02:02:02:02:02:02").unwrap();
        assert!(filter.matches(&frame(LinkType::ETHERNET, &[2; 60])));
        assert!(!filter.matches(&frame(LinkType::RAW, &DATAGRAM)));
    }

    #[test]
    fn wrong_expressions_are_named() {
        let error = Filter::new("host 10.1.2.3 and and").err().unwrap();
        assert!(error.to_string().starts_with("the filter 'host 10.1.2.3 and and' is not valid: "));
        assert!(matches!(
            Filter::new("host 10.1.2.3\0"),
            Err(FilterError::Name(_) | FilterError::Invalid { .. })
        ));
    }

    #[test]
    fn names_are_never_looked_up() {
        for (expression, name) in [
            ("host sfrclak.invalid", "sfrclak.invalid"),
            ("port 53 and not dead.beef", "dead.beef"),
            ("src bad or dst 10.0.0.1", "bad"),
            ("ip6 host abc", "abc"),
        ] {
            assert_eq!(Filter::new(expression).err(), Some(FilterError::Name(name.to_owned())));
        }
        for expression in
            ["ip6 host fe80::1", "net 10.0.0.0 mask 255.0.0.0", "ip proto \\tcp", "ether[0:2] = 0xab"]
        {
            assert_eq!(Filter::new(expression).err(), None, "{expression}");
        }
    }
}
