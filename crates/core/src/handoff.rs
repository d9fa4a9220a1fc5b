//! Supervised handoffs: owned work that goes to another agent with a package, under watch (SEMANTICS 10).
//!
//! ```text
//! requested -> package_due -> package_received -> validated -> transferred -> confirmed -> released
//!                  ^  |              |                            |   ^
//!       reminded,  |  v late         v incomplete         silent, v   | to the next best, or back
//!       redirected +--------------- mediation ------------ declined --+
//! ```
//!
//! Until the transfer the donor owns the task and the recipient keeps a slot free for it; from the transfer on the recipient
//! owns it, and the donor is released when it confirms. Whatever else takes the task from its owner ends the handoff first, so
//! that there is one owner after every event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kapell_model::{AgentId, AssignmentId, HandoffId, Moment, ReservationId, Span, TaskId, Text};
use serde::{Deserialize, Serialize};

use crate::mutation::mutated;
use crate::segments::Segments;
use crate::state::State;
use crate::task::Task;

/// Who wanted a handoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandoffCause {
    /// The owner of the task.
    ByOwner,
    /// A manager.
    ByManager,
    /// Its owner had too much, the other too little.
    Balancing,
}

impl HandoffCause {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ByOwner => "by_owner",
            Self::ByManager => "by_manager",
            Self::Balancing => "balancing",
        }
    }
}

/// Where a handoff stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The recipient has been told.
    Requested,
    /// The donor has been asked for the package.
    PackageDue,
    /// It has come.
    PackageReceived,
    /// It says all that it must.
    Validated,
    /// The recipient owns the task, and has not confirmed it.
    Transferred,
    /// It has.
    Confirmed,
    /// The donor has been let go: the handoff is through.
    Released,
    /// Something has gone wrong that is being put right, or somebody has been called for it.
    Mediation,
    /// It has ended without reaching its aim.
    Ended,
}

impl Stage {
    /// Every stage.
    pub const ALL: &'static [Self] = &[
        Self::Requested,
        Self::PackageDue,
        Self::PackageReceived,
        Self::Validated,
        Self::Transferred,
        Self::Confirmed,
        Self::Released,
        Self::Mediation,
        Self::Ended,
    ];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::PackageDue => "package_due",
            Self::PackageReceived => "package_received",
            Self::Validated => "validated",
            Self::Transferred => "transferred",
            Self::Confirmed => "confirmed",
            Self::Released => "released",
            Self::Mediation => "mediation",
            Self::Ended => "ended",
        }
    }
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// No package came in time.
    PackageLate,
    /// The package does not say all that it must.
    PackageIncomplete,
    /// The donor went offline or was taken out.
    DonorGone,
    /// The recipient cannot be had any more.
    RecipientGone,
    /// The recipient does not want it.
    Declined,
    /// The recipient did not confirm in time.
    NotConfirmed,
}

impl Trouble {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PackageLate => "package_late",
            Self::PackageIncomplete => "package_incomplete",
            Self::DonorGone => "donor_gone",
            Self::RecipientGone => "recipient_gone",
            Self::Declined => "declined",
            Self::NotConfirmed => "not_confirmed",
        }
    }

    /// Tells whether another recipient must be found for it.
    pub(crate) const fn is_of_recipient(self) -> bool {
        matches!(self, Self::RecipientGone | Self::Declined | Self::NotConfirmed)
    }
}

/// How a handoff ended that did not reach its aim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Somebody called it off; the task stays with its owner.
    Cancelled,
    /// The task ended, or went elsewhere, before.
    Overtaken,
    /// Nobody took it: it is back with the donor.
    SentBack,
}

impl Outcome {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Overtaken => "overtaken",
            Self::SentBack => "sent_back",
        }
    }
}

/// What the next owner must know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// What is done.
    pub completed: Text,
    /// How things stand now.
    pub state: Text,
    /// What is left to do.
    pub remaining: Text,
    /// What else is to be known.
    pub context: Text,
    /// The files that belong to it, or the word `none` alone.
    pub files: Vec<Text>,
    /// What is reserved for the task and goes along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reservations: Vec<ReservationId>,
}

