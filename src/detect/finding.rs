//! What a detector utters.

use std::sync::Arc;

use crate::{
    asset::Asset,
    flow::Endpoint,
    indicator::{Rung, Severity, Tlp},
    names::NamedBy,
    observation::Head,
    protocol::{http, quic, tls},
    time::Timestamp,
};

/// The detectors; a closed set, because it is a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detector {
    /// A single indicator: a name, an address, a fingerprint ...
    Indicator,
    /// A composite signature over one exchange or flow.
    Signature,
    /// Data carried by names and answers of DNS.
    DnsTunnel,
    /// Domains made up by an algorithm.
    Dga,
    /// Questions past the resolver, and where they cannot be read.
    Resolver,
}

impl Detector {
    /// The detector's name in events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Indicator => "indicator",
            Self::Signature => "signature",
            Self::DnsTunnel => "dns_tunnel",
            Self::Dga => "dga",
            Self::Resolver => "resolver",
        }
    }
}

/// Something that a detector found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Who found it.
    pub detector: Detector,
    /// EVE's `signature_id`: fixed for each detector and kind of indicator.
    pub signature_id: u32,
    /// One line that names it: EVE's `alert.signature`.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// How sure, 0 to 100.
    pub confidence: u8,
    /// How far the asset came by this finding.
    pub rung: Option<Rung>,
    /// The campaign's id.
    pub campaign: Option<Arc<str>>,
    /// The campaign's title for a person.
    pub campaign_title: Option<Arc<str>>,
    /// MITRE ATT&CK technique ids.
    pub mitre: Vec<Arc<str>>,
    /// The observation that completed it: time, flow, packet.
    pub head: Head,
    /// Ours.
    pub asset: Asset,
    /// The asset's end of the flow.
    pub local: Endpoint,
    /// Theirs.
    pub destination: Destination,
    /// The indicator that matched.
    pub indicator: Option<IndicatorMatch>,
    /// The application message that it was seen in.
    pub application: Application,
    /// The rhythm of what was seen again and again.
    pub beacon: Option<Beacon>,
    /// What was carried by names.
    pub dns_tunnel: Option<DnsTunnel>,
    /// Reasons in order of weight, one short sentence each.
    pub why: Vec<String>,
    /// How it is told.
    pub telling: Telling,
}

/// How a finding is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// As an alert, and in its incident.
    Alert,
    /// Beyond [`crate::limits::ALERTS_PER_HOUR`]: it counts in its incident and is not told by itself.
    Counted,
    /// How something ended that was told before: a line of its incident's evidence, and nothing more.
    Noted,
}

impl Finding {
    /// The reason of most weight: the line that an incident shows for it.
    pub fn evidence(&self) -> &str {
        self.why.first().unwrap_or(&self.title)
    }
}

/// Something that came again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct Beacon {
    /// What came: `request`, `connection`, `query`, later also `burst`.
    pub unit: &'static str,
    /// The median gap in seconds.
    pub interval_seconds: f64,
    /// Half the spread of the middle gaps over the median gap; 0 for a clock.
    pub jitter: f64,
    /// How many were seen.
    pub count: u64,
    /// The first.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// 0 to 1: how sure the rhythm is; 1 where a signature names each of them.
    pub score: f64,
    /// Assets that share it.
    pub assets: u32,
}

/// Traffic of one asset with one domain, as a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsTunnel {
    /// The registered domain; `.` where the last labels of the names are data.
    pub domain: Arc<str>,
    /// Questions.
    pub queries: u64,
    /// Names that were never asked for before.
    pub distinct_names: u64,
    /// Bytes of the labels below the domain.
    pub bytes_out: u64,
    /// Bytes of the records in answers.
    pub bytes_in: u64,
    /// How often each record type was asked for, the most frequent first.
    pub record_types: Vec<(u16, u64)>,
    /// Whether the server that was asked is none of the asset's resolvers.
    pub past_resolver: bool,
}

/// The other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Address and port.
    pub endpoint: Endpoint,
    /// The name that led there, when known.
    pub name: Option<NamedBy>,
}

/// The claim that matched and what it matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndicatorMatch {
    /// The indicator's value in normal form; a signature's id.
    pub value: Arc<str>,
    /// Its kind: `domain`, `ip`, `cidr`, `ip:port`, `url`, `path`, `user_agent`, `ja3`, `ja4`, `certificate`, `signature`.
    pub kind: &'static str,
    /// What was compared: `dns.query`, `dns.answer`, `tls.sni`, `http.host`, `flow.remote` ...
    pub field: &'static str,
    /// What stood there, bounded.
    pub observed: String,
    /// Who says so, joined by commas.
    pub source: Arc<str>,
    /// Where to read more.
    pub reference: Option<Arc<str>>,
    /// The claim's own confidence.
    pub confidence: u8,
    /// Start of the claim's validity.
    pub valid_from: Option<Timestamp>,
    /// End of the claim's validity.
    pub valid_until: Option<Timestamp>,
    /// Whether the packet lies outside that validity (reported only with `--as-of any`).
    pub expired: bool,
    /// With whom it may be shared: the strictest that any of the sources says.
    pub tlp: Option<Tlp>,
    /// The words that the source gave it.
    pub tags: Vec<Arc<str>>,
}

/// The application message in which something was found, shared with the observation.
#[derive(Clone, Debug, Default)]
pub enum Application {
    /// None, or not known.
    #[default]
    None,
    /// A DNS message, its bytes.
    Dns(Arc<[u8]>),
    /// A TLS client's hello.
    Tls(Arc<tls::ClientHello>),
    /// A TLS server's certificates.
    Certificates(Arc<[tls::Certificate]>),
    /// A QUIC client's hello.
    Quic(Arc<quic::QuicHello>),
    /// An HTTP request.
    HttpRequest(Arc<http::Request>),
    /// An HTTP response with its request.
    HttpResponse(Arc<http::Response>),
}
