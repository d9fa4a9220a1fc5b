//! Breakdown (SEMANTICS 9): a task that is too large becomes several, and is archived.
//!
//! ```text
//! what it waited for -> PLANNING -> IMPLEMENTATION, one a component -> INTEGRATION -> TESTING -> what waited for it
//! ```
//! Where nobody has named the components yet, the implementations come with the end of the planning: as its agent has proposed.

use kapell_model::{AgentId, Moment, Ratio, Span, TaskId, Text};
use serde::{Deserialize, Serialize};

use crate::analysis::Analysis;
use crate::command::{Require, TaskSpec};
use crate::state::State;
use crate::task::Task;

/// How large a task is: four factors and their weighted mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factors {
    /// The mean of complexity / 5 and min(1, distinct capabilities / 5).
    pub technical: Ratio,
    /// min(1, estimate / 40 h).
    pub size: Ratio,
    /// min(1, dependencies / 10).
    pub dependencies: Ratio,
    /// The share of what is not known: acceptance criteria, estimate, answers to open questions, declared requirements.
    pub unknowns: Ratio,
    /// 0.35 technical + 0.30 size + 0.15 dependencies + 0.20 unknowns, each rounded before they are added.
    pub total: Ratio,
}

impl Factors {
    /// What each factor weighs.
    pub const WEIGHTS: [Ratio; 4] =
        [Ratio::micros(350_000), Ratio::micros(300_000), Ratio::micros(150_000), Ratio::micros(200_000)];

    fn of([technical, size, dependencies, unknowns]: [Ratio; 4]) -> Self {
        let parts = [technical, size, dependencies, unknowns];
        let weighed = Self::WEIGHTS.iter().zip(parts).map(|(weight, part)| weight.times(part).as_micros());
        Self { technical, size, dependencies, unknowns, total: Ratio::micros(weighed.sum()) }
    }
}

/// One part of the work that can be done by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// One line to a person.
    pub title: Text,
    /// All of it.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// Required capabilities; those of the whole where nothing stands here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Require>,
    /// The declared estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Span>,
}

/// Where the components come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentSource {
    /// Somebody has listed them.
    Declared,
    /// The checklist of the description.
    Checklist,
    /// The headed sections of the description.
    Sections,
    /// The agent that did the planning.
    Planning,
    /// A model that was asked.
    Model,
}

impl ComponentSource {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Checklist => "checklist",
            Self::Sections => "sections",
            Self::Planning => "planning",
            Self::Model => "model",
        }
    }
}

/// What a subtask is of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// How it is to be done.
    Planning,
    /// One component.
    Implementation,
    /// The components together.
    Integration,
    /// Whether it is as it should be.
    Testing,
}

impl Part {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Implementation => "implementation",
            Self::Integration => "integration",
            Self::Testing => "testing",
        }
    }
}

/// What a task was broken down into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakdown {
    /// When.
    pub at: Moment,
    /// Whether the policy wanted it; else somebody has asked.
    pub by_policy: bool,
    /// How large it was found to be.
    pub factors: Factors,
    /// Where the components come from; nothing while the planning is to say.
    pub source: Option<ComponentSource>,
    /// Which model has said them, where one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Text>,
    /// The first subtask.
    pub planning: TaskId,
    /// One a component.
    pub implementations: Vec<TaskId>,
    /// What puts them together.
    pub integration: TaskId,
    /// The last one.
    pub testing: TaskId,
    /// What whoever does the planning has proposed so far, and who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<(AgentId, Vec<Component>)>,
}

/// What a subtask belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The whole.
    pub of: TaskId,
    /// As what.
    pub part: Part,
    /// How deep below a task that is no part of another, at least 1.
    pub level: u8,
}

/// What breakdowns mean for one task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// What it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Membership>,
    /// What it has become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<Breakdown>,
    /// It is to be broken down before anybody works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Factors>,
}

impl Task {
    /// Returns what it is a part of.
    #[must_use]
    pub fn membership(&self) -> Option<&Membership> {
        self.breakdown.as_ref()?.member.as_ref()
    }

    /// Returns what it has become.
    #[must_use]
    pub fn broken_into(&self) -> Option<&Breakdown> {
        self.breakdown.as_ref()?.into.as_ref()
    }

    /// Tells whether it waits to be broken down.
    #[must_use]
    pub fn is_to_be_broken_down(&self) -> bool {
        self.breakdown.as_ref().is_some_and(|broken| broken.wanted.is_some())
    }

    /// Returns how deep it lies below a task that is no part of another; 0 for such a one.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.membership().map_or(0, |member| member.level)
    }
}

impl State {
    /// Works out how large a task is.
    #[must_use]
    pub fn factors(&self, task: &Task) -> Factors {
        self.factors_of(&task.spec, task.estimate, task.gates().count(), task.analysis.as_deref())
    }

