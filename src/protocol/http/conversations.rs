//! Whole conversations: what a connection's bytes give, message by message.

use super::{HttpEvent, HttpFlags, HttpStream};
use crate::{
    flow::Direction::{self, ToClient, ToServer},
    limits::{HTTP_BODY_BYTES, HTTP_HEAD_BYTES, HTTP_RESYNC_BYTES},
    protocol::Need,
};

/// A connection under test.
#[derive(Default)]
struct Talk {
    stream: HttpStream,
    events: Vec<HttpEvent>,
}

impl Talk {
    fn push(&mut self, direction: Direction, bytes: impl AsRef<[u8]>) -> Need {
        self.stream.push(direction, bytes.as_ref(), &mut self.events)
    }

    fn gap(&mut self, direction: Direction, count: u64) -> Need {
        self.stream.gap(direction, count, &mut self.events)
    }

    /// Ends the connection and tells its events, one short line each; flags in braces.
    fn end(mut self) -> Vec<String> {
        self.stream.finish(&mut self.events);
        self.events.iter().map(line).collect()
    }
}

/// Both sides' bytes, the client's first, and then the end.
fn talk(client: impl AsRef<[u8]>, server: impl AsRef<[u8]>) -> Vec<String> {
    let mut talk = Talk::default();
    talk.push(ToServer, client);
    talk.push(ToClient, server);
    talk.end()
}

fn line(event: &HttpEvent) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    match event {
        HttpEvent::Request(request) => format!(
            "{} {} {} [{}]{}",
            request.index,
            text(&request.method),
            text(&request.target),
            text(&request.body),
            flags(request.flags)
        ),
        HttpEvent::Response(response) => format!(
            "{} {} {}+{} [{}]{}",
            response.request.as_ref().map_or_else(|| "?".to_owned(), |request| request.index.to_string()),
            response.status,
            response.request_body_length,
            response.body_length,
            text(&response.body),
            flags(response.flags)
        ),
        HttpEvent::Tunnel(tunnel) => format!(
            "{} tunnel [{}] [{}]",
            tunnel.request.as_ref().map_or_else(|| "?".to_owned(), |request| request.index.to_string()),
            text(&tunnel.to_server),
            text(&tunnel.to_client)
        ),
    }
}

fn flags(flags: HttpFlags) -> String {
    let names = [
        (HttpFlags::HEAD_CUT, "head cut"),
        (HttpFlags::BODY_CUT, "body cut"),
        (HttpFlags::GRAMMAR, "grammar"),
        (HttpFlags::HOST_AMBIGUOUS, "host"),
        (HttpFlags::LENGTH_AMBIGUOUS, "length"),
        (HttpFlags::GAP, "gap"),
    ];
    let set: Vec<_> = names.iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, name)| *name).collect();
    if set.is_empty() { String::new() } else { format!(" {{{}}}", set.join(", ")) }
}

#[test]
fn a_request_has_its_fields() {
    let mut talk = Talk::default();
    talk.push(
        ToServer,
        "POST /6202033?a=b HTTP/1.1\r\nhost: h.example:8000\r\nUser-Agent: mozilla/4.0\r\n\
         Content-Type: text/plain\r\nReferer: r\r\nContent-Length: 4\r\nX-Y: z\r\n\r\nbody",
    );
    let Some(HttpEvent::Request(request)) = talk.events.first() else { panic!("{:?}", talk.events) };
    assert_eq!((request.path(), request.query()), (&b"/6202033"[..], Some(&b"a=b"[..])));
    assert_eq!((request.host_name(), request.host_port()), (Some(&b"h.example"[..]), Some(8000)));
    assert_eq!(request.version, b"HTTP/1.1");
    assert_eq!(request.user_agent.as_deref(), Some(&b"mozilla/4.0"[..]));
    assert_eq!(request.content_type.as_deref(), Some(&b"text/plain"[..]));
    assert_eq!(request.referer.as_deref(), Some(&b"r"[..]));
    assert_eq!((request.declared_length, request.header("x-y")), (Some(4), Some(&b"z"[..])));
    assert_eq!((request.headers.len(), request.body.as_slice()), (6, &b"body"[..]));
}

