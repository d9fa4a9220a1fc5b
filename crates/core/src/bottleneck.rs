//! What holds a fleet up, found in its windows, and what is done about it (SEMANTICS 8).
//!
//! ```text
//! found -> an action of each kind that helps, with what was measured before -> ended: its time is over, or it is no bottleneck
//!   ^                                                                          any more, with what is measured after
//!   +--- looked at once a period; gone where what is measured is within its bound again
//! ```
//! Every action has an end, and is undone there: agents are kept for a capability for at most 4 h.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use kapell_model::{
    ActionId, AgentId, AgentState, BottleneckId, Mode, Moment, Name, Need, Span, TaskId, Text, limits,
};
use serde::{Deserialize, Serialize};

use crate::gap::{Wanted, measure_of_taker};
use crate::message::{Channel, Talk};
use crate::overlaps::Overlaps;
use crate::state::State;

/// The wait for a resource that nine of ten should not exceed.
const WAIT_BOUND: Span = Span::minutes(15);
/// For so long a wait for a resource says something about it.
const WINDOW: Span = Span::hours(24);
/// Waits for a resource without which nothing is said about it.
const WAITS_LEAST: usize = 3;
/// Messages for each joint task of a pair above which it talks too much, in hundredths; a handoff counts as five messages.
const TALK_HUNDREDTHS: u64 = 1_000;
/// Messages for each member by which the unread of a channel may grow within a day, in hundredths.
const UNREAD_HUNDREDTHS: u64 = 1_000;

/// What sort of bottleneck it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BottleneckKind {
    /// More work needs a capability than there is of it.
    CapabilityGap,
    /// A resource is waited for too long.
    ResourceConstraint,
    /// Two agents talk too much for what they do together, or a channel is read too little.
    CommunicationOverhead,
}

impl BottleneckKind {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CapabilityGap => "capability_gap",
            Self::ResourceConstraint => "resource_constraint",
            Self::CommunicationOverhead => "communication_overhead",
        }
    }
}

/// What a bottleneck is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Narrow {
    /// A capability.
    Capability(Name),
    /// Who could take ready work that nobody who is online can, whatever they learn: `role architect`, `agent ann`, `anybody but ann`.
    Taker(Text),
    /// A resource, as it is written.
    Resource(Text),
    /// Two agents, the one with the smaller id first.
    Pair(AgentId, AgentId),
    /// A channel whose unread grows.
    Channel(Name),
}

