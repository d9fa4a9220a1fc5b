//! The greedy strategy (SEMANTICS 3.2): tasks in the order of the queue, each to its best candidate.
//!
//! # Rulings
//! - A task is placed only where the score is above the threshold, strictly. Ties go to fewer tasks, longer
//!   idle, smaller id.
//! - The agent that failed a task in its last attempt is passed over while another candidate scores above the
//!   threshold. Where nobody else does, it gets the task again.
//! - A task that cannot be placed does not use up the round; the next class is looked at.
//!
//! # Why a round need not look at everything
//! During a round loads only rise, so scores only fall: a class that found nobody finds nobody later in the
//! round, and the cursor only moves forward. After a round every waiting class has found nobody. So between
//! rounds only two things can open a place: an agent has gained room, or a class that had nothing waiting has
//! got its first task. Any other class is tested against the freed agents alone, and what a placement then
//! records as considered are the best of those: the others were below the threshold and have not come closer.
//!
//! Where classes are many, those that a freed agent could serve are found through what they require, and a class
//! finds its candidates through what they are able to: both only where the rest of a score cannot make up for it.
//!
//! # A round over several steps
//! A step looks at a bounded number of pairs, so that whoever waits for the writer does not wait for a round. What
//! happens between two steps marks what it has opened, as between rounds, and comes first: a class whose head lies behind
//! the cursor has found nobody, so that only a freed agent can serve it, unless it has arrived or has got
//! another head since; one ahead of the cursor is looked at anyway. So the next step is the beginning of a
//! whole round over what is so then, less what is known to find nobody.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use kapell_model::{AgentId, ClassId, Considered, Gate, Placement, Placer, QueueKey, Ratio, Situation, Want};

use crate::column::Columns;
use crate::podium::Podium;
use crate::score;

type Head = (QueueKey, ClassId);

/// The greedy strategy, with what it remembers from round to round to be quick. What it remembers never
/// changes an answer, but it is about one fleet: each fleet has its own.
#[derive(Clone, Debug, Default)]
pub struct Greedy {
    tuning: Tuning,
    columns: Columns,
    round: Round,
    /// Pairs that this step may still look at.
    looks: i64,
    /// One number per class, all zero between two uses.
    shares: Vec<u64>,
}

/// When the quick ways begin, and how long a step is. None of it changes who gets what.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Pairs of a class and an agent after which a step ends: a few milliseconds.
    pub looks_max: i64,
    /// Classes with waiting tasks that are simply gone through for a freed agent.
    pub walked_max: usize,
    /// A class is served through the capabilities of the agents where at most one in so many has one of them.
    pub one_in: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { looks_max: 800_000, walked_max: 256, one_in: 3 }
    }
}

/// What a placement costs beside what it looks at, in pairs.
const PLACEMENT_LOOKS: i64 = 500;
/// What a class costs beside its pairs.
const CLASS_LOOKS: i64 = 32;
/// What a pair costs that is worked out by itself.
const SINGLE_LOOKS: i64 = 16;

/// Against whom a class is to be tested. Of two orders for one class the wider comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Against {
    Everyone,
    Freed,
}

/// How far the present round has come. First come the listed heads, then the walk; all that is listed lies
/// behind the cursor of a walk against everyone.
#[derive(Clone, Debug, Default)]
struct Round {
    /// Heads that are to be looked at one by one.
    listed: BinaryHeap<Reverse<(Head, Against)>>,
    /// What all heads after the cursor are to be tested against, arrived ones against everyone.
    walk: Option<Against>,
    /// The last head of the walk that was looked at.
    cursor: Option<Head>,
    /// The last head that was looked at, and against whom.
    last: Option<(Head, Against)>,
    /// Those that have gained room and still have some.
    freed: Vec<AgentId>,
    /// Whether something may be left.
    under_way: bool,
}

impl Greedy {
    /// Returns the strategy with nothing remembered.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the strategy with other bounds, for tests and measurements.
    #[must_use]
    pub fn tuned(tuning: Tuning) -> Self {
        Self { tuning, ..Self::default() }
    }

    /// Looks at the listed heads, until one is placed or the step is over.
    fn serve_listed(&mut self, situation: &Situation) -> Option<Placement> {
        while self.looks > 0 {
            let Reverse((head @ (key, class), against)) = self.round.listed.pop()?;
            if self.round.is_ahead(head) {
                continue;
            }
            match situation.head(class) {
                Some(now) if now == key => {}
                // The task has gone since; one that came in front of it has been listed by itself.
                Some(now) if now > key => {
                    self.round.listed.push(Reverse(((now, class), against)));
                    continue;
                }
                _ => continue,
            }
            // Refused by the core, or listed twice: the class is over for this round.
            let again = self.round.last.is_some_and(|(last, _)| last == head);
            if again || (against == Against::Freed && self.round.freed.is_empty()) {
                continue;
            }
            let placement = self.look(situation, head, against);
            if placement.is_some() {
                return placement;
            }
        }
        None
    }

