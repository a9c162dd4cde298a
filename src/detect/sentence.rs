//! Short sentences for people; everything from the wire is made safe and short here.

use std::{borrow::Cow, fmt::Write as _};

use crate::{
    flow::{Endpoint, FiveTuple},
    indicator::Provenance,
    names::Named,
    protocol::{
        dns::{self, Message, RData, Section},
        http::Request,
    },
};

/// Bytes of one quoted text.
const QUOTE: usize = 120;

/// Addresses that one sentence lists.
const ADDRESSES: usize = 4;

/// Bytes from the wire as text: printable ASCII as it is, the rest as `\xNN`, cut with `...`.
pub fn quoted(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes.iter().take(QUOTE) {
        match byte {
            b'\\' => text.push_str("\\\\"),
            0x20..=0x7e => text.push(byte as char),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    if bytes.len() > QUOTE {
        text.push_str("...");
    }
    text
}

/// IP protocol numbers.
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;

/// What a flow is called: `connection`, `UDP flow`, `ICMP message`, `packet of IP protocol 47`.
pub fn flow(tuple: &FiveTuple) -> Cow<'static, str> {
    match tuple.protocol {
        TCP | SCTP => "connection".into(),
        UDP => "UDP flow".into(),
        ICMP | ICMPV6 => "ICMP message".into(),
        protocol => format!("packet of IP protocol {protocol}").into(),
    }
}

/// Whether the flow is an ICMP error message: its type stands in the client's port (RFC 792, RFC 4443).
pub fn is_icmp_error(tuple: &FiveTuple) -> bool {
    match tuple.protocol {
        ICMP => matches!(tuple.client.port, 3 | 4 | 5 | 11 | 12),
        ICMPV6 => tuple.client.port < 128,
        _ => false,
    }
}

/// [`destination`] of a flow: without a port where the protocol has none.
pub fn far_end(protocol: u8, endpoint: &Endpoint, name: Option<Named<'_>>) -> String {
    match (protocol, name) {
        (TCP | UDP | SCTP, _) => destination(endpoint, name),
        (_, Some(named)) => {
            format!("{} ({})", endpoint.address, quoted(named.name.to_lower_text().as_bytes()))
        }
        (_, None) => endpoint.address.to_string(),
    }
}

/// `142.11.206.73:8000 (sfrclak.com)`, IPv6 in brackets.
pub fn destination(endpoint: &Endpoint, name: Option<Named<'_>>) -> String {
    let mut text = if endpoint.address.is_ipv6() {
        format!("[{}]:{}", endpoint.address, endpoint.port)
    } else {
        format!("{}:{}", endpoint.address, endpoint.port)
    };
    if let Some(named) = name {
        let _ = write!(text, " ({})", quoted(named.name.to_lower_text().as_bytes()));
    }
    text
}

/// `POST sfrclak.com:8000/6202033, user agent "curl/8.5.0"`.
pub fn request(request: &Request) -> String {
    let mut text = quoted(&request.method);
    text.push(' ');
    if let Some(host) = &request.host
        && request.target.starts_with(b"/")
    {
        text.push_str(&quoted(host));
    }
    text.push_str(&quoted(&request.target));
    match &request.user_agent {
        Some(agent) => {
            let _ = write!(text, ", user agent \"{}\"", quoted(agent));
        }
        None => text.push_str(", no user agent"),
    }
    text
}

/// What a DNS response answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Addresses, as text.
    Resolved(String),
    /// Nothing but addresses where nobody listens or a defender does.
    Sinkholed(String),
    /// No address, and no error.
    Empty,
    /// The response code's name: `NXDOMAIN`, `SERVFAIL` ...
    Failed(String),
}

impl Outcome {
    /// The outcome of `message`, judging answers by `is_sinkhole`.
    pub fn of(message: &Message<'_>, is_sinkhole: &dyn Fn(std::net::IpAddr) -> bool) -> Self {
        let rcode = message.summary().rcode();
        if rcode != 0 {
            return Self::Failed(dns::rcode_name(rcode).into_owned());
        }
        let addresses: Vec<std::net::IpAddr> = message
            .records()
            .filter(|record| record.section == Section::Answer)
            .filter_map(|record| match record.data() {
                RData::A(octets) => Some(octets.into()),
                RData::Aaaa(octets) => Some(octets.into()),
                _ => None,
            })
            .collect();
        if addresses.is_empty() {
            return Self::Empty;
        }
        let mut text: Vec<_> = addresses.iter().take(ADDRESSES).map(ToString::to_string).collect();
        if addresses.len() > ADDRESSES {
            text.push(format!("and {} more", addresses.len() - ADDRESSES));
        }
        let text = text.join(", ");
        if addresses.iter().all(|address| is_sinkhole(*address)) {
            Self::Sinkholed(text)
        } else {
            Self::Resolved(text)
        }
    }

    /// `answered 142.11.206.73`, `answered NXDOMAIN`, `sinkholed to 0.0.0.0`, `answered without an address`.
    pub fn text(&self) -> String {
        match self {
            Self::Resolved(addresses) => format!("answered {addresses}"),
            Self::Sinkholed(addresses) => format!("sinkholed to {addresses}"),
            Self::Empty => "answered without an address".to_owned(),
            Self::Failed(code) => format!("answered {code}"),
        }
    }
}

/// What another source says of a value: its campaign or list, sources, confidence and reference.
pub fn corroboration(other: &Provenance, value: &str) -> String {
    let whose = other.title.as_ref().unwrap_or(&other.campaign);
    let mut text = format!("{whose} says the same of {value}: confidence {}", other.confidence);
    if !other.sources.is_empty() {
        let _ = write!(text, ", {}", other.sources.join(", "));
    }
    if !other.reference.is_empty() {
        let _ = write!(text, ", {}", other.reference);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_the_wire_reaches_a_terminal_raw() {
        assert_eq!(quoted(b"a\x1b[31m\\\xe2\x80\xae"), "a\\x1b[31m\\\\\\xe2\\x80\\xae");
        let long = quoted(&[b'a'; 500]);
        assert!(long.len() == QUOTE + 3 && long.ends_with("..."));
    }
}
