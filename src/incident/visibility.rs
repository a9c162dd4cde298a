//! What the wire showed of each machine, so that a verdict can say what it could not see.

use std::net::IpAddr;

use crate::{
    address::AddressWords,
    asset::Assets,
    decode::Tenant,
    flow::TcpState,
    indicator::Rung,
    limits,
    observation::{
        DnsService, FirstPacket, FlowClosed, FlowIdentity, Observation, QuietDns, QuietHead, Seen,
    },
    time::{SECOND, Timestamp},
};

use super::{
    ladder::Incident,
    machines::{Machine, Machines},
};

/// What was seen of one machine, besides DNS.
#[derive(Clone, Debug, Default)]
struct Sight {
    /// Connections that were answered or began before the capture.
    connections: u64,
    /// Connections of which only one side's packets were captured: the machine's own, and the other's.
    only_sent: u64,
    only_received: u64,
    /// Connections that began before the capture.
    midstream: u64,
    gap_bytes: u64,
    registry_tls: u64,
    encrypted_names: u64,
}

/// What was seen of every machine of ours.
#[derive(Debug)]
pub struct Visibility {
    machines: Machines<Sight>,
    first: Option<Timestamp>,
    last: Timestamp,
}

impl Default for Visibility {
    fn default() -> Self {
        Self { machines: Machines::new(limits::MACHINES), first: None, last: Timestamp::MIN }
    }
}

impl Visibility {
    /// Takes an observation in. `is_registry` says whether the name in its hello is a package registry's.
    pub fn observe(&mut self, observation: &Observation<'_>, assets: &Assets, is_registry: bool) {
        let head = observation.head;
        self.note(head.time);
        let tenant = head.flow.tenant;
        // Which side is ours, and whether it is the client.
        let local = || {
            let tuple = &head.flow.tuple;
            let is_client = assets.is_outbound(tuple);
            (if is_client { tuple.client.address } else { tuple.server.address }, is_client)
        };
        match &observation.seen {
            Seen::Dns(dns) if dns.service == DnsService::Dns => {
                let FlowIdentity { tenant, tuple, .. } = &head.flow;
                let ends = (tuple.client.address.into(), tuple.server.address.into());
                self.dns(*tenant, ends, assets, dns.message.is_response());
            }
            Seen::TlsClient(hello) => self.hello(tenant, local().0, hello.ech, is_registry),
            Seen::UnlistedHello(hello) => self.hello(tenant, local().0, hello.ech, is_registry),
            Seen::Quic(quic) => self.hello(tenant, local().0, quic.hello.ech, is_registry),
            Seen::FlowClosed(closed) => {
                let (local, is_client) = local();
                self.sight(tenant, local, |sight| sight.connection(closed, is_client));
            }
            _ => {}
        }
    }

