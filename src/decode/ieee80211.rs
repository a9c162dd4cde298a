//! IEEE 802.11 data frames, with or without a radiotap header before them.

use super::{
    Layer, StopReason,
    walk::{Next, Walk},
};

/// Bits of the frame control field's second byte (IEEE 802.11-2020 section 9.2.4.1).
mod control {
    pub const TO_DISTRIBUTION: u8 = 0x01;
    pub const FROM_DISTRIBUTION: u8 = 0x02;
    pub const PROTECTED: u8 = 0x40;
    pub const ORDER: u8 = 0x80;
}

impl Walk<'_> {
    /// Radiotap: version, padding, length and a chain of presence words, all little-endian.
    pub(super) fn radiotap(&mut self) -> Next {
        const FCS_AT_END: u8 = 0x10;

        self.enter(Layer::Radiotap);
        let Some([version, _, low, high]) = self.peek::<4>() else { return self.stop_cut() };
        let length = usize::from(u16::from_le_bytes([low, high]));
        if version != 0 || length < 8 {
            return self.stop_malformed();
        }
        let flags = radiotap_flags(self.rest().get(..length).unwrap_or_default()).unwrap_or(0);
        if self.skip(length).is_none() {
            return self.stop_cut();
        }
        if flags & FCS_AT_END != 0 {
            self.drop_tail(4);
        }
        self.ieee80211_frame(flags & PADDED != 0)
    }

    pub(super) fn ieee80211(&mut self) -> Next {
        self.ieee80211_frame(false)
    }

    /// A MAC header, and the LLC header behind it if it is a data frame's. Of an aggregate (A-MSDU)
    /// only the first frame is read: one frame is one packet here.
    fn ieee80211_frame(&mut self, padded: bool) -> Next {
        const DATA: u8 = 2;
        const QOS_SUBTYPE: u8 = 0x8;
        const NO_DATA_SUBTYPE: u8 = 0x4;
        const AGGREGATE: u8 = 0x80;

        self.mark_link();
        self.enter(Layer::Ieee80211);
        let Some([kind, flags]) = self.peek::<2>() else { return self.stop_cut() };
        let subtype = kind >> 4;
        if kind & 0x03 != 0 {
            return self.stop_malformed();
        }
        if (kind >> 2) & 0x03 != DATA || subtype & NO_DATA_SUBTYPE != 0 {
            return self.stop(StopReason::NotIp(u16::from_le_bytes([kind, flags])));
        }
        if flags & control::PROTECTED != 0 {
            return self.stop(StopReason::Encrypted);
        }
        let both = control::TO_DISTRIBUTION | control::FROM_DISTRIBUTION;
        let mut length = if flags & both == both { 30 } else { 24 };
        let Some(header) = self.peek::<24>() else { return self.stop_cut() };
        if header[22] & 0x0f != 0 {
            // A later fragment of a frame: nothing but the middle of a packet.
            return self.stop(StopReason::NotIp(u16::from_le_bytes([kind, flags])));
        }
        let mut aggregate = false;
        if subtype & QOS_SUBTYPE != 0 {
            let Some(qos) = self.rest().get(length) else { return self.stop_cut() };
            aggregate = qos & AGGREGATE != 0;
            length += 2;
            // The HT control field is there in QoS frames only (section 9.2.4.6).
            if flags & control::ORDER != 0 {
                length += 4;
            }
        }
        if padded {
            length = length.next_multiple_of(4);
        }
        if self.skip(length).is_none() {
            return self.stop_cut();
        }
        if aggregate {
            let Some(subframe) = self.peek::<14>() else { return self.stop_cut() };
            let _ = self.skip(14);
            self.limit(usize::from(u16::from_be_bytes([subframe[12], subframe[13]])));
        }
        Next::Llc
    }
}

/// Radiotap's flag for padding between the MAC header and its body, to four bytes.
const PADDED: u8 = 0x20;

