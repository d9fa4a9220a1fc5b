//! What agents have used, and what may be spent (SEMANTICS 15, "Budgets are constraints").

use kapell_model::{AgentId, AssignmentId, Budget, Day, Limits, Moment, Name, Period, Usage, limits};

use super::agents::own_text;
use super::invalid;
use crate::budget::{BudgetOf, BudgetTarget, Grade, UsageReport};
use crate::command::{Command, TaskRef};
use crate::engine::Reply;
use crate::escalation::EscalationKind;
use crate::event::{Cause, Event};
use crate::notice::NoticeKind;
use crate::rejection::Rejection;
use crate::state::State;
use crate::task::Task;

impl State {
    /// Counts what an attempt has used in all so far. The same report twice, or an older one, changes nothing; one under an
    /// outdated token counts too, since it was spent.
    pub(super) fn report_usage(
        &self,
        now: Moment,
        report: &UsageReport,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let UsageReport { task, agent, assignment, usage } = report;
        let (task, agent_id, live) = self.spender(task, agent, *assignment)?;
        check_usage(usage)?;
        let before = task.account.as_ref().map(|account| account.of(*assignment)).unwrap_or_default();
        let usage = before.most(usage);
        if usage != before {
            self.begin_day(now, out);
            out.push(Event::UsageReported { task: task.id, agent: agent_id, assignment: *assignment, usage });
        }
        Ok(Reply { stale: !live, ..Reply::about(task.id) })
    }

    /// Finds whose cost it is; the last part tells whether the token is the present one.
    fn spender(
        &self,
        reference: &TaskRef,
        name: &Name,
        assignment: AssignmentId,
    ) -> Result<(&Task, AgentId, bool), Rejection> {
        let task = self.find_task(reference)?;
        // Who was taken out has spent what it spent.
        let not_found = || Rejection::NotFound { what: "agent", given: name.to_string() };
        let agent = self.agent_id(name.as_str()).ok_or_else(not_found)?;
        let owner = task.owner.as_ref();
        if owner.is_some_and(|owner| (owner.agent, owner.assignment) == (agent, assignment)) {
            return Ok((task, agent, true));
        }
        if task.past.contains(&(assignment, agent)) {
            return Ok((task, agent, false));
        }
        Err(self.no_longer(task, self.agent(agent), assignment))
    }

    /// Begins another day, where the present one is over.
    pub(super) fn begin_day(&self, now: Moment, out: &mut Vec<Event>) {
        let day = Day::of(now);
        if day > self.ledgers.day {
            out.push(Event::BudgetDayBegan { day });
        }
    }

    pub(super) fn set_budget(
        &self,
        target: &BudgetTarget,
        budget: Option<&Budget>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (of, reply) = self.budget_of(target)?;
        check_budget(budget, "total")?;
        let by_day = |budget: &&Budget| budget.day != kapell_model::Limits::default();
        if matches!(of, BudgetOf::Task(_)) && budget.is_some_and(|budget| by_day(&budget)) {
            return Err(invalid("day", "limits", "limits in all: a task has none by day"));
        }
        let budget = budget.copied();
        if self.ledger(&of).and_then(|ledger| ledger.own) != budget {
            out.push(Event::BudgetSet { of, budget });
        }
        Ok(reply)
    }

    /// Submits or edits a task, and says what it may cost.
    pub(super) fn with_budget(
        &self,
        now: Moment,
        limits: Option<&Limits>,
        command: &Command,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let budget = limits.map(|&total| Budget { total, ..Budget::default() });
        check_budget(budget.as_ref(), "budget")?;
        let reply = self.decide(now, command, out)?;
        let task = reply.task.expect("what is submitted or edited is a task");
        let own = self.tasks.get(task).and_then(|task| task.account.as_ref()?.ledger.own);
        if own != budget {
            out.push(Event::BudgetSet { of: BudgetOf::Task(task), budget });
        }
        Ok(reply)
    }

    /// Returns whose budget is meant.
    fn budget_of(&self, target: &BudgetTarget) -> Result<(BudgetOf, Reply), Rejection> {
        Ok(match target {
            BudgetTarget::Task(task) => {
                let task = self.find_task(task)?.id;
                (BudgetOf::Task(task), Reply::about(task))
            }
            BudgetTarget::Agent(name) => {
                let agent = self.find_agent(name)?.id;
                (BudgetOf::Agent(agent), Reply { agent: Some(name.clone()), ..Reply::default() })
            }
            BudgetTarget::Project(name) => {
                let not_found = || Rejection::NotFound { what: "project", given: name.to_string() };
                self.projects.get(name).ok_or_else(not_found)?;
                (BudgetOf::Project(name.clone()), Reply::default())
            }
            BudgetTarget::Fleet => (BudgetOf::Fleet {}, Reply::default()),
        })
    }

