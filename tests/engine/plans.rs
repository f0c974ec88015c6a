//! Plans of small graphs on channels of capacity 1: none locks up, and every tuple arrives as often as the graph says.

use super::{Rig, Row, TIGHT, World, bolt, spout};
use std::collections::BTreeMap;

/// A bolt of a graph: what it reads (nodes before it), whether it is keyed, and its tasks.
type Node = (Vec<usize>, bool, usize);

/// A graph: splits and tasks of each spout, and bolts; nodes are numbered spouts first.
#[derive(Debug)]
struct Graph {
    spouts: Vec<usize>,
    bolts: Vec<Node>,
}

const ROWS: i64 = 30;

impl Graph {
    fn text(&self, world: &World) -> String {
        let mut text = TIGHT.to_owned();
        for (n, tasks) in self.spouts.iter().enumerate() {
            text += &spout(world, &format!("c{n}"), *tasks, &format!("tasks = {tasks}"));
        }
        for (n, (from, keyed, tasks)) in self.bolts.iter().enumerate() {
            let names: Vec<String> = from.iter().map(|f| format!("\"c{f}\"")).collect();
            let (kind, key) = if *keyed { ("state", "key = \"key\"") } else { ("pass", "") };
            let id = format!("c{}", n + self.spouts.len());
            text += &bolt(&id, kind, &format!("[{}]", names.join(", ")), &format!("tasks = {tasks}\n{key}"));
        }
        // Nobody need read the last bolts: a sink reads everything.
        let all: Vec<String> = (0..self.bolts.len()).map(|n| format!("\"c{}\"", n + self.spouts.len())).collect();
        text + &bolt("sink", "log", &format!("[{}]", all.join(", ")), "")
    }

    /// How often a tuple of each spout reaches each node: the number of ways.
    fn ways(&self) -> Vec<Vec<i64>> {
        let count = self.spouts.len();
        let mut ways: Vec<Vec<i64>> = (0..count).map(|n| (0..count).map(|m| i64::from(n == m)).collect()).collect();
        for (from, ..) in &self.bolts {
            ways.push((0..count).map(|s| from.iter().map(|f| ways[*f][s]).sum()).collect());
        }
        ways
    }

    fn run(&self, executors: usize, seed: u64) {
        let world = World::default();
        let text = self.text(&world);
        for (n, tasks) in self.spouts.iter().enumerate() {
            for row in 0..ROWS {
                let seq = n as i64 * 1000 + row;
                world.feed(&format!("c{n}"), &(row as usize % tasks).to_string(), [Row::new(row * 5 % 7, seq, row)]);
            }
        }
        world.close_all();
        let mut rig = Rig::new(&text, &world, executors, seed);
        check_plan(&rig);
        rig.finish();
        rig.balanced();
        let mut seen: BTreeMap<(String, i64), i64> = BTreeMap::new();
        world.events().into_iter().for_each(|e| *seen.entry((e.bolt, e.seq)).or_default() += 1);
        let ways = self.ways();
        for (spout, row) in (0..self.spouts.len()).flat_map(|s| (0..ROWS).map(move |r| (s, r))) {
            let seq = spout as i64 * 1000 + row;
            let seen = |name: String| seen.get(&(name, seq)).copied().unwrap_or(0);
            let wanted = |node: usize| ways[node][spout];
            for node in self.spouts.len()..ways.len() {
                assert_eq!(seen(format!("c{node}")), wanted(node), "row {seq} at c{node} of {self:?}, seed {seed}");
            }
            let all: i64 = (self.spouts.len()..ways.len()).map(wanted).sum();
            assert_eq!(seen("sink".to_owned()), all, "row {seq} at the sink of {self:?}, seed {seed}");
        }
    }
}

