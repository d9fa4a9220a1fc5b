//! Folds events into the state. What happened has happened: nothing here refuses or chooses.
//!
//! Every change of a task goes through [`State::change`], which takes it out of the indexes of its old state
//! and puts it into those of its new one; so queue, timers and counts cannot drift from the tasks.

mod agents;
mod bottlenecks;
mod capabilities;
mod conflicts;
pub(crate) mod graph;
mod handoffs;
mod reservations;
mod tasks;

use kapell_model::{TaskId, TaskState, limits};

use crate::breakdown::Breakdown;
use crate::budget::BudgetOf;
use crate::call::Acknowledged;
use crate::conflict::Resolution;
use crate::cycle::BrokenEdge;
use crate::decide::agents::own_text;
use crate::dispute::{Award, Dispute};
use crate::emergency::{Emergency, EmergencyState};
use crate::escalation::{Escalation, EscalationKind, Subject};
use crate::event::{Decision, Event, Record};
use crate::handoff::{Handoff, Stage};
use crate::keys::Keyed;
use crate::notice::Notice;
use crate::precedence::{Asserted, OrderSaid, Ranking};
use crate::reservations::{Party, Reservation, Wait};
use crate::stall::Stall;
use crate::state::{Offer, OfferState, State};
use crate::task::Task;

