//! What agents send while they work: begin, go on, finish, or what their characters make of it.

use std::rc::Rc;
use std::sync::Arc;

use kapell_core::{
    Address, Command, InLine, NewMessage, NewProposal, OptionKind, Package, PermissionAsk, PermissionOption,
    ReservationRef, State, TaskRef, UsageReport,
};
use kapell_model::{
    AssignmentId, Mode, Moment, Name, Need, NoticeId, Priority, Ratio, ReservationId, Span, TaskId, Text,
    Usage, WaitId,
};
use kapell_store::Chance;

use crate::actor::{Actor, Wish, Work, agent_name};
use crate::scenario::{Character, Knob, Scenario, below, pick};

impl Actor {
    /// What an agent does next about its work.
    pub(crate) fn work_on(
        &mut self,
        state: &State,
        scenario: &Scenario,
        chance: &mut Chance,
        now: Moment,
    ) -> Option<Rc<Wish>> {
        let (work, agent) = (self.work?, self.name.clone()?);
        let keyed = pick(chance, 2) == 0;
        if work.done == 1 && self.misbehaves(chance, now) {
            return None;
        }
        if self.character == Character::Lying && pick(chance, 3) == 0 {
            return self.lie(state, agent, chance, now);
        }
        if self.character == Character::Claiming && pick(chance, 3) == 0 {
            return Some(self.command(Command::Claim { task: any_task(state, chance), agent }, keyed, now));
        }
        let reserves = work.done > 0 && below(chance, 8) < scenario.get(Knob::Reserve);
        if reserves && self.character != Character::Honest {
            let command = reservation(agent, TaskRef::Id(work.task), state, chance);
            return Some(self.command(command, keyed, now));
        }
        if pick(chance, 8) == 0 && state.tasks().get(work.task).and_then(|it| it.membership()).is_some() {
            let (task, assignment) = (TaskRef::Id(work.task), work.assignment);
            let components = crate::manage::components(1 + pick(chance, 3));
            let command = Command::ProposeComponents { task, agent, assignment, components };
            return Some(self.command(command, keyed, now));
        }
        if let Some(wanted) = want(work, &agent, state, scenario, chance) {
            return wanted.map(|command| self.command(command, keyed, now));
        }
        if let Some(command) = self.hand_over(work, &agent, state, scenario, chance) {
            return Some(self.command(command, keyed, now));
        }
        if !self.reformed && below(chance, 8) < scenario.get(Knob::Talk) {
            return Some(self.command(talk(agent, work, state, chance)?, keyed, now));
        }
        if self.character != Character::Honest && below(chance, 32) < scenario.get(Knob::Dispute) {
            let command = contend(agent, state, chance);
            return Some(self.command(command, keyed, now));
        }
        if pick(chance, 12) == 0
            && let Some(open) = state.open_conflicts().find(|conflict| conflict.deliberation().is_some())
        {
            let option = Text::from(["this way", "that way"][pick(chance, 2)]);
            let confidence = Ratio::micros(below(chance, 1_000_001));
            let (conflict, reasons) = (open.id, text());
            let proposal = Box::new(NewProposal { conflict, agent, option, reasons, confidence });
            return Some(self.command(Command::Propose(proposal), keyed, now));
        }
        if pick(chance, 24) == 0 {
            let own = state.agent_id(agent.as_str())?;
            if let Some(last) = state.agent(own).inbox.all().last() {
                return Some(self.command(Command::ReadNotices { agent, up_to: last.id }, keyed, now));
            }
        }
        let spends = scenario.get(Knob::Spend) > 0 && below(chance, 6) < scenario.get(Knob::Spend);
        let used = spends.then(|| self.used(work, &agent, chance));
        if let Some(report) = used.clone().filter(|_| pick(chance, 3) > 0) {
            return Some(self.command(Command::ReportUsage(report), keyed, now));
        }
        let command = self.report(work, agent, chance);
        let command = match used {
            Some(report) => Command::WithUsage { report, command: Box::new(command) },
            None => command,
        };
        Some(self.command(command, keyed, now))
    }

