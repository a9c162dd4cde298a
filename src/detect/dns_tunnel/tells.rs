//! What gives single tools away: how they build their names.
//!
//! Each tell is a property that names made by chance, or by another program, do not have together; none says
//! anything about how much is carried.

use crate::{
    detect::letters::Letters,
    protocol::dns::{Name, kind},
};

/// Names below which nothing is said.
const LEAST: u64 = 12;

/// Types of dnscat2's packets: SYN, MSG, FIN, ENC, and ping.
const DNSCAT_TYPES: [u8; 5] = [0x00, 0x01, 0x02, 0x03, 0xff];

/// The first characters of iodine's commands, and of its data: who the client is, in hexadecimal.
const IODINE_COMMANDS: &[u8] = b"vlizsoyrnp0123456789abcdef";

/// The private type that iodine tries (its own number in the private range of RFC 6895).
const IODINE_PRIVATE: u16 = 65_399;

/// New names, judged by each tool's rules.
#[derive(Clone, Debug, Default)]
pub struct Tells {
    names: u64,
    dnscat: Dnscat,
    iodine: Iodine,
    dns2tcp: Dns2tcp,
    ozyman: u64,
    /// The first label that announces a transfer, seen at the very beginning.
    announced: bool,
}

/// Names that are a packet of dnscat2 in hexadecimal.
#[derive(Clone, Debug, Default)]
struct Dnscat {
    fitting: u64,
    /// Those of the session of the name before it, or of the one before that.
    same_session: u64,
    sessions: [Option<[u8; 4]>; 2],
    /// Those with the literal first label of a client without a domain.
    literal: u64,
}

/// Names that begin as iodine's do.
#[derive(Clone, Debug, Default)]
struct Iodine {
    fitting: u64,
    pings: u64,
    /// How often each of the sixteen data clients, and each command that a session sends once or twice.
    data: [u64; 16],
    letters: Letters,
    private: u64,
}

#[derive(Clone, Debug, Default)]
struct Dns2tcp {
    key_type: u64,
    /// Labels that name its handshake.
    handshake: u64,
}

impl Tells {
    /// Takes in a new name, of which `labels` stand below the domain.
    pub fn add(&mut self, labels: Name<'_>, asked: u16) {
        let Some(first) = labels.labels().next() else { return };
        if self.names == 0 {
            self.announced = first.eq_ignore_ascii_case(b"init");
        }
        self.names += 1;
        self.dnscat.add(first, labels);
        self.iodine.add(first, asked);
        self.dns2tcp.key_type += u64::from(asked == kind::KEY);
        let is_handshake = |label: &[u8]| {
            [&b"=auth"[..], b"=connect", b"=resource"].iter().any(|word| label.eq_ignore_ascii_case(word))
        };
        self.dns2tcp.handshake += u64::from(labels.labels().any(is_handshake));
        self.ozyman += u64::from(is_ozyman(labels));
    }

    /// The tool whose names these are, and by what.
    pub fn tool(&self) -> Option<(&'static str, String)> {
        let most = |part: u64, percent: u64| self.names >= LEAST && part * 100 >= self.names * percent;
        let Dnscat { fitting, same_session, literal, .. } = self.dnscat;
        if most(fitting, 85) && most(same_session, 70) {
            let how =
                "each name is a packet in hexadecimal, with a type and one session's number at their places";
            return Some(("dnscat2", how.to_owned()));
        }
        if most(literal, 85) {
            return Some(("dnscat2", "every name begins with its literal \"dnscat\"".to_owned()));
        }
        if self.dns2tcp.handshake > 0 && self.names >= 3 {
            return Some(("dns2tcp", "labels name its handshake".to_owned()));
        }
        if most(self.dns2tcp.key_type, 90) {
            return Some(("dns2tcp", "only KEY records are asked for".to_owned()));
        }
        if most(self.iodine.private, 90) {
            return Some(("iodine", "its private record type is asked for".to_owned()));
        }
        if let Some(share) = self.iodine.share(self.names).filter(|_| self.names >= LEAST) {
            let how = format!(
                "{share} of 100 names begin with its ping or with one client's number, in its base32 of a to z and 0 to 5"
            );
            return Some(("iodine", how));
        }
        if most(self.ozyman, 80) {
            return Some(("OzymanDNS", "its labels \"id-\" with \"up\" or \"down\"".to_owned()));
        }
        if self.announced && self.names >= LEAST {
            return Some((
                "DNSExfiltrator",
                "the transfer is announced by the first label \"init\"".to_owned(),
            ));
        }
        None
    }
}

impl Dnscat {
    fn add(&mut self, first: &[u8], labels: Name<'_>) {
        let is_literal = first.eq_ignore_ascii_case(b"dnscat");
        self.literal += u64::from(is_literal);
        let first = if is_literal { labels.labels().nth(1).unwrap_or_default() } else { first };
        let Some((packet, _)) =
            first.split_at_checked(10).filter(|_| first.iter().all(u8::is_ascii_hexdigit))
        else {
            return;
        };
        let kind = packet.get(4..6).and_then(|digits| std::str::from_utf8(digits).ok());
        let is_type = kind
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .is_some_and(|number| DNSCAT_TYPES.contains(&number));
        let session = packet
            .get(6..)
            .and_then(<[u8]>::first_chunk::<4>)
            .map(|id| id.map(|byte| byte.to_ascii_lowercase()));
        if !is_type || first.len() % 2 != 0 {
            return;
        }
        self.fitting += 1;
        if self.sessions.contains(&session) {
            self.same_session += 1;
        } else {
            self.sessions = [session, self.sessions.first().copied().flatten()];
        }
    }
}

