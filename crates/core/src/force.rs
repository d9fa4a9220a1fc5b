//! Task forces: a lead and members gathered for a task or a project (SEMANTICS 11).
//!
//! ```text
//! formed --checkpoint due: on track, at risk, missed--> ... --done, or its emergency ends--> disbanded
//! ```

use std::collections::BTreeSet;

use kapell_model::{
    AgentId, EmergencyId, ForceId, Moment, Name, Position, Ratio, Span, TaskId, TaskState, Text, Word, limits,
};
use serde::{Deserialize, Serialize};

use crate::cases::{Case, Cases};
use crate::command::Require;
use crate::decide::agents::own_text;
use crate::decide::emergencies::scope_text;
use crate::emergency::Scope;
use crate::event::Event;
use crate::mutation::mutated;
use crate::notice::NoticeKind;
use crate::state::State;

/// The least score by which a member covers a capability.
pub(crate) const COVER_MIN: Ratio = Ratio::micros(600_000);
/// Percent of the work by which there is a checkpoint, where the project has no milestones.
const QUARTERS: [u8; 4] = [25, 50, 75, 100];
/// Over how long the checkpoints are spread where nothing says when the work should be done.
const HORIZON: Span = Span::hours(24);

/// How a task force stands at a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// As much is done as should be.
    OnTrack,
    /// At least three quarters of that.
    AtRisk,
    /// Less.
    Missed,
}

impl Progress {
    /// Judges what is done, in percent, by what should be.
    #[must_use]
    pub fn of(done: u8, wanted: u8) -> Self {
        if done >= wanted {
            Self::OnTrack
        } else if u32::from(done) * 4 >= u32::from(wanted) * 3 {
            Self::AtRisk
        } else {
            Self::Missed
        }
    }

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnTrack => "on_track",
            Self::AtRisk => "at_risk",
            Self::Missed => "missed",
        }
    }
}

/// A moment at which it is looked how far a task force is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// What it is called.
    pub title: Text,
    /// How much of the work should be done by then, in percent.
    pub wanted: u8,
    /// When it is due.
    pub due: Moment,
    /// When it was looked at, how much was done, and what that amounts to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<(Moment, u8, Progress)>,
}

/// What a task force is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formation {
    /// For what.
    #[serde(flatten)]
    pub scope: Scope,
    /// By which emergency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<EmergencyId>,
    /// Who leads.
    pub lead: AgentId,
    /// Everybody, the lead first.
    pub members: Vec<AgentId>,
    /// Who answers for which capability.
    pub responsibilities: Vec<(Name, AgentId)>,
    /// Where they talk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Name>,
    /// When it is looked how far they are.
    pub checkpoints: Vec<Checkpoint>,
    /// What of the project was done before, in ms of estimates.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub done_before: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(millis: &u64) -> bool {
    *millis == 0
}

/// A task force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Force {
    /// Its id.
    pub id: ForceId,
    /// What it is made of.
    pub formation: Formation,
    /// When it was made.
    pub at: Moment,
    /// Where in the log.
    pub position: Position,
    /// When and why it was disbanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disbanded: Option<(Moment, Text)>,
}

impl Force {
    /// Returns the next checkpoint that nobody has looked at, with its number from 1.
    #[must_use]
    pub fn next_checkpoint(&self) -> Option<(u32, &Checkpoint)> {
        let numbered = (1..).zip(&self.formation.checkpoints);
        numbered
            .filter(|(_, checkpoint)| checkpoint.found.is_none())
            .min_by_key(|(number, it)| (it.due, *number))
    }
}

impl Case for Force {
    type Id = ForceId;
    type About = Scope;

    fn id(&self) -> ForceId {
        self.id
    }

    fn about(&self) -> Scope {
        self.formation.scope.clone()
    }

    fn is_open(&self) -> bool {
        self.disbanded.is_none()
    }

    fn number(id: ForceId) -> u32 {
        id.0
    }

    fn numbered(number: u32) -> ForceId {
        ForceId(number)
    }
}