    /// Asks for a handoff of its work, packs it, confirms or declines what comes to it.
    fn hand_over(
        &self,
        work: Work,
        agent: &Name,
        state: &State,
        scenario: &Scenario,
        chance: &mut Chance,
    ) -> Option<Command> {
        let own = state.agent_id(agent.as_str())?;
        let (task, assignment) = (TaskRef::Id(work.task), work.assignment);
        if let Some(open) =
            state.handoffs().iter().rev().take(8).find(|it| it.is_open() && it.to == Some(own))
        {
            let (task, agent) = (TaskRef::Id(open.task), agent.clone());
            return match pick(chance, 6) {
                0 => Some(Command::DeclineHandoff { task, agent, reason: text() }),
                1 | 2 => Some(Command::ConfirmHandoff { task, agent }),
                _ => None,
            };
        }
        if let Some(open) = state.handoffs().of(work.task).filter(|it| !it.is_transferred()) {
            return match pick(chance, 6) {
                0 => Some(Command::CancelHandoff { task, agent: Some(agent.clone()), reason: text() }),
                1..=3 => {
                    let held = state.reservations().of_task(open.task).map(|held| held.id);
                    let package = Arc::new(package(held.collect(), chance));
                    Some(Command::SubmitPackage { task, agent: agent.clone(), assignment, package })
                }
                _ => None,
            };
        }
        let owner = Some((agent.clone(), assignment));
        let wants = below(chance, 16) < scenario.get(Knob::Handoff) && self.character != Character::Honest;
        let to = state.agents().get(pick(chance, state.agents().len())).map(|it| it.spec.name.clone());
        let to = to.filter(|_| pick(chance, 2) == 0);
        wants.then_some(Command::RequestHandoff { task, owner, to, note: None })
    }

    /// Says what it has used: mostly more than before, now and then what it said long ago, of its last task, or what cannot be.
    fn used(&self, work: Work, agent: &Name, chance: &mut Chance) -> UsageReport {
        let late = self.past.filter(|_| pick(chance, 4) == 0);
        let (task, assignment) =
            late.map_or((work.task, work.assignment), |past| (past.task, past.assignment));
        let step = u64::from(work.done) * 40 + u64::from(below(chance, 60));
        let input = if self.character == Character::Lying && pick(chance, 4) == 0 { 0 } else { step * 10 };
        let usage = Usage { input, cached: step * 5, output: step, money: step * 1_000 };
        UsageReport { task: TaskRef::Id(task), agent: agent.clone(), assignment, usage }
    }

    fn report(&mut self, work: Work, agent: Name, chance: &mut Chance) -> Command {
        let Work { task, assignment, done } = work;
        self.work = Some(Work { done: done.saturating_add(1), ..work });
        let task = TaskRef::Id(task);
        let last = if self.character == Character::Slow { 6 } else { 2 };
        match done {
            0 => Command::Start { task, agent, assignment },
            1 if self.character == Character::Failing && pick(chance, 3) > 0 => {
                Command::Fail { task, agent, assignment, reason: text(), retry: pick(chance, 6) > 0 }
            }
            1 if self.character == Character::Releasing && pick(chance, 8) == 0 => Command::SignOff { agent },
            1 if self.character == Character::Releasing && pick(chance, 2) == 0 => {
                Command::Release { task, agent, assignment, note: Some(text()) }
            }
            step if step < last => {
                Command::Progress { task, agent, assignment, percent: Some(step * 10), note: None }
            }
            _ => Command::Finish { task, agent, assignment, result: Some(text()) },
        }
    }

    /// Falls silent, where that is its character and chance has it so.
    fn misbehaves(&mut self, chance: &mut Chance, now: Moment) -> bool {
        let away = match self.character {
            Character::Quiet if pick(chance, 2) == 0 => 1_500_000,
            Character::Late if pick(chance, 3) == 0 => 400_000,
            Character::Vanishing if pick(chance, 3) == 0 => {
                self.forget();
                600_000
            }
            _ => return false,
        };
        self.fall_silent(now.after(Span(away)));
        if let Some(work) = &mut self.work {
            // It goes on where it was, and does not fall silent over the same task again.
            work.done = 2;
        }
        true
    }