    /// Asks for the memory that taking in these messages touches.
    pub fn prefetch<'q>(&self, messages: impl Iterator<Item = QuietDns<'q>>) {
        for quiet in messages {
            self.machines.prefetch(&Machine { tenant: quiet.about.tenant, address: quiet.about.client });
        }
    }

    /// Notes that something was seen at `time`.
    #[inline]
    pub fn note(&mut self, time: Timestamp) {
        self.first.get_or_insert(time);
        self.last = self.last.max(time);
    }

    /// Takes in a DNS message of which there was nothing to detect.
    #[inline]
    pub fn observe_quiet(&mut self, quiet: &QuietDns<'_>, assets: &Assets) {
        let QuietHead { time, tenant, client, server, is_response, .. } = *quiet.about;
        self.note(time);
        self.dns(tenant, (client, server), assets, is_response);
    }

    #[inline]
    fn dns(
        &mut self,
        tenant: Tenant,
        (client, server): (AddressWords, AddressWords),
        assets: &Assets,
        is_response: bool,
    ) {
        if is_response {
            self.machines.count(&Machine { tenant, address: client }, |dns| dns.responses += 1);
            if assets.is_home(server.into()) {
                self.machines.count(&Machine { tenant, address: server }, |dns| dns.answers += 1);
            }
        } else {
            self.machines.count(&Machine { tenant, address: client }, |dns| dns.questions += 1);
        }
    }

    fn hello(&mut self, tenant: Tenant, address: IpAddr, ech: bool, is_registry: bool) {
        self.sight(tenant, address, |sight| {
            sight.registry_tls += u64::from(is_registry);
            sight.encrypted_names += u64::from(ech);
        });
    }

    fn sight(&mut self, tenant: Tenant, address: IpAddr, change: impl FnOnce(&mut Sight)) {
        self.machines.change(&Machine { tenant, address: address.into() }, change);
    }

    /// First and last packet time that made an observation; `None` when nothing did.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.first.map(|first| (first, self.last))
    }

    /// Machines of ours that were seen.
    pub fn machines(&self) -> usize {
        self.machines.len()
    }

    /// Machines that were forgotten because there were too many.
    pub fn evicted(&self) -> u64 {
        self.machines.evicted()
    }

    /// What could not be seen of the machine that `incident` is about, one sentence each. `end` is the
    /// time of the last packet, where the input is over.
    pub fn unseen(&self, incident: &Incident, end: Option<Timestamp>) -> Vec<String> {
        let mut unseen = Vec::new();
        let machine = Machine { tenant: incident.asset.tenant, address: incident.asset.address.into() };
        let Some((dns, sight)) = self.machines.get(&machine) else {
            return unseen;
        };
        if dns.answers > 0 {
            unseen.push(format!(
                "it answered {}: it is a resolver, and the question may have been another machine's",
                counted(dns.answers, "DNS question")
            ));
        }
        if dns.questions == 0 {
            unseen.push(if dns.responses == 0 {
                "no DNS question of it was captured: names come from Host and SNI only".to_owned()
            } else {
                "no DNS question of it was captured, only answers".to_owned()
            });
        }
        if sight.registry_tls > 0 {
            unseen.push(format!(
                "{} of its connections went to package registries, encrypted: which packages and versions it fetched cannot be told",
                sight.registry_tls
            ));
        }
        let one_sided = sight.only_sent + sight.only_received;
        if sight.connections > 0 && sight.only_sent == sight.connections {
            unseen.push(
                "only what it sent was captured: answers are known by its acknowledgments only".to_owned(),
            );
        } else if sight.connections > 0 && sight.only_received == sight.connections {
            unseen.push("only what it received was captured: its requests are not known".to_owned());
        } else if one_sided > 0 {
            unseen.push(format!(
                "of {one_sided} of its {} one direction only was captured",
                counted(sight.connections, "connection")
            ));
        }
        if sight.midstream > 0 {
            unseen.push(format!("{} of its connections began before the capture", sight.midstream));
        }
        if sight.gap_bytes > 0 {
            unseen.push(format!(
                "{} of its connections {} missing from the capture",
                counted(sight.gap_bytes, "byte"),
                if sight.gap_bytes == 1 { "is" } else { "are" }
            ));
        }
        if sight.encrypted_names > 0 {
            unseen.push(format!(
                "{} of its TLS hellos offered an encrypted name: only the outer one was seen",
                sight.encrypted_names
            ));
        }
        if let (Rung::Active, Some(end)) = (incident.verdict(), end) {
            let silence = end.since(incident.last) / SECOND;
            unseen.push(format!(
                "the capture ends {silence} s after the last sign of it: whether it still calls cannot be told"
            ));
        }
        unseen
    }
}

/// `1 connection`, `2 connections`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

impl Sight {
    fn connection(&mut self, closed: &FlowClosed, local_is_client: bool) {
        if closed.state == TcpState::None {
            return;
        }
        let (sent, received) = if local_is_client {
            (closed.to_server, closed.to_client)
        } else {
            (closed.to_client, closed.to_server)
        };
        // A SYN without answer is no blindness: that nobody answered is what was seen.
        if matches!(closed.state, TcpState::SynSent | TcpState::Refused) {
            return;
        }
        self.connections += 1;
        self.only_sent += u64::from(received.packets == 0);
        self.only_received += u64::from(sent.packets == 0);
        self.midstream += u64::from(closed.opened == FirstPacket::Midstream);
        self.gap_bytes += closed.gap_bytes.iter().sum::<u64>();
    }
}

#[cfg(test)]
#[path = "visibility_tests.rs"]
mod tests;
