//! What managers send: mostly submissions; now and then they call off, tie, move, edit, settle. In the end only what helps.

use std::rc::Rc;
use std::sync::Arc;

use kapell_core::{
    AgentSpec, BudgetOf, BudgetTarget, Change, Command, Component, Conflict, EdgeSource, EmergencyKind,
    EmergencyState, EscalationKind, GateWord, NewDecision, NewEmergency, NewForce, NewPolicy, OPTIONAL,
    OfferState, Require, ReservationRef, State, Task, TaskEdit, TaskRef, TaskSpec,
};
use kapell_model::{
    Ack, AgentKind, AgentState, BreakdownBy, Budget, Capabilities, Claims, Cycles, DependencyKind,
    EscalationId, Hours, Limit, Limits, Moment, Name, OfferId, OnFailedDependency, Policy, Priority, Ratio,
    Shift, Span, Strategy, TaskGate, TaskId, TaskState, Text, ZoneOffset,
};
use kapell_store::Chance;

use crate::actor::{Actor, Wish, agent_name};
use crate::scenario::{Knob, Scenario, below, pick};
use crate::work::{any_task, needs, precede, text};

/// How long a task is ready before somebody thinks of placing it by hand.
const LATE: Span = Span::hours(1);

/// How the title of a keyed submission begins.
pub const KEYED: &str = "work of key ";

impl Actor {
    /// What a manager does.
    pub(crate) fn manage(
        &mut self,
        state: &State,
        scenario: &Scenario,
        chance: &mut Chance,
        now: Moment,
        healing: bool,
    ) -> Option<Rc<Wish>> {
        let keyed = pick(chance, 3) > 0;
        if healing {
            return helpful(state, chance, now).map(|command| self.command(command, keyed, now));
        }
        let mut place = below(chance, 12 + MISCHIEF.iter().map(|knob| scenario.get(*knob)).sum::<u32>());
        for &knob in MISCHIEF {
            if place < scenario.get(knob) {
                let command = mischief(knob, state, scenario, chance)?;
                return Some(self.command(command, keyed, now));
            }
            place -= scenario.get(knob);
        }
        if state.tasks().len() >= scenario.tasks_max as usize
            || state.tasks().iter().filter(|it| it.is_open()).count() >= 24
        {
            return None;
        }
        let wish = self.command(Command::Tick, keyed, now);
        let Wish::Command { id, .. } = &*wish else { return None };
        let command = submission(id.0, keyed, scenario, state, chance);
        Some(Rc::new(Wish::Command { id: *id, keyed, command }))
    }
}

const MISCHIEF: &[Knob] = &[
    Knob::Cancel,
    Knob::Reopen,
    Knob::Tie,
    Knob::Untie,
    Knob::ByHand,
    Knob::Roster,
    Knob::Edit,
    Knob::Policy,
    Knob::Settle,
    Knob::Decide,
    Knob::Precede,
    Knob::Judge,
    Knob::Emergency,
    Knob::BreakDown,
    Knob::Spend,
    Knob::Hours,
];