    /// Says what is not so.
    fn lie(&mut self, state: &State, agent: Name, chance: &mut Chance, now: Moment) -> Option<Rc<Wish>> {
        let keyed = pick(chance, 2) == 0;
        let task = any_task(state, chance);
        let guessed = AssignmentId(u64::from(below(chance, 200)));
        let command = match pick(chance, 8) {
            0 => Command::Finish { task, agent, assignment: guessed, result: Some(text()) },
            1 => Command::Start { task, agent, assignment: guessed },
            2 => {
                let past = self.past?;
                let (task, assignment) = (TaskRef::Id(past.task), past.assignment);
                Command::Finish { task, agent, assignment, result: Some(Text::from("something else")) }
            }
            3 => {
                // The token of somebody else's live assignment.
                let (assignment, other) =
                    state.assignments().nth(pick(chance, state.assignments().count().max(1)))?;
                Command::Finish { task: TaskRef::Id(other.id), agent, assignment, result: Some(text()) }
            }
            4 => {
                let work = self.work?;
                let (task, assignment) = (TaskRef::Id(work.task), work.assignment);
                Command::Progress { task, agent, assignment, percent: Some(200), note: None }
            }
            5 => Command::ReadNotices { agent, up_to: NoticeId(1_000_000) },
            6 => {
                let needs = needs(chance).into();
                Command::Reserve { agent, task: Some(task), needs, ttl: None, line: InLine::Refused }
            }
            _ => {
                // A key that was used for something else.
                let last = self.last.clone()?;
                let Wish::Command { id, .. } = &*last else { return None };
                let command = Command::Claim { task, agent };
                return Some(Rc::new(Wish::Command { id: *id, keyed: true, command }));
            }
        };
        Some(self.command(command, keyed, now))
    }
}

/// Wants leave for something now and then: the same twice, something else meanwhile; mostly it waits then, or it does not want
/// it any more. Nothing where it works on.
#[expect(clippy::option_option, reason = "it may wait and send nothing")]
fn want(
    work: Work,
    agent: &Name,
    state: &State,
    scenario: &Scenario,
    chance: &mut Chance,
) -> Option<Option<Command>> {
    let (task, agent, assignment) = (TaskRef::Id(work.task), agent.clone(), work.assignment);
    let open = state.tasks().get(work.task).is_some_and(|task| task.wanted().is_some());
    let place = pick(chance, 12);
    if open && place > 4 {
        return Some(None);
    }
    if open && place > 2 {
        return Some(Some(Command::WithdrawPermission { task, agent, assignment, reason: text() }));
    }
    if work.done == 0 || below(chance, 24) >= scenario.get(Knob::Leave) {
        return None;
    }
    // Two requests of one name may be about two things.
    let name = Text::from(["run it", "push it", "send it"][place % 3]);
    let detail = Text::new(&format!("{assignment}, {}", pick(chance, 3)), 100).expect("a text");
    let option = |id: &'static str, kind| PermissionOption { id: Text::from(id), name: text(), kind };
    let options =
        vec![option("yes", OptionKind::AllowOnce), option("no", OptionKind::RejectOnce)].split_off(place % 2);
    let (title, kind) = (text(), Text::from("execute"));
    let ask = Box::new(PermissionAsk { name, title, kind, detail, options });
    Some(Some(Command::AskPermission { task, agent, assignment, ask }))
}

/// Says something to a neighbour, mostly the same one, or to all; now and then it reads what was said to it.
fn talk(agent: Name, work: Work, state: &State, chance: &mut Chance) -> Option<Command> {
    let own = state.agent_id(agent.as_str())?;
    let last = state.messages().inbox(own).next_back().map(|(message, _)| message.id);
    let said = |to, chance: &mut Chance| {
        let priority = if pick(chance, 6) == 0 { Priority::High } else { Priority::Medium };
        let task = Some(TaskRef::Id(work.task)).filter(|_| pick(chance, 8) == 0);
        let ack = pick(chance, 12) == 0;
        let from = Some(agent.clone());
        Command::SendMessage(Box::new(NewMessage {
            from,
            to,
            text: text(),
            priority,
            task,
            reply_to: None,
            ack,
        }))
    };
    let all = Name::new("all").ok()?;
    // Whose inbox is full makes room sooner.
    let full = state.messages().waiting(own) >= state.policy().messages.inbox_max as usize;
    if let (true, Some(up_to)) = (full && pick(chance, 6) == 0, last) {
        return Some(Command::ReadMessages { agent, up_to });
    }
    Some(match (pick(chance, 24), last) {
        (0, Some(up_to)) => Command::ReadMessages { agent, up_to },
        (1, Some(message)) => Command::AcknowledgeMessage { agent, message },
        (2, _) => {
            let members = state.agents().iter().take(6).map(|agent| agent.spec.name.clone()).collect();
            Command::OpenChannel { channel: all, members }
        }
        (3 | 4, _) => said(Address::Channel(all), chance),
        _ => said(Address::Agent(agent_name(own.index() ^ 1)), chance),
    })
}

/// Returns what the next owner must know; now and then something is missing.
fn package(reservations: Vec<ReservationId>, chance: &mut Chance) -> Package {
    let part = |chance: &mut Chance| if pick(chance, 12) == 0 { Text::default() } else { text() };
    Package {
        completed: part(chance),
        state: part(chance),
        remaining: part(chance),
        context: text(),
        files: vec![Text::from("none")],
        reservations,
    }
}

