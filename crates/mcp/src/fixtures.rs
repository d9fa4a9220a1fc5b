//! What the official conformance suite calls by name, behind the transport and the doors of the product.
//!
//! None of it is part of what the product does: `kapell up --mcp-fixtures` serves it in the place of the tools, for tests
//! alone. The table is `fixtures.json`; `{word}` in a text stands for an argument.
#![expect(
    deprecated,
    reason = "the suite still asks for logging, sampling and subscriptions of the era before 2026-07-28"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, Implementation, InputRequiredResult, InputResponses, JsonObject,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel,
    LoggingMessageNotificationParam, PaginatedRequestParams, ProgressNotificationParam, Prompt,
    PromptArgument, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    ServerCapabilities, ServerConfig, ServerRequest, SetLevelRequestParams, SubscribeRequestParams,
    SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::handle;

/// A grey point.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg==";
/// A sound of no length.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";
/// Between two notices of one call.
const PAUSE: Duration = Duration::from_millis(50);
/// What states are sealed with.
const SEAL: &str = "fixtures";

#[derive(Deserialize)]
struct Table {
    tools: Vec<ToolFixture>,
    prompts: Vec<PromptFixture>,
    /// Each is a resource and its contents in one.
    resources: Vec<Value>,
    /// The same for a template, whose address has one `{id}`.
    templates: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolFixture {
    name: String,
    description: String,
    input_schema: Option<JsonObject>,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    fails: bool,
    #[serde(default)]
    logs: Vec<String>,
    /// Per cent.
    #[serde(default)]
    progress: Vec<f64>,
    /// What the client must be able to do.
    needs: Option<ClientCapabilities>,
    #[serde(flatten)]
    questions: Questions,
}

#[derive(Deserialize)]
struct PromptFixture {
    name: String,
    description: String,
    #[serde(default)]
    arguments: Vec<PromptArgument>,
    messages: Value,
    #[serde(flatten)]
    questions: Questions,
}

/// What is asked of the client before there is an answer.
#[derive(Deserialize)]
struct Questions {
    /// Requests by the key of their answer, a round after the other.
    #[serde(default)]
    rounds: Vec<BTreeMap<String, Value>>,
    /// Whether a state goes along that nobody else can make.
    #[serde(default)]
    sealed: bool,
}

impl Questions {
    /// Returns what is to be asked next in the era without sessions; nothing where all is answered.
    fn next(
        &self,
        words: &JsonObject,
        able: &Value,
        answers: Option<&InputResponses>,
        state: Option<&str>,
    ) -> Result<Option<InputRequiredResult>, ErrorData> {
        let at = match state.filter(|_| self.sealed) {
            Some(state) => opened(state)?,
            None => 0,
        };
        let asked = |at: usize| self.rounds.get(at).map(|round| answerable(round, able));
        let Some(round) = asked(at) else { return Ok(None) };
        let given = |key: &String| answers.and_then(|all| all.get(key)).is_some_and(Value::is_object);
        let (at, round) = match round.keys().all(given) {
            false => (at, round),
            true => match asked(at + 1) {
                Some(round) => (at + 1, round),
                None => return Ok(None),
            },
        };
        let requests = read(filled(&json!(round), words))?;
        let state = self.sealed.then(|| handle::made(&at.to_string(), SEAL));
        Ok(Some(InputRequiredResult::new(Some(requests), state)))
    }

