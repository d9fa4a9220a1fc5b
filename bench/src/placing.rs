//! Placing at scale: whole rounds through the engine, in steps, and the scores behind them.

use std::sync::Arc;
use std::time::Duration;

use kapell_core::{AgentSpec, Command, Event, NewPolicy, Require, TaskRef, TaskSpec};
use kapell_model::{
    AgentId, AgentKind, AgentState, AgentView, Class, Name, Policy, Position, Ratio, Requirement, Situation,
    Text, Word,
};
use kapell_plan::{Sums, score};

use crate::Options;
use crate::core_life::{Fleet, agent_name};
use crate::scale::cpu;
use crate::table::{Table, median, per_second, thousands};

/// Measures two rounds and the scoring.
pub fn measure(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let less = if options.quick { 10 } else { 1 };
    let (few, many) = (
        Shape { capabilities: 16, each: 4, required: 2 },
        Shape { capabilities: 256, each: 16, required: 4 },
    );
    round(table, &few, 10_000 / less, 1_000_000 / less, 200, "150 ms");
    round(table, &many, 10_000 / less, 100_000 / less, 100_000 / less, "5,000 ms; no step above 10 ms");
    scoring(table, &many, 10_000 / less);
    Ok(())
}

/// What agents can do and tasks require.
struct Shape {
    capabilities: u64,
    each: u64,
    required: u64,
}

/// Lets tasks wait under a threshold that nobody passes, then sets the founding one: everything is looked at.
fn round(table: &mut Table, shape: &Shape, agents: usize, tasks: usize, classes: usize, wanted: &str) {
    let mut fleet = Fleet::new(0);
    set_threshold(&mut fleet, Ratio::ONE);
    let mut dice = Dice(7);
    for index in 0..agents {
        fleet.execute(Command::RegisterAgent { spec: shape.agent(index, &mut dice), online: true });
    }
    let kinds: Vec<Arc<TaskSpec>> =
        (0..classes).map(|class| Arc::new(shape.task(class, &mut dice))).collect();
    for index in 0..tasks {
        fleet.execute(Command::Submit { spec: Arc::clone(&kinds[index % classes]), edges: Vec::new() });
    }
    let (mut steps, mut spent, mut longest, mut owned) = (0, Duration::ZERO, Duration::ZERO, Vec::new());
    while steps == 0 || fleet.engine.is_unsettled() {
        let started = cpu();
        if steps == 0 {
            set_threshold(&mut fleet, Policy::default().threshold);
        } else {
            fleet.execute(Command::Tick);
        }
        let took = cpu() - started;
        (steps, spent, longest) = (steps + 1, spent + took, longest.max(took));
        note(&fleet, &mut owned);
    }
    let ms = |span: Duration| span.as_secs_f64() * 1e3;
    let on = format!(
        "{} agents of one slot with {} of {} capabilities, {} required of {} tasks in {} classes; CPU time",
        thousands(agents as f64),
        shape.each,
        shape.capabilities,
        shape.required,
        thousands(tasks as f64),
        thousands(classes as f64)
    );
    table.add(
        &format!("one round over {} classes", thousands(classes as f64)),
        format!("{:.0} ms in {steps} steps, the longest {:.1} ms", ms(spent), ms(longest)),
        wanted,
        &format!("{on}; {} placed", thousands(owned.len() as f64)),
    );
    let mut finishes = Vec::new();
    for at in 0..500.min(owned.len()) {
        let (task, agent, assignment) = owned[at * 7 % owned.len()];
        let command =
            Command::Finish { task: TaskRef::Id(task), agent: agent_name(agent), assignment, result: None };
        let started = cpu();
        if fleet.try_execute(command) {
            finishes.push((cpu() - started).as_secs_f64() * 1e6);
        }
    }
    table.add(
        &format!("then: finish, and place another of {} classes", thousands(classes as f64)),
        format!("{:.1} µs", median(finishes)),
        "",
        &on,
    );
}

fn note(fleet: &Fleet, owned: &mut Vec<(kapell_model::TaskId, usize, kapell_model::AssignmentId)>) {
    for record in &fleet.records {
        if let Event::TaskAssigned { task, agent, assignment, .. } = record.event {
            owned.push((task, agent.index(), assignment));
        }
    }
}

fn set_threshold(fleet: &mut Fleet, threshold: Ratio) {
    let policy = Box::new(Policy { threshold, ..Policy::default() });
    fleet.execute(Command::SetPolicy(NewPolicy { policy, seen: None }));
}

