//! What is told where hellos and flows are screened: the same, in little room.

use std::sync::Arc;

use super::{
    C, S, hello, http_talk, server_flight,
    wire::{ACK, Talk, Wire},
};
use crate::{
    address::AddressWords,
    observation::{Asked, HostFacts, Screen},
    protocol::dns::Outline,
};

/// Lists `evil.example` and 10.0.0.9.
#[derive(Debug)]
struct Lists {
    reads_hellos: bool,
    reads_hellos_of_certificates: bool,
}

impl Screen for Lists {
    fn unlisted(&self, _: &Asked, _: &Outline<'_>) -> Option<u64> {
        Some(0)
    }

    fn may_list_address(&self, address: AddressWords) -> bool {
        address == AddressWords::v4(0x0a00_0009)
    }

    fn host(&self, text: &[u8]) -> HostFacts {
        HostFacts {
            is_registry: text.starts_with(b"registry."),
            is_resolver: false,
            may_be_listed: text == b"evil.example",
        }
    }

    fn reads_hellos(&self) -> bool {
        self.reads_hellos
    }

    fn reads_hellos_of_certificates(&self) -> bool {
        self.reads_hellos_of_certificates
    }
}

fn lists(reads_hellos: bool, reads_hellos_of_certificates: bool) -> Arc<dyn Screen> {
    Arc::new(Lists { reads_hellos, reads_hellos_of_certificates })
}

fn tls_talk(name: &[u8]) -> Talk {
    let mut talk = Talk::opened(C, S);
    talk.client(&hello(name)).server(&server_flight()).client(b"\x14\x03\x03\x00\x01\x01").close();
    talk
}

/// The lines, and how many of them are told in little room.
fn told(wire: &Wire, screen: &Arc<dyn Screen>) -> (Vec<String>, usize) {
    let told = wire.told_with(1, Some(screen));
    let unlisted = told.iter().filter(|(_, is_unlisted)| *is_unlisted).count();
    (told.into_iter().map(|(line, _)| line).collect(), unlisted)
}

#[test]
fn a_screened_connection_tells_what_any_other_tells() {
    for (name, quiet) in [(&b"good.example"[..], 5), (b"registry.example", 5), (b"", 5), (b"evil.example", 4)]
    {
        let talk = tls_talk(name);
        let (lines, unlisted) = told(&talk.wire, &lists(false, true));
        assert_eq!(lines, talk.wire.told());
        // The flow's beginning, exchange and end, the answer, and the hello unless it is listed.
        assert_eq!(unlisted, quiet, "{lines:#?}");
    }
    let (lines, unlisted) = told(&http_talk().wire, &lists(false, false));
    assert_eq!((lines, unlisted), (http_talk().wire.told(), 3));
}

#[test]
fn a_hello_is_at_hand_for_the_certificate_where_somebody_asks_for_it() {
    let line = |screen| {
        let (lines, _) = told(&tls_talk(b"good.example").wire, &screen);
        lines.into_iter().find(|line| line.contains("certificates")).unwrap_or_default()
    };
    assert!(line(lists(false, true)).ends_with("certificates 1 for good.example"));
    assert!(line(lists(true, false)).ends_with("certificates 1 for good.example"));
    assert!(line(lists(false, false)).ends_with("certificates 1 for -"), "nobody asks");
}

#[test]
fn where_hellos_are_read_none_is_passed_over() {
    let talk = tls_talk(b"good.example");
    let (lines, unlisted) = told(&talk.wire, &lists(true, false));
    assert_eq!((lines, unlisted), (talk.wire.told(), 4));
}

#[test]
fn a_listed_address_on_either_side_is_noticed() {
    for (client, server) in [((9, 40_000), S), (C, (9, 8_000))] {
        let mut talk = Talk::opened(client, server);
        talk.client(b"hi").server(b"ho").close();
        talk.wire.udp(50, client, server, b"hi");
        talk.wire.udp(51, server, client, b"ho");
        let (lines, unlisted) = told(&talk.wire, &lists(false, false));
        assert_eq!((lines.len(), unlisted), (6, 0), "{lines:#?}");
    }
}

#[test]
fn roles_and_order_are_those_of_the_whole_piece() {
    let screen = lists(false, true);
    // From the middle, where the client has the port of a server, and behind another protocol.
    let mut reversed = Talk::new((1, 80), (2, 40_000));
    reversed.client(&hello(b"good.example")).server(&server_flight());
    let mut relayed = Talk::opened(C, S);
    relayed
        .client(b"\x05\x01\x00")
        .server(b"\x05\x00")
        .client(&hello(b"good.example"))
        .server(&server_flight());
    // Both hellos of one side in one piece: who it is shows with the last.
    let mut both = Talk::opened(C, S);
    both.server_sends(ACK, &[server_flight(), hello(b"good.example")].concat());
    for talk in [reversed, relayed, both, tls_talk(b"good.example")] {
        assert_eq!(told(&talk.wire, &screen).0, talk.wire.told());
        for lost in 0..talk.wire.packets.len() {
            let wire = talk.without(|place| place == lost);
            assert_eq!(told(&wire, &screen).0, wire.told(), "without packet {lost}");
        }
    }
}
