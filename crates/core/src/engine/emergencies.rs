//! What is done about emergencies, and how it is undone (SEMANTICS 12).
//!
//! Every step looks at them twice: before anything is placed, so that a pause holds for what the same command has freed, and
//! after, for what the step itself has brought. It costs time in the emergencies that are open and in what they have done.

use kapell_model::{
    AgentId, AgentState, Considered, EmergencyId, Name, Placer, Priority, TaskId, TaskState, limits,
};

use super::{Engine, Step};
use crate::decide::agents::own_text;
use crate::decide::emergencies::scope_text;
use crate::emergency::{Action, EmergencyCause, EmergencyKind, EmergencyState, Scope, Settlement};
use crate::escalation::{EscalationKind, Subject};
use crate::event::{Cause, Event, MoveCause};
use crate::mutation::mutated;
use crate::notice::NoticeKind;
use crate::state::State;

/// Agents that are named in one action, and that are told something because of it.
const AGENTS_NAMED_MAX: usize = 200;
/// Tasks that one emergency sets aside.
const DEFERRED_MAX: usize = 500;
/// Tasks of one agent that are moved or set aside to free it.
const FREED_PER_AGENT_MAX: usize = 8;
/// Waits of the longest path that are offered for removal.
const EDGES_OFFERED_MAX: usize = 20;
/// Tasks of the longest path that are looked at.
const PATH_LOOKED_AT_MAX: usize = 50;
/// Hours from which a task of the longest path counts as large.
const LARGE_HOURS: i64 = 8;

impl<P: Placer> Engine<P> {
    /// Declares what is alarming, acts on what was declared, and undoes what is over. Tells whether anything has happened. For
    /// silence the owner is called first and somebody else is looked for, so that has to be `settled` before: where somebody has taken
    /// the task over, there is no emergency.
    pub(super) fn see_to_emergencies(&mut self, step: &mut Step<'_>, settled: bool) -> bool {
        let before = step.emitted;
        if !self.state.emergencies.is_quiet() {
            let ripe = |cause: EmergencyCause| settled || cause != EmergencyCause::Stalled;
            let alarms = self.state.emergencies.alarms.iter().filter(|&(_, &cause)| ripe(cause));
            for ((kind, scope), cause) in alarms.map(|(key, &cause)| (key.clone(), cause)).collect::<Vec<_>>()
            {
                self.declare(step, kind, scope, cause);
            }
            for id in std::mem::take(&mut self.state.emergencies.fresh) {
                self.act(step, id);
            }
            for id in self.state.emergencies.all.open_ids().values().copied().collect::<Vec<_>>() {
                self.end_or_undo(step, id);
            }
        }
        for (force, reason) in self.state.finished_forces() {
            let mut out = Vec::new();
            self.state.disband(force, &reason, &mut out);
            self.emit_all(step, out);
        }
        step.emitted > before
    }

    fn emit_all(&mut self, step: &mut Step<'_>, events: Vec<Event>) {
        events.into_iter().for_each(|event| self.emit(step, event));
    }

    fn declare(&mut self, step: &mut Step<'_>, kind: EmergencyKind, scope: Scope, cause: EmergencyCause) {
        let detail = own_text(&self.state.alarm_text(&scope, cause));
        let emergency = self.state.emergencies.all.next_id();
        self.emit(step, Event::EmergencyDeclared { emergency, kind, scope, cause, detail });
    }

    fn act(&mut self, step: &mut Step<'_>, id: EmergencyId) {
        let Some(emergency) = self.state.emergencies.all.get(id) else { return };
        let (kind, scope, detail) = (emergency.kind, emergency.scope.clone(), emergency.detail.clone());
        let subject = match &scope {
            Scope::Fleet {} => Subject::Fleet {},
            Scope::Task(task) => Subject::Task(*task),
            Scope::Project(project) => Subject::Project(project.clone()),
        };
        let mut raised = Vec::new();
        let text = || format!("{id}, {}: {detail}", kind.as_str().replace('_', " "));
        self.state.raise(EscalationKind::Emergency, subject, Priority::Critical, text, &mut raised);
        self.emit_all(step, raised);
        match scope {
            Scope::Fleet {} => self.hold_everything(step, id),
            Scope::Task(task) => self.mobilise(step, id, task),
            Scope::Project(project) => self.shorten(step, id, &project),
        }
    }

