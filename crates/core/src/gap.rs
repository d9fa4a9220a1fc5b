//! Of what more is wanted than there is (SEMANTICS 8, `CAPABILITY_GAP`): capabilities, and those who could take work as it is asked
//! for.

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::{
    AgentId, AgentState, Class, ClassId, Moment, Name, Priority, Ratio, Requirement, Span, TaskId, TaskState,
    Text, Unfit, Word, capable, limits,
};

use crate::bottleneck::{Measure, Severity};
use crate::decide::agents::own_text;
use crate::state::State;

/// What an agent must have in a capability to count as able.
pub const ABLE: Ratio = Ratio::micros(600_000);
/// Hours that a slot is good for when demand is set against it, and within which work counts that is not ready yet: a working day.
pub const SLOT_HOURS: i64 = 8;
const HORIZON: Span = Span::hours(SLOT_HOURS);
/// Demand over supply above which a capability is short, in hundredths.
pub(crate) const GAP_HUNDREDTHS: u64 = 150;

/// What a capability is short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Which.
    pub capability: Word,
    /// Hours of work that needs it and is ready or will be within [`SLOT_HOURS`], each estimate shared out by the weights.
    pub wanted: Span,
    /// Agents online with at least [`ABLE`] in it.
    pub able: u32,
    /// Their free slots.
    pub free: u32,
    /// What their slots are good for within [`SLOT_HOURS`], the free ones and those that come free.
    pub supply: Span,
    /// Whether ready work demands more of it than anybody has who is online and could take it otherwise.
    pub beyond: bool,
}

/// What is wanted at one moment.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    hours: BTreeMap<Word, Span>,
    beyond: BTreeSet<Word>,
    /// Ready work that nobody who is online could take, whatever they can do, by who could.
    pub(crate) takers: BTreeMap<Text, Span>,
}

impl State {
    /// Returns the capabilities of which more is wanted than there is: first those that nobody has who is online, then the widest
    /// gaps. Costs time in what is wanted and in who has it.
    #[must_use]
    pub fn capability_gaps(&self, now: Moment) -> Vec<Gap> {
        self.gaps(&self.wanted(now))
    }

    /// Returns what is wanted now.
    pub(crate) fn wanted(&self, now: Moment) -> Wanted {
        let mut wanted = Wanted::default();
        for (class, millis) in self.work_to_come(now) {
            let class = self.situation.class(class);
            let weights: u128 = class.requires.iter().map(|required| u128::from(required.weight)).sum();
            for required in &class.requires {
                let share = u128::from(millis) * u128::from(required.weight) / weights.max(1);
                let share = i64::try_from(share).unwrap_or(i64::MAX);
                let sum = wanted.hours.entry(required.capability).or_default();
                sum.0 = sum.0.saturating_add(share);
            }
        }
        let mut looks = limits::ABLE_LOOKS_MAX;
        for (class, millis) in self.watch.ready_work() {
            if !self.has_a_taker(class, &mut looks) {
                self.note_nobody(class, Span(i64::try_from(millis).unwrap_or(i64::MAX)), &mut wanted);
            }
        }
        wanted
    }

    /// Returns the work by class, in milliseconds of estimate, that is ready or soon will be: what is set aside until a time
    /// within the horizon, and what waits only for tasks that somebody has.
    fn work_to_come(&self, now: Moment) -> BTreeMap<ClassId, u64> {
        let mut work: BTreeMap<ClassId, u64> = self.watch.ready_work().collect();
        let until = now.after(HORIZON);
        let mut looks = limits::SOON_LOOKS_MAX;
        let blocked = self.assigned.values().flat_map(|&id| {
            let dependents = &self.tasks[id].dependents;
            let dependents = &dependents[..dependents.len().min(looks)];
            looks -= dependents.len();
            dependents.iter().filter(move |&&dependent| self.waits_for_running(dependent, id, until)).copied()
        });
        let blocked = blocked.map(|id| (self.tasks[id].class, self.tasks[id].estimate.0.unsigned_abs()));
        for (class, millis) in self.watch.work_due(until).chain(blocked) {
            *work.entry(class).or_default() += millis;
        }
        work
    }

    /// Tells whether all that a blocked task waits for has an owner, `first` before the others, and nothing else holds it back
    /// beyond `until`.
    fn waits_for_running(&self, id: TaskId, first: TaskId, until: Moment) -> bool {
        let task = &self.tasks[id];
        let aside = task.is_set_aside() || task.deferred_until.is_some_and(|at| at > until);
        if task.state() != TaskState::Blocked || !task.awaits().is_empty() || aside {
            return false;
        }
        let mut open = task.gates().filter(|&on| self.tasks[on].state() != TaskState::Completed).peekable();
        open.peek() == Some(&first) && open.all(|on| self.tasks[on].owner.is_some())
    }

