//! A plain account of what a log says: every event taken at its word and counted, beside the state that a report is made from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kapell_core::{
    Action, AgentSpec, Analysis, Cause, EmergencyState, EscalationKind, Event, Measure, Record, Settlement,
    Severity, TaskSpec,
};
use kapell_model::{
    ActionId, AgentId, AgentState, AssignmentId, BottleneckId, ConflictId, DependencyKind, EmergencyId,
    EscalationId, Forecast, Moment, Name, Policy, Priority, Span, TaskGate, TaskId, TaskState, Usage,
};

const HOUR: i64 = Span::hours(1).0;

/// A task.
pub(super) struct Seen {
    pub(super) spec: Arc<TaskSpec>,
    analysis: Option<Arc<Analysis>>,
    pub(super) priority: Priority,
    estimate: Span,
    submitted: Moment,
    waits_for: BTreeSet<TaskId>,
    deferred: bool,
    aside: bool,
    to_be_broken_down: bool,
    pub(super) owner: Option<Owned>,
    finished: Option<Finished>,
    ended: Option<TaskState>,
    pub(super) state: TaskState,
    since: Moment,
    expected_by: Moment,
}

/// Whose a task is.
pub(super) struct Owned {
    pub(super) agent: AgentId,
    assignment: AssignmentId,
    since: Moment,
    started: Option<Moment>,
    stalled: bool,
}

/// Work before its gates, or what it was sent back from there as.
struct Finished {
    assignment: AssignmentId,
    effort: Option<Span>,
    gates: Vec<(TaskGate, bool)>,
    open: bool,
}

/// An agent.
pub(super) struct Member {
    pub(super) spec: AgentSpec,
    pub(super) state: AgentState,
    pub(super) overtime: u32,
    pub(super) completed: u32,
    pub(super) failed: u32,
    pub(super) lost: u32,
}

/// A call for somebody.
pub(super) struct Call {
    pub(super) kind: EscalationKind,
    pub(super) severity: Priority,
    pub(super) due: Moment,
    acknowledged: bool,
    pub(super) open: bool,
}

/// A conflict.
pub(super) struct Dissent {
    pub(super) kind: &'static str,
    pub(super) state: &'static str,
    pub(super) parties: Vec<AgentId>,
    pub(super) ruling: Option<String>,
}

/// An emergency, with what was done about it and what became of that.
pub(super) struct Alarm {
    pub(super) kind: &'static str,
    pub(super) state: EmergencyState,
    pub(super) actions: Vec<(Action, Option<Settlement>)>,
}

/// What was done about a bottleneck.
pub(super) struct Taken {
    pub(super) kind: &'static str,
    pub(super) expires_at: Moment,
    pub(super) before: u64,
    pub(super) after: Option<u64>,
}

/// An attempt that its owner completed.
struct Success {
    at: Moment,
    kind: Name,
    agent: AgentId,
    effort: i64,
    lead: i64,
    estimate: i64,
}

/// What happened within some hours.
#[derive(Default)]
pub(super) struct Window {
    pub(super) submitted: usize,
    pub(super) completed: usize,
    pub(super) failed: usize,
    pub(super) succeeded: usize,
    pub(super) messages: usize,
    pub(super) handoffs: usize,
    pub(super) effort_mean: Option<i64>,
    pub(super) lead_mean: Option<i64>,
    pub(super) efficiency: Option<f64>,
}

/// Completion times of one type: how many, their mean, and what half and nine of ten of the last 50 did not exceed.
pub(super) type Times = (u64, i64, i64, i64);

/// All of it.
#[derive(Default)]
pub(super) struct Account {
    pub(super) tasks: BTreeMap<TaskId, Seen>,
    pub(super) agents: BTreeMap<AgentId, Member>,
    pub(super) calls: BTreeMap<EscalationId, Call>,
    pub(super) conflicts: BTreeMap<ConflictId, Dissent>,
    pub(super) emergencies: BTreeMap<EmergencyId, Alarm>,
    pub(super) narrow: BTreeMap<BottleneckId, (Severity, Measure)>,
    pub(super) taken: BTreeMap<ActionId, Taken>,
    pub(super) forecasts: BTreeMap<String, Forecast>,
    pub(super) degraded: Option<Moment>,
    pub(super) low: Option<Moment>,
    submitted: Vec<Moment>,
    completed: Vec<Moment>,
    failed: Vec<(Moment, AgentId)>,
    messages: Vec<Moment>,
    handoffs: Vec<Moment>,
    succeeded: Vec<Success>,
    /// The waits in the queue, by what the tasks ask for.
    waits: BTreeMap<String, Vec<i64>>,
    /// What each attempt has used in all, and how much of that was said on each day.
    used: BTreeMap<AssignmentId, Usage>,
    spent: Vec<(Moment, TaskId, AgentId, Usage)>,
}

