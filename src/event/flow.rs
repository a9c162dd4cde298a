//! EVE's `flow` and `tcp`.

use serde::Serialize;

use super::{
    EventOptions,
    eve::{EveTime, Event, is_false},
    line::Bounds,
};
use crate::{
    decode::TcpView,
    flow::TcpState,
    observation::{FirstPacket, FlowClosed, FlowEnd, Head},
};

/// IP protocol number of TCP.
const TCP: u8 = 6;

/// The record of a flow at its end.
pub(super) fn event<'a>(
    head: &'a Head,
    closed: &FlowClosed,
    options: &EventOptions,
    bounds: Bounds,
) -> Event<'a> {
    let mut event = Event::from_client("flow", head, options, bounds);
    event.app_proto = Some(closed.app_protocol).filter(|name| !name.is_empty());
    event.flow = Some(FlowObject::new(closed));
    event.tcp = (head.flow.tuple.protocol == TCP).then(|| TcpObject::new(closed));
    event.note(|note| note.flow = Some(FlowNote::new(closed)))
}

/// EVE's `flow`.
#[derive(Serialize)]
pub(super) struct FlowObject {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    start: EveTime,
    end: EveTime,
    /// Whole seconds from the first packet's second to the last one's, as EVE counts them.
    age: i64,
    state: &'static str,
    reason: &'static str,
}

impl FlowObject {
    fn new(closed: &FlowClosed) -> Self {
        Self {
            pkts_toserver: closed.to_server.packets,
            pkts_toclient: closed.to_client.packets,
            bytes_toserver: closed.to_server.bytes,
            bytes_toclient: closed.to_client.bytes,
            start: EveTime(closed.first),
            end: EveTime(closed.last),
            age: closed.last.as_seconds().saturating_sub(closed.first.as_seconds()).max(0),
            state: state(closed),
            reason: reason(closed.end),
        }
    }
}

/// How far the flow came, in EVE's words.
fn state(closed: &FlowClosed) -> &'static str {
    match closed.state {
        TcpState::SynSent | TcpState::SynReceived => "new",
        TcpState::Established | TcpState::Closing => "established",
        TcpState::Refused | TcpState::Closed | TcpState::Reset => "closed",
        TcpState::None if closed.to_server.packets > 0 && closed.to_client.packets > 0 => "established",
        TcpState::None => "new",
    }
}

/// Why the flow ended, in EVE's words. Suricata keeps a closed connection until a timeout removes it, so
/// that FIN and RST have no word there; `callhome.end` tells them apart.
const fn reason(end: FlowEnd) -> &'static str {
    match end {
        FlowEnd::Fin | FlowEnd::Rst | FlowEnd::Timeout => "timeout",
        FlowEnd::Reused => "tcp_reuse",
        FlowEnd::Evicted => "forced",
        FlowEnd::EndOfInput => "shutdown",
    }
}

/// EVE's `tcp`: flags in hexadecimal, and by name where set.
#[derive(Serialize)]
pub(super) struct TcpObject {
    tcp_flags: String,
    tcp_flags_ts: String,
    tcp_flags_tc: String,
    #[serde(skip_serializing_if = "is_false")]
    syn: bool,
    #[serde(skip_serializing_if = "is_false")]
    fin: bool,
    #[serde(skip_serializing_if = "is_false")]
    rst: bool,
    #[serde(skip_serializing_if = "is_false")]
    psh: bool,
    #[serde(skip_serializing_if = "is_false")]
    ack: bool,
    #[serde(skip_serializing_if = "is_false")]
    urg: bool,
    #[serde(skip_serializing_if = "is_false")]
    ecn: bool,
    #[serde(skip_serializing_if = "is_false")]
    cwr: bool,
    state: &'static str,
    #[serde(skip_serializing_if = "is_false")]
    ts_gap: bool,
    #[serde(skip_serializing_if = "is_false")]
    tc_gap: bool,
}

impl TcpObject {
    fn new(closed: &FlowClosed) -> Self {
        let (to_server, to_client) = (closed.to_server.tcp_flags, closed.to_client.tcp_flags);
        let all = to_server | to_client;
        let [to_server_gap, to_client_gap] = closed.gap_bytes;
        Self {
            tcp_flags: format!("{all:02x}"),
            tcp_flags_ts: format!("{to_server:02x}"),
            tcp_flags_tc: format!("{to_client:02x}"),
            syn: all & TcpView::SYN != 0,
            fin: all & TcpView::FIN != 0,
            rst: all & TcpView::RST != 0,
            psh: all & TcpView::PSH != 0,
            ack: all & TcpView::ACK != 0,
            urg: all & TcpView::URG != 0,
            ecn: all & TcpView::ECE != 0,
            cwr: all & TcpView::CWR != 0,
            state: match closed.state {
                TcpState::None => "none",
                TcpState::SynSent => "syn_sent",
                TcpState::SynReceived => "syn_recv",
                TcpState::Established => "established",
                TcpState::Closing => "fin_wait1",
                TcpState::Refused | TcpState::Closed | TcpState::Reset => "closed",
            },
            ts_gap: to_server_gap > 0,
            tc_gap: to_client_gap > 0,
        }
    }
}

/// What EVE has no place for: how the flow began and ended, and what the capture lost of it.
#[derive(PartialEq, Eq, Serialize)]
pub(super) struct FlowNote {
    opened: &'static str,
    end: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    gap_bytes_toserver: u64,
    #[serde(skip_serializing_if = "is_zero")]
    gap_bytes_toclient: u64,
    #[serde(skip_serializing_if = "is_false")]
    data_after_reset: bool,
}

impl FlowNote {
    fn new(closed: &FlowClosed) -> Self {
        let [gap_bytes_toserver, gap_bytes_toclient] = closed.gap_bytes;
        Self {
            opened: match closed.opened {
                FirstPacket::Syn => "syn",
                FirstPacket::SynAck => "syn_ack",
                FirstPacket::Midstream => "midstream",
                FirstPacket::Datagram => "datagram",
            },
            end: match closed.end {
                FlowEnd::Fin => "fin",
                FlowEnd::Rst if closed.state == TcpState::Refused => "refused",
                FlowEnd::Rst => "rst",
                FlowEnd::Timeout => "timeout",
                FlowEnd::Reused => "reused",
                FlowEnd::Evicted => "evicted",
                FlowEnd::EndOfInput => "end_of_input",
            },
            gap_bytes_toserver,
            gap_bytes_toclient,
            data_after_reset: closed.data_after_reset,
        }
    }
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}
