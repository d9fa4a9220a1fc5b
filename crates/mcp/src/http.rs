//! Streamable HTTP. Who may come in is the server's matter: it mounts this behind its tokens.

use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use kapell_api::Problem;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};

use crate::fixtures::Fixtures;
use crate::gate::Gate;
use crate::house::{House, Origin};

/// Opens the way to the fleet for one request.
pub type Opener = dyn Fn(&Parts) -> Result<Arc<dyn Gate>, Problem> + Send + Sync;

/// Bytes of one message: a result may have 64 KiB, written in JSON.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Returns a router that serves the protocol at `path`. No session is kept: any process on the same log can answer any call.
/// The caller has to check the headers Host, Origin and Authorization before.
pub fn mount(path: &str, opener: Arc<Opener>) -> Router {
    let house = House { origin: Origin::Http { opener } };
    // Sessions off also cures an empty first event that some clients cannot read.
    let config = config().with_legacy_session_mode(false);
    let service = StreamableHttpService::new(
        move || Ok(house.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    Router::new().route_service(path, service)
}

/// Returns a router that serves what the official conformance suite asks for in the place of the tools. Sessions are on for
/// clients of the era before 2026-07-28: nothing else lets a server ask them.
pub fn mount_fixtures(path: &str) -> Router {
    let sessions = Arc::new(LocalSessionManager::default());
    Router::new().route_service(path, StreamableHttpService::new(|| Ok(Fixtures), sessions, config()))
}

fn config() -> StreamableHttpServerConfig {
    StreamableHttpServerConfig::default()
        .with_json_response(true)
        .with_max_request_body_bytes(MESSAGE_BYTES_MAX)
        .disable_allowed_hosts()
}