impl Account {
    pub(super) fn of(log: &[Record]) -> Self {
        let mut account = Self::default();
        for record in log {
            if account.fold(record) {
                account.look(record.at);
            }
        }
        account
    }

    fn task(&mut self, id: TaskId) -> &mut Seen {
        self.tasks.get_mut(&id).expect("it was submitted")
    }

    fn agent(&mut self, id: AgentId) -> &mut Member {
        self.agents.get_mut(&id).expect("it was registered")
    }

    fn owned(&mut self, id: TaskId) -> &mut Owned {
        self.task(id).owner.as_mut().expect("an owner")
    }

    fn owns(&mut self, id: TaskId, agent: AgentId, assignment: AssignmentId, at: Moment) {
        let seen = self.task(id);
        seen.deferred = false;
        seen.owner = Some(Owned { agent, assignment, since: at, started: None, stalled: false });
    }

    fn ended(&mut self, id: TaskId, state: TaskState) {
        let seen = self.task(id);
        (seen.owner, seen.ended, seen.deferred) = (None, Some(state), false);
        seen.finished.iter_mut().for_each(|it| it.open = false);
    }

    /// Takes an event at its word, and tells whether tasks may stand otherwise than before.
    fn fold(&mut self, record: &Record) -> bool {
        self.fold_task(record) || {
            self.fold_member(record);
            self.fold_trouble(record);
            false
        }
    }

