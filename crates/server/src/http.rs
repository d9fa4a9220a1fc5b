//! The HTTP door: `/v1`. Handlers parse, ask, translate; nothing else.

mod admit;
mod agents;
mod board;
mod bottlenecks;
pub(crate) mod breakdown;
mod budgets;
mod bulk;
mod capabilities;
mod conflicts;
mod convert;
mod dashboard;
mod disagreement;
mod door;
mod emergencies;
mod events;
mod fleet;
mod forecasts;
mod gates;
mod graph;
mod handoffs;
mod hours;
mod inbox;
mod layers;
mod mcp;
mod messages;
mod orchestration;
mod origin;
mod overview;
mod pages;
mod parse;
mod permissions;
mod problem;
mod published;
mod reports;
mod reservations;
mod shared;
mod story;
mod tasks;
mod timeline;
mod tokens;
mod webhooks;
mod why;

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kapell_api::{ErrorCode, Problem};
use kapell_store::{FleetKey, Reader};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fleet::Fleet;
use crate::llm::Llm;
use crate::past::Past;
use crate::token::Tokens;
use crate::webhooks::Webhooks;
pub(crate) use admit::Absence;
pub(crate) use convert::time as shown_time;
pub(crate) use orchestration::{html, markdown, report};
pub(crate) use problem::Refusal;
pub(crate) use published::event as shown_event;
#[cfg(test)]
pub(crate) use webhooks::TYPE_BYTES_MAX;

/// Streams of events that may be open at once; each holds a task and a buffer.
const STREAMS_MAX: usize = 1_024;

/// What every handler reaches.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) fleet: Fleet,
    pub(crate) tokens: Tokens,
    pub(crate) webhooks: Webhooks,
    pub(crate) log: Log,
    pub(crate) streams: Arc<tokio::sync::Semaphore>,
    /// The data directory.
    pub(crate) data: Arc<Path>,
    /// The fleet as it was.
    pub(crate) past: Past,
    /// The model that is asked for components, where one is configured.
    pub(crate) llm: Option<Arc<Llm>>,
    /// Answers that those who ask at the same time share.
    shared: shared::Shared,
}

/// The durable log, read beside the writer.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) reader: Arc<Mutex<Box<dyn Reader>>>,
    pub(crate) key: FleetKey,
}

impl App {
    pub(crate) fn new(
        fleet: Fleet,
        (tokens, webhooks): (Tokens, Webhooks),
        log: Log,
        past: Past,
        llm: Option<Arc<Llm>>,
        data: &Path,
    ) -> Self {
        let streams = Arc::new(tokio::sync::Semaphore::new(STREAMS_MAX));
        let shared = shared::Shared::default();
        Self { fleet, tokens, webhooks, log, streams, data: Arc::from(data), past, llm, shared }
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Kapell",
        description = "The conductor for teams of AI agents and people who share one backlog.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    security(("token" = [])),
    modifiers(&TokenScheme),
)]
struct Document;

struct TokenScheme;

impl utoipa::Modify for TokenScheme {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        openapi.components.get_or_insert_default().add_security_scheme("token", scheme);
    }
}

fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(fleet::health))
        .routes(routes!(fleet::error_page))
        .routes(routes!(fleet::status))
        .routes(routes!(orchestration::show, orchestration::save))
        .routes(routes!(fleet::policy, fleet::set_policy))
        .routes(routes!(fleet::projects, fleet::create_project))
        .routes(routes!(emergencies::list, emergencies::declare))
        .routes(routes!(emergencies::show))
        .routes(routes!(emergencies::end))
        .routes(routes!(emergencies::forces, emergencies::form))
        .routes(routes!(emergencies::force))
        .routes(routes!(emergencies::disband))
        .routes(routes!(budgets::list, budgets::set))
        .routes(routes!(budgets::costs))
        .routes(routes!(budgets::usage))
        .routes(routes!(forecasts::show, forecasts::make))
        .routes(routes!(capabilities::list))
        .routes(routes!(capabilities::define, capabilities::remove))
        .routes(routes!(fleet::offers))
        .routes(routes!(fleet::accept_offer))
        .routes(routes!(fleet::decline_offer))
        .routes(routes!(fleet::escalations))
        .routes(routes!(inbox::show))
        .routes(routes!(inbox::acknowledge))
        .routes(routes!(inbox::settle))
        .routes(routes!(agents::list, agents::register))
        .routes(routes!(agents::show, agents::remove))
        .routes(routes!(agents::drain))
        .routes(routes!(agents::resume))
        .routes(routes!(agents::heartbeat))
        .routes(routes!(agents::leave))
        .routes(routes!(hours::set, hours::clear))
        .routes(routes!(agents::next))
        .routes(routes!(agents::assignments))
        .routes(routes!(agents::notices))
        .routes(routes!(agents::read_notices))
        .routes(routes!(tasks::list, tasks::submit))
        .routes(routes!(tasks::show, tasks::edit))
        .routes(routes!(tasks::cancel))
        .routes(routes!(tasks::reopen))
        .routes(routes!(tasks::assign))
        .routes(routes!(tasks::move_to))
        .routes(routes!(tasks::claim))
        .routes(routes!(tasks::analyse))
        .routes(routes!(tasks::offers))
        .routes(routes!(tasks::tree, tasks::add_dependency))
        .routes(routes!(tasks::waive_dependency))
        .routes(routes!(messages::list, messages::send))
        .routes(routes!(messages::show))
        .routes(routes!(messages::acknowledge))
        .routes(routes!(messages::inbox))
        .routes(routes!(messages::read))
        .routes(routes!(messages::channels, messages::open))
        .routes(routes!(messages::join))
        .routes(routes!(messages::leave))
        .routes(routes!(breakdown::make, breakdown::show))
        .routes(routes!(breakdown::propose))
        .routes(routes!(gates::list))
        .routes(routes!(gates::verdict))
        .routes(routes!(gates::check))
        .routes(routes!(permissions::list))
        .routes(routes!(permissions::ask))
        .routes(routes!(permissions::withdraw))
        .routes(routes!(handoffs::list))
        .routes(routes!(handoffs::show))
        .routes(routes!(handoffs::request))
        .routes(routes!(handoffs::package))
        .routes(routes!(handoffs::confirm))
        .routes(routes!(handoffs::decline))
        .routes(routes!(handoffs::cancel))
        .routes(routes!(reservations::list, reservations::reserve))
        .routes(routes!(reservations::show))
        .routes(routes!(reservations::renew))
        .routes(routes!(reservations::release))
        .routes(routes!(conflicts::list))
        .routes(routes!(conflicts::show))
        .routes(routes!(conflicts::open))
        .routes(routes!(conflicts::propose))
        .routes(routes!(conflicts::rule))
        .routes(routes!(conflicts::withdraw))
        .routes(routes!(bottlenecks::list))
        .routes(routes!(conflicts::dispute))
        .routes(routes!(conflicts::assert_priority))
        .routes(routes!(conflicts::orders, conflicts::assert_order))
        .routes(routes!(conflicts::drop_order))
        .routes(routes!(tasks::restore_dependency))
        .routes(routes!(fleet::cycles))
        .routes(routes!(why::why))
        .routes(routes!(why::why_not))
        .routes(routes!(reports::start))
        .routes(routes!(reports::progress))
        .routes(routes!(reports::done))
        .routes(routes!(reports::fail))
        .routes(routes!(reports::release))
        .routes(routes!(overview::session))
        .routes(routes!(overview::overview))
        .routes(routes!(board::board))
        .routes(routes!(graph::graph))
        .routes(routes!(timeline::timeline))
        .routes(routes!(events::list))
        .routes(routes!(events::stream))
        .routes(routes!(bulk::bulk))
        .routes(routes!(tokens::list, tokens::make))
        .routes(routes!(tokens::revoke))
        .routes(routes!(tokens::rotate))
        .routes(routes!(webhooks::list, webhooks::add))
        .routes(routes!(webhooks::remove))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::resume))
        .routes(routes!(webhooks::dead))
        .routes(routes!(webhooks::retry))
        .routes(routes!(webhooks::discard))
}

/// Returns the OpenAPI document, version 3.1, as JSON.
///
/// # Panics
/// Never: the document can be written.
#[must_use]
pub fn openapi() -> String {
    let (_, document) = api().split_for_parts();
    document.to_pretty_json().expect("the document can be written")
}

pub(crate) fn router(app: App, hosts: &[String], fixtures: bool) -> Router {
    let (router, document) = api().split_for_parts();
    let router = router.route_layer(axum::middleware::from_fn_with_state(app.clone(), admit::check));
    let document = document.to_json().expect("the document can be written");
    let document: Arc<str> = Arc::from(document);
    let inside = router.clone().with_state(app.clone());
    router
        .route(
            "/openapi.json",
            get(move || async move { ([("content-type", "application/json")], document.to_string()) }),
        )
        .merge(dashboard::routes())
        .merge(mcp::router(app.clone(), inside, fixtures).with_state(()))
        .fallback(|| async { Refusal(Problem::new(ErrorCode::NotFound, "there is no such path")) })
        .method_not_allowed_fallback(|| async {
            Refusal(Problem::new(ErrorCode::MethodNotAllowed, "this path does not know that method"))
        })
        .layer(CatchPanicLayer::custom(|_panic: Box<dyn std::any::Any + Send>| -> Response {
            Refusal(Problem::new(ErrorCode::Internal, "a handler broke a promise")).into_response()
        }))
        .layer(axum::middleware::from_fn_with_state(Arc::from(hosts), origin::check))
        .with_state(app)
}

/// An answer to a command that made something.
pub(crate) fn created<T: serde::Serialize>(body: T) -> (StatusCode, axum::Json<T>) {
    (StatusCode::CREATED, axum::Json(body))
}
