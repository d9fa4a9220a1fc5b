//! Writes Kapell's own JSON Lines: one task submission a line, each behind all that it waits for.

use std::collections::BTreeMap;

use kapell_api::{ClosedWork, RelatedTask, Task, TaskSubmission};
use kapell_model::limits;

use super::Names;
use super::changes::{declared_estimate, declared_requirements, is_ended, own_budget};
use super::report::ExportReport;
use crate::import::order::{self, Wish};

/// Writes the tasks, and returns the key of each.
pub fn write(all: &[Task], tasks: &[&Task], report: &mut ExportReport) -> anyhow::Result<(Vec<u8>, Names)> {
    let names = names(all, tasks, report);
    let mut bytes = Vec::new();
    for &at in &arranged(tasks) {
        let task = tasks[at];
        if task.owner.is_some() {
            report.lost("owner and progress", &task.id);
        }
        serde_json::to_writer(&mut bytes, &submission(task, &names, report))?;
        bytes.push(b'\n');
    }
    Ok((bytes, names))
}

/// Names every task by its key; one without gets a key, since a line names others by theirs.
fn names(all: &[Task], tasks: &[&Task], report: &mut ExportReport) -> Names {
    let mut names: Names = all.iter().filter_map(|task| Some((task.id.clone(), task.key.clone()?))).collect();
    let taken: std::collections::BTreeSet<String> = names.values().cloned().collect();
    for task in tasks.iter().filter(|task| task.key.is_none()) {
        let mut name = format!("task-{}", super::number(&task.id));
        while taken.contains(&name) {
            name.insert(0, 'x');
        }
        report.renamed.push((task.id.clone(), name.clone()));
        names.insert(task.id.clone(), name);
    }
    names
}

/// Puts the tasks into an order in which each stands behind what it waits for and, where it can be, what it names.
fn arranged(tasks: &[&Task]) -> Vec<usize> {
    let places: BTreeMap<&str, usize> =
        tasks.iter().enumerate().map(|(place, task)| (task.id.as_str(), place)).collect();
    let (mut waits, mut wishes) = (Vec::new(), Vec::new());
    for (place, task) in tasks.iter().enumerate() {
        for edge in task.depends_on.iter().filter(|edge| !edge.waived) {
            let Some(&on) = places.get(edge.task.as_str()) else { continue };
            match edge.kind.as_str() {
                "blocks" => waits.push((place, on)),
                "parent_child" => wishes.push(((place, on), Wish::Membership)),
                _ => wishes.push(((place, on), Wish::Relation)),
            }
        }
    }
    // Waits of a fleet hold no cycle but for one that came in while the pages were read.
    let closing = order::closing_edges(tasks.len(), &waits);
    for closing in closing.iter().rev() {
        waits.remove(closing.edge);
    }
    order::arrange(tasks.len(), &waits, &wishes)
}

fn submission(task: &Task, names: &Names, report: &mut ExportReport) -> TaskSubmission {
    let named = |on: &String| names.get(on).unwrap_or(on).clone();
    let edges = |kind: &'static str| {
        task.depends_on.iter().filter(move |edge| edge.kind == kind && !edge.waived).map(|edge| &edge.task)
    };
    let mut parents = edges("parent_child").map(named);
    let parent = parents.next();
    let related = |kind: &'static str| move |task: String| RelatedTask { task, kind: kind.to_owned() };
    let mut relations: Vec<RelatedTask> = parents.map(related("parent_child")).collect();
    for kind in ["related", "discovered_from"] {
        relations.extend(edges(kind).map(named).map(related(kind)));
    }
    TaskSubmission {
        title: task.title.clone(),
        description: task.description.clone(),
        kind: task.kind.clone(),
        priority: task.declared_priority.clone(),
        key: names.get(&task.id).cloned(),
        project: task.project.clone(),
        parent,
        requires: declared_requirements(task),
        role: task.role.clone(),
        agent: task.pinned_agent.clone(),
        exclude: task.exclude.clone(),
        estimate_hours: declared_estimate(task),
        complexity: task.complexity,
        depends_on: edges("blocks").map(named).collect(),
        related: relations,
        deadline: task.deadline.clone(),
        not_before: task.not_before.clone(),
        labels: task.labels.clone(),
        max_attempts: task.declared_max_attempts,
        source: task.source.clone(),
        closed: is_ended(task).then(|| closed(task, report)),
        resources: task.resources.clone(),
        gates: task.declared_gates.clone(),
        components: task.components.clone(),
        budget: own_budget(task),
    }
}

/// Says how a task ended. A result has no field of its own: it is the reason, as far as one may go.
fn closed(task: &Task, report: &mut ExportReport) -> ClosedWork {
    let mut reason = task.reason.clone().or_else(|| task.result.clone()).unwrap_or_default();
    if reason.len() > limits::NOTE_BYTES_MAX {
        reason.truncate(reason.floor_char_boundary(limits::NOTE_BYTES_MAX));
        report.lost("the end of the result", &task.id);
    }
    // What was broken down is done by its parts, and an import has no such word.
    let state = if task.state == "archived" { "cancelled" } else { task.state.as_str() };
    ClosedWork { state: state.to_owned(), at: task.finished_at.clone(), reason }
}