    /// Tells whether anybody who is online could take the tasks of a class, kept or not; yes where `looks` are used up.
    fn has_a_taker(&self, id: ClassId, looks: &mut usize) -> bool {
        let class = self.situation.class(id);
        let mut could = |agent: AgentId| {
            *looks = looks.saturating_sub(1);
            *looks == 0 || self.could_ever(class, agent)
        };
        if let Some(pin) = class.pin {
            return could(pin);
        }
        let holders = class.requires.iter().filter(|required| required.minimum > Ratio::ZERO);
        let holders = holders.map(|required| self.situation.holders(required.capability));
        if let Some(fewest) = holders.min_by_key(|holders| holders.len()) {
            return fewest.iter().any(|&(agent, _)| could(agent));
        }
        match class.role.map(|role| self.word(role)) {
            Some(role) => self.of_role(role).any(could),
            None => self.agents.iter().any(|agent| could(agent.id)),
        }
    }

    fn could_ever(&self, class: &Class, agent: AgentId) -> bool {
        let online = |agent: AgentId| {
            self.agents.get(agent.index()).is_some_and(|agent| agent.state == AgentState::Online)
        };
        online(agent) && capable(class, agent, self.situation.agent(agent)).is_ok()
    }

    /// Notes what those lack who come nearest to taking the tasks of a class that nobody online can take; where that is nothing
    /// that can be learned, who is asked for.
    fn note_nobody(&self, id: ClassId, wanted: Span, out: &mut Wanted) {
        let class = self.situation.class(id);
        let eligible = |agent: &&crate::agent::Agent| {
            let fits = capable(class, agent.id, self.situation.agent(agent.id));
            agent.state == AgentState::Online && matches!(fits, Err(Unfit::UnderMinimum { .. }))
        };
        let lacks = |agent: AgentId| {
            let view = self.situation.agent(agent);
            let short = move |required: &&Requirement| view.score_in(required.capability) < required.minimum;
            class.requires.iter().filter(short).map(|required| required.capability)
        };
        let nearest = self
            .agents
            .iter()
            .map(|agent| &**agent)
            .filter(eligible)
            .take(limits::NEAREST_LOOKS_MAX)
            .map(|agent| agent.id)
            .min_by_key(|&agent| lacks(agent).count());
        if let Some(nearest) = nearest {
            out.beyond.extend(lacks(nearest));
            return;
        }
        let minima = class.requires.iter().filter(|required| required.minimum > Ratio::ZERO);
        let name = |agent: &AgentId| self.agents.get(agent.index()).map_or("", |it| it.spec.name.as_str());
        let who = match (class.pin, class.role) {
            _ if self.online == 0 => {
                out.beyond.extend(minima.map(|required| required.capability));
                return;
            }
            (Some(pin), _) => format!("agent {}", name(&pin)),
            (_, Some(role)) => format!("role {}", self.word(role)),
            _ => {
                let excluded: Vec<&str> = class.exclude.iter().map(name).collect();
                format!("anybody but {}", excluded.join(", "))
            }
        };
        let sum = out.takers.entry(own_text(&who)).or_default();
        sum.0 = sum.0.saturating_add(wanted.0);
    }

    pub(crate) fn gaps(&self, wanted: &Wanted) -> Vec<Gap> {
        let mut supplies = BTreeMap::new();
        let words: BTreeSet<Word> = wanted.hours.keys().chain(&wanted.beyond).copied().collect();
        let gaps = words.into_iter().map(|word| self.gap(word, wanted, &mut supplies));
        let mut gaps: Vec<Gap> = gaps.filter(|gap| gap.able == 0 || gap.beyond || gap.is_wide()).collect();
        gaps.sort_by_key(|gap| {
            let missing = gap.wanted.0.saturating_sub(gap.supply.0);
            (gap.able > 0, std::cmp::Reverse(missing), gap.capability)
        });
        gaps
    }

    fn gap(&self, capability: Word, wanted: &Wanted, supplies: &mut BTreeMap<AgentId, (u32, Span)>) -> Gap {
        let (mut able, mut free, mut supply) = (0, 0, Span(0));
        for agent in self.able_in(capability) {
            let own = *supplies.entry(agent).or_insert_with(|| self.supply_of(agent));
            able += 1;
            free += own.0;
            supply.0 += own.1.0;
        }
        let hours = wanted.hours.get(&capability).copied().unwrap_or_default();
        let beyond = wanted.beyond.contains(&capability);
        Gap { capability, wanted: hours, able, free, supply, beyond }
    }

