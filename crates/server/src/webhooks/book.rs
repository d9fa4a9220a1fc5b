//! What is kept of each subscription: how far it is, what waits to be tried again, what is dead.

use std::collections::BTreeSet;
use std::sync::Arc;

use kapell_model::{Moment, Name, Span};
use kapell_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use super::deliver::{Outcome, Tried};
use super::{DEAD_MAX, HOOKS_MAX, WAITING_MAX, WebhookError, secret};
use crate::writer::now;

/// The document in which the store keeps which subscriptions there are.
pub(super) const DOCUMENT: &str = "webhooks";
/// Why one does not go on whose document cannot be read.
const LOST: &str =
    "what was kept of it is missing or cannot be read: `kapell webhook remove` it and add it again";
/// Bytes of what came of an attempt that are kept.
const REASON_BYTES_MAX: usize = 200;

/// Every subscription of a fleet. No secrets.
#[derive(Debug)]
pub(super) struct Book {
    /// The name of this log in what is sent, so that events of two servers are told apart.
    pub(super) log: String,
    /// The last number that was given to one.
    last: u32,
    pub(super) hooks: Vec<Hook>,
}

/// The book as it is kept: each subscription has a document of its own, so that each has room for all that it may have to keep.
#[derive(Serialize, Deserialize)]
struct Index {
    log: String,
    last: u32,
    hooks: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    Of(u32),
    /// How it was kept before.
    Whole(Box<Hook>),
}

/// One subscription.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hook {
    /// Its number; never given again.
    pub(crate) id: u32,
    /// Its name.
    pub(crate) name: Name,
    /// Where its events go.
    pub(crate) url: String,
    /// Which events: CloudEvents types, `*` at the end stands for the rest.
    pub(crate) types: Arc<[String]>,
    /// When it was made.
    pub(crate) made_at: Moment,
    /// Every event up to there was accepted, waits, is dead, or was not asked for.
    pub(crate) cursor: u64,
    /// Since when it is stopped, and why.
    pub(crate) stopped: Option<(Moment, String)>,
    /// Events that were accepted.
    pub(crate) delivered: u64,
    /// When the last one was.
    pub(crate) delivered_at: Option<Moment>,
    /// What is tried again.
    pub(crate) waiting: Vec<Attempted>,
    /// What was tried too often.
    pub(crate) dead: Vec<Attempted>,
    /// Whether this only stands in the place of one whose document cannot be read. It never goes on, and is never kept: the document
    /// stays as it is.
    #[serde(skip)]
    pub(crate) lost: bool,
}

/// An event that was not accepted. What it said is in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempted {
    /// Where in the log it is.
    pub(crate) position: u64,
    /// Its kind.
    pub(crate) kind: String,
    /// Attempts so far.
    pub(crate) attempts: u32,
    /// When the first was.
    pub(crate) first_at: Moment,
    /// When the last was.
    pub(crate) last_at: Moment,
    /// When the next one is, where it waits.
    pub(crate) next_at: Moment,
    /// What came of the last one.
    pub(crate) reason: String,
}

/// What a delivery came to.
pub(super) struct Noted {
    pub(super) position: u64,
    pub(super) kind: String,
    /// Nothing where the event was not asked for.
    pub(super) tried: Option<Tried>,
}

impl Noted {
    /// Nothing up to `position` was asked for.
    pub(super) fn passed(position: u64) -> Self {
        Self { position, kind: String::new(), tried: None }
    }

    /// The event cannot be sent: the log does not have it.
    pub(super) fn lost(position: u64) -> Self {
        let reason = "the log does not have it".to_owned();
        let outcome = Outcome::Never { reason };
        Self { position, kind: String::new(), tried: Some(Tried { outcome, took: Span(0) }) }
    }
}

/// Returns the name of the document of one subscription.
pub(super) fn document(id: u32) -> String {
    format!("{DOCUMENT}/{id}")
}

impl Book {
    /// Reads what `store` keeps; where there is nothing, the book is a new one. A subscription that cannot be read is a stopped one.
    pub(super) fn load(store: &mut dyn Store) -> Result<Self, WebhookError> {
        let Some(bytes) = store.get_document(DOCUMENT)? else {
            return Ok(Self { log: format!("{:016x}", secret::chance()?), last: 0, hooks: Vec::new() });
        };
        let Index { log, last, hooks } = serde_json::from_slice(&bytes)?;
        let read = |entry| match entry {
            Entry::Whole(hook) => Ok((hook.id, Some(*hook))),
            Entry::Of(id) => Ok((id, stored(store, id)?)),
        };
        let found = hooks.into_iter().map(read).collect::<Result<Vec<_>, WebhookError>>()?;
        let mut names: BTreeSet<Name> =
            found.iter().filter_map(|(_, hook)| Some(hook.as_ref()?.name.clone())).collect();
        let hooks = found.into_iter().map(|(id, hook)| hook.unwrap_or_else(|| Hook::lost(id, &mut names)));
        Ok(Self { log, last, hooks: hooks.collect() })
    }

