//! What placing looks at: agents with their free slots, classes with their queues.
//!
//! The core keeps a [`Situation`] up to date as part of its state, each change in the size of what
//! changed; the plan room only reads it, and answers [`Placement`]s through the [`Placer`] trait.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::balancing::Loads;
use crate::excerpt::{Excerpt, Waiting};
use crate::holders::{Holders, Want};
use crate::id::{AgentId, ClassId, Position, TaskId, Word};
use crate::limits;
use crate::moment::Moment;
use crate::policy::{Policy, Weights};
use crate::ratio::Ratio;
use crate::resource::Need;
use crate::standing::Standing;
use crate::track::Track;
use crate::vocabulary::{AgentState, Priority};

/// The version of the scoring formula; recorded with every decision, since a score can be
/// recomputed only by the scorer that made it.
pub const SCORER_VERSION: u32 = 2;

/// One required capability of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// Which capability.
    pub capability: Word,
    /// Its weight relative to the others, in millionths of one; above 0.
    pub weight: u32,
    /// The least score that a candidate must have in it.
    pub minimum: Ratio,
}

/// What tasks must have in common to be alike for placing (SEMANTICS 16, "Class").
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Class {
    /// Required capabilities, in order of their ids.
    pub requires: Box<[Requirement]>,
    /// The task type.
    pub kind: Word,
    /// The project, since cohesion depends on it.
    pub project: Option<Word>,
    /// Only agents of this role.
    pub role: Option<Word>,
    /// Only this agent.
    pub pin: Option<AgentId>,
    /// None of these agents, in order.
    pub exclude: Box<[AgentId]>,
    /// Resources that are reserved with the assignment.
    pub needs: Box<[Need]>,
}

/// Who may take the tasks of a class, as far as the resources go that they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Everybody: what they need is free.
    Open,
    /// Only this agent, which holds for itself what they need.
    Only(AgentId),
    /// Nobody: what they need is taken, or awaited by somebody who comes first.
    Shut,
}

/// What placing sees of an agent.
#[derive(Clone, Debug)]
pub struct AgentView {
    /// Only online agents are candidates.
    pub state: AgentState,
    /// Whether it gets no new work by a manager's word.
    pub draining: bool,
    /// Tasks that it owns.
    pub active: u32,
    /// Tasks that it may own; at least 1.
    pub max: u32,
    /// Its role.
    pub role: Word,
    /// Its capabilities, in order of their ids.
    pub capabilities: Box<[(Word, Ratio)]>,
    /// Where in the log its load last went down, or it came; smaller is longer idle.
    pub idle_since: Position,
}

impl AgentView {
    /// Returns its score in `capability`; a missing one scores 0.
    #[must_use]
    pub fn score_in(&self, capability: Word) -> Ratio {
        match self.capabilities.binary_search_by_key(&capability, |&(word, _)| word) {
            Ok(at) => self.capabilities[at].1,
            Err(_) => Ratio::ZERO,
        }
    }

    /// Tells whether it is online, not draining and below its limit.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.state == AgentState::Online && !self.draining && self.active < self.max
    }

    /// Returns the utilization, active / max; nothing where it is not online or draining.
    #[must_use]
    pub fn utilization(&self) -> Option<Ratio> {
        let active = self.state == AgentState::Online && !self.draining;
        active.then(|| Ratio::of(u64::from(self.active), u64::from(self.max)))
    }

    /// Returns the workload value, 1 - active / max (SEMANTICS 3.1).
    #[must_use]
    pub fn workload(&self) -> Ratio {
        Ratio::of(u64::from(self.max.saturating_sub(self.active)), u64::from(self.max))
    }
}

/// The order of the queue (SEMANTICS 3.2): the smallest is placed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueKey {
    /// Effective priority.
    pub priority: Priority,
    /// Deadline minus remaining critical path; where no deadline applies, [`Moment::NEVER`] minus that.
    pub latest_start: Moment,
    /// When the task was submitted.
    pub submitted: Moment,
    /// The task.
    pub task: TaskId,
}

