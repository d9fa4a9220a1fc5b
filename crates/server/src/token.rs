//! Tokens: who may do what. A token is 256 random bits with a prefix; only its hash is kept.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use kapell_model::{Moment, Name, Span};
use kapell_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::replace::replace;

/// The document in which the store keeps the tokens' hashes.
const DOCUMENT: &str = "tokens";
/// The file in the data directory that holds the first admin token, for the command line on this machine.
pub const ADMIN_TOKEN_FILE: &str = "admin.token";
/// Tokens that may exist at once; one per agent and some more.
const TOKENS_MAX: usize = 200_000;
/// What every token begins with, so that a scanner finds one that got into the wrong place.
const PREFIX: &str = "kpl_";

/// What a token may do. Each may do what the ones after it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everything, tokens and fleets too.
    Admin,
    /// Agents, tasks, policy, settling what needs a person.
    Manager,
    /// Its own reports, as the one agent that it is bound to; and looking.
    Agent,
    /// Looking.
    Viewer,
}

impl Access {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Agent => "agent",
            Self::Viewer => "viewer",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Admin, Self::Manager, Self::Agent, Self::Viewer]
            .into_iter()
            .find(|access| access.as_str() == word)
    }
}

/// A token as it is kept: everything but itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// A number to speak of it.
    pub id: u32,
    /// What it may do.
    pub access: Access,
    /// The agent that it is bound to, with access `agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Name>,
    /// What it is for, in its maker's words.
    #[serde(default)]
    pub label: String,
    /// When it was made, or last changed for a new one.
    pub made_at: Moment,
    /// When it ends; never where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Moment>,
    hash: [u8; 32],
    /// What it was before it was rotated, while that is still let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    former: Option<Former>,
}

/// A token that was rotated and is let in a little longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Former {
    hash: [u8; 32],
    until: Moment,
}

/// Whose request this is.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What it may do.
    pub access: Access,
    /// The agent that it is, with access `agent`.
    pub agent: Option<Name>,
    /// How the log shows it.
    pub actor: Arc<str>,
}

impl Caller {
    fn of(kept: &Kept) -> Self {
        let actor = match (&kept.agent, kept.access) {
            (Some(agent), _) => format!("agent:{agent}"),
            (None, access) => format!("{}:{}", access.as_str(), kept.id),
        };
        Self { access: kept.access, agent: kept.agent.clone(), actor: Arc::from(actor) }
    }
}

/// Why tokens could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The storage says no.
    #[error("the tokens could not be read or kept")]
    Store(#[from] StoreError),
    /// The document is not what it should be.
    #[error("the stored tokens are not readable")]
    Body(#[from] serde_json::Error),
    /// No random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// The admin token's file.
    #[error("the token file {} could not be written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Too many.
    #[error("tokens are limited to {TOKENS_MAX}")]
    TooMany,
}

/// Who comes with a token, and until when, by its hash.
type Callers = HashMap<[u8; 32], (Arc<Caller>, Option<Moment>)>;

/// What the store keeps.
#[derive(Default, Serialize, Deserialize)]
struct Document {
    /// The highest number that was ever given: none is given twice, so that what the log says of `manager:3` is of one token.
    last: u32,
    tokens: Vec<Kept>,
}

/// The document of today, and the one of before, which did not know the highest number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Now(Document),
    Before(Vec<Kept>),
}

impl From<Stored> for Document {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Now(document) => document,
            Stored::Before(tokens) => {
                Self { last: tokens.iter().map(|kept| kept.id).max().unwrap_or(0), tokens }
            }
        }
    }
}

struct Inner {
    store: Box<dyn Store>,
    kept: Document,
    callers: Arc<RwLock<Callers>>,
}

