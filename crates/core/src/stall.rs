//! Running work that has gone quiet (SEMANTICS 4, `TASK_STALLED` and `INVESTIGATE_STALL`).
//!
//! Every owned task has a watch with one moment at which it is looked at next; the state keeps those moments in order,
//! so that a tick over a fleet in which nothing is due looks at one of them. Watches count served time: the time that
//! the server was away, or that a clock jumped over, is taken out by one event (`fleet.resumed`), so that nobody is
//! accused of our own absence.
//!
//! ```text
//! watched --check_at--> stalled (the owner is asked) --no answer by due--> unanswered (escalated, moved if somebody can)
//!    ^                       |                                                  |
//!    +------- any report ----+--------------------------------------------------+
//! ```

use std::ops::Bound;

use kapell_model::{AgentId, AgentKind, Moment, QueueKey, Span, TaskId};
use serde::{Deserialize, Serialize};

use crate::mutation::mutated;
use crate::state::State;
use crate::task::{Owner, Task};

/// What is the matter with running work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StallCause {
    /// No report about progress for too long.
    Quiet,
    /// The attempt takes far longer than such work does.
    Overdue,
    /// The owner has begun other work since its last word.
    Aside,
}

impl StallCause {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Overdue => "overdue",
            Self::Aside => "aside",
        }
    }
}

/// An investigation of running work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// What is the matter.
    pub cause: StallCause,
    /// When the owner was asked.
    pub since: Moment,
    /// How long it had said nothing by then, in served time.
    pub silent: Span,
    /// How long the attempt had taken by then, in served time.
    pub elapsed: Span,
    /// What is borne of the one that is the cause.
    pub allowed: Span,
    /// Until when an answer was wanted.
    pub due: Moment,
    /// No answer came by then.
    pub unanswered: bool,
    /// And somebody has been called because of that.
    #[serde(default)]
    pub called: bool,
}

/// The clocks of one attempt. Their moments are of served time: the wall's less what [`State::absent`] says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// When the attempt began; again with the answer to an investigation.
    pub(crate) began: Moment,
    /// When the owner last said anything about it.
    pub(crate) heard: Moment,
    /// Whether the owner has begun other work since.
    pub(crate) aside: bool,
    /// When it is looked at next.
    pub(crate) check_at: Moment,
    /// The investigation under way.
    pub(crate) stall: Option<Box<Stall>>,
}

/// How long the clocks of one attempt may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Patience {
    quiet: Span,
    aside: Option<Span>,
    overdue: Span,
}

impl State {
    /// Returns how much of the past the server was away, or the clock jumped over, as far as running work was watched.
    #[must_use]
    pub fn absent(&self) -> Span {
        self.absent
    }

    /// Returns the moment of served time that belongs to a moment of the wall.
    fn served(&self, at: Moment) -> Moment {
        at.before(self.absent)
    }

    /// Returns when running work must be looked at next.
    #[must_use]
    pub fn next_check(&self) -> Option<Moment> {
        self.checks.first().map(|&(at, _)| at.after(self.absent))
    }

    /// Tells whether any running work is watched, any handoff or any message.
    #[must_use]
    pub fn is_watching(&self) -> bool {
        !self.checks.is_empty()
            || self.handoffs.open() > 0
            || !self.messages.timers.is_empty()
            || !self.calls.is_empty()
    }

    /// Returns how many tasks are stalled: their owners have been asked for a status and have not answered.
    #[must_use]
    pub fn stalled(&self) -> usize {
        self.stalled.len()
    }

    /// Tells whether an agent has not answered about something.
    pub(crate) fn is_silent(&self, agent: AgentId) -> bool {
        self.silent.contains_key(&agent)
    }

    /// Tells whether the owner of a task has not answered about it.
    pub(crate) fn is_stranded(&self, id: TaskId) -> bool {
        self.tasks[id].owner.as_ref().and_then(|owner| owner.stall()).is_some_and(|stall| stall.unanswered)
    }

