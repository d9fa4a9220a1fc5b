//! Who is at the door, and what they bring: tokens, idempotency keys, bodies.

use std::sync::Arc;

use axum::body::{Body as HttpBody, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use kapell_api::{Ack, ErrorCode, Objects, Problem};
use kapell_core::{Command, Reply};
use kapell_model::{CommandId, Name};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::convert::{self, ack};
use super::problem::STALE_HINT;
use super::{App, Refusal, parse};
use crate::fleet::{Ask, View};
use crate::past::Point;
use crate::token::{Access, Caller};
use crate::writer::{fresh_id, now};

/// Bytes of the body of one command.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of an idempotency key.
const KEY_BYTES_MAX: usize = 128;
/// Bytes of a UUID as text.
const UUID_BYTES: usize = 36;
/// What an idempotency key is.
pub(crate) const KEY_ALLOWED: &str = "a UUID of version 7 made for this command, at its end whatever the sender likes; 36 to 128 visible ASCII characters";

/// A caller that has shown a valid token.
pub(crate) struct Door {
    pub(crate) app: App,
    pub(crate) caller: Arc<Caller>,
    key: Option<Key>,
    /// The id of the request; line `n` of a bulk without a key has this one plus `n`.
    id: CommandId,
}

impl FromRequestParts<App> for Door {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let caller =
            token(&parts.headers).and_then(|token| app.tokens.caller(token, now())).ok_or_else(|| {
                let problem = Problem::new(ErrorCode::Unauthenticated, "the request carries no valid token");
                problem.hint("send `Authorization: Bearer TOKEN`; see `kapell token`")
            })?;
        Ok(Self { app: app.clone(), caller, key: key(&parts.headers)?, id: fresh_id() })
    }
}

pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// An idempotency key, and when it was made: so that one that may have been forgotten can be told from a new one.
struct Key {
    text: String,
    /// The first six bytes of its UUID, milliseconds since 1970.
    made: [u8; 6],
}

fn key(headers: &HeaderMap) -> Result<Option<Key>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| key.len() <= KEY_BYTES_MAX).and_then(|text| {
        let uuid = uuid::Uuid::try_parse(text.get(..UUID_BYTES)?).ok()?;
        let made = uuid.as_bytes().first_chunk().filter(|_| uuid.get_version_num() == 7)?;
        Some(Key { text: text.to_owned(), made: *made })
    });
    let given = || match value.to_str() {
        Ok(text) if text.len() <= KEY_BYTES_MAX => format!("`{text}`"),
        _ => format!("{} bytes", value.len()),
    };
    key.map(Some).ok_or_else(|| Problem::field("Idempotency-Key", given(), KEY_ALLOWED))
}

impl Door {
    /// Demands an access.
    pub(crate) fn require(&self, access: Access) -> Result<(), Problem> {
        if self.caller.access <= access {
            return Ok(());
        }
        let (needs, has) = (access.as_str(), self.caller.access.as_str());
        Err(Problem::new(ErrorCode::Forbidden, format!("this needs access `{needs}`; the token has `{has}`")))
    }

    /// Refuses an idempotency key, where the answer is a secret that is shown once: to give the same answer again it would have to
    /// be kept as it is.
    pub(crate) fn without_key(&self) -> Result<(), Problem> {
        let Some(key) = &self.key else { return Ok(()) };
        let allowed =
            "no such header here: the answer is a secret that is not kept and cannot be given again";
        let problem = Problem::field("Idempotency-Key", format!("`{}`", key.text), allowed);
        Err(problem.hint("where no answer came, look at the list, take back what was made, and make it anew"))
    }

    /// Demands that the caller is `agent`, or a manager who speaks for it.
    pub(crate) fn speak_for(&self, agent: &Name) -> Result<(), Problem> {
        if self.caller.access <= Access::Manager || self.caller.agent.as_ref() == Some(agent) {
            return Ok(());
        }
        let detail = match &self.caller.agent {
            Some(own) => format!("the token speaks for agent `{own}`, not for `{agent}`"),
            None => format!("the token has access `{}` and speaks for no agent", self.caller.access.as_str()),
        };
        Err(Problem::new(ErrorCode::Forbidden, detail))
    }

