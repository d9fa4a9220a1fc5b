//! A fleet that is played through minute by minute: the real core and placing, a clock of its own, and members who work by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kapell_core::{
    AgentSpec, Command, Component, Engine, Event, ForecastMonitor, GateWord, Liveness, Package, Part, Record,
    Rejection, Reply, Request, Stage, State, Task, TaskRef, UsageReport, WorkloadMonitor, invariant,
};
use kapell_model::{
    AgentId, AgentKind, AgentState, AssignmentId, CommandId, Moment, Name, Ratio, Span, TaskGate, TaskId,
    TaskState, Text, Usage,
};
use kapell_plan::Greedy;

use crate::fleet::View;

/// Monday, 2 March 2026, midnight.
pub(super) const BEGIN: Moment = Moment(1_772_409_600_000);
const MINUTE: Span = Span::minutes(1);
/// How often a member tells how far it is.
const TELLS_EVERY: i64 = 15;

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// What members do otherwise than they should.
#[derive(Default)]
pub(super) struct Mischief {
    /// Nothing is heard of them.
    pub(super) away: BTreeSet<AgentId>,
    /// Nothing is said about these tasks by these agents.
    pub(super) quiet: BTreeSet<(TaskId, AgentId)>,
    /// So many attempts at these tasks fail yet.
    pub(super) failing: BTreeMap<TaskId, u32>,
    /// No package is sent for these tasks; with `true` one comes of which a part is missing.
    pub(super) unpacked: BTreeMap<TaskId, bool>,
    /// These tasks are declined by whom they are handed to, before or after they have changed hands: so often.
    pub(super) declined: BTreeMap<TaskId, (Stage, u32)>,
    /// These tasks are not confirmed by whom they are handed to.
    pub(super) unconfirmed: BTreeSet<TaskId>,
    /// The first run of the command before these tasks ends badly.
    pub(super) broken: BTreeSet<TaskId>,
    /// The first review of these tasks sends them back.
    pub(super) sent_back: BTreeSet<TaskId>,
}

/// The fleet.
pub(super) struct Fleet {
    engine: Engine<Greedy>,
    liveness: Liveness,
    workload: WorkloadMonitor,
    forecasts: ForecastMonitor,
    commands: u128,
    pub(super) log: Vec<Record>,
    pub(super) now: Moment,
    pub(super) mischief: Mischief,
    /// Assignments that their agents still hold theirs, though the fleet does not.
    lost: BTreeMap<AssignmentId, (AgentId, TaskId)>,
}

impl Fleet {
    pub(super) fn new() -> Self {
        let state = State::default();
        Self {
            liveness: Liveness::new(&state, BEGIN),
            workload: WorkloadMonitor::new(&state, BEGIN),
            forecasts: ForecastMonitor::new(&state, BEGIN),
            engine: Engine::new(state, Greedy::default()),
            commands: 0,
            log: Vec::new(),
            now: BEGIN,
            mischief: Mischief::default(),
            lost: BTreeMap::new(),
        }
    }

    pub(super) fn state(&self) -> &State {
        self.engine.state()
    }

