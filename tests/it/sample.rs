//! Flows, findings and incidents made by hand, for the tests of what comes out.

use std::sync::Arc;

use callhome::{
    asset::Asset,
    decode::{Tenant, TenantKind, Tunnel, TunnelKind, VlanStack},
    detect::{Application, Destination, Detector, Finding, IndicatorMatch, Telling},
    flow::{Direction, Endpoint, FiveTuple},
    incident::{Evidence, EvidenceKind, Incident, RungReached},
    indicator::{Rung, Severity, Tlp},
    names::{NameSource, NamedBy},
    observation::{FlowIdentity, Head, Order},
    time::Timestamp,
};

/// The second of 2026-03-31 00:25:11 UTC.
const START: i64 = 1_774_916_711;

/// A time `seconds` after the start of the sample.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_parts(START + seconds, 123_456_789)
}

/// An end of a flow, written `10.0.0.5:40000` or `[2001:db8::1]:443`.
pub fn end(text: &str) -> Endpoint {
    let end: std::net::SocketAddr = text.parse().unwrap();
    Endpoint { address: end.ip(), port: end.port() }
}

/// Packet `packet` of the flow from `client` to `server`, `packet` seconds after the start.
pub fn head(packet: u64, client: &str, server: &str, protocol: u8, direction: Direction) -> Head {
    let tuple = FiveTuple { client: end(client), server: end(server), protocol };
    Head {
        order: Order { packet, by_packet: true, due: 0, sequence: 0 },
        time: at(packet as i64),
        flow: FlowIdentity {
            id: 4_711 + u64::from(tuple.client.port),
            tuple,
            tenant: Tenant::default(),
            vlan: VlanStack::default(),
            tunnel: None,
        },
        direction,
        relayed: false,
    }
}

/// The same through VXLAN network 7, under the VLANs 12 and 13.
pub fn in_tunnel(mut head: Head) -> Head {
    head.flow.tenant = Tenant { kind: TenantKind::Vni, key: 7 };
    head.flow.vlan.push(12);
    head.flow.vlan.push(13);
    head.flow.tunnel = Some(Tunnel {
        kind: TunnelKind::Vxlan,
        source: "172.31.0.1".parse().unwrap(),
        destination: "172.31.0.2".parse().unwrap(),
        source_port: 50_123,
        destination_port: 4789,
        protocol: 17,
        depth: 1,
    });
    head
}

/// A labelled machine of ours.
pub fn asset(address: &str, label: Option<&str>) -> Asset {
    Asset {
        address: address.parse().unwrap(),
        tenant: Tenant::default(),
        label: label.map(Arc::from),
        group: label.map(|_| "ci".into()),
    }
}

/// Theirs, with the name that led there.
pub fn destination(end_text: &str, name: Option<(&str, NameSource)>) -> Destination {
    let name = name.map(|(name, source)| NamedBy { name: name.into(), source });
    Destination { endpoint: end(end_text), name }
}

/// A finding on a TCP connection.
pub fn finding(application: Application) -> Finding {
    Finding {
        detector: Detector::Indicator,
        signature_id: 9_100_001,
        title: "Contact with a host of the example campaign".into(),
        severity: Severity::Critical,
        confidence: 95,
        rung: Some(Rung::Contacted),
        campaign: Some("example-2026-03".into()),
        campaign_title: Some("An example campaign".into()),
        beacon: None,
        dns_tunnel: None,
        mitre: vec!["T1195.002".into(), "T1071.001".into()],
        head: head(7, "10.1.2.3:40000", "192.0.2.66:8000", 6, Direction::ToServer),
        asset: asset("10.1.2.3", Some("runner-a")),
        local: end("10.1.2.3:40000"),
        destination: destination("192.0.2.66:8000", Some(("c2.example.net", NameSource::Dns))),
        indicator: Some(IndicatorMatch {
            value: "c2.example.net".into(),
            kind: "domain",
            field: "http.host",
            observed: "C2.example.net".into(),
            source: "made-up".into(),
            reference: Some("https://example.org/advisory".into()),
            confidence: 90,
            valid_from: Some(at(-86_400)),
            valid_until: None,
            expired: false,
            tlp: Some(Tlp::Green),
            tags: vec!["c2".into()],
        }),
        application,
        why: vec!["The host is named by the campaign's own code.".into(), "Nobody else uses it.".into()],
        telling: Telling::Alert,
    }
}

/// One rung with one line of evidence.
pub fn rung(rung: Rung, first: i64, last: i64, count: u64, text: &str) -> RungReached {
    let evidence = vec![Evidence {
        time: at(first),
        packet: first as u64 + 100,
        text: text.into(),
        kind: EvidenceKind::Event,
    }];
    RungReached { rung, first: at(first), last: at(last), count, evidence }
}

/// An incident that went all the way.
pub fn incident() -> Incident {
    let rungs = vec![
        rung(Rung::Exposed, 0, 0, 1, "registry.example was asked for pkg-1.2.3.tgz"),
        rung(Rung::LookedUp, 2, 902, 3, "DNS: c2.example.net resolved to 192.0.2.66"),
        rung(Rung::Contacted, 3, 903, 16, "HTTP: POST http://c2.example.net:8000/6202033, answered 200"),
        rung(Rung::Executed, 4, 4, 1, "the second stage was downloaded: 18 344 bytes"),
        rung(Rung::Active, 64, 903, 14, "a request every 60 s, 14 times"),
    ];
    Incident {
        id: "0011aabb".into(),
        asset: asset("10.1.2.3", Some("runner-a")),
        campaign: "example-2026-03".into(),
        title: "Poisoned package of the example campaign".into(),
        severity: Severity::Critical,
        confidence: 95,
        first: at(0),
        last: at(903),
        findings: 35,
        rungs,
        destinations: vec![
            destination("192.0.2.66:8000", Some(("c2.example.net", NameSource::Dns))),
            destination("[2001:db8::66]:443", None),
        ],
        unseen: vec!["DNS over TLS to 192.0.2.53 hides which names this machine asked for.".into()],
    }
}
