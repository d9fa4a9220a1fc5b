//! Lays a graph out in layers around its longest path. Knows nothing of tasks: nodes are numbers with a weight.
//!
//! A node lies one layer behind the last of those that it waits for. Within a layer nodes are ordered by the mean place of
//! their neighbours, sweeping forth and back, which keeps most edges from crossing; then each is drawn towards its
//! neighbours as far as the order and a distance of one row allow. A sweep costs time in nodes and edges.

use kapell_plan::{Graph, Longest};

/// Sweeps forth and back over the layers; more change little.
const SWEEPS: usize = 6;

/// A graph to be laid out: `edges` lead from a node to one that waits for it.
pub(super) struct Drawing<'a> {
    /// What is left of each node; the unit is the caller's.
    pub(super) weights: &'a [i64],
    pub(super) edges: &'a [(u32, u32)],
}

/// A graph that is laid out.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Layered {
    /// The layer of each node.
    pub(super) layer: Vec<u32>,
    /// The place of each node within its layer, from 0 on.
    pub(super) row: Vec<f64>,
    /// How long each node may slip without the end slipping.
    pub(super) slack: Vec<i64>,
    /// The longest path, in order.
    pub(super) critical: Vec<u32>,
    /// Its length.
    pub(super) length: i64,
}

impl Drawing<'_> {
    pub(super) fn layered(&self) -> Layered {
        let graph = Graph::new(self.weights, self.edges);
        let Graph { before, behind, order, .. } = &graph;
        let layer = layers(order, before);
        let Longest { path: critical, length, slack } = graph.longest();
        let mut columns = columns(order, &layer);
        let mut row = vec![0.0; layer.len()];
        number(&columns, &mut row);
        for sweep in 0..SWEEPS {
            let forth = sweep % 2 == 0;
            let neighbours = if forth { before } else { behind };
            arrange(&mut columns, neighbours, &mut row, forth);
        }
        settle(&columns, before, behind, &mut row);
        Layered { layer, row, slack, critical, length }
    }
}

fn layers(order: &[u32], before: &[Vec<u32>]) -> Vec<u32> {
    let mut layer = vec![0; order.len()];
    for &node in order {
        let last = before[node as usize].iter().map(|&from| layer[from as usize] + 1).max();
        layer[node as usize] = last.unwrap_or(0);
    }
    layer
}

fn columns(order: &[u32], layer: &[u32]) -> Vec<Vec<u32>> {
    let count = layer.iter().max().map_or(0, |&last| last as usize + 1);
    let mut columns = vec![Vec::new(); count];
    for &node in order {
        columns[layer[node as usize] as usize].push(node);
    }
    columns
}

#[expect(clippy::cast_precision_loss, reason = "rows are far below 2^52")]
fn number(columns: &[Vec<u32>], row: &mut [f64]) {
    for column in columns {
        for (place, &node) in column.iter().enumerate() {
            row[node as usize] = place as f64;
        }
    }
}

/// Returns the mean place of a node's neighbours; its own where it has none.
#[expect(clippy::cast_precision_loss, reason = "rows are far below 2^52")]
fn mean(node: u32, neighbours: &[Vec<u32>], row: &[f64]) -> f64 {
    let near = &neighbours[node as usize];
    if near.is_empty() {
        return row[node as usize];
    }
    near.iter().map(|&other| row[other as usize]).sum::<f64>() / near.len() as f64
}

/// Orders each layer by the mean place of its neighbours in the layers that were ordered before it.
#[expect(clippy::cast_precision_loss, reason = "rows are far below 2^52")]
fn arrange(columns: &mut [Vec<u32>], neighbours: &[Vec<u32>], row: &mut [f64], forth: bool) {
    let mut order = |column: &mut Vec<u32>| {
        let mut placed: Vec<(f64, u32)> =
            column.iter().map(|&node| (mean(node, neighbours, row), node)).collect();
        placed.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (place, ((_, node), seat)) in placed.iter().zip(column.iter_mut()).enumerate() {
            *seat = *node;
            row[*node as usize] = place as f64;
        }
    };
    if forth {
        columns.iter_mut().for_each(&mut order);
    } else {
        columns.iter_mut().rev().for_each(&mut order);
    }
}

/// Draws each node towards its neighbours as far as its order and a distance of one row allow.
#[expect(clippy::cast_precision_loss, reason = "rows are far below 2^52")]
fn settle(columns: &[Vec<u32>], before: &[Vec<u32>], behind: &[Vec<u32>], row: &mut [f64]) {
    for sweep in 0..SWEEPS {
        let neighbours = if sweep % 2 == 0 { before } else { behind };
        for column in columns {
            let wanted: Vec<f64> = column.iter().map(|&node| mean(node, neighbours, row)).collect();
            let mut placed = wanted.clone();
            for place in 1..placed.len() {
                placed[place] = placed[place].max(placed[place - 1] + 1.0);
            }
            let over: f64 = placed.iter().zip(&wanted).map(|(placed, wanted)| placed - wanted).sum();
            let back = over / column.len().max(1) as f64;
            for (&node, placed) in column.iter().zip(&placed) {
                row[node as usize] = placed - back;
            }
        }
    }
    let top = row.iter().copied().fold(f64::INFINITY, f64::min);
    for row in row.iter_mut() {
        *row -= top;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(weights: &[i64], edges: &[(u32, u32)]) -> Layered {
        Drawing { weights, edges }.layered()
    }

    #[test]
    fn the_longest_path_and_the_slack_beside_it_are_found() {
        // 0 - 1 - 3 takes 6, 0 - 2 - 3 takes 4, and 4 stands alone with 5.
        let graph = drawn(&[1, 4, 2, 1, 5], &[(0, 1), (0, 2), (1, 3), (2, 3)]);
        assert_eq!((graph.length, graph.critical), (6, vec![0, 1, 3]));
        assert_eq!(graph.slack, [0, 0, 2, 0, 1]);
        assert_eq!(graph.layer, [0, 1, 1, 2, 0]);
    }

    #[test]
    fn no_two_nodes_of_a_layer_lie_on_each_other_and_parallel_chains_do_not_cross() {
        let edges: Vec<(u32, u32)> = (0..5).map(|chain| (chain, 9 - chain)).collect();
        let graph = drawn(&[1; 10], &edges);
        for column in 0..2 {
            let of = |node: &usize| graph.layer[*node] == column;
            let mut rows: Vec<f64> = (0..10).filter(of).map(|node| graph.row[node]).collect();
            rows.sort_by(f64::total_cmp);
            assert!(rows.windows(2).all(|pair| pair[1] - pair[0] > 0.999), "{rows:?}");
        }
        for &(a, b) in &edges {
            for &(c, d) in &edges {
                let crossed = (graph.row[a as usize] - graph.row[c as usize])
                    * (graph.row[b as usize] - graph.row[d as usize]);
                assert!(crossed >= 0.0, "{a}-{b} crosses {c}-{d}");
            }
        }
    }

    #[test]
    fn a_cycle_and_nothing_at_all_are_drawn_too() {
        let graph = drawn(&[1, 1], &[(0, 1), (1, 0)]);
        assert_eq!(graph.layer.len(), 2);
        assert_eq!(drawn(&[], &[]), Layered::default());
    }
}
