//! Joins drafts: looks up what their edges point at, breaks cycles, finds projects, and puts all in order.

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::{DependencyKind, mention};

use super::order::{self, ClosingEdge, Edge, Wish};
use super::record::Draft;
use super::report::{Duplicate, Finding, ImportReport, LeftOut, LeftOutEdge};
use super::task::{ImportedState, ImportedTask};

/// Tasks of cycles that a report lists in all; beyond it a file would be told longer than it is.
const CYCLE_TASKS_MAX: usize = 100_000;

/// A relation that can only be added when both its tasks are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaterRelation {
    /// Key of the task that has it.
    pub task: String,
    /// Key of the task that it points at.
    pub on: String,
    /// What it is; a wait only where it closes a cycle, which the server breaks.
    pub kind: DependencyKind,
}

/// Tasks in an order in which each stands after all that it names, and what that order left over.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Linked {
    /// The tasks; waits, parents and relations name only earlier ones.
    pub tasks: Vec<ImportedTask>,
    /// Relations that name a later one, and waits that close a cycle.
    pub later: Vec<LaterRelation>,
}

/// Joins the drafts of one file.
#[must_use]
pub fn link(drafts: Vec<Draft>, report: &mut ImportReport) -> Linked {
    let drafts = without_duplicates(drafts, report);
    let mut edges = resolve(&drafts, report);
    let mut closing = Vec::new();
    for gating in [DependencyKind::Blocks, DependencyKind::ParentChild] {
        edges = without_cycles(edges, gating, &drafts, &mut closing, report);
    }
    for edge in &edges {
        report.edge_kept(edge.source_kind);
    }
    let projects = projects(&drafts, &edges);
    let mentions = mentions(&drafts, &edges);
    let order = arrange(drafts.len(), &edges, &mentions);
    tell(&drafts, &mentions, &order, report);
    let parents = parents(&edges);
    let keys: Vec<String> = drafts.iter().map(|draft| draft.task.key.clone()).collect();
    let joints = edges.iter().map(|edge| Joint { task: edge.task, on: edge.on, kind: edge.kind }).collect();
    count(&drafts, report);
    let tasks = drafts.into_iter().map(|draft| draft.task).collect();
    let mut linked = Assembly { tasks, keys, joints, projects, parents, order }.assemble();
    linked.later.extend(closing);
    linked
}

/// An edge between two drafts, by their places.
struct Resolved<'a> {
    task: usize,
    on: usize,
    kind: DependencyKind,
    source_kind: &'a str,
}

fn without_duplicates(drafts: Vec<Draft>, report: &mut ImportReport) -> Vec<Draft> {
    let mut places: BTreeMap<String, (Option<String>, usize)> = BTreeMap::new();
    let mut kept = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let id = draft.task.key.clone();
        let (file, line) = (draft.file(), draft.line);
        if let Some((first_file, first_line)) = places.get(&id).cloned() {
            report.duplicates.push(Duplicate { id, first_file, first_line, file, line });
        } else {
            places.insert(id, (file, line));
            kept.push(draft);
        }
    }
    kept
}

fn resolve<'a>(drafts: &'a [Draft], report: &mut ImportReport) -> Vec<Resolved<'a>> {
    let places: BTreeMap<&str, usize> =
        drafts.iter().enumerate().map(|(place, draft)| (draft.task.key.as_str(), place)).collect();
    let mut seen = BTreeSet::new();
    let mut resolved = Vec::new();
    for (task, draft) in drafts.iter().enumerate() {
        for edge in &draft.edges {
            let on = places.get(edge.on.as_str()).copied();
            let why = match (on, edge.kind) {
                _ if edge.owner.is_some() => {
                    LeftOut::Foreign { owner: edge.owner.clone().unwrap_or_default() }
                }
                (None, _) => LeftOut::Dangling,
                (_, None) => LeftOut::UnknownKind,
                (Some(on), Some(kind)) if seen.contains(&(task, on, kind)) => LeftOut::Repeated,
                // Whatever else it is, a relation of a task with itself is none.
                (Some(on), Some(DependencyKind::Related | DependencyKind::DiscoveredFrom)) if on == task => {
                    LeftOut::Cyclic { cycle: vec![draft.task.key.clone()], not_shown: 0 }
                }
                (Some(on), Some(DependencyKind::Blocks)) if drafts[on].settled => {
                    LeftOut::Settled { status: drafts[on].status.clone() }
                }
                (Some(on), Some(kind)) => {
                    seen.insert((task, on, kind));
                    resolved.push(Resolved { task, on, kind, source_kind: &edge.source_kind });
                    continue;
                }
            };
            report.edge_left_out(left_out(draft, &edge.on, &edge.source_kind, why));
        }
    }
    resolved
}

