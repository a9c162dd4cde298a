//! Packet time: the only clock that detection knows.

use std::fmt;

/// Nanoseconds since the Unix epoch (UTC) as the capture states them; negative before 1970.
///
/// Range: the years 1677 to 2262. Arithmetic saturates, because captures may claim any time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A span of packet time in nanoseconds; negative when time went backwards.
pub type Nanos = i64;

/// Nanoseconds of one second.
pub const SECOND: Nanos = 1_000_000_000;

impl Timestamp {
    /// The latest time that can be told.
    pub const MAX: Self = Self(i64::MAX);
    /// The earliest time that can be told.
    pub const MIN: Self = Self(i64::MIN);

    /// The time that is `nanos` nanoseconds after the Unix epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The time that is `seconds` and `nanos` after the Unix epoch, saturated.
    pub const fn from_parts(seconds: i64, nanos: i64) -> Self {
        Self(seconds.saturating_mul(SECOND).saturating_add(nanos))
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// `self - earlier`, negative when `earlier` is later, saturated.
    pub const fn since(self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0)
    }

    /// `self + span`, saturated.
    pub const fn plus(self, span: Nanos) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// EVE's form: `2026-03-31T00:25:11.123456+0000`, microseconds, offset without a colon.
    pub fn eve(self) -> String {
        format!("{}+0000", self.text(6))
    }

    /// RFC 3339 in UTC with a `Z`: `2026-03-31T00:25:11.123456Z`.
    pub fn rfc3339(self) -> String {
        format!("{}Z", self.text(6))
    }

    /// The time of day in UTC: `00:25:11`.
    pub fn clock(self) -> String {
        let (_, _, _, hour, minute, second) = self.civil();
        format!("{hour:02}:{minute:02}:{second:02}")
    }

    /// `2026-03-31T00:25:11` and as many digits of the second's fraction as asked for (0 to 9).
    fn text(self, digits: usize) -> String {
        let mut out = self.to_string();
        // Display always gives nine digits after the point.
        out.truncate(out.len() - 9 + digits);
        if digits == 0 {
            out.pop();
        }
        out
    }

    /// The civil date and time of day in UTC: year, month, day, hour, minute, second.
    pub fn civil(self) -> (i64, u32, u32, u32, u32, u32) {
        civil(self.as_seconds())
    }
}

/// The civil date and time of day in UTC of a second since the Unix epoch, also where [`Timestamp`] does
/// not reach: year, month, day, hour, minute, second.
pub fn civil(seconds: i64) -> (i64, u32, u32, u32, u32, u32) {
    let (day, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) as u32);
    // Days to a civil date by the era method of the proleptic Gregorian calendar:
    // an era has 146 097 days and 400 years, and years are counted from March.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day_of_month, rest / 3600, rest / 60 % 60, rest % 60)
}

impl fmt::Display for Timestamp {
    /// `2026-03-31T00:25:11.123456789`, UTC, no zone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour, minute, second) = self.civil();
        let fraction = self.0.rem_euclid(SECOND);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_known_instants() {
        let publication = Timestamp::from_parts(1_774_916_518, 123_456_789);
        assert_eq!(publication.eve(), "2026-03-31T00:21:58.123456+0000");
        assert_eq!(publication.rfc3339(), "2026-03-31T00:21:58.123456Z");
        assert_eq!(Timestamp::default().eve(), "1970-01-01T00:00:00.000000+0000");
        assert_eq!(Timestamp::from_parts(-1, 0).rfc3339(), "1969-12-31T23:59:59.000000Z");
        assert_eq!(Timestamp::from_parts(951_782_400, 0).civil(), (2000, 2, 29, 0, 0, 0));
    }

    #[test]
    fn saturates_instead_of_wrapping() {
        assert_eq!(Timestamp::from_parts(i64::MAX, 5), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), i64::MIN);
        assert!(!Timestamp::MAX.to_string().is_empty());
        assert!(!Timestamp::MIN.eve().is_empty());
    }
}
