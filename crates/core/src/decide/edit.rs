//! A task is changed after it was submitted.

use kapell_model::{Position, TaskState};

use super::require_state;
use super::tasks::{OPEN, check_task};
use crate::command::TaskRef;
use crate::edit::TaskEdit;
use crate::engine::Reply;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;

/// Who may do a task, and how long it takes, is settled once somebody owns it.
const UNOWNED: &[TaskState] = &[TaskState::Blocked, TaskState::Ready, TaskState::Deferred];

impl State {
    pub(super) fn edit(
        &self,
        reference: &TaskRef,
        edit: &TaskEdit,
        seen: Option<Position>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        let id = task.id;
        let mut wanted = edit.effective(&task.spec);
        // The priority that it was given takes a boost away too, and one that was ruled is given from now on.
        let known = [task.spec.priority, task.priority, task.given_priority()];
        wanted.priority = edit.priority.filter(|&to| known.into_iter().any(|known| known != to));
        let edit = wanted;
        let spec = edit.of(&task.spec);
        check_task(&spec)?;
        for name in spec.agent.iter().filter(|_| edit.agent.is_some()) {
            self.find_agent(name)?;
        }
        for name in spec.exclude.iter().filter(|_| edit.exclude.is_some()) {
            self.find_agent(name)?;
        }
        require_state(task, "editing", OPEN)?;
        if edit.touches_placing() {
            require_state(task, "editing requirements, agents and effort", UNOWNED)?;
        }
        if let Some(seen) = seen.filter(|&seen| seen != task.changed) {
            return Err(Rejection::TaskMoved { task: id, seen, present: task.changed });
        }
        if edit == TaskEdit::default() {
            return Ok(Reply::about(id));
        }
        let (estimate, learned) = match edit.touches_effort() {
            true => {
                let (estimate, learned) = self.estimate(&spec);
                (Some(estimate), learned)
            }
            false => (None, None),
        };
        // Whoever changes who may do it, or how long it takes, has seen to why it went round.
        let forgets = edit.touches_placing() && task.churn.is_some();
        let reads = edit.touches_text() && task.owner.is_none();
        let large = self.edited_large(task, &spec, estimate.unwrap_or(task.estimate));
        out.push(Event::TaskEdited { task: id, edit: Box::new(edit), estimate, learned, given: None });
        out.extend(large.map(|factors| Event::BreakdownWanted { task: id, factors }));
        if reads {
            out.extend(self.read_again(id, &spec));
        }
        if forgets {
            out.push(Event::HoldReleased { task: id });
        }
        Ok(Reply::about(id))
    }
}
