//! A task is broken down: its subtasks, and the waits on both sides (SEMANTICS 9).

use std::sync::Arc;

use kapell_model::{
    AssignmentId, BreakdownBy, Budget, DependencyKind, Limit, Limits, Moment, Name, Span, TaskId, TaskState,
    Text, Unit, limits,
};

use super::agents::own_text;
use super::graph::WAITING;
use super::{invalid, require_state};
use crate::analysis::Analysis;
use crate::breakdown::{Component, ComponentSource, Factors, Part};
use crate::budget::BudgetOf;
use crate::command::{TaskRef, TaskSpec};
use crate::engine::Reply;
use crate::event::Event;
use crate::mutation::mutated;
use crate::rejection::Rejection;
use crate::state::State;
use crate::task::{Edge, Task};

/// Nobody has begun what is broken down.
const WHOLE: &[TaskState] = &[TaskState::Blocked, TaskState::Ready, TaskState::Deferred, TaskState::Waiting];
const PLANNING_SHARE: i64 = 10;
const IMPLEMENTATION_SHARE: i64 = 60;
const INTEGRATION_SHARE: i64 = 15;
const TESTING_SHARE: i64 = 15;

/// What the subtasks are made of.
struct Plan<'a> {
    whole: &'a Task,
    components: &'a [Component],
    /// The id that the next subtask gets.
    next: TaskId,
}

impl State {
    /// Breaks a task down into the components that are named, else into those that it declares, else into what its planning will
    /// say; with them comes where they are from, and which model has said them. `by_policy` is the server's own call for what the policy wants broken down.
    pub(super) fn break_down(
        &self,
        reference: &TaskRef,
        components: &[Component],
        (source, model): (Option<ComponentSource>, Option<&Text>),
        by_policy: bool,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        let (components, source) = match components {
            [] if !task.spec.components.is_empty() => {
                (&task.spec.components[..], Some(ComponentSource::Declared))
            }
            [] => (components, None),
            _ => (components, source.or(Some(ComponentSource::Declared))),
        };
        check_components("components", components)?;
        if by_policy && !task.is_to_be_broken_down() {
            return Ok(Reply::about(task.id));
        }
        require_state(task, "breaking it down", WHOLE)?;
        self.may_be_broken_down(task, components.len())?;
        let (id, factors) = (task.id, self.factors(task));
        let mut plan = Plan { whole: task, components, next: self.next_task() };
        let waits = task.edges.iter().filter(|edge| edge.gates());
        let (guessed, declared): (Vec<&Edge>, Vec<&Edge>) = waits
            .filter(|edge| self.task(edge.on).state() != TaskState::Completed)
            .partition(|edge| edge.inferred);
        let on = |edges: Vec<&Edge>| edges.into_iter().map(|edge| edge.on).collect::<Vec<_>>();
        let planning = self.part(&mut plan, Part::Planning, None, (&on(declared), &on(guessed)), out);
        let implementations: Vec<TaskId> = components
            .iter()
            .map(|component| {
                self.part(&mut plan, Part::Implementation, Some(component), (&[planning], &[]), out)
            })
            .collect();
        let before = if implementations.is_empty() { vec![planning] } else { implementations.clone() };
        let before = if mutated!(IntegrationNotLast) { vec![planning] } else { before };
        let integration = self.part(&mut plan, Part::Integration, None, (&before, &[]), out);
        let testing = self.part(&mut plan, Part::Testing, None, (&[integration], &[]), out);
        out.push(Event::BrokenDown {
            task: id,
            by_policy,
            factors,
            source,
            model: model.filter(|_| source == Some(ComponentSource::Model)).cloned(),
            planning,
            implementations,
            integration,
            testing,
        });
        let waits = |&&dependent: &&TaskId| self.task(dependent).gates().any(|on| on == id);
        let dependents = task.dependents.iter().rev().filter(waits);
        for &dependent in dependents.filter(|_| !mutated!(DependentsNotRewired)) {
            out.push(Event::DependencyRewired { task: dependent, from: id, on: testing });
        }
        out.push(Event::TaskArchived {
            task: id,
            reason: own_text(&format!("broken down; {testing} ends it")),
        });
        Ok(Reply::about(id))
    }

