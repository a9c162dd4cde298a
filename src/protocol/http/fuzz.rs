//! The entry for fuzzing an HTTP connection.

use super::{HttpEvent, HttpStream, identify};
use crate::{
    bytes::Reader,
    flow::Direction,
    limits::{HTTP_BODY_BYTES, HTTP_FIELDS, HTTP_HEAD_BYTES},
    protocol::{Need, Verdict},
};

/// Changes the direction.
const TURN: u8 = 0xfe;
/// The next byte's value is the length of a gap.
const GAP: u8 = 0xff;

/// A run of bytes of one direction, or missing ones.
enum Run<'a> {
    Bytes(Direction, &'a [u8]),
    Gap(Direction, u64),
}

/// Reads `data` as a conversation: eight bytes that seed the cuts, then what both sides send, with
/// the byte 0xfe where the direction changes and 0xff before a gap's length.
///
/// Asserts that the events do not depend on how the bytes are cut or whether bodies are passed over,
/// that what is given and held is bounded, and that no response comes before its request.
pub fn fuzz_http_stream(data: &[u8]) {
    let mut input = Reader::new(data);
    let Some(seed) = input.u64() else { return };
    let _ = identify(input.rest());
    let runs = runs(input.rest());
    let whole = play(&runs, None);
    assert_eq!(play(&runs, Some(1)), whole, "read byte by byte");
    assert_eq!(play(&runs, Some(seed | 1)), whole, "cut at random");
    check(&whole);
}

fn runs(mut data: &[u8]) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    let mut direction = Direction::ToServer;
    while !data.is_empty() {
        let end = data.iter().position(|byte| *byte >= TURN).unwrap_or(data.len());
        let (bytes, rest) = data.split_at(end);
        if !bytes.is_empty() {
            runs.push(Run::Bytes(direction, bytes));
        }
        data = match rest {
            [GAP, length, rest @ ..] => {
                runs.push(Run::Gap(direction, u64::from(*length)));
                rest
            }
            [_, rest @ ..] => {
                direction = direction.reverse();
                rest
            }
            [] => rest,
        };
    }
    runs
}

