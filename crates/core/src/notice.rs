//! Words to agents. Each has a reason, is kept until it is read, and wakes the agent where it waits for work.

use std::collections::VecDeque;

use kapell_model::{AgentId, Moment, NoticeId, TaskId, Text, limits};
use serde::{Deserialize, Serialize};

use crate::decide::agents::own_text;
use crate::event::Event;
use crate::state::State;

/// What a notice asks or tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The task was given to somebody else: stop working on it.
    Moved,
    /// Others wait in a ring for what it has reserved: release it.
    ReleaseAsked,
    /// What it had reserved was taken away.
    ReservationTaken,
    /// It has what it waited in line for.
    ReservationGranted,
    /// Nothing has been heard of the task for too long: say how far it is.
    StatusRequested,
    /// An edge was taken out of a cycle that one of its tasks is in.
    CycleBroken,
    /// Work is on its way to it.
    HandoffOffered,
    /// The package of a handoff is wanted.
    PackageWanted,
    /// It has got work by a handoff: confirm it, or decline it.
    ConfirmWanted,
    /// Its handoff is through: it is released.
    HandoffReleased,
    /// A handoff has ended before.
    HandoffEnded,
    /// A decision is to be made, and its word is wanted.
    ProposalAsked,
    /// A decision that concerns it was made, or taken back.
    DecisionMade,
    /// A task that it took for its own is another's: stop working on it.
    DisputeRuled,
    /// It was ruled what comes first, where it had said so or otherwise.
    PriorityRuled,
    /// Finished work of another agent is to be reviewed.
    ReviewAsked,
    /// Its finished work did not pass a gate: the notes say what is to be done.
    SentBack,
    /// In an emergency: leave the state of the work where another one finds it.
    CheckpointWanted,
    /// It is in a task force.
    ForceFormed,
    /// How far its task force is.
    CheckpointFound,
    /// It is in a channel.
    ChannelOpened,
    /// What somebody sends it comes as digests.
    DigestBegun,
    /// An escalation calls its role.
    Called,
    /// A budget that its work counts against is spent: stop working on the task.
    BudgetReached,
    /// A soft limit of its own budget, or of its task's, is passed.
    BudgetWarned,
}

impl NoticeKind {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::ReleaseAsked => "release_asked",
            Self::ReservationTaken => "reservation_taken",
            Self::ReservationGranted => "reservation_granted",
            Self::StatusRequested => "status_requested",
            Self::CycleBroken => "cycle_broken",
            Self::HandoffOffered => "handoff_offered",
            Self::PackageWanted => "package_wanted",
            Self::ConfirmWanted => "confirm_wanted",
            Self::HandoffReleased => "handoff_released",
            Self::HandoffEnded => "handoff_ended",
            Self::ProposalAsked => "proposal_asked",
            Self::DecisionMade => "decision_made",
            Self::DisputeRuled => "dispute_ruled",
            Self::PriorityRuled => "priority_ruled",
            Self::ReviewAsked => "review_asked",
            Self::SentBack => "sent_back",
            Self::CheckpointWanted => "checkpoint_wanted",
            Self::ForceFormed => "force_formed",
            Self::CheckpointFound => "checkpoint_found",
            Self::ChannelOpened => "channel_opened",
            Self::DigestBegun => "digest_begun",
            Self::Called => "called",
            Self::BudgetReached => "budget_reached",
            Self::BudgetWarned => "budget_warned",
        }
    }
}

/// A word to an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its id; later ones are larger.
    pub id: NoticeId,
    /// What it asks or tells.
    pub kind: NoticeKind,
    /// The task that it is about.
    pub task: Option<TaskId>,
    /// Why, in words.
    pub text: Text,
    /// When it was sent.
    pub at: Moment,
    /// Until when an answer is wanted.
    pub due: Option<Moment>,
}

/// What an agent has been told: the last notices, and up to which it has read them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    notices: VecDeque<Notice>,
    read: NoticeId,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { notices: VecDeque::new(), read: NoticeId(0) }
    }
}

impl Inbox {
    /// Returns everything that is kept, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &Notice> + '_ {
        self.notices.iter()
    }

    /// Returns what has not been read, oldest first.
    pub fn unread(&self) -> impl Iterator<Item = &Notice> + '_ {
        self.notices.iter().filter(|notice| notice.id > self.read)
    }

    /// Tells whether everything has been read.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.notices.back().is_none_or(|notice| notice.id <= self.read)
    }

    /// Returns the last notice that has been read; 0 where none has.
    #[must_use]
    pub fn read_up_to(&self) -> NoticeId {
        self.read
    }

    fn put(&mut self, notice: Notice) {
        if self.notices.len() == limits::NOTICES_PER_AGENT_MAX {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }
}

impl State {
    /// Sends a notice in `out`.
    pub(crate) fn notify(
        &self,
        agent: AgentId,
        kind: NoticeKind,
        task: Option<TaskId>,
        text: &str,
        due: Option<Moment>,
        out: &mut Vec<Event>,
    ) {
        let before = out.iter().filter(|event| matches!(event, Event::NoticeSent { .. })).count();
        let next = u64::from(self.last_notice.0) + before as u64 + 1;
        let notice = NoticeId(u32::try_from(next).expect("notices are fewer than events"));
        out.push(Event::NoticeSent { notice, agent, kind, task, text: own_text(text), due });
    }

    pub(crate) fn notice_sent(&mut self, agent: AgentId, notice: Notice) {
        self.last_notice = notice.id;
        self.agent_mut(agent).inbox.put(notice);
    }

    pub(crate) fn notices_read(&mut self, agent: AgentId, up_to: NoticeId) {
        self.agent_mut(agent).inbox.read = up_to;
    }
}
