//! What holds a fleet up, found in its windows, and what is done about it (SEMANTICS 8).
//!
//! ```text
//! found -> an action of each kind that helps, with what was measured before -> ended: its time is over, or it is no bottleneck
//!   ^                                                                          any more, with what is measured after
//!   +--- looked at once a period; gone where what is measured is within its bound again
//! ```
//! Every action has an end, and is undone there: agents are kept for a capability for at most 4 h.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use kapell_model::{
    ActionId, AgentId, AgentState, BottleneckId, ClassId, Mode, Moment, Name, Need, Ratio, Span, Text, Word,
};
use serde::{Deserialize, Serialize};

use crate::overlaps::Overlaps;
use crate::segments::Segments;
use crate::state::State;

/// What an agent must have in a capability to count as able.
pub const ABLE: Ratio = Ratio::micros(600_000);
/// Hours of work that a free slot is good for when demand is set against it: a working day.
pub const SLOT_HOURS: i64 = 8;
/// Demand over supply above which a capability is short, in hundredths.
const GAP_HUNDREDTHS: u64 = 150;
/// The wait for a resource that nine of ten should not exceed.
const WAIT_BOUND: Span = Span::minutes(15);
/// For so long after the last one waits for a resource and messages of a pair say something about it.
pub(crate) const WINDOW: Span = Span::hours(24);
/// Waits for a resource without which nothing is said about it.
const WAITS_LEAST: usize = 3;
/// Messages for each joint task of a pair above which it talks too much, in hundredths; a handoff counts as five messages.
const TALK_HUNDREDTHS: u64 = 1_000;

/// What sort of bottleneck it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BottleneckKind {
    /// More work needs a capability than there is of it.
    CapabilityGap,
    /// A resource is waited for too long.
    ResourceConstraint,
    /// Two agents talk too much for what they do together.
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
    /// A resource, as it is written.
    Resource(Text),
    /// Two agents, the one with the smaller id first.
    Pair(AgentId, AgentId),
}

