//! Judges a command against the state: events, or one rejection. Nothing is changed here.
//!
//! The checks of a command run in the order in which they stand, so the same wrong request gets the same
//! answer everywhere: what it names must exist, then its fields, then the states, then the bounds.

pub(crate) mod agents;
mod analysis;
mod bottlenecks;
mod breakdown;
mod budgets;
mod calls;
mod capabilities;
mod clock;
mod cycles;
pub(crate) mod decisions;
mod disputes;
mod edit;
pub(crate) mod emergencies;
mod estimates;
mod gates;
mod graph;
pub(crate) mod handoffs;
mod hours;
mod messages;
mod moves;
mod offers;
mod permissions;
mod priorities;
mod reports;
mod reservations;
mod stalls;
mod tasks;

use kapell_model::{AgentId, Moment, Name, Plan, TaskId, TaskState, limits};

use crate::agent::Agent;
use crate::command::{Command, TaskRef};
use crate::engine::Reply;
use crate::event::{Decision, Event};
use crate::rejection::Rejection;
use crate::state::State;
use crate::task::Task;
use reservations::Asked;

/// The states from which an open task that nobody owns can be taken.
const TAKEABLE: &[TaskState] = &[TaskState::Ready, TaskState::Deferred];
/// The states of an owned task.
const OWNED: &[TaskState] = &[TaskState::Assigned, TaskState::InProgress];

