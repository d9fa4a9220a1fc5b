//! `BREAK_CIRCULAR_DEPENDENCY` (SEMANTICS 6): what nobody vouches for is let in, and a cycle that it closes is broken first.
//!
//! So there is never a cycle among edges that gate, not even between two events: unblocking and urgency need not know of any.
//! Of each cycle goes the least trusted edge: inferred before declared; then the one whose dependent has the lowest effective
//! priority; then the newest. Every cycle that an edge closes runs through it: where it is itself the one to go, it alone does.

use std::cmp::Reverse;

use kapell_model::{AgentId, Cycles, DependencyKind, Position, Priority, TaskId, TaskState, limits};

use super::graph::WAITING;
use super::{invalid, require_state};
use crate::command::TaskRef;
use crate::cycle::{BreakCause, cycle_text};
use crate::engine::Reply;
use crate::escalation::{EscalationKind, Subject};
use crate::event::Event;
use crate::notice::NoticeKind;
use crate::rejection::Rejection;
use crate::state::State;
use crate::task::Task;

/// An edge of a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    task: TaskId,
    on: TaskId,
    inferred: bool,
    added: Position,
}

/// Edges that are taken away in this step, the dependent first.
pub(super) type Gone = Vec<(TaskId, TaskId)>;

/// Whatever has not been replaced by its subtasks.
const STANDING: &[TaskState] = &[
    TaskState::Blocked,
    TaskState::Ready,
    TaskState::Deferred,
    TaskState::Assigned,
    TaskState::InProgress,
    TaskState::InReview,
    TaskState::Waiting,
    TaskState::Completed,
    TaskState::Failed,
    TaskState::Cancelled,
];

impl State {
    /// Adds a gating edge that an import or a text brings; returns whether it stands. `gone` are edges that earlier parts of the
    /// same step have taken away; those that go here are added to it.
    pub(super) fn add_breaking(
        &self,
        task: &Task,
        on: TaskId,
        inferred: bool,
        gone: &mut Gone,
        out: &mut Vec<Event>,
    ) -> bool {
        let new = Link { task: task.id, on, inferred, added: Position(u64::MAX) };
        let before = gone.len();
        let mut broken = Vec::new();
        while let Some(cycle) = self.cycle_without(task.id, on, gone) {
            let (link, because) = match self.least_trusted(&cycle, new) {
                _ if !WAITING.contains(&task.state()) => (new, BreakCause::InWork),
                _ if broken.len() == limits::CYCLES_PER_EDGE_MAX => (new, BreakCause::TooMany),
                found => found,
            };
            if link == new {
                gone.truncate(before);
                // What is said once more and went before has its record, and whoever had to be called was.
                if !task.edges.iter().any(|edge| edge.on == on && edge.broken) {
                    self.break_cycle(link, cycle, (task.id, on), because, out);
                }
                return false;
            }
            gone.push((link.task, link.on));
            broken.push((link, cycle, because));
        }
        self.keep_needless(task.id, on, before, &mut broken, gone);
        for (link, cycle, because) in broken {
            self.break_cycle(link, cycle, (task.id, on), because, out);
        }
        out.push(Self::let_in(task, on, inferred));
        true
    }

    /// Returns the event of a gating edge that comes in: one that was taken out before, and is trusted no less, is put back.
    pub(super) fn let_in(task: &Task, on: TaskId, inferred: bool) -> Event {
        let task_id = task.id;
        if task.edges.iter().any(|edge| edge.on == on && edge.broken && (!edge.inferred || inferred)) {
            return Event::DependencyRestored { task: task_id, on };
        }
        Event::DependencyAdded { task: task_id, on, kind: DependencyKind::Blocks, inferred }
    }

    /// Keeps what need not go, since what goes for a later cycle breaks its own too.
    fn keep_needless(
        &self,
        task: TaskId,
        on: TaskId,
        before: usize,
        broken: &mut Vec<(Link, Vec<TaskId>, BreakCause)>,
        gone: &mut Gone,
    ) {
        let mut index = 0;
        while broken.len() > 1 && index < broken.len() {
            let kept = gone.remove(before + index);
            if self.cycle_without(task, on, gone).is_some() {
                gone.insert(before + index, kept);
                index += 1;
            } else {
                broken.remove(index);
            }
        }
    }

