use super::*;
use crate::{
    asset::Asset,
    decode::VlanStack,
    flow::{Direction, Endpoint, FiveTuple},
    incident::RungReached,
    indicator::Severity,
    observation::{FlowEnd, FlowIdentity, Head, ObservationBatch, Order, SideTotals},
    protocol::{dns::sample, tls},
};

fn head(client: &str, server: &str) -> Head {
    let end = |text: &str| {
        let end: std::net::SocketAddr = text.parse().unwrap();
        Endpoint { address: end.ip(), port: end.port() }
    };
    Head {
        order: Order { packet: 1, by_packet: true, due: 0, sequence: 0 },
        time: Timestamp::from_parts(100, 0),
        flow: FlowIdentity {
            id: 1,
            tuple: FiveTuple { client: end(client), server: end(server), protocol: 6 },
            tenant: Tenant::default(),
            vlan: VlanStack::default(),
            tunnel: None,
        },
        direction: Direction::ToServer,
        relayed: false,
    }
}

fn closed(to_server: u64, to_client: u64, state: TcpState, opened: FirstPacket, gap: u64) -> FlowClosed {
    let side = |packets| SideTotals { packets, ..SideTotals::default() };
    FlowClosed {
        first: Timestamp::default(),
        last: Timestamp::default(),
        opened,
        to_server: side(to_server),
        to_client: side(to_client),
        state,
        end: FlowEnd::Fin,
        app_protocol: "",
        gap_bytes: [gap, 0],
        data_after_reset: false,
    }
}

/// What could not be seen of 10.0.0.1, which is active, after what the batch holds.
fn unseen(end: Option<i64>, fill: impl FnOnce(&mut ObservationBatch)) -> Vec<String> {
    let (mut batch, mut visibility) = (ObservationBatch::default(), Visibility::default());
    fill(&mut batch);
    for observation in batch.iter() {
        let is_registry = matches!(&observation.seen, Seen::TlsClient(hello)
            if hello.sni.as_deref().is_some_and(|name| name.ends_with(b"registry.example")));
        visibility.observe(&observation, &Assets::default(), is_registry);
    }
    let (address, tenant) = ("10.0.0.1".parse().unwrap(), Tenant::default());
    let time = Timestamp::from_parts(100, 0);
    let incident = Incident {
        id: String::new(),
        asset: Asset { address, tenant, label: None, group: None },
        campaign: "c".into(),
        title: "t".into(),
        severity: Severity::High,
        confidence: 90,
        first: time,
        last: time,
        findings: 1,
        rungs: vec![RungReached { rung: Rung::Active, first: time, last: time, count: 1, evidence: vec![] }],
        destinations: Vec::new(),
        unseen: Vec::new(),
    };
    visibility.unseen(&incident, end.map(|second| Timestamp::from_parts(second, 0)))
}

const OURS: &str = "10.0.0.1:40000";
const THEIRS: &str = "192.0.2.1:443";

fn asked(batch: &mut ObservationBatch) {
    batch.dns(head(OURS, "10.0.0.53:53"), &sample::query("a.example", 1), DnsService::Dns, false);
}

#[test]
fn one_is_told_as_one() {
    let told = unseen(None, |batch| {
        let hello =
            tls::ClientHello { sni: Some(b"registry.example".to_vec()), ech: true, ..Default::default() };
        asked(batch);
        batch.tls_client(head(OURS, THEIRS), hello.into());
        let one = closed(3, 3, TcpState::Closed, FirstPacket::Midstream, 1);
        batch.flow_closed(head(OURS, THEIRS), one);
        let answer = sample::response("a.example", 1, &[1, 2, 3, 4]);
        batch.dns(head("10.0.0.9:4000", "10.0.0.1:53"), &answer, DnsService::Dns, false);
    });
    let beginnings = [
        "it answered 1 DNS question: it is a resolver",
        "1 of its connections went to package registries, encrypted",
        "1 of its connections began before",
        "1 byte of its connections is missing",
        "1 of its TLS hellos offered",
    ];
    assert_eq!(told.len(), beginnings.len(), "{told:#?}");
    for (line, beginning) in told.iter().zip(beginnings) {
        assert!(line.starts_with(beginning), "{line}");
    }
}

#[test]
fn the_end_of_the_capture_is_named_at_the_end_only() {
    assert_eq!(unseen(None, asked), Vec::<String>::new());
    assert!(unseen(Some(160), asked)[0].starts_with("the capture ends 60 s after"));
}

#[test]
fn answers_without_questions_are_told_apart_from_no_dns() {
    let only_answers = unseen(None, |batch| {
        let answer = sample::response("a.example", 1, &[1, 2, 3, 4]);
        batch.dns(head(OURS, "10.0.0.53:53"), &answer, DnsService::Dns, false);
    });
    assert_eq!(only_answers, ["no DNS question of it was captured, only answers"]);
    let none = unseen(None, |batch| {
        let whole = closed(3, 3, TcpState::Closed, FirstPacket::Syn, 0);
        batch.flow_closed(head(OURS, THEIRS), whole);
    });
    assert_eq!(none, ["no DNS question of it was captured: names come from Host and SNI only"]);
}

#[test]
fn one_side_only_is_seen_beside_connections_without_an_answer() {
    let told = |flows: &[(u64, u64, TcpState)]| {
        unseen(None, |batch| {
            asked(batch);
            for (sent, received, state) in flows {
                let flow = closed(*sent, *received, *state, FirstPacket::Syn, 0);
                batch.flow_closed(head(OURS, THEIRS), flow);
            }
        })
    };
    use TcpState::{Closed, Established, SynSent};
    assert!(told(&[(4, 0, Established), (1, 0, SynSent)])[0].starts_with("only what it sent was captured"));
    assert!(told(&[(0, 4, Established)])[0].starts_with("only what it received was captured"));
    assert_eq!(
        told(&[(4, 0, Established), (4, 4, Closed)]),
        ["of 1 of its 2 connections one direction only was captured"]
    );
    assert!(told(&[(1, 0, SynSent)]).is_empty(), "nobody answered, and that was seen");
}
