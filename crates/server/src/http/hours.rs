//! Working hours: set, taken away, shown.

use axum::Json;
use axum::http::StatusCode;
use kapell_api::{Ack, ErrorCode, Problem, QuietTime, WorkingHours};
use kapell_core::{Agent, Command};
use kapell_model::{AgentKind, DAYS, Hours, Moment, Name, Shift};

use super::agents::agent_name;
use super::convert::time;
use super::door::{Body, Door, Path, fingerprint};
use super::problem::Refusals;
use super::{Refusal, parse};
use crate::token::Access;
use crate::zones::{self, Known};

/// Sets when an agent works: a manager, or a person itself.
#[utoipa::path(put, path = "/v1/agents/{agent}/hours", request_body = WorkingHours,
    params(("agent" = String, Path, description = "its name")), tag = "agents",
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn set(
    door: Door,
    Path(agent): Path<String>,
    body: Body<WorkingHours>,
) -> Result<Json<Ack>, Refusal> {
    let name = agent_name(&agent)?;
    may_set(&door, &name).await?;
    let of = name.clone();
    let asked = door.app.fleet.query(move |view| {
        let agent = view.state.agent_id(of.as_str()).map(|id| view.state.agent(id));
        (view.now, agent.and_then(Agent::hours).cloned())
    });
    let (now, set) = asked.await?;
    let zone = parse::name("zone", &body.value.zone)?;
    let known = known(zone.clone(), now).await?;
    let hours = hours(&body.value, zone, known.clone())?;
    let same = |set: &Hours| (&set.zone, &set.week, &set.quiet) == (&hours.zone, &hours.week, &hours.quiet);
    // The same hours again are those that are set, as long as enough is known of their zone.
    let set = set.filter(|set| same(set) && zones::renewed(set, &known, now).is_none());
    let hours = Some(Box::new(set.unwrap_or(hours)));
    let contact = door.caller.agent.clone();
    door.acknowledged(body.fingerprint, contact, Command::SetHours { agent: name, hours }).await
}

/// Takes the working hours of an agent away: it works at any time. For a manager, or a person itself.
#[utoipa::path(delete, path = "/v1/agents/{agent}/hours",
    params(("agent" = String, Path, description = "its name")), tag = "agents",
    responses((status = 204), Refusals))]
pub(super) async fn clear(door: Door, Path(agent): Path<String>) -> Result<StatusCode, Refusal> {
    let name = agent_name(&agent)?;
    may_set(&door, &name).await?;
    let digest = fingerprint(&format!("hours {agent}"), &[]);
    let contact = door.caller.agent.clone();
    door.command(digest, contact, Command::SetHours { agent: name, hours: None }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets managers say when somebody works, and persons when they do: no other agent puts itself beyond its lease and its clocks.
async fn may_set(door: &Door, name: &Name) -> Result<(), Refusal> {
    door.speak_for(name)?;
    let of = name.clone();
    let is_person = door.app.fleet.query(move |view| {
        let agent = view.state.agent_id(of.as_str()).map(|id| view.state.agent(id));
        agent.is_some_and(|agent| agent.spec.kind == AgentKind::Person)
    });
    if door.caller.access <= Access::Manager || is_person.await? {
        return Ok(());
    }
    let detail = format!("`{name}` is no person: a manager says when it works");
    Err(Problem::new(ErrorCode::Forbidden, detail).into())
}

/// Returns what is known of a zone, which may wait for a file.
async fn known(zone: Name, now: Moment) -> Result<Known, Problem> {
    let looked = zone.clone();
    let known = tokio::task::spawn_blocking(move || zones::offsets(looked.as_str(), now)).await;
    known.map_err(|error| Problem::new(ErrorCode::Internal, error.to_string()))?.ok_or_else(|| {
        Problem::field("zone", format!("`{zone}`"), "a time zone of the IANA database, such as Europe/Berlin")
    })
}

/// Reads hours.
fn hours(given: &WorkingHours, zone: Name, (offsets, known_until): Known) -> Result<Hours, Problem> {
    let mut week = Vec::new();
    for (day, shifts) in &given.week {
        let Some(index) = DAYS.iter().position(|known| known == day) else {
            let shown: String = day.escape_default().take(100).collect();
            return Err(Problem::field("week", format!("`{shown}`"), DAYS.join(", ")));
        };
        for shift in shifts {
            let (from, to) = minutes(&format!("week.{day}"), shift)?;
            week.push(Shift { day: u8::try_from(index).unwrap_or(0), from, to });
        }
    }
    week.sort_unstable();
    let quiet = given.quiet.iter().map(|quiet| {
        Ok((parse::required_moment("quiet", &quiet.from)?, parse::required_moment("quiet", &quiet.to)?))
    });
    let quiet = quiet.collect::<Result<_, Problem>>()?;
    Ok(Hours { zone, offsets, known_until, week, quiet })
}

/// Reads `09:00-17:00`.
fn minutes(field: &str, shift: &str) -> Result<(u16, u16), Problem> {
    let minute = |text: &str| {
        let (hour, minute) =
            text.split_once(':').filter(|(hour, minute)| hour.len() == 2 && minute.len() == 2)?;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        Some(hour * 60 + minute).filter(|&all| minute < 60 && all <= 24 * 60)
    };
    let read = shift.split_once('-').and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
    read.ok_or_else(|| {
        let shown: String = shift.escape_default().take(100).collect();
        Problem::field(field, format!("`{shown}`"), "a shift such as 09:00-17:00, up to 24:00")
    })
}

/// Says in words whether somebody with hours is at work.
pub(super) fn fact(agent: &Agent) -> Option<String> {
    let duty = agent.duty.as_ref()?;
    match (duty.away, duty.turns_at) {
        (true, Some(until)) => Some(format!("outside working hours until {until}")),
        (true, None) => Some("outside working hours, without another shift in sight".to_owned()),
        (false, Some(until)) => Some(format!("at work until {until}")),
        (false, None) => None,
    }
}

/// Shows hours.
pub(super) fn shown(hours: &Hours) -> WorkingHours {
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let day = |(index, day): (usize, &&str)| {
        let shifts = hours.week.iter().filter(|shift| usize::from(shift.day) == index);
        let shifts: Vec<_> = shifts.map(|it| format!("{}-{}", clock(it.from), clock(it.to))).collect();
        Some(((*day).to_owned(), shifts)).filter(|(_, shifts)| !shifts.is_empty())
    };
    let quiet = |&(from, to): &(Moment, Moment)| QuietTime { from: time(from), to: time(to) };
    WorkingHours {
        zone: hours.zone.to_string(),
        week: DAYS.iter().enumerate().filter_map(day).collect(),
        quiet: hours.quiet.iter().map(quiet).collect(),
    }
}
