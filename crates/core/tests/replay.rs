//! Whatever is sent: the invariants hold after every step, a refusal changes nothing, and replay equals live.

mod scenario;

use std::sync::Arc;

use kapell_core::{
    Address, BudgetTarget, Change, Command, EdgeSource, EmergencyKind, Engine, Event, GateWord, InLine,
    NewDecision, NewEmergency, NewForce, NewMessage, NewPolicy, NewProposal, Record, Require, ReservationRef,
    SNAPSHOT_FORMAT, State, TaskEdit, TaskRef, TaskSpec, UsageReport, invariant,
};
use kapell_model::{
    AgentId, AssignmentId, BreakdownBy, Budget, Capabilities, ConflictId, Cycles, DependencyKind,
    EmergencyId, EscalationId, ForceId, Forecast, Hours, Limit, Limits, MessageId, Mode, Moment, MoveSeen,
    Name, Need, OfferId, OnFailedDependency, PermissionId, Placement, Plan, PlanItem, PlanKind, Policy,
    Position, Priority, Ratio, ReservationId, Shift, Span, TaskGate, TaskId, TaskState, Text, Usage, WaitId,
    ZoneOffset,
};
use kapell_plan::Greedy;
use proptest::prelude::*;
use scenario::{Scenario, name};

const AGENTS: usize = 4;
const TASKS: u32 = 12;

fn agent(index: usize) -> kapell_model::Name {
    name(["ada", "bram", "chidi", "dana"][index % AGENTS])
}

fn task(index: u32) -> kapell_core::TaskRef {
    kapell_core::TaskRef::Id(TaskId(index % TASKS + 1))
}

