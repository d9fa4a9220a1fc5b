//! Events: pages of the log, and a stream from any position.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event as Sent, KeepAlive};
use futures_util::Stream;
use kapell_api::{ErrorCode, Event, Events, Problem};
use kapell_core::Record;
use kapell_model::{AgentId, Moment, Name, Position, TaskId};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

use super::door::{Asked, Door};
use super::problem::Refusals;
use super::published::{about, event};
use super::{App, Log, Refusal, parse};
use crate::admission::RETRY_AFTER;
use crate::fleet::Shown;
use crate::open::record_of;

/// Rows that are looked at for one page.
const EXAMINED_MAX: usize = 20_000;
/// Rows that a stream reads at once. It holds them until they are sent, and a reader may take its time: a thousand readers that
/// have stopped reading hold a thousand pages.
const STREAM_PAGE: usize = 256;
/// Events on their way to one slow reader.
const STREAM_BUFFER: usize = 256;
/// Pause between two signs of life on a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct EventQuery {
    /// Only events behind this position; 0 where absent.
    after: Option<u64>,
    /// Events a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
    /// Only events of this task, T-12 or its key.
    task: Option<String>,
    /// Only events of this agent.
    agent: Option<String>,
    /// Only events of this kind, such as `task.assigned`.
    kind: Option<String>,
}

struct Filter {
    /// Which, and where in the log it was submitted.
    task: Option<(TaskId, Position)>,
    agent: Option<AgentId>,
    kind: Option<String>,
}

impl Filter {
    fn passes(&self, record: &Record) -> bool {
        let about = about(&record.event);
        self.task.is_none_or(|(task, _)| about.task == Some(task))
            && self.agent.is_none_or(|agent| about.agent == Some(agent))
            && self.kind.as_ref().is_none_or(|kind| record.event.kind() == kind)
    }
}

/// Returns a page of the log.
#[utoipa::path(get, path = "/v1/events", params(EventQuery), tag = "events",
    responses((status = 200, body = Events), Refusals))]
pub(super) async fn list(door: Door, Asked(query): Asked<EventQuery>) -> Result<Json<Events>, Refusal> {
    let limit = super::agents::limit(query.limit)?;
    let after = known("after", query.after.unwrap_or(0), &door)?;
    let (filter, names) = filter(&door, &query).await?;
    let durable = door.app.fleet.durable();
    // Before a task was submitted there is nothing about it.
    let after = filter.task.map_or(after, |(_, submitted)| after.max(submitted.0.saturating_sub(1)));
    let (records, read) = door.app.log.after(after, EXAMINED_MAX).await?;
    let mut passing = records.iter().filter(|record| filter.passes(record));
    let events: Vec<Event> = passing.by_ref().take(limit).map(|record| event(record, &names)).collect();
    let more = passing.next().is_some();
    let next_after = if more { events.last().map_or(read, |event| event.position) } else { read };
    Ok(Json(Events { at_end: !more && read >= durable.0, events, next_after }))
}

/// Checks a position from which somebody goes on: one that the log does not have is of another log.
fn known(field: &str, position: u64, door: &Door) -> Result<u64, Problem> {
    let durable = door.app.fleet.durable().0;
    if position > durable {
        return Err(Problem::field(
            field,
            position.to_string(),
            format!("0 to {durable}, the last position"),
        ));
    }
    Ok(position)
}

