//! Webhooks: what happens is told to addresses outside, so that an escalation reaches a person.
//!
//! Deliveries are effects beside the writer. Each subscription has a thread that follows the log behind its cursor, one delivery at a
//! time. What was not accepted waits to be tried again and lets later events pass; what was tried too often is dead and stays until
//! somebody retries or discards it. The cursor and both lists are kept in the store, the secrets in a file of their own, so that a
//! start goes on where the last one ended: at least once, nothing dropped unsaid.

mod body;
mod book;
mod deliver;
mod secret;
mod target;

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kapell_core::Record;
use kapell_model::{Moment, Name, Span};
use kapell_store::{Store, StoreError};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::fleet::Fleet;
use crate::http::Log;
use crate::writer::now;

pub(crate) use self::book::{Attempted, Hook};
use self::book::{Book, Noted};
use self::deliver::Sender;
pub(crate) use self::deliver::{Outcome, Tried};
use self::secret::Secrets;

pub(crate) use self::body::{TYPE_PREFIX, is_type};
pub(crate) use self::target::ALLOWED as TARGET_ALLOWED;

/// Subscriptions; each has a thread, so this bounds the deliveries under way too.
pub(crate) const HOOKS_MAX: usize = 32;
/// Deliveries of one subscription that wait to be tried again. While so many do, nothing new is begun: the log keeps it.
pub(crate) const WAITING_MAX: usize = 100;
/// Dead letters of one subscription. While so many are there, nothing new is begun.
pub(crate) const DEAD_MAX: usize = 1_000;
/// Events that say nothing and are on their way at once.
const TESTS_MAX: usize = 4;
/// Events that are read from the log at once.
const PAGE: usize = 256;
/// Time between two writes of what has been delivered: a crash repeats no more than that.
const KEEP_EVERY: Duration = Duration::from_secs(1);
/// Time until a write that failed is tried again.
const KEEP_AGAIN: Duration = Duration::from_secs(5);

/// How webhooks are delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookOptions {
    /// Whether addresses of this machine and of private networks may be targets. Not unless the admin says so.
    pub private_targets: bool,
    /// The pause before the second attempt; each further one is four times as long.
    pub retry_first: Duration,
    /// The longest pause.
    pub retry_max: Duration,
    /// Attempts until a delivery is dead.
    pub attempts_max: u32,
    /// Time for one attempt, from the look-up of the name to the head of the answer.
    pub timeout: Duration,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            private_targets: false,
            retry_first: Duration::from_secs(5),
            retry_max: Duration::from_secs(6 * 3_600),
            attempts_max: 9,
            timeout: Duration::from_secs(15),
        }
    }
}

impl WebhookOptions {
    /// Returns the pause after `attempts` attempts: times four with each, bounded, moved by up to a fifth either way by `chance`.
    fn pause(&self, attempts: u32, chance: u64) -> Span {
        let first = i64::try_from(self.retry_first.as_millis()).unwrap_or(i64::MAX);
        let most = i64::try_from(self.retry_max.as_millis()).unwrap_or(i64::MAX);
        let pause = first.saturating_mul(4_i64.saturating_pow(attempts.saturating_sub(1))).min(most);
        let fifths = i64::try_from(chance % 401).unwrap_or(0) - 200;
        Span(pause.saturating_add(pause / 1_000 * fifths + pause % 1_000 * fifths / 1_000))
    }
}