    /// Returns how large a task has become by an edit, where the policy wants it broken down for that.
    pub(super) fn edited_large(&self, task: &Task, spec: &TaskSpec, estimate: Span) -> Option<Factors> {
        let waits = task.gates().count();
        let read = task.analysis.as_deref();
        let new = !task.is_to_be_broken_down() && WHOLE.contains(&task.state());
        let factors = self.wants_breakdown(spec, estimate, waits, read).filter(|_| new)?;
        let was_large = self.wants_breakdown(&task.spec, task.estimate, waits, read).is_some();
        Some(factors).filter(|_| !was_large && self.may_be_broken_down(task, 0).is_ok())
    }

    fn may_be_broken_down(&self, task: &Task, components: usize) -> Result<(), Rejection> {
        let refused = |reason: String| Err(Rejection::Indivisible { task: task.id, reason });
        if task.pending_gate().is_some() {
            return refused("it is finished and stands before its gates".to_owned());
        }
        if let Some(member) = task.membership().filter(|member| member.part != Part::Implementation) {
            let article = if member.part == Part::Integration { "an" } else { "a" };
            return refused(format!("it is {article} {}", member.part.as_str()));
        }
        let most = if mutated!(LevelsUnbounded) { u8::MAX } else { self.policy.breakdown.levels_max };
        if task.level() >= most {
            return refused(format!("it lies {} levels deep already", task.level()));
        }
        if let Some(decision) = task.awaits().first() {
            return refused(format!("it waits for the decision {decision}"));
        }
        if self.tasks.len() + components + 3 > limits::TASKS_MAX {
            return Err(Rejection::LimitExceeded { what: "tasks of a fleet", limit: limits::TASKS_MAX });
        }
        Ok(())
    }