    /// Asks the state: the present one, or that at a point of the log.
    pub(crate) async fn view<T: Send + 'static>(
        &self,
        at: Option<&str>,
        ask: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let Some(text) = at else { return Ok(self.app.fleet.query(ask).await?) };
        let point = parse::point("at", text)?;
        let durable = self.app.fleet.durable();
        match point {
            Point::Position(position) if position > durable => {
                let allowed = format!("1 to {}, the end of the log, or a time up to now", durable.0);
                Err(Problem::field("at", position.0.to_string(), allowed).into())
            }
            Point::Time(moment) if moment > now() => {
                Err(Problem::field("at", convert::time(moment), "a time up to now").into())
            }
            _ => Ok(self.app.past.look(point, ask).await?),
        }
    }

    /// Executes a command. A name that is not known is refused with the field of the body that it stands in.
    pub(crate) async fn command(
        &self,
        print: impl Into<Print>,
        contact: Option<Name>,
        command: Command,
    ) -> Result<Reply, Refusal> {
        let print = print.into();
        let ask = self.ask(0, || print.digest, contact, command);
        self.app.fleet.command(ask).await.map_err(|refused| {
            let Refusal(mut problem) = refused.into();
            if let (ErrorCode::NotFound, None, Some(given)) = (problem.code, &problem.field, &problem.given) {
                problem.field = print.field_of(given);
            }
            Refusal(problem)
        })
    }

    /// Makes the ask of line `line` of the request; the digest of what it asks for is needed only with a key.
    pub(crate) fn ask(
        &self,
        line: usize,
        fingerprint: impl FnOnce() -> u64,
        contact: Option<Name>,
        command: Command,
    ) -> Ask {
        let actor = Arc::clone(&self.caller.actor);
        match &self.key {
            Some(key) => {
                let id = keyed_id(&actor, key, line);
                Ask { id, fingerprint: Some(fingerprint()), actor, contact, command }
            }
            None => {
                let id = CommandId(self.id.0.wrapping_add(line as u128));
                Ask { id, fingerprint: None, actor, contact, command }
            }
        }
    }

    /// Executes a command and answers what it did; a report under an outdated token is a refusal that says where
    /// the result is kept.
    pub(crate) async fn acknowledged(
        &self,
        print: impl Into<Print>,
        contact: Option<Name>,
        command: Command,
    ) -> Result<axum::Json<Ack>, Refusal> {
        let reply = self.command(print, contact, command).await?;
        Ok(axum::Json(accepted(&reply)?))
    }
}

/// Returns what a reply is shown as: an acknowledgement, or the problem of a late report.
pub(crate) fn accepted(reply: &Reply) -> Result<Ack, Problem> {
    let ack = ack(reply);
    if !reply.stale {
        return Ok(ack);
    }
    let detail = format!(
        "the assignment of task {} is outdated; the task was not changed, the result is kept as offer {}",
        ack.task.as_deref().unwrap_or_default(),
        ack.offer.as_deref().unwrap_or_default()
    );
    let problem = Problem::new(ErrorCode::StaleAssignment, detail).hint(STALE_HINT);
    Err(Problem { offer: ack.offer, ..problem })
}

/// Makes the id of a keyed command from its scope: a UUID of version 8 that begins with the moment at which the key was made.
fn keyed_id(actor: &str, key: &Key, line: usize) -> CommandId {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(actor.as_bytes())
        .update(&[0])
        .update(key.text.as_bytes())
        .update(&[0])
        .update(&line.to_le_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    bytes[..6].copy_from_slice(&key.made);
    CommandId(uuid::Builder::from_custom_bytes(bytes).into_uuid().as_u128())
}

/// Returns a digest of what a keyed command asks for.
pub(crate) fn fingerprint(path: &str, body: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(path.as_bytes()).update(&[0]).update(body);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

/// A digest of what is asked for, with the path and the body that it was made of, where there is one.
#[derive(Clone)]
pub(crate) struct Print {
    pub(crate) digest: u64,
    path: String,
    body: Bytes,
}

impl From<u64> for Print {
    fn from(digest: u64) -> Self {
        Self { digest, path: String::new(), body: Bytes::new() }
    }
}

impl Print {
    /// Returns in which field of the body a name stands; nothing where the path names it too.
    fn field_of(&self, name: &str) -> Option<String> {
        if self.path.split('/').any(|part| part == name) {
            return None;
        }
        place_of(&serde_json::from_slice(&self.body).ok()?, name)
    }
}

/// Returns where a text stands in a value, as in `requires[0].capability`.
fn place_of(value: &Value, text: &str) -> Option<String> {
    match value {
        Value::String(own) => (own == text).then(String::new),
        Value::Array(all) => {
            let mut places = all.iter().enumerate();
            places.find_map(|(at, it)| Some(format!("[{at}]{}", place_of(it, text)?)))
        }
        Value::Object(all) => all.iter().find_map(|(name, it)| {
            let place = place_of(it, text)?;
            let dot = if place.is_empty() || place.starts_with('[') { "" } else { "." };
            Some(format!("{name}{dot}{place}"))
        }),
        _ => None,
    }
}

/// A JSON body with what tells it from another.
pub(crate) struct Body<T> {
    pub(crate) value: T,
    pub(crate) fingerprint: Print,
}

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &App) -> Result<Self, Refusal> {
        let kind = content_type(request.headers());
        if !(kind == "application/json" || kind.ends_with("+json")) {
            let detail = format!("the content type is `{kind}`; it must be application/json");
            return Err(Problem::new(ErrorCode::UnsupportedMediaType, detail).into());
        }
        let path = request.uri().path().to_owned();
        let bytes = read(request.into_body(), BODY_BYTES_MAX).await?;
        let (value, digest) = (json(&bytes)?, fingerprint(&path, &bytes));
        Ok(Self { value, fingerprint: Print { digest, path, body: bytes.into() } })
    }
}

