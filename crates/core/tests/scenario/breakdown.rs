//! The lines about breakdowns.

use kapell_core::{Command, Component, TaskRef};
use kapell_model::{AssignmentId, Name, Text};

use super::text;

/// Reads `breakdown t1 into=a,b`, `broken t1` (as the policy wants it) and `keepwhole t1`.
pub(super) fn asked(verb: &str, task: TaskRef, rest: &[&str]) -> Command {
    if verb == "keepwhole" {
        return Command::KeepWhole { task };
    }
    Command::BreakDown {
        task,
        components: rest.get(1).map(|into| components(into)).unwrap_or_default(),
        source: None,
        model: None,
        by_policy: verb == "broken",
    }
}

/// Reads `plan T-2 C into=a,b`.
pub(super) fn proposed(task: TaskRef, agent: Name, assignment: AssignmentId, into: &str) -> Command {
    Command::ProposeComponents { task, agent, assignment, components: components(into) }
}

/// Reads `into=api,page`.
pub fn components(word: &str) -> Vec<Component> {
    let titles = word.strip_prefix("into=").expect("into=a,b");
    let component = |title| Component {
        title: text(title),
        description: Text::default(),
        requires: Vec::new(),
        estimate: None,
    };
    titles.split(',').map(component).collect()
}
