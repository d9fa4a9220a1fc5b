//! Tasks from outside: submitted, called off, brought back, placed by hand, claimed.

use std::sync::Arc;

use kapell_model::{
    AgentId, AgentView, Claims, Class, DependencyKind, Moment, Name, Span, TaskId, TaskState, Text, Unfit,
    fit, limits,
};

use super::reservations::check_needs;
use super::{TAKEABLE, invalid, require_state};
use crate::agent::Agent;
use crate::budget::BudgetOf;
use crate::command::{ProjectSpec, TaskRef, TaskSpec};
use crate::dispute::DisputeCause;
use crate::effort::Learned;
use crate::engine::Reply;
use crate::event::{Decision, Event};
use crate::mutation::mutated;
use crate::rejection::Rejection;
use crate::state::State;
use crate::task::Task;

/// Every state of a task that has not ended.
pub(super) const OPEN: &[TaskState] = &[
    TaskState::Blocked,
    TaskState::Ready,
    TaskState::Deferred,
    TaskState::Assigned,
    TaskState::InProgress,
    TaskState::InReview,
    TaskState::Waiting,
];

impl State {
    pub(super) fn submit(
        &self,
        spec: &Arc<TaskSpec>,
        edges: &[(TaskRef, DependencyKind)],
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        check_key(spec.key.as_ref())?;
        if let Some(id) = spec.key.as_ref().and_then(|key| self.task_keys.get(key)) {
            let given = spec.key.as_ref().map(ToString::to_string).unwrap_or_default();
            return Err(Rejection::Duplicate {
                what: "a task with the key",
                given,
                existing: Some(id.to_string()),
            });
        }
        check_task(spec)?;
        if let Some(name) = &spec.agent {
            self.find_agent(name)?;
        }
        for name in &spec.exclude {
            self.find_agent(name)?;
        }
        let edges = self.resolve_edges(spec, edges)?;
        if self.tasks.len() >= limits::TASKS_MAX {
            return Err(Rejection::LimitExceeded { what: "tasks of a fleet", limit: limits::TASKS_MAX });
        }
        if let Some(name) = spec.project.as_ref().filter(|name| !self.projects.contains_key(*name)) {
            let project = ProjectSpec {
                name: name.clone(),
                title: Text::default(),
                deadline: None,
                milestones: Vec::new(),
            };
            out.push(Event::ProjectCreated { spec: project });
        }
        let task = self.next_task();
        let (estimate, learned) = self.estimate(spec);
        let analysis = self.analysed(spec, &edges);
        let declared = edges.iter().filter(|(_, kind)| *kind == DependencyKind::Blocks).count();
        let waits = declared + analysis.as_ref().map_or(0, |analysis| analysis.edges.len());
        let wanted = self.wants_breakdown(spec, estimate, waits, analysis.as_deref());
        out.push(Event::TaskSubmitted { task, spec: Arc::clone(spec), edges, estimate, learned, analysis });
        out.extend(wanted.map(|factors| Event::BreakdownWanted { task, factors }));
        Ok(Reply::about(task))
    }

    /// Returns the effort that a task is taken to need: declared, else learned, else by complexity.
    pub(crate) fn estimate(&self, spec: &TaskSpec) -> (Span, Option<Learned>) {
        if let Some(declared) = spec.estimate {
            return (declared, None);
        }
        let complexity = spec.complexity_or_middle();
        let table = self.policy.estimate_by_complexity[usize::from(complexity) - 1];
        match self.learning.expected(&spec.kind, complexity, table) {
            Some((p50, learned)) => (p50, Some(learned)),
            None => (table, None),
        }
    }

    fn resolve_edges(
        &self,
        spec: &TaskSpec,
        wanted: &[(TaskRef, DependencyKind)],
    ) -> Result<Vec<(TaskId, DependencyKind)>, Rejection> {
        if wanted.len() > limits::DEPENDENCIES_MAX {
            return Err(Rejection::LimitExceeded {
                what: "dependencies of a task",
                limit: limits::DEPENDENCIES_MAX,
            });
        }
        let mut edges = Vec::with_capacity(wanted.len());
        for (reference, kind) in wanted {
            let myself = matches!((reference, &spec.key), (TaskRef::Key(on), Some(key)) if on == key);
            if myself {
                return Err(invalid("depends_on", "the task itself", "other tasks"));
            }
            let edge = (self.stands_for(self.find_task(reference)?.id), *kind);
            if edges.contains(&edge) {
                return Err(invalid("depends_on", format!("{} twice", edge.0), "each task once"));
            }
            edges.push(edge);
        }
        Ok(edges)
    }

