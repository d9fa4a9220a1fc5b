//! Breakdown: asked for, shown, and proposed by whoever does the planning.

use axum::Json;
use kapell_api as api;
use kapell_api::{Ack, Factors, NewBreakdown, Problem, ProposedComponents, Subtask, TaskBreakdown};
use kapell_core::{Command, Component, Part, Require, State, Task};
use kapell_model::{BreakdownBy, Breaking, TaskId, limits};

use super::convert::{self, time};
use super::door::{Body, Door, Path};
use super::parse::{Parsed, filled, hours, ratio, requirement, text, word};
use super::problem::Refusals;
use super::tasks::unknown;
use super::{Refusal, parse};
use crate::components::{Found, Whole, sought};
use crate::token::Access;

/// Breaks a task down that nobody has begun: planning, an implementation for each component, integration, testing. What waited
/// for it waits for the testing from then on. Or keeps one whole that the policy wants broken down.
#[utoipa::path(post, path = "/v1/tasks/{task}/breakdown", request_body = NewBreakdown, tag = "breakdown",
    params(
        ("task" = String, Path, description = "T-12 or its key"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn make(
    door: Door,
    Path(task): Path<String>,
    body: Body<NewBreakdown>,
) -> Result<Json<Ack>, Refusal> {
    door.require(Access::Manager)?;
    let reference = parse::task("task", &task)?;
    let named = components("components", &body.value.components)?;
    if body.value.keep_whole {
        return door.acknowledged(body.fingerprint, None, Command::KeepWhole { task: reference }).await;
    }
    let found = if named.is_empty() {
        let asked = reference.clone();
        let whole = door
            .app
            .fleet
            .query(move |view| view.state.task_id(&asked).map(|id| Whole::of(view.state.task(id))));
        sought(&whole.await?.ok_or_else(|| unknown(&task))?, door.app.llm.as_ref()).await
    } else {
        Found { components: named, ..Found::default() }
    };
    let Found { components, source, model, trouble, .. } = found;
    let command = Command::BreakDown { task: reference, components, source, model, by_policy: false };
    let mut acknowledged = door.acknowledged(body.fingerprint, None, command).await?;
    acknowledged.0.note = trouble;
    Ok(acknowledged)
}

/// Shows how large a task is, what it is a part of and what it has become.
#[utoipa::path(get, path = "/v1/tasks/{task}/breakdown", tag = "breakdown",
    params(("task" = String, Path, description = "T-12 or its key")),
    responses((status = 200, body = TaskBreakdown), Refusals))]
pub(super) async fn show(door: Door, Path(task): Path<String>) -> Result<Json<TaskBreakdown>, Refusal> {
    let reference = parse::task("task", &task)?;
    let found = door
        .app
        .fleet
        .query(move |view| view.state.task_id(&reference).map(|id| shown(view.state, view.state.task(id))));
    Ok(Json(found.await?.ok_or_else(|| unknown(&task))?))
}

