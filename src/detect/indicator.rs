//! The indicator detector: every observable of an observation, looked up among the claims.

use std::{net::IpAddr, sync::Arc};

use super::{
    candidate::{Candidate, Context},
    finding::{Application, Detector},
    sentence::{self, Outcome},
};
use crate::{
    flow::TcpState,
    indicator::{AsOf, ClaimId, Kind, Rung, Severity},
    observation::{DnsSeen, DnsService, FirstPacket, FlowClosed, Observation, Seen, StillOpen},
    protocol::{
        dns::{Name, NameBuf, NameScratch, RData, Section},
        http, tls,
    },
};

/// EVE's `signature_id` of the first kind of indicator; the others follow in the order of [`Kind::ALL`].
const SIGNATURE_ID: u32 = 9_200_001;

/// What one look-up is about.
struct Sighting {
    field: &'static str,
    observed: String,
    rung: Option<Rung>,
    evidence: String,
    application: Application,
    /// The most that the sighting is worth, whatever the claim says.
    ceiling: Severity,
    /// See [`Candidate::said`].
    said: String,
    why: Vec<String>,
    /// See [`Candidate::name`].
    name: Option<NameBuf>,
    /// See [`Candidate::is_outcome`].
    is_outcome: bool,
}

impl Sighting {
    fn new(
        field: &'static str,
        observed: String,
        rung: Rung,
        evidence: String,
        application: Application,
    ) -> Self {
        let ceiling = Severity::Critical;
        let said = evidence.clone();
        Self {
            field,
            observed,
            rung: Some(rung),
            evidence,
            application,
            ceiling,
            said,
            why: Vec::new(),
            name: None,
            is_outcome: false,
        }
    }

    /// About `name`.
    fn about(mut self, name: Option<NameBuf>) -> Self {
        self.name = name;
        self
    }

    /// A look-up of the listed name `shorter` to which a resolver appended a search suffix.
    fn behind_search_suffix(mut self, shorter: Name<'_>) -> Self {
        let shorter = sentence::quoted(shorter.to_lower_text().as_bytes());
        self.ceiling = self.ceiling.min(Severity::Low);
        self.why.push(format!("a look-up of {shorter} with a search suffix appended"));
        self
    }

    /// Of a flow or message that came from outside: the asset did nothing, so that it reached no rung.
    fn inbound(mut self, why: &str) -> Self {
        self.rung = None;
        self.ceiling = Severity::Low;
        self.why.push(why.to_owned());
        self
    }
}

/// Proposes a candidate for every claim that is about something in the observation. Gives the number of hits on
/// claims that do not hold at the judged time.
pub fn propose(
    observation: &Observation<'_>,
    context: &Context<'_>,
    as_of: AsOf,
    out: &mut Vec<Candidate>,
) -> u64 {
    let mut proposals = Proposals { context, as_of, hits: Vec::new(), out, out_of_date: 0 };
    match &observation.seen {
        Seen::FlowOpened(first) => proposals.flow_opened(*first),
        Seen::Exchange(first) => proposals.exchange(*first),
        Seen::StillOpen(seen) => proposals.still_open(*seen),
        Seen::Dns(dns) if dns.service == DnsService::Dns => proposals.dns(dns),
        Seen::TlsClient(hello) => proposals.tls(hello, Application::Tls(Arc::clone(hello)), "tls"),
        Seen::Quic(quic) => proposals.tls(&quic.hello, Application::Quic(Arc::clone(quic)), "quic"),
        Seen::Certificates(seen) => proposals.certificates(seen.chain),
        Seen::HttpRequest(request) => proposals.request(request),
        Seen::HttpResponse(response) => proposals.response(response),
        Seen::FlowClosed(closed) => proposals.flow_closed(closed),
        _ => {}
    }
    proposals.out_of_date
}

/// Whether the server sent anything, as far as TCP tells apart how a connection ended.
fn is_answered(closed: &FlowClosed) -> bool {
    !matches!(closed.state, TcpState::SynSent | TcpState::Refused) && closed.to_client.payload > 0
}

struct Proposals<'a, 'c> {
    context: &'a Context<'c>,
    as_of: AsOf,
    hits: Vec<ClaimId>,
    out: &'a mut Vec<Candidate>,
    /// Hits on claims that do not hold at the judged time.
    out_of_date: u64,
}

