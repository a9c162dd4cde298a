//! The ends of a Suricata rule: which of them is ours, and what is listed as the other one.
//!
//! Variables stand for networks that only Suricata's settings know. `$HOME_NET` is us and `$EXTERNAL_NET` is
//! everybody else; a rule that needs any other one is not taken, except `$HTTP_PORTS` and `$DNS_SERVERS` in rules
//! that ask for HTTP or DNS by themselves.

use std::borrow::Cow;

use ipnet::IpNet;

use super::super::exchange::Moment;
use super::super::field::Field;
use super::super::signature::Test;
use super::rule::{Conjunction, Term, network};
use super::suricata_lexer::{Parts, items};

/// Lists inside of lists.
const DEPTH: usize = 8;
/// Ports that are listed one by one, where a rule has several ranges.
const PORTS: u64 = 64;

/// Why a rule's ends are none that can be taken: it is wrong, or it is nothing for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    Wrong(Cow<'static, str>),
    NotForUs(Cow<'static, str>),
}

use NotTaken::{NotForUs, Wrong};

const INBOUND: NotTaken = NotForUs(Cow::Borrowed("looks at what comes in from outside"));

/// How the rule's other conditions look at the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Looks {
    /// It asks for texts of what a client sends, which is known at that moment: the client is the source.
    pub at: Option<Moment>,
    /// It asks for a connection's first packet or for what a client sends.
    pub to_server: bool,
}

/// One end of a rule.
#[derive(Debug, Default)]
struct End<'r> {
    /// Addresses and prefixes that are meant, and that are not.
    listed: Vec<IpNet>,
    excluded: Vec<IpNet>,
    is_any: bool,
    is_home: bool,
    is_external: bool,
    /// Another variable.
    variable: Option<&'r str>,
}

/// The ports of one end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ports<'r> {
    listed: Vec<(u16, u16)>,
    excluded: Vec<(u16, u16)>,
    variable: Option<&'r str>,
}

/// What the header asks of the server's address and port.
///
/// # Errors
/// When the rule is wrong there, or looks at something that is not ours to see.
pub(super) fn conditions(parts: &Parts<'_>, looks: Looks) -> Result<Conjunction, NotTaken> {
    if matches!(parts.protocol, "icmp" | "icmpv4" | "icmpv6") {
        return Err(NotForUs("is about ICMP".into()));
    }
    let (source, destination) = (End::of(parts.source)?, End::of(parts.destination)?);
    let (from, to) = (Ports::of(parts.source_port)?, Ports::of(parts.destination_port)?);
    let is_listed = |end: &End<'_>| !end.listed.is_empty();
    // Answers of a listed address come from it. Its port is the source's then.
    let may_answer = looks.at.is_none() || parts.is_both_ways;
    let answers = is_listed(&source) && !is_listed(&destination) && may_answer;
    let (client, client_ports, server, server_ports) = if answers {
        if looks.to_server && !parts.is_both_ways {
            return Err(INBOUND);
        }
        (destination, to, source, from)
    } else if parts.is_both_ways && source.is_external {
        (destination, to, source, from)
    } else {
        (source, from, destination, to)
    };
    if is_listed(&client) || !client.excluded.is_empty() {
        return Err(NotForUs("asks for certain addresses of one's own".into()));
    }
    if client.is_external || server.is_home {
        return Err(INBOUND);
    }
    let for_dns = |variable: &str| variable == "$DNS_SERVERS" && looks.at == Some(Moment::Query);
    let variable =
        client.variable.filter(|_| !client.is_home).or(server.variable.filter(|name| !for_dns(name)));
    let for_http = |variable: &str| variable == "$HTTP_PORTS" && looks.at == Some(Moment::Request);
    let variable =
        variable.or(client_ports.variable).or(server_ports.variable.filter(|name| !for_http(name)));
    if let Some(variable) = variable {
        return Err(NotForUs(format!("needs Suricata's setting {variable}").into()));
    }
    if client_ports != Ports::default() {
        return Err(NotForUs(if answers { INBOUND.reason() } else { "asks for the client's port".into() }));
    }
    let mut found = Conjunction::default();
    let within = |networks: Vec<IpNet>| Term::new(Field::RemoteAddress, Test::Within(networks));
    if is_listed(&server) {
        found.all.push(within(server.listed));
    }
    if !server.excluded.is_empty() {
        found.none.push(within(server.excluded));
    }
    server_ports.conditions(looks, &mut found)?;
    Ok(found)
}

