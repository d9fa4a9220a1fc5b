//! Finished work before its gates: passed, sent back, and reviews that nobody gives (SEMANTICS 15).

use kapell_model::{
    AgentId, AssignmentId, Moment, Name, OfferId, Ratio, TaskGate, TaskId, TaskState, Text, limits,
};

use super::{invalid, require_state};
use crate::command::{GateWord, TaskRef};
use crate::engine::Reply;
use crate::escalation::{EscalationKind, Subject};
use crate::event::{Cause, Event};
use crate::gate::{CommandRun, Verdict};
use crate::mutation::mutated;
use crate::notice::NoticeKind;
use crate::rejection::Rejection;
use crate::state::State;
use crate::task::Task;

/// The states of finished work that stands before a gate.
const BEFORE_A_GATE: &[TaskState] = &[TaskState::InReview, TaskState::Waiting];
/// Reviews that lapse in one tick: each may bring an escalation.
const LAPSED_MAX: usize = limits::EVENTS_PER_COMMAND_MAX / 16;

impl State {
    /// Puts into `out` what comes of finished work: it is completed, or it stands before its gates.
    pub(super) fn finished(
        &self,
        task: &Task,
        (agent, assignment): (AgentId, AssignmentId),
        result: Option<&Text>,
        offer: Option<OfferId>,
        out: &mut Vec<Event>,
    ) {
        let (gates, task, result) = (self.gates_of(&task.spec), task.id, result.cloned());
        if gates.is_empty() || mutated!(GatesSkipped) {
            self.plan_carried_out(self.task(task), out);
            out.push(Event::TaskCompleted { task, agent, assignment, result, offer });
        } else {
            out.push(Event::GatesOpened { task, agent, assignment, result, offer, gates });
        }
    }

    /// Tells whether this very work stands before its gates already.
    pub(super) fn is_before_gates(&self, reference: &TaskRef, name: &Name, assignment: AssignmentId) -> bool {
        let task = self.task_id(reference).map(|id| self.task(id)).filter(|task| task.is_before_gates());
        let acceptance = task.and_then(|task| task.acceptance.as_ref());
        acceptance
            .is_some_and(|it| self.agent_id(name.as_str()) == Some(it.agent) && it.assignment == assignment)
    }

    /// Lets work pass the gate before which it stands, or sends it back. Without an agent it is a manager.
    pub(super) fn judge_gate(
        &self,
        reference: &TaskRef,
        gate: Option<u8>,
        name: Option<&Name>,
        word: &GateWord,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        let agent = name.map(|name| self.find_agent(name)).transpose()?;
        if let Some(wanted) = task.wanted() {
            let allowed = format!("{}, since the work is not finished: its owner wants leave", wanted.id);
            return Err(invalid("request", "missing", allowed));
        }
        require_state(task, "a word about finished work", BEFORE_A_GATE)?;
        let Some((index, standing)) = task.pending_gate() else {
            let reason = "no finished work on it stands before a gate".to_owned();
            return Err(Rejection::NoGate { task: task.id, reason });
        };
        let present = u8::try_from(index).expect("gates are bounded");
        if let Some(given) = gate.filter(|&given| given != present + 1) {
            let allowed = format!("{}, the gate before which it stands", present + 1);
            return Err(invalid("gate", given.to_string(), allowed));
        }
        let refused = agent.and_then(|agent| self.unfit_reviewer(task, &standing.gate, agent));
        let runs = matches!(standing.gate, TaskGate::Command { .. });
        if let Some((agent, reason)) = agent.zip(refused) {
            let agent = agent.spec.name.clone();
            return Err(Rejection::MayNotPass { task: task.id, gate: standing.gate.as_str(), agent, reason });
        }
        let verdict = self.verdict(word, runs, agent.map(|agent| agent.id))?;
        if verdict.passed {
            self.pass(task, present, verdict, out);
        } else {
            self.send_back(task, present, verdict, out);
        }
        Ok(Reply::about(task.id))
    }

    fn verdict(&self, word: &GateWord, runs: bool, by: Option<AgentId>) -> Result<Verdict, Rejection> {
        let (notes, score) = match word {
            GateWord::Ran { notes, exit_code, digest } => {
                if !runs {
                    return Err(invalid(
                        "exit_code",
                        exit_code.to_string(),
                        "approve or reject: no command is due",
                    ));
                }
                let run = CommandRun { exit_code: *exit_code, digest: digest.clone() };
                let passed = *exit_code == 0 || mutated!(ExitCodeIgnored);
                return Ok(Verdict { passed, by, notes: notes.clone(), score: None, run: Some(run) });
            }
            GateWord::Passed { notes, score } | GateWord::Rejected { notes, score } => (notes, *score),
        };
        let passed = matches!(word, GateWord::Passed { .. });
        if runs {
            return Err(invalid("exit_code", "missing", "the exit code of the command that is due"));
        }
        if !passed && notes.as_str().trim().is_empty() {
            return Err(invalid("notes", "missing", "what is to be done, where work is sent back"));
        }
        if let Some(score) = score.filter(|&score| score > Ratio::ONE) {
            return Err(invalid("score", score.to_string(), "0 to 1"));
        }
        Ok(Verdict { passed, by, notes: notes.clone(), score, run: None })
    }

