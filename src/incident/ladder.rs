//! The verdict: how far an incident came on one asset, each rung with its evidence.

use std::sync::Arc;

use crate::{
    asset::Asset,
    detect::Destination,
    indicator::{Rung, Severity},
    time::Timestamp,
};

/// What happened to one asset in one campaign (or with one destination).
#[derive(Clone, Debug)]
pub struct Incident {
    /// Stable: made of tenant, asset and campaign.
    pub id: String,
    /// Whom it concerns.
    pub asset: Asset,
    /// The campaign, or the destination where no campaign is known.
    pub campaign: Arc<str>,
    /// The campaign's title for a person.
    pub title: Arc<str>,
    /// The worst severity of its findings.
    pub severity: Severity,
    /// The highest confidence of its findings.
    pub confidence: u8,
    /// Time of its first evidence.
    pub first: Timestamp,
    /// Time of its last evidence.
    pub last: Timestamp,
    /// How many findings it has.
    pub findings: u64,
    /// The rungs that were reached, lowest first; never empty.
    pub rungs: Vec<RungReached>,
    /// The destinations in the order of their first appearance, bounded.
    pub destinations: Vec<Destination>,
    /// What the wire could not show about this asset, one sentence each.
    pub unseen: Vec<String>,
}

impl Incident {
    /// The highest rung.
    pub fn verdict(&self) -> Rung {
        self.rungs.last().map_or(Rung::Exposed, |reached| reached.rung)
    }
}

/// One rung with its evidence.
#[derive(Clone, Debug)]
pub struct RungReached {
    /// Which.
    pub rung: Rung,
    /// When it was first reached.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// How often.
    pub count: u64,
    /// The first pieces of evidence.
    pub evidence: Vec<Evidence>,
}

/// One piece of evidence in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// When.
    pub time: Timestamp,
    /// Number of the packet in the timeline; 0 when no single packet shows it.
    pub packet: u64,
    /// What, in one sentence.
    pub text: String,
    /// What kind of line it is.
    pub kind: EvidenceKind,
}

/// The kinds of lines of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceKind {
    /// Something that happened.
    Event,
    /// What came of it: the answer to a look-up, the end of an attempt.
    Outcome,
    /// Something that came again and again; the latest such line stands for the earlier ones.
    Rhythm,
}
