//! The graph of what waits for what, laid out by the server.

use std::collections::BTreeMap;

use axum::response::Response;
use kapell_api::{Graph, GraphNode, Problem};
use kapell_core::{State, Task};
use kapell_model::{Name, TaskId, TaskState};
use serde::Deserialize;
use utoipa::IntoParams;

use super::door::{Asked, Door};
use super::layers::Drawing;
use super::problem::Refusals;
use super::{Refusal, convert, parse};
use crate::fleet::{Fleet, View};

/// Nodes of one drawing.
const NODES_MAX: usize = 5_000;
/// Edges of one drawing.
const EDGES_MAX: usize = 50_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct GraphQuery {
    /// Only tasks of this project, and what they wait for.
    project: Option<String>,
    /// Whether ended tasks are shown too; only open ones where absent.
    ended: Option<bool>,
}

/// What is drawn, gathered on the writer and laid out beside it.
#[derive(Default)]
struct Gathered {
    position: u64,
    nodes: Vec<GraphNode>,
    weights: Vec<i64>,
    edges: Vec<(u32, u32)>,
    alone: u32,
    left_out: u32,
}

/// Returns what waits for what, in layers, with the longest remaining path.
#[utoipa::path(get, path = "/v1/graph", params(GraphQuery), tag = "tasks",
    responses((status = 200, body = Graph), Refusals))]
pub(super) async fn graph(door: Door, Asked(query): Asked<GraphQuery>) -> Result<Response, Refusal> {
    let project = query.project.as_deref().map(|project| parse::name("project", project)).transpose()?;
    let ended = query.ended.unwrap_or(false);
    let question = format!("graph {project:?} {ended}");
    let fleet = door.app.fleet.clone();
    let make = move || laid_out(fleet.clone(), project.clone(), ended);
    door.app.shared.answer(question, make).await
}

async fn laid_out(fleet: Fleet, project: Option<Name>, ended: bool) -> Result<Graph, Refusal> {
    let gathered = fleet.query(move |view| gathered(view, project.as_ref(), ended)).await?;
    let drawn = tokio::task::spawn_blocking(move || drawn(gathered)).await;
    Ok(drawn.map_err(|_| Problem::new(kapell_api::ErrorCode::Internal, "the layout failed"))?)
}

fn gathered(view: &View<'_>, project: Option<&Name>, ended: bool) -> Gathered {
    let state = view.state;
    let shown = |task: &Task| ended || task.is_open();
    let wanted = |task: &&Task| {
        shown(task) && project.is_none_or(|project| task.spec.project.as_ref() == Some(project))
    };
    let mut gathered = Gathered { position: state.position().0, ..Gathered::default() };
    let mut places: BTreeMap<TaskId, u32> = BTreeMap::new();
    for task in state.tasks().iter().filter(wanted) {
        let ties = task.gates().filter(|&on| shown(state.task(on))).collect::<Vec<_>>();
        let waited_for = task.dependents.iter().any(|&dependent| shown(state.task(dependent)));
        if ties.is_empty() && !waited_for {
            gathered.alone += 1;
            continue;
        }
        let to = gathered.place(&mut places, state, task);
        for on in ties {
            let from = gathered.place(&mut places, state, state.task(on));
            if let (Some(from), Some(to)) = (from, to)
                && gathered.edges.len() < EDGES_MAX
            {
                gathered.edges.push((from, to));
            }
        }
    }
    gathered
}

impl Gathered {
    /// Returns the place of a task among the nodes, where there is still room for it.
    fn place(&mut self, places: &mut BTreeMap<TaskId, u32>, state: &State, task: &Task) -> Option<u32> {
        if let Some(&place) = places.get(&task.id) {
            return Some(place);
        }
        if self.nodes.len() >= NODES_MAX {
            self.left_out += 1;
            return None;
        }
        let place = u32::try_from(self.nodes.len()).ok()?;
        places.insert(task.id, place);
        let left = left(task);
        self.weights.push(left);
        self.nodes.push(GraphNode {
            id: task.id.to_string(),
            title: task.spec.title.to_string(),
            state: task.state().to_string(),
            priority: task.effective.to_string(),
            agent: task.owner.as_ref().map(|owner| state.agent(owner.agent).spec.name.to_string()),
            layer: 0,
            row: 0.0,
            hours: convert::hours(kapell_model::Span(left)),
            slack_hours: 0.0,
            critical: false,
        });
        Some(place)
    }
}

/// Returns what is left of a task, in ms: its estimate less what is reported as done.
fn left(task: &Task) -> i64 {
    match (task.state(), &task.owner) {
        (TaskState::Completed | TaskState::Failed | TaskState::Cancelled, _) => 0,
        (_, Some(owner)) => task.estimate.0 * i64::from(100 - owner.percent.min(100)) / 100,
        (_, None) => task.estimate.0,
    }
}

fn drawn(gathered: Gathered) -> Graph {
    let Gathered { position, mut nodes, weights, edges, alone, left_out } = gathered;
    let layered = Drawing { weights: &weights, edges: &edges }.layered();
    for (index, node) in nodes.iter_mut().enumerate() {
        node.layer = layered.layer[index];
        node.row = layered.row[index];
        node.slack_hours = convert::hours(kapell_model::Span(layered.slack[index]));
    }
    for &place in &layered.critical {
        nodes[place as usize].critical = true;
    }
    Graph {
        position,
        layers: layered.layer.iter().max().map_or(0, |last| last + 1),
        rows: layered.row.iter().copied().fold(0.0, f64::max) + 1.0,
        critical_hours: convert::hours(kapell_model::Span(layered.length)),
        critical: layered.critical,
        nodes,
        edges,
        alone,
        left_out,
    }
}
