//! Webhooks.

use super::{Client, Result, escaped};
use crate::{
    DeadLetter, DeadLetterChoice, DeadLetterCount, MadeWebhook, NewWebhook, Page, RotateWebhook, Webhook,
    WebhookTest,
};

fn path(name: &str, verb: &str) -> String {
    format!("/v1/webhooks/{}{verb}", escaped(name))
}

impl Client {
    /// Returns the webhooks.
    pub fn webhooks(&self) -> Result<Vec<Webhook>> {
        self.get::<Page<Webhook>>("/v1/webhooks").map(|page| page.items)
    }

    /// Makes a webhook.
    pub fn add_webhook(&self, webhook: &NewWebhook) -> Result<MadeWebhook> {
        self.post_once("/v1/webhooks", webhook)
    }

    /// Takes a webhook back.
    pub fn remove_webhook(&self, name: &str) -> Result<()> {
        self.delete(&path(name, "")).map(|_| ())
    }

    /// Makes a new secret of a webhook.
    pub fn rotate_webhook(&self, name: &str, rotate: &RotateWebhook) -> Result<MadeWebhook> {
        self.post_once(&path(name, "/rotate"), rotate)
    }

    /// Sends an event that says nothing.
    pub fn test_webhook(&self, name: &str) -> Result<WebhookTest> {
        self.post_once(&path(name, "/test"), &serde_json::json!({}))
    }

    /// Lets a webhook go on that was stopped.
    pub fn resume_webhook(&self, name: &str) -> Result<Webhook> {
        self.post_once(&path(name, "/resume"), &serde_json::json!({}))
    }

    /// Returns the events of a webhook that were tried too often.
    pub fn dead_letters(&self, name: &str) -> Result<Vec<DeadLetter>> {
        self.get::<Page<DeadLetter>>(&path(name, "/dead")).map(|page| page.items)
    }

    /// Has events tried again that were tried too often, and those that wait.
    pub fn retry_webhook(&self, name: &str, choice: &DeadLetterChoice) -> Result<DeadLetterCount> {
        self.post_once(&path(name, "/retry"), choice)
    }

    /// Lets go of events that were tried too often.
    pub fn discard_dead_letters(&self, name: &str, choice: &DeadLetterChoice) -> Result<DeadLetterCount> {
        self.post_once(&path(name, "/discard"), choice)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::{ClientError, NewToken, RotateToken};

    #[test]
    fn what_makes_a_secret_is_not_asked_for_twice_where_the_answer_is_cut_off() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let count = Arc::<AtomicUsize>::default();
        let asked = Arc::clone(&count);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4_096]);
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
        let client =
            Client::new(&format!("http://{address}"), "kpl_x").with_patience(Duration::from_millis(500));
        let (name, url) = ("pager".to_owned(), "https://example.invalid".to_owned());
        let hook = NewWebhook { name, url, types: Vec::new(), after: None };
        let token =
            NewToken { access: "viewer".to_owned(), agent: None, label: String::new(), expires_in_ms: None };
        let rotate = RotateWebhook { grace_ms: 0 };
        let errors = [
            client.add_webhook(&hook).err(),
            client.rotate_webhook("pager", &rotate).err(),
            client.make_token(&token).err(),
            client.rotate_token(1, &RotateToken::default()).err(),
        ];
        for error in errors {
            assert!(matches!(error, Some(ClientError::Unreachable { .. })), "{error:?}");
        }
        while count.load(Ordering::Relaxed) < 4 {
            std::thread::yield_now();
        }
        assert_eq!(count.load(Ordering::Relaxed), 4, "each once");
    }
}