fn left_out(draft: &Draft, on: &str, kind: &str, why: LeftOut) -> LeftOutEdge {
    LeftOutEdge {
        file: draft.file(),
        line: draft.line,
        task: draft.task.key.clone(),
        on: on.to_owned(),
        kind: kind.to_owned(),
        why,
    }
}

/// Takes out the edges that close cycles. A wait of an open task goes to `closing`, to be added when all tasks are there: the
/// server then decides which edge of the cycle goes. A membership, and the wait of what has ended, is left out.
fn without_cycles<'a>(
    edges: Vec<Resolved<'a>>,
    gating: DependencyKind,
    drafts: &[Draft],
    closing: &mut Vec<LaterRelation>,
    report: &mut ImportReport,
) -> Vec<Resolved<'a>> {
    let gates: Vec<usize> = (0..edges.len()).filter(|&place| edges[place].kind == gating).collect();
    let pairs: Vec<Edge> = gates.iter().map(|&place| (edges[place].task, edges[place].on)).collect();
    let found = order::closing_edges(drafts.len(), &pairs);
    let mut listed = 0;
    let mut dropped = BTreeSet::new();
    for ClosingEdge { edge, cycle } in found {
        let Resolved { task, on, source_kind, .. } = edges[gates[edge]];
        let shown = if listed + cycle.len() <= CYCLE_TASKS_MAX { cycle.len() } else { 0 };
        listed += shown;
        let not_shown = cycle.len() - shown;
        let cycle = cycle[..shown].iter().map(|&node| drafts[node].task.key.clone()).collect();
        let why = LeftOut::Cyclic { cycle, not_shown };
        let told = left_out(&drafts[task], &drafts[on].task.key, source_kind, why);
        let open = matches!(drafts[task].task.state, ImportedState::Open | ImportedState::Deferred);
        if gating == DependencyKind::Blocks && open {
            let (task, on) = (told.task.clone(), told.on.clone());
            closing.push(LaterRelation { task, on, kind: gating });
            report.edge_closing(told);
        } else {
            report.edge_left_out(told);
        }
        dropped.insert(gates[edge]);
    }
    edges
        .into_iter()
        .enumerate()
        .filter(|(place, _)| !dropped.contains(place))
        .map(|(_, edge)| edge)
        .collect()
}

