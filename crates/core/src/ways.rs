//! Ways along edges between tasks, such as waits and orders.

use std::collections::BTreeSet;

use kapell_model::TaskId;

/// Returns a task and all that is reached from it step by step.
pub(crate) fn reached<I: Iterator<Item = TaskId>>(
    from: TaskId,
    next: impl Fn(TaskId) -> I,
) -> BTreeSet<TaskId> {
    let mut walk = Walk::of(from, next);
    while walk.step() {}
    walk.seen
}

/// Returns the tasks on all ways from one task to another, both ends included; none where there is no way. `after` and `before`
/// are the same edges, seen from either end.
///
/// Both ends are walked from in turns, an edge at a time, until one of them leads no further: so the cost is in the edges of the
/// end that fewer lie behind, however many lie behind the other.
pub(crate) fn between<A: Iterator<Item = TaskId>, B: Iterator<Item = TaskId>>(
    (from, to): (TaskId, TaskId),
    after: impl Fn(TaskId) -> A,
    before: impl Fn(TaskId) -> B,
) -> BTreeSet<TaskId> {
    let (mut ahead, mut back) = (Walk::of(from, &after), Walk::of(to, &before));
    loop {
        if !ahead.step() {
            return within(&ahead.seen, to, &before);
        }
        if !back.step() {
            return within(&back.seen, from, &after);
        }
    }
}

/// Returns what is reached from a task among `all`; nothing where it is none of them.
fn within<I: Iterator<Item = TaskId>>(
    all: &BTreeSet<TaskId>,
    from: TaskId,
    next: impl Fn(TaskId) -> I,
) -> BTreeSet<TaskId> {
    if !all.contains(&from) {
        return BTreeSet::new();
    }
    reached(from, |task| next(task).filter(|task| all.contains(task)))
}

/// A walk along edges, one at a time.
struct Walk<I, F> {
    next: F,
    seen: BTreeSet<TaskId>,
    open: Vec<TaskId>,
    edges: Option<I>,
}

impl<I: Iterator<Item = TaskId>, F: Fn(TaskId) -> I> Walk<I, F> {
    fn of(from: TaskId, next: F) -> Self {
        Self { next, seen: BTreeSet::from([from]), open: vec![from], edges: None }
    }

    /// Goes along the next edge; tells whether there is anything left to go along.
    fn step(&mut self) -> bool {
        if let Some(task) = self.edges.as_mut().and_then(Iterator::next) {
            if self.seen.insert(task) {
                self.open.push(task);
            }
            return true;
        }
        self.edges = self.open.pop().map(&self.next);
        self.edges.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    type Edges = BTreeSet<(u32, u32)>;

    fn after(edges: &Edges, task: TaskId) -> impl Iterator<Item = TaskId> {
        edges.range((task.0, 0)..=(task.0, u32::MAX)).map(|&(_, to)| TaskId(to))
    }

    fn before(edges: &Edges, task: TaskId) -> impl Iterator<Item = TaskId> {
        edges.iter().filter(move |(_, to)| *to == task.0).map(|&(from, _)| TaskId(from))
    }

    /// Returns the tasks on the ways, and how many edges were gone along for that.
    fn counted(edges: &Edges, from: u32, to: u32) -> (BTreeSet<TaskId>, usize) {
        let walked = Cell::new(0);
        let count = |_: &TaskId| walked.set(walked.get() + 1);
        let all = between(
            (TaskId(from), TaskId(to)),
            |task| after(edges, task).inspect(count),
            |task| before(edges, task).inspect(count),
        );
        (all, walked.get())
    }

    #[test]
    fn it_costs_what_lies_behind_the_end_with_less() {
        // A chain of a thousand leads to 1000; 2000 stands alone, and after 3000 comes 3001.
        let mut edges: Edges = (0..1_000).map(|task| (task, task + 1)).collect();
        edges.insert((3_000, 3_001));
        assert_eq!(counted(&edges, 2_000, 1_000), (BTreeSet::new(), 0));
        let (none, walked) = counted(&edges, 3_000, 1_000);
        assert!(none.is_empty() && walked <= 4, "{walked}");
        let (none, walked) = counted(&edges, 0, 3_001);
        assert!(none.is_empty() && walked <= 4, "{walked}");
        // A thousand that come after one task are not looked at together.
        edges.extend((4_001..5_000).map(|task| (4_000, task)));
        let (none, walked) = counted(&edges, 4_000, 3_001);
        assert!(none.is_empty() && walked <= 4, "{walked}");
        // What the way is short to, at either end, is found at its cost.
        edges.insert((1_000, 6_000));
        let (way, walked) = counted(&edges, 998, 6_000);
        assert_eq!(way, [998, 999, 1_000, 6_000].map(TaskId).into());
        assert!(walked <= 16, "{walked}");
    }

    proptest! {
        #[test]
        fn they_are_all_that_both_ends_lead_to(
            edges in prop::collection::btree_set((0..9_u32, 0..9_u32), 0..24), from in 0..9_u32, to in 0..9_u32,
        ) {
            let ahead = reached(TaskId(from), |task| after(&edges, task));
            let back = reached(TaskId(to), |task| before(&edges, task));
            prop_assert_eq!(counted(&edges, from, to).0, &ahead & &back);
        }
    }
}
