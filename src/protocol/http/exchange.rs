//! Requests that wait for their response, in order (RFC 9112 section 9.3.2).

use std::{collections::VecDeque, sync::Arc};

use super::{Headers, Request};
use crate::limits::{HTTP_PENDING_BYTES, HTTP_PENDING_REQUESTS};

/// A request as its response needs it.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// The request's place in the connection.
    pub index: u32,
    pub kind: Kind,
    /// HTTP/0.9: the response has no head.
    pub is_simple: bool,
    /// Once emitted, and unless it was too much to keep.
    pub request: Option<Arc<Request>>,
    /// Bytes of the request's body, once it ended.
    pub body_length: u64,
    /// What `request` costs while it is pending.
    weight: usize,
}

/// What of a method decides how its response is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Other,
    Head,
    Connect,
}

impl Kind {
    pub fn of(method: &[u8]) -> Self {
        match method {
            b"HEAD" => Self::Head,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// The requests without a response yet, oldest first. Invariants: at most [`HTTP_PENDING_REQUESTS`],
/// and together [`HTTP_PENDING_BYTES`] or one request.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    queue: VecDeque<Exchange>,
    /// Sum of the weights.
    bytes: usize,
    /// Requests behind the queue of which only the number is known.
    uncounted: u64,
    /// The request that is being answered.
    pub answering: Option<Exchange>,
}

impl Exchanges {
    /// Bytes held of requests that wait or are being answered.
    pub fn held(&self) -> usize {
        let answering = self.answering.as_ref().filter(|exchange| exchange.request.is_some());
        self.bytes + answering.map_or(0, |exchange| exchange.weight)
    }

    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether every request so far was answered.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.answering.is_none()
    }

    /// The request that the next response will answer.
    pub fn front(&self) -> Option<&Exchange> {
        self.queue.front()
    }

    /// A request was sent.
    pub fn push(&mut self, index: u32, kind: Kind, is_simple: bool) {
        if self.uncounted > 0 || self.queue.len() >= HTTP_PENDING_REQUESTS {
            self.uncounted = self.uncounted.saturating_add(1);
        } else {
            self.queue.push_back(Exchange { index, kind, is_simple, ..Exchange::default() });
        }
    }

    /// A response begins: what it answers becomes `answering`.
    pub fn answer_next(&mut self) -> Option<&Exchange> {
        self.answering = self.queue.pop_front();
        match &self.answering {
            Some(exchange) => self.bytes -= exchange.weight,
            None => self.uncounted = self.uncounted.saturating_sub(1),
        }
        self.answering.as_ref()
    }

    /// The last request, if it waits, for a tunnel that was never answered.
    pub fn take_last(&mut self) -> Option<Exchange> {
        self.queue.pop_back()
    }

    /// Nobody knows any more which response belongs to which of the waiting requests.
    pub fn forget(&mut self) {
        *self = Self { answering: self.answering.take(), ..Self::default() };
    }

    /// The request of this number, if its response is due or under way.
    pub fn find(&mut self, index: u32) -> Option<&mut Exchange> {
        self.queue.iter_mut().rev().chain(&mut self.answering).find(|exchange| exchange.index == index)
    }

    /// Keeps an emitted request for its response, if there is room.
    pub fn keep(&mut self, request: &Arc<Request>) {
        let weight = weight(request);
        if self.bytes > 0 && self.bytes + weight > HTTP_PENDING_BYTES {
            return;
        }
        if let Some(exchange) = self.queue.iter_mut().rev().find(|exchange| exchange.index == request.index) {
            exchange.weight = weight;
            exchange.request = Some(Arc::clone(request));
            self.bytes += weight;
        } else if let Some(exchange) = self.find(request.index) {
            exchange.request = Some(Arc::clone(request));
        }
    }
}

/// What a request costs to keep.
fn weight(request: &Request) -> usize {
    size_of::<Request>() + fields_weight(&request.headers) + request.target.len() + request.body.len()
}

/// What the fields of a message cost to keep.
pub(super) fn fields_weight(fields: &Headers) -> usize {
    fields.bytes() + 64 * fields.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_survives_requests_that_are_not_remembered() {
        let mut exchanges = Exchanges::default();
        for index in 0..HTTP_PENDING_REQUESTS as u32 + 2 {
            exchanges.push(index, Kind::Other, false);
        }
        for index in 0..HTTP_PENDING_REQUESTS as u32 {
            assert_eq!(exchanges.answer_next().map(|exchange| exchange.index), Some(index));
        }
        assert!(exchanges.answer_next().is_none());
        exchanges.push(100, Kind::Head, false);
        assert!(exchanges.answer_next().is_none());
        assert!(exchanges.answer_next().is_none());
        exchanges.push(101, Kind::Head, false);
        assert_eq!(exchanges.answer_next().map(|exchange| exchange.index), Some(101));
    }

    #[test]
    fn large_requests_are_not_kept_beyond_the_limit() {
        let mut exchanges = Exchanges::default();
        for index in 0..3 {
            exchanges.push(index, Kind::Other, false);
            let request = Request { index, target: vec![b'a'; HTTP_PENDING_BYTES], ..Request::default() };
            exchanges.keep(&Arc::new(request));
        }
        assert!(exchanges.answer_next().is_some_and(|exchange| exchange.request.is_some()));
        assert!(exchanges.answer_next().is_some_and(|exchange| exchange.request.is_none()));
        assert_eq!(exchanges.bytes, 0);
    }
}