    fn fold_task(&mut self, record: &Record) -> bool {
        let at = record.at;
        match &record.event {
            Event::TaskSubmitted { task, spec, edges, estimate, analysis, .. } => {
                self.submitted.push(at);
                let declared = edges.iter().filter(|it| it.1 == DependencyKind::Blocks).map(|it| it.0);
                let read = analysis.iter().flat_map(|it| it.edges.iter().map(|edge| edge.on));
                let seen = Seen {
                    spec: Arc::clone(spec),
                    analysis: analysis.clone(),
                    priority: spec.priority,
                    estimate: *estimate,
                    submitted: at,
                    waits_for: declared.chain(read).collect(),
                    deferred: spec.not_before.is_some_and(|moment| moment > at),
                    aside: false,
                    to_be_broken_down: false,
                    owner: None,
                    finished: None,
                    ended: None,
                    // No task is that at first, so that the first look finds it changed.
                    state: TaskState::Archived,
                    since: at,
                    expected_by: at,
                };
                self.tasks.insert(*task, seen);
            }
            Event::TaskEdited { task, edit, estimate, .. } => {
                let seen = self.task(*task);
                seen.spec = Arc::new(edit.of(&seen.spec));
                seen.priority = edit.priority.unwrap_or(seen.priority);
                seen.estimate = estimate.unwrap_or(seen.estimate);
            }
            Event::TaskEstimated { task, estimate, .. } => self.task(*task).estimate = *estimate,
            Event::TaskAssigned { task, agent, assignment, .. } => {
                let seen = self.task(*task);
                if seen.state == TaskState::Ready {
                    let (class, wait) = (seen.class(), at.since(seen.since).0);
                    self.waits.entry(class).or_default().push(wait);
                }
                self.owns(*task, *agent, *assignment, at);
            }
            Event::TaskMoved { task, agent, assignment, .. } => self.owns(*task, *agent, *assignment, at),
            Event::HandoffTransferred { task, agent, assignment, .. } => {
                self.handoffs.push(at);
                self.owns(*task, *agent, *assignment, at);
            }
            Event::TaskStarted { task, .. } => {
                let owned = self.owned(*task);
                (owned.started, owned.stalled) = (Some(at), false);
            }
            Event::TaskStalled { task, .. } => self.owned(*task).stalled = true,
            Event::TaskProgressed { task, .. } => self.owned(*task).stalled = false,
            Event::StallSettled { task } => {
                self.task(*task).owner.iter_mut().for_each(|owned| owned.stalled = false);
            }
            Event::GatesOpened { task, assignment, gates, .. } => {
                self.finished(*task, *assignment, gates, at);
            }
            Event::GatePassed { task, gate, .. } => {
                self.task(*task).finished.as_mut().expect("finished work").gates[usize::from(*gate)].1 = true;
            }
            Event::GateRejected { task, .. } => {
                let seen = self.task(*task);
                seen.finished.as_mut().expect("finished work").open = false;
                seen.owner.iter_mut().for_each(|owned| owned.started = None);
            }
            Event::GateOwnerLeft { task, .. } => self.task(*task).owner = None,
            Event::TaskCompleted { task, agent, assignment, .. } => {
                self.completed.push(at);
                self.agent(*agent).completed += 1;
                let seen = self.task(*task);
                let before = seen.finished.as_ref().filter(|it| it.open && it.assignment == *assignment);
                let effort = match before {
                    Some(finished) => finished.effort,
                    None => seen.effort(*assignment, at),
                };
                let (kind, lead, estimate) =
                    (seen.spec.kind.clone(), at.since(seen.submitted).0, seen.estimate.0);
                let success =
                    |effort: Span| Success { at, kind, agent: *agent, effort: effort.0, lead, estimate };
                self.succeeded.extend(effort.map(success));
                self.ended(*task, TaskState::Completed);
            }
            Event::AttemptFailed { task, agent, retry_at, .. } => {
                self.failed.push((at, *agent));
                self.agent(*agent).failed += 1;
                let seen = self.task(*task);
                (seen.owner, seen.deferred) = (None, retry_at.is_some());
            }
            Event::TaskFailed { task, .. } => self.ended(*task, TaskState::Failed),
            Event::TaskCancelled { task, .. } => self.ended(*task, TaskState::Cancelled),
            Event::TaskArchived { task, .. } => self.ended(*task, TaskState::Archived),
            Event::TaskReopened { task, .. } => {
                let seen = self.task(*task);
                (seen.ended, seen.finished) = (None, None);
            }
            Event::TaskReturned { task, agent, cause, boosted, .. } => {
                self.agent(*agent).lost += u32::from(*cause == Cause::OwnerOffline);
                let seen = self.task(*task);
                seen.owner = None;
                if *boosted {
                    seen.priority = seen.priority.raised();
                }
            }
            Event::TaskHeld { task, .. } => self.task(*task).deferred = true,
            Event::TaskResumed { task } | Event::HoldReleased { task } => self.task(*task).deferred = false,
            Event::DependencyAdded { task, on, kind: DependencyKind::Blocks, .. }
            | Event::DependencyRestored { task, on } => drop(self.task(*task).waits_for.insert(*on)),
            Event::DependencyWaived { task, on } | Event::CycleBroken { task, on, .. } => {
                self.task(*task).waits_for.remove(on);
            }
            Event::DependencyRewired { task, from, on } => {
                let waits_for = &mut self.task(*task).waits_for;
                waits_for.remove(from);
                waits_for.insert(*on);
            }
            Event::BreakdownWanted { task, .. } => self.task(*task).to_be_broken_down = true,
            Event::BreakdownDeclined { task } | Event::BrokenDown { task, .. } => {
                self.task(*task).to_be_broken_down = false;
            }
            Event::EmergencyActed { emergency, what, .. } => {
                if let Action::WorkDeferred { task } = what {
                    self.task(*task).aside = true;
                }
                if let Action::OvertimeRaised { agent } = what {
                    self.agent(*agent).overtime += 1;
                }
                self.alarm(*emergency).actions.push((what.clone(), None));
            }
            Event::EmergencySettled { emergency, action, how } => {
                let (what, settled) = &mut self.alarm(*emergency).actions[*action as usize - 1];
                *settled = Some(*how);
                match what.clone() {
                    Action::WorkDeferred { task } => self.task(task).aside = false,
                    Action::OvertimeRaised { agent } => self.agent(agent).overtime -= 1,
                    _ => {}
                }
            }
            Event::UsageReported { task, agent, assignment, usage } => {
                let before = self.used.entry(*assignment).or_default();
                let more = usage.less(before);
                *before = before.most(usage);
                self.spent.push((at, *task, *agent, more));
            }
            _ => return false,
        }
        true
    }

