//! What 24 models solved of 252 real tasks, and what routing between them would have got: learned on one half of the tasks,
//! played through the core on the other.
//!
//! A capability is a project, an agent's score in it is its success rate there on the learning half, drawn towards its rate
//! over all by a weight of five outcomes. The core places each task and hands a failed one on; what an agent would have
//! answered, and what that cost, is what it did answer. The score of the founding description knows no price.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use kapell_core::{
    AgentSpec, Command, Engine, Event, NewPolicy, Record, Request, Require, State, TaskRef, TaskSpec,
};
use kapell_model::{
    AgentKind, AssignmentId, CommandId, Moment, Name, Policy, Priority, Ratio, Span, TaskId, Text,
};
use kapell_plan::Greedy;

use crate::Options;
use crate::table::Table;

/// Divisions of the tasks into a half to learn from and a half to be measured on.
const SPLITS: u64 = 20;
/// What an agent's rate over all weighs in its score for a project, in outcomes.
const PRIOR: f64 = 5.0;

/// Measures success and cost of Kapell's routing beside simpler ones.
pub fn measure(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let outcomes = read().context("the outcomes beside the project")?;
    let splits = if options.quick { 2 } else { SPLITS };
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for seed in 0..splits {
        let split = Split::new(&outcomes, seed);
        let mut add = |name: &str, sum: Sum| sums.entry(name.to_owned()).or_default().add(&sum);
        add("best single agent", split.each(|_| vec![split.best()]));
        add("cheapest first, failures to the best", split.each(|_| vec![split.cheapest(), split.best()]));
        add("at random", split.at_random(seed));
        add("in hindsight, the cheapest that solves it", split.hindsight());
        for attempts in [1, 2, 3] {
            add(
                &format!("Kapell, {attempts} attempts"),
                split.through_the_core(attempts, &Policy::default())?,
            );
        }
        let lower = Policy { threshold: Ratio::micros(500_000), ..Policy::default() };
        add("Kapell, 2 attempts, threshold 0.5", split.through_the_core(2, &lower)?);
    }
    let of_best = sums["best single agent"].cost;
    for (name, sum) in &sums {
        let share = |count: u32| 100.0 * f64::from(count) / f64::from(sum.tasks);
        let figure = format!(
            "{:.1} % solved at {:.2} of the best agent's cost; {:.1} % never placed",
            share(sum.solved),
            sum.cost / of_best,
            share(sum.unplaced)
        );
        let note = format!("{} agents, {} tasks in {splits} random halves", outcomes.agents.len(), sum.tasks);
        table.add(&format!("routing: {name}"), figure, "", &note);
    }
    Ok(())
}

/// What became of some tasks.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    tasks: u32,
    solved: u32,
    unplaced: u32,
    cost: f64,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.tasks += other.tasks;
        self.solved += other.solved;
        self.unplaced += other.unplaced;
        self.cost += other.cost;
    }
}

/// One agent's try at one task.
#[derive(Debug, Clone, Copy)]
struct Try {
    resolved: bool,
    cost: f64,
}

#[derive(Debug, Default)]
struct Outcomes {
    agents: Vec<String>,
    /// Tasks with their projects.
    tasks: Vec<(String, String)>,
    /// By task and agent.
    tries: Vec<Vec<Try>>,
}

fn read() -> anyhow::Result<Outcomes> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/agents-swebench/outcomes.csv");
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let mut rows: BTreeMap<(String, String), BTreeMap<String, Try>> = BTreeMap::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        // Names hold no commas between quotes, but may hold them bare: the ends of a row are of fixed form.
        let fields: Vec<&str> = line.split(',').collect();
        let told = || format!("line {}", number + 1);
        let [task, project, agent @ .., resolved, cost, _calls] = fields.as_slice() else {
            anyhow::bail!("{} has {} fields, allowed are 6", told(), fields.len());
        };
        let tried = Try { resolved: *resolved == "1", cost: cost.parse().with_context(told)? };
        rows.entry(((*task).to_owned(), (*project).to_owned()))
            .or_default()
            .insert(agent.join(",").trim_matches('"').to_owned(), tried);
    }
    let mut outcomes = Outcomes::default();
    for (task, tries) in rows {
        if outcomes.agents.is_empty() {
            outcomes.agents = tries.keys().cloned().collect();
        }
        anyhow::ensure!(tries.keys().eq(&outcomes.agents), "every agent tried {}", task.0);
        outcomes.tries.push(tries.into_values().collect());
        outcomes.tasks.push(task);
    }
    Ok(outcomes)
}

