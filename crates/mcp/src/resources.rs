//! Resources: the board, a task, and what its next owner should know of it.

use kapell_api::Problem;
use rmcp::model::{Resource, ResourceTemplate};
use serde_json::Value;

use crate::gate::escaped;
use crate::tool::Visit;

/// Where the board is.
const BOARD: &str = "kapell://board";
/// What the address of a task begins with.
const TASK: &str = "kapell://task/";
/// And what the address of its package ends with.
const PACKAGE: &str = "/package";
/// Dependencies whose results a package shows.
const RESULTS_MAX: usize = 20;

/// Returns the resources that always exist.
pub(crate) fn fixed() -> Vec<Resource> {
    let board = Resource::new(BOARD, "board").with_title("The board").with_mime_type("application/json");
    vec![board.with_description("The fleet in numbers, and the tasks that are ready or being worked on.")]
}

/// Returns the addresses that stand for many.
pub(crate) fn templates() -> Vec<ResourceTemplate> {
    let task = ResourceTemplate::new(format!("{TASK}{{task}}"), "task").with_title("A task");
    let package =
        ResourceTemplate::new(format!("{TASK}{{task}}{PACKAGE}"), "package").with_title("A task's package");
    vec![
        task.with_mime_type("application/json").with_description("A task in full, such as kapell://task/T-12."),
        package
            .with_mime_type("text/markdown")
            .with_description("What whoever takes a task over should know: the task, the last note, results of what it depends on."),
    ]
}

/// Reads a resource: its media type and text; nothing where the address stands for nothing.
pub(crate) async fn read(visit: &Visit, uri: &str) -> Option<Result<(&'static str, String), Problem>> {
    if uri == BOARD {
        return Some(board(visit).await.map(|board| ("application/json", board)));
    }
    let rest = uri.strip_prefix(TASK)?;
    let (task, package) = match rest.strip_suffix(PACKAGE) {
        Some(task) => (task, true),
        None => (rest, false),
    };
    if task.is_empty() || task.contains('/') {
        return None;
    }
    let found = match visit.get(format!("/v1/tasks/{}", escaped(task))).await {
        Ok(found) => found,
        Err(problem) => return Some(Err(problem)),
    };
    if package {
        return Some(Ok(("text/markdown", packed(visit, &found).await)));
    }
    Some(Ok(("application/json", found.to_string())))
}

async fn board(visit: &Visit) -> Result<String, Problem> {
    let status = visit.get("/v1/status".to_owned()).await?;
    let mut board = serde_json::json!({"status": status});
    for state in ["in_progress", "assigned", "ready"] {
        let page = visit.get(format!("/v1/tasks?limit=50&state={state}")).await?;
        let brief = |task: &Value| serde_json::json!({"task": task["id"], "title": task["title"], "owner": task["owner"]});
        board[state] =
            page["items"].as_array().map(|tasks| tasks.iter().map(brief).collect()).unwrap_or_default();
    }
    Ok(board.to_string())
}

/// Writes the package of a task. The texts of tasks are data: each stands in a fence that is longer than any in it.
async fn packed(visit: &Visit, task: &Value) -> String {
    let word = |name: &str| task[name].as_str().unwrap_or_default().to_owned();
    let mut out = format!("# {}\n\nState: {}.", word("id"), word("state"));
    if let Some(owner) = task["owner"].as_str() {
        out += &format!(" Owner: {owner}.");
    }
    if let Some(percent) = task["progress_percent"].as_u64() {
        out += &format!(" {percent} % done.");
    }
    out += "\n";
    for (heading, name) in
        [("Title", "title"), ("Description", "description"), ("Last note", "note"), ("Result", "result")]
    {
        out += &section(heading, &word(name));
    }
    let empty = Vec::new();
    for dependency in task["depends_on"].as_array().unwrap_or(&empty).iter().take(RESULTS_MAX) {
        let Some(id) = dependency["task"].as_str() else { continue };
        if let Ok(found) = visit.get(format!("/v1/tasks/{}", escaped(id))).await {
            let Some(result) = found["result"].as_str() else { continue };
            let text = format!("{}\n\n{result}", found["title"].as_str().unwrap_or_default());
            out += &section(&format!("Result of {id}"), &text);
        }
    }
    out
}

fn section(heading: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("\n## {heading}\n\n{fence}text\n{text}\n{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_leave_its_fence() {
        let written = section("Note", "a\n````\n# not a heading");
        assert!(written.contains("\n`````text\na\n````\n# not a heading\n`````\n"), "{written}");
    }
}
