//! Whose a task is, where more than one agent takes it for its own (SEMANTICS 7, `TASK_DISPUTE`).
//!
//! ```text
//! a claim of what a stalled agent owns   \
//! a result under an outdated token         > opened -> ruled in the same step -> the others are fenced and told why
//! an agent says so                       /
//! ```
//! The rightful owner is the holder of a live assignment that is not stalled, or of one who is away and was asked before; else whoever of those in it could have the task
//! and has the highest score; else whoever claimed it first.

use kapell_model::{AgentId, AssignmentId, ConflictId, Considered, Moment, Text};
use serde::{Deserialize, Serialize};

use crate::conflict::{Conflict, ConflictMatter};
use crate::state::{OfferState, State};
use crate::task::{Owner, Task};

/// How a dispute came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeCause {
    /// An agent claimed a task whose owner is stalled, or contested.
    Claimed,
    /// An agent finished a task that another one owns by now.
    LateResult,
    /// An agent said that the task is its own.
    Filed,
}

impl DisputeCause {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::LateResult => "late_result",
            Self::Filed => "filed",
        }
    }
}

/// By which part of the rule a task was awarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AwardRule {
    /// To the holder of a live assignment that is not stalled.
    LiveAssignment,
    /// To the highest score of those who could have it.
    HighestScore,
    /// To the first claim, since none of them could have it.
    FirstClaim,
}

impl AwardRule {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LiveAssignment => "live_assignment",
            Self::HighestScore => "highest_score",
            Self::FirstClaim => "first_claim",
        }
    }
}

/// A dispute over a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// The live assignment when it was opened; its holder is the first of the parties.
    pub assignment: AssignmentId,
    /// Whether that was stalled.
    pub stalled: bool,
    /// How it came about.
    pub cause: DisputeCause,
    /// Who opened it.
    pub by: AgentId,
    /// Why, in the opener's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
    /// How it was ruled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub award: Option<Award>,
}

/// Whose a disputed task is, and by which numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Award {
    /// The rightful owner.
    pub agent: AgentId,
    /// By which part of the rule.
    pub rule: AwardRule,
    /// Those who could have it with their scores, in the order of their claims; only where scores decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub considered: Vec<Considered>,
}

impl Award {
    /// Rules among the scores of those who could have the task, in the order of their claims; of equal ones the first.
    pub(crate) fn among(first: AgentId, considered: Vec<Considered>) -> Self {
        let mut best: Option<&Considered> = None;
        for candidate in &considered {
            if best.is_none_or(|best| candidate.parts.total > best.parts.total) {
                best = Some(candidate);
            }
        }
        match best.map(|best| best.agent) {
            Some(agent) => Self { agent, rule: AwardRule::HighestScore, considered },
            None => Self { agent: first, rule: AwardRule::FirstClaim, considered },
        }
    }
}

impl Conflict {
    /// Returns the dispute, where it is one.
    #[must_use]
    pub fn dispute(&self) -> Option<&Dispute> {
        match &self.matter {
            ConflictMatter::Dispute(dispute) => Some(dispute),
            _ => None,
        }
    }
}

impl State {
    /// Tells whether a silent owner has to stand up to others for its task: nobody does who is away at `now` and has time for its answer yet.
    pub(crate) fn is_forsaken(&self, owner: &Owner, now: Moment) -> bool {
        let asked = owner.stall();
        asked.is_some_and(|stall| stall.unanswered || !self.is_off(owner.agent, now))
    }

    /// Tells whether another agent has finished a task since its owner got it, and nobody has said what becomes of that.
    pub(crate) fn is_contested(&self, task: &Task, owner: &Owner) -> bool {
        let offers = task.offers.iter().filter_map(|&id| self.offer(id));
        { offers }.any(|offer| {
            offer.state == OfferState::Open && offer.agent != owner.agent && offer.at >= owner.since
        })
    }

    /// Visits the disputes over the present assignment of a task, oldest first.
    pub(crate) fn disputes_of<'a>(
        &'a self,
        task: &'a Task,
        owner: &'a Owner,
    ) -> impl Iterator<Item = (&'a Conflict, &'a Dispute)> + 'a {
        let all = task.conflicts.iter().flat_map(|conflicts| &conflicts.all);
        let all = all.filter_map(|&id| self.conflict(id));
        all.filter_map(|conflict| Some((conflict, conflict.dispute()?)))
            .filter(|(_, dispute)| dispute.assignment == owner.assignment)
    }

    /// Returns the dispute in which an agent has lost a task to its present owner, where that owner has not become stalled since.
    pub(crate) fn lost_already(&self, task: &Task, owner: &Owner, agent: AgentId) -> Option<ConflictId> {
        let stalled = owner.stall().map(|stall| stall.since);
        let ruled = |conflict: &Conflict, dispute: &Dispute| {
            let since = stalled.is_none_or(|stalled| dispute.stalled && conflict.at >= stalled);
            since && conflict.parties.contains(&agent)
        };
        let mut lost = self.disputes_of(task, owner).filter(|(conflict, dispute)| ruled(conflict, dispute));
        lost.next().map(|(conflict, _)| conflict.id)
    }
}