/// The four values of a score, each in 0..=1, and the weighted sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Weighted mean of the agent's scores over the required capabilities; 1 where none is required.
    pub capability: Ratio,
    /// 1 - active / max.
    pub workload: Ratio,
    /// Record with tasks of this type.
    pub performance: Ratio,
    /// Familiarity and affinity with the project's team.
    pub cohesion: Ratio,
    /// The weighted sum; each part is rounded to 10^-6 before it is added, so that what is shown adds up.
    pub total: Ratio,
}

impl Parts {
    /// Weighs the four values.
    #[must_use]
    pub fn weigh(
        weights: &Weights,
        capability: Ratio,
        workload: Ratio,
        performance: Ratio,
        cohesion: Ratio,
    ) -> Self {
        let total = weights.capability.times(capability).as_micros()
            + weights.workload.times(workload).as_micros()
            + weights.performance.times(performance).as_micros()
            + weights.cohesion.times(cohesion).as_micros();
        Self { capability, workload, performance, cohesion, total: Ratio::micros(total) }
    }
}

/// A candidate with its score, as decisions record it.
///
/// Written as `[agent, capability, workload, performance, cohesion, total]`, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Considering", into = "Considering")]
pub struct Considered {
    /// Who.
    pub agent: AgentId,
    /// Its score.
    pub parts: Parts,
}

type Considering = (AgentId, Ratio, Ratio, Ratio, Ratio, Ratio);

impl From<Considering> for Considered {
    fn from((agent, capability, workload, performance, cohesion, total): Considering) -> Self {
        Self { agent, parts: Parts { capability, workload, performance, cohesion, total } }
    }
}

impl From<Considered> for Considering {
    fn from(Considered { agent, parts }: Considered) -> Self {
        (agent, parts.capability, parts.workload, parts.performance, parts.cohesion, parts.total)
    }
}

/// One item of a plan: this task to this agent. It is judged by the core before it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The task.
    pub task: TaskId,
    /// The agent.
    pub agent: AgentId,
    /// The best candidates, at most three, the chosen one first.
    pub considered: Vec<Considered>,
}

/// Whoever decides placements. `kapell-plan` does; the core only knows this trait.
pub trait Placer {
    /// Begins a round, or takes up the one that is under way: everything that has changed since the last one is marked in `situation`.
    fn begin(&mut self, situation: &Situation);

    /// Answers the next placement of the round, or nothing where the round is over or has done a step's work. Between two calls
    /// the placement has been applied to `situation`, or has fallen away.
    fn next(&mut self, situation: &Situation) -> Option<Placement>;

    /// Tells whether the round is not over and is remembered: the next [`Placer::begin`] takes it up where it stopped, and
    /// needs to be told only what has changed since ([`Situation::pause`]).
    fn is_under_way(&self) -> bool {
        false
    }

    /// Scores one pair, whatever the threshold says.
    fn consider(&mut self, situation: &Situation, class: ClassId, agent: AgentId) -> Considered;

    /// Returns the best candidate that owns nothing and scores higher than `than`, where there is one.
    fn better_idle(&mut self, situation: &Situation, class: ClassId, than: &Considered)
    -> Option<Considered>;

    /// Returns the best candidate among `agents`, where its score is above the threshold. Agents without room are no
    /// candidates; ties go to fewer tasks, longer idle, smaller id.
    fn best_of(&mut self, situation: &Situation, class: ClassId, agents: &[AgentId]) -> Option<Considered>;
}

#[derive(Clone, Debug)]
struct Queue {
    class: Arc<Class>,
    waiting: BTreeSet<QueueKey>,
    arrived: bool,
    gate: Gate,
}

/// The live picture that placing reads.
#[derive(Clone, Debug)]
pub struct Situation {
    threshold: Ratio,
    weights: Weights,
    roster_version: u64,
    agents: Vec<AgentView>,
    /// Performance with types of which nobody has a record, and by type.
    unknown_kind: Track,
    kinds: BTreeMap<Word, Arc<Track>>,
    /// Cohesion without a team, and by project.
    no_team: Track,
    teams: BTreeMap<Word, Arc<Track>>,
    free: Vec<AgentId>,
    standings: Vec<Standing>,
    free_at: Vec<u32>,
    loads: Loads,
    /// Tasks that agents own still and hand over to others; balancing counts them where they go to.
    leaving: BTreeMap<AgentId, u32>,
    queues: Vec<Queue>,
    heads: BTreeSet<(QueueKey, ClassId)>,
    /// The heads of the queues behind shut gates.
    shut_heads: BTreeSet<(QueueKey, ClassId)>,
    vetoes: BTreeMap<TaskId, AgentId>,
    waiting: usize,
    freed: Vec<AgentId>,
    arrived: Vec<ClassId>,
    all_changed: bool,
    /// Whether a round is under way that goes on with the next step.
    paused: bool,
    holders: Holders,
}

