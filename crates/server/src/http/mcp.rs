//! The Model Context Protocol at `/mcp`: who may come in. What is said there is the room `mcp`'s matter.
//!
//! Its tools ask the routes of `/v1` in this process, with the caller's own token: there is no second way to do anything.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Request as HttpRequest, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{Router, get};
use kapell_api::{ErrorCode, Problem};
use kapell_mcp::{Asked, Gate};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::door::token;
use super::{App, Refusal};

/// Where the protocol is served.
const PATH: &str = "/mcp";
/// Where RFC 9728 has the description of who protects it.
const METADATA: &str = "/.well-known/oauth-protected-resource";
/// Bytes of an answer of the inside that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Returns the routes of the protocol; they ask `inside`. `fixtures` puts what the conformance suite calls in the place of the
/// tools. `Host` and `Origin` are checked for all routes at once.
pub(super) fn router(app: App, inside: Router, fixtures: bool) -> Router {
    let opener = move |parts: &Parts| -> Result<Arc<dyn Gate>, Problem> {
        let token = token(&parts.headers).ok_or_else(unauthenticated)?.to_owned();
        Ok(Arc::new(Inside { router: inside.clone(), token }))
    };
    let described =
        Router::new().route(METADATA, get(metadata)).route(&format!("{METADATA}{PATH}"), get(metadata));
    let served =
        if fixtures { kapell_mcp::mount_fixtures(PATH) } else { kapell_mcp::mount(PATH, Arc::new(opener)) };
    served.layer(from_fn_with_state(app, only_with_token)).merge(described)
}

fn unauthenticated() -> Problem {
    Problem::new(ErrorCode::Unauthenticated, "the request carries no valid token")
        .hint("put `Authorization: Bearer TOKEN` into the client's configuration; `kapell token` makes one")
}

/// The routes of this process, asked with one caller's token.
struct Inside {
    router: Router,
    token: String,
}

impl Gate for Inside {
    fn ask<'a>(&'a self, method: &'static str, path: String, body: Option<Value>) -> Asked<'a> {
        Box::pin(async move {
            let builder = HttpRequest::builder()
                .method(method)
                .uri(&path)
                .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
                .header(header::CONTENT_TYPE, "application/json");
            let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
            let request = builder
                .body(body)
                .map_err(|error| Problem::new(ErrorCode::BadRequest, format!("no request: {error}")))?;
            let Ok(response) = self.router.clone().oneshot(request).await;
            let well = response.status().is_success();
            let bytes = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await;
            let bytes = bytes.map_err(|error| Problem::new(ErrorCode::Internal, error.to_string()))?;
            let unreadable = |error: serde_json::Error| Problem::new(ErrorCode::Internal, error.to_string());
            match (well, bytes.is_empty()) {
                (true, true) => Ok(Value::Null),
                (true, false) => serde_json::from_slice(&bytes).map_err(unreadable),
                (false, _) => Err(serde_json::from_slice(&bytes).unwrap_or_else(unreadable)),
            }
        })
    }

    fn token(&self) -> &str {
        &self.token
    }
}

/// Lets in who shows a valid token; tells the others where it is written who gives one out.
async fn only_with_token(State(app): State<App>, request: Request, next: Next) -> Response {
    if token(request.headers()).and_then(|token| app.tokens.caller(token, crate::writer::now())).is_some() {
        return next.run(request).await;
    }
    let base = base(request.headers(), request.uri());
    let mut response = Refusal(unauthenticated()).into_response();
    let challenge = format!("Bearer resource_metadata=\"{base}{METADATA}{PATH}\", scope=\"agent\"");
    if let Ok(challenge) = HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Describes the protected resource (RFC 9728). There is no authorization server: tokens are made by `kapell token`.
async fn metadata(headers: HeaderMap, uri: Uri) -> Json<Value> {
    Json(json!({
        "resource": format!("{}{PATH}", base(&headers, &uri)),
        "resource_name": "Kapell",
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["admin", "manager", "agent", "viewer"],
    }))
}

fn base(headers: &HeaderMap, uri: &Uri) -> String {
    format!("http://{}", host(headers, uri).unwrap_or("localhost"))
}

fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    named.or_else(|| uri.authority().map(|authority| authority.as_str()))
}
