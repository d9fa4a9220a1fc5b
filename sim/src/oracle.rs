//! Remembers what callers were told, and holds the server to it.

use std::collections::{BTreeMap, HashMap, HashSet};

use kapell_core::{Command, Rejection, Reply, State, TaskRef};
use kapell_model::{AssignmentId, CommandId, Name, TaskId, TaskState};

use crate::Broken;
use crate::actor::Wish;
use crate::manage::KEYED;
use crate::node::{Answer, Waiting};

/// What was promised.
#[derive(Debug, Default)]
pub struct Oracle {
    /// Where the log stood in whatever was said.
    said: u64,
    submitted: u32,
    completed: BTreeMap<TaskId, (Name, AssignmentId)>,
    handed: BTreeMap<TaskId, (AssignmentId, Name)>,
    keyed: HashMap<CommandId, (u64, Reply)>,
    /// The last row of each acknowledged command that left any.
    rows: Vec<(u64, CommandId)>,
    /// Acknowledgements that were noted.
    pub noted: u64,
}

fn broken<T>(id: &str, what: String) -> Result<T, Broken> {
    Err(Broken { id: id.to_owned(), what })
}

impl Oracle {
    /// Notes what leaves the server, whether or not it reaches its caller.
    ///
    /// # Errors
    /// The promise that it breaks.
    pub fn told(&mut self, waiting: &Waiting, name: Option<&Name>) -> Result<(), Broken> {
        self.said = self.said.max(waiting.seen);
        match (&waiting.answer, &*waiting.call.wish) {
            (Answer::Told(told), Wish::Command { id, keyed, command }) => {
                self.rows.extend(waiting.row.map(|row| (row, *id)));
                self.command(*id, *keyed, waiting.fingerprint, command, told)
            }
            (Answer::Handed(handed), _) => {
                let Some(name) = name else { return Ok(()) };
                handed.iter().try_for_each(|&(task, assignment)| self.handed(name, task, assignment))
            }
            _ => Ok(()),
        }
    }

    fn command(
        &mut self,
        id: CommandId,
        keyed: bool,
        fingerprint: u64,
        command: &Command,
        told: &Result<Reply, Rejection>,
    ) -> Result<(), Broken> {
        let Ok(reply) = told else { return Ok(()) };
        self.noted += 1;
        if keyed {
            let (first, answer) = self.keyed.entry(id).or_insert_with(|| (fingerprint, reply.clone()));
            if *first != fingerprint {
                return broken("one-key-one-command", format!("{id:?} was accepted for two commands"));
            }
            if answer != reply {
                return broken("same-key-same-answer", format!("first {answer:?}, then {reply:?}"));
            }
        }
        let done = match command {
            Command::WithBudget { command, .. } => command,
            command => command,
        };
        if let (Command::Submit { .. }, Some(task)) = (done, reply.task) {
            self.submitted = self.submitted.max(task.0);
        }
        if let Command::Finish { task: TaskRef::Id(task), agent, assignment, .. } = command
            && !reply.stale
            && reply.state == Some(TaskState::Completed)
        {
            self.completed.insert(*task, (agent.clone(), *assignment));
        }
        Ok(())
    }

    /// Notes an assignment that an agent was handed: tokens only grow.
    fn handed(&mut self, agent: &Name, task: TaskId, assignment: AssignmentId) -> Result<(), Broken> {
        if let Some((last, holder)) = self.handed.get(&task)
            && (assignment < *last || (assignment == *last && holder != agent))
        {
            let what = format!("{task} went to {holder} as {last} and then to {agent} as {assignment}");
            return broken("handed-tokens-grow", what);
        }
        self.handed.insert(task, (assignment, agent.clone()));
        Ok(())
    }

    /// Returns the rows of acknowledged commands that have not been looked for yet.
    pub fn unseen_rows(&mut self) -> Vec<(u64, CommandId)> {
        std::mem::take(&mut self.rows)
    }

    /// Holds a log that ends at `position` to what was said.
    ///
    /// # Errors
    /// Where something is missing.
    pub fn check_end(&self, position: u64) -> Result<(), Broken> {
        if position >= self.said {
            return Ok(());
        }
        broken(
            "acknowledged-is-kept",
            format!("callers were told of position {}, the log ends at {position}", self.said),
        )
    }

    /// Holds a state to everything that was promised.
    ///
    /// # Errors
    /// The promise that it breaks.
    pub fn check(&self, state: &State) -> Result<(), Broken> {
        if state.tasks().len() < self.submitted as usize {
            let (told, are) = (self.submitted, state.tasks().len());
            return broken(
                "acknowledged-is-kept",
                format!("T-{told} was acknowledged, {are} tasks are there"),
            );
        }
        let mut keys = HashSet::new();
        // The implementation of a whole that nobody has taken apart has its title.
        let submitted = state.tasks().iter().filter(|task| task.membership().is_none());
        for task in submitted.filter(|task| task.spec.title.as_str().starts_with(KEYED)) {
            if !keys.insert(task.spec.title.as_str()) {
                return broken("one-key-once", format!("{} is a second task: {}", task.id, task.spec.title));
            }
        }
        for (&task, (agent, assignment)) in &self.completed {
            let ending = state.tasks().get(task).and_then(|task| task.ending.as_ref());
            let by = ending.and_then(|ending| ending.by);
            let right = state.agent_id(agent.as_str()).map(|id| (id, *assignment));
            if ending.is_none_or(|ending| ending.state != TaskState::Completed) || by != right {
                let what = format!("{task} was acknowledged to {agent} under {assignment} and is {ending:?}");
                return broken("completed-stays-completed", what);
            }
        }
        Ok(())
    }
}
