//! Which components a task has where nobody names them: those that it declares, else what its description is made of, else what a
//! model says where one is configured; else its planning will say. And what the policy wants broken down is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kapell_core::{Command, Component, ComponentSource, Task, TaskRef, TaskSpec};
use kapell_model::{TaskId, Text};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use crate::fleet::{Ask, Fleet};
use crate::llm::{ASKED_MAX, Llm, LlmError};
use crate::outline;
use crate::writer::fresh_id;

/// How often it is looked whether the policy wants something broken down.
const LOOK: Duration = Duration::from_millis(500);
/// How many tasks are on their way to be broken down at once.
const TASKS_MAX: usize = 50;
/// After a question without an answer the model is left alone for so long, and after a refusal the task.
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

    /// Whether only a model could say its components.
    fn names_nothing(&self) -> bool {
        self.divisible
            && self.spec.components.is_empty()
            && outline::components(self.spec.description.as_str()).is_none()
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
    /// Whether that is because others ask it.
    pub(crate) busy: bool,
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
            Found { components, source, model, ..Found::default() }
        }
        Err(error) => {
            tracing::warn!(%error, "the model named no components");
            let trouble =
                format!("the model `{}` named no components: {error}; the planning says them", llm.model());
            let busy = matches!(error, LlmError::Busy);
            Found { trouble: Some(trouble), busy, ..Found::default() }
        }
    }
}

/// Breaks down what the policy wants broken down, as long as the fleet is served: side by side, so that a model that thinks
/// holds up nothing but what it is asked about.
pub(crate) async fn by_policy(fleet: Fleet, llm: Option<Arc<Llm>>) {
    let model =
        llm.map(|llm| Model { llm, places: Arc::new(Semaphore::new(ASKED_MAX)), quiet: Arc::default() });
    let (mut under_way, mut refused) = (HashMap::new(), Pauses::default());
    let mut workers = JoinSet::new();
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            Some(ended) = workers.join_next_with_id() => {
                let number = ended.as_ref().map_or_else(JoinError::id, |(number, _)| *number);
                if let Some(id) = under_way.remove(&number)
                    && ended.is_ok_and(|(_, made)| made == Made::Refused)
                {
                    refused.pause(id, Instant::now());
                }
            }
            _ = looks.tick() => {
                refused.pass(Instant::now());
                let mut busy: BTreeSet<TaskId> = under_way.values().copied().collect();
                busy.extend(refused.0.keys());
                let room = TASKS_MAX.saturating_sub(under_way.len());
                let wanted = fleet.query(move |view| {
                    let wanted = view.state.breakdowns_wanted().map(|task| task.id);
                    wanted.filter(|id| !busy.contains(id)).take(room).collect::<Vec<_>>()
                });
                for id in wanted.await.unwrap_or_default() {
                    let worker = workers.spawn(break_down(fleet.clone(), model.clone(), id));
                    under_way.insert(worker.id(), id);
                }
            }
        }
    }
}

/// A model that is asked for the policy.
#[derive(Clone)]
struct Model {
    llm: Arc<Llm>,
    /// Who has one may ask.
    places: Arc<Semaphore>,
    /// Until when it is left alone.
    quiet: Arc<Mutex<Option<Instant>>>,
}

impl Model {
    fn is_quiet(&self) -> bool {
        let quiet = *self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        quiet.is_some_and(|until| Instant::now() < until)
    }
}

/// Tasks whose breakdown was refused, and until when each is left alone.
#[derive(Default)]
struct Pauses(BTreeMap<TaskId, Instant>);

impl Pauses {
    fn pause(&mut self, id: TaskId, now: Instant) {
        self.0.insert(id, now + PAUSE);
    }

    fn pass(&mut self, now: Instant) {
        self.0.retain(|_, until| *until > now);
    }
}

/// What became of a task that the policy wants broken down.
#[derive(Debug, PartialEq, Eq)]
enum Made {
    BrokenDown,
    Refused,
    /// It is not wanted any more, or has changed while the model was asked: it is looked at anew.
    Over,
}

/// Reads a task that the policy still wants broken down.
async fn still_wanted(fleet: &Fleet, id: TaskId) -> Option<Whole> {
    let read = fleet.query(move |view| {
        let task = view.state.task(id);
        task.is_to_be_broken_down().then(|| Whole::of(task))
    });
    read.await.ok().flatten()
}

async fn break_down(fleet: Fleet, model: Option<Model>, id: TaskId) -> Made {
    let Some(mut whole) = still_wanted(&fleet, id).await else { return Made::Over };
    let mut asked = model.filter(|model| whole.names_nothing() && !model.is_quiet());
    let mut place = None;
    if let Some(model) = &asked {
        place = Arc::clone(&model.places).acquire_owned().await.ok();
        // Its turn may have come late.
        let Some(now) = still_wanted(&fleet, id).await else { return Made::Over };
        whole = now;
        asked = asked.filter(|model| !model.is_quiet());
    }
    let found = sought(&whole, asked.as_ref().map(|model| &model.llm)).await;
    drop(place);
    if found.busy {
        return Made::Over;
    }
    if let (Some(model), true) = (&asked, found.trouble.is_some()) {
        *model.quiet.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + PAUSE);
    }
    if !still_wanted(&fleet, id).await.is_some_and(|now| Arc::ptr_eq(&now.spec, &whole.spec)) {
        return Made::Over;
    }
    let Found { components, source, model, .. } = found;
    let command = Command::BreakDown { task: TaskRef::Id(id), components, source, model, by_policy: true };
    let actor = Arc::from("clock");
    let ask = Ask { id: fresh_id(), fingerprint: None, actor, contact: None, command };
    match fleet.command(ask).await {
        Ok(_) => Made::BrokenDown,
        Err(refused) => {
            tracing::warn!(%refused, %id, "a task that the policy wants broken down was not; it is tried again in a minute");
            Made::Refused
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_left_alone_for_a_while() {
        let (mut refused, now) = (Pauses::default(), Instant::now());
        refused.pause(TaskId(1), now);
        refused.pass(now + PAUSE / 2);
        assert!(refused.0.contains_key(&TaskId(1)));
        refused.pass(now + PAUSE);
        assert!(refused.0.is_empty());
    }
}
