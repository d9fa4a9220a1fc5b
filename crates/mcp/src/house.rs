//! The handler: what the protocol asks, answered from the tables of this room.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::request::Parts;
use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, GetPromptRequestParams, GetPromptResponse,
    GetPromptResult, Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, PromptMessage, ProtocolVersion, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, ResourceContents, Role, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};

use crate::gate::Gate;
use crate::http::Opener;
use crate::tool::{Tier, Visit};
use crate::{answer, prompts, resources, tool};

/// What a client is told first. Short: it is in every turn of its model.
const INSTRUCTIONS: &str = "Kapell conducts a fleet of agents through one backlog. Call join with your name first and keep its handle; \
     then next, progress, done or fail, and next again. Finish what join says is yours.";
/// How long lists of definitions stay fresh, in ms: they change with the program alone.
const FRESH_MS: u64 = 3_600_000;

/// Where requests come from.
#[derive(Clone)]
pub(crate) enum Origin {
    /// A client on standard input and output: one token, one configuration.
    Stdio { gate: Arc<dyn Gate>, tier: Tier, agent: Option<String> },
    /// HTTP: each request brings its own.
    Http { opener: Arc<Opener> },
}

/// The handler. It holds no state of any client.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) origin: Origin,
}

impl House {
    /// Opens the way to the fleet for one request.
    fn visit(&self, context: &RequestContext<RoleServer>) -> Result<(Visit, Tier), ErrorData> {
        match &self.origin {
            Origin::Stdio { gate, tier, agent } => {
                Ok((Visit { gate: Arc::clone(gate), agent: agent.clone() }, *tier))
            }
            Origin::Http { opener } => {
                let parts = context.extensions.get::<Parts>();
                let parts = parts.ok_or_else(|| ErrorData::internal_error("the request was lost", None))?;
                let gate =
                    opener(parts).map_err(|problem| ErrorData::invalid_request(problem.to_string(), None))?;
                let (tier, agent) = configured(parts.uri.query().unwrap_or_default())?;
                Ok((Visit { gate, agent }, tier))
            }
        }
    }
}

/// Reads what a client's configuration says in the address: `?tools=standard&agent=backend-1`.
fn configured(query: &str) -> Result<(Tier, Option<String>), ErrorData> {
    let (mut tier, mut agent) = (Tier::default(), None);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "tools" => {
                let wrong =
                    || ErrorData::invalid_params("`tools` in the address is core, standard or all", None);
                tier = Tier::parse(value).ok_or_else(wrong)?;
            }
            "agent" => agent = Some(unescaped(value)),
            _ => {}
        }
    }
    Ok((tier, agent))
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let code = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl ServerHandler for House {
    fn get_info(&self) -> ServerConfig {
        let capabilities =
            ServerCapabilities::builder().enable_tools().enable_resources().enable_prompts().build();
        let me = Implementation::new("kapell", env!("CARGO_PKG_VERSION")).with_title("Kapell");
        ServerConfig::new(capabilities).with_server_info(me).with_instructions(INSTRUCTIONS)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(ProtocolVersion::KNOWN_VERSIONS)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tool::find(Tier::All, name).map(|entry| entry.tool.clone())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let (_, tier) = self.visit(&context)?;
        let tools = tool::of(tier).map(|entry| entry.tool.clone()).collect();
        Ok(ListToolsResult::with_all_items(tools).with_ttl_ms(FRESH_MS).with_cache_scope(CacheScope::Private))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let (visit, tier) = self.visit(&context)?;
        let Some(entry) = tool::find(tier, &request.name) else {
            let text = format!("there is no tool `{}` among the tools `{}`", request.name, tier.as_str());
            return Err(ErrorData::invalid_params(text, None));
        };
        let called = entry.call(visit, request.arguments.unwrap_or_default()).await;
        Ok(answer::result(called).into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let all = ListResourcesResult::with_all_items(resources::fixed());
        Ok(all.with_ttl_ms(FRESH_MS).with_cache_scope(CacheScope::Private))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let all = ListResourceTemplatesResult::with_all_items(resources::templates());
        Ok(all.with_ttl_ms(FRESH_MS).with_cache_scope(CacheScope::Private))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let (visit, _) = self.visit(&context)?;
        let data = Some(serde_json::json!({"uri": request.uri}));
        match resources::read(&visit, &request.uri).await {
            Some(Ok((kind, text))) => {
                let contents = ResourceContents::text(text, &request.uri).with_mime_type(kind);
                let read = ReadResourceResult::new(vec![contents])
                    .with_ttl_ms(0)
                    .with_cache_scope(CacheScope::Private);
                Ok(read.into())
            }
            Some(Err(problem)) if problem.status != 404 => {
                Err(ErrorData::internal_error(problem.to_string(), serde_json::to_value(&problem).ok()))
            }
            Some(Err(problem)) => Err(ErrorData::resource_not_found(problem.to_string(), data)),
            None => Err(ErrorData::resource_not_found("there is no such resource", data)),
        }
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let all = ListPromptsResult::with_all_items(prompts::listed());
        Ok(all.with_ttl_ms(FRESH_MS).with_cache_scope(CacheScope::Private))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        match prompts::text(&request.name, &request.arguments.unwrap_or_default()) {
            Some(Ok(text)) => {
                Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, text)]).into())
            }
            Some(Err(missing)) => {
                Err(ErrorData::invalid_params(format!("argument `{missing}` is missing"), None))
            }
            None => Err(ErrorData::invalid_params(format!("there is no prompt `{}`", request.name), None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_carries_the_configuration() {
        let read = configured("tools=standard&agent=gas%2Fnux%231&x=y").expect("it is well");
        assert_eq!(read, (Tier::Standard, Some("gas/nux#1".to_owned())));
        assert!(configured("tools=some").is_err());
        assert_eq!(configured("").expect("nothing is well"), (Tier::Core, None));
    }
}