impl State {
    /// Judges `command` at `now` and puts the events that follow into `out`.
    ///
    /// # Errors
    /// The first reason why nothing happens; `out` is then as it was.
    pub fn decide(&self, now: Moment, command: &Command, out: &mut Vec<Event>) -> Result<Reply, Rejection> {
        match command {
            Command::RegisterAgent { spec, online } => self.register_agent(spec, *online, out),
            Command::DrainAgent { agent, draining } => self.drain_agent(agent, *draining, out),
            Command::SetHours { agent, hours } => self.set_hours(agent, hours.as_deref(), now, out),
            Command::RemoveAgent { agent } => self.remove_agent(agent, out),
            Command::AgentBack { agent } => self.decide_agent_back(agent, out),
            Command::AgentUnreachable { agent, last_seen } => self.unreachable(agent, *last_seen, out),
            Command::AgentOffline { agent, last_seen } => self.offline(agent, *last_seen, out),
            Command::SignOff { agent } => self.sign_off(agent, now, out),
            Command::CreateProject(spec) => self.create_project(spec, out),
            Command::Submit { spec, edges } => self.submit(spec, edges, out),
            Command::Edit { task, edit, seen } => self.edit(task, edit, *seen, out),
            Command::Cancel { task, reason } => self.cancel(task, reason, out),
            Command::Reopen { task, reason } => self.reopen(task, reason, out),
            Command::Assign { task, agent } => self.assign(now, task, agent, Decision::ByHand, out),
            Command::Move { task, agent, note } => self.move_by_hand(now, task, agent, note.as_ref(), out),
            Command::ApplyPlan(plan) => check_plan(plan),
            Command::RequestHandoff { task, owner, to, note } => {
                self.request_handoff(now, task, owner.as_ref(), to.as_ref(), note.as_ref(), out)
            }
            Command::SubmitPackage { task, agent, assignment, package } => {
                self.submit_package(now, task, agent, *assignment, package, out)
            }
            Command::ConfirmHandoff { task, agent } => self.confirm_handoff(task, agent, out),
            Command::DeclineHandoff { task, agent, reason } => self.decline_handoff(task, agent, reason, out),
            Command::CancelHandoff { task, agent, reason } => {
                self.cancel_handoff(task, agent.as_ref(), reason, out)
            }
            Command::SendMessage(new) => self.send_message(now, new, out),
            Command::ReadMessages { agent, up_to } => self.read_messages(agent, *up_to, out),
            Command::AcknowledgeMessage { agent, message } => self.acknowledge_message(agent, *message, out),
            Command::OpenChannel { channel, members } => self.open_channel(channel, members, out),
            Command::ChannelMember { channel, agent, joins } => {
                self.channel_membership(channel, agent, *joins, out)
            }
            Command::ReadNotices { agent, up_to } => self.read_notices(agent, *up_to, out),
            Command::Claim { task, agent } => self.claim(now, task, agent, out),
            Command::Start { task, agent, assignment } => self.start(task, agent, *assignment, out),
            Command::Progress { task, agent, assignment, percent, note } => {
                self.progress(task, agent, *assignment, *percent, note.as_ref(), out)
            }
            Command::Finish { task, agent, assignment, result } => {
                self.finish(now, task, agent, *assignment, result.as_ref(), out)
            }
            Command::BreakDown { task, components, source, model, by_policy } => {
                self.break_down(task, components, (*source, model.as_ref()), *by_policy, out)
            }
            Command::KeepWhole { task } => self.keep_whole(task, out),
            Command::ProposeComponents { task, agent, assignment, components } => {
                self.propose_components(task, agent, *assignment, components, out)
            }
            Command::JudgeGate { task, gate, agent, word } => {
                self.judge_gate(task, *gate, agent.as_ref(), word, out)
            }
            Command::AskPermission { task, agent, assignment, ask } => {
                self.ask_permission(task, agent, *assignment, ask, out)
            }
            Command::WithdrawPermission { task, agent, assignment, reason } => {
                self.withdraw_permission(task, agent, *assignment, reason, out)
            }
            Command::AnswerPermission { task, agent, request, allowed, option, notes } => self
                .answer_permission(task, agent.as_ref(), *request, (*allowed, option.as_ref()), notes, out),
            Command::Fail { task, agent, assignment, reason, retry } => {
                self.fail(now, task, agent, *assignment, reason, *retry, out)
            }
            Command::Release { task, agent, assignment, note } => {
                self.release(task, agent, *assignment, note.as_ref(), out)
            }
            Command::ReturnUnfetched { assignments } => Ok(self.return_unfetched(assignments, out)),
            Command::Tick => Ok(self.tick(now, out)),
            Command::LookAtHealth => Ok(self.look_at_health(now, out)),
            Command::LookForBottlenecks => Ok(self.look_for_bottlenecks(now, out)),
            Command::NoteCourse => Ok(self.note_course(now, out)),
            Command::RefreshEstimates { after } => Ok(self.refresh_estimates(*after, out)),
            Command::AgeCapabilities { after } => Ok(self.age_capabilities(*after, now, out)),
            Command::CheckProgress => Ok(self.check_progress(now, out)),
            Command::ResumeServing { away } => Ok(self.resume_serving(*away, out)),
            Command::AddDependency { task, on, kind, source } => {
                self.add_dependency(task, on, *kind, *source, out)
            }
            Command::RestoreDependency { task, on, instead } => {
                self.restore_dependency(task, on, instead.as_ref(), out)
            }
            Command::WaiveDependency { task, on } => self.waive_dependency(task, on, out),
            Command::AcceptOffer { offer } => self.accept_offer(*offer, out),
            Command::DeclineOffer { offer, reason } => self.decline_offer(*offer, reason, out),
            Command::SetPolicy(new) => self.set_policy(new, out),
            Command::DefineCapability(spec) => self.define_capability(spec, out),
            Command::RemoveCapability { name } => self.remove_capability(name, out),
            Command::Analyse { task } => self.analyse(task, out),
            Command::Reserve { agent, task, needs, ttl, line } => {
                let asked = Asked { agent, task: task.as_ref(), needs, ttl: *ttl, line: *line };
                self.reserve(now, &asked, out)
            }
            Command::RenewReservation { reservation, agent, ttl } => {
                self.renew_reservation(now, *reservation, agent.as_ref(), *ttl, out)
            }
            Command::ReleaseReservation { reservation, agent, reason } => {
                self.release_reservation(*reservation, agent.as_ref(), reason.as_ref(), out)
            }
            Command::OpenDecision(new) => self.open_decision(now, new, out),
            Command::Propose(new) => self.propose(now, new, out),
            Command::FileDispute { task, agent, against, reason } => {
                self.file_dispute(now, task, agent, against.as_ref(), reason, out)
            }
            Command::AssertPriority { task, agent, priority, reason } => {
                self.assert_priority(now, task, agent.as_ref(), *priority, reason, out)
            }
            Command::AssertOrder { first, then, agent, reason } => {
                self.assert_order(now, (first, then), agent.as_ref(), reason, out)
            }
            Command::DropOrder { first, then, agent } => self.drop_order((first, then), agent.as_ref(), out),
            Command::Rule { conflict, agent, option, reason } => {
                self.rule(*conflict, agent.as_ref(), option.as_ref(), reason, out)
            }
            Command::WithdrawConflict { conflict, agent, reason } => {
                self.withdraw(*conflict, agent.as_ref(), reason, out)
            }
            Command::ExtendReservations => Ok(self.begin_leases_again(out)),
            Command::DeclareEmergency(new) => self.declare_emergency(new, out),
            Command::EndEmergency { emergency, reason } => self.end_emergency(*emergency, reason, out),
            Command::FormForce(new) => self.form_force(now, new, out),
            Command::DisbandForce { force, reason } => self.disband_force(*force, reason, out),
            Command::ReportUsage(report) => self.report_usage(now, report, out),
            Command::WithBudget { limits, command } => self.with_budget(now, limits.as_ref(), command, out),
            Command::WithUsage { report, command } => {
                let before = out.len();
                self.report_usage(now, report, out)?;
                let decided = self.decide(now, command, out);
                if decided.is_err() {
                    out.truncate(before);
                }
                decided
            }
            Command::SetBudget { target, budget } => self.set_budget(target, budget.as_ref(), out),
            Command::RecordForecast(forecast) => self.record_forecast(forecast, out),
            Command::AcknowledgeEscalation { escalation, agent } => {
                self.acknowledge_escalation(*escalation, agent.as_ref(), out)
            }
            Command::SettleEscalation { escalation, agent, note } => {
                self.settle_escalation(*escalation, agent.as_ref(), note, out)
            }
        }
    }

