//! What must hold of bottlenecks and of what is done about them.

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::{Mode, Span};

use crate::bottleneck::{Bottlenecks, Remedy};
use crate::state::State;

/// No agent is kept for longer.
const KEPT_MAX: Span = Span::hours(4);

pub(super) fn actions_end(state: &State) -> Result<(), String> {
    let it = &state.bottlenecks;
    let open: BTreeMap<_, _> =
        it.all.values().filter(|it| it.gone.is_none()).map(|it| (it.about.clone(), it.id)).collect();
    if open != it.open {
        return Err(format!("{open:?} are there, {:?} are kept", it.open));
    }
    let running: BTreeSet<_> =
        it.actions.values().filter(|it| it.ended.is_none()).map(|it| (it.expires_at, it.id)).collect();
    if running != it.running {
        return Err(format!("{running:?} run, {:?} are kept", it.running));
    }
    let mut again =
        Bottlenecks { all: it.all.clone(), actions: it.actions.clone(), ..Bottlenecks::default() };
    again.restore();
    let held = again.keepers == it.keepers && again.shorter == it.shorter && again.last == it.last;
    let held = held && again.sharing == it.sharing && again.batching == it.batching;
    if !held || again.together != it.together || again.digests != it.digests {
        return Err("the indexes of actions are not those of the actions".to_owned());
    }
    for action in it.actions.values() {
        let lasts = action.expires_at.since(action.at);
        if matches!(action.remedy, Remedy::Kept { .. }) && lasts > KEPT_MAX {
            return Err(format!("{} lasts {lasts}", action.id));
        }
        let there = it.get(action.bottleneck);
        if there.is_none() {
            return Err(format!("{} is about {}, which is forgotten", action.id, action.bottleneck));
        }
        if action.ended.is_none() && there.is_none_or(|bottleneck| bottleneck.gone.is_some()) {
            return Err(format!("{} is about {}, which is gone", action.id, action.bottleneck));
        }
    }
    Ok(())
}

/// What only reads is held shared where that is narrow.
pub(super) fn readers_share(state: &State) -> Result<(), String> {
    for held in state.reservations().held() {
        let alone = held.needs.iter().find(|need| need.mode == Mode::Reads && state.is_shared(need));
        if let Some(need) = alone {
            return Err(format!("{} holds {} alone, which is to be shared", held.id, need.resource));
        }
    }
    Ok(())
}

pub(super) fn kept_as_told(state: &State) -> Result<(), String> {
    for agent in state.agents() {
        let told: BTreeSet<_> = state.kept_for(agent.id);
        let view = state.situation.agent(agent.id);
        let seen: BTreeSet<_> = view.kept.iter().map(|&word| state.word(word)).collect();
        if told != seen {
            return Err(format!("`{}` is kept for {told:?}, placing sees {seen:?}", agent.spec.name));
        }
    }
    Ok(())
}
