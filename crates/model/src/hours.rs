//! Working hours: a weekly table in a time zone, and times away.
//!
//! The zone comes as a list of what its clocks are ahead of UTC, and from when on: whoever knows the zones of the world makes it,
//! so that nothing in here reads a file. A moment is worked where the clock on the wall shows a shift and no quiet time holds; so
//! where clocks are put back a shift may come twice, and where they are put forward a part of it not at all.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::moment::{Moment, Span};
use crate::name::Name;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// Days that are looked through for worked time at most: far more than the longest time away and the longest duration take.
const DAYS_LOOKED_AT: i64 = 6_000;

/// What the clocks of a zone are ahead of UTC, from a moment on. The first one holds before its moment too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneOffset {
    /// From when on.
    pub from: Moment,
    /// In seconds; negative to the west.
    pub seconds: i32,
}

/// A part of a day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shift {
    /// The day; 0 is Monday.
    pub day: u8,
    /// Its first minute.
    pub from: u16,
    /// The minute after its last one; 1440 is the end of the day.
    pub to: u16,
}

/// When somebody works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// The name of the time zone.
    pub zone: Name,
    /// What its clocks are ahead of UTC, in order of time.
    pub offsets: Vec<ZoneOffset>,
    /// Up to when these are known; the last one is taken to hold from there on.
    pub known_until: Moment,
    /// The week, in order.
    pub week: Vec<Shift>,
    /// Times away, in order of time: from, and up to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quiet: Vec<(Moment, Moment)>,
}

/// Hours that are no hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}` is {given}; allowed is {allowed}")]
pub struct HoursError {
    /// The field.
    pub field: &'static str,
    /// What came.
    pub given: String,
    /// What may come.
    pub allowed: &'static str,
}

impl Hours {
    /// Checks every part against its range, `now`.
    ///
    /// # Errors
    /// The first part that is out of it.
    pub fn check(&self, now: Moment) -> Result<(), HoursError> {
        let refused = |field, given: String, allowed| Err(HoursError { field, given, allowed });
        if self.offsets.is_empty() || self.offsets.len() > limits::ZONE_OFFSETS_MAX {
            let given = format!("{} changes of its clocks", self.offsets.len());
            return refused("zone", given, "a zone with 1 to 64 of them");
        }
        if !self.offsets.is_sorted_by(|one, next| one.from < next.from) {
            return refused(
                "zone",
                "changes of its clocks out of order".to_owned(),
                "changes in order of time",
            );
        }
        if let Some(wide) = self.offsets.iter().find(|offset| i64::from(offset.seconds.abs()) * 1_000 > DAY) {
            return refused("zone", format!("{} s ahead of UTC", wide.seconds), "a day at most");
        }
        if self.week.is_empty() || self.week.len() > limits::SHIFTS_MAX {
            return refused("week", format!("{} shifts", self.week.len()), "1 to 42 shifts");
        }
        let empty = |shift: &&Shift| shift.day > 6 || shift.from >= shift.to || shift.to > 1_440;
        if let Some(shift) = self.week.iter().find(empty) {
            return refused(
                "week",
                shift.to_string(),
                "shifts that begin before they end, from 00:00 to 24:00; one over midnight is two",
            );
        }
        let apart = |one: &Shift, next: &Shift| (one.day, one.to) <= (next.day, next.from);
        if let Some(pair) = self.week.windows(2).find(|pair| !apart(&pair[0], &pair[1])) {
            return refused(
                "week",
                format!("{} after {}", pair[1], pair[0]),
                "shifts in order that do not overlap",
            );
        }
        if self.quiet.len() > limits::QUIET_MAX {
            return refused("quiet", format!("{} times", self.quiet.len()), "at most 64 times");
        }
        let latest = now.after(limits::DURATION_MAX);
        if let Some((from, to)) = self.quiet.iter().find(|(from, to)| from >= to || *to > latest) {
            let given = format!("a time of {} that ends in {}", to.since(*from), to.since(now));
            return refused("quiet", given, "times that begin before they end, within 366 days");
        }
        if !self.quiet.is_sorted_by(|one, next| one.1 <= next.0) {
            return refused("quiet", "times that overlap".to_owned(), "times in order that do not overlap");
        }
        Ok(())
    }

