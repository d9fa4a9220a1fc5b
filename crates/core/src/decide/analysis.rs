//! Reads a task's text, where something was not declared (SEMANTICS 2.2).

use std::sync::Arc;

use kapell_model::{DependencyKind, Inference, Name, TaskId, TaskState, limits, mention};

use super::require_state;
use crate::analysis::{
    Analysis, Evidence, Field, InferredEdge, InferredRequire, PassedOver, Unresolved, requirements,
};
use crate::command::{TaskRef, TaskSpec};
use crate::engine::Reply;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;

/// What nobody works on yet can be read again.
const UNOWNED: &[TaskState] = &[TaskState::Blocked, TaskState::Ready, TaskState::Deferred];

impl State {
    /// Reads the text of a new task; nothing where it says nothing, or the policy does not want it.
    pub(super) fn analysed(
        &self,
        spec: &TaskSpec,
        declared: &[(TaskId, DependencyKind)],
    ) -> Option<Arc<Analysis>> {
        let mut analysis = Analysis { requires: self.inferred_requires(spec), ..Analysis::default() };
        self.read_waits(spec, declared, &mut analysis);
        Some(Arc::new(analysis)).filter(|analysis| **analysis != Analysis::default())
    }

    /// Infers what a task needs, where it declares nothing and has not ended.
    fn inferred_requires(&self, spec: &TaskSpec) -> Vec<InferredRequire> {
        let wanted =
            self.policy.inference == Inference::On && spec.requires.is_empty() && spec.closed.is_none();
        if wanted { requirements(&self.vocabulary, spec) } else { Vec::new() }
    }

    /// Finds what an imported task says that it waits for. What is declared in any way between the two tasks stands: its
    /// author knew both. A task that has failed or was called off is nothing to wait for on a guess.
    fn read_waits(&self, spec: &TaskSpec, declared: &[(TaskId, DependencyKind)], analysis: &mut Analysis) {
        let imported = spec.source.is_some() && spec.closed.is_none();
        if self.policy.inference == Inference::Off || !imported {
            return;
        }
        let own = spec.key.as_ref().map(Name::as_str);
        for (field, text) in [(Field::Title, &spec.title), (Field::Description, &spec.description)] {
            for said in mention::waits(text.as_str(), own) {
                let evidence = || Evidence { field, words: said.words.into() };
                let found = mention::keys(said.name, own)
                    .into_iter()
                    .find_map(|key| self.task_keys.get(key.as_str()));
                let full = declared.len() + analysis.edges.len() >= limits::DEPENDENCIES_MAX;
                match found.map(|&found| self.stands_for(found)) {
                    Some(on) if full || self.is_settled_between(on, declared, analysis) => {}
                    Some(on) if self.is_given_up(on) => {
                        analysis
                            .passed_over
                            .push(PassedOver { because: Unresolved::Ended, evidence: evidence() });
                    }
                    Some(on) => analysis.edges.push(InferredEdge { on, evidence: evidence() }),
                    None if mention::is_of_form(said.name, own) && own != Some(said.name) => {
                        analysis
                            .passed_over
                            .push(PassedOver { because: Unresolved::Unknown, evidence: evidence() });
                    }
                    None => {}
                }
            }
        }
        analysis.passed_over.truncate(limits::MENTIONS_MAX);
    }

    fn is_settled_between(
        &self,
        on: TaskId,
        declared: &[(TaskId, DependencyKind)],
        analysis: &Analysis,
    ) -> bool {
        declared.iter().any(|(other, _)| *other == on) || analysis.edges.iter().any(|edge| edge.on == on)
    }

    fn is_given_up(&self, on: TaskId) -> bool {
        matches!(self.task(on).state(), TaskState::Failed | TaskState::Cancelled)
    }

    pub(super) fn analyse(&self, reference: &TaskRef, out: &mut Vec<Event>) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        require_state(task, "reading its text again", UNOWNED)?;
        out.extend(self.read_again(task.id, &task.spec));
        Ok(Reply::about(task.id))
    }

    /// Returns what follows from reading the text of an open task that nobody owns again, as after an edit or when the
    /// vocabulary has changed: what it needs, inferred edges that are new, and those that the text does not speak of any
    /// more. `spec` is what the task is from now on.
    pub(crate) fn read_again(&self, id: TaskId, spec: &TaskSpec) -> Vec<Event> {
        let task = self.task(id);
        let declared: Vec<_> = task
            .edges
            .iter()
            .filter(|edge| !edge.inferred || edge.waived)
            .map(|edge| (edge.on, edge.kind))
            .chain([(id, DependencyKind::Related)])
            .collect();
        let mut read = Analysis { requires: self.inferred_requires(spec), ..Analysis::default() };
        self.read_waits(spec, &declared, &mut read);
        let gone = task.edges.iter().filter(|edge| edge.inferred && edge.gates());
        let gone = gone.filter(|edge| read.edges.iter().all(|kept| kept.on != edge.on));
        let mut events: Vec<Event> =
            gone.map(|edge| Event::DependencyWaived { task: id, on: edge.on }).collect();
        let there = |on: TaskId| task.edges.iter().any(|edge| edge.on == on && edge.inferred && edge.gates());
        let mut kept = Vec::with_capacity(read.edges.len());
        let mut broken = Vec::new();
        for edge in std::mem::take(&mut read.edges) {
            if there(edge.on) {
                kept.push(edge);
            } else if self.is_member(edge.on, id)
                || !self.add_breaking(task, edge.on, true, &mut broken, &mut events)
            {
                read.passed_over.push(PassedOver { because: Unresolved::Cycle, evidence: edge.evidence });
            } else {
                kept.push(edge);
            }
        }
        read.edges = kept;
        read.passed_over.truncate(limits::MENTIONS_MAX);
        if task.analysis.as_deref().unwrap_or(&Analysis::default()) != &read {
            events.push(Event::TaskAnalysed { task: id, analysis: Arc::new(read) });
        }
        events
    }

    /// Tells whether `task` declares itself a part of `whole`: what is between them is declared already.
    fn is_member(&self, task: TaskId, whole: TaskId) -> bool {
        let parent = |edge: &crate::task::Edge| edge.kind == DependencyKind::ParentChild && edge.on == whole;
        self.task(task).edges.iter().any(parent)
    }
}
