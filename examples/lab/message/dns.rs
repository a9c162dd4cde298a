//! DNS messages (RFC 1035), written from text as it stands in a zone file.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Types by name; any other is written `TYPE65399` (RFC 3597).
const TYPES: [(&str, u16); 19] = [
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("NULL", 10),
    ("PTR", 12),
    ("HINFO", 13),
    ("MX", 15),
    ("TXT", 16),
    ("KEY", 25),
    ("AAAA", 28),
    ("SRV", 33),
    ("NAPTR", 35),
    ("DS", 43),
    ("DNSKEY", 48),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("ANY", 255),
    ("CAA", 257),
];

/// Response codes by name.
const CODES: [(&str, u8); 6] =
    [("NOERROR", 0), ("FORMERR", 1), ("SERVFAIL", 2), ("NXDOMAIN", 3), ("NOTIMP", 4), ("REFUSED", 5)];

/// A resource record in text: owner, TTL, type, data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    owner: Vec<u8>,
    ttl: u32,
    record_type: u16,
    data: Vec<u8>,
}

/// The number of a type name.
pub fn type_number(name: &str) -> Result<u16, String> {
    if let Some((_, number)) = TYPES.iter().find(|(known, _)| *known == name) {
        return Ok(*number);
    }
    name.strip_prefix("TYPE")
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("no DNS type is called `{name}`; write TYPE65399 for one without a name"))
}

/// The number of a response code.
pub fn response_code(name: &str) -> Result<u8, String> {
    CODES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, number)| *number)
        .ok_or_else(|| format!("no DNS response code is called `{name}`"))
}

/// A name as labels behind their lengths. `\046` is the byte 46 (RFC 1035 section 5.1); a last dot is optional.
pub fn name(text: &str) -> Result<Vec<u8>, String> {
    let mut wire = Vec::new();
    if text.is_empty() || text == "." {
        return Ok(vec![0]);
    }
    for label in split_labels(text.strip_suffix('.').unwrap_or(text)) {
        let bytes = label_bytes(label).ok_or_else(|| format!("`{text}`: an escape is not \\DDD"))?;
        if bytes.is_empty() || bytes.len() > 63 {
            return Err(format!("`{text}`: a label has {} bytes; 1 to 63 are allowed", bytes.len()));
        }
        wire.push(bytes.len() as u8);
        wire.extend_from_slice(&bytes);
    }
    wire.push(0);
    if wire.len() > 255 {
        return Err(format!("`{text}`: {} bytes; a name has at most 255", wire.len()));
    }
    Ok(wire)
}

fn split_labels(text: &str) -> impl Iterator<Item = &str> {
    text.split('.')
}

