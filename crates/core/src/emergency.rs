//! Emergencies: three kinds, at most one of each for a fleet, task or project at a time (SEMANTICS 12).
//!
//! ```text
//! open --cause gone, or a person ends it--> ending --everything undone or confirmed--> ended
//! ```
//!
//! Whatever is done about one is an [`Action`] of it, and each of these is undone or confirmed before it has ended. What cannot be
//! undone at once (a slot above the limit that is still taken, assignments that are let through little by little) keeps it in
//! `ending`. What brings an emergency about is seen while events are folded, in the size of what they change, and kept as an alarm
//! until the same step declares it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kapell_model::{
    AgentId, AgentState, EmergencyId, ForceId, Moment, Name, Position, Priority, Ratio, Span, TaskId,
    TaskState, Text, limits,
};
use serde::{Deserialize, Serialize};

use crate::cases::{Case, Cases};
use crate::mutation::mutated;
use crate::state::State;

/// Failed attempts in a row that make an agent count as failing.
const FAILURES_IN_A_ROW: u32 = 3;
/// Failed attempts of a critical task that make an emergency.
const FAILURES_OF_CRITICAL: u32 = 2;
/// Rounds in which assignments are let through little by little, each with twice as many.
pub(crate) const RESUMING_ROUNDS: u32 = 4;
/// The label that marks a task as one that its project can do without.
pub const OPTIONAL: &str = "optional";

/// What sort of emergency it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmergencyKind {
    /// Many agents fall silent, or fail again and again, at once.
    AgentCascadeFailure,
    /// A critical task fails, stalls, or will be late.
    CriticalTaskFailure,
    /// A project will be late.
    DeadlineRisk,
}

impl EmergencyKind {
    /// Every kind.
    pub const ALL: &'static [Self] =
        &[Self::AgentCascadeFailure, Self::CriticalTaskFailure, Self::DeadlineRisk];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgentCascadeFailure => "agent_cascade_failure",
            Self::CriticalTaskFailure => "critical_task_failure",
            Self::DeadlineRisk => "deadline_risk",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

/// What an emergency is about: the fleet where agents fail, else a task or a project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The fleet as a whole.
    Fleet {},
    /// A task.
    Task(TaskId),
    /// A project.
    Project(Name),
}

impl Scope {
    /// Returns the task, where it is one.
    #[must_use]
    pub const fn task(&self) -> Option<TaskId> {
        match self {
            Self::Task(task) => Some(*task),
            _ => None,
        }
    }

    /// Returns the project, where it is one.
    #[must_use]
    pub const fn project(&self) -> Option<&Name> {
        match self {
            Self::Project(project) => Some(project),
            _ => None,
        }
    }
}

/// What an emergency comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmergencyCause {
    /// A person said so.
    Declared,
    /// Agents fell silent or failed.
    Agents,
    /// Attempts failed.
    Failed,
    /// The owner went quiet and did not answer.
    Stalled,
    /// The forecast is past the deadline.
    Forecast,
}

impl EmergencyCause {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Agents => "agents",
            Self::Failed => "failed",
            Self::Stalled => "stalled",
            Self::Forecast => "forecast",
        }
    }
}

/// How far an emergency is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmergencyState {
    /// Its cause is there.
    Open,
    /// Its cause is gone, and what was done about it is being undone.
    Ending,
    /// Everything is undone or confirmed.
    Ended,
}

impl EmergencyState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Open, Self::Ending, Self::Ended];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ending => "ending",
            Self::Ended => "ended",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.as_str() == text)
    }
}

