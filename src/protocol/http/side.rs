//! One direction's state: where in which message its next byte stands.

use std::sync::Arc;

use super::{Request, Response, body::Body, exchange::fields_weight, parser::Framing};
use crate::limits::HTTP_BODY_BYTES;

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) state: State,
    /// An unfinished head, an unfinished line, or bytes behind CONNECT.
    pub(super) held: Vec<u8>,
    /// Up to where the blank line has been looked for in `held`.
    pub(super) scanned: usize,
    /// Whether `held` begins with a whole and good start line.
    pub(super) start_line: StartLine,
    /// Flags for the next message.
    pub(super) oddities: u16,
    /// Bytes gone over since the thread was lost.
    pub(super) searched: u64,
    /// The message under way that was not emitted yet.
    pub(super) message: Option<Message>,
    /// Bytes of the body under way or just ended.
    pub(super) body_length: u64,
    /// Whether bytes of the body are missing, so that what follows cannot be appended.
    pub(super) torn: bool,
}

#[derive(Debug, Default)]
pub(super) enum State {
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

/// What is held of a start line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum StartLine {
    /// Nothing, or a part.
    #[default]
    Missing,
    /// All of it.
    Whole,
    /// A request line without a version and nothing behind it: in HTTP/0.9 that is all there is.
    Simple,
}

#[derive(Debug)]
pub(super) enum Message {
    /// Shared with nobody until it is emitted.
    Request(Arc<Request>),
    /// In the same way.
    Response(Arc<Response>),
}

/// Why a head is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadBreak {
    /// It goes on beyond its limit.
    TooLong,
    /// Its other bytes will never be seen.
    Cut,
}

impl Message {
    /// What the message costs to keep.
    pub(super) fn held(&self) -> usize {
        let (fields, target) = match self {
            Self::Request(request) => (&request.headers, request.target.len()),
            Self::Response(response) => (&response.headers, 0),
        };
        fields_weight(fields) + target + self.body_bytes()
    }

    pub(super) fn body_bytes(&self) -> usize {
        match self {
            Self::Request(request) => request.body.len(),
            Self::Response(response) => response.body.len(),
        }
    }
}

impl Side {
    /// Whether the body's bytes are kept.
    pub(super) fn wants_body(&self) -> bool {
        let has_room = |message: &Message| message.body_bytes() < HTTP_BODY_BYTES;
        !self.torn && self.message.as_ref().is_some_and(has_room)
    }

    pub(super) fn flag(&mut self, flags: u16) {
        match &mut self.message {
            Some(Message::Request(request)) => Arc::make_mut(request).flags.set(flags),
            Some(Message::Response(response)) => Arc::make_mut(response).flags.set(flags),
            None => {}
        }
    }

    /// The thread is lost; what is held may be the beginning of a line.
    pub(super) fn lose(&mut self, why: u16) {
        self.state = State::Lost;
        self.start_line = StartLine::Missing;
        self.oddities |= why;
        self.searched = 0;
    }

    pub(super) fn take_unread(&mut self) -> Vec<u8> {
        match self.state {
            State::Head | State::Early => without_empty_lines(&self.held).to_vec(),
            _ => Vec::new(),
        }
    }
}

/// What stands behind line ends: some clients end CONNECT's head with one too many.
pub(super) fn without_empty_lines(bytes: &[u8]) -> &[u8] {
    let empty = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    bytes.get(empty..).unwrap_or_default()
}
