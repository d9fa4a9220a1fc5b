//! Tasks: from submission to their end, and in and out of the indexes.

use std::collections::VecDeque;
use std::sync::Arc;

use kapell_model::{
    AgentId, AssignmentId, Class, ClassId, Cost, DependencyKind, Moment, Name, Priority, Ratio, Requirement,
    Span, TaskId, TaskState, Text, limits,
};

use crate::analysis::Analysis;
use crate::churn::TurnCause;
use crate::command::{Closed, TaskSpec};
use crate::edit::TaskEdit;
use crate::effort::Learned;
use crate::event::{Cause, MoveCause};
use crate::history::{History, Outcome};
use crate::mutation::mutated;
use crate::stall::Clocks;
use crate::state::State;
use crate::task::{Edge, Ending, Owner, Rested, Task};

impl State {
    pub(super) fn task_submitted(
        &mut self,
        id: TaskId,
        spec: &Arc<TaskSpec>,
        edges: &[(TaskId, DependencyKind)],
        (estimate, learned): (Span, Option<Learned>),
        analysis: Option<&Arc<Analysis>>,
    ) {
        let added = self.position;
        let edge = |on, kind, inferred| Edge { on, kind, waived: false, inferred, broken: false, added };
        let declared = edges.iter().map(|&(on, kind)| edge(on, kind, false));
        let read = analysis.into_iter().flat_map(|analysis| &analysis.edges);
        let inferred = read.map(|read| edge(read.on, DependencyKind::Blocks, true));
        let task = Task {
            id,
            spec: Arc::clone(spec),
            class: self.class_of(spec, analysis.map(Arc::as_ref)),
            estimate,
            learned,
            analysis: analysis.cloned(),
            priority: spec.priority,
            effective: spec.priority,
            latest_start: self.own_latest_start(spec, estimate),
            edges: declared.chain(inferred).collect(),
            dependents: Vec::new(),
            open_blockers: 0,
            deferred_until: spec.not_before.filter(|&moment| moment > self.at),
            aside: None,
            owner: None,
            ending: spec.closed.as_ref().map(|closed| Box::new(self.imported_ending(closed))),
            attempts: 0,
            moves: 0,
            moved_at: None,
            failures: 0,
            losses: 0,
            boosted: false,
            called: false,
            failed_by: None,
            churn: None,
            note: None,
            submitted_at: self.at,
            submitted: self.position,
            changed: self.position,
            state_since: self.at,
            edited_at: None,
            decided: None,
            expected_by: None,
            place: None,
            decisions: VecDeque::new(),
            past: Vec::new(),
            offers: Vec::new(),
            conflicts: None,
            acceptance: None,
            breakdown: None,
            account: None,
        };
        if let Some(key) = &spec.key {
            self.task_keys.insert(key.clone(), id);
        }
        self.tasks.push(task);
        self.touch(id);
        self.link(id);
        self.enter(id);
        self.raise_blockers(id);
        self.watch_dead_ends_around(id);
        self.metrics.submitted(self.at);
    }

    fn imported_ending(&self, closed: &Closed) -> Ending {
        let reason = Some(closed.reason.clone()).filter(|reason| !reason.is_empty());
        Ending { state: closed.state, at: closed.at.unwrap_or(self.at), by: None, result: None, reason }
    }