impl NotTaken {
    fn reason(self) -> Cow<'static, str> {
        match self {
            Wrong(reason) | NotForUs(reason) => reason,
        }
    }
}

impl<'r> End<'r> {
    fn of(text: &'r str) -> Result<Self, NotTaken> {
        let mut found = Self::default();
        let mut listed = Vec::new();
        items(text, false, DEPTH, &mut listed).map_err(|reason| Wrong(reason.into()))?;
        for (excluded, item) in listed {
            match (item, excluded) {
                ("any", false) => found.is_any = true,
                ("any", true) => return Err(Wrong("excludes every address".into())),
                ("$HOME_NET", false) | ("$EXTERNAL_NET", true) => found.is_home = true,
                ("$EXTERNAL_NET", false) | ("$HOME_NET", true) => found.is_external = true,
                // Leaving out some servers of one's own leaves out nothing of the others.
                (variable, _) if variable.starts_with('$') => found.variable = Some(variable),
                (text, _) => {
                    let Some(network) = network(text) else {
                        return Err(match text.contains('-') {
                            true => NotForUs("has a range of addresses that is no prefix".into()),
                            false => Wrong("has something else where an address belongs".into()),
                        });
                    };
                    if excluded { &mut found.excluded } else { &mut found.listed }.push(network.trunc());
                }
            }
        }
        // `[$EXTERNAL_NET, 192.0.2.1]` is everybody outside, `[any, !192.0.2.1]` all but one.
        if found.is_any || found.is_external {
            found.listed.clear();
        }
        Ok(found)
    }
}

impl<'r> Ports<'r> {
    fn of(text: &'r str) -> Result<Self, NotTaken> {
        let mut found = Self::default();
        let mut listed = Vec::new();
        items(text, false, DEPTH, &mut listed).map_err(|reason| Wrong(reason.into()))?;
        for (excluded, item) in listed {
            let range = match item {
                "any" if !excluded => continue,
                variable if variable.starts_with('$') => {
                    found.variable = Some(variable);
                    continue;
                }
                item => range(item).ok_or(Wrong("has something else where a port belongs".into()))?,
            };
            if excluded { &mut found.excluded } else { &mut found.listed }.push(range);
        }
        Ok(found)
    }

    fn conditions(self, looks: Looks, found: &mut Conjunction) -> Result<(), NotTaken> {
        // Every question goes there.
        let is_usual = looks.at == Some(Moment::Query) && self.listed == [(53, 53)];
        let count: u64 = self.listed.iter().map(|&(low, high)| u64::from(high - low) + 1).sum();
        let test = match self.listed[..] {
            [] => None,
            _ if is_usual => None,
            _ if count <= PORTS => {
                let numbers = self.listed.iter().flat_map(|&(low, high)| low..=high);
                Some(Test::Number(numbers.map(u64::from).collect()))
            }
            [(low, high)] => Some(Test::Range(low.into(), high.into())),
            _ => return Err(NotForUs("has too many ports".into())),
        };
        found.all.extend(test.map(|test| Term::new(Field::RemotePort, test)));
        let excluded = self.excluded.into_iter();
        found.none.extend(
            excluded.map(|(low, high)| Term::new(Field::RemotePort, Test::Range(low.into(), high.into()))),
        );
        Ok(())
    }
}

