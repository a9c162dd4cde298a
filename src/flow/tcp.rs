//! The state of a TCP connection as a passive observer can tell it.

use crate::{decode::TcpView, flow::Direction};

/// How far a connection came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TcpState {
    /// Not TCP, or nothing but strays.
    #[default]
    None,
    /// A SYN without answer.
    SynSent,
    /// A SYN that was answered by a reset.
    Refused,
    /// SYN and SYN-ACK.
    SynReceived,
    /// Handshake complete, or data seen in the middle of a connection.
    Established,
    /// One FIN.
    Closing,
    /// FIN both ways.
    Closed,
    /// Reset after it was established.
    Reset,
}

/// What a tracker remembers of one side.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// Sequence number of its SYN.
    syn: Option<u32>,
    /// The first acknowledgment that it sent.
    first_ack: Option<u32>,
    fin: bool,
}

/// Follows one connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpTracker {
    state: TcpState,
    sides: [Side; 2],
    /// A packet with payload came after a reset: the reset was forged, or its receiver did not heed it.
    pub data_after_reset: bool,
}

impl TcpTracker {
    /// How far the connection came.
    pub const fn state(&self) -> TcpState {
        self.state
    }

    /// Whether the connection is over.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, TcpState::Refused | TcpState::Closed | TcpState::Reset)
    }

    /// Whether the handshake is not complete.
    pub const fn is_opening(&self) -> bool {
        matches!(self.state, TcpState::None | TcpState::SynSent | TcpState::SynReceived)
    }

    /// Whether `segment` opens another connection on the same five-tuple: a SYN from the client with
    /// another sequence number, after the end of the old one or far from its data.
    pub fn is_reopened_by(&self, segment: &TcpView<'_>, direction: Direction) -> bool {
        let plain_syn = segment.has(TcpView::SYN) && !segment.has(TcpView::ACK | TcpView::RST);
        let known = self.sides[Direction::ToServer.index()].syn;
        match direction {
            Direction::ToServer => plain_syn && known.is_some_and(|syn| syn != segment.sequence),
            // The server opens a connection of its own on the same ports once the old one is over.
            Direction::ToClient => plain_syn && self.is_over(),
        }
    }

    /// Takes a segment in.
    pub fn segment(&mut self, segment: &TcpView<'_>, direction: Direction) {
        let side = &mut self.sides[direction.index()];
        if segment.has(TcpView::SYN) {
            side.syn.get_or_insert(segment.sequence);
        }
        if segment.has(TcpView::ACK) && !segment.has(TcpView::RST) {
            side.first_ack.get_or_insert(segment.acknowledgment);
        }
        if segment.has(TcpView::FIN) {
            side.fin = true;
        }
        let both_fin = self.sides.iter().all(|side| side.fin);
        self.state = self.next(segment, direction, both_fin);
    }

    /// Whether the acknowledgments that `direction`'s sender makes show payload of the other side, also
    /// when that side was not captured. A FIN counts one, so one byte is not taken for payload.
    pub fn acknowledges_payload(&self, segment: &TcpView<'_>, direction: Direction) -> bool {
        segment.has(TcpView::ACK)
            && self.sides[direction.index()].first_ack.is_some_and(|first| {
                let grown = segment.acknowledgment.wrapping_sub(first);
                (2..1 << 31).contains(&grown)
            })
    }

    fn next(&mut self, segment: &TcpView<'_>, direction: Direction, both_fin: bool) -> TcpState {
        use TcpState::*;
        if segment.has(TcpView::RST) {
            return match self.state {
                None | SynSent | Refused => Refused,
                Closed => Closed,
                _ => Reset,
            };
        }
        if segment.has(TcpView::SYN) {
            return match (self.state, segment.has(TcpView::ACK)) {
                (None, false) => SynSent,
                // Two SYNs that cross open a connection too (RFC 9293 section 3.5, figure 8).
                (SynSent, false) if direction == Direction::ToClient => SynReceived,
                (None | SynSent | Refused, true) => SynReceived,
                (state, _) => state,
            };
        }
        match self.state {
            Refused | Reset if segment.payload_length > 0 => {
                self.data_after_reset = true;
                Established
            }
            Refused | Reset | Closed => self.state,
            _ if both_fin => Closed,
            _ if segment.has(TcpView::FIN) => Closing,
            Closing => Closing,
            // The handshake's third packet, or a connection that began before the capture.
            SynReceived if direction == Direction::ToServer => Established,
            None => Established,
            // Data after a SYN whose answer was not captured.
            SynSent if direction == Direction::ToServer => Established,
            state => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{ToClient, ToServer};

    fn segment(flags: u8, sequence: u32, acknowledgment: u32, payload: &[u8]) -> TcpView<'_> {
        TcpView {
            source_port: 1,
            destination_port: 2,
            sequence,
            acknowledgment,
            flags,
            window: 0,
            payload,
            payload_length: payload.len() as u32,
        }
    }

    fn run(segments: &[(u8, Direction)]) -> TcpTracker {
        let mut tracker = TcpTracker::default();
        for &(flags, direction) in segments {
            tracker.segment(&segment(flags, 10, 20, b""), direction);
        }
        tracker
    }

    const SYN: u8 = TcpView::SYN;
    const ACK: u8 = TcpView::ACK;
    const FIN: u8 = TcpView::FIN;
    const RST: u8 = TcpView::RST;

    #[test]
    fn follows_a_connection_to_its_end() {
        let open = [(SYN, ToServer), (SYN | ACK, ToClient), (ACK, ToServer)];
        assert_eq!(run(&open[..1]).state(), TcpState::SynSent);
        assert_eq!(run(&open[..2]).state(), TcpState::SynReceived);
        assert_eq!(run(&open).state(), TcpState::Established);
        let closed = [&open[..], &[(FIN | ACK, ToServer), (FIN | ACK, ToClient), (ACK, ToServer)]].concat();
        assert_eq!(run(&closed[..4]).state(), TcpState::Closing);
        assert_eq!(run(&closed).state(), TcpState::Closed);
    }

    #[test]
    fn tells_refused_from_reset() {
        assert_eq!(run(&[(SYN, ToServer), (RST | ACK, ToClient)]).state(), TcpState::Refused);
        let open = [(SYN, ToServer), (SYN | ACK, ToClient), (ACK, ToServer), (RST, ToClient)];
        assert_eq!(run(&open).state(), TcpState::Reset);
    }

    #[test]
    fn data_after_a_reset_shows_that_it_was_forged() {
        let mut tracker = run(&[(SYN, ToServer), (SYN | ACK, ToClient), (ACK, ToServer), (RST, ToClient)]);
        tracker.segment(&segment(ACK, 11, 21, b"still here"), ToServer);
        assert!(tracker.data_after_reset);
        assert_eq!(tracker.state(), TcpState::Established);
    }

    #[test]
    fn acknowledgments_show_a_side_that_was_not_captured() {
        let mut tracker = TcpTracker::default();
        tracker.segment(&segment(SYN, 10, 0, b""), ToServer);
        tracker.segment(&segment(ACK, 11, 500, b"GET"), ToServer);
        let later = segment(ACK, 14, 900, b"");
        assert!(tracker.acknowledges_payload(&later, ToServer));
        assert!(!tracker.acknowledges_payload(&segment(ACK, 14, 501, b""), ToServer));
    }

    #[test]
    fn a_new_syn_is_a_new_connection() {
        let tracker = run(&[(SYN, ToServer), (SYN | ACK, ToClient), (ACK, ToServer)]);
        assert!(tracker.is_reopened_by(&segment(SYN, 999, 0, b""), ToServer));
        assert!(!tracker.is_reopened_by(&segment(SYN, 10, 0, b""), ToServer), "a retransmission");
    }
}
