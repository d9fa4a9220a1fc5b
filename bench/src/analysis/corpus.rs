//! Real backlogs as texts, with what is known of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");

/// A task of another tool.
#[derive(Debug, Clone, Default)]
pub struct Item {
    pub id: String,
    pub title: String,
    pub description: String,
    pub labels: Vec<String>,
    /// Ids that it waits for, as recorded.
    pub blocks: Vec<String>,
    /// Ids that it has to do with in another way, as recorded.
    pub related: Vec<String>,
}

/// An agent that is described.
#[derive(Debug, Clone)]
pub struct Described {
    pub name: String,
    pub description: String,
}

/// An assignment that ended.
#[derive(Debug, Clone)]
pub struct Episode {
    pub kind: String,
    pub minutes: f64,
    pub end: String,
}

fn file(path: &str) -> PathBuf {
    Path::new(DATA).join(path)
}

fn lines(path: &str) -> anyhow::Result<Vec<Value>> {
    let path = file(path);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

/// Reads the beads backlog: title, and every section of text that its importer would take.
pub fn beads() -> anyhow::Result<Vec<Item>> {
    let read = |value: &Value| {
        let sections =
            ["description", "design", "acceptance_criteria", "notes"].map(|field| text(value, field));
        let edges = || value["dependencies"].as_array().into_iter().flatten();
        let to = |edge: &Value| text(edge, "depends_on_id");
        Item {
            id: text(value, "id"),
            title: text(value, "title"),
            description: sections.join("\n\n"),
            labels: Vec::new(),
            blocks: edges().filter(|edge| edge["type"] == "blocks").map(to).collect(),
            related: edges().filter(|edge| edge["type"] != "blocks").map(to).collect(),
        }
    };
    Ok(lines("backlogs/beads/beads-2025-12-16.issues.jsonl")?.iter().map(read).collect())
}

/// Reads the tasks of gastown: no agents, convoys and steps of a workflow.
pub fn gastown() -> anyhow::Result<Vec<Item>> {
    let mut items = BTreeMap::new();
    for value in lines("gastown/issues.jsonl")? {
        let (id, kind) = (text(&value, "id"), text(&value, "issue_type"));
        if !id.contains("-wisp-") && kind != "agent" && kind != "convoy" {
            let (title, description) = (text(&value, "title"), text(&value, "description"));
            items.insert(id.clone(), Item { id, title, description, ..Item::default() });
        }
    }
    for edge in lines("gastown/dependencies.jsonl")? {
        if let Some(item) = items.get_mut(&text(&edge, "issue_id")) {
            let list = if edge["type"] == "blocks" { &mut item.blocks } else { &mut item.related };
            list.push(text(&edge, "depends_on_id"));
        }
    }
    Ok(items.into_values().collect())
}

/// Reads the completed assignments of gastown in the order in which they ended.
pub fn episodes() -> anyhow::Result<Vec<Episode>> {
    let issues = lines("gastown/issues.jsonl")?;
    let kinds: BTreeMap<String, String> =
        issues.iter().map(|value| (text(value, "id"), text(value, "issue_type"))).collect();
    let closed = lines("gastown/episodes.jsonl")?.into_iter().filter(|value| value["outcome"] == "closed");
    let read = |value: Value| {
        let kind = kinds.get(&text(&value, "issue")).cloned().unwrap_or_else(|| "task".to_owned());
        let minutes = value["minutes"].as_f64()?;
        (minutes > 0.0).then(|| Episode { kind, minutes, end: text(&value, "end") })
    };
    let mut episodes: Vec<Episode> = closed.filter_map(read).collect();
    episodes.sort_by(|a, b| a.end.cmp(&b.end));
    Ok(episodes)
}

/// Reads the Backlog.md tasks.
pub fn backlog_md() -> anyhow::Result<Vec<Item>> {
    let mut items = Vec::new();
    for path in markdown(&file("backlogs/backlog-md"))? {
        let text = std::fs::read_to_string(path)?;
        items.extend(front_matter(&text).map(|(fields, body)| backlog_item(&fields, body)));
    }
    Ok(items)
}

fn backlog_item(fields: &BTreeMap<String, Vec<String>>, body: &str) -> Item {
    let first =
        |field: &str| fields.get(field).and_then(|values| values.first()).cloned().unwrap_or_default();
    let number =
        |id: &String| format!("BACK-{}", id.split_once('-').map_or(id.as_str(), |(_, number)| number));
    Item {
        id: number(&first("id")),
        title: first("title"),
        description: body.to_owned(),
        labels: fields.get("labels").cloned().unwrap_or_default(),
        blocks: fields.get("dependencies").into_iter().flatten().map(number).collect(),
        related: fields.get("parent_task_id").into_iter().flatten().map(number).collect(),
    }
}

/// Lists the Markdown files of a folder and of those in it, in the order of their paths.
fn markdown(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(markdown(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Reads the descriptions of the sub-agents, one file each.
pub fn agents() -> anyhow::Result<Vec<Described>> {
    let mut agents = Vec::new();
    for path in markdown(&file("backlogs/claude-agents"))? {
        let text = std::fs::read_to_string(path)?;
        let Some((fields, _)) = front_matter(&text) else { continue };
        let get = |field: &str| fields.get(field).map(|values| values.join(" ")).unwrap_or_default();
        agents.push(Described { name: get("name"), description: get("description") });
    }
    Ok(agents)
}

/// Reads the YAML above a Markdown text as far as these files use it: texts, and lists in brackets or lines.
fn front_matter(text: &str) -> Option<(BTreeMap<String, Vec<String>>, &str)> {
    let (head, body) = text.strip_prefix("---\n")?.split_once("\n---")?;
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = String::new();
    let bare = |value: &str| value.trim().trim_matches(['"', '\'']).to_owned();
    for line in head.lines() {
        if let Some(item) = line.trim_start().strip_prefix("- ").filter(|_| line.starts_with([' ', '-'])) {
            fields.entry(current.clone()).or_default().push(bare(item));
        } else if line.starts_with(' ') {
            fields.entry(current.clone()).or_default().push(bare(line));
        } else if let Some((field, value)) = line.split_once(':') {
            current = field.to_owned();
            let value = value.trim();
            let values = match value.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
                Some(list) => list.split(',').map(bare).filter(|item| !item.is_empty()).collect(),
                None if matches!(value, "" | ">-" | ">" | "|" | "|-") => Vec::new(),
                None => vec![bare(value)],
            };
            fields.insert(current.clone(), values);
        }
    }
    Some((fields, body))
}