impl Narrow {
    /// Returns the kind of bottleneck that it is.
    #[must_use]
    pub const fn kind(&self) -> BottleneckKind {
        match self {
            Self::Capability(_) | Self::Taker(_) => BottleneckKind::CapabilityGap,
            Self::Resource(_) => BottleneckKind::ResourceConstraint,
            Self::Pair(..) | Self::Channel(_) => BottleneckKind::CommunicationOverhead,
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Above the bound.
    Low,
    /// Twice the bound or more.
    Medium,
    /// Four times the bound or more, or work that nobody who is online could do.
    High,
}

impl Severity {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What was measured, and the bound that it should not exceed: hundredths of demand over supply for a capability, milliseconds of
/// the wait that nine of ten did not exceed for a resource, hundredths of messages for each joint task for a pair and for each member
/// for a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Measure {
    /// What was measured.
    pub value: u64,
    /// What it should not exceed.
    pub bound: u64,
}

impl From<(u64, u64)> for Measure {
    fn from((value, bound): (u64, u64)) -> Self {
        Self { value, bound }
    }
}

impl From<Measure> for (u64, u64) {
    fn from(measure: Measure) -> Self {
        (measure.value, measure.bound)
    }
}

impl Measure {
    pub(crate) fn severity(self) -> Severity {
        match self.value {
            value if value >= self.bound.saturating_mul(4) => Severity::High,
            value if value >= self.bound.saturating_mul(2) => Severity::Medium,
            _ => Severity::Low,
        }
    }

    /// Says in words what was measured for a bottleneck of `kind`.
    #[must_use]
    pub fn text(self, kind: BottleneckKind) -> String {
        let hundredths = |number: u64| format!("{}.{:02}", number / 100, number % 100);
        match kind {
            BottleneckKind::ResourceConstraint => {
                let span = |number: u64| Span(i64::try_from(number).unwrap_or(i64::MAX));
                format!("{} of {}", span(self.value), span(self.bound))
            }
            _ => format!("{} of {}", hundredths(self.value), hundredths(self.bound)),
        }
    }
}

/// Something that holds the work up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bottleneck {
    /// Its id.
    pub id: BottleneckId,
    /// What it is about.
    pub about: Narrow,
    /// How bad it is, as last found.
    pub severity: Severity,
    /// What was measured then.
    pub measure: Measure,
    /// That in words.
    pub detail: Text,
    /// When it was found.
    pub at: Moment,
    /// When it was gone, and what was measured then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<(Moment, Measure)>,
}

/// What is done about a bottleneck.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Somebody is asked to train agents, or to bring some in.
    Training {
        /// In what.
        capability: Name,
    },
    /// Somebody is asked to bring in who could take the work.
    Staffing {
        /// Who that is.
        who: Text,
    },
    /// Those who can are kept for what needs it.
    Kept {
        /// For what.
        capability: Name,
        /// Who.
        agents: Vec<AgentId>,
    },
    /// The resource is given out for less long.
    ShorterLeases {
        /// Which.
        resource: Text,
        /// For so long at most.
        ttl: Span,
    },
    /// Who only reads it shares it with others who do, holders too.
    Sharing {
        /// Which.
        resource: Text,
    },
    /// Those in line who share it are served together, when the turn of the first of them comes.
    Batching {
        /// Which.
        resource: Text,
    },
    /// The pair has a channel of its own.
    DirectChannel {
        /// Its name.
        channel: Name,
        /// Who is in it.
        pair: (AgentId, AgentId),
    },
    /// What waits for the work of one of a pair, and would go to the other, goes to that one where it can.
    Together {
        /// Who they are.
        pair: (AgentId, AgentId),
    },
    /// What is said there and is not urgent is gathered, and comes as digests.
    Digest {
        /// Where.
        talk: Talk,
    },
}

impl Remedy {
    /// The word for agents that are kept.
    pub(crate) const KEPT: &'static str = "kept";

    /// Returns the word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Training { .. } => "training",
            Self::Staffing { .. } => "staffing",
            Self::Kept { .. } => Self::KEPT,
            Self::ShorterLeases { .. } => "shorter_leases",
            Self::Sharing { .. } => "sharing",
            Self::Batching { .. } => "batching",
            Self::DirectChannel { .. } => "direct_channel",
            Self::Together { .. } => "together",
            Self::Digest { .. } => "digest",
        }
    }
}

/// Why an action has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionEnd {
    /// Its time is over.
    Expired,
    /// It is no bottleneck any more.
    Relieved,
    /// Critical work needs who was kept.
    Needed,
}

impl ActionEnd {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Relieved => "relieved",
            Self::Needed => "needed",
        }
    }
}

/// Something that is or was done about a bottleneck.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BottleneckAction {
    /// Its id.
    pub id: ActionId,
    /// About which bottleneck.
    pub bottleneck: BottleneckId,
    /// What.
    pub remedy: Remedy,
    /// When it began.
    pub at: Moment,
    /// When it ends at the latest.
    pub expires_at: Moment,
    /// What was measured before.
    pub before: Measure,
    /// When and why it has ended, and what was measured then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<(Moment, ActionEnd, Measure)>,
}

