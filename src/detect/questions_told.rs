//! What is said of names and resolvers: findings with their words.

use std::{net::IpAddr, sync::Arc};

use super::{
    dga::Generated,
    dns_tunnel::Tunnel,
    finding::{Application, Destination, Detector, DnsTunnel, Finding, Telling},
    questions::DnsMessage,
    resolvers::Standing,
    sentence,
};
use crate::{
    asset::Assets,
    decode::{Tenant, VlanStack},
    flow::{Direction, Endpoint, FiveTuple, FlowKey},
    indicator::{Knowledge, Rung, Severity},
    names::{Named, NamedBy},
    observation::{FlowIdentity, Head, Order, dns_flow_id},
    protocol::dns::{NameBuf, type_name},
    time::Timestamp,
};

/// EVE's `signature_id` of tunnels, of generated domains, of questions past the resolver, of encrypted DNS.
const TUNNEL: u32 = 9_200_300;
const GENERATED: u32 = 9_200_310;
const PAST_RESOLVER: u32 = 9_200_320;
const ENCRYPTED: u32 = 9_200_321;

/// IP protocol numbers.
const TCP: u8 = 6;
pub const UDP: u8 = 17;

/// A tunnel.
pub fn tunnel(tunnel: Tunnel<'_>, assets: &Assets) -> Finding {
    let domain: Arc<str> = tunnel.domain.to_lower_text().into();
    let said = sentence::quoted(domain.as_bytes());
    let title = match tunnel.tool {
        Some(tool) => format!("DNS tunnel under {said}, built like {tool}"),
        None => format!("DNS tunnel under {said}"),
    };
    let ends = Ends {
        tenant: tunnel.tenant,
        client: tunnel.asset,
        server: Endpoint { address: tunnel.server, port: tunnel.port },
        protocol: if tunnel.over_tcp { TCP } else { UDP },
    };
    let head = ends.head(tunnel.time, tunnel.packet);
    Finding {
        rung: tunnel.rung,
        confidence: tunnel.confidence,
        mitre: vec!["T1071.004".into(), "T1572".into()],
        dns_tunnel: Some(DnsTunnel {
            domain,
            queries: tunnel.queries,
            distinct_names: tunnel.distinct_names,
            bytes_out: tunnel.bytes_out,
            bytes_in: tunnel.bytes_in,
            record_types: tunnel.types,
            past_resolver: tunnel.past_resolver,
        }),
        why: tunnel.why,
        ..finding(Detector::DnsTunnel, TUNNEL, title, tunnel.severity, &head, assets)
    }
}

/// Domains made up by an algorithm.
pub fn generated(generated: Generated, message: &DnsMessage<'_>, assets: &Assets) -> Finding {
    let title = format!("{} domains that do not exist, as an algorithm makes them up", generated.domains);
    let head = Ends::of(message).head(message.time, message.packet);
    Finding {
        rung: (generated.severity >= Severity::Medium).then_some(Rung::LookedUp),
        confidence: generated.confidence,
        mitre: vec!["T1568.002".into()],
        why: generated.why,
        ..finding(Detector::Dga, GENERATED, title, generated.severity, &head, assets)
    }
}

/// A server that the machine asks in place of its resolver; `None` where nothing is to be said.
pub fn resolver(
    standing: &Standing,
    message: &DnsMessage<'_>,
    named: Option<Named<'_>>,
    assets: &Assets,
) -> Option<Finding> {
    let server = IpAddr::from(message.server);
    let (severity, said) = match standing {
        Standing::Expected => return None,
        Standing::Public(operator) => {
            (Severity::Info, format!("it asks {operator} ({server}) past its own resolver"))
        }
        Standing::Strange(own) => (Severity::Low, past_resolver(server, *own)),
    };
    let asked = sentence::quoted(message.name.to_lower_text().as_bytes());
    let mut why =
        vec![said.clone(), format!("the first question was for {asked} ({})", type_name(message.facts.kind))];
    if let Some(named) = named {
        let name = sentence::quoted(named.name.to_lower_text().as_bytes());
        why.push(format!("it had looked the server's address up as {name}"));
    }
    let head = Ends::of(message).head(message.time, message.packet);
    let title = format!("DNS past the resolver, to {server}");
    Some(Finding {
        confidence: 50,
        mitre: vec!["T1071.004".into()],
        why,
        ..finding(Detector::Resolver, PAST_RESOLVER, title, severity, &head, assets)
    })
}

/// The reason of questions that go past a resolver.
pub fn past_resolver(server: IpAddr, own: IpAddr) -> String {
    format!("questions go straight to {server}, whom nobody else asks, and not to its resolver {own}")
}

/// Encrypted DNS, over TLS, HTTPS or QUIC.
pub fn encrypted(head: &Head, over: &str, whom: &str, assets: &Assets) -> Finding {
    let title = format!("DNS over {over} to {whom}");
    let why = vec![format!("DNS over {over} to {whom}: the names that it asks for there cannot be seen")];
    Finding {
        confidence: 60,
        mitre: vec!["T1071.004".into()],
        why,
        ..finding(Detector::Resolver, ENCRYPTED, title, Severity::Info, head, assets)
    }
}

/// Whose resolver is reached by a host name as sent.
pub fn operator_of(host: &[u8], knowledge: &Knowledge) -> Option<Arc<str>> {
    let name = NameBuf::from_text(host)?;
    knowledge.resolvers.by_name(name.as_name()).cloned()
}

/// What all of them have in common.
fn finding(
    detector: Detector,
    signature_id: u32,
    title: String,
    severity: Severity,
    head: &Head,
    assets: &Assets,
) -> Finding {
    let sides = assets.sides(&head.flow.tuple, head.flow.tenant);
    Finding {
        detector,
        signature_id,
        title,
        severity,
        confidence: 0,
        rung: None,
        campaign: None,
        campaign_title: None,
        mitre: Vec::new(),
        head: *head,
        asset: sides.asset,
        local: sides.local,
        destination: Destination { endpoint: sides.remote, name: None::<NamedBy> },
        indicator: None,
        application: Application::None,
        beacon: None,
        dns_tunnel: None,
        why: Vec::new(),
        telling: Telling::Alert,
    }
}

/// Between whom questions go. They come from ever new ports: 0 stands for all of them.
struct Ends {
    tenant: Tenant,
    client: IpAddr,
    server: Endpoint,
    protocol: u8,
}

impl Ends {
    fn of(message: &DnsMessage<'_>) -> Self {
        Self {
            tenant: message.tenant,
            client: message.client.into(),
            server: Endpoint { address: message.server.into(), port: message.port },
            protocol: if message.over_tcp { TCP } else { UDP },
        }
    }

    fn head(&self, time: Timestamp, packet: u64) -> Head {
        let client = Endpoint { address: self.client, port: 0 };
        let key = FlowKey::new(self.tenant, client, self.server, self.protocol);
        Head {
            order: Order { packet, by_packet: true, due: 0, sequence: 0 },
            time,
            flow: FlowIdentity {
                id: dns_flow_id(&key),
                tuple: FiveTuple { client, server: self.server, protocol: self.protocol },
                tenant: self.tenant,
                vlan: VlanStack::default(),
                tunnel: None,
            },
            direction: Direction::ToServer,
            relayed: false,
        }
    }
}
