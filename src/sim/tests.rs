use super::*;

/// Simulations that the tests lead; `sferic sim` leads as many as are asked for.
const SEEDS: u64 = 300;

#[test]
fn the_promises_hold_through_crashes_failures_and_other_numbers_of_executors() {
    let stories: Vec<Story> =
        (0..SEEDS).map(|seed| simulate(seed).unwrap_or_else(|failure| panic!("{failure}"))).collect();
    let sum = |of: fn(&Story) -> usize| stories.iter().map(of).sum::<usize>();
    assert!(sum(|story| story.killed) > 100, "too few processes were killed to mean anything");
    assert!(sum(|story| story.failed) > 20, "too few stores failed to mean anything");
    assert!(sum(|story| story.drained) > 10, "too few processes were asked to stop to mean anything");
    assert!(sum(|story| story.refused) > 20, "too few writes were refused to mean anything");
    assert!(sum(|story| story.compared) > 1000, "too few entries were compared exactly to mean anything");
}

/// Seeds that have found something: what timers change at the end of input must become durable; broken records that
/// wait for the first good one wait for it after a restart too.
#[test]
fn seeds_that_once_failed_hold() {
    for seed in [6637, 13570, 18051, 30119, 40673] {
        simulate(seed).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn a_seed_gives_the_same_simulation_every_time() {
    for seed in [1, 2, 3, 5, 8] {
        assert_eq!(simulate(seed), simulate(seed));
    }
}
