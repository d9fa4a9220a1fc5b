//! The Model Context Protocol at `/mcp`: who may come in. What is said there is the room `mcp`'s matter.
//!
//! Its tools ask the routes of `/v1` in this process, with the caller's own token: there is no second way to do anything.

use std::net::IpAddr;
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

/// Returns the routes of the protocol; they ask `inside`.
pub(super) fn router(app: App, inside: Router) -> Router {
    let opener = move |parts: &Parts| -> Result<Arc<dyn Gate>, Problem> {
        let token = token(&parts.headers).ok_or_else(unauthenticated)?.to_owned();
        Ok(Arc::new(Inside { router: inside.clone(), token }))
    };
    let described = Router::new()
        .route(METADATA, get(metadata))
        .route(&format!("{METADATA}{PATH}"), get(metadata))
        .layer(from_fn_with_state((), only_known_hosts));
    kapell_mcp::mount(PATH, Arc::new(opener))
        .layer(from_fn_with_state(app, only_with_token))
        .layer(from_fn_with_state((), only_known_hosts))
        .merge(described)
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

/// Refuses what a hostile web page can send: a name that was bound to this address only now (DNS rebinding) stands in `Host`, and
/// a page from elsewhere stands in `Origin`. Addresses cannot be bound anew, so every address is allowed, and `localhost`.
async fn only_known_hosts(State(()): State<()>, request: Request, next: Next) -> Response {
    let refused = |field: &str, given: &str| {
        let given = format!("`{}`", given.escape_default().take(100).collect::<String>());
        let problem = Problem::field(field, given, "localhost, or an address; not a name");
        let problem = Problem { status: 403, code: ErrorCode::Forbidden, ..problem };
        Refusal(problem).into_response()
    };
    let named = host(request.headers(), request.uri()).unwrap_or_default();
    if !is_known(named) {
        return refused("Host", named);
    }
    if let Some(origin) = request.headers().get(header::ORIGIN) {
        let text = origin.to_str().unwrap_or_default();
        let from = text.split_once("://").filter(|(scheme, _)| ["http", "https"].contains(scheme));
        // A page of this very server, or of this machine; a page from another address is not ours.
        if !from.is_some_and(|(_, from)| from == named || is_local(from)) {
            return refused("Origin", text);
        }
    }
    next.run(request).await
}

/// Returns the name or address in `host:port`.
fn name_of(authority: &str) -> &str {
    if let Some(bracketed) = authority.strip_prefix('[') {
        return bracketed.split(']').next().unwrap_or_default();
    }
    authority.split(':').next().unwrap_or_default()
}

fn is_known(authority: &str) -> bool {
    let name = name_of(authority);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn is_local(authority: &str) -> bool {
    let name = name_of(authority);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unknown_and_addresses_known() {
        for known in ["localhost:7117", "127.0.0.1", "[::1]:80", "192.168.3.4:7117", "LOCALHOST"] {
            assert!(is_known(known), "{known}");
        }
        for unknown in ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:7117", "[evil]"]
        {
            assert!(!is_known(unknown), "{unknown}");
        }
        assert!(is_local("[::1]:3000") && !is_local("192.168.3.4") && !is_local("evil.example"));
    }
}
