//! TLS connections.

use super::{Outcomes, Player};
use crate::message::{certificate, tls};
use crate::random::Random;
use crate::recipe::form::{Close, Seconds, Step, Tls};
use crate::stage::Nanos;
use crate::wire::tcp::{Connection, Side};

/// From the client's data to the server's, where the recipe does not say.
const SERVER_THINKS: Seconds = Seconds::milliseconds(25);

/// Data up and down at a time after the connection's start.
struct Turn {
    due: Nanos,
    up: usize,
    down: usize,
    latency: Nanos,
}

pub fn play(player: &mut Player<'_>, step: &Step, form: &Tls, at: Nanos) -> Outcomes<Nanos> {
    let mut random = Random::new(player.random.next());
    let certificates = certificates(form, &mut random)?;
    let server_1_2 = !certificates.is_empty();
    if form.only_1_2 && !server_1_2 {
        return Err("a client of TLS 1.2 needs a server with a `certificate`".to_owned());
    }
    let turns = turns(player, form, at);
    let hello = tls::client_hello(
        &tls::Offer {
            client: form.client.into(),
            server_name: form.name.as_deref(),
            protocols: &form.protocols,
            only_1_2: form.only_1_2,
            encrypted_hello: form.encrypted_hello,
            post_quantum: form.post_quantum,
            transport_parameters: None,
        },
        &mut random,
    );
    let hello = match form.record_size {
        Some(size) => tls::hello_in_records(&hello, size),
        None => tls::hello_record(&hello),
    };
    let mut connection = player.connection(step, &form.from, &form.to, form.port.unwrap_or(443))?;
    let mut end = connection.open(at);
    end = connection.send(Side::Client, end, &hello);
    if server_1_2 {
        let protocol = form.protocols.first().map(String::as_str);
        let flight = tls::server_flight_1_2(&certificates, protocol, &mut random);
        end = connection.send(Side::Server, end, &flight);
        end = connection.send(Side::Client, end, &tls::client_finished_1_2(&mut random));
        end = connection.send(Side::Server, end, &tls::finished_1_2(&mut random));
    } else {
        end = connection.send(Side::Server, end, &tls::server_flight_1_3(&mut random));
        end = connection.send(Side::Client, end, &tls::client_finished_1_3(&mut random));
    }
    for turn in turns {
        end = exchange(&mut connection, &turn, turn.due.max(end), &mut random);
    }
    Ok(connection.close(end, step.close.unwrap_or(Close::Client).into()))
}

fn exchange(connection: &mut Connection<'_>, turn: &Turn, at: Nanos, random: &mut Random) -> Nanos {
    let mut end = at;
    if turn.up > 0 {
        end = connection.send(Side::Client, end, &tls::application_data(turn.up, random));
    }
    if turn.down > 0 {
        let answered = end.max(at + turn.latency);
        end = connection.send(Side::Server, answered, &tls::application_data(turn.down, random));
    }
    end
}

fn turns(player: &mut Player<'_>, form: &Tls, at: Nanos) -> Vec<Turn> {
    let latency = player.draw(SERVER_THINKS);
    let mut turns = vec![Turn { due: at, up: form.up, down: form.down, latency }];
    for exchange in &form.exchange {
        let mut due = at + player.draw(exchange.after);
        for _ in 0..exchange.count.unwrap_or(1) {
            let latency = player.draw(exchange.latency.unwrap_or(SERVER_THINKS));
            turns.push(Turn { due, up: exchange.up, down: exchange.down, latency });
            if let Some(every) = exchange.every {
                due += player.draw(every);
            }
        }
    }
    turns.sort_by_key(|turn| turn.due);
    turns
}

fn certificates(form: &Tls, random: &mut Random) -> Outcomes<Vec<Vec<u8>>> {
    let Some(told) = &form.certificate else { return Ok(Vec::new()) };
    let time = |text: &str| text.parse().map_err(|error| format!("certificate: `{text}`: {error}"));
    let der = certificate::der(
        &certificate::Certificate {
            subject: &told.subject,
            issuer: told.issuer.as_deref().unwrap_or(&told.subject),
            names: &told.names,
            serial: told.serial,
            not_before: time(&told.not_before)?,
            not_after: time(&told.not_after)?,
        },
        random,
    )?;
    Ok(vec![der])
}