    fn finished(&mut self, id: TaskId, assignment: AssignmentId, gates: &[TaskGate], at: Moment) {
        let seen = self.task(id);
        let earlier = seen.finished.as_ref().filter(|it| it.assignment == assignment);
        let earlier = earlier.and_then(|it| it.effort).unwrap_or_default();
        let effort = seen.effort(assignment, at).map(|effort| Span(effort.0 + earlier.0));
        let gates = gates.iter().map(|gate| (gate.clone(), false)).collect();
        seen.finished = Some(Finished { assignment, effort, gates, open: true });
        seen.deferred = false;
        match &mut seen.owner {
            Some(owned) if owned.assignment == assignment => owned.stalled = false,
            _ => seen.owner = None,
        }
    }

    fn alarm(&mut self, id: EmergencyId) -> &mut Alarm {
        self.emergencies.get_mut(&id).expect("it was declared")
    }

    fn fold_member(&mut self, record: &Record) {
        match &record.event {
            Event::AgentRegistered { agent, spec, online } => {
                let state = if *online { AgentState::Online } else { AgentState::Offline };
                let spec = spec.clone();
                let member = Member { spec, state, overtime: 0, completed: 0, failed: 0, lost: 0 };
                self.agents.insert(*agent, member);
            }
            Event::AgentRemoved { agent } => drop(self.agents.remove(agent)),
            Event::AgentUnreachable { agent, .. } => self.agent(*agent).state = AgentState::Unreachable,
            Event::AgentOffline { agent, .. } => self.agent(*agent).state = AgentState::Offline,
            Event::AgentBack { agent } => self.agent(*agent).state = AgentState::Online,
            _ => {}
        }
    }

    fn fold_trouble(&mut self, record: &Record) {
        let at = record.at;
        match &record.event {
            Event::EscalationRaised { escalation, kind, severity, .. } => {
                let due = at.after(Policy::default().ack.of(*severity));
                let (kind, severity) = (*kind, *severity);
                let call = Call { kind, severity, due, acknowledged: false, open: true };
                self.calls.insert(*escalation, call);
            }
            Event::EscalationAcknowledged { escalation, .. } => self.call(*escalation).acknowledged = true,
            Event::EscalationDropped { escalation, due, .. } => {
                let call = self.call(*escalation);
                (call.acknowledged, call.due) = (false, *due);
            }
            Event::EscalationSettled { escalation, .. } => self.call(*escalation).open = false,
            Event::ContentionOpened { conflict, parties, .. } => {
                self.dissent(*conflict, "resource_contention", parties);
            }
            Event::DecisionOpened { conflict, topic } => {
                assert!(topic.tasks.is_empty(), "what waits for a decision is not counted here");
                self.dissent(*conflict, "decision_conflict", &topic.asked);
            }
            Event::DisputeOpened { conflict, parties, .. } => {
                self.dissent(*conflict, "task_dispute", parties);
            }
            Event::PrecedenceOpened { conflict, parties, .. } => {
                self.dissent(*conflict, "priority_conflict", parties);
            }
            Event::DecisionProposed { conflict, proposal } => {
                let parties = &mut self.conflicts.get_mut(conflict).expect("it was opened").parties;
                if !parties.contains(&proposal.agent) {
                    parties.push(proposal.agent);
                }
            }
            Event::DecisionEscalated { conflict, .. } => {
                self.conflicts.get_mut(conflict).expect("it was opened").state = "escalated";
            }
            Event::ContentionResolved { conflict, reason, .. }
            | Event::DecisionMade { conflict, reason, .. }
            | Event::DisputeRuled { conflict, reason, .. }
            | Event::PrecedenceRuled { conflict, reason, .. } => {
                self.settled(*conflict, "resolved", reason.as_str());
            }
            Event::DecisionWithdrawn { conflict, reason } => {
                self.settled(*conflict, "withdrawn", reason.as_str());
            }
            Event::EmergencyDeclared { emergency, kind, .. } => {
                let (kind, state) = (kind.as_str(), EmergencyState::Open);
                self.emergencies.insert(*emergency, Alarm { kind, state, actions: Vec::new() });
            }
            Event::EmergencyEnding { emergency, .. } => self.alarm(*emergency).state = EmergencyState::Ending,
            Event::EmergencyEnded { emergency } => self.alarm(*emergency).state = EmergencyState::Ended,
            Event::BottleneckFound { bottleneck, severity, measure, .. } => {
                self.narrow.insert(*bottleneck, (*severity, *measure));
            }
            Event::ActionTaken { action, remedy, before, expires_at, .. } => {
                let (kind, before, expires_at) = (remedy.as_str(), before.value, *expires_at);
                self.taken.insert(*action, Taken { kind, expires_at, before, after: None });
            }
            Event::ActionEnded { action, after, .. } => {
                self.taken.get_mut(action).expect("it was taken").after = Some(after.value);
            }
            Event::ForecastMade { forecast } => {
                self.forecasts.insert(forecast.project.to_string(), (**forecast).clone());
            }
            Event::MessageSent { .. } => self.messages.push(at),
            Event::PerformanceDegraded { .. } => self.degraded = Some(at),
            Event::PerformanceRecovered { .. } => self.degraded = None,
            Event::HealthFell { .. } => self.low = Some(at),
            Event::HealthRecovered { .. } => self.low = None,
            _ => {}
        }
    }