/// A half to learn from and a half to be measured on.
struct Split<'a> {
    outcomes: &'a Outcomes,
    learned_on: Vec<usize>,
    measured_on: Vec<usize>,
}

impl<'a> Split<'a> {
    fn new(outcomes: &'a Outcomes, seed: u64) -> Self {
        let mut order: Vec<usize> = (0..outcomes.tasks.len()).collect();
        order.sort_by_key(|&task| mixed(seed << 32 | task as u64));
        let measured_on = order.split_off(order.len() / 2);
        Self { outcomes, learned_on: order, measured_on }
    }

    /// Returns how many of `tasks` an agent solved, how many there are, and what that cost it.
    fn record(&self, agent: usize, project: Option<&str>) -> (f64, f64, f64) {
        let tasks = self.learned_on.iter().copied();
        let of_project = tasks.filter(|&task| project.is_none_or(|it| it == self.outcomes.tasks[task].1));
        of_project.fold((0.0, 0.0, 0.0), |(solved, all, cost), task| {
            let tried = self.outcomes.tries[task][agent];
            (solved + f64::from(u8::from(tried.resolved)), all + 1.0, cost + tried.cost)
        })
    }

    fn rate(&self, agent: usize) -> f64 {
        let (solved, all, _) = self.record(agent, None);
        solved / all
    }

    fn score(&self, agent: usize, project: &str) -> f64 {
        let (solved, all, _) = self.record(agent, Some(project));
        (solved + PRIOR * self.rate(agent)) / (all + PRIOR)
    }

    fn agents(&self) -> std::ops::Range<usize> {
        0..self.outcomes.agents.len()
    }

    fn best(&self) -> usize {
        self.agents().max_by(|&a, &b| self.rate(a).total_cmp(&self.rate(b))).expect("there are agents")
    }

    /// Returns the agent whose successes cost least each, of those that solve at least half as much as the best.
    fn cheapest(&self) -> usize {
        let price = |agent| {
            let (solved, _, cost) = self.record(agent, None);
            cost / solved
        };
        let least = self.rate(self.best()) / 2.0;
        let able = self.agents().filter(|&agent| self.rate(agent) >= least);
        able.min_by(|&a, &b| price(a).total_cmp(&price(b))).expect("there are agents")
    }

    /// Tries each task with a list of agents until one solves it.
    fn each(&self, agents: impl Fn(usize) -> Vec<usize>) -> Sum {
        let mut sum = Sum::default();
        for &task in &self.measured_on {
            sum.tasks += 1;
            for agent in agents(task) {
                let tried = self.outcomes.tries[task][agent];
                sum.cost += tried.cost;
                if tried.resolved {
                    sum.solved += 1;
                    break;
                }
            }
        }
        sum
    }

    fn at_random(&self, seed: u64) -> Sum {
        let any = |task: usize| mixed(!seed << 32 | task as u64) as usize % self.outcomes.agents.len();
        self.each(|task| vec![any(task)])
    }

    fn hindsight(&self) -> Sum {
        self.each(|task| {
            let cost = |agent: usize| self.outcomes.tries[task][agent].cost;
            let able = self.agents().filter(|&agent| self.outcomes.tries[task][agent].resolved);
            able.min_by(|&a, &b| cost(a).total_cmp(&cost(b))).into_iter().collect()
        })
    }

