//! What members say about what comes first, and how it is ruled where they differ (SEMANTICS 7, `PRIORITY_CONFLICT`).

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::{
    AgentId, ConflictId, DependencyKind, Moment, Name, Priority, Span, TaskId, TaskState, Text, limits,
};

use super::tasks::OPEN;
use super::{invalid, require_state};
use crate::command::TaskRef;
use crate::conflict::{Conflict, Ruler};
use crate::decide::agents::own_text;
use crate::edit::TaskEdit;
use crate::engine::Reply;
use crate::event::Event;
use crate::impact::{Impact, asked_by, earned};
use crate::notice::NoticeKind;
use crate::precedence::{Ranking, Voice};
use crate::rejection::Rejection;
use crate::state::State;
use crate::task::Task;
use crate::ways::between;

impl State {
    /// Takes what a member says about the priority of a task. Where others say otherwise, the business impact rules at once.
    pub(super) fn assert_priority(
        &self,
        now: Moment,
        reference: &TaskRef,
        agent: Option<&Name>,
        priority: Priority,
        reason: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        let by = self.voice_of(agent)?;
        require_state(task, "asserting a priority", OPEN)?;
        let asserted = task.conflicts.as_ref().map_or(&[][..], |conflicts| &conflicts.asserted);
        let known = asserted.iter().find(|said| said.by == by);
        if known.is_some_and(|said| said.priority == priority) {
            return Ok(Reply { conflict: self.last_precedence(task), ..Reply::about(task.id) });
        }
        if known.is_none() && asserted.len() >= limits::ASSERTIONS_PER_TASK_MAX {
            let limit = limits::ASSERTIONS_PER_TASK_MAX;
            return Err(Rejection::LimitExceeded { what: "assertions about the priority of a task", limit });
        }
        let (id, reason) = (task.id, reason.clone());
        out.push(Event::PriorityAsserted { task: id, by, priority, reason });
        let others = asserted.iter().filter(|said| said.by != by).map(|said| (Some(said.by), said.priority));
        let given = task.given_priority();
        let said: Vec<_> = [(None, given)].into_iter().chain(others).chain([(Some(by), priority)]).collect();
        let levels: BTreeSet<Priority> = said.iter().map(|&(_, priority)| priority).collect();
        if levels.len() == 1 {
            // What was ruled is over where nobody says otherwise any more.
            if given != task.spec.priority {
                out.push(at_level(id, given, given));
            }
            return Ok(Reply::about(id));
        }
        let words: Vec<Priority> = said.iter().map(|&(_, priority)| priority).collect();
        let impact = self.impact(task, &words, now);
        let typical = self.typical();
        let level = earned(&levels, impact.wsjf, typical);
        let asks = levels.iter().map(|&level| format!("{level} asks for {}", asked_by(level, typical)));
        let asks = asks.collect::<Vec<_>>().join(", ");
        let level_text = level.map_or("as it was", Priority::as_str);
        let text = format!("{id} is {level_text}: {}; {asks}", impact.text());
        let said = said.into_iter().map(|(by, priority)| Voice::Priority { by, priority }).collect();
        let ranking = Ranking { order: vec![impact], priority: level, typical, carried: Vec::new() };
        let conflict = self.put_ruling(Some(by), said, ranking, &text, out);
        let changed = level.filter(|&level| level != task.spec.priority || level != task.priority);
        out.extend(changed.map(|level| at_level(id, level, given)));
        Ok(Reply { conflict: Some(conflict), ..Reply::about(id) })
    }