    /// Looks at the heads after the cursor, until one is placed or the step is over.
    fn walk(&mut self, situation: &Situation, against: Against) -> Option<Placement> {
        for head in situation.heads(self.round.cursor) {
            // A walk for freed agents is short, and not remembered.
            if self.looks <= 0 && against == Against::Everyone {
                return None;
            }
            self.round.cursor = Some(head);
            let arrived = against == Against::Freed && situation.has_arrived(head.1);
            let placement = self.look(situation, head, if arrived { Against::Everyone } else { against });
            if placement.is_some() {
                return placement;
            }
        }
        self.round.walk = None;
        None
    }

    fn look(&mut self, situation: &Situation, (key, class): Head, against: Against) -> Option<Placement> {
        self.looks -= CLASS_LOOKS;
        self.round.last = Some(((key, class), against));
        let podium = match against {
            Against::Everyone => self.best(situation, class),
            Against::Freed => self.best_of_freed(situation, class),
        };
        let placement = place(situation, key, class, &podium)?;
        self.looks -= PLACEMENT_LOOKS;
        Some(placement)
    }

    /// Ranks every free agent. The loop over the column is the innermost one of the whole program.
    fn best(&mut self, situation: &Situation, id: ClassId) -> Podium {
        let (class, free) = (situation.class(id), situation.free());
        let only = match situation.gate(id) {
            Gate::Only(agent) => Some(agent),
            Gate::Open | Gate::Shut => class.pin,
        };
        if let Some(only) = only {
            return self.best_among(situation, id, &[only]);
        }
        if self.columns.known(situation, id).is_none() {
            if let Some(podium) = self.best_of_capable(situation, id) {
                return podium;
            }
            if self.columns.column(situation, id, free.len()).is_none() {
                return self.best_among(situation, id, free);
            }
        }
        self.best_of_column(situation, id)
    }

    fn best_of_column(&mut self, situation: &Situation, id: ClassId) -> Podium {
        let (class, free) = (situation.class(id), situation.free());
        self.looks -= free.len() as i64;
        let column = self.columns.whole(situation, id);
        let (performances, cohesions) =
            (situation.performances(class.kind), situation.cohesions(class.project));
        // Most agents fall behind already with the largest past that anybody has: it is read only of the others.
        let most = situation.performance_most(class.kind) + situation.cohesion_most(class.project);
        let mut podium = Podium::new();
        let mut floor = podium.floor();
        for (&agent, &standing) in free.iter().zip(situation.standings()) {
            let at = agent.index();
            if standing.with(column[at] + most) < floor {
                continue;
            }
            let rank = standing.with(column[at] + performances[at] + cohesions[at]);
            if rank >= floor {
                floor = podium.offer(situation, rank, agent);
            }
        }
        podium
    }

    /// Ranks the free agents that are capable enough to pass the threshold at all, where those can be found by what they are able
    /// to: where few have anything of what is required, and the rest of a score is not enough.
    fn best_of_capable(&mut self, situation: &Situation, id: ClassId) -> Option<Podium> {
        let (class, free) = (situation.class(id), situation.free());
        let holders =
            class.requires.iter().map(|requirement| situation.holders(requirement.capability).len());
        let listed: usize = holders.sum();
        if class.requires.is_empty() || listed * self.tuning.one_in > free.len() {
            return None;
        }
        let others = situation.weights().workload.as_micros()
            + situation.performance_most(class.kind)
            + situation.cohesion_most(class.project);
        let Some(least) = capability_least(situation, others)? else { return Some(Podium::new()) };
        self.looks -= 2 * listed as i64;
        let mut capable = Vec::new();
        self.columns.capable(situation, class, least, |agent| capable.push(agent));
        let podium = self.best_among(situation, id, &capable);
        // Whoever was left out is not above the threshold. That matters only to what a placement records beside the pick.
        let threshold = situation.threshold().as_micros();
        let exact = podium.is_above(2, threshold) || !podium.is_above(0, threshold);
        if exact {
            return Some(podium);
        }
        self.looks -= (listed + situation.agents().len()) as i64;
        Some(self.best_of_column(situation, id))
    }

