//! Alerts, incidents and counters as lines of JSON.

use std::sync::Arc;

use callhome::{
    detect::Application,
    event::{EventOptions, IncidentAction, alert, incident, stats},
    flow::Direction,
    indicator::{Rung, Severity},
    limits::EVENT_BYTES,
    protocol::{http, quic, tls},
};
use serde_json::json;

use crate::{
    records::{dns_query, dns_response},
    sample::{self, at},
    schema::assert_valid,
};

fn request() -> http::Request {
    http::Request {
        index: 2,
        method: b"POST".to_vec(),
        target: b"/6202033".to_vec(),
        version: b"HTTP/1.1".to_vec(),
        host: Some(b"C2.example.net:8000".to_vec()),
        user_agent: Some(b"agent \xff \x1b[31m \xe2\x80\xae".to_vec()),
        ..http::Request::default()
    }
}

#[test]
fn an_alert_has_the_asset_as_its_source_and_everything_that_is_known() {
    let finding = sample::finding(Application::HttpRequest(Arc::new(request())));
    let line = alert(&finding, &EventOptions::default());
    let event = assert_valid(&line);
    assert!(
        line.starts_with(concat!(
            r#"{"timestamp":"2026-03-31T00:25:18.123456+0000","flow_id":44711,"pcap_cnt":7,"event_type":"alert","#,
            r#""src_ip":"10.1.2.3","src_port":40000,"dest_ip":"192.0.2.66","dest_port":8000,"proto":"TCP","ip_v":4,"#,
            r#""community_id":"1:"#
        )),
        "{line}"
    );
    assert_eq!(event["app_proto"], "http");
    assert_eq!(event["tx_id"], 2);
    assert_eq!(event["direction"], "to_server");
    assert_eq!(
        event["alert"],
        json!({
            "action": "allowed", "gid": 1, "signature_id": 9_100_001, "rev": 1,
            "signature": "Contact with a host of the example campaign",
            "category": "Malware Command and Control Activity Detected", "severity": 1,
            "references": ["https://example.org/advisory"],
            "metadata": {
                "confidence": ["High"], "mitre_technique_id": ["T1195.002", "T1071.001"],
                "signature_severity": ["Critical"], "tag": ["example-2026-03", "c2"], "tlp": ["green"],
            },
        })
    );
    assert_eq!(
        event["http"],
        json!({
            "hostname": "C2.example.net", "http_port": 8000, "url": "/6202033",
            "http_user_agent": "agent \\xff \\u{1b}[31m \\u{202e}", "http_method": "POST", "protocol": "HTTP/1.1",
        })
    );
    let mut callhome = event["callhome"].clone();
    let id = callhome.as_object_mut().unwrap().remove("id").unwrap();
    assert_eq!(id.as_str().unwrap().len(), 32);
    assert_eq!(
        callhome,
        json!({
            "detector": "indicator", "severity": "critical", "confidence": 95, "rung": "contacted",
            "campaign": "example-2026-03",
            "asset": {"ip": "10.1.2.3", "label": "runner-a", "group": "ci"},
            "destination": {"ip": "192.0.2.66", "port": 8000, "name": "c2.example.net", "name_source": "dns"},
            "indicator": {
                "value": "c2.example.net", "kind": "domain", "field": "http.host", "observed": "C2.example.net",
                "campaign": "example-2026-03", "source": "made-up", "reference": "https://example.org/advisory",
                "confidence": 90, "valid_from": "2026-03-30T00:25:11.123456Z", "expired": false,
            },
            "why": ["The host is named by the campaign's own code.", "Nobody else uses it."],
        })
    );
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut finding = sample::finding(Application::None);
    finding.indicator = None;
    finding.campaign = None;
    finding.rung = None;
    finding.mitre.clear();
    finding.asset = sample::asset("10.1.2.3", None);
    finding.destination.name = None;
    let line = alert(&finding, &EventOptions { community_id_seed: None });
    let event = assert_valid(&line);
    for absent in ["community_id", "vlan", "tunnel", "app_proto", "tx_id", "http", "null"] {
        assert!(!line.contains(absent), "{absent} in {line}");
    }
    assert_eq!(event["callhome"]["asset"], json!({"ip": "10.1.2.3"}));
}

#[test]
fn tunnel_tenant_and_vlan_are_told() {
    let mut finding = sample::finding(Application::None);
    finding.head = sample::in_tunnel(finding.head);
    finding.asset.tenant = finding.head.flow.tenant;
    let event = assert_valid(&alert(&finding, &EventOptions::default()));
    assert_eq!(event["vlan"], json!([12, 13]));
    assert_eq!(event["tunnel"]["dest_port"], 4789);
    assert_eq!(event["tunnel"]["proto"], "UDP");
    assert_eq!(event["callhome"]["tunnel"], "vxlan");
    assert_eq!(event["callhome"]["asset"]["tenant"], "vni:7");
}