    /// What a report sees.
    pub(super) fn view(&self) -> View<'_> {
        let (liveness, workload) = (&self.liveness, &self.workload);
        View { state: self.state(), liveness, workload, now: self.now }
    }

    /// Sends a command that must be taken.
    pub(super) fn tell(&mut self, command: Command) -> Reply {
        let words = format!("{command:?}");
        self.ask(command).unwrap_or_else(|rejection| panic!("{} {words}: {rejection}", self.clock()))
    }

    /// Sends a command.
    pub(super) fn ask(&mut self, command: Command) -> Result<Reply, Rejection> {
        self.commands += 1;
        let id = CommandId(self.commands);
        let request = Request { id, fingerprint: None, actor: Arc::from("day"), at: self.now, command };
        let before = self.log.len();
        let reply = self.engine.execute(&request, &mut self.log);
        for record in &self.log[before..] {
            match record.event {
                Event::TaskAssigned { assignment, .. }
                | Event::TaskMoved { assignment, .. }
                | Event::HandoffTransferred { assignment, .. } => {
                    self.liveness.assigned(assignment, self.engine.state(), self.now);
                }
                Event::GateRejected { task, .. } => {
                    if let Some(owner) = &self.engine.state().task(task).owner {
                        self.liveness.assigned(owner.assignment, self.engine.state(), self.now);
                    }
                }
                _ => {}
            }
        }
        reply
    }

    pub(super) fn clock(&self) -> String {
        let minutes = self.now.since(BEGIN).0 / MINUTE.0;
        format!("day {} {:02}:{:02}", minutes / 1_440 + 1, minutes / 60 % 24, minutes % 60)
    }

    /// Lets time pass, minute by minute.
    pub(super) fn pass(&mut self, minutes: i64) {
        for _ in 0..minutes {
            self.minute();
        }
        if let Err(broken) = invariant::check(self.state()) {
            panic!("{}: {broken:?}", self.clock());
        }
    }

    /// Lets time pass until something is so, and tells for how long.
    pub(super) fn pass_until(&mut self, what: &str, minutes: i64, holds: impl Fn(&Self) -> bool) -> i64 {
        for passed in 0..minutes {
            if holds(self) {
                return passed;
            }
            self.pass(1);
        }
        panic!("{}: {what} is not so within {minutes} minutes", self.clock());
    }

    fn minute(&mut self) {
        self.now = self.now.after(MINUTE);
        let present = self.state().agents().iter().filter(|agent| agent.state != AgentState::Removed);
        let present: Vec<AgentId> =
            present.map(|agent| agent.id).filter(|agent| !self.mischief.away.contains(agent)).collect();
        for &agent in &present {
            if self.state().agent(agent).state != AgentState::Online {
                let agent = self.state().agent(agent).spec.name.clone();
                self.tell(Command::AgentBack { agent });
            }
            self.liveness.renew(agent, self.now);
        }
        for command in self.liveness.lapsed(self.engine.state(), self.now) {
            let _ = self.ask(command);
        }
        self.break_down();
        self.balance();
        self.forecast();
        self.tell(Command::Tick);
        for agent in present {
            self.report_lost(agent);
            self.receive(agent);
            let tasks = self.state().agent(agent).tasks.clone();
            for task in tasks {
                self.work(agent, task);
            }
            self.review(agent);
        }
    }

    /// Breaks down what the policy wants broken down, as the server does.
    fn break_down(&mut self) {
        let wanted: Vec<TaskId> = self.state().breakdowns_wanted().map(|task| task.id).collect();
        for id in wanted {
            let read = crate::outline::components(self.state().task(id).spec.description.as_str());
            let (source, components) = read.map_or((None, Vec::new()), |(it, all)| (Some(it), all));
            self.tell(Command::BreakDown {
                task: TaskRef::Id(id),
                components,
                source,
                model: None,
                by_policy: true,
            });
        }
    }

    fn balance(&mut self) {
        let (state, now) = (self.engine.state(), self.now);
        if !self.workload.is_due(state, now) {
            return;
        }
        let plan = state.balance_view(now).map(|view| kapell_plan::balance(&view));
        let items = plan.as_ref().map_or(0, |plan| plan.items.len());
        self.workload.planned(state, items, now);
        if let Some(plan) = plan.filter(|_| items > 0) {
            self.tell(Command::ApplyPlan(Box::new(plan)));
        }
    }

    fn forecast(&mut self) {
        let (state, now) = (self.engine.state(), self.now);
        let Some(project) = self.forecasts.is_due(state, now) else { return };
        let source = state.forecast_source(project, now).expect("a project");
        let forecast = kapell_plan::forecast(&source.gather(), 7);
        self.tell(Command::RecordForecast(Box::new(forecast)));
        self.forecasts.forecast(now);
    }

    /// Lets the owner of a task do what is to be done on it in this minute.
    fn work(&mut self, agent: AgentId, id: TaskId) {
        let task = self.state().task(id);
        // Something else may have taken it meanwhile.
        let Some(owner) = task.owner.as_ref().filter(|owner| owner.agent == agent) else { return };
        let (assignment, state, started) = (owner.assignment, task.state(), owner.started_at);
        let takes = time_taken(task, assignment);
        self.lost.insert(assignment, (agent, id));
        let is_quiet = self.mischief.quiet.contains(&(id, agent));
        let (task, agent) = (TaskRef::Id(id), self.state().agent(agent).spec.name.clone());
        let is_handed = self.state().handoffs().of(id).is_some_and(|handoff| handoff.is_transferred());
        // Whoever begins has confirmed.
        let is_quiet = is_quiet || (is_handed && self.mischief.unconfirmed.contains(&id));
        if is_quiet || self.pack(id, &agent, assignment) {
            return;
        }
        match state {
            TaskState::Assigned => {
                self.liveness.fetched(assignment);
                self.tell(Command::Start { task, agent, assignment });
            }
            TaskState::InProgress => {
                let spent = self.now.since(started.expect("it has begun"));
                if self.mischief.failing.contains_key(&id) && spent >= Span(takes.0 / 2) {
                    let left = self.mischief.failing.get_mut(&id).expect("it is there");
                    *left -= 1;
                    if *left == 0 {
                        self.mischief.failing.remove(&id);
                    }
                    let reason = Text::from("it did not work");
                    self.tell(Command::Fail { task, agent, assignment, reason, retry: true });
                } else if spent >= takes {
                    self.lost.remove(&assignment);
                    self.spend(id, &agent, assignment, spent);
                    self.propose(id, &agent, assignment);
                    let result = Some(Text::from("as asked for"));
                    self.tell(Command::Finish { task, agent, assignment, result });
                } else if spent.0 / MINUTE.0 % TELLS_EVERY == 0 {
                    self.spend(id, &agent, assignment, spent);
                    let percent = u8::try_from(spent.0 * 100 / takes.0).ok();
                    self.tell(Command::Progress { task, agent, assignment, percent, note: None });
                }
            }
            TaskState::Waiting => self.run_command(id, agent),
            _ => {}
        }
    }

    /// Tells what an attempt has used so far, where its agent counts that; twice, since reports come twice.
    fn spend(&mut self, id: TaskId, agent: &Name, assignment: AssignmentId, spent: Span) {
        if !id.0.is_multiple_of(3) {
            return;
        }
        let minutes = spent.0.unsigned_abs() / MINUTE.0.unsigned_abs();
        let usage = Usage {
            input: minutes * 900,
            cached: minutes * 300,
            output: minutes * 40,
            money: minutes * 7_500,
        };
        for _ in 0..2 {
            let (task, agent) = (TaskRef::Id(id), agent.clone());
            self.tell(Command::ReportUsage(UsageReport { task, agent, assignment, usage }));
        }
    }

    /// Says what a large task consists of, where its planning is to say so.
    fn propose(&mut self, id: TaskId, agent: &Name, assignment: AssignmentId) {
        let Some(part) = self.state().task(id).membership().filter(|it| it.part == Part::Planning) else {
            return;
        };
        let whole = self.state().task(part.of).broken_into().expect("it has parts");
        if whole.source.is_some() {
            return;
        }
        let component = |title| Component {
            title: Text::from(title),
            description: Text::default(),
            requires: Vec::new(),
            estimate: None,
        };
        let (task, agent) = (TaskRef::Id(id), agent.clone());
        let components = vec![component("what is seen"), component("what is behind it")];
        self.tell(Command::ProposeComponents { task, agent, assignment, components });
    }

    /// Runs the command that finished work must pass, where one is due.
    fn run_command(&mut self, id: TaskId, agent: Name) {
        let due = self.state().task(id).pending_gate().map(|(_, standing)| &standing.gate);
        if matches!(due, Some(TaskGate::Command { .. })) {
            let exit_code = i32::from(self.mischief.broken.remove(&id));
            let (notes, digest) = (Text::from("the end of it"), Text::from("sha256:0"));
            let word = GateWord::Ran { notes, exit_code, digest };
            self.tell(Command::JudgeGate { task: TaskRef::Id(id), gate: None, agent: Some(agent), word });
        }
    }

    /// Sends the package of a task that is being handed over. Tells whether it has changed hands.
    fn pack(&mut self, id: TaskId, agent: &Name, assignment: AssignmentId) -> bool {
        let Some(handoff) = self.state().handoffs().of(id).filter(|handoff| handoff.is_open()) else {
            return false;
        };
        if handoff.is_transferred() || handoff.is_packed() {
            return false;
        }
        let mut package = Package {
            completed: Text::from("half of it"),
            state: Text::from("it builds"),
            remaining: Text::from("the other half"),
            context: Text::from("see the issue"),
            files: vec![Text::from("none")],
            reservations: self.state().reservations().of_task(id).map(|it| it.id).collect(),
        };
        match self.mischief.unpacked.get(&id) {
            Some(false) => return false,
            Some(true) => {
                self.mischief.unpacked.remove(&id);
                package.remaining = Text::default();
            }
            None => {}
        }
        let (task, agent, package) = (TaskRef::Id(id), agent.clone(), Arc::new(package));
        self.tell(Command::SubmitPackage { task, agent, assignment, package });
        self.state().task(id).owner.as_ref().is_none_or(|owner| owner.assignment != assignment)
    }

    /// Confirms or declines what is being handed to an agent.
    fn receive(&mut self, agent: AgentId) {
        let open = self.state().handoffs().iter().filter(|it| it.is_open() && it.to == Some(agent));
        let open: Vec<(TaskId, Stage)> = open.map(|handoff| (handoff.task, handoff.stage)).collect();
        let name = self.state().agent(agent).spec.name.clone();
        for (id, stage) in open {
            let (task, agent) = (TaskRef::Id(id), name.clone());
            let declined = self.mischief.declined.get_mut(&id).filter(|it| it.0 == stage && it.1 > 0);
            if let Some((_, left)) = declined {
                *left -= 1;
                self.tell(Command::DeclineHandoff { task, agent, reason: Text::from("no time") });
            } else if stage == Stage::Transferred && !self.mischief.unconfirmed.contains(&id) {
                self.tell(Command::ConfirmHandoff { task, agent });
            }
        }
    }

    /// Reviews what an agent is asked to review.
    fn review(&mut self, agent: AgentId) {
        let asked: Vec<TaskId> = self.state().reviews_of(agent).map(|task| task.id).collect();
        for id in asked {
            let (task, agent) = (TaskRef::Id(id), Some(self.state().agent(agent).spec.name.clone()));
            let word = if self.mischief.sent_back.remove(&id) {
                GateWord::Rejected {
                    notes: Text::from("a case is missing"),
                    score: Some(Ratio::micros(300_000)),
                }
            } else {
                GateWord::Passed { notes: Text::from("well done"), score: Some(Ratio::micros(900_000)) }
            };
            self.tell(Command::JudgeGate { task, gate: None, agent, word });
        }
    }

    /// Lets an agent that has lost a task while it was away report what it did all the same.
    fn report_lost(&mut self, agent: AgentId) {
        let held: Vec<AssignmentId> =
            self.lost.iter().filter(|(_, (who, _))| *who == agent).map(|(&it, _)| it).collect();
        for assignment in held {
            let (_, id) = self.lost[&assignment];
            let task = self.state().task(id);
            if task.owner.as_ref().is_some_and(|owner| owner.assignment == assignment) {
                continue;
            }
            let reports = task.is_open() && self.state().agent(agent).lost > 0;
            self.lost.remove(&assignment);
            if reports {
                let (task, agent) = (TaskRef::Id(id), self.state().agent(agent).spec.name.clone());
                let result = Some(Text::from("done while I was away"));
                // What has been handed on in the normal way is refused or kept as an offer: both are right.
                let _ = self.ask(Command::Finish { task, agent, assignment, result });
            }
        }
    }

    pub(super) fn register(
        &mut self,
        agent: &str,
        role: &str,
        slots: u32,
        scores: &[(&str, u32)],
    ) -> AgentId {
        let spec = AgentSpec {
            capabilities: scores
                .iter()
                .map(|&(what, score)| (name(what), Ratio::micros(score * 10_000)))
                .collect(),
            ..self::spec(agent, role, slots)
        };
        self.register_as(spec)
    }

    pub(super) fn register_as(&mut self, spec: AgentSpec) -> AgentId {
        let agent = spec.name.clone();
        self.tell(Command::RegisterAgent { spec, online: true });
        let id = self.state().agent_id(agent.as_str()).expect("it is registered");
        self.liveness.renew(id, self.now);
        id
    }

    /// Visits the log's events.
    pub(super) fn events(&self) -> impl Iterator<Item = &Event> + '_ {
        self.log.iter().map(|record| &record.event)
    }
}

/// A service: its lease is short.
pub(super) fn spec(agent: &str, role: &str, slots: u32) -> AgentSpec {
    AgentSpec {
        name: name(agent),
        role: name(role),
        kind: AgentKind::Service,
        capabilities: Vec::new(),
        max_concurrent: slots,
        lease: None,
        standby: false,
    }
}

/// Between half and nine tenths of the estimate, by chance that is the same each time.
fn time_taken(task: &Task, assignment: AssignmentId) -> Span {
    let chance = (u64::from(task.id.0) * 31 + assignment.0 * 17) % 41;
    let share = 50 + i64::try_from(chance).unwrap_or(0);
    Span((task.estimate.0 * share / 100).max(MINUTE.0))
}