    /// Takes what a member says about the order of two tasks. Where orders contradict, the business impact rules at once.
    pub(super) fn assert_order(
        &self,
        now: Moment,
        (first, then): (&TaskRef, &TaskRef),
        agent: Option<&Name>,
        reason: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (first, then) = (self.find_task(first)?, self.find_task(then)?);
        let by = self.voice_of(agent)?;
        if first.id == then.id {
            return Err(invalid("then", format!("{}, the task itself", then.id), "another task"));
        }
        for task in [first, then] {
            require_state(task, "ordering", OPEN)?;
        }
        if let Some(mut cycle) = self.cycle_without(then.id, first.id, &[]) {
            cycle.remove(0);
            return Err(Rejection::OrderAgainstWaits { first: first.id, then: then.id, path: cycle });
        }
        let new = (first.id, then.id);
        if self.orders.get(new.0, new.1).is_some() {
            return Ok(Reply::about(first.id));
        }
        if self.orders.len() >= limits::ORDERS_MAX {
            return Err(Rejection::LimitExceeded { what: "orders of a fleet", limit: limits::ORDERS_MAX });
        }
        let said = self.orders.iter().filter(|(_, _, said)| said.by == by).count();
        if by != Ruler::Manager && said >= limits::ORDERS_PER_AGENT_MAX {
            let limit = limits::ORDERS_PER_AGENT_MAX;
            return Err(Rejection::LimitExceeded { what: "orders of an agent", limit });
        }
        let asserted = Event::OrderAsserted { first: new.0, then: new.1, by, reason: reason.clone() };
        // The waits alone lead nowhere; without other orders nothing does.
        let ring = if self.orders.is_empty() { BTreeSet::new() } else { self.ways(then.id, first.id) };
        if ring.is_empty() {
            out.push(asserted);
            return Ok(Reply::about(first.id));
        }
        let contradiction = self.contradiction(now, Closing::Order(new), &ring);
        let voice = Voice::Order { by, first: new.0, then: new.1 };
        if let Some(known) = self.ruled_already(first, &voice, &contradiction.order()) {
            return Ok(Reply { conflict: Some(known), ..Reply::about(first.id) });
        }
        let stands = !contradiction.gone.contains(&new);
        let conflict = self.put_order_ruling(Some((by, voice)), contradiction, "", out);
        out.extend(stands.then_some(asserted));
        Ok(Reply { conflict: Some(conflict), ..Reply::about(first.id) })
    }

    /// Takes back that one task is to come before another: whoever said so, or a manager.
    pub(super) fn drop_order(
        &self,
        (first, then): (&TaskRef, &TaskRef),
        agent: Option<&Name>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (first, then) = (self.find_task(first)?.id, self.find_task(then)?.id);
        let by = self.voice_of(agent)?;
        let (said, ruled) =
            (self.orders.get(first, then).map(|said| said.by), self.orders.ruled(first, then));
        let others = match (said, ruled) {
            (None, None) => {
                return Err(Rejection::NotFound { what: "order", given: format!("{first} before {then}") });
            }
            (Some(said), _) => Some(self.named(said)).filter(|_| said != by),
            (None, Some(conflict)) => Some(format!("the ruling of {conflict}")),
        };
        if let (Ruler::Agent(_), Some(agent), Some(by)) = (by, agent, others) {
            return Err(Rejection::OrderOfAnother { first, then, agent: agent.clone(), by });
        }
        // Nobody takes more back than the own word: what was ruled over the orders of several stays as a whole.
        let ruling_stays = ruled.is_some() && by != Ruler::Manager;
        out.push(Event::OrderDropped { first, then, ruling_stays });
        Ok(Reply::about(first))
    }

    /// Returns the conflicts whose rulings hold no more, where of the orders that they left standing none is left: taken back,
    /// dropped, or over with their tasks.
    pub(crate) fn unfounded(&self) -> BTreeSet<ConflictId> {
        let rulings: BTreeSet<ConflictId> = self.orders.rulings().map(|(.., conflict)| conflict).collect();
        rulings.into_iter().filter(|&conflict| self.left_by(conflict).is_empty()).collect()
    }

    /// Returns what members said in a conflict over orders and still stands.
    fn left_by(&self, conflict: ConflictId) -> BTreeSet<(TaskId, TaskId)> {
        let precedence = self.conflict(conflict).and_then(Conflict::precedence);
        let voices = precedence.into_iter().flat_map(|precedence| &precedence.said);
        let pairs = voices.filter_map(|voice| match voice {
            Voice::Order { first, then, .. } => Some((*first, *then)),
            Voice::Priority { .. } => None,
        });
        pairs.filter(|&(first, then)| self.orders.get(first, then).is_some()).collect()
    }

