//! Starts a server on a data directory, and stops it in order.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use kapell_store::{DataDir, DataDirError, Reader, SqliteStore, Store, StoreError};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::components;
use crate::http::{App, Log, router};
use crate::listen::answer_all;
use crate::llm::{Llm, LlmError, LlmOptions};
use crate::open::{Found, OpenError, Running, open};
use crate::past::Past;
use crate::replace::replace;
use crate::saved;
use crate::token::{TokenError, Tokens};
use crate::webhooks::{WebhookError, WebhookOptions, Webhooks};
use crate::writer::now;

/// The file in the data directory that holds the address of the running server.
const ADDRESS_FILE: &str = "address";
/// The fleet that every data directory has.
pub const DEFAULT_FLEET: &str = "default";

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The data directory; made where it is not there.
    pub data: PathBuf,
    /// Where to listen; port 0 takes a free one. Loopback unless somebody says otherwise.
    pub listen: SocketAddr,
    /// Names by which browsers may know it, besides its addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Whether `/mcp` serves what the conformance suite of the protocol calls, in the place of the tools. For tests.
    pub mcp_fixtures: bool,
    /// A language model that is asked for components where a task names none.
    pub llm: Option<LlmOptions>,
    /// How webhooks are delivered.
    pub webhooks: WebhookOptions,
}

/// A server could not be started, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data directory is in use or cannot be made.
    #[error(transparent)]
    Directory(#[from] DataDirError),
    /// The log cannot be opened, or could not be written any more.
    #[error("the log cannot be opened or written")]
    Store(#[from] StoreError),
    /// A thread that the server cannot do without has ended by itself.
    #[error(
        "a thread of the server has panicked: what was acknowledged is durable, and a start goes on from there"
    )]
    Panicked,
    /// The fleet cannot be taken up.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The tokens cannot be read or made.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The model cannot be asked as it is configured.
    #[error(transparent)]
    Llm(#[from] LlmError),
    /// The webhooks cannot be read.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// The address cannot be had.
    #[error("cannot listen on {address} (`--listen` names another address)")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of the data directory cannot be written.
    #[error("cannot write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// What a server says once it serves.
#[derive(Debug, Clone)]
pub struct Started {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it found in the log.
    pub found: Found,
    /// The admin token's file, where it was made now.
    pub new_token: Option<PathBuf>,
}

/// Serves until `stop` comes or the log cannot be written any more. `started` is called once requests are taken.
///
/// # Errors
/// Where the server cannot be started, or its log could not be written any more.
pub async fn serve(
    options: ServeOptions,
    started: impl FnOnce(&Started),
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let directory = DataDir::lock(&options.data)?;
    // What a server that was killed has left is somebody else's by now.
    let _ = fs::remove_file(directory.path().join(ADDRESS_FILE));
    let store = SqliteStore::open(&directory)?;
    let documents = (store.second()?, store.second()?);
    let readers = (store.reader()?, store.reader()?, store.reader()?);
    let running = open(Box::new(store), DEFAULT_FLEET)?;
    let result = serve_fleet(&options, &directory, documents, readers, running, started, stop).await;
    let _ = fs::remove_file(directory.path().join(ADDRESS_FILE));
    result
}

async fn serve_fleet(
    options: &ServeOptions,
    directory: &DataDir,
    (tokens_store, webhooks_store): (Box<dyn Store>, Box<dyn Store>),
    (mut reader, past, told): (Box<dyn Reader>, Box<dyn Reader>, Box<dyn Reader>),
    running: Running,
    started: impl FnOnce(&Started),
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let llm = options.llm.as_ref().map(Llm::new).transpose()?.map(Arc::new);
    let tokens = Tokens::load(tokens_store)?;
    let new_token = tokens.ensure_admin(directory.path(), now())?;
    let listen = |source| ServeError::Listen { address: options.listen, source };
    let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    write_address(directory.path(), address)?;
    let key = reader.fleet(DEFAULT_FLEET)?.expect("the fleet was just opened").key;
    let Running { fleet, found, failed, threads } = running;
    let log = Log { reader: Arc::new(Mutex::new(reader)), key };
    // Webhooks read with a handle of their own: they do not stand in the way of those who follow the events.
    let told = Log { reader: Arc::new(Mutex::new(told)), key };
    let webhooks =
        Webhooks::load(webhooks_store, directory.path(), (fleet.clone(), told), options.webhooks.clone())?;
    let unkept = webhooks.failed();
    let past = Past::new(DEFAULT_FLEET, key, past);
    let shown = (tokens, webhooks.clone());
    let app = App::new(fleet.clone(), shown, log.clone(), past, llm.clone(), directory.path());
    let following = tokio::spawn(webhooks.clone().follow());
    let breakdowns = tokio::spawn(components::by_policy(fleet.clone(), llm));
    let daily = tokio::spawn(saved::daily(fleet.clone(), log, Arc::clone(&app.data)));
    started(&Started { address, found, new_token });

    let (stopping, stopped) = oneshot::channel::<()>();
    let router = router(app, &options.hosts, options.mcp_fixtures);
    let server = tokio::spawn(answer_all(listener, router, async {
        let _ = stopped.await;
    }));
    let failure = tokio::select! {
        () = stop => None,
        // Whoever would tell is dropped where a thread ends by a panic.
        failure = failed => Some(failure.map_or(ServeError::Panicked, ServeError::from)),
        failure = unkept => Some(failure.map_or(ServeError::Panicked, ServeError::from)),
    };
    daily.abort();
    breakdowns.abort();
    following.abort();
    let _ = stopping.send(());
    let _ = server.await;
    let running = tokio::task::spawn_blocking(move || {
        webhooks.stop();
        fleet.stop();
        for thread in threads {
            let _ = thread.join();
        }
    });
    let _ = running.await;
    failure.map_or(Ok(()), Err)
}

/// Returns the address of the server that has the data directory `data` now. What one that is gone has left there may be the
/// address of anybody.
#[must_use]
pub fn running_on(data: &Path) -> Option<String> {
    let told = fs::read_to_string(data.join(ADDRESS_FILE)).ok()?;
    DataDir::is_held(data).unwrap_or(false).then(|| told.trim().to_owned())
}

fn write_address(directory: &Path, address: SocketAddr) -> Result<(), ServeError> {
    let path = directory.join(ADDRESS_FILE);
    let failed = |source| ServeError::File { path: path.clone(), source };
    replace(&path, format!("http://{address}\n").as_bytes()).map_err(failed)
}
