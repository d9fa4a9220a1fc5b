//! Sums kept along the way equal what a plain fold of the log gives, whatever was sent; one cause never calls twice.

mod scenario;

use std::collections::BTreeMap;
use std::sync::Arc;

use kapell_core::{
    Action, Address, Command, EdgeSource, EscalationKind, Event, NewMessage, Package, Record,
    SNAPSHOT_FORMAT, Share, State, Subject, Tally, TaskRef, TaskSpec,
};
use kapell_model::{
    AgentId, AssignmentId, DependencyKind, EmergencyId, EscalationId, Moment, Name, OfferId, Policy,
    Priority, Ratio, Span, TaskId, TaskState, Text,
};
use proptest::prelude::*;
use scenario::{Scenario, name};

const AGENTS: usize = 4;
const TASKS: u32 = 10;
const HOUR: i64 = 3_600_000;

/// A task as a plain reader of the log sees it.
struct Seen {
    spec: Arc<TaskSpec>,
    priority: Priority,
    estimate: Span,
    gates: Vec<TaskId>,
    deferred: bool,
    owner: Option<(AssignmentId, Moment, Option<Moment>)>,
    asked: Option<AssignmentId>,
    ended: Option<TaskState>,
    submitted: Moment,
    state: TaskState,
    since: Moment,
    expected_by: Moment,
}

type Class = (Vec<String>, Name, Option<Name>, Option<Name>);

/// Everything that the log says, folded as plainly as can be.
#[derive(Default)]
struct Plain {
    at: i64,
    tasks: BTreeMap<TaskId, Seen>,
    online: BTreeMap<AgentId, bool>,
    submitted: Vec<i64>,
    completed: Vec<i64>,
    failed: Vec<i64>,
    succeeded: Vec<(i64, Name, Span, Span, Ratio)>,
    /// When an attempt ended, whose it was, and its efficiency where it succeeded.
    attempts: Vec<(i64, AgentId, Option<Ratio>)>,
    messages: Vec<i64>,
    handoffs: Vec<i64>,
    waits: Vec<(Class, Span)>,
    /// What emergencies have set aside, by emergency and number of the action.
    aside: BTreeMap<(EmergencyId, u32), TaskId>,
    escalations: BTreeMap<EscalationId, (EscalationKind, Subject, Moment)>,
}

fn class(spec: &TaskSpec) -> Class {
    let mut requires: Vec<String> = spec.requires.iter().map(|it| format!("{it:?}")).collect();
    requires.sort();
    (requires, spec.kind.clone(), spec.project.clone(), spec.agent.clone())
}

fn percentile(of: &[Span], percent: usize) -> Option<Span> {
    let mut last: Vec<Span> = of[of.len().saturating_sub(50)..].to_vec();
    last.sort_unstable();
    (!last.is_empty()).then(|| last[(last.len() * percent).div_ceil(100) - 1])
}

impl Plain {
    fn expected_wait(&self, spec: &TaskSpec) -> Span {
        let own = class(spec);
        let waits: Vec<Span> =
            self.waits.iter().filter(|(of, _)| *of == own).map(|&(_, wait)| wait).collect();
        percentile(&waits, 50).unwrap_or(Span::minutes(15))
    }

    fn task(&mut self, id: TaskId) -> &mut Seen {
        self.tasks.get_mut(&id).expect("it was submitted")
    }

