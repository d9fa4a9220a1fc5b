//! Remembers what callers were told, and holds the server to it.

use std::collections::{BTreeMap, BTreeSet};

use kapell_core::{Command, Rejection, Reply, State, TaskRef};
use kapell_model::{AssignmentId, CommandId, Name, TaskId, TaskState};

use crate::actor::KEYED;

/// What was promised.
#[derive(Debug, Default)]
pub struct Oracle {
    submitted: u32,
    completed: BTreeMap<TaskId, (Name, AssignmentId)>,
    handed: BTreeMap<TaskId, (AssignmentId, Name)>,
    keyed: BTreeMap<CommandId, Reply>,
    /// Acknowledgements that were noted.
    pub noted: u64,
}

impl Oracle {
    /// Notes what a caller was told about its command.
    pub fn told(
        &mut self,
        id: CommandId,
        keyed: bool,
        command: &Command,
        told: &Result<Reply, Rejection>,
    ) -> Result<(), String> {
        let Ok(reply) = told else { return Ok(()) };
        self.noted += 1;
        if keyed {
            if let Some(first) = self.keyed.get(&id).filter(|first| *first != reply) {
                return Err(format!("the same key was answered {first:?} and then {reply:?}"));
            }
            self.keyed.insert(id, reply.clone());
        }
        if let (Command::Submit { .. }, Some(task)) = (command, reply.task) {
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
    pub fn handed(&mut self, agent: &Name, task: TaskId, assignment: AssignmentId) -> Result<(), String> {
        if let Some((last, holder)) = self.handed.get(&task)
            && (assignment < *last || (assignment == *last && holder != agent))
        {
            return Err(format!(
                "{task} was handed to {holder} as {last} and then to {agent} as {assignment}"
            ));
        }
        self.handed.insert(task, (assignment, agent.clone()));
        Ok(())
    }

    /// Holds a state to everything that was promised.
    pub fn check(&self, state: &State) -> Result<(), String> {
        if state.tasks().len() < self.submitted as usize {
            return Err(format!(
                "T-{} was acknowledged, {} tasks are there",
                self.submitted,
                state.tasks().len()
            ));
        }
        let mut keys = BTreeSet::new();
        for task in state.tasks().iter().filter(|task| task.spec.title.as_str().starts_with(KEYED)) {
            if !keys.insert(task.spec.title.as_str()) {
                return Err(format!("{} is a second task: {}", task.id, task.spec.title));
            }
        }
        for (&task, (agent, assignment)) in &self.completed {
            let ending = state.task(task).ending.as_ref();
            let by = ending.and_then(|ending| ending.by);
            let right = state.agent_id(agent.as_str()).map(|id| (id, *assignment));
            if ending.is_none_or(|ending| ending.state != TaskState::Completed) || by != right {
                return Err(format!(
                    "{task} was acknowledged to {agent} under {assignment} and is {ending:?}"
                ));
            }
        }
        Ok(())
    }
}