impl State {
    /// Folds one event into the state.
    ///
    /// # Panics
    /// Where the event does not fit the history before it, which a log that was verified rules out.
    pub fn apply(&mut self, record: &Record) {
        self.position = record.position;
        self.at = record.at;
        self.note_decision(&record.event);
        match &record.event {
            Event::AgentRegistered { agent, spec, online } => self.agent_registered(*agent, spec, *online),
            Event::AgentRemoved { agent } => self.agent_removed(*agent),
            Event::AgentUnreachable { agent, .. } => self.agent_unreachable(*agent),
            Event::AgentOffline { agent, signed_off, .. } => self.agent_offline(*agent, *signed_off),
            Event::AgentBack { agent } => self.agent_back(*agent),
            Event::AgentDrained { agent } => self.agent_draining(*agent, true),
            Event::AgentResumed { agent } => self.agent_draining(*agent, false),
            Event::AgentHoursSet { agent, hours } => self.agent_hours_set(*agent, hours.as_deref()),
            Event::AgentShift { agent, working, until } => self.shift_turned(*agent, !working, *until),
            Event::CapabilitiesAged { agent } => self.capabilities_aged(*agent),
            Event::ProjectCreated { spec } => self.project_created(spec),
            Event::TaskSubmitted { task, spec, edges, estimate, learned, analysis } => {
                self.task_submitted(*task, spec, edges, (*estimate, *learned), analysis.as_ref());
            }
            Event::TaskAssigned { task, agent, assignment, decision, .. } => {
                if *decision != Decision::ByHand {
                    self.note_allowed();
                }
                self.note_wait(*task);
                self.task_assigned(*task, *agent, *assignment);
            }
            Event::TaskStarted { task, .. } => self.task_started(*task),
            Event::TaskProgressed { task, percent, note, .. } => {
                self.task_progressed(*task, *percent, note.as_ref());
            }
            Event::TaskCompleted { task, agent, assignment, result, .. } => {
                self.task_completed(*task, *agent, *assignment, result.as_ref());
            }
            Event::GatesOpened { task, agent, assignment, result, offer, gates } => {
                self.gates_opened(*task, (*agent, *assignment), result.as_ref(), *offer, gates);
            }
            Event::ReviewPlaced { task, gate, agent, due } => self.review_placed(*task, *gate, *agent, *due),
            Event::GatePassed { task, gate, verdict } => self.gate_passed(*task, *gate, verdict),
            Event::GateRejected { task, gate, verdict } => self.gate_rejected(*task, *gate, verdict),
            Event::GateOwnerLeft { task, .. } => self.gate_owner_left(*task),
            Event::PermissionAsked { task, assignment, ask, .. } => {
                self.permission_asked(*task, *assignment, ask);
            }
            Event::PermissionAnswered { task, answer, .. } => self.permission_answered(*task, answer),
            Event::PermissionWithdrawn { task, .. } => self.permission_withdrawn(*task),
            Event::AttemptFailed { task, reason, retry_at, .. } => {
                self.attempt_failed(*task, reason, *retry_at);
            }
            Event::TaskFailed { task, reason } => self.task_failed(*task, reason),
            Event::TaskReturned { task, cause, boosted, note, .. } => {
                self.task_returned(*task, *cause, *boosted, note.as_ref());
            }
            Event::TaskMoved { task, agent, assignment, cause, note, .. } => {
                self.task_moved(*task, (*agent, *assignment), *cause, note.as_ref());
            }
            Event::TaskStalled { task, cause, silent, elapsed, allowed, due, .. } => {
                let (cause, silent, elapsed, allowed) = (*cause, *silent, *elapsed, *allowed);
                let (since, due) = (record.at, *due);
                let (unanswered, called) = (false, false);
                self.task_stalled(
                    *task,
                    Stall { cause, since, silent, elapsed, allowed, due, unanswered, called },
                );
            }
            Event::StallUnanswered { task, .. } => self.stall_unanswered(*task),
            Event::StallSettled { task } => self.stall_settled(*task),
            Event::TaskHeld { task, until, .. } => self.task_held(*task, *until),
            Event::HoldReleased { task } => self.hold_released(*task),
            Event::ServingResumed { away } => {
                self.serving_resumed(*away);
                self.handoffs_resumed(*away);
                self.messages_resumed(*away);
                self.escalations_resumed(*away);
            }
            Event::PlanApplied { .. } => {}
            Event::HandoffRequested { handoff, task, agent, to, cause, note, .. } => {
                self.handoff_requested(Handoff {
                    id: *handoff,
                    task: *task,
                    from: *agent,
                    to: Some(*to),
                    cause: *cause,
                    note: note.clone(),
                    stage: Stage::Requested,
                    since: record.at,
                    stage_since: record.at,
                    due: None,
                    package: None,
                    missing: Vec::new(),
                    reminded: false,
                    trouble: None,
                    mediations: 0,
                    tried: Vec::new(),
                    tokens: Vec::new(),
                    outcome: None,
                });
            }
            Event::HandoffPackageDue { handoff, due, missing, .. } => {
                self.handoff_package_due(*handoff, *due, !missing.is_empty());
            }
            Event::HandoffPackageReceived { handoff, package, missing, .. } => {
                self.handoff_package_received(*handoff, package, missing);
            }
            Event::HandoffValidated { handoff, .. } => self.handoff_validated(*handoff),
            Event::HandoffTransferred {
                handoff,
                task,
                from,
                agent,
                assignment,
                due,
                reservations,
                note,
                ..
            } => {
                let to = (*agent, *assignment);
                self.metrics.handed_over(record.at);
                self.count_handoff(*from, *agent, *task);
                self.handoff_transferred(*handoff, *task, to, *due, reservations, note);
            }
            Event::HandoffConfirmed { handoff, .. } => self.handoff_confirmed(*handoff),
            Event::HandoffReleased { handoff, .. } => self.handoff_released(*handoff),
            Event::HandoffMediation { handoff, trouble, .. } => self.handoff_mediation(*handoff, *trouble),
            Event::HandoffRedirected { handoff, to, due, .. } => self.handoff_redirected(*handoff, *to, *due),
            Event::HandoffEnded { handoff, outcome, reason, .. } => {
                self.handoff_ended(*handoff, *outcome, reason);
            }
            Event::MessageSent { message, to, gathered, full } => {
                self.metrics.messaged(record.at);
                self.message_sent(message.clone(), to, gathered.as_ref(), full);
            }
            Event::MessagesDelivered { agent, messages } => self.messages_delivered(*agent, messages),
            Event::MessagesRead { agent, up_to } => self.messages_read(*agent, *up_to),
            Event::MessageAcknowledged { agent, message } => self.message_acknowledged(*agent, *message),
            Event::MessageResent { message, agent, due } => self.message_resent(*agent, *message, *due),
            Event::MessageEscalated { message, agent } => self.message_escalated(*agent, *message),
            Event::MessagesFolded { agent, digest, gathered } => {
                self.messages_folded(*agent, digest.clone(), gathered.as_ref());
            }
            Event::ChannelOpened { channel, members } => self.channel_opened(channel, members),
            Event::ChannelJoined { channel, agent } => self.channel_member(channel, *agent, true),
            Event::ChannelLeft { channel, agent } => self.channel_member(channel, *agent, false),
            Event::NoticeSent { notice, agent, kind, task, text, due } => {
                let (id, kind, task, due, text) = (*notice, *kind, *task, *due, text.clone());
                self.notice_sent(*agent, Notice { id, kind, task, text, at: record.at, due });
            }
            Event::NoticesRead { agent, up_to } => self.notices_read(*agent, *up_to),
            Event::TaskResumed { task } => self.change(*task, |task| task.deferred_until = None),
            Event::TaskCancelled { task, reason, .. } => self.task_cancelled(*task, reason),
            Event::TaskEdited { task, edit, estimate, learned, given } => {
                self.task_edited(*task, edit, estimate.map(|estimate| (estimate, *learned)));
                self.priority_given(*task, edit.priority, *given);
            }
            Event::TaskReopened { task, .. } => self.task_reopened(*task),
            Event::TaskEstimated { task, estimate, learned } => {
                self.task_estimated(*task, *estimate, *learned);
            }
            Event::DependencyAdded { task, on, kind, inferred } => {
                self.dependency_added(*task, *on, *kind, *inferred);
            }
            Event::DependencyWaived { task, on } => self.dependency_waived(*task, *on),
            Event::CycleBroken { task, on, inferred, cycle, closed_by, because } => {
                self.cycle_broken(BrokenEdge {
                    task: *task,
                    on: *on,
                    inferred: *inferred,
                    cycle: cycle.clone(),
                    closed_by: *closed_by,
                    because: *because,
                    at: record.at,
                    position: record.position,
                    restored: None,
                });
            }
            Event::DependencyRestored { task, on } => self.dependency_restored(*task, *on),
            Event::BreakdownWanted { task, factors } => self.breakdown_wanted(*task, Some(*factors)),
            Event::BreakdownDeclined { task } => self.breakdown_wanted(*task, None),
            Event::BrokenDown {
                task,
                by_policy,
                factors,
                source,
                model,
                planning,
                implementations,
                integration,
                testing,
            } => {
                let into = Breakdown {
                    at: record.at,
                    by_policy: *by_policy,
                    factors: *factors,
                    source: *source,
                    model: model.clone(),
                    planning: *planning,
                    implementations: implementations.clone(),
                    integration: *integration,
                    testing: *testing,
                    proposed: None,
                };
                self.broken_down(*task, into);
            }
            Event::ComponentsProposed { task, agent, components } => {
                self.components_proposed(*task, *agent, components);
            }
            Event::BreakdownPlanned { task, implementations } => {
                self.breakdown_planned(*task, implementations);
            }
            Event::DependencyRewired { task, from, on } => self.dependency_rewired(*task, *from, *on),
            Event::TaskArchived { task, reason } => self.task_archived(*task, reason),
            Event::OfferMade { offer, task, agent, assignment, result } => {
                self.offers.push(Offer {
                    id: *offer,
                    task: *task,
                    agent: *agent,
                    assignment: *assignment,
                    result: result.clone(),
                    at: record.at,
                    state: OfferState::Open,
                    reason: None,
                });
                self.tasks[*task].offers.push(*offer);
                self.touch(*task);
                self.open_offers.insert(*offer);
            }
            Event::OfferAccepted { offer, .. } => self.offer_settled(*offer, OfferState::Accepted, None),
            Event::OfferDeclined { offer, reason, .. } => {
                self.offer_settled(*offer, OfferState::Declined, Some(reason));
            }
            Event::PolicySet { version, policy } => {
                let rescored = self.policy.capabilities != policy.capabilities;
                self.policy = (**policy).clone();
                self.policy_version = *version;
                self.situation.set_policy(policy);
                if rescored {
                    (0..self.agents.len()).for_each(|index| self.view_agent(self.agents[index].id));
                }
                self.reset_all_clocks();
                self.soft_recount();
                self.spare_doomed();
                self.budgets_due();
            }
            Event::CapabilityDefined { spec } => self.capability_defined(spec),
            Event::CapabilityRemoved { name } => self.capability_removed(name),
            Event::TaskAnalysed { task, analysis } => self.task_analysed(*task, analysis),
            Event::EscalationRaised { escalation, kind, subject, severity, detail } => {
                self.escalation_raised(*escalation, *kind, subject, *severity, detail);
                if let Some(of) = BudgetOf::of(subject).filter(|_| *kind == EscalationKind::BudgetReached) {
                    self.budget_called(&of);
                }
            }
            Event::EscalationAcknowledged { escalation, agent } => {
                let (at, by) = (record.at, own_text(&record.actor));
                self.escalation_acknowledged(*escalation, Acknowledged { at, by, agent: *agent });
            }
            Event::EscalationDropped { escalation, due, .. } => self.escalation_dropped(*escalation, *due),
            Event::EscalationReraised { escalation, role, due } => {
                self.escalation_reraised(*escalation, role, *due);
            }
            Event::EscalationUpdated { escalation, severity, detail } => {
                self.escalation_updated(*escalation, *severity, detail);
            }
            Event::EscalationSettled { escalation, note } => self.escalation_settled(*escalation, note),
            Event::HealthFell { .. } => self.health_low = Some(record.at),
            Event::HealthRecovered { .. } => self.health_low = None,
            Event::CourseNoted { sample } => self.course.push(record.at, **sample),
            Event::ReservationGranted { reservation, agent, task, needs, ttl, expires_at, wait } => {
                self.reservation_granted(Reservation {
                    id: *reservation,
                    agent: *agent,
                    task: *task,
                    needs: needs.clone(),
                    ttl: *ttl,
                    since: record.at,
                    expires_at: *expires_at,
                    wait: *wait,
                    asked: None,
                });
            }
            Event::ReservationRenewed { reservation, expires_at } => {
                self.reservation_renewed(*reservation, *expires_at);
            }
            Event::ReservationReleased { reservation, .. } => self.reservation_released(*reservation),
            Event::ReservationRequested { wait, agent, task, needs, ttl, expires_at, .. } => {
                let party = Party { agent: *agent, task: *task };
                let behind = self.in_the_way(Some(party), needs, self.turn_for(*task, record.at), None);
                self.reservation_requested(Wait {
                    behind,
                    id: *wait,
                    agent: *agent,
                    task: *task,
                    needs: needs.clone(),
                    ttl: *ttl,
                    since: record.at,
                    expires_at: *expires_at,
                });
            }
            Event::ReservationWithdrawn { wait, cause, .. } => self.reservation_withdrawn(*wait, *cause),
            Event::ReservationRing { reservation, until, .. } => self.release_asked(*reservation, *until),
            Event::ReservationsExtended { .. } => self.reservations_extended(),
            Event::ContentionOpened { conflict, wait, parties, tasks } => {
                self.contention_opened(*conflict, *wait, parties, tasks);
            }
            Event::ContentionResolved { conflict, reservation, reason } => {
                self.contention_resolved(*conflict, *reservation, reason);
            }
            Event::DecisionOpened { conflict, topic } => self.decision_opened(*conflict, topic),
            Event::DecisionProposed { conflict, proposal } => self.decision_proposed(*conflict, proposal),
            Event::DecisionEscalated { conflict, .. } => self.decision_escalated(*conflict),
            Event::DecisionMade { conflict, option, ruled, tally, reason } => {
                let outcome = Resolution { option: option.clone(), ruled: *ruled, tally: tally.clone() };
                self.decision_made(*conflict, outcome, reason);
            }
            Event::DecisionWithdrawn { conflict, reason } => self.decision_withdrawn(*conflict, reason),
            Event::EmergencyDeclared { emergency, kind, scope, cause, detail } => {
                self.emergency_declared(Emergency {
                    id: *emergency,
                    kind: *kind,
                    scope: scope.clone(),
                    cause: *cause,
                    detail: detail.clone(),
                    at: record.at,
                    position: record.position,
                    state: EmergencyState::Open,
                    actions: Vec::new(),
                    eased: false,
                    well_since: None,
                    ending: None,
                    ended: None,
                });
            }
            Event::EmergencyActed { emergency, what, .. } => self.emergency_acted(*emergency, what),
            Event::EmergencySettled { emergency, action, how } => {
                self.emergency_settled(*emergency, *action, *how);
            }
            Event::AssignmentsResuming { allowed, next, .. } => self.assignments_resuming(*allowed, *next),
            Event::EmergencyEnding { emergency, reason, by_hand } => {
                self.emergency_ending(*emergency, reason, *by_hand);
            }
            Event::EmergencyEnded { emergency } => self.emergency_ended(*emergency),
            Event::ForceFormed { force, formation } => self.force_formed(*force, formation),
            Event::ForceChecked { force, checkpoint, done, found } => {
                self.force_checked(*force, *checkpoint, *done, *found);
            }
            Event::ForceDisbanded { force, reason } => self.force_disbanded(*force, reason),
            Event::ForecastMade { forecast } => self.forecast_made(forecast),
            Event::DisputeOpened { conflict, task, assignment, stalled, parties, cause, by, reason } => {
                let dispute = Dispute {
                    assignment: *assignment,
                    stalled: *stalled,
                    cause: *cause,
                    by: *by,
                    reason: reason.clone(),
                    award: None,
                };
                self.dispute_opened(*conflict, *task, parties, dispute);
            }
            Event::DisputeRuled { conflict, agent, rule, considered, reason, .. } => {
                let award = Award { agent: *agent, rule: *rule, considered: considered.clone() };
                self.dispute_ruled(*conflict, award, reason);
            }
            Event::PriorityAsserted { task, by, priority, reason } => {
                let (by, priority, reason, at) = (*by, *priority, reason.clone(), record.at);
                self.priority_asserted(*task, Asserted { by, priority, reason, at });
            }
            Event::OrderAsserted { first, then, by, reason } => {
                let (by, reason, at) = (*by, reason.clone(), record.at);
                self.order_asserted(*first, *then, OrderSaid { by, reason, at });
            }
            Event::OrderDropped { first, then, ruling_stays } => {
                self.order_dropped(*first, *then, *ruling_stays);
            }
            Event::OrderRuled { conflict, order } => self.order_ruled(*conflict, order),
            Event::RulingLifted { conflict } => self.ruling_lifted(*conflict),
            // Logs of versions in which an order moved tasks once have it: orders hold by themselves.
            Event::PlacesSet { .. } => {}
            Event::PrecedenceOpened { conflict, tasks, parties, said } => {
                self.precedence_opened(*conflict, tasks, parties, said);
            }
            Event::PrecedenceRuled { conflict, order, priority, typical, carried, reason } => {
                let (order, carried) = (order.clone(), carried.clone());
                let ranking = Ranking { order, priority: *priority, typical: *typical, carried };
                self.precedence_ruled(*conflict, ranking, reason);
            }
            Event::BottleneckFound { bottleneck, about, severity, measure, detail } => {
                self.bottleneck_found(*bottleneck, about, (*severity, *measure), detail);
            }
            Event::BottleneckGone { bottleneck, measure } => self.bottleneck_gone(*bottleneck, *measure),
            Event::ActionTaken { action, bottleneck, remedy, before, expires_at } => {
                self.action_taken(*action, *bottleneck, remedy, *before, *expires_at);
            }
            Event::ActionEnded { action, because, after } => self.action_ended(*action, *because, *after),
            Event::PerformanceDegraded { .. } => self.bottlenecks.degraded = Some(record.at),
            Event::PerformanceRecovered { .. } => self.bottlenecks.degraded = None,
            Event::UsageReported { task, agent, assignment, usage } => {
                self.usage_reported(*task, *agent, *assignment, usage);
            }
            Event::BudgetSet { of, budget } => self.budget_set(of, *budget),
            Event::BudgetDayBegan { day } => self.budget_day_began(*day),
            Event::BudgetWarned { of, period, measure, .. } => self.budget_warned(of, *period, *measure),
            Event::BudgetClosed { of, closing } => self.budget_closed(of, closing),
            Event::BudgetOpened { of } => self.budget_opened(of),
            Event::CommandKeyed { fingerprint, reply } => self.keys.remember(Keyed {
                command: record.command,
                at: record.at,
                fingerprint: *fingerprint,
                reply: reply.clone(),
            }),
        }
    }