    /// Returns the class of what `spec` asks for, or of what was inferred where it asks for nothing.
    pub(crate) fn class_of(&mut self, spec: &TaskSpec, analysis: Option<&Analysis>) -> ClassId {
        let inferred = analysis.map_or(&[][..], |analysis| &analysis.requires);
        let soft = spec.requires.is_empty() && !inferred.is_empty();
        let declared = spec.requires.iter().map(|it| (&it.capability, it.weight, it.minimum));
        let inferred = inferred.iter().filter(|_| soft).map(|it| (&it.capability, it.weight, Ratio::ZERO));
        let mut requires: Vec<_> = declared
            .chain(inferred)
            .map(|(name, weight, minimum)| Requirement {
                capability: self.words.intern(name),
                weight,
                minimum,
            })
            .collect();
        requires.sort_unstable_by_key(|requirement| requirement.capability);
        let mut exclude: Vec<AgentId> =
            spec.exclude.iter().filter_map(|name| self.agent_ids.get(name).copied()).collect();
        exclude.sort_unstable();
        let class = Class {
            requires: requires.into_boxed_slice(),
            kind: self.words.intern(&spec.kind),
            project: spec.project.as_ref().map(|project| self.words.intern(project)),
            role: spec.role.as_ref().map(|role| self.words.intern(role)),
            pin: spec.agent.as_ref().and_then(|name| self.agent_ids.get(name).copied()),
            exclude: exclude.into_boxed_slice(),
            needs: spec.resources.clone().into_boxed_slice(),
        };
        let (needy, project) = (!class.needs.is_empty(), class.project);
        let (id, new) = self.classes.intern(class, soft, &mut self.situation);
        if needy && new.is_some() {
            self.class_needs(id);
        }
        if new.is_some() && project.is_some_and(|project| self.is_project_closed(self.words.name(project))) {
            self.turn_gate(id);
        }
        if let Some(class) = &new {
            self.fingerprint_class(class, soft);
        }
        if let Some(class) = new.filter(|_| soft) {
            self.soft_class(id, class);
        }
        id
    }

    pub(super) fn task_assigned(&mut self, id: TaskId, agent: AgentId, assignment: AssignmentId) {
        let (at, position) = (self.at, self.position);
        let expected = self.expected_cost(&self.tasks[id].spec).map_or(Cost::NONE, |expected| expected.p50);
        self.last_assignment = assignment;
        self.agent_mut(agent).tasks.push(id);
        self.situation.take_slot(agent);
        self.assigned.insert(assignment, id);
        self.change(id, |task| {
            task.attempts += 1;
            task.decided = Some(position);
            task.deferred_until = None;
            task.owner = Some(Box::new(Owner {
                agent,
                assignment,
                since: at,
                position,
                started_at: None,
                percent: 0,
                note: None,
                reported_at: at,
                clocks: Clocks::default(),
                expected,
                permission: None,
                asked: 0,
                rested: Rested::default(),
            }));
        });
        self.start_clocks(id);
    }

    pub(super) fn task_started(&mut self, id: TaskId) {
        let at = self.at;
        self.change(id, |task| {
            let owner = task.owner.as_mut().expect("only an owner starts a task");
            owner.started_at = Some(at);
            owner.reported_at = at;
            owner.rested = Rested::default();
        });
        self.heard(id);
        self.turned_to(self.owner_of(id), id);
    }

    pub(super) fn task_progressed(&mut self, id: TaskId, percent: Option<u8>, note: Option<&Text>) {
        let task = &mut self.tasks[id];
        let owner = task.owner.as_mut().expect("only an owner reports progress");
        owner.percent = percent.unwrap_or(owner.percent);
        if let Some(note) = note {
            owner.note = Some(note.clone());
        }
        owner.reported_at = self.at;
        self.touch(id);
        self.heard(id);
        self.note_progress(id);
        self.note_sign_of_life(id);
    }

    pub(super) fn task_completed(
        &mut self,
        id: TaskId,
        agent: AgentId,
        assignment: AssignmentId,
        result: Option<&Text>,
    ) {
        let (at, result) = (self.at, result.cloned());
        self.agent_mut(agent).completed += 1;
        self.agent_mut(agent).failed_in_row = 0;
        self.note_no_emergency(id);
        let waited = self.tasks[id].acceptance.as_ref().filter(|it| it.open && it.assignment == assignment);
        let actual = match waited {
            Some(finished) => finished.effort,
            None => self.actual_effort(id, assignment),
        };
        let review = self.review_of(id, assignment);
        self.disown(id, |task| {
            task.deferred_until = None;
            close_gates(task);
            let by = Some((agent, assignment));
            task.churn = None;
            task.ending =
                Some(Box::new(Ending { state: TaskState::Completed, at, by, result, reason: None }));
        });
        if let Some(actual) = actual {
            self.note_effort(id, agent, actual, review);
        }
        self.note_cost(id);
        self.note_team(id, agent);
        self.forget_orders(id);
        self.release_dependents(id);
        self.watch_dead_ends_around(id);
        self.metrics.completed(self.at);
    }