/// The task forces of a fleet, as a snapshot holds them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Forces {
    /// All of them, by what they are for.
    pub all: Cases<Force>,
    // Derived.
    #[serde(skip)]
    pub(crate) timers: BTreeSet<(Moment, ForceId)>,
}

impl Forces {
    pub(crate) fn next_timer(&self) -> Option<Moment> {
        self.timers.first().map(|&(at, _)| at)
    }

    /// Makes what is derived again.
    pub(crate) fn restore(&mut self) {
        self.all.restore();
        for force in self.all.open() {
            self.timers.extend(force.next_checkpoint().map(|(_, checkpoint)| (checkpoint.due, force.id)));
        }
    }
}

/// Who is to be in a task force, and who answers for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gathered {
    pub(crate) lead: AgentId,
    pub(crate) members: Vec<AgentId>,
    pub(crate) responsibilities: Vec<(Name, AgentId)>,
}

/// An agent that could be in a task force.
struct Candidate {
    id: AgentId,
    /// Its scores in what is required, in that order.
    scores: Vec<Ratio>,
    cohesion: Ratio,
}

impl State {
    /// Returns the task forces.
    #[must_use]
    pub fn forces(&self) -> &Forces {
        &self.forces
    }

    /// Chooses who is to be in a task force for `scope`: as a lead whose coverage of the requirements times performance is
    /// highest, and as members the smallest set that the greedy way finds in which somebody has at least 0.6 in each. Nothing
    /// where nobody is online, answers, and has room: with `overtime` everybody has. Where nothing is required of it, a task's own requirements count.
    pub(crate) fn gathered(&self, scope: &Scope, requires: &[Require], overtime: bool) -> Option<Gathered> {
        let task = scope.task().map(|id| self.task(id));
        let class = task.map(|task| self.situation.class(task.class));
        let wanted: Vec<(Option<Word>, Name, u64)> = if requires.is_empty() {
            let own = class.into_iter().flat_map(|class| class.requires.iter());
            own.map(|it| (Some(it.capability), self.word(it.capability).clone(), u64::from(it.weight)))
                .collect()
        } else {
            let named = requires.iter().map(|it| {
                (self.find_word(it.capability.as_str()), it.capability.clone(), u64::from(it.weight))
            });
            named.collect()
        };
        let kind = class.map(|class| class.kind);
        let project = match scope {
            Scope::Project(name) => self.find_word(name.as_str()),
            _ => class.and_then(|class| class.project),
        };
        let owner = task.and_then(|task| task.owner.as_ref()).map(|owner| owner.agent);
        let candidates = self.situation.agents().iter().zip((0..).map(AgentId)).filter(|(view, id)| {
            let reachable = view.state == kapell_model::AgentState::Online && !view.draining;
            let room = overtime || view.is_free() || owner == Some(*id) || self.has_unstarted(*id);
            reachable && room && !self.is_silent(*id)
        });
        let candidates: Vec<Candidate> = candidates
            .map(|(view, id)| Candidate {
                id,
                scores: wanted
                    .iter()
                    .map(|(word, ..)| word.map_or(Ratio::ZERO, |word| view.score_in(word)))
                    .collect(),
                cohesion: self.situation.cohesion(id, project),
            })
            .collect();
        let performance = |id: AgentId| match kind {
            Some(kind) => self.situation.performance(id, kind),
            None => self.policy.performance_default,
        };
        let weights: u64 = wanted.iter().map(|(.., weight)| weight).sum();
        let coverage = |candidate: &Candidate| {
            let parts = wanted.iter().zip(&candidate.scores);
            let sum: u64 = parts.map(|((.., weight), score)| weight * u64::from(score.as_micros())).sum();
            sum.checked_div(weights).map_or(Ratio::ONE, |mean| Ratio::of(mean, u64::from(Ratio::UNIT)))
        };
        let lead = candidates
            .iter()
            .max_by_key(|it| (coverage(it).times(performance(it.id)), std::cmp::Reverse(it.id)))?;
        let mut members = vec![lead.id];
        let covers = |candidate: &Candidate, place: usize| candidate.scores[place] >= COVER_MIN;
        let mut missing: Vec<usize> = (0..wanted.len())
            .filter(|&place| !covers(lead, place) && candidates.iter().any(|it| covers(it, place)))
            .collect();
        while !missing.is_empty() && members.len() < limits::FORCE_MEMBERS_MAX {
            let gain = |candidate: &Candidate| {
                let covered: Vec<usize> =
                    missing.iter().copied().filter(|&place| covers(candidate, place)).collect();
                let score: u64 =
                    covered.iter().map(|&place| u64::from(candidate.scores[place].as_micros())).sum();
                (covered.len(), score, candidate.cohesion, std::cmp::Reverse(candidate.id))
            };
            let others = candidates.iter().filter(|it| !members.contains(&it.id));
            let Some(next) = others.max_by_key(|it| gain(it)) else { break };
            members.push(next.id);
            missing.retain(|&place| !covers(next, place));
        }
        let responsibilities = wanted.iter().enumerate().map(|(place, (_, name, _))| {
            let in_it = candidates.iter().filter(|it| members.contains(&it.id));
            let best = in_it.max_by_key(|it| (it.scores[place], it.id == lead.id, std::cmp::Reverse(it.id)));
            (name.clone(), best.map_or(lead.id, |best| best.id))
        });
        Some(Gathered { lead: lead.id, responsibilities: responsibilities.collect(), members })
    }

