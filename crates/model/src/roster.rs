//! Who there is to place with: agents with their free slots, and what their past is worth.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::agent_view::AgentView;
use crate::balancing::Loads;
use crate::holders::Holders;
use crate::id::{AgentId, Position, Word};
use crate::policy::{Policy, Weights};
use crate::ratio::Ratio;
use crate::standing::Standing;
use crate::track::Track;
use crate::vocabulary::AgentState;

/// The agents as placing sees them. A clone shares what is large with it.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    pub(crate) weights: Weights,
    /// Changes whenever who can do what changes.
    pub(crate) version: u64,
    pub(crate) agents: Vec<Arc<AgentView>>,
    /// Performance with types of which nobody has a record, and by type.
    unknown_kind: Track,
    kinds: BTreeMap<Word, Arc<Track>>,
    /// Cohesion without a team, and by project.
    no_team: Track,
    teams: BTreeMap<Word, Arc<Track>>,
    pub(crate) free: Vec<AgentId>,
    pub(crate) standings: Vec<Standing>,
    free_at: Vec<u32>,
    pub(crate) loads: Loads,
    /// Tasks that agents own still and hand over to others; balancing counts them where they go to.
    leaving: BTreeMap<AgentId, u32>,
    pub(crate) holders: Holders,
    /// Who is kept for some capability.
    pub(crate) kept: BTreeSet<AgentId>,
    /// Who has gained room since the last round; more than a list's worth of them are not told one by one.
    pub(crate) freed: Vec<AgentId>,
    pub(crate) crowded: bool,
    pub(crate) rescored: Rescored,
}

/// Who has got another score in something without a change of the version: how often that has happened, and to whom of late.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rescored {
    pub(crate) times: u64,
    last: VecDeque<AgentId>,
}

impl Rescored {
    fn note(&mut self, agent: AgentId) {
        self.times += 1;
        if self.last.len() == RESCORED_LISTED_MAX {
            self.last.pop_front();
        }
        self.last.push_back(agent);
    }

    /// Returns whose scores have changed since it was `seen` times; nothing where that is not known any more.
    pub(crate) fn since(&self, seen: u64) -> Option<impl Iterator<Item = AgentId> + '_> {
        let times = usize::try_from(self.times - seen).ok()?;
        Some(self.last.range(self.last.len().checked_sub(times)?..).copied())
    }
}

/// Changed scores that are listed one by one.
const RESCORED_LISTED_MAX: usize = 256;

const NOT_FREE: u32 = u32::MAX;

/// Agents that are listed one by one as having gained room; beyond it the round looks at everything.
const FREED_LISTED_MAX: usize = 64;