/// Every token of one data directory.
#[derive(Clone)]
pub struct Tokens {
    /// Locked while a change is written.
    inner: Arc<Mutex<Inner>>,
    /// Never locked over a write: every request looks here.
    callers: Arc<RwLock<Callers>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// Reads the tokens that `store` keeps.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn load(mut store: Box<dyn Store>) -> Result<Self, TokenError> {
        let kept = match store.get_document(DOCUMENT)? {
            Some(bytes) => serde_json::from_slice::<Stored>(&bytes)?.into(),
            None => Document::default(),
        };
        let callers = Arc::<RwLock<Callers>>::default();
        let inner = Inner { store, kept, callers: Arc::clone(&callers) };
        inner.index();
        Ok(Self { inner: Arc::new(Mutex::new(inner)), callers })
    }

    /// Makes the first admin token where there is none, and writes it to `directory` for its owner alone (mode 0600).
    /// Returns the path of the file where one was made now.
    ///
    /// # Errors
    /// Where it cannot be made or written.
    pub fn ensure_admin(&self, directory: &Path, now: Moment) -> Result<Option<PathBuf>, TokenError> {
        let path = directory.join(ADMIN_TOKEN_FILE);
        let known = fs::read_to_string(&path).ok().and_then(|token| self.caller(token.trim(), now));
        if known.is_some_and(|caller| caller.access == Access::Admin) {
            return Ok(None);
        }
        let (_, token) = self.make(Access::Admin, None, "made at the first start".to_owned(), None, now)?;
        write_file(&path, &token)?;
        Ok(Some(path))
    }

    /// Makes a token, which ends at `expires_at`. It is shown this once.
    ///
    /// # Errors
    /// Where it cannot be made or kept.
    pub fn make(
        &self,
        access: Access,
        agent: Option<Name>,
        label: String,
        expires_at: Option<Moment>,
        now: Moment,
    ) -> Result<(Kept, String), TokenError> {
        let (token, hash) = fresh()?;
        let mut inner = self.lock();
        if inner.kept.tokens.len() >= TOKENS_MAX {
            return Err(TokenError::TooMany);
        }
        let id = inner.kept.last.checked_add(1).ok_or(TokenError::TooMany)?;
        let kept = Kept { id, access, agent, label, made_at: now, expires_at, hash, former: None };
        inner.kept.last = id;
        inner.kept.tokens.push(kept.clone());
        if let Err(error) = inner.keep() {
            inner.kept.tokens.pop();
            return Err(error);
        }
        Ok((kept, token))
    }

    /// Puts a new token in the place of one, with the same number and rights. The one before is let in for `grace` more.
    /// The admin token's file in `directory` follows where it holds the one before. Returns nothing where there is none.
    ///
    /// # Errors
    /// Where it cannot be made, kept or written; then the one before stays.
    pub fn rotate(
        &self,
        id: u32,
        grace: Span,
        directory: &Path,
        now: Moment,
    ) -> Result<Option<(Kept, String)>, TokenError> {
        let (token, hash) = fresh()?;
        let mut inner = self.lock();
        let Some(at) = inner.kept.tokens.iter().position(|kept| kept.id == id) else { return Ok(None) };
        let before = inner.kept.tokens[at].clone();
        let path = directory.join(ADMIN_TOKEN_FILE);
        let filed = fs::read_to_string(&path).ok();
        let filed = filed.is_some_and(|text| *blake3::hash(text.trim().as_bytes()).as_bytes() == before.hash);
        // Its own end stands: what has ended is not let in again.
        let until = before.expires_at.map_or(now.after(grace), |end| end.min(now.after(grace)));
        let former = (until > now).then_some(Former { hash: before.hash, until });
        // A token that ends lives as long again.
        let expires_at = before.expires_at.map(|end| now.after(Span(end.0 - before.made_at.0)));
        let kept = Kept { made_at: now, expires_at, hash, former, ..before.clone() };
        inner.kept.tokens[at] = kept.clone();
        if let Err(error) = inner.keep() {
            inner.kept.tokens[at] = before;
            return Err(error);
        }
        if let Err(error) = if filed { write_file(&path, &token) } else { Ok(()) } {
            inner.kept.tokens[at] = before;
            inner.keep()?;
            return Err(error);
        }
        Ok(Some((kept, token)))
    }

    /// Takes a token back. Returns whether there was one.
    ///
    /// # Errors
    /// Where that cannot be kept.
    pub fn revoke(&self, id: u32) -> Result<bool, TokenError> {
        let mut inner = self.lock();
        let Some(at) = inner.kept.tokens.iter().position(|kept| kept.id == id) else { return Ok(false) };
        let kept = inner.kept.tokens.remove(at);
        if let Err(error) = inner.keep() {
            inner.kept.tokens.insert(at, kept);
            return Err(error);
        }
        Ok(true)
    }

    /// Returns every token's description; waits for a change that is being written.
    #[must_use]
    pub fn list(&self) -> Vec<Kept> {
        self.lock().kept.tokens.clone()
    }

    /// Returns whose `token` it is at `now`. What is looked up is the hash of a 256-bit random number, so the time that it
    /// takes tells nothing about the token.
    #[must_use]
    pub fn caller(&self, token: &str, now: Moment) -> Option<Arc<Caller>> {
        let hash = blake3::hash(token.as_bytes());
        let callers = self.callers.read().unwrap_or_else(PoisonError::into_inner);
        let (caller, end) = callers.get(hash.as_bytes())?;
        end.is_none_or(|end| now < end).then(|| Arc::clone(caller))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn keep(&mut self) -> Result<(), TokenError> {
        let bytes = serde_json::to_vec(&self.kept)?;
        self.store.put_document(DOCUMENT, &bytes)?;
        self.index();
        Ok(())
    }

    fn index(&self) {
        let mut callers = Callers::with_capacity(self.kept.tokens.len());
        for kept in &self.kept.tokens {
            let caller = Arc::new(Caller::of(kept));
            if let Some(former) = &kept.former {
                let until = kept.expires_at.map_or(former.until, |end| end.min(former.until));
                callers.insert(former.hash, (Arc::clone(&caller), Some(until)));
            }
            callers.insert(kept.hash, (caller, kept.expires_at));
        }
        // The former ones are let go when everybody can look again.
        let mut now = self.callers.write().unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::replace(&mut *now, callers);
        drop(now);
        drop(former);
    }
}

