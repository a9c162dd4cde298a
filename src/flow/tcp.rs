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

/// What a tracker remembers of one side. There are two of these for every flow, so that what may be missing has
/// its mark beside the others'.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    syn: u32,
    first_ack: u32,
    has_syn: bool,
    has_first_ack: bool,
    fin: bool,
}

impl Side {
    /// Sequence number of its SYN.
    fn syn(&self) -> Option<u32> {
        self.has_syn.then_some(self.syn)
    }

    /// The first acknowledgment that it sent.
    fn first_ack(&self) -> Option<u32> {
        self.has_first_ack.then_some(self.first_ack)
    }
}

/// Follows one connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpTracker {
    state: TcpState,
    sides: [Side; 2],
    /// Who sent a SYN in the middle of the connection, and its sequence number.
    challenger: Option<Direction>,
    challenge: u32,
    /// Whose name the reset bore that ended the connection.
    reset_by: Option<Direction>,
    /// The side in whose name a reset came went on sending payload: the reset was forged. What the other
    /// side sends after a reset may have been on its way.
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

    /// Whether `segment` opens another connection on the same five-tuple.
    ///
    /// Once the old one is over, or has not come further than its own SYN, a SYN with another number
    /// does. In the middle of a connection it may be forged to make an observer lose the thread, and an
    /// endpoint keeps such a connection too (RFC 5961 section 4): there the other side's SYN-ACK decides.
    pub fn is_reopened_by(&self, segment: &TcpView<'_>, direction: Direction) -> bool {
        if !segment.has(TcpView::SYN) || segment.has(TcpView::RST) {
            return false;
        }
        let known = self.sides[direction.index()].syn();
        if segment.has(TcpView::ACK) {
            let answered = segment.acknowledgment.wrapping_sub(1);
            return self.challenger == Some(direction.reverse()) && self.challenge == answered;
        }
        match direction {
            _ if self.is_over() => known != Some(segment.sequence),
            Direction::ToServer if self.is_opening() => known.is_some_and(|syn| syn != segment.sequence),
            _ => false,
        }
    }

    /// Takes a segment in.
    pub fn segment(&mut self, segment: &TcpView<'_>, direction: Direction) {
        let state = self.state;
        let side = &mut self.sides[direction.index()];
        if segment.has(TcpView::SYN) {
            let first = side.syn().unwrap_or(segment.sequence);
            (side.syn, side.has_syn) = (first, true);
            let in_the_middle = matches!(state, TcpState::Established | TcpState::Closing);
            if in_the_middle && !segment.has(TcpView::ACK) && first != segment.sequence {
                (self.challenger, self.challenge) = (Some(direction), segment.sequence);
            }
        }
        if segment.has(TcpView::ACK) && !segment.has(TcpView::RST) {
            side.first_ack = side.first_ack().unwrap_or(segment.acknowledgment);
            side.has_first_ack = true;
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
            && !segment.has(TcpView::RST)
            && self.sides[direction.index()].first_ack().is_some_and(|first| {
                let grown = segment.acknowledgment.wrapping_sub(first);
                (2..1 << 31).contains(&grown)
            })
    }

    fn next(&mut self, segment: &TcpView<'_>, direction: Direction, both_fin: bool) -> TcpState {
        use TcpState::*;
        if segment.has(TcpView::RST) {
            if !self.is_over() {
                self.reset_by = Some(direction);
            }
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
            Refused | Reset if segment.payload_length > 0 && self.reset_by == Some(direction) => {
                self.data_after_reset = true;
                Established
            }
            Refused | Reset | Closed => self.state,
            _ if both_fin => Closed,
            _ if segment.has(TcpView::FIN) => Closing,
            Closing => Closing,
            // The handshake's third packet, a connection that began before the capture, or what follows a
            // third packet that was not captured.
            None | SynReceived => Established,
            // Data after a SYN whose answer was not captured; without payload the server's segment may be
            // a challenge (RFC 5961 section 4).
            SynSent if direction == Direction::ToServer || segment.payload_length > 0 => Established,
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
        tracker.segment(&segment(ACK, 11, 21, b"on its way"), ToServer);
        assert!(!tracker.data_after_reset, "the client may not have the reset yet");
        assert_eq!(tracker.state(), TcpState::Reset);
        tracker.segment(&segment(ACK, 11, 21, b"still here"), ToClient);
        assert!(tracker.data_after_reset);
        assert_eq!(tracker.state(), TcpState::Established);
    }

    #[test]
    fn one_side_alone_shows_an_established_connection() {
        assert_eq!(run(&[(SYN | ACK, ToClient), (ACK, ToClient)]).state(), TcpState::Established);
        assert_eq!(run(&[(SYN, ToServer), (ACK, ToServer)]).state(), TcpState::Established);
        assert_eq!(run(&[(SYN, ToServer), (ACK, ToClient)]).state(), TcpState::SynSent, "a challenge");
        assert_eq!(run(&[(ACK, ToClient)]).state(), TcpState::Established, "from the middle on");
    }

    #[test]
    fn two_syns_that_cross_open_one_connection() {
        let crossed = [(SYN, ToServer), (SYN, ToClient)];
        assert_eq!(run(&crossed).state(), TcpState::SynReceived);
        let answered = [&crossed[..], &[(SYN | ACK, ToServer), (SYN | ACK, ToClient)]].concat();
        assert_eq!(run(&answered).state(), TcpState::SynReceived);
        assert_eq!(run(&[&answered[..], &[(ACK, ToServer)]].concat()).state(), TcpState::Established);
    }

    #[test]
    fn a_half_closed_connection_is_not_over() {
        let tracker = run(&[(SYN, ToServer), (SYN | ACK, ToClient), (ACK, ToServer), (FIN | ACK, ToServer)]);
        assert_eq!(tracker.state(), TcpState::Closing);
        assert!(!tracker.is_over());
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
    fn a_new_syn_is_a_new_connection_once_the_old_one_is_over() {
        let open = [(SYN, ToServer), (SYN | ACK, ToClient), (ACK, ToServer)];
        let closed = [&open[..], &[(FIN | ACK, ToServer), (FIN | ACK, ToClient)]].concat();
        for (before, reopened) in [(&open[..1], true), (&open, false), (&closed, true)] {
            let tracker = run(before);
            assert_eq!(tracker.is_reopened_by(&segment(SYN, 999, 0, b""), ToServer), reopened, "{before:?}");
            assert!(!tracker.is_reopened_by(&segment(SYN, 10, 0, b""), ToServer), "a retransmission");
        }
        assert!(run(&closed).is_reopened_by(&segment(SYN, 999, 0, b""), ToClient), "the other side may too");
    }

    #[test]
    fn a_syn_in_the_middle_counts_when_it_is_answered() {
        let mut tracker = run(&[(SYN, ToServer), (SYN | ACK, ToClient), (ACK, ToServer)]);
        assert!(!tracker.is_reopened_by(&segment(SYN | ACK, 70, 1000, b""), ToClient), "nobody asked");
        tracker.segment(&segment(SYN, 999, 0, b""), ToServer);
        assert_eq!(tracker.state(), TcpState::Established);
        assert!(!tracker.is_reopened_by(&segment(SYN | ACK, 10, 11, b""), ToClient), "the old answer again");
        assert!(tracker.is_reopened_by(&segment(SYN | ACK, 70, 1000, b""), ToClient));
    }
}