    /// Changes a task and everything that is derived from its state.
    pub(crate) fn change(&mut self, id: TaskId, change: impl FnOnce(&mut Task)) {
        let before = self.leave(id);
        let task = &mut self.tasks[id];
        change(task);
        task.since(before, self.at);
        if before != TaskState::Ready && task.state() == TaskState::Ready && task.spec.estimate.is_none() {
            self.estimable.push(id);
        }
        self.touch(id);
        self.enter(id);
    }

    /// Remembers with a task where in the log something was decided about it.
    fn note_decision(&mut self, event: &Event) {
        let task = match event {
            Event::TaskAssigned { task, .. }
            | Event::TaskMoved { task, .. }
            | Event::TaskReturned { task, .. }
            | Event::GatesOpened { task, .. }
            | Event::BrokenDown { task, .. }
            | Event::BreakdownPlanned { task, .. }
            | Event::ReviewPlaced { task, .. }
            | Event::GatePassed { task, .. }
            | Event::GateRejected { task, .. }
            | Event::GateOwnerLeft { task, .. }
            | Event::AttemptFailed { task, .. }
            | Event::TaskFailed { task, .. }
            | Event::TaskCancelled { task, .. }
            | Event::TaskReopened { task, .. }
            | Event::TaskEdited { task, .. }
            | Event::HandoffRequested { task, .. }
            | Event::HandoffTransferred { task, .. }
            | Event::HandoffReleased { task, .. }
            | Event::HandoffMediation { task, .. }
            | Event::HandoffRedirected { task, .. }
            | Event::HandoffEnded { task, .. }
            | Event::DependencyWaived { task, .. }
            | Event::DisputeRuled { task, .. }
            | Event::PriorityAsserted { task, .. }
            | Event::BudgetSet { of: BudgetOf::Task(task), .. }
            | Event::BudgetClosed { of: BudgetOf::Task(task), .. }
            | Event::BudgetOpened { of: BudgetOf::Task(task) }
            | Event::EscalationRaised { subject: Subject::Task(task) | Subject::Edge { task, .. }, .. } => {
                Some(*task)
            }
            Event::EscalationSettled { escalation, .. }
            | Event::EscalationAcknowledged { escalation, .. }
            | Event::EscalationDropped { escalation, .. }
            | Event::EscalationUpdated { escalation, .. }
            | Event::EscalationReraised { escalation, .. } => {
                self.escalation(*escalation).and_then(Escalation::task)
            }
            _ => None,
        };
        match event {
            Event::PrecedenceRuled { order, .. } => {
                order.iter().for_each(|impact| self.note_decided(impact.task));
            }
            Event::OrderAsserted { first, then, .. } | Event::OrderDropped { first, then, .. } => {
                [*first, *then].into_iter().for_each(|task| self.note_decided(task));
            }
            _ => {}
        }
        if let Some(task) = task {
            self.note_decided(task);
        }
    }

    fn note_decided(&mut self, task: TaskId) {
        let decisions = &mut self.tasks[task].decisions;
        if decisions.len() == limits::DECISIONS_PER_TASK_MAX {
            decisions.pop_front();
        }
        decisions.push_back(self.position);
    }
}