    /// Returns what follows for a budget from how it stands now: warnings, its closing or opening, a call.
    pub(crate) fn budget_looked_at(&self, of: &BudgetOf) -> Vec<Event> {
        let mut out = Vec::new();
        if matches!(of, BudgetOf::Task(task) if !self.task(*task).is_open()) {
            return out;
        }
        let Some(ledger) = self.ledger(of) else { return out };
        let day = self.ledgers.day;
        for (period, measure, limit) in self.budget(of).limits() {
            let Some(soft) = limit.soft else { continue };
            let spent = ledger.used(period, day).cost().of(measure);
            if spent >= soft && !ledger.is_warned(period, measure, day) {
                let of_whom = of.clone();
                out.push(Event::BudgetWarned { of: of_whom, period, measure, limit: soft, spent });
                let so_far = (self.amount(measure, spent), self.amount(measure, soft));
                let text =
                    format!("{}: {} spent, warned from {} on", self.budget_name(of), so_far.0, so_far.1);
                let managers = Name::new("agent_manager").expect("a name");
                let (told, task): (Vec<AgentId>, _) = match of {
                    BudgetOf::Task(task) => {
                        (self.task(*task).owner.iter().map(|owner| owner.agent).collect(), Some(*task))
                    }
                    BudgetOf::Agent(agent) => (vec![*agent], None),
                    BudgetOf::Project(_) | BudgetOf::Fleet {} => {
                        (self.of_role(&managers).take(limits::CALLED_BY_ROLE_MAX).collect(), None)
                    }
                };
                for agent in told {
                    self.notify(agent, NoticeKind::BudgetWarned, task, &text, None, &mut out);
                }
            }
        }
        let stands = ledger.closed.map(|(_, closing)| closing);
        let found = match &stands {
            Some(closing) => self.still_closing(of, closing),
            None => self.closing(of, kapell_model::Cost::NONE),
        };
        match (stands, found) {
            (Some(_), None) => out.push(Event::BudgetOpened { of: of.clone() }),
            (before, Some(closing)) if before.map(|before| before.grade) != Some(closing.grade) => {
                out.push(Event::BudgetClosed { of: of.clone(), closing });
            }
            (Some(closing), _) if closing.grade >= Grade::Short && !ledger.called => {
                let text = || self.closing_text(of, &closing);
                let (kind, severity) = (EscalationKind::BudgetReached, self.budget_severity(of));
                self.raise(kind, of.subject(), severity, text, &mut out);
            }
            _ => {}
        }
        out
    }

    /// Returns what stops work under a budget that is spent: it goes back with what was noted, and its owner is told.
    pub(crate) fn stopped(&self, task: &Task) -> Vec<Event> {
        let Some((of, closing)) = self.spent_under(task) else { return Vec::new() };
        let owner = task.owner.as_ref().expect("running work has an owner");
        let why = self.closing_text(&of, &closing);
        let far = owner.started_at.map(|_| format!("stopped at {} %", owner.percent));
        let note = owner.note.as_ref().or(task.note.as_ref()).map(|note| format!("its last note: {note}"));
        let note: Vec<String> = far.into_iter().chain(note).collect();
        let note = Some(own_text(&note.join("; "))).filter(|note| !note.is_empty());
        let (id, agent, assignment) = (task.id, owner.agent, owner.assignment);
        let cause = Cause::OverBudget;
        let mut out = vec![Event::TaskReturned { task: id, agent, assignment, cause, boosted: false, note }];
        let text = format!("{id} is not yours any more, stop working on it: {why}");
        self.notify(agent, NoticeKind::BudgetReached, Some(id), &text, None, &mut out);
        out
    }
}

/// Checks that limits are within their bounds, and a soft one not above the hard one. The limits in all are called `total`.
fn check_budget(budget: Option<&Budget>, total: &str) -> Result<(), Rejection> {
    let Some((period, measure, given, allowed)) = budget.and_then(Budget::out_of_range) else {
        return Ok(());
    };
    let period = if period == Period::Total { total } else { period.as_str() };
    Err(invalid(format!("{period}.{}", measure.as_str()), given.to_string(), allowed))
}

fn check_usage(usage: &Usage) -> Result<(), Rejection> {
    let Usage { input, cached, output, money } = *usage;
    let fields = [
        ("usage.input_tokens", input),
        ("usage.cached_tokens", cached),
        ("usage.output_tokens", output),
        ("usage.money_micros", money),
    ];
    if let Some((field, given)) = fields.into_iter().find(|&(_, given)| given > limits::USAGE_MAX) {
        return Err(invalid(field, given.to_string(), format!("0 to {}", limits::USAGE_MAX)));
    }
    if cached > input {
        let allowed = format!("at most {input}, the tokens read");
        return Err(invalid("usage.cached_tokens", cached.to_string(), allowed));
    }
    Ok(())
}