/// Plays the runs; with `cuts` in small pieces, and passing over what the reader does not want.
/// The seed 1 gives pieces of one byte.
fn play(runs: &[Run<'_>], cuts: Option<u64>) -> Vec<HttpEvent> {
    let mut stream = HttpStream::default();
    let mut events = Vec::new();
    let mut needs = [Need::More; 2];
    let mut dice = cuts.unwrap_or(1);
    for run in runs {
        let (direction, mut rest) = match run {
            Run::Bytes(direction, bytes) => (*direction, *bytes),
            Run::Gap(direction, count) => {
                needs[direction.index()] = stream.gap(*direction, *count, &mut events);
                continue;
            }
        };
        while !rest.is_empty() {
            let mut size = rest.len();
            if cuts.is_some() {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                size = if cuts == Some(1) { 1 } else { 1 + (dice % 97) as usize }.min(size);
            }
            let ended = matches!(events.last(), Some(HttpEvent::Tunnel(_)));
            let need = &mut needs[direction.index()];
            match *need {
                Need::Skip(count) if cuts.is_some() && !ended => {
                    size = size.min(usize::try_from(count).unwrap_or(usize::MAX));
                    *need = stream.skipped(direction, size as u64, &mut events);
                }
                _ => *need = stream.push(direction, &rest[..size], &mut events),
            }
            if ended && let Some(HttpEvent::Tunnel(tunnel)) = events.last_mut() {
                // What follows continues the tunnel's first bytes.
                match direction {
                    Direction::ToServer => tunnel.to_server.extend_from_slice(&rest[..size]),
                    Direction::ToClient => tunnel.to_client.extend_from_slice(&rest[..size]),
                }
            }
            rest = &rest[size..];
            assert!(stream.held_bytes() <= 2 * (HTTP_HEAD_BYTES + HTTP_BODY_BYTES));
        }
    }
    stream.finish(&mut events);
    if let Some(HttpEvent::Tunnel(tunnel)) = events.last_mut() {
        // Empty lines in front are left out as far as they came with the head.
        for first in [&mut tunnel.to_server, &mut tunnel.to_client] {
            let empty = first.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            first.drain(..empty);
        }
    }
    events
}

fn check(events: &[HttpEvent]) {
    let mut requests = 0;
    for event in events {
        let headers = match event {
            HttpEvent::Request(request) => {
                assert_eq!(request.index, requests);
                requests += 1;
                assert!(request.body.len() <= HTTP_BODY_BYTES);
                assert!(!request.method.is_empty());
                let _ = (request.path(), request.query(), request.host_name(), request.host_port());
                let head = [&request.method, &request.target, &request.version].map(Vec::len);
                assert!(head.iter().sum::<usize>() <= HTTP_HEAD_BYTES);
                &request.headers
            }
            HttpEvent::Response(response) => {
                assert!(response.body.len() <= HTTP_BODY_BYTES);
                assert!(response.body_length >= response.body.len() as u64);
                if let Some(request) = &response.request {
                    assert!(request.index < requests, "a response before its request");
                }
                &response.headers
            }
            HttpEvent::Tunnel(_) => continue,
        };
        assert!(headers.len() <= HTTP_FIELDS);
    }
    // Whatever begins like this must have been recognised.
    if let Some(HttpEvent::Request(request)) = events.first()
        && !request.version.is_empty()
    {
        let line = [&request.method, &b" "[..], &request.target, b" ", &request.version, b"\r\n"].concat();
        assert!(request.target.is_empty() || identify(&line) == Verdict::Yes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEDS: [&[u8]; 8] = [
        b"GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\n\r\n\xfeHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 304 Not\r\n\r\n",
        b"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: t\r\n\r\n\xfeHTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil close",
        b"CONNECT h:443 HTTP/1.1\r\n\r\n\x16\x03\x01\xfeHTTP/1.1 200 OK\r\n\r\n\x16\x03\x03\xfemore",
        b"CONNECT h:443 HTTP/1.1\r\n\r\nGET / HTTP/1.0\r\n\r\n\xfeHTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\nHTTP/1.0 200 OK\n\nx",
        b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\xfeHTTP/1.1 101 S\r\n\r\n\x81\x02hi\xfe\x81\x82",
        b"GET /old\r\n\xfe<html>simple</html>",
        b"\xfe body of before\r\nHTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123\xff\x07HTTP/1.0 404 N\r\n\r\n\xfe",
        b"HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHo\xff\x10GET /c HTTP/1.1\n\n\xfeHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n",
    ];

    #[test]
    fn mutated_conversations_hold_the_invariants() {
        let mut dice = 0x005e_ed0f_u64;
        let mut below = move |bound: usize| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            (dice % bound as u64) as usize
        };
        for turn in 0..1000 {
            let mut input = (turn as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes().to_vec();
            input.extend_from_slice(SEEDS[turn % SEEDS.len()]);
            if below(4) == 0 {
                input.extend_from_slice(SEEDS[below(SEEDS.len())]);
            }
            for _ in 0..below(6) {
                let place = 8 + below(input.len() - 8);
                match below(6) {
                    0 => input[place] = below(256) as u8,
                    1 => input[place] = b"\r\n \t:;,0/\xfe\xff"[below(11)],
                    2 if input.len() > 9 => drop(input.remove(place)),
                    2 => {}
                    3 => input.truncate(place + 1),
                    4 => {
                        let copy = input[place..(place + below(40)).min(input.len())].to_vec();
                        let at = 8 + below(input.len() - 8);
                        input.splice(at..at, copy);
                    }
                    _ => {
                        let length = [5000, 9000, 70_000][below(3)] / (1 + below(8) * below(8));
                        input.splice(place..place, std::iter::repeat_n(b'a', length));
                    }
                }
            }
            fuzz_http_stream(&input);
        }
    }
}