    fn has_unstarted(&self, id: AgentId) -> bool {
        self.agent(id)
            .tasks
            .iter()
            .any(|&task| self.task(task).state() == TaskState::Assigned && self.may_be_deferred(task))
    }

    /// Makes a task force in `out`, with its channel, and tells its members.
    pub(crate) fn form(
        &self,
        now: Moment,
        scope: Scope,
        emergency: Option<EmergencyId>,
        gathered: Gathered,
        out: &mut Vec<Event>,
    ) {
        let force = self.forces.all.next_id();
        let Gathered { lead, members, responsibilities } = gathered;
        let name = Name::new(&format!("force-{}", force.0)).ok();
        let room = self.messages.channels.len() < limits::CHANNELS_MAX;
        let channel = name.filter(|name| room && !self.messages.channels.contains_key(name));
        let checkpoints = self.checkpoints(now, &scope);
        let done_before = scope.project().and_then(|name| self.projects.get(name)).map_or(0, |it| it.done_ms);
        let text = format!("{force} for {}: `{}` leads", scope_text(&scope), self.agent(lead).spec.name);
        let task = scope.task();
        let due = checkpoints.first().map(|checkpoint| checkpoint.due);
        let answers = |agent: AgentId| {
            let own = responsibilities
                .iter()
                .filter(|(_, member)| *member == agent)
                .map(|(name, _)| name.to_string());
            own.collect::<Vec<_>>().join(", ")
        };
        let told: Vec<(AgentId, String)> = members
            .iter()
            .map(|&agent| {
                let answers = answers(agent);
                let own =
                    if answers.is_empty() { String::new() } else { format!("; you answer for {answers}") };
                let where_to = channel.as_ref().map(|name| format!("; channel `{name}`")).unwrap_or_default();
                (agent, format!("{text}{own}{where_to}"))
            })
            .collect();
        let formation = Formation {
            scope,
            emergency,
            lead,
            members: members.clone(),
            responsibilities,
            channel: channel.clone(),
            checkpoints,
            done_before,
        };
        out.push(Event::ForceFormed { force, formation: Box::new(formation) });
        if let Some(channel) = channel {
            out.push(Event::ChannelOpened { channel, members });
        }
        for (agent, text) in told {
            self.notify(agent, NoticeKind::ForceFormed, task, &text, due, out);
        }
    }