/// Scores every agent for classes of their own, as a round does, and compares some with the plain formula.
fn scoring(table: &mut Table, shape: &Shape, agents: usize) {
    let mut situation = Situation::new(&Policy::default());
    let mut dice = Dice(11);
    for index in 0..agents {
        let id = AgentId(u32::try_from(index).unwrap_or(0));
        let capabilities = shape.draw(shape.each, &mut dice);
        let view = AgentView {
            kept: [].into(),
            state: AgentState::Online,
            draining: false,
            active: 0,
            max: 1,
            role: Word(0),
            capabilities: capabilities.into_iter().map(|word| (Word(word), dice.score())).collect(),
            idle_since: Position(index as u64),
        };
        situation.put_agent(id, view);
    }
    let classes: Vec<_> = (0..1_000).map(|_| situation.push_class(class(shape, &mut dice))).collect();
    let (mut sums, mut checked, mut best) = (Sums::default(), 0, 0);
    let started = cpu();
    for &id in &classes {
        let class = situation.class(id);
        let column = sums.column(&situation, class);
        let (performances, cohesions) =
            (situation.performances(class.kind), situation.cohesions(class.project));
        let ranks = situation.free().iter().zip(situation.standings()).map(|(&agent, standing)| {
            let at = agent.index();
            standing.with(column[at] + performances[at] + cohesions[at])
        });
        best ^= ranks.max().unwrap_or(0);
    }
    let spent = (cpu() - started).as_secs_f64();
    std::hint::black_box(best);
    for &id in classes.iter().step_by(100) {
        let column = sums.column(&situation, situation.class(id));
        for (at, &part) in column.iter().enumerate() {
            let capability = score::capability(situation.class(id), &situation.agents()[at]);
            assert_eq!(
                part,
                situation.weights().capability.times(capability).as_micros(),
                "the plain formula"
            );
            checked += 1;
        }
    }
    table.add(
        "scoring, (class, agent) pairs",
        per_second(classes.len() as f64 * agents as f64 / spent),
        "100,000,000/s a core",
        &format!(
            "1,000 classes that require {} of {} capabilities, {} agents with {} each; the plain formula gives the same for {} of them",
            shape.required, shape.capabilities, thousands(agents as f64), shape.each, thousands(f64::from(checked))
        ),
    );
}

fn class(shape: &Shape, dice: &mut Dice) -> Class {
    let requires = shape.draw(shape.required, dice);
    Class {
        requires: requires
            .into_iter()
            .map(|word| Requirement { capability: Word(word), weight: Ratio::UNIT, minimum: Ratio::ZERO })
            .collect(),
        kind: Word(0),
        project: None,
        role: None,
        pin: None,
        exclude: Box::default(),
        needs: Box::default(),
    }
}

impl Shape {
    /// Draws so many different capabilities, in order.
    fn draw(&self, count: u64, dice: &mut Dice) -> std::collections::BTreeSet<u32> {
        let mut drawn = std::collections::BTreeSet::new();
        while (drawn.len() as u64) < count {
            drawn.insert(u32::try_from(dice.roll(self.capabilities)).unwrap_or(0));
        }
        drawn
    }

    fn agent(&self, index: usize, dice: &mut Dice) -> AgentSpec {
        let capabilities = self.draw(self.each, dice).into_iter();
        AgentSpec {
            name: agent_name(index),
            role: Name::new("developer").expect("a name"),
            kind: AgentKind::Agent,
            capabilities: capabilities.map(|number| (capability(number), dice.score())).collect(),
            max_concurrent: 1,
            lease: None,
            standby: false,
        }
    }

    fn task(&self, class: usize, dice: &mut Dice) -> TaskSpec {
        let mut spec =
            TaskSpec::titled(Text::filled(&format!("Task of class {class}"), 500).expect("a title"));
        spec.requires = self
            .draw(self.required, dice)
            .into_iter()
            .map(|number| Require {
                capability: capability(number),
                weight: Ratio::UNIT,
                minimum: Ratio::ZERO,
            })
            .collect();
        spec
    }
}

fn capability(number: u32) -> Name {
    Name::new(&format!("capability-{number}")).expect("a name")
}

/// A small generator of numbers that look random (splitmix64), so that every run is the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// Returns a score from 0.5 to 1.
    fn score(&mut self) -> Ratio {
        Ratio::micros(500_000 + u32::try_from(self.roll(500_001)).unwrap_or(0))
    }
}
