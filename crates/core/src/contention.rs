//! Who stands in whose way over resources: obstacles, turns, gates of classes, rings of waits (SEMANTICS 7).

use std::collections::BTreeSet;

use kapell_model::{
    AgentId, ClassId, Gate, Mode, Moment, Need, Priority, ReservationId, TaskId, WaitId, limits,
};
use serde::{Deserialize, Serialize};

use crate::decide::agents::own_text;
use crate::event::Event;
use crate::held_back::NeedSet;
use crate::reservations::{Obstacle, Party, Reservation, Taken, Turn, Wait};
use crate::state::State;
use crate::task::Task;

/// One step of a ring of waits: who waits, in which request, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitsFor {
    /// Who waits.
    pub agent: AgentId,
    /// In which request.
    pub wait: WaitId,
    /// For whom.
    pub holder: AgentId,
    /// What that one holds; nothing where it only comes first in line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<ReservationId>,
}

impl State {
    /// Returns the turn of a party that has asked since `since`: by the priority of its task, else medium.
    pub(crate) fn turn_for(&self, task: Option<TaskId>, since: Moment) -> Turn {
        let Some(task) = task.map(|task| self.task(task)) else {
            return Turn { priority: Priority::Medium, deadline: Moment::NEVER, since };
        };
        Turn { priority: task.effective, deadline: self.deadline_of(task), since }
    }

    fn deadline_of(&self, task: &Task) -> Moment {
        let project = task.spec.project.as_ref().and_then(|name| self.projects.get(name));
        let project = project.and_then(|project| project.spec.deadline);
        project.into_iter().chain(task.spec.deadline).min().unwrap_or(Moment::NEVER)
    }

    pub(crate) fn turn_of(&self, wait: &Wait) -> Turn {
        self.turn_for(wait.task, wait.since)
    }

    pub(crate) fn turn_of_task(&self, task: &Task) -> Turn {
        Turn { priority: task.effective, deadline: self.deadline_of(task), since: task.state_since }
    }

    /// Tells whether two needs cannot be met at the same time, as things stand: what only reads is shared where that is narrow.
    fn collide(&self, one: &Need, other: &Need) -> bool {
        one.conflicts(other) && !(self.is_shared(one) && self.is_shared(other))
    }

