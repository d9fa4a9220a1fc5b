//! What the clocks of the world's time zones are ahead of UTC, for a few years: from the system's time zone database, else from
//! the one that is built in. The core is told of it, so that replaying a log needs no such database.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kapell_core::{Command, State};
use kapell_model::{AgentState, Hours, Moment, Name, Span, ZoneOffset, limits};

/// How often the zones of all agents are looked at.
const EVERY: Span = Span::hours(24);
/// Agents that are looked at in one go.
const AGENTS_MAX: usize = 1_000;
/// Zones that are read in one go.
const ZONES_MAX: usize = 16;
/// Agents whose hours are brought up to date in one go.
const COMMANDS_MAX: usize = 64;

/// How far ahead they are worked out.
const AHEAD: Span = Span::hours(24 * 366 * 4);
/// How far ahead they must be known.
const AHEAD_MIN: Span = Span::hours(24 * 366 * 2);

/// The changes of the clocks of a zone, and up to when they are known.
pub(crate) type Known = (Vec<ZoneOffset>, Moment);

/// Returns the changes of the clocks of `zone`, from the last one before `now` on, and up to when they are known; nothing where
/// nobody knows the zone.
pub(crate) fn offsets(zone: &str, now: Moment) -> Option<Known> {
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

/// A look at the zones of all agents, once a day and a bounded portion at a time. Each zone is read once for all.
#[derive(Default)]
pub(crate) struct Look {
    /// When it began.
    begun: Option<Moment>,
    /// The agent that is next; nothing where all have been looked at.
    next: Option<usize>,
    known: BTreeMap<Name, Option<Known>>,
}

impl Look {
    /// Goes on with the look, or begins one where it is time. Returns what brings the hours of agents up to date whose zones are
    /// not known far enough any more, or have been changed by their governments.
    pub(crate) fn outdated(&mut self, state: &State, now: Moment) -> Vec<Command> {
        let due = self.begun.is_none_or(|begun| now < begun || now.since(begun) >= EVERY);
        if self.next.is_none() && due {
            (self.begun, self.next) = (Some(now), Some(0));
        }
        let mut commands = Vec::new();
        let Some(begin) = self.next.take() else { return commands };
        let mut read = 0;
        for (at, agent) in state.agents().iter().enumerate().skip(begin) {
            if at - begin == AGENTS_MAX || commands.len() == COMMANDS_MAX {
                self.next = Some(at);
                return commands;
            }
            let Some(hours) = agent.hours().filter(|_| agent.state != AgentState::Removed) else { continue };
            if !self.known.contains_key(&hours.zone) {
                if read == ZONES_MAX {
                    self.next = Some(at);
                    return commands;
                }
                read += 1;
                self.known.insert(hours.zone.clone(), offsets(hours.zone.as_str(), now));
            }
            let known = self.known.get(&hours.zone).and_then(Option::as_ref);
            if let Some(hours) = known.and_then(|known| renewed(hours, known, now)) {
                let agent = agent.spec.name.clone();
                commands.push(Command::SetHours { agent, hours: Some(Box::new(hours)) });
            }
        }
        self.known.clear();
        commands
    }
}

/// Returns hours with what is known of their zone now, where that makes a difference.
pub(crate) fn renewed(hours: &Hours, (offsets, known_until): &Known, now: Moment) -> Option<Hours> {
    let known_until = *known_until;
    let near = known_until.min(hours.known_until);
    let same = |at: Moment| ahead(offsets, at) == ahead(&hours.offsets, at);
    let changes = offsets.iter().chain(&hours.offsets).map(|offset| offset.from);
    let stands = changes.filter(|&at| at >= now && at < near).all(same) && same(now);
    let known = hours.known_until.since(now) >= AHEAD_MIN || known_until <= hours.known_until;
    (!stands || !known).then(|| Hours { offsets: offsets.clone(), known_until, ..hours.clone() })
}

fn ahead(offsets: &[ZoneOffset], at: Moment) -> Option<i32> {
    let last = offsets.iter().rev().find(|offset| offset.from <= at);
    last.or(offsets.first()).map(|offset| offset.seconds)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kapell_core::{AgentSpec, Engine, Request};
    use kapell_model::{AgentKind, CommandId, Shift};
    use kapell_plan::Greedy;

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
        let renewed = |hours: &Hours, now| {
            let known = self::offsets("Europe/Berlin", now).expect("a zone");
            super::renewed(hours, &known, now)
        };
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
        assert_eq!(renewed(&stays, NOW), Some(hours));
    }

    fn agent(name: &str) -> AgentSpec {
        AgentSpec {
            name: Name::new(name).expect("a name"),
            role: Name::new("backend").expect("a name"),
            kind: AgentKind::Service,
            capabilities: Vec::new(),
            max_concurrent: 1,
            lease: None,
            standby: false,
        }
    }

    /// A fleet in which each agent has the hours of its zone, as they were known at `NOW`.
    fn fleet(zones: impl Iterator<Item = &'static str>) -> Engine<Greedy> {
        let mut engine = Engine::new(State::default(), Greedy::default());
        let (mut records, mut id) = (Vec::new(), 0);
        let mut tell = |command| {
            id += 1;
            let actor = Arc::from("admin");
            let request = Request { id: CommandId(id), fingerprint: None, actor, at: NOW, command };
            engine.execute(&request, &mut records).expect("it is taken");
        };
        for (number, zone) in zones.enumerate() {
            let name = Name::new(&format!("a{number}")).expect("a name");
            tell(Command::RegisterAgent { spec: agent(name.as_str()), online: false });
            let known =
                offsets(zone, NOW).unwrap_or((vec![ZoneOffset { from: NOW, seconds: 0 }], NOW.after(AHEAD)));
            let (zone, week) =
                (Name::new(zone).expect("a name"), vec![Shift { day: 0, from: 540, to: 1_020 }]);
            let hours = Hours { zone, offsets: known.0, known_until: known.1, week, quiet: Vec::new() };
            tell(Command::SetHours { agent: name, hours: Some(Box::new(hours)) });
        }
        engine
    }

    #[test]
    fn everybody_is_looked_at_once_a_day_and_a_portion_at_a_time() {
        let zones = ["Europe/Berlin", "Mars/Olympus", "Asia/Kathmandu"];
        let engine = fleet(zones.into_iter().cycle().take(300));
        let mut look = Look::default();
        let later = NOW.after(Span::hours(24 * 366 * 3));
        let mut told = Vec::new();
        for round in 0..10 {
            let commands = look.outdated(engine.state(), later);
            assert!(commands.len() <= COMMANDS_MAX);
            assert_eq!(commands.is_empty(), round > 3, "in round {round}");
            told.extend(commands.into_iter().map(|command| match command {
                Command::SetHours { agent, hours: Some(hours) } => (agent, hours.zone.to_string()),
                other => panic!("{other:?}"),
            }));
        }
        told.sort();
        told.dedup();
        assert_eq!(told.len(), 200, "whose zone nobody knows any more stays as it is");
        assert!(told.iter().all(|(_, zone)| zone != "Mars/Olympus"));
        // Within a day nothing is looked at again, then all is; also where the clock was set back.
        assert!(look.outdated(engine.state(), later.after(Span::hours(23))).is_empty());
        assert_eq!(look.outdated(engine.state(), later.after(Span::hours(24))).len(), COMMANDS_MAX);
        let mut look = Look::default();
        assert!(look.outdated(engine.state(), NOW).is_empty(), "all is known");
        assert_eq!(look.outdated(engine.state(), later).len(), COMMANDS_MAX);
    }

    #[test]
    fn no_more_zones_are_read_at_once_than_may_be() {
        let known = jiff::tz::db().available().map(|zone| zone.to_string()).filter(|zone| zone.contains('/'));
        let zones: Vec<&'static str> = known.take(40).map(|zone| &*zone.leak()).collect();
        assert_eq!(zones.len(), 40);
        let engine = fleet(zones.into_iter());
        let mut look = Look::default();
        let portions = [(); 4].map(|()| {
            look.outdated(engine.state(), NOW);
            look.known.len()
        });
        assert_eq!(portions, [16, 32, 0, 0], "all are read in three, and let go");
    }
}
