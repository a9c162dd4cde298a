//! What no detector can say anything about, told fast: nearly every DNS message.
//!
//! Only usual messages are screened ([`Outline`]); whatever is odd goes to the detectors. The question is asked
//! of the indicators' filters alone, which may let through what is not listed and never hold back what is.

use crate::{
    asset::Assets,
    flow::FiveTuple,
    indicator::{ExchangeFacts, Indicators},
    names::Names,
    observation::{FlowIdentity, Head, Screen},
    protocol::dns::{Answer, NameScratch, Outline},
};

impl Screen for Indicators {
    /// Detection would look at the names that are asked for, with and without search suffixes, at the addresses
    /// and aliases of the answer, and at whoever is asked; a signature may be about any question.
    fn is_unlisted(&self, tuple: &FiveTuple, outline: &Outline<'_>) -> bool {
        let is_listed = |answer: Answer<'_>| match answer {
            Answer::Address(address, _) => self.may_list_address(address),
            Answer::Alias(name) => {
                name.unpack(&mut NameScratch::new()).is_ok_and(|name| self.may_list_name(name))
            }
        };
        let answered = outline.is_response();
        !(self.may_list_question(outline)
            || self.may_list_address(tuple.server.address)
            || self.may_list_address(tuple.client.address)
            || (!answered && self.has_query_signatures() && meets_signature(tuple, outline, self))
            || (answered && outline.answers().any(is_listed)))
    }
}

/// Whether the question meets a signature; whether that one holds at the time is for the detector to say.
fn meets_signature(tuple: &FiveTuple, outline: &Outline<'_>, indicators: &Indicators) -> bool {
    let remote = (tuple.server.address, tuple.server.port);
    let mut hits = Vec::new();
    let facts = ExchangeFacts::query(Some(remote), outline.name(), outline.kind());
    indicators.signatures(&facts, &mut hits);
    !hits.is_empty()
}

/// Whether no claim can be about a flow's remote end: its address is not listed, and no listed name led the
/// asset there. Signatures are about what flows carry.
pub fn is_unlisted_flow(head: &Head, assets: &Assets, names: &Names, indicators: &Indicators) -> bool {
    let FlowIdentity { tenant, tuple, .. } = &head.flow;
    let (client, server) = (tuple.client.address, tuple.server.address);
    let (local, remote) = if assets.is_outbound(tuple) { (client, server) } else { (server, client) };
    let is_listed_name = || {
        let named = names.name_of(*tenant, local, remote, head.time);
        named.is_some_and(|named| indicators.may_list_name(named.name))
    };
    !(indicators.may_list_address(remote) || is_listed_name())
}
