//! Handoffs: asked for, packed, taken over, declined, called off; and what comes of their deadlines (SEMANTICS 10).

use std::sync::Arc;

use kapell_model::{
    AgentId, AgentState, AssignmentId, Considered, HandoffId, Moment, Name, ReservationId, SCORER_VERSION,
    TaskId, Text, able, fit, limits,
};

use super::agents::own_text;
use super::{OWNED, invalid, require_state};
use crate::command::TaskRef;
use crate::engine::Reply;
use crate::event::{Event, ReleaseCause};
use crate::handoff::{Handoff, HandoffCause, Outcome, Package, Stage, Trouble};
use crate::mutation::mutated;
use crate::notice::NoticeKind;
use crate::rejection::Rejection;
use crate::reservations::{Obstacle, Party};
use crate::state::State;
use crate::task::Task;

/// Handoffs whose deadlines one tick looks at: each may bring a handful of events.
const DUE_MAX: usize = limits::EVENTS_PER_COMMAND_MAX / 16;

impl State {
    /// Begins a handoff. The owner brings its token; without one it is a manager. The engine has chosen the recipient where
    /// nobody was named.
    pub(super) fn request_handoff(
        &self,
        now: Moment,
        reference: &TaskRef,
        owner: Option<&(Name, AssignmentId)>,
        to: Option<&Name>,
        note: Option<&Text>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = match owner {
            Some((name, assignment)) => self.owned(reference, name, *assignment)?.0,
            None => self.find_task(reference)?,
        };
        let to = to.map(|name| self.find_agent(name)).transpose()?;
        require_state(task, "handing over", OWNED)?;
        if let Some(open) = self.handoffs.of(task.id) {
            return Err(Rejection::InHandoff { task: task.id, handoff: open.id, stage: open.stage });
        }
        let Some(to) = to else { return Err(Rejection::NoRecipient { task: task.id }) };
        let donor = task.owner.as_ref().expect("an owned task has an owner").agent;
        if donor == to.id {
            return Err(invalid("to", format!("`{}`, its owner", to.spec.name), "another agent"));
        }
        self.may_receive(now, task, to.id)?;
        let cause = if owner.is_some() { HandoffCause::ByOwner } else { HandoffCause::ByManager };
        self.hand_over(now, task, to.id, cause, note, Vec::new(), out);
        Ok(Reply { handoff: Some(self.handoffs.next_id()), ..Reply::about(task.id) })
    }

    /// Refuses a recipient that could not take the task now.
    fn may_receive(&self, now: Moment, task: &Task, to: AgentId) -> Result<(), Rejection> {
        let class = self.situation.class(task.class);
        fit(class, to, self.situation.agent(to)).map_err(|unfit| Rejection::NotCandidate {
            task: task.id,
            agent: self.name_of(to),
            reason: self.unfit_text(to, unfit),
        })?;
        match self.obstacle_to_hand_over(task.id, to) {
            Some(obstacle) => Err(self.resource_held(&obstacle, now)),
            None => Ok(()),
        }
    }

    /// Begins a handoff in `out`: the recipient is told first, then the package is asked for. That the recipient may have the
    /// task is checked.
    #[expect(clippy::too_many_arguments, reason = "the fields of one request")]
    pub(crate) fn hand_over(
        &self,
        now: Moment,
        task: &Task,
        to: AgentId,
        cause: HandoffCause,
        note: Option<&Text>,
        considered: Vec<Considered>,
        out: &mut Vec<Event>,
    ) {
        let owner = task.owner.as_ref().expect("an owned task has an owner");
        let handoff = self.handoffs.next_id();
        let due = self.due_for(owner.agent, now, self.policy.handoffs.package);
        let (task, agent, assignment) = (task.id, owner.agent, owner.assignment);
        let note = note.cloned();
        out.push(Event::HandoffRequested { handoff, task, agent, assignment, to, cause, note, considered });
        let (from_name, to_name) = (self.name_of(agent), self.name_of(to));
        let text =
            format!("{handoff}: `{from_name}` is to hand {task} over to you; a slot is kept free for it");
        self.notify(to, NoticeKind::HandoffOffered, Some(task), &text, None, out);
        out.push(Event::HandoffPackageDue { handoff, task, agent, due, missing: Vec::new() });
        let text = format!(
            "{handoff}: hand {task} over to `{to_name}`: send the package (completed, state, remaining, context, files or \
             `none`, reservations); work on it until then"
        );
        self.notify(agent, NoticeKind::PackageWanted, Some(task), &text, Some(due), out);
    }