    pub(super) fn attempt_failed(&mut self, id: TaskId, reason: &Text, retry_at: Option<Moment>) {
        let agent = self.owner_of(id);
        let assignment = self.tasks[id].owner.as_ref().expect("an owned task").assignment;
        let review = self.review_of(id, assignment);
        self.agent_mut(agent).failed += 1;
        self.disown(id, |task| {
            task.failures += u32::from(!mutated!(RetryNotCounted));
            task.failed_by = Some(agent);
            task.note = Some(reason.clone());
            task.deferred_until = retry_at;
        });
        self.note_outcome(id, agent, Outcome { efficiency: None, review });
        self.metrics.failed(self.at, agent);
        self.note_failure(id, agent);
    }

    /// Returns what an owner's attempt that ends now has taken, in its working hours and without what it has waited for leave;
    /// nothing for a late result, whose beginning is not known any more.
    pub(crate) fn actual_effort(&self, id: TaskId, assignment: AssignmentId) -> Option<Span> {
        let owner = self.tasks[id].owner.as_ref().filter(|owner| owner.assignment == assignment)?;
        let agent = self.agent(owner.agent);
        let began = owner.started_at.unwrap_or(owner.since);
        let wanted = owner.wanted().map(|wanted| wanted.at);
        let worked = agent.worked(began, self.at).0;
        // Where nothing of it lies in the hours, the clock on the wall counts.
        let (spent, rested, waits) = if worked > 0 {
            (worked, owner.rested.worked, wanted.map_or(Span(0), |from| agent.worked(from, self.at)))
        } else {
            (self.at.since(began).0, owner.rested.passed, wanted.map_or(Span(0), |from| self.at.since(from)))
        };
        Some(Span((spent - rested.0 - waits.0).max(1)))
    }

    /// Learns from a completed attempt: its time efficiency, min(1, estimate / actual), and what such work takes.
    fn note_effort(&mut self, id: TaskId, agent: AgentId, actual: Span, review: Option<Ratio>) {
        let task = &self.tasks[id];
        let estimate = task.estimate.0.clamp(0, actual.0);
        self.learning.completed(&task.spec.kind, task.spec.complexity_or_middle(), actual);
        let efficiency = Ratio::of(estimate.unsigned_abs(), actual.0.unsigned_abs());
        let lead = self.at.since(task.submitted_at);
        self.metrics.succeeded(self.at, agent, &task.spec.kind, (actual, lead), efficiency);
        self.note_outcome(id, agent, Outcome { efficiency: Some(efficiency), review });
    }

    /// Takes an attempt into the agent's record with tasks of this type, and with what they ask for.
    fn note_outcome(&mut self, id: TaskId, agent: AgentId, outcome: Outcome) {
        self.note_capabilities(id, agent, outcome.efficiency.is_some());
        let kind = &self.tasks[id].spec.kind;
        let performance = self.history.finished(agent, kind, outcome);
        let word = self.words.intern(kind);
        self.situation.set_performance(agent, word, performance);
    }

    /// Takes note of whom the agent has worked with by completing a task: those who completed what it waited for,
    /// and the team of its project.
    fn note_team(&mut self, id: TaskId, agent: AgentId) {
        let task = &self.tasks[id];
        let project = task.spec.project.clone();
        let by = |on: TaskId| self.tasks[on].ending.as_ref()?.by.map(|(other, _)| other);
        let others: Vec<AgentId> = task.gates().filter_map(by).filter(|&other| other != agent).collect();
        let mut changed = Vec::new();
        for other in others {
            changed.extend(self.history.worked_together(agent, other, true));
        }
        if let Some(project) = project {
            changed.extend(self.history.completed(agent, &project));
        }
        for (agent, project) in changed {
            self.view_cohesion(agent, &project);
        }
    }

    /// Puts how an agent fits into a team into the situation.
    pub(crate) fn view_cohesion(&mut self, agent: AgentId, project: &Name) {
        if let Some(cohesion) = self.history.cohesion(agent, project) {
            let word = self.words.intern(project);
            self.situation.set_cohesion(agent, word, cohesion, History::STRANGER);
        }
    }

    pub(super) fn task_failed(&mut self, id: TaskId, reason: &Text) {
        self.end(id, TaskState::Failed, reason);
    }