    /// Asks in the era of sessions: by requests to the client. Returns the answers by their keys.
    async fn put(
        &self,
        words: &JsonObject,
        context: &RequestContext<RoleServer>,
    ) -> Result<Value, ErrorData> {
        let mut answers = JsonObject::new();
        for (key, request) in self.rounds.iter().flatten() {
            let request: ServerRequest = read(filled(request, words))?;
            let answer = context.peer.send_request(request).await;
            let answer = answer.map_err(|error| ErrorData::invalid_request(error.to_string(), None))?;
            answers.insert(key.clone(), json!(answer));
        }
        Ok(Value::Object(answers))
    }
}

/// Leaves out what a client cannot answer.
fn answerable(round: &BTreeMap<String, Value>, able: &Value) -> BTreeMap<String, Value> {
    let can = |request: &Value| {
        let capability = request["method"].as_str().and_then(|method| method.split('/').next());
        capability.is_some_and(|capability| able.get(capability).is_some())
    };
    let kept = round.iter().filter(|(_, request)| can(request));
    kept.map(|(key, request)| (key.clone(), request.clone())).collect()
}

fn opened(state: &str) -> Result<usize, ErrorData> {
    let broken = || ErrorData::invalid_params("`requestState` is not one that was handed out", None);
    handle::agent(state, SEAL).map_err(|_| broken())?.parse().map_err(|_| broken())
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| serde_json::from_str(include_str!("fixtures.json")).expect("the table can be read"));

/// Puts words into the texts of a value.
fn filled(value: &Value, words: &JsonObject) -> Value {
    match value {
        Value::String(text) => {
            let mut text = text.replace("{png}", PNG).replace("{wav}", WAV);
            for (name, word) in words {
                text = text.replace(&format!("{{{name}}}"), word.as_str().unwrap_or_default());
            }
            Value::String(text)
        }
        Value::Array(items) => items.iter().map(|item| filled(item, words)).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.clone(), filled(value, words))).collect())
        }
        other => other.clone(),
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// Tells whether a request is of the era without sessions.
fn is_stateless(context: &RequestContext<RoleServer>) -> bool {
    let version = context.protocol_version();
    version.is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}

/// The handler.
#[derive(Clone)]
pub(crate) struct Fixtures;