/// The bottlenecks of a fleet and what was done about them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Bottlenecks {
    /// All that are there, and the last [`limits::BOTTLENECKS_KEPT_MAX`] that are not.
    pub(crate) all: BTreeMap<BottleneckId, Bottleneck>,
    /// Likewise.
    pub(crate) actions: BTreeMap<ActionId, BottleneckAction>,
    pub(crate) last_id: u32,
    pub(crate) last_action: u32,
    /// Since when the performance is worse than it was, where it is.
    pub(crate) degraded: Option<Moment>,
    // Derived.
    #[serde(skip)]
    pub(crate) open: BTreeMap<Narrow, BottleneckId>,
    #[serde(skip)]
    pub(crate) running: BTreeSet<(Moment, ActionId)>,
    /// Of those, by which each agent is kept that is.
    #[serde(skip)]
    pub(crate) keepers: BTreeMap<AgentId, BTreeSet<ActionId>>,
    /// Of those, by which leases are shorter, near what they are about.
    #[serde(skip)]
    pub(crate) shorter: Overlaps<ActionId>,
    /// Of those, by which what only reads is shared, near what they are about.
    #[serde(skip)]
    pub(crate) sharing: Overlaps<ActionId>,
    /// Of those, by which waiters are served together.
    #[serde(skip)]
    pub(crate) batching: Overlaps<ActionId>,
    /// Of those, by which the work of each agent is kept together with another's.
    #[serde(skip)]
    pub(crate) together: BTreeMap<AgentId, BTreeSet<ActionId>>,
    /// Of those, by which what is said somewhere comes as digests.
    #[serde(skip)]
    pub(crate) digests: BTreeMap<Talk, ActionId>,
    /// The last action of each kind about each matter.
    #[serde(skip)]
    pub(crate) last: BTreeMap<(Narrow, &'static str), ActionId>,
}

impl Bottlenecks {
    /// Returns a bottleneck.
    #[must_use]
    pub fn get(&self, id: BottleneckId) -> Option<&Bottleneck> {
        self.all.get(&id)
    }

    /// Returns an action.
    #[must_use]
    pub fn action(&self, id: ActionId) -> Option<&BottleneckAction> {
        self.actions.get(&id)
    }

    /// Visits the bottlenecks that are still there, by what they are about.
    pub fn open(&self) -> impl Iterator<Item = &Bottleneck> + '_ {
        self.open.values().filter_map(|&id| self.get(id))
    }

    /// Visits all bottlenecks, newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Bottleneck> + '_ {
        self.all.values().rev()
    }

    /// Visits all actions, newest first.
    pub fn newest_actions(&self) -> impl Iterator<Item = &BottleneckAction> + '_ {
        self.actions.values().rev()
    }

    /// Visits the actions that have not ended, the first to end first.
    pub fn running(&self) -> impl Iterator<Item = &BottleneckAction> + '_ {
        self.running.iter().filter_map(|&(_, id)| self.action(id))
    }

    /// Returns since when the performance is worse than it was, where it is.
    #[must_use]
    pub fn degraded_since(&self) -> Option<Moment> {
        self.degraded
    }

    pub(crate) fn next_timer(&self) -> Option<Moment> {
        self.running.first().map(|&(at, _)| at)
    }

    /// Makes what is derived again.
    pub(crate) fn restore(&mut self) {
        for bottleneck in self.all.values().filter(|it| it.gone.is_none()) {
            self.open.insert(bottleneck.about.clone(), bottleneck.id);
        }
        for action in self.actions.values() {
            if let Some(bottleneck) = self.all.get(&action.bottleneck) {
                self.last.insert((bottleneck.about.clone(), action.remedy.as_str()), action.id);
            }
        }
        let running: Vec<_> =
            self.actions.values().filter(|action| action.ended.is_none()).cloned().collect();
        running.iter().for_each(|action| self.begin(action));
    }

    /// Forgets the oldest that are over, beyond the bound.
    pub(crate) fn forget(&mut self) {
        if self.all.len() - self.open.len() > limits::BOTTLENECKS_KEPT_MAX
            && let Some(id) = self.all.values().find(|it| it.gone.is_some()).map(|it| it.id)
        {
            self.all.remove(&id);
            self.actions.retain(|_, action| action.bottleneck != id);
        }
        if self.actions.len() - self.running.len() > limits::BOTTLENECKS_KEPT_MAX
            && let Some(id) = self.actions.values().find(|it| it.ended.is_some()).map(|it| it.id)
        {
            self.actions.remove(&id);
        }
        let actions = &self.actions;
        self.last.retain(|_, id| actions.contains_key(id));
    }

    /// Takes an action into the indexes of those that run.
    pub(crate) fn begin(&mut self, action: &BottleneckAction) {
        self.running.insert((action.expires_at, action.id));
        match &action.remedy {
            Remedy::Kept { agents, .. } => {
                for &agent in agents {
                    self.keepers.entry(agent).or_default().insert(action.id);
                }
            }
            Remedy::ShorterLeases { resource, .. } => {
                self.shorter.insert(need_of(resource).as_slice(), action.id);
            }
            Remedy::Sharing { resource } => self.sharing.insert(need_of(resource).as_slice(), action.id),
            Remedy::Batching { resource } => self.batching.insert(need_of(resource).as_slice(), action.id),
            Remedy::Together { pair: (one, other) } => {
                for agent in [one, other] {
                    self.together.entry(*agent).or_default().insert(action.id);
                }
            }
            Remedy::Digest { talk } => {
                self.digests.insert(talk.clone(), action.id);
            }
            Remedy::Training { .. } | Remedy::Staffing { .. } | Remedy::DirectChannel { .. } => {}
        }
    }

    /// Takes it out of them.
    pub(crate) fn end(&mut self, action: &BottleneckAction) {
        self.running.remove(&(action.expires_at, action.id));
        match &action.remedy {
            Remedy::Kept { agents, .. } => {
                agents.iter().for_each(|&agent| leave(&mut self.keepers, agent, action.id));
            }
            Remedy::ShorterLeases { resource, .. } => {
                self.shorter.remove(need_of(resource).as_slice(), action.id);
            }
            Remedy::Sharing { resource } => self.sharing.remove(need_of(resource).as_slice(), action.id),
            Remedy::Batching { resource } => self.batching.remove(need_of(resource).as_slice(), action.id),
            Remedy::Together { pair: (one, other) } => {
                [one, other].into_iter().for_each(|&agent| leave(&mut self.together, agent, action.id));
            }
            Remedy::Digest { talk } => {
                self.digests.remove(talk);
            }
            Remedy::Training { .. } | Remedy::Staffing { .. } | Remedy::DirectChannel { .. } => {}
        }
    }
}

