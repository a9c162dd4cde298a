//! What no detector can say anything about, told fast: nearly every DNS message.
//!
//! Only usual messages are screened ([`Outline`]); whatever is odd goes to the detectors. The question is asked
//! of the indicators' filters alone, which may let through what is not listed and never hold back what is.

use std::net::IpAddr;

use crate::{
    address::AddressWords,
    asset::Assets,
    indicator::{ExchangeFacts, Indicators, Knowledge},
    names::{Names, addresses_of_answer},
    observation::{Asked, DnsService, FlowIdentity, Head, HostFacts, Observation, Screen, Seen},
    protocol::dns::{Answer, NameBuf, NameScratch, Outline},
};

impl Screen for Knowledge {
    /// Detection would look at the names that are asked for, with and without search suffixes, at the addresses
    /// and aliases of the answer, and at whoever is asked; a signature may be about any question.
    fn unlisted(&self, asked: &Asked, outline: &Outline<'_>) -> Option<u64> {
        let indicators = &self.indicators;
        let question = indicators.screen_question(outline);
        if question.may_be_listed
            || indicators.may_list_address(asked.server)
            || indicators.may_list_address(asked.client)
        {
            return None;
        }
        let ending = question.ending;
        if !outline.is_response() {
            let is_met = question.may_meet_signature && meets_signature(asked, outline, indicators);
            return (!is_met).then_some(ending);
        }
        for answer in outline.answers() {
            let is_listed = match answer {
                Answer::Address(address, _) => indicators.may_list_address(address),
                Answer::Alias(name) => {
                    name.unpack(&mut NameScratch::new()).is_ok_and(|name| indicators.may_list_name(name))
                }
            };
            if is_listed {
                return None;
            }
        }
        Some(ending)
    }

    fn may_list_address(&self, address: AddressWords) -> bool {
        self.indicators.may_list_address(address)
    }

    fn host(&self, text: &[u8]) -> HostFacts {
        let Some(name) = NameBuf::from_text(text) else { return HostFacts::default() };
        HostFacts {
            is_registry: self.registries.is_package_registry(name.as_name()),
            is_resolver: self.resolvers.by_name(name.as_name()).is_some(),
            may_be_listed: self.indicators.may_list_name(name.as_name()),
        }
    }

    fn reads_hellos(&self) -> bool {
        self.indicators.reads_hellos()
    }

    fn reads_hellos_of_certificates(&self) -> bool {
        self.indicators.has_certificate_signatures()
    }
}

/// Whether the question meets a signature; whether that one holds at the time is for the detector to say.
fn meets_signature(asked: &Asked, outline: &Outline<'_>, indicators: &Indicators) -> bool {
    let remote = (asked.server.into(), asked.port);
    let mut hits = Vec::new();
    let facts = ExchangeFacts::query(Some(remote), outline.name(), outline.kind());
    indicators.signatures(&facts, &mut hits);
    !hits.is_empty()
}

/// Whether no claim can be about a flow's remote end: its address is not listed, and no listed name led the
/// asset there. Signatures are about what flows carry. Without `names` none that may be listed is known.
pub fn is_unlisted_flow(
    head: &Head,
    assets: &Assets,
    names: Option<&Names>,
    indicators: &Indicators,
) -> bool {
    let FlowIdentity { tenant, tuple, .. } = &head.flow;
    let (client, server) = (tuple.client.address, tuple.server.address);
    if names.is_none() && !indicators.may_list_address(server) && !indicators.may_list_address(client) {
        // Whichever of the two is the remote end.
        return true;
    }
    let (local, remote) = if assets.is_outbound(tuple) { (client, server) } else { (server, client) };
    let is_listed_name = |names: &Names| {
        let named = names.name_of(*tenant, local, remote, head.time);
        named.is_some_and(|named| indicators.may_list_name(named.name))
    };
    !(indicators.may_list_address(remote) || names.is_some_and(is_listed_name))
}

/// The host name that the client says it wants, by which [`Names`] may learn: SNI or Host.
pub fn host_of<'o>(observation: &'o Observation<'_>) -> Option<&'o [u8]> {
    match &observation.seen {
        Seen::HttpRequest(request) => request.host_name(),
        _ => observation.sni(),
    }
}

/// Calls `each` with the addresses that a DNS answer gives for names that may be listed. Quiet messages have none.
pub fn answers_by_listed_names(
    observation: &Observation<'_>,
    indicators: &Indicators,
    mut each: impl FnMut(IpAddr),
) {
    let Seen::Dns(dns) = &observation.seen else { return };
    if dns.service == DnsService::Dns && dns.message.is_response() {
        addresses_of_answer(&dns.message, &mut |name, address, _| {
            if indicators.may_list_name(name) {
                each(address);
            }
        });
    }
}
