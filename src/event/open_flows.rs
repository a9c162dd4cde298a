//! What records remember of flows that are not over: bounded, oldest out first.

use std::collections::VecDeque;

use hashbrown::HashMap;

/// Something remembered for each of at most `limit` flows.
///
/// When there is no room, the flow that came first is given up. A flow's place is freed when it is taken
/// out, so that a network reaches the limit only with that many flows at once.
#[derive(Debug)]
pub(super) struct OpenFlows<T> {
    limit: usize,
    flows: HashMap<u64, Entry<T>, foldhash::fast::FixedState>,
    /// Flows in the order of their arrival, with the number that tells whether they are still the same;
    /// those taken out stay here until a sweep. Invariant: at most `2 * limit + 64` entries.
    arrivals: VecDeque<(u64, u64)>,
    arrived: u64,
}

#[derive(Debug)]
struct Entry<T> {
    arrival: u64,
    kept: T,
}

impl<T: Default> OpenFlows<T> {
    /// Room for `limit` flows, at least one.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), flows: HashMap::default(), arrivals: VecDeque::new(), arrived: 0 }
    }

    /// What is remembered of `flow`, if anything is.
    pub(super) fn find(&mut self, flow: u64) -> Option<&mut T> {
        self.flows.get_mut(&flow).map(|entry| &mut entry.kept)
    }

    /// What is remembered of `flow`, new if nothing was; and what was given up to make room.
    pub(super) fn open(&mut self, flow: u64) -> (&mut T, Option<T>) {
        let known = self.flows.contains_key(&flow);
        let evicted = if known || self.flows.len() < self.limit { None } else { self.take_oldest() };
        if !known {
            self.arrived += 1;
            self.arrivals.push_back((flow, self.arrived));
            self.sweep();
        }
        let arrival = self.arrived;
        let entry = self.flows.entry(flow).or_insert_with(|| Entry { arrival, kept: T::default() });
        (&mut entry.kept, evicted)
    }

    /// Forgets `flow` and gives what was remembered of it.
    pub(super) fn take(&mut self, flow: u64) -> Option<T> {
        self.flows.remove(&flow).map(|entry| entry.kept)
    }

    /// Forgets the flow that came first.
    pub(super) fn take_oldest(&mut self) -> Option<T> {
        while let Some((flow, arrival)) = self.arrivals.pop_front() {
            if self.is_current(flow, arrival) {
                return self.take(flow);
            }
        }
        None
    }

    fn is_current(&self, flow: u64, arrival: u64) -> bool {
        self.flows.get(&flow).is_some_and(|entry| entry.arrival == arrival)
    }

    /// Drops the arrivals of flows that are gone, when they are the larger part.
    fn sweep(&mut self) {
        if self.arrivals.len() > 2 * self.flows.len() + 64 {
            let mut arrivals = std::mem::take(&mut self.arrivals);
            let newest = self.arrived;
            arrivals.retain(|&(flow, arrival)| arrival == newest || self.is_current(flow, arrival));
            self.arrivals = arrivals;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gives_way() {
        let mut flows = OpenFlows::<u32>::new(2);
        *flows.open(1).0 = 10;
        *flows.open(2).0 = 20;
        let (third, evicted) = flows.open(3);
        assert_eq!((*third, evicted), (0, Some(10)));
        assert_eq!(flows.find(1), None);
        assert_eq!(flows.find(2), Some(&mut 20));
        assert_eq!(flows.open(2).1, None, "a known flow needs no room");
    }

    #[test]
    fn a_flow_that_came_again_is_not_old() {
        let mut flows = OpenFlows::<u32>::new(2);
        *flows.open(1).0 = 10;
        *flows.open(2).0 = 20;
        assert_eq!(flows.take(1), Some(10));
        *flows.open(1).0 = 11;
        assert_eq!(flows.open(3).1, Some(20));
        assert_eq!(flows.take_oldest(), Some(11));
        assert_eq!(flows.take_oldest(), Some(0));
        assert_eq!(flows.take_oldest(), None);
    }

    #[test]
    fn many_short_flows_leave_nothing_behind() {
        let mut flows = OpenFlows::<u32>::new(100);
        for flow in 0..200_000 {
            flows.open(flow);
            if flow % 5 != 0 {
                flows.take(flow);
            }
            assert!(flows.flows.len() <= 100);
            assert!(flows.arrivals.len() <= 2 * 100 + 65);
        }
    }
}