    fn call(&mut self, id: EscalationId) -> &mut Call {
        self.calls.get_mut(&id).expect("it was raised")
    }

    fn dissent(&mut self, id: ConflictId, kind: &'static str, parties: &[AgentId]) {
        let parties = parties.to_vec();
        self.conflicts.insert(id, Dissent { kind, state: "open", parties, ruling: None });
    }

    fn settled(&mut self, id: ConflictId, state: &'static str, ruling: &str) {
        let it = self.conflicts.get_mut(&id).expect("it was opened");
        (it.state, it.ruling) = (state, Some(ruling.to_owned()));
    }

    /// Works out the state of every task anew.
    fn look(&mut self, at: Moment) {
        let is_done = |on: &TaskId| self.tasks[on].ended == Some(TaskState::Completed);
        let stands = |seen: &Seen| {
            if let Some(gate) = seen.pending_gate() {
                return if matches!(gate, TaskGate::Review { .. }) {
                    TaskState::InReview
                } else {
                    TaskState::Waiting
                };
            }
            match (seen.ended, &seen.owner) {
                (Some(ended), _) => ended,
                (None, Some(owned)) if owned.started.is_some() => TaskState::InProgress,
                (None, Some(_)) => TaskState::Assigned,
                _ if !seen.waits_for.iter().all(is_done) => TaskState::Blocked,
                _ if seen.to_be_broken_down => TaskState::Waiting,
                _ if seen.deferred || seen.aside => TaskState::Deferred,
                _ => TaskState::Ready,
            }
        };
        let changed = self.tasks.iter().map(|(&id, seen)| (id, seen.state, stands(seen)));
        let changed: Vec<_> = changed.filter(|(_, before, now)| before != now).collect();
        for (id, _, state) in changed {
            let expected = self.waits.get(&self.tasks[&id].class()).and_then(|waits| percentile(waits, 50));
            let seen = self.task(id);
            (seen.state, seen.since) = (state, at);
            seen.expected_by = at.after(expected.map_or(Span::minutes(15), Span));
        }
    }

    /// Counts the tasks of a state, of all projects or of one.
    pub(super) fn count(&self, state: TaskState, project: Option<&str>) -> u32 {
        let of = |seen: &&Seen| {
            let own = seen.spec.project.as_ref().map(Name::as_str);
            seen.state == state && (project.is_none() || own == project)
        };
        u32::try_from(self.tasks.values().filter(of).count()).expect("few")
    }

    pub(super) fn is_open(seen: &Seen) -> bool {
        seen.ended.is_none()
    }