    /// Keeps a task whole that the policy wants broken down.
    pub(super) fn keep_whole(&self, reference: &TaskRef, out: &mut Vec<Event>) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        if task.is_to_be_broken_down() {
            out.push(Event::BreakdownDeclined { task: task.id });
        }
        Ok(Reply::about(task.id))
    }

    /// Takes what whoever does the planning proposes; it is applied with the end of the planning.
    pub(super) fn propose_components(
        &self,
        reference: &TaskRef,
        name: &Name,
        assignment: AssignmentId,
        components: &[Component],
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (task, agent) = self.owned(reference, name, assignment)?;
        if components.is_empty() {
            return Err(invalid("components", "none", format!("1 to {}", limits::COMPONENTS_MAX)));
        }
        check_components("components", components)?;
        if self.planned_by(task).is_none() {
            let reason = "it is no planning that is to say which components there are".to_owned();
            return Err(Rejection::Indivisible { task: task.id, reason });
        }
        out.push(Event::ComponentsProposed {
            task: task.id,
            agent: agent.id,
            components: components.to_vec(),
        });
        Ok(Reply::about(task.id))
    }

    /// Returns the whole of which a task is the planning that is to say which components there are.
    fn planned_by(&self, task: &Task) -> Option<&Task> {
        let member = task.membership().filter(|member| member.part == Part::Planning)?;
        let whole = self.task(member.of);
        whole.broken_into().filter(|into| into.source.is_none())?;
        Some(whole)
    }

    /// Puts into `out` the implementations that come with the end of a planning: as proposed, else one for all of it.
    pub(super) fn plan_carried_out(&self, task: &Task, out: &mut Vec<Event>) {
        let Some(whole) = self.planned_by(task) else { return };
        let into = whole.broken_into().expect("a whole that was broken down");
        let all_of_it = [Component {
            title: whole.spec.title.clone(),
            description: whole.spec.description.clone(),
            requires: Vec::new(),
            estimate: None,
        }];
        let components = into.proposed.as_ref().map_or(&all_of_it[..], |(_, proposed)| proposed);
        let mut plan = Plan { whole, components, next: self.next_task() };
        let implementations: Vec<TaskId> = components
            .iter()
            .map(|component| {
                self.part(&mut plan, Part::Implementation, Some(component), (&[task.id], &[]), out)
            })
            .collect();
        if WAITING.contains(&self.task(into.integration).state()) {
            for &on in &implementations {
                let (task, kind) = (into.integration, DependencyKind::Blocks);
                out.push(Event::DependencyAdded { task, on, kind, inferred: false });
            }
        }
        out.push(Event::BreakdownPlanned { task: whole.id, implementations });
    }

    /// Puts one subtask into `out`, which waits for what was declared and for what was guessed, and returns its id. It has its
    /// share of what may be spent on the whole yet.
    fn part(
        &self,
        plan: &mut Plan<'_>,
        part: Part,
        component: Option<&Component>,
        (declared, guessed): (&[TaskId], &[TaskId]),
        out: &mut Vec<Event>,
    ) -> TaskId {
        let (id, whole) = (plan.next, plan.whole);
        plan.next = TaskId(id.0 + 1);
        let spec = self.part_spec(plan, part, component);
        let blocks = |on: &TaskId| (*on, DependencyKind::Blocks);
        let mut edges: Vec<_> = declared.iter().chain(guessed).map(blocks).collect();
        let analysis = self.analysed(&spec, &edges);
        edges.truncate(declared.len());
        let waits =
            edges.len() + guessed.len() + analysis.as_ref().map_or(0, |analysis| analysis.edges.len());
        edges.push((whole.id, DependencyKind::ParentChild));
        let (estimate, learned) = self.estimate(&spec);
        let divisible = part == Part::Implementation && whole.level() + 1 < self.policy.breakdown.levels_max;
        let wanted = self.wants_breakdown(&spec, estimate, waits, analysis.as_deref()).filter(|_| divisible);
        out.push(Event::TaskSubmitted { task: id, spec: Arc::new(spec), edges, estimate, learned, analysis });
        for &on in guessed {
            out.push(Event::DependencyAdded { task: id, on, kind: DependencyKind::Blocks, inferred: true });
        }
        if let Some(budget) = self.part_budget(plan, part) {
            out.push(Event::BudgetSet { of: BudgetOf::Task(id), budget: Some(budget) });
        }
        out.extend(wanted.map(|factors| Event::BreakdownWanted { task: id, factors }));
        id
    }

    /// Returns how large new work is that the policy wants broken down.
    pub(super) fn wants_breakdown(
        &self,
        spec: &TaskSpec,
        estimate: Span,
        waits: usize,
        analysis: Option<&Analysis>,
    ) -> Option<Factors> {
        if self.policy.breakdown.by != BreakdownBy::Policy || spec.closed.is_some() {
            return None;
        }
        let factors = self.factors_of(spec, estimate, waits, analysis);
        Some(factors).filter(|factors| self.needs_breakdown(factors, estimate))
    }

    /// Returns a part's share of what may be spent on the whole yet, where that has a budget of its own.
    fn part_budget(&self, plan: &Plan<'_>, part: Part) -> Option<Budget> {
        let account = plan.whole.account.as_ref()?;
        let (own, spent) = (account.ledger.own?, account.ledger.total.cost());
        let left = |limit: u64, measure: Unit| {
            let left = limit.saturating_sub(spent.of(measure));
            let share = share(Span(i64::try_from(left).unwrap_or(i64::MAX)), part, plan.components.len());
            share.0.unsigned_abs()
        };
        let of = |measure: Unit| {
            let Limit { soft, hard } = own.total.of(measure);
            Limit {
                soft: soft.map(|limit| left(limit, measure)),
                hard: hard.map(|limit| left(limit, measure)),
            }
        };
        Some(Budget {
            total: Limits { tokens: of(Unit::Tokens), money: of(Unit::Money) },
            ..Budget::default()
        })
    }

    fn part_spec(&self, plan: &Plan<'_>, part: Part, component: Option<&Component>) -> TaskSpec {
        let (whole, spec) = (plan.whole, &plan.whole.spec);
        let title = |verb: &str| cut(&format!("{verb}: {}", spec.title), limits::TITLE_BYTES_MAX);
        let named = Name::new(part.as_str()).expect("a name");
        let mut made = TaskSpec::titled(match (part, component) {
            (Part::Implementation, Some(component)) => component.title.clone(),
            (Part::Implementation, None) => title("Implement"),
            (Part::Planning, _) => title("Plan"),
            (Part::Integration, _) => title("Integrate"),
            (Part::Testing, _) => title("Test"),
        });
        let belongs = format!("A part of {}: {}", whole.id, spec.title);
        made.description = match component {
            Some(component) if !component.description.is_empty() => {
                cut(&format!("{}\n\n{belongs}", component.description), limits::DESCRIPTION_BYTES_MAX)
            }
            Some(_) => own_text(&belongs),
            None => cut(&format!("{belongs}\n\n{}", spec.description), limits::DESCRIPTION_BYTES_MAX),
        };
        made.kind = named;
        made.priority = spec.priority;
        made.project = spec.project.clone();
        made.exclude = spec.exclude.clone();
        made.labels = spec.labels.clone();
        made.attempts_max = spec.attempts_max;
        made.estimate = self.part_estimate(plan, part, component);
        made.deadline = self.part_deadline(plan, part);
        match part {
            Part::Planning => {
                made.role = Name::new("architect").ok();
                made.not_before = spec.not_before;
            }
            Part::Implementation | Part::Integration => {
                let own = component.map(|component| component.requires.clone()).unwrap_or_default();
                made.requires = if own.is_empty() { spec.requires.clone() } else { own };
                (made.role, made.agent) = (spec.role.clone(), spec.agent.clone());
                made.complexity = spec.complexity;
                made.resources = spec.resources.clone();
            }
            Part::Testing => {
                made.role = Name::new("qa_engineer").ok();
                made.resources = spec.resources.clone();
                made.gates = self.gates_of(spec);
            }
        }
        made
    }

    /// Returns what a part is declared to take, where the whole was declared to.
    fn part_estimate(&self, plan: &Plan<'_>, part: Part, component: Option<&Component>) -> Option<Span> {
        let own = component.and_then(|component| component.estimate);
        own.or_else(|| plan.whole.spec.estimate.map(|whole| share(whole, part, plan.components.len())))
    }

    /// Spreads the deadline of the whole back along its longest path: each part has to be done in time for those behind it.
    fn part_deadline(&self, plan: &Plan<'_>, part: Part) -> Option<Moment> {
        let (end, whole) = (plan.whole.spec.deadline?, plan.whole.estimate);
        let takes = |part: Part| share(whole, part, plan.components.len());
        let longest = plan.components.iter().filter_map(|component| component.estimate).max();
        let components = takes(Part::Implementation).max(longest.unwrap_or_default());
        let behind = match part {
            Part::Testing => Span(0),
            Part::Integration => takes(Part::Testing),
            Part::Implementation => sum([takes(Part::Testing), takes(Part::Integration)]),
            Part::Planning => sum([takes(Part::Testing), takes(Part::Integration), components]),
        };
        Some(end.before(behind))
    }
}