    /// Returns an agent's free slots, and what all of its slots are good for within the horizon: those that are taken from when
    /// what is left of their tasks is done, by the estimates and the progress that was reported.
    fn supply_of(&self, agent: AgentId) -> (u32, Span) {
        let view = self.situation.agent(agent);
        // Who is away comes back to it.
        if self.is_set_apart(agent) {
            return (0, Span(0));
        }
        let free = view.max.saturating_sub(view.active);
        let mut left: Vec<i64> =
            self.agent(agent).tasks.iter().map(|&task| Self::remaining(self.task(task)).0).collect();
        left.sort_unstable();
        let over = view.active.saturating_sub(view.max) as usize;
        let later: i64 = left.iter().skip(over).map(|left| HORIZON.0.saturating_sub(*left).max(0)).sum();
        (free, Span(i64::from(free) * HORIZON.0 + later))
    }

    /// Visits who is online and able in a capability, in order of ids.
    pub(crate) fn able_in(&self, capability: Word) -> impl Iterator<Item = AgentId> + '_ {
        let online = |agent: &AgentId| self.situation.agent(*agent).state == AgentState::Online;
        let able = self.situation.holders(capability).iter().filter(|&&(_, score)| score >= ABLE);
        able.map(|&(agent, _)| agent).filter(online)
    }

    /// Measures a capability, narrow or not.
    pub(crate) fn measured_gap(&self, name: &Name, wanted: &Wanted) -> Measure {
        let word = self.words.find(name.as_str());
        let gap = word.map(|word| self.gap(word, wanted, &mut BTreeMap::new()));
        gap.map_or(Measure { value: 0, bound: GAP_HUNDREDTHS }, |gap| gap.measure())
    }

    /// Tells whether an agent could take critical work that waits and from which it would be kept for `capability`.
    pub(crate) fn could_take_critical(&self, agent: AgentId, capability: Word) -> bool {
        let critical = self.situation.heads(None).take_while(|(key, _)| key.priority == Priority::Critical);
        let needs = |class| self.situation.class(class).requires.iter().any(|it| it.capability == capability);
        let mut others = critical.map(|(_, class)| class).filter(|&class| !needs(class));
        others.by_ref().take(limits::CALLED_AT_ONCE_MAX).any(|class| self.could_have(class, agent))
    }

    /// Tells whether an agent, idle and without a record, would be given the tasks of a class where it is kept for nothing.
    pub(crate) fn could_have(&self, class: ClassId, agent: AgentId) -> bool {
        let class = self.situation.class(class);
        crate::soft::could_take(&self.policy, &self.situation, class, &class.requires, agent)
    }
}

/// Measures ready work that nobody who is online could take.
pub(crate) fn measure_of_taker(wanted: Option<&Span>) -> Measure {
    let (able, free, supply) = (0, 0, Span(0));
    let wanted = wanted.copied().unwrap_or_default();
    Gap { capability: Word(0), wanted, able, free, supply, beyond: false }.measure()
}

impl Gap {
    fn is_wide(&self) -> bool {
        let (wanted, supply) = (i128::from(self.wanted.0), i128::from(self.supply.0));
        wanted * 100 > supply * i128::from(GAP_HUNDREDTHS)
    }

    /// Returns demand over supply; less supply than a slot counts as one, and a gap is never shown as none.
    pub(crate) fn measure(&self) -> Measure {
        let supply = self.supply.max(HORIZON).0;
        let value = i128::from(self.wanted.0) * 100 / i128::from(supply);
        let value = u64::try_from(value).unwrap_or(u64::MAX);
        let short = self.is_wide() || (self.able == 0 && self.wanted > Span(0));
        let value = if short { value.max(GAP_HUNDREDTHS + 1) } else { value };
        Measure { value, bound: GAP_HUNDREDTHS }
    }

    pub(crate) fn severity(&self) -> Severity {
        if self.able == 0 || self.beyond { Severity::High } else { self.measure().severity() }
    }

    /// Says in words what is short.
    #[must_use]
    pub fn text(&self, name: &Name) -> String {
        let Self { wanted, able, free, supply, .. } = self;
        if *able == 0 {
            return format!(
                "{wanted} of work to come needs {name}; no agent that is online has at least {ABLE} in it"
            );
        }
        if self.beyond && !self.is_wide() {
            return format!(
                "{wanted} of work to come needs {name}, some of it more than anybody has who is online and could take it"
            );
        }
        format!(
            "{wanted} of work to come needs {name}; {able} able agents online have {free} free slots, and {supply} \
             in all within {SLOT_HOURS} h: it is more than 1.5 times that"
        )
    }
}