    /// Finds the edge of a cycle that has to go.
    fn least_trusted(&self, cycle: &[TaskId], new: Link) -> (Link, BreakCause) {
        let mut links: Vec<Link> =
            cycle.windows(2).map(|pair| self.link_between(pair[0], pair[1], new)).collect();
        let all = links.len();
        links.retain(|link| link.inferred);
        let inferred = links.len();
        if links.is_empty() {
            if self.policy.cycles == Cycles::Escalate {
                return (new, BreakCause::KeptOut);
            }
            links = cycle.windows(2).map(|pair| self.link_between(pair[0], pair[1], new)).collect();
        }
        let urgency = |link: &Link| -> Priority { self.task(link.task).effective };
        let least = links.iter().map(urgency).max().expect("a cycle has edges");
        let trusted_alike = links.len();
        links.retain(|link| urgency(link) == least);
        let because = match links.len() {
            1 if trusted_alike == 1 && inferred == 1 && all > 1 => BreakCause::Inferred,
            1 => BreakCause::LeastUrgent,
            _ => BreakCause::Newest,
        };
        let newest = links.into_iter().max_by_key(|link| (link.added, Reverse(link.task)));
        (newest.expect("a cycle has edges"), because)
    }

    fn link_between(&self, task: TaskId, on: TaskId, new: Link) -> Link {
        if (task, on) == (new.task, new.on) {
            return new;
        }
        let edge = self.task(task).edges.iter().find(|edge| edge.on == on && edge.gates());
        let edge = edge.expect("a cycle is made of edges that gate");
        Link { task, on, inferred: edge.inferred, added: edge.added }
    }

    /// Records an edge as taken away, tells those whom it concerns, and calls somebody where the policy wants that.
    fn break_cycle(
        &self,
        link: Link,
        cycle: Vec<TaskId>,
        closed_by: (TaskId, TaskId),
        because: BreakCause,
        out: &mut Vec<Event>,
    ) {
        let Link { task, on, inferred, .. } = link;
        let shown = cycle_text(&cycle);
        for agent in self.concerned(&cycle) {
            let text = format!("{task} does not wait for {on}: {shown}; {}", because.says());
            self.notify(agent, NoticeKind::CycleBroken, Some(task), &text, None, out);
        }
        if because == BreakCause::KeptOut {
            let detail = || {
                format!(
                    "{shown}: {task} does not wait for {on} until somebody decides; put it back with an edge of the cycle that is to \
                 go instead, or settle this"
                )
            };
            let (kind, subject) = (EscalationKind::CircularDependency, Subject::Edge { task, on });
            self.raise(kind, subject, Priority::High, detail, out);
        }
        out.push(Event::CycleBroken { task, on, inferred, cycle, closed_by, because });
    }

    /// Returns who owns a task of a cycle, or is the only one who may.
    fn concerned(&self, cycle: &[TaskId]) -> Vec<AgentId> {
        let of = |id: &TaskId| {
            let task = self.task(*id);
            let owner = task.owner.as_ref().map(|owner| owner.agent);
            owner.or_else(|| self.agent_id(task.spec.agent.as_ref()?.as_str()))
        };
        let mut agents: Vec<AgentId> = cycle.iter().filter_map(of).collect();
        agents.sort_unstable();
        agents.dedup();
        agents
    }

    pub(super) fn restore_dependency(
        &self,
        reference: &TaskRef,
        on: &TaskRef,
        instead: Option<&(TaskRef, TaskRef)>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (task, on) = (self.find_task(reference)?, self.find_task(on)?.id);
        if !task.edges.iter().any(|edge| edge.on == on && edge.broken) {
            let given = format!("{} on {on}", task.id);
            return Err(Rejection::NotFound { what: "dependency that was taken away", given });
        }
        if task.edges.iter().any(|edge| edge.on == on && edge.gates()) {
            let given = format!("{} blocks {on}", task.id);
            return Err(Rejection::Duplicate { what: "an edge", given, existing: None });
        }
        require_state(task, "waiting for another task", WAITING)?;
        require_state(self.task(on), "being waited for", STANDING)?;
        let Some(cycle) = self.cycle_without(task.id, on, &[]) else {
            out.push(Event::DependencyRestored { task: task.id, on });
            return Ok(Reply::about(task.id));
        };
        let Some((other, other_on)) = instead else {
            return Err(Rejection::Cycle { task: task.id, on, cycle });
        };
        let instead = (self.find_task(other)?.id, self.find_task(other_on)?.id);
        if instead == (task.id, on) || !cycle.windows(2).any(|pair| (pair[0], pair[1]) == instead) {
            let given = format!("{} on {}", instead.0, instead.1);
            return Err(invalid(
                "instead",
                given,
                format!("another edge of the cycle {}", cycle_text(&cycle)),
            ));
        }
        if let Some(cycle) = self.cycle_without(task.id, on, &[instead]) {
            return Err(Rejection::Cycle { task: task.id, on, cycle });
        }
        let new = Link { task: task.id, on, inferred: false, added: Position(u64::MAX) };
        let link = self.link_between(instead.0, instead.1, new);
        self.break_cycle(link, cycle, (task.id, on), BreakCause::ByHand, out);
        out.push(Event::DependencyRestored { task: task.id, on });
        Ok(Reply::about(task.id))
    }
}