    fn pass(&self, task: &Task, gate: u8, verdict: Verdict, out: &mut Vec<Event>) {
        let acceptance = task.acceptance.as_ref().expect("work before a gate");
        let left = acceptance.gates.iter().filter(|gate| !gate.is_passed()).count();
        out.push(Event::GatePassed { task: task.id, gate, verdict });
        if left <= 1 || mutated!(FirstGateSuffices) {
            self.plan_carried_out(task, out);
            out.push(Event::TaskCompleted {
                task: task.id,
                agent: acceptance.agent,
                assignment: acceptance.assignment,
                result: acceptance.result.clone(),
                offer: acceptance.offer,
            });
        }
    }

    /// Sends work back to its author, under the same token where it is still there, with the notes.
    fn send_back(&self, task: &Task, gate: u8, verdict: Verdict, out: &mut Vec<Event>) {
        let acceptance = task.acceptance.as_ref().expect("work before a gate");
        let (what, count) = (acceptance.gates[usize::from(gate)].gate.as_str(), acceptance.rejections + 1);
        let notes = match &verdict.run {
            Some(run) => format!("exit code {}; {}", run.exit_code, verdict.notes),
            None => verdict.notes.to_string(),
        };
        let text = format!("{}: its {what} sent it back: {notes}", task.id);
        out.push(Event::GateRejected { task: task.id, gate, verdict });
        if let Some(owner) = &task.owner {
            self.notify(owner.agent, NoticeKind::SentBack, Some(task.id), &text, None, out);
        }
        if count >= self.policy.gates.rejections_max {
            let detail = || format!("{} was sent back {count} times, last by its {what}: {notes}", task.id);
            self.raise(EscalationKind::SentBack, Subject::Task(task.id), task.effective, detail, out);
        }
    }

    /// Ends the ownership of finished work whose author goes; the work stays where it is.
    pub(super) fn author_leaves(&self, task: &Task, cause: Cause, out: &mut Vec<Event>) {
        let owner = task.owner.as_ref().expect("an agent's task has an owner");
        let (task, agent, assignment) = (task.id, owner.agent, owner.assignment);
        out.push(Event::GateOwnerLeft { task, agent, assignment, cause });
    }

    /// Takes the reviews from those who have not given them by `now`.
    pub(super) fn lapse_reviews(&self, now: Moment, out: &mut Vec<Event>) {
        let due =
            self.gates.timers.iter().take_while(|&&(at, _)| at <= now).filter(|_| !mutated!(ReviewNeverDue));
        let reviewer = |task| self.task(task).pending_gate().and_then(|(_, standing)| standing.reviewer);
        let due = due.take(LAPSED_MAX).map(|&(_, task)| task);
        let due = due.filter(|&task| !reviewer(task).is_some_and(|agent| self.is_off(agent, now)));
        out.extend(due.map(|task| self.review_withdrawn(task)));
    }

    /// Returns the events that take the reviews of an agent that goes from it.
    pub(crate) fn reviews_lost(&self, agent: AgentId) -> Vec<Event> {
        self.reviews_of(agent).map(|task| self.review_withdrawn(task.id)).collect()
    }

    fn review_withdrawn(&self, task: TaskId) -> Event {
        let (index, _) = self.task(task).pending_gate().expect("a review is open");
        let gate = u8::try_from(index).expect("gates are bounded");
        Event::ReviewPlaced { task, gate, agent: None, due: None }
    }
}

/// Checks the gates that a task declares.
pub(super) fn check_gates(gates: &[TaskGate]) -> Result<(), Rejection> {
    if gates.len() > limits::GATES_PER_TASK_MAX {
        return Err(Rejection::LimitExceeded { what: "gates of a task", limit: limits::GATES_PER_TASK_MAX });
    }
    for (index, gate) in gates.iter().enumerate() {
        if gates[..index].contains(gate) {
            return Err(invalid(
                format!("gates[{index}]"),
                format!("{} twice", gate.as_str()),
                "each gate once",
            ));
        }
        if let TaskGate::Command { line } = gate
            && line.as_str().trim().is_empty()
        {
            return Err(invalid(format!("gates[{index}].line"), "missing", "a command line"));
        }
    }
    Ok(())
}