fn mischief(knob: Knob, state: &State, scenario: &Scenario, chance: &mut Chance) -> Option<Command> {
    let task = any_task(state, chance);
    Some(match knob {
        Knob::Cancel => Command::Cancel { task, reason: text() },
        Knob::Reopen => Command::Reopen { task, reason: text() },
        Knob::Tie => Command::AddDependency {
            task,
            on: any_task(state, chance),
            kind: DependencyKind::Blocks,
            source: [EdgeSource::Declared, EdgeSource::Imported, EdgeSource::Inferred][pick(chance, 3)],
        },
        Knob::Untie => return untie(task, state, chance),
        Knob::ByHand => {
            let agent = any_agent(state, chance)?;
            match pick(chance, 4) {
                0 | 1 => Command::Assign { task, agent },
                2 => Command::Move { task, agent, note: Some(text()) },
                _ => Command::RequestHandoff { task, owner: None, to: Some(agent), note: Some(text()) },
            }
        }
        Knob::Roster => {
            let agent = any_agent(state, chance)?;
            match pick(chance, 8) {
                0 => Command::RemoveAgent { agent },
                1 | 2 => return returned(state),
                _ => Command::DrainAgent { agent, draining: pick(chance, 2) == 0 },
            }
        }
        Knob::Hours => {
            let agent = any_agent(state, chance)?;
            let hours = (pick(chance, 4) > 0).then(|| Box::new(hours(state.at(), chance)));
            Command::SetHours { agent, hours }
        }
        Knob::Edit => {
            let mut edit = TaskEdit::default();
            match pick(chance, 4) {
                0 => edit.priority = Some(Priority::ALL[pick(chance, 4)]),
                1 => edit.title = Some(Text::from("work that was thought over")),
                2 => edit.requires = Some(requires(chance)),
                _ => edit.estimate = Some(kapell_core::Change::To(Span::hours(1 + pick(chance, 9) as i64))),
            }
            // Keyed submissions are known by their titles.
            edit.title = edit.title.filter(|_| state.task_id(&task).is_some_and(|id| !is_keyed(state, id)));
            Command::Edit { task, edit: Box::new(edit), seen: None }
        }
        Knob::Policy => {
            let mut policy = policy(scenario);
            policy.attempts_max = 1 + below(chance, 4);
            policy.stalls.quiet_min = Span::minutes(2 + i64::from(below(chance, 20)));
            if pick(chance, 3) == 0 {
                policy.on_failed_dependency = OnFailedDependency::Cancel;
            }
            Command::SetPolicy(NewPolicy { policy: Box::new(policy), seen: None })
        }
        Knob::Decide => return decide(task, state, chance),
        Knob::Precede => precede(task, None, state, chance),
        Knob::Judge if pick(chance, 3) == 0 => return answer(state, chance),
        Knob::Judge => return judge(state, chance),
        Knob::Emergency => return emergency(task, state, chance),
        Knob::BreakDown if pick(chance, 6) == 0 => Command::KeepWhole { task },
        Knob::BreakDown => {
            // Not without end: what is broken down grows.
            let room = state.tasks().len() < 2 * scenario.tasks_max as usize;
            let components = components(pick(chance, 4));
            return room.then_some(Command::BreakDown {
                task,
                components,
                source: None,
                model: None,
                by_policy: false,
            });
        }
        Knob::Spend => {
            let target = match pick(chance, 4) {
                0 => BudgetTarget::Task(task),
                1 => BudgetTarget::Agent(any_agent(state, chance)?),
                2 => BudgetTarget::Project(state.projects().keys().next()?.clone()),
                _ => BudgetTarget::Fleet,
            };
            let hard = 20_000 + u64::from(below(chance, 400)) * 1_000;
            let money = Limit { soft: Some(hard / 2), hard: Some(hard) };
            let limits = Limits { money, tokens: Limit::default() };
            let by_day = pick(chance, 2) == 0 && !matches!(target, BudgetTarget::Task(_));
            let budget = match by_day {
                true => Budget { day: limits, ..Budget::default() },
                false => Budget { total: limits, ..Budget::default() },
            };
            Command::SetBudget { target, budget: Some(budget).filter(|_| pick(chance, 5) > 0) }
        }
        _ => return settle(state, chance),
    })
}

fn is_keyed(state: &State, id: TaskId) -> bool {
    state.tasks().get(id).is_some_and(|task| task.spec.title.as_str().starts_with(KEYED))
}

fn untie(task: TaskRef, state: &State, chance: &mut Chance) -> Option<Command> {
    if pick(chance, 2) == 0 {
        let gated = state.tasks().get(state.task_id(&task)?)?.gates().next();
        return Some(Command::WaiveDependency { task, on: TaskRef::Id(gated?) });
    }
    let broken = state.broken_edges().nth(pick(chance, state.broken_edges().len().max(1)))?;
    let instead = state.broken_edges().last().map(|it| (it.cycle[1], it.cycle[2]));
    let instead = instead.filter(|_| pick(chance, 2) == 0);
    Some(Command::RestoreDependency {
        task: TaskRef::Id(broken.task),
        on: TaskRef::Id(broken.on),
        instead: instead.map(|(task, on)| (TaskRef::Id(task), TaskRef::Id(on))),
    })
}

