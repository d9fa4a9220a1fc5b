//! Silence about running work: looked at when its time comes, asked about, and in the end escalated.

use kapell_model::{Considered, Moment, Span, TaskId, limits};

use crate::engine::Reply;
use crate::event::Event;
use crate::mutation::mutated;
use crate::notice::NoticeKind;
use crate::stall::{Stall, StallCause};
use crate::state::State;
use crate::task::{Owner, Task};

/// Checks that one command makes: each may bring five events.
const CHECKS_MAX: usize = limits::EVENTS_PER_COMMAND_MAX / 8;

impl State {
    /// Looks at the running work whose time has come: who has been silent for too long is asked, who has not answered in
    /// time is escalated by the engine, which knows the placer.
    pub(super) fn check_progress(&self, now: Moment, out: &mut Vec<Event>) -> Reply {
        for id in self.due_checks(now).take(CHECKS_MAX).filter(|_| !mutated!(StallNotAsked)) {
            let task = self.task(id);
            let owner = task.owner.as_ref().expect("only owned tasks are watched");
            match &owner.clocks.stall {
                None => self.ask_for_status(now, task, owner, out),
                Some(_) => {
                    let (agent, assignment) = (owner.agent, owner.assignment);
                    out.push(Event::StallUnanswered { task: id, agent, assignment });
                }
            }
        }
        Reply::default()
    }

    fn ask_for_status(&self, now: Moment, task: &Task, owner: &Owner, out: &mut Vec<Event>) {
        let stall = self.stall_at(task, owner, now);
        let text = format!("{}: {}; say how far it is, or give it back", task.id, stall.text());
        let Stall { cause, silent, elapsed, allowed, due, .. } = stall;
        let (task, agent, assignment) = (task.id, owner.agent, owner.assignment);
        out.push(Event::TaskStalled { task, agent, assignment, cause, silent, elapsed, allowed, due });
        self.notify(agent, NoticeKind::StatusRequested, Some(task), &text, Some(due), out);
    }

    /// The clock has jumped, or the server was away: what was watched is not to blame.
    pub(super) fn resume_serving(&self, away: Span, out: &mut Vec<Event>) -> Reply {
        if away > Span(0) && self.is_watching() {
            out.push(Event::ServingResumed { away });
        }
        Reply::default()
    }

    /// Says in words what has become of stalled work whose owner did not answer.
    pub(crate) fn stranded_text(&self, id: TaskId, best: Option<&Considered>) -> String {
        let said = self.unanswered_text(id);
        match best {
            Some(best) => format!("{said}; it goes to `{}`", self.name_of(best.agent)),
            None => format!("{said}; nobody else can take it now, so it stays where it is"),
        }
    }

    /// Says in words what an unanswered investigation has come to.
    pub(crate) fn unanswered_text(&self, id: TaskId) -> String {
        let owner = self.task(id).owner.as_ref().expect("an investigation has an owner");
        let stall = owner.clocks.stall.as_ref().expect("an investigation");
        let asked = self.at.since(stall.since);
        let name = &self.agent(owner.agent).spec.name;
        format!("`{name}` has not answered about {id}, asked {asked} ago; before that {}", stall.text())
    }
}

impl Stall {
    /// Says in words what made it one.
    #[must_use]
    pub fn text(&self) -> String {
        let (silent, elapsed, allowed) = (self.silent, self.elapsed, self.allowed);
        match self.cause {
            StallCause::Quiet => format!("no report for {silent}, {allowed} is borne"),
            StallCause::Overdue => format!("under way for {elapsed}, {allowed} is borne"),
            StallCause::Aside => {
                format!("its owner has begun other work and said nothing for {silent}, {allowed} is borne")
            }
        }
    }
}
