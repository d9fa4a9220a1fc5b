//! The state of one fleet: primary facts, and the indexes derived from them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use kapell_model::{
    AgentId, AssignmentId, ConflictId, EscalationId, Forecast, Moment, Name, NoticeId, OfferId, Policy,
    Position, QueueKey, Situation, Span, TaskId, TaskState, Text, WaitId, Word,
};
use serde::{Deserialize, Serialize};

use crate::agent::{Agent, Project};
use crate::analysis::{CapabilitySpec, Vocabulary};
use crate::bottleneck::Bottlenecks;
use crate::budget::Ledgers;
use crate::changes::Changes;
use crate::command::TaskRef;
use crate::conflict::Conflict;
use crate::course::Course;
use crate::cycle::BrokenEdge;
use crate::effort::Learning;
use crate::emergency::Emergencies;
use crate::escalation::{Escalation, Matter};
use crate::force::Forces;
use crate::gate::Gates;
use crate::handoff::Handoffs;
use crate::history::History;
use crate::index::{Classes, Words};
use crate::keys::Keys;
use crate::map::Map;
use crate::message::Messages;
use crate::metrics::Metrics;
use crate::precedence::Orders;
use crate::reservations::Reservations;
use crate::segments::Segments;
use crate::soft::SoftClasses;
use crate::task::Task;
use crate::tasks::Tasks;
use crate::watch::Watch;

/// How many tasks are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u32; TaskState::ALL.len()]);

impl Counts {
    /// Returns how many are in `state`.
    #[must_use]
    pub fn of(&self, state: TaskState) -> u32 {
        self.0[state as usize]
    }

    /// Returns how many there are.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    pub(crate) fn add(&mut self, state: TaskState) {
        self.0[state as usize] += 1;
    }

    pub(crate) fn sub(&mut self, state: TaskState) {
        self.0[state as usize] -= 1;
    }
}

/// What became of a late result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfferState {
    /// Nobody has said anything yet.
    Open,
    /// It became the task's result.
    Accepted,
    /// It was put away.
    Declined,
}

impl OfferState {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
        }
    }
}

/// A late result, kept beside its task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// The task.
    pub task: TaskId,
    /// Whose result.
    pub agent: AgentId,
    /// Under which outdated token.
    pub assignment: AssignmentId,
    /// The result.
    pub result: Option<Text>,
    /// When it came.
    pub at: Moment,
    /// What became of it.
    pub state: OfferState,
    /// Why it was put away.
    pub reason: Option<Text>,
}