    pub(super) fn task_archived(&mut self, id: TaskId, reason: &Text) {
        self.end(id, TaskState::Archived, reason);
    }

    pub(super) fn task_cancelled(&mut self, id: TaskId, reason: &Text) {
        self.end(id, TaskState::Cancelled, reason);
    }

    fn end(&mut self, id: TaskId, state: TaskState, reason: &Text) {
        let (at, reason) = (self.at, Some(reason.clone()));
        self.disown(id, |task| {
            close_gates(task);
            task.deferred_until = None;
            task.churn = None;
            task.ending = Some(Box::new(Ending { state, at, by: None, result: None, reason }));
        });
        self.forget_orders(id);
        self.note_no_emergency(id);
        self.doom_dependents(id);
        if !mutated!(UrgencyNotLowered) {
            self.lower_blockers(id);
        }
        self.watch_dead_ends_around(id);
    }

    pub(super) fn task_returned(&mut self, id: TaskId, cause: Cause, boosted: bool, note: Option<&Text>) {
        let agent = self.owner_of(id);
        let lost = cause == Cause::OwnerOffline;
        if lost {
            self.agent_mut(agent).lost += 1;
        }
        self.disown(id, |task| {
            task.losses += u32::from(lost);
            if !matches!(cause, Cause::SetAside | Cause::OverBudget) {
                task.failed_by = Some(agent);
            }
            if let Some(note) = note {
                task.note = Some(note.clone());
            }
            if boosted {
                task.boosted = true;
                task.priority = task.priority.raised();
                task.effective = task.effective.min(task.priority);
            }
        });
        if boosted {
            self.recompute_urgency([id]);
            self.raise_blockers(id);
        }
        if !matches!(cause, Cause::SetAside | Cause::OverBudget) {
            self.note_turn(id, agent, cause.into());
        }
    }

    /// Gives an owned task to another agent: one step of the fence, no return to the queue in between.
    pub(super) fn task_moved(
        &mut self,
        id: TaskId,
        (agent, assignment): (AgentId, AssignmentId),
        cause: MoveCause,
        note: Option<&Text>,
    ) {
        let at = self.at;
        let left = self.owner_of(id);
        self.disown(id, |task| {
            task.moves += 1;
            task.moved_at = Some(at);
            if matches!(cause, MoveCause::Stalled | MoveCause::Disputed) {
                task.failed_by = Some(left);
            }
            if let Some(note) = note {
                task.note = Some(note.clone());
            }
        });
        self.task_assigned(id, agent, assignment);
        if cause == MoveCause::Stalled {
            self.note_turn(id, left, TurnCause::Stalled);
        }
    }

    /// Gives a task to the recipient of its handoff: like a move, with what the donor left for it.
    pub(super) fn task_handed_over(
        &mut self,
        id: TaskId,
        (agent, assignment): (AgentId, AssignmentId),
        note: &Text,
    ) {
        let at = self.at;
        self.disown(id, |task| {
            task.moves += 1;
            task.moved_at = Some(at);
            task.note = Some(note.clone());
        });
        self.task_assigned(id, agent, assignment);
    }

    /// Changes what a task is: its class and its place in the queue follow, and the urgency of what it waits for.
    pub(super) fn task_edited(
        &mut self,
        id: TaskId,
        edit: &TaskEdit,
        estimate: Option<(Span, Option<Learned>)>,
    ) {
        let spec = Arc::new(edit.of(&self.tasks[id].spec));
        let analysis = self.tasks[id].analysis.clone();
        let class = self.class_of(&spec, analysis.as_deref());
        let (priority, at) = (edit.priority, self.at);
        self.change(id, |task| {
            task.spec = spec;
            task.edited_at = Some(at);
            task.class = class;
            task.priority = priority.unwrap_or(task.priority);
            if let Some((estimate, learned)) = estimate {
                task.estimate = estimate;
                task.learned = learned;
            }
        });
        if self.tasks[id].priority != Priority::Critical {
            self.note_no_emergency(id);
            self.tasks[id].called = false;
        }
        self.recompute_urgency([id]);
        if edit.deadline.is_some() {
            self.turn_moved(id);
        }
    }