/// The flags field of a radiotap header, which stands behind the presence words and a time stamp.
fn radiotap_flags(header: &[u8]) -> Option<u8> {
    const TIME_STAMP: u32 = 1;
    const FLAGS: u32 = 1 << 1;
    const MORE_WORDS: u32 = 1 << 31;

    let word = |offset: usize| Some(u32::from_le_bytes(*header.get(offset..)?.first_chunk()?));
    let present = word(4)?;
    if present & FLAGS == 0 {
        return None;
    }
    // Each word says whether another one follows; the header's length (at most 64 KiB) ends the chain.
    let mut offset = 4;
    while word(offset)? & MORE_WORDS != 0 {
        offset += 4;
    }
    offset += 4;
    if present & TIME_STAMP != 0 {
        offset = offset.next_multiple_of(8) + 8;
    }
    header.get(offset).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{
        LinkType, Stop,
        frames::{assert_inner_ipv4, inner_ipv4, join, read},
    };

    const SNAP: [u8; 8] = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];

    /// A MAC header of 24 bytes with the frame control `kind` and `flags`.
    fn header(kind: u8, flags: u8) -> Vec<u8> {
        let mut header = vec![kind, flags];
        header.resize(24, 0);
        header
    }

    #[test]
    fn data_frames_of_every_shape() {
        let body = join(&[&SNAP, &inner_ipv4()]);
        for (kind, flags, more) in [
            (0x08, 0x00, 0),
            (0x08, 0x01, 0),
            (0x08, 0x02, 0),
            // Four addresses.
            (0x08, 0x03, 6),
            // QoS, with four addresses, with the HT control field.
            (0x88, 0x01, 2),
            (0x88, 0x03, 8),
            (0x88, 0x81, 6),
            // The order bit means nothing without QoS.
            (0x08, 0x81, 0),
        ] {
            let frame = join(&[&header(kind, flags), &vec![0; more], &body]);
            assert_inner_ipv4(&read(LinkType::IEEE802_11, &frame));
        }
    }

    #[test]
    fn the_first_frame_of_an_aggregate() {
        let body = join(&[&SNAP, &inner_ipv4()]);
        let subframe = join(&[&[1; 12], &[0, body.len() as u8], &body]);
        let frame = join(&[&header(0x88, 0x01), &[0x80, 0], &subframe, &[0; 3], &subframe]);
        assert_inner_ipv4(&read(LinkType::IEEE802_11, &frame));
    }

    #[test]
    fn what_carries_no_readable_packet() {
        let reason = |frame: &[u8]| read(LinkType::IEEE802_11, frame).stop.map(|stop| stop.reason);
        assert_eq!(reason(&header(0x80, 0)), Some(StopReason::NotIp(0x0080)));
        assert_eq!(reason(&header(0x48, 1)), Some(StopReason::NotIp(0x0148)));
        assert_eq!(reason(&header(0x08, 0x41)), Some(StopReason::Encrypted));
        assert_eq!(reason(&[0x08]), Some(StopReason::Cut));
        let mut later_fragment = header(0x08, 1);
        later_fragment[22] = 1;
        assert_eq!(reason(&later_fragment), Some(StopReason::NotIp(0x0108)));
    }

    #[test]
    fn radiotap_tells_of_checksum_and_padding() {
        let data = join(&[&header(0x88, 0x01), &[0, 0]]);
        let body = join(&[&SNAP, &inner_ipv4()]);
        let read = |radiotap: &[u8], frame: &[&[u8]]| {
            let frame = join(&[radiotap, &join(frame)]);
            assert_inner_ipv4(&read(LinkType::IEEE802_11_RADIOTAP, &frame));
        };
        read(&[0, 0, 8, 0, 0, 0, 0, 0], &[&data, &body]);
        // Flags only: a checksum follows.
        read(&[0, 0, 9, 0, 2, 0, 0, 0, 0x10], &[&data, &body, &[9; 4]]);
        // A time stamp, aligned to 8, before the flags, behind two presence words.
        let mut stamped = vec![0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0];
        stamped.extend([7; 8]);
        stamped.push(0x20);
        read(&stamped, &[&data, &[0, 0], &body]);
        let encrypted = join(&[&[0, 0, 8, 0, 0, 0, 0, 0], &header(0x08, 0x41)]);
        let stop = Stop { layer: Layer::Ieee80211, offset: 8, reason: StopReason::Encrypted };
        assert_eq!(super::tests::stop(&encrypted), Some(stop));
    }

    fn stop(frame: &[u8]) -> Option<Stop> {
        read(LinkType::IEEE802_11_RADIOTAP, frame).stop
    }
}
