//! Webhooks: made, tried, rotated, taken back, and what became of what they should deliver. For managers.

use axum::Json;
use axum::http::StatusCode;
use kapell_api::{
    DeadLetter, DeadLetterChoice, DeadLetterCount, ErrorCode, MadeWebhook, NewWebhook, Page, Problem,
    RotateWebhook, StuckWebhook, Webhook, WebhookTest,
};
use kapell_core::Event;
use kapell_model::{Name, Span};

use super::convert::time;
use super::door::{Body, Door, NoBody, Path};
use super::problem::Refusals;
use super::{App, Refusal, created, parse};
use crate::admission::RETRY_AFTER;
use crate::token::Access;
use crate::webhooks::{
    Attempted, Hook, Outcome, TARGET_ALLOWED, TYPE_PREFIX, Tried, WebhookError, Webhooks, is_type,
};

/// Types that one may ask for.
const TYPES_MAX: usize = 50;
/// Bytes of one of them.
pub(crate) const TYPE_BYTES_MAX: usize = 100;
/// What is asked for where nothing is said.
const TYPES_DEFAULT: &str = "kapell.escalation.*";
/// Milliseconds for which secrets overlap, at most: a week.
const GRACE_MS_MAX: i64 = 604_800_000;

impl From<WebhookError> for Refusal {
    fn from(error: WebhookError) -> Self {
        let text = error.to_string();
        let code = match error {
            WebhookError::Unknown => ErrorCode::NotFound,
            WebhookError::Taken => ErrorCode::Duplicate,
            WebhookError::TooMany | WebhookError::Secrets => ErrorCode::LimitExceeded,
            WebhookError::Target(allowed) => return Self(Problem::field("url", "an address", allowed)),
            other => {
                tracing::error!(error = %other, "webhooks");
                ErrorCode::Internal
            }
        };
        Self(Problem::new(code, text))
    }
}

/// Lists the webhooks, without their secrets.
#[utoipa::path(get, path = "/v1/webhooks", tag = "webhooks",
    responses((status = 200, body = Page<Webhook>), Refusals))]
pub(super) async fn list(door: Door) -> Result<Json<Page<Webhook>>, Refusal> {
    door.require(Access::Manager)?;
    let durable = door.app.fleet.durable().0;
    let items = beside(&door, |webhooks| Ok(webhooks.list())).await?;
    let items = items.iter().map(|(hook, secrets)| shown(hook, *secrets, durable)).collect();
    Ok(Json(Page { items, next_cursor: None }))
}

/// Makes a webhook. Its secret is shown this once, so an idempotency key is refused.
#[utoipa::path(post, path = "/v1/webhooks", request_body = NewWebhook, tag = "webhooks",
    responses((status = 201, body = MadeWebhook), Refusals))]
pub(super) async fn add(
    door: Door,
    body: Body<NewWebhook>,
) -> Result<(StatusCode, Json<MadeWebhook>), Refusal> {
    door.require(Access::Manager)?;
    door.without_key()?;
    let new = body.value;
    let name = parse::name("name", &new.name)?;
    let durable = door.app.fleet.durable().0;
    let after = new.after.unwrap_or(durable);
    if after > durable {
        let allowed = format!("0 to {durable}, the last position");
        return Err(Problem::field("after", after.to_string(), allowed).into());
    }
    let types = types(new.types)?;
    if new.url.chars().any(char::is_control) {
        return Err(Problem::field("url", "control characters", TARGET_ALLOWED).into());
    }
    let made = beside(&door, move |webhooks| webhooks.add(name, &new.url, types, after)).await?;
    let (hook, secret) = made;
    Ok(created(MadeWebhook { secret, made: shown(&hook, 1, durable) }))
}

fn types(given: Vec<String>) -> Result<Vec<String>, Problem> {
    if given.len() > TYPES_MAX {
        return Err(Problem::field("types", format!("{} types", given.len()), "at most 50"));
    }
    if given.is_empty() {
        return Ok(vec![TYPES_DEFAULT.to_owned()]);
    }
    let known = |wanted: &&String| {
        wanted.len() <= TYPE_BYTES_MAX && Event::KINDS.iter().any(|kind| is_type(wanted, kind))
    };
    match given.iter().enumerate().find(|(_, wanted)| !known(wanted)) {
        Some((index, wanted)) => {
            let given = format!("`{}`", wanted.escape_default().take(100).collect::<String>());
            let kinds = Event::KINDS.join(", ");
            let allowed = format!(
                "at most {TYPE_BYTES_MAX} bytes: `*`, or `{TYPE_PREFIX}` and a kind, with `*` at its end or not: {kinds}"
            );
            Err(Problem::field(format!("types[{index}]"), given, allowed))
        }
        None => Ok(given),
    }
}

