//! A fleet that is reached over HTTP, by the typed client: what `kapell mcp` on standard input and output uses.

use kapell_api::{Client, ClientError, ErrorCode, Problem};
use serde_json::Value;

use crate::gate::{Asked, Gate};

/// The way over HTTP.
#[derive(Debug)]
pub struct Remote {
    client: Client,
    token: String,
}

impl Remote {
    /// Returns a way by `client`, which carries `token`.
    #[must_use]
    pub fn new(client: Client, token: impl Into<String>) -> Self {
        Self { client, token: token.into() }
    }
}

impl Gate for Remote {
    fn ask<'a>(&'a self, method: &'static str, path: String, body: Option<Value>) -> Asked<'a> {
        let client = self.client.clone();
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
        &self.token
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