impl Roster {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            weights: policy.weights,
            version: 0,
            agents: Vec::new(),
            unknown_kind: Track::new(policy.performance_default, policy.weights.performance, 0),
            kinds: BTreeMap::new(),
            no_team: Track::new(policy.cohesion_default, policy.weights.cohesion, 0),
            teams: BTreeMap::new(),
            free: Vec::new(),
            kept: BTreeSet::new(),
            standings: Vec::new(),
            free_at: Vec::new(),
            loads: Loads::default(),
            leaving: BTreeMap::new(),
            holders: Holders::default(),
            freed: Vec::new(),
            crowded: false,
            rescored: Rescored::default(),
        }
    }

    /// Returns what a planner takes along: everything that placing looks at, and nothing marked as changed.
    pub(crate) fn excerpt(&self) -> Self {
        Self {
            weights: self.weights,
            version: self.version,
            agents: self.agents.clone(),
            unknown_kind: self.unknown_kind.clone(),
            kinds: self.kinds.clone(),
            no_team: self.no_team.clone(),
            teams: self.teams.clone(),
            free: self.free.clone(),
            kept: self.kept.clone(),
            standings: self.standings.clone(),
            free_at: self.free_at.clone(),
            // Placing does not look at them.
            loads: Loads::default(),
            leaving: BTreeMap::new(),
            holders: self.holders.clone(),
            freed: Vec::new(),
            crowded: false,
            rescored: Rescored::default(),
        }
    }

    pub(crate) fn kind(&self, kind: Word) -> &Track {
        self.kinds.get(&kind).map_or(&self.unknown_kind, Arc::as_ref)
    }

    pub(crate) fn team(&self, project: Option<Word>) -> &Track {
        project.and_then(|project| self.teams.get(&project)).map_or(&self.no_team, Arc::as_ref)
    }

    /// Returns a number that no performance and cohesion together add more than to a score, in millionths.
    pub(crate) fn past_most(&self) -> u32 {
        let most = |tracks: &BTreeMap<Word, Arc<Track>>, other: &Track| {
            tracks.values().map(|track| track.most()).max().unwrap_or(0).max(other.most())
        };
        most(&self.kinds, &self.unknown_kind) + most(&self.teams, &self.no_team)
    }

    /// Returns the standing of an agent at its present load, free or not.
    pub(crate) fn standing(&self, id: AgentId) -> Standing {
        let agent = &self.agents[id.index()];
        let workload = self.weights.workload.times(agent.workload());
        Standing::of(workload.as_micros(), agent.active, agent.idle_since)
    }

    /// Returns how many tasks more the agents may own.
    pub(crate) fn free_slots(&self) -> u64 {
        let room = |id: &AgentId| self.agents[id.index()].max - self.agents[id.index()].active;
        self.free.iter().map(|id| u64::from(room(id))).sum()
    }

    /// Takes a new policy.
    pub(crate) fn set_policy(&mut self, policy: &Policy) {
        self.weights = policy.weights;
        self.loads.touch();
        let (performance, cohesion) = (policy.weights.performance, policy.weights.cohesion);
        self.unknown_kind.reweigh(policy.performance_default, performance);
        let kinds = self.kinds.values_mut().map(Arc::make_mut);
        kinds.for_each(|kind| kind.reweigh(policy.performance_default, performance));
        self.no_team.reweigh(policy.cohesion_default, cohesion);
        let teams = self.teams.values_mut().map(Arc::make_mut);
        teams.for_each(|team| team.reweigh(team.otherwise(), cohesion));
        self.version += 1;
        self.standings = self.free.iter().map(|&id| self.standing(id)).collect();
    }

    /// Takes a new agent, or an agent whose capabilities, role, limit or state have changed.
    pub(crate) fn put_agent(&mut self, id: AgentId, view: AgentView) {
        let before = self.agents.get(id.index()).map_or(&[][..], |agent| &agent.capabilities[..]);
        self.holders.amend(id, before, &view.capabilities);
        self.note_kept(id, view.kept.is_empty());
        if id.index() == self.agents.len() {
            self.agents.push(Arc::new(view));
            self.free_at.push(NOT_FREE);
            self.unknown_kind.push();
            self.no_team.push();
            let tracks = self.kinds.values_mut().chain(self.teams.values_mut());
            tracks.map(Arc::make_mut).for_each(Track::push);
        } else {
            self.agents[id.index()] = Arc::new(view);
        }
        self.version += 1;
        self.refresh(id, true);
    }

    /// Takes for what some agents are kept.
    pub(crate) fn set_kept(&mut self, agents: Vec<(AgentId, Arc<[Word]>)>) {
        self.version += 1;
        for (id, words) in agents {
            self.note_kept(id, words.is_empty());
            Arc::make_mut(&mut self.agents[id.index()]).kept = words;
            self.refresh(id, true);
        }
    }

    fn note_kept(&mut self, id: AgentId, for_nothing: bool) {
        if for_nothing {
            self.kept.remove(&id);
        } else {
            self.kept.insert(id);
        }
    }

    /// Takes one score of an agent, and tells whether it is another one. What it can do otherwise stays as it is.
    pub(crate) fn set_score(&mut self, id: AgentId, capability: Word, score: Ratio) -> bool {
        let old = self.agents[id.index()].score_in(capability);
        if old == score {
            return false;
        }
        let agent = Arc::make_mut(&mut self.agents[id.index()]);
        let mut capabilities = agent.capabilities.to_vec();
        match capabilities.binary_search_by_key(&capability, |&(word, _)| word) {
            Ok(at) => capabilities[at].1 = score,
            Err(at) => capabilities.insert(at, (capability, score)),
        }
        agent.capabilities = capabilities.into();
        self.holders.set(id, capability, score);
        self.rescored.note(id);
        self.loads.touch();
        self.refresh(id, score > old);
        true
    }

    /// Takes what an agent's record with tasks of type `kind` is worth; who has none has the policy's default.
    pub(crate) fn set_performance(&mut self, agent: AgentId, kind: Word, value: Ratio) {
        let (weight, agents) = (self.weights.performance, self.agents.len());
        let otherwise = self.unknown_kind.otherwise();
        let track = self.kinds.entry(kind).or_insert_with(|| Arc::new(Track::new(otherwise, weight, agents)));
        if Arc::make_mut(track).set(agent, value) {
            self.refresh(agent, true);
        }
    }

    /// Takes how an agent fits into the team of `project`; the others have `otherwise`, unless told.
    pub(crate) fn set_cohesion(&mut self, agent: AgentId, project: Word, value: Ratio, otherwise: Ratio) {
        let (weight, agents) = (self.weights.cohesion, self.agents.len());
        let track =
            self.teams.entry(project).or_insert_with(|| Arc::new(Track::new(otherwise, weight, agents)));
        if Arc::make_mut(track).set(agent, value) {
            self.refresh(agent, true);
        }
    }

    /// Takes a change of whether an agent can be reached.
    pub(crate) fn set_agent_state(&mut self, id: AgentId, state: AgentState) {
        Arc::make_mut(&mut self.agents[id.index()]).state = state;
        self.refresh(id, true);
    }

    /// Takes whether an agent gets no new work.
    pub(crate) fn set_apart(&mut self, id: AgentId, apart: bool) {
        Arc::make_mut(&mut self.agents[id.index()]).draining = apart;
        self.refresh(id, !apart);
    }

    /// Counts one more task of an agent.
    pub(crate) fn take_slot(&mut self, id: AgentId) {
        Arc::make_mut(&mut self.agents[id.index()]).active += 1;
        self.refresh(id, false);
    }

    /// Counts one task of an agent less, at `position` of the log.
    pub(crate) fn give_slot(&mut self, id: AgentId, position: Position) {
        let agent = Arc::make_mut(&mut self.agents[id.index()]);
        agent.active -= 1;
        agent.idle_since = position;
        self.refresh(id, true);
    }

    /// Marks an agent as having gained room, where it has any: something else has kept it from getting more.
    pub(crate) fn look_at(&mut self, id: AgentId) {
        self.refresh(id, true);
    }

    /// Takes how many of its tasks an agent is handing over.
    pub(crate) fn set_leaving(&mut self, id: AgentId, count: u32) {
        if count == 0 {
            self.leaving.remove(&id);
        } else {
            self.leaving.insert(id, count);
        }
        self.refresh(id, false);
    }

    /// Returns how many of its tasks an agent is handing over to others.
    pub(crate) fn leaving(&self, id: AgentId) -> u32 {
        self.leaving.get(&id).copied().unwrap_or(0)
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
                self.crowded = true;
            }
        }
    }

    /// Forgets who has gained room.
    pub(crate) fn settle(&mut self) {
        self.freed.clear();
        self.crowded = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_shares_the_agents_until_they_change() {
        let mut roster = Roster::new(&Policy::default());
        for id in 0..3 {
            let view = AgentView {
                kept: Arc::from([]),
                state: AgentState::Online,
                draining: false,
                active: 0,
                max: 2,
                role: Word(0),
                capabilities: [(Word(1), Ratio::ONE)].into(),
                idle_since: Position(0),
            };
            roster.put_agent(AgentId(id), view);
        }
        let taken = roster.excerpt();
        roster.take_slot(AgentId(1));
        let shared: Vec<bool> =
            roster.agents.iter().zip(&taken.agents).map(|(one, other)| Arc::ptr_eq(one, other)).collect();
        assert_eq!(shared, [true, false, true]);
        assert_eq!((roster.agents[1].active, taken.agents[1].active), (1, 0), "the excerpt stays as it was");
        assert!(Arc::ptr_eq(&roster.agents[1].capabilities, &taken.agents[1].capabilities));
        assert!(std::ptr::eq(roster.holders.of(Word(1)), taken.holders.of(Word(1))));
    }
}
