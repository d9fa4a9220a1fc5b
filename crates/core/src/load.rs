//! How much each agent has, what of it may be moved, and what balancing gets to see (SEMANTICS 5).

use std::collections::BTreeMap;

use kapell_model::{
    AgentId, Average, BalanceAgent, BalanceTask, BalanceView, Class, ClassId, Moment, Ratio, Span, TaskId,
    limits,
};
use serde::{Deserialize, Serialize};

use crate::mutation::mutated;
use crate::state::State;
use crate::task::Task;

/// What an agent has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Tasks that it owns.
    pub active: u32,
    /// Tasks that it may own.
    pub max: u32,
    /// active / max.
    pub utilization: Ratio,
    /// What is left of the estimates of its tasks, by the progress that was reported.
    pub remaining: Span,
    /// The sum of the complexity of its tasks, each 1 to 5.
    pub complexity: u32,
}

/// How two agents stood when a task went from one to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveLoads {
    /// Tasks and slots of the one that had it, before.
    pub from: (u32, u32),
    /// Tasks and slots of the one that got it, before.
    pub to: (u32, u32),
    /// The average utilization of the active agents.
    pub average: Ratio,
}

impl State {
    /// Returns what an agent has to do; costs time in the number of its tasks.
    ///
    /// # Panics
    /// Where the id does not come from this fleet.
    #[must_use]
    pub fn load(&self, id: AgentId) -> Load {
        let agent = self.agent(id);
        let (mut remaining, mut complexity) = (0_i64, 0);
        for task in agent.tasks.iter().map(|&task| self.task(task)) {
            remaining += Self::remaining(task).0;
            complexity += u32::from(task.spec.complexity_or_middle());
        }
        let (active, max) = self.slots(id);
        let utilization = Ratio::of(u64::from(active), u64::from(max));
        Load { active, max, utilization, remaining: Span(remaining), complexity }
    }

    /// Returns what is left of the estimate of a task, by the progress that was reported.
    pub(crate) fn remaining(task: &Task) -> Span {
        let percent = task.owner.as_ref().map_or(0, |owner| owner.percent.min(100));
        Span(task.estimate.0 / 100 * i64::from(100 - percent))
    }

    fn slots(&self, id: AgentId) -> (u32, u32) {
        let view = self.situation.agent(id);
        (view.active, view.max)
    }

    /// Returns the tasks of an agent, with those that are handed over counted where they go to, and its slots.
    pub(crate) fn slots_to_be(&self, id: AgentId) -> (u32, u32) {
        let (active, max) = self.slots(id);
        (active.saturating_sub(self.situation.leaving(id)), max)
    }

    pub(crate) fn move_loads(&self, from: AgentId, to: AgentId) -> MoveLoads {
        let average = self.situation.loads().average().value();
        MoveLoads { from: self.slots_to_be(from), to: self.slots_to_be(to), average }
    }

    /// Tells whether balancing may take an owned task from its owner: it is not begun, or hardly, nobody has pinned it, it holds
    /// nothing exclusively, and it was not moved just now or too often.
    ///
    /// # Errors
    /// The first reason why it stays.
    pub fn transferable(&self, task: &Task, now: Moment) -> Result<(), String> {
        let policy = &self.policy.balancing;
        let Some(owner) = &task.owner else { return Err(format!("the task is {}", task.state())) };
        if task.is_before_gates() {
            return Err("it is finished and stands before its gates".to_owned());
        }
        if task.wanted().is_some() {
            return Err("its owner waits for leave".to_owned());
        }
        // Work that was sent back has its progress before it is begun again.
        if owner.percent > policy.progress_max {
            return Err(format!("{} % are done, more than {} %", owner.percent, policy.progress_max));
        }
        if self.handoffs.of(task.id).is_some() {
            return Err("it is being handed over".to_owned());
        }
        if task.spec.agent.is_some() {
            return Err("it is pinned to its owner".to_owned());
        }
        if task.moves >= policy.moves_max {
            return Err(format!("it was moved {} times", task.moves));
        }
        if self.reservations.holds_exclusively(task.id) {
            return Err("something is reserved exclusively for it".to_owned());
        }
        match task
            .moved_at
            .map(|at| at.after(policy.cooling))
            .filter(|&until| until > now && !mutated!(BalancingNeverRests))
        {
            Some(_) => Err(format!("it was moved less than {} ago", policy.cooling)),
            None => Ok(()),
        }
    }

