//! Gates (SEMANTICS 15): finished work that must pass something before it counts as completed.
//!
//! ```text
//! assigned, in_progress --done--> gate by gate: command (waiting), review (in_review), approval (waiting) --all passed--> completed
//!         ^                           |
//!         +------- sent back ---------+   under the same token; to the queue where the author is gone
//! ```
//! The author keeps the task, and the slot, as long as it is there: the work may come back at any moment.

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::{
    AgentId, AgentKind, AgentState, AssignmentId, Moment, OfferId, Ratio, Span, TaskGate, TaskId, TaskState,
    Text,
};
use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::command::TaskSpec;
use crate::escalation::{EscalationKind, Subject};
use crate::event::Event;
use crate::state::State;
use crate::task::Task;

/// What was said at a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether the work may pass.
    pub passed: bool,
    /// Which agent says so; nothing where a manager does, whom the event names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<AgentId>,
    /// Why, and what is to be done.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub notes: Text,
    /// How good the work is, in a review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Ratio>,
    /// How the command ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<CommandRun>,
}

/// How a command ended that work must pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRun {
    /// Its exit code; 0 passes.
    pub exit_code: i32,
    /// A digest of its whole output.
    pub digest: Text,
}

/// One gate, and how the work stands before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateStanding {
    /// Which.
    pub gate: TaskGate,
    /// Who is asked for a review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewer: Option<AgentId>,
    /// Until when its word is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Moment>,
    /// Who was asked and said nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<AgentId>,
    /// Whether somebody has been called because there is nobody to ask.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub called: bool,
    /// What was said, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<(Moment, Verdict)>,
}

impl GateStanding {
    fn of(gate: &TaskGate) -> Self {
        Self {
            gate: gate.clone(),
            reviewer: None,
            due: None,
            tried: Vec::new(),
            called: false,
            verdict: None,
        }
    }

    /// Tells whether the work is through.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.verdict.as_ref().is_some_and(|(_, verdict)| verdict.passed)
    }
}

/// Finished work and its gates; the last time that it was finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// Whose work it is.
    pub agent: AgentId,
    /// Under which token.
    pub assignment: AssignmentId,
    /// What came of it.
    pub result: Option<Text>,
    /// The late result that it is, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<OfferId>,
    /// When it was finished.
    pub at: Moment,
    /// What all attempts of this assignment have taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<Span>,
    /// The gates in the order in which they are passed.
    pub gates: Vec<GateStanding>,
    /// Whether it stands before one of them now.
    pub open: bool,
    /// How often work on this task was sent back.
    #[serde(default)]
    pub rejections: u32,
    /// How many reviews of this assignment gave a score, and the sum of these in millionths.
    #[serde(default)]
    pub scored: (u32, u64),
    /// Who last reviewed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed_by: Option<AgentId>,
}

/// Indexes of the work that stands before gates. All of them are derived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gates {
    /// By who is to review it.
    pub(crate) by_reviewer: BTreeMap<AgentId, BTreeSet<TaskId>>,
    /// By when its review is due.
    pub(crate) timers: BTreeSet<(Moment, TaskId)>,
    /// Nobody is asked for its review.
    pub(crate) unplaced: BTreeSet<TaskId>,
    /// A person is to approve of it.
    pub(crate) approvals: BTreeSet<TaskId>,
    /// A command is to be run.
    pub(crate) commands: BTreeSet<TaskId>,
}

impl Gates {
    pub(crate) fn put(&mut self, task: &Task, enters: bool) {
        fn one<T: Ord>(set: &mut BTreeSet<T>, value: T, enters: bool) {
            if enters {
                set.insert(value);
            } else {
                set.remove(&value);
            }
        }
        let Some((_, gate)) = task.pending_gate() else { return };
        match (&gate.gate, gate.reviewer) {
            (TaskGate::Command { .. }, _) => one(&mut self.commands, task.id, enters),
            (TaskGate::Approval {}, _) => one(&mut self.approvals, task.id, enters),
            (TaskGate::Review { .. }, None) => one(&mut self.unplaced, task.id, enters),
            (TaskGate::Review { .. }, Some(agent)) => {
                let reviews = self.by_reviewer.entry(agent).or_default();
                one(reviews, task.id, enters);
                if reviews.is_empty() {
                    self.by_reviewer.remove(&agent);
                }
                if let Some(due) = gate.due {
                    one(&mut self.timers, (due, task.id), enters);
                }
            }
        }
    }