    /// Returns how many are as they should be, and of how many, for each part of the health.
    pub(super) fn shares(&self, now: Moment) -> [(&'static str, usize, usize, f64); 5] {
        let online = self.agents.values().filter(|it| it.state == AgentState::Online).count();
        let day = self.window(now, 0..24, None);
        let of = |state| self.tasks.values().filter(move |seen| seen.state == state);
        let running = of(TaskState::InProgress).count();
        let stalled = |seen: &&Seen| seen.owner.as_ref().is_some_and(|owned| owned.stalled);
        let silent = of(TaskState::InProgress).filter(stalled).count();
        let queued = of(TaskState::Ready).count();
        let in_time = of(TaskState::Ready).filter(|seen| seen.expected_by >= now).count();
        let watched = || self.calls.values().filter(|it| it.open && it.kind != EscalationKind::HealthLow);
        let seen_to = watched().filter(|it| it.acknowledged || it.due >= now).count();
        [
            ("online", online, self.agents.len(), 0.25),
            ("success", day.succeeded, day.succeeded + day.failed, 0.25),
            ("running", running - silent, running, 0.20),
            ("queued", in_time, queued, 0.15),
            ("escalations", seen_to, watched().count(), 0.15),
        ]
    }

    pub(super) fn overdue(&self, now: Moment) -> usize {
        let [.., (_, in_time, all, _)] = self.shares(now);
        all - in_time
    }

    /// Returns what happened in whole hours before the end of the present one, of all agents or of one.
    pub(super) fn window(&self, now: Moment, ago: std::ops::Range<i64>, agent: Option<AgentId>) -> Window {
        let hour = |at: Moment| at.0.div_euclid(HOUR);
        let within = |at: Moment| ago.contains(&(hour(now) - hour(at)));
        let own = |by: AgentId| agent.is_none_or(|agent| agent == by);
        let all: Vec<&Success> = self.succeeded.iter().filter(|it| within(it.at) && own(it.agent)).collect();
        let count = i64::try_from(all.len()).expect("few");
        let mean = |of: fn(&Success) -> i64| {
            let sum = all.iter().map(|it| of(it)).sum::<i64>();
            (count > 0).then(|| sum / count)
        };
        let efficiency = all.iter().map(|it| (it.estimate as f64 / it.effort as f64).min(1.0)).sum::<f64>();
        Window {
            submitted: self.submitted.iter().filter(|it| within(**it)).count(),
            completed: self.completed.iter().filter(|it| within(**it)).count(),
            failed: self.failed.iter().filter(|it| within(it.0) && own(it.1)).count(),
            succeeded: all.len(),
            messages: self.messages.iter().filter(|it| within(**it)).count(),
            handoffs: self.handoffs.iter().filter(|it| within(**it)).count(),
            effort_mean: mean(|it| it.effort),
            lead_mean: mean(|it| it.lead),
            efficiency: (count > 0).then(|| efficiency / count as f64),
        }
    }

    /// Returns the completion times by type.
    pub(super) fn times(&self) -> BTreeMap<String, Times> {
        let mut all: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for it in &self.succeeded {
            all.entry(it.kind.to_string()).or_default().push(it.effort);
        }
        let times = |of: Vec<i64>| {
            let mean = of.iter().sum::<i64>() / i64::try_from(of.len()).expect("few");
            let percent = |percent| percentile(&of, percent).expect("there is one");
            (of.len() as u64, mean, percent(50), percent(90))
        };
        all.into_iter().map(|(kind, of)| (kind, times(of))).collect()
    }

    /// Adds up what was used, by what `of` names; since a moment.
    pub(super) fn costs(
        &self,
        since: Moment,
        of: impl Fn(&Seen, AgentId, Moment) -> Option<String>,
    ) -> BTreeMap<String, Usage> {
        let mut all: BTreeMap<String, Usage> = BTreeMap::new();
        for (at, task, agent, usage) in self.spent.iter().filter(|it| it.0 >= since) {
            if let Some(name) = of(&self.tasks[task], *agent, *at) {
                let sum = all.entry(name).or_default();
                *sum = sum.plus(usage);
            }
        }
        all
    }
}

impl Seen {
    /// Says what decides who can take it.
    fn class(&self) -> String {
        let spec = &self.spec;
        let mut requires: Vec<String> = spec.requires.iter().map(|it| format!("{it:?}")).collect();
        if requires.is_empty() {
            let read = self.analysis.iter().flat_map(|it| &it.requires);
            requires = read.map(|it| format!("read {} {}", it.capability, it.weight)).collect();
        }
        requires.sort();
        let who = (&spec.role, &spec.agent, &spec.exclude, &spec.resources);
        format!("{requires:?} {} {:?} {who:?}", spec.kind, spec.project)
    }

    fn effort(&self, assignment: AssignmentId, at: Moment) -> Option<Span> {
        let owned = self.owner.as_ref().filter(|owned| owned.assignment == assignment)?;
        Some(Span(at.since(owned.started.unwrap_or(owned.since)).0.max(1)))
    }

    fn pending_gate(&self) -> Option<&TaskGate> {
        let finished = self.finished.as_ref().filter(|it| it.open)?;
        let pending = finished.gates.iter().find(|(_, passed)| !passed);
        Some(&pending.or(finished.gates.last()).expect("there is a gate").0)
    }
}

/// Returns what so many in a hundred of the last 50 did not exceed (nearest rank).
fn percentile(of: &[i64], percent: usize) -> Option<i64> {
    let mut last: Vec<i64> = of[of.len().saturating_sub(50)..].to_vec();
    last.sort_unstable();
    (!last.is_empty()).then(|| last[(last.len() * percent).div_ceil(100) - 1])
}
