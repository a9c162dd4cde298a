//! Timeouts on packet time: a wheel of one-second slots, re-armed lazily.
//!
//! A flow has one entry in the wheel, which is not moved when the flow's packets push its deadline back:
//! when the entry comes up too early it is put in again. So a packet costs nothing here, and every flow
//! is looked at once per timeout. What expires does so at a whole second of packet time, whichever
//! worker holds the flow: the order of events does not depend on threads.

use crate::time::{SECOND, Timestamp};

/// Slots of the wheel: more seconds than the longest timeout of [`crate::limits`].
const SLOTS: i64 = 4096;

/// A wheel of timers for slots of a table, told apart by a generation number.
#[derive(Debug)]
pub struct Timers {
    slots: Vec<Vec<Entry>>,
    /// Entries in all slots.
    len: usize,
    /// The last whole second that was worked off; `None` before the first packet.
    now: Option<i64>,
    /// From then on [`Timers::advance`] has something to do.
    due: Timestamp,
}

/// A timer: which place of the table, and for which of its tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Index in the table.
    pub index: u32,
    /// Generation of that place when the timer was armed.
    pub generation: u32,
}

impl Default for Timers {
    fn default() -> Self {
        Self { slots: vec![Vec::new(); SLOTS as usize], len: 0, now: None, due: Timestamp::MIN }
    }
}

impl Timers {
    /// Arms a timer for `deadline`; one in the past comes up at the next second.
    pub fn arm(&mut self, entry: Entry, deadline: Timestamp) {
        let now = self.now.unwrap_or_else(|| deadline.as_seconds());
        // Rounded up: a timer comes up at the first whole second at or after its deadline.
        let due = deadline.plus(SECOND - 1).as_seconds().clamp(now + 1, now + SLOTS - 1);
        if let Some(slot) = self.slots.get_mut(due.rem_euclid(SLOTS) as usize) {
            slot.push(entry);
            self.len += 1;
        }
    }

    /// How many timers are armed, stale ones too.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is armed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes out every timer that `stays` does not name.
    pub fn retain(&mut self, mut stays: impl FnMut(Entry) -> bool) {
        self.len = 0;
        for slot in &mut self.slots {
            slot.retain(|entry| stays(*entry));
            self.len += slot.len();
        }
    }

    /// The whole second up to which deadlines are worked off.
    pub fn now(&self) -> Option<Timestamp> {
        self.now.map(|second| Timestamp::from_parts(second, 0))
    }

    /// Whether `time` is in another second than the one that was worked off last.
    #[inline]
    pub fn is_due(&self, time: Timestamp) -> bool {
        time >= self.due
    }

    /// Advances to the whole second of `time` and moves what came up into `due`. Time never goes back.
    pub fn advance(&mut self, time: Timestamp, due: &mut Vec<Entry>) {
        let target = time.as_seconds();
        let Some(now) = self.now else {
            self.reach(target);
            return;
        };
        if target <= now {
            return;
        }
        // After a jump each slot is emptied once; all of them are due then.
        for second in now + 1..=target.min(now + SLOTS) {
            if let Some(slot) = self.slots.get_mut(second.rem_euclid(SLOTS) as usize) {
                self.len -= slot.len();
                // Its memory goes with it: a flood fills one slot after the other, and never all at once.
                due.append(&mut std::mem::take(slot));
            }
        }
        self.reach(target);
    }

    fn reach(&mut self, second: i64) {
        self.now = Some(second);
        self.due = Timestamp::from_parts(second + 1, 0);
    }

    /// The entry that comes up next, searched in at most one turn of the wheel: the one to evict.
    pub fn take_next(&mut self) -> Option<Entry> {
        let start = self.now? + 1;
        let next = (start..start + SLOTS).find_map(|second| {
            let slot = self.slots.get_mut(second.rem_euclid(SLOTS) as usize)?;
            let next = slot.pop();
            if slot.is_empty() && slot.capacity() > 0 {
                *slot = Vec::new();
            }
            next
        });
        self.len -= usize::from(next.is_some());
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_comes_up_at_the_whole_second_after_its_deadline() {
        let mut timers = Timers::default();
        let mut due = Vec::new();
        timers.advance(Timestamp::from_parts(100, 0), &mut due);
        let entry = Entry { index: 1, generation: 0 };
        timers.arm(entry, Timestamp::from_parts(102, 1));
        timers.advance(Timestamp::from_parts(102, 999_999_999), &mut due);
        assert!(due.is_empty());
        timers.advance(Timestamp::from_parts(103, 0), &mut due);
        assert_eq!(due, [entry]);
    }

    #[test]
    fn a_jump_brings_everything_up_once() {
        let mut timers = Timers::default();
        let mut due = Vec::new();
        timers.advance(Timestamp::from_parts(5, 0), &mut due);
        for index in 0..10 {
            timers.arm(Entry { index, generation: 0 }, Timestamp::from_parts(5 + i64::from(index) * 400, 0));
        }
        timers.advance(Timestamp::from_parts(1_000_000, 0), &mut due);
        assert_eq!(due.len(), 10);
        due.clear();
        timers.advance(Timestamp::MAX, &mut due);
        assert!(due.is_empty());
    }
}