fn sum<const N: usize>(spans: [Span; N]) -> Span {
    Span(spans.iter().fold(0, |sum, span| sum.saturating_add(span.0)))
}

/// Returns a part's share of what the whole takes, at least 1; the components share theirs.
fn share(whole: Span, part: Part, components: usize) -> Span {
    let count = i64::try_from(components.max(1)).unwrap_or(i64::MAX);
    let percent = |percent: i64| (whole.0 / 100).saturating_mul(percent) + whole.0 % 100 * percent / 100;
    Span(
        match part {
            Part::Planning => percent(PLANNING_SHARE),
            Part::Implementation => percent(IMPLEMENTATION_SHARE) / count,
            Part::Integration => percent(INTEGRATION_SHARE),
            Part::Testing => percent(TESTING_SHARE),
        }
        .max(1),
    )
}

fn cut(text: &str, bytes_max: usize) -> Text {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Text::new(&text[..end], bytes_max).unwrap_or_default()
}

/// Checks components, of a task or of a proposal.
pub(super) fn check_components(field: &str, components: &[Component]) -> Result<(), Rejection> {
    if components.len() > limits::COMPONENTS_MAX {
        let limit = limits::COMPONENTS_MAX;
        return Err(Rejection::LimitExceeded { what: "components of a task", limit });
    }
    for (index, component) in components.iter().enumerate() {
        let member = |member: &str| format!("{field}[{index}].{member}");
        if component.title.as_str().trim().is_empty() {
            return Err(invalid(member("title"), "missing", "one line"));
        }
        if components[..index].iter().any(|other| other.title == component.title) {
            return Err(invalid(member("title"), format!("`{}` twice", component.title), "each title once"));
        }
        let mut spec = TaskSpec::titled(component.title.clone());
        spec.requires.clone_from(&component.requires);
        spec.estimate = component.estimate;
        if let Err(Rejection::Invalid { field, given, allowed }) = super::tasks::check_task(&spec) {
            return Err(invalid(member(&field), given, allowed));
        }
    }
    Ok(())
}