#[test]
fn an_asset_that_was_called_is_the_source_all_the_same() {
    let mut finding = sample::finding(Application::None);
    finding.head = sample::head(9, "192.0.2.66:8000", "10.1.2.3:22", 6, Direction::ToClient);
    finding.local = sample::end("10.1.2.3:22");
    let event = assert_valid(&alert(&finding, &EventOptions::default()));
    assert_eq!((&event["src_ip"], &event["src_port"]), (&json!("10.1.2.3"), &json!(22)));
    assert_eq!(event["direction"], "to_client");
}

#[test]
fn icmp_has_types_in_place_of_ports() {
    let mut finding = sample::finding(Application::None);
    finding.head = sample::head(9, "[fe80::1]:128", "[fe80::2]:129", 58, Direction::ToServer);
    finding.local = sample::end("[fe80::1]:128");
    finding.destination = sample::destination("[fe80::2]:129", None);
    let event = assert_valid(&alert(&finding, &EventOptions::default()));
    assert_eq!(event["proto"], "IPv6-ICMP");
    assert_eq!(
        (&event["icmp_type"], &event["icmp_code"], &event["ip_v"]),
        (&json!(128), &json!(0), &json!(6))
    );
    assert!(event.get("src_port").is_none() && event.get("dest_port").is_none());
}

#[test]
fn every_kind_of_message_has_its_object() {
    let hello = tls::ClientHello {
        sni: Some(b"c2.example.net".to_vec()),
        alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        fingerprints: tls::Fingerprints::known(
            String::new(),
            "0123456789abcdef0123456789abcdef".into(),
            "t13d1516h2_8daaf6152771_e5627efa2ab1".into(),
        ),
        ..tls::ClientHello::default()
    };
    let quic = quic::QuicHello { version: 1, hello: hello.clone() };
    let chain: Arc<[tls::Certificate]> = Arc::new([tls::Certificate {
        serial: "0a1b".into(),
        subject: "CN=c2.example.net".into(),
        issuer: "CN=c2.example.net".into(),
        names: vec!["c2.example.net".into()],
        not_after: 253_402_300_799,
        ..tls::Certificate::default()
    }]);
    let response = http::Response {
        request: Some(Arc::new(request())),
        status: 302,
        location: Some(b"http://192.0.2.9/".to_vec()),
        content_type: Some(b"text/html; charset=x".to_vec()),
        body_length: 12,
        ..http::Response::default()
    };
    let cases = [
        ("dns", Application::Dns(dns_query(7, b"\x02c2\x07example\x03net\0", 1).into())),
        ("dns", Application::Dns(dns_response(7).into())),
        ("tls", Application::Tls(Arc::new(hello))),
        ("tls", Application::Certificates(chain)),
        ("quic", Application::Quic(Arc::new(quic))),
        ("http", Application::HttpResponse(Arc::new(response))),
    ];
    for (name, application) in cases {
        let event = assert_valid(&alert(&sample::finding(application), &EventOptions::default()));
        assert_eq!(event["app_proto"], name);
        assert!(event[name].is_object(), "{event:#}");
    }
}

#[test]
fn severities_have_eves_numbers_and_categories() {
    let cases = [
        (Severity::Critical, Some(Rung::Active), 1, "Malware Command and Control Activity Detected"),
        (Severity::High, Some(Rung::Exposed), 1, "A Network Trojan was detected"),
        (Severity::Medium, Some(Rung::LookedUp), 2, "Malware Command and Control Activity Detected"),
        (Severity::Low, Some(Rung::Contacted), 3, "Potentially Bad Traffic"),
        (Severity::Info, None, 3, "Potentially Bad Traffic"),
    ];
    for (severity, rung, number, category) in cases {
        let mut finding = sample::finding(Application::None);
        (finding.severity, finding.rung) = (severity, rung);
        let event = assert_valid(&alert(&finding, &EventOptions::default()));
        assert_eq!(
            (&event["alert"]["severity"], &event["alert"]["category"]),
            (&json!(number), &json!(category))
        );
    }
}

#[test]
fn a_findings_id_is_its_own() {
    let id = |finding: &_| {
        let event = assert_valid(&alert(finding, &EventOptions::default()));
        event["callhome"]["id"].as_str().unwrap().to_owned()
    };
    let finding = sample::finding(Application::None);
    assert_eq!(id(&finding), id(&finding.clone()));

    let mut elsewhere = finding.clone();
    elsewhere.head.order.packet = 99;
    assert_eq!(id(&finding), id(&elsewhere), "another file beside it moves the packet's number");

    let mut later = finding.clone();
    later.head.time = at(8);
    let mut other = finding.clone();
    other.indicator.as_mut().unwrap().observed = "c2.example.net".into();
    assert_ne!(id(&finding), id(&later));
    assert_ne!(id(&finding), id(&other));
}

