//! The door without a socket and without a disk: the same routes over memory, in this process. For fuzzing and tests.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use kapell_store::{MemoryDisk, Store as _};
use tower::ServiceExt as _;

use crate::fleet::Fleet;
use crate::http::{App, Log, router};
use crate::open::{Running, open};
use crate::past::Past;
use crate::serve::{DEFAULT_FLEET, ServeError};
use crate::token::{Access, Tokens};
use crate::webhooks::{WebhookOptions, Webhooks};
use crate::writer::now;

/// An answer has no bound of its own but the machine's.
const ANSWER_BYTES_MAX: usize = usize::MAX;

/// A server that is asked by calls.
pub struct InProcess {
    running: Running,
    pub(crate) router: Router,
    pub(crate) token: String,
}

impl InProcess {
    /// Starts on an empty memory; reports that are saved go to `data`.
    ///
    /// # Errors
    /// Where threads or a token cannot be made.
    pub fn start(data: &Path) -> Result<Self, ServeError> {
        let store = MemoryDisk::new().open();
        let (tokens, documents) = (Tokens::load(store.second()?)?, store.second()?);
        let (mut reader, past) = (store.reader()?, store.reader()?);
        let running = open(Box::new(store), DEFAULT_FLEET)?;
        let key = reader.fleet(DEFAULT_FLEET)?.expect("the fleet was just opened").key;
        let log = Log { reader: Arc::new(Mutex::new(reader)), key };
        let (_, token) = tokens.make(Access::Admin, None, "in process".to_owned(), None, now())?;
        let past = Past::new(DEFAULT_FLEET, key, past);
        // Whatever is asked of it, it sends nothing outside.
        let beside = (running.fleet.clone(), log.clone());
        let webhooks = Webhooks::load(documents, data, beside, WebhookOptions::default())?;
        webhooks.stop();
        let app = App::new(running.fleet.clone(), (tokens, webhooks), log, past, None, data);
        let router = router(app, &[], false);
        Ok(Self { running, router, token })
    }

    /// Asks as an admin with a body of JSON, and returns the status and the body of the answer. A path that is no path is
    /// answered with status 0.
    pub async fn ask(&self, method: &str, path: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json");
        let Ok(request) = request.body(Body::from(body)) else { return (0, Vec::new()) };
        let Ok(response) = self.router.clone().oneshot(request).await;
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await;
        (status, body.map(Vec::from).unwrap_or_default())
    }

    /// Returns the door to the fleet.
    #[must_use]
    pub fn fleet(&self) -> &Fleet {
        &self.running.fleet
    }

    /// Stops it.
    pub fn stop(self) {
        self.running.stop();
    }
}