fn settle(state: &State, chance: &mut Chance) -> Option<Command> {
    Some(match pick(chance, 6) {
        0 => {
            let open = state.offers().iter().find(|offer| offer.state == OfferState::Open)?;
            Command::DeclineOffer { offer: open.id, reason: text() }
        }
        1 => Command::AcceptOffer { offer: OfferId(1 + below(chance, 5)) },
        2 => Command::AcceptOffer {
            offer: state.offers().iter().find(|offer| offer.state == OfferState::Open)?.id,
        },
        3 => Command::SettleEscalation {
            escalation: state
                .open()
                .nth(pick(chance, state.open_escalations().max(1)))
                .map_or(EscalationId(1), |it| it.id),
            agent: None,
            note: text(),
        },
        4 => {
            let escalation = state.open().nth(pick(chance, state.open_escalations().max(1)))?;
            let called = state.agents().iter().find(|agent| {
                agent.state == AgentState::Online && escalation.called.contains(&agent.spec.role)
            });
            let agent = called.filter(|_| pick(chance, 4) > 0).map(|agent| agent.spec.name.clone());
            Command::AcknowledgeEscalation { escalation: escalation.id, agent }
        }
        _ => Command::ReleaseReservation {
            reservation: ReservationRef::Held(state.reservations().held().next()?.id),
            agent: None,
            reason: Some(text()),
        },
    })
}

/// Asks for a decision that a task waits for, rules on one, or takes one back.
fn decide(task: TaskRef, state: &State, chance: &mut Chance) -> Option<Command> {
    let open = state.open_conflicts().find(|conflict| conflict.deliberation().is_some());
    Some(match (pick(chance, 4), open) {
        (0, Some(open)) => Command::WithdrawConflict { conflict: open.id, agent: None, reason: text() },
        (1, Some(open)) => ruling(open)?,
        _ => {
            let any: Vec<Text> = vec![Text::from("this way"), Text::from("that way")];
            Command::OpenDecision(Box::new(NewDecision {
                title: Text::from("which way?"),
                capability: Name::new("rust").expect("a name"),
                deadline: None,
                irreversible: pick(chance, 4) == 0,
                architectural: pick(chance, 4) == 0,
                options: if pick(chance, 2) == 0 { any } else { Vec::new() },
                asked: any_agent(state, chance).into_iter().collect(),
                tasks: vec![task],
                agent: None,
            }))
        }
    })
}

/// Rules on a decision: for its first option.
fn ruling(open: &Conflict) -> Option<Command> {
    let deliberation = open.deliberation()?;
    let proposed = deliberation.proposals.first().map(|proposal| &proposal.option);
    let option = deliberation.topic.options.first().or(proposed).cloned();
    let option = Some(option.unwrap_or_else(|| Text::from("this way")));
    Some(Command::Rule { conflict: open.id, agent: None, option, reason: text() })
}

/// Declares an emergency or ends one, makes a task force or disbands one.
fn emergency(task: TaskRef, state: &State, chance: &mut Chance) -> Option<Command> {
    let project = Name::new("web").expect("a name");
    let new = |kind, task, project| {
        Command::DeclareEmergency(Box::new(NewEmergency { kind, task, project, reason: text() }))
    };
    let open = state.emergencies().all.open().find(|it| it.state == EmergencyState::Open);
    Some(match (pick(chance, 8), open) {
        (0..=2, Some(open)) => Command::EndEmergency { emergency: open.id, reason: text() },
        (3, _) => new(EmergencyKind::AgentCascadeFailure, None, None),
        (4, _) => new(EmergencyKind::DeadlineRisk, None, Some(project)),
        (5, _) => {
            Command::FormForce(Box::new(NewForce { task: Some(task), project: None, requires: Vec::new() }))
        }
        (6, _) => {
            let force = state.forces().all.open().find(|force| force.formation.emergency.is_none())?.id;
            Command::DisbandForce { force, reason: text() }
        }
        _ => new(EmergencyKind::CriticalTaskFailure, Some(task), None),
    })
}

fn any_agent(state: &State, chance: &mut Chance) -> Option<Name> {
    let agents = state.agents();
    Some(agents.get(pick(chance, agents.len()))?.spec.name.clone())
}

/// Lets an agent in again that was taken out.
fn returned(state: &State) -> Option<Command> {
    let agent = state.agents().iter().find(|agent| agent.state == AgentState::Removed)?;
    Some(Command::RegisterAgent { spec: (*agent.spec).clone(), online: false })
}

fn requires(chance: &mut Chance) -> Vec<Require> {
    let capability = |word: &str| Name::new(word).expect("a name");
    match pick(chance, 4) {
        0 | 1 => Vec::new(),
        2 => vec![Require { capability: capability("rust"), weight: Ratio::UNIT, minimum: Ratio::ZERO }],
        _ => vec![Require {
            capability: capability("design"),
            weight: Ratio::UNIT,
            minimum: Ratio::micros(400_000),
        }],
    }
}