    fn acted(&mut self, step: &mut Step<'_>, emergency: EmergencyId, what: Action) {
        let action = self.state.emergencies.all.get(emergency).map_or(0, |it| it.actions.len()) + 1;
        let action = u32::try_from(action).expect("the actions of an emergency are bounded");
        self.emit(step, Event::EmergencyActed { emergency, action, what });
    }

    // Agents fail one after the other.

    /// Pauses assignments, lets those who work be silent for longer, asks them to save their state, and brings others up.
    fn hold_everything(&mut self, step: &mut Step<'_>, id: EmergencyId) {
        self.acted(step, id, Action::AssignmentsPaused {});
        self.acted(step, id, Action::LeasesExtended {});
        let running = self.state.running_owners();
        if !running.is_empty() {
            let agents: Vec<AgentId> = running.iter().map(|&(agent, _)| agent).collect();
            self.acted(step, id, Action::CheckpointsAsked { agents });
            let mut told = Vec::new();
            for (agent, task) in running {
                let text =
                    format!("{id}: agents are failing; leave the state of {task} where another one finds it");
                self.state.notify(agent, NoticeKind::CheckpointWanted, Some(task), &text, None, &mut told);
            }
            self.emit_all(step, told);
        }
        let standing_by = self
            .state
            .agents
            .iter()
            .filter(|agent| agent.spec.standby && agent.state == AgentState::Online && !agent.draining);
        let standing_by: Vec<AgentId> = standing_by.map(|agent| agent.id).take(AGENTS_NAMED_MAX).collect();
        for agent in standing_by {
            self.acted(step, id, Action::StandbyRaised { agent });
        }
        let gone = self.state.agents.iter().filter(|agent| {
            matches!(agent.state, AgentState::Unreachable | AgentState::Offline) && agent.missed
        });
        let agents: Vec<AgentId> = gone.map(|agent| agent.id).take(AGENTS_NAMED_MAX).collect();
        if !agents.is_empty() {
            self.acted(step, id, Action::ReplacementsAsked { agents });
        }
    }

    // A critical task fails.

    /// Gathers a task force, gives its members a slot more each, and frees them from what they have not begun.
    fn mobilise(&mut self, step: &mut Step<'_>, id: EmergencyId, task: TaskId) {
        let scope = Scope::Task(task);
        let Some(gathered) = self.state.gathered(&scope, &[], true) else { return };
        let members = gathered.members.clone();
        if self.state.forces.all.of(&scope).is_none()
            && self.state.forces.all.open_ids().len() < limits::OPEN_FORCES_MAX
        {
            let force = self.state.forces.all.next_id();
            let mut out = Vec::new();
            self.state.form(step.at, scope, Some(id), gathered, &mut out);
            self.emit_all(step, out);
            self.acted(step, id, Action::ForceFormed { force });
        }
        for &agent in &members {
            self.acted(step, id, Action::OvertimeRaised { agent });
        }
        for &agent in &members {
            let own = self.state.agent(agent).tasks.iter().copied();
            let unstarted = own.filter(|&own| own != task && self.state.may_be_deferred(own));
            for own in unstarted.take(FREED_PER_AGENT_MAX).collect::<Vec<_>>() {
                self.free_from(step, id, own, &members);
            }
        }
    }

    /// Takes unstarted work from its owner: it goes to the best other agent, or is set aside.
    fn free_from(&mut self, step: &mut Step<'_>, id: EmergencyId, task: TaskId, members: &[AgentId]) {
        match self.best_beside(task, members) {
            Some(best) => self.move_for(step, id, task, best),
            None => self.defer(step, id, task),
        }
    }