    fn named(&self, by: Ruler) -> String {
        match by {
            Ruler::Agent(agent) => format!("`{}`", self.name_of(agent)),
            Ruler::Manager => "a manager".to_owned(),
        }
    }

    fn voice_of(&self, agent: Option<&Name>) -> Result<Ruler, Rejection> {
        let agent = agent.map(|name| self.find_agent(name)).transpose()?;
        Ok(agent.map_or(Ruler::Manager, |agent| Ruler::Agent(agent.id)))
    }

    /// Returns how long a typical task takes: one of the middle complexity.
    fn typical(&self) -> Span {
        self.policy.estimate_by_complexity[2]
    }

    fn last_precedence(&self, task: &Task) -> Option<ConflictId> {
        let all = task.conflicts.as_ref()?.all.iter().rev();
        { all }.copied().find(|&id| self.conflict(id).is_some_and(|it| it.precedence().is_some()))
    }

    /// Returns the last conflict about a task where it was over the same word and had the same result.
    fn ruled_already(&self, task: &Task, voice: &Voice, order: &[TaskId]) -> Option<ConflictId> {
        let id = self.last_precedence(task)?;
        let last = self.conflict(id)?.precedence()?;
        let ruled = last.ruling.as_ref()?.order.iter().map(|impact| impact.task);
        (last.said.contains(voice) && ruled.eq(order.iter().copied())).then_some(id)
    }

    /// Returns what is said about the priority of a task, with the priority that it was given.
    fn words_about(&self, task: &Task) -> Vec<Priority> {
        let asserted = task.conflicts.iter().flat_map(|conflicts| &conflicts.asserted);
        [task.given_priority()].into_iter().chain(asserted.map(|said| said.priority)).collect()
    }

    /// Returns the rulings that go ahead of an event: those on the rings that a wait closes with the orders.
    pub(crate) fn ruled_before(&self, now: Moment, event: &Event, out: &mut Vec<Event>) {
        let (task, on) = match *event {
            Event::DependencyAdded { task, on, kind: DependencyKind::Blocks, .. }
            | Event::DependencyRestored { task, on }
            | Event::DependencyRewired { task, on, .. } => (task, on),
            _ => return,
        };
        if self.orders.is_empty() || self.task(on).state() == TaskState::Completed {
            return;
        }
        let ring = self.ways(task, on);
        if !ring.is_empty() {
            let contradiction = self.contradiction(now, Closing::Wait { task, on }, &ring);
            self.put_order_ruling(None, contradiction, &format!("{task} waits for {on}; "), out);
        }
    }

    /// Returns the tasks on all ways from one task to another along waits and orders, both ends included, each before the next one;
    /// none where there is no way.
    fn ways(&self, from: TaskId, to: TaskId) -> BTreeSet<TaskId> {
        between((from, to), |id| self.following(id), |id| self.leading_to(id))
    }

    /// Visits what waits for a task or comes after it.
    fn following(&self, id: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        let task = self.task(id);
        let waiting = Some(task).filter(|task| task.state() != TaskState::Completed);
        waiting.into_iter().flat_map(|task| task.dependents.iter().copied()).chain(self.orders.after(id))
    }

    /// Visits what a task waits for or comes after.
    fn leading_to(&self, id: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        self.open_waits(id).chain(self.orders.before(id).map(|(first, _)| first))
    }

    /// Visits what a task waits for: not for what is completed.
    fn open_waits(&self, id: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        self.task(id).gates().filter(|&on| self.task(on).state() != TaskState::Completed)
    }