/// Returns a submission; the title of a keyed one carries its key, so that a second task of one key is seen.
fn submission(key: u128, keyed: bool, scenario: &Scenario, state: &State, chance: &mut Chance) -> Command {
    // Some say nothing but what their texts name.
    let inferred = ["work to be done", "design to be done", "rust and design to be done"][pick(chance, 3)];
    let title = if keyed { format!("{KEYED}{key:x}") } else { inferred.to_owned() };
    let mut spec = TaskSpec::titled(Text::new(&title, 200).expect("a title"));
    spec.priority = Priority::ALL[pick(chance, 4)];
    spec.project = (pick(chance, 2) == 0).then(|| Name::new("web").expect("a name"));
    spec.requires = requires(chance);
    if below(chance, 8) < scenario.get(Knob::Resources) {
        spec.resources = needs(chance);
    }
    if below(chance, 8) < scenario.get(Knob::Gates) {
        spec.gates = gates(chance);
    }
    spec.labels.extend((pick(chance, 5) == 0).then(|| Text::from(OPTIONAL)));
    spec.not_before = (pick(chance, 10) == 0).then(|| state.at().after(Span::minutes(2)));
    let mut edges: Vec<(TaskRef, DependencyKind)> = Vec::new();
    for _ in 0..pick(chance, 3).min(state.tasks().len()) {
        let on = any_task(state, chance);
        if edges.iter().all(|(other, _)| *other != on) {
            edges.push((on, DependencyKind::Blocks));
        }
    }
    let submit = Command::Submit { spec: Arc::new(spec), edges };
    if scenario.get(Knob::Spend) == 0 || pick(chance, 8) > 0 {
        return submit;
    }
    let hard = 20_000 + u64::from(below(chance, 400)) * 1_000;
    let limits = Limits { money: Limit { soft: None, hard: Some(hard) }, tokens: Limit::default() };
    Command::WithBudget { limits: Some(limits), command: Box::new(submit) }
}

/// Says something about finished work: mostly what is due, by whoever it may be.
fn judge(state: &State, chance: &mut Chance) -> Option<Command> {
    let open = state.before_gates().count();
    let task = state.before_gates().nth(pick(chance, open.max(1)))?;
    let (_, standing) = task.pending_gate()?;
    let author = task.acceptance.as_ref()?.agent;
    let named = |agent: kapell_model::AgentId| state.agent(agent).spec.name.clone();
    let agent = match pick(chance, 5) {
        0 => None,
        1 => Some(named(author)),
        2 => any_agent(state, chance),
        _ => Some(named(standing.reviewer.unwrap_or(author))),
    };
    let runs = matches!(standing.gate, TaskGate::Command { .. }) != (pick(chance, 10) == 0);
    let (notes, score) = (text(), Some(Ratio::micros(below(chance, 1_000_001))));
    let word = match (runs, pick(chance, 4)) {
        (true, nth) => {
            GateWord::Ran { notes, exit_code: i32::from(nth == 0), digest: Text::from("sha256:0") }
        }
        (false, 0) => GateWord::Rejected { notes, score },
        (false, _) => GateWord::Passed { notes, score },
    };
    let gate = (pick(chance, 8) == 0).then(|| 1 + u8::from(pick(chance, 2) == 0));
    Some(Command::JudgeGate { task: TaskRef::Id(task.id), gate, agent, word })
}

/// Visits the tasks whose owners wait for leave.
fn wanted(state: &State) -> impl Iterator<Item = &Task> + '_ {
    let needed = state.open().filter(|it| it.kind == EscalationKind::PermissionNeeded);
    needed.filter_map(|it| it.task()).map(|id| state.task(id))
}

fn answered(task: &Task, agent: Option<Name>, allowed: bool) -> Option<Command> {
    let request = task.wanted()?.id;
    // What was read, so that it can be seen that the answer goes to nothing else.
    let notes = task.wanted()?.ask.detail.clone();
    let offers = task.wanted()?.ask.options.iter().any(|option| option.kind.allows());
    let task = TaskRef::Id(task.id);
    Some(Command::AnswerPermission { task, agent, request, allowed: allowed && offers, option: None, notes })
}

/// Says whether an owner may do what it wants leave for: a manager, the owner itself, or anybody.
fn answer(state: &State, chance: &mut Chance) -> Option<Command> {
    let task = wanted(state).nth(pick(chance, wanted(state).count().max(1)))?;
    let agent = match pick(chance, 4) {
        0 => Some(state.agent(task.owner.as_ref()?.agent).spec.name.clone()),
        1 => any_agent(state, chance),
        _ => None,
    };
    answered(task, agent, pick(chance, 3) > 0)
}

