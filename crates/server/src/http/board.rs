//! The board: every task as a card, and afterwards only what has changed.

use axum::Json;
use axum::response::{IntoResponse, Response};
use kapell_api::{Board, Card, Problem};
use kapell_core::{OfferState, State, Task};
use kapell_model::{Position, TaskState};
use serde::Deserialize;
use utoipa::IntoParams;

use super::door::{Asked, Door};
use super::problem::Refusals;
use super::{Refusal, convert};
use crate::fleet::View;

/// Cards of one board: more than a person can look through, little enough to be sent in a second.
const CARDS_MAX: usize = 20_000;
/// Cards of one answer with `since`; where more has changed, everything is asked for anew.
const CHANGED_MAX: usize = 5_000;
/// How often a board may be asked again, in ms, at least; and by how many tasks that grows by one.
const REFRESH_MIN: u32 = 200;
const TASKS_PER_MS: u32 = 50;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct BoardQuery {
    /// Only what has changed behind this position, `position` of the answer before; everything where absent.
    since: Option<u64>,
}

/// Returns the tasks as cards: all of them, at most 20,000, or those that have changed since a position.
#[utoipa::path(get, path = "/v1/board", params(BoardQuery), tag = "tasks",
    responses((status = 200, body = Board), Refusals))]
pub(super) async fn board(door: Door, Asked(query): Asked<BoardQuery>) -> Result<Response, Refusal> {
    let fleet = door.app.fleet.clone();
    let Some(since) = query.since else {
        let make = move || {
            let fleet = fleet.clone();
            async move { Ok(fleet.query(whole).await?) }
        };
        return door.app.shared.answer("board".to_owned(), make).await;
    };
    let board = fleet.query(move |view| {
        if since > view.state.position().0 {
            let allowed = format!("at most {}, the last position of the log", view.state.position().0);
            return Err(Problem::field("since", since.to_string(), allowed));
        }
        Ok(changed(view, since))
    });
    Ok(Json(board.await??).into_response())
}

fn whole(view: &View<'_>) -> Board {
    let tasks = view.state.tasks();
    let counts = view.state.counts();
    let ended: u32 =
        [TaskState::Completed, TaskState::Failed, TaskState::Cancelled].map(|it| counts.of(it)).iter().sum();
    let open = (counts.total() - ended) as usize;
    let (mut room_open, mut room_ended) = (CARDS_MAX.min(open), CARDS_MAX.saturating_sub(open));
    let mut shown: Vec<&Task> = Vec::with_capacity(tasks.len().min(CARDS_MAX));
    for task in tasks.iter().rev() {
        if room_open + room_ended == 0 {
            break;
        }
        let room = if task.is_open() { &mut room_open } else { &mut room_ended };
        if *room > 0 {
            *room -= 1;
            shown.push(task);
        }
    }
    let left_out = u32::try_from(tasks.len() - shown.len()).unwrap_or(u32::MAX);
    answered(view, shown.into_iter().rev().map(|task| card(view.state, task)).collect(), left_out, false)
}

fn changed(view: &View<'_>, since: u64) -> Board {
    let changed = view.state.changed_since(Position(since)).filter(|tasks| tasks.len() <= CHANGED_MAX);
    let anew = changed.is_none();
    let cards = changed.into_iter().flatten().map(|task| card(view.state, task));
    answered(view, cards.collect(), 0, anew)
}

fn answered(view: &View<'_>, cards: Vec<Card>, left_out: u32, anew: bool) -> Board {
    let tasks = u32::try_from(view.state.tasks().len()).unwrap_or(u32::MAX);
    Board {
        at: convert::time(view.now),
        position: view.state.position().0,
        cards,
        left_out,
        anew,
        refresh_ms: REFRESH_MIN.max(tasks / TASKS_PER_MS),
    }
}

fn card(state: &State, task: &Task) -> Card {
    let (spec, owner) = (&task.spec, task.owner.as_ref());
    let finisher = task.ending.as_ref().and_then(|ending| ending.by).map(|(agent, _)| agent);
    let agent = owner.map(|owner| owner.agent).or(finisher);
    let open_offer =
        |id: &&kapell_model::OfferId| state.offer(**id).is_some_and(|offer| offer.state == OfferState::Open);
    Card {
        id: task.id.to_string(),
        title: spec.title.to_string(),
        state: task.state().to_string(),
        since: convert::time(task.state_since),
        priority: task.effective.to_string(),
        kind: spec.kind.to_string(),
        key: spec.key.as_ref().map(ToString::to_string),
        project: spec.project.as_ref().map(ToString::to_string),
        agent: agent.map(|agent| state.agent(agent).spec.name.to_string()),
        percent: owner.filter(|owner| owner.started_at.is_some()).map(|owner| owner.percent),
        deadline: spec.deadline.map(convert::time),
        labels: spec.labels.iter().map(ToString::to_string).collect(),
        blockers: task.open_blockers,
        offers: u32::try_from(task.offers.iter().filter(open_offer).count()).unwrap_or(u32::MAX),
    }
}
