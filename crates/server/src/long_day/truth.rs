//! The report at the end of the day, set against a plain account of the log.

use std::collections::BTreeMap;

use kapell_api as api;
use kapell_core::{EmergencyState, EscalationKind};
use kapell_model::{AgentId, AgentState, Moment, Priority, Span, TaskState, Usage};

use super::account::{Account, Seen, Times, Window};
use super::fleet::Fleet;
use crate::http::{report, shown_time};

const DAY: i64 = Span::hours(24).0;

/// Sets every number of a report against the account, and returns the report.
pub(super) fn told(fleet: &Fleet) -> api::Report {
    let (report, account) = (report(&fleet.view()), Account::of(&fleet.log));
    assert_eq!(report.position, fleet.log.last().expect("a log").position.0);
    assert_eq!(report.at, shown_time(fleet.now));
    let day = Told { account: &account, report: &report, now: fleet.now };
    day.tasks();
    day.agents();
    day.performance();
    day.health();
    day.costs();
    day.emergencies();
    day.conflicts();
    day.escalations();
    day.bottlenecks();
    day.forecasts();
    day.recommendations();
    report
}

struct Told<'a> {
    account: &'a Account,
    report: &'a api::Report,
    now: Moment,
}

fn near(shown: f64, counted: f64) {
    assert!((shown - counted).abs() < 2e-6, "{shown} is shown, {counted} counted");
}

fn both_near(shown: Option<f64>, counted: Option<f64>) {
    assert_eq!(shown.is_some(), counted.is_some(), "{shown:?} is shown, {counted:?} counted");
    shown.into_iter().zip(counted).for_each(|(shown, counted)| near(shown, counted));
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("few")
}

