//! Balancing (SEMANTICS 5): work goes from the overloaded to the underloaded, until nobody is overloaded or nothing can go.
//!
//! # Rulings
//! - Rounds are repeated, each with the average of its beginning, until one moves nothing. So what a plan leaves behind
//!   is at rest: looked at again, whatever the time, it gives an empty plan.
//! - Who has most gives first; of its tasks the ones that are not begun, most urgent first, then those with least done.
//! - Of recipients with the same capability match the least utilized one takes it, then the one with least left to do.
//! - A task that a later round would hand on goes there at once: it moves once in a plan, or not at all.
//!
//! # Why it ends
//! Each move makes the larger of two utilizations strictly smaller, so the utilizations of all, sorted from the largest
//! down, become smaller with each move as words do in a dictionary. There are finitely many of them.

use std::collections::BTreeMap;

use kapell_model::{
    Average, BalanceAgent, BalanceTask, BalanceView, Class, ClassId, MoveSeen, Plan, PlanItem, PlanKind,
    Ratio, able, limits, relieves,
};

use crate::score;

/// Proposes moves. The same view gives the same plan.
#[must_use]
pub fn balance(view: &BalanceView) -> Plan {
    let mut table = Table::new(view);
    while table.items.len() < limits::PLAN_ITEMS_MAX && table.round() {}
    let load = |agent: &BalanceAgent| (agent.view.active, agent.view.max);
    let items = table.items.iter().filter(|item| item.from != item.to).map(|item| {
        let (from, to) = (&view.agents[item.from], &view.agents[item.to]);
        PlanItem::Move {
            task: item.task,
            from: from.agent,
            to: to.agent,
            considered: Vec::new(),
            seen: MoveSeen { average: view.average, from: load(from), to: load(to) },
        }
    });
    Plan { kind: PlanKind::Balance, seen: view.seen, items: items.collect() }
}

/// A move, by the places of the agents in the view.
struct Move {
    task: kapell_model::TaskId,
    from: usize,
    to: usize,
}

/// The fleet as it becomes.
struct Table<'a> {
    view: &'a BalanceView,
    classes: BTreeMap<ClassId, &'a Class>,
    /// Tasks and slots of each.
    loads: Vec<(u32, u32)>,
    /// Slots of each that what it hands over takes until it is packed.
    leaving: Vec<u32>,
    /// What each may give away.
    tasks: Vec<Vec<BalanceTask>>,
    /// Who could take tasks of a class well enough, best first.
    matches: BTreeMap<ClassId, Vec<(Ratio, usize)>>,
    items: Vec<Move>,
    /// Where the move of a task stands.
    planned: BTreeMap<kapell_model::TaskId, usize>,
    sum: u64,
}

impl<'a> Table<'a> {
    fn new(view: &'a BalanceView) -> Self {
        Self {
            view,
            classes: view.classes.iter().map(|(id, class)| (*id, class)).collect(),
            loads: view.agents.iter().map(|agent| (agent.view.active, agent.view.max)).collect(),
            leaving: view.agents.iter().map(|agent| agent.leaving).collect(),
            tasks: view.agents.iter().map(|agent| agent.tasks.clone()).collect(),
            matches: BTreeMap::new(),
            items: Vec::new(),
            planned: BTreeMap::new(),
            sum: view.average.sum,
        }
    }

    /// Lets everybody who is overloaded give; returns whether anything has moved.
    fn round(&mut self) -> bool {
        let average = Average { sum: self.sum, agents: self.view.average.agents };
        let policy = &self.view.policy;
        let overloaded = |&index: &usize| policy.is_overloaded(self.utilization(index), average);
        let mut donors: Vec<usize> = (0..self.loads.len()).filter(overloaded).collect();
        donors.sort_by_key(|&index| (std::cmp::Reverse(self.utilization(index)), index));
        let mut moved = false;
        for donor in donors {
            moved |= self.relieve(donor, average);
        }
        moved
    }

