//! Tokens: made, listed, rotated, taken back. For admins.

use axum::Json;
use axum::http::StatusCode;
use kapell_api::{ErrorCode, MadeToken, NewToken, Problem, RotateToken, Token};
use kapell_model::Span;

use super::door::{Body, Door, Path};
use super::problem::Refusals;
use super::{Refusal, convert, created, parse};
use crate::token::{Access, Kept};
use crate::writer::now;

/// Milliseconds that a token may live, where it ends: a second to ten years.
const LIFE_MS: std::ops::RangeInclusive<i64> = 1_000..=315_360_000_000;
/// Milliseconds that a rotated token may be let in after its successor was made, at most: a day.
const GRACE_MS_MAX: i64 = 86_400_000;

fn shown(kept: &Kept) -> Token {
    Token {
        id: kept.id,
        access: kept.access.as_str().to_owned(),
        agent: kept.agent.as_ref().map(ToString::to_string),
        label: kept.label.clone(),
        made_at: convert::time(kept.made_at),
        expires_at: kept.expires_at.map(convert::time),
    }
}

/// Lists the tokens, without themselves.
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", responses((status = 200, body = Vec<Token>), Refusals))]
pub(super) async fn list(door: Door) -> Result<Json<Vec<Token>>, Refusal> {
    door.require(Access::Admin)?;
    let tokens = door.app.tokens.clone();
    let listed = tokio::task::spawn_blocking(move || tokens.list()).await;
    let listed = listed.map_err(|error| Problem::new(ErrorCode::Internal, error.to_string()))?;
    Ok(Json(listed.iter().map(shown).collect()))
}

/// Makes a token. It is shown this once, so an idempotency key is refused: the same answer could not be given again.
#[utoipa::path(post, path = "/v1/tokens", request_body = NewToken, tag = "tokens",
    responses((status = 201, body = MadeToken), Refusals))]
pub(super) async fn make(door: Door, body: Body<NewToken>) -> Result<(StatusCode, Json<MadeToken>), Refusal> {
    door.require(Access::Admin)?;
    door.without_key()?;
    let access = Access::parse(&body.value.access).ok_or_else(|| {
        let given = format!("`{}`", body.value.access.escape_default().take(100).collect::<String>());
        Problem::field("access", given, "admin, manager, agent, viewer")
    })?;
    let agent = match (&body.value.agent, access) {
        (Some(agent), Access::Agent) => Some(parse::name("agent", agent)?),
        (None, Access::Agent) => return Err(Problem::field("agent", "missing", "the agent's name").into()),
        (Some(_), _) => {
            return Err(Problem::field("agent", "given", "nothing, unless access is `agent`").into());
        }
        (None, _) => None,
    };
    let label = parse::text("label", &body.value.label, kapell_model::limits::LABEL_BYTES_MAX)?.to_string();
    let life = body.value.expires_in_ms;
    if let Some(life) = life.filter(|life| !LIFE_MS.contains(life)) {
        return Err(Problem::field("expires_in_ms", life.to_string(), "1000 to 315360000000").into());
    }
    let expires_at = life.map(|life| now().after(Span(life)));
    let tokens = door.app.tokens.clone();
    let made =
        tokio::task::spawn_blocking(move || tokens.make(access, agent, label, expires_at, now())).await;
    let (kept, token) = made.map_err(|error| Problem::new(ErrorCode::Internal, error.to_string()))??;
    Ok(created(MadeToken { token, made: shown(&kept) }))
}

/// Puts a new token in the place of one, with the same number and rights. It is shown this once, so an idempotency key is refused.
#[utoipa::path(post, path = "/v1/tokens/{id}/rotate", request_body = RotateToken, tag = "tokens",
    params(("id" = u32, Path, description = "its number")),
    responses((status = 200, body = MadeToken), Refusals))]
pub(super) async fn rotate(
    door: Door,
    Path(id): Path<String>,
    body: Body<RotateToken>,
) -> Result<Json<MadeToken>, Refusal> {
    door.require(Access::Admin)?;
    door.without_key()?;
    let grace = body.value.grace_ms;
    if !(0..=GRACE_MS_MAX).contains(&grace) {
        return Err(Problem::field("grace_ms", grace.to_string(), "0 to 86400000").into());
    }
    let unknown = || Problem::new(ErrorCode::NotFound, "there is no such token");
    let id: u32 = id.parse().map_err(|_| unknown())?;
    let (tokens, data) = (door.app.tokens.clone(), door.app.data.clone());
    let rotated = tokio::task::spawn_blocking(move || tokens.rotate(id, Span(grace), &data, now())).await;
    let rotated = rotated.map_err(|error| Problem::new(ErrorCode::Internal, error.to_string()))??;
    let (kept, token) = rotated.ok_or_else(unknown)?;
    Ok(Json(MadeToken { token, made: shown(&kept) }))
}

/// Takes a token back.
#[utoipa::path(delete, path = "/v1/tokens/{id}", params(("id" = u32, Path, description = "its number")),
    tag = "tokens", responses((status = 204), Refusals))]
pub(super) async fn revoke(door: Door, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    door.require(Access::Admin)?;
    let unknown = || Problem::new(ErrorCode::NotFound, "there is no such token");
    let id: u32 = id.parse().map_err(|_| unknown())?;
    let tokens = door.app.tokens.clone();
    let revoked = tokio::task::spawn_blocking(move || tokens.revoke(id)).await;
    let found = revoked.map_err(|error| Problem::new(ErrorCode::Internal, error.to_string()))??;
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(unknown().into()) }
}
