//! Conflicts, and what waits for them.

use kapell_model::{AgentId, ConflictId, Priority, ReservationId, TaskId, Text, WaitId};

use crate::conflict::{Conflict, ConflictMatter, ConflictState, Deliberation, Resolution, TaskConflicts};
use crate::deliberation::{Proposal, Topic};
use crate::dispute::{Award, Dispute};
use crate::mutation::mutated;
use crate::precedence::{Asserted, OrderSaid, Precedence, Ranking, Voice};
use crate::state::State;

impl State {
    fn conflict_opened(
        &mut self,
        id: ConflictId,
        parties: Vec<AgentId>,
        tasks: Vec<TaskId>,
        matter: ConflictMatter,
    ) {
        for &task in &tasks {
            self.conflicts_of(task).note(id);
        }
        let (at, position, state) = (self.at, self.position, ConflictState::Open);
        self.open_conflicts.insert(id);
        self.conflicts.push(Conflict { id, state, parties, tasks, at, position, settled: None, matter });
    }

    fn conflicts_of(&mut self, task: TaskId) -> &mut TaskConflicts {
        self.tasks[task].conflicts.get_or_insert_default()
    }

    fn conflict_mut(&mut self, id: ConflictId) -> &mut Conflict {
        self.conflicts.get_mut(id.0 as usize - 1).expect("a conflict of this fleet")
    }

    fn conflict_settled(&mut self, id: ConflictId, state: ConflictState, how: Text) {
        let at = self.at;
        self.open_conflicts.remove(&id);
        let conflict = self.conflict_mut(id);
        conflict.state = state;
        conflict.settled = Some((at, how));
    }

    pub(super) fn contention_opened(
        &mut self,
        id: ConflictId,
        wait: WaitId,
        parties: &[AgentId],
        tasks: &[TaskId],
    ) {
        let matter = ConflictMatter::Contention { wait, reservation: None };
        self.conflict_opened(id, parties.to_vec(), tasks.to_vec(), matter);
        self.contended.insert(wait, id);
    }

    pub(super) fn contention_resolved(
        &mut self,
        id: ConflictId,
        granted: Option<ReservationId>,
        reason: &Text,
    ) {
        self.conflict_settled(id, ConflictState::Resolved, reason.clone());
        if let ConflictMatter::Contention { wait, reservation } = &mut self.conflict_mut(id).matter {
            *reservation = granted;
            let wait = *wait;
            self.contended.remove(&wait);
        }
    }

    pub(super) fn decision_opened(&mut self, id: ConflictId, topic: &Topic) {
        let parties = topic.asked.clone();
        self.decisions_due.insert((topic.deadline, id));
        let (topic, tasks) = (topic.clone(), topic.tasks.clone());
        let deliberation = Deliberation { topic, proposals: Vec::new(), outcome: None };
        self.conflict_opened(id, parties, tasks.clone(), ConflictMatter::Decision(Box::new(deliberation)));
        for task in tasks {
            self.change(task, |task| task.conflicts.get_or_insert_default().awaits.push(id));
        }
    }

    pub(super) fn decision_proposed(&mut self, id: ConflictId, proposal: &Proposal) {
        let conflict = self.conflict_mut(id);
        conflict.joined(proposal.agent);
        if let ConflictMatter::Decision(deliberation) = &mut conflict.matter {
            deliberation.propose(proposal.clone());
        }
    }

    pub(super) fn decision_escalated(&mut self, id: ConflictId) {
        self.no_longer_due(id);
        let conflict = self.conflict_mut(id);
        conflict.state = ConflictState::Escalated;
    }

    pub(super) fn decision_made(&mut self, id: ConflictId, outcome: Resolution, reason: &Text) {
        self.no_longer_due(id);
        self.conflict_settled(id, ConflictState::Resolved, reason.clone());
        if let ConflictMatter::Decision(deliberation) = &mut self.conflict_mut(id).matter {
            deliberation.outcome = Some(outcome);
        }
        self.go_on(id);
    }

    pub(super) fn decision_withdrawn(&mut self, id: ConflictId, reason: &Text) {
        self.no_longer_due(id);
        self.conflict_settled(id, ConflictState::Withdrawn, reason.clone());
        self.go_on(id);
    }

    pub(super) fn dispute_opened(
        &mut self,
        id: ConflictId,
        task: TaskId,
        parties: &[AgentId],
        dispute: Dispute,
    ) {
        let matter = ConflictMatter::Dispute(Box::new(dispute));
        self.conflict_opened(id, parties.to_vec(), vec![task], matter);
        self.touch(task);
    }

