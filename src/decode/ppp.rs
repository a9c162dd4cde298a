//! PPP (RFC 1661, RFC 1662), PPP over Ethernet (RFC 2516), Cisco's HDLC, and frame relay.

use super::{
    Layer, StopReason,
    ethernet::ether_type,
    walk::{Next, Walk},
};

/// PPP protocol numbers (IANA).
mod protocol {
    pub const IPV4: u16 = 0x0021;
    pub const ENCRYPTED: u16 = 0x0053;
    pub const IPV6: u16 = 0x0057;
    pub const MPLS: u16 = 0x0281;
    pub const MPLS_MULTICAST: u16 = 0x0283;
}

impl Walk<'_> {
    /// A frame of link type 50: PPP in HDLC-like framing, or Cisco's HDLC by its address byte.
    pub(super) fn ppp_or_cisco_hdlc(&mut self) -> Next {
        match self.peek::<2>() {
            // Unicast and multicast address, control byte zero.
            Some([0x0f | 0x8f, 0]) => Next::CiscoHdlc,
            _ => Next::Ppp,
        }
    }

    pub(super) fn ppp(&mut self) -> Next {
        self.enter(Layer::Ppp);
        // Address and control bytes may be left out (RFC 1661 section 6.6).
        if self.peek() == Some([0xff, 0x03]) {
            let _ = self.skip(2);
        }
        // So may the high byte of the protocol when it is zero: low bytes are odd, high bytes even
        // (RFC 1661 sections 2 and 6.5).
        let protocol = match (self.peek::<1>(), self.peek::<2>()) {
            (Some([low]), _) if low & 1 == 1 => {
                let _ = self.skip(1);
                u16::from(low)
            }
            (_, Some(both)) => {
                let _ = self.skip(2);
                u16::from_be_bytes(both)
            }
            _ => return self.stop_cut(),
        };
        match protocol {
            protocol::IPV4 => Next::Ipv4,
            protocol::IPV6 => Next::Ipv6,
            protocol::MPLS | protocol::MPLS_MULTICAST => Next::Mpls,
            protocol::ENCRYPTED => self.stop(StopReason::Encrypted),
            other => self.stop(StopReason::NotIp(other)),
        }
    }

    /// PPPoE: version and type (1 and 1), code, session, length of what follows.
    pub(super) fn pppoe(&mut self) -> Next {
        self.enter(Layer::Pppoe);
        let Some([version_and_type, code, _, _, high, low]) = self.peek::<6>() else {
            return self.stop_cut();
        };
        if version_and_type != 0x11 {
            return self.stop_malformed();
        }
        if code != 0 {
            return self.stop(StopReason::NotIp(ether_type::PPPOE_DISCOVERY));
        }
        let _ = self.skip(6);
        self.limit(usize::from(u16::from_be_bytes([high, low])));
        Next::Ppp
    }

    /// Frame relay (RFC 2427): an address whose last byte is odd, then unnumbered information with a network
    /// layer's identifier, or after Cisco an EtherType.
    pub(super) fn frame_relay(&mut self) -> Next {
        const IPV4: u8 = 0xcc;
        const IPV6: u8 = 0x8e;
        const SNAP: u8 = 0x80;

        self.enter(Layer::FrameRelay);
        let Some(address) = self.rest().iter().take(4).position(|byte| byte & 1 == 1) else {
            return self.stop_cut();
        };
        let _ = self.skip(address + 1);
        match self.peek::<2>() {
            Some([0x03, 0]) => self.skip(2),
            Some([0x03, _]) => self.skip(1),
            Some(kind) if u16::from_be_bytes(kind) >= 0x0600 => {
                let _ = self.skip(2);
                return Next::EtherType(u16::from_be_bytes(kind));
            }
            Some(other) => return self.stop(StopReason::NotIp(u16::from_be_bytes(other))),
            None => return self.stop_cut(),
        };
        match (self.peek::<1>(), self.peek::<6>()) {
            (Some([IPV4]), _) => {
                let _ = self.skip(1);
                Next::Ipv4
            }
            (Some([IPV6]), _) => {
                let _ = self.skip(1);
                Next::Ipv6
            }
            (_, Some([SNAP, 0, 0, 0, high, low])) => {
                let _ = self.skip(6);
                Next::EtherType(u16::from_be_bytes([high, low]))
            }
            (Some([other]), _) => self.stop(StopReason::NotIp(other.into())),
            _ => self.stop_cut(),
        }
    }

    /// Cisco's HDLC: address, control, and an EtherType.
    pub(super) fn cisco_hdlc(&mut self) -> Next {
        self.enter(Layer::CiscoHdlc);
        let Some([_, _, high, low]) = self.peek::<4>() else { return self.stop_cut() };
        let _ = self.skip(4);
        Next::EtherType(u16::from_be_bytes([high, low]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{
        LinkType, Stop,
        frames::{assert_inner_ipv4, assert_inner_ipv6, ethernet, inner_ipv4, inner_ipv6, join, read},
    };

    #[test]
    fn ppp_with_every_form_of_header() {
        for link in [LinkType::PPP, LinkType::PPP_HDLC] {
            for header in [&[0xff, 0x03, 0x00, 0x21][..], &[0xff, 0x03, 0x21], &[0x00, 0x21], &[0x21]] {
                assert_inner_ipv4(&read(link, &join(&[header, &inner_ipv4()])));
            }
            assert_inner_ipv6(&read(link, &join(&[&[0xff, 0x03, 0x00, 0x57], &inner_ipv6()])));
            assert_inner_ipv4(&read(link, &join(&[&[0x02, 0x81, 0, 1, 1, 64], &inner_ipv4()])));
            let control = Stop { layer: Layer::Ppp, offset: 0, reason: StopReason::NotIp(0xc021) };
            assert_eq!(read(link, &[0xff, 0x03, 0xc0, 0x21, 1]).stop, Some(control));
            assert_eq!(read(link, &[0xff, 0x03, 0xc0]).stop.map(|stop| stop.reason), Some(StopReason::Cut));
            let encrypted = read(link, &[0x00, 0x53, 1]).stop;
            assert_eq!(encrypted.map(|stop| stop.reason), Some(StopReason::Encrypted));
        }
    }

    #[test]
    fn cisco_hdlc_by_link_type_and_by_address() {
        for link in [LinkType::CISCO_HDLC, LinkType::PPP_HDLC] {
            for address in [0x0f, 0x8f] {
                assert_inner_ipv4(&read(link, &join(&[&[address, 0, 8, 0], &inner_ipv4()])));
            }
            let keepalive = Stop { layer: Layer::CiscoHdlc, offset: 0, reason: StopReason::NotIp(0x8035) };
            assert_eq!(read(link, &[0x8f, 0, 0x80, 0x35, 0]).stop, Some(keepalive));
        }
    }

    #[test]
    fn frame_relay_in_the_forms_of_ietf_and_cisco() {
        for address in [&[0x18, 0x41][..], &[0x18, 0x40, 0x00, 0x01]] {
            for header in [&[0x03, 0xcc][..], &[0x03, 0x00, 0x80, 0, 0, 0, 8, 0], &[8, 0]] {
                assert_inner_ipv4(&read(LinkType::FRAME_RELAY, &join(&[address, header, &inner_ipv4()])));
            }
            assert_inner_ipv6(&read(LinkType::FRAME_RELAY, &join(&[address, &[3, 0x8e], &inner_ipv6()])));
        }
        let management = read(LinkType::FRAME_RELAY, &[0x00, 0x01, 0x03, 0x08, 0]).stop;
        let stop = Stop { layer: Layer::FrameRelay, offset: 0, reason: StopReason::NotIp(8) };
        assert_eq!(management, Some(stop));
        for length in 0..3 {
            let cut = read(LinkType::FRAME_RELAY, &[0x18, 0x41, 0x03][..length]).stop;
            assert_eq!(cut.map(|stop| stop.reason), Some(StopReason::Cut));
        }
    }

    #[test]
    fn ppp_over_ethernet() {
        let four = inner_ipv4();
        let session = join(&[&[0x11, 0, 0, 9, 0, 2 + four.len() as u8, 0, 0x21], &four]);
        assert_inner_ipv4(&read(LinkType::PPP_ETHER, &session));
        let mut padded = ethernet(0x8864, &session);
        padded.extend([0xaa; 4]);
        assert_inner_ipv4(&read(LinkType::ETHERNET, &padded));
        let discovery = ethernet(0x8864, &[0x11, 0x09, 0, 0, 0, 0]);
        let stop = Stop { layer: Layer::Pppoe, offset: 14, reason: StopReason::NotIp(0x8863) };
        assert_eq!(read(LinkType::ETHERNET, &discovery).stop, Some(stop));
        let wrong = read(LinkType::PPP_ETHER, &[0x21, 0, 0, 0, 0, 0]).stop;
        assert_eq!(wrong.map(|stop| stop.reason), Some(StopReason::Malformed));
    }
}
