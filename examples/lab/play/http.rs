//! HTTP connections.

use super::{Outcomes, Player};
use crate::message::http;
use crate::recipe::form::{Close, Http, Seconds, Step};
use crate::stage::Nanos;
use crate::wire::tcp::Side;

/// A request on its way: when it is due, and its bytes.
struct Turn {
    due: Option<Nanos>,
    request: Vec<u8>,
    answer: Option<Answer>,
}

struct Answer {
    after: Nanos,
    status: u16,
    headers: Vec<String>,
    body: Vec<u8>,
    tag: String,
}

/// From the request's last byte to the response, where the recipe does not say.
const SERVER_THINKS: Seconds = Seconds::milliseconds(30);

pub fn play(player: &mut Player<'_>, step: &Step, form: &Http, at: Nanos) -> Outcomes<Nanos> {
    let turns = turns(player, form, at)?;
    let mut connection = player.connection(step, &form.from, &form.to, form.port.unwrap_or(80))?;
    let mut end = connection.open(at);
    for turn in turns {
        let begun = turn.due.map_or(end, |due| due.max(end));
        end = connection.send(Side::Client, begun, &turn.request);
        let Some(answer) = turn.answer else { continue };
        let answered = (begun + answer.after).max(end);
        let response = http::Response { status: answer.status, headers: &answer.headers, body: &answer.body };
        let bytes = http::response(form.server.into(), &response, answered, &answer.tag);
        end = connection.send(Side::Server, answered, &bytes);
    }
    Ok(connection.close(end, step.close.unwrap_or(Close::Client).into()))
}

/// All requests of a connection in their order; `every` and `count` make several of one.
fn turns(player: &mut Player<'_>, form: &Http, at: Nanos) -> Outcomes<Vec<Turn>> {
    let address = player.host(&form.to)?.to_string();
    let name = form.host.as_deref().unwrap_or(&address);
    let host = match form.port {
        None | Some(80) => name.to_owned(),
        Some(port) => format!("{name}:{port}"),
    };
    let mut turns = Vec::new();
    for exchange in &form.exchange {
        let mut due = exchange.after.map(|after| at + player.draw(after));
        for _ in 0..exchange.count.unwrap_or(1) {
            let body = player.content(&exchange.body)?;
            let target = player.fill(&exchange.target)?;
            let request = http::Request {
                method: exchange.method.as_deref().unwrap_or("GET"),
                target: &target,
                host: &host,
                user_agent: exchange.user_agent.as_deref(),
                headers: &exchange.headers,
                body: &body,
            };
            let request = http::request(form.client.into(), &request);
            let answer = match &exchange.response {
                None => None,
                Some(response) => Some(Answer {
                    after: player.draw(response.after.unwrap_or(SERVER_THINKS)),
                    status: response.status.unwrap_or(200),
                    headers: response.headers.clone(),
                    body: player.content(&response.body)?,
                    tag: player.random.letters(27),
                }),
            };
            turns.push(Turn { due, request, answer });
            if let (Some(moment), Some(every)) = (due, exchange.every) {
                due = Some(moment + player.draw(every));
            }
        }
    }
    Ok(turns)
}