    fn find_task(&self, reference: &TaskRef) -> Result<&Task, Rejection> {
        let not_found = || Rejection::NotFound {
            what: "task",
            given: match reference {
                TaskRef::Id(id) => id.to_string(),
                TaskRef::Key(key) => key.to_string(),
            },
        };
        self.task_id(reference).map(|id| self.task(id)).ok_or_else(not_found)
    }

    fn find_agent(&self, name: &Name) -> Result<&Agent, Rejection> {
        let found = self.agent_id(name.as_str()).map(|id| self.agent(id));
        found
            .filter(|agent| agent.state != kapell_model::AgentState::Removed)
            .ok_or_else(|| Rejection::NotFound { what: "agent", given: name.to_string() })
    }

    fn name_of(&self, agent: AgentId) -> Name {
        self.agent(agent).spec.name.clone()
    }

    fn next_task(&self) -> TaskId {
        TaskId(u32::try_from(self.tasks.len() + 1).expect("tasks are bounded"))
    }
}

/// A plan is judged item by item while it is carried out; here only its size is.
fn check_plan(plan: &Plan) -> Result<Reply, Rejection> {
    if plan.items.len() > limits::PLAN_ITEMS_MAX {
        return Err(Rejection::LimitExceeded { what: "items of a plan", limit: limits::PLAN_ITEMS_MAX });
    }
    Ok(Reply::default())
}

/// Refuses a move from a state that is not among `allowed`.
fn require_state(task: &Task, verb: &'static str, allowed: &'static [TaskState]) -> Result<(), Rejection> {
    let state = task.state();
    if allowed.contains(&state) {
        return Ok(());
    }
    Err(Rejection::WrongState { task: task.id, state, verb, allowed })
}

fn invalid(field: impl Into<String>, given: impl Into<String>, allowed: impl Into<String>) -> Rejection {
    Rejection::Invalid { field: field.into(), given: given.into(), allowed: allowed.into() }
}
