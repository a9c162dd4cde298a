//! A finding as EVE's `alert`.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use ring::digest;
use serde::Serialize;

use super::{
    EventOptions,
    dns::DnsObject,
    eve::{ApplicationObject, Event, Note, direction_name, is_false, tenant, tunnel_name},
    http::HttpObject,
    line::{Bounds, Line},
    text::{Hex, Shown, WireText},
    tls::{QuicObject, TlsObject},
};
use crate::{
    asset::Asset,
    decode::Tenant,
    detect::{Application, Beacon, Destination, DnsTunnel, Finding, IndicatorMatch},
    indicator::{Rung, Severity},
    protocol::dns::{Message, type_name},
};

/// Revision of the alerts' form: EVE's `alert.rev`.
const REVISION: u32 = 1;

/// The event of one finding, one line without its end: the source is the asset, the destination is theirs.
pub fn alert(finding: &Finding, options: &EventOptions) -> String {
    Line::default().write(|bounds| event(finding, options, bounds)).to_owned()
}

fn event<'a>(finding: &'a Finding, options: &EventOptions, bounds: Bounds) -> Event<'a> {
    let ends = (finding.local, finding.destination.endpoint);
    let mut event = Event::new("alert", &finding.head, ends, options, bounds);
    event.direction = Some(direction_name(finding.head.direction));
    event.alert = Some(AlertObject::new(finding, bounds));
    (event.app_proto, event.application) = application(&finding.application, bounds);
    if let Application::HttpRequest(request) = &finding.application {
        event.tx_id = Some(request.index.into());
    }
    event.callhome = Note::Finding(Box::new(FindingNote::new(finding, bounds)));
    event
}

/// The message that a finding was made on: EVE's `app_proto` and the object of that name.
fn application(application: &Application, bounds: Bounds) -> (Option<&'static str>, ApplicationObject<'_>) {
    match application {
        Application::None => (None, ApplicationObject::None),
        Application::Dns(bytes) => {
            let object = Message::parse(bytes).map_or(ApplicationObject::None, |message| {
                ApplicationObject::Dns(DnsObject::new(&message, None, bounds))
            });
            (Some("dns"), object)
        }
        Application::Tls(hello) => {
            (Some("tls"), ApplicationObject::Tls(TlsObject::new(Some(hello), None, &[], bounds)))
        }
        Application::Certificates(chain) => {
            (Some("tls"), ApplicationObject::Tls(TlsObject::new(None, None, chain, bounds)))
        }
        Application::Quic(hello) => (Some("quic"), ApplicationObject::Quic(QuicObject::new(hello, bounds))),
        Application::HttpRequest(request) => {
            (Some("http"), ApplicationObject::Http(HttpObject::new(Some(request), None, bounds)))
        }
        Application::HttpResponse(response) => {
            let request = response.request.as_deref();
            (Some("http"), ApplicationObject::Http(HttpObject::new(request, Some(response), bounds)))
        }
    }
}

/// EVE's `alert`.
#[derive(Serialize)]
pub(super) struct AlertObject<'a> {
    action: &'static str,
    gid: u32,
    signature_id: u32,
    rev: u32,
    signature: WireText<'a>,
    category: &'static str,
    severity: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    references: Option<[WireText<'a>; 1]>,
    metadata: Metadata<'a>,
}

/// EVE's `alert.metadata`: every value is a list of strings.
#[derive(Serialize)]
struct Metadata<'a> {
    confidence: [&'static str; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mitre_technique_id: Vec<WireText<'a>>,
    signature_severity: [&'static str; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tag: Vec<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tlp: Option<[&'static str; 1]>,
}

impl<'a> AlertObject<'a> {
    fn new(finding: &'a Finding, bounds: Bounds) -> Self {
        let text = |text: &'a str| WireText { bytes: text.as_bytes(), limit: bounds.text };
        let indicator = finding.indicator.as_ref();
        let tags = bounds.head(indicator.map_or(&[], |indicator| &indicator.tags)).iter().map(|tag| &**tag);
        let reference = finding.indicator.as_ref().and_then(|indicator| indicator.reference.as_deref());
        Self {
            // Nothing is ever blocked.
            action: "allowed",
            gid: 1,
            signature_id: finding.signature_id,
            rev: REVISION,
            signature: text(&finding.title),
            category: category(finding),
            severity: eve_severity(finding.severity),
            references: reference.map(|reference| [text(reference)]),
            metadata: Metadata {
                confidence: [confidence_word(finding.confidence)],
                mitre_technique_id: bounds.head(&finding.mitre).iter().map(|id| text(id)).collect(),
                signature_severity: [severity_word(finding.severity)],
                tag: finding.campaign.as_deref().into_iter().chain(tags).map(text).collect(),
                tlp: indicator.and_then(|indicator| Some([indicator.tlp?.as_str()])),
            },
        }
    }
}

