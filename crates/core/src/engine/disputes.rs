//! Disputes over tasks, ruled in the step in which they are opened (SEMANTICS 7, `TASK_DISPUTE`).

use kapell_model::{AgentId, AgentState, ConflictId, Considered, Parts, Placer, Ratio, fit};

use super::{Engine, Step};
use crate::decide::agents::own_text;
use crate::dispute::{Award, AwardRule, Dispute};
use crate::event::{Event, MoveCause};
use crate::mutation::mutated;
use crate::notice::NoticeKind;
use crate::state::State;
use crate::task::Task;

impl<P: Placer> Engine<P> {
    /// Awards a disputed task, fences the others and tells them why.
    pub(super) fn rule_dispute(&mut self, step: &mut Step<'_>, id: ConflictId) {
        let conflict = self.state.conflict(id).expect("a dispute that was just opened");
        let dispute = conflict.dispute().expect("a dispute").clone();
        let (parties, task) = (conflict.parties.clone(), self.state.task(conflict.tasks[0]).clone());
        let holder = parties[0];
        let award = if dispute.stalled && !mutated!(StalledHolderWins) {
            let considered = parties.iter().filter_map(|&party| self.considered_for(&task, party, holder));
            Award::among(holder, considered.collect())
        } else {
            Award { agent: holder, rule: AwardRule::LiveAssignment, considered: Vec::new() }
        };
        let mut out = Vec::new();
        self.state.award(id, &task, &dispute, &parties, award, &mut out);
        out.into_iter().for_each(|event| self.emit(step, event));
    }

    /// Scores a party of a dispute that could have the task; the holder as if it did not have it.
    fn considered_for(&mut self, task: &Task, party: AgentId, holder: AgentId) -> Option<Considered> {
        let (situation, class) = (&self.state.situation, task.class);
        let view = situation.agent(party);
        if party == holder {
            let scored = self.placer.consider(situation, class, party);
            let before = Ratio::of(
                u64::from(view.max.saturating_sub(view.active.saturating_sub(1))),
                u64::from(view.max),
            );
            let Parts { capability, performance, cohesion, .. } = scored.parts;
            let parts = Parts::weigh(situation.weights(), capability, before, performance, cohesion);
            return (view.state == AgentState::Online).then_some(Considered { agent: party, parts });
        }
        fit(situation.class(class), party, view).ok()?;
        if self.state.obstacle_to_move(task.id, party).is_some() {
            return None;
        }
        Some(self.placer.consider(situation, class, party))
    }
}

impl State {
    /// Puts an award into `out` with what follows: the move to the rightful owner, and why to all others.
    fn award(
        &self,
        id: ConflictId,
        task: &Task,
        dispute: &Dispute,
        parties: &[AgentId],
        award: Award,
        out: &mut Vec<Event>,
    ) {
        let (owner, holder) = (self.agent(award.agent).spec.name.clone(), parties[0]);
        let reason = self.award_text(dispute, parties, &award);
        let Award { agent, rule, considered } = award;
        let own = considered.iter().find(|it| it.agent == agent).copied();
        let told = format!("{id}: {} is `{owner}`'s, {reason}", task.id);
        out.push(Event::DisputeRuled {
            conflict: id,
            task: task.id,
            agent,
            rule,
            considered,
            reason: own_text(&reason),
        });
        if agent != holder {
            self.move_task(task, agent, MoveCause::Disputed, Some(&told), own.into_iter().collect(), out);
        }
        let text = format!("{told}; stop working on it");
        for &other in parties.iter().filter(|&&other| other != agent && other != holder) {
            self.notify(other, NoticeKind::DisputeRuled, Some(task.id), &text, None, out);
        }
    }

    /// Says in words by which part of the rule a task is whose.
    fn award_text(&self, dispute: &Dispute, parties: &[AgentId], award: &Award) -> String {
        let scores = || {
            let said = award
                .considered
                .iter()
                .map(|it| format!("`{}` {}", self.agent(it.agent).spec.name, it.parts.total));
            said.collect::<Vec<_>>().join(", ")
        };
        let token = dispute.assignment;
        match award.rule {
            AwardRule::LiveAssignment => format!("who holds {token}, which is live and not stalled"),
            AwardRule::HighestScore => {
                let holder = &self.agent(parties[0]).spec.name;
                format!("who has the highest score now that {token} of `{holder}` is stalled: {}", scores())
            }
            AwardRule::FirstClaim => {
                format!("whose claim was first: {token} is stalled, and none of them could have it now")
            }
        }
    }
}