fn leave(index: &mut BTreeMap<AgentId, BTreeSet<ActionId>>, agent: AgentId, id: ActionId) {
    if let Some(actions) = index.get_mut(&agent) {
        actions.remove(&id);
        if actions.is_empty() {
            index.remove(&agent);
        }
    }
}

/// Reads a resource as it was written.
pub(crate) fn need_of(resource: &Text) -> Option<Need> {
    Some(Need { resource: resource.as_str().parse().ok()?, mode: Mode::Exclusive })
}

/// What was found narrow: how narrow, how bad that is, and in words.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) measure: Measure,
    pub(crate) severity: Severity,
    pub(crate) detail: String,
}

impl State {
    /// Returns the bottlenecks, and what was done about them.
    #[must_use]
    pub fn bottlenecks(&self) -> &Bottlenecks {
        &self.bottlenecks
    }

    /// Measures everything that could be narrow now, and returns what is.
    pub(crate) fn narrow(&self, now: Moment, wanted: &Wanted) -> BTreeMap<Narrow, Found> {
        let mut narrow = BTreeMap::new();
        for gap in self.gaps(wanted) {
            let name = self.word(gap.capability).clone();
            let (measure, severity, detail) = (gap.measure(), gap.severity(), gap.text(&name));
            narrow.insert(Narrow::Capability(name), Found { measure, severity, detail });
        }
        for (who, hours) in &wanted.takers {
            let detail =
                format!("{hours} of ready work can be taken by nobody who is online: it asks for {who}");
            let found = Found { measure: measure_of_taker(Some(hours)), severity: Severity::High, detail };
            narrow.insert(Narrow::Taker(who.clone()), found);
        }
        for (resource, measure) in self.metrics.resources(now) {
            if measure.value > measure.bound {
                let said = measure.text(BottleneckKind::ResourceConstraint);
                let detail = format!("nine of ten waits for {resource} are over only after {said}");
                narrow.insert(
                    Narrow::Resource(resource.clone()),
                    Found { measure, severity: measure.severity(), detail },
                );
            }
        }
        for &(one, other) in self.messages.traffic.keys() {
            let Some(measure) = self.talk(one, other, now).filter(|measure| measure.value > measure.bound)
            else {
                continue;
            };
            let (name, with) = (&self.agent(one).spec.name, &self.agent(other).spec.name);
            let said = measure.text(BottleneckKind::CommunicationOverhead);
            let detail = format!("`{name}` and `{with}` exchange {said} messages for each joint task");
            let found = Found { measure, severity: measure.severity(), detail };
            narrow.insert(Narrow::Pair(one, other), found);
        }
        for (name, channel) in &self.messages.channels {
            let measure = self.unread_growth(channel, now);
            if measure.value > measure.bound {
                let said = measure.text(BottleneckKind::CommunicationOverhead);
                let detail = format!("within a day `{name}` grew by {said} unread messages for each member");
                let found = Found { measure, severity: measure.severity(), detail };
                narrow.insert(Narrow::Channel(name.clone()), found);
            }
        }
        narrow
    }

