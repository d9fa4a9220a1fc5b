//! Streamable HTTP. Who may come in is the server's matter: it mounts this behind its tokens.

use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use kapell_api::Problem;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};

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
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(MESSAGE_BYTES_MAX)
        .disable_allowed_hosts();
    let service = StreamableHttpService::new(
        move || Ok(house.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    Router::new().route_service(path, service)
}