impl Proposals<'_, '_> {
    fn flow_opened(&mut self, first: FirstPacket) {
        let tuple = &self.context.head.flow.tuple;
        let verb =
            |is_inbound| format!("{} {}", sentence::flow(tuple), if is_inbound { "from" } else { "to" });
        self.flow(first, Rung::Attempted, verb, false);
    }

    /// How an attempt ended that brought nothing back.
    fn flow_closed(&mut self, closed: &FlowClosed) {
        let sent = closed.to_server.payload;
        if closed.state == TcpState::None || is_answered(closed) {
            return;
        }
        let how = |_| match closed.state {
            TcpState::SynSent => "no answer from".to_owned(),
            TcpState::Refused => "refused by".to_owned(),
            _ if sent > 0 => format!("{sent} bytes and no data back from"),
            _ => "connected without data to".to_owned(),
        };
        self.flow(closed.opened, Rung::Attempted, how, true);
    }

    fn exchange(&mut self, first: FirstPacket) {
        self.flow(first, Rung::Contacted, |_| "data both ways with".to_owned(), false);
    }

    /// A flow that began under earlier indicators is told as far as it came. What those have told of it is only
    /// repeated by that.
    fn still_open(&mut self, seen: StillOpen) {
        let before = self.out.len();
        if seen.exchanged {
            self.exchange(seen.opened);
        } else {
            self.flow_opened(seen.opened);
        }
        for candidate in self.out.get_mut(before..).unwrap_or_default() {
            candidate.why.push(format!("it began at {}, under earlier indicators", seen.first.rfc3339()));
        }
    }

    /// A flow with a remote side that is listed by its address, or by the name that led there.
    /// `verb` tells what was done, given whether it came from outside; it is asked only where there is
    /// something to tell.
    fn flow(&mut self, first: FirstPacket, rung: Rung, verb: impl Fn(bool) -> String, is_outcome: bool) {
        let context = self.context;
        if sentence::is_icmp_error(&context.head.flow.tuple) {
            // It tells of another packet, whose own flow is told.
            return;
        }
        let remote = context.sides.remote;
        let there = || sentence::far_end(context.head.flow.tuple.protocol, &remote, context.remote_name());
        let is_inbound = context.is_inbound() && is_opening_known(first, context);
        let sighting = |field, observed| {
            let verb = verb(is_inbound);
            let is_sinkhole = context.sinkholes.find(remote.address).is_some();
            // What a sinkhole's keeper answers is not the attacker's.
            let rung = if is_sinkhole { rung.min(Rung::Attempted) } else { rung };
            let mut sighting =
                Sighting::new(field, observed, rung, format!("{verb} {}", there()), Application::None);
            sighting.is_outcome = is_outcome;
            if is_sinkhole {
                sighting.why.push("the address is a sinkhole: somebody has taken the name over".to_owned());
            }
            if is_inbound { sighting.inbound("the remote side opened the flow") } else { sighting }
        };
        context.indicators.address(remote.address, remote.port, &mut self.hits);
        self.take_hits(|| sighting("flow.remote", format!("{}:{}", remote.address, remote.port)));
        if !is_inbound {
            self.remote_name(sighting);
        }
    }

