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
        self.post("/v1/webhooks", webhook)
    }

    /// Takes a webhook back.
    pub fn remove_webhook(&self, name: &str) -> Result<()> {
        self.delete(&path(name, "")).map(|_| ())
    }

    /// Makes a new secret of a webhook.
    pub fn rotate_webhook(&self, name: &str, rotate: &RotateWebhook) -> Result<MadeWebhook> {
        self.post(&path(name, "/rotate"), rotate)
    }

    /// Sends an event that says nothing.
    pub fn test_webhook(&self, name: &str) -> Result<WebhookTest> {
        self.post(&path(name, "/test"), &serde_json::json!({}))
    }

    /// Lets a webhook go on that was stopped.
    pub fn resume_webhook(&self, name: &str) -> Result<Webhook> {
        self.post(&path(name, "/resume"), &serde_json::json!({}))
    }

    /// Returns the events of a webhook that were tried too often.
    pub fn dead_letters(&self, name: &str) -> Result<Vec<DeadLetter>> {
        self.get::<Page<DeadLetter>>(&path(name, "/dead")).map(|page| page.items)
    }

    /// Has events tried again that were tried too often, and those that wait.
    pub fn retry_webhook(&self, name: &str, choice: &DeadLetterChoice) -> Result<DeadLetterCount> {
        self.post(&path(name, "/retry"), choice)
    }

    /// Lets go of events that were tried too often.
    pub fn discard_dead_letters(&self, name: &str, choice: &DeadLetterChoice) -> Result<DeadLetterCount> {
        self.post(&path(name, "/discard"), choice)
    }
}
