//! How a decision is tallied, and whether the tally may decide (SEMANTICS 7, `CAN_DECIDE`).

use std::cmp::Reverse;
use std::collections::BTreeSet;

use kapell_model::{AgentId, Moment, Name, Ratio, TaskId, Text};
use serde::{Deserialize, Serialize};

/// The least share of the weight that must stand behind the leading option.
pub const SUPPORT_MIN: Ratio = Ratio::micros(600_000);
/// By how much the leading option must be ahead of the next one.
pub const MARGIN_MIN: Ratio = Ratio::micros(150_000);
/// Proposals without which nothing is decided before the deadline.
pub const PROPOSALS_MIN: usize = 2;

/// What is to be decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// The question, in words.
    pub title: Text,
    /// The capability whose holders' words count.
    pub capability: Name,
    /// Until when proposals are taken.
    pub deadline: Moment,
    /// It cannot be taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub irreversible: bool,
    /// It shapes what is built on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub architectural: bool,
    /// What there is to choose from; whatever is proposed where nothing stands here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Text>,
    /// Who is asked: nothing is decided before the deadline until all of them have answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<AgentId>,
    /// The tasks that wait for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskId>,
    /// Who opened it; nothing where a manager did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<AgentId>,
}

/// What one agent proposes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Who.
    pub agent: AgentId,
    /// For which option.
    pub option: Text,
    /// Why.
    pub reasons: Text,
    /// How sure it is.
    pub confidence: Ratio,
    /// Its score in the capability when it said so.
    pub score: Ratio,
    /// When.
    pub at: Moment,
}

/// What stands behind one option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionVotes {
    /// Which.
    pub option: Text,
    /// How many propose it.
    pub proposals: u32,
    /// The sum of score times confidence of those, in millionths of a millionth.
    pub weight: u64,
    /// Its share of the weight of all.
    pub support: Ratio,
}

/// What stands behind each option, most first; of two with the same weight the one that was proposed first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Votes(pub Vec<OptionVotes>);

impl Votes {
    /// Counts proposals: each weighs its agent's score in the capability times its confidence.
    #[must_use]
    pub fn of(proposals: &[Proposal]) -> Self {
        let mut tally: Vec<OptionVotes> = Vec::new();
        for proposal in proposals {
            let weight = u64::from(proposal.score.as_micros()) * u64::from(proposal.confidence.as_micros());
            match tally.iter_mut().find(|option| option.option == proposal.option) {
                Some(option) => {
                    option.proposals += 1;
                    option.weight += weight;
                }
                None => tally.push(OptionVotes {
                    option: proposal.option.clone(),
                    proposals: 1,
                    weight,
                    support: Ratio::ZERO,
                }),
            }
        }
        let all: u64 = tally.iter().map(|option| option.weight).sum();
        for option in tally.iter_mut().filter(|_| all > 0) {
            option.support = Ratio::of(option.weight, all);
        }
        tally.sort_by_key(|option| Reverse(option.weight));
        Self(tally)
    }

    /// Returns what most of the weight stands behind.
    #[must_use]
    pub fn leading(&self) -> Option<&OptionVotes> {
        self.0.first()
    }

    /// Returns by how much the leading option is ahead of the next one.
    #[must_use]
    pub fn margin(&self) -> Ratio {
        let support = |index: usize| self.0.get(index).map_or(0, |option| option.support.as_micros());
        Ratio::micros(support(0).saturating_sub(support(1)))
    }

    /// Returns how many proposals were counted.
    #[must_use]
    pub fn proposals(&self) -> u32 {
        self.0.iter().map(|option| option.proposals).sum()
    }

    /// Says in words how the options stand.
    #[must_use]
    pub fn text(&self) -> String {
        if self.0.is_empty() {
            return "nobody has proposed anything".to_owned();
        }
        let said = self.0.iter().map(|it| format!("`{}` {} ({})", it.option, it.support, it.proposals));
        format!("{}; margin {}", said.collect::<Vec<_>>().join(", "), self.margin())
    }
}

/// Why the tally may not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecided {
    /// What cannot be taken back is not decided by a tally.
    Irreversible,
    /// Nor is what shapes everything else.
    Architectural,
    /// Too few have spoken, and there is time left.
    TooFew,
    /// Not enough stands behind the leading option.
    Support,
    /// The leading option is not far enough ahead.
    Margin,
}

impl Undecided {
    /// Says it in words.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Irreversible => "it cannot be taken back".to_owned(),
            Self::Architectural => "it is architectural".to_owned(),
            Self::TooFew => format!("fewer than {PROPOSALS_MIN} proposals"),
            Self::Support => format!("no option has a support of {SUPPORT_MIN}"),
            Self::Margin => format!("the leading option is not ahead by {MARGIN_MIN}"),
        }
    }
}

impl Topic {
    /// Returns the option that the tally decides for (`CAN_DECIDE`); `passed` tells whether the deadline has.
    ///
    /// # Errors
    /// The first reason why it may not decide.
    pub fn decided<'a>(&self, tally: &'a Votes, passed: bool) -> Result<&'a OptionVotes, Undecided> {
        if self.irreversible {
            return Err(Undecided::Irreversible);
        }
        if self.architectural {
            return Err(Undecided::Architectural);
        }
        if !passed && (tally.proposals() as usize) < PROPOSALS_MIN {
            return Err(Undecided::TooFew);
        }
        let leading = tally.leading().filter(|it| it.support >= SUPPORT_MIN).ok_or(Undecided::Support)?;
        if tally.margin() < MARGIN_MIN { Err(Undecided::Margin) } else { Ok(leading) }
    }

    /// Tells whether only a role or a person may decide.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.irreversible || self.architectural
    }

    /// Tells whether enough have spoken, and everybody who was asked.
    pub(crate) fn is_heard(&self, proposals: &[Proposal]) -> bool {
        let spoken: BTreeSet<AgentId> = proposals.iter().map(|proposal| proposal.agent).collect();
        spoken.len() >= PROPOSALS_MIN && self.asked.iter().all(|agent| spoken.contains(agent))
    }
}
