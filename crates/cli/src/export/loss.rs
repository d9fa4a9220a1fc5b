//! Finds what an export does not say, by comparing what an import of it would make with what is so.

use std::collections::BTreeSet;

use kapell_api::{Task, TaskSubmission};

use super::changes::{
    declared_estimate, declared_requirements, is_ended, own_budget, same_effort, same_moment,
};
use super::report::ExportReport;
use super::{Names, Submissions};

/// Where an import finds a task under another key: formats that number their tasks know them by the number.
pub const SHARED_NUMBER: &str = "the key, whose number another task has, too,";

/// Returns whether the key of another task has the same number at its end.
fn shares_number(task: &str, names: &Names) -> bool {
    let number = |key: &String| key.rsplit_once('-')?.1.parse::<u64>().ok();
    let own = names.get(task).and_then(number);
    own.is_some() && names.iter().any(|(id, key)| id != task && number(key) == own)
}

/// Compares every task with what would come back; `names` holds the key that each would have.
pub fn find(tasks: &[&Task], names: &Names, again: &Submissions, report: &mut ExportReport) {
    for task in tasks {
        match names.get(&task.id).and_then(|key| again.get(key)) {
            Some(back) => compare(task, back, names, report),
            None if shares_number(&task.id, names) => report.lost(SHARED_NUMBER, &task.id),
            None => report.lost("everything", &task.id),
        }
    }
}

fn compare(task: &Task, back: &TaskSubmission, names: &Names, report: &mut ExportReport) {
    let ended = is_ended(task).then_some(task.state.as_str());
    let same = [
        ("title", task.title == back.title),
        ("description", task.description == back.description),
        ("type", task.kind == back.kind),
        ("priority", task.declared_priority == back.priority),
        ("state", ended == back.closed.as_ref().map(|closed| closed.state.as_str())),
        ("project", task.project == back.project),
        ("required capabilities", declared_requirements(task) == back.requires),
        ("role", task.role == back.role),
        ("agent", task.pinned_agent == back.agent),
        ("excluded agents", task.exclude == back.exclude),
        ("estimate", same_effort(declared_estimate(task), back.estimate_hours)),
        ("complexity", task.complexity == back.complexity),
        ("deadline", same_moment(task.deadline.as_deref(), back.deadline.as_deref())),
        ("not before", same_moment(task.not_before.as_deref(), back.not_before.as_deref())),
        ("labels", task.labels == back.labels),
        ("resources", task.resources == back.resources),
        ("attempts allowed", task.declared_max_attempts == back.max_attempts),
        ("gates", task.declared_gates == back.gates),
        ("components", task.components == back.components),
        ("budget", own_budget(task) == back.budget),
        ("dependencies", edges_of(task, names) == edges_back(back)),
    ];
    for (field, _) in same.iter().filter(|(_, same)| !same) {
        report.lost(field, &task.id);
    }
}

/// Edges of a task, kind and key; one that was taken away is none.
fn edges_of(task: &Task, names: &Names) -> BTreeSet<(String, String)> {
    let edges = task.depends_on.iter().filter(|edge| !edge.waived);
    let named = |task: &String| names.get(task).unwrap_or(task).clone();
    edges.map(|edge| (edge.kind.clone(), named(&edge.task))).collect()
}

fn edges_back(back: &TaskSubmission) -> BTreeSet<(String, String)> {
    let waits = back.depends_on.iter().map(|on| ("blocks".to_owned(), on.clone()));
    let parent = back.parent.iter().map(|on| ("parent_child".to_owned(), on.clone()));
    let related = back.related.iter().map(|related| (related.kind.clone(), related.task.clone()));
    waits.chain(parent).chain(related).collect()
}