    /// Returns what is kept of which subscriptions there are.
    pub(super) fn index(&self) -> Result<Vec<u8>, WebhookError> {
        let hooks = self.hooks.iter().map(|hook| Entry::Of(hook.id)).collect();
        Ok(serde_json::to_vec(&Index { log: self.log.clone(), last: self.last, hooks })?)
    }

    pub(super) fn named(&self, name: &Name) -> Option<&Hook> {
        self.hooks.iter().find(|hook| hook.name == *name)
    }

    /// Refuses a name that is taken, and what is too many.
    pub(super) fn has_room(&self, name: &Name) -> Result<(), WebhookError> {
        if self.hooks.len() >= HOOKS_MAX {
            return Err(WebhookError::TooMany);
        }
        if self.named(name).is_some() {
            return Err(WebhookError::Taken);
        }
        Ok(())
    }

    pub(super) fn add(
        &mut self,
        name: Name,
        url: String,
        types: Vec<String>,
        cursor: u64,
        now: Moment,
    ) -> Hook {
        self.last += 1;
        let hook = Hook {
            id: self.last,
            name,
            url,
            types: types.into(),
            made_at: now,
            cursor,
            stopped: None,
            delivered: 0,
            delivered_at: None,
            waiting: Vec::new(),
            dead: Vec::new(),
            lost: false,
        };
        self.hooks.push(hook.clone());
        hook
    }
}