    /// Takes a package. A whole one moves the task at once; what is missing in another is said, and wanted again.
    pub(super) fn submit_package(
        &self,
        now: Moment,
        reference: &TaskRef,
        name: &Name,
        assignment: AssignmentId,
        package: &Arc<Package>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (task, _) = self.owned(reference, name, assignment)?;
        check_package(package)?;
        let handoff = self.open_handoff(task)?;
        if handoff.is_transferred() {
            return Err(self.wrong_stage(handoff, "a package"));
        }
        let (id, task_id) = (handoff.id, task.id);
        let missing = package.missing(task.id, &self.reserved_for(task.id));
        let missing: Vec<Text> = missing.iter().map(|text| own_text(text)).collect();
        let (packed, package) = (Arc::clone(package), Arc::clone(package));
        out.push(Event::HandoffPackageReceived {
            handoff: id,
            task: task_id,
            package,
            missing: missing.clone(),
        });
        let reply = Reply { handoff: Some(id), missing: missing.clone(), ..Reply::about(task.id) };
        if !missing.is_empty() {
            out.push(self.trouble(handoff, Trouble::PackageIncomplete));
            return Ok(reply);
        }
        out.push(Event::HandoffValidated { handoff: id, task: task_id });
        match handoff.to.filter(|&to| self.can_receive(task, to)) {
            Some(to) => {
                let packed = Handoff { package: Some(packed), missing: Vec::new(), ..handoff.clone() };
                self.transfer(now, &packed, to, Vec::new(), out);
            }
            None => out.push(self.trouble(handoff, Trouble::RecipientGone)),
        }
        Ok(reply)
    }

    /// The recipient has what it needs: the donor is released.
    pub(super) fn confirm_handoff(
        &self,
        reference: &TaskRef,
        name: &Name,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (task, handoff, agent) = self.received(reference, name)?;
        if !handoff.is_transferred() {
            return Err(self.wrong_stage(handoff, "a confirmation"));
        }
        self.confirmed(handoff, agent, out);
        Ok(Reply { handoff: Some(handoff.id), ..Reply::about(task.id) })
    }

    /// The recipient does not want it: another one is looked for, and after the transfer it is passed on or sent back.
    pub(super) fn decline_handoff(
        &self,
        reference: &TaskRef,
        name: &Name,
        reason: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (task, handoff, agent) = self.received(reference, name)?;
        let detail = own_text(&format!("`{}`: {reason}", self.name_of(agent)));
        let (handoff, task) = (handoff.id, task.id);
        out.push(Event::HandoffMediation { handoff, task, trouble: Trouble::Declined, detail });
        Ok(Reply { handoff: Some(handoff), ..Reply::about(task) })
    }

    /// The owner or a manager: the task stays where it is. After the transfer it is the recipient's to decline.
    pub(super) fn cancel_handoff(
        &self,
        reference: &TaskRef,
        name: Option<&Name>,
        reason: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        let agent = name.map(|name| self.find_agent(name)).transpose()?;
        let handoff = self.open_handoff(task)?;
        if let (Some(agent), Some(owner)) = (agent, &task.owner)
            && owner.agent != agent.id
        {
            let (agent, owner) = (agent.spec.name.clone(), self.name_of(owner.agent));
            return Err(Rejection::NotOwner { task: task.id, agent, owner });
        }
        if handoff.is_transferred() {
            return Err(self.wrong_stage(handoff, "calling it off"));
        }
        self.end_handoff(handoff, Outcome::Cancelled, reason.as_str(), out);
        Ok(Reply { handoff: Some(handoff.id), ..Reply::about(task.id) })
    }

    fn open_handoff(&self, task: &Task) -> Result<&Handoff, Rejection> {
        let nothing = || Rejection::NotFound { what: "open handoff of task", given: task.id.to_string() };
        self.handoffs.of(task.id).ok_or_else(nothing)
    }

    /// Finds the open handoff of a task whose present recipient `name` is.
    fn received(&self, reference: &TaskRef, name: &Name) -> Result<(&Task, &Handoff, AgentId), Rejection> {
        let task = self.find_task(reference)?;
        let agent = self.find_agent(name)?;
        let handoff = self.open_handoff(task)?;
        if handoff.to != Some(agent.id) {
            let to = handoff.to.map(|to| self.name_of(to));
            return Err(Rejection::NotRecipient { handoff: handoff.id, agent: name.clone(), to });
        }
        Ok((task, handoff, agent.id))
    }

    fn wrong_stage(&self, handoff: &Handoff, verb: &'static str) -> Rejection {
        let (task, stage) = (handoff.task, handoff.stage);
        Rejection::WrongStage {
            handoff: handoff.id,
            task,
            stage,
            transferred: handoff.is_transferred(),
            verb,
        }
    }