/// Draws commands of a small fleet, right and wrong ones alike. Tokens are drawn near the last ones given out.
fn commands() -> impl Strategy<Value = Command> {
    let draw = (0..109_u8, 0..AGENTS, 0..TASKS, 0..TASKS, 1..40_u64, any::<bool>());
    draw.prop_map(|(kind, who, first, second, token, flag)| {
        let (task_ref, on, agent, assignment) = (task(first), task(second), agent(who), AssignmentId(token));
        let text = || Text::from("because");
        match kind {
            0..=4 => {
                let edges = flag.then(|| (task(second), DependencyKind::Blocks)).into_iter().collect();
                Command::Submit { spec: Arc::new(spec(first, flag, token)), edges }
            }
            5 => Command::Cancel { task: task_ref, reason: text() },
            6 => Command::Reopen { task: task_ref, reason: text() },
            7 => Command::Assign { task: task_ref, agent },
            8 => Command::Claim { task: task_ref, agent },
            9 | 10 => Command::Start { task: task_ref, agent, assignment },
            11 => Command::Progress {
                task: task_ref,
                agent,
                assignment,
                percent: Some(50),
                note: flag.then(text),
            },
            12..=14 => Command::Finish { task: task_ref, agent, assignment, result: flag.then(text) },
            15 => Command::Fail { task: task_ref, agent, assignment, reason: text(), retry: flag },
            16 => Command::Release { task: task_ref, agent, assignment, note: flag.then(text) },
            17 => Command::AgentUnreachable { agent, last_seen: Moment(0) },
            18 => Command::AgentOffline { agent, last_seen: Moment(0) },
            19 | 20 => Command::AgentBack { agent },
            21 => Command::ReturnUnfetched { assignments: vec![assignment] },
            22 => Command::Tick,
            23 => {
                let source = if flag { EdgeSource::Declared } else { EdgeSource::Imported };
                Command::AddDependency { task: task_ref, on, kind: DependencyKind::Blocks, source }
            }
            41 => {
                let source = if flag { EdgeSource::Inferred } else { EdgeSource::Imported };
                Command::AddDependency { task: task_ref, on, kind: DependencyKind::Blocks, source }
            }
            42 => {
                let instead = flag.then(|| (task(u32::try_from(token).unwrap_or(0)), task(first)));
                Command::RestoreDependency { task: task_ref, on, instead }
            }
            43 => Command::SetPolicy(NewPolicy { policy: Box::new(policy(token, flag)), seen: None }),
            24 => Command::WaiveDependency { task: task_ref, on },
            46 | 47 => {
                Command::Edit { task: task_ref, edit: Box::new(edit(first, who, flag, token)), seen: None }
            }
            60 | 61 => Command::OpenDecision(Box::new(decision(who, first, second, flag, token))),
            62 | 63 => Command::Propose(Box::new(NewProposal {
                conflict: ConflictId(second + 1),
                agent,
                option: Text::from(if flag { "left" } else { "right" }),
                reasons: text(),
                confidence: Ratio::micros(first * 90_000),
            })),
            64 => Command::Rule {
                conflict: ConflictId(second + 1),
                agent: flag.then_some(agent),
                option: Some(Text::from("left")),
                reason: text(),
            },
            65 => Command::WithdrawConflict {
                conflict: ConflictId(second + 1),
                agent: flag.then_some(agent),
                reason: text(),
            },
            25 => Command::Move { task: task_ref, agent, note: flag.then(text) },
            26 => Command::ApplyPlan(Box::new(plan(who, first, second, flag))),
            27..=30 => Command::Reserve {
                agent,
                task: token.is_multiple_of(3).then_some(task_ref),
                needs: needs_of(first, second, flag).into(),
                ttl: token.is_multiple_of(2).then_some(Span(1_000 + i64::from(second) * 500)),
                line: if token % 5 < 3 {
                    InLine::For((token % 5 == 1).then_some(Span(2_000)))
                } else {
                    InLine::Refused
                },
            },
            31 => Command::RenewReservation {
                reservation: ReservationId(token % 20),
                agent: flag.then_some(agent),
                ttl: None,
            },
            32 | 33 => Command::ReleaseReservation {
                reservation: if token.is_multiple_of(4) {
                    ReservationRef::Waiting(WaitId(token % 10))
                } else {
                    ReservationRef::Held(ReservationId(token % 20))
                },
                agent: (token % 3 > 0).then_some(agent),
                reason: flag.then(text),
            },
            48..=50 => Command::RequestHandoff {
                task: task_ref,
                owner: flag.then_some((agent, assignment)),
                to: (token % 3 > 0).then(|| self::agent(who + 1)),
                note: None,
            },
            51..=53 => {
                let without: &[&str] = if token.is_multiple_of(3) { &["without=state"] } else { &[] };
                let package = Arc::new(scenario::package(without));
                Command::SubmitPackage { task: task_ref, agent, assignment, package }
            }
            54 | 55 => Command::ConfirmHandoff { task: task_ref, agent },
            56 | 57 => Command::DeclineHandoff { task: task_ref, agent, reason: text() },
            66..=68 => Command::SendMessage(Box::new(NewMessage {
                from: flag.then_some(agent),
                to: match token % 4 {
                    0 => Address::Channel(name("web")),
                    _ => Address::Agent(self::agent(who + 1)),
                },
                text: text(),
                priority: Priority::ALL[first as usize % 4],
                task: token.is_multiple_of(3).then_some(task_ref),
                reply_to: None,
                ack: token.is_multiple_of(5),
            })),
            69 => Command::ReadMessages { agent, up_to: MessageId(first + 1) },
            70 => Command::AcknowledgeMessage { agent, message: MessageId(first + 1) },
            71 => Command::OpenChannel { channel: name("web"), members: vec![agent, self::agent(who + 1)] },
            72 => Command::ChannelMember { channel: name("web"), agent, joins: flag },
            73 => Command::RecordForecast(Box::new(forecast(first, second, token))),
            74 | 75 => Command::AssertPriority {
                task: task_ref,
                agent: flag.then_some(agent),
                priority: Priority::ALL[second as usize % 4],
                reason: text(),
            },
            76 | 77 => {
                let agent = flag.then_some(agent);
                Command::AssertOrder { first: task_ref, then: on, agent, reason: text() }
            }
            78 => Command::DropOrder { first: task_ref, then: on, agent: flag.then_some(agent) },
            79 => Command::FileDispute {
                task: task_ref,
                agent,
                against: flag.then(|| self::agent(who + 1)),
                reason: text(),
            },
            91 | 92 => Command::BreakDown {
                task: task_ref,
                components: breakdown(token),
                source: None,
                model: None,
                by_policy: flag && token.is_multiple_of(3),
            },
            93 => Command::KeepWhole { task: task_ref },
            94 => {
                Command::ProposeComponents { task: task_ref, agent, assignment, components: breakdown(token) }
            }
            80..=83 => Command::JudgeGate {
                task: task_ref,
                gate: token.is_multiple_of(7).then_some(1),
                agent: (!token.is_multiple_of(4)).then_some(agent),
                word: gate_word(kind, token, flag),
            },
            104 | 105 => {
                let request = ["run", "walk"][usize::from(flag)];
                let ask = scenario::permission::asked(request, "allow_once,reject_once");
                Command::AskPermission { task: task_ref, agent, assignment, ask }
            }
            106 => Command::WithdrawPermission { task: task_ref, agent, assignment, reason: text() },
            107 => Command::AnswerPermission {
                task: task_ref,
                agent: token.is_multiple_of(3).then_some(agent),
                request: PermissionId::default(),
                allowed: token.is_multiple_of(2),
                option: None,
                notes: text(),
            },
            108 => Command::WithBudget {
                limits: flag.then(|| budget(second, false).total),
                command: Box::new(match token % 3 {
                    0 => Command::Submit { spec: Arc::new(spec(first, flag, token)), edges: Vec::new() },
                    _ => Command::Edit {
                        task: task_ref,
                        edit: Box::new(edit(first, who, flag, token)),
                        seen: None,
                    },
                }),
            },
            84 => Command::DeclareEmergency(Box::new(NewEmergency {
                kind: EmergencyKind::ALL[first as usize % 3],
                task: (first % 3 == 1).then_some(task_ref),
                project: (first % 3 == 2).then(|| name("web")),
                reason: text(),
            })),
            85 => Command::EndEmergency { emergency: EmergencyId(second + 1), reason: text() },
            86 => Command::FormForce(Box::new(NewForce {
                task: flag.then_some(task_ref),
                project: (!flag).then(|| name("web")),
                requires: vec![require("rust"), require("lisp")],
            })),
            96..=98 => Command::ReportUsage(usage(task_ref, agent, assignment, second, token)),
            99 => Command::WithUsage {
                report: usage(task_ref.clone(), agent.clone(), assignment, second, token),
                command: Box::new(Command::Finish { task: task_ref, agent, assignment, result: None }),
            },
            100 | 101 => Command::SetBudget {
                target: match first % 4 {
                    0 => BudgetTarget::Task(task_ref),
                    1 => BudgetTarget::Agent(agent),
                    2 => BudgetTarget::Project(name("web")),
                    _ => BudgetTarget::Fleet,
                },
                budget: (!token.is_multiple_of(5)).then(|| budget(second, flag && first % 4 > 0)),
            },
            102 | 103 => Command::SetHours { agent, hours: flag.then(|| Box::new(hours(first, token))) },
            87 => Command::DisbandForce { force: ForceId(second + 1), reason: text() },
            88 => Command::LookForBottlenecks,
            95 => Command::NoteCourse,
            58 => Command::CancelHandoff { task: task_ref, agent: flag.then_some(agent), reason: text() },
            34 if token.is_multiple_of(8) => Command::ExtendReservations,
            34 if token % 8 == 3 => Command::AgeCapabilities { after: 0 },
            34 if flag => Command::RefreshEstimates { after: first },
            34 => Command::Tick,
            35 | 36 => Command::CheckProgress,
            38 if flag => Command::SettleEscalation {
                escalation: EscalationId(second + 1),
                agent: token.is_multiple_of(3).then_some(agent),
                note: text(),
            },
            89 | 90 => Command::AcknowledgeEscalation {
                escalation: EscalationId(second % 4 + 1),
                agent: flag.then_some(agent),
            },
            37 if flag => Command::ResumeServing { away: Span(i64::try_from(token).unwrap_or(0) * 100_000) },
            _ if flag => Command::AcceptOffer { offer: OfferId(u32::try_from(token % 3).unwrap_or(0) + 1) },
            _ => Command::DeclineOffer {
                offer: OfferId(u32::try_from(token % 3).unwrap_or(0) + 1),
                reason: text(),
            },
        }
    })
}