/// Reads one subscription; nothing where its document is missing or not what it should be.
fn stored(store: &mut dyn Store, id: u32) -> Result<Option<Hook>, StoreError> {
    // What is wrong in it is not said: it may be an address.
    match store.get_document(&document(id)) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes.unwrap_or_default()).ok()),
        Err(StoreError::Damaged(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Hook {
    /// Stands in the place of a subscription that cannot be read, under a name that is none of `names`.
    fn lost(id: u32, names: &mut BTreeSet<Name>) -> Self {
        let candidates = (0..).map(|more| match more {
            0 => format!("lost-{id}"),
            more => format!("lost-{id}-{more}"),
        });
        let mut fresh =
            candidates.filter_map(|name| Name::new(&name).ok()).filter(|name| !names.contains(name));
        let name = fresh.next().expect("not every name is taken");
        names.insert(name.clone());
        tracing::error!(webhook = %name, "what was kept of a webhook cannot be read; it is stopped");
        let now = now();
        let mut hook = Self {
            id,
            name,
            url: String::new(),
            types: Arc::default(),
            made_at: now,
            cursor: 0,
            stopped: None,
            delivered: 0,
            delivered_at: None,
            waiting: Vec::new(),
            dead: Vec::new(),
            lost: true,
        };
        hook.stop(now, LOST);
        hook
    }

    /// Tells where nothing new is delivered any more, in a word and with the reason.
    pub(crate) fn stuck(&self) -> Option<(&'static str, String)> {
        match &self.stopped {
            Some((_, reason)) => Some(("stopped", reason.clone())),
            None if self.dead.len() >= DEAD_MAX => {
                Some(("full", format!("{DEAD_MAX} dead letters: `kapell webhook retry` or `discard` them")))
            }
            None if self.waiting.len() >= WAITING_MAX => {
                Some(("full", format!("{WAITING_MAX} events wait to be tried again")))
            }
            None => None,
        }
    }

    pub(super) fn stop(&mut self, now: Moment, reason: &str) {
        self.stopped.get_or_insert_with(|| (now, reason.to_owned()));
    }

    /// Takes account of a delivery. `pause` gives the time until the next attempt after so many, nothing where there is none.
    pub(super) fn note(&mut self, noted: Noted, now: Moment, pause: &dyn Fn(u32) -> Option<Span>) {
        let Noted { position, kind, tried } = noted;
        let at = self.waiting.iter().position(|it| it.position == position);
        let before = at.map(|at| self.waiting.remove(at));
        self.cursor = self.cursor.max(position);
        let Some(Tried { outcome, .. }) = tried else { return };
        let before = before.unwrap_or(Attempted {
            position,
            kind,
            attempts: 0,
            first_at: now,
            last_at: now,
            next_at: now,
            reason: String::new(),
        });
        let tried = |mut reason: String| {
            reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
            Attempted { attempts: before.attempts + 1, last_at: now, reason, ..before }
        };
        match outcome {
            Outcome::Accepted { .. } => {
                self.delivered += 1;
                self.delivered_at = Some(now);
            }
            Outcome::Refused { reason, after, .. } => {
                let tried = tried(reason);
                match pause(tried.attempts) {
                    Some(pause) => {
                        let next_at = now.after(after.map_or(pause, |after| after.max(pause)));
                        self.waiting.push(Attempted { next_at, ..tried });
                    }
                    None => self.bury(tried),
                }
            }
            Outcome::Gone => {
                let reason = "410 Gone".to_owned();
                self.stop(now, "the receiver has answered 410 Gone; `kapell webhook resume` goes on");
                self.waiting.push(tried(reason));
            }
            Outcome::Never { reason } => self.bury(tried(reason)),
        }
    }

    fn bury(&mut self, letter: Attempted) {
        let at = self.dead.partition_point(|it| it.position < letter.position);
        self.dead.insert(at, letter);
    }

    /// Has dead ones tried again, the oldest first and as many as may wait, and what waits already. Returns how many.
    pub(super) fn retry(&mut self, position: Option<u64>, now: Moment) -> usize {
        let wanted = |it: &Attempted| position.is_none_or(|position| it.position == position);
        let mut room = WAITING_MAX.saturating_sub(self.waiting.len());
        for letter in std::mem::take(&mut self.dead) {
            if room > 0 && wanted(&letter) {
                room -= 1;
                self.waiting.push(Attempted { attempts: 0, ..letter });
            } else {
                self.dead.push(letter);
            }
        }
        let waiting = self.waiting.iter_mut().filter(|it| wanted(it));
        waiting.map(|it| it.next_at = now).count()
    }

    pub(super) fn discard(&mut self, position: Option<u64>) -> usize {
        let before = self.dead.len();
        self.dead.retain(|it| position.is_some_and(|position| it.position != position));
        before - self.dead.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook() -> Hook {
        let mut book = Book { log: "l".to_owned(), last: 0, hooks: Vec::new() };
        book.add(Name::new("pager").expect("a name"), "https://a".to_owned(), Vec::new(), 3, Moment(0))
    }

    fn noted(position: u64, outcome: Outcome) -> Noted {
        Noted { position, kind: "task.failed".to_owned(), tried: Some(Tried { outcome, took: Span(0) }) }
    }

    fn refused(after: Option<Span>) -> Outcome {
        Outcome::Refused { status: Some(500), reason: "500".to_owned(), after }
    }

    /// Two attempts, a second between them.
    fn pause(attempts: u32) -> Option<Span> {
        (attempts < 2).then_some(Span(1_000))
    }

    #[test]
    fn what_is_not_accepted_waits_and_then_is_dead_and_the_cursor_goes_on() {
        let mut hook = hook();
        hook.note(noted(5, refused(None)), Moment(10), &pause);
        assert_eq!((hook.cursor, hook.waiting.len(), hook.waiting[0].next_at), (5, 1, Moment(1_010)));
        hook.note(Noted::passed(9), Moment(20), &pause);
        hook.note(noted(10, Outcome::Accepted { status: 204 }), Moment(30), &pause);
        assert_eq!((hook.cursor, hook.delivered), (10, 1));
        hook.note(noted(5, refused(None)), Moment(2_000), &pause);
        assert_eq!((hook.waiting.len(), hook.dead.len(), hook.dead[0].attempts), (0, 1, 2));
        assert_eq!((hook.dead[0].first_at, hook.dead[0].last_at), (Moment(10), Moment(2_000)));
        assert_eq!(hook.cursor, 10, "an attempt again does not set it back");
        // Somebody has it tried again: from the first attempt on.
        assert_eq!(hook.retry(Some(7), Moment(3_000)), 0);
        assert_eq!(hook.retry(None, Moment(3_000)), 1);
        assert_eq!((hook.dead.len(), hook.waiting[0].attempts), (0, 0));
        hook.note(noted(5, Outcome::Accepted { status: 200 }), Moment(3_001), &pause);
        assert_eq!((hook.waiting.len(), hook.delivered), (0, 2));
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_but_not_for_less() {
        let mut hook = hook();
        hook.note(noted(5, refused(Some(Span(60_000)))), Moment(0), &pause);
        hook.note(noted(6, refused(Some(Span(1)))), Moment(0), &pause);
        let next: Vec<Moment> = hook.waiting.iter().map(|it| it.next_at).collect();
        assert_eq!(next, [Moment(60_000), Moment(1_000)]);
    }

    #[test]
    fn gone_stops_and_loses_nothing() {
        let mut hook = hook();
        hook.note(noted(5, Outcome::Gone), Moment(10), &pause);
        assert!(hook.stopped.as_ref().is_some_and(|(at, why)| *at == Moment(10) && why.contains("410")));
        assert_eq!((hook.waiting.len(), hook.dead.len()), (1, 0));
    }

    #[test]
    fn the_dead_are_in_order_and_discarded_one_by_one_or_all() {
        let mut hook = hook();
        for position in [9, 5, 7] {
            hook.note(Noted::lost(position), Moment(10), &pause);
        }
        assert_eq!(hook.dead.iter().map(|it| it.position).collect::<Vec<_>>(), [5, 7, 9]);
        assert_eq!((hook.discard(Some(7)), hook.discard(Some(7)), hook.discard(None)), (1, 0, 2));
    }

    #[test]
    fn no_more_wait_than_may_and_the_fullest_subscription_fits_its_document() {
        let mut hook = hook();
        let long = "\u{1}".repeat(10_000);
        for position in 0..DEAD_MAX as u64 {
            hook.note(noted(position, Outcome::Never { reason: long.clone() }), Moment(10), &pause);
        }
        assert!(hook.stuck().is_some_and(|(state, why)| state == "full" && why.contains("dead letters")));
        assert_eq!(hook.retry(None, Moment(20)), WAITING_MAX);
        assert!(hook.stuck().is_some_and(|(state, why)| state == "full" && why.contains("wait")));
        assert_eq!((hook.waiting.len(), hook.dead.len()), (WAITING_MAX, DEAD_MAX - WAITING_MAX));
        assert_eq!(hook.waiting[0].position, 0, "the oldest go first");
        assert_eq!(hook.retry(Some(500), Moment(20)), 0, "there is no room");
        for position in 0..WAITING_MAX as u64 {
            hook.note(noted(2_000 + position, Outcome::Never { reason: long.clone() }), Moment(10), &pause);
        }
        hook.url = "\u{1}".repeat(2_000);
        hook.types = vec!["\u{1}".repeat(crate::http::TYPE_BYTES_MAX); 50].into();
        let bytes = serde_json::to_vec(&hook).expect("JSON").len();
        assert!(bytes < kapell_store::limits::DOCUMENT_BYTES_MAX, "{bytes}");
    }

    #[test]
    fn a_book_that_was_kept_as_one_document_is_read() {
        let mut store = kapell_store::MemoryDisk::new().open();
        let before = serde_json::json!({"log": "l", "last": 1, "hooks": [hook()]}).to_string();
        store.put_document(DOCUMENT, before.as_bytes()).expect("it is kept");
        let book = Book::load(&mut store).expect("it is read");
        assert_eq!((book.log.as_str(), book.last, book.hooks[0].cursor), ("l", 1, 3));
        store
            .put_document(&document(1), &serde_json::to_vec(&book.hooks[0]).expect("JSON"))
            .expect("it is kept");
        store.put_document(DOCUMENT, &book.index().expect("JSON")).expect("it is kept");
        let again = Book::load(&mut store).expect("it is read");
        assert_eq!((again.last, again.hooks[0].name.to_string()), (1, "pager".to_owned()));
    }

    #[test]
    fn one_that_cannot_be_read_is_stopped_and_the_others_go_on() {
        let mut store = kapell_store::MemoryDisk::new().open();
        let index = r#"{"log":"l","last":3,"hooks":[1,2,3]}"#;
        store.put_document(DOCUMENT, index.as_bytes()).expect("it is kept");
        // The first is missing, the second is broken, the third has the name that would be given to the second.
        store.put_document(&document(2), b"{\"id\": 2").expect("it is kept");
        let third = Hook { id: 3, name: Name::new("lost-2").expect("a name"), ..hook() };
        store.put_document(&document(3), &serde_json::to_vec(&third).expect("JSON")).expect("it is kept");
        let book = Book::load(&mut store).expect("it is read");
        let shown: Vec<_> =
            book.hooks.iter().map(|it| (it.id, it.name.to_string(), it.lost, it.stuck().is_some())).collect();
        let lost = |id, name: &str| (id, name.to_owned(), true, true);
        assert_eq!(shown, [lost(1, "lost-1"), lost(2, "lost-2-1"), (3, "lost-2".to_owned(), false, false)]);
        assert_eq!(book.index().expect("JSON"), index.as_bytes(), "the list stays");
    }
}
