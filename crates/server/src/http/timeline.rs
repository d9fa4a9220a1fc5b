//! Who did what when: assignments from their beginning to their end, read from the log beside the writer.

use std::collections::{BTreeMap, BTreeSet};

use axum::response::Response;
use kapell_api::{Bar, Problem, Step, Timeline};
use kapell_core::{Event, Record};
use kapell_model::{AgentId, AssignmentId, Moment, Name, Position, Span, TaskId};
use serde::Deserialize;
use utoipa::IntoParams;

use super::door::{Asked, Door};
use super::problem::Refusals;
use super::{Log, Refusal, convert, parse};
use crate::fleet::Fleet;

/// Events that one timeline is made from: the last ones.
const EVENTS_MAX: u64 = 200_000;
/// Events that are read at once.
const CHUNK: usize = 20_000;
/// Bars of one timeline.
const BARS_MAX: usize = 20_000;
/// Steps of one timeline.
const STEPS_MAX: i64 = 240;
/// The longest stretch that can be asked for.
const HOURS_MAX: u32 = 24 * 366;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TimelineQuery {
    /// How many hours back it goes, 1 to 8784; 24 where absent.
    hours: Option<u32>,
    /// Only assignments of this project's tasks, and what became of them; the positions of the steps stay those of the whole log.
    project: Option<String>,
}

struct Open {
    agent: AgentId,
    task: TaskId,
    assignment: AssignmentId,
    from: Moment,
    started: Option<Moment>,
    /// Since when its work waits at the gates.
    finished: Option<Moment>,
}

impl Open {
    fn of(task: TaskId, agent: AgentId, assignment: AssignmentId, from: Moment) -> Self {
        Self { agent, task, assignment, from, started: None, finished: None }
    }
}

struct Drawn {
    open: Open,
    to: Option<Moment>,
    end: &'static str,
}

/// What a stretch of the log has shown.
#[derive(Default)]
struct Reading {
    /// Who owns a task: never more than one.
    open: BTreeMap<TaskId, Open>,
    drawn: Vec<Drawn>,
    marks: Vec<(Moment, Position, Mark)>,
}

#[derive(Clone, Copy)]
enum Mark {
    Submitted(TaskId),
    Completed(TaskId),
    Failed(TaskId),
    Archived(TaskId),
    Other,
}

impl Mark {
    fn task(self) -> Option<TaskId> {
        match self {
            Self::Submitted(task) | Self::Completed(task) | Self::Failed(task) | Self::Archived(task) => {
                Some(task)
            }
            Self::Other => None,
        }
    }
}

/// Returns who did what in the last hours, from the last 200,000 events at most.
#[utoipa::path(get, path = "/v1/timeline", params(TimelineQuery), tag = "events",
    responses((status = 200, body = Timeline), Refusals))]
pub(super) async fn timeline(door: Door, Asked(query): Asked<TimelineQuery>) -> Result<Response, Refusal> {
    let hours = query.hours.unwrap_or(24);
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(Problem::field("hours", hours.to_string(), "1 to 8784").into());
    }
    let project = query.project.as_deref().map(|project| parse::name("project", project)).transpose()?;
    let question = format!("timeline {hours} {project:?}");
    let (fleet, log) = (door.app.fleet.clone(), door.app.log.clone());
    let make = move || read(fleet.clone(), log.clone(), hours, project.clone());
    door.app.shared.answer(question, make).await
}

async fn read(fleet: Fleet, log: Log, hours: u32, project: Option<Name>) -> Result<Timeline, Refusal> {
    let (now, last) = fleet.query(|view| (view.now, view.state.position().0)).await?;
    let asked = now.before(Span::hours(i64::from(hours)));
    let earliest = last.saturating_sub(EVENTS_MAX);
    let found = log.before(asked, earliest, last).await?;
    let mut reading = Reading::default();
    let mut after = found;
    while after < last {
        let (records, read) = log.after(after, CHUNK).await?;
        if read == after {
            break;
        }
        records.iter().filter(|record| record.position.0 <= last).for_each(|record| reading.take(record));
        after = read;
    }
    let begins = reading.marks.first().map_or(now, |&(at, ..)| at);
    let cut = found == earliest && earliest > 0;
    let from = if cut || found == 0 { begins.max(asked) } else { asked };
    let steps = Steps { from, to: now };
    let shown = fleet.query(move |view| {
        let state = view.state;
        // What began before the stretch and lasts still is known to the state alone.
        for (assignment, task) in state.assignments() {
            if let Some(owner) = task.owner.as_ref().filter(|owner| owner.since <= from) {
                let known = Open::of(task.id, owner.agent, assignment, owner.since);
                let finished = task.acceptance.as_ref().filter(|work| work.open).map(|work| work.at);
                let open = Open { started: owner.started_at, finished, ..known };
                reading.open.entry(task.id).or_insert(open);
            }
        }
        if project.is_some() {
            reading.keep(|task| state.task(task).spec.project == project);
        }
        let agents: BTreeSet<AgentId> = reading.agents();
        let name = |agent: AgentId| state.agent(agent).spec.name.to_string();
        let (bars, marks) = reading.bars(|task| state.task(task).spec.title.to_string(), name);
        (agents.into_iter().map(name).collect(), bars, marks)
    });
    let (agents, bars, marks) = shown.await?;
    Ok(Timeline {
        from: convert::time(from),
        to: convert::time(now),
        position: last,
        first: found + 1,
        agents,
        bars,
        steps: steps.filled(&marks),
        cut,
    })
}