impl Package {
    /// Says what keeps it from being whole, beside what is reserved for the task; nothing where it is.
    pub(crate) fn missing(&self, task: TaskId, held: &BTreeSet<ReservationId>) -> Vec<String> {
        let parts = [
            ("completed", &self.completed),
            ("state", &self.state),
            ("remaining", &self.remaining),
            ("context", &self.context),
        ];
        let empty = |text: &Text| text.as_str().trim().is_empty();
        let mut missing: Vec<String> = parts
            .iter()
            .filter(|(_, text)| empty(text))
            .map(|(part, _)| format!("`{part}` is empty"))
            .collect();
        if self.files.is_empty() || self.files.iter().any(empty) {
            missing.push("`files` must name them, or be `none`".to_owned());
        }
        let named: BTreeSet<ReservationId> = self.reservations.iter().copied().collect();
        missing.extend(held.difference(&named).map(|id| format!("`reservations` does not name {id}")));
        missing.extend(named.difference(held).map(|id| format!("{id} is not reserved for {task}")));
        missing
    }

    /// Says in a few words what it holds, for the note of the task.
    fn summary(&self) -> String {
        let cut = |text: &Text| {
            let text = text.as_str().trim();
            match text.char_indices().nth(700) {
                Some((end, _)) => format!("{}...", &text[..end]),
                None => text.to_owned(),
            }
        };
        let (done, state) = (cut(&self.completed), cut(&self.state));
        let (left, context) = (cut(&self.remaining), cut(&self.context));
        format!("done: {done}; now: {state}; left: {left}; context: {context}")
    }
}

/// A handoff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handoff {
    /// Its id.
    pub id: HandoffId,
    /// The task.
    pub task: TaskId,
    /// The donor: who had it when the handoff was asked for.
    pub from: AgentId,
    /// The present recipient; nothing where the last one is out and no other has been found.
    pub to: Option<AgentId>,
    /// Who wanted it.
    pub cause: HandoffCause,
    /// Why, in words.
    pub note: Option<Text>,
    /// Where it stands.
    pub stage: Stage,
    /// When it was asked for.
    pub since: Moment,
    /// Since when it stands where it does.
    pub stage_since: Moment,
    /// Until when the package or the confirmation is wanted; of the stages that wait for one.
    pub due: Option<Moment>,
    /// The last package that came.
    pub package: Option<Arc<Package>>,
    /// What was missing in it; nothing in a whole one.
    pub missing: Vec<Text>,
    /// Whether the donor has been reminded.
    pub reminded: bool,
    /// What went wrong last, and how often anything did.
    pub trouble: Option<Trouble>,
    /// How often it was in mediation.
    pub mediations: u32,
    /// Recipients that are out of the question by now.
    pub tried: Vec<AgentId>,
    /// The tokens that it has given out, newest last: each move is one step of the fence.
    pub tokens: Vec<AssignmentId>,
    /// How it ended without reaching its aim.
    pub outcome: Option<(Outcome, Text)>,
}

impl Handoff {
    /// Tells whether it is under way.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Released | Stage::Ended)
    }

    /// Tells whether the task has changed hands.
    #[must_use]
    pub fn is_transferred(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Tells whether a whole package has come.
    #[must_use]
    pub fn is_packed(&self) -> bool {
        self.package.is_some() && self.missing.is_empty()
    }

    /// Returns the agent that keeps a slot free for the task.
    #[must_use]
    pub fn reserved_at(&self) -> Option<AgentId> {
        self.to.filter(|_| self.is_open() && !self.is_transferred())
    }

    /// Returns when it goes on by itself.
    fn timer(&self) -> Option<Moment> {
        self.due.filter(|_| matches!(self.stage, Stage::PackageDue | Stage::Transferred))
    }

    /// Returns who has to do something by its deadline.
    pub(crate) fn awaits(&self) -> Option<AgentId> {
        match self.stage {
            Stage::PackageDue => Some(self.from),
            Stage::Transferred => self.to,
            _ => None,
        }
    }
}

/// Every handoff of one fleet.
#[derive(Clone, Debug, Default)]
pub struct Handoffs {
    pub(crate) all: Segments<Handoff>,
    // Derived.
    pub(crate) open: BTreeMap<TaskId, HandoffId>,
    pub(crate) timers: BTreeSet<(Moment, HandoffId)>,
    /// Those that keep a slot free at an agent.
    pub(crate) reserved: BTreeMap<AgentId, BTreeSet<HandoffId>>,
    /// Those by which an agent gives work away that it still owns.
    pub(crate) leaving: BTreeMap<AgentId, BTreeSet<HandoffId>>,
    /// Those with trouble that has just come up; seen to in the same step.
    pub(crate) troubled: BTreeSet<HandoffId>,
}