impl Narrow {
    /// Returns the kind of bottleneck that it is.
    #[must_use]
    pub const fn kind(&self) -> BottleneckKind {
        match self {
            Self::Capability(_) => BottleneckKind::CapabilityGap,
            Self::Resource(_) => BottleneckKind::ResourceConstraint,
            Self::Pair(..) => BottleneckKind::CommunicationOverhead,
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
/// the wait that nine of ten did not exceed for a resource, hundredths of messages for each joint task for a pair.
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
    fn severity(self) -> Severity {
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
    /// The pair has a channel of its own.
    DirectChannel {
        /// Its name.
        channel: Name,
        /// Who is in it.
        pair: (AgentId, AgentId),
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
            Self::Kept { .. } => Self::KEPT,
            Self::ShorterLeases { .. } => "shorter_leases",
            Self::DirectChannel { .. } => "direct_channel",
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
}

impl ActionEnd {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Relieved => "relieved",
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
    pub(crate) all: Segments<Bottleneck>,
    pub(crate) actions: Segments<BottleneckAction>,
    /// Since when the performance is worse than it was, where it is.
    pub(crate) degraded: Option<Moment>,
    // Derived.
    #[serde(skip)]
    pub(crate) open: BTreeMap<Narrow, BottleneckId>,
    #[serde(skip)]
    pub(crate) running: BTreeSet<(Moment, ActionId)>,
    /// Of those, by which agents are kept.
    #[serde(skip)]
    pub(crate) keeping: BTreeSet<ActionId>,
    /// Of those, by which leases are shorter, near what they are about.
    #[serde(skip)]
    pub(crate) shorter: Overlaps<ActionId>,
    /// The last action of each kind about each matter.
    #[serde(skip)]
    pub(crate) last: BTreeMap<(Narrow, &'static str), ActionId>,
}

impl Bottlenecks {
    /// Returns a bottleneck.
    #[must_use]
    pub fn get(&self, id: BottleneckId) -> Option<&Bottleneck> {
        self.all.get((id.0 as usize).checked_sub(1)?)
    }

    /// Returns an action.
    #[must_use]
    pub fn action(&self, id: ActionId) -> Option<&BottleneckAction> {
        self.actions.get((id.0 as usize).checked_sub(1)?)
    }

    /// Visits the bottlenecks that are still there, by what they are about.
    pub fn open(&self) -> impl Iterator<Item = &Bottleneck> + '_ {
        self.open.values().filter_map(|&id| self.get(id))
    }

    /// Visits all bottlenecks, newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Bottleneck> + '_ {
        self.all.iter().rev()
    }

    /// Visits all actions, newest first.
    pub fn newest_actions(&self) -> impl Iterator<Item = &BottleneckAction> + '_ {
        self.actions.iter().rev()
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
        for bottleneck in self.all.iter().filter(|it| it.gone.is_none()) {
            self.open.insert(bottleneck.about.clone(), bottleneck.id);
        }
        for action in self.actions.iter() {
            if let Some(bottleneck) = self.all.get(action.bottleneck.0 as usize - 1) {
                self.last.insert((bottleneck.about.clone(), action.remedy.as_str()), action.id);
            }
        }
        let running: Vec<_> = self.actions.iter().filter(|action| action.ended.is_none()).cloned().collect();
        running.iter().for_each(|action| self.begin(action));
    }

    /// Takes an action into the indexes of those that run.
    pub(crate) fn begin(&mut self, action: &BottleneckAction) {
        self.running.insert((action.expires_at, action.id));
        match &action.remedy {
            Remedy::Kept { .. } => {
                self.keeping.insert(action.id);
            }
            Remedy::ShorterLeases { resource, .. } => {
                self.shorter.insert(need_of(resource).as_slice(), action.id);
            }
            Remedy::Training { .. } | Remedy::DirectChannel { .. } => {}
        }
    }

    /// Takes it out of them.
    pub(crate) fn end(&mut self, action: &BottleneckAction) {
        self.running.remove(&(action.expires_at, action.id));
        self.keeping.remove(&action.id);
        if let Remedy::ShorterLeases { resource, .. } = &action.remedy {
            self.shorter.remove(need_of(resource).as_slice(), action.id);
        }
    }

    /// Visits the agents that are kept by each action that runs, with for what.
    fn kept(&self) -> impl Iterator<Item = (&Name, &[AgentId])> + '_ {
        self.keeping.iter().filter_map(|&id| match &self.action(id)?.remedy {
            Remedy::Kept { capability, agents } => Some((capability, agents.as_slice())),
            _ => None,
        })
    }
}

/// Reads a resource as it was written.
fn need_of(resource: &Text) -> Option<Need> {
    Some(Need { resource: resource.as_str().parse().ok()?, mode: Mode::Exclusive })
}

/// What a capability is short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Which.
    pub capability: Word,
    /// Hours of queued work that need it, each estimate shared out by the weights.
    pub wanted: Span,
    /// Agents online with at least [`ABLE`] in it.
    pub able: u32,
    /// Their free slots.
    pub free: u32,
    /// What those are good for.
    pub supply: Span,
    /// Whether queued work demands more of it than anybody has who is online.
    pub beyond: bool,
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

    /// Returns the capabilities of which more is wanted than there is: first those that nobody has who is online, then the widest
    /// gaps. Costs time in what is wanted and in who has it.
    #[must_use]
    pub fn capability_gaps(&self) -> Vec<Gap> {
        self.gaps(&self.demand())
    }

    fn gaps(&self, demand: &BTreeMap<Word, Span>) -> Vec<Gap> {
        let beyond = self.beyond_everybody();
        let mut gaps: Vec<Gap> = demand.iter().map(|(&word, &wanted)| self.gap(word, wanted)).collect();
        for gap in &mut gaps {
            gap.beyond = beyond.contains(&gap.capability);
        }
        gaps.retain(|gap| gap.able == 0 || gap.beyond || gap.is_wide());
        gaps.sort_by_key(|gap| {
            let missing = gap.wanted.0.saturating_sub(gap.supply.0);
            (gap.able > 0, std::cmp::Reverse(missing), gap.capability)
        });
        gaps
    }