/// Makes a token and its hash.
fn fresh() -> Result<(String, [u8; 32]), TokenError> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(TokenError::Random)?;
    let token = format!("{PREFIX}{}", blake3::Hash::from_bytes(random).to_hex());
    let hash = *blake3::hash(token.as_bytes()).as_bytes();
    Ok((token, hash))
}

/// Writes a token to a file for its owner alone, whole or not at all.
fn write_file(path: &Path, token: &str) -> Result<(), TokenError> {
    let failed = |source| TokenError::File { path: path.to_owned(), source };
    replace(path, format!("{token}\n").as_bytes()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use kapell_store::{MemoryDisk, Reader as _, RowBatch};

    use super::*;

    fn make(tokens: &Tokens, expires_at: Option<Moment>) -> (u32, String) {
        let (kept, token) =
            tokens.make(Access::Manager, None, String::new(), expires_at, Moment(0)).expect("one");
        (kept.id, token)
    }

    #[test]
    fn what_has_ended_is_not_let_in_again_by_a_rotation() {
        let disk = MemoryDisk::new();
        let tokens = Tokens::load(Box::new(disk.open())).expect("none yet");
        let (nowhere, grace) = (Path::new("/nowhere"), Span::hours(1));
        for rotated_at in [Moment(500), Moment(2_000)] {
            let (id, token) = make(&tokens, Some(Moment(1_000)));
            let (_, next) =
                tokens.rotate(id, grace, nowhere, rotated_at).expect("kept").expect("it is there");
            assert_eq!(tokens.caller(&token, Moment(999)).is_some(), rotated_at == Moment(500));
            for later in [Moment(1_000), rotated_at, rotated_at.after(Span(999))] {
                assert_eq!(tokens.caller(&token, later).is_some(), later < Moment(1_000), "{later:?}");
            }
            assert!(tokens.caller(&next, rotated_at).is_some());
        }
    }

    #[test]
    fn no_number_is_given_twice() {
        let disk = MemoryDisk::new();
        let mut store = disk.open();
        let tokens = Tokens::load(Box::new(disk.open())).expect("none yet");
        let (first, _) = make(&tokens, None);
        // As it was kept before: a list.
        let list = serde_json::to_vec(&tokens.list()).expect("JSON");
        store.put_document(DOCUMENT, &list).expect("it is taken");
        let mut last = first;
        for _ in 0..3 {
            let tokens = Tokens::load(Box::new(disk.open())).expect("they are read");
            let (id, token) = make(&tokens, None);
            assert!(id > last, "{id} after {last}");
            assert!(tokens.revoke(id).expect("kept") && tokens.caller(&token, Moment(1)).is_none());
            last = id;
        }
    }

    #[test]
    fn a_token_is_known_while_another_one_is_being_written() {
        let disk = MemoryDisk::new();
        let mut store = disk.open();
        let head = store.open_fleet("default").expect("a fleet");
        let mut rows = RowBatch::new();
        rows.push(1, [1; 16], "ann", "noted", |out| out.extend_from_slice(b"{}"));
        store.append(head.key, head.epoch, 0, &rows).expect("it is taken");
        let tokens = Tokens::load(Box::new(disk.open())).expect("none yet");
        let make = |tokens: &Tokens| {
            tokens.make(Access::Viewer, None, String::new(), None, Moment(0)).expect("one").1
        };
        let known = make(&tokens);
        let mut making = None;
        let mut looked = 0;
        // The memory is held still during a read, as a disk that hangs is.
        let read = store.read(head.key, 0, 1, &mut |_| {
            let beside = tokens.clone();
            making = Some(thread::spawn(move || make(&beside)));
            while tokens.inner.try_lock().is_ok() {
                thread::yield_now();
            }
            let (beside, known, (say, hear)) = (tokens.clone(), known.clone(), mpsc::channel());
            thread::spawn(move || say.send(beside.caller(&known, Moment(1)).is_some()));
            assert_eq!(hear.recv_timeout(Duration::from_secs(20)), Ok(true), "a request waits for the disk");
            looked += 1;
        });
        assert_eq!((read.expect("it is read"), looked), (1, 1));
        let made = making.expect("it was begun").join().expect("it ends");
        assert!(tokens.caller(&made, Moment(1)).is_some() && tokens.list().len() == 2);
    }
}