    fn reviews(&self, agent: AgentId) -> usize {
        self.by_reviewer.get(&agent).map_or(0, BTreeSet::len)
    }
}

impl Task {
    /// Returns the gate before which its finished work stands, and its index.
    #[must_use]
    pub fn pending_gate(&self) -> Option<(usize, &GateStanding)> {
        let acceptance = self.acceptance.as_ref().filter(|acceptance| acceptance.open)?;
        acceptance.gates.iter().enumerate().find(|(_, gate)| !gate.is_passed())
    }

    /// Tells whether its work is finished and not completed yet.
    #[must_use]
    pub fn is_before_gates(&self) -> bool {
        self.acceptance.as_ref().is_some_and(|acceptance| acceptance.open)
    }

    /// Returns the state of finished work: `in_review` before a review, else `waiting`.
    pub(crate) fn gate_state(&self) -> Option<TaskState> {
        let review = self.pending_gate().is_some_and(|(_, it)| matches!(it.gate, TaskGate::Review { .. }));
        let state = if review { TaskState::InReview } else { TaskState::Waiting };
        Some(state).filter(|_| self.is_before_gates())
    }
}

impl State {
    /// Returns what work on such a task must pass: its own gates and those of its type, each once, in their order.
    #[must_use]
    pub fn gates_of(&self, spec: &TaskSpec) -> Vec<TaskGate> {
        let of_type = self.policy.gates.by_type.get(&spec.kind).into_iter().flatten();
        let mut gates: Vec<TaskGate> = spec.gates.iter().chain(of_type).cloned().collect();
        gates.sort_unstable();
        gates.dedup();
        gates
    }

