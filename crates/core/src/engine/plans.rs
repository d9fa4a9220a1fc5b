//! Plans that come back from beside the writer: each item is judged against what is so by then, and what falls away is
//! recorded with its reason (SEMANTICS 16).

use std::collections::BTreeMap;

use kapell_model::{
    AgentId, Average, Excerpt, Moment, MoveSeen, Placement, Placer, Plan, PlanItem, PlanKind, Position,
    Ratio, StartedWork, Strategy, TaskState, fit, relieves,
};

use super::{Engine, Step};
use crate::decide::agents::own_text;
use crate::event::{Decision, Dropped, Event, MoveCause};
use crate::handoff::HandoffCause;
use crate::load::MoveLoads;
use crate::state::State;
use crate::task::Task;

impl<P: Placer> Engine<P> {
    /// Returns what the next optimal round has to look at, with the last event that is in it, where the policy wants such
    /// rounds and something has changed since the last one was taken.
    /// What it plans comes back as [`ApplyPlan`](crate::Command::ApplyPlan).
    pub fn take_round(&mut self) -> Option<(Excerpt, Position)> {
        let taken = std::mem::take(&mut self.round_wanted) && self.state.policy.strategy == Strategy::Optimal;
        taken.then(|| (self.state.situation.excerpt(), self.state.position))
    }

    /// Tells whether a plan has anything to say: it places something, or a critical task waits to hear that it does not.
    #[must_use]
    pub fn is_worth_applying(&self, plan: &Plan) -> bool {
        !plan.items.is_empty() || (plan.kind == PlanKind::Optimal && !self.state.critical_arrivals.is_empty())
    }

    /// Carries out what of a plan still fits what is so, and records what fell away.
    pub(super) fn apply_plan(&mut self, step: &mut Step<'_>, plan: &Plan) {
        let (mut applied, mut dropped) = (0, Vec::new());
        // Taken once, as in a round: what the plan itself moves does not make the rest of it stale.
        let before = self.state.loads_before(plan);
        for item in &plan.items {
            let mut events = Vec::new();
            if let Some((closed, reason)) = self.state.closed_by(item) {
                dropped.push(Dropped { task: item.task(), agent: item.agent(), reason: own_text(&reason) });
                self.emit(step, closed);
                continue;
            }
            if let PlanItem::Place(planned) = item
                && plan.kind == PlanKind::Optimal
                && let Some(kept) = self.rather(planned)
            {
                applied += 1;
                self.emit(step, kept);
                continue;
            }
            let judged = self.state.judge_item(plan.kind, item, step.at, &before, &mut events);
            let judged = judged.and_then(|()| self.state.not_just_given_back(item, plan.seen));
            let judged = judged.and_then(|()| self.score_anew(&mut events));
            match judged {
                Ok(()) => {
                    applied += 1;
                    events.into_iter().for_each(|event| self.emit(step, event));
                }
                Err(reason) => {
                    dropped.push(Dropped {
                        task: item.task(),
                        agent: item.agent(),
                        reason: own_text(&reason),
                    });
                }
            }
        }
        self.emit(step, Event::PlanApplied { kind: plan.kind, seen: plan.seen, applied, dropped });
        if plan.kind == PlanKind::Optimal {
            // What it placed may have lifted a veto, what fell away may go elsewhere, and its size has a bound: only an empty
            // round is the last, and only that says that there is nobody for a critical task.
            if plan.items.is_empty() && !self.let_go_for_critical(step) {
                self.escalate(step, Some(plan.seen));
            } else {
                self.round_wanted = true;
            }
        }
    }

    /// Brings the score of what was planned some time ago up to date; a placement below the threshold falls away, and so does a
    /// move to somebody whose capability does not match well enough.
    fn score_anew(&mut self, planned: &mut [Event]) -> Result<(), String> {
        let (task, agent, considered, moves) = match planned.first_mut() {
            Some(Event::TaskAssigned { task, agent, considered, .. }) => (*task, *agent, considered, false),
            Some(
                Event::TaskMoved { task, agent, considered, .. }
                | Event::HandoffRequested { task, to: agent, considered, .. },
            ) => (*task, *agent, considered, true),
            _ => return Ok(()),
        };
        let class = self.state.task(task).class;
        let now = self.placer.consider(&self.state.situation, class, agent);
        let (score, threshold) = (now.parts.total, self.state.situation.threshold());
        let (fitness, least) = (now.parts.capability, self.state.policy.balancing.match_min);
        if !moves && score <= threshold {
            return Err(format!("its score is {score} by now, not above {threshold}"));
        }
        if moves && fitness <= least {
            return Err(format!("its capability match is {fitness} by now, not above {least}"));
        }
        considered.retain(|other| other.agent != agent);
        considered.insert(0, now);
        Ok(())
    }
}

impl State {
    /// Refuses a placement with an agent that has had the task, and lost it, since the plan was made: the next round knows.
    fn not_just_given_back(&self, item: &PlanItem, seen: Position) -> Result<(), String> {
        let task = self.task(item.task());
        let placed = matches!(item, PlanItem::Place(_));
        if placed && task.failed_by == Some(item.agent()) && task.changed > seen {
            return Err("it has just had the task and does not have it any more".to_owned());
        }
        Ok(())
    }