/// Takes a webhook back, with its secrets, what waits and what is dead.
#[utoipa::path(delete, path = "/v1/webhooks/{webhook}", params(("webhook" = String, Path, description = "its name")),
    tag = "webhooks", responses((status = 204), Refusals))]
pub(super) async fn remove(door: Door, Path(webhook): Path<String>) -> Result<StatusCode, Refusal> {
    door.require(Access::Manager)?;
    let name = named(&webhook)?;
    beside(&door, move |webhooks| webhooks.remove(&name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a new secret, which is shown this once, so an idempotency key is refused. Those before sign beside it for a while, at most
/// four in all.
#[utoipa::path(post, path = "/v1/webhooks/{webhook}/rotate", request_body = RotateWebhook, tag = "webhooks",
    params(("webhook" = String, Path, description = "its name")),
    responses((status = 200, body = MadeWebhook), Refusals))]
pub(super) async fn rotate(
    door: Door,
    Path(webhook): Path<String>,
    body: Body<RotateWebhook>,
) -> Result<Json<MadeWebhook>, Refusal> {
    door.require(Access::Manager)?;
    door.without_key()?;
    let (name, grace) = (named(&webhook)?, body.value.grace_ms);
    if !(0..=GRACE_MS_MAX).contains(&grace) {
        return Err(Problem::field("grace_ms", grace.to_string(), "0 to 604800000").into());
    }
    let durable = door.app.fleet.durable().0;
    let (hook, secrets, secret) = beside(&door, move |webhooks| webhooks.rotate(&name, Span(grace))).await?;
    Ok(Json(MadeWebhook { secret, made: shown(&hook, secrets, durable) }))
}

/// Sends an event of the type `kapell.webhook.test` and says what came of it. It is not tried again.
#[utoipa::path(post, path = "/v1/webhooks/{webhook}/test", tag = "webhooks",
    params(("webhook" = String, Path, description = "its name")),
    responses((status = 200, body = WebhookTest), Refusals))]
pub(super) async fn test(
    door: Door,
    Path(webhook): Path<String>,
    _: NoBody,
) -> Result<Json<WebhookTest>, Refusal> {
    door.require(Access::Manager)?;
    let name = named(&webhook)?;
    let Some(turn) = door.app.webhooks.turn_to_test() else {
        return Err(crate::fleet::Refused::Busy { after: RETRY_AFTER }.into());
    };
    let Tried { outcome, took } = beside(&door, move |webhooks| webhooks.test(&name, turn)).await?;
    let (accepted, status, reason) = match outcome {
        Outcome::Accepted { status } => (true, Some(status), None),
        Outcome::Refused { status, reason, .. } => (false, status, Some(reason)),
        Outcome::Gone => (false, Some(410), Some("answered 410".to_owned())),
        Outcome::Never { reason } => (false, None, Some(reason)),
    };
    Ok(Json(WebhookTest { accepted, status, reason, took_ms: took.0 }))
}

/// Lets a webhook go on that was stopped; nothing was lost meanwhile.
#[utoipa::path(post, path = "/v1/webhooks/{webhook}/resume", tag = "webhooks",
    params(("webhook" = String, Path, description = "its name")),
    responses((status = 200, body = Webhook), Refusals))]
pub(super) async fn resume(
    door: Door,
    Path(webhook): Path<String>,
    _: NoBody,
) -> Result<Json<Webhook>, Refusal> {
    door.require(Access::Manager)?;
    let name = named(&webhook)?;
    let durable = door.app.fleet.durable().0;
    let (hook, secrets) = beside(&door, move |webhooks| webhooks.resume(&name)).await?;
    Ok(Json(shown(&hook, secrets, durable)))
}

/// Lists the events that were tried too often, in the order of the log.
#[utoipa::path(get, path = "/v1/webhooks/{webhook}/dead", tag = "webhooks",
    params(("webhook" = String, Path, description = "its name")),
    responses((status = 200, body = Page<DeadLetter>), Refusals))]