    /// Returns the checkpoints: the project's milestones that are still to come, else the quarters of the time that is left.
    fn checkpoints(&self, now: Moment, scope: &Scope) -> Vec<Checkpoint> {
        let project = scope.project().and_then(|name| self.projects.get(name));
        let milestones: Vec<_> = project
            .into_iter()
            .flat_map(|project| &project.spec.milestones)
            .filter(|it| it.at > now)
            .collect();
        if !milestones.is_empty() {
            let count = milestones.len();
            let wanted = |place: usize| u8::try_from((place + 1) * 100 / count).unwrap_or(100);
            let mut sorted = milestones;
            sorted.sort_by_key(|it| it.at);
            let checkpoint = |(place, it): (usize, &crate::command::Milestone)| Checkpoint {
                title: it.title.clone(),
                wanted: wanted(place),
                due: it.at,
                found: None,
            };
            return sorted.into_iter().enumerate().map(checkpoint).collect();
        }
        let end = match scope {
            Scope::Task(id) => {
                let task = self.task(*id);
                let percent = task.owner.as_ref().map_or(0, |owner| owner.percent.min(100));
                let left = task.estimate.0 / 100 * i64::from(100 - percent);
                Some(
                    task.spec.deadline.filter(|&at| at > now).unwrap_or_else(|| now.after(Span(left.max(1)))),
                )
            }
            Scope::Project(name) => {
                let deadline = project.and_then(|project| project.spec.deadline);
                deadline.or_else(|| self.forecast(name.as_str()).map(|it| it.p50)).filter(|&at| at > now)
            }
            Scope::Fleet {} => None,
        };
        let whole = end.map_or(HORIZON, |end| end.since(now));
        let part = |percent: u8| {
            Span(i64::try_from(i128::from(whole.0) * i128::from(percent) / 100).unwrap_or(i64::MAX).max(1))
        };
        QUARTERS
            .iter()
            .map(|&percent| Checkpoint {
                title: own_text(&format!("{percent} %")),
                wanted: percent,
                due: now.after(part(percent)),
                found: None,
            })
            .collect()
    }

    /// Returns how much of what a task force is for is done, in percent.
    #[must_use]
    pub fn force_done(&self, force: &Force) -> u8 {
        match &force.formation.scope {
            Scope::Task(id) => {
                let (done, all) = self.done_of(*id);
                u8::try_from(done / all.max(1)).unwrap_or(100)
            }
            Scope::Project(name) => {
                let Some(project) = self.projects.get(name) else { return 0 };
                let done = project.done_ms.saturating_sub(force.formation.done_before);
                let all = done + project.open_ms;
                u8::try_from(u128::from(done) * 100 / u128::from(all.max(1))).unwrap_or(100)
            }
            Scope::Fleet {} => 0,
        }
    }

    /// Returns how much of a task is done, as percents of its estimate, and the estimate; of one that was broken down those of its
    /// parts.
    fn done_of(&self, id: TaskId) -> (u128, u128) {
        let task = self.task(id);
        if let Some(into) = task.broken_into() {
            let parts = [into.planning, into.integration, into.testing];
            let parts = parts.iter().chain(&into.implementations).map(|&part| self.done_of(part));
            return parts.fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        }
        let percent = match task.state() {
            TaskState::Completed => 100,
            _ => task.owner.as_ref().map_or(0, |owner| owner.percent.min(100)),
        };
        let estimate = u128::from(task.estimate.0.max(1).unsigned_abs());
        (estimate * u128::from(percent), estimate)
    }

    /// Says in words why a task force has nothing to do any more; nothing where it has.
    pub(crate) fn force_done_because(&self, force: &Force) -> Option<String> {
        match &force.formation.scope {
            Scope::Task(id) => {
                let task = self.task(self.stands_for(*id));
                (!task.is_open()).then(|| format!("{} is {}", task.id, task.state()))
            }
            Scope::Project(name) => {
                let open = self.projects.get(name).map_or(0, crate::agent::Project::open);
                (open == 0).then(|| format!("project `{name}` has no open task"))
            }
            Scope::Fleet {} => None,
        }
    }

