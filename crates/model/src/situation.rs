//! What placing looks at: agents with their free slots, classes with their queues.
//!
//! The core keeps a [`Situation`] up to date as part of its state, each change in the size of what
//! changed; the plan room only reads it, and answers placements through the [`crate::Placer`] trait.

use std::ops::Bound;
use std::sync::Arc;

use crate::agent_view::AgentView;
use crate::balancing::Loads;
use crate::class::{Class, Gate, Requirement};
use crate::excerpt::Excerpt;
use crate::id::{AgentId, ClassId, Position, TaskId, Word};
use crate::limits;
use crate::policy::{Policy, Weights};
use crate::queues::{QueueKey, Queues};
use crate::ratio::Ratio;
use crate::roster::Roster;
use crate::standing::Standing;
use crate::vocabulary::AgentState;
use crate::wants::Want;

/// The live picture that placing reads.
#[derive(Clone, Debug)]
pub struct Situation {
    threshold: Ratio,
    roster: Roster,
    queues: Queues,
    all_changed: bool,
    /// Whether a round is under way that goes on with the next step.
    paused: bool,
}

impl Situation {
    /// Returns an empty situation under `policy`.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self {
            threshold: policy.threshold,
            roster: Roster::new(policy),
            queues: Queues::default(),
            all_changed: false,
            paused: false,
        }
    }

    /// Returns the score that a placement must exceed.
    #[must_use]
    pub fn threshold(&self) -> Ratio {
        self.threshold
    }

    /// Returns the utilization of the active agents.
    #[must_use]
    pub fn loads(&self) -> &Loads {
        &self.roster.loads
    }

    /// Returns the weights of the score.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.roster.weights
    }

    /// Returns the performance value of `agent` with tasks of type `kind` (SEMANTICS 3.1).
    ///
    /// # Panics
    /// Where no such agent is registered.
    #[must_use]
    pub fn performance(&self, agent: AgentId, kind: Word) -> Ratio {
        self.roster.kind(kind).value(agent)
    }

    /// Returns the cohesion value of `agent` with the team of `project` (SEMANTICS 3.1).
    ///
    /// # Panics
    /// Where no such agent is registered.
    #[must_use]
    pub fn cohesion(&self, agent: AgentId, project: Option<Word>) -> Ratio {
        self.roster.team(project).value(agent)
    }

    /// Returns what performance adds to the score of each agent for type `kind`, in millionths, in the order of ids.
    #[must_use]
    pub fn performances(&self, kind: Word) -> &[u32] {
        self.roster.kind(kind).weighted()
    }

    /// Returns what cohesion adds to the score of each agent in `project`, in millionths, in the order of ids.
    #[must_use]
    pub fn cohesions(&self, project: Option<Word>) -> &[u32] {
        self.roster.team(project).weighted()
    }

    /// Returns a number that no performance with type `kind` adds more than to a score, in millionths.
    #[must_use]
    pub fn performance_most(&self, kind: Word) -> u32 {
        self.roster.kind(kind).most()
    }

    /// Returns a number that no cohesion in `project` adds more than to a score, in millionths.
    #[must_use]
    pub fn cohesion_most(&self, project: Option<Word>) -> u32 {
        self.roster.team(project).most()
    }

    /// Returns a number that no performance and cohesion together add more than to a score, in millionths.
    #[must_use]
    pub fn past_most(&self) -> u32 {
        self.roster.past_most()
    }

    /// Returns who has `capability`, in order of ids, with its score.
    #[must_use]
    pub fn holders(&self, capability: Word) -> &[(AgentId, Ratio)] {
        self.roster.holders.of(capability)
    }

    /// Returns the classes with waiting tasks that require `capability`, in no order that means anything.
    #[must_use]
    pub fn wants(&self, capability: Word) -> &[Want] {
        self.queues.wants.of(capability)
    }

    /// Returns the classes with waiting tasks that require nothing, in no order that means anything.
    #[must_use]
    pub fn undemanding(&self) -> &[ClassId] {
        self.queues.wants.undemanding()
    }

    /// Returns a number that changes whenever who can do what changes: capabilities, roles, weights, new agents.
    #[must_use]
    pub fn roster_version(&self) -> u64 {
        self.roster.version
    }

    /// Returns how many single scores of agents have changed without a new [`Situation::roster_version`].
    #[must_use]
    pub fn rescored(&self) -> u64 {
        self.roster.rescored.times
    }

    /// Returns whose scores have changed since there were `seen` such changes; nothing where that is not known any more.
    #[must_use]
    pub fn rescored_since(&self, seen: u64) -> Option<impl Iterator<Item = AgentId> + '_> {
        self.roster.rescored.since(seen)
    }

    /// Returns the agents, in order of their ids.
    #[must_use]
    pub fn agents(&self) -> &[Arc<AgentView>] {
        &self.roster.agents
    }

    /// Returns the agent `id`.
    ///
    /// # Panics
    /// Where no such agent is registered.
    #[must_use]
    pub fn agent(&self, id: AgentId) -> &AgentView {
        &self.roster.agents[id.index()]
    }

    /// Returns the agents that are online and below their limit, in no order that means anything.
    #[must_use]
    pub fn free(&self) -> &[AgentId] {
        &self.roster.free
    }

    /// Returns the standing of each free agent, in the order of [`Situation::free`].
    #[must_use]
    pub fn standings(&self) -> &[Standing] {
        &self.roster.standings
    }

    /// Returns the standing of agent `id` at its present load, free or not.
    ///
    /// # Panics
    /// Where no such agent is registered.
    #[must_use]
    pub fn standing(&self, id: AgentId) -> Standing {
        self.roster.standing(id)
    }

    /// Visits the agents that are kept for some capability, by id.
    pub fn kept(&self) -> impl Iterator<Item = AgentId> + '_ {
        self.roster.kept.iter().copied()
    }

    /// Returns how many classes there are; ids are dense.
    #[must_use]
    pub fn class_count(&self) -> usize {
        self.queues.class_count()
    }

    /// Returns the class `id`.
    ///
    /// # Panics
    /// Where there is no such class.
    #[must_use]
    pub fn class(&self, id: ClassId) -> &Class {
        &self.queues.line(id).class
    }

    /// Returns the class `id`, to be kept.
    ///
    /// # Panics
    /// Where there is no such class.
    #[must_use]
    pub fn shared_class(&self, id: ClassId) -> &Arc<Class> {
        &self.queues.line(id).class
    }

    /// Returns the first waiting task of class `id` that can be placed: none where its gate is shut.
    #[must_use]
    pub fn head(&self, id: ClassId) -> Option<QueueKey> {
        let queue = self.queues.line(id);
        queue.waiting.first().copied().filter(|_| queue.gate != Gate::Shut)
    }

    /// Returns the first waiting task of class `id`, whether it can be placed or not.
    #[must_use]
    pub fn first(&self, id: ClassId) -> Option<QueueKey> {
        self.queues.line(id).waiting.first().copied()
    }

    /// Returns the waiting tasks of class `id`, in order.
    pub fn queue(&self, id: ClassId) -> impl Iterator<Item = QueueKey> + '_ {
        self.queues.line(id).waiting.iter().copied()
    }

    /// Returns who may take the tasks of class `id`, as far as their resources go.
    #[must_use]
    pub fn gate(&self, id: ClassId) -> Gate {
        self.queues.line(id).gate
    }

    /// Returns the heads of the queues of all classes whose gates are not shut, in order, after `after`.
    pub fn heads(
        &self,
        after: Option<(QueueKey, ClassId)>,
    ) -> impl Iterator<Item = (QueueKey, ClassId)> + '_ {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.queues.heads.range((from, Bound::Unbounded)).copied()
    }

    /// Returns how many classes have waiting tasks and no shut gate.
    #[must_use]
    pub fn head_count(&self) -> usize {
        self.queues.heads.len()
    }

    /// Returns the first `most` waiting tasks of all classes, in order, whether they can be placed or not. It costs time in `most`.
    #[must_use]
    pub fn first_waiting(&self, most: usize) -> Vec<QueueKey> {
        self.queues.first_waiting(most)
    }

    /// Returns how many tasks wait in all queues.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queues.waiting
    }

    /// Returns whether `task` stands in the queue of class `id` under `key`.
    #[must_use]
    pub fn is_waiting(&self, id: ClassId, key: &QueueKey) -> bool {
        self.queues.line(id).waiting.contains(key)
    }

    /// Returns the agent that failed `task` in its last attempt; it steps back where somebody else can.
    #[must_use]
    pub fn veto(&self, task: TaskId) -> Option<AgentId> {
        self.queues.veto(task)
    }

    /// Returns the agents that have gained room since the last round.
    #[must_use]
    pub fn freed(&self) -> &[AgentId] {
        &self.roster.freed
    }

    /// Returns the classes that had no waiting task after the last round, and have had one since. A class that
    /// had some is not among them: it found nobody then, and one task more does not change that. While a round is under
    /// way, where that is not known yet, classes that have got another first task are among them too.
    #[must_use]
    pub fn arrived(&self) -> &[ClassId] {
        &self.queues.arrived
    }

    /// Tells whether class `id` is among [`Situation::arrived`].
    #[must_use]
    pub fn has_arrived(&self, id: ClassId) -> bool {
        self.queues.line(id).arrived
    }

    /// Returns what planning a round needs: of each class as many heads of its queue as there are free slots, at
    /// most [`limits::EXCERPT_TASKS_MAX`] in all, the most urgent tasks first.
    #[must_use]
    pub fn excerpt(&self) -> Excerpt {
        let slots = usize::try_from(self.roster.free_slots()).unwrap_or(usize::MAX);
        let (queues, waiting) = self.queues.excerpt(slots.min(limits::PLAN_ITEMS_MAX));
        let (threshold, roster) = (self.threshold, self.roster.excerpt());
        let situation = Self { threshold, roster, queues, all_changed: false, paused: false };
        Excerpt { situation, waiting }
    }

    /// Tells whether everything must be looked at again, as after a change of policy.
    #[must_use]
    pub fn all_changed(&self) -> bool {
        self.all_changed || self.roster.crowded
    }

    /// Tells whether a round could have anything to do.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        let changed = !self.roster.freed.is_empty() || !self.queues.arrived.is_empty();
        self.all_changed() || self.paused || changed
    }

    // What follows is for the core alone, which folds events into it.

    /// Takes a new policy.
    pub fn set_policy(&mut self, policy: &Policy) {
        self.threshold = policy.threshold;
        self.roster.set_policy(policy);
        self.all_changed = true;
    }

    /// Takes a new agent, or an agent whose capabilities, role, limit or state have changed.
    pub fn put_agent(&mut self, id: AgentId, view: AgentView) {
        self.roster.put_agent(id, view);
    }

    /// Takes for which capabilities some agents are kept.
    pub fn set_kept(&mut self, agents: Vec<(AgentId, Arc<[Word]>)>) {
        self.roster.set_kept(agents);
    }

    /// Takes one score of an agent, and tells whether it is another one than before.
    pub fn set_score(&mut self, agent: AgentId, capability: Word, score: Ratio) -> bool {
        self.roster.set_score(agent, capability, score)
    }

    /// Takes what an agent's record with tasks of type `kind` is worth; who has none has the policy's default.
    pub fn set_performance(&mut self, agent: AgentId, kind: Word, value: Ratio) {
        self.roster.set_performance(agent, kind, value);
    }

    /// Takes how an agent fits into the team of `project`; the others have `otherwise`, unless told.
    pub fn set_cohesion(&mut self, agent: AgentId, project: Word, value: Ratio, otherwise: Ratio) {
        self.roster.set_cohesion(agent, project, value, otherwise);
    }

    /// Marks an agent as having gained room, where it has any: something else has kept it from getting more.
    pub fn look_at(&mut self, id: AgentId) {
        self.roster.look_at(id);
    }

    /// Returns how many of its tasks an agent is handing over to others.
    #[must_use]
    pub fn leaving(&self, id: AgentId) -> u32 {
        self.roster.leaving(id)
    }

    /// Takes how many of its tasks an agent is handing over.
    pub fn set_leaving(&mut self, id: AgentId, count: u32) {
        self.roster.set_leaving(id, count);
    }

    /// Takes a change of whether an agent can be reached.
    pub fn set_agent_state(&mut self, id: AgentId, state: AgentState) {
        self.roster.set_agent_state(id, state);
    }

    /// Takes whether an agent gets no new work.
    pub fn set_apart(&mut self, id: AgentId, apart: bool) {
        self.roster.set_apart(id, apart);
    }

    /// Counts one more task of an agent.
    pub fn take_slot(&mut self, id: AgentId) {
        self.roster.take_slot(id);
    }

    /// Counts one task of an agent less, at `position` of the log.
    pub fn give_slot(&mut self, id: AgentId, position: Position) {
        self.roster.give_slot(id, position);
    }

    /// Takes a new class; its id is the next one.
    pub fn push_class(&mut self, class: Class) -> ClassId {
        self.queues.push(class)
    }

    /// Takes what a class requires from now on, and marks it as changed.
    pub fn set_requires(&mut self, id: ClassId, requires: Box<[Requirement]>) {
        self.queues.set_requires(id, requires);
        self.roster.version += 1;
        self.roster.loads.touch();
    }

    /// Puts a task into the queue of its class; `veto` is the agent that has just failed it.
    pub fn enqueue(&mut self, id: ClassId, key: QueueKey, veto: Option<AgentId>) {
        self.queues.enqueue(id, key, veto, self.paused);
    }

    /// Takes a task out of the queue of its class.
    pub fn dequeue(&mut self, id: ClassId, key: &QueueKey) {
        self.queues.dequeue(id, key);
    }

    /// Opens or shuts the gate of a class, and returns how it was. Where more may take its tasks than before, the next round
    /// looks at it.
    pub fn set_gate(&mut self, id: ClassId, gate: Gate) -> Gate {
        self.queues.set_gate(id, gate)
    }

    /// Tells whether a round is under way that goes on with the next step.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Forgets what has changed, as [`Situation::settle`] does, while the placer keeps in mind how far the round has come.
    pub fn pause(&mut self) {
        self.settle();
        self.paused = true;
    }

    /// Forgets what has changed: a round has seen it.
    pub fn settle(&mut self) {
        self.paused = false;
        self.all_changed = false;
        self.roster.settle();
        self.queues.settle();
    }

    /// Marks everything as changed, so that the next round looks at all of it.
    pub fn unsettle(&mut self) {
        self.all_changed = true;
    }
}
