//! Who is a candidate for a class at all (SEMANTICS 3.1, "Candidates"). The plan room asks before it scores,
//! the core asks again before it believes a plan, a claim or a hand.

use crate::agent_view::AgentView;
use crate::class::Class;
use crate::id::{AgentId, Word};
use crate::ratio::Ratio;
use crate::vocabulary::AgentState;

/// Why an agent is no candidate for a class. The checks run in this order; the first that fails is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is not online.
    NotOnline {
        /// Its state.
        state: AgentState,
    },
    /// It is set apart: drained, out of budget, outside its working hours.
    Draining,
    /// It owns as many tasks as it may.
    AtLimit {
        /// Tasks that it owns.
        active: u32,
        /// Tasks that it may own.
        max: u32,
    },
    /// The task is pinned to another agent.
    Pinned {
        /// That agent.
        to: AgentId,
    },
    /// The task wants another role.
    WrongRole {
        /// That role.
        needs: Word,
    },
    /// The task excludes it.
    Excluded,
    /// It is below a declared minimum.
    UnderMinimum {
        /// In this capability.
        capability: Word,
        /// Its score.
        has: Ratio,
        /// The minimum.
        needs: Ratio,
    },
    /// It is kept for other work for a while.
    KeptFor {
        /// For what needs this capability; there may be others.
        capability: Word,
    },
}

/// Tells whether `agent` is a candidate for `class` now: able to take it, and free.
///
/// # Errors
/// The first reason why not.
pub fn fit(class: &Class, id: AgentId, agent: &AgentView) -> Result<(), Unfit> {
    if agent.state != AgentState::Online {
        return Err(Unfit::NotOnline { state: agent.state });
    }
    if agent.draining {
        return Err(Unfit::Draining);
    }
    if agent.active >= agent.max {
        return Err(Unfit::AtLimit { active: agent.active, max: agent.max });
    }
    able(class, id, agent)
}

/// Tells whether `agent` could take a task of `class` at another load and in reach.
///
/// # Errors
/// The first reason why not.
pub fn able(class: &Class, id: AgentId, agent: &AgentView) -> Result<(), Unfit> {
    capable(class, id, agent)?;
    match kept_from(class, agent) {
        Some(capability) => Err(Unfit::KeptFor { capability }),
        None => Ok(()),
    }
}

/// Tells whether `agent` could ever take a task of `class`: the part of [`able`] that does not end by itself, as keeping does.
///
/// # Errors
/// The first reason why not.
pub fn capable(class: &Class, id: AgentId, agent: &AgentView) -> Result<(), Unfit> {
    if let Some(to) = class.pin.filter(|&pin| pin != id) {
        return Err(Unfit::Pinned { to });
    }
    if let Some(needs) = class.role.filter(|&role| role != agent.role) {
        return Err(Unfit::WrongRole { needs });
    }
    if class.exclude.contains(&id) {
        return Err(Unfit::Excluded);
    }
    for requirement in class.requires.iter().filter(|requirement| requirement.minimum > Ratio::ZERO) {
        let has = agent.score_in(requirement.capability);
        if has < requirement.minimum {
            return Err(Unfit::UnderMinimum {
                capability: requirement.capability,
                has,
                needs: requirement.minimum,
            });
        }
    }
    Ok(())
}

/// Returns the first capability for which `agent` is kept, where it is and `class` needs none of these.
#[must_use]
pub fn kept_from(class: &Class, agent: &AgentView) -> Option<Word> {
    let needed = |kept: &&Word| class.requires.iter().any(|requirement| requirement.capability == **kept);
    agent.kept.first().copied().filter(|_| !agent.kept.iter().any(|kept| needed(&kept)))
}
