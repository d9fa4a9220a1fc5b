//! A fleet without rules: it does to the situation what the core does, and nothing else.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod scenario;

use std::collections::BTreeMap;

use kapell_model::{
    AgentId, AgentState, AgentView, Class, ClassId, Placement, Placer, Policy, Position, QueueKey, Ratio,
    Requirement, Situation, TaskId, Word,
};
use kapell_plan::{Greedy, candidate};

/// A situation with what the core would know beside it.
#[derive(Clone)]
pub struct World {
    pub situation: Situation,
    pub classes: Vec<Class>,
    pub waiting: BTreeMap<QueueKey, ClassId>,
    pub running: Vec<(TaskId, AgentId)>,
    pub position: u64,
}

impl World {
    pub fn new(policy: &Policy) -> Self {
        Self {
            situation: Situation::new(policy),
            classes: Vec::new(),
            waiting: BTreeMap::new(),
            running: Vec::new(),
            position: 0,
        }
    }

    pub fn class(&mut self, class: Class) -> ClassId {
        if let Some(at) = self.classes.iter().position(|known| *known == class) {
            return ClassId(at as u32);
        }
        self.classes.push(class.clone());
        self.situation.push_class(class)
    }

    pub fn add_agent(&mut self, view: AgentView) -> AgentId {
        let id = AgentId(self.situation.agents().len() as u32);
        self.situation.put_agent(id, view);
        id
    }

    pub fn submit(&mut self, class: ClassId, key: QueueKey, veto: Option<AgentId>) {
        self.waiting.insert(key, class);
        self.situation.enqueue(class, key, veto);
    }

    pub fn cancel(&mut self, key: QueueKey) {
        let class = self.waiting.remove(&key).expect("the task waits");
        self.situation.dequeue(class, &key);
    }

    /// Ends the `at`th running task and gives its slot back.
    pub fn finish(&mut self, at: usize) -> AgentId {
        let (_, agent) = self.running.remove(at);
        self.position += 1;
        self.situation.give_slot(agent, Position(self.position));
        agent
    }

    pub fn place(&mut self, key: QueueKey, agent: AgentId) {
        let class = self.waiting.remove(&key).expect("the task waits");
        self.situation.dequeue(class, &key);
        self.situation.take_slot(agent);
        self.running.push((key.task, agent));
    }

    pub fn key(&self, task: TaskId) -> QueueKey {
        *self.waiting.keys().find(|key| key.task == task).expect("the task waits")
    }

    /// Runs one round the way the engine does, in as many steps as it takes, and settles.
    pub fn round(&mut self, greedy: &mut Greedy) -> Vec<Placement> {
        let mut placements = Vec::new();
        while !self.step(greedy, usize::MAX, &mut placements) {}
        placements
    }

    /// Runs one step of a round with at most so many placements, and tells whether the round is over.
    pub fn step(&mut self, greedy: &mut Greedy, most: usize, placements: &mut Vec<Placement>) -> bool {
        greedy.begin(&self.situation);
        for _ in 0..most {
            let Some(placement) = greedy.next(&self.situation) else { break };
            self.place(self.key(placement.task), placement.agent);
            placements.push(placement);
        }
        if greedy.is_under_way() {
            self.situation.pause();
            return false;
        }
        self.situation.settle();
        true
    }

    /// The reference: every task in the order of the queue, against every agent.
    pub fn naive_round(&mut self) -> Vec<(TaskId, AgentId)> {
        let mut placements = Vec::new();
        for (key, class) in self.waiting.clone() {
            let above =
                self.ranked(class).into_iter().filter(|(_, total)| *total > self.situation.threshold());
            let above = above.map(|(agent, _)| agent).collect::<Vec<_>>();
            let veto = self.situation.veto(key.task);
            let other = above.iter().find(|&&agent| Some(agent) != veto);
            if let Some(&agent) = other.or(above.first()) {
                self.place(key, agent);
                placements.push((key.task, agent));
            }
        }
        self.situation.settle();
        placements
    }

    /// Every candidate with its total, best first, by the plain formula.
    pub fn ranked(&self, class: ClassId) -> Vec<(AgentId, Ratio)> {
        let mut ranked = Vec::new();
        for index in 0..self.situation.agents().len() {
            let id = AgentId(index as u32);
            if let Ok(parts) = candidate(&self.situation, &self.classes[class.index()], id) {
                ranked.push((id, parts.total));
            }
        }
        ranked.sort_by_key(|&(id, total)| {
            let agent = self.situation.agent(id);
            (std::cmp::Reverse(total), agent.active, agent.idle_since, id)
        });
        ranked
    }
}

pub fn pairs(placements: &[Placement]) -> Vec<(TaskId, AgentId)> {
    placements.iter().map(|placement| (placement.task, placement.agent)).collect()
}

/// A class that requires `requires`, and nothing else.
pub fn class(requires: &[Requirement]) -> Class {
    Class {
        requires: requires.into(),
        kind: Word(0),
        project: None,
        role: None,
        pin: None,
        exclude: Box::default(),
        needs: Box::default(),
    }
}

/// An idle agent without capabilities.
pub fn agent(active: u32, max: u32) -> AgentView {
    AgentView {
        state: AgentState::Online,
        draining: false,
        active,
        max,
        role: Word(0),
        capabilities: [].into(),
        kept: [].into(),
        idle_since: Position(0),
    }
}
