//! Answers whose making costs time in the size of the fleet. Those who ask the same at the same time share one, and after it the
//! server rests for a multiple of what it took, however many ask. An answer is begun after its question, so it is never stale.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use kapell_api::{ErrorCode, Problem};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Refusal;

/// The rest after an answer, in times of what it took: one question takes a fifth of the time at most.
const REST: u32 = 4;
/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(5);

/// What comes of a question: JSON, or why not.
type Made = Result<Bytes, Problem>;

/// How one question stands.
#[derive(Debug)]
struct Turn {
    /// Who has asked since the last answer was begun.
    waiting: Vec<oneshot::Sender<Made>>,
    /// Whether somebody makes answers for them.
    served: bool,
    rests_until: Instant,
}

/// The questions that are being answered or were lately.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(Arc<Mutex<BTreeMap<String, Turn>>>);

impl Shared {
    /// Returns the answer to `question`, made by `make`.
    pub(crate) async fn answer<T, F>(
        &self,
        question: String,
        make: impl Fn() -> F + Send + 'static,
    ) -> Result<Response, Refusal>
    where
        T: serde::Serialize + Send + 'static,
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let (sender, answered) = oneshot::channel();
        if self.wait(&question, sender) {
            tokio::spawn(serve(Service { shared: self.clone(), question }, make));
        }
        let broken = || Err(Problem::new(ErrorCode::Internal, "the answer could not be made"));
        let bytes = answered.await.unwrap_or_else(|_| broken())?;
        Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
    }

    /// Stands in line. Returns whether nobody serves it.
    fn wait(&self, question: &str, sender: oneshot::Sender<Made>) -> bool {
        let now = Instant::now();
        let mut turns = self.turns();
        turns.retain(|_, turn| turn.served || turn.rests_until > now);
        let fresh = || Turn { waiting: Vec::new(), served: false, rests_until: now };
        let turn = turns.entry(question.to_owned()).or_insert_with(fresh);
        turn.waiting.push(sender);
        !std::mem::replace(&mut turn.served, true)
    }

    fn turns(&self) -> MutexGuard<'_, BTreeMap<String, Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever answers a question. Where it breaks, those who wait are let down and the next one begins anew.
struct Service {
    shared: Shared,
    question: String,
}

impl Service {
    fn turn<T>(&self, look: impl FnOnce(&mut Turn) -> T) -> Option<T> {
        self.shared.turns().get_mut(&self.question).map(look)
    }

    /// Returns when the next answer may be begun; nothing where nobody waits, and then this service is over.
    fn next(&self) -> Option<Instant> {
        let next = |turn: &mut Turn| {
            turn.served = !turn.waiting.is_empty();
            turn.served.then_some(turn.rests_until)
        };
        self.turn(next).flatten()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let mut turns = self.shared.turns();
        if turns.get(&self.question).is_some_and(|turn| turn.served) {
            turns.remove(&self.question);
        }
    }
}

async fn serve<T, F>(service: Service, make: impl Fn() -> F + Send)
where
    T: serde::Serialize,
    F: Future<Output = Result<T, Refusal>> + Send,
{
    while let Some(at) = service.next() {
        tokio::time::sleep_until(at).await;
        let waiting = service.turn(|turn| std::mem::take(&mut turn.waiting)).unwrap_or_default();
        let began = Instant::now();
        let made = written(make().await);
        let rest = (began.elapsed() * REST).min(REST_MAX);
        service.turn(|turn| turn.rests_until = Instant::now() + rest);
        for one in waiting {
            let _ = one.send(made.clone());
        }
    }
}

fn written<T: serde::Serialize>(made: Result<T, Refusal>) -> Made {
    let made = made.map_err(|Refusal(problem)| problem)?;
    let bytes = serde_json::to_vec(&made);
    bytes.map(Bytes::from).map_err(|_| Problem::new(ErrorCode::Internal, "the answer could not be written"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    async fn body(answer: Response) -> String {
        let bytes = axum::body::to_bytes(answer.into_body(), 1_000).await.expect("a body");
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    fn on_one_thread(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(test);
    }

    #[test]
    fn whoever_asks_while_an_answer_is_made_shares_the_next_one() {
        on_one_thread(async {
            let (shared, made) = (Shared::default(), Arc::new(AtomicU64::new(0)));
            let gate = Arc::new(Semaphore::new(0));
            let ask = || {
                let (shared, made, gate) = (shared.clone(), Arc::clone(&made), Arc::clone(&gate));
                let make = move || {
                    let (number, gate) = (made.fetch_add(1, Ordering::Relaxed) + 1, Arc::clone(&gate));
                    async move {
                        gate.acquire().await.expect("open").forget();
                        Ok(number)
                    }
                };
                tokio::spawn(
                    async move { body(shared.answer("one".to_owned(), make).await.expect("it")).await },
                )
            };
            let first = ask();
            while made.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
            // These come after the first answer was begun, so it is too old for them.
            let later: Vec<_> = (0..50).map(|_| ask()).collect();
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            gate.add_permits(2);
            assert_eq!(first.await.expect("an answer"), "1");
            for each in later {
                assert_eq!(each.await.expect("an answer"), "2");
            }
            assert_eq!(made.load(Ordering::Relaxed), 2, "once for the first, once for all the others");
        });
    }

    #[test]
    fn what_breaks_lets_those_who_wait_down_and_stands_in_nobodys_way() {
        on_one_thread(async {
            let shared = Shared::default();
            let broken =
                shared.answer("one".to_owned(), || async { panic!("broken on purpose") as Result<u8, _> });
            let refusal = broken.await.expect_err("a refusal");
            assert_eq!(refusal.0.code, ErrorCode::Internal);
            let refused = shared
                .answer("one".to_owned(), || async { Err::<u8, _>(Problem::field("a", "b", "c").into()) });
            assert_eq!(refused.await.expect_err("a refusal").0.field.as_deref(), Some("a"));
            let well = shared.answer("one".to_owned(), || async { Ok(7) }).await.expect("an answer");
            assert_eq!(body(well).await, "7");
            assert!(shared.turns().len() <= 1, "questions are forgotten");
        });
    }
}