impl Reading {
    fn take(&mut self, record: &Record) {
        let at = record.at;
        let mark = match record.event {
            Event::TaskSubmitted { task, .. } => Mark::Submitted(task),
            Event::TaskCompleted { task, .. } => Mark::Completed(task),
            Event::AttemptFailed { task, .. } => Mark::Failed(task),
            Event::TaskArchived { task, .. } => Mark::Archived(task),
            _ => Mark::Other,
        };
        self.marks.push((at, record.position, mark));
        match record.event {
            Event::TaskAssigned { task, agent, assignment, .. } => {
                self.open.insert(task, Open::of(task, agent, assignment, at));
            }
            Event::TaskStarted { task, agent, assignment } => {
                let fresh = Open::of(task, agent, assignment, at);
                self.open.entry(task).or_insert(fresh).started = Some(at);
            }
            Event::TaskMoved { task, agent, assignment, .. }
            | Event::HandoffTransferred { task, agent, assignment, .. } => {
                self.close(task, at, "moved");
                self.open.insert(task, Open::of(task, agent, assignment, at));
            }
            Event::GatesOpened { task, assignment, .. } => match self.open.get_mut(&task) {
                Some(open) if open.assignment == assignment => open.finished = Some(at),
                // The work is another's, whose late result it is; whoever owned the task has lost it.
                _ => self.close(task, at, "cancelled"),
            },
            // Its owner begins anew, under the same token.
            Event::GateRejected { task, .. } => {
                if let Some(&Open { agent, assignment, .. }) = self.open.get(&task) {
                    self.close(task, at, "sent_back");
                    self.open.insert(task, Open::of(task, agent, assignment, at));
                }
            }
            // Whatever else takes a task from its owner (`disown` in the core).
            Event::TaskCompleted { task, .. } => self.close(task, at, "completed"),
            Event::AttemptFailed { task, .. } | Event::TaskFailed { task, .. } => {
                self.close(task, at, "failed");
            }
            Event::TaskReturned { task, .. } | Event::GateOwnerLeft { task, .. } => {
                self.close(task, at, "returned");
            }
            Event::TaskCancelled { task, .. }
            | Event::TaskArchived { task, .. }
            | Event::OfferAccepted { task, .. } => self.close(task, at, "cancelled"),
            _ => {}
        }
    }

    fn close(&mut self, task: TaskId, at: Moment, end: &'static str) {
        if let Some(open) = self.open.remove(&task) {
            self.drawn.push(Drawn { open, to: Some(at), end });
        }
    }

    /// Forgets what is about other tasks.
    fn keep(&mut self, wanted: impl Fn(TaskId) -> bool) {
        self.open.retain(|&task, _| wanted(task));
        self.drawn.retain(|drawn| wanted(drawn.open.task));
        for (.., mark) in &mut self.marks {
            if mark.task().is_some_and(|task| !wanted(task)) {
                *mark = Mark::Other;
            }
        }
    }

    fn agents(&self) -> BTreeSet<AgentId> {
        let open = self.open.values();
        self.drawn.iter().map(|drawn| &drawn.open).chain(open).map(|open| open.agent).collect()
    }

    fn bars(
        self,
        title: impl Fn(TaskId) -> String,
        name: impl Fn(AgentId) -> String,
    ) -> (Vec<Bar>, Vec<(Moment, Position, Mark)>) {
        let open = self.open.into_values().map(|open| Drawn { open, to: None, end: "open" });
        let mut drawn: Vec<Drawn> = self.drawn.into_iter().chain(open).collect();
        drawn.sort_by_key(|drawn| (drawn.open.from, drawn.open.assignment));
        let spare = drawn.len().saturating_sub(BARS_MAX);
        let bar = |drawn: Drawn| Bar {
            agent: name(drawn.open.agent),
            task: drawn.open.task.to_string(),
            title: title(drawn.open.task),
            assignment: drawn.open.assignment.to_string(),
            from: convert::time(drawn.open.from),
            started: drawn.open.started.map(convert::time),
            finished: drawn.open.finished.map(convert::time),
            to: drawn.to.map(convert::time),
            end: drawn.end.to_owned(),
        };
        (drawn.into_iter().skip(spare).map(bar).collect(), self.marks)
    }
}

/// Equal steps between two moments.
struct Steps {
    from: Moment,
    to: Moment,
}

impl Steps {
    fn filled(&self, marks: &[(Moment, Position, Mark)]) -> Vec<Step> {
        let length = self.to.since(self.from).0.max(1);
        let width = (length / STEPS_MAX).max(1_000);
        let count = (length + width - 1) / width;
        let mut marks = marks.iter().peekable();
        let mut position = marks.peek().map_or(0, |(_, position, _)| position.0 - 1);
        let step = |index| {
            let end = Moment(self.from.0 + (index + 1) * width).min(self.to);
            let at = convert::time(end);
            let mut step = Step { at, position, submitted: 0, completed: 0, failed: 0, archived: 0 };
            while let Some((_, at, mark)) = marks.next_if(|(at, ..)| *at <= end || end == self.to) {
                step.position = at.0;
                match mark {
                    Mark::Submitted(_) => step.submitted += 1,
                    Mark::Completed(_) => step.completed += 1,
                    Mark::Failed(_) => step.failed += 1,
                    Mark::Archived(_) => step.archived += 1,
                    Mark::Other => {}
                }
            }
            position = step.position;
            step
        };
        (0..count).map(step).collect()
    }
}