    /// A flow to an address that a listed name led to, whatever the address.
    fn remote_name(&mut self, sighting: impl Fn(&'static str, String) -> Sighting) {
        let Some(named) = self.context.remote_name() else { return };
        self.context.indicators.domain(named.name, &mut self.hits);
        self.take_hits(|| {
            let observed = named.name.to_lower_text();
            let mut sighting = sighting("flow.name", observed).about(Some(named.name.to_owned()));
            sighting.why.push(format!("the name is known from {}", named.source.name()));
            sighting
        });
    }

    fn dns(&mut self, dns: &DnsSeen<'_>) {
        let context = self.context;
        let message = &dns.message;
        let mut scratch = NameScratch::default();
        for question in message.questions() {
            let Ok(name) = question.name.unpack(&mut scratch) else { continue };
            context.indicators.domain(name, &mut self.hits);
            let shorter = if self.hits.is_empty() {
                context.indicators.domain_behind_search_suffix(name, &mut self.hits)
            } else {
                None
            };
            self.take_hits(|| {
                let sighting = look_up(context, dns, name, question.kind);
                match shorter {
                    Some(shorter) => sighting.behind_search_suffix(shorter),
                    None => sighting,
                }
            });
        }
        if message.is_response() {
            self.answers(dns, &|| Application::Dns(message.bytes().into()));
        }
        self.dns_server();
    }

    /// Addresses and aliases that a response gives.
    fn answers(&mut self, dns: &DnsSeen<'_>, application: &dyn Fn() -> Application) {
        let is_inbound = self.context.is_inbound();
        let mut scratch = NameScratch::default();
        let question = dns.message.questions().next();
        let asked = question
            .and_then(|question| Some(question.name.unpack(&mut NameScratch::default()).ok()?.to_owned()));
        if question.is_some() && asked.is_none() {
            return;
        }
        for record in dns.message.records().filter(|record| record.section == Section::Answer) {
            let data = record.data();
            let alias = match &data {
                RData::A(octets) => {
                    self.context.indicators.address((*octets).into(), 0, &mut self.hits);
                    None
                }
                RData::Aaaa(octets) => {
                    self.context.indicators.address((*octets).into(), 0, &mut self.hits);
                    None
                }
                RData::Cname(target) => match target.unpack(&mut scratch) {
                    Ok(name) => {
                        self.context.indicators.domain(name, &mut self.hits);
                        Some(name)
                    }
                    Err(_) => continue,
                },
                _ => continue,
            };
            self.take_hits(|| {
                let observed = match (&data, alias) {
                    (_, Some(alias)) => sentence::quoted(alias.to_lower_text().as_bytes()),
                    (RData::A(octets), _) => IpAddr::from(*octets).to_string(),
                    (RData::Aaaa(octets), _) => IpAddr::from(*octets).to_string(),
                    _ => String::new(),
                };
                let text =
                    asked.as_ref().map(|name| sentence::quoted(name.as_name().to_lower_text().as_bytes()));
                let text = text.unwrap_or_else(|| "a name that was not captured".to_owned());
                let evidence = format!("{text} answered {observed}");
                // An address is judged by the name that was asked for, an alias by itself.
                let name = alias.map(Name::to_owned).or_else(|| asked.clone());
                let sighting = Sighting::new("dns.answer", observed, Rung::LookedUp, evidence, application());
                let sighting = sighting.about(name);
                if is_inbound { sighting.inbound("the remote side asked") } else { sighting }
            });
        }
    }

    /// DNS over UDP has no flow of its own, so that its server's address is looked up here.
    fn dns_server(&mut self) {
        let remote = self.context.sides.remote;
        let context = self.context;
        context.indicators.address(remote.address, remote.port, &mut self.hits);
        self.take_hits(|| {
            let there = sentence::destination(&remote, None);
            let answered = context.head.sender() == remote.address;
            let (rung, evidence) = if answered {
                (Rung::Contacted, format!("DNS answer from {there}"))
            } else {
                (Rung::Attempted, format!("DNS question to {there}"))
            };
            let observed = format!("{}:{}", remote.address, remote.port);
            let sighting = Sighting::new("flow.remote", observed, rung, evidence, Application::None);
            if context.is_inbound() { sighting.inbound("the remote side asked") } else { sighting }
        });
    }

    fn tls(&mut self, hello: &tls::ClientHello, application: Application, protocol: &'static str) {
        let context = self.context;
        let is_quic = protocol == "quic";
        let sighting = |field, observed: &str| {
            let there = sentence::destination(&context.sides.remote, None);
            let protocol = protocol.to_ascii_uppercase();
            let evidence = match hello.sni.as_deref() {
                Some(name) => format!("{protocol} hello for {} to {there}", sentence::quoted(name)),
                None => format!("{protocol} hello without a name to {there}"),
            };
            let application = application.clone();
            let sighting = Sighting::new(field, observed.to_owned(), Rung::Attempted, evidence, application);
            if context.is_inbound() { sighting.inbound("the remote side is the client") } else { sighting }
        };
        let sni = hello.sni.as_deref().unwrap_or_default();
        let name = context.host_may_be_listed.then(|| NameBuf::from_text(sni)).flatten();
        if let Some(name) = name {
            context.indicators.domain(name.as_name(), &mut self.hits);
            self.take_hits(|| {
                let field = if is_quic { "quic.sni" } else { "tls.sni" };
                let mut sighting = sighting(field, &sentence::quoted(sni)).about(Some(name));
                if hello.ech {
                    sighting.why.push("the hello offers an encrypted name: this is the outer one".to_owned());
                }
                sighting
            });
        }
        if context.indicators.has_texts(Kind::Ja3) {
            context.indicators.ja3(hello.ja3(), &mut self.hits);
            self.take_hits(|| sighting(if is_quic { "quic.ja3" } else { "tls.ja3" }, hello.ja3()));
        }
        if context.indicators.has_texts(Kind::Ja4) {
            context.indicators.ja4(hello.ja4(), &mut self.hits);
            self.take_hits(|| sighting(if is_quic { "quic.ja4" } else { "tls.ja4" }, hello.ja4()));
        }
    }

    fn certificates(&mut self, chain: &Arc<[tls::Certificate]>) {
        let context = self.context;
        for certificate in chain.iter() {
            context.indicators.certificate(&certificate.sha1, &certificate.sha256, &mut self.hits);
            self.take_hits(|| {
                let there = sentence::destination(&context.sides.remote, context.remote_name());
                let subject = sentence::quoted(certificate.subject.as_bytes());
                let evidence = format!("certificate \"{subject}\" from {there}");
                let application = Application::Certificates(Arc::clone(chain));
                let sighting =
                    Sighting::new("tls.certificate", subject, Rung::Contacted, evidence, application);
                if context.is_inbound() {
                    sighting.inbound("it is the asset's own certificate")
                } else {
                    sighting
                }
            });
        }
    }

    fn request(&mut self, request: &Arc<http::Request>) {
        let is_inbound = self.context.is_inbound();
        let sighting = |field, observed| {
            let application = Application::HttpRequest(Arc::clone(request));
            let evidence = sentence::request(request);
            let sighting = Sighting::new(field, observed, Rung::Attempted, evidence, application);
            if is_inbound { sighting.inbound("the remote side is the client") } else { sighting }
        };
        let host = request.host_name().unwrap_or_default();
        let name = self.context.host_may_be_listed.then(|| NameBuf::from_text(host)).flatten();
        if let Some(name) = name {
            self.context.indicators.domain(name.as_name(), &mut self.hits);
            self.take_hits(|| sighting("http.host", sentence::quoted(host)).about(Some(name)));
        }
        if let Some(address) = std::str::from_utf8(host).ok().and_then(|text| text.parse::<IpAddr>().ok()) {
            // A proxy is asked for an address: the flow itself goes to the proxy.
            if address != self.context.sides.remote.address {
                let port = request.host_port().unwrap_or(80);
                self.context.indicators.address(address, port, &mut self.hits);
                self.take_hits(|| sighting("http.host", sentence::quoted(host)));
            }
        }
        let port = self.context.head.flow.tuple.server.port;
        let authority = request.host.as_deref().unwrap_or_default();
        self.context.indicators.url(authority, port, &request.target, &mut self.hits);
        self.take_hits(|| {
            let url = [authority, request.target.as_slice()].concat();
            sighting("http.url", sentence::quoted(&url))
        });
        if let Some(agent) = &request.user_agent {
            self.context.indicators.user_agent(agent, &mut self.hits);
            self.take_hits(|| sighting("http.user_agent", sentence::quoted(agent)));
        }
    }

    /// A response by way of a proxy: that the flow brought data both ways says nothing of the far end, that
    /// the proxy handed on its answer does. To CONNECT, only the proxy has answered yet.
    fn response(&mut self, response: &Arc<http::Response>) {
        const FROM_THE_PROXY: [u16; 5] = [0, 407, 502, 503, 504];
        let Some(request) = response.request.as_deref() else { return };
        let host = request.host_name().unwrap_or_default();
        if !request.is_to_proxy()
            || request.method == b"CONNECT"
            || FROM_THE_PROXY.contains(&response.status)
            || self.context.is_inbound()
        {
            return;
        }
        let name = NameBuf::from_text(host);
        match (&name, std::str::from_utf8(host).ok().and_then(|text| text.parse::<IpAddr>().ok())) {
            (_, Some(address)) => {
                let port = request.host_port().unwrap_or(80);
                self.context.indicators.address(address, port, &mut self.hits);
            }
            (Some(name), None) => self.context.indicators.domain(name.as_name(), &mut self.hits),
            (None, None) => return,
        }
        self.take_hits(|| {
            let evidence =
                format!("{}, answered {} by way of a proxy", sentence::request(request), response.status);
            let application = Application::HttpResponse(Arc::clone(response));
            let observed = sentence::quoted(host);
            Sighting::new("http.host", observed, Rung::Contacted, evidence, application).about(name)
        });
    }

    /// Makes candidates of the hits so far and forgets them. Nearly everything that is looked up is listed
    /// nowhere, so that the words for it are made only here.
    fn take_hits(&mut self, sighting: impl FnOnce() -> Sighting) {
        if self.hits.is_empty() {
            return;
        }
        let sighting = sighting();
        for id in std::mem::take(&mut self.hits) {
            let Some(claim) = self.context.indicators.claim(id) else { continue };
            let judged = self.context.indicators.judge(id, self.as_of, self.context.head.time);
            let Some(standing) = judged else {
                self.out_of_date += u64::from(!self.context.indicators.is_refused(id));
                continue;
            };
            let (mut most, mut why) = (Severity::Critical, sighting.why.clone());
            if let Some(entry) = self.context.well_known.weakens(&claim) {
                most = Severity::Low;
                why.push(format!("many share what is listed: {}", entry.what));
            }
            let kind = Kind::ALL.iter().position(|kind| *kind == claim.kind).unwrap_or_default();
            self.out.push(Candidate {
                detector: Detector::Indicator,
                signature_id: SIGNATURE_ID + kind as u32,
                value: claim.value.into(),
                kind: claim.kind.as_str(),
                field: sighting.field,
                observed: sighting.observed.clone(),
                meaning: Arc::from(""),
                provenance: Arc::clone(claim.provenance),
                validity: claim.validity,
                standing,
                severity: claim.severity().min(sighting.ceiling).min(most),
                rung: sighting.rung,
                evidence: sighting.evidence.clone(),
                said: sighting.said.clone(),
                why,
                application: sighting.application.clone(),
                name: sighting.name.clone(),
                is_outcome: sighting.is_outcome,
                beacon: None,
            });
        }
    }
}

/// A question for a listed name, or what it was answered.
fn look_up(context: &Context<'_>, dns: &DnsSeen<'_>, name: Name<'_>, kind: u16) -> Sighting {
    let message = &dns.message;
    let text = sentence::quoted(name.to_lower_text().as_bytes());
    let kind = crate::protocol::dns::type_name(kind);
    let is_sinkhole = |address| context.sinkholes.find(address).is_some();
    let outcome = message.is_response().then(|| Outcome::of(message, &is_sinkhole));
    let evidence = match &outcome {
        None => format!("asked for {text} ({kind})"),
        Some(outcome) => format!("{text} ({kind}) {}", outcome.text()),
    };
    let said = match &outcome {
        // That there is no address of one kind says nothing new: another kind was asked for too.
        None | Some(Outcome::Empty) => text.clone(),
        Some(outcome) => format!("{text} {}", outcome.text()),
    };
    let application = Application::Dns(message.bytes().into());
    let mut sighting = Sighting::new("dns.query", text, Rung::LookedUp, evidence, application);
    sighting = sighting.about(Some(name.to_owned()));
    sighting.said = said;
    if context.is_inbound() {
        sighting = sighting.inbound("the remote side asked");
    }
    if matches!(outcome, Some(Outcome::Sinkholed(_))) {
        sighting.why.push("the answer is a sinkhole: somebody has taken the name over".to_owned());
    }
    sighting
}

/// Whether it is known who began. Between two machines of which one has a system port (RFC 6335 section 6)
/// the ports tell, too.
fn is_opening_known(first: FirstPacket, context: &Context<'_>) -> bool {
    let tuple = &context.head.flow.tuple;
    first != FirstPacket::Midstream || (tuple.server.port < 1024 && tuple.client.port >= 1024)
}