/// Draws up to three components.
fn breakdown(token: u64) -> Vec<kapell_core::Component> {
    let into = ["", "into=a", "into=a,b", "into=a,b,c"][usize::try_from(token % 4).unwrap_or(0)];
    if into.is_empty() { Vec::new() } else { scenario::breakdown::components(into) }
}

/// Draws hours of shifts that begin and end every few minutes, some of them not in order.
fn hours(first: u32, token: u64) -> Hours {
    let (first, token) = (u16::try_from(first).unwrap_or(0), u16::try_from(token).unwrap_or(0));
    let minute = |at: u16| Moment(i64::from(at) * 60_000);
    let shift = |day, part: u16| Shift { day, from: part * 40 + first, to: part * 40 + token };
    Hours {
        zone: name("Test/Zone"),
        offsets: vec![ZoneOffset { from: Moment(0), seconds: i32::from(first) * 1_800 }],
        known_until: Moment::NEVER,
        week: (0..7).flat_map(|day| (0..6).map(move |part| shift(day, part))).collect(),
        quiet: vec![(minute(20 + first), minute(20 + token))],
    }
}

/// Draws what an attempt has used: now more, now less than before.
fn usage(task: TaskRef, agent: Name, assignment: AssignmentId, second: u32, token: u64) -> UsageReport {
    let usage = Usage { input: token * 100, cached: token, output: 10, money: u64::from(second) * 1_000 };
    UsageReport { task, agent, assignment, usage }
}

