//! IPv4 (RFC 791), and the choice between the IP versions.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    Anomaly, Fragment, Layer, Network, Transport, checksum,
    walk::{Next, Walk},
};

/// Bytes of a header without options.
const HEADER: usize = 20;

impl Walk<'_> {
    /// IP of whichever version.
    pub(super) fn ip(&mut self) -> Next {
        match self.peek::<1>() {
            Some([first]) if first >> 4 == 4 => Next::Ipv4,
            Some([first]) if first >> 4 == 6 => Next::Ipv6,
            Some(_) => {
                self.enter(Layer::Raw);
                self.stop_malformed()
            }
            None => {
                self.enter(Layer::Raw);
                self.stop_cut()
            }
        }
    }

    pub(super) fn ipv4(&mut self) -> Next {
        self.enter(Layer::Ipv4);
        match self.peek::<1>() {
            Some([first]) if first >> 4 != 4 => return self.stop_malformed(),
            _ => {}
        }
        let Some(header) = self.peek::<HEADER>() else { return self.stop_cut() };
        let header_length = usize::from(header[0] & 0x0f) * 4;
        let total_length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        // Segmentation offload leaves the length at 0: then the packet is all there is.
        if header_length < HEADER || (total_length < header_length && total_length != 0) {
            self.flag(Anomaly::LengthTooShort);
            return self.stop_malformed();
        }
        if total_length != 0 {
            self.limit_ip(total_length);
        }
        let place = u16::from_be_bytes([header[6], header[7]]);
        if place & 0x8000 != 0 {
            self.flag(Anomaly::ReservedBits);
        }
        let (offset, more) = (u32::from(place & 0x1fff) * 8, place & 0x2000 != 0);
        let length = u32::try_from(self.wire_rest().saturating_sub(header_length)).unwrap_or(u32::MAX);
        let fragment = (offset != 0 || more).then(|| Fragment {
            id: u32::from(u16::from_be_bytes([header[4], header[5]])),
            offset,
            more,
            length,
        });
        self.found_network(Network {
            source: IpAddr::V4(Ipv4Addr::new(header[12], header[13], header[14], header[15])),
            destination: IpAddr::V4(Ipv4Addr::new(header[16], header[17], header[18], header[19])),
            protocol: header[9],
            ttl: header[8],
            fragment,
        });
        if fragment.is_some() {
            let payload = self.rest().get(header_length..).unwrap_or_default();
            self.out.transport = Transport::Fragment { payload };
        }
        let Some(with_options) = self.rest().get(..header_length) else { return self.stop_cut() };
        if header_length > HEADER {
            self.ipv4_options(with_options.get(HEADER..).unwrap_or_default());
        }
        if self.options.checksums && checksum::of(with_options) != 0 {
            self.flag(Anomaly::Ipv4Checksum);
        }
        let _ = self.skip(header_length);
        if fragment.is_some() { Next::Done } else { Next::IpProtocol(header[9]) }
    }

    /// Looks for damage only: nothing that an option says changes where the payload is.
    fn ipv4_options(&mut self, options: &[u8]) {
        /// Loose and strict source routing: the last address, not the header's, is in the pseudo header.
        const SOURCE_ROUTES: [u8; 2] = [131, 137];

        for (kind, value) in (TypeLengthValues { rest: options }) {
            if value.is_none() {
                self.flag(Anomaly::OptionDamaged);
            }
            if SOURCE_ROUTES.contains(&kind) {
                self.pseudo_header_known = false;
            }
        }
    }
}

/// Whether `bytes` start with an IPv4 header whose length fits into the `wire_length` bytes around it.
pub(super) fn fits(bytes: &[u8], wire_length: usize) -> bool {
    bytes.first_chunk().is_some_and(|&[first, _, high, low]| {
        let total_length = usize::from(u16::from_be_bytes([high, low]));
        (0x45..=0x4f).contains(&first) && (HEADER..=wire_length).contains(&total_length)
    })
}

/// The options of IPv4 and TCP, which have one form (RFC 791 section 3.1, RFC 9293 section 3.1): a kind
/// and its value; `None` for a value whose length is damaged, which ends the options.
///
/// Bounded by the 40 bytes that options can have: each step takes one byte at least.
pub(super) struct TypeLengthValues<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Iterator for TypeLengthValues<'a> {
    type Item = (u8, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        const END: u8 = 0;
        const NO_OPERATION: u8 = 1;

        while let [NO_OPERATION, rest @ ..] = self.rest {
            self.rest = rest;
        }
        let (&kind, behind) = self.rest.split_first()?;
        if kind == END {
            return None;
        }
        let length = behind.first().map_or(0, |&length| usize::from(length));
        let value = self.rest.get(2..length);
        self.rest = if value.is_some() { self.rest.get(length..).unwrap_or_default() } else { &[] };
        Some((kind, value))
    }
}
