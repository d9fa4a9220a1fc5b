//! The longest path through what waits for what, and how far everything else may slip. Nodes are numbers with a weight.

use std::collections::VecDeque;

/// A graph: its weights, and who waits for whom.
#[derive(Debug)]
pub struct Graph<'a> {
    weights: &'a [i64],
    /// Those that each node waits for.
    pub before: Vec<Vec<u32>>,
    /// Those that wait for each node.
    pub behind: Vec<Vec<u32>>,
    /// The nodes so that each comes behind those that it waits for; those of a cycle come last, as they are.
    pub order: Vec<u32>,
}

/// The longest path of a graph.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Longest {
    /// The path, in order.
    pub path: Vec<u32>,
    /// Its length, in the unit of the weights.
    pub length: i64,
    /// How far each node may slip without the end slipping.
    pub slack: Vec<i64>,
}

impl<'a> Graph<'a> {
    /// Puts a graph in order; `edges` lead from a node to one that waits for it.
    ///
    /// # Panics
    /// Where an edge names a node that has no weight.
    #[must_use]
    pub fn new(weights: &'a [i64], edges: &[(u32, u32)]) -> Self {
        let nodes = weights.len();
        let (mut before, mut behind) = (vec![Vec::new(); nodes], vec![Vec::new(); nodes]);
        for &(from, to) in edges {
            behind[from as usize].push(to);
            before[to as usize].push(from);
        }
        let order = topological(&before, &behind);
        Self { weights, before, behind, order }
    }

    /// Finds the longest path and the slack beside it.
    #[must_use]
    pub fn longest(&self) -> Longest {
        let weight = |node: u32| self.weights[node as usize];
        let order = &self.order;
        let (mut start, mut rest) = (vec![0_i64; order.len()], vec![0_i64; order.len()]);
        for &node in order {
            let ends = self.before[node as usize].iter().map(|&from| start[from as usize] + weight(from));
            start[node as usize] = ends.max().unwrap_or(0);
        }
        for &node in order.iter().rev() {
            let behind = self.behind[node as usize].iter().map(|&next| rest[next as usize]).max();
            rest[node as usize] = weight(node) + behind.unwrap_or(0);
        }
        let through = |node: &u32| start[*node as usize] + rest[*node as usize];
        let length = order.iter().map(through).max().unwrap_or(0);
        let slack: Vec<i64> = (0..).take(order.len()).map(|node: u32| length - through(&node)).collect();
        let mut path = Vec::new();
        let mut at = order.iter().copied().find(|&node| {
            length > 0 && slack[node as usize] == 0 && start[node as usize] == 0 && weight(node) > 0
        });
        while let Some(node) = at {
            path.push(node);
            let end = start[node as usize] + weight(node);
            let mut next = self.behind[node as usize].iter().copied();
            at = next.find(|&next| {
                slack[next as usize] == 0 && start[next as usize] == end && path.len() <= order.len()
            });
        }
        Longest { path, length, slack }
    }
}

fn topological(before: &[Vec<u32>], behind: &[Vec<u32>]) -> Vec<u32> {
    let nodes = u32::try_from(before.len()).unwrap_or(u32::MAX);
    let mut waits: Vec<usize> = before.iter().map(Vec::len).collect();
    let mut free: VecDeque<u32> = (0..nodes).filter(|&node| waits[node as usize] == 0).collect();
    let mut order = Vec::with_capacity(before.len());
    while let Some(node) = free.pop_front() {
        order.push(node);
        for &next in &behind[node as usize] {
            waits[next as usize] -= 1;
            if waits[next as usize] == 0 {
                free.push_back(next);
            }
        }
    }
    order.extend((0..nodes).filter(|&node| waits[node as usize] > 0));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_and_the_slack_beside_it_are_found() {
        // 0 - 1 - 3 takes 6, 0 - 2 - 3 takes 4, and 4 stands alone with 5.
        let longest = Graph::new(&[1, 4, 2, 1, 5], &[(0, 1), (0, 2), (1, 3), (2, 3)]).longest();
        assert_eq!((longest.length, longest.path), (6, vec![0, 1, 3]));
        assert_eq!(longest.slack, [0, 0, 2, 0, 1]);
    }

    #[test]
    fn a_cycle_and_nothing_at_all_come_to_an_end() {
        assert_eq!(Graph::new(&[1, 1], &[(0, 1), (1, 0)]).longest().slack.len(), 2);
        assert_eq!(Graph::new(&[], &[]).longest(), Longest::default());
    }
}