    /// Awards a task. Whoever disputes and loses has not worked well with whoever was right.
    pub(super) fn dispute_ruled(&mut self, id: ConflictId, award: Award, reason: &Text) {
        let rightful = award.agent;
        self.conflict_settled(id, ConflictState::Resolved, reason.clone());
        let conflict = self.conflict_mut(id);
        let (parties, tasks) = (conflict.parties.clone(), conflict.tasks.clone());
        if let ConflictMatter::Dispute(dispute) = &mut conflict.matter {
            dispute.award = Some(award);
        }
        tasks.into_iter().for_each(|task| self.touch(task));
        for other in parties.into_iter().filter(|&other| other != rightful) {
            for (agent, project) in self.history.worked_together(rightful, other, false) {
                self.view_cohesion(agent, &project);
            }
        }
    }

    pub(super) fn priority_asserted(&mut self, task: TaskId, said: Asserted) {
        let asserted = &mut self.conflicts_of(task).asserted;
        match asserted.iter_mut().find(|known| known.by == said.by) {
            Some(known) => *known = said,
            None => asserted.push(said),
        }
        self.touch(task);
    }

    /// A task has got another priority: by a ruling beside the one that it was given, else it is what it was given.
    pub(super) fn priority_given(
        &mut self,
        task: TaskId,
        priority: Option<Priority>,
        given: Option<Priority>,
    ) {
        if priority.is_some() && (given.is_some() || self.tasks[task].conflicts.is_some()) {
            self.conflicts_of(task).given = given;
        }
    }

    pub(super) fn precedence_opened(
        &mut self,
        id: ConflictId,
        tasks: &[TaskId],
        parties: &[AgentId],
        said: &[Voice],
    ) {
        let matter = ConflictMatter::Precedence(Box::new(Precedence { said: said.to_vec(), ruling: None }));
        self.conflict_opened(id, parties.to_vec(), tasks.to_vec(), matter);
        tasks.iter().for_each(|&task| self.touch(task));
    }

    pub(super) fn precedence_ruled(&mut self, id: ConflictId, ruling: Ranking, reason: &Text) {
        self.conflict_settled(id, ConflictState::Resolved, reason.clone());
        if let ConflictMatter::Precedence(precedence) = &mut self.conflict_mut(id).matter {
            precedence.ruling = Some(ruling);
        }
    }

    pub(super) fn order_asserted(&mut self, first: TaskId, then: TaskId, said: OrderSaid) {
        if mutated!(OrderNotKept) {
            return;
        }
        self.orders.put(first, then, said);
        self.recompute_urgency([first]);
    }

    pub(super) fn order_dropped(&mut self, first: TaskId, then: TaskId, ruling_stays: bool) {
        if ruling_stays {
            self.orders.unsay(first, then);
        } else {
            self.orders.drop_order(first, then);
        }
        self.recompute_urgency([first]);
    }

    pub(super) fn order_ruled(&mut self, conflict: ConflictId, order: &[TaskId]) {
        self.orders.hold(conflict, order);
        self.recompute_urgency(order.iter().rev().copied());
    }

    pub(super) fn ruling_lifted(&mut self, conflict: ConflictId) {
        let before = self.orders.lift(conflict);
        self.recompute_urgency(before);
    }

    /// Forgets the orders about a task that has ended: what came before it is as urgent as it is without that.
    pub(super) fn forget_orders(&mut self, id: TaskId) {
        let before = self.orders.forget(id);
        self.recompute_urgency(before);
    }

    fn no_longer_due(&mut self, id: ConflictId) {
        let deliberation = self.conflict(id).and_then(Conflict::deliberation);
        if let Some(deadline) = deliberation.map(|deliberation| deliberation.topic.deadline) {
            self.decisions_due.remove(&(deadline, id));
        }
    }

    /// Lets go on what has waited for a decision.
    fn go_on(&mut self, id: ConflictId) {
        for task in self.conflict_mut(id).tasks.clone() {
            self.change(task, |task| {
                if let Some(conflicts) = &mut task.conflicts {
                    conflicts.awaits.retain(|&awaited| awaited != id);
                }
            });
        }
    }

    /// Makes the indexes of a snapshot's conflicts.
    pub(crate) fn restore_conflicts(&mut self) {
        for conflict in self.conflicts.iter().filter(|conflict| conflict.state.is_open()) {
            self.open_conflicts.insert(conflict.id);
            match &conflict.matter {
                ConflictMatter::Contention { wait, .. } => {
                    self.contended.insert(*wait, conflict.id);
                }
                ConflictMatter::Decision(deliberation) if conflict.state == ConflictState::Open => {
                    self.decisions_due.insert((deliberation.topic.deadline, conflict.id));
                }
                ConflictMatter::Decision(_) | ConflictMatter::Dispute(_) | ConflictMatter::Precedence(_) => {}
            }
        }
    }
}
