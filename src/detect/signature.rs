//! The signature detector: composite conditions over one exchange.

use std::sync::Arc;

use super::{
    candidate::{Candidate, Context},
    finding::{Application, Beacon, Detector},
    recurrence::Recurrences,
    sentence,
};
use crate::{
    indicator::{AsOf, ExchangeFacts, Rung, Severity, Signature, SignatureId},
    observation::{DnsService, Observation, Seen},
    protocol::dns::NameScratch,
};

/// EVE's `signature_id` of every composite signature; which one it is stands in the event.
const SIGNATURE_ID: u32 = 9_200_100;

/// Proposes a candidate for every signature that the observation meets.
pub fn propose(
    observation: &Observation<'_>,
    context: &Context<'_>,
    as_of: AsOf,
    recurrences: &mut Recurrences,
    out: &mut Vec<Candidate>,
) {
    let mut hits = Vec::new();
    find(observation, context, &mut hits);
    // The alternatives of one rule are signatures of their own, side by side: one message, told once.
    hits.dedup_by_key(|id| {
        let signature = context.indicators.signature(*id);
        signature.map(|signature| (Arc::clone(&signature.provenance.file), signature.line))
    });
    if hits.is_empty() {
        return;
    }
    let Some((application, evidence)) = words(observation, context) else { return };
    for SignatureId(number) in hits {
        let Some(signature) = context.indicators.signature(SignatureId(number)) else { continue };
        let Some(standing) = signature.validity.judge(as_of, observation.head.time) else { continue };
        let mut candidate = Candidate {
            detector: Detector::Signature,
            signature_id: SIGNATURE_ID,
            value: Arc::clone(&signature.id),
            kind: "signature",
            field: field_of(&application),
            observed: evidence.clone(),
            meaning: Arc::clone(&signature.title),
            provenance: Arc::clone(&signature.provenance),
            validity: signature.validity,
            standing,
            severity: signature.severity(),
            rung: Some(signature.rung),
            evidence: format!("{}: {evidence}", signature.title),
            said: evidence.clone(),
            why: Vec::new(),
            name: None,
            application: application.clone(),
            is_outcome: false,
            beacon: None,
        };
        if context.is_inbound() {
            // Somebody outside sent it to the asset: a scan, not an implant on it.
            candidate.rung = None;
            candidate.severity = candidate.severity.min(Severity::Low);
            candidate.why.push("the remote side is the client".to_owned());
        } else {
            note_rhythm(&mut candidate, signature, observation, context, recurrences);
        }
        out.push(candidate);
    }
}

/// The signatures that the observation meets.
fn find(observation: &Observation<'_>, context: &Context<'_>, hits: &mut Vec<SignatureId>) {
    let server = &observation.head.flow.tuple.server;
    let remote = (server.address, server.port);
    let mut judge = |facts: &ExchangeFacts<'_>| context.indicators.signatures(facts, hits);
    match &observation.seen {
        Seen::HttpRequest(request) => judge(&ExchangeFacts::request(remote, request)),
        Seen::HttpResponse(response) => judge(&ExchangeFacts::response(remote, response)),
        Seen::TlsClient(hello) => judge(&ExchangeFacts::client_hello(remote, hello)),
        Seen::Quic(quic) => judge(&ExchangeFacts::client_hello(remote, &quic.hello)),
        Seen::Certificates(seen) => {
            let Some(leaf) = seen.chain.first() else { return };
            let hello = seen.hello.map(|hello| &**hello);
            judge(&ExchangeFacts::certificate(remote, hello, leaf));
        }
        Seen::Dns(dns) if dns.service == DnsService::Dns && !dns.message.is_response() => {
            let mut scratch = NameScratch::default();
            for question in dns.message.questions() {
                let Ok(name) = question.name.unpack(&mut scratch) else { continue };
                judge(&ExchangeFacts::query(Some(remote), name, question.kind));
            }
        }
        _ => {}
    }
}

/// The message that was judged, and a sentence that says what it was.
fn words(observation: &Observation<'_>, context: &Context<'_>) -> Option<(Application, String)> {
    let server = &observation.head.flow.tuple.server;
    let there = || sentence::destination(server, context.remote_name());
    Some(match &observation.seen {
        Seen::HttpRequest(request) => {
            (Application::HttpRequest(Arc::clone(request)), sentence::request(request))
        }
        Seen::HttpResponse(response) => {
            let request = response.request.as_deref().map(sentence::request);
            let asked = request.unwrap_or_else(|| "a request that was not captured".to_owned());
            let evidence =
                format!("{asked}, answered {} with {} bytes", response.status, response.body_length);
            (Application::HttpResponse(Arc::clone(response)), evidence)
        }
        Seen::TlsClient(hello) => (Application::Tls(Arc::clone(hello)), format!("TLS hello to {}", there())),
        Seen::Quic(quic) => (Application::Quic(Arc::clone(quic)), format!("QUIC hello to {}", there())),
        Seen::Certificates(seen) => {
            let subject = sentence::quoted(seen.chain.first()?.subject.as_bytes());
            let text = format!("certificate \"{subject}\" from {}", there());
            (Application::Certificates(Arc::clone(seen.chain)), text)
        }
        Seen::Dns(dns) => {
            let question = dns.message.questions().next()?;
            let mut scratch = NameScratch::default();
            let asked = sentence::quoted(question.name.unpack(&mut scratch).ok()?.to_lower_text().as_bytes());
            (Application::Dns(dns.message.bytes().into()), format!("asked for {asked}"))
        }
        _ => return None,
    })
}

/// An implant's message that came about a period after another one makes the implant active.
fn note_rhythm(
    candidate: &mut Candidate,
    signature: &Signature,
    observation: &Observation<'_>,
    context: &Context<'_>,
    recurrences: &mut Recurrences,
) {
    let Some(period) = signature.period_s else { return };
    let (tenant, asset) = (observation.head.flow.tenant, context.sides.local.address);
    let Some(beacon) = recurrences.note(tenant, asset, &signature.id, observation.head.time, period) else {
        return;
    };
    let message = std::mem::take(&mut candidate.evidence);
    candidate.evidence = format!(
        "every {:.1} s, {} calls from {} to {}: {}",
        beacon.interval_seconds,
        beacon.count,
        beacon.first.clock(),
        beacon.last.clock(),
        message,
    );
    candidate.rung = Some(Rung::Active);
    candidate.beacon = Some(Beacon { unit: unit_of(&candidate.application), ..beacon });
}

/// What comes again and again when this does.
fn unit_of(application: &Application) -> &'static str {
    match application {
        Application::HttpRequest(_) | Application::HttpResponse(_) => "request",
        Application::Dns(_) => "query",
        _ => "connection",
    }
}

/// The name of the buffer that an exchange's conditions read most of.
fn field_of(application: &Application) -> &'static str {
    match application {
        Application::HttpRequest(_) => "http.request",
        Application::HttpResponse(_) => "http.response",
        Application::Tls(_) => "tls.client_hello",
        Application::Quic(_) => "quic.client_hello",
        Application::Certificates(_) => "tls.certificate",
        Application::Dns(_) => "dns.query",
        Application::None => "flow",
    }
}
