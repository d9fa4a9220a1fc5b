//! A long day: two days of a fleet of 40 and 600 tasks in which everything happens that a fleet must get over, and the report at
//! its end set against the log.

mod account;
mod fleet;
mod truth;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kapell_api::Emergency;
use kapell_core::{
    Address, AgentSpec, AwardRule, Command, Component, ComponentSource, ConflictState, EdgeSource,
    EmergencyKind, EmergencyState, Event, Handoff, InLine, NewDecision, NewMessage, NewPolicy, NewProposal,
    ProjectSpec, Require, Stage, State, TaskRef, TaskSpec,
};
use kapell_model::{
    AgentId, AgentKind, BreakdownBy, DependencyKind, Mode, Name, Need, Policy, Priority, Ratio, Span,
    TaskGate, TaskId, TaskState, Text,
};

use crate::http::{html, markdown, report, shown_time};
use fleet::{BEGIN, Fleet, name, spec};

const TRADES: [&str; 4] = ["rust", "web", "sql", "docs"];
const PROJECTS: [&str; 3] = ["shop", "bank", "mail"];
const HOUR: i64 = 60;

/// The fleet and what has been submitted to it.
struct Day {
    fleet: Fleet,
    submitted: usize,
}

impl Day {
    fn begin() -> Self {
        let mut fleet = Fleet::new();
        let mut policy = Policy::default();
        policy.forecasts.period = Span::hours(1);
        policy.breakdown.by = BreakdownBy::Policy;
        policy.gates.by_type = BTreeMap::from([
            (name("bug"), vec![TaskGate::Review { role: None }]),
            (name("feature"), vec![TaskGate::Command { line: Text::from("make test") }]),
            (name("release"), vec![TaskGate::Approval {}]),
        ]);
        fleet.tell(Command::SetPolicy(NewPolicy { policy: Box::new(policy), seen: None }));
        for number in 0..31 {
            let (trade, other) = (TRADES[number % 4], TRADES[(number + 1) % 4]);
            let score = 85 + u32::try_from(number % 11).unwrap_or(0);
            fleet.register(&format!("dev-{number}"), "developer", 4, &[(trade, score), (other, 65)]);
        }
        fleet.register("old-hand", "developer", 2, &[("cobol", 95)]);
        for number in 0..2 {
            fleet.register(&format!("architect-{number}"), "architect", 3, &[("design", 90 + 5 * number)]);
            fleet.register(&format!("tester-{number}"), "qa_engineer", 4, &[("testing", 90)]);
            let standby = AgentSpec {
                capabilities: vec![(name("rust"), Ratio::micros(900_000))],
                standby: true,
                ..spec(&format!("standby-{number}"), "developer", 2)
            };
            fleet.register_as(standby);
        }
        fleet.register("manager", "agent_manager", 1, &[]);
        let person = AgentSpec { kind: AgentKind::Person, ..spec("mira", "product", 2) };
        fleet.register_as(person);
        for project in PROJECTS {
            let deadline = Some(BEGIN.after(Span::hours(80)));
            let spec =
                ProjectSpec { name: name(project), title: Text::default(), deadline, milestones: Vec::new() };
            fleet.tell(Command::CreateProject(spec));
        }
        Self { fleet, submitted: 0 }
    }

    fn agent(&self, agent: &str) -> AgentId {
        self.fleet.state().agent_id(agent).unwrap_or_else(|| panic!("no agent {agent}"))
    }

    fn name_of(&self, agent: AgentId) -> Name {
        self.fleet.state().agent(agent).spec.name.clone()
    }

    /// Submits a task that needs a capability and takes so many hours.
    fn submit(&mut self, needs: &str, hours: i64, more: impl FnOnce(&mut TaskSpec)) -> TaskId {
        self.submit_after(needs, hours, &[], more)
    }

    fn submit_after(
        &mut self,
        needs: &str,
        hours: i64,
        after: &[TaskId],
        more: impl FnOnce(&mut TaskSpec),
    ) -> TaskId {
        self.submitted += 1;
        let mut spec =
            TaskSpec::titled(Text::new(&format!("task {} of the day", self.submitted), 100).expect("short"));
        let weight = Ratio::UNIT;
        spec.requires = vec![Require { capability: name(needs), weight, minimum: Ratio::ZERO }];
        spec.estimate = Some(Span::hours(hours));
        more(&mut spec);
        let edges = after.iter().map(|&id| (TaskRef::Id(id), DependencyKind::Blocks)).collect();
        self.fleet.tell(Command::Submit { spec: Arc::new(spec), edges });
        TaskId(u32::try_from(self.fleet.state().tasks().len()).expect("few tasks"))
    }