    pub(super) fn cancel(
        &self,
        reference: &TaskRef,
        reason: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        if !(mutated!(CompletedCancelled) && task.state() == TaskState::Completed) {
            require_state(task, "cancelling", OPEN)?;
        }
        out.push(Event::TaskCancelled { task: task.id, reason: reason.clone(), after: None });
        Ok(Reply::about(task.id))
    }

    pub(super) fn reopen(
        &self,
        reference: &TaskRef,
        reason: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        if !(mutated!(CompletedReopened) && task.state() == TaskState::Completed) {
            require_state(task, "reopening", &[TaskState::Failed, TaskState::Cancelled])?;
        }
        out.push(Event::TaskReopened { task: task.id, reason: reason.clone() });
        Ok(Reply::about(task.id))
    }

    pub(super) fn claim(
        &self,
        now: Moment,
        reference: &TaskRef,
        name: &Name,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        if self.policy.claims == Claims::Off {
            return Err(Rejection::ClaimsOff);
        }
        let task = self.find_task(reference)?;
        let agent = self.find_agent(name)?;
        if let Some(owner) = &task.owner {
            if owner.agent == agent.id {
                return Ok(Reply::about(task.id));
            }
            let disputable = self.is_forsaken(owner, now) || self.is_contested(task, owner);
            if disputable && self.lost_already(task, owner, agent.id).is_none() {
                return self.open_dispute(now, task, DisputeCause::Claimed, (agent.id, agent.id), None, out);
            }
            let (agent, owner) = (name.clone(), self.name_of(owner.agent));
            return Err(Rejection::NotOwner { task: task.id, agent, owner });
        }
        require_state(task, "claiming", &[TaskState::Ready])?;
        self.require_unpaused()?;
        self.take(now, task, agent, Decision::Claimed, out)
    }

    pub(super) fn assign(
        &self,
        now: Moment,
        reference: &TaskRef,
        name: &Name,
        decision: Decision,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        let agent = self.find_agent(name)?;
        require_state(task, "assigning", TAKEABLE)?;
        self.take(now, task, agent, decision, out)
    }

    /// Gives a task to a candidate. The score is filled in by the engine, which knows the scorer.
    fn take(
        &self,
        now: Moment,
        task: &Task,
        agent: &Agent,
        decision: Decision,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let class = self.situation.class(task.class);
        let fits = match decision {
            Decision::ByHand => self.fit_by_hand(class, agent.id),
            // Who asks by itself is there, whatever its hours.
            Decision::Claimed => self.fit_at_any_time(class, agent.id),
            Decision::Placed | Decision::Together => fit(class, agent.id, self.situation.agent(agent.id)),
        };
        let over = mutated!(LimitOverByOne) && matches!(fits, Err(Unfit::AtLimit { .. }));
        fits.or_else(|unfit| if over { Ok(()) } else { Err(unfit) }).map_err(|unfit| {
            Rejection::NotCandidate {
                task: task.id,
                agent: agent.spec.name.clone(),
                reason: self.unfit_text(agent.id, unfit),
            }
        })?;
        if let Some((of, closing)) = self.over_budget(task, agent.id) {
            let (agent, reason) = (agent.spec.name.clone(), self.closing_text(&of, &closing));
            return Err(Rejection::NotCandidate { task: task.id, agent, reason });
        }
        if let Some(obstacle) = self.obstacle_for(task.id, agent.id) {
            return Err(self.resource_held(&obstacle, now));
        }
        out.push(self.assigned_event(task.id, agent.id, decision, Vec::new()));
        Ok(Reply::about(task.id))
    }

    /// Tells whether an agent is a candidate for a manager, who may give it other work than it is kept for, at any time.
    pub(super) fn fit_by_hand(&self, class: &Class, agent: AgentId) -> Result<(), Unfit> {
        match self.fit_at_any_time(class, agent) {
            Err(Unfit::KeptFor { .. }) => Ok(()),
            other => other,
        }
    }

    /// Tells whether an agent is a candidate, or would be within its working hours.
    fn fit_at_any_time(&self, class: &Class, agent: AgentId) -> Result<(), Unfit> {
        let view = self.situation.agent(agent);
        match fit(class, agent, view) {
            Err(Unfit::Draining) if !self.is_set_apart(agent) => {
                fit(class, agent, &AgentView { draining: false, ..view.clone() })
            }
            other => other,
        }
    }