/// One of the categories of Suricata's own classification.
fn category(finding: &Finding) -> &'static str {
    match finding.rung {
        _ if finding.severity <= Severity::Low => "Potentially Bad Traffic",
        Some(rung) if rung >= Rung::LookedUp => "Malware Command and Control Activity Detected",
        _ => "A Network Trojan was detected",
    }
}

/// EVE's severity, of which 1 is the highest.
const fn eve_severity(severity: Severity) -> u8 {
    match severity {
        Severity::Critical | Severity::High => 1,
        Severity::Medium => 2,
        Severity::Low | Severity::Info => 3,
    }
}

/// The word that the large rule sets have for a severity.
const fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::High => "Major",
        Severity::Medium | Severity::Low => "Minor",
        Severity::Info => "Informational",
    }
}

/// The word that the large rule sets have for a confidence.
const fn confidence_word(confidence: u8) -> &'static str {
    match confidence {
        70.. => "High",
        40..70 => "Medium",
        _ => "Low",
    }
}

/// `callhome` of an alert.
#[derive(Serialize)]
pub(super) struct FindingNote<'a> {
    id: String,
    detector: &'static str,
    severity: &'static str,
    confidence: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    rung: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<WireText<'a>>,
    asset: AssetObject<'a>,
    destination: DestinationObject<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    indicator: Option<IndicatorObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beacon: Option<BeaconObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns_tunnel: Option<DnsTunnelObject<'a>>,
    why: Vec<WireText<'a>>,
    #[serde(skip_serializing_if = "is_false")]
    cut: bool,
}

impl<'a> FindingNote<'a> {
    fn new(finding: &'a Finding, bounds: Bounds) -> Self {
        let text = |text: &'a str| WireText { bytes: text.as_bytes(), limit: bounds.text };
        let campaign = finding.campaign.as_deref().map(text);
        let indicator = |found| IndicatorObject::new(found, campaign, bounds);
        Self {
            id: finding_id(finding),
            detector: finding.detector.name(),
            severity: finding.severity.as_str(),
            confidence: finding.confidence,
            rung: finding.rung.map(Rung::as_str),
            campaign,
            asset: AssetObject::new(&finding.asset, bounds),
            destination: DestinationObject::new(&finding.destination, bounds),
            tunnel: finding.head.flow.tunnel.map(|tunnel| tunnel_name(tunnel.kind)),
            indicator: finding.indicator.as_ref().map(indicator),
            beacon: finding.beacon.as_ref().map(BeaconObject::new),
            dns_tunnel: finding.dns_tunnel.as_ref().map(|tunnel| DnsTunnelObject::new(tunnel, bounds)),
            why: bounds.head(&finding.why).iter().map(|why| text(why)).collect(),
            cut: bounds.cut,
        }
    }
}

/// A rhythm in an event.
#[derive(Serialize)]
struct BeaconObject {
    unit: &'static str,
    interval_s: f64,
    jitter: f64,
    count: u64,
    first_seen: String,
    last_seen: String,
    score: f64,
    assets: u32,
}

impl BeaconObject {
    fn new(beacon: &Beacon) -> Self {
        // A thousandth of a second, or of a share, is more than any capture can tell.
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        Self {
            unit: beacon.unit,
            interval_s: rounded(beacon.interval_seconds),
            jitter: rounded(beacon.jitter),
            count: beacon.count,
            first_seen: beacon.first.rfc3339(),
            last_seen: beacon.last.rfc3339(),
            score: rounded(beacon.score),
            assets: beacon.assets,
        }
    }
}