    /// Tells whether `at` is worked.
    #[must_use]
    pub fn contains(&self, at: Moment) -> bool {
        let offset = self.offsets.iter().rev().find(|offset| offset.from <= at).or(self.offsets.first());
        let local = at.0 + offset.map_or(0, |offset| i64::from(offset.seconds) * 1_000);
        let (day, time) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let shown = |shift: &Shift| {
            shift.day == weekday(day) && (minutes(shift.from)..minutes(shift.to)).contains(&time)
        };
        self.week.iter().any(shown) && !self.quiet.iter().any(|&(from, to)| from <= at && at < to)
    }

    /// Returns when it next begins or ends to be worked, after `at`; nothing where that is too far away.
    #[must_use]
    pub fn next_change(&self, at: Moment) -> Option<Moment> {
        let mut spans = self.spans(at);
        let (begins, mut ends) = spans.next()?;
        if begins > at {
            return Some(begins);
        }
        for (begins, other) in spans {
            if begins > ends {
                break;
            }
            ends = other;
        }
        // What ends where nobody looks any further does not end.
        Some(ends).filter(|&ends| ends < at.after(Span(DAYS_LOOKED_AT * DAY)))
    }

    /// Returns how much of the time from `from` up to `to` is worked.
    #[must_use]
    pub fn worked(&self, from: Moment, to: Moment) -> Span {
        let within = self.spans(from).take_while(|&(begins, _)| begins < to);
        Span(within.map(|(begins, ends)| ends.min(to).0 - begins.0).sum())
    }

    /// Returns the moment at which `span` of worked time has passed since `from`: one that is worked itself.
    #[must_use]
    pub fn advance(&self, from: Moment, span: Span) -> Moment {
        let mut left = span.0.max(0);
        for (begins, ends) in self.spans(from) {
            let length = ends.0 - begins.0;
            if left < length {
                return Moment(begins.0 + left);
            }
            left -= length;
        }
        from.after(Span(DAYS_LOOKED_AT * DAY))
    }

    /// Returns how much of `span`, which counts days of 24 h, is worked where it counts working days.
    #[must_use]
    pub fn in_working_days(&self, span: Span) -> Span {
        let worked: i64 = self.week.iter().map(|shift| minutes(shift.to) - minutes(shift.from)).sum();
        // A shift over midnight is one, of the day on which it begins; but no working day is longer than a day.
        let begins = |shift: &&Shift| {
            let before = |other: &Shift| other.to == 1_440 && (other.day + 1) % 7 == shift.day;
            shift.from > 0 || !self.week.iter().any(before)
        };
        let begun =
            (0..7).filter(|&day| self.week.iter().filter(begins).any(|shift| shift.day == day)).count();
        let days = i128::try_from(begun).unwrap_or(7).max(i128::from((worked + DAY - 1) / DAY)).max(1);
        let scaled = i128::from(span.0) * i128::from(worked) / (i128::from(DAY) * days);
        Span(i64::try_from(scaled).unwrap_or(i64::MAX).max(1))
    }

    /// Visits what is worked after `from`, in order of time; two that touch stand apart.
    fn spans(&self, from: Moment) -> impl Iterator<Item = (Moment, Moment)> + '_ {
        let last = from.after(Span(DAYS_LOOKED_AT * DAY));
        let ends = self.offsets.iter().skip(1).map(|offset| offset.from).chain([last]);
        let segments = self.offsets.iter().zip(ends).enumerate().filter(move |(_, (_, ends))| *ends > from);
        let days = segments.flat_map(move |(index, (offset, ends))| {
            let ahead = i64::from(offset.seconds) * 1_000;
            let begins = if index == 0 { from } else { offset.from.max(from) };
            let first = (begins.0 + ahead).div_euclid(DAY);
            let day = (first..).take_while(move |day| day * DAY - ahead < ends.0);
            day.map(move |day| (day, ahead, begins, ends.min(last)))
        });
        let shifts = days.flat_map(move |(day, ahead, begins, ends)| {
            self.week.iter().filter(move |shift| shift.day == weekday(day)).map(move |shift| {
                let at = |minute| Moment(day * DAY + minutes(minute) - ahead);
                (at(shift.from).max(begins), at(shift.to).min(ends))
            })
        });
        shifts.filter(|(begins, ends)| begins < ends).flat_map(|shift| self.without_quiet(shift))
    }

    fn without_quiet(&self, (begins, ends): (Moment, Moment)) -> Vec<(Moment, Moment)> {
        let (mut parts, mut rest) = (Vec::new(), begins);
        for &(from, to) in self.quiet.iter().filter(|&&(from, to)| to > begins && from < ends) {
            parts.push((rest, from));
            rest = rest.max(to);
        }
        parts.push((rest, ends));
        parts.retain(|(begins, ends)| begins < ends);
        parts
    }
}

