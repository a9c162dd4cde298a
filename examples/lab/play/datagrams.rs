//! Conversations without connections: QUIC, NTP, ICMP, and UDP of any content.

use std::net::{IpAddr, SocketAddr};

use super::{Outcomes, Player};
use crate::message::{ntp, quic, tls};
use crate::random::Random;
use crate::recipe::form::{Pair, Quic, Step, Udp};
use crate::stage::{Nanos, Packet};
use crate::wire::tcp::Side;
use crate::wire::{checksum, udp};

/// Between two datagrams of one flight.
const NEXT_DATAGRAM: Nanos = 20_000;

pub fn play_udp(player: &mut Player<'_>, step: &Step, form: &Udp, at: Nanos) -> Outcomes<Nanos> {
    let (client, server) = player.ends(step, &form.from, &form.to, form.port)?;
    let mut end = at;
    for saying in &form.say {
        end = saying.after.map_or(end + NEXT_DATAGRAM, |after| at + player.draw(after));
        let side = if saying.server { Side::Server } else { Side::Client };
        let content = player.content(&saying.body)?;
        send(player, end, side, client, server, &content);
    }
    Ok(end)
}

pub fn play_ntp(player: &mut Player<'_>, step: &Step, form: &Pair, at: Nanos) -> Outcomes<Nanos> {
    let (client, server) = player.ends(step, &form.from, &form.to, 123)?;
    let request = ntp::request(at);
    let answered = at + player.round_trip(step, server.ip());
    send(player, at, Side::Client, client, server, &request);
    send(player, answered, Side::Server, client, server, &ntp::response(&request, answered));
    Ok(answered)
}

pub fn play_icmp(player: &mut Player<'_>, step: &Step, form: &Pair, at: Nanos) -> Outcomes<Nanos> {
    let (client, server) = player.ends(step, &form.from, &form.to, 0)?;
    let answered = at + player.round_trip(step, server.ip());
    let body = player.random.letters(48).into_bytes();
    for (at, side) in [(at, Side::Client), (answered, Side::Server)] {
        let (source, target) = order(side, client, server);
        let (protocol, message) = echo(source.ip(), target.ip(), side, &body);
        player.stage.add(Packet { at, source: source.ip(), target: target.ip(), protocol, message, side });
    }
    Ok(answered)
}

/// An echo message: identifier 7, sequence number 1 (RFC 792, RFC 4443).
fn echo(source: IpAddr, target: IpAddr, side: Side, body: &[u8]) -> (u8, Vec<u8>) {
    let (protocol, kinds) = if source.is_ipv4() { (1, [8, 0]) } else { (58, [128, 129]) };
    let kind = if side == Side::Client { kinds[0] } else { kinds[1] };
    let mut message = vec![kind, 0, 0, 0, 0, 7, 0, 1];
    message.extend_from_slice(body);
    let sum = if source.is_ipv4() {
        checksum::internet(&message)
    } else {
        checksum::transport(source, target, protocol, &message)
    };
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    (protocol, message)
}

pub fn play_quic(player: &mut Player<'_>, step: &Step, form: &Quic, at: Nanos) -> Outcomes<Nanos> {
    let (client, server) = player.ends(step, &form.from, &form.to, form.port.unwrap_or(443))?;
    let rtt = player.round_trip(step, server.ip());
    let mut random = Random::new(player.random.next());
    let ids = quic::Ids { original: random.array(), client: random.array(), server: random.array() };
    let version = match form.version {
        None | Some(1) => quic::Version::One,
        Some(2) => quic::Version::Two,
        Some(other) => return Err(format!("QUIC version {other} is not known to the lab")),
    };
    let count = form.datagrams.unwrap_or(1);
    let hello = tls::client_hello(
        &tls::Offer {
            client: tls::Client::Curl,
            server_name: form.name.as_deref(),
            protocols: &form.protocols,
            only_1_2: false,
            encrypted_hello: false,
            post_quantum: count > 1,
            transport_parameters: Some(&quic::transport_parameters(&ids)),
        },
        &mut random,
    );
    let mut datagrams = quic::client_datagrams(version, &ids, &hello, count)?;
    if form.reversed {
        datagrams.reverse();
    }
    let mut end = at;
    for datagram in &datagrams {
        send(player, end, Side::Client, client, server, datagram);
        end += NEXT_DATAGRAM;
    }
    end += rtt;
    let server_hello = tls::server_hello(false, None, &mut random);
    let last_number = (count - 1) as u8;
    let datagram = quic::server_datagram(version, &ids, &server_hello, last_number, &mut random)?;
    send(player, end, Side::Server, client, server, &datagram);
    for (side, receiver, amount) in
        [(Side::Client, ids.server, form.up), (Side::Server, ids.client, form.down)]
    {
        end += if side == Side::Server { rtt } else { NEXT_DATAGRAM };
        let mut left = amount;
        while left > 0 {
            let part = left.min(1150);
            send(player, end, side, client, server, &quic::short_packet(&receiver, part + 17, &mut random));
            end += NEXT_DATAGRAM;
            left -= part;
        }
    }
    Ok(end)
}

fn order(side: Side, client: SocketAddr, server: SocketAddr) -> (SocketAddr, SocketAddr) {
    match side {
        Side::Client => (client, server),
        Side::Server => (server, client),
    }
}

fn send(
    player: &mut Player<'_>,
    at: Nanos,
    side: Side,
    client: SocketAddr,
    server: SocketAddr,
    payload: &[u8],
) {
    let (source, target) = order(side, client, server);
    player.stage.add(Packet {
        at,
        source: source.ip(),
        target: target.ip(),
        protocol: udp::PROTOCOL,
        message: udp::datagram(source, target, payload),
        side,
    });
}