    /// Lets one give until it is not overloaded any more. What finds nobody now finds nobody later in its turn: the others
    /// only get more, and it has less.
    fn relieve(&mut self, donor: usize, average: Average) -> bool {
        let mut kept = Vec::new();
        let mut moved = false;
        for task in std::mem::take(&mut self.tasks[donor]) {
            let wants = self.view.policy.is_overloaded(self.utilization(donor), average)
                && self.items.len() < limits::PLAN_ITEMS_MAX;
            match if wants { self.recipient(donor, task.class, average) } else { None } {
                Some(recipient) => {
                    self.give(task, donor, recipient);
                    moved = true;
                }
                None => kept.push(task),
            }
        }
        self.tasks[donor].extend(kept);
        moved
    }

    fn give(&mut self, task: BalanceTask, from: usize, to: usize) {
        self.sum -= u64::from(self.utilization(from).as_micros() + self.utilization(to).as_micros());
        self.loads[from].0 -= 1;
        self.loads[to].0 += 1;
        self.sum += u64::from(self.utilization(from).as_micros() + self.utilization(to).as_micros());
        if let Some(&item) = self.planned.get(&task.task) {
            self.items[item].to = to;
        } else {
            self.leaving[from] += u32::from(task.packed);
            self.planned.insert(task.task, self.items.len());
            self.items.push(Move { task: task.task, from, to });
        }
        if task.moves_left > 1 {
            // What has only just come goes before what was there: it has not left its owner yet.
            self.tasks[to].insert(0, task);
        }
    }

    /// Returns the best match among the underloaded that have room and would not be worse off than the donor is.
    fn recipient(&mut self, donor: usize, class: ClassId, average: Average) -> Option<usize> {
        self.match_class(class);
        let matches = self.matches.get(&class)?;
        let free = |&index: &usize| {
            let load = self.loads[index];
            index != donor
                && load.0 + self.leaving[index] < load.1
                && self.view.policy.is_underloaded(self.utilization(index), average)
                && relieves(self.loads[donor], load)
        };
        let mut rest = matches.as_slice();
        while let Some(&(best, _)) = rest.first() {
            let equals = rest.iter().take_while(|(capability, _)| *capability == best);
            let count = equals.clone().count();
            let chosen = equals
                .map(|&(_, index)| index)
                .filter(free)
                .min_by_key(|&index| (self.utilization(index), self.view.agents[index].remaining, index));
            if chosen.is_some() {
                return chosen;
            }
            rest = &rest[count..];
        }
        None
    }

    fn match_class(&mut self, id: ClassId) {
        let Some(&class) = self.classes.get(&id).filter(|_| !self.matches.contains_key(&id)) else { return };
        let fits = |(index, agent): (usize, &BalanceAgent)| {
            able(class, agent.agent, &agent.view).ok()?;
            Some((score::capability(class, &agent.view), index))
        };
        let mut found: Vec<(Ratio, usize)> = self.view.agents.iter().enumerate().filter_map(fits).collect();
        found.retain(|&(capability, _)| capability > self.view.policy.match_min);
        found.sort_by_key(|&(capability, index)| (std::cmp::Reverse(capability), index));
        self.matches.insert(id, found);
    }

    fn utilization(&self, index: usize) -> Ratio {
        let (active, max) = self.loads[index];
        Ratio::of(u64::from(active), u64::from(max))
    }
}

#[cfg(test)]
mod tests {
    use kapell_model::{
        AgentId, AgentState, AgentView, Balancing, Position, Requirement, Span, TaskId, Word,
    };

    use super::*;