async fn filter(door: &Door, query: &EventQuery) -> Result<(Filter, Vec<Name>), Refusal> {
    let task = query.task.as_deref().map(|task| parse::task("task", task)).transpose()?;
    let agent = query.agent.as_deref().map(|agent| parse::name("agent", agent)).transpose()?;
    if let Some(kind) = query.kind.as_ref().filter(|kind| !kapell_core::Event::KINDS.contains(&kind.as_str()))
    {
        let given = format!("`{}`", kind.escape_default().take(100).collect::<String>());
        return Err(Problem::field("kind", given, kapell_core::Event::KINDS.join(", ")).into());
    }
    let kind = query.kind.clone();
    let found = door.app.fleet.query(move |view| -> Result<_, Problem> {
        let missing = |what: &str| Problem::new(ErrorCode::NotFound, format!("there is no such {what}"));
        let task = task.map(|task| view.state.task_id(&task).ok_or_else(|| missing("task"))).transpose()?;
        let agent = agent
            .map(|agent| view.state.agent_id(agent.as_str()).ok_or_else(|| missing("agent")))
            .transpose()?;
        let task = task.map(|task| (task, view.state.task(task).submitted));
        let names = view.state.agents().iter().map(|agent| agent.spec.name.clone()).collect();
        Ok((Filter { task, agent, kind }, names))
    });
    Ok(found.await??)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamQuery {
    /// Only events behind this position; 0 where absent. The header `Last-Event-ID` goes before it.
    after: Option<u64>,
}

/// Streams events from any position on, each as it becomes durable: `id` is the position, `event` the kind, `data`
/// the event as JSON.
#[utoipa::path(get, path = "/v1/events/stream", params(StreamQuery,
        ("Last-Event-ID" = Option<u64>, Header, description = "the last position that was received")),
    tag = "events",
    responses((status = 200, body = String, content_type = "text/event-stream"), Refusals))]