    /// Measures what a bottleneck is about, whether it is narrow or not.
    pub(crate) fn measured(&self, about: &Narrow, now: Moment, wanted: &Wanted) -> Measure {
        match about {
            Narrow::Capability(name) => self.measured_gap(name, wanted),
            Narrow::Taker(who) => measure_of_taker(wanted.takers.get(who)),
            Narrow::Resource(resource) => {
                let waits = self.metrics.resource(resource).and_then(|waits| waits.measured(now));
                waits.unwrap_or(Measure { value: 0, bound: WAIT_BOUND.0.unsigned_abs() })
            }
            Narrow::Pair(one, other) => {
                self.talk(*one, *other, now).unwrap_or(Measure { value: 0, bound: TALK_HUNDREDTHS })
            }
            Narrow::Channel(name) => {
                let channel = self.messages.channels.get(name);
                let none = Measure { value: 0, bound: UNREAD_HUNDREDTHS };
                channel.map_or(none, |channel| self.unread_growth(channel, now))
            }
        }
    }

    /// Measures what an action is about for how it stands after it: of a resource the waits since it began.
    pub(crate) fn measured_after(&self, action: &BottleneckAction, now: Moment, wanted: &Wanted) -> Measure {
        match self.bottlenecks.get(action.bottleneck).map(|it| &it.about) {
            Some(Narrow::Resource(resource)) => {
                let waits = self.metrics.resource(resource).and_then(|waits| waits.measured_since(action.at));
                waits.unwrap_or(Measure { value: 0, ..action.before })
            }
            Some(about) => self.measured(about, now, wanted),
            None => action.before,
        }
    }

    /// Returns the messages of a pair for each joint task within a day, a handoff counted as five; nothing where they have sent each
    /// other nothing.
    fn talk(&self, one: AgentId, other: AgentId, now: Moment) -> Option<Measure> {
        let traffic = self.messages.traffic.get(&(one, other))?;
        let (messages, handoffs) = traffic.counts(now);
        let sent = u64::from(messages).max(u64::from(handoffs) * 5) * 100;
        let measure = |tasks: usize| Measure { value: sent / (tasks.max(1) as u64), bound: TALK_HUNDREDTHS };
        if sent == 0 {
            return None;
        }
        // What the graph says is looked up only where it matters.
        let mut tasks: BTreeSet<TaskId> = traffic.tasks(now).collect();
        if sent > TALK_HUNDREDTHS * (tasks.len().max(1) as u64) {
            self.joint_tasks((one, other), &mut tasks);
            self.joint_tasks((other, one), &mut tasks);
        }
        Some(measure(tasks.len()))
    }

    /// Returns by how many messages for each member the unread of a channel has grown within a day.
    fn unread_growth(&self, channel: &Channel, now: Moment) -> Measure {
        let present = |agent: &&AgentId| self.agent(**agent).state != AgentState::Removed;
        let grown = channel.grown(now);
        let members = if grown == 0 { 1 } else { channel.members.iter().filter(present).count().max(1) };
        Measure { value: grown * 100 / members as u64, bound: UNREAD_HUNDREDTHS }
    }

    /// Tells whether what is said somewhere comes as digests, where it is not urgent.
    pub(crate) fn is_gathered(&self, talk: &Talk) -> bool {
        self.bottlenecks.digests.contains_key(talk)
    }