impl std::fmt::Display for Shift {
    /// Shows `mon 09:00-17:00`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let day = DAYS.get(usize::from(self.day)).copied().unwrap_or("?");
        let (from, to) = (self.from, self.to);
        write!(f, "{day} {:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

/// The days of a week, from Monday on.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Returns the day of the week of a day since 1970-01-01, which was a Thursday.
fn weekday(day: i64) -> u8 {
    (day + 3).rem_euclid(7) as u8
}

fn minutes(minute: u16) -> i64 {
    i64::from(minute) * MINUTE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hours(offsets: &[(i64, i32)], week: &[(u8, u16, u16)], quiet: &[(i64, i64)]) -> Hours {
        let offset = |&(from, seconds): &(i64, i32)| ZoneOffset { from: Moment(from), seconds };
        Hours {
            zone: Name::new("Test/Zone").expect("a name"),
            offsets: offsets.iter().map(offset).collect(),
            known_until: Moment(i64::MAX / 2),
            week: week.iter().map(|&(day, from, to)| Shift { day, from, to }).collect(),
            quiet: quiet.iter().map(|&(from, to)| (Moment(from), Moment(to))).collect(),
        }
    }

    const HOUR: i64 = 60 * MINUTE;
    /// Monday 2026-03-23, 00:00 UTC.
    const MONDAY: i64 = 20_535 * DAY;
    /// Sunday 2026-03-29, 01:00 UTC: Berlin goes from one hour ahead to two.
    const SPRING: i64 = MONDAY + 6 * DAY + HOUR;

    fn berlin(quiet: &[(i64, i64)]) -> Hours {
        let week: Vec<_> = (0..5).map(|day| (day, 9 * 60, 17 * 60)).collect();
        hours(&[(0, 3_600), (SPRING, 7_200)], &week, quiet)
    }

    #[test]
    fn a_working_week_runs_by_the_clock_on_the_wall() {
        let hours = berlin(&[]);
        hours.check(Moment(MONDAY)).expect("hours");
        let at = |day: i64, hour: i64| Moment(MONDAY + day * DAY + hour * HOUR);
        assert!(
            !hours.contains(Moment(at(0, 8).0 - 1)) && hours.contains(at(0, 8)),
            "nine o'clock in winter"
        );
        assert!(hours.contains(Moment(at(0, 16).0 - 1)) && !hours.contains(at(0, 16)));
        assert!(hours.contains(at(7, 7)) && !hours.contains(at(7, 15)), "an hour earlier by UTC in summer");
        assert_eq!(hours.next_change(at(0, 8)), Some(at(0, 16)));
        assert_eq!(hours.next_change(at(4, 16)), Some(at(7, 7)), "the next working day is Monday");
        // Two hours of Friday, then six of Monday.
        assert_eq!(hours.advance(at(4, 14), Span(8 * HOUR)), at(7, 13));
        // What ends with the day ends when the next one begins.
        assert_eq!(hours.advance(at(4, 14), Span(2 * HOUR)), at(7, 7));
        assert_eq!(hours.worked(at(4, 14), at(7, 13)), Span(8 * HOUR));
        // Three days are three working days: whoever was last heard of on Friday at 15:00 is waited for until Wednesday at 15:00.
        assert_eq!(hours.in_working_days(Span(3 * DAY)), Span(24 * HOUR));
        assert_eq!(hours.advance(at(4, 14), Span(24 * HOUR)), at(9, 13));
    }

    #[test]
    fn a_shift_over_midnight_is_of_one_working_day() {
        let nights: Vec<_> = (0..5).flat_map(|day| [(day, 1_320, 1_440), (day + 1, 0, 360)]).collect();
        let mut nights = nights;
        nights.sort_unstable();
        let three = |week: &[(u8, u16, u16)]| hours(&[(0, 0)], week, &[]).in_working_days(Span(3 * DAY));
        assert_eq!(three(&nights), Span(24 * HOUR), "five nights of eight hours");
        assert_eq!(three(&[(0, 1_320, 1_440), (1, 0, 360)]), Span(24 * HOUR), "one night a week");
        assert_eq!(three(&[(0, 0, 360), (6, 1_320, 1_440)]), Span(24 * HOUR), "over Sunday, too");
        let whole: Vec<_> = (0..7).map(|day| (day, 0, 1_440)).collect();
        assert_eq!((three(&whole), three(&whole[..2])), (Span(3 * DAY), Span(3 * DAY)));
        assert_eq!(three(&[(0, 540, 720), (0, 780, 1_020)]), Span(21 * HOUR), "two shifts of one day");
        assert_eq!(hours(&[(0, 0)], &whole, &[]).next_change(Moment(MONDAY)), None, "it never ends");
    }

    #[test]
    fn times_away_are_not_worked() {
        let hours = berlin(&[(MONDAY + 9 * HOUR, MONDAY + 10 * HOUR), (MONDAY + DAY, MONDAY + 3 * DAY)]);
        hours.check(Moment(MONDAY)).expect("hours");
        let at = |day: i64, hour: i64| Moment(MONDAY + day * DAY + hour * HOUR);
        assert_eq!(hours.worked(at(0, 0), at(3, 9)), Span(8 * HOUR), "seven of Monday, one of Thursday");
        assert_eq!(hours.next_change(at(0, 8)), Some(at(0, 9)));
        assert_eq!(hours.next_change(at(0, 16)), Some(at(3, 8)));
    }

    #[test]
    fn what_is_no_week_is_refused_with_its_field() {
        let refused = |hours: Hours| hours.check(Moment(MONDAY)).expect_err("refused").to_string();
        let week = [(0, 540, 1_020)];
        assert_eq!(
            refused(hours(&[(0, 0)], &[], &[])),
            "field `week` is 0 shifts; allowed is 1 to 42 shifts"
        );
        let overlap = hours(&[(0, 0)], &[(0, 540, 1_020), (0, 600, 700)], &[]);
        assert!(refused(overlap).contains("mon 10:00-11:40 after mon 09:00-17:00"));
        assert!(refused(hours(&[(0, 0)], &[(0, 600, 600)], &[])).contains("mon 10:00-10:00"));
        assert!(refused(hours(&[], &week, &[])).starts_with("field `zone`"));
        assert!(refused(hours(&[(5, 0), (5, 3_600)], &week, &[])).contains("out of order"));
        let far = MONDAY + 400 * DAY;
        assert!(refused(hours(&[(0, 0)], &week, &[(far, far + 1)])).contains("within 366 days"));
    }

    prop_compose! {
        fn some_hours()(
            offsets in prop::collection::btree_map(0..60_i64, -14_i32..=14, 1..4),
            week in prop::collection::btree_map((0_u8..7, 0_u16..4), (0_u16..180, 20_u16..180), 1..10),
            quiet in prop::collection::btree_map(0..30_i64, 1..90_i64, 0..3),
        ) -> Hours {
            let offsets: Vec<_> = offsets.into_iter().map(|(at, ahead)| (MONDAY + at * 17 * HOUR, ahead * 1_800)).collect();
            let week: Vec<_> = week
                .into_iter()
                .map(|((day, part), (from, long))| (day, part * 360 + from, part * 360 + from + long))
                .collect();
            let quiet: Vec<_> = quiet
                .into_iter()
                .map(|(at, long)| (MONDAY + at * 31 * HOUR, MONDAY + at * 31 * HOUR + long * HOUR / 3))
                .collect();
            hours(&offsets, &week, &quiet)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Against minute after minute of `contains`.
        #[test]
        fn sums_and_changes_are_those_of_every_minute(
            hours in some_hours(), from in 0..20_000_i64, span in 1..3_000_i64,
        ) {
            let at = |minute: i64| Moment(MONDAY + (from + minute) * MINUTE);
            prop_assume!(hours.check(at(0)).is_ok());
            let worked = (0..span).filter(|&minute| hours.contains(at(minute))).count() as i64;
            prop_assert_eq!(hours.worked(at(0), at(span)), Span(worked * MINUTE));
            let now = hours.contains(at(0));
            let change = (1..20_000).find(|&minute| hours.contains(at(minute)) != now).map(at);
            prop_assert_eq!(hours.next_change(at(0)).filter(|&it| it < at(20_000)), change);
            let until = hours.advance(at(0), Span(span * MINUTE));
            prop_assert!(hours.contains(until), "ends in worked time");
            prop_assert_eq!(hours.worked(at(0), until), Span(span * MINUTE));
        }
    }
}