fn budget(second: u32, by_day: bool) -> Budget {
    let limit = Limit { soft: Some(5_000), hard: Some(5_000 + u64::from(second) * 3_000) };
    let limits = Limits { money: limit, tokens: Limit::default() };
    if by_day {
        Budget { day: limits, ..Budget::default() }
    } else {
        Budget { total: limits, ..Budget::default() }
    }
}

/// Draws what is said of finished work.
fn gate_word(kind: u8, token: u64, flag: bool) -> GateWord {
    let notes = Text::from(if token.is_multiple_of(9) { "" } else { "because" });
    let score = (token % 4 > 1).then_some(Ratio::micros(u32::try_from(token % 11).unwrap_or(0) * 100_000));
    match (kind, flag) {
        (80, _) => GateWord::Ran { notes, exit_code: i32::from(flag), digest: Text::from("sha256:0") },
        (_, true) => GateWord::Passed { notes, score },
        (_, false) => GateWord::Rejected { notes, score },
    }
}

/// Draws a policy by what the rules of failed dependencies, cycles, loops and silence look at.
fn policy(token: u64, flag: bool) -> Policy {
    let cycles = if flag { Cycles::Break } else { Cycles::Escalate };
    let mut policy = Policy { cycles, ..Policy::default() };
    if !token.is_multiple_of(3) {
        policy.on_failed_dependency = OnFailedDependency::Cancel;
    }
    if token % 4 == 1 {
        policy.breakdown.by = BreakdownBy::Policy;
        policy.breakdown.factor_min = Ratio::micros(100_000);
    }
    if token.is_multiple_of(2) {
        policy.redispatch.turns_max = 2;
    }
    if token % 5 < 3 {
        policy.capabilities = Capabilities::Measured;
    }
    policy
}