impl Handoffs {
    /// Visits every handoff, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Handoff> + Clone {
        self.all.iter()
    }

    /// Returns how many there have been.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Tells whether there have been none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Visits the handoffs behind the first `count`.
    pub fn skip(&self, count: usize) -> impl Iterator<Item = &Handoff> + Clone {
        self.all.skip(count)
    }

    /// Returns the handoff `id`.
    #[must_use]
    pub fn get(&self, id: HandoffId) -> Option<&Handoff> {
        self.all.get((id.0 as usize).checked_sub(1)?)
    }

    /// Returns the handoff of a task that is under way.
    #[must_use]
    pub fn of(&self, task: TaskId) -> Option<&Handoff> {
        self.get(*self.open.get(&task)?)
    }

    /// Returns how many are under way.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Returns how many slots of an agent are kept free for work that is to come.
    #[must_use]
    pub fn reserved(&self, agent: AgentId) -> usize {
        self.reserved.get(&agent).map_or(0, BTreeSet::len)
    }

    /// Returns when the next one goes on by itself.
    pub(crate) fn next_timer(&self) -> Option<Moment> {
        self.timers.first().map(|&(at, _)| at)
    }

    pub(crate) fn next_id(&self) -> HandoffId {
        HandoffId(u32::try_from(self.all.len() + 1).expect("handoffs are fewer than events"))
    }

    /// Finds what a step that was cut off has left to do: trouble for which nobody was called.
    pub(crate) fn in_mediation(&self) -> impl Iterator<Item = &Handoff> + '_ {
        self.open.values().filter_map(|&id| self.get(id)).filter(|it| it.stage == Stage::Mediation)
    }
}

/// The indexes of one handoff: when it goes on, whose slot it keeps, who gives it away.
#[derive(Default, PartialEq, Eq)]
struct Place {
    timer: Option<Moment>,
    reserved: Option<AgentId>,
    leaving: Option<AgentId>,
}

impl Place {
    fn of(handoff: &Handoff) -> Self {
        let reserved = handoff.reserved_at();
        Self { timer: handoff.timer(), reserved, leaving: reserved.map(|_| handoff.from) }
    }

    /// Returns what of it is not so in `other`.
    fn beside(&self, other: &Self) -> Self {
        let only = |own: Option<AgentId>, other| own.filter(|_| own != other);
        Self {
            timer: self.timer.filter(|_| self.timer != other.timer),
            reserved: only(self.reserved, other.reserved),
            leaving: only(self.leaving, other.leaving),
        }
    }
}

impl State {
    /// Returns every handoff.
    #[must_use]
    pub fn handoffs(&self) -> &Handoffs {
        &self.handoffs
    }

    /// Puts a new handoff, or one from a snapshot, into the indexes.
    pub(crate) fn index_handoff(&mut self, id: HandoffId) {
        let handoff = &self.handoffs.all.get(id.index()).expect("a handoff of this fleet");
        if handoff.is_open() {
            let (task, place) = (handoff.task, Place::of(handoff));
            self.handoffs.open.insert(task, id);
            self.take_place(id, &place);
        }
    }

    /// Changes a handoff and everything that is derived from it.
    pub(crate) fn change_handoff(&mut self, id: HandoffId, change: impl FnOnce(&mut Handoff)) {
        let at = self.at;
        let handoff = self.handoffs.all.get_mut(id.index()).expect("a handoff of this fleet");
        let (before, stage) = (Place::of(handoff), handoff.stage);
        change(handoff);
        if handoff.stage != stage {
            handoff.stage_since = at;
        }
        let (after, task, open) = (Place::of(handoff), handoff.task, handoff.is_open());
        self.touch(task);
        self.leave_place(id, &before.beside(&after));
        self.take_place(id, &after.beside(&before));
        if !open {
            self.handoffs.open.remove(&task);
            self.handoffs.troubled.remove(&id);
        }
    }

    fn take_place(&mut self, id: HandoffId, place: &Place) {
        self.handoffs.timers.extend(place.timer.map(|at| (at, id)));
        if let Some(agent) = place.reserved {
            self.handoffs.reserved.entry(agent).or_default().insert(id);
            if !mutated!(HandoffSlotNotKept) {
                self.situation.take_slot(agent);
            }
        }
        if let Some(agent) = place.leaving {
            self.handoffs.leaving.entry(agent).or_default().insert(id);
            self.count_leaving(agent);
        }
    }