    /// Visits the tasks that an agent is asked to review, by id.
    pub fn reviews_of(&self, agent: AgentId) -> impl Iterator<Item = &Task> + '_ {
        self.gates.by_reviewer.get(&agent).into_iter().flatten().map(|&id| self.task(id))
    }

    /// Visits the tasks whose finished work stands before a gate, by id.
    pub fn before_gates(&self) -> impl Iterator<Item = &Task> + '_ {
        let gates = &self.gates;
        let reviews = gates.by_reviewer.values().flatten().chain(&gates.unplaced);
        let all: BTreeSet<TaskId> = reviews.chain(&gates.approvals).chain(&gates.commands).copied().collect();
        all.into_iter().map(|id| self.task(id))
    }

    /// Says why an agent may not review a task; nothing where it may. Whether it can be reached is not asked.
    #[must_use]
    pub fn unfit_reviewer(&self, task: &Task, gate: &TaskGate, agent: &Agent) -> Option<String> {
        let author = task.acceptance.as_ref().map(|acceptance| acceptance.agent) == Some(agent.id);
        if let TaskGate::Command { .. } = gate {
            return Some("the command is run for its author".to_owned()).filter(|_| !author);
        }
        if author && !crate::mutation::mutated!(AuthorReviews) {
            return Some("it is the author".to_owned());
        }
        match gate {
            TaskGate::Review { role: Some(role) } if *role != agent.spec.role => {
                Some(format!("the review is for the role `{role}`"))
            }
            TaskGate::Approval {} if agent.spec.kind != AgentKind::Person => {
                Some("the approval is for a person".to_owned())
            }
            _ => None,
        }
    }

    /// Returns who could be asked for the review of a task now: those with the fewest open ones.
    pub(crate) fn reviewers(&self, task: &Task, gate: &GateStanding) -> Vec<AgentId> {
        let may = |agent: &&Agent| {
            agent.state == AgentState::Online
                && !agent.draining
                && self.unfit_reviewer(task, &gate.gate, agent).is_none()
        };
        let fit: Vec<&Agent> = self.agents.iter().map(|agent| &**agent).filter(may).collect();
        // Who is away is asked where nobody else can be; its time runs in its working hours.
        let at_work = fit.iter().any(|agent| !agent.is_away());
        let fit = fit.into_iter().filter(|agent| !at_work || !agent.is_away()).map(|agent| agent.id);
        let fit: Vec<AgentId> = fit.collect();
        let fresh: Vec<AgentId> = fit.iter().copied().filter(|agent| !gate.tried.contains(agent)).collect();
        // Who was silent is asked again only where nobody else is there, and somebody has been called.
        let fit = if fresh.is_empty() && gate.called { fit } else { fresh };
        let last = task.acceptance.as_ref().and_then(|acceptance| acceptance.reviewed_by);
        if let Some(last) = last.filter(|last| fit.contains(last)) {
            return vec![last];
        }
        let least = fit.iter().map(|&agent| self.gates.reviews(agent)).min().unwrap_or(0);
        let idle = fit.into_iter().filter(|&agent| self.gates.reviews(agent) == least);
        idle.take(kapell_model::limits::REVIEWERS_COMPARED_MAX).collect()
    }

    /// Returns the call for a person, where one is to approve of a task.
    pub(crate) fn approval_called(&self, id: TaskId) -> Option<Event> {
        let task = self.task(id);
        let author = task.acceptance.as_ref().filter(|_| self.gates.approvals.contains(&id))?.agent;
        let detail = || {
            let author = &self.agent(author).spec.name;
            format!("{id}, finished by `{author}`, is to be approved by a person: {}", task.spec.title)
        };
        let mut out = Vec::new();
        self.raise(EscalationKind::ApprovalNeeded, Subject::Task(id), task.effective, detail, &mut out);
        out.pop()
    }

    /// Says in words what a task before a gate waits for.
    #[must_use]
    pub fn gate_text(&self, task: &Task) -> Option<String> {
        let (_, gate) = task.pending_gate()?;
        Some(match (&gate.gate, gate.reviewer) {
            (TaskGate::Command { line }, _) => format!(
                "`{line}` must pass; it is run by whoever runs the agent, and nobody has reported how it ended"
            ),
            (TaskGate::Approval {}, _) => "a person must approve of it".to_owned(),
            (TaskGate::Review { .. }, Some(reviewer)) => {
                format!("`{}` is asked to review it", self.agent(reviewer).spec.name)
            }
            (TaskGate::Review { role }, None) => {
                let role = role.as_ref().map(|role| format!(" of the role `{role}`")).unwrap_or_default();
                format!("another agent{role} must review it, and nobody who may is there")
            }
        })
    }

    // Folding.

    /// Puts a task into the indexes of its gate, or takes it out.
    pub(crate) fn index_gate(&mut self, id: TaskId, enters: bool) {
        let task = &self.tasks[id];
        if task.acceptance.is_some() {
            self.gates.put(task, enters);
            if enters && self.gates.unplaced.contains(&id) {
                self.unplaced_reviews.insert(id);
            }
        }
    }

    pub(crate) fn gates_opened(
        &mut self,
        id: TaskId,
        by: (AgentId, AssignmentId),
        result: Option<&Text>,
        offer: Option<OfferId>,
        gates: &[TaskGate],
    ) {
        let ((agent, assignment), at) = (by, self.at);
        let task = &self.tasks[id];
        let before = task.acceptance.as_ref();
        let same = before.filter(|before| before.assignment == assignment);
        let earlier = same.and_then(|before| before.effort).unwrap_or_default();
        let effort = self.actual_effort(id, assignment).map(|span| Span(span.0.saturating_add(earlier.0)));
        let acceptance = Acceptance {
            agent,
            assignment,
            result: result.cloned(),
            offer,
            at,
            effort,
            gates: gates.iter().map(GateStanding::of).collect(),
            open: true,
            rejections: before.map_or(0, |before| before.rejections),
            scored: same.map_or((0, 0), |same| same.scored),
            reviewed_by: before.and_then(|before| before.reviewed_by),
        };
        let stays = task.owner.as_ref().is_some_and(|owner| owner.assignment == assignment);
        let open = move |task: &mut Task| {
            task.deferred_until = None;
            task.churn = None;
            task.acceptance = Some(Box::new(acceptance));
        };
        if !stays {
            return self.disown(id, open);
        }
        // It is not the author's turn: nobody asks it how far it is.
        self.stop_clocks(id);
        self.change(id, |task| {
            let owner = task.owner.as_mut().expect("the author owns it");
            owner.clocks.stall = None;
            owner.permission = None;
            owner.reported_at = at;
            open(task);
        });
    }

    pub(crate) fn review_placed(
        &mut self,
        id: TaskId,
        gate: u8,
        reviewer: Option<AgentId>,
        due: Option<Moment>,
    ) {
        self.change_gate(id, gate, |gate| {
            if let Some(asked) = gate.reviewer.filter(|_| reviewer.is_none())
                && !gate.tried.contains(&asked)
            {
                gate.tried.push(asked);
            }
            gate.called &= reviewer.is_none();
            gate.reviewer = reviewer;
            gate.due = due;
        });
    }

    /// Puts off until when a review is wanted.
    pub(crate) fn put_off_review(&mut self, id: TaskId, until: Moment) {
        let pending = self.tasks[id].pending_gate();
        let Some((index, _)) = pending.filter(|(_, it)| it.due.is_some_and(|due| due < until)) else {
            return;
        };
        self.change_gate(id, u8::try_from(index).expect("gates are bounded"), |gate| gate.due = Some(until));
    }

    pub(crate) fn gate_passed(&mut self, id: TaskId, gate: u8, verdict: &Verdict) {
        let at = self.at;
        self.change_gate(id, gate, |gate| gate.verdict = Some((at, verdict.clone())));
        self.note_reviewer(id, gate, verdict);
    }

    pub(crate) fn gate_rejected(&mut self, id: TaskId, gate: u8, verdict: &Verdict) {
        let at = self.at;
        let owned = self.tasks[id].owner.is_some();
        self.change(id, |task| {
            let acceptance = task.acceptance.as_mut().expect("work before a gate");
            acceptance.gates[usize::from(gate)].verdict = Some((at, verdict.clone()));
            acceptance.open = false;
            acceptance.rejections += 1;
            task.note = Some(verdict.notes.clone()).filter(|notes| !notes.is_empty()).or(task.note.take());
            if let Some(owner) = task.owner.as_mut() {
                owner.started_at = None;
                owner.reported_at = at;
                owner.note = task.note.clone();
            }
        });
        self.note_reviewer(id, gate, verdict);
        if owned {
            self.start_clocks(id);
        }
    }

    fn note_reviewer(&mut self, id: TaskId, gate: u8, verdict: &Verdict) {
        let acceptance = self.tasks[id].acceptance.as_mut().expect("work before a gate");
        if matches!(acceptance.gates[usize::from(gate)].gate, TaskGate::Review { .. }) {
            acceptance.reviewed_by = verdict.by.or(acceptance.reviewed_by);
            if let Some(score) = verdict.score {
                let (count, sum) = acceptance.scored;
                acceptance.scored = (count + 1, sum + u64::from(score.as_micros()));
            }
        }
    }

    /// Returns the mean of what reviews have given to the work of an assignment, passed or sent back.
    pub(crate) fn review_of(&self, id: TaskId, assignment: AssignmentId) -> Option<Ratio> {
        let acceptance = self.tasks[id].acceptance.as_ref().filter(|it| it.assignment == assignment)?;
        let (count, sum) = acceptance.scored;
        (count > 0).then(|| Ratio::of(sum, u64::from(count) * u64::from(Ratio::UNIT)))
    }

    pub(crate) fn gate_owner_left(&mut self, id: TaskId) {
        self.disown(id, |_| {});
    }

    fn change_gate(&mut self, id: TaskId, gate: u8, change: impl FnOnce(&mut GateStanding)) {
        self.change(id, |task| {
            let acceptance = task.acceptance.as_mut().expect("work before a gate");
            change(&mut acceptance.gates[usize::from(gate)]);
        });
    }

    /// Takes note that somebody was called because nobody can be asked.
    pub(crate) fn note_unreviewed(&mut self, id: TaskId) {
        let pending = self.tasks[id].pending_gate().map(|(index, _)| index);
        if let Some((index, acceptance)) = pending.zip(self.tasks[id].acceptance.as_mut()) {
            acceptance.gates[index].called = true;
        }
    }

    /// Looks again for reviewers where somebody has come who may be one.
    pub(crate) fn reviewer_came(&mut self) {
        self.unplaced_reviews.extend(&self.gates.unplaced);
    }
}
