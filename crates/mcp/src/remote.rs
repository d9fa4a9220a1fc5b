//! A fleet that is reached over HTTP, by the typed client: what `kapell mcp` on standard input and output uses.

use std::sync::OnceLock;

use kapell_api::{Client, ClientError, ErrorCode, Problem};
use serde_json::Value;

use crate::gate::{Asked, Gate};

/// The way over HTTP.
pub struct Remote {
    found: OnceLock<(Client, String)>,
    find: Box<Find>,
}

/// Returns a client, and the token that it carries; none where nobody is there yet who may have it.
type Find = dyn Fn() -> (Client, String) + Send + Sync;

impl Remote {
    /// Returns a way by what `find` gives, which is asked until it gives a token.
    #[must_use]
    pub fn new(find: impl Fn() -> (Client, String) + Send + Sync + 'static) -> Self {
        Self { found: OnceLock::new(), find: Box::new(find) }
    }

    fn client(&self) -> Client {
        if let Some((client, _)) = self.found.get() {
            return client.clone();
        }
        let (client, token) = (self.find)();
        if token.is_empty() {
            return client;
        }
        self.found.get_or_init(|| (client, token)).0.clone()
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Remote").field(&self.found.get().map(|(client, _)| client)).finish()
    }
}

impl Gate for Remote {
    fn ask<'a>(&'a self, method: &'static str, path: String, body: Option<Value>) -> Asked<'a> {
        let client = self.client();
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || client.ask(method, &path, body.as_ref()));
            match asked.await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => Err(problem(error)),
                Err(error) => Err(Problem::new(ErrorCode::Internal, error.to_string())),
            }
        })
    }

    fn token(&self) -> &str {
        // A handle from before a restart comes ahead of every question.
        let _ = self.client();
        self.found.get().map_or("", |(_, token)| token)
    }
}

fn problem(error: ClientError) -> Problem {
    match error {
        ClientError::Problem(problem) => *problem,
        ClientError::Unreachable { .. } => Problem::new(ErrorCode::ShuttingDown, error.to_string()).hint(
            "the Kapell server does not answer: keep your work, wait a minute and call again; nothing is lost",
        ),
        ClientError::EmptyName { .. } => Problem::new(ErrorCode::NotFound, error.to_string()),
        ClientError::Malformed { .. } => Problem::new(ErrorCode::Internal, error.to_string()),
    }
}
