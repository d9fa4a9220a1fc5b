//! Takes connections: at most so many, none of which may take long over the head of a request or stop in the middle of its body.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Layer as _;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::http::Absence;

/// Connections that are open at once, where the system allows as many files; more wait until others have gone.
const CONNECTIONS_MAX: usize = 10_000;
/// Files that are no connections.
const OTHER_FILES: u64 = 64;
/// How long a connection may be without a whole head of a request, the time between two requests included.
const HEAD: Duration = Duration::from_secs(75);
/// How long a body may come to a stop.
const BODY_PAUSE: Duration = Duration::from_secs(30);
/// The largest head of a request, in bytes, and how much of a body is read ahead.
const BUFFER: usize = 64 * 1024;
/// The pause where no connection can be taken for want of files or memory.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// How long open connections may finish after a stop was asked for. Streams and long polls never end by themselves: they are
/// cut after it.
const DRAIN: Duration = Duration::from_secs(3);

/// Serves `router` on every connection to `listener`, until `stop` comes and what was under way has ended.
pub(crate) async fn answer_all(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(BUFFER);
    let service = RequestBodyTimeoutLayer::new(BODY_PAUSE).layer(router);
    let room = Arc::new(Semaphore::new(connections_max()));
    let graceful = GracefulShutdown::new();
    let mut connections = tokio::task::JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, permit) = tokio::select! {
            () = &mut stop => break,
            taken = take(&listener, &room) => taken,
        };
        while connections.try_join_next().is_some() {}
        let service = axum::Extension(Absence::default()).layer(service.clone());
        let service = TowerToHyperService::new(service);
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        connections.spawn(async move {
            // A connection that breaks concerns nobody else; its caller knows.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
    connections.shutdown().await;
}

/// Takes the next connection, once there is room for it.
async fn take(listener: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let permit = Arc::clone(room).acquire_owned().await.expect("the room is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small answers leave at once.
                let _ = stream.set_nodelay(true);
                return (stream, permit);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

/// Tells whether a connection broke before it was taken.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Lets this process open as many files as the system allows it, and returns how many connections that makes.
#[cfg(unix)]
fn connections_max() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let soft = limit.current;
    limit.current = limit.maximum;
    let files = if setrlimit(Resource::Nofile, limit).is_ok() { limit.maximum } else { soft };
    let files = files.unwrap_or(u64::MAX).saturating_sub(OTHER_FILES).max(1);
    usize::try_from(files).unwrap_or(CONNECTIONS_MAX).min(CONNECTIONS_MAX)
}

#[cfg(not(unix))]
fn connections_max() -> usize {
    CONNECTIONS_MAX
}