    /// Submits an ordinary day's work: chains within projects, of all types.
    fn batch(&mut self, count: usize) {
        let mut last: BTreeMap<usize, TaskId> = BTreeMap::new();
        for number in 0..count {
            let all = self.submitted;
            let (trade, project) = (TRADES[all % 4], all % PROJECTS.len());
            let after: Vec<TaskId> =
                last.get(&project).copied().filter(|_| number % 2 == 1).into_iter().collect();
            let id = self.submit_after(trade, 1 + i64::try_from(all % 3).unwrap_or(0), &after, |spec| {
                spec.project = Some(name(PROJECTS[project]));
                spec.kind = name(["task", "bug", "feature", "task", "task"][all % 5]);
                spec.priority = [Priority::Medium, Priority::Low, Priority::High][all % 7 % 3];
                if all % 40 == 39 {
                    spec.kind = name("release");
                }
            });
            if all % 30 == 1 {
                self.fleet.mischief.sent_back.insert(id);
            }
            if all % 25 == 2 {
                self.fleet.mischief.broken.insert(id);
            }
            last.insert(project, id);
        }
    }

    /// Lets whoever may approve do so, and whoever manages settle what it is called for.
    fn office(&mut self) {
        let waiting: Vec<TaskId> = self
            .fleet
            .state()
            .before_gates()
            .filter(|task| matches!(task.pending_gate(), Some((_, it)) if it.gate == TaskGate::Approval {}))
            .map(|task| task.id)
            .collect();
        for id in waiting {
            let agent = Some(name("mira"));
            let word = kapell_core::GateWord::Passed { notes: Text::from("ship it"), score: None };
            self.fleet.tell(Command::JudgeGate { task: TaskRef::Id(id), gate: None, agent, word });
        }
    }

    /// Begins the handoff of a running task that another agent can take, and returns the task.
    fn hand_over(&mut self) -> TaskId {
        let state = self.fleet.state();
        let running = state.tasks().iter().filter(|task| task.state() == TaskState::InProgress);
        let fit = running.filter(|task| {
            task.estimate >= Span::hours(9) && state.handoffs().of(task.id).is_none_or(|it| !it.is_open())
        });
        let fit: Vec<TaskId> = fit.map(|task| task.id).collect();
        for id in fit {
            let (task, note) = (TaskRef::Id(id), Some(Text::from("somebody else is better placed")));
            if self.fleet.ask(Command::RequestHandoff { task, owner: None, to: None, note }).is_ok() {
                return id;
            }
        }
        panic!("no long task can be handed over on {}", self.fleet.clock());
    }

    fn owner(&self, task: TaskId) -> AgentId {
        self.fleet.state().task(task).owner.as_ref().expect("an owner").agent
    }

    /// Returns the last handoff of a task.
    fn handoff(&self, task: TaskId) -> &Handoff {
        self.fleet.state().handoffs().iter().rev().find(|it| it.task == task).expect("a handoff")
    }

    fn recipient(&self, task: TaskId) -> AgentId {
        self.handoff(task).to.expect("a recipient")
    }

    fn stage(&self, task: TaskId) -> Stage {
        self.handoff(task).stage
    }
}

#[test]
fn a_long_day_with_everything_in_it_is_reported_truly() {
    let mut day = Day::begin();
    for number in 0..16 {
        day.submit(TRADES[number % 4], 10, |spec| spec.priority = Priority::High);
    }
    day.batch(24);
    day.fleet.pass(HOUR);
    let large = breakdowns(&mut day);
    handoffs(&mut day);
    day.batch(60);
    conflicts(&mut day);
    day.batch(60);
    silence(&mut day);
    narrows(&mut day);
    day.batch(60);
    emergencies(&mut day);
    in_the_middle(&day.fleet);
    while day.submitted < 600 {
        day.batch(40.min(600 - day.submitted));
        day.fleet.pass(HOUR);
        day.office();
    }
    while day.fleet.now.since(BEGIN) < Span::hours(47) {
        day.fleet.pass(HOUR);
        day.office();
    }
    for whole in large {
        let task = day.fleet.state().task(whole);
        let testing = day.fleet.state().task(task.broken_into().expect("it was broken down").testing);
        assert_eq!((task.state(), testing.state()), (TaskState::Archived, TaskState::Completed), "{whole}");
    }
    assert_eq!(day.submitted, 600);
    everything_has_happened(&day.fleet);
    at_the_end(&day.fleet);
    the_report_tells_it(&day.fleet);
    the_lists_tell_it(&day.fleet);
}