    /// Tells whether the recipient, who keeps a slot free, can take the task now.
    pub(crate) fn can_receive(&self, task: &Task, to: AgentId) -> bool {
        self.agent(to).state == AgentState::Online
            && able(self.situation.class(task.class), to, self.situation.agent(to)).is_ok()
            && self.obstacle_to_hand_over(task.id, to).is_none()
    }

    /// Returns what keeps `agent` from getting everything that is reserved for a task with it.
    pub(crate) fn obstacle_to_hand_over(&self, task: TaskId, agent: AgentId) -> Option<Obstacle> {
        let party = Party { agent, task: Some(task) };
        self.reservations.of_task(task).find_map(|held| self.obstacle_beside(party, &held.needs))
    }

    pub(crate) fn trouble(&self, handoff: &Handoff, trouble: Trouble) -> Event {
        let name =
            |agent: Option<AgentId>| agent.map_or_else(|| "nobody".into(), |it| self.name_of(it).to_string());
        let (from, to) = (self.name_of(handoff.from), name(handoff.to));
        let detail = match trouble {
            Trouble::PackageLate => format!("`{from}` has sent no whole package in time"),
            Trouble::PackageIncomplete => format!("the package of `{from}` is not whole"),
            Trouble::DonorGone => format!("`{from}` is gone"),
            Trouble::RecipientGone => format!("`{to}` cannot take it any more"),
            Trouble::Declined => format!("`{to}` does not want it"),
            Trouble::NotConfirmed => format!("`{to}` has not confirmed it in time"),
        };
        let (handoff, task, detail) = (handoff.id, handoff.task, own_text(&detail));
        Event::HandoffMediation { handoff, task, trouble, detail }
    }

    /// Puts into `out` what comes of the deadlines that have passed by `now`.
    pub(super) fn lapse_handoffs(&self, now: Moment, out: &mut Vec<Event>) {
        let due = self.handoffs.timers.iter().take_while(|&&(at, _)| at <= now).take(DUE_MAX);
        let due = due.filter(|_| !mutated!(HandoffNeverDue)).filter_map(|&(_, id)| self.handoffs.get(id));
        // Whoever has gone home is not late: that is put off with the end of its shift.
        let due = due.filter(|handoff| !handoff.awaits().is_some_and(|agent| self.is_off(agent, now)));
        out.extend(due.map(|handoff| {
            let late = handoff.stage == Stage::PackageDue;
            self.trouble(handoff, if late { Trouble::PackageLate } else { Trouble::NotConfirmed })
        }));
    }

    /// Gives the task of a handoff to `to` in one event: one step of the fence, with all that is reserved for it. The one that
    /// had it is told; the one that has it is asked to confirm.
    pub(crate) fn transfer(
        &self,
        now: Moment,
        handoff: &Handoff,
        to: AgentId,
        considered: Vec<Considered>,
        out: &mut Vec<Event>,
    ) {
        let task = self.task(handoff.task);
        let owner = task.owner.as_ref().expect("a task in a handoff has an owner");
        let due = self.due_for(to, now, self.policy.ack.of(task.effective));
        let mut last = self.reservations.last;
        let moved = self.reservations.of_task(task.id).map(|held| {
            last = last.next();
            (held.id, last)
        });
        let reservations: Vec<(ReservationId, ReservationId)> =
            moved.filter(|_| !mutated!(HandoffLeavesReservations)).collect();
        let assignment = if mutated!(HandoffKeepsToken) {
            owner.assignment
        } else {
            AssignmentId(self.last_assignment.0 + 1)
        };
        let note = own_text(&self.handed_over_text(handoff, task));
        out.push(Event::HandoffTransferred {
            handoff: handoff.id,
            task: task.id,
            from: owner.agent,
            ended: owner.assignment,
            agent: to,
            assignment,
            due,
            reservations,
            note,
            policy: self.policy_version,
            scorer: SCORER_VERSION,
            considered,
        });
        let (id, task, to_name) = (handoff.id, task.id, self.name_of(to));
        let text = format!("{id}: {task} went to `{to_name}`; stop working on it, and answer what it asks");
        self.notify(owner.agent, NoticeKind::Moved, Some(task), &text, None, out);
        if to != handoff.from {
            let text = format!(
                "{id}: {task} is yours under {assignment}; confirm that you have what you need, or decline it"
            );
            self.notify(to, NoticeKind::ConfirmWanted, Some(task), &text, Some(due), out);
        }
    }

    /// The recipient has taken it over, in so many words or by a report.
    fn confirmed(&self, handoff: &Handoff, agent: AgentId, out: &mut Vec<Event>) {
        let (id, task, donor) = (handoff.id, handoff.task, handoff.from);
        out.push(Event::HandoffConfirmed { handoff: id, task, agent });
        out.push(Event::HandoffReleased { handoff: id, task, agent: donor });
        let text = format!("{id}: `{}` has {task} now; you are released", self.name_of(agent));
        self.notify(donor, NoticeKind::HandoffReleased, Some(task), &text, None, out);
    }

