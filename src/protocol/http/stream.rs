//! Both directions of one HTTP/1 connection: messages cut out, requests paired with responses.
//!
//! Each side is a small state machine over the bytes as they come; only an unfinished head is held.
//! What a side sends (requests or responses) is told by its first start line, not by its direction,
//! because a capture that begins in the middle may have the client wrong.

use std::sync::Arc;

use super::{
    HttpFlags, Request, Response,
    body::{Body, BodyEnd},
    exchange::{Exchanges, Kind},
    identify,
    parser::{Fields, Framing, HeadEnd, head_end},
    start_line::{Role, cut_request_line, find_start_line, may_start, request_line, status_line},
};
use crate::{
    flow::{Direction, Piece},
    limits::{HTTP_BODY_BYTES, HTTP_HEAD_BYTES, HTTP_RESYNC_BYTES},
    protocol::{Need, Verdict},
};

/// The end of an unknown line in which a start line is looked for.
const SEARCH_BYTES: usize = 8 << 10;
/// Bytes that a client sent behind CONNECT which wait for the answer.
const EARLY_BYTES: usize = 4 << 10;

/// What a connection carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpEvent {
    /// A request, as soon as its head and the first [`HTTP_BODY_BYTES`] of its body (or all of it)
    /// were read, or no more of them can come. It comes before its response.
    Request(Arc<Request>),
    /// A response, at its end, so that the sizes are known. Interim ones (1xx) are read over.
    Response(Box<Response>),
    /// From here on the connection is something else: CONNECT or an upgrade was granted. The stream
    /// reads nothing more.
    Tunnel(Box<Tunnel>),
}

/// Where HTTP ended: the first bytes of what follows. Later pieces continue them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tunnel {
    /// The request that asked for it; `None` when that was not seen.
    pub request: Option<Arc<Request>>,
    /// First bytes of the direction [`Direction::ToServer`], of those that were pushed.
    pub to_server: Vec<u8>,
    /// First bytes of the direction [`Direction::ToClient`], of those that were pushed.
    pub to_client: Vec<u8>,
}

/// The state of one HTTP/1 connection.
///
/// It holds at most [`HTTP_HEAD_BYTES`] of each side, the first [`HTTP_BODY_BYTES`] of one body of
/// each, and [`crate::limits::HTTP_PENDING_BYTES`] of requests that wait. How bytes are cut into pieces makes no
/// difference to the events.
#[derive(Debug, Default)]
pub struct HttpStream {
    sides: [Side; 2],
    /// Which direction carries requests, once known.
    client: Option<Direction>,
    exchanges: Exchanges,
    /// Requests seen.
    requests: u32,
    /// Whether a request was ever sent before the one ahead of it was answered.
    pipelined: bool,
    /// Whether the response under way grants a tunnel.
    grants_tunnel: bool,
    /// Whether HTTP ended: with a tunnel or with the connection.
    over: bool,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    state: State,
    /// An unfinished head, an unfinished line, or bytes behind CONNECT.
    held: Vec<u8>,
    /// Up to where the blank line has been looked for in `held`.
    scanned: usize,
    /// Whether `held` begins with a whole and good start line.
    has_start_line: bool,
    /// Flags for the next message.
    oddities: u16,
    /// Bytes gone over since the thread was lost.
    searched: u64,
    /// The message under way that was not emitted yet.
    message: Option<Message>,
    /// Bytes of the body under way or just ended.
    body_length: u64,
    /// Whether bytes of the body are missing, so that what follows cannot be appended.
    torn: bool,
}

#[derive(Debug, Default)]
enum State {
    /// At a message's start or inside its head.
    #[default]
    Head,
    /// In a head that went beyond its limit; the body comes behind it.
    HeadRest { framing: Framing, line_is_empty: bool },
    /// In a body.
    Body(Body),
    /// Behind CONNECT, whose answer is not known.
    Early,
    /// Somewhere: the next start line is looked for.
    Lost,
    /// Nothing more is read.
    Done,
}

#[derive(Debug)]
enum Message {
    Request(Box<Request>),
    Response(Box<Response>),
}

impl HttpStream {
    /// Reads the next piece of a direction; see [`HttpStream::push`], [`HttpStream::gap`] and
    /// [`HttpStream::skipped`].
    pub fn piece(&mut self, direction: Direction, piece: Piece<'_>, out: &mut Vec<HttpEvent>) -> Need {
        match piece {
            Piece::Data(bytes) => self.push(direction, bytes, out),
            Piece::Gap(count) => self.gap(direction, count, out),
            Piece::Skipped(count) => self.skipped(direction, count, out),
        }
    }

