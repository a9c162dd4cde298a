//! An asset's verdict as an event of the type `incident`.

use std::net::IpAddr;

use serde::Serialize;

use super::{
    alert::{AssetObject, DestinationObject},
    eve::{EveTime, is_false},
    line::{Bounds, Line},
    text::WireText,
};
use crate::{
    incident::{Evidence, Incident, RungReached},
    time::Timestamp,
};

/// What became of an incident: it is told once when it opens, whenever it grows, and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentAction {
    /// Its first evidence.
    Create,
    /// It reached a new rung.
    Update,
    /// Nothing more will come: the input ended, or it was quiet for long.
    Close,
}

impl IncidentAction {
    /// The action's name in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Close => "close",
        }
    }
}

/// The event of one incident at `time` (packet time), one line without its end.
pub fn incident(incident: &Incident, action: IncidentAction, time: Timestamp) -> String {
    let event = |bounds| IncidentEvent {
        timestamp: EveTime(time),
        event_type: "incident",
        src_ip: incident.asset.address,
        incident: IncidentObject::new(incident, action, bounds),
    };
    Line::default().write(event).to_owned()
}

/// The line.
#[derive(Serialize)]
struct IncidentEvent<'a> {
    timestamp: EveTime,
    event_type: &'static str,
    src_ip: IpAddr,
    incident: IncidentObject<'a>,
}

/// `incident`: an object of our own.
#[derive(Serialize)]
struct IncidentObject<'a> {
    id: WireText<'a>,
    action: &'static str,
    verdict: &'static str,
    campaign: WireText<'a>,
    title: WireText<'a>,
    severity: &'static str,
    confidence: u8,
    asset: AssetObject<'a>,
    first: String,
    last: String,
    findings: u64,
    rungs: Vec<RungObject<'a>>,
    destinations: Vec<DestinationObject<'a>>,
    unseen: Vec<WireText<'a>>,
    #[serde(skip_serializing_if = "is_false")]
    cut: bool,
}

impl<'a> IncidentObject<'a> {
    fn new(incident: &'a Incident, action: IncidentAction, bounds: Bounds) -> Self {
        let text = |text: &'a str| WireText { bytes: text.as_bytes(), limit: bounds.text };
        let destination = |destination| DestinationObject::new(destination, bounds);
        Self {
            id: text(&incident.id),
            action: action.name(),
            verdict: incident.verdict().as_str(),
            campaign: text(&incident.campaign),
            title: text(&incident.title),
            severity: incident.severity.as_str(),
            confidence: incident.confidence,
            asset: AssetObject::new(&incident.asset, bounds),
            first: incident.first.rfc3339(),
            last: incident.last.rfc3339(),
            findings: incident.findings,
            // There are six rungs at most: none is ever left out.
            rungs: incident.rungs.iter().map(|reached| RungObject::new(reached, bounds)).collect(),
            destinations: bounds.head(&incident.destinations).iter().map(destination).collect(),
            unseen: bounds.head(&incident.unseen).iter().map(|line| text(line)).collect(),
            cut: bounds.cut,
        }
    }
}

/// One rung.
#[derive(Serialize)]
struct RungObject<'a> {
    rung: &'static str,
    first: String,
    last: String,
    count: u64,
    evidence: Vec<EvidenceObject<'a>>,
}

impl<'a> RungObject<'a> {
    fn new(reached: &'a RungReached, bounds: Bounds) -> Self {
        let evidence = |evidence| EvidenceObject::new(evidence, bounds);
        Self {
            rung: reached.rung.as_str(),
            first: reached.first.rfc3339(),
            last: reached.last.rfc3339(),
            count: reached.count,
            evidence: bounds.head(&reached.evidence).iter().map(evidence).collect(),
        }
    }
}

/// One piece of evidence.
#[derive(Serialize)]
struct EvidenceObject<'a> {
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pcap_cnt: Option<u64>,
    text: WireText<'a>,
}

impl<'a> EvidenceObject<'a> {
    fn new(evidence: &'a Evidence, bounds: Bounds) -> Self {
        Self {
            time: evidence.time.rfc3339(),
            pcap_cnt: Some(evidence.packet).filter(|&number| number > 0),
            text: WireText { bytes: evidence.text.as_bytes(), limit: bounds.text },
        }
    }
}