/// Returns so many components.
pub(crate) fn components(count: usize) -> Vec<Component> {
    let component = |title: &&'static str| Component {
        title: Text::from(*title),
        description: Text::default(),
        requires: Vec::new(),
        estimate: None,
    };
    ["first part", "second part", "third part"].iter().take(count).map(component).collect()
}

/// Lets finished work pass the gate before which it stands.
fn passed(task: &Task) -> Option<Command> {
    let (_, standing) = task.pending_gate()?;
    let notes = text();
    let word = match standing.gate {
        TaskGate::Command { .. } => GateWord::Ran { notes, exit_code: 0, digest: Text::from("sha256:0") },
        TaskGate::Review { .. } | TaskGate::Approval {} => GateWord::Passed { notes, score: None },
    };
    Some(Command::JudgeGate { task: TaskRef::Id(task.id), gate: None, agent: None, word })
}

/// Draws what finished work must pass.
fn gates(chance: &mut Chance) -> Vec<TaskGate> {
    let role = Name::new("developer").ok().filter(|_| pick(chance, 2) == 0);
    let all = [
        TaskGate::Approval {},
        TaskGate::Review { role },
        TaskGate::Command { line: Text::from("make test") },
    ];
    all.into_iter().filter(|_| pick(chance, 2) == 0).collect()
}

/// Finds what keeps a task from its end and can be put right: a wait for something that will not come, an agent that was sent
/// away, a task that nobody is good enough for by the policy.
fn helpful(state: &State, chance: &mut Chance, now: Moment) -> Option<Command> {
    if let Some(agent) =
        state.agents().iter().find(|agent| agent.draining && agent.state != AgentState::Removed)
    {
        return Some(Command::DrainAgent { agent: agent.spec.name.clone(), draining: false });
    }
    if let Some(away) = state.agents().iter().find(|it| it.is_away() && it.state != AgentState::Removed) {
        return Some(Command::SetHours { agent: away.spec.name.clone(), hours: None });
    }
    if let Some(command) = returned(state) {
        return Some(command);
    }
    if let Some(command) = state.before_gates().find_map(passed) {
        return Some(command);
    }
    if let Some(command) = wanted(state).next().and_then(|task| answered(task, None, pick(chance, 2) == 0)) {
        return Some(command);
    }
    if let Some(command) = state.open_conflicts().find_map(ruling) {
        return Some(command);
    }
    if let Some(open) = state.emergencies().all.open().find(|it| it.state == EmergencyState::Open) {
        return Some(Command::EndEmergency { emergency: open.id, reason: text() });
    }
    if let Some(of) = state.ledgers().closed().first() {
        let target = match of {
            BudgetOf::Task(task) => BudgetTarget::Task(TaskRef::Id(*task)),
            BudgetOf::Agent(agent) => BudgetTarget::Agent(state.agent(*agent).spec.name.clone()),
            BudgetOf::Project(project) => BudgetTarget::Project(project.clone()),
            BudgetOf::Fleet {} => BudgetTarget::Fleet,
        };
        return Some(Command::SetBudget { target, budget: None });
    }
    let gone = |on: &TaskId| matches!(state.task(*on).state(), TaskState::Failed | TaskState::Cancelled);
    let blocked = state.tasks().iter().filter(|task| task.state() == TaskState::Blocked);
    if let Some((task, on)) = blocked.filter_map(|task| Some((task.id, task.gates().find(gone)?))).next() {
        return Some(Command::WaiveDependency { task: TaskRef::Id(task), on: TaskRef::Id(on) });
    }
    // By hand a task may go to whoever can do it at all; that nobody is good enough by the policy, and not that it was
    // forgotten, is what `no-wait-without-a-reason` looks at.
    let late = |since: Moment| since.after(LATE) < now;
    let mut ready = state.tasks().iter().filter(|task| task.state() == TaskState::Ready);
    let task = ready.find(|task| late(task.state_since))?;
    // By outcomes nobody may be good enough for a minimum any more, not even by hand.
    if state.policy().capabilities == Capabilities::Measured {
        let policy = Policy { capabilities: Capabilities::Declared, ..state.policy().clone() };
        return Some(Command::SetPolicy(NewPolicy { policy: Box::new(policy), seen: None }));
    }
    let task = TaskRef::Id(task.id);
    // What was edited may ask for more than anybody has, or for a role that nobody has.
    if pick(chance, 3) == 0 {
        let edit = TaskEdit { role: Some(Change::Clear), requires: Some(Vec::new()), ..TaskEdit::default() };
        return Some(Command::Edit { task, edit: Box::new(edit), seen: None });
    }
    Some(Command::Assign { task, agent: any_agent(state, chance)? })
}