/// What was carried by names, in an event.
#[derive(Serialize)]
struct DnsTunnelObject<'a> {
    domain: WireText<'a>,
    queries: u64,
    distinct_names: u64,
    bytes_out: u64,
    bytes_in: u64,
    record_types: BTreeMap<Cow<'static, str>, u64>,
}

impl<'a> DnsTunnelObject<'a> {
    fn new(tunnel: &'a DnsTunnel, bounds: Bounds) -> Self {
        Self {
            domain: WireText { bytes: tunnel.domain.as_bytes(), limit: bounds.text },
            queries: tunnel.queries,
            distinct_names: tunnel.distinct_names,
            bytes_out: tunnel.bytes_out,
            bytes_in: tunnel.bytes_in,
            record_types: tunnel.record_types.iter().map(|&(kind, count)| (type_name(kind), count)).collect(),
        }
    }
}

/// An asset in an event.
#[derive(Serialize)]
pub(super) struct AssetObject<'a> {
    ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<Shown<Tenant>>,
}

impl<'a> AssetObject<'a> {
    pub(super) fn new(asset: &'a Asset, bounds: Bounds) -> Self {
        let text = |text: &'a str| WireText { bytes: text.as_bytes(), limit: bounds.text };
        Self {
            ip: asset.address,
            label: asset.label.as_deref().map(text),
            group: asset.group.as_deref().map(text),
            tenant: tenant(asset.tenant),
        }
    }
}

/// A destination in an event.
#[derive(Serialize)]
pub(super) struct DestinationObject<'a> {
    ip: IpAddr,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<WireText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_source: Option<&'static str>,
}

impl<'a> DestinationObject<'a> {
    pub(super) fn new(destination: &'a Destination, bounds: Bounds) -> Self {
        let name = destination.name.as_ref();
        Self {
            ip: destination.endpoint.address,
            port: destination.endpoint.port,
            name: name.map(|named| WireText { bytes: named.name.as_bytes(), limit: bounds.text }),
            name_source: name.map(|named| named.source.name()),
        }
    }
}

/// The claim that matched.
#[derive(Serialize)]
struct IndicatorObject<'a> {
    value: WireText<'a>,
    kind: &'static str,
    field: &'static str,
    observed: WireText<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<WireText<'a>>,
    source: WireText<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<WireText<'a>>,
    confidence: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<String>,
    expired: bool,
}

impl<'a> IndicatorObject<'a> {
    fn new(found: &'a IndicatorMatch, campaign: Option<WireText<'a>>, bounds: Bounds) -> Self {
        let text = |text: &'a str| WireText { bytes: text.as_bytes(), limit: bounds.text };
        Self {
            value: text(&found.value),
            kind: found.kind,
            field: found.field,
            observed: text(&found.observed),
            campaign,
            source: text(&found.source),
            reference: found.reference.as_deref().map(text),
            confidence: found.confidence,
            valid_from: found.valid_from.map(|time| time.rfc3339()),
            valid_until: found.valid_until.map(|time| time.rfc3339()),
            expired: found.expired,
        }
    }
}

/// A stable hash of what makes a finding itself, 32 hexadecimal digits.
///
/// It covers who found what, on whom, in which flow and when. The packet's number is left out, because it
/// depends on which other files were read with it.
fn finding_id(finding: &Finding) -> String {
    let indicator = finding.indicator.as_ref();
    let field = |get: fn(&IndicatorMatch) -> &str| indicator.map(get).unwrap_or_default();
    let parts: [&dyn std::fmt::Display; 14] = [
        &finding.detector.name(),
        &finding.signature_id,
        &finding.campaign.as_deref().unwrap_or_default(),
        &finding.asset.tenant,
        &finding.local.address,
        &finding.local.port,
        &finding.destination.endpoint.address,
        &finding.destination.endpoint.port,
        &finding.head.flow.id,
        &finding.head.time.as_nanos(),
        &field(|found| found.kind),
        &field(|found| found.field),
        &field(|found| &found.value),
        &field(|found| &found.observed),
    ];
    let mut hash = digest::Context::new(&digest::SHA256);
    for part in parts {
        let text = part.to_string();
        // The length stands before each part, so that no two lists of parts hash alike.
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let digest = hash.finish();
    Hex { bytes: digest.as_ref().get(..16).unwrap_or_default(), separator: "" }.to_string()
}