    fn fold(&mut self, record: &Record) {
        let at = record.at;
        self.at = at.0;
        match &record.event {
            Event::AgentRegistered { agent, online, .. } => drop(self.online.insert(*agent, *online)),
            Event::AgentRemoved { agent } => drop(self.online.remove(agent)),
            Event::AgentUnreachable { agent, .. } | Event::AgentOffline { agent, .. } => {
                self.online.insert(*agent, false);
            }
            Event::AgentBack { agent } => drop(self.online.insert(*agent, true)),
            Event::TaskSubmitted { task, spec, edges, estimate, .. } => {
                self.submitted.push(at.0);
                let gates = edges.iter().filter(|(_, kind)| *kind == DependencyKind::Blocks);
                let seen = Seen {
                    spec: Arc::clone(spec),
                    priority: spec.priority,
                    estimate: *estimate,
                    gates: gates.map(|&(on, _)| on).collect(),
                    deferred: spec.not_before.is_some_and(|moment| moment > at),
                    owner: None,
                    asked: None,
                    ended: None,
                    submitted: at,
                    state: TaskState::Cancelled,
                    since: at,
                    expected_by: at,
                };
                self.tasks.insert(*task, seen);
            }
            Event::TaskAssigned { task, assignment, .. } => {
                let seen = self.task(*task);
                if seen.state == TaskState::Ready {
                    let wait = (class(&seen.spec), at.since(seen.since));
                    self.waits.push(wait);
                }
                let seen = self.task(*task);
                (seen.owner, seen.deferred) = (Some((*assignment, at, None)), false);
            }
            Event::TaskMoved { task, assignment, .. } => {
                self.task(*task).owner = Some((*assignment, at, None));
            }
            Event::TaskStarted { task, .. } => {
                self.task(*task).owner.as_mut().expect("an owner").2 = Some(at);
                self.task(*task).asked = None;
            }
            Event::TaskStalled { task, assignment, .. } => self.task(*task).asked = Some(*assignment),
            Event::TaskProgressed { task, .. } | Event::StallSettled { task } => {
                self.task(*task).asked = None;
            }
            Event::TaskCompleted { task, agent, assignment, .. } => {
                self.completed.push(at.0);
                let seen = self.task(*task);
                let own = seen.owner.filter(|(current, _, _)| current == assignment);
                let (submitted, estimate, kind) = (seen.submitted, seen.estimate.0, seen.spec.kind.clone());
                (seen.owner, seen.ended, seen.deferred) = (None, Some(TaskState::Completed), false);
                if let Some((_, since, started)) = own {
                    let effort = Span(at.since(started.unwrap_or(since)).0.max(1));
                    let efficiency =
                        Ratio::of(estimate.min(effort.0).unsigned_abs(), effort.0.unsigned_abs());
                    self.succeeded.push((at.0, kind, effort, at.since(submitted), efficiency));
                    self.attempts.push((at.0, *agent, Some(efficiency)));
                }
            }
            Event::MessageSent { .. } => self.messages.push(at.0),
            Event::HandoffTransferred { task, assignment, .. } => {
                self.handoffs.push(at.0);
                self.task(*task).owner = Some((*assignment, at, None));
            }
            Event::AttemptFailed { task, agent, retry_at, .. } => {
                self.failed.push(at.0);
                self.attempts.push((at.0, *agent, None));
                let seen = self.task(*task);
                (seen.owner, seen.deferred) = (None, retry_at.is_some());
            }
            Event::TaskFailed { task, .. } => {
                let seen = self.task(*task);
                (seen.owner, seen.ended, seen.deferred) = (None, Some(TaskState::Failed), false);
            }
            Event::TaskCancelled { task, .. } => {
                let seen = self.task(*task);
                (seen.owner, seen.ended, seen.deferred) = (None, Some(TaskState::Cancelled), false);
            }
            Event::TaskReturned { task, boosted, .. } => {
                let seen = self.task(*task);
                seen.owner = None;
                if *boosted {
                    seen.priority = seen.priority.raised();
                }
            }
            Event::TaskEstimated { task, estimate, .. } => self.task(*task).estimate = *estimate,
            Event::TaskResumed { task } | Event::HoldReleased { task } => self.task(*task).deferred = false,
            Event::TaskHeld { task, .. } => self.task(*task).deferred = true,
            Event::TaskReopened { task, .. } => self.task(*task).ended = None,
            Event::DependencyAdded { task, on, .. } => self.task(*task).gates.push(*on),
            Event::DependencyWaived { task, on } => self.task(*task).gates.retain(|gate| gate != on),
            Event::EscalationRaised { escalation, kind, subject, severity, .. } => {
                let open = self.escalations.values().any(|(k, s, _)| (k, s) == (kind, subject));
                assert!(!open, "{subject:?} calls twice for {kind:?}");
                let due = at.after(Policy::default().ack.of(*severity));
                self.escalations.insert(*escalation, (*kind, subject.clone(), due));
            }
            Event::EmergencyActed { emergency, action, what: Action::WorkDeferred { task } } => {
                self.aside.insert((*emergency, *action), *task);
            }
            Event::EmergencySettled { emergency, action, .. } => {
                self.aside.remove(&(*emergency, *action));
            }
            Event::EscalationSettled { escalation, .. } => drop(self.escalations.remove(escalation)),
            _ => {}
        }
        self.look(at);
    }