    fn leave_place(&mut self, id: HandoffId, place: &Place) {
        if let Some(at) = place.timer {
            self.handoffs.timers.remove(&(at, id));
        }
        if let Some(agent) = place.reserved {
            forget(&mut self.handoffs.reserved, agent, id);
            let position = self.position;
            self.agent_mut(agent).idle_since = position;
            self.situation.give_slot(agent, self.position);
        }
        if let Some(agent) = place.leaving {
            forget(&mut self.handoffs.leaving, agent, id);
            self.count_leaving(agent);
        }
    }

    fn count_leaving(&mut self, agent: AgentId) {
        let count = self.handoffs.leaving.get(&agent).map_or(0, BTreeSet::len);
        self.situation.set_leaving(agent, u32::try_from(count).expect("slots are bounded"));
    }

    /// Puts the deadline of a handoff off that `agent` has to meet.
    pub(crate) fn put_off_handoff(&mut self, task: TaskId, agent: AgentId, until: Moment) {
        let Some(handoff) = self.handoffs.of(task).filter(|it| it.awaits() == Some(agent)) else { return };
        let (id, due) = (handoff.id, handoff.due);
        if due.is_some_and(|due| due < until) {
            self.change_handoff(id, |handoff| handoff.due = Some(until));
        }
    }

    /// Takes the deadlines of handoffs over a time in which nobody served.
    pub(crate) fn handoffs_resumed(&mut self, away: Span) {
        for id in self.handoffs.open.values().copied().collect::<Vec<_>>() {
            self.change_handoff(id, |handoff| handoff.due = handoff.due.map(|due| due.after(away)));
        }
    }

    /// Returns what is reserved for a task.
    pub(crate) fn reserved_for(&self, task: TaskId) -> BTreeSet<ReservationId> {
        self.reservations.of_task(task).map(|held| held.id).collect()
    }

    /// Says in words what a new owner takes over: the package, or what is known where there is none.
    pub(crate) fn handed_over_text(&self, handoff: &Handoff, task: &Task) -> String {
        let from = &self.agent(handoff.from).spec.name;
        let mut said = vec![format!("handed over by `{from}` ({})", handoff.id)];
        match handoff.package.as_ref().filter(|_| handoff.is_packed()) {
            Some(package) => said.push(package.summary()),
            None => {
                let owner = task.owner.as_ref();
                if let Some(owner) = owner.filter(|owner| owner.started_at.is_some()) {
                    said.push(format!("without a whole package; {} % were reported done", owner.percent));
                } else {
                    said.push("without a whole package".to_owned());
                }
                let note = owner.and_then(|owner| owner.note.as_ref()).or(task.note.as_ref());
                said.extend(note.map(|note| format!("its last note: {note}")));
            }
        }
        said.join("; ")
    }
}

fn forget(index: &mut BTreeMap<AgentId, BTreeSet<HandoffId>>, agent: AgentId, id: HandoffId) {
    if let Some(ids) = index.get_mut(&agent) {
        ids.remove(&id);
        if ids.is_empty() {
            index.remove(&agent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Package {
        Package {
            completed: Text::from("the parser"),
            state: Text::from("it builds"),
            remaining: Text::from("the printer"),
            context: Text::from("see the issue"),
            files: vec![Text::from("none")],
            reservations: vec![ReservationId(7)],
        }
    }

    #[test]
    fn a_package_is_whole_where_every_part_says_something_and_names_what_is_reserved() {
        let held = BTreeSet::from([ReservationId(7)]);
        let missing = |package: &Package| package.missing(TaskId(1), &held).join("; ");
        assert_eq!(missing(&whole()), "");
        let blank = Text::from("  \n");
        assert_eq!(missing(&Package { completed: blank.clone(), ..whole() }), "`completed` is empty");
        assert_eq!(missing(&Package { state: blank.clone(), ..whole() }), "`state` is empty");
        assert_eq!(missing(&Package { remaining: blank.clone(), ..whole() }), "`remaining` is empty");
        assert_eq!(missing(&Package { context: blank.clone(), ..whole() }), "`context` is empty");
        let files = "`files` must name them, or be `none`";
        assert_eq!(missing(&Package { files: Vec::new(), ..whole() }), files);
        assert_eq!(missing(&Package { files: vec![Text::from("src/a.rs"), blank], ..whole() }), files);
        let unnamed = Package { reservations: Vec::new(), ..whole() };
        assert_eq!(missing(&unnamed), "`reservations` does not name R-7");
        let strange = Package { reservations: vec![ReservationId(7), ReservationId(9)], ..whole() };
        assert_eq!(missing(&strange), "R-9 is not reserved for T-1");
    }
}