/// The range of ports that `text` writes, `80`, `80:90`, `1024:` or `:1023`.
fn range(text: &str) -> Option<(u16, u16)> {
    let Some((low, high)) = text.split_once(':') else {
        let port = text.parse().ok()?;
        return Some((port, port));
    };
    let (low, high) = match (low.trim(), high.trim()) {
        ("", "") => return None,
        ("", high) => (0, high.parse().ok()?),
        (low, "") => (low.parse().ok()?, u16::MAX),
        (low, high) => (low.parse().ok()?, high.parse().ok()?),
    };
    (low <= high).then_some((low, high))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const ADDRESSES: Looks = Looks { at: None, to_server: false };

    fn told(header: &str, looks: Looks) -> String {
        let rule = format!("alert {header} (sid:1;)");
        match conditions(&Parts::of(&rule).unwrap(), looks) {
            Ok(Conjunction { all, none }) => {
                let all = all.iter().map(|term| term.condition.to_string());
                let none = none.iter().map(|term| format!("not {}", term.condition));
                all.chain(none).collect::<Vec<_>>().join("; ")
            }
            Err(Wrong(reason)) => format!("wrong: {reason}"),
            Err(NotForUs(reason)) => reason.into_owned(),
        }
    }

    #[test]
    fn the_other_end_is_what_is_listed() {
        for (header, said) in [
            (
                "ip $HOME_NET any -> [192.0.2.1,198.51.100.9/24] any",
                "flow.remote_address within [192.0.2.1/32, 198.51.100.0/24]",
            ),
            (
                "tcp any any -> 192.0.2.1 8000",
                "flow.remote_address within [192.0.2.1/32]; flow.remote_port equals [8000]",
            ),
            ("tcp any any <> 2001:db8::1 any", "flow.remote_address within [2001:db8::1/128]"),
            ("ip [192.0.2.1] any -> $HOME_NET any", "flow.remote_address within [192.0.2.1/32]"),
            (
                "tcp [192.0.2.1] 443 -> any any",
                "flow.remote_address within [192.0.2.1/32]; flow.remote_port equals [443]",
            ),
            ("tcp [192.0.2.1] any -> $HOME_NET 22", "looks at what comes in from outside"),
            (
                "tcp any any -> [192.0.2.0/24,!192.0.2.1] any",
                "flow.remote_address within [192.0.2.0/24]; not flow.remote_address within [192.0.2.1/32]",
            ),
            ("ip 192.0.2.1 any -> 192.0.2.2 any", "asks for certain addresses of one's own"),
            ("icmp any any -> 192.0.2.1 any", "is about ICMP"),
            ("ip any any -> 192.0.2.1-192.0.2.9 any", "has a range of addresses that is no prefix"),
            ("ip any any -> 192.0.2.256 any", "wrong: has something else where an address belongs"),
            ("ip any any -> 192.0.2.1 80x", "wrong: has something else where a port belongs"),
            ("ip any any -> [192.0.2.1]] any", "wrong: has a bracket too many"),
        ] {
            assert_eq!(told(header, ADDRESSES), said, "{header}");
        }
        let to_server = Looks { to_server: true, ..ADDRESSES };
        assert_eq!(
            told("tcp [192.0.2.1] any -> $HOME_NET any", to_server),
            "looks at what comes in from outside"
        );
    }

    #[test]
    fn requests_go_from_us_to_others() {
        for (header, said) in [
            ("http $HOME_NET any -> $EXTERNAL_NET any", ""),
            ("http $HOME_NET any -> $EXTERNAL_NET $HTTP_PORTS", ""),
            ("http [$HTTP_SERVERS,$HOME_NET] any -> !$HOME_NET any", ""),
            ("dns $HOME_NET any -> any 53", ""),
            ("dns $HOME_NET any -> $DNS_SERVERS any", ""),
            ("tls any any -> any 443", "flow.remote_port equals [443]"),
            (
                "http any any -> any [80,8000:8002,!8001]",
                "flow.remote_port equals [80, 8000, 8001, 8002]; not flow.remote_port is 8001 to 8001",
            ),
            ("http any any -> any 1024:", "flow.remote_port is 1024 to 65535"),
            ("http any any -> any [1:1000,2000:3000]", "has too many ports"),
            (
                "http any any -> ![192.0.2.1,192.0.2.2] any",
                "not flow.remote_address within [192.0.2.1/32, 192.0.2.2/32]",
            ),
            ("http $EXTERNAL_NET any -> $HOME_NET any", "looks at what comes in from outside"),
            ("http $EXTERNAL_NET any -> $HTTP_SERVERS any", "looks at what comes in from outside"),
            ("http any any -> $HOME_NET any", "looks at what comes in from outside"),
            ("http any any -> $HTTP_SERVERS any", "needs Suricata's setting $HTTP_SERVERS"),
            ("tcp any any -> any $SSH_PORTS", "needs Suricata's setting $SSH_PORTS"),
            ("http $SMTP_SERVERS any -> any any", "needs Suricata's setting $SMTP_SERVERS"),
            ("http $HOME_NET 1024: -> any any", "asks for the client's port"),
            ("http 10.0.0.1 any -> any any", "asks for certain addresses of one's own"),
        ] {
            let at = if header.starts_with("dns") { Moment::Query } else { Moment::Request };
            assert_eq!(told(header, Looks { at: Some(at), to_server: true }), said, "{header}");
        }
    }
}
