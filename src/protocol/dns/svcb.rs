//! The parameters of SVCB and HTTPS records (RFC 9460 sections 2.2 and 7).

use crate::bytes::Reader;

use super::Strings;

/// The parameters one by one; ends at one that does not fit.
#[derive(Clone, Copy, Debug)]
pub struct SvcParams<'a>(&'a [u8]);

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SvcParam<'a> {
    /// SvcParamKey.
    pub key: u16,
    /// SvcParamValue as it stands there.
    pub wire: &'a [u8],
}

/// What a parameter says.
#[derive(Clone, Copy, Debug)]
pub enum SvcValue<'a> {
    /// Keys that a client must understand, two bytes each.
    Mandatory(&'a [[u8; 2]]),
    /// Protocols, as in TLS's ALPN.
    Alpn(Strings<'a>),
    /// The protocol that the scheme stands for is not offered.
    NoDefaultAlpn,
    /// The port to connect to.
    Port(u16),
    /// Addresses to try until the target's own are known.
    Ipv4Hint(&'a [[u8; 4]]),
    /// An ECHConfigList (RFC 9848): the client can hide the server's name.
    Ech(&'a [u8]),
    /// Addresses to try until the target's own are known.
    Ipv6Hint(&'a [[u8; 16]]),
    /// A URI template for DNS over HTTPS (RFC 9461).
    DohPath(&'a [u8]),
    /// Oblivious HTTP is offered (RFC 9540).
    Ohttp,
    /// A key without a meaning here, or a value that does not fit its key.
    Other(&'a [u8]),
}

impl<'a> SvcParams<'a> {
    pub(super) const fn new(wire: &'a [u8]) -> Self {
        Self(wire)
    }

    /// Whether every parameter fits, and every value its key.
    pub(super) fn is_whole(mut self) -> bool {
        self.by_ref().all(|param| param.is_well_formed()) && self.0.is_empty()
    }
}

impl<'a> Iterator for SvcParams<'a> {
    type Item = SvcParam<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut wire = Reader::new(self.0);
        let key = wire.u16()?;
        let length = wire.u16()?;
        let value = wire.take(length.into())?;
        self.0 = wire.rest();
        Some(SvcParam { key, wire: value })
    }
}

impl<'a> SvcParam<'a> {
    /// What it says.
    pub fn value(&self) -> SvcValue<'a> {
        self.read().unwrap_or(SvcValue::Other(self.wire))
    }

    /// The key's name; `None` for `keyNNNNN`.
    pub(super) const fn key_name(&self) -> Option<&'static str> {
        Some(match self.key {
            0 => "mandatory",
            1 => "alpn",
            2 => "no-default-alpn",
            3 => "port",
            4 => "ipv4hint",
            5 => "ech",
            6 => "ipv6hint",
            7 => "dohpath",
            8 => "ohttp",
            _ => return None,
        })
    }

    fn read(&self) -> Option<SvcValue<'a>> {
        match self.key {
            0 => whole_chunks(self.wire).map(SvcValue::Mandatory),
            1 => Some(SvcValue::Alpn(Strings::new(self.wire))),
            2 => self.wire.is_empty().then_some(SvcValue::NoDefaultAlpn),
            3 => self.wire.try_into().ok().map(u16::from_be_bytes).map(SvcValue::Port),
            4 => whole_chunks(self.wire).map(SvcValue::Ipv4Hint),
            5 => Some(SvcValue::Ech(self.wire)),
            6 => whole_chunks(self.wire).map(SvcValue::Ipv6Hint),
            7 => Some(SvcValue::DohPath(self.wire)),
            8 => self.wire.is_empty().then_some(SvcValue::Ohttp),
            _ => None,
        }
    }

    fn is_well_formed(&self) -> bool {
        match self.read() {
            Some(SvcValue::Alpn(strings)) => strings.is_whole(),
            Some(_) => true,
            None => self.key_name().is_none(),
        }
    }
}

/// One or more values of `N` bytes and nothing else.
fn whole_chunks<const N: usize>(wire: &[u8]) -> Option<&[[u8; N]]> {
    let (chunks, rest) = wire.as_chunks();
    (rest.is_empty() && !chunks.is_empty()).then_some(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_fits_and_stops_at_what_does_not() {
        let wire = b"\x00\x01\x00\x06\x02h3\x02h2\
                     \x00\x03\x00\x02\x20\xfb\
                     \x00\x04\x00\x08\x01\x02\x03\x04\x05\x06\x07\x08\
                     \xff\x00\x00\x01z\
                     \x00\x06\x00\x10short";
        let params: Vec<_> = SvcParams::new(wire).collect();
        assert_eq!(params.iter().map(|param| param.key).collect::<Vec<_>>(), [1, 3, 4, 0xff00]);
        assert!(matches!(params[0].value(), SvcValue::Alpn(ids) if ids.eq([b"h3", b"h2"])));
        assert!(matches!(params[1].value(), SvcValue::Port(8443)));
        assert!(matches!(params[2].value(), SvcValue::Ipv4Hint([[1, 2, 3, 4], [5, 6, 7, 8]])));
        assert!(matches!(params[3].value(), SvcValue::Other(b"z")));
        assert!(!SvcParams::new(wire).is_whole());
        assert!(SvcParams::new(&wire[..wire.len() - 9]).is_whole());
    }

    #[test]
    fn a_value_that_does_not_fit_its_key_is_kept_as_bytes() {
        let port = SvcParam { key: 3, wire: b"\x01" };
        assert!(matches!(port.value(), SvcValue::Other(b"\x01")));
        let hints = SvcParam { key: 4, wire: b"\x01\x02\x03" };
        assert!(matches!(hints.value(), SvcValue::Other(_)));
        assert!(!SvcParams::new(b"\x00\x01\x00\x02\x05h").is_whole());
    }
}