pub(super) async fn stream(
    door: Door,
    headers: HeaderMap,
    Asked(query): Asked<StreamQuery>,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, Refusal> {
    let after = match headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default().parse()) {
        Some(Ok(position)) => known("Last-Event-ID", position, &door)?,
        Some(Err(_)) => {
            return Err(Problem::field("Last-Event-ID", "no number", "a position of the log").into());
        }
        None => known("after", query.after.unwrap_or(0), &door)?,
    };
    let Ok(permit) = Arc::clone(&door.app.streams).try_acquire_owned() else {
        return Err(crate::fleet::Refused::Busy { after: RETRY_AFTER }.into());
    };
    let (sender, receiver) = mpsc::channel(STREAM_BUFFER);
    let app = door.app;
    tokio::spawn(async move {
        let _ = feed(&app, after, &sender).await;
        drop(permit);
    });
    let sent = ReceiverStream::new(receiver).map(|event: Arc<Shown>| {
        Ok(Sent::default().id(event.position.to_string()).event(event.kind).data(&event.json))
    });
    Ok(Sse::new(sent).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Sends what is in the log, then what comes; one that falls behind is served from the log again.
async fn feed(app: &App, mut after: u64, sender: &mpsc::Sender<Arc<Shown>>) -> Result<(), Refusal> {
    let mut live = app.fleet.subscribe();
    loop {
        loop {
            let (records, read) = app.log.after(after, STREAM_PAGE).await?;
            if read == after {
                break;
            }
            let names = app.fleet.names();
            let fresh = records.iter().map(|record| Arc::new(shown(record, &names)));
            if !send(fresh, &mut after, sender).await {
                return Ok(());
            }
            after = read;
        }
        loop {
            tokio::select! {
                () = sender.closed() => return Ok(()),
                batch = live.recv() => match batch {
                    Ok(batch) => {
                        // Whoever is first shows the batch for everybody.
                        let shown = batch.shown.get_or_init(|| {
                            let names = app.fleet.names();
                            batch.records.iter().map(|record| Arc::new(shown(record, &names))).collect()
                        });
                        if !send(shown.iter().cloned(), &mut after, sender).await {
                            return Ok(());
                        }
                    }
                    Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return Ok(()),
                }
            }
        }
    }
}

fn shown(record: &Record, names: &[Name]) -> Shown {
    let event = event(record, names);
    let json = serde_json::to_string(&event).unwrap_or_default();
    Shown { position: event.position, kind: record.event.kind(), json }
}

/// Sends the events behind `after`. Returns whether anybody is still there.
async fn send(
    events: impl Iterator<Item = Arc<Shown>>,
    after: &mut u64,
    sender: &mpsc::Sender<Arc<Shown>>,
) -> bool {
    for event in events {
        if event.position > *after {
            *after = event.position;
            if sender.send(event).await.is_err() {
                return false;
            }
        }
    }
    true
}

impl Log {
    /// Reads up to `max` events behind `after`, and returns how far it came; waits for the disk.
    pub(crate) fn read(&self, after: u64, max: usize) -> Result<(Vec<Record>, u64), String> {
        self.read_kinds(after, max, |_| true)
    }

    /// Looks at up to `max` events behind `after`, and returns those of a kind that is wanted and how far it came; waits for the
    /// disk. The others cost next to nothing.
    pub(crate) fn read_kinds(
        &self,
        after: u64,
        max: usize,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(Vec<Record>, u64), String> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut actor: Arc<str> = Arc::from("");
        let mut records = Vec::new();
        let mut wrong = None;
        let read = reader.read(self.key, after, max, &mut |row| {
            if !wanted(row.kind) {
                return;
            }
            match record_of(&row, &mut actor) {
                Ok(record) => records.push(record),
                Err(error) => wrong = Some(error.to_string()),
            }
        });
        match (read, wrong) {
            (Ok(read), None) => Ok((records, read)),
            (Err(error), _) => Err(error.to_string()),
            (Ok(_), Some(error)) => Err(error),
        }
    }

    /// Reads up to `max` events behind `after`, and returns how far it came.
    pub(crate) async fn after(&self, after: u64, max: usize) -> Result<(Vec<Record>, u64), Refusal> {
        let log = self.clone();
        let read = tokio::task::spawn_blocking(move || log.read(after, max));
        let failed = |detail: String| {
            tracing::error!(%detail, "the log could not be read");
            Problem::new(ErrorCode::Internal, format!("the log could not be read: {detail}"))
        };
        let read = read.await.map_err(|error| failed(error.to_string()))?;
        Ok(read.map_err(failed)?)
    }

    /// Reads the event at `position`.
    pub(crate) async fn record(&self, position: Position) -> Result<Option<Record>, Refusal> {
        let (mut records, _) = self.after(position.0.saturating_sub(1), 1).await?;
        Ok(records.pop().filter(|record| record.position == position))
    }

    /// Returns the position behind which the first event not before `moment` lies, within `first` to `last`.
    pub(crate) async fn before(&self, moment: Moment, first: u64, last: u64) -> Result<u64, Refusal> {
        let (mut low, mut high) = (first, last);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.record(Position(middle + 1)).await? {
                Some(record) if record.at < moment => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use kapell_store::{MemoryDisk, RowBatch, Store as _};

    use super::*;

    #[test]
    fn what_is_not_wanted_is_not_decoded() {
        let mut store = MemoryDisk::new().open();
        let head = store.open_fleet("default").expect("a fleet");
        let task = r#"{"task":1,"spec":{"title":"t","kind":"task","priority":"low"},"estimate":1}"#;
        let mut rows = RowBatch::new();
        for (kind, body) in [("task.started", "{}"), ("task.submitted", task), ("task.started", "{}")] {
            rows.push(1, [1; 16], "admin", kind, |out| out.extend_from_slice(body.as_bytes()));
        }
        store.append(head.key, head.epoch, 0, &rows).expect("it is taken");
        let log = Log { reader: Arc::new(Mutex::new(Box::new(store))), key: head.key };
        let (records, until) = log.read_kinds(0, 10, |kind| kind == "task.submitted").expect("it is read");
        let found: Vec<u64> = records.iter().map(|record| record.position.0).collect();
        assert_eq!((found, until), (vec![2], 3));
        assert!(log.read(0, 10).is_err(), "the others are none that can be decoded");
        let (records, until) = log.read_kinds(2, 10, |kind| kind == "task.submitted").expect("it is read");
        assert_eq!((records.len(), until), (0, 3));
    }
}
