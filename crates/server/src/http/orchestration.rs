//! The report: asked for, as JSON or Markdown, and saved.

mod bottlenecks;
mod gather;
mod markdown;

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kapell_api::{ErrorCode, Problem, Report, SavedReport};
use serde::Deserialize;
use utoipa::IntoParams;

use super::door::{Asked, Door};
use super::problem::Refusals;
use super::{Refusal, created};
use crate::saved;
use crate::token::Access;

pub(crate) use gather::{health, report, totals};
pub(crate) use markdown::markdown;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportQuery {
    /// `json` or `markdown`; where absent the header `Accept` decides, and JSON where that is silent.
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
    let as_markdown = wants_markdown(query.format.as_deref(), &headers)?;
    let report = door.app.fleet.query(report).await?;
    if !as_markdown {
        return Ok(Json(report).into_response());
    }
    Ok(([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], markdown(&report)).into_response())
}

fn wants_markdown(format: Option<&str>, headers: &HeaderMap) -> Result<bool, Problem> {
    match format {
        Some("markdown") => Ok(true),
        Some("json") => Ok(false),
        Some(other) => {
            let given = format!("`{}`", other.escape_default().take(100).collect::<String>());
            Err(Problem::field("format", given, "json, markdown"))
        }
        None => {
            let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
            Ok(accept.is_some_and(|accept| accept.contains("text/markdown")))
        }
    }
}

/// Saves the report of today in the data directory, as Markdown and as JSON. What was saved today before is replaced.
#[utoipa::path(post, path = "/v1/report", tag = "fleet", responses((status = 201, body = SavedReport), Refusals))]
pub(super) async fn save(door: Door) -> Result<(StatusCode, Json<SavedReport>), Refusal> {
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