impl Fixtures {
    async fn notices(fixture: &ToolFixture, context: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
        let broken = |error: rmcp::ServiceError| ErrorData::internal_error(error.to_string(), None);
        let logs = !is_stateless(context) || context.meta.log_level().is_some();
        for text in fixture.logs.iter().filter(|_| logs) {
            let notice = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(text));
            context.peer.notify_logging_message(notice).await.map_err(broken)?;
            tokio::time::sleep(PAUSE).await;
        }
        for percent in &fixture.progress {
            if let Some(token) = context.meta.get_progress_token() {
                let notice = ProgressNotificationParam::new(token, *percent).with_total(100.0);
                context.peer.notify_progress(notice).await.map_err(broken)?;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}

impl ServerHandler for Fixtures {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_prompts()
            .enable_completions()
            .enable_logging()
            .build();
        let me = Implementation::new("kapell-fixtures", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(capabilities).with_server_info(me)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let fixture = TABLE.tools.iter().find(|fixture| fixture.name == name)?;
        let nothing = || match json!({"type": "object", "properties": {}}) {
            Value::Object(schema) => schema,
            _ => JsonObject::new(),
        };
        let schema = fixture.input_schema.clone().unwrap_or_else(nothing);
        Some(Tool::new(fixture.name.clone(), fixture.description.clone(), Arc::new(schema)))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = TABLE.tools.iter().filter_map(|fixture| self.get_tool(&fixture.name)).collect();
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(fixture) = TABLE.tools.iter().find(|fixture| fixture.name == request.name) else {
            return Err(ErrorData::invalid_params(format!("there is no tool `{}`", request.name), None));
        };
        let able = json!(context.client_capabilities());
        if let Some(needs) = &fixture.needs {
            let needed = json!(needs);
            if !needed.as_object().is_some_and(|needed| needed.keys().all(|word| able.get(word).is_some())) {
                return Err(ErrorData::missing_required_client_capability(needs.clone()));
            }
        }
        let words = request.arguments.unwrap_or_default();
        Self::notices(fixture, &context).await?;
        let answers = if is_stateless(&context) {
            let (answers, state) = (request.input_responses.as_ref(), request.request_state.as_deref());
            if let Some(more) = fixture.questions.next(&words, &able, answers, state)? {
                return Ok(more.into());
            }
            json!(request.input_responses)
        } else {
            fixture.questions.put(&words, &context).await?
        };
        let content = if fixture.questions.rounds.is_empty() {
            filled(&fixture.content, &words)
        } else {
            json!([{"type": "text", "text": format!("state-ok, the answers are {answers}")}])
        };
        let content = read(content)?;
        let result =
            if fixture.fails { CallToolResult::error(content) } else { CallToolResult::success(content) };
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let all = TABLE.resources.iter().map(|resource| read(resource.clone()));
        Ok(ListResourcesResult::with_all_items(all.collect::<Result<_, _>>()?))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let all = TABLE.templates.iter().map(|template| read(template.clone()));
        Ok(ListResourceTemplatesResult::with_all_items(all.collect::<Result<_, _>>()?))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        let fixed = TABLE.resources.iter().find(|resource| resource["uri"] == uri.as_str());
        let (found, words) = match fixed {
            Some(resource) => (Some(resource), JsonObject::new()),
            None => {
                let found = TABLE.templates.iter().find_map(|template| {
                    let (before, behind) = template["uriTemplate"].as_str()?.split_once("{id}")?;
                    Some((template, uri.strip_prefix(before)?.strip_suffix(behind)?))
                });
                let words = found.map(|(_, id)| JsonObject::from_iter([("id".to_owned(), json!(id))]));
                (found.map(|(template, _)| template), words.unwrap_or_default())
            }
        };
        let Some(found) = found else {
            return Err(ErrorData::resource_not_found(
                "there is no such resource",
                Some(json!({"uri": uri})),
            ));
        };
        let mut contents = filled(found, &words);
        contents["uri"] = json!(uri);
        Ok(ReadResourceResult::new(vec![read(contents)?]).into())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn subscribe(
        &self,
        _: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn set_level(
        &self,
        _: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let prompt = |fixture: &PromptFixture| {
            Prompt::new(&fixture.name, Some(&fixture.description), Some(fixture.arguments.clone()))
        };
        Ok(ListPromptsResult::with_all_items(TABLE.prompts.iter().map(prompt).collect()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let Some(fixture) = TABLE.prompts.iter().find(|fixture| fixture.name == request.name) else {
            return Err(ErrorData::invalid_params(format!("there is no prompt `{}`", request.name), None));
        };
        let words = request.arguments.unwrap_or_default();
        let able = json!(context.client_capabilities());
        let (answers, state) = (request.input_responses.as_ref(), request.request_state.as_deref());
        if let Some(more) = fixture.questions.next(&words, &able, answers, state)? {
            return Ok(more.into());
        }
        Ok(GetPromptResult::new(read(filled(&fixture.messages, &words))?).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_another_is_refused() {
        let questions =
            &TABLE.tools.iter().find(|tool| tool.name.ends_with("multi_round")).expect("it").questions;
        let able = json!({"elicitation": {}});
        let next = |answers: Option<&InputResponses>, state: Option<&str>| {
            questions.next(&JsonObject::new(), &able, answers, state)
        };
        let first = next(None, None).expect("asked").expect("a question");
        let state = first.request_state.expect("a state");
        let answer = |key: &str| InputResponses::from([(key.to_owned(), json!({"action": "accept"}))]);
        let second = next(Some(&answer("step1")), Some(&state)).expect("asked").expect("a question");
        assert!(second.input_requests.expect("requests").contains_key("step2"));
        let state = second.request_state.expect("a state");
        assert!(next(Some(&answer("step2")), Some(&state)).expect("answered").is_none());
        assert!(next(Some(&answer("step2")), Some(&format!("{state}x"))).is_err());
    }

    #[test]
    fn words_stand_where_arguments_are_named() {
        let words = JsonObject::from_iter([("id".to_owned(), json!("7"))]);
        assert_eq!(filled(&json!({"a": ["{id} {other}"]}), &words), json!({"a": ["7 {other}"]}));
    }
}
