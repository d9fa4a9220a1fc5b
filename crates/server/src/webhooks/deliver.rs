//! One attempt: signed, timed, not led elsewhere, and without a look at more of the answer than its head.

use std::time::{Duration, Instant};

use kapell_model::{Moment, Span};
use ureq::http::Request;
use ureq::unversioned::transport::DefaultConnector;

use super::body::Message;
use super::secret::{MISSING, Secret};
use super::target::Screened;
use super::{WebhookOptions, seconds};

/// Bytes of the head of an answer.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The longest pause that a receiver may ask for with `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(6 * 3_600);

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The receiver has it.
    Accepted {
        /// 200 to 299.
        status: u16,
    },
    /// It has not, or did not say so.
    Refused {
        /// What it answered.
        status: Option<u16>,
        /// In words.
        reason: String,
        /// The pause that it asked for.
        after: Option<Span>,
    },
    /// It wants no more.
    Gone,
    /// It cannot be sent at all.
    Never {
        /// Why.
        reason: String,
    },
}

/// An attempt and how long it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) outcome: Outcome,
    pub(crate) took: Span,
}

/// Who sends. No redirect is followed, no proxy of the environment is asked, no connection is kept.
pub(super) struct Sender {
    agent: ureq::Agent,
}

impl Sender {
    pub(super) fn new(options: &WebhookOptions) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(options.timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .max_idle_connections(0)
            .max_response_header_size(HEAD_BYTES_MAX)
            .user_agent(concat!("kapell/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = Screened::new(options.private_targets);
        Self { agent: ureq::Agent::with_parts(config, DefaultConnector::default(), resolver) }
    }

    /// Sends a message once, signed with every secret; not at all where there is none.
    pub(super) fn send(&self, url: &str, secrets: &[Secret], message: &Message, now: Moment) -> Tried {
        let started = Instant::now();
        let outcome = if secrets.is_empty() {
            Outcome::Never { reason: MISSING.to_owned() }
        } else {
            self.sent(url, secrets, message, seconds(now))
        };
        let took = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        Tried { outcome, took: Span(took) }
    }

    fn sent(&self, url: &str, secrets: &[Secret], message: &Message, timestamp: i64) -> Outcome {
        let signatures: Vec<String> =
            secrets.iter().map(|secret| secret.sign(&message.id, timestamp, &message.body)).collect();
        let request = Request::post(url)
            .header("content-type", "application/cloudevents+json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signatures.join(" "))
            .body(message.body.as_slice());
        let answer = match request {
            Ok(request) => self.agent.run(request),
            Err(error) => return Outcome::Never { reason: error.to_string() },
        };
        let refused = |status, reason, after| Outcome::Refused { status, reason, after };
        match answer {
            Ok(answer) => match answer.status().as_u16() {
                status @ 200..=299 => Outcome::Accepted { status },
                410 => Outcome::Gone,
                status @ 300..=399 => {
                    refused(Some(status), format!("answered {status}; redirects are not followed"), None)
                }
                status => {
                    let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
                    let after = after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
                    let after = after.map(|after| after.min(RETRY_AFTER_MAX).as_millis());
                    let after = after.and_then(|after| i64::try_from(after).ok()).map(Span);
                    refused(Some(status), format!("answered {status}"), after)
                }
            },
            Err(ureq::Error::Timeout(_)) => refused(None, "no answer in time".to_owned(), None),
            Err(error) => refused(None, error.to_string(), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::webhooks::body;

    #[test]
    fn nothing_goes_out_unsigned() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.set_nonblocking(true).expect("it does not wait");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let options = WebhookOptions { private_targets: true, ..WebhookOptions::default() };
        let tried = Sender::new(&options).send(&url, &[], &body::test("log", 1, Moment(0)), Moment(0));
        assert_eq!(tried.outcome, Outcome::Never { reason: MISSING.to_owned() });
        assert!(listener.accept().is_err(), "nobody came");
    }
}