/// Draws a question that some tasks wait for; its deadline may have passed by the next step.
fn decision(who: usize, first: u32, second: u32, flag: bool, token: u64) -> NewDecision {
    NewDecision {
        title: Text::from("which way"),
        capability: name("rust"),
        deadline: flag.then_some(Moment(2_000_000 + i64::from(second) * 1_000_000)),
        irreversible: token.is_multiple_of(5),
        architectural: false,
        options: Vec::new(),
        asked: if token.is_multiple_of(3) { vec![agent(who + 1)] } else { Vec::new() },
        tasks: if token.is_multiple_of(2) { vec![task(first)] } else { Vec::new() },
        agent: flag.then(|| agent(who)),
    }
}

fn require(capability: &str) -> Require {
    Require { capability: name(capability), weight: Ratio::UNIT, minimum: Ratio::ZERO }
}

/// Draws a forecast that may name what is not there, and may come too late.
fn forecast(first: u32, second: u32, token: u64) -> Forecast {
    let p50 = Moment(1_000_000 + i64::from(first) * 1_000_000);
    Forecast {
        project: name("web"),
        seen: Position(token),
        at: Moment(1_000_000),
        seed: token,
        trials: 100,
        open: first,
        left_out: 0,
        unstaffed: 0,
        stuck: 0,
        p50,
        p80: p50.after(Span(i64::from(second) * 1_000_000 - 1)),
        p90: p50.after(Span::hours(10)),
        path: vec![(TaskId(second + 1), Span(1))],
        length: Span(1),
        gains: vec![(name("rust"), Span(1))],
        watched: vec![(TaskId(first + 1), p50)],
    }
}

/// Two items that may or may not fit what is so.
fn plan(who: usize, first: u32, second: u32, flag: bool) -> Plan {
    let id = |index: usize| AgentId(u32::try_from(index % AGENTS).unwrap_or(0));
    let (from, to) = (id(who), id(who + 1 + usize::from(flag)));
    let placement = Placement { task: TaskId(first + 1), agent: to, considered: Vec::new() };
    let items = vec![
        PlanItem::Move {
            task: TaskId(second + 1),
            from,
            to,
            considered: Vec::new(),
            seen: MoveSeen::default(),
        },
        PlanItem::Place(placement),
    ];
    Plan { kind: PlanKind::Balance, seen: Position(0), items }
}

/// Returns one to three resources of a few that overlap in many ways.
fn needs_of(first: u32, second: u32, shared: bool) -> Vec<Need> {
    const ALL: [&str; 8] = [
        "path:src/**",
        "path:src/a.rs",
        "path:{src,docs}/*.rs",
        "path:**/a.*",
        "path:docs/**",
        "env:one",
        "branch:one",
        "device:one",
    ];
    let mode = |index: u32| {
        if shared || index.is_multiple_of(3) {
            Mode::Shared
        } else if index.is_multiple_of(2) {
            Mode::Reads
        } else {
            Mode::Exclusive
        }
    };
    let need = |index: u32| Need {
        resource: ALL[index as usize % ALL.len()].parse().expect("a resource"),
        mode: mode(index),
    };
    let mut needs = vec![need(first)];
    if second.is_multiple_of(2) && second as usize % ALL.len() != first as usize % ALL.len() {
        needs.push(need(second));
    }
    needs
}

