//! The names of DNS's numbers (IANA, "Domain Name System (DNS) Parameters"), as EVE writes them.

use std::borrow::Cow;
use std::sync::LazyLock;

/// Record types that the code speaks of.
#[allow(missing_docs, reason = "the names are the registry's own")]
pub mod kind {
    pub const A: u16 = 1;
    pub const NS: u16 = 2;
    pub const CNAME: u16 = 5;
    pub const SOA: u16 = 6;
    pub const NULL: u16 = 10;
    pub const PTR: u16 = 12;
    pub const MX: u16 = 15;
    pub const TXT: u16 = 16;
    pub const SIG: u16 = 24;
    pub const KEY: u16 = 25;
    pub const AAAA: u16 = 28;
    pub const LOC: u16 = 29;
    pub const NB: u16 = 32;
    pub const SRV: u16 = 33;
    pub const NAPTR: u16 = 35;
    pub const DNAME: u16 = 39;
    pub const OPT: u16 = 41;
    pub const DS: u16 = 43;
    pub const SSHFP: u16 = 44;
    pub const RRSIG: u16 = 46;
    pub const NSEC: u16 = 47;
    pub const DNSKEY: u16 = 48;
    pub const TLSA: u16 = 52;
    pub const SMIMEA: u16 = 53;
    pub const CDS: u16 = 59;
    pub const CDNSKEY: u16 = 60;
    pub const SVCB: u16 = 64;
    pub const HTTPS: u16 = 65;
    pub const SPF: u16 = 99;
    pub const CAA: u16 = 257;
}

/// The registry's types by rising numbers. In the file each line is a number, a blank, and the name.
static TYPES: LazyLock<Vec<(u16, &'static str)>> = LazyLock::new(|| {
    let lines = include_str!("types.txt").lines();
    lines
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(n, name)| Some((n.parse().ok()?, name)))
        .collect()
});

/// The name of a record type, `TYPE65400` for one without (RFC 3597 section 5).
pub fn type_name(kind: u16) -> Cow<'static, str> {
    named_type(kind).map_or_else(|| format!("TYPE{kind}").into(), Cow::Borrowed)
}

/// The name of a record type that has one.
pub(super) fn named_type(kind: u16) -> Option<&'static str> {
    let index = TYPES.binary_search_by_key(&kind, |&(number, _)| number).ok()?;
    TYPES.get(index).map(|&(_, name)| name)
}

/// The record type of that name, in any case.
pub fn type_named(name: &str) -> Option<u16> {
    TYPES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|&(number, _)| number)
}

/// The name of a class, `CLASS1234` for one without. mDNS's top bit is not part of the class.
pub fn class_name(class: u16) -> Cow<'static, str> {
    match class {
        1 => "IN".into(),
        2 => "CS".into(),
        3 => "CH".into(),
        4 => "HS".into(),
        254 => "NONE".into(),
        255 => "ANY".into(),
        _ => format!("CLASS{class}").into(),
    }
}

/// The name of a response code of up to twelve bits; the number of one without a name.
pub fn rcode_name(rcode: u16) -> Cow<'static, str> {
    let name = match rcode {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        11 => "DSOTYPENI",
        16 => "BADVERS",
        17 => "BADKEY",
        18 => "BADTIME",
        19 => "BADMODE",
        20 => "BADNAME",
        21 => "BADALG",
        22 => "BADTRUNC",
        23 => "BADCOOKIE",
        _ => return rcode.to_string().into(),
    };
    name.into()
}

/// The name of an opcode; the number of one without a name.
pub fn opcode_name(opcode: u8) -> Cow<'static, str> {
    match opcode {
        0 => "QUERY".into(),
        1 => "IQUERY".into(),
        2 => "STATUS".into(),
        4 => "NOTIFY".into(),
        5 => "UPDATE".into(),
        6 => "DSO".into(),
        _ => opcode.to_string().into(),
    }
}

/// Whether IANA has given the opcode a meaning.
pub(super) const fn is_assigned_opcode(opcode: u8) -> bool {
    matches!(opcode, 0 | 1 | 2 | 4 | 5 | 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_registrys() {
        assert_eq!(type_name(kind::HTTPS), "HTTPS");
        assert_eq!(type_name(kind::A), "A");
        assert_eq!(type_name(255), "ANY");
        assert_eq!(type_name(65399), "TYPE65399");
        assert_eq!(class_name(3), "CH");
        assert_eq!(class_name(1232), "CLASS1232");
        assert_eq!(rcode_name(3), "NXDOMAIN");
        assert_eq!(rcode_name(15), "15");
        assert_eq!(opcode_name(5), "UPDATE");
    }

    #[test]
    fn every_line_of_the_table_is_read_and_they_rise() {
        assert_eq!(TYPES.len(), include_str!("types.txt").lines().count());
        assert!(TYPES.is_sorted_by(|a, b| a.0 < b.0));
    }
}
