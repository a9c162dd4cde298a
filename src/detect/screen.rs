//! What no detector can say anything about, told fast: nearly every DNS message.
//!
//! Only usual messages are screened ([`Outline`]); whatever is odd goes to the detectors. The question is asked
//! of the indicators' filters alone, which may let through what is not listed and never hold back what is.

use crate::{
    indicator::{ExchangeFacts, Indicators},
    names::Names,
    observation::{FlowIdentity, Head},
    protocol::dns::{Answer, NameScratch, Outline},
};

/// Whether no claim and no signature can be about this message, whatever is known besides it.
///
/// Detection would look at the names that are asked for, with and without search suffixes, at the addresses
/// and aliases of the answer, and at whoever is asked; a signature may be about any question.
pub fn is_unlisted(head: &Head, outline: &Outline<'_>, indicators: &Indicators) -> bool {
    let is_listed = |answer: Answer<'_>| match answer {
        Answer::Address(address, _) => indicators.may_list_address(address),
        Answer::Alias(name) => {
            name.unpack(&mut NameScratch::new()).is_ok_and(|name| indicators.may_list_name(name))
        }
    };
    let tuple = &head.flow.tuple;
    let answered = outline.is_response();
    !(indicators.may_list_name(outline.name())
        || indicators.may_list_address(tuple.server.address)
        || indicators.may_list_address(tuple.client.address)
        || (!answered && indicators.has_query_signatures() && meets_signature(head, outline, indicators))
        || (answered && outline.answers().any(is_listed)))
}

/// Whether the question meets a signature; whether that one holds at the time is for the detector to say.
fn meets_signature(head: &Head, outline: &Outline<'_>, indicators: &Indicators) -> bool {
    let server = &head.flow.tuple.server;
    let mut hits = Vec::new();
    let facts = ExchangeFacts::query(Some((server.address, server.port)), outline.name(), outline.kind());
    indicators.signatures(&facts, &mut hits);
    !hits.is_empty()
}

/// Whether no claim can be about a flow's ends: neither address is listed, and no listed name led from one to
/// the other. Signatures are about what flows carry.
pub fn is_unlisted_flow(head: &Head, names: &Names, indicators: &Indicators) -> bool {
    let FlowIdentity { tenant, tuple, .. } = &head.flow;
    let (client, server) = (tuple.client.address, tuple.server.address);
    let is_listed_name = |from, to| {
        let named = names.name_of(*tenant, from, to, head.time);
        named.is_some_and(|named| indicators.may_list_name(named.name))
    };
    !(indicators.may_list_address(server)
        || indicators.may_list_address(client)
        || is_listed_name(client, server)
        // Whose side the asset is on is not asked here.
        || is_listed_name(server, client))
}