    /// Copies what balancing looks at; nothing where nobody has too much or nobody has little. Costs time in the agents with
    /// much and with little and in their tasks, up to bounds.
    #[must_use]
    pub fn balance_view(&self, now: Moment) -> Option<BalanceView> {
        let (loads, policy) = (self.situation.loads(), &self.policy.balancing);
        if !loads.is_uneven(policy) {
            return None;
        }
        let average = loads.average();
        let mut classes = BTreeMap::new();
        let mut agents: BTreeMap<AgentId, BalanceAgent> = BTreeMap::new();
        let donors = loads.ascending().rev().take_while(|&(has, _)| has >= policy.overload_min);
        for (_, id) in donors.take(limits::BALANCE_DONORS_MAX) {
            agents.insert(id, self.balance_agent(id, now, &mut classes));
        }
        let highest = Self::underload_max(average, policy.overload_min);
        let recipients = loads.ascending().take_while(|&(has, _)| has < highest);
        for (_, id) in recipients.take(limits::BALANCE_RECIPIENTS_MAX) {
            agents.entry(id).or_insert_with(|| self.balance_agent(id, now, &mut classes));
        }
        Some(BalanceView {
            seen: self.position,
            policy: policy.clone(),
            average,
            agents: agents.into_values().collect(),
            classes: classes.into_iter().collect(),
        })
    }

    /// Returns below which utilization an agent could come to be underloaded while the average moves: whoever has less than the
    /// average, or than what makes anybody overloaded.
    fn underload_max(average: Average, overload_min: Ratio) -> Ratio {
        average.value().max(overload_min)
    }

    fn balance_agent(
        &self,
        id: AgentId,
        now: Moment,
        classes: &mut BTreeMap<ClassId, Class>,
    ) -> BalanceAgent {
        let mut view = self.situation.agent(id).clone();
        view.active = view.active.saturating_sub(self.situation.leaving(id));
        // Whoever is not overloaded with one task more gives nothing, whatever comes.
        let with_one_more = Ratio::of(u64::from(view.active) + 1, u64::from(view.max));
        let own = self.agent(id).tasks.iter().filter(|_| with_one_more >= self.policy.balancing.overload_min);
        let movable =
            |&task: &TaskId| Some(self.task(task)).filter(|task| self.transferable(task, now).is_ok());
        let mut tasks: Vec<&Task> = own.filter_map(movable).collect();
        tasks.sort_by_key(|task| {
            let owner = task.owner.as_ref();
            (owner.and_then(|owner| owner.started_at.map(|_| owner.percent)), task.queue_key())
        });
        tasks.truncate(limits::BALANCE_TASKS_MAX);
        for task in &tasks {
            classes.entry(task.class).or_insert_with(|| self.situation.class(task.class).clone());
        }
        let tasks = tasks.into_iter().map(|task| BalanceTask {
            task: task.id,
            class: task.class,
            moves_left: self.policy.balancing.moves_max - task.moves,
            packed: self.is_handed_over(task),
        });
        let leaving = self.situation.leaving(id);
        BalanceAgent { agent: id, view, leaving, remaining: self.load(id).remaining, tasks: tasks.collect() }
    }

    /// Returns when the next task of an overloaded agent may be moved again that was moved a short while ago.
    #[must_use]
    pub fn next_cooled(&self, now: Moment) -> Option<Moment> {
        let policy = &self.policy.balancing;
        let average = self.situation.loads().average();
        let overloaded = self.situation.loads().ascending().rev();
        let overloaded = overloaded.take_while(|&(has, _)| policy.is_overloaded(has, average));
        overloaded
            .take(limits::BALANCE_DONORS_MAX)
            .flat_map(|(_, id)| &self.agent(id).tasks)
            .filter_map(|&task| Some(self.task(task).moved_at?.after(policy.cooling)))
            .filter(|&until| until > now)
            .min()
    }
}
