//! Handoffs: from stage to stage, and the transfer of ownership in between.

use std::sync::Arc;

use kapell_model::{AgentId, AssignmentId, HandoffId, Moment, ReservationId, TaskId, Text, limits};

use crate::handoff::{Handoff, Outcome, Package, Stage, Trouble};
use crate::reservations::Reservation;
use crate::state::State;

impl State {
    pub(super) fn handoff_requested(&mut self, handoff: Handoff) {
        let (id, task) = (handoff.id, handoff.task);
        self.handoffs.all.push(handoff);
        self.touch(task);
        self.index_handoff(id);
    }

    pub(super) fn handoff_package_due(&mut self, id: HandoffId, due: Moment, reminder: bool) {
        self.change_handoff(id, |handoff| {
            handoff.stage = Stage::PackageDue;
            handoff.due = Some(due);
            handoff.reminded |= reminder;
        });
        self.handoffs.troubled.remove(&id);
    }

    pub(super) fn handoff_package_received(
        &mut self,
        id: HandoffId,
        package: &Arc<Package>,
        missing: &[Text],
    ) {
        self.change_handoff(id, |handoff| {
            handoff.stage = Stage::PackageReceived;
            handoff.package = Some(Arc::clone(package));
            handoff.missing = missing.to_vec();
        });
    }

    pub(super) fn handoff_validated(&mut self, id: HandoffId) {
        self.change_handoff(id, |handoff| handoff.stage = Stage::Validated);
    }

    /// A recipient that is out of the question keeps its slot free no longer; one that owns the task owns it still.
    pub(super) fn handoff_mediation(&mut self, id: HandoffId, trouble: Trouble) {
        self.change_handoff(id, |handoff| {
            handoff.stage = Stage::Mediation;
            handoff.trouble = Some(trouble);
            handoff.mediations += 1;
            if trouble.is_of_recipient() {
                let out = handoff.to.filter(|to| !handoff.tried.contains(to));
                handoff.tried.extend(out.filter(|_| handoff.tried.len() < limits::HANDOFF_TRIES_MAX));
                if !handoff.is_transferred() {
                    handoff.to = None;
                }
            }
        });
        self.handoffs.troubled.insert(id);
    }

    pub(super) fn handoff_redirected(&mut self, id: HandoffId, to: AgentId, due: Moment) {
        self.change_handoff(id, |handoff| {
            handoff.stage = Stage::PackageDue;
            handoff.to = Some(to);
            handoff.due = Some(due);
        });
        self.handoffs.troubled.remove(&id);
    }

    /// Gives the task to another agent: one step of the fence, and everything that is reserved for it goes along under new
    /// numbers. The slot that was kept free becomes the one that the task takes.
    pub(super) fn handoff_transferred(
        &mut self,
        id: HandoffId,
        task: TaskId,
        (agent, assignment): (AgentId, AssignmentId),
        due: Moment,
        reservations: &[(ReservationId, ReservationId)],
        note: &Text,
    ) {
        self.task_handed_over(task, (agent, assignment), note);
        self.change_handoff(id, |handoff| {
            handoff.stage = Stage::Transferred;
            handoff.to = Some(agent);
            handoff.due = Some(due);
            handoff.tokens.push(assignment);
        });
        self.handoffs.troubled.remove(&id);
        for &(old, new) in reservations {
            let held = self.reservations.remove(old);
            let needs = Arc::clone(&held.needs);
            self.reservations.insert(Reservation { id: new, agent, since: self.at, ..held });
            self.stirred_near(&needs);
        }
        let share = self.reservations.by_task.get(&task).into_iter().flat_map(|share| &share.waits);
        for wait in share.copied().collect::<Vec<_>>() {
            let waiting = self.reservations.remove_wait(wait);
            let needs = Arc::clone(&waiting.needs);
            self.reservations.insert_wait(crate::reservations::Wait { agent, ..waiting });
            self.stirred_near(&needs);
        }
    }

    pub(super) fn handoff_confirmed(&mut self, id: HandoffId) {
        self.change_handoff(id, |handoff| handoff.stage = Stage::Confirmed);
        self.handoffs.troubled.remove(&id);
    }

    /// The two have worked together: well, unless somebody had to mediate (SEMANTICS 3.1).
    pub(super) fn handoff_released(&mut self, id: HandoffId) {
        self.change_handoff(id, |handoff| handoff.stage = Stage::Released);
        let handoff = self.handoffs.get(id).expect("a handoff of this fleet");
        let (from, to, well) = (handoff.from, handoff.to, handoff.mediations == 0);
        for (agent, project) in to.map(|to| self.history.worked_together(from, to, well)).unwrap_or_default()
        {
            self.view_cohesion(agent, &project);
        }
    }

    pub(super) fn handoff_ended(&mut self, id: HandoffId, outcome: Outcome, reason: &Text) {
        self.change_handoff(id, |handoff| {
            handoff.stage = Stage::Ended;
            handoff.outcome = Some((outcome, reason.clone()));
        });
    }
}