/// Draws changes of a task: its urgency, its effort, its text, who may do it.
fn edit(first: u32, who: usize, flag: bool, token: u64) -> TaskEdit {
    let mut edit = TaskEdit::default();
    match token % 4 {
        0 => edit.priority = Some(Priority::ALL[who % 4]),
        1 => {
            edit.estimate =
                Some(if flag { Change::Clear } else { Change::To(Span::hours(i64::from(first) + 1)) });
        }
        2 => edit.deadline = Some(if flag { Change::Clear } else { Change::To(Moment(5_000_000)) }),
        _ => {
            edit.title = Some(Text::from("another title"));
            edit.agent = Some(if flag { Change::Clear } else { Change::To(agent(who)) });
        }
    }
    edit
}

fn spec(first: u32, flag: bool, token: u64) -> TaskSpec {
    let mut spec = TaskSpec::titled(Text::from(if token % 5 == 2 { "a task in rust" } else { "a task" }));
    spec.priority = Priority::ALL[first as usize % 4];
    spec.project = flag.then(|| name("web"));
    if token % 3 == 1 {
        spec.resources = needs_of(first, u32::try_from(token).unwrap_or(0), flag);
    }
    let gates = [
        TaskGate::Command { line: Text::from("true") },
        TaskGate::Review { role: None },
        TaskGate::Approval {},
    ];
    if !token.is_multiple_of(3) {
        let first = usize::try_from(token % 3).unwrap_or(0);
        spec.gates = gates[first..].iter().take(1 + usize::from(flag)).cloned().collect();
    }
    if token.is_multiple_of(7) {
        spec.not_before = Some(Moment(1_000_000 + i64::try_from(token).unwrap_or(0) * 10));
    }
    if token.is_multiple_of(2) {
        spec.estimate = Some(Span::hours(2));
    }
    if token.is_multiple_of(11) {
        let (capability, minimum) = (name("rust"), Ratio::ZERO);
        spec.requires = vec![kapell_core::Require { capability, weight: Ratio::UNIT, minimum }];
    }
    if token.is_multiple_of(5) {
        spec.deadline = Some(Moment(9_000_000));
    }
    spec
}

/// Finds the command's token: half of the reports carry the right one.
fn aimed(state: &State, command: Command, right: bool) -> Command {
    let find = |task: &kapell_core::TaskRef| {
        let owner = state.task(state.task_id(task)?).owner.as_ref()?;
        Some((state.agent(owner.agent).spec.name.clone(), owner.assignment))
    };
    match command {
        Command::Finish { task, agent, assignment, result } if right => {
            let (agent, assignment) = find(&task).unwrap_or((agent, assignment));
            Command::Finish { task, agent, assignment, result }
        }
        Command::ReportUsage(report) if right => Command::ReportUsage(spender(find(&report.task), report)),
        Command::WithUsage { report, command } if right => {
            let command = Box::new(aimed(state, *command, right));
            Command::WithUsage { report: spender(find(&report.task), report), command }
        }
        Command::AnswerPermission { task, agent, allowed, option, notes, .. } if right => {
            let owner = state.task_id(&task).and_then(|id| state.task(id).owner.as_ref());
            let request =
                owner.and_then(|owner| owner.permission.as_ref()).map(|it| it.id).unwrap_or_default();
            Command::AnswerPermission { task, agent, request, allowed, option, notes }
        }
        Command::Start { task, agent, assignment } if right => {
            let (agent, assignment) = find(&task).unwrap_or((agent, assignment));
            Command::Start { task, agent, assignment }
        }
        Command::Reserve { agent, task: Some(task), needs, ttl, line } if right => {
            let agent = find(&task).map_or(agent, |(agent, _)| agent);
            Command::Reserve { agent, task: Some(task), needs, ttl, line }
        }
        Command::Fail { task, agent, assignment, reason, retry } if right => {
            let (agent, assignment) = find(&task).unwrap_or((agent, assignment));
            Command::Fail { task, agent, assignment, reason, retry }
        }
        Command::RequestHandoff { task, owner: Some(owner), to, note } if right => {
            let owner = Some(find(&task).unwrap_or(owner));
            Command::RequestHandoff { task, owner, to, note }
        }
        Command::ProposeComponents { task, agent, assignment, components } if right => {
            let (agent, assignment) = find(&task).unwrap_or((agent, assignment));
            Command::ProposeComponents { task, agent, assignment, components }
        }
        Command::SubmitPackage { task, agent, assignment, package } if right => {
            let (agent, assignment) = find(&task).unwrap_or((agent, assignment));
            let held =
                state.task_id(&task).map(|id| state.reservations().of_task(id).map(|held| held.id).collect());
            let package =
                kapell_core::Package { reservations: held.unwrap_or_default(), ..(*package).clone() };
            Command::SubmitPackage { task, agent, assignment, package: Arc::new(package) }
        }
        Command::ConfirmHandoff { task, agent } if right => {
            let agent = receiver(state, &task).unwrap_or(agent);
            Command::ConfirmHandoff { task, agent }
        }
        Command::DeclineHandoff { task, agent, reason } if right => {
            let agent = receiver(state, &task).unwrap_or(agent);
            Command::DeclineHandoff { task, agent, reason }
        }
        other => other,
    }
}