/// Something that is done about an emergency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing new is assigned or claimed. Undone little by little.
    AssignmentsPaused {},
    /// Agents that own work may be silent for twice as long. Undone.
    LeasesExtended {},
    /// Those who run work are asked to leave its state where others find it. Confirmed.
    CheckpointsAsked {
        /// Who.
        agents: Vec<AgentId>,
    },
    /// An agent that stands by gets work. Undone: it keeps what it has and gets no more.
    StandbyRaised {
        /// Who.
        agent: AgentId,
    },
    /// Replacements are wanted for agents that were lost. Confirmed.
    ReplacementsAsked {
        /// For whom.
        agents: Vec<AgentId>,
    },
    /// A task force was made. Undone: it is disbanded.
    ForceFormed {
        /// Which.
        force: ForceId,
    },
    /// An agent may own one task more. Undone as soon as it owns no more than it may.
    OvertimeRaised {
        /// Who.
        agent: AgentId,
    },
    /// Unstarted work of an agent went to another one. Confirmed.
    WorkMoved {
        /// Which.
        task: TaskId,
        /// From whom.
        from: AgentId,
        /// To whom.
        to: AgentId,
    },
    /// A task is set aside. Undone.
    WorkDeferred {
        /// Which.
        task: TaskId,
    },
    /// A wait on the longest path that nobody declared could be removed. Confirmed.
    EdgeOffered {
        /// The dependent.
        task: TaskId,
        /// What it waits for.
        on: TaskId,
    },
    /// A large task on the longest path should be broken down. Confirmed.
    BreakdownOffered {
        /// Which.
        task: TaskId,
    },
    /// More of a capability is wanted. Confirmed.
    CapabilityAsked {
        /// Which.
        capability: Name,
        /// How much sooner the project would be done.
        saved: Span,
    },
}

impl Action {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::AssignmentsPaused {} => "assignments_paused",
            Self::LeasesExtended {} => "leases_extended",
            Self::CheckpointsAsked { .. } => "checkpoints_asked",
            Self::StandbyRaised { .. } => "standby_raised",
            Self::ReplacementsAsked { .. } => "replacements_asked",
            Self::ForceFormed { .. } => "force_formed",
            Self::OvertimeRaised { .. } => "overtime_raised",
            Self::WorkMoved { .. } => "work_moved",
            Self::WorkDeferred { .. } => "work_deferred",
            Self::EdgeOffered { .. } => "edge_offered",
            Self::BreakdownOffered { .. } => "breakdown_offered",
            Self::CapabilityAsked { .. } => "capability_asked",
        }
    }

    /// Tells whether it is undone when its emergency ends; else it is confirmed.
    #[must_use]
    pub const fn is_undone(&self) -> bool {
        match self {
            Self::AssignmentsPaused {}
            | Self::LeasesExtended {}
            | Self::StandbyRaised { .. }
            | Self::ForceFormed { .. }
            | Self::OvertimeRaised { .. }
            | Self::WorkDeferred { .. } => true,
            Self::CheckpointsAsked { .. }
            | Self::ReplacementsAsked { .. }
            | Self::WorkMoved { .. }
            | Self::EdgeOffered { .. }
            | Self::BreakdownOffered { .. }
            | Self::CapabilityAsked { .. } => false,
        }
    }

    /// Returns the task that it is about.
    #[must_use]
    pub const fn task(&self) -> Option<TaskId> {
        match self {
            Self::WorkMoved { task, .. }
            | Self::WorkDeferred { task }
            | Self::EdgeOffered { task, .. }
            | Self::BreakdownOffered { task } => Some(*task),
            _ => None,
        }
    }
}

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// It is as it was before.
    Undone,
    /// It stays.
    Confirmed,
}

impl Settlement {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undone => "undone",
            Self::Confirmed => "confirmed",
        }
    }
}

/// An action that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionTaken {
    /// What was done.
    pub action: Action,
    /// When.
    pub at: Moment,
    /// When it was undone or confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<(Moment, Settlement)>,
}