    /// Disbands a task force in `out`; its members leave the channel.
    pub(crate) fn disband(&self, id: ForceId, reason: &str, out: &mut Vec<Event>) {
        let Some(force) = self.forces.all.get(id).filter(|force| force.disbanded.is_none()) else { return };
        out.push(Event::ForceDisbanded { force: id, reason: own_text(reason) });
        let Some(channel) = &force.formation.channel else { return };
        let Some(known) = self.messages.channels.get(channel) else { return };
        for &agent in known.members.iter() {
            out.push(Event::ChannelLeft { channel: channel.clone(), agent });
        }
    }

    /// Puts into `out` what was found at the checkpoints that are due by `now`, and tells the leads.
    pub(crate) fn lapse_forces(&self, now: Moment, out: &mut Vec<Event>) {
        let due = self
            .forces
            .timers
            .iter()
            .take_while(|&&(at, _)| at <= now)
            .filter(|_| !mutated!(CheckpointNeverDue));
        for &(_, id) in due.take(limits::OPEN_FORCES_MAX) {
            let Some(force) = self.forces.all.get(id) else { continue };
            let done = self.force_done(force);
            let all = (1..).zip(&force.formation.checkpoints);
            for (checkpoint, it) in all.filter(|(_, it)| it.found.is_none() && it.due <= now) {
                let found = Progress::of(done, it.wanted);
                out.push(Event::ForceChecked { force: id, checkpoint, done, found });
                let said = found.as_str().replace('_', " ");
                let text = format!("{id}: checkpoint {}: {done} % done, {said}", it.title);
                let task = force.formation.scope.task();
                self.notify(force.formation.lead, NoticeKind::CheckpointFound, task, &text, None, out);
            }
        }
    }

    // Folding.

    pub(crate) fn force_formed(&mut self, id: ForceId, formation: &Formation) {
        let (at, position) = (self.at, self.position);
        let force = Force { id, formation: formation.clone(), at, position, disbanded: None };
        self.forces.timers.extend(force.next_checkpoint().map(|(_, checkpoint)| (checkpoint.due, id)));
        self.forces.all.opened(force);
        formation.scope.task().into_iter().for_each(|task| self.touch(task));
    }

    pub(crate) fn force_checked(&mut self, id: ForceId, checkpoint: u32, done: u8, found: Progress) {
        let at = self.at;
        let Some(force) = self.forces.all.get_mut(id) else { return };
        if let Some((_, before)) = force.next_checkpoint() {
            self.forces.timers.remove(&(before.due, id));
        }
        if let Some(it) = force.formation.checkpoints.get_mut(checkpoint as usize - 1) {
            it.found = Some((at, done, found));
        }
        self.forces.timers.extend(force.next_checkpoint().map(|(_, checkpoint)| (checkpoint.due, id)));
    }

    pub(crate) fn force_disbanded(&mut self, id: ForceId, reason: &Text) {
        let at = self.at;
        let Some(force) = self.forces.all.get_mut(id) else { return };
        if let Some((_, next)) = force.next_checkpoint() {
            self.forces.timers.remove(&(next.due, id));
        }
        force.disbanded = Some((at, reason.clone()));
        let scope = force.formation.scope.clone();
        self.forces.all.ended(&scope);
        scope.task().into_iter().for_each(|task| self.touch(task));
    }

    /// Tells whether an agent is in a task force that is at work.
    #[must_use]
    pub fn forces_with(&self, agent: AgentId) -> Vec<&Force> {
        self.forces.all.open().filter(|force| force.formation.members.contains(&agent)).collect()
    }

    /// Returns the task forces at work for a task.
    pub(crate) fn finished_forces(&self) -> Vec<(ForceId, String)> {
        let done =
            self.forces.all.open().filter_map(|force| Some((force.id, self.force_done_because(force)?)));
        done.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_quarters_of_what_is_wanted_is_at_risk_and_less_is_missed() {
        let judged = [(50, 50), (60, 50), (49, 50), (38, 50), (37, 50), (0, 25)]
            .map(|(done, wanted)| Progress::of(done, wanted));
        assert_eq!(
            judged,
            [
                Progress::OnTrack,
                Progress::OnTrack,
                Progress::AtRisk,
                Progress::AtRisk,
                Progress::Missed,
                Progress::Missed
            ]
        );
    }
}