    /// Works out every task's state anew.
    fn look(&mut self, at: Moment) {
        let done: Vec<TaskId> = self
            .tasks
            .iter()
            .filter(|(_, seen)| seen.ended == Some(TaskState::Completed))
            .map(|(&id, _)| id)
            .collect();
        let mut entered = Vec::new();
        for (&id, seen) in &mut self.tasks {
            let aside = self.aside.values().any(|&task| task == id);
            let state = match (seen.ended, seen.owner) {
                (Some(ended), _) => ended,
                (None, Some((_, _, Some(_)))) => TaskState::InProgress,
                (None, Some(_)) => TaskState::Assigned,
                _ if seen.gates.iter().any(|gate| !done.contains(gate)) => TaskState::Blocked,
                _ if seen.deferred || aside => TaskState::Deferred,
                _ => TaskState::Ready,
            };
            if state != seen.state {
                (seen.state, seen.since) = (state, at);
                if state == TaskState::Ready {
                    entered.push(id);
                }
            }
        }
        for id in entered {
            let expected_by = at.after(self.expected_wait(&self.tasks[&id].spec));
            self.task(id).expected_by = expected_by;
        }
    }

    fn tally(&self, first: i64, last: i64) -> Tally {
        let within = |at: &&i64| (first..=last).contains(&(**at).div_euclid(HOUR));
        let count = |of: &[i64]| u32::try_from(of.iter().filter(within).count()).expect("few");
        let succeeded: Vec<_> =
            self.succeeded.iter().filter(|it| (first..=last).contains(&it.0.div_euclid(HOUR))).collect();
        Tally {
            submitted: count(&self.submitted),
            completed: count(&self.completed),
            succeeded: u32::try_from(succeeded.len()).expect("few"),
            failed: count(&self.failed),
            effort: Span(succeeded.iter().map(|it| it.2.0).sum()),
            lead: Span(succeeded.iter().map(|it| it.3.0).sum()),
            efficiency_micros: succeeded.iter().map(|it| u64::from(it.4.as_micros())).sum(),
            messages: count(&self.messages),
            handoffs: count(&self.handoffs),
        }
    }

    fn share(all: usize, bad: usize) -> Share {
        Share { good: (all - bad) as u64, all: all as u64 }
    }