/// An emergency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emergency {
    /// Its id.
    pub id: EmergencyId,
    /// What sort it is.
    pub kind: EmergencyKind,
    /// What it is about.
    pub scope: Scope,
    /// What it comes from.
    pub cause: EmergencyCause,
    /// What is the matter, in words.
    pub detail: Text,
    /// When it was declared.
    pub at: Moment,
    /// Where in the log.
    pub position: Position,
    /// How far it is.
    pub state: EmergencyState,
    /// What was done, in that order.
    pub actions: Vec<ActionTaken>,
    /// Its cause is gone, though nobody has looked at it since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub eased: bool,
    /// Since when enough agents are online again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub well_since: Option<Moment>,
    /// When and why it began to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<(Moment, Text)>,
    /// When it had ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Moment>,
}

impl Emergency {
    /// Visits the actions that are neither undone nor confirmed, with their numbers from 1.
    pub fn pending(&self) -> impl Iterator<Item = (u32, &Action)> + '_ {
        let pending = (1..).zip(&self.actions).filter(|(_, taken)| taken.settled.is_none());
        pending.map(|(number, taken)| (number, &taken.action))
    }
}

/// Assignments are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// By which emergency.
    pub emergency: EmergencyId,
    /// How many may still be made.
    pub allowed: u32,
    /// Rounds in which some have been allowed.
    pub rounds: u32,
    /// When more are.
    pub next: Option<Moment>,
}

impl Case for Emergency {
    type Id = EmergencyId;
    type About = (EmergencyKind, Scope);

    fn id(&self) -> EmergencyId {
        self.id
    }

    fn about(&self) -> (EmergencyKind, Scope) {
        (self.kind, self.scope.clone())
    }

    fn is_open(&self) -> bool {
        self.state != EmergencyState::Ended
    }

    fn number(id: EmergencyId) -> u32 {
        id.0
    }

    fn numbered(number: u32) -> EmergencyId {
        EmergencyId(number)
    }
}

/// The emergencies of a fleet, as a snapshot holds them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Emergencies {
    /// All of them, by kind and by what they are about.
    pub all: Cases<Emergency>,
    /// What is to be declared, in the step that has seen it.
    pub(crate) alarms: BTreeMap<(EmergencyKind, Scope), EmergencyCause>,
    /// Those that a person has ended though the forecast is still past the deadline.
    pub(crate) muted: BTreeSet<(EmergencyKind, Scope)>,
    /// Who has fallen silent or failed again and again lately.
    pub(crate) lost: VecDeque<(Moment, AgentId)>,
    pub(crate) pause: Option<Pause>,
    // Derived.
    /// Those that have just been declared; seen to in the same step.
    #[serde(skip)]
    pub(crate) fresh: Vec<EmergencyId>,
    /// How many tasks more than it may an agent may own.
    #[serde(skip)]
    pub(crate) overtime: BTreeMap<AgentId, u32>,
    /// Agents on standby that get work.
    #[serde(skip)]
    pub(crate) raised: BTreeSet<AgentId>,
    /// Whether leases are extended.
    #[serde(skip)]
    pub(crate) leases_extended: bool,
}

impl Emergencies {
    /// Returns how assignments are held back, where they are.
    #[must_use]
    pub fn pause(&self) -> Option<&Pause> {
        self.pause.as_ref()
    }

    /// Returns how many tasks more than it may an agent may own now.
    #[must_use]
    pub fn overtime(&self, agent: AgentId) -> u32 {
        self.overtime.get(&agent).copied().unwrap_or(0)
    }

    /// Tells whether an agent on standby gets work now.
    #[must_use]
    pub fn is_raised(&self, agent: AgentId) -> bool {
        self.raised.contains(&agent)
    }

    /// Tells whether there is nothing to see to.
    pub(crate) fn is_quiet(&self) -> bool {
        self.alarms.is_empty() && self.all.open_ids().is_empty() && self.fresh.is_empty()
    }
}

impl State {
    /// Returns the emergencies.
    #[must_use]
    pub fn emergencies(&self) -> &Emergencies {
        &self.emergencies
    }

    /// Returns how many tasks an agent may own now.
    #[must_use]
    pub fn limit_of(&self, id: AgentId) -> u32 {
        self.agent(id).spec.max_concurrent.saturating_add(self.emergencies.overtime(id))
    }

