//! What all protocol readers together hold of unfinished messages: bounded, and who has held longest gives up.

use std::collections::VecDeque;

/// Stale entries of the queue that are kept beyond one for each holder, before it is tidied.
const STALE: usize = 4096;

/// One flow's part of [`Holders`], kept with the flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    bytes: usize,
    /// Told apart from earlier times when the same place held something; 0 while nothing is held.
    ticket: u64,
}

impl Holding {
    /// Whether anything is held.
    #[inline]
    pub const fn is_some(self) -> bool {
        self.bytes > 0
    }
}

/// The flows whose readers hold bytes, by their place in the flow table.
#[derive(Debug)]
pub struct Holders {
    limit: usize,
    held: usize,
    holders: usize,
    next_ticket: u64,
    /// In the order in which they began to hold.
    queue: VecDeque<(u64, u32)>,
}

impl Holders {
    /// Nobody, with room for `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, held: 0, holders: 0, next_ticket: 0, queue: VecDeque::new() }
    }

    /// Notes that the flow at `place` now holds `bytes`.
    #[inline]
    pub fn update(&mut self, place: u32, holding: &mut Holding, bytes: usize) {
        if holding.bytes == bytes {
            return;
        }
        self.held = self.held.saturating_sub(holding.bytes).saturating_add(bytes);
        match (holding.ticket, bytes) {
            (0, _) => {
                self.next_ticket += 1;
                self.holders += 1;
                holding.ticket = self.next_ticket;
                self.queue.push_back((self.next_ticket, place));
            }
            (_, 0) => {
                self.holders -= 1;
                holding.ticket = 0;
            }
            _ => {}
        }
        holding.bytes = bytes;
    }

    /// Whether something has to be done: more is held than there is room for, or the queue is to be tidied.
    #[inline]
    pub fn is_crowded(&self) -> bool {
        self.is_over() || self.is_untidy()
    }

    /// Whether more is held than there is room for.
    pub fn is_over(&self) -> bool {
        self.held > self.limit
    }

    /// The place of the flow that has held longest, taken from the queue; `holding_at` tells what the
    /// flow at a place holds now.
    pub fn take_oldest(&mut self, holding_at: impl Fn(u32) -> Option<Holding>) -> Option<u32> {
        while let Some((ticket, place)) = self.queue.pop_front() {
            if holding_at(place).is_some_and(|holding| holding.ticket == ticket) {
                return Some(place);
            }
        }
        None
    }

    /// Forgets those who hold nothing any more, once they are most of the queue.
    pub fn tidy(&mut self, holding_at: impl Fn(u32) -> Option<Holding>) {
        if self.is_untidy() {
            self.queue
                .retain(|&(ticket, place)| holding_at(place).is_some_and(|holding| holding.ticket == ticket));
        }
    }

    fn is_untidy(&self) -> bool {
        self.queue.len() > 2 * self.holders + STALE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_held_longest_goes_first() {
        let mut holders = Holders::new(100);
        let mut flows = [Holding::default(); 3];
        holders.update(0, &mut flows[0], 40);
        holders.update(1, &mut flows[1], 40);
        holders.update(0, &mut flows[0], 0);
        holders.update(0, &mut flows[0], 10);
        assert!(!holders.is_over());
        holders.update(2, &mut flows[2], 60);
        assert!(holders.is_over());
        assert_eq!(holders.take_oldest(|place| flows.get(place as usize).copied()), Some(1));
        holders.update(1, &mut flows[1], 0);
        assert!(!holders.is_over());
        assert_eq!(holders.take_oldest(|place| flows.get(place as usize).copied()), Some(0));
    }

    #[test]
    fn holding_again_and_again_does_not_grow_the_queue() {
        let mut holders = Holders::new(100);
        let mut flow = Holding::default();
        for _ in 0..10 * STALE {
            holders.update(0, &mut flow, 1);
            holders.update(0, &mut flow, 0);
            holders.tidy(|_| Some(flow));
            assert!(holders.queue.len() <= STALE + 1);
        }
        assert_eq!((holders.held, holders.holders), (0, 0));
    }
}
