//! Dates and times as packs and feeds write them.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::time::Timestamp;

/// Which instant of its day a bare date means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// The first.
    Start,
    /// The last.
    End,
}

/// The instant that a person writes: a date, which means its first instant, or a time; UTC without a zone.
pub fn parse_instant(text: &str) -> Option<Timestamp> {
    parse_time(text, Edge::Start)
}

/// The instant that `text` writes: `2026-03-31`, `2026-03-31 00:21:58` (UTC), or RFC 3339 with a zone.
pub(super) fn parse_time(text: &str, edge: Edge) -> Option<Timestamp> {
    let text = text.trim();
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return timestamp(instant);
    }
    if text.len() > "2026-03-31".len() {
        let time = text.parse::<DateTime>().ok()?;
        return timestamp(time.to_zoned(TimeZone::UTC).ok()?.timestamp());
    }
    let date = text.parse::<Date>().ok()?;
    let start = timestamp(date.to_zoned(TimeZone::UTC).ok()?.timestamp())?;
    match edge {
        Edge::Start => Some(start),
        Edge::End => Some(start.plus(86_400 * crate::time::SECOND - 1)),
    }
}

fn timestamp(instant: jiff::Timestamp) -> Option<Timestamp> {
    Some(Timestamp::from_parts(instant.as_second(), i64::from(instant.subsec_nanosecond())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_usual_forms() {
        let read = |text| parse_time(text, Edge::Start).map(Timestamp::rfc3339);
        for text in [
            "2026-03-31T00:21:58Z",
            "2026-03-31 00:21:58",
            "2026-03-31 00:21:58 UTC",
            "2026-03-31T02:21:58+02:00",
            "2026-03-31T00:21:58",
        ] {
            assert_eq!(read(text).as_deref(), Some("2026-03-31T00:21:58.000000Z"), "{text}");
        }
        assert_eq!(read("2026-03-31").as_deref(), Some("2026-03-31T00:00:00.000000Z"));
        let end = parse_time("2026-03-31", Edge::End).map(Timestamp::rfc3339);
        assert_eq!(end.as_deref(), Some("2026-03-31T23:59:59.999999Z"));
        for text in ["", "None", "31.03.2026", "2026-13-01", "yesterday"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