    pub(super) fn task_estimated(&mut self, id: TaskId, estimate: Span, learned: Option<Learned>) {
        self.change(id, |task| (task.estimate, task.learned) = (estimate, learned));
        self.recompute_urgency([id]);
    }

    pub(super) fn task_reopened(&mut self, id: TaskId) {
        self.change(id, |task| {
            task.ending = None;
            task.acceptance = None;
            task.failures = 0;
            task.losses = 0;
        });
        self.budget_reopened(id);
        self.spare_dependents(id);
        self.recompute_urgency([id]);
        self.raise_blockers(id);
        self.watch_dead_ends_around(id);
    }

    fn owner_of(&self, id: TaskId) -> AgentId {
        self.tasks[id].owner.as_ref().expect("an owned task").agent
    }

    /// Takes the task from its owner, where it has one, and changes it.
    pub(crate) fn disown(&mut self, id: TaskId, change: impl FnOnce(&mut Task)) {
        self.note_silence_over(id);
        if let Some(owner) = &self.tasks[id].owner {
            let (agent, assignment) = (owner.agent, owner.assignment);
            let position = self.position;
            let holder = self.agent_mut(agent);
            if !mutated!(OwnerListKept) {
                holder.tasks.retain(|&task| task != id);
            }
            holder.idle_since = position;
            if !mutated!(SlotNotGivenBack) {
                self.situation.give_slot(agent, position);
            }
            self.assigned.remove(&assignment);
            self.stop_clocks(id);
        }
        self.change(id, |task| {
            if let Some(owner) = task.owner.take() {
                if task.past.len() == limits::PAST_ASSIGNMENTS_MAX {
                    task.past.remove(0);
                }
                task.past.push((owner.assignment, owner.agent));
                if owner.note.is_some() {
                    task.note = owner.note;
                }
            }
            change(task);
        });
    }

    /// Takes a task out of the indexes of its state, and returns that.
    pub(super) fn leave(&mut self, id: TaskId) -> TaskState {
        self.unwatch(id);
        self.index_gate(id, false);
        self.breakdowns.remove(&id);
        self.commit(id, false);
        let task = &self.tasks[id];
        let state = task.state();
        if !(mutated!(CountNotUpdated) && state == TaskState::Deferred) {
            self.counts.sub(state);
        }
        if let Some(project) = task.spec.project.as_ref().and_then(|name| self.projects.get_mut(name)) {
            project.leaves(task);
        }
        match state {
            TaskState::Ready => {
                let (class, key) = (task.class, task.queue_key());
                self.situation.dequeue(class, &key);
                self.look_at_gate(class);
            }
            TaskState::Deferred => {
                // What an emergency sets aside may have no time of its own.
                if let Some(until) = task.deferred_until {
                    self.timers.remove(&(until, id));
                }
            }
            _ => {}
        }
        state
    }

    /// Puts a task into the indexes of its state.
    pub(crate) fn enter(&mut self, id: TaskId) {
        self.watch(id);
        self.index_gate(id, true);
        self.index_budget(id);
        self.commit(id, true);
        let task = &self.tasks[id];
        let state = task.state();
        if state != TaskState::Blocked && !self.doomed.is_empty() {
            self.doomed.remove(&id);
        }
        self.counts.add(state);
        if let Some(project) = task.spec.project.as_ref().and_then(|name| self.projects.get_mut(name)) {
            project.enters(task);
        }
        if state == TaskState::Waiting && task.is_to_be_broken_down() {
            self.breakdowns.insert(id);
        }
        match state {
            TaskState::Ready => {
                if task.priority == Priority::Critical {
                    self.critical_arrivals.push(id);
                }
                if task.is_hold_due() {
                    self.churned.push(id);
                }
                let (class, key) = (task.class, task.queue_key());
                self.situation.enqueue(class, key, task.failed_by);
                self.look_at_gate(class);
            }
            TaskState::Deferred if !mutated!(TimerNotSet) => {
                self.timers.extend(task.deferred_until.map(|until| (until, id)));
            }
            _ => {}
        }
    }
}

/// Takes work that has ended from before its gates.
fn close_gates(task: &mut Task) {
    if let Some(acceptance) = &mut task.acceptance {
        acceptance.open = false;
    }
}