    /// Returns who should have a task rather than `agent`, by an action that keeps work together: another whose work it waits for,
    /// where it waits for none of the agent's.
    pub(crate) fn rather(&self, task: TaskId, agent: AgentId) -> Option<(ActionId, AgentId)> {
        let actions = self.bottlenecks.together.get(&agent)?;
        let by = |on: TaskId| self.task(on).ending.as_ref().and_then(|it| it.by).map(|(agent, _)| agent);
        let done: BTreeSet<AgentId> = self.tasks.get(task)?.gates().filter_map(by).collect();
        if done.contains(&agent) {
            return None;
        }
        let others = actions.iter().filter_map(|&id| match self.bottlenecks.action(id)?.remedy {
            Remedy::Together { pair: (one, other) } => Some((id, if one == agent { other } else { one })),
            _ => None,
        });
        others.into_iter().find(|(_, other)| done.contains(other))
    }

    /// Puts the tasks of the first agent into `out` that the second has had too, or that wait for a task of it.
    fn joint_tasks(&self, (one, other): (AgentId, AgentId), out: &mut BTreeSet<TaskId>) {
        let has = |id: TaskId| {
            let task = self.task(id);
            let ended = task.ending.as_ref().and_then(|ending| ending.by).map(|(agent, _)| agent);
            task.owner.as_ref().map(|owner| owner.agent).or(ended) == Some(other)
        };
        for task in self.agent(one).tasks.iter().map(|&task| self.task(task)) {
            let had = task.past.iter().any(|&(_, agent)| agent == other);
            if had || task.gates().any(has) {
                out.insert(task.id);
            }
        }
    }

    /// Returns how long what overlaps `needs` may be given out for at most, while leases on it are kept shorter.
    pub(crate) fn lease_most(&self, needs: &[Need]) -> Option<Span> {
        let near = self.bottlenecks.shorter.near(needs).into_iter();
        let bounds = near.filter_map(|id| match &self.bottlenecks.action(id)?.remedy {
            Remedy::ShorterLeases { resource, ttl } => {
                let narrow = need_of(resource)?.resource;
                needs.iter().any(|need| need.resource.overlaps(&narrow)).then_some(*ttl)
            }
            _ => None,
        });
        bounds.min()
    }

    /// Tells whether what meets a need is shared: as it is said, or since it only reads what is narrow.
    pub(crate) fn is_shared(&self, need: &Need) -> bool {
        match need.mode {
            Mode::Shared => true,
            Mode::Exclusive => false,
            Mode::Reads => self.acts_on(need, &self.bottlenecks.sharing),
        }
    }

    /// Tells whether those in line who share what meets a need are served together.
    pub(crate) fn is_batched(&self, need: &Need) -> bool {
        self.acts_on(need, &self.bottlenecks.batching)
    }

    fn acts_on(&self, need: &Need, actions: &Overlaps<ActionId>) -> bool {
        let about = |id: ActionId| match &self.bottlenecks.action(id)?.remedy {
            Remedy::Sharing { resource } | Remedy::Batching { resource } => need_of(resource),
            _ => None,
        };
        let near = actions.near(std::slice::from_ref(need)).into_iter().filter_map(about);
        near.into_iter().any(|narrow| narrow.resource.overlaps(&need.resource))
    }

    /// Returns needs as they are given out now.
    pub(crate) fn as_given_out(&self, needs: &Arc<[Need]>) -> Arc<[Need]> {
        let turns = |need: &Need| need.mode == Mode::Reads && self.is_shared(need);
        if !needs.iter().any(turns) {
            return Arc::clone(needs);
        }
        let given = needs
            .iter()
            .map(|need| Need { mode: if turns(need) { Mode::Shared } else { need.mode }, ..need.clone() });
        given.collect()
    }