/// Finds the first parent of each task.
fn parents(edges: &[Resolved<'_>]) -> BTreeMap<usize, usize> {
    let mut parents = BTreeMap::new();
    for edge in edges.iter().filter(|edge| edge.kind == DependencyKind::ParentChild) {
        parents.entry(edge.task).or_insert(edge.on);
    }
    parents
}

/// Names each task's project: the key of the outermost gathering task that it belongs to, itself included.
fn projects(drafts: &[Draft], edges: &[Resolved<'_>]) -> Vec<Option<String>> {
    let parents = parents(edges);
    // A gathering task without members is a task like any other.
    let has_members: BTreeSet<usize> = parents.values().copied().collect();
    let outermost = |task: usize| {
        let mut found = None;
        let mut next = Some(task);
        while let Some(place) = next {
            if drafts[place].gathers && has_members.contains(&place) {
                found = Some(drafts[place].task.key.clone());
            }
            next = parents.get(&place).copied();
        }
        found
    };
    (0..drafts.len()).map(|task| drafts[task].task.project.clone().or_else(|| outermost(task))).collect()
}

fn arrange(nodes: usize, edges: &[Resolved<'_>], mentions: &[Edge]) -> Vec<usize> {
    let mut waits = Vec::new();
    let mut wishes: Vec<_> = mentions.iter().map(|&pair| (pair, Wish::Mention)).collect();
    for edge in edges {
        let pair = (edge.task, edge.on);
        match edge.kind {
            DependencyKind::Blocks => waits.push(pair),
            DependencyKind::ParentChild => wishes.push((pair, Wish::Membership)),
            DependencyKind::Related | DependencyKind::DiscoveredFrom => wishes.push((pair, Wish::Relation)),
        }
    }
    order::arrange(nodes, &waits, &wishes)
}

/// Finds what open tasks say in their texts that they wait for. The server infers the edges; here it is seen to that what is
/// named stands before the task that names it. What is recorded between two tasks, in either direction, stands.
fn mentions(drafts: &[Draft], edges: &[Resolved<'_>]) -> Vec<Edge> {
    let places: BTreeMap<&str, usize> =
        drafts.iter().enumerate().map(|(place, draft)| (draft.task.key.as_str(), place)).collect();
    let recorded: BTreeSet<Edge> =
        edges.iter().flat_map(|edge| [(edge.task, edge.on), (edge.on, edge.task)]).collect();
    let mut found = BTreeSet::new();
    for (task, Draft { task: imported, .. }) in drafts.iter().enumerate() {
        if !matches!(imported.state, ImportedState::Open | ImportedState::Deferred) {
            continue;
        }
        let own = Some(imported.key.as_str());
        let said =
            [&imported.title, &imported.description].into_iter().flat_map(|text| mention::waits(text, own));
        let named = said.filter_map(|said| {
            mention::keys(said.name, own).into_iter().find_map(|key| places.get(key.as_str()).copied())
        });
        found.extend(named.map(|on| (task, on)).filter(|pair| pair.0 != pair.1 && !recorded.contains(pair)));
    }
    found.into_iter().collect()
}

/// Tells of each mention whether its task comes first, so that the server can make an edge of it.
fn tell(drafts: &[Draft], mentions: &[Edge], order: &[usize], report: &mut ImportReport) {
    let mut turn = vec![0; order.len()];
    for (place, &task) in order.iter().enumerate() {
        turn[task] = place;
    }
    for &(task, on) in mentions {
        let key = &drafts[on].task.key;
        let what = if turn[on] < turn[task] {
            format!(
                "its text says that it waits for {key}: an inferred edge, unless the policy has inference off"
            )
        } else {
            format!("its text says that it waits for {key}, which other waits put after it: no edge")
        };
        let (file, line, task) = (drafts[task].file(), drafts[task].line, drafts[task].task.key.clone());
        report.inferred.push(Finding { file, line, task, field: "text".to_owned(), what });
    }
}

fn count(drafts: &[Draft], report: &mut ImportReport) {
    report.tasks = drafts.len();
    for Draft { task, status, priority, kind, .. } in drafts {
        report.statuses.count(status, task.state.word());
        report.priorities.count(priority, task.priority.as_str());
        if !kind.is_empty() {
            report.types.count(kind, &task.kind);
        }
    }
}

struct Joint {
    task: usize,
    on: usize,
    kind: DependencyKind,
}

/// All that is known of a file before its tasks name each other.
struct Assembly {
    tasks: Vec<ImportedTask>,
    keys: Vec<String>,
    joints: Vec<Joint>,
    projects: Vec<Option<String>>,
    parents: BTreeMap<usize, usize>,
    order: Vec<usize>,
}

impl Assembly {
    fn assemble(mut self) -> Linked {
        let mut turn = vec![0; self.order.len()];
        for (place, &task) in self.order.iter().enumerate() {
            turn[task] = place;
        }
        let mut later = Vec::new();
        for joint in std::mem::take(&mut self.joints) {
            let comes_later = turn[joint.on] > turn[joint.task] && joint.kind != DependencyKind::Blocks;
            if comes_later {
                let (task, on) = (self.keys[joint.task].clone(), self.keys[joint.on].clone());
                later.push(LaterRelation { task, on, kind: joint.kind });
            } else {
                self.name(&joint);
            }
        }
        for (task, project) in self.tasks.iter_mut().zip(self.projects) {
            task.project = project;
        }
        let mut tasks: Vec<Option<ImportedTask>> = self.tasks.into_iter().map(Some).collect();
        let tasks = self.order.iter().filter_map(|&task| tasks[task].take()).collect();
        Linked { tasks, later }
    }

    /// Lets a task name an earlier one.
    fn name(&mut self, joint: &Joint) {
        let on = self.keys[joint.on].clone();
        let is_parent = self.parents.get(&joint.task) == Some(&joint.on);
        let task = &mut self.tasks[joint.task];
        match joint.kind {
            DependencyKind::Blocks => task.depends_on.push(on),
            DependencyKind::ParentChild if is_parent => task.parent = Some(on),
            DependencyKind::ParentChild | DependencyKind::Related | DependencyKind::DiscoveredFrom => {
                task.related.push((on, joint.kind));
            }
        }
    }
}