pub(super) async fn dead(door: Door, Path(webhook): Path<String>) -> Result<Json<Page<DeadLetter>>, Refusal> {
    door.require(Access::Manager)?;
    let name = named(&webhook)?;
    let letters = beside(&door, move |webhooks| webhooks.dead(&name)).await?;
    Ok(Json(Page { items: letters.iter().map(letter).collect(), next_cursor: None }))
}

/// Has events tried again now that were tried too often, from the first attempt on, and those that wait.
#[utoipa::path(post, path = "/v1/webhooks/{webhook}/retry", request_body = DeadLetterChoice, tag = "webhooks",
    params(("webhook" = String, Path, description = "its name")),
    responses((status = 200, body = DeadLetterCount), Refusals))]
pub(super) async fn retry(
    door: Door,
    Path(webhook): Path<String>,
    body: Body<DeadLetterChoice>,
) -> Result<Json<DeadLetterCount>, Refusal> {
    door.require(Access::Manager)?;
    let (name, position) = (named(&webhook)?, body.value.position);
    counted(beside(&door, move |webhooks| webhooks.retry(&name, position)).await?)
}

/// Lets go of events that were tried too often.
#[utoipa::path(post, path = "/v1/webhooks/{webhook}/discard", request_body = DeadLetterChoice, tag = "webhooks",
    params(("webhook" = String, Path, description = "its name")),
    responses((status = 200, body = DeadLetterCount), Refusals))]
pub(super) async fn discard(
    door: Door,
    Path(webhook): Path<String>,
    body: Body<DeadLetterChoice>,
) -> Result<Json<DeadLetterCount>, Refusal> {
    door.require(Access::Manager)?;
    let (name, position) = (named(&webhook)?, body.value.position);
    counted(beside(&door, move |webhooks| webhooks.discard(&name, position)).await?)
}

fn counted(count: usize) -> Result<Json<DeadLetterCount>, Refusal> {
    Ok(Json(DeadLetterCount { count: u32::try_from(count).unwrap_or(u32::MAX) }))
}

fn named(name: &str) -> Result<Name, Problem> {
    let unknown = || {
        Problem::new(ErrorCode::NotFound, "there is no such webhook").hint("`kapell webhook list` shows them")
    };
    Name::new(name).map_err(|_| unknown())
}

/// Does what may wait for a file or a receiver beside those who answer.
async fn beside<T: Send + 'static>(
    door: &Door,
    work: impl FnOnce(&Webhooks) -> Result<T, WebhookError> + Send + 'static,
) -> Result<T, Refusal> {
    let webhooks = door.app.webhooks.clone();
    let done = tokio::task::spawn_blocking(move || work(&webhooks)).await;
    Ok(done.map_err(|error| Problem::new(ErrorCode::Internal, error.to_string()))??)
}

fn shown(hook: &Hook, secrets: usize, durable: u64) -> Webhook {
    let (state, reason) = match hook.stuck() {
        Some((state, reason)) => (state, Some(reason)),
        None => ("active", None),
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let next = hook.waiting.iter().min_by_key(|it| it.next_at);
    Webhook {
        name: hook.name.to_string(),
        url: hook.url.clone(),
        types: hook.types.to_vec(),
        state: state.to_owned(),
        reason,
        made_at: time(hook.made_at),
        cursor: hook.cursor,
        behind: durable.saturating_sub(hook.cursor),
        delivered: hook.delivered,
        delivered_at: hook.delivered_at.map(time),
        waiting: count(hook.waiting.len()),
        next_at: next.filter(|_| hook.stopped.is_none()).map(|it| time(it.next_at)),
        last_reason: hook.waiting.iter().max_by_key(|it| it.last_at).map(|it| it.reason.clone()),
        dead: count(hook.dead.len()),
        secrets: count(secrets),
    }
}

/// Returns the webhooks that do not deliver: without their addresses, since everybody sees it.
pub(super) fn stuck(app: &App) -> Vec<StuckWebhook> {
    let shown = |(name, state, reason): (Name, &str, String)| StuckWebhook {
        name: name.to_string(),
        state: state.to_owned(),
        reason,
    };
    app.webhooks.stuck().into_iter().map(shown).collect()
}

fn letter(it: &Attempted) -> DeadLetter {
    DeadLetter {
        position: it.position,
        kind: format!("{TYPE_PREFIX}{}", it.kind),
        attempts: it.attempts,
        first_at: time(it.first_at),
        last_at: time(it.last_at),
        reason: it.reason.clone(),
    }
}
