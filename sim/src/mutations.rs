//! Looks for each seeded bug: a simulation that finds none of them could not find a real one either.

use crate::bug::Bug;
use crate::scenario::Scenario;
use crate::world::simulate;

/// How far a bug is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Hunt {
    /// Seeds that are played at most.
    pub seeds: u64,
    /// Steps of each.
    pub steps: u32,
}

/// Where a bug was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The bug.
    pub bug: Bug,
    /// The promise that it broke, and how.
    pub broken: crate::Broken,
    /// By which seed.
    pub seed: u64,
    /// At which of its steps.
    pub step: u64,
    /// Steps played in all, those of the seeds before included.
    pub steps: u64,
}

/// Looks for one bug.
#[must_use]
pub fn hunt(bug: Bug, hunt: Hunt) -> Option<Found> {
    let mut steps = 0;
    (0..hunt.seeds).find_map(|seed| {
        let scenario = Scenario::draw(seed, hunt.steps).with(Some(bug));
        match simulate(&scenario) {
            Ok(report) => {
                steps += report.steps;
                None
            }
            Err(violation) => {
                steps += violation.step;
                Some(Found { bug, broken: violation.broken, seed, step: violation.step, steps })
            }
        }
    })
}
