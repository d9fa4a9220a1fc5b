//! The capability vocabulary of the fleet: what agents declare and what is defined.

use axum::Json;
use axum::http::StatusCode;
use kapell_api::{Ack, Capability, CapabilityDefinition, Page};
use kapell_core::{CapabilitySpec, Command};
use kapell_model::{Name, limits};

use super::door::{Asked, Body, Door, Path, fingerprint};
use super::fleet::PageQuery;
use super::problem::Refusals;
use super::{Refusal, parse};
use crate::token::Access;

/// Lists the capabilities that agents declare or the fleet defines, by name.
#[utoipa::path(get, path = "/v1/capabilities", params(PageQuery), tag = "capabilities",
    responses((status = 200, body = Page<Capability>), Refusals))]
pub(super) async fn list(
    door: Door,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Page<Capability>>, Refusal> {
    query.check_state(&["defined", "declared"])?;
    let page = door.app.fleet.query(move |view| {
        query.page(view.state.known_capabilities().map(|(name, agents)| {
            let spec = view.state.capabilities().get(name);
            (if spec.is_some() { "defined" } else { "declared" }, shown(name, agents, spec))
        }))
    });
    Ok(Json(page.await??))
}

fn shown(name: &Name, agents: u32, spec: Option<&CapabilitySpec>) -> Capability {
    Capability {
        name: name.to_string(),
        agents,
        defined: spec.is_some(),
        aliases: spec.iter().flat_map(|spec| &spec.aliases).map(ToString::to_string).collect(),
        definition: spec.map(|spec| spec.definition.to_string()).unwrap_or_default(),
    }
}

/// Defines a capability, or defines it anew. It counts for texts that are read from now on.
#[utoipa::path(put, path = "/v1/capabilities/{capability}", request_body = CapabilityDefinition, tag = "capabilities",
    params(
        ("capability" = String, Path, description = "its name"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn define(
    door: Door,
    Path(capability): Path<String>,
    body: Body<CapabilityDefinition>,
) -> Result<Json<Ack>, Refusal> {
    door.require(Access::Manager)?;
    let alias = |(index, alias): (usize, &String)| {
        parse::filled(&format!("aliases[{index}]"), alias, limits::ALIAS_BYTES_MAX)
    };
    let spec = CapabilitySpec {
        name: parse::name("capability", &capability)?,
        aliases: body.value.aliases.iter().enumerate().map(alias).collect::<Result<_, _>>()?,
        definition: parse::text(
            "definition",
            &body.value.definition,
            limits::CAPABILITY_DEFINITION_BYTES_MAX,
        )?,
    };
    door.acknowledged(body.fingerprint, None, Command::DefineCapability(spec)).await
}

/// Takes a definition back. Agents keep what they declare.
#[utoipa::path(delete, path = "/v1/capabilities/{capability}", tag = "capabilities",
    params(("capability" = String, Path, description = "its name")),
    responses((status = 204), Refusals))]
pub(super) async fn remove(door: Door, Path(capability): Path<String>) -> Result<StatusCode, Refusal> {
    door.require(Access::Manager)?;
    let name = parse::name("capability", &capability)?;
    let digest = fingerprint(&format!("undefine {capability}"), &[]);
    door.command(digest, None, Command::RemoveCapability { name }).await?;
    Ok(StatusCode::NO_CONTENT)
}
