use super::*;
use crate::{
    asset::Asset,
    decode::{TenantKind, VlanStack},
    detect::{Beacon, Detector},
    flow::{Direction, Endpoint, FiveTuple},
    indicator::Severity,
    observation::{FlowIdentity, Head, Order},
};

const HOUR: i64 = 3600;

fn finding(second: i64, asset: u8, tenant: u64, rung: Option<Rung>) -> Finding {
    let end = |last: u8, port| Endpoint { address: [10, 0, 0, last].into(), port };
    let tuple = FiveTuple { client: end(asset, 40_000), server: end(200, 8_000), protocol: 6 };
    let tenant = Tenant { kind: TenantKind::Vni, key: tenant };
    Finding {
        detector: Detector::Signature,
        signature_id: 1,
        title: "title".into(),
        severity: Severity::High,
        confidence: 90,
        rung,
        campaign: Some("campaign".into()),
        campaign_title: Some("A campaign".into()),
        mitre: Vec::new(),
        head: Head {
            order: Order { packet: second as u64, by_packet: true, due: 0, sequence: 0 },
            time: Timestamp::from_parts(second, 0),
            flow: FlowIdentity { id: 1, tuple, tenant, vlan: VlanStack::default(), tunnel: None },
            direction: Direction::ToServer,
            relayed: false,
        },
        asset: Asset { address: tuple.client.address, tenant, label: None, group: None },
        local: tuple.client,
        destination: Destination { endpoint: tuple.server, name: None },
        indicator: None,
        application: Application::None,
        beacon: None,
        dns_tunnel: None,
        why: vec![format!("at {second}")],
        telling: Telling::Alert,
    }
}

/// What became of incidents: the change, the asset's last byte, the verdict.
fn changes(incidents: &mut Incidents, findings: &[Finding]) -> Vec<String> {
    let mut told = Vec::new();
    for finding in findings {
        let mut tell = |incident: &Incident, change: Change| {
            told.push(format!("{} {} {:?}", change.name(), incident.asset.address, incident.verdict()));
        };
        incidents.advance(finding.head.time, &mut |incident| tell(incident, Change::Close));
        incidents.take(finding, &mut tell);
    }
    told
}

#[test]
fn an_incident_opens_rises_and_closes() {
    let mut incidents = Incidents::default();
    let told = changes(
        &mut incidents,
        &[
            finding(1, 1, 0, Some(Rung::LookedUp)),
            finding(2, 1, 0, Some(Rung::Contacted)),
            finding(3, 1, 0, Some(Rung::Attempted)),
            finding(4, 1, 0, None),
        ],
    );
    assert_eq!(told, ["create 10.0.0.1 LookedUp", "update 10.0.0.1 Contacted"]);
    let all = incidents.finish();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].findings, all[0].last), (3, Timestamp::from_parts(3, 0)));
    let rungs: Vec<_> = all[0].rungs.iter().map(|reached| reached.rung).collect();
    assert_eq!(rungs, [Rung::LookedUp, Rung::Attempted, Rung::Contacted]);
    assert!(incidents.finish().is_empty());
}

#[test]
fn the_same_address_of_another_tenant_is_another_asset() {
    let mut incidents = Incidents::default();
    changes(
        &mut incidents,
        &[finding(1, 1, 1, Some(Rung::LookedUp)), finding(1, 1, 2, Some(Rung::Contacted))],
    );
    let all = incidents.finish();
    assert_eq!(all.len(), 2);
    assert_ne!(all[0].id, all[1].id);
    assert_eq!(all.iter().map(|incident| incident.findings).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_day_without_evidence_closes_it_to_the_second() {
    let looked_up = |second| finding(second, 1, 0, Some(Rung::LookedUp));
    let other = |second| finding(second, 2, 0, None);
    // Others keep the sweep busy just before the day is over.
    for (again, told) in [(24 * HOUR, 1), (24 * HOUR + 1, 3)] {
        let mut incidents = Incidents::default();
        let told_now = changes(&mut incidents, &[looked_up(0), other(24 * HOUR - 60), looked_up(again)]);
        assert_eq!(told_now.len(), told, "{told_now:?}");
        assert_eq!(incidents.opened(), if told == 1 { 1 } else { 2 });
    }
    // Nothing but time need go by.
    let mut incidents = Incidents::default();
    let told = changes(&mut incidents, &[looked_up(0), other(26 * HOUR)]);
    assert_eq!(told, ["create 10.0.0.1 LookedUp", "close 10.0.0.1 LookedUp"]);
}

#[test]
fn a_full_table_closes_whom_it_puts_out() {
    let mut incidents = Incidents { open: BoundedMap::new(2), ..Incidents::default() };
    let findings: Vec<_> = (1..=3).map(|asset| finding(1, asset, 0, Some(Rung::LookedUp))).collect();
    let told = changes(&mut incidents, &findings);
    assert_eq!(told[2..], ["close 10.0.0.1 LookedUp", "create 10.0.0.3 LookedUp"]);
    assert_eq!(incidents.evicted(), 1);
}

#[test]
fn evidence_is_bounded_and_a_rhythm_always_has_its_line() {
    let mut incidents = Incidents::default();
    let mut findings: Vec<_> = (0..50).map(|second| finding(second, 1, 0, Some(Rung::Active))).collect();
    for second in [100, 160] {
        let beacon = Beacon {
            unit: "request",
            interval_seconds: 60.0,
            jitter: 0.0,
            count: 2,
            first: Timestamp::default(),
            last: Timestamp::default(),
            score: 1.0,
            assets: 1,
        };
        findings.push(Finding { beacon: Some(beacon), ..finding(second, 1, 0, Some(Rung::Active)) });
    }
    changes(&mut incidents, &findings);
    let all = incidents.finish();
    let lines = &all[0].rungs[0].evidence;
    assert_eq!(lines.len(), limits::EVIDENCE_LINES + 1);
    assert_eq!(lines.last().unwrap().text, "at 160");
    assert_eq!(all[0].rungs[0].count, 52);
}
