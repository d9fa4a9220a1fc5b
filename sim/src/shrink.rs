//! Cuts a failing play down: what can be left out without its failing otherwise is left out.

use std::ops::Range;

use crate::Violation;
use crate::scenario::{Knob, Scenario};
use crate::world::simulate;

/// A failing play, cut down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// The small play.
    pub scenario: Scenario,
    /// What it shows.
    pub violation: Violation,
    /// Steps that are left.
    pub steps: u32,
    /// Plays that it took.
    pub plays: u32,
}

/// Cuts a failing play down within so many plays. Nothing comes back where it does not fail.
#[must_use]
pub fn shrink(scenario: &Scenario, plays_max: u32) -> Option<Shrunk> {
    let violation = simulate(scenario).err()?;
    let steps = scenario.steps;
    let mut shrunk = Shrunk { scenario: scenario.clone(), violation, steps, plays: 1 };
    // Checked after every event, it fails where it first is so; what fails only then is not looked for.
    let mut exact = scenario.clone();
    exact.check_every = 0;
    shrunk.attempt(exact);
    shrunk.cut_end();
    for _ in 0..2 {
        shrunk.quieten();
        shrunk.dismiss();
        shrunk.cut_end();
        shrunk.drop_steps(plays_max);
    }
    shrunk.steps = shrunk.kept().iter().map(|range| range.end - range.start).sum();
    Some(shrunk)
}

impl Shrunk {
    /// Takes a smaller play where it shows the same promise broken.
    fn attempt(&mut self, smaller: Scenario) -> bool {
        self.plays += 1;
        match simulate(&smaller) {
            Err(violation) if violation.broken.id == self.violation.broken.id => {
                (self.scenario, self.violation) = (smaller, violation);
                true
            }
            _ => false,
        }
    }

    /// Leaves out what comes behind the failure.
    fn cut_end(&mut self) {
        // The step of a failure counts what was played, so the end is found from the kept steps.
        let mut left = u32::try_from(self.violation.step).unwrap_or(u32::MAX);
        for range in self.kept() {
            let length = range.end - range.start;
            if left <= length {
                let mut smaller = self.scenario.clone();
                smaller.steps = (range.start + left).min(smaller.steps);
                smaller.skip.retain(|skip| skip.start < smaller.steps);
                self.attempt(smaller);
                return;
            }
            left -= length;
        }
    }

    /// Takes away faults and mischief, one kind at a time.
    fn quieten(&mut self) {
        for &knob in Knob::ALL {
            if self.scenario.get(knob) > 0 {
                let mut smaller = self.scenario.clone();
                smaller.set(knob, 0);
                self.attempt(smaller);
            }
        }
    }

    /// Sends callers away.
    fn dismiss(&mut self) {
        for index in (0..self.scenario.agents.len()).rev() {
            if self.scenario.agents.len() > 1 {
                let mut smaller = self.scenario.clone();
                smaller.agents.remove(index);
                self.attempt(smaller);
            }
        }
        while self.scenario.managers > 1 {
            let mut smaller = self.scenario.clone();
            smaller.managers -= 1;
            if !self.attempt(smaller) {
                break;
            }
        }
    }

    /// Leaves out steps, in halves, quarters and so on.
    fn drop_steps(&mut self, plays_max: u32) {
        let mut size = self.scenario.steps / 2;
        while size > 0 {
            let mut at = 0;
            while at < self.scenario.steps {
                if self.plays >= plays_max {
                    return;
                }
                let end = (at + size).min(self.scenario.steps);
                if !covered(&self.scenario.skip, at, end) {
                    let mut smaller = self.scenario.clone();
                    smaller.skip = merged(&smaller.skip, at..end);
                    self.attempt(smaller);
                }
                at = end;
            }
            size /= 2;
        }
    }

    fn kept(&self) -> Vec<Range<u32>> {
        let (mut kept, mut at) = (Vec::new(), 0);
        for range in &self.scenario.skip {
            if range.start > at {
                kept.push(at..range.start);
            }
            at = at.max(range.end);
        }
        if at < self.scenario.steps {
            kept.push(at..self.scenario.steps);
        }
        kept
    }
}

fn covered(skip: &[Range<u32>], from: u32, to: u32) -> bool {
    skip.iter().any(|range| range.start <= from && to <= range.end)
}

/// Adds a range to ranges in order, none of which touch.
fn merged(skip: &[Range<u32>], new: Range<u32>) -> Vec<Range<u32>> {
    let mut all: Vec<Range<u32>> = skip.iter().cloned().chain(Some(new)).collect();
    all.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u32>> = Vec::new();
    for range in all {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_joined_where_they_touch() {
        let one = |range: Range<u32>| vec![range];
        assert_eq!(merged(&one(2..4), 4..6), one(2..6));
        assert_eq!(merged(&one(2..4), 6..8), [2..4, 6..8]);
        assert_eq!(merged(&[2..4, 8..9], 3..8), one(2..9));
    }
}