/// A project will be late, and there is work everywhere.
fn in_the_middle(fleet: &Fleet) {
    let report = truth::told(fleet);
    assert!(report.forecasts.iter().any(|it| it.at_risk && !it.path.is_empty()), "{:?}", report.forecasts);
    let late = |it: &&Emergency| it.kind == "deadline_risk" && it.state == "open";
    let late = report.emergencies.iter().find(late).expect("a project will be late");
    assert!(!late.path.is_empty() && late.slack_hours.is_some_and(|slack| slack < 0.0), "{late:?}");
    for page in [markdown(&report), html(&report)] {
        let first = format!("Longest path: {} (", late.path[0].task);
        // Brackets are no signs of Markdown's here.
        assert!(page.replace('\\', "").contains(&first), "{first}");
    }
    let (tasks, day) = (&report.tasks.by_state, &report.performance.last_day);
    assert!(tasks.in_progress > 10 && tasks.blocked > 0 && tasks.deferred > 0, "{tasks:?}");
    assert!(day.completed > 100 && day.failed > 0, "{day:?}");
    assert!(day.messages > 10 && day.handoffs > 3, "{day:?}");
    assert!(report.escalations_open > 0 && !report.bottlenecks.is_empty());
}

/// Everything is done, and of every kind of emergency one was acted upon and is over.
fn at_the_end(fleet: &Fleet) {
    let report = truth::told(fleet);
    assert!(report.tasks.by_state.completed > 500, "{:?}", report.tasks);
    for kind in ["agent_cascade_failure", "critical_task_failure", "deadline_risk"] {
        let over = |it: &Emergency| it.kind == kind && it.state == "ended" && !it.actions.is_empty();
        assert!(report.emergencies.iter().any(over), "no {kind} was acted upon and ended");
    }
    let (costs, performance) = (&report.costs, &report.performance);
    assert!(costs.total.money_micros > costs.today.money_micros);
    assert!(performance.by_type.len() > 3 && performance.day_before.completed > 100);
}

/// Large tasks, whose components are listed, ticked off, headed, or said by whoever does the planning.
fn breakdowns(day: &mut Day) -> [TaskId; 4] {
    let large = |day: &mut Day, description: &str| {
        let description = Text::new(description, 1_000).expect("short");
        day.submit("rust", 44, |spec| spec.description = description)
    };
    let ticked = large(day, "All of it.\n\n- [ ] the table\n- [ ] the query\n- [ ] the page\n");
    let headed = large(day, "# The table\n\nWith an index.\n\n# The page\n\nIt shows the table.\n");
    let planned = large(day, "Make it faster.");
    let first = day.submit("sql", 1, |_| {});
    let listed = day.submit_after("sql", 20, &[first], |_| {});
    let component = |title| Component {
        title: Text::from(title),
        description: Text::default(),
        requires: Vec::new(),
        estimate: Some(Span::hours(8)),
    };
    day.fleet.tell(Command::BreakDown {
        task: TaskRef::Id(listed),
        components: vec![component("read"), component("write")],
        source: None,
        model: None,
        by_policy: false,
    });
    [ticked, headed, planned, listed]
}