fn label_bytes(label: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = label.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'\\' {
            let digits = after.get(..3)?;
            bytes.push(std::str::from_utf8(digits).ok()?.parse().ok()?);
            rest = &after[3..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    Some(bytes)
}

impl Record {
    /// Reads `www.example. 300 CNAME host.example.` or, with `\# 4 c0000201`, any data (RFC 3597).
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut fields = text.split_whitespace();
        let mut field = |what: &str| fields.next().ok_or_else(|| format!("`{text}`: no {what}"));
        let owner = name(field("name")?)?;
        let ttl_text = field("TTL")?;
        let ttl = ttl_text.parse().map_err(|_| format!("`{text}`: `{ttl_text}` is not a TTL"))?;
        let type_name = field("type")?;
        let record_type = type_number(type_name)?;
        let rest: Vec<&str> = fields.collect();
        let data = record_data(type_name, &rest).map_err(|reason| format!("`{text}`: {reason}"))?;
        Ok(Self { owner, ttl, record_type, data })
    }

    /// The number of the record's type.
    pub fn record_type(&self) -> u16 {
        self.record_type
    }
}

fn record_data(type_name: &str, fields: &[&str]) -> Result<Vec<u8>, String> {
    let number = |text: &str| text.parse::<u32>().map_err(|_| format!("`{text}` is not a number"));
    let short = |text: &str| number(text).map(|value| (value as u16).to_be_bytes());
    let mut data = Vec::new();
    match (type_name, fields) {
        (_, ["\\#", length, hex @ ..]) => {
            data = hex_bytes(&hex.concat())?;
            if number(length)? as usize != data.len() {
                return Err(format!("{} bytes follow, not {length}", data.len()));
            }
        }
        ("A", [address]) => {
            let address: Ipv4Addr = address.parse().map_err(|_| format!("`{address}` is not IPv4"))?;
            data.extend_from_slice(&address.octets());
        }
        ("AAAA", [address]) => {
            let address: Ipv6Addr = address.parse().map_err(|_| format!("`{address}` is not IPv6"))?;
            data.extend_from_slice(&address.octets());
        }
        ("CNAME" | "NS" | "PTR", [target]) => data = name(target)?,
        ("MX", [preference, target]) => {
            data.extend_from_slice(&short(preference)?);
            data.extend(name(target)?);
        }
        ("SRV", [priority, weight, port, target]) => {
            for text in [priority, weight, port] {
                data.extend_from_slice(&short(text)?);
            }
            data.extend(name(target)?);
        }
        ("SOA", [primary, mailbox, serial, refresh, retry, expire, minimum]) => {
            data.extend(name(primary)?);
            data.extend(name(mailbox)?);
            for text in [serial, refresh, retry, expire, minimum] {
                data.extend_from_slice(&number(text)?.to_be_bytes());
            }
        }
        ("TXT", texts) if !texts.is_empty() => {
            for text in texts {
                let bytes = label_bytes(text.trim_matches('"')).ok_or("an escape is not \\DDD")?;
                for part in bytes.chunks(255) {
                    data.push(part.len() as u8);
                    data.extend_from_slice(part);
                }
            }
        }
        ("SVCB" | "HTTPS", [priority, target, parameters @ ..]) => {
            data.extend_from_slice(&short(priority)?);
            data.extend(name(target)?);
            for parameter in parameters {
                data.extend(service_parameter(parameter)?);
            }
        }
        _ => return Err(format!("data of type {type_name} is not understood; write \\# LENGTH HEX")),
    }
    Ok(data)
}

/// One `key=value` of a service binding (RFC 9460 section 14.3).
fn service_parameter(text: &str) -> Result<Vec<u8>, String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not key=value"))?;
    let mut data = Vec::new();
    let number: u16 = match key {
        "alpn" => {
            for protocol in value.split(',') {
                data.push(protocol.len() as u8);
                data.extend_from_slice(protocol.as_bytes());
            }
            1
        }
        "port" => {
            let port: u16 = value.parse().map_err(|_| format!("`{value}` is not a port"))?;
            data.extend_from_slice(&port.to_be_bytes());
            3
        }
        "ipv4hint" => {
            for address in value.split(',') {
                let address: Ipv4Addr = address.parse().map_err(|_| format!("`{address}` is not IPv4"))?;
                data.extend_from_slice(&address.octets());
            }
            4
        }
        "ipv6hint" => {
            for address in value.split(',') {
                let address: Ipv6Addr = address.parse().map_err(|_| format!("`{address}` is not IPv6"))?;
                data.extend_from_slice(&address.octets());
            }
            6
        }
        _ => return Err(format!("service parameter `{key}` is not known to the lab")),
    };
    let mut parameter = number.to_be_bytes().to_vec();
    parameter.extend_from_slice(&(data.len() as u16).to_be_bytes());
    parameter.extend(data);
    Ok(parameter)
}

/// Bytes of a hexadecimal text, spaces and colons ignored.
pub fn hex_bytes(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b' ' | b':' | b'\n')).collect();
    if !digits.len().is_multiple_of(2) {
        return Err(format!("`{text}` has an odd number of hexadecimal digits"));
    }
    digits
        .chunks(2)
        .map(|pair| {
            std::str::from_utf8(pair)
                .ok()
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .ok_or_else(|| format!("`{text}` is not hexadecimal"))
        })
        .collect()
}

/// A question, and what a message around it says of itself.
#[derive(Clone, Debug)]
pub struct Question {
    /// Transaction number.
    pub id: u16,
    /// The name on the wire.
    pub name: Vec<u8>,
    /// The type asked for.
    pub record_type: u16,
    /// Whether to add an OPT record (RFC 6891) with this size of UDP payload.
    pub edns: Option<u16>,
    /// Whether recursion is asked for; multicast DNS does not.
    pub recursion: bool,
}