const NOT_FREE: u32 = u32::MAX;

impl Situation {
    /// Returns an empty situation under `policy`.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self {
            threshold: policy.threshold,
            weights: policy.weights,
            roster_version: 0,
            agents: Vec::new(),
            unknown_kind: Track::new(policy.performance_default, policy.weights.performance, 0),
            kinds: BTreeMap::new(),
            no_team: Track::new(policy.cohesion_default, policy.weights.cohesion, 0),
            teams: BTreeMap::new(),
            free: Vec::new(),
            standings: Vec::new(),
            free_at: Vec::new(),
            loads: Loads::default(),
            leaving: BTreeMap::new(),
            queues: Vec::new(),
            heads: BTreeSet::new(),
            shut_heads: BTreeSet::new(),
            vetoes: BTreeMap::new(),
            waiting: 0,
            freed: Vec::new(),
            arrived: Vec::new(),
            all_changed: false,
            paused: false,
            holders: Holders::default(),
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
        &self.loads
    }

    /// Returns the weights of the score.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    fn kind(&self, kind: Word) -> &Track {
        self.kinds.get(&kind).map_or(&self.unknown_kind, Arc::as_ref)
    }

    fn team(&self, project: Option<Word>) -> &Track {
        project.and_then(|project| self.teams.get(&project)).map_or(&self.no_team, Arc::as_ref)
    }

    /// Returns the performance value of `agent` with tasks of type `kind` (SEMANTICS 3.1).
    ///
    /// # Panics
    /// Where no such agent is registered.
    #[must_use]
    pub fn performance(&self, agent: AgentId, kind: Word) -> Ratio {
        self.kind(kind).value(agent)
    }

    /// Returns the cohesion value of `agent` with the team of `project` (SEMANTICS 3.1).
    ///
    /// # Panics
    /// Where no such agent is registered.
    #[must_use]
    pub fn cohesion(&self, agent: AgentId, project: Option<Word>) -> Ratio {
        self.team(project).value(agent)
    }

    /// Returns what performance adds to the score of each agent for type `kind`, in millionths, in the order of ids.
    #[must_use]
    pub fn performances(&self, kind: Word) -> &[u32] {
        self.kind(kind).weighted()
    }

    /// Returns what cohesion adds to the score of each agent in `project`, in millionths, in the order of ids.
    #[must_use]
    pub fn cohesions(&self, project: Option<Word>) -> &[u32] {
        self.team(project).weighted()
    }

    /// Returns a number that no performance with type `kind` adds more than to a score, in millionths.
    #[must_use]
    pub fn performance_most(&self, kind: Word) -> u32 {
        self.kind(kind).most()
    }

    /// Returns a number that no cohesion in `project` adds more than to a score, in millionths.
    #[must_use]
    pub fn cohesion_most(&self, project: Option<Word>) -> u32 {
        self.team(project).most()
    }

    /// Returns a number that no performance and cohesion together add more than to a score, in millionths.
    #[must_use]
    pub fn past_most(&self) -> u32 {
        let most = |tracks: &BTreeMap<Word, Arc<Track>>, other: &Track| {
            tracks.values().map(|track| track.most()).max().unwrap_or(0).max(other.most())
        };
        most(&self.kinds, &self.unknown_kind) + most(&self.teams, &self.no_team)
    }

    /// Returns who has `capability`, in order of ids, with its score.
    #[must_use]
    pub fn holders(&self, capability: Word) -> &[(AgentId, Ratio)] {
        self.holders.of(capability)
    }

    /// Returns the classes with waiting tasks that require `capability`, in no order that means anything.
    #[must_use]
    pub fn wants(&self, capability: Word) -> &[Want] {
        self.holders.wants(capability)
    }

    /// Returns the classes with waiting tasks that require nothing, in no order that means anything.
    #[must_use]
    pub fn undemanding(&self) -> &[ClassId] {
        self.holders.undemanding()
    }

    /// Returns a number that changes whenever who can do what changes: capabilities, roles, weights, new agents.
    #[must_use]
    pub fn roster_version(&self) -> u64 {
        self.roster_version
    }

    /// Returns the agents, in order of their ids.
    #[must_use]
    pub fn agents(&self) -> &[AgentView] {
        &self.agents
    }

    /// Returns the agent `id`.
    ///
    /// # Panics
    /// Where no such agent is registered.
    #[must_use]
    pub fn agent(&self, id: AgentId) -> &AgentView {
        &self.agents[id.index()]
    }

    /// Returns the agents that are online and below their limit, in no order that means anything.
    #[must_use]
    pub fn free(&self) -> &[AgentId] {
        &self.free
    }

    /// Returns the standing of each free agent, in the order of [`Situation::free`].
    #[must_use]
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// Returns the standing of agent `id` at its present load, free or not.
    ///
    /// # Panics
    /// Where no such agent is registered.
    #[must_use]
    pub fn standing(&self, id: AgentId) -> Standing {
        let agent = &self.agents[id.index()];
        let workload = self.weights.workload.times(agent.workload());
        Standing::of(workload.as_micros(), agent.active, agent.idle_since)
    }

    /// Returns how many classes there are; ids are dense.
    #[must_use]
    pub fn class_count(&self) -> usize {
        self.queues.len()
    }

    /// Returns the class `id`.
    ///
    /// # Panics
    /// Where there is no such class.
    #[must_use]
    pub fn class(&self, id: ClassId) -> &Class {
        &self.queues[id.index()].class
    }

    /// Returns the class `id`, to be kept.
    ///
    /// # Panics
    /// Where there is no such class.
    #[must_use]
    pub fn shared_class(&self, id: ClassId) -> &Arc<Class> {
        &self.queues[id.index()].class
    }

    /// Returns the first waiting task of class `id` that can be placed: none where its gate is shut.
    #[must_use]
    pub fn head(&self, id: ClassId) -> Option<QueueKey> {
        let queue = &self.queues[id.index()];
        queue.waiting.first().copied().filter(|_| queue.gate != Gate::Shut)
    }

    /// Returns the first waiting task of class `id`, whether it can be placed or not.
    #[must_use]
    pub fn first(&self, id: ClassId) -> Option<QueueKey> {
        self.queues[id.index()].waiting.first().copied()
    }

    /// Returns the waiting tasks of class `id`, in order.
    pub fn queue(&self, id: ClassId) -> impl Iterator<Item = QueueKey> + '_ {
        self.queues[id.index()].waiting.iter().copied()
    }

    /// Returns who may take the tasks of class `id`, as far as their resources go.
    #[must_use]
    pub fn gate(&self, id: ClassId) -> Gate {
        self.queues[id.index()].gate
    }

    /// Returns the heads of the queues of all classes whose gates are not shut, in order, after `after`.
    pub fn heads(
        &self,
        after: Option<(QueueKey, ClassId)>,
    ) -> impl Iterator<Item = (QueueKey, ClassId)> + '_ {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.heads.range((from, Bound::Unbounded)).copied()
    }

    /// Returns how many classes have waiting tasks and no shut gate.
    #[must_use]
    pub fn head_count(&self) -> usize {
        self.heads.len()
    }

    /// Returns the first `most` waiting tasks of all classes, in order, whether they can be placed or not. It costs time in `most`.
    #[must_use]
    pub fn first_waiting(&self, most: usize) -> Vec<QueueKey> {
        // Whatever comes first is in a class whose head is among the first heads.
        let heads = self.heads.iter().take(most).chain(self.shut_heads.iter().take(most));
        let mut first: Vec<QueueKey> = heads.flat_map(|&(_, class)| self.queue(class).take(most)).collect();
        first.sort_unstable();
        first.truncate(most);
        first
    }

    /// Returns how many tasks wait in all queues.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Returns whether `task` stands in the queue of class `id` under `key`.
    #[must_use]
    pub fn is_waiting(&self, id: ClassId, key: &QueueKey) -> bool {
        self.queues[id.index()].waiting.contains(key)
    }

    /// Returns the agent that failed `task` in its last attempt; it steps back where somebody else can.
    #[must_use]
    pub fn veto(&self, task: TaskId) -> Option<AgentId> {
        if self.vetoes.is_empty() { None } else { self.vetoes.get(&task).copied() }
    }

    /// Returns the agents that have gained room since the last round.
    #[must_use]
    pub fn freed(&self) -> &[AgentId] {
        &self.freed
    }

    /// Returns the classes that had no waiting task after the last round, and have had one since. A class that
    /// had some is not among them: it found nobody then, and one task more does not change that. While a round is under
    /// way, where that is not known yet, classes that have got another first task are among them too.
    #[must_use]
    pub fn arrived(&self) -> &[ClassId] {
        &self.arrived
    }

    /// Tells whether class `id` is among [`Situation::arrived`].
    #[must_use]
    pub fn has_arrived(&self, id: ClassId) -> bool {
        self.queues[id.index()].arrived
    }

    /// Returns what planning a round needs: of each class as many heads of its queue as there are free slots, at
    /// most [`limits::EXCERPT_TASKS_MAX`] in all, the most urgent classes first.
    #[must_use]
    pub fn excerpt(&self) -> Excerpt {
        let room = |id: &AgentId| self.agents[id.index()].max - self.agents[id.index()].active;
        let slots = self.free.iter().map(|id| u64::from(room(id))).sum::<u64>();
        let slots = usize::try_from(slots).unwrap_or(usize::MAX).min(limits::PLAN_ITEMS_MAX);
        let mut waiting = Vec::new();
        if slots > 0 {
            for &(_, class) in &self.heads {
                let heads = self.queues[class.index()].waiting.iter().take(slots);
                waiting.extend(heads.map(|&key| Waiting { class, key, veto: self.veto(key.task) }));
                if waiting.len() >= limits::EXCERPT_TASKS_MAX {
                    waiting.truncate(limits::EXCERPT_TASKS_MAX);
                    break;
                }
            }
        }
        let bare = |queue: &Queue| Queue {
            class: Arc::clone(&queue.class),
            waiting: BTreeSet::new(),
            arrived: false,
            gate: queue.gate,
        };
        let situation = Self {
            threshold: self.threshold,
            weights: self.weights,
            roster_version: self.roster_version,
            agents: self.agents.clone(),
            unknown_kind: self.unknown_kind.clone(),
            kinds: self.kinds.clone(),
            no_team: self.no_team.clone(),
            teams: self.teams.clone(),
            free: self.free.clone(),
            standings: self.standings.clone(),
            free_at: self.free_at.clone(),
            // Placing does not look at them.
            loads: Loads::default(),
            leaving: BTreeMap::new(),
            queues: self.queues.iter().map(bare).collect(),
            heads: BTreeSet::new(),
            shut_heads: BTreeSet::new(),
            vetoes: BTreeMap::new(),
            waiting: 0,
            freed: Vec::new(),
            arrived: Vec::new(),
            all_changed: false,
            paused: false,
            holders: self.holders.unwanted(),
        };
        Excerpt { situation, waiting }
    }

    /// Tells whether everything must be looked at again, as after a change of policy.
    #[must_use]
    pub fn all_changed(&self) -> bool {
        self.all_changed
    }

    /// Tells whether a round could have anything to do.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        self.all_changed || self.paused || !self.freed.is_empty() || !self.arrived.is_empty()
    }

    // What follows is for the core alone, which folds events into it.

    /// Takes a new policy.
    pub fn set_policy(&mut self, policy: &Policy) {
        self.threshold = policy.threshold;
        self.weights = policy.weights;
        self.loads.touch();
        let (performance, cohesion) = (policy.weights.performance, policy.weights.cohesion);
        self.unknown_kind.reweigh(policy.performance_default, performance);
        let kinds = self.kinds.values_mut().map(Arc::make_mut);
        kinds.for_each(|kind| kind.reweigh(policy.performance_default, performance));
        self.no_team.reweigh(policy.cohesion_default, cohesion);
        let teams = self.teams.values_mut().map(Arc::make_mut);
        teams.for_each(|team| team.reweigh(team.otherwise(), cohesion));
        self.roster_version += 1;
        self.standings = self.free.iter().map(|&id| self.standing(id)).collect();
        self.all_changed = true;
    }

    /// Takes a new agent, or an agent whose capabilities, role, limit or state have changed.
    pub fn put_agent(&mut self, id: AgentId, view: AgentView) {
        let before = self.agents.get(id.index()).map_or(&[][..], |agent| &agent.capabilities);
        self.holders.amend(id, before, &view.capabilities);
        if id.index() == self.agents.len() {
            self.agents.push(view);
            self.free_at.push(NOT_FREE);
            self.unknown_kind.push();
            self.no_team.push();
            let tracks = self.kinds.values_mut().chain(self.teams.values_mut());
            tracks.map(Arc::make_mut).for_each(Track::push);
        } else {
            self.agents[id.index()] = view;
        }
        self.roster_version += 1;
        self.refresh(id, true);
    }

    /// Takes what an agent's record with tasks of type `kind` is worth; who has none has the policy's default.
    pub fn set_performance(&mut self, agent: AgentId, kind: Word, value: Ratio) {
        let (weight, agents) = (self.weights.performance, self.agents.len());
        let otherwise = self.unknown_kind.otherwise();
        let track = self.kinds.entry(kind).or_insert_with(|| Arc::new(Track::new(otherwise, weight, agents)));
        if Arc::make_mut(track).set(agent, value) {
            self.refresh(agent, true);
        }
    }

    /// Takes how an agent fits into the team of `project`; the others have `otherwise`, unless told.
    pub fn set_cohesion(&mut self, agent: AgentId, project: Word, value: Ratio, otherwise: Ratio) {
        let (weight, agents) = (self.weights.cohesion, self.agents.len());
        let track =
            self.teams.entry(project).or_insert_with(|| Arc::new(Track::new(otherwise, weight, agents)));
        if Arc::make_mut(track).set(agent, value) {
            self.refresh(agent, true);
        }
    }

    /// Marks an agent as having gained room, where it has any: something else has kept it from getting more.
    pub fn look_at(&mut self, id: AgentId) {
        self.refresh(id, true);
    }

    /// Takes a change of whether an agent can be reached.
    pub fn set_agent_state(&mut self, id: AgentId, state: AgentState) {
        self.agents[id.index()].state = state;
        self.refresh(id, true);
    }

    /// Counts one more task of an agent.
    pub fn take_slot(&mut self, id: AgentId) {
        self.agents[id.index()].active += 1;
        self.refresh(id, false);
    }

    /// Counts one task of an agent less, at `position` of the log.
    pub fn give_slot(&mut self, id: AgentId, position: Position) {
        let agent = &mut self.agents[id.index()];
        agent.active -= 1;
        agent.idle_since = position;
        self.refresh(id, true);
    }

    fn refresh(&mut self, id: AgentId, gained: bool) {
        let agent = &self.agents[id.index()];
        let stays = agent.active.saturating_sub(self.leaving(id));
        let utilization = agent.utilization().map(|_| Ratio::of(u64::from(stays), u64::from(agent.max)));
        self.loads.put(id, utilization);
        let free = self.agents[id.index()].is_free();
        let at = self.free_at[id.index()];
        if free && at == NOT_FREE {
            self.free_at[id.index()] = u32::try_from(self.free.len()).expect("agents are bounded");
            self.free.push(id);
            self.standings.push(self.standing(id));
        } else if free {
            self.standings[at as usize] = self.standing(id);
        } else if at != NOT_FREE {
            self.free.swap_remove(at as usize);
            self.standings.swap_remove(at as usize);
            if let Some(&moved) = self.free.get(at as usize) {
                self.free_at[moved.index()] = at;
            }
            self.free_at[id.index()] = NOT_FREE;
        }
        if gained && free && !self.freed.contains(&id) {
            if self.freed.len() < FREED_LISTED_MAX {
                self.freed.push(id);
            } else {
                self.all_changed = true;
            }
        }
    }

    /// Returns how many of its tasks an agent is handing over to others.
    #[must_use]
    pub fn leaving(&self, id: AgentId) -> u32 {
        self.leaving.get(&id).copied().unwrap_or(0)
    }

    /// Takes how many of its tasks an agent is handing over.
    pub fn set_leaving(&mut self, id: AgentId, count: u32) {
        if count == 0 {
            self.leaving.remove(&id);
        } else {
            self.leaving.insert(id, count);
        }
        self.refresh(id, false);
    }

    /// Takes a new class; its id is the next one.
    pub fn push_class(&mut self, class: Class) -> ClassId {
        let id = ClassId(u32::try_from(self.queues.len()).expect("classes are fewer than tasks"));
        let class = Arc::new(class);
        self.queues.push(Queue { class, waiting: BTreeSet::new(), arrived: false, gate: Gate::Open });
        id
    }

    /// Takes what a class requires from now on, and marks it as changed.
    pub fn set_requires(&mut self, id: ClassId, requires: Box<[Requirement]>) {
        let queue = &mut self.queues[id.index()];
        if !queue.waiting.is_empty() {
            self.holders.unwant(id, &queue.class);
        }
        Arc::make_mut(&mut queue.class).requires = requires;
        if !queue.waiting.is_empty() {
            self.holders.want(id, &queue.class);
        }
        self.roster_version += 1;
        self.loads.touch();
        if !queue.waiting.is_empty() && !queue.arrived {
            queue.arrived = true;
            self.arrived.push(id);
        }
    }

    /// Puts a task into the queue of its class; `veto` is the agent that has just failed it.
    pub fn enqueue(&mut self, id: ClassId, key: QueueKey, veto: Option<AgentId>) {
        let queue = &mut self.queues[id.index()];
        let head = queue.waiting.first().copied();
        queue.waiting.insert(key);
        self.waiting += 1;
        let shut = queue.gate == Gate::Shut;
        if head.is_none() {
            self.holders.want(id, &queue.class);
        }
        let ahead = self.paused && head.is_some_and(|head| key < head);
        if (head.is_none() || ahead) && !queue.arrived && !shut {
            queue.arrived = true;
            self.arrived.push(id);
        }
        if head.is_none_or(|head| key < head) {
            let heads = if shut { &mut self.shut_heads } else { &mut self.heads };
            if let Some(head) = head {
                heads.remove(&(head, id));
            }
            heads.insert((key, id));
        }
        if let Some(agent) = veto {
            self.vetoes.insert(key.task, agent);
        }
    }

    /// Takes a task out of the queue of its class.
    pub fn dequeue(&mut self, id: ClassId, key: &QueueKey) {
        let queue = &mut self.queues[id.index()];
        let was_head = queue.waiting.first() == Some(key);
        if !queue.waiting.remove(key) {
            return;
        }
        self.waiting -= 1;
        if was_head {
            let shut = queue.gate == Gate::Shut;
            let heads = if shut { &mut self.shut_heads } else { &mut self.heads };
            heads.remove(&(*key, id));
            if let Some(&head) = queue.waiting.first() {
                heads.insert((head, id));
            }
        }
        if queue.waiting.is_empty() {
            self.holders.unwant(id, &queue.class);
        }
        if !self.vetoes.is_empty() {
            self.vetoes.remove(&key.task);
        }
    }

    /// Opens or shuts the gate of a class, and returns how it was. Where more may take its tasks than before, the next round
    /// looks at it.
    pub fn set_gate(&mut self, id: ClassId, gate: Gate) -> Gate {
        let queue = &mut self.queues[id.index()];
        let before = std::mem::replace(&mut queue.gate, gate);
        let Some(&head) = queue.waiting.first().filter(|_| before != gate) else { return before };
        if gate == Gate::Shut {
            self.heads.remove(&(head, id));
            self.shut_heads.insert((head, id));
            return before;
        }
        self.shut_heads.remove(&(head, id));
        self.heads.insert((head, id));
        let narrower = before == Gate::Open;
        if !narrower && !queue.arrived {
            queue.arrived = true;
            self.arrived.push(id);
        }
        before
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
        self.freed.clear();
        for id in self.arrived.drain(..) {
            self.queues[id.index()].arrived = false;
        }
        self.all_changed = false;
    }

    /// Marks everything as changed, so that the next round looks at all of it.
    pub fn unsettle(&mut self) {
        self.all_changed = true;
    }
}

/// Agents that are listed one by one as having gained room; beyond it the round looks at everything.
const FREED_LISTED_MAX: usize = 64;