    fn compare(&self, state: &State, now: Moment) {
        let hour = now.0.div_euclid(HOUR);
        let metrics = state.metrics();
        assert_eq!(metrics.last_day(now), self.tally(hour - 23, hour));
        assert_eq!(metrics.day_before(now), self.tally(hour - 47, hour - 24));
        assert_eq!(metrics.today(now), self.tally(hour.div_euclid(24) * 24, hour));
        for agent in state.agents() {
            for (ago, tally) in [0, 24].into_iter().zip(metrics.of_agent(agent.id, now)) {
                let within = |at: i64| (hour - ago - 23..=hour - ago).contains(&at.div_euclid(HOUR));
                let own: Vec<_> = self
                    .attempts
                    .iter()
                    .filter(|it| it.1 == agent.id && within(it.0))
                    .map(|it| it.2)
                    .collect();
                let micros = own.iter().flatten().map(|it| u64::from(it.as_micros())).sum::<u64>();
                let counted = (own.len(), own.iter().flatten().count(), micros);
                let found = (tally.attempts() as usize, tally.succeeded as usize, tally.efficiency_micros);
                assert_eq!(found, counted, "{}", agent.spec.name);
            }
        }
        for (kind, completions) in metrics.completions() {
            let of = |it: &&(i64, Name, Span, Span, Ratio)| Some(&it.1) == kind;
            let times: Vec<Span> = self.succeeded.iter().filter(of).map(|it| it.2).collect();
            assert_eq!(completions.count(), times.len() as u64);
            let mean =
                times.iter().map(|span| span.0).sum::<i64>() / i64::try_from(times.len()).expect("few");
            assert_eq!(completions.mean(), Some(Span(mean)));
            for percent in [50, 90] {
                assert_eq!(completions.percentile(percent), percentile(&times, percent));
            }
        }
        let of = |wanted: TaskState| self.tasks.values().filter(move |seen| seen.state == wanted);
        let critical =
            self.tasks.values().filter(|it| it.ended.is_none() && it.priority == Priority::Critical);
        assert_eq!(state.critical() as usize, critical.count());
        for (&id, seen) in &self.tasks {
            assert_eq!(state.task(id).state(), seen.state, "{id}");
            assert_eq!(state.expected_wait(state.task(id)), self.expected_wait(&seen.spec), "{id}");
        }
        let health = state.health(now);
        let online = self.online.values().filter(|online| **online).count();
        assert_eq!(health.online, Self::share(self.online.len(), self.online.len() - online));
        let day = self.tally(hour - 23, hour);
        let attempts = (day.succeeded + day.failed) as usize;
        assert_eq!(health.success, Self::share(attempts, day.failed as usize));
        let late = of(TaskState::Ready).filter(|seen| seen.expected_by < now).count();
        assert_eq!(health.queued, Self::share(of(TaskState::Ready).count(), late));
        let silent =
            |seen: &&Seen| seen.asked.is_some() && seen.asked == seen.owner.map(|(current, ..)| current);
        let stalled = of(TaskState::InProgress).filter(silent).count();
        assert_eq!(health.running, Self::share(of(TaskState::InProgress).count(), stalled));
        let watched = || self.escalations.values().filter(|(kind, _, _)| *kind != EscalationKind::HealthLow);
        let overdue = watched().filter(|(_, _, due)| *due < now).count();
        assert_eq!(health.escalations, Self::share(watched().count(), overdue));
        let parts = health.parts(&state.policy().reporting.weights);
        let sum: u32 = parts.iter().map(|(_, share, weight)| weight.times(share.value()).as_micros()).sum();
        assert_eq!(health.total.as_micros(), sum);
        let dead: Vec<TaskId> = self
            .tasks
            .iter()
            .filter(|(id, seen)| {
                let waits = |other: &Seen| other.ended.is_none() && other.gates.contains(id);
                matches!(seen.state, TaskState::Failed | TaskState::Cancelled)
                    && self.tasks.values().any(waits)
            })
            .map(|(&id, _)| id)
            .collect();
        assert_eq!(state.dead_ends().map(|task| task.id).collect::<Vec<_>>(), dead);
    }
}

fn spec(first: u32, flag: bool, token: u64) -> TaskSpec {
    let mut spec = TaskSpec::titled(Text::from("a task"));
    spec.priority = Priority::ALL[first as usize % 4];
    spec.kind = name(["task", "bug"][usize::from(flag)]);
    spec.project = token.is_multiple_of(3).then(|| name("web"));
    spec.estimate = token.is_multiple_of(2).then(|| Span::minutes(i64::from(first) * 10 + 1));
    spec
}

fn package() -> Arc<Package> {
    let text = || Text::from("as noted");
    let (completed, state, remaining, context) = (text(), text(), text(), text());
    let files = vec![Text::from("none")];
    Arc::new(Package { completed, state, remaining, context, files, reservations: Vec::new() })
}

