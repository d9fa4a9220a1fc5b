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

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use kapell_model::{AgentId, AgentView, ClassId, Considered, Gate, Placement, Placer, QueueKey, Situation};

use crate::column::Columns;
use crate::podium::Podium;
use crate::score;

type Head = (QueueKey, ClassId);

/// The greedy strategy, with what it remembers from round to round to be quick. What it remembers never
/// changes an answer, but it is about one fleet: each fleet has its own.
#[derive(Clone, Debug, Default)]
pub struct Greedy {
    columns: Columns,
    round: Round,
}

/// How far the present round has come.
#[derive(Clone, Debug, Default)]
struct Round {
    scope: Scope,
    /// The last head that was looked at.
    cursor: Option<Head>,
    /// Those that have gained room and still have some.
    freed: Vec<AgentId>,
    /// Heads of the arrived classes that are still to be looked at, in [`Scope::Arrived`].
    arrived: BinaryHeap<Reverse<Head>>,
}

/// What a round has to look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Scope {
    /// Every class, against every free agent.
    Everything,
    /// Every class: those that have arrived against every free agent, the others against the freed ones.
    Freed,
    /// Only the classes that have arrived, against every free agent.
    #[default]
    Arrived,
}

impl Greedy {
    /// Returns the strategy with nothing remembered.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn walk(&mut self, situation: &Situation) -> Option<Placement> {
        for head @ (key, class) in situation.heads(self.round.cursor) {
            self.round.cursor = Some(head);
            let all = self.round.scope == Scope::Everything || situation.has_arrived(class);
            let podium = if all { self.best(situation, class) } else { self.best_of_freed(situation, class) };
            if let Some(placement) = place(situation, key, class, &podium) {
                return Some(placement);
            }
        }
        None
    }

    fn serve_arrived(&mut self, situation: &Situation) -> Option<Placement> {
        while let Some(Reverse(head @ (key, class))) = self.round.arrived.pop() {
            self.round.cursor = Some(head);
            if situation.head(class) != Some(key) {
                // A placement of this round has taken what the class needs, or an earlier task of it.
                continue;
            }
            let podium = self.best(situation, class);
            if let Some(placement) = place(situation, key, class, &podium) {
                return Some(placement);
            }
        }
        None
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
        let Some(column) = self.columns.column(situation, id, free.len()) else {
            return self.best_among(situation, id, free);
        };
        let (performances, cohesions) =
            (situation.performances(class.kind), situation.cohesions(class.project));
        let mut podium = Podium::new();
        let mut floor = podium.floor();
        for (&agent, &standing) in free.iter().zip(situation.standings()) {
            let at = agent.index();
            let rank = standing.with(column[at] + performances[at] + cohesions[at]);
            if rank >= floor {
                floor = podium.offer(situation, rank, agent);
            }
        }
        podium
    }

    fn best_of_freed(&mut self, situation: &Situation, id: ClassId) -> Podium {
        let freed = std::mem::take(&mut self.round.freed);
        let podium = self.best_among(situation, id, &freed);
        self.round.freed = freed;
        podium
    }

    /// Ranks those of `agents` that are free.
    fn best_among(&mut self, situation: &Situation, id: ClassId, agents: &[AgentId]) -> Podium {
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
            if !situation.agents().get(agent.index()).is_some_and(AgentView::is_free) {
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
}

fn place(situation: &Situation, key: QueueKey, id: ClassId, podium: &Podium) -> Option<Placement> {
    let chosen = podium.pick(situation.threshold().as_micros(), situation.veto(key.task))?;
    let considered = podium.considered(situation, situation.class(id), chosen);
    Some(Placement { task: key.task, agent: podium.agent(chosen), considered })
}

impl Round {
    fn begin(&mut self, situation: &Situation) {
        self.cursor = None;
        self.arrived.clear();
        self.freed.clear();
        self.freed.extend_from_slice(situation.freed());
        self.scope = if situation.all_changed() { Scope::Everything } else { Scope::Freed };
        self.narrow(situation);
    }

    /// Takes up what has happened to the last placement: its agent may be full, its class has a new head.
    fn follow(&mut self, situation: &Situation) {
        match self.scope {
            Scope::Everything => {}
            Scope::Freed => self.narrow(situation),
            Scope::Arrived => {
                // A head that is still the same was refused by the core: the class is over for this round.
                let Some((last, class)) = self.cursor else { return };
                if let Some(next) = situation.head(class).filter(|&key| key > last) {
                    self.arrived.push(Reverse((next, class)));
                }
            }
        }
    }

    /// Goes over to the arrived classes alone where none of the freed agents has room left.
    fn narrow(&mut self, situation: &Situation) {
        if self.scope != Scope::Freed {
            return;
        }
        self.freed.retain(|&id| situation.agent(id).is_free());
        if self.freed.is_empty() {
            self.scope = Scope::Arrived;
            let heads = situation.arrived().iter().filter_map(|&id| Some((situation.head(id)?, id)));
            let ahead = heads.filter(|&head| self.cursor.is_none_or(|cursor| head > cursor));
            self.arrived.extend(ahead.map(Reverse));
        }
    }
}

impl Placer for Greedy {
    fn begin(&mut self, situation: &Situation) {
        self.columns.refresh(situation);
        self.round.begin(situation);
    }

    fn next(&mut self, situation: &Situation) -> Option<Placement> {
        if situation.free().is_empty() {
            return None;
        }
        self.round.follow(situation);
        match self.round.scope {
            Scope::Everything | Scope::Freed => self.walk(situation),
            Scope::Arrived => self.serve_arrived(situation),
        }
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