/// The state of one fleet.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) position: Position,
    pub(crate) at: Moment,
    pub(crate) policy: Policy,
    pub(crate) policy_version: u32,
    pub(crate) agents: Vec<Arc<Agent>>,
    pub(crate) tasks: Tasks,
    pub(crate) projects: BTreeMap<Name, Project>,
    pub(crate) offers: Segments<Offer>,
    pub(crate) escalations: Segments<Escalation>,
    pub(crate) broken: VecDeque<Arc<BrokenEdge>>,
    pub(crate) last_assignment: AssignmentId,
    pub(crate) last_notice: NoticeId,
    pub(crate) absent: Span,
    pub(crate) keys: Keys,
    pub(crate) history: History,
    pub(crate) learning: Learning,
    pub(crate) capabilities: BTreeMap<Name, CapabilitySpec>,
    pub(crate) metrics: Metrics,
    /// Since when the health is low, where it is.
    pub(crate) health_low: Option<Moment>,
    pub(crate) reservations: Reservations,
    /// Blocked tasks that the policy wants cancelled because what they wait for will not come: seen to in the same step, as far
    /// as its bound goes.
    pub(crate) doomed: BTreeSet<TaskId>,
    pub(crate) handoffs: Handoffs,
    pub(crate) conflicts: Segments<Conflict>,
    pub(crate) messages: Messages,
    pub(crate) emergencies: Emergencies,
    pub(crate) forces: Forces,
    /// The last forecast of each project.
    pub(crate) forecasts: BTreeMap<Name, Arc<Forecast>>,
    /// Where in the log it last changed who there is to work.
    pub(crate) agents_changed: Position,
    pub(crate) orders: Orders,
    pub(crate) bottlenecks: Bottlenecks,
    pub(crate) course: Course,
    pub(crate) ledgers: Ledgers,
    // Derived.
    pub(crate) vocabulary: Vocabulary,
    pub(crate) soft: SoftClasses,
    pub(crate) words: Words,
    pub(crate) classes: Classes,
    pub(crate) agent_ids: Map<Name, AgentId>,
    pub(crate) task_keys: Map<Name, TaskId>,
    pub(crate) assigned: BTreeMap<AssignmentId, TaskId>,
    pub(crate) timers: BTreeSet<(Moment, TaskId)>,
    /// Owned tasks by the moment of served time at which they are looked at next.
    pub(crate) checks: BTreeSet<(Moment, TaskId)>,
    /// Owned tasks under investigation, and those of them that had no answer and are still their owner's.
    pub(crate) stalled: BTreeSet<TaskId>,
    /// Those of the former that have begun.
    pub(crate) stalled_running: BTreeSet<TaskId>,
    pub(crate) stranded: BTreeSet<QueueKey>,
    /// Of how many of the latter an agent is the owner.
    pub(crate) silent: BTreeMap<AgentId, u32>,
    pub(crate) counts: Counts,
    pub(crate) online: usize,
    pub(crate) registered: usize,
    pub(crate) watch: Watch,
    pub(crate) open_escalations: BTreeMap<Matter, EscalationId>,
    /// Escalations that nobody has taken on, by when they are raised again.
    pub(crate) calls: BTreeSet<(Moment, EscalationId)>,
    /// Open escalations by who has taken them on.
    pub(crate) taken_on: BTreeSet<(AgentId, EscalationId)>,
    /// Agents by every role that they were registered with, those that were removed too.
    pub(crate) by_role: BTreeMap<Name, BTreeSet<AgentId>>,
    pub(crate) open_offers: BTreeSet<OfferId>,
    /// When whose shift begins or ends next.
    pub(crate) duties: BTreeSet<(Moment, AgentId)>,
    pub(crate) changes: Changes,
    /// Conflicts that nobody has settled; of these those over a place in line, and those that the tally is to decide.
    pub(crate) open_conflicts: BTreeSet<ConflictId>,
    pub(crate) contended: BTreeMap<WaitId, ConflictId>,
    pub(crate) decisions_due: BTreeSet<(Moment, ConflictId)>,
    /// Pairs of tasks, both ways, about a wait between which an escalation is open.
    pub(crate) kept_out: BTreeSet<(TaskId, TaskId)>,
    pub(crate) gates: Gates,
    /// Tasks that wait to be broken down.
    pub(crate) breakdowns: BTreeSet<TaskId>,
    pub(crate) situation: Situation,
    /// Critical tasks that have entered the queue; looked at once the round is over, in the same step.
    pub(crate) critical_arrivals: Vec<TaskId>,
    /// Tasks without a declared estimate that have just become ready; it is frozen in the same step.
    pub(crate) estimable: Vec<TaskId>,
    /// Tasks that have just been taken back once too often; held back in the same step.
    pub(crate) churned: Vec<TaskId>,
    /// Whether a resource has been released that work might need whose owner does not answer; seen to in the same step.
    pub(crate) way_cleared: bool,
    /// Finished work for whose review somebody is to be found; seen to in the same step.
    pub(crate) unplaced_reviews: BTreeSet<TaskId>,
    /// Tasks whose owners have just failed to answer; seen to in the same step.
    pub(crate) unanswered: Vec<TaskId>,
}

impl Default for State {
    fn default() -> Self {
        Self::new(Policy::default())
    }
}

