//! Messages of a connection: from their heads to their events, requests paired with responses, and
//! the tunnels that some of them open.

use std::sync::Arc;

use super::{
    HttpEvent, HttpFlags, HttpStream, Request, Response, Tunnel,
    body::Body,
    exchange::{Exchanges, Kind},
    identify,
    parser::{Fields, Framing},
    side::{HeadBreak, Message, StartLine, State},
    start_line::{Role, cut_request_line, may_start, request_line, status_line},
};
use crate::{bytes::find_byte, flow::Direction, protocol::Verdict};

/// Bytes that a client sent behind CONNECT which wait for the answer.
const EARLY_BYTES: usize = 4 << 10;

impl HttpStream {
    /// Reads a head with its start line and goes on to its body.
    pub(super) fn begin_message(
        &mut self,
        direction: Direction,
        head: &[u8],
        broken: Option<HeadBreak>,
        out: &mut Vec<HttpEvent>,
    ) {
        let line_end = find_byte(head, b'\n').map_or(head.len(), |feed| feed + 1);
        let (line, lines) = head.split_at(line_end);
        let is_response = match self.role(direction) {
            Some(role) => role == Role::Server,
            None => may_start(line, Role::Server),
        };
        self.client = Some(if is_response { direction.reverse() } else { direction });
        let side = self.side(direction);
        side.start_line = StartLine::Missing;
        side.scanned = 0;
        side.searched = 0;
        side.body_length = 0;
        side.torn = false;
        let mut flags = HttpFlags(std::mem::take(&mut side.oddities));
        if broken.is_some() {
            flags.set(HttpFlags::HEAD_CUT);
        }
        let framing = if is_response {
            self.begin_response(direction, line, lines, flags)
        } else {
            self.begin_request(direction, line, lines, flags)
        };
        match (framing, broken) {
            (Some(framing), None) => self.begin_body(direction, framing, out),
            (Some(framing), Some(HeadBreak::TooLong)) => {
                let line_is_empty = head.ends_with(b"\n") || head.ends_with(b"\n\r");
                self.side(direction).state = State::HeadRest { framing, line_is_empty };
            }
            (Some(_), Some(HeadBreak::Cut)) => {
                self.side(direction).flag(HttpFlags::BODY_CUT);
                self.begin_body(direction, Framing::Empty, out);
            }
            // An interim response: the next head follows.
            (None, _) => self.side(direction).state = State::Head,
        }
    }

    pub(super) fn begin_request(
        &mut self,
        direction: Direction,
        line: &[u8],
        lines: &[u8],
        mut flags: HttpFlags,
    ) -> Option<Framing> {
        // Of a cut head the line may lack its end: then its last word is not to be believed.
        let line = match line.strip_suffix(b"\n") {
            Some(whole) => request_line(whole),
            None => cut_request_line(line),
        }?;
        if line.irregular {
            flags.set(HttpFlags::GRAMMAR);
        }
        let fields = Fields::read(lines);
        let kind = Kind::of(line.method);
        let framing = if kind == Kind::Connect { Framing::Empty } else { fields.request_framing() };
        let mut request = Request {
            index: self.requests,
            method: line.method.to_vec(),
            target: line.target.to_vec(),
            version: line.version.to_vec(),
            flags,
            ..Request::default()
        };
        fields.fill_request(&mut request);
        let is_server_lost = matches!(self.side(direction.reverse()).state, State::Lost);
        if is_server_lost && !self.pipelined {
            // Whoever waits for each answer has had those that were lost.
            self.exchanges.forget();
        }
        self.pipelined |= !self.exchanges.is_idle();
        let is_simple = line.version.is_empty() && !flags.has(HttpFlags::HEAD_CUT);
        self.exchanges.push(self.requests, kind, is_simple);
        self.requests = self.requests.wrapping_add(1);
        self.side(direction).message = Some(Message::Request(Arc::new(request)));
        Some(framing)
    }

