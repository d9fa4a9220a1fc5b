//! Scenarios as text, one step in a line; names stand for themselves.
//!
//! ```text
//! policy threshold=0.5
//! agent  ann 1/2 rust=0.9 since=7 role=reviewer state=offline
//! task   T-1 rust*2>=0.6 docs high start=5 submitted=3 type=bug project=web role=reviewer pin=ann not=bob veto=ann
//! load   ann 0/2                           an agent's slots change
//! state  ann online
//! finish T-1
//! refuse T-1                                the core drops the next placement of T-1
//! round  T-1:ann T-2:bob                     what is placed, in this order; `-` is nothing
//! ```

use std::collections::BTreeMap;

use kapell_model::{
    AgentId, AgentState, Moment, Placer, Policy, Position, Priority, QueueKey, Ratio, Requirement, TaskId,
    Word,
};
use kapell_plan::Greedy;

use super::{World, agent, class};

/// Runs a scenario, and panics with its line where it goes otherwise than written.
pub fn run(text: &str) {
    let mut stage = Stage::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        stage.step(line);
    }
}

pub struct Stage {
    pub world: World,
    greedy: Greedy,
    policy: Policy,
    words: BTreeMap<String, Word>,
    agents: BTreeMap<String, AgentId>,
    refused: Vec<TaskId>,
}

impl Stage {
    pub fn new() -> Self {
        let policy = Policy::default();
        Self {
            world: World::new(&policy),
            greedy: Greedy::new(),
            policy,
            words: BTreeMap::from([("".to_owned(), Word(0))]),
            agents: BTreeMap::new(),
            refused: Vec::new(),
        }
    }

    pub fn step(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').expect("a verb and more");
        let fields = rest.split_whitespace().collect::<Vec<_>>();
        match verb {
            "policy" => self.policy(&fields),
            "agent" => self.agent(&fields),
            "task" => self.task(&fields),
            "load" => self.load(&fields),
            "state" => {
                let state = AgentState::parse(fields[1]).expect("a state");
                self.world.situation.set_agent_state(self.agents[fields[0]], state);
            }
            "finish" => {
                let task = fields[0].parse().expect("a task");
                let at = self.world.running.iter().position(|(running, _)| *running == task);
                self.world.finish(at.expect("the task runs"));
            }
            "refuse" => self.refused.push(fields[0].parse().expect("a task")),
            "round" => assert_eq!(self.round(), rest.trim(), "{line}"),
            _ => panic!("unknown verb in {line}"),
        }
    }

    pub fn agent_id(&self, name: &str) -> AgentId {
        self.agents[name]
    }

    fn policy(&mut self, fields: &[&str]) {
        for field in fields {
            match field.split_once('=').expect("key=value") {
                ("threshold", value) => self.policy.threshold = ratio(value),
                _ => panic!("unknown policy field {field}"),
            }
        }
        self.world.situation.set_policy(&self.policy);
    }

    fn agent(&mut self, fields: &[&str]) {
        let (active, max) = slots(fields[1]);
        let mut view = agent(active, max);
        let mut capabilities = Vec::new();
        for field in &fields[2..] {
            match field.split_once('=').expect("key=value") {
                ("since", value) => view.idle_since = Position(value.parse().expect("a position")),
                ("role", value) => view.role = self.word(value),
                ("state", value) => view.state = AgentState::parse(value).expect("a state"),
                (name, value) => capabilities.push((self.word(name), ratio(value))),
            }
        }
        capabilities.sort_unstable();
        view.capabilities = capabilities.into();
        let id = self.world.add_agent(view);
        self.agents.insert(fields[0].to_owned(), id);
    }

    fn load(&mut self, fields: &[&str]) {
        let id = self.agents[fields[0]];
        let mut view = self.world.situation.agent(id).clone();
        (view.active, view.max) = slots(fields[1]);
        self.world.situation.put_agent(id, view);
    }

    fn task(&mut self, fields: &[&str]) {
        let task = fields[0].parse::<TaskId>().expect("a task");
        let mut key =
            QueueKey { priority: Priority::Medium, latest_start: Moment::NEVER, submitted: Moment(0), task };
        let mut class = class(&[]);
        let (mut requires, mut veto) = (Vec::new(), None);
        for field in &fields[1..] {
            if let Some(priority) = Priority::parse(field) {
                key.priority = priority;
                continue;
            }
            match field.split_once('=').filter(|(name, _)| !name.ends_with('>')) {
                Some(("start", value)) => key.latest_start = Moment(value.parse().expect("a moment")),
                Some(("submitted", value)) => key.submitted = Moment(value.parse().expect("a moment")),
                Some(("type", value)) => class.kind = self.word(value),
                Some(("project", value)) => class.project = Some(self.word(value)),
                Some(("role", value)) => class.role = Some(self.word(value)),
                Some(("pin", value)) => class.pin = Some(self.agents[value]),
                Some(("not", value)) => {
                    class.exclude = value.split(',').map(|name| self.agents[name]).collect();
                }
                Some(("veto", value)) => veto = Some(self.agents[value]),
                Some(_) => panic!("unknown task field {field}"),
                None => requires.push(self.requirement(field)),
            }
        }
        requires.sort_unstable_by_key(|requirement: &Requirement| requirement.capability);
        class.requires = requires.into();
        let id = self.world.class(class);
        self.world.submit(id, key, veto);
    }

    /// Reads `name`, `name*weight`, `name>=minimum` or `name*weight>=minimum`.
    fn requirement(&mut self, field: &str) -> Requirement {
        let (field, minimum) =
            field.split_once(">=").map_or((field, Ratio::ZERO), |(field, least)| (field, ratio(least)));
        let (name, weight) = field.split_once('*').unwrap_or((field, "1"));
        let weight = weight.parse::<f64>().expect("a weight") * f64::from(Ratio::UNIT);
        Requirement { capability: self.word(name), weight: weight.round() as u32, minimum }
    }

    fn word(&mut self, name: &str) -> Word {
        let next = Word(self.words.len() as u32);
        *self.words.entry(name.to_owned()).or_insert(next)
    }

    fn round(&mut self) -> String {
        let mut shown = Vec::new();
        self.greedy.begin(&self.world.situation);
        while let Some(placement) = self.greedy.next(&self.world.situation) {
            assert_eq!(placement.considered[0].agent, placement.agent, "the chosen one stands first");
            if let Some(at) = self.refused.iter().position(|task| *task == placement.task) {
                self.refused.remove(at);
                shown.push(format!("({})", placement.task));
                continue;
            }
            self.world.place(self.world.key(placement.task), placement.agent);
            let name = self.agents.iter().find(|(_, id)| **id == placement.agent).expect("a known agent").0;
            shown.push(format!("{}:{name}", placement.task));
        }
        self.world.situation.settle();
        if shown.is_empty() { "-".to_owned() } else { shown.join(" ") }
    }
}

pub fn ratio(text: &str) -> Ratio {
    Ratio::from_decimal(text.parse().expect("a number")).expect("a number in [0,1]")
}

fn slots(text: &str) -> (u32, u32) {
    let (active, max) = text.split_once('/').expect("active/max");
    (active.parse().expect("a count"), max.parse().expect("a count"))
}