    /// Visits the actions that have not ended by which an agent is kept.
    pub(crate) fn keepers_of(&self, agent: AgentId) -> impl Iterator<Item = ActionId> + '_ {
        self.bottlenecks.keepers.get(&agent).into_iter().flatten().copied()
    }

    /// Returns for what an agent is kept by the actions that have not ended.
    pub(crate) fn kept_for(&self, agent: AgentId) -> BTreeSet<&Name> {
        let keepers = self.keepers_of(agent).filter_map(|id| self.bottlenecks.action(id));
        let names = keepers.filter_map(|action| match &action.remedy {
            Remedy::Kept { capability, .. } => Some(capability),
            _ => None,
        });
        names.collect()
    }

    /// Returns everybody who is kept for something.
    pub(crate) fn all_kept(&self) -> BTreeSet<AgentId> {
        self.bottlenecks.keepers.keys().copied().collect()
    }
}

/// A wait in the queue, or for one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Moment, Span, Option<Span>)", into = "(Moment, Span, Option<Span>)")]
struct RecentWait {
    /// When it was over.
    at: Moment,
    wait: Span,
    /// The estimate of the task for the sake of which, where it is for a resource.
    estimate: Option<Span>,
}

impl From<(Moment, Span, Option<Span>)> for RecentWait {
    fn from((at, wait, estimate): (Moment, Span, Option<Span>)) -> Self {
        Self { at, wait, estimate }
    }
}

impl From<RecentWait> for (Moment, Span, Option<Span>) {
    fn from(it: RecentWait) -> Self {
        (it.at, it.wait, it.estimate)
    }
}

/// The last waits of one sort: those that were over within a day, 50 at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecentWaits(VecDeque<RecentWait>);

impl RecentWaits {
    pub(crate) fn push(&mut self, wait: Span, estimate: Option<Span>, at: Moment) {
        let old = self.0.iter().take_while(|it| at.since(it.at) > WINDOW).count();
        let full = usize::from(self.0.len() - old == limits::OUTCOMES_MAX);
        self.0.drain(..old + full);
        self.0.push_back(RecentWait { at, wait, estimate });
    }

    /// Returns when the last wait was over.
    pub(crate) fn last(&self) -> Option<Moment> {
        self.0.back().map(|it| it.at)
    }

    /// Returns the wait that nine of ten did not exceed of at least `least` that were over from `since` on, and what it should not
    /// exceed: 15 min, or a quarter of the median estimate of the waiters.
    fn measure(&self, since: Moment, least: usize) -> Option<Measure> {
        let own = || self.0.iter().filter(|it| it.at >= since);
        let waits: Vec<Span> = own().map(|it| it.wait).collect();
        if waits.len() < least {
            return None;
        }
        let estimate = ranked(own().filter_map(|it| it.estimate).collect(), 50);
        let quarter = estimate.map(|estimate| Span(estimate.0 / 4));
        let bound = quarter.map_or(WAIT_BOUND, |quarter| quarter.min(WAIT_BOUND)).max(Span(1));
        let value = ranked(waits, 90)?.0.unsigned_abs();
        Some(Measure { value, bound: bound.0.unsigned_abs() })
    }

    /// Measures the waits of the window before `now`, where they say anything.
    pub(crate) fn measured(&self, now: Moment) -> Option<Measure> {
        self.measure(now.before(WINDOW), WAITS_LEAST)
    }

    /// Returns those that were over in the window before `now` in figures; nothing where there are none.
    pub(crate) fn times(&self, now: Moment) -> Option<WaitTimes> {
        let own = || self.0.iter().filter(|it| it.at >= now.before(WINDOW)).map(|it| it.wait);
        let of = |percent| ranked(own().collect(), percent);
        Some(WaitTimes { count: own().count(), p50: of(50)?, p90: of(90)?, longest: of(100)? })
    }

    /// Measures the waits since an action began, however few.
    pub(crate) fn measured_since(&self, since: Moment) -> Option<Measure> {
        self.measure(Moment(since.0.saturating_add(1)), 1)
    }
}

/// Returns what `percent` of all do not exceed (nearest rank).
fn ranked(mut spans: Vec<Span>, percent: usize) -> Option<Span> {
    spans.sort_unstable();
    spans.get((spans.len() * percent).div_ceil(100).saturating_sub(1)).copied()
}

/// Waits in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimes {
    /// How many.
    pub count: usize,
    /// What half of them did not exceed.
    pub p50: Span,
    /// What nine of ten did not exceed.
    pub p90: Span,
    /// The longest.
    pub longest: Span,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