    /// Ends a handoff in `out`, and tells both sides.
    pub(crate) fn end_handoff(
        &self,
        handoff: &Handoff,
        outcome: Outcome,
        reason: &str,
        out: &mut Vec<Event>,
    ) {
        let (id, task) = (handoff.id, handoff.task);
        let reason = own_text(reason);
        out.push(Event::HandoffEnded { handoff: id, task, outcome, reason: reason.clone() });
        let text = format!("{id} of {task} is {}: {reason}", outcome.as_str().replace('_', " "));
        for agent in [Some(handoff.from), handoff.to].into_iter().flatten() {
            self.notify(agent, NoticeKind::HandoffEnded, Some(task), &text, None, out);
        }
    }

    /// Puts into `out` what must happen to the handoff of a task before `event` does: a report of the recipient confirms it,
    /// and whatever else takes the task from its owner ends it.
    pub(crate) fn handoff_before(&self, event: &Event, out: &mut Vec<Event>) {
        if self.handoffs.open.is_empty() {
            return;
        }
        let (task, reason) = match event {
            Event::TaskStarted { task, .. } | Event::TaskProgressed { task, .. } => (task, ""),
            Event::TaskCompleted { task, .. } => (task, "the task is completed"),
            Event::GatesOpened { task, .. } => (task, "the task is finished"),
            Event::AttemptFailed { task, .. } => (task, "the attempt failed"),
            Event::TaskFailed { task, .. } => (task, "the task is given up"),
            Event::TaskReturned { task, .. } => (task, "the task is back in the queue"),
            Event::TaskMoved { task, .. } => (task, "the task was moved"),
            Event::TaskCancelled { task, .. } => (task, "the task is cancelled"),
            _ => return,
        };
        let Some(handoff) = self.handoffs.of(*task) else { return };
        let reported = match event {
            Event::TaskStarted { agent, .. }
            | Event::TaskProgressed { agent, .. }
            | Event::GatesOpened { agent, offer: None, .. }
            | Event::TaskCompleted { agent, offer: None, .. } => Some(*agent),
            _ => None,
        };
        match reported.filter(|&agent| handoff.is_transferred() && handoff.to == Some(agent)) {
            Some(agent) => self.confirmed(handoff, agent, out),
            None if reason.is_empty() => {}
            None => self.end_handoff(handoff, Outcome::Overtaken, reason, out),
        }
    }

    /// Returns the releases of what an agent that is going holds for itself, so that it is in nobody's way.
    pub(crate) fn own_released(&self, agent: AgentId) -> Vec<Event> {
        let share = self.reservations.by_agent.get(&agent).into_iter().flat_map(|share| &share.held);
        let own = share.filter(|id| self.reservations.held[id].task.is_none());
        let cause = ReleaseCause::HolderGone;
        own.map(|&reservation| Event::ReservationReleased { reservation, agent, cause, reason: None })
            .collect()
    }

    /// Returns the handoffs that are in trouble because `agent` is gone for whom work was on its way.
    pub(crate) fn lost_recipient(&self, agent: AgentId) -> Vec<Event> {
        let ids = self.handoffs.reserved.get(&agent).into_iter().flatten();
        ids.filter_map(|&id| self.handoffs.get(id))
            .map(|it| self.trouble(it, Trouble::RecipientGone))
            .collect()
    }

    /// Returns what a manager's word does who settles the escalation of a handoff: it is called off, the owner keeps the task.
    pub(super) fn handoff_settled(&self, task: TaskId, note: &Text, out: &mut Vec<Event>) {
        if let Some(handoff) = self.handoffs.of(task) {
            self.end_handoff(handoff, Outcome::Cancelled, note.as_str(), out);
        }
    }

    /// Finds a handoff by its id.
    ///
    /// # Errors
    /// Where there is none.
    pub fn find_handoff(&self, id: HandoffId) -> Result<&Handoff, Rejection> {
        self.handoffs.get(id).ok_or_else(|| Rejection::NotFound { what: "handoff", given: id.to_string() })
    }
}

fn check_package(package: &Package) -> Result<(), Rejection> {
    if package.files.len() > limits::PACKAGE_FILES_MAX {
        return Err(Rejection::LimitExceeded {
            what: "files of a package",
            limit: limits::PACKAGE_FILES_MAX,
        });
    }
    if package.reservations.len() > limits::RESERVATIONS_PER_AGENT_MAX {
        let limit = limits::RESERVATIONS_PER_AGENT_MAX;
        return Err(Rejection::LimitExceeded { what: "reservations of a package", limit });
    }
    Ok(())
}