    /// Builds a view of agents by (active, max, score), each with `active` tasks that need the one capability.
    fn view(agents: &[(u32, u32, u32)]) -> BalanceView {
        let mut next = 0;
        let mut sum = 0;
        let agents: Vec<BalanceAgent> = (0..)
            .zip(agents)
            .map(|(id, &(active, max, score))| {
                sum += u64::from(Ratio::of(u64::from(active), u64::from(max)).as_micros());
                let tasks = (0..active).map(|_| {
                    next += 1;
                    BalanceTask { task: TaskId(next), class: ClassId(0), moves_left: 2, packed: false }
                });
                BalanceAgent {
                    agent: AgentId(id),
                    leaving: 0,
                    tasks: tasks.collect(),
                    view: AgentView {
                        state: AgentState::Online,
                        draining: false,
                        active,
                        max,
                        role: Word(0),
                        capabilities: [(Word(1), Ratio::micros(score))].into(),
                        kept: [].into(),
                        idle_since: Position(0),
                    },
                    remaining: Span(0),
                }
            })
            .collect();
        let average = Average { sum, agents: agents.len() as u64 };
        let requirement = Requirement { capability: Word(1), weight: Ratio::UNIT, minimum: Ratio::ZERO };
        let class = Class {
            requires: Box::new([requirement]),
            kind: Word(0),
            project: None,
            role: None,
            pin: None,
            exclude: Box::new([]),
            needs: Box::new([]),
        };
        let policy = Balancing::default();
        BalanceView { seen: Position(7), policy, average, agents, classes: vec![(ClassId(0), class)] }
    }

    fn planned(agents: &[(u32, u32, u32)]) -> Vec<(u32, u32, u32)> {
        let item = |item: &PlanItem| match item {
            PlanItem::Move { task, from, to, .. } => (task.0, from.0, to.0),
            PlanItem::Place(_) => unreachable!("balancing places nothing"),
        };
        balance(&view(agents)).items.iter().map(item).collect()
    }

    #[test]
    fn it_stops_when_the_donor_is_not_overloaded_any_more() {
        // The average is 1/3; 0.5 is not above 0.5.
        assert_eq!(planned(&[(4, 4, 900_000), (0, 4, 900_000), (0, 4, 900_000)]), [(1, 0, 1), (2, 0, 2)]);
    }

    #[test]
    fn the_match_must_exceed_seven_tenths_and_the_best_one_takes_it() {
        assert_eq!(planned(&[(2, 2, 0), (0, 2, 700_000)]), []);
        assert_eq!(planned(&[(2, 2, 0), (0, 2, 700_001)]), [(1, 0, 1)]);
        assert_eq!(planned(&[(2, 2, 0), (0, 2, 800_000), (0, 2, 900_000)])[0], (1, 0, 2));
    }

    #[test]
    fn a_slot_that_is_not_free_yet_takes_nothing() {
        let agents = [(4, 4, 900_000), (0, 2, 950_000), (0, 4, 900_000)];
        let mut seen = view(&agents);
        seen.agents[1].leaving = 2;
        let to = |plan: &Plan| plan.items.iter().map(PlanItem::agent).collect::<Vec<_>>();
        assert_eq!(to(&balance(&view(&agents))), [AgentId(1), AgentId(2)]);
        assert_eq!(to(&balance(&seen)), [AgentId(2)]);
    }

    #[test]
    fn two_do_not_only_change_places() {
        assert_eq!(planned(&[(1, 1, 900_000), (0, 1, 900_000)]), []);
        assert_eq!(planned(&[(2, 2, 900_000), (0, 1, 900_000)]), [], "1.0 would go, 1.0 would come");
    }

    #[test]
    fn what_would_be_handed_on_goes_there_at_once() {
        // Agent 1 is the best match, and with one of two tasks it is overloaded itself beside so many idle ones.
        let agents = [(4, 4, 0), (0, 2, 900_000), (0, 9, 800_000), (0, 9, 800_000), (0, 9, 800_000)];
        let found = planned(&agents);
        assert!(found.iter().all(|&(_, from, to)| from == 0 && to != 1), "{found:?}");
        let mut tasks: Vec<u32> = found.iter().map(|&(task, _, _)| task).collect();
        tasks.dedup();
        assert_eq!(tasks.len(), found.len(), "each once");
    }
}