impl State {
    /// Returns the state of a fleet in which nothing has happened yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            position: Position(0),
            at: Moment(0),
            situation: Situation::new(&policy),
            policy,
            policy_version: 0,
            agents: Vec::new(),
            tasks: Tasks::default(),
            projects: BTreeMap::new(),
            offers: Segments::default(),
            escalations: Segments::default(),
            broken: VecDeque::new(),
            last_assignment: AssignmentId(0),
            last_notice: NoticeId(0),
            absent: Span(0),
            keys: Keys::default(),
            history: History::default(),
            learning: Learning::default(),
            capabilities: BTreeMap::new(),
            vocabulary: Vocabulary::default(),
            soft: SoftClasses::default(),
            metrics: Metrics::default(),
            health_low: None,
            reservations: Reservations::default(),
            doomed: BTreeSet::new(),
            handoffs: Handoffs::default(),
            conflicts: Segments::default(),
            messages: Messages::default(),
            emergencies: Emergencies::default(),
            forces: Forces::default(),
            forecasts: BTreeMap::new(),
            agents_changed: Position(0),
            orders: Orders::default(),
            bottlenecks: Bottlenecks::default(),
            course: Course::default(),
            ledgers: Ledgers::default(),
            words: Words::default(),
            classes: Classes::default(),
            agent_ids: Map::default(),
            task_keys: Map::default(),
            assigned: BTreeMap::new(),
            timers: BTreeSet::new(),
            checks: BTreeSet::new(),
            stalled: BTreeSet::new(),
            stalled_running: BTreeSet::new(),
            stranded: BTreeSet::new(),
            silent: BTreeMap::new(),
            counts: Counts::default(),
            online: 0,
            registered: 0,
            watch: Watch::default(),
            open_escalations: BTreeMap::new(),
            calls: BTreeSet::new(),
            taken_on: BTreeSet::new(),
            by_role: BTreeMap::new(),
            open_offers: BTreeSet::new(),
            duties: BTreeSet::new(),
            changes: Changes::default(),
            open_conflicts: BTreeSet::new(),
            contended: BTreeMap::new(),
            decisions_due: BTreeSet::new(),
            kept_out: BTreeSet::new(),
            gates: Gates::default(),
            breakdowns: BTreeSet::new(),
            unplaced_reviews: BTreeSet::new(),
            critical_arrivals: Vec::new(),
            unanswered: Vec::new(),
            way_cleared: false,
            churned: Vec::new(),
            estimable: Vec::new(),
        }
    }

    /// Returns the place of the last event that was folded in.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Returns when the last event happened.
    #[must_use]
    pub fn at(&self) -> Moment {
        self.at
    }

    /// Returns the policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns how often the policy has been set; 0 is the default.
    #[must_use]
    pub fn policy_version(&self) -> u32 {
        self.policy_version
    }

    /// Returns every agent, removed ones too, in the order of registration.
    #[must_use]
    pub fn agents(&self) -> &[Arc<Agent>] {
        &self.agents
    }

    /// Returns every task in the order of submission.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Returns the agent `id`.
    ///
    /// # Panics
    /// Where the id does not come from this fleet.
    #[must_use]
    pub fn agent(&self, id: AgentId) -> &Agent {
        &self.agents[id.index()]
    }

    /// Returns the agent `id`, to be changed; copies it where a view of the facts shares it.
    pub(crate) fn agent_mut(&mut self, id: AgentId) -> &mut Agent {
        Arc::make_mut(&mut self.agents[id.index()])
    }

    /// Returns the task `id`.
    ///
    /// # Panics
    /// Where the id does not come from this fleet.
    #[must_use]
    pub fn task(&self, id: TaskId) -> &Task {
        &self.tasks[id]
    }

    /// Returns the id of the agent called `name`.
    #[must_use]
    pub fn agent_id(&self, name: &str) -> Option<AgentId> {
        self.agent_ids.get(name).copied()
    }

    /// Returns the id of the task that `reference` means.
    #[must_use]
    pub fn task_id(&self, reference: &TaskRef) -> Option<TaskId> {
        match reference {
            TaskRef::Id(id) => Some(*id).filter(|id| id.0 >= 1 && self.tasks.get(*id).is_some()),
            TaskRef::Key(key) => self.task_keys.get(key).copied(),
        }
    }

    /// Returns the projects by name.
    #[must_use]
    pub fn projects(&self) -> &BTreeMap<Name, Project> {
        &self.projects
    }

    /// Returns the capabilities that the fleet defines, by name.
    #[must_use]
    pub fn capabilities(&self) -> &BTreeMap<Name, CapabilitySpec> {
        &self.capabilities
    }

    /// Returns every capability that agents declare or the fleet defines, by name, with how many agents declare it.
    pub fn known_capabilities(&self) -> impl Iterator<Item = (&Name, u32)> + '_ {
        self.vocabulary.iter()
    }

    /// Returns every late result in the order in which they came.
    #[must_use]
    pub fn offers(&self) -> &Segments<Offer> {
        &self.offers
    }

    /// Returns the offer `id`.
    #[must_use]
    pub fn offer(&self, id: OfferId) -> Option<&Offer> {
        self.offers.get((id.0 as usize).checked_sub(1)?)
    }

    /// Returns how many late results nobody has decided about.
    #[must_use]
    pub fn open_offers(&self) -> u32 {
        u32::try_from(self.open_offers.len()).unwrap_or(u32::MAX)
    }

    /// Visits the late results that nobody has decided about, oldest first.
    pub fn offers_to_settle(&self) -> impl Iterator<Item = &Offer> + '_ {
        self.open_offers.iter().filter_map(|&id| self.offer(id))
    }

    /// Returns every escalation in the order in which they were raised.
    #[must_use]
    pub fn escalations(&self) -> &Segments<Escalation> {
        &self.escalations
    }

    /// Returns how many escalations are open.
    #[must_use]
    pub fn open_escalations(&self) -> usize {
        self.open_escalations.len()
    }

    /// Returns the open escalations, oldest first.
    #[must_use]
    pub fn escalations_to_settle(&self) -> Vec<&Escalation> {
        let mut ids: Vec<EscalationId> = self.open_escalations.values().copied().collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| self.escalations.get((id.0 as usize).checked_sub(1)?)).collect()
    }

    /// Returns the task of a live assignment.
    #[must_use]
    pub fn task_of(&self, assignment: AssignmentId) -> Option<&Task> {
        self.assigned.get(&assignment).map(|&task| self.task(task))
    }

    /// Returns the live assignments with their tasks, oldest first.
    pub fn assignments(&self) -> impl Iterator<Item = (AssignmentId, &Task)> + '_ {
        self.assigned.iter().map(|(&assignment, &task)| (assignment, self.task(task)))
    }

    /// Returns what is reserved, and who waits for it.
    #[must_use]
    pub fn reservations(&self) -> &Reservations {
        &self.reservations
    }

    /// Returns when the next reservation or place in line ends by itself.
    #[must_use]
    pub fn next_reservation_end(&self) -> Option<Moment> {
        self.reservations.next_lapse()
    }

    /// Returns how many tasks are in each state.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns how many agents can be reached.
    #[must_use]
    pub fn online(&self) -> usize {
        self.online
    }

    /// Returns what the fleet has done, in sums.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Returns what placing looks at.
    #[must_use]
    pub fn situation(&self) -> &Situation {
        &self.situation
    }

    /// Returns the name behind an interned word.
    ///
    /// # Panics
    /// Where the word does not come from this fleet.
    #[must_use]
    pub fn word(&self, word: Word) -> &Name {
        self.words.name(word)
    }

    /// Returns the interned word of a name, where it occurs in this fleet.
    #[must_use]
    pub fn find_word(&self, name: &str) -> Option<Word> {
        self.words.find(name)
    }

    /// Forgets what replayed events have marked for a round: their rounds are in the log too. To be called now and
    /// then while a log is folded; [`crate::Engine::new`] finds what is left to do.
    pub fn settle_replayed(&mut self) {
        self.situation.settle();
        self.critical_arrivals.clear();
        self.unanswered.clear();
        self.way_cleared = false;
        self.churned.clear();
        self.handoffs.troubled.clear();
        self.estimable.clear();
        self.unplaced_reviews.clear();
        self.reservations.turned.clear();
        self.emergencies.fresh.clear();
        self.ledgers.due.clear();
    }

    /// Returns when the next thing happens by itself: a task that was set aside comes back, a reservation or a place in line
    /// ends, a shift begins or ends, the deadline of a handoff passes, a decision, a review or an acknowledgement is due, an emergency ends, a
    /// checkpoint comes, or another day of budgets begins.
    #[must_use]
    pub fn next_timer(&self) -> Option<Moment> {
        let task = self.timers.first().map(|&(at, _)| at);
        let handoff = self.handoffs.next_timer();
        let (decision, message) = (self.next_decision_due(), self.messages.next_timer());
        let own = task.into_iter().chain(self.reservations.next_lapse());
        let review = self.gates.timers.first().map(|&(at, _)| at);
        let call = self.calls.first().map(|&(at, _)| at);
        let emergency = self.next_emergency_timer().into_iter().chain(self.forces.next_timer());
        own.chain(self.next_duty())
            .chain(handoff)
            .chain(review)
            .chain(call)
            .chain(decision)
            .chain(message)
            .chain(emergency)
            .chain(self.bottlenecks.next_timer())
            .chain(self.ledgers.next_timer())
            .min()
    }
}