    /// Tells whether an agent gets no new work: it is drained, stands by, or has no budget left.
    #[must_use]
    pub fn is_set_apart(&self, id: AgentId) -> bool {
        let agent = self.agent(id);
        agent.draining || (agent.spec.standby && !self.emergencies.is_raised(id)) || self.is_out_of_budget(id)
    }

    /// Returns the lease that an agent has now: twice its own where leases are extended and it owns work.
    #[must_use]
    pub fn lease_of(&self, id: AgentId) -> Span {
        let agent = self.agent(id);
        let lease = agent.lease(&self.policy);
        let extended = self.emergencies.leases_extended && !agent.tasks.is_empty();
        if extended { Span(lease.0.saturating_mul(2)) } else { lease }
    }

    /// Returns when the next thing about an emergency happens by itself.
    pub(crate) fn next_emergency_timer(&self) -> Option<Moment> {
        let resumes = self.emergencies.pause.and_then(|pause| pause.next);
        let cascade = self.emergencies.all.of(&(EmergencyKind::AgentCascadeFailure, Scope::Fleet {}));
        let ends = cascade.and_then(|it| self.recovered_at(it));
        resumes.into_iter().chain(ends).min()
    }

    /// Returns when agents will have been online for long enough for an emergency about them to end.
    pub(crate) fn recovered_at(&self, emergency: &Emergency) -> Option<Moment> {
        let detected = emergency.cause == EmergencyCause::Agents && emergency.state == EmergencyState::Open;
        let since = emergency.well_since.filter(|_| detected)?;
        Some(since.after(self.policy.emergencies.recovered_for))
    }

    // Folding: what brings an emergency about, and what takes its cause away.

    /// Notes that something should be declared, unless it is or a person has said that it is none.
    fn alarm(&mut self, kind: EmergencyKind, scope: Scope, cause: EmergencyCause) {
        let key = (kind, scope);
        let known = self.emergencies.all.open_ids().contains_key(&key);
        let muted = cause == EmergencyCause::Forecast && self.emergencies.muted.contains(&key);
        let full = self.emergencies.all.open_ids().len() >= limits::OPEN_EMERGENCIES_MAX;
        if self.policy.emergencies.detect && !known && !muted && !full {
            self.emergencies.alarms.entry(key).or_insert(cause);
        }
    }

    /// Takes note of an agent that has fallen silent at its work, or has failed three times in a row.
    pub(crate) fn note_lost(&mut self, agent: AgentId) {
        let constants = self.policy.emergencies;
        let from = self.at.before(constants.window);
        let lost = &mut self.emergencies.lost;
        lost.retain(|&(at, other)| at >= from && other != agent);
        lost.push_back((self.at, agent));
        let (count, gone) =
            (lost.len(), lost.iter().filter(|&&(_, id)| self.agents[id.index()].state != AgentState::Online));
        let base = self.online + gone.count();
        let share = Ratio::of(count as u64, base.max(1) as u64);
        if count >= constants.agents_min as usize && share >= constants.share_min {
            self.alarm(EmergencyKind::AgentCascadeFailure, Scope::Fleet {}, EmergencyCause::Agents);
        }
    }

    /// Takes note of an attempt that failed.
    pub(crate) fn note_failure(&mut self, id: TaskId, agent: AgentId) {
        let in_a_row = &mut self.agent_mut(agent).failed_in_row;
        *in_a_row = in_a_row.saturating_add(1);
        if *in_a_row == FAILURES_IN_A_ROW {
            self.note_lost(agent);
        }
        let task = &self.tasks[id];
        if task.priority == Priority::Critical && task.failures >= FAILURES_OF_CRITICAL {
            self.alarm(EmergencyKind::CriticalTaskFailure, Scope::Task(id), EmergencyCause::Failed);
        }
    }

