//! Orders tasks so that what is waited for comes first.
//!
//! Works on numbers: a node is the place of a task in its file, an edge `(task, on)` says that `task` waits
//! for `on`. Equal input gives equal output, and where the edges leave a choice the file's own order decides.

use std::collections::BTreeSet;

/// A wait: the first node waits for the second.
pub type Edge = (usize, usize);

/// An edge that would close a cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosingEdge {
    /// Its place in the list of edges that was given.
    pub edge: usize,
    /// The cycle: each node waits for the next, and the last, through this edge, for the first.
    pub cycle: Vec<usize>,
}

/// How much a wish to stand after another task weighs where not all can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// A relation that says little about order.
    Relation,
    /// A member would stand after what it belongs to.
    Membership,
    /// The text says that it waits for the other, which becomes an edge only where the other is there already.
    Mention,
}

/// Finds edges whose removal leaves no cycle, each with the cycle that it would close.
///
/// Walks depth-first in file order, in time linear in nodes and edges, besides the length of the cycles it
/// answers. The answer is sorted by edge.
#[must_use]
pub fn closing_edges(nodes: usize, edges: &[Edge]) -> Vec<ClosingEdge> {
    let outgoing = outgoing(nodes, edges);
    let mut walk = Walk { marks: vec![Mark::New; nodes], path: Vec::new(), closing: Vec::new() };
    for root in 0..nodes {
        if walk.marks[root] == Mark::New {
            walk.from(root, edges, &outgoing);
        }
    }
    walk.closing.sort_by_key(|closing| closing.edge);
    walk.closing
}

/// Returns every node once, each after all it waits for.
///
/// Wishes are heard where the waits leave room: a node with an open wish is taken only when no node without
/// one is free, the lighter wish first. `waits` must be free of cycles; wishes may hold some.
#[must_use]
pub fn arrange(nodes: usize, waits: &[Edge], wishes: &[(Edge, Wish)]) -> Vec<usize> {
    let mut queue = Queue::new(nodes, waits, wishes);
    let mut order = Vec::with_capacity(nodes);
    while let Some((_, _, _, node)) = queue.free.pop_first() {
        order.push(node);
        queue.take(node);
    }
    debug_assert_eq!(order.len(), nodes, "waits that are free of cycles leave nobody behind");
    order
}

fn outgoing(nodes: usize, edges: &[Edge]) -> Vec<Vec<usize>> {
    let mut outgoing = vec![Vec::new(); nodes];
    for (place, &(task, _)) in edges.iter().enumerate() {
        outgoing[task].push(place);
    }
    outgoing
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    OnPath,
    Done,
}

/// A depth-first walk that keeps its own path, so that a long chain cannot exhaust the stack.
struct Walk {
    marks: Vec<Mark>,
    /// Node, and how many of its edges have been followed.
    path: Vec<(usize, usize)>,
    closing: Vec<ClosingEdge>,
}

impl Walk {
    fn from(&mut self, root: usize, edges: &[Edge], outgoing: &[Vec<usize>]) {
        self.enter(root);
        while let Some((node, followed)) = self.path.last_mut() {
            let Some(&edge) = outgoing[*node].get(*followed) else {
                self.marks[*node] = Mark::Done;
                self.path.pop();
                continue;
            };
            *followed += 1;
            let on = edges[edge].1;
            match self.marks[on] {
                Mark::New => self.enter(on),
                Mark::OnPath => self.close(edge, on),
                Mark::Done => {}
            }
        }
    }

    fn enter(&mut self, node: usize) {
        self.marks[node] = Mark::OnPath;
        self.path.push((node, 0));
    }

    fn close(&mut self, edge: usize, on: usize) {
        let from = self.path.iter().rposition(|&(node, _)| node == on).expect("a node on the path is in it");
        let cycle = self.path[from..].iter().map(|&(node, _)| node).collect();
        self.closing.push(ClosingEdge { edge, cycle });
    }
}

/// What still holds nodes back, and those that nothing but wishes holds back.
struct Queue {
    /// Waits left per node.
    waits: Vec<usize>,
    /// Wishes left per node: relations, memberships, mentions.
    wishes: Vec<[usize; 3]>,
    waiting: Vec<Vec<usize>>,
    wishing: Vec<Vec<(usize, Wish)>>,
    /// By mentions, memberships and relations wished for, and place in the file.
    free: BTreeSet<(bool, bool, bool, usize)>,
}