    pub(super) fn begin_response(
        &mut self,
        direction: Direction,
        line: &[u8],
        lines: &[u8],
        mut flags: HttpFlags,
    ) -> Option<Framing> {
        let line = status_line(line.strip_suffix(b"\n").unwrap_or(line))?;
        if (100..200).contains(&line.status) && line.status != 101 {
            self.side(direction).oddities |= flags.0;
            return None;
        }
        if line.irregular {
            flags.set(HttpFlags::GRAMMAR);
        }
        if flags.has(HttpFlags::GAP) && self.exchanges.len() > 1 {
            // Responses may be missing: nobody knows which of them this one answers.
            self.exchanges.forget();
        }
        let kind = self.exchanges.answer_next().map(|exchange| exchange.kind);
        let fields = Fields::read(lines);
        let is_success = (200..300).contains(&line.status);
        let opens_tunnel = match kind {
            _ if line.status == 101 => true,
            Some(Kind::Connect) => is_success,
            Some(_) => false,
            // The proxy's half of a capture: no other 2xx is called so.
            None => is_success && line.reason.eq_ignore_ascii_case(b"Connection established"),
        };
        let framing = match line.status {
            _ if opens_tunnel || kind == Some(Kind::Head) => Framing::Empty,
            204 | 304 => Framing::Empty,
            _ => fields.response_framing(),
        };
        let mut response =
            Response { status: line.status, version: line.version.to_vec(), flags, ..Response::default() };
        fields.fill_response(&mut response);
        self.side(direction).message = Some(Message::Response(Arc::new(response)));
        self.grants_tunnel = opens_tunnel;
        Some(framing)
    }

    /// Takes `line` for the beginning of an HTTP/0.9 response, which has no head, if one is due.
    pub(super) fn begin_simple_response(&mut self, direction: Direction, line: &[u8]) -> bool {
        let is_due = self.role(direction) == Some(Role::Server)
            && self.side(direction).oddities == 0
            && self.exchanges.front().is_some_and(|exchange| exchange.is_simple)
            && !line.is_empty();
        if is_due {
            self.exchanges.answer_next();
            let side = self.side(direction);
            side.message = Some(Message::Response(Arc::default()));
            side.state = State::Body(Body::UntilClose);
            side.body_length = 0;
            side.torn = false;
        }
        is_due
    }

    /// Bytes from the server show that a request line without a version is all there is (HTTP/0.9).
    pub(super) fn finish_simple_request(&mut self, direction: Direction, out: &mut Vec<HttpEvent>) {
        let Some(client) = self.client_of_simple_request(direction) else { return };
        let head = std::mem::take(&mut self.side(client).held);
        self.begin_message(client, &head, None, out);
    }

    pub(super) fn client_of_simple_request(&mut self, direction: Direction) -> Option<Direction> {
        if self.role(direction) == Some(Role::Client) || self.over {
            return None;
        }
        let side = self.side(direction.reverse());
        let waits = matches!(side.state, State::Head) && side.start_line == StartLine::Simple;
        waits.then_some(direction.reverse())
    }

    pub(super) fn begin_body(&mut self, direction: Direction, framing: Framing, out: &mut Vec<HttpEvent>) {
        if self.grants_tunnel {
            self.end_message(direction, out);
            return self.open_tunnel(out);
        }
        match Body::of(framing) {
            Some(body) => self.side(direction).state = State::Body(body),
            None => self.end_message(direction, out),
        }
    }

    /// The message under way is over: emits what was not emitted, and waits for the next.
    pub(super) fn end_message(&mut self, direction: Direction, out: &mut Vec<HttpEvent>) {
        self.side(direction).state = State::Head;
        if self.role(direction) == Some(Role::Server) {
            return self.emit_response(direction, out);
        }
        self.emit_request(direction, 0, out);
        let body_length = self.side(direction).body_length;
        let index = self.requests.wrapping_sub(1);
        let Some(exchange) = self.exchanges.find(index) else { return };
        exchange.body_length = body_length;
        if exchange.kind == Kind::Connect {
            self.side(direction).state = State::Early;
        }
    }

