//! Circles of a graph.

use std::collections::{BTreeMap, BTreeSet};

/// Each node with those that it leads to.
pub(crate) type Graph = BTreeMap<String, BTreeSet<String>>;

/// The nodes that can be reached from one over at least one edge.
fn reached<'a>(graph: &'a Graph, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = vec![from];
    while let Some(node) = open.pop() {
        for next in graph.get(node).into_iter().flatten() {
            if reached.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    reached
}

/// The largest sets of nodes that reach each other, of two or more nodes.
pub(crate) fn circles(graph: &Graph) -> BTreeSet<Vec<String>> {
    let reach: BTreeMap<&str, _> = graph
        .keys()
        .map(|node| (node.as_str(), reached(graph, node)))
        .collect();
    let mutual = |a: &str, b: &str| {
        let leads = |from, to| reach.get(from).is_some_and(|set| set.contains(to));
        leads(a, b) && leads(b, a)
    };
    graph
        .keys()
        .map(|node| -> Vec<String> {
            let members = graph.keys().filter(|other| mutual(node, other));
            members.cloned().collect()
        })
        .filter(|members| members.len() > 1)
        .collect()
}

#[test]
fn two_nodes_that_lead_to_each_other_are_a_circle() {
    let edges = [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")];
    let mut graph = Graph::new();
    for (from, to) in edges {
        let leads = graph.entry(from.to_owned()).or_default();
        leads.insert(to.to_owned());
    }
    let expected = BTreeSet::from([vec!["b".to_owned(), "c".to_owned()]]);
    assert_eq!(circles(&graph), expected);
}