    pub(crate) fn factors_of(
        &self,
        spec: &TaskSpec,
        estimate: Span,
        gates: usize,
        analysis: Option<&Analysis>,
    ) -> Factors {
        let inferred = analysis.map_or(0, |analysis| analysis.requires.len());
        let capabilities = if spec.requires.is_empty() { inferred } else { spec.requires.len() };
        let share = |count: usize, of: u64| Ratio::of((count as u64).min(of), of);
        let complexity = share(usize::from(spec.complexity_or_middle()), 5);
        let micros = complexity.as_micros() + share(capabilities, 5).as_micros();
        let full = self.policy.breakdown.estimate_max.0.unsigned_abs().max(1);
        let text = spec.description.as_str();
        let unknown = [
            !says_when_it_is_done(text),
            spec.estimate.is_none(),
            has_open_questions(text),
            spec.requires.is_empty() && inferred > 0,
        ];
        Factors::of([
            Ratio::micros(micros.div_ceil(2)),
            Ratio::of(estimate.0.clamp(0, i64::MAX).unsigned_abs().min(full), full),
            share(gates, 10),
            share(unknown.iter().filter(|is| **is).count(), 4),
        ])
    }

    /// Tells whether a task of that size should be broken down.
    #[must_use]
    pub fn needs_breakdown(&self, factors: &Factors, estimate: Span) -> bool {
        let policy = &self.policy.breakdown;
        factors.total >= policy.factor_min || estimate > policy.estimate_max
    }

    /// Visits the tasks that wait to be broken down, by id.
    pub fn breakdowns_wanted(&self) -> impl Iterator<Item = &Task> + '_ {
        self.breakdowns.iter().map(|&id| self.task(id))
    }

    /// Returns what stands for a task that was broken down: the last of its subtasks, and so on.
    pub(crate) fn stands_for(&self, mut id: TaskId) -> TaskId {
        while let Some(into) = self.task(id).broken_into() {
            id = into.testing;
        }
        id
    }

    // Folding.

    pub(crate) fn breakdown_wanted(&mut self, id: TaskId, factors: Option<Factors>) {
        self.change(id, |task| task.breakdown.get_or_insert_default().wanted = factors);
    }

    pub(crate) fn broken_down(&mut self, id: TaskId, into: Breakdown) {
        let level = self.tasks[id].level() + 1;
        self.joined(id, Part::Planning, level, into.planning);
        for &implementation in &into.implementations {
            self.joined(id, Part::Implementation, level, implementation);
        }
        self.joined(id, Part::Integration, level, into.integration);
        self.joined(id, Part::Testing, level, into.testing);
        self.change(id, |task| {
            let broken = task.breakdown.get_or_insert_default();
            (broken.into, broken.wanted) = (Some(into), None);
        });
    }

    fn joined(&mut self, of: TaskId, part: Part, level: u8, id: TaskId) {
        self.tasks[id].breakdown.get_or_insert_default().member = Some(Membership { of, part, level });
        self.touch(id);
    }

    pub(crate) fn components_proposed(&mut self, planning: TaskId, agent: AgentId, components: &[Component]) {
        let of = self.tasks[planning].membership().expect("a planning is a part").of;
        let broken = self.tasks[of].breakdown.as_mut().and_then(|broken| broken.into.as_mut());
        broken.expect("the whole was broken down").proposed = Some((agent, components.to_vec()));
        self.touch(of);
        self.touch(planning);
    }

    pub(crate) fn breakdown_planned(&mut self, of: TaskId, implementations: &[TaskId]) {
        let level = self.tasks[of].level() + 1;
        for &implementation in implementations {
            self.joined(of, Part::Implementation, level, implementation);
        }
        let broken = self.tasks[of].breakdown.as_mut().and_then(|broken| broken.into.as_mut());
        let into = broken.expect("the whole was broken down");
        into.implementations = implementations.to_vec();
        into.source = Some(ComponentSource::Planning);
        self.touch(of);
    }
}

/// Tells whether a text says by what it is known to be done.
fn says_when_it_is_done(text: &str) -> bool {
    let begins = |line: &str| {
        let line = line.trim_start_matches(['#', '*', '-', '_', ' ', '\t', '>']).to_lowercase();
        ["acceptance", "done when", "definition of done"].iter().any(|words| line.starts_with(words))
    };
    text.lines().any(begins)
}

/// Tells whether a text asks something, or leaves something open.
fn has_open_questions(text: &str) -> bool {
    let open = |line: &str| {
        let lower = line.to_lowercase();
        line.trim_end_matches(['*', '_', ' ', '\t', ')']).ends_with('?')
            || lower.contains("open question")
            || lower.split(|c: char| !c.is_alphanumeric()).any(|word| word == "tbd")
    };
    text.lines().any(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_weighted_and_rounded_part_by_part() {
        let half = Ratio::micros(500_000);
        assert_eq!(Factors::of([half; 4]).total, half);
        assert_eq!(
            Factors::of([Ratio::ONE, Ratio::ZERO, Ratio::ZERO, Ratio::ZERO]).total.as_micros(),
            350_000
        );
        assert_eq!(Factors::of([Ratio::ZERO, Ratio::ONE, Ratio::ONE, Ratio::ONE]).total.as_micros(), 650_000);
    }

    #[test]
    fn texts_say_when_it_is_done_and_what_is_open() {
        assert!(says_when_it_is_done("x\n## Acceptance criteria\n- y"));
        assert!(says_when_it_is_done("**Done when** it works"));
        assert!(!says_when_it_is_done("we are done with it"));
        assert!(has_open_questions("Which database?"));
        assert!(has_open_questions("the name is TBD"));
        assert!(!has_open_questions("use `?` for it, as agreed"));
    }
}