fn commands() -> impl Strategy<Value = Command> {
    let draw = (0..34_u8, 0..AGENTS, 0..TASKS, 0..TASKS, 1..40_u64, any::<bool>());
    draw.prop_map(|(kind, who, first, second, token, flag)| {
        let task = |index: u32| TaskRef::Id(TaskId(index % TASKS + 1));
        let agent = name(["ada", "bram", "chidi", "dana"][who]);
        let (on, assignment, text) = (task(second), AssignmentId(token), || Text::from("because"));
        let task = task(first);
        match kind {
            0..=4 => {
                let edges = flag.then_some((on, DependencyKind::Blocks)).into_iter().collect();
                Command::Submit { spec: Arc::new(spec(first, flag, token)), edges }
            }
            5 => Command::Cancel { task, reason: text() },
            6 => Command::Reopen { task, reason: text() },
            7 | 8 => Command::Assign { task, agent },
            9..=11 => Command::Start { task, agent, assignment },
            12..=15 => Command::Finish { task, agent, assignment, result: None },
            16 | 17 => Command::Fail { task, agent, assignment, reason: text(), retry: flag },
            18 => Command::Release { task, agent, assignment, note: None },
            19 => Command::AgentOffline { agent, last_seen: Moment(0) },
            20 => Command::AgentUnreachable { agent, last_seen: Moment(0) },
            21 => Command::AgentBack { agent },
            22 => Command::RemoveAgent { agent },
            23 if flag => Command::CheckProgress,
            23 => Command::Tick,
            24 => Command::AddDependency {
                task,
                on,
                kind: DependencyKind::Blocks,
                source: EdgeSource::Declared,
            },
            25 => Command::WaiveDependency { task, on },
            26 => Command::Move { task, agent, note: None },
            27 if flag => Command::AcceptOffer { offer: OfferId(u32::try_from(token % 3).unwrap_or(0) + 1) },
            28 => {
                Command::SettleEscalation { escalation: EscalationId(first + 1), agent: None, note: text() }
            }
            29 | 30 => Command::SendMessage(Box::new(NewMessage {
                from: Some(agent),
                to: Address::Agent(name(["ada", "bram", "chidi", "dana"][first as usize % AGENTS])),
                text: text(),
                priority: Priority::Low,
                task: None,
                reply_to: None,
                ack: false,
            })),
            31 => Command::RequestHandoff { task, owner: None, to: None, note: None },
            32 => Command::SubmitPackage { task, agent, assignment, package: package() },
            _ => Command::LookAtHealth,
        }
    })
}

/// Reports carry the current token of their task.
fn aimed(state: &State, command: Command) -> Command {
    let find = |task: &TaskRef| {
        let owner = state.task(state.task_id(task)?).owner.as_ref()?;
        Some((state.agent(owner.agent).spec.name.clone(), owner.assignment))
    };
    match command {
        Command::Finish { task, agent, assignment, result } => {
            let (agent, assignment) = find(&task).unwrap_or((agent, assignment));
            Command::Finish { task, agent, assignment, result }
        }
        Command::SubmitPackage { task, agent, assignment, package } => {
            let (agent, assignment) = find(&task).unwrap_or((agent, assignment));
            Command::SubmitPackage { task, agent, assignment, package }
        }
        Command::Start { task, agent, assignment } => {
            let (agent, assignment) = find(&task).unwrap_or((agent, assignment));
            Command::Start { task, agent, assignment }
        }
        Command::Fail { task, agent, assignment, reason, retry } => {
            let (agent, assignment) = find(&task).unwrap_or((agent, assignment));
            Command::Fail { task, agent, assignment, reason, retry }
        }
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_is_kept_along_the_way_equals_a_plain_fold_of_the_log(
        steps in prop::collection::vec((commands(), any::<bool>(), 0..4_000_000_i64), 1..120),
        later in 0..100_000_000_i64,
    ) {
        let mut scenario = Scenario::play("agent ada slots=2\nagent bram\nagent chidi slots=3\nagent dana");
        let mut plain = Plain::default();
        for (command, right, passes) in steps {
            let command = if right { aimed(scenario.engine.state(), command) } else { command };
            scenario.now += passes;
            let _ = scenario.execute(command, None);
        }
        for record in &scenario.log {
            plain.fold(record);
        }
        let state = scenario.engine.state();
        kapell_core::invariant::check(state).expect("every invariant");
        plain.compare(state, Moment(plain.at));
        plain.compare(state, Moment(plain.at + later));
        let restored = State::from_snapshot(SNAPSHOT_FORMAT, &state.to_snapshot()).expect("a snapshot");
        kapell_core::invariant::check(&restored).expect("every invariant after a restart");
        plain.compare(&restored, Moment(plain.at + later));
    }
}

fn kinds(scenario: &Scenario, from: usize) -> Vec<&'static str> {
    scenario.log[from..].iter().map(|record| record.event.kind()).collect()
}