    /// Takes note of an owner that has not answered.
    pub(crate) fn note_silence(&mut self, id: TaskId) {
        if self.tasks[id].priority == Priority::Critical {
            self.alarm(EmergencyKind::CriticalTaskFailure, Scope::Task(id), EmergencyCause::Stalled);
        }
    }

    /// Takes note that silence about a task is over before anything was declared because of it.
    pub(crate) fn note_silence_over(&mut self, id: TaskId) {
        if !self.emergencies.alarms.is_empty() {
            let key = (EmergencyKind::CriticalTaskFailure, Scope::Task(id));
            if self.emergencies.alarms.get(&key) == Some(&EmergencyCause::Stalled) {
                self.emergencies.alarms.remove(&key);
            }
        }
    }

    /// Takes note of a report about a task: silence is no cause any more.
    pub(crate) fn note_sign_of_life(&mut self, id: TaskId) {
        self.note_silence_over(id);
        if self.emergencies.all.open_ids().is_empty() {
            return;
        }
        // A report about a part is one about the whole.
        let mut next = Some(id);
        while let Some(id) = next {
            let open = self.emergencies.all.of_mut(&(EmergencyKind::CriticalTaskFailure, Scope::Task(id)));
            if let Some(open) = open.filter(|it| it.cause == EmergencyCause::Stalled) {
                open.eased = true;
            }
            next = self.tasks[id].membership().map(|member| member.of);
        }
    }

    /// Takes note of a task that has ended: nothing is to be declared about it any more.
    pub(crate) fn note_no_emergency(&mut self, id: TaskId) {
        let key = (EmergencyKind::CriticalTaskFailure, Scope::Task(id));
        if !self.emergencies.alarms.is_empty() {
            self.emergencies.alarms.remove(&key);
        }
        if !self.emergencies.muted.is_empty() {
            self.emergencies.muted.remove(&key);
        }
    }

    /// Takes note of who is online: where enough are again, an emergency about them is to end in a while.
    pub(crate) fn note_online(&mut self) {
        if self.emergencies.all.open_ids().is_empty() {
            return;
        }
        let gone = self.agents.iter().filter(|agent| {
            agent.missed && matches!(agent.state, AgentState::Unreachable | AgentState::Offline)
        });
        let wanted = self.online + gone.count();
        let share = Ratio::of(self.online as u64, wanted.max(1) as u64);
        let (at, enough) = (self.at, share > self.policy.emergencies.recovered_share);
        let about = (EmergencyKind::AgentCascadeFailure, Scope::Fleet {});
        if let Some(open) = self.emergencies.all.of_mut(&about) {
            open.well_since = if enough { open.well_since.or(Some(at)) } else { None };
        }
    }

    /// Takes note of a forecast: of the project, and of its critical tasks.
    pub(crate) fn note_forecast(&mut self, project: &Name) {
        let Some(forecast) = self.forecasts.get(project).cloned() else { return };
        let scope = Scope::Project(project.clone());
        let deadline = self.projects.get(project).and_then(|known| known.spec.deadline);
        let late = deadline.is_some_and(|deadline| forecast.p80 > deadline);
        let sure = deadline.is_none_or(|deadline| forecast.p90 <= deadline);
        self.note_lateness(EmergencyKind::DeadlineRisk, scope, late, sure);
        for &(id, p50) in &forecast.watched {
            let Some(task) = self.tasks.get(id).filter(|task| task.is_open()) else { continue };
            let deadline = task.spec.deadline;
            let late = task.priority == Priority::Critical && deadline.is_some_and(|deadline| p50 > deadline);
            let about = self.emergencies.all.open().filter_map(|it| it.scope.task());
            let about = { about }.find(|&whole| self.stands_for(whole) == id).unwrap_or(id);
            self.note_lateness(EmergencyKind::CriticalTaskFailure, Scope::Task(about), late, !late);
        }
    }

