//! DNS, over UDP, over a TCP connection of its own, or with all messages in one TCP connection.

use std::net::{IpAddr, SocketAddr};

use super::{Outcomes, Player};
use crate::message::dns::{self, Question, Record};
use crate::recipe::form::{Close, Dns, Seconds, Step};
use crate::stage::{Nanos, Packet};
use crate::wire::tcp::{Connection, Manner, Side};
use crate::wire::udp;

/// From question to answer, where the recipe does not say.
const RESOLVER_THINKS: Seconds = Seconds::milliseconds(10);
/// Between the questions of one step: a resolver library sends A and AAAA back to back.
const NEXT_QUESTION: Nanos = 40_000;
/// The UDP size that clients offer with EDNS.
const EDNS_SIZE: u16 = 1232;

/// One message that belongs into the capture's only DNS connection.
pub struct StreamMessage {
    at: Nanos,
    side: Side,
    client: SocketAddr,
    server: SocketAddr,
    bytes: Vec<u8>,
}

pub fn play(player: &mut Player<'_>, step: &Step, form: &Dns, at: Nanos) -> Outcomes<Nanos> {
    let port = form.port.unwrap_or(if form.multicast { 5353 } else { 53 });
    let messages = messages(player, form, at)?;
    if form.tcp {
        return over_tcp(player, step, form, port, at, &messages);
    }
    let (mut client, server) = player.ends(step, &form.from, &form.to, port)?;
    if form.multicast && port == 5353 {
        client.set_port(port);
    }
    let mut end = at;
    for (at, side, bytes) in messages {
        end = end.max(at);
        if let Some(stream) = &mut player.dns_stream {
            stream.push(StreamMessage { at, side, client, server, bytes });
            continue;
        }
        let (source, target) = match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        player.stage.add(Packet {
            at,
            source: source.ip(),
            target: target.ip(),
            protocol: udp::PROTOCOL,
            message: udp::datagram(source, target, &bytes),
            side,
        });
    }
    Ok(end)
}

/// Questions and answers with their times, in the order of time.
fn messages(player: &mut Player<'_>, form: &Dns, at: Nanos) -> Outcomes<Vec<(Nanos, Side, Vec<u8>)>> {
    let text = player.fill(&form.name)?;
    let name = dns::name(&text)?;
    let code = dns::response_code(form.code.as_deref().unwrap_or("NOERROR"))?;
    let answers = records(player, form, &text)?;
    let default_types = ["A".to_owned()];
    let types = if form.types.is_empty() { &default_types } else { form.types.as_slice() };
    let mut messages = Vec::new();
    for (index, type_name) in types.iter().enumerate() {
        let record_type = dns::type_number(type_name)?;
        let asked = at + index as Nanos * NEXT_QUESTION;
        let question = Question {
            // Multicast DNS leaves the number 0 (RFC 6762 section 18.1).
            id: if form.multicast { 0 } else { player.random.next() as u16 },
            name: name.clone(),
            record_type,
            edns: form.edns.then_some(EDNS_SIZE),
            recursion: !form.multicast,
        };
        messages.push((asked, Side::Client, question.query()));
        if form.answered == Some(false) {
            continue;
        }
        const CNAME: u16 = 5;
        let of_type: Vec<Record> = answers
            .iter()
            .filter(|record| record.record_type() == record_type || record.record_type() == CNAME)
            .cloned()
            .collect();
        let authorities = if of_type.is_empty() { vec![authority(&text)?] } else { Vec::new() };
        let answered = asked + player.draw(form.latency.unwrap_or(RESOLVER_THINKS));
        messages.push((answered, Side::Server, question.response(code, &of_type, &authorities)));
    }
    messages.sort_by_key(|(at, ..)| *at);
    Ok(messages)
}

/// The answers as records. A host or an address alone is an A or AAAA record of the name that is asked
/// for, and an owner of `@` is that name.
fn records(player: &mut Player<'_>, form: &Dns, name: &str) -> Outcomes<Vec<Record>> {
    let ttl = form.ttl.unwrap_or(300);
    let mut records = Vec::new();
    for text in &form.answer {
        let text = match player.host(text) {
            Ok(IpAddr::V4(address)) => format!("{name} {ttl} A {address}"),
            Ok(IpAddr::V6(address)) => format!("{name} {ttl} AAAA {address}"),
            Err(_) => match player.fill(text)?.strip_prefix("@ ") {
                Some(rest) => format!("{name} {rest}"),
                None => player.fill(text)?,
            },
        };
        records.push(Record::parse(&text)?);
    }
    Ok(records)
}

/// The SOA record that an answer without records carries (RFC 2308): that of the name's last two labels.
fn authority(name: &str) -> Outcomes<Record> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let zone_at = name.rmatch_indices('.').nth(1).map_or(0, |(dot, _)| dot + 1);
    let zone = &name[zone_at..];
    Record::parse(&format!("{zone} 900 SOA ns.example hostmaster.example 2026033101 1800 900 604800 86400"))
}

fn with_length(message: &[u8]) -> Vec<u8> {
    let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(message);
    bytes
}

fn over_tcp(
    player: &mut Player<'_>,
    step: &Step,
    form: &Dns,
    port: u16,
    at: Nanos,
    messages: &[(Nanos, Side, Vec<u8>)],
) -> Outcomes<Nanos> {
    let mut connection = player.connection(step, &form.from, &form.to, port)?;
    let mut end = connection.open(at);
    for (due, side, message) in messages {
        end = connection.send(*side, (*due).max(end), &with_length(message));
    }
    Ok(connection.close(end, step.close.unwrap_or(Close::Client).into()))
}

/// How long before a message's time its first part is sent, where it is split.
const PART_BEFORE: Nanos = 400_000;
/// The handshake is over so long before the first message.
const OPEN_BEFORE: Nanos = 50_000_000;

/// Puts all messages into one connection: those of one moment and direction share a segment, and two of
/// seven segments are sent in two parts, the second at the messages' time.
pub fn play_stream(player: &mut Player<'_>, mut messages: Vec<StreamMessage>) -> Outcomes<()> {
    messages.sort_by_key(|message| message.at);
    let Some(first) = messages.first() else { return Ok(()) };
    let sequence = [player.random.next() as u32, player.random.next() as u32];
    let manner = Manner { rtt: 300_000, mss: 1460, timestamps: true, reorder: 0, retransmit: 0 };
    let mut segments: Vec<(Nanos, Side, Vec<u8>)> = Vec::new();
    for message in &messages {
        let bytes = with_length(&message.bytes);
        match segments.last_mut() {
            Some((at, side, segment)) if *at == message.at && *side == message.side => segment.extend(bytes),
            _ => segments.push((message.at, message.side, bytes)),
        }
    }
    let (client, server) = (first.client, first.server);
    let mut connection = Connection::new(player.stage, client, server, sequence, manner);
    connection.open(messages[0].at - OPEN_BEFORE);
    let mut last = messages[0].at;
    for (index, (at, side, segment)) in segments.iter().enumerate() {
        let other = if *side == Side::Client { Side::Server } else { Side::Client };
        // A cut after one byte falls into the length before the message.
        let cut = match index % 7 {
            3 => 1,
            5 => segment.len() / 2,
            _ => 0,
        };
        if cut > 0 {
            connection.segment(*side, at - PART_BEFORE, &segment[..cut]);
            connection.acknowledge(other, at - PART_BEFORE / 2);
        }
        connection.segment(*side, *at, &segment[cut..]);
        connection.acknowledge(other, at + 40_000);
        last = at + 80_000;
    }
    connection.close(last, crate::wire::tcp::Close::Client);
    Ok(())
}
