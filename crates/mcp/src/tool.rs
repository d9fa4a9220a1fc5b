//! Tools as a table: what each is called, says, takes, returns, and does.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use kapell_api::{ErrorCode, Objects, Problem};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::gate::Gate;
use crate::{handle, schema, tools};

/// How many tools a client is shown: every definition costs its model tokens in every turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// What an agent that works off tasks needs.
    #[default]
    Core,
    /// And what it needs to find its way: looking, claiming, handing in new tasks, giving back.
    Standard,
    /// And what managers do.
    All,
}

impl Tier {
    /// Every tier, smallest first.
    pub const ALL: [Self; 3] = [Self::Core, Self::Standard, Self::All];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Standard => "standard",
            Self::All => "all",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == word)
    }
}

/// One call: whence it comes.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) gate: Arc<dyn Gate>,
    /// The name of the agent that the client's configuration names.
    pub(crate) agent: Option<String>,
}

impl Visit {
    /// Returns the agent that a handle stands for.
    pub(crate) fn agent(&self, given: &str) -> Result<String, Problem> {
        handle::agent(given, self.gate.token()).map(str::to_owned)
    }

    pub(crate) async fn get(&self, path: String) -> Result<Value, Problem> {
        self.gate.ask("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: String, body: Value) -> Result<Value, Problem> {
        self.gate.ask("POST", path, Some(body)).await
    }
}

type Running = Pin<Box<dyn Future<Output = Result<Value, Problem>> + Send>>;

/// A tool.
pub(crate) struct Entry {
    pub(crate) tier: Tier,
    pub(crate) tool: Tool,
    run: Box<dyn Fn(Visit, Map<String, Value>) -> Running + Send + Sync>,
}

/// What a tool does to the fleet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Reads,
    Adds,
    Ends,
}

impl Entry {
    /// Makes a tool of its texts, the schema of what it returns, and a function whose argument type is its schema.
    pub(crate) fn new<A, F, R>(
        tier: Tier,
        effect: Effect,
        (name, title, about): (&'static str, &'static str, &'static str),
        output: Value,
        run: F,
    ) -> Self
    where
        A: DeserializeOwned + JsonSchema + Send + 'static,
        F: Fn(Visit, A) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<Value, Problem>> + Send + 'static,
    {
        let hints = ToolAnnotations::new()
            .read_only(effect == Effect::Reads)
            .destructive(effect == Effect::Ends)
            .open_world(false);
        let mut tool = Tool::new(name, about, Arc::new(schema::of::<A>())).with_title(title).annotate(hints);
        if let Value::Object(output) = output {
            tool = tool.with_raw_output_schema(Arc::new(output));
        }
        let run = move |visit: Visit, arguments: Map<String, Value>| -> Running {
            let run = run.clone();
            Box::pin(async move { run(visit, read(arguments)?).await })
        };
        Self { tier, tool, run: Box::new(run) }
    }

    /// Runs it.
    pub(crate) fn call(&self, visit: Visit, arguments: JsonObject) -> Running {
        (self.run)(visit, arguments)
    }
}

/// Reads arguments; a refusal names the field.
fn read<A: DeserializeOwned>(arguments: Map<String, Value>) -> Result<A, Problem> {
    serde_path_to_error::deserialize(Objects::new(Value::Object(arguments))).map_err(|error| {
        let path = error.path().to_string();
        let problem =
            Problem::new(ErrorCode::BadRequest, format!("the arguments do not fit: {}", error.inner()));
        Problem { field: Some(path).filter(|path| path != "."), ..problem }
    })
}

static TABLE: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut table = tools::core();
    table.extend(tools::standard());
    table.extend(tools::all());
    table
});

/// Returns the tools of a tier in their order, which never changes.
pub(crate) fn of(tier: Tier) -> impl Iterator<Item = &'static Entry> {
    TABLE.iter().filter(move |entry| entry.tier <= tier)
}

/// Returns the tool of a name, where the tier has it.
pub(crate) fn find(tier: Tier, name: &str) -> Option<&'static Entry> {
    of(tier).find(|entry| entry.tool.name == name)
}

/// Returns the definitions of a tier as a client sees them.
///
/// # Panics
/// Never: definitions can be written.
#[must_use]
pub fn definitions(tier: Tier) -> Value {
    let tools: Vec<&Tool> = of(tier).map(|entry| &entry.tool).collect();
    serde_json::to_value(tools).expect("definitions can be written")
}