#[test]
fn low_health_calls_once_an_episode_and_the_call_ends_with_it() {
    let mut scenario = Scenario::play("agent A\nagent B\nagent C\nsubmit t1 agent=A\nstart t1 A\nfail t1 A");
    let look = |scenario: &mut Scenario| {
        let before = scenario.log.len();
        scenario.execute(Command::LookAtHealth, None).expect("a look is never refused");
        before
    };
    // All online, one of one attempts failed: 1 - 0.25.
    let before = look(&mut scenario);
    assert_eq!(scenario.engine.state().health(Moment(scenario.now)).total, Ratio::micros(750_000));
    assert_eq!(scenario.log.len(), before, "nothing is written where nothing is new");
    // One of three away: 0.25 * 2/3, and nothing for the attempts.
    let offline = |agent: &str| Command::AgentUnreachable { agent: name(agent), last_seen: Moment(0) };
    scenario.execute(offline("B"), None).expect("it is silent");
    let before = look(&mut scenario);
    assert_eq!(scenario.engine.state().health(Moment(scenario.now)).total, Ratio::micros(666_667));
    assert_eq!(kinds(&scenario, before), ["health.fell", "escalation.raised"]);
    let before = look(&mut scenario);
    assert_eq!(scenario.log.len(), before, "the same episode calls once");
    // A person settles it, and it is no better: still the same episode.
    let escalation = EscalationId(1);
    let note = Text::from("seen");
    scenario.execute(Command::SettleEscalation { escalation, agent: None, note }, None).expect("it is open");
    let before = look(&mut scenario);
    assert_eq!(scenario.log.len(), before, "settled is not recovered");
    scenario.execute(Command::AgentBack { agent: name("B") }, None).expect("it is back");
    let before = look(&mut scenario);
    assert_eq!(kinds(&scenario, before), ["health.recovered"]);
    // The next episode calls anew, and this time the end of it settles the call.
    scenario.execute(offline("B"), None).expect("it is silent");
    look(&mut scenario);
    scenario.execute(Command::AgentBack { agent: name("B") }, None).expect("it is back");
    let before = look(&mut scenario);
    assert_eq!(kinds(&scenario, before), ["health.recovered", "escalation.settled"]);
    assert_eq!(scenario.engine.state().open_escalations(), 0);
}

#[test]
fn the_expected_wait_is_the_median_of_the_class_and_fifteen_minutes_before() {
    let mut scenario = Scenario::play(
        "submit t1 needs=rust\nsubmit t2 needs=rust\nsubmit t3 needs=rust\nsubmit t4 needs=go\nsubmit t5 needs=rust takes=env:one",
    );
    let expected = |scenario: &Scenario, task: u32| {
        let state = scenario.engine.state();
        state.expected_wait(state.task(TaskId(task)))
    };
    assert_eq!(expected(&scenario, 1), Span::minutes(15));
    let state = scenario.engine.state();
    let start = scenario.now;
    assert_eq!(state.overdue_waits(Moment(start + 15 * 60_000)), 0);
    assert_eq!(state.overdue_waits(Moment(start + 15 * 60_000 + 1)), 5);
    let spec = kapell_core::AgentSpec {
        name: name("A"),
        role: name("developer"),
        kind: kapell_model::AgentKind::Agent,
        capabilities: vec![(name("rust"), Ratio::ONE)],
        max_concurrent: 2,
        lease: None,
        standby: false,
    };
    scenario.now += 60_000;
    scenario.execute(Command::RegisterAgent { spec, online: true }, None).expect("an agent");
    assert_eq!(expected(&scenario, 3), Span::minutes(1), "of the same class");
    assert_eq!(expected(&scenario, 4), Span::minutes(15), "of another");
    assert_eq!(expected(&scenario, 5), Span::minutes(15), "what waits for a resource too is another class");
}