    /// Rules on all rings that an order or a wait closes, `ring` being the tasks on them: those that orders name in the order of
    /// their impact, where what another one waits for has at least the impact of that; and the orders that say otherwise.
    ///
    /// Whatever lies between two of them is on a ring too. So what stands behind the ruling never comes round.
    fn contradiction(&self, now: Moment, closing: Closing, ring: &BTreeSet<TaskId>) -> Contradiction {
        let (order, wait) = match closing {
            Closing::Order(order) => (Some(order), None),
            Closing::Wait { task, on } => (None, Some((task, on))),
        };
        let pairs = ring.iter().flat_map(|&task| self.orders.before(task));
        let standing: Vec<_> = pairs.filter(|(first, _)| ring.contains(first)).collect();
        let named: BTreeSet<TaskId> =
            standing.iter().copied().chain(order).flat_map(|(first, then)| [first, then]).collect();
        let impacts = named.iter().map(|&id| {
            let task = self.task(id);
            self.impact(task, &self.words_about(task), now)
        });
        let ranked = self.by_impact(impacts.collect());
        let waits_of = |id: TaskId| -> BTreeSet<TaskId> {
            let new = wait.filter(|(task, _)| *task == id).map(|(_, on)| on);
            self.open_waits(id).chain(new).filter(|on| ring.contains(on)).collect()
        };
        // The best rank of each task and of all that wait for it.
        let mut ranks: BTreeMap<TaskId, usize> = BTreeMap::new();
        let mut waits: BTreeMap<TaskId, BTreeSet<TaskId>> = BTreeMap::new();
        for (rank, impact) in ranked.iter().enumerate() {
            let mut open = vec![impact.task];
            while let Some(id) = open.pop() {
                if let std::collections::btree_map::Entry::Vacant(entry) = ranks.entry(id) {
                    entry.insert(rank);
                    open.extend(waits.entry(id).or_insert_with(|| waits_of(id)).iter());
                }
            }
        }
        let mut waiting: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
        for (&id, on) in &waits {
            on.iter().for_each(|&on| waiting.entry(on).or_default().push(id));
        }
        let mut left: BTreeMap<TaskId, usize> = waits.iter().map(|(&id, on)| (id, on.len())).collect();
        let turn = |id: TaskId| (ranks[&id], self.task(id).queue_key());
        let free = left.iter().filter(|(_, left)| **left == 0).map(|(&id, _)| turn(id));
        let mut free: BTreeSet<_> = free.collect();
        let mut own: BTreeMap<TaskId, Impact> = ranked.iter().map(|impact| (impact.task, *impact)).collect();
        let mut order = Vec::new();
        while let Some((_, key)) = free.pop_first() {
            order.extend(own.remove(&key.task));
            for id in waiting.remove(&key.task).unwrap_or_default() {
                let left = left.entry(id).or_default();
                *left -= 1;
                if *left == 0 {
                    free.insert(turn(id));
                }
            }
        }
        let by = |impact: &Impact| ranked[ranks[&impact.task]].task;
        let carried = order.iter().map(|impact| (impact.task, by(impact)));
        let carried = carried.filter(|(task, by)| task != by).collect();
        let places: BTreeMap<TaskId, usize> =
            order.iter().enumerate().map(|(place, impact)| (impact.task, place)).collect();
        let against = |&(first, then): &(TaskId, TaskId)| places.get(&first) > places.get(&then);
        let new = if let Closing::Order(new) = closing { Some(new) } else { None };
        let said = |pair: &(TaskId, TaskId)| self.orders.get(pair.0, pair.1).is_some();
        let (said, ruled): (Vec<_>, Vec<_>) = standing.into_iter().partition(said);
        let gone: BTreeSet<_> = said.iter().chain(&ruled).copied().chain(new).filter(against).collect();
        // What was ruled rests on what was said then, and so does what is ruled in its place.
        let grounds = ruled.iter().filter_map(|&(first, then)| self.orders.ruled(first, then));
        let grounds: BTreeSet<_> = grounds.flat_map(|conflict| self.left_by(conflict)).collect();
        let said: BTreeSet<_> = said.into_iter().chain(grounds).collect();
        let left = said.iter().copied().chain(new).any(|pair| !gone.contains(&pair));
        Contradiction { said, order, carried, gone, new, left }
    }