    fn note_lateness(&mut self, kind: EmergencyKind, scope: Scope, late: bool, sure: bool) {
        if late {
            self.alarm(kind, scope.clone(), EmergencyCause::Forecast);
        } else {
            self.emergencies.muted.remove(&(kind, scope.clone()));
        }
        let open = self.emergencies.all.of_mut(&(kind, scope));
        if let Some(open) = open.filter(|it| it.cause == EmergencyCause::Forecast) {
            open.eased = sure;
        }
    }

    /// Says in words why an emergency is over; nothing where it is not.
    pub(crate) fn over_because(&self, emergency: &Emergency) -> Option<String> {
        let declared = emergency.cause == EmergencyCause::Declared;
        match &emergency.scope {
            Scope::Fleet {} => None,
            Scope::Task(id) => {
                // It goes on with what stands for a task that was broken down.
                let task = self.task(self.stands_for(*id));
                if !task.is_open() {
                    Some(format!("{} is {}", task.id, task.state()))
                } else if task.priority != Priority::Critical && !declared {
                    Some(format!("{} is not critical any more", task.id))
                } else {
                    let eased = match emergency.cause {
                        EmergencyCause::Stalled => "its owner has said how far it is",
                        _ => "its forecast is within its deadline again",
                    };
                    emergency.eased.then(|| eased.to_owned())
                }
            }
            Scope::Project(name) => {
                let aside = emergency.pending().filter_map(|(_, action)| match action {
                    Action::WorkDeferred { task } => Some(*task),
                    _ => None,
                });
                let waits = |id: &TaskId| self.task(*id).is_open() && self.task(*id).owner.is_none();
                let aside = aside.filter(waits).count();
                let open = self.projects.get(name).map_or(0, crate::agent::Project::open) as usize;
                if open <= aside {
                    Some(format!("what project `{name}` cannot do without is done"))
                } else {
                    (emergency.eased && aside == 0)
                        .then(|| "its forecast is within its deadline again".to_owned())
                }
            }
        }
    }

    // Folding: the events themselves.

    pub(crate) fn emergency_declared(&mut self, emergency: Emergency) {
        let (id, key) = (emergency.id, (emergency.kind, emergency.scope.clone()));
        self.emergencies.alarms.remove(&key);
        self.emergencies.all.opened(emergency);
        self.emergencies.fresh.push(id);
        self.touch_scope(id);
        self.note_online();
    }

    fn touch_scope(&mut self, id: EmergencyId) {
        let task = self.emergencies.all.get(id).and_then(|it| it.scope.task());
        task.into_iter().for_each(|task| self.touch(task));
    }

    pub(crate) fn emergency_acted(&mut self, id: EmergencyId, action: &Action) {
        let at = self.at;
        if let Some(emergency) = self.emergencies.all.get_mut(id) {
            emergency.actions.push(ActionTaken { action: action.clone(), at, settled: None });
        }
        match action {
            Action::AssignmentsPaused {} => {
                self.emergencies.pause = Some(Pause { emergency: id, allowed: 0, rounds: 0, next: None });
            }
            Action::WorkDeferred { task } => self.change(*task, |task| task.aside = Some(id)),
            _ => {}
        }
        self.has_effect(action, true);
    }

    pub(crate) fn emergency_settled(&mut self, id: EmergencyId, number: u32, how: Settlement) {
        let at = self.at;
        let taken = self.emergencies.all.get_mut(id).and_then(|it| it.actions.get_mut(number as usize - 1));
        let Some(taken) = taken else { return };
        taken.settled = Some((at, how));
        let action = taken.action.clone();
        if how == Settlement::Confirmed {
            return;
        }
        match &action {
            Action::AssignmentsPaused {} => {
                self.emergencies.pause = None;
                self.situation.unsettle();
            }
            Action::WorkDeferred { task } => self.change(*task, |task| task.aside = None),
            _ => {}
        }
        if !mutated!(EmergencyNotUndone) {
            self.has_effect(&action, false);
        }
    }