    /// Says in words why an agent gets no new work.
    fn set_apart_text(&self, id: AgentId) -> String {
        let closed = BudgetOf::Agent(id);
        let closing = self.ledger(&closed).and_then(|ledger| ledger.closed);
        match closing {
            _ if self.agent(id).draining => "it is being drained".to_owned(),
            Some((_, closing)) => self.closing_text(&closed, &closing),
            None if self.is_set_apart(id) => "it stands by for an emergency".to_owned(),
            None => match self.agent(id).away_until() {
                Some(until) if until < Moment::NEVER => format!("outside working hours until {until}"),
                _ => "outside working hours".to_owned(),
            },
        }
    }

    /// Says in words why an agent is no candidate.
    #[must_use]
    pub fn unfit_text(&self, agent: AgentId, unfit: Unfit) -> String {
        match unfit {
            Unfit::NotOnline { state } => format!("it is {state}"),
            Unfit::Draining => self.set_apart_text(agent),
            Unfit::AtLimit { active, max } => format!("it is at its limit, {active} of {max} tasks"),
            Unfit::Pinned { to } => format!("the task is pinned to `{}`", self.agent(to).spec.name),
            Unfit::WrongRole { needs } => format!("the task wants the role `{}`", self.word(needs)),
            Unfit::KeptFor { capability } => {
                format!("it is kept for work that needs `{}` for a while", self.word(capability))
            }
            Unfit::Excluded => "the task excludes it".to_owned(),
            Unfit::UnderMinimum { capability, has, needs } => {
                format!("its `{}` is {has}, the task demands at least {needs}", self.word(capability))
            }
        }
    }
}

fn check_key(key: Option<&Name>) -> Result<(), Rejection> {
    match key {
        Some(key) if key.as_str().parse::<TaskId>().is_ok() => {
            Err(invalid("key", format!("`{key}`"), "a name that does not look like a task id"))
        }
        _ => Ok(()),
    }
}

pub(super) fn check_task(spec: &TaskSpec) -> Result<(), Rejection> {
    if spec.requires.len() > limits::REQUIREMENTS_MAX {
        return Err(Rejection::LimitExceeded {
            what: "required capabilities of a task",
            limit: limits::REQUIREMENTS_MAX,
        });
    }
    for (index, require) in spec.requires.iter().enumerate() {
        let name = &require.capability;
        if spec.requires[..index].iter().any(|other| other.capability == *name) {
            return Err(invalid(
                format!("requires[{index}]"),
                format!("`{name}` twice"),
                "each capability once",
            ));
        }
        let most = limits::WEIGHT_MAX * kapell_model::Ratio::UNIT;
        if require.weight == 0 || require.weight > most {
            let given = format!("{} millionths", require.weight);
            return Err(invalid(format!("requires[{index}].weight"), given, "above 0 and at most 1000"));
        }
    }
    if let Some(complexity) = spec.complexity.filter(|complexity| !(1..=5).contains(complexity)) {
        return Err(invalid("complexity", complexity.to_string(), "1 to 5"));
    }
    if let Some(estimate) = spec.estimate.filter(|span| span.0 <= 0 || *span > limits::ESTIMATE_MAX) {
        return Err(invalid("estimate_hours", format!("{} ms", estimate.0), "above 0 and at most 10000 h"));
    }
    if let Some(attempts) = spec.attempts_max.filter(|count| !(1..=limits::ATTEMPTS_MAX).contains(count)) {
        return Err(invalid("max_attempts", attempts.to_string(), format!("1 to {}", limits::ATTEMPTS_MAX)));
    }
    if !spec.resources.is_empty() {
        check_needs("resources", &spec.resources)?;
    }
    super::gates::check_gates(&spec.gates)?;
    super::breakdown::check_components("components", &spec.components)?;
    if spec.labels.len() > limits::LABELS_MAX {
        return Err(Rejection::LimitExceeded { what: "labels of a task", limit: limits::LABELS_MAX });
    }
    if spec.exclude.len() > limits::EXCLUSIONS_MAX {
        return Err(Rejection::LimitExceeded { what: "exclusions of a task", limit: limits::EXCLUSIONS_MAX });
    }
    let ended = |state| matches!(state, TaskState::Completed | TaskState::Failed | TaskState::Cancelled);
    if let Some(closed) = spec.closed.as_ref().filter(|closed| !ended(closed.state)) {
        return Err(invalid("closed.state", closed.state.as_str(), "completed, failed or cancelled"));
    }
    Ok(())
}