    /// Puts the conflict over a contradiction into `out`, ruled at once, with what follows for the orders that stand.
    fn put_order_ruling(
        &self,
        new: Option<(Ruler, Voice)>,
        contradiction: Contradiction,
        because: &str,
        out: &mut Vec<Event>,
    ) -> ConflictId {
        let order = contradiction.order();
        let Contradiction { said, order: impacts, carried, gone, new: closing, left } = contradiction;
        let (by, voice) = new.unzip();
        let voices = said.iter().filter_map(|&(first, then)| {
            let by = self.orders.get(first, then)?.by;
            Some(Voice::Order { by, first, then })
        });
        let said: Vec<Voice> = voices.chain(voice).collect();
        let names: Vec<String> = order.iter().map(ToString::to_string).collect();
        let lost: Vec<String> = gone.iter().map(|(first, then)| format!("{first} before {then}")).collect();
        let words: Vec<String> = impacts.iter().map(Impact::text).collect();
        let for_others: Vec<String> =
            carried.iter().map(|(task, by)| format!("; {task} goes with {by}, which waits for it")).collect();
        let text = format!(
            "{because}in this order: {}; does not stand: {}; {}{}",
            names.join(", "),
            lost.join(", "),
            words.join("; "),
            for_others.concat()
        );
        let ranking = Ranking { order: impacts, priority: None, typical: self.typical(), carried };
        let conflict = self.put_ruling(by, said, ranking, &text, out);
        for &(first, then) in gone.iter().filter(|&&pair| Some(pair) != closing) {
            out.push(Event::OrderDropped { first, then, ruling_stays: false });
        }
        out.extend(left.then_some(Event::OrderRuled { conflict, order }));
        conflict
    }

    /// Puts a conflict over what comes first into `out`, ruled at once, and tells the others in it.
    fn put_ruling(
        &self,
        by: Option<Ruler>,
        said: Vec<Voice>,
        ranking: Ranking,
        text: &str,
        out: &mut Vec<Event>,
    ) -> ConflictId {
        let conflict = self.next_conflict();
        let Ranking { order, priority, typical, carried } = ranking;
        let tasks: Vec<TaskId> = order.iter().map(|impact| impact.task).collect();
        let speakers = said.iter().filter_map(|voice| match voice {
            Voice::Priority { by, .. } => *by,
            Voice::Order { by, .. } => Some(*by),
        });
        let mut parties: Vec<AgentId> = Vec::new();
        for speaker in speakers {
            if let Ruler::Agent(agent) = speaker
                && !parties.contains(&agent)
            {
                parties.push(agent);
            }
        }
        let about = tasks.first().copied();
        out.push(Event::PrecedenceOpened { conflict, tasks, parties: parties.clone(), said });
        let reason = own_text(text);
        out.push(Event::PrecedenceRuled { conflict, order, priority, typical, carried, reason });
        let text = format!("{conflict}: {text}");
        for &agent in parties.iter().filter(|&&agent| Some(Ruler::Agent(agent)) != by) {
            self.notify(agent, NoticeKind::PriorityRuled, about, &text, None, out);
        }
        conflict
    }
}

/// What makes orders come round to where they began.
#[derive(Clone, Copy)]
enum Closing {
    /// A new order.
    Order((TaskId, TaskId)),
    /// A task that waits for another one now.
    Wait { task: TaskId, on: TaskId },
}

/// Orders that come round to where they began, and how that was ruled.
struct Contradiction {
    /// The orders of the rings that members have said before, and those on which what was ruled on the rings rests.
    said: BTreeSet<(TaskId, TaskId)>,
    /// The tasks that the orders name, each before the next one.
    order: Vec<Impact>,
    /// Those that stand where one that waits for them does, with that one.
    carried: Vec<(TaskId, TaskId)>,
    /// What was said or ruled otherwise, the new order among it where it does.
    gone: BTreeSet<(TaskId, TaskId)>,
    /// The new order, where one closed the rings.
    new: Option<(TaskId, TaskId)>,
    /// Whether an order is left on which the ruling rests; else the waits alone say what comes first.
    left: bool,
}

impl Contradiction {
    fn order(&self) -> Vec<TaskId> {
        self.order.iter().map(|impact| impact.task).collect()
    }
}

fn at_level(task: TaskId, priority: Priority, given: Priority) -> Event {
    let edit = Box::new(TaskEdit { priority: Some(priority), ..TaskEdit::default() });
    let given = Some(given).filter(|&given| given != priority);
    Event::TaskEdited { task, edit, estimate: None, learned: None, given }
}