/// Every branch of a handoff.
fn handoffs(day: &mut Day) {
    let whole = day.hand_over();
    let incomplete = day.hand_over();
    day.fleet.mischief.unpacked.insert(incomplete, true);
    let declined = day.hand_over();
    day.fleet.mischief.unpacked.insert(declined, false);
    day.fleet.mischief.declined.insert(declined, (Stage::PackageDue, 1));
    let returned = day.hand_over();
    day.fleet.mischief.declined.insert(returned, (Stage::Transferred, 40));
    let called_off = day.hand_over();
    day.fleet.tell(Command::CancelHandoff {
        task: TaskRef::Id(called_off),
        agent: None,
        reason: Text::from("not needed any more"),
    });
    day.fleet.pass(5);
    day.fleet.mischief.unpacked.remove(&declined);
    day.fleet.pass(5);
    assert_eq!(day.stage(whole), Stage::Released);
    assert_eq!(day.stage(incomplete), Stage::Released);
    assert_eq!(day.stage(declined), Stage::Released);
    assert_ne!(day.stage(returned), Stage::PackageDue);

    let donor_gone = day.hand_over();
    let donor = day.owner(donor_gone);
    day.fleet.mischief.unpacked.insert(donor_gone, false);
    day.fleet.mischief.away.insert(donor);
    day.fleet.pass_until("the donor is not waited for", 70, |fleet| {
        fleet.state().task(donor_gone).owner.as_ref().is_some_and(|owner| owner.agent != donor)
    });
    day.fleet.mischief.away.remove(&donor);

    let recipient_gone = day.hand_over();
    let recipient = day.recipient(recipient_gone);
    day.fleet.mischief.unpacked.insert(recipient_gone, false);
    day.fleet.mischief.away.insert(recipient);
    let unconfirmed = day.hand_over();
    day.fleet.mischief.unconfirmed.insert(unconfirmed);
    let never = day.hand_over();
    day.fleet.mischief.unpacked.insert(never, false);
    day.fleet.pass(10);
    day.fleet.mischief.away.remove(&recipient);
    day.fleet.mischief.unpacked.remove(&recipient_gone);
    day.fleet.pass(130);
    assert_eq!(day.stage(never), Stage::Mediation);
    day.fleet.mischief.unpacked.remove(&never);
    day.fleet.mischief.unconfirmed.remove(&unconfirmed);
    let overtaken = day.hand_over();
    let agent = day.name_of(day.owner(overtaken));
    let assignment = day.fleet.state().task(overtaken).owner.as_ref().expect("an owner").assignment;
    let result = Some(Text::from("it was nearly done"));
    day.fleet.tell(Command::Finish { task: TaskRef::Id(overtaken), agent, assignment, result });
}

/// All four kinds of conflict.
fn conflicts(day: &mut Day) {
    let reserve = |day: &mut Day, agent: &str, resource: &str, minutes: i64, line: InLine| {
        let needs: Arc<[Need]> =
            Arc::from([Need { resource: resource.parse().expect("a resource"), mode: Mode::Exclusive }]);
        let ttl = Some(Span::minutes(minutes));
        day.fleet.tell(Command::Reserve { agent: name(agent), task: None, needs, ttl, line });
    };
    // Globs that overlap, and a ring of two who wait for each other.
    reserve(day, "dev-0", "path:src/**", 20, InLine::Refused);
    reserve(day, "dev-1", "path:src/*/lib.rs", 20, InLine::For(None));
    reserve(day, "dev-2", "env:one", 25, InLine::Refused);
    reserve(day, "dev-3", "env:two", 25, InLine::Refused);
    reserve(day, "dev-2", "env:two", 25, InLine::For(None));
    reserve(day, "dev-3", "env:one", 25, InLine::For(None));
    // A place that five want, each for long.
    for agent in ["dev-4", "dev-5", "dev-6", "dev-7", "dev-8"] {
        reserve(day, agent, "env:staging", 30, InLine::For(None));
    }

    // A decision that the tally makes, and one that only the architect may.
    let decide = |day: &mut Day, architectural: bool| {
        let new = NewDecision {
            title: Text::from("which way"),
            capability: name("design"),
            deadline: Some(day.fleet.now.after(Span::hours(1))),
            irreversible: false,
            architectural,
            options: Vec::new(),
            asked: Vec::new(),
            tasks: Vec::new(),
            agent: Some(name("dev-1")),
        };
        let conflict = day.fleet.tell(Command::OpenDecision(Box::new(new))).conflict.expect("a conflict");
        for agent in ["architect-0", "architect-1"] {
            day.fleet.tell(Command::Propose(Box::new(NewProposal {
                conflict,
                agent: name(agent),
                option: Text::from("the simple one"),
                reasons: Text::from("less to keep"),
                confidence: Ratio::micros(900_000),
            })));
        }
        conflict
    };
    decide(day, false);
    let shaping = decide(day, true);
    day.fleet.pass(65);
    assert_eq!(day.fleet.state().conflict(shaping).expect("it is there").state, ConflictState::Escalated);
    let (agent, option) = (Some(name("architect-1")), Some(Text::from("the simple one")));
    day.fleet.tell(Command::Rule { conflict: shaping, agent, option, reason: Text::from("it will do") });

    // Words about what comes first: about one task, and three orders that come round against what each task is worth.
    let wanted: Vec<TaskId> =
        (0..4).map(|number| day.submit("cobol", 1 << number, |spec| spec.priority = Priority::Low)).collect();
    for (agent, priority) in [("dev-0", Priority::High), ("dev-1", Priority::Low)] {
        let (task, agent) = (TaskRef::Id(wanted[3]), Some(name(agent)));
        day.fleet.tell(Command::AssertPriority { task, agent, priority, reason: Text::from("I need it") });
    }
    for (first, then) in [(2, 1), (1, 0), (0, 2)] {
        let (first, then) = (TaskRef::Id(wanted[first]), TaskRef::Id(wanted[then]));
        let agent = Some(name("dev-2"));
        day.fleet.tell(Command::AssertOrder { first, then, agent, reason: Text::from("it follows") });
    }
}

