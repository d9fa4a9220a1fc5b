//! Real workflows through the core in simulated time: how long 8 agents take, beside the least that is possible and two
//! schedules that are worked out here, without Kapell.
//!
//! Effort is the recorded runtime, a task requires its program, every agent has every program with score 1 and one slot:
//! what is measured is the order in which ready tasks are handed out, and nothing else.

mod list;
mod read;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use anyhow::Context as _;
use kapell_core::{AgentSpec, Command, Engine, Event, Record, Request, Require, State, TaskRef, TaskSpec};
use kapell_model::{AgentKind, CommandId, DependencyKind, Moment, Name, Priority, Ratio, Span, TaskId, Text};
use kapell_plan::Greedy;

use crate::Options;
use crate::table::Table;
use list::{Rule, schedule};
use read::Workflow;

/// Agents with one slot each.
pub(crate) const AGENTS: usize = 8;
/// When a simulation begins, in ms since 1970.
const BEGIN: i64 = 1_700_000_000_000;

/// Measures the makespans of every workflow alone, and of all at once.
pub fn measure(_options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let workflows = read::all().context("the workflows beside the project")?;
    let mut applications: BTreeMap<&str, Vec<Outcome>> = BTreeMap::new();
    for workflow in &workflows {
        applications
            .entry(&workflow.application)
            .or_default()
            .push(Outcome::of(std::slice::from_ref(workflow)));
    }
    for (application, outcomes) in &applications {
        table.add(&format!("workflows, {application}"), shown(outcomes), "", &note(outcomes));
    }
    let alone: Vec<Outcome> = applications.into_values().flatten().collect();
    table.add("workflows, each alone, all of them", shown(&alone), "", &note(&alone));
    let together = [Outcome::of(&workflows)];
    table.add("workflows, all at once", shown(&together), "", &note(&together));
    Ok(())
}

/// The makespans of one load, in ms.
struct Outcome {
    tasks: usize,
    bound: i64,
    kapell: i64,
    first_come: i64,
    longest_path: i64,
}

impl Outcome {
    fn of(workflows: &[Workflow]) -> Self {
        let joined = Workflow::joined(workflows);
        Self {
            tasks: joined.tasks.len(),
            bound: joined.bound(AGENTS),
            kapell: through_the_core(workflows),
            first_come: schedule(&joined, AGENTS, Rule::FirstCome),
            longest_path: schedule(&joined, AGENTS, Rule::LongestPath),
        }
    }
}

/// Shows how much longer than the bound each schedule is, in the mean over the loads.
fn shown(outcomes: &[Outcome]) -> String {
    let mean = |of: &dyn Fn(&Outcome) -> i64| {
        let ratios = outcomes.iter().map(|outcome| of(outcome) as f64 / outcome.bound as f64);
        ratios.sum::<f64>() / outcomes.len() as f64
    };
    format!(
        "{:.4} x bound; first come {:.4}, longest path first {:.4}",
        mean(&|it| it.kapell),
        mean(&|it| it.first_come),
        mean(&|it| it.longest_path)
    )
}

fn note(outcomes: &[Outcome]) -> String {
    let tasks: usize = outcomes.iter().map(|outcome| outcome.tasks).sum();
    let worse = outcomes.iter().filter(|outcome| outcome.kapell > outcome.longest_path).count();
    let better = outcomes.iter().filter(|outcome| outcome.kapell < outcome.longest_path).count();
    let loads = outcomes.len();
    format!(
        "{tasks} tasks in {loads} loads, {AGENTS} agents; against longest path first shorter in {better}, longer in {worse}"
    )
}

/// A fleet in simulated time.
struct Fleet {
    engine: Engine<Greedy>,
    actor: Arc<str>,
    commands: u128,
    now: i64,
    records: Vec<Record>,
}

impl Fleet {
    fn execute(&mut self, command: Command) {
        self.commands += 1;
        let request = Request {
            id: CommandId(self.commands),
            fingerprint: None,
            actor: Arc::clone(&self.actor),
            at: Moment(self.now),
            command,
        };
        self.records.clear();
        self.engine.execute(&request, &mut self.records).expect("a bench sends what is allowed");
    }
}

