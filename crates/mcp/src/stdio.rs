//! Standard input and output: one client, and the fleet behind it over HTTP.

use std::sync::Arc;

use rmcp::{ServiceExt as _, transport};

use crate::gate::Gate;
use crate::house::{House, Origin};
use crate::tool::Tier;

/// The exchange on standard input and output broke.
#[derive(Debug)]
pub struct StdioError(Box<dyn std::error::Error + Send + Sync>);

impl std::fmt::Display for StdioError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the client on standard input broke off: {}", self.0)
    }
}

impl std::error::Error for StdioError {}

/// Serves the client on standard input and output until it closes its end. `agent` is the name under which `join` joins where
/// the call names none.
///
/// # Errors
/// Where the client does not begin as the protocol wants, or the pipe breaks.
pub async fn serve_stdio(gate: Arc<dyn Gate>, tier: Tier, agent: Option<String>) -> Result<(), StdioError> {
    let house = House { origin: Origin::Stdio { gate, tier, agent } };
    let running = house.serve(transport::stdio()).await.map_err(|error| StdioError(error.into()))?;
    running.waiting().await.map_err(|error| StdioError(error.into()))?;
    Ok(())
}
