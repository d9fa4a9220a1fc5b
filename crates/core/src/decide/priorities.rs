//! What members say about what comes first, and how it is ruled where they differ (SEMANTICS 7, `PRIORITY_CONFLICT`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kapell_model::{AgentId, ConflictId, Moment, Name, Priority, Span, TaskId, Text, limits};

use super::tasks::OPEN;
use super::{invalid, require_state};
use crate::command::TaskRef;
use crate::conflict::Ruler;
use crate::decide::agents::own_text;
use crate::edit::TaskEdit;
use crate::engine::Reply;
use crate::event::Event;
use crate::impact::{Impact, asked_by, earned};
use crate::notice::NoticeKind;
use crate::precedence::Voice;
use crate::rejection::Rejection;
use crate::state::State;
use crate::task::Task;

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
        let given = (None, task.spec.priority);
        let said: Vec<_> = [given].into_iter().chain(others).chain([(Some(by), priority)]).collect();
        let levels: BTreeSet<Priority> = said.iter().map(|&(_, priority)| priority).collect();
        if levels.len() == 1 {
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
        let conflict = self.put_ruling(by, said, vec![impact], level, &text, out);
        let changed = level.filter(|&level| level != task.spec.priority || level != task.priority);
        out.extend(changed.map(|level| at_level(id, level)));
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
            // Said again: it is applied again where something has changed since.
            self.bring_into_order(&[new.0, new.1], &BTreeSet::new(), out);
            return Ok(Reply::about(first.id));
        }
        if self.orders.len() >= limits::ORDERS_MAX {
            return Err(Rejection::LimitExceeded { what: "orders of a fleet", limit: limits::ORDERS_MAX });
        }
        let ring = self.orders.between(then.id, first.id);
        if ring.is_empty() {
            out.push(Event::OrderAsserted { first: new.0, then: new.1, by, reason: reason.clone() });
            self.bring_into_order(&[new.0, new.1], &BTreeSet::new(), out);
            return Ok(Reply::about(first.id));
        }
        let contradiction = self.contradiction(now, new, &ring);
        let order: Vec<TaskId> = contradiction.order.iter().map(|impact| impact.task).collect();
        let voice = Voice::Order { by, first: new.0, then: new.1 };
        if let Some(known) = self.ruled_already(first, &voice, &order) {
            return Ok(Reply { conflict: Some(known), ..Reply::about(first.id) });
        }
        let standing = contradiction.standing.iter().filter_map(|&(first, then)| {
            let by = self.orders.get(first, then)?.by;
            Some(Voice::Order { by, first, then })
        });
        let said: Vec<Voice> = standing.chain([voice]).collect();
        let words: Vec<String> = contradiction.order.iter().map(Impact::text).collect();
        let text = format!("in this order: {}", words.join("; "));
        for &(first, then) in &contradiction.gone {
            if (first, then) != new {
                out.push(Event::OrderDropped { first, then });
            }
        }
        if !contradiction.gone.contains(&new) {
            out.push(Event::OrderAsserted { first: new.0, then: new.1, by, reason: reason.clone() });
        }
        let gone = contradiction.gone;
        let conflict = self.put_ruling(by, said, contradiction.order, None, &text, out);
        self.bring_into_order(&order, &gone, out);
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
        let Some(said) = self.orders.get(first, then) else {
            return Err(Rejection::NotFound { what: "order", given: format!("{first} before {then}") });
        };
        if let (Ruler::Agent(_), Some(agent)) = (by, agent)
            && said.by != by
        {
            let (agent, by) = (agent.clone(), self.named(said.by));
            return Err(Rejection::OrderOfAnother { first, then, agent, by });
        }
        out.push(Event::OrderDropped { first, then });
        Ok(Reply::about(first))
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
        [task.spec.priority].into_iter().chain(asserted.map(|said| said.priority)).collect()
    }

    /// Rules on all rings that an order closes: their tasks, `ring`, in the order of their impact, and the orders that say otherwise.
    ///
    /// No other task lies between two of them: it would be on a ring too. So what stands behind the ruling never comes round.
    fn contradiction(&self, now: Moment, new: (TaskId, TaskId), ring: &BTreeSet<TaskId>) -> Contradiction {
        let impacts = ring.iter().map(|&id| {
            let task = self.task(id);
            self.impact(task, &self.words_about(task), now)
        });
        let order = self.by_impact(impacts.collect());
        let place = |id| order.iter().position(|impact| impact.task == id);
        let against = |&(first, then): &(TaskId, TaskId)| place(first) > place(then);
        let pairs = ring.iter().flat_map(|&task| self.orders.before(task));
        let standing: Vec<_> = pairs.filter(|(first, _)| ring.contains(first)).collect();
        let gone = standing.iter().chain([&new]).copied().filter(against).collect();
        Contradiction { standing, order, gone }
    }

    /// Puts a conflict over what comes first into `out`, ruled at once, and tells the others in it.
    fn put_ruling(
        &self,
        by: Ruler,
        said: Vec<Voice>,
        order: Vec<Impact>,
        priority: Option<Priority>,
        text: &str,
        out: &mut Vec<Event>,
    ) -> ConflictId {
        let conflict = self.next_conflict();
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
        out.push(Event::PrecedenceRuled { conflict, order, priority, typical: self.typical(), reason });
        let text = format!("{conflict}: {text}");
        for &agent in parties.iter().filter(|&&agent| Ruler::Agent(agent) != by) {
            self.notify(agent, NoticeKind::PriorityRuled, about, &text, None, out);
        }
        conflict
    }

    /// Brings open tasks into an order, and with them what is to come before any of them: each is made at least as urgent as what
    /// comes after it, and takes a place before that. Orders in `gone` are not looked at; `order` and the others never come round.
    fn bring_into_order(&self, order: &[TaskId], gone: &BTreeSet<(TaskId, TaskId)>, out: &mut Vec<Event>) {
        let mut moved: BTreeMap<TaskId, (Priority, Moment)> = BTreeMap::new();
        let stands = |moved: &BTreeMap<TaskId, (Priority, Moment)>, id: TaskId| {
            let key = self.task(id).queue_key();
            moved.get(&id).copied().unwrap_or((key.priority, key.latest_start))
        };
        let ruled: BTreeMap<TaskId, TaskId> = order.windows(2).map(|pair| (pair[1], pair[0])).collect();
        let mut changed: VecDeque<TaskId> = order.iter().rev().copied().collect();
        while let Some(then) = changed.pop_front() {
            let (level, start) = stands(&moved, then);
            let said = self.orders.before(then).filter(|pair| !gone.contains(pair)).map(|(first, _)| first);
            for first in said.chain(ruled.get(&then).copied()) {
                let own = stands(&moved, first);
                if own >= (level, start) {
                    moved.insert(first, (level, if own.1 < start { own.1 } else { start.before(Span(1)) }));
                    changed.push_back(first);
                }
            }
        }
        let mut places = Vec::new();
        for (id, (level, start)) in moved {
            let key = self.task(id).queue_key();
            if level != key.priority {
                out.push(at_level(id, level));
            }
            // An edit takes a place away.
            if start != key.latest_start || (level != key.priority && self.task(id).place.is_some()) {
                places.push((id, start));
            }
        }
        if !places.is_empty() {
            out.push(Event::PlacesSet { places });
        }
    }
}

/// Orders that come round to where they began.
struct Contradiction {
    /// The orders of the rings that stood before.
    standing: Vec<(TaskId, TaskId)>,
    /// The tasks of the rings in the order of their impact.
    order: Vec<Impact>,
    /// The orders that say otherwise, the new one among them where it does.
    gone: BTreeSet<(TaskId, TaskId)>,
}

fn at_level(task: TaskId, priority: Priority) -> Event {
    let edit = Box::new(TaskEdit { priority: Some(priority), ..TaskEdit::default() });
    Event::TaskEdited { task, edit, estimate: None, learned: None }
}
