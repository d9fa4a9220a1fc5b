//! The report: asked for, as JSON, Markdown or HTML, and saved.

mod bottlenecks;
mod gather;
mod html;
mod markdown;
mod plot;

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kapell_api::{ErrorCode, ForecastStep, Measured, Problem, Report, SavedReport};
use kapell_model::Span;
use serde::Deserialize;
use utoipa::IntoParams;

use super::door::{Asked, Door, NoBody};
use super::problem::Refusals;
use super::{Refusal, created};
use crate::saved;
use crate::token::Access;

pub(crate) use gather::{health, report, totals};
pub(crate) use html::html;
pub(crate) use markdown::markdown;
use plot::Scale;

/// Tasks of the longest path that a page names.
const STEPS_MAX: usize = 10;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportQuery {
    /// `json`, `markdown` or `html` (one file with plots, without script); where absent the header `Accept` decides, and JSON where that is silent.
    format: Option<String>,
}

/// Reports on the fleet: its health with the parts, what holds it up, and what could be done.
#[utoipa::path(get, path = "/v1/report", params(ReportQuery), tag = "fleet",
    responses((status = 200, body = Report), Refusals))]
pub(super) async fn show(
    door: Door,
    headers: HeaderMap,
    Asked(query): Asked<ReportQuery>,
) -> Result<Response, Refusal> {
    let rendering = Rendering::wanted(query.format.as_deref(), &headers)?;
    let report = door.app.fleet.query(report).await?;
    Ok(match rendering {
        Rendering::Json => Json(report).into_response(),
        Rendering::Markdown => {
            ([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], markdown(&report)).into_response()
        }
        Rendering::Html => {
            let kind = (header::CONTENT_TYPE, "text/html; charset=utf-8");
            let safe =
                (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox");
            ([kind, safe], html(&report)).into_response()
        }
    })
}

/// How a report is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rendering {
    Json,
    Markdown,
    Html,
}

impl Rendering {
    fn wanted(format: Option<&str>, headers: &HeaderMap) -> Result<Self, Problem> {
        match format {
            Some("json") => Ok(Self::Json),
            Some("markdown") => Ok(Self::Markdown),
            Some("html") => Ok(Self::Html),
            Some(other) => {
                let given = format!("`{}`", other.escape_default().take(100).collect::<String>());
                Err(Problem::field("format", given, "json, markdown, html"))
            }
            None => {
                let accept =
                    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
                let named = [(Self::Markdown, "text/markdown"), (Self::Html, "text/html")];
                let named = named.into_iter().filter_map(|(it, name)| Some((accept.find(name)?, it)));
                Ok(named.min_by_key(|&(at, _)| at).map_or(Self::Json, |(_, it)| it))
            }
        }
    }
}

/// Saves the report of today in the data directory, as Markdown, as HTML and as JSON. What was saved today before is replaced.
#[utoipa::path(post, path = "/v1/report", tag = "fleet", responses((status = 201, body = SavedReport), Refusals))]
pub(super) async fn save(door: Door, _: NoBody) -> Result<(StatusCode, Json<SavedReport>), Refusal> {
    door.require(Access::Manager)?;
    let (report, now) = door.app.fleet.query(|view| (report(view), view.now)).await?;
    let data = door.app.data.clone();
    let saved = tokio::task::spawn_blocking(move || saved::save(&data, saved::day_of(now), &report)).await;
    match saved {
        Ok(Ok(saved)) => Ok(created(saved)),
        Ok(Err(error)) => {
            tracing::error!(%error, "the report cannot be saved");
            Err(Problem::new(ErrorCode::Internal, format!("the report cannot be saved: {error}")).into())
        }
        Err(_) => Err(Problem::new(ErrorCode::ShuttingDown, "the server is shutting down").into()),
    }
}

/// Shows the longest path of what is left, its beginning where it is long, with what is left of each task and in all.
fn path(steps: &[ForecastStep], hours: f64) -> String {
    let shown: Vec<String> =
        steps.iter().take(STEPS_MAX).map(|step| format!("{} ({})", step.task, time(step.hours))).collect();
    let more = match steps.len().saturating_sub(STEPS_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    if steps.is_empty() {
        String::new()
    } else {
        format!("{}{more}; {} in all", shown.join(", "), time(hours))
    }
}

/// Shows how long it is from p80 of a forecast to the deadline.
fn slack(hours: Option<f64>) -> String {
    hours.map(time).unwrap_or_default()
}

#[expect(clippy::cast_possible_truncation, reason = "hours of a plan")]
fn time(hours: f64) -> String {
    let span = Span((hours.abs() * 3_600_000.0).round() as i64);
    format!("{}{span}", if hours < 0.0 { "-" } else { "" })
}

/// Shows what was measured beside its bound, in its unit.
fn measured(it: &Measured) -> String {
    match it.of.as_str() {
        "wait_p90_ms" => format!("{} of {}", Scale::Span.label(it.value), Scale::Span.label(it.bound)),
        _ => format!("{:.2} of {:.2}", it.value, it.bound),
    }
}
