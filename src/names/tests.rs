use super::*;
use crate::{
    decode::{TenantKind, VlanStack},
    flow::{Direction, Endpoint, FiveTuple},
    observation::{FlowIdentity, Head, ObservationBatch, Order},
    protocol::{dns::sample, http, tls::ClientHello},
};

const CLIENT: &str = "10.0.0.1";
const REMOTE: &str = "192.0.2.1";

fn head(second: i64, server: &str, tenant: u64) -> Head {
    let end = |text: &str, port| Endpoint { address: text.parse().unwrap(), port };
    Head {
        order: Order { packet: 1, by_packet: true, due: 0, sequence: 0 },
        time: Timestamp::from_parts(second, 0),
        flow: FlowIdentity {
            id: 1,
            tuple: FiveTuple { client: end(CLIENT, 40_000), server: end(server, 53), protocol: 6 },
            tenant: Tenant { kind: TenantKind::Vni, key: tenant },
            vlan: VlanStack::default(),
            tunnel: None,
        },
        direction: Direction::ToServer,
        relayed: false,
    }
}

/// Names after what the batch holds, and the name of the remote at `second` in tenant 1.
fn learned(fill: impl FnOnce(&mut ObservationBatch)) -> Names {
    let mut batch = ObservationBatch::default();
    fill(&mut batch);
    let mut names = Names::default();
    batch.iter().for_each(|observation| names.learn(&observation, &|_| false));
    names
}

fn name_at(names: &Names, second: i64, tenant: u64) -> Option<(String, NameSource)> {
    let tenant = Tenant { kind: TenantKind::Vni, key: tenant };
    let address = |text: &str| text.parse().unwrap();
    let named = names.name_of(tenant, address(CLIENT), address(REMOTE), Timestamp::from_parts(second, 0))?;
    Some((named.name.to_lower_text(), named.source))
}

fn answer(batch: &mut ObservationBatch, second: i64, service: DnsService) {
    let message = sample::response("Asked.Example", 1, &[192, 0, 2, 1]);
    batch.dns(head(second, "10.0.0.53", 1), &message, service, false);
}

fn sni(batch: &mut ObservationBatch, head: Head, name: &str, ech: bool) {
    let hello = ClientHello { sni: Some(name.into()), ech, ..ClientHello::default() };
    batch.tls_client(head, Arc::new(hello));
}

#[test]
fn an_answer_names_the_address_for_its_ttl_and_an_hour_in_its_tenant() {
    let names = learned(|batch| answer(batch, 100, DnsService::Dns));
    let asked = Some(("asked.example".to_owned(), NameSource::Dns));
    assert_eq!(name_at(&names, 100, 1), asked);
    assert_eq!(name_at(&names, 100 + 300 + 3_600, 1), asked);
    assert_eq!(name_at(&names, 100 + 300 + 3_601, 1), None);
    assert_eq!(name_at(&names, 100, 2), None, "the same address of another tenant is another one");
}

#[test]
fn multicast_answers_name_nothing() {
    for service in [DnsService::Mdns, DnsService::Llmnr] {
        assert!(learned(|batch| answer(batch, 100, service)).is_empty());
    }
}

#[test]
fn what_goes_through_a_proxy_does_not_name_the_proxy() {
    let request = |method: &[u8], target: &[u8]| {
        let host = Some(b"far.example".to_vec());
        Arc::new(http::Request { method: method.into(), target: target.into(), host, ..Default::default() })
    };
    let names = learned(|batch| {
        sni(batch, Head { relayed: true, ..head(1, REMOTE, 1) }, "far.example", false);
        batch.http_request(head(1, REMOTE, 1), request(b"CONNECT", b"far.example:443"));
        batch.http_request(head(1, REMOTE, 1), request(b"GET", b"http://far.example/"));
        batch.http_request(Head { relayed: true, ..head(1, REMOTE, 1) }, request(b"GET", b"/"));
    });
    assert!(names.is_empty());
    let names = learned(|batch| batch.http_request(head(1, REMOTE, 1), request(b"GET", b"/")));
    assert_eq!(name_at(&names, 1, 1), Some(("far.example".to_owned(), NameSource::Host)));
}

#[test]
fn the_outer_name_of_an_encrypted_hello_does_not_replace_the_name_asked_for() {
    let names = learned(|batch| {
        answer(batch, 1, DnsService::Dns);
        sni(batch, head(2, REMOTE, 1), "outer.example", true);
    });
    assert_eq!(name_at(&names, 2, 1), Some(("asked.example".to_owned(), NameSource::Dns)));
    let names = learned(|batch| sni(batch, head(2, REMOTE, 1), "outer.example", true));
    assert_eq!(name_at(&names, 2, 1), Some(("outer.example".to_owned(), NameSource::Sni)));
    let names = learned(|batch| {
        answer(batch, 1, DnsService::Dns);
        sni(batch, head(2, REMOTE, 1), "inner.example", false);
    });
    assert_eq!(name_at(&names, 2, 1), Some(("inner.example".to_owned(), NameSource::Sni)));
}

#[test]
fn the_table_is_bounded() {
    let mut names = Names::with_capacity(2);
    let mut batch = ObservationBatch::default();
    for last in 1..=5 {
        sni(&mut batch, head(1, &format!("192.0.2.{last}"), 1), "a.example", false);
    }
    batch.iter().for_each(|observation| names.learn(&observation, &|_| false));
    assert_eq!((names.len(), names.evicted()), (2, 3));
}
