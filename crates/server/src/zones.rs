//! What the clocks of the world's time zones are ahead of UTC, for a few years: from the system's time zone database, else from
//! the one that is built in. The core is told of it, so that replaying a log needs no such database.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kapell_core::{Command, State};
use kapell_model::{AgentState, Hours, Moment, Name, Span, ZoneOffset, limits};

/// How far ahead they are worked out.
const AHEAD: Span = Span::hours(24 * 366 * 4);
/// How far ahead they must be known.
const AHEAD_MIN: Span = Span::hours(24 * 366 * 2);

/// Returns the changes of the clocks of `zone`, from the last one before `now` on, and up to when they are known; nothing where
/// nobody knows the zone.
pub(crate) fn offsets(zone: &str, now: Moment) -> Option<(Vec<ZoneOffset>, Moment)> {
    let zone = TimeZone::get(zone).ok()?;
    let begin = Timestamp::from_millisecond(now.0).ok()?;
    let until = now.after(AHEAD);
    let mut offsets = vec![ZoneOffset { from: now, seconds: zone.to_offset(begin).seconds() }];
    for change in zone.following(begin) {
        let from = Moment(change.timestamp().as_millisecond());
        if from > until {
            break;
        }
        if offsets.len() == limits::ZONE_OFFSETS_MAX {
            return Some((offsets, from));
        }
        offsets.push(ZoneOffset { from, seconds: change.offset().seconds() });
    }
    // Two changes to the same offset, such as of a name alone, are none.
    offsets.dedup_by_key(|offset| offset.seconds);
    Some((offsets, until))
}

/// Returns what brings the hours of agents up to date whose zones are not known far enough any more, or have been changed by
/// their governments.
pub(crate) fn outdated(state: &State, now: Moment) -> Vec<Command> {
    let command = |(agent, hours): (&Name, &Hours)| {
        Some(Command::SetHours { agent: agent.clone(), hours: Some(Box::new(renewed(hours, now)?)) })
    };
    let present = state.agents().iter().filter(|agent| agent.state != AgentState::Removed);
    let with = present.filter_map(|agent| Some((&agent.spec.name, agent.hours()?)));
    with.filter_map(command).collect()
}

/// Returns hours with what is known of their zone now, where that makes a difference.
fn renewed(hours: &Hours, now: Moment) -> Option<Hours> {
    let (offsets, known_until) = offsets(hours.zone.as_str(), now)?;
    let near = known_until.min(hours.known_until);
    let same = |at: Moment| ahead(&offsets, at) == ahead(&hours.offsets, at);
    let changes = offsets.iter().chain(&hours.offsets).map(|offset| offset.from);
    let stands = changes.filter(|&at| at >= now && at < near).all(same) && same(now);
    let known = hours.known_until.since(now) >= AHEAD_MIN || known_until <= hours.known_until;
    (!stands || !known).then(|| Hours { offsets, known_until, ..hours.clone() })
}

fn ahead(offsets: &[ZoneOffset], at: Moment) -> Option<i32> {
    let last = offsets.iter().rev().find(|offset| offset.from <= at);
    last.or(offsets.first()).map(|offset| offset.seconds)
}

#[cfg(test)]
mod tests {
    use kapell_model::Shift;

    use super::*;

    /// 2026-11-30 11:00 UTC.
    const NOW: Moment = Moment(1_796_036_400_000);

    fn at(text: &str) -> Moment {
        Moment(text.parse::<Timestamp>().expect("a time").as_millisecond())
    }

    #[test]
    fn the_clocks_of_berlin_are_known_for_years() {
        let (offsets, until) = offsets("Europe/Berlin", NOW).expect("a zone");
        let shown: Vec<_> = offsets.iter().take(3).map(|offset| (offset.from, offset.seconds)).collect();
        let (spring, autumn) = (at("2027-03-28T01:00:00Z"), at("2027-10-31T01:00:00Z"));
        assert_eq!(shown, [(NOW, 3_600), (spring, 7_200), (autumn, 3_600)]);
        assert!(until.since(NOW) >= AHEAD_MIN && offsets.len() >= 8);
        assert_eq!(self::offsets("Mars/Olympus", NOW), None);
        assert_eq!(self::offsets("Asia/Kathmandu", NOW).expect("a zone").0.len(), 1, "its clocks stay");
    }

    #[test]
    fn hours_are_brought_up_to_date_where_clocks_change_otherwise_or_are_not_known_far_enough() {
        let (offsets, known_until) = offsets("Europe/Berlin", NOW).expect("a zone");
        let week = vec![Shift { day: 0, from: 540, to: 1_020 }];
        let zone = Name::new("Europe/Berlin").expect("a name");
        let hours = Hours { zone, offsets, known_until, week, quiet: Vec::new() };
        assert_eq!(renewed(&hours, NOW), None);
        assert_eq!(
            renewed(&hours, NOW.after(Span::hours(24 * 300))),
            None,
            "known for more than two years yet"
        );
        let later = NOW.after(Span::hours(24 * 366 * 3));
        let known = renewed(&hours, later).expect("known for a year only").known_until;
        assert!(known > later.after(AHEAD_MIN));
        // As if summer time had been abolished after the hours were set.
        let stays = Hours { offsets: hours.offsets[..1].to_vec(), ..hours.clone() };
        assert_eq!(renewed(&stays, NOW), Some(hours.clone()));
        let unknown = Hours { zone: Name::new("Mars/Olympus").expect("a name"), ..hours };
        assert_eq!(renewed(&unknown, later), None, "what nobody knows any more stays as it is");
    }
}
