//! What a detector proposes, before it is decided whether to say it.

use std::sync::Arc;

use super::finding::{Application, Beacon, Detector};
use crate::{
    asset::Sides,
    indicator::{Indicators, Provenance, Rung, Severity, Sinkholes, Standing, Validity, WellKnown},
    names::{Named, Names},
    observation::Head,
    protocol::dns::NameBuf,
};

/// What detectors may look at besides the observation itself.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Claims and signatures.
    pub indicators: &'a Indicators,
    /// Addresses that a name is led to when somebody has taken it over.
    pub sinkholes: &'a Sinkholes,
    /// Infrastructure that too many share to blame one of them.
    pub well_known: &'a WellKnown,
    /// Which name led where.
    pub names: &'a Names,
    /// The observation's flow, seen from the asset.
    pub sides: &'a Sides,
    /// The observation's head.
    pub head: &'a Head,
    /// Whether a claim may be about the host name in the observation, if it has one ([`super::screen::host_of`]).
    pub host_may_be_listed: bool,
}

impl Context<'_> {
    /// Whether somebody outside opened the flow to the asset, as far as its ends tell.
    pub fn is_inbound(&self) -> bool {
        !self.sides.outbound
    }

    /// The name that led the asset to the remote address.
    pub fn remote_name(&self) -> Option<Named<'_>> {
        let (local, remote) = (self.sides.local.address, self.sides.remote.address);
        self.names.name_of(self.head.flow.tenant, local, remote, self.head.time)
    }
}

/// A finding in the making.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Who proposes it.
    pub detector: Detector,
    /// EVE's `signature_id`.
    pub signature_id: u32,
    /// The claim's value, the signature's id.
    pub value: Arc<str>,
    /// The claim's kind, or `signature`.
    pub kind: &'static str,
    /// What was compared.
    pub field: &'static str,
    /// What stood there.
    pub observed: String,
    /// A few words of what it means; empty for single indicators.
    pub meaning: Arc<str>,
    /// Who says it.
    pub provenance: Arc<Provenance>,
    /// When it holds.
    pub validity: Validity,
    /// How it stands at the packet's time.
    pub standing: Standing,
    /// How bad.
    pub severity: Severity,
    /// How far the asset came by it.
    pub rung: Option<Rung>,
    /// The sentence of most weight.
    pub evidence: String,
    /// Of a look-up: what tells it from another one, the name and what came of it without the type asked for.
    pub said: String,
    /// Further reasons.
    pub why: Vec<String>,
    /// The name that it is about, where what was compared was a name or an answer for one.
    pub name: Option<NameBuf>,
    /// The message it was seen in.
    pub application: Application,
    /// Whether it tells how something ended that was told before.
    pub is_outcome: bool,
    /// Its rhythm.
    pub beacon: Option<Beacon>,
}