    fn best_of_freed(&mut self, situation: &Situation, id: ClassId) -> Podium {
        let freed = std::mem::take(&mut self.round.freed);
        let podium = self.best_among(situation, id, &freed);
        self.round.freed = freed;
        podium
    }

    /// Ranks those of `agents` that are free.
    fn best_among(&mut self, situation: &Situation, id: ClassId, agents: &[AgentId]) -> Podium {
        self.looks -= SINGLE_LOOKS * agents.len() as i64;
        let class = situation.class(id);
        let (performances, cohesions) =
            (situation.performances(class.kind), situation.cohesions(class.project));
        let gate = situation.gate(id);
        let mut podium = Podium::new();
        for &agent in agents {
            // A class may name an agent that is not there yet.
            if matches!(gate, Gate::Only(other) if other != agent) {
                continue;
            }
            if !situation.agents().get(agent.index()).is_some_and(|agent| agent.is_free()) {
                continue;
            }
            let others = self.columns.entry(situation, id, agent)
                + performances[agent.index()]
                + cohesions[agent.index()];
            let rank = situation.standing(agent).with(others);
            if rank >= podium.floor() {
                podium.offer(situation, rank, agent);
            }
        }
        podium
    }

    /// Lists what a freed agent could serve.
    fn list_for(&mut self, situation: &Situation, id: AgentId) {
        let agent = situation.agent(id);
        let others = situation.weights().workload.times(agent.workload()).as_micros() + situation.past_most();
        let least = match capability_least(situation, others) {
            Some(Some(least)) => u64::from(least.as_micros()),
            // Not even a perfect match is enough.
            Some(None) => return,
            // Anything is enough.
            None => {
                self.looks -= situation.head_count() as i64;
                let heads = situation.heads(None).map(|head| Reverse((head, Against::Freed)));
                self.round.listed.extend(heads);
                return;
            }
        };
        self.shares.resize(situation.class_count(), 0);
        for &class in situation.undemanding() {
            self.round.list(situation, class, Against::Freed);
        }
        for &(word, score) in agent.capabilities.iter() {
            for want in situation.wants(word) {
                self.shares[want.class.index()] += u64::from(want.share) * u64::from(score.as_micros());
            }
        }
        // The shares are rounded up, and a mean is rounded half up.
        let from = least.saturating_sub(1) * u64::from(Want::WHOLE);
        for &(word, _) in agent.capabilities.iter() {
            let wants = situation.wants(word);
            self.looks -= 2 * wants.len() as i64;
            for want in wants {
                let share = std::mem::take(&mut self.shares[want.class.index()]);
                if share > 0 && share >= from {
                    self.round.list(situation, want.class, Against::Freed);
                }
            }
        }
    }

    /// Begins with what has changed, where the round goes on or is about that alone.
    fn list_changed(&mut self, situation: &Situation) {
        for &class in situation.arrived() {
            self.round.list(situation, class, Against::Everyone);
        }
        for &agent in situation.freed() {
            if self.looks <= 0 {
                self.round.begin_everything();
                return;
            }
            if situation.agent(agent).is_free() {
                self.round.freed.push(agent);
                self.list_for(situation, agent);
            }
        }
    }
}

/// Returns the least capability value with which a score can exceed the threshold where the other parts are worth
/// `others` millionths: nothing where they are enough, and nothing within where not even 1 is.
fn capability_least(situation: &Situation, others: u32) -> Option<Option<Ratio>> {
    let missing = u64::from(situation.threshold().as_micros().checked_sub(others)?);
    let (unit, weight) = (u64::from(Ratio::UNIT), u64::from(situation.weights().capability.as_micros()));
    let least = ((missing + 1) * unit - unit / 2).div_ceil(weight);
    Some(u32::try_from(least).ok().filter(|&least| least <= Ratio::UNIT).map(Ratio::micros))
}

fn place(situation: &Situation, key: QueueKey, id: ClassId, podium: &Podium) -> Option<Placement> {
    let chosen = podium.pick(situation.threshold().as_micros(), situation.veto(key.task))?;
    let considered = podium.considered(situation, situation.class(id), chosen);
    Some(Placement { task: key.task, agent: podium.agent(chosen), considered })
}

impl Round {
    fn begin_everything(&mut self) {
        self.listed.clear();
        self.freed.clear();
        (self.walk, self.cursor) = (Some(Against::Everyone), None);
    }

    fn begin_walk_for_freed(&mut self, situation: &Situation) {
        self.freed.extend_from_slice(situation.freed());
        self.walk = Some(Against::Freed);
        self.narrow(situation);
    }