/// Channels run from lower to higher pipelines, so there is no cycle; executors visit theirs from the highest down; no
/// two edges or tasks share a channel, and pipelines keep to one executor.
fn check_plan(rig: &Rig) {
    let plan = &rig.plan;
    let mut ends: Vec<_> = plan.channels.iter().map(|c| (c.from, c.bolt, c.edge, c.task)).collect();
    ends.sort_unstable();
    ends.dedup();
    assert_eq!(ends.len(), plan.channels.len(), "a channel is shared:\n{}", rig.picture());
    for channel in &plan.channels {
        assert!(channel.from < channel.to, "a channel runs upwards:\n{}", rig.picture());
    }
    for (n, pipeline) in plan.pipelines.iter().enumerate() {
        assert!(pipeline.tasks.iter().all(|t| plan.placement.executor(*t) == pipeline.executor));
        assert!(pipeline.tasks.iter().all(|t| plan.pipeline_of[t] == n));
    }
    for executor in &rig.executors {
        let ids: Vec<usize> = executor.pipelines.iter().map(|p| p.id).collect();
        assert!(ids.is_sorted_by(|a, b| a > b), "visited in the order {ids:?}:\n{}", rig.picture());
    }
}

/// All ways to choose inputs of a bolt among the nodes before it: each alone, and each two.
fn inputs(before: usize) -> Vec<Vec<usize>> {
    let pairs = (0..before).flat_map(|a| (a + 1..before).map(move |b| vec![a, b]));
    (0..before).map(|n| vec![n]).chain(pairs).collect()
}

const KINDS: [(bool, usize); 4] = [(false, 1), (false, 2), (true, 2), (true, 3)];

fn bolts(before: usize) -> impl Iterator<Item = Node> {
    inputs(before).into_iter().flat_map(|from| KINDS.map(|(keyed, tasks)| (from.clone(), keyed, tasks)))
}

fn run_all(spouts: &[usize], second: &dyn Fn(&Node) -> bool, seed: u64) {
    let count = spouts.len();
    for first in bolts(count) {
        for second in bolts(count + 1).filter(|b| second(b)) {
            let graph = Graph { spouts: spouts.to_vec(), bolts: vec![first.clone(), second] };
            (1..=3).for_each(|executors| graph.run(executors, seed + executors as u64));
        }
    }
}

#[test]
fn all_graphs_of_one_spout_and_two_bolts() {
    run_all(&[1], &|_| true, 10);
    run_all(&[2], &|_| true, 20);
}

#[test]
fn all_graphs_of_two_spouts_and_two_bolts() {
    run_all(&[1, 1], &|_| true, 30);
}

#[test]
fn all_shapes_of_three_bolts_behind_two_spouts_with_two_tasks() {
    // All shapes, each with kinds in a fixed rotation.
    let mut turn = 0;
    for a in inputs(2) {
        for b in inputs(3) {
            for c in inputs(4) {
                turn += 1;
                let kind = |n: usize| KINDS[(turn * 7 + n * 3 + turn / 4) % 4];
                let node = |from: &Vec<usize>, n: usize| (from.clone(), kind(n).0, kind(n).1);
                let graph = Graph { spouts: vec![2, 1], bolts: vec![node(&a, 0), node(&b, 1), node(&c, 2)] };
                graph.run(1 + turn % 3, turn as u64);
                graph.run(3, 1000 + turn as u64);
            }
        }
    }
}

#[test]
fn two_spouts_that_cross_keyed_bolts_under_many_schedules() {
    // Each bolt has a task at each spout, and reads both spouts and the other's rows.
    let bolts = vec![(vec![0, 1], true, 2), (vec![0, 1], true, 3), (vec![2, 3, 0], true, 2), (vec![4, 2], true, 3)];
    let graph = Graph { spouts: vec![2, 2], bolts };
    for seed in 0..60 {
        graph.run(2 + seed as usize % 2, seed);
    }
}

#[test]
fn random_graphs_of_five_components() {
    let mut random = super::Random(7);
    for seed in 0..150 {
        let spouts: Vec<usize> = (0..1 + random.below(2)).map(|_| 1 + random.below(2)).collect();
        let mut graph = Graph { spouts, bolts: Vec::new() };
        while graph.spouts.len() + graph.bolts.len() < 5 {
            let before = graph.spouts.len() + graph.bolts.len();
            let mut from: Vec<usize> = (0..before).filter(|_| random.below(2) == 0).collect();
            if from.is_empty() {
                from.push(random.below(before));
            }
            graph.bolts.push((from, random.below(2) == 0, 1 + random.below(3)));
        }
        graph.run(1 + seed as usize % 3, seed);
    }
}
