//! That indicators were read again as an event of the type `health`: what the sensor says of itself.

use serde::Serialize;

use super::{
    eve::{EveTime, is_false},
    line::{Bounds, Line},
    text::WireText,
};
use crate::{indicator::Refusal, time::Timestamp};

/// Which indicators are in force after they were read again.
#[derive(Clone, Copy, Debug)]
pub struct IndicatorsState<'a> {
    /// The number of the generation in force, from 1.
    pub generation: u64,
    /// Files that a user named and that it was made of.
    pub files: usize,
    /// Entries that were taken of them.
    pub entries: usize,
    /// Why what was read is not what is in force; `None` when it is.
    pub refusal: Option<&'a Refusal>,
}

/// The event of a reload at `time` (packet time), one line without its end. `packet` is the first one that is judged by
/// what is in force now.
pub fn indicators(time: Timestamp, packet: Option<u64>, state: &IndicatorsState<'_>) -> String {
    let reason = state.refusal.map(|refusal| refusal.fault.to_string());
    let event = |bounds| HealthEvent {
        timestamp: EveTime(time),
        pcap_cnt: packet,
        event_type: "health",
        health: HealthObject::new(state, reason.as_deref(), bounds),
    };
    Line::default().write(event).to_owned()
}

/// The line.
#[derive(Serialize)]
struct HealthEvent<'a> {
    timestamp: EveTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    pcap_cnt: Option<u64>,
    event_type: &'static str,
    health: HealthObject<'a>,
}

/// `health`: an object of our own.
#[derive(Serialize)]
struct HealthObject<'a> {
    /// What it is about.
    subject: &'static str,
    state: &'static str,
    generation: u64,
    files: usize,
    entries: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'static str>,
    /// The file that is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<WireText<'a>>,
    /// What is wrong with it, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "is_false")]
    cut: bool,
}

impl<'a> HealthObject<'a> {
    fn new(state: &IndicatorsState<'a>, reason: Option<&'a str>, bounds: Bounds) -> Self {
        let IndicatorsState { generation, files, entries, refusal } = *state;
        let text = |text: &'a str| WireText { bytes: text.as_bytes(), limit: bounds.text };
        Self {
            subject: "indicators",
            state: if refusal.is_some() { "degraded" } else { "ok" },
            generation,
            files,
            entries,
            fault: refusal.map(|refusal| refusal.fault.name()),
            file: refusal.map(|refusal| text(&refusal.file)),
            reason: reason.map(text),
            cut: bounds.cut,
        }
    }
}