    /// Emits the request under way, unless that was done.
    pub(super) fn emit_request(&mut self, direction: Direction, flags: u16, out: &mut Vec<HttpEvent>) {
        let side = self.side(direction);
        side.flag(flags);
        match side.message.take() {
            Some(Message::Request(request)) => {
                self.exchanges.keep(&request);
                out.push(HttpEvent::Request(request));
            }
            other => side.message = other,
        }
    }

    pub(super) fn emit_response(&mut self, direction: Direction, out: &mut Vec<HttpEvent>) {
        let side = self.side(direction);
        let body_length = side.body_length;
        let Some(Message::Response(mut shared)) = side.message.take() else { return };
        let response = Arc::make_mut(&mut shared);
        response.body_length = body_length;
        let client = direction.reverse();
        let last = self.requests.wrapping_sub(1);
        let is_sending = matches!(self.side(client).state, State::Body(_) | State::HeadRest { .. })
            && self.exchanges.answering.as_ref().is_some_and(|exchange| exchange.index == last);
        if is_sending {
            // Answered before it was sent: what is known of it must come first.
            self.emit_request(client, HttpFlags::BODY_CUT, out);
        }
        let sent_so_far = self.side(client).body_length;
        let mut was_connect = false;
        if let Some(exchange) = &self.exchanges.answering {
            was_connect = exchange.kind == Kind::Connect;
            response.request.clone_from(&exchange.request);
            response.request_body_length = if is_sending { sent_so_far } else { exchange.body_length };
        }
        out.push(HttpEvent::Response(shared));
        if self.grants_tunnel {
            // The tunnel will name its request.
            return;
        }
        self.exchanges.answering = None;
        if was_connect && matches!(self.side(client).state, State::Early) {
            self.leave_early(client, out);
        }
    }

    // ---- tunnels ---------------------------------------------------------------------------------

    /// Behind CONNECT: the bytes wait for the answer, up to a limit, because in the capture of one
    /// side only there is none.
    pub(super) fn read_early(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        out: &mut Vec<HttpEvent>,
    ) -> usize {
        let side = self.side(direction);
        let room = EARLY_BYTES.saturating_sub(side.held.len()).min(bytes.len());
        side.held.extend_from_slice(bytes.get(..room).unwrap_or_default());
        if side.held.len() >= EARLY_BYTES {
            self.decide_early(direction, out);
        }
        room
    }

    /// No answer will come in time: bytes that are a request follow a CONNECT that was refused, others
    /// are in the tunnel.
    pub(super) fn decide_early(&mut self, direction: Direction, out: &mut Vec<HttpEvent>) {
        if identify(&self.side(direction).held) == Verdict::Yes {
            self.leave_early(direction, out);
        } else {
            self.open_tunnel(out);
        }
    }

    /// CONNECT was refused: the bytes behind it are HTTP. They are fewer each time that they end
    /// behind another CONNECT, and below the limit at which this is called from within.
    pub(super) fn leave_early(&mut self, direction: Direction, out: &mut Vec<HttpEvent>) {
        let side = self.side(direction);
        side.state = State::Head;
        let early = std::mem::take(&mut side.held);
        self.read(direction, &early, out);
    }

    /// HTTP ends here, and what is held belongs to what follows.
    pub(super) fn open_tunnel(&mut self, out: &mut Vec<HttpEvent>) {
        self.over = true;
        let [to_server, to_client] = &mut self.sides;
        let asked = self.exchanges.answering.take().or_else(|| self.exchanges.take_last());
        out.push(HttpEvent::Tunnel(Box::new(Tunnel {
            request: asked.and_then(|exchange| exchange.request),
            to_server: to_server.take_unread(),
            to_client: to_client.take_unread(),
        })));
        self.exchanges = Exchanges::default();
    }
}
