//! Moments and spans in whole milliseconds. Nothing here reads a clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub i64);

impl Moment {
    /// Later than every moment that occurs.
    pub const NEVER: Self = Self(i64::MAX);

    /// Returns the moment `span` later, saturating.
    #[must_use]
    pub fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// Returns the moment `span` earlier, saturating.
    #[must_use]
    pub fn before(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// Returns the time from `earlier` to this moment, never negative.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0))
    }
}

impl fmt::Display for Moment {
    /// Shows the minute by UTC: `2026-01-31 12:05 UTC`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: i64 = 86_400_000;
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let (mut days, minutes) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY) / 60_000);
        // In steps of 400 years, which are always as long, then of years and months.
        let mut year = 1970 + 400 * days.div_euclid(146_097);
        days = days.rem_euclid(146_097);
        while days >= 365 + i64::from(leap(year)) {
            days -= 365 + i64::from(leap(year));
            year += 1;
        }
        let february = 28 + i64::from(leap(year));
        let mut month = 1;
        for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
            if days < length {
                break;
            }
            days -= length;
            month += 1;
        }
        write!(f, "{year:04}-{month:02}-{:02} {:02}:{:02} UTC", days + 1, minutes / 60, minutes % 60)
    }
}

/// A length of time in milliseconds, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub i64);

impl Span {
    /// Returns a span of `seconds`.
    #[must_use]
    pub const fn seconds(seconds: i64) -> Self {
        Self(seconds * 1_000)
    }

    /// Returns a span of `minutes`.
    #[must_use]
    pub const fn minutes(minutes: i64) -> Self {
        Self(minutes * 60_000)
    }

    /// Returns a span of `hours`.
    #[must_use]
    pub const fn hours(hours: i64) -> Self {
        Self(hours * 3_600_000)
    }
}

impl fmt::Display for Span {
    /// Shows the two largest units that are not zero: `2h 5m`, `1.5s`, `40ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0 / 1_000, self.0 % 1_000);
        let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
        if days > 0 {
            write!(f, "{days}d {}h", hours % 24)
        } else if hours > 0 {
            write!(f, "{hours}h {}m", minutes % 60)
        } else if minutes > 0 {
            write!(f, "{minutes}m {}s", seconds % 60)
        } else if seconds > 0 {
            write!(f, "{seconds}.{}s", millis / 100)
        } else {
            write!(f, "{millis}ms")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_by_the_calendar() {
        // By `date -u -d @...`.
        let shown = [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00 UTC"),
            (1_798_718_399_999, "2026-12-31 11:59 UTC"),
            (4_107_542_399_000, "2100-02-28 23:59 UTC"),
            (-1, "1969-12-31 23:59 UTC"),
        ];
        for (millis, text) in shown {
            assert_eq!(Moment(millis).to_string(), text);
        }
    }
}