    /// Plays the measured half through the core, one task after the other.
    fn through_the_core(&self, attempts: u32, policy: &Policy) -> anyhow::Result<Sum> {
        let mut fleet = Fleet {
            engine: Engine::new(State::default(), Greedy::default()),
            actor: Arc::from("bench"),
            commands: 0,
            now: 1_700_000_000_000,
            records: Vec::new(),
        };
        let mut policy = Policy { retry_backoff: Span(10), retry_backoff_max: Span(10), ..policy.clone() };
        // Attempts fail here by the minute, whoever makes them.
        policy.emergencies.detect = false;
        fleet.execute(Command::SetPolicy(NewPolicy { policy: Box::new(policy), seen: None }));
        let projects: std::collections::BTreeSet<&str> =
            self.outcomes.tasks.iter().map(|(_, project)| project.as_str()).collect();
        for agent in self.agents() {
            let capabilities = projects.iter().map(|&project| {
                let micros = (self.score(agent, project) * f64::from(Ratio::UNIT)).round();
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a million")]
                (capability(project), Ratio::micros(micros as u32))
            });
            let spec = AgentSpec {
                name: Name::new(&format!("agent-{agent}")).expect("a name"),
                role: Name::new("developer").expect("a name"),
                kind: AgentKind::Service,
                capabilities: capabilities.collect(),
                max_concurrent: 1,
                lease: None,
                standby: false,
            };
            fleet.execute(Command::RegisterAgent { spec, online: true });
        }
        let mut sum = Sum::default();
        for &task in &self.measured_on {
            sum.tasks += 1;
            let project = &self.outcomes.tasks[task].1;
            let mut spec =
                TaskSpec::titled(Text::filled(&self.outcomes.tasks[task].0, 500).expect("a title"));
            spec.kind = Name::new("bug").expect("a name");
            spec.priority = Priority::Medium;
            spec.attempts_max = Some(attempts);
            spec.requires =
                vec![Require { capability: capability(project), weight: Ratio::UNIT, minimum: Ratio::ZERO }];
            fleet.execute(Command::Submit { spec: Arc::new(spec), edges: Vec::new() });
            let mut tried = 0;
            while let Some((id, agent, assignment)) = fleet.assigned() {
                tried += 1;
                let outcome = self.outcomes.tries[task][agent];
                sum.cost += outcome.cost;
                let agent = Name::new(&format!("agent-{agent}")).expect("a name");
                let task = TaskRef::Id(id);
                fleet.execute(Command::Start { task: task.clone(), agent: agent.clone(), assignment });
                if outcome.resolved {
                    sum.solved += 1;
                    fleet.execute(Command::Finish { task, agent, assignment, result: None });
                    break;
                }
                let reason = Text::filled("its tests fail", 100).expect("a reason");
                fleet.execute(Command::Fail { task, agent, assignment, reason, retry: true });
                if tried < attempts {
                    fleet.now += 60_000;
                    fleet.execute(Command::Tick);
                }
            }
            sum.unplaced += u32::from(tried == 0);
            if let Some(id) = fleet.waiting() {
                let reason = Text::filled("nobody is good enough", 100).expect("a reason");
                fleet.execute(Command::Cancel { task: TaskRef::Id(id), reason });
            }
        }
        Ok(sum)
    }
}

fn capability(project: &str) -> Name {
    Name::new(&project.replace('/', "-")).expect("a name")
}

/// Mixes the bits of a number (the finalizer of SplitMix64), for an order that depends on a seed alone.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
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
        self.now += 1_000;
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

    /// Returns what the last command has assigned.
    fn assigned(&self) -> Option<(TaskId, usize, AssignmentId)> {
        self.records.iter().find_map(|record| match record.event {
            Event::TaskAssigned { task, agent, assignment, .. } => Some((task, agent.index(), assignment)),
            _ => None,
        })
    }

    /// Returns the last task where it is still open.
    fn waiting(&self) -> Option<TaskId> {
        let state = self.engine.state();
        let last = TaskId(u32::try_from(state.tasks().len()).ok()?);
        state.task(last).is_open().then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hindsight_is_the_most_that_one_try_can_get_and_more_tries_solve_more() {
        let outcomes = read().expect("the outcomes beside the project");
        let split = Split::new(&outcomes, 0);
        let hindsight = split.hindsight();
        let core = [1, 2, 3].map(|tries| split.through_the_core(tries, &Policy::default()).expect("played"));
        assert!(core.iter().all(|sum| sum.solved <= hindsight.solved && sum.tasks == hindsight.tasks));
        assert!(core[0].solved < core[1].solved && core[1].solved <= core[2].solved, "{core:?}");
        assert!(core[1].solved > split.each(|_| vec![split.best()]).solved, "a second agent helps");
    }
}