    /// Reads the next bytes of a direction. After [`Need::Skip`] the bytes may be pushed all the same;
    /// if they are not, [`HttpStream::skipped`] must tell of them.
    pub fn push(&mut self, direction: Direction, piece: &[u8], out: &mut Vec<HttpEvent>) -> Need {
        self.read(direction, piece, out);
        self.need(direction)
    }

    /// `count` bytes of a direction are missing for good ([`Piece::Gap`]).
    pub fn gap(&mut self, direction: Direction, count: u64, out: &mut Vec<HttpEvent>) -> Need {
        if count > 0 {
            self.pass(direction, count, HttpFlags::GAP, out);
        }
        self.need(direction)
    }

    /// `count` bytes of a direction were passed over, as [`Need::Skip`] allowed.
    pub fn skipped(&mut self, direction: Direction, count: u64, out: &mut Vec<HttpEvent>) -> Need {
        if count > 0 {
            self.pass(direction, count, 0, out);
        }
        self.need(direction)
    }

    /// The connection ended: emits what is under way.
    pub fn finish(&mut self, out: &mut Vec<HttpEvent>) {
        let client = self.client.unwrap_or(Direction::ToServer);
        // Each turn reads one CONNECT of the early bytes.
        while matches!(self.side(client).state, State::Early) && !self.over {
            self.decide_early(client, out);
        }
        for direction in [client, client.reverse()] {
            if !self.over {
                self.cut_head(direction, 0, out);
                self.end_message_early(direction, out);
            }
        }
        self.over = true;
    }

    /// Whether requests come in the direction [`Direction::ToClient`]: the flow's ends are swapped.
    pub fn roles_swapped(&self) -> bool {
        self.client == Some(Direction::ToClient)
    }

