//! When a project will be done: the last forecast, and a new one on demand.

use axum::Json;
use kapell_api as api;
use kapell_api::{ErrorCode, Problem};
use kapell_core::{Command, State};
use kapell_model::{Forecast, Moment, Name, Span, TaskId};
use tokio::sync::Semaphore;

use super::convert::{hours, time};
use super::door::{Body, Door, Path};
use super::problem::Refusals;
use super::{Refusal, parse};
use crate::admission::RETRY_AFTER;
use crate::fleet::Refused;
use crate::token::Access;

/// Forecasts that may be made on demand at once: each keeps a core busy for up to a second.
static UNDER_WAY: Semaphore = Semaphore::const_new(2);

/// Shows the last forecast of a project.
#[utoipa::path(get, path = "/v1/projects/{project}/forecast", tag = "fleet",
    params(("project" = String, Path, description = "the project's name")),
    responses((status = 200, body = api::Forecast), Refusals))]
pub(super) async fn show(door: Door, Path(project): Path<String>) -> Result<Json<api::Forecast>, Refusal> {
    let project = parse::name("project", &project)?;
    let found = door.app.fleet.query(move |view| {
        known(view.state, &project)?;
        let forecast = view.state.forecast(project.as_str()).ok_or_else(|| {
            Problem::new(ErrorCode::NotFound, format!("there is no forecast of project `{project}` yet"))
                .hint("`kapell forecast PROJECT --now` makes one")
        })?;
        Ok::<_, Problem>(shown(view.state, forecast))
    });
    Ok(Json(found.await??))
}

/// Forecasts when a project will be done, and records it. For managers.
#[utoipa::path(post, path = "/v1/projects/{project}/forecast", request_body = api::NewForecast, tag = "fleet",
    params(("project" = String, Path, description = "the project's name")),
    responses((status = 200, body = api::Forecast), Refusals))]
pub(super) async fn make(
    door: Door,
    Path(project): Path<String>,
    body: Body<api::NewForecast>,
) -> Result<Json<api::Forecast>, Refusal> {
    door.require(Access::Manager)?;
    let project = parse::name("project", &project)?;
    let seed = body.value.seed.as_deref().map(seed).transpose()?;
    let seed = seed.unwrap_or_else(crate::writer::fresh_seed);
    let _permit = UNDER_WAY.try_acquire().map_err(|_| Refusal::from(Refused::Busy { after: RETRY_AFTER }))?;
    let source = door.app.fleet.query(move |view| {
        known(view.state, &project)?;
        Ok::<_, Problem>(view.state.forecast_source(&project, view.now))
    });
    let Some(source) = source.await?? else { return Err(Refused::Down.into()) };
    let made = tokio::task::spawn_blocking(move || kapell_plan::forecast(&source.gather(), seed));
    let forecast = made.await.map_err(|_| Problem::new(ErrorCode::Internal, "the forecast failed"))?;
    let record = Command::RecordForecast(Box::new(forecast.clone()));
    door.command(body.fingerprint, None, record).await?;
    // Asked again under the same key, the one that is recorded is the answer.
    let recorded = door.app.fleet.query(move |view| {
        let recorded = view.state.forecast(forecast.project.as_str()).unwrap_or(&forecast);
        shown(view.state, recorded)
    });
    Ok(Json(recorded.await?))
}

fn known(state: &State, project: &Name) -> Result<(), Problem> {
    let unknown = || {
        Problem::new(ErrorCode::NotFound, format!("there is no project `{project}`"))
            .hint("`kapell status` shows the projects")
    };
    state.projects().contains_key(project).then_some(()).ok_or_else(unknown)
}

fn seed(text: &str) -> Result<u64, Problem> {
    let digits =
        Some(text).filter(|text| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or_else(|| {
        let given = format!("`{}`", text.escape_default().take(100).collect::<String>());
        Problem::field("seed", given, "16 hexadecimal digits")
    })
}

/// Shows a forecast.
pub(super) fn shown(state: &State, forecast: &Forecast) -> api::Forecast {
    let project = state.projects().get(&forecast.project);
    let deadline = project.and_then(|project| project.spec.deadline);
    let step = |&(task, left): &(TaskId, Span)| api::ForecastStep {
        task: task.to_string(),
        title: state.task(task).spec.title.to_string(),
        state: state.task(task).state().to_string(),
        hours: hours(left),
    };
    let critical = |&(task, p50): &(TaskId, Moment)| {
        let deadline = state.task(task).spec.deadline;
        api::ForecastTask {
            task: task.to_string(),
            p50: time(p50),
            deadline: deadline.map(time),
            at_risk: deadline.is_some_and(|deadline| p50 > deadline),
        }
    };
    api::Forecast {
        project: forecast.project.to_string(),
        position: forecast.seen.0,
        at: time(forecast.at),
        outdated: state.has_changed_since(forecast),
        seed: format!("{:016x}", forecast.seed),
        trials: forecast.trials,
        open: forecast.open,
        p50: time(forecast.p50),
        p80: time(forecast.p80),
        p90: time(forecast.p90),
        deadline: deadline.map(time),
        slack_hours: deadline.map(|deadline| hours(Span(deadline.0.saturating_sub(forecast.p80.0)))),
        at_risk: deadline.is_some_and(|deadline| forecast.p80 > deadline),
        path: forecast.path.iter().map(step).collect(),
        path_hours: hours(forecast.length),
        gains: forecast
            .gains
            .iter()
            .map(|(name, saved)| api::ForecastGain {
                capability: name.to_string(),
                hours_saved: hours(*saved),
            })
            .collect(),
        critical: forecast.watched.iter().map(critical).collect(),
        because: because(forecast),
    }
}

fn because(forecast: &Forecast) -> Vec<String> {
    let Forecast { unstaffed, stuck, left_out, trials, .. } = forecast;
    let mut facts = vec![format!(
        "{} open tasks played through {trials} times on the slots of those who can be reached, each with an effort drawn from what such work has taken",
        forecast.open
    )];
    for (count, words) in [
        (unstaffed, "can be taken by nobody now; taken as if somebody were found at once"),
        (
            stuck,
            "wait for what failed, was called off or is to be decided; taken as if that were settled at once",
        ),
        (left_out, "are beyond what is looked at one by one; taken as spread over all slots"),
    ] {
        if *count > 0 {
            facts.push(format!("{count} tasks {words}"));
        }
    }
    facts
}