    /// Keeps what is derived from the actions that are neither undone nor confirmed.
    fn has_effect(&mut self, action: &Action, begins: bool) {
        match *action {
            Action::LeasesExtended {} => self.emergencies.leases_extended = begins,
            Action::OvertimeRaised { agent } => {
                let more = self.emergencies.overtime.entry(agent).or_default();
                *more = if begins { *more + 1 } else { more.saturating_sub(1) };
                if *more == 0 {
                    self.emergencies.overtime.remove(&agent);
                }
                self.view_agent(agent);
                self.agents_changed = self.position;
            }
            Action::StandbyRaised { agent } => {
                if begins {
                    self.emergencies.raised.insert(agent);
                } else {
                    self.emergencies.raised.remove(&agent);
                }
                self.view_agent(agent);
                self.agents_changed = self.position;
            }
            _ => {}
        }
    }

    pub(crate) fn assignments_resuming(&mut self, allowed: u32, next: Moment) {
        if let Some(pause) = &mut self.emergencies.pause {
            pause.allowed = allowed;
            pause.rounds += 1;
            pause.next = Some(next);
            self.situation.unsettle();
        }
    }

    /// Counts an assignment against those that are allowed while others are held back.
    pub(crate) fn note_allowed(&mut self) {
        if let Some(pause) = &mut self.emergencies.pause {
            pause.allowed = pause.allowed.saturating_sub(1);
        }
    }

    pub(crate) fn emergency_ending(&mut self, id: EmergencyId, reason: &Text, by_hand: bool) {
        let at = self.at;
        let Some(emergency) = self.emergencies.all.get_mut(id) else { return };
        emergency.state = EmergencyState::Ending;
        emergency.ending = Some((at, reason.clone()));
        let key = (emergency.kind, emergency.scope.clone());
        if by_hand {
            self.emergencies.muted.insert(key);
        }
        if self.emergencies.all.get(id).is_some_and(|it| it.kind == EmergencyKind::AgentCascadeFailure) {
            // What was lost has been seen to.
            self.emergencies.lost.clear();
        }
        self.touch_scope(id);
    }

    pub(crate) fn emergency_ended(&mut self, id: EmergencyId) {
        let at = self.at;
        let Some(emergency) = self.emergencies.all.get_mut(id) else { return };
        emergency.state = EmergencyState::Ended;
        emergency.ended = Some(at);
        let key = (emergency.kind, emergency.scope.clone());
        self.emergencies.all.ended(&key);
        self.touch_scope(id);
    }

    /// Makes what is derived again, before the agents are looked at.
    pub(crate) fn restore_emergencies(&mut self, emergencies: Emergencies) {
        self.emergencies = emergencies;
        self.emergencies.all.restore();
        let open: Vec<Emergency> = self.emergencies.all.open().cloned().collect();
        for emergency in open {
            for (_, action) in emergency.pending() {
                match *action {
                    Action::LeasesExtended {} => self.emergencies.leases_extended = true,
                    Action::OvertimeRaised { agent } => {
                        *self.emergencies.overtime.entry(agent).or_default() += 1;
                    }
                    Action::StandbyRaised { agent } => {
                        self.emergencies.raised.insert(agent);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Tells whether a task is set aside by an emergency, and by which.
    #[must_use]
    pub fn set_aside_by(&self, task: TaskId) -> Option<&Emergency> {
        self.emergencies.all.get(self.task(task).aside?)
    }

    /// Tells whether a task may be set aside by an emergency: nobody has begun it, and none has done so yet.
    pub(crate) fn may_be_deferred(&self, id: TaskId) -> bool {
        let task = self.task(id);
        let unstarted = task.owner.as_ref().is_none_or(|owner| owner.started_at.is_none());
        let kept = self.handoffs.of(id).is_some() || task.priority == Priority::Critical;
        let waits = matches!(task.state(), TaskState::Ready | TaskState::Deferred | TaskState::Assigned);
        waits && unstarted && !kept && task.aside.is_none()
    }
}