    /// Tells whether the walk will come to `head`.
    fn is_ahead(&self, head: Head) -> bool {
        self.walk.is_some() && self.cursor.is_none_or(|cursor| head > cursor)
    }

    fn list(&mut self, situation: &Situation, class: ClassId, against: Against) {
        if let Some(key) = situation.head(class) {
            self.listed.push(Reverse(((key, class), against)));
        }
    }

    /// Takes up what has happened to the last placement: its agent may be full, its class has a new head.
    fn follow(&mut self, situation: &Situation) {
        let Some(((last, class), against)) = self.last else { return };
        if self.walk == Some(Against::Freed) {
            self.narrow(situation);
            return;
        }
        self.freed.retain(|&id| situation.agent(id).is_free());
        // A head that is still the same was refused by the core: the class is over for this round.
        if let Some(next) = situation.head(class).filter(|&key| key > last && !self.is_ahead((key, class))) {
            self.listed.push(Reverse(((next, class), against)));
        }
    }

    /// Goes over from walking to the arrived classes alone where none of the freed agents has room left.
    fn narrow(&mut self, situation: &Situation) {
        self.freed.retain(|&id| situation.agent(id).is_free());
        if self.freed.is_empty() {
            self.walk = None;
            let heads = situation.arrived().iter().filter_map(|&id| Some((situation.head(id)?, id)));
            let ahead = heads.filter(|&head| self.cursor.is_none_or(|cursor| head > cursor));
            self.listed.extend(ahead.map(|head| Reverse((head, Against::Everyone))));
        }
    }
}

impl Placer for Greedy {
    fn begin(&mut self, situation: &Situation) {
        self.columns.refresh(situation);
        self.looks = self.tuning.looks_max;
        let goes_on = situation.is_paused() && self.round.under_way;
        let known = goes_on && self.round.walk != Some(Against::Freed);
        if known {
            self.round.follow(situation);
        }
        self.round.last = None;
        self.round.under_way = true;
        if situation.all_changed() || situation.is_paused() && !known {
            self.round.begin_everything();
            return;
        }
        if !goes_on {
            self.round.listed.clear();
            self.round.freed.clear();
            (self.round.walk, self.round.cursor) = (None, None);
            if situation.head_count() <= self.tuning.walked_max {
                self.round.begin_walk_for_freed(situation);
                return;
            }
        }
        self.round.freed.retain(|&id| situation.agent(id).is_free());
        self.list_changed(situation);
    }

    fn next(&mut self, situation: &Situation) -> Option<Placement> {
        self.round.follow(situation);
        if situation.free().is_empty() {
            self.round.under_way = false;
            return None;
        }
        let placement = self.serve_listed(situation);
        if placement.is_some() || self.looks <= 0 && !self.round.listed.is_empty() {
            return placement;
        }
        let placement = self.round.walk.and_then(|against| self.walk(situation, against));
        self.round.under_way = placement.is_some() || self.round.walk.is_some();
        placement
    }

    fn is_under_way(&self) -> bool {
        self.round.under_way
    }

    fn consider(&mut self, situation: &Situation, class: ClassId, agent: AgentId) -> Considered {
        Considered { agent, parts: score::parts(situation, situation.class(class), agent) }
    }

    fn better_idle(
        &mut self,
        situation: &Situation,
        class: ClassId,
        than: &Considered,
    ) -> Option<Considered> {
        let gate = situation.gate(class);
        let may = |agent: AgentId| match gate {
            Gate::Open => true,
            Gate::Only(only) => only == agent,
            Gate::Shut => false,
        };
        let class = situation.class(class);
        let idle = situation.free().iter().filter(|&&id| situation.agent(id).active == 0 && may(id));
        let scored = idle.filter_map(|&agent| {
            let parts = score::candidate(situation, class, agent).ok()?;
            (parts.total > than.parts.total).then_some(Considered { agent, parts })
        });
        // Of equal ones the first by id: `free` has no order that means anything.
        scored.max_by_key(|it| (it.parts.total, std::cmp::Reverse(it.agent)))
    }

    fn best_of(&mut self, situation: &Situation, class: ClassId, agents: &[AgentId]) -> Option<Considered> {
        let class = situation.class(class);
        let scored = agents.iter().filter_map(|&agent| {
            let parts = score::candidate(situation, class, agent).ok()?;
            (parts.total > situation.threshold()).then_some(Considered { agent, parts })
        });
        scored.max_by_key(|it| {
            let view = situation.agent(it.agent);
            (it.parts.total, Reverse((view.active, view.idle_since, it.agent)))
        })
    }
}