/// Work that nothing is said about, words that nobody reads, a file whose tasks wait in a circle.
fn silence(day: &mut Day) {
    let disputed = day.submit("rust", 9, |spec| spec.priority = Priority::Critical);
    let unanswered = day.submit("web", 9, |spec| spec.priority = Priority::Critical);
    // Who is a tenth through is not relieved of it to even the load.
    day.fleet.pass_until("both are well begun", 600, |fleet| {
        let owner = |id| fleet.state().task(id).owner.as_ref();
        [disputed, unanswered].iter().all(|&id| owner(id).is_some_and(|owner| owner.percent > 10))
    });
    let live = day.owner(disputed);
    day.fleet.mischief.quiet.extend([(disputed, live), (unanswered, day.owner(unanswered))]);
    let other = |day: &Day| {
        let able = |number: &usize| number.is_multiple_of(4);
        let agents = (0..31).filter(able).map(|number| day.agent(&format!("dev-{number}")));
        let load = |agent: &AgentId| day.fleet.state().agent(*agent).tasks.len();
        { agents }.filter(|&agent| agent != live).min_by_key(load).expect("another one")
    };
    let file = |day: &mut Day, agent: AgentId| {
        let (task, agent) = (TaskRef::Id(disputed), day.name_of(agent));
        let reason = Text::from("I have begun it");
        day.fleet.tell(Command::FileDispute { task, agent, against: None, reason });
    };
    let agent = other(day);
    file(day, agent);
    assert_eq!(day.owner(disputed), live, "its holder is not stalled");
    day.fleet.pass_until("it is stalled", 200, |fleet| {
        fleet.state().task(disputed).owner.as_ref().is_some_and(|owner| owner.stall().is_some())
    });
    let agent = other(day);
    file(day, agent);
    let ruled = day.fleet.events().filter_map(|event| match event {
        Event::DisputeRuled { rule, .. } => Some(*rule),
        _ => None,
    });
    assert_eq!(ruled.last(), Some(AwardRule::HighestScore));
    day.fleet.pass_until("nobody has answered", 120, |fleet| {
        fleet
            .events()
            .any(|event| matches!(event, Event::StallUnanswered { task, .. } if *task == unanswered))
    });
    day.fleet.mischief.quiet.clear();

    let loner = day.agent("dev-30");
    day.fleet.mischief.away.insert(loner);
    let message = |from: &str, to: &str, priority| NewMessage {
        from: Some(name(from)),
        to: Address::Agent(name(to)),
        text: Text::from("please look"),
        priority,
        task: None,
        reply_to: None,
        ack: true,
    };
    day.fleet.tell(Command::SendMessage(Box::new(message("dev-0", "dev-30", Priority::Critical))));
    for _ in 0..12 {
        day.fleet.tell(Command::SendMessage(Box::new(message("dev-1", "dev-2", Priority::Low))));
    }
    let later = Some(day.fleet.now.after(Span::hours(1)));
    let circle: Vec<TaskId> = (0..3).map(|_| day.submit("sql", 1, |spec| spec.not_before = later)).collect();
    for step in 0..3 {
        let (task, on) = (TaskRef::Id(circle[step]), TaskRef::Id(circle[(step + 1) % 3]));
        let (kind, source) = (DependencyKind::Blocks, EdgeSource::Imported);
        day.fleet.tell(Command::AddDependency { task, on, kind, source });
    }
    day.fleet.pass(45);
    day.fleet.mischief.away.remove(&loner);
}