impl Told<'_> {
    fn name(&self, agent: AgentId) -> String {
        self.account.agents[&agent].spec.name.to_string()
    }

    fn totals(&self, project: Option<&str>) -> api::TaskTotals {
        let count = |state| self.account.count(state, project);
        let all = TaskState::ALL.iter().map(|&state| count(state)).sum();
        api::TaskTotals {
            total: all,
            blocked: count(TaskState::Blocked),
            ready: count(TaskState::Ready),
            deferred: count(TaskState::Deferred),
            assigned: count(TaskState::Assigned),
            in_progress: count(TaskState::InProgress),
            in_review: count(TaskState::InReview),
            waiting: count(TaskState::Waiting),
            completed: count(TaskState::Completed),
            failed: count(TaskState::Failed),
            cancelled: count(TaskState::Cancelled),
            archived: count(TaskState::Archived),
        }
    }

    fn tasks(&self) {
        let (shown, all) = (&self.report.tasks, &self.account.tasks);
        assert_eq!(shown.by_state, self.totals(None));
        assert_eq!(shown.by_state.total as usize, all.len());
        let critical = |seen: &&Seen| Account::is_open(seen) && seen.priority == Priority::Critical;
        assert_eq!(shown.critical, number(all.values().filter(critical).count()));
        let whole_hours = self.now.0.rem_euclid(DAY) / Span::hours(1).0 + 1;
        assert_eq!(
            shown.completed_today,
            number(self.account.window(self.now, 0..whole_hours, None).completed)
        );
        assert!(!self.report.projects.is_empty());
        for project in &self.report.projects {
            assert_eq!(project.tasks, self.totals(Some(&project.name)), "{}", project.name);
        }
    }

    fn agents(&self) {
        let agents = &self.account.agents;
        let of = |state| agents.values().filter(move |it| it.state == state).count();
        let taken = |agent: AgentId| {
            let own = |seen: &&Seen| seen.owner.as_ref().is_some_and(|owned| owned.agent == agent);
            number(self.account.tasks.values().filter(own).count())
        };
        let online = agents.iter().filter(|(_, it)| it.state == AgentState::Online);
        let (slots, used): (Vec<u32>, Vec<u32>) =
            online.map(|(&id, it)| (it.spec.max_concurrent + it.overtime, taken(id))).unzip();
        let counted = api::AgentTotals {
            total: number(agents.len()),
            online: number(of(AgentState::Online)),
            unreachable: number(of(AgentState::Unreachable)),
            offline: number(of(AgentState::Offline)),
            slots: slots.iter().sum(),
            slots_used: used.iter().sum(),
        };
        assert_eq!((&self.report.agents, self.report.active_agents), (&counted, counted.online));
        assert_eq!(counted.total, 40);
        let line = |(&id, it): (&AgentId, &super::account::Member)| api::AgentLine {
            name: it.spec.name.to_string(),
            role: it.spec.role.to_string(),
            state: it.state.to_string(),
            tasks: taken(id),
            slots: it.spec.max_concurrent,
            completed: it.completed,
            failed: it.failed,
            lost: it.lost,
            efficiency_score: None,
            efficiency_before: None,
            success_rate: None,
        };
        assert_eq!(self.report.agent_table.len(), agents.len());
        for (shown, (id, it)) in self.report.agent_table.iter().zip(agents) {
            let counted = line((id, it));
            let (score, before, success) =
                (shown.efficiency_score, shown.efficiency_before, shown.success_rate);
            let shown = api::AgentLine {
                efficiency_score: None,
                efficiency_before: None,
                success_rate: None,
                ..shown.clone()
            };
            assert_eq!(shown, counted);
            let [day, day_before] = [0..24, 24..48].map(|ago| self.account.window(self.now, ago, Some(*id)));
            both_near(score, day.efficiency);
            both_near(before, day_before.efficiency);
            let attempts = day.succeeded + day.failed;
            both_near(success, (attempts > 0).then(|| day.succeeded as f64 / attempts as f64));
        }
    }

    fn performance(&self) {
        let shown = &self.report.performance;
        self.rates(&shown.last_day, 0..24);
        self.rates(&shown.day_before, 24..48);
        let by_hour = |of: fn(&Window) -> usize| -> Vec<u32> {
            let hours = (0..24).rev();
            hours.map(|ago| number(of(&self.account.window(self.now, ago..ago + 1, None)))).collect()
        };
        assert_eq!(shown.completed_by_hour, by_hour(|it| it.completed));
        assert_eq!(shown.submitted_by_hour, by_hour(|it| it.submitted));
        assert_eq!(shown.failed_by_hour, by_hour(|it| it.failed));
        let times = |it: &api::KindTimes| (it.count, it.mean_ms, it.p50_ms, it.p90_ms);
        let by_type = shown.by_type.iter().map(|it| (it.kind.clone().unwrap_or_default(), times(it)));
        assert_eq!(by_type.collect::<BTreeMap<String, Times>>(), self.account.times());
        assert!(shown.by_type.is_sorted_by(|a, b| a.count >= b.count));
        assert_eq!(self.report.degraded_since, self.account.degraded.map(shown_time));
    }

    fn rates(&self, shown: &api::Rates, ago: std::ops::Range<i64>) {
        let counted = self.account.window(self.now, ago, None);
        assert_eq!(
            (shown.submitted, shown.completed, shown.failed),
            (number(counted.submitted), number(counted.completed), number(counted.failed))
        );
        assert_eq!((shown.completion_mean_ms, shown.lead_mean_ms), (counted.effort_mean, counted.lead_mean));
        let attempts = counted.succeeded + counted.failed;
        let success = (attempts > 0).then(|| counted.succeeded as f64 / attempts as f64);
        both_near(shown.success_rate, success);
        both_near(shown.efficiency_score, counted.efficiency);
        assert_eq!((shown.messages, shown.handoffs), (number(counted.messages), number(counted.handoffs)));
        for (shown, count) in
            [(shown.messages_per_task, counted.messages), (shown.handoffs_per_task, counted.handoffs)]
        {
            let by_task = (counted.completed > 0).then(|| count as f64 / counted.completed as f64);
            assert_eq!(shown.is_some(), by_task.is_some());
            shown.into_iter().zip(by_task).for_each(|(a, b)| assert!((a - b).abs() < 0.006, "{a} {b}"));
        }
    }

    fn health(&self) {
        let shown = &self.report.health;
        let mut total = 0.0;
        assert_eq!(shown.parts.len(), 5);
        for (part, (name, good, all, weight)) in shown.parts.iter().zip(self.account.shares(self.now)) {
            assert_eq!(
                (part.name.as_str(), part.good, part.all, part.no_data),
                (name, good as u64, all as u64, all == 0)
            );
            let value = if all == 0 { 1.0 } else { good as f64 / all as f64 };
            near(part.value, value);
            near(part.weight, weight);
            near(part.adds, value * weight);
            assert_eq!(part.causes.is_empty(), good == all, "{part:?}");
            total += value * weight;
        }
        assert!((shown.total - total).abs() < 1e-5, "{} {total}", shown.total);
        near(shown.alert_below, 0.7);
        assert_eq!(shown.low_since, self.account.low.map(shown_time));
    }

    fn costs(&self) {
        let (shown, ever) = (&self.report.costs, Moment(i64::MIN));
        let midnight = Moment(self.now.0 - self.now.0.rem_euclid(DAY));
        let shown_usage = |it: &Usage| api::Usage {
            input_tokens: it.input,
            cached_tokens: it.cached,
            output_tokens: it.output,
            money_micros: it.money,
        };
        let used = |since: Moment, of: &dyn Fn(&Seen, AgentId, Moment) -> Option<String>| {
            let all = self.account.costs(since, of).into_iter();
            all.map(|(name, it)| (name, shown_usage(&it))).collect::<BTreeMap<String, api::Usage>>()
        };
        let whole = |since| used(since, &|_, _, _| Some(String::new())).remove("").unwrap_or_default();
        assert_eq!((shown.total, shown.today), (whole(ever), whole(midnight)));
        assert!(shown.today.money_micros > 0);
        let by_day = used(ever, &|_, _, at| Some(shown_time(at)[..10].to_owned()));
        assert_eq!(
            shown.days.iter().map(|it| (it.day.clone(), it.usage)).collect::<BTreeMap<_, _>>(),
            by_day
        );
        let project = |seen: &Seen, _, _| seen.spec.project.as_ref().map(ToString::to_string);
        let agent = |_: &Seen, agent: AgentId, _| Some(self.name(agent));
        let kind = |seen: &Seen, _, _| Some(seen.spec.kind.to_string());
        self.named(&shown.projects, shown.projects_total, &used(ever, &project), &used(midnight, &project));
        self.named(&shown.agents, shown.agents_total, &used(ever, &agent), &used(midnight, &agent));
        self.named(&shown.types, shown.types_total, &used(ever, &kind), &used(midnight, &kind));
        assert!(shown.closed.is_empty());
    }

    fn named(
        &self,
        shown: &[api::NamedCost],
        total: u32,
        all: &BTreeMap<String, api::Usage>,
        today: &BTreeMap<String, api::Usage>,
    ) {
        assert_eq!((total, shown.len()), (number(all.len()), all.len().min(20)));
        assert!(shown.is_sorted_by(|a, b| a.total.money_micros >= b.total.money_micros));
        for it in shown {
            let counted = (all[&it.name], today.get(&it.name).copied().unwrap_or_default());
            assert_eq!((it.total, it.today), counted, "{}", it.name);
        }
    }

    fn emergencies(&self) {
        let (shown, all) = (&self.report.emergencies, &self.account.emergencies);
        assert_eq!(shown.len(), all.len().min(20));
        for it in shown {
            let counted = &all[&it.id.parse().expect("an id")];
            assert_eq!(
                (it.kind.as_str(), it.state.as_str()),
                (counted.kind, counted.state.as_str()),
                "{}",
                it.id
            );
            let actions = it.actions.iter().map(|it| (it.action.as_str(), it.settled.as_deref()));
            let taken =
                counted.actions.iter().map(|(what, how)| (what.as_str(), how.map(|how| how.as_str())));
            assert_eq!(actions.collect::<Vec<_>>(), taken.collect::<Vec<_>>(), "{}", it.id);
            let ended = counted.state == EmergencyState::Ended;
            assert_eq!(it.ended_at.is_some(), ended, "{}", it.id);
            assert!(!ended || it.actions.iter().all(|it| it.settled.is_some()), "{}", it.id);
        }
    }

    fn conflicts(&self) {
        for it in &self.report.conflicts {
            let counted = &self.account.conflicts[&it.id.parse().expect("an id")];
            let parties: Vec<String> = counted.parties.iter().map(|&agent| self.name(agent)).collect();
            assert_eq!(
                (it.kind.as_str(), it.state.as_str(), &it.parties, &it.ruling),
                (counted.kind, counted.state, &parties, &counted.ruling),
                "{}",
                it.id
            );
        }
    }

    fn escalations(&self) {
        let open = self.account.calls.values().filter(|it| it.open).count();
        assert_eq!(self.report.escalations_open, number(open));
        for it in &self.report.escalations {
            let counted = &self.account.calls[&it.id.parse().expect("an id")];
            assert_eq!(
                (it.kind.as_str(), it.severity.as_str(), &it.due, it.state.as_str()),
                (counted.kind.as_str(), counted.severity.as_str(), &shown_time(counted.due), "open"),
                "{}",
                it.id
            );
            let late = counted.due < self.now && it.acknowledged_at.is_none();
            assert_eq!(it.overdue, late, "{}", it.id);
        }
        // The alert about the health is in the list, and does not count for it.
        let overdue = |it: &&api::Escalation| it.overdue && it.kind != EscalationKind::HealthLow.as_str();
        let listed = self.report.escalations.iter().filter(overdue).count();
        assert_eq!(listed, self.account.overdue(self.now).min(50));
    }

    fn bottlenecks(&self) {
        for it in &self.report.bottlenecks {
            let Some(id) = &it.id else { continue };
            let (severity, _) = self.account.narrow[&id.parse().expect("an id")];
            assert_eq!(it.severity.as_deref(), Some(severity.as_str()), "{id}");
        }
        let newest = self.account.taken.iter().rev().take(20).map(|(id, _)| id.to_string());
        let listed: Vec<&str> = self.report.actions.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(listed, newest.collect::<Vec<_>>());
        for it in &self.report.actions {
            let counted = &self.account.taken[&it.id.parse().expect("an id")];
            let effect = counted.after.map(|after| match after.cmp(&counted.before) {
                std::cmp::Ordering::Less => "better",
                std::cmp::Ordering::Equal => "the same",
                std::cmp::Ordering::Greater => "worse",
            });
            assert_eq!(
                (it.kind.as_str(), &it.expires_at, it.effect.as_deref(), it.ended_at.is_some()),
                (counted.kind, &shown_time(counted.expires_at), effect, counted.after.is_some()),
                "{}",
                it.id
            );
        }
    }

    fn forecasts(&self) {
        for it in &self.report.forecasts {
            let counted = &self.account.forecasts[&it.project];
            assert!(counted.p50 <= counted.p80 && counted.p80 <= counted.p90, "{}", it.project);
            assert_eq!(
                (&it.p50, &it.p80, &it.p90),
                (&shown_time(counted.p50), &shown_time(counted.p80), &shown_time(counted.p90))
            );
            let path = counted.path.iter().map(|(task, _)| task.to_string());
            assert_eq!(
                it.path.iter().map(|step| step.task.clone()).collect::<Vec<_>>(),
                path.collect::<Vec<_>>()
            );
            let deadline = it.deadline.as_ref().expect("only those with a deadline are listed");
            assert_eq!(it.at_risk, &it.p80 > deadline, "{}", it.project);
        }
    }

    fn recommendations(&self) {
        let commands: Vec<&str> = self.report.recommendations.iter().map(|it| it.command.as_str()).collect();
        let away = self.account.agents.values().any(|it| it.state != AgentState::Online);
        assert_eq!(commands.contains(&"kapell agent list"), away);
        assert_eq!(commands.contains(&"kapell escalations --overdue"), self.account.overdue(self.now) > 0);
        for task in self.report.bottlenecks.iter().filter(|it| it.kind == "failed_dependency") {
            assert!(
                commands.contains(&format!("kapell task reopen {}", task.about).as_str()),
                "{}",
                task.about
            );
        }
    }
}