/// Proposes the components of a task whose planning is to say them; applied when the planning is reported done.
#[utoipa::path(post, path = "/v1/tasks/{task}/components", request_body = ProposedComponents, tag = "breakdown",
    params(
        ("task" = String, Path, description = "the planning, T-12"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn propose(
    door: Door,
    Path(task): Path<String>,
    body: Body<ProposedComponents>,
) -> Result<Json<Ack>, Refusal> {
    let agent = parse::name("agent", &body.value.agent)?;
    door.speak_for(&agent)?;
    let command = Command::ProposeComponents {
        task: parse::task("task", &task)?,
        agent: agent.clone(),
        assignment: parse::assignment(&body.value.assignment)?,
        components: components("components", &body.value.components)?,
    };
    door.acknowledged(body.fingerprint, Some(agent), command).await
}

/// Reads the part of the policy.
pub(super) fn breaking(breaking: &api::Breaking) -> Parsed<Breaking> {
    Ok(Breaking {
        by: word("breakdown.by", &breaking.by, BreakdownBy::ALL, BreakdownBy::parse, BreakdownBy::as_str)?,
        factor_min: ratio("breakdown.min_factor", breaking.min_factor)?,
        estimate_max: hours("breakdown.max_estimate_hours", breaking.max_estimate_hours)?,
        levels_max: breaking.max_levels,
    })
}

/// Reads components.
pub(crate) fn components(field: &str, components: &[api::Component]) -> Parsed<Vec<Component>> {
    if components.len() > limits::COMPONENTS_MAX {
        let allowed = format!("at most {}", limits::COMPONENTS_MAX);
        return Err(Problem::field(field, format!("{} components", components.len()), allowed));
    }
    let component = |(index, it): (usize, &api::Component)| {
        let member = |member: &str| format!("{field}[{index}].{member}");
        let within =
            |problem: Problem| Problem { field: problem.field.map(|field| member(&field)), ..problem };
        Ok(Component {
            title: filled(&member("title"), &it.title, limits::TITLE_BYTES_MAX)?,
            description: text(&member("description"), &it.description, limits::DESCRIPTION_BYTES_MAX)?,
            requires: it
                .requires
                .iter()
                .enumerate()
                .map(requirement)
                .collect::<Parsed<_>>()
                .map_err(within)?,
            estimate: it.estimate_hours.map(|it| hours(&member("estimate_hours"), it)).transpose()?,
        })
    };
    components.iter().enumerate().map(component).collect()
}

fn requirement_shown(it: &Require) -> api::Requirement {
    api::Requirement {
        capability: it.capability.to_string(),
        weight: convert::weight(it.weight),
        minimum: it.minimum.as_decimal(),
    }
}

/// Shows components as they are declared.
pub(super) fn components_shown(components: &[Component]) -> Vec<api::Component> {
    let shown = |it: &Component| api::Component {
        title: it.title.to_string(),
        description: it.description.to_string(),
        requires: it.requires.iter().map(requirement_shown).collect(),
        estimate_hours: it.estimate.map(convert::hours),
    };
    components.iter().map(shown).collect()
}

/// Shows the part of the policy.
pub(super) fn breaking_shown(breaking: &Breaking) -> api::Breaking {
    api::Breaking {
        by: breaking.by.as_str().to_owned(),
        min_factor: breaking.factor_min.as_decimal(),
        max_estimate_hours: convert::hours(breaking.estimate_max),
        max_levels: breaking.levels_max,
    }
}

/// Shows factors.
pub(super) fn factors(factors: &kapell_core::Factors) -> Factors {
    Factors {
        technical: factors.technical.as_decimal(),
        size: factors.size.as_decimal(),
        dependencies: factors.dependencies.as_decimal(),
        unknowns: factors.unknowns.as_decimal(),
        total: factors.total.as_decimal(),
    }
}

/// Shows what breakdowns mean for a task.
pub(super) fn shown(state: &State, task: &Task) -> TaskBreakdown {
    let (into, member) = (task.broken_into(), task.membership());
    let found = into.map_or_else(|| state.factors(task), |into| into.factors);
    let subtask = |id: TaskId, part: Part| {
        let task = state.task(id);
        Subtask {
            task: id.to_string(),
            part: part.as_str().to_owned(),
            title: task.spec.title.to_string(),
            state: task.state().to_string(),
        }
    };
    let subtasks = into.map(|into| {
        let mut all = vec![subtask(into.planning, Part::Planning)];
        all.extend(into.implementations.iter().map(|&id| subtask(id, Part::Implementation)));
        all.extend([subtask(into.integration, Part::Integration), subtask(into.testing, Part::Testing)]);
        all
    });
    TaskBreakdown {
        factors: factors(&found),
        needed: task.is_open() && state.needs_breakdown(&found, task.estimate),
        wanted: task.is_to_be_broken_down(),
        part_of: member.map(|member| member.of.to_string()),
        part: member.map(|member| member.part.as_str().to_owned()),
        level: task.level(),
        into: subtasks.unwrap_or_default(),
        model: into.and_then(|into| into.model.as_ref()).map(ToString::to_string),
        components_from: into.and_then(|into| into.source).map(|source| source.as_str().to_owned()),
        at: into.map(|into| time(into.at)),
    }
}
