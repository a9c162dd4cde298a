//! Both directions of one HTTP/1 connection: messages cut out, requests paired with responses.
//!
//! Each side is a small state machine over the bytes as they come; only an unfinished head is held.
//! What a side sends (requests or responses) is told by its first start line, not by its direction,
//! because a capture that begins in the middle may have the client wrong.

use std::sync::Arc;

use super::{
    HttpFlags, Request, Response,
    body::{Body, BodyEnd},
    exchange::Exchanges,
    parser::{HeadEnd, head_end},
    side::{HeadBreak, Message, Side, StartLine, State, without_empty_lines},
    start_line::{Role, cut_request_line, find_start_line, may_start, request_line, status_line},
};
use crate::{
    bytes::find_byte,
    flow::{Direction, Piece},
    limits::{HTTP_BODY_BYTES, HTTP_HEAD_BYTES, HTTP_RESYNC_BYTES},
    protocol::Need,
};

/// The end of an unknown line in which a start line is looked for.
const SEARCH_BYTES: usize = 8 << 10;

/// What a connection carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpEvent {
    /// A request, as soon as its head and the first [`HTTP_BODY_BYTES`] of its body (or all of it)
    /// were read, or no more of them can come. It comes before its response.
    Request(Arc<Request>),
    /// A response, at its end, so that the sizes are known. Interim ones (1xx) are read over.
    Response(Arc<Response>),
    /// From here on the connection is something else: CONNECT or an upgrade was granted. The stream
    /// reads nothing more.
    Tunnel(Box<Tunnel>),
}

/// Where HTTP ended: the first bytes of what follows, without empty lines in front. Later pieces
/// continue them.
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
    pub(super) sides: [Side; 2],
    /// Which direction carries requests, once known.
    pub(super) client: Option<Direction>,
    pub(super) exchanges: Exchanges,
    /// Requests seen.
    pub(super) requests: u32,
    /// Whether a request was ever sent before the one ahead of it was answered.
    pub(super) pipelined: bool,
    /// Whether the response under way grants a tunnel.
    pub(super) grants_tunnel: bool,
    /// Whether HTTP ended: with a tunnel or with the connection.
    pub(super) over: bool,
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

    /// Bytes held of heads, lines and messages under way, and of requests that wait for their response.
    pub fn held(&self) -> usize {
        let side = |side: &Side| side.held.capacity() + side.message.as_ref().map_or(0, Message::held);
        self.sides.iter().map(side).sum::<usize>() + self.exchanges.held()
    }

    /// Bytes held of heads, lines and bodies under way.
    pub(super) fn held_bytes(&self) -> usize {
        let side = |side: &Side| side.held.len() + side.message.as_ref().map_or(0, Message::body_bytes);
        self.sides.iter().map(side).sum()
    }

    pub(super) fn side(&mut self, direction: Direction) -> &mut Side {
        let [to_server, to_client] = &mut self.sides;
        match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        }
    }

    pub(super) fn role(&self, direction: Direction) -> Option<Role> {
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
    pub(super) fn read(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<HttpEvent>) {
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
            let first = match direction {
                Direction::ToServer => &mut tunnel.to_server,
                Direction::ToClient => &mut tunnel.to_client,
            };
            first.extend_from_slice(if first.is_empty() { without_empty_lines(rest) } else { rest });
        }
    }

    /// Reads at a message's start: in place when the whole head is there, else from what is held.
    fn read_head(&mut self, direction: Direction, bytes: &[u8], out: &mut Vec<HttpEvent>) -> usize {
        let side = self.side(direction);
        if side.start_line == StartLine::Missing {
            if side.held.is_empty() {
                // Empty lines before a message are to be ignored (RFC 9112 section 2.2).
                let empty = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                if empty > 0 {
                    return empty;
                }
            }
            return self.read_start_line(direction, bytes, out);
        }
        side.start_line = StartLine::Whole;
        let known = side.held.len();
        let room = HTTP_HEAD_BYTES.saturating_sub(known).min(bytes.len());
        side.held.extend_from_slice(bytes.get(..room).unwrap_or_default());
        let end = head_end(&side.held, side.scanned);
        match end {
            HeadEnd::At(end) => {
                let mut head = std::mem::take(&mut side.held);
                head.truncate(end);
                self.begin_message(direction, &head, None, out);
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
        let line_end = find_byte(reachable, b'\n').map(|feed| feed + 1);
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
        let may_be_simple = self.role(direction) != Some(Role::Server);
        let side = self.side(direction);
        side.held = line;
        if is_good && line_end.is_some() {
            let lacks_version = request_line(&side.held).is_some_and(|line| line.version.is_empty());
            side.start_line =
                if may_be_simple && lacks_version { StartLine::Simple } else { StartLine::Whole };
            side.scanned = side.held.len().saturating_sub(1);
        } else if !is_good {
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
    pub(super) fn take_body(&mut self, direction: Direction, data: &[u8], out: &mut Vec<HttpEvent>) {
        let side = self.side(direction);
        side.body_length += data.len() as u64;
        if !side.wants_body() {
            return;
        }
        let rest = match &side.state {
            State::Body(body) => body.plain_bytes().unwrap_or_default(),
            _ => 0,
        };
        let Some(message) = &mut side.message else { return };
        let body = match message {
            Message::Request(request) => &mut Arc::make_mut(request).body,
            Message::Response(response) => &mut Arc::make_mut(response).body,
        };
        let room = HTTP_BODY_BYTES.saturating_sub(body.len()).min(data.len());
        if body.is_empty() {
            // Room for the next piece too, if there is one; more than that would be lent on its word alone.
            let rest = usize::try_from(rest).unwrap_or(usize::MAX);
            body.reserve_exact(HTTP_BODY_BYTES.min(room.saturating_add(rest.min(room))));
        }
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
        let line_end = find_byte(reachable, b'\n').map(|feed| feed + 1);
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
                side.start_line = StartLine::Whole;
                side.state = State::Head;
            }
            None => {
                // The buffer serves the next line.
                line.clear();
                self.side(direction).held = line;
            }
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
        let is_line = side.start_line != StartLine::Missing;
        let is_simple = side.start_line == StartLine::Simple && lost == 0;
        let is_request = self.role(direction) != Some(Role::Server);
        if is_simple {
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
}