    /// Returns the most urgent task behind `last` whose owner has not answered about it.
    pub(crate) fn stranded_after(&self, last: Option<QueueKey>) -> Option<QueueKey> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.stranded.range((from, Bound::Unbounded)).next().copied()
    }

    /// Visits the stalled tasks by id.
    pub fn stalled_tasks(&self) -> impl Iterator<Item = &Task> + '_ {
        self.stalled.iter().map(|&id| &self.tasks[id])
    }

    /// Returns how many of the stalled tasks have been begun.
    pub(crate) fn stalled_running(&self) -> usize {
        self.stalled_running.len()
    }

    /// Returns how long the clocks of an attempt may run. Everything that makes them slower belongs here.
    fn patience(&self, task: &Task, owner: &Owner) -> Patience {
        let stalls = &self.policy.stalls;
        let mut least = Span(0);
        if owner.started_at.is_none() {
            // Until it is fetched the ack time runs, and nobody is asked about what nobody has seen yet.
            least = self.policy.ack.of(task.effective);
        }
        let agent = self.agent(owner.agent);
        if agent.spec.kind == AgentKind::Person {
            // A person is asked no sooner than it must be heard of at all.
            least = least.max(agent.borne(self.policy.lease_person));
        }
        Patience {
            quiet: stalls.quiet(task.estimate).max(least),
            aside: stalls.aside_min.map(|aside| aside.max(least)),
            overdue: stalls.overdue(task.estimate_p90()).max(least),
        }
    }

    /// Returns when a watch runs out first, and for which cause: in served time.
    fn runs_out(&self, task: &Task, owner: &Owner) -> (Moment, StallCause, Span) {
        let (clocks, patience) = (&owner.clocks, self.patience(task, owner));
        let agent = self.agent(owner.agent);
        // Of somebody with working hours only these count, as they are by the clock on the wall.
        let after = |since: Moment, span| self.served(agent.after(since.after(self.absent), span));
        let quiet = (after(clocks.heard, patience.quiet), StallCause::Quiet, patience.quiet);
        let overdue = (after(clocks.began, patience.overdue), StallCause::Overdue, patience.overdue);
        let aside = patience.aside.filter(|_| clocks.aside);
        let aside = aside.map(|aside| (after(clocks.heard, aside), StallCause::Aside, aside));
        [quiet, overdue].into_iter().chain(aside).min_by_key(|&(at, ..)| at).unwrap_or(quiet)
    }

    /// Returns when a watch is to be looked at next, in served time.
    pub(crate) fn looked_at(&self, task: &Task, owner: &Owner) -> Moment {
        let due = match &owner.clocks.stall {
            Some(stall) => self.served(stall.due),
            None => self.runs_out(task, owner).0,
        };
        // Nobody is asked, or found silent, while away.
        due.max(self.agent(owner.agent).away_until().map_or(due, |until| self.served(until)))
    }

    /// Returns the investigation that begins for a task whose watch has run out at `now`.
    pub(crate) fn stall_at(&self, task: &Task, owner: &Owner, now: Moment) -> Stall {
        let hours = self.agent(owner.agent).hours();
        let passed = |since: Moment| match hours {
            Some(hours) => hours.worked(since.after(self.absent), now),
            None => self.served(now).since(since),
        };
        let (_, cause, allowed) = self.runs_out(task, owner);
        Stall {
            cause,
            since: now,
            silent: passed(owner.clocks.heard),
            elapsed: passed(owner.clocks.began),
            allowed,
            due: self.due_for(owner.agent, now, self.policy.ack.of(task.effective)),
            unanswered: false,
            called: false,
        }
    }

    /// Returns the watched tasks that must be looked at by `now`, the longest due first.
    pub(crate) fn due_checks(&self, now: Moment) -> impl Iterator<Item = TaskId> + '_ {
        let served = self.served(now);
        self.checks.iter().take_while(move |&&(at, _)| at <= served).map(|&(_, task)| task)
    }

    // Folding.

    /// Takes a task that has just got an owner under clocks.
    pub(crate) fn start_clocks(&mut self, id: TaskId) {
        let served = self.served(self.at);
        self.reset_clocks(id, |clocks| {
            *clocks = Clocks { began: served, heard: served, ..Clocks::default() }
        });
    }

    /// Takes note of a report of the owner. One that answers an investigation begins every clock again; any other one
    /// that of silence alone.
    pub(crate) fn heard(&mut self, id: TaskId) {
        let served = self.served(self.at);
        self.reset_clocks(id, |clocks| {
            if clocks.stall.take().is_some() {
                clocks.began = served;
            }
            if !mutated!(StallClockKept) {
                clocks.heard = served;
            }
            clocks.aside = false;
        });
    }

    /// Takes the time since the owner was last heard, in which it waited for others, out of the clocks of its attempt.
    pub(crate) fn has_rested(&mut self, id: TaskId) {
        let served = self.served(self.at);
        self.reset_clocks(id, |clocks| {
            clocks.began = clocks.began.after(served.since(clocks.heard)).min(served);
            clocks.heard = served;
        });
    }

    /// Takes note that an agent has begun `begun`: it may have put its other work aside.
    pub(crate) fn turned_to(&mut self, agent: AgentId, begun: TaskId) {
        if self.policy.stalls.aside_min.is_none() || self.agents[agent.index()].tasks.len() < 2 {
            return;
        }
        for id in self.agents[agent.index()].tasks.clone() {
            if id != begun {
                self.reset_clocks(id, |clocks| clocks.aside = true);
            }
        }
    }

    pub(crate) fn task_stalled(&mut self, id: TaskId, stall: Stall) {
        self.reset_clocks(id, |clocks| clocks.stall = Some(Box::new(stall)));
        self.touch(id);
    }

    pub(crate) fn stall_unanswered(&mut self, id: TaskId) {
        self.reset_clocks(id, |clocks| {
            if let Some(stall) = &mut clocks.stall {
                stall.unanswered = true;
            }
        });
        self.touch(id);
        self.unanswered.push(id);
        self.note_silence(id);
    }

    /// Somebody has seen to work whose owner does not answer: it stays where it is, and every clock begins again.
    pub(crate) fn stall_settled(&mut self, id: TaskId) {
        self.heard(id);
        self.touch(id);
    }

    /// Takes the clocks of running work over a time in which nobody served. Once a start or a jump of the clock, so it may
    /// look at all of it.
    pub(crate) fn serving_resumed(&mut self, away: Span) {
        self.absent = Span(self.absent.0.saturating_add(away.0));
        let served = self.served(self.at);
        for id in self.assigned.values().copied().collect::<Vec<_>>() {
            self.reset_clocks(id, |clocks| {
                // What was said after the jump and before it was noticed stands in the future by now.
                clocks.began = clocks.began.min(served);
                clocks.heard = clocks.heard.min(served);
                if let Some(stall) = clocks.stall.as_mut().filter(|stall| !stall.unanswered) {
                    stall.due = stall.due.after(away);
                }
            });
        }
    }

    /// Changes a watch, and when its task is looked at next.
    pub(crate) fn reset_clocks(&mut self, id: TaskId, change: impl FnOnce(&mut Clocks)) {
        self.stop_clocks(id);
        let task = &mut self.tasks[id];
        if task.rests() {
            return;
        }
        let Some(owner) = task.owner.as_mut() else { return };
        change(&mut owner.clocks);
        let task = &self.tasks[id];
        let owner = task.owner.as_ref().expect("a watched task has an owner");
        let check_at = self.looked_at(task, owner);
        self.tasks[id].owner.as_mut().expect("a watched task has an owner").clocks.check_at = check_at;
        self.index_clocks(id);
    }

    /// Looks at every watch anew, under another policy.
    pub(crate) fn reset_all_clocks(&mut self) {
        for id in self.assigned.values().copied().collect::<Vec<_>>() {
            self.reset_clocks(id, |_| {});
        }
    }

    /// Puts an owned task into the indexes of its clocks.
    pub(crate) fn index_clocks(&mut self, id: TaskId) {
        let task = &self.tasks[id];
        // What waits for others than its owner is not watched.
        let Some(owner) = task.owner.as_ref().filter(|_| !task.rests()) else { return };
        match &owner.clocks.stall {
            Some(stall) if stall.unanswered => {
                self.stranded.insert(self.tasks[id].queue_key());
                *self.silent.entry(owner.agent).or_default() += 1;
            }
            _ => {
                self.checks.insert((owner.clocks.check_at, id));
            }
        }
        if owner.clocks.stall.is_some() {
            self.stalled.insert(id);
            if owner.started_at.is_some() {
                self.stalled_running.insert(id);
            }
        }
    }

    /// Indexes the watch of a task from a snapshot; one from before there were watches begins where the owner was last heard.
    pub(crate) fn restore_clocks(&mut self, id: TaskId) {
        let unwatched = |owner: &&mut Box<Owner>| owner.clocks.check_at == Moment(0);
        if let Some(owner) = self.tasks[id].owner.as_mut().filter(unwatched) {
            owner.clocks.began = owner.started_at.unwrap_or(owner.since);
            owner.clocks.heard = owner.reported_at;
            self.reset_clocks(id, |_| {});
        } else {
            self.index_clocks(id);
        }
    }

    /// Takes a task out of the indexes of its clocks.
    pub(crate) fn stop_clocks(&mut self, id: TaskId) {
        let Some(owner) = &self.tasks[id].owner else { return };
        self.checks.remove(&(owner.clocks.check_at, id));
        if owner.clocks.stall.is_some() {
            self.stalled.remove(&id);
            self.stalled_running.remove(&id);
            if self.stranded.remove(&self.tasks[id].queue_key()) {
                let agent = owner.agent;
                let left = self.silent.get_mut(&agent).expect("whoever owns stranded work is silent");
                *left -= 1;
                if *left == 0 {
                    self.silent.remove(&agent);
                    // It can take over what others do not answer about.
                    self.situation.look_at(agent);
                }
            }
        }
    }
}