/// More work for one hand than it can do.
fn narrows(day: &mut Day) {
    for _ in 0..8 {
        day.submit("cobol", 6, |_| {});
    }
    day.fleet.pass(2 * HOUR);
}

/// All three kinds of emergency.
fn emergencies(day: &mut Day) {
    // A quarter of the fleet is gone, and comes back.
    let gone: Vec<AgentId> = (0..11).map(|number| day.agent(&format!("dev-{number}"))).collect();
    day.fleet.mischief.away.extend(gone.iter().copied());
    day.fleet.pass_until("a cascade is declared", 10, |fleet| {
        is_open(fleet.state(), EmergencyKind::AgentCascadeFailure)
    });
    day.fleet.pass(10);
    day.fleet.mischief.away.clear();
    day.fleet
        .pass_until("it is over", 60, |fleet| !is_open(fleet.state(), EmergencyKind::AgentCascadeFailure));

    // A critical task that fails twice.
    let failing = day.submit("rust", 2, |spec| {
        spec.priority = Priority::Critical;
        spec.attempts_max = Some(5);
    });
    day.fleet.mischief.failing.insert(failing, 2);
    day.fleet.pass_until("a critical failure is declared", 5 * HOUR, |fleet| {
        is_open(fleet.state(), EmergencyKind::CriticalTaskFailure)
    });
    day.fleet.pass_until("it is done in the end", 6 * HOUR, |fleet| {
        fleet.state().task(failing).state() == TaskState::Completed
    });
    // A project that will be late.
    let deadline = Some(day.fleet.now.after(Span::hours(5)));
    let launch =
        ProjectSpec { name: name("launch"), title: Text::default(), deadline, milestones: Vec::new() };
    day.fleet.tell(Command::CreateProject(launch));
    let mut before: Vec<TaskId> = Vec::new();
    for number in 0..6 {
        let id = day.submit_after("web", 2, &before, |spec| {
            spec.project = Some(name("launch"));
            spec.labels = if number == 3 { vec![Text::from(kapell_core::OPTIONAL)] } else { Vec::new() };
        });
        before = vec![id];
    }
    day.submit("web", 2, |spec| {
        spec.project = Some(name("launch"));
        spec.priority = Priority::Low;
        spec.labels = vec![Text::from(kapell_core::OPTIONAL)];
    });
    day.fleet.pass_until("it is seen that it will be late", 3 * HOUR, |fleet| {
        is_open(fleet.state(), EmergencyKind::DeadlineRisk)
    });
}

fn is_open(state: &State, kind: EmergencyKind) -> bool {
    state.emergencies().all.iter().any(|it| it.kind == kind && it.state != EmergencyState::Ended)
}