/// Runs workflows through the real core and returns how long that took, in simulated ms.
fn through_the_core(workflows: &[Workflow]) -> i64 {
    let engine = Engine::new(State::default(), Greedy::default());
    let mut fleet = Fleet { engine, actor: Arc::from("bench"), commands: 0, now: BEGIN, records: Vec::new() };
    let mut durations = vec![0];
    for workflow in workflows {
        submit(&mut fleet, workflow, &mut durations);
    }
    // The team comes when all is known, so that no schedule profits from the order of submission.
    let programs: Vec<&str> = workflows.iter().flat_map(Workflow::programs).collect();
    let mut running = BinaryHeap::new();
    for index in 0..AGENTS {
        fleet.execute(Command::RegisterAgent { spec: agent(index, &programs), online: true });
        begin(&mut fleet, &durations, &mut running);
    }
    while let Some(Reverse((at, task))) = running.pop() {
        fleet.now = at;
        let state = fleet.engine.state();
        let owner = state.task(task).owner.as_ref().expect("what runs has an owner");
        let (agent, assignment) = (state.agent(owner.agent).spec.name.clone(), owner.assignment);
        fleet.execute(Command::Finish { task: TaskRef::Id(task), agent, assignment, result: None });
        begin(&mut fleet, &durations, &mut running);
    }
    let state = fleet.engine.state();
    let completed = state.counts().of(kapell_model::TaskState::Completed);
    assert_eq!(completed as usize, durations.len() - 1, "every task was done");
    fleet.now - BEGIN
}

/// Tasks that run, by the moment at which they end.
type Running = BinaryHeap<Reverse<(i64, TaskId)>>;

/// Begins what the last command has assigned.
fn begin(fleet: &mut Fleet, durations: &[i64], running: &mut Running) {
    let assigned: Vec<_> = fleet
        .records
        .iter()
        .filter_map(|record| match record.event {
            Event::TaskAssigned { task, agent, assignment, .. } => Some((task, agent, assignment)),
            _ => None,
        })
        .collect();
    for (task, agent, assignment) in assigned {
        let agent = fleet.engine.state().agent(agent).spec.name.clone();
        fleet.execute(Command::Start { task: TaskRef::Id(task), agent, assignment });
        running.push(Reverse((fleet.now + durations[task.0 as usize], task)));
    }
}

fn submit(fleet: &mut Fleet, workflow: &Workflow, durations: &mut Vec<i64>) {
    let first = durations.len();
    let project = name(&workflow.name);
    for task in &workflow.tasks {
        let mut spec = TaskSpec::titled(Text::filled(&task.id, 500).expect("a title"));
        spec.project = Some(project.clone());
        spec.priority = Priority::Medium;
        spec.estimate = Some(Span(task.duration));
        spec.requires =
            vec![Require { capability: name(&task.program), weight: Ratio::UNIT, minimum: Ratio::ZERO }];
        let on = |&parent: &usize| {
            let id = TaskId(u32::try_from(first + parent).expect("tasks are few"));
            (TaskRef::Id(id), DependencyKind::Blocks)
        };
        let edges = task.parents.iter().map(on).collect();
        durations.push(task.duration);
        fleet.execute(Command::Submit { spec: Arc::new(spec), edges });
    }
}

fn agent(index: usize, programs: &[&str]) -> AgentSpec {
    let mut capabilities: Vec<_> = programs.iter().map(|program| (name(program), Ratio::ONE)).collect();
    capabilities.sort();
    capabilities.dedup();
    AgentSpec {
        name: name(&format!("agent-{index}")),
        role: name("worker"),
        kind: AgentKind::Service,
        capabilities,
        max_concurrent: 1,
        lease: None,
        standby: false,
    }
}

/// Makes a name of a program or file.
fn name(text: &str) -> Name {
    let clean: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    Name::new(&format!("w{clean}")).expect("a name")
}