/// Why something about webhooks could not be done.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The storage says no.
    #[error("the webhooks could not be read or kept")]
    Store(#[from] kapell_store::StoreError),
    /// The document is not what it should be.
    #[error("the stored webhooks are not readable")]
    Body(#[from] serde_json::Error),
    /// No random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// The file of the secrets.
    #[error("the file of the webhooks' secrets, {}, could not be read or written", path.display())]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[source] std::io::Error),
    /// There is none of that name.
    #[error("there is no such webhook")]
    Unknown,
    /// There is one of that name.
    #[error("there is a webhook of that name")]
    Taken,
    /// Too many.
    #[error("webhooks are limited to {HOOKS_MAX}")]
    TooMany,
    /// The address cannot be a target.
    #[error("{0}")]
    Target(String),
    /// As many secrets of one as may sign at once.
    #[error("{} secrets of it sign already; the oldest must end first", secret::ACTIVE_MAX)]
    Secrets,
}

/// Every webhook of one fleet.
#[derive(Clone)]
pub(crate) struct Webhooks {
    inner: Arc<Inner>,
    /// Turns to send an event that says nothing: whoever sends one waits for what comes of it.
    turns: Arc<Semaphore>,
}

struct Inner {
    /// Locked before the state, never behind it: a change is written to its file meanwhile, and who serves waits for no file.
    secrets: Mutex<Secrets>,
    state: Mutex<State>,
    changed: Condvar,
    /// Told when a subscription is made.
    added: Notify,
    /// Gone once the server stops. Locked before the state, never behind it.
    store: Mutex<Option<Box<dyn Store>>>,
    fleet: Fleet,
    log: Log,
    sender: Sender,
    options: WebhookOptions,
}

struct State {
    book: Book,
    unkept: Unkept,
    /// When something was last kept.
    kept: Instant,
    /// Before this nothing is kept by itself: the last write has failed, or is under way.
    keep_from: Option<Instant>,
    /// Whether it was said that nothing can be kept.
    failing: bool,
    /// Told where the store is of no use any more.
    failed: Option<oneshot::Sender<StoreError>>,
    stopping: bool,
}

/// What has changed and is not kept.
#[derive(Default)]
struct Unkept {
    /// Which subscriptions there are.
    index: bool,
    /// These subscriptions; those among them that are gone too.
    hooks: BTreeSet<u32>,
}

impl Unkept {
    fn is_empty(&self) -> bool {
        !self.index && self.hooks.is_empty()
    }
}

/// Events that were read ahead for a subscription: those that it asks for, behind `after` and up to `until`.
#[derive(Default)]
struct Page {
    after: u64,
    until: u64,
    records: VecDeque<Record>,
}

/// What a subscription's thread does next.
enum Step {
    /// Tries the event at this position again.
    Again(u64),
    /// Goes on in the log.
    Fresh { after: u64, types: Arc<[String]> },
}

impl Webhooks {
    /// Reads what `store` and the file of secrets in `directory` hold, and begins to deliver.
    pub(crate) fn load(
        mut store: Box<dyn Store>,
        directory: &Path,
        (fleet, log): (Fleet, Log),
        options: WebhookOptions,
    ) -> Result<Self, WebhookError> {
        let mut book = Book::load(store.as_mut())?;
        let secrets = Secrets::load(directory)?;
        for hook in &mut book.hooks {
            if secrets.active(&hook.name, now()).is_empty() {
                hook.stop(now(), secret::MISSING);
            }
        }
        let sender = Sender::new(&options);
        // Everything is kept anew: a document of an earlier form becomes one of this.
        let unkept = Unkept { index: true, hooks: book.hooks.iter().map(|hook| hook.id).collect() };
        let state = State {
            book,
            unkept,
            kept: Instant::now(),
            keep_from: None,
            failing: false,
            failed: None,
            stopping: false,
        };
        let inner = Arc::new(Inner {
            secrets: Mutex::new(secrets),
            state: Mutex::new(state),
            changed: Condvar::new(),
            added: Notify::new(),
            store: Mutex::new(Some(store)),
            fleet,
            log,
            sender,
            options,
        });
        inner.keep()?;
        let ids: Vec<u32> = inner.lock().book.hooks.iter().map(|hook| hook.id).collect();
        for id in ids {
            inner.start(id)?;
        }
        Ok(Self { inner, turns: Arc::new(Semaphore::new(TESTS_MAX)) })
    }

    /// Wakes the subscriptions whenever something has become durable. Where there are none it listens to nobody. Never ends by itself.
    pub(crate) async fn follow(self) {
        loop {
            while self.inner.lock().book.hooks.is_empty() {
                self.inner.added.notified().await;
            }
            let mut live = self.inner.fleet.subscribe();
            self.inner.wake();
            while !self.inner.lock().book.hooks.is_empty() {
                if matches!(live.recv().await, Err(RecvError::Closed)) {
                    return;
                }
                self.inner.wake();
            }
        }
    }

    /// Returns who is told where the store is of no use any more. Whoever asks last is.
    pub(crate) fn failed(&self) -> oneshot::Receiver<StoreError> {
        let (say, hear) = oneshot::channel();
        self.inner.lock().failed = Some(say);
        hear
    }

    /// Ends: what was delivered is kept, and nothing is sent or kept any more. What is under way is tried again at the next start.
    pub(crate) fn stop(&self) {
        if let Err(error) = self.inner.keep() {
            tracing::error!(%error, "what the webhooks have delivered could not be kept; it is sent again");
        }
        self.inner.lock().stopping = true;
        self.inner.store.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.inner.changed.notify_all();
    }

    /// Returns every subscription with how many secrets of it sign.
    pub(crate) fn list(&self) -> Vec<(Hook, usize)> {
        let secrets = self.inner.secrets();
        let state = self.inner.lock();
        let signing = |hook: &Hook| secrets.active(&hook.name, now()).len();
        state.book.hooks.iter().map(|hook| (hook.clone(), signing(hook))).collect()
    }

    /// Returns those that deliver nothing new: the name, whether stopped or full, and why.
    pub(crate) fn stuck(&self) -> Vec<(Name, &'static str, String)> {
        let state = self.inner.lock();
        let stuck = |hook: &Hook| hook.stuck().map(|(word, reason)| (hook.name.clone(), word, reason));
        state.book.hooks.iter().filter_map(stuck).collect()
    }

    /// Makes a subscription to what comes behind `after`. Its secret is shown this once.
    pub(crate) fn add(
        &self,
        name: Name,
        url: &str,
        types: Vec<String>,
        after: u64,
    ) -> Result<(Hook, String), WebhookError> {
        let url = target::checked(url, self.inner.options.private_targets).map_err(WebhookError::Target)?;
        let (made, secret) = {
            // Nothing is made or taken back meanwhile.
            let mut secrets = self.inner.secrets();
            self.inner.lock().book.has_room(&name)?;
            let secret = secrets.renew(&name, Span(0), now())?;
            let mut state = self.inner.lock();
            let made = state.book.add(name, url, types, after, now());
            state.unkept.index = true;
            state.unkept.hooks.insert(made.id);
            (made, secret)
        };
        let kept = self.inner.keep();
        if kept.is_err() {
            let _ = self.forget(&made.name);
        }
        // Where it could not be kept, its thread has nothing to do but to keep that it is gone.
        let started = self.inner.start(made.id);
        kept.and(started)?;
        self.inner.added.notify_one();
        Ok((made, secret))
    }

    fn forget(&self, name: &Name) -> Result<(), WebhookError> {
        let mut secrets = self.inner.secrets();
        let mut state = self.inner.lock();
        let id = state.book.named(name).ok_or(WebhookError::Unknown)?.id;
        state.book.hooks.retain(|hook| hook.id != id);
        state.unkept.index = true;
        state.unkept.hooks.insert(id);
        drop(state);
        let _ = secrets.remove(name);
        Ok(())
    }

    /// Takes a subscription back, with its secrets and what waits or is dead.
    pub(crate) fn remove(&self, name: &Name) -> Result<(), WebhookError> {
        self.forget(name)?;
        self.inner.changed.notify_all();
        self.inner.keep()
    }

    /// Makes a new secret; those before go on signing for `grace` more.
    pub(crate) fn rotate(&self, name: &Name, grace: Span) -> Result<(Hook, usize, String), WebhookError> {
        let mut secrets = self.inner.secrets();
        let hook = self.inner.lock().book.named(name).ok_or(WebhookError::Unknown)?.clone();
        let secret = secrets.renew(name, grace, now())?;
        Ok((hook, secrets.active(name, now()).len(), secret))
    }

    /// Lets a subscription go on that was stopped.
    pub(crate) fn resume(&self, name: &Name) -> Result<(Hook, usize), WebhookError> {
        let secrets = self.inner.secrets().active(name, now()).len();
        self.inner.change(name, |state, at| {
            if secrets > 0 && !state.book.hooks[at].lost {
                state.book.hooks[at].stopped = None;
            }
            Ok((state.book.hooks[at].clone(), secrets))
        })
    }

    /// Returns the deliveries of a subscription that are dead, oldest event first.
    pub(crate) fn dead(&self, name: &Name) -> Result<Vec<Attempted>, WebhookError> {
        let state = self.inner.lock();
        let hook = state.book.named(name).ok_or(WebhookError::Unknown)?;
        Ok(hook.dead.clone())
    }

    /// Has what is dead, or only the event at `position`, tried again now, and what waits too. Returns how much.
    pub(crate) fn retry(&self, name: &Name, position: Option<u64>) -> Result<usize, WebhookError> {
        self.inner.change(name, |state, at| Ok(state.book.hooks[at].retry(position, now())))
    }

    /// Lets go of what is dead, or only of the event at `position`. Returns how much.
    pub(crate) fn discard(&self, name: &Name, position: Option<u64>) -> Result<usize, WebhookError> {
        self.inner.change(name, |state, at| Ok(state.book.hooks[at].discard(position)))
    }

    /// Returns a turn to send an event that says nothing, where there is one.
    pub(crate) fn turn_to_test(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).try_acquire_owned().ok()
    }

    /// Sends one event that says nothing, and waits for what comes of it. It is not tried again. Whoever asked may be gone by then:
    /// the turn is held as long as it takes.
    pub(crate) fn test(&self, name: &Name, _turn: OwnedSemaphorePermit) -> Result<Tried, WebhookError> {
        let (hook, secrets, log) = {
            let secrets = self.inner.secrets();
            let state = self.inner.lock();
            let hook = state.book.named(name).ok_or(WebhookError::Unknown)?.clone();
            if state.stopping {
                let outcome = Outcome::Never { reason: "the server is stopping".to_owned() };
                return Ok(Tried { outcome, took: Span(0) });
            }
            (hook, secrets.active(name, now()), state.book.log.clone())
        };
        let chance = secret::chance()?;
        Ok(self.inner.sender.send(&hook.url, &secrets, &body::test(&log, chance, now()), now()))
    }
}