    fn gap(&self, capability: Word, wanted: Span) -> Gap {
        let (mut able, mut free) = (0, 0);
        for agent in self.able_in(capability) {
            let view = self.situation.agent(agent);
            able += 1;
            if !view.draining {
                free += view.max.saturating_sub(view.active);
            }
        }
        let supply = Span::hours(i64::from(free) * SLOT_HOURS);
        Gap { capability, wanted, able, free, supply, beyond: false }
    }

    /// Visits who is online and able in a capability, in order of ids.
    pub(crate) fn able_in(&self, capability: Word) -> impl Iterator<Item = AgentId> + '_ {
        let online = |agent: &AgentId| self.situation.agent(*agent).state == AgentState::Online;
        let able = self.situation.holders(capability).iter().filter(|&&(_, score)| score >= ABLE);
        able.map(|&(agent, _)| agent).filter(online)
    }

    /// Returns the capabilities of which waiting work demands more than anybody has who is online.
    fn beyond_everybody(&self) -> BTreeSet<Word> {
        let mut best: BTreeMap<Word, Ratio> = BTreeMap::new();
        let mut beyond = BTreeSet::new();
        let classes =
            (0..self.situation.class_count()).map(|id| ClassId(u32::try_from(id).unwrap_or(u32::MAX)));
        for class in classes.filter(|&class| self.situation.first(class).is_some()) {
            for need in self.situation.class(class).requires.iter().filter(|need| need.minimum > Ratio::ZERO)
            {
                let best = best.entry(need.capability).or_insert_with(|| self.best_online(need.capability));
                if *best < need.minimum {
                    beyond.insert(need.capability);
                }
            }
        }
        beyond
    }

    /// Returns the highest score in a capability of those who are online.
    fn best_online(&self, capability: Word) -> Ratio {
        let holders = self.situation.holders(capability).iter();
        let online = |agent: AgentId| self.situation.agent(agent).state == AgentState::Online;
        holders.filter(|&&(agent, _)| online(agent)).map(|&(_, score)| score).max().unwrap_or(Ratio::ZERO)
    }

    /// Measures everything that could be narrow now, and returns what is.
    pub(crate) fn narrow(&self, now: Moment, demand: &BTreeMap<Word, Span>) -> BTreeMap<Narrow, Found> {
        let mut narrow = BTreeMap::new();
        for gap in self.gaps(demand) {
            let name = self.word(gap.capability).clone();
            let hopeless = gap.able == 0 || gap.beyond;
            let measure = gap.measure();
            let severity = if hopeless { Severity::High } else { measure.severity() };
            let detail = gap.text(&name);
            narrow.insert(Narrow::Capability(name), Found { measure, severity, detail });
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
        for &(one, other) in &self.messages.talkative {
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
        narrow
    }

    /// Measures what a bottleneck is about, whether it is narrow or not.
    pub(crate) fn measured(&self, about: &Narrow, now: Moment, demand: &BTreeMap<Word, Span>) -> Measure {
        match about {
            Narrow::Capability(name) => match self.words.find(name.as_str()) {
                Some(word) => {
                    let wanted = demand.get(&word).copied().unwrap_or_default();
                    self.gap(word, wanted).measure()
                }
                None => Measure { value: 0, bound: GAP_HUNDREDTHS },
            },
            Narrow::Resource(resource) => {
                let none = Measure { value: 0, bound: WAIT_BOUND.0.unsigned_abs() };
                self.metrics.resource(resource, now).unwrap_or(none)
            }
            Narrow::Pair(one, other) => {
                self.talk(*one, *other, now).unwrap_or(Measure { value: 0, bound: TALK_HUNDREDTHS })
            }
        }
    }

    fn talk(&self, one: AgentId, other: AgentId, now: Moment) -> Option<Measure> {
        let traffic = self.messages.traffic.get(&(one, other))?;
        (now.since(traffic.last) <= WINDOW).then(|| traffic.measure())
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

    /// Returns for what an agent is kept by the actions that have not ended.
    pub(crate) fn kept_for(&self, agent: AgentId) -> BTreeSet<&Name> {
        self.bottlenecks.kept().filter(|(_, agents)| agents.contains(&agent)).map(|(name, _)| name).collect()
    }

    /// Returns everybody who is kept for something.
    pub(crate) fn all_kept(&self) -> BTreeSet<AgentId> {
        self.bottlenecks.kept().flat_map(|(_, agents)| agents).copied().collect()
    }
}

impl Gap {
    fn is_wide(&self) -> bool {
        let (wanted, supply) = (i128::from(self.wanted.0), i128::from(self.supply.0));
        wanted * 100 > supply * i128::from(GAP_HUNDREDTHS)
    }

    /// Returns demand over supply; no free slot counts as one, and a gap is never shown as none.
    fn measure(&self) -> Measure {
        let supply = self.supply.max(Span::hours(SLOT_HOURS)).0;
        let value = i128::from(self.wanted.0) * 100 / i128::from(supply);
        let value = u64::try_from(value).unwrap_or(u64::MAX);
        let short = self.is_wide() || (self.able == 0 && self.wanted > Span(0));
        let value = if short { value.max(GAP_HUNDREDTHS + 1) } else { value };
        Measure { value, bound: GAP_HUNDREDTHS }
    }

    /// Says in words what is short.
    #[must_use]
    pub fn text(&self, name: &Name) -> String {
        let Self { wanted, able, free, supply, .. } = self;
        if *able == 0 {
            return format!(
                "{wanted} of queued work needs {name}; no agent that is online has at least {ABLE} in it"
            );
        }
        if self.beyond && !self.is_wide() {
            return format!(
                "{wanted} of queued work needs {name}, some of it more than anybody has who is online"
            );
        }
        format!(
            "{wanted} of queued work needs {name}; {able} able agents online have {free} free slots, {supply} at \
             {SLOT_HOURS} h a slot: more than 1.5 times what there is"
        )
    }
}

impl crate::message::Traffic {
    /// Returns the messages for each joint task, a handoff counted as five.
    pub(crate) fn measure(&self) -> Measure {
        let tasks = (self.tasks.len() as u64).max(1);
        let value = u64::from(self.messages).max(u64::from(self.handoffs) * 5) * 100 / tasks;
        Measure { value, bound: TALK_HUNDREDTHS }
    }

    pub(crate) fn is_too_much(&self) -> bool {
        let measure = self.measure();
        measure.value > measure.bound
    }
}

/// The last waits for one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResourceWaits {
    waits: crate::effort::Efforts,
    /// The estimates of the tasks that waited for the sake of which.
    estimates: crate::effort::Efforts,
    pub(crate) last: Moment,
}

impl ResourceWaits {
    pub(crate) fn push(&mut self, wait: Span, estimate: Option<Span>, at: Moment) {
        self.waits.push(wait);
        if let Some(estimate) = estimate {
            self.estimates.push(estimate);
        }
        self.last = at;
    }

    /// Returns the wait that nine of ten did not exceed, and what it should not exceed: 15 min, or a quarter of the median
    /// estimate of the waiters.
    pub(crate) fn measure(&self) -> Option<Measure> {
        if self.waits.len() < WAITS_LEAST {
            return None;
        }
        let quarter = self.estimates.percentile(50).map(|estimate| Span(estimate.0 / 4));
        let bound = quarter.map_or(WAIT_BOUND, |quarter| quarter.min(WAIT_BOUND)).max(Span(1));
        let value = self.waits.percentile(90)?.0.unsigned_abs();
        Some(Measure { value, bound: bound.0.unsigned_abs() })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