impl Question {
    /// The query message.
    pub fn query(&self) -> Vec<u8> {
        let flags = if self.recursion { 0x0100 } else { 0 };
        let mut message = self.head(flags, [1, 0, 0, u16::from(self.edns.is_some())]);
        self.add_options(&mut message);
        message
    }

    /// The response message: the question again, answers, authorities.
    pub fn response(&self, code: u8, answers: &[Record], authorities: &[Record]) -> Vec<u8> {
        // Recursion desired and available, or for multicast DNS an authoritative answer.
        let flags = if self.recursion { 0x8180 } else { 0x8400 } | u16::from(code);
        let counts = [1, answers.len() as u16, authorities.len() as u16, u16::from(self.edns.is_some())];
        let mut message = self.head(flags, counts);
        for record in answers.iter().chain(authorities) {
            self.add_record(&mut message, record);
        }
        self.add_options(&mut message);
        message
    }

    fn head(&self, flags: u16, counts: [u16; 4]) -> Vec<u8> {
        let mut message = self.id.to_be_bytes().to_vec();
        message.extend_from_slice(&flags.to_be_bytes());
        for count in counts {
            message.extend_from_slice(&count.to_be_bytes());
        }
        message.extend_from_slice(&self.name);
        message.extend_from_slice(&self.record_type.to_be_bytes());
        message.extend_from_slice(&[0, 1]);
        message
    }

    /// A record whose owner points at the question where it ends with the question's name.
    fn add_record(&self, message: &mut Vec<u8>, record: &Record) {
        const QUESTION_AT: u16 = 12;
        match suffix_at(&self.name, &record.owner) {
            Some(offset) => {
                message.extend_from_slice(&(0xc000 | (QUESTION_AT + offset as u16)).to_be_bytes());
            }
            None => message.extend_from_slice(&record.owner),
        }
        message.extend_from_slice(&record.record_type.to_be_bytes());
        message.extend_from_slice(&[0, 1]);
        message.extend_from_slice(&record.ttl.to_be_bytes());
        message.extend_from_slice(&(record.data.len() as u16).to_be_bytes());
        message.extend_from_slice(&record.data);
    }

    fn add_options(&self, message: &mut Vec<u8>) {
        if let Some(size) = self.edns {
            message.extend_from_slice(&[0, 0, 41]);
            message.extend_from_slice(&size.to_be_bytes());
            message.extend_from_slice(&[0, 0, 0, 0, 0, 0]);
        }
    }
}

/// Where in the wire form of `name` the labels of `owner` begin, if they end it.
fn suffix_at(name: &[u8], owner: &[u8]) -> Option<usize> {
    let mut offset = 0;
    while name.get(offset).is_some_and(|length| *length != 0) {
        if name[offset..] == *owner {
            return Some(offset);
        }
        offset += 1 + usize::from(name[offset]);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_for_the_registry_has_the_size_that_the_timeline_computes() {
        let question = |edns| Question {
            id: 1,
            name: name("sfrclak.com").expect("a name"),
            record_type: 1,
            edns,
            recursion: true,
        };
        assert_eq!(question(None).query().len(), 29);
        assert_eq!(question(Some(1232)).query().len(), 40);
        let answer = Record::parse("sfrclak.com 300 A 142.11.206.73").expect("a record");
        assert_eq!(question(None).response(0, &[answer], &[]).len(), 45);
    }

    #[test]
    fn escapes_give_any_byte_even_a_dot() {
        assert_eq!(name("a\\046b\\255.x").expect("a name"), [4, b'a', b'.', b'b', 255, 1, b'x', 0]);
        assert!(name("a..b").is_err());
        assert!(name(&"a".repeat(64)).is_err());
    }

    #[test]
    fn a_service_binding_is_written_as_rfc_9460_shows() {
        let record = Record::parse("x 60 HTTPS 1 . alpn=h2,h3 port=53").expect("a record");
        assert_eq!(record.data, [0, 1, 0, 0, 1, 0, 6, 2, b'h', b'2', 2, b'h', b'3', 0, 3, 0, 2, 0, 53]);
    }
}