    /// Returns the first pair of needs that cannot be met at the same time.
    fn clash<'a>(&self, wanted: &'a [Need], taken: &'a [Need]) -> Option<(&'a Need, &'a Need)> {
        wanted.iter().find_map(|want| {
            let taken = taken.iter().find(|taken| self.collide(want, taken))?;
            Some((want, taken))
        })
    }

    /// Returns the places in line that are served together with `granted`, which has just come from it, in their turn: those who
    /// share nothing but what it shares, where waiters are served together. They wait for nobody but who came before them in line.
    pub(crate) fn served_with(&self, granted: ReservationId) -> Vec<WaitId> {
        let Some(held) = self.reservations.reservation(granted).filter(|held| held.wait.is_some()) else {
            return Vec::new();
        };
        let together = |need: &&Need| need.mode == Mode::Shared && self.is_batched(need);
        let shared: Vec<Need> = held.needs.iter().filter(together).cloned().collect();
        if shared.is_empty() {
            return Vec::new();
        }
        let among =
            |need: &Need| self.is_shared(need) && shared.iter().any(|own| own.resource == need.resource);
        let near = self.reservations.waiting_near.near(&shared);
        let mut waits: Vec<&Wait> = near.iter().map(|id| &self.reservations.waiting[id]).collect();
        waits.retain(|wait| {
            wait.needs.iter().all(among) && self.holders(Some(wait.party()), &wait.needs).next().is_none()
        });
        waits.sort_by_cached_key(|wait| (self.turn_of(wait), wait.id));
        waits.into_iter().map(|wait| wait.id).take(limits::SERVED_TOGETHER_MAX).collect()
    }

    /// Returns those who hold something that `party` cannot have beside them, oldest grant first.
    fn holders<'a>(
        &'a self,
        party: Option<Party>,
        needs: &'a [Need],
    ) -> impl Iterator<Item = (&'a Reservation, &'a Need, &'a Need)> + 'a {
        let near = self.reservations.held_near.near(needs);
        let held = near.into_iter().map(|id| &self.reservations.held[&id]);
        held.filter(move |held| party.is_none_or(|party| !held.party().is_with(party))).filter_map(|held| {
            let (wanted, taken) = self.clash(needs, &held.needs)?;
            Some((held, wanted, taken))
        })
    }

    /// Returns those who wait for something that `party` cannot have beside them, and whose turn comes before `turn`.
    fn ahead<'a>(
        &'a self,
        party: Option<Party>,
        needs: &'a [Need],
        turn: Turn,
        own: Option<WaitId>,
    ) -> impl Iterator<Item = (&'a Wait, &'a Need, &'a Need)> + 'a {
        let near = self.reservations.waiting_near.near(needs);
        let waiting = near.into_iter().map(|id| &self.reservations.waiting[&id]);
        // Of two with the same turn the one that asked first is served first; who is not in line yet comes last.
        let before = move |wait: &Wait| match own {
            Some(own) => (self.turn_of(wait), wait.id) < (turn, own),
            None => self.turn_of(wait) <= turn,
        };
        waiting
            .filter(move |wait| party.is_none_or(|party| !wait.party().is_with(party)) && before(wait))
            .filter_map(|wait| {
                let (wanted, taken) = self.clash(needs, &wait.needs)?;
                Some((wait, wanted, taken))
            })
    }

    /// Returns which of `needs` something stands in the way of that `party` cannot have beside it.
    pub(crate) fn in_the_way(
        &self,
        party: Option<Party>,
        needs: &[Need],
        turn: Turn,
        own: Option<WaitId>,
    ) -> NeedSet {
        let held = self.holders(party, needs).map(|(held, ..)| &held.needs);
        let ahead = self.ahead(party, needs, turn, own).map(|(wait, ..)| &wait.needs);
        let mut found = NeedSet::default();
        for taken in held.chain(ahead) {
            let clashes = |need: &Need| taken.iter().any(|taken| self.collide(need, taken));
            needs.iter().enumerate().filter(|(_, need)| clashes(need)).for_each(|(at, _)| found.put(at));
        }
        found
    }

    /// Returns the first thing that keeps `party` from having `needs` now.
    pub(crate) fn obstacle(
        &self,
        party: Party,
        needs: &[Need],
        turn: Turn,
        own: Option<WaitId>,
    ) -> Option<Obstacle> {
        if let Some((held, wanted, taken)) = self.holders(Some(party), needs).next() {
            let by = Taken::Held(held.id, held.expires_at);
            return Some(obstacle(held.party(), wanted, taken, by));
        }
        let (wait, wanted, taken) = self.ahead(Some(party), needs, turn, own).next()?;
        Some(obstacle(wait.party(), wanted, taken, Taken::Awaited(wait.id, wait.expires_at)))
    }

    /// Returns what keeps a place in line from being served.
    #[must_use]
    pub fn obstacle_of(&self, wait: &Wait) -> Option<Obstacle> {
        self.obstacle(wait.party(), &wait.needs, self.turn_of(wait), Some(wait.id))
    }

    /// Returns what keeps `agent` from getting the resources of `task`.
    #[must_use]
    pub fn obstacle_for(&self, task: TaskId, agent: AgentId) -> Option<Obstacle> {
        let task = self.task(task);
        let needs = &self.situation.class(task.class).needs;
        if needs.is_empty() {
            return None;
        }
        self.obstacle(Party { agent, task: Some(task.id) }, needs, self.turn_of_task(task), None)
    }

    /// Returns what keeps `agent` from getting the resources of an owned task with it: what others hold beside its owner.
    pub(crate) fn obstacle_to_move(&self, task: TaskId, agent: AgentId) -> Option<Obstacle> {
        let task = self.task(task);
        let needs = &self.situation.class(task.class).needs;
        self.obstacle_beside(Party { agent, task: Some(task.id) }, needs)
    }

    /// Returns what keeps `party` from holding `needs` beside everything but what is held for its task.
    pub(crate) fn obstacle_beside(&self, party: Party, needs: &[Need]) -> Option<Obstacle> {
        let mut others = self.holders(Some(party), needs);
        let (held, wanted, taken) = others.find(|(held, ..)| held.task != party.task)?;
        Some(obstacle(held.party(), wanted, taken, Taken::Held(held.id, held.expires_at)))
    }

    /// Returns what holds a ready task back from everybody, or from everybody but one agent.
    #[must_use]
    pub fn held_back(&self, task: TaskId) -> Option<Obstacle> {
        let task = self.task(task);
        let class = self.situation.class(task.class);
        if self.situation.gate(task.class) == Gate::Open {
            return None;
        }
        if let Some((held, wanted, taken)) = self.holders(None, &class.needs).next() {
            return Some(obstacle(held.party(), wanted, taken, Taken::Held(held.id, held.expires_at)));
        }
        let (wait, wanted, taken) = self.ahead(None, &class.needs, self.turn_of_task(task), None).next()?;
        Some(obstacle(wait.party(), wanted, taken, Taken::Awaited(wait.id, wait.expires_at)))
    }

    /// Tells who may take the tasks of a class, as far as its resources and the budget of its project go. What somebody holds for a task is in the way of
    /// every other task; what an agent holds for itself is in the way of the others alone.
    pub(crate) fn gate_of(&self, id: ClassId) -> Gate {
        let class = self.situation.class(id);
        if class.project.is_some_and(|project| self.is_project_closed(self.words.name(project))) {
            return Gate::Shut;
        }
        let needs = &class.needs;
        if needs.is_empty() {
            return Gate::Open;
        }
        let mut gate = Gate::Open;
        let head = self.situation.first(id).map(|key| self.turn_of_task(self.task(key.task)));
        let held = self.holders(None, needs).map(|(held, ..)| held.party());
        let ahead = head.into_iter().flat_map(|turn| self.ahead(None, needs, turn, None));
        for party in held.chain(ahead.map(|(wait, ..)| wait.party())) {
            gate = match (party.task, gate) {
                (None, Gate::Open) => Gate::Only(party.agent),
                (None, Gate::Only(agent)) if agent == party.agent => gate,
                _ => return Gate::Shut,
            };
        }
        gate
    }

    /// Returns the conflict that `event`, which is not folded in yet, begins: somebody waits in line.
    pub(crate) fn contention_begun(&self, event: &Event) -> Option<Event> {
        let Event::ReservationRequested { wait, agent, task, needs, .. } = event else { return None };
        let party = Party { agent: *agent, task: *task };
        let obstacle = self.obstacle(party, needs, self.turn_for(*task, self.at), None)?;
        let mut parties = vec![*agent];
        parties.extend(Some(obstacle.agent).filter(|other| other != agent));
        let tasks = task.iter().copied().chain(obstacle.task).collect();
        Some(Event::ContentionOpened { conflict: self.next_conflict(), wait: *wait, parties, tasks })
    }

    /// Returns the end of the conflict over a place in line that `event` ends.
    pub(crate) fn contention_ended(&self, event: &Event) -> Option<Event> {
        let (wait, reservation, reason) = match event {
            Event::ReservationGranted { reservation, wait: Some(wait), .. } => {
                (wait, Some(*reservation), format!("its turn came: {reservation}"))
            }
            Event::ReservationWithdrawn { wait, cause, .. } => (wait, None, cause.left_the_line().to_owned()),
            _ => return None,
        };
        let conflict = *self.contended.get(wait)?;
        Some(Event::ContentionResolved { conflict, reservation, reason: own_text(&reason) })
    }

    /// Returns the priority of a reservation: of its task, else medium.
    fn priority_of(&self, reservation: ReservationId) -> Priority {
        let task = self.reservations.held[&reservation].task;
        task.map_or(Priority::Medium, |task| self.task(task).effective)
    }

    /// Returns a ring in which agents wait for each other, beginning with `start`, where there is one. What a holder has been
    /// asked to release already is passed over: that ring is being broken.
    ///
    /// Agents are gone through from holder to holder; the cost is in the waits that can be reached so, and bounded.
    pub(crate) fn ring(&self, start: AgentId) -> Option<Vec<WaitsFor>> {
        let mut path: Vec<WaitsFor> = Vec::new();
        let mut branches = vec![self.waits_of(start)];
        let mut seen = BTreeSet::from([start]);
        while let Some(branch) = branches.last_mut() {
            match branch.pop() {
                Some(step) if step.holder == start => {
                    path.push(step);
                    return Some(path);
                }
                Some(step) if seen.len() < limits::RING_AGENTS_MAX && seen.insert(step.holder) => {
                    path.push(step);
                    branches.push(self.waits_of(step.holder));
                }
                Some(_) => {}
                None => {
                    branches.pop();
                    path.pop();
                }
            }
        }
        None
    }

    /// Returns whom an agent waits for in all of its requests.
    fn waits_of(&self, agent: AgentId) -> Vec<WaitsFor> {
        let waits = self.reservations.by_agent.get(&agent).into_iter().flat_map(|share| &share.waits);
        waits.flat_map(|id| self.waits_for(&self.reservations.waiting[id])).collect()
    }

    fn waits_for(&self, wait: &Wait) -> Vec<WaitsFor> {
        let step = |holder, reservation| WaitsFor { agent: wait.agent, wait: wait.id, holder, reservation };
        let held = self.holders(Some(wait.party()), &wait.needs).filter(|(held, ..)| held.asked.is_none());
        let held = held.map(|(held, ..)| step(held.agent, Some(held.id)));
        let ahead = self.ahead(Some(wait.party()), &wait.needs, self.turn_of(wait), Some(wait.id));
        let ahead = ahead.map(|(wait, ..)| step(wait.agent, None));
        // Held ones last, so that they are gone through first.
        ahead.chain(held).filter(|step| step.holder != wait.agent).collect()
    }

    /// Returns the reservation of a ring whose holder must let go: the one of lowest priority, of these the youngest.
    pub(crate) fn weakest(&self, ring: &[WaitsFor]) -> Option<ReservationId> {
        ring.iter().filter_map(|step| step.reservation).max_by_key(|&id| (self.priority_of(id), id))
    }
}

fn obstacle(party: Party, wanted: &Need, taken: &Need, by: Taken) -> Obstacle {
    Obstacle { wanted: wanted.clone(), taken: taken.clone(), agent: party.agent, task: party.task, by }
}
