//! List scheduling, written without Kapell: whenever an agent is free, it begins the first ready task by some rule.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::read::Workflow;

/// Which ready task comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The one that has been ready longest.
    FirstCome,
    /// The one with the longest remaining path.
    LongestPath,
}

/// Returns the makespan of a workflow on `agents` agents, in ms.
pub fn schedule(workflow: &Workflow, agents: usize, rule: Rule) -> i64 {
    let paths = workflow.paths();
    let mut open: Vec<usize> = workflow.tasks.iter().map(|task| task.parents.len()).collect();
    let mut children = vec![Vec::new(); workflow.tasks.len()];
    for (place, task) in workflow.tasks.iter().enumerate() {
        for &parent in &task.parents {
            children[parent].push(place);
        }
    }
    let key = |place: usize, now: i64| match rule {
        Rule::FirstCome => (now, place),
        Rule::LongestPath => (-paths[place], place),
    };
    let mut ready: BTreeSet<(i64, usize)> =
        (0..open.len()).filter(|&place| open[place] == 0).map(|place| key(place, 0)).collect();
    let mut running: BinaryHeap<Reverse<(i64, usize)>> = BinaryHeap::new();
    let mut now = 0;
    loop {
        while running.len() < agents
            && let Some((_, place)) = ready.pop_first()
        {
            running.push(Reverse((now + workflow.tasks[place].duration, place)));
        }
        let Some(Reverse((end, place))) = running.pop() else { return now };
        now = end;
        for &child in &children[place] {
            open[child] -= 1;
            if open[child] == 0 {
                ready.insert(key(child, now));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::Task;
    use super::*;

    fn workflow(tasks: &[(i64, &[usize])]) -> Workflow {
        let tasks = tasks.iter().enumerate().map(|(place, (duration, parents))| Task {
            id: place.to_string(),
            program: String::new(),
            duration: *duration,
            parents: parents.to_vec(),
        });
        Workflow { name: String::new(), application: String::new(), tasks: tasks.collect() }
    }

    #[test]
    fn as_worked_out_by_hand() {
        // Two short ones first, then a chain of 2 and 6: by age the chain begins at 4, by its length at 0.
        let it = workflow(&[(4, &[]), (4, &[]), (2, &[]), (6, &[2])]);
        assert_eq!(it.paths(), [4, 4, 8, 6]);
        assert_eq!(it.bound(2), 8);
        assert_eq!(schedule(&it, 2, Rule::FirstCome), 12);
        assert_eq!(schedule(&it, 2, Rule::LongestPath), 8);
        assert_eq!(schedule(&it, 1, Rule::LongestPath), 16);
    }
}