    /// Returns the best agent above the threshold that has room, without some.
    fn best_beside(&mut self, task: TaskId, without: &[AgentId]) -> Option<Considered> {
        let state = &self.state;
        let free = state.situation.free().iter().copied();
        let others =
            free.filter(|agent| !without.contains(agent) && state.obstacle_to_move(task, *agent).is_none());
        let others: Vec<AgentId> = others.collect();
        self.placer.best_of(&self.state.situation, self.state.task(task).class, &others)
    }

    fn move_for(&mut self, step: &mut Step<'_>, id: EmergencyId, task: TaskId, best: Considered) {
        let to = best.agent;
        let owned = self.state.task(task);
        let from = owned.owner.as_ref().expect("what is moved has an owner").agent;
        let mut out = Vec::new();
        let why = format!("for {id}");
        self.state.move_task(owned, to, MoveCause::Emergency, Some(&why), vec![best], &mut out);
        self.emit_all(step, out);
        self.acted(step, id, Action::WorkMoved { task, from, to });
    }

    /// Sets a task aside; one that has an owner returns to the queue, where it waits.
    fn defer(&mut self, step: &mut Step<'_>, id: EmergencyId, task: TaskId) {
        self.acted(step, id, Action::WorkDeferred { task });
        if self.state.task(task).owner.is_some() {
            let mut out = Vec::new();
            self.state.return_task(task, Cause::SetAside, &mut out);
            self.emit_all(step, out);
        }
    }

    // A project will be late.

    /// Sets aside what the project can do without, gives unstarted work of its longest path to faster agents, and offers and asks
    /// for what a person or a manager must decide.
    fn shorten(&mut self, step: &mut Step<'_>, id: EmergencyId, project: &Name) {
        let known = self.state.projects.get(project);
        let optional = known.into_iter().flat_map(|known| known.optional.iter().copied());
        let optional = optional.filter(|&task| self.state.may_be_deferred(task)).take(DEFERRED_MAX);
        for task in optional.collect::<Vec<_>>() {
            self.defer(step, id, task);
        }
        let Some(forecast) = self.state.forecasts.get(project).cloned() else { return };
        let path: Vec<_> = forecast.path.iter().take(PATH_LOOKED_AT_MAX).copied().collect();
        for pair in path.windows(2).take(EDGES_OFFERED_MAX) {
            let (on, task) = (pair[0].0, pair[1].0);
            let inferred =
                self.state.task(task).edges.iter().any(|edge| edge.on == on && edge.gates() && edge.inferred);
            if inferred && self.state.task(on).is_open() {
                self.acted(step, id, Action::EdgeOffered { task, on });
            }
        }
        for (task, left) in path {
            if !self.give_to_faster(step, id, task) && left >= kapell_model::Span::hours(LARGE_HOURS) {
                let owned = self.state.task(task);
                if owned.is_open() && owned.owner.as_ref().is_none_or(|owner| owner.started_at.is_none()) {
                    self.acted(step, id, Action::BreakdownOffered { task });
                }
            }
        }
        for (capability, saved) in forecast.gains.iter().take(AGENTS_NAMED_MAX) {
            self.acted(step, id, Action::CapabilityAsked { capability: capability.clone(), saved: *saved });
        }
    }

    /// Moves unstarted work of the longest path to an agent whose record with such tasks is better.
    fn give_to_faster(&mut self, step: &mut Step<'_>, id: EmergencyId, task: TaskId) -> bool {
        let state = &self.state;
        let owned = state.task(task);
        let Some(owner) = &owned.owner else { return false };
        if owned.state() != TaskState::Assigned
            || state.handoffs.of(task).is_some()
            || owned.spec.agent.is_some()
        {
            return false;
        }
        let (owner, kind) = (owner.agent, state.situation.class(owned.class).kind);
        let record = |agent: AgentId| state.situation.performance(agent, kind);
        let slower: Vec<AgentId> =
            state.situation.free().iter().copied().filter(|&agent| record(agent) <= record(owner)).collect();
        let Some(best) = self.best_beside(task, &slower) else { return false };
        self.move_for(step, id, task, best);
        true
    }

    // The end.

