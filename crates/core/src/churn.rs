//! Work that is handed out and taken back over and over without getting anywhere: re-dispatch loops.
//!
//! Every time a task is taken back is a turn. So many turns within the policy's window, with nothing heard of progress in
//! between, are a loop: the task is held back for a pause that doubles with each further turn, and somebody is called.
//! A report of progress, the task's end, or a manager who settles the escalation makes it forget all of them.

use kapell_model::{AgentId, Moment, Redispatch, Span, TaskId, TaskState};
use serde::{Deserialize, Serialize};

use crate::event::{Cause, Event};
use crate::mutation::mutated;
use crate::state::State;
use crate::task::Task;

/// How a task was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnCause {
    /// The owner gave it back.
    Released,
    /// The owner went offline.
    OwnerOffline,
    /// The owner was taken out of the fleet.
    OwnerRemoved,
    /// Nobody fetched it in time.
    NotFetched,
    /// The owner went quiet, and it went to somebody else.
    Stalled,
}

impl TurnCause {
    /// Returns what the agent did, in words.
    const fn words(self) -> &'static str {
        match self {
            Self::Released => "gave it back",
            Self::OwnerOffline => "went offline",
            Self::OwnerRemoved => "was removed",
            Self::NotFetched => "did not fetch it",
            Self::Stalled => "did not answer",
        }
    }
}

impl From<Cause> for TurnCause {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Released => Self::Released,
            Cause::OwnerOffline => Self::OwnerOffline,
            Cause::OwnerRemoved => Self::OwnerRemoved,
            // What is set aside for something more urgent, or stopped by a budget, is no turn.
            Cause::SetAside | Cause::OverBudget | Cause::NotFetched => Self::NotFetched,
        }
    }
}

/// One time that a task was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// When.
    pub at: Moment,
    /// From whom.
    pub agent: AgentId,
    /// How.
    pub cause: TurnCause,
}

/// The turns of one task since it last got anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Churn {
    turns: Vec<Turn>,
    holds: u32,
    held_until: Option<Moment>,
    /// The last turn made it a loop, and it has not been held back for it yet.
    due: bool,
}

impl Churn {
    /// Notes a turn, and tells whether the task goes round in a loop: it was taken back so often within the window, or
    /// was held back for that before.
    pub fn turn(&mut self, turn: Turn, redispatch: &Redispatch) -> bool {
        let from = turn.at.before(redispatch.window);
        if self.holds == 0 {
            self.turns.retain(|earlier| earlier.at >= from);
        }
        if self.turns.len() >= redispatch.turns_max as usize {
            self.turns.remove(0);
        }
        self.turns.push(turn);
        self.due = self.holds > 0 || self.turns.len() >= redispatch.turns_max as usize;
        self.due
    }

    /// Returns the turns that are remembered, oldest first.
    #[must_use]
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Returns how often it was held back since it last got anywhere.
    #[must_use]
    pub fn holds(&self) -> u32 {
        self.holds
    }

    /// Notes that it is held back.
    pub(crate) fn hold(&mut self, until: Moment) {
        self.holds = self.holds.saturating_add(1);
        self.held_until = Some(until);
        self.due = false;
    }
}

impl Task {
    /// Returns until when it is held back for going round in a loop, where it is.
    #[must_use]
    pub fn held_until(&self) -> Option<Moment> {
        let held = self.churn.as_ref()?.held_until?;
        (self.state() == TaskState::Deferred && self.deferred_until == Some(held)).then_some(held)
    }

    /// Tells whether it must be held back before it is handed out again.
    pub(crate) fn is_hold_due(&self) -> bool {
        self.state() == TaskState::Ready && self.churn.as_ref().is_some_and(|churn| churn.due)
    }
}

impl State {
    /// Notes that a task was taken back from an agent.
    pub(crate) fn note_turn(&mut self, id: TaskId, agent: AgentId, cause: TurnCause) {
        if mutated!(TurnsNotCounted) {
            return;
        }
        let turn = Turn { at: self.at, agent, cause };
        let churn = self.tasks[id].churn.get_or_insert_default();
        churn.turn(turn, &self.policy.redispatch);
        if self.tasks[id].is_hold_due() {
            self.churned.push(id);
        }
    }

    /// Forgets the turns of a task that has got somewhere.
    pub(crate) fn note_progress(&mut self, id: TaskId) {
        self.tasks[id].churn = None;
    }

    /// Returns the holding back of a task that goes round in a loop, where it still must be.
    pub(crate) fn held_event(&self, id: TaskId, at: Moment) -> Option<Event> {
        let task = self.tasks.get(id).filter(|task| task.is_hold_due())?;
        let churn = task.churn.as_ref()?;
        let until = at.after(self.policy.redispatch.pause_after(churn.holds));
        let turns = u32::try_from(churn.turns.len()).unwrap_or(u32::MAX);
        Some(Event::TaskHeld { task: id, turns, until })
    }

    pub(crate) fn task_held(&mut self, id: TaskId, until: Moment) {
        self.change(id, |task| {
            task.deferred_until = Some(until);
            task.churn.get_or_insert_default().hold(until);
        });
    }

    pub(crate) fn hold_released(&mut self, id: TaskId) {
        self.change(id, |task| {
            if task.held_until().is_some() {
                task.deferred_until = None;
            }
            task.churn = None;
        });
    }

    /// Says in words how a task has gone round.
    #[must_use]
    pub fn churn_text(&self, task: &Task) -> String {
        let Some(churn) = &task.churn else { return String::new() };
        let turns = churn.turns();
        let (first, last) =
            (turns.first().map_or(self.at, |turn| turn.at), turns.last().map_or(self.at, |turn| turn.at));
        let within: Span = last.since(first);
        let mut runs: Vec<(AgentId, TurnCause, u32)> = Vec::new();
        for turn in turns {
            match runs.last_mut() {
                Some((agent, cause, times)) if (*agent, *cause) == (turn.agent, turn.cause) => *times += 1,
                _ => runs.push((turn.agent, turn.cause, 1)),
            }
        }
        let said = runs.iter().map(|&(agent, cause, times)| {
            let times = if times > 1 { format!(" {times} times") } else { String::new() };
            format!("`{}` {}{times}", self.agent(agent).spec.name, cause.words())
        });
        let said: Vec<String> = said.collect();
        format!("taken back {} times within {within} without progress: {}", turns.len(), said.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(minute: i64) -> Turn {
        Turn { at: Moment(minute * 60_000), agent: AgentId(0), cause: TurnCause::Released }
    }

    #[test]
    fn so_many_turns_within_the_window_are_a_loop_and_no_fewer() {
        let redispatch = Redispatch { turns_max: 3, window: Span::minutes(10), ..Redispatch::default() };
        let mut churn = Churn::default();
        let looping: Vec<bool> =
            [0, 5, 11, 16, 20].map(|minute| churn.turn(turn(minute), &redispatch)).into_iter().collect();
        // 0 has left the window by 11, 5 by 16; 11, 16 and 20 are three within ten minutes.
        assert_eq!(looping, [false, false, false, false, true]);
        churn.hold(Moment(0));
        assert!(churn.turn(turn(100_000), &redispatch), "held back before, so the next turn is one too");
        assert_eq!(churn.turns().len(), 3, "no more are remembered than are needed");
    }
}
