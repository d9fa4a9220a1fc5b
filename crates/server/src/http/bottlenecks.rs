//! What holds the work up, and what is done about it: listed, and shown with what was measured before and after.

use axum::Json;
use kapell_api as api;
use kapell_api::{Page, Problem};
use kapell_core::{BottleneckAction, Measure, Narrow, Remedy, State, Talk};
use kapell_model::AgentId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Refusal;
use super::agents::{cursor, limit};
use super::convert::time;
use super::door::{Asked, Door};
use super::problem::Refusals;

/// Actions that are shown with one bottleneck, and in one report.
const ACTIONS_MAX: usize = 20;
/// Bottlenecks that are looked at for one page; a page may be short, and the cursor goes on.
const EXAMINED_MAX: usize = 20_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct BottleneckQuery {
    /// `open` (where absent), `gone` or `all`.
    state: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

/// Lists what holds the work up, newest first, with what is or was done about it and whether that moved what was measured.
#[utoipa::path(get, path = "/v1/bottlenecks", params(BottleneckQuery), tag = "fleet",
    responses((status = 200, body = Page<api::Bottleneck>), Refusals))]
pub(super) async fn list(
    door: Door,
    Asked(query): Asked<BottleneckQuery>,
) -> Result<Json<Page<api::Bottleneck>>, Refusal> {
    let wanted = match query.state.as_deref() {
        None | Some("open") => Some(true),
        Some("gone") => Some(false),
        Some("all") => None,
        Some(other) => {
            let given = format!("`{}`", other.escape_default().take(100).collect::<String>());
            return Err(Problem::field("state", given, "open, gone, all").into());
        }
    };
    let (from, limit) = (cursor(query.cursor.as_deref())?, limit(query.limit)?);
    let found = door.app.fleet.query(move |view| {
        let (mut items, mut next) = (Vec::new(), from);
        let mut all = view.state.bottlenecks().newest().skip(from);
        for it in all.by_ref().take(EXAMINED_MAX) {
            if items.len() == limit {
                break;
            }
            next += 1;
            if wanted.is_none_or(|open| open == it.gone.is_none()) {
                items.push(bottleneck(view.state, it));
            }
        }
        let more = view.state.bottlenecks().newest().nth(next).is_some();
        Page { items, next_cursor: more.then(|| next.to_string()) }
    });
    Ok(Json(found.await?))
}

/// Shows a bottleneck with its actions, the newest first.
pub(super) fn bottleneck(state: &State, it: &kapell_core::Bottleneck) -> api::Bottleneck {
    let actions = state.bottlenecks().newest_actions().filter(|action| action.bottleneck == it.id);
    api::Bottleneck {
        kind: it.about.kind().as_str().to_owned(),
        about: about(state, &it.about),
        detail: it.detail.to_string(),
        id: Some(it.id.to_string()),
        severity: Some(it.severity.as_str().to_owned()),
        measured: Some(measured(it.gone.map_or(it.measure, |(_, measure)| measure), &it.about)),
        found_at: Some(time(it.at)),
        gone_at: it.gone.map(|(at, _)| time(at)),
        actions: actions.take(ACTIONS_MAX).map(|action| self::action(state, &it.about, action)).collect(),
    }
}

/// Shows the last actions, the newest first.
pub(super) fn last_actions(state: &State) -> Vec<api::BottleneckAction> {
    let all = state.bottlenecks().newest_actions();
    let about = |it: &BottleneckAction| state.bottlenecks().get(it.bottleneck).map(|it| &it.about);
    all.filter_map(|it| Some(action(state, about(it)?, it))).take(ACTIONS_MAX).collect()
}

/// Says what was measured of something, and in what.
fn measured(measure: Measure, about: &Narrow) -> api::Measured {
    let (of, scale) = match about {
        Narrow::Capability(_) | Narrow::Taker(_) => ("demand_over_supply", 100.0),
        Narrow::Resource(_) => ("wait_p90_ms", 1.0),
        Narrow::Pair(..) => ("messages_per_joint_task", 100.0),
        Narrow::Channel(_) => ("unread_per_member", 100.0),
    };
    api::Measured {
        of: of.to_owned(),
        value: decimal(measure.value) / scale,
        bound: decimal(measure.bound) / scale,
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is measured is far below 2^52")]
fn decimal(number: u64) -> f64 {
    number as f64
}

pub(super) fn about(state: &State, about: &Narrow) -> String {
    let name = |agent: AgentId| state.agent(agent).spec.name.to_string();
    match about {
        Narrow::Capability(name) => name.to_string(),
        Narrow::Taker(who) => who.to_string(),
        Narrow::Resource(resource) => resource.to_string(),
        Narrow::Pair(one, other) => format!("{} and {}", name(*one), name(*other)),
        Narrow::Channel(name) => name.to_string(),
    }
}

fn action(state: &State, narrow: &Narrow, it: &BottleneckAction) -> api::BottleneckAction {
    let name = |agent: AgentId| state.agent(agent).spec.name.to_string();
    let (does, agents) = match &it.remedy {
        Remedy::Training { capability } => (format!("asks for training in {capability}"), Vec::new()),
        Remedy::Staffing { who } => (format!("asks for somebody who can take it: {who}"), Vec::new()),
        Remedy::Kept { capability, agents } => {
            let agents: Vec<String> = agents.iter().map(|&agent| name(agent)).collect();
            (format!("keeps who is able for work that needs {capability}"), agents)
        }
        Remedy::ShorterLeases { resource, ttl } => {
            (format!("gives {resource} out for {ttl} at most"), Vec::new())
        }
        Remedy::Sharing { resource } => (format!("lets those share {resource} who only read it"), Vec::new()),
        Remedy::Batching { resource } => {
            (format!("serves those in line together who share {resource}"), Vec::new())
        }
        Remedy::DirectChannel { channel, pair: (one, other) } => {
            (format!("gives the pair the channel {channel}"), vec![name(*one), name(*other)])
        }
        Remedy::Together { pair: (one, other) } => {
            let does = "keeps what waits for the work of one of the pair with that one";
            (does.to_owned(), vec![name(*one), name(*other)])
        }
        Remedy::Digest { talk: Talk::Pair(one, other) } => {
            let does = "gathers what the pair send each other into digests";
            (does.to_owned(), vec![name(*one), name(*other)])
        }
        Remedy::Digest { talk: Talk::Channel(channel) } => {
            (format!("gathers what is said in {channel} into digests"), Vec::new())
        }
    };
    let effect = it.ended.map(|(_, _, after)| match after.value.cmp(&it.before.value) {
        std::cmp::Ordering::Less => "better",
        std::cmp::Ordering::Equal => "the same",
        std::cmp::Ordering::Greater => "worse",
    });
    api::BottleneckAction {
        id: it.id.to_string(),
        bottleneck: it.bottleneck.to_string(),
        about: about(state, narrow),
        kind: it.remedy.as_str().to_owned(),
        does,
        agents,
        at: time(it.at),
        expires_at: time(it.expires_at),
        ended_at: it.ended.map(|(at, ..)| time(at)),
        ended_because: it.ended.map(|(_, because, _)| because.as_str().to_owned()),
        before: measured(it.before, narrow),
        after: it.ended.map(|(_, _, after)| measured(after, narrow)),
        effect: effect.map(str::to_owned),
    }
}