    /// Bytes held of heads, lines and bodies under way.
    pub(super) fn held_bytes(&self) -> usize {
        let side = |side: &Side| side.held.len() + side.message.as_ref().map_or(0, Message::body_bytes);
        self.sides.iter().map(side).sum()
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        let [to_server, to_client] = &mut self.sides;
        match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        }
    }

    fn role(&self, direction: Direction) -> Option<Role> {
        let client = self.client?;
        Some(if client == direction { Role::Client } else { Role::Server })
    }

    /// Whether `check` holds for what this direction may send.
    fn fits(&self, direction: Direction, check: impl Fn(Role) -> bool) -> bool {
        match self.role(direction) {
            Some(role) => check(role),
            None => check(Role::Server) || check(Role::Client),
        }
    }

    fn need(&mut self, direction: Direction) -> Need {
        if self.over {
            return Need::Nothing;
        }
        let side = self.side(direction);
        match &side.state {
            State::Done => Need::Nothing,
            State::Body(body) if !side.wants_body() => match body.plain_bytes() {
                Some(0) => Need::More,
                Some(count) => Need::Skip(count),
                None => Need::Skip(u64::MAX),
            },
            _ => Need::More,
        }
    }

    // ---- bytes -----------------------------------------------------------------------------------

    /// Reads `bytes` to their end. Every turn consumes something or leaves [`State::Head`].
    fn read(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<HttpEvent>) {
        if self.over {
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() && !self.over {
            if matches!(self.side(direction).state, State::Head | State::Lost) {
                self.finish_simple_request(direction, out);
            }
            let consumed = match &self.side(direction).state {
                State::Head => self.read_head(direction, rest, out),
                State::HeadRest { .. } => self.read_head_rest(direction, rest, out),
                State::Body(_) => self.read_body(direction, rest, out),
                State::Early => self.read_early(direction, rest, out),
                State::Lost => self.search(direction, rest),
                State::Done => rest.len(),
            };
            rest = rest.get(consumed..).unwrap_or_default();
        }
        if self.over
            && let Some(HttpEvent::Tunnel(tunnel)) = out.last_mut()
        {
            match direction {
                Direction::ToServer => tunnel.to_server.extend_from_slice(rest),
                Direction::ToClient => tunnel.to_client.extend_from_slice(rest),
            }
        }
    }

    /// Reads at a message's start: in place when the whole head is there, else from what is held.
    fn read_head(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<HttpEvent>) -> usize {
        let side = self.side(direction);
        if !side.has_start_line {
            if side.held.is_empty() {
                // Empty lines before a message are to be ignored (RFC 9112 section 2.2).
                let empty = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                if empty > 0 {
                    return empty;
                }
            }
            return self.read_start_line(direction, bytes, out);
        }
        let known = side.held.len();
        let room = HTTP_HEAD_BYTES.saturating_sub(known).min(bytes.len());
        side.held.extend_from_slice(bytes.get(..room).unwrap_or_default());
        let end = head_end(&side.held, side.scanned);
        match end {
            HeadEnd::At(end) => {
                let mut head = std::mem::take(&mut side.held);
                head.truncate(end);
                self.begin_message(direction, &head, None, out);
                self.recycle(direction, head);
                end.saturating_sub(known)
            }
            HeadEnd::After(_) if side.held.len() >= HTTP_HEAD_BYTES => {
                let head = std::mem::take(&mut side.held);
                self.begin_message(direction, &head, Some(HeadBreak::TooLong), out);
                room
            }
            HeadEnd::After(scanned) => {
                side.scanned = scanned;
                room
            }
        }
    }

    /// Reads the bytes of a start line, of which the first may be held already.
    fn read_start_line(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<HttpEvent>) -> usize {
        let side = self.side(direction);
        let known = side.held.len();
        let room = HTTP_HEAD_BYTES.saturating_sub(known).min(bytes.len());
        let reachable = bytes.get(..room).unwrap_or_default();
        let line_end = reachable.iter().position(|byte| *byte == b'\n').map(|feed| feed + 1);
        if known == 0
            && let Some(line_end) = line_end
            && let HeadEnd::At(end) = head_end(reachable, line_end - 1)
            && self.is_start_line(direction, reachable.get(..line_end - 1).unwrap_or_default())
        {
            // The common case: the whole head in one piece, read where it lies.
            let head = bytes.get(..end).unwrap_or_default();
            self.begin_message(direction, head, None, out);
            return end;
        }
        let taken = line_end.unwrap_or(room);
        let side = self.side(direction);
        side.held.extend_from_slice(reachable.get(..taken).unwrap_or_default());
        let line = std::mem::take(&mut side.held);
        let is_good = match line.strip_suffix(b"\n") {
            Some(whole) if line_end.is_some() => self.is_start_line(direction, whole),
            _ => line.len() < HTTP_HEAD_BYTES && self.fits(direction, |role| may_start(&line, role)),
        };
        if !is_good && self.begin_simple_response(direction, &line) {
            self.take_body(direction, &line, out);
            return taken;
        }
        let side = self.side(direction);
        side.held = line;
        if is_good {
            side.has_start_line = line_end.is_some();
            side.scanned = side.held.len().saturating_sub(1);
        } else {
            side.lose(HttpFlags::GRAMMAR);
            if line_end.is_some() {
                self.search_line(direction);
            }
        }
        taken
    }

    fn is_start_line(&self, direction: Direction, line: &[u8]) -> bool {
        self.fits(direction, |role| match role {
            Role::Client => request_line(line).is_some(),
            Role::Server => status_line(line).is_some(),
        })
    }

    fn read_head_rest(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<HttpEvent>) -> usize {
        let State::HeadRest { framing, line_is_empty } = &mut self.side(direction).state else { return 0 };
        for (index, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' if *line_is_empty => {
                    let framing = *framing;
                    self.begin_body(direction, framing, out);
                    return index + 1;
                }
                b'\n' => *line_is_empty = true,
                b'\r' => {}
                _ => *line_is_empty = false,
            }
        }
        bytes.len()
    }

    fn read_body(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<HttpEvent>) -> usize {
        let State::Body(body) = &mut self.side(direction).state else { return 0 };
        let step = body.step(bytes);
        self.take_body(direction, step.data, out);
        match step.end {
            BodyEnd::Open => {}
            BodyEnd::Done => self.end_message(direction, out),
            BodyEnd::Broken => self.break_body(direction, out),
        }
        step.consumed
    }

    /// The chunks make no sense. A response goes on as receivers that do not know the coding read it;
    /// a request's end is unknown.
    fn break_body(&mut self, direction: Direction, out: &mut Vec<HttpEvent>) {
        let is_request = self.role(direction) == Some(Role::Client);
        let side = self.side(direction);
        if is_request {
            side.flag(HttpFlags::GRAMMAR | HttpFlags::BODY_CUT);
            self.end_message(direction, out);
            self.side(direction).lose(HttpFlags::GRAMMAR);
        } else {
            side.flag(HttpFlags::GRAMMAR);
            side.state = State::Body(Body::UntilClose);
        }
    }

    /// Keeps the first bytes of a body and counts all.
    fn take_body(&mut self, direction: Direction, data: &[u8], out: &mut Vec<HttpEvent>) {
        let side = self.side(direction);
        side.body_length += data.len() as u64;
        if !side.wants_body() {
            return;
        }
        let Some(message) = &mut side.message else { return };
        let body = match message {
            Message::Request(request) => &mut request.body,
            Message::Response(response) => &mut response.body,
        };
        let room = HTTP_BODY_BYTES.saturating_sub(body.len()).min(data.len());
        body.extend_from_slice(data.get(..room).unwrap_or_default());
        if body.len() >= HTTP_BODY_BYTES && matches!(message, Message::Request(_)) {
            self.emit_request(direction, 0, out);
        }
    }

    /// Looks for a start line in bytes of unknown meaning, line by line.
    fn search(&mut self, direction: Direction, bytes: &[u8]) -> usize {
        let side = self.side(direction);
        let allowed = usize::try_from(HTTP_RESYNC_BYTES - side.searched).unwrap_or(usize::MAX);
        if allowed == 0 {
            side.held = Vec::new();
            side.state = State::Done;
            return bytes.len();
        }
        let reachable = bytes.get(..allowed.min(bytes.len())).unwrap_or_default();
        let line_end = reachable.iter().position(|byte| *byte == b'\n').map(|feed| feed + 1);
        let taken = line_end.unwrap_or(reachable.len());
        side.searched += taken as u64;
        // Of a long line only the end counts; twice as much is held so that it moves rarely.
        let line = reachable.get(..taken).unwrap_or_default();
        let tail = line.get(line.len().saturating_sub(SEARCH_BYTES)..).unwrap_or_default();
        side.held.extend_from_slice(tail);
        if side.held.len() > 2 * SEARCH_BYTES {
            side.held.drain(..side.held.len() - SEARCH_BYTES);
        }
        if line_end.is_some() {
            self.search_line(direction);
        }
        taken
    }

    /// Looks for a start line in the held line: what is found stays held as a head's beginning.
    fn search_line(&mut self, direction: Direction) {
        let mut line = std::mem::take(&mut self.side(direction).held);
        line.drain(..line.len().saturating_sub(SEARCH_BYTES));
        let find = |role| find_start_line(line.strip_suffix(b"\n").unwrap_or(&line), role);
        let found = match self.role(direction) {
            Some(role) => find(role),
            None => find(Role::Server).or_else(|| find(Role::Client)),
        };
        match found {
            Some(start) => {
                line.drain(..start);
                let side = self.side(direction);
                side.scanned = line.len().saturating_sub(1);
                side.held = line;
                side.has_start_line = true;
                side.state = State::Head;
            }
            None => self.recycle(direction, line),
        }
    }

    /// Gives a side its empty buffer back, unless it took another one or it is large.
    fn recycle(&mut self, direction: Direction, mut buffer: Vec<u8>) {
        let side = self.side(direction);
        if side.held.is_empty() && buffer.capacity() <= 2 * SEARCH_BYTES {
            buffer.clear();
            side.held = buffer;
        }
    }

    // ---- bytes that were not seen ----------------------------------------------------------------

    /// Moves a direction over `count` unseen bytes; `lost` is [`HttpFlags::GAP`] or 0.
    fn pass(&mut self, direction: Direction, count: u64, lost: u16, out: &mut Vec<HttpEvent>) {
        if self.over {
            return;
        }
        match &mut self.side(direction).state {
            State::Body(body) => {
                let room = body.plain_bytes().unwrap_or(u64::MAX);
                let is_open_end = *body == Body::UntilClose;
                let passed = if count == Piece::UNKNOWN_GAP { 0 } else { count.min(room) };
                let end = body.pass(passed);
                let side = self.side(direction);
                side.body_length += passed;
                side.flag(lost);
                if side.wants_body() {
                    side.torn = true;
                    if matches!(side.message, Some(Message::Request(_))) {
                        self.emit_request(direction, HttpFlags::BODY_CUT, out);
                    }
                }
                if passed == count || is_open_end {
                    if end == BodyEnd::Done {
                        self.end_message(direction, out);
                    }
                    return;
                }
                if end != BodyEnd::Done {
                    self.side(direction).flag(HttpFlags::BODY_CUT);
                }
                self.end_message(direction, out);
                self.side(direction).lose(HttpFlags::GAP);
            }
            State::Head => {
                self.cut_head(direction, HttpFlags::GAP, out);
                self.side(direction).held.clear();
                self.side(direction).lose(HttpFlags::GAP);
            }
            State::HeadRest { .. } => {
                self.side(direction).flag(HttpFlags::GAP);
                self.end_message_early(direction, out);
                self.side(direction).lose(HttpFlags::GAP);
            }
            State::Lost => {
                self.side(direction).held.clear();
                self.side(direction).oddities |= HttpFlags::GAP;
            }
            State::Early => self.open_tunnel(out),
            State::Done => {}
        }
    }

    /// Emits what a head says that will not be complete.
    fn cut_head(&mut self, direction: Direction, lost: u16, out: &mut Vec<HttpEvent>) {
        let side = self.side(direction);
        if !matches!(side.state, State::Head) || side.held.is_empty() {
            return;
        }
        let head = std::mem::take(&mut side.held);
        let is_line = side.has_start_line;
        let is_simple = is_simple_request(&head) && lost == 0;
        let is_request = self.role(direction) != Some(Role::Server);
        if is_line && is_simple && is_request {
            self.begin_message(direction, &head, None, out);
        } else if is_line || (is_request && cut_request_line(&head).is_some()) {
            self.side(direction).oddities |= lost;
            self.begin_message(direction, &head, Some(HeadBreak::Cut), out);
        }
    }

    /// Ends the message under way where its end was not seen.
    fn end_message_early(&mut self, direction: Direction, out: &mut Vec<HttpEvent>) {
        let side = self.side(direction);
        let flags = match side.state {
            State::Body(Body::UntilClose) => 0,
            State::Body(_) | State::HeadRest { .. } => HttpFlags::BODY_CUT,
            _ => return,
        };
        side.flag(flags);
        self.end_message(direction, out);
    }

    // ---- messages --------------------------------------------------------------------------------

    /// Reads a head with its start line and goes on to its body.
    fn begin_message(
        &mut self,
        direction: Direction,
        head: &[u8],
        broken: Option<HeadBreak>,
        out: &mut Vec<HttpEvent>,
    ) {
        let line_end = head.iter().position(|byte| *byte == b'\n').map_or(head.len(), |feed| feed + 1);
        let (line, lines) = head.split_at(line_end);
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let is_response = match self.role(direction) {
            Some(role) => role == Role::Server,
            None => status_line(line).is_some(),
        };
        self.client = Some(if is_response { direction.reverse() } else { direction });
        let side = self.side(direction);
        side.has_start_line = false;
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

    fn begin_request(
        &mut self,
        direction: Direction,
        line: &[u8],
        lines: &[u8],
        mut flags: HttpFlags,
    ) -> Option<Framing> {
        let line = request_line(line).or_else(|| cut_request_line(line))?;
        if line.irregular {
            flags.set(HttpFlags::GRAMMAR);
        }
        let fields = Fields::read(lines);
        let kind = Kind::of(line.method);
        let framing = if kind == Kind::Connect { Framing::Empty } else { fields.request_framing() };
        let mut request = Box::new(Request {
            index: self.requests,
            method: line.method.to_vec(),
            target: line.target.to_vec(),
            version: line.version.to_vec(),
            flags,
            ..Request::default()
        });
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
        self.side(direction).message = Some(Message::Request(request));
        Some(framing)
    }

    fn begin_response(
        &mut self,
        direction: Direction,
        line: &[u8],
        lines: &[u8],
        mut flags: HttpFlags,
    ) -> Option<Framing> {
        let line = status_line(line)?;
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
        let mut response = Box::new(Response {
            status: line.status,
            version: line.version.to_vec(),
            flags,
            ..Response::default()
        });
        fields.fill_response(&mut response);
        self.side(direction).message = Some(Message::Response(response));
        self.grants_tunnel = opens_tunnel;
        Some(framing)
    }

    /// Takes `line` for the beginning of an HTTP/0.9 response, which has no head, if one is due.
    fn begin_simple_response(&mut self, direction: Direction, line: &[u8]) -> bool {
        let is_due = self.role(direction) == Some(Role::Server)
            && self.side(direction).oddities == 0
            && self.exchanges.front().is_some_and(|exchange| exchange.is_simple)
            && !line.is_empty();
        if is_due {
            self.exchanges.answer_next();
            let side = self.side(direction);
            side.message = Some(Message::Response(Box::default()));
            side.state = State::Body(Body::UntilClose);
            side.body_length = 0;
            side.torn = false;
        }
        is_due
    }

    /// Bytes from the server show that a request line without a version is all there is (HTTP/0.9).
    fn finish_simple_request(&mut self, direction: Direction, out: &mut Vec<HttpEvent>) {
        let Some(client) = self.client_of_simple_request(direction) else { return };
        let head = std::mem::take(&mut self.side(client).held);
        self.begin_message(client, &head, None, out);
    }

    fn client_of_simple_request(&mut self, direction: Direction) -> Option<Direction> {
        if self.role(direction) == Some(Role::Client) || self.over {
            return None;
        }
        let side = self.side(direction.reverse());
        let waits = matches!(side.state, State::Head) && side.has_start_line && is_simple_request(&side.held);
        waits.then_some(direction.reverse())
    }

    fn begin_body(&mut self, direction: Direction, framing: Framing, out: &mut Vec<HttpEvent>) {
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
    fn end_message(&mut self, direction: Direction, out: &mut Vec<HttpEvent>) {
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
    fn emit_request(&mut self, direction: Direction, flags: u16, out: &mut Vec<HttpEvent>) {
        let side = self.side(direction);
        side.flag(flags);
        match side.message.take() {
            Some(Message::Request(request)) => {
                let request = Arc::<Request>::from(request);
                self.exchanges.keep(&request);
                out.push(HttpEvent::Request(request));
            }
            other => side.message = other,
        }
    }

    fn emit_response(&mut self, direction: Direction, out: &mut Vec<HttpEvent>) {
        let side = self.side(direction);
        let body_length = side.body_length;
        let Some(Message::Response(mut response)) = side.message.take() else { return };
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
        out.push(HttpEvent::Response(response));
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
    fn read_early(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<HttpEvent>) -> usize {
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
    fn decide_early(&mut self, direction: Direction, out: &mut Vec<HttpEvent>) {
        if identify(&self.side(direction).held) == Verdict::Yes {
            self.leave_early(direction, out);
        } else {
            self.open_tunnel(out);
        }
    }

    /// CONNECT was refused: the bytes behind it are HTTP. They are fewer each time that they end
    /// behind another CONNECT, and below the limit at which this is called from within.
    fn leave_early(&mut self, direction: Direction, out: &mut Vec<HttpEvent>) {
        let side = self.side(direction);
        side.state = State::Head;
        let early = std::mem::take(&mut side.held);
        self.read(direction, &early, out);
    }

    /// HTTP ends here, and what is held belongs to what follows.
    fn open_tunnel(&mut self, out: &mut Vec<HttpEvent>) {
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

/// Why a head is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeadBreak {
    /// It goes on beyond its limit.
    TooLong,
    /// Its other bytes will never be seen.
    Cut,
}

impl Message {
    fn body_bytes(&self) -> usize {
        match self {
            Self::Request(request) => request.body.len(),
            Self::Response(response) => response.body.len(),
        }
    }
}

impl Side {
    /// Whether the body's bytes are kept.
    fn wants_body(&self) -> bool {
        let has_room = |message: &Message| message.body_bytes() < HTTP_BODY_BYTES;
        !self.torn && self.message.as_ref().is_some_and(has_room)
    }

    fn flag(&mut self, flags: u16) {
        match &mut self.message {
            Some(Message::Request(request)) => request.flags.set(flags),
            Some(Message::Response(response)) => response.flags.set(flags),
            None => {}
        }
    }

    /// The thread is lost; what is held may be the beginning of a line.
    fn lose(&mut self, why: u16) {
        self.state = State::Lost;
        self.has_start_line = false;
        self.oddities |= why;
        self.searched = 0;
    }

    fn take_unread(&mut self) -> Vec<u8> {
        match self.state {
            State::Head | State::Early => std::mem::take(&mut self.held),
            _ => Vec::new(),
        }
    }
}

/// Whether `head` is one line, a request line without a version (HTTP/0.9).
fn is_simple_request(head: &[u8]) -> bool {
    head.strip_suffix(b"\n").is_some_and(|line| {
        !line.contains(&b'\n') && request_line(line).is_some_and(|line| line.version.is_empty())
    })
}