    fn end_or_undo(&mut self, step: &mut Step<'_>, id: EmergencyId) {
        let Some(emergency) = self.state.emergencies.all.get(id) else { return };
        if emergency.state == EmergencyState::Open {
            let Some(reason) = self.state.over_because(emergency) else { return };
            let reason = own_text(&reason);
            self.emit(step, Event::EmergencyEnding { emergency: id, reason, by_hand: false });
        }
        let Some(emergency) = self.state.emergencies.all.get(id) else { return };
        let pending: Vec<(u32, Action)> =
            emergency.pending().map(|(number, action)| (number, action.clone())).collect();
        for (action, what) in pending {
            if !self.may_be_settled(step, id, &what) {
                continue;
            }
            let how = if what.is_undone() { Settlement::Undone } else { Settlement::Confirmed };
            self.emit(step, Event::EmergencySettled { emergency: id, action, how });
            if let Action::ForceFormed { force } = what {
                let mut out = Vec::new();
                self.state.disband(force, &format!("{id} is over"), &mut out);
                self.emit_all(step, out);
            }
        }
        let left = self.state.emergencies.all.get(id).is_some_and(|it| it.pending().next().is_some());
        if !left || mutated!(EmergencyEndsEarly) {
            self.emit(step, Event::EmergencyEnded { emergency: id });
        }
    }

    /// Tells whether an action can be undone or confirmed now. A pause ends little by little, which begins here.
    fn may_be_settled(&mut self, step: &mut Step<'_>, id: EmergencyId, what: &Action) -> bool {
        match *what {
            Action::AssignmentsPaused {} => {
                if self.state.emergencies.pause.is_some_and(|pause| pause.rounds == 0) {
                    let more = self.state.more_allowed(id, 0, step.at);
                    self.emit(step, more);
                }
                false
            }
            Action::OvertimeRaised { agent } => {
                let view = self.state.situation.agent(agent);
                view.active < view.max
            }
            _ => true,
        }
    }
}

impl State {
    /// Says in words what makes an emergency.
    fn alarm_text(&self, scope: &Scope, cause: EmergencyCause) -> String {
        match (scope, cause) {
            (Scope::Fleet {}, _) => {
                let lost = &self.emergencies.lost;
                let names: Vec<String> = lost
                    .iter()
                    .take(5)
                    .map(|&(_, agent)| format!("`{}`", self.agent(agent).spec.name))
                    .collect();
                let more = if lost.len() > 5 { " and others" } else { "" };
                format!(
                    "{} agents fell silent or failed three times in a row within {}: {}{more}; {} of {} are online",
                    lost.len(),
                    self.policy.emergencies.window,
                    names.join(", "),
                    self.online,
                    self.registered
                )
            }
            (Scope::Task(id), EmergencyCause::Failed) => {
                let task = self.task(*id);
                let note =
                    task.note.as_ref().map(|note| format!(", the last time: {note}")).unwrap_or_default();
                format!("critical task {id} failed {} times{note}", task.failures)
            }
            (Scope::Task(id), EmergencyCause::Stalled) => {
                format!("the owner of critical task {id} went quiet and did not answer")
            }
            (Scope::Task(id), _) => {
                format!("the forecast of critical task {id} is past its deadline in half of all trials")
            }
            (Scope::Project(name), _) => {
                let forecast = self.forecasts.get(name);
                let deadline = self.projects.get(name).and_then(|project| project.spec.deadline);
                let late = forecast.zip(deadline).map(|(forecast, deadline)| forecast.p80.since(deadline));
                let late =
                    late.map(|late| format!(", by {late} in two of ten trials at least")).unwrap_or_default();
                format!("{} will be late{late}", scope_text(scope))
            }
        }
    }

    /// Returns those who are online and run work, each with one task that it runs.
    fn running_owners(&self) -> Vec<(AgentId, TaskId)> {
        let online = self.agents.iter().filter(|agent| agent.state == AgentState::Online);
        let running = online.filter_map(|agent| {
            let begun = |id: &&TaskId| self.task(**id).state() == TaskState::InProgress;
            Some((agent.id, *agent.tasks.iter().find(begun)?))
        });
        running.take(AGENTS_NAMED_MAX).collect()
    }
}