#[test]
fn an_incident_tells_the_whole_ladder() {
    let line = incident(&sample::incident(), IncidentAction::Close, at(903));
    let event = assert_valid(&line);
    assert_eq!(event["timestamp"], "2026-03-31T00:40:14.123456+0000");
    let incident = &event["incident"];
    assert_eq!((&incident["verdict"], &incident["action"]), (&json!("active"), &json!("close")));
    let rungs: Vec<_> = incident["rungs"].as_array().unwrap().iter().map(|rung| &rung["rung"]).collect();
    assert_eq!(rungs, ["exposed", "looked_up", "contacted", "executed", "active"]);
    assert_eq!(
        incident["rungs"][1],
        json!({
            "rung": "looked_up", "first": "2026-03-31T00:25:13.123456Z", "last": "2026-03-31T00:40:13.123456Z",
            "count": 3,
            "evidence": [{
                "time": "2026-03-31T00:25:13.123456Z", "pcap_cnt": 102,
                "text": "DNS: c2.example.net resolved to 192.0.2.66",
            }],
        })
    );
    assert_eq!(incident["destinations"][1], json!({"ip": "2001:db8::66", "port": 443}));
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "a\u{202e}b\x1b]0;title\x07\"}\r\n{\"event_type\":\"alert\"\u{2028}\u{200b}\u{e0041}";
    let mut finding = sample::finding(Application::None);
    finding.title = hostile.into();
    finding.why = vec![hostile.into()];
    finding.asset.label = Some(hostile.into());
    finding.destination.name.as_mut().unwrap().name = hostile.into();
    finding.indicator.as_mut().unwrap().observed = hostile.into();
    let event = assert_valid(&alert(&finding, &EventOptions::default()));
    let safe = "a\\u{202e}b\\u{1b}]0;title\\u{7}\"}\\u{d}\\u{a}{\"event_type\":\"alert\"\\u{2028}\\u{200b}\\u{e0041}";
    assert_eq!(event["callhome"]["why"][0], safe);

    let mut incident_of = sample::incident();
    incident_of.title = hostile.into();
    incident_of.unseen = vec![hostile.into()];
    incident_of.rungs[0].evidence[0].text = hostile.into();
    let event = assert_valid(&incident(&incident_of, IncidentAction::Update, at(1)));
    assert_eq!(event["incident"]["rungs"][0]["evidence"][0]["text"], safe);
}

#[test]
fn an_event_that_is_too_long_is_shortened_and_says_so() {
    // Backslashes and quotes double in JSON: the worst that a text can do.
    let long: Arc<str> = "\\\"".repeat(2000).into();
    let mut finding = sample::finding(Application::None);
    finding.why = vec![long.to_string(); 1000];
    finding.mitre = vec![long.clone(); 1000];
    finding.title = long.to_string();
    let event = assert_valid(&alert(&finding, &EventOptions::default()));
    assert_eq!(event["callhome"]["cut"], true);
    assert_eq!(event["callhome"]["destination"]["ip"], "192.0.2.66");

    let mut whole = sample::incident();
    let evidence = whole.rungs[0].evidence[0].clone();
    for rung in &mut whole.rungs {
        rung.evidence = vec![evidence.clone(); 100];
        rung.evidence.iter_mut().for_each(|line| line.text = long.to_string());
    }
    whole.unseen = vec![long.to_string(); 100];
    whole.destinations = vec![whole.destinations[0].clone(); 1000];
    let line = incident(&whole, IncidentAction::Create, at(1));
    let event = assert_valid(&line);
    assert_eq!(event["incident"]["cut"], true);
    assert_eq!(event["incident"]["rungs"].as_array().unwrap().len(), 5, "no rung is left out");

    // One that is just long enough keeps everything.
    let mut finding = sample::finding(Application::None);
    finding.why = vec!["x".repeat(2000); 30];
    let line = alert(&finding, &EventOptions::default());
    assert!(line.len() > 60_000 && line.len() <= EVENT_BYTES);
    assert!(assert_valid(&line)["callhome"].get("cut").is_none());
}

#[test]
fn counters_nest() {
    let event = assert_valid(&stats(at(0), &[("decoder.pkts", 3), ("decoder.ipv4", 2), ("flow.total", 1)]));
    assert_eq!(event["stats"], json!({"decoder": {"pkts": 3, "ipv4": 2}, "flow": {"total": 1}}));
}
