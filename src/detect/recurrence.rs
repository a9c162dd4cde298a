//! An implant's message again about a period later: the implant is active.

use std::{net::IpAddr, sync::Arc};

use super::finding::Beacon;
use crate::{
    bounded::BoundedMap,
    decode::Tenant,
    limits,
    time::{Nanos, SECOND, Timestamp},
};

/// Gaps that are remembered for the median.
const GAPS: usize = 64;

/// A gap shorter than this share of the period is no sleep: messages that belong together.
const SHORTEST: f64 = 0.7;

/// Periods after which two messages are no longer taken for one implant's rhythm.
const LONGEST: f64 = 10.0;

/// When one asset showed one signature.
#[derive(Debug)]
struct Sightings {
    first: Timestamp,
    last: Timestamp,
    count: u64,
    /// The latest gaps between calls, in nanoseconds.
    gaps: Vec<Nanos>,
    next_gap: usize,
}

/// The sightings of signatures that have a period.
#[derive(Debug)]
pub struct Recurrences {
    sightings: BoundedMap<(Tenant, IpAddr, Arc<str>), Sightings>,
}

impl Default for Recurrences {
    fn default() -> Self {
        Self { sightings: BoundedMap::new(limits::RECURRENCES) }
    }
}

impl Recurrences {
    /// Sightings that were forgotten because there were too many.
    pub fn evicted(&self) -> u64 {
        self.sightings.evicted()
    }

    /// Notes a sighting; answers the rhythm when there is one.
    pub fn note(
        &mut self,
        tenant: Tenant,
        asset: IpAddr,
        signature: &Arc<str>,
        time: Timestamp,
        period_seconds: u32,
    ) -> Option<Beacon> {
        let key = (tenant, asset, Arc::clone(signature));
        let fresh = || Sightings { first: time, last: time, count: 0, gaps: Vec::new(), next_gap: 0 };
        let seen = self.sightings.touch_or_insert(key, fresh, |_, _| ());
        let gap = time.since(seen.last);
        let period = f64::from(period_seconds) * SECOND as f64;
        if seen.count > 0 && gap as f64 >= SHORTEST * period && gap as f64 <= LONGEST * period {
            match seen.gaps.get_mut(seen.next_gap) {
                Some(place) => *place = gap,
                None => seen.gaps.push(gap),
            }
            seen.next_gap = (seen.next_gap + 1) % GAPS;
        }
        seen.count += 1;
        seen.last = seen.last.max(time);
        if seen.gaps.is_empty() {
            return None;
        }
        let (interval, jitter) = median_and_jitter(&seen.gaps);
        Some(Beacon {
            unit: "request",
            interval_seconds: interval,
            jitter,
            count: seen.count,
            first: seen.first,
            last: seen.last,
            score: 1.0,
            assets: 1,
        })
    }
}

/// The median gap in seconds, and half the spread of the middle half over it.
fn median_and_jitter(gaps: &[Nanos]) -> (f64, f64) {
    let mut sorted = gaps.to_vec();
    sorted.sort_unstable();
    let at = |share: f64| {
        let place = (share * (sorted.len() - 1) as f64).round() as usize;
        sorted.get(place).copied().unwrap_or_default() as f64 / SECOND as f64
    };
    let median = at(0.5);
    (median, if median > 0.0 { (at(0.75) - at(0.25)) / 2.0 / median } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(times: &[f64]) -> Option<Beacon> {
        let mut recurrences = Recurrences::default();
        let asset = "10.0.0.1".parse().unwrap();
        let signature: Arc<str> = "implant".into();
        let mut last = None;
        for time in times {
            let time = Timestamp::from_nanos((time * 1e9) as i64);
            last = recurrences.note(Tenant::default(), asset, &signature, time, 60);
        }
        last
    }

    #[test]
    fn two_calls_a_period_apart_are_a_rhythm() {
        assert_eq!(calls(&[0.0]), None);
        assert_eq!(calls(&[0.0, 0.4]), None, "these two belong together");
        let beacon = calls(&[0.0, 0.4, 60.6]).unwrap();
        assert_eq!((beacon.count, beacon.interval_seconds), (3, 60.2));
    }

    #[test]
    fn a_message_a_day_later_is_no_rhythm() {
        assert_eq!(calls(&[0.0, 86_400.0]), None);
    }

    #[test]
    fn lost_calls_do_not_hide_the_rhythm() {
        let beacon = calls(&[0.0, 60.0, 120.0, 300.0, 360.0]).unwrap();
        assert_eq!((beacon.count, beacon.interval_seconds), (5, 60.0));
    }
}