impl Queue {
    fn new(nodes: usize, waits: &[Edge], wishes: &[(Edge, Wish)]) -> Self {
        let mut queue = Self {
            waits: vec![0; nodes],
            wishes: vec![[0; 3]; nodes],
            waiting: vec![Vec::new(); nodes],
            wishing: vec![Vec::new(); nodes],
            free: BTreeSet::new(),
        };
        for &(task, on) in waits {
            queue.waits[task] += 1;
            queue.waiting[on].push(task);
        }
        for &((task, on), wish) in wishes {
            queue.wishes[task][wish as usize] += 1;
            queue.wishing[on].push((task, wish));
        }
        queue.free = (0..nodes).filter(|&node| queue.waits[node] == 0).map(|node| queue.rank(node)).collect();
        queue
    }

    fn rank(&self, node: usize) -> (bool, bool, bool, usize) {
        let [relations, memberships, mentions] = self.wishes[node];
        (mentions > 0, memberships > 0, relations > 0, node)
    }

    fn take(&mut self, node: usize) {
        for (task, wish) in std::mem::take(&mut self.wishing[node]) {
            let was_free = self.free.remove(&self.rank(task));
            self.wishes[task][wish as usize] -= 1;
            if was_free {
                self.free.insert(self.rank(task));
            }
        }
        for task in std::mem::take(&mut self.waiting[node]) {
            self.waits[task] -= 1;
            if self.waits[task] == 0 {
                self.free.insert(self.rank(task));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closing(edge: usize, cycle: &[usize]) -> ClosingEdge {
        ClosingEdge { edge, cycle: cycle.to_vec() }
    }

    #[test]
    fn without_edges_the_order_of_the_file_stays() {
        assert_eq!(arrange(4, &[], &[]), [0, 1, 2, 3]);
    }

    #[test]
    fn what_is_waited_for_comes_first_and_the_file_decides_the_rest() {
        // 0 waits for 3, 1 for 0 and 2.
        assert_eq!(arrange(5, &[(0, 3), (1, 0), (1, 2)], &[]), [2, 3, 0, 1, 4]);
    }

    #[test]
    fn a_membership_is_heard_where_waits_leave_room() {
        assert_eq!(arrange(2, &[], &[((0, 1), Wish::Membership)]), [1, 0]);
        assert_eq!(arrange(2, &[(1, 0)], &[((0, 1), Wish::Membership)]), [0, 1]);
    }

    #[test]
    fn where_wishes_contradict_the_lighter_one_is_passed_over() {
        let wishes = [((0, 1), Wish::Membership), ((1, 0), Wish::Relation)];
        assert_eq!(arrange(2, &[], &wishes), [1, 0]);
    }

    #[test]
    fn what_a_text_waits_for_comes_first_where_waits_leave_room() {
        let wishes = [((0, 2), Wish::Mention), ((2, 0), Wish::Membership)];
        assert_eq!(arrange(3, &[], &wishes), [1, 2, 0]);
        assert_eq!(arrange(3, &[(2, 0)], &wishes), [1, 0, 2]);
    }

    #[test]
    fn each_closing_edge_shows_its_whole_cycle() {
        let edges = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 3), (4, 0)];
        assert_eq!(closing_edges(5, &edges), [closing(2, &[0, 1, 2]), closing(4, &[3])]);
    }

    #[test]
    fn two_ways_to_one_node_are_no_cycle() {
        assert_eq!(closing_edges(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]), []);
    }

    #[test]
    fn without_the_closing_edges_every_node_finds_its_place() {
        // A small generator of graphs, so that many shapes are met: 200 graphs of 12 nodes.
        let mut seed: u64 = 7;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((seed >> 33) % below) as usize
        };
        for _ in 0..200 {
            let edges: Vec<Edge> = (0..next(40)).map(|_| (next(12), next(12))).collect();
            let closing: BTreeSet<usize> = closing_edges(12, &edges).iter().map(|one| one.edge).collect();
            let kept: Vec<Edge> =
                (0..edges.len()).filter(|edge| !closing.contains(edge)).map(|edge| edges[edge]).collect();
            let order = arrange(12, &kept, &[]);
            let place = |node| order.iter().position(|&other| other == node).expect("every node is there");
            for &(task, on) in &kept {
                assert!(place(on) < place(task), "{on} before {task} in {order:?}");
            }
            assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 12);
        }
    }

    #[test]
    fn a_long_chain_is_no_danger() {
        let edges: Vec<Edge> = (0..200_000).map(|node| (node, node + 1)).collect();
        assert_eq!(closing_edges(200_001, &edges), []);
        assert_eq!(arrange(200_001, &edges, &[])[0], 200_000);
    }
}