#[test]
fn pipelined_requests_meet_their_responses() {
    assert_eq!(
        talk(
            "HEAD /a HTTP/1.1\r\n\r\n\r\nGET /b HTTP/1.1\n\nPUT /c HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyzGET /d HTTP/1.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n\
             HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 C\r\nTransfer-Encoding: chunked\r\n\r\n2;e\r\nab\r\n1\r\nc\r\n0\r\nT: t\r\n\r\n\
             HTTP/1.0 200 OK\r\n\r\nto the end",
        ),
        [
            "0 HEAD /a []",
            "1 GET /b []",
            "2 PUT /c [xyz]",
            "3 GET /d []",
            "0 200 0+0 []",
            "1 304 0+0 []",
            "2 201 3+3 [abc]",
            "3 200 0+10 [to the end]",
        ]
    );
}

#[test]
fn bulk_bodies_are_skipped_and_counted() {
    let mut talk = Talk::default();
    let head = "POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n";
    assert_eq!(talk.push(ToServer, head), Need::More);
    assert_eq!(talk.push(ToServer, vec![b'x'; 5000]), Need::Skip(995_000));
    assert_eq!(talk.events.len(), 1, "4 KiB of the body are enough");
    assert_eq!(talk.stream.skipped(ToServer, 995_000, &mut talk.events), Need::More);
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n";
    assert_eq!(talk.push(ToClient, [head.as_bytes(), &[b'y'; 0x2000]].concat()), Need::Skip(0xe000));
    assert_eq!(talk.stream.skipped(ToClient, 0xe000, &mut talk.events), Need::More);
    assert_eq!(talk.push(ToClient, "\r\n10\r\n0123"), Need::Skip(12));
    assert_eq!(talk.push(ToClient, "456789abcdef\r\n0\r\n\r\n"), Need::More);
    let Some(HttpEvent::Response(response)) = talk.events.last() else { panic!("no response") };
    assert_eq!((response.request_body_length, response.body_length), (1_000_000, 0x10010));
    assert_eq!(response.body.len(), HTTP_BODY_BYTES);
    // Until close: as much as there is.
    talk.push(ToServer, "GET / HTTP/1.1\r\n\r\n");
    assert_eq!(
        talk.push(ToClient, ["HTTP/1.1 200 OK\r\n\r\n", &"z".repeat(5000)].concat()),
        Need::Skip(u64::MAX)
    );
    talk.stream.skipped(ToClient, 7, &mut talk.events);
    assert!(talk.end().last().is_some_and(|line| line.starts_with("1 200 0+5007 [zzz")));
}

#[test]
fn connect_opens_a_tunnel_when_it_is_granted() {
    let mut talk = Talk::default();
    talk.push(ToServer, "CONNECT h.example:443 HTTP/1.1\r\n\r\n");
    talk.push(ToServer, "\n\x16\x03\x01");
    assert_eq!(talk.push(ToClient, "HTTP/1.1 200 Connection established\r\n\r\n\x16\x03\x03"), Need::Nothing);
    assert_eq!(talk.push(ToClient, "more"), Need::Nothing);
    assert_eq!(
        talk.end(),
        ["0 CONNECT h.example:443 []", "0 200 0+0 []", "0 tunnel [\\x16\\x03\\x01] [\\x16\\x03\\x03]"]
    );
}

#[test]
fn a_refused_connect_is_followed_by_http() {
    let mut talk = Talk::default();
    talk.push(
        ToServer,
        "CONNECT h:443 HTTP/1.1\r\n\r\nCONNECT h:443 HTTP/1.1\r\nProxy-Authorization: x\r\n\r\n",
    );
    talk.push(ToClient, "HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno");
    talk.push(ToClient, "HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(
        talk.end(),
        ["0 CONNECT h:443 []", "0 407 0+2 [no]", "1 CONNECT h:443 []", "1 200 0+0 []", "1 tunnel [] []"]
    );
}