/// The body of a request that says nothing: none, or an object without members.
pub(crate) struct NoBody;

/// What such a body may hold.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl FromRequest<App> for NoBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &App) -> Result<Self, Refusal> {
        let bytes = read(request.into_body(), BODY_BYTES_MAX).await?;
        if !bytes.is_empty() {
            json::<Nothing>(&bytes)?;
        }
        Ok(Self)
    }
}

/// Returns the media type of a body without its parameters, in lower case.
pub(crate) fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads a body up to `bytes_max`.
pub(crate) async fn read(body: HttpBody, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    match axum::body::to_bytes(body, bytes_max).await {
        Ok(bytes) => Ok(bytes.into()),
        Err(error) => {
            let source = std::error::Error::source(&error);
            let too_large = source.is_some_and(|source| source.to_string().contains("length limit"));
            Err(if too_large {
                Problem::new(ErrorCode::PayloadTooLarge, format!("the body is over {bytes_max} bytes"))
            } else {
                Problem::new(ErrorCode::BadRequest, "the body broke off")
            })
        }
    }
}

/// Shows control characters instead of sending them: names of unknown fields are the sender's own.
fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_unicode().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// Returns the name of a field that is missing, from the words that say so.
fn missing(detail: &str) -> Option<&str> {
    detail.strip_prefix("missing field `")?.split('`').next()
}

/// Reads JSON whose objects are objects; an error names the field.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Objects::new(&mut deserializer)).map_err(|error| {
        let path = plain(&error.path().to_string().chars().take(200).collect::<String>());
        let detail = plain(&error.inner().to_string());
        let path = match missing(&detail) {
            Some(name) if matches!(path.as_str(), "" | ".") => name.to_owned(),
            Some(name) => format!("{path}.{name}"),
            None => path,
        };
        let json = serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
        let what = if json { "the body does not fit" } else { "the body is no JSON" };
        let problem = Problem::new(ErrorCode::BadRequest, format!("{what}: {detail}"));
        // Where no name could be read it stands for one.
        Problem { field: Some(path).filter(|path| !matches!(path.as_str(), "" | "." | "?")), ..problem }
    })?;
    deserializer.end().map_err(|error| {
        Problem::new(ErrorCode::BadRequest, format!("something stands behind the JSON object: {error}"))
    })?;
    Ok(value)
}

/// At which point of the log.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AtQuery {
    /// As of this position of the log, or this time by RFC 3339; now where absent.
    pub(crate) at: Option<String>,
}

/// What a path names; an error is a problem like any other.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        match axum::extract::Path::from_request_parts(parts, app).await {
            Ok(axum::extract::Path(named)) => Ok(Self(named)),
            Err(error) => {
                let detail = format!("the path does not fit: {}", error.body_text());
                Err(Problem::new(ErrorCode::BadRequest, detail).into())
            }
        }
    }
}

/// A query string; an error names the parameter.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Refusal> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => {
                let detail =
                    std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                Err(Problem::new(ErrorCode::BadRequest, format!("the query does not fit: {detail}")).into())
            }
        }
    }
}