impl Iodine {
    fn add(&mut self, first: &[u8], asked: u16) {
        self.private += u64::from(asked == IODINE_PRIVATE);
        let Some((command, rest)) = first.split_first() else { return };
        let command = command.to_ascii_lowercase();
        self.fitting += u64::from(IODINE_COMMANDS.contains(&command) && rest.len() >= 3);
        self.pings += u64::from(command == b'p');
        if let Some(client) = (command as char).to_digit(16)
            && let Some(count) = self.data.get_mut(client as usize)
        {
            *count += 1;
        }
        self.letters.add(rest);
    }

    /// How many in a hundred names begin with the ping or with one client's number, where that is iodine's manner.
    fn share(&self, names: u64) -> Option<u64> {
        let client = self.data.iter().max().copied().unwrap_or_default();
        let share = (self.pings + client) * 100 / names.max(1);
        let is_base32 = self.letters.all >= 60 && self.letters.is_base32_to_5();
        let is_made_so = self.fitting * 100 >= names * 95 && self.pings * 20 >= names && is_base32;
        (share >= 70 && is_made_so).then_some(share)
    }
}

fn is_ozyman(labels: Name<'_>) -> bool {
    let has = |wanted: &dyn Fn(&[u8]) -> bool| labels.labels().any(wanted);
    has(&|label| label.len() > 3 && label.to_ascii_lowercase().starts_with(b"id-"))
        && has(&|label| label.eq_ignore_ascii_case(b"up") || label.eq_ignore_ascii_case(b"down"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::dns::NameBuf;

    /// The tool that made these names, below the domain.
    fn tool(names: impl IntoIterator<Item = String>, asked: u16) -> Option<&'static str> {
        let mut tells = Tells::default();
        for name in names {
            tells.add(NameBuf::from_text(name.as_bytes()).unwrap().as_name(), asked);
        }
        tells.tool().map(|(tool, _)| tool)
    }

    /// Numbers that look random and are the same every time.
    fn numbers() -> impl Iterator<Item = u64> {
        let step = |state: &u64| {
            Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
        };
        std::iter::successors(Some(7), step).map(|state| state >> 16)
    }

    fn written(mut number: u64, alphabet: &[u8], length: usize) -> String {
        let mut text = String::new();
        for _ in 0..length {
            text.push(alphabet[number as usize % alphabet.len()] as char);
            number = (number / alphabet.len() as u64) ^ (number << 40);
        }
        text
    }

    #[test]
    fn packets_of_dnscat2() {
        let packet =
            |id: u64, kind: &str| format!("{:04x}{kind}beef{:010x}", id & 0xffff, id >> 8 & 0xff_ffff_ffff);
        assert_eq!(tool(numbers().take(20).map(|id| packet(id, "01")), 16), Some("dnscat2"));
        assert_eq!(tool(numbers().take(20).map(|id| packet(id, "07")), 16), None, "no such type");
        let random = numbers().take(200).map(|id| format!("{id:012x}{:012x}", id.rotate_left(7)));
        assert_eq!(tool(random, 16), None);
        let literal =
            numbers().take(20).map(|id| format!("dnscat.{:04x}01{:08x}", id & 0xffff, id >> 8 & 0xffff_ffff));
        assert_eq!(tool(literal, 15), Some("dnscat2"));
    }

    #[test]
    fn pings_and_data_of_iodine() {
        let base32 = b"abcdefghijklmnopqrstuvwxyz012345";
        let name = |(place, number): (usize, u64)| {
            let first = if place % 3 == 0 { "0" } else { "p" };
            format!("{first}{}", written(number, base32, 7))
        };
        assert_eq!(tool(numbers().take(30).enumerate().map(name), 5), Some("iodine"));
        let other = |number: u64| format!("p{}", written(number, b"abcdefghijklmnopqrstuvwxyz0123456789", 7));
        assert_eq!(tool(numbers().take(30).map(other), 5), None, "another alphabet");
        let words = ["packages", "ports", "proxy", "photos", "pages"].repeat(4);
        assert_eq!(tool(words.into_iter().map(str::to_owned), 1), None);
    }

    #[test]
    fn others() {
        let pieces =
            || numbers().take(20).map(|number| written(number, b"abcdefghijklmnopqrstuvwxyz0123456789", 10));
        assert_eq!(tool(pieces(), kind::KEY), Some("dns2tcp"));
        assert_eq!(tool(pieces(), 16), None);
        assert_eq!(tool(pieces().map(|piece| format!("{piece}.=auth")), 16), Some("dns2tcp"));
        assert_eq!(tool(pieces().map(|piece| format!("0-{piece}.id-33.down")), 16), Some("OzymanDNS"));
        let announced = std::iter::once("init.mfzwi".to_owned()).chain(pieces());
        assert_eq!(tool(announced, 16), Some("DNSExfiltrator"));
    }
}