/// The policy of a play: the founding one with less patience, so that there is time for a whole investigation.
#[must_use]
pub fn policy(scenario: &Scenario) -> Policy {
    let on = |knob: Knob| scenario.get(knob) > 0;
    let strategy = if on(Knob::Optimal) { Strategy::Optimal } else { Strategy::Greedy };
    let mut policy = Policy { strategy, ..Policy::default() };
    policy.claims = if on(Knob::Scored) { Claims::Scored } else { Claims::First };
    if on(Knob::CancelOnFailed) {
        policy.on_failed_dependency = OnFailedDependency::Cancel;
    }
    if on(Knob::EscalateCycles) {
        policy.cycles = Cycles::Escalate;
    }
    if on(Knob::Measured) {
        policy.capabilities = Capabilities::Measured;
    }
    if on(Knob::Balance) {
        policy.balancing.period = Span::seconds(30);
        policy.balancing.cooling = Span::minutes(2);
    }
    if on(Knob::Breaking) {
        policy.breakdown.by = BreakdownBy::Policy;
        policy.breakdown.factor_min = Ratio::micros(420_000);
    }
    if scenario.get(Knob::Talk) % 2 == 1 {
        policy.messages.inbox_max = 4;
    }
    policy.gates.review = Span::minutes(3);
    policy.gates.rejections_max = 2;
    policy.handoffs.package = Span::minutes(3);
    policy.bottlenecks.period = Span::minutes(1);
    policy.reporting.course = Span::minutes(2);
    policy.bottlenecks.kept = Span::minutes(10);
    policy.lease_person = Span::minutes(6);
    policy.stalls.quiet_min = Span::minutes(3);
    policy.stalls.quiet_share = Ratio::ZERO;
    policy.redispatch.turns_max = 3;
    policy.redispatch.pause_max = Span::minutes(20);
    policy.ack = Ack {
        critical: Span::minutes(1),
        high: Span::minutes(2),
        medium: Span::minutes(3),
        low: Span::minutes(4),
    };
    policy
}

/// Draws hours of short shifts, by clocks that change soon, with a time away.
fn hours(now: Moment, chance: &mut Chance) -> Hours {
    let offset = |from, hours: i32| ZoneOffset { from, seconds: hours * 3_600 };
    let ahead = i32::try_from(below(chance, 24)).unwrap_or(0) - 12;
    let change = now.after(Span::minutes(i64::from(below(chance, 300))));
    let long = 10 + u16::try_from(below(chance, 200)).unwrap_or(0);
    let shift = |day, part: u16| Shift { day, from: part * 240, to: part * 240 + long };
    let away = now.after(Span::minutes(i64::from(below(chance, 200))));
    Hours {
        zone: Name::new("Test/Zone").expect("a name"),
        offsets: vec![offset(Moment(0), ahead), offset(change, ahead + 1)],
        known_until: Moment::NEVER,
        week: (0..7).flat_map(|day| (0..6).map(move |part| shift(day, part))).collect(),
        quiet: vec![(away, away.after(Span::minutes(1 + i64::from(below(chance, 60)))))],
    }
}

/// Returns what agent `index` is.
#[must_use]
pub fn agent(index: usize) -> AgentSpec {
    let nth = u32::try_from(index).unwrap_or(0);
    let mut capabilities =
        vec![(Name::new("rust").expect("a name"), Ratio::micros(700_000 + nth % 5 * 60_000))];
    if index.is_multiple_of(2) {
        capabilities.push((Name::new("design").expect("a name"), Ratio::micros(900_000)));
    }
    AgentSpec {
        name: agent_name(index),
        role: Name::new(["architect", "qa_engineer", "developer", "agent_manager"][index.min(3)])
            .expect("a name"),
        kind: if index % 4 == 3 { AgentKind::Person } else { AgentKind::Service },
        capabilities,
        max_concurrent: 1 + nth % 3,
        // A person's lease counts working days, so it is longer by the clock.
        lease: (index % 4 == 3).then(|| Span::minutes(3)),
        standby: index == 4,
    }
}