pub(crate) fn text() -> Text {
    Text::from("so it went")
}

/// Draws a task, the later ones more often.
pub(crate) fn any_task(state: &State, chance: &mut Chance) -> TaskRef {
    let count = state.tasks().len();
    let from = if pick(chance, 3) == 0 { 0 } else { count.saturating_sub(12) };
    let index = from + pick(chance, count - from) + 1;
    TaskRef::Id(TaskId(u32::try_from(index).unwrap_or(1)))
}

/// Says that a task is its own, rightly or not, or what comes first.
fn contend(agent: Name, state: &State, chance: &mut Chance) -> Command {
    let stalled = state.stalled_tasks().next().map(|task| TaskRef::Id(task.id));
    let task = stalled.filter(|_| pick(chance, 2) == 0).unwrap_or_else(|| any_task(state, chance));
    if pick(chance, 3) == 0 {
        return precede(task, Some(agent), state, chance);
    }
    let other = state.agents().get(pick(chance, state.agents().len())).map(|it| it.spec.name.clone());
    let against = other.filter(|_| pick(chance, 2) == 0);
    Command::FileDispute { task, agent, against, reason: text() }
}

/// Says how urgent a task is, or that it comes before another; where an order stands, often the contrary.
pub(crate) fn precede(task: TaskRef, agent: Option<Name>, state: &State, chance: &mut Chance) -> Command {
    let (priority, then) = (Priority::ALL[pick(chance, 4)], any_task(state, chance));
    let standing = state.orders().iter().nth(pick(chance, state.orders().len().max(1)));
    match (pick(chance, 8), standing) {
        (0 | 1, _) => Command::AssertPriority { task, agent, priority, reason: text() },
        (2..5, Some((first, then, _))) => {
            let (first, then) = (TaskRef::Id(then), TaskRef::Id(first));
            Command::AssertOrder { first, then, agent, reason: text() }
        }
        (2..7, _) => Command::AssertOrder { first: task, then, agent, reason: text() },
        (_, Some((first, then, _))) => {
            Command::DropOrder { first: TaskRef::Id(first), then: TaskRef::Id(then), agent }
        }
        _ => Command::DropOrder { first: task, then, agent },
    }
}

/// What agents and tasks contend for.
const RESOURCES: [&str; 6] =
    ["path:src/**", "path:src/a.rs", "path:**/a.*", "path:docs/*", "env:staging", "device:gpu-0"];

pub(crate) fn needs(chance: &mut Chance) -> Vec<Need> {
    let first = pick(chance, RESOURCES.len());
    let second = pick(chance, RESOURCES.len());
    let mut all = vec![first];
    all.extend(Some(second).filter(|&second| second != first && second > 3));
    let mode = [Mode::Shared, Mode::Reads, Mode::Exclusive][pick(chance, 3)];
    let need = |index: usize| Need { resource: RESOURCES[index].parse().expect("a resource"), mode };
    all.into_iter().map(need).collect()
}

/// Returns what an agent does about resources while it works: it mostly reserves, for its task or for itself, and renews or
/// releases what may or may not be its own.
fn reservation(agent: Name, task: TaskRef, state: &State, chance: &mut Chance) -> Command {
    let held = state.reservations().held().count();
    let near = state.reservations().held().nth(pick(chance, held.max(1))).map(|held| held.id);
    let reservation = near.unwrap_or_else(|| ReservationId(u64::from(below(chance, 24))));
    match pick(chance, 6) {
        0 => Command::RenewReservation { reservation, agent: Some(agent), ttl: None },
        1 => Command::ReleaseReservation {
            reservation: match state.reservations().waiting().next() {
                Some(wait) if pick(chance, 3) == 0 => ReservationRef::Waiting(wait.id),
                None if pick(chance, 3) == 0 => ReservationRef::Waiting(WaitId(u64::from(below(chance, 12)))),
                _ => ReservationRef::Held(reservation),
            },
            agent: Some(agent),
            reason: None,
        },
        _ => Command::Reserve {
            agent,
            task: (pick(chance, 2) == 0).then_some(task),
            needs: needs(chance).into(),
            ttl: Some(Span::minutes(1)),
            line: match pick(chance, 3) {
                0 => InLine::Refused,
                _ => InLine::For(Some(Span::minutes(2))),
            },
        },
    }
}
