//! Which components a task has where nobody names them: those that it declares, else what its description is made of, else what a
//! model says where one is configured; else its planning will say. And what the policy wants broken down is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kapell_core::{Command, Component, ComponentSource, Task, TaskRef, TaskSpec};
use kapell_model::Text;

use crate::fleet::{Ask, Fleet};
use crate::llm::Llm;
use crate::outline;
use crate::writer::fresh_id;

/// How often it is looked whether the policy wants something broken down.
const LOOK: Duration = Duration::from_millis(500);
/// How many tasks are broken down in one look.
const TASKS_MAX: usize = 50;
/// After a question without an answer the model is left alone for so long.
const PAUSE: Duration = Duration::from_secs(60);

/// What is read of a task.
pub(crate) struct Whole {
    spec: Arc<TaskSpec>,
    /// Nobody has begun it, and it was not broken down before.
    divisible: bool,
}

impl Whole {
    pub(crate) fn of(task: &Task) -> Self {
        let divisible = task.is_open() && task.owner.is_none() && task.broken_into().is_none();
        Self { spec: Arc::clone(&task.spec), divisible }
    }
}

/// What was found; where there are no components, its own or those of its planning are taken.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) components: Vec<Component>,
    pub(crate) source: Option<ComponentSource>,
    pub(crate) model: Option<Text>,
    /// Why the model gave none, where it was asked.
    pub(crate) trouble: Option<String>,
}

/// Looks for the components of a task.
pub(crate) async fn sought(whole: &Whole, llm: Option<&Arc<Llm>>) -> Found {
    let spec = &whole.spec;
    if !whole.divisible || !spec.components.is_empty() {
        return Found::default();
    }
    if let Some((source, components)) = outline::components(spec.description.as_str()) {
        return Found { components, source: Some(source), ..Found::default() };
    }
    let Some(llm) = llm else { return Found::default() };
    match llm.components(spec.title.as_str(), spec.description.as_str()).await {
        Ok(components) => {
            let (source, model) = (Some(ComponentSource::Model), Some(llm.model().clone()));
            Found { components, source, model, trouble: None }
        }
        Err(error) => {
            tracing::warn!(%error, "the model named no components");
            let trouble =
                format!("the model `{}` named no components: {error}; the planning says them", llm.model());
            Found { trouble: Some(trouble), ..Found::default() }
        }
    }
}

/// Breaks down what the policy wants broken down, as long as the fleet is served.
pub(crate) async fn by_policy(fleet: Fleet, llm: Option<Arc<Llm>>) {
    let actor: Arc<str> = Arc::from("clock");
    let mut quiet_until = Instant::now();
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let wanted = fleet.query(|view| {
            let wanted = view.state.breakdowns_wanted().take(TASKS_MAX);
            wanted.map(|task| (task.id, Whole::of(task))).collect::<Vec<_>>()
        });
        for (id, whole) in wanted.await.unwrap_or_default() {
            let asked = llm.as_ref().filter(|_| Instant::now() >= quiet_until);
            let Found { components, source, model, trouble } = sought(&whole, asked).await;
            if trouble.is_some() {
                quiet_until = Instant::now() + PAUSE;
            }
            let task = TaskRef::Id(id);
            let command = Command::BreakDown { task, components, source, model, by_policy: true };
            let ask =
                Ask { id: fresh_id(), fingerprint: None, actor: Arc::clone(&actor), contact: None, command };
            if let Err(refused) = fleet.command(ask).await {
                tracing::debug!(%refused, %id, "a task was not broken down");
            }
        }
    }
}