impl State {
    /// Whether something is to be kept, and may be now.
    fn is_due(&self) -> bool {
        !self.unkept.is_empty() && self.keep_from.is_none_or(|from| from <= Instant::now())
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn secrets(&self) -> MutexGuard<'_, Secrets> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        drop(self.lock());
        self.changed.notify_all();
    }

    /// Changes a subscription, keeps that, and wakes its thread.
    fn change<T>(
        &self,
        name: &Name,
        change: impl FnOnce(&mut State, usize) -> Result<T, WebhookError>,
    ) -> Result<T, WebhookError> {
        let changed = {
            let mut state = self.lock();
            let at = state.book.hooks.iter().position(|hook| hook.name == *name);
            let at = at.ok_or(WebhookError::Unknown)?;
            let id = state.book.hooks[at].id;
            state.unkept.hooks.insert(id);
            change(&mut state, at)?
        };
        self.keep()?;
        self.changed.notify_all();
        Ok(changed)
    }

    /// Writes what has changed into the store.
    fn keep(&self) -> Result<(), WebhookError> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(store) = store.as_mut() else { return Ok(()) };
        let unkept = {
            let mut state = self.lock();
            state.kept = Instant::now();
            std::mem::take(&mut state.unkept)
        };
        let written = self.write(store.as_mut(), &unkept);
        let mut state = self.lock();
        state.keep_from = written.is_err().then(|| Instant::now() + KEEP_AGAIN);
        if let Err(error) = &written {
            state.unkept.index |= unkept.index;
            state.unkept.hooks.extend(unkept.hooks);
            if let WebhookError::Store(StoreError::Poisoned(poisoned)) = error
                && let Some(failed) = state.failed.take()
            {
                let _ = failed.send(StoreError::Poisoned(poisoned.clone()));
            }
        } else if std::mem::take(&mut state.failing) {
            tracing::info!("what the webhooks have delivered is kept again");
        }
        written
    }

    /// Subscriptions before the list of them, and after it those that are on it no more: each list is of what is there.
    fn write(&self, store: &mut dyn Store, unkept: &Unkept) -> Result<(), WebhookError> {
        let mut gone = Vec::new();
        for id in &unkept.hooks {
            let hook = self.lock().book.hooks.iter().find(|hook| hook.id == *id).cloned();
            let Some(hook) = hook else {
                gone.push(*id);
                continue;
            };
            if hook.lost {
                continue;
            }
            match store.put_document(&book::document(*id), &serde_json::to_vec(&hook)?) {
                Err(StoreError::Refused(refusal)) => {
                    // It would be refused again; the others are not held up by it.
                    tracing::error!(webhook = %hook.name, %refusal, "a webhook cannot be kept, and is stopped");
                    let mut state = self.lock();
                    if let Some(hook) = state.book.hooks.iter_mut().find(|hook| hook.id == *id) {
                        hook.stop(now(), "what it has to keep is too much: `kapell webhook discard` lets go of dead letters");
                    }
                }
                written => written?,
            }
        }
        if unkept.index {
            let index = self.lock().book.index()?;
            store.put_document(book::DOCUMENT, &index)?;
        }
        for id in gone {
            store.put_document(&book::document(id), b"")?;
        }
        Ok(())
    }

    /// Keeps what has changed, if it is time, and says once if that fails.
    fn keep_if_due(&self) {
        {
            let mut state = self.lock();
            if !state.is_due() {
                return;
            }
            // The others that wait need not try it too.
            state.keep_from = Some(Instant::now() + KEEP_AGAIN);
        }
        if let Err(error) = self.keep()
            && !std::mem::replace(&mut self.lock().failing, true)
        {
            tracing::error!(%error, "what the webhooks have delivered could not be kept; it is tried again");
        }
    }

    fn start(self: &Arc<Self>, id: u32) -> Result<(), WebhookError> {
        let inner = Arc::clone(self);
        let thread = std::thread::Builder::new().name(format!("webhook-{id}"));
        thread.spawn(move || inner.run(id)).map(drop).map_err(WebhookError::Thread)
    }

    /// Delivers for one subscription until it is taken back or the server stops.
    fn run(&self, id: u32) {
        let mut page = Page::default();
        while let Some(step) = self.next(id) {
            let noted = match step {
                Step::Again(position) => self.record(position).map(|record| {
                    // What the log does not have any more can never be sent.
                    record.map_or(Noted::lost(position), |record| self.deliver(id, &record))
                }),
                Step::Fresh { after, types } => self.fresh(id, after, &types, &mut page),
            };
            match noted {
                Ok(noted) => self.note(id, noted),
                Err(detail) => {
                    tracing::error!(%detail, "the log could not be read for a webhook");
                    std::thread::sleep(KEEP_EVERY);
                }
            }
        }
    }

    /// Waits until there is something to do. Who is taken back ends once that is kept.
    fn next(&self, id: u32) -> Option<Step> {
        loop {
            let state = self.lock();
            if state.stopping {
                return None;
            }
            let hook = state.book.hooks.iter().find(|hook| hook.id == id);
            if hook.is_none() && state.unkept.is_empty() {
                return None;
            }
            let mut pause = None;
            if let Some(hook) = hook.filter(|hook| hook.stopped.is_none()) {
                let now = now();
                let next = hook.waiting.iter().min_by_key(|it| (it.next_at, it.position));
                match next {
                    Some(next) if next.next_at <= now => return Some(Step::Again(next.position)),
                    Some(next) => pause = Some(next.next_at.since(now)),
                    None => {}
                }
                let room = hook.waiting.len() < WAITING_MAX && hook.dead.len() < DEAD_MAX;
                if room && hook.cursor < self.fleet.durable().0 {
                    return Some(Step::Fresh { after: hook.cursor, types: Arc::clone(&hook.types) });
                }
            }
            if state.is_due() {
                drop(state);
                self.keep_if_due();
                continue;
            }
            let pause = pause.map(|pause: Span| Duration::from_millis(pause.0.max(1).unsigned_abs()));
            let keep = state.keep_from.filter(|_| !state.unkept.is_empty());
            let keep = keep.map(|from| from.saturating_duration_since(Instant::now()));
            match pause.into_iter().chain(keep).min() {
                Some(pause) => drop(self.changed.wait_timeout(state, pause)),
                None => drop(self.changed.wait(state)),
            }
        }
    }

    /// Passes over what is not asked for, and delivers the next event that is.
    fn fresh(&self, id: u32, after: u64, types: &[String], page: &mut Page) -> Result<Noted, String> {
        if page.after != after || page.until == after {
            let wanted = |kind: &str| types.iter().any(|wanted| is_type(wanted, kind));
            let (records, until) = self.log.read_kinds(after, PAGE, wanted)?;
            if until == after {
                return Err(format!("nothing stands behind {after}, though the log goes on"));
            }
            *page = Page { after, until, records: records.into() };
        }
        let record = page.records.pop_front();
        page.after = record.as_ref().map_or(page.until, |record| record.position.0);
        Ok(record.map_or(Noted::passed(page.after), |record| self.deliver(id, &record)))
    }

    fn record(&self, position: u64) -> Result<Option<Record>, String> {
        let (mut records, _) = self.log.read(position.saturating_sub(1), 1)?;
        Ok(records.pop().filter(|record| record.position.0 == position))
    }

    fn deliver(&self, id: u32, record: &Record) -> Noted {
        let (url, secrets, log) = {
            let secrets = self.secrets();
            let state = self.lock();
            let Some(hook) = state.book.hooks.iter().find(|hook| hook.id == id) else {
                return Noted::passed(0);
            };
            (hook.url.clone(), secrets.active(&hook.name, now()), state.book.log.clone())
        };
        let message = body::of(&log, &crate::http::shown_event(record, &self.fleet.names()));
        let tried = self.sender.send(&url, &secrets, &message, now());
        Noted { position: record.position.0, kind: record.event.kind().to_owned(), tried: Some(tried) }
    }

    /// Takes account of what came of a delivery.
    fn note(&self, id: u32, noted: Noted) {
        let chance = secret::chance().unwrap_or_default();
        let late = {
            let mut state = self.lock();
            if state.stopping {
                return;
            }
            let Some(hook) = state.book.hooks.iter_mut().find(|hook| hook.id == id) else { return };
            let stuck = hook.stuck().map(|(state, _)| state);
            hook.note(noted, now(), &|attempts| {
                (attempts < self.options.attempts_max).then(|| self.options.pause(attempts, chance))
            });
            if let Some((state, reason)) = hook.stuck().filter(|(state, _)| Some(*state) != stuck) {
                tracing::warn!(webhook = %hook.name, %reason, "a webhook is {state}");
            }
            state.unkept.hooks.insert(id);
            state.kept.elapsed() >= KEEP_EVERY
        };
        if late {
            self.keep_if_due();
        }
    }
}

/// Returns `moment` as whole seconds since 1970.
fn seconds(moment: Moment) -> i64 {
    moment.0.div_euclid(1_000)
}

#[cfg(test)]
mod tests;
