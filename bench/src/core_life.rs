//! The whole life of a task in the core alone: submit, place, start, finish. No disk, no wire.

use std::sync::Arc;
use std::time::Instant;

use kapell_core::{AgentSpec, Command, Engine, Event, Record, Request, Require, State, TaskRef, TaskSpec};
use kapell_model::{AgentKind, CommandId, Moment, Name, Priority, Ratio, Text};
use kapell_plan::Greedy;

use crate::Options;
use crate::table::{Table, median, per_second};

/// Capabilities in the fleet.
const CAPABILITIES: usize = 16;
/// Kinds of work: each asks for two capabilities.
const KINDS: usize = 40;

/// Measures tasks a second through the core with 1,000 agents.
pub fn measure(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let tasks = if options.quick { 50_000 } else { 400_000 };
    for (name, burst) in [("idle fleet, one at a time", 1), ("busy fleet, bursts of 2,000", 2_000)] {
        let rates = (0..5).map(|_| lives(tasks, 1_000, burst)).collect::<Vec<_>>();
        table.add(
            &format!("core alone, whole life, {name}"),
            per_second(median(rates)),
            "400,000/s",
            "1,000 agents with 4 of 16 capabilities each, 40 kinds of work in 4 priorities",
        );
    }
    Ok(())
}

/// A fleet under test.
pub struct Fleet {
    /// The engine.
    pub engine: Engine<Greedy>,
    /// The events of the last command.
    pub records: Vec<Record>,
    actor: Arc<str>,
    commands: u128,
    now: i64,
}

impl Fleet {
    /// Makes a fleet of `agents` agents that are all online.
    ///
    /// # Panics
    /// Where the core refuses one.
    #[must_use]
    pub fn new(agents: usize) -> Self {
        let mut fleet = Self {
            engine: Engine::new(State::default(), Greedy::default()),
            records: Vec::new(),
            actor: Arc::from("bench"),
            commands: 0,
            now: 1_700_000_000_000,
        };
        for index in 0..agents {
            fleet.execute(Command::RegisterAgent { spec: agent(index), online: true });
        }
        fleet
    }

    /// Executes one command and keeps its events.
    ///
    /// # Panics
    /// Where the core refuses it.
    pub fn execute(&mut self, command: Command) {
        assert!(self.try_execute(command), "a bench sends what is allowed");
    }

    /// Executes one command, keeps its events, and tells whether it was allowed.
    pub fn try_execute(&mut self, command: Command) -> bool {
        self.commands += 1;
        self.now += 1;
        let request = Request {
            id: CommandId(self.commands),
            fingerprint: None,
            actor: Arc::clone(&self.actor),
            at: Moment(self.now),
            command,
        };
        self.records.clear();
        self.engine.execute(&request, &mut self.records).is_ok()
    }
}

/// Returns the name of agent `index`.
#[must_use]
pub fn agent_name(index: usize) -> Name {
    Name::new(&format!("agent-{index}")).expect("a name")
}

/// Returns agent `index`: four of sixteen capabilities, scores from 0.7 to 1, one slot.
#[must_use]
pub fn agent(index: usize) -> AgentSpec {
    let score = |offset: usize| {
        Ratio::micros(700_000 + u32::try_from((index * 7 + offset * 13) % 31).unwrap_or(0) * 10_000)
    };
    let capabilities = (0..4).map(|offset| (capability(index + offset * 5), score(offset))).collect();
    AgentSpec {
        name: agent_name(index),
        role: Name::new("developer").expect("a name"),
        kind: AgentKind::Agent,
        capabilities,
        max_concurrent: 1,
        lease: None,
        standby: false,
    }
}

fn capability(index: usize) -> Name {
    Name::new(&format!("capability-{}", index % CAPABILITIES)).expect("a name")
}

/// Returns one task of each kind: two capabilities that at least some agents have both.
#[must_use]
pub fn kinds() -> Vec<Arc<TaskSpec>> {
    let require =
        |index| Require { capability: capability(index), weight: Ratio::UNIT, minimum: Ratio::ZERO };
    (0..KINDS)
        .map(|kind| {
            let title = format!("Measure the flow through the core, kind {kind}");
            let mut spec = TaskSpec::titled(Text::filled(&title, 500).expect("a title"));
            spec.requires = vec![require(kind), require(kind + 5)];
            spec.priority = Priority::ALL[kind % 4];
            spec.kind = Name::new(["task", "bug", "feature"][kind % 3]).expect("a name");
            Arc::new(spec)
        })
        .collect()
}

/// Runs `tasks` tasks through a fleet, `burst` submitted at a time, and returns how many lives a second that was.
fn lives(tasks: usize, agents: usize, burst: usize) -> f64 {
    let mut fleet = Fleet::new(agents);
    let kinds = kinds();
    let names: Vec<Name> = (0..agents).map(agent_name).collect();
    let mut open = std::collections::VecDeque::new();
    let (mut submitted, mut finished) = (0, 0);
    let started = Instant::now();
    while finished < tasks {
        if submitted < tasks && open.len() < agents / 2 {
            for _ in 0..burst.min(tasks - submitted) {
                fleet.execute(Command::Submit {
                    spec: Arc::clone(&kinds[submitted % KINDS]),
                    edges: Vec::new(),
                });
                submitted += 1;
                assigned(&fleet.records, &mut open);
            }
        }
        let Some((task, agent, assignment)) = open.pop_front() else {
            panic!("nothing is owned though {} tasks are open", submitted - finished)
        };
        let (task, agent) = (TaskRef::Id(task), names[agent].clone());
        fleet.execute(Command::Start { task: task.clone(), agent: agent.clone(), assignment });
        fleet.execute(Command::Finish { task, agent, assignment, result: None });
        assigned(&fleet.records, &mut open);
        finished += 1;
    }
    tasks as f64 / started.elapsed().as_secs_f64()
}

/// Assignments that are open: task, the agent's number, token.
pub type Open = std::collections::VecDeque<(kapell_model::TaskId, usize, kapell_model::AssignmentId)>;

/// Puts the assignments among `records` behind `open`.
pub fn assigned(records: &[Record], open: &mut Open) {
    for record in records {
        if let Event::TaskAssigned { task, agent, assignment, .. } = &record.event {
            open.push_back((*task, agent.index(), *assignment));
        }
    }
}