/// Checks that nothing that a fleet must get over was left out.
fn everything_has_happened(fleet: &Fleet) {
    let kinds: BTreeSet<&str> = fleet.events().map(Event::kind).collect();
    let wanted = [
        "agent.offline",
        "agent.back",
        "task.returned",
        "offer.made",
        "breakdown.planned",
        "task.stalled",
        "task.stall_unanswered",
        "handoff.redirected",
        "message.resent",
        "message.escalated",
        "cycle.broken",
        "reservation.ring",
        "dispute.ruled",
        "decision.made",
        "decision.escalated",
        "priority.conflict_ruled",
        "priority.order_dropped",
        "force.formed",
        "force.checked",
        "force.disbanded",
        "gate.rejected",
        "forecast.made",
        "task.moved",
        "escalation.settled",
    ];
    let missing: Vec<&str> = wanted.into_iter().filter(|kind| !kinds.contains(kind)).collect();
    assert!(missing.is_empty(), "{missing:?} did not happen");

    let (mut troubles, mut outcomes, mut passed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for event in fleet.events() {
        match event {
            Event::HandoffMediation { trouble, .. } => drop(troubles.insert(trouble.as_str())),
            Event::HandoffEnded { outcome, .. } => drop(outcomes.insert(outcome.as_str())),
            Event::GatePassed { task, gate, .. } => {
                let acceptance = fleet.state().task(*task).acceptance.as_ref();
                let standing = acceptance.and_then(|it| it.gates.get(usize::from(*gate)));
                passed.extend(standing.map(|standing| standing.gate.as_str()));
            }
            _ => {}
        }
    }
    assert_eq!(troubles.len(), 6, "{troubles:?}");
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
    assert_eq!(passed.len(), 3, "{passed:?}");
    let conflicts: BTreeSet<&str> = fleet.state().conflicts().iter().map(|it| it.kind().as_str()).collect();
    assert_eq!(conflicts.len(), 4, "{conflicts:?}");
    let bottlenecks = fleet.state().bottlenecks();
    let narrow: BTreeSet<&str> = bottlenecks.newest().map(|it| it.about.kind().as_str()).collect();
    assert_eq!(narrow.len(), 3, "{narrow:?}");
    let remedies: BTreeSet<&str> = bottlenecks.newest_actions().map(|it| it.remedy.as_str()).collect();
    assert_eq!(remedies.len(), 5, "{remedies:?}");
    let sources = fleet.events().filter_map(|event| match event {
        Event::BrokenDown { source, .. } => Some(source.map_or("planning", ComponentSource::as_str)),
        _ => None,
    });
    assert_eq!(
        sources.collect::<BTreeSet<&str>>(),
        BTreeSet::from(["checklist", "declared", "planning", "sections"])
    );
    let emergencies: BTreeSet<&str> =
        fleet.state().emergencies().all.iter().map(|it| it.kind.as_str()).collect();
    assert_eq!(emergencies.len(), 3, "{emergencies:?}");
}

/// Sets the report against the log.
fn the_report_tells_it(fleet: &Fleet) {
    let report = report(&fleet.view());
    let page = markdown(&report);
    let state = fleet.state();

    let count = |kind: &str| fleet.events().filter(|event| event.kind() == kind).count();

    // Emergencies with what was done about each, and that it is undone.
    for emergency in state.emergencies().all.iter() {
        assert!(page.contains(&emergency.id.to_string()), "{} is not on the page", emergency.id);
        if emergency.state == EmergencyState::Ended {
            assert!(emergency.actions.iter().all(|taken| taken.settled.is_some()), "{emergency:?}");
        }
    }
    assert_eq!(report.emergencies.len(), count("emergency.declared"));

    // What was done about bottlenecks, with what was measured before and after.
    let (mut taken, mut ended) = (BTreeMap::new(), BTreeMap::new());
    for event in fleet.events() {
        match event {
            Event::ActionTaken { action, before, .. } => drop(taken.insert(action.to_string(), before.value)),
            Event::ActionEnded { action, after, .. } => drop(ended.insert(action.to_string(), after.value)),
            _ => {}
        }
    }
    assert_eq!(report.actions.len(), taken.len().min(20));
    for action in &report.actions {
        // Shares are shown as such, and are hundredths in the log.
        let logged = |value: u64, of: &str| value as f64 / if of == "wait_p90_ms" { 1.0 } else { 100.0 };
        assert_eq!(action.before.value, logged(taken[&action.id], &action.before.of));
        let after = ended.get(&action.id).map(|&value| logged(value, &action.before.of));
        assert_eq!(action.after.as_ref().map(|after| after.value), after);
    }
}

/// Sets the lists of the report against what the log says was opened and closed, and both pages against the lists.
fn the_lists_tell_it(fleet: &Fleet) {
    let report = report(&fleet.view());
    let (mut conflicts, mut escalations) = (BTreeSet::new(), BTreeSet::new());
    let (mut forces, mut narrow) = (BTreeSet::new(), BTreeSet::new());
    let (mut forecasts, mut course) = (BTreeMap::new(), Vec::new());
    for record in &fleet.log {
        match &record.event {
            Event::ContentionOpened { conflict, .. }
            | Event::DecisionOpened { conflict, .. }
            | Event::DisputeOpened { conflict, .. }
            | Event::PrecedenceOpened { conflict, .. } => drop(conflicts.insert(*conflict)),
            Event::ContentionResolved { conflict, .. }
            | Event::DecisionMade { conflict, .. }
            | Event::DecisionWithdrawn { conflict, .. }
            | Event::DisputeRuled { conflict, .. }
            | Event::PrecedenceRuled { conflict, .. } => drop(conflicts.remove(conflict)),
            Event::EscalationRaised { escalation, .. } => drop(escalations.insert(*escalation)),
            Event::EscalationSettled { escalation, .. } => drop(escalations.remove(escalation)),
            Event::ForceFormed { force, .. } => drop(forces.insert(*force)),
            Event::ForceDisbanded { force, .. } => drop(forces.remove(force)),
            Event::BottleneckFound { bottleneck, .. } => drop(narrow.insert(*bottleneck)),
            Event::BottleneckGone { bottleneck, .. } => drop(narrow.remove(bottleneck)),
            Event::ForecastMade { forecast } => {
                forecasts.insert(forecast.project.to_string(), shown_time(forecast.at));
            }
            Event::CourseNoted { sample } => course.push((shown_time(record.at), sample)),
            _ => {}
        }
    }
    let ids = |all: Vec<String>| all.into_iter().collect::<BTreeSet<String>>();

    // What is open comes first, the newest before the older, and then what was settled last.
    assert_eq!(report.conflicts_open as usize, conflicts.len());
    assert!(report.conflicts.len() >= conflicts.len().min(20) && !report.conflicts.is_empty());
    let newest: Vec<String> = conflicts.iter().rev().take(20).map(ToString::to_string).collect();
    let listed: Vec<&str> = report.conflicts.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(listed[..newest.len()], newest);
    assert!(report.conflicts[newest.len()..].iter().all(|it| it.settled_at.is_some()), "{listed:?}");

    let listed = ids(report.escalations.iter().map(|it| it.id.clone()).collect());
    let open = ids(escalations.iter().map(ToString::to_string).collect());
    assert_eq!((report.escalations_open as usize, listed.len()), (open.len(), open.len().min(50)));
    assert!(listed.is_subset(&open), "{listed:?} {open:?}");

    let listed = ids(report.forces.iter().map(|it| it.id.clone()).collect());
    assert_eq!(listed, ids(forces.iter().map(ToString::to_string).collect()));
    let listed = ids(report.bottlenecks.iter().filter_map(|it| it.id.clone()).collect());
    assert_eq!(listed, ids(narrow.iter().map(ToString::to_string).collect()));

    // The last forecast of each project that is not done.
    let open = fleet.state().projects().values().filter(|it| it.open() > 0 && it.spec.deadline.is_some());
    let open = open.map(|it| it.spec.name.to_string()).filter(|name| forecasts.contains_key(name));
    assert_eq!(ids(report.forecasts.iter().map(|it| it.project.clone()).collect()), ids(open.collect()));
    assert!(!forecasts.is_empty());
    for it in &report.forecasts {
        assert_eq!(forecasts.get(&it.project), Some(&it.at), "{}", it.project);
    }

    // The course is what was noted, and how it is now.
    let (now, noted) = report.course.split_last().expect("how it is now");
    assert_eq!((now.at.as_str(), now.health), (report.at.as_str(), report.health.total));
    assert!(noted.len() > 100, "{}", noted.len());
    for (shown, (at, sample)) in noted.iter().rev().zip(course.iter().rev()) {
        assert_eq!((&shown.at, shown.health), (at, sample.health.total.as_decimal()));
        assert_eq!(
            (shown.ready, shown.running, shown.blocked),
            (sample.ready, sample.running, sample.blocked)
        );
        let lead = sample.lead.map(|(half, most)| (half.0, most.0));
        assert_eq!(shown.lead_p50_ms.zip(shown.lead_p90_ms), lead, "{at}");
    }

    // Everything that is listed stands on both pages.
    let (text, page) = (markdown(&report), html(&report));
    let emergencies = report.emergencies.iter().map(|it| &it.id);
    let listed = report.conflicts.iter().map(|it| &it.id).chain(report.escalations.iter().map(|it| &it.id));
    let listed = listed.chain(report.forces.iter().map(|it| &it.id)).chain(emergencies);
    let listed = listed.chain(report.actions.iter().map(|it| &it.id));
    for it in &report.bottlenecks {
        assert!(it.id.as_ref().is_none_or(|id| page.contains(id.as_str())), "{it:?} is not on the page");
    }
    for id in listed.chain(report.forecasts.iter().map(|it| &it.project)) {
        assert!(text.contains(id.as_str()) && page.contains(id.as_str()), "{id} is not on both pages");
    }
}