    /// Returns the closing of the budget that an item of a plan would pass, where the rest of it fits.
    fn closed_by(&self, item: &PlanItem) -> Option<(Event, String)> {
        let task = self.tasks.get(item.task())?;
        let agent = self.agents.get(item.agent().index())?.id;
        let (of, closing) = match item {
            PlanItem::Place(_) if task.state() == TaskState::Ready => self.over_budget(task, agent)?,
            PlanItem::Move { .. } if task.owner.is_some() => self.over_budget_to(task, agent)?,
            _ => return None,
        };
        if self.ledger(&of).is_some_and(|ledger| ledger.closed.is_some()) {
            return None;
        }
        let reason = self.closing_text(&of, &closing);
        Some((Event::BudgetClosed { of, closing }, reason))
    }

    /// Judges one item of a plan; puts what follows into `out`, or says why it falls away.
    fn judge_item(
        &self,
        kind: PlanKind,
        item: &PlanItem,
        now: Moment,
        before: &LoadsBefore,
        out: &mut Vec<Event>,
    ) -> Result<(), String> {
        let task = self.tasks.get(item.task()).ok_or("there is no such task")?;
        if matches!(item, PlanItem::Place(_)) && self.is_held_back() {
            return Err("assignments are held back".to_owned());
        }
        let agent = self.agents.get(item.agent().index()).ok_or("there is no such agent")?;
        match item {
            PlanItem::Place(_) if task.state() != TaskState::Ready => {
                return Err(format!("the task is {}", task.state()));
            }
            PlanItem::Move { from, .. } if task.owner.as_ref().is_none_or(|owner| owner.agent != *from) => {
                return Err(format!("the task is {} and not that agent's any more", task.state()));
            }
            _ => {}
        }
        let fits = fit(self.situation.class(task.class), agent.id, self.situation.agent(agent.id));
        fits.map_err(|unfit| self.unfit_text(agent.id, unfit))?;
        let over = match item {
            PlanItem::Place(_) => self.over_budget(task, agent.id),
            PlanItem::Move { .. } => self.over_budget_to(task, agent.id),
        };
        if let Some((of, closing)) = over {
            return Err(self.closing_text(&of, &closing));
        }
        let obstacle = match item {
            PlanItem::Place(_) => self.obstacle_for(task.id, agent.id),
            PlanItem::Move { .. } if self.reservations.holds_exclusively(task.id) => {
                return Err("something is reserved exclusively for it".to_owned());
            }
            PlanItem::Move { .. } => self.obstacle_to_move(task.id, agent.id),
        };
        if let Some(obstacle) = obstacle {
            return Err(self.resource_held(&obstacle, self.at).to_string());
        }
        if let (PlanKind::Balance, PlanItem::Move { from, to, seen, .. }) = (kind, item) {
            self.transferable(task, now)?;
            let loads = self.move_loads(*from, *to);
            if !before.are_as_seen(*from, *to, seen) {
                self.still_uneven(&loads, before.average)?;
            }
            if !relieves(loads.from, loads.to) {
                return Err("it would not make the larger utilization smaller any more".to_owned());
            }
        }
        match item {
            PlanItem::Place(Placement { considered, .. }) => {
                out.push(self.assigned_event(task.id, agent.id, Decision::Placed, considered.clone()));
            }
            PlanItem::Move { to, considered, .. } if self.is_handed_over(task) => {
                let cause = HandoffCause::Balancing;
                self.hand_over(now, task, *to, cause, None, considered.clone(), out);
            }
            PlanItem::Move { to, considered, .. } => {
                self.move_task(task, *to, MoveCause::Balancing, None, considered.clone(), out);
            }
        }
        Ok(())
    }

    /// Tells whether balancing moves a task by a supervised handoff: it has been begun, and the policy wants that.
    pub(crate) fn is_handed_over(&self, task: &Task) -> bool {
        let begun = task.owner.as_ref().is_some_and(|owner| owner.started_at.is_some());
        begun && self.policy.handoffs.started == StartedWork::Handoff
    }

    /// Refuses a move where one has no longer too much, or the other no longer too little (SEMANTICS 5).
    fn still_uneven(&self, loads: &MoveLoads, average: Average) -> Result<(), String> {
        let policy = &self.policy.balancing;
        let utilization = |(active, max): (u32, u32)| Ratio::of(u64::from(active), u64::from(max));
        let (has, other) = (utilization(loads.from), utilization(loads.to));
        let on_average = average.value();
        if !policy.is_overloaded(has, average) {
            return Err(format!("its owner is not overloaded by now: {has}, {on_average} on average"));
        }
        if !policy.is_underloaded(other, average) {
            return Err(format!("that agent is not underloaded by now: {other}, {on_average} on average"));
        }
        Ok(())
    }

    /// Returns how those stand whom a plan of moves is about, before any of it is carried out.
    fn loads_before(&self, plan: &Plan) -> LoadsBefore {
        let mut agents = BTreeMap::new();
        for item in &plan.items {
            if let PlanItem::Move { from, to, .. } = item {
                for &id in [from, to].into_iter().filter(|id| self.agents.get(id.index()).is_some()) {
                    agents.entry(id).or_insert_with(|| self.slots_to_be(id));
                }
            }
        }
        LoadsBefore { average: self.situation.loads().average(), agents }
    }
}

/// How the fleet stands before a plan is carried out.
struct LoadsBefore {
    average: Average,
    /// Tasks and slots of those that its moves are about.
    agents: BTreeMap<AgentId, (u32, u32)>,
}

impl LoadsBefore {
    /// Tells whether what the plan of a move began with still holds. A plan takes several rounds, each with an average of its
    /// own, and a task that a later one would hand on goes there at once: so its moves are no longer uneven one by one.
    fn are_as_seen(&self, from: AgentId, to: AgentId, seen: &MoveSeen) -> bool {
        let is = |id, load| self.agents.get(&id) == Some(&load);
        self.average == seen.average && is(from, seen.from) && is(to, seen.to)
    }
}