/// Lets a report come from the owner, where there is one.
fn spender(owner: Option<(Name, AssignmentId)>, report: UsageReport) -> UsageReport {
    let (agent, assignment) = owner.unwrap_or((report.agent.clone(), report.assignment));
    UsageReport { agent, assignment, ..report }
}

/// Returns the present recipient of a task in a handoff.
fn receiver(state: &State, task: &kapell_core::TaskRef) -> Option<kapell_model::Name> {
    let to = state.handoffs().of(state.task_id(task)?)?.to?;
    Some(state.agent(to).spec.name.clone())
}

fn replayed(log: &[Record]) -> State {
    let mut state = State::default();
    for record in log {
        let mut body = Vec::new();
        record.event.encode(&mut body);
        let event = Event::decode(record.event.kind(), &body).expect("what was written can be read");
        assert_eq!(event, record.event);
        state.apply(&Record { event, ..record.clone() });
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn whatever_is_sent_the_promises_hold(
        steps in prop::collection::vec((commands(), any::<bool>()), 1..120),
        cut in 0..200_usize,
        talk in any::<bool>(),
    ) {
        let mut scenario = Scenario::play("agent ada slots=2 rust=0.9\nagent bram rust=0.5 role=architect\nagent chidi slots=3\nagent dana");
        if talk {
            // What these two say is gathered, and their work kept together.
            scenario.also("checks off");
            for number in 1..=20 {
                scenario.also(&format!("send ada bram hello\nreadmail bram M-{number}"));
            }
            scenario.also("look +5m");
        }
        let (mut last, mut token) = (AssignmentId(0), ReservationId(0));
        for (command, right) in steps {
            let command = aimed(scenario.engine.state(), command, right);
            let (before, events) = (scenario.engine.state().to_snapshot(), scenario.log.len());
            let looks = matches!(command, Command::Tick | Command::CheckProgress | Command::LookForBottlenecks);
            scenario.pass(if looks { 1_500_000 } else if right { 0 } else { 900 });
            let outcome = scenario.execute(command, None);
            prop_assert!(invariant::check(scenario.engine.state()).is_ok(), "{:?}", invariant::check(scenario.engine.state()));
            if outcome.is_err() {
                prop_assert_eq!(scenario.log.len(), events);
                prop_assert_eq!(scenario.engine.state().to_snapshot(), before);
            }
            for record in &scenario.log[events..] {
                if let Event::HandoffTransferred { assignment, ref reservations, .. } = record.event {
                    prop_assert!(assignment > last, "{} after {}", assignment, last);
                    last = assignment;
                    for &(_, new) in reservations {
                        prop_assert!(new > token, "{} after {}", new, token);
                        token = new;
                    }
                }
                if let Event::ReservationGranted { reservation, .. } = record.event {
                    prop_assert!(reservation > token, "{} after {}", reservation, token);
                    token = reservation;
                }
                if let Event::TaskAssigned { assignment, .. } | Event::TaskMoved { assignment, .. } = record.event {
                    prop_assert!(assignment > last, "{} after {}", assignment, last);
                    last = assignment;
                }
            }
        }
        let live = scenario.engine.state().to_snapshot();
        prop_assert_eq!(replayed(&scenario.log).to_snapshot(), live.as_slice());

        let cut = cut.min(scenario.log.len());
        let middle = replayed(&scenario.log[..cut]).to_snapshot();
        let mut state = State::from_snapshot(SNAPSHOT_FORMAT, &middle).expect("a snapshot");
        invariant::check(&state).expect("every invariant after a restart");
        for record in &scenario.log[cut..] {
            state.apply(record);
            prop_assert!(invariant::check(&state).is_ok(), "{:?}: {:?}", record, invariant::check(&state));
        }
        prop_assert_eq!(state.to_snapshot(), live.as_slice());
        for (index, record) in scenario.log.iter().enumerate() {
            prop_assert_eq!(record.position.0, index as u64 + 1);
        }
        completed_stays(&scenario.log);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_fleet_that_starts_anew_does_nothing_that_one_that_went_on_would_not(
        steps in prop::collection::vec((commands(), any::<bool>()), 1..80),
    ) {
        let mut scenario = Scenario::play("agent ada slots=2\nagent bram\nagent chidi slots=3\nagent dana");
        for (command, right) in steps {
            let command = aimed(scenario.engine.state(), command, right);
            let looks = matches!(command, Command::Tick | Command::CheckProgress);
            scenario.pass(if looks { 1_500_000 } else if right { 0 } else { 900 });
            let _ = scenario.execute(command, None);
        }
        prop_assert_eq!(scenario.restart(), "as live");
    }
}

/// No completed task gets another event of its own, but late results and what is decided about them.
fn completed_stays(log: &[Record]) {
    let mut state = State::default();
    for record in log {
        let completed: Vec<TaskId> = state
            .tasks()
            .iter()
            .filter(|task| task.state() == TaskState::Completed)
            .map(|task| task.id)
            .collect();
        let moved = match &record.event {
            Event::TaskAssigned { task, .. }
            | Event::TaskMoved { task, .. }
            | Event::TaskStarted { task, .. }
            | Event::TaskCompleted { task, .. }
            | Event::TaskReopened { task, .. }
            | Event::TaskCancelled { task, .. } => Some(*task),
            _ => None,
        };
        assert!(moved.is_none_or(|task| !completed.contains(&task)), "{record:?}");
        state.apply(record);
    }
}

#[test]
fn a_start_goes_on_where_a_crash_cut_a_round_off() {
    let scenario = Scenario::play("submit t1\nsubmit t2");
    let mut state = replayed(&scenario.log);
    state.settle_replayed();
    let mut scenario = Scenario::play("");
    scenario.engine = Engine::new(state, Greedy::default());
    let spec = kapell_core::AgentSpec {
        name: name("A"),
        role: name("developer"),
        kind: kapell_model::AgentKind::Agent,
        capabilities: Vec::new(),
        max_concurrent: 1,
        lease: None,
        standby: false,
    };
    scenario.execute(Command::RegisterAgent { spec, online: true }, None).expect("an agent");
    assert_eq!(scenario.engine.state().task(TaskId(1)).state(), TaskState::Assigned);
}

#[test]
fn an_unknown_kind_and_a_body_that_does_not_fit_are_named() {
    let unknown = Event::decode("task.teleported", b"{}").expect_err("no such kind");
    assert!(unknown.to_string().contains("task.teleported"));
    let misfit = Event::decode("task.started", b"{\"task\":\"x\"}").expect_err("no number");
    assert!(misfit.to_string().contains("task.started"));
}