#[test]
fn tunnels_in_the_capture_of_one_side() {
    let mut client = Talk::default();
    client.push(ToServer, "CONNECT h:443 HTTP/1.1\r\n\r\n");
    assert_eq!(client.push(ToServer, [b'\x16'; 5000]), Need::Nothing);
    assert!(matches!(&client.events[1], HttpEvent::Tunnel(tunnel) if tunnel.to_server.len() == 5000));
    let tunnel = talk("CONNECT h:443 HTTP/1.1\r\n\r\n\x16", "");
    assert_eq!(tunnel, ["0 CONNECT h:443 []", "0 tunnel [\\x16] []"]);
    let retried = talk("CONNECT h:443 HTTP/1.1\r\n\r\nCONNECT h:443 HTTP/1.1\r\n\r\n\x16", "");
    assert_eq!(retried, ["0 CONNECT h:443 []", "1 CONNECT h:443 []", "1 tunnel [\\x16] []"]);
    let server = talk("", "HTTP/1.0 200 Connection Established\r\n\r\n\x16\x03\x03");
    assert_eq!(server, ["? 200 0+0 []", "? tunnel [] [\\x16\\x03\\x03]"]);
}

#[test]
fn an_upgrade_ends_http() {
    let mut talk = Talk::default();
    talk.push(ToServer, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
    talk.push(ToClient, b"HTTP/1.1 101 Switching\r\nContent-Length: 5\r\n\r\n\x81\x02hi");
    assert_eq!(talk.push(ToServer, "\x01"), Need::Nothing);
    assert_eq!(talk.end(), ["0 GET /ws []", "0 101 0+0 []", "0 tunnel [] [\\x81\\x02hi]"]);
}

#[test]
fn http_0_9_has_no_heads() {
    assert_eq!(talk("GET /old\r\n", "<html>"), ["0 GET /old []", "0 0 0+6 [<html>]"]);
    assert_eq!(talk("GET /old\r\n", ""), ["0 GET /old []"]);
    assert_eq!(
        talk("GET /old\r\nHost: h\r\n\r\n", "HTTP/1.0 400 B\r\n\r\n"),
        ["0 GET /old []", "0 400 0+0 []"]
    );
}

#[test]
fn a_capture_may_have_one_side_or_both_swapped() {
    assert_eq!(talk("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n", ""), ["0 GET /a []", "1 GET /b []"]);
    assert_eq!(
        talk("", "HTTP/1.1 204 N\r\n\r\nHTTP/1.1 500 E\r\nContent-Length: 1\r\n\r\ne"),
        ["? 204 0+0 []", "? 500 0+1 [e]"]
    );
    let mut talk = Talk::default();
    talk.push(ToClient, "GET /a HTTP/1.1\r\n\r\n");
    talk.push(ToServer, "HTTP/1.1 204 N\r\n\r\n");
    assert!(talk.stream.roles_swapped());
    assert_eq!(talk.end(), ["0 GET /a []", "0 204 0+0 []"]);
}

#[test]
fn a_capture_may_begin_inside_a_body() {
    assert_eq!(
        talk(
            "rest of a form=1POST /b HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
            "</div>\r\nHTTP/1.1 is fine\r\n</html>HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        ),
        ["0 POST /b [x] {grammar}", "0 200 1+0 [] {grammar}"]
    );
}

#[test]
fn a_gap_inside_a_body_is_passed_over() {
    let mut talk = Talk::default();
    talk.push(ToServer, "POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
    talk.gap(ToServer, 5);
    talk.push(ToServer, "ijGET /b HTTP/1.1\r\n\r\n");
    talk.push(ToClient, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n12");
    talk.gap(ToClient, 6);
    talk.push(ToClient, "HTTP/1.1 204 N\r\n\r\n");
    assert_eq!(
        talk.end(),
        ["0 POST /a [abc] {body cut, gap}", "1 GET /b []", "0 200 10+8 [12] {gap}", "1 204 0+0 []"]
    );
}

#[test]
fn a_gap_in_a_head_gives_what_came_before_it_and_then_the_next_message() {
    let mut talk = Talk::default();
    talk.push(ToServer, "GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: half");
    talk.gap(ToServer, 100);
    talk.push(ToServer, "lost: too\r\n\r\nGET /c HTTP/1.1\r\n\r\n");
    let Some(HttpEvent::Request(request)) = talk.events.first() else { panic!("no request") };
    assert_eq!((request.host.as_deref(), request.user_agent.as_deref()), (Some(&b"h"[..]), None));
    assert_eq!(talk.end(), ["0 GET /a [] {head cut, body cut, gap}", "1 GET /c [] {gap}"]);
    let mut cut = Talk::default();
    cut.push(ToServer, "GET /whole HTT");
    cut.gap(ToServer, 100);
    assert_eq!(cut.end(), ["0 GET /whole [] {head cut, body cut, gap}"]);
    let mut cut = Talk::default();
    cut.push(ToServer, "GET /hal");
    cut.gap(ToServer, 100);
    assert_eq!(cut.end(), [""; 0]);
}

#[test]
fn after_lost_responses_the_next_one_answers_the_last_request() {
    let mut talk = Talk::default();
    talk.push(ToServer, "GET /a HTTP/1.1\r\n\r\n");
    talk.push(ToClient, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
    talk.gap(ToClient, 500);
    for target in ["/b", "/c"] {
        talk.push(ToServer, format!("GET {target} HTTP/1.1\r\n\r\n"));
    }
    talk.push(ToClient, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(talk.end()[3..], ["2 GET /c []", "2 200 0+0 [] {gap}"]);
}

#[test]
fn lengths_that_disagree_are_flagged() {
    assert_eq!(
        talk("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n", ""),
        ["0 POST / [] {grammar, length}", "1 GET /smuggled []"]
    );
    let both = "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    assert_eq!(talk(both, ""), ["0 POST / [x] {length}", "1 GET / []"]);
    let hosts = "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n";
    assert_eq!(talk(hosts, ""), ["0 GET http://a/ [] {host}", "1 GET / [] {host}"]);
}

#[test]
fn chunks_that_are_none() {
    let server = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n<html>";
    assert_eq!(talk("GET / HTTP/1.1\r\n\r\n", server)[1..], ["0 200 0+6 [<html>] {grammar}"]);
    let client =
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\nGET /b HTTP/1.1\r\n\r\n";
    assert_eq!(talk(client, ""), ["0 POST / [abc] {body cut, grammar}", "1 GET /b [] {grammar}"]);
}

#[test]
fn a_response_may_come_before_its_request_was_sent() {
    let mut talk = Talk::default();
    talk.push(ToServer, "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
    talk.push(ToClient, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    talk.push(ToServer, "defghijGET /b HTTP/1.1\r\n\r\n");
    assert_eq!(talk.end(), ["0 POST / [abc] {body cut}", "0 413 3+0 []", "1 GET /b []"]);
}

#[test]
fn a_head_beyond_the_limit_is_cut_and_its_body_found() {
    let head = format!("POST / HTTP/1.1\r\nContent-Length: 3\r\nA: {}\r\nB: b", "a".repeat(HTTP_HEAD_BYTES));
    for size in [usize::MAX, 1000] {
        let mut talk = Talk::default();
        let bytes = [&head, "\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n"].concat();
        for piece in bytes.as_bytes().chunks(size.min(bytes.len())) {
            talk.push(ToServer, piece);
            assert!(talk.stream.held_bytes() <= HTTP_HEAD_BYTES + HTTP_BODY_BYTES);
        }
        assert_eq!(talk.end(), ["0 POST / [abc] {head cut}", "1 GET /b []"]);
    }
}

#[test]
fn what_is_no_http_is_given_up() {
    let mut talk = Talk::default();
    let mut told = 0;
    while talk.push(ToServer, [0x80; 4096]) == Need::More {
        told += 4096;
        assert!(told <= HTTP_RESYNC_BYTES + 4096 && talk.stream.held_bytes() <= HTTP_HEAD_BYTES);
    }
    assert!(told >= HTTP_RESYNC_BYTES - 4096);
}
